"""Queues as TensorFlow defines them: attempts wait in order, and whoever changes a queue carries out all that became possible."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphtools.dtypes import DType
from graphtools.graph import Dims, Node
from runtime.errors import CancelledError, InvalidArgumentError, OpError, OutOfRangeError
from runtime.host import Run, rows
from runtime.host.rows import Array, Row
from runtime.host.single_samples import SingleSamples

# How long a thread sleeps before it looks whether its run was cancelled. What it waits for wakes it at once.
_POLL_SECONDS = 0.1

_NO_PROGRESS, _PROGRESS, _COMPLETE = range(3)

# TensorFlow numbers the resources that have no shared_name through the whole process, and shows the number in its messages.
_NUMBERS = itertools.count()


def resource_name(node: Node) -> str:
    """The name by which TensorFlow's messages call the resource that a node makes."""
    return node.attr.get("shared_name") or f"_{next(_NUMBERS)}_{node.name}"


def wait_until(changed: threading.Condition, is_done: Callable[[], bool], run: Run, cancelled: str) -> None:
    """Wait on a condition that is held. Raises CancelledError with the text `cancelled` when the run ends first."""
    while not is_done():
        changed.wait(_POLL_SECONDS)
        if not is_done():
            try:
                run.check_cancelled()
            except CancelledError as e:
                raise CancelledError(None, None, cancelled) from e


class _Attempt:
    """An enqueue, dequeue or close that may have to wait. `wanted` counts the rows it still lacks, `pending` holds those it has."""

    __slots__ = ("error", "is_done", "pending", "step", "wanted")

    def __init__(self, step: Callable[[_Attempt], int], wanted: int = 0, pending: Sequence[Row] = ()) -> None:
        self.step = step
        self.wanted = wanted
        self.pending = deque(pending)
        self.is_done = False
        self.error: OpError | None = None


