"""Recurrent layers and their cells."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.tf1 import nest
from runtime.tf1.keras import activations, constraints, initializers, regularizers
from runtime.tf1.keras import backend as K
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.backend_ops import bias_add, dot
from runtime.tf1.keras.engine.layer import Layer
from runtime.tf1.keras.layers.core import dims_of, weight_config
from runtime.tf1.keras.recurrence import rnn
from runtime.tf1.layer import InputSpec
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape


class Cell(Layer):
    """What recurrent cells share: weights of the input, the state and a bias, and dropout masks."""

    gates = 1
    recurrent_activation: Any = None
    settings: tuple[str, ...] = ()

    def __init__(
        self, units: int, activation: Any = "tanh", use_bias: bool = True, kernel_initializer: Any = "glorot_uniform", recurrent_initializer: Any = "orthogonal", bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None, recurrent_regularizer: Any = None, bias_regularizer: Any = None, kernel_constraint: Any = None, recurrent_constraint: Any = None,
        bias_constraint: Any = None, dropout: float = 0.0, recurrent_dropout: float = 0.0, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.units = units
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer, self.recurrent_initializer, self.bias_initializer = (
            initializers.get(i) for i in (kernel_initializer, recurrent_initializer, bias_initializer)
        )
        self.kernel_regularizer, self.recurrent_regularizer, self.bias_regularizer = (
            regularizers.get(r) for r in (kernel_regularizer, recurrent_regularizer, bias_regularizer)
        )
        self.kernel_constraint, self.recurrent_constraint, self.bias_constraint = (
            constraints.get(c) for c in (kernel_constraint, recurrent_constraint, bias_constraint)
        )
        self.dropout, self.recurrent_dropout = min(1.0, max(0.0, dropout)), min(1.0, max(0.0, recurrent_dropout))
        self._masks: dict[str, Any] = {}
        self.state_size: Any = units
        self.output_size = units

    def _weights(self, columns: int) -> None:
        wide = self.units * self.gates
        self.kernel = self.add_weight(
            "kernel",
            shape=(columns, wide),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.recurrent_kernel = self.add_weight(
            "recurrent_kernel", shape=(self.units, wide), initializer=self.recurrent_initializer, regularizer=self.recurrent_regularizer, constraint=self.recurrent_constraint,
        )  # fmt: skip

    def _bias(self, shape: Any = None, initializer: Any = None) -> None:
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                "bias", shape=shape or (self.units * self.gates,), initializer=initializer or self.bias_initializer, regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip

    def build(self, input_shape: Any) -> None:
        self._weights(dims_of(input_shape)[-1])
        self._bias()
        self.built = True

    def reset_dropout_masks(self) -> None:
        self._masks = {}

    def _mask(self, kind: str, like: Any, rate: float, count: int, training: Any) -> Any:
        """Dropout masks, the same at every step."""
        if not rate:
            return None
        if kind not in self._masks:
            ones = tf.ones_like(like)

            def dropped() -> Any:
                return tf.nn.dropout(ones, rate=rate, seed=np.random.randint(10e6))

            self._masks[kind] = [K.in_train_phase(dropped, lambda: ones, training=training) for _ in range(count)]
        return self._masks[kind]

    def get_initial_state(self, inputs: Any = None, batch_size: Any = None, dtype: Any = None) -> Any:
        if inputs is not None:
            batch_size, dtype = tf.shape(inputs)[0], inputs.dtype
        return zero_state(self.state_size, batch_size, dtype)

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(), "units": self.units, "activation": activations.serialize(self.activation), "use_bias": self.use_bias, **weight_config(self, ("kernel", "recurrent", "bias")),
            "dropout": self.dropout, "recurrent_dropout": self.recurrent_dropout, **{s: getattr(self, s) for s in self.settings},
        }  # fmt: skip
        if self.recurrent_activation is not None:
            config["recurrent_activation"] = activations.serialize(self.recurrent_activation)
        return config


def zero_state(size: Any, batch_size: Any, dtype: Any) -> Any:
    def zeros(each: Any) -> Any:
        dims = dims_of(each) if not isinstance(each, int) else [each]
        return tf.zeros([batch_size, *dims], dtype=dtype)

    return [zeros(s) for s in size] if isinstance(size, list | tuple) else zeros(size)


def _masked(x: Any, masks: Any, i: int) -> Any:
    return x if masks is None else x * masks[i]


@export("keras.layers.SimpleRNNCell")
class SimpleRNNCell(Cell):
    """h' = activation(x W + h U + b)."""

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        previous = states[0]
        dp, rec = self._mask("in", inputs, self.dropout, 1, training), self._mask("rec", previous, self.recurrent_dropout, 1, training)
        h = dot(_masked(inputs, dp, 0), self.kernel)
        if self.bias is not None:
            h = bias_add(h, self.bias)
        output = h + dot(_masked(previous, rec, 0), self.recurrent_kernel)
        output = self.activation(output) if self.activation is not None else output
        return output, [output]


