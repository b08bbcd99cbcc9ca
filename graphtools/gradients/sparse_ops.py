"""Gradients of sparse tensors."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import int32, int64
from graphtools.gradients import gradient
from graphtools.gradients.walk import Emit
from graphtools.graph import Node


def _column(g: Emit, indices: Any, k: int) -> Any:
    begin, end, step = (g.const([0, v], int32, "strided_slice/stack") for v in (k, k + 1, 1))
    step = g.const([1, 1], int32, "strided_slice/stack_2")
    return g.op("StridedSlice", indices, begin, end, step, name="strided_slice", begin_mask=1, end_mask=1, shrink_axis_mask=2)


def _gather(g: Emit, params: Any, indices: Any) -> Any:
    return g.op("GatherV2", params, indices, g.const(0, int32, "GatherV2/axis"))


def _turned(g: Emit, x: Any) -> Any:
    return g.op("Transpose", x, g.const([1, 0], int32, "transpose/perm"), name="transpose")


@gradient("SparseTensorDenseMatMul")
def sparse_tensor_dense_mat_mul(g: Emit, node: Node, dy: Any) -> Any:
    """A's values get the rows of `dy` times the rows of B that they met; B gets A^T dy."""
    indices, values, shape, b = node.inputs
    adjoint_a, adjoint_b = node.attr["adjoint_a"], node.attr["adjoint_b"]
    db = g.op("SparseTensorDenseMatMul", indices, values, shape, dy, adjoint_a=not adjoint_a, adjoint_b=False)
    if adjoint_b:
        db = _turned(g, db)
    rows, columns = _column(g, indices, 0), _column(g, indices, 1)
    left = _gather(g, dy, columns if adjoint_a else rows)
    right = _gather(g, _turned(g, b) if adjoint_b else b, rows if adjoint_a else columns)
    dvalues = g.op("Sum", g.op("Mul", left, right, name="mul"), g.const(1, int32, "Sum/reduction_indices"), keep_dims=False)
    return None, dvalues, None, db


@gradient("SparseToDense")
def sparse_to_dense(g: Emit, node: Node, dy: Any) -> Any:
    indices = node.inputs[0]
    if indices.rank == 1:  # one index an element: rows of one column
        indices = g.op("ExpandDims", indices, g.const(1, int32, "ExpandDims/dim"))
    dvalues = g.op("GatherNd", dy, indices)
    total, taken = (
        g.op("Sum", t, g.op("Range", g.const(0, int32), g.op("Rank", t), g.const(1, int32)), keep_dims=False) for t in (dy, dvalues)
    )
    return None, None, dvalues, g.op("Sub", total, taken, name="sub")


@gradient("SparseReorder")
def sparse_reorder(g: Emit, node: Node, dy: Any) -> Any:
    indices, _, shape = node.inputs
    count = g.op("StridedSlice", g.op("Shape", indices, out_type=int32), *(g.const([v], int32) for v in (0, 1, 1)), shrink_axis_mask=1)
    order = g.op("Range", g.const(0, int32, "range/start"), count, g.const(1, int32, "range/delta"), name="range")
    ordered = g.op("SparseReorder", indices, order, shape)
    return None, _gather(g, dy[1], g.op("InvertPermutation", ordered[1])), None


@gradient("SparseReduceSum")
def sparse_reduce_sum(g: Emit, node: Node, dy: Any) -> Any:
    indices, _, shape, axes = node.inputs
    dense_shape = g.op("Cast", shape, DstT=int32)
    rank = g.op("Size", dense_shape, out_type=int32)
    axes = g.op("FloorMod", g.op("AddV2", axes, rank, name="add"), rank, name="mod")
    axes = g.op("Reshape", axes, g.const([-1], int32))
    every = g.op("Range", g.const(0, int32), rank, g.const(1, int32), name="range")
    ones = g.op("Fill", g.op("Shape", axes, out_type=int32), g.const(1, int32))
    kept = g.op("DynamicStitch", [every, axes], [dense_shape, ones])
    scale = g.op("FloorDiv", dense_shape, kept)
    places = g.op("FloorDiv", indices, g.op("Cast", scale, DstT=int64))
    return None, g.op("GatherNd", g.op("Reshape", dy, kept), places), None, None
