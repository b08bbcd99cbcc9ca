"""Colour spaces and adjustments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.dtypes import float32, int64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

Channels = tuple["Value", "Value", "Value"]


def _split(op: Builder, images: Value) -> Channels:
    parts: Channels = op.Split(images, op.const([1, 1, 1]), axis=-1, outputs=3)
    return parts


def _to_hsv(op: Builder, rgb: Channels) -> Channels:
    """v = max, s = range / v, h = (g - b, b - r + 2 range, r - g + 4 range) / (6 range) by which of r, g, b is the largest, first of equals."""
    r, g, b = rgb
    value = op.Max(r, g, b)
    spread = op.Sub(value, op.Min(r, g, b))
    some = op.Greater(spread, 0)
    saturation = op.Where(op.Greater(value, 0), op.Div(spread, value), 0)
    norm = op.Reciprocal(op.Mul(spread, 6))
    from_green = op.Add(op.Mul(op.Sub(b, r), norm), 2.0 / 6)
    from_blue = op.Add(op.Mul(op.Sub(r, g), norm), 4.0 / 6)
    hue = op.Where(op.Equal(r, value), op.Mul(op.Sub(g, b), norm), op.Where(op.Equal(g, value), from_green, from_blue))
    hue = op.Where(some, hue, 0)
    return op.Where(op.Less(hue, 0), op.Add(hue, 1), hue), saturation, value


def _to_rgb(op: Builder, hsv: Channels) -> Value:
    """Each of r, g, b is (1 - s + s * d) * v, d how near the hue is to it: |6h - 3| - 1, 2 - |6h - 2|, 2 - |6h - 4|, within 0 and 1."""
    hue, saturation, value = hsv
    turned = op.Mul(hue, 6)
    near = (
        op.Sub(op.Abs(op.Sub(turned, 3)), 1),
        op.Sub(2, op.Abs(op.Sub(turned, 2))),
        op.Sub(2, op.Abs(op.Sub(turned, 4))),
    )
    base = op.Sub(1, saturation)
    result: Value = op.Concat(*[op.Mul(op.Add(op.Mul(op.Clip(n, 0, 1), saturation), base), value) for n in near], axis=-1)
    return result


@converts("RGBToHSV")
def rgb_to_hsv(op: Builder, node: NodeView) -> Any:
    return op.Concat(*_to_hsv(op, _split(op, node.inputs[0])), axis=-1)


@converts("HSVToRGB")
def hsv_to_rgb(op: Builder, node: NodeView) -> Any:
    return _to_rgb(op, _split(op, node.inputs[0]))


@converts("AdjustHue")
def adjust_hue(op: Builder, node: NodeView) -> Any:
    """The hue turned by delta, as a fraction of the circle."""
    images, delta = node.inputs
    hue, saturation, value = _to_hsv(op, _split(op, op.cast(images, float32)))
    moved = op.Add(hue, delta)
    return op.cast(_to_rgb(op, (op.Sub(moved, op.Floor(moved)), saturation, value)), node.dtype)


@converts("AdjustSaturation")
def adjust_saturation(op: Builder, node: NodeView) -> Any:
    images, scale = node.inputs
    hue, saturation, value = _to_hsv(op, _split(op, op.cast(images, float32)))
    return op.cast(_to_rgb(op, (hue, op.Clip(op.Mul(saturation, scale), 0, 1), value)), node.dtype)


@converts("AdjustContrastv2", "AdjustContrast")
def adjust_contrast(op: Builder, node: NodeView) -> Any:
    """(x - mean) * factor + mean, the mean of each channel of each image; the first version clamps and takes any dtype."""
    images = op.cast(node.input("images"), float32)
    mean = op.ReduceMean(images, [-3, -2], keepdims=1)
    y = op.Add(op.Mul(op.Sub(images, mean), node.input("contrast_factor")), mean)
    if node.op == "AdjustContrast":
        y = op.Min(op.Max(y, node.input("min_value")), node.input("max_value"))
    return op.cast(y, node.dtype)


@converts("DrawBoundingBoxes", "DrawBoundingBoxesV2")
def draw_bounding_boxes(op: Builder, node: NodeView) -> Any:
    """The one-pixel outlines of each box in turn; corners are cut off to whole pixels of the image's last row and column."""
    images, boxes = node.input("images"), node.input("boxes")
    if images.dims is None or images.dims[3] is None or boxes.dims is None or boxes.dims[1] is None:
        raise node.fail("the numbers of channels and of boxes must be static.")
    channels, count = images.dims[3], boxes.dims[1]
    palette = _palette(op, node, channels)
    sizes = [op.Shape(images, start=a, end=a + 1) for a in (1, 2)]
    zero, one = op.const(np.int64(0)), op.const(np.int64(1))
    rows, columns = (op.Range(zero, op.Squeeze(s, [0]), one) for s in sizes)
    rows, columns = op.Reshape(rows, op.const([1, -1, 1])), op.Reshape(columns, op.const([1, 1, -1]))
    lasts = [op.Sub(s, 1) for s in sizes]
    result = images
    for n in range(count):
        box = op.Slice(boxes, [n], [n + 1], [1])  # [batch, 1, 4]
        low_y, low_x, high_y, high_x = (
            op.cast(op.Mul(op.Slice(box, [i], [i + 1], [2]), op.cast(lasts[i % 2], box.dtype)), int64) for i in range(4)
        )
        valid = op.And(op.GreaterOrEqual(high_y, low_y), op.GreaterOrEqual(high_x, low_x))
        in_rows = op.And(op.GreaterOrEqual(rows, low_y), op.LessOrEqual(rows, high_y))
        in_columns = op.And(op.GreaterOrEqual(columns, low_x), op.LessOrEqual(columns, high_x))
        edge = op.Or(
            op.And(op.Or(op.Equal(rows, low_y), op.Equal(rows, high_y)), in_columns),
            op.And(op.Or(op.Equal(columns, low_x), op.Equal(columns, high_x)), in_rows),
        )
        colour = op.Gather(palette, op.const(np.int64(n)), axis=0) if palette.const is not None else _chosen(op, palette, n)
        result = op.Where(op.Unsqueeze(op.And(edge, valid), [3]), op.cast(colour, images.dtype), result)
    return result


def _chosen(op: Builder, palette: Value, n: int) -> Value:
    """Colour n of a palette that is gone through again and again."""
    index = op.Mod(op.const(np.int64(n)), op.Shape(palette, start=0, end=1))
    result: Value = op.Gather(palette, op.Squeeze(index, [0]), axis=0)
    return result


# What DrawBoundingBoxes goes through where no colours are given: yellow, blue, red, lime, purple, olive, maroon, navy, aqua, fuchsia.
PALETTE = (
    (1, 1, 0, 1), (0, 0, 1, 1), (1, 0, 0, 1), (0, 1, 0, 1), (0.5, 0, 0.5, 1), (0.5, 0.5, 0, 1), (0.5, 0, 0, 1), (0, 0, 0.5, 1), (0, 1, 1, 1),
    (1, 0, 1, 1),
)  # fmt: skip


def _palette(op: Builder, node: NodeView, channels: int) -> Value:
    if node.op == "DrawBoundingBoxesV2":
        colours = node.input("colors")
        if colours.dims is None or colours.dims[0] != 0:
            return op.Slice(colours, [0], [channels], [1])  # type: ignore[no-any-return]
    table = np.array(PALETTE, np.float32)
    if channels == 1:
        table[:, 0] = 1.0
    count = node.input("boxes").dims[1]
    return op.const(np.stack([table[i % len(table), :channels] for i in range(max(count, 1))]))
