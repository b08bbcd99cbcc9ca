"""Pooling and its gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.conv_ops import image_in, image_out, transposed
from graphtools.convert.nn_grad_ops import scatter_add
from graphtools.convert.windows import Window, padded, patches, picking_filter, same_pads, spatial_sizes, window_of
from graphtools.convert.windows import is_channels_first as channels_first
from graphtools.dtypes import float32, float64, int64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView


def _window(node: NodeView, rank: int) -> tuple[Window, int, int]:
    """The window of a pool, and its extent and stride over the channels."""
    if node.op.endswith("V2") and "ksize" not in node.attr:
        ksize, strides = node.const("ksize").tolist(), node.const("strides").tolist()
    else:
        ksize, strides = node.attr["ksize"], node.attr["strides"]
    axes = range(2, rank) if channels_first(node) else range(1, rank - 1)
    channel = 1 if channels_first(node) else rank - 1
    window = window_of(node, [ksize[a] for a in axes], rank, strides=strides)
    return window, int(ksize[channel]), int(strides[channel])


def _lowest(value: Value) -> Any:
    return -np.inf if value.dtype.is_floating else value.dtype.min


@converts("MaxPool", "MaxPoolV2", "MaxPool3D")
def max_pool(op: Builder, node: NodeView) -> Any:
    rank = 5 if "3D" in node.op else 4
    window, depth, _ = _window(node, rank)
    x = node.input("input")
    if depth > 1:  # TensorFlow pools over the channels alone, in windows that do not overlap
        if x.dims is None or x.dims[-1] is None:
            raise node.fail("pooling over channels needs their static number.")
        shape = op.Concat(op.Shape(x, start=0, end=rank - 1), op.const([x.dims[-1] // depth, depth]), axis=0)
        return op.ReduceMax(op.Reshape(x, shape), [rank], keepdims=0)
    image = image_in(op, node, x, rank)
    image, attrs = padded(op, image, window, _lowest(image))
    return image_out(op, node, op.MaxPool(image, **attrs), rank)


@converts("AvgPool", "AvgPool3D")
def avg_pool(op: Builder, node: NodeView) -> Any:
    """SAME's padding does not count, as in ONNX by default."""
    rank = 5 if "3D" in node.op else 4
    window, _, _ = _window(node, rank)
    image = image_in(op, node, node.inputs[0], rank)
    before = image
    image, attrs = padded(op, image, window)
    y = op.AveragePool(image, **attrs)
    if image is not before:  # padded by a Pad that counts: divide by the part of each window that is image
        ones = op.Expand(op.const(1.0, image.dtype), op.Concat(op.const([1, 1]), spatial_sizes(op, before, rank), axis=0))
        inside, attrs = padded(op, ones, window)
        y = op.Div(y, op.AveragePool(inside, **attrs))
    return image_out(op, node, y, rank)


@converts("MaxPoolWithArgmax")
def max_pool_with_argmax(op: Builder, node: NodeView) -> Any:
    """argmax is (y * width + x) * channels + channel, plus the image's offset if include_batch_in_index; ONNX counts in NCHW."""
    window, _, _ = _window(node, 4)
    image = image_in(op, node, node.inputs[0], 4)
    y, index = _max_pool_with_index(op, image, window)
    shape = op.Shape(image)
    batch, channels = op.Slice(shape, [0], [1], [0]), op.Slice(shape, [1], [2], [0])
    area = op.ReduceProd(op.Slice(shape, [2], [4], [0]), keepdims=1)
    zero, one = op.const(np.int64(0)), op.const(np.int64(1))
    numbers = op.Reshape(op.Range(zero, op.Squeeze(channels, [0]), one), op.const([1, -1, 1, 1]))
    argmax = op.Add(op.Mul(op.Mod(index, area), channels), numbers)
    if node.attr.get("include_batch_in_index"):
        images = op.Reshape(op.Range(zero, op.Squeeze(batch, [0]), one), op.const([-1, 1, 1, 1]))
        argmax = op.Add(argmax, op.Mul(images, op.Mul(area, channels)))
    return image_out(op, node, y, 4), op.cast(image_out(op, node, argmax, 4), node.outputs[1].dtype)


