"""Distributions made of distributions, and those of one value."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.tf1.distribution.discrete import Categorical
from runtime.tf1.distribution.distribution import NOT_REPARAMETERIZED, Distribution, RegisterKL, gen_new_seed, given, kl_divergence
from runtime.tf1.distribution.distribution_util import pick_vector, with_dependencies
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.static_values import constant_value
from runtime.tf1.tensor_shape import TensorShape

tf: Any = module("")


class _BaseDeterministic(Distribution):
    _SHOWN = ("atol", "loc", "rtol")

    def __init__(
        self, loc: Any, atol: Any, rtol: Any, is_vector: bool, validate_args: bool, allow_nan_stats: bool, name: str, parameters: Any
    ) -> None:
        with tf.name_scope(name, values=[loc, atol, rtol]) as scope:
            loc = tf.convert_to_tensor(loc, name="loc")
            if is_vector and validate_args:
                message = "Argument loc must be at least rank 1."
                if loc.get_shape().ndims is None:
                    loc = with_dependencies([tf.assert_rank_at_least(loc, 1, message=message)], loc)
                elif loc.get_shape().ndims < 1:
                    raise ValueError(message)
            self._loc = loc
            super().__init__(loc.dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, [loc], scope)
            self._atol = self._tolerance(atol)
            self._rtol = self._tolerance(rtol)
            self._slack = self._atol if rtol is None else self._atol + self._rtol * tf.abs(self._loc)

    def _tolerance(self, value: Any) -> Any:
        if value is None:
            return tf.convert_to_tensor(0, dtype=self._loc.dtype)
        value = tf.convert_to_tensor(value, dtype=self._loc.dtype)
        if not self.validate_args:
            return value
        return with_dependencies([tf.assert_non_negative(value, message="Argument 'tol' must be non-negative")], value)

    def _entropy(self) -> Any:
        return tf.zeros(self.batch_shape_tensor(), dtype=self.dtype)

    def _mean(self) -> Any:
        return tf.identity(self._loc)

    def _variance(self) -> Any:
        return tf.zeros_like(self._loc)

    def _mode(self) -> Any:
        return self.mean()

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        known = constant_value(tf.convert_to_tensor(n))
        ndims = self._loc.get_shape().ndims
        if known is not None and ndims is not None:
            multiples: Any = [int(known), *[1] * ndims]
        else:
            multiples = tf.concat(([n], tf.ones_like(tf.shape(self._loc))), axis=0)
        return tf.tile(self._loc[tf.newaxis, ...], multiples=multiples)


@export("contrib.distributions.Deterministic")
class Deterministic(_BaseDeterministic):
    def __init__(
        self, loc: Any, atol: Any = None, rtol: Any = None, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "Deterministic"
    ) -> None:  # fmt: skip
        super().__init__(loc, atol, rtol, False, validate_args, allow_nan_stats, name, given(locals()))

    def _batch_shape_tensor(self) -> Any:
        return tf.shape(self._loc)

    def _batch_shape(self) -> Any:
        return self._loc.get_shape()

    def _event_shape_tensor(self) -> Any:
        return tf.constant([], dtype=tf.int32)

    def _event_shape(self) -> Any:
        return TensorShape([])

    def _prob(self, x: Any) -> Any:
        return tf.cast(tf.abs(x - self._loc) <= self._slack, dtype=self.dtype)

    def _cdf(self, x: Any) -> Any:
        return tf.cast(x >= self._loc - self._slack, dtype=self.dtype)


@export("contrib.distributions.VectorDeterministic")
class VectorDeterministic(_BaseDeterministic):
    def __init__(
        self, loc: Any, atol: Any = None, rtol: Any = None, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "VectorDeterministic",
    ) -> None:  # fmt: skip
        super().__init__(loc, atol, rtol, True, validate_args, allow_nan_stats, name, given(locals()))

    def _batch_shape_tensor(self) -> Any:
        return tf.shape(self._loc)[:-1]

    def _batch_shape(self) -> Any:
        return self._loc.get_shape()[:-1]

    def _event_shape_tensor(self) -> Any:
        return tf.shape(self._loc)[-1]

    def _event_shape(self) -> Any:
        return self._loc.get_shape()[-1:]

    def _prob(self, x: Any) -> Any:
        if self.validate_args:
            is_vector = tf.assert_rank_at_least(x, 1)
            size = tf.gather(tf.shape(x), tf.rank(x) - 1)
            message = "Argument 'x' not defined in the same space R^k as this distribution"
            fits = tf.assert_equal(self.event_shape_tensor(), size, message=message)
            with tf.control_dependencies([is_vector]), tf.control_dependencies([fits]):
                x = tf.identity(x)
        return tf.cast(tf.reduce_all(tf.abs(x - self._loc) <= self._slack, axis=-1), dtype=self.dtype)


@export("contrib.distributions.Independent")
class Independent(Distribution):
    """The last batch dimensions of a distribution taken as its event's."""

    _SHOWN = ("distribution", "reinterpreted_batch_ndims")

    def __init__(
        self, distribution: Any, reinterpreted_batch_ndims: Any = None, validate_args: bool = False, name: str | None = None
    ) -> None:
        parameters = given(locals())
        name = name or "Independent" + distribution.name
        self._distribution = distribution
        with tf.name_scope(name) as scope:
            ndims = distribution.batch_shape.ndims
            if reinterpreted_batch_ndims is None:
                if ndims is None:
                    reinterpreted_batch_ndims = tf.maximum(0, tf.shape(distribution.batch_shape_tensor())[0] - 1)
                else:
                    reinterpreted_batch_ndims = max(0, ndims - 1)
            count = tf.convert_to_tensor(reinterpreted_batch_ndims, dtype=tf.int32, name="reinterpreted_batch_ndims")
            known = constant_value(count)
            self._known = None if known is None else int(known)
            self._reinterpreted_batch_ndims = count if known is None else self._known
            super().__init__(
                distribution.dtype, distribution.reparameterization_type, validate_args, distribution.allow_nan_stats, parameters,
                [count, *distribution._graph_parents], scope,
            )  # fmt: skip
            self._checks: list[Any] = []
            if ndims is not None and self._known is not None:
                if self._known > ndims:
                    raise ValueError(f"reinterpreted_batch_ndims({self._known}) cannot exceed distribution.batch_ndims({ndims})")
            elif validate_args:
                total = self._count(distribution.batch_shape_tensor())
                self._checks.append(
                    tf.assert_less_equal(count, total, message="reinterpreted_batch_ndims cannot exceed distribution.batch_ndims")
                )

    @staticmethod
    def _count(shape: Any) -> Any:
        size = shape.get_shape().with_rank_at_least(1)[0].value
        return tf.shape(shape)[0] if size is None else size

    def _batch_shape_tensor(self) -> Any:
        with tf.control_dependencies(self._checks):
            shape = self._distribution.batch_shape_tensor()
            return shape[: self._count(shape) - self._reinterpreted_batch_ndims]

    def _batch_shape(self) -> Any:
        shape = self._distribution.batch_shape
        if self._known is None or shape.ndims is None:
            return TensorShape(None)
        return shape[: shape.ndims - self._known]

    def _event_shape_tensor(self) -> Any:
        with tf.control_dependencies(self._checks):
            shape = self._distribution.batch_shape_tensor()
            inner = shape[self._count(shape) - self._reinterpreted_batch_ndims :]
            return tf.concat([inner, self._distribution.event_shape_tensor()], axis=0)

    def _event_shape(self) -> Any:
        shape = self._distribution.batch_shape
        if self._known is None or shape.ndims is None:
            return TensorShape(None)
        return shape[shape.ndims - self._known :].concatenate(self._distribution.event_shape)

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        with tf.control_dependencies(self._checks):
            return self._distribution.sample(sample_shape=n, seed=seed)

    def _reduce_sum(self, stat: Any) -> Any:
        axes = tf.range(self._reinterpreted_batch_ndims) if self._known is None else np.arange(self._known)
        return tf.reduce_sum(stat, axis=-1 - axes)

    def _log_prob(self, x: Any) -> Any:
        with tf.control_dependencies(self._checks):
            return self._reduce_sum(self._distribution.log_prob(x))

    def _entropy(self) -> Any:
        with tf.control_dependencies(self._checks):
            return self._reduce_sum(self._distribution.entropy())

    def _stat(self, what: str) -> Any:
        with tf.control_dependencies(self._checks):
            return getattr(self._distribution, what)()

    def _mean(self) -> Any:
        return self._stat("mean")

    def _variance(self) -> Any:
        return self._stat("variance")

    def _stddev(self) -> Any:
        return self._stat("stddev")

    def _mode(self) -> Any:
        return self._stat("mode")


