"""Rows: the tuples of tensors that queues, staging areas and datasets hold, taken apart and put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from graphtools.dtypes import DType
from graphtools.graph import Dims
from runtime.errors import InvalidArgumentError

Array = np.ndarray[Any, Any]
Row = tuple[Any, ...]


def text(value: bytes) -> Array:
    """A scalar string tensor."""
    array: Array = np.empty((), np.object_)
    array[()] = value
    return array


def texts(values: Iterable[Any]) -> Array:
    """A vector of strings."""
    items = list(values)
    array: Array = np.empty(len(items), np.object_)
    array[:] = items
    return array


def name_of(array: Any) -> str:
    """The string in a scalar string tensor, as text: file names, modes, separators."""
    value = array.item() if isinstance(array, np.ndarray) else array
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def take(array: Any, index: int) -> Any:
    """Element `index` of the first dimension; stays an array where it is a scalar."""
    return array[index, ...]


def split(columns: Sequence[Array]) -> list[Row]:
    """The rows of components that share their first dimension."""
    return [tuple([c[i, ...] for c in columns]) for i in range(len(columns[0]))]


def kept(row: Sequence[Any]) -> Row:
    """A row that outlives the run: what was fed is its caller's memory, and part of an array would keep all of it.

    What nobody may write, a constant of the graph, stays where it is.
    """
    return tuple([cell.copy() if isinstance(cell, np.ndarray) and cell.flags.writeable else cell for cell in row])


def stack(cells: Sequence[Any]) -> Array:
    """Cells of one shape as one tensor; variants and resources become an array of objects."""
    first = cells[0]
    if not isinstance(first, np.ndarray):
        if isinstance(first, np.generic):
            return np.array(cells, first.dtype)
        return objects(cells)
    whole: Array = np.empty((len(cells), *first.shape), first.dtype)
    for i, cell in enumerate(cells):
        whole[i, ...] = cell
    return whole


def objects(cells: Sequence[Any]) -> Array:
    """A vector of Python objects."""
    array: Array = np.empty(len(cells), np.object_)
    for i, cell in enumerate(cells):
        array[i] = cell
    return array


def blank(dtype: Any) -> Any:
    """What fills the cells of a tensor that nothing is known of: zero, or the empty string."""
    return b"" if np.dtype(dtype) == np.object_ else 0


def stack_padded(cells: Sequence[Array], shape: Sequence[int], fill: Any) -> Array:
    """Cells of different sizes as one tensor of cells of `shape`, each in its low corner and `fill` around it."""
    whole: Array = np.full((len(cells), *shape), fill, cells[0].dtype)
    for i, cell in enumerate(cells):
        place: Any = (i, *[slice(0, d) for d in cell.shape], ...)
        whole[place] = cell
    return whole


def empty(dtype: DType, dims: Dims) -> Array:
    """No cells of this shape: unknown dimensions are 0."""
    return np.empty((0, *[d or 0 for d in dims or ()]), dtype.as_numpy_dtype)


def shape_text(dims: Any) -> str:
    """A shape in TensorFlow's words: [2,?]."""
    return "<unknown>" if dims is None else "[" + ",".join("?" if d is None or d < 0 else str(d) for d in dims) + "]"


_TYPE_NAMES = {"float32": "float", "float64": "double", "float16": "half"}


def type_text(dtype: DType) -> str:
    """A dtype in TensorFlow's words: float, where Python says float32."""
    return _TYPE_NAMES.get(dtype.base_dtype.name, dtype.base_dtype.name)


def is_compatible(shape: Sequence[int], dims: Dims) -> bool:
    """Whether a tensor of `shape` fits the static shape `dims`."""
    return dims is None or (len(shape) == len(dims) and all(d is None or d < 0 or d == s for s, d in zip(shape, dims, strict=True)))


def check_first_dimension(columns: Sequence[Array]) -> int:
    """The size of the first dimension that all components have. Raises InvalidArgumentError where they differ."""
    if not columns:
        return 0
    if columns[0].ndim == 0:
        raise InvalidArgumentError(None, None, "Input tensor 0 must have at least one dimension; a scalar was given.")
    size = len(columns[0])
    for i, column in enumerate(columns):
        if column.ndim == 0 or len(column) != size:
            found = len(column) if column.ndim else "none"
            raise InvalidArgumentError(
                None,
                None,
                f"All input tensors must have the same size in the 0th dimension. Component {i} has {found}, and should have {size}",
            )
    return size
