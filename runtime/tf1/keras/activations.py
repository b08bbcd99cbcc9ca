"""tf.keras.activations."""

from __future__ import annotations

from typing import Any

from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.serialization import deserialize_keras_object
from runtime.tf1.registry import export


@export("keras.activations.softmax")
def softmax(x: Any, axis: int = -1) -> Any:
    rank = x.shape.ndims
    if rank == 2:
        return tf.nn.softmax(x)
    if rank is None or rank > 2:
        e = tf.exp(x - tf.reduce_max(x, axis=axis, keepdims=True))
        return e / tf.reduce_sum(e, axis=axis, keepdims=True)
    raise ValueError(f"Cannot apply softmax to a tensor that is 1D. Received input: {x}")


@export("keras.activations.elu")
def elu(x: Any, alpha: float = 1.0) -> Any:
    res = tf.nn.elu(x)
    return res if alpha == 1 else tf.where(x > 0, res, alpha * res)


@export("keras.activations.selu")
def selu(x: Any) -> Any:
    return tf.nn.selu(x)


@export("keras.activations.softplus")
def softplus(x: Any) -> Any:
    return tf.nn.softplus(x)


@export("keras.activations.softsign")
def softsign(x: Any) -> Any:
    return tf.nn.softsign(x)


@export("keras.activations.relu")
def relu(x: Any, alpha: float = 0.0, max_value: float | None = None, threshold: float = 0) -> Any:
    """max(x, 0), with a slope below `threshold` and a ceiling."""
    clip_max = max_value is not None
    if alpha != 0.0:
        if max_value is None and threshold == 0:
            return tf.nn.leaky_relu(x, alpha=alpha)
        negative = tf.nn.relu(-x + threshold) if threshold != 0 else tf.nn.relu(-x)
    if threshold != 0:
        x = x * tf.cast(tf.greater(x, threshold), x.dtype.base_dtype)
    elif max_value == 6:
        x = tf.nn.relu6(x)
        clip_max = False
    else:
        x = tf.nn.relu(x)
    if clip_max:
        x = tf.clip_by_value(x, tf.constant(0, x.dtype.base_dtype), tf.constant(max_value, x.dtype.base_dtype))
    if alpha != 0.0:
        x -= tf.constant(alpha, x.dtype.base_dtype) * negative
    return x


@export("keras.activations.tanh")
def tanh(x: Any) -> Any:
    return tf.nn.tanh(x)


@export("keras.activations.sigmoid")
def sigmoid(x: Any) -> Any:
    return tf.nn.sigmoid(x)


@export("keras.activations.exponential")
def exponential(x: Any) -> Any:
    return tf.exp(x)


@export("keras.activations.hard_sigmoid")
def hard_sigmoid(x: Any) -> Any:
    """0.2 x + 0.5, kept in [0, 1]."""
    slope = tf.convert_to_tensor(0.2, x.dtype.base_dtype)
    offset = tf.convert_to_tensor(0.5, x.dtype.base_dtype)
    return tf.clip_by_value(tf.add(tf.multiply(x, slope), offset), 0.0, 1.0)


@export("keras.activations.linear")
def linear(x: Any) -> Any:
    return x


ACTIVATIONS = {
    "elu": elu, "exponential": exponential, "hard_sigmoid": hard_sigmoid, "linear": linear, "relu": relu, "selu": selu, "sigmoid": sigmoid, "softmax": softmax, "softplus": softplus,
    "softsign": softsign, "tanh": tanh,
}  # fmt: skip


@export("keras.activations.serialize")
def serialize(activation: Any) -> Any:
    for name, function in ACTIVATIONS.items():
        if function is activation:
            return name
    name = getattr(activation, "__name__", None)
    if name is None:
        from runtime.tf1.keras.serialization import serialize_keras_object

        return serialize_keras_object(activation)
    return {"softmax_v2": "softmax"}.get(name, name)


@export("keras.activations.deserialize")
def deserialize(name: Any, custom_objects: Any = None) -> Any:
    from runtime.tf1.keras.layers import advanced_activations

    known = {
        **ACTIVATIONS,
        **{n: getattr(advanced_activations, n) for n in ("LeakyReLU", "PReLU", "ELU", "ThresholdedReLU", "Softmax", "ReLU")},
    }
    return deserialize_keras_object(name, known, custom_objects, "activation function")


@export("keras.activations.get")
def get(identifier: Any) -> Any:
    if identifier is None:
        return linear
    if isinstance(identifier, str | dict):
        if isinstance(identifier, str) and identifier in ACTIVATIONS:
            return ACTIVATIONS[identifier]
        return deserialize(identifier)
    if callable(identifier):
        return identifier
    raise TypeError(f"Could not interpret activation function identifier: {identifier!r}")
