"""Drop what no output needs: nodes, and the variables and outputs of loops and branches."""

from __future__ import annotations

from graphtools.convert.builder import Builder, OnnxNode, Value


def sweep(builder: Builder, needed: set[int] | None = None) -> None:
    """Drop the nodes of a graph that neither its outputs nor `needed` (ids of values) need, here and in subgraphs.

    The values that nodes take are added to `needed`, those that a body takes from outside included.
    """
    if needed is None:
        needed = {id(v) for v in builder.outputs}
    kept = []
    for node in reversed(builder.nodes):
        if not any(id(v) in needed for v in node.outputs):
            continue
        if node.op_type == "Loop":
            _trim_loop(node, needed)
        elif node.op_type == "If":
            _trim_if(node, needed)
        kept.append(node)
        needed.update(id(v) for v in node.inputs if v is not None)
        for body in node.subgraphs():
            needed.update(id(v) for v in body.outputs)
            sweep(body, needed)
    kept.reverse()
    builder.nodes = kept


def _trim_if(node: OnnxNode, needed: set[int]) -> None:
    keep = [i for i, v in enumerate(node.outputs) if id(v) in needed]
    if len(keep) == len(node.outputs):
        return
    node.outputs = [node.outputs[i] for i in keep]
    for branch in node.subgraphs():
        branch.outputs = [branch.outputs[i] for i in keep]


def _trim_loop(node: OnnxNode, needed: set[int]) -> None:
    """A variable is needed when it is read after the loop, or in the body for something that is needed."""
    body = node.subgraphs()[0]
    makers = {id(v): n for n in body.nodes for v in n.outputs}
    position = {id(v): i for i, v in enumerate(body.inputs)}
    live = {i for i, v in enumerate(node.outputs) if id(v) in needed}
    waiting: list[Value] = [body.outputs[0], *(body.outputs[1 + i] for i in live)]
    seen: set[int] = set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        at = position.get(id(value))
        if at is not None and at >= 2 and at - 2 not in live:
            live.add(at - 2)
            waiting.append(body.outputs[at - 1])
        maker = makers.get(id(value))
        if maker is not None:
            waiting.extend(_reads(maker))
    if len(live) == len(node.outputs):
        return
    node.outputs = [v for i, v in enumerate(node.outputs) if i in live]
    node.inputs = [*node.inputs[:2], *(v for i, v in enumerate(node.inputs[2:]) if i in live)]
    body.inputs = [*body.inputs[:2], *(v for i, v in enumerate(body.inputs[2:]) if i in live)]
    body.outputs = [body.outputs[0], *(v for i, v in enumerate(body.outputs[1:]) if i in live)]


def _reads(node: OnnxNode) -> list[Value]:
    """The values that a node takes, those that its subgraphs take included."""
    found = [v for v in node.inputs if v is not None]
    for body in node.subgraphs():
        found.extend(body.outputs)
        for inner in body.nodes:
            found.extend(_reads(inner))
    return found
