"""Static shapes of ops that read or write part of a tensor, or pick elements of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphtools.errors import ShapeError
from graphtools.graph import Dims, Node
from graphtools.shapes import shape
from graphtools.shapes.dims import as_shape, at_least, axis_of, join, merge, merge_dim, scalar, show, unknown, value, with_rank


@shape("Slice")
def slice_(node: Node) -> Sequence[Dims]:
    dims = node.inputs[0].dims
    begin_dims, size_dims = with_rank(node.inputs[1].dims, 1), with_rank(node.inputs[2].dims, 1)
    count = merge_dim(begin_dims[0], size_dims[0])
    if count is not None:
        dims = with_rank(dims, count)
    elif dims is not None:
        count = len(dims)
    if count is None:
        return [None]
    begins, sizes = value(node, 1), value(node, 2)
    partial = as_shape(node, 2) if sizes is None else None
    result: list[int | None] = []
    for i in range(count):
        begin = None if begins is None else int(begins[i])
        size = int(sizes[i]) if sizes is not None else partial[i] if partial is not None and i < len(partial) else None
        dim = dims[i] if dims is not None else None
        if size is None:
            result.append(None)
        elif size == -1:
            if dim is not None and begin is not None and begin > dim:
                raise ShapeError(f"Negative dimension size caused by subtracting {begin} from {dim}")
            result.append(None if dim is None or begin is None else dim - begin)
        else:
            result.append(size)
    return [tuple(result)]


@shape("StridedSlice")
def strided_slice(node: Node) -> Sequence[Dims]:
    dims = node.inputs[0].dims
    count = next((t.dims[0] for t in node.inputs[1:4] if t.dims and t.dims[0] is not None), None)
    strides = value(node, 3)
    if count is None:
        return [None]
    if strides is not None:
        sliced(dims, count, None, None, strides, node.attr)  # what the strides alone contradict
    begins, ends = value(node, 1), value(node, 2)
    return [sliced(dims, count, begins, ends, strides, node.attr)]


def sliced(dims: Dims, count: int, begins: Any, ends: Any, strides: Any, attr: dict[str, Any]) -> Dims:
    """The shape of a strided slice, as far as the bounds that are known (arrays or None) tell it."""
    spec = [_kind(i, attr) for i in range(count)]
    if "..." in spec:
        first = spec.index("...")
        used = sum(k not in ("new", "...") for k in spec)
        if dims is None:
            return None
        hidden = len(dims) - used
    else:
        first, hidden = count, 0
        used = sum(k != "new" for k in spec)
        if dims is None:
            return None
        hidden = len(dims) - used
    if hidden < 0 and strides is None:
        return None
    if hidden < 0:
        raise ShapeError(f"Index out of range using input dim {len(dims)}; input has only {len(dims)} dims")
    result: list[int | None] = []
    at = 0
    for i, kind in enumerate(spec):
        if i == first:
            result.extend(dims[at : at + hidden])
            at += hidden
            continue
        if kind == "...":  # a second ellipsis counts as a new axis in none of TensorFlow's versions
            raise ShapeError("Multiple ellipses in slice spec not allowed")
        if kind == "new":
            result.append(1)
            continue
        dim = dims[at]
        at += 1
        step = None if strides is None else int(strides[i])
        if step == 0:
            raise ShapeError(f"strides[{i}] must be non-zero")
        if kind == "shrink":
            if begins is not None and dim is not None and not -dim <= int(begins[i]) < dim:
                raise ShapeError(f"slice index {int(begins[i])} of dimension {at - 1} out of bounds.")
            continue
        bit = 1 << i
        open_begin, open_end = bool(attr["begin_mask"] & bit), bool(attr["end_mask"] & bit)
        if step is None or (begins is None and not open_begin) or (ends is None and not open_end):
            result.append(None)
            continue
        begin = None if open_begin else int(begins[i])
        end = None if open_end else int(ends[i])
        result.append(_length(dim, begin, end, step))
    if first == count:
        result.extend(dims[at:])
    return tuple(result)


def _kind(i: int, attr: dict[str, Any]) -> str:
    bit = 1 << i
    if attr["ellipsis_mask"] & bit:
        return "..."
    if attr["new_axis_mask"] & bit:
        return "new"
    return "shrink" if attr["shrink_axis_mask"] & bit else "range"


def _length(dim: int | None, begin: int | None, end: int | None, step: int) -> int | None:
    return None if dim is None else len(range(*slice(begin, end, step).indices(dim)))


@shape("StridedSliceGrad")
def strided_slice_grad(node: Node) -> Sequence[Dims]:
    return [as_shape(node, 0)]


@shape(
    "TensorStridedSliceUpdate",
    "InplaceUpdate",
    "InplaceAdd",
    "InplaceSub",
    "TensorScatterAdd",
    "TensorScatterMax",
    "TensorScatterMin",
    "TensorScatterSub",
    "TensorScatterUpdate",
    "ScatterNdNonAliasingAdd",
)
def updated(node: Node) -> Sequence[Dims]:
    return [node.inputs[0].dims]


@shape("Gather")
def gather(node: Node) -> Sequence[Dims]:
    data = at_least(node.inputs[0].dims, 1)
    return [join(node.inputs[1].dims, None if data is None else data[1:])]


@shape("GatherV2")
def gather_v2(node: Node) -> Sequence[Dims]:
    data, indices = at_least(node.inputs[0].dims, 1), node.inputs[1].dims
    axis = scalar(node, 2)
    batch = int(node.attr.get("batch_dims") or 0)
    if data is None or indices is None:
        return [None]
    if axis is None:
        return [(None,) * (len(data) + len(indices) - 1 - batch)]
    at_least(data, axis + 1 if axis >= 0 else -axis)
    axis %= len(data)
    if batch < 0:
        batch += len(indices)
    return [(*data[:axis], *indices[batch:], *data[axis + 1 :])]


@shape("GatherNd")
def gather_nd(node: Node) -> Sequence[Dims]:
    data, indices = node.inputs[0].dims, at_least(node.inputs[1].dims, 1)
    if data is None or indices is None or indices[-1] is None:
        return [None]
    if indices[-1] > len(data):
        raise ShapeError(f"indices.shape[-1] must be <= params.rank, but saw indices shape: {show(indices)} and params shape: {show(data)}")
    return [(*indices[:-1], *data[indices[-1] :])]


@shape("ScatterNd")
def scatter_nd(node: Node) -> Sequence[Dims]:
    dims = as_shape(node, 2)
    indices, updates = node.inputs[0].dims, node.inputs[1].dims
    if indices and updates is not None and indices[-1] is not None:
        outer = len(indices) - 1
        if len(updates) >= outer:
            try:
                merge(indices[:-1], updates[:outer])
            except ShapeError:
                raise ShapeError(
                    f"The outer {outer} dimensions of indices.shape={show(indices)} must match the outer {outer} dimensions of updates.shape={show(updates)}: "
                    f"{_mismatch(indices[:-1], updates[:outer])}"
                ) from None
    return [dims]


def _mismatch(a: Dims, b: Dims) -> str:
    try:
        merge(a, b)
    except ShapeError as e:
        return str(e)
    return ""


@shape("Where")
def where(node: Node) -> Sequence[Dims]:
    dims = node.inputs[0].dims
    return [(None, None if dims is None else len(dims))]


@shape("OneHot")
def one_hot(node: Node) -> Sequence[Dims]:
    axis = node.attr["axis"]
    if axis < -1:
        raise ShapeError("axis must be >= -1")
    depth = scalar(node, 1)
    if depth is not None and depth < 0:
        raise ShapeError(f"Dimension size, given by scalar input {1}, must be non-negative but is {depth}")
    dims = node.inputs[0].dims
    if dims is None:
        return [None]
    at = len(dims) if axis == -1 else axis
    at_least(dims, at)
    return [(*dims[:at], depth, *dims[at:])]


@shape("Unique", "UniqueWithCounts", "UniqueV2", "UniqueWithCountsV2")
def unique(node: Node) -> Sequence[Dims]:
    dims = node.inputs[0].dims
    axis = value(node, 1) if node.op.endswith("V2") else None
    if not node.op.endswith("V2") or (axis is not None and axis.size == 0):
        first: Dims = (None,)
        index: Dims = (dims[0] if dims else None,) if not node.op.endswith("V2") or dims is None or len(dims) == 1 else (None,)
    elif axis is None or dims is None:
        first, index = unknown(None if dims is None else len(dims)), (None,)
    else:
        at = axis_of(int(axis[0]), len(dims))
        first, index = (*dims[:at], None, *dims[at + 1 :]), (dims[at],)
    if node.op == "Unique" and dims is not None:
        index = dims
    return [first, index, (None,)][: len(node.outputs)]


@shape("ListDiff")
def list_diff(node: Node) -> Sequence[Dims]:
    with_rank(node.inputs[0].dims, 1)
    with_rank(node.inputs[1].dims, 1)
    return [(None,), (None,)]
