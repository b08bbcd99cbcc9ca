"""What is known of a tensor's value without running the graph."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphtools.graph import Dims, Node, Tensor

MAX_RANK = 254  # TensorFlow's
MAX_ELEMENTS = 1 << 20  # values are wanted for shapes, axes and the like; bigger tensors are left unevaluated

Array = np.ndarray[Any, Any]


def constant(tensor: Tensor) -> Array | None:
    """The tensor's value if constants and static shapes determine it, else None."""
    return _evaluate(tensor, {}, 0)


def constant_as_shape(tensor: Tensor) -> Dims:
    """The dims that a rank-1 shape tensor stands for, as far as they are known; -1 counts as unknown."""
    if tensor.dims is not None and any((d or 0) > MAX_RANK for d in tensor.dims):
        return None
    value = constant(tensor)
    if value is not None:
        return tuple(None if d == -1 else int(d) for d in np.ravel(value))
    node = tensor.node
    if node.op in ("Shape", "ShapeN"):
        return node.inputs[tensor.index].dims
    if node.op == "Pack":
        parts = [constant(t) for t in node.inputs]
        return tuple(None if p is None or int(p) < 0 else int(p) for p in parts)
    if node.op in ("ConcatV2", "Concat"):
        values = node.input("values")
        known: list[int | None] = []
        for part in values:
            dims = constant_as_shape(part)
            if dims is None:
                return None
            known.extend(dims)
        return tuple(known)
    if node.op == "StridedSlice":
        source, picked = constant_as_shape(node.inputs[0]), _slice_of(node, {}, 0)
        if source is not None and isinstance(picked, slice):
            return source[picked]
    if node.op in ("Cast", "Identity"):
        return constant_as_shape(node.inputs[0])
    length = tensor.dims[0] if tensor.dims and len(tensor.dims) == 1 else None
    return None if length is None else (None,) * length


def _evaluate(tensor: Tensor, seen: dict[Tensor, Array | None], depth: int) -> Array | None:
    if tensor in seen:
        return seen[tensor]
    seen[tensor] = None  # a cycle knows nothing
    if tensor.dims is not None and math.prod(d or 0 for d in tensor.dims) > MAX_ELEMENTS:
        return None  # before it takes memory: a small file can describe a value of any size
    value = _compute(tensor, seen, depth)
    if value is not None:
        value = np.asarray(value)
        if value.size > MAX_ELEMENTS:
            value = None
    seen[tensor] = value
    return value  # type: ignore[no-any-return]


def _compute(tensor: Tensor, seen: dict[Tensor, Array | None], depth: int) -> Any:
    node = tensor.node
    if node.op == "Const":
        return node.attr["value"]
    if node.op in _FROM_SHAPE:
        return _from_shape(node, tensor)
    if depth > 200:
        return None
    if node.op == "Pack" and tensor.dtype.is_integer:
        parts = [_evaluate(t, seen, depth + 1) for t in node.inputs]
        return None if any(p is None for p in parts) else np.stack(parts, node.attr["axis"])  # type: ignore[arg-type]
    if node.op == "StridedSlice":
        return _strided_slice(node, seen, depth)
    evaluate = _EVALUATE.get(node.op)
    if evaluate is None or (node.control_inputs and node.op not in _EVALUATE):
        return None
    inputs = []
    for source in node.inputs:
        value = _evaluate(source, seen, depth + 1)
        if value is None:
            return None
        inputs.append(value)
    try:
        with np.errstate(all="ignore"):
            result = evaluate(node, inputs)
    except (ValueError, IndexError, TypeError, ZeroDivisionError, OverflowError, MemoryError):
        return None
    if isinstance(result, list):
        return result[tensor.index]
    return np.asarray(result).astype(tensor.dtype.base_dtype.as_numpy_dtype, copy=False) if tensor.dtype.is_numpy_compatible else None


_FROM_SHAPE = frozenset({"Shape", "ShapeN", "Rank", "Size"})


