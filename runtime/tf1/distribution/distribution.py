"""The base of distributions, and Kullback-Leibler divergences."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from runtime.tf1.graph import Tensor
from runtime.tf1.modules import module
from runtime.tf1.registry import export, put
from runtime.tf1.static_values import constant_value
from runtime.tf1.tensor_shape import TensorShape

tf: Any = module("")


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


def given(values: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor out of its locals()."""
    return {k: v for k, v in values.items() if k != "self" and not k.startswith("__")}


def gen_new_seed(seed: int | None, salt: str) -> int | None:
    """A second seed for a second draw."""
    if seed is None:
        return None
    return int(hashlib.md5((str(seed) + salt).encode()).hexdigest()[:8], 16) & 0x7FFFFFFF


def as_float_like(value: Any, name: str, preferred: Any) -> Any:
    return tf.convert_to_tensor(value, name=name, preferred_dtype=preferred)


def _getter(attribute: str) -> Callable[[Any], Any]:
    return lambda self: getattr(self, attribute)


# What a subclass may say -> what to do with another of them where it does not.
FALLBACKS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "cdf": ("_log_cdf", lambda x: tf.exp(x)),
    "log_cdf": ("_cdf", lambda x: tf.log(x)),
    "log_prob": ("_prob", lambda x: tf.log(x)),
    "log_survival_function": ("cdf", lambda x: tf.log1p(-x)),
    "prob": ("_log_prob", lambda x: tf.exp(x)),
    "survival_function": ("cdf", lambda x: 1.0 - x),
}


