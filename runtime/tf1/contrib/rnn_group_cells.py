"""tf.contrib.rnn: cells over groups, over frequencies, and of independent units."""

from __future__ import annotations

import collections
from typing import Any

from runtime.tf1.contrib.rnn_cells import _LSTMSized, _sharded, _StateSized
from runtime.tf1.contrib.rnn_wrappers import Linear
from runtime.tf1.graph import apply_op
from runtime.tf1.layer import InputSpec
from runtime.tf1.modules import module
from runtime.tf1.registry import export, put
from runtime.tf1.rnn_cell import LayerRNNCell, LSTMStateTuple, _depth

tf: Any = module("")
put("contrib.rnn.LayerRNNCell", LayerRNNCell)


class _Independent(LayerRNNCell):
    """A cell whose recurrent weights are a vector: each unit sees only itself (Li et al. 2018)."""

    def __init__(
        self, num_units: int, activation: Any, reuse: Any, name: str | None, dtype: Any, kernel_initializer: Any = None, bias_initializer: Any = None
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse, name=name, dtype=dtype)
        self.input_spec = InputSpec(ndim=2)
        self._num_units, self._activation = num_units, activation or tf.tanh
        self._kernel_initializer, self._bias_initializer = kernel_initializer, bias_initializer

    @property
    def state_size(self) -> Any:
        return self._num_units

    @property
    def output_size(self) -> Any:
        return self._num_units

    def _weights(self, depth: int, names: tuple[str, str, str], count: int, bias: Any) -> tuple[Any, Any, Any]:
        width = count * self._num_units
        w = self.add_variable(names[0], shape=[depth, width], initializer=self._kernel_initializer)
        own = tf.random_uniform_initializer(minval=-1, maxval=1, dtype=self.dtype)
        u = self.add_variable(names[1], shape=[1, width], initializer=own)
        given = bias if self._bias_initializer is None else self._bias_initializer
        return w, u, self.add_variable(names[2], shape=[width], initializer=given)


