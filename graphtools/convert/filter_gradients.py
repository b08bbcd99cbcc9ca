"""Gradients of convolution filters for ONNX Runtime's CPU kernels: some images at a time, laid out as columns, and one product.

dw[k, i, o] = sum over n, p of x[n, p * stride + k * dilation - pad, i] * dy[n, p, o] is columns' dy, where each row of the columns
holds what one window sees. A few images' columns stay in the cache; those of a batch would not. Measured on the CPU (1 thread)
against a convolution by the gradient: 21 ms for 37 (5x5, 128x14x14x32 to 64), 17 for 36 (3x3, 32x28x28x64 to 64).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from graphtools.convert.windows import Window
from graphtools.dtypes import float32, float64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value

COLUMNS = 1 << 20  # elements of the columns of some images
LARGEST = 1 << 23  # elements of one image's columns above which they cost more memory than they save time
LEAST_CHANNELS = 8  # shorter runs are copied too slowly
LEAST_PIXELS = 64  # of one image, where the number of images is not known


def filter_gradient(op: Builder, x: Value, dy: Value, window: Window, channels: int, filters: int) -> Value | None:
    """dw [kernel..., channels, filters] of an image and a gradient N...C; None where a convolution is the better way."""
    if not op.on_cpu or x.dtype not in (float32, float64) or x.dims is None or dy.dims is None or channels < LEAST_CHANNELS:
        return None
    sizes, outs = x.dims[1:-1], dy.dims[1:-1]
    pads = window.pads(sizes)
    if None in sizes or None in outs or pads is None:
        return None
    pixels, taps = math.prod(d or 0 for d in outs), math.prod(window.kernel)
    each = pixels * taps * channels
    count = x.dims[0]
    if not each or each > LARGEST or count == 0 or (count is None and pixels < LEAST_PIXELS):
        return None
    together = 1 if count is None else max(d for d in range(1, count + 1) if count % d == 0 and (d == 1 or d * each <= COLUMNS))
    # what the last window does not reach is cut off by indexing
    if any(p != (0, 0) for p in pads):
        x = op.Pad(x, op.const([0, *(b for b, _ in pads), 0, 0, *(a for _, a in pads), 0]))
    padded = [(s or 0) + sum(p) for s, p in zip(sizes, pads, strict=True)]
    rounds = -1 if count is None else count // together
    images = op.Reshape(x, op.const([rounds, together, math.prod(padded), channels]))
    gradients = op.Reshape(dy, op.const([rounds, together * pixels, filters]))
    body = op.subgraph()
    total = body.input(op.names.unique("total"), x.dtype, (taps * channels, filters))
    image = body.input(op.names.unique("images"), x.dtype, (together, math.prod(padded), channels))
    gradient = body.input(op.names.unique("gradients"), x.dtype, (together * pixels, filters))
    columns = body.Reshape(body.Gather(image, body.const(_places(window, padded, outs)), axis=1), body.const([-1, taps * channels]))
    body.output(body.Gemm(columns, gradient, total, transA=1))
    zero = op.const(np.zeros((taps * channels, filters), x.dtype.as_numpy_dtype))
    summed = op.Scan(zero, images, gradients, body=body, num_scan_inputs=2)
    summed.dims = (taps * channels, filters)
    result: Value = op.Reshape(summed, op.const([*window.kernel, channels, filters]))
    return result


def _places(window: Window, sizes: Sequence[int], outs: Sequence[int | None]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The flat places in a padded image of the pixels that windows see, window by window."""
    found = np.zeros((), np.int64)
    for size, out, kernel, stride, dilation in zip(sizes, outs, window.kernel, window.strides, window.dilations, strict=True):
        places = np.arange(out or 0)[:, None] * stride + np.arange(kernel)[None, :] * dilation
        found = found[..., None, None] * size + places
    axes = [*range(0, found.ndim, 2), *range(1, found.ndim, 2)]
    return np.ascontiguousarray(found.transpose(axes)).reshape(-1)
