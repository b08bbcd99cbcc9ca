"""tf.contrib.seq2seq: helpers that choose a decoder's next inputs."""

from __future__ import annotations

from typing import Any

from graphtools import graph as base
from graphtools.dtypes import as_dtype
from runtime.tf1 import nest
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.rnn import _swap_batch_and_time
from runtime.tf1.tensor_shape import TensorShape

tf: Any = module("")


def _call_sampler(sample_n: Any, sample_shape: Any, name: str | None = None) -> Any:
    with tf.name_scope(name, "call_sampler", values=[sample_shape]):
        sample_shape = tf.convert_to_tensor(sample_shape, dtype="int32", name="sample_shape")
        pad = tf.cast(tf.equal(tf.rank(sample_shape), 0), "int32")
        sample_shape = tf.reshape(sample_shape, tf.pad(tf.shape(sample_shape), paddings=[[pad, 0]], constant_values=1))
        samples = sample_n(tf.reduce_prod(sample_shape))
        event_shape = tf.shape(samples)[1:]
        return tf.reshape(samples, tf.concat([sample_shape, event_shape], 0))


def bernoulli_sample(probs: Any = None, logits: Any = None, dtype: Any = "int32", sample_shape: Any = (), seed: int | None = None) -> Any:
    """Draws of 1 with probability `probs`."""
    probs = tf.sigmoid(logits, name="probs") if probs is None else tf.convert_to_tensor(probs, name="probs")
    batch_shape = tf.shape(probs)

    def draw(n: Any) -> Any:
        uniform = tf.random_uniform(tf.concat([[n], batch_shape], 0), seed=seed, dtype=probs.dtype)
        return tf.cast(tf.less(uniform, probs), dtype)

    return _call_sampler(draw, sample_shape)


def categorical_sample(logits: Any, dtype: Any = "int32", sample_shape: Any = (), seed: int | None = None) -> Any:
    """Draws of class numbers."""
    logits = tf.convert_to_tensor(logits, name="logits")
    event_size = tf.shape(logits)[-1]
    batch_shape = tf.shape(logits)[:-1]

    def draw(n: Any) -> Any:
        flat = logits if logits.shape.ndims == 2 else tf.reshape(logits, [-1, event_size])
        drawn = tf.multinomial(flat, n, seed=seed, output_dtype="int64" if logits.dtype.size > 4 else "int32")
        return tf.cast(tf.reshape(tf.transpose(drawn), tf.concat([[n], batch_shape], 0)), dtype)

    return _call_sampler(draw, sample_shape)


def _array_of(inputs: Any) -> Any:
    return tf.TensorArray(dtype=inputs.dtype, size=tf.shape(inputs)[0], element_shape=inputs.get_shape()[1:]).unstack(inputs)


def embedding_function(embedding: Any) -> Any:
    return (
        embedding if callable(embedding) and not isinstance(embedding, base.Tensor) else lambda ids: tf.nn.embedding_lookup(embedding, ids)
    )


@export("contrib.seq2seq.Helper")
class Helper:
    """Samples from a decoder's outputs and gives its next inputs."""

    @property
    def batch_size(self) -> Any:
        raise NotImplementedError("batch_size has not been implemented")

    @property
    def sample_ids_shape(self) -> Any:
        raise NotImplementedError("sample_ids_shape has not been implemented")

    @property
    def sample_ids_dtype(self) -> Any:
        raise NotImplementedError("sample_ids_dtype has not been implemented")

    def initialize(self, name: str | None = None) -> Any:
        raise NotImplementedError("initialize has not been implemented")

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:
        raise NotImplementedError("sample has not been implemented")

    def next_inputs(self, time: Any, outputs: Any, state: Any, sample_ids: Any, name: str | None = None) -> Any:
        raise NotImplementedError("next_inputs has not been implemented")


