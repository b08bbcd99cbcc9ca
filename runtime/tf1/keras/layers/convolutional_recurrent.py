"""ConvLSTM2D: an LSTM whose products are convolutions."""

from __future__ import annotations

from typing import Any

from runtime.tf1.core_layers import _tuple
from runtime.tf1.keras import activations, regularizers
from runtime.tf1.keras import backend as K
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.backend_ops import bias_add, conv2d
from runtime.tf1.keras.layers.core import dims_of
from runtime.tf1.keras.layers.pooling import window_length
from runtime.tf1.keras.layers.recurrent import RNN, LSTMCell, _masked
from runtime.tf1.layer import InputSpec
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape


class ConvLSTM2DCell(LSTMCell):
    """The cell: convolutions of the input with strides, of the state without."""

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        data_format: Any = None,
        dilation_rate: Any = (1, 1),
        **kwargs: Any,
    ) -> None:
        super().__init__(filters, **kwargs)
        self.filters = filters
        self.kernel_size, self.strides, self.dilation_rate = (
            _tuple(kernel_size, 2, "kernel_size"),
            _tuple(strides, 2, "strides"),
            _tuple(dilation_rate, 2, "dilation_rate"),
        )
        self.padding, self.data_format = padding.lower(), K.conv_format(data_format)
        self.state_size = (filters, filters)

    def build(self, input_shape: Any) -> None:
        channels = dims_of(input_shape)[1 if self.data_format == "channels_first" else -1]
        if channels is None:
            raise ValueError("The channel dimension of the inputs should be defined. Found `None`.")
        shape = (*self.kernel_size, channels, self.filters * 4)
        self.kernel = self.add_weight(
            "kernel",
            shape=shape,
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.recurrent_kernel = self.add_weight(
            "recurrent_kernel", shape=(*self.kernel_size, self.filters, self.filters * 4), initializer=self.recurrent_initializer, regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )  # fmt: skip

        def forgetful(shape: Any, dtype: Any = None, **unused: Any) -> Any:
            from runtime.tf1.keras import initializers

            parts = [
                self.bias_initializer((self.filters,), dtype=dtype),
                initializers.get("ones")((self.filters,), dtype=dtype),
                self.bias_initializer((self.filters * 2,), dtype=dtype),
            ]
            return tf.concat(parts, 0)

        self._bias((self.filters * 4,), forgetful if self.unit_forget_bias else None)
        self.built = True

    def call(self, inputs: Any, states: Any, training: Any = None) -> Any:
        h, c = states
        dp, rec = self._mask("in", inputs, self.dropout, 4, training), self._mask("rec", h, self.recurrent_dropout, 4, training)
        kernels, inner = tf.split(self.kernel, 4, axis=3), tf.split(self.recurrent_kernel, 4, axis=3)
        biases = tf.split(self.bias, 4) if self.use_bias else [None] * 4
        values = []
        for i in range(4):
            x = conv2d(
                _masked(inputs, dp, i),
                kernels[i],
                strides=self.strides,
                padding=self.padding,
                data_format=self.data_format,
                dilation_rate=self.dilation_rate,
            )
            x = bias_add(x, biases[i], data_format=self.data_format) if self.use_bias else x
            values.append(x + conv2d(_masked(h, rec, i), inner[i], strides=(1, 1), padding="same", data_format=self.data_format))
        i_gate, f_gate = self.recurrent_activation(values[0]), self.recurrent_activation(values[1])
        new_c = f_gate * c + i_gate * self.activation(values[2])
        new_h = self.recurrent_activation(values[3]) * self.activation(new_c)
        return new_h, [new_h, new_c]

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in ("units", "implementation"):
            del config[name]
        return {
            **config, "filters": self.filters, "kernel_size": self.kernel_size, "strides": self.strides, "padding": self.padding, "data_format": self.data_format, "dilation_rate": self.dilation_rate,
        }  # fmt: skip


@export("keras.layers.ConvLSTM2D")
class ConvLSTM2D(RNN):
    rank = 5

    def __init__(
        self, filters: int, kernel_size: Any, strides: Any = (1, 1), padding: str = "valid", data_format: Any = None, dilation_rate: Any = (1, 1), activation: Any = "tanh",
        recurrent_activation: Any = "hard_sigmoid", use_bias: bool = True, return_sequences: bool = False, go_backwards: bool = False, stateful: bool = False, return_state: bool = False, **kwargs: Any,
    ) -> None:  # fmt: skip
        own = {k: kwargs.pop(k) for k in list(kwargs) if k in ("name", "input_shape", "batch_input_shape", "batch_size", "weights")}
        own["activity_regularizer"] = regularizers.get(kwargs.pop("activity_regularizer", None))
        shared = {k: kwargs[k] for k in ("dtype", "trainable") if k in kwargs}
        for name in ("unroll", "time_major"):
            kwargs.pop(name, None)
        cell = ConvLSTM2DCell(
            filters,
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation=activations.get(activation),
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            **kwargs,
        )
        super().__init__(cell, return_sequences, return_state, go_backwards, stateful, **own, **shared)

    def build(self, input_shape: Any) -> None:
        dims = dims_of(input_shape[0] if isinstance(input_shape, list) else input_shape)
        self.input_spec = [InputSpec(shape=(None, None, *dims[2:]))] if not isinstance(input_shape, list) else None
        if not self.cell.built:
            self.cell.build(TensorShape([dims[0], *dims[2:]]))
        if self.stateful:
            self.reset_states()
        self.built = True

    def get_initial_state(self, inputs: Any) -> list[Any]:
        """Zeros of the shape of a convolved step."""
        state = tf.reduce_sum(tf.zeros_like(inputs), axis=1)
        cell = self.cell
        channels = dims_of(inputs.shape)[2 if cell.data_format == "channels_first" else -1]
        zero = tf.zeros((*cell.kernel_size, channels, cell.filters))
        state = conv2d(
            state, zero, strides=cell.strides, padding=cell.padding, data_format=cell.data_format, dilation_rate=cell.dilation_rate
        )
        return [state, state]

    def compute_output_shape(self, input_shape: Any) -> Any:
        dims = dims_of(input_shape[0] if isinstance(input_shape, list) else input_shape)
        cell = self.cell
        first = cell.data_format == "channels_first"
        space = dims[3:] if first else dims[2:4]
        made = [
            window_length(d, k, cell.padding, s, r)
            for d, k, s, r in zip(space, cell.kernel_size, cell.strides, cell.dilation_rate, strict=True)
        ]
        inner = [cell.filters, *made] if first else [*made, cell.filters]
        shape = TensorShape([*dims[: 2 if self.return_sequences else 1], *inner])
        state = TensorShape([dims[0], *inner])
        return [shape, state, state] if self.return_state else shape

    def get_config(self) -> dict[str, Any]:
        config = {
            **self.cell.get_config(),
            **super().get_config(),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
        }
        for name in ("unroll", "time_major", "cell"):
            config.pop(name, None)
        return config
