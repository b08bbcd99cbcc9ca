"""Dtypes and, where simple, shapes of the ONNX nodes that handlers append."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphtools.dtypes import BY_ONNX, DType, bool_, float32, int32, int64
from graphtools.graph import Dims

if TYPE_CHECKING:
    from graphtools.convert.builder import Value

Type = tuple[DType, Dims]

BOOL_RESULT = frozenset(
    {"And", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Not", "Or", "Xor", "RegexFullMatch"}
)  # fmt: skip
INT64_RESULT = frozenset({"ArgMax", "ArgMin", "NonZero", "Shape", "Size", "NonMaxSuppression"})
BROADCASTS = frozenset(
    {"Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max",
     "Mean", "Min", "Mod", "Mul", "Or", "Pow", "Sub", "Sum", "Where", "Xor", "PRelu"}
)  # fmt: skip
SAME_SHAPE = frozenset(
    {"Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BatchNormalization", "BitwiseNot", "Cast", "Ceil", "Clip", "Cos", "Cosh", "CumSum", "Elu",
     "Erf", "Exp", "Floor", "Identity", "IsInf", "IsNaN", "LRN", "LeakyRelu", "Log", "LogSoftmax", "Neg", "Not", "Reciprocal", "Relu", "Round", "ScatterElements",
     "ScatterND", "Selu", "Sigmoid", "Sign", "Sin", "Sinh", "Softmax", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh", "Trilu", "ReverseSequence",
     "HardSigmoid", "ThresholdedRelu", "InstanceNormalization"}
)  # fmt: skip


def infer(op_type: str, values: Sequence[Value | None], attrs: dict[str, Any], outputs: int) -> list[Type]:
    """(dtype, dims) of each output of a node; dims None where this table does not say."""
    first = values[0] if values else None
    if op_type in BOOL_RESULT:
        dtype = bool_
    elif op_type in INT64_RESULT:
        dtype = int64
    elif op_type in ("Cast", "EyeLike", "RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial") and (
        attrs.get("to") or attrs.get("dtype")
    ):
        dtype = BY_ONNX[attrs.get("to") or attrs["dtype"]]
    elif op_type in ("ConvInteger", "MatMulInteger"):
        dtype = int32
    elif op_type in ("Where", "OneHot"):
        chosen = values[1] if op_type == "Where" else values[2]
        dtype = chosen.dtype if chosen is not None else float32
    elif op_type == "ConstantOfShape":
        dtype = BY_ONNX[_onnx_type(attrs["value"])] if "value" in attrs else float32
    else:
        dtype = first.dtype if first is not None else float32
    if op_type == "Split":
        return [(dtype, dims) for dims in _split(values, attrs, outputs)]
    result: list[Type] = [(dtype, _dims(op_type, values, attrs))]
    rest = int64 if op_type in ("TopK", "MaxPool", "Unique") else dtype
    result.extend((rest, result[0][1] if op_type in ("TopK", "MaxPool") else None) for _ in range(outputs - 1))
    return result


def _onnx_type(array: Any) -> int:
    from graphtools.dtypes import as_dtype

    return as_dtype(array.dtype).onnx


def _dims(op_type: str, values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    first = values[0] if values else None
    dims = first.dims if first is not None else None
    if op_type in SAME_SHAPE:
        return dims
    if op_type in BROADCASTS:
        return broadcast([v.dims for v in values if v is not None])
    if op_type == "Shape":
        return None if dims is None else (len(dims[attrs.get("start", 0) : attrs.get("end")]),)
    if op_type == "Size":
        return ()
    function = _RULES.get(op_type)
    return None if function is None else function(values, attrs)


def broadcast(shapes: Sequence[Dims]) -> Dims:
    """The shape that these broadcast to, as far as known."""
    if any(s is None for s in shapes):
        return None
    rank = max((len(s) for s in shapes if s is not None), default=0)
    result: list[int | None] = []
    for i in range(rank):
        axis = [s[i - rank + len(s)] for s in shapes if s is not None and i - rank + len(s) >= 0]
        big = [d for d in axis if d is not None and d != 1]
        result.append(big[0] if big else None if None in axis else 1)
    return tuple(result)


def _const(values: Sequence[Value | None], i: int) -> list[int] | None:
    value = values[i] if i < len(values) else None
    if value is None or value.const is None:
        return None
    flat: list[int] = value.const.ravel().tolist()
    return flat


def _length(values: Sequence[Value | None], i: int) -> int | None:
    value = values[i] if i < len(values) else None
    return value.dims[0] if value is not None and value.dims is not None and len(value.dims) == 1 else None


def _transpose(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    dims = values[0].dims  # type: ignore[union-attr]
    perm = attrs.get("perm")
    if dims is None:
        return None if perm is None else (None,) * len(perm)
    return tuple(dims[p] for p in perm) if perm is not None else dims[::-1]


def _reshape(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    wanted = _const(values, 1)
    if wanted is None:
        rank = _length(values, 1)
        return None if rank is None else (None,) * rank
    dims = values[0].dims  # type: ignore[union-attr]
    result: list[int | None] = [
        dims[i]
        if w == 0 and dims is not None and i < len(dims) and not attrs.get("allowzero")
        else (None if w == 0 and not attrs.get("allowzero") else w)
        for i, w in enumerate(wanted)
    ]
    if -1 in result:
        missing = result.index(-1)
        result[missing] = None
        others = [d for i, d in enumerate(result) if i != missing]
        if dims is not None and None not in dims and None not in others:
            total, known = 1, 1
            for d in dims:
                total *= d  # type: ignore[operator]
            for d in others:
                known *= d  # type: ignore[operator]
            if known:
                result[missing] = total // known
    return tuple(result)


def _unsqueeze(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    dims, axes = values[0].dims, _const(values, 1)  # type: ignore[union-attr]
    if dims is None or axes is None:
        return None
    rank = len(dims) + len(axes)
    positions = {a % rank for a in axes}
    rest = iter(dims)
    return tuple(1 if i in positions else next(rest) for i in range(rank))


def _squeeze(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    dims, axes = values[0].dims, _const(values, 1)  # type: ignore[union-attr]
    if dims is None:
        return None
    if axes is None:
        return tuple(d for d in dims if d != 1) if len(values) < 2 and None not in dims else None
    gone = {a % len(dims) for a in axes}
    return tuple(d for i, d in enumerate(dims) if i not in gone)


def _concat(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    shapes = [v.dims for v in values if v is not None]
    if any(s is None for s in shapes):
        return next(((None,) * len(s) for s in shapes if s is not None), None)
    axis = attrs["axis"] % len(shapes[0])  # type: ignore[arg-type]
    result = list(shapes[0])  # type: ignore[arg-type]
    for i in range(len(result)):
        along = [s[i] for s in shapes]  # type: ignore[index]
        if i == axis:
            result[i] = None if None in along else sum(along)  # type: ignore[arg-type]
        else:
            result[i] = next((d for d in along if d is not None), None)
    return tuple(result)


def _gather(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    dims, indices = values[0].dims, values[1].dims  # type: ignore[union-attr]
    if dims is None or indices is None:
        return None
    axis = attrs.get("axis", 0) % len(dims)
    return (*dims[:axis], *indices, *dims[axis + 1 :])


def _gather_nd(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    dims, indices, batch = values[0].dims, values[1].dims, attrs.get("batch_dims", 0)  # type: ignore[union-attr]
    if dims is None or indices is None or indices[-1] is None:
        return None
    return (*indices[:-1], *dims[batch + indices[-1] :])


def _gather_elements(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    return values[1].dims  # type: ignore[union-attr]


def _reduce(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    dims, axes, keep = values[0].dims, _const(values, 1), attrs.get("keepdims", 1)  # type: ignore[union-attr]
    if dims is None:
        return None
    if axes is None:
        if len(values) > 1 and values[1] is not None:
            return (None,) * len(dims) if keep else None
        axes = [] if attrs.get("noop_with_empty_axes") else list(range(len(dims)))
    elif not axes:
        axes = [] if attrs.get("noop_with_empty_axes") else list(range(len(dims)))
    gone = {a % len(dims) for a in axes}
    return tuple(1 if i in gone else d for i, d in enumerate(dims) if keep or i not in gone)


def _arg_reduce(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    dims = values[0].dims  # type: ignore[union-attr]
    if dims is None:
        return None
    axis = attrs.get("axis", 0) % len(dims)
    return tuple(1 if i == axis else d for i, d in enumerate(dims) if attrs.get("keepdims", 1) or i != axis)


def _slice(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    dims, starts, ends, axes = values[0].dims, _const(values, 1), _const(values, 2), _const(values, 3)  # type: ignore[union-attr]
    if dims is None:
        return None
    steps = _const(values, 4) if len(values) > 4 and values[4] is not None else None
    if (
        starts is None
        or ends is None
        or (axes is None and len(values) > 3 and values[3] is not None)
        or (steps is None and len(values) > 4 and values[4] is not None)
    ):
        if axes is None:
            return (None,) * len(dims)
        gone = {a % len(dims) for a in axes}
        return tuple(None if i in gone else d for i, d in enumerate(dims))
    result = list(dims)
    for k, axis in enumerate(axes if axes is not None else range(len(starts))):
        d = dims[axis]
        result[axis] = (
            None
            if d is None
            else len(range(*slice(starts[k], ends[k] if abs(ends[k]) < 2**62 else None, steps[k] if steps else 1).indices(d)))
        )
    return tuple(result)


def _expand(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    shape = _const(values, 1)
    dims = values[0].dims  # type: ignore[union-attr]
    if shape is None:
        length = _length(values, 1)
        return (None,) * max(length, len(dims)) if length is not None and dims is not None else None
    return broadcast([dims, tuple(shape)])


def _mat_mul(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    a, b = values[0].dims, values[1].dims  # type: ignore[union-attr]
    if a is None or b is None or len(a) < 2 or len(b) < 2:
        return None
    batch = broadcast([a[:-2], b[:-2]])
    return None if batch is None else (*batch, a[-2], b[-1])


def _filled(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    shape = _const(values, 0)
    if shape is not None:
        return tuple(shape)
    length = _length(values, 0)
    return None if length is None else (None,) * length


def _same_rank(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    dims = values[0].dims  # type: ignore[union-attr]
    return None if dims is None else (None,) * len(dims)


def _pad(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    dims, pads = values[0].dims, _const(values, 1)  # type: ignore[union-attr]
    if dims is None or pads is None or (len(values) > 3 and values[3] is not None):
        return _same_rank(values, attrs)
    rank = len(dims)
    return tuple(None if d is None else d + pads[i] + pads[i + rank] for i, d in enumerate(dims))


def _conv(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    """Explicitly padded convolutions and pools: floor((size + pads - dilation * (kernel - 1) - 1) / stride) + 1."""
    x, w = values[0].dims, values[1].dims if len(values) > 1 and values[1] is not None else None  # type: ignore[union-attr]
    if x is None:
        return None
    spatial = len(x) - 2
    kernel = attrs.get("kernel_shape") or (w[2:] if w is not None else None)
    channels = x[1] if len(values) == 1 else w[0] if w is not None else None
    if kernel is None or attrs.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or attrs.get("ceil_mode"):
        return (x[0], channels, *(None,) * spatial)
    strides, dilations, pads = (
        attrs.get("strides") or [1] * spatial,
        attrs.get("dilations") or [1] * spatial,
        attrs.get("pads") or [0] * 2 * spatial,
    )
    sizes: list[int | None] = []
    for i in range(spatial):
        size, k = x[2 + i], kernel[i]
        sizes.append(
            None if size is None or k is None else (size + pads[i] + pads[i + spatial] - dilations[i] * (k - 1) - 1) // strides[i] + 1
        )
    return (x[0], channels, *sizes)


def _tile(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    dims, repeats = values[0].dims, _const(values, 1)  # type: ignore[union-attr]
    if dims is None or repeats is None:
        return _same_rank(values, attrs)
    return tuple(None if d is None else d * r for d, r in zip(dims, repeats, strict=False))


def _split(values: Sequence[Value | None], attrs: dict[str, Any], outputs: int) -> list[Dims]:
    dims, sizes, axis = values[0].dims, _const(values, 1), attrs.get("axis", 0)  # type: ignore[union-attr]
    if dims is None:
        return [None] * outputs
    axis %= len(dims)
    whole = dims[axis]
    parts: list[int | None] = [None] * outputs
    if sizes is not None:
        parts = list(sizes)
    elif whole is not None and len(values) == 1 and whole % outputs == 0:
        parts = [whole // outputs] * outputs
    return [(*dims[:axis], part, *dims[axis + 1 :]) for part in parts]


def _one_hot(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    dims, depth = values[0].dims, _const(values, 1)  # type: ignore[union-attr]
    if dims is None:
        return None
    axis = attrs.get("axis", -1) % (len(dims) + 1)
    return (*dims[:axis], depth[0] if depth else None, *dims[axis:])


def _non_zero(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    dims = values[0].dims  # type: ignore[union-attr]
    return (None if dims is None else len(dims), None)


def _top_k(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    dims, k = values[0].dims, _const(values, 1)  # type: ignore[union-attr]
    if dims is None:
        return None
    axis = attrs.get("axis", -1) % len(dims)
    return tuple((k[0] if k else None) if i == axis else d for i, d in enumerate(dims))


def _vector(values: Sequence[Value | None], attrs: dict[str, Any]) -> Dims:
    return (None,)


def _block(values: Sequence[Value | None], attrs: dict[str, Any], to_depth: bool) -> Dims:
    dims, b = values[0].dims, attrs["blocksize"]  # type: ignore[union-attr]
    if dims is None or len(dims) != 4:
        return _same_rank(values, attrs)
    n, c, h, w = dims
    if to_depth:
        return (n, None if c is None else c * b * b, None if h is None else h // b, None if w is None else w // b)
    return (n, None if c is None else c // (b * b), None if h is None else h * b, None if w is None else w * b)


_RULES = {
    "ArgMax": _arg_reduce,
    "ArgMin": _arg_reduce,
    "AveragePool": _conv,
    "Concat": _concat,
    "ConstantOfShape": _filled,
    "Conv": _conv,
    "ConvInteger": _conv,
    "ConvTranspose": _same_rank,
    "DepthToSpace": lambda values, attrs: _block(values, attrs, False),
    "Expand": _expand,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "MatMul": _mat_mul,
    "MatMulInteger": _mat_mul,
    "MaxPool": _conv,
    "NonZero": _non_zero,
    "OneHot": _one_hot,
    "Pad": _pad,
    "Range": _vector,
    "ReduceL2": _reduce,
    "ReduceLogSumExp": _reduce,
    "ReduceMax": _reduce,
    "ReduceMean": _reduce,
    "ReduceMin": _reduce,
    "ReduceProd": _reduce,
    "ReduceSum": _reduce,
    "ReduceSumSquare": _reduce,
    "Reshape": _reshape,
    "Resize": _same_rank,
    "Slice": _slice,
    "SpaceToDepth": lambda values, attrs: _block(values, attrs, True),
    "Squeeze": _squeeze,
    "Tile": _tile,
    "TopK": _top_k,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
