"""tf.contrib.rnn: wrappers that project or embed what a cell takes and gives, and recurrences made of others."""

from __future__ import annotations

import math
from typing import Any

from runtime.tf1 import nest
from runtime.tf1.contrib.decoder import check_cell
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.rnn import _swap_batch_and_time
from runtime.tf1.rnn_cell import RNNCell

tf: Any = module("")


def _depth_of(args: list[Any]) -> int:
    total = 0
    shapes = [a.get_shape() for a in args]
    for shape in shapes:
        if shape.ndims != 2:
            raise ValueError(f"linear is expecting 2D arguments: {shapes}")
        if shape.dims[1].value is None:
            raise ValueError(f"linear expects shape[1] to be provided for shape {shape}, but saw {shape[1]}")
        total += shape.dims[1].value
    return total


class Linear:
    """[args] W + b, with variables that are made once."""

    def __init__(self, args: Any, output_size: int, build_bias: bool, bias_initializer: Any = None, kernel_initializer: Any = None) -> None:
        if args is None or (nest.is_sequence(args) and not args):
            raise ValueError("`args` must be specified")
        self._is_sequence = nest.is_sequence(args)
        args = list(args) if self._is_sequence else [args]
        depth, dtype = _depth_of(args), args[0].dtype
        self._bias = None
        with tf.variable_scope(tf.get_variable_scope()) as outer:
            self._weights = tf.get_variable("kernel", [depth, output_size], dtype=dtype, initializer=kernel_initializer)
            if build_bias:
                with tf.variable_scope(outer) as inner:
                    inner.set_partitioner(None)
                    initializer = bias_initializer if bias_initializer is not None else tf.constant_initializer(0.0, dtype=dtype)
                    self._bias = tf.get_variable("bias", [output_size], dtype=dtype, initializer=initializer)

    def __call__(self, args: Any) -> Any:
        args = list(args) if self._is_sequence else [args]
        if len(args) == 1:
            result = tf.matmul(args[0], self._weights)
        else:
            one = tf.constant(1, dtype="int32")
            result = tf.matmul(tf.concat(args, one), self._weights)
        return tf.nn.bias_add(result, self._bias) if self._bias is not None else result


def linear(args: Any, output_size: int, bias: bool, bias_initializer: Any = None, kernel_initializer: Any = None) -> Any:
    """[args] W + b, with variables of the current scope."""
    if args is None or (nest.is_sequence(args) and not args):
        raise ValueError("`args` must be specified")
    args = list(args) if nest.is_sequence(args) else [args]
    depth, dtype = _depth_of(args), args[0].dtype
    with tf.variable_scope(tf.get_variable_scope()) as outer:
        weights = tf.get_variable("kernel", [depth, output_size], dtype=dtype, initializer=kernel_initializer)
        result = tf.matmul(args[0] if len(args) == 1 else tf.concat(args, 1), weights)
        if not bias:
            return result
        with tf.variable_scope(outer) as inner:
            inner.set_partitioner(None)
            initializer = bias_initializer if bias_initializer is not None else tf.constant_initializer(0.0, dtype=dtype)
            biases = tf.get_variable("bias", [output_size], dtype=dtype, initializer=initializer)
        return tf.nn.bias_add(result, biases)


class CellWrapper(RNNCell):
    """A cell around another, with its state."""

    _cell: Any

    @property
    def state_size(self) -> Any:
        return self._cell.state_size

    @property
    def output_size(self) -> Any:
        return self._cell.output_size

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with tf.name_scope(f"{type(self).__name__}ZeroState", values=[batch_size]):
            return self._cell.zero_state(batch_size, dtype)


@export("contrib.rnn.EmbeddingWrapper")
class EmbeddingWrapper(CellWrapper):
    """Embeds a cell's integer inputs."""

    def __init__(self, cell: Any, embedding_classes: int, embedding_size: int, initializer: Any = None, reuse: Any = None) -> None:
        super().__init__(_reuse=reuse)
        check_cell(cell)
        if embedding_classes <= 0 or embedding_size <= 0:
            raise ValueError(f"Both embedding_classes and embedding_size must be > 0: {embedding_classes}, {embedding_size}.")
        self._cell, self._embedding_classes, self._embedding_size, self._initializer = cell, embedding_classes, embedding_size, initializer

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        with tf.device("/cpu:0"):
            initializer = self._initializer or tf.get_variable_scope().initializer
            if not initializer:
                limit = math.sqrt(3)
                initializer = tf.random_uniform_initializer(-limit, limit)
            dtype = state[0].dtype if isinstance(state, tuple) else state.dtype
            embedding = tf.get_variable("embedding", [self._embedding_classes, self._embedding_size], initializer=initializer, dtype=dtype)
            embedded = tf.nn.embedding_lookup(embedding, tf.reshape(inputs, [-1]))
            return self._cell(embedded, state)