@export("contrib.rnn.IndRNNCell")
class IndRNNCell(_Independent):
    def __init__(self, num_units: int, activation: Any = None, reuse: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(num_units, activation, reuse, name, dtype)

    def build(self, inputs_shape: Any) -> None:
        zeros = tf.zeros_initializer(dtype=self.dtype)
        self._kernel_w, self._kernel_u, self._bias = self._weights(_depth(inputs_shape), ("kernel_w", "kernel_u", "bias"), 1, zeros)
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        gates = tf.matmul(inputs, self._kernel_w) + (state * self._kernel_u)
        output = self._activation(tf.nn.bias_add(gates, self._bias))
        return output, output


@export("contrib.rnn.IndyGRUCell")
class IndyGRUCell(_Independent):
    def __init__(
        self, num_units: int, activation: Any = None, reuse: Any = None, kernel_initializer: Any = None, bias_initializer: Any = None,
        name: str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(num_units, activation, reuse, name, dtype, kernel_initializer, bias_initializer)

    def build(self, inputs_shape: Any) -> None:
        depth = _depth(inputs_shape)
        ones, zeros = tf.constant_initializer(1.0, dtype=self.dtype), tf.zeros_initializer(dtype=self.dtype)
        self._gates = self._weights(depth, ("gates/kernel_w", "gates/kernel_u", "gates/bias"), 2, ones)
        self._candidate = self._weights(depth, ("candidate/kernel", "candidate/kernel_u", "candidate/bias"), 1, zeros)
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        w, u, b = self._gates
        gates = tf.matmul(inputs, w) + (apply_op("Tile", None, input=state, multiples=[1, 2]) * u)
        r, z = tf.split(value=tf.sigmoid(tf.nn.bias_add(gates, b)), num_or_size_splits=2, axis=1)
        w, u, b = self._candidate
        kept = r * state
        candidate = tf.matmul(inputs, w) + (kept * u)
        c = self._activation(tf.nn.bias_add(candidate, b))
        new_h = z * state + (1 - z) * c
        return new_h, new_h


@export("contrib.rnn.IndyLSTMCell")
class IndyLSTMCell(_Independent):
    def __init__(
        self, num_units: int, forget_bias: float = 1.0, activation: Any = None, reuse: Any = None, kernel_initializer: Any = None,
        bias_initializer: Any = None, name: str | None = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(num_units, activation, reuse, name, dtype, kernel_initializer, bias_initializer)
        self._forget_bias = forget_bias

    @property
    def state_size(self) -> Any:
        return LSTMStateTuple(self._num_units, self._num_units)

    def build(self, inputs_shape: Any) -> None:
        zeros = tf.zeros_initializer(dtype=self.dtype)
        self._kernel_w, self._kernel_u, self._bias = self._weights(_depth(inputs_shape), ("kernel_w", "kernel_u", "bias"), 4, zeros)
        self.built = True

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        one = tf.constant(1, dtype=tf.int32)
        c, h = state
        gates = tf.matmul(inputs, self._kernel_w)
        gates += apply_op("Tile", None, input=h, multiples=[1, 4]) * self._kernel_u
        i, j, f, o = tf.split(value=tf.nn.bias_add(gates, self._bias), num_or_size_splits=4, axis=one)
        forget_bias = tf.constant(self._forget_bias, dtype=f.dtype)
        kept = tf.multiply(c, tf.sigmoid(tf.add(f, forget_bias)))
        new_c = tf.add(kept, tf.multiply(tf.sigmoid(i), self._activation(j)))
        new_h = tf.multiply(self._activation(new_c), tf.sigmoid(o))
        return new_h, LSTMStateTuple(new_c, new_h)


@export("contrib.rnn.GLSTMCell")
class GLSTMCell(_LSTMSized):
    """An LSTM in groups that do not see each other (Kuchaiev & Ginsburg 2017)."""

    def __init__(
        self, num_units: int, initializer: Any = None, num_proj: int | None = None, number_of_groups: int = 1, forget_bias: float = 1.0,
        activation: Any = None, reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse)
        self._set_sizes(num_units, num_proj)
        self._initializer, self._groups, self._forget_bias = initializer, number_of_groups, forget_bias
        self._activation = activation if activation is not None else tf.tanh
        for label, size in (("num_units", num_units), ("num_proj", num_proj)):
            if size and size % number_of_groups:
                raise ValueError(f"{label} must be divisible by number_of_groups")
        self._linears: list[Any] = [None] * number_of_groups
        self._projection: Any = None

    def _part(self, inputs: Any, batch: Any, group: int, size: int) -> Any:
        return tf.slice(inputs, [0, group * size], [batch, size], name=f"GLSTM_group{group}_input_generation")

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        c_prev, m_prev = state
        batch = inputs.get_shape()[0].value or tf.shape(inputs)[0]
        depth = inputs.get_shape()[1].value
        if depth is None:
            raise ValueError("input size must be statically known")
        if depth % self._groups:
            raise ValueError(f"input size ({depth}) must be divisible by number_of_groups ({self._groups})")
        dtype = inputs.dtype
        with tf.variable_scope(tf.get_variable_scope(), initializer=self._initializer):
            parts: list[list[Any]] = [[], [], [], []]
            for group in range(self._groups):
                with tf.variable_scope(f"group{group}"):
                    x = self._part(inputs, batch, group, depth // self._groups)
                    m = self._part(m_prev, batch, group, self._output_size // self._groups)
                    joined = tf.concat([x, m], axis=1)
                    if self._linears[group] is None:
                        self._linears[group] = Linear(joined, 4 * (self._num_units // self._groups), False)
                    made = tf.split(self._linears[group](joined), 4, 1)
                for gate, part in zip(parts, made, strict=True):
                    gate.append(part)
            biases = []
            for letter in "ijfo":
                zeros = tf.constant_initializer(0.0, dtype=dtype)
                biases.append(tf.get_variable(name=f"bias_{letter}", shape=[self._num_units], dtype=dtype, initializer=zeros))
            i, j, f, o = (tf.nn.bias_add(tf.concat(gate, axis=1), b) for gate, b in zip(parts, biases, strict=True))
        c = tf.sigmoid(f + self._forget_bias) * c_prev + tf.sigmoid(i) * tf.tanh(j)
        m = tf.sigmoid(o) * self._activation(c)
        if self._num_proj is not None:
            with tf.variable_scope("projection"):
                if self._projection is None:
                    self._projection = Linear(m, self._num_proj, False)
                m = self._projection(m)
        return m, LSTMStateTuple(c, m)


def _windows(inputs: Any, start: int, count: int, skip: int, size: int) -> list[Any]:
    return [tf.slice(inputs, [0, start + i * skip], [-1, size]) for i in range(count)]


def _width(inputs: Any) -> int:
    size = inputs.get_shape().with_rank(2).as_list()[-1]
    if size is None:
        raise ValueError("Cannot infer input_size from static shape inference.")
    return int(size)


@export("contrib.rnn.TimeFreqLSTMCell")
class TimeFreqLSTMCell(_StateSized):
    """An LSTM that also goes over the windows of a spectrum (Sainath et al. 2015)."""

    def __init__(
        self, num_units: int, use_peepholes: bool = False, cell_clip: float | None = None, initializer: Any = None, num_unit_shards: int = 1,
        forget_bias: float = 1.0, feature_size: int | None = None, frequency_skip: int = 1, reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse)
        self._num_units, self._use_peepholes, self._cell_clip, self._initializer = num_units, use_peepholes, cell_clip, initializer
        self._shards, self._forget_bias, self._feature_size, self._frequency_skip = (
            num_unit_shards,
            forget_bias,
            feature_size,
            frequency_skip,
        )
        self._state_size, self._output_size = 2 * num_units, num_units

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        units, dtype, size = self._num_units, inputs.dtype, self._feature_size or 0
        windows = _windows(inputs, 0, int((_width(inputs) - size) / self._frequency_skip) + 1, self._frequency_skip, size)
        weights = _sharded("W", [windows[0].get_shape().as_list()[1] + 2 * units, 4 * units], dtype, self._shards)
        b = tf.get_variable("B", shape=[4 * units], initializer=tf.zeros_initializer(), dtype=dtype)
        if self._use_peepholes:
            w_f, w_i, w_o = (tf.get_variable(f"W_{gate}_diag", shape=[units], dtype=dtype) for gate in "FIO")
        m_freq = tf.zeros([inputs.get_shape()[0].value or inputs.get_shape()[0], units], dtype)
        states: Any = None
        outputs: Any = None
        for at, window in enumerate(windows):
            c_prev = tf.slice(state, [0, 2 * at * units], [-1, units])
            m_prev = tf.slice(state, [0, (2 * at + 1) * units], [-1, units])
            matrix = tf.nn.bias_add(tf.matmul(tf.concat([window, m_prev, m_freq], 1), weights), b)
            i, j, f, o = tf.split(value=matrix, num_or_size_splits=4, axis=1)
            if self._use_peepholes:
                c = tf.sigmoid(f + self._forget_bias + w_f * c_prev) * c_prev + tf.sigmoid(i + w_i * c_prev) * tf.tanh(j)
            else:
                c = tf.sigmoid(f + self._forget_bias) * c_prev + tf.sigmoid(i) * tf.tanh(j)
            if self._cell_clip is not None:
                c = tf.clip_by_value(c, -self._cell_clip, self._cell_clip)
            m = tf.sigmoid(o + w_o * c) * tf.tanh(c) if self._use_peepholes else tf.sigmoid(o) * tf.tanh(c)
            m_freq = m
            states = tf.concat([c, m] if states is None else [states, c, m], 1)
            outputs = m if outputs is None else tf.concat([outputs, m], 1)
        return outputs, states


@export("contrib.rnn.GridLSTMCell")
class GridLSTMCell(_StateSized):
    """LSTMs over time and over frequency, on the windows of a spectrum (Kalchbrenner et al. 2015, Sainath & Li 2016)."""

    def __init__(
        self, num_units: int, use_peepholes: bool = False, share_time_frequency_weights: bool = False, cell_clip: float | None = None,
        initializer: Any = None, num_unit_shards: int = 1, forget_bias: float = 1.0, feature_size: int | None = None, frequency_skip: int | None = None,
        num_frequency_blocks: Any = None, start_freqindex_list: Any = None, end_freqindex_list: Any = None, couple_input_forget_gates: bool = False,
        state_is_tuple: bool = True, reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(_reuse=reuse)
        if num_frequency_blocks is None:
            raise ValueError("Must specify num_frequency_blocks")
        if not state_is_tuple:
            tf.logging.warn("%s: Using a concatenated state is slower and will soon be deprecated.  Use state_is_tuple=True.", self)
        self._num_units, self._use_peepholes, self._shared, self._coupled = (
            num_units,
            use_peepholes,
            share_time_frequency_weights,
            couple_input_forget_gates,
        )
        self._cell_clip, self._initializer, self._shards, self._forget_bias = cell_clip, initializer, num_unit_shards, forget_bias
        self._feature_size, self._frequency_skip, self._blocks = (
            feature_size or 0,
            frequency_skip or 1,
            [int(n) for n in num_frequency_blocks],
        )
        self._starts, self._ends, self._state_is_tuple = start_freqindex_list, end_freqindex_list, state_is_tuple
        total = sum(self._blocks)
        self._state_tuple_type: Any = None
        self._state_size: Any = num_units * total * 2
        if state_is_tuple:
            self._state_tuple_type = collections.namedtuple("GridLSTMStateTuple", self._state_names(("state",)))
            self._state_size = self._state_tuple_type(*([num_units, num_units] * total))
        self._output_size = num_units * total * 2

    def _state_names(self, prefixes: tuple[str, ...]) -> list[str]:
        places = [(p, b, f) for p in prefixes for b, count in enumerate(self._blocks) for f in range(count)]
        return [f"{p}_f{f:02d}_b{b:02d}_{part}" for p, b, f in places for part in ("c", "m")]

    @property
    def state_tuple_type(self) -> Any:
        return self._state_tuple_type

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        batch = inputs.get_shape()[0].value or tf.shape(inputs)[0]
        outputs, states = self._over(self._features(inputs), state, batch, "state")
        joined = self._state_tuple_type(*states) if self._state_is_tuple else tf.concat(states, 1)
        return tf.concat(outputs, 1), joined

    def _over(self, features: list[list[Any]], state: Any, batch: Any, prefix: str) -> tuple[list[Any], list[Any]]:
        outputs: list[Any] = []
        states: list[Any] = []
        for block, windows in enumerate(features):
            made, kept = self._compute(windows, block, state, batch, prefix)
            outputs.extend(made)
            states.extend(kept)
        return outputs, states

    def _compute(self, windows: list[Any], block: int, state: Any, batch: Any, prefix: str) -> tuple[list[Any], list[Any]]:
        units, dtype = self._num_units, windows[0].dtype
        gates = 3 if self._coupled else 4
        depth = windows[0].get_shape().as_list()[1]

        def weights(way: str) -> tuple[Any, Any]:
            w = _sharded(f"W_{way}_{block}", [depth + 2 * units, gates * units], dtype, self._shards)
            return w, tf.get_variable(f"B_{way}_{block}", shape=[gates * units], initializer=tf.zeros_initializer(), dtype=dtype)

        by_freq = weights("f")
        by_time = by_freq if self._shared else weights("t")
        diagonals: dict[str, tuple[Any, Any]] = {}
        if self._use_peepholes:
            for way in ("freq",) if self._shared else ("freq", "time"):
                for gate in "IO" if self._coupled else "FIO":
                    names = [f"W_{gate}_diag_{way}{source}_{block}" for source in ("f", "t")]
                    diagonals[gate + way] = tuple(tf.get_variable(n, shape=[units], dtype=dtype) for n in names)  # type: ignore[assignment]

        def peeped(value: Any, gate: str, way: str, c_f: Any, c_t: Any) -> Any:
            """A gate's input with what the cells of both ways add."""
            if not self._use_peepholes:
                return value
            from_freq, from_time = diagonals[gate + ("freq" if self._shared else way)]
            return value + from_freq * c_f + from_time * c_t

        def gated(parts: Any, way: str, c_f: Any, c_t: Any, c_own: Any) -> Any:
            i, j, f, _ = parts
            input_gate = tf.sigmoid(peeped(i, "I", way, c_f, c_t))
            forget = 1.0 - input_gate if self._coupled else tf.sigmoid(peeped(f + self._forget_bias, "F", way, c_f, c_t))
            c = forget * c_own + input_gate * tf.tanh(j)
            return c if self._cell_clip is None else tf.clip_by_value(c, -self._cell_clip, self._cell_clip)

        m_freq = tf.zeros([batch, units], dtype)
        c_freq = tf.zeros([batch, units], dtype)
        outputs: list[Any] = []
        states: list[Any] = []
        for at, window in enumerate(windows):
            if self._state_is_tuple:
                c_time, m_time = (getattr(state, f"{prefix}_f{at:02d}_b{block:02d}_{part}") for part in ("c", "m"))
            else:
                c_time, m_time = (tf.slice(state, [0, (2 * at + k) * units], [-1, units]) for k in (0, 1))
            joined = tf.concat([window, m_time, m_freq], 1)
            freq = self._gates(joined, by_freq, gates)
            time = freq if self._shared else self._gates(joined, by_time, gates)
            new_freq = gated(freq, "freq", c_freq, c_time, c_freq)
            new_time = gated(time, "time", c_freq, c_time, c_time)
            m_freq = tf.sigmoid(peeped(freq[3], "O", "freq", new_freq, new_time)) * tf.tanh(new_freq)
            m_time = tf.sigmoid(peeped(time[3], "O", "time", new_freq, new_time)) * tf.tanh(new_time)
            c_freq = new_freq
            states += [new_time, m_time]
            outputs += [m_time, m_freq]
        return outputs, states

    def _gates(self, joined: Any, weights: tuple[Any, Any], count: int) -> tuple[Any, Any, Any, Any]:
        matrix = tf.nn.bias_add(tf.matmul(joined, weights[0]), weights[1])
        parts = tf.split(value=matrix, num_or_size_splits=count, axis=1)
        return (parts[0], parts[1], None, parts[2]) if self._coupled else tuple(parts)

    def _features(self, inputs: Any, slice_offset: int = 0) -> list[list[Any]]:
        width = _width(inputs)
        if slice_offset:
            edges = [0, 0, 0, slice_offset] if slice_offset > 0 else [0, 0, -slice_offset, 0]
            inputs = tf.pad(inputs, tf.constant(edges, shape=[2, 2], dtype=tf.int32), "CONSTANT")
        start = max(slice_offset, 0)
        if not self._starts:
            if len(self._blocks) != 1:
                raise ValueError(f"Length of num_frequency_blocks is not 1, but instead is {len(self._blocks)}")
            spans = [(0, width)]
        else:
            if len(self._starts) != len(self._ends):
                raise ValueError(f"Length of start and end freqindex_list does not match {len(self._starts)} {len(self._ends)}")
            if len(self._blocks) != len(self._starts):
                raise ValueError(
                    f"Length of num_frequency_blocks is not equal to start_freqindex_list {len(self._blocks)} {len(self._starts)}"
                )
            spans = list(zip(self._starts, self._ends, strict=True))
        features = []
        for expected, (first, last) in zip(self._blocks, spans, strict=True):
            count = int((last - first - self._feature_size) / self._frequency_skip) + 1
            if count != expected:
                raise ValueError(
                    f"Invalid num_frequency_blocks, requires {expected} but gets {count}, please check the input size and filter config are correct."
                )
            features.append(_windows(inputs, first + start, count, self._frequency_skip, self._feature_size))
        return features


@export("contrib.rnn.BidirectionalGridLSTMCell")
class BidirectionalGridLSTMCell(GridLSTMCell):
    """Grid LSTMs up and down the frequencies."""

    def __init__(
        self, num_units: int, use_peepholes: bool = False, share_time_frequency_weights: bool = False, cell_clip: float | None = None,
        initializer: Any = None, num_unit_shards: int = 1, forget_bias: float = 1.0, feature_size: int | None = None, frequency_skip: int | None = None,
        num_frequency_blocks: Any = None, start_freqindex_list: Any = None, end_freqindex_list: Any = None, couple_input_forget_gates: bool = False,
        backward_slice_offset: int = 0, reuse: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            num_units, use_peepholes, share_time_frequency_weights, cell_clip, initializer, num_unit_shards, forget_bias, feature_size, frequency_skip,
            num_frequency_blocks, start_freqindex_list, end_freqindex_list, couple_input_forget_gates, True, reuse,
        )  # fmt: skip
        self._backward_slice_offset = int(backward_slice_offset)
        total = sum(self._blocks)
        self._state_tuple_type = collections.namedtuple("BidirectionalGridLSTMStateTuple", self._state_names(("fwd_state", "bwd_state")))
        self._state_size = self._state_tuple_type(*([num_units, num_units] * total * 2))
        self._output_size = 2 * num_units * total * 2

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        batch = inputs.get_shape()[0].value or tf.shape(inputs)[0]
        forward = self._features(inputs)
        backward = self._features(inputs, self._backward_slice_offset) if self._backward_slice_offset else forward
        with tf.variable_scope("fwd"):
            up, up_states = self._over(forward, state, batch, "fwd_state")
        with tf.variable_scope("bwd"):
            down, down_states = self._over([windows[::-1] for windows in backward], state, batch, "bwd_state")
        return tf.concat(up + down, 1), self._state_tuple_type(*(up_states + down_states))
