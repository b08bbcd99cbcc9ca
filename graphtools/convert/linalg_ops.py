"""Linear algebra: diagonals, bands, determinants, inverses, factorizations and solvers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.complex_numbers import by_parts
from graphtools.convert.matrix_ops import transposed
from graphtools.dtypes import bool_, float32, float64, int32, int64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

ZERO, ONE = np.int64(0), np.int64(1)
SCALAR = np.zeros(0, np.int64)
TRILU = (float32, float64, int32, int64)  # the dtypes of ONNX Runtime's Trilu that can be fed a shape


def size_of(op: Builder, x: Value, axis: int) -> Value:
    """One size of a tensor as an int64 scalar; the axis counts from the end."""
    stop = axis + 1 if axis != -1 else None
    result: Value = op.Reshape(op.Shape(x, start=axis, end=stop), SCALAR)
    return result


def _grid(op: Builder, rows: Value, columns: Value) -> tuple[Value, Value]:
    """Row and column numbers of a matrix, ready to broadcast."""
    return op.Unsqueeze(op.Range(ZERO, rows, ONE), [1]), op.Unsqueeze(op.Range(ZERO, columns, ONE), [0])


# -- bands and diagonals -----------------------------------------------------------------------------------------------


@converts("BatchMatrixBandPart", "MatrixBandPart")
@by_parts
def matrix_band_part(op: Builder, node: NodeView) -> Any:
    """Keep `num_lower` diagonals below the main one and `num_upper` above; a negative number keeps all."""
    x, lower, upper = node.inputs
    lower, upper = op.cast(lower, int64), op.cast(upper, int64)
    if lower.const is not None and upper.const is not None and x.dtype in TRILU:
        if upper.const >= 0:
            x = op.Trilu(x, upper, upper=0)
        return op.Trilu(x, op.Neg(lower), upper=1) if lower.const >= 0 else x
    i, j = _grid(op, size_of(op, x, -2), size_of(op, x, -1))
    below = op.Or(op.Less(lower, ZERO), op.LessOrEqual(op.Sub(i, j), lower))
    above = op.Or(op.Less(upper, ZERO), op.LessOrEqual(op.Sub(j, i), upper))
    return op.Where(op.And(below, above), x, op.const(0, x.dtype))


class Band:
    """Where the elements of the diagonals low..high of a matrix are kept in a tensor [diagonals, length].

    Diagonal d is row high - d of it. It starts at the left, or ends at the right when aligned so:
    column = (matrix column - max(d, 0)) + offset, offset = length - length of d for right alignment, else 0.
    """

    def __init__(self, op: Builder, node: NodeView, k: Value | None, *, single: bool) -> None:
        self.single = single
        align = str(node.attr.get("align") or "LEFT_LEFT")
        self.right_above, self.right_below = align.startswith("RIGHT"), align.endswith("RIGHT")
        flat = op.const([0]) if k is None else op.Reshape(op.cast(k, int64), [-1])
        self.low = op.Reshape(op.Slice(flat, [0], [1]), SCALAR)
        self.high = op.Reshape(op.Slice(flat, [-1], [np.iinfo(np.int64).max]), SCALAR)

    def length(self, op: Builder, rows: Value, columns: Value) -> Value:
        """The length of the longest diagonal."""
        result: Value = op.Min(op.Add(rows, op.Min(self.high, ZERO)), op.Sub(columns, op.Max(self.low, ZERO)))
        return result

    def offset(self, op: Builder, d: Value, rows: Value, columns: Value, length: Value) -> Value:
        if not self.right_above and not self.right_below:
            zero: Value = op.const(ZERO)
            return zero
        own = op.Min(op.Sub(columns, op.Max(d, ZERO)), op.Add(rows, op.Min(d, ZERO)))
        short = op.Sub(length, own)
        if self.right_above and self.right_below:
            both: Value = short
            return both
        right = op.GreaterOrEqual(d, ZERO) if self.right_above else op.LessOrEqual(d, ZERO)
        result: Value = op.Where(right, short, ZERO)
        return result

    def of_matrix(self, op: Builder, rows: Value, columns: Value, length: Value) -> tuple[Value, Value]:
        """For each place of the matrix whether it is on the band, and its flat position in the diagonals."""
        i, j = _grid(op, rows, columns)
        d = op.Sub(j, i)
        inside = op.And(op.GreaterOrEqual(d, self.low), op.LessOrEqual(d, self.high))
        column = op.Add(op.Sub(op.Add(j, op.Mul(i, ZERO)), op.Max(d, ZERO)), self.offset(op, d, rows, columns, length))
        place = op.Add(op.Mul(op.Sub(self.high, d), length), column)
        return inside, op.Where(inside, place, ZERO)

    def of_diagonals(self, op: Builder, rows: Value, columns: Value, length: Value) -> tuple[Value, Value]:
        """For each place of the diagonals whether the matrix has it, and its flat position in the matrix."""
        m, n = _grid(op, op.Add(op.Sub(self.high, self.low), ONE), length)
        d = op.Sub(self.high, m)
        shifted = op.Sub(n, self.offset(op, d, rows, columns, length))
        i, j = op.Add(shifted, op.Max(op.Neg(d), ZERO)), op.Add(shifted, op.Max(d, ZERO))
        inside = op.And(op.GreaterOrEqual(shifted, ZERO), op.And(op.Less(i, rows), op.Less(j, columns)))
        place = op.Where(inside, op.Add(op.Mul(i, columns), j), ZERO)
        if self.single:
            inside, place = op.Reshape(inside, [-1]), op.Reshape(place, [-1])
        return inside, place


def _flat_matrix(op: Builder, x: Value) -> Value:
    """The last two axes as one."""
    batch = op.Shape(x, end=-2)
    size = op.ReduceProd(op.Shape(x, start=-2), keepdims=1)
    result: Value = op.Reshape(x, op.Concat(batch, size, axis=0), allowzero=1)
    if result.rank is None and x.rank is not None:
        result.dims = (None,) * (x.rank - 1)
    return result


def _take(op: Builder, flat: Value, place: Value) -> Value:
    result: Value = op.Gather(flat, place, axis=-1 if flat.rank is None else flat.rank - 1)
    return result


@converts("BatchMatrixDiag", "MatrixDiag")
@by_parts
def matrix_diag(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    i, j = _grid(op, size_of(op, x, -1), size_of(op, x, -1))
    return op.Where(op.Equal(i, j), op.Unsqueeze(x, [-1]), op.const(0, x.dtype))


@converts("MatrixDiagV2", "MatrixDiagV3")
@by_parts
def matrix_diag_v2(op: Builder, node: NodeView) -> Any:
    return _either(op, node, _is_single(node, node.inputs[1], _rank_of(node), _rank_of(node, 0, 1)), _matrix_diag)


def _matrix_diag(op: Builder, node: NodeView, single: bool) -> Value:
    diagonal, k, rows, columns, padding = node.inputs
    band = Band(op, node, k, single=single)
    length = size_of(op, diagonal, -1)
    rows, columns = (op.Reshape(op.cast(v, int64), SCALAR) for v in (rows, columns))
    least_rows, least_columns = op.Sub(length, op.Min(band.high, ZERO)), op.Add(length, op.Max(band.low, ZERO))
    square = op.Max(least_rows, least_columns)
    no_rows, no_columns = op.Less(rows, ZERO), op.Less(columns, ZERO)
    rows, columns = (
        op.Where(no_rows, op.Where(no_columns, square, least_rows), rows),
        op.Where(no_columns, op.Where(no_rows, square, least_columns), columns),
    )
    inside, place = band.of_matrix(op, rows, columns, length)
    flat = diagonal if single else _flat_matrix(op, diagonal)
    result: Value = op.Where(inside, _take(op, flat, place), padding)
    return result


def _rank_of(node: NodeView, index: int | None = None, plus: int = 0) -> int | None:
    """The rank of an input, or of the output, and some more."""
    if index is None:
        return None if node.dims is None else len(node.dims)
    rank = node.inputs[index].rank
    return None if rank is None else rank + plus


def _is_single(node: NodeView, k: Value, rank: int | None, if_single: int | None) -> bool | None:
    """Whether `k` names one diagonal, which then has no axis of its own; None where only running tells."""
    known = k.const
    if known is not None:
        return bool(known.ravel()[0] == known.ravel()[-1])
    if k.rank == 0 or k.dims == (1,):
        return True
    return None if rank is None or if_single is None else rank == if_single


def _either(op: Builder, node: NodeView, single: bool | None, convert: Callable[[Builder, NodeView, bool], Value]) -> Value:
    """One conversion, or both in an If on whether the first and last element of k are the same."""
    if single is not None:
        return convert(op, node, single)
    k = op.Reshape(op.cast(node.input("k"), int64), [-1])
    branches = []
    for one in (True, False):
        body = op.subgraph()
        body.output(convert(body, node, one))
        branches.append(body)
    result: Value = op.If(
        op.Equal(op.ReduceMax(k, keepdims=0), op.ReduceMin(k, keepdims=0)), then_branch=branches[0], else_branch=branches[1]
    )
    result.dtype, result.dims = node.dtype, None
    return result


@converts("BatchMatrixDiagPart", "MatrixDiagPart")
@by_parts
def matrix_diag_part(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    rows, columns = size_of(op, x, -2), size_of(op, x, -1)
    place = op.Mul(op.Range(ZERO, op.Min(rows, columns), ONE), op.Add(columns, ONE))
    return _take(op, _flat_matrix(op, x), place)


@converts("MatrixDiagPartV2", "MatrixDiagPartV3")
@by_parts
def matrix_diag_part_v2(op: Builder, node: NodeView) -> Any:
    return _either(op, node, _is_single(node, node.inputs[1], _rank_of(node), _rank_of(node, 0, -1)), _matrix_diag_part)


def _matrix_diag_part(op: Builder, node: NodeView, single: bool) -> Value:
    x, k, padding = node.inputs
    band = Band(op, node, k, single=single)
    rows, columns = size_of(op, x, -2), size_of(op, x, -1)
    inside, place = band.of_diagonals(op, rows, columns, band.length(op, rows, columns))
    result: Value = op.Where(inside, _take(op, _flat_matrix(op, x), place), padding)
    return result


@converts("BatchMatrixSetDiag", "MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3")
@by_parts
def matrix_set_diag(op: Builder, node: NodeView) -> Any:
    if len(node.inputs) < 3:
        return _matrix_set_diag(op, node, True)
    return _either(op, node, _is_single(node, node.inputs[2], _rank_of(node, 1), _rank_of(node, 0, -1)), _matrix_set_diag)


def _matrix_set_diag(op: Builder, node: NodeView, single: bool) -> Value:
    x, diagonal = node.inputs[:2]
    band = Band(op, node, node.inputs[2] if len(node.inputs) > 2 else None, single=single)
    inside, place = band.of_matrix(op, size_of(op, x, -2), size_of(op, x, -1), size_of(op, diagonal, -1))
    result: Value = op.Where(inside, _take(op, diagonal if single else _flat_matrix(op, diagonal), place), x)
    return result


@converts("Diag")
@by_parts
def diag(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    flat, shape = op.Reshape(x, [-1]), op.Shape(x)
    i, j = _grid(op, op.Size(x), op.Size(x))
    matrix = op.Where(op.Equal(i, j), op.Unsqueeze(flat, [1]), op.const(0, x.dtype))
    return op.Reshape(matrix, op.Concat(shape, shape, axis=0), allowzero=1)


@converts("DiagPart")
@by_parts
def diag_part(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    rank = x.rank if x.rank is not None else None
    if rank is None:
        raise node.fail("the rank of the input must be known.")
    shape = op.Shape(x, end=rank // 2)
    count = op.ReduceProd(shape, keepdims=0)
    places = op.Mul(op.Range(ZERO, count, ONE), op.Add(count, ONE))
    return op.Reshape(op.Gather(op.Reshape(x, [-1]), places, axis=0), shape, allowzero=1)


# -- loops over rows ---------------------------------------------------------------------------------------------------


def iterate(op: Builder, count: Value, state: Value, step: Callable[[Builder, Value, Value], Value]) -> Value:
    """state = step(i, state) for i in range(count), as a Loop."""
    body = op.subgraph()
    i = body.input("i", int64, ())
    go_on = body.input("go_on", bool_, ())
    inside = body.input("state", state.dtype, state.dims)
    following = step(body, i, inside)
    body.output(body.Identity(go_on))
    body.output(following)
    result: Value = op.Loop(count, op.const(True), state, body=body)
    result.dtype, result.dims = state.dtype, state.dims
    return result


def _row(op: Builder, x: Value, i: Value) -> Value:
    """Row i of the last two axes, as [..., 1, n]."""
    result: Value = op.Gather(x, op.Unsqueeze(i, [0]), axis=-2 if x.rank is None else x.rank - 2)
    return result


def _column(op: Builder, x: Value, i: Value) -> Value:
    result: Value = op.Gather(x, op.Unsqueeze(i, [0]), axis=-1 if x.rank is None else x.rank - 1)
    return result


def cholesky_factor(op: Builder, node: NodeView, a: Value) -> Value:
    """Column j of L: (a_j - L L_j^T) / sqrt of its diagonal element, nothing above it."""
    size = size_of(op, a, -1)
    rows = op.Unsqueeze(op.Range(ZERO, size, ONE), [1])

    def step(body: Builder, j: Value, done: Value) -> Value:
        rest = body.Sub(_column(body, a, j), body.MatMul(done, transposed(body, _row(body, done, j), node)))
        pivot = body.Sqrt(_row(body, rest, j))
        column = body.Where(body.GreaterOrEqual(rows, j), body.Div(rest, pivot), body.const(0, a.dtype))
        here = body.Equal(body.Unsqueeze(body.Range(ZERO, size, ONE), [0]), j)
        result: Value = body.Where(here, column, done)
        return result

    start = op.Mul(a, op.const(0, a.dtype))
    return iterate(op, size, start, step)


def substitute(op: Builder, a: Value, b: Value, *, lower: bool) -> Value:
    """Solve a triangular system row by row: x_j = (b_j - a_j x) / a_jj, rows not done yet being 0."""
    size = size_of(op, a, -1)
    rows = op.Unsqueeze(op.Range(ZERO, size, ONE), [1])

    def step(body: Builder, i: Value, done: Value) -> Value:
        j = i if lower else body.Sub(body.Sub(size, ONE), i)
        own = _row(body, a, j)
        value = body.Div(body.Sub(_row(body, b, j), body.MatMul(own, done)), _column(body, own, j))
        result: Value = body.Where(body.Equal(rows, j), value, done)
        return result

    return iterate(op, size, op.Mul(b, op.const(0, b.dtype)), step)


@converts("Cholesky", "BatchCholesky")
def cholesky(op: Builder, node: NodeView) -> Any:
    return cholesky_factor(op, node, node.inputs[0])


@converts("MatrixTriangularSolve", "BatchMatrixTriangularSolve")
def matrix_triangular_solve(op: Builder, node: NodeView) -> Any:
    a, b = node.inputs
    lower = bool(node.attr["lower"])
    if node.attr["adjoint"]:
        a, lower = transposed(op, a, node), not lower
    return substitute(op, a, b, lower=lower)


# -- inverses ----------------------------------------------------------------------------------------------------------


def inverse(op: Builder, x: Value) -> Value:
    result: Value = op.Inverse(x, domain="com.microsoft")
    result.dtype, result.dims = x.dtype, x.dims
    return result


@converts("MatrixInverse", "BatchMatrixInverse")
def matrix_inverse(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    return inverse(op, transposed(op, x, node) if node.attr["adjoint"] else x)


@converts("MatrixSolve", "BatchMatrixSolve")
def matrix_solve(op: Builder, node: NodeView) -> Any:
    a, b = node.inputs
    return op.MatMul(inverse(op, transposed(op, a, node) if node.attr["adjoint"] else a), b)


@converts("MatrixSolveLs", "BatchMatrixSolveLs")
def matrix_solve_ls(op: Builder, node: NodeView) -> Any:
    """The regularized normal equations: (A^T A + l I) x = A^T b, or x = A^T (A A^T + l I)^-1 b for fewer rows than columns."""
    a, b, regularizer = node.inputs
    turned = transposed(op, a, node)
    rows, columns = (a.dims[-2], a.dims[-1]) if a.dims is not None else (None, None)
    if rows is None or columns is None:
        raise node.fail("the sizes of the matrix must be known.")
    tall = rows >= columns
    gram = op.MatMul(turned, a) if tall else op.MatMul(a, turned)
    eye = op.const(np.eye(min(rows, columns), dtype=a.dtype.as_numpy_dtype))
    gram = op.Add(gram, op.Mul(op.cast(regularizer, a.dtype), eye))
    if tall:
        return op.MatMul(inverse(op, gram), op.MatMul(turned, b))
    return op.MatMul(turned, op.MatMul(inverse(op, gram), b))


@converts("MatrixDeterminant", "BatchMatrixDeterminant")
def matrix_determinant(op: Builder, node: NodeView) -> Any:
    return op.Det(node.inputs[0])


@converts("LogMatrixDeterminant")
def log_matrix_determinant(op: Builder, node: NodeView) -> Any:
    value = op.Det(node.inputs[0])
    return op.Sign(value), op.Log(op.Abs(value))


__all__: Sequence[str] = ["cholesky_factor", "inverse", "iterate", "size_of", "substitute"]
