"""tf.train.batch and the other input pipelines of queues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphtools import graph as base
from graphtools.constant import constant as constant_value
from graphtools.dtypes import float32, int32, int64, string
from graphtools.gradients import IndexedSlices
from runtime.tf1 import array_ops, math_ops, random_ops
from runtime.tf1.control_flow_ops import choose, no_op, with_dependencies
from runtime.tf1.data_flow_ops import FIFOQueue, PaddingFIFOQueue, QueueBase, RandomShuffleQueue
from runtime.tf1.graph import GraphKeys, apply_op, constant, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export
from runtime.tf1.sparse_tensor import SparseTensor, SparseTensorValue
from runtime.tf1.tensor_shape import TensorShape
from runtime.tf1.train.queue_runner import QueueRunner, add_queue_runner
from runtime.tf1.variables import Variable

_STORING = ("AddSparseToTensorsMap", "AddManySparseToTensorsMap")


def _summarize(name: str, value: Any) -> None:
    from runtime.tf1.modules import lookup

    lookup("summary.scalar")(name, value)


def _smart_cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """tf.cond, or only the branch that a constant predicate takes."""
    return choose(constant_value(pred), pred, true_fn, false_fn)


@export("train.match_filenames_once", "io.match_filenames_once")
def match_filenames_once(pattern: Any, name: str | None = None) -> Any:
    """A local variable with the names of the files that match."""
    with name_scope(name, "matching_filenames", [pattern]) as scope:
        return Variable(
            name=scope,
            initial_value=apply_op("MatchingFiles", None, pattern=pattern),
            trainable=False,
            validate_shape=False,
            collections=[GraphKeys.LOCAL_VARIABLES],
        )


@export("train.limit_epochs")
def limit_epochs(tensor: Any, num_epochs: int | None = None, name: str | None = None) -> Any:
    """The tensor, `num_epochs` times; after that OutOfRangeError."""
    if num_epochs is None:
        return tensor
    if num_epochs <= 0:
        raise ValueError(f"num_epochs must be > 0 not {num_epochs}.")
    with name_scope(name, "limit_epochs", [tensor]) as scope:
        zero = constant(0, int64)
        epochs = Variable(zero, name="epochs", trainable=False, collections=[GraphKeys.LOCAL_VARIABLES])
        counter = epochs.count_up_to(num_epochs)
        with get_default_graph().control_dependencies([counter]):
            return array_ops.identity(tensor, name=scope)


@export("train.input_producer")
def input_producer(
    input_tensor: Any,
    element_shape: Any = None,
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    summary_name: str | None = None,
    name: str | None = None,
    cancel_op: Any = None,
) -> QueueBase:
    """A queue of the tensor's rows."""
    with name_scope(name, "input_producer", [input_tensor]):
        input_tensor = convert_to_tensor(input_tensor, name="input_tensor")
        shape = input_tensor.shape[1:].merge_with(element_shape)
        if not shape.is_fully_defined():
            raise ValueError("Either `input_tensor` must have a fully defined shape or `element_shape` must be specified")
        if shuffle:
            input_tensor = random_ops.random_shuffle(input_tensor, seed=seed)
        input_tensor = limit_epochs(input_tensor, num_epochs)
        queue = FIFOQueue(capacity, [input_tensor.dtype.base_dtype], [shape], shared_name=shared_name, name=name)  # type: ignore[arg-type]
        enqueue = queue.enqueue_many([input_tensor])
        add_queue_runner(QueueRunner(queue, [enqueue], cancel_op=cancel_op))
        if summary_name is not None:
            _summarize(summary_name, math_ops.cast(queue.size(), float32) * (1.0 / capacity))
        return queue


