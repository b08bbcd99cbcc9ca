"""tf.keras.layers.Layer: weights, name scopes, the nodes that connect layers."""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphtools import graph as base
from graphtools.dtypes import as_dtype
from runtime.tf1 import nest
from runtime.tf1.graph import get_default_graph
from runtime.tf1.keras import backend as K
from runtime.tf1.keras import constraints, initializers, regularizers
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.serialization import snake, unpack
from runtime.tf1.layer import InputSpec
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape, as_dims
from runtime.tf1.variables import ResourceVariable, Variable

_calls = threading.local()


@contextlib.contextmanager
def _calling(training: Any) -> Iterator[None]:
    """The training flag a layer passes to the layers it calls."""
    previous = getattr(_calls, "training", None)
    _calls.training = training
    try:
        yield
    finally:
        _calls.training = previous


class Node:
    """One call of a layer: which tensors went in and which came out."""

    def __init__(self, layer: Any, inputs: Any, outputs: Any, arguments: dict[str, Any]) -> None:
        self.outbound_layer = layer
        self.input_tensors, self.output_tensors = inputs, outputs
        self.arguments = arguments
        self.keras_inputs = [t for t in nest.flatten(inputs) if hasattr(t, "_keras_history")]
        history = [t._keras_history for t in self.keras_inputs]
        self.inbound_layers = [h[0] for h in history]
        self.node_indices = [h[1] for h in history]
        self.tensor_indices = [h[2] for h in history]
        for inbound in self.inbound_layers:
            inbound._outbound_nodes.append(self)
        layer._inbound_nodes.append(self)
        self.input_shapes = nest.map_structure(K.int_shape, inputs)
        self.output_shapes = nest.map_structure(K.int_shape, outputs)

    @property
    def parents(self) -> list[Node]:
        return [layer._inbound_nodes[i] for layer, i in zip(self.inbound_layers, self.node_indices, strict=True)]


def make_variable(
    name: str,
    shape: Any,
    dtype: Any,
    initializer: Any,
    trainable: bool = True,
    constraint: Any = None,
    collections: Any = None,
    **unused: Any,
) -> Any:
    """A resource variable whose initial value is drawn under its own name."""
    dims = as_dims(shape)
    dtype = as_dtype(dtype).base_dtype

    def value() -> Any:
        return initializer(tuple(dims), dtype=dtype)

    if not callable(initializer):
        return ResourceVariable(
            lambda: tf.convert_to_tensor(initializer, dtype, name="initial_value"),
            trainable=trainable,
            dtype=dtype,
            name=name,
            constraint=constraint,
            collections=collections,
        )
    if isinstance(initializer, type):
        initializer = initializer()
    return ResourceVariable(value, trainable=trainable, dtype=dtype, name=name, constraint=constraint, collections=collections)


_ALLOWED = {"input_shape", "batch_input_shape", "batch_size", "weights", "activity_regularizer", "autocast", "input_dim", "input_dtype"}


