"""Ops that read or write part of a tensor: slices, gathers, scatters and padding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.array_ops import BIGGEST, reshaped
from graphtools.convert.complex_numbers import by_parts
from graphtools.convert.vectors import elements, is_size, vector_of
from graphtools.dtypes import bool_, int32, int64, string

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

ZERO, ONE = np.int64(0), np.int64(1)


# -- slices ------------------------------------------------------------------------------------------------------------


class Spec:
    """The axes of a StridedSlice. Axes behind an ellipsis are counted from the end, so that the rank need not be known.

    `ranges` and `picks` are (position in begin/end/strides, axis of the input); `new` are axes of the output.
    """

    def __init__(self, node: NodeView, count: int) -> None:
        masks = {name: int(node.attr[f"{name}_mask"]) for name in ("ellipsis", "new_axis", "shrink_axis", "begin", "end")}
        kinds = []
        for i in range(count):
            bit = 1 << i
            name = next((n for n in ("ellipsis", "new_axis", "shrink_axis") if masks[n] & bit), "range")
            kinds.append(name)
        self.begin_mask = [bool(masks["begin"] & (1 << i)) for i in range(count)]
        self.end_mask = [bool(masks["end"] & (1 << i)) for i in range(count)]
        cut = kinds.index("ellipsis") if "ellipsis" in kinds else count
        before, after = kinds[:cut], kinds[cut + 1 :]
        inputs_after = sum(k != "new_axis" for k in after)
        outputs_after = sum(k != "shrink_axis" for k in after)
        self.ranges: list[tuple[int, int]] = []
        self.picks: list[tuple[int, int]] = []
        self.new: list[int] = []
        for start, part, source, target in ((0, before, 0, 0), (cut + 1, after, -inputs_after, -outputs_after)):
            for i, kind in enumerate(part):
                if kind == "new_axis":
                    self.new.append(target)
                else:
                    (self.picks if kind == "shrink_axis" else self.ranges).append((start + i, source))
                source += kind != "new_axis"
                target += kind != "shrink_axis"

    def bounds(self, op: Builder, begin: Value, end: Value, strides: Value) -> tuple[Value, Value, Value]:
        """Starts, ends and steps of the ranges, masks applied."""
        places = np.array([i for i, _ in self.ranges], np.int64)
        steps = op.Gather(strides, places, axis=0)
        backward = op.Less(steps, ZERO)
        starts, ends = op.Gather(begin, places, axis=0), op.Gather(end, places, axis=0)
        open_starts, open_ends = (np.array([m[i] for i, _ in self.ranges]) for m in (self.begin_mask, self.end_mask))
        if open_starts.any():
            starts = op.Where(open_starts, op.Where(backward, np.int64(BIGGEST), ZERO), starts)
        if open_ends.any():
            ends = op.Where(open_ends, op.Where(backward, np.int64(-BIGGEST), np.int64(BIGGEST)), ends)
        return starts, ends, steps


def _count(node: NodeView, names: tuple[str, ...] = ("begin", "end", "strides")) -> int:
    for name in names:
        value, tensor = node.input(name), node.tensor(name)
        for dims in (value.dims, tensor.dims):
            if dims and dims[0] is not None:
                return int(dims[0])
    raise node.fail("the length of its begin, end and strides is not known.")


@converts("StridedSlice")
@by_parts
def strided_slice(op: Builder, node: NodeView) -> Any:
    """Ranges are one Slice, single indices Gathers, new axes one Unsqueeze."""
    x = node.input("input")
    begin, end, strides = (op.cast(node.input(n), int64) for n in ("begin", "end", "strides"))
    spec = Spec(node, _count(node))
    x = _ranges(op, x, spec, begin, end, strides)
    for i, axis in sorted(spec.picks, key=lambda p: (p[1] < 0, -p[1] if p[1] >= 0 else p[1])):
        x = op.Gather(x, op.Reshape(op.Slice(begin, [i], [i + 1]), np.zeros(0, np.int64)), axis=axis)
    return op.Unsqueeze(x, spec.new) if spec.new else x


def _ranges(op: Builder, x: Value, spec: Spec, begin: Value, end: Value, strides: Value) -> Value:
    steps_known = strides.const
    whole = [
        (i, a)
        for i, a in spec.ranges
        if not (spec.begin_mask[i] and spec.end_mask[i] and steps_known is not None and steps_known.ravel()[i] == 1)
    ]
    if not whole:
        return x
    spec.ranges = whole
    starts, ends, steps = spec.bounds(op, begin, end, strides)
    if x.dims is not None and starts.const is not None and ends.const is not None and steps.const is not None:
        exact = _exact(x.dims, whole, starts.const, ends.const, steps.const)
        if exact is not None:
            starts, ends = op.const(exact[0]), op.const(exact[1])
    result: Value = op.Slice(x, starts, ends, [a for _, a in whole], steps)
    return result


def _exact(dims: Any, ranges: Any, starts: Any, ends: Any, steps: Any) -> tuple[Any, Any] | None:
    """Bounds in range where ONNX clamps differently: backward from before the first element is empty."""
    new_starts, new_ends = starts.copy(), ends.copy()
    changed = False
    for k, (_, axis) in enumerate(ranges):
        d = dims[axis]
        if d is not None and steps[k] < 0 and starts[k] < -d:
            new_starts[k] = new_ends[k] = 0
            changed = True
    return (new_starts, new_ends) if changed else None


@converts("StridedSliceGrad")
@by_parts
def strided_slice_grad(op: Builder, node: NodeView) -> Any:
    """dy where the slice was taken, 0 elsewhere: padding for steps of 1, else a scatter to the positions that the slice has."""
    shape, dy = op.cast(node.input("shape"), int64), node.input("dy")
    strides = node.maybe_const("strides")
    rank = (node.dims and len(node.dims)) or (shape.dims[0] if shape.dims else None)
    if strides is not None and rank is not None and bool((strides == 1).all()):
        return _pad_slice(op, node, shape, dy, rank)
    flat, places = _flat_slice(op, node, shape)
    zeros = op.ConstantOfShape(op.Reshape(op.Size(flat), [1]), value=np.zeros(1, dy.dtype.as_numpy_dtype))
    written = op.ScatterElements(zeros, places, op.Reshape(dy, [-1]), axis=0)
    return reshaped(op, written, shape)


def _flat_slice(op: Builder, node: NodeView, shape: Value) -> tuple[Value, Value]:
    """The flat positions of a tensor of that shape, and those that the node's slice picks."""
    flat = op.Range(ZERO, op.ReduceProd(shape, keepdims=0), ONE)
    begin, end, strides = (op.cast(node.input(n), int64) for n in ("begin", "end", "strides"))
    spec = Spec(node, _count(node))
    x = reshaped(op, flat, shape)
    x = _ranges(op, x, spec, begin, end, strides)
    for i, axis in sorted(spec.picks, key=lambda p: (p[1] < 0, -p[1] if p[1] >= 0 else p[1])):
        x = op.Gather(x, op.Reshape(op.Slice(begin, [i], [i + 1]), np.zeros(0, np.int64)), axis=axis)
    return flat, op.Reshape(x, [-1])


