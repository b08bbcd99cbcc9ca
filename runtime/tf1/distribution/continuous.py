"""Distributions of real numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from runtime.tf1.distribution import special_math
from runtime.tf1.distribution.distribution import (
    FULLY_REPARAMETERIZED,
    NOT_REPARAMETERIZED,
    Distribution,
    RegisterKL,
    ScalarDistribution,
    gen_new_seed,
    given,
)
from runtime.tf1.distribution.distribution_util import with_dependencies
from runtime.tf1.modules import module
from runtime.tf1.registry import export

tf: Any = module("")


class LocationScale(ScalarDistribution):
    """A distribution that is moved by `loc` and stretched by `scale`."""

    _PARAMS = ("loc", "scale")

    def __init__(
        self,
        loc: Any,
        scale: Any,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str | None = None,
        parameters: Any = None,
    ) -> None:
        with tf.name_scope(name, values=[loc, scale]) as scope:
            self._keep(lambda: [tf.assert_positive(scale)], validate_args, loc=loc, scale=scale)
        parents = [self._loc, self._scale]
        Distribution.__init__(self, self._loc.dtype, FULLY_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, parents, scope)

    def _log_prob(self, x: Any) -> Any:
        return self._log_unnormalized_prob(x) - self._log_normalization()

    def _log_unnormalized_prob(self, x: Any) -> Any:
        raise NotImplementedError

    def _log_normalization(self) -> Any:
        return tf.log(self._scale)

    def _z(self, x: Any) -> Any:
        with tf.name_scope("standardize", values=[x]):
            return (x - self._loc) / self._scale

    def _inv_z(self, z: Any) -> Any:
        with tf.name_scope("reconstruct", values=[z]):
            return z * self._scale + self._loc


def _softplus_scale(cls: Any, self: Any, loc: Any, scale: Any, values: Any, flags: Any, name: str, parameters: Any) -> None:
    with tf.name_scope(name, values=values) as scope:
        cls.__init__(self, loc, tf.nn.softplus(scale, name="softplus_scale"), *flags, scope)
    self._parameters = parameters


@export("distributions.Normal")
class Normal(LocationScale):
    def __init__(self, loc: Any, scale: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Normal") -> None:
        super().__init__(loc, scale, validate_args, allow_nan_stats, name, given(locals()))

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        drawn = tf.random_normal(shape=self._whole_shape(n), mean=0.0, stddev=1.0, dtype=self._loc.dtype, seed=seed)
        return drawn * self._scale + self._loc

    def _log_cdf(self, x: Any) -> Any:
        return special_math.log_ndtr(self._z(x))

    def _cdf(self, x: Any) -> Any:
        return special_math.ndtr(self._z(x))

    def _log_survival_function(self, x: Any) -> Any:
        return special_math.log_ndtr(-self._z(x))

    def _survival_function(self, x: Any) -> Any:
        return special_math.ndtr(-self._z(x))

    def _log_unnormalized_prob(self, x: Any) -> Any:
        return -0.5 * tf.square(self._z(x))

    def _log_normalization(self) -> Any:
        return 0.5 * math.log(2.0 * math.pi) + tf.log(self._scale)

    def _entropy(self) -> Any:
        scale = self._scale * tf.ones_like(self._loc)
        return 0.5 * math.log(2.0 * math.pi * math.e) + tf.log(scale)

    def _mean(self) -> Any:
        return self._loc * tf.ones_like(self._scale)

    def _quantile(self, p: Any) -> Any:
        return self._inv_z(special_math.ndtri(p))

    def _stddev(self) -> Any:
        return self._scale * tf.ones_like(self._loc)

    def _mode(self) -> Any:
        return self._mean()


@export("contrib.distributions.NormalWithSoftplusScale")
class NormalWithSoftplusScale(Normal):
    def __init__(
        self, loc: Any, scale: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "NormalWithSoftplusScale"
    ) -> None:
        _softplus_scale(Normal, self, loc, scale, [scale], (validate_args, allow_nan_stats), name, given(locals()))


@RegisterKL(Normal, Normal)
def _kl_normal_normal(a: Any, b: Any, name: str | None = None) -> Any:
    with tf.name_scope(name, "kl_normal_normal", [a.loc, b.loc]):
        one, two, half = (tf.constant(v, dtype=a.dtype) for v in (1, 2, 0.5))
        a_squared, b_squared = tf.square(a.scale), tf.square(b.scale)
        ratio = a_squared / b_squared
        return tf.squared_difference(a.loc, b.loc) / (two * b_squared) + half * (ratio - one - tf.log(ratio))


@export("distributions.Laplace")
class Laplace(LocationScale):
    def __init__(self, loc: Any, scale: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Laplace") -> None:
        super().__init__(loc, scale, validate_args, allow_nan_stats, name, given(locals()))

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        kind = self.dtype.as_numpy_dtype
        low = np.nextafter(kind(-1.0), kind(0.0))
        uniform = tf.random_uniform(shape=self._whole_shape(n), minval=low, maxval=1.0, dtype=self.dtype, seed=seed)
        return self._loc - self._scale * tf.sign(uniform) * tf.log1p(-tf.abs(uniform))

    def _prob(self, x: Any) -> Any:
        return tf.exp(self._log_prob(x))

    def _log_cdf(self, x: Any) -> Any:
        return special_math.log_cdf_laplace(self._z(x))

    def _log_survival_function(self, x: Any) -> Any:
        return special_math.log_cdf_laplace(-self._z(x))

    def _cdf(self, x: Any) -> Any:
        z = self._z(x)
        return 0.5 + 0.5 * tf.sign(z) * (1.0 - tf.exp(-tf.abs(z)))

    def _log_unnormalized_prob(self, x: Any) -> Any:
        return -tf.abs(self._z(x))

    def _log_normalization(self) -> Any:
        return math.log(2.0) + tf.log(self._scale)

    def _entropy(self) -> Any:
        scale = self._scale + tf.zeros_like(self._loc)
        return math.log(2.0) + 1.0 + tf.log(scale)

    def _mean(self) -> Any:
        return self._loc + tf.zeros_like(self._scale)

    def _stddev(self) -> Any:
        return math.sqrt(2.0) * self._scale + tf.zeros_like(self._loc)

    def _mode(self) -> Any:
        return self._mean()

    def _z(self, x: Any) -> Any:
        return (x - self._loc) / self._scale


@export("contrib.distributions.LaplaceWithSoftplusScale")
class LaplaceWithSoftplusScale(Laplace):
    def __init__(
        self, loc: Any, scale: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "LaplaceWithSoftplusScale"
    ) -> None:
        _softplus_scale(Laplace, self, loc, scale, [loc, scale], (validate_args, allow_nan_stats), name, given(locals()))


@export("contrib.distributions.Cauchy")
class Cauchy(LocationScale):
    def __init__(self, loc: Any, scale: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Cauchy") -> None:
        super().__init__(loc, scale, validate_args, allow_nan_stats, name, given(locals()))

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        drawn = tf.random_uniform(shape=self._whole_shape(n), minval=0.0, maxval=1.0, dtype=self.dtype, seed=seed)
        return self._quantile(drawn)

    def _cdf(self, x: Any) -> Any:
        return tf.atan(self._z(x)) / np.pi + 0.5

    def _log_cdf(self, x: Any) -> Any:
        return tf.log1p(2 / np.pi * tf.atan(self._z(x))) - np.log(2)

    def _log_unnormalized_prob(self, x: Any) -> Any:
        return -tf.log1p(tf.square(self._z(x)))

    def _log_normalization(self) -> Any:
        return np.log(np.pi) + tf.log(self._scale)

    def _entropy(self) -> Any:
        h = np.log(4 * np.pi) + tf.log(self._scale)
        return h * tf.ones_like(self._loc)

    def _quantile(self, p: Any) -> Any:
        return self._loc + self._scale * tf.tan(np.pi * (p - 0.5))

    def _mode(self) -> Any:
        return self._loc * tf.ones_like(self._scale)

    def _mean(self) -> Any:
        return self._undefined("mean")

    def _stddev(self) -> Any:
        return self._undefined("stddev")

    def _undefined(self, what: str) -> Any:
        if not self.allow_nan_stats:
            raise ValueError(f"`{what}` is undefined for Cauchy distribution.")
        return tf.fill(self.batch_shape_tensor(), self.dtype.as_numpy_dtype(np.nan))


@export("contrib.distributions.Logistic")
class Logistic(LocationScale):
    def __init__(self, loc: Any, scale: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Logistic") -> None:
        super().__init__(loc, scale, validate_args, allow_nan_stats, name, given(locals()))

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        tiny = np.finfo(self.dtype.as_numpy_dtype).tiny
        uniform = tf.random_uniform(shape=self._whole_shape(n), minval=tiny, maxval=1.0, dtype=self.dtype, seed=seed)
        drawn = tf.log(uniform) - tf.log1p(-1.0 * uniform)
        return drawn * self._scale + self._loc

    def _log_cdf(self, x: Any) -> Any:
        return -tf.nn.softplus(-self._z(x))

    def _cdf(self, x: Any) -> Any:
        return tf.sigmoid(self._z(x))

    def _log_survival_function(self, x: Any) -> Any:
        return -tf.nn.softplus(self._z(x))

    def _survival_function(self, x: Any) -> Any:
        return tf.sigmoid(-self._z(x))

    def _log_unnormalized_prob(self, x: Any) -> Any:
        z = self._z(x)
        return -z - 2.0 * tf.nn.softplus(-z)

    def _entropy(self) -> Any:
        scale = self._scale * tf.ones_like(self._loc)
        return 2 + tf.log(scale)

    def _mean(self) -> Any:
        return self._loc * tf.ones_like(self._scale)

    def _stddev(self) -> Any:
        return self._scale * tf.ones_like(self._loc) * math.pi / math.sqrt(3)

    def _mode(self) -> Any:
        return self._mean()


@export("distributions.Uniform")
class Uniform(ScalarDistribution):
    _PARAMS = ("low", "high")

    def __init__(
        self, low: Any = 0.0, high: Any = 1.0, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Uniform"
    ) -> None:
        parameters = given(locals())
        with tf.name_scope(name, values=[low, high]) as scope:
            checks = lambda: [tf.assert_less(low, high, message="uniform not defined when low >= high.")]  # noqa: E731
            self._keep(checks, validate_args, low=low, high=high)
        super().__init__(self._low.dtype, FULLY_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, [self._low, self._high], scope)

    def range(self, name: str = "range") -> Any:
        with self._name_scope(name):
            return self._high - self._low

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        drawn = tf.random_uniform(shape=self._whole_shape(n), dtype=self.dtype, seed=seed)
        return self._low + self.range() * drawn

    def _prob(self, x: Any) -> Any:
        wide = x * tf.ones(self.batch_shape_tensor(), dtype=x.dtype)
        is_nan = tf.is_nan(wide)
        outside = tf.logical_or(wide < self._low, wide >= self._high)
        zeros = tf.zeros_like(wide)
        inside = tf.ones_like(wide) / self.range()
        return tf.where_v2(is_nan, wide, tf.where_v2(outside, zeros, inside))

    def _cdf(self, x: Any) -> Any:
        shape = tf.broadcast_dynamic_shape(tf.shape(x), self.batch_shape_tensor())
        zeros, ones = tf.zeros(shape, dtype=self.dtype), tf.ones(shape, dtype=self.dtype)
        wide = x * ones
        is_below = x < self._low
        not_big = tf.where_v2(is_below, zeros, (wide - self._low) / self.range())
        return tf.where_v2(x >= self._high, ones, not_big)

    def _entropy(self) -> Any:
        return tf.log(self.range())

    def _mean(self) -> Any:
        return (self._low + self._high) / 2.0

    def _variance(self) -> Any:
        return tf.square(self.range()) / 12.0

    def _stddev(self) -> Any:
        return self.range() / math.sqrt(12.0)


@export("distributions.Gamma")
class Gamma(ScalarDistribution):
    _PARAMS = ("concentration", "rate")

    def __init__(
        self, concentration: Any, rate: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Gamma", parameters: Any = None
    ) -> None:  # fmt: skip
        parameters = parameters or given(locals())
        with tf.name_scope(name, values=[concentration, rate]) as scope:
            checks = lambda: [tf.assert_positive(concentration), tf.assert_positive(rate)]  # noqa: E731
            self._keep(checks, validate_args, concentration=concentration, rate=rate)
        parents = [self._concentration, self._rate]
        super().__init__(self._concentration.dtype, self._KIND, validate_args, allow_nan_stats, parameters, parents, scope)

    _KIND = FULLY_REPARAMETERIZED

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        return tf.random_gamma(shape=[n], alpha=self._concentration, beta=self._rate, dtype=self.dtype, seed=seed)

    def _log_prob(self, x: Any) -> Any:
        return self._log_unnormalized_prob(x) - self._log_normalization()

    def _cdf(self, x: Any) -> Any:
        x = self._checked(x)
        return tf.igamma(self._concentration, self._rate * x)

    def _log_unnormalized_prob(self, x: Any) -> Any:
        x = self._checked(x)
        return tf.math.xlogy(self._concentration - 1.0, x) - self._rate * x

    def _log_normalization(self) -> Any:
        return tf.lgamma(self._concentration) - self._concentration * tf.log(self._rate)

    def _entropy(self) -> Any:
        a = self._concentration
        return a - tf.log(self._rate) + tf.lgamma(a) + (1.0 - a) * tf.digamma(a)

    def _mean(self) -> Any:
        return self._concentration / self._rate

    def _variance(self) -> Any:
        return self._concentration / tf.square(self._rate)

    def _stddev(self) -> Any:
        return tf.sqrt(self._concentration) / self._rate

    def _mode(self) -> Any:
        mode = (self._concentration - 1.0) / self._rate
        if self.allow_nan_stats:
            nan = tf.fill(self.batch_shape_tensor(), np.array(np.nan, dtype=self.dtype.as_numpy_dtype()), name="nan")
            return tf.where_v2(self._concentration > 1.0, mode, nan)
        check = tf.assert_less(tf.ones([], self.dtype), self._concentration, message="mode not defined when any concentration <= 1")
        return with_dependencies([check], mode)

    def _checked(self, x: Any) -> Any:
        tf.debugging.assert_same_float_dtype(tensors=[x], dtype=self.dtype)
        return with_dependencies([tf.assert_positive(x)], x) if self.validate_args else x


@export("contrib.distributions.GammaWithSoftplusConcentrationRate")
class GammaWithSoftplusConcentrationRate(Gamma):
    def __init__(
        self, concentration: Any, rate: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "GammaWithSoftplusConcentrationRate"
    ) -> None:  # fmt: skip
        parameters = given(locals())
        with tf.name_scope(name, values=[concentration, rate]) as scope:
            a = tf.nn.softplus(concentration, name="softplus_concentration")
            super().__init__(a, tf.nn.softplus(rate, name="softplus_rate"), validate_args, allow_nan_stats, scope)
        self._parameters = parameters


@RegisterKL(Gamma, Gamma)
def _kl_gamma_gamma(a: Any, b: Any, name: str | None = None) -> Any:
    with tf.name_scope(name, "kl_gamma_gamma", values=[a.concentration, a.rate, b.concentration, b.rate]):
        return (
            (a.concentration - b.concentration) * tf.digamma(a.concentration)
            + tf.lgamma(b.concentration)
            - tf.lgamma(a.concentration)
            + b.concentration * tf.log(a.rate)
            - b.concentration * tf.log(b.rate)
            + a.concentration * (b.rate / a.rate - 1.0)
        )


@export("contrib.distributions.InverseGamma")
class InverseGamma(Gamma):
    _KIND = NOT_REPARAMETERIZED

    def __init__(
        self, concentration: Any, rate: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "InverseGamma"
    ) -> None:
        super().__init__(concentration, rate, validate_args, allow_nan_stats, name, given(locals()))

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        return 1.0 / tf.random_gamma(shape=[n], alpha=self._concentration, beta=self._rate, dtype=self.dtype, seed=seed)

    def _cdf(self, x: Any) -> Any:
        x = self._checked(x)
        return tf.igammac(self._concentration, self._rate / x)

    def _log_unnormalized_prob(self, x: Any) -> Any:
        x = self._checked(x)
        return -(1.0 + self._concentration) * tf.log(x) - self._rate / x

    def _entropy(self) -> Any:
        a = self._concentration
        return a + tf.log(self._rate) + tf.lgamma(a) - (1.0 + a) * tf.digamma(a)

    def _mean(self) -> Any:
        return self._defined_above(self._rate / (self._concentration - 1.0), 1.0, "mean undefined when any concentration <= 1")

    def _variance(self) -> Any:
        value = tf.square(self._rate) / tf.squared_difference(self._concentration, 1.0) / (self._concentration - 2.0)
        return self._defined_above(value, 2.0, "variance undefined when any concentration <= 2")

    def _defined_above(self, value: Any, least: float, message: str) -> Any:
        if self.allow_nan_stats:
            nan = tf.fill(self.batch_shape_tensor(), np.array(np.nan, dtype=self.dtype.as_numpy_dtype()), name="nan")
            return tf.where_v2(self._concentration > least, value, nan)
        bound = tf.ones([], self.dtype) if least == 1.0 else tf.constant(least, dtype=self.dtype)
        return with_dependencies([tf.assert_less(bound, self._concentration, message=message)], value)

    def _stddev(self) -> Any:
        raise NotImplementedError("stddev is not implemented: InverseGamma")

    def _mode(self) -> Any:
        return self._rate / (1.0 + self._concentration)


@export("contrib.distributions.InverseGammaWithSoftplusConcentrationRate")
class InverseGammaWithSoftplusConcentrationRate(InverseGamma):
    def __init__(
        self, concentration: Any, rate: Any, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "InverseGammaWithSoftplusConcentrationRate",
    ) -> None:  # fmt: skip
        parameters = given(locals())
        with tf.name_scope(name, values=[concentration, rate]) as scope:
            a = tf.nn.softplus(concentration, name="softplus_concentration")
            super().__init__(a, tf.nn.softplus(rate, name="softplus_rate"), validate_args, allow_nan_stats, scope)
        self._parameters = parameters


@export("distributions.Exponential")
class Exponential(Gamma):
    def __init__(self, rate: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Exponential") -> None:
        parameters = given(locals())
        with tf.name_scope(name, values=[rate]) as scope:
            self._rate = tf.convert_to_tensor(rate, name="rate")
        super().__init__(tf.ones([], dtype=self._rate.dtype), self._rate, validate_args, allow_nan_stats, scope)
        self._parameters = parameters
        self._graph_parents += [self._rate]

    @classmethod
    def _param_shapes(cls, sample_shape: Any) -> dict[str, Any]:
        return {"rate": tf.convert_to_tensor(sample_shape, dtype=tf.int32)}

    def _log_survival_function(self, value: Any) -> Any:
        return self._log_prob(value) - tf.log(self._rate)

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        shape = tf.concat([[n], tf.shape(self._rate)], 0)
        tiny = np.finfo(self.dtype.as_numpy_dtype).tiny
        drawn = tf.random_uniform(shape, minval=tiny, maxval=1.0, seed=seed, dtype=self.dtype)
        return -tf.log(drawn) / self._rate


@export("contrib.distributions.ExponentialWithSoftplusRate")
class ExponentialWithSoftplusRate(Exponential):
    def __init__(
        self, rate: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "ExponentialWithSoftplusRate"
    ) -> None:
        parameters = given(locals())
        with tf.name_scope(name, values=[rate]) as scope:
            super().__init__(tf.nn.softplus(rate, name="softplus_rate"), validate_args, allow_nan_stats, scope)
        self._parameters = parameters


@export("contrib.distributions.Chi2")
class Chi2(Gamma):
    _SHOWN = ("df",)

    def __init__(self, df: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Chi2") -> None:
        parameters = given(locals())
        with tf.name_scope(name, values=[df]) as scope:
            with tf.control_dependencies([tf.assert_positive(df)] if validate_args else []):
                self._df = tf.identity(df, name="df")
            super().__init__(0.5 * self._df, tf.constant(0.5, dtype=self._df.dtype), validate_args, allow_nan_stats, scope)
        self._parameters = parameters

    @classmethod
    def _param_shapes(cls, sample_shape: Any) -> dict[str, Any]:
        return {"df": tf.convert_to_tensor(sample_shape, dtype=tf.int32)}


@export("contrib.distributions.Chi2WithAbsDf")
class Chi2WithAbsDf(Chi2):
    def __init__(self, df: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Chi2WithAbsDf") -> None:
        parameters = given(locals())
        with tf.name_scope(name, values=[df]) as scope:
            super().__init__(tf.floor(tf.abs(df, name="abs_df"), name="floor_abs_df"), validate_args, allow_nan_stats, scope)
        self._parameters = parameters


@export("contrib.distributions.HalfNormal")
class HalfNormal(ScalarDistribution):
    _PARAMS = ("scale",)

    def __init__(self, scale: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "HalfNormal") -> None:
        parameters = given(locals())
        with tf.name_scope(name, values=[scale]) as scope, tf.control_dependencies([tf.assert_positive(scale)] if validate_args else []):
            self._scale = tf.identity(scale, name="scale")
        super().__init__(self._scale.dtype, FULLY_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, [self._scale], scope)

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        drawn = tf.random_normal(shape=self._whole_shape(n), mean=0.0, stddev=1.0, dtype=self.dtype, seed=seed)
        return tf.abs(drawn * self._scale)

    def _prob(self, x: Any) -> Any:
        factor = np.sqrt(2) / self._scale / np.sqrt(np.pi)
        density = factor * tf.exp(-0.5 * (x / self._scale) ** 2)
        return density * tf.cast(x >= 0, self.dtype)

    def _cdf(self, x: Any) -> Any:
        return tf.erf(tf.nn.relu(x) / self._scale / np.sqrt(2.0))

    def _entropy(self) -> Any:
        return 0.5 * tf.log(np.pi * self._scale**2.0 / 2.0) + 0.5

    def _mean(self) -> Any:
        return self._scale * np.sqrt(2.0) / np.sqrt(np.pi)

    def _quantile(self, p: Any) -> Any:
        root = np.sqrt(2.0) * self._scale
        with tf.name_scope("erfinv", values=[p]):
            inverse = special_math.ndtri((tf.convert_to_tensor(p, name="x") + 1.0) / 2.0) / np.sqrt(2)
        return root * inverse

    def _mode(self) -> Any:
        return tf.zeros(self.batch_shape_tensor())

    def _variance(self) -> Any:
        return self._scale**2.0 * (1.0 - 2.0 / np.pi)


@export("distributions.Beta")
class Beta(ScalarDistribution):
    _PARAMS = ("concentration1", "concentration0")
    _SHOWN = ("total_concentration",)

    def __init__(
        self, concentration1: Any = None, concentration0: Any = None, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Beta"
    ) -> None:  # fmt: skip
        parameters = given(locals())
        with tf.name_scope(name, values=[concentration1, concentration0]) as scope:
            self._concentration1 = self._positive(tf.convert_to_tensor(concentration1, name="concentration1"), validate_args)
            self._concentration0 = self._positive(tf.convert_to_tensor(concentration0, name="concentration0"), validate_args)
            tf.debugging.assert_same_float_dtype([self._concentration1, self._concentration0])
            self._total_concentration = self._concentration1 + self._concentration0
        parents = [self._concentration1, self._concentration0, self._total_concentration]
        super().__init__(self._total_concentration.dtype, FULLY_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, parents, scope)

    def _positive(self, value: Any, validate_args: bool) -> Any:
        if not validate_args:
            return value
        return with_dependencies([tf.assert_positive(value, message="Concentration parameter must be positive.")], value)

    def _batch_shape_tensor(self) -> Any:
        return tf.shape(self._total_concentration)

    def _batch_shape(self) -> Any:
        return self._total_concentration.get_shape()

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        a = tf.ones_like(self._total_concentration, dtype=self.dtype) * self._concentration1
        b = tf.ones_like(self._total_concentration, dtype=self.dtype) * self._concentration0
        x = tf.random_gamma(shape=[n], alpha=a, dtype=self.dtype, seed=seed)
        y = tf.random_gamma(shape=[n], alpha=b, dtype=self.dtype, seed=gen_new_seed(seed, "beta"))
        return x / (x + y)

    def _log_prob(self, x: Any) -> Any:
        return self._log_unnormalized_prob(x) - self._log_normalization()

    def _prob(self, x: Any) -> Any:
        return tf.exp(self._log_prob(x))

    def _log_cdf(self, x: Any) -> Any:
        return tf.log(self._cdf(x))

    def _cdf(self, x: Any) -> Any:
        return tf.betainc(self._concentration1, self._concentration0, x)

    def _log_unnormalized_prob(self, x: Any) -> Any:
        if self.validate_args:
            checks = [
                tf.assert_positive(x, message="sample must be positive"),
                tf.assert_less(x, tf.ones([], self.dtype), message="sample must be less than `1`."),
            ]
            x = with_dependencies(checks, x)
        return tf.math.xlogy(self._concentration1 - 1.0, x) + (self._concentration0 - 1.0) * tf.log1p(-x)

    def _log_normalization(self) -> Any:
        return tf.lgamma(self._concentration1) + tf.lgamma(self._concentration0) - tf.lgamma(self._total_concentration)

    def _entropy(self) -> Any:
        a, b, total = self._concentration1, self._concentration0, self._total_concentration
        return self._log_normalization() - (a - 1.0) * tf.digamma(a) - (b - 1.0) * tf.digamma(b) + (total - 2.0) * tf.digamma(total)

    def _mean(self) -> Any:
        return self._concentration1 / self._total_concentration

    def _variance(self) -> Any:
        return self._mean() * (1.0 - self._mean()) / (1.0 + self._total_concentration)

    def _mode(self) -> Any:
        mode = (self._concentration1 - 1.0) / (self._total_concentration - 2.0)
        if self.allow_nan_stats:
            nan = tf.fill(self.batch_shape_tensor(), np.array(np.nan, dtype=self.dtype.as_numpy_dtype()), name="nan")
            is_defined = tf.logical_and(self._concentration1 > 1.0, self._concentration0 > 1.0)
            return tf.where_v2(is_defined, mode, nan)
        checks = [
            tf.assert_less(tf.ones([], dtype=self.dtype), c, message=f"Mode undefined for {n} <= 1.")
            for c, n in ((self._concentration1, "concentration1"), (self._concentration0, "concentration0"))
        ]
        return with_dependencies(checks, mode)


@export("contrib.distributions.BetaWithSoftplusConcentration")
class BetaWithSoftplusConcentration(Beta):
    def __init__(
        self, concentration1: Any, concentration0: Any, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "BetaWithSoftplusConcentration",
    ) -> None:  # fmt: skip
        parameters = given(locals())
        with tf.name_scope(name, values=[concentration1, concentration0]) as scope:
            a = tf.nn.softplus(concentration1, name="softplus_concentration1")
            super().__init__(a, tf.nn.softplus(concentration0, name="softplus_concentration0"), validate_args, allow_nan_stats, scope)
        self._parameters = parameters


@RegisterKL(Beta, Beta)
def _kl_beta_beta(a: Any, b: Any, name: str | None = None) -> Any:
    def delta(attribute: str) -> Any:
        first, second = getattr(a, attribute), getattr(b, attribute)
        if not callable(first):
            return second - first
        first_value = b._log_normalization() if attribute == "_log_normalization" else second()
        return first_value - first()

    values = [getattr(d, n) for d in (a, b) for n in ("concentration1", "concentration0", "total_concentration")]
    with tf.name_scope(name, "kl_beta_beta", values=values):
        return (
            delta("_log_normalization")
            - tf.digamma(a.concentration1) * delta("concentration1")
            - tf.digamma(a.concentration0) * delta("concentration0")
            + tf.digamma(a.total_concentration) * delta("total_concentration")
        )


@export("distributions.StudentT")
class StudentT(ScalarDistribution):
    _PARAMS = ("df", "loc", "scale")

    def __init__(
        self, df: Any, loc: Any, scale: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "StudentT"
    ) -> None:
        parameters = given(locals())
        with tf.name_scope(name, values=[df, loc, scale]) as scope:
            self._keep(lambda: [tf.assert_positive(df)], validate_args, df=df, loc=loc, scale=scale)
        parents = [self._df, self._loc, self._scale]
        super().__init__(self._scale.dtype, FULLY_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, parents, scope)

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        normal = tf.random_normal(self._whole_shape(n), dtype=self.dtype, seed=seed)
        df = self._df * tf.ones(self.batch_shape_tensor(), dtype=self.dtype)
        gamma = tf.random_gamma([n], 0.5 * df, beta=0.5, dtype=self.dtype, seed=gen_new_seed(seed, salt="student_t"))
        drawn = normal * tf.rsqrt(gamma / df)
        return drawn * self._scale + self._loc

    def _log_prob(self, x: Any) -> Any:
        return self._log_unnormalized_prob(x) - self._log_normalization()

    def _log_unnormalized_prob(self, x: Any) -> Any:
        y = (x - self._loc) / self._scale
        return -0.5 * (self._df + 1.0) * tf.log1p(y**2.0 / self._df)

    def _log_normalization(self) -> Any:
        return (
            tf.log(tf.abs(self._scale))
            + 0.5 * tf.log(self._df)
            + 0.5 * np.log(np.pi)
            + tf.lgamma(0.5 * self._df)
            - tf.lgamma(0.5 * (self._df + 1.0))
        )

    def _cdf(self, x: Any) -> Any:
        y = (x - self._loc) / tf.abs(self._scale)
        x_t = self._df / (y**2.0 + self._df)
        below = 0.5 * tf.betainc(0.5 * self._df, 0.5, x_t)
        return tf.where_v2(tf.less(y, 0.0), below, 1.0 - below)

    def _entropy(self) -> Any:
        v = tf.ones(self.batch_shape_tensor(), dtype=self.dtype)[..., tf.newaxis]
        u = v * self._df[..., tf.newaxis]
        arg = tf.concat([u, v], -1) / 2.0
        return (
            tf.log(tf.abs(self._scale))
            + 0.5 * tf.log(self._df)
            + tf.lbeta(arg)
            + 0.5 * (self._df + 1.0) * (tf.digamma(0.5 * (self._df + 1.0)) - tf.digamma(0.5 * self._df))
        )

    def _nan(self) -> Any:
        return np.array(np.nan, dtype=self.dtype.as_numpy_dtype())

    def _mean(self) -> Any:
        mean = self._loc * tf.ones(self.batch_shape_tensor(), dtype=self.dtype)
        return self._above_one(mean, "mean not defined for components of df <= 1")

    def _above_one(self, value: Any, message: str) -> Any:
        if self.allow_nan_stats:
            is_defined = tf.greater(self._df, tf.ones(self.batch_shape_tensor(), dtype=self.dtype))
            return tf.where_v2(is_defined, value, tf.fill(self.batch_shape_tensor(), self._nan(), name="nan"))
        return with_dependencies([tf.assert_less(tf.ones([], dtype=self.dtype), self._df, message=message)], value)

    def _variance(self) -> Any:
        is_finite = tf.greater(self._df, 2.0)
        below = tf.where_v2(is_finite, self._df - 2.0, tf.ones_like(self._df))
        value = tf.ones(self.batch_shape_tensor(), dtype=self.dtype) * tf.square(self._scale) * self._df / below
        infinity = np.array(np.inf, dtype=self.dtype.as_numpy_dtype())
        is_above = self._df > tf.fill(self.batch_shape_tensor(), 2.0)
        value = tf.where_v2(is_above, value, tf.fill(self.batch_shape_tensor(), infinity, name="inf"))
        return self._above_one(value, "variance not defined for components of df <= 1")

    def _mode(self) -> Any:
        return tf.identity(self._loc)


@export("contrib.distributions.StudentTWithAbsDfSoftplusScale")
class StudentTWithAbsDfSoftplusScale(StudentT):
    def __init__(
        self, df: Any, loc: Any, scale: Any, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "StudentTWithAbsDfSoftplusScale",
    ) -> None:  # fmt: skip
        parameters = given(locals())
        with tf.name_scope(name, values=[df, scale]) as scope:
            whole = tf.floor(tf.abs(df))
            super().__init__(whole, loc, tf.nn.softplus(scale, name="softplus_scale"), validate_args, allow_nan_stats, scope)
        self._parameters = parameters


class Gumbel(LocationScale):
    """Only a bijector's and a transformed distribution's base in TensorFlow 1.15, which does not export it."""

    def __init__(self, loc: Any, scale: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Gumbel") -> None:
        super().__init__(loc, scale, validate_args, allow_nan_stats, name, given(locals()))

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        tiny = np.finfo(self.dtype.as_numpy_dtype).tiny
        uniform = tf.random_uniform(shape=self._whole_shape(n), minval=tiny, maxval=1.0, dtype=self.dtype, seed=seed)
        return -tf.log(-tf.log(uniform)) * self._scale + self._loc

    def _cdf(self, x: Any) -> Any:
        return tf.exp(-tf.exp(-self._z(x)))

    def _log_unnormalized_prob(self, x: Any) -> Any:
        z = self._z(x)
        return -z - tf.exp(-z)
