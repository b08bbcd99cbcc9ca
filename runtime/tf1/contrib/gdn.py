"""tf.contrib.layers: generalized divisive normalization and gradients scaled on their way back."""

from __future__ import annotations

from typing import Any

from runtime.tf1.defun import Defun
from runtime.tf1.gradients import RegisterGradient
from runtime.tf1.layer import InputSpec, Layer
from runtime.tf1.modules import module
from runtime.tf1.registry import export

tf: Any = module("")
_AXES = {"channels_first": 1, "channels_last": -1}


@RegisterGradient("GDNLowerBound")
def _lower_bound_gradient(op: Any, grad: Any) -> list[Any]:
    """Passes where the bound does not hold the input down, or the gradient raises it."""
    passes = tf.logical_or(op.inputs[0] >= op.inputs[1], grad < 0)
    return [tf.cast(passes, grad.dtype) * grad, None]


def _lower_bound(inputs: Any, bound: Any) -> Any:
    with tf.name_scope(None, "GDNLowerBound", [inputs, bound]) as scope:
        inputs = tf.convert_to_tensor(inputs, name="inputs")
        bound = tf.convert_to_tensor(bound, name="bound")
        with tf.get_default_graph().gradient_override_map({"Maximum": "GDNLowerBound"}):
            return tf.maximum(inputs, bound, name=scope)


@export("contrib.layers.GDN", "contrib.slim.GDN")
class GDN(Layer):
    """y_i = x_i / sqrt(beta_i + sum_j gamma_ji x_j^2), or the product for the inverse"""

    def __init__(
        self, inverse: bool = False, beta_min: float = 1e-6, gamma_init: float = 0.1, reparam_offset: float = 2**-18, data_format: str = "channels_last",
        activity_regularizer: Any = None, trainable: bool = True, name: str | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(trainable=trainable, name=name, activity_regularizer=activity_regularizer, **kwargs)
        self.inverse = inverse
        self._beta_min = beta_min
        self._gamma_init = gamma_init
        self._offset = reparam_offset
        self.data_format = data_format
        self._channel_axis()
        self.input_spec = InputSpec(min_ndim=3, max_ndim=5)

    def _channel_axis(self) -> int:
        if self.data_format not in _AXES:
            raise ValueError(f"Unsupported `data_format` for GDN layer: {self.data_format}.")
        return _AXES[self.data_format]

    def build(self, input_shape: Any) -> None:
        axis = self._channel_axis()
        input_shape = tf.TensorShape(input_shape)
        channels = input_shape.as_list()[axis]
        if channels is None:
            raise ValueError("The channel dimension of the inputs to `GDN` must be defined.")
        self._input_rank = input_shape.ndims
        self.input_spec = InputSpec(ndim=input_shape.ndims, axes={axis: channels})

        # The variables are square roots, a little above zero: their gradients do not vanish there.
        pedestal = tf.constant(self._offset**2, dtype=self.dtype)
        beta_bound = tf.constant((self._beta_min + self._offset**2) ** 0.5, dtype=self.dtype)
        gamma_bound = tf.constant(self._offset, dtype=self.dtype)

        def of_beta(shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
            pedestal = tf.constant(self._offset**2, dtype=self.dtype)
            return tf.sqrt(tf.ones(shape, dtype=dtype) + pedestal)

        def of_gamma(shape: Any, dtype: Any = None, partition_info: Any = None) -> Any:
            eye = tf.eye(shape[0], dtype=dtype)
            pedestal = tf.constant(self._offset**2, dtype=self.dtype)
            return tf.sqrt(self._gamma_init * eye + pedestal)

        beta = self.add_variable("reparam_beta", shape=[channels], initializer=of_beta, dtype=self.dtype, trainable=True)
        self.beta = tf.square(_lower_bound(beta, beta_bound)) - pedestal
        gamma = self.add_variable("reparam_gamma", shape=[channels, channels], initializer=of_gamma, dtype=self.dtype, trainable=True)
        self.gamma = tf.square(_lower_bound(gamma, gamma_bound)) - pedestal
        self.built = True

    def call(self, inputs: Any) -> Any:
        inputs = tf.convert_to_tensor(inputs, dtype=self.dtype)
        rank = self._input_rank
        gamma = tf.reshape(self.gamma, (rank - 2) * [1] + self.gamma.get_shape().as_list())
        if self.data_format == "channels_first":
            pool = tf.nn.convolution(tf.square(inputs), gamma, "VALID", data_format="NC" + "DHW"[-(rank - 2) :])
            if rank == 3:
                pool = tf.expand_dims(pool, 2)
                pool = tf.nn.bias_add(pool, self.beta, data_format="NCHW")
                pool = tf.squeeze(pool, [2])
            elif rank == 5:
                # As TensorFlow has it: the sizes and [-1] are added, not put together.
                shape = tf.shape(pool)
                pool = tf.reshape(pool, shape[:3] + [-1])
                pool = tf.nn.bias_add(pool, self.beta, data_format="NCHW")
                pool = tf.reshape(pool, shape)
            else:
                pool = tf.nn.bias_add(pool, self.beta, data_format="NCHW")
        else:
            pool = tf.nn.convolution(tf.square(inputs), gamma, "VALID")
            pool = tf.nn.bias_add(pool, self.beta, data_format="NHWC")
        pool = tf.sqrt(pool)
        outputs = inputs * pool if self.inverse else inputs / pool
        outputs.set_shape(inputs.get_shape())
        return outputs


@export("contrib.layers.gdn", "contrib.slim.gdn")
def gdn(
    inputs: Any, inverse: bool = False, beta_min: float = 1e-6, gamma_init: float = 0.1, reparam_offset: float = 2**-18, data_format: str = "channels_last",
    activity_regularizer: Any = None, trainable: bool = True, name: str | None = None, reuse: Any = None,
) -> Any:  # fmt: skip
    layer = GDN(
        inverse=inverse, beta_min=beta_min, gamma_init=gamma_init, reparam_offset=reparam_offset, data_format=data_format,
        activity_regularizer=activity_regularizer, trainable=trainable, name=name, dtype=inputs.dtype.base_dtype.name, _scope=name, _reuse=reuse,
    )  # fmt: skip
    return layer.apply(inputs)


def _unchanged(inputs: Any, gradient_multiplier: Any) -> Any:
    return inputs


_unchanged.__name__ = "scale_gradient"
scale_gradient = export("contrib.layers.scale_gradient", "contrib.slim.scale_gradient")(
    Defun(python_grad_func=lambda op, grad: [grad * op.inputs[1], None], shape_func=lambda op: [op.inputs[0].shape])(_unchanged)
)