@export("distributions.Distribution")
class Distribution:
    """A subclass says `_sample_n`, `_log_prob` and the like; these names do the scopes, the conversions and the fallbacks."""

    _name: str
    _SHOWN: tuple[str, ...] = ()  # attributes that are public without their underscore

    def __init_subclass__(cls) -> None:
        for name in (*cls.__dict__.get("_SHOWN", ()), *cls.__dict__.get("_PARAMS", ())):
            if name not in cls.__dict__:
                setattr(cls, name, property(_getter(f"_{name}")))

    def __getattr__(self, name: str) -> Any:  # a subclass's properties are made from tables, which checkers of types do not see
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __init__(
        self, dtype: Any, reparameterization_type: Any, validate_args: bool, allow_nan_stats: bool, parameters: dict[str, Any] | None = None,
        graph_parents: Any = None, name: str | None = None,
    ) -> None:  # fmt: skip
        parents = list(graph_parents or [])
        for i, t in enumerate(parents):
            if not isinstance(t, Tensor) and not hasattr(t, "_as_tensor") and not hasattr(t, "_ref"):
                raise ValueError(f"Graph parent item {i} is not a Tensor; {t}.")
        if not name or not name.endswith("/"):
            with tf.name_scope(name or type(self).__name__) as name:
                pass
        self._dtype, self._reparameterization_type = tf.as_dtype(dtype) if dtype is not None else None, reparameterization_type
        self._allow_nan_stats, self._validate_args = allow_nan_stats, validate_args
        self._parameters, self._graph_parents, self._name = parameters or {}, parents, name or ""

    name = property(lambda self: self._name)
    dtype = property(lambda self: self._dtype)
    reparameterization_type = property(lambda self: self._reparameterization_type)
    allow_nan_stats = property(lambda self: self._allow_nan_stats)
    validate_args = property(lambda self: self._validate_args)

    @property
    def parameters(self) -> dict[str, Any]:
        return given(self._parameters)

    def copy(self, **override_parameters_kwargs: Any) -> Any:
        return type(self)(**{**self.parameters, **override_parameters_kwargs})

    @classmethod
    def param_shapes(cls, sample_shape: Any, name: str = "DistributionParamShapes") -> dict[str, Any]:
        with tf.name_scope(name, values=[sample_shape]):
            return cls._param_shapes(sample_shape)

    @classmethod
    def param_static_shapes(cls, sample_shape: Any) -> dict[str, TensorShape]:
        if isinstance(sample_shape, TensorShape):
            if not sample_shape.is_fully_defined():
                raise ValueError("TensorShape sample_shape must be fully defined")
            sample_shape = sample_shape.as_list()
        found = {}
        for key, shape in cls.param_shapes(sample_shape).items():
            known = constant_value(shape)
            if known is None:
                raise ValueError("sample_shape must be a fully-defined TensorShape or list/tuple")
            found[key] = TensorShape(known.tolist())
        return found

    @classmethod
    def _param_shapes(cls, sample_shape: Any) -> dict[str, Any]:
        raise NotImplementedError("_param_shapes not implemented")

    # -- shapes ---------------------------------------------------------------------------------------------------

    def _batch_shape_tensor(self) -> Any:
        raise NotImplementedError(f"batch_shape_tensor is not implemented: {type(self).__name__}")

    def _event_shape_tensor(self) -> Any:
        raise NotImplementedError(f"event_shape_tensor is not implemented: {type(self).__name__}")

    def _batch_shape(self) -> Any:
        return TensorShape(None)

    def _event_shape(self) -> Any:
        return TensorShape(None)

    @property
    def batch_shape(self) -> TensorShape:
        return TensorShape(self._batch_shape())

    @property
    def event_shape(self) -> TensorShape:
        return TensorShape(self._event_shape())

    def batch_shape_tensor(self, name: str = "batch_shape_tensor") -> Any:
        with self._name_scope(name):
            if self.batch_shape.is_fully_defined():
                return tf.convert_to_tensor(self.batch_shape.as_list(), dtype=tf.int32, name="batch_shape")
            return self._batch_shape_tensor()

    def event_shape_tensor(self, name: str = "event_shape_tensor") -> Any:
        with self._name_scope(name):
            if self.event_shape.is_fully_defined():
                return tf.convert_to_tensor(self.event_shape.as_list(), dtype=tf.int32, name="event_shape")
            return self._event_shape_tensor()

    def is_scalar_event(self, name: str = "is_scalar_event") -> Any:
        with self._name_scope(name):
            return tf.convert_to_tensor(self._is_scalar_helper(self.event_shape, self.event_shape_tensor), name="is_scalar_event")

    def is_scalar_batch(self, name: str = "is_scalar_batch") -> Any:
        with self._name_scope(name):
            return tf.convert_to_tensor(self._is_scalar_helper(self.batch_shape, self.batch_shape_tensor), name="is_scalar_batch")

    def _is_scalar_helper(self, static_shape: TensorShape, dynamic_shape_fn: Callable[[], Any]) -> Any:
        if static_shape.ndims is not None:
            return static_shape.ndims == 0
        shape = dynamic_shape_fn()
        if shape.get_shape().ndims is not None and shape.get_shape()[0].value is not None:
            return shape.get_shape().as_list() == [0]
        return tf.equal(tf.shape(shape)[0], 0)

    # -- samples --------------------------------------------------------------------------------------------------

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        raise NotImplementedError(f"sample_n is not implemented: {type(self).__name__}")

    def _call_sample_n(self, sample_shape: Any, seed: int | None, name: str, **kwargs: Any) -> Any:
        with self._name_scope(name, values=[sample_shape]):
            sample_shape = tf.convert_to_tensor(sample_shape, dtype=tf.int32, name="sample_shape")
            sample_shape, n = self._expand_sample_shape_to_vector(sample_shape, "sample_shape")
            samples = self._sample_n(n, seed, **kwargs)
            rest = tf.shape(samples)[1:]
            samples = tf.reshape(samples, tf.concat([sample_shape, rest], 0))
            return self._set_sample_static_shape(samples, sample_shape)

    def sample(self, sample_shape: Any = (), seed: int | None = None, name: str = "sample") -> Any:
        """Independent samples in this shape."""
        return self._call_sample_n(sample_shape, seed, name)

    def _expand_sample_shape_to_vector(self, x: Any, name: str) -> tuple[Any, Any]:
        known = constant_value(x)
        count = tf.reduce_prod(x) if known is None else np.prod(known, dtype=x.dtype.as_numpy_dtype())
        ndims = x.get_shape().ndims
        if ndims is None:
            from runtime.tf1.distribution.distribution_util import pick_vector

            shape = pick_vector(tf.equal(tf.rank(x), 0), np.array([1], dtype=np.int32), tf.shape(x))
            x = tf.reshape(x, shape)
        elif ndims == 0:
            x = tf.reshape(x, [1]) if known is None else tf.convert_to_tensor(np.array([known], dtype=x.dtype.as_numpy_dtype()), name=name)
        elif ndims != 1:
            raise ValueError("Input is neither scalar nor vector.")
        return x, count

    def _set_sample_static_shape(self, x: Any, sample_shape: Any) -> Any:
        known = constant_value(sample_shape)
        outer = TensorShape(None if known is None else known.tolist())
        ndims, sample_ndims, batch_ndims, event_ndims = x.get_shape().ndims, outer.ndims, self.batch_shape.ndims, self.event_shape.ndims
        if ndims is None and None not in (sample_ndims, batch_ndims, event_ndims):
            ndims = sample_ndims + batch_ndims + event_ndims  # type: ignore[operator]
            x.set_shape([None] * ndims)

        def merge(*parts: Any) -> None:
            dims: list[Any] = []
            for part in parts:
                dims.extend([None] * part if isinstance(part, int) else part.as_list())
            x.set_shape(x.get_shape().merge_with(TensorShape(dims)))

        if ndims is not None and sample_ndims is not None:
            merge(outer, ndims - sample_ndims)
        if ndims is not None and event_ndims is not None:
            merge(ndims - event_ndims, self.event_shape)
        if batch_ndims is not None:
            if ndims is not None:
                if sample_ndims is None and event_ndims is not None:
                    sample_ndims = ndims - batch_ndims - event_ndims
                elif event_ndims is None and sample_ndims is not None:
                    event_ndims = ndims - batch_ndims - sample_ndims
            if sample_ndims is not None and event_ndims is not None:
                merge(sample_ndims, self.batch_shape, event_ndims)
        return x

    # -- densities and moments ------------------------------------------------------------------------------------

    def _missing(self, what: str) -> NotImplementedError:
        return NotImplementedError(f"{what} is not implemented: {type(self).__name__}")

    def _log_prob(self, value: Any) -> Any:
        raise self._missing("log_prob")

    def _prob(self, value: Any) -> Any:
        raise self._missing("prob")

    def _log_cdf(self, value: Any) -> Any:
        raise self._missing("log_cdf")

    def _cdf(self, value: Any) -> Any:
        raise self._missing("cdf")

    def _log_survival_function(self, value: Any) -> Any:
        raise self._missing("log_survival_function")

    def _survival_function(self, value: Any) -> Any:
        raise self._missing("survival_function")

    def _quantile(self, value: Any) -> Any:
        raise self._missing("quantile")

    def _call_of(self, what: str, value: Any, name: str, **kwargs: Any) -> Any:
        with self._name_scope(name, values=[value]):
            value = as_float_like(value, "value", self.dtype)
            try:
                return getattr(self, f"_{what}")(value, **kwargs)
            except NotImplementedError as missing:
                if what not in FALLBACKS:
                    raise
                other, change = FALLBACKS[what]
                try:
                    return change(getattr(self, other)(value, **kwargs))
                except NotImplementedError:
                    raise missing from None

    def log_prob(self, value: Any, name: str = "log_prob") -> Any:
        return self._call_of("log_prob", value, name)

    def prob(self, value: Any, name: str = "prob") -> Any:
        return self._call_of("prob", value, name)

    def log_cdf(self, value: Any, name: str = "log_cdf") -> Any:
        return self._call_of("log_cdf", value, name)

    def cdf(self, value: Any, name: str = "cdf") -> Any:
        return self._call_of("cdf", value, name)

    def log_survival_function(self, value: Any, name: str = "log_survival_function") -> Any:
        return self._call_of("log_survival_function", value, name)

    def survival_function(self, value: Any, name: str = "survival_function") -> Any:
        return self._call_of("survival_function", value, name)

    def quantile(self, value: Any, name: str = "quantile") -> Any:
        return self._call_of("quantile", value, name)

    def _entropy(self) -> Any:
        raise self._missing("entropy")

    def _mean(self) -> Any:
        raise self._missing("mean")

    def _variance(self) -> Any:
        raise self._missing("variance")

    def _stddev(self) -> Any:
        raise self._missing("stddev")

    def _covariance(self) -> Any:
        raise self._missing("covariance")

    def _mode(self) -> Any:
        raise self._missing("mode")

    def entropy(self, name: str = "entropy") -> Any:
        with self._name_scope(name):
            return self._entropy()

    def mean(self, name: str = "mean") -> Any:
        with self._name_scope(name):
            return self._mean()

    def variance(self, name: str = "variance") -> Any:
        return self._either(name, "_variance", "_stddev", tf.square)

    def stddev(self, name: str = "stddev") -> Any:
        return self._either(name, "_stddev", "_variance", tf.sqrt)

    def _either(self, name: str, first: str, second: str, change: Callable[[Any], Any]) -> Any:
        with self._name_scope(name):
            try:
                return getattr(self, first)()
            except NotImplementedError as missing:
                try:
                    return change(getattr(self, second)())
                except NotImplementedError:
                    raise missing from None

    def covariance(self, name: str = "covariance") -> Any:
        with self._name_scope(name):
            return self._covariance()

    def mode(self, name: str = "mode") -> Any:
        with self._name_scope(name):
            return self._mode()

    def _cross_entropy(self, other: Any) -> Any:
        return cross_entropy(self, other, allow_nan_stats=self.allow_nan_stats)

    def cross_entropy(self, other: Any, name: str = "cross_entropy") -> Any:
        with self._name_scope(name):
            return self._cross_entropy(other)

    def _kl_divergence(self, other: Any) -> Any:
        return kl_divergence(self, other, allow_nan_stats=self.allow_nan_stats)

    def kl_divergence(self, other: Any, name: str = "kl_divergence") -> Any:
        with self._name_scope(name):
            return self._kl_divergence(other)

    def __str__(self) -> str:
        batch = f", batch_shape={self.batch_shape}" if self.batch_shape.ndims is not None else ""
        event = f", event_shape={self.event_shape}" if self.event_shape.ndims is not None else ""
        return f'tfp.distributions.{type(self).__name__}("{self.name}"{batch}{event}, dtype={self.dtype.name})'

    def __repr__(self) -> str:
        shapes = f"batch_shape={self.batch_shape} event_shape={self.event_shape}"
        return f"<tfp.distributions.{type(self).__name__} '{self.name}' {shapes} dtype={self.dtype.name}>"

    @contextlib.contextmanager
    def _name_scope(self, name: str | None = None, values: Any = None) -> Iterator[str]:
        with tf.name_scope(self.name), tf.name_scope(name, values=[*(values or []), *self._graph_parents]) as scope:
            yield scope


