"""Queues, barriers, gradient accumulators and staging areas."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import as_dtype, int32, int64, resource
from graphtools.gradients import IndexedSlices
from runtime.tf1 import array_ops, math_ops
from runtime.tf1.control_flow_ops import no_op
from runtime.tf1.graph import apply_op, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.random_ops import get_seed
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape


def _as_list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, list | tuple) else [x]


def _dtypes(dtypes: Any) -> list[Any]:
    return [as_dtype(t) for t in _as_list(dtypes)]


def _shapes(shapes: Any, dtypes: list[Any], partial: bool = False) -> list[Any] | None:
    """One shape for each component, or None when there are none."""
    if shapes is None:
        return None
    if isinstance(shapes, TensorShape) or not isinstance(shapes, list | tuple) or (shapes and isinstance(shapes[0], int)):
        shapes = [shapes]
    found = [TensorShape(s) for s in shapes]
    if len(found) != len(dtypes):
        raise ValueError(f"Queue shapes must have the same length as dtypes, received len(shapes)={len(found)}, len(dtypes)={len(dtypes)}")
    if not partial and any(not s.is_fully_defined() for s in found):
        raise ValueError(f"All shapes must be fully defined: {found}")
    return found


def _names(names: Any, dtypes: list[Any]) -> list[str] | None:
    if not names:
        return None
    names = _as_list(names)
    if not all(isinstance(n, str) for n in names):
        raise TypeError("names must be list of strings")
    if len(names) != len(dtypes):
        raise ValueError(
            f"List of names must have the same length as the list of dtypes, received len(names)={len(names)},len(dtypes)={len(dtypes)}"
        )
    return list(names)


@export("queue.QueueBase", "QueueBase")
class QueueBase:
    """What the queues share. With `names`, elements are dictionaries."""

    def __init__(self, dtypes: Any, shapes: Any, names: Any, queue_ref: Any) -> None:
        self._dtypes = list(dtypes)
        self._shapes = [TensorShape(None) for _ in self._dtypes] if shapes is None else [TensorShape(s) for s in shapes]
        if len(self._shapes) != len(self._dtypes):
            raise ValueError(
                f"Queue shapes must have the same length as dtypes, received len(shapes)={len(self._shapes)}, len(dtypes)={len(self._dtypes)}"
            )
        self._names = list(names) if names else None
        self._queue_ref = queue_ref
        self._name = queue_ref.op.name.split("/")[-1]
        self._suffix = "V2" if queue_ref.dtype is resource else ""

    @staticmethod
    def from_list(index: Any, queues: Any) -> QueueBase:
        """The queue of a list that `index` tells in each run."""
        if not queues or not isinstance(queues, list) or not all(isinstance(q, QueueBase) for q in queues):
            raise TypeError("A list of queues expected")
        if any(q.dtypes != queues[0].dtypes for q in queues[1:]):
            raise TypeError("Queues do not have matching component dtypes.")
        if any(q.names != queues[0].names for q in queues[1:]):
            raise TypeError("Queues do not have matching component names.")
        shapes = [
            s if all(TensorShape(q.shapes[i]).as_list() == s.as_list() for q in queues) and s.ndims is not None else TensorShape(None)
            for i, s in enumerate(queues[0].shapes)
        ]
        refs = array_ops.stack([q.queue_ref for q in queues])
        return QueueBase(queues[0].dtypes, shapes, queues[0].names, array_ops.gather(refs, index))

    queue_ref = property(lambda self: self._queue_ref)
    dtypes = property(lambda self: self._dtypes)
    shapes = property(lambda self: self._shapes)
    names = property(lambda self: self._names)

    @property
    def name(self) -> str:
        return str(self._queue_ref.op.name)

    def _components(self, vals: Any) -> list[Any]:
        """An element as tensors of the queue's dtypes."""
        if isinstance(vals, dict):
            if not self._names:
                raise ValueError("Queue must have names to enqueue a dictionary")
            if sorted(self._names, key=str) != sorted(vals, key=str):
                raise ValueError(
                    f"Keys in dictionary to enqueue do not match names of Queue.  Dictionary: ({sorted(vals)}), Queue: ({sorted(self._names)})"
                )
            vals = [vals[n] for n in self._names]
        else:
            if self._names:
                raise ValueError("You must enqueue a dictionary in a Queue with names")
            vals = _as_list(vals)
        if len(vals) != len(self._dtypes):
            raise ValueError(
                f"Queue has {len(self._dtypes)} components ({', '.join(t.name for t in self._dtypes)}); {len(vals)} values were given to enqueue."
            )
        return [convert_to_tensor(v, t, name=f"component_{i}") for i, (v, t) in enumerate(zip(vals, self._dtypes, strict=True))]

    def _scope_values(self, vals: Any) -> list[Any]:
        return _as_list(vals) if not isinstance(vals, dict) else list(vals.values())

    def enqueue(self, vals: Any, name: str | None = None) -> Any:
        with name_scope(name, f"{self._name}_enqueue", self._scope_values(vals)) as scope:
            components = self._components(vals)
            for component, shape in zip(components, self._shapes, strict=True):
                component.shape.assert_is_compatible_with(shape)
            return apply_op(f"QueueEnqueue{self._suffix}", scope, handle=self._queue_ref, components=components)

    def enqueue_many(self, vals: Any, name: str | None = None) -> Any:
        with name_scope(name, f"{self._name}_EnqueueMany", self._scope_values(vals)) as scope:
            components = self._components(vals)
            batch = components[0].shape.with_rank_at_least(1)[0]
            for component, shape in zip(components, self._shapes, strict=True):
                batch = batch.merge_with(component.shape.with_rank_at_least(1)[0])
                component.shape[1:].assert_is_compatible_with(shape)
            return apply_op(f"QueueEnqueueMany{self._suffix}", scope, handle=self._queue_ref, components=components)

    def _result(self, tensors: Any) -> Any:
        if self._names:
            return dict(zip(self._names, tensors, strict=True))
        return tensors[0] if len(tensors) == 1 else list(tensors)

    def dequeue(self, name: str | None = None) -> Any:
        found = apply_op(
            f"QueueDequeue{self._suffix}", name or f"{self._name}_Dequeue", handle=self._queue_ref, component_types=self._dtypes
        )
        for tensor, shape in zip(found, self._shapes, strict=True):
            tensor.set_shape(shape)
        return self._result(found)

    def dequeue_many(self, n: Any, name: str | None = None) -> Any:
        from graphtools.constant import constant

        found = apply_op(
            f"QueueDequeueMany{self._suffix}",
            name or f"{self._name}_DequeueMany",
            handle=self._queue_ref,
            n=n,
            component_types=self._dtypes,
        )
        size = constant(found[0].op.inputs[1])
        for tensor, shape in zip(found, self._shapes, strict=True):
            tensor.set_shape(TensorShape([None if size is None else int(size)]).concatenate(shape))
        return self._result(found)

    def dequeue_up_to(self, n: Any, name: str | None = None) -> Any:
        found = apply_op(
            f"QueueDequeueUpTo{self._suffix}",
            name or f"{self._name}_DequeueUpTo",
            handle=self._queue_ref,
            n=n,
            component_types=self._dtypes,
        )
        for tensor, shape in zip(found, self._shapes, strict=True):
            tensor.set_shape(TensorShape([None]).concatenate(shape))
        return self._result(found)

    def close(self, cancel_pending_enqueues: bool = False, name: str | None = None) -> Any:
        return apply_op(
            f"QueueClose{self._suffix}",
            name or f"{self._name}_Close",
            handle=self._queue_ref,
            cancel_pending_enqueues=cancel_pending_enqueues,
        )

    def is_closed(self, name: str | None = None) -> Any:
        return apply_op(f"QueueIsClosed{self._suffix}", name or f"{self._name}_Is_Closed", handle=self._queue_ref)

    def size(self, name: str | None = None) -> Any:
        return apply_op(f"QueueSize{self._suffix}", name or f"{self._name}_Size", handle=self._queue_ref)


