"""Graphs of layers: how they are found, called again, saved and printed."""

from __future__ import annotations

import copy
import inspect
import json
from typing import Any

import numpy as np

from runtime.tf1 import nest
from runtime.tf1.keras import backend as K
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.engine.layer import InputLayer, Layer, Node
from runtime.tf1.keras.serialization import unpack
from runtime.tf1.tensor_shape import TensorShape, as_dims


class Network(Layer):
    """A directed acyclic graph of layers, itself a layer; or, subclassed, any composition of layers."""

    _is_graph_network = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        graph = len(args) == 2 or (len(args) == 1 and "outputs" in kwargs) or ("inputs" in kwargs and "outputs" in kwargs)
        name = kwargs.pop("name", args[2] if len(args) > 2 else None)
        if graph or len(args) == 3:
            inputs = args[0] if args else kwargs.pop("inputs")
            outputs = args[1] if len(args) > 1 else kwargs.pop("outputs")
            trainable = kwargs.pop("trainable", True)
            kwargs.pop("inputs", None)
            kwargs.pop("outputs", None)
            super().__init__(name=name, trainable=trainable)
            self._init_graph(inputs, outputs)
        else:
            super().__init__(name=name, **{k: v for k, v in kwargs.items() if k in ("trainable", "dtype", "dynamic")})
            self.inputs: list[Any] | None = None
            self.outputs: list[Any] | None = None

    def _init_graph(self, inputs: Any, outputs: Any) -> None:
        if isinstance(inputs, list) and len(inputs) == 1:
            inputs = inputs[0]
        if isinstance(outputs, list) and len(outputs) == 1:
            outputs = outputs[0]
        flat_in, flat_out = nest.flatten(inputs), nest.flatten(outputs)
        if len({id(t) for t in flat_in}) != len(flat_in):
            raise ValueError(f"The list of inputs passed to the model is redundant. All inputs should only appear once. Found: {inputs}")
        for t in flat_in:
            if not hasattr(t, "_keras_history"):
                raise ValueError(
                    f"Input tensors to a {type(self).__name__} must come from `tf.keras.Input`. Received: {t} (missing previous layer metadata)."
                )
        if any(not hasattr(t, "_keras_history") for t in flat_out):
            from runtime.tf1.keras.engine.op_layer import create_keras_history

            create_keras_history(flat_out)
        for t in flat_out:
            if not hasattr(t, "_keras_history"):
                raise ValueError(
                    f"Output tensors to a {type(self).__name__} must be the output of a TensorFlow `Layer` (thus holding past layer metadata). Found: {t}"
                )
        self._is_graph_network = True
        self._nested_inputs, self._nested_outputs = inputs, outputs
        self.inputs, self.outputs = flat_in, flat_out
        self.built = True
        self._nodes, self._depths, layers, self._layer_depths = map_graph(flat_in, flat_out)
        self._layers = layers
        self._input_layers = [t._keras_history[0] for t in flat_in]
        self._output_layers = [t._keras_history[0] for t in flat_out]
        self._input_coordinates = [t._keras_history for t in flat_in]
        self._output_coordinates = [t._keras_history for t in flat_out]
        self.input_names = [layer.name for layer in self._input_layers]
        self.output_names = _unique_names([layer.name for layer in self._output_layers])
        self._feed_input_names = [layer.name for layer in self._input_layers if getattr(layer, "is_placeholder", False)]
        self._feed_inputs = [t for t, layer in zip(flat_in, self._input_layers, strict=True) if getattr(layer, "is_placeholder", False)]
        self._feed_input_shapes = [K.int_shape(t) for t in self._feed_inputs]
        node = Node.__new__(Node)
        node.outbound_layer, node.arguments = self, {}
        node.input_tensors, node.output_tensors = inputs, outputs
        node.keras_inputs, node.inbound_layers, node.node_indices, node.tensor_indices = [], [], [], []
        node.input_shapes, node.output_shapes = nest.map_structure(K.int_shape, inputs), nest.map_structure(K.int_shape, outputs)
        # The first node of a model is the model itself; a Sequential's changes as it grows.
        self._inbound_nodes[:1] = [node]
        names = [layer.name for layer in layers]
        for name in names:
            if names.count(name) != 1:
                raise ValueError(f'The name "{name}" is used {names.count(name)} times in the model. All layer names should be unique.')
        if self.outputs and all(hasattr(t, "_keras_mask") for t in flat_out):
            self.supports_masking = True

    # -- what it holds -----------------------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Any]:
        return list(self._layers)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        if index is not None:
            if len(self.layers) <= index:
                raise ValueError(f"Was asked to retrieve layer at index {index} but model only has {len(self.layers)} layers.")
            return self.layers[index]
        if not name:
            raise ValueError("Provide either a layer name or layer index.")
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ValueError(f"No such layer: {name}")

    @property
    def weights(self) -> list[Any]:
        found = []
        for layer in self._layers:
            found.extend(layer.weights)
        return found + self._trainable_weights + self._non_trainable_weights

    @property
    def trainable_weights(self) -> list[Any]:
        if not self.trainable:
            return []
        return self._trainable_weights + self._children("trainable_weights")

    @property
    def state_updates(self) -> list[Any]:
        found = []
        for layer in self.layers:
            if getattr(layer, "stateful", False) and hasattr(layer, "updates"):
                found.extend(layer.updates)
        return found

    @property
    def stateful(self) -> bool:
        return any(getattr(layer, "stateful", False) for layer in self._layers)

    @stateful.setter
    def stateful(self, value: Any) -> None:
        """Told by the layers."""

    def reset_states(self) -> None:
        for layer in self.layers:
            if hasattr(layer, "reset_states") and getattr(layer, "stateful", False):
                layer.reset_states()

    def get_weights(self) -> list[Any]:
        found = []
        for layer in self.layers:
            found.extend(layer.weights)
        return K.batch_get_value(found + self._trainable_weights + self._non_trainable_weights)

    def set_weights(self, weights: Any) -> None:
        tuples: list[Any] = []
        params = self.weights
        if len(params) != len(weights):
            raise ValueError(
                f'You called `set_weights(weights)` on layer "{self.name}" with a  weight list of length {len(weights)}, but the layer was expecting {len(params)} weights. '
                f"Provided weights: {str(weights)[:50]}..."
            )
        for p, w in zip(params, weights, strict=True):
            if not p.shape.is_compatible_with(np.shape(w)):
                raise ValueError(f"Layer weight shape {p.shape} not compatible with provided weight shape {np.shape(w)}")
            tuples.append((p, w))
        K.batch_set_value(tuples)

    def _maybe_build(self, inputs: Any) -> None:
        """A model that is only a `call` is built by being called."""
        if not self._is_graph_network and not self.built and type(self).build.__module__.startswith(__name__.rpartition(".")[0]):
            object.__setattr__(self, "built", True)
            return
        super()._maybe_build(inputs)

    # -- calling -------------------------------------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        if self._is_graph_network or self.built:
            self.built = True
            return
        if input_shape is None:
            raise ValueError("Input shape must be defined when calling build on a model subclass network.")
        from runtime.tf1.graph import Graph

        if type(self).call is Network.call:
            raise NotImplementedError("When subclassing the `Model` class, you should implement a `call` method.")
        del Graph
        many = isinstance(input_shape, list)
        with tf.name_scope(self._scope()):
            inputs = [K.placeholder(shape=as_dims(s)) for s in (input_shape if many else [input_shape])]
            arguments = (
                {"training": K.learning_phase()} if self._expects_training and "training" in inspect.signature(self.call).parameters else {}
            )
            self.call(inputs if many else inputs[0], **arguments)
        self.built = True

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        if not self._is_graph_network:
            raise NotImplementedError("When subclassing the `Model` class, you should implement a `call` method.")
        return self._run_graph(inputs, training, mask)

    def _run_graph(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        flat = nest.flatten(inputs)
        masks = [None] * len(flat) if mask is None else nest.flatten(mask)
        known: dict[int, Any] = {}
        for x, y, m in zip(self.inputs or (), flat, masks, strict=True):
            if m is not None:
                y._keras_mask = m
            known[id(x)] = y
        for depth in sorted(self._depths, reverse=True):
            for node in self._depths[depth]:
                layer = node.outbound_layer
                if all(id(t) in known for t in nest.flatten(node.output_tensors)):
                    continue
                if not all(id(t) in known for t in nest.flatten(node.input_tensors) if hasattr(t, "_keras_history")):
                    continue
                mapped = nest.map_structure(lambda t: known.get(id(t), t), node.input_tensors)
                arguments = {
                    k: nest.map_structure(lambda t: known.get(id(t), t), v) if k != "mask" or v is not None else v
                    for k, v in node.arguments.items()
                }
                if layer._expects_training and "training" not in arguments and training is not None:
                    arguments["training"] = training
                outputs = layer(mapped, **arguments)
                for x, y in zip(nest.flatten(node.output_tensors), nest.flatten(outputs), strict=True):
                    known[id(x)] = y
        for x in self.outputs or ():
            if id(x) not in known:
                raise ValueError(f"Could not compute output {x}")
        return nest.pack_sequence_as(self._nested_outputs, [known[id(x)] for x in self.outputs or ()])

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if not self._is_graph_network:
            return None
        return getattr(self, "_last_masks", None)

    def _set_masks(self, inputs: Any, outputs: Any, previous: Any) -> None:
        """The last layers have set the masks."""

    def compute_output_shape(self, input_shape: Any) -> Any:
        if not self._is_graph_network:
            return super().compute_output_shape(input_shape)
        shapes = (
            input_shape
            if isinstance(input_shape, list) and input_shape and not isinstance(input_shape[0], int | type(None))
            else [input_shape]
        )
        known = {id(t): TensorShape(as_dims(s)) for t, s in zip(self.inputs or (), shapes, strict=True)}
        for depth in sorted(self._depths, reverse=True):
            for node in self._depths[depth]:
                if isinstance(node.outbound_layer, InputLayer):
                    continue
                given = nest.map_structure(lambda t: known.get(id(t), t.shape), node.input_tensors)
                made = node.outbound_layer.compute_output_shape(given)
                for t, s in zip(nest.flatten(node.output_tensors), made if isinstance(made, list) else [made], strict=True):
                    known[id(t)] = TensorShape(as_dims(s))
        return unpack([known[id(t)] for t in self.outputs or ()])

    # -- configuration and weights files -------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        if not self._is_graph_network:
            raise NotImplementedError
        from runtime.tf1.keras.layers import serialize

        numbers: dict[int, int] = {}
        for layer in self.layers:
            kept = 0
            for i, node in enumerate(layer._inbound_nodes):
                if id(node) in self._nodes:
                    numbers[id(node)] = kept
                    kept += 1
                del i
        configs = []
        for layer in self.layers:
            inbound = []
            for node in layer._inbound_nodes:
                if id(node) not in self._nodes or not node.inbound_layers:
                    continue
                arguments = {k: v for k, v in node.arguments.items() if _is_json(v)}
                data: list[Any] = []
                for t in nest.flatten(node.input_tensors):
                    if not hasattr(t, "_keras_history"):
                        continue
                    source, index, tensor_index = t._keras_history
                    data.append([source.name, numbers.get(id(source._inbound_nodes[index]), 0), tensor_index, arguments])
                inbound.append(data)
            made = serialize(layer)
            configs.append({"name": layer.name, "class_name": made["class_name"], "config": made["config"], "inbound_nodes": inbound})

        def place(coordinates: Any) -> list[Any]:
            return [[layer.name, numbers.get(id(layer._inbound_nodes[i]), 0), j] for layer, i, j in coordinates]

        return copy.deepcopy(
            {
                "name": self.name,
                "layers": configs,
                "input_layers": place(self._input_coordinates),
                "output_layers": place(self._output_coordinates),
            }
        )

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        from runtime.tf1.keras.layers import deserialize

        made: dict[str, Any] = {}
        pending: list[tuple[Any, Any]] = []
        for entry in config["layers"]:
            layer = deserialize(
                {"class_name": entry["class_name"], "config": {**entry["config"], "name": entry["config"].get("name", entry["name"])}}
                if entry["class_name"] != "Sequential" or isinstance(entry["config"], dict)
                else entry,
                custom_objects=custom_objects,
            )
            made[entry["name"]] = layer
            pending.extend((layer, data) for data in entry["inbound_nodes"])
        while pending:
            waiting = []
            for layer, data in pending:
                entries = _node_entries(data)
                if any(name not in made or len(made[name]._inbound_nodes) <= index for name, index, _, _ in entries) or any(
                    other is layer for other, _ in waiting
                ):
                    waiting.append((layer, data))
                    continue
                tensors = [nest.flatten(made[name]._inbound_nodes[index].output_tensors)[j] for name, index, j, _ in entries]
                layer(unpack(tensors), **entries[0][3])
            if len(waiting) == len(pending):
                raise ValueError(
                    f"The model's configuration does not connect: the inputs of {sorted({layer.name for layer, _ in waiting})} are missing."
                )
            pending = waiting

        def tensors_at(places: Any) -> list[Any]:
            if places and isinstance(places[0], str):
                places = [places]
            return [nest.flatten(made[name]._inbound_nodes[index].output_tensors)[j] for name, index, j in places]

        return cls(inputs=tensors_at(config["input_layers"]), outputs=tensors_at(config["output_layers"]), name=config.get("name"))

    def _updated_config(self) -> dict[str, Any]:
        return {"class_name": type(self).__name__, "config": self.get_config(), "keras_version": "2.2.4-tf", "backend": "tensorflow"}

    def to_json(self, **kwargs: Any) -> str:
        return json.dumps(self._updated_config(), default=json_default, **kwargs)

    def to_yaml(self, **kwargs: Any) -> str:
        from runtime.tf1.keras.engine import saving

        return saving.to_yaml(json.loads(self.to_json()))

    def save(
        self,
        filepath: Any,
        overwrite: bool = True,
        include_optimizer: bool = True,
        save_format: Any = None,
        signatures: Any = None,
        options: Any = None,
    ) -> None:
        from runtime.tf1.keras.engine import saving

        saving.save_model(self, filepath, overwrite, include_optimizer, save_format)

    def save_weights(self, filepath: Any, overwrite: bool = True, save_format: str | None = None) -> None:
        from runtime.tf1.keras.engine import saving

        saving.save_weights(self, filepath, overwrite, save_format)

    def load_weights(self, filepath: Any, by_name: bool = False) -> Any:
        from runtime.tf1.keras.engine import saving

        return saving.load_weights(self, filepath, by_name)

    def summary(self, line_length: int | None = None, positions: Any = None, print_fn: Any = None) -> None:
        from runtime.tf1.keras.engine.summary import print_summary

        if not self.built:
            raise ValueError(
                "This model has not yet been built. Build the model first by calling `build()` or calling `fit()` with some data, or specify an `input_shape` argument in the first layer(s) for automatic build."
            )
        print_summary(self, line_length, positions, print_fn)


def _node_entries(data: Any) -> list[tuple[str, int, int, dict[str, Any]]]:
    """(layer, node, tensor, arguments) of each input of a node, in either generation's notation."""
    if data and isinstance(data[0], str):
        data = [data]
    return [(e[0], e[1], e[2], dict(e[3]) if len(e) > 3 else {}) for e in data]


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except TypeError:
        return False
    return True


def json_default(value: Any) -> Any:
    """NumPy values, shapes and types as JSON."""
    if hasattr(value, "get_config"):
        return {"class_name": type(value).__name__, "config": value.get_config()}
    if isinstance(value, np.ndarray):
        return {"type": type(value).__name__, "value": value.tolist()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, TensorShape):
        return value.as_list()
    if callable(value) or isinstance(value, type):
        return value.__name__
    if hasattr(value, "name"):
        return value.name
    raise TypeError("Not JSON Serializable:", value)


def _unique_names(names: list[str]) -> list[str]:
    """Names of outputs: a layer that has two gets a number on the second."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        if name in seen:
            seen[name] += 1
            found.append(f"{name}_{seen[name]}")
        else:
            seen[name] = 0
            found.append(name)
    return found


def map_graph(inputs: list[Any], outputs: list[Any]) -> tuple[dict[int, Any], dict[int, list[Any]], list[Any], dict[int, int]]:
    """Nodes by id, nodes by depth, layers in Keras' order, and depths of layers: the longest way to an output."""
    order: list[Any] = []
    layer_index: dict[int, int] = {}
    finished: set[int] = set()
    progress: set[int] = set()
    wanted = {id(t) for t in inputs}

    def visit(tensor: Any) -> None:
        layer, index, _ = tensor._keras_history
        node = layer._inbound_nodes[index]
        stack: list[tuple[Any, Any]] = []

        def enter(each: Any) -> None:
            progress.add(id(each))
            layer_index.setdefault(id(each.outbound_layer), len(layer_index))
            stack.append((each, iter([t._keras_history for t in each.keras_inputs])))

        if id(node) in finished:
            return
        enter(node)
        while stack:
            each, parents = stack[-1]
            for parent_layer, parent_index, _j in parents:
                parent = parent_layer._inbound_nodes[parent_index]
                if id(parent) in finished:
                    continue
                if id(parent) in progress:
                    raise ValueError(f"The tensors of layer {parent_layer.name!r} form a cycle.")
                enter(parent)
                break
            else:
                stack.pop()
                progress.discard(id(each))
                finished.add(id(each))
                order.append(each)

    for tensor in outputs:
        visit(tensor)
    depths: dict[int, int] = {}
    layer_depths: dict[int, int] = {}
    layers: dict[int, Any] = {}
    for node in reversed(order):
        layer = node.outbound_layer
        depth = max(depths.get(id(node), 0), layer_depths.get(id(layer), 0))
        layer_depths[id(layer)] = depth
        layers[id(layer)] = layer
        depths[id(node)] = depth
        for parent in node.parents:
            depths[id(parent)] = max(depth + 1, depths.get(id(parent), 0))
    for tensor in inputs:
        layer = tensor._keras_history[0]
        if id(layer) not in layers:
            layers[id(layer)] = layer
            layer_depths[id(layer)] = 0
            layer_index[id(layer)] = -1
            depths[id(layer._inbound_nodes[0])] = 0
            order.append(layer._inbound_nodes[0])
    # A node below several others takes its layer's depth, which a later one may have raised.
    by_depth: dict[int, list[Any]] = {}
    for node in order:
        by_depth.setdefault(depths[id(node)], []).append(node)
    ordered = sorted(layers.values(), key=lambda layer: (-layer_depths[id(layer)], layer_index[id(layer)]))
    computable = set(wanted)
    for depth in sorted(by_depth, reverse=True):
        for node in by_depth[depth]:
            if (
                isinstance(node.outbound_layer, InputLayer)
                and not node.keras_inputs
                and not any(id(t) in wanted for t in nest.flatten(node.output_tensors))
            ):
                raise ValueError(
                    f'Graph disconnected: cannot obtain value for tensor {nest.flatten(node.output_tensors)[0]} at layer "{node.outbound_layer.name}". '
                    f"The following previous layers were accessed without issue: {[layer.name for layer in ordered if not isinstance(layer, InputLayer)][:0]}"
                )
            computable.update(id(t) for t in nest.flatten(node.output_tensors))
    return {id(n): n for n in order}, by_depth, ordered, layer_depths
