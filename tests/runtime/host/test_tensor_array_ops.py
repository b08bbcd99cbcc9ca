"""TensorArrays on the host. The messages are TensorFlow 1.15's, the numbers in the names are the process's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fake_run import FakeRun, run_op

from graphtools.dtypes import float32
from runtime.errors import InvalidArgumentError, UnimplementedError

FLOW = np.zeros((), np.float32)


def f32(*values: Any) -> Any:
    return np.array(values, np.float32)


def make(size: int, **attr: Any) -> Any:
    return run_op(FakeRun(), "TensorArrayV3", np.array(size), dtype=float32, tensor_array_name="TA", **attr)[0]


def op(name: str, handle: Any, *inputs: Any, **attr: Any) -> Any:
    return run_op(FakeRun(), name, handle, *inputs, FLOW, **attr)


def test_writes_are_read_once() -> None:
    array = make(3)
    op("TensorArrayWriteV3", array, 0, f32(1, 2))
    assert op("TensorArrayReadV3", array, 0, dtype=float32).tolist() == [1, 2]
    with pytest.raises(InvalidArgumentError, match="Could not read index 0 twice because it was cleared after a previous read"):
        op("TensorArrayReadV3", array, 0, dtype=float32)
    with pytest.raises(InvalidArgumentError, match="Could not write to TensorArray index 0 because it has already been read"):
        op("TensorArrayWriteV3", array, 0, f32(1, 2))


def test_places() -> None:
    array = make(3, clear_after_read=False)
    with pytest.raises(InvalidArgumentError, match="Tried to read from index 5 but array size is: 3"):
        op("TensorArrayReadV3", array, 5, dtype=float32)
    with pytest.raises(
        InvalidArgumentError, match=r"TensorArray TA_\d+: Tried to write to index 4 but array is not resizeable and size is: 3"
    ):
        op("TensorArrayWriteV3", array, 4, f32(1))
    with pytest.raises(
        InvalidArgumentError,
        match=r"Could not read from TensorArray index 1.  Furthermore, the element shape is not fully defined: <unknown>",
    ):
        op("TensorArrayReadV3", array, 1, dtype=float32)
    op("TensorArrayWriteV3", array, 0, f32(1))
    with pytest.raises(InvalidArgumentError, match="Could not write to TensorArray index 0 because it has already been written to"):
        op("TensorArrayWriteV3", array, 0, f32(2))


def test_what_was_not_written_is_zero_where_its_shape_is_known() -> None:
    array = make(3, element_shape=(2,), clear_after_read=False)
    op("TensorArrayWriteV3", array, 1, f32(1, 2))
    assert op("TensorArrayGatherV3", array, [0, 1, 2], dtype=float32).tolist() == [[0, 0], [1, 2], [0, 0]]
    with pytest.raises(InvalidArgumentError, match="value shape is \\[1\\] which is incompatible"):
        op("TensorArrayWriteV3", array, 0, f32(1))


def test_a_dynamic_array_grows() -> None:
    array = make(0, dynamic_size=True)
    op("TensorArrayWriteV3", array, 3, f32(1))
    assert op("TensorArraySizeV3", array) == 4


def test_scatter_gather_and_stack() -> None:
    array = make(3, clear_after_read=False)
    op("TensorArrayScatterV3", array, [2, 0, 1], np.arange(6, dtype=np.float32).reshape(3, 2))
    assert op("TensorArrayGatherV3", array, [0, 1, 2], dtype=float32).tolist() == [[2, 3], [4, 5], [0, 1]]
    assert op("TensorArrayPack", array, dtype=float32).shape == (3, 2)


def test_concat_and_split() -> None:
    array = make(3, clear_after_read=False)
    op("TensorArraySplitV3", array, np.arange(6, dtype=np.float32), np.array([1, 2, 3], np.int64))
    assert op("TensorArrayReadV3", array, 2, dtype=float32).tolist() == [3, 4, 5]
    value, lengths = op("TensorArrayConcatV3", array, dtype=float32)
    assert value.tolist() == [0, 1, 2, 3, 4, 5] and lengths.tolist() == [1, 2, 3]
    with pytest.raises(
        InvalidArgumentError, match=r"TensorArray has inconsistent shapes.  Index 0 has shape: \[1\] but index 1 has shape: \[2\]"
    ):
        op("TensorArrayGatherV3", array, [0, 1], dtype=float32)


def test_empty_arrays_need_a_shape() -> None:
    array = make(0)
    with pytest.raises(UnimplementedError, match="TensorArray has size zero, but element shape <unknown> is not fully defined"):
        op("TensorArrayGatherV3", array, np.zeros(0, np.int32), dtype=float32)
    assert op("TensorArrayGatherV3", make(0, element_shape=(4,)), np.zeros(0, np.int32), dtype=float32).shape == (0, 4)


def test_gradients_add_up() -> None:
    array = make(2, clear_after_read=False)
    op("TensorArrayWriteV3", array, 0, f32(1, 2))
    op("TensorArrayWriteV3", array, 1, f32(3, 4))
    gradient, _ = op("TensorArrayGradV3", array, source="gradients")
    assert op("TensorArrayGradV3", array, source="gradients")[0] is gradient
    assert op("TensorArrayGradV3", array, source="others")[0] is not gradient
    op("TensorArrayWriteV3", gradient, 0, f32(1, 1))
    op("TensorArrayWriteV3", gradient, 0, f32(2, 3))
    assert op("TensorArrayReadV3", gradient, 0, dtype=float32).tolist() == [3, 4]
    assert op("TensorArrayReadV3", gradient, 1, dtype=float32).tolist() == [0, 0]


def test_closed() -> None:
    array = make(2)
    run_op(FakeRun(), "TensorArrayCloseV3", array)
    with pytest.raises(InvalidArgumentError, match="has already been closed"):
        op("TensorArrayWriteV3", array, 0, f32(1))


def test_a_handle_that_is_a_string_tensor() -> None:
    array = run_op(FakeRun(), "TensorArrayV2", np.array(2), dtype=float32, tensor_array_name="TA")
    wrapped = np.asarray(array, object)
    op("TensorArrayWriteV2", wrapped, 0, f32(1, 2))
    assert op("TensorArrayReadV2", wrapped, 0, dtype=float32).tolist() == [1, 2]
