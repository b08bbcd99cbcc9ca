"""Elementwise arithmetic and comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts, direct, elementary
from graphtools.convert.complex_numbers import by_parts, join, parts, zeros_like
from graphtools.dtypes import int64, string, uint64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

# One ONNX op, the same inputs, no attributes, real dtypes only.
DIRECT = {
    "BitwiseAnd": "BitwiseAnd",
    "BitwiseOr": "BitwiseOr",
    "BitwiseXor": "BitwiseXor",
    "Ceil": "Ceil",
    "Erf": "Erf",
    "Floor": "Floor",
    "Greater": "Greater",
    "GreaterEqual": "GreaterOrEqual",
    "Invert": "BitwiseNot",
    "IsInf": "IsInf",
    "IsNan": "IsNaN",
    "Less": "Less",
    "LessEqual": "LessOrEqual",
    "LogicalAnd": "And",
    "LogicalNot": "Not",
    "LogicalOr": "Or",
    "Rint": "Round",
}
direct(DIRECT)


# -- arithmetic --------------------------------------------------------------------------------------------------------


@converts("Add", "AddV2")
@by_parts
def add(op: Builder, node: NodeView) -> Any:
    x, y = node.inputs
    return op.StringConcat(x, y) if x.dtype is string else op.Add(x, y)


@converts("Sub")
@by_parts
def sub(op: Builder, node: NodeView) -> Any:
    return op.Sub(*node.inputs)


@converts("Neg")
@by_parts
def neg(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    return op.Sub(op.const(0, x.dtype), x) if x.dtype.is_unsigned else op.Neg(x)


@converts("Mul")
def mul(op: Builder, node: NodeView) -> Any:
    x, y = node.inputs
    return complex_mul(op, x, y) if x.dtype.is_complex else op.Mul(x, y)


def complex_mul(op: Builder, x: Value, y: Value) -> Value:
    """(a + bi)(c + di) = (ac - bd) + (ad + bc)i"""
    (a, b), (c, d) = parts(op, x), parts(op, y)
    return join(op, op.Sub(op.Mul(a, c), op.Mul(b, d)), op.Add(op.Mul(a, d), op.Mul(b, c)))


def complex_div(op: Builder, x: Value, y: Value) -> Value:
    """x / y = x * conj(y) / |y|^2"""
    (a, b), (c, d) = parts(op, x), parts(op, y)
    norm = op.Add(op.Mul(c, c), op.Mul(d, d))
    real = op.Div(op.Add(op.Mul(a, c), op.Mul(b, d)), norm)
    return join(op, real, op.Div(op.Sub(op.Mul(b, c), op.Mul(a, d)), norm))


@converts("AddN", "AccumulateNV2")
@by_parts
def add_n(op: Builder, node: NodeView) -> Any:
    if len(node.inputs) > 2 and node.inputs[0].dtype.is_floating:
        return op.Sum(*node.inputs)
    total = node.inputs[0]
    for x in node.inputs[1:]:
        total = op.Add(total, x)
    return total


@converts("RealDiv")
def real_div(op: Builder, node: NodeView) -> Any:
    x, y = node.inputs
    return complex_div(op, x, y) if x.dtype.is_complex else op.Div(x, y)


# Graphs of this version and later come from a TensorFlow 2 whose kernels truncate floats and keep NaN.
_LATE_KERNELS = 1000


@converts("Div", "TruncateDiv")
def div(op: Builder, node: NodeView) -> Any:
    """Integers truncate, in ONNX and in TensorFlow's kernel of this name; floats do in TensorFlow 2 alone."""
    if node.op == "TruncateDiv" and node.dtype.is_floating and node.graph.producer >= _LATE_KERNELS:
        quotient = op.Div(*node.inputs)
        return op.Where(op.Less(quotient, op.const(0, quotient.dtype)), op.Ceil(quotient), op.Floor(quotient))
    return real_div(op, node)


@converts("FloorDiv")
def floor_div(op: Builder, node: NodeView) -> Any:
    x, y = node.inputs
    if x.dtype.is_floating:
        return op.Floor(op.Div(x, y))
    quotient = op.Div(x, y)
    if x.dtype.is_unsigned:
        return quotient
    rest = op.Sub(x, op.Mul(quotient, y))
    zero = op.const(0, x.dtype)
    inexact = op.And(op.Not(op.Equal(rest, zero)), op.Xor(op.Less(rest, zero), op.Less(y, zero)))
    return op.Sub(quotient, op.cast(inexact, x.dtype))


