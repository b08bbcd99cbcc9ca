"""The error function's complement, the gamma function's logarithm and its derivatives, Hurwitz's zeta function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.dtypes import float64, int64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

# log(erfc(x) e^(x^2) / t) as a polynomial of t = 1 / (1 + x / 2), to 1.2e-7 of erfc everywhere.
ERFC = (-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277)
# B_2k / (2k (2k - 1)), the coefficients of Stirling's series for log gamma: powers 1, 3, 5, ... of 1 / x.
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
# B_2k / 2k, those of digamma's: powers 2, 4, 6, ... of 1 / x, taken away from log x - 1 / 2x.
DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760)
# B_2k / (2k)!, those of the Euler-Maclaurin formula
EULER_MACLAURIN = (
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600, -3617 / 10670622842880000
)  # fmt: skip
SHIFT = 8  # from here on the series are exact


def polynomial(op: Builder, x: Value, coefficients: tuple[float, ...]) -> Value:
    """Horner's rule, lowest power first."""
    result: Value = op.const(float(coefficients[-1]), x.dtype)
    for c in coefficients[-2::-1]:
        result = op.Add(op.Mul(result, x), op.const(float(c), x.dtype))
    return result


@converts("Erfc")
def erfc(op: Builder, node: NodeView) -> Any:
    """1 - erf(x) has no digits left for large x: there an approximation of erfc itself."""
    x = node.inputs[0]
    one, two = op.const(1, x.dtype), op.const(2, x.dtype)
    size = op.Abs(x)
    t = op.Reciprocal(op.Add(one, op.Mul(size, op.const(0.5, x.dtype))))
    tail = op.Mul(t, op.Exp(op.Sub(polynomial(op, t, ERFC), op.Mul(size, size))))
    tail = op.Where(op.Less(x, op.const(0, x.dtype)), op.Sub(two, tail), tail)
    return op.Where(op.Less(size, op.const(0.5, x.dtype)), op.Sub(one, op.Erf(x)), tail)


def _wide(op: Builder, node: NodeView) -> Value:
    return op.cast(node.inputs[0], float64)


def _fraction_sine(op: Builder, x: Value) -> Value:
    """sin(pi x) by the distance to the nearest integer, signed for even ones."""
    nearest = op.Round(x)
    odd = op.Mod(op.Abs(nearest), np.float64(2), fmod=1)
    sine = op.Sin(op.Mul(op.Sub(x, nearest), np.float64(np.pi)))
    result: Value = op.Where(op.Equal(odd, np.float64(1)), op.Neg(sine), sine)
    return result


@converts("Lgamma")
def lgamma(op: Builder, node: NodeView) -> Any:
    return op.cast(lgamma_of(op, _wide(op, node)), node.dtype)


def lgamma_of(op: Builder, x: Value) -> Value:
    """Stirling's series at y = x + 8, less log(x (x + 1) ... (x + 7)); for x < 1/2 log(pi / |sin pi x|) - lgamma(1 - x)."""
    small = op.Less(x, np.float64(0.5))
    z = op.Where(small, op.Sub(np.float64(1), x), x)
    y = op.Add(z, np.float64(SHIFT))
    product = z
    for i in range(1, SHIFT):
        product = op.Mul(product, op.Add(z, np.float64(i)))
    inverse = op.Reciprocal(y)
    series = op.Mul(inverse, polynomial(op, op.Mul(inverse, inverse), STIRLING))
    half = np.float64(0.5)
    value = op.Add(op.Sub(op.Mul(op.Sub(y, half), op.Log(y)), y), np.float64(0.5 * np.log(2 * np.pi)))
    value = op.Sub(op.Add(value, series), op.Log(product))
    large = op.Greater(z, np.float64(1e30))  # the product overflows: the leading terms are all there is
    value = op.Where(large, op.Mul(z, op.Sub(op.Log(z), np.float64(1))), value)
    value = op.Where(op.IsInf(z), np.float64(np.inf), value)
    mirrored = op.Sub(op.Log(op.Div(np.float64(np.pi), op.Abs(_fraction_sine(op, x)))), value)
    mirrored = op.Where(op.IsInf(x), np.float64(np.inf), mirrored)
    result: Value = op.Where(small, mirrored, value)
    return result


@converts("Digamma")
def digamma(op: Builder, node: NodeView) -> Any:
    """Infinite at poles in TensorFlow 1, NaN in TensorFlow 2."""
    x = _wide(op, node)
    value = digamma_of(op, x)
    if node.graph.producer >= 1000:
        pole = op.And(op.LessOrEqual(x, np.float64(0)), op.Equal(x, op.Round(x)))
        value = op.Where(pole, np.float64(np.nan), value)
    return op.cast(value, node.dtype)


