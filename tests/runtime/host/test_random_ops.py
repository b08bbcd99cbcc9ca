"""Random kernels against the streams TensorFlow 1.15 drew, and the seed rule."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import check_case, load_cases, run_kernel

from runtime.errors import InvalidArgumentError
from runtime.host import philox


@pytest.mark.parametrize("case", load_cases("random_ops"))
def test_draws_what_tensorflow_draws(case):
    check_case(case)


@pytest.mark.parametrize("case", load_cases("candidate_sampling_ops"))
def test_samples_what_tensorflow_samples(case):
    check_case(case)


@pytest.mark.parametrize("case", load_cases("stateless_random_ops"))
def test_draws_what_tensorflow_2_draws(case):
    check_case(case)


@pytest.mark.parametrize(
    ("graph_seed", "op_seed", "last_id", "seeds"),
    [
        (None, None, 3, (None, None)),
        (None, 7, 3, (87654321, 7)),
        (11, None, 3, (11, 3)),
        (11, 7, 3, (11, 7)),
        (0, 0, 3, (0, 2**31 - 1)),
        (0, None, 0, (0, 2**31 - 1)),
        (2**31, -1, 3, (1, 2**31 - 2)),
    ],
)
def test_op_seeds(graph_seed, op_seed, last_id, seeds):
    assert philox.op_seeds(graph_seed, op_seed, last_id) == seeds


def test_no_seeds_draw_differently_each_time():
    draws = [run_kernel("RandomUniform", {"shape": np.array([8])}, {"dtype": "DT:float32"})[0][0] for _ in range(2)]
    assert not np.array_equal(*draws)


def test_counter_carries_into_its_upper_half():
    at_edge = philox.Philox(5, (1 << 64) - 3)
    after = philox.Philox(5, 1 << 64)
    np.testing.assert_array_equal(at_edge.words(8)[3:], after.words(5))


def test_words_do_not_depend_on_how_they_are_asked_for():
    generator = philox.Philox.from_seeds(1, 2)
    reader = philox.WordReader(generator)
    words = generator.words(20_000)
    np.testing.assert_array_equal(words.ravel()[:5000], [reader.word() for _ in range(5000)])
    offsets = np.array([19_999, 0, 8192, 8191], np.uint64)
    np.testing.assert_array_equal(generator.words_at(offsets), words[offsets.astype(int)])


@pytest.mark.parametrize(
    ("op", "inputs", "attrs", "text"),
    [
        ("RandomUniform", {"shape": np.array([2, -1])}, {"dtype": "DT:float32"}, "Dimension -1 must be >= 0"),
        (
            "RandomUniformInt",
            {"shape": np.array([2]), "minval": np.int32(3), "maxval": np.int32(3)},
            {},
            "Need minval < maxval, got 3 >= 3",
        ),
        ("Multinomial", {"logits": np.zeros(3, np.float32), "num_samples": np.int32(1)}, {}, "logits should be a matrix"),
        ("StatelessRandomUniform", {"shape": np.array([2]), "seed": np.array([1])}, {"dtype": "DT:float32"}, r"seed must have shape \[2\]"),
        (
            "UniformCandidateSampler",
            {"true_classes": np.array([[9]])},
            {"num_true": 1, "num_sampled": 1, "unique": True, "range_max": 5},
            "out of range",
        ),
    ],
)
def test_refuses(op, inputs, attrs, text):
    with pytest.raises(InvalidArgumentError, match=text):
        run_kernel(op, inputs, attrs)
