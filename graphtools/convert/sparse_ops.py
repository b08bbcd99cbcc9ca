"""Sparse tensors, given as indices [n, rank], values [n] and a dense shape [rank]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.array_ops import BIGGEST, product_up_to, reshaped
from graphtools.convert.matrix_ops import transposed
from graphtools.convert.slicing_ops import scatter_rows
from graphtools.dtypes import int32, int64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

ZERO, ONE = np.int64(0), np.int64(1)
SCALAR = np.zeros(0, np.int64)


def strides(op: Builder, dims: Value) -> Value:
    """How many elements apart neighbours along each axis are."""
    result: Value = op.Div(op.ReduceProd(dims, keepdims=1), op.Max(product_up_to(op, dims), ONE))
    return result


def ravel(op: Builder, indices: Value, dims: Value) -> Value:
    """Coordinates [n, rank] as flat positions [n]."""
    result: Value = op.ReduceSum(op.Mul(indices, strides(op, dims)), [1], keepdims=0)
    return result


def unravel(op: Builder, flat: Value, dims: Value) -> Value:
    """Flat positions [n] as coordinates [n, rank]."""
    result: Value = op.Mod(op.Div(op.Unsqueeze(flat, [1]), op.Max(strides(op, dims), ONE)), op.Max(dims, ONE))
    return result


def nonzero(op: Builder, mask: Value) -> Value:
    """The positions [n] at which a vector is true."""
    result: Value = op.Reshape(op.NonZero(mask), [-1])
    return result


def arange(op: Builder, count: Value) -> Value:
    """0, 1, ... as int64, up to a scalar or a vector of one."""
    result: Value = op.Range(ZERO, op.Reshape(count, SCALAR), ONE)
    return result


def order_of(op: Builder, keys: Value) -> Value:
    """The positions that sort int64 keys, equal ones in their order."""
    _, order = op.TopK(keys, op.Shape(keys), axis=0, largest=0, sorted=1, outputs=2)
    result: Value = order
    return result


def combine(op: Builder, keys: Value, values: Value, reduction: str = "add") -> tuple[Value, Value]:
    """Values [n] with equal keys put together; the keys sorted."""
    unique, _, inverse, _ = op.Unique(keys, sorted=1, outputs=4)
    unique.dims = inverse.dims = (None,)
    start = {"add": 0, "max": values.dtype.min, "min": values.dtype.max}[reduction]
    base = op.ConstantOfShape(op.Shape(unique), value=np.array([start], values.dtype.as_numpy_dtype))
    return unique, op.ScatterElements(base, inverse, values, axis=0, reduction=reduction)


def dense(op: Builder, indices: Value, shape: Value, values: Value, default: Value | None = None) -> Value:
    """The dense tensor, `default` or 0 where nothing is."""
    fill = default if default is not None else op.const(0, values.dtype)
    result: Value = op.ScatterND(op.Expand(fill, shape), indices, values)
    return result


@converts("SparseToDense")
def sparse_to_dense(op: Builder, node: NodeView) -> Any:
    """Indices may be a scalar or a vector for a vector, the values a scalar for all."""
    indices, shape, values, default = node.inputs
    indices, shape = op.cast(indices, int64), op.cast(shape, int64)
    if indices.rank != 2:
        indices = op.Reshape(indices, op.Concat([-1], op.Shape(shape), axis=0)) if indices.rank is None else op.Reshape(indices, [-1, 1])
    if values.rank != 1:
        values = op.Expand(values, op.Shape(indices, start=0, end=1))
    return dense(op, indices, shape, values, default)


@converts("SparseReshape")
def sparse_reshape(op: Builder, node: NodeView) -> Any:
    """The same flat positions in another shape, in which -1 takes what is left."""
    indices, shape, wanted = (op.cast(v, int64) for v in node.inputs)
    known = op.Where(op.Less(wanted, ZERO), ONE, wanted)
    rest = op.Div(op.ReduceProd(shape, keepdims=1), op.Max(op.ReduceProd(known, keepdims=1), ONE))
    resolved = op.Where(op.Less(wanted, ZERO), rest, wanted)
    return unravel(op, ravel(op, indices, shape), resolved), resolved


@converts("SparseReorder")
def sparse_reorder(op: Builder, node: NodeView) -> Any:
    indices, values, shape = node.inputs
    order = order_of(op, ravel(op, indices, shape))
    return op.Gather(indices, order, axis=0), op.Gather(values, order, axis=0)


@converts("SparseFillEmptyRows")
def sparse_fill_empty_rows(op: Builder, node: NodeView) -> Any:
    """A row without a value gets one, the default, in column 0. Element k moves on by the empty rows before its own."""
    indices, values, shape, default = node.inputs
    rows = op.Slice(shape, [0], [1])
    row = op.Reshape(op.Slice(indices, [0], [1], [1]), [-1])
    order = order_of(op, row)
    counts = op.ScatterElements(
        op.ConstantOfShape(rows, value=np.zeros(1, np.int64)),
        row,
        op.ConstantOfShape(op.Shape(row), value=np.ones(1, np.int64)),
        axis=0,
        reduction="add",
    )
    empty = op.Equal(counts, ZERO)
    before = op.CumSum(op.cast(empty, int64), ZERO, exclusive=1)
    rank_in_order = op.ScatterElements(order, order, arange(op, op.Shape(order)), axis=0)
    moved = op.Add(rank_in_order, op.Gather(before, row, axis=0))
    added_rows = nonzero(op, empty)
    starts = op.Add(op.CumSum(counts, ZERO, exclusive=1), before)
    added = op.Gather(starts, added_rows, axis=0)
    places = op.Concat(moved, added, axis=0)
    columns = op.Shape(indices, start=1, end=2)
    new_rows = op.Pad(op.Unsqueeze(added_rows, [1]), op.Concat([0, 0, 0], op.Sub(columns, ONE), axis=0), ZERO)
    all_indices = op.Concat(indices, new_rows, axis=0)
    all_values = op.Concat(values, op.Expand(default, op.Shape(added_rows)), axis=0)
    back = op.ScatterElements(places, places, arange(op, op.Shape(places)), axis=0)
    return op.Gather(all_indices, back, axis=0), op.Gather(all_values, back, axis=0), empty, moved


@converts("SparseFillEmptyRowsGrad")
def sparse_fill_empty_rows_grad(op: Builder, node: NodeView) -> Any:
    """Gradients of the values that were there, and the sum of those of the rows added."""
    places, grad = node.inputs
    kept = op.Gather(grad, places, axis=0)
    total = op.Sub(op.ReduceSum(grad, keepdims=0), op.ReduceSum(kept, keepdims=0))
    return kept, total


@converts("SparseTensorDenseMatMul")
def sparse_tensor_dense_mat_mul(op: Builder, node: NodeView) -> Any:
    """Each element takes its column's row of b, times its value, to its row of the product."""
    indices, values, shape, b = node.inputs
    indices = op.cast(indices, int64)
    if node.attr["adjoint_b"]:
        b = transposed(op, b, node)
    row_axis = 1 if node.attr["adjoint_a"] else 0
    row = op.Gather(indices, np.int64(row_axis), axis=1)
    column = op.Gather(indices, np.int64(1 - row_axis), axis=1)
    rows = op.Slice(op.cast(shape, int64), [row_axis], [row_axis + 1])
    parts = op.Mul(op.Gather(b, column, axis=0), op.Unsqueeze(values, [1]))
    zeros = op.ConstantOfShape(op.Concat(rows, op.Shape(b, start=1, end=2), axis=0), value=np.zeros(1, b.dtype.as_numpy_dtype))
    return scatter_rows(op, zeros, row, parts, "add")


