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
    InternalError,
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
            None, None, f"callback {token} is not found: the function of node {node.name!r} belongs to the program that built the graph, and is not saved with it."
        )
    given = [v.copy() if isinstance(v, np.ndarray) and v.ndim else v[()] if isinstance(v, np.ndarray) else v for v in inputs]
    try:
        result = function(*given)
    except OpError:
        raise
    except Exception as e:
        kind = next((made for caught, made in _ERRORS if isinstance(e, caught)), UnknownError)
        raise kind(None, None, f"{type(e).__name__}: {e}") from e
    types = node.attr["Tout"]
    results = list(result) if isinstance(result, list | tuple) and not (len(types) == 1 and len(result) != 1) else [result]
    if not types:
        return ()
    if len(results) != len(types):
        raise InvalidArgumentError(None, None, f"{token} returns {len(results)} values, but expects to see {len(types)} values.")
    return tuple([_converted(value, dtype, i, token) for i, (value, dtype) in enumerate(zip(results, types, strict=True))])


def _converted(value: Any, dtype: DType, index: int, token: str) -> Array:
    """A returned value as a tensor. Raises InvalidArgumentError where its type is not the one the node promises."""
    array = value if isinstance(value, np.ndarray) else _as_array(value, dtype)
    if dtype is string:
        if array.dtype.kind not in "OSU":
            raise _type_error(array, dtype, index, token)
        flat = [v.encode() if isinstance(v, str) else bytes(v) for v in array.ravel().tolist()]
        return rows.texts(flat).reshape(array.shape)
    if array.dtype != dtype.as_numpy_dtype:
        raise _type_error(array, dtype, index, token)
    return np.ascontiguousarray(array).reshape(array.shape)


def _as_array(value: Any, dtype: DType) -> Array:
    """Python numbers take the promised type, as they have none of their own; everything else keeps its own."""
    if isinstance(value, list | tuple | int | float | complex | bool) and not isinstance(value, np.generic):
        made = np.asarray(value)
        if made.dtype.kind in "iufcb" and np.can_cast(made.dtype, dtype.as_numpy_dtype, "same_kind"):
            return made.astype(dtype.as_numpy_dtype)
        return made
    return np.asarray(value)


def _type_error(array: Array, dtype: DType, index: int, token: str) -> InternalError | InvalidArgumentError:
    found = {"float32": "float", "float64": "double"}.get(array.dtype.name, array.dtype.name)
    wanted = {"float32": "float", "float64": "double"}.get(dtype.name, dtype.name)
    return InvalidArgumentError(None, None, f"{index}-th value returned by {token} is {found}, but expects {wanted}")
