"""Models and weights in files, and models from configurations."""

from __future__ import annotations

import json
import os
from typing import Any

from graphtools.formats import keras_file
from runtime.tf1.keras import backend as K
from runtime.tf1.keras import optimizers
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.engine.layer import InputLayer
from runtime.tf1.keras.engine.network import json_default
from runtime.tf1.keras.serialization import CustomObjectScope
from runtime.tf1.registry import export

VERSION = {"keras_version": "2.2.4-tf", "backend": "tensorflow"}


def _is_hdf5(path: Any) -> bool:
    return str(path).endswith((".h5", ".hdf5", ".keras"))


def _layer_weights(model: Any) -> list[tuple[str, list[tuple[str, Any]]]]:
    """Every layer's weights, in the order files hold them."""
    layers = (
        model._layers
        if any(isinstance(layer, InputLayer) for layer in model._layers) and type(model).__name__ != "Sequential"
        else model.layers
    )
    variables = [v for layer in layers for v in _ordered(layer)]
    values = iter(K.batch_get_value(variables))
    return [(layer.name, [(v.name, next(values)) for v in _ordered(layer)]) for layer in layers]


def _ordered(layer: Any) -> list[Any]:
    return list(layer.trainable_weights) + list(layer.non_trainable_weights)


def _may_write(path: str, overwrite: bool) -> bool:
    if overwrite or not os.path.isfile(path):
        return True
    return input(f"[WARNING] {path} already exists - overwrite? [y/n]").strip() == "y"


@export("keras.models.save_model")
def save_model(
    model: Any,
    filepath: Any,
    overwrite: bool = True,
    include_optimizer: bool = True,
    save_format: Any = None,
    signatures: Any = None,
    options: Any = None,
) -> None:
    path = os.fspath(filepath)
    if (save_format or "h5") not in ("h5", "hdf5", "keras"):
        raise NotImplementedError(
            f"save_format={save_format!r} is not supported: save as HDF5 (save_format='h5'), or export the session's graph with tf.saved_model.simple_save."
        )
    if not _may_write(path, overwrite):
        return
    config = {"class_name": type(model).__name__, "config": model.get_config()}
    attributes = {**VERSION, "model_config": json.dumps(config, default=json_default)}
    optimizer_weights = None
    if include_optimizer and getattr(model, "optimizer", None):
        if isinstance(model.optimizer, optimizers.TFOptimizer):
            tf.logging.warning(
                "TensorFlow optimizers do not make it possible to access optimizer attributes or optimizer state after instantiation. As a result, we cannot save the optimizer as part of the model save file. You will have to compile your model again after loading it. Prefer using a Keras optimizer instead (see keras.io/optimizers)."
            )
        else:
            training = {
                "optimizer_config": {"class_name": type(model.optimizer).__name__, "config": model.optimizer.get_config()}, "loss": model.loss, "metrics": model._given_metrics,
                "weighted_metrics": model._given_weighted, "sample_weight_mode": model.sample_weight_mode, "loss_weights": model.loss_weights,
            }  # fmt: skip
            attributes["training_config"] = json.dumps(training, default=json_default)
            variables = model.optimizer.weights
            optimizer_weights = [(v.name, value) for v, value in zip(variables, K.batch_get_value(variables), strict=True)]
    keras_file.write(path, attributes, _layer_weights(model), optimizer_weights)


@export("keras.models.load_model")
def load_model(filepath: Any, custom_objects: Any = None, compile: bool = True) -> Any:
    """The model of a Keras file, compiled as it was."""
    attributes, layers, optimizer_weights = keras_file.read(os.fspath(filepath))
    if "model_config" not in attributes:
        raise ValueError("No model found in config file.")
    model = model_from_config(json.loads(attributes["model_config"]), custom_objects)
    _assign(model, layers, str(filepath))
    if compile:
        if "training_config" not in attributes:
            tf.logging.warning("No training configuration found in save file: the model was *not* compiled. Compile it manually.")
            return model
        training = json.loads(attributes["training_config"])
        with CustomObjectScope(custom_objects or {}):
            optimizer = optimizers.deserialize(training["optimizer_config"], custom_objects)
            model.compile(
                optimizer,
                _revived(training["loss"]),
                training.get("metrics"),
                training.get("loss_weights"),
                training.get("sample_weight_mode"),
                training.get("weighted_metrics"),
            )
        if optimizer_weights:
            if model._finished:
                model._make_function("train")
            if len(optimizer_weights) == len(optimizer.weights):
                _restore_optimizer(optimizer, optimizer_weights)
            else:
                tf.logging.warning(
                    "Error in loading the saved optimizer state. As a result, your model is starting with a freshly initialized optimizer."
                )
    return model


