"""Convolutions and their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from graphtools.convert import converts
from graphtools.convert.filter_gradients import filter_gradient
from graphtools.convert.windows import (
    Window,
    flat_pads,
    is_channels_first,
    padded,
    same_pads,
    spatial_sizes,
    to_channels_first,
    to_channels_last,
    window_of,
)

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView


def image_in(op: Builder, node: NodeView, x: Value, rank: int) -> Value:
    return x if is_channels_first(node) else to_channels_first(op, x, rank)


def image_out(op: Builder, node: NodeView, y: Value, rank: int) -> Value:
    return y if is_channels_first(node) else to_channels_last(op, y, rank)


def _known(node: NodeView, dims: Sequence[int | None], what: str) -> list[int]:
    if any(d is None for d in dims):
        raise node.fail(f"the {what} must have a static shape; it is {list(dims)}.")
    return [int(d) for d in dims if d is not None]


def _filter_dims(node: NodeView, value: Value | None, sizes: str | None = None) -> list[int]:
    """The filter's [spatial..., in, out], from the filter or from the constant that holds its sizes."""
    if value is not None and value.dims is not None:
        return _known(node, value.dims, "filter")
    if sizes is not None:
        found = node.maybe_const(sizes)
        if found is not None:
            return [int(d) for d in found]
        if node.dims is not None:
            return _known(node, node.dims, "filter")
    raise node.fail("the filter must have a static shape.")


def _weights(op: Builder, w: Value, dims: list[int], depthwise: bool) -> Value:
    """[spatial..., in, out] -> [out, in, spatial...]; depthwise [spatial..., in, multiplier] -> [in * multiplier, 1, spatial...]."""
    n = len(dims)
    if depthwise:
        turned = op.Transpose(w, perm=[n - 2, n - 1, *range(n - 2)])
        result: Value = op.Reshape(turned, op.const([dims[-2] * dims[-1], 1, *dims[:-2]]))
    else:
        result = op.Transpose(w, perm=[n - 1, n - 2, *range(n - 2)])
    return result


def _channels(node: NodeView, x: Value, rank: int) -> int | None:
    return None if x.dims is None else x.dims[1 if is_channels_first(node) else rank - 1]


def _groups(node: NodeView, channels: int | None, dims: list[int]) -> int:
    if node.op.startswith("Depthwise"):
        return dims[-2]
    return 1 if channels is None or not dims[-2] else channels // dims[-2]


def convolve(op: Builder, x: Value, w: Value, window: Window, groups: int = 1) -> Value:
    """Conv of an image (NC...) with weights [out, in / groups, spatial...]."""
    x, attrs = padded(op, x, window)
    if groups != 1:
        attrs["group"] = groups
    result: Value = op.Conv(x, w, **attrs)
    return result


@converts("Conv2D", "Conv3D", "DepthwiseConv2dNative")
def conv(op: Builder, node: NodeView) -> Any:
    rank = 5 if node.op == "Conv3D" else 4
    x, w = node.input("input"), node.input("filter")
    if w.dims is None or None in w.dims:
        return image_out(op, node, _with_open_filter(op, node, image_in(op, node, x, rank), w, rank), rank)
    dims = _filter_dims(node, w)
    window = window_of(node, dims[:-2], rank)
    weights = _weights(op, w, dims, node.op.startswith("Depthwise"))
    y = convolve(op, image_in(op, node, x, rank), weights, window, _groups(node, _channels(node, x, rank), dims))
    return image_out(op, node, y, rank)


def _with_open_filter(op: Builder, node: NodeView, x: Value, w: Value, rank: int) -> Value:
    """Conv of an image NC... with a filter whose sizes only the run tells; the number of its groups must be known."""
    window = window_of(node, [1] * (rank - 2), rank)
    weights, attrs = _open_weights(op, node, w, window, x.dims[1] if x.dims is not None else None)
    if window.padding == "SAME":
        before, after = same_pads(op, spatial_sizes(op, x, rank), window, _reach(op, w, window))
        zeros = op.const([0, 0])
        x = op.Pad(x, op.Concat(zeros, before, zeros, after, axis=0), op.const(0, x.dtype))
    elif any(p != (0, 0) for p in window.explicit):
        attrs["pads"] = flat_pads(window.explicit)
    result: Value = op.Conv(x, weights, **attrs)
    return result


