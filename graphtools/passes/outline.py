"""Move nodes of a graph into a function of its library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graphtools.dtypes import DType
from graphtools.errors import ConversionError
from graphtools.graph import Dims, Function, Graph, Node, Tensor


@dataclass(slots=True)
class Parameter:
    """A parameter of the function to be: every tensor of the old graph that it stands for."""

    name: str
    dtype: DType
    dims: Dims
    tensors: list[Tensor] = field(default_factory=list)


@dataclass(slots=True)
class Outlined:
    """The new function, where nodes and tensors went, and what was left behind: control inputs of members on other nodes."""

    function: Function
    copies: dict[Node, Node]
    tensors: dict[Tensor, Tensor]
    outside: list[Node]


def outline(
    graph: Graph,
    name: str,
    nodes: Iterable[Node],
    parameters: Sequence[Parameter],
    results: Sequence[Tensor],
    *,
    constants: Mapping[Tensor, object] | None = None,
    effects: Iterable[Node] = (),
    dropped: Iterable[Node] = (),
) -> Outlined:
    """Copy `nodes` into a function called `name` (numbered where taken) of the graph's library.

    `results` are its outputs, each the output of a member or a tensor that a parameter or constant stands for. Control
    inputs on `dropped` nodes are forgotten. The nodes stay in the graph.
    """
    body = Graph(graph.producer)
    body.functions = graph.functions
    mapped: dict[Tensor, Tensor] = {}
    members = list(nodes)
    taken = {node.name for node in members}
    inputs = []
    for i, parameter in enumerate(parameters):
        unique, n = parameter.name, 0
        while unique in taken or unique in body.nodes:
            n += 1
            unique = f"{parameter.name}_{n}"
        arg = body.add_raw_node(unique, "_Arg", {"T": parameter.dtype, "index": i})
        arg.outputs = [body.tensor_type(arg, 0, parameter.dtype, parameter.dims)]
        inputs.append(arg.outputs[0])
        for tensor in parameter.tensors:
            mapped[tensor] = arg.outputs[0]
    for tensor, value in (constants or {}).items():
        unique, n = f"{tensor.node.name}/value", 0
        while unique in taken or unique in body.nodes:
            n += 1
            unique = f"{tensor.node.name}/value_{n}"
        mapped[tensor] = body.add_node("Const", [], {"dtype": tensor.dtype.base_dtype, "value": value}, name=unique).outputs[0]
    copies: dict[Node, Node] = {}
    for old in members:
        node = body.add_raw_node(old.name, old.op, dict(old.attr), old.device)
        node.source = old.source
        copies[old] = node
        for output in old.outputs:
            copy = body.tensor_type(node, output.index, output.dtype, output.dims)
            node.outputs.append(copy)
            mapped.setdefault(output, copy)
    outside: dict[Node, None] = {}
    gone = set(dropped)
    for old in members:
        node = copies[old]
        node.inputs = [_mapped(t, mapped, old) for t in old.inputs]
        for control in old.control_inputs:
            if control in copies:
                node.control_inputs.append(copies[control])
            elif control not in gone:
                outside[control] = None
    function = Function(unique_function(graph, name), body, inputs, [_mapped(t, mapped, None) for t in results])
    function.control_outputs = [copies[e] for e in effects if e in copies]
    graph.functions[function.name] = function
    return Outlined(function, copies, mapped, list(outside))


def _mapped(tensor: Tensor, mapped: Mapping[Tensor, Tensor], reader: Node | None) -> Tensor:
    found = mapped.get(tensor)
    if found is None:
        where = "a loop or branch gives" if reader is None else f"Node {reader.name!r} ({reader.op}) in a loop or branch reads"
        raise ConversionError(f"{where} {tensor.name!r}, which does not enter it: its control flow is not whole.")
    return found


def free_name(graph: Graph, name: str) -> str:
    """`name`, numbered where the graph has a node of that name."""
    unique, n = name, 0
    while unique in graph.nodes:
        n += 1
        unique = f"{name}_{n}"
    return unique


def unique_function(graph: Graph, name: str) -> str:
    """`name`, numbered where the library or the ops have one of that name."""
    unique, n = name, 0
    while unique in graph.functions:
        n += 1
        unique = f"{name}_{n}"
    return unique


def is_stateful(function: Function) -> bool:
    """Whether calling a function twice may differ from calling it once."""
    from graphtools.state import called_functions

    for node in function.graph:
        if node.op == "_Arg":
            continue
        opdef = node.opdef
        if opdef is not None and opdef.is_stateful and not node.op.startswith(("If", "While", "Case")):
            return True
        if any(is_stateful(f) for f in called_functions(node) if f is not function):
            return True
    return False
