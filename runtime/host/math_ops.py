"""Host kernels of arithmetic, for the complex numbers that ONNX Runtime does not take and as numpy computes it for all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphtools.graph import Node
from runtime.errors import InvalidArgumentError
from runtime.host import Run, host

Array = NDArray[Any]


def _sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), through the side on which exp cannot overflow."""
    if x.dtype.kind == "c":
        return np.asarray(1 / (1 + np.exp(-x)))
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def _sign(x: Array) -> Array:
    if x.dtype.kind != "c":
        return np.asarray(np.sign(x))
    size = np.abs(x)
    return np.divide(x, size, out=np.zeros_like(x), where=size != 0)


# Same value for every element, in the type of the input.
ELEMENTWISE: dict[str, Callable[[Array], Any]] = {
    "Acos": np.arccos,
    "Acosh": np.arccosh,
    "Asin": np.arcsin,
    "Asinh": np.arcsinh,
    "Atan": np.arctan,
    "Atanh": np.arctanh,
    "Conj": np.conj,
    "Cos": np.cos,
    "Cosh": np.cosh,
    "Exp": np.exp,
    "Expm1": np.expm1,
    "Inv": lambda x: 1 / x,
    "Log": np.log,
    "Log1p": np.log1p,
    "Reciprocal": lambda x: 1 / x,
    "Rint": np.rint,
    "Round": np.round,
    "Rsqrt": lambda x: 1 / np.sqrt(x),
    "Sigmoid": _sigmoid,
    "Sign": _sign,
    "Sin": np.sin,
    "Sinh": np.sinh,
    "Sqrt": np.sqrt,
    "Square": lambda x: x * x,
    "Tan": np.tan,
    "Tanh": np.tanh,
}


def _divide(x: Array, y: Array) -> Array:
    """Integers lose the fraction, towards 0."""
    if x.dtype.kind not in "iu":
        return np.asarray(x / y)
    if not np.all(y):
        raise InvalidArgumentError(None, None, "Integer division by zero")
    quotient = x // y
    return np.asarray(quotient + ((quotient < 0) & (quotient * y != x)))


def _where_nonzero(function: Callable[[Array, Array], Array], decides: int) -> Callable[[Array, Array], Array]:
    """0 wherever the input that decides is 0, whatever the function would give."""

    def kernel(x: Array, y: Array) -> Array:
        zero = (x, y)[decides] == 0
        return np.where(zero, np.zeros((), x.dtype), function(x, y))

    return kernel


PAIRWISE: dict[str, Callable[[Array, Array], Any]] = {
    "Div": _divide,
    "DivNoNan": _where_nonzero(np.divide, 1),
    "MulNoNan": _where_nonzero(np.multiply, 1),
    "Pow": np.power,
    "RealDiv": np.divide,
    "SquaredDifference": lambda x, y: (x - y) * np.conj(x - y),
    "TruncateDiv": _divide,
    "Xdivy": _where_nonzero(np.divide, 0),
    "Xlog1py": _where_nonzero(lambda x, y: x * np.log1p(y), 0),
    "Xlogy": _where_nonzero(lambda x, y: x * np.log(y), 0),
    # Gradients, from the function's value y and the gradient that comes in. Of complex functions some take y as it is, some its conjugate.
    "InvGrad": lambda y, dy: -np.conj(y * y) * dy,
    "ReciprocalGrad": lambda y, dy: -np.conj(y * y) * dy,
    "RsqrtGrad": lambda y, dy: -0.5 * dy * np.conj(y * y * y),
    "SigmoidGrad": lambda y, dy: dy * y * (1 - y),
    "SqrtGrad": lambda y, dy: 0.5 * dy / np.conj(y),
    "TanhGrad": lambda y, dy: dy * (1 - y * y),
}


