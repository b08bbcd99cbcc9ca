"""Graphs of library functions: what a script's Python function builds, and the tensors it takes from outside."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from graphtools import graph as base
from graphtools.dtypes import variant
from graphtools.graph import Func, Function
from runtime.tf1.graph import Graph, get_default_graph


class FunctionGraph(Graph):
    """The body of a function. A tensor from outside becomes a parameter, or is copied in with all it needs."""

    def __init__(self, outer: Graph, by_value: bool = False) -> None:
        super().__init__()
        self.outer = outer
        self.by_value = by_value
        self.seed = outer.seed
        self.functions = outer.functions
        self.inputs: list[Any] = []
        self.captured: list[Any] = []
        self._inside: dict[Any, Any] = {}
        self._devices = list(outer._devices)

    @property
    def building_function(self) -> bool:
        return True

    def parameter(self, name: str, dtype: Any, dims: Any) -> Any:
        """A new parameter of the function."""
        node = self.add_raw_node(self.unique_name(re.sub(r"[^A-Za-z0-9_.\-/]", "_", name)), "_Arg", {"T": dtype, "index": len(self.inputs)})
        node.outputs = [self.tensor_type(node, 0, dtype, dims)]
        self._added(node)
        self.inputs.append(node.outputs[0])
        return node.outputs[0]

    def create(self, op_type: str, inputs: Sequence[Any], attr: Mapping[str, Any], name: str) -> base.Node:
        own = [[self.own(t) for t in value] if isinstance(value, list | tuple) else self.own(value) for value in inputs]
        return super().create(op_type, own, attr, name)

    def own(self, tensor: Any) -> Any:
        """The tensor inside that stands for one from outside."""
        if not isinstance(tensor, base.Tensor) or tensor.node.graph is self:
            return tensor
        found = self._inside.get(tensor)
        if found is None:
            if self.by_value:
                self._copy(tensor.node)
                found = self._inside[tensor]
            else:
                scope, self.scope = self.scope, ""
                found = self.parameter(tensor.node.name.rpartition("/")[2], tensor.dtype.base_dtype, tensor.dims)
                self.scope = scope
                self._inside[tensor] = found
                self.captured.append(tensor)
        return found

    def _copy(self, node: base.Node) -> None:
        """Copy a node from outside, and what it needs. Raises ValueError for what has no value of its own: placeholders and state."""
        for each in base.topological([node]):
            if all(t in self._inside for t in each.outputs):
                continue
            if each.op in ("Placeholder", "PlaceholderV2"):
                raise ValueError(f"Cannot capture a placeholder (name:{each.name}, type:{each.op}) by value.")
            opdef = each.opdef
            if opdef is not None and opdef.is_stateful and not any(t.dtype is variant for t in each.outputs):
                raise ValueError(f"Cannot capture a stateful node (name:{each.name}, type:{each.op}) by value.")
            copy = self.add_raw_node(self.unique_name(each.name), each.op, dict(each.attr), each.device)
            copy.inputs = [self._inside[t] for t in each.inputs]
            copy.outputs = [self.tensor_type(copy, t.index, t.dtype, t.dims) for t in each.outputs]
            copy.source = each.source
            self._added(copy)
            for old, new in zip(each.outputs, copy.outputs, strict=True):
                self._inside[old] = new

    @contextlib.contextmanager
    def control_dependencies(self, control_inputs: Any) -> Iterator[None]:
        """Ops outside have run when the function is called: they need no edge."""
        if control_inputs is not None:
            control_inputs = [
                c for c in control_inputs if not isinstance(getattr(c, "graph", self), base.Graph) or getattr(c, "graph", self) is self
            ]
        with super().control_dependencies(control_inputs):
            yield

    def as_graph_element(self, obj: Any, allow_tensor: bool = True, allow_operation: bool = True) -> Any:
        convert = getattr(obj, "_as_graph_element", None)
        if convert is not None:
            obj = convert()
        if isinstance(obj, base.Tensor) and allow_tensor:
            return self.own(obj)
        return super().as_graph_element(obj, allow_tensor, allow_operation)


def build(
    name: str, function: Callable[..., Sequence[Any]], parameters: Sequence[tuple[str, Any, Any]], by_value: bool = False
) -> tuple[Func, list[Any], FunctionGraph]:
    """Make a library function of the current graph of what `function` builds of its parameters (name, dtype, dims), and returns as a list of tensors.

    Gives the function, the tensors from outside to pass after its arguments, and its graph.
    """
    outer = get_default_graph()
    body = FunctionGraph(outer, by_value)
    with body.as_default():
        arguments = [body.parameter(*p) for p in parameters]
        outputs = [body.own(t) for t in function(*arguments)]
    label = re.sub(r"[^A-Za-z0-9_.\-/]", "", name) or "function"
    full, n = f"__inference_{label}_{len(outer.functions)}", len(outer.functions)
    while full in outer.functions:
        n += 1
        full = f"__inference_{label}_{n}"
    outer.functions[full] = Function(full, body, list(body.inputs), outputs)
    return Func(full), body.captured, body