def digamma_of(op: Builder, x: Value) -> Value:
    """log y - 1 / 2y - series at y = x + 8, less the sum of 1 / (x + i); for x < 1/2 digamma(1 - x) - pi / tan pi x. Infinite at poles."""
    small = op.Less(x, np.float64(0.5))
    z = op.Where(small, op.Sub(np.float64(1), x), x)
    y = op.Add(z, np.float64(SHIFT))
    inverse = op.Reciprocal(y)
    squared = op.Mul(inverse, inverse)
    value = op.Sub(op.Log(y), op.Mul(inverse, np.float64(0.5)))
    value = op.Sub(value, op.Mul(squared, polynomial(op, squared, DIGAMMA)))
    for i in range(SHIFT):
        value = op.Sub(value, op.Reciprocal(op.Add(z, np.float64(i))))
    cosine = op.Cos(op.Mul(op.Sub(x, op.Round(x)), np.float64(np.pi)))
    sine = op.Sin(op.Mul(op.Sub(x, op.Round(x)), np.float64(np.pi)))
    mirrored = op.Sub(value, op.Div(op.Mul(np.float64(np.pi), cosine), sine))
    pole = op.And(op.LessOrEqual(x, np.float64(0)), op.Equal(x, op.Round(x)))
    result: Value = op.Where(pole, np.float64(np.inf), op.Where(small, mirrored, value))
    return result


@converts("Zeta")
def zeta(op: Builder, node: NodeView) -> Any:
    return op.cast(zeta_of(op, *(op.cast(v, float64) for v in node.inputs)), node.dtype)


def zeta_of(op: Builder, x: Value, q: Value) -> Value:
    """Hurwitz's: the sum of (q + i)^-x to where the base is past 10, then the Euler-Maclaurin formula.

    NaN for x < 1, and for q <= 0 where x is no integer; infinite at x = 1 and where q is 0 or a negative integer.
    """
    one, zero = np.float64(1), np.float64(0)
    lowest = op.ReduceMin(op.Concat(op.Reshape(op.Where(op.IsNaN(q), zero, q), [-1]), np.zeros(1), axis=0), [0], keepdims=1)
    count = op.Sub(np.array([10.0]), op.Floor(op.Max(lowest, np.array([-1e5]))))
    steps = op.cast(op.Range(np.int64(0), op.Squeeze(op.cast(count, int64), [0]), np.int64(1)), float64)
    power = op.Neg(x)
    total = op.ReduceSum(op.Pow(op.Add(op.Unsqueeze(q, [-1]), steps), op.Unsqueeze(power, [-1])), [-1], keepdims=0)
    a = op.Add(q, op.Squeeze(count, [0]))
    last = op.Pow(a, power)
    total = op.Add(total, op.Add(op.Div(op.Mul(last, a), op.Sub(x, one)), op.Mul(last, np.float64(0.5))))
    term = op.Div(op.Mul(x, last), a)
    for i, coefficient in enumerate(EULER_MACLAURIN):
        total = op.Add(total, op.Mul(term, np.float64(coefficient)))
        rising = op.Mul(op.Add(x, np.float64(2 * i + 1)), op.Add(x, np.float64(2 * i + 2)))
        term = op.Div(op.Mul(term, rising), op.Mul(a, a))
    below = op.LessOrEqual(q, zero)
    is_pole = op.And(below, op.Equal(q, op.Floor(q)))
    undefined = op.And(below, op.Not(op.Equal(x, op.Floor(x))))
    total = op.Where(undefined, np.float64(np.nan), total)
    total = op.Where(is_pole, np.float64(np.inf), total)
    total = op.Where(op.Equal(x, one), np.float64(np.inf), total)
    result: Value = op.Where(op.Less(x, one), np.float64(np.nan), total)
    return result


@converts("Polygamma")
def polygamma(op: Builder, node: NodeView) -> Any:
    """(-1)^(n + 1) n! zeta(n + 1, x), which digamma is the case n = 0 of; NaN where n is no natural number."""
    n, x = (op.cast(v, float64) for v in node.inputs)
    one, zero = np.float64(1), np.float64(0)
    order = op.Add(n, one)
    even = op.Equal(op.Mod(op.Abs(order), np.float64(2), fmod=1), zero)
    size = op.Mul(op.Exp(lgamma_of(op, order)), zeta_of(op, order, x))
    value = op.Where(op.Equal(n, zero), digamma_of(op, x), op.Where(even, size, op.Neg(size)))
    natural = op.And(op.GreaterOrEqual(n, zero), op.Equal(n, op.Floor(n)))
    return op.cast(op.Where(natural, value, np.float64(np.nan)), node.dtype)


@converts("TridiagonalMatMul")
def tridiagonal_mat_mul(op: Builder, node: NodeView) -> Any:
    """Row i: main[i] x[i] + super[i] x[i + 1] + sub[i] x[i - 1]."""
    above, main, below, x = node.inputs
    turned = []
    for diagonal in (above, main, below):
        rank = diagonal.rank
        if rank is None:
            raise node.fail("the ranks of the diagonals must be known.")
        turned.append(op.Transpose(diagonal, perm=[*range(rank - 2), rank - 1, rank - 2]))
    largest = np.iinfo(np.int64).max
    zero = op.const(0, x.dtype)
    following = op.Pad(op.Slice(x, [1], [largest], [-2]), [0, 1], zero, [-2])
    previous = op.Pad(op.Slice(x, [0], [-1], [-2]), [1, 0], zero, [-2])
    return op.Add(op.Add(op.Mul(turned[1], x), op.Mul(turned[0], following)), op.Mul(turned[2], previous))