@export("train.string_input_producer")
def string_input_producer(
    string_tensor: Any,
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    name: str | None = None,
    cancel_op: Any = None,
) -> QueueBase:
    """A queue of strings, such as file names."""
    empty = "string_input_producer requires a non-null input tensor"
    if not isinstance(string_tensor, base.Tensor | Variable) and not len(string_tensor):
        raise ValueError(empty)
    from runtime.tf1.modules import lookup

    with name_scope(name, "input_producer", [string_tensor]) as scope:
        string_tensor = convert_to_tensor(string_tensor, string)
        check = lookup("Assert")(apply_op("Greater", None, x=array_ops.size(string_tensor), y=0), [empty])
        with get_default_graph().control_dependencies([check]):
            string_tensor = array_ops.identity(string_tensor)
        return input_producer(
            string_tensor,
            [],
            num_epochs,
            shuffle,
            seed,
            capacity,
            shared_name,
            name=scope,
            summary_name=f"fraction_of_{capacity}_full",
            cancel_op=cancel_op,
        )


@export("train.range_input_producer")
def range_input_producer(
    limit: Any,
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    name: str | None = None,
) -> QueueBase:
    """A queue of 0, 1, ..., limit - 1."""
    with name_scope(name, "input_producer", [limit]) as scope:
        return input_producer(
            math_ops.range(limit), [], num_epochs, shuffle, seed, capacity, shared_name, f"fraction_of_{capacity}_full", scope
        )


@export("train.slice_input_producer")
def slice_input_producer(
    tensor_list: Any,
    num_epochs: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    capacity: int = 32,
    shared_name: str | None = None,
    name: str | None = None,
) -> list[Any]:
    """One row of each tensor at a time."""
    with name_scope(name, "input_producer", tensor_list):
        tensors = _as_tensors(tensor_list)
        if not tensors:
            raise ValueError("Expected at least one tensor in slice_input_producer().")
        size = array_ops.shape(tensors[0])[0]
        index = range_input_producer(size, num_epochs, shuffle, seed, capacity, shared_name).dequeue()
        return [array_ops.gather(t, index) for t in tensors]


def _as_tensors(values: Any) -> list[Any]:
    """Values as tensors, SparseTensors and IndexedSlices kept."""
    if not isinstance(values, list | tuple):
        raise TypeError("values must be a sequence.")
    made = []
    for v in values:
        if isinstance(v, SparseTensorValue):
            made.append(SparseTensor.from_value(v))
        elif isinstance(v, IndexedSlices | SparseTensor):
            made.append(v)
        else:
            made.append(convert_to_tensor(v))
    return made


# -- SparseTensors go through queues as handles of a map -------------------------------------------------------------------


@dataclass
class _Sparse:
    """What restores a SparseTensor from its handle; `map_op` None for dense tensors."""

    map_op: Any = None
    rank: int | None = None


def _store_op(t: SparseTensor, many: bool, shared_name: str | None) -> Any:
    return apply_op(
        _STORING[many], None, sparse_indices=t.indices, sparse_values=t.values, sparse_shape=t.dense_shape, shared_name=shared_name
    )


def _store(
    tensors: list[Any], enqueue_many: bool, keep_input: Any, shared: Sequence[_Sparse] | None = None
) -> tuple[list[Any], list[_Sparse]]:
    stored, infos = [], []
    for i, t in enumerate(tensors):
        if not isinstance(t, SparseTensor):
            stored.append(t)
            infos.append(_Sparse())
            continue
        map_op = shared[i].map_op if shared is not None else None
        handle = _store_one(t, enqueue_many, keep_input, map_op.name if map_op is not None else None)
        if map_op is None:
            map_op = next((n.node for n in handle.node.inputs if n.node.op in _STORING), handle.node)
        rank = t.dense_shape.shape.with_rank(1)[0].value
        infos.append(_Sparse(map_op, rank if rank is None else rank - enqueue_many))
        stored.append(array_ops.expand_dims(handle, [-1]))
    return stored, infos


def _store_one(t: SparseTensor, enqueue_many: bool, keep_input: Any, shared_name: str | None) -> Any:
    if keep_input.shape.ndims == 1:
        from runtime.tf1.sparse_ops import sparse_retain

        return _store_op(sparse_retain(t, array_ops.gather(keep_input, t.indices[:, 0])), True, shared_name)
    if enqueue_many:
        found = _smart_cond(
            keep_input, lambda: _store_op(t, True, shared_name), lambda: -1 * array_ops.ones(array_ops.shape(t.dense_shape)[0:1], int64)
        )
        found.set_shape([None])
        return found
    return _smart_cond(keep_input, lambda: _store_op(t, False, shared_name), lambda: constant(-1, int64))


