"""Matrix kernels against TensorFlow 1.15 where the answer is unique, and against what defines it where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import check_case, load_cases, run_kernel

from runtime.errors import InvalidArgumentError

RNG = np.random.default_rng(3)
MATRICES = [
    RNG.normal(size=shape).astype(dtype) for shape in ((2, 4, 4), (5, 3), (3, 5)) for dtype in (np.float32, np.float64, np.complex128)
]


@pytest.mark.parametrize("case", load_cases("linalg_ops"))
def test_answers_as_tensorflow(case):
    check_case(case)


@pytest.mark.parametrize("matrix", MATRICES, ids=lambda m: f"{m.shape}{m.dtype}")
@pytest.mark.parametrize("full", [True, False])
def test_svd_multiplies_back(matrix, full):
    ((s, u, v),) = run_kernel("Svd", {"input": matrix}, {"full_matrices": full})
    assert s.dtype == u.dtype == v.dtype == matrix.dtype
    size = s.shape[-1]
    back = (u[..., :size] * s[..., None, :]) @ np.conj(np.swapaxes(v[..., :size], -1, -2))
    np.testing.assert_allclose(back, matrix, atol=1e-5)
    assert u.shape[-1] == (matrix.shape[-2] if full else size)


def test_eigenvectors_multiply_back():
    matrix = RNG.normal(size=(3, 4, 4))
    matrix += np.swapaxes(matrix, -1, -2)
    ((values, vectors),) = run_kernel("SelfAdjointEigV2", {"input": np.tril(matrix)}, {})
    np.testing.assert_allclose(matrix @ vectors, vectors * values[..., None, :], atol=1e-12)
    ((stacked,),) = run_kernel("SelfAdjointEig", {"input": matrix}, {})
    np.testing.assert_allclose(stacked, np.concatenate([values[..., None, :], vectors], axis=-2))


def test_exponential_undoes_the_logarithm():
    matrix = (RNG.normal(size=(2, 3, 3)) @ np.ones((3, 3)) * 0.1 + 3 * np.eye(3)).astype(np.complex128)
    ((logarithm,),) = run_kernel("MatrixLogarithm", {"input": matrix}, {})
    ((back,),) = run_kernel("MatrixExponential", {"input": logarithm}, {})
    np.testing.assert_allclose(back, matrix, atol=1e-12)


@pytest.mark.parametrize(
    ("op", "inputs", "text"),
    [
        ("Cholesky", {"input": -np.eye(2)}, "Cholesky decomposition was not successful"),
        ("MatrixInverse", {"input": np.zeros((2, 2))}, "not invertible"),
        ("MatrixInverse", {"input": np.zeros((2, 3))}, "must be square"),
        ("MatrixSolve", {"matrix": np.ones((2, 2)), "rhs": np.ones((2, 1))}, "not invertible"),
        ("MatrixTriangularSolve", {"matrix": np.zeros((2, 2)), "rhs": np.ones((2, 1))}, "not invertible"),
    ],
)
def test_refuses(op, inputs, text):
    with pytest.raises(InvalidArgumentError, match=text):
        run_kernel(op, inputs, {})