@converts("SparseTensorDenseAdd")
def sparse_tensor_dense_add(op: Builder, node: NodeView) -> Any:
    indices, values, _, b = node.inputs
    dims = op.Shape(b)
    flat = op.Reshape(b, [-1])
    added = op.ScatterElements(flat, ravel(op, op.cast(indices, int64), dims), values, axis=0, reduction="add")
    return reshaped(op, added, dims)


@converts("SparseDenseCwiseAdd", "SparseDenseCwiseDiv", "SparseDenseCwiseMul")
def sparse_dense_cwise(op: Builder, node: NodeView) -> Any:
    """The dense side broadcast, and read where the sparse one has elements."""
    indices, values, shape, side = node.inputs
    picked = op.GatherND(op.Expand(side, shape), indices)
    return op.append(node.op.removeprefix("SparseDenseCwise"), [values, picked], {})


@converts("SparseSlice")
def sparse_slice(op: Builder, node: NodeView) -> Any:
    """The elements in a box, counted from its corner; the box ends where the tensor does."""
    indices, values, shape, start, size = node.inputs
    stop = op.Min(op.Add(start, size), shape)
    inside = op.And(op.GreaterOrEqual(indices, start), op.Less(indices, stop))
    kept = nonzero(op, op.Equal(op.ReduceMin(op.cast(inside, int32), [1], keepdims=0), op.const(1, int32)))
    return op.Sub(op.Gather(indices, kept, axis=0), start), op.Gather(values, kept, axis=0), op.Max(op.Sub(stop, start), ZERO)


