"""Gradients of matrix decompositions and solves."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import int32
from graphtools.gradients import gradient
from graphtools.gradients.walk import Emit
from graphtools.graph import Node, Tensor


def _mat_mul(g: Emit, a: Any, b: Any, adj_x: bool = False, adj_y: bool = False) -> Any:
    if a.rank == 2 and b.rank == 2:
        return g.op("MatMul", a, b, transpose_a=adj_x, transpose_b=adj_y)
    return g.op("BatchMatMulV2", a, b, adj_x=adj_x, adj_y=adj_y, name="MatMul")


@gradient("MatrixInverse")
def matrix_inverse(g: Emit, node: Node, dy: Any) -> Any:
    """-A^-T dy A^-T"""
    inverse = node.outputs[0]
    return g.op("Neg", _mat_mul(g, inverse, _mat_mul(g, dy, inverse, adj_y=True), adj_x=True))


@gradient("MatrixDeterminant")
def matrix_determinant(g: Emit, node: Node, dy: Any) -> Any:
    a, c = node.inputs[0], node.outputs[0]
    inverse = g.op("MatrixInverse", a, adjoint=True)
    shape = g.op(
        "ConcatV2",
        [g.shape(c), g.const([1, 1], int32, "concat/values_1")],
        g.const(0, int32, "concat/axis"),
        name="concat",
    )
    return g.op("Mul", g.op("Reshape", g.op("Mul", dy, c, name="mul"), shape), inverse, name="mul_1")


@gradient("LogMatrixDeterminant")
def log_matrix_determinant(g: Emit, node: Node, dy: Any) -> Any:
    a = node.inputs[0]
    inverse = g.op("MatrixInverse", a, adjoint=True)
    shape = g.op(
        "ConcatV2",
        [g.shape(node.outputs[1]), g.const([1, 1], int32, "concat/values_1")],
        g.const(0, int32, "concat/axis"),
        name="concat",
    )
    return g.op("Mul", g.op("Reshape", dy[1], shape), inverse, name="mul")


@gradient("MatrixSolve")
def matrix_solve(g: Emit, node: Node, dy: Any) -> Any:
    a = node.inputs[0]
    adjoint, c = node.attr["adjoint"], node.outputs[0]
    grad_b = g.op("MatrixSolve", a, dy, adjoint=not adjoint)
    grad_a = g.op("Neg", _mat_mul(g, c, grad_b, adj_y=True) if adjoint else _mat_mul(g, grad_b, c, adj_y=True))
    return grad_a, grad_b


@gradient("MatrixTriangularSolve")
def matrix_triangular_solve(g: Emit, node: Node, dy: Any) -> Any:
    a = node.inputs[0]
    adjoint, lower, c = node.attr["adjoint"], node.attr["lower"], node.outputs[0]
    grad_b = g.op("MatrixTriangularSolve", a, dy, lower=lower, adjoint=not adjoint)
    grad_a = g.op("Neg", _mat_mul(g, c, grad_b, adj_y=True) if adjoint else _mat_mul(g, grad_b, c, adj_y=True))
    bounds = (-1, 0) if lower else (0, -1)
    return g.apply("MatrixBandPart", grad_a, *bounds), grad_b


@gradient("Cholesky")
def cholesky(g: Emit, node: Node, dy: Any) -> Any:
    """L^-T (lower half of L^T dy) L^-1, made symmetric (Murray 2016)."""
    lower = node.outputs[0]
    rows = g.item(g.shape(lower), -1)
    batch = g.item(g.shape(lower), slice(None, -2))
    inverse = g.op("MatrixTriangularSolve", lower, _eye(g, rows, batch, lower.dtype.base_dtype), lower=True, adjoint=False)
    middle = _mat_mul(g, lower, dy, adj_x=True)
    half = g.apply("Mul", 0.5, g.op("MatrixDiagPart", middle, name="diag_part"), name="mul")
    middle = g.op("MatrixSetDiag", middle, half, name="set_diag")
    middle = g.apply("MatrixBandPart", middle, -1, 0)
    grad = _mat_mul(g, _mat_mul(g, inverse, middle, adj_x=True), inverse)
    grad = g.op("AddV2", grad, _adjoint(g, grad), name="add")
    return g.apply("Mul", grad, 0.5, name="mul")


def _eye(g: Emit, rows: Tensor, batch: Tensor, dtype: Any) -> Tensor:
    """tf.eye of a number of rows and a batch shape given as tensors."""
    with g.graph.name_scope("eye"):
        least = g.op("Minimum", rows, rows)
        with g.graph.name_scope("concat") as inner:
            one = g.op("Pack", [least], axis=0, name="values_1")
            shape = g.op("ConcatV2", [batch, one], g.const(0, int32, "axis"), name=inner)
        result: Tensor = g.op("MatrixDiag", g.filled(shape, 1, dtype, "ones"), name="diag")
    return result


def _adjoint(g: Emit, x: Tensor) -> Tensor:
    """The last two dimensions exchanged."""
    if x.rank is None:
        raise LookupError(f"The gradient of {x.node.name!r} needs a matrix of known rank.")
    order = [*range(x.rank - 2), x.rank - 1, x.rank - 2]
    with g.graph.name_scope("adjoint"), g.graph.name_scope("matrix_transpose"):
        result: Tensor = g.apply("Transpose", x, order, name="transpose")
    return result
