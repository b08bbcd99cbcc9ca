"""Matrices: solving, decompositions, norms."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools import graph as base
from runtime.tf1 import array_ops, math_ops
from runtime.tf1.array_ops import eye, matrix_transpose
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.math_ops import matmul
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape


def _rows(x: Any, *axes: int) -> Any:
    """The sizes of some axes: a number where it is known, else a tensor."""
    found = []
    for axis in axes:
        size = None if x.dims is None else x.dims[axis]
        found.append(array_ops.shape(x)[axis] if size is None else size)
    return found


@export("linalg.logdet")
def logdet(matrix: Any, name: str | None = None) -> Any:
    """The logarithm of a positive definite matrix's determinant: twice the sum of the logarithms of its Cholesky factor's diagonal."""
    with name_scope(name, "logdet", [matrix]):
        factor = apply_op("Cholesky", None, input=matrix)
        diagonal = math_ops.real(array_ops.matrix_diag_part(factor))
        return 2.0 * math_ops.reduce_sum(apply_op("Log", None, x=diagonal), axis=[-1])


@export("linalg.slogdet")
def slogdet(input: Any, name: str | None = None) -> Any:
    return apply_op("LogMatrixDeterminant", name, input=input)


@export("linalg.logm")
def logm(input: Any, name: str | None = None) -> Any:
    return apply_op("MatrixLogarithm", name, input=input)


@export("linalg.adjoint")
def adjoint(matrix: Any, name: str | None = None) -> Any:
    with name_scope(name, "adjoint", [matrix]):
        return matrix_transpose(convert_to_tensor(matrix, name="matrix"), conjugate=True)


@export("cholesky_solve")
def cholesky_solve(chol: Any, rhs: Any, name: str | None = None) -> Any:
    """The solution of A X = rhs, from A's Cholesky factor."""
    with name_scope(name, "cholesky_solve", [chol, rhs]):
        y = apply_op("MatrixTriangularSolve", None, matrix=chol, rhs=rhs, adjoint=False, lower=True)
        return apply_op("MatrixTriangularSolve", None, matrix=chol, rhs=y, adjoint=True, lower=True)


@export("matrix_solve_ls")
def matrix_solve_ls(matrix: Any, rhs: Any, l2_regularizer: Any = 0.0, fast: bool = True, name: str | None = None) -> Any:
    """The least squares solution, by the normal equations where `fast` and where that is not slower than the op."""
    matrix = convert_to_tensor(matrix, name="matrix")
    if matrix.dtype.name == "complex128" and l2_regularizer != 0:
        raise NotImplementedError("matrix_solve_ls is currently disabled for complex128 and l2_regularizer != 0 due to poor accuracy.")
    if not _by_normal_equations(matrix, fast):
        return apply_op("MatrixSolveLs", name, matrix=matrix, rhs=rhs, l2_regularizer=l2_regularizer, fast=fast)
    with name_scope(name, "matrix_solve_ls", [matrix, rhs, l2_regularizer]):

        def tall() -> Any:
            factor = _gramian_factor(matrix, l2_regularizer, True)
            return cholesky_solve(factor, matmul(matrix, rhs, adjoint_a=True))

        def wide() -> Any:
            factor = _gramian_factor(matrix, l2_regularizer, False)
            return matmul(matrix, cholesky_solve(factor, rhs), adjoint_a=True)

        if matrix.dims is not None and None not in matrix.dims[-2:]:
            return tall() if matrix.dims[-2] >= matrix.dims[-1] else wide()
        from runtime.tf1.control_flow import cond

        sizes = array_ops.shape(matrix)[-2:]
        return cond(sizes[-2] >= sizes[-1], tall, wide)


_LEVEL_2_CACHE = 256000  # bytes, as TensorFlow guesses


def _by_normal_equations(matrix: Any, fast: bool) -> bool:
    if fast is False:
        return False
    if matrix.dims is None or None in matrix.dims:
        return True
    batches = int(np.prod(matrix.dims[:-2], dtype=np.int64))
    in_bytes = int(np.prod(matrix.dims, dtype=np.int64)) * matrix.dtype.size
    return not (in_bytes > _LEVEL_2_CACHE and batches > min(matrix.dims[-2:]))


