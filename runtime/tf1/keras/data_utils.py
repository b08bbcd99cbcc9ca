"""tf.keras.utils: sequences of batches, labels as matrices, files kept locally."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import numpy as np

from runtime.tf1.registry import export


@export("keras.utils.Sequence")
class Sequence:
    """Batches by index."""

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError

    def __len__(self) -> int:
        raise NotImplementedError

    def on_epoch_end(self) -> None: ...

    def __iter__(self) -> Any:
        for i in range(len(self)):
            yield self[i]


@export("keras.utils.to_categorical")
def to_categorical(y: Any, num_classes: int | None = None, dtype: str = "float32") -> Any:
    """Class numbers as rows of a one-hot matrix."""
    y = np.array(y, dtype="int")
    shape = y.shape
    if shape and shape[-1] == 1 and len(shape) > 1:
        shape = tuple(shape[:-1])
    y = y.ravel()
    if not num_classes:
        num_classes = int(np.max(y)) + 1
    found = np.zeros((y.shape[0], num_classes), dtype=dtype)
    found[np.arange(y.shape[0]), y] = 1
    return np.reshape(found, (*shape, num_classes))


@export("keras.utils.normalize")
def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    norms = np.atleast_1d(np.linalg.norm(x, order, axis))
    norms[norms == 0] = 1
    return x / np.expand_dims(norms, axis)


@export("keras.utils.get_file")
def get_file(
    fname: Any, origin: Any = None, untar: bool = False, md5_hash: Any = None, file_hash: Any = None, cache_subdir: str = "datasets", hash_algorithm: str = "auto", extract: bool = False,
    archive_format: str = "auto", cache_dir: Any = None,
) -> Any:  # fmt: skip
    """The path of a file in Keras' cache; nothing is downloaded."""
    cache_dir = cache_dir or os.path.join(os.environ.get("KERAS_HOME", os.path.join(os.path.expanduser("~"), ".keras")))
    path = fname if os.path.isabs(fname) else os.path.join(cache_dir, cache_subdir, fname)
    found = path
    if not os.path.exists(found):
        raise FileNotFoundError(
            f"{found} is not there, and tfrevive downloads nothing. Fetch {origin} yourself and put it at that path (or set KERAS_HOME to the folder that has {cache_subdir}/{fname})."
        )
    wanted = file_hash or md5_hash
    if wanted and os.path.isfile(found):
        algorithm = "sha256" if hash_algorithm == "sha256" or (hash_algorithm == "auto" and len(wanted) == 64) else "md5"
        digest = hashlib.new(algorithm, usedforsecurity=False)
        with open(found, "rb") as f:
            for block in iter(lambda: f.read(65536), b""):
                digest.update(block)
        if digest.hexdigest() != wanted:
            raise ValueError(
                f"{found} has the {algorithm} {digest.hexdigest()}, but {wanted} was expected. Replace the file by a whole copy of {origin}."
            )
    return found
