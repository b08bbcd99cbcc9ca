"""Reductions, running sums, rankings, ranges and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.array_ops import BIGGEST, transpose_by_values
from graphtools.convert.complex_numbers import by_parts, zeros_like
from graphtools.dtypes import DType, bool_, float32, float64, int32, int64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

REDUCTIONS = {
    "All": "ReduceMin",
    "Any": "ReduceMax",
    "Max": "ReduceMax",
    "Mean": "ReduceMean",
    "Min": "ReduceMin",
    "Prod": "ReduceProd",
    "Sum": "ReduceSum",
}


def lowest(dtype: DType) -> Any:
    return -np.inf if dtype.is_floating else dtype.min


def highest(dtype: DType) -> Any:
    return np.inf if dtype.is_floating else dtype.max


@converts(*REDUCTIONS)
def reduce(op: Builder, node: NodeView) -> Any:
    """No axes reduce nothing, where ONNX without axes reduces all."""
    x, axes = node.inputs
    if x.dtype.is_complex:
        return _complex_reduce(op, node)
    return reduced(op, REDUCTIONS[node.op], x, axes, bool(node.attr["keep_dims"]))


@by_parts
def _complex_reduce(op: Builder, node: NodeView) -> Any:
    if node.op not in ("Sum", "Mean"):
        raise node.fail("of complex numbers only sums and means are supported.")
    x, axes = node.inputs
    return reduced(op, REDUCTIONS[node.op], x, axes, bool(node.attr["keep_dims"]))


def reduced(op: Builder, onnx_op: str, x: Value, axes: Value, keep: bool) -> Value:
    if (axes.const is not None and axes.const.size == 0) or x.rank == 0:
        return x
    axes = op.Reshape(op.cast(axes, int64), [-1])
    if x.dims is not None and 0 in x.dims and axes.const is not None and onnx_op in ("ReduceMax", "ReduceMean", "ReduceMin"):
        return _reduce_nothing(op, onnx_op, x, axes, keep)
    if x.dtype is bool_ and _may_reduce_nothing(x, axes):
        return _counted(op, onnx_op, x, axes, keep)
    if onnx_op == "ReduceMean" and x.dtype.is_floating and axes.const is not None and _may_reduce_nothing(x, axes):
        return _mean(op, x, axes, keep)
    if x.dtype is int64 and onnx_op in ("ReduceMax", "ReduceMin") and x.rank and axes.const is not None:
        found = {int(i) % x.rank for i in axes.const}
        if len(found) in (1, x.rank):
            return _extreme(op, x, found, onnx_op == "ReduceMax", keep)
    result: Value = op.append(onnx_op, [x, axes], {"keepdims": int(keep), "noop_with_empty_axes": 1})
    if axes.const is None and not keep and result.dims is None and x.rank == 1 and axes.dims is not None and axes.dims[0]:
        result.dims = ()  # not so where the axes may turn out to be none
    return result


def _extreme(op: Builder, x: Value, axes: set[int], largest: bool, keep: bool) -> Value:
    """The first of the sorted int64, of one axis or of all: ONNX Runtime 1.31 reduces those that differ beyond 32 bits to a wrong one."""
    whole = len(axes) == x.rank
    axis = 0 if whole else next(iter(axes))
    values, _ = op.TopK(op.Reshape(x, [-1]) if whole else x, [1], axis=axis, largest=int(largest), outputs=2)
    if whole:
        return op.Reshape(values, [1] * (x.rank or 0) if keep else op.const(np.zeros(0, np.int64)))  # type: ignore[no-any-return]
    return values if keep else op.Squeeze(values, [axis])  # type: ignore[no-any-return]


def _may_reduce_nothing(x: Value, axes: Value) -> bool:
    """Whether the axes reduced have, or cannot be ruled out to have, no elements."""
    if x.dims is None or axes.const is None:
        return x.dims is None or any(d in (None, 0) for d in x.dims)
    return any(x.dims[a] in (None, 0) for a in axes.const.tolist())


def _counted(op: Builder, onnx_op: str, x: Value, axes: Value, keep: bool) -> Value:
    """All and any by the number of elements that are false or true: ONNX Runtime refuses to reduce no bools."""
    wanted = op.Not(x) if onnx_op == "ReduceMin" else x
    count = op.ReduceSum(op.cast(wanted, int32), axes, keepdims=int(keep), noop_with_empty_axes=1)
    zero = op.const(0, int32)
    result: Value = op.Equal(count, zero) if onnx_op == "ReduceMin" else op.Greater(count, zero)
    return result


def _mean(op: Builder, x: Value, axes: Value, keep: bool) -> Value:
    """The sum over the count, which is NaN for a count of 0: there ONNX Runtime's ReduceMean is 0."""
    total = op.ReduceSum(x, axes, keepdims=int(keep), noop_with_empty_axes=1)
    everything = x.rank is not None and axes.const is not None and len({a % x.rank for a in axes.const.tolist()}) == x.rank
    result: Value = op.Div(total, op.cast(op.Size(x) if everything else _count(op, x, axes), x.dtype))
    return result


