"""Host kernels that read and write image files, cut glimpses and warp images."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphtools.graph import Node
from runtime.errors import InvalidArgumentError, UnimplementedError
from runtime.host import Run, host, image_codecs, jpeg, jpeg_writer
from runtime.host.string_ops import attr_bytes, strings

Array = NDArray[Any]

JPEG, PNG, GIF, BMP = "JPEG", "PNG", "GIF", "BMP"
_SIGNATURES = ((b"\xff\xd8\xff", JPEG), (b"\x89PNG\r\n\x1a\n", PNG), (b"GIF87a", GIF), (b"GIF89a", GIF), (b"BM", BMP))


def _format(contents: bytes) -> str:
    for signature, name in _SIGNATURES:
        if contents.startswith(signature):
            return name
    raise InvalidArgumentError(
        None, None, f"Expected image (JPEG, PNG, or GIF), got unknown format starting with '{contents[:16].decode('latin-1')}'"
    )


def _scalar(contents: Array) -> bytes:
    if contents.ndim:
        raise InvalidArgumentError(None, None, f"contents must be scalar, got shape {list(contents.shape)}")
    value: bytes = contents.item()
    return value


def _pillow() -> Any:
    try:
        from PIL import Image  # type: ignore[import-not-found, unused-ignore]
    except ImportError as e:
        raise UnimplementedError(
            None,
            None,
            "Progressive JPEG files are written, and unusual ones read, with Pillow, which is not installed: pip install 'tfrevive[images]'.",
        ) from e
    return Image


def _decode_jpeg(node: Node, contents: bytes, channels: int, ratio: int, columns: tuple[int, int] | None = None) -> Array:
    """With this package's own reader where it can: it gives the very pixels TensorFlow gives. Pillow reads the rest."""
    if channels not in (0, 1, 3):
        raise InvalidArgumentError(None, None, f"channels must be 0, 1, or 3 for JPEG, got {channels}")
    if ratio == 1:
        accurate = node.attr.get("dct_method") == "INTEGER_ACCURATE"
        try:
            return jpeg.decode(contents, channels, accurate=accurate, smooth=node.attr.get("fancy_upscaling", True), columns=columns)
        except jpeg.JpegError as e:
            raise InvalidArgumentError(None, None, f"Invalid JPEG data or crop window, data size {len(contents)}: {e}") from e
        except jpeg.UnsupportedJpeg:
            pass
    pixels = _decode_with_pillow(contents, channels, ratio)
    return pixels if columns is None else pixels[:, slice(*columns)]


