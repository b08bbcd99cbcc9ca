"""Reductions by segment ids, of dense rows and of gathered ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.array_ops import BIGGEST
from graphtools.convert.complex_numbers import by_parts, zeros_like
from graphtools.convert.reduce_ops import highest, lowest
from graphtools.convert.slicing_ops import scatter_rows
from graphtools.dtypes import DType, int64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

KINDS = {"Sum": "add", "Prod": "mul", "Max": "max", "Min": "min", "Mean": "mean", "SqrtN": "sqrtn"}


def _start(kind: str, dtype: DType) -> Any:
    """What a segment without rows holds before anything is combined into it."""
    if kind == "max":
        return dtype.min if not dtype.is_floating else lowest(dtype)
    if kind == "min":
        return dtype.max if not dtype.is_floating else highest(dtype)
    return 1 if kind == "mul" else 0


def segmented(op: Builder, rows: Value, ids: Value, count: Value, kind: str) -> Value:
    """Rows [n, k] combined into [count, k] by int64 ids [n]; `count` is a vector of one."""
    dtype = rows.dtype
    columns = op.Shape(rows, start=1, end=2)
    base_shape = op.Concat(count, columns, axis=0)
    base = op.ConstantOfShape(base_shape, value=np.array([_start(kind, dtype)], dtype.as_numpy_dtype))
    total = scatter_rows(op, base, ids, rows, "add" if kind in ("mean", "sqrtn") else kind)
    if kind in ("mean", "sqrtn"):
        sizes = op.cast(op.Max(sizes_of(op, ids, count), np.int64(1)), dtype)
        total = op.Div(total, op.Unsqueeze(op.Sqrt(sizes) if kind == "sqrtn" else sizes, [1]))
    return total


def sizes_of(op: Builder, ids: Value, count: Value) -> Value:
    """How many rows each segment has."""
    zeros = op.ConstantOfShape(count, value=np.zeros(1, np.int64))
    result: Value = op.ScatterElements(zeros, ids, zeros_like(op, ids, 1), axis=0, reduction="add")
    return result


def as_rows(op: Builder, data: Value, count: Value, skip: int) -> tuple[Value, Value]:
    """Data with its first `skip` axes as one and the others as one, and the shape of the others."""
    rest = op.Shape(data, start=skip)
    columns = op.ReduceProd(rest, keepdims=1)
    rows = op.Reshape(data, op.Concat(count, columns, axis=0), allowzero=1)
    return rows, rest


def last_plus_one(op: Builder, ids: Value) -> Value:
    """The number of segments that sorted ids name: 0 for none."""
    padded = op.Concat([-1], ids, axis=0)
    result: Value = op.Add(op.Slice(padded, [-1], [BIGGEST]), np.int64(1))
    return result


@converts("SegmentMax", "SegmentMean", "SegmentMin", "SegmentProd", "SegmentSum")
@by_parts
def segment(op: Builder, node: NodeView) -> Any:
    """Ids are sorted; the result has a row up to the last id. Rows of ids that are missing are 0, of a product 1."""
    data, ids = node.inputs[0], op.cast(node.inputs[1], int64)
    kind = KINDS[node.op.removeprefix("Segment")]
    rows, rest = as_rows(op, data, op.Shape(ids), 1)
    count = last_plus_one(op, ids)
    total = segmented(op, rows, ids, count, kind)
    if kind in ("max", "min"):
        missing = op.Unsqueeze(op.Equal(sizes_of(op, ids, count), np.int64(0)), [1])
        total = op.Where(missing, op.const(0, data.dtype), total)
    return op.Reshape(total, op.Concat(count, rest, axis=0), allowzero=1)


@converts("UnsortedSegmentMax", "UnsortedSegmentMin", "UnsortedSegmentProd", "UnsortedSegmentSum")
@by_parts
def unsorted_segment(op: Builder, node: NodeView) -> Any:
    """Rows with a negative id are dropped: they go to a row past the end, which is cut off."""
    data, ids = node.inputs[0], op.cast(node.inputs[1], int64)
    count = op.Reshape(op.cast(node.inputs[2], int64), [1])
    if ids.rank is None:
        raise node.fail("the rank of the segment ids must be known.")
    kind = KINDS[node.op.removeprefix("UnsortedSegment")]
    flat = op.Reshape(ids, [-1])
    rows, rest = as_rows(op, data, op.Reshape(op.Size(ids), [1]), ids.rank)
    negative = ids.const is None or bool((ids.const < 0).any())
    bins = op.Add(count, np.int64(1)) if negative else count
    if negative:
        flat = op.Where(op.Less(flat, np.int64(0)), count, flat)
    if kind in ("max", "min") and data.dtype.is_floating:
        # TensorFlow starts from the most extreme finite number, which is what an empty segment keeps.
        total = _extreme(op, rows, flat, bins, kind)
    else:
        total = segmented(op, rows, flat, bins, kind)
    if negative:
        total = op.Slice(total, [0], count, [0])
    return op.Reshape(total, op.Concat(count, rest, axis=0), allowzero=1)


def _extreme(op: Builder, rows: Value, ids: Value, count: Value, kind: str) -> Value:
    limit = rows.dtype.min if kind == "max" else rows.dtype.max
    shape = op.Concat(count, op.Shape(rows, start=1, end=2), axis=0)
    base = op.ConstantOfShape(shape, value=np.array([limit], rows.dtype.as_numpy_dtype))
    return scatter_rows(op, base, ids, rows, kind)


@converts(
    "SparseSegmentMean", "SparseSegmentMeanWithNumSegments", "SparseSegmentSqrtN", "SparseSegmentSqrtNWithNumSegments", "SparseSegmentSum",
    "SparseSegmentSumWithNumSegments",
)  # fmt: skip
def sparse_segment(op: Builder, node: NodeView) -> Any:
    """The rows of data at some indices, combined by sorted ids; segments without rows are 0."""
    data, indices, ids = node.inputs[0], op.cast(node.inputs[1], int64), op.cast(node.inputs[2], int64)
    name = node.op.removeprefix("SparseSegment")
    kind = KINDS[name.removesuffix("WithNumSegments")]
    count = op.Reshape(op.cast(node.inputs[3], int64), [1]) if name.endswith("WithNumSegments") else last_plus_one(op, ids)
    picked = op.Gather(data, indices, axis=0)
    rows, rest = as_rows(op, picked, op.Shape(indices), 1)
    total = segmented(op, rows, ids, count, kind)
    return op.Reshape(total, op.Concat(count, rest, axis=0), allowzero=1)


@converts("SparseSegmentMeanGrad", "SparseSegmentSqrtNGrad", "SparseSegmentSumGrad")
def sparse_segment_grad(op: Builder, node: NodeView) -> Any:
    """Each gathered row takes its segment's gradient: over the segment's size for a mean, over its root for SqrtN."""
    grad, indices, ids = node.inputs[0], op.cast(node.inputs[1], int64), op.cast(node.inputs[2], int64)
    count = op.Reshape(op.cast(node.inputs[3], int64), [1])
    sizes = op.cast(op.Max(sizes_of(op, ids, op.Shape(grad, start=0, end=1)), np.int64(1)), grad.dtype)
    if node.op == "SparseSegmentSqrtNGrad":
        sizes = op.Sqrt(sizes)
    rows, rest = as_rows(op, grad, op.Shape(grad, start=0, end=1), 1)
    if node.op != "SparseSegmentSumGrad":
        rows = op.Div(rows, op.Unsqueeze(sizes, [1]))
    rows = op.Gather(rows, ids, axis=0)
    total = segmented(op, rows, indices, count, "add")
    return op.Reshape(total, op.Concat(count, rest, axis=0), allowzero=1)
