"""Gradients of segment reductions."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import bool_, int32
from graphtools.gradients import gradient
from graphtools.gradients.walk import Emit
from graphtools.graph import Node, Tensor


@gradient("SegmentSum")
def segment_sum(g: Emit, node: Node, dy: Any) -> Any:
    return g.gather(dy, node.inputs[1]), None


@gradient("SegmentMean")
def segment_mean(g: Emit, node: Node, dy: Any) -> Any:
    x, ids = node.inputs
    rank = g.rank(x)
    lengths = g.shape(ids)
    ones = g.apply("Fill", g.apply("ExpandDims", g.apply("Sub", rank, 1, name="sub"), 0), 1)
    filled = g.op("Fill", g.apply("ConcatV2", [lengths, ones], 0, name="concat"), g.const(1, dy.dtype.base_dtype))
    scaled = g.op("RealDiv", dy, g.op("SegmentSum", filled, ids), name="truediv")
    return g.gather(scaled, ids), None


@gradient("SegmentMax", "SegmentMin")
def segment_extreme(g: Emit, node: Node, dy: Any) -> Any:
    """The gradient, shared by all of a segment that are its extreme."""
    x, ids = node.inputs
    zeros = g.zeros_like(x)
    chosen = g.op("Equal", x, g.gather(node.outputs[0], ids))
    count = g.op("SegmentSum", g.op("Cast", chosen, DstT=dy.dtype.base_dtype), ids)
    rows = g.gather(g.op("RealDiv", dy, count, name="truediv"), ids)
    return g.op("Select", chosen, rows, zeros), None


def _without_negatives(g: Emit, node: Node, rows_of: Tensor, ids: Tensor, known: tuple[Tensor, Tensor] | None = None) -> Any:
    """(rows with zeros for negative ids, the ids clipped at zero, where they are positive): rows of negative ids went nowhere."""
    clipped = known[0] if known is not None else g.op("Maximum", ids, g.zeros_like(ids))
    rows = g.gather(rows_of, clipped)
    if known is not None:
        positive = known[1]
    else:
        positive = _positive(g, node, rows, ids)
    return g.op("Select", positive, rows, g.zeros_like(rows)), clipped, positive


def _positive(g: Emit, node: Node, rows: Tensor, ids: Tensor) -> Tensor:
    positive = g.apply("GreaterEqual", ids, 0)
    if rows.rank is None or ids.rank is None:
        raise LookupError(f"The gradient of {node.name!r} ({node.op}) needs inputs of known rank.")
    for _ in range(rows.rank - ids.rank):
        positive = g.apply("ExpandDims", positive, -1)
    result: Tensor = g.op("LogicalAnd", positive, g.ones_like(rows, bool_), name="and")
    return result


@gradient("UnsortedSegmentSum")
def unsorted_segment_sum(g: Emit, node: Node, dy: Any) -> Any:
    return _without_negatives(g, node, dy, node.inputs[1])[0], None, None


@gradient("UnsortedSegmentMax", "UnsortedSegmentMin")
def unsorted_segment_extreme(g: Emit, node: Node, dy: Any) -> Any:
    x, ids, count = node.inputs
    outputs, clipped, positive = _without_negatives(g, node, node.outputs[0], ids)
    chosen = g.op("LogicalAnd", g.op("Equal", x, outputs), positive)
    number = g.op("UnsortedSegmentSum", g.op("Cast", chosen, DstT=dy.dtype.base_dtype), ids, count)
    rows, _, _ = _without_negatives(g, node, g.op("RealDiv", dy, number, name="truediv"), ids, (clipped, positive))
    return g.op("Select", chosen, rows, g.zeros_like(rows)), None, None


@gradient("UnsortedSegmentProd")
def unsorted_segment_prod(g: Emit, node: Node, dy: Any) -> Any:
    """The product of all others of a segment: divided by each element, or, where that is the only zero, multiplied without it."""
    x, ids, count = node.inputs
    is_zero = g.apply("Equal", x, 0)
    zeros = g.op("UnsortedSegmentSum", g.op("Cast", is_zero, DstT=int32), ids, count)
    many = g.apply("Greater", zeros, 1)
    dy = g.op("Select", many, g.zeros_like(dy), dy)
    others = g.op("UnsortedSegmentProd", g.op("Select", is_zero, g.ones_like(x), x), ids, count)
    clipped = g.op("Maximum", ids, g.zeros_like(ids))
    product, without = g.gather(node.outputs[0], clipped), g.gather(others, clipped)
    partial = g.op("Select", is_zero, without, g.op("RealDiv", product, x, name="truediv"))
    rows = g.gather(dy, clipped)
    rows = g.op("Select", _positive(g, node, rows, ids), rows, g.zeros_like(rows))
    return g.op("Mul", rows, partial, name="mul"), None, None


def _sparse_segment(kind: str) -> Any:
    def function(g: Emit, node: Node, dy: Any) -> Any:
        x, indices, ids = node.inputs[:3]
        rows = g.item(g.shape(x), 0)
        rest = [None] * (len(node.inputs) - 1)
        if kind == "Sum":
            return [g.op("UnsortedSegmentSum", g.gather(dy, ids), indices, rows), *rest]
        return [g.op(f"SparseSegment{kind}Grad", dy, indices, ids, rows), *rest]

    return function


for _kind in ("Sum", "Mean", "SqrtN"):
    gradient(f"SparseSegment{_kind}", f"SparseSegment{_kind}WithNumSegments")(_sparse_segment(_kind))
