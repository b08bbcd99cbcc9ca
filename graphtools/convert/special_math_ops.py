"""The error function's complement, the gamma function's logarithm and its derivative."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.dtypes import float64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

# log(erfc(x) e^(x^2) / t) as a polynomial of t = 1 / (1 + x / 2), to 1.2e-7 of erfc everywhere.
ERFC = (-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277)
# B_2k / (2k (2k - 1)), the coefficients of Stirling's series for log gamma: powers 1, 3, 5, ... of 1 / x.
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
# B_2k / 2k, those of digamma's: powers 2, 4, 6, ... of 1 / x, taken away from log x - 1 / 2x.
DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760)
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
    """Stirling's series at y = x + 8, less log(x (x + 1) ... (x + 7)); for x < 1/2 log(pi / |sin pi x|) - lgamma(1 - x)."""
    x = _wide(op, node)
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
    return op.cast(op.Where(small, mirrored, value), node.dtype)


@converts("Digamma")
def digamma(op: Builder, node: NodeView) -> Any:
    """log y - 1 / 2y - series at y = x + 8, less the sum of 1 / (x + i); for x < 1/2 digamma(1 - x) - pi / tan pi x."""
    x = _wide(op, node)
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
    return op.cast(op.Where(small, mirrored, value), node.dtype)


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
