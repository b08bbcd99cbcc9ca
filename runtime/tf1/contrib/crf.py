"""tf.contrib.crf: linear-chain conditional random fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runtime.tf1.contrib.framework_tensors import smart_cond
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.rnn_cell import RNNCell

tf: Any = module("")


def _by_length(inputs: Any, single: Callable[[], Any], several: Callable[[], Any]) -> Any:
    """One of two functions: sequences of one step have no transitions."""
    steps = inputs.shape.as_list()[1] or tf.shape(inputs)[1]
    return smart_cond(tf.equal(steps, 1), single, several)


def _zero_where_empty(values: Any, sequence_lengths: Any) -> Any:
    return tf.where(tf.less_equal(sequence_lengths, 0), tf.zeros_like(values), values)


@export("contrib.crf.crf_sequence_score")
def crf_sequence_score(inputs: Any, tag_indices: Any, sequence_lengths: Any, transition_params: Any) -> Any:
    """The unnormalised score of tag sequences."""

    def single() -> Any:
        batch_size = tf.shape(inputs, out_type=tag_indices.dtype)[0]
        examples = tf.reshape(tf.range(batch_size, dtype=tag_indices.dtype), [-1, 1])
        return _zero_where_empty(tf.gather_nd(tf.squeeze(inputs, [1]), tf.concat([examples, tag_indices], axis=1)), sequence_lengths)

    def several() -> Any:
        unary = crf_unary_score(tag_indices, sequence_lengths, inputs)
        return unary + crf_binary_score(tag_indices, sequence_lengths, transition_params)

    return _by_length(inputs, single, several)


@export("contrib.crf.crf_multitag_sequence_score")
def crf_multitag_sequence_score(inputs: Any, tag_bitmap: Any, sequence_lengths: Any, transition_params: Any) -> Any:
    """The score of all sequences of the tags that are allowed at each step."""

    def allowed() -> Any:
        return tf.where(tag_bitmap, inputs, tf.fill(tf.shape(inputs), float("-inf")))

    def single() -> Any:
        return tf.reduce_logsumexp(allowed(), axis=[1, 2], keepdims=False)

    def several() -> Any:
        return crf_log_norm(inputs=allowed(), sequence_lengths=sequence_lengths, transition_params=transition_params)

    return _by_length(inputs, single, several)


@export("contrib.crf.crf_log_norm")
def crf_log_norm(inputs: Any, sequence_lengths: Any, transition_params: Any) -> Any:
    """The log of the sum of all sequences' exp(score)."""
    first = tf.squeeze(tf.slice(inputs, [0, 0, 0], [-1, 1, -1]), [1])

    def single() -> Any:
        return _zero_where_empty(tf.reduce_logsumexp(first, [1]), sequence_lengths)

    def several() -> Any:
        rest = tf.slice(inputs, [0, 1, 0], [-1, -1, -1])
        cell = CrfForwardRnnCell(transition_params)
        less_one = tf.maximum(tf.constant(0, dtype=sequence_lengths.dtype), sequence_lengths - 1)
        _, alphas = tf.nn.dynamic_rnn(cell=cell, inputs=rest, sequence_length=less_one, initial_state=first, dtype=tf.float32)
        return _zero_where_empty(tf.reduce_logsumexp(alphas, [1]), sequence_lengths)

    return _by_length(inputs, single, several)


@export("contrib.crf.crf_log_likelihood")
def crf_log_likelihood(inputs: Any, tag_indices: Any, sequence_lengths: Any, transition_params: Any = None) -> tuple[Any, Any]:
    """The log-likelihood of tag sequences, and the transition scores, which are made when not given."""
    num_tags = inputs.shape.as_list()[2]
    if transition_params is None:
        transition_params = tf.get_variable("transitions", [num_tags, num_tags])
    score = crf_sequence_score(inputs, tag_indices, sequence_lengths, transition_params)
    return score - crf_log_norm(inputs, sequence_lengths, transition_params), transition_params


@export("contrib.crf.crf_unary_score")
def crf_unary_score(tag_indices: Any, sequence_lengths: Any, inputs: Any) -> Any:
    """The sum of the inputs at the tags."""
    batch_size, steps, tags = tf.shape(inputs)[0], tf.shape(inputs)[1], tf.shape(inputs)[2]
    flat = tf.reshape(inputs, [-1])
    offsets = tf.expand_dims(tf.range(batch_size) * steps * tags, 1)
    offsets += tf.expand_dims(tf.range(steps) * tags, 0)
    if tag_indices.dtype.name == "int64":
        offsets = tf.cast(offsets, "int64")
    at_tags = tf.reshape(offsets + tag_indices, [-1])
    scores = tf.reshape(tf.gather(flat, at_tags), [batch_size, steps])
    masks = tf.sequence_mask(sequence_lengths, maxlen=tf.shape(tag_indices)[1], dtype=tf.float32)
    return tf.reduce_sum(scores * masks, 1)


