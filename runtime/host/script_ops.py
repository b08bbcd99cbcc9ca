"""py_func: Python functions of the script as ops."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from graphtools.dtypes import DType, string
from graphtools.graph import Node
from runtime.errors import (
    InvalidArgumentError,
    OpError,
    OutOfRangeError,
    ResourceExhaustedError,
    UnimplementedError,
    UnknownError,
)
from runtime.host import Run, host, rows
from runtime.host.rows import Array

# The functions that graphs call by token: a graph holds only the token, its owner keeps the function here as long as the process lives.
_FUNCTIONS: dict[str, Callable[..., Any]] = {}
_NUMBERS = itertools.count()

# Python exceptions and the errors that TensorFlow makes of them.
_ERRORS: tuple[tuple[type[BaseException], type[OpError]], ...] = (
    (StopIteration, OutOfRangeError),
    (TypeError, InvalidArgumentError),
    (ValueError, InvalidArgumentError),
    (MemoryError, ResourceExhaustedError),
    (NotImplementedError, UnimplementedError),
)


def register_py_func(function: Callable[..., Any]) -> str:
    """Keep a function for the graphs that call it. The token is what their nodes hold in the attr of that name."""
    token = f"pyfunc_{next(_NUMBERS)}"
    _FUNCTIONS[token] = function
    return token


def unregister_py_func(token: str) -> None:
    """Forget a function whose graph is gone."""
    _FUNCTIONS.pop(token, None)


@host("PyFunc", "PyFuncStateless", "EagerPyFunc")
def py_func(run: Run, node: Node, *inputs: Any) -> tuple[Array, ...]:
    token = node.attr["token"]
    function = _FUNCTIONS.get(token)
    if function is None:
        raise InvalidArgumentError(
            None,
            None,
            f"callback {token} is not found: the function of node {node.name!r} belongs to the program that built the graph, and is not saved with it.",
        )
    given = [v.copy() if isinstance(v, np.ndarray) and v.ndim else v[()] if isinstance(v, np.ndarray) else v for v in inputs]
    try:
        result = function(*given)
    except Exception as e:  # whatever a script's function raises becomes the error that TensorFlow makes of it
        kind = next((made for caught, made in _ERRORS if isinstance(e, caught)), UnknownError)
        raise kind(None, None, f"{type(e).__name__}: {e}") from e
    types = node.attr["Tout"]
    results = list(result) if isinstance(result, list | tuple) else [] if result is None else [result]
    if len(results) != len(types):
        raise InvalidArgumentError(None, None, f"{token} returns {len(results)} values, but expects to see {len(types)} values.")
    return tuple([_converted(value, dtype, i, token) for i, (value, dtype) in enumerate(zip(results, types, strict=True))])


def _converted(value: Any, dtype: DType, index: int, token: str) -> Array:
    """A returned value as a tensor. Raises InvalidArgumentError where its type is not the one the node promises.

    A scalar takes the promised precision: which one a function computes in changed from NumPy 1 to NumPy 2.
    """
    array = np.asarray(value)
    if dtype is string:
        if array.dtype.kind not in "OSU":
            raise _type_error(array, dtype, index, token)
        flat = [v.encode() if isinstance(v, str) else bytes(v) for v in array.ravel().tolist()]
        return rows.texts(flat).reshape(array.shape)
    wanted = np.dtype(dtype.as_numpy_dtype)
    if array.dtype != wanted and array.ndim == 0 and array.dtype.kind == wanted.kind and array.dtype.kind in "fc":
        return array.astype(wanted)
    if array.dtype != wanted:
        raise _type_error(array, dtype, index, token)
    return np.ascontiguousarray(array).reshape(array.shape)


def _type_error(array: Array, dtype: DType, index: int, token: str) -> InvalidArgumentError:
    found = {"float32": "float", "float64": "double"}.get(array.dtype.name, array.dtype.name)
    wanted = {"float32": "float", "float64": "double"}.get(dtype.name, dtype.name)
    return InvalidArgumentError(None, None, f"{index}-th value returned by {token} is {found}, but expects {wanted}")
