"""Stacks, session tensors, staging areas, barriers, accumulators and mutexes, called on their own."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_run import FakeRun, run_op, text
from test_queues import Background

from graphtools.dtypes import float32, int32
from runtime.errors import CancelledError, FailedPreconditionError, InvalidArgumentError
from runtime.events import read_events
from runtime.host import rows


def test_stack() -> None:
    run = FakeRun()
    stack = run_op(run, "StackV2", 2, elem_type=float32, stack_name="s")
    run_op(run, "StackPushV2", stack, np.ones(2), T=float32)
    run_op(run, "StackPushV2", stack, np.zeros(3), T=float32)
    with pytest.raises(InvalidArgumentError, match=r"Stack\[s\] overflowed its max_size \(2\)"):
        run_op(run, "StackPushV2", stack, np.zeros(3), T=float32)
    assert run_op(run, "StackPopV2", stack, elem_type=float32).shape == (3,)
    assert run_op(run, "StackPopV2", stack, elem_type=float32).shape == (2,)
    with pytest.raises(InvalidArgumentError, match=r"Stack\[s\] is empty"):
        run_op(run, "StackPopV2", stack, elem_type=float32)
    run_op(run, "StackCloseV2", stack)
    with pytest.raises(InvalidArgumentError, match="already been closed"):
        run_op(run, "StackPopV2", stack, elem_type=float32)


def test_session_tensors() -> None:
    run = FakeRun()
    handle = run_op(run, "GetSessionHandle", np.array([1.0, 2.0]), T=float32)
    assert handle.item().count(b";") == 2 and handle.item().startswith(b"GetSessionHandle;0;/job:localhost")
    assert run_op(run, "GetSessionTensor", handle, dtype=float32).tolist() == [1, 2]
    with pytest.raises(InvalidArgumentError, match="is not in the session store"):
        run_op(FakeRun(), "GetSessionTensor", handle, dtype=float32)
    run_op(run, "DeleteSessionTensor", handle)
    with pytest.raises(InvalidArgumentError, match=r"The tensor with handle 'GetSessionHandle;0;.*' is not in the session store."):
        run_op(run, "GetSessionTensor", handle, dtype=float32)


STAGE: dict[str, Any] = {"dtypes": [int32], "shared_name": "area"}


def test_a_full_staging_area_waits() -> None:
    run = FakeRun()
    for number in range(2):
        run_op(run, "Stage", number, capacity=2, **STAGE)
    waiting = Background(lambda: run_op(run, "Stage", 2, capacity=2, **STAGE))
    assert waiting.is_waiting()
    assert run_op(run, "Unstage", capacity=2, **STAGE)[0] == 0
    waiting.finish()
    assert run_op(run, "StageSize", capacity=2, **STAGE) == 2


def test_an_empty_staging_area_waits_until_the_session_closes() -> None:
    run = FakeRun()
    waiting = Background(lambda: run_op(run, "Unstage", **STAGE))
    assert waiting.is_waiting()
    run.cancelled.set()
    with pytest.raises(CancelledError):
        waiting.finish()


def test_memory_limit() -> None:
    run = FakeRun()
    with pytest.raises(InvalidArgumentError, match="combined size of '40' bytes into Staging Area with a memory limit of '16'"):
        run_op(run, "Stage", np.zeros(10, np.int32), memory_limit=16, **STAGE)


def test_barrier_waits_for_the_missing_part() -> None:
    run = FakeRun()
    barrier = run_op(run, "Barrier", component_types=[int32, int32], shapes=[(), ()])
    keys = rows.texts([b"k"])
    run_op(run, "BarrierInsertMany", barrier, keys, np.array([1], np.int32), component_index=0)
    waiting = Background(lambda: run_op(run, "BarrierTakeMany", barrier, 1, component_types=[int32, int32], allow_small_batch=False))
    assert waiting.is_waiting()
    run_op(run, "BarrierInsertMany", barrier, keys, np.array([2], np.int32), component_index=1)
    _, taken, first, second = waiting.finish()
    assert (taken.tolist(), first.tolist(), second.tolist()) == ([b"k"], [1], [2])


def test_accumulator_waits_for_enough_gradients() -> None:
    run = FakeRun()
    accumulator = run_op(run, "ConditionalAccumulator", dtype=float32, shape=(), reduction_type="MEAN")
    run_op(run, "AccumulatorApplyGradient", accumulator, 0, np.float32(1), dtype=float32)
    waiting = Background(lambda: run_op(run, "AccumulatorTakeGradient", accumulator, 2, dtype=float32))
    assert waiting.is_waiting()
    run_op(run, "AccumulatorApplyGradient", accumulator, 0, np.float32(4), dtype=float32)
    assert waiting.finish() == 2.5


def test_mutex() -> None:
    run = FakeRun()
    mutex = run_op(run, "MutexV2")
    hold = run_op(run, "MutexLock", mutex)
    waiting = Background(lambda: run_op(run, "MutexLock", mutex))
    assert waiting.is_waiting()
    run_op(run, "ConsumeMutexLock", hold)
    second = waiting.finish()
    third = Background(lambda: run_op(run, "MutexLock", mutex))
    assert third.is_waiting()
    del second, waiting  # a hold that is forgotten is released
    third.finish()


def test_summary_writer(tmp_path: Path) -> None:
    run = FakeRun()
    writer = run_op(run, "SummaryWriter", shared_name="w")
    with pytest.raises(FailedPreconditionError, match="not initialized"):
        run_op(run, "WriteScalarSummary", writer, 3, text(b"loss"), 0.5, T=float32)
    create = (writer, text(str(tmp_path).encode()), 10, 1000, text(b".s"))
    run_op(run, "CreateSummaryFileWriter", *create)
    run_op(run, "CreateSummaryFileWriter", *create)
    run_op(run, "WriteScalarSummary", writer, 3, text(b"loss"), 0.5, T=float32)
    run_op(run, "WriteHistogramSummary", writer, 4, text(b"h"), [1.0, 2.0], T=float32)
    run_op(run, "WriteGraphSummary", writer, 5, text(b"\n\x00"))
    run_op(run, "CloseSummaryWriter", writer)
    (path,) = glob.glob(str(tmp_path / "*.s"))
    first, scalar, histogram, graph = read_events(path)
    assert first.file_version and (scalar.step, scalar.summary.value[0].simple_value) == (3, 0.5)
    assert histogram.summary.value[0].histo.num == 2 and graph.graph_def == b"\n\x00"