@export("queue.FIFOQueue", "FIFOQueue")
class FIFOQueue(QueueBase):
    """Elements come out in the order they went in."""

    def __init__(
        self, capacity: int, dtypes: Any, shapes: Any = None, names: Any = None, shared_name: str | None = None, name: str = "fifo_queue"
    ) -> None:
        types = _dtypes(dtypes)
        shapes = _shapes(shapes, types)
        names = _names(names, types)
        ref = apply_op("FIFOQueueV2", name, component_types=types, shapes=shapes, capacity=capacity, shared_name=shared_name)
        super().__init__(types, shapes, names, ref)


@export("queue.RandomShuffleQueue", "RandomShuffleQueue")
class RandomShuffleQueue(QueueBase):
    """Elements come out in random order, never leaving less than `min_after_dequeue` while the queue is open."""

    def __init__(
        self,
        capacity: int,
        min_after_dequeue: int,
        dtypes: Any,
        shapes: Any = None,
        names: Any = None,
        seed: int | None = None,
        shared_name: str | None = None,
        name: str = "random_shuffle_queue",
    ) -> None:
        types = _dtypes(dtypes)
        shapes = _shapes(shapes, types)
        names = _names(names, types)
        seed1, seed2 = get_seed(seed)
        if seed1 is None and seed2 is None:
            seed1 = seed2 = 0
        elif seed is None and shared_name is not None:
            import hashlib

            text = (str(seed1) + shared_name).encode()
            seed2 = int(hashlib.md5(text).hexdigest()[:8], 16) & 0x7FFFFFFF
        ref = apply_op(
            "RandomShuffleQueueV2",
            name,
            component_types=types,
            shapes=shapes,
            capacity=capacity,
            min_after_dequeue=min_after_dequeue,
            seed=seed1,
            seed2=seed2,
            shared_name=shared_name,
        )
        super().__init__(types, shapes, names, ref)


