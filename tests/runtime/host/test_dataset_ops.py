"""Datasets called on their own: generators, caches, and iterators that go on after an error."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fake_run import FakeRun, run_op, text

from graphtools.dtypes import int64
from graphtools.graph import Func
from runtime.errors import InvalidArgumentError, OutOfRangeError
from runtime.host.datasets import Context, Dataset

TYPES: dict[str, Any] = {"output_types": [int64], "output_shapes": [()]}


def numbers(run: FakeRun, dataset: Dataset) -> list[int]:
    return [int(row[0]) for row in dataset.iterate(Context(run))]


def count_to(run: FakeRun, stop: int) -> Dataset:
    made: Dataset = run_op(run, "RangeDataset", 0, stop, 1, **TYPES)
    return made


def mapped(function: Callable[..., Any], dataset: Dataset, run: FakeRun) -> Dataset:
    run.functions["f"] = function
    made: Dataset = run_op(run, "MapDataset", dataset, f=Func("f"), Targuments=[], **TYPES)
    return made


def test_generator() -> None:
    events: list[str] = []
    left = {7: [1, 2, 3]}

    def following(state: Any) -> list[Any]:
        if not left[int(state)]:
            raise OutOfRangeError(None, None, "StopIteration: ")
        return [np.array(left[int(state)].pop(0))]

    run = FakeRun(
        {
            "init": lambda: events.append("init") or [np.array(7)],
            "next": following,
            "finalize": lambda state: events.append("finalize") or [state],
        }
    )
    functions = {f"{n}_func": Func(n) for n in ("init", "next", "finalize")}
    none = {f"T{n}_func_args": [] for n in ("init", "next", "finalize")}
    dataset = run_op(run, "GeneratorDataset", **functions, **none, **TYPES)
    assert numbers(run, dataset) == [1, 2, 3]
    assert events == ["init", "finalize"]


def test_an_iterator_goes_on_after_an_error() -> None:
    def fail_at_two(x: Any) -> list[Any]:
        if x == 2:
            raise InvalidArgumentError(None, None, "two")
        return [x]

    run = FakeRun()
    batches = run_op(run, "BatchDataset", mapped(fail_at_two, count_to(run, 7), run), 2, **TYPES)
    rows = batches.iterate(Context(run))
    assert next(rows)[0].tolist() == [0, 1]
    with pytest.raises(InvalidArgumentError, match="two"):
        next(rows)
    assert [row[0].tolist() for row in rows] == [[3, 4], [5, 6]]


def test_a_map_may_end_the_rows() -> None:
    def stop(x: Any) -> list[Any]:
        if x == 3:
            raise OutOfRangeError(None, None, "enough")
        return [x]

    run = FakeRun()
    assert numbers(run, mapped(stop, count_to(run, 9), run)) == [0, 1, 2]


def test_an_iterator_works_for_the_run_that_asks() -> None:
    first, second = FakeRun({"f": lambda x: [x]}), FakeRun({"f": lambda x: [-x]})
    dataset = run_op(first, "MapDataset", count_to(first, 4), f=Func("f"), Targuments=[], **TYPES)
    iterator = run_op(first, "IteratorV2", shared_name="i", container="", **TYPES)
    run_op(first, "MakeIterator", dataset, iterator)
    assert run_op(first, "IteratorGetNext", iterator, **TYPES)[0] == 0
    assert run_op(second, "IteratorGetNext", iterator, **TYPES)[0] == -1
    assert run_op(first, "IteratorGetNext", iterator, **TYPES)[0] == 2


def test_a_cache_reads_its_source_once() -> None:
    seen: list[int] = []
    run = FakeRun()
    dataset = mapped(lambda x: seen.append(int(x)) or [x], count_to(run, 3), run)
    cached = run_op(run, "CacheDataset", dataset, text(b""), **TYPES)
    partial = cached.iterate(Context(run))
    next(partial)
    assert numbers(run, cached) == numbers(run, cached) == [0, 1, 2]
    assert seen == [0, 0, 1, 2]


def test_an_endless_repeat_of_nothing_ends() -> None:
    run = FakeRun()
    endless = run_op(run, "RepeatDataset", count_to(run, 0), -1, **TYPES)
    assert numbers(run, endless) == []
    shuffled = run_op(run, "ShuffleAndRepeatDataset", count_to(run, 0), 5, 1, 2, -1, **TYPES)
    assert numbers(run, shuffled) == []


def test_a_shuffle_gives_every_row_once_for_every_seed() -> None:
    run = FakeRun()
    for seeds in ((0, 0), (1, 2)):
        for size in (1, 3, 50):
            shuffled = run_op(run, "ShuffleDataset", count_to(run, 20), size, *seeds, reshuffle_each_iteration=True, **TYPES)
            passes = [numbers(run, shuffled) for _ in range(3)]
            assert all(sorted(p) == list(range(20)) for p in passes)
            assert size == 1 or passes[0] != passes[1]


@pytest.mark.parametrize(
    ("op", "inputs", "message"),
    [
        ("BatchDataset", (0,), "Batch size must be greater than zero."),
        ("ShuffleDataset", (0, 1, 2), "buffer_size must be greater than zero."),
        ("WindowDataset", (0, 1, 1, False), "Window size must be greater than zero."),
        ("ShardDataset", (3, 3), "Index must be between 0 and 2 \\(currently index = 3\\)."),
    ],
)
def test_refused(op: str, inputs: tuple[Any, ...], message: str) -> None:
    run = FakeRun()
    with pytest.raises(InvalidArgumentError, match=message):
        run_op(run, op, count_to(run, 3), *inputs, **TYPES)


def parallel(run: FakeRun, function: Callable[..., Any], dataset: Dataset, calls: int) -> Dataset:
    run.functions["f"] = function
    made: Dataset = run_op(run, "ParallelMapDataset", dataset, np.array(calls, np.int32), f=Func("f"), Targuments=[], **TYPES)
    return made


def test_slow_functions_run_side_by_side_and_keep_their_order() -> None:
    at_once, most = 0, 0
    lock = threading.Lock()

    def slow(x: Any) -> list[Any]:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.01 if x % 2 else 0.003)
        with lock:
            at_once -= 1
        return [x * 2]

    run = FakeRun()
    assert numbers(run, parallel(run, slow, count_to(run, 30), 4)) == list(range(0, 60, 2))
    assert 2 <= most <= 4


def test_fast_functions_stay_in_their_thread() -> None:
    threads: set[int] = set()
    run = FakeRun()
    dataset = parallel(run, lambda x: threads.add(threading.get_ident()) or [x], count_to(run, 30), 4)
    assert numbers(run, dataset) == list(range(30))
    assert threads == {threading.get_ident()}


def test_errors_come_in_their_place() -> None:
    def slow(x: Any) -> list[Any]:
        time.sleep(0.002)
        if x == 12:
            raise InvalidArgumentError(None, None, "twelve")
        return [x]

    run = FakeRun()
    rows = parallel(run, slow, count_to(run, 20), 3).iterate(Context(run))
    assert [int(next(rows)[0]) for _ in range(12)] == list(range(12))
    with pytest.raises(InvalidArgumentError, match="twelve"):
        next(rows)
    assert [int(row[0]) for row in rows] == list(range(13, 20))


def test_a_slow_source_is_read_ahead() -> None:
    made: list[int] = []

    def slow(x: Any) -> list[Any]:
        time.sleep(0.003)
        if x == 9:
            raise InvalidArgumentError(None, None, "nine")
        made.append(int(x))
        return [x]

    run = FakeRun()
    prefetched = run_op(run, "PrefetchDataset", mapped(slow, count_to(run, 20), run), 3, **TYPES)
    rows = prefetched.iterate(Context(run))
    assert [int(next(rows)[0]) for _ in range(6)] == list(range(6))
    time.sleep(0.05)
    assert made == [*range(6), 6, 7, 8]
    assert [int(next(rows)[0]) for _ in range(3)] == [6, 7, 8]
    with pytest.raises(InvalidArgumentError, match="nine"):
        next(rows)
    assert [int(row[0]) for row in rows] == list(range(10, 20))
    assert next(rows, None) is None


def test_a_fast_source_is_not_read_ahead() -> None:
    made: list[int] = []
    run = FakeRun()
    source = mapped(lambda x: made.append(int(x)) or [x], count_to(run, 20), run)
    rows = run_op(run, "PrefetchDataset", source, 3, **TYPES).iterate(Context(run))
    assert [int(next(rows)[0]) for _ in range(9)] == list(range(9)) == made
