"""tf.contrib.seq2seq: attention mechanisms and the cell wrapper that uses them."""

from __future__ import annotations

import collections
import functools
import math
from typing import Any

import numpy as np

from graphtools import graph as base
from graphtools.dtypes import as_dtype
from runtime.tf1 import nest
from runtime.tf1.contrib.decoder import check_cell
from runtime.tf1.contrib.framework_tensors import with_same_shape
from runtime.tf1.core_layers import Dense
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.rnn_cell import RNNCell, zero_state_tensors
from runtime.tf1.tensor_shape import TensorShape

tf: Any = module("")


@export("contrib.seq2seq.AttentionMechanism")
class AttentionMechanism:
    """Says how much a query attends to each step of a memory."""

    @property
    def alignments_size(self) -> Any:
        raise NotImplementedError

    @property
    def state_size(self) -> Any:
        raise NotImplementedError


def _prepare_memory(memory: Any, memory_sequence_length: Any, check_inner_dims_defined: bool) -> Any:
    """The memory, zero past each sequence's end."""
    memory = nest.map_structure(lambda m: tf.convert_to_tensor(m, name="memory"), memory)
    if memory_sequence_length is not None:
        memory_sequence_length = tf.convert_to_tensor(memory_sequence_length, name="memory_sequence_length")
    for m in nest.flatten(memory) if check_inner_dims_defined else ():
        if not m.get_shape()[2:].is_fully_defined():
            raise ValueError(f"Expected memory {m.name} to have fully defined inner dims, but saw shape: {m.get_shape()}")
    if memory_sequence_length is None:
        return memory
    first = nest.flatten(memory)[0]
    mask = tf.sequence_mask(memory_sequence_length, maxlen=tf.shape(first)[1], dtype=first.dtype)

    def masked(m: Any) -> Any:
        rank = m.get_shape().ndims if m.get_shape().ndims is not None else tf.rank(m)
        extra_ones = tf.ones(rank - 2, dtype="int32")
        return m * tf.reshape(mask, tf.concat((tf.shape(mask), extra_ones), 0))

    return nest.map_structure(masked, memory)


def _mask_score(score: Any, memory_sequence_length: Any, score_mask_value: Any) -> Any:
    if memory_sequence_length is None:
        return score
    message = "All values in memory_sequence_length must be greater than zero."
    with tf.control_dependencies([tf.assert_positive(memory_sequence_length, message=message)]):
        mask = tf.sequence_mask(memory_sequence_length, maxlen=tf.shape(score)[1])
    return tf.where(mask, score, score_mask_value * tf.ones_like(score))


def _size(tensor: Any, axis: int) -> Any:
    """A dimension: a number where it is known."""
    static = tensor.shape.as_list()[axis]
    return static if static else tf.shape(tensor)[axis]


class _BaseAttentionMechanism(AttentionMechanism):
    """A mechanism with keys made of the memory by a layer."""

    def __init__(
        self, query_layer: Any, memory: Any, probability_fn: Any, memory_sequence_length: Any = None, memory_layer: Any = None, check_inner_dims_defined: bool = True,
        score_mask_value: Any = None, custom_key_value_fn: Any = None, name: str | None = None,
    ) -> None:  # fmt: skip
        self._query_layer, self._memory_layer = query_layer, memory_layer
        self.dtype = memory_layer.dtype
        if not callable(probability_fn):
            raise TypeError(f"probability_fn must be callable, saw type: {type(probability_fn).__name__}")
        if score_mask_value is None:
            score_mask_value = as_dtype(memory_layer.dtype).as_numpy_dtype(-np.inf)
        self._probability_fn = lambda score, previous: probability_fn(
            _mask_score(score, memory_sequence_length, score_mask_value), previous
        )
        with tf.name_scope(name, "BaseAttentionMechanismInit", nest.flatten(memory)):
            self._values = _prepare_memory(memory, memory_sequence_length, check_inner_dims_defined)
            self._keys = memory_layer(self._values) if memory_layer is not None else self._values
            if custom_key_value_fn is not None:
                self._keys, self._values = custom_key_value_fn(self._keys, self._values)
            self._batch_size = _size(self._keys, 0)
            self._alignments_size = _size(self._keys, 1)

    memory_layer = property(lambda self: self._memory_layer)
    query_layer = property(lambda self: self._query_layer)
    values = property(lambda self: self._values)
    keys = property(lambda self: self._keys)
    batch_size = property(lambda self: self._batch_size)

    @property
    def alignments_size(self) -> Any:
        return self._alignments_size

    @property
    def state_size(self) -> Any:
        return self._alignments_size

    def initial_alignments(self, batch_size: Any, dtype: Any) -> Any:
        return zero_state_tensors(self._alignments_size, batch_size, dtype)

    def initial_state(self, batch_size: Any, dtype: Any) -> Any:
        return self.initial_alignments(batch_size, dtype)