def _pad_slice(op: Builder, node: NodeView, shape: Value, dy: Value, rank: int) -> Value:
    begin, end, strides = (op.cast(node.input(n), int64) for n in ("begin", "end", "strides"))
    spec = Spec(node, _count(node))
    starts, _, _ = spec.bounds(op, begin, end, strides) if spec.ranges else (op.const(np.zeros(0, np.int64)),) * 3
    if spec.new:
        dy = op.Squeeze(dy, spec.new)
    axes = [a % rank for _, a in spec.ranges]
    picked = sorted((a % rank, i) for i, a in spec.picks)
    if picked:
        dy = op.Unsqueeze(dy, [a for a, _ in picked])
        starts = op.Concat(starts, op.Gather(begin, np.array([i for _, i in picked], np.int64), axis=0), axis=0)
        axes += [a for a, _ in picked]
    if not axes:
        return dy
    dims = op.Gather(shape, np.array(axes, np.int64), axis=0)
    starts = op.Where(op.Less(starts, ZERO), op.Add(starts, dims), starts)
    starts = op.Min(op.Max(starts, ZERO), dims)
    sizes = op.Gather(op.Shape(dy), np.array(axes, np.int64), axis=0)
    ends = op.Sub(dims, op.Add(starts, sizes))
    empty = op.Equal(sizes, ZERO)  # an empty slice: all is padding
    starts, ends = op.Where(empty, ZERO, starts), op.Where(empty, dims, ends)
    if dy.dtype is bool_ or dy.dtype is string:
        raise node.fail(f"a gradient of {dy.dtype.name} is not defined.")
    result: Value = op.Pad(dy, op.Concat(starts, ends, axis=0), op.const(0, dy.dtype), op.const(axes))
    return result


