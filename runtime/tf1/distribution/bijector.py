"""The base of bijectors: what is known of pairs (x, y) is kept, so that the inverse of a sample is the sample."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from runtime.tf1.graph import Tensor
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.static_values import constant_value
from runtime.tf1.tensor_shape import TensorShape

tf: Any = module("")


@dataclass
class _Known:
    """A pair, as far as it is known, and the log-determinants of its inverse by event rank."""

    x: Any = None
    y: Any = None
    ildj: dict[Any, Any] = field(default_factory=dict)


def static_value(x: Any) -> Any:
    """The value where it is known without running, else None."""
    if x is None:
        return None
    return constant_value(x) if isinstance(x, Tensor) else x


def _key(x: Any, kwargs: dict[str, Any]) -> tuple[Any, ...]:
    return (id(x), *((k, repr(v)) for k, v in sorted(kwargs.items())))


@export("contrib.distributions.bijectors.Bijector")
class Bijector:
    """A subclass says `_forward`, `_inverse` and one of the log-determinants."""

    _is_injective = True

    def __init__(
        self, graph_parents: Any = None, is_constant_jacobian: bool = False, validate_args: bool = False, dtype: Any = None,
        forward_min_event_ndims: Any = None, inverse_min_event_ndims: Any = None, name: str | None = None,
    ) -> None:  # fmt: skip
        self._graph_parents = list(graph_parents or [])
        if forward_min_event_ndims is None and inverse_min_event_ndims is None:
            raise ValueError("Must specify at least one of `forward_min_event_ndims` and `inverse_min_event_ndims`.")
        forward = inverse_min_event_ndims if forward_min_event_ndims is None else forward_min_event_ndims
        inverse = forward_min_event_ndims if inverse_min_event_ndims is None else inverse_min_event_ndims
        for way, ndims in (("forward", forward), ("inverse", inverse)):
            if not isinstance(ndims, int):
                raise TypeError(f"Expected {way}_min_event_ndims to be of type int, got {type(ndims).__name__}")
            if ndims < 0:
                raise ValueError(f"{way}_min_event_ndims must be a non-negative integer.")
        self._forward_min_event_ndims, self._inverse_min_event_ndims = forward, inverse
        self._is_constant_jacobian, self._validate_args, self._dtype = is_constant_jacobian, validate_args, dtype
        self._constant_ildj: dict[Any, Any] = {}
        self._from_x: dict[Any, _Known] = {}
        self._from_y: dict[Any, _Known] = {}
        if not name:
            spaced = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", type(self).__name__.lstrip("_"))
            name = re.sub("([a-z0-9])([A-Z])", r"\1_\2", spaced).lower()
        self._name = name
        for i, t in enumerate(self._graph_parents):
            if not isinstance(t, Tensor) and not hasattr(t, "_ref"):
                raise ValueError(f"Graph parent item {i} is not a Tensor; {t}.")

    graph_parents = property(lambda self: self._graph_parents)
    forward_min_event_ndims = property(lambda self: self._forward_min_event_ndims)
    inverse_min_event_ndims = property(lambda self: self._inverse_min_event_ndims)
    is_constant_jacobian = property(lambda self: self._is_constant_jacobian)
    validate_args = property(lambda self: self._validate_args)
    dtype = property(lambda self: self._dtype)
    name = property(lambda self: self._name)

    @contextlib.contextmanager
    def _name_scope(self, name: str | None = None, values: Any = None) -> Iterator[str]:
        with tf.name_scope(self._name), tf.name_scope(name, values=[*(values or []), *self._graph_parents]) as scope:
            yield scope

    # -- shapes of events ---------------------------------------------------------------------------------------------

    def _forward_event_shape_tensor(self, input_shape: Any) -> Any:
        return input_shape

    def _forward_event_shape(self, input_shape: Any) -> Any:
        return input_shape

    def _inverse_event_shape_tensor(self, output_shape: Any) -> Any:
        return output_shape

    def _inverse_event_shape(self, output_shape: Any) -> Any:
        return TensorShape(output_shape)

    def forward_event_shape_tensor(self, input_shape: Any, name: str = "forward_event_shape_tensor") -> Any:
        with self._name_scope(name, [input_shape]):
            return self._forward_event_shape_tensor(tf.convert_to_tensor(input_shape, dtype=tf.int32, name="input_shape"))

    def forward_event_shape(self, input_shape: Any) -> Any:
        return self._forward_event_shape(TensorShape(input_shape))

    def inverse_event_shape_tensor(self, output_shape: Any, name: str = "inverse_event_shape_tensor") -> Any:
        with self._name_scope(name, [output_shape]):
            return self._inverse_event_shape_tensor(tf.convert_to_tensor(output_shape, dtype=tf.int32, name="output_shape"))

    def inverse_event_shape(self, output_shape: Any) -> Any:
        return self._inverse_event_shape(output_shape)

    # -- the two ways -------------------------------------------------------------------------------------------------

    def _forward(self, x: Any) -> Any:
        raise NotImplementedError("forward not implemented.")

    def _inverse(self, y: Any) -> Any:
        raise NotImplementedError("inverse not implemented")

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        raise NotImplementedError("inverse_log_det_jacobian not implemented.")

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        raise NotImplementedError("forward_log_det_jacobian not implemented.")

    def _checked(self, value: Any, name: str) -> Any:
        value = tf.convert_to_tensor(value, name=name)
        if self._dtype is not None and tf.as_dtype(self._dtype).base_dtype != value.dtype.base_dtype:
            raise TypeError(f"Input had dtype {self._dtype} but expected {value.dtype}.")
        return value

    def _pair(self, kwargs: dict[str, Any], x: Any = None, y: Any = None) -> _Known:
        known = self._from_x.get(_key(x, kwargs)) if x is not None else self._from_y.get(_key(y, kwargs))
        return known if known is not None else _Known(x, y)

    def _keep(self, pair: _Known, kwargs: dict[str, Any]) -> None:
        if pair.x is not None:
            self._from_x[_key(pair.x, kwargs)] = pair
        if pair.y is not None:
            self._from_y[_key(pair.y, kwargs)] = pair

    def _call_forward(self, x: Any, name: str, **kwargs: Any) -> Any:
        with self._name_scope(name, [x]):
            x = self._checked(x, "x")
            if not self._is_injective:
                return self._forward(x, **kwargs)
            pair = self._pair(kwargs, x=x)
            if pair.y is None:
                pair.y = self._forward(x, **kwargs)
                self._keep(pair, kwargs)
            return pair.y

    def forward(self, x: Any, name: str = "forward") -> Any:
        return self._call_forward(x, name)

    def _call_inverse(self, y: Any, name: str, **kwargs: Any) -> Any:
        with self._name_scope(name, [y]):
            y = self._checked(y, "y")
            if not self._is_injective:
                return self._inverse(y, **kwargs)
            pair = self._pair(kwargs, y=y)
            if pair.x is None:
                pair.x = self._inverse(y, **kwargs)
                self._keep(pair, kwargs)
            return pair.x

    def inverse(self, y: Any, name: str = "inverse") -> Any:
        return self._call_inverse(y, name)

    def _either(self, first: Callable[[], Any], second: Callable[[], Any]) -> Any:
        try:
            return first()
        except NotImplementedError as missing:
            try:
                return second()
            except NotImplementedError:
                raise missing from None

    def _call_inverse_log_det_jacobian(self, y: Any, event_ndims: Any, name: str, **kwargs: Any) -> Any:
        with self._name_scope(name, [y]):
            if _hashable(event_ndims) in self._constant_ildj:
                return self._constant_ildj[_hashable(event_ndims)]
            y = self._checked(y, "y")
            low, high = self._inverse_min_event_ndims, self._forward_min_event_ndims
            with tf.control_dependencies(self._check_event_ndims(low, event_ndims)):
                if not self._is_injective:
                    return self._either(
                        lambda: tuple(self._reduce(y, v, low, event_ndims) for v in self._inverse_log_det_jacobian(y, **kwargs)),
                        lambda: self._fibers_forward(y, event_ndims, kwargs),
                    )
                pair = self._pair(kwargs, y=y)
                if _hashable(event_ndims) in pair.ildj:
                    return pair.ildj[_hashable(event_ndims)]

                def through_x() -> Any:
                    if pair.x is None:
                        pair.x = self._inverse(y, **kwargs)
                    return self._reduce(pair.x, -self._forward_log_det_jacobian(pair.x, **kwargs), high, event_ndims)

                found = self._either(lambda: self._reduce(y, self._inverse_log_det_jacobian(y, **kwargs), low, event_ndims), through_x)
                self._known_ildj(pair, event_ndims, found, kwargs)
                return found

    def _fibers_forward(self, y: Any, event_ndims: Any, kwargs: dict[str, Any]) -> tuple[Any, ...]:
        x = self._inverse(y, **kwargs)
        return tuple(self._reduce(x, -v, self._forward_min_event_ndims, event_ndims) for v in self._forward_log_det_jacobian(x, **kwargs))

    def inverse_log_det_jacobian(self, y: Any, event_ndims: Any, name: str = "inverse_log_det_jacobian") -> Any:
        return self._call_inverse_log_det_jacobian(y, event_ndims, name)

    def _call_forward_log_det_jacobian(self, x: Any, event_ndims: Any, name: str, **kwargs: Any) -> Any:
        if not self._is_injective:
            raise NotImplementedError("forward_log_det_jacobian cannot be implemented for non-injective transforms.")
        low, high = self._forward_min_event_ndims, self._inverse_min_event_ndims
        with self._name_scope(name, [x]), tf.control_dependencies(self._check_event_ndims(low, event_ndims)):
            if _hashable(event_ndims) in self._constant_ildj:
                return -1.0 * self._constant_ildj[_hashable(event_ndims)]
            x = self._checked(x, "x")
            pair = self._pair(kwargs, x=x)
            if _hashable(event_ndims) in pair.ildj:
                return -pair.ildj[_hashable(event_ndims)]

            def through_y() -> Any:
                if pair.y is None:
                    pair.y = self._forward(x, **kwargs)
                return self._reduce(pair.y, self._inverse_log_det_jacobian(pair.y, **kwargs), high, event_ndims)

            found = self._either(lambda: self._reduce(x, -self._forward_log_det_jacobian(x, **kwargs), low, event_ndims), through_y)
            self._known_ildj(pair, event_ndims, found, kwargs)
            return -found

    def forward_log_det_jacobian(self, x: Any, event_ndims: Any, name: str = "forward_log_det_jacobian") -> Any:
        return self._call_forward_log_det_jacobian(x, event_ndims, name)

    def _known_ildj(self, pair: _Known, event_ndims: Any, value: Any, kwargs: dict[str, Any]) -> None:
        pair.ildj[_hashable(event_ndims)] = value
        self._keep(pair, kwargs)
        if self._is_constant_jacobian:
            self._constant_ildj[_hashable(event_ndims)] = value

    def _reduce(self, y: Any, ildj: Any, min_event_ndims: int, event_ndims: Any) -> Any:
        """The sum over the event's dimensions that the determinant does not know of."""
        rank = tf.rank(y)
        shape = tf.shape(y)[rank - event_ndims : rank - min_event_ndims]
        ones = tf.ones(shape, ildj.dtype)
        known = self._maybe_get_static_event_ndims(event_ndims)
        axes = tf.range(-(event_ndims - min_event_ndims), 0) if known is None else [-i for i in range(1, known - min_event_ndims + 1)]
        reduced = tf.reduce_sum(ones * ildj, axis=axes)
        y_shape = y.get_shape()
        if known is not None and y_shape.ndims is not None and ildj.get_shape().ndims is not None:
            wide = tf.broadcast_static_shape(ildj.get_shape(), y_shape[y_shape.ndims - known : y_shape.ndims - min_event_ndims])
            reduced.set_shape(wide[: wide.ndims - (known - min_event_ndims)])
        return reduced

    def _check_event_ndims(self, min_event_ndims: int, event_ndims: Any) -> list[Any]:
        event_ndims = tf.convert_to_tensor(event_ndims, name="event_ndims")
        known = constant_value(event_ndims)
        checks = []
        if not event_ndims.dtype.is_integer:
            raise ValueError(f"Expected integer dtype, got dtype {event_ndims.dtype}")
        if known is not None:
            if event_ndims.get_shape().ndims != 0:
                raise ValueError(f"Expected scalar event_ndims, got shape {event_ndims.get_shape()}")
            if min_event_ndims > known:
                raise ValueError(f"event_ndims ({known}) must be larger than min_event_ndims ({min_event_ndims})")
        elif self._validate_args:
            checks.append(tf.assert_greater_equal(event_ndims, min_event_ndims))
        if event_ndims.get_shape().is_fully_defined():
            if event_ndims.get_shape().ndims != 0:
                raise ValueError(f"Expected scalar shape, got ndims {event_ndims.get_shape().ndims}")
        elif self._validate_args:
            checks.append(tf.assert_rank(event_ndims, 0, message="Expected scalar."))
        return checks

    def _maybe_get_static_event_ndims(self, event_ndims: Any) -> int | None:
        known = static_value(event_ndims)
        if isinstance(known, np.generic | np.ndarray):
            if known.dtype not in (np.int32, np.int64):
                raise ValueError(f"Expected integer dtype, got dtype {known.dtype}")
            if known.ndim:
                raise ValueError(f"Expected a scalar integer, got {known}")
            known = int(known)
        return known


