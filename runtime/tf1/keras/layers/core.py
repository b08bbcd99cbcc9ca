"""Dense, Dropout, Flatten and the other layers of every model."""

from __future__ import annotations

import types
from typing import Any

import numpy as np

from runtime.tf1 import nest
from runtime.tf1.keras import activations, constraints, initializers, regularizers
from runtime.tf1.keras import backend as K
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.engine.layer import Layer
from runtime.tf1.keras.serialization import CUSTOM_OBJECTS, deserialize_keras_object, func_dump, func_load, takes
from runtime.tf1.layer import InputSpec
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape, as_dims


def dims_of(shape: Any) -> list[Any]:
    """A shape, however it is written, as a list."""
    return list(as_dims(shape) or ())


@export("keras.layers.Masking")
class Masking(Layer):
    """Masks steps whose values are all mask_value."""

    _computes_mask = True

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.mask_value = mask_value

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return tf.reduce_any(tf.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs: Any) -> Any:
        mask = tf.reduce_any(tf.not_equal(inputs, self.mask_value), axis=-1, keepdims=True)
        outputs = inputs * tf.cast(mask, inputs.dtype)
        outputs._keras_mask = tf.squeeze(mask, axis=-1)
        return outputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mask_value": self.mask_value}


@export("keras.layers.Dropout")
class Dropout(Layer):
    def __init__(self, rate: Any, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate, self.noise_shape, self.seed = rate, noise_shape, seed
        self.supports_masking = True

    def _get_noise_shape(self, inputs: Any) -> Any:
        if self.noise_shape is None:
            return None
        shape = tf.shape(inputs)
        return [shape[i] if d is None else d for i, d in enumerate(self.noise_shape)]

    def call(self, inputs: Any, training: Any = None) -> Any:
        if training is None:
            training = K.learning_phase()

        def dropped() -> Any:
            return tf.nn.dropout(inputs, noise_shape=self._get_noise_shape(inputs), seed=self.seed, rate=self.rate)

        return K.smart_cond(training, dropped, lambda: tf.identity(inputs))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "noise_shape": self.noise_shape, "seed": self.seed}