@RegisterKL(Independent, Independent)
def _kl_independent(a: Any, b: Any, name: str = "kl_independent") -> Any:
    p, q = a.distribution, b.distribution
    if a.event_shape.is_fully_defined() and b.event_shape.is_fully_defined():
        if a.event_shape != b.event_shape:
            raise ValueError("Event shapes do not match.")
        if p.event_shape != q.event_shape:
            raise NotImplementedError("KL between Independents with different event shapes not supported.")
        axes = [-i - 1 for i in range(a.event_shape.ndims - p.event_shape.ndims)]
        return tf.reduce_sum(kl_divergence(p, q, name=name), axis=axes)
    same = [
        tf.assert_equal(a.event_shape_tensor(), b.event_shape_tensor()),
        tf.assert_equal(p.event_shape_tensor(), q.event_shape_tensor()),
    ]
    with tf.control_dependencies(same):
        count = tf.shape(a.event_shape_tensor()[0]) - tf.shape(p.event_shape_tensor()[0])
        return tf.reduce_sum(kl_divergence(p, q, name=name), axis=tf.range(-count - 1, -1, 1))


def _pad_mixture_dimensions(x: Any, mixture: Any, categorical: Any, event_ndims: int) -> Any:
    with tf.name_scope("pad_mix_dims", values=[x]):

        def ndims(d: Any) -> Any:
            return d.batch_shape.ndims if d.batch_shape.ndims is not None else tf.shape(d.batch_shape_tensor())[0]

        whole, own = ndims(mixture), ndims(categorical)
        missing = tf.where_v2(categorical.is_scalar_batch(), whole, whole - own)
        s = tf.shape(x)
        return tf.reshape(
            x, shape=tf.concat([s[:-1], tf.ones([missing], dtype=tf.int32), s[-1:], tf.ones([event_ndims], dtype=tf.int32)], axis=0)
        )