@converts("FloorMod")
def floor_mod(op: Builder, node: NodeView) -> Any:
    """The result has the divisor's sign: ONNX's Mod for integers; for floats fmod, plus y where that has the other sign."""
    x, y = node.inputs
    if not x.dtype.is_floating:
        return op.Mod(x, y)
    rest = op.Mod(x, y, fmod=1)
    zero = op.const(0, x.dtype)
    other = op.And(op.Not(op.Equal(rest, zero)), op.Xor(op.Less(rest, zero), op.Less(y, zero)))
    return op.Where(other, op.Add(rest, y), rest)


@converts("Mod", "TruncateMod")
def truncate_mod(op: Builder, node: NodeView) -> Any:
    """Of int64 by the quotient: ONNX Runtime computes fmod in float64, which has too few digits."""
    x, y = node.inputs
    if x.dtype in (int64, uint64):
        return op.Sub(x, op.Mul(op.Div(x, y), y))
    return op.Mod(x, y, fmod=1)


@converts("DivNoNan")
def div_no_nan(op: Builder, node: NodeView) -> Any:
    x, y = node.inputs
    if x.dtype.is_complex:
        c, d = parts(op, y)
        nothing = op.And(op.Equal(c, op.const(0, c.dtype)), op.Equal(d, op.const(0, d.dtype)))
        real, imag = parts(op, complex_div(op, x, y))
        return join(op, op.Where(nothing, op.const(0, c.dtype), real), op.Where(nothing, op.const(0, c.dtype), imag))
    return op.Where(op.Equal(y, op.const(0, y.dtype)), op.const(0, x.dtype), op.Div(x, y))


@converts("MulNoNan")
def mul_no_nan(op: Builder, node: NodeView) -> Any:
    x, y = node.inputs
    return op.Where(op.Equal(y, op.const(0, y.dtype)), op.const(0, x.dtype), op.Mul(x, y))


@converts("Xlogy")
def xlogy(op: Builder, node: NodeView) -> Any:
    """x log y, 0 where x is 0 whatever y is."""
    x, y = node.inputs
    return op.Where(op.Equal(x, op.const(0, x.dtype)), op.const(0, x.dtype), op.Mul(x, op.Log(y)))


@converts("Xlog1py")
def xlog1py(op: Builder, node: NodeView) -> Any:
    x, y = node.inputs
    return op.Where(op.Equal(x, op.const(0, x.dtype)), op.const(0, x.dtype), op.Mul(x, elementary.log1p(op, y)))


@converts("Xdivy")
def xdivy(op: Builder, node: NodeView) -> Any:
    x, y = node.inputs
    return op.Where(op.Equal(x, op.const(0, x.dtype)), op.const(0, x.dtype), op.Div(x, y))


@converts("Pow")
def pow_(op: Builder, node: NodeView) -> Any:
    """Complex: x^y = exp(y log x)."""
    x, y = node.inputs
    if not x.dtype.is_complex:
        return op.Pow(x, y)
    result = complex_exp(op, complex_mul(op, y, complex_log(op, x)))
    zero = op.const(0, x.dtype.real_dtype)
    (a, b), (c, d) = parts(op, x), parts(op, y)
    nothing = op.And(op.Equal(a, zero), op.Equal(b, zero))
    real, imag = parts(op, result)
    one = op.cast(op.And(op.Equal(c, zero), op.Equal(d, zero)), x.dtype.real_dtype)
    return join(op, op.Where(nothing, one, real), op.Where(nothing, zero, imag))


