"""The layers of tf.keras, by kind; serialize and deserialize find them by class name."""

from __future__ import annotations

from typing import Any

from runtime.tf1.keras.serialization import deserialize_keras_object, serialize_keras_object
from runtime.tf1.registry import EXPORTS, export


@export("keras.layers.serialize")
def serialize(layer: Any) -> Any:
    return (
        serialize_keras_object(layer)
        if not hasattr(layer, "get_config")
        else {"class_name": type(layer).__name__, "config": layer.get_config()}
    )


@export("keras.layers.deserialize")
def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """A layer from its {class_name, config}; models too."""
    known = {
        name.rpartition(".")[2]: target for name, target in EXPORTS.items() if name.startswith("keras.layers.") and isinstance(target, type)
    }
    known.update({name.rpartition(".")[2]: EXPORTS[name] for name in ("keras.models.Sequential", "keras.models.Model")})
    known["BatchNormalizationV1"] = known.get("BatchNormalization")
    return deserialize_keras_object(config, known, custom_objects, "layer")