def mixture_stddev(weights: Any, means: Any, stddevs: Any) -> Any:
    """sqrt(sum w s^2 + sum w m^2 - (sum w m)^2), for rows."""
    weights.get_shape().assert_has_rank(2)
    for label, value in (("means", means), ("stddevs", stddevs)):
        if not value.get_shape().is_compatible_with(weights.get_shape()):
            raise ValueError(f"Expecting {label} to have same shape as mixture weights.")
    pi, mu, sigma = tf.expand_dims(weights, axis=1), tf.expand_dims(means, axis=2), tf.expand_dims(stddevs, axis=2)
    mean = tf.reshape(tf.matmul(pi, mu), (-1,))
    of_variance = tf.reshape(tf.matmul(pi, tf.square(sigma)), (-1,))
    of_mean = tf.reshape(tf.matmul(pi, tf.square(mu)), (-1,))
    return tf.sqrt(of_variance + of_mean - tf.square(mean))


@export("contrib.distributions.Mixture")
class Mixture(Distribution):
    """One of several distributions, chosen by a Categorical."""

    _SHOWN = ("cat", "components", "num_components")

    def __init__(
        self, cat: Any, components: Any, validate_args: bool = False, allow_nan_stats: bool = True, use_static_graph: bool = False, name: str = "Mixture"
    ) -> None:  # fmt: skip
        parameters = given(locals())
        if not isinstance(cat, Categorical):
            raise TypeError(f"cat must be a Categorical distribution, but saw: {cat}")
        if not components:
            raise ValueError("components must be a non-empty list or tuple")
        if not isinstance(components, list | tuple):
            raise TypeError(f"components must be a list or tuple, but saw: {components}")
        if not all(isinstance(c, Distribution) for c in components):
            raise TypeError(f"all entries in components must be Distribution instances but saw: {components}")
        dtype = components[0].dtype
        if not all(d.dtype == dtype for d in components):
            raise TypeError(f"All components must have the same dtype, but saw dtypes: {[(d.name, d.dtype) for d in components]}")
        event, batch = components[0].event_shape, cat.batch_shape
        for d in components:
            event, batch = event.merge_with(d.event_shape), batch.merge_with(d.batch_shape)
        if event.ndims is None:
            raise ValueError(
                "Expected to know rank(event_shape) from components, but none of the components provide a static number of ndims"
            )
        with tf.name_scope(name, values=[cat.logits]) as scope:
            known = constant_value(cat.event_size)
            if known is None:
                raise ValueError(
                    "Could not infer number of classes from cat and unable to compare this value to the number of components passed in."
                )
            if int(known) != len(components):
                raise ValueError(f"cat.num_classes != len(components): {int(known)} vs. {len(components)}")
            shape = cat.batch_shape_tensor()
            rank = tf.size(shape)
            self._checks: list[Any] = []
            if validate_args:
                shapes = [d.batch_shape_tensor() for d in components]
                ranks = [tf.size(s) for s in shapes]
                message = "components[%d] batch shape must match cat batch shape"
                self._checks = [tf.assert_equal(rank, r, message=message % i) for i, r in enumerate(ranks)]
                self._checks += [tf.assert_equal(shape, s, message=message % i) for i, s in enumerate(shapes)]
            self._cat, self._components, self._num_components = cat, list(components), int(known)
            self._static_event_shape, self._static_batch_shape, self._use_static_graph = event, batch, use_static_graph
        parents = [*cat._graph_parents, *(p for c in components for p in c._graph_parents)]
        super().__init__(dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, parents, scope)

    def _batch_shape_tensor(self) -> Any:
        return self._cat.batch_shape_tensor()

    def _batch_shape(self) -> Any:
        return self._static_batch_shape

    def _event_shape_tensor(self) -> Any:
        return self._components[0].event_shape_tensor()

    def _event_shape(self) -> Any:
        return self._static_event_shape

    def _as_event(self, x: Any) -> Any:
        for _ in range(self.event_shape.ndims or 0):
            x = tf.expand_dims(x, -1)
        return x

    def _cat_probs(self, log_probs: bool) -> list[Any]:
        probs = (tf.nn.log_softmax if log_probs else tf.nn.softmax)(self._cat.logits)
        return list(tf.unstack(probs, num=self._num_components, axis=-1))

    def _mean(self) -> Any:
        with tf.control_dependencies(self._checks):
            means = [d.mean() for d in self._components]
            probs = [self._as_event(p) for p in self._cat_probs(log_probs=False)]
            return tf.add_n([p * m for p, m in zip(probs, means, strict=True)])

    def _stddev(self) -> Any:
        with tf.control_dependencies(self._checks):
            means = [d.mean() for d in self._components]
            deviations = [d.stddev() for d in self._components]
            probs = self._cat_probs(log_probs=False)
            means, deviations = tf.stack(means, axis=-1), tf.stack(deviations, axis=-1)
            probs = [self._as_event(p) for p in probs]
            wide = tf.stack(probs, axis=-1) * tf.ones_like(means)
            count = len(self._components)
            found = mixture_stddev(*(tf.reshape(v, [-1, count]) for v in (wide, means, deviations)))
            return tf.reshape(found, tf.shape(wide)[:-1])

    def _summed(self, x: Any, what: str) -> Any:
        with tf.control_dependencies(self._checks):
            x = tf.convert_to_tensor(x, name="x")
            parts = [getattr(d, what)(x) for d in self._components]
            weights = self._cat_probs(log_probs=True)
            return tf.reduce_logsumexp(tf.stack([w + p for w, p in zip(weights, parts, strict=True)], 0), [0])

    def _log_prob(self, x: Any) -> Any:
        return self._summed(x, "log_prob")

    def _log_cdf(self, x: Any) -> Any:
        return self._summed(x, "log_cdf")

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        return self._sample_all(n, seed) if self._use_static_graph else self._sample_chosen(n, seed)

    def _sample_all(self, n: Any, seed: int | None) -> Any:
        """A sample of each component, all but the chosen one thrown away."""
        drawn = []
        chosen = self._cat.sample(n, seed=seed)
        for component in self._components:
            seed = gen_new_seed(seed, "mixture")
            drawn.append(component.sample(n, seed=seed))
        ndims = self._static_event_shape.ndims
        x = tf.stack(drawn, -ndims - 1)
        kind = x.dtype.as_numpy_dtype
        mask = tf.one_hot(indices=chosen, depth=self._num_components, on_value=np.ones([], dtype=kind), off_value=np.zeros([], dtype=kind))
        mask = _pad_mixture_dimensions(mask, self, self._cat, ndims)
        return tf.reduce_sum(x * mask, axis=-1 - ndims)

    def _sample_chosen(self, n: Any, seed: int | None) -> Any:
        with tf.control_dependencies(self._checks):
            n = tf.convert_to_tensor(n, name="n")
            known = constant_value(n)
            n = n if known is None else int(known)
            chosen = self._cat.sample(n, seed=seed)
            static = chosen.get_shape()
            if static.is_fully_defined():
                shape, count = static.as_list(), static.num_elements()
            else:
                shape, count = tf.shape(chosen), tf.size(chosen)
            batch = self.batch_shape
            size = batch.num_elements() if batch.is_fully_defined() else tf.reduce_prod(self.batch_shape_tensor())
            event = self.event_shape
            event_shape = np.array(event.as_list(), dtype=np.int32) if event.is_fully_defined() else self.event_shape_tensor()
            places = tf.reshape(tf.range(0, count), shape)
            places = tf.dynamic_partition(data=places, partitions=chosen, num_partitions=self._num_components)
            rows = tf.reshape(tf.tile(tf.range(0, size), [n]), shape)
            rows = tf.dynamic_partition(data=rows, partitions=chosen, num_partitions=self._num_components)
            parts = []
            for i, component in enumerate(self._components):
                own = tf.size(places[i])
                seed = gen_new_seed(seed, "mixture")
                drawn = component.sample(own, seed=seed)
                at = size * tf.range(own) + rows[i]
                drawn = tf.reshape(drawn, tf.concat([[own * size], event_shape], 0))
                parts.append(tf.gather(drawn, at, name="samples_class_c_gather"))
            flat = tf.dynamic_stitch(indices=places, data=parts)
            result = tf.reshape(flat, tf.concat([shape, self.event_shape_tensor()], 0))
            result.set_shape(static.concatenate(self.event_shape))
            return result

    def entropy_lower_bound(self, name: str = "entropy_lower_bound") -> Any:
        with self._name_scope(name, values=[self._cat.logits]), tf.control_dependencies(self._checks):
            entropies = [d.entropy() for d in self._components]
            return tf.add_n([p * e for p, e in zip(self._cat_probs(log_probs=False), entropies, strict=True)])


