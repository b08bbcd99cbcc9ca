"""tf.keras.regularizers."""

from __future__ import annotations

from typing import Any

from runtime.tf1.keras.backend import cast_to_floatx, floatx, tf
from runtime.tf1.keras.serialization import deserialize_keras_object, serialize_keras_object
from runtime.tf1.registry import export


@export("keras.regularizers.Regularizer")
class Regularizer:
    """A penalty on a tensor."""

    def __call__(self, x: Any) -> Any:
        return 0.0

    def get_config(self) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


@export("keras.regularizers.L1L2")
class L1L2(Regularizer):
    """l1 * sum|x| + l2 * sum x^2."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = cast_to_floatx(l1), cast_to_floatx(l2)

    def __call__(self, x: Any) -> Any:
        if not self.l1 and not self.l2:
            return tf.constant(0.0, dtype=floatx())
        penalty: Any = 0.0
        if self.l1:
            penalty += self.l1 * tf.reduce_sum(tf.abs(x))
        if self.l2:
            penalty += self.l2 * tf.reduce_sum(tf.square(x))
        return penalty

    def get_config(self) -> dict[str, Any]:
        return {"l1": float(self.l1), "l2": float(self.l2)}


@export("keras.regularizers.l1")
def l1(l: float = 0.01) -> L1L2:  # noqa: E741 - Keras' name
    return L1L2(l1=l)


@export("keras.regularizers.l2")
def l2(l: float = 0.01) -> L1L2:  # noqa: E741 - Keras' name
    return L1L2(l2=l)


@export("keras.regularizers.l1_l2")
def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    return L1L2(l1=l1, l2=l2)


REGULARIZERS = {"L1L2": L1L2, "Regularizer": Regularizer, "l1": l1, "l1_l2": l1_l2, "l2": l2}


@export("keras.regularizers.serialize")
def serialize(regularizer: Any) -> Any:
    return serialize_keras_object(regularizer)


@export("keras.regularizers.deserialize")
def deserialize(config: Any, custom_objects: Any = None) -> Any:
    return deserialize_keras_object(config, REGULARIZERS, custom_objects, "regularizer")


@export("keras.regularizers.get")
def get(identifier: Any) -> Any:
    if identifier is None or (callable(identifier) and not isinstance(identifier, str)):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        return deserialize({"class_name": identifier, "config": {}})
    raise ValueError(f"Could not interpret regularizer identifier: {identifier}")
