"""Weights that tf.keras saved as a TensorFlow checkpoint: its object graph says which tensor belongs to which layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphtools.errors import FormatError
from graphtools.formats import schema
from graphtools.formats.checkpoint import Checkpoint
from graphtools.formats.keras import Layer

OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"

# The names of weights, in an order in which every layer's own weights are in the order that Keras saves them.
_NAMES = (
    "kernel", "depthwise_kernel", "pointwise_kernel", "recurrent_kernel", "embeddings", "gamma", "beta", "alpha", "bias", "moving_mean", "moving_variance",
)  # fmt: skip


def assign(layers: Sequence[Layer], checkpoint: Checkpoint) -> None:
    """Give each layer its arrays from an object-based checkpoint. Raises FormatError."""
    if OBJECT_GRAPH not in checkpoint:
        raise FormatError(f"The checkpoint {checkpoint.path} has no object graph: it was not written by tf.keras's save_weights.")
    what = f"The object graph of {checkpoint.path}"
    nodes = schema.parse("TrackableObjectGraph", checkpoint[OBJECT_GRAPH].reshape(-1)[0], what=what).nodes
    if not nodes:
        raise FormatError(f"{what} is empty.")
    reader = _Reader(nodes, checkpoint, what)
    root = reader.children(0)
    reader.assign_layers(layers, reader.children(root["model"]) if "model" in root else root)


class _Reader:
    def __init__(self, nodes: Any, checkpoint: Checkpoint, what: str) -> None:
        self.nodes = nodes
        self.checkpoint = checkpoint
        self.what = what

    def children(self, number: int) -> dict[str, int]:
        """The numbers of an object's parts, by name."""
        if not 0 <= number < len(self.nodes):
            raise FormatError(f"{self.what} has {len(self.nodes)} objects; object {number} was asked for.")
        return {child.local_name: child.node_id for child in self.nodes[number].children}

    def assign_layers(self, layers: Sequence[Layer], parts: Mapping[str, int]) -> None:
        count = 0
        for layer in layers:
            if not any(layer.slots()):
                continue
            name = f"layer_with_weights-{count}"
            count += 1
            if name not in parts:
                raise FormatError(
                    f"{self.what} has no {name}, where the weights of the layer {layer.name!r} ({layer.class_name}) should be."
                )
            self.assign(layer, parts[name])

    def assign(self, layer: Layer, number: int) -> None:
        parts = self.children(number)
        if layer.model is not None:
            self.assign_layers(layer.model.layers, parts)
            return
        if layer.inner:
            names = {
                "Bidirectional": ["forward_layer", "backward_layer"],
                "RNN": ["cell"],
                "StackedRNNCells": [f"cell-{i}" for i in range(len(layer.inner))],
            }
            for i, (inner, name) in enumerate(zip(layer.inner, names.get(layer.class_name, ["layer"]), strict=False)):
                if name not in parts and "cells" in parts:
                    self.assign(inner, self.children(parts["cells"]).get(str(i), -1))
                elif name in parts:
                    self.assign(inner, parts[name])
                else:
                    raise FormatError(f"{self.what} has no {name!r} for the layer {layer.name!r} ({layer.class_name}).")
            return
        if "cell" in parts and "kernel" not in parts:
            parts = self.children(parts["cell"])
        keys = []
        for name in _NAMES:
            for attribute in self.nodes[parts[name]].attributes if 0 <= parts.get(name, -1) < len(self.nodes) else ():
                if attribute.name == "VARIABLE_VALUE":
                    keys.append(attribute.checkpoint_key)
        wanted = sum(layer.kind.weights(layer))
        missing = [k for k in keys if k not in self.checkpoint]
        if len(keys) != wanted or missing:
            raise FormatError(
                f"{self.what} has {len(keys) - len(missing)} weights for the layer {layer.name!r} ({layer.class_name}), which has {wanted}."
            )
        layer.arrays = [self.checkpoint[k] for k in keys]