def _restore_optimizer(optimizer: Any, saved: list[tuple[str, Any]]) -> None:
    optimizer.set_weights([value for _, value in saved])


def _revived(loss: Any) -> Any:
    if isinstance(loss, dict) and "class_name" in loss:
        from runtime.tf1.keras import losses

        return losses.deserialize(loss)
    return loss


def _assign(model: Any, saved: list[tuple[str, list[tuple[str, Any]]]], where: str) -> None:
    """Weights by position: the layers that have any, in order."""
    layers = [layer for layer in model.layers if layer.weights]
    found = [(name, weights) for name, weights in saved if weights]
    if len(found) != len(layers):
        raise ValueError(f"You are trying to load a weight file containing {len(found)} layers into a model with {len(layers)} layers.")
    tuples = []
    for k, (layer, (name, weights)) in enumerate(zip(layers, found, strict=True)):
        variables = _ordered(layer)
        values = [value for _, value in weights]
        if len(values) != len(variables):
            raise ValueError(
                f'Layer #{k} (named "{layer.name}" in the current model) was found to correspond to layer {name} in the save file. However the new layer {layer.name} expects {len(variables)} weights, but the saved weights have {len(values)} elements.'
            )
        for variable, value in zip(variables, values, strict=True):
            if not variable.shape.is_compatible_with(value.shape):
                raise ValueError(
                    f"{where}: weight {variable.name} of layer {layer.name} has the shape {variable.shape}, but the file has {value.shape}."
                )
            tuples.append((variable, value))
    K.batch_set_value(tuples)


def _assign_by_name(model: Any, saved: list[tuple[str, list[tuple[str, Any]]]]) -> None:
    by_name: dict[str, list[Any]] = {}
    for layer in model.layers:
        by_name.setdefault(layer.name, []).append(layer)
    tuples = []
    for k, (name, weights) in enumerate(saved):
        for layer in by_name.get(name, []):
            variables = _ordered(layer)
            if len(weights) != len(variables):
                raise ValueError(
                    f'Layer #{k} (named "{layer.name}") expects {len(variables)} weight(s), but the saved weights have {len(weights)} element(s).'
                )
            for variable, (_, value) in zip(variables, weights, strict=True):
                if tuple(variable.shape.as_list()) != value.shape:
                    raise ValueError(
                        f'Layer #{k} (named "{layer.name}"), weight {variable} has shape {variable.shape}, but the saved weight has shape {value.shape}.'
                    )
                tuples.append((variable, value))
    K.batch_set_value(tuples)


def save_weights(model: Any, filepath: Any, overwrite: bool = True, save_format: str | None = None) -> None:
    """Weights as HDF5, or as a checkpoint where the name is not one of an HDF5 file."""
    path = os.fspath(filepath)
    if save_format is None:
        save_format = "h5" if _is_hdf5(path) else "tf"
    if save_format in ("h5", "hdf5", "keras"):
        if _may_write(path, overwrite):
            keras_file.write(path, VERSION, _layer_weights(model), nested=False)
        return
    from runtime.tf1 import client

    with client.internal_runs():
        tf.train.Saver(_keyed(model)).save(K.get_session(), path, write_meta_graph=False)


