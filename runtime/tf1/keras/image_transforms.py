"""tf.keras.preprocessing.image: changes of one image's geometry, channels and brightness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runtime.tf1.registry import export


def _reflected(at: Any, size: int) -> Any:
    """Places outside come back mirrored at the edges, as SciPy before 1.6 mirrors them."""
    double = 2 * size
    below = np.where(at < -double, double * np.trunc(-at / double) + at, at)
    below = np.where(below < -size, below + double, -below - 1)
    above = at - double * np.trunc(at / double)
    above = np.where(above >= size, double - above - 1, above)
    return np.where(at < 0, below, np.where(at > size - 1, above, at))


# fill_mode -> where in an axis of some size a place is looked for that may be outside.
PLACES: dict[str, Callable[[Any, int], Any]] = {
    "constant": lambda at, size: at,
    "nearest": lambda at, size: np.clip(at, 0, size - 1),
    "reflect": _reflected,
    "wrap": lambda at, size: np.where((at < 0) | (at > size - 1), np.mod(at, max(size - 1, 1)), at),  # the last element stands on the first
}


def _mirrored(index: Any, size: int) -> Any:
    """The element for an index one or two beyond the edge."""
    index = np.abs(index)
    return np.clip(np.where(index > size - 1, 2 * size - 2 - index, index), 0, size - 1)


def resampled(channel: Any, matrix: Any, offset: Any, fill_mode: str, cval: float, order: int) -> Any:
    """The channel at matrix @ place + offset for each place, by the nearest pixel (order 0) or bilinearly (order 1)."""
    if fill_mode not in PLACES:
        raise ValueError(f"fill_mode must be one of {sorted(PLACES)}, not {fill_mode!r}.")
    if order not in (0, 1):
        from importlib import import_module

        found: Any = import_module("scipy.ndimage").affine_transform(channel, matrix, offset, order=order, mode=fill_mode, cval=cval)
        return found
    sizes = channel.shape
    places = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float64) for n in sizes), indexing="ij"))
    at = np.einsum("ij,jrc->irc", np.asarray(matrix, np.float64), places) + np.asarray(offset, np.float64)[:, None, None]
    outside = np.any([(a < 0) | (a > n - 1) for a, n in zip(at, sizes, strict=True)], axis=0)
    at = np.stack([PLACES[fill_mode](a, n) for a, n in zip(at, sizes, strict=True)])
    inside = _mirrored if fill_mode == "reflect" else lambda index, size: np.clip(index, 0, size - 1)
    if order == 0:
        rows, columns = (inside(np.floor(a + 0.5).astype(np.int64), n) for a, n in zip(at, sizes, strict=True))
        result = channel[rows, columns].astype(np.float64)
    else:
        low = np.floor(at).astype(np.int64)
        part = at - low
        (top, bottom), (left, right) = ([inside(b, n), inside(b + 1, n)] for b, n in zip(low, sizes, strict=True))
        upper = channel[top, left] * (1 - part[1]) + channel[top, right] * part[1]
        lower = channel[bottom, left] * (1 - part[1]) + channel[bottom, right] * part[1]
        result = upper * (1 - part[0]) + lower * part[0]
    if fill_mode == "constant":
        result = np.where(outside, cval, result)
    return result.astype(channel.dtype)


def affine_matrix(theta: float, tx: float, ty: float, shear: float, zx: float, zy: float) -> Any:
    """Rotation, then shift, shear and zoom, as one matrix of homogeneous coordinates; None where nothing changes."""
    parts = []
    if theta != 0:
        angle = np.deg2rad(theta)
        parts.append([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    if tx != 0 or ty != 0:
        parts.append([[1, 0, tx], [0, 1, ty], [0, 0, 1]])
    if shear != 0:
        angle = np.deg2rad(shear)
        parts.append([[1, -np.sin(angle), 0], [0, np.cos(angle), 0], [0, 0, 1]])
    if zx != 1 or zy != 1:
        parts.append([[zx, 0, 0], [0, zy, 0], [0, 0, 1]])
    result: Any = None
    for part in parts:
        result = np.array(part, np.float64) if result is None else np.dot(result, np.array(part, np.float64))
    return result


@export("keras.preprocessing.image.apply_affine_transform")
def apply_affine_transform(
    x: Any, theta: float = 0, tx: float = 0, ty: float = 0, shear: float = 0, zx: float = 1, zy: float = 1, row_axis: int = 0, col_axis: int = 1, channel_axis: int = 2,
    fill_mode: str = "nearest", cval: float = 0.0, order: int = 1,
) -> Any:  # fmt: skip
    matrix = affine_matrix(theta, tx, ty, shear, zx, zy)
    if matrix is None:
        return x
    centre = [float(x.shape[row_axis]) / 2 + 0.5, float(x.shape[col_axis]) / 2 + 0.5]
    to, back = np.eye(3), np.eye(3)
    to[:2, 2], back[:2, 2] = centre, [-c for c in centre]
    matrix = np.dot(np.dot(to, matrix), back)
    channels = np.moveaxis(x, channel_axis, 0)
    changed = [resampled(c, matrix[:2, :2], matrix[:2, 2], fill_mode, cval, order) for c in channels]
    return np.moveaxis(np.stack(changed, axis=0), 0, channel_axis)


@export("keras.preprocessing.image.random_rotation")
def random_rotation(
    x: Any, rg: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0, fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1
) -> Any:  # fmt: skip
    theta = np.random.uniform(-rg, rg)
    return apply_affine_transform(
        x, theta=theta, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis, fill_mode=fill_mode, cval=cval, order=interpolation_order
    )  # fmt: skip


@export("keras.preprocessing.image.random_shift")
def random_shift(
    x: Any, wrg: float, hrg: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0, fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1
) -> Any:  # fmt: skip
    tx = np.random.uniform(-hrg, hrg) * x.shape[row_axis]
    ty = np.random.uniform(-wrg, wrg) * x.shape[col_axis]
    return apply_affine_transform(
        x, tx=tx, ty=ty, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis, fill_mode=fill_mode, cval=cval, order=interpolation_order
    )  # fmt: skip


@export("keras.preprocessing.image.random_shear")
def random_shear(
    x: Any, intensity: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0, fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1
) -> Any:  # fmt: skip
    shear = np.random.uniform(-intensity, intensity)
    return apply_affine_transform(
        x, shear=shear, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis, fill_mode=fill_mode, cval=cval, order=interpolation_order
    )  # fmt: skip


@export("keras.preprocessing.image.random_zoom")
def random_zoom(
    x: Any, zoom_range: Any, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0, fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1
) -> Any:  # fmt: skip
    if len(zoom_range) != 2:
        raise ValueError(f"`zoom_range` should be a tuple or list of two floats. Received: {zoom_range}")
    zx, zy = (1, 1) if zoom_range[0] == 1 and zoom_range[1] == 1 else np.random.uniform(zoom_range[0], zoom_range[1], 2)
    return apply_affine_transform(
        x, zx=zx, zy=zy, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis, fill_mode=fill_mode, cval=cval, order=interpolation_order
    )  # fmt: skip


@export("keras.preprocessing.image.apply_channel_shift")
def apply_channel_shift(x: Any, intensity: float, channel_axis: int = 0) -> Any:
    """Every value plus `intensity`, within the image's own range."""
    return np.clip(x + intensity, np.min(x), np.max(x))


@export("keras.preprocessing.image.random_channel_shift")
def random_channel_shift(x: Any, intensity_range: float, channel_axis: int = 0) -> Any:
    return apply_channel_shift(x, np.random.uniform(-intensity_range, intensity_range), channel_axis=channel_axis)


@export("keras.preprocessing.image.apply_brightness_shift")
def apply_brightness_shift(x: Any, brightness: float) -> Any:
    from importlib import import_module

    from runtime.tf1.keras.image import array_to_img, img_to_array

    enhancer = import_module("PIL.ImageEnhance").Brightness(array_to_img(x))
    return img_to_array(enhancer.enhance(brightness))


@export("keras.preprocessing.image.random_brightness")
def random_brightness(x: Any, brightness_range: Any) -> Any:
    if len(brightness_range) != 2:
        raise ValueError(f"`brightness_range should be tuple or list of two floats. Received: {brightness_range}")
    return apply_brightness_shift(x, np.random.uniform(brightness_range[0], brightness_range[1]))