def _luong_score(query: Any, keys: Any, scale: Any) -> Any:
    """scale * (query . key) for each key"""
    depth, units = query.get_shape()[-1], keys.get_shape()[-1]
    if depth.value is None or depth.value != units.value:
        raise ValueError(
            f"Incompatible or unknown inner dimensions between query and keys.  Query ({query}) has units: {depth}.  Keys ({keys}) have units: {units}.  "
            f"Perhaps you need to set num_units to the keys' dimension ({units})?"
        )
    score = tf.squeeze(tf.matmul(tf.expand_dims(query, 1), keys, transpose_b=True), [1])
    return score if scale is None else scale * score


def _bahdanau_score(query: Any, keys: Any, v: Any, g: Any = None, b: Any = None) -> Any:
    """v . tanh(key + query); normalised: (g v / |v|) . tanh(key + query + b)"""
    query = tf.expand_dims(query, 1)
    if g is None or b is None:
        return tf.reduce_sum(v * tf.tanh(keys + query), [2])
    normed = g * v * tf.rsqrt(tf.reduce_sum(tf.square(v)))
    return tf.reduce_sum(normed * tf.tanh(keys + query + b), [2])


class _Luong(_BaseAttentionMechanism):
    _scope_name = "luong_attention"
    _scale: bool

    def _score(self, query: Any) -> Any:
        scale = tf.get_variable("attention_g", dtype=query.dtype, initializer=tf.ones_initializer, shape=()) if self._scale else None
        return _luong_score(query, self._keys, scale), query

    def __call__(self, query: Any, state: Any) -> tuple[Any, Any]:
        with tf.variable_scope(None, self._scope_name, [query]):
            score = self._biased(*self._score(query))
        alignments = self._probability_fn(score, state)
        return alignments, alignments

    def _biased(self, score: Any, query: Any) -> Any:
        return score


class _Bahdanau(_Luong):
    _scope_name = "bahdanau_attention"
    _normalize: bool
    _num_units: int

    def _score(self, query: Any) -> Any:
        processed = self.query_layer(query) if self.query_layer is not None else query
        v = tf.get_variable("attention_v", [self._num_units], dtype=query.dtype)
        g = b = None
        if self._normalize:
            g = tf.get_variable(
                "attention_g", dtype=query.dtype, initializer=tf.constant_initializer(math.sqrt(1.0 / self._num_units)), shape=()
            )
            b = tf.get_variable("attention_b", [self._num_units], dtype=query.dtype, initializer=tf.zeros_initializer())
        return _bahdanau_score(processed, self._keys, v, g, b), processed


def _dense(num_units: int, name: str, dtype: Any) -> Dense:
    return Dense(num_units, name=name, use_bias=False, dtype=dtype)


@export("contrib.seq2seq.LuongAttention")
class LuongAttention(_Luong):
    """Multiplicative attention."""

    def __init__(
        self, num_units: int, memory: Any, memory_sequence_length: Any = None, scale: bool = False, probability_fn: Any = None, score_mask_value: Any = None, dtype: Any = None,
        custom_key_value_fn: Any = None, name: str = "LuongAttention",
    ) -> None:  # fmt: skip
        probability = probability_fn if probability_fn is not None else tf.nn.softmax
        super().__init__(
            query_layer=None, memory_layer=_dense(num_units, "memory_layer", dtype or "float32"), memory=memory, probability_fn=lambda score, _: probability(score),
            memory_sequence_length=memory_sequence_length, score_mask_value=score_mask_value, custom_key_value_fn=custom_key_value_fn, name=name,
        )  # fmt: skip
        self._num_units, self._scale, self._name = num_units, scale, name


