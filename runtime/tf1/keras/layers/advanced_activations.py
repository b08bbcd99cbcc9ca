"""Activations that are layers."""

from __future__ import annotations

from typing import Any

from runtime.tf1.keras import activations, constraints, initializers, regularizers
from runtime.tf1.keras import backend as K
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.engine.layer import Layer
from runtime.tf1.keras.layers.core import dims_of, weight_config
from runtime.tf1.layer import InputSpec
from runtime.tf1.registry import export


class Elementwise(Layer):
    """A layer whose output has its input's shape; `settings` are its arguments."""

    settings: tuple[str, ...] = ()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **{name: getattr(self, name) for name in self.settings}}


@export("keras.layers.LeakyReLU")
class LeakyReLU(Elementwise):
    settings = ("alpha",)

    def __init__(self, alpha: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = K.cast_to_floatx(alpha)

    def call(self, inputs: Any) -> Any:
        return activations.relu(inputs, alpha=self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": float(self.alpha)}


@export("keras.layers.PReLU")
class PReLU(Elementwise):
    """x above 0, alpha x below; alpha is learnt."""

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer, self.alpha_regularizer, self.alpha_constraint = (
            initializers.get(alpha_initializer),
            regularizers.get(alpha_regularizer),
            constraints.get(alpha_constraint),
        )
        self.shared_axes = None if shared_axes is None else list(shared_axes) if isinstance(shared_axes, list | tuple) else [shared_axes]

    def build(self, input_shape: Any) -> None:
        dims = dims_of(input_shape)
        shape = dims[1:]
        for axis in self.shared_axes or ():
            shape[axis - 1] = 1
        self.alpha = self.add_weight(
            "alpha", shape=shape, initializer=self.alpha_initializer, regularizer=self.alpha_regularizer, constraint=self.alpha_constraint
        )
        self.input_spec = InputSpec(ndim=len(dims), axes={i: dims[i] for i in range(1, len(dims)) if i not in (self.shared_axes or ())})
        self.built = True

    def call(self, inputs: Any) -> Any:
        pos = activations.relu(inputs)
        neg = -self.alpha * activations.relu(-inputs)
        return pos + neg

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **weight_config(self, ("alpha",)), "shared_axes": self.shared_axes}


@export("keras.layers.ELU")
class ELU(Elementwise):
    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = K.cast_to_floatx(alpha)

    def call(self, inputs: Any) -> Any:
        return activations.elu(inputs, self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": float(self.alpha)}


@export("keras.layers.ThresholdedReLU")
class ThresholdedReLU(Elementwise):
    def __init__(self, theta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.theta = K.cast_to_floatx(theta)

    def call(self, inputs: Any) -> Any:
        return inputs * tf.cast(tf.greater(inputs, self.theta), K.floatx())

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "theta": float(self.theta)}


@export("keras.layers.Softmax")
class Softmax(Elementwise):
    settings = ("axis",)

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        return activations.softmax(inputs, axis=self.axis)


@export("keras.layers.ReLU")
class ReLU(Elementwise):
    def __init__(self, max_value: Any = None, negative_slope: float = 0, threshold: float = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if max_value is not None and max_value < 0.0:
            raise ValueError(f"max_value of Relu layer cannot be negative value: {max_value}")
        if negative_slope < 0.0:
            raise ValueError(f"negative_slope of Relu layer cannot be negative value: {negative_slope}")
        self.max_value, self.negative_slope, self.threshold = max_value, negative_slope, threshold

    def call(self, inputs: Any) -> Any:
        return activations.relu(inputs, alpha=self.negative_slope, max_value=self.max_value, threshold=self.threshold)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_value": self.max_value, "negative_slope": self.negative_slope, "threshold": self.threshold}


@export("keras.layers.GaussianNoise")
class GaussianNoise(Elementwise):
    settings = ("stddev",)

    def __init__(self, stddev: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stddev = stddev

    def call(self, inputs: Any, training: Any = None) -> Any:
        from runtime.tf1.keras.backend_ops import random_normal

        return K.in_train_phase(
            lambda: inputs + random_normal(shape=tf.shape(inputs), mean=0.0, stddev=self.stddev), inputs, training=training
        )


@export("keras.layers.GaussianDropout")
class GaussianDropout(Elementwise):
    settings = ("rate",)

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, inputs: Any, training: Any = None) -> Any:
        from runtime.tf1.keras.backend_ops import random_normal

        if not 0 < self.rate < 1:
            return inputs
        stddev = (self.rate / (1.0 - self.rate)) ** 0.5
        return K.in_train_phase(lambda: inputs * random_normal(shape=tf.shape(inputs), mean=1.0, stddev=stddev), inputs, training=training)


@export("keras.layers.AlphaDropout")
class AlphaDropout(Elementwise):
    """Dropout that keeps the mean and variance of selu's outputs."""

    settings = ("rate",)

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate, self.noise_shape, self.seed = rate, noise_shape, seed

    def call(self, inputs: Any, training: Any = None) -> Any:
        from runtime.tf1.keras.backend_ops import random_uniform

        if not 0.0 < self.rate < 1.0:
            return inputs
        shape = self.noise_shape if self.noise_shape is not None else tf.shape(inputs)

        def dropped() -> Any:
            low = -1.7580993408473766  # -alpha * scale of selu
            kept = tf.cast(tf.greater_equal(random_uniform(shape, seed=self.seed), self.rate), K.floatx())
            a = ((1 - self.rate) * (1 + self.rate * low**2)) ** -0.5
            b = -a * low * self.rate
            return a * (inputs * kept + low * (1 - kept)) + b

        return K.in_train_phase(dropped, inputs, training=training)