def _max_pool_with_index(op: Builder, image: Value, window: Window) -> tuple[Value, Value]:
    """The maxima and where they are in the flat image NC...; of equal ones the first, as in TensorFlow."""
    framed, attrs = padded(op, image, window, _lowest(image))
    y, index = op.MaxPool(framed, outputs=2, **attrs)
    if framed is image:
        return y, index
    # the places are those in the padded image: move them to where they are in the image
    n = len(window.kernel)
    outer, inner = op.Shape(framed, start=2), op.Shape(image, start=2)
    before, _ = same_pads(op, inner, window)
    moved, step = op.const(np.int64(0)), op.const(np.int64(1))
    for axis in reversed(range(n)):
        size = op.Slice(outer, [axis], [axis + 1], [0])
        place = op.Sub(op.Mod(index, size), op.Slice(before, [axis], [axis + 1], [0]))
        moved = op.Add(moved, op.Mul(place, step))
        step = op.Mul(step, op.Slice(inner, [axis], [axis + 1], [0]))
        index = op.Div(index, size)
    return y, op.Add(moved, op.Mul(index, step))


# -- gradients -------------------------------------------------------------------------------------------------------


@converts("MaxPoolGrad", "MaxPoolGradV2")
def max_pool_grad(op: Builder, node: NodeView) -> Any:
    """The gradient goes to the first maximum of each window.

    Windows that tile the image: the maxima are spread over it and compared (CPU, 128x32x28x28: 7 ms). Those that leave gaps: strided
    slices of the image are compared with the maxima (18 ms). Those that overlap: MaxPool's indices and a scatter-add (20 ms for 2x2).
    MaxUnpool is wrong when windows overlap.
    """
    window, _, _ = _window(node, 4)
    image = image_in(op, node, node.input("orig_input"), 4)
    dy = image_in(op, node, node.input("grad"), 4)
    known = image.dims is not None and None not in image.dims[1:] and dy.dims is not None and None not in dy.dims[1:]
    if known and all(k <= s for k, s in zip(window.kernel, window.strides, strict=True)):
        y = image_in(op, node, node.input("orig_output"), 4)
        tiles = window.kernel == window.strides and image.dtype is float32
        return image_out(op, node, (_ranked_maxima if tiles else _first_maxima)(op, image, y, dy, window), 4)
    return image_out(op, node, _scattered(op, image, dy, window), 4)


def _scattered(op: Builder, image: Value, dy: Value, window: Window) -> Value:
    """dy added where the maxima are."""
    _, index = _max_pool_with_index(op, image, window)
    shape = op.Shape(image)
    zeros = op.Expand(op.const(0, dy.dtype), op.ReduceProd(shape, keepdims=1))
    flat = op.const([-1])
    result: Value = op.Reshape(scatter_add(op, zeros, op.Reshape(index, flat), op.Reshape(dy, flat)), shape)
    return result


