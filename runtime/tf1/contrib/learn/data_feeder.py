"""Arrays, tables and iterators as batches that are fed to placeholders, for tf.contrib.learn."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from graphtools.dtypes import as_dtype
from runtime.tf1.array_ops import placeholder
from runtime.tf1.registry import export

_BASE = "contrib.learn.io.data_feeder."

# A table's column type -> the type it is read as.
PANDAS_TYPES = {
    "int8": "int", "int16": "int", "int32": "int", "int64": "int", "uint8": "int", "uint16": "int", "uint32": "int", "uint64": "int",
    "float16": "float", "float32": "float", "float64": "float", "bool": "i",
}  # fmt: skip


def _is_table(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "iloc")


@export("contrib.learn.extract_pandas_data")
def extract_pandas_data(data: Any) -> Any:
    """The numbers of a DataFrame; anything else as it is."""
    if not _is_table(data) or not hasattr(data, "columns"):
        return data
    bad = [f"'{c}' type='{data[c].dtype.name}'" for c in data.columns if data[c].dtype.name not in PANDAS_TYPES]
    if bad:
        raise ValueError("Data types for extracting pandas data must be int, float, or bool. Found: " + ", ".join(bad))
    return data.values.astype("float")


@export("contrib.learn.extract_pandas_matrix")
def extract_pandas_matrix(data: Any) -> Any:
    return data.values if _is_table(data) and hasattr(data, "columns") else data


@export("contrib.learn.extract_pandas_labels")
def extract_pandas_labels(labels: Any) -> Any:
    """The numbers of a Series or of a DataFrame with one column."""
    if not _is_table(labels):
        return labels
    if hasattr(labels, "columns"):
        if len(labels.columns) > 1:
            raise ValueError("Only one column for labels is allowed.")
        bad = [f"'{c}' type={labels[c].dtype.name}" for c in labels.columns if labels[c].dtype.name not in PANDAS_TYPES]
        if bad:
            raise ValueError("Data types for extracting labels must be int, float, or bool. Found: " + ", ".join(bad))
        return labels.values
    return labels


@export("contrib.learn.extract_dask_data", "contrib.learn.extract_dask_labels")
def extract_dask_data(data: Any) -> Any:
    """A dask table as one of pandas; anything else as it is."""
    return data.compute() if type(data).__module__.startswith("dask") else data


def _iterates(x: Any) -> bool:
    return hasattr(x, "__next__")


@export(_BASE + "check_array")
def check_array(array: Any, dtype: Any) -> Any:
    return np.asarray(array, dtype=dtype) if isinstance(array, np.ndarray | list) else array


def _rows(data: Any, index: Any) -> Any:
    return data.iloc[index] if _is_table(data) else data[index]


def _shapes(x: Any, y: Any, n_classes: Any, batch_size: int | None) -> tuple[Any, Any, int]:
    if batch_size is None:
        batch_size = (next(iter(x.values())) if isinstance(x, dict) else x)[0]
    elif batch_size <= 0:
        raise ValueError(f"Invalid batch_size {batch_size}.")

    def of_input(shape: Any) -> list[Any]:
        return [batch_size, *(shape[1:] if len(shape) > 1 else [1])]

    def of_output(shape: Any, classes: Any) -> list[Any]:
        rest = list(shape[1:])
        if rest and rest[0] == 1:
            rest = rest[1:]
        return [batch_size, *rest, *([classes] if classes is not None and classes > 1 else [])]

    inputs = {k: of_input(v) for k, v in x.items()} if isinstance(x, dict) else of_input(x)
    if y is None:
        return inputs, None, batch_size
    if isinstance(y, dict):
        return inputs, {k: of_output(v, (n_classes or {}).get(k)) for k, v in y.items()}, batch_size
    return inputs, of_output(y, n_classes), batch_size


def _placeholders(shape: Any, dtype: Any, name: str) -> Any:
    if shape is None:
        return None
    if isinstance(shape, dict):
        return {k: placeholder(as_dtype(dtype[k]), [None, *s[1:]], name=f"{name}_{k}") for k, s in shape.items()}
    return placeholder(as_dtype(dtype), [None, *shape[1:]], name=name)


def _each(value: Any, function: Callable[[Any], Any]) -> Any:
    return {k: function(v) for k, v in value.items()} if isinstance(value, dict) else function(value)


@export(_BASE + "DataFeeder")
class DataFeeder:
    """Batches of rows of arrays, in an order that is shuffled before each epoch if asked."""

    def __init__(
        self, x: Any, y: Any, n_classes: Any, batch_size: int | None = None, shuffle: bool = True, random_state: Any = None, epochs: int | None = None
    ) -> None:  # fmt: skip
        y = np.array(y) if isinstance(y, list) else y
        self._x = _each(x, lambda v: check_array(v, v.dtype))
        self._y = None if y is None else _each(y, lambda v: check_array(v, v.dtype))
        if n_classes is not None and y is not None and not isinstance(y, dict):
            self._y = check_array(y, np.int64 if n_classes > 1 else np.float32)
        self.n_classes, self.max_epochs = n_classes, epochs
        shape_of = lambda v: v.shape  # noqa: E731
        self.input_shape, self.output_shape, self._batch_size = _shapes(
            _each(self._x, shape_of), None if self._y is None else _each(self._y, shape_of), n_classes, batch_size
        )
        self._input_dtype = _each(self._x, lambda v: v.dtype)
        self._output_dtype: Any = np.float32 if self._y is None else _each(self._y, lambda v: v.dtype)
        if isinstance(self._output_dtype, dict) and n_classes is not None:
            self._output_dtype.update({k: np.float32 for k in n_classes if k in self._output_dtype})
        self._shuffle = shuffle
        self.random_state = np.random.RandomState(42) if random_state is None else random_state
        self._count = (next(iter(self._x.values())) if isinstance(self._x, dict) else self._x).shape[0]
        self.indices = self._order()
        self.offset = self.epoch = 0
        self._epoch_placeholder: Any = None

    def _order(self) -> Any:
        return self.random_state.permutation(self._count) if self._shuffle else np.arange(self._count)

    x = property(lambda self: self._x)
    y = property(lambda self: self._y)
    shuffle = property(lambda self: self._shuffle)
    input_dtype = property(lambda self: self._input_dtype)
    output_dtype = property(lambda self: self._output_dtype)
    batch_size = property(lambda self: self._batch_size)

    def make_epoch_variable(self) -> Any:
        self._epoch_placeholder = placeholder("int32", [1], name="epoch")
        return self._epoch_placeholder

    def input_builder(self) -> tuple[Any, Any]:
        """The placeholders of features and labels."""
        self._input_placeholder = _placeholders(self.input_shape, self._input_dtype, "input")
        self._output_placeholder = _placeholders(self.output_shape, self._output_dtype, "output")
        return self._input_placeholder, self._output_placeholder

    def set_placeholders(self, input_placeholder: Any, output_placeholder: Any) -> None:
        self._input_placeholder, self._output_placeholder = input_placeholder, output_placeholder

    def get_feed_params(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "offset": self.offset, "batch_size": self._batch_size}

    def get_feed_dict_fn(self) -> Callable[[], dict[str, Any]]:
        def batch(data: Any, rows: Any) -> Any:
            found = _rows(data, rows)
            return np.array(found).reshape((len(rows), 1)) if len(data.shape) == 1 else found

        def labels(data: Any, shape: Any, dtype: Any, classes: Any, rows: Any) -> Any:
            out = np.zeros([len(rows), *shape[1:]], dtype=dtype)
            for i, row in enumerate(rows):
                value = _rows(data, row)
                if classes is None or classes <= 1:
                    out[i] = np.reshape(value, out[i].shape)
                elif len(shape) == 2:
                    out[i, int(value)] = 1.0
                else:
                    for j, v in enumerate(value):
                        out[i, j, int(v)] = 1.0
            return out

        def feed() -> dict[str, Any]:
            if self.max_epochs is not None and self.epoch + 1 > self.max_epochs:
                raise StopIteration
            fed: dict[str, Any] = {}
            if self._epoch_placeholder is not None:
                fed[self._epoch_placeholder.name] = [self.epoch]
            rows = self.indices[self.offset : self.offset + self._batch_size]
            if isinstance(self._x, dict):
                fed.update({self._input_placeholder[k].name: batch(v, rows) for k, v in self._x.items()})
            else:
                fed[self._input_placeholder.name] = batch(self._x, rows)
            self.offset += self._batch_size
            if self.offset >= self._count:
                self.indices = self._order()
                self.offset = 0
                self.epoch += 1
            if self._output_placeholder is None:
                return fed
            if isinstance(self._y, dict):
                for k, v in self._y.items():
                    classes = (self.n_classes or {}).get(k)
                    fed[self._output_placeholder[k].name] = labels(v, self.output_shape[k], self._output_dtype[k], classes, rows)
            else:
                fed[self._output_placeholder.name] = labels(self._y, self.output_shape, self._output_dtype, self.n_classes, rows)
            return fed

        return feed


@export(_BASE + "StreamingDataFeeder")
class StreamingDataFeeder(DataFeeder):
    """Batches of what iterators give, row by row."""

    def __init__(self, x: Any, y: Any, n_classes: Any, batch_size: int | None) -> None:
        first = next(x)
        self._x = itertools.chain([first], x)
        label = None if y is None else next(y)
        self._y = None if y is None else itertools.chain([label], y)
        self.n_classes = n_classes
        shape_of = lambda v: [1, *np.shape(v[0] if isinstance(v, list) else v)]  # noqa: E731
        self.input_shape, self.output_shape, self._batch_size = _shapes(
            _each(first, shape_of), None if y is None else _each(label, shape_of), n_classes, batch_size
        )
        self._input_dtype = _each(first, lambda v: v.dtype)
        if n_classes is not None and not isinstance(label, dict) and n_classes > 0:
            self._output_dtype = np.float32
        else:
            self._output_dtype = None if y is None else _each(label, lambda v: np.asarray(v).dtype)
        self.stopped = False
        self._epoch_placeholder = None

    def get_feed_params(self) -> dict[str, Any]:
        return {"batch_size": self._batch_size}

    def get_feed_dict_fn(self) -> Callable[[], dict[str, Any]]:
        self.stopped = False

        def batch(values: list[Any], shape: Any, dtype: Any, classes: Any) -> Any:
            out = np.zeros([len(values), *shape[1:]], dtype)
            for i, value in enumerate(values):
                if classes is None or classes <= 1:
                    out[i] = np.reshape(value[0] if isinstance(value, list) and out.ndim == 1 else value, out[i].shape)
                elif len(shape) == 2:
                    out[i, int(value)] = 1.0
                else:
                    for j, v in enumerate(value):
                        out[i, j, int(v)] = 1.0
            return out

        def gathered(target: Any, values: list[Any], shape: Any, dtype: Any, classes: Any) -> dict[str, Any]:
            if isinstance(target, dict):
                return {
                    target[k].name: batch([v[k] for v in values], shape[k], dtype[k], None if classes is None else classes.get(k))
                    for k in target
                }
            return {target.name: batch(values, shape, dtype, classes)}

        def feed() -> dict[str, Any]:
            if self.stopped:
                raise StopIteration
            rows = list(itertools.islice(self._x, self._batch_size))
            self.stopped = len(rows) < self._batch_size
            if not rows:
                raise StopIteration
            fed = gathered(self._input_placeholder, rows, self.input_shape, self._input_dtype, None)
            if self._y is not None:
                labels = list(itertools.islice(self._y, len(rows)))
                fed.update(gathered(self._output_placeholder, labels, self.output_shape, self._output_dtype, self.n_classes))
            return fed

        return feed


@export(_BASE + "setup_train_data_feeder")
def setup_train_data_feeder(
    x: Any, y: Any, n_classes: Any, batch_size: int | None = None, shuffle: bool = True, epochs: int | None = None
) -> DataFeeder:
    """The feeder for this kind of data."""
    x, y = extract_pandas_data(extract_dask_data(x)), extract_pandas_labels(extract_dask_data(y))
    if _iterates(x):
        if y is not None and not _iterates(y):
            raise ValueError("Both x and y should be iterators for streaming learning to work.")
        return StreamingDataFeeder(x, y, n_classes, batch_size)
    return DataFeeder(x, y, n_classes, batch_size, shuffle=shuffle, epochs=epochs)


def _batches(x: Iterator[Any], batch_size: int | None) -> Iterator[Any]:
    if batch_size is not None and batch_size <= 0:
        raise ValueError(f"Invalid batch_size {batch_size}.")
    while rows := list(itertools.islice(x, batch_size)):
        yield {k: np.asarray([r[k] for r in rows]) for k in rows[0]} if isinstance(rows[0], dict) else np.asarray(rows)


@export(_BASE + "setup_predict_data_feeder")
def setup_predict_data_feeder(x: Any, batch_size: int | None = None) -> Any:
    x = extract_pandas_data(extract_dask_data(x))
    if _iterates(x):
        return _batches(x, batch_size)
    if len(x.shape) == 1:
        x = np.reshape(x, (-1, 1))
    if batch_size is None:
        return [x]
    if batch_size <= 0:
        raise ValueError(f"Invalid batch_size {batch_size}.")
    return [x[i * batch_size : (i + 1) * batch_size] for i in range(math.ceil(len(x) / batch_size))]


@export(_BASE + "setup_processor_data_feeder", "contrib.learn.preprocessing.setup_processor_data_feeder")
def setup_processor_data_feeder(x: Any) -> Any:
    return extract_pandas_matrix(x)
