"""tf.contrib.seq2seq: decoding by beam search."""

from __future__ import annotations

import collections
import logging
from typing import Any

import numpy as np

from graphtools.constant import constant as known_value
from runtime.tf1 import nest
from runtime.tf1.contrib.attention import AttentionWrapperState
from runtime.tf1.contrib.decoder import Decoder, check_cell, check_output_layer, output_size_of
from runtime.tf1.contrib.helper import embedding_function
from runtime.tf1.graph import apply_op
from runtime.tf1.losses import div_no_nan
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape

tf: Any = module("")
_log = logging.getLogger("tensorflow")


@export("contrib.seq2seq.BeamSearchDecoderState")
class BeamSearchDecoderState(
    collections.namedtuple("BeamSearchDecoderState", ("cell_state", "log_probs", "finished", "lengths", "accumulated_attention_probs"))
):
    """The beams' cell states, log probabilities and lengths."""


@export("contrib.seq2seq.BeamSearchDecoderOutput")
class BeamSearchDecoderOutput(collections.namedtuple("BeamSearchDecoderOutput", ("scores", "predicted_ids", "parent_ids"))):
    """What one step of a beam search gives."""


@export("contrib.seq2seq.FinalBeamSearchDecoderOutput")
class FinalBeamSearchDecoderOutput(collections.namedtuple("FinalBeamDecoderOutput", ["predicted_ids", "beam_search_decoder_output"])):
    """The beams, put together from the steps."""


@export("contrib.seq2seq.gather_tree")
def gather_tree(step_ids: Any, parent_ids: Any, max_sequence_lengths: Any, end_token: Any, name: str | None = None) -> Any:
    """Each beam's ids, followed back through its parents."""
    return apply_op(
        "GatherTree", name, step_ids=step_ids, parent_ids=parent_ids, max_sequence_lengths=max_sequence_lengths, end_token=end_token
    )


@export("contrib.seq2seq.tile_batch")
def tile_batch(t: Any, multiplier: int, name: str | None = None) -> Any:
    """Each example of a batch, `multiplier` times."""

    def tiled(tensor: Any) -> Any:
        tensor = tf.convert_to_tensor(tensor, name="t")
        shape = tf.shape(tensor)
        static = tensor.shape
        if static.ndims is None or static.ndims < 1:
            raise ValueError("t must have statically known rank")
        tiling = [1, multiplier] + [1] * (static.ndims - 1)
        batch = static.dims[0].value
        result = tf.tile(tf.expand_dims(tensor, 1), tiling)
        result = tf.reshape(result, tf.concat(([shape[0] * multiplier], shape[1:]), 0))
        result.set_shape(TensorShape([None if batch is None else batch * multiplier]).concatenate(static[1:]))
        return result

    with tf.name_scope(name, "tile_batch", [*nest.flatten(t), multiplier]):
        return nest.map_structure(tiled, t)


def _static(tensor: Any) -> int | None:
    value = known_value(tensor)
    return None if value is None else int(value)


def _check_rank(t: Any) -> None:
    if t.shape.ndims is None:
        raise ValueError(f"Expected tensor ({t}) to have known rank, but ndims == None.")


def _gather_tree_from_array(t: Any, parent_ids: Any, sequence_length: Any) -> Any:
    """The beams' history in an array of steps, put in the order of the beams that won."""
    dims = parent_ids.shape.as_list()
    max_time, batch_size, beam_width = (dims[i] or tf.shape(parent_ids)[i] for i in range(3))
    beam_ids = tf.expand_dims(tf.expand_dims(tf.range(beam_width), 0), 0)
    beam_ids = tf.tile(beam_ids, [max_time, batch_size, 1])
    longest = tf.cast(tf.reduce_max(sequence_length, axis=1), "int32")
    ordered = gather_tree(step_ids=beam_ids, parent_ids=parent_ids, max_sequence_lengths=longest, end_token=beam_width + 1)
    in_bounds = tf.transpose(tf.sequence_mask(sequence_length, maxlen=max_time), perm=[2, 0, 1])
    ordered = tf.where(in_bounds, x=ordered, y=beam_ids)
    time_index = tf.tile(tf.reshape(tf.range(max_time), [-1, 1, 1]), [1, batch_size, beam_width])
    batch_index = tf.tile(tf.reshape(tf.range(batch_size), [-1, 1, 1]), [1, max_time, beam_width])
    batch_index = tf.transpose(batch_index, perm=[1, 0, 2])
    indices = tf.stack([time_index, batch_index, ordered], -1)
    final_shape = tf.shape(t)
    flat = tf.reshape(t, [max_time, batch_size, beam_width, -1])
    return tf.reshape(tf.gather_nd(flat, indices), final_shape)


