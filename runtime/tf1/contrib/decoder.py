"""tf.contrib.seq2seq: decoders and the loop that runs them."""

from __future__ import annotations

import collections
from typing import Any

from graphtools.constant import constant as known_value
from runtime.tf1 import nest
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.rnn import _swap_batch_and_time
from runtime.tf1.rnn_cell import zero_state_tensors
from runtime.tf1.tensor_shape import TensorShape

tf: Any = module("")


def check_cell(cell: Any) -> None:
    """Raises TypeError for what is no cell."""
    missing = [name for name in ("output_size", "state_size") if not hasattr(cell, name)]
    if missing or not callable(cell) or not (hasattr(cell, "zero_state") or hasattr(cell, "get_initial_state")):
        raise TypeError(f"The argument 'cell' ({cell}) is not an RNNCell: {', '.join(missing) or 'zero_state'} is missing.")


def check_output_layer(layer: Any) -> None:
    if layer is not None and not (callable(layer) and hasattr(layer, "compute_output_shape")):
        raise TypeError(f"output_layer must be a Layer, received: {type(layer)}")


def output_size_of(cell: Any, output_layer: Any) -> Any:
    """The size of a cell's outputs after the output layer."""
    size = cell.output_size
    if output_layer is None:
        return size
    with_batch = nest.map_structure(lambda s: TensorShape([None]).concatenate(s), size)
    shape = output_layer.compute_output_shape(with_batch)
    return nest.map_structure(lambda s: s[1:], TensorShape(shape) if isinstance(shape, tuple | list) else shape)


@export("contrib.seq2seq.Decoder")
class Decoder:
    """What dynamic_decode runs: `initialize` gives the first inputs and state, `step` one step."""

    @property
    def batch_size(self) -> Any:
        raise NotImplementedError

    @property
    def output_size(self) -> Any:
        raise NotImplementedError

    @property
    def output_dtype(self) -> Any:
        raise NotImplementedError

    def initialize(self, name: str | None = None) -> Any:
        raise NotImplementedError

    def step(self, time: Any, inputs: Any, state: Any, name: str | None = None) -> Any:
        raise NotImplementedError

    def finalize(self, outputs: Any, final_state: Any, sequence_lengths: Any) -> Any:
        raise NotImplementedError

    @property
    def tracks_own_finished(self) -> bool:
        return False


@export("contrib.seq2seq.BasicDecoderOutput")
class BasicDecoderOutput(collections.namedtuple("BasicDecoderOutput", ("rnn_output", "sample_id"))):
    """What one step of a BasicDecoder gives."""


@export("contrib.seq2seq.BasicDecoder")
class BasicDecoder(Decoder):
    """A cell whose next inputs a helper chooses."""

    def __init__(self, cell: Any, helper: Any, initial_state: Any, output_layer: Any = None) -> None:
        from runtime.tf1.contrib.helper import Helper

        check_cell(cell)
        if not isinstance(helper, Helper):
            raise TypeError(f"helper must be a Helper, received: {type(helper)}")
        check_output_layer(output_layer)
        self._cell, self._helper, self._initial_state, self._output_layer = cell, helper, initial_state, output_layer

    @property
    def batch_size(self) -> Any:
        return self._helper.batch_size

    @property
    def output_size(self) -> Any:
        return BasicDecoderOutput(rnn_output=output_size_of(self._cell, self._output_layer), sample_id=self._helper.sample_ids_shape)

    @property
    def output_dtype(self) -> Any:
        dtype = nest.flatten(self._initial_state)[0].dtype
        return BasicDecoderOutput(
            nest.map_structure(lambda _: dtype, output_size_of(self._cell, self._output_layer)), self._helper.sample_ids_dtype
        )

    def initialize(self, name: str | None = None) -> Any:
        return (*self._helper.initialize(), self._initial_state)

    def step(self, time: Any, inputs: Any, state: Any, name: str | None = None) -> Any:
        with tf.name_scope(name, "BasicDecoderStep", (time, inputs, state)):
            cell_outputs, cell_state = self._cell(inputs, state)
            if self._output_layer is not None:
                cell_outputs = self._output_layer(cell_outputs)
            sample_ids = self._helper.sample(time=time, outputs=cell_outputs, state=cell_state)
            finished, next_inputs, next_state = self._helper.next_inputs(
                time=time, outputs=cell_outputs, state=cell_state, sample_ids=sample_ids
            )
        return BasicDecoderOutput(cell_outputs, sample_ids), next_state, next_inputs, finished


