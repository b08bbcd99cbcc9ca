"""tf.contrib.training: batches of examples by bucket, and examples kept or repeated by chance."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from graphtools.constant import constant as constant_value
from graphtools.dtypes import int32
from runtime.tf1 import data_flow_ops
from runtime.tf1.control_flow_ops import with_dependencies
from runtime.tf1.modules import module
from runtime.tf1.registry import export, put
from runtime.tf1.train import input as batching
from runtime.tf1.train.queue_runner import QueueRunner, add_queue_runner

tf: Any = module("")


@export("contrib.training.bucket")
def bucket(
    tensors: Any, which_bucket: Any, batch_size: Any, num_buckets: int, num_threads: int = 1, capacity: int = 32, bucket_capacities: Any = None,
    shapes: Any = None, dynamic_pad: bool = False, allow_smaller_final_batch: bool = False, keep_input: Any = True, shared_name: str | None = None,
    name: str | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    """(the bucket, a batch of examples that all went into it)."""
    each = isinstance(batch_size, list | tuple)
    if each and len(batch_size) != num_buckets:
        raise ValueError("If batch_size is a list it must have num_buckets elements")
    sizes = list(batch_size) if each else [batch_size] * num_buckets
    capacities = [capacity] * num_buckets if bucket_capacities is None else bucket_capacities
    if len(capacities) != num_buckets:
        raise ValueError(f"The list bucket_capacities ({capacities}) must have exactly num_buckets ({num_buckets}) elements.")
    listed = batching._as_list(tensors)
    with tf.name_scope(name, "bucket", listed) as scope:
        listed = batching._as_tensors(listed)
        if not listed:
            raise ValueError("Expected at least one tensor in bucket().")
        keep_input = batching._checked_keep(keep_input, enqueue_many=False)
        stored, infos = batching._store(listed, False, keep_input)
        static = None
        for i, size in enumerate(sizes):
            made = tf.convert_to_tensor(size, dtype=int32, name="batch_size")
            known = constant_value(made)
            static = None if known is None else int(known)
            sizes[i] = made if static is None else static
        types = batching._types([stored])
        shapes = batching._shapes([stored], shapes, False)
        which_bucket = tf.convert_to_tensor(which_bucket, dtype=int32, name="which_bucket")
        kind = data_flow_ops.PaddingFIFOQueue if dynamic_pad else data_flow_ops.FIFOQueue
        queues = [
            kind(
                capacity=capacities[i], dtypes=types, shapes=shapes, shared_name=f"{shared_name}_{i}" if shared_name is not None else None,
                name=f"bucket_queue_{i}",
            )
            for i in range(num_buckets)
        ]  # fmt: skip
        first = None if allow_smaller_final_batch or each else static
        batched = [tf.TensorShape([first]).concatenate(s) for s in queues[0].shapes]
        top = data_flow_ops.PaddingFIFOQueue(
            capacity=capacity, dtypes=[int32, *types], shapes=[tf.TensorShape([]), *batched], shared_name=shared_name, name="top_queue"
        )

        def enqueue() -> Any:
            ops = [tf.cond(tf.equal(which_bucket, i), lambda q=q: q.enqueue(stored), tf.no_op) for i, q in enumerate(queues)]
            return tf.group(*ops, name="group_enqueues")

        enqueues = [batching._smart_cond(keep_input, enqueue, tf.no_op)] * num_threads
        to_top = []
        for i, (queue, size) in enumerate(zip(queues, sizes, strict=True)):
            number = tf.constant(i)
            dequeue = queue.dequeue_up_to if allow_smaller_final_batch else queue.dequeue_many
            found = dequeue(size, name=f"read_bucket_{i}")
            found = list(found) if isinstance(found, list | tuple) else [found]
            to_top.append(top.enqueue([number, *found], name=f"enqueue_from_bucket_{i}"))
        closed = (tf.errors.OutOfRangeError, tf.errors.CancelledError)
        add_queue_runner(
            QueueRunner(
                queues[0],
                to_top,
                close_op=top.close(),
                cancel_op=top.close(cancel_pending_enqueues=True),
                queue_closed_exception_types=closed,
            )
        )
        add_queue_runner(
            QueueRunner(
                top, enqueues, close_op=tf.group(*[q.close() for q in queues]),
                cancel_op=tf.group(*[q.close(cancel_pending_enqueues=True) for q in queues]), queue_closed_exception_types=closed,
            )
        )  # fmt: skip
        for queue in queues:
            tf.summary.scalar(f"bucket/{queue.name}/size", tf.cast(top.size(), "float32"))
        tf.summary.scalar(f"bucket/{top.name}/fraction_of_{capacity}_full", tf.cast(top.size(), "float32") * (1.0 / capacity))
        number, *rest = top.dequeue(name="dequeue_top")
        values = batching._restore(rest[0] if len(rest) == 1 else rest, infos)
        del scope
        return number, batching._as_original(tensors, values)


@export("contrib.training.bucket_by_sequence_length")
def bucket_by_sequence_length(
    input_length: Any, tensors: Any, batch_size: Any, bucket_boundaries: Any, num_threads: int = 1, capacity: int = 32, bucket_capacities: Any = None,
    shapes: Any = None, dynamic_pad: bool = False, allow_smaller_final_batch: bool = False, keep_input: Any = True, shared_name: str | None = None,
    name: str | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    """(lengths, a batch of examples whose lengths lie between the same boundaries)."""
    listed = batching._as_list(tensors)
    if not isinstance(bucket_boundaries, list | tuple):
        raise TypeError(f"bucket_boundaries must be a list or tuple, but received: {bucket_boundaries}")
    if not bucket_boundaries:
        raise ValueError("bucket_boundaries must not be empty")
    for a, b in itertools.pairwise(bucket_boundaries):
        if not isinstance(a, int) or not isinstance(b, int):
            raise TypeError(f"bucket boundaries must be integers, but saw: {a} and {b}")
        if a >= b:
            raise ValueError(f"Buckets must contain sequential increasing lengths, but saw: {a} before {b}")
    limits = np.iinfo(np.int32)
    with tf.name_scope(name, "bucket_by_sequence_length", [input_length, *listed]) as scope:
        input_length = tf.convert_to_tensor(input_length, dtype=int32, name="input_length")
        inside = tf.logical_and(
            tf.less_equal([int(limits.min), *bucket_boundaries], input_length), tf.less(input_length, [*bucket_boundaries, int(limits.max)])
        )
        which = tf.cast(tf.reduce_min(tf.where_v2(inside)), int32)
        if shapes is not None:
            shapes = [tf.TensorShape([]), *shapes]
        _, found = bucket(
            tensors=[input_length, *listed], which_bucket=which, batch_size=batch_size, num_buckets=len(bucket_boundaries) + 1, num_threads=num_threads,
            capacity=capacity, bucket_capacities=bucket_capacities, shapes=shapes, dynamic_pad=dynamic_pad,
            allow_smaller_final_batch=allow_smaller_final_batch, keep_input=keep_input, shared_name=shared_name, name=scope,
        )  # fmt: skip
        return found[0], batching._as_original(tensors, found[1:])


# -- kept or repeated by chance --------------------------------------------------------------------------------------------


@export("contrib.training.rejection_sample")
def rejection_sample(
    tensors: Any, accept_prob_fn: Any, batch_size: int, queue_threads: int = 1, enqueue_many: bool = False, prebatch_capacity: int = 16,
    prebatch_threads: int = 1, runtime_checks: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """Batches of the examples that are kept with the probability that a function gives."""
    with tf.variable_scope(name, "rejection_sample", tensors):
        listed = [tf.convert_to_tensor(t) for t in tensors]
        if enqueue_many:
            batched = tf.train.batch(listed, batch_size=1, num_threads=prebatch_threads, capacity=prebatch_capacity, enqueue_many=True)
            batched = batched if isinstance(batched, list | tuple) else [batched]
            listed = [tf.squeeze(x, [0]) for x in batched]
        probability = accept_prob_fn(listed)
        if runtime_checks:
            checks = [tf.assert_less_equal(0.0, probability), tf.assert_less_equal(probability, 1.0)]
            probability = tf.identity(with_dependencies(checks, probability), name="prob_with_checks")
        keep = tf.random_uniform([]) < probability
        found = tf.train.maybe_batch(listed, keep_input=keep, batch_size=batch_size, num_threads=queue_threads)
        return list(found) if isinstance(found, list | tuple) else [found]


def _estimated(labels: Any, classes: int, smoothing: int = 10) -> Any:
    """How often each class came so far."""
    seen = tf.Variable([smoothing] * classes, trainable=False, name="class_count", dtype="int64")
    seen = seen.assign_add(tf.reduce_sum(tf.one_hot(labels, classes, dtype="int64"), 0))
    seen += 0
    return tf.cast(tf.truediv(seen, tf.reduce_sum(seen)), "float32")


def _checked_probabilities(given: Any) -> Any:
    given.get_shape().assert_is_fully_defined()
    given.get_shape().assert_has_rank(1)
    total, tolerance = tf.reduce_sum(given), 1e-6
    checks = [tf.assert_non_negative(given), tf.assert_less(total, 1.0 + tolerance), tf.assert_less(1.0 - tolerance, total)]
    return with_dependencies(checks, given)


@export("contrib.training.stratified_sample")
def stratified_sample(
    tensors: Any, labels: Any, target_probs: Any, batch_size: int, init_probs: Any = None, enqueue_many: bool = False, queue_capacity: int = 16,
    threads_per_queue: int = 1, name: str | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    """(values, labels) in batches, the classes as often as `target_probs` says."""
    with tf.name_scope(name, "stratified_sample", [*tensors, labels]):
        listed = [tf.convert_to_tensor(t) for t in tensors]
        labels = tf.convert_to_tensor(labels)
        target = tf.convert_to_tensor(target_probs, dtype="float32")
        if not enqueue_many:
            listed = [tf.expand_dims(t, 0) for t in listed]
            labels = tf.expand_dims(labels, 0)
        if init_probs is None:
            target.get_shape().assert_is_fully_defined()
            initial = _estimated(labels, target.get_shape().num_elements())
        else:
            initial = tf.convert_to_tensor(init_probs, dtype="float32")
        initial, target = _checked_probabilities(initial), _checked_probabilities(target)
        count = initial.get_shape().num_elements()
        if target.get_shape().num_elements() != count:
            raise ValueError("Probability parameters must have the same length.")
        labels.get_shape().assert_has_rank(1)
        rows = tf.shape(labels)[0]
        some = tf.assert_positive(rows)
        labels = with_dependencies([some], labels)
        listed = [with_dependencies([some, tf.assert_equal(tf.shape(x)[0], rows)], x) for x in listed]
        checks = [tf.assert_integer(labels), tf.assert_non_negative(labels), tf.assert_less(labels, tf.cast(count, labels.dtype))]
        labels = with_dependencies(checks, labels)
        possible = tf.Assert(
            tf.reduce_all(tf.logical_or(tf.not_equal(initial, 0), tf.equal(target, 0))),
            ["All classes with zero initial probability must also have zero target probability: ", initial, target],
        )
        initial = with_dependencies([possible], initial)
        ratio = target / initial
        ratio = tf.where_v2(tf.is_nan(ratio), tf.zeros_like(ratio), ratio)
        accept = ratio / tf.reduce_max(ratio)
        rejected = tf.reduce_sum((1 - accept) * initial)
        accept = tf.cond(
            tf.less(rejected, 0.5),
            lambda: accept,
            lambda: tf.Print(accept, [accept], message="Proportion of examples rejected by sampler is high.", first_n=10),
        )
        batched = tf.train.batch([*listed, labels], batch_size=1, num_threads=threads_per_queue, capacity=queue_capacity, enqueue_many=True)
        values = [tf.squeeze(x, [0]) for x in batched[:-1]]
        label = tf.squeeze(batched[-1], [0])
        probability = tf.gather(accept, label)
        keep = tf.random_uniform([]) < probability
        batched = tf.train.maybe_batch([*values, label], keep_input=keep, batch_size=batch_size, num_threads=threads_per_queue)
        return batched[:-1], batched[-1]


def _repeated(counts: Any, name: str | None = None) -> Any:
    """0 `counts[0]` times, 1 `counts[1]` times, ..."""
    with tf.name_scope(name, "repeat_range", [counts]) as scope:
        counts = tf.convert_to_tensor(counts, name="counts")
        size = tf.shape(counts)[0]
        start = tf.TensorArray(dtype=int32, size=size, infer_shape=False)
        array, written = tf.while_loop(
            lambda _, i: i < size, lambda out, i: (out.write(i, tf.fill(counts[i : i + 1], i)), i + 1), loop_vars=[start, 0]
        )
        return tf.cond(written > 0, array.concat, lambda: tf.zeros(shape=[0], dtype=int32), name=scope)


@export("contrib.training.resample_at_rate")
def resample_at_rate(inputs: Any, rates: Any, scope: str | None = None, seed: int | None = None, back_prop: bool = False) -> list[Any]:
    """Each example as often as a Poisson variable of its rate says."""
    with tf.name_scope(scope, default_name="resample_at_rate", values=[*inputs, rates]):
        rates = tf.convert_to_tensor(rates, name="rates")
        counts = tf.cast(tf.random_poisson(rates, (), rates.dtype, seed=seed), int32)
        indices = _repeated(counts)
        if not back_prop:
            indices = tf.stop_gradient(indices)
        return [tf.gather(x, indices) for x in inputs]


@export("contrib.training.weighted_resample")
def weighted_resample(
    inputs: Any, weights: Any, overall_rate: Any, scope: str | None = None, mean_decay: float = 0.999, seed: int | None = None
) -> tuple[list[Any], Any]:
    """(examples drawn by their weights, the rates they were drawn at)."""
    with tf.name_scope(scope, "weighted_resample", inputs) as opscope:
        with tf.variable_scope(scope, "estimate_mean", inputs):
            estimated = tf.get_local_variable("estimated_mean", initializer=tf.cast(0, weights.dtype), dtype=weights.dtype)
            batch_mean = tf.reduce_mean(weights)
            mean = tf.python.training.moving_averages.assign_moving_average(estimated, batch_mean, mean_decay)
        rates = weights * overall_rate / mean
        drawn = resample_at_rate([rates, *inputs], rates, scope=opscope, seed=seed, back_prop=False)
        return drawn[1:], drawn[0]


@export("contrib.training.clip_gradient_norms_fn")
def clip_gradient_norms_fn(max_norm: Any) -> Any:
    return lambda gradients_to_variables: tf.contrib.training.clip_gradient_norms(gradients_to_variables, max_norm)


def _feeding_queue_runner() -> Any:
    from runtime.tf1.estimator.inputs import FeedingRunner

    return FeedingRunner


put("contrib.training.FeedingQueueRunner", _feeding_queue_runner())