@export("keras.layers.GRUCell")
class GRUCell(Cell):
    """z, r gates; h' = z h + (1 - z) activation(x W + r (h U) + b)."""

    gates = 3
    settings = ("implementation", "reset_after")

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "hard_sigmoid",
        use_bias: bool = True,
        *args: Any,
        implementation: int = 1,
        reset_after: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, use_bias, *args, **kwargs)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.implementation, self.reset_after = implementation, reset_after

    def build(self, input_shape: Any) -> None:
        self._weights(dims_of(input_shape)[-1])
        self._bias((2, 3 * self.units) if self.reset_after else None)
        self.built = True

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        h = states[0]
        n = self.units
        dp, rec = self._mask("in", inputs, self.dropout, 3, training), self._mask("rec", h, self.recurrent_dropout, 3, training)
        input_bias = recurrent_bias = None
        if self.use_bias:
            input_bias, recurrent_bias = tf.unstack(self.bias) if self.reset_after else (self.bias, None)
        if self.implementation == 1:
            columns = [slice(0, n), slice(n, 2 * n), slice(2 * n, None)]
            given = [_masked(inputs, dp, i) for i in range(3)]
            x = [dot(g, self.kernel[:, c]) for g, c in zip(given, columns, strict=True)]
            if self.use_bias:
                x = [bias_add(v, input_bias[c]) for v, c in zip(x, columns, strict=True)]
            hs = [_masked(h, rec, i) for i in range(3)]
            inner = [dot(hs[i], self.recurrent_kernel[:, columns[i]]) for i in range(2)]
            if self.reset_after and self.use_bias:
                inner = [bias_add(v, recurrent_bias[c]) for v, c in zip(inner, columns[:2], strict=True)]
            z, r = self.recurrent_activation(x[0] + inner[0]), self.recurrent_activation(x[1] + inner[1])
            if self.reset_after:
                candidate = dot(hs[2], self.recurrent_kernel[:, columns[2]])
                candidate = bias_add(candidate, recurrent_bias[columns[2]]) if self.use_bias else candidate
                candidate = r * candidate
            else:
                candidate = dot(r * hs[2], self.recurrent_kernel[:, columns[2]])
            hh = self.activation(x[2] + candidate)
        else:
            matrix = dot(_masked(inputs, dp, 0), self.kernel)
            matrix = bias_add(matrix, input_bias) if self.use_bias else matrix
            x_z, x_r, x_h = tf.split(matrix, 3, axis=-1)
            hm = _masked(h, rec, 0)
            if self.reset_after:
                inner_all = dot(hm, self.recurrent_kernel)
                inner_all = bias_add(inner_all, recurrent_bias) if self.use_bias else inner_all
                r_z, r_r, r_h = tf.split(inner_all, [n, n, -1], axis=-1)
            else:
                r_z, r_r = tf.split(dot(hm, self.recurrent_kernel[:, : 2 * n]), 2, axis=-1)
            z, r = self.recurrent_activation(x_z + r_z), self.recurrent_activation(x_r + r_r)
            r_h = r * r_h if self.reset_after else dot(r * hm, self.recurrent_kernel[:, 2 * n :])
            hh = self.activation(x_h + r_h)
        output = z * h + (1 - z) * hh
        return output, [output]


