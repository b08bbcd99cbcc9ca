"""The functions that rules put into a file do what the ones they stand for did."""

from __future__ import annotations

import gzip
import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from migrate.rules.contrib_functions import FUNCTIONS, HPARAMS
from migrate.rules.tutorials import READ_MNIST
from migrate.upgrade import upgrade_source


def function(source: str, name: str) -> Any:
    space: dict[str, Any] = {}
    exec(source, space)
    return space[name]


def test_hparams() -> None:
    params = function(HPARAMS, "HParams")(rate=0.5, units=[8, 4], name="a", on=False)
    assert params.rate == 0.5
    assert "units" in params
    assert params.values() == {"rate": 0.5, "units": [8, 4], "name": "a", "on": False}
    params.parse("rate=1,units=[1,2,3],name=long,on=true")
    assert params.values() == {"rate": 1.0, "units": [1, 2, 3], "name": "long", "on": True}
    assert isinstance(params.rate, float)
    params.set_hparam("rate", "0.25")
    params.add_hparam("more", 1)
    params.del_hparam("name")
    assert (params.rate, params.get("more"), params.get("name", "none")) == (0.25, 1, "none")
    assert params.override_from_dict({"more": 2}).more == 2
    assert params.to_json(sort_keys=True) == '{"more": 2, "on": true, "rate": 0.25, "units": [1, 2, 3]}'


def write(path: Path, array: np.ndarray) -> None:
    head = struct.pack(">I", 0x800 + array.ndim) + b"".join(struct.pack(">I", n) for n in array.shape)
    path.write_bytes(gzip.compress(head + array.astype(np.uint8).tobytes()))


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    images = np.arange(12 * 2 * 2).reshape(12, 2, 2)
    write(tmp_path / "train-images-idx3-ubyte.gz", images)
    write(tmp_path / "train-labels-idx1-ubyte.gz", np.arange(12) % 10)
    write(tmp_path / "t10k-images-idx3-ubyte.gz", images[:3])
    write(tmp_path / "t10k-labels-idx1-ubyte.gz", np.array([7, 8, 9]))
    return tmp_path


def test_read_mnist(digits: Path) -> None:
    read_mnist = function(READ_MNIST, "read_mnist")
    data = read_mnist(str(digits), one_hot=True, validation_size=2, seed=3)
    assert data.train.images.shape == (10, 4)
    assert data.train.images.dtype == np.float32
    assert data.train.images[0].tolist() == pytest.approx([8 / 255, 9 / 255, 10 / 255, 11 / 255])
    assert data.validation.num_examples == 2
    assert data.test.labels.argmax(1).tolist() == [7, 8, 9]
    images, labels = data.train.next_batch(4)
    assert images.shape == (4, 4)
    assert labels.shape == (4, 10)
    seen = [images, *(data.train.next_batch(4)[0] for _ in range(2))]
    assert data.train.epochs_completed == 1
    first = np.concatenate(seen)[:10]
    assert sorted(first[:, 0].tolist()) == sorted(data.train.images[:, 0].tolist())  # an epoch is every digit once
    again = read_mnist(str(digits), reshape=False, validation_size=0)
    assert again.train.images.shape == (12, 2, 2, 1)
    assert again.train.labels.tolist() == [n % 10 for n in range(12)]
    assert again.train.next_batch(2, shuffle=False)[1].tolist() == [0, 1]


@pytest.mark.parametrize("name", [name for name, _ in FUNCTIONS.values()])
def test_functions_compile(name: str) -> None:
    source = dict(FUNCTIONS.values())[name]
    assert callable(function(source, name))


def test_viterbi_decode() -> None:
    decode = function(dict(FUNCTIONS.values())["viterbi_decode"], "viterbi_decode")
    random = np.random.default_rng(4)
    score, moves = random.normal(size=(4, 3)), random.normal(size=(3, 3))
    tags, best = decode(score, moves)

    def value(path: tuple[int, ...]) -> float:
        return sum(score[i, t] for i, t in enumerate(path)) + sum(moves[a, b] for a, b in itertools.pairwise(path))

    expected = max(itertools.product(range(3), repeat=4), key=value)
    assert tuple(tags) == expected
    assert best == pytest.approx(value(expected))


@pytest.mark.parametrize("symbol", FUNCTIONS)
def test_functions_are_put_once(symbol: str) -> None:
    source = f"import tensorflow as tf\na = {symbol}(x)\nb = {symbol}(y)\n"
    first = upgrade_source(source, target="2")
    name = FUNCTIONS[symbol][0]
    assert first.code.count(f"def {name}(") == 1
    assert f"b = {name}(y)" in first.code
    assert not [f for f in first.findings if f.is_manual]
    assert upgrade_source(first.code, target="2").code == first.code
