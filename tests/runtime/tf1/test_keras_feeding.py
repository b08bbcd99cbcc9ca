"""tf.keras.utils: enqueuers, HDF5 matrices, and what drawing a model needs."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from runtime.tf1 import importer


@pytest.fixture
def utils() -> Any:
    with importer.installed() as tf:
        return tf.keras.utils


def test_a_sequence_is_enqueued_in_order_without_end(utils: Any) -> None:
    class Batches(utils.Sequence):  # type: ignore[misc]
        ended = 0

        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> int:
            return index * 10

        def on_epoch_end(self) -> None:
            self.ended += 1

    batches = Batches()
    enqueuer = utils.OrderedEnqueuer(batches)
    enqueuer.start(workers=3, max_queue_size=2)
    got = enqueuer.get()
    assert [next(got) for _ in range(7)] == [0, 10, 20, 0, 10, 20, 0]
    assert batches.ended >= 2 and enqueuer.is_running()
    enqueuer.stop()
    assert not enqueuer.is_running()


def test_a_generator_is_enqueued_to_its_end_and_its_error_is_raised(utils: Any) -> None:
    enqueuer = utils.GeneratorEnqueuer(iter(range(4)))
    enqueuer.start()
    assert list(enqueuer.get()) == [0, 1, 2, 3]
    enqueuer.stop()

    def broken() -> Any:
        yield 1
        raise KeyError("no such batch")

    enqueuer = utils.GeneratorEnqueuer(broken())
    enqueuer.start()
    with pytest.raises(KeyError, match="no such batch"):
        list(enqueuer.get())


def test_rows_of_an_hdf5_file(utils: Any, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["x"] = np.arange(20).reshape(10, 2)
    x = utils.HDF5Matrix(str(tmp_path / "a.h5"), "x", start=2, end=8, normalizer=lambda v: v * 10)
    assert len(x) == 6 and x.shape == (6, 2) and x.ndim == 2 and x.size == 12
    assert x[0].tolist() == [40, 50] and x[1:3].tolist() == [[60, 70], [80, 90]] and x[[0, 5]].tolist() == [[40, 50], [140, 150]]
    for outside in (6, slice(0, 7), [0, 6]):
        with pytest.raises(IndexError):
            x[outside]


@pytest.mark.skipif(importlib.util.find_spec("pydot") is not None, reason="pydot is installed")
def test_drawing_says_what_it_needs(utils: Any) -> None:
    with importer.installed() as tf, pytest.raises(ImportError, match="You must install pydot and graphviz"):
        utils.plot_model(tf.keras.Sequential([tf.keras.layers.Dense(1, input_shape=(2,))]))
