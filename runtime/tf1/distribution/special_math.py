"""The normal's distribution function, its logarithm and its inverse, and the Laplace's logarithm."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.tf1.modules import module

tf: Any = module("")

# Where log_ndtr changes its method: (lower, upper).
SEGMENTS = {
    "float32": (np.array(-10, np.float32), np.array(5, np.float32)),
    "float64": (np.array(-20, np.float64), np.array(8, np.float64)),
}

# The rational approximations of Cephes' ndtri, the constant term last.
P0 = (-5.99633501014107895267e1, 9.80010754185999661536e1, -5.66762857469070293439e1, 1.39312609387279679503e1, -1.23916583867381258016e0)
Q0 = (
    1.0, 1.95448858338141759834e0, 4.67627912898881538453e0, 8.63602421390890590575e1, -2.25462687854119370527e2, 2.00260212380060660359e2,
    -8.20372256168333339912e1, 1.59056225126211695515e1, -1.18331621121330003142e0,
)  # fmt: skip
P1 = (
    4.05544892305962419923e0, 3.15251094599893866154e1, 5.71628192246421288162e1, 4.40805073893200834700e1, 1.46849561928858024014e1,
    2.18663306850790267539e0, -1.40256079171354495875e-1, -3.50424626827848203418e-2, -8.57456785154685413611e-4,
)  # fmt: skip
Q1 = (
    1.0, 1.57799883256466749731e1, 4.53907635128879210584e1, 4.13172038254672030440e1, 1.50425385692907503408e1, 2.50464946208309415979e0,
    -1.42182922854787788574e-1, -3.80806407691578277194e-2, -9.33259480895457427372e-4,
)  # fmt: skip
P2 = (
    3.23774891776946035970e0, 6.91522889068984211695e0, 3.93881025292474443415e0, 1.33303460815807542389e0, 2.01485389549179081538e-1,
    1.23716634817820021358e-2, 3.01581553508235416007e-4, 2.65806974686737550832e-6, 6.23974539184983293730e-9,
)  # fmt: skip
Q2 = (
    1.0, 6.02427039364742014255e0, 3.67983563856160859403e0, 1.37702099489081330271e0, 2.16236993594496635890e-1, 1.34204006088543189037e-2,
    3.28014464682127739104e-4, 2.89247864745380683936e-6, 6.79019408009981274425e-9,
)  # fmt: skip


def _checked(x: Any, name: str) -> Any:
    x = tf.convert_to_tensor(x, name=name)
    if x.dtype.base_dtype.name not in SEGMENTS:
        raise TypeError(f"x.dtype={x.dtype} is not handled: only float32 and float64 are.")
    return x


def ndtr(x: Any, name: str = "ndtr") -> Any:
    with tf.name_scope(name, values=[x]):
        return _ndtr(_checked(x, "x"))


def _ndtr(x: Any) -> Any:
    half = tf.constant(0.5 * np.sqrt(2.0), dtype=x.dtype, name="half_sqrt_2")
    w = x * half
    z = tf.abs(w)
    is_near = tf.less(z, half)
    near = 1.0 + tf.erf(w)
    y = tf.where_v2(is_near, near, tf.where_v2(tf.greater(w, 0.0), 2.0 - tf.erfc(z), tf.erfc(z)))
    return 0.5 * y


def _polynomial(x: Any, coefficients: Any) -> Any:
    """Horner's scheme as TensorFlow nests it, the constant term first."""
    if not len(coefficients):
        return tf.zeros_like(x)
    first = np.array(coefficients[0], x.dtype.as_numpy_dtype)
    return first + _polynomial(x, coefficients[1:]) * x


def ndtri(p: Any, name: str = "ndtri") -> Any:
    with tf.name_scope(name, values=[p]):
        p = _checked(p, "p")
        kind = p.dtype.as_numpy_dtype
        mirrored = tf.where_v2(p > -np.expm1(-2.0), 1.0 - p, p)
        safe = tf.where_v2(mirrored <= 0.0, tf.fill(tf.shape(p), np.array(0.5, kind)), mirrored)
        w = safe - 0.5
        ww = w**2
        big = w + w * ww * (_polynomial(ww, P0[::-1]) / _polynomial(ww, Q0[::-1]))
        big *= -np.sqrt(2.0 * np.pi)
        z = tf.sqrt(-2.0 * tf.log(safe))
        first = z - tf.log(z) / z
        tiny = _polynomial(1.0 / z, P2[::-1]) / _polynomial(1.0 / z, Q2[::-1]) / z
        other = _polynomial(1.0 / z, P1[::-1]) / _polynomial(1.0 / z, Q1[::-1]) / z
        for_tiny, for_other = first - tiny, first - other
        x = tf.where_v2(safe > np.exp(-2.0), big, tf.where_v2(z >= 8.0, for_tiny, for_other))
        x = tf.where_v2(p > 1.0 - np.exp(-2.0), x, -x)
        scalar = tf.constant(np.inf, dtype=p.dtype)
        infinity = tf.fill(tf.shape(p), scalar)
        return tf.where_v2(p <= 0.0, -infinity, tf.where_v2(p >= 1.0, infinity, x))


def log_ndtr(x: Any, series_order: int = 3, name: str = "log_ndtr") -> Any:
    if not isinstance(series_order, int):
        raise TypeError("series_order must be a Python integer.")
    if not 0 <= series_order <= 30:
        raise ValueError("series_order must be non-negative." if series_order < 0 else "series_order must be <= 30.")
    with tf.name_scope(name, values=[x]):
        x = _checked(x, "x")
        lower, upper = SEGMENTS[x.dtype.base_dtype.name]
        is_high = tf.greater(x, upper)
        high = -_ndtr(-x)
        is_middle = tf.greater(x, lower)
        middle = tf.log(_ndtr(tf.maximum(x, lower)))
        return tf.where_v2(is_high, high, tf.where_v2(is_middle, middle, _log_ndtr_lower(tf.minimum(x, lower), series_order)))


def _log_ndtr_lower(x: Any, series_order: int) -> Any:
    squared = tf.square(x)
    scale = -0.5 * squared - tf.log(-x) - 0.5 * np.log(2.0 * np.pi)
    return scale + tf.log(_series(x, series_order))


def _series(x: Any, series_order: int) -> Any:
    """1 - 1 / x^2 + 3 / x^4 - 15 / x^6 ..."""
    kind = x.dtype.as_numpy_dtype
    if series_order <= 0:
        return np.array(1, kind)
    squared = tf.square(x)
    even, odd = tf.zeros_like(x), tf.zeros_like(x)
    power = squared
    for n in range(1, series_order + 1):
        y = np.array(np.prod(np.arange(2 * n - 1, 1, -2)), kind) / power
        if n % 2:
            odd += y
        else:
            even += y
        power *= squared
    return 1.0 + even - odd


def log_cdf_laplace(x: Any, name: str = "log_cdf_laplace") -> Any:
    with tf.name_scope(name, values=[x]):
        x = tf.convert_to_tensor(x, name="x")
        low = -np.log(2.0) + x
        high = tf.log1p(-0.5 * tf.exp(-tf.abs(x)))
        return tf.where_v2(x < 0.0, low, high)