@export("contrib.rnn.InputProjectionWrapper")
class InputProjectionWrapper(CellWrapper):
    """Projects a cell's inputs."""

    def __init__(self, cell: Any, num_proj: int, activation: Any = None, input_size: Any = None, reuse: Any = None) -> None:
        super().__init__(_reuse=reuse)
        check_cell(cell)
        self._cell, self._num_proj, self._activation = cell, num_proj, activation
        self._linear: Linear | None = None

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        if self._linear is None:
            self._linear = Linear(inputs, self._num_proj, True)
        projected = self._linear(inputs)
        return self._cell(self._activation(projected) if self._activation else projected, state)


@export("contrib.rnn.OutputProjectionWrapper")
class OutputProjectionWrapper(CellWrapper):
    """Projects a cell's outputs."""

    def __init__(self, cell: Any, output_size: int, activation: Any = None, reuse: Any = None) -> None:
        super().__init__(_reuse=reuse)
        check_cell(cell)
        if output_size < 1:
            raise ValueError(f"Parameter output_size must be > 0: {output_size}.")
        self._cell, self._output_size, self._activation = cell, output_size, activation
        self._linear: Linear | None = None

    @property
    def output_size(self) -> Any:
        return self._output_size

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        output, new_state = self._cell(inputs, state)
        if self._linear is None:
            self._linear = Linear(output, self._output_size, True)
        projected = self._linear(output)
        return (self._activation(projected) if self._activation else projected), new_state


@export("contrib.rnn.HighwayWrapper")
class HighwayWrapper(CellWrapper):
    """Lets a learnt share of the inputs through to the outputs."""

    def __init__(self, cell: Any, couple_carry_transform_gates: bool = True, carry_bias_init: float = 1.0) -> None:
        super().__init__()
        self._cell, self._couple, self._carry_bias_init = cell, couple_carry_transform_gates, carry_bias_init

    def _highway(self, inp: Any, out: Any) -> Any:
        size = inp.get_shape().with_rank(2)[1].value
        carry_weight = tf.get_variable("carry_w", [size, size])
        carry_bias = tf.get_variable("carry_b", [size], initializer=tf.constant_initializer(self._carry_bias_init))
        carry = tf.sigmoid(tf.nn.xw_plus_b(inp, carry_weight, carry_bias))
        if self._couple:
            transform = 1 - carry
        else:
            weight = tf.get_variable("transform_w", [size, size])
            bias = tf.get_variable("transform_b", [size], initializer=tf.constant_initializer(-self._carry_bias_init))
            transform = tf.sigmoid(tf.nn.xw_plus_b(inp, weight, bias))
        return inp * carry + out * transform

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        outputs, new_state = self._cell(inputs, state, scope=scope)
        nest.assert_same_structure(inputs, outputs)
        return nest.map_structure(self._highway, inputs, outputs), new_state


