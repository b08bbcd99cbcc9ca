"""Weights that must fit the values they weigh."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.tf1 import array_ops, control_flow_ops, math_ops
from runtime.tf1.graph import convert_to_tensor, get_default_graph, name_scope

_MISFIT = "weights can not be broadcast to values."


def broadcast_weights(weights: Any, values: Any) -> Any:
    """The weights in the shape of the values."""
    with name_scope(None, "broadcast_weights", [weights, values]) as scope:
        values = convert_to_tensor(values, name="values")
        weights = convert_to_tensor(weights, dtype=values.dtype.base_dtype, name="weights")
        if weights.dims is not None and None not in weights.dims and weights.dims == values.dims:
            return weights
        with get_default_graph().control_dependencies([assert_broadcastable(weights, values)]):
            return math_ops.multiply(weights, array_ops.ones_like(values), name=scope)


def assert_broadcastable(weights: Any, values: Any) -> Any:
    """An op that fails unless the weights are a scalar, or of the values' rank with each size 1 or the values'."""
    with name_scope(None, "assert_broadcastable", [weights, values]) as scope:
        with name_scope(None, "weights", [weights]) as inner:
            weights = convert_to_tensor(weights, name=inner)
            weights_shape = array_ops.shape(weights, name="shape")
            weights_rank = array_ops.rank(weights, name="rank")
        with name_scope(None, "values", [values]) as inner:
            values = convert_to_tensor(values, name=inner)
            values_shape = array_ops.shape(values, name="shape")
            values_rank = array_ops.rank(values, name="rank")
        if weights.rank is not None and values.rank is not None:
            if weights.rank == 0:
                return control_flow_ops.no_op(name="static_scalar_check_success")
            if weights.rank != values.rank:
                raise ValueError(
                    f"{_MISFIT} values.rank={values.rank}. weights.rank={weights.rank}. values.shape={values.shape}. weights.shape={weights.shape}."
                )
            if None not in weights.dims and None not in values.dims:
                for i, (w, v) in enumerate(zip(weights.dims, values.dims, strict=True)):
                    if w not in (1, v):
                        raise ValueError(
                            f"{_MISFIT} Mismatch at dim {i}. values.shape={np.array(values.dims)} weights.shape={np.array(weights.dims)}."
                        )
                return control_flow_ops.no_op(name="static_dims_check_success")
        return _checked_when_run(weights, weights_shape, weights_rank, values, values_shape, values_rank, scope)


def _checked_when_run(
    weights: Any, weights_shape: Any, weights_rank: Any, values: Any, values_shape: Any, values_rank: Any, scope: str
) -> Any:
    from runtime.tf1.control_flow import cond
    from runtime.tf1.logging_ops import Assert

    is_scalar = math_ops.equal(0, weights_rank, name="is_scalar")
    shown = (_MISFIT, "weights.shape=", weights.name, weights_shape, "values.shape=", values.name, values_shape, "is_scalar=", is_scalar)

    def same_rank_and_sizes() -> Any:
        with name_scope(None, "has_valid_nonscalar_shape", [weights_rank, weights_shape, values_rank, values_shape]) as inner:
            is_same = math_ops.equal(values_rank, weights_rank, name="is_same_rank")
            return cond(is_same, lambda: _has_valid_dims(weights_shape, values_shape), lambda: is_same, name=inner)

    return Assert(cond(is_scalar, lambda: is_scalar, same_rank_and_sizes, name="is_valid_shape"), list(shown), name=scope)


def _has_valid_dims(weights_shape: Any, values_shape: Any) -> Any:
    from runtime.tf1.modules import lookup

    with name_scope(None, "has_invalid_dims", [weights_shape, values_shape]) as scope:
        sizes = array_ops.expand_dims(values_shape, -1)
        valid = array_ops.concat((sizes, array_ops.ones_like(sizes)), axis=1)
        invalid = lookup("sets.set_difference")(array_ops.expand_dims(weights_shape, -1), valid)
        return math_ops.equal(0, array_ops.size(invalid.values, name="num_invalid_dims"), name=scope)