@export("queue.PaddingFIFOQueue", "PaddingFIFOQueue")
class PaddingFIFOQueue(QueueBase):
    """A FIFO queue whose dequeue_many pads the elements to the longest."""

    def __init__(
        self, capacity: int, dtypes: Any, shapes: Any, names: Any = None, shared_name: str | None = None, name: str = "padding_fifo_queue"
    ) -> None:
        types = _dtypes(dtypes)
        shapes = _shapes(shapes, types, partial=True)
        names = _names(names, types)
        if shapes is None or len(types) != len(shapes):
            raise ValueError(
                f"Shapes must be provided for all components, but received {len(types)} dtypes and {len(shapes or ())} shapes."
            )
        ref = apply_op("PaddingFIFOQueueV2", name, component_types=types, shapes=shapes, capacity=capacity, shared_name=shared_name)
        super().__init__(types, shapes, names, ref)


@export("queue.PriorityQueue", "PriorityQueue")
class PriorityQueue(QueueBase):
    """The element with the smallest first component, an int64, comes out first."""

    def __init__(
        self, capacity: int, types: Any, shapes: Any = None, names: Any = None, shared_name: str | None = None, name: str = "priority_queue"
    ) -> None:
        types = _dtypes(types)
        shapes = _shapes(shapes, types)
        ref = apply_op("PriorityQueueV2", name, component_types=types, shapes=shapes, capacity=capacity, shared_name=shared_name)
        everything = [int64, *types]
        super().__init__(everything, [TensorShape([]), *shapes] if shapes else shapes, _names(names, everything), ref)


class Barrier:
    """Collects the components of keyed values, and gives the complete ones."""

    def __init__(self, types: Any, shapes: Any = None, shared_name: str | None = None, name: str = "barrier") -> None:
        self._types = _dtypes(types)
        if shapes is not None:
            found = _shapes(shapes, self._types) or []
            for i, shape in enumerate(found):
                if shape.num_elements() == 0:
                    raise ValueError(f"Empty tensors are not supported, but received shape '{shape}' at index {i}")
            self._shapes: list[Any] = found
        else:
            self._shapes = [TensorShape(None) for _ in self._types]
        self._barrier_ref = apply_op(
            "Barrier",
            name,
            component_types=self._types,
            shapes=self._shapes if shapes is not None else [],
            capacity=-1,
            shared_name=shared_name,
        )
        self._name = self._barrier_ref.op.name.split("/")[-1]

    barrier_ref = property(lambda self: self._barrier_ref)

    @property
    def name(self) -> str:
        return str(self._barrier_ref.op.name)

    def insert_many(self, component_index: int, keys: Any, values: Any, name: str | None = None) -> Any:
        return apply_op(
            "BarrierInsertMany",
            name or f"{self._name}_BarrierInsertMany",
            handle=self._barrier_ref,
            keys=keys,
            values=values,
            component_index=component_index,
        )

    def take_many(self, num_elements: Any, allow_small_batch: bool = False, timeout: int | None = None, name: str | None = None) -> Any:
        indices, keys, values = apply_op(
            "BarrierTakeMany", name or f"{self._name}_BarrierTakeMany", handle=self._barrier_ref, num_elements=num_elements, component_types=self._types,
            allow_small_batch=allow_small_batch, timeout_ms=-1 if timeout is None else timeout,
        )  # fmt: skip
        for tensor, shape in zip(values, self._shapes, strict=True):
            tensor.set_shape(TensorShape([None]).concatenate(shape))
        return indices, keys, values

    def close(self, cancel_pending_enqueues: bool = False, name: str | None = None) -> Any:
        return apply_op(
            "BarrierClose", name or f"{self._name}_BarrierClose", handle=self._barrier_ref, cancel_pending_enqueues=cancel_pending_enqueues
        )

    def ready_size(self, name: str | None = None) -> Any:
        return apply_op("BarrierReadySize", name or f"{self._name}_BarrierReadySize", handle=self._barrier_ref)

    def incomplete_size(self, name: str | None = None) -> Any:
        return apply_op("BarrierIncompleteSize", name or f"{self._name}_BarrierIncompleteSize", handle=self._barrier_ref)