def _count(op: Builder, x: Value, axes: Value) -> Value:
    """The number of elements that come together in one, as a scalar or a vector of one."""
    if x.rank is not None and axes.const is not None:
        known = sorted({int(a) % x.rank for a in axes.const.ravel()})
        if known and known == list(range(known[0], known[-1] + 1)):
            sizes = op.Shape(x, start=known[0], end=known[-1] + 1)
            return sizes if len(known) == 1 else op.ReduceProd(sizes, keepdims=1)  # type: ignore[no-any-return]
    return op.ReduceProd(op.Gather(op.Shape(x), axes, axis=0), keepdims=0)  # type: ignore[no-any-return]


def _reduce_nothing(op: Builder, onnx_op: str, x: Value, axes: Value, keep: bool) -> Value:
    """What ONNX Runtime refuses to reduce, or reduces to 0: of no elements the extremes are the lowest or highest value, the mean is NaN."""
    if x.dtype is bool_:
        return _counted(op, onnx_op, x, axes, keep)
    sums = op.ReduceSum(op.cast(x, int64), axes, keepdims=int(keep), noop_with_empty_axes=1)
    fill = np.nan if onnx_op == "ReduceMean" else lowest(x.dtype) if onnx_op == "ReduceMax" else highest(x.dtype)
    if onnx_op == "ReduceMean" and not x.dtype.is_floating:
        fill = 0
    result: Value = op.Expand(op.const(fill, x.dtype), op.Shape(sums))
    return result


@converts("EuclideanNorm")
def euclidean_norm(op: Builder, node: NodeView) -> Any:
    x, axes = node.inputs
    if axes.dims == (0,):
        return x  # TensorFlow does not even take the absolute value
    return op.Sqrt(reduced(op, "ReduceSum", op.Mul(x, x), axes, bool(node.attr["keep_dims"])))


# -- running sums ------------------------------------------------------------------------------------------------------


@converts("Cumsum")
@by_parts
def cumsum(op: Builder, node: NodeView) -> Any:
    x, axis = node.inputs
    return op.CumSum(x, op.Reshape(axis, np.zeros(0, np.int64)), exclusive=int(node.attr["exclusive"]), reverse=int(node.attr["reverse"]))


@converts("Cumprod")
def cumprod(op: Builder, node: NodeView) -> Any:
    """A Scan along the axis that carries the product."""
    x, known = node.inputs[0], node.maybe_const("axis")
    if x.rank is None:
        raise node.fail("the rank of the input must be known.")
    if x.dims is not None and 0 in x.dims:
        return x
    exclusive, reverse = bool(node.attr["exclusive"]), bool(node.attr["reverse"])
    if known is not None:
        return _scan(op, x, int(known) % x.rank, exclusive, reverse, "Mul", 1)
    if x.rank == 1:
        return _scan(op, x, 0, exclusive, reverse, "Mul", 1)
    # The axis is computed: it is brought to the front and back.
    axis = op.Mod(op.Reshape(op.cast(node.inputs[1], int64), [1]), np.int64(x.rank))
    others = op.Reshape(op.NonZero(op.Not(op.Equal(np.arange(x.rank), axis))), [-1])
    perm = op.Concat(axis, others, axis=0)
    perm.dims = (x.rank,)
    back = op.ScatterElements(op.const(np.arange(x.rank)), perm, op.const(np.arange(x.rank)), axis=0)
    front = transpose_by_values(op, x, perm, node)
    front.dims = (None,) * x.rank
    return transpose_by_values(op, _scan(op, front, 0, exclusive, reverse, "Mul", 1), back, node)


def _scan(op: Builder, x: Value, axis: int, exclusive: bool, reverse: bool, combine: str, start: Any) -> Value:
    rank = x.rank or 0
    others = [i for i in range(rank) if i != axis]
    shape = op.Gather(op.Shape(x), np.array(others, np.int64), axis=0)
    initial = op.Expand(op.const(start, x.dtype), shape)
    if x.dims is None or x.dims[axis] is None:
        # ONNX Runtime scans no axis without elements: one more stands before the first, and its result is that of an exclusive scan.
        first = op.Unsqueeze(initial, [axis])
        longer = op.Concat(x, first, axis=axis) if reverse else op.Concat(first, x, axis=axis)
        longer.dims = tuple(None if i == axis else d for i, d in enumerate(x.dims or (None,) * rank))
        longer = _scanned(op, longer, initial, axis, False, reverse, combine)
        begin, end = (0, -1) if exclusive != reverse else (1, BIGGEST)
        result: Value = op.Slice(longer, [begin], [end], [axis])
        return result
    return _scanned(op, x, initial, axis, exclusive, reverse, combine)


