"""Arithmetic of static shapes: merging, broadcasting and rank checks, with TensorFlow's words where they contradict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphtools.constant import constant
from graphtools.errors import ShapeError
from graphtools.graph import Dims, Node

Dim = int | None
Known = tuple[int | None, ...]


def show(dims: Dims) -> str:
    """A shape as TensorFlow's shape functions print it: "[2,?]", or "?" for an unknown rank."""
    return "?" if dims is None else "[" + ",".join("?" if d is None else str(d) for d in dims) + "]"


def value(node: Node, index: int) -> Any:
    """The value of an input as far as constants and static shapes tell it, else None."""
    if isinstance(node, Asking):
        node.values.add(index % len(node.inputs))
        if node.blind:
            return None
    return constant(node.inputs[index])


def scalar(node: Node, index: int) -> int | None:
    """The value of a scalar integer input, None where unknown."""
    found = value(node, index)
    return None if found is None or found.size != 1 else int(found.ravel()[0])


def unknown(rank: int | None) -> Dims:
    return None if rank is None else (None,) * rank


def with_rank(dims: Dims, rank: int) -> Known:
    if dims is None:
        return (None,) * rank
    if len(dims) != rank:
        raise ShapeError(f"Shape must be rank {rank} but is rank {len(dims)}")
    return dims


def at_least(dims: Dims, rank: int) -> Dims:
    if dims is not None and len(dims) < rank:
        raise ShapeError(f"Shape must be at least rank {rank} but is rank {len(dims)}")
    return dims


def at_most(dims: Dims, rank: int) -> Dims:
    if dims is not None and len(dims) > rank:
        raise ShapeError(f"Shape must be at most rank {rank} but is rank {len(dims)}")
    return dims


def merge_dim(a: Dim, b: Dim) -> Dim:
    if a is None or b is None or a == b:
        return b if a is None else a
    raise ShapeError(f"Dimensions must be equal, but are {a} and {b}")


def with_value(dim: Dim, wanted: Dim) -> Dim:
    if dim is not None and wanted is not None and dim != wanted:
        raise ShapeError(f"Dimension must be {wanted} but is {dim}")
    return wanted if dim is None else dim


def merge(a: Dims, b: Dims) -> Dims:
    """What two descriptions of one shape say together."""
    if a is None or b is None:
        return b if a is None else a
    if len(a) != len(b):
        raise ShapeError(f"Shapes must be equal rank, but are {len(a)} and {len(b)}")
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        if x is not None and y is not None and x != y:
            raise ShapeError(f"Dimension {i} in both shapes must be equal, but are {x} and {y}. Shapes are {show(a)} and {show(b)}.")
    return tuple(y if x is None else x for x, y in zip(a, b, strict=True))


def merge_prefix(dims: Dims, prefix: Dims) -> tuple[Dims, Dims]:
    """`dims` with its first dims merged with `prefix`, and the merged prefix."""
    if dims is None or prefix is None:
        return dims, prefix
    at_least(dims, len(prefix))
    merged = tuple(merge_dim(a, b) for a, b in zip(dims, prefix, strict=False))
    return (*merged, *dims[len(prefix) :]), merged


def join(*parts: Dims) -> Dims:
    """The concatenation of shapes; unknown where one is."""
    result: list[Dim] = []
    for part in parts:
        if part is None:
            return None
        result.extend(part)
    return tuple(result)


def broadcast(a: Dims, b: Dims) -> Dims:
    """The shape that two shapes broadcast to; an unknown dim beside one larger than 1 is taken to fit it."""
    if a is None or b is None:
        return None
    rank = max(len(a), len(b))
    left, right = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    result: list[Dim] = []
    for x, y in zip(left, right, strict=True):
        if x is None or y is None:
            if x is not None and x > 1:
                result.append(x)
            elif (y is not None and y > 1) or x == 1:
                result.append(y)
            elif y == 1:
                result.append(x)
            else:
                result.append(None)
        elif x == 1 or y == 1:
            result.append(y if x == 1 else x)
        else:
            result.append(merge_dim(x, y))
    return tuple(result)