def _decode_with_pillow(contents: bytes, channels: int, ratio: int) -> Array:
    image_module = _pillow()
    try:
        image = image_module.open(io.BytesIO(contents))
        if ratio > 1:
            image.draft(None, (-(-image.width // ratio), -(-image.height // ratio)))
        channels = channels or (1 if image.mode == "L" else 3)
        if image.mode == "YCbCr" or (image.mode == "RGB" and channels == 1):
            image.draft("L" if channels == 1 else "RGB", None)
        pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    except (OSError, SyntaxError, ValueError) as e:
        raise InvalidArgumentError(None, None, f"Invalid JPEG data or crop window, data size {len(contents)}: {e}") from e
    return pixels.reshape(*pixels.shape[:2], channels)


def _decode_any(node: Node, contents: bytes, channels: int, dtype: Any, ratio: int = 1) -> Array:
    """[height, width, channels], or [frames, height, width, 3] for a GIF."""
    kind = _format(contents)
    if kind == PNG:
        return image_codecs.decode_png(contents, channels, dtype)
    if kind == JPEG:
        pixels = _decode_jpeg(node, contents, channels, ratio)
    elif kind == BMP:
        pixels = image_codecs.decode_bmp(contents, channels)
    else:
        if channels not in (0, 3):
            raise InvalidArgumentError(None, None, f"channels must be 0 or 3 for GIF, got {channels}")
        pixels = image_codecs.decode_gif(contents)
    return pixels if dtype == np.uint8 else pixels.astype(np.uint16) * np.uint16(257)


@host("DecodePng", "DecodeJpeg")
def decode_png_or_jpeg(run: Run, node: Node, contents: Array) -> Array:
    """Either op reads PNG, JPEG and still GIF files."""
    data = _scalar(contents)
    if _format(data) == BMP:
        raise InvalidArgumentError(
            None, None, f"Trying to decode BMP format using a wrong op. Use `decode_bmp` or `decode_image` instead. Op used: {node.op}"
        )
    dtype = node.attr["dtype"].as_numpy_dtype if node.op == "DecodePng" else np.uint8
    pixels = _decode_any(node, data, node.attr["channels"], dtype, node.attr.get("ratio", 1))
    if pixels.ndim == 3:
        return pixels
    if len(pixels) != 1:
        raise InvalidArgumentError(
            None, None, f"Got {len(pixels)} frames, but animated gifs can only be decoded by tf.image.decode_gif or tf.image.decode_image"
        )
    return np.asarray(pixels[0])


@host("DecodeGif")
def decode_gif(run: Run, node: Node, contents: Array) -> Array:
    pixels = _decode_any(node, _scalar(contents), 3, np.uint8)
    return pixels if pixels.ndim == 4 else pixels[None]


@host("DecodeBmp")
def decode_bmp(run: Run, node: Node, contents: Array) -> Array:
    return image_codecs.decode_bmp(_scalar(contents), node.attr["channels"])


@host("DecodeImage")
def decode_image(run: Run, node: Node, contents: Array) -> Array:
    dtype = node.attr["dtype"].as_numpy_dtype
    pixels = _decode_any(node, _scalar(contents), node.attr["channels"], np.uint16 if dtype == np.uint16 else np.uint8)
    if pixels.ndim == 4 and not node.attr["expand_animations"]:
        pixels = pixels[0]
    return pixels.astype(np.float32) / np.float32(255) if dtype == np.float32 else pixels


@host("DecodeAndCropJpeg")
def decode_and_crop_jpeg(run: Run, node: Node, contents: Array, window: Array) -> Array:
    top, left, height, width = (int(v) for v in window)
    if top < 0 or left < 0 or height <= 0 or width <= 0:
        raise InvalidArgumentError(None, None, f"Invalid JPEG data or crop window {window.tolist()}")
    pixels = _decode_jpeg(node, _scalar(contents), node.attr["channels"], node.attr["ratio"], (left, left + width))
    if top + height > pixels.shape[0] or pixels.shape[1] != width:
        raise InvalidArgumentError(
            None, None, f"Invalid JPEG data or crop window {window.tolist()} of an image {pixels.shape[0]} pixels high"
        )
    return pixels[top : top + height]


@host("ExtractJpegShape")
def extract_jpeg_shape(run: Run, node: Node, contents: Array) -> Array:
    data = _scalar(contents)
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if marker == 0xFF:
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width, channels = struct.unpack_from(">HHB", data, at + 5)
            return np.array([height, width, channels], node.attr["output_type"].as_numpy_dtype)
        at += 2 + length
    raise InvalidArgumentError(None, None, f"Invalid JPEG data, size {len(data)}")


@host("EncodePng")
def encode_png(run: Run, node: Node, image: Array) -> Array:
    if image.ndim != 3 or not image.size:
        raise InvalidArgumentError(None, None, f"image must be 3-dimensional and not empty, got shape {list(image.shape)}")
    if not 1 <= image.shape[2] <= 4:
        raise InvalidArgumentError(None, None, f"image must have 1, 2, 3, or 4 channels, got {image.shape[2]}")
    return strings([image_codecs.encode_png(image, node.attr["compression"])], ())


def _check_for_jpeg(image: Array) -> None:
    if image.ndim != 3 or image.shape[2] not in (1, 3) or not image.size:
        raise InvalidArgumentError(None, None, f"image must be 3-dimensional with 1 or 3 channels, got shape {list(image.shape)}")


def _encode_with_pillow(node: Node, image: Array) -> bytes:
    a = node.attr
    per_inch = 1 if a["density_unit"] == "in" else 2.54
    file = io.BytesIO()
    picture = _pillow().fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    picture.save(
        file,
        "JPEG",
        quality=a["quality"],
        progressive=a["progressive"],
        optimize=a["optimize_size"],
        subsampling=2 if a["chroma_downsampling"] else 0,
        dpi=(round(a["x_density"] * per_inch), round(a["y_density"] * per_inch)),
        **({"xmp": a["xmp_metadata"]} if a["xmp_metadata"] else {}),
    )
    return file.getvalue()


@host("EncodeJpeg")
def encode_jpeg(run: Run, node: Node, image: Array) -> Array:
    """Progressive files, and those with Huffman tables of their own, are left to Pillow."""
    _check_for_jpeg(image)
    a = node.attr
    channels = {"": image.shape[2], "grayscale": 1, "rgb": 3}.get(a["format"])
    if channels != image.shape[2]:
        raise InvalidArgumentError(None, None, f"format {a['format']!r} does not fit an image of shape {list(image.shape)}")
    if a["progressive"] or a["optimize_size"]:
        return strings([_encode_with_pillow(node, image)], ())
    density = (1 if a["density_unit"] == "in" else 2, a["x_density"], a["y_density"])
    xmp = attr_bytes(a["xmp_metadata"])
    return strings([jpeg_writer.encode(image, quality=a["quality"], subsampled=a["chroma_downsampling"], density=density, xmp=xmp)], ())


@host("EncodeJpegVariableQuality")
def encode_jpeg_variable_quality(run: Run, node: Node, image: Array, quality: Array) -> Array:
    _check_for_jpeg(image)
    return strings([jpeg_writer.encode(image, quality=int(quality), subsampled=True, density=(1, 300, 300))], ())


@host("ExtractGlimpse", "ExtractGlimpseV2")
def extract_glimpse(run: Run, node: Node, images: Array, size: Array, offsets: Array) -> Array:
    """Windows around (row, column) offsets; what lies outside an image is noise of its range, or of its spread, or zero."""
    a = node.attr
    if images.ndim != 4 or size.shape != (2,) or offsets.shape != (len(images), 2):
        raise InvalidArgumentError(
            None,
            None,
            f"input must be 4-dimensional, size of 2 and offsets [batch, 2]; got {images.shape}, {size.shape} and {offsets.shape}",
        )
    tall, wide = (int(v) for v in size)
    if tall <= 0 or wide <= 0:
        raise InvalidArgumentError(None, None, f"glimpse size must be strictly greater than zero, got {tall} x {wide}")
    noise = a["noise"] if a["noise"] != "uniform" or a["uniform_noise"] else "gaussian"
    generator = run.kernel_state(node, np.random.default_rng)
    extent, window = np.array(images.shape[1:3], np.float32), np.array([tall, wide], np.float32)
    places = offsets.astype(np.float32)
    if a["normalized"]:
        places = places * extent
    if a["centered"]:
        places = places / np.float32(2) + extent / np.float32(2)
    places = places - window / np.float32(2)
    out = np.zeros((len(images), tall, wide, images.shape[3]), np.float32)
    for image, glimpse, (top, left) in zip(images, out, np.trunc(places).astype(np.int64).tolist(), strict=True):
        y0, x0 = max(top, 0), max(left, 0)
        y1, x1 = min(top + tall, image.shape[0]), min(left + wide, image.shape[1])
        if (y1 - y0, x1 - x0) != (tall, wide):
            if noise == "uniform":
                glimpse[:] = image.min() + generator.random(glimpse.shape, np.float32) * (image.max() - image.min())
            elif noise == "gaussian":
                glimpse[:] = image.mean(axis=(0, 1)) + generator.standard_normal(glimpse.shape, np.float32) * image.std(axis=(0, 1))
        if y1 > y0 and x1 > x0:
            glimpse[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    return out


@host("ImageProjectiveTransformV2", "ImageProjectiveTransformV3")
def image_projective_transform(
    run: Run, node: Node, images: Array, transforms: Array, output_shape: Array, fill: Array | None = None
) -> Array:
    """Pixel (x, y) comes from ((a0 x + a1 y + a2) / k, (a3 x + a4 y + a5) / k) with k = a6 x + a7 y + 1."""
    if images.ndim != 4 or transforms.ndim != 2 or transforms.shape[1] != 8 or len(transforms) not in (1, len(images)):
        raise InvalidArgumentError(
            None,
            None,
            f"Input images must have rank 4 and transforms be [1 or batch, 8]; got {list(images.shape)} and {list(transforms.shape)}",
        )
    mode = node.attr.get("fill_mode", "CONSTANT")
    if mode != "CONSTANT":
        raise UnimplementedError(None, None, f"fill_mode {mode!r} of node {node.name!r}: only 'CONSTANT' is supported")
    height, width = (int(v) for v in output_shape)
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    background = 0 if fill is None else fill.item()
    out = np.empty((len(images), height, width, images.shape[3]), images.dtype)
    for i, image in enumerate(images):
        t = transforms[i % len(transforms)].astype(np.float32)
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = t[6] * xs + t[7] * ys + np.float32(1)
            x, y = (t[0] * xs + t[1] * ys + t[2]) / scale, (t[3] * xs + t[4] * ys + t[5]) / scale
        lost = (scale == 0) | ~np.isfinite(x) | ~np.isfinite(y)
        x, y = np.where(lost, -10.0, x), np.where(lost, -10.0, y)
        warped = _nearest(image, y, x, background) if node.attr["interpolation"] == "NEAREST" else _bilinear(image, y, x, background)
        warped[lost] = background
        out[i] = warped.astype(images.dtype)
    return out


def _pixel(image: Array, y: Array, x: Array, background: float) -> Array:
    inside = (y >= 0) & (y < image.shape[0]) & (x >= 0) & (x < image.shape[1])
    y, x = (np.where(inside, v, 0).astype(np.int64) for v in (y, x))
    return np.where(inside[..., None], image[y, x], np.asarray(background, image.dtype))


def _round_away(value: Array) -> Array:
    return np.asarray(np.trunc(value + np.copysign(np.float32(0.5), value)))


def _nearest(image: Array, y: Array, x: Array, background: float) -> Array:
    return _pixel(image, _round_away(y), _round_away(x), background)


def _bilinear(image: Array, y: Array, x: Array, background: float) -> Array:
    y0, x0 = np.floor(y), np.floor(x)
    dy, dx = (y - y0)[..., None], (x - x0)[..., None]
    wide = image.astype(np.float64 if image.dtype == np.float64 else np.float32)
    upper = (1 - dx) * _pixel(wide, y0, x0, background) + dx * _pixel(wide, y0, x0 + 1, background)
    lower = (1 - dx) * _pixel(wide, y0 + 1, x0, background) + dx * _pixel(wide, y0 + 1, x0 + 1, background)
    blended: Array = (1 - dy) * upper + dy * lower
    return blended