def _open_weights(op: Builder, node: NodeView, w: Value, window: Window, channels: int | None) -> tuple[Value, dict[str, Any]]:
    """The weights and the attributes without kernel_shape, which ONNX reads off the weights."""
    n = window.rank - 2
    attrs = window.attrs()
    del attrs["kernel_shape"]
    known = (None,) * window.rank if w.dims is None else w.dims
    if node.op.startswith("Depthwise"):
        groups = known[-2] if known[-2] is not None else channels
        if groups is None:
            raise node.fail("the number of channels must be known; neither the image nor the filter has it in its static shape.")
        turned = op.Transpose(w, perm=[n, n + 1, *range(n)])
        weights = op.Reshape(turned, op.Concat([-1, 1], op.Shape(w, start=0, end=n), axis=0))
    else:
        groups = channels // known[-2] if channels and known[-2] else 1
        weights = op.Transpose(w, perm=[n + 1, n, *range(n)])
    if weights.dims is None:
        weights.dims = (None,) * window.rank
    if groups != 1:
        attrs["group"] = groups
    return weights, attrs


def _reach(op: Builder, w: Value, window: Window) -> Value:
    """The extent of a dilated kernel whose sizes only the run tells."""
    sizes = op.Shape(w, start=0, end=len(window.kernel))
    result: Value = op.Add(op.Mul(op.Sub(sizes, 1), op.const(list(window.dilations))), 1)
    return result


@converts("FusedPadConv2D", "FusedResizeAndPadConv2D")
def fused_pad_conv(op: Builder, node: NodeView) -> Any:
    """Resize (bilinear, corners as asked), MirrorPad, Conv in one op of graph-transform tools."""
    x, w, paddings = node.input("input"), node.input("filter"), node.const("paddings").tolist()
    x = to_channels_first(op, x, 4)
    if node.op == "FusedResizeAndPadConv2D":
        from graphtools.convert.image_ops import resize_linear

        x = resize_linear(
            op, x, op.cast(node.input("size"), _int64()), align_corners=bool(node.attr["resize_align_corners"]), half_pixel=False
        )
    order = [paddings[i] for i in (0, 3, 1, 2)]
    if any(p for pair in order for p in pair):
        pads = op.const([p[0] for p in order] + [p[1] for p in order])
        x = op.Pad(x, pads, mode="reflect") if node.attr["mode"] == "REFLECT" else _symmetric(op, x, order)
    dims = _filter_dims(node, w)
    return to_channels_last(op, convolve(op, x, _weights(op, w, dims, False), window_of(node, dims[:-2], 4)), 4)


def _int64() -> Any:
    from graphtools.dtypes import int64

    return int64


def _symmetric(op: Builder, x: Value, order: list[list[int]]) -> Value:
    """SYMMETRIC repeats the edge: the flipped border beside the image."""
    for axis, (before, after) in enumerate(order):
        parts = []
        if before:
            parts.append(op.Slice(x, [before - 1], [-(2**62)], [axis], [-1]))
        parts.append(x)
        if after:
            parts.append(op.Slice(x, [-1], [-after - 1], [axis], [-1]))
        if len(parts) > 1:
            x = op.Concat(*parts, axis=axis)
    return x


# -- gradients -------------------------------------------------------------------------------------------------------


@converts("Conv2DBackpropInput", "Conv3DBackpropInput", "Conv3DBackpropInputV2", "DepthwiseConv2dNativeBackpropInput")
def conv_backprop_input(op: Builder, node: NodeView) -> Any:
    """ConvTranspose, whose pads and output_padding follow from the size of the input that the convolution read.

    Measured on the CPU against a Conv with the flipped filter: as fast for stride 1, seven times faster with few channels.
    """
    rank = 5 if node.op.startswith("Conv3D") else 4
    w, dy = node.input("filter"), node.input("out_backprop")
    if w.dims is None or None in w.dims:
        return image_out(op, node, _transposed_with_open_filter(op, node, image_in(op, node, dy, rank), w, rank), rank)
    dims = _filter_dims(node, w)
    window = window_of(node, dims[:-2], rank)
    first = is_channels_first(node)
    spatial = range(2, rank) if first else range(1, rank - 1)
    sizes: list[int | None] = [None] * (rank - 2)
    if node.op == "Conv3DBackpropInput":
        shape = op.Shape(node.input("input"))
        if node.input("input").dims is not None:
            sizes = [node.input("input").dims[a] for a in spatial]
    else:
        shape = node.input("input_sizes")
        known = node.maybe_const("input_sizes")
        if known is not None and len(known) == rank - 2:  # 2.x takes the spatial sizes alone
            sizes = [int(d) for d in known]
            shape = None
        elif known is not None:
            sizes = [int(known[a]) for a in spatial]
    if node.dims is not None:
        sizes = [s if s is not None else node.dims[a] for s, a in zip(sizes, spatial, strict=True)]
    channels = None
    if node.dims is not None:
        channels = node.dims[1 if first else rank - 1]
    elif node.op != "Conv3DBackpropInput" and (known := node.maybe_const("input_sizes")) is not None and len(known) == rank:
        channels = int(known[1 if first else rank - 1])
    groups = _groups(node, channels, dims)
    weights = _weights(op, w, dims, node.op.startswith("Depthwise"))
    dy = image_in(op, node, dy, rank)
    y = transposed(op, dy, weights, window, groups, sizes, None if shape is None else (shape, spatial))
    return image_out(op, node, y, rank)