@export("contrib.seq2seq.BahdanauAttention")
class BahdanauAttention(_Bahdanau):
    """Additive attention."""

    def __init__(
        self, num_units: int, memory: Any, memory_sequence_length: Any = None, normalize: bool = False, probability_fn: Any = None, score_mask_value: Any = None,
        dtype: Any = None, custom_key_value_fn: Any = None, name: str = "BahdanauAttention",
    ) -> None:  # fmt: skip
        probability = probability_fn if probability_fn is not None else tf.nn.softmax
        dtype = dtype or "float32"
        super().__init__(
            query_layer=_dense(num_units, "query_layer", dtype), memory_layer=_dense(num_units, "memory_layer", dtype), memory=memory,
            probability_fn=lambda score, _: probability(score), custom_key_value_fn=custom_key_value_fn, memory_sequence_length=memory_sequence_length,
            score_mask_value=score_mask_value, name=name,
        )  # fmt: skip
        self._num_units, self._normalize, self._name = num_units, normalize, name


@export("contrib.seq2seq.safe_cumprod")
def safe_cumprod(x: Any, *args: Any, **kwargs: Any) -> Any:
    """exp(cumsum(log x)): a cumulative product whose gradient stays finite at zero."""
    with tf.name_scope(None, "SafeCumprod", [x]):
        x = tf.convert_to_tensor(x, name="x")
        tiny = np.finfo(x.dtype.as_numpy_dtype).tiny
        return tf.exp(tf.cumsum(tf.log(tf.clip_by_value(x, tiny, 1)), *args, **kwargs))


@export("contrib.seq2seq.monotonic_attention")
def monotonic_attention(p_choose_i: Any, previous_attention: Any, mode: str) -> Any:
    """The attention of a mechanism that moves forward only (Raffel et al. 2017)."""
    p_choose_i = tf.convert_to_tensor(p_choose_i, name="p_choose_i")
    previous_attention = tf.convert_to_tensor(previous_attention, name="previous_attention")
    if mode == "recursive":
        batch_size = _size(p_choose_i, 0)
        shifted = tf.concat([tf.ones((batch_size, 1)), 1 - p_choose_i[:, :-1]], 1)
        scanned = tf.scan(
            lambda x, yz: tf.reshape(yz[0] * x + yz[1], (batch_size,)),
            [tf.transpose(shifted), tf.transpose(previous_attention)],
            tf.zeros((batch_size,)),
        )
        return p_choose_i * tf.transpose(scanned)
    if mode == "parallel":
        stayed = safe_cumprod(1 - p_choose_i, axis=1, exclusive=True)
        return p_choose_i * stayed * tf.cumsum(previous_attention / tf.clip_by_value(stayed, 1e-10, 1.0), axis=1)
    if mode == "hard":
        p_choose_i *= tf.cumsum(previous_attention, axis=1)
        return p_choose_i * tf.cumprod(1 - p_choose_i, axis=1, exclusive=True)
    raise ValueError("mode must be 'recursive', 'parallel', or 'hard'.")


def _monotonic_probability(score: Any, previous: Any, sigmoid_noise: float, mode: str, seed: int | None = None) -> Any:
    if sigmoid_noise > 0:
        score += sigmoid_noise * tf.random_normal(tf.shape(score), dtype=score.dtype, seed=seed)
    p_choose_i = tf.cast(score > 0, score.dtype) if mode == "hard" else tf.sigmoid(score)
    return monotonic_attention(p_choose_i, previous, mode)


class _Monotonic(_Luong):
    """Adds a bias to the scores, and starts at the first step of the memory."""

    _score_bias_init: Any

    def _biased(self, score: Any, query: Any) -> Any:
        return score + tf.get_variable("attention_score_bias", dtype=query.dtype, initializer=self._score_bias_init)

    def initial_alignments(self, batch_size: Any, dtype: Any) -> Any:
        return tf.one_hot(tf.zeros((batch_size,), dtype="int32"), self._alignments_size, dtype=dtype)