def _gramian_factor(matrix: Any, l2_regularizer: Any, first_kind: bool) -> Any:
    """The Cholesky factor of A'A + l2 I, or of A A' + l2 I."""
    gramian = matmul(matrix, matrix, adjoint_a=first_kind, adjoint_b=not first_kind)
    if isinstance(l2_regularizer, base.Tensor) or l2_regularizer != 0:
        sizes = array_ops.shape(matrix)
        batch = sizes[:-2]
        small = sizes[-1] if first_kind else sizes[-2]
        identity = eye(small, batch_shape=batch, dtype=matrix.dtype)
        known = matrix.shape[-1 if first_kind else -2]
        identity.set_shape(matrix.shape[:-2].concatenate([known, known]))
        gramian = gramian + l2_regularizer * identity
    return apply_op("Cholesky", None, input=gramian)


@export("self_adjoint_eig")
def self_adjoint_eig(tensor: Any, name: str | None = None) -> Any:
    values, vectors = apply_op("SelfAdjointEigV2", name, input=tensor, compute_v=True)
    return values, vectors


@export("self_adjoint_eigvals")
def self_adjoint_eigvals(tensor: Any, name: str | None = None) -> Any:
    return apply_op("SelfAdjointEigV2", name, input=tensor, compute_v=False)[0]


@export("svd")
def svd(tensor: Any, full_matrices: bool = False, compute_uv: bool = True, name: str | None = None) -> Any:
    """(s, u, v), the singular values first, or s alone."""
    s, u, v = apply_op("Svd", name, input=tensor, compute_uv=compute_uv, full_matrices=full_matrices)
    return (math_ops.real(s), u, v) if compute_uv else math_ops.real(s)


@export("norm")
def norm(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: Any = None, name: str | None = None, keep_dims: Any = None
) -> Any:
    """The norm of vectors (one axis, or all elements) or of matrices (two axes)."""
    keep = keepdims if keepdims is not None else bool(keep_dims)
    of_matrix = isinstance(axis, tuple | list) and len(axis) == 2
    if of_matrix:
        axis = tuple(axis)
        if not all(isinstance(a, int) for a in axis) or axis[0] == axis[1]:
            raise ValueError("'axis' must be None, an integer, or a tuple of 2 unique integers")
        allowed = ["euclidean", "fro", 1, 2, np.inf]
        if ord not in allowed:
            raise ValueError(f"'ord' must be a supported matrix norm in {allowed}, got {ord}")
    else:
        if not (isinstance(axis, int) or axis is None):
            raise ValueError("'axis' must be None, an integer, or a tuple of 2 unique integers")
        if (isinstance(ord, str) and ord != "euclidean") or (not isinstance(ord, str) and (not np.isreal(ord) or ord <= 0)):
            raise ValueError(f"'ord' must be a supported vector norm, got {ord}")
        axis = None if axis is None else (axis,)
    with name_scope(name, "norm", [tensor]):
        tensor = convert_to_tensor(tensor)
        if of_matrix and ord in (2, 2.0):
            result = _spectral(tensor, axis)
        elif ord in ("fro", "euclidean", 2, 2.0):
            result = math_ops.sqrt(math_ops.reduce_sum(tensor * math_ops.conj(tensor), axis, keepdims=True))
        else:
            result = math_ops.abs_(tensor)
            if ord == 1:
                result = math_ops.reduce_sum(result, None if axis is None else axis[0], keepdims=True)
                if of_matrix:
                    result = math_ops.reduce_max(result, axis[-1], keepdims=True)
            elif ord == np.inf:
                if of_matrix:
                    result = math_ops.reduce_sum(result, axis[1], keepdims=True)
                result = math_ops.reduce_max(result, None if axis is None else axis[0], keepdims=True)
            else:
                powers = math_ops.reduce_sum(math_ops.pow_(result, ord), axis, keepdims=True)
                result = math_ops.pow_(powers, 1.0 / ord)
        return result if keep else array_ops.squeeze(result, axis)


def _spectral(tensor: Any, axis: tuple[int, int]) -> Any:
    """The largest singular value of the matrices on these axes."""
    rank = tensor.rank
    if rank is None:
        raise ValueError("The spectral norm needs a tensor of known rank.")
    last = [a % rank for a in axis]
    before = [a for a in np.arange(rank).tolist() if a not in last] + last
    after = [before.index(a) for a in np.arange(rank).tolist()]
    values = apply_op("Svd", None, input=array_ops.transpose(tensor, perm=before), compute_uv=False)[0]
    largest = array_ops.expand_dims(math_ops.reduce_max(math_ops.abs_(values), axis=-1, keepdims=True), axis=-1)
    return array_ops.transpose(largest, perm=after)


