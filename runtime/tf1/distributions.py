"""tf.distributions: sampling, densities, moments and divergences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphtools.constant import constant as known_value
from graphtools.constant import constant_as_shape
from graphtools.dtypes import as_dtype, float32, int32
from runtime.tf1 import array_ops, math_ops, nn_ops, random_ops
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, name_scope
from runtime.tf1.modules import lookup
from runtime.tf1.registry import export, put
from runtime.tf1.tensor_shape import TensorShape


def _op(op_type: str, x: Any) -> Any:
    return apply_op(op_type, None, x=x)


@export("distributions.ReparameterizationType")
class ReparameterizationType:
    """Whether gradients flow from samples to parameters."""

    def __init__(self, rep_type: str) -> None:
        self._rep_type = rep_type

    def __repr__(self) -> str:
        return f"<Reparameteriation Type: {self._rep_type}>"


FULLY_REPARAMETERIZED = ReparameterizationType("FULLY_REPARAMETERIZED")
NOT_REPARAMETERIZED = ReparameterizationType("NOT_REPARAMETERIZED")
put("distributions.FULLY_REPARAMETERIZED", FULLY_REPARAMETERIZED)
put("distributions.NOT_REPARAMETERIZED", NOT_REPARAMETERIZED)


@export("distributions.Distribution")
class Distribution:
    """The base: a subclass says `_sample_n`, `_log_prob` and its moments for parameters of one batch shape."""

    reparameterization_type = NOT_REPARAMETERIZED
    _event_rank = 0

    def __init__(self, dtype: Any, parameters: dict[str, Any], validate_args: bool, allow_nan_stats: bool, name: str) -> None:
        self.dtype, self.parameters = dtype, parameters
        self.validate_args, self.allow_nan_stats = validate_args, allow_nan_stats
        with name_scope(name) as scope:
            self._name = scope
        for key, value in parameters.items():
            setattr(self, key, value)

    @property
    def name(self) -> str:
        return self._name

    def _batch(self) -> list[Any]:
        """The tensors whose shapes, broadcast, are the batch's."""
        return [v for v in self.parameters.values() if v is not None]

    def batch_shape_tensor(self, name: str = "batch_shape_tensor") -> Any:
        with self._scope(name):
            if self.batch_shape.is_fully_defined():
                return constant(np.array(self.batch_shape.as_list(), np.int32), int32, name="batch_shape")
            shapes = [array_ops.shape(t) for t in self._batch()]
            result = shapes[0]
            for s in shapes[1:]:
                result = array_ops.broadcast_dynamic_shape(result, s)
            return result

    @property
    def batch_shape(self) -> TensorShape:
        result = self._batch()[0].get_shape()
        for t in self._batch()[1:]:
            result = array_ops.broadcast_static_shape(result, t.get_shape())
        return result

    @property
    def event_shape(self) -> TensorShape:
        return TensorShape([])

    def event_shape_tensor(self, name: str = "event_shape_tensor") -> Any:
        with self._scope(name):
            return constant(np.array(self.event_shape.as_list(), np.int32), int32)

    def is_scalar_event(self, name: str = "is_scalar_event") -> Any:
        return convert_to_tensor(self._event_rank == 0)

    def is_scalar_batch(self, name: str = "is_scalar_batch") -> Any:
        return convert_to_tensor(self.batch_shape.ndims == 0)

    def _scope(self, name: str) -> Any:
        from runtime.tf1.graph import get_default_graph

        graph = get_default_graph()
        outer = graph.name_scope(self._name)

        class Both:
            def __enter__(self) -> Any:
                outer.__enter__()
                self.inner = name_scope(name)
                return self.inner.__enter__()

            def __exit__(self, *exc: Any) -> None:
                self.inner.__exit__(*exc)
                outer.__exit__(*exc)

        return Both()

    def sample(self, sample_shape: Any = (), seed: int | None = None, name: str = "sample") -> Any:
        """Independent samples in this shape."""
        with self._scope(name):
            shape = convert_to_tensor(
                np.array(sample_shape, np.int32) if isinstance(sample_shape, list | tuple | int) else sample_shape,
                int32,
                name="sample_shape",
            )
            known_shape = known_value(shape)
            count = math_ops.reduce_prod(shape) if known_shape is None else int(np.prod(known_shape))
            if shape.rank == 0:
                given = shape if known_shape is None else int(known_shape)
                shape = array_ops.reshape(given, [1]) if known_shape is None else convert_to_tensor([given], int32, name="sample_shape")
            drawn = self._sample_n(count, seed)
            known = drawn.dims
            final = array_ops.concat([shape, array_ops.shape(drawn)[1:]], 0)
            result = array_ops.reshape(drawn, final)
            static = constant_as_shape(shape)
            if known is not None and static is not None:
                result.set_shape([*static, *known[1:]])
            return result

    def _with_batch(self, n: Any) -> Any:
        return array_ops.concat([[n] if isinstance(n, int) else array_ops.reshape(n, [1]), self.batch_shape_tensor()], 0)

    def _sample_n(self, n: Any, seed: int | None) -> Any:
        raise NotImplementedError(f"{type(self).__name__} cannot be sampled.")

    def _value(self, value: Any) -> Any:
        return convert_to_tensor(value, dtype_hint=self.dtype, name="value")

    def log_prob(self, value: Any, name: str = "log_prob") -> Any:
        with self._scope(name):
            return self._log_prob(self._value(value))

    def prob(self, value: Any, name: str = "prob") -> Any:
        with self._scope(name):
            return _op("Exp", self._log_prob(self._value(value)))

    def cdf(self, value: Any, name: str = "cdf") -> Any:
        with self._scope(name):
            return self._cdf(self._value(value))

    def log_cdf(self, value: Any, name: str = "log_cdf") -> Any:
        with self._scope(name):
            return _op("Log", self._cdf(self._value(value)))

    def survival_function(self, value: Any, name: str = "survival_function") -> Any:
        with self._scope(name):
            return 1.0 - self._cdf(self._value(value))

    def _log_prob(self, value: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no log_prob.")

    def _cdf(self, value: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no cdf.")

    def _moment(self, name: str) -> Any:
        function = getattr(self, f"_{name}", None)
        if function is None:
            raise NotImplementedError(f"{name} is not implemented: {type(self).__name__}")
        with self._scope(name):
            return function()

    def mean(self, name: str = "mean") -> Any:
        return self._moment("mean")

    def mode(self, name: str = "mode") -> Any:
        return self._moment("mode")

    def entropy(self, name: str = "entropy") -> Any:
        return self._moment("entropy")

    def variance(self, name: str = "variance") -> Any:
        with self._scope(name):
            if hasattr(self, "_variance"):
                return self._variance()
            if hasattr(self, "_stddev"):
                return math_ops.square(self._stddev())
            raise NotImplementedError(f"variance is not implemented: {type(self).__name__}")

    def stddev(self, name: str = "stddev") -> Any:
        with self._scope(name):
            if hasattr(self, "_stddev"):
                return self._stddev()
            if hasattr(self, "_variance"):
                return math_ops.sqrt(self._variance())
            raise NotImplementedError(f"stddev is not implemented: {type(self).__name__}")

    def kl_divergence(self, other: Any, name: str = "kl_divergence") -> Any:
        return kl_divergence(self, other)

    def cross_entropy(self, other: Any, name: str = "cross_entropy") -> Any:
        return self.entropy() + kl_divergence(self, other)

    def __repr__(self) -> str:
        return f"<tf.distributions.{type(self).__name__} {self._name.rstrip('/')!r} batch_shape={self.batch_shape} event_shape={self.event_shape} dtype={self.dtype.name}>"


_DIVERGENCES: dict[tuple[type, type], Callable[[Any, Any], Any]] = {}


@export("distributions.RegisterKL")
class RegisterKL:
    """Decorates the divergence of two kinds of distributions."""

    def __init__(self, dist_cls_a: type, dist_cls_b: type) -> None:
        self._key = dist_cls_a, dist_cls_b

    def __call__(self, kl_fn: Any) -> Any:
        if self._key in _DIVERGENCES:
            raise ValueError(f"KL({self._key[0].__name__} || {self._key[1].__name__}) has already been registered.")
        _DIVERGENCES[self._key] = kl_fn
        return kl_fn


@export("distributions.kl_divergence")
def kl_divergence(distribution_a: Any, distribution_b: Any, allow_nan_stats: bool = True, name: str | None = None) -> Any:
    for a in type(distribution_a).__mro__:
        for b in type(distribution_b).__mro__:
            if (a, b) in _DIVERGENCES:
                with name_scope(name, "KullbackLeibler"):
                    return _DIVERGENCES[a, b](distribution_a, distribution_b)
    raise NotImplementedError(
        f"No KL(distribution_a || distribution_b) registered for distribution_a type {type(distribution_a).__name__} and distribution_b type {type(distribution_b).__name__}"
    )


def _parameters(name: str, **values: Any) -> tuple[Any, dict[str, Any], str]:
    """The parameters as tensors of one float type, and the scope they are in."""
    with name_scope(name, values=list(values.values())) as scope:
        hint = next((v.dtype.base_dtype for v in values.values() if hasattr(v, "dtype") and hasattr(v, "get_shape")), float32)
        tensors = {k: convert_to_tensor(v, dtype_hint=hint, name=k) for k, v in values.items()}
        return next(iter(tensors.values())).dtype.base_dtype, tensors, scope


@export("distributions.Normal")
class Normal(Distribution):
    reparameterization_type = FULLY_REPARAMETERIZED

    def __init__(self, loc: Any, scale: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Normal") -> None:
        with name_scope(name, values=[loc, scale]) as scope:
            loc, scale = array_ops.identity(loc, name="loc"), array_ops.identity(scale, name="scale")
        super().__init__(loc.dtype.base_dtype, {"loc": loc, "scale": scale}, validate_args, allow_nan_stats, scope)

    def _sample_n(self, n: Any, seed: int | None) -> Any:
        drawn = random_ops.random_normal(self._with_batch(n), mean=0.0, stddev=1.0, dtype=self.dtype, seed=seed)
        return drawn * self.scale + self.loc

    def _z(self, x: Any) -> Any:
        return (x - self.loc) / self.scale

    def _log_prob(self, x: Any) -> Any:
        return -0.5 * math_ops.square(self._z(x)) - (0.5 * math.log(2.0 * math.pi) + _op("Log", self.scale))

    def _cdf(self, x: Any) -> Any:
        return 0.5 * apply_op("Erfc", None, x=-self._z(x) * (0.5 * math.sqrt(2)))

    def quantile(self, value: Any, name: str = "quantile") -> Any:
        return apply_op("Ndtri", None, x=value) * self.scale + self.loc

    def _entropy(self) -> Any:
        scale = self.scale * array_ops.ones_like(self.loc)
        return 0.5 * math.log(2.0 * math.pi) + 0.5 + _op("Log", scale)

    def _mean(self) -> Any:
        return self.loc * array_ops.ones_like(self.scale)

    def _stddev(self) -> Any:
        return self.scale * array_ops.ones_like(self.loc)

    def _mode(self) -> Any:
        return self._mean()


@RegisterKL(Normal, Normal)
def _normal_normal(a: Normal, b: Normal) -> Any:
    ratio = math_ops.square(a.scale) / math_ops.square(b.scale)
    return math_ops.square(a.loc - b.loc) / (2.0 * math_ops.square(b.scale)) + 0.5 * (ratio - 1.0 - _op("Log", ratio))


@export("distributions.Uniform")
class Uniform(Distribution):
    reparameterization_type = FULLY_REPARAMETERIZED

    def __init__(
        self, low: Any = 0.0, high: Any = 1.0, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Uniform"
    ) -> None:
        dtype, made, scope = _parameters(name, low=low, high=high)
        super().__init__(dtype, made, validate_args, allow_nan_stats, scope)

    def range(self, name: str = "range") -> Any:
        return self.high - self.low

    def _sample_n(self, n: Any, seed: int | None) -> Any:
        return self.low + self.range() * random_ops.random_uniform(self._with_batch(n), dtype=self.dtype, seed=seed)

    def _inside(self, x: Any) -> Any:
        return apply_op("LogicalAnd", None, x=x >= self.low, y=x < self.high)

    def prob(self, value: Any, name: str = "prob") -> Any:
        with self._scope(name):
            x = self._value(value)
            return lookup("where_v2")(self._inside(x), array_ops.ones_like(x) / self.range(), array_ops.zeros_like(x))

    def _log_prob(self, x: Any) -> Any:
        return _op("Log", self.prob(x))

    def _cdf(self, x: Any) -> Any:
        return math_ops.minimum(math_ops.maximum((x - self.low) / self.range(), 0.0), 1.0)

    def _entropy(self) -> Any:
        return _op("Log", self.range())

    def _mean(self) -> Any:
        return (self.low + self.high) / 2.0

    def _variance(self) -> Any:
        return math_ops.square(self.range()) / 12.0


@export("distributions.Exponential")
class Exponential(Distribution):
    reparameterization_type = FULLY_REPARAMETERIZED

    def __init__(self, rate: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Exponential") -> None:
        dtype, made, scope = _parameters(name, rate=rate)
        super().__init__(dtype, made, validate_args, allow_nan_stats, scope)

    def _sample_n(self, n: Any, seed: int | None) -> Any:
        tiny = float(np.finfo(self.dtype.as_numpy_dtype).tiny)
        drawn = random_ops.random_uniform(self._with_batch(n), minval=tiny, maxval=1.0, seed=seed, dtype=self.dtype)
        return -_op("Log", drawn) / self.rate

    def _log_prob(self, x: Any) -> Any:
        return _op("Log", self.rate) - self.rate * x

    def _cdf(self, x: Any) -> Any:
        return 1.0 - _op("Exp", -self.rate * x)

    def _entropy(self) -> Any:
        return 1.0 - _op("Log", self.rate)

    def _mean(self) -> Any:
        return 1.0 / self.rate

    def _stddev(self) -> Any:
        return 1.0 / self.rate

    def _mode(self) -> Any:
        return array_ops.zeros_like(self.rate) * np.nan  # TensorFlow's, as a Gamma of concentration 1


@export("distributions.Laplace")
class Laplace(Distribution):
    reparameterization_type = FULLY_REPARAMETERIZED

    def __init__(self, loc: Any, scale: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Laplace") -> None:
        dtype, made, scope = _parameters(name, loc=loc, scale=scale)
        super().__init__(dtype, made, validate_args, allow_nan_stats, scope)

    def _sample_n(self, n: Any, seed: int | None) -> Any:
        low = float(np.nextafter(self.dtype.as_numpy_dtype(-1.0), self.dtype.as_numpy_dtype(0.0)))
        u = random_ops.random_uniform(self._with_batch(n), minval=low, maxval=1.0, dtype=self.dtype, seed=seed)
        return self.loc - self.scale * math_ops.sign(u) * _op("Log1p", -math_ops.abs_(u))

    def _log_prob(self, x: Any) -> Any:
        return -math_ops.abs_((x - self.loc) / self.scale) - math.log(2.0) - _op("Log", self.scale)

    def _cdf(self, x: Any) -> Any:
        z = (x - self.loc) / self.scale
        return 0.5 + 0.5 * math_ops.sign(z) * (1.0 - _op("Exp", -math_ops.abs_(z)))

    def _entropy(self) -> Any:
        return math.log(2.0) + 1.0 + _op("Log", self.scale + array_ops.zeros_like(self.loc))

    def _mean(self) -> Any:
        return self.loc + array_ops.zeros_like(self.scale)

    def _stddev(self) -> Any:
        return math.sqrt(2.0) * self.scale + array_ops.zeros_like(self.loc)

    def _mode(self) -> Any:
        return self._mean()


@export("distributions.Gamma")
class Gamma(Distribution):
    def __init__(
        self, concentration: Any, rate: Any, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Gamma"
    ) -> None:
        dtype, made, scope = _parameters(name, concentration=concentration, rate=rate)
        super().__init__(dtype, made, validate_args, allow_nan_stats, scope)

    def _sample_n(self, n: Any, seed: int | None) -> Any:
        return random_ops.random_gamma(array_ops.reshape(n, [1]), self.concentration, self.rate, self.dtype, seed)

    def _log_prob(self, x: Any) -> Any:
        weight = (self.concentration - 1.0) * _op("Log", x) - self.rate * x
        return weight - (_op("Lgamma", self.concentration) - self.concentration * _op("Log", self.rate))

    def _cdf(self, x: Any) -> Any:
        return apply_op("Igamma", None, a=self.concentration, x=self.rate * x)

    def _entropy(self) -> Any:
        a = self.concentration
        return a - _op("Log", self.rate) + _op("Lgamma", a) + (1.0 - a) * _op("Digamma", a)

    def _mean(self) -> Any:
        return self.concentration / self.rate

    def _variance(self) -> Any:
        return self.concentration / math_ops.square(self.rate)

    def _stddev(self) -> Any:
        return math_ops.sqrt(self.concentration) / self.rate

    def _mode(self) -> Any:
        mode = (self.concentration - 1.0) / self.rate
        return lookup("where_v2")(self.concentration > 1.0, mode, array_ops.zeros_like(mode) * np.nan)


@export("distributions.Beta")
class Beta(Distribution):
    def __init__(
        self,
        concentration1: Any = None,
        concentration0: Any = None,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "Beta",
    ) -> None:
        dtype, made, scope = _parameters(name, concentration1=concentration1, concentration0=concentration0)
        super().__init__(dtype, made, validate_args, allow_nan_stats, scope)

    @property
    def total_concentration(self) -> Any:
        return self.concentration1 + self.concentration0

    def _sample_n(self, n: Any, seed: int | None) -> Any:
        ones = array_ops.ones_like(self.total_concentration, dtype=self.dtype)
        shape = array_ops.reshape(n, [1])
        first = random_ops.random_gamma(shape, self.concentration1 * ones, dtype=self.dtype, seed=seed)
        second = random_ops.random_gamma(shape, self.concentration0 * ones, dtype=self.dtype, seed=_derived(seed, "beta"))
        return first / (first + second)

    def _log_prob(self, x: Any) -> Any:
        a, b = self.concentration1, self.concentration0
        weight = (a - 1.0) * _op("Log", x) + (b - 1.0) * _op("Log1p", -x)
        return weight - self._log_normalization()

    def _cdf(self, x: Any) -> Any:
        return apply_op("Betainc", None, a=self.concentration1, b=self.concentration0, x=x)

    def _mean(self) -> Any:
        return self.concentration1 / self.total_concentration

    def _variance(self) -> Any:
        return self._mean() * (1.0 - self._mean()) / (1.0 + self.total_concentration)

    def _log_normalization(self) -> Any:
        return _op("Lgamma", self.concentration1) + _op("Lgamma", self.concentration0) - _op("Lgamma", self.total_concentration)

    def _entropy(self) -> Any:
        a, b, both = self.concentration1, self.concentration0, self.total_concentration
        weights = (a - 1.0) * _op("Digamma", a) + (b - 1.0) * _op("Digamma", b)
        return self._log_normalization() - weights + (both - 2.0) * _op("Digamma", both)

    def _mode(self) -> Any:
        mode = (self.concentration1 - 1.0) / (self.total_concentration - 2.0)
        peaked = apply_op("LogicalAnd", None, x=self.concentration1 > 1.0, y=self.concentration0 > 1.0)
        return lookup("where_v2")(peaked, mode, array_ops.zeros_like(mode) * np.nan)


def _derived(seed: int | None, salt: str) -> int | None:
    """TensorFlow's distribution_util.gen_new_seed."""
    import hashlib

    if seed is None:
        return None
    return int(hashlib.md5((str(seed) + salt).encode()).hexdigest()[:8], 16) & 0x7FFFFFFF


def _logits_or_probs(logits: Any, probs: Any, name: str, multidimensional: bool) -> tuple[Any, Any, str]:
    if (logits is None) == (probs is None):
        raise ValueError("Must pass probs or logits, but not both.")
    with name_scope(name, values=[logits, probs]) as scope:
        if probs is not None:
            probs = convert_to_tensor(probs, dtype_hint=float32, name="probs")
            if multidimensional:
                return _op("Log", probs), probs, scope
            return _op("Log", probs) - _op("Log1p", -1.0 * probs), probs, scope
        logits = convert_to_tensor(logits, dtype_hint=float32, name="logits")
        return logits, nn_ops.softmax(logits) if multidimensional else math_ops.sigmoid(logits), scope


@export("distributions.Bernoulli")
class Bernoulli(Distribution):
    def __init__(
        self,
        logits: Any = None,
        probs: Any = None,
        dtype: Any = int32,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "Bernoulli",
    ) -> None:
        logits, probs, scope = _logits_or_probs(logits, probs, name, False)
        super().__init__(as_dtype(dtype), {"logits": logits, "probs": probs}, validate_args, allow_nan_stats, scope)

    def _batch(self) -> list[Any]:
        return [self.logits]

    def _sample_n(self, n: Any, seed: int | None) -> Any:
        drawn = random_ops.random_uniform(self._with_batch(n), seed=seed, dtype=self.probs.dtype)
        return math_ops.cast(math_ops.less(drawn, self.probs), self.dtype)

    def _log_prob(self, event: Any) -> Any:
        event = math_ops.cast(event, self.logits.dtype)
        logits = self.logits + array_ops.zeros_like(event)
        return -nn_ops.sigmoid_cross_entropy_with_logits(labels=event + array_ops.zeros_like(logits), logits=logits)

    def _entropy(self) -> Any:
        return -self.logits * (math_ops.sigmoid(self.logits) - 1.0) + apply_op("Softplus", None, features=-self.logits)

    def _mean(self) -> Any:
        return array_ops.identity(self.probs)

    def _variance(self) -> Any:
        return self._mean() * (1.0 - self.probs)

    def _mode(self) -> Any:
        return math_ops.cast(self.probs > 0.5, self.dtype)


@RegisterKL(Bernoulli, Bernoulli)
def _bernoulli_bernoulli(a: Bernoulli, b: Bernoulli) -> Any:
    def softplus(x: Any) -> Any:
        return apply_op("Softplus", None, features=x)

    zero = softplus(b.logits) - softplus(a.logits)
    one = softplus(-b.logits) - softplus(-a.logits)
    return a.probs * one + (1.0 - a.probs) * zero


@export("distributions.Categorical")
class Categorical(Distribution):
    def __init__(
        self,
        logits: Any = None,
        probs: Any = None,
        dtype: Any = int32,
        validate_args: bool = False,
        allow_nan_stats: bool = True,
        name: str = "Categorical",
    ) -> None:
        logits, probs, scope = _logits_or_probs(logits, probs, name, True)
        super().__init__(as_dtype(dtype), {"logits": logits, "probs": probs}, validate_args, allow_nan_stats, scope)

    @property
    def batch_shape(self) -> TensorShape:
        return self.logits.get_shape()[:-1]  # type: ignore[no-any-return]

    @property
    def event_size(self) -> Any:
        return self.logits.dims[-1]

    def batch_shape_tensor(self, name: str = "batch_shape_tensor") -> Any:
        return array_ops.shape(self.logits)[:-1]

    def _sample_n(self, n: Any, seed: int | None) -> Any:
        logits = self.logits if self.logits.rank == 2 else array_ops.reshape(self.logits, [-1, self.event_size])
        drawn = random_ops.multinomial(logits, n, seed=seed, output_dtype="int32")
        shape = array_ops.concat([array_ops.reshape(n, [1]), self.batch_shape_tensor()], 0)
        return math_ops.cast(array_ops.reshape(array_ops.transpose(drawn), shape), self.dtype)

    def _log_prob(self, k: Any) -> Any:
        k = math_ops.cast(k, int32)
        logits = self.logits
        if k.rank != logits.rank - 1:
            logits = logits + array_ops.zeros_like(math_ops.cast(array_ops.expand_dims(k, -1), logits.dtype))
            k = k + array_ops.zeros_like(math_ops.cast(math_ops.reduce_sum(logits, axis=-1), int32))
        return -nn_ops.sparse_softmax_cross_entropy_with_logits(labels=k, logits=logits)

    def _entropy(self) -> Any:
        return -math_ops.reduce_sum(nn_ops.log_softmax(self.logits) * self.probs, axis=-1)

    def _mode(self) -> Any:
        return math_ops.cast(math_ops.argmax(self.logits, axis=-1), self.dtype)


@RegisterKL(Categorical, Categorical)
def _categorical_categorical(a: Categorical, b: Categorical) -> Any:
    difference = nn_ops.log_softmax(a.logits) - nn_ops.log_softmax(b.logits)
    return math_ops.reduce_sum(nn_ops.softmax(a.logits) * difference, axis=-1)