def _restore(stored: Any, infos: list[_Sparse]) -> Any:
    is_list = isinstance(stored, list | tuple)
    tensors: list[Any] = []
    for s, info in zip(stored if is_list else [stored], infos, strict=True):
        if info.map_op is None:
            tensors.append(s)
            continue
        rank = None if info.rank is None else info.rank + 1
        with get_default_graph().colocate_with(info.map_op):
            indices, values, shape = apply_op(
                "TakeManySparseFromTensorsMap", None, sparse_handles=array_ops.squeeze(s, [1]), dtype=info.map_op.attr["T"], container=info.map_op.attr.get("container") or "",
                shared_name=info.map_op.attr.get("shared_name") or info.map_op.name,
            )  # fmt: skip
        indices.set_shape([None, rank])
        shape.set_shape([rank])
        tensors.append(SparseTensor(indices, values, shape))
    if any(isinstance(t, SparseTensor) for t in tensors):
        everything = [t.values if isinstance(t, SparseTensor) else t for t in tensors]
        # handles can be taken once: whoever wants a part must take all
        tensors = [
            SparseTensor(*[with_dependencies(everything, p) for p in t._composite_parts()])
            if isinstance(t, SparseTensor)
            else with_dependencies(everything, t)
            for t in tensors
        ]
    return tensors if is_list else tensors[0]


# -- batching --------------------------------------------------------------------------------------------------------------


def _as_list(tensors: Any) -> list[Any]:
    return [tensors[k] for k in sorted(tensors, key=str)] if isinstance(tensors, dict) else tensors  # type: ignore[no-any-return]


def _as_lists(tensors_list: Any) -> list[list[Any]]:
    if not tensors_list:
        raise ValueError("Expected at least one set of tensors")
    if isinstance(tensors_list[0], dict) and any(set(t) != set(tensors_list[0]) for t in tensors_list[1:]):
        raise ValueError("All dictionaries in tensors_list must have the same keys")
    return [_as_list(t) for t in tensors_list]


def _as_original(tensors: Any, result: Any) -> Any:
    if not isinstance(tensors, dict):
        return result
    found = [result] if len(tensors) == 1 else result
    return {k: found[i] for i, k in enumerate(sorted(tensors, key=str))}


def _checked_keep(keep_input: Any, enqueue_many: bool) -> Any:
    keep_input = convert_to_tensor(keep_input)
    rank = keep_input.shape.ndims
    if rank is None:
        raise ValueError("`keep_input` dimensions must be known at graph construction.")
    if not enqueue_many and rank == 1:
        raise ValueError("`keep_input` cannot be a vector when `enqueue_many=False`.")
    if rank > 1:
        raise ValueError("`keep_input` must be 0 or 1 dimensions.")
    return keep_input


def _types(lists: list[list[Any]]) -> list[Any]:
    types = [t.dtype.base_dtype for t in lists[0]]
    for other in lists[1:]:
        if [t.dtype.base_dtype for t in other] != types:
            raise TypeError(
                f"Expected types to be consistent: {', '.join(t.name for t in types)} vs. {', '.join(t.dtype.base_dtype.name for t in other)}."
            )
    return types


def _shapes(lists: list[list[Any]], shapes: Any, enqueue_many: bool) -> Any:
    if shapes is not None:
        return shapes
    found = []
    for i in range(len(lists[0])):
        for tensors in lists:
            if tensors[i].shape.ndims is None:
                raise ValueError(f"Cannot infer Tensor's rank: {tensors[i]}")
        each = [tensors[i].shape.with_rank_at_least(1)[1:] if enqueue_many else tensors[i].shape for tensors in lists]
        for s in each[1:]:
            each[0].merge_with(s)
        found.append(TensorShape(each[0].as_list()))
    return found


