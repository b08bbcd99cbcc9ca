"""Host kernels of the matrix ops, over the last two dimensions, in double precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphtools.graph import Node
from runtime.errors import InvalidArgumentError
from runtime.host import Run, host

Array = NDArray[Any]


def _wide(matrix: Array) -> Array:
    return matrix.astype(np.complex128 if matrix.dtype.kind == "c" else np.float64)


def _adjoint(matrix: Array) -> Array:
    return np.conj(np.swapaxes(matrix, -1, -2))


def _check_square(name: str, matrix: Array) -> None:
    if matrix.ndim < 2:
        raise InvalidArgumentError(None, None, f"{name} must have rank >= 2, got {matrix.ndim}")
    if matrix.shape[-1] != matrix.shape[-2]:
        raise InvalidArgumentError(None, None, f"{name} must be square, got shape {list(matrix.shape)}")


def _solve_or_refuse(solve: Callable[..., Array], *args: Array, refusal: str = "Input matrix is not invertible.") -> Array:
    try:
        return solve(*args)
    except np.linalg.LinAlgError as e:
        raise InvalidArgumentError(None, None, refusal) from e


@host("Cholesky", "BatchCholesky")
def cholesky(run: Run, node: Node, matrix: Array) -> Array:
    _check_square("Input matrix", matrix)
    try:
        return np.linalg.cholesky(_lower_hermitian(_wide(matrix))).astype(matrix.dtype)
    except np.linalg.LinAlgError as e:
        raise InvalidArgumentError(None, None, "Cholesky decomposition was not successful. The input might not be valid.") from e


def _lower_hermitian(matrix: Array) -> Array:
    """The Hermitian matrix with this one's lower triangle, which is all that TensorFlow reads."""
    lower = np.tril(matrix, -1)
    diagonal = np.einsum("...ii->...i", matrix).real
    return np.asarray(lower + _adjoint(lower) + diagonal[..., None] * np.eye(matrix.shape[-1]))


@host("CholeskyGrad", "BatchCholeskyGrad")
def cholesky_grad(run: Run, node: Node, factor: Array, gradient: Array) -> Array:
    """L^-H Phi(L^H dL) L^-1, made symmetric; Phi takes the lower triangle and half the diagonal."""
    lower, upstream = np.tril(_wide(factor)), np.tril(_wide(gradient))
    middle = np.tril(_adjoint(lower) @ upstream)
    middle -= 0.5 * np.einsum("...ii->...i", middle)[..., None] * np.eye(lower.shape[-1])
    left = np.linalg.solve(_adjoint(lower), middle)
    result = _adjoint(np.linalg.solve(_adjoint(lower), _adjoint(left)))
    return (0.5 * (result + _adjoint(result))).astype(factor.dtype)


@host("MatrixInverse", "BatchMatrixInverse")
def matrix_inverse(run: Run, node: Node, matrix: Array) -> Array:
    _check_square("Input matrix", matrix)
    inverse = _solve_or_refuse(np.linalg.inv, _wide(matrix), refusal="Input is not invertible.")
    return (_adjoint(inverse) if node.attr["adjoint"] else inverse).astype(matrix.dtype)


@host("MatrixDeterminant", "BatchMatrixDeterminant")
def matrix_determinant(run: Run, node: Node, matrix: Array) -> Array:
    _check_square("Input matrix", matrix)
    return np.asarray(np.linalg.det(_wide(matrix))).astype(matrix.dtype)


@host("LogMatrixDeterminant")
def log_matrix_determinant(run: Run, node: Node, matrix: Array) -> tuple[Array, Array]:
    _check_square("Input matrix", matrix)
    sign, logarithm = np.linalg.slogdet(_wide(matrix))
    return np.asarray(sign).astype(matrix.dtype), np.asarray(logarithm).astype(matrix.dtype)


@host("MatrixSolve", "BatchMatrixSolve")
def matrix_solve(run: Run, node: Node, matrix: Array, rhs: Array) -> Array:
    _check_square("Input matrix", matrix)
    system = _adjoint(_wide(matrix)) if node.attr["adjoint"] else _wide(matrix)
    return _solve_or_refuse(np.linalg.solve, system, _wide(rhs)).astype(matrix.dtype)