@converts("SparseSliceGrad")
def sparse_slice_grad(op: Builder, node: NodeView) -> Any:
    """The gradients of the values kept, in their order, and 0 for the others."""
    grad, indices, start, sliced = node.inputs
    shifted = op.Sub(indices, start)
    same = op.Equal(op.Unsqueeze(shifted, [1]), op.Unsqueeze(sliced, [0]))
    match = op.ReduceMin(op.cast(same, int32), [2], keepdims=0)
    return op.Reshape(op.MatMul(op.cast(match, grad.dtype), op.Unsqueeze(grad, [1])), [-1])


@converts("SparseConcat")
def sparse_concat(op: Builder, node: NodeView) -> Any:
    """Elements of the later tensors move along the axis; the result is in row-major order."""
    indices, values, shapes = node.input("indices"), node.input("values"), node.input("shapes")
    axis = int(node.attr["concat_dim"])
    length = op.Size(shapes[0])
    place = op.const(np.int64(axis)) if axis >= 0 else op.Add(length, np.int64(axis))
    here = op.cast(op.Equal(arange(op, length), place), int64)
    offset, moved = op.Mul(here, ZERO), []
    for part, shape in zip(indices, shapes, strict=True):
        moved.append(op.Add(part, offset))
        offset = op.Add(offset, op.Mul(shape, here))
    total = op.Add(op.Mul(shapes[0], op.Sub(ONE, here)), offset)
    all_indices, all_values = op.Concat(*moved, axis=0), op.Concat(*values, axis=0)
    order = order_of(op, ravel(op, all_indices, total))
    return op.Gather(all_indices, order, axis=0), op.Gather(all_values, order, axis=0), total


@converts("SparseSplit")
def sparse_split(op: Builder, node: NodeView) -> Any:
    """Even parts along an axis, the first ones longer by one where the size does not divide."""
    axis, indices, values, shape = node.inputs
    count = int(node.attr["num_split"])
    axis = op.Reshape(op.cast(axis, int64), [1])
    here = op.Equal(arange(op, op.Size(shape)), axis)
    size = op.Gather(shape, axis, axis=0)
    share, extra = op.Div(size, np.int64(count)), op.Mod(size, np.int64(count))
    along = op.Reshape(op.Gather(indices, axis, axis=1), [-1])
    results: list[list[Value]] = [[], [], []]
    for i in range(count):
        start = op.Add(op.Mul(share, np.int64(i)), op.Min(extra, np.int64(i)))
        part = op.Add(share, op.cast(op.Less(np.int64(i), extra), int64))
        kept = nonzero(op, op.And(op.GreaterOrEqual(along, start), op.Less(along, op.Add(start, part))))
        results[0].append(op.Sub(op.Gather(indices, kept, axis=0), op.Where(here, start, ZERO)))
        results[1].append(op.Gather(values, kept, axis=0))
        results[2].append(op.Where(here, part, shape))
    return (*results[0], *results[1], *results[2])


@converts("SparseAdd")
def sparse_add(op: Builder, node: NodeView) -> Any:
    """Elements at the same place add up; such sums are dropped where they are smaller than the threshold."""
    a_indices, a_values, shape, b_indices, b_values, _, threshold = node.inputs
    keys = op.Concat(ravel(op, a_indices, shape), ravel(op, b_indices, shape), axis=0)
    ones = op.ConstantOfShape(op.Shape(keys), value=np.ones(1, np.int64))
    _, met = combine(op, keys, ones)
    keys, sums = combine(op, keys, op.Concat(a_values, b_values, axis=0))
    kept = nonzero(op, op.Or(op.Equal(met, ONE), op.GreaterOrEqual(op.Abs(sums), threshold)))
    return unravel(op, op.Gather(keys, kept, axis=0), shape), op.Gather(sums, kept, axis=0), shape