@export("contrib.rnn.AttentionCellWrapper")
class AttentionCellWrapper(RNNCell):
    """Attention over a cell's last `attn_length` outputs (Bahdanau et al. 2014)."""

    def __init__(
        self,
        cell: Any,
        attn_length: int,
        attn_size: int | None = None,
        attn_vec_size: int | None = None,
        input_size: int | None = None,
        state_is_tuple: bool = True,
        reuse: Any = None,
    ) -> None:
        super().__init__(_reuse=reuse)
        check_cell(cell)
        if nest.is_sequence(cell.state_size) and not state_is_tuple:
            raise ValueError(f"Cell returns tuple of states, but the flag state_is_tuple is not set. State size is: {cell.state_size}")
        if attn_length <= 0:
            raise ValueError(f"attn_length should be greater than zero, got {attn_length}")
        self._attn_size = cell.output_size if attn_size is None else attn_size
        self._attn_vec_size = self._attn_size if attn_vec_size is None else attn_vec_size
        self._state_is_tuple, self._cell, self._input_size, self._attn_length = state_is_tuple, cell, input_size, attn_length
        self._linears: dict[str, Linear] = {}

    @property
    def state_size(self) -> Any:
        size = (self._cell.state_size, self._attn_size, self._attn_size * self._attn_length)
        return size if self._state_is_tuple else sum(size)

    @property
    def output_size(self) -> Any:
        return self._attn_size

    def _linear(self, label: str, args: Any, size: int, bias: bool) -> Any:
        if label not in self._linears:
            self._linears[label] = Linear(args, size, bias)
        return self._linears[label](args)

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        if self._state_is_tuple:
            state, attns, attn_states = state
        else:
            states, size = state, self._cell.state_size
            state = tf.slice(states, [0, 0], [-1, size])
            attns = tf.slice(states, [0, size], [-1, self._attn_size])
            attn_states = tf.slice(states, [0, size + self._attn_size], [-1, self._attn_size * self._attn_length])
        attn_states = tf.reshape(attn_states, [-1, self._attn_length, self._attn_size])
        input_size = self._input_size if self._input_size is not None else inputs.get_shape().as_list()[1]
        joined = self._linear("inputs", [inputs, attns], input_size, True)
        cell_output, new_state = self._cell(joined, state)
        query = tf.concat(nest.flatten(new_state), 1) if self._state_is_tuple else new_state
        new_attns, new_attn_states = self._attention(query, attn_states)
        with tf.variable_scope("attn_output_projection"):
            output = self._linear("output", [cell_output, new_attns], self._attn_size, True)
        new_attn_states = tf.concat([new_attn_states, tf.expand_dims(output, 1)], 1)
        new_attn_states = tf.reshape(new_attn_states, [-1, self._attn_length * self._attn_size])
        whole = (new_state, new_attns, new_attn_states)
        return output, whole if self._state_is_tuple else tf.concat(list(whole), 1)

    def _attention(self, query: Any, attn_states: Any) -> tuple[Any, Any]:
        with tf.variable_scope("attention"):
            k = tf.get_variable("attn_w", [1, 1, self._attn_size, self._attn_vec_size])
            v = tf.get_variable("attn_v", [self._attn_vec_size])
            hidden = tf.reshape(attn_states, [-1, self._attn_length, 1, self._attn_size])
            features = tf.nn.conv2d(hidden, k, [1, 1, 1, 1], "SAME")
            y = self._linear("query", query, self._attn_vec_size, True)
            y = tf.reshape(y, [-1, 1, 1, self._attn_vec_size])
            weights = tf.nn.softmax(tf.reduce_sum(v * tf.tanh(features + y), [2, 3]))
            d = tf.reduce_sum(tf.reshape(weights, [-1, self._attn_length, 1, 1]) * hidden, [1, 2])
            new_attns = tf.reshape(d, [-1, self._attn_size])
            return new_attns, tf.slice(attn_states, [0, 1, 0], [-1, -1, -1])


@export("contrib.rnn.CompiledWrapper")
class CompiledWrapper(CellWrapper):
    """A cell that TensorFlow would compile with XLA; it runs as any other here."""

    def __init__(self, cell: Any, compile_stateful: bool = False) -> None:
        super().__init__()
        self._cell = cell

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        return self._cell(inputs, state, scope)


@export("contrib.rnn.transpose_batch_time")
def transpose_batch_time(x: Any) -> Any:
    return _swap_batch_and_time(x)


@export("contrib.rnn.best_effort_input_batch_size")
def best_effort_input_batch_size(flat_input: Any) -> Any:
    from runtime.tf1.rnn import _batch_size

    return _batch_size(flat_input)


def _stack_checks(cells_fw: Any, cells_bw: Any, initial_states_fw: Any, initial_states_bw: Any) -> None:
    if not cells_fw:
        raise ValueError("Must specify at least one fw cell for BidirectionalRNN.")
    if not cells_bw:
        raise ValueError("Must specify at least one bw cell for BidirectionalRNN.")
    for label, cells in (("fw", cells_fw), ("bw", cells_bw)):
        if not isinstance(cells, list):
            raise ValueError(f"cells_{label} must be a list of RNNCells (one per layer).")
    if len(cells_fw) != len(cells_bw):
        raise ValueError("Forward and Backward cells must have the same depth.")
    for label, states in (("fw", initial_states_fw), ("bw", initial_states_bw)):
        if states is not None and (not isinstance(states, list | tuple) or len(states) != len(cells_fw)):
            raise ValueError(f"initial_states_{label} must be a list of state tensors (one per layer).")


