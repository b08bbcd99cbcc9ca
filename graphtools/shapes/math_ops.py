"""Static shapes of elementwise, reduction and matrix arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphtools.errors import ShapeError
from graphtools.graph import Dims, Node
from graphtools.shapes import shape
from graphtools.shapes.dims import (
    add,
    at_least,
    at_most,
    broadcast,
    join,
    merge,
    merge_dim,
    merge_prefix,
    reduced,
    scalar,
    unknown,
    value,
    with_rank,
    with_value,
)


@shape(
    "Abs", "Acos", "Acosh", "Angle", "Asin", "Asinh", "Atan", "Atanh", "BesselI0e", "BesselI1e", "Bucketize", "Cast", "Ceil", "ComplexAbs", "Conj", "Cos", "Cosh",
    "Digamma", "Erf", "Erfc", "Erfinv", "Exp", "Expm1", "Floor", "Imag", "Inv", "Invert", "IsFinite", "IsInf", "IsNan", "Lgamma", "Log", "Log1p",
    "LogicalNot", "Ndtri", "Neg", "NegTrain", "PopulationCount", "Real", "Reciprocal", "Rint", "Round", "Rsqrt", "Sigmoid", "Sign", "Sin", "Sinh",
    "Sqrt", "Square", "Tan", "Tanh",
)  # fmt: skip
def same(node: Node) -> Sequence[Dims]:
    return [node.inputs[0].dims]


@shape("InvGrad", "ReciprocalGrad", "RsqrtGrad", "SigmoidGrad", "SqrtGrad", "TanhGrad")
def same_as_first(node: Node) -> Sequence[Dims]:
    """The gradients of elementwise ops: shaped as the op's output, or as dy where that is unknown."""
    return [node.inputs[0].dims]


@shape("Cumprod", "Cumsum", "CumulativeLogsumexp")
def cumulative(node: Node) -> Sequence[Dims]:
    return [node.inputs[0].dims]


@shape(
    "Add", "AddV2", "Atan2", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Complex", "Div", "DivNoNan", "FloorDiv", "FloorMod", "Greater", "GreaterEqual", "Igamma",
    "IgammaGradA", "Igammac", "LeftShift", "Less", "LessEqual", "LogicalAnd", "LogicalOr", "Maximum", "Minimum", "Mod", "Mul", "MulNoNan", "NextAfter", "Polygamma",
    "Pow", "RealDiv", "RightShift", "SquaredDifference", "Sub", "TruncateDiv", "TruncateMod", "Xdivy", "Xlog1py", "Xlogy", "Zeta",
)  # fmt: skip
def broadcast_binary(node: Node) -> Sequence[Dims]:
    return [broadcast(node.inputs[0].dims, node.inputs[1].dims)]


@shape("Equal", "NotEqual")
def equal(node: Node) -> Sequence[Dims]:
    """With `incompatible_shape_error` off, shapes that do not broadcast compare as different as a whole."""
    a, b = node.inputs[0].dims, node.inputs[1].dims
    if node.attr.get("incompatible_shape_error", True):
        return [broadcast(a, b)]
    try:
        return [broadcast(a, b) if a is None or b is None or None not in (*a, *b) else None]
    except ShapeError:
        return [()]


@shape("ApproximateEqual")
def merged_binary(node: Node) -> Sequence[Dims]:
    return [merge(node.inputs[0].dims, node.inputs[1].dims)]


@shape("Betainc")
def betainc(node: Node) -> Sequence[Dims]:
    shapes = [t.dims for t in node.inputs]
    if any(s is None for s in shapes):
        return [next((s for s in shapes if s), None)]
    arrays = [s for s in shapes if s]
    result: Dims = ()
    for i, s in enumerate(arrays):
        result = s if i == 0 else merge(result, s)
    return [result]


@shape("AddN", "AccumulateNV2")
def add_n(node: Node) -> Sequence[Dims]:
    result: Dims = node.inputs[-1].dims
    for i in range(len(node.inputs) - 2, -1, -1):
        try:
            result = merge(node.inputs[i].dims, result)
        except ShapeError as e:
            raise ShapeError(f"{e}\n\tFrom merging shape {i} with other shapes.") from None
    return [result]


