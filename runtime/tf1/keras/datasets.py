"""tf.keras.datasets, from files in Keras' cache: nothing is downloaded."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from runtime.tf1.keras.data_utils import get_file
from runtime.tf1.registry import export

_ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"


def _archive(path: str) -> Any:
    return np.load(get_file(path, origin=_ORIGIN + os.path.basename(path)), allow_pickle=True)


@export("keras.datasets.mnist.load_data")
def load_mnist(path: str = "mnist.npz") -> Any:
    with _archive(path) as f:
        return (f["x_train"], f["y_train"]), (f["x_test"], f["y_test"])


@export("keras.datasets.fashion_mnist.load_data")
def load_fashion_mnist() -> Any:
    import gzip

    found = []
    for name, start in (("train-labels-idx1", 8), ("train-images-idx3", 16), ("t10k-labels-idx1", 8), ("t10k-images-idx3", 16)):
        path = get_file(f"{name}-ubyte.gz", origin=f"{_ORIGIN}{name}-ubyte.gz", cache_subdir=os.path.join("datasets", "fashion-mnist"))
        with gzip.open(path, "rb") as f:
            values = np.frombuffer(f.read(), np.uint8, offset=start)
        found.append(values if start == 8 else values.reshape(-1, 28, 28))
    return (found[1], found[0]), (found[3], found[2])


@export("keras.datasets.boston_housing.load_data")
def load_boston_housing(path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113) -> Any:
    with _archive(path) as f:
        x, y = f["x"], f["y"]
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    x, y = x[order], y[order]
    cut = int(len(x) * (1 - test_split))
    return (np.array(x[:cut]), np.array(y[:cut])), (np.array(x[cut:]), np.array(y[cut:]))


def _sequences(
    x: Any, y: Any, num_words: int | None, skip_top: int, maxlen: int | None, start_char: int | None, oov_char: int | None, index_from: int
) -> tuple[list[Any], Any]:
    """Word numbers shifted, long ones left out, rare and frequent words replaced."""
    if start_char is not None:
        x = [[start_char] + [w + index_from for w in s] for s in x]
    elif index_from:
        x = [[w + index_from for w in s] for s in x]
    if maxlen:
        kept = [(s, label) for s, label in zip(x, y, strict=True) if len(s) < maxlen]
        x, y = [s for s, _ in kept], [label for _, label in kept]
    num_words = num_words or max(max(s) for s in x)
    if oov_char is not None:
        return [[w if skip_top <= w < num_words else oov_char for w in s] for s in x], y
    return [[w for w in s if skip_top <= w < num_words] for s in x], y


def _listed(values: list[Any]) -> Any:
    made = np.empty(len(values), dtype=object)
    for i, v in enumerate(values):
        made[i] = v
    return made


@export("keras.datasets.imdb.load_data")
def load_imdb(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int = 1,
    oov_char: int = 2,
    index_from: int = 3,
    **kwargs: Any,
) -> Any:
    with _archive(path) as f:
        x_train, y_train, x_test, y_test = f["x_train"], f["y_train"], f["x_test"], f["y_test"]
    random = np.random.RandomState(seed)
    for_train = np.arange(len(x_train))
    random.shuffle(for_train)
    for_test = np.arange(len(x_test))
    random.shuffle(for_test)
    x = np.concatenate([x_train[for_train], x_test[for_test]])
    y = np.concatenate([y_train[for_train], y_test[for_test]])
    x, y = _sequences(x, y, num_words, skip_top, maxlen, start_char, oov_char, index_from)
    cut = len(x_train)
    return (_listed(x[:cut]), np.array(y[:cut])), (_listed(x[cut:]), np.array(y[cut:]))


@export("keras.datasets.reuters.load_data")
def load_reuters(
    path: str = "reuters.npz", num_words: int | None = None, skip_top: int = 0, maxlen: int | None = None, test_split: float = 0.2, seed: int = 113, start_char: int = 1, oov_char: int = 2,
    index_from: int = 3, **kwargs: Any,
) -> Any:  # fmt: skip
    with _archive(path) as f:
        x, y = f["x"], f["y"]
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    x, y = _sequences(x[order], y[order], num_words, skip_top, maxlen, start_char, oov_char, index_from)
    cut = int(len(x) * (1 - test_split))
    return (_listed(x[:cut]), np.array(y[:cut])), (_listed(x[cut:]), np.array(y[cut:]))


def _word_index(path: str) -> Any:
    import json

    with open(get_file(path, origin=_ORIGIN + path)) as f:
        return json.load(f)


@export("keras.datasets.imdb.get_word_index")
def imdb_word_index(path: str = "imdb_word_index.json") -> Any:
    return _word_index(path)


@export("keras.datasets.reuters.get_word_index")
def reuters_word_index(path: str = "reuters_word_index.json") -> Any:
    return _word_index(path)


def _pickled(path: str, label: str) -> tuple[Any, Any]:
    import pickle

    with open(path, "rb") as f:
        batch = pickle.load(f, encoding="bytes")
    data = {k.decode("utf-8") if isinstance(k, bytes) else k: v for k, v in batch.items()}
    return data["data"].reshape(-1, 3, 32, 32), data[label]


@export("keras.datasets.cifar10.load_data")
def load_cifar10() -> Any:
    folder = get_file("cifar-10-batches-py", origin="https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz", untar=True)
    parts = [_pickled(os.path.join(folder, f"data_batch_{i}"), "labels") for i in range(1, 6)]
    x, y = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    return _images((x, y), _pickled(os.path.join(folder, "test_batch"), "labels"))


@export("keras.datasets.cifar100.load_data")
def load_cifar100(label_mode: str = "fine") -> Any:
    if label_mode not in ("fine", "coarse"):
        raise ValueError('`label_mode` must be one of `"fine"`, `"coarse"`.')
    folder = get_file("cifar-100-python", origin="https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz", untar=True)
    return _images(*(_pickled(os.path.join(folder, part), f"{label_mode}_labels") for part in ("train", "test")))


def _images(train: tuple[Any, Any], test: tuple[Any, Any]) -> Any:
    (x, y), (tx, ty) = train, test
    return (x.transpose(0, 2, 3, 1), np.reshape(y, (len(y), 1))), (tx.transpose(0, 2, 3, 1), np.reshape(ty, (len(ty), 1)))