def _check_beams(t: Any, batch_size: Any, beam_width: int) -> Any:
    message = (
        f"TensorArray reordering expects elements to be reshapable to [batch_size, beam_size, -1] which is incompatible with the dynamic shape of {t.name} elements. "
        "Consider setting reorder_tensor_arrays to False to disable TensorArray reordering during the beam search."
    )
    shape = tf.shape(t)
    if t.shape.ndims == 2:
        condition = tf.equal(shape[1], batch_size * beam_width)
    else:
        merged = tf.equal(shape[1], batch_size * beam_width)
        condition = tf.logical_or(merged, tf.logical_and(tf.equal(shape[1], batch_size), tf.equal(shape[2], beam_width)))
    return tf.Assert(condition, [message])


@export("contrib.seq2seq.BeamSearchDecoder")
class BeamSearchDecoder(Decoder):
    """Keeps the `beam_width` likeliest sequences of each example."""

    def __init__(
        self, cell: Any, embedding: Any, start_tokens: Any, end_token: Any, initial_state: Any, beam_width: int, output_layer: Any = None, length_penalty_weight: Any = 0.0,
        coverage_penalty_weight: Any = 0.0, reorder_tensor_arrays: bool = True,
    ) -> None:  # fmt: skip
        check_cell(cell)
        check_output_layer(output_layer)
        self._cell, self._output_layer, self._beam_width = cell, output_layer, beam_width
        self._reorder_tensor_arrays = reorder_tensor_arrays
        self._length_penalty_weight, self._coverage_penalty_weight = length_penalty_weight, coverage_penalty_weight
        self._embedding_fn = embedding_function(embedding)
        self._start_tokens = tf.convert_to_tensor(start_tokens, dtype="int32", name="start_tokens")
        if self._start_tokens.get_shape().ndims != 1:
            raise ValueError("start_tokens must be a vector")
        self._end_token = tf.convert_to_tensor(end_token, dtype="int32", name="end_token")
        if self._end_token.get_shape().ndims != 0:
            raise ValueError("end_token must be a scalar")
        self._batch_size = tf.size(start_tokens)
        self._initial_cell_state = nest.map_structure(self._maybe_split, initial_state, cell.state_size)
        self._start_tokens = tf.tile(tf.expand_dims(self._start_tokens, 1), [1, beam_width])
        self._start_inputs = self._embedding_fn(self._start_tokens)
        self._finished = tf.one_hot(
            tf.zeros([self._batch_size], dtype="int32"), depth=beam_width, on_value=False, off_value=True, dtype="bool"
        )

    @property
    def batch_size(self) -> Any:
        return self._batch_size

    @property
    def tracks_own_finished(self) -> bool:
        return True

    @property
    def output_size(self) -> Any:
        return BeamSearchDecoderOutput(*(TensorShape([self._beam_width]) for _ in range(3)))

    @property
    def output_dtype(self) -> Any:
        dtype = nest.flatten(self._initial_cell_state)[0].dtype
        scores = nest.map_structure(lambda _: dtype, output_size_of(self._cell, self._output_layer))
        return BeamSearchDecoderOutput(scores=scores, predicted_ids=tf.int32, parent_ids=tf.int32)

    def initialize(self, name: str | None = None) -> Any:
        dtype = nest.flatten(self._initial_cell_state)[0].dtype
        log_probs = tf.one_hot(
            tf.zeros([self._batch_size], dtype="int32"), depth=self._beam_width, on_value=tf.convert_to_tensor(0.0, dtype=dtype),
            off_value=tf.convert_to_tensor(-np.inf, dtype=dtype), dtype=dtype,
        )  # fmt: skip
        attention = _attention_probs(self._initial_cell_state, self._coverage_penalty_weight)
        state = BeamSearchDecoderState(
            cell_state=self._initial_cell_state, log_probs=log_probs, finished=self._finished, lengths=tf.zeros([self._batch_size, self._beam_width], dtype="int64"),
            accumulated_attention_probs=() if attention is None else attention,
        )  # fmt: skip
        return self._finished, self._start_inputs, state

    def finalize(self, outputs: Any, final_state: Any, sequence_lengths: Any) -> Any:
        longest = tf.cast(tf.reduce_max(final_state.lengths, axis=1), "int32")
        predicted = gather_tree(outputs.predicted_ids, outputs.parent_ids, max_sequence_lengths=longest, end_token=self._end_token)
        if self._reorder_tensor_arrays:
            sort = lambda t: self._maybe_sort(t, outputs.parent_ids, final_state.lengths)  # noqa: E731
            final_state = final_state._replace(cell_state=nest.map_structure(sort, final_state.cell_state))
        return FinalBeamSearchDecoderOutput(beam_search_decoder_output=outputs, predicted_ids=predicted), final_state

    # -- batch * beams and [batch, beams] ----------------------------------------------------------------------------

    def _merge(self, t: Any, size: Any) -> Any:
        static_batch = _static(self._batch_size)
        shape = tf.shape(t)
        merged = tf.reshape(t, tf.concat(([self._batch_size * self._beam_width], shape[2:]), 0))
        merged.set_shape(TensorShape([None if static_batch is None else static_batch * self._beam_width]).concatenate(_size_shape(size)))
        return merged

    def _split(self, t: Any, size: Any) -> Any:
        shape = tf.shape(t)
        split = tf.reshape(t, tf.concat(([self._batch_size, self._beam_width], shape[1:]), 0))
        expected = TensorShape([_static(self._batch_size), self._beam_width]).concatenate(_size_shape(size))
        if not split.shape.is_compatible_with(expected):
            raise ValueError(
                f"Unexpected behavior when reshaping between beam width and batch size.  The reshaped tensor has shape: {split.shape}.  We expected it to have shape "
                f"(batch_size, beam_width, depth) == {expected}.  Perhaps you forgot to create a zero_state with batch_size=encoder_batch_size * beam_width?"
            )
        split.set_shape(expected)
        return split

    def _maybe_split(self, t: Any, size: Any) -> Any:
        if isinstance(t, tf.TensorArray):
            return t
        _check_rank(t)
        return self._split(t, size) if t.shape.ndims >= 1 else t

    def _maybe_merge(self, t: Any, size: Any) -> Any:
        if isinstance(t, tf.TensorArray):
            return t
        _check_rank(t)
        return self._merge(t, size) if t.shape.ndims >= 2 else t

    def _maybe_sort(self, t: Any, parent_ids: Any, sequence_length: Any) -> Any:
        """A TensorArray of the state, in the beams' order, as a tensor."""
        if not isinstance(t, tf.TensorArray):
            return t
        shape = t.element_shape
        if shape.ndims is None or shape.ndims < 1:
            _log.warning(
                "The TensorArray %s in the cell state is not amenable to sorting based on the beam search result: its elements' shape is %s",
                t.handle.name,
                shape,
            )
            return t
        batch, dims = _static(self._batch_size), shape.as_list()
        # As TensorFlow checks it: an element of [batch * beams, depth] of known sizes stays unsorted too.
        known = batch is not None and dims[0] is not None
        if known and (
            dims[0] != batch * self._beam_width
            or (len(dims) >= 2 and dims[1] is not None and (dims[0], dims[1]) != (batch, self._beam_width))
        ):  # type: ignore[operator]
            _log.warning(
                "TensorArray reordering expects elements to be reshapable to %s which is incompatible with %s.",
                [batch, self._beam_width, None],
                shape,
            )
            return t
        stacked = t.stack()
        with tf.control_dependencies([_check_beams(stacked, self._batch_size, self._beam_width)]):
            return _gather_tree_from_array(stacked, parent_ids, sequence_length)

    def step(self, time: Any, inputs: Any, state: Any, name: str | None = None) -> Any:
        with tf.name_scope(name, "BeamSearchDecoderStep", (time, inputs, state)):
            inputs = nest.map_structure(lambda inp: self._merge(inp, inp.shape[2:]), inputs)
            cell_state = nest.map_structure(self._maybe_merge, state.cell_state, self._cell.state_size)
            cell_outputs, next_cell_state = self._cell(inputs, cell_state)
            cell_outputs = nest.map_structure(lambda out: self._split(out, out.shape[1:]), cell_outputs)
            next_cell_state = nest.map_structure(self._maybe_split, next_cell_state, self._cell.state_size)
            if self._output_layer is not None:
                cell_outputs = self._output_layer(cell_outputs)
            output, next_state = _beam_search_step(
                time,
                cell_outputs,
                next_cell_state,
                state,
                self._batch_size,
                self._beam_width,
                self._end_token,
                self._length_penalty_weight,
                self._coverage_penalty_weight,
            )
            sample_ids = output.predicted_ids
            next_inputs = tf.cond(tf.reduce_all(next_state.finished), lambda: self._start_inputs, lambda: self._embedding_fn(sample_ids))
        return output, next_state, next_inputs, next_state.finished


