"""Fourier transforms: products with the transform's matrix for short or unknown lengths, ONNX's DFT otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.complex_numbers import as_complex, as_real, join, parts
from graphtools.dtypes import float64, int64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

LONGEST_MATRIX = 512  # up to here a product with a matrix is as exact and as fast as DFT, and runs on CUDA, where DFT does not


def _matrix(count: int, length: int, sign: int, kept: int, dtype: Any) -> tuple[Any, Any]:
    """cos and sin of sign 2 pi n k / length, for n < count and k < kept."""
    angles = 2 * np.pi * sign * ((np.arange(count)[:, None] * np.arange(kept)[None, :]) % length) / length
    return np.cos(angles).astype(dtype), np.sin(angles).astype(dtype)


def _fitted(op: Builder, x: Value, length: int, axis: int) -> Value:
    """Cut or padded with zeros to a length along an axis counted from the end."""
    size = x.dims[axis] if x.dims is not None else None
    if size == length:
        return x
    if size is None or size > length:
        x = op.Slice(x, [0], [length], [axis])
    if size is None or size < length:
        missing = op.Sub(np.array([length]), op.Shape(x, start=axis, end=axis + 1 if axis != -1 else None))
        x = op.Pad(x, op.Concat([0], missing, axis=0), op.const(0, x.dtype), [axis])
    if x.dims is not None:
        x.dims = tuple(length if i == len(x.dims) + axis else d for i, d in enumerate(x.dims))
    return x


def _along(op: Builder, real: Value, imag: Value | None, axis: int, sign: int, kept: int | None = None) -> tuple[Value, Value]:
    """The transform of complex or real (imag None) parts along an axis counted from the end; only the first `kept` frequencies."""
    length = real.dims[axis] if real.dims is not None else None
    if length is None or length > LONGEST_MATRIX or length == 0:
        return _by_dft(op, real, imag, axis, sign, kept)
    cos, sin = (op.const(m) for m in _matrix(length, length, sign, kept or length, real.dtype.as_numpy_dtype))

    def times(x: Value, matrix: Value) -> Value:
        if axis == -1:
            product: Value = op.MatMul(x, matrix)
        else:  # F x for the axis before the last; others are turned to it
            product = op.MatMul(op.Transpose(matrix, perm=[1, 0]), x)
        return product

    if axis < -2:
        rank = real.rank or 0
        perm = list(range(rank))
        perm[axis], perm[-2] = perm[-2], perm[axis]
        turned = [None if p is None else op.Transpose(p, perm=perm) for p in (real, imag)]
        done = _along(op, turned[0], turned[1], -2, sign, kept)  # type: ignore[arg-type]
        return op.Transpose(done[0], perm=perm), op.Transpose(done[1], perm=perm)
    if imag is None:
        return times(real, cos), times(real, sin)
    return op.Sub(times(real, cos), times(imag, sin)), op.Add(times(real, sin), times(imag, cos))


def _by_dft(op: Builder, real: Value, imag: Value | None, axis: int, sign: int, kept: int | None) -> tuple[Value, Value]:
    """Computed in float64: for lengths that are no power of 2 the kernel loses digits in float32."""
    carrier = op.Unsqueeze(real, [-1]) if imag is None else as_real(op, join(op, real, imag))
    carrier = op.cast(carrier, float64)
    place = op.const(np.int64(axis - 1))
    result = op.DFT(carrier, None, place, inverse=int(sign > 0), onesided=int(kept is not None and imag is None))
    result = op.cast(result, real.dtype)
    result.dims = None if real.dims is None else (*(None if i == len(real.dims) + axis else d for i, d in enumerate(real.dims)), 2)
    a, b = parts(op, as_complex(op, result))
    if sign > 0:  # ONNX divides the inverse by the length; that is done once, below
        size = op.cast(op.Reshape(op.Shape(real, start=axis, end=axis + 1 if axis != -1 else None), np.zeros(0, np.int64)), real.dtype)
        a, b = op.Mul(a, size), op.Mul(b, size)
    if kept is not None and imag is not None:
        a, b = (op.Slice(p, [0], [kept], [axis]) for p in (a, b))
    return a, b


def _dimensions(node: NodeView) -> int:
    return int(node.op[-2]) if node.op.endswith("D") else 1


@converts(
    "FFT", "FFT2D", "FFT3D", "IFFT", "IFFT2D", "IFFT3D", "BatchFFT", "BatchFFT2D", "BatchFFT3D", "BatchIFFT", "BatchIFFT2D", "BatchIFFT3D"
)
def fft(op: Builder, node: NodeView) -> Any:
    inverse = "IFFT" in node.op
    real, imag = parts(op, node.inputs[0])
    count = _dimensions(node)
    for axis in range(-1, -1 - count, -1):
        real, imag = _along(op, real, imag, axis, 1 if inverse else -1)
    return join(op, *(_scaled(op, p, node.inputs[0], count) for p in (real, imag))) if inverse else join(op, real, imag)


def _scaled(op: Builder, part: Value, like: Value, count: int) -> Value:
    """Divided by the number of elements transformed."""
    sizes = op.Shape(parts(op, like)[0], start=-count) if like.dtype.is_complex else op.Shape(like, start=-count)
    result: Value = op.Div(part, op.cast(op.ReduceProd(sizes, keepdims=0), part.dtype))
    return result


# -- lengths that only the run tells ---------------------------------------------------------------------------------


def _open_fitted(op: Builder, x: Value, length: Value, axis: int) -> Value:
    """Cut or padded with zeros to a length, a vector of one, along an axis counted from the end."""
    rank = len(x.dims) if x.dims is not None else None
    x = op.Slice(x, [0], length, [axis])
    missing = op.Sub(length, op.Shape(x, start=axis, end=axis + 1 if axis != -1 else None))
    x = op.Pad(x, op.Concat([0], missing, axis=0), op.const(0, x.dtype), [axis])
    if x.dims is None and rank is not None:
        x.dims = (None,) * rank
    return x


def _waves(op: Builder, rows: Value, columns: Value, length: Value, sign: int) -> tuple[Value, Value]:
    """cos and sin of sign 2 pi n k / length in float64, for n < rows and k < columns."""

    def steps(count: Value) -> Value:
        result: Value = op.Range(np.int64(0), op.Squeeze(count, [0]), np.int64(1))
        return result

    turns = op.Mod(op.Mul(op.Unsqueeze(steps(rows), [1]), op.Unsqueeze(steps(columns), [0])), length)
    angles = op.Mul(op.Div(op.cast(turns, float64), op.cast(length, float64)), np.float64(2 * np.pi * sign))
    return op.Cos(angles), op.Sin(angles)


def _open_along(op: Builder, real: Value, imag: Value, axis: int, sign: int) -> tuple[Value, Value]:
    """The transform along an axis before the last."""
    rank = real.rank or 0
    perm = list(range(rank))
    perm[axis], perm[-2] = perm[-2], perm[axis]
    size = op.Shape(real, start=axis, end=axis + 1)
    cos, sin = (op.cast(w, real.dtype) for w in _waves(op, size, size, size, sign))
    real, imag = (op.Transpose(p, perm=perm) for p in (real, imag))
    a, b = op.Sub(op.MatMul(cos, real), op.MatMul(sin, imag)), op.Add(op.MatMul(sin, real), op.MatMul(cos, imag))
    return op.Transpose(a, perm=perm), op.Transpose(b, perm=perm)


def _open_lengths(op: Builder, node: NodeView, count: int) -> tuple[list[Value], Value]:
    """The lengths and the number of frequencies along the last axis, vectors of one."""
    given = op.cast(node.input("fft_length"), int64)
    lengths = [op.Slice(given, [i], [i + 1], [0]) for i in range(count)]
    return lengths, op.Add(op.Div(lengths[-1], 2), 1)


def _open_rfft(op: Builder, node: NodeView, x: Value, count: int) -> Value:
    lengths, half = _open_lengths(op, node, count)
    for axis, length in zip(range(-count, 0), lengths, strict=True):
        x = _open_fitted(op, x, length, axis)
    real, imag = (op.MatMul(x, op.cast(w, x.dtype)) for w in _waves(op, lengths[-1], half, lengths[-1], -1))
    for axis in range(-2, -1 - count, -1):
        real, imag = _open_along(op, real, imag, axis, -1)
    return join(op, real, imag)


def _open_irfft(op: Builder, node: NodeView, real: Value, imag: Value, count: int) -> Value:
    lengths, half = _open_lengths(op, node, count)
    for axis, length in zip(range(-count, 0), [*lengths[:-1], half], strict=True):
        real, imag = _open_fitted(op, real, length, axis), _open_fitted(op, imag, length, axis)
    for axis in range(-2, -1 - count, -1):
        real, imag = _open_along(op, real, imag, axis, 1)
    place = op.Range(np.int64(0), op.Squeeze(half, [0]), np.int64(1))
    single = op.Or(op.Equal(place, np.int64(0)), op.Equal(op.Mul(place, np.int64(2)), lengths[-1]))
    total = op.cast(op.ReduceProd(op.Concat(*lengths, axis=0), keepdims=0), float64)
    weights = op.Unsqueeze(op.Div(op.Where(single, op.const(np.array(1.0)), op.const(np.array(2.0))), total), [1])
    cos, sin = (op.cast(op.Mul(w, weights), real.dtype) for w in _waves(op, half, lengths[-1], lengths[-1], 1))
    result: Value = op.Sub(op.MatMul(real, cos), op.MatMul(imag, sin))
    return result


@converts("RFFT", "RFFT2D", "RFFT3D")
def rfft(op: Builder, node: NodeView) -> Any:
    """Half of the frequencies along the last axis, the input cut or padded to fft_length along each."""
    x, count = node.inputs[0], _dimensions(node)
    if node.maybe_const("fft_length") is None:
        return _open_rfft(op, node, x, count)
    lengths = [int(n) for n in np.ravel(node.const("fft_length"))]
    for axis, length in zip(range(-count, 0), lengths, strict=True):
        x = _fitted(op, x, length, axis)
    real, imag = _along(op, x, None, -1, -1, lengths[-1] // 2 + 1)
    for axis in range(-2, -1 - count, -1):
        real, imag = _along(op, real, imag, axis, -1)
    return join(op, real, imag)


@converts("IRFFT", "IRFFT2D", "IRFFT3D")
def irfft(op: Builder, node: NodeView) -> Any:
    """The frequencies left out are the conjugates of the others: each but the first and the middle one counts twice."""
    count = _dimensions(node)
    real, imag = parts(op, node.inputs[0])
    if node.maybe_const("fft_length") is None:
        return _open_irfft(op, node, real, imag, count)
    lengths = [int(n) for n in np.ravel(node.const("fft_length"))]
    wanted = [*lengths[:-1], lengths[-1] // 2 + 1]
    for axis, length in zip(range(-count, 0), wanted, strict=True):
        real, imag = _fitted(op, real, length, axis), _fitted(op, imag, length, axis)
    for axis in range(-2, -1 - count, -1):
        real, imag = _along(op, real, imag, axis, 1)
    total, half = lengths[-1], wanted[-1]
    weights = np.full(half, 2.0)
    weights[0] = 1
    if total % 2 == 0 and half > 1:
        weights[-1] = 1
    cos, sin = _matrix(half, total, 1, total, np.float64)
    scale = weights[:, None] / np.prod(lengths)
    kind = np.float64 if real.dtype is float64 else np.float32
    a, b = op.const((cos * scale).astype(kind)), op.const((sin * scale).astype(kind))
    return op.Sub(op.MatMul(real, a), op.MatMul(imag, b))
