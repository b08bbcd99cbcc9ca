"""Array kernels against TensorFlow 1.15."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import run_kernel

from graphtools import dtypes


@pytest.mark.parametrize(
    ("value", "to", "expected"),
    [
        (np.float32(1.5), dtypes.int32, np.int32(1069547520)),
        (np.array([1.5, 2.0]), dtypes.int32, [[0, 1073217536], [0, 1073741824]]),
        (np.array([[1, 2], [3, 4]], np.int32), dtypes.int64, [8589934593, 17179869187]),
        (np.zeros((0, 3), np.float32), dtypes.uint8, np.zeros((0, 3, 4))),
    ],
)
def test_bitcast(value, to, expected):
    ((y,),) = run_kernel("Bitcast", {"input": np.asarray(value)}, {"type": to})
    assert y.dtype == to.as_numpy_dtype
    assert np.array_equal(y, expected)
    assert y.shape == np.shape(expected)