def _enqueue(queue: QueueBase, lists: list[list[Any]], threads: int, enqueue_many: bool, keep_input: Any) -> None:
    enqueue = queue.enqueue_many if enqueue_many else queue.enqueue
    ops = []
    for tensors in lists:
        if keep_input.shape.ndims == 1:
            select = math_ops.cast(keep_input, int32)
            ops.append(enqueue([apply_op("DynamicPartition", None, data=x, partitions=select, num_partitions=2)[1] for x in tensors]))
        else:
            ops.append(_smart_cond(keep_input, lambda tensors=tensors: enqueue(tensors), no_op))  # type: ignore[misc]
    add_queue_runner(QueueRunner(queue, ops * threads))


def _batched(
    tensors: Any,
    is_join: bool,
    label: str,
    batch_size: Any,
    keep_input: Any,
    make_queue: Callable[..., QueueBase],
    summarize: Callable[[QueueBase], None],
    threads: int,
    enqueue_many: bool,
    shapes: Any,
    smaller_final: bool,
    name: str | None,
) -> Any:
    """Enqueue each set of tensors by itself; dequeue batches."""
    lists: Any = _as_lists(tensors) if is_join else [_as_list(tensors)]
    with name_scope(name, label, [t for each in lists for t in each if isinstance(t, base.Tensor)]) as scope:
        lists = [_as_tensors(each) for each in lists]
        if not lists[0]:
            raise ValueError("Expected at least one tensor in batch().")
        keep_input = _checked_keep(keep_input, enqueue_many)
        stored, infos = _store(lists[0], enqueue_many, keep_input)
        all_stored = [stored]
        for each in lists[1:]:
            more, _ = _store(each, enqueue_many, keep_input, infos)
            all_stored.append(more)
        queue = make_queue(dtypes=_types(all_stored), shapes=_shapes(all_stored, shapes, enqueue_many))
        _enqueue(queue, all_stored, threads, enqueue_many, keep_input)
        summarize(queue)
        dequeue = queue.dequeue_up_to if smaller_final else queue.dequeue_many
        result = _restore(dequeue(batch_size, name=scope), infos)
        return _as_original(tensors[0] if is_join else tensors, result)


def _batch(
    tensors: Any, is_join: bool, batch_size: Any, keep_input: Any, num_threads: int, capacity: int, enqueue_many: bool, shapes: Any, dynamic_pad: bool,
    allow_smaller_final_batch: bool, shared_name: str | None, name: str | None,
) -> Any:  # fmt: skip
    kind = PaddingFIFOQueue if dynamic_pad else FIFOQueue

    def make(dtypes: Any, shapes: Any) -> QueueBase:
        return kind(capacity, dtypes, shapes, shared_name=shared_name)

    def summarize(queue: QueueBase) -> None:
        _summarize(f"fraction_of_{capacity}_full", math_ops.cast(queue.size(), float32) * (1.0 / capacity))

    label = "batch_join" if is_join else "batch"
    return _batched(
        tensors, is_join, label, batch_size, keep_input, make, summarize, num_threads, enqueue_many, shapes, allow_smaller_final_batch, name
    )


def _shuffle_batch(
    tensors: Any, is_join: bool, batch_size: Any, capacity: int, min_after_dequeue: int, keep_input: Any, num_threads: int, seed: int | None, enqueue_many: bool, shapes: Any,
    allow_smaller_final_batch: bool, shared_name: str | None, name: str | None,
) -> Any:  # fmt: skip
    if capacity <= min_after_dequeue:
        raise ValueError(f"capacity {capacity} must be bigger than min_after_dequeue {min_after_dequeue}.")

    def make(dtypes: Any, shapes: Any) -> QueueBase:
        return RandomShuffleQueue(capacity, min_after_dequeue, dtypes, shapes, seed=seed, shared_name=shared_name)

    def summarize(queue: QueueBase) -> None:
        full = math_ops.cast(apply_op("Maximum", None, x=0, y=queue.size() - min_after_dequeue), float32) * (
            1.0 / (capacity - min_after_dequeue)
        )
        _summarize(f"fraction_over_{min_after_dequeue}_of_{capacity - min_after_dequeue}_full", full)

    label = "shuffle_batch_join" if is_join else "shuffle_batch"
    return _batched(
        tensors, is_join, label, batch_size, keep_input, make, summarize, num_threads, enqueue_many, shapes, allow_smaller_final_batch, name
    )