@export("ConditionalAccumulatorBase")
class ConditionalAccumulatorBase:
    """Gathers gradients until enough of them are there."""

    def __init__(self, dtype: Any, shape: Any, accumulator_ref: Any) -> None:
        self._dtype, self._shape = as_dtype(dtype), TensorShape(shape)
        self._accumulator_ref = accumulator_ref

        self._name = accumulator_ref.op.name.split("/")[-1]
        self._prefix = "Resource" if accumulator_ref.dtype is resource else ""

    accumulator_ref = property(lambda self: self._accumulator_ref)
    dtype = property(lambda self: self._dtype)
    name = property(lambda self: self._name)

    def num_accumulated(self, name: str | None = None) -> Any:
        return apply_op(f"{self._prefix}AccumulatorNumAccumulated", name or f"{self.name}_NumAccumulated", handle=self._accumulator_ref)

    def set_global_step(self, new_global_step: Any, name: str | None = None) -> Any:
        step = math_ops.cast(convert_to_tensor(new_global_step), int64)
        return apply_op(
            f"{self._prefix}AccumulatorSetGlobalStep",
            name or f"{self.name}_SetGlobalStep",
            handle=self._accumulator_ref,
            new_global_step=step,
        )


def _check_reduction(reduction_type: str) -> None:
    if reduction_type not in ("MEAN", "SUM"):
        raise ValueError(f"reduction_type must be MEAN or SUM, not {reduction_type!r}.")


@export("ConditionalAccumulator")
class ConditionalAccumulator(ConditionalAccumulatorBase):
    """Of dense gradients."""

    def __init__(
        self,
        dtype: Any,
        shape: Any = None,
        shared_name: str | None = None,
        name: str = "conditional_accumulator",
        reduction_type: str = "MEAN",
    ) -> None:
        _check_reduction(reduction_type)
        ref = apply_op(
            "ResourceConditionalAccumulator",
            name,
            dtype=as_dtype(dtype),
            shape=TensorShape(shape),
            shared_name=shared_name,
            reduction_type=reduction_type,
        )
        super().__init__(dtype, shape, ref)

    def apply_grad(self, grad: Any, local_step: Any = 0, name: str | None = None) -> Any:
        grad = convert_to_tensor(grad, self._dtype)
        grad.shape.assert_is_compatible_with(self._shape)
        step = math_ops.cast(convert_to_tensor(local_step), int64)
        return apply_op("ResourceAccumulatorApplyGradient", name, handle=self._accumulator_ref, local_step=step, gradient=grad)

    def take_grad(self, num_required: Any, name: str | None = None) -> Any:
        found = apply_op(
            "ResourceAccumulatorTakeGradient", name, handle=self._accumulator_ref, num_required=num_required, dtype=self._dtype
        )
        found.set_shape(self._shape)
        return found


