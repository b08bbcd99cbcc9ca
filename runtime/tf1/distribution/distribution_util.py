"""Checks, shapes and matrices that distributions share; some of them are functions of tf.contrib.distributions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.static_values import constant_value
from runtime.tf1.tensor_shape import TensorShape

tf: Any = module("")
INT_OF = {"float16": "int16", "float32": "int32", "float64": "int64"}


def with_dependencies(checks: list[Any], x: Any) -> Any:
    from runtime.tf1 import control_flow_ops

    return control_flow_ops.with_dependencies(checks, x)


def assert_integer_form(
    x: Any, data: Any = None, summarize: Any = None, message: str | None = None, int_dtype: Any = None, name: str = "assert_integer_form"
) -> Any:
    with tf.name_scope(name, values=[x, data]):
        x = tf.convert_to_tensor(x, name="x")
        if x.dtype.is_integer:
            return tf.no_op()
        message = message or f"{x} has non-integer components"
        if int_dtype is None:
            if x.dtype.base_dtype.name not in INT_OF:
                raise TypeError(f"Unrecognized type {x.dtype.name}")
            int_dtype = INT_OF[x.dtype.base_dtype.name]
        whole = tf.cast(tf.cast(x, int_dtype), x.dtype)
        return tf.assert_equal(x, whole, data=data, summarize=summarize, message=message, name=name)


def embed_check_nonnegative_integer_form(x: Any, name: str = "embed_check_nonnegative_integer_form") -> Any:
    with tf.name_scope(name, values=[x]):
        x = tf.convert_to_tensor(x, name="x")
        checks = [tf.assert_non_negative(x, message=f"'{x}' must be non-negative.")]
        if not x.dtype.is_integer:
            checks.append(assert_integer_form(x, message=f"'{x}' cannot contain fractional components."))
        return with_dependencies(checks, x)


def _largest_integer(dtype: Any) -> int:
    """The largest integer that every smaller one is exact up to, too."""
    dtype = tf.as_dtype(dtype).base_dtype
    if dtype.is_floating:
        return int(2 ** (np.finfo(dtype.as_numpy_dtype).nmant + 1))
    return 1 if dtype.is_bool else int(np.iinfo(dtype.as_numpy_dtype).max)


def embed_check_integer_casting_closed(
    x: Any, target_dtype: Any, assert_nonnegative: bool = True, name: str = "embed_check_casting_closed"
) -> Any:
    target_dtype = tf.as_dtype(target_dtype)
    with tf.name_scope(name, values=[x]):
        x = tf.convert_to_tensor(x, name="x")
        checks = [tf.assert_non_negative(x, message="Elements must be non-negative.")] if assert_nonnegative else []
        if x.dtype.is_floating:
            checks.append(assert_integer_form(x, int_dtype=target_dtype, message=f"Elements must be {target_dtype.name}-equivalent."))
        else:
            top = _largest_integer(target_dtype)
            if _largest_integer(x.dtype) > top:
                checks.append(tf.assert_less_equal(x, top, message=f"Elements cannot exceed {top}."))
        return with_dependencies(checks, x) if checks else x


def embed_check_categorical_event_shape(categorical_param: Any, name: str = "embed_check_categorical_event_shape") -> Any:
    with tf.name_scope(name, values=[categorical_param]):
        x = tf.convert_to_tensor(categorical_param, name="categorical_param")
        dtype = x.dtype.base_dtype
        if not dtype.is_floating:
            raise TypeError(f"Unable to validate size of unrecognized dtype ({dtype.name}).")
        largest = _largest_integer(dtype)
        try:
            static = x.get_shape().with_rank_at_least(1)
        except ValueError:
            raise ValueError("A categorical-distribution parameter must have at least 1 dimension.") from None
        size = static[-1].value if static.ndims is not None else None
        if size is not None:
            if size < 2:
                raise ValueError("A categorical-distribution parameter must have at least 2 events.")
            if size > largest:
                raise ValueError(
                    f"Number of classes exceeds `dtype` precision, i.e., {dtype.name} implies shape ({size}) cannot exceed {largest}."
                )
            return x
        size = tf.shape(x, name="x_shape")[-1]
        return with_dependencies(
            [
                tf.assert_rank_at_least(x, 1, message="A categorical-distribution parameter must have at least 1 dimension."),
                tf.assert_greater_equal(tf.shape(x)[-1], 2, message="A categorical-distribution parameter must have at least 2 events."),
                tf.assert_less_equal(
                    size,
                    largest,
                    message=f"Number of classes exceeds `dtype` precision, i.e., {dtype.name} dtype cannot exceed {largest} shape.",
                ),
            ],
            x,
        )


def get_logits_and_probs(
    logits: Any = None, probs: Any = None, multidimensional: bool = False, validate_args: bool = False, name: str = "get_logits_and_probs",
    dtype: Any = None,
) -> tuple[Any, Any]:  # fmt: skip
    """Both forms of one parameter, given either."""
    with tf.name_scope(name, values=[probs, logits]):
        if (probs is None) == (logits is None):
            raise ValueError("Must pass probs or logits, but not both.")
        if probs is None:
            logits = tf.convert_to_tensor(logits, name="logits", dtype=dtype)
            if not logits.dtype.is_floating:
                raise TypeError("logits must having floating type.")
            if not multidimensional:
                return logits, tf.sigmoid(logits, name="probs")
            if validate_args:
                logits = embed_check_categorical_event_shape(logits)
            return logits, tf.nn.softmax(logits, name="probs")
        probs = tf.convert_to_tensor(probs, name="probs", dtype=dtype)
        if not probs.dtype.is_floating:
            raise TypeError("probs must having floating type.")
        if validate_args:
            with tf.name_scope("validate_probs"):
                one = tf.constant(1.0, probs.dtype)
                checks = [tf.assert_non_negative(probs)]
                if multidimensional:
                    probs = embed_check_categorical_event_shape(probs)
                    checks.append(tf.debugging.assert_near(tf.reduce_sum(probs, -1), one, message="probs does not sum to 1."))
                else:
                    checks.append(tf.assert_less_equal(probs, one, message="probs has components greater than 1."))
                probs = with_dependencies(checks, probs)
        with tf.name_scope("logits"):
            return (tf.log(probs) if multidimensional else tf.log(probs) - tf.log1p(-1.0 * probs)), probs


def log_combinations(n: Any, counts: Any, name: str = "log_combinations") -> Any:
    """log(n! / prod counts!)"""
    with tf.name_scope(name, values=[n, counts]):
        n, counts = tf.convert_to_tensor(n, name="n"), tf.convert_to_tensor(counts, name="counts")
        total = tf.lgamma(n + 1)
        return total - tf.reduce_sum(tf.lgamma(counts + 1), axis=[-1])


def prefer_static_value(x: Any) -> Any:
    known = constant_value(x)
    return x if known is None else known


def prefer_static_rank(x: Any) -> Any:
    return prefer_static_value(tf.rank(x))


def prefer_static_shape(x: Any) -> Any:
    return prefer_static_value(tf.shape(x))


def dimension_size(x: Any, axis: int) -> Any:
    size = x.get_shape().with_rank_at_least(abs(axis))[axis].value
    return tf.shape(x)[axis] if size is None else size


def same_dynamic_shape(a: Any, b: Any) -> Any:
    a, b = tf.convert_to_tensor(a, name="a"), tf.convert_to_tensor(b, name="b")

    def all_equal() -> Any:
        return tf.reduce_all(tf.equal(tf.concat([tf.shape(a), tf.shape(b)], 0), tf.concat([tf.shape(b), tf.shape(a)], 0)))

    return tf.cond(tf.equal(tf.rank(a), tf.rank(b)), all_equal, lambda: tf.constant(False))


def pick_vector(cond: Any, true_vector: Any, false_vector: Any, name: str = "pick_vector") -> Any:
    with tf.name_scope(name, values=(cond, true_vector, false_vector)):
        cond = tf.convert_to_tensor(cond, name="cond")
        if not cond.dtype.is_bool:
            raise TypeError(f"{cond}.dtype={cond.dtype} which is not {tf.bool}")
        known = constant_value(cond)
        if known is not None:
            return true_vector if known else false_vector
        yes, no = tf.convert_to_tensor(true_vector, name="true_vector"), tf.convert_to_tensor(false_vector, name="false_vector")
        if yes.dtype != no.dtype:
            raise TypeError(f"{yes}.dtype={yes.dtype} does not match {no}.dtype={no.dtype}")
        n = tf.shape(yes)[0]
        joined = tf.concat([yes, no], 0)
        return tf.slice(joined, [tf.where_v2(cond, 0, n)], [tf.where(cond, n, -1)])


def prefer_static_broadcast_shape(shape1: Any, shape2: Any, name: str = "prefer_static_broadcast_shape") -> Any:
    with tf.name_scope(name, values=[shape1, shape2]):

        def static(s: Any) -> TensorShape | None:
            if isinstance(s, TensorShape):
                return s
            known = constant_value(tf.convert_to_tensor(s, name="shape", dtype=tf.int32))
            return None if known is None else TensorShape(known.tolist())

        def dynamic(s: Any) -> Any:
            if not isinstance(s, TensorShape):
                return tf.convert_to_tensor(s, name="shape", dtype=tf.int32)
            if s.is_fully_defined():
                return tf.convert_to_tensor(s.as_list(), name="shape", dtype=tf.int32)
            raise ValueError("Cannot broadcast from partially defined `TensorShape`.")

        first, second = static(shape1), static(shape2)
        if first is not None and second is not None:
            return tf.broadcast_static_shape(first, second)
        first, second = dynamic(shape1), dynamic(shape2)
        return tf.broadcast_dynamic_shape(first, second)


@export("contrib.distributions.matrix_diag_transform")
def matrix_diag_transform(matrix: Any, transform: Callable[[Any], Any] | None = None, name: str | None = None) -> Any:
    with tf.name_scope(name, "matrix_diag_transform", [matrix]):
        matrix = tf.convert_to_tensor(matrix, name="matrix")
        if transform is None:
            return matrix
        return tf.matrix_set_diag(matrix, transform(tf.matrix_diag_part(matrix)))


def rotate_transpose(x: Any, shift: Any, name: str = "rotate_transpose") -> Any:
    """The dimensions moved around by `shift` places."""
    with tf.name_scope(name, values=[x, shift]):
        x, shift = tf.convert_to_tensor(x, name="x"), tf.convert_to_tensor(shift, name="shift")
        tf.debugging.assert_integer(shift)
        known, ndims = constant_value(shift), x.get_shape().ndims
        if ndims is not None and known is not None:
            if ndims < 2:
                return x
            places = np.sign(known) * (abs(known) % ndims)
            return x if places == 0 else tf.transpose(x, perm=np.roll(np.arange(ndims), places))
        ndims = tf.rank(x)
        shift = tf.where_v2(tf.less(shift, 0), tf.mod(-shift, ndims), ndims - tf.mod(shift, ndims))
        first, last = tf.range(0, shift), tf.range(shift, ndims)
        return tf.transpose(x, perm=tf.concat([last, first], 0))


@export("contrib.distributions.fill_triangular")
def fill_triangular(x: Any, upper: bool = False, name: str | None = None) -> Any:
    """Vectors of n (n + 1) / 2 elements as triangular matrices."""
    with tf.name_scope(name, "fill_triangular", values=[x]):
        x = tf.convert_to_tensor(x, name="x")
        size = x.get_shape().with_rank_at_least(1)[-1].value
        if size is not None:
            root = np.sqrt(0.25 + 2.0 * size) - 0.5
            if root != np.floor(root):
                raise ValueError(f"Input right-most shape ({size}) does not correspond to a triangular matrix.")
            n: Any = np.int32(root)
            final = x.get_shape()[:-1].concatenate([int(n), int(n)])
        else:
            m = tf.shape(x)[-1]
            n = tf.cast(tf.sqrt(0.25 + tf.cast(2 * m, dtype=tf.float32)), dtype=tf.int32)
            final = x.get_shape().with_rank_at_least(1)[:-1].concatenate([None, None])
        ndims = prefer_static_rank(x)
        parts = [x, tf.reverse(x[..., n:], axis=[ndims - 1])] if upper else [x[..., n:], tf.reverse(x, axis=[ndims - 1])]
        shape = final.as_list() if final.is_fully_defined() else tf.concat([tf.shape(x)[:-1], [n, n]], axis=0)
        x = tf.reshape(tf.concat(parts, axis=-1), shape)
        x = tf.matrix_band_part(x, num_lower=0 if upper else -1, num_upper=-1 if upper else 0)
        x.set_shape(final)
        return x


@export("contrib.distributions.fill_triangular_inverse")
def fill_triangular_inverse(x: Any, upper: bool = False, name: str | None = None) -> Any:
    with tf.name_scope(name, "fill_triangular_inverse", values=[x]):
        x = tf.convert_to_tensor(x, name="x")
        size = x.get_shape().with_rank_at_least(2)[-1].value
        if size is not None:
            n: Any = np.int32(size)
            m: Any = np.int32(n * (n + 1) // 2)
            final = x.get_shape()[:-2].concatenate([int(m)])
        else:
            n = tf.shape(x)[-1]
            m = n * (n + 1) // 2
            final = x.get_shape().with_rank_at_least(2)[:-2].concatenate([None])
        ndims = prefer_static_rank(x)
        if upper:
            first, rest = x[..., 0, :], x[..., 1:, :]
        else:
            first, rest = tf.reverse(x[..., -1, :], axis=[ndims - 2]), x[..., :-1, :]
        turned = tf.reverse(tf.reverse(rest, axis=[ndims - 1]), axis=[ndims - 2])
        both = rest + turned
        end = tf.reshape(both, tf.concat([tf.shape(x)[:-2], [n * (n - 1)]], axis=0))
        y = tf.concat([first, end[..., : m - n]], axis=-1)
        y.set_shape(final)
        return y


@export("contrib.distributions.tridiag")
def tridiag(below: Any = None, diag: Any = None, above: Any = None, name: str | None = None) -> Any:
    def padded(x: Any) -> Any:
        zero = tf.zeros(tf.concat([tf.shape(x)[:-1], [1]], axis=0), dtype=x.dtype)
        return tf.concat([zero, x, zero], axis=-1)

    with tf.name_scope(name, "tridiag", [below, diag, above]):
        parts = []
        if below is not None:
            parts.append(tf.matrix_diag(padded(tf.convert_to_tensor(below, name="below")))[..., :-1, 1:])
        if diag is not None:
            parts.append(tf.matrix_diag(tf.convert_to_tensor(diag, name="diag")))
        if above is not None:
            parts.append(tf.matrix_diag(padded(tf.convert_to_tensor(above, name="above")))[..., 1:, :-1])
        if not parts:
            raise ValueError("Must specify at least one of `below`, `diag`, `above`.")
        total = parts[0]
        for part in parts[1:]:
            total += part
        return total


@export("contrib.distributions.reduce_weighted_logsumexp")
def reduce_weighted_logsumexp(
    logx: Any, w: Any = None, axis: Any = None, keep_dims: bool = False, return_sign: bool = False, name: str | None = None
) -> Any:
    """log |sum(w exp(logx))|, and the sum's sign."""
    with tf.name_scope(name, "reduce_weighted_logsumexp", [logx, w]):
        logx = tf.convert_to_tensor(logx, name="logx")
        if w is None:
            total = tf.reduce_logsumexp(logx, axis=axis, keepdims=keep_dims)
            return (total, tf.ones_like(total)) if return_sign else total
        w = tf.convert_to_tensor(w, dtype=logx.dtype, name="w")
        terms = logx + tf.log(tf.abs(w))
        largest = tf.reduce_max(terms, axis=axis, keepdims=True)
        largest = tf.where_v2(tf.is_inf(largest), tf.zeros_like(largest), largest)
        scaled = tf.sign(w) * tf.exp(terms - largest)
        summed = tf.reduce_sum(scaled, axis=axis, keepdims=keep_dims)
        if not keep_dims:
            largest = tf.squeeze(largest, axis)
        sign = tf.sign(summed)
        total = largest + tf.log(sign * summed)
        return (total, sign) if return_sign else total