@host(*ELEMENTWISE)
def elementwise(run: Run, node: Node, x: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(ELEMENTWISE[node.op](x)).astype(x.dtype, copy=False)


@host(*PAIRWISE)
def pairwise(run: Run, node: Node, x: Array, y: Array) -> Array:
    with np.errstate(all="ignore"):
        try:
            return np.asarray(PAIRWISE[node.op](x, y)).astype(x.dtype, copy=False)
        except ValueError as e:
            raise InvalidArgumentError(None, None, f"Incompatible shapes: {list(x.shape)} vs. {list(y.shape)} ({e})") from e


# -- complex numbers and their parts --------------------------------------------------------------------------------

PARTS: dict[str, Callable[[Array], Any]] = {"Angle": np.angle, "ComplexAbs": np.abs, "Imag": np.imag, "Real": np.real}


@host("Complex")
def complex_(run: Run, node: Node, real: Array, imaginary: Array) -> Array:
    out = np.empty(np.broadcast_shapes(real.shape, imaginary.shape), node.attr["Tout"].as_numpy_dtype)
    out.real, out.imag = real, imaginary
    return out


@host(*PARTS)
def part(run: Run, node: Node, x: Array) -> Array:
    return np.asarray(PARTS[node.op](x)).astype(node.attr["Tout"].as_numpy_dtype)


# -- products -------------------------------------------------------------------------------------------------------


def _multiply(a: Array, b: Array) -> Array:
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-2]:
        raise InvalidArgumentError(None, None, f"Matrix size-incompatible: In[0]: {list(a.shape)}, In[1]: {list(b.shape)}")
    return np.asarray(a @ b)


@host("MatMul")
def mat_mul(run: Run, node: Node, a: Array, b: Array) -> Array:
    return _multiply(a.T if node.attr["transpose_a"] else a, b.T if node.attr["transpose_b"] else b)


@host("BatchMatMul", "BatchMatMulV2")
def batch_mat_mul(run: Run, node: Node, a: Array, b: Array) -> Array:
    """The adjoint of a matrix is its conjugate, transposed."""
    a = np.conj(np.swapaxes(a, -1, -2)) if node.attr["adj_x"] else a
    b = np.conj(np.swapaxes(b, -1, -2)) if node.attr["adj_y"] else b
    return _multiply(a, b)


@host("Einsum")
def einsum(run: Run, node: Node, *inputs: Array) -> Array:
    try:
        return np.asarray(np.einsum(node.attr["equation"], *inputs, optimize=True))
    except ValueError as e:
        raise InvalidArgumentError(
            None, None, f"Equation {node.attr['equation']!r} does not fit {[list(x.shape) for x in inputs]}: {e}"
        ) from e


@host("AddN", "AccumulateNV2")
def add_n(run: Run, node: Node, *inputs: Array) -> Array:
    total = inputs[0].copy()
    for x in inputs[1:]:
        if x.shape != total.shape:
            raise InvalidArgumentError(
                None,
                None,
                f"Inputs to operation {node.name} of type {node.op} must have the same size and shape: {list(total.shape)} != {list(x.shape)}",
            )
        total += x
    return total


# -- reductions and running sums ------------------------------------------------------------------------------------


def _axes(node: Node, x: Array, axes: Array) -> tuple[int, ...]:
    found = []
    for axis in axes.ravel().tolist():
        if not -x.ndim <= axis < x.ndim:
            raise InvalidArgumentError(None, None, f"Invalid reduction dimension ({axis} for input with {x.ndim} dimension(s)")
        found.append(axis % x.ndim)
    return tuple(found)


@host("Mean", "EuclideanNorm")
def reduce(run: Run, node: Node, x: Array, axes: Array) -> Array:
    keep, over = node.attr["keep_dims"], _axes(node, x, axes)
    with np.errstate(all="ignore"):
        if node.op == "EuclideanNorm":
            return np.asarray(np.sqrt(np.sum(x * np.conj(x), axis=over, keepdims=keep))).astype(x.dtype)
        total = np.sum(x, axis=over, keepdims=keep, dtype=np.float32 if x.dtype.itemsize == 2 and x.dtype.kind not in "iu" else None)
        count = np.prod([x.shape[d] for d in over], dtype=np.int64)
        mean = _divide(np.asarray(total), np.asarray(count)) if x.dtype.kind in "iu" else total / count
        return np.asarray(mean).astype(x.dtype)


@host("Cumsum", "Cumprod")
def accumulate(run: Run, node: Node, x: Array, axis: Array) -> Array:
    (dim,) = _axes(node, x, axis)
    ufunc = np.add if node.op == "Cumsum" else np.multiply
    lane = np.flip(x, dim) if node.attr["reverse"] else x
    total = ufunc.accumulate(lane, axis=dim, dtype=x.dtype)
    if node.attr["exclusive"] and x.shape[dim]:
        first = np.full_like(np.take(total, [0], axis=dim), 0 if node.op == "Cumsum" else 1)
        total = np.concatenate([first, np.delete(total, -1, axis=dim)], axis=dim)
    return np.flip(total, dim) if node.attr["reverse"] else total


# -- segments -------------------------------------------------------------------------------------------------------


