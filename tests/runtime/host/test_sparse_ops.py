"""Kernels of sparse tensors and sets against TensorFlow 1.15."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import OneNodeRun, check_case, load_cases, run_kernel

from graphtools.graph import Graph, Node
from runtime import host
from runtime.errors import InvalidArgumentError

INDICES = np.array([[0, 0], [1, 2], [1, 3]])
SHAPE = np.array([2, 4])


@pytest.mark.parametrize("case", load_cases("sparse_ops"))
def test_answers_as_tensorflow(case):
    check_case(case)


@pytest.mark.parametrize("case", load_cases("set_ops"))
def test_sets_as_tensorflow(case):
    check_case(case)


def test_a_map_gives_each_sparse_tensor_back_once():
    run, node = OneNodeRun(), Node(Graph(), "map", "AddManySparseToTensorsMap", {})
    add, take = (host.load()[op] for op in ("AddManySparseToTensorsMap", "TakeManySparseFromTensorsMap"))
    values = np.array([1.0, 2.0, 3.0])
    handles = add(run, node, INDICES, values, SHAPE)
    assert handles.shape == (2,)
    indices, taken, shape = take(run, node, handles)
    np.testing.assert_array_equal(indices, INDICES)
    np.testing.assert_array_equal(taken, values)
    np.testing.assert_array_equal(shape, SHAPE)
    with pytest.raises(InvalidArgumentError, match="Unable to find SparseTensor"):
        take(run, node, handles)


def test_gradient_rows_that_are_there():
    inputs = {
        "grad": np.array([[2.0], [8.0]], np.float32),
        "indices": np.array([5, 1, 5], np.int32),
        "segment_ids": np.array([0, 0, 1], np.int32),
        "dense_output_dim0": np.int32(7),
    }
    ((rows, places),) = run_kernel("SparseSegmentMeanGradV2", inputs, {})
    np.testing.assert_array_equal(places, [1, 5])
    np.testing.assert_array_equal(rows, [[1], [9]])


@pytest.mark.parametrize(
    ("op", "inputs", "attrs", "text"),
    [
        (
            "SparseReorder",
            {"input_indices": np.array([[0, 4]]), "input_values": np.ones(1), "input_shape": SHAPE},
            {},
            r"\[0, 4\] are out of bounds",
        ),
        ("SparseReorder", {"input_indices": INDICES, "input_values": np.ones(2), "input_shape": SHAPE}, {}, "A sparse tensor needs"),
        ("SparseReshape", {"input_indices": INDICES, "input_shape": SHAPE, "new_shape": np.array([3, -1])}, {}, "8 dense values"),
        (
            "SparseConcat",
            {"indices": (INDICES,), "values": (np.ones(3),), "shapes": (SHAPE,)},
            {"concat_dim": 2},
            "Concat dimension must be in range",
        ),
        (
            "DenseToDenseSetOperation",
            {"set1": np.ones((2, 2), int), "set2": np.ones((3, 2), int)},
            {"set_operation": "union"},
            "Mismatched group shapes",
        ),
        (
            "DenseToDenseSetOperation",
            {"set1": np.ones((2, 2), int), "set2": np.ones((2, 2), int)},
            {"set_operation": "xor"},
            "Invalid set_operation 'xor'",
        ),
    ],
)
def test_refuses(op, inputs, attrs, text):
    with pytest.raises(InvalidArgumentError, match=text):
        run_kernel(op, inputs, attrs)