def _scanned(op: Builder, x: Value, initial: Value, axis: int, exclusive: bool, reverse: bool, combine: str) -> Value:
    others = [i for i in range(x.rank or 0) if i != axis]
    element = None if x.dims is None else tuple(x.dims[i] for i in others)
    body = op.subgraph()
    state, item = body.input("state", x.dtype, element), body.input("item", x.dtype, element)
    following = body.append(combine, [state, item], {})
    body.output(following)
    body.output(state if exclusive else following)
    direction = [int(reverse)]
    _, result = op.Scan(
        initial,
        x,
        body=body,
        num_scan_inputs=1,
        scan_input_axes=[axis],
        scan_output_axes=[axis],
        scan_input_directions=direction,
        scan_output_directions=direction,
        outputs=2,
    )
    result.dtype, result.dims = x.dtype, x.dims
    scanned: Value = result
    return scanned


@converts("CumulativeLogsumexp")
def cumulative_log_sum_exp(op: Builder, node: NodeView) -> Any:
    """m + log(cumsum(exp(x - m))), m the largest along the axis."""
    x, axis = node.inputs
    place = op.Reshape(op.cast(axis, int64), np.zeros(0, np.int64))
    top = op.ReduceMax(x, op.Reshape(place, [1]), keepdims=1)
    total = op.CumSum(op.Exp(op.Sub(x, top)), place, exclusive=int(node.attr["exclusive"]), reverse=int(node.attr["reverse"]))
    result = op.Add(op.Log(total), top)
    return op.Max(result, op.const(x.dtype.min, x.dtype)) if node.attr["exclusive"] else result


# -- rankings ----------------------------------------------------------------------------------------------------------