@export("contrib.distributions.MixtureSameFamily")
class MixtureSameFamily(Distribution):
    """A mixture whose components are the last batch dimension of one distribution."""

    _SHOWN = ("components_distribution", "mixture_distribution")

    def __init__(
        self, mixture_distribution: Any, components_distribution: Any, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "MixtureSameFamily",
    ) -> None:  # fmt: skip
        parameters = given(locals())
        mixture, components = mixture_distribution, components_distribution
        with tf.name_scope(name) as scope:
            self._mixture_distribution, self._components_distribution = mixture, components
            self._checks: list[Any] = []
            shape = components.event_shape_tensor()
            size = shape.get_shape()[0].value
            self._event_ndims = tf.shape(shape)[0] if size is None else size
            if not mixture.dtype.is_integer:
                raise ValueError(f"`mixture_distribution.dtype` ({mixture.dtype.name}) is not over integers")
            if mixture.event_shape.ndims not in (None, 0):
                raise ValueError("`mixture_distribution` must have scalar `event_dim`s")
            if validate_args:
                message = "`mixture_distribution` must have scalar `event_dim`s"
                self._checks.append(tf.assert_rank(mixture.event_shape_tensor(), 0, message=message))
            own, of_components = mixture.batch_shape, components.batch_shape.with_rank_at_least(1)[:-1]
            if own.is_fully_defined() and of_components.is_fully_defined():
                if own.ndims != 0 and own != of_components:
                    raise ValueError(
                        f"`mixture_distribution.batch_shape` (`{own.as_list()}`) is not compatible with `components_distribution.batch_shape` (`{of_components.as_list()}`)"
                    )
            elif validate_args:
                own, of_components = mixture.batch_shape_tensor(), components.batch_shape_tensor()[:-1]
                picked = pick_vector(mixture.is_scalar_batch(), of_components, own)
                message = "`mixture_distribution.batch_shape` is not compatible with `components_distribution.batch_shape`"
                self._checks.append(tf.assert_equal(picked, of_components, message=message))
            km = mixture.logits.get_shape().with_rank_at_least(1)[-1].value
            kc = components.batch_shape.with_rank_at_least(1)[-1].value
            if km is not None and kc is not None and km != kc:
                raise ValueError(
                    f"`mixture_distribution components` ({km}) does not equal `components_distribution.batch_shape[-1]` ({kc})"
                )
            if validate_args:
                km, kc = tf.shape(mixture.logits)[-1], components.batch_shape_tensor()[-1]
                message = "`mixture_distribution components` does not equal `components_distribution.batch_shape[-1:]`"
                self._checks.append(tf.assert_equal(km, kc, message=message))
            elif km is None:
                km = tf.shape(mixture.logits)[-1]
            self._num_components = km
            parents = [*mixture._graph_parents, *components._graph_parents]
            super().__init__(components.dtype, NOT_REPARAMETERIZED, validate_args, allow_nan_stats, parameters, parents, scope)

    def _batch_shape_tensor(self) -> Any:
        with tf.control_dependencies(self._checks):
            return self._components_distribution.batch_shape_tensor()[:-1]

    def _batch_shape(self) -> Any:
        return self._components_distribution.batch_shape.with_rank_at_least(1)[:-1]

    def _event_shape_tensor(self) -> Any:
        with tf.control_dependencies(self._checks):
            return self._components_distribution.event_shape_tensor()

    def _event_shape(self) -> Any:
        return self._components_distribution.event_shape

    def _padded(self, x: Any) -> Any:
        return _pad_mixture_dimensions(x, self, self._mixture_distribution, self._event_shape().ndims)

    def _sample_n(self, n: Any, seed: int | None = None) -> Any:
        with tf.control_dependencies(self._checks):
            x = self._components_distribution.sample(n)  # TensorFlow passes the seed to neither
            kind = x.dtype.as_numpy_dtype
            chosen = self._mixture_distribution.sample(n)
            mask = tf.one_hot(
                indices=chosen, depth=self._num_components, on_value=np.ones([], dtype=kind), off_value=np.zeros([], dtype=kind)
            )
            return tf.reduce_sum(x * self._padded(mask), axis=-1 - self._event_ndims)

    def _log_prob(self, x: Any) -> Any:
        with tf.control_dependencies(self._checks):
            return self._summed(x, "log_prob")

    def _log_cdf(self, x: Any) -> Any:
        return self._summed(x, "log_cdf")

    def _summed(self, x: Any, what: str) -> Any:
        parts = getattr(self._components_distribution, what)(self._pad_sample_dims(x))
        return tf.reduce_logsumexp(parts + tf.nn.log_softmax(self._mixture_distribution.logits, axis=-1), axis=-1)

    def _mean(self) -> Any:
        with tf.control_dependencies(self._checks):
            probs = self._padded(self._mixture_distribution.probs)
            return tf.reduce_sum(probs * self._components_distribution.mean(), axis=-1 - self._event_ndims)

    def _variance(self) -> Any:
        with tf.control_dependencies(self._checks):
            axis = -1 - self._event_ndims
            probs = self._padded(self._mixture_distribution.probs)
            within = tf.reduce_sum(probs * self._components_distribution.variance(), axis=axis)
            apart = tf.squared_difference(self._components_distribution.mean(), self._pad_sample_dims(self._mean()))
            return within + tf.reduce_sum(probs * apart, axis=axis)

    def _covariance(self) -> Any:
        if self.event_shape.ndims != 1:
            raise NotImplementedError("covariance is not implemented")
        with tf.control_dependencies(self._checks):
            probs = self._padded(self._padded(self._mixture_distribution.probs))
            within = tf.reduce_sum(probs * self._components_distribution.covariance(), axis=-3)
            z = self._components_distribution.mean() - self._pad_sample_dims(self._mean())
            outer = z[..., tf.newaxis, :] * z[..., tf.newaxis]
            return within + tf.reduce_sum(probs * outer, axis=-3)

    def _pad_sample_dims(self, x: Any) -> Any:
        with tf.name_scope("pad_sample_dims", values=[x]):
            ndims = x.get_shape().ndims if x.get_shape().ndims is not None else tf.rank(x)
            shape = tf.shape(x)
            d = ndims - self._event_ndims
            return tf.reshape(x, shape=tf.concat([shape[:d], [1], shape[d:]], axis=0))