@export("train.batch")
def batch(
    tensors: Any,
    batch_size: Any,
    num_threads: int = 1,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    return _batch(
        tensors,
        False,
        batch_size,
        True,
        num_threads,
        capacity,
        enqueue_many,
        shapes,
        dynamic_pad,
        allow_smaller_final_batch,
        shared_name,
        name,
    )


@export("train.maybe_batch")
def maybe_batch(
    tensors: Any,
    keep_input: Any,
    batch_size: Any,
    num_threads: int = 1,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    return _batch(
        tensors,
        False,
        batch_size,
        keep_input,
        num_threads,
        capacity,
        enqueue_many,
        shapes,
        dynamic_pad,
        allow_smaller_final_batch,
        shared_name,
        name,
    )


@export("train.batch_join")
def batch_join(
    tensors_list: Any,
    batch_size: Any,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    return _batch(
        tensors_list, True, batch_size, True, 1, capacity, enqueue_many, shapes, dynamic_pad, allow_smaller_final_batch, shared_name, name
    )


@export("train.maybe_batch_join")
def maybe_batch_join(
    tensors_list: Any,
    keep_input: Any,
    batch_size: Any,
    capacity: int = 32,
    enqueue_many: bool = False,
    shapes: Any = None,
    dynamic_pad: bool = False,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    return _batch(
        tensors_list,
        True,
        batch_size,
        keep_input,
        1,
        capacity,
        enqueue_many,
        shapes,
        dynamic_pad,
        allow_smaller_final_batch,
        shared_name,
        name,
    )


@export("train.shuffle_batch")
def shuffle_batch(
    tensors: Any,
    batch_size: Any,
    capacity: int,
    min_after_dequeue: int,
    num_threads: int = 1,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    return _shuffle_batch(
        tensors,
        False,
        batch_size,
        capacity,
        min_after_dequeue,
        True,
        num_threads,
        seed,
        enqueue_many,
        shapes,
        allow_smaller_final_batch,
        shared_name,
        name,
    )


@export("train.maybe_shuffle_batch")
def maybe_shuffle_batch(
    tensors: Any,
    batch_size: Any,
    capacity: int,
    min_after_dequeue: int,
    keep_input: Any,
    num_threads: int = 1,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    return _shuffle_batch(
        tensors,
        False,
        batch_size,
        capacity,
        min_after_dequeue,
        keep_input,
        num_threads,
        seed,
        enqueue_many,
        shapes,
        allow_smaller_final_batch,
        shared_name,
        name,
    )


@export("train.shuffle_batch_join")
def shuffle_batch_join(
    tensors_list: Any,
    batch_size: Any,
    capacity: int,
    min_after_dequeue: int,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    return _shuffle_batch(
        tensors_list,
        True,
        batch_size,
        capacity,
        min_after_dequeue,
        True,
        1,
        seed,
        enqueue_many,
        shapes,
        allow_smaller_final_batch,
        shared_name,
        name,
    )


@export("train.maybe_shuffle_batch_join")
def maybe_shuffle_batch_join(
    tensors_list: Any,
    batch_size: Any,
    capacity: int,
    min_after_dequeue: int,
    keep_input: Any,
    seed: int | None = None,
    enqueue_many: bool = False,
    shapes: Any = None,
    allow_smaller_final_batch: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    return _shuffle_batch(
        tensors_list,
        True,
        batch_size,
        capacity,
        min_after_dequeue,
        keep_input,
        1,
        seed,
        enqueue_many,
        shapes,
        allow_smaller_final_batch,
        shared_name,
        name,
    )
