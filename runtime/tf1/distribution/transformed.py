"""Distributions seen through a bijector."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools.constant import constant_as_shape
from runtime.tf1.distribution.bijector import Identity, static_value
from runtime.tf1.distribution.continuous import Logistic
from runtime.tf1.distribution.distribution import Distribution, given
from runtime.tf1.distribution.distribution_util import get_logits_and_probs, pick_vector, with_dependencies
from runtime.tf1.distribution.simplex import ExpRelaxedOneHotCategorical
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.static_values import constant_value
from runtime.tf1.tensor_shape import TensorShape

tf: Any = module("")


def _value(x: Any) -> Any:
    return constant_value(tf.convert_to_tensor(x))


def _logical_and(*args: Any) -> Any:
    known = [_value(x) for x in args]
    if any(x is not None and not bool(x) for x in known):
        return tf.constant(False)
    if all(x is not None for x in known):
        return tf.constant(True)
    return tf.logical_and(*args) if len(args) == 2 else tf.reduce_all(args)


def _logical_equal(x: Any, y: Any) -> Any:
    a, b = _value(x), _value(y)
    return tf.equal(x, y) if a is None or b is None else tf.constant(np.array_equal(a, b))


def _logical_not(x: Any) -> Any:
    known = _value(x)
    return tf.logical_not(x) if known is None else tf.constant(np.logical_not(known))


def _concat_vectors(*args: Any) -> Any:
    known = [_value(x) for x in args]
    if any(x is None for x in known):
        return tf.concat(args, 0)
    return tf.constant([x for vector in known for x in vector])


def _pick_scalar(pred: Any, yes: Any, no: Any) -> Any:
    known = _value(pred)
    return tf.where_v2(pred, yes, no) if known is None else yes if known else no


def _ones_like(x: Any) -> Any:
    return tf.ones(x.get_shape().as_list(), dtype=x.dtype) if x.get_shape().is_fully_defined() else tf.ones_like(x)


def _ndims_from_shape(shape: Any) -> Any:
    if shape.get_shape().ndims not in (None, 1):
        raise ValueError("input is not a valid shape: not 1D")
    if not shape.dtype.is_integer:
        raise TypeError("input is not a valid shape: wrong dtype")
    if shape.get_shape().is_fully_defined():
        return tf.constant(shape.get_shape().as_list()[0])
    return tf.shape(shape)[0]


def _static_shape(shape: Any) -> TensorShape:
    return TensorShape(constant_as_shape(shape))


@export("contrib.distributions.TransformedDistribution")
class TransformedDistribution(Distribution):
    """y = bijector(x) for x of a distribution, whose scalar batch or event may be made larger."""

    _SHOWN = ("bijector", "distribution")

    def __init__(
        self, distribution: Any, bijector: Any = None, batch_shape: Any = None, event_shape: Any = None, validate_args: bool = False,
        name: str | None = None,
    ) -> None:  # fmt: skip
        parameters = given(locals())
        name = name or ("" if bijector is None else bijector.name) + distribution.name
        with tf.name_scope(name, values=[event_shape, batch_shape]) as scope:
            self._zero = tf.constant(0, dtype=tf.int32, name="zero")
            self._empty = tf.constant([], dtype=tf.int32, name="empty")
            if bijector is None:
                bijector = Identity(validate_args=validate_args)
            self._override_batch_shape = self._checked_shape(batch_shape, distribution.is_scalar_batch(), validate_args, "batch_shape")
            self._is_batch_override = self._is_override(self._override_batch_shape)
            self._maybe_batch_override = self._may_override(self._override_batch_shape)
            self._override_event_shape = self._checked_shape(event_shape, distribution.is_scalar_event(), validate_args, "event_shape")
            self._is_event_override = self._is_override(self._override_event_shape)
            self._maybe_event_override = self._may_override(self._override_event_shape)
            no_batch = _logical_not(self._is_batch_override)
            self._needs_rotation = _logical_and(self._is_event_override, no_batch, _logical_not(distribution.is_scalar_batch()))
            event_ndims = _ndims_from_shape(self._override_event_shape)
            self._rotate_ndims = _pick_scalar(self._needs_rotation, event_ndims, 0)
            self._reduce_event_indices = tf.range(self._rotate_ndims - event_ndims, self._rotate_ndims)
        self._distribution, self._bijector = distribution, bijector
        parents = [*distribution._graph_parents, *bijector.graph_parents]
        super().__init__(
            distribution.dtype,
            distribution.reparameterization_type,
            validate_args,
            distribution.allow_nan_stats,
            parameters,
            parents,
            scope,
        )

    def _is_override(self, shape: Any) -> Any:
        return _logical_not(_logical_equal(_ndims_from_shape(shape), self._zero))

    def _may_override(self, shape: Any) -> bool:
        known = constant_value(shape)
        return bool(known is None or known.size != 0)

    def _checked_shape(self, override_shape: Any, base_is_scalar: Any, validate_args: bool, name: str) -> Any:
        shape = tf.convert_to_tensor([] if override_shape is None else override_shape, dtype=tf.int32, name=name)
        is_scalar = _logical_equal(_ndims_from_shape(shape), 0)
        if constant_value(is_scalar):
            return self._empty
        checks = []
        if shape.get_shape().ndims is not None:
            if shape.get_shape().ndims != 1:
                raise ValueError("shape override must be a vector")
        elif validate_args:
            checks.append(tf.assert_rank(shape, 1, message="shape override must be a vector"))
        known = constant_value(shape)
        if known is not None:
            if any(s <= 0 for s in known):
                raise ValueError("shape override must have positive elements")
        elif validate_args:
            checks.append(tf.assert_positive(shape, message="shape override must have positive elements"))
        both = _logical_and(_logical_not(base_is_scalar), _logical_not(is_scalar))
        if constant_value(both) is not None:
            if constant_value(both):
                raise ValueError("base distribution not scalar")
        elif validate_args:
            checks.append(tf.assert_equal(both, False, message="base distribution not scalar"))
        return with_dependencies(checks, shape) if checks else shape

    def _event_shape_tensor(self) -> Any:
        shape = pick_vector(self._is_event_override, self._override_event_shape, self._distribution.event_shape_tensor())
        return self._bijector.forward_event_shape_tensor(shape)

    def _event_shape(self) -> Any:
        override = _static_shape(self._override_event_shape)
        return self._bijector.forward_event_shape(override if self._maybe_event_override else self._distribution.event_shape)

    def _batch_shape_tensor(self) -> Any:
        return pick_vector(self._is_batch_override, self._override_batch_shape, self._distribution.batch_shape_tensor())

    def _batch_shape(self) -> Any:
        override = _static_shape(self._override_batch_shape)
        return override if self._maybe_batch_override else self._distribution.batch_shape

    def _sample_n(self, n: Any, seed: int | None = None, **kwargs: Any) -> Any:
        first = pick_vector(self._needs_rotation, self._empty, [n])
        last = pick_vector(self._needs_rotation, [n], self._empty)
        shape = _concat_vectors(first, self._override_batch_shape, self._override_event_shape, last)
        return self._rotated(self._distribution.sample(sample_shape=shape, seed=seed, **kwargs))

    def _call_sample_n(self, sample_shape: Any, seed: int | None, name: str, **kwargs: Any) -> Any:
        with self._name_scope(name, values=[sample_shape]):
            sample_shape = tf.convert_to_tensor(sample_shape, dtype=tf.int32, name="sample_shape")
            sample_shape, n = self._expand_sample_shape_to_vector(sample_shape, "sample_shape")
            x = self._sample_n(n, seed)
            rest = tf.shape(x)[1:]
            x = tf.reshape(x, tf.concat([sample_shape, rest], 0))
            y = self._bijector.forward(x, **kwargs)
            return self._set_sample_static_shape(y, sample_shape)

    def _rotated(self, x: Any, right: bool = False) -> Any:
        known = constant_value(self._needs_rotation)
        if known is not None and not known:
            return x
        ndims = tf.rank(x)
        n = ndims - self._rotate_ndims if right else self._rotate_ndims
        return tf.transpose(x, _concat_vectors(tf.range(n, ndims), tf.range(0, n)))

    def _event_ndims(self) -> Any:
        if self.event_shape.ndims is not None:
            return self.event_shape.ndims
        ndims = tf.size(self.event_shape_tensor())
        known = static_value(ndims)
        return ndims if known is None else known

    def _finished(self, what: str, y: Any, x: Any, ildj: Any, event_ndims: Any) -> Any:
        x = self._rotated(x, right=True)
        found = getattr(self._distribution, what)(x)
        is_log = what == "log_prob"
        if self._maybe_event_override:
            found = (tf.reduce_sum if is_log else tf.reduce_prod)(found, self._reduce_event_indices)
        if is_log:
            found += tf.cast(ildj, found.dtype)
        else:
            found *= tf.exp(tf.cast(ildj, found.dtype))
        if self._maybe_event_override and isinstance(event_ndims, int):
            found.set_shape(tf.broadcast_static_shape(y.get_shape().with_rank_at_least(1)[:-event_ndims], self.batch_shape))
        return found

    def _density(self, what: str, y: Any, **kwargs: Any) -> list[Any]:
        """The density of each x whose y this is."""
        x = self._bijector.inverse(y, **kwargs)
        event_ndims = self._event_ndims()
        ildj = self._bijector.inverse_log_det_jacobian(y, event_ndims=event_ndims, **kwargs)
        pairs = [(x, ildj)] if self._bijector._is_injective else list(zip(x, ildj, strict=True))
        return [self._finished(what, y, x_i, ildj_i, event_ndims) for x_i, ildj_i in pairs]

    def _log_prob(self, y: Any, **kwargs: Any) -> Any:
        found = self._density("log_prob", y, **kwargs)
        return found[0] if self._bijector._is_injective else tf.reduce_logsumexp(tf.stack(found), axis=0)

    def _prob(self, y: Any, **kwargs: Any) -> Any:
        found = self._density("prob", y, **kwargs)
        return found[0] if self._bijector._is_injective else sum(found)

    def _only_plain(self, what: str) -> None:
        if self._maybe_event_override:
            raise NotImplementedError(f"{what} is not implemented when overriding event_shape")
        if not self._bijector._is_injective:
            raise NotImplementedError(f"{what} is not implemented when bijector is not injective.")

    def _of_inverse(self, what: str, y: Any, **kwargs: Any) -> Any:
        self._only_plain(what)
        return getattr(self._distribution, what)(self._bijector.inverse(y, **kwargs))

    def _log_cdf(self, y: Any, **kwargs: Any) -> Any:
        return self._of_inverse("log_cdf", y, **kwargs)

    def _cdf(self, y: Any, **kwargs: Any) -> Any:
        return self._of_inverse("cdf", y, **kwargs)

    def _log_survival_function(self, y: Any, **kwargs: Any) -> Any:
        return self._of_inverse("log_survival_function", y, **kwargs)

    def _survival_function(self, y: Any, **kwargs: Any) -> Any:
        return self._of_inverse("survival_function", y, **kwargs)

    def _quantile(self, value: Any, **kwargs: Any) -> Any:
        self._only_plain("quantile")
        return self._bijector.forward(self._distribution.quantile(value), **kwargs)

    def _entropy(self) -> Any:
        if not self._bijector.is_constant_jacobian:
            raise NotImplementedError("entropy is not implemented")
        if not self._bijector._is_injective:
            raise NotImplementedError("entropy is not implemented when bijector is not injective.")
        entropy = self._distribution.entropy()
        if self._maybe_event_override:
            entropy *= tf.cast(tf.reduce_prod(self._override_event_shape), dtype=entropy.dtype.base_dtype)
        if self._maybe_batch_override:
            shape = tf.concat([_ones_like(self._override_batch_shape), self._distribution.batch_shape_tensor()], 0)
            entropy = tf.reshape(entropy, shape)
            multiples = tf.concat([self._override_batch_shape, _ones_like(self._distribution.batch_shape_tensor())], 0)
            entropy = tf.tile(entropy, multiples)
        dummy = tf.zeros(shape=tf.concat([self.batch_shape_tensor(), self.event_shape_tensor()], 0), dtype=self.dtype)
        event_ndims = self.event_shape.ndims if self.event_shape.ndims is not None else tf.size(self.event_shape_tensor())
        ildj = self._bijector.inverse_log_det_jacobian(dummy, event_ndims=event_ndims)
        entropy -= tf.cast(ildj, entropy.dtype)
        entropy.set_shape(self.batch_shape)
        return entropy


@export("contrib.distributions.ConditionalDistribution")
class ConditionalDistribution(Distribution):
    """A distribution whose methods take further keyword arguments."""

    def sample(self, sample_shape: Any = (), seed: int | None = None, name: str = "sample", **condition_kwargs: Any) -> Any:
        return self._call_sample_n(sample_shape, seed, name, **condition_kwargs)

    def log_prob(self, value: Any, name: str = "log_prob", **condition_kwargs: Any) -> Any:
        return self._call_of("log_prob", value, name, **condition_kwargs)

    def prob(self, value: Any, name: str = "prob", **condition_kwargs: Any) -> Any:
        return self._call_of("prob", value, name, **condition_kwargs)

    def log_cdf(self, value: Any, name: str = "log_cdf", **condition_kwargs: Any) -> Any:
        return self._call_of("log_cdf", value, name, **condition_kwargs)

    def cdf(self, value: Any, name: str = "cdf", **condition_kwargs: Any) -> Any:
        return self._call_of("cdf", value, name, **condition_kwargs)

    def log_survival_function(self, value: Any, name: str = "log_survival_function", **condition_kwargs: Any) -> Any:
        return self._call_of("log_survival_function", value, name, **condition_kwargs)

    def survival_function(self, value: Any, name: str = "survival_function", **condition_kwargs: Any) -> Any:
        return self._call_of("survival_function", value, name, **condition_kwargs)


@export("contrib.distributions.ConditionalTransformedDistribution")
class ConditionalTransformedDistribution(ConditionalDistribution, TransformedDistribution):
    """A TransformedDistribution whose methods take keyword arguments for its bijector."""


@export("contrib.distributions.RelaxedOneHotCategorical")
class RelaxedOneHotCategorical(TransformedDistribution):
    """The Concrete distribution (Maddison et al. 2016, Jang et al. 2016)."""

    def __init__(
        self, temperature: Any, logits: Any = None, probs: Any = None, dtype: Any = None, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "RelaxedOneHotCategorical",
    ) -> None:  # fmt: skip
        from runtime.tf1.distribution.bijectors import Exp

        base = ExpRelaxedOneHotCategorical(
            temperature, logits=logits, probs=probs, dtype=dtype, validate_args=validate_args, allow_nan_stats=allow_nan_stats
        )
        super().__init__(base, Exp(), name=name)


@export("contrib.distributions.RelaxedBernoulli")
class RelaxedBernoulli(TransformedDistribution):
    _SHOWN = ("logits", "probs", "temperature")

    def __init__(
        self, temperature: Any, logits: Any = None, probs: Any = None, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "RelaxedBernoulli",
    ) -> None:  # fmt: skip
        from runtime.tf1.distribution.bijectors import Sigmoid

        parameters = given(locals())
        with tf.name_scope(name, values=[logits, probs, temperature]) as scope:
            with tf.control_dependencies([tf.assert_positive(temperature)] if validate_args else []):
                self._temperature = tf.identity(temperature, name="temperature")
            self._logits, self._probs = get_logits_and_probs(logits=logits, probs=probs, validate_args=validate_args)
            loc = self._logits / self._temperature
            base = Logistic(loc, 1.0 / self._temperature, validate_args, allow_nan_stats, name=scope + "/Logistic")
            super().__init__(base, Sigmoid(validate_args=validate_args), validate_args=validate_args, name=scope)
        self._parameters = parameters