@export("SparseConditionalAccumulator", "sparse.SparseConditionalAccumulator")
class SparseConditionalAccumulator(ConditionalAccumulatorBase):
    """Of gradients that are slices."""

    def __init__(
        self,
        dtype: Any,
        shape: Any = None,
        shared_name: str | None = None,
        name: str = "sparse_conditional_accumulator",
        reduction_type: str = "MEAN",
    ) -> None:
        _check_reduction(reduction_type)
        ref = apply_op(
            "SparseConditionalAccumulator",
            name,
            dtype=as_dtype(dtype),
            shape=TensorShape(shape),
            shared_name=shared_name,
            reduction_type=reduction_type,
        )
        super().__init__(dtype, shape, ref)

    def apply_indexed_slices_grad(self, grad: Any, local_step: Any = 0, name: str | None = None) -> Any:
        return self.apply_grad(grad.indices, grad.values, grad.dense_shape, local_step, name)

    def apply_grad(self, grad_indices: Any, grad_values: Any, grad_shape: Any = None, local_step: Any = 0, name: str | None = None) -> Any:
        step = math_ops.cast(convert_to_tensor(local_step), int64)
        return apply_op(
            "SparseAccumulatorApplyGradient", name, handle=self._accumulator_ref, local_step=step, gradient_indices=math_ops.cast(convert_to_tensor(grad_indices), int64),
            gradient_values=grad_values, gradient_shape=math_ops.cast(convert_to_tensor([] if grad_shape is None else grad_shape, int64), int64),
            has_known_shape=grad_shape is not None,
        )  # fmt: skip

    def take_grad(self, num_required: Any, name: str | None = None) -> Any:
        return apply_op("SparseAccumulatorTakeGradient", name, handle=self._accumulator_ref, num_required=num_required, dtype=self._dtype)

    def take_indexed_slices_grad(self, num_required: Any, name: str | None = None) -> IndexedSlices:
        indices, values, shape = self.take_grad(num_required, name)
        return IndexedSlices(values, indices, shape)


class _BaseStagingArea:
    """What the staging areas share."""

    def __init__(self, dtypes: Any, shapes: Any, names: Any, shared_name: str | None, capacity: int, memory_limit: int) -> None:
        graph = get_default_graph()
        self._name = shared_name or graph.unique_name(type(self).__name__)
        self._dtypes = _dtypes(dtypes)
        self._shapes = [TensorShape(s) for s in shapes] if shapes is not None else [TensorShape(None) for _ in self._dtypes]
        if len(self._shapes) != len(self._dtypes):
            raise ValueError("StagingArea shapes must be the same length as dtypes")
        self._names = _names(names, self._dtypes)
        self._capacity, self._memory_limit = capacity, memory_limit
        with graph.name_scope(f"{self._name}_root"):
            self._root = no_op()  # all ops of the area are colocated with it

    name = property(lambda self: self._name)
    dtypes = property(lambda self: self._dtypes)
    shapes = property(lambda self: self._shapes)
    names = property(lambda self: self._names)
    capacity = property(lambda self: self._capacity)
    memory_limit = property(lambda self: self._memory_limit)

    def _apply(self, op_type: str, name: str | None, **arguments: Any) -> Any:
        with get_default_graph().colocate_with(self._root):
            return apply_op(op_type, name, **arguments)

    def _attrs(self, dtypes: Any = None) -> dict[str, Any]:
        return {
            "dtypes": self._dtypes if dtypes is None else dtypes,
            "shared_name": self._name,
            "capacity": self._capacity,
            "memory_limit": self._memory_limit,
        }

    def _values(self, vals: Any, indices: Any = None) -> tuple[list[Any], list[int]]:
        """The tensors to put and which components they are."""
        if isinstance(vals, dict):
            if not self._names:
                raise ValueError("Staging areas must have names to enqueue a dictionary")
            unknown = set(vals) - set(self._names)
            if unknown:
                raise ValueError(
                    f"Keys in dictionary to put do not match names of staging area. Dictionary: ({sorted(vals)})Queue: ({sorted(self._names)})"
                )
            positions = [i for i, n in enumerate(self._names) if n in vals]
            values = [vals[self._names[i]] for i in positions]
        else:
            if self._names:
                raise ValueError("You must enqueue a dictionary in a staging area with names")
            values = _as_list(vals)
            positions = list(range(len(values))) if indices is None else list(indices)
        if len(values) != len(positions):
            raise ValueError(f"Unexpected number of inputs {len(values)} vs {len(positions)}")
        tensors = []
        for value, i in zip(values, positions, strict=True):
            tensor = convert_to_tensor(value, self._dtypes[i], name=f"component_{i}")
            tensor.shape.assert_is_compatible_with(self._shapes[i])
            tensors.append(tensor)
        return tensors, positions

    def _got(self, tensors: Any, positions: Any) -> Any:
        for tensor, i in zip(tensors, positions, strict=True):
            tensor.set_shape(self._shapes[i])
        if self._names:
            return {self._names[i]: t for t, i in zip(tensors, positions, strict=True)}
        return tensors


