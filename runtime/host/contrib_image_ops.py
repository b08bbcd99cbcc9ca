"""Host kernels of tf.contrib.image and tf.contrib.resampler."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphtools.graph import Node
from runtime.errors import InvalidArgumentError
from runtime.host import Run, host

Array = NDArray[Any]

# What a colour takes of (v, v s cos h, v s sin h): rows are the output's red, green and blue, columns the input's.
_VALUE = np.array([[0.299, 0.587, 0.114]] * 3)
_COSINE = np.array([[0.701, -0.587, -0.114], [-0.299, 0.413, -0.114], [-0.299, -0.587, 0.886]])
_SINE = np.array([[0.168622, 0.329805, -0.498427], [-0.327963, 0.034611, 0.293353], [1.246461, -1.043229, -0.203233]])


@host("AdjustHsvInYiq")
def adjust_hsv_in_yiq(run: Run, node: Node, images: Array, delta_h: Array, scale_s: Array, scale_v: Array) -> Array:
    if images.ndim < 3 or images.shape[-1] != 3:
        raise InvalidArgumentError(None, None, f"input must be at least 3-D with 3 channels; got shape {list(images.shape)}")
    v, s, h = float(scale_v), float(scale_s), float(delta_h)
    matrix = v * _VALUE + v * s * np.cos(h) * _COSINE + v * s * np.sin(h) * _SINE
    return np.asarray(images @ matrix.T.astype(images.dtype))


@host("ImageConnectedComponents")
def image_connected_components(run: Run, node: Node, image: Array) -> Array:
    """Neighbours in a row or a column of one value that is not zero share a number; zeros have 0."""
    ids = np.arange(1, image.size + 1, dtype=np.int64).reshape(image.shape)
    pairs = []
    for axis in (1, 2):
        near, far = (np.swapaxes(image, 0, axis)[part] for part in (slice(None, -1), slice(1, None)))
        same = (near == far) & (near != 0)
        first, second = (np.swapaxes(ids, 0, axis)[part][same] for part in (slice(None, -1), slice(1, None)))
        pairs.append((first, second))
    first, second = (np.concatenate(side) for side in zip(*pairs, strict=True))
    root = np.arange(image.size + 1)
    while first.size:
        low = np.minimum(root[first], root[second])
        before = root.copy()
        np.minimum.at(root, before[first], low)
        np.minimum.at(root, before[second], low)
        root = root[root]
        if np.array_equal(before, root):
            break
    return np.where(image != 0, root[ids], 0)


@host("BipartiteMatch")
def bipartite_match(run: Run, node: Node, distances: Array, num_valid_rows: Array) -> tuple[Array, Array]:
    """Pairs of rows and columns, the nearest first, each used once; -1 for none."""
    if distances.ndim != 2:
        raise InvalidArgumentError(None, None, f"distance_mat must be 2-D; got shape {list(distances.shape)}")
    rows, columns = distances.shape
    valid = rows if float(num_valid_rows.item()) < 0 else min(rows, int(num_valid_rows.item()))
    top_k = int(node.attr["top_k"])
    left = min(valid, columns) if top_k < 0 else top_k
    by_row, by_column = np.full(rows, -1, np.int32), np.full(columns, -1, np.int32)
    for at in np.argsort(distances[:valid].ravel(), kind="stable").tolist():
        if left <= 0:
            break
        r, c = divmod(at, columns)
        if by_row[r] < 0 and by_column[c] < 0:
            by_row[r], by_column[c] = c, r
            left -= 1
    return by_row, by_column


def _corners(data: Array, warp: Array) -> Any:
    """(batch, y, x, is inside, weight, d weight / dx, d weight / dy) of the four pixels around each place."""
    batch, height, width, _ = data.shape
    points = warp.reshape(batch, -1, 2)
    x, y = points[..., 0], points[..., 1]
    used = (x > -1) & (y > -1) & (x < width) & (y < height)
    left, top = np.floor(x), np.floor(y)
    dx, dy = x - left, y - top
    rows = np.broadcast_to(np.arange(batch)[:, None], x.shape)
    for down in (0, 1):
        for right in (0, 1):
            wx, wy = (dx if right else 1 - dx), (dy if down else 1 - dy)
            at_x, at_y = (np.where(used, v, -5).astype(np.int64) + step for v, step in ((left, right), (top, down)))
            inside = used & (at_x >= 0) & (at_y >= 0) & (at_x < width) & (at_y < height)
            yield (
                rows,
                np.where(inside, at_y, 0),
                np.where(inside, at_x, 0),
                inside,
                wx * wy,
                (1 if right else -1) * wy,
                (1 if down else -1) * wx,
            )


def _check_resampler(data: Array, warp: Array) -> None:
    if data.ndim != 4 or warp.ndim < 2 or warp.shape[-1] != 2 or warp.shape[0] != data.shape[0]:
        raise InvalidArgumentError(
            None, None, f"Only bilinear interpolation of [batch, height, width, channels] at [batch, ..., 2] is supported; got {list(data.shape)} and {list(warp.shape)}"
        )  # fmt: skip


@host("Resampler")
def resampler(run: Run, node: Node, data: Array, warp: Array) -> Array:
    _check_resampler(data, warp)
    total: Any = 0
    for b, y, x, inside, weight, _, _ in _corners(data, warp):
        total = total + np.where(inside, weight, 0)[..., None] * data[b, y, x]
    return np.asarray(total, data.dtype).reshape(*warp.shape[:-1], data.shape[-1])


@host("ResamplerGrad")
def resampler_grad(run: Run, node: Node, data: Array, warp: Array, grad: Array) -> tuple[Array, Array]:
    _check_resampler(data, warp)
    dy = grad.reshape(data.shape[0], -1, data.shape[-1])
    to_data, to_warp = np.zeros_like(data), np.zeros((*dy.shape[:2], 2), data.dtype)
    for b, y, x, inside, weight, by_x, by_y in _corners(data, warp):
        np.add.at(to_data, (b, y, x), np.where(inside, weight, 0)[..., None] * dy)
        along = np.where(inside[..., None], data[b, y, x] * dy, 0).sum(-1)
        to_warp[..., 0] += along * by_x
        to_warp[..., 1] += along * by_y
    return to_data, to_warp.reshape(warp.shape).astype(data.dtype)