@converts("TensorStridedSliceUpdate")
@by_parts
def tensor_strided_slice_update(op: Builder, node: NodeView) -> Any:
    return _with_slice(op, node, node.input("input"), node.input("value"))


@converts("StridedSliceAssign", "ResourceStridedSliceAssign")
@by_parts
def strided_slice_assign(op: Builder, node: NodeView) -> Any:
    ref = node.inputs[0]
    node.write(ref, _with_slice(op, node, node.read(ref), node.input("value")))
    return ref if node.outputs else None


def _with_slice(op: Builder, node: NodeView, x: Value, value: Value) -> Value:
    """The tensor with the values of a slice replaced."""
    shape = op.Shape(x)
    _, places = _flat_slice(op, node, shape)
    flat = op.ScatterElements(op.Reshape(x, [-1]), places, op.Expand(op.Reshape(value, [-1]), op.Shape(places)), axis=0)
    return reshaped(op, flat, shape)


@converts("Slice")
@by_parts
def slice_(op: Builder, node: NodeView) -> Any:
    """A size of -1 reaches to the end. Axes that are taken whole are left out."""
    x, begin, size = node.inputs
    if x.rank == 0:
        return x
    begins, sizes = elements(op, begin), elements(op, size)
    if begins is None or sizes is None or len(begins) != len(sizes):
        begin, size = op.cast(begin, int64), op.cast(size, int64)
        return op.Slice(x, begin, op.Where(op.Less(size, ZERO), np.int64(BIGGEST), op.Add(begin, size)))
    axes = [i for i, (b, s) in enumerate(zip(begins, sizes, strict=True)) if not (b == 0 and s == -1)]
    if not axes:
        return x
    ends = [_end(op, begins[i], sizes[i]) for i in axes]
    return op.Slice(x, vector_of(op, [begins[i] for i in axes]), vector_of(op, ends), axes)


def _end(op: Builder, begin: int | Value, size: int | Value) -> int | Value:
    if isinstance(size, int):
        if size < 0:
            return BIGGEST
        return begin + size if isinstance(begin, int) else op.Add(begin, np.int64(size))
    end: Value = size if begin == 0 else op.Add(size, np.int64(begin) if isinstance(begin, int) else begin)
    if is_size(size):
        return end
    bounded: Value = op.Where(op.Less(size, ZERO), np.int64(BIGGEST), end)
    return bounded


# -- gathers -----------------------------------------------------------------------------------------------------------


@converts("Gather", "GatherV2")
@by_parts
def gather(op: Builder, node: NodeView) -> Any:
    x, indices = node.inputs[0], node.inputs[1]
    axis = int(node.const("axis").ravel()[0]) if node.op == "GatherV2" else 0
    batch = int(node.attr.get("batch_dims") or 0)
    return gathered(op, node, x, indices, axis, batch)


def gathered(op: Builder, node: NodeView, x: Value, indices: Value, axis: int, batch: int) -> Value:
    """Rows along an axis; with batch dims, each batch picks from its own part."""
    if indices.dtype not in (int32, int64):
        indices = op.cast(indices, int64)
    if not batch:
        counted = _backward(op, x, indices, axis)
        if counted is not None:
            return counted
        picked: Value = op.Gather(x, indices, axis=axis)
        return picked
    if x.rank is None or indices.rank is None:
        raise node.fail("the ranks of its inputs must be known for batch_dims.")
    batch, axis = batch % indices.rank if batch < 0 else batch, axis % x.rank
    if axis != batch:
        x = op.Transpose(x, perm=[*range(batch), axis, *(i for i in range(batch, x.rank) if i != axis)])
    result: Value = op.GatherND(x, op.Unsqueeze(op.cast(indices, int64), [-1]), batch_dims=batch)
    if axis != batch:  # batch, indices, between, after -> batch, between, indices, after
        extra, between = indices.rank - batch, axis - batch
        order = [*range(batch), *range(batch + extra, batch + extra + between), *range(batch, batch + extra)]
        rank = batch + extra + between + (x.rank or 0) - axis - 1
        result = op.Transpose(result, perm=[*order, *range(len(order), rank)])
    return result