@converts("ArgMax", "ArgMin")
def arg_reduce(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    known = node.maybe_const("dimension")
    if known is None:
        if x.rank != 1 and (node.dims is None or len(node.dims) != 0):
            node.const("dimension")  # says which node computes it
        known = np.array(0)
    found = op.append(node.op, [x], {"axis": int(known.ravel()[0]), "keepdims": 0})
    return op.cast(found, node.dtype)


@converts("TopK", "TopKV2")
def top_k(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    k = op.const([int(node.attr["k"])]) if node.op == "TopK" else op.Reshape(op.cast(node.inputs[1], int64), [1])
    values, indices = op.TopK(x, k, axis=-1, largest=1, sorted=1, outputs=2)
    return values, op.cast(indices, node.outputs[1].dtype)


@converts("NthElement")
def nth_element(op: Builder, node: NodeView) -> Any:
    """Element n in order along the last axis: the last of the n + 1 smallest."""
    x, n = node.inputs[0], op.Reshape(op.cast(node.inputs[1], int64), [1])
    values, _ = op.TopK(x, op.Add(n, np.int64(1)), axis=-1, largest=int(node.attr["reverse"]), sorted=1, outputs=2)
    return op.Squeeze(op.Slice(values, n, [BIGGEST], [-1]), [-1])


@converts("InTopK", "InTopKV2")
def in_top_k(op: Builder, node: NodeView) -> Any:
    """Fewer than k predictions above the target's; false where a prediction or the target says nothing."""
    predictions, targets = node.inputs[0], op.cast(node.inputs[1], int64)
    k = op.const(np.int64(node.attr["k"])) if node.op == "InTopK" else op.cast(node.inputs[2], int64)
    classes = op.Reshape(op.Shape(predictions, start=1, end=2), np.zeros(0, np.int64))
    known = op.And(op.GreaterOrEqual(targets, np.int64(0)), op.Less(targets, classes))
    at = op.Unsqueeze(op.Where(known, targets, np.int64(0)), [1])
    scores = op.GatherElements(predictions, at, axis=1)
    above = op.ReduceSum(op.cast(op.Greater(predictions, scores), int64), [1], keepdims=0)
    strange = op.ReduceSum(op.cast(op.Or(op.IsNaN(predictions), op.IsInf(predictions)), int64), [1], keepdims=0)
    return op.And(op.And(op.Less(above, k), known), op.Equal(strange, np.int64(0)))


@converts("LowerBound", "UpperBound")
def bound(op: Builder, node: NodeView) -> Any:
    """How many of a sorted row lie below a value, or at most at it."""
    rows, values = op.Unsqueeze(node.inputs[0], [1]), op.Unsqueeze(node.inputs[1], [2])
    below = op.Less(rows, values) if node.op == "LowerBound" else op.LessOrEqual(rows, values)
    return op.cast(op.ReduceSum(op.cast(below, int64), [2], keepdims=0), node.dtype)


@converts("Bucketize")
def bucketize(op: Builder, node: NodeView) -> Any:
    """How many boundaries are at most x."""
    x, boundaries = node.inputs[0], np.asarray(node.attr["boundaries"], np.float32)
    inside = op.GreaterOrEqual(
        op.Unsqueeze(op.cast(x, float64 if x.dtype in (float64, int64) else float32), [-1]),
        boundaries.astype(np.float64) if x.dtype in (float64, int64) else boundaries,
    )
    return op.ReduceSum(op.cast(inside, int32), [-1], keepdims=0)


# -- ranges ------------------------------------------------------------------------------------------------------------


@converts("Range")
def range_(op: Builder, node: NodeView) -> Any:
    scalars = [v if v.rank == 0 else op.Reshape(v, np.zeros(0, np.int64)) for v in node.inputs]
    return op.Range(*scalars)


@converts("LinSpace")
def lin_space(op: Builder, node: NodeView) -> Any:
    """start + i (stop - start) / (num - 1), the last one exactly stop."""
    start, stop, count = node.inputs[0], node.inputs[1], op.cast(node.inputs[2], int64)
    one = np.int64(1)
    places = op.Range(np.int64(0), count, one)
    last = op.Sub(count, one)
    step = op.Div(op.Sub(stop, start), op.cast(op.Max(last, one), start.dtype))
    line = op.Add(start, op.Mul(op.cast(places, start.dtype), step))
    ended = op.And(op.Equal(places, last), op.Greater(count, one))
    return op.Where(ended, stop, line)


# -- counts ------------------------------------------------------------------------------------------------------------


@converts("Bincount", "DenseBincount")
def bincount(op: Builder, node: NodeView) -> Any:
    """Weights, or ones, added up by value in [0, size); rows of a matrix apart."""
    values, size, weights = op.cast(node.inputs[0], int64), op.cast(node.inputs[1], int64), node.inputs[2]
    if values.rank is None and node.op == "DenseBincount":
        raise node.fail("the rank of the input must be known: rows of a matrix are counted apart.")
    size = op.Reshape(size, [1])
    dtype = node.dtype
    binary = bool(node.attr.get("binary_output"))
    if binary or (weights.dims is not None and 0 in weights.dims):
        amounts = zeros_like(op, op.Reshape(values, [-1]), 1)
        amounts = op.cast(amounts, dtype)
    elif weights.dims is not None and None not in weights.dims:
        amounts = op.Reshape(weights, [-1])
    else:  # weights that turn out to be empty count as ones
        flat = op.Reshape(weights, [-1])
        none = op.Equal(op.Size(flat), np.int64(0))
        missing = op.Mul(op.cast(none, int64), op.Size(values))
        amounts = op.Concat(flat, op.ConstantOfShape(op.Reshape(missing, [1]), value=np.ones(1, dtype.as_numpy_dtype)), axis=0)
    matrix = values.rank == 2
    bins = op.Min(values, size)  # one bin more than asked for takes what is out of range
    width = op.Add(size, np.int64(1))
    rows = op.Shape(values, start=0, end=1) if matrix else op.const([1])
    if matrix:
        row = op.Unsqueeze(op.Range(np.int64(0), op.Reshape(rows, np.zeros(0, np.int64)), np.int64(1)), [1])
        bins = op.Add(bins, op.Mul(row, width))
    counts = op.ConstantOfShape(op.Mul(rows, width), value=np.zeros(1, dtype.as_numpy_dtype))
    counts = op.ScatterElements(counts, op.Reshape(bins, [-1]), amounts, axis=0, reduction="max" if binary else "add")
    if not matrix:
        return op.Slice(counts, [0], size, [0])
    return op.Slice(op.Reshape(counts, op.Concat(rows, width, axis=0)), [0], size, [1])


@converts("HistogramFixedWidth")
def histogram_fixed_width(op: Builder, node: NodeView) -> Any:
    """Counts in equal bins of [low, high]; what lies outside goes to the first or last bin."""
    values, limits, bins = op.Reshape(node.inputs[0], [-1]), node.inputs[1], op.cast(node.inputs[2], int64)
    work = float64 if values.dtype in (float64, int64, int32) else float32
    low, high = (op.cast(op.Gather(limits, np.int64(i), axis=0), work) for i in (0, 1))
    step = op.Div(op.Sub(high, low), op.cast(bins, work))
    place = op.Floor(op.Div(op.Sub(op.cast(values, work), low), step))
    last = op.cast(op.Sub(bins, np.int64(1)), work)
    place = op.cast(op.Min(op.Max(place, op.const(0, work)), last), int64)
    counts = op.ConstantOfShape(op.Reshape(bins, [1]), value=np.zeros(1, node.dtype.as_numpy_dtype))
    ones = op.cast(zeros_like(op, place, 1), node.dtype)
    return op.ScatterElements(counts, place, ones, axis=0, reduction="add")
