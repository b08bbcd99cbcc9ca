"""Ops that move blocks of pixels between space, depth and batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.array_ops import BIGGEST, reshaped
from graphtools.convert.slicing_ops import onnx_pads
from graphtools.dtypes import float32, float64, int8, int64, uint8

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

KERNELS = (float32, float64, int8, uint8)  # the dtypes of ONNX Runtime's DepthToSpace and SpaceToDepth


@converts("DepthToSpace", "SpaceToDepth")
def depth_space(op: Builder, node: NodeView) -> Any:
    """ONNX knows channels first only; its order of depths (DCR) is TensorFlow's."""
    x, block, layout = node.inputs[0], int(node.attr["block_size"]), str(node.attr["data_format"])
    if layout == "NCHW_VECT_C":
        raise node.fail("the layout NCHW_VECT_C is not supported: ONNX has no vectors of channels.")
    last = layout == "NHWC"
    if last:
        x = op.Transpose(x, perm=[0, 3, 1, 2])
    if x.dtype in KERNELS:
        x = op.DepthToSpace(x, blocksize=block, mode="DCR") if node.op == "DepthToSpace" else op.SpaceToDepth(x, blocksize=block)
    else:
        x = _moved(op, x, block, node.op == "DepthToSpace")
    return op.Transpose(x, perm=[0, 2, 3, 1]) if last else x


def _moved(op: Builder, x: Value, block: int, to_space: bool) -> Value:
    n, c, h, w = (op.Shape(x, start=i, end=i + 1) for i in range(4))
    b, area = op.const([block]), op.const([block * block])
    if to_space:
        c = op.Div(c, area)
        x = op.Reshape(x, op.Concat(n, b, b, c, h, w, axis=0), allowzero=1)
        x = op.Transpose(x, perm=[0, 3, 4, 1, 5, 2])
        result: Value = op.Reshape(x, op.Concat(n, c, op.Mul(h, b), op.Mul(w, b), axis=0), allowzero=1)
        return result
    h, w = op.Div(h, b), op.Div(w, b)
    x = op.Reshape(x, op.Concat(n, c, h, b, w, b, axis=0), allowzero=1)
    x = op.Transpose(x, perm=[0, 3, 5, 1, 2, 4])
    moved: Value = op.Reshape(x, op.Concat(n, op.Mul(c, area), h, w, axis=0), allowzero=1)
    return moved


def _block(op: Builder, node: NodeView) -> tuple[Value, int, Value]:
    """The block sizes, how many, and the paddings or crops."""
    if node.op.endswith("ND"):
        block = op.cast(node.inputs[1], int64)
        count = block.dims[0] if block.dims else None
        if count is None:
            raise node.fail("the number of block dimensions is not known.")
        return block, count, op.cast(node.inputs[2], int64)
    return op.const([int(node.attr["block_size"])] * 2), 2, op.cast(node.inputs[1], int64)


def _interleave(op: Builder, a: Value, b: Value) -> Value:
    result: Value = op.Reshape(op.Concat(op.Unsqueeze(a, [1]), op.Unsqueeze(b, [1]), axis=1), [-1])
    return result


def _rank(node: NodeView, x: Value) -> int:
    rank = x.rank if x.rank is not None else len(node.dims) if node.dims is not None else None
    if rank is None:
        raise node.fail("the rank of the input must be known.")
    return rank


@converts("SpaceToBatchND", "SpaceToBatch")
def space_to_batch(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    block, count, paddings = _block(op, node)
    rank = _rank(node, x)
    if paddings.const is None or paddings.const.any():
        pads = onnx_pads(op, paddings)
        around = np.zeros(1, np.int64), np.zeros(rank - count - 1, np.int64)
        befores, afters = op.Slice(pads, [0], [count]), op.Slice(pads, [count], [BIGGEST])
        x = op.Pad(x, op.Concat(around[0], befores, around[1], around[0], afters, around[1], axis=0), op.const(0, x.dtype))
    batch, rest = op.Shape(x, start=0, end=1), op.Shape(x, start=count + 1)
    space = op.Div(op.Shape(x, start=1, end=count + 1), block)
    x = reshaped(op, x, op.Concat(batch, _interleave(op, space, block), rest, axis=0))
    blocks = [2 * i + 2 for i in range(count)]
    x = op.Transpose(x, perm=[*blocks, 0, *(2 * i + 1 for i in range(count)), *range(2 * count + 1, count + rank)])
    return reshaped(op, x, op.Concat(op.Mul(batch, op.ReduceProd(block, keepdims=1)), space, rest, axis=0))


@converts("BatchToSpaceND", "BatchToSpace")
def batch_to_space(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    block, count, crops = _block(op, node)
    rank = _rank(node, x)
    batch = op.Div(op.Shape(x, start=0, end=1), op.ReduceProd(block, keepdims=1))
    space, rest = op.Shape(x, start=1, end=count + 1), op.Shape(x, start=count + 1)
    x = reshaped(op, x, op.Concat(block, batch, space, rest, axis=0))
    pairs = [p for i in range(count) for p in (count + 1 + i, i)]
    x = op.Transpose(x, perm=[count, *pairs, *range(2 * count + 1, count + rank)])
    whole = op.Mul(space, block)
    x = reshaped(op, x, op.Concat(batch, whole, rest, axis=0))
    if crops.const is not None and not crops.const.any():
        return x
    starts, ends = (op.Gather(crops, np.int64(i), axis=1) for i in (0, 1))
    return op.Slice(x, starts, op.Sub(whole, ends), list(range(1, count + 1)))