@converts("Square")
def square(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    return complex_mul(op, x, x) if x.dtype.is_complex else op.Mul(x, x)


@converts("SquaredDifference")
def squared_difference(op: Builder, node: NodeView) -> Any:
    x, y = node.inputs
    if x.dtype.is_complex:  # conj(x - y) * (x - y)
        (a, b), (c, d) = parts(op, x), parts(op, y)
        real, imag = op.Sub(a, c), op.Sub(b, d)
        norm = op.Add(op.Mul(real, real), op.Mul(imag, imag))
        return join(op, norm, zeros_like(op, norm))
    difference = op.Sub(x, y)
    return op.Mul(difference, difference)


@converts("Reciprocal", "Inv")
def reciprocal(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    if x.dtype.is_complex:
        return _complex_reciprocal(op, x)
    return op.Reciprocal(x) if x.dtype.is_floating else op.Div(op.const(1, x.dtype), x)


def _complex_reciprocal(op: Builder, x: Value) -> Value:
    a, b = parts(op, x)
    norm = op.Add(op.Mul(a, a), op.Mul(b, b))
    return join(op, op.Div(a, norm), op.Neg(op.Div(b, norm)))


@converts("Abs")
def abs_(op: Builder, node: NodeView) -> Any:
    return op.Abs(node.inputs[0])


@converts("Sign")
def sign(op: Builder, node: NodeView) -> Any:
    """Of NaN it is 0 in TensorFlow 1, where ONNX's is NaN."""
    x = node.inputs[0]
    if node.graph.producer >= _LATE_KERNELS and x.dtype.is_floating:
        return op.Sign(x)
    if not x.dtype.is_complex:
        return op.Where(op.IsNaN(x), op.const(0, x.dtype), op.Sign(x)) if x.dtype.is_floating else op.Sign(x)
    a, b = parts(op, x)
    norm = op.Sqrt(op.Add(op.Mul(a, a), op.Mul(b, b)))
    zero = op.const(0, norm.dtype)
    nothing = op.Equal(norm, zero)
    return join(op, op.Where(nothing, zero, op.Div(a, norm)), op.Where(nothing, zero, op.Div(b, norm)))


@converts("Round")
def round_(op: Builder, node: NodeView) -> Any:
    """Halves go to even, in ONNX too."""
    x = node.inputs[0]
    return op.Round(x) if x.dtype.is_floating else x


@converts("Maximum", "Minimum")
def maximum(op: Builder, node: NodeView) -> Any:
    """ONNX's Max and Min, but not on int64: ONNX Runtime 1.31 takes the wrong one of two that differ beyond 32 bits (as its Clip does)."""
    return _larger(op, *node.inputs) if node.op == "Maximum" else _smaller(op, *node.inputs)


def _larger(op: Builder, a: Value, b: Value) -> Value:
    return op.Where(op.Greater(a, b), a, b) if a.dtype is int64 else op.Max(a, b)  # type: ignore[no-any-return]


def _smaller(op: Builder, a: Value, b: Value) -> Value:
    return op.Where(op.Less(a, b), a, b) if a.dtype is int64 else op.Min(a, b)  # type: ignore[no-any-return]


@converts("ClipByValue")
def clip_by_value(op: Builder, node: NodeView) -> Any:
    """ONNX's Clip takes scalar bounds only."""
    x, low, high = node.inputs
    if low.rank == 0 and high.rank == 0 and x.dtype is not int64:
        return op.Clip(x, low, high)
    return _smaller(op, _larger(op, x, low), high)


@converts("Cross")
def cross(op: Builder, node: NodeView) -> Any:
    """The cross product along a last axis of 3."""
    a, b = node.inputs

    def rolled(value: Value, by: int) -> Value:
        found: Value = op.Gather(value, np.array([(i + by) % 3 for i in range(3)]), axis=-1 if value.rank is None else value.rank - 1)
        return found

    return op.Sub(op.Mul(rolled(a, 1), rolled(b, 2)), op.Mul(rolled(a, 2), rolled(b, 1)))


# -- exponentials and logarithms ---------------------------------------------------------------------------------------


@converts("Exp")
def exp(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    return complex_exp(op, x) if x.dtype.is_complex else op.Exp(x)


def complex_exp(op: Builder, x: Value) -> Value:
    a, b = parts(op, x)
    size = op.Exp(a)
    return join(op, op.Mul(size, op.Cos(b)), op.Mul(size, op.Sin(b)))


@converts("Log")
def log(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    return complex_log(op, x) if x.dtype.is_complex else op.Log(x)


def complex_log(op: Builder, x: Value) -> Value:
    a, b = parts(op, x)
    norm = op.Add(op.Mul(a, a), op.Mul(b, b))
    return join(op, op.Mul(op.Log(norm), op.const(0.5, norm.dtype)), arc_tangent(op, b, a))


@converts("Sqrt")
def sqrt(op: Builder, node: NodeView) -> Any:
    """Complex: sqrt((|x| + a) / 2) + i sign(b) sqrt((|x| - a) / 2)."""
    x = node.inputs[0]
    if not x.dtype.is_complex:
        return op.Sqrt(x)
    a, b = parts(op, x)
    size, half, zero = op.Sqrt(op.Add(op.Mul(a, a), op.Mul(b, b))), op.const(0.5, a.dtype), op.const(0, a.dtype)
    real = op.Sqrt(op.Mul(op.Max(op.Add(size, a), zero), half))
    imag = op.Sqrt(op.Mul(op.Max(op.Sub(size, a), zero), half))
    return join(op, real, op.Where(op.Less(b, zero), op.Neg(imag), imag))


@converts("Rsqrt")
def rsqrt(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    if x.dtype.is_complex:
        return _complex_reciprocal(op, sqrt(op, node))
    return op.Reciprocal(op.Sqrt(x))


@converts("Expm1")
def expm1(op: Builder, node: NodeView) -> Any:
    """tanh(x / 2) (e^x + 1), which keeps its digits near 0."""
    x = node.inputs[0]
    if x.dtype.is_complex:
        real, imag = parts(op, complex_exp(op, x))
        return join(op, op.Sub(real, op.const(1, real.dtype)), imag)
    return op.Mul(op.Tanh(op.Mul(x, op.const(0.5, x.dtype))), op.Add(op.Exp(x), op.const(1, x.dtype)))


@converts("Log1p")
def log1p(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    if x.dtype.is_complex:
        real, imag = parts(op, x)
        return complex_log(op, join(op, op.Add(real, op.const(1, real.dtype)), imag))
    return elementary.log1p(op, x)


# -- trigonometry ------------------------------------------------------------------------------------------------------


@converts("Sin")
def sin(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    if not x.dtype.is_complex:
        return op.Sin(x)
    a, b = parts(op, x)
    return join(op, op.Mul(op.Sin(a), elementary.cosh(op, b)), op.Mul(op.Cos(a), elementary.sinh(op, b)))


@converts("Cos")
def cos(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    if not x.dtype.is_complex:
        return op.Cos(x)
    a, b = parts(op, x)
    return join(op, op.Mul(op.Cos(a), elementary.cosh(op, b)), op.Neg(op.Mul(op.Sin(a), elementary.sinh(op, b))))


@converts("Cosh")
def cosh(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    if not x.dtype.is_complex:
        return elementary.cosh(op, x)
    a, b = parts(op, x)
    return join(op, op.Mul(elementary.cosh(op, a), op.Cos(b)), op.Mul(elementary.sinh(op, a), op.Sin(b)))


@converts("Sinh")
def sinh(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    if not x.dtype.is_complex:
        return elementary.sinh(op, x)
    a, b = parts(op, x)
    return join(op, op.Mul(elementary.sinh(op, a), op.Cos(b)), op.Mul(elementary.cosh(op, a), op.Sin(b)))


@converts("Tan")
def tan(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    if not x.dtype.is_complex:
        return elementary.tan(op, x)
    two = op.const(2, x.dtype.real_dtype)  # (sin 2a + i sinh 2b) / (cos 2a + cosh 2b)
    a, b = (op.Mul(p, two) for p in parts(op, x))
    norm = op.Add(op.Cos(a), elementary.cosh(op, b))
    return join(op, op.Div(op.Sin(a), norm), op.Div(elementary.sinh(op, b), norm))


@converts("Tanh")
def tanh(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    if not x.dtype.is_complex:
        return op.Tanh(x)
    two = op.const(2, x.dtype.real_dtype)  # (sinh 2a + i sin 2b) / (cosh 2a + cos 2b)
    a, b = (op.Mul(p, two) for p in parts(op, x))
    norm = op.Add(elementary.cosh(op, a), op.Cos(b))
    return join(op, op.Div(elementary.sinh(op, a), norm), op.Div(op.Sin(b), norm))


@converts("Sigmoid")
def sigmoid(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    if not x.dtype.is_complex:
        return op.Sigmoid(x)
    real, imag = parts(op, complex_exp(op, join(op, *(op.Neg(p) for p in parts(op, x)))))
    return _complex_reciprocal(op, join(op, op.Add(real, op.const(1, real.dtype)), imag))


@converts(*elementary.FUNCTIONS)
def inverse_function(op: Builder, node: NodeView) -> Any:
    return elementary.FUNCTIONS[node.op](op, node.inputs[0])


@converts("Atan2")
def atan2(op: Builder, node: NodeView) -> Any:
    return arc_tangent(op, *node.inputs)


def arc_tangent(op: Builder, y: Value, x: Value) -> Value:
    """The angle of (x, y) in all quadrants: atan of the smaller over the larger side, turned by the signs, that of -0 included."""
    dtype = x.dtype
    zero, one = op.const(0, dtype), op.const(1, dtype)
    ax, ay = op.Abs(x), op.Abs(y)
    swap = op.Greater(ay, ax)
    larger, smaller = op.Where(swap, ay, ax), op.Where(swap, ax, ay)
    ratio = op.Where(op.Equal(larger, smaller), op.Where(op.Equal(larger, zero), zero, one), op.Div(smaller, larger))
    angle = elementary.atan(op, ratio)
    angle = op.Where(swap, op.Sub(op.const(np.pi / 2, dtype), angle), angle)
    angle = op.Where(is_negative(op, x), op.Sub(op.const(np.pi, dtype), angle), angle)
    angle = op.Where(is_negative(op, y), op.Neg(angle), angle)
    undefined = op.Or(op.IsNaN(x), op.IsNaN(y))
    result: Value = op.Where(undefined, op.const(np.nan, dtype), angle)
    return result


def is_negative(op: Builder, x: Value) -> Value:
    """Whether the sign bit of a float is set: of -0 too."""
    zero = op.const(0, x.dtype)
    result: Value = op.Or(op.Less(x, zero), op.Less(op.Reciprocal(x), zero))
    return result


# -- comparisons -------------------------------------------------------------------------------------------------------


def equal_values(op: Builder, node: NodeView) -> Value:
    x, y = node.inputs
    if x.dtype.is_complex:
        (a, b), (c, d) = parts(op, x), parts(op, y)
        both: Value = op.And(op.Equal(a, c), op.Equal(b, d))
        return both
    result: Value = op.Equal(x, y)
    return result


@converts("Equal")
def equal(op: Builder, node: NodeView) -> Any:
    return op.const(False) if _never_broadcast(node) else equal_values(op, node)


@converts("NotEqual")
def not_equal(op: Builder, node: NodeView) -> Any:
    return op.const(True) if _never_broadcast(node) else op.Not(equal_values(op, node))


def _never_broadcast(node: NodeView) -> bool:
    """Shapes that do not broadcast compare as one False where `incompatible_shape_error` is off."""
    if node.attr.get("incompatible_shape_error", True):
        return False
    a, b = (v.dims for v in node.inputs)
    if a is None or b is None:
        return False
    return any(x is not None and y is not None and x != y and 1 not in (x, y) for x, y in zip(a[::-1], b[::-1], strict=False))


@converts("ApproximateEqual")
def approximate_equal(op: Builder, node: NodeView) -> Any:
    x, y = node.inputs
    return op.Less(op.Abs(op.Sub(x, y)), op.const(float(node.attr["tolerance"]), x.dtype))


@converts("IsFinite")
def is_finite(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    return op.Not(op.Or(op.IsInf(x), op.IsNaN(x)))


# -- dtypes and complex numbers ----------------------------------------------------------------------------------------


@converts("Cast", "_HostCast")
def cast(op: Builder, node: NodeView) -> Any:
    x, to = node.inputs[0], node.dtype
    if x.dtype.is_complex:
        if to.is_complex:
            return join(op, *(op.cast(p, to.real_dtype) for p in parts(op, x)))
        return op.cast(parts(op, x)[0], to)
    if to.is_complex:
        real = op.cast(x, to.real_dtype)
        return join(op, real, zeros_like(op, real))
    if to.onnx == 0 or to is string or x.dtype is string:
        raise node.fail(f"a cast from {x.dtype.name} to {to.name} is not defined.")
    return op.cast(x, to)


@converts("Complex")
def complex_(op: Builder, node: NodeView) -> Any:
    real, imag = node.inputs
    if real.dims is None or real.dims != imag.dims:
        shape = op.Shape(op.Add(real, imag))
        real, imag = op.Expand(real, shape), op.Expand(imag, shape)
    return join(op, real, imag)


@converts("Real")
def real_part(op: Builder, node: NodeView) -> Any:
    return parts(op, node.inputs[0])[0]


@converts("Imag")
def imaginary_part(op: Builder, node: NodeView) -> Any:
    return parts(op, node.inputs[0])[1]


@converts("Conj")
def conj(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    return conjugate(op, x) if x.dtype.is_complex else x


def conjugate(op: Builder, x: Value) -> Value:
    real, imag = parts(op, x)
    return join(op, real, op.Neg(imag))


@converts("ComplexAbs")
def complex_abs(op: Builder, node: NodeView) -> Any:
    a, b = parts(op, node.inputs[0])
    return op.Sqrt(op.Add(op.Mul(a, a), op.Mul(b, b)))


@converts("Angle")
def angle(op: Builder, node: NodeView) -> Any:
    real, imag = parts(op, node.inputs[0])
    return arc_tangent(op, imag, real)


__all__ = ["arc_tangent", "complex_div", "complex_mul", "conjugate"]