@export("contrib.rnn.stack_bidirectional_rnn")
def stack_bidirectional_rnn(
    cells_fw: Any,
    cells_bw: Any,
    inputs: Any,
    initial_states_fw: Any = None,
    initial_states_bw: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Any = None,
) -> tuple[Any, Any, Any]:
    """Bidirectional layers, one on the other: outputs, forward and backward states."""
    _stack_checks(cells_fw, cells_bw, initial_states_fw, initial_states_bw)
    states_fw, states_bw, layer = [], [], inputs
    with tf.variable_scope(scope or "stack_bidirectional_rnn"):
        for i, (fw, bw) in enumerate(zip(cells_fw, cells_bw, strict=True)):
            with tf.variable_scope(f"cell_{i}"):
                layer, state_fw, state_bw = tf.nn.static_bidirectional_rnn(
                    fw, bw, layer, initial_state_fw=initial_states_fw[i] if initial_states_fw else None, initial_state_bw=initial_states_bw[i] if initial_states_bw else None,
                    sequence_length=sequence_length, dtype=dtype,
                )  # fmt: skip
            states_fw.append(state_fw)
            states_bw.append(state_bw)
    return layer, tuple(states_fw), tuple(states_bw)


@export("contrib.rnn.stack_bidirectional_dynamic_rnn")
def stack_bidirectional_dynamic_rnn(
    cells_fw: Any, cells_bw: Any, inputs: Any, initial_states_fw: Any = None, initial_states_bw: Any = None, dtype: Any = None, sequence_length: Any = None,
    parallel_iterations: Any = None, time_major: bool = False, scope: Any = None, swap_memory: bool = False,
) -> tuple[Any, Any, Any]:  # fmt: skip
    _stack_checks(cells_fw, cells_bw, initial_states_fw, initial_states_bw)
    states_fw, states_bw, layer = [], [], inputs
    with tf.variable_scope(scope or "stack_bidirectional_rnn"):
        for i, (fw, bw) in enumerate(zip(cells_fw, cells_bw, strict=True)):
            with tf.variable_scope(f"cell_{i}"):
                outputs, (state_fw, state_bw) = tf.nn.bidirectional_dynamic_rnn(
                    fw, bw, layer, initial_state_fw=initial_states_fw[i] if initial_states_fw else None, initial_state_bw=initial_states_bw[i] if initial_states_bw else None,
                    sequence_length=sequence_length, parallel_iterations=parallel_iterations, dtype=dtype, swap_memory=swap_memory, time_major=time_major,
                )  # fmt: skip
                layer = tf.concat(outputs, 2)
            states_fw.append(state_fw)
            states_bw.append(state_bw)
    return layer, tuple(states_fw), tuple(states_bw)


# -- fused cells ---------------------------------------------------------------------------------------------------------


@export("contrib.rnn.FusedRNNCell")
class FusedRNNCell:
    """A recurrence over whole sequences, time first."""

    def __call__(self, inputs: Any, initial_state: Any = None, dtype: Any = None, sequence_length: Any = None, scope: Any = None) -> Any:
        raise NotImplementedError


@export("contrib.rnn.FusedRNNCellAdaptor")
class FusedRNNCellAdaptor(FusedRNNCell):
    """A cell as a fused one."""

    def __init__(self, cell: Any, use_dynamic_rnn: bool = False) -> None:
        self._cell, self._use_dynamic_rnn = cell, use_dynamic_rnn

    def __call__(self, inputs: Any, initial_state: Any = None, dtype: Any = None, sequence_length: Any = None, scope: Any = None) -> Any:
        is_list = isinstance(inputs, list)
        if self._use_dynamic_rnn:
            stacked = tf.stack(inputs) if is_list else inputs
            outputs, state = tf.nn.dynamic_rnn(
                self._cell, stacked, sequence_length=sequence_length, initial_state=initial_state, dtype=dtype, time_major=True, scope=scope
            )
            return (tf.unstack(outputs) if is_list else outputs), state
        steps = inputs if is_list else tf.unstack(inputs)
        outputs, state = tf.nn.static_rnn(
            self._cell, steps, initial_state=initial_state, dtype=dtype, sequence_length=sequence_length, scope=scope
        )
        return (outputs if is_list else tf.stack(outputs)), state


@export("contrib.rnn.TimeReversedFusedRNN")
class TimeReversedFusedRNN(FusedRNNCell):
    """A fused recurrence that runs from the end to the start."""

    def __init__(self, cell: Any) -> None:
        self._cell = cell

    def _reverse(self, t: Any, lengths: Any) -> Any:
        if isinstance(t, list):
            return list(reversed(t))
        return tf.reverse(t, [0]) if lengths is None else tf.reverse_sequence(t, lengths, 0, 1)

    def __call__(self, inputs: Any, initial_state: Any = None, dtype: Any = None, sequence_length: Any = None, scope: Any = None) -> Any:
        inputs = self._reverse(inputs, sequence_length)
        outputs, state = self._cell(inputs, initial_state=initial_state, dtype=dtype, sequence_length=sequence_length, scope=scope)
        return self._reverse(outputs, sequence_length), state
