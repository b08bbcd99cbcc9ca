"""Zeros padded before a pool, kept from an optimisation of ONNX Runtime that takes them for the pool's own padding."""

from __future__ import annotations

from graphtools.convert.optimize.edit import Edit


def run(edit: Edit) -> bool:
    """Name the axes of a Pad before a pool: ONNX Runtime 1.31 then leaves it alone.

    What MaxPool itself pads is never a maximum, zeros may be; and a pool that pads as much as its window is refused.
    """
    changed = False
    for graph, node in edit.nodes():
        if node.op_type != "Pad" or node.domain or len(node.inputs) > 3 or node.attrs.get("mode", "constant") != "constant":
            continue
        rank = node.outputs[0].rank
        if rank is None or not any(r.op_type in ("AveragePool", "MaxPool") and p == 0 for r, p in edit.reads(node.outputs[0])):
            continue
        if len(node.inputs) == 2:
            edit.add_input(node, graph.const(0, node.outputs[0].dtype))
        edit.add_input(node, graph.const(list(range(rank))))
        changed = True
    return changed
