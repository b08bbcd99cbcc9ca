"""BatchNormalization and LayerNormalization."""

from __future__ import annotations

from typing import Any

from runtime.tf1.core_layers import smart_constant
from runtime.tf1.keras import backend as K
from runtime.tf1.keras import constraints, initializers, regularizers
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.engine.layer import Layer
from runtime.tf1.keras.layers.core import dims_of, weight_config
from runtime.tf1.layer import InputSpec
from runtime.tf1.registry import export


@export("keras.layers.BatchNormalization")
class BatchNormalization(Layer):
    """gamma (x - mean) / sqrt(variance + epsilon) + beta: the batch's moments while training, moving averages of them otherwise."""

    def __init__(
        self, axis: Any = -1, momentum: float = 0.99, epsilon: float = 1e-3, center: bool = True, scale: bool = True, beta_initializer: Any = "zeros", gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros", moving_variance_initializer: Any = "ones", beta_regularizer: Any = None, gamma_regularizer: Any = None, beta_constraint: Any = None,
        gamma_constraint: Any = None, renorm: bool = False, renorm_clipping: Any = None, renorm_momentum: float = 0.99, fused: Any = None, trainable: bool = True,
        virtual_batch_size: int | None = None, adjustment: Any = None, name: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name=name, trainable=trainable, **kwargs)
        if renorm or virtual_batch_size or adjustment:
            raise NotImplementedError(
                "BatchNormalization with renorm, virtual_batch_size or adjustment is not supported: normalise by batch, or use tf.nn.moments and tf.nn.batch_normalization."
            )
        self.axis: Any = list(axis) if isinstance(axis, list | tuple) else [axis]
        self.momentum, self.epsilon, self.center, self.scale, self.fused = momentum, epsilon, center, scale, fused
        self.beta_initializer, self.gamma_initializer = initializers.get(beta_initializer), initializers.get(gamma_initializer)
        self.moving_mean_initializer, self.moving_variance_initializer = (
            initializers.get(moving_mean_initializer),
            initializers.get(moving_variance_initializer),
        )
        self.beta_regularizer, self.gamma_regularizer = regularizers.get(beta_regularizer), regularizers.get(gamma_regularizer)
        self.beta_constraint, self.gamma_constraint = constraints.get(beta_constraint), constraints.get(gamma_constraint)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        dims = dims_of(input_shape)
        self.axis = [a % len(dims) for a in self.axis]
        sizes = {a: dims[a] for a in self.axis}
        for a, size in sizes.items():
            if size is None:
                raise ValueError(
                    f"Axis {a} of the input of {self.name} is not known, but BatchNormalization normalises along it. Input shape: {dims}"
                )
        if self.fused is not False:
            self.fused = len(dims) == 4 and self.axis in ([1], [3])
        self._format = "NCHW" if self.axis == [1] else "NHWC"
        self.input_spec = InputSpec(ndim=len(dims), axes=sizes)
        shape = (sizes[self.axis[0]],) if len(sizes) == 1 else tuple(sizes.get(i, 1) for i in range(len(dims)))
        dtype = self._dtype or "float32"
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(
                "gamma",
                shape=shape,
                dtype=dtype,
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
        elif self.fused:
            self._gamma = tf.constant(1.0, dtype=dtype, shape=shape)
        if self.center:
            self.beta = self.add_weight(
                "beta",
                shape=shape,
                dtype=dtype,
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
            )
        elif self.fused:
            self._beta = tf.constant(0.0, dtype=dtype, shape=shape)
        self.moving_mean = self.add_weight(
            "moving_mean", shape=shape, dtype=dtype, initializer=self.moving_mean_initializer, trainable=False
        )
        self.moving_variance = self.add_weight(
            "moving_variance", shape=shape, dtype=dtype, initializer=self.moving_variance_initializer, trainable=False
        )
        self.built = True

    def _average(self, variable: Any, value: Any, momentum: Any) -> Any:
        with tf.name_scope("AssignMovingAvg"), tf.colocate_with(variable.handle):
            decay = tf.convert_to_tensor(1.0 - momentum, name="decay")
            if decay.dtype != variable.dtype.base_dtype:
                decay = tf.cast(decay, variable.dtype.base_dtype)
            return variable.assign_sub((variable - tf.cast(value, variable.dtype)) * decay)

    def call(self, inputs: Any, training: Any = None) -> Any:
        if training is None:
            training = K.learning_phase()
        return self._fused(inputs, training) if self.fused else self._plain(inputs, training)

    def _fused(self, inputs: Any, training: Any) -> Any:
        beta = self.beta if self.center else self._beta
        gamma = self.gamma if self.scale else self._gamma

        def train() -> Any:
            return tf.nn.fused_batch_norm(inputs, gamma, beta, epsilon=self.epsilon, data_format=self._format)

        def infer() -> Any:
            return tf.nn.fused_batch_norm(
                inputs,
                gamma,
                beta,
                mean=self.moving_mean,
                variance=self.moving_variance,
                epsilon=self.epsilon,
                is_training=False,
                data_format=self._format,
            )

        output, mean, variance = K.smart_cond(training, train, infer)
        known = smart_constant(training)
        momentum = (
            K.smart_cond(training, lambda: tf.constant(self.momentum), lambda: tf.constant(1.0))
            if known is None
            else tf.convert_to_tensor(self.momentum)
        )
        if known is None or known:
            self.add_update(lambda: self._average(self.moving_mean, mean, momentum))
            self.add_update(lambda: self._average(self.moving_variance, variance, momentum))
        return output

    def _plain(self, inputs: Any, training: Any) -> Any:
        rank = inputs.shape.ndims
        axes = [i for i in range(rank) if i not in self.axis]
        wide = [1] * rank
        wide[self.axis[0]] = inputs.shape.as_list()[self.axis[0]]

        def spread(v: Any) -> Any:
            return tf.reshape(v, wide) if v is not None and v.shape.ndims != rank and axes != list(range(rank - 1)) else v

        scale, offset = spread(self.gamma), spread(self.beta)
        known = smart_constant(training)
        if known is False:
            mean, variance = self.moving_mean, self.moving_variance
        else:
            batch_mean, batch_variance = tf.nn.moments(inputs, axes, keep_dims=len(self.axis) > 1)
            mean = K.smart_cond(training, lambda: batch_mean, lambda: tf.convert_to_tensor(self.moving_mean))
            variance = K.smart_cond(training, lambda: batch_variance, lambda: tf.convert_to_tensor(self.moving_variance))

            def update(variable: Any, value: Any) -> Any:
                return K.smart_cond(
                    training,
                    lambda: tf.convert_to_tensor(self._average(variable, value, self.momentum)),
                    lambda: tf.convert_to_tensor(variable),
                )

            self.add_update(lambda: update(self.moving_mean, mean))
            self.add_update(lambda: update(self.moving_variance, variance))
        outputs = tf.nn.batch_normalization(
            inputs, spread(tf.cast(mean, inputs.dtype)), spread(tf.cast(variance, inputs.dtype)), offset, scale, self.epsilon
        )
        outputs.set_shape(inputs.shape)
        return outputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "axis": self.axis, "momentum": self.momentum, "epsilon": self.epsilon, "center": self.center, "scale": self.scale,
            **weight_config(self, ("beta", "gamma", "moving_mean", "moving_variance")),
        }  # fmt: skip


