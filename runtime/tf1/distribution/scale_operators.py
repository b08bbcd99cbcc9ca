"""Scales of multivariate distributions as linear operators."""

from __future__ import annotations

from typing import Any

from runtime.tf1.distribution.distribution_util import prefer_static_broadcast_shape, with_dependencies
from runtime.tf1.linear_operator.basic import (
    LinearOperatorDiag,
    LinearOperatorIdentity,
    LinearOperatorLowerTriangular,
    LinearOperatorScaledIdentity,
)
from runtime.tf1.modules import module
from runtime.tf1.static_values import constant_value

tf: Any = module("")


def as_tensor(x: Any, name: str) -> Any:
    return None if x is None else tf.convert_to_tensor(x, name=name)


def _checked(x: Any, diagonal: Any, validate_args: bool, assert_positive: bool) -> Any:
    if not validate_args:
        return x
    if assert_positive:
        return with_dependencies([tf.assert_positive(diagonal(x), message="diagonal part must be positive")], x)
    return with_dependencies([tf.assert_none_equal(diagonal(x), tf.zeros([], x.dtype), message="diagonal part must be non-zero")], x)


def make_tril_scale(
    loc: Any = None, scale_tril: Any = None, scale_diag: Any = None, scale_identity_multiplier: Any = None, shape_hint: Any = None,
    validate_args: bool = False, assert_positive: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    with tf.name_scope(name, "make_tril_scale", values=[loc, scale_diag, scale_identity_multiplier]):
        loc, scale_tril = as_tensor(loc, "loc"), as_tensor(scale_tril, "scale_tril")
        scale_diag = as_tensor(scale_diag, "scale_diag")
        scale_identity_multiplier = as_tensor(scale_identity_multiplier, "scale_identity_multiplier")
    if scale_tril is None:
        return make_diag_scale(loc, scale_diag, scale_identity_multiplier, shape_hint, validate_args, assert_positive, name)
    scale_tril = tf.matrix_band_part(scale_tril, -1, 0)
    diagonal = tf.matrix_diag_part(scale_tril)
    if scale_diag is not None:
        diagonal += scale_diag
    if scale_identity_multiplier is not None:
        diagonal += scale_identity_multiplier[..., tf.newaxis]
    scale_tril = tf.matrix_set_diag(scale_tril, diagonal)
    return LinearOperatorLowerTriangular(
        tril=_checked(scale_tril, tf.matrix_diag_part, validate_args, assert_positive),
        is_non_singular=True,
        is_self_adjoint=False,
        is_positive_definite=assert_positive,
    )


def make_diag_scale(
    loc: Any = None, scale_diag: Any = None, scale_identity_multiplier: Any = None, shape_hint: Any = None, validate_args: bool = False,
    assert_positive: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    def checked(x: Any) -> Any:
        return _checked(x, lambda v: v, validate_args, assert_positive)

    with tf.name_scope(name, "make_diag_scale", values=[loc, scale_diag, scale_identity_multiplier]):
        loc, scale_diag = as_tensor(loc, "loc"), as_tensor(scale_diag, "scale_diag")
        scale_identity_multiplier = as_tensor(scale_identity_multiplier, "scale_identity_multiplier")
        if scale_diag is not None:
            if scale_identity_multiplier is not None:
                scale_diag += scale_identity_multiplier[..., tf.newaxis]
            return LinearOperatorDiag(
                diag=checked(scale_diag), is_non_singular=True, is_self_adjoint=True, is_positive_definite=assert_positive
            )
        if loc is None and shape_hint is None:
            raise ValueError("Cannot infer `event_shape` unless `loc` or `shape_hint` is specified.")
        rows = loc.get_shape()[-1].value if shape_hint is None else shape_hint
        if scale_identity_multiplier is None:
            return LinearOperatorIdentity(
                num_rows=rows,
                dtype=loc.dtype.base_dtype,
                is_self_adjoint=True,
                is_positive_definite=True,
                assert_proper_shapes=validate_args,
            )
        return LinearOperatorScaledIdentity(
            num_rows=rows, multiplier=checked(scale_identity_multiplier), is_non_singular=True, is_self_adjoint=True,
            is_positive_definite=assert_positive, assert_proper_shapes=validate_args,
        )  # fmt: skip


def shapes_from_loc_and_scale(loc: Any, scale: Any) -> tuple[Any, Any]:
    """The batch and event shapes that a location and a scale have together."""
    with tf.name_scope("shapes_from_loc_and_scale", values=[loc, *scale.graph_parents]):
        size = scale.range_dimension_tensor()
        known = constant_value(size)
        event = size[tf.newaxis] if known is None else known.reshape([1])
        if loc is not None:
            loc_size = loc.get_shape()[-1].value
            if loc_size is not None and known is not None and loc_size not in (1, int(known)):
                raise ValueError(f"Event size of 'scale' ({int(known)}) could not be broadcast up to that of 'loc' ({loc_size}).")
        batch = scale.batch_shape_tensor()
        if loc is None:
            static = constant_value(batch)
            return batch if static is None else static, event
        of_loc: Any = loc.get_shape().with_rank_at_least(1)[:-1]
        if loc.get_shape().ndims is None or not of_loc.is_fully_defined():
            of_loc = tf.shape(loc)[:-1]
        else:
            of_loc = tf.convert_to_tensor(of_loc, name="loc_batch_shape")
        return prefer_static_broadcast_shape(batch, of_loc), event


def is_diagonal_scale(scale: Any) -> bool:
    return isinstance(scale, LinearOperatorIdentity | LinearOperatorScaledIdentity | LinearOperatorDiag)