class StagingArea(_BaseStagingArea):
    """A place for the values of the next step."""

    def __init__(
        self, dtypes: Any, shapes: Any = None, names: Any = None, shared_name: str | None = None, capacity: int = 0, memory_limit: int = 0
    ) -> None:
        super().__init__(dtypes, shapes, names, shared_name, capacity, memory_limit)

    def put(self, values: Any, name: str | None = None) -> Any:
        with name_scope(name, f"{self._name}_put", values if isinstance(values, list | tuple) else ()) as scope:
            tensors, positions = self._values(values)
            if len(positions) != len(self._dtypes):
                raise ValueError(f"Unexpected number of inputs {len(tensors)} vs {len(self._dtypes)}")
            attrs = self._attrs()
            del attrs["dtypes"]
            return self._apply("Stage", scope, values=tensors, **attrs)

    def _take(self, op_type: str, label: str, name: str | None, **inputs: Any) -> Any:
        found = self._apply(op_type, name or f"{self._name}_{label}", **inputs, **self._attrs())
        return self._got(found, range(len(self._dtypes)))

    def get(self, name: str | None = None) -> Any:
        return self._take("Unstage", "get", name)

    def peek(self, index: Any, name: str | None = None) -> Any:
        return self._take("StagePeek", "peek", name, index=index)

    def size(self, name: str | None = None) -> Any:
        return self._apply("StageSize", name or f"{self._name}_size", **self._attrs())

    def clear(self, name: str | None = None) -> Any:
        return self._apply("StageClear", name or f"{self._name}_clear", **self._attrs())


class MapStagingArea(_BaseStagingArea):
    """A staging area of keyed values."""

    def __init__(
        self,
        dtypes: Any,
        shapes: Any = None,
        names: Any = None,
        shared_name: str | None = None,
        ordered: bool = False,
        capacity: int = 0,
        memory_limit: int = 0,
    ) -> None:
        super().__init__(dtypes, shapes, names, shared_name, capacity, memory_limit)
        self._op = "OrderedMap" if ordered else "Map"

    def put(self, key: Any, vals: Any, indices: Any = None, name: str | None = None) -> Any:
        with name_scope(name, f"{self._name}_put") as scope:
            tensors, positions = self._values(vals, indices)
            where = convert_to_tensor(positions, int32, name="indices")
            attrs = self._attrs(self._dtypes)
            return self._apply(f"{self._op}Stage", scope, key=convert_to_tensor(key, int64), indices=where, values=tensors, **attrs)

    def _positions(self, indices: Any) -> list[int]:
        if indices is None:
            return list(range(len(self._dtypes)))
        if all(isinstance(i, str) for i in indices):
            if self._names is None:
                raise ValueError(f"String indices provided '{indices}', but this Staging Area was not created with names.")
            return [self._names.index(i) for i in indices]
        return [int(i) for i in indices]

    def _take(self, op_type: str, label: str, key: Any, indices: Any, name: str | None) -> Any:
        positions = self._positions(indices)
        where = convert_to_tensor(positions, int32, name="indices")
        given = {} if key is None else {"key": convert_to_tensor(key, int64)}
        found = self._apply(
            f"{self._op}{op_type}",
            name or f"{self._name}_{label}",
            **given,
            indices=where,
            **self._attrs([self._dtypes[i] for i in positions]),
        )
        if key is None:
            return found[0], self._got(found[1], positions)
        return self._got(found, positions)

    def peek(self, key: Any, indices: Any = None, name: str | None = None) -> Any:
        return self._take("Peek", "pop", key, indices, name)

    def get(self, key: Any = None, indices: Any = None, name: str | None = None) -> Any:
        if key is None:
            return self._take("UnstageNoKey", "get_nokey", None, indices, name)
        return key, self._take("Unstage", "get", key, indices, name)

    def size(self, name: str | None = None) -> Any:
        return self._apply(f"{self._op}Size", name or f"{self._name}_size", **self._attrs())

    def incomplete_size(self, name: str | None = None) -> Any:
        return self._apply(f"{self._op}IncompleteSize", name or f"{self._name}_incomplete_size", **self._attrs())

    def clear(self, name: str | None = None) -> Any:
        return self._apply(f"{self._op}Clear", name or f"{self._name}_clear", **self._attrs())


export("contrib.staging.StagingArea", "python.ops.data_flow_ops.StagingArea")(StagingArea)
export("contrib.framework.python.ops.Barrier", "python.ops.data_flow_ops.Barrier")(Barrier)
export("python.ops.data_flow_ops.MapStagingArea")(MapStagingArea)
