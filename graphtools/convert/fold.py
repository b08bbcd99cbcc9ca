"""Constant folding: ONNX ops on numpy values while a graph is built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphtools.dtypes import BY_ONNX

Array = np.ndarray[Any, Any]
Evaluate = Callable[[list[Any], dict[str, Any]], Any]

MAX_GROWTH = 1 << 16  # elements; a constant may always shrink or keep its size, but not grow past this

# Data movement keeps the size and may be folded for weights of any size.
MOVES = frozenset({"Cast", "Concat", "Reshape", "Squeeze", "Transpose", "Unsqueeze", "Slice", "Gather", "Split"})


def evaluate(op_type: str, inputs: Sequence[Array], attrs: dict[str, Any], outputs: int) -> list[Array] | None:
    """The outputs of an op on constants, or None where it is not folded."""
    function = _EVALUATE.get(op_type)
    if function is None:
        return None
    size = max((i.size for i in inputs), default=0)
    if op_type not in MOVES and size > MAX_GROWTH:
        return None
    try:
        with np.errstate(all="ignore"):
            result = function(list(inputs), attrs)
    except (ValueError, IndexError, TypeError, ZeroDivisionError, OverflowError):
        return None
    if result is None:
        return None
    results = [np.asarray(r) for r in (result if isinstance(result, list) else [result])]
    if len(results) != outputs or sum(r.size for r in results) > max(MAX_GROWTH, sum(i.size for i in inputs)):
        return None
    return results


def _binary(function: Callable[[Any, Any], Any]) -> Evaluate:
    return lambda x, a: function(x[0], x[1]).astype(x[0].dtype, copy=False)


def _compare(function: Callable[[Any, Any], Any]) -> Evaluate:
    return lambda x, a: function(x[0], x[1])


def _unary(function: Callable[[Any], Any]) -> Evaluate:
    return lambda x, a: np.asarray(function(x[0])).astype(x[0].dtype, copy=False)


def _div(a: Array, b: Array) -> Array:
    """ONNX Div truncates integers."""
    if a.dtype.kind in "iu":
        if not np.all(b):
            raise ZeroDivisionError
        quotient = np.abs(a) // np.abs(b)
        return np.where((a < 0) != (b < 0), -quotient, quotient) if a.dtype.kind == "i" else quotient
    return np.asarray(a / b)


def _reduce(function: Callable[..., Any]) -> Evaluate:
    def run(x: list[Any], a: dict[str, Any]) -> Any:
        axes = tuple(int(i) for i in np.ravel(x[1])) if len(x) > 1 else ()
        if not axes:
            if a.get("noop_with_empty_axes"):
                return x[0]
            axes = tuple(range(x[0].ndim))
        result = function(x[0], axis=axes, keepdims=bool(a.get("keepdims", 1)))
        return None if result is None else np.asarray(result).astype(x[0].dtype)

    return run


def _slice(x: list[Any], a: dict[str, Any]) -> Any:
    data, starts, ends = x[0], np.ravel(x[1]).tolist(), np.ravel(x[2]).tolist()
    axes = np.ravel(x[3]).tolist() if len(x) > 3 and x[3] is not None else list(range(len(starts)))
    steps = np.ravel(x[4]).tolist() if len(x) > 4 else [1] * len(starts)
    index = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = data.shape[axis]
        begin = min(max(start + size if start < 0 else start, 0), size if step > 0 else size - 1)
        stop = end + size if end < 0 else end
        stop = min(max(stop, 0 if step > 0 else -1), size)
        index[axis] = slice(begin, None if stop < 0 else stop, step)
    return data[tuple(index)]


def _reshape(x: list[Any], a: dict[str, Any]) -> Any:
    shape = [x[0].shape[i] if d == 0 and not a.get("allowzero") else d for i, d in enumerate(np.ravel(x[1]).tolist())]
    return x[0].reshape(shape)


def _split(x: list[Any], a: dict[str, Any]) -> Any:
    if len(x) < 2:
        return None
    return np.split(x[0], np.cumsum(np.ravel(x[1]))[:-1].tolist(), a.get("axis", 0))


def _cast(x: list[Any], a: dict[str, Any]) -> Any:
    dtype = BY_ONNX.get(a["to"])
    if dtype is None or dtype.name == "string" or x[0].dtype.kind in "OSU":
        return None
    return x[0].astype(dtype.as_numpy_dtype)


def _pad(x: list[Any], a: dict[str, Any]) -> Any:
    if a.get("mode", "constant") != "constant" or len(x) > 3:
        return None
    pads = np.ravel(x[1]).tolist()
    if min(pads, default=0) < 0:
        return None
    rank = x[0].ndim
    fill = x[2].item() if len(x) > 2 else 0
    return np.pad(x[0], [(pads[i], pads[i + rank]) for i in range(rank)], constant_values=fill)


def _compare_one(function: Callable[[Any], Any]) -> Evaluate:
    return lambda x, a: function(x[0])


def _mean(x: Array, axis: Any, keepdims: bool) -> Any:
    if x.size == 0 or x.dtype.kind != "f":
        return None  # left to the kernel
    return np.mean(x, axis=axis, keepdims=keepdims, dtype=np.float64)


def _cum_sum(x: list[Any], a: dict[str, Any]) -> Any:
    data, axis = x[0], int(x[1].item())
    if a.get("reverse"):
        data = np.flip(data, axis)
    total = np.cumsum(data, axis, dtype=data.dtype)
    if a.get("exclusive"):
        total = total - data
    return np.flip(total, axis) if a.get("reverse") else total


def _gather_nd(x: list[Any], a: dict[str, Any]) -> Any:
    if a.get("batch_dims"):
        return None
    return x[0][tuple(np.moveaxis(x[1], -1, 0))]


def _scatter_elements(x: list[Any], a: dict[str, Any]) -> Any:
    reduction, axis = a.get("reduction", "none"), a.get("axis", 0)
    if reduction not in ("none", "add") or x[1].shape != x[2].shape:
        return None
    result = x[0].copy()
    index = list(np.ogrid[tuple(slice(0, n) for n in x[1].shape)])
    index[axis] = x[1]
    if reduction == "add":
        np.add.at(result, tuple(index), x[2])
    else:
        result[tuple(index)] = x[2]
    return result


def _scatter_nd(x: list[Any], a: dict[str, Any]) -> Any:
    reduction = a.get("reduction", "none")
    if reduction not in ("none", "add"):
        return None
    result, index = x[0].copy(), tuple(np.moveaxis(x[1], -1, 0))
    if reduction == "add":
        np.add.at(result, index, x[2])
    else:
        result[index] = x[2]
    return result


_EVALUATE: dict[str, Evaluate] = {
    "Abs": _unary(np.abs),
    "Add": _binary(np.add),
    "And": _compare(np.logical_and),
    "BitwiseAnd": _binary(np.bitwise_and),
    "BitwiseNot": lambda x, a: ~x[0],
    "BitwiseOr": _binary(np.bitwise_or),
    "BitwiseXor": _binary(np.bitwise_xor),
    "Cast": _cast,
    "Ceil": _unary(np.ceil),
    "Clip": lambda x, a: np.minimum(np.maximum(x[0], x[1]), x[2]) if len(x) == 3 else None,
    "Concat": lambda x, a: np.concatenate(x, a["axis"]),
    "ConstantOfShape": lambda x, a: (
        np.full(tuple(x[0].tolist()), a["value"].ravel()[0] if "value" in a else np.float32(0))
        if np.prod(x[0], dtype=float) <= MAX_GROWTH
        else None
    ),
    "Cos": _unary(np.cos),
    "CumSum": _cum_sum,
    "Div": _binary(_div),
    "Equal": _compare(np.equal),
    "Exp": _unary(np.exp),
    "Expand": lambda x, a: (
        np.broadcast_to(x[0], np.broadcast_shapes(x[0].shape, tuple(x[1].tolist()))) if np.prod(x[1], dtype=float) <= MAX_GROWTH else None
    ),
    "Floor": _unary(np.floor),
    "Gather": lambda x, a: np.take(x[0], x[1], a.get("axis", 0)),
    "GatherElements": lambda x, a: np.take_along_axis(x[0], x[1], a.get("axis", 0)),
    "GatherND": _gather_nd,
    "Greater": _compare(np.greater),
    "GreaterOrEqual": _compare(np.greater_equal),
    "IsInf": _compare_one(np.isinf),
    "IsNaN": _compare_one(np.isnan),
    "Less": _compare(np.less),
    "LessOrEqual": _compare(np.less_equal),
    "Log": _unary(np.log),
    "MatMul": lambda x, a: np.matmul(x[0], x[1]) if x[0].dtype.kind == x[1].dtype.kind else None,
    "Max": lambda x, a: x[0] if len(x) == 1 else np.maximum.reduce(np.broadcast_arrays(*x)).astype(x[0].dtype),
    "Min": lambda x, a: x[0] if len(x) == 1 else np.minimum.reduce(np.broadcast_arrays(*x)).astype(x[0].dtype),
    "Mod": lambda x, a: (np.fmod if a.get("fmod") else np.mod)(x[0], x[1]) if np.all(x[1]) or x[0].dtype.kind == "f" else None,
    "Mul": _binary(np.multiply),
    "Neg": _unary(np.negative),
    "NonZero": lambda x, a: np.array(np.nonzero(x[0]), np.int64) if x[0].ndim else None,
    "Not": lambda x, a: ~x[0],
    "Or": _compare(np.logical_or),
    "Pad": _pad,
    "Pow": _binary(np.power),
    "Range": lambda x, a: np.arange(x[0].item(), x[1].item(), x[2].item(), dtype=x[0].dtype) if x[0].size else None,
    "Reciprocal": _unary(np.reciprocal),
    "ReduceMax": _reduce(np.max),
    "ReduceMean": _reduce(_mean),
    "ReduceMin": _reduce(np.min),
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "Reshape": _reshape,
    "Round": _unary(np.rint),
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "Shape": lambda x, a: np.array(x[0].shape[a.get("start", 0) : a.get("end")], np.int64),
    "Sign": _unary(np.sign),
    "Sin": _unary(np.sin),
    "Size": lambda x, a: np.array(x[0].size, np.int64),
    "Slice": _slice,
    "Split": _split,
    "Sqrt": _unary(np.sqrt),
    "Squeeze": lambda x, a: np.squeeze(x[0], tuple(x[1].tolist()) if len(x) > 1 else None),
    "Sub": _binary(np.subtract),
    "Tanh": _unary(np.tanh),
    "Tile": lambda x, a: np.tile(x[0], tuple(x[1].tolist())) if x[0].size * np.prod(x[1], dtype=float) <= MAX_GROWTH else None,
    "Transpose": lambda x, a: np.transpose(x[0], a.get("perm")),
    "Trilu": lambda x, a: (np.triu if a.get("upper", 1) else np.tril)(x[0], int(x[1].item()) if len(x) > 1 else 0),
    "Unsqueeze": lambda x, a: np.expand_dims(x[0], tuple(x[1].tolist())),
    "Where": lambda x, a: np.where(x[0], x[1], x[2]),
    "Xor": _compare(np.logical_xor),
}