@export("linalg.normalize")
def normalize(tensor: Any, ord: Any = "euclidean", axis: Any = None, name: str | None = None) -> Any:
    with name_scope(name, "normalize", [tensor]):
        tensor = convert_to_tensor(tensor)
        length = norm(tensor, ord, axis, keepdims=True)
        return tensor / math_ops.cast(length, tensor.dtype), length


@export("linalg.matvec")
def matvec(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    adjoint_a: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Any:
    with name_scope(name, "MatVec", [a, b]):
        product = matmul(
            a,
            array_ops.expand_dims(b, axis=-1),
            transpose_a=transpose_a,
            adjoint_a=adjoint_a,
            a_is_sparse=a_is_sparse,
            b_is_sparse=b_is_sparse,
        )
        return array_ops.squeeze(product, axis=-1)


def _check_matrix(a: Any, validate_args: bool) -> Any:
    if not a.dtype.is_floating:
        raise TypeError(f"Input `a` must have `float`-like `dtype` (saw {a.dtype.name}).")
    if a.rank is not None:
        if a.rank < 2:
            raise ValueError(f"Input `a` must have at least 2 dimensions (saw: {a.rank}).")
        return a
    if not validate_args:
        return a
    from runtime.tf1.check_ops import assert_rank_at_least

    with get_default_graph().control_dependencies([assert_rank_at_least(a, 2, message="Input `a` must have at least 2 dimensions.")]):
        return array_ops.identity(a)


@export("linalg.matrix_rank")
def matrix_rank(a: Any, tol: Any = None, validate_args: bool = False, name: str | None = None) -> Any:
    """How many singular values exceed `tol`."""
    with name_scope(name or "matrix_rank"):
        a = _check_matrix(convert_to_tensor(a, dtype_hint="float32", name="a"), validate_args)
        s = svd(a, compute_uv=False)
        if tol is None:
            known = a.dims is not None and None not in a.dims[-2:]
            largest = max(a.dims[-2:]) if known else math_ops.reduce_max(array_ops.shape(a)[-2:])
            tol = np.finfo(a.dtype.as_numpy_dtype).eps * math_ops.cast(largest, a.dtype) * math_ops.reduce_max(s, axis=-1, keepdims=True)
        return math_ops.reduce_sum(math_ops.cast(s > tol, "int32"), axis=-1)


@export("linalg.pinv")
def pinv(a: Any, rcond: Any = None, validate_args: bool = False, name: str | None = None) -> Any:
    """The Moore-Penrose pseudo-inverse; singular values below rcond times the largest count as zero."""
    with name_scope(name or "pinv"):
        a = _check_matrix(convert_to_tensor(a, name="a"), validate_args)
        kind = a.dtype.as_numpy_dtype
        if rcond is None:
            rows, columns = _rows(a, -2, -1)
            if isinstance(rows, base.Tensor) or isinstance(columns, base.Tensor):
                longest = math_ops.cast(math_ops.maximum(rows, columns), a.dtype)
            else:
                longest = float(max(rows, columns))
            rcond = 10.0 * longest * float(np.finfo(kind).eps)
        rcond = convert_to_tensor(rcond, dtype=a.dtype, name="rcond")
        s, u, v = svd(a, full_matrices=False, compute_uv=True)
        cutoff = rcond * math_ops.reduce_max(s, axis=-1)
        s = apply_op("SelectV2", None, condition=s > array_ops.expand_dims(cutoff, -1), t=s, e=np.array(np.inf, kind))
        result = matmul(v / array_ops.expand_dims(s, -2), u, adjoint_b=True)
        if a.dims is not None:
            result.set_shape(TensorShape(a.dims[:-2]).concatenate([a.dims[-1], a.dims[-2]]))
        return result


# Degree of a Pade approximant of the exponential -> its coefficients, constant first.
PADE = {
    3: (120.0, 60.0, 12.0),
    5: (30240.0, 15120.0, 3360.0, 420.0, 30.0),
    7: (17297280.0, 8648640.0, 1995840.0, 277200.0, 25200.0, 1512.0, 56.0),
    9: (17643225600.0, 8821612800.0, 2075673600.0, 302702400.0, 30270240.0, 2162160.0, 110880.0, 3960.0, 90.0),
    13: (
        64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0, 10559470521600.0, 670442572800.0,
        33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0,
    ),
}  # fmt: skip


def _pade(matrix: Any, degree: int) -> tuple[Any, Any]:
    """The odd and the even part of the approximant's numerator (its denominator is their difference)."""
    b = [constant(c, matrix.dtype) for c in PADE[degree]]
    identity = eye(array_ops.shape(matrix)[-2], batch_shape=array_ops.shape(matrix)[:-2], dtype=matrix.dtype)
    powers = {2: matmul(matrix, matrix)}
    for n in (4, 6, 8):
        if n < min(degree, 8 if degree == 13 else degree):
            powers[n] = matmul(powers[n - 2], powers[2])
    if degree == 13:
        inner = matmul(powers[6], powers[6] + b[11] * powers[4] + b[9] * powers[2])
        odd = matmul(matrix, inner + b[7] * powers[6] + b[5] * powers[4] + b[3] * powers[2] + b[1] * identity)
        even = matmul(powers[6], b[12] * powers[6] + b[10] * powers[4] + b[8] * powers[2])
        return odd, even + b[6] * powers[6] + b[4] * powers[4] + b[2] * powers[2] + b[0] * identity
    top = degree - 1
    inner = powers[top]
    for n in sorted(powers, reverse=True)[1:]:
        inner = inner + b[n + 1] * powers[n]
    odd = matmul(matrix, inner + b[1] * identity)
    even = b[top] * powers[top]
    for n in sorted(powers, reverse=True)[1:]:
        even = even + b[n] * powers[n]
    return odd, even + b[0] * identity


# Single or double precision -> the norm that needs no squaring, and up to which norms each lower approximant is exact.
PADE_BOUNDS = {
    "float32": (3.925724783138660, (4.258730016922831e-01, 1.880152677804762e00), (3, 5, 7)),
    "float64": (
        5.371920351148152, (1.495585217958292e-002, 2.539398330063230e-001, 9.504178996162932e-001, 2.097847961257068e000), (3, 5, 7, 9, 13)
    ),
}  # fmt: skip


@export("linalg.expm")
def matrix_exponential(input: Any, name: str | None = None) -> Any:
    """The matrix exponential by scaling and squaring (Higham 2005)."""
    from runtime.tf1.control_flow import while_loop

    with name_scope(name, "matrix_exponential", [input]):
        matrix = convert_to_tensor(input, name="input")
        if matrix.dims is not None and matrix.dims[-2:] == (0, 0):
            return matrix
        kind = {"float16": "float32", "complex64": "float32", "complex128": "float64"}.get(matrix.dtype.name, matrix.dtype.name)
        if kind not in PADE_BOUNDS:
            raise ValueError(f"tf.linalg.expm does not support matrices of type {matrix.dtype}")
        original = matrix.dims
        batch = array_ops.shape(matrix)[:-2]
        matrix = array_ops.reshape(matrix, array_ops.concat(([-1], array_ops.shape(matrix)[-2:]), axis=0))
        sums = math_ops.reduce_sum(math_ops.abs_(matrix), axis=array_ops.size(array_ops.shape(matrix)) - 2)
        l1 = math_ops.reduce_max(sums, axis=-1)
        bound, limits, degrees = PADE_BOUNDS[kind]

        def number(x: float) -> Any:
            return constant(x, l1.dtype)

        halvings = apply_op("Log", None, x=l1 / number(bound)) / apply_op("Log", None, x=number(2.0))
        squarings = math_ops.maximum(apply_op("Floor", None, x=halvings), 0)
        parts = [_pade(matrix, d) for d in degrees[:-1]]
        scale = math_ops.pow_(constant(2.0, dtype=matrix.dtype), math_ops.cast(squarings, matrix.dtype))
        parts.append(_pade(matrix / scale[..., None, None], degrees[-1]))

        def choose(values: list[Any]) -> Any:
            chosen = values[-1]
            for limit, value in zip(reversed(limits), reversed(values[:-1]), strict=True):
                chosen = array_ops.where(math_ops.less(l1, number(limit)), value, chosen)
            return chosen

        odd, even = choose([p[0] for p in parts]), choose([p[1] for p in parts])
        result = apply_op("MatrixSolve", None, matrix=-odd + even, rhs=odd + even)
        most = math_ops.reduce_max(squarings)
        _, result = while_loop(
            lambda i, r: math_ops.less(i, most),
            lambda i, r: (i + 1, array_ops.where(math_ops.less(i, squarings), matmul(r, r), r)),
            [number(0.0), result],
        )
        if original is None or None in original:
            return array_ops.reshape(result, array_ops.concat((batch, array_ops.shape(result)[-2:]), axis=0))
        return array_ops.reshape(result, original)


@export("linalg.tridiagonal_matmul")
def tridiagonal_matmul(diagonals: Any, rhs: Any, diagonals_format: str = "compact", name: str | None = None) -> Any:
    above, main, below = _three_diagonals(diagonals, diagonals_format)
    return apply_op(
        "TridiagonalMatMul", name, superdiag=array_ops.expand_dims(above, -2), maindiag=array_ops.expand_dims(main, -2),
        subdiag=array_ops.expand_dims(below, -2), rhs=rhs,
    )  # fmt: skip


def _three_diagonals(diagonals: Any, diagonals_format: str) -> tuple[Any, Any, Any]:
    if diagonals_format == "compact":
        diagonals = convert_to_tensor(diagonals)
        return diagonals[..., 0, :], diagonals[..., 1, :], diagonals[..., 2, :]
    if diagonals_format == "sequence":
        if not isinstance(diagonals, list | tuple) or len(diagonals) != 3:
            raise ValueError("Expected diagonals to be a sequence of length 3.")
        above, main, below = (convert_to_tensor(d) for d in diagonals)
        size = main.dims[-1]

        def padded(t: Any, where: tuple[int, int]) -> Any:
            if t.dims[-1] in (None, size):
                return t
            if t.dims[-1] == size - 1:
                return array_ops.pad(t, [[0, 0]] * (t.rank - 1) + [list(where)])
            raise ValueError(f"Expected a diagonal of length {size} or {size - 1}, got {t.dims[-1]}.")

        return padded(above, (0, 1)), main, padded(below, (1, 0))
    if diagonals_format == "matrix":
        matrix = convert_to_tensor(diagonals)
        m = matrix.dims[-1] or matrix.dims[-2]
        if not m:
            raise ValueError('The size of the matrix needs to be known for diagonals_format="matrix"')
        flipped = array_ops.transpose(matrix)
        above = array_ops.transpose(array_ops.gather_nd(flipped, [[i + 1, i] for i in np.arange(m - 1).tolist()] + [[0, 0]]))
        below = array_ops.transpose(array_ops.gather_nd(flipped, [[0, 0]] + [[i - 1, i] for i in np.arange(1, m).tolist()]))
        return above, array_ops.matrix_diag_part(matrix), below
    raise ValueError(f"Unrecognized diagonals_format: {diagonals_format}")


@export("linalg.tridiagonal_solve")
def tridiagonal_solve(
    diagonals: Any, rhs: Any, diagonals_format: str = "compact", transpose_rhs: bool = False, conjugate_rhs: bool = False, name: str | None = None,
    partial_pivoting: bool = True,
) -> Any:  # fmt: skip
    if diagonals_format != "compact":
        diagonals = array_ops.stack(_three_diagonals(diagonals, diagonals_format), axis=-2)
    diagonals, rhs = convert_to_tensor(diagonals), convert_to_tensor(rhs)
    if diagonals.rank < 2:
        raise ValueError(f"Expected diagonals to have rank at least 2, got {diagonals.rank}")
    if rhs.rank not in (diagonals.rank, diagonals.rank - 1):
        raise ValueError(f"Expected the rank of rhs to be {diagonals.rank - 1} or {diagonals.rank}, got {rhs.rank}")
    as_vector = rhs.rank == diagonals.rank - 1
    if as_vector:
        rhs = array_ops.expand_dims(math_ops.conj(rhs) if conjugate_rhs else rhs, -1)
    elif transpose_rhs:
        rhs = matrix_transpose(rhs, conjugate=conjugate_rhs)
    elif conjugate_rhs:
        rhs = math_ops.conj(rhs)
    result = apply_op("TridiagonalSolve", name, diagonals=diagonals, rhs=rhs, partial_pivoting=partial_pivoting)
    if as_vector:
        return array_ops.squeeze(result, -1)
    return matrix_transpose(result) if transpose_rhs else result
