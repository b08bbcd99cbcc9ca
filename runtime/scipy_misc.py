"""scipy.misc as it was before SciPy 1.2: images through Pillow, and functions that moved to other parts of SciPy."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

# Name -> the module that has it today.
MOVED = {"comb": "scipy.special", "factorial": "scipy.special", "factorial2": "scipy.special", "logsumexp": "scipy.special"}

FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "cubic": 3}


def __getattr__(name: str) -> Any:
    if name in MOVED:
        return getattr(importlib.import_module(MOVED[name]), name)
    raise AttributeError(f"module 'scipy.misc' has no attribute {name!r}")


def _pillow() -> Any:
    try:
        return importlib.import_module("PIL.Image")
    except ImportError as e:
        raise ImportError("scipy.misc reads and resizes images with Pillow: pip install Pillow") from e


def bytescale(data: Any, cmin: Any = None, cmax: Any = None, high: int = 255, low: int = 0) -> Any:
    """Numbers between the smallest and largest (or cmin and cmax), as bytes between `low` and `high`; bytes stay as they are."""
    data = np.asarray(data)
    if data.dtype == np.uint8:
        return data
    if not 0 <= low <= high <= 255:
        raise ValueError("`high` should be less than or equal to 255, `low` at least 0 and at most `high`.")
    cmin = data.min() if cmin is None else cmin
    cmax = data.max() if cmax is None else cmax
    span = cmax - cmin
    if span < 0:
        raise ValueError("`cmax` should be larger than `cmin`.")
    scaled = (data - cmin) * (float(high - low) / (span or 1)) + low
    return (scaled.clip(low, high) + 0.5).astype(np.uint8)


def toimage(
    arr: Any,
    high: int = 255,
    low: int = 0,
    cmin: Any = None,
    cmax: Any = None,
    pal: Any = None,
    mode: str | None = None,
    channel_axis: Any = None,
) -> Any:
    """A Pillow image of an array: of two axes, grey; of three, the one of length 3 or 4 holds the channels."""
    image = _pillow()
    data = np.asarray(arr)
    if np.iscomplexobj(data):
        raise ValueError("Cannot convert a complex-valued array.")
    if data.ndim == 2:
        if mode == "F":
            return image.fromarray(data.astype(np.float32))
        if mode == "I":
            cmin = data.min() if cmin is None else cmin
            cmax = data.max() if cmax is None else cmax
            return image.fromarray(((data * 1.0 - cmin) * (high - low) / (cmax - cmin) + low).astype(np.int32))
        if mode == "1":
            return image.fromarray(data > high)
        if mode not in (None, "L", "P"):
            raise ValueError("Mode is unknown or incompatible with input array shape.")
        made = image.fromarray(bytescale(data, high=high, low=low, cmin=cmin, cmax=cmax))
        if pal is not None or mode == "P":
            grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
            made.putpalette(np.asarray(grey if pal is None else pal, np.uint8).tobytes())
        return made
    if data.ndim != 3 or not {3, 4} & set(data.shape):
        raise ValueError("'arr' does not have a suitable array shape for any mode.")
    axis = channel_axis if channel_axis is not None else data.shape.index(3 if 3 in data.shape else 4)
    channels = data.shape[axis]
    if channels not in (3, 4):
        raise ValueError("Channel axis dimension is not valid.")
    mode = mode or ("RGB" if channels == 3 else "RGBA")
    if mode not in ("RGB", "YCbCr", "RGBA", "CMYK"):
        raise ValueError("Mode is unknown or incompatible with input array shape.")
    if (mode in ("RGB", "YCbCr")) != (channels == 3):
        raise ValueError("Invalid array shape for mode.")
    pixels = np.ascontiguousarray(np.moveaxis(bytescale(data, high=high, low=low, cmin=cmin, cmax=cmax), axis, 2))
    return image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), pixels.tobytes())


def fromimage(im: Any, flatten: bool = False, mode: str | None = None) -> Any:
    """The array of a Pillow image: of two axes for grey, else height, width and channels."""
    if not hasattr(im, "mode") or not hasattr(im, "convert"):
        raise TypeError("Input is not a PIL image.")
    if mode is not None:
        im = im.convert(mode) if mode != im.mode else im
    elif im.mode == "P":
        im = im.convert("RGBA" if "transparency" in im.info else "RGB")
    if flatten:
        im = im.convert("F")
    elif im.mode == "1":
        im = im.convert("L")
    return np.array(im)


def imread(name: Any, flatten: bool = False, mode: str | None = None) -> Any:
    with _pillow().open(name) as image:
        return fromimage(image, flatten=flatten, mode=mode)


def imsave(name: Any, arr: Any, format: str | None = None) -> None:
    toimage(arr, channel_axis=2 if np.ndim(arr) == 3 else None).save(name, **({} if format is None else {"format": format}))


def imresize(arr: Any, size: Any, interp: str = "bilinear", mode: str | None = None) -> Any:
    """An image at `size`: a percentage (int), a factor (float), or (height, width)."""
    image = toimage(arr, mode=mode)
    if isinstance(size, int | np.signedinteger):
        wanted = tuple(int(n * size / 100.0) for n in image.size)
    elif isinstance(size, float | np.floating):
        wanted = tuple(int(n * size) for n in image.size)
    else:
        wanted = (int(size[1]), int(size[0]))
    return fromimage(image.resize(wanted, resample=FILTERS[interp]))


def imrotate(arr: Any, angle: float, interp: str = "bilinear") -> Any:
    return fromimage(toimage(arr).rotate(angle, resample=FILTERS[interp]))


def imfilter(arr: Any, ftype: str) -> Any:
    filters = importlib.import_module("PIL.ImageFilter")
    names = {"edge_enhance_more": "EDGE_ENHANCE_MORE"} | {
        n: n.upper() for n in ("blur", "contour", "detail", "edge_enhance", "emboss", "find_edges", "smooth", "smooth_more", "sharpen")
    }
    if ftype not in names:
        raise ValueError(f"Unknown filter type: {ftype!r}.")
    return fromimage(toimage(arr).filter(getattr(filters, names[ftype])))


def imshow(arr: Any) -> None:
    toimage(arr).show()