@host("SegmentSum", "SegmentMean", "SegmentProd")
def segment(run: Run, node: Node, x: Array, ids: Array) -> Array:
    """Segments nobody names hold 0 (of products: 1)."""
    if ids.shape != x.shape[:1]:
        raise InvalidArgumentError(
            None, None, f"segment_ids should be the same size as dimension 0 of input: {list(ids.shape)} and {list(x.shape)}"
        )
    if len(ids) and (ids[0] < 0 or (np.diff(ids) < 0).any()):
        raise InvalidArgumentError(None, None, "segment ids are not increasing")
    count = int(ids[-1]) + 1 if len(ids) else 0
    out = _unsorted(node, x, ids, count)
    if node.op == "SegmentMean" and count:
        out /= np.maximum(np.bincount(ids, minlength=count), 1).reshape(-1, *[1] * (x.ndim - 1)).astype(out.dtype)
    return out


def _unsorted(node: Node, x: Array, ids: Array, count: int) -> Array:
    product = node.op.endswith("Prod")
    inner = x.shape[ids.ndim :]
    out = np.full((count, *inner), 1 if product else 0, x.dtype)
    rows, places = x.reshape(ids.size, *inner), ids.ravel()
    if places.size and places.max() >= count:
        raise InvalidArgumentError(None, None, f"segment_ids{[int(places.argmax())]} = {places.max()} is out of range [0, {count})")
    kept = places >= 0
    (np.multiply if product else np.add).at(out, places[kept], rows[kept])
    return out


@host("UnsortedSegmentSum", "UnsortedSegmentProd")
def unsorted_segment(run: Run, node: Node, x: Array, ids: Array, count: Array) -> Array:
    if x.shape[: ids.ndim] != ids.shape:
        raise InvalidArgumentError(None, None, f"data.shape = {list(x.shape)} does not start with segment_ids.shape = {list(ids.shape)}")
    return _unsorted(node, x, ids, int(count))


# -- diagonals ------------------------------------------------------------------------------------------------------


@host("Diag")
def diag(run: Run, node: Node, x: Array) -> Array:
    return np.asarray(np.diag(x.ravel())).reshape(x.shape * 2)


@host("DiagPart")
def diag_part(run: Run, node: Node, x: Array) -> Array:
    half = x.ndim // 2
    if x.ndim % 2 or not x.ndim or x.shape[:half] != x.shape[half:]:
        raise InvalidArgumentError(
            None, None, f"The dimensions of an even, non-zero number must be the same in both halves, got {list(x.shape)}"
        )
    size = int(np.prod(x.shape[:half]))
    return np.diagonal(x.reshape(size, size)).reshape(x.shape[:half]).copy()


@host("MatrixDiag", "BatchMatrixDiag")
def matrix_diag(run: Run, node: Node, x: Array) -> Array:
    out = np.zeros((*x.shape, x.shape[-1]), x.dtype)
    every = np.arange(x.shape[-1])
    out[..., every, every] = x
    return out


@host("MatrixDiagPart", "BatchMatrixDiagPart")
def matrix_diag_part(run: Run, node: Node, x: Array) -> Array:
    return np.diagonal(x, axis1=-2, axis2=-1).copy()


@host("MatrixSetDiag", "BatchMatrixSetDiag")
def matrix_set_diag(run: Run, node: Node, x: Array, diagonal: Array) -> Array:
    out = x.copy()
    every = np.arange(min(x.shape[-2:]))
    if diagonal.shape != (*x.shape[:-2], len(every)):
        raise InvalidArgumentError(
            None,
            None,
            f"must have diagonal.shape == input.shape[:-2] + min(input.shape[-2:]), but received {list(diagonal.shape)} and {list(x.shape)}",
        )
    out[..., every, every] = diagonal
    return out


@host("MatrixBandPart", "BatchMatrixBandPart")
def matrix_band_part(run: Run, node: Node, x: Array, lower: Array, upper: Array) -> Array:
    """A negative number of diagonals keeps all of that side."""
    rows, columns = np.indices(x.shape[-2:])
    below, above = int(lower), int(upper)
    kept = ((below < 0) | (rows - columns <= below)) & ((above < 0) | (columns - rows <= above))
    return np.where(kept, x, np.zeros((), x.dtype))


@host("Roll")
def roll(run: Run, node: Node, x: Array, shift: Array, axis: Array) -> Array:
    return np.roll(x, tuple(shift.ravel().tolist()), _axes(node, x, axis))