def _hashable(event_ndims: Any) -> Any:
    return (
        int(event_ndims) if isinstance(event_ndims, np.generic) else id(event_ndims) if isinstance(event_ndims, np.ndarray) else event_ndims
    )


class Identity(Bijector):
    def __init__(self, validate_args: bool = False, name: str = "identity") -> None:
        super().__init__(forward_min_event_ndims=0, is_constant_jacobian=True, validate_args=validate_args, name=name)

    def _forward(self, x: Any) -> Any:
        return x

    def _inverse(self, y: Any) -> Any:
        return y

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        return tf.constant(0.0, dtype=y.dtype)

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        return tf.constant(0.0, dtype=x.dtype)


export("contrib.distributions.bijectors.Identity")(Identity)


@export("contrib.distributions.bijectors.ConditionalBijector")
class ConditionalBijector(Bijector):
    """A bijector whose methods take further keyword arguments."""

    def forward(self, x: Any, name: str = "forward", **condition_kwargs: Any) -> Any:
        return self._call_forward(x, name, **condition_kwargs)

    def inverse(self, y: Any, name: str = "inverse", **condition_kwargs: Any) -> Any:
        return self._call_inverse(y, name, **condition_kwargs)

    def inverse_log_det_jacobian(self, y: Any, event_ndims: Any, name: str = "inverse_log_det_jacobian", **condition_kwargs: Any) -> Any:
        return self._call_inverse_log_det_jacobian(y, event_ndims, name, **condition_kwargs)

    def forward_log_det_jacobian(self, x: Any, event_ndims: Any, name: str = "forward_log_det_jacobian", **condition_kwargs: Any) -> Any:
        return self._call_forward_log_det_jacobian(x, event_ndims, name, **condition_kwargs)