@export("contrib.crf.crf_binary_score")
def crf_binary_score(tag_indices: Any, sequence_lengths: Any, transition_params: Any) -> Any:
    """The sum of the transitions' scores."""
    tags = transition_params.get_shape().as_list()[0]
    transitions = tf.shape(tag_indices)[1] - 1
    start = tf.slice(tag_indices, [0, 0], [-1, transitions])
    end = tf.slice(tag_indices, [0, 1], [-1, transitions])
    flat_indices = start * tags + end
    flat = tf.reshape(transition_params, [-1])
    scores = tf.gather(flat, flat_indices)
    masks = tf.sequence_mask(sequence_lengths, maxlen=tf.shape(tag_indices)[1], dtype=tf.float32)
    return tf.reduce_sum(scores * tf.slice(masks, [0, 1], [-1, -1]), 1)


class _CrfCell(RNNCell):
    """A cell with the transitions' scores; it has no weights, so it is called without a scope."""

    def __init__(self, transition_params: Any) -> None:
        self._transition_params = tf.expand_dims(transition_params, 0)
        self._num_tags = transition_params.shape.as_list()[0]

    @property
    def state_size(self) -> Any:
        return self._num_tags

    @property
    def output_size(self) -> Any:
        return self._num_tags


@export("contrib.crf.CrfForwardRnnCell")
class CrfForwardRnnCell(_CrfCell):
    """alpha' = inputs + logsumexp(alpha + transitions)"""

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        scores = tf.expand_dims(state, 2) + self._transition_params
        alphas = inputs + tf.reduce_logsumexp(scores, [1])
        return alphas, alphas


@export("contrib.crf.CrfDecodeForwardRnnCell")
class CrfDecodeForwardRnnCell(_CrfCell):
    """Viterbi's forward step: the best score of each tag, and the tag it came from."""

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        scores = tf.expand_dims(state, 2) + self._transition_params
        new_state = inputs + tf.reduce_max(scores, [1])
        return tf.cast(tf.argmax(scores, 1), dtype=tf.int32), new_state


@export("contrib.crf.CrfDecodeBackwardRnnCell")
class CrfDecodeBackwardRnnCell(RNNCell):
    """Follows back pointers."""

    def __init__(self, num_tags: int) -> None:
        self._num_tags = num_tags

    @property
    def state_size(self) -> Any:
        return 1

    @property
    def output_size(self) -> Any:
        return 1

    def __call__(self, inputs: Any, state: Any, scope: Any = None) -> Any:
        state = tf.squeeze(state, axis=[1])
        indices = tf.stack([tf.range(tf.shape(inputs)[0]), state], axis=1)
        tags = tf.expand_dims(tf.gather_nd(inputs, indices), axis=-1)
        return tags, tags


@export("contrib.crf.viterbi_decode")
def viterbi_decode(score: Any, transition_params: Any) -> tuple[list[Any], Any]:
    """The best tag sequence of [steps, tags] scores, in NumPy."""
    best = np.zeros_like(score)
    back = np.zeros_like(score, dtype=np.int32)
    best[0] = score[0]
    for t in range(1, score.shape[0]):
        through = np.expand_dims(best[t - 1], 1) + transition_params
        best[t] = score[t] + np.max(through, 0)
        back[t] = np.argmax(through, 0)
    path = [np.argmax(best[-1])]
    for pointers in reversed(back[1:]):
        path.append(pointers[path[-1]])
    return path[::-1], np.max(best[-1])


@export("contrib.crf.crf_decode")
def crf_decode(potentials: Any, transition_params: Any, sequence_length: Any) -> tuple[Any, Any]:
    """The best tag sequences, and their scores."""

    def single() -> Any:
        squeezed = tf.squeeze(potentials, [1])
        tags = tf.expand_dims(tf.argmax(squeezed, axis=1), 1)
        score = tf.reduce_max(squeezed, axis=1)
        return tf.cast(tags, dtype=tf.int32), score

    def several() -> Any:
        forward = CrfDecodeForwardRnnCell(transition_params)
        initial = tf.squeeze(tf.slice(potentials, [0, 0, 0], [-1, 1, -1]), axis=[1])
        inputs = tf.slice(potentials, [0, 1, 0], [-1, -1, -1])
        less_one = tf.maximum(tf.constant(0, dtype=sequence_length.dtype), sequence_length - 1)
        back, last_score = tf.nn.dynamic_rnn(
            forward, inputs=inputs, sequence_length=less_one, initial_state=initial, time_major=False, dtype=tf.int32
        )
        back = tf.reverse_sequence(back, less_one, seq_dim=1)
        backward = CrfDecodeBackwardRnnCell(potentials.shape.as_list()[2])
        last = tf.expand_dims(tf.cast(tf.argmax(last_score, axis=1), dtype=tf.int32), axis=-1)
        tags, _ = tf.nn.dynamic_rnn(backward, inputs=back, sequence_length=less_one, initial_state=last, time_major=False, dtype=tf.int32)
        tags = tf.concat([last, tf.squeeze(tags, axis=[2])], axis=1)
        tags = tf.reverse_sequence(tags, sequence_length, seq_dim=1)
        return tags, tf.reduce_max(last_score, axis=1)

    return _by_length(potentials, single, several)  # type: ignore[no-any-return]