@host("MatrixTriangularSolve", "BatchMatrixTriangularSolve")
def matrix_triangular_solve(run: Run, node: Node, matrix: Array, rhs: Array) -> Array:
    _check_square("Input matrix", matrix)
    system, lower = _wide(matrix), node.attr["lower"]
    system = np.tril(system) if lower else np.triu(system)
    if (np.einsum("...ii->...i", system) == 0).any():
        raise InvalidArgumentError(None, None, "Input matrix is not invertible.")
    if node.attr["adjoint"]:
        system, lower = _adjoint(system), not lower
    batch = np.broadcast_shapes(system.shape[:-2], rhs.shape[:-2])
    size = system.shape[-1]
    found = np.empty((*batch, *rhs.shape[-2:]), np.result_type(system, _wide(rhs)))
    right = _wide(rhs)
    for row in range(size) if lower else range(size - 1, -1, -1):
        known = slice(0, row) if lower else slice(row + 1, size)
        done = system[..., row : row + 1, known] @ found[..., known, :]
        found[..., row, :] = (right[..., row, :] - done[..., 0, :]) / system[..., row, row, None]
    return found.astype(matrix.dtype)


@host("MatrixSolveLs", "BatchMatrixSolveLs")
def matrix_solve_ls(run: Run, node: Node, matrix: Array, rhs: Array, regularizer: Array) -> Array:
    """Fast: the normal equations, plus the regularizer. Otherwise the solution of least norm, without it."""
    a, b = _wide(matrix), _wide(rhs)
    rows, columns = a.shape[-2:]
    if not rows or not columns or not b.shape[-1]:
        return np.zeros((*a.shape[:-2], columns, b.shape[-1]), matrix.dtype)
    if not node.attr["fast"]:
        return (np.linalg.pinv(a) @ b).astype(matrix.dtype)
    weight = float(regularizer)
    if rows >= columns:
        gram = _adjoint(a) @ a + weight * np.eye(columns)
        return _solve_or_refuse(np.linalg.solve, gram, _adjoint(a) @ b).astype(matrix.dtype)
    gram = a @ _adjoint(a) + weight * np.eye(rows)
    return (_adjoint(a) @ _solve_or_refuse(np.linalg.solve, gram, b)).astype(matrix.dtype)


@host("Qr")
def qr(run: Run, node: Node, matrix: Array) -> tuple[Array, Array]:
    q, r = np.linalg.qr(_wide(matrix), mode="complete" if node.attr["full_matrices"] else "reduced")
    return q.astype(matrix.dtype), r.astype(matrix.dtype)


@host("Svd", "BatchSvd")
def svd(run: Run, node: Node, matrix: Array) -> tuple[Array, Array, Array]:
    none = np.empty(0, matrix.dtype)
    if not node.attr["compute_uv"]:
        return np.linalg.svd(_wide(matrix), compute_uv=False).astype(matrix.dtype), none, none
    u, s, v = np.linalg.svd(_wide(matrix), full_matrices=node.attr["full_matrices"])
    return s.astype(matrix.dtype), u.astype(matrix.dtype), _adjoint(v).astype(matrix.dtype)


@host("SelfAdjointEigV2", "BatchSelfAdjointEigV2")
def self_adjoint_eig_v2(run: Run, node: Node, matrix: Array) -> tuple[Array, Array]:
    _check_square("Input matrix", matrix)
    values, vectors = np.linalg.eigh(_wide(matrix), UPLO="L")
    kept = vectors.astype(matrix.dtype) if node.attr["compute_v"] else np.empty(0, matrix.dtype)
    return values.astype(matrix.dtype), kept


@host("SelfAdjointEig", "BatchSelfAdjointEig")
def self_adjoint_eig(run: Run, node: Node, matrix: Array) -> Array:
    """The eigenvalues as the first row, the eigenvectors below."""
    _check_square("Input matrix", matrix)
    values, vectors = np.linalg.eigh(_wide(matrix), UPLO="L")
    return np.concatenate([values[..., None, :], vectors], axis=-2).astype(matrix.dtype)


def _each_matrix(function: Callable[[Array], Array], matrix: Array) -> Array:
    _check_square("Input matrix", matrix)
    size = matrix.shape[-1]
    flat = _wide(matrix).reshape(-1, size, size)
    if not flat.size:
        return matrix.copy()
    return np.stack([function(m) for m in flat]).reshape(matrix.shape).astype(matrix.dtype)


# Numerator coefficients of the [13/13] Pade approximant of exp, lowest power first; the denominator's alternate in sign.
_PADE13 = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0, 10559470521600.0, 670442572800.0,
    33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip


