"""Shifts and bit counts, where ONNX has only the logical shifts of some unsigned integers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.dtypes import DType, int64, uint8, uint32, uint64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

# The unsigned type a shift is computed in. Narrow types are shifted in 32 bits and cut off again.
SHIFTED_AS = {8: uint64, 4: uint32, 2: uint32, 1: uint32}


def _amount(op: Builder, y: Value, dtype: DType) -> Value:
    """TensorFlow clamps the number of bits to [0, width - 1]."""
    y = op.Min(op.Max(op.cast(y, int64), np.int64(0)), np.int64(8 * dtype.size - 1))
    return op.cast(y, SHIFTED_AS[dtype.size])


@converts("LeftShift")
def left_shift(op: Builder, node: NodeView) -> Any:
    x, y = node.inputs
    wide = op.cast(x, SHIFTED_AS[x.dtype.size])
    return op.cast(op.BitShift(wide, _amount(op, y, x.dtype), direction="LEFT"), x.dtype)


@converts("RightShift")
def right_shift(op: Builder, node: NodeView) -> Any:
    """Negative numbers keep their sign: ~(~x >> y)."""
    x, y = node.inputs
    amount, wide = _amount(op, y, x.dtype), SHIFTED_AS[x.dtype.size]
    if x.dtype.is_unsigned:
        return op.cast(op.BitShift(op.cast(x, wide), amount, direction="RIGHT"), x.dtype)
    negative = op.Less(x, op.const(0, x.dtype))
    positive = op.Where(negative, op.BitwiseNot(x), x)
    shifted = op.cast(op.BitShift(op.cast(positive, wide), amount, direction="RIGHT"), x.dtype)
    return op.Where(negative, op.BitwiseNot(shifted), shifted)


@converts("PopulationCount")
def population_count(op: Builder, node: NodeView) -> Any:
    """The bits of each byte looked up in a table, added up."""
    x = node.inputs[0]
    table = op.const(np.array([bin(i).count("1") for i in range(256)], np.int64))
    bits = op.cast(x, SHIFTED_AS[x.dtype.size])
    if bits.dtype is uint32:
        bits = op.cast(bits, uint64)
    total: Value | None = None
    for i in range(x.dtype.size):
        byte = op.cast(op.Mod(op.Div(bits, op.const(np.uint64(1 << 8 * i))), op.const(np.uint64(256))), int64)
        count = op.Gather(table, byte, axis=0)
        total = count if total is None else op.Add(total, count)
    return op.cast(total, uint8) if total is not None else None