def _backward(op: Builder, x: Value, indices: Value, axis: int) -> Value | None:
    """A Gather of a Range that may count down as a Slice: ONNX Runtime makes one of it too, and takes its limit of -1 for the last element."""
    node = indices.node
    if node is None or node.op_type != "Range":
        return None
    start, limit, delta = node.inputs
    if start is None or limit is None or delta is None or (delta.const is not None and delta.const > 0):
        return None
    start, limit, delta = (op.Reshape(op.cast(v, int64), [1]) for v in (start, limit, delta))
    result: Value = op.Slice(x, start, op.Where(op.Less(limit, ZERO), np.int64(-BIGGEST), limit), [axis], delta)
    return result


@converts("GatherNd")
@by_parts
def gather_nd(op: Builder, node: NodeView) -> Any:
    x, indices = node.inputs[0], op.cast(node.inputs[1], int64)
    if indices.dims is not None and indices.dims[-1] == 0:  # the whole of x for each row of no coordinates
        return op.Expand(x, op.Concat(op.Shape(indices, end=-1), op.Shape(x), axis=0))
    return op.GatherND(x, indices)


# -- scatters ----------------------------------------------------------------------------------------------------------


def scatter_rows(op: Builder, rows: Value, index: Value, updates: Value, reduction: str = "none") -> Value:
    """Write or combine update rows [n, k] into rows [m, k] at int64 positions [n].

    ScatterElements, as ONNX Runtime's ScatterND with a reduction races on repeated indices.
    """
    repeated = op.Expand(op.Unsqueeze(index, [1]), op.Shape(updates))
    result: Value = op.ScatterElements(rows, repeated, updates, axis=0, reduction=None if reduction == "none" else reduction)
    return result


def scattered(op: Builder, base: Value, indices: Value, updates: Value, reduction: str) -> Value:
    """`base` with updates at coordinates [..., depth] combined in."""
    indices = op.cast(indices, int64)
    if reduction == "none" or _all_distinct(indices):
        if reduction == "none" or base.dtype is not bool_:
            result: Value = op.ScatterND(base, indices, updates, reduction=None if reduction == "none" else reduction)
            return result
    shape = op.Shape(base)
    depth = indices.dims[-1] if indices.dims is not None else None
    depth_value = op.Shape(indices, start=-1)
    outer = op.Slice(shape, [0], depth_value)
    columns = op.ReduceProd(op.Slice(shape, depth_value, [BIGGEST]), keepdims=1)
    rows = op.ReduceProd(outer, keepdims=1)
    size = op.ReduceProd(op.Shape(indices, end=-1), keepdims=1)
    flat_base = op.Reshape(base, op.Concat(rows, columns, axis=0), allowzero=1)
    flat_updates = op.Reshape(updates, op.Concat(size, columns, axis=0), allowzero=1)
    if depth == 1:
        index = op.Reshape(indices, [-1])
    else:
        strides = _strides(op, outer)
        index = op.Reshape(op.ReduceSum(op.Mul(indices, strides), [-1], keepdims=0), [-1])
    written = scatter_rows(op, flat_base, index, flat_updates, reduction)
    return reshaped(op, written, shape)


def _strides(op: Builder, dims: Value) -> Value:
    """How far apart elements are along each dim, in elements."""
    from graphtools.convert.array_ops import product_up_to

    result: Value = op.Div(op.ReduceProd(dims, keepdims=1), op.Max(product_up_to(op, dims), ONE))
    return result


def _all_distinct(indices: Value) -> bool:
    if indices.const is None or indices.const.ndim == 0:
        return False
    rows = indices.const.reshape(-1, indices.const.shape[-1])
    return rows.size == 0 or len(np.unique(rows, axis=0)) == len(rows)


@converts("ScatterNd")
@by_parts
def scatter_nd(op: Builder, node: NodeView) -> Any:
    """Updates at the same coordinates add up."""
    indices, updates, shape = node.inputs[0], node.inputs[1], op.cast(node.inputs[2], int64)
    if updates.dtype is string:
        return op.ScatterND(op.Expand(np.array("", object), shape), op.cast(indices, int64), updates)
    as_int = updates.dtype is bool_
    values = op.cast(updates, int32) if as_int else updates
    zeros = op.ConstantOfShape(shape, value=np.zeros(1, values.dtype.as_numpy_dtype))
    result = scattered(op, zeros, indices, values, "add")
    return op.cast(result, updates.dtype)


REDUCTIONS = {
    "ScatterNdNonAliasingAdd": "add",
    "TensorScatterAdd": "add",
    "TensorScatterMax": "max",
    "TensorScatterMin": "min",
    "TensorScatterSub": "sub",
    "TensorScatterUpdate": "none",
}


