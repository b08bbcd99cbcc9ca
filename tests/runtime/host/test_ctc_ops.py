"""CTC kernels and the edit distance against TensorFlow 1.15."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import check_case, load_cases, run_kernel

from runtime.errors import InvalidArgumentError


@pytest.mark.parametrize("case", load_cases("ctc_ops"))
def test_answers_as_tensorflow(case):
    check_case(case)


def test_gradient_of_the_loss():
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(6, 1, 4))
    others = {
        "labels_indices": np.array([[0, 0], [0, 1], [0, 2]]),
        "labels_values": np.array([1, 1, 0], np.int32),
        "sequence_length": np.array([6], np.int32),
    }

    def loss(x):
        return run_kernel("CTCLoss", {"inputs": x, **others}, {})[0][0][0]

    ((_, gradient),) = run_kernel("CTCLoss", {"inputs": logits, **others}, {})
    for place in ((0, 0, 1), (3, 0, 3), (5, 0, 0)):
        step = np.zeros_like(logits)
        step[place] = 1e-5
        np.testing.assert_allclose(gradient[place], (loss(logits + step) - loss(logits - step)) / 2e-5, rtol=1e-6)


def test_second_loss_has_its_blank_first():
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(5, 1, 4)).astype(np.float32)
    places, length = np.array([[0, 0], [0, 1]]), np.array([5], np.int32)
    last = {"inputs": logits, "labels_indices": places, "labels_values": np.array([0, 2], np.int32), "sequence_length": length}
    first = {
        "inputs": np.roll(logits, 1, axis=2),
        "labels_indices": places,
        "labels_values": np.array([1, 3], np.int32),
        "sequence_length": length,
    }
    np.testing.assert_allclose(run_kernel("CTCLoss", last, {})[0][0], run_kernel("CTCLossV2", first, {})[0][0], rtol=1e-6)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"sequence_length": np.array([7], np.int32)}, r"sequence_length\(0\) is 7"),
        ({"labels_values": np.array([3], np.int32)}, "Saw a label that is no class besides the blank 3"),
        (
            {
                "sequence_length": np.array([1], np.int32),
                "labels_indices": np.array([[0, 0], [0, 1]]),
                "labels_values": np.array([1, 2], np.int32),
            },
            "Not enough time",
        ),
    ],
)
def test_refuses(changed, text):
    inputs = {
        "inputs": np.zeros((6, 1, 4), np.float32),
        "labels_indices": np.array([[0, 0]]),
        "labels_values": np.array([1], np.int32),
        "sequence_length": np.array([6], np.int32),
    }
    with pytest.raises(InvalidArgumentError, match=text):
        run_kernel("CTCLoss", inputs | changed, {})
