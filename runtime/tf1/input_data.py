"""tensorflow.examples.tutorials.mnist.input_data: MNIST's files, read from a local folder."""

from __future__ import annotations

import collections
import gzip
import os
import struct
from typing import Any

import numpy as np

from graphtools.dtypes import as_dtype
from runtime.tf1.registry import export, put

_PREFIX = "examples.tutorials.mnist.input_data."
_BASE_PREFIX = "contrib.learn.python.learn.datasets.base."

Datasets = collections.namedtuple("Datasets", ["train", "validation", "test"])
put("contrib.learn.datasets.base.Datasets", Datasets)
put(_BASE_PREFIX + "Datasets", Datasets)
put("contrib.learn.python.learn.datasets.mnist.Datasets", Datasets)
put(_PREFIX + "base.Datasets", Datasets)

FILES = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz")


def _read(path: str, dimensions: int) -> Any:
    """The array in an IDX file of unsigned bytes with this many dimensions, gzipped or not."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if len(data) < 4 + 4 * dimensions or data[:4] != bytes((0, 0, 8, dimensions)):
        raise ValueError(
            f"Invalid magic number {int.from_bytes(data[:4], 'big')} in MNIST file: {path} (an IDX file of unsigned bytes with {dimensions} dimensions was expected)"
        )
    sizes = struct.unpack(f">{dimensions}I", data[4 : 4 + 4 * dimensions])
    wanted = int(np.prod(sizes, dtype=np.int64))
    body = np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions)
    if body.size < wanted:
        raise ValueError(f"{path} is truncated: {wanted} bytes of pixels or labels were expected after the header, {body.size} are there.")
    return body[:wanted].reshape(sizes)


@export(_PREFIX + "extract_images")
def extract_images(f: Any) -> Any:
    return _read(f if isinstance(f, str) else f.name, 3)[..., np.newaxis]


@export(_PREFIX + "dense_to_one_hot")
def dense_to_one_hot(labels_dense: Any, num_classes: int) -> Any:
    one_hot = np.zeros((len(labels_dense), num_classes))
    one_hot[np.arange(len(labels_dense)), labels_dense.ravel()] = 1
    return one_hot


@export(_PREFIX + "extract_labels")
def extract_labels(f: Any, one_hot: bool = False, num_classes: int = 10) -> Any:
    labels = _read(f if isinstance(f, str) else f.name, 1)
    return dense_to_one_hot(labels, num_classes) if one_hot else labels


@export(_PREFIX + "DataSet")
class DataSet:
    """Images and labels, given out in shuffled batches."""

    def __init__(
        self,
        images: Any,
        labels: Any,
        fake_data: bool = False,
        one_hot: bool = False,
        dtype: Any = "float32",
        reshape: bool = True,
        seed: int | None = None,
    ) -> None:
        self._rng = np.random.RandomState(seed) if seed is not None else np.random.mtrand._rand  # type: ignore[attr-defined]
        dtype = as_dtype(dtype).base_dtype
        if dtype.name not in ("uint8", "float32"):
            raise TypeError(f"Invalid image dtype {dtype!r}, expected uint8 or float32")
        if fake_data:
            self._num_examples = 10000
            self.one_hot = one_hot
        else:
            if images.shape[0] != labels.shape[0]:
                raise ValueError(f"images.shape: {images.shape} labels.shape: {labels.shape}")
            self._num_examples = images.shape[0]
            if reshape:
                images = images.reshape(images.shape[0], images.shape[1] * images.shape[2])
            if dtype.name == "float32":
                images = np.multiply(images.astype(np.float32), 1.0 / 255.0)
        self._fake = fake_data
        self._images, self._labels = images, labels
        self._epochs_completed = 0
        self._index_in_epoch = 0

    images = property(lambda self: self._images)
    labels = property(lambda self: self._labels)
    num_examples = property(lambda self: self._num_examples)
    epochs_completed = property(lambda self: self._epochs_completed)

    def next_batch(self, batch_size: int, fake_data: bool = False, shuffle: bool = True) -> tuple[Any, Any]:
        """The next examples of this epoch; at its end the rest and the first of the next one, shuffled anew."""
        if fake_data:
            label: Any = [1] + [0] * 9 if self.one_hot else 0
            return [[1] * 784 for _ in range(batch_size)], [label for _ in range(batch_size)]
        start = self._index_in_epoch
        if self._epochs_completed == 0 and start == 0 and shuffle:
            self._shuffle(self._rng)
        if start + batch_size > self._num_examples:
            self._epochs_completed += 1
            rest = self._num_examples - start
            images_rest, labels_rest = self._images[start:], self._labels[start:]
            if shuffle:
                self._shuffle(self._rng)
            self._index_in_epoch = batch_size - rest
            return (
                np.concatenate((images_rest, self._images[: self._index_in_epoch]), axis=0),
                np.concatenate((labels_rest, self._labels[: self._index_in_epoch]), axis=0),
            )
        self._index_in_epoch += batch_size
        return self._images[start : self._index_in_epoch], self._labels[start : self._index_in_epoch]

    def _shuffle(self, rng: Any) -> None:
        order = np.arange(self._num_examples)
        rng.shuffle(order)
        self._images, self._labels = self._images[order], self._labels[order]


@export(_PREFIX + "read_data_sets")
def read_data_sets(
    train_dir: str,
    fake_data: bool = False,
    one_hot: bool = False,
    dtype: Any = "float32",
    reshape: bool = True,
    validation_size: int = 5000,
    seed: int | None = None,
    source_url: str = "",
) -> Any:
    """The three data sets from MNIST's four files in `train_dir`. Raises FileNotFoundError that says where to put them."""
    if fake_data:
        empty = np.zeros((0,))
        fake = [DataSet(empty, empty, fake_data=True, one_hot=one_hot, dtype=dtype, seed=seed) for _ in range(3)]
        return Datasets(*fake)
    found = {}
    for name in FILES:
        path = next(
            (p for p in (os.path.join(train_dir, name), os.path.join(train_dir, name.removesuffix(".gz"))) if os.path.exists(p)), None
        )
        if path is None:
            raise FileNotFoundError(
                f"MNIST's file {name} is not in {os.path.abspath(train_dir)!r}. Nothing is downloaded: put the four IDX files ({', '.join(FILES)}; with or without .gz) there."
            )
        found[name] = path
        print("Extracting", path)
    train_images, test_images = extract_images(found[FILES[0]]), extract_images(found[FILES[2]])
    train_labels, test_labels = extract_labels(found[FILES[1]], one_hot=one_hot), extract_labels(found[FILES[3]], one_hot=one_hot)
    if not 0 <= validation_size <= len(train_images):
        raise ValueError(f"Validation size should be between 0 and {len(train_images)}. Received: {validation_size}.")
    options = dict(dtype=dtype, reshape=reshape, seed=seed)
    return Datasets(
        train=DataSet(train_images[validation_size:], train_labels[validation_size:], **options),
        validation=DataSet(train_images[:validation_size], train_labels[:validation_size], **options),
        test=DataSet(test_images, test_labels, **options),
    )


put("contrib.learn.datasets.mnist.read_data_sets", read_data_sets)
put("contrib.learn.python.learn.datasets.mnist.read_data_sets", read_data_sets)
put("contrib.learn.python.learn.datasets.mnist.DataSet", DataSet)
