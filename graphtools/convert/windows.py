"""Windows that slide over images: layouts, SAME padding and its sizes, for convolutions, pools and patches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphtools.convert.builder import Builder, Value
from graphtools.convert.walk import NodeView
from graphtools.dtypes import DType

Size = int | None


def to_channels_first(op: Builder, x: Value, rank: int) -> Value:
    """N...C -> NC..."""
    result: Value = op.Transpose(x, perm=[0, rank - 1, *range(1, rank - 1)])
    return result


def to_channels_last(op: Builder, x: Value, rank: int) -> Value:
    """NC... -> N...C"""
    result: Value = op.Transpose(x, perm=[0, *range(2, rank), 1])
    return result


def is_channels_first(node: NodeView) -> bool:
    return str(node.attr.get("data_format") or "NHWC") in ("NCHW", "NCDHW")


@dataclass(frozen=True, slots=True)
class Window:
    """The geometry of a window op along the spatial axes of an image in ONNX's layout (NC...)."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    padding: str  # SAME, VALID or EXPLICIT
    explicit: tuple[tuple[int, int], ...]  # (before, after) for EXPLICIT

    @property
    def rank(self) -> int:
        return len(self.kernel) + 2

    @property
    def reach(self) -> tuple[int, ...]:
        """The extent of the dilated kernel."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    def pads(self, sizes: Sequence[Size]) -> list[tuple[int, int]] | None:
        """(before, after) of each axis for an image of these sizes; None where they depend on a size that is not known."""
        if self.padding == "EXPLICIT":
            return list(self.explicit)
        if self.padding == "VALID":
            return [(0, 0)] * len(self.kernel)
        result = []
        for size, reach, stride in zip(sizes, self.reach, self.strides, strict=True):
            if reach == 1:
                total = 0
            elif stride == 1:
                total = reach - 1
            elif size is None:
                return None
            else:
                total = max((-(-size // stride) - 1) * stride + reach - size, 0)
            result.append((total // 2, total - total // 2))
        return result

    def attrs(self) -> dict[str, Any]:
        """kernel_shape, strides and dilations as ONNX attributes; those that are the default are left out."""
        found: dict[str, Any] = {"kernel_shape": list(self.kernel)}
        if any(s != 1 for s in self.strides):
            found["strides"] = list(self.strides)
        if any(d != 1 for d in self.dilations):
            found["dilations"] = list(self.dilations)
        return found


def window_of(node: NodeView, kernel: Sequence[int], rank: int, *, strides: Any = None, dilations: Any = None) -> Window:
    """The window of a node from its attrs; `kernel` is of the spatial axes."""
    axes = range(2, rank) if is_channels_first(node) else range(1, rank - 1)
    strides = strides if strides is not None else node.attr["strides"]
    dilations = dilations or node.attr.get("dilations") or [1] * rank
    padding = str(node.attr["padding"])
    flat = list(node.attr.get("explicit_paddings") or []) if padding == "EXPLICIT" else []
    explicit = tuple((int(flat[2 * a]), int(flat[2 * a + 1])) for a in axes) if flat else ((0, 0),) * len(axes)
    return Window(
        tuple(int(k) for k in kernel), tuple(int(strides[a]) for a in axes), tuple(int(dilations[a]) for a in axes), padding, explicit
    )


def flat_pads(pads: Sequence[tuple[int, int]]) -> list[int]:
    """ONNX's order: all befores, then all afters."""
    return [b for b, _ in pads] + [a for _, a in pads]


def spatial_sizes(op: Builder, x: Value, rank: int) -> Value:
    """The spatial sizes of an image (NC...) as an int64 vector."""
    result: Value = op.Shape(x, start=2, end=rank)
    return result


def same_pads(op: Builder, sizes: Value, window: Window, reach: Value | None = None) -> tuple[Value, Value]:
    """The pads before and after of SAME for sizes that only the run tells: max((ceil(size / s) - 1) * s + reach - size, 0), halved."""
    s = op.const(list(window.strides))
    reach = op.const(list(window.reach)) if reach is None else reach
    counts = op.Div(op.Add(sizes, op.Sub(s, 1)), s)
    total = op.Max(op.Sub(op.Add(op.Mul(op.Sub(counts, 1), s), reach), sizes), op.const([0] * len(window.kernel)))
    before = op.Div(total, op.const([2] * len(window.kernel)))
    return before, op.Sub(total, before)


def padded(op: Builder, x: Value, window: Window, fill: Any = 0) -> tuple[Value, dict[str, Any]]:
    """The image and the attributes that make ONNX slide the window as TensorFlow does.

    SAME on sizes that only the run tells is ONNX Runtime's SAME_UPPER where that agrees (no dilation, no stride beyond the
    kernel: it refuses both), else a computed Pad.
    """
    attrs = window.attrs()
    rank = window.rank
    pads = window.pads(x.dims[2:] if x.dims is not None else (None,) * (rank - 2))
    if pads is not None:
        if any(p != (0, 0) for p in pads):
            attrs["pads"] = flat_pads(pads)
        return x, attrs
    if all(d == 1 for d in window.dilations) and all(k >= s for k, s in zip(window.kernel, window.strides, strict=True)):
        attrs["auto_pad"] = "SAME_UPPER"
        return x, attrs
    before, after = same_pads(op, spatial_sizes(op, x, rank), window)
    zeros = op.const([0, 0])
    return op.Pad(x, op.Concat(zeros, before, zeros, after, axis=0), op.const(fill, x.dtype)), attrs


def picking_filter(op: Builder, kernel: Sequence[int], dtype: DType) -> Value:
    """[K, 1, kernel...]: a filter for each place of the kernel that picks the pixel there."""
    count = int(np.prod(kernel))
    return op.const(np.eye(count, dtype=dtype.as_numpy_dtype).reshape(count, 1, *kernel))


def patches(op: Builder, image: Value, window: Window, fill: float = 0.0) -> Value:
    """What each window sees of an image NC...: [N * C, K, out...] for a kernel of K pixels, row by row; outside the image is `fill`.

    A convolution with a filter that picks a pixel is exact on finite values, needs no sizes, and has kernels everywhere.
    """
    rank = window.rank
    folded = op.Reshape(image, op.Concat(op.const([-1, 1]), op.Shape(image, start=2), axis=0))
    if image.dims is not None:
        folded.dims = (None, 1, *image.dims[2:])
    if fill and window.padding != "VALID":
        pads = window.pads(image.dims[2:] if image.dims is not None else (None,) * (rank - 2))
        zeros = op.const([0, 0])
        if pads is not None:
            before, after = op.const([b for b, _ in pads]), op.const([a for _, a in pads])
        else:
            before, after = same_pads(op, spatial_sizes(op, image, rank), window)
        folded = op.Pad(folded, op.Concat(zeros, before, zeros, after, axis=0), op.const(fill, image.dtype))
        attrs = window.attrs()
    else:
        folded, attrs = padded(op, folded, window)
    result: Value = op.Conv(folded, picking_filter(op, window.kernel, image.dtype), **attrs)
    return result
