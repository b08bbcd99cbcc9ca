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
    merged = merge(dims[: len(prefix)], prefix)
    assert merged is not None  # both were known
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


def context(node: Node, message: str) -> str:
    """A shape function's message as TensorFlow completes it: the node, its op, its input shapes and what was known of input values."""
    shapes = ", ".join(show(t.dims) for t in node.inputs)
    text = f"{message} for '{node.name}' (op: '{node.op}') with input shapes: {shapes}"
    values, partial = [], []
    for i in range(len(node.inputs)):
        if i in AS_SHAPE.get(node.op, ()):
            dims = as_shape(node, i)
            if dims is not None:
                partial.append(f"input[{i}] = {show(dims)}")
            continue
        wanted = AS_VALUE.get(node.op, ())
        if i in wanted or i - len(node.inputs) in wanted:
            known = value(node, i)
            if known is not None:
                partial_text = " ".join(_element(v) for v in np.ravel(known)[:256].tolist())
                values.append(f"input[{i}] = <{partial_text}>")
    if values:
        text += f" and with computed input tensors: {', '.join(values)}"
    if partial:
        text += f" and with input tensors computed as partial shapes: {', '.join(partial)}"
    return text + "."


def _element(v: Any) -> str:
    return str(int(v)) if isinstance(v, bool) else f"{v:g}" if isinstance(v, float) else str(v)


def as_shape(node: Node, index: int) -> Dims:
    """The dims that a shape input stands for."""
    from graphtools.constant import constant_as_shape

    tensor = node.inputs[index]
    found = constant(tensor)
    if found is not None and found.ndim == 0:
        return None  # a scalar -1 stands for an unknown shape
    return constant_as_shape(tensor)


# Op -> the inputs that its shape function reads as a shape, for the message only.
AS_SHAPE: dict[str, tuple[int, ...]] = {
    "BroadcastTo": (1,),
    "Fill": (0,),
    "RandomGamma": (0,),
    "RandomStandardNormal": (0,),
    "RandomUniform": (0,),
    "RandomUniformInt": (0,),
    "Reshape": (1,),
    "ScatterNd": (2,),
    "Slice": (1, 2),
    "SparseToDense": (1,),
    "Tile": (1,),
    "TruncatedNormal": (0,),
}

# Op -> the inputs that its shape function reads as a value, for the message only. Negative ones count from the end.
AS_VALUE: dict[str, tuple[int, ...]] = {
    "All": (1,),
    "Any": (1,),
    "ArgMax": (1,),
    "ArgMin": (1,),
    "BatchToSpaceND": (1, 2),
    "Concat": (0,),
    "ConcatV2": (-1,),
    "ExpandDims": (1,),
    "GatherV2": (2,),
    "LinSpace": (2,),
    "Max": (1,),
    "Mean": (1,),
    "Min": (1,),
    "MirrorPad": (1,),
    "OneHot": (1,),
    "Pad": (1,),
    "PadV2": (1,),
    "Prod": (1,),
    "Range": (0, 1, 2),
    "Reverse": (1,),
    "ReverseV2": (1,),
    "SpaceToBatchND": (1, 2),
    "Split": (0,),
    "SplitV": (1, 2),
    "StridedSlice": (1, 2, 3),
    "Sum": (1,),
    "TopKV2": (1,),
    "Transpose": (1,),
    "UnsortedSegmentMax": (2,),
    "UnsortedSegmentMin": (2,),
    "UnsortedSegmentProd": (2,),
    "UnsortedSegmentSum": (2,),
}