def _from_shape(node: Node, tensor: Tensor) -> Any:
    dims = node.inputs[tensor.index if node.op == "ShapeN" else 0].dims
    if dims is None:
        return None
    numpy_type = tensor.dtype.as_numpy_dtype
    if node.op == "Rank":
        return numpy_type(len(dims))
    if any(d is None for d in dims):
        return None
    return np.array(dims, numpy_type) if node.op != "Size" else numpy_type(np.prod([d for d in dims if d is not None], dtype=np.int64))


def _strided_slice(node: Node, seen: dict[Tensor, Array | None], depth: int) -> Any:
    """Slices of constants; of a partly known shape the elements that are known."""
    source = node.inputs[0]
    picked = _slice_of(node, seen, depth)
    if picked is None:
        return None
    numpy_type = node.outputs[0].dtype.as_numpy_dtype
    if isinstance(picked, tuple):  # several dimensions
        value = _evaluate(source, seen, depth + 1)
        return None if value is None else value[picked]
    if source.node.op in ("Shape", "Pack", "ConcatV2", "Cast") and source.rank == 1:
        dims = constant_as_shape(source)
        if dims is not None:
            try:
                part = dims[picked]
            except IndexError:
                return None
            known = part if isinstance(part, tuple) else (part,)
            if any(d is None for d in known):
                return None
            return np.array(part, numpy_type)
    value = _evaluate(source, seen, depth + 1)
    return None if value is None or value.ndim == 0 else value[picked]


def _slice_of(node: Node, seen: dict[Tensor, Array | None], depth: int) -> Any:
    """The Python index that a StridedSlice with constant bounds stands for; an int or slice where it has one dimension."""
    bounds = [_evaluate(t, seen, depth + 1) for t in node.inputs[1:4]]
    if any(b is None for b in bounds):
        return None
    begin, end, strides = (b.tolist() for b in bounds)  # type: ignore[union-attr]
    a = node.attr
    index: list[Any] = []
    for i in range(len(begin)):
        bit = 1 << i
        if a["ellipsis_mask"] & bit:
            index.append(Ellipsis)
        elif a["new_axis_mask"] & bit:
            index.append(None)
        elif a["shrink_axis_mask"] & bit:
            index.append(int(begin[i]))
        else:
            index.append(slice(None if a["begin_mask"] & bit else begin[i], None if a["end_mask"] & bit else end[i], strides[i]))
    if len(index) == 1 and isinstance(index[0], int | slice):
        return index[0]
    return tuple(index)


def _axes(value: Array) -> tuple[int, ...]:
    return tuple(int(a) for a in np.ravel(value))


def _sizes(total: int, sizes: Array) -> Array:
    """The sizes of a split; one may be -1, the rest."""
    return np.where(sizes == -1, total - sizes.sum() - 1, sizes)


def _reduce(function: Callable[..., Any]) -> Callable[[Node, list[Array]], Any]:
    return lambda node, x: function(x[0], axis=_axes(x[1]), keepdims=bool(node.attr["keep_dims"]))