@export("contrib.seq2seq.CustomHelper")
class CustomHelper(Helper):
    """A helper made of three functions."""

    def __init__(
        self, initialize_fn: Any, sample_fn: Any, next_inputs_fn: Any, sample_ids_shape: Any = None, sample_ids_dtype: Any = None
    ) -> None:
        self._initialize_fn, self._sample_fn, self._next_inputs_fn = initialize_fn, sample_fn, next_inputs_fn
        self._batch_size: Any = None
        self._sample_ids_shape = TensorShape(sample_ids_shape or [])
        self._sample_ids_dtype = as_dtype(sample_ids_dtype or "int32")

    @property
    def batch_size(self) -> Any:
        if self._batch_size is None:
            raise ValueError("batch_size accessed before initialize was called")
        return self._batch_size

    @property
    def sample_ids_shape(self) -> Any:
        return self._sample_ids_shape

    @property
    def sample_ids_dtype(self) -> Any:
        return self._sample_ids_dtype

    def initialize(self, name: str | None = None) -> Any:
        with tf.name_scope(name, f"{type(self).__name__}Initialize"):
            finished, next_inputs = self._initialize_fn()
            if self._batch_size is None:
                self._batch_size = tf.size(finished)
        return finished, next_inputs

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:
        with tf.name_scope(name, f"{type(self).__name__}Sample", (time, outputs, state)):
            return self._sample_fn(time=time, outputs=outputs, state=state)

    def next_inputs(self, time: Any, outputs: Any, state: Any, sample_ids: Any, name: str | None = None) -> Any:
        with tf.name_scope(name, f"{type(self).__name__}NextInputs", (time, outputs, state)):
            return self._next_inputs_fn(time=time, outputs=outputs, state=state, sample_ids=sample_ids)


class _ScalarSamples(Helper):
    """A helper whose samples are class numbers."""

    _batch_size: Any

    @property
    def batch_size(self) -> Any:
        return self._batch_size

    @property
    def sample_ids_shape(self) -> Any:
        return TensorShape([])

    @property
    def sample_ids_dtype(self) -> Any:
        return as_dtype("int32")


@export("contrib.seq2seq.TrainingHelper")
class TrainingHelper(_ScalarSamples):
    """Feeds the given inputs."""

    def __init__(self, inputs: Any, sequence_length: Any, time_major: bool = False, name: str | None = None) -> None:
        with tf.name_scope(name, "TrainingHelper", [inputs, sequence_length]):
            inputs = tf.convert_to_tensor(inputs, name="inputs")
            self._inputs = inputs
            if not time_major:
                inputs = nest.map_structure(_swap_batch_and_time, inputs)
            self._input_tas = nest.map_structure(_array_of, inputs)
            self._sequence_length = tf.convert_to_tensor(sequence_length, name="sequence_length")
            if self._sequence_length.get_shape().ndims != 1:
                raise ValueError(f"Expected sequence_length to be a vector, but received shape: {self._sequence_length.get_shape()}")
            self._zero_inputs = nest.map_structure(lambda inp: tf.zeros_like(inp[0, :]), inputs)
            self._batch_size = tf.size(sequence_length)

    inputs = property(lambda self: self._inputs)
    sequence_length = property(lambda self: self._sequence_length)

    def initialize(self, name: str | None = None) -> Any:
        with tf.name_scope(name, "TrainingHelperInitialize"):
            finished = tf.equal(0, self._sequence_length)
            all_finished = tf.reduce_all(finished)
            next_inputs = tf.cond(
                all_finished, lambda: self._zero_inputs, lambda: nest.map_structure(lambda inp: inp.read(0), self._input_tas)
            )
            return finished, next_inputs

    def sample(self, time: Any, outputs: Any, name: str | None = None, **unused: Any) -> Any:  # type: ignore[override]
        with tf.name_scope(name, "TrainingHelperSample", [time, outputs]):
            return tf.cast(tf.argmax(outputs, axis=-1), "int32")

    def next_inputs(self, time: Any, outputs: Any, state: Any, name: str | None = None, **unused: Any) -> Any:  # type: ignore[override]
        with tf.name_scope(name, "TrainingHelperNextInputs", [time, outputs, state]):
            next_time = time + 1
            finished = next_time >= self._sequence_length
            all_finished = tf.reduce_all(finished)
            next_inputs = tf.cond(
                all_finished, lambda: self._zero_inputs, lambda: nest.map_structure(lambda inp: inp.read(next_time), self._input_tas)
            )
            return finished, next_inputs, state


def _check_probability(probability: Any) -> Any:
    probability = tf.convert_to_tensor(probability, name="sampling_probability")
    if probability.get_shape().ndims not in (0, 1):
        raise ValueError(f"sampling_probability must be either a scalar or a vector. saw shape: {probability.get_shape()}")
    return probability


def _scattered(sampling: Any, sampled: Any, keeping: Any, kept: Any, like: Any) -> Any:
    """Rows of two sets, put where their indices say."""
    shape = tf.shape(like)
    return tf.scatter_nd(indices=sampling, updates=sampled, shape=shape) + tf.scatter_nd(indices=keeping, updates=kept, shape=shape)


