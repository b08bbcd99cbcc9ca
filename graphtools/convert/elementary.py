"""Elementary functions for which ONNX Runtime has kernels in float32 only: in float64 they are made of those it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphtools.dtypes import float64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value

HALF, ONE, TWO, ZERO = (np.float64(v) for v in (0.5, 1, 2, 0))
LARGE = np.float64(1e8)  # from here on x + 1 / x is x
ATAN_TERMS = 13  # 0.2^27 / 27 is below the last digit of float64


def _one(op: Builder, name: str, x: Value) -> Value:
    result: Value = op.append(name, [x], {})
    return result


def log1p(op: Builder, x: Value) -> Value:
    """log(u) x / (u - 1) with u = 1 + x rounded: the quotient undoes the rounding. Near 0, x itself; 1 for the quotient at infinity."""
    one, zero = op.const(1, x.dtype), op.const(0, x.dtype)
    u = op.Add(x, one)
    d = op.Sub(u, one)
    factor = op.Where(op.Equal(d, x), one, op.Div(x, d))
    result: Value = op.Where(op.Equal(d, zero), x, op.Mul(op.Log(u), factor))
    return result


def _signed(op: Builder, x: Value, size: Value) -> Value:
    result: Value = op.Where(op.Less(x, ZERO), op.Neg(size), size)
    return result


def tan(op: Builder, x: Value) -> Value:
    if x.dtype is not float64:
        return _one(op, "Tan", x)
    result: Value = op.Div(op.Sin(x), op.Cos(x))
    return result


def cosh(op: Builder, x: Value) -> Value:
    if x.dtype is not float64:
        return _one(op, "Cosh", x)
    result: Value = op.Mul(op.Add(op.Exp(x), op.Exp(op.Neg(x))), HALF)
    return result


def sinh(op: Builder, x: Value) -> Value:
    """tanh(x / 2) (cosh x + 1)"""
    if x.dtype is not float64:
        return _one(op, "Sinh", x)
    result: Value = op.Mul(op.Tanh(op.Mul(x, HALF)), op.Add(cosh(op, x), ONE))
    return result


def asinh(op: Builder, x: Value) -> Value:
    """log1p(a + a^2 / (1 + sqrt(1 + a^2))) of a = |x|, log 2a for large a."""
    if x.dtype is not float64:
        return _one(op, "Asinh", x)
    a = op.Abs(x)
    square = op.Mul(a, a)
    near = log1p(op, op.Add(a, op.Div(square, op.Add(ONE, op.Sqrt(op.Add(square, ONE))))))
    return _signed(op, x, op.Where(op.Greater(a, LARGE), op.Add(op.Log(a), np.float64(np.log(2))), near))


def acosh(op: Builder, x: Value) -> Value:
    """log1p(t + sqrt(t (t + 2))) of t = x - 1, log 2x for large x."""
    if x.dtype is not float64:
        return _one(op, "Acosh", x)
    t = op.Sub(x, ONE)
    near = log1p(op, op.Add(t, op.Sqrt(op.Mul(t, op.Add(t, TWO)))))
    result: Value = op.Where(op.Greater(x, LARGE), op.Add(op.Log(x), np.float64(np.log(2))), near)
    return op.Where(op.Less(x, ONE), np.float64(np.nan), result)  # type: ignore[no-any-return]


def atanh(op: Builder, x: Value) -> Value:
    """log1p(2a / (1 - a)) / 2 of a = |x|"""
    if x.dtype is not float64:
        return _one(op, "Atanh", x)
    a = op.Abs(x)
    return _signed(op, x, op.Mul(log1p(op, op.Div(op.Add(a, a), op.Sub(ONE, a))), HALF))


def atan(op: Builder, x: Value) -> Value:
    """Above 1 pi/2 less that of 1 / x; then the angle is halved twice, z -> z / (1 + sqrt(1 + z^2)), for a short series."""
    if x.dtype is not float64:
        return _one(op, "Atan", x)
    a = op.Abs(x)
    beyond = op.Greater(a, ONE)
    z = op.Where(beyond, op.Reciprocal(a), a)
    for _ in range(2):
        z = op.Div(z, op.Add(ONE, op.Sqrt(op.Add(op.Mul(z, z), ONE))))
    square = op.Mul(z, z)
    series: Value = op.const(np.float64((-1) ** (ATAN_TERMS - 1) / (2 * ATAN_TERMS - 1)))
    for k in range(ATAN_TERMS - 2, -1, -1):
        series = op.Add(op.Mul(series, square), np.float64((-1) ** k / (2 * k + 1)))
    angle = op.Mul(op.Mul(series, z), np.float64(4))
    return _signed(op, x, op.Where(beyond, op.Sub(np.float64(np.pi / 2), angle), angle))


def asin(op: Builder, x: Value) -> Value:
    """atan(x / sqrt((1 - x) (1 + x)))"""
    if x.dtype is not float64:
        return _one(op, "Asin", x)
    return atan(op, op.Div(x, op.Sqrt(op.Mul(op.Sub(ONE, x), op.Add(ONE, x)))))


def acos(op: Builder, x: Value) -> Value:
    """2 atan(sqrt((1 - x) / (1 + x)))"""
    if x.dtype is not float64:
        return _one(op, "Acos", x)
    result: Value = op.Mul(atan(op, op.Sqrt(op.Div(op.Sub(ONE, x), op.Add(ONE, x)))), TWO)
    return result


FUNCTIONS = {"Acos": acos, "Acosh": acosh, "Asin": asin, "Asinh": asinh, "Atan": atan, "Atanh": atanh}
