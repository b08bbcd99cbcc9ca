"""Host kernels of the gamma, beta, zeta and Bessel functions, and of the normal distribution's quantiles, in double precision."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphtools.graph import Node
from runtime.host import Run, host

Array = NDArray[Any]
Doubles = NDArray[np.float64]

_EPS = 2.0**-52
_TINY = 1e-300
_STEPS = 5000
# B(2k) / (2k)! and B(2k)
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330, 854513 / 138)


def digamma(x: Doubles) -> Doubles:
    """Reflection below 0, recurrence up to 10, then the asymptotic series. nan at the poles' sides is TensorFlow's inf."""
    with np.errstate(all="ignore"):
        negative = x <= 0
        y = np.where(negative, 1 - x, x)
        total = np.zeros_like(y)
        for _ in range(10):
            small = y < 10
            total -= np.where(small, 1 / y, 0)
            y = np.where(small, y + 1, y)
        square = 1 / (y * y)
        power, tail = square.copy(), np.zeros_like(y)
        for k, b in enumerate(_BERNOULLI[:8], 1):
            tail += b / (2 * k) * power
            power = power * square
        result = total + np.log(y) - 0.5 / y - tail
        fraction = x - np.round(x)
        reflected = result - math.pi / np.tan(math.pi * fraction)
        return np.where(negative, np.where(fraction == 0, np.inf, reflected), result)


def lgamma(x: Doubles) -> Doubles:
    return np.array(
        [math.lgamma(v) if math.isfinite(v) and not (v <= 0 and v == int(v)) else _lgamma_edge(v) for v in x.ravel().tolist()]
    ).reshape(x.shape)


def _lgamma_edge(v: float) -> float:
    return v if math.isnan(v) else math.inf


def zeta(x: Doubles, q: Doubles) -> Doubles:
    """Hurwitz's zeta, sum of (q + k) ** -x: terms up to q >= 12, then Euler and Maclaurin's."""
    with np.errstate(all="ignore"):
        total = np.zeros(np.broadcast_shapes(x.shape, q.shape))
        a = q + np.zeros_like(total)
        s = x + np.zeros_like(total)
        for _ in range(12):
            total += a**-s
            a = a + 1
        for _ in range(200):
            small = a < 12
            if not small.any():
                break
            total += np.where(small, a**-s, 0)
            a = np.where(small, a + 1, a)
        total += a ** (1 - s) / (s - 1) + 0.5 * a**-s
        factor, power = s.copy(), a ** (-s - 1)
        for k, b in enumerate(_BERNOULLI, 1):
            total += b / math.factorial(2 * k) * factor * power
            factor = factor * (s + 2 * k - 1) * (s + 2 * k)
            power = power / (a * a)
        whole_q, whole_x = q == np.floor(q), x == np.floor(x)
        total = np.where((q <= 0) & whole_q, np.inf, total)
        total = np.where((q <= 0) & ~whole_q & ~whole_x, np.nan, total)
        return np.where(x == 1, np.inf, np.where(x < 1, np.nan, total))


def polygamma(n: Doubles, x: Doubles) -> Doubles:
    """(-1) ** (n + 1) * n! * zeta(n + 1, x); digamma for n = 0, nan for orders that are no natural number."""
    with np.errstate(all="ignore"):
        sign = np.where(np.mod(n, 2) == 0, -1.0, 1.0)
        higher = sign * np.exp(lgamma(n + 1 + np.zeros_like(x))) * zeta(n + 1, x)
        result = np.where(n == 0, digamma(x + np.zeros_like(higher)), higher)
        return np.where((n < 0) | (n != np.floor(n)), np.nan, result)


def _gamma_prefix(a: Doubles, x: Doubles) -> Doubles:
    return np.exp(a * np.log(x) - x - lgamma(a))


def _lower_series(a: Doubles, x: Doubles) -> tuple[Doubles, Doubles]:
    """P(a, x) = x^a e^-x / Gamma(a) * sum of x^k / (a (a + 1) ... (a + k)), and its derivative in a."""
    term = 1 / a
    total, slope = term.copy(), -term / a
    term_slope = slope.copy()
    r = a.copy()
    for _ in range(_STEPS):
        r = r + 1
        term_slope = (term_slope - term / r) * x / r
        term = term * x / r
        total += term
        slope += term_slope
        if not ((np.abs(term) > _EPS * 0.25 * np.abs(total)) | (np.abs(term_slope) > _EPS * 0.25 * np.abs(slope))).any():
            break
    prefix = _gamma_prefix(a, x)
    return prefix * total, prefix * (slope + total * (np.log(x) - digamma(a)))


def _upper_fraction(a: Doubles, x: Doubles) -> tuple[Doubles, Doubles]:
    """Q(a, x) by Legendre's continued fraction (Lentz's way), and its derivative in a."""
    b, b_slope = x + 1 - a, -np.ones_like(a)
    c, c_slope = np.full_like(a, 1 / _TINY), np.zeros_like(a)
    d = 1 / b
    d_slope = -b_slope * d * d
    h, h_slope = d.copy(), d_slope.copy()
    for i in range(1, _STEPS):
        numerator, numerator_slope = -i * (i - a), float(i)
        b = b + 2
        below = numerator * d + b
        below_slope = numerator_slope * d + numerator * d_slope + b_slope
        below = np.where(np.abs(below) < _TINY, _TINY, below)
        c_slope = b_slope + numerator_slope / c - numerator * c_slope / (c * c)
        c = b + numerator / c
        c = np.where(np.abs(c) < _TINY, _TINY, c)
        d = 1 / below
        d_slope = -below_slope * d * d
        delta, delta_slope = d * c, d_slope * c + d * c_slope
        h_slope = h_slope * delta + h * delta_slope
        h = h * delta
        if not ((np.abs(delta - 1) > _EPS) | (np.abs(delta_slope * h) > _EPS * np.abs(h_slope))).any():
            break
    prefix = _gamma_prefix(a, x)
    return prefix * h, prefix * (h_slope + h * (np.log(x) - digamma(a)))


def _incomplete_gamma(a: Array, x: Array) -> tuple[Doubles, Doubles, Doubles]:
    """P(a, x), Q(a, x) and dP/da."""
    a, x = (v.astype(np.float64) for v in np.broadcast_arrays(a, x))
    lower, upper, slope = np.full(a.shape, np.nan), np.full(a.shape, np.nan), np.full(a.shape, np.nan)
    with np.errstate(all="ignore"):
        usual = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
        series = usual & (x < a + 1)
        if series.any():
            lower[series], slope[series] = _lower_series(a[series], x[series])
            upper[series] = 1 - lower[series]
        fraction = usual & ~series
        if fraction.any():
            upper[fraction], upper_slope = _upper_fraction(a[fraction], x[fraction])
            slope[fraction] = -upper_slope
            lower[fraction] = 1 - upper[fraction]
        for mask, at in (((a > 0) & (x == 0), 0.0), ((a > 0) & np.isfinite(a) & np.isposinf(x), 1.0)):
            lower[mask], upper[mask], slope[mask] = at, 1 - at, 0
    return lower, upper, slope


@host("Igamma")
def igamma(run: Run, node: Node, a: Array, x: Array) -> Array:
    return _incomplete_gamma(a, x)[0].astype(a.dtype)


@host("Igammac")
def igammac(run: Run, node: Node, a: Array, x: Array) -> Array:
    return _incomplete_gamma(a, x)[1].astype(a.dtype)


@host("IgammaGradA")
def igamma_grad_a(run: Run, node: Node, a: Array, x: Array) -> Array:
    return _incomplete_gamma(a, x)[2].astype(a.dtype)


@host("RandomGammaGrad")
def random_gamma_grad(run: Run, node: Node, alpha: Array, sample: Array) -> Array:
    """dx/da of a draw x with P(a, x) fixed: -dP/da over the density."""
    a, x = (v.astype(np.float64) for v in np.broadcast_arrays(alpha, sample))
    with np.errstate(all="ignore"):
        density = np.exp((a - 1) * np.log(x) - x - lgamma(a))
        return (-_incomplete_gamma(a, x)[2] / density).astype(alpha.dtype)


def _beta_fraction(a: Doubles, b: Doubles, x: Doubles) -> Doubles:
    c = np.ones_like(a)
    d = 1 - (a + b) * x / (a + 1)
    d = 1 / np.where(np.abs(d) < _TINY, _TINY, d)
    h = d.copy()
    for m in range(1, _STEPS):
        for numerator in (m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))):
            d = 1 + numerator * d
            d = 1 / np.where(np.abs(d) < _TINY, _TINY, d)
            c = 1 + numerator / c
            c = np.where(np.abs(c) < _TINY, _TINY, c)
            h = h * d * c
        if not (np.abs(d * c - 1) > _EPS).any():
            break
    return h


@host("Betainc")
def betainc(run: Run, node: Node, a: Array, b: Array, x: Array) -> Array:
    """I_x(a, b) by its continued fraction on the side where that converges fast."""
    dtype = a.dtype
    a, b, x = (v.astype(np.float64) for v in np.broadcast_arrays(a, b, x))
    with np.errstate(all="ignore"):
        front = np.exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * np.log(x) + b * np.log1p(-x))
        mirrored = x >= (a + 1) / (a + b + 2)
        p, q, y = np.where(mirrored, b, a), np.where(mirrored, a, b), np.where(mirrored, 1 - x, x)
        inside = (x > 0) & (x < 1) & (a > 0) & (b > 0)
        part = np.zeros_like(x)
        if inside.any():
            part[inside] = front[inside] * _beta_fraction(p[inside], q[inside], y[inside]) / p[inside]
        result = np.where(mirrored, 1 - part, part)
        result = np.where(x == 0, 0.0, np.where(x == 1, 1.0, result))
        return np.where((a > 0) & (b > 0) & (x >= 0) & (x <= 1), result, np.nan).astype(dtype)


@host("Zeta")
def zeta_kernel(run: Run, node: Node, x: Array, q: Array) -> Array:
    return zeta(x.astype(np.float64), q.astype(np.float64)).astype(x.dtype)


@host("Polygamma")
def polygamma_kernel(run: Run, node: Node, n: Array, x: Array) -> Array:
    n, x = np.broadcast_arrays(n, x)
    return polygamma(n.astype(np.float64), x.astype(np.float64)).astype(x.dtype)


@host("Digamma")
def digamma_kernel(run: Run, node: Node, x: Array) -> Array:
    return digamma(x.astype(np.float64)).astype(x.dtype)


@host("Lgamma")
def lgamma_kernel(run: Run, node: Node, x: Array) -> Array:
    return lgamma(x.astype(np.float64)).astype(x.dtype)


# Wichura's AS 241: numerator and denominator coefficients, highest power first, for the middle and the two parts of a tail.
_MIDDLE = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457, 13731.693765509461125, 1971.5909503065514427,
     133.14166789178437745, 3.387132872796366608),
    (5226.495278852545925, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867, 5394.1960214247511077, 687.1870074920579083,
     42.313330701600911252, 1.0),
)  # fmt: skip
_NEAR_TAIL = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258, 3.64784832476320460504,
     5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459, 0.68976733498510000455,
     1.6763848301838038494, 2.05319162663775882187, 1.0),
)  # fmt: skip
_FAR_TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093, 0.29656057182850489123,
     1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4, 0.0148753612908506148525,
     0.13692988092273580531, 0.59983220655588793769, 1.0),
)  # fmt: skip


def _quantile(centred: Doubles, tail: Doubles) -> Doubles:
    """The normal quantile of p, given p - 1/2 and the smaller of p and 1 - p."""
    with np.errstate(all="ignore"):
        r = 0.180625 - centred * centred
        middle = centred * np.polyval(_MIDDLE[0], r) / np.polyval(_MIDDLE[1], r)
        t = np.sqrt(-np.log(tail))
        near = np.polyval(_NEAR_TAIL[0], t - 1.6) / np.polyval(_NEAR_TAIL[1], t - 1.6)
        far = np.polyval(_FAR_TAIL[0], t - 5) / np.polyval(_FAR_TAIL[1], t - 5)
        outer = np.sign(centred) * np.where(tail == 0, np.inf, np.where(t <= 5, near, far))
        return np.where(tail < 0, np.nan, np.where(np.abs(centred) <= 0.425, middle, outer))


@host("Ndtri")
def ndtri(run: Run, node: Node, p: Array) -> Array:
    wide = p.astype(np.float64)
    return _quantile(wide - 0.5, np.minimum(wide, 1 - wide)).astype(p.dtype)


@host("Erfinv")
def erfinv(run: Run, node: Node, x: Array) -> Array:
    wide = x.astype(np.float64)
    return (_quantile(wide / 2, (1 - np.abs(wide)) / 2) / math.sqrt(2)).astype(x.dtype)


def _bessel_ie(x: Doubles, order: int) -> Doubles:
    """exp(-|x|) I_order(x), order 0 or 1: the integral of exp(|x| (cos t - 1)) cos(order t) by the trapezoid rule, Hankel's series above 30."""
    size = np.abs(x)
    angles = (np.arange(80) + 0.5) * (math.pi / 80)
    small = np.minimum(size, 30.0)
    result = np.zeros_like(size)
    for angle in angles.tolist():
        result += np.exp(small * (math.cos(angle) - 1)) * math.cos(order * angle)
    result /= len(angles)
    large = np.maximum(size, 30.0)
    term, total = np.ones_like(size), np.ones_like(size)
    for k in range(1, 25):
        term = -term * (4 * order * order - (2 * k - 1) ** 2) / (k * 8 * large)
        total += term
    result = np.where(size > 30, total / np.sqrt(2 * math.pi * large), result)
    return np.where(x < 0, -result, result) if order else result


@host("BesselI0e", "BesselI1e", "BesselI0", "BesselI1")
def bessel_i(run: Run, node: Node, x: Array) -> Array:
    wide = x.astype(np.float64)
    scaled = _bessel_ie(wide, int(node.op[7]))
    with np.errstate(over="ignore"):
        return (scaled if node.op.endswith("e") else scaled * np.exp(np.abs(wide))).astype(x.dtype)
