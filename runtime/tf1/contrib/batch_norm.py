"""tf.contrib.layers.batch_norm: batch normalisation, fused, by tf.layers, or op by op as its arguments demand."""

from __future__ import annotations

from typing import Any

from graphtools import graph as base
from graphtools.constant import constant as known_value
from runtime.tf1 import core_layers
from runtime.tf1.contrib.arg_scope import add_arg_scope
from runtime.tf1.contrib.layers import IMAGE, add_to_collections, collect, collections_of, layer_format, variable_getter
from runtime.tf1.contrib.variables import model_variable
from runtime.tf1.control_flow_ops import choose
from runtime.tf1.graph import GraphKeys
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.train.moving_averages import assign_moving_average

tf: Any = module("")


def _known(value: Any) -> Any:
    """A predicate's value, or None where only the run tells it."""
    if value is None:
        raise ValueError("value_or_tensor_or_var cannot be None")
    if isinstance(value, base.Tensor):
        known = known_value(value)
        return None if known is None else bool(known)
    return None if hasattr(value, "_as_tensor") or hasattr(value, "initial_value") else value


def _smart_cond(pred: Any, true_fn: Any, false_fn: Any) -> Any:
    return choose(_known(pred), pred, true_fn, false_fn)


class _Parameters:
    """beta, gamma and the moving moments of one batch normalisation."""

    def __init__(self, shape: Any, dtype: Any, initializers: Any, regularizers: Any, collections: Any, trainable: bool) -> None:
        self.shape, self.dtype, self.trainable = shape, dtype, trainable
        self.initializers, self.regularizers, self.collections = initializers or {}, regularizers or {}, collections

    def make(self, name: str, default: Any, trainable: bool, regularized: bool = False) -> Any:
        return model_variable(
            name, shape=self.shape, dtype=self.dtype, initializer=self.initializers.get(name, default), regularizer=self.regularizers.get(name) if regularized else None,
            collections=collections_of(self.collections, name), trainable=trainable,
        )  # fmt: skip

    def moving(self) -> tuple[Any, Any]:
        with tf.variable_scope(tf.get_variable_scope()) as local_scope:
            local_scope.set_partitioner(None)
            return self.make("moving_mean", tf.zeros_initializer(), False), self.make("moving_variance", tf.ones_initializer(), False)


def _fused(
    inputs: Any, decay: Any, center: bool, scale: bool, epsilon: float, activation_fn: Any, param_initializers: Any, param_regularizers: Any, updates_collections: Any, is_training: Any,
    reuse: Any, variables_collections: Any, outputs_collections: Any, trainable: bool, data_format: str, zero_debias_moving_mean: bool, scope: Any,
) -> Any:  # fmt: skip
    layer_format(data_format, IMAGE)
    with tf.variable_scope(scope, "BatchNorm", [inputs], reuse=reuse) as sc:
        given = inputs = tf.convert_to_tensor(inputs)
        rank = given.get_shape().ndims
        if rank is None:
            raise ValueError(f"Inputs {inputs.name} has undefined rank")
        if rank not in (2, 4):
            raise ValueError(f"Inputs {inputs.name} has unsupported rank. Expected 2 or 4 but got {rank}")
        if rank == 2:
            channels = given.get_shape().dims[-1].value
            if channels is None:
                raise ValueError("`C` dimension must be known but is None")
            inputs = tf.reshape(inputs, [-1, channels, 1, 1] if data_format == "NCHW" else [-1, 1, 1, channels])
        inputs_shape = inputs.get_shape()
        params_shape = inputs_shape[-1:] if data_format == "NHWC" else inputs_shape[1:2]
        if not params_shape.is_fully_defined():
            raise ValueError(f"Inputs {inputs.name} has undefined `C` dimension {params_shape}.")
        parameters = _Parameters(params_shape, "float32", param_initializers, param_regularizers, variables_collections, trainable)
        size = params_shape.as_list()
        beta = parameters.make("beta", tf.zeros_initializer(), trainable, True) if center else tf.constant(0.0, dtype="float32", shape=size)
        gamma = parameters.make("gamma", tf.ones_initializer(), trainable, True) if scale else tf.constant(1.0, dtype="float32", shape=size)
        moving_mean, moving_variance = parameters.moving()
        outputs, mean, variance = _smart_cond(
            is_training,
            lambda: tf.nn.fused_batch_norm(inputs, gamma, beta, epsilon=epsilon, data_format=data_format),
            lambda: tf.nn.fused_batch_norm(
                inputs, gamma, beta, mean=moving_mean, variance=moving_variance, epsilon=epsilon, is_training=False, data_format=data_format
            ),
        )

        def update() -> tuple[Any, Any]:
            return (
                assign_moving_average(moving_mean, mean, decay, zero_debias=zero_debias_moving_mean),
                assign_moving_average(moving_variance, variance, decay, zero_debias=False),
            )

        known = _known(is_training)
        if known is None or known:
            if updates_collections is None:
                normalised = outputs

                def force() -> Any:
                    with tf.control_dependencies(list(update())):
                        return tf.identity(normalised)

                outputs = _smart_cond(is_training, force, lambda: normalised)
            else:
                for updated in _smart_cond(is_training, update, lambda: (moving_mean, moving_variance)):
                    tf.add_to_collections(updates_collections, updated)
        outputs.set_shape(inputs_shape)
        if rank == 2:
            outputs = tf.reshape(outputs, tf.shape(given))
        return collect(outputs_collections, sc.name, activation_fn(outputs) if activation_fn is not None else outputs)