class Queue:
    """A first-in first-out queue of rows. `shapes` is empty where the components may have any shape."""

    kind = "FIFOQueue"

    def __init__(self, name: str, types: Sequence[DType], shapes: Sequence[Dims], capacity: int) -> None:
        self.name = name
        self.types = list(types)
        self.shapes = list(shapes)
        self.capacity = capacity if capacity >= 0 else 1 << 31
        self.is_closed = False
        self._rows: Any = deque()
        self._changed = threading.Condition()
        self._enqueues: deque[_Attempt] = deque()
        self._dequeues: deque[_Attempt] = deque()

    def __len__(self) -> int:
        return len(self._rows)

    # -- what the kinds of queue differ in -----------------------------------------------------------------------

    def _push(self, row: Row) -> None:
        self._rows.append(row)

    def _pop(self) -> Row:
        row: Row = self._rows.popleft()
        return row

    def _put_back(self, taken: Sequence[Row]) -> None:
        self._rows.extendleft(reversed(taken))

    def _available(self) -> int:
        return len(self._rows)

    def _has_batch_shapes(self) -> bool:
        return bool(self.shapes)

    def _stack(self, taken: Sequence[Row]) -> list[Array]:
        return [rows.stack(column) for column in zip(*taken, strict=True)]

    # -- operations ----------------------------------------------------------------------------------------------

    def enqueue(self, run: Run, row: Row) -> None:
        self._check(row, False)
        self._carry_out(run, self._enqueues, _Attempt(self._try_enqueue, pending=[rows.kept(row)]), "Enqueue operation was cancelled")

    def enqueue_many(self, run: Run, columns: Sequence[Array]) -> None:
        """Enqueue the slices of the first dimension."""
        rows.check_first_dimension(columns)
        self._check(columns, True)
        self._carry_out(
            run,
            self._enqueues,
            _Attempt(self._try_enqueue, pending=[rows.kept(r) for r in rows.split(columns)]),
            "Enqueue operation was cancelled",
        )

    def dequeue(self, run: Run) -> Row:
        attempt = _Attempt(self._try_dequeue, 1)
        self._carry_out(run, self._dequeues, attempt, "Dequeue operation was cancelled")
        return attempt.pending[0]

    def dequeue_many(self, run: Run, count: int, allow_small_batch: bool = False) -> list[Array]:
        """`count` rows as one batch; with `allow_small_batch` fewer when the queue closes before it has that many."""
        if count < 0:
            raise InvalidArgumentError(None, None, f"Dequeue{'UpTo' if allow_small_batch else 'Many'}Op requested {count} < 0 elements")
        if not self._has_batch_shapes():
            raise InvalidArgumentError(
                None, None, f"{self.kind}'s DequeueMany and DequeueUpTo require the components to have specified shapes."
            )
        if count == 0:
            return [rows.empty(t, s) for t, s in zip(self.types, self.shapes, strict=True)]
        attempt = _Attempt(self._try_dequeue_many if not allow_small_batch else self._try_dequeue_up_to, count)
        self._carry_out(run, self._dequeues, attempt, "Dequeue operation was cancelled")
        return self._stack(attempt.pending)

    def close(self, run: Run, cancel_pending_enqueues: bool = False) -> None:
        """Refuse further enqueues. Those that wait are finished first, or fail with CancelledError if they are to be cancelled."""
        if not cancel_pending_enqueues:
            self._carry_out(run, self._enqueues, _Attempt(self._try_close), "Close operation was cancelled")
            return
        with self._changed:
            self.is_closed = True
            for attempt in self._enqueues:
                attempt.error = CancelledError(None, None, "Enqueue operation was cancelled")
                attempt.is_done = True
            self._enqueues.clear()
            self._flush()
            self._changed.notify_all()

    # -- attempts ------------------------------------------------------------------------------------------------

    def _carry_out(self, run: Run, line: deque[_Attempt], attempt: _Attempt, cancelled: str) -> None:
        with self._changed:
            line.append(attempt)
            self._flush()
            if not attempt.is_done:
                try:
                    wait_until(self._changed, lambda: attempt.is_done, run, cancelled)
                except BaseException:
                    line.remove(attempt)
                    if line is self._dequeues and attempt.pending:
                        self._put_back(attempt.pending)
                    self._flush()
                    raise
        if attempt.error is not None:
            raise attempt.error

    def _flush(self) -> None:
        is_changed, any_done = True, False
        while is_changed:
            is_changed = False
            for line in (self._enqueues, self._dequeues):
                while line:
                    result = line[0].step(line[0])
                    is_changed |= result != _NO_PROGRESS
                    if result != _COMPLETE:
                        break
                    line.popleft().is_done = any_done = True
        if any_done:
            self._changed.notify_all()

    def _try_enqueue(self, attempt: _Attempt) -> int:
        if self.is_closed:
            attempt.error = CancelledError(None, None, f"{self.kind} '{self.name}' is closed.")
            return _COMPLETE
        result = _NO_PROGRESS
        while attempt.pending:
            if len(self._rows) >= self.capacity:
                return result
            self._push(attempt.pending.popleft())
            result = _PROGRESS
        return _COMPLETE

    def _try_close(self, attempt: _Attempt) -> int:
        if self.is_closed:
            attempt.error = CancelledError(None, None, f"Queue '{self.name}' is already closed.")
        self.is_closed = True
        return _COMPLETE

    def _try_dequeue(self, attempt: _Attempt) -> int:
        if self.is_closed and not self._rows:
            attempt.error = self._insufficient(1, 0)
            return _COMPLETE
        if self._available() <= 0:
            return _NO_PROGRESS
        attempt.pending.append(self._pop())
        return _COMPLETE

    def _try_dequeue_many(self, attempt: _Attempt, allow_small_batch: bool = False) -> int:
        size = len(self._rows)
        if self.is_closed and size < attempt.wanted:
            self._put_back(attempt.pending)
            attempt.pending.clear()
            if not (allow_small_batch and self._rows):
                if allow_small_batch and self._enqueues:
                    return _NO_PROGRESS
                attempt.error = self._insufficient(attempt.wanted, size)
                return _COMPLETE
            attempt.wanted = len(self._rows)
        result = _NO_PROGRESS
        for _ in range(min(self._available(), attempt.wanted)):
            attempt.pending.append(self._pop())
            attempt.wanted -= 1
            result = _PROGRESS
        return _COMPLETE if attempt.wanted == 0 else result

    def _try_dequeue_up_to(self, attempt: _Attempt) -> int:
        return self._try_dequeue_many(attempt, True)

    def _insufficient(self, requested: int, size: int) -> OutOfRangeError:
        return OutOfRangeError(
            None,
            None,
            f"{self.kind} '{self.name}' is closed and has insufficient elements (requested {requested}, current size {size})",
        )

    def _check(self, values: Sequence[Any], is_batch: bool) -> None:
        if len(values) != len(self.types):
            raise InvalidArgumentError(
                None,
                None,
                f"Wrong number of components in tuple. Expected {len(self.types)}, got {len(values)}; the queue is '{self.name}'.",
            )
        for i, (value, dims) in enumerate(zip(values, self.shapes, strict=False)):
            if dims is None or not isinstance(value, np.ndarray):
                continue
            shape = value.shape[1:] if is_batch else value.shape
            if not rows.is_compatible(shape, dims):
                expected = (len(value), *dims) if is_batch else dims
                raise InvalidArgumentError(
                    None,
                    None,
                    f"Shape mismatch in tuple component {i}. Expected {rows.shape_text(expected)}, got {rows.shape_text(value.shape)}",
                )


