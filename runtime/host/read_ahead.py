"""Iterators of datasets that work ahead of their reader in threads."""

from __future__ import annotations

import math
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from runtime.errors import OpError, OutOfRangeError
from runtime.host.datasets import Mapped, Rows
from runtime.host.rows import Row

# A function that takes less than this is called in place: handing it to a thread would cost more than it gains.
_WORTH_A_THREAD_SECONDS = 1e-3
_TIMED_CALLS = 4


class ParallelMapped(Mapped):
    """Rows through a function, in their order, several of them at a time once the function has shown that it takes long."""

    __slots__ = ("_calls", "_is_done", "_limit", "_pending", "_pool", "_seconds")

    def __init__(self, source: Rows, apply: Callable[[Row], Row], limit: int, keeps_cardinality: bool = False) -> None:
        super().__init__(source, apply, keeps_cardinality)
        self._limit = limit
        self._calls, self._seconds = 0, math.inf
        self._pool: ThreadPoolExecutor | None = None
        self._pending: deque[Future[Row]] = deque()
        self._is_done = False

    def __next__(self) -> Row:
        if self._pool is None:
            start = time.perf_counter()
            made = super().__next__()
            self._calls += 1  # the fastest counts: the first call plans the function
            self._seconds = min(self._seconds, time.perf_counter() - start)
            if self._calls == _TIMED_CALLS and self._seconds > _WORTH_A_THREAD_SECONDS and self._limit > 1:
                self._pool = ThreadPoolExecutor(self._limit, "tfrevive-map")
                weakref.finalize(self, self._pool.shutdown, wait=False, cancel_futures=True)
            return made
        while not self._is_done and len(self._pending) < self._limit:
            try:
                self._pending.append(self._pool.submit(self._apply, next(self._source)))
            except StopIteration:
                self._is_done = True
            except OpError as e:  # comes out where its row would have
                failed: Future[Row] = Future()
                failed.set_exception(e)
                self._pending.append(failed)
        if not self._pending:
            raise StopIteration
        try:
            return self._pending.popleft().result()
        except OutOfRangeError as e:
            raise self._end(e) from e


class Prefetched:
    """Rows made by a thread ahead of time, up to `size` of them, once the source has shown that it takes long."""

    __slots__ = ("__weakref__", "_calls", "_pending", "_pool", "_seconds", "_size", "_source")

    def __init__(self, source: Rows, size: int) -> None:
        self._source = source
        self._size = size
        self._calls, self._seconds = 0, math.inf
        self._pool: ThreadPoolExecutor | None = None
        self._pending: deque[Future[Row]] = deque()

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> Row:
        if self._pool is None:
            start = time.perf_counter()
            row = next(self._source)
            self._calls += 1
            self._seconds = min(self._seconds, time.perf_counter() - start)
            if self._calls == _TIMED_CALLS and self._seconds > _WORTH_A_THREAD_SECONDS:
                self._pool = ThreadPoolExecutor(1, "tfrevive-prefetch")  # one thread: the rows keep their order
                weakref.finalize(self, self._pool.shutdown, wait=False, cancel_futures=True)
            return row
        row_or_end = self._pending.popleft().result if self._pending else None
        while len(self._pending) < self._size:
            self._pending.append(self._pool.submit(self._source.__next__))
        return row_or_end() if row_or_end is not None else self._pending.popleft().result()