def _transposed_with_open_filter(op: Builder, node: NodeView, dy: Value, w: Value, rank: int) -> Value:
    """ConvTranspose to the largest size that the filter, whose sizes only the run tells, can have come from; then cut."""
    n = rank - 2
    window = window_of(node, [1] * n, rank)
    first = is_channels_first(node)
    spatial = range(2, rank) if first else range(1, rank - 1)
    shape = op.Shape(node.input("input")) if node.op == "Conv3DBackpropInput" else op.cast(node.input("input_sizes"), _int64())
    if shape.dims == (n,):  # 2.x takes the spatial sizes alone
        wanted = shape
    else:
        wanted = op.Slice(shape, [spatial[0]], [spatial[-1] + 1], [0])
    channels = node.dims[1 if first else rank - 1] if node.dims is not None else None
    weights, attrs = _open_weights(op, node, w, window, channels)
    if any(s != 1 for s in window.strides):
        attrs["output_padding"] = [s - 1 for s in window.strides]
    full = op.ConvTranspose(dy, weights, **attrs)
    if full.dims is None:
        full.dims = (None,) * rank
    if window.padding == "SAME":
        before, _ = same_pads(op, wanted, window, _reach(op, w, window))
    else:
        before = op.const([b for b, _ in window.explicit])
    cut: Value = op.Slice(full, before, op.Add(before, wanted), list(range(2, rank)))
    return cut


def transposed(
    op: Builder, dy: Value, weights: Value, window: Window, groups: int, sizes: Sequence[int | None], shape: tuple[Value, range] | None
) -> Value:
    """ConvTranspose to the spatial `sizes`; where they are unknown, to those in `shape`, a shape tensor and the axes of it to take."""
    attrs = window.attrs()
    if groups != 1:
        attrs["group"] = groups
    n = len(window.kernel)
    outs = dy.dims[2:] if dy.dims is not None else (None,) * n
    pads = window.pads(sizes)
    cropped: list[tuple[int, int] | None] = []
    extra: list[int | None] = []
    for i in range(n):
        stride, reach, size, out = window.strides[i], window.reach[i], sizes[i], outs[i]
        pair = None if pads is None else pads[i]
        if pair is not None and size is not None and out is not None:
            rest = size - ((out - 1) * stride + reach - sum(pair))
            cropped.append(pair)
            extra.append(rest)
        elif pair is not None and stride == 1:
            cropped.append(pair)
            extra.append(0)
        else:
            cropped.append(None)
            extra.append(None)
    if all(e is not None and 0 <= e < max(s, 2) for e, s in zip(extra, window.strides, strict=True)):
        pairs = [c for c in cropped if c is not None]
        even = [min(pair) for pair in pairs]  # ONNX Runtime leaves uneven pads to the CPU: what is uneven is cut off
        if any(even):
            attrs["pads"] = even * 2
        if any(extra):
            attrs["output_padding"] = extra
        result: Value = op.ConvTranspose(dy, weights, **attrs)
        uneven = [(b - e, a - e) for (b, a), e in zip(pairs, even, strict=True)]
        if any(u != (0, 0) for u in uneven):
            result = op.Slice(result, [b for b, _ in uneven], [-a if a else 2**62 for _, a in uneven], list(range(2, n + 2)))
        return result
    # the size is only known when the model runs: transpose to the largest size that fits, then cut
    attrs["output_padding"] = [s - 1 for s in window.strides]
    if not any(attrs["output_padding"]):
        del attrs["output_padding"]
    full = op.ConvTranspose(dy, weights, **attrs)
    if shape is not None:
        tensor, axes = shape
        wanted = op.Slice(op.cast(tensor, _int64()), [axes[0]], [axes[-1] + 1], [0])
    else:
        wanted = op.const([int(s or 0) for s in sizes])
    if window.padding == "SAME":
        before, _ = same_pads(op, wanted, window)
    else:
        before = op.const([b for b, _ in window.explicit])
    cut: Value = op.Slice(full, before, op.Add(before, wanted), list(range(2, n + 2)))
    return cut