@export("keras.layers.LayerNormalization")
class LayerNormalization(Layer):
    """Normalises each sample over `axis`."""

    def __init__(
        self, axis: Any = -1, epsilon: float = 1e-3, center: bool = True, scale: bool = True, beta_initializer: Any = "zeros", gamma_initializer: Any = "ones", beta_regularizer: Any = None,
        gamma_regularizer: Any = None, beta_constraint: Any = None, gamma_constraint: Any = None, trainable: bool = True, name: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name=name, trainable=trainable, **kwargs)
        self.axis: Any = list(axis) if isinstance(axis, list | tuple) else axis
        self.epsilon, self.center, self.scale = epsilon, center, scale
        self.beta_initializer, self.gamma_initializer = initializers.get(beta_initializer), initializers.get(gamma_initializer)
        self.beta_regularizer, self.gamma_regularizer = regularizers.get(beta_regularizer), regularizers.get(gamma_regularizer)
        self.beta_constraint, self.gamma_constraint = constraints.get(beta_constraint), constraints.get(gamma_constraint)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        dims = dims_of(input_shape)
        self.axis = [a % len(dims) for a in (self.axis if isinstance(self.axis, list) else [self.axis])]
        shape = [dims[a] for a in self.axis]
        self.gamma = (
            self.add_weight(
                "gamma",
                shape=shape,
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
            if self.scale
            else None
        )
        self.beta = (
            self.add_weight(
                "beta", shape=shape, initializer=self.beta_initializer, regularizer=self.beta_regularizer, constraint=self.beta_constraint
            )
            if self.center
            else None
        )
        self.built = True

    def call(self, inputs: Any) -> Any:
        dims = inputs.shape.as_list()
        wide = [dims[i] if i in self.axis else 1 for i in range(len(dims))]
        mean, variance = tf.nn.moments(inputs, self.axis, keep_dims=True)

        def spread(v: Any) -> Any:
            return v if v is None or self.axis == [len(dims) - 1] else tf.reshape(v, wide)

        outputs = tf.nn.batch_normalization(inputs, mean, variance, spread(self.beta), spread(self.gamma), self.epsilon)
        outputs.set_shape(dims)
        return outputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            **weight_config(self, ("beta", "gamma")),
        }
