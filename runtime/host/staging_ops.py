"""Staging areas, barriers and gradient accumulators: what several threads of a session hand to each other besides queues."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphtools.dtypes import DType
from graphtools.graph import Dims, Node
from runtime.errors import CancelledError, InvalidArgumentError, OutOfRangeError
from runtime.host import Run, host, rows
from runtime.host.queues import resource_name, wait_until
from runtime.host.rows import Array, Row

# -- staging areas -----------------------------------------------------------------------------------------------


def _bytes_of(row: Sequence[Any]) -> int:
    return sum(v.nbytes for v in row if isinstance(v, np.ndarray))


class StagingArea:
    """A buffer of tuples, bounded in number and in bytes."""

    def __init__(self, capacity: int, memory_limit: int) -> None:
        self.capacity = capacity
        self.memory_limit = memory_limit
        self.rows: deque[Row] = deque()
        self.bytes = 0
        self.changed = threading.Condition()

    def put(self, run: Run, row: Row) -> None:
        size = _bytes_of(row)
        _check_memory(size, self.memory_limit)
        with self.changed:
            wait_until(self.changed, lambda: self._has_room(size), run, "Stage operation was cancelled")
            self.rows.append(rows.kept(row))
            self.bytes += size
            self.changed.notify_all()

    def _has_room(self, size: int) -> bool:
        return (self.capacity <= 0 or len(self.rows) < self.capacity) and (self.memory_limit <= 0 or self.bytes + size <= self.memory_limit)

    def get(self, run: Run) -> Row:
        with self.changed:
            wait_until(self.changed, lambda: bool(self.rows), run, "Unstage operation was cancelled")
            row = self.rows.popleft()
            self.bytes -= _bytes_of(row)
            self.changed.notify_all()
            return row

    def peek(self, run: Run, index: int) -> Row:
        with self.changed:
            wait_until(self.changed, lambda: index < len(self.rows), run, "StagePeek operation was cancelled")
            return self.rows[index]

    def clear(self) -> None:
        with self.changed:
            self.rows.clear()
            self.bytes = 0
            self.changed.notify_all()


def _check_memory(size: int, limit: int) -> None:
    if 0 < limit < size:
        raise InvalidArgumentError(
            None,
            None,
            f"Attempted to insert tensors with combined size of '{size}' bytes into Staging Area with a memory limit of '{limit}'.",
        )


def _staging_area(run: Run, node: Node) -> StagingArea:
    return run.resource(node, lambda: StagingArea(node.attr["capacity"], node.attr["memory_limit"]))


@host("Stage")
def stage(run: Run, node: Node, *values: Any) -> tuple[()]:
    _staging_area(run, node).put(run, values)
    return ()


@host("Unstage")
def unstage(run: Run, node: Node) -> Row:
    return _staging_area(run, node).get(run)


@host("StagePeek")
def stage_peek(run: Run, node: Node, index: Array) -> Row:
    return _staging_area(run, node).peek(run, int(index))


@host("StageSize")
def stage_size(run: Run, node: Node) -> Array:
    return np.array(len(_staging_area(run, node).rows), np.int32)


@host("StageClear")
def stage_clear(run: Run, node: Node) -> tuple[()]:
    _staging_area(run, node).clear()
    return ()


class StagingMap:
    """A staging area by key, whose tuples may be put in part by part. `is_ordered`: the lowest key comes out first."""

    def __init__(self, capacity: int, memory_limit: int, width: int, is_ordered: bool) -> None:
        self.capacity = capacity
        self.memory_limit = memory_limit
        self.width = width
        self.is_ordered = is_ordered
        self.complete: dict[int, list[Any]] = {}
        self.incomplete: dict[int, list[Any]] = {}
        self.bytes = 0
        self.changed = threading.Condition()

    def put(self, run: Run, key: int, indices: Sequence[int], values: Sequence[Any]) -> None:
        size = _bytes_of(values)
        _check_memory(size, self.memory_limit)
        for i in indices:
            if not 0 <= i < self.width:
                raise InvalidArgumentError(None, None, f"Index '{i}' for key '{key}' is out of bounds '{self.width}'.")
        with self.changed:
            if len(indices) == self.width and key not in self.incomplete and key in self.complete:
                raise InvalidArgumentError(None, None, f"The staging area already holds a tuple of key '{key}'.")
            wait_until(self.changed, lambda: self._has_room(size), run, "MapStage operation was cancelled")
            parts = self.incomplete.setdefault(key, [None] * self.width)
            for i, value in zip(indices, values, strict=True):
                if parts[i] is not None:
                    raise InvalidArgumentError(
                        None, None, f"The tensor for index '{i}' for key '{key}' was already initialized '{self.width}'."
                    )
                (parts[i],) = rows.kept((value,))
            self.bytes += size
            if all(p is not None for p in parts):
                self.complete[key] = self.incomplete.pop(key)
            self.changed.notify_all()

    def _has_room(self, size: int) -> bool:
        return (self.capacity <= 0 or len(self.complete) < self.capacity) and (
            self.memory_limit <= 0 or self.bytes + size <= self.memory_limit
        )

    def get(self, run: Run, key: int | None, indices: Sequence[int], remove: bool) -> tuple[int, list[Any]]:
        """Parts `indices` of the tuple of `key`, or of the first tuple. A tuple whose parts were all taken is gone."""
        with self.changed:
            wait_until(
                self.changed,
                lambda: bool(self.complete) if key is None else key in self.complete,
                run,
                "MapUnstage operation was cancelled",
            )
            if key is None:
                key = min(self.complete) if self.is_ordered else next(iter(self.complete))
            parts = self.complete[key]
            taken = []
            for i in indices:
                if not 0 <= i < self.width or parts[i] is None:
                    raise InvalidArgumentError(None, None, f"Tensor at index '{i}' for key '{key}' has already been removed.")
                taken.append(parts[i])
            if remove:
                for i in indices:
                    parts[i] = None
                self.bytes -= _bytes_of(taken)
                if all(p is None for p in parts):
                    del self.complete[key]
                self.changed.notify_all()
            return key, taken

    def clear(self) -> None:
        with self.changed:
            self.complete.clear()
            self.incomplete.clear()
            self.bytes = 0
            self.changed.notify_all()


def _staging_map(run: Run, node: Node) -> StagingMap:
    a = node.attr
    return run.resource(node, lambda: StagingMap(a["capacity"], a["memory_limit"], len(a["dtypes"]), node.op.startswith("Ordered")))


@host("MapStage", "OrderedMapStage")
def map_stage(run: Run, node: Node, key: Array, indices: Array, *values: Any) -> tuple[()]:
    _staging_map(run, node).put(run, int(key), indices.tolist(), values)
    return ()


@host("MapUnstage", "OrderedMapUnstage")
def map_unstage(run: Run, node: Node, key: Array, indices: Array) -> Row:
    return tuple(_staging_map(run, node).get(run, int(key), indices.tolist(), True)[1])


@host("MapPeek", "OrderedMapPeek")
def map_peek(run: Run, node: Node, key: Array, indices: Array) -> Row:
    return tuple(_staging_map(run, node).get(run, int(key), indices.tolist(), False)[1])


@host("MapUnstageNoKey", "OrderedMapUnstageNoKey")
def map_unstage_no_key(run: Run, node: Node, indices: Array) -> Row:
    key, values = _staging_map(run, node).get(run, None, indices.tolist(), True)
    return (np.array(key, np.int64), *values)


@host("MapSize", "OrderedMapSize")
def map_size(run: Run, node: Node) -> Array:
    return np.array(len(_staging_map(run, node).complete), np.int32)


@host("MapIncompleteSize", "OrderedMapIncompleteSize")
def map_incomplete_size(run: Run, node: Node) -> Array:
    return np.array(len(_staging_map(run, node).incomplete), np.int32)


@host("MapClear", "OrderedMapClear")
def map_clear(run: Run, node: Node) -> tuple[()]:
    _staging_map(run, node).clear()
    return ()


# -- barriers ----------------------------------------------------------------------------------------------------


class Barrier:
    """Tuples put together by key from parts that come separately; complete ones are taken in the order they were begun."""

    def __init__(self, name: str, types: Sequence[DType], shapes: Sequence[Dims]) -> None:
        self.name = name
        self.types = types
        self.shapes = shapes
        self.incomplete: dict[bytes, tuple[int, list[Any]]] = {}
        self.ready: list[tuple[int, bytes, list[Any]]] = []
        self.is_closed = False
        self._is_cancelled = False
        self._index = -(1 << 63)
        self._changed = threading.Condition()

    def insert_many(self, component: int, keys: Sequence[bytes], values: Array) -> None:
        if values.ndim == 0 or len(values) != len(keys):
            raise InvalidArgumentError(
                None, None, f"Barrier {self.name}: {len(keys)} keys were given values of shape {rows.shape_text(values.shape)}."
            )
        if not 0 <= component < len(self.types):
            raise InvalidArgumentError(None, None, f"The component ID is out of range {component} > num_components (={len(self.types)})")
        if self.shapes and not rows.is_compatible(values.shape[1:], self.shapes[component]):
            raise InvalidArgumentError(
                None, None,
                f"Shape mismatch in tuple component {component}. Expected {rows.shape_text((len(keys), *(self.shapes[component] or ())))}, "
                f"got {rows.shape_text(values.shape)}",
            )  # fmt: skip
        with self._changed:
            if self._is_cancelled:
                raise CancelledError(None, None, f"Barrier {self.name} is closed.  Pending enqueues cancelled: 1.")
            has_new = False
            for i, key in enumerate(keys):
                has_new |= self._insert(component, key, rows.take(values, i).copy())
            if has_new:
                self._index += 1
            self._changed.notify_all()

    def _insert(self, component: int, key: bytes, value: Any) -> bool:
        entry = self.incomplete.get(key)
        is_new = entry is None
        if entry is None:
            if self.is_closed:
                raise CancelledError(
                    None, None,
                    f"Barrier {self.name} is closed, but attempted to insert a brand new key: {key.decode('utf-8', 'replace')}.  "
                    f"Pending enqueues cancelled: {int(self._is_cancelled)}.  Insertion index: {component}.  "
                    f"Number of incomplete keys: {len(self.incomplete)}.",
                )  # fmt: skip
            entry = self.incomplete[key] = (self._index, [None] * len(self.types))
        parts = entry[1]
        if parts[component] is not None:
            raise InvalidArgumentError(
                None, None, f"Key {key.decode('utf-8', 'replace')} already has a value for component {component} in barrier {self.name}"
            )
        parts[component] = value
        if all(p is not None for p in parts):
            del self.incomplete[key]
            self.ready.append((entry[0], key, parts))
        return is_new

    def take_many(self, run: Run, count: int, allow_small_batch: bool) -> list[tuple[int, bytes, list[Any]]]:
        with self._changed:
            wait_until(
                self._changed,
                lambda: len(self.ready) >= count or self._cannot_grow(allow_small_batch),
                run,
                "Dequeue operation was cancelled",
            )
            have = len(self.ready)
            wanted = min(count, have) if allow_small_batch and self.is_closed else count
            if have < wanted or (wanted == 0 and count > 0):
                raise OutOfRangeError(
                    None, None, f"Barrier '{self.name}' is closed and has insufficient elements (requested {wanted}, total size {have})"
                )
            self.ready.sort(key=lambda entry: entry[0])
            taken = self.ready[:wanted]
            del self.ready[:wanted]
            return taken

    def _cannot_grow(self, allow_small_batch: bool) -> bool:
        return self.is_closed and (allow_small_batch or self._is_cancelled or not self.incomplete)

    def close(self, cancel_pending_enqueues: bool) -> None:
        with self._changed:
            if self.is_closed and not (cancel_pending_enqueues and not self._is_cancelled):
                raise CancelledError(None, None, f"Barrier '{self.name}' is already closed.")
            self.is_closed = True
            self._is_cancelled = cancel_pending_enqueues
            if cancel_pending_enqueues:
                self.incomplete.clear()
            self._changed.notify_all()


@host("Barrier")
def barrier(run: Run, node: Node) -> Barrier:
    return run.resource(node, lambda: Barrier(resource_name(node), node.attr["component_types"], node.attr["shapes"]))


@host("BarrierInsertMany")
def barrier_insert_many(run: Run, node: Node, handle: Barrier, keys: Array, values: Array) -> tuple[()]:
    handle.insert_many(node.attr["component_index"], keys.tolist(), values)
    return ()


@host("BarrierTakeMany")
def barrier_take_many(run: Run, node: Node, handle: Barrier, count: Array) -> Row:
    taken = handle.take_many(run, int(count), node.attr["allow_small_batch"])
    indices = np.array([t[0] for t in taken], np.int64)
    if not taken:
        columns = [rows.empty(t, s) for t, s in zip(handle.types, handle.shapes or [()] * len(handle.types), strict=True)]
    else:
        columns = [rows.stack([t[2][c] for t in taken]) for c in range(len(handle.types))]
    return (indices, rows.texts(t[1] for t in taken), *columns)


@host("BarrierClose")
def barrier_close(run: Run, node: Node, handle: Barrier) -> tuple[()]:
    handle.close(node.attr["cancel_pending_enqueues"])
    return ()


@host("BarrierReadySize")
def barrier_ready_size(run: Run, node: Node, handle: Barrier) -> Array:
    return np.array(len(handle.ready), np.int32)


@host("BarrierIncompleteSize")
def barrier_incomplete_size(run: Run, node: Node, handle: Barrier) -> Array:
    return np.array(len(handle.incomplete), np.int32)


# -- gradient accumulators ---------------------------------------------------------------------------------------


class Accumulator:
    """Sums gradients that are not older than its global step, until as many as a caller wants have come."""

    def __init__(self, dtype: DType, dims: Dims, reduction: str) -> None:
        self.dtype = dtype
        self.dims = dims
        self.is_mean = reduction == "MEAN"
        self.step = 0
        self.count = 0
        self.changed = threading.Condition()
        self._sum: Any = None

    def apply(self, step: int, gradient: Any) -> None:
        with self.changed:
            if step < self.step:
                return
            self._add(gradient)
            self.count += 1
            self.changed.notify_all()

    def _add(self, gradient: Any) -> None:
        expected = self._sum.shape if self.dims is None and self._sum is not None else self.dims
        if not rows.is_compatible(gradient.shape, expected) or (self._sum is not None and self._sum.shape != gradient.shape):
            raise InvalidArgumentError(
                None, None, f"Shape mismatch: expected {rows.shape_text(expected)}, got {rows.shape_text(gradient.shape)}"
            )
        self._sum = gradient.copy() if self._sum is None else self._sum + gradient

    def take(self, run: Run, wanted: int) -> Any:
        if wanted <= 0:
            raise InvalidArgumentError(None, None, f"Argument num_required must be positive, but was {wanted}")
        with self.changed:
            wait_until(self.changed, lambda: self.count >= wanted, run, "TakeGrad operation was cancelled")
            result = self._result()
            self._sum, self.count = None, 0
            self.step += 1
            return result

    def _result(self) -> Any:
        return (self._sum / self.count).astype(self._sum.dtype) if self.is_mean else self._sum

    def set_step(self, step: int) -> None:
        with self.changed:
            self.step = max(self.step, step)


class SparseAccumulator(Accumulator):
    """Sums slices by index. A mean is over the gradients that had the index."""

    def _add(self, gradient: Any) -> None:
        indices, values, shape = gradient
        if len(indices) == 0 or indices.ndim != 1:
            raise InvalidArgumentError(None, None, "Empty indices, accumulating sparse gradients needs at least one index.")
        if values.ndim == 0 or len(values) != len(indices):
            raise InvalidArgumentError(
                None, None, f"Expected {len(indices)} non-empty input values, got {len(values) if values.ndim else 0}"
            )
        dims = self.dims
        if dims is not None:
            for d in range(1, min(len(dims), values.ndim)):
                if dims[d] is not None and dims[d] != values.shape[d]:
                    raise InvalidArgumentError(
                        None, None, f"Shape mismatch: expected values dim {d} to be {dims[d]}, got {values.shape[d]}"
                    )
            if shape is not None and shape.size and not rows.is_compatible(shape.tolist(), dims):
                raise InvalidArgumentError(
                    None, None, f"Shape mismatch: expected shape {rows.shape_text(dims)}, got {rows.shape_text(shape.tolist())}"
                )
        sums: dict[int, tuple[Array, int]] = self._sum[0] if self._sum is not None else {}
        for i, index in enumerate(indices.tolist()):
            total, count = sums.get(index, (None, 0))
            sums[index] = (values[i] if total is None else total + values[i], count + 1)
        self._sum = (sums, shape if shape is not None and shape.size else None, values.shape[1:])

    def _result(self) -> tuple[Array, Array, Array]:
        sums, shape, inner = self._sum
        order = sorted(sums)
        values = np.array([sums[i][0] / sums[i][1] if self.is_mean else sums[i][0] for i in order], self.dtype.as_numpy_dtype)
        if shape is None:
            shape = np.array([-1 if d is None else d for d in self.dims] if self.dims is not None else (-1, *inner), np.int64)
        return np.array(order, np.int64), values.reshape(len(order), *inner), shape.astype(np.int64)


def _declare_accumulator(kind: type[Accumulator]) -> Callable[[Run, Node], Accumulator]:
    return lambda run, node: run.resource(node, lambda: kind(node.attr["dtype"], node.attr["shape"], node.attr["reduction_type"]))


host("ConditionalAccumulator", "ResourceConditionalAccumulator")(_declare_accumulator(Accumulator))
host("SparseConditionalAccumulator")(_declare_accumulator(SparseAccumulator))


@host("AccumulatorApplyGradient", "ResourceAccumulatorApplyGradient")
def accumulator_apply_gradient(run: Run, node: Node, handle: Accumulator, step: Array, gradient: Array) -> tuple[()]:
    handle.apply(int(step), gradient)
    return ()


@host("SparseAccumulatorApplyGradient")
def sparse_accumulator_apply_gradient(
    run: Run, node: Node, handle: Accumulator, step: Array, indices: Array, values: Array, shape: Array
) -> tuple[()]:
    handle.apply(int(step), (indices, values, shape if node.attr["has_known_shape"] else None))
    return ()


@host("AccumulatorTakeGradient", "ResourceAccumulatorTakeGradient", "SparseAccumulatorTakeGradient")
def accumulator_take_gradient(run: Run, node: Node, handle: Accumulator, wanted: Array) -> Any:
    return handle.take(run, int(wanted))


@host("AccumulatorNumAccumulated", "ResourceAccumulatorNumAccumulated")
def accumulator_num_accumulated(run: Run, node: Node, handle: Accumulator) -> Array:
    return np.array(handle.count, np.int32)


@host("AccumulatorSetGlobalStep", "ResourceAccumulatorSetGlobalStep")
def accumulator_set_global_step(run: Run, node: Node, handle: Accumulator, step: Array) -> tuple[()]:
    handle.set_step(int(step))
    return ()