def _moments(inputs: Any, axes: list[int], weights: Any, first: bool) -> tuple[Any, Any]:
    """Mean and variance per channel; `first` says that channels come first."""
    if weights is None:
        mean, variance = tf.nn.moments(inputs, axes, keep_dims=True) if first else tf.nn.moments(inputs, axes)
    elif first:
        mean, variance = tf.nn.weighted_moments(inputs, axes, weights, keep_dims=True)
    else:
        mean, variance = tf.nn.weighted_moments(inputs, axes, weights)
    return (tf.reshape(mean, [-1]), tf.reshape(variance, [-1])) if first else (mean, variance)


@export("contrib.layers.batch_norm")
@add_arg_scope
def batch_norm(
    inputs: Any, decay: Any = 0.999, center: bool = True, scale: bool = False, epsilon: float = 0.001, activation_fn: Any = None, param_initializers: Any = None,
    param_regularizers: Any = None, updates_collections: Any = GraphKeys.UPDATE_OPS, is_training: Any = True, reuse: Any = None, variables_collections: Any = None,
    outputs_collections: Any = None, trainable: bool = True, batch_weights: Any = None, fused: bool | None = None, data_format: str = "NHWC",
    zero_debias_moving_mean: bool = False, scope: Any = None, renorm: bool = False, renorm_clipping: Any = None, renorm_decay: float = 0.99, adjustment: Any = None,
) -> Any:  # fmt: skip
    """Batch normalisation; its moving averages are updated by the ops in `updates_collections`, or in place where that is None."""
    fused = True if fused is None else fused
    inputs = tf.convert_to_tensor(inputs)
    rank = inputs.get_shape().ndims
    layers_way = batch_weights is None and updates_collections == GraphKeys.UPDATE_OPS and not zero_debias_moving_mean
    can_fuse = batch_weights is None and not renorm and rank in (2, 4) and adjustment is None
    if fused and can_fuse and (zero_debias_moving_mean or rank == 2 or updates_collections != GraphKeys.UPDATE_OPS):
        return _fused(
            inputs, decay, center, scale, epsilon, activation_fn, param_initializers, param_regularizers, updates_collections, is_training, reuse,
            variables_collections, outputs_collections, trainable, data_format, zero_debias_moving_mean, scope,
        )  # fmt: skip
    layer_format(data_format, IMAGE)
    with tf.variable_scope(scope, "BatchNorm", [inputs], reuse=reuse, custom_getter=variable_getter()) as sc:
        inputs = tf.convert_to_tensor(inputs)
        initializers, regularizers = param_initializers or {}, param_regularizers or {}
        if layers_way:
            layer = core_layers.BatchNormalization(
                axis=1 if data_format == "NCHW" else -1, momentum=decay, epsilon=epsilon, center=center, scale=scale,
                beta_initializer=initializers.get("beta", tf.zeros_initializer()), gamma_initializer=initializers.get("gamma", tf.ones_initializer()),
                moving_mean_initializer=initializers.get("moving_mean", tf.zeros_initializer()),
                moving_variance_initializer=initializers.get("moving_variance", tf.ones_initializer()), beta_regularizer=regularizers.get("beta"),
                gamma_regularizer=regularizers.get("gamma"), trainable=trainable, renorm=renorm, renorm_clipping=renorm_clipping, renorm_momentum=renorm_decay,
                adjustment=adjustment, name=sc.name, _scope=sc, _reuse=reuse, fused=fused,
            )  # fmt: skip
            outputs = layer.apply(inputs, training=is_training)
            for name in ("moving_mean", "moving_variance", "beta", "gamma"):
                if getattr(layer, name, None) is not None:
                    add_to_collections(getattr(layer, name), variables_collections, name)
            return collect(outputs_collections, sc.name, activation_fn(outputs) if activation_fn is not None else outputs)
        if renorm:
            raise ValueError("renorm is not supported with batch_weights, updates_collections or zero_debias_moving_mean")
        shape = inputs.get_shape()
        if shape.ndims is None:
            raise ValueError(f"Inputs {inputs.name} has undefined rank.")
        if batch_weights is not None:
            batch_weights = tf.convert_to_tensor(batch_weights)
            shape[0:1].assert_is_compatible_with(batch_weights.get_shape())
            batch_weights = tf.reshape(batch_weights, [-1] + [1] * (shape.ndims - 1))
        first = data_format == "NCHW"
        axes = [0, *range(2, shape.ndims)] if first else list(range(shape.ndims - 1))
        params_shape = shape[1:2] if first else shape[-1:]
        broadcast = [1, shape.dims[1].value] + [1] * (shape.ndims - 2)
        if not params_shape.is_fully_defined():
            raise ValueError(f"Inputs {inputs.name} has undefined channels dimension {params_shape}.")
        parameters = _Parameters(params_shape, inputs.dtype.base_dtype, initializers, {}, variables_collections, trainable)
        beta = parameters.make("beta", tf.zeros_initializer(), trainable) if center else None
        gamma = parameters.make("gamma", tf.ones_initializer(), trainable) if scale else None
        moving_mean, moving_variance = parameters.moving()
        known = _known(is_training)
        if known is None or known:
            mean, variance = _moments(inputs, axes, batch_weights, first)
            batch_mean, batch_variance = mean, variance

            def update() -> tuple[Any, Any]:
                return (
                    assign_moving_average(moving_mean, batch_mean, decay, zero_debias=zero_debias_moving_mean),
                    assign_moving_average(moving_variance, batch_variance, decay, zero_debias=False),
                )

            def force() -> tuple[Any, Any]:
                with tf.control_dependencies(list(update())):
                    return tf.identity(batch_mean), tf.identity(batch_variance)

            def moving() -> tuple[Any, Any]:
                return moving_mean, moving_variance

            if updates_collections is None:
                mean, variance = _smart_cond(is_training, force, moving)
            else:
                for updated in _smart_cond(is_training, update, moving):
                    tf.add_to_collections(updates_collections, updated)
                mean, variance = _smart_cond(is_training, lambda: (batch_mean, batch_variance), moving)
        else:
            mean, variance = moving_mean, moving_variance
        if first:
            mean, variance, beta, gamma = (v if v is None else tf.reshape(v, broadcast) for v in (mean, variance, beta, gamma))
        outputs = tf.nn.batch_normalization(inputs, mean, variance, beta, gamma, epsilon)
        outputs.set_shape(shape)
        return collect(outputs_collections, sc.name, activation_fn(outputs) if activation_fn is not None else outputs)
