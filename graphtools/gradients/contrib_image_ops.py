"""Gradients of tf.contrib.image and tf.contrib.resampler."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import float32, int32
from graphtools.gradients import gradient, not_differentiable
from graphtools.gradients.walk import Emit
from graphtools.graph import Node

not_differentiable("BipartiteMatch", "ImageConnectedComponents", "ResamplerGrad")


def _sliced(g: Emit, x: Any, begin: list[int], end: list[int], **masks: int) -> Any:
    with g.graph.name_scope("strided_slice") as scope:
        bounds = [g.const(v, int32, n) for n, v in (("stack", begin), ("stack_1", end), ("stack_2", [1] * len(begin)))]
        return g.graph.create("StridedSlice", [x, *bounds], masks, scope).outputs[0]


def _matrices(g: Emit, transforms: Any) -> Any:
    """[n, 8] with the ninth 1 that is left out, as [n, 3, 3]."""
    with g.graph.name_scope("flat_transforms_to_matrices"):
        flat = g.op("Reshape", transforms, g.const([-1, 8], int32))
        count = _sliced(g, g.shape(flat), [0], [1], shrink_axis_mask=1)
        with g.graph.name_scope("ones") as scope:
            with g.graph.name_scope("mul") as inner:
                size = g.graph.create("Mul", [count, g.const(1, int32, "y")], {}, inner).outputs[0]
            with g.graph.name_scope("Less") as inner:
                g.graph.create(
                    "Less", [size, g.const(1000, int32, "y")], {}, inner
                )  # TensorFlow compares it, and op counts seed random ops
            with g.graph.name_scope("packed") as inner:
                shape = g.graph.create("Pack", [[count, g.const(1, int32, "1")]], {"axis": 0}, inner).outputs[0]
            ones = g.graph.create("Fill", [shape, g.const(1.0, float32)], {}, scope).outputs[0]
        with g.graph.name_scope("concat") as scope:
            whole = g.graph.create("ConcatV2", [[flat, ones], g.const(1, int32, "axis")], {}, scope).outputs[0]
        return g.op("Reshape", whole, g.const([-1, 3, 3], int32))


def _flat(g: Emit, matrices: Any) -> Any:
    with g.graph.name_scope("matrices_to_flat_transforms"):
        flat = g.op("Reshape", matrices, g.const([-1, 9], int32))
        flat = g.op("RealDiv", flat, _sliced(g, flat, [0, 8], [0, 9], begin_mask=1, end_mask=1), name="truediv")
        return _sliced(g, flat, [0, 0], [0, 8], begin_mask=3, end_mask=1)


@gradient("ImageProjectiveTransformV2")
def image_projective_transform(g: Emit, node: Node, dy: Any) -> Any:
    """The gradient, moved back by the inverse transform."""
    images, transforms = node.inputs[0], node.inputs[1]
    inverse = _flat(g, g.op("MatrixInverse", _matrices(g, transforms)))
    size = _sliced(g, g.shape(images), [1], [3])
    return g.op("ImageProjectiveTransformV2", dy, inverse, size, interpolation=node.attr["interpolation"]), None, None


@gradient("Resampler")
def resampler(g: Emit, node: Node, dy: Any) -> Any:
    return tuple(g.op("ResamplerGrad", node.inputs[0], node.inputs[1], dy))