def _element_shape(batch_size: Any, size: Any) -> TensorShape | None:
    if not isinstance(size, TensorShape) or size.ndims == 0:
        return None
    known = known_value(tf.convert_to_tensor(batch_size, name="batch_size"))
    return TensorShape([None if known is None else int(known)]).concatenate(size)


def _in_while_loop() -> bool:
    context = tf.get_default_graph()._get_control_flow_context()
    while context is not None:
        if getattr(context, "frame_name", None) is not None or "Loop" in type(context).__name__ or "While" in type(context).__name__:
            return True
        context = getattr(context, "outer_context", None) or getattr(context, "outer", None)
    return False


@export("contrib.seq2seq.dynamic_decode")
def dynamic_decode(
    decoder: Any, output_time_major: bool = False, impute_finished: bool = False, maximum_iterations: Any = None, parallel_iterations: int = 32, swap_memory: bool = False,
    scope: Any = None, **kwargs: Any,
) -> Any:  # fmt: skip
    """Runs a decoder until all of the batch has finished: its outputs, its final state, and the lengths."""
    if not isinstance(decoder, Decoder):
        raise TypeError(f"Expected decoder to be type Decoder, but saw: {type(decoder)}")
    with tf.variable_scope(scope, "decoder") as varscope:
        if varscope.caching_device is None and not _in_while_loop():
            varscope.set_caching_device(lambda op: op.device)
        if maximum_iterations is not None:
            maximum_iterations = tf.convert_to_tensor(maximum_iterations, dtype="int32", name="maximum_iterations")
            if maximum_iterations.get_shape().ndims != 0:
                raise ValueError("maximum_iterations must be a scalar")
        initial_finished, initial_inputs, initial_state = decoder.initialize()
        zero_outputs = nest.map_structure(
            lambda s, d: zero_state_tensors(s, decoder.batch_size, d), decoder.output_size, decoder.output_dtype
        )
        if maximum_iterations is not None:
            initial_finished = tf.logical_or(initial_finished, 0 >= maximum_iterations)  # noqa: SIM300
        initial_lengths = tf.zeros_like(initial_finished, dtype="int32")
        initial_time = tf.constant(0, dtype="int32")
        arrays = nest.map_structure(
            lambda s, d: tf.TensorArray(dtype=d, size=0, dynamic_size=True, element_shape=_element_shape(decoder.batch_size, s)),
            decoder.output_size,
            decoder.output_dtype,
        )

        def condition(time: Any, arrays: Any, state: Any, inputs: Any, finished: Any, lengths: Any) -> Any:
            return tf.logical_not(tf.reduce_all(finished))

        def body(time: Any, arrays: Any, state: Any, inputs: Any, finished: Any, lengths: Any) -> Any:
            next_outputs, decoder_state, next_inputs, decoder_finished = decoder.step(time, inputs, state)
            next_finished = decoder_finished if decoder.tracks_own_finished else tf.logical_or(decoder_finished, finished)
            next_lengths = tf.where(tf.logical_not(finished), tf.fill(tf.shape(lengths), time + 1), lengths)
            nest.assert_same_structure(state, decoder_state)
            nest.assert_same_structure(arrays, next_outputs)
            nest.assert_same_structure(inputs, next_inputs)

            def keep(new: Any, current: Any) -> Any:
                if isinstance(current, tf.TensorArray):
                    return new
                new.set_shape(current.shape)
                return new if new.shape.ndims == 0 else tf.where(finished, current, new)

            if impute_finished:
                emitted = nest.map_structure(lambda out, zero: tf.where(finished, zero, out), next_outputs, zero_outputs)
                next_state = nest.map_structure(keep, decoder_state, state)
            else:
                emitted, next_state = next_outputs, decoder_state
            arrays = nest.map_structure(lambda array, out: array.write(time, out), arrays, emitted)
            return time + 1, arrays, next_state, next_inputs, next_finished, next_lengths

        _, final_arrays, final_state, _, _, lengths = tf.while_loop(
            condition, body, loop_vars=(initial_time, arrays, initial_state, initial_inputs, initial_finished, initial_lengths), parallel_iterations=parallel_iterations,
            maximum_iterations=maximum_iterations, swap_memory=swap_memory,
        )  # fmt: skip
        outputs = nest.map_structure(lambda array: array.stack(), final_arrays)
        try:
            outputs, final_state = decoder.finalize(outputs, final_state, lengths)
        except NotImplementedError:
            pass  # a decoder without a last word
        if not output_time_major:
            outputs = nest.map_structure(_swap_batch_and_time, outputs)
    return outputs, final_state, lengths
