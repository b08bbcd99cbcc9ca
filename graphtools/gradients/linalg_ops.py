"""Gradients of matrix decompositions and solves."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import int32
from graphtools.gradients import gradient
from graphtools.gradients.walk import Emit
from graphtools.graph import Node


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
        [g.op("Shape", c, out_type=int32), g.const([1, 1], int32, "concat/values_1")],
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
        [g.op("Shape", node.outputs[0], out_type=int32), g.const([1, 1], int32, "concat/values_1")],
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
    from graphtools.dtypes import int64

    return g.op("MatrixBandPart", grad_a, g.const(bounds[0], int64), g.const(bounds[1], int64)), grad_b


@gradient("Cholesky")
def cholesky(g: Emit, node: Node, dy: Any) -> Any:
    """L^-T (lower half of L^T dy) L^-1, made symmetric (Murray 2016)."""
    from graphtools.dtypes import int64

    lower = node.outputs[0]
    middle = _mat_mul(g, lower, dy, adj_x=True)
    diagonal = g.op("MatrixDiagPart", middle)
    middle = g.op("MatrixSetDiag", middle, g.op("Mul", g.const(0.5, lower.dtype.base_dtype), diagonal))
    middle = g.op("MatrixBandPart", middle, g.const(-1, int64), g.const(0, int64))
    rank = len(lower.dims) if lower.dims is not None else 2
    swap = [*range(rank - 2), rank - 1, rank - 2]

    def transposed(x: Any) -> Any:
        return g.op("Transpose", x, g.const(swap, int32), name="transpose")

    half = g.op("MatrixTriangularSolve", lower, middle, lower=True, adjoint=True)
    grad = transposed(g.op("MatrixTriangularSolve", lower, transposed(half), lower=True, adjoint=True))
    return g.op("Mul", g.op("AddV2", grad, transposed(grad)), g.const(0.5, lower.dtype.base_dtype))
