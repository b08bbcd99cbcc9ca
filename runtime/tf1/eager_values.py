"""tf.py_function: Python functions of tensors' values, which have .numpy() and may be computed with by TensorFlow functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools import graph as base
from graphtools.dtypes import as_dtype
from runtime.host.script_ops import register_py_func
from runtime.tf1.graph import Graph, apply_op, get_default_graph
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape


class Value(np.ndarray):  # type: ignore[type-arg]
    """A tensor's value, with what a script asks an eager tensor for."""

    def numpy(self) -> Any:
        array = np.asarray(self)
        return array[()] if array.ndim == 0 else array

    def get_shape(self) -> TensorShape:
        return TensorShape(np.ndarray.__getattribute__(self, "shape"))

    def __bool__(self) -> bool:
        return bool(np.asarray(self).any()) if self.size == 1 else bool(np.asarray(self))

    def __iter__(self) -> Any:
        return iter([_value(v) for v in np.asarray(self)])


def _value(array: Any) -> Any:
    return np.asarray(array).view(Value)


def computed(function: Any, *values: Any) -> Any:
    """The function's results, its TensorFlow functions computed at once in a graph of their own."""
    from runtime.tf1.client import Session, internal_runs

    with Graph().as_default() as graph:
        result = function(*(_value(v) for v in values))
        if result is None:
            return None
        several = list(result) if isinstance(result, list | tuple) else [result]
        several = [r.read_value() if hasattr(r, "read_value") else r for r in several]
        tensors = [r for r in several if isinstance(r, base.Tensor)]
        if tensors:
            with internal_runs(), Session(graph=graph) as session:
                made = dict(zip(tensors, session.run(tensors), strict=True))
            several = [made.get(r, r) if isinstance(r, base.Tensor) else r for r in several]
    several = [np.asarray(r) for r in several]
    return several if isinstance(result, list | tuple) else several[0]


@export("py_function")
def py_function(func: Any, inp: Any, Tout: Any, name: str | None = None) -> Any:
    """The values of a Python function of tensors with .numpy(), called when the graph runs. No gradient flows through it."""
    if not callable(func):
        raise ValueError(f"Expected func to be callable, got func of type {type(func)}")
    several = isinstance(Tout, list | tuple)
    types = [as_dtype(t) for t in (Tout if several else [Tout])]

    def call(*values: Any) -> Any:
        result = computed(func, *values)
        if result is None:
            return None
        parts = result if isinstance(result, list) else [result]
        cast = [
            p.astype(t.as_numpy_dtype) if t.name != "string" and p.dtype != t.as_numpy_dtype else p
            for p, t in zip(parts, types, strict=False)
        ]
        return cast if isinstance(result, list) else cast[0]

    get_default_graph().attributes.setdefault("py_funcs", []).append(func)
    result = apply_op("EagerPyFunc", name, input=list(inp), token=register_py_func(call), Tout=types)
    if several:
        return result
    return result[0] if isinstance(result, list) else result