@converts("SparseAddGrad")
def sparse_add_grad(op: Builder, node: NodeView) -> Any:
    """Each element's gradient is that of the sum at its place, 0 if that was dropped."""
    grad, a_indices, b_indices, sums = node.inputs
    results = []
    for indices in (a_indices, b_indices):
        same = op.Equal(op.Unsqueeze(indices, [1]), op.Unsqueeze(sums, [0]))
        match = op.ReduceMin(op.cast(same, int32), [2], keepdims=0)
        results.append(op.Reshape(op.MatMul(op.cast(match, grad.dtype), op.Unsqueeze(grad, [1])), [-1]))
    return tuple(results)


@converts("SparseSparseMaximum", "SparseSparseMinimum")
def sparse_sparse(op: Builder, node: NodeView) -> Any:
    """A place that one tensor lacks counts as 0 there."""
    a_indices, a_values, shape, b_indices, b_values, _ = node.inputs
    a_keys, b_keys = ravel(op, a_indices, shape), ravel(op, b_indices, shape)
    keys, _, inverse, _ = op.Unique(op.Concat(a_keys, b_keys, axis=0), sorted=1, outputs=4)
    keys.dims = inverse.dims = (None,)
    zeros = op.ConstantOfShape(op.Shape(keys), value=np.zeros(1, a_values.dtype.as_numpy_dtype))
    count = op.Shape(a_keys)
    a = op.ScatterElements(zeros, op.Slice(inverse, [0], count), a_values, axis=0)
    b = op.ScatterElements(zeros, op.Slice(inverse, count, [BIGGEST]), b_values, axis=0)
    chosen = op.Max(a, b) if node.op == "SparseSparseMaximum" else op.Min(a, b)
    return unravel(op, keys, shape), chosen


@converts("SparseReduceSum", "SparseReduceMax")
def sparse_reduce(op: Builder, node: NodeView) -> Any:
    """A reduction of the elements that are there, in a dense result of 0 elsewhere."""
    indices, values, shape = node.inputs[:3]
    reducing_max = node.op == "SparseReduceMax"
    axes = np.ravel(node.const("reduction_axes"))
    rank = shape.dims[0] if shape.dims else None
    if rank is None and indices.dims is not None:
        rank = indices.dims[-1]
    if rank is None:
        raise node.fail("the rank of the sparse tensor must be known.")
    gone = {int(a) % rank for a in axes}
    kept = [i for i in range(rank) if i not in gone]
    sizes = op.Gather(shape, np.array(kept, np.int64), axis=0)
    count = op.ReduceProd(sizes, keepdims=1)
    keys = (
        ravel(op, op.Gather(indices, np.array(kept, np.int64), axis=1), sizes) if kept else op.Mul(op.Gather(indices, ZERO, axis=1), ZERO)
    )
    start = values.dtype.min if reducing_max else 0
    base = op.ConstantOfShape(count, value=np.array([start], values.dtype.as_numpy_dtype))
    total = op.ScatterElements(base, keys, values, axis=0, reduction="max" if reducing_max else "add")
    if reducing_max:
        present = op.ConstantOfShape(count, value=np.zeros(1, np.bool_))
        ones = op.ConstantOfShape(op.Shape(keys), value=np.ones(1, np.bool_))
        total = op.Where(op.ScatterElements(present, keys, ones, axis=0), total, op.const(0, values.dtype))
    if node.attr["keep_dims"]:
        sizes = op.Concat(*[op.Slice(shape, [i], [i + 1]) if i in kept else [1] for i in range(rank)], axis=0)
    return op.Reshape(total, sizes, allowzero=1)


@converts("SparseSoftmax")
def sparse_softmax(op: Builder, node: NodeView) -> Any:
    """A softmax over the elements that are there of each row of the last axis."""
    indices, values, shape = node.inputs
    outer = op.Slice(shape, [0], [-1])
    rows = op.ReduceProd(outer, keepdims=1)
    row = ravel(op, op.Slice(indices, [0], [-1], [1]), outer)
    lowest = op.ConstantOfShape(rows, value=np.array([-np.inf], values.dtype.as_numpy_dtype))
    top = op.ScatterElements(lowest, row, values, axis=0, reduction="max")
    weights = op.Exp(op.Sub(values, op.Gather(top, row, axis=0)))
    zeros = op.ConstantOfShape(rows, value=np.zeros(1, values.dtype.as_numpy_dtype))
    total = op.ScatterElements(zeros, row, weights, axis=0, reduction="add")
    return op.Div(weights, op.Gather(total, row, axis=0))


__all__ = ["arange", "combine", "dense", "nonzero", "order_of", "ravel", "strides", "unravel"]
