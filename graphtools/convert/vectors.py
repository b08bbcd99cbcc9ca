"""Short integer vectors, such as shapes and bounds, element by element: what is known of each is used, the rest is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from graphtools.dtypes import int64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value


def elements(op: Builder, vector: Value) -> list[int | Value] | None:
    """The elements of an integer vector where they are told apart: an int, or a vector of one int64 element."""
    if vector.const is not None:
        return [int(v) for v in vector.const.ravel()] if vector.const.ndim == 1 else None
    if vector.dims == (1,):
        return [op.cast(vector, int64)]
    node = vector.node
    if node is None or node.inputs[0] is None:
        return None
    if node.op_type == "Cast" and node.inputs[0].dtype.is_integer:
        return elements(op, node.inputs[0])
    if node.op_type != "Concat":
        return None
    found: list[int | Value] = []
    for part in node.inputs:
        known = elements(op, part) if part is not None else None
        if known is None:
            return None
        found.extend(known)
    return found


def vector_of(op: Builder, parts: Sequence[int | Value]) -> Value:
    """The vector of these elements."""
    joined: list[Value] = []
    numbers: list[int] = []
    for part in [*parts, None]:
        if isinstance(part, int):
            numbers.append(part)
            continue
        if numbers:
            joined.append(op.const(np.array(numbers, np.int64)))
            numbers = []
        if part is not None:
            joined.append(part)
    if not joined:
        return op.const(np.zeros(0, np.int64))
    result: Value = joined[0] if len(joined) == 1 else op.Concat(*joined, axis=0)
    return result


def is_size(value: Value) -> bool:
    """Whether an integer is a size, or picked from sizes, and so is not negative."""
    for _ in range(20):
        node = value.node
        if value.const is not None:
            return bool((value.const >= 0).all())
        if node is None:
            return False
        if node.op_type in ("Shape", "Size"):
            return True
        if node.op_type not in ("Cast", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Unsqueeze") or node.inputs[0] is None:
            return False
        value = node.inputs[0]
    return False
