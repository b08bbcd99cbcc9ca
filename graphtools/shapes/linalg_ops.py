"""Static shapes of linear algebra: diagonals, bands, decompositions and solvers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphtools.errors import ShapeError
from graphtools.graph import Dims, Node
from graphtools.shapes import shape
from graphtools.shapes.dims import at_least, join, merge, merge_dim, merge_prefix, scalar, value, with_rank


def _square(dims: Dims) -> tuple[Dims, int | None]:
    """The batch dims and the size of square matrices."""
    at_least(dims, 2)
    if dims is None:
        return None, None
    return dims[:-2], merge_dim(dims[-2], dims[-1])


@shape(
    "BatchCholesky",
    "BatchMatrixInverse",
    "Cholesky",
    "MatrixExponential",
    "MatrixInverse",
    "MatrixLogarithm",
    "MatrixSquareRoot",
    "CholeskyGrad",
    "BatchCholeskyGrad",
)
def square(node: Node) -> Sequence[Dims]:
    batch, size = _square(node.inputs[0].dims)
    return [join(batch, (size, size))]


@shape("BatchMatrixDeterminant", "MatrixDeterminant")
def determinant(node: Node) -> Sequence[Dims]:
    return [_square(node.inputs[0].dims)[0]]


@shape("LogMatrixDeterminant")
def log_determinant(node: Node) -> Sequence[Dims]:
    return [_square(node.inputs[0].dims)[0]] * 2


@shape("BatchMatrixSolve", "BatchMatrixTriangularSolve", "MatrixSolve", "MatrixTriangularSolve")
def solve(node: Node) -> Sequence[Dims]:
    batch, size = _square(node.inputs[0].dims)
    right = at_least(node.inputs[1].dims, 2)
    if right is None or batch is None:
        return [None if batch is None else (*batch, size, None)]
    return [join(merge(batch, right[:-2]), (merge_dim(size, right[-2]), right[-1]))]


@shape("BatchMatrixSolveLs", "MatrixSolveLs")
def solve_ls(node: Node) -> Sequence[Dims]:
    left, right = at_least(node.inputs[0].dims, 2), at_least(node.inputs[1].dims, 2)
    if left is None or right is None:
        return [None]
    merge_dim(left[-2], right[-2])
    return [join(merge(left[:-2], right[:-2]), (left[-1], right[-1]))]


@shape("SelfAdjointEig", "BatchSelfAdjointEig")
def self_adjoint_eig(node: Node) -> Sequence[Dims]:
    batch, size = _square(node.inputs[0].dims)
    return [join(batch, (None if size is None else size + 1, size))]


@shape("SelfAdjointEigV2", "BatchSelfAdjointEigV2", "Eig")
def self_adjoint_eig_v2(node: Node) -> Sequence[Dims]:
    batch, size = _square(node.inputs[0].dims)
    return [join(batch, (size,)), join(batch, (size, size)) if node.attr["compute_v"] else (0,)]


@shape("Qr")
def qr(node: Node) -> Sequence[Dims]:
    dims = at_least(node.inputs[0].dims, 2)
    if dims is None:
        return [None, None]
    m, n = dims[-2:]
    p = None if m is None or n is None else min(m, n)
    if node.attr["full_matrices"]:
        return [(*dims[:-2], m, m), (*dims[:-2], m, n)]
    return [(*dims[:-2], m, p), (*dims[:-2], p, n)]


@shape("Svd", "BatchSvd")
def svd(node: Node) -> Sequence[Dims]:
    dims = at_least(node.inputs[0].dims, 2)
    if dims is None:
        return [None, None, None] if node.attr["compute_uv"] else [None, (0,), (0,)]
    m, n = dims[-2:]
    p = None if m is None or n is None else min(m, n)
    if not node.attr["compute_uv"]:
        return [(*dims[:-2], p), (0,), (0,)]
    if node.attr["full_matrices"]:
        return [(*dims[:-2], p), (*dims[:-2], m, m), (*dims[:-2], n, n)]
    return [(*dims[:-2], p), (*dims[:-2], m, p), (*dims[:-2], n, p)]


@shape("Lu")
def lu(node: Node) -> Sequence[Dims]:
    batch, size = _square(node.inputs[0].dims)
    return [join(batch, (size, size)), join(batch, (size,))]


@shape("BatchMatrixBandPart", "MatrixBandPart")
def band_part(node: Node) -> Sequence[Dims]:
    return [node.inputs[0].dims]


@shape("BatchMatrixDiag", "MatrixDiag")
def matrix_diag(node: Node) -> Sequence[Dims]:
    dims = at_least(node.inputs[0].dims, 1)
    return [None if dims is None else (*dims, dims[-1])]


@shape("BatchMatrixDiagPart", "MatrixDiagPart")
def matrix_diag_part(node: Node) -> Sequence[Dims]:
    dims = at_least(node.inputs[0].dims, 2)
    if dims is None:
        return [None]
    size = None if dims[-1] is None or dims[-2] is None else min(dims[-2:])  # type: ignore[type-var]
    return [(*dims[:-2], size)]


@shape("BatchMatrixSetDiag", "MatrixSetDiag")
def matrix_set_diag(node: Node) -> Sequence[Dims]:
    dims, diagonal = at_least(node.inputs[0].dims, 2), at_least(node.inputs[1].dims, 1)
    if dims is None or diagonal is None:
        return [dims]
    size = None if dims[-1] is None or dims[-2] is None else min(dims[-2:])  # type: ignore[type-var]
    with_rank(diagonal, len(dims) - 1)
    merge(diagonal[:-1], dims[:-2])
    merge_dim(size, diagonal[-1])
    return [dims]


def _band(node: Node, index: int) -> tuple[int, int] | None:
    """The lowest and highest diagonal that `k` names."""
    k = value(node, index)
    if k is None:
        return None
    flat = np.ravel(k).tolist()
    if len(flat) not in (1, 2):
        raise ShapeError(f"diag_index must be a vector with one or two elements. It has {len(flat)} elements.")
    if flat[-1] < flat[0]:
        raise ShapeError(f"lower_diag_index is greater than upper_diag_index: {flat[0]} > {flat[-1]}")
    return int(flat[0]), int(flat[-1])


@shape("MatrixDiagV2", "MatrixDiagV3")
def matrix_diag_v2(node: Node) -> Sequence[Dims]:
    """Rows and columns not given are as small as the diagonals allow."""
    dims = at_least(node.inputs[0].dims, 1)
    band = _band(node, 1)
    if dims is None:
        return [None]
    if band is None:
        return [None]
    low, high = band
    single = low == high
    if not single and len(dims) < 2:
        at_least(dims, 2)
    if not single:
        merge_dim(dims[-2], high - low + 1)
    batch = dims[:-1] if single else dims[:-2]
    rows, columns = scalar(node, 2), scalar(node, 3)
    length = dims[-1]
    if value(node, 2) is None or value(node, 3) is None or length is None:
        return [(*batch, None if rows == -1 else rows, None if columns == -1 else columns)]
    least_rows, least_columns = length - min(high, 0), length + max(low, 0)
    if rows == -1 and columns == -1:
        rows = columns = max(least_rows, least_columns)
    elif rows == -1:
        rows = least_rows
    elif columns == -1:
        columns = least_columns
    return [(*batch, rows, columns)]


def _diagonal(rows: int | None, columns: int | None, low: int, high: int) -> int | None:
    """The length of the longest diagonal of a band."""
    if rows is None or columns is None:
        return None
    return min(rows + min(high, 0), columns - max(low, 0))


@shape("MatrixDiagPartV2", "MatrixDiagPartV3")
def matrix_diag_part_v2(node: Node) -> Sequence[Dims]:
    dims = at_least(node.inputs[0].dims, 2)
    band = _band(node, 1)
    if dims is None or band is None:
        return [None]
    low, high = band
    longest = _diagonal(dims[-2], dims[-1], low, high)
    return [(*dims[:-2], longest) if low == high else (*dims[:-2], high - low + 1, longest)]


@shape("MatrixSetDiagV2", "MatrixSetDiagV3")
def matrix_set_diag_v2(node: Node) -> Sequence[Dims]:
    dims = at_least(node.inputs[0].dims, 2)
    at_least(node.inputs[1].dims, 1)
    _band(node, 2)
    return [dims]


@shape("Diag")
def diag(node: Node) -> Sequence[Dims]:
    dims = node.inputs[0].dims
    if dims is not None and not dims:
        at_least(dims, 1)
    return [join(dims, dims)]


@shape("DiagPart")
def diag_part(node: Node) -> Sequence[Dims]:
    dims = node.inputs[0].dims
    if dims is None:
        return [None]
    if len(dims) % 2 or not dims:
        raise ShapeError(f"Input must have even and non-zero rank, input rank is {len(dims)}")
    return [merge(dims[: len(dims) // 2], dims[len(dims) // 2 :])]


@shape("TridiagonalSolve")
def tridiagonal_solve(node: Node) -> Sequence[Dims]:
    return [node.inputs[1].dims]


@shape("TridiagonalMatMul")
def tridiagonal_mat_mul(node: Node) -> Sequence[Dims]:
    return [merge_prefix(node.inputs[3].dims, ())[0]]