@converts("Conv2DBackpropFilter", "Conv3DBackpropFilter", "Conv3DBackpropFilterV2", "DepthwiseConv2dNativeBackpropFilter")
def conv_backprop_filter(op: Builder, node: NodeView) -> Any:
    """A convolution of the image by the gradient with batch and channels swapped: its dilations are the strides, and the reverse.

    dw[k, i, o] = sum over n, p of x[n, p * stride + k * dilation - pad, i] * dy[n, p, o]. On the CPU within 15 % of im2col and Gemm
    or faster, without their column matrix.
    """
    rank = 5 if node.op.startswith("Conv3D") else 4
    n = rank - 2
    x, dy = node.input("input"), node.input("out_backprop")
    legacy = node.op == "Conv3DBackpropFilter"
    dims = _filter_dims(node, node.input("filter")) if legacy else _filter_dims(node, None, "filter_sizes")
    window = window_of(node, dims[:-2], rank)
    depthwise = node.op.startswith("Depthwise")
    groups = _groups(node, _channels(node, x, rank), dims)
    if all(k == 1 for k in dims[:-2]) and all(s == 1 for s in window.strides) and groups == 1 and window.padding != "EXPLICIT":
        return _pointwise_filter(op, node, x, dy, dims, rank)
    first = is_channels_first(node)
    if groups == 1 and not depthwise:
        images, gradients = (to_channels_last(op, v, rank) if first else v for v in (x, dy))
        found = filter_gradient(op, images, gradients, window, dims[-2], dims[-1])
        if found is not None:
            return found
    x = x if first else to_channels_first(op, x, rank)
    dy = dy if first else to_channels_first(op, dy, rank)
    sizes = x.dims[2:] if x.dims is not None else (None,) * n
    pads = window.pads(sizes)
    if pads is None:
        before, after = same_pads(op, spatial_sizes(op, x, rank), window)
        zeros = op.const([0, 0])
        x = op.Pad(x, op.Concat(zeros, before, zeros, after, axis=0))
        pads = [(0, 0)] * n
    spatial = list(range(2, rank))
    swap = [1, 0, *spatial]
    if groups == 1:
        x = op.Transpose(x, perm=swap)  # [in, batch, ...]
    else:  # [in / groups, groups * batch, ...]
        per = 1 if depthwise else dims[-2]
        if per == 1:
            x = op.Transpose(x, perm=swap)
            x = op.Reshape(x, op.Concat(op.const([1, -1]), op.Shape(x, start=2), axis=0))
        else:
            split = op.Reshape(x, op.Concat(op.const([0, groups, per]), op.Shape(x, start=2), axis=0))
            turned = op.Transpose(split, perm=[2, 1, 0, *range(3, rank + 1)])
            x = op.Reshape(turned, op.Concat(op.const([per, -1]), op.Shape(turned, start=3), axis=0))
    dy = op.Transpose(dy, perm=swap)  # [out, batch, ...]
    swapped = replace(window, kernel=tuple(1 for _ in dims[:-2]), strides=window.dilations, dilations=window.strides)
    attrs = swapped.attrs()
    del attrs["kernel_shape"]
    if any(p != (0, 0) for p in pads):
        attrs["pads"] = flat_pads(pads)
    if groups != 1:
        attrs["group"] = groups
    dw = op.Conv(x, dy, **attrs)  # [in / groups, out, kernel and what the last window left over]
    outs = dy.dims[2:] if dy.dims is not None else (None,) * n
    exact = all(
        size is not None and out is not None and (size + sum(pad) - s * (out - 1) - 1) // d + 1 == k
        for size, out, pad, s, d, k in zip(sizes, outs, pads, window.strides, window.dilations, window.kernel, strict=True)
    ) or all(s == 1 and d == 1 for s, d in zip(window.strides, window.dilations, strict=True))
    if not exact:
        dw = op.Slice(dw, [0] * n, dims[:-2], spatial)
    if depthwise:
        dw = op.Reshape(dw, op.const([dims[-2], dims[-1], *dims[:-2]]))
    return op.Transpose(dw, perm=[*spatial, 0, 1])


def _pointwise_filter(op: Builder, node: NodeView, x: Value, dy: Value, dims: list[int], rank: int) -> Value:
    """A 1x1 filter's gradient is one matrix product."""
    if is_channels_first(node):
        x, dy = to_channels_last(op, x, rank), to_channels_last(op, dy, rank)
    x = op.Reshape(x, op.const([-1, dims[-2]]))
    dy = op.Reshape(dy, op.const([-1, dims[-1]]))
    result: Value = op.Reshape(op.MatMul(op.Transpose(x, perm=[1, 0]), dy), op.const(dims))
    return result