@shape("Select")
def select(node: Node) -> Sequence[Dims]:
    """The condition is a scalar, a vector that picks rows, or has the shape of the data."""
    condition, x, y = (t.dims for t in node.inputs)
    data = merge(x, y)
    if condition is not None and data is not None and len(condition) > 0:
        if len(condition) == 1 and len(data) != 1:
            at_least(data, 1)
            rows = merge(condition, (data[0],))
            assert rows is not None  # both were known
            return [(rows[0], *data[1:])]
        data = merge(condition, data)
    elif data is None and condition is not None and len(condition) > 1:
        data = condition
    return [data]


@shape("SelectV2")
def select_v2(node: Node) -> Sequence[Dims]:
    condition, x, y = (t.dims for t in node.inputs)
    return [broadcast(condition, broadcast(x, y))]


@shape("ClipByValue")
def clip_by_value(node: Node) -> Sequence[Dims]:
    x, low, high = (t.dims for t in node.inputs)
    if low == () and high == ():
        return [x]
    return [x if x is not None else merge(low, high)]


# -- reductions --------------------------------------------------------------------------------------------------------


@shape("All", "Any", "EuclideanNorm", "Max", "Mean", "Min", "Prod", "SparseReduceMax", "SparseReduceSum", "Sum")
def reduce(node: Node) -> Sequence[Dims]:
    sparse = node.op.startswith("Sparse")
    keep = bool(node.attr["keep_dims"])
    at = 3 if sparse else 1
    if sparse:
        known = value(node, 2)
        length = node.inputs[2].dims[0] if node.inputs[2].dims else None
        dims: Dims = tuple(int(d) for d in known) if known is not None else unknown(length)
    else:
        dims = node.inputs[0].dims
    axes = value(node, at)
    at_most(node.inputs[at].dims, 1)
    count = node.inputs[at].dims
    if axes is None and not keep and dims and count in ((), (1,)):
        return [(None,) * (len(dims) - 1)]
    return [reduced(dims, axes, keep)]


@shape("ArgMax", "ArgMin")
def arg_reduce(node: Node) -> Sequence[Dims]:
    dims = node.inputs[0].dims
    with_rank(node.inputs[1].dims, 0)
    if dims is None:
        return [None]
    if len(dims) <= 1:
        return [()]
    axis = scalar(node, 1)
    if axis is None:
        return [(None,) * (len(dims) - 1)]
    if not -len(dims) <= axis < len(dims):
        raise ShapeError(
            f"Dimension ({axis}) must be in the range [{-len(dims)}, {len(dims)}), where {len(dims)} is the number of dimensions in the input."
        )
    axis %= len(dims)
    return [dims[:axis] + dims[axis + 1 :]]


@shape("HistogramFixedWidth")
def histogram_fixed_width(node: Node) -> Sequence[Dims]:
    return [(scalar(node, 2),)]


@shape("Bincount")
def bincount(node: Node) -> Sequence[Dims]:
    return [(scalar(node, 1),)]


@shape("DenseBincount", "RaggedBincount", "SparseBincount")
def dense_bincount(node: Node) -> Sequence[Dims]:
    if node.op == "DenseBincount":
        dims, size = node.inputs[0].dims, scalar(node, 1)
        if dims is None:
            return [None]
        at_most(dims, 2)
        return [(size,) if len(dims) == 1 else (dims[0], size)]
    return [None]


# -- matrices ----------------------------------------------------------------------------------------------------------


@shape("MatMul", "SparseMatMul", "_FusedMatMul")
def mat_mul(node: Node) -> Sequence[Dims]:
    a, b = with_rank(node.inputs[0].dims, 2), with_rank(node.inputs[1].dims, 2)
    turned_a, turned_b = node.attr["transpose_a"], node.attr["transpose_b"]
    merge_dim(a[0 if turned_a else 1], b[1 if turned_b else 0])
    return [(a[1 if turned_a else 0], b[0 if turned_b else 1])]


