"""py_func: what becomes of a function's result and of its exceptions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fake_run import FakeRun, run_op, text

from graphtools.dtypes import DType, float32, float64, int32, int64, string
from runtime.errors import InvalidArgumentError, OutOfRangeError, ResourceExhaustedError, UnimplementedError, UnknownError
from runtime.host.script_ops import register_py_func, unregister_py_func


def call(function: Any, inputs: list[Any], types: list[DType]) -> Any:
    return run_op(FakeRun(), "PyFunc", *inputs, token=register_py_func(function), Tin=[], Tout=types)


def test_results_become_tensors() -> None:
    assert call(lambda x: x + 1, [np.array([1.0], np.float32)], [float32])[0].tolist() == [2.0]
    assert call(lambda: 1, [], [int64])[0].dtype == np.int64
    assert call(lambda: (1, 2), [], [int64, int64])[1] == 2
    assert call(lambda: "é", [], [string])[0].item() == "é".encode()
    assert call(lambda: np.array(["a", "bc"]), [], [string])[0].tolist() == [b"a", b"bc"]
    assert call(lambda: np.arange(3)[::-1], [], [int64])[0].flags.c_contiguous
    assert call(lambda: None, [], []) == ()


def test_a_scalar_takes_the_promised_precision() -> None:
    assert call(lambda: 1.5, [], [float32])[0].dtype == np.float32
    assert call(lambda x: x * 0.1, [np.array(2, np.float32)], [float64])[0].dtype == np.float64


def test_arguments_are_numpy_scalars_arrays_and_bytes() -> None:
    seen: list[type] = []

    def note(*values: Any) -> int:
        seen.extend(type(v) for v in values)
        return 0

    call(note, [np.array(1.0, np.float32), np.zeros(2), text(b"s")], [int64])
    assert seen == [np.float32, np.ndarray, bytes]


def test_a_function_cannot_change_the_graphs_values() -> None:
    value = np.zeros(2)
    call(lambda x: x.fill(7) or 0, [value], [int64])
    assert value.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("result", "types", "message"),
    [
        (1, [float32], "0-th value returned by pyfunc_\\d+ is int64, but expects float"),
        (1, [int32], "0-th value returned by pyfunc_\\d+ is int64, but expects int32"),
        (np.zeros(2), [float32], "0-th value returned by pyfunc_\\d+ is double, but expects float"),
        ([1, 2], [int64], "pyfunc_\\d+ returns 2 values, but expects to see 1 values"),
        (None, [int64], "pyfunc_\\d+ returns 0 values, but expects to see 1 values"),
        (1, [int64, int64], "pyfunc_\\d+ returns 1 values, but expects to see 2 values"),
    ],
)
def test_a_result_that_was_not_promised(result: Any, types: list[DType], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        call(lambda: result, [], types)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ValueError("v"), InvalidArgumentError, "ValueError: v"),
        (TypeError("t"), InvalidArgumentError, "TypeError: t"),
        (StopIteration(), OutOfRangeError, "StopIteration: "),
        (MemoryError("m"), ResourceExhaustedError, "MemoryError: m"),
        (NotImplementedError("n"), UnimplementedError, "NotImplementedError: n"),
        (KeyError("k"), UnknownError, "KeyError: 'k'"),
        (ZeroDivisionError("z"), UnknownError, "ZeroDivisionError: z"),
    ],
)
def test_exceptions(error: Exception, kind: type[Exception], message: str) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(kind) as raised:
        call(fail, [], [int64])
    assert str(raised.value) == message
    assert raised.value.__cause__ is error


def test_a_function_of_another_process() -> None:
    token = register_py_func(lambda: 1)
    unregister_py_func(token)
    with pytest.raises(InvalidArgumentError, match=f"callback {token} is not found"):
        run_op(FakeRun(), "PyFunc", token=token, Tin=[], Tout=[int64])
