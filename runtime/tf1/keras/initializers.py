"""tf.keras.initializers: Keras' own defaults over TensorFlow's initializers."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import float32
from runtime.tf1 import init_ops
from runtime.tf1.keras.backend import floatx
from runtime.tf1.keras.serialization import deserialize_keras_object, serialize_keras_object
from runtime.tf1.modules import lookup
from runtime.tf1.registry import export, put


@export("keras.initializers.TruncatedNormal")
class TruncatedNormal(init_ops.TruncatedNormal):
    def __init__(self, mean: Any = 0.0, stddev: Any = 0.05, seed: int | None = None, dtype: Any = float32) -> None:
        super().__init__(mean, stddev, seed, dtype)


@export("keras.initializers.RandomUniform")
class RandomUniform(init_ops.RandomUniform):
    def __init__(self, minval: Any = -0.05, maxval: Any = 0.05, seed: int | None = None, dtype: Any = float32) -> None:
        super().__init__(minval, maxval, seed, dtype)


@export("keras.initializers.RandomNormal")
class RandomNormal(init_ops.RandomNormal):
    def __init__(self, mean: Any = 0.0, stddev: Any = 0.05, seed: int | None = None, dtype: Any = float32) -> None:
        super().__init__(mean, stddev, seed, dtype)


# Name -> what makes the initializer; configurations name these.
INITIALIZERS: dict[str, Any] = {
    "Constant": init_ops.Constant, "GlorotNormal": init_ops.GlorotNormal, "GlorotUniform": init_ops.GlorotUniform, "Identity": init_ops.Identity, "Initializer": init_ops.Initializer,
    "Ones": init_ops.Ones, "Orthogonal": init_ops.Orthogonal, "RandomNormal": RandomNormal, "RandomUniform": RandomUniform, "TruncatedNormal": TruncatedNormal,
    "VarianceScaling": init_ops.VarianceScaling, "Zeros": init_ops.Zeros,
    "constant": init_ops.Constant, "glorot_normal": init_ops.GlorotNormal, "glorot_uniform": init_ops.GlorotUniform, "he_normal": init_ops.he_normal, "he_uniform": init_ops.he_uniform,
    "identity": init_ops.Identity, "lecun_normal": init_ops.lecun_normal, "lecun_uniform": init_ops.lecun_uniform, "normal": RandomNormal, "one": init_ops.Ones, "ones": init_ops.Ones,
    "orthogonal": init_ops.Orthogonal, "random_normal": RandomNormal, "random_uniform": RandomUniform, "truncated_normal": TruncatedNormal, "uniform": RandomUniform, "zero": init_ops.Zeros,
    "zeros": init_ops.Zeros,
}  # fmt: skip
put("keras.initializers.Initializer", init_ops.Initializer)
_BY_FUNCTION = ("he_normal", "he_uniform", "lecun_normal", "lecun_uniform")


@export("keras.initializers.serialize")
def serialize(initializer: Any) -> Any:
    return serialize_keras_object(initializer)


@export("keras.initializers.deserialize")
def deserialize(config: Any, custom_objects: Any = None) -> Any:
    return deserialize_keras_object(config, INITIALIZERS, custom_objects, "initializer")


@export("keras.initializers.get")
def get(identifier: Any) -> Any:
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        if identifier in _BY_FUNCTION:
            return INITIALIZERS[identifier]()
        return deserialize({"class_name": identifier, "config": {}})
    if callable(identifier):
        return identifier() if isinstance(identifier, type) else identifier
    raise ValueError(f"Could not interpret initializer identifier: {identifier}")


def initial(name: str, shape: Any) -> Any:
    return get(name)(shape, dtype=floatx())


def _named(name: str) -> Any:
    return lookup(name)
