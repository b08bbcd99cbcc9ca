"""Distributions over a simplex, and over classes as vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.tf1.distribution.distribution import (
    FULLY_REPARAMETERIZED,
    NOT_REPARAMETERIZED,
    Distribution,
    RegisterKL,
    gen_new_seed,
    given,
)
from runtime.tf1.distribution.distribution_util import (
    embed_check_categorical_event_shape,
    embed_check_nonnegative_integer_form,
    get_logits_and_probs,
    log_combinations,
    with_dependencies,
)
from runtime.tf1.modules import module
from runtime.tf1.registry import export

tf: Any = module("")


class _Concentrated(Distribution):
    """A distribution of vectors with a concentration for each element."""

    _SHOWN = ("concentration", "total_concentration")

    def _batch_shape_tensor(self) -> Any:
        return tf.shape(self._total_concentration)

    def _batch_shape(self) -> Any:
        return self._total_concentration.get_shape()

    def _event_shape_tensor(self) -> Any:
        return tf.shape(self._concentration)[-1:]

    def _event_shape(self) -> Any:
        return self._concentration.get_shape().with_rank_at_least(1)[-1:]

    def _covariance(self) -> Any:
        x = self._variance_scale_term() * self._mean()
        return tf.matrix_set_diag(-tf.matmul(x[..., tf.newaxis], x[..., tf.newaxis, :]), self._variance())

    def _variance_scale_term(self) -> Any:
        raise NotImplementedError


@export("distributions.Dirichlet")
class Dirichlet(_Concentrated):
    def __init__(self, concentration: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Dirichlet") -> None:
        parameters = given(locals())
        with tf.name_scope(name, values=[concentration]) as scope:
            value = tf.convert_to_tensor(concentration, name="concentration")
            if validate_args:
                checks = [
                    tf.assert_positive(value, message="Concentration parameter must be positive."),
                    tf.assert_rank_at_least(value, 1, message="Concentration parameter must have >=1 dimensions."),
                    tf.assert_less(1, tf.shape(value)[-1], message="Concentration parameter must have event_size >= 2."),
                ]
                value = with_dependencies(checks, value)
            self._concentration = value
            self._total_concentration = tf.reduce_sum(value, -1)
        parents = [self._concentration, self._total_concentration]
        super().__init__(self._concentration.dtype, FULLY_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, parents, scope)

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        drawn = tf.random_gamma(shape=[n], alpha=self._concentration, dtype=self.dtype, seed=seed)
        return drawn / tf.reduce_sum(drawn, -1, keepdims=True)

    def _log_prob(self, x: Any) -> Any:
        return self._log_unnormalized_prob(x) - self._log_normalization()

    def _prob(self, x: Any) -> Any:
        return tf.exp(self._log_prob(x))

    def _log_unnormalized_prob(self, x: Any) -> Any:
        if self.validate_args:
            is_positive = tf.assert_positive(x, message="samples must be positive")
            one = tf.ones([], dtype=self.dtype)
            checks = [is_positive, tf.debugging.assert_near(one, tf.reduce_sum(x, -1), message="sample last-dimension must sum to `1`")]
            x = with_dependencies(checks, x)
        return tf.reduce_sum(tf.math.xlogy(self._concentration - 1.0, x), -1)

    def _log_normalization(self) -> Any:
        return tf.lbeta(self._concentration)

    def _entropy(self) -> Any:
        k = tf.cast(self.event_shape_tensor()[0], self.dtype)
        total = self._total_concentration
        return (
            self._log_normalization()
            + (total - k) * tf.digamma(total)
            - tf.reduce_sum((self._concentration - 1.0) * tf.digamma(self._concentration), axis=-1)
        )

    def _mean(self) -> Any:
        return self._concentration / self._total_concentration[..., tf.newaxis]

    def _variance(self) -> Any:
        scale = self._variance_scale_term()
        x = scale * self._mean()
        return x * (scale - x)

    def _variance_scale_term(self) -> Any:
        return tf.rsqrt(1.0 + self._total_concentration[..., tf.newaxis])

    def _mode(self) -> Any:
        k = tf.cast(self.event_shape_tensor()[0], self.dtype)
        mode = (self._concentration - 1.0) / (self._total_concentration[..., tf.newaxis] - k)
        if self.allow_nan_stats:
            nan = tf.fill(tf.shape(mode), np.array(np.nan, dtype=self.dtype.as_numpy_dtype()), name="nan")
            return tf.where_v2(tf.reduce_all(self._concentration > 1.0, axis=-1), mode, nan)
        check = tf.assert_less(tf.ones([], self.dtype), self._concentration, message="Mode undefined when any concentration <= 1")
        return with_dependencies([check], mode)


@RegisterKL(Dirichlet, Dirichlet)
def _kl_dirichlet_dirichlet(a: Any, b: Any, name: str | None = None) -> Any:
    with tf.name_scope(name, "kl_dirichlet_dirichlet", values=[a.concentration, b.concentration]):
        of_sum = tf.digamma(tf.reduce_sum(a.concentration, axis=-1, keepdims=True))
        delta = tf.digamma(a.concentration) - of_sum
        difference = a.concentration - b.concentration
        return tf.reduce_sum(difference * delta, axis=-1) - tf.lbeta(a.concentration) + tf.lbeta(b.concentration)


@export("distributions.DirichletMultinomial")
class DirichletMultinomial(_Concentrated):
    _SHOWN = ("total_count",)

    def __init__(
        self, total_count: Any, concentration: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "DirichletMultinomial"
    ) -> None:  # fmt: skip
        parameters = given(locals())
        with tf.name_scope(name, values=[total_count, concentration]) as scope:
            self._total_count = tf.convert_to_tensor(total_count, name="total_count")
            if validate_args:
                self._total_count = embed_check_nonnegative_integer_form(self._total_count)
            value = tf.convert_to_tensor(concentration, name="concentration")
            if validate_args:
                value = embed_check_categorical_event_shape(value)
                value = with_dependencies([tf.assert_positive(value, message="Concentration parameter must be positive.")], value)
            self._concentration = value
            self._total_concentration = tf.reduce_sum(value, -1)
        parents = [self._total_count, self._concentration]
        super().__init__(self._concentration.dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, parents, scope)

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        draws = tf.cast(self._total_count, dtype=tf.int32)
        k = self.event_shape_tensor()[0]
        gamma = tf.random_gamma(shape=[n], alpha=self._concentration, dtype=self.dtype, seed=seed)
        logits = tf.reshape(tf.log(gamma), shape=[-1, k])
        drawn = tf.multinomial(logits=logits, num_samples=draws, seed=gen_new_seed(seed, salt="dirichlet_multinomial"))
        x = tf.reduce_sum(tf.one_hot(drawn, depth=k), -2)
        x = tf.reshape(x, tf.concat([[n], self.batch_shape_tensor(), [k]], 0))
        return tf.cast(x, self.dtype)

    def _log_prob(self, counts: Any) -> Any:
        if self.validate_args:
            counts = embed_check_nonnegative_integer_form(counts)
            total = tf.reduce_sum(counts, -1)
            message = "counts last-dimension must sum to `self.total_count`"
            counts = with_dependencies([tf.assert_equal(self._total_count, total, message=message)], counts)
        ordered = tf.lbeta(self._concentration + counts) - tf.lbeta(self._concentration)
        return ordered + log_combinations(self._total_count, counts)

    def _prob(self, counts: Any) -> Any:
        return tf.exp(self._log_prob(counts))

    def _mean(self) -> Any:
        return self._total_count * (self._concentration / self._total_concentration[..., tf.newaxis])

    def _variance(self) -> Any:
        scale = self._variance_scale_term()
        x = scale * self._mean()
        return x * (self._total_count * scale - x)

    def _variance_scale_term(self) -> Any:
        total = self._total_concentration[..., tf.newaxis]
        return tf.sqrt((1.0 + total / self._total_count) / (1.0 + total))


class _OneHot(Distribution):
    """A distribution of vectors with logits for each element."""

    _SHOWN = ("event_size", "logits", "probs")

    def _sizes(self) -> None:
        static = self._logits.get_shape().with_rank_at_least(1)
        if static.ndims is not None:
            self._batch_rank = tf.convert_to_tensor(static.ndims - 1, dtype=tf.int32, name="batch_rank")
        else:
            with tf.name_scope(name="batch_rank"):
                self._batch_rank = tf.rank(self._logits) - 1
        with tf.name_scope(name="event_size"):
            self._event_size = tf.shape(self._logits)[-1]

    def _batch_shape_tensor(self) -> Any:
        return tf.shape(self._logits)[:-1]

    def _batch_shape(self) -> Any:
        return self._logits.get_shape()[:-1]

    def _event_shape_tensor(self) -> Any:
        return tf.shape(self._logits)[-1:]

    def _event_shape(self) -> Any:
        return self._logits.get_shape().with_rank_at_least(1)[-1:]

    def _broadcast(self, x: Any) -> tuple[Any, Any]:
        """Valid samples, and the logits, in one shape."""
        if self.validate_args:
            checks = [
                tf.assert_non_positive(x),
                tf.debugging.assert_near(tf.zeros([], dtype=self.dtype), tf.reduce_logsumexp(x, axis=[-1])),
            ]
            x = with_dependencies(checks, x)
        logits = self._logits
        shapes = x.get_shape(), logits.get_shape()
        if not shapes[0].is_fully_defined() or not shapes[1].is_fully_defined() or shapes[0] != shapes[1]:
            logits = tf.ones_like(x, dtype=logits.dtype) * logits
            x = tf.ones_like(logits, dtype=x.dtype) * x
        return x, logits


@export("contrib.distributions.OneHotCategorical")
class OneHotCategorical(_OneHot):
    def __init__(
        self, logits: Any = None, probs: Any = None, dtype: Any = "int32", validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "OneHotCategorical",
    ) -> None:  # fmt: skip
        parameters = given(locals())
        with tf.name_scope(name, values=[logits, probs]) as scope:
            self._logits, self._probs = get_logits_and_probs(
                name=scope, logits=logits, probs=probs, validate_args=validate_args, multidimensional=True
            )
            self._sizes()
        super().__init__(dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, [self._logits, self._probs], scope)

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        shape = tf.concat([[n], tf.shape(self._logits)], 0)
        logits = self._logits if self._logits.get_shape().ndims == 2 else tf.reshape(self._logits, [-1, self._event_size])
        drawn = tf.transpose(tf.multinomial(logits, n, seed=seed))
        return tf.reshape(tf.one_hot(drawn, self._event_size, dtype=self.dtype), shape)

    def _log_prob(self, x: Any) -> Any:
        x, logits = self._broadcast(x)
        shape = tf.shape(tf.reduce_sum(logits, -1))
        flat_logits = tf.reshape(logits, [-1, self._event_size])
        flat_x = tf.reshape(x, [-1, self._event_size])
        found = -tf.nn.softmax_cross_entropy_with_logits(labels=flat_x, logits=flat_logits)
        return tf.reshape(found, shape)

    def _entropy(self) -> Any:
        return -tf.reduce_sum(tf.nn.log_softmax(self._logits) * self._probs, axis=-1)

    def _mode(self) -> Any:
        mode = tf.one_hot(tf.argmax(self._logits, axis=self._batch_rank), self._event_size, dtype=self.dtype)
        mode.set_shape(self._logits.get_shape())
        return mode

    def _covariance(self) -> Any:
        p = self._probs
        return tf.matrix_set_diag(-tf.matmul(p[..., None], p[..., None, :]), self._variance())

    def _variance(self) -> Any:
        return self._probs * (1.0 - self._probs)


@RegisterKL(OneHotCategorical, OneHotCategorical)
def _kl_one_hot(a: Any, b: Any, name: str | None = None) -> Any:
    with tf.name_scope(name, "kl_categorical_categorical", values=[a.logits, b.logits]):
        weights = tf.nn.softmax(a.logits)
        return tf.reduce_sum(weights * (tf.nn.log_softmax(a.logits) - tf.nn.log_softmax(b.logits)), axis=-1)


@export("contrib.distributions.ExpRelaxedOneHotCategorical")
class ExpRelaxedOneHotCategorical(_OneHot):
    """The logarithm of the Concrete distribution (Maddison et al. 2016, Jang et al. 2016)."""

    _SHOWN = ("temperature",)

    def __init__(
        self, temperature: Any, logits: Any = None, probs: Any = None, dtype: Any = None, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "ExpRelaxedOneHotCategorical",
    ) -> None:  # fmt: skip
        parameters = given(locals())
        with tf.name_scope(name, values=[logits, probs, temperature]) as scope:
            self._logits, self._probs = get_logits_and_probs(
                name=scope, logits=logits, probs=probs, validate_args=validate_args, multidimensional=True
            )
            if dtype is None:
                dtype = self._logits.dtype
                if not validate_args:
                    temperature = tf.cast(temperature, dtype)
            with tf.control_dependencies([tf.assert_positive(temperature)] if validate_args else []):
                self._temperature = tf.identity(temperature, name="temperature")
                self._temperature_2d = tf.reshape(temperature, [-1, 1], name="temperature_2d")
            self._sizes()
        parents = [self._logits, self._probs, self._temperature]
        super().__init__(dtype, FULLY_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, parents, scope)

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        shape = tf.concat([[n], tf.shape(self._logits)], 0)
        logits = self._logits * tf.ones(shape, dtype=self.dtype)
        logits = tf.reshape(logits, [-1, self._event_size])
        tiny = np.finfo(self.dtype.as_numpy_dtype).tiny
        uniform = tf.random_uniform(shape=tf.shape(logits), minval=tiny, maxval=1.0, dtype=self.dtype, seed=seed)
        gumbel = -tf.log(-tf.log(uniform))
        noisy = tf.div(gumbel + logits, self._temperature_2d)
        return tf.reshape(tf.nn.log_softmax(noisy), shape)

    def _log_prob(self, x: Any) -> Any:
        x, logits = self._broadcast(x)
        shape = tf.shape(tf.reduce_sum(logits, axis=[-1]))
        flat_logits = tf.reshape(logits, [-1, self._event_size])
        flat_x = tf.reshape(x, [-1, self._event_size])
        k = tf.cast(self._event_size, x.dtype)
        constant = tf.lgamma(k) + (k - 1.0) * tf.log(self._temperature)
        log_softmax = tf.nn.log_softmax(flat_logits - flat_x * self._temperature_2d)
        return tf.reshape(constant + tf.reduce_sum(log_softmax, [-1], keepdims=False), shape)
