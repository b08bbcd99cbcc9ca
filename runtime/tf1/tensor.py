"""Tensor and Operation as scripts see them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphtools import graph as base
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape, as_dims, as_shape


class OperatorNotAllowedInGraphError(TypeError):
    """A tensor was used as a Python bool or sequence."""


@export("Operation", "compat.v1.Operation")
class Operation(base.Node):
    """A node of the script's graph."""

    __slots__ = ("__dict__", "_id")

    @property
    def type(self) -> str:
        return self.op

    @property
    def node_def(self) -> Any:
        from graphtools.formats import graphdef

        return graphdef.node_message(self)

    @property
    def op_def(self) -> Any:
        return self.opdef

    @property
    def traceback(self) -> list[Any]:
        return [] if self.source is None else [(self.source[0], self.source[1], "<module>", "")]

    def get_attr(self, name: str) -> Any:
        if name not in self.attr:
            raise ValueError(f"Operation {self.name!r} has no attr named {name!r}.")
        value = self.attr[name]
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, list):
            return [v.encode() if isinstance(v, str) else v for v in value]
        return value

    def run(self, feed_dict: Any = None, session: Any = None) -> None:
        from runtime.tf1.client import run_in_default

        run_in_default(self, feed_dict, session, self.graph)

    def values(self) -> tuple[Any, ...]:
        return tuple(self.outputs)

    def colocation_groups(self) -> list[bytes]:
        return [f"loc:@{c}".encode() for c in self.colocation] or [f"loc:@{self.name}".encode()]

    def _get_control_flow_context(self) -> Any:
        return self.flow

    def _set_control_flow_context(self, context: Any) -> None:
        self.flow = context

    def _set_attr(self, name: str, value: Any) -> None:
        self.attr[name] = value

    def _set_device(self, device: Any) -> None:
        self.device = device if isinstance(device, str) else device.to_string()

    def _add_control_input(self, node: base.Node) -> None:
        self.control_inputs.append(node)

    def _add_control_inputs(self, nodes: Any) -> None:
        self.control_inputs.extend(nodes)

    def _update_input(self, index: int, tensor: base.Tensor) -> None:
        self.inputs[index] = tensor

    def __repr__(self) -> str:
        return f"<tf.Operation {self.name!r} type={self.op}>"

    def __str__(self) -> str:
        return str(self.node_def)


@export("Tensor", "compat.v1.Tensor")
class Tensor(base.Tensor):
    """A symbolic value: an output of an Operation."""

    __slots__ = ("__dict__",)

    @property
    def op(self) -> Any:
        return self.node

    @property
    def graph(self) -> Any:
        return self.node.graph

    @property
    def value_index(self) -> int:
        return self.index

    @property
    def device(self) -> str:
        return self.node.device

    @property
    def shape(self) -> TensorShape:
        return TensorShape(self.dims)

    def get_shape(self) -> TensorShape:
        return TensorShape(self.dims)

    def set_shape(self, shape: Any) -> None:
        wanted = as_dims(shape)
        if self.dims is not None and wanted is not None:
            shown = [f"[{','.join('?' if d is None else str(d) for d in dims)}]" for dims in (self.dims, wanted)]
            if len(self.dims) != len(wanted):
                raise ValueError(
                    f"Shapes must be equal rank, but are {len(self.dims)} and {len(wanted)}. Shapes are {shown[0]} and {shown[1]}."
                )
            for i, (a, b) in enumerate(zip(self.dims, wanted, strict=True)):
                if a is not None and b is not None and a != b:
                    raise ValueError(
                        f"Dimension {i} in both shapes must be equal, but are {a} and {b}. Shapes are {shown[0]} and {shown[1]}."
                    )
        self.dims = self.shape.merge_with(as_shape(wanted))._dims

    def consumers(self) -> list[Any]:
        return [n for n in self.node.graph if any(t is self for t in n.inputs)]

    def eval(self, feed_dict: Any = None, session: Any = None) -> Any:
        from runtime.tf1.client import run_in_default

        return run_in_default(self, feed_dict, session, self.node.graph)

    def _rank(self) -> int | None:
        return self.rank

    def __iter__(self) -> Iterator[Any]:
        raise OperatorNotAllowedInGraphError(
            "iterating over `tf.Tensor` is not allowed in Graph execution. Use Eager execution or decorate this function with @tf.function."
        )

    def __len__(self) -> int:
        raise TypeError(
            f"len is not well defined for symbolic Tensors. ({self.name}) Please call `x.shape` rather than `len(x)` for shape information."
        )

    def __bool__(self) -> bool:
        raise OperatorNotAllowedInGraphError(
            "using a `tf.Tensor` as a Python `bool` is not allowed in Graph execution. Use Eager execution or decorate this function with @tf.function."
        )

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"Cannot convert a symbolic Tensor ({self.name}) to a numpy array.")

    __array_priority__ = 100

    def __copy__(self) -> Tensor:
        return self

    def __deepcopy__(self, memo: Any) -> Tensor:
        return self

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<tf.Tensor {self.name!r} shape={self.shape} dtype={self.dtype.name}>"

    def __str__(self) -> str:
        shape = "" if self.dims is None else f", shape={self.shape}"
        return f'Tensor("{self.name}"{shape}, dtype={self.dtype.name})'
