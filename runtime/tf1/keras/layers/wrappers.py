"""TimeDistributed and Bidirectional."""

from __future__ import annotations

import copy
from typing import Any

from runtime.tf1 import nest
from runtime.tf1.keras import backend as K
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.engine.layer import Layer
from runtime.tf1.keras.layers.core import dims_of
from runtime.tf1.layer import InputSpec
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape


@export("keras.layers.Wrapper")
class Wrapper(Layer):
    """A layer around a layer."""

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise ValueError(f"Please initialize `{type(self).__name__}` layer with a `Layer` instance. You passed: {layer}")
        super().__init__(**kwargs)
        self.layer = layer

    @property
    def activity_regularizer(self) -> Any:
        return getattr(self.layer, "activity_regularizer", None)

    def get_config(self) -> dict[str, Any]:
        from runtime.tf1.keras.layers import serialize

        return {**super().get_config(), "layer": serialize(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        from runtime.tf1.keras.layers import deserialize

        config = copy.deepcopy(config)
        return cls(deserialize(config.pop("layer"), custom_objects=custom_objects), **config)


@export("keras.layers.TimeDistributed")
class TimeDistributed(Wrapper):
    """A layer applied to every step."""

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any = None) -> None:
        dims = dims_of(input_shape)
        if len(dims) < 3:
            raise ValueError(f"`TimeDistributed` Layer should be passed an `input_shape` with at least 3 dimensions, received: {dims}")
        self.input_spec = InputSpec(shape=[None, *dims[1:]])
        if not self.layer.built:
            self.layer.build(TensorShape([dims[0], *dims[2:]]))
            self.layer.built = True
        self.built = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        dims = dims_of(input_shape)
        child = dims_of(self.layer.compute_output_shape(TensorShape([dims[0], *dims[2:]])))
        return TensorShape([child[0], dims[1], *child[1:]])

    def call(self, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        arguments = {"training": training} if self.layer._expects_training else {}
        dims = list(K.int_shape(inputs))
        if dims[0]:
            from runtime.tf1.keras.recurrence import rnn

            _, outputs, _ = rnn(lambda x, _: (self.layer(x, **arguments), []), inputs, [], input_length=dims[1], mask=mask, unroll=False)
            return outputs
        sizes = tf.shape(inputs) if None in dims[1:] else dims
        inner = [d if d is not None else sizes[i] for i, d in enumerate(dims)][2:]
        flat = tf.reshape(inputs, [-1, *inner])
        if self.layer._expects_mask and mask is not None:
            arguments["mask"] = tf.reshape(mask, [-1, *tf.unstack(tf.shape(mask))[2:]])
        y = self.layer(flat, **arguments)
        child = dims_of(y.shape)
        steps = dims[1] if dims[1] is not None else sizes[1]
        tail = [d if d is not None else tf.shape(y)[i] for i, d in enumerate(child)][1:]
        outputs = tf.reshape(y, [-1, steps, *tail])
        outputs.set_shape([dims[0], dims[1], *child[1:]])
        return outputs

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask


@export("keras.layers.Bidirectional")
class Bidirectional(Wrapper):
    """A recurrent layer run both ways."""

    def __init__(self, layer: Any, merge_mode: Any = "concat", weights: Any = None, backward_layer: Any = None, **kwargs: Any) -> None:
        if merge_mode not in ("sum", "mul", "ave", "concat", None):
            raise ValueError('Invalid merge mode. Merge mode should be one of {"sum", "mul", "ave", "concat", None}')
        super().__init__(layer, **kwargs)
        self.layer = layer
        from runtime.tf1.keras.layers import deserialize

        config = layer.get_config()
        backward = copy.deepcopy(config)
        backward["go_backwards"] = not config["go_backwards"]
        config["name"], backward["name"] = f"forward_{layer.name}", f"backward_{layer.name}"
        object.__setattr__(self, "_layers", [])
        self.forward_layer = deserialize(
            {"class_name": type(layer).__name__, "config": config}, custom_objects={type(layer).__name__: type(layer)}
        )
        self.backward_layer = (
            backward_layer
            if backward_layer is not None
            else deserialize({"class_name": type(layer).__name__, "config": backward}, custom_objects={type(layer).__name__: type(layer)})
        )
        self.merge_mode = merge_mode
        self.stateful, self.return_sequences, self.return_state = layer.stateful, layer.return_sequences, layer.return_state
        self.supports_masking = True
        self.input_spec = layer.input_spec

    def build(self, input_shape: Any) -> None:
        with tf.name_scope(self.forward_layer.name):
            self.forward_layer.build(input_shape)
        with tf.name_scope(self.backward_layer.name):
            self.backward_layer.build(input_shape)
        self.forward_layer.built = self.backward_layer.built = self.built = True

    def __call__(self, inputs: Any, initial_state: Any = None, constants: Any = None, **kwargs: Any) -> Any:
        if isinstance(inputs, list | tuple) and len(inputs) > 1:
            initial_state, inputs = list(inputs[1:]), inputs[0]
        if initial_state is None:
            return super().__call__(inputs, **kwargs)
        if len(initial_state) % 2:
            raise ValueError(
                "When passing `initial_state` to a Bidirectional RNN, the state should be a list containing the states of the underlying RNNs. Found: "
                + str(initial_state)
            )
        if all(hasattr(t, "_keras_history") for t in initial_state):
            self.input_spec = None
            return super().__call__([inputs, *initial_state], **kwargs)
        return super().__call__(inputs, initial_state=list(initial_state), **kwargs)

    def call(self, inputs: Any, training: Any = None, mask: Any = None, initial_state: Any = None) -> Any:
        if isinstance(inputs, list | tuple):
            initial_state, inputs = list(inputs[1:]), inputs[0]
            mask = mask[0] if isinstance(mask, list | tuple) else mask
        arguments: dict[str, Any] = {"mask": mask, **({"training": training} if self.forward_layer._expects_training else {})}
        half = len(initial_state) // 2 if initial_state else 0
        with tf.name_scope(self.forward_layer.name):
            forward = self.forward_layer.call(inputs, **arguments, **({"initial_state": initial_state[:half]} if half else {}))
        with tf.name_scope(self.backward_layer.name):
            backward = self.backward_layer.call(inputs, **arguments, **({"initial_state": initial_state[half:]} if half else {}))
        states: list[Any] = []
        if self.return_state:
            states = forward[1:] + backward[1:]
            forward, backward = forward[0], backward[0]
        if self.return_sequences:
            backward = tf.reverse(backward, [0 if getattr(self.forward_layer, "time_major", False) else 1])
        if self.merge_mode == "concat":
            output: Any = tf.concat([forward, backward], K.ndim(forward) - 1)
        elif self.merge_mode == "sum":
            output = forward + backward
        elif self.merge_mode == "ave":
            output = (forward + backward) / 2
        elif self.merge_mode == "mul":
            output = forward * backward
        else:
            output = [forward, backward]
        if self.return_state:
            return [*output, *states] if self.merge_mode is None else [output, *states]
        return output

    def reset_states(self) -> None:
        self.forward_layer.reset_states()
        self.backward_layer.reset_states()

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        own: Any = mask if self.return_sequences else None
        own = [own, own] if self.merge_mode is None else own
        if not self.return_state:
            return own
        return [*nest.flatten([own]), *[None] * (2 * len(self.forward_layer._sizes))]

    def compute_output_shape(self, input_shape: Any) -> Any:
        found = self.forward_layer.compute_output_shape(input_shape)
        states: list[Any] = []
        if self.return_state:
            states, found = found[1:], found[0]
        if self.merge_mode == "concat":
            dims = dims_of(found)
            found = TensorShape([*dims[:-1], dims[-1] * 2])
        out = [found, found] if self.merge_mode is None else found
        if self.return_state:
            return [*nest.flatten([out]), *states, *states]
        return out

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "merge_mode": self.merge_mode}