class ScalarDistribution(Distribution):
    """A distribution of numbers whose batch shape is that of its parameters together; `_PARAMS` names them."""

    _PARAMS: tuple[str, ...] = ()

    @classmethod
    def _param_shapes(cls, sample_shape: Any) -> dict[str, Any]:
        shape = tf.convert_to_tensor(sample_shape, dtype=tf.int32)
        return dict.fromkeys(cls._PARAMS, shape)

    def _batch_shape_tensor(self) -> Any:
        shapes = [tf.shape(getattr(self, f"_{p}")) for p in self._PARAMS]
        result = shapes.pop()
        while shapes:
            result = tf.broadcast_dynamic_shape(shapes.pop(), result)
        return result

    def _batch_shape(self) -> Any:
        shapes = [getattr(self, f"_{p}").get_shape() for p in self._PARAMS]
        result = shapes[0]
        for s in shapes[1:]:
            result = tf.broadcast_static_shape(result, s)
        return result

    def _event_shape_tensor(self) -> Any:
        return tf.constant([], dtype=tf.int32)

    def _event_shape(self) -> Any:
        return TensorShape([])

    def _keep(self, checks: Callable[[], list[Any]], validate_args: bool, **values: Any) -> None:
        """The parameters as identities, behind their checks."""
        with tf.control_dependencies(checks() if validate_args else []):
            made = {k: tf.identity(v, name=k) for k, v in values.items()}
            for key, tensor in made.items():
                setattr(self, f"_{key}", tensor)
            tf.debugging.assert_same_float_dtype(list(made.values()))

    def _whole_shape(self, n: Any) -> Any:
        return tf.concat([[n], self.batch_shape_tensor()], 0)

    def _nan_where_undefined(self, is_defined: Any, value: Any) -> Any:
        nan = tf.fill(self.batch_shape_tensor(), np.array(np.nan, dtype=self.dtype.as_numpy_dtype()), name="nan")
        return tf.where_v2(is_defined, value, nan)