@converts(*REDUCTIONS)
def tensor_scatter(op: Builder, node: NodeView) -> Any:
    base, indices, updates = node.inputs
    reduction = REDUCTIONS[node.op]
    if reduction == "sub":
        updates, reduction = op.Neg(updates) if not updates.dtype.is_unsigned else op.Sub(op.const(0, updates.dtype), updates), "add"
    return scattered(op, base, indices, updates, reduction)


@converts("InplaceUpdate", "InplaceAdd", "InplaceSub")
def inplace(op: Builder, node: NodeView) -> Any:
    """Rows of x at vector or scalar positions replaced or added to."""
    x, index, value = node.inputs
    index = op.Reshape(op.cast(index, int64), [-1, 1])
    if node.op == "InplaceSub":
        value = op.Neg(value)
    if node.inputs[1].rank == 0:
        value = op.Unsqueeze(value, [0])
    return scattered(op, x, index, value, "none" if "Update" in node.op else "add")


# -- padding -----------------------------------------------------------------------------------------------------------


def onnx_pads(op: Builder, paddings: Value) -> Value:
    """TensorFlow's [rank, 2] as ONNX's befores then afters."""
    result: Value = op.Reshape(op.Transpose(op.cast(paddings, int64), perm=[1, 0]), [-1])
    return result


@converts("Pad", "PadV2")
@by_parts
def pad(op: Builder, node: NodeView) -> Any:
    x, paddings = node.inputs[0], node.inputs[1]
    if x.rank == 0 or (paddings.const is not None and not paddings.const.any()):
        return x
    fill = node.inputs[2] if node.op == "PadV2" else op.const(0, x.dtype)
    return op.Pad(x, onnx_pads(op, paddings), fill)


@converts("MirrorPad")
@by_parts
def mirror_pad(op: Builder, node: NodeView) -> Any:
    """REFLECT leaves the edge out and is ONNX's reflect; SYMMETRIC repeats it and is gathered."""
    x, paddings = node.inputs
    if paddings.const is not None and not paddings.const.any():
        return x
    if str(node.attr["mode"]) == "REFLECT" and x.dtype is not string and x.dtype is not bool_:
        return op.Pad(x, onnx_pads(op, paddings), mode="reflect")
    return mirrored(op, node, x, paddings)


def mirrored(op: Builder, node: NodeView, x: Value, paddings: Value) -> Value:
    rank = x.rank if x.rank is not None else (paddings.dims[0] if paddings.dims else None)
    if rank is None:
        raise node.fail("the rank of the input must be known.")
    edge = 1 if str(node.attr["mode"]) == "REFLECT" else 0
    paddings = op.cast(paddings, int64)
    for axis in range(rank):
        if paddings.const is not None and not paddings.const[axis].any():
            continue
        size = op.Gather(op.Shape(x), np.int64(axis), axis=0)
        before, after = (op.Gather(op.Gather(paddings, np.int64(axis), axis=0), np.int64(i), axis=0) for i in (0, 1))
        places = op.Range(op.Neg(before), op.Add(size, after), ONE)
        # Positions fold back at both ends: with period 2 size, or 2 (size - 1) where the edge is not repeated.
        period = op.Mul(op.Sub(size, np.int64(edge)), np.int64(2))
        folded = op.Mod(places, op.Max(period, ONE))
        last = op.Sub(period, np.int64(1 - edge))
        x = op.Gather(x, op.Min(folded, op.Sub(last, folded)), axis=axis)
    return x


@converts("MirrorPadGrad")
def mirror_pad_grad(op: Builder, node: NodeView) -> Any:
    """Every element of dy added to the element that it was a copy of."""
    dy, paddings = node.inputs
    inner = op.Sub(op.Shape(dy), op.ReduceSum(op.cast(paddings, int64), [1], keepdims=0))
    count = op.ReduceProd(inner, keepdims=0)
    source = reshaped(op, op.Range(ZERO, count, ONE), inner)
    if source.rank is None and dy.rank is not None:
        source.dims = (None,) * dy.rank
    places = op.Reshape(mirrored(op, node, source, paddings), [-1])
    zeros = op.ConstantOfShape(op.Reshape(count, [1]), value=np.zeros(1, dy.dtype.as_numpy_dtype))
    return reshaped(op, op.ScatterElements(zeros, places, op.Reshape(dy, [-1]), axis=0, reduction="add"), inner)


__all__ = ["ONE", "REDUCTIONS", "ZERO", "gathered", "onnx_pads", "scatter_rows", "scattered"]