class SpatialDropout(Dropout):
    """Drops whole feature maps."""

    rank = 1

    def __init__(self, rate: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(rate, **kwargs)
        self.data_format = K.conv_format(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _get_noise_shape(self, inputs: Any) -> Any:
        shape = tf.shape(inputs)
        if self.data_format == "channels_first":
            return (shape[0], shape[1], *(1,) * self.rank)
        return (shape[0], *(1,) * self.rank, shape[self.rank + 1])


@export("keras.layers.SpatialDropout1D")
class SpatialDropout1D(SpatialDropout):
    def __init__(self, rate: Any, **kwargs: Any) -> None:
        super().__init__(rate, "channels_last", **kwargs)


@export("keras.layers.SpatialDropout2D")
class SpatialDropout2D(SpatialDropout):
    rank = 2


@export("keras.layers.SpatialDropout3D")
class SpatialDropout3D(SpatialDropout):
    rank = 3


@export("keras.layers.Activation")
class Activation(Layer):
    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


@export("keras.layers.Reshape")
class Reshape(Layer):
    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(target_shape)

    def _target(self, input_dims: list[Any]) -> list[Any]:
        target = list(self.target_shape)
        known = int(np.prod([d for d in target if d != -1], dtype=int))
        original = None if any(d is None for d in input_dims) else int(np.prod(input_dims, dtype=int))
        if -1 in target:
            if target.count(-1) > 1:
                raise ValueError("Can only specify one unknown dimension.")
            if original is None:
                target[target.index(-1)] = None
                return target
            if known == 0 or original % known != 0:
                raise ValueError("total size of new array must be unchanged")
            target[target.index(-1)] = original // known
        elif original is not None and original != known:
            raise ValueError("total size of new array must be unchanged")
        return target

    def compute_output_shape(self, input_shape: Any) -> Any:
        dims = dims_of(input_shape)
        return TensorShape([dims[0], *self._target(dims[1:])])

    def call(self, inputs: Any) -> Any:
        self._target(dims_of(inputs.shape)[1:])
        return tf.reshape(inputs, (tf.shape(inputs)[0], *self.target_shape))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": self.target_shape}


@export("keras.layers.Permute")
class Permute(Layer):
    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(dims) != list(range(1, len(dims) + 1)):
            raise ValueError(
                f"Invalid permutation `dims` for Permute Layer: {dims}. The set of indices in `dims` must be consecutive and start from 1."
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        dims = dims_of(input_shape)
        return TensorShape([dims[0], *(dims[d] for d in self.dims)])

    def call(self, inputs: Any) -> Any:
        return tf.transpose(inputs, perm=(0, *self.dims))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": self.dims}


@export("keras.layers.Flatten")
class Flatten(Layer):
    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = K.conv_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Any) -> Any:
        rank = inputs.shape.ndims
        if self.data_format == "channels_first" and rank is not None and rank > 1:
            inputs = tf.transpose(inputs, perm=[0, *range(2, rank), 1])
        batch = inputs.shape.as_list()[0] if rank is not None else None
        outputs = tf.reshape(inputs, (batch or tf.shape(inputs)[0], -1))
        outputs.set_shape(self.compute_output_shape(inputs.shape))
        return outputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        dims = dims_of(input_shape)
        if not dims:
            return TensorShape([None, None])
        size = None if any(d is None for d in dims[1:]) else int(np.prod(dims[1:], dtype=int))
        return TensorShape([dims[0], size])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


@export("keras.layers.RepeatVector")
class RepeatVector(Layer):
    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = n
        self.input_spec = InputSpec(ndim=2)

    def compute_output_shape(self, input_shape: Any) -> Any:
        dims = dims_of(input_shape)
        return TensorShape([dims[0], self.n, dims[1]])

    def call(self, inputs: Any) -> Any:
        x = tf.expand_dims(inputs, 1)
        return tf.tile(x, tf.stack([1, self.n, 1]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}


@export("keras.layers.Lambda")
class Lambda(Layer):
    """A function as a layer."""

    def __init__(self, function: Any, output_shape: Any = None, mask: Any = None, arguments: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.function = function
        self.arguments = dict(arguments or {})
        if mask is not None:
            self.supports_masking = True
        self.mask = mask
        self._output_shape = output_shape
        self._expects_training = takes(function, "training")
        self._expects_mask = takes(function, "mask")

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self._output_shape is None:
            return super().compute_output_shape(input_shape)
        if callable(self._output_shape):
            return TensorShape(self._output_shape(input_shape))
        dims = dims_of(input_shape[0] if isinstance(input_shape, list) else input_shape)
        return TensorShape([dims[0], *self._output_shape])

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        arguments = dict(self.arguments)
        if mask is not None and takes(self.function, "mask"):
            arguments["mask"] = mask
        if takes(self.function, "training") and training is not None:
            arguments["training"] = training
        return self.function(inputs, **arguments)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        function, kind, where = _saved(self.function)
        shape, shape_kind, shape_where = _saved(self._output_shape) if callable(self._output_shape) else (self._output_shape, "raw", None)
        return {
            **super().get_config(), "function": function, "function_type": kind, "module": where, "output_shape": shape, "output_shape_type": shape_kind, "output_shape_module": shape_where,
            "arguments": self.arguments,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        known = {**CUSTOM_OBJECTS, **(custom_objects or {})}
        function = _loaded(config.pop("function"), config.pop("function_type", "function"), known)
        shape = _loaded(config.pop("output_shape", None), config.pop("output_shape_type", "raw"), known)
        for name in ("module", "output_shape_module", "mask"):
            config.pop(name, None)
        arguments = {
            k: np.array(v["value"]) if isinstance(v, dict) and v.get("type") == "ndarray" else v
            for k, v in (config.pop("arguments", None) or {}).items()
        }
        return cls(function, output_shape=shape, arguments=arguments, **config)


def _saved(function: Any) -> tuple[Any, str, Any]:
    if isinstance(function, types.LambdaType) and function.__name__ == "<lambda>":
        return func_dump(function), "lambda", function.__module__
    return function.__name__, "function", getattr(function, "__module__", None)


def _loaded(saved: Any, kind: str, known: dict[str, Any]) -> Any:
    if kind == "function":
        return deserialize_keras_object(saved, known, printable_module_name="function in Lambda layer")
    if kind == "lambda":
        import runtime.tf1.keras.backend_ops as ops

        return func_load(saved, globs={**known, "tf": tf, "K": ops, "np": np, "__builtins__": __builtins__})
    return saved


@export("keras.layers.Dense")
class Dense(Layer):
    """activation(inputs . kernel + bias), along the last axis."""

    def __init__(
        self, units: int, activation: Any = None, use_bias: bool = True, kernel_initializer: Any = "glorot_uniform", bias_initializer: Any = "zeros", kernel_regularizer: Any = None,
        bias_regularizer: Any = None, activity_regularizer: Any = None, kernel_constraint: Any = None, bias_constraint: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        if "input_shape" not in kwargs and "input_dim" in kwargs:
            kwargs["input_shape"] = (kwargs.pop("input_dim"),)
        super().__init__(activity_regularizer=regularizers.get(activity_regularizer), **kwargs)
        self.units = int(units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer, self.bias_initializer = initializers.get(kernel_initializer), initializers.get(bias_initializer)
        self.kernel_regularizer, self.bias_regularizer = regularizers.get(kernel_regularizer), regularizers.get(bias_regularizer)
        self.kernel_constraint, self.bias_constraint = constraints.get(kernel_constraint), constraints.get(bias_constraint)
        self.supports_masking = True
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: Any) -> None:
        last = dims_of(input_shape)[-1]
        if last is None:
            raise ValueError("The last dimension of the inputs to `Dense` should be defined. Found `None`.")
        self.input_spec = InputSpec(min_ndim=2, axes={-1: last})
        self.kernel = self.add_weight(
            "kernel",
            shape=[last, self.units],
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            trainable=True,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                "bias",
                shape=[self.units],
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                trainable=True,
            )
        self.built = True

    def call(self, inputs: Any) -> Any:
        rank = inputs.shape.ndims
        if rank is not None and rank > 2:
            outputs = tf.tensordot(inputs, self.kernel, [[rank - 1], [0]])
            outputs.set_shape([*inputs.shape.as_list()[:-1], self.units])
        else:
            inputs = tf.cast(inputs, self._dtype)
            outputs = tf.matmul(inputs, self.kernel)
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, self.bias)
        return self.activation(outputs) if self.activation is not None else outputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return TensorShape([*dims_of(input_shape)[:-1], self.units])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "units": self.units, "activation": activations.serialize(self.activation), "use_bias": self.use_bias, **weight_config(self, ("kernel", "bias")),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
        }  # fmt: skip


def weight_config(layer: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """The initializers, regularizers and constraints of weights, as configurations hold them."""
    config: dict[str, Any] = {}
    for kind, module in (("initializer", initializers), ("regularizer", regularizers), ("constraint", constraints)):
        for name in names:
            if hasattr(layer, f"{name}_{kind}"):
                config[f"{name}_{kind}"] = module.serialize(getattr(layer, f"{name}_{kind}"))
    return config


@export("keras.layers.ActivityRegularization")
class ActivityRegularization(Layer):
    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.supports_masking = True
        self.l1, self.l2 = l1, l2

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "l1": self.l1, "l2": self.l2}


def flat_shapes(shape: Any) -> list[Any]:
    return nest.flatten(shape)