def elements(dims: Sequence[Dim]) -> int | None:
    """The number of elements; None where a dim is unknown."""
    total = 1
    for d in dims:
        if d is None:
            return None
        total *= d
    return total


def add(a: Dim, b: Dim) -> Dim:
    return None if a is None or b is None else a + b


def multiply(a: Dim, b: Dim) -> Dim:
    if a == 0 or b == 0:
        return 0
    return None if a is None or b is None else a * b


def axis_of(axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        raise ShapeError(f"Invalid axis: {axis}; must be in [{-rank},{rank})")
    return axis % rank


def reduced(dims: Dims, axes: Any, keep: bool) -> Dims:
    """The shape without the axes that a reduction over a known rank-0 or rank-1 `axes` removes, or with them of size 1."""
    if dims is None:
        return None
    if axes is None:
        return (None,) * len(dims) if keep else None
    gone = set()
    for a in np.ravel(axes).tolist():
        if not -len(dims) <= a < len(dims):
            raise ShapeError(f"Invalid reduction dimension {a} for input with {len(dims)} dimensions.")
        gone.add(a % len(dims))
    return tuple(1 if i in gone else d for i, d in enumerate(dims) if keep or i not in gone)


class Asking:
    """A node that notes which of its inputs' values a shape function asks for: TensorFlow's messages list those.

    A blind one answers none: TensorFlow tries without values first, and lists none where that is refused already.
    """

    def __init__(self, node: Node, *, blind: bool = False) -> None:
        self._node = node
        self.blind = blind
        self.values: set[int] = set()
        self.shapes: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)


def context(node: Node, message: str, asked: Asking) -> str:
    """A shape function's message as TensorFlow completes it: the node, its op, its input shapes and what was known of input values."""
    shapes = ", ".join(show(t.dims) for t in node.inputs)
    text = f"{message} for '{node.name}' (op: '{node.op}') with input shapes: {shapes}"
    values = [(i, value(node, i)) for i in sorted(asked.values - asked.shapes)]
    known = [f"input[{i}] = <{summary(v, [256])}>" for i, v in values if v is not None]
    partial = [f"input[{i}] = {show(dims)}" for i in sorted(asked.shapes) if (dims := as_shape(node, i))]
    if known:
        text += f" and with computed input tensors: {', '.join(known)}"
    if partial:
        text += f" and with input tensors computed as partial shapes: {', '.join(partial)}"
    return text + "."


def summary(array: Any, left: list[int]) -> str:
    """Elements as TensorFlow prints them: rows in brackets one after the other, up to the number left."""
    if array.ndim > 1:
        rows = []
        for row in array:
            if left[0] <= 0:
                break
            rows.append(f"[{summary(row, left)}]")
        return "".join(rows)
    flat = np.ravel(array).tolist()
    shown, left[0] = flat[: left[0]], left[0] - len(flat)
    return " ".join(_element(v) for v in shown) + ("..." if len(shown) < len(flat) else "")


def _element(v: Any) -> str:
    return str(int(v)) if isinstance(v, bool) else f"{v:g}" if isinstance(v, float) else str(v)


def as_shape(node: Node, index: int) -> Dims:
    """The dims that a shape input stands for."""
    from graphtools.constant import constant_as_shape

    if isinstance(node, Asking):
        node.shapes.add(index)
    tensor = node.inputs[index]
    if isinstance(node, Asking) and node.blind:
        return unknown(tensor.dims[0]) if tensor.dims and len(tensor.dims) == 1 else None
    found = constant(tensor)
    if found is not None and found.ndim == 0:
        return None  # a scalar -1 stands for an unknown shape
    return constant_as_shape(tensor)