# -- divergences -------------------------------------------------------------------------------------------------------

_DIVERGENCES: dict[tuple[type, type], Callable[..., Any]] = {}


@export("distributions.RegisterKL")
class RegisterKL:
    """Decorates the divergence of two kinds of distributions."""

    def __init__(self, dist_cls_a: type, dist_cls_b: type) -> None:
        self._key = dist_cls_a, dist_cls_b

    def __call__(self, kl_fn: Any) -> Any:
        if not callable(kl_fn):
            raise TypeError(f"kl_fn must be callable, received: {kl_fn}")
        if self._key in _DIVERGENCES:
            raise ValueError(
                f"KL({self._key[0].__name__} || {self._key[1].__name__}) has already been registered to: {_DIVERGENCES[self._key]}"
            )
        _DIVERGENCES[self._key] = kl_fn
        return kl_fn


@export("distributions.kl_divergence")
def kl_divergence(distribution_a: Any, distribution_b: Any, allow_nan_stats: bool = True, name: str | None = None) -> Any:
    kinds = type(distribution_a).__mro__, type(distribution_b).__mro__
    places = sorted((i + j, i, j) for i in range(len(kinds[0])) for j in range(len(kinds[1])))
    kl_fn = next((_DIVERGENCES[kinds[0][i], kinds[1][j]] for _, i, j in places if (kinds[0][i], kinds[1][j]) in _DIVERGENCES), None)
    if kl_fn is None:
        a, b = type(distribution_a).__name__, type(distribution_b).__name__
        raise NotImplementedError(
            f"No KL(distribution_a || distribution_b) registered for distribution_a type {a} and distribution_b type {b}"
        )
    with tf.name_scope("KullbackLeibler"):
        kl = kl_fn(distribution_a, distribution_b, name=name)
        if allow_nan_stats:
            return kl
        kl = tf.identity(kl, name="kl")
        said = f"KL calculation between {distribution_a.name} and {distribution_b.name} returned NaN values (and was called with allow_nan_stats=False). Values:"
        with tf.control_dependencies([tf.Assert(tf.logical_not(tf.reduce_any(tf.is_nan(kl))), [said, kl])]):
            return tf.identity(kl, name="checked_kl")


def cross_entropy(ref: Any, other: Any, allow_nan_stats: bool = True, name: str | None = None) -> Any:
    with tf.name_scope(name, "cross_entropy"):
        return ref.entropy() + kl_divergence(ref, other, allow_nan_stats=allow_nan_stats)


put("contrib.distributions.kl_divergence", kl_divergence)
put("contrib.distributions.RegisterKL", RegisterKL)