@shape("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def batch_mat_mul(node: Node) -> Sequence[Dims]:
    a, b = at_least(node.inputs[0].dims, 2), at_least(node.inputs[1].dims, 2)
    if a is None or b is None:
        if node.op != "BatchMatMul":
            return [None]
        whole = a if a is not None else b
        return [None if whole is None else (*whole[:-2], None, None)]
    row, inner_a = (a[-1], a[-2]) if node.attr["adj_x"] else (a[-2], a[-1])
    inner_b, column = (b[-1], b[-2]) if node.attr["adj_y"] else (b[-2], b[-1])
    batch = merge(a[:-2], b[:-2]) if node.op == "BatchMatMul" else broadcast(a[:-2], b[:-2])
    merge_dim(inner_a, inner_b)
    return [join(batch, (row, column))]


@shape("Cross")
def cross(node: Node) -> Sequence[Dims]:
    dims = merge(at_least(node.inputs[0].dims, 1), at_least(node.inputs[1].dims, 1))
    if dims is not None:
        with_value(dims[-1], 3)
    return [dims]


# -- ranges ------------------------------------------------------------------------------------------------------------


@shape("Range")
def range_(node: Node) -> Sequence[Dims]:
    for t in node.inputs:
        if t.dims is not None and len(t.dims) != 0:
            with_rank(t.dims, 0)
    start, limit, delta = (value(node, i) for i in range(3))
    if start is None or limit is None or delta is None:
        return [(None,)]
    first, last, step = (v.item() if v.dtype.kind in "iufb" else float(v) for v in (start, limit, delta))
    if step == 0:
        raise ShapeError("Requires delta != 0")
    if step > 0 and first > last:
        raise ShapeError(f"Requires start <= limit when delta > 0: {first}/{last}")
    if step < 0 and first < last:
        raise ShapeError(f"Requires start >= limit when delta < 0: {first}/{last}")
    if isinstance(first, int) and isinstance(last, int) and isinstance(step, int):
        return [(-(-abs(last - first) // abs(step)),)]
    return [(int(np.ceil(np.abs((last - first) / step))),)]


@shape("LinSpace")
def lin_space(node: Node) -> Sequence[Dims]:
    for t in node.inputs:
        with_rank(t.dims, 0)
    number = scalar(node, 2)
    if number is not None and number <= 0:
        raise ShapeError(f"Requires num > 0: {number}")
    return [(number,)]


# -- segments ----------------------------------------------------------------------------------------------------------


@shape("SegmentMax", "SegmentMean", "SegmentMin", "SegmentProd", "SegmentSum")
def segment(node: Node) -> Sequence[Dims]:
    data = at_least(node.inputs[0].dims, 1)
    with_rank(node.inputs[1].dims, 1)
    return [None if data is None else (None, *data[1:])]


@shape("UnsortedSegmentMax", "UnsortedSegmentMin", "UnsortedSegmentProd", "UnsortedSegmentSum")
def unsorted_segment(node: Node) -> Sequence[Dims]:
    data, ids = node.inputs[0].dims, node.inputs[1].dims
    with_rank(node.inputs[2].dims, 0)
    if ids is None:
        return [None]
    data, _ = merge_prefix(data, ids)
    return [None if data is None else (scalar(node, 2), *data[len(ids) :])]


@shape("SparseSegmentMean", "SparseSegmentSqrtN", "SparseSegmentSum")
def sparse_segment(node: Node) -> Sequence[Dims]:
    data = at_least(node.inputs[0].dims, 1)
    indices, ids = with_rank(node.inputs[1].dims, 1), with_rank(node.inputs[2].dims, 1)
    merge(indices, ids)
    return [None if data is None else (None, *data[1:])]


@shape("SparseSegmentMeanWithNumSegments", "SparseSegmentSqrtNWithNumSegments", "SparseSegmentSumWithNumSegments")
def sparse_segment_with_num_segments(node: Node) -> Sequence[Dims]:
    data = at_least(node.inputs[0].dims, 1)
    merge(with_rank(node.inputs[1].dims, 1), with_rank(node.inputs[2].dims, 1))
    return [None if data is None else (scalar(node, 3), *data[1:])]


@shape("SparseSegmentMeanGrad", "SparseSegmentSqrtNGrad", "SparseSegmentSumGrad")
def sparse_segment_grad(node: Node) -> Sequence[Dims]:
    data = at_least(node.inputs[0].dims, 1)
    return [None if data is None else (scalar(node, 3), *data[1:])]


# -- others ------------------------------------------------------------------------------------------------------------


@shape("Einsum")
def einsum(node: Node) -> Sequence[Dims]:
    """Labels with one size each; the dims that an ellipsis stands for broadcast."""
    inputs, _, output = node.attr["equation"].replace(" ", "").partition("->")
    sizes: dict[str, int | None] = {}
    ellipsis: Dims = ()
    for labels, tensor in zip(inputs.split(","), node.inputs, strict=True):
        dims = tensor.dims
        named = labels.replace("...", "")
        if dims is None:
            if "..." in labels:
                ellipsis = None
            continue
        if "..." in labels:
            before, _, after = labels.partition("...")
            at_least(dims, len(named))
            stop = len(dims) - len(after)
            ellipsis = broadcast(ellipsis, dims[len(before) : stop])
            pairs = [*zip(before, dims[: len(before)], strict=True), *zip(after, dims[stop:], strict=True)]
        else:
            pairs = list(zip(labels, with_rank(dims, len(labels)), strict=True))
        for label, d in pairs:
            sizes[label] = merge_dim(sizes.get(label), d)
    if "..." in output:
        before, _, after = output.partition("...")
        return [join(tuple(sizes.get(c) for c in before), ellipsis, tuple(sizes.get(c) for c in after))]
    return [tuple(sizes.get(c) for c in output)]


@shape("InTopK", "InTopKV2")
def in_top_k(node: Node) -> Sequence[Dims]:
    predictions, targets = with_rank(node.inputs[0].dims, 2), with_rank(node.inputs[1].dims, 1)
    return [(merge_dim(predictions[0], targets[0]),)]


@shape("TopK", "TopKV2")
def top_k(node: Node) -> Sequence[Dims]:
    dims = at_least(node.inputs[0].dims, 1)
    k = int(node.attr["k"]) if node.op == "TopK" else scalar(node, 1)
    if k is not None and k < 0:
        raise ShapeError(f"Need k >= 0, got {k}")
    if dims is None:
        return [None, None]
    if dims[-1] is not None and k is not None and dims[-1] < k:
        raise ShapeError(f"input must have last dimension >= k = {k} but is {dims[-1]}")
    return [(*dims[:-1], k)] * 2


@shape("NthElement")
def nth_element(node: Node) -> Sequence[Dims]:
    dims = at_least(node.inputs[0].dims, 1)
    return [None if dims is None else dims[:-1]]


@shape(
    "FFT", "IFFT", "FFT2D", "IFFT2D", "FFT3D", "IFFT3D", "BatchFFT", "BatchIFFT", "BatchFFT2D", "BatchIFFT2D", "BatchFFT3D", "BatchIFFT3D"
)
def fft(node: Node) -> Sequence[Dims]:
    rank = int(node.op[-2]) if node.op.endswith("D") else 1
    return [at_least(node.inputs[0].dims, rank)]


@shape("RFFT", "IRFFT", "RFFT2D", "IRFFT2D", "RFFT3D", "IRFFT3D")
def rfft(node: Node) -> Sequence[Dims]:
    rank = int(node.op[-2]) if node.op.endswith("D") else 1
    dims = at_least(node.inputs[0].dims, rank)
    if dims is None:
        return [None]
    length = value(node, 1)
    sizes: list[int | None] = [None] * rank if length is None else [int(n) for n in np.ravel(length)]
    if not node.op.startswith("I") and sizes[-1] is not None:
        sizes[-1] = sizes[-1] // 2 + 1 if sizes[-1] else 0
    return [(*dims[:-rank], *sizes)]


@shape("CompareAndBitpack")
def compare_and_bitpack(node: Node) -> Sequence[Dims]:
    dims = at_least(node.inputs[0].dims, 1)
    return [None if dims is None else (*dims[:-1], None if dims[-1] is None else dims[-1] // 8)]


@shape("LowerBound", "UpperBound")
def bound(node: Node) -> Sequence[Dims]:
    return [with_rank(node.inputs[1].dims, 2)]


@shape("RaggedRange")
def ragged_range(node: Node) -> Sequence[Dims]:
    rows: int | None = None
    for t in node.inputs:
        at_most(t.dims, 1)
        if t.dims:
            rows = merge_dim(rows, t.dims[0])
    if all(t.dims == () for t in node.inputs):
        rows = 1
    return [(add(rows, 1),), (None,)]