class PaddingQueue(Queue):
    """A first-in first-out queue whose batches are padded to the largest of their rows."""

    kind = "PaddingFIFOQueue"

    def _stack(self, taken: Sequence[Row]) -> list[Array]:
        batch = []
        for column, dims in zip(zip(*taken, strict=True), self.shapes, strict=True):
            if dims is None or None not in dims:
                batch.append(rows.stack(column))
                continue
            sizes = [max(cell.shape[d] for cell in column) if size is None else size for d, size in enumerate(dims)]
            batch.append(rows.stack_padded(column, sizes, rows.blank(column[0].dtype)))
        return batch


class ShuffleQueue(Queue):
    """A queue that gives a random one of its rows, and keeps `minimum` of them as long as it is open."""

    kind = "RandomShuffleQueue"

    def __init__(
        self, name: str, types: Sequence[DType], shapes: Sequence[Dims], capacity: int, minimum: int, seeds: tuple[int, int]
    ) -> None:
        super().__init__(name, types, shapes, capacity)
        self._rows = []
        self._minimum = minimum
        self._random = SingleSamples.seeded(*seeds)

    def _pop(self) -> Row:
        held: list[Row] = self._rows
        index = self._random.next_uint32() % len(held)
        row = held[index]
        held[index] = held[-1]
        held.pop()
        return row

    def _put_back(self, taken: Sequence[Row]) -> None:
        self._rows.extend(reversed(taken))

    def _available(self) -> int:
        return len(self._rows) - (0 if self.is_closed else self._minimum)


class PriorityQueue(Queue):
    """A queue that gives the row with the lowest number in its first component.

    The heap moves its rows as TensorFlow's does, so rows of equal priority come in TensorFlow's order.
    """

    kind = "PriorityQueue"

    def __init__(self, name: str, types: Sequence[DType], shapes: Sequence[Dims], capacity: int) -> None:
        super().__init__(name, types, shapes, capacity)
        self._rows = []

    def _push(self, row: Row) -> None:
        self._rows.append((int(row[0]), row))
        _sift_up(self._rows, len(self._rows) - 1)

    def _pop(self) -> Row:
        heap: list[tuple[int, Row]] = self._rows
        top, last = heap[0], heap.pop()
        if heap:
            hole, half = 0, len(heap)
            while (child := 2 * hole + 2) < half:
                if heap[child][0] > heap[child - 1][0]:
                    child -= 1
                heap[hole] = heap[child]
                hole = child
            if child == half:
                heap[hole] = heap[child - 1]
                hole = child - 1
            heap[hole] = last
            _sift_up(heap, hole)
        return top[1]

    def _put_back(self, taken: Sequence[Row]) -> None:
        for row in taken:
            self._push(row)

    def _has_batch_shapes(self) -> bool:
        return len(self.shapes) == len(self.types)


def _sift_up(heap: list[tuple[int, Row]], hole: int) -> None:
    entry = heap[hole]
    while hole > 0 and heap[parent := (hole - 1) // 2][0] > entry[0]:
        heap[hole] = heap[parent]
        hole = parent
    heap[hole] = entry
