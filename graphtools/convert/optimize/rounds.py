"""What a loop does in each round that it can do once, or with less: weights are cut and turned before it, and the rows that rounds take one
after the other are handed to a Scan, which does not copy them.
"""

from __future__ import annotations

import numpy as np

from graphtools.convert.builder import Builder, OnnxNode, Value
from graphtools.convert.optimize.edit import Edit, ints


def run(edit: Edit) -> bool:
    changed = False
    for graph, loop in edit.nodes():
        if loop.op_type not in ("Loop", "Scan") or loop.domain:
            continue
        body: Builder = loop.attrs["body"]
        for node in list(body.nodes):
            if node.domain:
                continue
            if node.op_type in ("Gemm", "MatMul"):
                changed |= _cut_weights(edit, graph, body, node)
                changed |= _turn_weights(edit, graph, body, node)
            elif node.op_type == "Gather" and loop.op_type == "Scan":
                changed |= _hand_rows(edit, graph, body, loop, node)
    return changed


def _is_outside(edit: Edit, body: Builder, value: Value | None) -> bool:
    """Whether a value is the same in each round."""
    if value is None or value.const is not None:
        return value is not None
    if value.node is None:
        return not any(v is value for v in body.inputs)
    return edit.owner.get(id(value.node)) is not body


def _cut_weights(edit: Edit, graph: Builder, body: Builder, product: OnnxNode) -> bool:
    """Some columns of a product: the product with those columns of the weights."""
    weights, output = product.inputs[1], product.outputs[0]
    cut = edit.only_reader(output)
    if len(product.inputs) > 2 or weights is None or weights.rank != 2 or output.rank != 2 or not _is_outside(edit, body, weights):
        return False
    if cut is None or cut.op_type != "Slice" or cut.domain or edit.owner.get(id(cut)) is not body or cut.inputs[0] is not output:
        return False
    starts, ends = ints(cut.inputs[1]), ints(cut.inputs[2])
    axes = ints(cut.inputs[3]) if len(cut.inputs) > 3 else [0, 1][: len(starts or ())]
    steps = ints(cut.inputs[4]) if len(cut.inputs) > 4 else [1] * len(starts or ())
    if starts is None or ends is None or axes is None or steps is None or any(s != 1 for s in steps):
        return False
    rows = output.dims[0] if output.dims is not None else None
    bounds = {a % 2: (s, e) for s, e, a in zip(starts, ends, axes, strict=True)}
    whole = bounds.pop(0, (0, 2**62))
    if whole[0] != 0 or not (whole[1] >= 2**31 - 1 or (rows is not None and whole[1] >= rows)) or 1 not in bounds:
        return False
    axis = 0 if product.attrs.get("transB") else 1
    start, end = bounds[1]
    columns = edit.add(graph, product, "Slice", [weights, [start], [end], [axis]], {})
    edit.set_input(product, 1, columns)
    output.dims = cut.outputs[0].dims
    return edit.replace(cut.outputs[0], output)


def _turn_weights(edit: Edit, graph: Builder, body: Builder, product: OnnxNode) -> bool:
    """A product with transposed weights, which ONNX Runtime would turn anew each time; those that are constant it turns once."""
    weights = product.inputs[1]
    if product.op_type != "Gemm" or not product.attrs.get("transB") or weights is None or weights.const is not None:
        return False
    if not _is_outside(edit, body, weights):
        return False
    edit.set_input(product, 1, edit.add(graph, product, "Transpose", [weights], {"perm": [1, 0]}))
    product.attrs = {k: v for k, v in product.attrs.items() if k != "transB"}
    return True


def _hand_rows(edit: Edit, graph: Builder, body: Builder, scan: OnnxNode, gather: OnnxNode) -> bool:
    """A row of an array that moves by one each round is an input of the Scan, forwards or backwards."""
    data, index = gather.inputs
    if data is None or index is None or not data.dims or data.dims[0] is None or index.dims != () or gather.attrs.get("axis", 0) != 0:
        return False
    if not _is_outside(edit, body, data):
        return False
    moves = _moves(edit, body, scan, index)
    if moves is None or moves[1] not in (1, -1):
        return False
    start, step, rounds = moves
    first, last = (start, start + rounds - 1) if step == 1 else (start - rounds + 1, start)
    if first < 0 or last >= data.dims[0]:
        return False
    rows = data if rounds == data.dims[0] else edit.add(graph, scan, "Slice", [data, [first], [last + 1], [0]], {})
    row = Value(edit.main.names.unique(f"{gather.name}/row"), data.dtype, data.dims[1:])
    count = int(scan.attrs["num_scan_inputs"])
    directions = list(scan.attrs.get("scan_input_directions") or [0] * count)
    scan.attrs = {**scan.attrs, "num_scan_inputs": count + 1, "scan_input_directions": [*directions, 0 if step == 1 else 1]}
    if "scan_input_axes" in scan.attrs:
        scan.attrs["scan_input_axes"] = [*scan.attrs["scan_input_axes"], 0]
    edit.add_input(scan, rows)
    body.inputs.append(row)
    output = gather.outputs[0]
    if id(output) in edit.results:
        for position in (1, 0):
            edit.set_input(gather, position, None)
        gather.op_type, gather.attrs, gather.inputs = "Identity", {}, []
        edit.add_input(gather, row)
    for reader, position in list(edit.reads(output)):
        edit.set_input(reader, position, row)
    return True


def _moves(edit: Edit, body: Builder, scan: OnnxNode, value: Value) -> tuple[int, int, int] | None:
    """(first value, step, number of rounds) of an integer that moves by the same step each round."""
    if value.const is not None:
        return (int(value.const), 0, 0) if value.const.ndim == 0 else None
    states = len(scan.inputs) - int(scan.attrs["num_scan_inputs"])
    for position, parameter in enumerate(body.inputs):
        if parameter is value:
            given = scan.inputs[position].const if position >= states and scan.inputs[position] is not None else None  # type: ignore[union-attr]
            directions = scan.attrs.get("scan_input_directions") or [0] * (position + 1)
            if given is None or given.ndim != 1 or len(given) < 2 or given.dtype.kind != "i" or directions[position - states]:
                return None
            steps = np.unique(np.diff(given))
            return (int(given[0]), int(steps[0]), len(given)) if len(steps) == 1 else None
    node = value.node
    if node is None or node.domain or edit.owner.get(id(node)) is not body or not value.dtype.is_integer:
        return None
    parts = [None if v is None else _moves(edit, body, scan, v) for v in node.inputs]
    if node.op_type in ("Cast", "Identity") and parts[0] is not None:
        return parts[0]
    if node.op_type not in ("Add", "Sub") or parts[0] is None or parts[1] is None:
        return None
    sign = 1 if node.op_type == "Add" else -1
    return parts[0][0] + sign * parts[1][0], parts[0][1] + sign * parts[1][1], max(parts[0][2], parts[1][2])
