"""Distributions of counts, classes and classes as vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.tf1.distribution.distribution import (
    NOT_REPARAMETERIZED,
    Distribution,
    RegisterKL,
    ScalarDistribution,
    gen_new_seed,
    given,
)
from runtime.tf1.distribution.distribution_util import (
    assert_integer_form,
    embed_check_categorical_event_shape,
    embed_check_integer_casting_closed,
    embed_check_nonnegative_integer_form,
    get_logits_and_probs,
    log_combinations,
    with_dependencies,
)
from runtime.tf1.modules import module
from runtime.tf1.registry import export

tf: Any = module("")


@export("distributions.Bernoulli")
class Bernoulli(ScalarDistribution):
    _SHOWN = ("logits", "probs")

    def __init__(
        self, logits: Any = None, probs: Any = None, dtype: Any = "int32", validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "Bernoulli",
    ) -> None:  # fmt: skip
        parameters = given(locals())
        with tf.name_scope(name) as scope:
            self._logits, self._probs = get_logits_and_probs(logits=logits, probs=probs, validate_args=validate_args, name=scope)
        super().__init__(dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, [self._logits, self._probs], scope)

    @classmethod
    def _param_shapes(cls, sample_shape: Any) -> dict[str, Any]:
        return {"logits": tf.convert_to_tensor(sample_shape, dtype=tf.int32)}

    def _batch_shape_tensor(self) -> Any:
        return tf.shape(self._logits)

    def _batch_shape(self) -> Any:
        return self._logits.get_shape()

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        uniform = tf.random_uniform(self._whole_shape(n), seed=seed, dtype=self._probs.dtype)
        return tf.cast(tf.less(uniform, self._probs), self.dtype)

    def _log_prob(self, event: Any) -> Any:
        if self.validate_args:
            event = embed_check_integer_casting_closed(event, target_dtype=tf.bool)
        event = tf.cast(event, self._logits.dtype)
        logits = self._logits
        shapes = event.get_shape(), logits.get_shape()
        if not (shapes[0].is_fully_defined() and shapes[1].is_fully_defined() and shapes[0] == shapes[1]):
            logits, event = tf.ones_like(event) * logits, tf.ones_like(logits) * event
        return -tf.nn.sigmoid_cross_entropy_with_logits(labels=event, logits=logits)

    def _entropy(self) -> Any:
        return -self._logits * (tf.sigmoid(self._logits) - 1) + tf.nn.softplus(-self._logits)

    def _mean(self) -> Any:
        return tf.identity(self._probs)

    def _variance(self) -> Any:
        return self._mean() * (1.0 - self._probs)

    def _mode(self) -> Any:
        return tf.cast(self._probs > 0.5, self.dtype)


@RegisterKL(Bernoulli, Bernoulli)
def _kl_bernoulli_bernoulli(a: Any, b: Any, name: str | None = None) -> Any:
    with tf.name_scope(name, "kl_bernoulli_bernoulli", values=[a.logits, b.logits]):
        of_zero = tf.nn.softplus(-b.logits) - tf.nn.softplus(-a.logits)
        of_one = tf.nn.softplus(b.logits) - tf.nn.softplus(a.logits)
        return tf.sigmoid(a.logits) * of_zero + tf.sigmoid(-a.logits) * of_one


def _together(event: Any, params: Any, base_dtype: Any) -> tuple[Any, Any]:
    """Classes and the parameters of all classes in shapes that fit."""
    if event.dtype.is_floating:
        event = tf.cast(event, dtype=tf.int32)
    elif not event.dtype.is_integer:
        raise TypeError(f"`value` should have integer `dtype` or `self.dtype` ({base_dtype})")
    inner, outer = event.get_shape(), params.get_shape()
    is_known = outer.ndims is not None and outer[:-1].is_fully_defined() and inner.is_fully_defined()
    if not is_known or outer[:-1] != inner:
        params *= tf.ones_like(event[..., tf.newaxis], dtype=params.dtype)
        event *= tf.ones(tf.shape(params)[:-1], dtype=event.dtype)
        if params.get_shape().ndims is not None:
            event.set_shape(params.get_shape()[:-1])
    return event, params


@export("distributions.Categorical")
class Categorical(ScalarDistribution):
    _SHOWN = ("event_size", "logits", "probs")

    def __init__(
        self, logits: Any = None, probs: Any = None, dtype: Any = "int32", validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "Categorical",
    ) -> None:  # fmt: skip
        parameters = given(locals())
        with tf.name_scope(name, values=[logits, probs]) as scope:
            self._logits, self._probs = get_logits_and_probs(
                logits=logits, probs=probs, validate_args=validate_args, multidimensional=True, name=scope
            )
            if validate_args:
                self._logits = embed_check_categorical_event_shape(self._logits)
            static = self._logits.get_shape().with_rank_at_least(1)
            if static.ndims is not None:
                self._batch_rank = tf.convert_to_tensor(static.ndims - 1, dtype=tf.int32, name="batch_rank")
            else:
                with tf.name_scope(name="batch_rank"):
                    self._batch_rank = tf.rank(self._logits) - 1
            shape = tf.shape(self._logits, name="logits_shape")
            if static.ndims is not None and static[-1].value is not None:
                self._event_size = tf.convert_to_tensor(static[-1].value, dtype=tf.int32, name="event_size")
            else:
                with tf.name_scope(name="event_size"):
                    self._event_size = shape[self._batch_rank]
            if static.ndims is not None and static[:-1].is_fully_defined():
                self._batch_shape_val = tf.constant(static[:-1].as_list(), dtype=tf.int32, name="batch_shape")
            else:
                with tf.name_scope(name="batch_shape"):
                    self._batch_shape_val = shape[:-1]
        super().__init__(dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, [self._logits, self._probs], scope)

    def _batch_shape_tensor(self) -> Any:
        return tf.identity(self._batch_shape_val)

    def _batch_shape(self) -> Any:
        return self._logits.get_shape()[:-1]

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        logits = self._logits if self._logits.get_shape().ndims == 2 else tf.reshape(self._logits, [-1, self._event_size])
        kind = tf.int64 if self.dtype.size > 4 else tf.int32
        draws = tf.multinomial(logits, n, seed=seed, output_dtype=kind)
        draws = tf.reshape(tf.transpose(draws), tf.concat([[n], self.batch_shape_tensor()], 0))
        return tf.cast(draws, self.dtype)

    def _checked(self, k: Any) -> Any:
        k = tf.convert_to_tensor(k, name="k")
        return embed_check_integer_casting_closed(k, target_dtype=tf.int32) if self.validate_args else k

    def _cdf(self, k: Any) -> Any:
        k, probs = _together(self._checked(k), self._probs, self.dtype.base_dtype)
        flat = tf.reshape(probs, (-1, self._event_size))
        flat_k = tf.reshape(k, [-1])
        summed = tf.where(tf.sequence_mask(flat_k, self._event_size), flat, tf.zeros_like(flat))
        return tf.reshape(tf.reduce_sum(summed, axis=-1), tf.shape(k))

    def _log_prob(self, k: Any) -> Any:
        k, logits = _together(self._checked(k), self._logits, self.dtype.base_dtype)
        return -tf.nn.sparse_softmax_cross_entropy_with_logits(labels=k, logits=logits)

    def _entropy(self) -> Any:
        return -tf.reduce_sum(tf.nn.log_softmax(self._logits) * self._probs, axis=-1)

    def _mode(self) -> Any:
        mode = tf.cast(tf.argmax(self._logits, axis=self._batch_rank), self.dtype)
        mode.set_shape(self.batch_shape)
        return mode


@RegisterKL(Categorical, Categorical)
def _kl_categorical_categorical(a: Any, b: Any, name: str | None = None) -> Any:
    with tf.name_scope(name, "kl_categorical_categorical", values=[a.logits, b.logits]):
        delta = tf.nn.log_softmax(a.logits) - tf.nn.log_softmax(b.logits)
        return tf.reduce_sum(tf.nn.softmax(a.logits) * delta, axis=-1)


@export("contrib.distributions.Geometric")
class Geometric(ScalarDistribution):
    """How many failures come before the first success."""

    _SHOWN = ("logits", "probs")

    def __init__(
        self, logits: Any = None, probs: Any = None, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Geometric"
    ) -> None:
        parameters = given(locals())
        with tf.name_scope(name, values=[logits, probs]) as scope:
            self._logits, self._probs = get_logits_and_probs(logits, probs, validate_args=validate_args, name=scope)
            with tf.control_dependencies([tf.assert_positive(self._probs)] if validate_args else []):
                self._probs = tf.identity(self._probs, name="probs")
        parents = [self._probs, self._logits]
        super().__init__(self._probs.dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, parents, scope)

    def _batch_shape_tensor(self) -> Any:
        return tf.shape(self._probs)

    def _batch_shape(self) -> Any:
        return self._probs.get_shape()

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        shape = tf.concat([[n], tf.shape(self._probs)], 0)
        drawn = tf.random_uniform(shape, minval=np.finfo(self.dtype.as_numpy_dtype).tiny, maxval=1.0, seed=seed, dtype=self.dtype)
        return tf.floor(tf.log(drawn) / tf.log1p(-self._probs))

    def _whole(self, x: Any) -> Any:
        x = embed_check_nonnegative_integer_form(x) if self.validate_args else tf.floor(x)
        return x * tf.ones_like(self._probs)

    def _cdf(self, x: Any) -> Any:
        x = self._whole(x)
        is_below = x < 0.0
        return tf.where(is_below, tf.zeros_like(x), -tf.expm1((1.0 + x) * tf.log1p(-self._probs)))

    def _log_prob(self, x: Any) -> Any:
        x = self._whole(x)
        probs = self._probs * tf.ones_like(x)
        safe = tf.where(tf.equal(x, 0.0), tf.zeros_like(probs), probs)
        return x * tf.log1p(-safe) + tf.log(probs)

    def _entropy(self) -> Any:
        probs = self._probs
        if self.validate_args:
            one = tf.constant(1.0, probs.dtype)
            probs = with_dependencies([tf.assert_less(probs, one, message="Entropy is undefined when logits = inf or probs = 1.")], probs)
        return tf.nn.softplus(self._logits) / probs - self._logits

    def _mean(self) -> Any:
        return tf.exp(-self._logits)

    def _variance(self) -> Any:
        return self._mean() / self._probs

    def _mode(self) -> Any:
        return tf.zeros(self.batch_shape_tensor(), dtype=self.dtype)


@export("contrib.distributions.NegativeBinomial")
class NegativeBinomial(ScalarDistribution):
    """How many successes come before `total_count` failures."""

    _PARAMS = ("total_count", "probs")
    _SHOWN = ("logits",)

    def __init__(
        self, total_count: Any, logits: Any = None, probs: Any = None, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "NegativeBinomial",
    ) -> None:  # fmt: skip
        parameters = given(locals())
        with tf.name_scope(name, values=[total_count, logits, probs]) as scope:
            self._logits, self._probs = get_logits_and_probs(logits, probs, validate_args=validate_args, name=scope)
            with tf.control_dependencies([tf.assert_positive(total_count)] if validate_args else []):
                self._total_count = tf.identity(total_count)
        parents = [self._total_count, self._probs, self._logits]
        super().__init__(self._probs.dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, parents, scope)

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        rate = tf.random_gamma(shape=[n], alpha=self._total_count, beta=tf.exp(-self._logits), dtype=self.dtype, seed=seed)
        return tf.random_poisson(rate, shape=[], dtype=self.dtype, seed=gen_new_seed(seed, "negative_binom"))

    def _checked(self, x: Any) -> Any:
        return embed_check_nonnegative_integer_form(x) if self.validate_args else x

    def _cdf(self, x: Any) -> Any:
        x = self._checked(x)
        return tf.betainc(self._total_count, 1.0 + x, tf.sigmoid(-self._logits))

    def _log_prob(self, x: Any) -> Any:
        return self._log_unnormalized_prob(x) - self._log_normalization(x)

    def _log_unnormalized_prob(self, x: Any) -> Any:
        x = self._checked(x)
        return self._total_count * tf.log_sigmoid(-self._logits) + x * tf.log_sigmoid(self._logits)

    def _log_normalization(self, x: Any) -> Any:
        x = self._checked(x)
        return -tf.lgamma(self._total_count + x) + tf.lgamma(1.0 + x) + tf.lgamma(self._total_count)

    def _mean(self) -> Any:
        return self._total_count * tf.exp(self._logits)

    def _mode(self) -> Any:
        is_more = self._total_count > 1.0
        count = tf.where_v2(is_more, self._total_count - 1.0, tf.zeros_like(self._total_count))
        return tf.floor(count * tf.exp(self._logits))

    def _variance(self) -> Any:
        return self._mean() / tf.sigmoid(-self._logits)


@export("contrib.distributions.Poisson")
class Poisson(ScalarDistribution):
    _PARAMS = ("rate",)
    _SHOWN = ("log_rate",)

    def __init__(
        self, rate: Any = None, log_rate: Any = None, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Poisson"
    ) -> None:
        parameters = given(locals())
        with tf.name_scope(name, values=[rate]) as scope:
            if (rate is None) == (log_rate is None):
                raise ValueError("Must specify exactly one of `rate` and `log_rate`.")
            label, value = ("rate", rate) if log_rate is None else ("log_rate", log_rate)
            value = tf.convert_to_tensor(value, name=label)
            if not value.dtype.is_floating:
                raise TypeError(f"{label}.dtype ({value.dtype.name}) is a not a float-type.")
            if log_rate is None:
                with tf.control_dependencies([tf.assert_positive(value)] if validate_args else []):
                    self._rate = tf.identity(value, name="rate")
                    self._log_rate = tf.log(value, name="log_rate")
            else:
                self._rate = tf.exp(value, name="rate")
                self._log_rate = tf.convert_to_tensor(value, name="log_rate")
        super().__init__(self._rate.dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, [self._rate], scope)

    def _log_prob(self, x: Any) -> Any:
        return self._log_unnormalized_prob(x) - self._rate

    def _checked(self, x: Any) -> Any:
        return embed_check_nonnegative_integer_form(x) if self.validate_args else x

    def _log_cdf(self, x: Any) -> Any:
        return tf.log(self.cdf(x))

    def _cdf(self, x: Any) -> Any:
        x = self._checked(x)
        return tf.igammac(1.0 + x, self._rate)

    def _log_normalization(self) -> Any:
        return self._rate

    def _log_unnormalized_prob(self, x: Any) -> Any:
        x = self._checked(x)
        return x * self._log_rate - tf.lgamma(1.0 + x)

    def _mean(self) -> Any:
        return tf.identity(self._rate)

    def _variance(self) -> Any:
        return tf.identity(self._rate)

    def _mode(self) -> Any:
        return tf.floor(self._rate)

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        return tf.random_poisson(self._rate, [n], dtype=self.dtype, seed=seed)


@export("contrib.distributions.Binomial")
class Binomial(ScalarDistribution):
    _PARAMS = ("total_count", "probs")
    _SHOWN = ("logits",)

    def __init__(
        self, total_count: Any, logits: Any = None, probs: Any = None, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "Binomial",
    ) -> None:  # fmt: skip
        parameters = given(locals())
        with tf.name_scope(name, values=[total_count, logits, probs]) as scope:
            count = tf.convert_to_tensor(total_count, name="total_count")
            if validate_args:
                checks = [
                    tf.assert_non_negative(count, message="total_count must be non-negative."),
                    assert_integer_form(count, message="total_count cannot contain fractional components."),
                ]
                count = with_dependencies(checks, count)
            self._total_count = count
            self._logits, self._probs = get_logits_and_probs(logits=logits, probs=probs, validate_args=validate_args, name=scope)
        parents = [self._total_count, self._logits, self._probs]
        super().__init__(self._probs.dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, parents, scope)

    def _checked(self, counts: Any) -> Any:
        if not self.validate_args:
            return counts
        counts = embed_check_nonnegative_integer_form(counts)
        check = tf.assert_less_equal(counts, self._total_count, message="counts are not less than or equal to n.")
        return with_dependencies([check], counts)

    def _log_prob(self, counts: Any) -> Any:
        return self._log_unnormalized_prob(counts) - self._log_normalization(counts)

    def _prob(self, counts: Any) -> Any:
        return tf.exp(self._log_prob(counts))

    def _cdf(self, counts: Any) -> Any:
        counts, probs = self._checked(counts), self._probs
        shapes = counts.get_shape(), probs.get_shape()
        if not (shapes[0].is_fully_defined() and shapes[1].is_fully_defined() and shapes[0].is_compatible_with(shapes[1])):
            probs += tf.zeros_like(counts)
            counts += tf.zeros_like(self._probs)
        n = self._total_count
        ones = tf.ones_like(n - counts)
        is_all = tf.equal(counts, n)
        safe = tf.where_v2(is_all, ones, n - counts)
        return tf.where_v2(is_all, ones, tf.betainc(a=safe, b=counts + 1, x=1 - probs))

    def _log_unnormalized_prob(self, counts: Any) -> Any:
        counts = self._checked(counts)
        return counts * tf.log(self._probs) + (self._total_count - counts) * tf.log1p(-self._probs)

    def _log_normalization(self, counts: Any) -> Any:
        counts = self._checked(counts)
        return tf.lgamma(1.0 + self._total_count - counts) + tf.lgamma(1.0 + counts) - tf.lgamma(1.0 + self._total_count)

    def _mean(self) -> Any:
        return self._total_count * self._probs

    def _variance(self) -> Any:
        return self._mean() * (1.0 - self._probs)

    def _mode(self) -> Any:
        return tf.floor((1.0 + self._total_count) * self._probs)


@export("distributions.Multinomial")
class Multinomial(Distribution):
    _SHOWN = ("logits", "probs", "total_count")

    def __init__(
        self, total_count: Any, logits: Any = None, probs: Any = None, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "Multinomial",
    ) -> None:  # fmt: skip
        parameters = given(locals())
        with tf.name_scope(name, values=[total_count, logits, probs]) as scope:
            self._total_count = tf.convert_to_tensor(total_count, name="total_count")
            if validate_args:
                self._total_count = embed_check_nonnegative_integer_form(self._total_count)
            self._logits, self._probs = get_logits_and_probs(
                logits=logits, probs=probs, multidimensional=True, validate_args=validate_args, name=scope
            )
            self._mean_val = self._total_count[..., tf.newaxis] * self._probs
        parents = [self._total_count, self._logits, self._probs]
        super().__init__(self._probs.dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, parents, scope)

    def _batch_shape_tensor(self) -> Any:
        return tf.shape(self._mean_val)[:-1]

    def _batch_shape(self) -> Any:
        return self._mean_val.get_shape().with_rank_at_least(1)[:-1]

    def _event_shape_tensor(self) -> Any:
        return tf.shape(self._mean_val)[-1:]

    def _event_shape(self) -> Any:
        return self._mean_val.get_shape().with_rank_at_least(1)[-1:]

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        draws = tf.cast(self._total_count, dtype=tf.int32)
        k = self.event_shape_tensor()[0]
        draws = tf.ones_like(self._logits[..., 0], dtype=draws.dtype) * draws
        logits = tf.ones_like(draws[..., tf.newaxis], dtype=self._logits.dtype) * self._logits
        flat_logits = tf.reshape(logits, [-1, k])
        flat_draws = n * tf.reshape(draws, [-1])

        def single(args: Any) -> Any:
            x = tf.multinomial(args[0][tf.newaxis, ...], args[1], seed)
            return tf.reduce_sum(tf.one_hot(tf.reshape(x, shape=[n, -1]), depth=k), axis=-2)

        x = tf.transpose(tf.map_fn(single, [flat_logits, flat_draws], dtype=self.dtype), perm=[1, 0, 2])
        return tf.reshape(x, tf.concat([[n], self.batch_shape_tensor(), [k]], 0))

    def _checked(self, counts: Any) -> Any:
        if not self.validate_args:
            return counts
        counts = embed_check_nonnegative_integer_form(counts)
        total = tf.reduce_sum(counts, -1)
        return with_dependencies([tf.assert_equal(self._total_count, total, message="counts must sum to `self.total_count`")], counts)

    def _log_prob(self, counts: Any) -> Any:
        return self._log_unnormalized_prob(counts) - self._log_normalization(counts)

    def _log_unnormalized_prob(self, counts: Any) -> Any:
        return tf.reduce_sum(self._checked(counts) * tf.nn.log_softmax(self._logits), -1)

    def _log_normalization(self, counts: Any) -> Any:
        return -log_combinations(self._total_count, self._checked(counts))

    def _mean(self) -> Any:
        return tf.identity(self._mean_val)

    def _covariance(self) -> Any:
        p = self._probs * tf.ones_like(self._total_count)[..., tf.newaxis]
        outer = -tf.matmul(self._mean_val[..., tf.newaxis], p[..., tf.newaxis, :])
        return tf.matrix_set_diag(outer, self._variance())

    def _variance(self) -> Any:
        p = self._probs * tf.ones_like(self._total_count)[..., tf.newaxis]
        return self._mean_val - self._mean_val * p
