"""tf.contrib.learn.datasets: the small tables that came with TensorFlow, read from local CSV files."""

from __future__ import annotations

import collections
import csv
import os
import sys
from typing import Any

import numpy as np

from runtime.tf1.registry import export, put

_BASE = "contrib.learn.datasets.base."
_PRIVATE = "contrib.learn.python.learn.datasets.base."

Dataset = collections.namedtuple("Dataset", ["data", "target"])
put(_BASE + "Dataset", Dataset)
put(_PRIVATE + "Dataset", Dataset)


def find_file(name: str) -> str:
    """Where a data file lies: the folder named by LEGACY_DATA, the working directory, the script's folder, or a `data` folder in or beside these."""
    script = os.path.dirname(os.path.abspath(sys.argv[0])) if sys.argv and sys.argv[0] else os.getcwd()
    places = [os.environ["LEGACY_DATA"]] if os.environ.get("LEGACY_DATA") else []
    for folder in (os.getcwd(), script):
        places += [folder, os.path.join(folder, "data"), os.path.join(os.path.dirname(folder), "data")]
    for place in places:
        path = os.path.join(place, name)
        if os.path.exists(path):
            return path
    raise FileNotFoundError(
        f"{name} was not found: put it beside the script, or name its folder in the environment variable LEGACY_DATA. Looked in {', '.join(dict.fromkeys(places))}."
    )


def _open(filename: Any) -> Any:
    return open(os.fspath(filename), newline="", encoding="utf-8")


@export(_BASE + "load_csv_with_header", _PRIVATE + "load_csv_with_header")
def load_csv_with_header(filename: Any, target_dtype: Any, features_dtype: Any, target_column: int = -1) -> Any:
    """A table whose first line starts with the number of rows and of features."""
    with _open(filename) as file:
        rows = csv.reader(file)
        header = next(rows)
        try:
            samples, features = int(header[0]), int(header[1])
        except (ValueError, IndexError) as e:
            raise ValueError(f"{filename}:1: expected the number of rows and of features, found {','.join(header)!r}.") from e
        data = np.zeros((samples, features), dtype=features_dtype)
        target = np.zeros((samples,), dtype=target_dtype)
        for i, row in enumerate(r for r in rows if r):
            target[i] = np.asarray(row.pop(target_column), dtype=target_dtype)
            data[i] = np.asarray(row, dtype=features_dtype)
    return Dataset(data=data, target=target)


@export(_BASE + "load_csv_without_header", _PRIVATE + "load_csv_without_header")
def load_csv_without_header(filename: Any, target_dtype: Any, features_dtype: Any, target_column: int = -1) -> Any:
    data, target = [], []
    with _open(filename) as file:
        for row in csv.reader(file):
            if not row:
                continue
            target.append(row.pop(target_column))
            data.append(np.asarray(row, dtype=features_dtype))
    return Dataset(data=np.array(data), target=np.array(target, dtype=target_dtype))


@export(_BASE + "load_iris", _PRIVATE + "load_iris")
def load_iris(data_path: Any = None) -> Any:
    return _table(data_path or find_file("iris.csv"), np.int64)


@export(_BASE + "load_boston", _PRIVATE + "load_boston")
def load_boston(data_path: Any = None) -> Any:
    return _table(data_path or find_file("boston_house_prices.csv"), np.float64)


put("contrib.learn.datasets.load_iris", load_iris)
put("contrib.learn.datasets.load_boston", load_boston)


def _table(path: Any, target_dtype: Any) -> Any:
    """A table with TensorFlow's header, or with the names of its columns (and of the target, last) as header."""
    with _open(path) as file:
        first = next(csv.reader(file), [])
    if len(first) > 1 and first[0].strip().isdigit() and first[1].strip().isdigit():
        return load_csv_with_header(path, target_dtype, np.float64)
    with _open(path) as file:
        rows = [r for r in csv.reader(file) if r]
    if rows and not _is_number(rows[0][0]):
        rows = rows[1:]
    return Dataset(data=np.array([r[:-1] for r in rows], np.float64), target=np.array([float(r[-1]) for r in rows]).astype(target_dtype))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@export("contrib.learn.datasets.load_dataset")
def load_dataset(name: str, size: str = "small", test_with_fake_data: bool = False) -> Any:
    """The data set of this name, from local files."""
    if name == "iris":
        return load_iris()
    if name == "boston":
        return load_boston()
    if name == "mnist":
        from runtime.tf1.modules import lookup

        return lookup("contrib.learn.datasets.mnist.read_data_sets")("MNIST_data")
    if name == "dbpedia":
        raise NotImplementedError("tf.contrib.learn.datasets: dbpedia had to be downloaded and is not supported.")
    raise ValueError(f"Name of dataset is not found: {name}")
