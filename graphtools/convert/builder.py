"""The one place that creates ONNX nodes: a slotted graph that handlers append to, and its ModelProto.

`op.Conv(x, w, strides=[2, 2])` appends a node and returns its Value. Inputs may be Values, None for an absent optional
input, Python scalars (they take the dtype of the first Value), and lists or numpy arrays (a list of ints is int64). Nodes
whose inputs are all constant are folded; dtypes that ONNX Runtime has no CPU kernel for are computed in a wider one.
A Builder passed as an attribute is a subgraph; it may use the values of the graphs around it.

A complex tensor is carried as a real one with a last axis of 2: real part, imaginary part (`Value.dtype` stays complex,
`dims` are those of the complex tensor).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphtools.convert import fold
from graphtools.convert.infer import infer
from graphtools.convert.legal import wider
from graphtools.dtypes import DType, as_dtype, bool_, float32, int64, string
from graphtools.graph import Dims

Array = np.ndarray[Any, Any]
MICROSOFT = "com.microsoft"


class Value:
    """A tensor of the ONNX graph. `const` is its value where that is known now; `node` makes it otherwise (None for inputs)."""

    __slots__ = ("const", "dims", "dtype", "is_output", "is_sequence", "name", "node")

    def __init__(self, name: str, dtype: DType, dims: Dims = None, *, const: Array | None = None, node: OnnxNode | None = None) -> None:
        self.name = name
        self.dtype = dtype
        self.dims = dims
        self.const = const
        self.node = node
        self.is_output = False
        self.is_sequence = False  # an ONNX sequence of tensors of this dtype and shape

    @property
    def rank(self) -> int | None:
        return None if self.dims is None else len(self.dims)

    def __repr__(self) -> str:
        return f"<Value {self.name!r} {self.dtype.name}{'' if self.dims is None else list(self.dims)}{' const' if self.const is not None else ''}>"


class OnnxNode:
    """A node of the ONNX graph. `origin` is the TensorFlow node it was made for, `device` the device that one asks for."""

    __slots__ = ("attrs", "device", "domain", "inputs", "name", "op_type", "origin", "outputs")

    def __init__(
        self, op_type: str, inputs: list[Value | None], attrs: dict[str, Any], name: str, domain: str, origin: str, device: str
    ) -> None:
        self.op_type = op_type
        self.inputs = inputs
        self.outputs: list[Value] = []
        self.attrs = attrs
        self.name = name
        self.domain = domain
        self.origin = origin
        self.device = device

    def subgraphs(self) -> list[Builder]:
        return [a for a in self.attrs.values() if isinstance(a, Builder)]


class Names:
    """Unique names, numbered per base."""

    def __init__(self) -> None:
        self.used: set[str] = set()
        self._next: dict[str, int] = {}

    def unique(self, name: str) -> str:
        if name not in self.used:
            self.used.add(name)
            return name
        n = self._next.get(name, 1)
        while f"{name}__{n}" in self.used:
            n += 1
        self._next[name] = n + 1
        self.used.add(f"{name}__{n}")
        return f"{name}__{n}"

    def mark(self) -> tuple[set[str], dict[str, int]]:
        """What is taken now, for `reset` to go back to."""
        return set(self.used), dict(self._next)

    def reset(self, mark: tuple[set[str], dict[str, int]]) -> None:
        self.used, self._next = mark


class Builder:
    """An ONNX graph under construction. Handlers know it as `op`."""

    def __init__(self, name: str = "graph", parent: Builder | None = None) -> None:
        self.name = name
        self.parent = parent
        self.inputs: list[Value] = []
        self.outputs: list[Value] = []
        self.nodes: list[OnnxNode] = []
        self.names: Names = parent.names if parent else Names()
        self.constants: dict[Any, Value] = parent.constants if parent else {}
        self.origin: str = parent.origin if parent else ""
        self.device: str = parent.device if parent else ""
        self.on_cpu: bool = parent.on_cpu if parent else False  # whether only ONNX Runtime's CPU kernels will run it
        self.loop: Any = None  # the loops.Loop whose body this is

    # -- appending -----------------------------------------------------------------------------------------------

    def __getattr__(self, op_type: str) -> Callable[..., Any]:
        if not op_type[:1].isupper():
            raise AttributeError(op_type)

        def append(*inputs: Any, outputs: int = 1, domain: str = "", **attrs: Any) -> Any:
            return self.append(op_type, inputs, attrs, outputs, domain)

        return append

    def append(self, op_type: str, inputs: Sequence[Any], attrs: dict[str, Any], outputs: int = 1, domain: str = "") -> Any:
        """Append a node; its Value, or a tuple of them when `outputs` is not 1."""
        typed = inputs[1:] if op_type == "Where" else inputs
        like = next((v.dtype for v in typed if isinstance(v, Value)), None)
        values = [v if v is None or isinstance(v, Value) else self.const(v, like) for v in inputs]
        while values and values[-1] is None:
            values.pop()
        attrs = {k: v for k, v in attrs.items() if v is not None}
        if not domain:
            folded = self._simplify(op_type, values, attrs, outputs)
            if folded is not None:
                return folded
            if op_type == "Gather" and like is string and (values[0] is None or values[0].rank != 1):
                gathered = self._gather_strings(values[0], values[1], attrs.get("axis", 0))
                if gathered is not None:
                    return gathered
            if op_type.startswith("Reduce") and len(values) > 1:
                values[1] = self._counted_from_front(values[0], values[1])
            widened = wider(op_type, values, attrs)
            if widened is not None:
                return self._append_wide(op_type, values, attrs, outputs, *widened)
        return self._append(op_type, values, attrs, outputs, domain)

    def _append(self, op_type: str, values: list[Value | None], attrs: dict[str, Any], outputs: int, domain: str) -> Any:
        node = OnnxNode(op_type, values, attrs, self.names.unique(self.origin or op_type), domain, self.origin, self.device)
        types = infer(op_type, values, attrs, outputs)
        base = f"{node.name}:"
        for i, (dtype, dims) in enumerate(types):
            node.outputs.append(Value(self.names.unique(f"{base}{i}#"), dtype, dims, node=node))
        if op_type == "Identity" and values and values[0] is not None:
            node.outputs[0].is_sequence = values[0].is_sequence
        self.nodes.append(node)
        return node.outputs[0] if outputs == 1 else tuple(node.outputs)

    def _append_wide(
        self,
        op_type: str,
        values: list[Value | None],
        attrs: dict[str, Any],
        outputs: int,
        positions: list[int],
        to: DType,
        back: list[int],
    ) -> Any:
        narrow = next(v.dtype for i in positions if (v := values[i]) is not None)
        cast = [self.cast(v, to) if v is not None and i in positions else v for i, v in enumerate(values)]
        result = self._append(op_type, cast, attrs, outputs, "")
        if outputs == 1:
            return self.cast(result, narrow) if 0 in back else result
        return tuple(self.cast(r, narrow) if i in back else r for i, r in enumerate(result))

    def _counted_from_front(self, x: Value | None, axes: Value | None) -> Value | None:
        """Axes of a reduction without negative ones: of an empty tensor ONNX Runtime does not reduce those."""
        if x is None or x.rank is None or axes is None or axes.const is None or not (axes.const < 0).any():
            return axes
        return self.const(np.where(axes.const < 0, axes.const + x.rank, axes.const))

    def _gather_strings(self, x: Value | None, indices: Value | None, axis: int) -> Value | None:
        """ONNX Runtime's Gather copies one string of every row it picks; GatherND copies rows. None where Gather picks single strings."""
        if x is None or indices is None or indices.rank is None or (x.rank is None and axis != 0):
            return None
        rank, count = x.rank or 0, indices.rank
        axis = axis % rank if rank else 0
        if rank and axis == rank - 1:
            return None
        if axis:
            x = self.Transpose(x, perm=[axis, *(i for i in range(rank) if i != axis)])
        picked: Value = self.GatherND(x, self.Unsqueeze(self.cast(indices, int64), [count]))
        if axis:
            order = [*range(count, count + axis), *range(count), *range(count + axis, count + rank - 1)]
            picked = self.Transpose(picked, perm=order)
        return picked

    def _simplify(self, op_type: str, values: list[Value | None], attrs: dict[str, Any], outputs: int) -> Any:
        """The node's values without the node: folded, or a shape that is known, or an input handed on."""
        if outputs == 1:
            first = values[0] if values else None
            if op_type == "Identity":
                return first
            if first is not None and first.const is None:
                if op_type == "Cast" and first.dtype.onnx == attrs["to"]:
                    return first
                if (
                    op_type == "Shape"
                    and first.dims is not None
                    and None not in (part := first.dims[attrs.get("start", 0) : attrs.get("end")])
                ):
                    return self.const(np.array(part, np.int64))
                if op_type == "Size" and first.dims is not None and None not in first.dims:
                    return self.const(np.array(np.prod([d or 0 for d in first.dims], dtype=np.int64), np.int64))
                if op_type == "Transpose" and list(attrs.get("perm", [])) == list(range(len(attrs.get("perm", [None])))):
                    return first
                if op_type == "Reshape" and first.dims is not None and values[1] is not None and values[1].const is not None:
                    wanted = values[1].const.tolist()
                    if len(first.dims) == len(wanted) and sum(d is None for d in first.dims) <= 1:
                        if all(w == d if d is not None else w in (-1,) for w, d in zip(wanted, first.dims, strict=True)):
                            return first
        known = [v.const for v in values if v is not None and v.const is not None]
        if len(known) < len(values) or not values:
            return None
        result = fold.evaluate(op_type, known, attrs, outputs)
        if result is None:
            return None
        folded = tuple(self.const(r) for r in result)
        return folded[0] if outputs == 1 else folded

    # -- values --------------------------------------------------------------------------------------------------

    def const(self, value: Any, like: DType | None = None) -> Value:
        """A constant. A Python scalar takes the dtype `like`; a list of ints is int64, other Python values default as in numpy."""
        if isinstance(value, Value):
            return value
        if isinstance(value, bool | int | float | complex) and like is not None:
            dtype = like
            array = np.asarray(value, like.as_numpy_dtype)
        elif isinstance(value, np.ndarray | np.generic):
            array = np.asarray(value)
            dtype = as_dtype(array.dtype)
        else:
            array = np.asarray(value)
            if array.dtype.kind == "f" and array.dtype != np.float32:
                array = array.astype(np.float32)
            if array.size == 0 and isinstance(value, list | tuple):
                array = array.astype(np.int64)
            dtype = as_dtype(array.dtype)
        if dtype.is_complex:
            raise TypeError("A complex constant is built by const_complex.")
        if array.nbytes <= 256 and array.dtype.kind != "O":
            key = (array.dtype.str if array.dtype.kind != "V" else array.dtype.name, dtype.name, array.shape, array.tobytes())
            known = self.constants.get(key)
            if known is None:
                known = self.constants[key] = Value("", dtype, array.shape, const=array)
            return known
        return Value("", dtype, array.shape, const=array)

    def cast(self, value: Value, dtype: DType) -> Value:
        """The value as another dtype, by ONNX's Cast."""
        if value.dtype.base_dtype is dtype.base_dtype:
            return value
        if value.dtype.onnx == dtype.onnx:  # a quantized type is carried as its integer type
            return value
        result: Value = self.Cast(value, to=dtype.onnx)
        return result

    def input(self, name: str, dtype: DType, dims: Dims = None) -> Value:
        """Add an input to this graph."""
        value = Value(self.names.unique(name), dtype, dims)
        self.inputs.append(value)
        return value

    def subgraph(self, name: str = "") -> Builder:
        """A builder for a Loop, If or Scan body: `body.input(...)`, `body.output(v)`, then pass it as the attribute."""
        return Builder(self.names.unique(name or f"{self.origin}/body"), self)

    def output(self, value: Value, name: str | None = None) -> Value:
        """Make a value an output of this graph, under `name` if given; a copy where the value cannot carry it itself."""
        owned = value.node is not None and not value.is_output and value.const is None and any(n is value.node for n in self.nodes)
        if not owned:
            value = self._append("Identity", [value], {}, 1, "")
        value.is_output = True
        if name is not None:
            self.names.used.add(name)
            value.name = name
        self.outputs.append(value)
        return value

    def sanitize(self) -> None:
        """Drop the nodes, and the variables and outputs of loops and branches, that no output needs."""
        from graphtools.convert.liveness import sweep

        sweep(self)

    def walk(self) -> list[OnnxNode]:
        """Every node, subgraphs included."""
        found = []
        for node in self.nodes:
            found.append(node)
            for body in node.subgraphs():
                found.extend(body.walk())
        return found


__all__ = ["MICROSOFT", "Array", "Builder", "Names", "OnnxNode", "Value", "bool_", "float32", "int64", "string"]
