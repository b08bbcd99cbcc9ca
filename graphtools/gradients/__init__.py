"""Gradients as TensorFlow ops: the registry of gradient functions and the reverse walk.

A gradient function is `@gradient("MatMul")(g, node, dy) -> dx`, for the op types it names: `dy` is the gradient of the
node's output (a tuple of them, one per output, for an op with several; None for an output that has none and whose dtype
takes none), `dx` a tensor, IndexedSlices or None for each input, in order. It emits TensorFlow ops with `g.op("Mul", a, b)`,
as TensorFlow 1.15's own gradient does, with its names, so that the graph is the one TensorFlow would have built.
`NOT_DIFFERENTIABLE` lists the ops that stop the walk silently, as TensorFlow declares them.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphtools.graph import Tensor

if TYPE_CHECKING:
    from graphtools.dtypes import DType
    from graphtools.graph import Graph, Node

GradientFunction = Callable[..., Any]
GRADIENTS: dict[str, GradientFunction] = {}
NOT_DIFFERENTIABLE: set[str] = set()


@dataclass(eq=False)
class IndexedSlices:
    """A tensor that is zero but for the rows `indices`, whose contents are `values`; repeated rows add up."""

    values: Tensor
    indices: Tensor
    dense_shape: Tensor | None = None

    @property
    def name(self) -> str:
        return self.values.name

    @property
    def dtype(self) -> DType:
        return self.values.dtype

    @property
    def op(self) -> Node:
        return self.values.node

    @property
    def graph(self) -> Graph:
        return self.values.node.graph

    @property
    def device(self) -> str:
        return self.values.node.device


def gradient(*ops: str) -> Callable[[GradientFunction], GradientFunction]:
    """Declare the gradient function of these op types. Raises ValueError when one has a gradient already."""

    def declare(function: GradientFunction) -> GradientFunction:
        for op in ops:
            if op in GRADIENTS or op in NOT_DIFFERENTIABLE:
                raise ValueError(f"Two gradients for op {op!r}, the second in {function.__module__}.")
            GRADIENTS[op] = function
        return function

    return declare


def not_differentiable(*ops: str) -> None:
    """Declare that no gradient flows through these op types."""
    for op in ops:
        if op in GRADIENTS:
            raise ValueError(f"Op {op!r} has a gradient and is declared not differentiable.")
        NOT_DIFFERENTIABLE.add(op)


@functools.cache
def load() -> dict[str, GradientFunction]:
    """The registry, with every *_ops file of this folder imported."""
    for module in pkgutil.iter_modules(__path__):
        if module.name.endswith("_ops"):
            importlib.import_module(f"{__name__}.{module.name}")
    return GRADIENTS


def gradients(ys: Any, xs: Any, grad_ys: Any = None, **options: Any) -> list[Any]:
    """See graphtools.gradients.walk.gradients."""
    from graphtools.gradients.walk import gradients as walk

    return walk(ys, xs, grad_ys, **options)


__all__ = ["GRADIENTS", "NOT_DIFFERENTIABLE", "IndexedSlices", "gradient", "gradients", "load", "not_differentiable"]