def _keyed(model: Any) -> dict[str, Any]:
    """Weights by the keys of an object-based checkpoint."""
    found: dict[str, Any] = {}
    for i, layer in enumerate(layer for layer in model.layers if layer.weights):
        for v in _ordered(layer):
            found.setdefault(
                f"layer_with_weights-{i}/{v.name.split(':')[0].rpartition('/')[2]}/.ATTRIBUTES/VARIABLE_VALUE", v
            ) if v.name.count("/") <= 1 else found.setdefault(
                f"layer_with_weights-{i}/{'/'.join(v.name.split(':')[0].split('/')[1:])}/.ATTRIBUTES/VARIABLE_VALUE", v
            )
    return found


def load_weights(model: Any, filepath: Any, by_name: bool = False) -> Any:
    path = os.fspath(filepath)
    if not model.built:
        raise ValueError(
            "Unable to load weights saved in HDF5 format into a subclassed Model which has not created its variables yet. Call the Model first, then load the weights."
        )
    if not _is_hdf5(path) and os.path.exists(f"{path}.index"):
        from runtime.tf1 import client

        with client.internal_runs():
            tf.train.Saver(_keyed(model)).restore(K.get_session(), path)
        return None
    _, layers, _ = keras_file.read(path)
    if by_name:
        _assign_by_name(model, layers)
    else:
        _assign(model, layers, path)
    return None


@export("keras.models.model_from_config")
def model_from_config(config: Any, custom_objects: Any = None) -> Any:
    from runtime.tf1.keras.layers import deserialize

    if isinstance(config, list):
        raise TypeError("`model_from_config` expects a dictionary, not a list. Maybe you meant to use `Sequential.from_config(config)`?")
    return deserialize(config, custom_objects=custom_objects)


@export("keras.models.model_from_json")
def model_from_json(json_string: str, custom_objects: Any = None) -> Any:
    return model_from_config(json.loads(json_string), custom_objects)


@export("keras.models.model_from_yaml")
def model_from_yaml(yaml_string: str, custom_objects: Any = None) -> Any:
    try:
        import yaml
    except ImportError:
        try:
            return model_from_config(json.loads(yaml_string), custom_objects)  # JSON is YAML
        except json.JSONDecodeError:
            raise ImportError("Requires yaml module installed (`pip install pyyaml`).") from None
    return model_from_config(yaml.safe_load(yaml_string), custom_objects)


def to_yaml(config: Any) -> str:
    try:
        import yaml
    except ImportError:
        return json.dumps(config, indent=2)
    return str(yaml.dump(config))


@export("keras.models.clone_model")
def clone_model(model: Any, input_tensors: Any = None, clone_function: Any = None) -> Any:
    """The same layers with new weights."""
    clone = clone_function or (lambda layer: type(layer).from_config(layer.get_config()))
    if type(model).__name__ == "Sequential":
        made = type(model)(name=model.name)
        for layer in model._layers if input_tensors is None else model.layers:
            made.add(clone(layer) if not isinstance(layer, InputLayer) else InputLayer.from_config(layer.get_config()))
        return made
    if not model._is_graph_network:
        raise ValueError("Expected `model` argument to be a functional `Model` instance, but got a subclass model instead.")
    if clone_function is None and input_tensors is None:
        return type(model).from_config(model.get_config())
    from runtime.tf1 import nest
    from runtime.tf1.keras.engine.layer import Input

    given = (
        input_tensors
        if input_tensors is not None
        else [
            Input(batch_shape=K.int_shape(t), dtype=t.dtype.name, name=layer.name)
            for t, layer in zip(model.inputs, model._input_layers, strict=True)
        ]
    )
    known = {id(t): g for t, g in zip(model.inputs, given, strict=True)}
    copies: dict[int, Any] = {}
    for depth in sorted(model._depths, reverse=True):
        for node in model._depths[depth]:
            layer = node.outbound_layer
            if isinstance(layer, InputLayer):
                continue
            if id(layer) not in copies:
                copies[id(layer)] = clone(layer)
            outputs = copies[id(layer)](nest.map_structure(lambda t: known[id(t)], node.input_tensors), **node.arguments)
            for t, o in zip(nest.flatten(node.output_tensors), nest.flatten(outputs), strict=True):
                known[id(t)] = o
    return type(model)(given, [known[id(t)] for t in model.outputs], name=model.name)
