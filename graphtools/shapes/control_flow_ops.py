"""Static shapes of control flow: what a Merge joins, and what functions give for the shapes they are called with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextvars import ContextVar

from graphtools.graph import Dims, Func, Function, Graph, Node, topological
from graphtools.shapes import infer, infer_graph, load, shape

# Functions that call functions are followed this deep: each call is inferred anew, which doubles with each level.
MAX_DEPTH = 6
_DEPTH: ContextVar[int] = ContextVar("depth", default=0)


def join(shapes: Iterable[Dims]) -> Dims:
    """The shape that covers all of these."""
    result: Dims = None
    for i, dims in enumerate(shapes):
        if dims is None or (i and (result is None or len(result) != len(dims))):
            return None
        result = dims if not i else tuple(a if a == b else None for a, b in zip(result or (), dims, strict=True))
    return result


@shape("Enter", "RefEnter", "Exit", "RefExit", "NextIteration", "RefNextIteration", "LoopCond")
def handed_on(node: Node) -> Sequence[Dims]:
    return [node.inputs[0].dims]


@shape("Switch", "RefSwitch", "_SwitchN")
def switch(node: Node) -> Sequence[Dims]:
    return [node.inputs[0].dims] * len(node.outputs)


@shape("Merge", "RefMerge")
def merge(node: Node) -> Sequence[Dims]:
    return [join(t.dims for t in node.inputs), ()]


def infer_function(function: Function, dims: Sequence[Dims]) -> list[Dims]:
    """The shapes of a function's outputs when its parameters have these shapes; sets those of its whole body."""
    depth = _DEPTH.get()
    if depth >= MAX_DEPTH:
        return [t.dims for t in function.outputs]
    token = _DEPTH.set(depth + 1)
    try:
        return _infer_function(function, dims)
    finally:
        _DEPTH.reset(token)


def _infer_function(function: Function, dims: Sequence[Dims]) -> list[Dims]:
    shapes = load()
    for parameter, known in zip(function.inputs, dims, strict=False):
        parameter.dims = known
    for node in topological([*(t.node for t in function.outputs), *function.control_outputs, *function.graph.nodes.values()]):
        if node.op == "_Arg" or node.op not in shapes:
            continue
        for tensor in node.outputs:
            tensor.dims = None
        try:
            infer(node)
        except (ValueError, KeyError, TypeError, IndexError, ArithmeticError):
            continue  # conversion will say what is wrong, if anything
    return [t.dims for t in function.outputs]


def infer_loop(cond: Function | None, body: Function, dims: Sequence[Dims], invariants: Sequence[Dims] = ()) -> list[Dims]:
    """The shapes that the variables of a loop keep in every round: those they start with, made vaguer until the body agrees."""
    current = [
        tuple(i) if i is not None and s is not None and len(i) == len(s) else s for s, i in zip(dims, invariants, strict=False)
    ] or list(dims)
    for _ in range(8 if _DEPTH.get() < 2 else 2):
        after = infer_function(body, current)
        joined = [join(pair) for pair in zip(current, after, strict=True)]
        if joined == current:
            break
        current = joined
    else:
        current = [None] * len(current)
        infer_function(body, current)
    if cond is not None:
        infer_function(cond, current)
    return current


def callee(node: Node, attr: str) -> Function | None:
    func = node.attr.get(attr)
    return node.graph.functions.get(func.name) if isinstance(func, Func) else None


@shape("While", "StatelessWhile")
def while_loop(node: Node) -> Sequence[Dims]:
    body = callee(node, "body")
    if body is None or len(body.outputs) != len(node.inputs) or len(body.inputs) != len(node.inputs):
        return [None] * len(node.outputs)
    return infer_loop(callee(node, "cond"), body, [t.dims for t in node.inputs])


@shape("If", "StatelessIf")
def if_(node: Node) -> Sequence[Dims]:
    branches = [callee(node, "then_branch"), callee(node, "else_branch")]
    return _branches(node, branches)


@shape("Case", "StatelessCase")
def case(node: Node) -> Sequence[Dims]:
    library = node.graph.functions
    return _branches(node, [library.get(f.name) for f in node.attr["branches"]])


def _branches(node: Node, branches: Sequence[Function | None]) -> Sequence[Dims]:
    results = []
    for branch in branches:
        if branch is None or len(branch.outputs) != len(node.outputs) or len(branch.inputs) != len(node.inputs) - 1:
            return [None] * len(node.outputs)
        results.append(infer_function(branch, [t.dims for t in node.inputs[1:]]))
    return [join(column) for column in zip(*results, strict=True)]


@shape("PartitionedCall", "StatefulPartitionedCall")
def call(node: Node) -> Sequence[Dims]:
    function = callee(node, "f")
    if function is None or len(function.outputs) != len(node.outputs) or len(function.inputs) != len(node.inputs):
        return [None] * len(node.outputs)
    return infer_function(function, [t.dims for t in node.inputs])


def infer_again(graph: Graph) -> None:
    """Infer a graph's shapes once more, when more is known; what was known before, as a script may have said it, stays."""
    before = [(t, t.dims) for node in graph for t in node.outputs]
    infer_graph(graph)
    for tensor, dims in before:
        if tensor.dims is None:
            tensor.dims = dims
        elif dims is not None and len(dims) == len(tensor.dims):
            tensor.dims = tuple(b if a is None else a for a, b in zip(tensor.dims, dims, strict=True))