@export("contrib.seq2seq.BahdanauMonotonicAttention")
class BahdanauMonotonicAttention(_Monotonic, _Bahdanau):
    """Additive monotonic attention."""

    _scope_name = "bahdanau_monotonic_attention"

    def __init__(
        self, num_units: int, memory: Any, memory_sequence_length: Any = None, normalize: bool = False, score_mask_value: Any = None, sigmoid_noise: float = 0.0,
        sigmoid_noise_seed: int | None = None, score_bias_init: float = 0.0, mode: str = "parallel", dtype: Any = None, name: str = "BahdanauMonotonicAttention",
    ) -> None:  # fmt: skip
        dtype = dtype or "float32"
        super().__init__(
            query_layer=_dense(num_units, "query_layer", dtype), memory_layer=_dense(num_units, "memory_layer", dtype), memory=memory,
            probability_fn=functools.partial(_monotonic_probability, sigmoid_noise=sigmoid_noise, mode=mode, seed=sigmoid_noise_seed),
            memory_sequence_length=memory_sequence_length, score_mask_value=score_mask_value, name=name,
        )  # fmt: skip
        self._num_units, self._normalize, self._name, self._score_bias_init = num_units, normalize, name, score_bias_init


@export("contrib.seq2seq.LuongMonotonicAttention")
class LuongMonotonicAttention(_Monotonic):
    """Multiplicative monotonic attention."""

    _scope_name = "luong_monotonic_attention"

    def __init__(
        self, num_units: int, memory: Any, memory_sequence_length: Any = None, scale: bool = False, score_mask_value: Any = None, sigmoid_noise: float = 0.0,
        sigmoid_noise_seed: int | None = None, score_bias_init: float = 0.0, mode: str = "parallel", dtype: Any = None, name: str = "LuongMonotonicAttention",
    ) -> None:  # fmt: skip
        super().__init__(
            query_layer=None, memory_layer=_dense(num_units, "memory_layer", dtype or "float32"), memory=memory,
            probability_fn=functools.partial(_monotonic_probability, sigmoid_noise=sigmoid_noise, mode=mode, seed=sigmoid_noise_seed),
            memory_sequence_length=memory_sequence_length, score_mask_value=score_mask_value, name=name,
        )  # fmt: skip
        self._num_units, self._scale, self._name, self._score_bias_init = num_units, scale, name, score_bias_init


@export("contrib.seq2seq.AttentionWrapperState")
class AttentionWrapperState(
    collections.namedtuple(
        "AttentionWrapperState", ("cell_state", "attention", "time", "alignments", "alignment_history", "attention_state")
    )
):
    """The state of an AttentionWrapper."""

    def clone(self, **kwargs: Any) -> AttentionWrapperState:
        """The state with some parts replaced by tensors of the same shape."""

        def same(old: Any, new: Any) -> Any:
            return with_same_shape(old, new) if isinstance(old, base.Tensor) and isinstance(new, base.Tensor) else new

        return nest.map_structure(same, self, super()._replace(**kwargs))  # type: ignore[no-any-return]


@export("contrib.seq2seq.hardmax")
def hardmax(logits: Any, name: str | None = None) -> Any:
    """One at the largest logit, zeros elsewhere."""
    with tf.name_scope(name, "Hardmax", [logits]):
        logits = tf.convert_to_tensor(logits, name="logits")
        static = logits.get_shape().as_list()[-1]
        depth = static if static is not None else tf.shape(logits)[-1]
        return tf.one_hot(tf.argmax(logits, -1), depth, dtype=logits.dtype)


def _compute_attention(mechanism: Any, cell_output: Any, attention_state: Any, attention_layer: Any) -> tuple[Any, Any, Any]:
    """The context (the alignments' mean of the memory), through the attention layer where there is one."""
    alignments, next_state = mechanism(cell_output, state=attention_state)
    context = tf.squeeze(tf.matmul(tf.expand_dims(alignments, 1), mechanism.values), [1])
    attention = attention_layer(tf.concat([cell_output, context], 1)) if attention_layer is not None else context
    return attention, alignments, next_state