@export("contrib.distributions.softplus_inverse")
def softplus_inverse(x: Any, name: str | None = None) -> Any:
    """log(exp(x) - 1)"""
    with tf.name_scope(name, "softplus_inverse", values=[x]):
        x = tf.convert_to_tensor(x, name="x")
        threshold = np.log(np.finfo(x.dtype.as_numpy_dtype).eps) + 2.0
        is_small, is_large = tf.less(x, np.exp(threshold)), tf.greater(x, -threshold)
        small, large = tf.log(x), x
        x = tf.where_v2(tf.logical_or(is_small, is_large), tf.ones_like(x), x)
        y = x + tf.log(-tf.expm1(-x))
        return tf.where_v2(is_small, small, tf.where_v2(is_large, large, y))


def pad(x: Any, axis: Any, front: bool = False, back: bool = False, value: Any = 0, count: Any = 1, name: str | None = None) -> Any:
    """Pads one axis."""
    with tf.name_scope(name, "pad", [x, value, count]):
        x = tf.convert_to_tensor(x, name="x")
        value = tf.convert_to_tensor(value, dtype=x.dtype, name="value")
        count = tf.convert_to_tensor(count, name="count")
        if not count.dtype.is_integer:
            raise TypeError(f"`count.dtype` (`{count.dtype.name}`) must be `int`-like.")
        if not front and not back:
            raise ValueError("At least one of `front`, `back` must be `True`.")
        ndims = x.get_shape().ndims if x.get_shape().ndims is not None else tf.rank(x, name="ndims")
        axis = tf.convert_to_tensor(axis, name="axis")
        known = constant_value(axis)
        final: TensorShape | None = None
        if known is not None:
            axis = ndims + int(known) if known < 0 else int(known)
            if x.get_shape().ndims is not None:
                dims, added = x.get_shape().as_list(), constant_value(count)
                size = dims[axis]
                dims[axis] = None if size is None or added is None else size + int(added) * (front + back)
                final = TensorShape(dims)
        else:
            axis = tf.where_v2(axis < 0, ndims + axis, axis)
        indices = tf.stack([axis if front else -1, axis if back else -1])
        x = tf.pad(x, paddings=tf.one_hot(indices=indices, depth=ndims, axis=0, on_value=count, dtype=tf.int32), constant_values=value)
        if final is not None:
            x.set_shape(final)
        return x
