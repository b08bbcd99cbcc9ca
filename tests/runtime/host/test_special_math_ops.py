"""Special functions against TensorFlow 1.15, and against values from tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from kernels import check_case, load_cases, run_kernel

from runtime.host import special_math_ops


@pytest.mark.parametrize("case", load_cases("special_math_ops"))
def test_answers_as_tensorflow(case):
    check_case(case)


def test_quantiles():
    p = np.array([0.5, 0.975, 1e-10, 0.0, 1.0, 1.5, 0.025])
    expected = [0, 1.959963984540054, -6.361340902404056, -np.inf, np.inf, np.nan, -1.959963984540054]
    np.testing.assert_allclose(run_kernel("Ndtri", {"x": p}, {})[0][0], expected, rtol=1e-14)


def test_erfinv_undoes_erf():
    x = np.array([-2.5, -1.0, -1e-9, 0.0, 1e-3, 0.7, 3.0])
    erf = np.array([math.erf(v) for v in x])
    np.testing.assert_allclose(run_kernel("Erfinv", {"x": erf}, {})[0][0], x, rtol=1e-10)


def test_derivative_of_the_incomplete_gamma_function():
    a, x, step = np.array([0.3, 2.0, 9.0, 40.0]), np.array([0.7, 5.0, 3.0, 44.0]), 1e-5
    above, _, _ = special_math_ops._incomplete_gamma(a + step, x)
    below, _, slope = special_math_ops._incomplete_gamma(a - step, x)
    np.testing.assert_allclose(special_math_ops._incomplete_gamma(a, x)[2], (above - below) / (2 * step), rtol=1e-6)
    assert np.isfinite(slope).all()