@export("contrib.seq2seq.ScheduledEmbeddingTrainingHelper")
class ScheduledEmbeddingTrainingHelper(TrainingHelper):
    """Feeds the given inputs, or with a probability the embedding of what was sampled."""

    def __init__(
        self, inputs: Any, sequence_length: Any, embedding: Any, sampling_probability: Any, time_major: bool = False, seed: int | None = None,
        scheduling_seed: int | None = None, name: str | None = None,
    ) -> None:  # fmt: skip
        with tf.name_scope(name, "ScheduledEmbeddingSamplingWrapper", [embedding, sampling_probability]):
            self._embedding_fn = embedding_function(embedding)
            self._sampling_probability = _check_probability(sampling_probability)
            self._seed, self._scheduling_seed = seed, scheduling_seed
            super().__init__(inputs=inputs, sequence_length=sequence_length, time_major=time_major, name=name)

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:  # type: ignore[override]
        with tf.name_scope(name, "ScheduledEmbeddingTrainingHelperSample", [time, outputs, state]):
            chosen = bernoulli_sample(
                probs=self._sampling_probability, dtype="bool", sample_shape=self.batch_size, seed=self._scheduling_seed
            )
            return tf.where(chosen, categorical_sample(logits=outputs, seed=self._seed), tf.fill([self.batch_size], -1))

    def next_inputs(self, time: Any, outputs: Any, state: Any, sample_ids: Any, name: str | None = None) -> Any:  # type: ignore[override]
        with tf.name_scope(name, "ScheduledEmbeddingTrainingHelperNextInputs", [time, outputs, state, sample_ids]):
            finished, given, state = super().next_inputs(time=time, outputs=outputs, state=state, sample_ids=sample_ids, name=name)

            def maybe_sample() -> Any:
                sampling = tf.cast(tf.where(sample_ids > -1), "int32")
                keeping = tf.cast(tf.where(sample_ids <= -1), "int32")
                ids = tf.gather_nd(sample_ids, sampling)
                kept = tf.gather_nd(given, keeping)
                return _scattered(sampling, self._embedding_fn(ids), keeping, kept, given)

            return finished, tf.cond(tf.reduce_all(finished), lambda: given, maybe_sample), state


@export("contrib.seq2seq.ScheduledOutputTrainingHelper")
class ScheduledOutputTrainingHelper(TrainingHelper):
    """Feeds the given inputs, or with a probability the decoder's last outputs."""

    def __init__(
        self, inputs: Any, sequence_length: Any, sampling_probability: Any, time_major: bool = False, seed: int | None = None, next_inputs_fn: Any = None,
        auxiliary_inputs: Any = None, name: str | None = None,
    ) -> None:  # fmt: skip
        with tf.name_scope(name, "ScheduledOutputTrainingHelper", [inputs, auxiliary_inputs, sampling_probability]):
            self._sampling_probability = _check_probability(sampling_probability)
            whole = inputs
            if auxiliary_inputs is not None:
                inputs = tf.convert_to_tensor(inputs, name="inputs")
                auxiliary_inputs = tf.convert_to_tensor(auxiliary_inputs, name="auxiliary_inputs")
                whole = nest.map_structure(lambda x, y: tf.concat((x, y), -1), inputs, auxiliary_inputs)
                if not time_major:
                    auxiliary_inputs = nest.map_structure(_swap_batch_and_time, auxiliary_inputs)
            self._auxiliary_input_tas = nest.map_structure(_array_of, auxiliary_inputs) if auxiliary_inputs is not None else None
            self._seed, self._next_inputs_fn = seed, next_inputs_fn
            super().__init__(inputs=whole, sequence_length=sequence_length, time_major=time_major, name=name)

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:  # type: ignore[override]
        with tf.name_scope(name, "ScheduledOutputTrainingHelperSample", [time, outputs, state]):
            return bernoulli_sample(probs=self._sampling_probability, sample_shape=self.batch_size, seed=self._seed)

    def next_inputs(self, time: Any, outputs: Any, state: Any, sample_ids: Any, name: str | None = None) -> Any:  # type: ignore[override]
        with tf.name_scope(name, "ScheduledOutputTrainingHelperNextInputs", [time, outputs, state, sample_ids]):
            finished, given, state = super().next_inputs(time=time, outputs=outputs, state=state, sample_ids=sample_ids, name=name)
            chosen = tf.cast(sample_ids, "bool")

            def with_auxiliary(outputs_: Any, indices: Any = None) -> Any:
                if self._auxiliary_input_tas is None:
                    return outputs_
                next_time = time + 1
                auxiliary = nest.map_structure(lambda array: array.read(next_time), self._auxiliary_input_tas)
                if indices is not None:
                    auxiliary = tf.gather_nd(auxiliary, indices)
                return nest.map_structure(lambda x, y: tf.concat((x, y), -1), outputs_, auxiliary)

            def maybe_sample() -> Any:
                if self._next_inputs_fn is None:
                    return tf.where(chosen, with_auxiliary(outputs), given)
                sampling = tf.cast(tf.where(chosen), "int32")
                keeping = tf.cast(tf.where(tf.logical_not(chosen)), "int32")
                outputs_sampling = tf.gather_nd(outputs, sampling)
                kept = tf.gather_nd(given, keeping)
                sampled = with_auxiliary(self._next_inputs_fn(outputs_sampling), sampling)
                return _scattered(sampling, sampled, keeping, kept, given)

            all_finished = tf.reduce_all(finished)
            no_samples = tf.logical_not(tf.reduce_any(chosen))
            return finished, tf.cond(tf.logical_or(all_finished, no_samples), lambda: given, maybe_sample), state


