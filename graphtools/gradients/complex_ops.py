"""Gradients of complex numbers and Fourier transforms."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import complex64, complex128, float32, float64, int32
from graphtools.gradients import gradient
from graphtools.gradients.math_ops import broadcast_axes
from graphtools.gradients.walk import Emit
from graphtools.graph import Node


def _complex(g: Emit, real: Any, imaginary: Any) -> Any:
    return g.op("Complex", real, imaginary, Tout=complex128 if real.dtype is float64 else complex64)


def _real_type(tensor: Any) -> Any:
    return float64 if tensor.dtype.base_dtype is complex128 else float32


@gradient("Real")
def real(g: Emit, node: Node, dy: Any) -> Any:
    return _complex(g, dy, g.const(0, dy.dtype))


@gradient("Imag")
def imag(g: Emit, node: Node, dy: Any) -> Any:
    zero = g.const(0, dy.dtype)
    return _complex(g, zero, dy)


@gradient("Angle")
def angle(g: Emit, node: Node, dy: Any) -> Any:
    x = node.inputs[0]
    re, im = (g.op(part, x, Tout=_real_type(x)) for part in ("Real", "Imag"))
    z = g.op("Reciprocal", _complex(g, im, re))
    return g.op("Mul", g.op("Neg", _complex(g, dy, g.const(0, dy.dtype))), z, name="mul")


@gradient("Complex")
def complex_(g: Emit, node: Node, dy: Any) -> Any:
    x, y = node.inputs
    sx, sy, rx, ry = broadcast_axes(g, x, y)
    return g.sum_to(g.op("Real", dy, Tout=x.dtype), sx, rx), g.sum_to(g.op("Imag", dy, Tout=y.dtype), sy, ry)


@gradient("Conj")
def conj(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("Conj", dy)


@gradient("ComplexAbs")
def complex_abs(g: Emit, node: Node, dy: Any) -> Any:
    x, y = node.inputs[0], node.outputs[0]
    above = g.op("Mul", _complex(g, dy, g.op("ZerosLike", dy, name="zeros_like")), x, name="mul")
    return g.op("DivNoNan", above, _complex(g, y, g.op("ZerosLike", y, name="zeros_like_1")), name="div_no_nan")


def _size(g: Emit, dy: Any, rank: int) -> Any:
    """The number of elements that one transform takes, in the dtype of `dy`."""
    dims = g.op("StridedSlice", g.op("Shape", dy, out_type=int32), *(g.const([v], int32) for v in (-rank, 0, 1)), end_mask=1)
    return g.op("Cast", g.op("Prod", dims, g.const([0], int32), name="Prod"), DstT=dy.dtype)


def _fourier(rank: int, forward: str, inverse: str) -> None:
    @gradient(forward)
    def transform(g: Emit, node: Node, dy: Any) -> Any:
        size = _size(g, dy, rank)
        return g.op("Mul", g.op(inverse, dy), size, name="mul")

    @gradient(inverse)
    def back(g: Emit, node: Node, dy: Any) -> Any:
        size = _size(g, dy, rank)
        return g.op("RealDiv", g.op(forward, dy), size, name="truediv")


_fourier(1, "FFT", "IFFT")
_fourier(2, "FFT2D", "IFFT2D")
_fourier(3, "FFT3D", "IFFT3D")
