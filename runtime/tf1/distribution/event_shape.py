"""How the dimensions of a tensor are shared among samples, batch and event."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from runtime.tf1.distribution.distribution_util import pick_vector, rotate_transpose, with_dependencies
from runtime.tf1.modules import module
from runtime.tf1.static_values import constant_value

tf: Any = module("")


def _known(*values: Any) -> bool:
    return all(constant_value(v) is not None for v in values)


class DistributionShape:
    """Events as the columns of matrices, and back."""

    def __init__(self, batch_ndims: Any, event_ndims: Any, validate_args: bool = False, name: str = "DistributionShape") -> None:
        self._validate_args, self._name = validate_args, name
        with tf.name_scope(name), tf.name_scope("init"):
            self._batch_ndims = self._scalar(tf.convert_to_tensor(batch_ndims, name="batch_ndims"))
            self._batch_static, self._batch_is_0 = self._look(self._batch_ndims)
            self._event_ndims = self._scalar(tf.convert_to_tensor(event_ndims, name="event_ndims"))
            self._event_static, self._event_is_0 = self._look(self._event_ndims)

    def _scalar(self, x: Any) -> Any:
        x = tf.convert_to_tensor(x, name="x")
        if x.dtype.base_dtype != tf.int32:
            raise TypeError(f"{x.name}.dtype={x.dtype} is not {tf.int32}")
        known = constant_value(x)
        if known is not None:
            if known.ndim != 0:
                raise ValueError(f"{x.name}.ndims={known.ndim} is not 0 (scalar)")
            if known < 0:
                raise ValueError(f"{x.name}.value={known} cannot be negative")
            return x
        return with_dependencies([tf.assert_rank(x, 0), tf.assert_non_negative(x)], x) if self._validate_args else x

    def _look(self, ndims: Any) -> tuple[int | None, Any]:
        known = constant_value(ndims)
        return (None, tf.equal(ndims, 0)) if known is None else (int(known), bool(known == 0))

    @contextlib.contextmanager
    def _name_scope(self, name: str, values: Any) -> Iterator[str]:
        with tf.name_scope(self._name), tf.name_scope(name, values=[*values, self._batch_ndims, self._event_ndims]) as scope:
            yield scope

    def _ndims(self, x: Any, name: str) -> Any:
        with self._name_scope(name, [x]):
            x = tf.convert_to_tensor(x, name="x")
            ndims = x.get_shape().ndims
            return tf.rank(x, name="ndims") if ndims is None else tf.convert_to_tensor(ndims, dtype=tf.int32, name="ndims")

    def _sample_ndims(self, x: Any, name: str = "get_sample_ndims") -> Any:
        with self._name_scope(name, [x]):
            ndims = self._ndims(x, name)
            known = constant_value(ndims)
            if known is not None and self._batch_static is not None and self._event_static is not None:
                count = int(known) - self._batch_static - self._event_static
                if count < 0:
                    raise ValueError(
                        f"expected batch_ndims({self._batch_static}) + event_ndims({self._event_static}) <= ndims({int(known)})"
                    )
                return tf.convert_to_tensor(count, name="sample_ndims")
            with tf.name_scope(name="sample_ndims"):
                count = ndims - self._batch_ndims - self._event_ndims
                return with_dependencies([tf.assert_non_negative(count)], count) if self._validate_args else count

    def get_shape(self, x: Any, name: str = "get_shape") -> tuple[Any, Any, Any]:
        with self._name_scope(name, [x]):
            x = tf.convert_to_tensor(x, name="x")

            def part(before: list[Any], size: Any, label: str) -> Any:
                before = before or [tf.zeros([], dtype=tf.int32, name="zero")]
                if x.get_shape().ndims is not None and _known(size, *before):
                    start = sum(int(constant_value(s)) for s in before)  # type: ignore[arg-type]
                    dims = x.get_shape()[start : start + int(constant_value(size))].as_list()  # type: ignore[arg-type]
                    if None not in dims:
                        return tf.convert_to_tensor(dims, dtype=tf.int32, name=label)
                return tf.slice(tf.shape(x), [sum(before)], [size])

            samples = self._sample_ndims(x, name)
            return (
                part([], samples, "sample_shape"),
                part([samples], self._batch_ndims, "batch_shape"),
                part([samples, self._batch_ndims], self._event_ndims, "event_shape"),
            )

    def make_batch_of_event_sample_matrices(self, x: Any, expand_batch_dim: bool = True) -> tuple[Any, Any]:
        with self._name_scope("make_batch_of_event_sample_matrices", [x]):
            x = tf.convert_to_tensor(x, name="x")
            sample, batch, event = self.get_shape(x)
            event = pick_vector(self._event_is_0, [1], event)
            if expand_batch_dim:
                batch = pick_vector(self._batch_is_0, [1], batch)
            x = tf.reshape(x, shape=tf.concat([[-1], batch, event], 0))
            return rotate_transpose(x, shift=-1), sample

    def undo_make_batch_of_event_sample_matrices(self, x: Any, sample_shape: Any, expand_batch_dim: bool = True) -> Any:
        with self._name_scope("undo_make_batch_of_event_sample_matrices", [x, sample_shape]):
            x = tf.convert_to_tensor(x, name="x")
            sample = tf.convert_to_tensor(sample_shape, name="sample_shape")
            x = rotate_transpose(x, shift=1)
            if self._batch_static is not None and self._event_static is not None:
                axes = ([-1] if self._event_is_0 else []) + ([1] if self._batch_is_0 and expand_batch_dim else [])
                if axes:
                    x = tf.squeeze(x, axis=axes)
                _, batch, event = self.get_shape(x)
            else:
                s = x.get_shape().as_list() if x.get_shape().is_fully_defined() else tf.shape(x)
                batch = s[1 : 1 + self._batch_ndims]
                start = tf.where_v2(tf.logical_and(expand_batch_dim, self._batch_is_0), 2, 1 + self._batch_ndims)
                event = s[start : start + self._event_ndims]
            return tf.reshape(x, shape=tf.concat([sample, batch, event], 0))