def _size_shape(size: Any) -> TensorShape:
    """The shape of a state's size, which may be a number, a shape, or a tensor of a number."""
    if hasattr(size, "op"):
        return TensorShape([_static(size)])
    if isinstance(size, int):
        return TensorShape([size])
    return TensorShape(size)


def _beam_search_step(
    time: Any,
    logits: Any,
    next_cell_state: Any,
    beam_state: Any,
    batch_size: Any,
    beam_width: int,
    end_token: Any,
    length_penalty_weight: Any,
    coverage_penalty_weight: Any,
) -> tuple[Any, Any]:
    """Extends each beam by each word, and keeps the best."""
    static_batch = _static(batch_size)
    lengths, previously_finished = beam_state.lengths, beam_state.finished
    not_finished = tf.logical_not(previously_finished)
    step_log_probs = _mask_finished(tf.nn.log_softmax(logits), end_token, previously_finished)
    total_probs = tf.expand_dims(beam_state.log_probs, 2) + step_log_probs
    vocab_size = logits.shape.as_list()[-1] or tf.shape(logits)[-1]
    to_add = tf.one_hot(
        indices=tf.fill([batch_size, beam_width], end_token),
        depth=vocab_size,
        on_value=tf.to_int64(0),
        off_value=tf.to_int64(1),
        dtype="int64",
    )
    add_mask = tf.cast(not_finished, "int64")
    to_add *= tf.expand_dims(add_mask, 2)
    new_lengths = to_add + tf.expand_dims(lengths, 2)
    accumulated = None
    attention = _attention_probs(next_cell_state, coverage_penalty_weight)
    if attention is not None:
        attention *= tf.expand_dims(tf.cast(not_finished, "float32"), 2)
        accumulated = beam_state.accumulated_attention_probs + attention
    scores = _scores(total_probs, new_lengths, length_penalty_weight, coverage_penalty_weight, previously_finished, accumulated)
    tf.convert_to_tensor(time, name="time")
    scores_flat = tf.reshape(scores, [batch_size, -1])
    next_beam_size = tf.convert_to_tensor(beam_width, dtype="int32", name="beam_width")
    next_scores, word_indices = tf.nn.top_k(scores_flat, k=next_beam_size)
    next_scores.set_shape([static_batch, beam_width])
    word_indices.set_shape([static_batch, beam_width])

    def gather(indices: Any, values: Any, range_size: Any, shape: list[Any], name: str | None = None) -> Any:
        return _gather(indices, values, batch_size, range_size, shape, name)

    next_probs = gather(word_indices, total_probs, beam_width * vocab_size, [-1], "next_beam_probs")
    next_word_ids = tf.cast(tf.mod(word_indices, vocab_size, name="next_beam_word_ids"), "int32")
    next_beam_ids = tf.cast(word_indices / vocab_size, "int32", name="next_beam_parent_ids")
    previously_finished = gather(next_beam_ids, previously_finished, beam_width, [-1])
    next_finished = tf.logical_or(previously_finished, tf.equal(next_word_ids, end_token), name="next_beam_finished")
    to_add = tf.cast(tf.logical_not(previously_finished), "int64")
    next_lengths = gather(next_beam_ids, lengths, beam_width, [-1])
    next_lengths += to_add
    next_accumulated: Any = ()
    if accumulated is not None:
        next_accumulated = gather(next_beam_ids, accumulated, beam_width, [batch_size * beam_width, -1], "next_accumulated_attention_probs")

    def maybe_gather(t: Any) -> Any:
        shape = [batch_size * beam_width, -1]
        if isinstance(t, tf.TensorArray):
            return t
        _check_rank(t)
        return gather(next_beam_ids, t, beam_width, shape) if t.shape.ndims >= len(shape) else t

    next_cell_state = nest.map_structure(maybe_gather, next_cell_state)
    next_state = BeamSearchDecoderState(
        cell_state=next_cell_state,
        log_probs=next_probs,
        lengths=next_lengths,
        finished=next_finished,
        accumulated_attention_probs=next_accumulated,
    )
    return BeamSearchDecoderOutput(scores=next_scores, predicted_ids=next_word_ids, parent_ids=next_beam_ids), next_state


