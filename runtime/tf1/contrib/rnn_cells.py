"""tf.contrib.rnn: cells beyond the core ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from runtime.tf1.contrib.normalization import layer_norm as normalise
from runtime.tf1.contrib.rnn_wrappers import Linear
from runtime.tf1.graph import apply_op
from runtime.tf1.layer import InputSpec, Layer
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.rnn_cell import LayerRNNCell, LSTMStateTuple, RNNCell
from runtime.tf1.tensor_shape import TensorShape

tf: Any = module("")


def _input_size(inputs: Any) -> int:
    size = inputs.get_shape().with_rank(2).as_list()[1]
    if size is None:
        raise ValueError("Could not infer input size from inputs.get_shape()[-1]")
    return int(size)


def _sharded(name: str, shape: list[int], dtype: Any, shards: int) -> Any:
    """A weight in `shards` variables of rows, concatenated."""
    parts = []
    for i in range(shards):
        rows = shape[0] // shards + (1 if i < shape[0] % shards else 0)
        parts.append(tf.get_variable(f"{name}_{i}", [rows, *shape[1:]], dtype=dtype))
    if len(parts) == 1:
        return parts[0]
    key = f"{tf.get_variable_scope().name}/{name}/concat:0"
    for value in tf.get_collection(tf.GraphKeys.CONCATENATED_VARIABLES):
        if value.name == key:
            return value
    whole = tf.concat(parts, 0, name=f"{name}/concat")
    tf.add_to_collection(tf.GraphKeys.CONCATENATED_VARIABLES, whole)
    return whole


def _norm(gain: float, shift: float, inputs: Any, scope: str, dtype: Any = "float32") -> Any:
    """Layer normalisation with a gain and a shift to start from."""
    shape = inputs.get_shape()[-1:]
    with tf.variable_scope(scope):
        tf.get_variable("gamma", shape=shape, initializer=tf.constant_initializer(gain), dtype=dtype)
        tf.get_variable("beta", shape=shape, initializer=tf.constant_initializer(shift), dtype=dtype)
    return normalise(inputs, reuse=True, scope=scope)


class _StateSized(RNNCell):
    """A cell that knows its sizes from the start."""

    _state_size: Any
    _output_size: Any

    @property
    def state_size(self) -> Any:
        return self._state_size

    @property
    def output_size(self) -> Any:
        return self._output_size


class _LSTMSized(_StateSized):
    def _set_sizes(self, num_units: int, num_proj: int | None = None, state_is_tuple: bool = True) -> None:
        size = num_proj or num_units
        self._num_units, self._num_proj, self._state_is_tuple = num_units, num_proj, state_is_tuple
        self._state_size = LSTMStateTuple(num_units, size) if state_is_tuple else num_units + size
        self._output_size = size


@export("contrib.rnn.CoupledInputForgetGateLSTMCell")
class CoupledInputForgetGateLSTMCell(_LSTMSized):
    """An LSTM whose input gate is 1 - the forget gate (Greff et al. 2015)."""

    def __init__(
        self, num_units: int, use_peepholes: bool = False, initializer: Any = None, num_proj: int | None = None, proj_clip: float | None = None, num_unit_shards: int = 1,
        num_proj_shards: int = 1, forget_bias: float = 1.0, state_is_tuple: bool = True, activation: Any = None, reuse: Any = None, layer_norm: bool = False,
        norm_gain: float = 1.0, norm_shift: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse)
        self._set_sizes(num_units, num_proj, state_is_tuple)
        self._use_peepholes, self._initializer, self._proj_clip = use_peepholes, initializer, proj_clip
        self._num_unit_shards, self._num_proj_shards, self._forget_bias = num_unit_shards, num_proj_shards, forget_bias
        self._activation = activation if activation is not None else tf.tanh
        self._layer_norm, self._norm_gain, self._norm_shift = layer_norm, norm_gain, norm_shift

    def _normed(self, value: Any, scope: str) -> Any:
        return _norm(self._norm_gain, self._norm_shift, value, scope) if self._layer_norm else value

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        units, size = self._num_units, self._output_size
        if self._state_is_tuple:
            c_prev, m_prev = state
        else:
            c_prev, m_prev = tf.slice(state, [0, 0], [-1, units]), tf.slice(state, [0, units], [-1, size])
        dtype, depth = inputs.dtype, _input_size(inputs)
        weights = _sharded("W", [depth + size, 3 * units], dtype, self._num_unit_shards)
        b = tf.get_variable("B", shape=[3 * units], initializer=tf.zeros_initializer(), dtype=dtype)
        matrix = tf.matmul(tf.concat([inputs, m_prev], 1), weights)
        if not self._layer_norm:
            matrix = tf.nn.bias_add(matrix, b)
        j, f, o = tf.split(value=matrix, num_or_size_splits=3, axis=1)
        j, f, o = self._normed(j, "transform"), self._normed(f, "forget"), self._normed(o, "output")
        if self._use_peepholes:
            w_f = tf.get_variable("W_F_diag", shape=[units], dtype=dtype)
            w_o = tf.get_variable("W_O_diag", shape=[units], dtype=dtype)
            forget = tf.sigmoid(f + self._forget_bias + w_f * c_prev)
        else:
            forget = tf.sigmoid(f + self._forget_bias)
        c = forget * c_prev + (1 - forget) * self._activation(j)
        c = self._normed(c, "state")
        m = tf.sigmoid(o + w_o * c) * self._activation(c) if self._use_peepholes else tf.sigmoid(o) * self._activation(c)
        if self._num_proj is not None:
            m = tf.matmul(m, _sharded("W_P", [units, self._num_proj], dtype, self._num_proj_shards))
            if self._proj_clip is not None:
                m = tf.clip_by_value(m, -self._proj_clip, self._proj_clip)
        return m, LSTMStateTuple(c, m) if self._state_is_tuple else tf.concat([c, m], 1)


@export("contrib.rnn.LayerNormBasicLSTMCell")
class LayerNormBasicLSTMCell(_LSTMSized):
    """An LSTM with layer normalisation and recurrent dropout (Ba et al. 2016, Semeniuta et al. 2016)."""

    def __init__(
        self, num_units: int, forget_bias: float = 1.0, input_size: Any = None, activation: Any = None, layer_norm: bool = True, norm_gain: float = 1.0, norm_shift: float = 0.0,
        dropout_keep_prob: Any = 1.0, dropout_prob_seed: int | None = None, reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse)
        self._set_sizes(num_units)
        self._activation = activation if activation is not None else tf.tanh
        self._forget_bias, self._keep_prob, self._seed = forget_bias, dropout_keep_prob, dropout_prob_seed
        self._layer_norm, self._norm_gain, self._norm_shift = layer_norm, norm_gain, norm_shift

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        c, h = state
        args = tf.concat([inputs, h], 1)
        dtype = args.dtype
        weights = tf.get_variable("kernel", [args.get_shape().as_list()[-1], 4 * self._num_units], dtype=dtype)
        matrix = tf.matmul(args, weights)
        if not self._layer_norm:
            matrix = tf.nn.bias_add(matrix, tf.get_variable("bias", [4 * self._num_units], dtype=dtype))
        i, j, f, o = tf.split(value=matrix, num_or_size_splits=4, axis=1)

        def normed(value: Any, scope: str) -> Any:
            return _norm(self._norm_gain, self._norm_shift, value, scope, dtype) if self._layer_norm else value

        i, j, f, o = normed(i, "input"), normed(j, "transform"), normed(f, "forget"), normed(o, "output")
        g = self._activation(j)
        if not isinstance(self._keep_prob, float) or self._keep_prob < 1:
            g = tf.nn.dropout(g, self._keep_prob, seed=self._seed)
        new_c = normed(c * tf.sigmoid(f + self._forget_bias) + tf.sigmoid(i) * g, "state")
        new_h = self._activation(new_c) * tf.sigmoid(o)
        return new_h, LSTMStateTuple(new_c, new_h)


@export("contrib.rnn.UGRNNCell")
class UGRNNCell(_StateSized):
    """g = sigmoid(...); h = g h + (1 - g) act(...) (Collins et al. 2017)"""

    def __init__(
        self, num_units: int, initializer: Any = None, forget_bias: float = 1.0, activation: Any = None, reuse: Any = None
    ) -> None:
        super().__init__(_reuse=reuse)
        self._num_units = self._state_size = self._output_size = num_units
        self._initializer, self._forget_bias = initializer, forget_bias
        self._activation = activation if activation is not None else tf.tanh
        self._linear: Linear | None = None

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        _input_size(inputs)
        with tf.variable_scope(tf.get_variable_scope(), initializer=self._initializer):
            joined = tf.concat([inputs, state], 1)
            if self._linear is None:
                self._linear = Linear(joined, 2 * self._num_units, True)
            g_act, c_act = tf.split(axis=1, num_or_size_splits=2, value=self._linear(joined))
            c = self._activation(c_act)
            g = tf.sigmoid(g_act + self._forget_bias)
            new_state = g * state + (1.0 - g) * c
        return new_state, new_state


@export("contrib.rnn.IntersectionRNNCell")
class IntersectionRNNCell(_StateSized):
    """The +RNN, for deep stacks (Collins et al. 2017)."""

    def __init__(
        self,
        num_units: int,
        num_in_proj: int | None = None,
        initializer: Any = None,
        forget_bias: float = 1.0,
        y_activation: Any = None,
        reuse: Any = None,
    ) -> None:
        super().__init__(_reuse=reuse)
        self._num_units = self._state_size = self._output_size = num_units
        self._num_input_proj, self._initializer, self._forget_bias = num_in_proj, initializer, forget_bias
        self._y_activation = y_activation if y_activation is not None else tf.nn.relu
        self._linear1: Linear | None = None
        self._linear2: Linear | None = None

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        n, depth = self._num_units, _input_size(inputs)
        with tf.variable_scope(tf.get_variable_scope(), initializer=self._initializer):
            if depth != n:
                if not self._num_input_proj:
                    raise ValueError(
                        "Must have input size == output size for Intersection RNN. To fix, num_in_proj should be set to num_units at cell init."
                    )
                with tf.variable_scope("in_projection"):
                    if self._linear1 is None:
                        self._linear1 = Linear(inputs, n, True)
                    inputs = self._linear1(inputs)
            joined = tf.concat([inputs, state], 1)
            if self._linear2 is None:
                self._linear2 = Linear(joined, 4 * n, True)
            matrix = self._linear2(joined)
            gh_act, h_act, gy_act, y_act = (matrix[:, k * n : (k + 1) * n] for k in range(4))
            h, y = tf.tanh(h_act), self._y_activation(y_act)
            gh, gy = tf.sigmoid(gh_act + self._forget_bias), tf.sigmoid(gy_act + self._forget_bias)
            return gy * inputs + (1.0 - gy) * y, gh * state + (1.0 - gh) * h


@export("contrib.rnn.NASCell")
class NASCell(LayerRNNCell):
    """The cell found by architecture search (Zoph & Le 2016)."""

    def __init__(self, num_units: int, num_proj: int | None = None, use_bias: bool = False, reuse: Any = None, **kwargs: Any) -> None:
        super().__init__(_reuse=reuse, **kwargs)
        self._num_units, self._num_proj, self._use_bias = num_units, num_proj, use_bias

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self.output_size)

    @property
    def output_size(self) -> Any:
        return self._num_units if self._num_proj is None else self._num_proj

    def build(self, inputs_shape: Any) -> None:
        depth = TensorShape(inputs_shape).with_rank(2).as_list()[1]
        if depth is None:
            raise ValueError("Could not infer input size from inputs.get_shape()[-1]")
        self.recurrent_kernel = self.add_weight("recurrent_kernel", [self.output_size, 8 * self._num_units])
        self.kernel = self.add_weight("kernel", [depth, 8 * self._num_units])
        if self._use_bias:
            self.bias = self.add_weight("bias", shape=[8 * self._num_units], initializer=tf.zeros_initializer)
        if self._num_proj is not None:
            self.projection_weights = self.add_weight("projection_weights", [self._num_units, self._num_proj])
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        c_prev, m_prev = state
        recurrent = tf.matmul(m_prev, self.recurrent_kernel)
        given = tf.matmul(inputs, self.kernel)
        if self._use_bias:
            recurrent = tf.nn.bias_add(recurrent, self.bias)
        m = tf.split(axis=1, num_or_size_splits=8, value=recurrent)
        x = tf.split(axis=1, num_or_size_splits=8, value=given)
        sigmoid, relu, tanh = tf.sigmoid, tf.nn.relu, tf.tanh
        first = [sigmoid(x[0] + m[0]), relu(x[1] + m[1]), sigmoid(x[2] + m[2]), relu(x[3] * m[3])]
        first += [tanh(x[4] + m[4]), sigmoid(x[5] + m[5]), tanh(x[6] + m[6]), sigmoid(x[7] + m[7])]
        second = [tanh(first[0] * first[1]), tanh(first[2] + first[3]), tanh(first[4] * first[5]), sigmoid(first[6] + first[7])]
        new_c = tanh(second[0] + c_prev) * second[1]
        new_m = tanh(new_c * tanh(second[2] + second[3]))
        if self._num_proj is not None:
            new_m = tf.matmul(new_m, self.projection_weights)
        return new_m, LSTMStateTuple(new_c, new_m)


@export("contrib.rnn.SRUCell")
class SRUCell(LayerRNNCell):
    """The simple recurrent unit (Lei et al. 2017)."""

    def __init__(self, num_units: int, activation: Any = None, reuse: Any = None, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(_reuse=reuse, name=name, **kwargs)
        self._num_units = num_units
        self._activation = activation or tf.tanh
        self.input_spec = InputSpec(ndim=2)

    @property
    def state_size(self) -> Any:
        return self._num_units

    @property
    def output_size(self) -> Any:
        return self._num_units

    def build(self, inputs_shape: Any) -> None:
        depth = inputs_shape.as_list()[1]
        if depth is None:
            raise ValueError(f"Expected inputs.shape[-1] to be known, saw shape: {inputs_shape}")
        self._kernel = self.add_weight("kernel", shape=[depth, 4 * self._num_units])
        self._bias = self.add_weight("bias", shape=[2 * self._num_units], initializer=tf.zeros_initializer)
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        x_bar, f_part, r_part, x_tx = tf.split(value=tf.matmul(inputs, self._kernel), num_or_size_splits=4, axis=1)
        gates = tf.sigmoid(tf.nn.bias_add(tf.concat([f_part, r_part], 1), self._bias))
        f, r = tf.split(value=gates, num_or_size_splits=2, axis=1)
        c = f * state + (1.0 - f) * x_bar
        return r * self._activation(c) + (1.0 - r) * x_tx, c


@export("contrib.rnn.PhasedLSTMCell")
class PhasedLSTMCell(_LSTMSized):
    """An LSTM that is open in a part of each cycle; its inputs are (time, x) (Neil et al. 2016)."""

    def __init__(
        self, num_units: int, use_peepholes: bool = False, leak: float = 0.001, ratio_on: float = 0.1, trainable_ratio_on: bool = True, period_init_min: float = 1.0,
        period_init_max: float = 1000.0, reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse)
        self._set_sizes(num_units)
        self._use_peepholes, self._leak, self._ratio_on, self._trainable_ratio_on = use_peepholes, leak, ratio_on, trainable_ratio_on
        self._period_init = (period_init_min, period_init_max)
        self._linears: dict[str, Linear] = {}

    def _linear(self, scope: str, args: list[Any], size: int, activation: Callable[[Any], Any]) -> Any:
        with tf.variable_scope(scope):
            if scope not in self._linears:
                self._linears[scope] = Linear(args, size, True)
            return activation(self._linears[scope](args))

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        c_prev, h_prev = state
        time, x = inputs
        masks = self._linear("mask_gates", [x, h_prev, *([c_prev] if self._use_peepholes else [])], 2 * self._num_units, tf.sigmoid)
        input_gate, forget_gate = tf.split(axis=1, num_or_size_splits=2, value=masks)
        new_input = self._linear("new_input", [x, h_prev], self._num_units, tf.tanh)
        new_c = c_prev * forget_gate + input_gate * new_input
        output_gate = self._linear("output_gate", [x, h_prev, *([new_c] if self._use_peepholes else [])], self._num_units, tf.sigmoid)
        new_h = tf.tanh(new_c) * output_gate
        low, high = (math.log(v) for v in self._period_init)

        def periods(shape: Any, dtype: Any = "float32", partition_info: Any = None) -> Any:
            return tf.exp(tf.random_uniform(shape, low, high, dtype=dtype))

        period = tf.get_variable("period", [self._num_units], initializer=periods)
        phase = tf.get_variable("phase", [self._num_units], initializer=tf.random_uniform_initializer(0.0, period.initial_value))
        ratio_on = tf.get_variable(
            "ratio_on", [self._num_units], initializer=tf.constant_initializer(self._ratio_on), trainable=self._trainable_ratio_on
        )
        shifted = time - tf.cast(phase, dtype=time.dtype)
        period = tf.cast(period, dtype=time.dtype)
        cycle = tf.cast((tf.stop_gradient(tf.mod(shifted, period) - shifted) + shifted) / period, dtype=tf.float32)
        k_up = 2 * cycle / ratio_on
        k = tf.where(cycle < ratio_on, 2 - k_up, self._leak * cycle)
        k = tf.where(cycle < 0.5 * ratio_on, k_up, k)
        new_c = k * new_c + (1 - k) * c_prev
        new_h = k * new_h + (1 - k) * h_prev
        return new_h, LSTMStateTuple(new_c, new_h)


@export("contrib.rnn.ConvLSTMCell")
class ConvLSTMCell(_StateSized):
    """An LSTM whose products are convolutions (Shi et al. 2015)."""

    def __init__(
        self, conv_ndims: int, input_shape: Any, output_channels: int, kernel_shape: Any, use_bias: bool = True, skip_connection: bool = False, forget_bias: float = 1.0,
        initializers: Any = None, name: str = "conv_lstm_cell",
    ) -> None:  # fmt: skip
        super().__init__(name=name)
        input_shape = list(input_shape)
        if conv_ndims != len(input_shape) - 1:
            raise ValueError(f"Invalid input_shape {input_shape} for conv_ndims={conv_ndims}.")
        self._conv_ndims, self._output_channels, self._kernel_shape = conv_ndims, output_channels, list(kernel_shape)
        self._use_bias, self._forget_bias, self._skip_connection = use_bias, forget_bias, skip_connection
        size = TensorShape([*input_shape[:-1], output_channels])
        self._state_size = LSTMStateTuple(size, size)
        self._output_size = TensorShape([*input_shape[:-1], output_channels + (input_shape[-1] if skip_connection else 0)])

    def _conv(self, args: list[Any], features: int) -> Any:
        shapes = [a.get_shape().as_list() for a in args]
        rank = len(shapes[0])
        for shape in shapes:
            if len(shape) not in (3, 4, 5):
                raise ValueError(f"Conv Linear expects 3D, 4D or 5D arguments: {shapes}")
            if len(shape) != rank:
                raise ValueError(f"Conv Linear expects all args to be of same Dimension: {shapes}")
        dtype, depth = args[0].dtype, sum(s[-1] for s in shapes)
        convolve = {3: tf.nn.conv1d, 4: tf.nn.conv2d, 5: tf.nn.conv3d}[rank]
        kernel = tf.get_variable("kernel", [*self._kernel_shape, depth, features], dtype=dtype)
        joined = tf.concat(axis=rank - 1, values=args)
        result = convolve(joined, kernel, 1 if rank == 3 else [1] * rank, padding="SAME")
        if not self._use_bias:
            return result
        return result + tf.get_variable("biases", [features], dtype=dtype, initializer=tf.constant_initializer(0.0, dtype=dtype))

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        cell, hidden = state
        gates = tf.split(value=self._conv([inputs, hidden], 4 * self._output_channels), num_or_size_splits=4, axis=self._conv_ndims + 1)
        input_gate, new_input, forget_gate, output_gate = gates
        new_cell = tf.sigmoid(forget_gate + self._forget_bias) * cell
        new_cell += tf.sigmoid(input_gate) * tf.tanh(new_input)
        output = tf.tanh(new_cell) * tf.sigmoid(output_gate)
        if self._skip_connection:
            output = tf.concat([output, inputs], axis=-1)
        return output, LSTMStateTuple(new_cell, output)


@export("contrib.rnn.Conv1DLSTMCell")
class Conv1DLSTMCell(ConvLSTMCell):
    def __init__(self, name: str = "conv_1d_lstm_cell", **kwargs: Any) -> None:
        super().__init__(conv_ndims=1, name=name, **kwargs)


@export("contrib.rnn.Conv2DLSTMCell")
class Conv2DLSTMCell(ConvLSTMCell):
    def __init__(self, name: str = "conv_2d_lstm_cell", **kwargs: Any) -> None:
        super().__init__(conv_ndims=2, name=name, **kwargs)


@export("contrib.rnn.Conv3DLSTMCell")
class Conv3DLSTMCell(ConvLSTMCell):
    def __init__(self, name: str = "conv_3d_lstm_cell", **kwargs: Any) -> None:
        super().__init__(conv_ndims=3, name=name, **kwargs)


# -- cells that are one op -------------------------------------------------------------------------------------------------


class _BlockWeights(Layer):
    """The weights of the LSTM block ops."""

    _num_units: int
    _use_peephole: bool

    def _make_weights(self, depth: int) -> None:
        units = self._num_units
        self._kernel = self.add_weight("kernel", [depth + units, units * 4])
        self._bias = self.add_weight("bias", [units * 4], initializer=tf.constant_initializer(0.0))
        if self._use_peephole:
            self._w_i_diag, self._w_f_diag, self._w_o_diag = (self.add_weight(f"w_{gate}_diag", [units]) for gate in "ifo")
        self.built = True

    def _peepholes(self, dtype: Any) -> dict[str, Any]:
        if self._use_peephole:
            return {"wci": self._w_i_diag, "wcf": self._w_f_diag, "wco": self._w_o_diag}
        zeros = tf.zeros([self._num_units], dtype=dtype)
        return {"wci": zeros, "wcf": zeros, "wco": zeros}


@export("contrib.rnn.LSTMBlockCell")
class LSTMBlockCell(LayerRNNCell, _BlockWeights):
    """An LSTM step as one op."""

    def __init__(
        self,
        num_units: int,
        forget_bias: float = 1.0,
        cell_clip: float | None = None,
        use_peephole: bool = False,
        dtype: Any = None,
        reuse: Any = None,
        name: str = "lstm_cell",
    ) -> None:
        super().__init__(_reuse=reuse, dtype=dtype, name=name)
        self._num_units, self._forget_bias, self._use_peephole = num_units, forget_bias, use_peephole
        self._cell_clip = cell_clip if cell_clip is not None else -1
        self.input_spec = InputSpec(ndim=2)

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._num_units)

    @property
    def output_size(self) -> Any:
        return self._num_units

    def build(self, inputs_shape: Any) -> None:
        depth = inputs_shape.as_list()[1]
        if not depth:
            raise ValueError(f"Expecting inputs_shape[1] to be set: {inputs_shape}")
        self._make_weights(depth)

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        if len(state) != 2:
            raise ValueError("Expecting state to be a tuple with length 2.")
        peepholes = self._peepholes(self.dtype or inputs.dtype)
        c, h = state
        _, new_c, _, _, _, _, new_h = apply_op(
            "LSTMBlockCell", None, x=inputs, cs_prev=c, h_prev=h, w=self._kernel, b=self._bias, forget_bias=self._forget_bias, cell_clip=self._cell_clip,
            use_peephole=self._use_peephole, **peepholes,
        )  # fmt: skip
        return new_h, LSTMStateTuple(new_c, new_h)


@export("contrib.rnn.LSTMBlockWrapper")
class LSTMBlockWrapper(_BlockWeights):
    """A whole recurrence in one op, time first."""

    @property
    def num_units(self) -> int:
        raise NotImplementedError("Abstract method")

    def _call_cell(self, inputs: Any, initial_cell_state: Any, initial_output: Any, dtype: Any, sequence_length: Any) -> Any:
        raise NotImplementedError("Abstract method")

    def call(self, inputs: Any, initial_state: Any = None, dtype: Any = None, sequence_length: Any = None) -> Any:  # type: ignore[override]
        is_list = isinstance(inputs, list)
        if is_list:
            inputs = tf.stack(inputs)
        steps, batch, depth = inputs.get_shape().with_rank(3).as_list()
        if not depth:
            raise ValueError(f"Expecting inputs_shape[2] to be set: {inputs.get_shape()}")
        batch = tf.shape(inputs)[1] if batch is None else batch
        steps = tf.shape(inputs)[0] if steps is None else steps
        if initial_state is None:
            if dtype is None:
                raise ValueError("Either initial_state or dtype needs to be specified")
            z = tf.zeros(tf.stack([batch, self.num_units]), dtype=dtype)
            initial_state = (z, z)
        elif len(initial_state) != 2:
            raise ValueError("Expecting initial_state to be a tuple with length 2 or None")
        dtype = initial_state[0].dtype if dtype is None else dtype
        if sequence_length is not None:
            sequence_length = tf.convert_to_tensor(sequence_length)
        first_cell, first_output = initial_state
        cells, outputs = self._call_cell(inputs, first_cell, first_output, dtype, sequence_length)
        if sequence_length is None:
            state = LSTMStateTuple(cells[-1], outputs[-1])
        else:
            mask = tf.transpose(tf.sequence_mask(sequence_length, steps, dtype=dtype), [1, 0])
            outputs *= tf.tile(tf.expand_dims(mask, [-1]), [1, 1, self.num_units])

            def last(first: Any, values: Any) -> Any:
                whole = tf.concat([tf.expand_dims(first, [0]), values], 0)
                return tf.gather_nd(whole, tf.stack([sequence_length, tf.range(batch)], axis=1))

            state = LSTMStateTuple(last(first_cell, cells), last(first_output, outputs))
        return (tf.unstack(outputs) if is_list else outputs), state


@export("contrib.rnn.LSTMBlockFusedCell")
class LSTMBlockFusedCell(LSTMBlockWrapper):
    """LSTMBlockCell over a whole sequence."""

    def __init__(
        self, num_units: int, forget_bias: float = 1.0, cell_clip: float | None = None, use_peephole: bool = False, reuse: Any = None, dtype: Any = None,
        name: str = "lstm_fused_cell",
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse, name=name, dtype=dtype)
        self._num_units, self._forget_bias, self._use_peephole = num_units, forget_bias, use_peephole
        self._cell_clip = cell_clip if cell_clip is not None else -1
        self.input_spec = InputSpec(ndim=3)

    @property
    def num_units(self) -> int:
        return self._num_units

    def build(self, input_shape: Any) -> None:
        shape = input_shape[0] if isinstance(input_shape, list) else input_shape
        self._make_weights(shape.as_list()[-1])

    def _call_cell(self, inputs: Any, initial_cell_state: Any, initial_output: Any, dtype: Any, sequence_length: Any) -> Any:
        steps = inputs.get_shape().with_rank(3).as_list()[0]
        steps = tf.shape(inputs)[0] if steps is None else steps
        peepholes = self._peepholes(dtype)
        longest = tf.cast(steps if sequence_length is None else tf.reduce_max(sequence_length), "int64")
        _, cells, _, _, _, _, outputs = apply_op(
            "BlockLSTM", None, seq_len_max=longest, x=inputs, cs_prev=initial_cell_state, h_prev=initial_output, w=self._kernel, b=self._bias,
            forget_bias=self._forget_bias, cell_clip=self._cell_clip, use_peephole=self._use_peephole, **peepholes,
        )  # fmt: skip
        return cells, outputs


@export("contrib.rnn.GRUBlockCell")
class GRUBlockCell(LayerRNNCell):
    """A GRU step as one op."""

    _names = ("w_ru", "b_ru", "w_c", "b_c")

    def __init__(self, num_units: int | None = None, cell_size: int | None = None, reuse: Any = None, name: str = "gru_cell") -> None:
        super().__init__(_reuse=reuse, name=name)
        if (cell_size is None) == (num_units is None):
            raise ValueError("Exactly one of num_units or cell_size must be provided.")
        self._cell_size: int = num_units if num_units is not None else cell_size  # type: ignore[assignment]
        self.input_spec = InputSpec(ndim=2)

    @property
    def state_size(self) -> Any:
        return self._cell_size

    @property
    def output_size(self) -> Any:
        return self._cell_size

    def build(self, inputs_shape: Any) -> None:
        depth, size = inputs_shape.as_list()[1], self._cell_size
        if depth is None:
            raise ValueError("Expecting input_size to be set.")
        w_ru, b_ru, w_c, b_c = self._names
        self._gate_kernel = self.add_weight(w_ru, [depth + size, size * 2])
        self._gate_bias = self.add_weight(b_ru, [size * 2], initializer=tf.constant_initializer(1.0))
        self._candidate_kernel = self.add_weight(w_c, [depth + size, size])
        self._candidate_bias = self.add_weight(b_c, [size], initializer=tf.constant_initializer(0.0))
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        size = state.get_shape().with_rank(2).as_list()[1]
        if size != self._cell_size:
            raise ValueError(f"Shape of h_prev[1] incorrect: cell_size {self._cell_size} vs {size}")
        _, _, _, new_h = apply_op(
            "GRUBlockCell",
            None,
            x=inputs,
            h_prev=state,
            w_ru=self._gate_kernel,
            w_c=self._candidate_kernel,
            b_ru=self._gate_bias,
            b_c=self._candidate_bias,
        )
        return new_h, new_h


@export("contrib.rnn.GRUBlockCellV2")
class GRUBlockCellV2(GRUBlockCell):
    """GRUBlockCell with GRUCell's variable names."""

    _names = ("gates/kernel", "gates/bias", "candidate/kernel", "candidate/bias")
