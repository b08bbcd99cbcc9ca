"""Pooling, padding, cropping and upsampling layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools.formats.keras import Call, channels_first, layer, tuple_of
from graphtools.formats.keras.core import mask_as
from graphtools.graph import Tensor

_WINDOWS = {"MaxPooling": ("MaxPool", "MaxPool3D"), "AveragePooling": ("AvgPool", "AvgPool3D")}


@layer("AveragePooling1D", "MaxPooling1D")
def pool_1d(k: Call) -> Tensor:
    first = channels_first(k.config)
    axis = 3 if first else 2  # a width of 1 after the steps
    return k.squeeze(_pool(k, k.expand(k.x, axis), 1, first), axis)


@layer("AveragePooling2D", "MaxPooling2D")
def pool_2d(k: Call) -> Tensor:
    return _pool(k, k.x, 2, channels_first(k.config))


@layer("AveragePooling3D", "MaxPooling3D")
def pool_3d(k: Call) -> Tensor:
    return _pool(k, k.x, 3, channels_first(k.config))


def _pool(k: Call, x: Tensor, dims: int, first: bool) -> Tensor:
    c = k.config
    size = tuple_of(c.get("pool_size", 2), dims)
    strides = size if c.get("strides") is None else tuple_of(c["strides"], dims)
    if dims == 1:
        size, strides = (*size, 1), (*strides, 1)
    letters = "DHW" if dims == 3 else "HW"
    op_type = _WINDOWS[k.layer.class_name[:-2]][dims == 3]

    def full(values: tuple[int, ...]) -> list[int]:
        return [1, 1, *values] if first else [1, *values, 1]

    return k.op(
        op_type, x, ksize=full(size), strides=full(strides), padding=str(c.get("padding", "valid")).upper(),
        data_format=f"NC{letters}" if first else f"N{letters}C",
    )  # fmt: skip


def _global_axes(k: Call) -> Tensor:
    rank = k.rank(k.x)
    return k.ints(*(range(2, rank) if channels_first(k.config) else range(1, rank - 1)))


def _keep(k: Call) -> bool:
    return bool(k.config.get("keepdims", False))


@layer("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D")
def global_average(k: Call) -> Tensor:
    if k.mask is not None and k.layer.class_name == "GlobalAveragePooling1D":
        axis = 2 if channels_first(k.config) else 1
        weight = k.expand(mask_as(k, k.mask, k.x), 1 if axis == 2 else 2)
        total = k.op("Sum", k.op("Mul", k.x, weight), k.ints(axis), keep_dims=_keep(k))
        return k.op("RealDiv", total, k.op("Sum", weight, k.ints(axis), keep_dims=_keep(k)))
    return k.op("Mean", k.x, _global_axes(k), keep_dims=_keep(k))


@layer("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D")
def global_max(k: Call) -> Tensor:
    return k.op("Max", k.x, _global_axes(k), keep_dims=_keep(k))


# -- padding and cropping --------------------------------------------------------------------------------------------


def _pairs(value: Any, dims: int) -> list[tuple[int, int]]:
    """Amounts before and after, for each dimension: given as one number, one for each, or a pair for each."""
    if isinstance(value, int | float):
        return [(int(value), int(value))] * dims
    if dims == 1:
        before, after = value if len(value) == 2 else (value[0], value[0])
        return [(int(before), int(after))] if not isinstance(before, list | tuple) else [(int(before[0]), int(before[1]))]
    return [(int(v), int(v)) if isinstance(v, int | float) else (int(v[0]), int(v[1])) for v in value]


@layer("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")
def zero_padding(k: Call) -> Tensor:
    dims = int(k.layer.class_name[-2])
    pairs = _pairs(k.config.get("padding", 1), dims)
    full = [(0, 0), (0, 0), *pairs] if channels_first(k.config) and dims > 1 else [(0, 0), *pairs, (0, 0)]
    return k.op("Pad", k.x, k.const(np.array(full, np.int32)))


@layer("Cropping1D", "Cropping2D", "Cropping3D")
def cropping(k: Call) -> Tensor:
    dims = int(k.layer.class_name[-2])
    pairs = _pairs(k.config.get("cropping", 1 if dims > 1 else (1, 1)), dims)
    at = 2 if channels_first(k.config) and dims > 1 else 1
    rank = k.rank(k.x)
    begin, end, end_mask = [0] * rank, [0] * rank, 2**rank - 1
    for i, (before, after) in enumerate(pairs):
        begin[at + i] = before
        if after:
            end[at + i] = -after
            end_mask &= ~(1 << at + i)
    begin_mask = sum(1 << i for i, b in enumerate(begin) if not b)
    return k.op("StridedSlice", k.x, k.ints(*begin), k.ints(*end), k.ints(*[1] * rank), begin_mask=begin_mask, end_mask=end_mask)


# -- upsampling ------------------------------------------------------------------------------------------------------


@layer("UpSampling1D")
def up_sampling_1d(k: Call) -> Tensor:
    return _repeat(k, k.x, 1, tuple_of(k.config.get("size", 2), 1)[0])


@layer("UpSampling3D")
def up_sampling_3d(k: Call) -> Tensor:
    x = k.x
    at = 2 if channels_first(k.config) else 1
    for i, factor in enumerate(tuple_of(k.config.get("size", 2), 3)):
        x = _repeat(k, x, at + i, factor)
    return x


def _repeat(k: Call, x: Tensor, axis: int, factor: int) -> Tensor:
    """Each element `factor` times in a row along an axis."""
    if factor == 1:
        return x
    rank = k.rank(x)
    tiles = [1] * (rank + 1)
    tiles[axis + 1] = factor
    tiled = k.op("Tile", k.expand(x, axis + 1), k.ints(*tiles))
    sizes = [k.size(x, i) for i in range(rank)]
    size = sizes[axis]
    sizes[axis] = size * factor if isinstance(size, int) else k.op("Mul", size, k.scalar(factor))
    return k.reshape(tiled, sizes)


@layer("UpSampling2D")
def up_sampling_2d(k: Call) -> Tensor:
    first, x = channels_first(k.config), k.x
    if first:
        x = k.transpose(x, 0, 2, 3, 1)
    sizes = []
    for i, factor in enumerate(tuple_of(k.config.get("size", 2), 2)):
        size = k.size(x, 1 + i)
        sizes.append(size * factor if isinstance(size, int) else k.op("Mul", size, k.scalar(factor)))
    # tf.keras of 1.15 and later samples at pixel centres; for whole factors only bilinear differs
    half_pixel = k.layer.is_tf_keras
    interpolation = str(k.config.get("interpolation", "nearest"))
    if interpolation not in ("nearest", "bilinear"):
        raise k.fail(f"has the interpolation {interpolation!r}; 'nearest' or 'bilinear' was expected")
    if interpolation == "nearest":
        y = k.op("ResizeNearestNeighbor", x, k.sizes(sizes), half_pixel_centers=half_pixel)
    else:
        y = k.op("ResizeBilinear", x, k.sizes(sizes), half_pixel_centers=half_pixel)
    return k.transpose(y, 0, 3, 1, 2) if first else y
