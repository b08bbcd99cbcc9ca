"""Assertions that need no look at run time: what planning proves is dropped, what a loop does not change is checked before it.

An assertion inside a loop runs on the host, and the loop's every round with it, so each one settled here can make the
difference between a loop that ONNX Runtime runs and one that Python runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from graphtools.constant import constant
from graphtools.graph import Function, Graph, Node, Tensor
from graphtools.state import VARIABLES, called_functions, calls_functions

LOOPS = frozenset({"While", "StatelessWhile"})


def settle(graph: Graph, shared: Collection[str]) -> None:
    """Drop or move assertions of a graph and of the functions it alone has; those named in `shared` are left as they are."""
    _settle(graph, shared, set())


def _settle(graph: Graph, shared: Collection[str], done: set[str]) -> None:
    for node in list(graph):
        for function in called_functions(node):
            if function.name not in shared and function.name not in done:
                done.add(function.name)
                _settle(function.graph, shared, done)
        if node.op in LOOPS:
            body = node.graph.functions.get(node.attr["body"].name)
            if body is not None and body.name not in shared:
                _hoist(node, body)
    for node in graph:
        if node.op == "Assert" and _always_true(node.inputs[0]):
            _drop(node)


def _always_true(condition: Tensor) -> bool:
    value = constant(condition)
    return value is not None and bool(value.all())


def _drop(node: Node) -> None:
    node.op, node.inputs, node.attr = "NoOp", [], {}


def _hoist(loop: Node, body: Function) -> None:
    """Move the assertions of a loop's body that depend only on what all rounds share in front of the loop."""
    given = {
        t: outer
        for t, result, outer in zip(body.inputs, body.outputs, loop.inputs, strict=True)
        if _unchanged(result) is t and not t.dtype.is_ref
    }
    for node in list(body.graph):
        if node.op != "Assert":
            continue
        needed = list(_closure(node.inputs, given))
        if any(n.op == "_Arg" or (n.opdef is None or n.opdef.is_stateful) or n.op in VARIABLES or _calls(n) for n in needed):
            continue
        copies: dict[Tensor, Tensor] = dict(given)
        for n in needed:
            copy = loop.graph.add_raw_node(loop.graph.unique_name(f"{loop.name}/{n.name}"), n.op, dict(n.attr), n.device)
            copy.source = n.source
            known = [constant(t) for t in n.outputs] if n.op != "Const" else []
            if len(known) == 1 and known[0] is not None:
                copy.op, copy.attr = "Const", {"dtype": n.outputs[0].dtype, "value": known[0]}
            else:
                copy.inputs = [copies[t] for t in n.inputs]
            for t in n.outputs:
                copy.outputs.append(loop.graph.tensor_type(copy, t.index, t.dtype, t.dims))
                copies[t] = copy.outputs[-1]
        moved = loop.graph.add_raw_node(loop.graph.unique_name(node.name), "Assert", dict(node.attr), node.device)
        moved.source = node.source
        moved.inputs = [copies[t] for t in node.inputs]
        loop.control_inputs = [*loop.control_inputs, moved]
        _drop(node)


def _calls(node: Node) -> bool:
    return calls_functions(node)


def _unchanged(tensor: Tensor) -> Tensor:
    while tensor.node.op == "Identity":
        tensor = tensor.node.inputs[0]
    return tensor


def _closure(tensors: list[Tensor], given: dict[Tensor, Tensor]) -> Iterator[Node]:
    """The nodes that tensors are computed by, in order, as far as the values are neither given nor known."""
    seen: set[Node] = set()
    stack: list[tuple[Node, bool]] = [(t.node, False) for t in reversed(tensors) if t not in given]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            if not (len(node.outputs) == 1 and constant(node.outputs[0]) is not None):
                stack.extend((t.node, False) for t in node.inputs if t not in given)
