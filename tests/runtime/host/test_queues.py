"""Queues under threads: blocking, closing and cancelling."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fake_run import FakeRun

from graphtools.dtypes import int32
from runtime.errors import CancelledError, InvalidArgumentError, OutOfRangeError
from runtime.host.queues import Queue, ShuffleQueue


def row(number: int) -> tuple[Any]:
    return (np.array(number, np.int32),)


class Background:
    """A call in a thread, and what came of it."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(call,))
        self._thread.start()

    def _run(self, call: Callable[[], Any]) -> None:
        try:
            self.result = call()
        except BaseException as e:
            self.error = e

    def is_waiting(self) -> bool:
        self._thread.join(0.05)
        return self._thread.is_alive()

    def finish(self) -> Any:
        self._thread.join(5)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error
        return self.result


def test_enqueue_waits_for_room() -> None:
    run, queue = FakeRun(), Queue("q", [int32], [()], 2)
    queue.enqueue_many(run, [np.arange(2, dtype=np.int32)])
    waiting = Background(lambda: queue.enqueue(run, row(2)))
    assert waiting.is_waiting()
    assert queue.dequeue(run)[0] == 0
    waiting.finish()
    assert queue.dequeue_many(run, 2)[0].tolist() == [1, 2]


def test_enqueue_many_fills_up_as_rows_are_taken() -> None:
    run, queue = FakeRun(), Queue("q", [int32], [()], 2)
    waiting = Background(lambda: queue.enqueue_many(run, [np.arange(7, dtype=np.int32)]))
    assert queue.dequeue_many(run, 6)[0].tolist() == [0, 1, 2, 3, 4, 5]
    waiting.finish()
    assert len(queue) == 1


def test_dequeue_waits_and_the_first_to_wait_is_served_first() -> None:
    run, queue = FakeRun(), Queue("q", [int32], [()], 10)
    first = Background(lambda: queue.dequeue_many(run, 2))
    assert first.is_waiting()
    second = Background(lambda: queue.dequeue(run))
    assert second.is_waiting()
    queue.enqueue_many(run, [np.arange(3, dtype=np.int32)])
    assert first.finish()[0].tolist() == [0, 1]
    assert second.finish()[0] == 2


def test_close_lets_pending_enqueues_finish() -> None:
    run, queue = FakeRun(), Queue("q", [int32], [()], 1)
    queue.enqueue(run, row(0))
    waiting = Background(lambda: queue.enqueue(run, row(1)))
    assert waiting.is_waiting()
    closing = Background(lambda: queue.close(run))
    assert closing.is_waiting() and not queue.is_closed
    assert queue.dequeue(run)[0] == 0
    waiting.finish()
    closing.finish()
    assert queue.dequeue(run)[0] == 1
    with pytest.raises(OutOfRangeError, match="FIFOQueue 'q' is closed and has insufficient elements \\(requested 1, current size 0\\)"):
        queue.dequeue(run)


def test_close_cancels_pending_enqueues_when_told() -> None:
    run, queue = FakeRun(), Queue("q", [int32], [()], 1)
    queue.enqueue(run, row(0))
    waiting = Background(lambda: queue.enqueue(run, row(1)))
    assert waiting.is_waiting()
    queue.close(run, cancel_pending_enqueues=True)
    with pytest.raises(CancelledError, match="Enqueue operation was cancelled"):
        waiting.finish()
    assert queue.dequeue(run)[0] == 0


def test_close_wakes_a_dequeue_that_waits() -> None:
    run, queue = FakeRun(), Queue("q", [int32], [()], 9)
    queue.enqueue(run, row(0))
    waiting = Background(lambda: queue.dequeue_many(run, 3))
    assert waiting.is_waiting()
    queue.close(run)
    with pytest.raises(OutOfRangeError, match="requested 2, current size 0"):
        waiting.finish()
    assert queue.dequeue(run)[0] == 0  # what the batch had taken came back


def test_a_closing_session_cancels_those_who_wait() -> None:
    run, queue = FakeRun(), Queue("q", [int32], [()], 1)
    dequeue = Background(lambda: queue.dequeue(run))
    assert dequeue.is_waiting()
    run.cancelled.set()
    with pytest.raises(CancelledError, match="Dequeue operation was cancelled"):
        dequeue.finish()
    other = FakeRun()
    queue.enqueue(other, row(5))
    enqueue = Background(lambda: queue.enqueue(other, row(6)))
    assert enqueue.is_waiting()
    other.cancelled.set()
    with pytest.raises(CancelledError, match="Enqueue operation was cancelled"):
        enqueue.finish()
    assert queue.dequeue(FakeRun())[0] == 5


def test_many_threads_lose_and_double_nothing() -> None:
    run, queue = FakeRun(), ShuffleQueue("q", [int32], [()], 20, 5, (3, 4))
    taken: list[int] = []

    def consume() -> None:
        try:
            while True:
                taken.append(int(queue.dequeue(run)[0]))
        except OutOfRangeError:
            pass

    producers = [Background(lambda start=start: [queue.enqueue(run, row(i)) for i in range(start, start + 100)]) for start in (0, 100, 200)]
    consumers = [Background(consume) for _ in range(3)]
    for producer in producers:
        producer.finish()
    queue.close(run)
    for consumer in consumers:
        consumer.finish()
    assert sorted(taken) == list(range(300))


def test_shuffle_queue_keeps_its_minimum() -> None:
    run, queue = FakeRun(), ShuffleQueue("q", [int32], [()], 20, 3, (3, 4))
    queue.enqueue_many(run, [np.arange(5, dtype=np.int32)])
    queue.dequeue_many(run, 2)
    waiting = Background(lambda: queue.dequeue(run))
    assert waiting.is_waiting()
    queue.enqueue(run, row(9))
    waiting.finish()


def test_what_was_fed_may_change_afterwards() -> None:
    run, queue = FakeRun(), Queue("q", [int32], [(2,)], 9)
    fed = np.zeros((2, 2), np.int32)
    queue.enqueue_many(run, [fed])
    queue.enqueue(run, (fed[0],))
    fed[:] = 7
    assert queue.dequeue_many(run, 3)[0].tolist() == [[0, 0]] * 3


def test_a_batch_needs_shapes() -> None:
    queue = Queue("q", [int32], [], 2)
    with pytest.raises(InvalidArgumentError, match="require the components to have specified shapes"):
        queue.dequeue_many(FakeRun(), 1)


@pytest.mark.slow
def test_speed_of_a_queue() -> None:
    run, queue = FakeRun(), Queue("q", [int32], [()], 100_000)
    start = time.perf_counter()
    queue.enqueue_many(run, [np.arange(20_000, dtype=np.int32)])
    queue.dequeue_many(run, 20_000)
    assert time.perf_counter() - start < 2
