"""tf.keras.Sequential."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from runtime.tf1 import nest
from runtime.tf1.keras.engine.layer import Input, InputLayer, Layer
from runtime.tf1.keras.engine.training import Model
from runtime.tf1.registry import export


@export("keras.models.Sequential")
class Sequential(Model):
    """Layers one after another."""

    def __init__(self, layers: Any = None, name: str | None = None) -> None:
        super().__init__(name=name)
        self.supports_masking = True
        self._build_input_shape: Any = None
        self.inputs = self.outputs = None
        for layer in (layers if isinstance(layers, list | tuple) else [layers]) if layers else ():
            self.add(layer)

    @property
    def layers(self) -> list[Any]:
        layers = list(self._layers)
        return layers[1:] if layers and isinstance(layers[0], InputLayer) else layers

    def add(self, layer: Any) -> None:
        if not isinstance(layer, Layer):
            raise TypeError(f"The added layer must be an instance of class Layer. Found: {layer}")
        self.built = False
        started = False
        if not self._layers:
            if isinstance(layer, InputLayer):
                outputs = nest.flatten(layer._inbound_nodes[-1].output_tensors)
                if len(outputs) != 1:
                    raise ValueError(
                        "All layers in a Sequential model should have a single output tensor. For multi-output layers, use the functional API."
                    )
                self.outputs = outputs
                started = True
            else:
                shape, dtype = _first_shape(layer)
                if shape is not None:
                    x = Input(batch_shape=shape, dtype=dtype, name=f"{layer.name}_input")
                    self.outputs = nest.flatten(layer(x))
                    self._layers.append(x._keras_history[0])
                    started = True
            if started:
                if len(self.outputs or ()) != 1:
                    raise ValueError(
                        "All layers in a Sequential model should have a single output tensor. For multi-output layers, use the functional API."
                    )
                self.inputs = _sources(self.outputs[0])  # type: ignore[index]
        elif self.outputs:
            output = layer(self.outputs[0])
            if isinstance(output, list | tuple):
                raise TypeError(
                    "All layers in a Sequential model should have a single output tensor. For multi-output layers, use the functional API."
                )
            self.outputs = [output]
        if self.outputs:
            self._layers.append(layer)
            kept = list(self._layers)
            self._init_graph(self.inputs, self.outputs)
            object.__setattr__(self, "_layers", kept)
            self.built = True
        else:
            self._layers.append(layer)

    def pop(self) -> None:
        if not self.layers:
            raise TypeError("There are no layers in the model.")
        layer = self._layers.pop()
        if not self.layers:
            self.outputs = self.inputs = None
            self.built = False
        elif self._is_graph_network:
            self.layers[-1]._outbound_nodes = []
            self.outputs = nest.flatten(self.layers[-1].output)
            kept = list(self._layers)
            self._init_graph(self.inputs, self.outputs)
            object.__setattr__(self, "_layers", kept)
        del layer

    def build(self, input_shape: Any = None) -> None:
        if self._is_graph_network:
            self.built = True
            return
        if input_shape is None:
            raise ValueError("You must provide an `input_shape` argument.")
        self._build_input_shape = input_shape
        super().build(input_shape)

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if self._is_graph_network:
            return self._run_graph(inputs, training, mask)
        outputs = inputs
        for layer in self.layers:
            arguments: dict[str, Any] = {}
            if layer._expects_mask:
                arguments["mask"] = mask
            if layer._expects_training:
                arguments["training"] = training
            outputs = layer(inputs, **arguments)
            inputs = outputs
            mask = getattr(outputs, "_keras_mask", None)
        return outputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        for layer in self.layers:
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    def predict_proba(self, x: Any, batch_size: int = 32, verbose: int = 0) -> Any:
        return self.predict(x, batch_size, verbose)

    def predict_classes(self, x: Any, batch_size: int = 32, verbose: int = 0) -> Any:
        proba = self.predict(x, batch_size=batch_size, verbose=verbose)
        return proba.argmax(axis=-1) if proba.shape[-1] > 1 else (proba > 0.5).astype("int32")

    def get_config(self) -> dict[str, Any]:
        from runtime.tf1.keras.layers import serialize

        config: dict[str, Any] = {"name": self.name, "layers": copy.deepcopy([serialize(layer) for layer in self.layers])}
        if not self._is_graph_network and self._build_input_shape is not None:
            config["build_input_shape"] = self._build_input_shape
        return config

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
        from runtime.tf1.keras.layers import deserialize

        if isinstance(config, dict):
            name, configs, shape = config.get("name"), config["layers"], config.get("build_input_shape")
        else:
            name, configs, shape = None, config, None
        model = cls(name=name)
        for each in configs:
            model.add(deserialize(each, custom_objects=custom_objects))
        if not model.inputs and shape:
            model.build(shape)
        return model


def _first_shape(layer: Any) -> tuple[Any, Any]:
    """The batch shape and dtype the first layer asks for, looking into nested models."""
    while True:
        shape = getattr(layer, "_batch_input_shape", None)
        if shape is not None:
            return tuple(None if d is None else int(np.int64(d)) for d in shape), layer.dtype if layer.dtype is not None else None
        if not (hasattr(layer, "layers") and layer.layers):
            return None, None
        if getattr(layer, "inputs", None):
            return tuple(layer.inputs[0].shape.as_list()), layer.inputs[0].dtype.name
        layer = layer.layers[0]


def _sources(tensor: Any) -> list[Any]:
    """The inputs a tensor is computed from."""
    layer, index, _ = tensor._keras_history
    node = layer._inbound_nodes[index]
    if not node.inbound_layers:
        return nest.flatten(node.input_tensors)
    found: list[Any] = []
    for t in node.keras_inputs:
        for s in _sources(t):
            if not any(s is f for f in found):
                found.append(s)
    return found


@export("keras.utils.get_source_inputs")
def get_source_inputs(tensor: Any, layer: Any = None, node_index: Any = None) -> list[Any]:
    return _sources(tensor)