@export("keras.layers.LSTMCell")
class LSTMCell(Cell):
    """i, f, c, o gates; c' = f c + i activation(.), h' = o activation(c')."""

    gates = 4
    settings = ("unit_forget_bias", "implementation")

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "hard_sigmoid",
        use_bias: bool = True,
        *args: Any,
        unit_forget_bias: bool = True,
        implementation: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, use_bias, *args, **kwargs)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.unit_forget_bias, self.implementation = unit_forget_bias, implementation
        self.state_size = [units, units]

    def build(self, input_shape: Any) -> None:
        self._weights(dims_of(input_shape)[-1])

        def forgetful(shape: Any, dtype: Any = None, **unused: Any) -> Any:
            parts = [
                self.bias_initializer((self.units,), dtype=dtype),
                initializers.get("ones")((self.units,), dtype=dtype),
                self.bias_initializer((self.units * 2,), dtype=dtype),
            ]
            return tf.concat(parts, 0)

        self._bias(None, forgetful if self.unit_forget_bias else None)
        self.built = True

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        h, c = states
        n = self.units
        dp, rec = self._mask("in", inputs, self.dropout, 4, training), self._mask("rec", h, self.recurrent_dropout, 4, training)
        if self.implementation == 1:
            given = [_masked(inputs, dp, i) for i in range(4)]
            x = [dot(g, k) for g, k in zip(given, tf.split(self.kernel, num_or_size_splits=4, axis=1), strict=True)]
            if self.use_bias:
                x = [bias_add(v, b) for v, b in zip(x, tf.split(self.bias, num_or_size_splits=4, axis=0), strict=True)]
            hs = [_masked(h, rec, i) for i in range(4)]
            u = self.recurrent_kernel
            i = self.recurrent_activation(x[0] + dot(hs[0], u[:, :n]))
            f = self.recurrent_activation(x[1] + dot(hs[1], u[:, n : n * 2]))
            new_c = f * c + i * self.activation(x[2] + dot(hs[2], u[:, n * 2 : n * 3]))
            o = self.recurrent_activation(x[3] + dot(hs[3], u[:, n * 3 :]))
        else:
            z = dot(_masked(inputs, dp, 0), self.kernel)
            z += dot(_masked(h, rec, 0), self.recurrent_kernel)
            z = bias_add(z, self.bias) if self.use_bias else z
            z_i, z_f, z_c, z_o = tf.split(z, num_or_size_splits=4, axis=1)
            i, f = self.recurrent_activation(z_i), self.recurrent_activation(z_f)
            new_c = f * c + i * self.activation(z_c)
            o = self.recurrent_activation(z_o)
        output = o * self.activation(new_c)
        return output, [output, new_c]


