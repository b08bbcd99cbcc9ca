"""Gradients of sparse tensors."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import int32, int64
from graphtools.gradients import gradient
from graphtools.gradients.walk import Emit
from graphtools.graph import Node


def _column(g: Emit, indices: Any, k: int) -> Any:
    with g.graph.name_scope("strided_slice") as scope:
        parts = [g.const(v, int32, n) for v, n in (([0, k], "stack"), ([0, k + 1], "stack_1"), ([1, 1], "stack_2"))]
        return g.op("StridedSlice", indices, *parts, name=scope, begin_mask=1, end_mask=1, shrink_axis_mask=2)


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
    left = g.gather(dy, columns if adjoint_a else rows)
    right = g.gather(_turned(g, b) if adjoint_b else b, rows if adjoint_a else columns)
    dvalues = g.op("Sum", g.op("Mul", left, right, name="mul"), g.const(1, int32, "Sum/reduction_indices"), keep_dims=False)
    return None, dvalues, None, db


@gradient("SparseToDense")
def sparse_to_dense(g: Emit, node: Node, dy: Any) -> Any:
    indices = node.inputs[0]
    if indices.rank == 1:  # one index an element: rows of one column
        indices = g.op("ExpandDims", indices, g.const(1, int32, "ExpandDims/dim"))
    dvalues = g.op("GatherNd", dy, indices)
    default = g.op("Sub", g.total(dy), g.total(dvalues), name="sub")
    return g.zeros_like(node.inputs[0]), g.zeros_like(node.inputs[1]), dvalues, default


@gradient("SparseReorder")
def sparse_reorder(g: Emit, node: Node, dy: Any) -> Any:
    indices, _, shape = node.inputs
    order = g.range(0, g.item(g.shape(indices), 0))
    ordered = g.op("SparseReorder", indices, order, shape)
    return None, g.gather(dy[1], g.op("InvertPermutation", ordered[1])), None


@gradient("SparseReduceSum")
def sparse_reduce_sum(g: Emit, node: Node, dy: Any) -> Any:
    from graphtools.gradients.math_ops import reduced_shape

    indices, _, shape, axes = node.inputs
    kept = reduced_shape(g, g.op("Cast", shape, DstT=int32), axes)
    grown = g.op("Reshape", dy, kept)
    scale = g.op("FloorDiv", shape, g.op("Cast", kept, DstT=int64), name="floordiv")
    return None, g.op("GatherNd", grown, g.op("FloorDiv", indices, scale, name="floordiv")), None, None


@gradient("SparseAdd")
def sparse_add(g: Emit, node: Node, dy: Any) -> Any:
    a, b = g.op("SparseAddGrad", dy[1], node.inputs[0], node.inputs[3], node.outputs[0])
    a.dims, b.dims = node.inputs[1].dims, node.inputs[4].dims
    return None, a, None, None, b, None, None


@gradient("SparseTensorDenseAdd")
def sparse_tensor_dense_add(g: Emit, node: Node, dy: Any) -> Any:
    return None, g.op("GatherNd", dy, node.inputs[0]), None, dy


@gradient("SparseSlice")
def sparse_slice(g: Emit, node: Node, dy: Any) -> Any:
    grad = g.op("SparseSliceGrad", dy[1], node.inputs[0], node.inputs[3], node.outputs[0])
    grad.dims = node.inputs[1].dims
    return None, grad, None, None, None


@gradient("SparseFillEmptyRows")
def sparse_fill_empty_rows(g: Emit, node: Node, dy: Any) -> Any:
    values, default = g.op("SparseFillEmptyRowsGrad", node.outputs[3], dy[1])
    return None, values, None, default


@gradient("SparseDenseCwiseMul", "SparseDenseCwiseDiv")
def sparse_dense_cwise(g: Emit, node: Node, dy: Any) -> Any:
    """The dense side, which is broadcast, is looked up at each index scaled down to its shape."""
    indices, values, shape, y = node.inputs
    y_shape = g.op("Cast", g.shape(y), DstT=int64)
    added = g.apply("ExpandDims", g.op("Sub", g.size(shape), g.size(y_shape), name="sub"), 0)
    grown = g.concat([g.filled(added, 1, int64, "ones"), y_shape])
    scaled = g.op("FloorDiv", indices, g.op("FloorDiv", shape, grown, name="floordiv"), name="floordiv")
    start = g.concat([[0], added])
    scaled = g.apply("Slice", scaled, start, [-1, -1])
    dense = g.op("GatherNd", y, scaled)
    if node.op == "SparseDenseCwiseMul":
        dx, dense_values = g.op("Mul", dy, dense, name="mul"), g.op("Mul", dy, values, name="mul")
    else:
        dx = g.op("RealDiv", dy, dense, name="truediv")
        minus = g.op("RealDiv", g.op("Neg", values), g.op("Square", dense), name="truediv")
        dense_values = g.op("Mul", dy, minus, name="mul")
    return None, dx, None, g.op("SparseTensorDenseAdd", scaled, dense_values, y_shape, g.zeros_like(y))


@gradient("SparseDenseCwiseAdd")
def sparse_dense_cwise_add(g: Emit, node: Node, dy: Any) -> Any:
    raise NotImplementedError("Gradient for SparseDenseCwiseAdd is currently not implemented yet.")


@gradient("SparseSoftmax")
def sparse_softmax(g: Emit, node: Node, dy: Any) -> Any:
    indices, _, shape = node.inputs
    y = node.outputs[0]
    total = g.op("Neg", g.apply("SparseReduceSum", indices, g.op("Mul", y, dy, name="mul"), shape, [-1], keep_dims=True))
    return None, g.op("Mul", g.op("SparseDenseCwiseAdd", indices, dy, shape, total), y, name="mul"), None
