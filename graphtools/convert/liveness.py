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
        if node.op_type in ("Loop", "Scan"):
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
    scanned = node.attrs.get("num_scan_inputs", 0)
    taken, given = (0, 0) if scanned else (2, 1)  # what comes before the variables: a Loop's round and condition, its condition again
    carried = len(body.inputs) - taken - scanned
    makers = {id(v): n for n in body.nodes for v in n.outputs}
    position = {id(v): i for i, v in enumerate(body.inputs)}
    live = {i for i, v in enumerate(node.outputs) if id(v) in needed}
    waiting: list[Value] = [*body.outputs[:given], *(body.outputs[given + i] for i in live)]
    seen: set[int] = set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        at = position.get(id(value))
        if at is not None and 0 <= at - taken < carried and at - taken not in live:
            live.add(at - taken)
            waiting.append(body.outputs[at - taken + given])
        maker = makers.get(id(value))
        if maker is not None:
            waiting.extend(_reads(maker))
    if len(live) == len(node.outputs):
        return
    directions = node.attrs.get("scan_output_directions")
    if directions is not None:
        node.attrs["scan_output_directions"] = [d for i, d in enumerate(directions, carried) if i in live]
    node.outputs = [v for i, v in enumerate(node.outputs) if i in live]
    node.inputs = [v for i, v in enumerate(node.inputs) if not 0 <= i - taken < carried or i - taken in live]
    body.inputs = [v for i, v in enumerate(body.inputs) if not 0 <= i - taken < carried or i - taken in live]
    body.outputs = [v for i, v in enumerate(body.outputs) if i < given or i - given in live]


def _reads(node: OnnxNode) -> list[Value]:
    """The values that a node takes, those that its subgraphs take included."""
    found = [v for v in node.inputs if v is not None]
    for body in node.subgraphs():
        found.extend(body.outputs)
        for inner in body.nodes:
            found.extend(_reads(inner))
    return found