def _state_attention(state: Any) -> Any:
    probs = state.alignments
    if isinstance(probs, tuple):
        probs = tf.reduce_mean(tf.concat([tf.expand_dims(p, -1) for p in probs], -1), -1)
    return probs


def _attention_probs(cell_state: Any, coverage_penalty_weight: Any) -> Any:
    """The attention of a state's attentional cells, their mean; None where it does not count."""
    if isinstance(coverage_penalty_weight, int | float) and coverage_penalty_weight == 0.0:
        return None
    states = [cell_state] if isinstance(cell_state, AttentionWrapperState) else cell_state if isinstance(cell_state, tuple) else ()
    probs = [_state_attention(s) for s in states if isinstance(s, AttentionWrapperState)]
    if not probs:
        raise ValueError("coverage_penalty_weight must be 0.0 if no cell is attentional.")
    return probs[0] if len(probs) == 1 else tf.reduce_mean(tf.concat([tf.expand_dims(p, -1) for p in probs], -1), -1)


def _scores(log_probs: Any, lengths: Any, length_penalty_weight: Any, coverage_penalty_weight: Any, finished: Any, accumulated: Any) -> Any:
    """log P / length penalty + coverage penalty (Wu et al. 2016)"""
    length_penalty = tf.cast(_length_penalty(lengths, length_penalty_weight), dtype=log_probs.dtype)
    scores = log_probs / length_penalty
    coverage_penalty_weight = tf.convert_to_tensor(coverage_penalty_weight, name="coverage_penalty_weight")
    if coverage_penalty_weight.shape.ndims != 0:
        raise ValueError(f"coverage_penalty_weight should be a scalar, but saw shape: {coverage_penalty_weight.shape}")
    known = known_value(coverage_penalty_weight)
    if known is not None and float(known) == 0.0:
        return scores
    if accumulated is None:
        raise ValueError("accumulated_attention_probs can be None only if coverage penalty is disabled.")
    accumulated = tf.where(tf.equal(accumulated, 0.0), tf.ones_like(accumulated), accumulated)
    penalty = tf.reduce_sum(tf.log(tf.minimum(accumulated, 1.0)), 2)
    penalty *= tf.cast(finished, "float32")
    return scores + tf.expand_dims(penalty * coverage_penalty_weight, 2)