@export("keras.layers.Layer")
class Layer:
    """A layer of a Keras model."""

    _is_graph_network = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__new__(cls)
        object.__setattr__(made, "_layers", [])
        object.__setattr__(made, "_trainable_weights", [])
        object.__setattr__(made, "_non_trainable_weights", [])
        return made

    def __init__(self, trainable: bool = True, name: str | None = None, dtype: Any = None, dynamic: bool = False, **kwargs: Any) -> None:
        unknown = sorted(set(kwargs) - _ALLOWED)
        if unknown:
            raise TypeError("Keyword argument not understood:", unknown[0])
        self._trainable = trainable
        self.stateful = False
        self.built = False
        self._input_spec: Any = None
        self.supports_masking = False
        self._init_name(name)
        self._activity_regularizer = kwargs.get("activity_regularizer")
        self._updates: list[Any] = []
        self._callable_losses: list[Any] = []
        self._losses: list[Any] = []
        self._metrics: list[Any] = []
        self._dtype = None if dtype is None else as_dtype(dtype).name
        self._inbound_nodes: list[Node] = []
        self._outbound_nodes: list[Node] = []
        self._dynamic = dynamic
        self._initial_weights = kwargs.get("weights")
        if kwargs.get("batch_input_shape") is not None:
            self._batch_input_shape = tuple(kwargs["batch_input_shape"])
        elif kwargs.get("input_shape") is not None:
            self._batch_input_shape = (kwargs.get("batch_size"), *kwargs["input_shape"])
        elif kwargs.get("input_dim") is not None:
            self._batch_input_shape = (kwargs.get("batch_size"), kwargs["input_dim"])
        parameters = inspect.signature(self.call).parameters
        self._expects_training = "training" in parameters
        self._expects_mask = "mask" in parameters

    def _init_name(self, name: str | None) -> None:
        self._name = name if name else K.unique_object_name(snake(type(self).__name__), zero_based=True)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") or name == "_self":
            self._track(value)
        object.__setattr__(self, name, value)

    def _track(self, value: Any) -> None:
        if isinstance(value, Layer):
            if not any(layer is value for layer in self._layers):
                self._layers.append(value)
        elif isinstance(value, Variable):
            if value.trainable:
                known = self._trainable_weights
            else:
                known = self._non_trainable_weights
            if not any(w is value for w in self._trainable_weights + self._non_trainable_weights):
                known.append(value)
                K.track_variable(value)
        elif isinstance(value, list | tuple) and value and not isinstance(value, TensorShape):
            for item in value:
                if isinstance(item, Layer):
                    self._track(item)
        elif isinstance(value, dict):
            for item in value.values():
                if isinstance(item, Layer):
                    self._track(item)

    # -- what it is --------------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self._name

    @property
    def dtype(self) -> Any:
        return self._dtype

    @property
    def dynamic(self) -> bool:
        return self._dynamic

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = value
        for layer in self._layers:
            layer.trainable = value

    @property
    def activity_regularizer(self) -> Any:
        return self._activity_regularizer

    @activity_regularizer.setter
    def activity_regularizer(self, value: Any) -> None:
        self._activity_regularizer = value

    @property
    def input_spec(self) -> Any:
        return self._input_spec

    @input_spec.setter
    def input_spec(self, value: Any) -> None:
        self._input_spec = value

    def _children(self, attribute: str) -> list[Any]:
        found = []
        for layer in self._layers:
            found.extend(getattr(layer, attribute))
        return found

    @property
    def trainable_weights(self) -> list[Any]:
        return self._trainable_weights + self._children("trainable_weights") if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Any]:
        if self.trainable:
            return self._non_trainable_weights + self._children("non_trainable_weights")
        return self._trainable_weights + self._non_trainable_weights + self._children("weights")

    @property
    def weights(self) -> list[Any]:
        return self.trainable_weights + self.non_trainable_weights

    @property
    def variables(self) -> list[Any]:
        return self.weights

    @property
    def trainable_variables(self) -> list[Any]:
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Any]:
        return self.non_trainable_weights

    @property
    def updates(self) -> list[Any]:
        if not self.trainable and not self.stateful:
            return []
        return self._updates + self._children("updates")

    @property
    def losses(self) -> list[Any]:
        found = list(self._losses)
        for make in self._callable_losses:
            loss = make()
            if loss is not None:
                found.append(loss)
        return found + self._children("losses")

    @property
    def metrics(self) -> list[Any]:
        return self._metrics + self._children("metrics")

    # -- losses, updates, metrics --------------------------------------------------------------------------------------

    def add_loss(self, losses: Any, inputs: Any = None) -> None:
        for loss in nest.flatten(losses):
            if callable(loss):
                self._callable_losses.append(_unconditional(loss))
                continue
            loss = tf.convert_to_tensor(loss)
            loss._unconditional_loss = inputs is None
            self._losses.append(loss)

    def add_update(self, updates: Any, inputs: Any = None) -> None:
        for each in updates if isinstance(updates, list | tuple) else [updates]:
            update = each() if callable(each) and not hasattr(each, "op") else each
            update = tf.assign(*update) if isinstance(update, tuple) else update
            update = update.op if hasattr(update, "op") else update
            sources = nest.flatten(inputs) if inputs is not None else nest.flatten(getattr(self, "_current_inputs", []))
            update._unconditional_update = not _reaches(sources, update)
            self._updates.append(update)

    def add_metric(self, value: Any, aggregation: str | None = None, name: str | None = None) -> None:
        from runtime.tf1.keras import metrics as metric_module

        if aggregation is not None and aggregation != "mean":
            raise ValueError(f"We currently support only `mean` sample-wise metric aggregation. You provided aggregation=`{aggregation}`")
        if aggregation is None and not hasattr(value, "_metric_obj"):
            raise ValueError(
                "Using the result of calling a `Metric` object when calling `add_metric` requires the Metric; pass aggregation='mean' for a tensor."
            )
        if hasattr(value, "_metric_obj"):
            self._metrics.append(value._metric_obj)
            return
        found = next((m for m in self._metrics if m.name == name), None)
        if found is None:
            found = metric_module.Mean(name=name or "mean")
            self._metrics.append(found)
        found(value)

    def get_losses_for(self, inputs: Any) -> list[Any]:
        losses = self.losses
        if inputs is None:
            return [x for x in losses if getattr(x, "_unconditional_loss", False)]
        conditional = [x for x in losses if not getattr(x, "_unconditional_loss", False)]
        return [x for x in conditional if _reaches(nest.flatten(inputs), x)]

    def get_updates_for(self, inputs: Any) -> list[Any]:
        updates = self.updates
        if inputs is None:
            return [u for u in updates if getattr(u, "_unconditional_update", False)]
        return [u for u in updates if not getattr(u, "_unconditional_update", False) and _reaches(nest.flatten(inputs), u)]

    # -- weights ---------------------------------------------------------------------------------------------------------

    def add_weight(
        self, name: str | None = None, shape: Any = None, dtype: Any = None, initializer: Any = None, regularizer: Any = None, trainable: bool | None = None, constraint: Any = None,
        partitioner: Any = None, use_resource: Any = None, synchronization: Any = None, aggregation: Any = None, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Make a weight of the layer; its penalty is among the layer's losses."""
        if isinstance(name, tuple | list | TensorShape) and (shape is None or isinstance(shape, str)):
            name, shape = shape, name
        dtype = as_dtype(dtype or self._dtype or K.floatx())
        if self._dtype is None:
            self._dtype = dtype.base_dtype.name
        initializer, regularizer, constraint = (
            initializers.get(initializer) if not isinstance(initializer, float | int) else initializer,
            regularizers.get(regularizer),
            constraints.get(constraint),
        )
        trainable = True if trainable is None else trainable
        if initializer is None:
            initializer = initializers.get("glorot_uniform" if dtype.is_floating else "zeros")
        variable = make_variable(
            name or "Variable", () if shape is None else shape, dtype, initializer, trainable, constraint, kwargs.get("collections")
        )
        K.track_variable(variable)
        if regularizer is not None:

            def penalty() -> Any:
                with tf.name_scope(f"{variable.op.name}/Regularizer"):
                    return regularizer(variable)

            self._callable_losses.append(_unconditional(penalty))
        (self._trainable_weights if trainable else self._non_trainable_weights).append(variable)
        return variable

    add_variable = add_weight

    def get_weights(self) -> list[Any]:
        return K.batch_get_value(self.weights)

    def set_weights(self, weights: Any) -> None:
        params = self.weights
        if len(params) != len(weights):
            raise ValueError(
                f'You called `set_weights(weights)` on layer "{self.name}" with a  weight list of length {len(weights)}, but the layer was expecting {len(params)} weights. '
                f"Provided weights: {str(weights)[:50]}..."
            )
        for p, w in zip(params, weights, strict=True):
            shape = np.shape(w)
            if not p.shape.is_compatible_with(shape):
                raise ValueError(f"Layer weight shape {p.shape} not compatible with provided weight shape {shape}")
        K.batch_set_value(list(zip(params, weights, strict=True)))

    def count_params(self) -> int:
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on {self.name}, but the layer isn't built. You can build it manually via: `{self.name}.build(batch_input_shape)`."
            )
        return sum(int(np.prod(w.shape.as_list())) for w in self.weights)

    # -- building and calling --------------------------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        self.built = True

    def call(self, inputs: Any, **kwargs: Any) -> Any:
        return inputs

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if not self.supports_masking:
            if any(m is not None for m in nest.flatten(mask)):
                raise TypeError(f"Layer {self.name} does not support masking, but was passed an input_mask: {mask}")
            return None
        return mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Found by calling the layer in a graph of its own."""
        from runtime.tf1.graph import Graph

        with Graph().as_default():
            many = isinstance(input_shape, list)
            shapes = input_shape if many else [input_shape]
            tensors = [tf.placeholder(self._dtype or K.floatx(), as_dims(s)) for s in shapes]
            outputs = self(tensors if many else tensors[0])
            return nest.map_structure(lambda t: t.shape, outputs)

    def _scope(self) -> str:
        return self._name

    def _maybe_build(self, inputs: Any) -> None:
        if self.built:
            return
        flat = nest.flatten(inputs)
        if flat and self._dtype is None and hasattr(flat[0], "dtype"):
            found = flat[0].dtype.base_dtype
            if found.is_floating:
                self._dtype = found.name
        shapes = None
        if all(hasattr(x, "shape") for x in flat):
            shapes = nest.map_structure(lambda x: x.get_shape() if hasattr(x, "get_shape") else x.shape, inputs)
        self.build(shapes)
        self.built = True
        if self._initial_weights is not None:
            weights, self._initial_weights = self._initial_weights, None
            self.set_weights(weights)

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        inputs = nest.map_structure(lambda x: tf.convert_to_tensor(x) if isinstance(x, np.ndarray | float | int) else x, inputs)
        flat = nest.flatten(inputs)
        mask_passed = training_passed = False
        masks = nest.map_structure(lambda t: getattr(t, "_keras_mask", None), inputs)
        if all(m is None for m in nest.flatten(masks)):
            masks = None
        if self._expects_mask and masks is not None and kwargs.get("mask") is None and not self._is_positional("mask", args):
            kwargs["mask"] = masks
            mask_passed = True
        if "training" in kwargs and kwargs["training"] is None and getattr(_calls, "training", None) is not None:
            del kwargs["training"]
        if "training" in kwargs or self._is_positional("training", args):
            training = kwargs.get("training")
            if not self._expects_training:
                kwargs.pop("training", None)
        else:
            training = getattr(_calls, "training", None)
            if training is None and K.learning_phase_is_set():
                training = K.learning_phase()
            if self._expects_training and training is not None:
                kwargs["training"] = tf.cast(training, tf.bool) if isinstance(training, base.Tensor) else bool(training)
                training_passed = True
        if not getattr(_calls, "keras_history_off", False) and _needs_history(flat):
            from runtime.tf1.keras.engine.op_layer import create_keras_history

            create_keras_history(flat)
        with _calling(training):
            self._check_inputs(inputs)
            with tf.name_scope(self._scope()):
                self._maybe_build(inputs)
                self._current_inputs = inputs
                outputs = self.call(inputs, *args, **kwargs)
                if outputs is None:
                    raise ValueError(f"A layer's `call` method should return a Tensor or a list of Tensors, not None (layer: {self.name}).")
                if flat and all(hasattr(x, "_keras_history") for x in flat):
                    if training_passed:
                        kwargs.pop("training")
                    if mask_passed:
                        kwargs.pop("mask")
                    outputs = self._connect(inputs, outputs, args, kwargs)
                if self._activity_regularizer is not None:
                    with tf.name_scope("ActivityRegularizer"):
                        for output in nest.flatten(outputs):
                            loss = self._activity_regularizer(output)
                            self.add_loss(loss / tf.cast(tf.shape(output)[0], loss.dtype), inputs=inputs)
                self._set_masks(inputs, outputs, masks)
                self._called(inputs, outputs)
        return outputs

    def _called(self, inputs: Any, outputs: Any) -> None:
        """What a model notes about its first call."""

    def _is_positional(self, name: str, args: tuple[Any, ...]) -> bool:
        names = list(inspect.signature(self.call).parameters)[1:]
        return name in names and names.index(name) < len(args)

    def _connect(self, inputs: Any, outputs: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        names = list(inspect.signature(self.call).parameters)
        arguments = dict(kwargs)
        arguments.update(zip(names[1:], args, strict=False))
        known = {id(t) for t in nest.flatten(inputs)}
        # A tensor belongs to one layer: an output that is an input gets an op of its own.
        outputs = nest.map_structure(lambda t: tf.identity(t) if id(t) in known else t, outputs)
        self._add_node(inputs, outputs, arguments)
        return outputs

    def _add_node(self, inputs: Any, outputs: Any, arguments: dict[str, Any]) -> None:
        index = len(self._inbound_nodes)
        node = Node(self, inputs, outputs, arguments)
        for i, tensor in enumerate(nest.flatten(node.output_tensors)):
            tensor._keras_history = (self, index, i)

    def _set_masks(self, inputs: Any, outputs: Any, previous: Any) -> None:
        flat = nest.flatten(outputs)
        if all(hasattr(x, "_keras_mask") for x in flat) and getattr(self, "_computes_mask", False):
            return
        if type(self).compute_mask is Layer.compute_mask and not self.supports_masking and previous is not None:
            self.compute_mask(inputs, previous)
        masks = self.compute_mask(inputs, previous)
        flat_masks = [None] * len(flat) if masks is None else nest.flatten(masks)
        for tensor, mask in zip(flat, flat_masks, strict=False):
            with contextlib.suppress(AttributeError):
                tensor._keras_mask = mask

    def _check_inputs(self, inputs: Any) -> None:
        """Raises ValueError when the inputs are not what `input_spec` says."""
        if not self._input_spec:
            return
        flat = nest.flatten(inputs)
        specs = nest.flatten(self._input_spec)
        if len(flat) != len(specs):
            raise ValueError(
                f"Layer {self.name} expects {len(specs)} inputs, but it received {len(flat)} input tensors. Inputs received: {inputs}"
            )
        for i, (x, spec) in enumerate(zip(flat, specs, strict=True)):
            if spec is not None and hasattr(x, "shape"):
                _check_spec(x, spec, i, self.name)

    # -- what it is connected to -----------------------------------------------------------------------------------------

    def _at_node(self, index: int, attribute: str, what: str) -> Any:
        if not self._inbound_nodes:
            raise RuntimeError(f"The layer has never been called and thus has no defined {what}.")
        if not len(self._inbound_nodes) > index:
            raise ValueError(f"Asked to get {what} at node {index}, but the layer has only {len(self._inbound_nodes)} inbound nodes.")
        return _single(getattr(self._inbound_nodes[index], attribute))

    def get_input_at(self, node_index: int) -> Any:
        return self._at_node(node_index, "input_tensors", "input")

    def get_output_at(self, node_index: int) -> Any:
        return self._at_node(node_index, "output_tensors", "output")

    def get_input_shape_at(self, node_index: int) -> Any:
        return self._at_node(node_index, "input_shapes", "input shape")

    def get_output_shape_at(self, node_index: int) -> Any:
        return self._at_node(node_index, "output_shapes", "output shape")

    def get_input_mask_at(self, node_index: int) -> Any:
        return nest.map_structure(lambda t: getattr(t, "_keras_mask", None), self.get_input_at(node_index))

    def get_output_mask_at(self, node_index: int) -> Any:
        return nest.map_structure(lambda t: getattr(t, "_keras_mask", None), self.get_output_at(node_index))

    def _one(self, attribute: str, what: str) -> Any:
        if not self._inbound_nodes:
            raise AttributeError(
                f"Layer {self.name} is not connected, no {what} to return."
                if "shape" not in what
                else "The layer has never been called and thus has no defined " + what + "."
            )
        if len(self._inbound_nodes) > 1 and "shape" not in what:
            raise AttributeError(
                f'Layer {self.name} has multiple inbound nodes, hence the notion of "layer {what}" is ill-defined. Use `get_{what}_at(node_index)` instead.'
            )
        if len({str(getattr(n, attribute)) for n in self._inbound_nodes}) > 1:
            raise AttributeError(
                f'The layer "{self.name} has multiple inbound nodes, with different {what}s. Hence the notion of "{what}" is ill-defined for the layer. Use `get_{what.replace(" ", "_")}_at(node_index)` instead.'
            )
        found = getattr(self._inbound_nodes[0], attribute)
        return found if "shape" in what else _single(found)

    @property
    def input(self) -> Any:
        return self._one("input_tensors", "input")

    @property
    def output(self) -> Any:
        return self._one("output_tensors", "output")

    @property
    def input_shape(self) -> Any:
        return self._one("input_shapes", "input shape")

    @property
    def output_shape(self) -> Any:
        return self._one("output_shapes", "output shape")

    @property
    def input_mask(self) -> Any:
        return nest.map_structure(lambda t: getattr(t, "_keras_mask", None), self.input)

    @property
    def output_mask(self) -> Any:
        return nest.map_structure(lambda t: getattr(t, "_keras_mask", None), self.output)

    @property
    def inbound_nodes(self) -> list[Node]:
        return self._inbound_nodes

    @property
    def outbound_nodes(self) -> list[Node]:
        return self._outbound_nodes

    def apply(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        return self(inputs, *args, **kwargs)

    # -- configuration -----------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {"name": self.name, "trainable": self.trainable}
        if hasattr(self, "_batch_input_shape"):
            config["batch_input_shape"] = self._batch_input_shape
        config["dtype"] = self._dtype or "float32"
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__module__}.{type(self).__name__} object at {hex(id(self))}>"


def _single(value: Any) -> Any:
    return unpack(value) if isinstance(value, list) else value


def _unconditional(make: Any) -> Any:
    def marked() -> Any:
        loss = make()
        if loss is None:
            return None
        loss = tf.convert_to_tensor(loss, K.floatx()) if not isinstance(loss, base.Tensor) else loss
        loss._unconditional_loss = True
        return loss

    return marked


def _needs_history(tensors: list[Any]) -> bool:
    """True when a tensor was computed from Keras tensors by plain TensorFlow functions."""
    pending = [t for t in tensors if isinstance(t, base.Tensor) and not hasattr(t, "_keras_history")]
    if not pending:
        return False
    seen: set[int] = set()
    while pending:
        tensor = pending.pop()
        if hasattr(tensor, "_keras_history"):
            return True
        if id(tensor.node) in seen:
            continue
        seen.add(id(tensor.node))
        pending.extend(tensor.node.inputs)
    return False


def _reaches(sources: list[Any], target: Any) -> bool:
    """True when a value depends on one of the sources."""
    wanted = {id(s) for s in sources}
    node = target.node if isinstance(target, base.Tensor) else target
    if id(target) in wanted:
        return True
    pending, seen = [node], set()
    while pending:
        each = pending.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        for tensor in each.inputs:
            if id(tensor) in wanted:
                return True
            pending.append(tensor.node)
        pending.extend(each.control_inputs)
    return False


def _check_spec(x: Any, spec: InputSpec, index: int, name: str) -> None:
    dims = K.int_shape(x)
    what = f"Input {index} of layer {name} is incompatible with the layer: "
    if dims is None:
        if spec.ndim is not None or spec.max_ndim is not None or spec.min_ndim is not None:
            raise ValueError(f"{what}its rank is undefined, but the layer requires a defined rank.")
        return
    rank = len(dims)
    if spec.ndim is not None and rank != spec.ndim:
        raise ValueError(f"{what}expected ndim={spec.ndim}, found ndim={rank}. Full shape received: {list(dims)}")
    if spec.max_ndim is not None and rank > spec.max_ndim:
        raise ValueError(f"{what}expected max_ndim={spec.max_ndim}, found ndim={rank}")
    if spec.min_ndim is not None and rank < spec.min_ndim:
        raise ValueError(f"{what}: expected min_ndim={spec.min_ndim}, found ndim={rank}. Full shape received: {list(dims)}")
    if spec.dtype is not None and x.dtype.base_dtype.name != spec.dtype:
        raise ValueError(f"{what}expected dtype={spec.dtype}, found dtype={x.dtype}")
    for axis, value in (spec.axes or {}).items():
        value = getattr(value, "value", value)
        if value is not None and dims[int(axis)] not in (value, None):
            raise ValueError(f"{what}expected axis {axis} of input shape to have value {value} but received input with shape {list(dims)}")
    if spec.shape is not None:
        for wanted, found in zip(as_dims(spec.shape) or (), dims, strict=False):
            if wanted is not None and found is not None and wanted != found:
                raise ValueError(f"{what}expected shape={tuple(spec.shape)}, found shape={list(dims)}")


@export("keras.layers.InputLayer")
class InputLayer(Layer):
    """The entry of a model: a placeholder."""

    def __init__(
        self,
        input_shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        input_tensor: Any = None,
        sparse: bool = False,
        name: str | None = None,
        ragged: bool = False,
        **kwargs: Any,
    ) -> None:
        batch_input_shape = kwargs.pop("batch_input_shape", None)
        if batch_input_shape is not None:
            batch_size, input_shape = batch_input_shape[0], tuple(batch_input_shape[1:])
        if kwargs:
            raise ValueError(f"Unrecognized keyword arguments: {list(kwargs)}")
        if not name:
            name = f"input_{K.get_uid('input')}"
        dtype = dtype if dtype else K.floatx() if input_tensor is None else input_tensor.dtype.base_dtype.name
        super().__init__(dtype=dtype, name=name)
        self.built = True
        self.sparse, self.ragged, self.batch_size = sparse, ragged, batch_size
        if isinstance(input_shape, TensorShape):
            input_shape = tuple(input_shape.as_list())
        if input_tensor is None:
            self._batch_input_shape = (batch_size, *input_shape) if input_shape is not None else None
            input_tensor = K.placeholder(shape=self._batch_input_shape, dtype=dtype, name=self.name, sparse=sparse)
            self.is_placeholder = True
        else:
            self.is_placeholder = False
            self._batch_input_shape = K.int_shape(input_tensor)
        input_tensor._keras_mask = None
        self._layer_history(input_tensor)

    def _layer_history(self, tensor: Any) -> None:
        tensor._keras_history = (self, 0, 0)
        node = Node.__new__(Node)
        node.outbound_layer, node.arguments = self, {}
        node.input_tensors, node.output_tensors = [tensor], [tensor]
        node.keras_inputs, node.inbound_layers, node.node_indices, node.tensor_indices = [], [], [], []
        node.input_shapes = node.output_shapes = [K.int_shape(tensor)]
        self._inbound_nodes.append(node)

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_input_shape": self._batch_input_shape,
            "dtype": self.dtype,
            "sparse": self.sparse,
            "ragged": self.ragged,
            "name": self.name,
        }


@export("keras.layers.Input")
def Input(
    shape: Any = None,
    batch_size: int | None = None,
    name: str | None = None,
    dtype: Any = None,
    sparse: bool = False,
    tensor: Any = None,
    ragged: bool = False,
    **kwargs: Any,
) -> Any:
    """A Keras tensor to build a model from."""
    batch_shape = kwargs.pop("batch_shape", None)
    if kwargs:
        raise ValueError(f"Unrecognized keyword arguments: {list(kwargs)}")
    if batch_shape is not None and shape is not None:
        raise ValueError("Only provide the shape OR batch_shape argument to Input, not both at the same time.")
    if batch_shape is not None:
        batch_size, shape = batch_shape[0], tuple(batch_shape[1:])
    if shape is None and tensor is None:
        raise ValueError(
            "Please provide to Input either a `shape` or a `tensor` argument. Note that `shape` does not include the batch dimension."
        )
    shape = (shape,) if isinstance(shape, int) else shape
    layer = InputLayer(shape, batch_size=batch_size, name=name, dtype=dtype, sparse=sparse, input_tensor=tensor, ragged=ragged)
    return unpack(layer._inbound_nodes[0].output_tensors)


def graph_network_active() -> Any:
    return get_default_graph()
