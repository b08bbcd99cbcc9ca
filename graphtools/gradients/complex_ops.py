"""Gradients of complex numbers and Fourier transforms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphtools.dtypes import complex64, complex128, float32, float64, int32
from graphtools.gradients import gradient
from graphtools.gradients.math_ops import _after, broadcast_axes
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
    with _after(g, dy):
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
    above = g.op("Mul", _complex(g, dy, _zeros_like(g, dy)), x, name="mul")
    return g.op("DivNoNan", above, _complex(g, y, _zeros_like(g, y)), name="div_no_nan")


def _scoped(g: Emit, op_type: str, name: str, *inputs: Any, **attr: Any) -> Any:
    """An op whose (name, value, dtype) inputs are constants in its own scope."""
    with g.graph.name_scope(name) as scope:
        made = [g.const(v[1], v[2], v[0]) if isinstance(v, tuple) else v for v in inputs]
        return g.graph.create(op_type, made, attr, scope).outputs[0]


def _sliced(g: Emit, x: Any, begin: list[int], end: list[int], **masks: int) -> Any:
    bounds = ("stack", begin, int32), ("stack_1", end, int32), ("stack_2", [1] * len(begin), int32)
    return _scoped(g, "StridedSlice", "strided_slice", x, *bounds, **masks)


def _item(g: Emit, vector: Any, at: int) -> Any:
    return _sliced(g, vector, [at], [at + 1], shrink_axis_mask=1)


def _count(g: Emit, x: Any, rank: int, dtype: Any) -> Any:
    """The number of elements that one transform takes."""
    dims = _sliced(g, g.shape(x), [-rank], [0], end_mask=1)
    return g.op("Cast", g.op("Prod", dims, g.const([0], int32), name="Prod"), DstT=dtype)


def _zeros_like(g: Emit, x: Any) -> Any:
    """tf.zeros_like: a constant where the shape is known."""
    if x.dims is not None and None not in x.dims:
        return g.const(np.zeros(x.dims), x.dtype.base_dtype, "zeros_like")
    return g.op("ZerosLike", x, name="zeros_like")


def _fourier(rank: int, forward: str, inverse: str) -> None:
    @gradient(forward)
    def transform(g: Emit, node: Node, dy: Any) -> Any:
        count = _count(g, dy, rank, dy.dtype)
        return g.op("Mul", g.op(inverse, dy), count, name="mul")

    @gradient(inverse)
    def back(g: Emit, node: Node, dy: Any) -> Any:
        real_type = _real_type(dy)
        count = _count(g, dy, rank, real_type)
        share = g.op("Cast", _scoped(g, "RealDiv", "truediv", ("x", 1.0, real_type), count), DstT=dy.dtype)
        return g.op("Mul", g.op(forward, dy), share, name="mul")


_fourier(1, "FFT", "IFFT")
_fourier(2, "FFT2D", "IFFT2D")
_fourier(3, "FFT3D", "IFFT3D")


def _signs(g: Emit, length: Any) -> Any:
    """1, -1, 1, -1, ... as complex numbers."""
    numbers = _scoped(g, "Range", "range", ("start", 0, int32), length, ("delta", 1, int32))
    odd = _scoped(g, "FloorMod", "mod", numbers, ("y", 2, int32))
    twice = _scoped(g, "Mul", "mul", ("x", 2, int32), odd)
    return g.op("Cast", _scoped(g, "Sub", "sub", ("x", 1, int32), twice), DstT=complex64)


def _ones(g: Emit, length: Any, dtype: Any) -> Any:
    """tf.ones([length])"""
    with g.graph.name_scope("ones") as scope:
        _scoped(g, "Less", "Less", length, ("y", 1000, int32))  # TensorFlow compares the size, and op counts seed random ops
        shape = g.op("Pack", [length], name="packed", axis=0)
        return g.graph.create("Fill", [shape, g.const(1, dtype)], {}, scope).outputs[0]


def _roots(g: Emit, length: Any) -> Any:
    """exp(-2 pi i j k / n) for all j and k below n"""
    numbers = _scoped(g, "Range", "range", ("start", 0, int32), length, ("delta", 1, int32))
    row = _scoped(g, "ExpandDims", "ExpandDims", numbers, ("dim", 0, int32))
    with g.graph.name_scope("Tile") as scope:
        with g.graph.name_scope("multiples") as inner:
            times = g.graph.create("Pack", [[length, g.const(1, int32, "1")]], {"axis": 0}, inner).outputs[0]
        tiled = g.graph.create("Tile", [row, times], {}, scope).outputs[0]
    turned = _scoped(g, "Transpose", "transpose", tiled, ("perm", [1, 0], int32))
    products = g.op("Cast", g.op("Mul", tiled, turned, name="mul"), DstT=complex64)
    angles = _scoped(g, "Mul", "mul", ("x", -2j * math.pi, complex64), products)
    return g.op("Exp", g.op("RealDiv", angles, g.op("Cast", length, DstT=complex64), name="truediv"))


def _rank(g: Emit, x: Any) -> Any:
    return g.const(len(x.dims), int32, "Rank") if x.dims is not None else g.op("Rank", x)


def _joined(g: Emit, parts: list[Any]) -> Any:
    with g.graph.name_scope("concat") as scope:
        made = [g.const(p[1], p[2], p[0]) if isinstance(p, tuple) else p for p in parts]
        return g.graph.create("ConcatV2", [made, g.const(0, int32, "axis")], {}, scope).outputs[0]


def _tiled_like(g: Emit, matrix: Any, x: Any) -> Any:
    """A matrix, repeated over the outer dimensions of `x`."""
    ones = _ones(g, _scoped(g, "Sub", "sub", _rank(g, x), ("y", 2, int32)), int32)
    wide = g.op("Reshape", matrix, _joined(g, [ones, g.shape(matrix)]))
    outer = _sliced(g, g.shape(x), [0], [-2], begin_mask=1)
    return g.op("Tile", wide, _joined(g, [outer, ("values_1", [1, 1], int32)]))


def _edge(g: Emit, x: Any, last: bool) -> Any:
    """x[..., -1:] or x[..., 0:1]"""
    return _sliced(g, x, [0, -1], [0, 0], ellipsis_mask=1, end_mask=2) if last else _sliced(g, x, [0, 0], [0, 1], ellipsis_mask=1)


def _rows_and_columns(g: Emit, dy: Any, shape: Any, is_even: Any) -> Any:
    """What the first and the last column of a two-dimensional half spectrum add."""
    first = _edge(g, dy, last=False)
    rows = _tiled_like(g, _roots(g, _item(g, shape, -2)), first)
    extra = g.op("BatchMatMulV2", rows, g.op("Conj", first), name="MatMul")
    last = g.op("Conj", _edge(g, dy, last=True))
    last = g.op("BatchMatMulV2", rows, last, name="MatMul")
    inner = _item(g, shape, -1)
    ones = _ones(g, _scoped(g, "Sub", "sub", _rank(g, dy), ("y", 1, int32)), int32)
    with g.graph.name_scope("concat") as scope:
        width = g.op("Pack", [inner], name="values_1", axis=0)
        times = g.graph.create("ConcatV2", [[ones, width], g.const(0, int32, "axis")], {}, scope).outputs[0]
    last = g.op("Mul", g.op("Tile", last, times), _signs(g, inner), name="mul")
    return g.op("AddV2", extra, g.op("Mul", is_even, last, name="mul"), name="add")


def _real_fourier(rank: int, forward: str, inverse: str) -> None:
    @gradient(forward)
    def transform(g: Emit, node: Node, dy: Any) -> Any:
        """The op gives half a spectrum: each term stands for two but for the first and, of an even length, the last."""
        x, length = node.inputs
        shape = g.shape(x)
        odd = _scoped(g, "FloorMod", "mod", _item(g, length, -1), ("y", 2, int32))
        is_even = g.op("Cast", _scoped(g, "Sub", "sub", ("x", 1, int32), odd), DstT=complex64)
        if rank == 1:
            first, last = _edge(g, dy, last=False), _edge(g, dy, last=True)
            last = g.op("Mul", is_even, last, name="mul")
            extra = g.op("AddV2", first, g.op("Mul", last, _signs(g, _item(g, shape, -1)), name="mul"), name="add")
        else:
            extra = _rows_and_columns(g, dy, shape, is_even)
        count = _count(g, x, rank, float32)
        whole = g.op("Mul", g.op(inverse, dy, length, name=inverse.lower()), count, name="mul")
        total = g.op("AddV2", whole, g.op("Real", extra, Tout=float32), name="add")
        return _scoped(g, "Mul", "mul", ("x", 0.5, float32), total), None

    @gradient(inverse)
    def back(g: Emit, node: Node, dy: Any) -> Any:
        x, length = node.inputs
        is_odd = _scoped(g, "FloorMod", "FloorMod", _item(g, length, -1), ("y", 2, int32))
        inner = _item(g, g.shape(x), -1)
        middle = g.op("AddV2", _scoped(g, "Sub", "sub", inner, ("y", 2, int32)), is_odd, name="add")
        twice = _scoped(g, "Mul", "mul", ("x", 2.0, float32), _ones(g, middle, float32))
        end = _ones(g, _scoped(g, "Sub", "sub", ("x", 1, int32), is_odd), float32)
        mask = _joined(g, [("values_0", [1.0], float32), twice, end])
        share = g.op("Reciprocal", _count(g, dy, rank, float32))
        half = g.op(forward, dy, length, name=forward.lower())
        weights = g.op("Cast", g.op("Mul", share, mask, name="mul"), DstT=complex64)
        return g.op("Mul", half, weights, name="mul"), None


_real_fourier(1, "RFFT", "IRFFT")
_real_fourier(2, "RFFT2D", "IRFFT2D")