@export("contrib.seq2seq.AttentionWrapper")
class AttentionWrapper(RNNCell):
    """A cell whose inputs are joined with what it attended to last."""

    def __init__(
        self, cell: Any, attention_mechanism: Any, attention_layer_size: Any = None, alignment_history: bool = False, cell_input_fn: Any = None, output_attention: bool = True,
        initial_cell_state: Any = None, name: str | None = None, attention_layer: Any = None, attention_fn: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(name=name, dtype=dtype)
        check_cell(cell)
        self._is_multi = isinstance(attention_mechanism, list | tuple)
        mechanisms = tuple(attention_mechanism) if self._is_multi else (attention_mechanism,)
        for mechanism in mechanisms:
            if not isinstance(mechanism, AttentionMechanism):
                expected = (
                    "contain only instances of AttentionMechanism"
                    if self._is_multi
                    else "be an AttentionMechanism or list of multiple AttentionMechanism instances"
                )
                raise TypeError(f"attention_mechanism must {expected}, saw type: {type(mechanism).__name__}")
        if cell_input_fn is None:
            cell_input_fn = lambda inputs, attention: tf.concat([inputs, attention], -1)  # noqa: E731
        elif not callable(cell_input_fn):
            raise TypeError(f"cell_input_fn must be callable, saw type: {type(cell_input_fn).__name__}")
        if attention_layer_size is not None and attention_layer is not None:
            raise ValueError("Only one of attention_layer_size and attention_layer should be set")
        given = attention_layer_size if attention_layer_size is not None else attention_layer
        parts = tuple(given) if isinstance(given, list | tuple) else (given,)
        if given is not None and len(parts) != len(mechanisms):
            label, what = ("attention_layer_size", "integer") if attention_layer_size is not None else ("attention_layer", "layer")
            raise ValueError(
                f"If provided, {label} must contain exactly one {what} per attention_mechanism, saw: {len(parts)} vs {len(mechanisms)}"
            )
        self._attention_layers: Any = None
        if attention_layer_size is not None:
            self._attention_layers = tuple(_dense(size, "attention_layer", m.dtype) for size, m in zip(parts, mechanisms, strict=True))
            self._attention_layer_size = sum(parts)
        elif attention_layer is not None:
            self._attention_layers = parts
            self._attention_layer_size = sum(
                int(TensorShape(layer.compute_output_shape([None, cell.output_size + m.values.shape.as_list()[-1]])).as_list()[-1] or 0)
                for layer, m in zip(parts, mechanisms, strict=True)
            )
        else:
            self._attention_layer_size = sum(m.values.shape.as_list()[-1] for m in mechanisms)
        self._attention_fn = attention_fn if attention_fn is not None else _compute_attention
        self._cell, self._attention_mechanisms, self._cell_input_fn = cell, mechanisms, cell_input_fn
        self._output_attention, self._alignment_history = output_attention, alignment_history
        with tf.name_scope(name, "AttentionWrapperInit"):
            self._initial_cell_state = None
            if initial_cell_state is not None:
                message = (
                    f"When constructing AttentionWrapper {self._base_name}: Non-matching batch sizes between the memory (encoder output) and initial_cell_state.  "
                    "Are you using the BeamSearchDecoder?  You may need to tile your initial state via the tf.contrib.seq2seq.tile_batch function with argument multiple=beam_width."
                )
                batch_size = _size(nest.flatten(initial_cell_state)[-1], 0)
                with tf.control_dependencies(self._batch_size_checks(batch_size, message)):
                    self._initial_cell_state = nest.map_structure(
                        lambda s: tf.identity(s, name="check_initial_cell_state"), initial_cell_state
                    )

    def _batch_size_checks(self, batch_size: Any, message: str) -> list[Any]:
        return [tf.assert_equal(batch_size, m.batch_size, message=message) for m in self._attention_mechanisms]

    def _item_or_tuple(self, items: Any) -> Any:
        found = tuple(items)
        return found if self._is_multi else found[0]

    @property
    def output_size(self) -> Any:
        return self._attention_layer_size if self._output_attention else self._cell.output_size

    @property
    def state_size(self) -> Any:
        mechanisms = self._attention_mechanisms
        return AttentionWrapperState(
            cell_state=self._cell.state_size, time=TensorShape([]), attention=self._attention_layer_size,
            alignments=self._item_or_tuple(m.alignments_size for m in mechanisms), attention_state=self._item_or_tuple(m.state_size for m in mechanisms),
            alignment_history=self._item_or_tuple(m.alignments_size if self._alignment_history else () for m in mechanisms),
        )  # fmt: skip

    def zero_state(self, batch_size: Any, dtype: Any) -> Any:
        with tf.name_scope(f"{type(self).__name__}ZeroState", values=[batch_size]):
            cell_state = self._initial_cell_state
            if cell_state is None:
                cell_state = self._cell.get_initial_state(batch_size=batch_size, dtype=dtype)
            message = (
                f"When calling zero_state of AttentionWrapper {self._base_name}: Non-matching batch sizes between the memory (encoder output) and the requested batch size.  "
                "Are you using the BeamSearchDecoder?  If so, make sure your encoder output has been tiled to beam_width via tf.contrib.seq2seq.tile_batch, and the batch_size= "
                "argument passed to zero_state is batch_size * beam_width."
            )
            with tf.control_dependencies(self._batch_size_checks(batch_size, message)):
                cell_state = nest.map_structure(lambda s: tf.identity(s, name="checked_cell_state"), cell_state)
            initial = [m.initial_alignments(batch_size, dtype) for m in self._attention_mechanisms]
            return AttentionWrapperState(
                cell_state=cell_state, time=tf.zeros([], dtype="int32"), attention=zero_state_tensors(self._attention_layer_size, batch_size, dtype),
                alignments=self._item_or_tuple(initial), attention_state=self._item_or_tuple(m.initial_state(batch_size, dtype) for m in self._attention_mechanisms),
                alignment_history=self._item_or_tuple(
                    tf.TensorArray(dtype, size=0, dynamic_size=True, element_shape=a.shape) if self._alignment_history else () for a in initial
                ),
            )  # fmt: skip

    def call(self, inputs: Any, state: Any) -> Any:  # type: ignore[override]
        if not isinstance(state, AttentionWrapperState):
            raise TypeError(f"Expected state to be instance of AttentionWrapperState. Received type {type(state)} instead.")
        cell_output, next_cell_state = self._cell(self._cell_input_fn(inputs, state.attention), state.cell_state)
        message = (
            f"When applying AttentionWrapper {self.name}: Non-matching batch sizes between the memory (encoder output) and the query (decoder output).  "
            "Are you using the BeamSearchDecoder?  You may need to tile your memory input via the tf.contrib.seq2seq.tile_batch function with argument multiple=beam_width."
        )
        with tf.control_dependencies(self._batch_size_checks(_size(cell_output, 0), message)):
            cell_output = tf.identity(cell_output, name="checked_cell_output")
        previous_state = state.attention_state if self._is_multi else [state.attention_state]
        previous_history = state.alignment_history if self._is_multi else [state.alignment_history]
        attentions, alignments, states, histories = [], [], [], []
        for i, mechanism in enumerate(self._attention_mechanisms):
            layer = self._attention_layers[i] if self._attention_layers else None
            attention, alignment, next_state = self._attention_fn(mechanism, cell_output, previous_state[i], layer)
            histories.append(previous_history[i].write(state.time, alignment) if self._alignment_history else ())
            states.append(next_state)
            alignments.append(alignment)
            attentions.append(attention)
        attention = tf.concat(attentions, 1)
        new_state = AttentionWrapperState(
            time=state.time + 1, cell_state=next_cell_state, attention=attention, attention_state=self._item_or_tuple(states), alignments=self._item_or_tuple(alignments),
            alignment_history=self._item_or_tuple(histories),
        )  # fmt: skip
        return (attention if self._output_attention else cell_output), new_state