@export("contrib.seq2seq.GreedyEmbeddingHelper")
class GreedyEmbeddingHelper(_ScalarSamples):
    """Feeds the embedding of the likeliest class of the last outputs."""

    def __init__(self, embedding: Any, start_tokens: Any, end_token: Any) -> None:
        self._embedding_fn = embedding_function(embedding)
        self._start_tokens = tf.convert_to_tensor(start_tokens, dtype="int32", name="start_tokens")
        self._end_token = tf.convert_to_tensor(end_token, dtype="int32", name="end_token")
        if self._start_tokens.get_shape().ndims != 1:
            raise ValueError("start_tokens must be a vector")
        self._batch_size = tf.size(start_tokens)
        if self._end_token.get_shape().ndims != 0:
            raise ValueError("end_token must be a scalar")
        self._start_inputs = self._embedding_fn(self._start_tokens)

    def initialize(self, name: str | None = None) -> Any:
        return tf.tile([False], [self._batch_size]), self._start_inputs

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:
        if not isinstance(outputs, base.Tensor):
            raise TypeError(f"Expected outputs to be a single Tensor, got: {type(outputs)}")
        return tf.argmax(outputs, axis=-1, output_type="int32")

    def next_inputs(self, time: Any, outputs: Any, state: Any, sample_ids: Any, name: str | None = None) -> Any:
        finished = tf.equal(sample_ids, self._end_token)
        next_inputs = tf.cond(tf.reduce_all(finished), lambda: self._start_inputs, lambda: self._embedding_fn(sample_ids))
        return finished, next_inputs, state


@export("contrib.seq2seq.SampleEmbeddingHelper")
class SampleEmbeddingHelper(GreedyEmbeddingHelper):
    """Feeds the embedding of a class drawn by the last outputs."""

    def __init__(self, embedding: Any, start_tokens: Any, end_token: Any, softmax_temperature: Any = None, seed: int | None = None) -> None:
        super().__init__(embedding, start_tokens, end_token)
        self._softmax_temperature, self._seed = softmax_temperature, seed

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:
        if not isinstance(outputs, base.Tensor):
            raise TypeError(f"Expected outputs to be a single Tensor, got: {type(outputs)}")
        logits = outputs if self._softmax_temperature is None else outputs / self._softmax_temperature
        return categorical_sample(logits=logits, seed=self._seed)


@export("contrib.seq2seq.InferenceHelper")
class InferenceHelper(Helper):
    """Feeds what functions make of the last outputs."""

    def __init__(
        self, sample_fn: Any, sample_shape: Any, sample_dtype: Any, start_inputs: Any, end_fn: Any, next_inputs_fn: Any = None
    ) -> None:
        self._sample_fn, self._end_fn, self._next_inputs_fn = sample_fn, end_fn, next_inputs_fn
        self._sample_shape, self._sample_dtype = TensorShape(sample_shape), as_dtype(sample_dtype)
        self._batch_size = tf.shape(start_inputs)[0]
        self._start_inputs = tf.convert_to_tensor(start_inputs, name="start_inputs")

    @property
    def batch_size(self) -> Any:
        return self._batch_size

    @property
    def sample_ids_shape(self) -> Any:
        return self._sample_shape

    @property
    def sample_ids_dtype(self) -> Any:
        return self._sample_dtype

    def initialize(self, name: str | None = None) -> Any:
        return tf.tile([False], [self._batch_size]), self._start_inputs

    def sample(self, time: Any, outputs: Any, state: Any, name: str | None = None) -> Any:
        return self._sample_fn(outputs)

    def next_inputs(self, time: Any, outputs: Any, state: Any, sample_ids: Any, name: str | None = None) -> Any:
        next_inputs = sample_ids if self._next_inputs_fn is None else self._next_inputs_fn(sample_ids)
        return self._end_fn(sample_ids), next_inputs, state