def _ranked_maxima(op: Builder, image: Value, y: Value, dy: Value, window: Window) -> Value:
    """dy at the first maximum of each window, zero elsewhere, for windows side by side: of the places that equal the maximum, which
    have ranks from the kernel's size down to 1, the one of the highest rank in its window wins."""
    assert image.dims is not None and dy.dims is not None  # the caller asked
    sizes, counts = [int(d or 0) for d in image.dims[2:]], [int(d or 0) for d in dy.dims[2:]]
    full = [c * k for c, k in zip(counts, window.kernel, strict=True)]
    pads = window.pads(sizes)
    assert pads is not None  # sizes are known
    begin = [b for b, _ in pads]
    if any(p != (0, 0) for p in pads):
        image = op.Pad(image, op.const([0, 0, *begin, 0, 0, *(a for _, a in pads)]), op.const(_lowest(image), image.dtype))
    missing = [s - f if p == (0, 0) else 0 for s, f, p in zip(sizes, full, pads, strict=True)]
    if any(missing):  # rows and columns that no VALID window reaches
        image = op.Slice(image, [0, 0], full, [2, 3])

    def spread(value: Value) -> Any:
        scales = op.const(np.array([1, 1, *window.kernel], np.float32))
        return op.Resize(value, None, scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")

    area = int(np.prod(window.kernel))
    ranks = np.tile(np.arange(area, 0, -1, dtype=np.float32).reshape(window.kernel), counts)
    equal = op.Equal(image, spread(y))
    ranked = op.Mul(op.cast(equal, float32), op.const(ranks[None, None]))
    best = op.MaxPool(ranked, kernel_shape=list(window.kernel), strides=list(window.strides))
    wins = op.And(equal, op.Equal(ranked, spread(best)))  # where nothing equals the maximum, a NaN, nothing wins
    dx: Value = op.Mul(spread(dy), op.cast(wins, dy.dtype))
    if any(missing):
        dx = op.Pad(dx, op.const([0, 0, 0, 0, 0, 0, *missing]))
    if any(p != (0, 0) for p in pads):
        dx = op.Slice(dx, begin, [b + s for b, s in zip(begin, sizes, strict=True)], [2, 3])
    return dx


def _first_maxima(op: Builder, image: Value, y: Value, dy: Value, window: Window) -> Value:
    """dy at the first maximum of each window, zero elsewhere, for windows that do not overlap."""
    assert image.dims is not None and dy.dims is not None  # the caller asked
    channels, *sizes = (int(d) for d in image.dims[1:])  # type: ignore[arg-type]
    counts = [int(d) for d in dy.dims[2:]]  # type: ignore[arg-type]
    pads = window.pads(sizes)
    assert pads is not None  # sizes are known
    (sh, sw), (kh, kw) = window.strides, window.kernel
    full = [counts[0] * sh, counts[1] * sw]
    if any(p != (0, 0) for p in pads):
        image = op.Pad(image, op.const([0, 0, pads[0][0], pads[1][0], 0, 0, pads[0][1], pads[1][1]]), op.const(_lowest(image), image.dtype))
    taken: Value | None = None
    rows = []
    for i in range(sh):
        parts: list[Value | None] = []
        for j in range(sw):
            if i >= kh or j >= kw:
                parts.append(None)
                continue
            ends = [i + (counts[0] - 1) * sh + 1, j + (counts[1] - 1) * sw + 1]
            here = op.Equal(op.Slice(image, [i, j], ends, [2, 3], [sh, sw]), y) if (sh, sw) != (1, 1) else op.Equal(image, y)
            wins = here if taken is None else op.And(here, op.Not(taken))
            taken = here if taken is None else op.Or(taken, here)
            parts.append(op.Mul(dy, op.cast(wins, dy.dtype)))
        rows.append(parts)
    filler = None
    if any(p is None for parts in rows for p in parts):
        filler = op.Mul(dy, 0)
    columns = [op.Concat(*[op.Unsqueeze(filler if p is None else p, [4]) for p in parts], axis=4) for parts in rows]
    stacked = op.Concat(*[op.Unsqueeze(c, [3]) for c in columns], axis=3)  # N, C, rows, sh, columns, sw
    dx: Value = op.Reshape(stacked, op.const([-1, channels, *full]))
    begin = [pads[0][0], pads[1][0]]
    missing = [max(size + b - f, 0) for size, b, f in zip(sizes, begin, full, strict=True)]
    if any(missing):  # rows and columns that no VALID window reaches
        dx = op.Pad(dx, op.const([0, 0, 0, 0, 0, 0, *missing]))
    if any(begin) or any(f + m != s for f, m, s in zip(full, missing, sizes, strict=True)):
        dx = op.Slice(dx, begin, [b + s for b, s in zip(begin, sizes, strict=True)], [2, 3])
    return dx


@converts("MaxPool3DGrad")
def max_pool_3d_grad(op: Builder, node: NodeView) -> Any:
    """Unlike in two dimensions, all that are within 1e-5 of the maximum get the gradient."""
    window, _, _ = _window(node, 5)
    image, y, dy = (image_in(op, node, node.input(name), 5) for name in ("orig_input", "orig_output", "grad"))
    dtype = image.dtype
    if dtype is not float32:
        image, y, dy = op.cast(image, float32), op.cast(y, float32), op.cast(dy, float32)
    single = [op.Reshape(v, op.Concat(op.const([-1, 1]), op.Shape(v, start=2), axis=0)) for v in (y, dy)]
    seen = patches(op, image, window, fill=float(np.finfo(np.float32).min))
    spread = op.Where(op.Less(op.Abs(op.Sub(seen, single[0])), 1e-5), single[1], 0)
    return image_out(op, node, op.cast(gathered(op, spread, image, window), dtype), 5)


def gathered(op: Builder, spread: Value, image: Value, window: Window) -> Value:
    """The adjoint of `patches`: [N * C, K, out...] added up in the shape of the image NC..."""
    sizes = list(image.dims[2:]) if image.dims is not None else [None] * len(window.kernel)
    shape = op.Shape(image)
    summed = transposed(op, spread, picking_filter(op, window.kernel, spread.dtype), window, 1, sizes, (shape, range(2, window.rank)))
    result: Value = op.Reshape(summed, shape)
    return result


@converts("MaxPoolGradGrad", "MaxPoolGradGradV2", "MaxPool3DGradGrad")
def max_pool_grad_grad(op: Builder, node: NodeView) -> Any:
    """The gradient's gradient picks at the maxima what MaxPoolGrad spread there."""
    rank = 5 if "3D" in node.op else 4
    window, _, _ = _window(node, rank)
    image, grad = image_in(op, node, node.input("orig_input"), rank), image_in(op, node, node.input("grad"), rank)
    _, index = _max_pool_with_index(op, image, window)
    return image_out(op, node, op.Gather(op.Reshape(grad, op.const([-1])), index), rank)


@converts("MaxPoolGradWithArgmax", "MaxPoolGradGradWithArgmax")
def max_pool_grad_with_argmax(op: Builder, node: NodeView) -> Any:
    """Adds the gradient at the given places, or picks it from there."""
    grad, argmax = node.input("grad"), op.cast(node.input("argmax"), int64)
    shape = op.Shape(node.input("input"))
    if not node.attr.get("include_batch_in_index"):
        per_image = op.ReduceProd(op.Slice(shape, [1], [4], [0]), keepdims=1)
        batch = op.Squeeze(op.Slice(shape, [0], [1], [0]), [0])
        images = op.Range(op.const(np.int64(0)), batch, op.const(np.int64(1)))
        argmax = op.Add(argmax, op.Reshape(op.Mul(images, per_image), op.const([-1, 1, 1, 1])))
    flat = op.const([-1])
    if node.op == "MaxPoolGradGradWithArgmax":
        return op.Gather(op.Reshape(grad, flat), argmax)
    zeros = op.Expand(op.const(0, grad.dtype), op.ReduceProd(shape, keepdims=1))
    spread = scatter_add(op, zeros, op.Reshape(argmax, flat), op.Reshape(grad, flat))
    return op.Reshape(spread, shape)


@converts("AvgPoolGrad", "AvgPool3DGrad")
def avg_pool_grad(op: Builder, node: NodeView) -> Any:
    """dy over each window's size, spread over it: a nearest Resize where windows tile the image, else a ConvTranspose with ones.

    Measured on the CPU: Resize 1.9 ms where a broadcast takes 21; channels go to the batch, so that one filter serves all.
    """
    rank = 5 if "3D" in node.op else 4
    n = rank - 2
    window, _, _ = _window(node, rank)
    dy = image_in(op, node, node.input("grad"), rank)
    shape = node.input("orig_input_shape")
    first = channels_first(node)
    axes = range(2, rank) if first else range(1, rank - 1)
    sizes: list[int | None] = [None] * n
    known = node.maybe_const("orig_input_shape")
    if known is not None:
        sizes = [int(known[a]) for a in axes]
    elif node.dims is not None:
        sizes = [node.dims[a] for a in axes]
    dtype = dy.dtype
    if dtype is float64:
        dy = op.cast(dy, float32)
    outs = dy.dims[2:] if dy.dims is not None else (None,) * n
    pads = window.pads(sizes)
    area = float(np.prod(window.kernel))
    if window.kernel == window.strides and all(
        s is not None and o is not None and s == o * k for s, o, k in zip(sizes, outs, window.kernel, strict=True)
    ):
        scales = op.const(np.array([1, 1, *window.strides], np.float32))
        dx = op.Resize(
            op.Mul(dy, 1.0 / area), None, scales, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
        )
        return image_out(op, node, op.cast(dx, dtype), rank)
    sizes_now = (
        op.const([int(s) for s in sizes if s is not None])
        if None not in sizes
        else op.Slice(op.cast(shape, int64), [axes[0]], [axes[-1] + 1], [0])
    )
    if window.padding == "VALID" or (pads is not None and all(p == (0, 0) for p in pads)):
        dy = op.Mul(dy, 1.0 / area)
    else:
        dy = op.Div(dy, _counts(op, sizes, outs, sizes_now, window))
    dims = op.Shape(dy)
    folded = op.Reshape(dy, op.Concat(op.const([-1, 1]), op.Slice(dims, [2], [rank], [0]), axis=0))
    if dy.dims is not None and None not in dy.dims[2:]:
        folded.dims = (None, 1, *dy.dims[2:])
    ones = op.const(np.ones((1, 1, *window.kernel), np.float32), folded.dtype)
    spread = transposed(op, folded, ones, window, 1, sizes, (shape, axes))
    dx = op.Reshape(spread, op.Concat(op.Slice(dims, [0], [2], [0]), sizes_now, axis=0))
    return image_out(op, node, op.cast(dx, dtype), rank)


def _counts(op: Builder, sizes: Sequence[int | None], outs: Sequence[int | None], sizes_now: Value, window: Window) -> Value:
    """How many pixels of the image each window holds, [1, 1, ...]."""
    pads = window.pads(sizes)
    if pads is not None and None not in sizes and None not in outs:
        counts = np.ones((), np.float32)
        for size, out, (pad, _), k, s in zip(sizes, outs, pads, window.kernel, window.strides, strict=True):
            starts = np.arange(out or 0) * s - pad
            inside = np.minimum(starts + k, size or 0) - np.maximum(starts, 0)
            counts = np.multiply.outer(counts, inside.astype(np.float32))
        result: Value = op.const(counts[None, None].astype(np.float32))
        return result
    ones = op.Expand(op.const(np.float32(1)), op.Concat(op.const([1, 1]), sizes_now, axis=0))
    if pads is not None:
        before, after = op.const([b for b, _ in pads]), op.const([a for _, a in pads])
    else:
        before, after = same_pads(op, sizes_now, window)
    zeros = op.const([0, 0])
    framed = op.Pad(ones, op.Concat(zeros, before, zeros, after, axis=0))
    average: Value = op.AveragePool(framed, **window.attrs())
    return op.Mul(average, float(np.prod(window.kernel)))  # type: ignore[no-any-return]


# -- grey-scale morphology -------------------------------------------------------------------------------------------


def _morphology(op: Builder, node: NodeView) -> tuple[Value, Value, Window, Value]:
    """The image NC..., image + filter over each window as [N, C, K, rows, columns], the window, and the filter as [1, C, K, 1, 1]."""
    x, w = node.input("input"), node.input("filter")
    if w.dims is None or None in w.dims:
        raise node.fail("the filter must have a static shape.")
    rows, columns, channels = (int(d) for d in w.dims if d is not None)
    window = window_of(node, [rows, columns], 4, dilations=node.attr["rates"])
    image = image_in(op, node, x, 4)
    lowest = float(np.finfo(np.float32).min) / 2  # far below any sum, and finite under a filter that picks
    seen = patches(op, op.cast(image, float32), window, fill=lowest)
    seen = op.Reshape(seen, op.Concat(op.const([-1, channels, rows * columns]), op.Shape(seen, start=2), axis=0))
    places = op.Reshape(op.Transpose(op.cast(w, float32), perm=[2, 0, 1]), op.const([1, channels, rows * columns, 1, 1]))
    return image, op.Add(seen, places), window, places


@converts("Dilation2D")
def dilation(op: Builder, node: NodeView) -> Any:
    """The maximum over the window of image + filter."""
    _, sums, _, _ = _morphology(op, node)
    return op.cast(image_out(op, node, op.ReduceMax(sums, [2], keepdims=0), 4), node.dtype)


@converts("Dilation2DBackpropInput", "Dilation2DBackpropFilter")
def dilation_backprop(op: Builder, node: NodeView) -> Any:
    """The gradient goes to the first maximum of each window."""
    image, sums, window, places = _morphology(op, node)
    dy = op.cast(image_in(op, node, node.input("out_backprop"), 4), float32)
    count = int(np.prod(window.kernel))
    wins = op.Equal(op.ArgMax(sums, axis=2, keepdims=1), op.const(np.arange(count, dtype=np.int64).reshape(1, 1, count, 1, 1)))
    spread = op.Where(wins, op.Unsqueeze(dy, [2]), 0)
    if node.op == "Dilation2DBackpropInput":
        folded = op.Reshape(spread, op.Concat(op.const([-1, count]), op.Shape(spread, start=3), axis=0))
        return op.cast(image_out(op, node, gathered(op, folded, image, window), 4), node.dtype)
    total = op.ReduceSum(spread, [0, 3, 4], keepdims=0)  # [C, K]
    channels = int(places.dims[1]) if places.dims is not None and places.dims[1] is not None else -1
    return op.cast(op.Transpose(op.Reshape(total, op.const([channels, *window.kernel])), perm=[1, 2, 0]), node.dtype)