@export("keras.layers.StackedRNNCells")
class StackedRNNCells(Layer):
    """Cells one on another, as one cell."""

    def __init__(self, cells: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cells = list(cells)

    @property
    def state_size(self) -> Any:
        return tuple(c.state_size for c in self.cells)

    @property
    def output_size(self) -> Any:
        last = self.cells[-1]
        found = getattr(last, "output_size", None)
        return found if found is not None else nest.flatten(last.state_size)[0]

    def get_initial_state(self, inputs: Any = None, batch_size: Any = None, dtype: Any = None) -> Any:
        if inputs is not None:
            batch_size, dtype = tf.shape(inputs)[0], inputs.dtype
        return tuple(zero_state(c.state_size, batch_size, dtype) for c in self.cells)

    def build(self, input_shape: Any) -> None:
        for cell in self.cells:
            if not cell.built:
                with tf.name_scope(cell.name):
                    cell.build(input_shape)
                    cell.built = True
            size = getattr(cell, "output_size", None) or nest.flatten(cell.state_size)[0]
            input_shape = TensorShape([dims_of(input_shape)[0], size])
        self.built = True

    def call(self, inputs: Any, states: Any, **kwargs: Any) -> Any:
        flat = nest.flatten(list(states))
        made = []
        for cell in self.cells:
            count = len(nest.flatten(cell.state_size)) if isinstance(cell.state_size, list | tuple) else 1
            own, flat = flat[:count], flat[count:]
            inputs, new = cell.call(inputs, own, **(kwargs if cell._expects_training else {}))
            made.append(list(new))
        return inputs, made

    def get_config(self) -> dict[str, Any]:
        from runtime.tf1.keras.layers import serialize

        return {**super().get_config(), "cells": [serialize(c) for c in self.cells]}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        from runtime.tf1.keras.layers import deserialize

        config = dict(config)
        return cls([deserialize(c, custom_objects=custom_objects) for c in config.pop("cells")], **config)


@export("keras.layers.AbstractRNNCell")
class AbstractRNNCell(Layer):
    """A cell to be written: state_size, output_size and call(inputs, states)."""

    @property
    def state_size(self) -> Any:
        raise NotImplementedError("Abstract method")

    @property
    def output_size(self) -> Any:
        raise NotImplementedError("Abstract method")

    def get_initial_state(self, inputs: Any = None, batch_size: Any = None, dtype: Any = None) -> Any:
        if inputs is not None:
            batch_size, dtype = tf.shape(inputs)[0], inputs.dtype
        return zero_state(self.state_size, batch_size, dtype)


@export("keras.layers.RNN")
class RNN(Layer):
    """A cell run over the steps of its input."""

    rank = 3

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        time_major: bool = False,
        **kwargs: Any,
    ) -> None:
        if isinstance(cell, list | tuple):
            cell = StackedRNNCells(cell)
        if not hasattr(cell, "call"):
            raise ValueError(f"`cell` should have a `call` method. The RNN was passed: {cell}")
        if not hasattr(cell, "state_size"):
            raise ValueError(
                f"The RNN cell should have an attribute `state_size` (tuple of integers, one integer per RNN state). Received: {cell}"
            )
        self.zero_output_for_mask = kwargs.pop("zero_output_for_mask", False)
        if "input_dim" in kwargs or "input_length" in kwargs:
            kwargs.setdefault("input_shape", (kwargs.pop("input_length", None), kwargs.pop("input_dim", None)))
        super().__init__(**kwargs)
        self.cell = cell
        self.return_sequences, self.return_state, self.go_backwards, self.stateful, self.unroll, self.time_major = (
            return_sequences,
            return_state,
            go_backwards,
            stateful,
            unroll,
            time_major,
        )
        self.supports_masking = True
        self._states: Any = None
        self._constants = 0
        self.input_spec = [InputSpec(ndim=self.rank)] if self.rank else None

    @property
    def _sizes(self) -> list[Any]:
        return (
            list(nest.flatten(self.cell.state_size))
            if isinstance(self.cell.state_size, list | tuple) and not isinstance(self.cell.state_size, TensorShape)
            else [self.cell.state_size]
        )

    @property
    def states(self) -> Any:
        return [None] * len(self._sizes) if self._states is None else self._states

    @states.setter
    def states(self, value: Any) -> None:
        object.__setattr__(self, "_states", value)

    def build(self, input_shape: Any) -> None:
        first = input_shape[0] if isinstance(input_shape, list) else input_shape
        dims = dims_of(first)
        batch = dims[1] if self.time_major else dims[0]
        self.input_spec = [InputSpec(shape=(None, None, *dims[2:]))] if not isinstance(input_shape, list) else None
        if isinstance(self.cell, Layer) and not self.cell.built:
            self.cell.build(TensorShape([batch, *dims[2:]]))
            self.cell.built = True
        if self.stateful:
            self.reset_states()
        self.built = True

    def get_initial_state(self, inputs: Any) -> list[Any]:
        shape = tf.shape(nest.flatten(inputs)[0])
        batch = shape[1] if self.time_major else shape[0]
        if hasattr(self.cell, "get_initial_state"):
            made = self.cell.get_initial_state(inputs=None, batch_size=batch, dtype=nest.flatten(inputs)[0].dtype)
        else:
            made = zero_state(self.cell.state_size, batch, nest.flatten(inputs)[0].dtype)
        return nest.flatten(made) if isinstance(made, list | tuple) else [made]

    def __call__(self, inputs: Any, initial_state: Any = None, constants: Any = None, **kwargs: Any) -> Any:
        if isinstance(inputs, list | tuple):
            inputs = list(inputs)
            if self._constants:
                constants, inputs = inputs[-self._constants :], inputs[: -self._constants]
            if len(inputs) > 1:
                initial_state = inputs[1:]
            inputs = inputs[0]
        states = None if initial_state is None else list(initial_state) if isinstance(initial_state, list | tuple) else [initial_state]
        constants = None if constants is None else list(constants) if isinstance(constants, list | tuple) else [constants]
        if states is None and constants is None:
            return super().__call__(inputs, **kwargs)
        self._constants = len(constants or [])
        extra = [*(states or []), *(constants or [])]
        if all(hasattr(t, "_keras_history") for t in extra):
            # Keras tensors are inputs of the layer: they are part of the model.
            spec, self.input_spec = self.input_spec, None
            made = super().__call__([inputs, *extra], **kwargs)
            self.input_spec = spec if not isinstance(spec, list) or len(spec) == 1 + len(extra) else None
            return made
        if states is not None:
            kwargs["initial_state"] = states
        if constants is not None:
            kwargs["constants"] = constants
        return super().__call__(inputs, **kwargs)

    def call(self, inputs: Any, mask: Any = None, training: Any = None, initial_state: Any = None, constants: Any = None) -> Any:
        if isinstance(inputs, list | tuple):
            inputs = list(inputs)
            if self._constants and constants is None:
                constants, inputs = inputs[-self._constants :], inputs[: -self._constants]
            if len(inputs) > 1:
                initial_state = inputs[1:]
            inputs = inputs[0]
        if isinstance(mask, list | tuple):
            mask = mask[0]
        if hasattr(self.cell, "reset_dropout_masks"):
            self.cell.reset_dropout_masks()
        for cell in getattr(self.cell, "cells", ()):
            if hasattr(cell, "reset_dropout_masks"):
                cell.reset_dropout_masks()
        if initial_state is not None:
            states = list(initial_state)
        elif self.stateful:
            states = list(self.states)
            states = [tf.convert_to_tensor(s) for s in states]
        else:
            states = self.get_initial_state(inputs)
        if len(states) != len(self._sizes):
            raise ValueError(f"Layer has {len(self._sizes)} states but was passed {len(states)} initial states.")
        arguments: dict[str, Any] = {}
        if getattr(self.cell, "_expects_training", "training" in self.cell.call.__code__.co_varnames) or any(
            getattr(c, "_expects_training", False) for c in getattr(self.cell, "cells", ())
        ):
            arguments["training"] = training

        def step(given: Any, now: Any) -> Any:
            if constants:
                own, now = now[-len(constants) :], now[: -len(constants)]
                output, new = self.cell.call(given, list(now), constants=list(own), **arguments)
            else:
                output, new = self.cell.call(given, list(now), **arguments)
            return output, nest.flatten(list(new)) if isinstance(new, list | tuple) else [new]

        first = nest.flatten(inputs)[0]
        steps = K.int_shape(first)[0 if self.time_major else 1]
        if self.unroll and steps is None:
            raise ValueError(
                "Cannot unroll a RNN if the time dimension is undefined. - If using a Sequential model, specify the time dimension by passing an `input_shape` or `batch_input_shape` argument to your first layer."
            )
        last, outputs, new_states = rnn(
            step, inputs, states, constants=constants, go_backwards=self.go_backwards, mask=mask, unroll=self.unroll, time_major=self.time_major,
            zero_output_for_mask=self.zero_output_for_mask,
        )  # fmt: skip
        if self.stateful:
            self.add_update([tf.assign(old, new) for old, new in zip(self.states, new_states, strict=True)])
        output = outputs if self.return_sequences else last
        return [output, *new_states] if self.return_state else output

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        mask = mask[0] if isinstance(mask, list | tuple) else mask
        own = mask if self.return_sequences else None
        return [own, *[None] * len(self._sizes)] if self.return_state else own

    def _output_size(self) -> list[Any]:
        size = getattr(self.cell, "output_size", None)
        size = self._sizes[0] if size is None else size
        return [size] if isinstance(size, int) else dims_of(size)

    def compute_output_shape(self, input_shape: Any) -> Any:
        dims = dims_of(input_shape[0] if isinstance(input_shape, list) else input_shape)
        out = self._output_size()
        lead = dims[:2] if self.return_sequences else [dims[1] if self.time_major else dims[0]]
        shape = TensorShape([*lead, *out])
        return (
            [shape, *(TensorShape([dims[0], *([s] if isinstance(s, int) else dims_of(s))]) for s in self._sizes)]
            if self.return_state
            else shape
        )

    def reset_states(self, states: Any = None) -> None:
        if not self.stateful:
            raise AttributeError("Layer must be stateful.")
        spec = self.input_spec[0] if self.input_spec else None
        batch = None
        if self._inbound_nodes:
            batch = K.int_shape(nest.flatten(self._inbound_nodes[0].input_tensors)[0])[1 if self.time_major else 0]
        if batch is None:
            batch = getattr(self, "_batch_input_shape", (None,))[0] or getattr(self, "_stateful_batch", None)
        del spec
        if not batch:
            raise ValueError(
                "If a RNN is stateful, it needs to know its batch size. Specify the batch size of your input tensors: \n- If using a Sequential model, specify the batch size by passing a "
                "`batch_input_shape` argument to your first layer.\n- If using the functional API, specify the batch size by passing a `batch_shape` argument to your Input layer."
            )
        shapes = [(batch, *([s] if isinstance(s, int) else dims_of(s))) for s in self._sizes]
        if self._states is None:
            object.__setattr__(self, "_states", [K.variable(np.zeros(s)) for s in shapes])
        elif states is None:
            K.batch_set_value([(v, np.zeros(s)) for v, s in zip(self._states, shapes, strict=True)])
        if states is not None:
            given = list(states) if isinstance(states, list | tuple) else [states]
            if len(given) != len(shapes):
                raise ValueError(
                    f"Layer {self.name} expects {len(shapes)} states, but it received {len(given)} state values. Input received: {states}"
                )
            K.batch_set_value(list(zip(self._states, given, strict=True)))

    def _maybe_build(self, inputs: Any) -> None:
        if not self.built and self.stateful:
            self._stateful_batch = K.int_shape(nest.flatten(inputs)[0])[1 if self.time_major else 0]
        super()._maybe_build(inputs)

    @property
    def updates(self) -> list[Any]:
        return list(self._updates)

    def get_config(self) -> dict[str, Any]:
        from runtime.tf1.keras.layers import serialize

        config = {**super().get_config(), **self._own_config()}
        if type(self) is RNN:
            config["cell"] = serialize(self.cell)
        return config

    def _own_config(self) -> dict[str, Any]:
        return {
            "return_sequences": self.return_sequences, "return_state": self.return_state, "go_backwards": self.go_backwards, "stateful": self.stateful, "unroll": self.unroll,
            "time_major": self.time_major,
        }  # fmt: skip

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        from runtime.tf1.keras.layers import deserialize

        config = dict(config)
        if "cell" in config:
            return cls(deserialize(config.pop("cell"), custom_objects=custom_objects), **config)
        return cls(**config)