def _length_penalty(lengths: Any, factor: Any) -> Any:
    """((5 + length) / 6)^factor"""
    factor = tf.convert_to_tensor(factor, name="penalty_factor")
    factor.set_shape(())
    known = known_value(factor)
    if known is not None and float(known) == 0:
        return 1.0
    return tf.div((5.0 + tf.cast(lengths, "float32")) ** factor, (5.0 + 1.0) ** factor)


def _mask_finished(probs: Any, end_token: Any, finished: Any) -> Any:
    """Finished beams give the end token, and nothing else."""
    vocab_size = tf.shape(probs)[2]
    row = tf.one_hot(
        end_token, vocab_size, dtype=probs.dtype, on_value=tf.convert_to_tensor(0.0, dtype=probs.dtype), off_value=probs.dtype.min
    )
    rows = tf.tile(tf.reshape(row, [1, 1, -1]), tf.concat([tf.shape(finished), [1]], 0))
    mask = tf.tile(tf.expand_dims(finished, 2), [1, 1, vocab_size])
    return tf.where(mask, rows, probs)


def _gather(indices: Any, values: Any, batch_size: Any, range_size: Any, shape: list[Any], name: str | None = None) -> Any:
    """values[b, indices[b, i]] for each example b"""
    with tf.name_scope(name, "tensor_gather_helper"):
        offsets = tf.expand_dims(tf.range(batch_size) * range_size, 1)
        flat = tf.reshape(indices + offsets, [-1])
        output = tf.gather(tf.reshape(values, shape), flat)
        final_shape = tf.shape(values)[: 1 + len(shape)]
        static = TensorShape([_static(batch_size)]).concatenate(values.shape[1 : 1 + len(shape)])
        output = tf.reshape(output, final_shape, name="output")
        output.set_shape(static)
        return output


