"""Give what is popped from a stack the shape of what is pushed to it, in whichever loop that is."""

from __future__ import annotations

from collections.abc import Iterator

from graphtools.graph import Dims, Graph, Node, Tensor
from graphtools.passes.frames import STACK_POP, STACK_PUSH
from graphtools.shapes.control_flow_ops import infer_again, join
from graphtools.state import STACKS, called_functions, source_variable

MAX_DEPTH = 50


def shape_pops(graph: Graph) -> None:
    """Set the shapes of pops, and infer anew the loops and branches that pop."""
    members = list(_members(graph, {}, 0))
    if not any(node.op in STACKS for node, _ in members):
        return
    pushed: dict[str, list[Dims]] = {}
    for node, bound in members:
        if node.op in STACK_PUSH and (key := source_variable(node.inputs[0], bound)) is not None:
            pushed.setdefault(key, []).append(node.inputs[1].dims)
    changed = False
    for node, bound in members:
        if node.op in STACK_POP and node.outputs and node.outputs[0].dims is None:
            key = source_variable(node.inputs[0], bound)
            dims = join(pushed.get(key, ())) if key is not None else None
            if dims is not None:
                node.outputs[0].dims = dims
                changed = True
    if changed:
        infer_again(graph)


def _members(graph: Graph, bound: dict[Tensor, str], depth: int) -> Iterator[tuple[Node, dict[Tensor, str]]]:
    """Every node of a graph and of the functions it calls, with the stacks that the parameters around it stand for."""
    for node in list(graph):
        yield node, bound
        if depth >= MAX_DEPTH:
            continue
        for function in called_functions(node):
            offset = max(len(node.inputs) - len(function.inputs), 0)
            inner = {}
            for i, parameter in enumerate(function.inputs):
                if i + offset < len(node.inputs) and (key := source_variable(node.inputs[i + offset], bound)) is not None:
                    inner[parameter] = key
            yield from _members(function.graph, inner, depth + 1)