class CellLayer(RNN):
    """A recurrent layer of one kind of cell: takes the cell's arguments and its own."""

    cell_type: Any = None

    def __init__(
        self,
        units: Any,
        *args: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        time_major: bool = False,
        **kwargs: Any,
    ) -> None:
        own = {
            k: kwargs.pop(k)
            for k in list(kwargs)
            if k
            in (
                "name",
                "input_shape",
                "batch_input_shape",
                "batch_size",
                "weights",
                "input_dim",
                "input_length",
                "zero_output_for_mask",
                "autocast",
            )
        }
        regularizer = regularizers.get(kwargs.pop("activity_regularizer", None))
        shared = {k: kwargs[k] for k in ("dtype", "trainable") if k in kwargs}
        kwargs.pop("implementation", None) if self.cell_type is SimpleRNNCell else None
        super().__init__(
            self.cell_type(units, *args, **kwargs), return_sequences, return_state, go_backwards, stateful, unroll, time_major, activity_regularizer=regularizer, **own, **shared,
        )  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "cell":
            raise AttributeError(name)
        cell = self.__dict__.get("cell")
        if cell is not None and name in cell.__dict__:
            return cell.__dict__[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def get_config(self) -> dict[str, Any]:
        config = self.cell.get_config()
        return {**config, **super().get_config(), "activity_regularizer": regularizers.serialize(self.activity_regularizer)}


@export("keras.layers.SimpleRNN")
class SimpleRNN(CellLayer):
    cell_type = SimpleRNNCell


@export("keras.layers.GRU")
class GRU(CellLayer):
    cell_type = GRUCell


@export("keras.layers.LSTM")
class LSTM(CellLayer):
    cell_type = LSTMCell


@export("keras.layers.CuDNNLSTM")
class CuDNNLSTM(CellLayer):
    """An LSTM with sigmoid gates; its bias has an input part and a recurrent part."""

    cell_type = LSTMCell

    def __init__(self, units: int, **kwargs: Any) -> None:
        raise NotImplementedError(
            "CuDNNLSTM is not supported: use LSTM(units, recurrent_activation='sigmoid'), which computes the same; the saved bias of CuDNNLSTM is the sum of its two halves."
        )


@export("keras.layers.CuDNNGRU")
class CuDNNGRU(CellLayer):
    cell_type = GRUCell

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(units, recurrent_activation="sigmoid", reset_after=True, **kwargs)