@export("contrib.seq2seq.sequence_loss")
def sequence_loss(
    logits: Any, targets: Any, weights: Any, average_across_timesteps: bool = True, average_across_batch: bool = True, sum_over_timesteps: bool = False,
    sum_over_batch: bool = False, softmax_loss_function: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """The weighted cross entropy of sequences."""
    if logits.get_shape().ndims != 3:
        raise ValueError("Logits must be a [batch_size x sequence_length x logits] tensor")
    if targets.get_shape().ndims != 2:
        raise ValueError("Targets must be a [batch_size x sequence_length] tensor")
    if weights.get_shape().ndims != 2:
        raise ValueError("Weights must be a [batch_size x sequence_length] tensor")
    if average_across_timesteps and sum_over_timesteps:
        raise ValueError("average_across_timesteps and sum_over_timesteps cannot be set to True at same time.")
    if average_across_batch and sum_over_batch:
        raise ValueError("average_across_batch and sum_over_batch cannot be set to True at same time.")
    with tf.name_scope(name, "sequence_loss", [logits, targets, weights]):
        logits_flat = tf.reshape(logits, [-1, tf.shape(logits)[2]])
        targets = tf.reshape(targets, [-1])
        loss = softmax_loss_function if softmax_loss_function is not None else tf.nn.sparse_softmax_cross_entropy_with_logits
        crossent = loss(labels=targets, logits=logits_flat)
        crossent *= tf.reshape(weights, [-1])
        if average_across_timesteps and average_across_batch:
            crossent = tf.reduce_sum(crossent)
            return div_no_nan(crossent, tf.reduce_sum(weights))
        if sum_over_timesteps and sum_over_batch:
            crossent = tf.reduce_sum(crossent)
            return div_no_nan(crossent, tf.cast(tf.count_nonzero(weights), crossent.dtype))
        crossent = tf.reshape(crossent, tf.shape(logits)[0:2])
        if average_across_timesteps or average_across_batch:
            axis = [0] if average_across_batch else [1]
            crossent = tf.reduce_sum(crossent, axis=axis)
            return div_no_nan(crossent, tf.reduce_sum(weights, axis=axis))
        if sum_over_timesteps or sum_over_batch:
            axis = [0] if sum_over_batch else [1]
            crossent = tf.reduce_sum(crossent, axis=axis)
            return div_no_nan(crossent, tf.cast(tf.count_nonzero(weights, axis=axis), dtype=crossent.dtype))
        return crossent
