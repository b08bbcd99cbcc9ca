"""Arithmetic and Fourier kernels against TensorFlow 1.15."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import check_case, load_cases, run_kernel

from runtime.errors import InvalidArgumentError


@pytest.mark.parametrize("case", load_cases("math_ops"))
def test_answers_as_tensorflow(case):
    check_case(case)


@pytest.mark.parametrize("case", load_cases("spectral_ops"))
def test_transforms_as_tensorflow(case):
    check_case(case)


def test_sigmoid_does_not_overflow():
    ((y,),) = run_kernel("Sigmoid", {"x": np.array([-1000.0, 0.0, 1000.0])}, {})
    np.testing.assert_array_equal(y, [0, 0.5, 1])


def test_what_decides_is_zero():
    x, y = np.array([0.0, 1.0]), np.array([np.inf, 0.0])
    np.testing.assert_array_equal(run_kernel("Xlogy", {"x": x, "y": y}, {})[0][0], [0, -np.inf])
    np.testing.assert_array_equal(run_kernel("DivNoNan", {"x": y, "y": x}, {})[0][0], [0, 0])


@pytest.mark.parametrize(
    ("op", "inputs", "text"),
    [
        ("Div", {"x": np.array([1]), "y": np.array([0])}, "Integer division by zero"),
        ("MatMul", {"a": np.ones((2, 3)), "b": np.ones((2, 3))}, "Matrix size-incompatible"),
        ("Mean", {"input": np.ones(3), "reduction_indices": np.array([1])}, "Invalid reduction dimension"),
        ("SegmentSum", {"data": np.ones(3), "segment_ids": np.array([1, 0, 0])}, "not increasing"),
        ("UnsortedSegmentSum", {"data": np.ones(3), "segment_ids": np.array([1, 5, 0]), "num_segments": np.int32(5)}, "out of range"),
        ("RFFT", {"input": np.ones(3, np.float32), "fft_length": np.array([4], np.int32)}, "must have length of at least"),
        ("FFT2D", {"input": np.ones(3, np.complex64)}, "rank of at least 2"),
    ],
)
def test_refuses(op, inputs, text):
    with pytest.raises(InvalidArgumentError, match=text):
        run_kernel(op, inputs, {})