_EVALUATE: dict[str, Callable[[Node, list[Array]], Any]] = {
    "Abs": lambda n, x: np.abs(x[0]),
    "Add": lambda n, x: x[0] + x[1],
    "AddV2": lambda n, x: x[0] + x[1],
    "All": _reduce(np.all),
    "Any": _reduce(np.any),
    "BroadcastArgs": lambda n, x: np.array(np.broadcast_shapes(tuple(x[0]), tuple(x[1]))),
    "BroadcastGradientArgs": lambda n, x: broadcast_gradient_args(x[0], x[1]),
    "Cast": lambda n, x: x[0].astype(n.attr["DstT"].as_numpy_dtype) if n.attr["DstT"].is_numpy_compatible else None,
    "Concat": lambda n, x: np.concatenate(x[1:], int(x[0])),
    "ConcatV2": lambda n, x: np.concatenate(x[:-1], int(x[-1])),
    "Equal": lambda n, x: x[0] == x[1],
    "ExpandDims": lambda n, x: np.expand_dims(x[0], int(np.ravel(x[1])[0])),
    "Fill": lambda n, x: np.full(tuple(x[0]), x[1]) if np.prod(x[0], dtype=np.float64) <= MAX_ELEMENTS else None,
    "FloorDiv": lambda n, x: x[0] // x[1],
    "FloorMod": lambda n, x: np.mod(x[0], x[1]),
    "Gather": lambda n, x: np.take(x[0], x[1], 0),
    "GatherV2": lambda n, x: np.take(x[0], x[1], int(x[2])) if not n.attr.get("batch_dims") else None,
    "Greater": lambda n, x: x[0] > x[1],
    "GreaterEqual": lambda n, x: x[0] >= x[1],
    "Identity": lambda n, x: x[0],
    "Less": lambda n, x: x[0] < x[1],
    "LessEqual": lambda n, x: x[0] <= x[1],
    "LogicalAnd": lambda n, x: x[0] & x[1],
    "LogicalNot": lambda n, x: ~x[0],
    "LogicalOr": lambda n, x: x[0] | x[1],
    "Max": _reduce(np.max),
    "Maximum": lambda n, x: np.maximum(x[0], x[1]),
    "Min": _reduce(np.min),
    "Minimum": lambda n, x: np.minimum(x[0], x[1]),
    "Mul": lambda n, x: x[0] * x[1],
    "Neg": lambda n, x: -x[0],
    "NotEqual": lambda n, x: x[0] != x[1],
    "OnesLike": lambda n, x: np.ones_like(x[0]),
    "Pad": lambda n, x: np.pad(x[0], x[1]),
    "PadV2": lambda n, x: np.pad(x[0], x[1], constant_values=x[2]),
    "Prod": _reduce(np.prod),
    "Range": lambda n, x: (
        np.arange(x[0].item(), x[1].item(), x[2].item()) if abs(float(x[1]) - float(x[0])) <= MAX_ELEMENTS * abs(float(x[2])) else None
    ),
    "Reshape": lambda n, x: x[0].reshape(tuple(x[1])),
    "ReverseV2": lambda n, x: np.flip(x[0], _axes(x[1])),
    "Select": lambda n, x: np.where(x[0], x[1], x[2]) if x[0].shape == x[1].shape else None,
    "SelectV2": lambda n, x: np.where(x[0], x[1], x[2]),
    "Slice": lambda n, x: x[0][tuple(slice(b, None if s == -1 else b + s) for b, s in zip(x[1].tolist(), x[2].tolist(), strict=True))],
    "Split": lambda n, x: np.split(x[1], n.attr["num_split"], int(x[0])),
    "SplitV": lambda n, x: np.split(x[0], np.cumsum(_sizes(x[0].shape[int(x[2])], x[1]))[:-1], int(x[2])),
    "Squeeze": lambda n, x: np.squeeze(x[0], tuple(n.attr["squeeze_dims"]) or None),
    "StopGradient": lambda n, x: x[0],
    "Sub": lambda n, x: x[0] - x[1],
    "Sum": _reduce(np.sum),
    "Tile": lambda n, x: np.tile(x[0], tuple(x[1])) if x[0].size * np.prod(x[1], dtype=np.float64) <= MAX_ELEMENTS else None,
    "Transpose": lambda n, x: np.transpose(x[0], tuple(x[1])),
    "Unpack": lambda n, x: [np.squeeze(p, n.attr["axis"]) for p in np.split(x[0], n.attr["num"], n.attr["axis"])],
    "ZerosLike": lambda n, x: np.zeros_like(x[0]),
}


def broadcast_gradient_args(a: Array, b: Array) -> list[Array]:
    """The axes that the gradients of a broadcast of shapes `a` and `b` are summed over, one list for each."""
    rank = max(len(a), len(b))
    padded = [[1] * (rank - len(s)) + [int(d) for d in s] for s in (a, b)]
    axes: list[list[int]] = [[], []]
    for i in range(rank):
        x, y = padded[0][i], padded[1][i]
        missing = (i < rank - len(a), i < rank - len(b))
        for side, own, other in ((0, x, y), (1, y, x)):
            if missing[side] or (own == 1 and other != 1) or (x == 1 and y == 1):
                axes[side].append(i)
    return [np.array(r, a.dtype) for r in axes]