def _exponential(matrix: Array) -> Array:
    norm = float(np.abs(matrix).sum(axis=0).max())
    halvings = max(0, int(np.ceil(np.log2(norm / 5.37)))) if norm > 0 else 0
    a = matrix / 2.0**halvings
    square, eye = a @ a, np.eye(len(a))
    odd, even, power = np.zeros_like(a), np.zeros_like(a), eye.astype(a.dtype)
    for i in range(0, 14, 2):
        even = even + _PADE13[i] * power
        odd = odd + _PADE13[i + 1] * power
        power = power @ square
    odd = a @ odd
    result = np.linalg.solve(even - odd, even + odd)
    for _ in range(halvings):
        result = result @ result
    return result


@host("MatrixExponential")
def matrix_exponential(run: Run, node: Node, matrix: Array) -> Array:
    return _each_matrix(_exponential, matrix)


def _square_root(matrix: Array) -> Array:
    """Denman and Beavers' product iteration, in complex numbers."""
    eye = np.eye(len(matrix))
    product = y = matrix.astype(np.complex128)
    for _ in range(60):
        inverse = _solve_or_refuse(np.linalg.inv, product)
        y = 0.5 * y @ (eye + inverse)
        product = 0.5 * (eye + 0.5 * (product + inverse))
        if np.abs(product - eye).max() < 1e-15:
            break
    return y


@host("MatrixSquareRoot")
def matrix_square_root(run: Run, node: Node, matrix: Array) -> Array:
    def root(m: Array) -> Array:
        y = _square_root(m)
        return y if matrix.dtype.kind == "c" else y.real

    return _each_matrix(root, matrix)


def _logarithm(matrix: Array) -> Array:
    """Square roots until the matrix is near the identity, then log(I + X) = integral of X (I + tX)^-1 over t of [0, 1]."""
    eye, roots = np.eye(len(matrix)), 0
    a = matrix.astype(np.complex128)
    while np.linalg.norm(a - eye, 1) > 0.25 and roots < 60:
        a, roots = _square_root(a), roots + 1
    x = a - eye
    nodes, weights = np.polynomial.legendre.leggauss(12)
    total = np.zeros_like(x)
    for t, weight in zip(0.5 * (nodes + 1), 0.5 * weights, strict=True):
        total += weight * np.linalg.solve(eye + t * x, x)
    return total * 2.0**roots


@host("MatrixLogarithm")
def matrix_logarithm(run: Run, node: Node, matrix: Array) -> Array:
    return _each_matrix(_logarithm, matrix)


@host("Lu")
def lu(run: Run, node: Node, matrix: Array) -> tuple[Array, Array]:
    """Unit lower and upper triangle in one matrix, and the rows' order: partial pivoting."""
    _check_square("Input matrix", matrix)
    size = matrix.shape[-1]
    factors = _wide(matrix).reshape(-1, size, size).copy()
    orders = np.tile(np.arange(size), (len(factors), 1))
    for m, order in zip(factors, orders, strict=True):
        for k in range(size):
            pivot = k + int(np.argmax(np.abs(m[k:, k])))
            if m[pivot, k] == 0:
                raise InvalidArgumentError(None, None, "Input is not invertible.")
            if pivot != k:
                m[[k, pivot]], order[[k, pivot]] = m[[pivot, k]], order[[pivot, k]]
            m[k + 1 :, k] /= m[k, k]
            m[k + 1 :, k + 1 :] -= np.outer(m[k + 1 :, k], m[k, k + 1 :])
    orders = orders.astype(node.attr["output_idx_type"].as_numpy_dtype)
    return factors.reshape(matrix.shape).astype(matrix.dtype), orders.reshape(matrix.shape[:-1])


@host("TridiagonalSolve")
def tridiagonal_solve(run: Run, node: Node, diagonals: Array, rhs: Array) -> Array:
    """The rows of `diagonals` are the super-, main and subdiagonal; the last entry of the first and the first of the last are not used."""
    wide = _wide(diagonals)
    size = wide.shape[-1]
    system = np.zeros((*wide.shape[:-2], size, size), wide.dtype)
    every = np.arange(size)
    system[..., every, every] = wide[..., 1, :]
    system[..., every[:-1], every[1:]] = wide[..., 0, :-1]
    system[..., every[1:], every[:-1]] = wide[..., 2, 1:]
    return _solve_or_refuse(np.linalg.solve, system, _wide(rhs)).astype(diagonals.dtype)
