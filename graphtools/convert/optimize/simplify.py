"""Nodes that change nothing, and pairs that are one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from graphtools.convert.builder import Builder, OnnxNode, Value
from graphtools.convert.optimize.edit import Edit, ints
from graphtools.convert.optimize.sizes import is_of_shape

Simplify = Callable[[Edit, Builder, OnnxNode], bool]


def run(edit: Edit) -> bool:
    changed = False
    for graph, node in edit.nodes():
        function = SIMPLIFY.get(node.op_type)
        if function is None or node.domain or not node.outputs:
            continue
        if not any(edit.reads(v) or id(v) in edit.results for v in node.outputs):
            continue
        changed |= function(edit, graph, node)
    return changed


def _hand_on(edit: Edit, node: OnnxNode) -> bool:
    """Let the readers of a node read its first input."""
    source = node.inputs[0]
    return source is not None and edit.replace(node.outputs[0], source)


def _same_shape(node: OnnxNode) -> bool:
    """Whether the first input and the output have the same static shape, one size at most being unknown."""
    source = node.inputs[0]
    out = node.outputs[0].dims
    return source is not None and source.dims is not None and source.dims == out and None not in out


def _identity(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    return _hand_on(edit, node)


def _single(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    return len(node.inputs) == 1 and _hand_on(edit, node)


def _concat(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    """Of one alone; what is joined along the same axis and read only here is joined at once."""
    if len(node.inputs) == 1:
        return _hand_on(edit, node)
    rank, axis = node.outputs[0].rank, int(node.attrs["axis"])
    parts: list[Value | None] = []
    for value in node.inputs:
        inner = value.node if value is not None else None
        if value is None or inner is None or inner.op_type != "Concat" or inner.domain or edit.owner.get(id(inner)) is not graph:
            parts.append(value)
            continue
        same = int(inner.attrs["axis"]) == axis or (rank is not None and int(inner.attrs["axis"]) % rank == axis % rank)
        parts.extend(inner.inputs if same and edit.only_reader(value) is node else [value])
    if len(parts) == len(node.inputs):
        return False
    for i in range(len(node.inputs)):
        edit.set_input(node, i, None)
    node.inputs.clear()
    for part in parts:
        if part is not None:
            edit.add_input(node, part)
    return True


def _expand(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    return _same_shape(node) and _hand_on(edit, node)


def _tile(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    repeats = ints(node.inputs[1])
    return repeats is not None and all(r == 1 for r in repeats) and _hand_on(edit, node)


def _pad(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    pads = ints(node.inputs[1])
    return pads is not None and not any(pads) and _hand_on(edit, node)


def _slice(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    source = node.inputs[0]
    starts, ends = ints(node.inputs[1]), ints(node.inputs[2])
    steps = ints(node.inputs[4]) if len(node.inputs) > 4 else None
    axes = ints(node.inputs[3]) if len(node.inputs) > 3 else list(range(len(starts or ())))
    if source is None or source.dims is None or starts is None or ends is None or axes is None or (len(node.inputs) > 4 and steps is None):
        return False
    if steps is not None and any(s != 1 for s in steps):
        return False
    for start, end, axis in zip(starts, ends, axes, strict=True):
        size = source.dims[axis]
        if start != 0 or not (end >= 2**31 - 1 or (size is not None and end >= size)):
            return False
    return _hand_on(edit, node)


def _neutral(value: float) -> Simplify:
    """An operand that changes nothing: 1 of a product, 0 of a difference."""

    def simplify(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
        out = node.outputs[0]
        for position in (1, 0) if node.op_type == "Mul" else (1,):
            constant, other = node.inputs[position], node.inputs[1 - position]
            if constant is None or other is None or constant.const is None or other.rank is None or out.rank != other.rank:
                continue
            if constant.const.size == 1 and constant.const.dtype.kind in "fiu" and constant.const.ravel()[0] == value:
                return edit.replace(out, other)
        return False

    return simplify


def _add(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    """Zero added to integers, or to random numbers, which are not -0."""
    for position in (0, 1):
        constant, other = node.inputs[position], node.inputs[1 - position]
        if constant is None or other is None or constant.const is None or constant.const.size != 1 or other.rank is None:
            continue
        drawn = other.node is not None and other.node.op_type in ("RandomUniform", "RandomUniformLike")
        if (other.dtype.is_integer or drawn) and constant.const.ravel()[0] == 0 and node.outputs[0].rank == other.rank:
            return edit.replace(node.outputs[0], other)
    return False


def _reshape(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    """A Reshape of a Reshape; a Reshape to the shape that is there."""
    source, shape = node.inputs[0], ints(node.inputs[1])
    if source is None or shape is None:
        return False
    merged = False
    maker = source.node
    if maker is not None and not maker.domain and maker.op_type in ("Reshape", "Squeeze", "Unsqueeze") and maker.inputs[0] is not None:
        if (0 not in shape or node.attrs.get("allowzero")) and edit.only_reader(source) is node:
            source = maker.inputs[0]
            edit.set_input(node, 0, source)
            merged = True
    if source.dims is not None and len(source.dims) == len(shape) and sum(d is None for d in source.dims) <= 1:
        if all(s == d if d is not None else s == -1 for s, d in zip(shape, source.dims, strict=True)):
            return _hand_on(edit, node) or merged
    return merged


def _undo(other: str) -> Simplify:
    """Squeeze after Unsqueeze of the same axes, or the reverse."""

    def simplify(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
        source = node.inputs[0]
        maker = source.node if source is not None else None
        if maker is None or maker.op_type != other or maker.domain or len(node.inputs) < 2 or len(maker.inputs) < 2:
            return False
        inner, outer = (maker.inputs[0], node.outputs[0])
        axes, before = ints(node.inputs[1]), ints(maker.inputs[1])
        wide = source.rank if other == "Unsqueeze" else outer.rank  # type: ignore[union-attr]
        if axes is None or before is None or inner is None or wide is None:
            return False
        if sorted(a % wide for a in axes) != sorted(a % wide for a in before):
            return False
        return edit.replace(outer, inner)

    return simplify


def _not(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    source = node.inputs[0]
    maker = source.node if source is not None else None
    if maker is None or maker.op_type != "Not" or maker.inputs[0] is None:
        return False
    return edit.replace(node.outputs[0], maker.inputs[0])


def _cast(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    """To the dtype that is there; after a widening one, from what was widened."""
    source = node.inputs[0]
    if source is None:
        return False
    if source.dtype.onnx == node.attrs["to"]:
        return _hand_on(edit, node)
    maker = source.node
    if maker is None or maker.op_type != "Cast" or maker.inputs[0] is None:
        return False
    narrow = maker.inputs[0]
    if not _widens(narrow, source) and not (source.dtype.is_integer and (is_of_shape(narrow) or _is_round(graph, narrow))):
        return False
    if narrow.dtype.onnx == node.attrs["to"]:
        return edit.replace(node.outputs[0], narrow)
    edit.set_input(node, 0, narrow)
    return True


def _is_round(graph: Builder | None, value: Value) -> bool:
    """Whether a value is the number of a loop's round, which TensorFlow counts in any integer."""
    while graph is not None and value.node is None:
        if graph.loop is not None and graph.loop.round is value:
            return True
        graph = graph.parent
    return False


def _widens(narrow: Value, wide: Value) -> bool:
    """Whether every value of one dtype is one of the other."""
    a, b = np.dtype(narrow.dtype.as_numpy_dtype), np.dtype(wide.dtype.as_numpy_dtype)
    return a.kind in "iuf" and b.kind in "iuf" and a != b and np.can_cast(a, b, "safe")


SIMPLIFY: dict[str, Simplify] = {
    "Add": _add,
    "Cast": _cast,
    "Concat": _concat,
    "Div": _neutral(1),
    "Expand": _expand,
    "Identity": _identity,
    "Max": _single,
    "Min": _single,
    "Mul": _neutral(1),
    "Not": _not,
    "Pad": _pad,
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _undo("Unsqueeze"),
    "Sub": _neutral(0),
    "Sum": _single,
    "Tile": _tile,
    "Unsqueeze": _undo("Squeeze"),
}
