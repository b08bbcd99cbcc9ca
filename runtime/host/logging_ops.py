"""Print, Assert, and the summaries that TensorBoard shows."""

from __future__ import annotations

import functools
import itertools
import struct
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphtools.errors import FormatError
from graphtools.formats import schema, tensor
from graphtools.graph import Node
from runtime import files
from runtime.errors import InvalidArgumentError
from runtime.host import Run, host, rows
from runtime.host.rows import Array
from runtime.host.string_ops import escape, print_element

# -- printing ----------------------------------------------------------------------------------------------------


def _shown(value: Any) -> str:
    return escape(value) if isinstance(value, bytes) else print_element(value)


def summarize(value: Any, limit: int) -> str:
    """The first `limit` elements as Print and Assert show them: a pair of brackets for each row but the outermost."""
    if not isinstance(value, np.ndarray):
        return f"<{type(value).__name__}>"
    if not value.size:
        return ""
    if limit < 0:
        limit = value.size
    if value.ndim == 0:
        return _shown(value[()])
    taken = itertools.count()
    parts: list[str] = []
    count = 0

    def one_dimension(part: Array, depth: int) -> None:
        nonlocal count
        if count >= limit:
            return
        if part.ndim == 1:
            for i, element in enumerate(part):
                if count >= limit:
                    if depth:
                        parts.append("...")
                    return
                parts.append((" " if i else "") + _shown(element))
                count = next(taken) + 1
            return
        for inner in part:
            is_open = count < limit
            if is_open:
                parts.append("[")
            one_dimension(inner, depth + 1)
            if count < limit or is_open:
                parts.append("]")

    one_dimension(value, 0)
    if value.size > limit:
        parts.append("...")
    return "".join(parts)


@host("Print")
def print_op(run: Run, node: Node, value: Any, *data: Any) -> Any:
    calls = run.kernel_state(node, itertools.count)
    first_n = node.attr["first_n"]
    if first_n < 0 or next(calls) < first_n:
        shown = "".join(f"[{summarize(d, node.attr['summarize'])}]" for d in data)
        _write(sys.stderr, f"{_text(node.attr['message'])}{shown}\n")
    return value


def _write(stream: Any, text: str) -> None:
    stream.write(text)
    stream.flush()


# What tf.print calls logging levels, and the letter that a log line begins with.
_LEVELS = {"log(info)": "I", "log(warning)": "W", "log(error)": "E"}


@host("PrintV2")
def print_v2(run: Run, node: Node, value: Array) -> tuple[()]:
    stream = node.attr["output_stream"]
    text = value.item().decode("utf-8", "replace") + _text(node.attr.get("end", "\n"))
    if stream in ("stdout", "stderr"):
        _write(getattr(sys, stream), text)
    elif stream in _LEVELS:
        _write(sys.stderr, f"{_LEVELS[stream]} {text.rstrip(chr(10))}\n")
    elif stream.startswith("file://"):
        with files.translated(stream), open(files.local(stream), "a", encoding="utf-8") as file:
            file.write(text)
    else:
        raise InvalidArgumentError(None, None, f"Unknown output stream: {stream}, or unsupported format.")
    return ()


@host("Assert")
def assert_op(run: Run, node: Node, condition: Array, *data: Any) -> tuple[()]:
    if condition.size != 1:
        raise InvalidArgumentError(None, None, f"In[0] should be a scalar: {rows.shape_text(condition.shape)}")
    if not condition.item():
        shown = " ".join(f"[{summarize(d, node.attr['summarize'])}]" for d in data)
        raise InvalidArgumentError(None, None, f"assertion failed: {shown}")
    return ()


@host("Timestamp")
def timestamp(run: Run, node: Node) -> Array:
    return np.array(time.time(), np.float64)


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


# -- scalar and histogram summaries ------------------------------------------------------------------------------


def _serialized(summary: Any) -> Array:
    return rows.text(summary.SerializeToString())


def scalar_summary(tags: Sequence[bytes], values: Sequence[float]) -> Any:
    summary = schema.message("Summary")()
    for tag, value in zip(tags, values, strict=True):
        summary.value.add(tag=_text(tag), simple_value=value)
    return summary


@host("ScalarSummary")
def scalar_summary_op(run: Run, node: Node, tags: Array, values: Array) -> Array:
    if tags.shape != values.shape and not (tags.size == values.size == 1):
        single = f" (tag '{_text(tags.item())}')" if tags.size == 1 else ""
        raise InvalidArgumentError(
            None, None, f"tags and values not the same shape: {rows.shape_text(tags.shape)} != {rows.shape_text(values.shape)}{single}"
        )
    return _serialized(scalar_summary(tags.ravel().tolist(), values.ravel().astype(np.float64).tolist()))


@functools.cache
def _bucket_limits() -> Array:
    """Powers of 1.1 from 1e-12 to 1e20 on both sides of 0, and the largest number."""
    positive = []
    limit = 1e-12
    while limit < 1e20:
        positive.append(limit)
        limit *= 1.1
    positive.append(sys.float_info.max)
    return np.array([-v for v in reversed(positive)] + [0.0] + positive)


def histogram(values: Any, name: str) -> Any:
    """The HistogramProto of numbers in TensorFlow's default buckets; runs of empty buckets are joined."""
    flat = np.ravel(values).astype(np.float64)
    if np.isnan(flat).any():
        raise InvalidArgumentError(None, None, f"Nan in summary histogram for: {name}")
    if np.isinf(flat).any():
        raise InvalidArgumentError(None, None, f"Infinity in summary histogram for: {name}")
    limits = _bucket_limits()
    proto = schema.message("HistogramProto")()
    proto.min, proto.max = (float(flat.min()), float(flat.max())) if flat.size else (sys.float_info.max, -sys.float_info.max)
    proto.num = float(flat.size)
    if flat.size:  # one after the other, as TensorFlow adds them
        proto.sum = float(np.add.accumulate(flat)[-1])
        proto.sum_squares = float(np.add.accumulate(flat * flat)[-1])
    counts = np.bincount(np.minimum(np.searchsorted(limits, flat, side="right"), len(limits) - 1), minlength=len(limits))
    at, last = 0, len(limits)
    filled = np.flatnonzero(counts).tolist()
    for bucket in filled:
        if bucket > at:
            proto.bucket_limit.append(float(limits[bucket - 1]))
            proto.bucket.append(0.0)
        proto.bucket_limit.append(float(limits[bucket]))
        proto.bucket.append(float(counts[bucket]))
        at = bucket + 1
    if at < last:
        proto.bucket_limit.append(float(limits[-1]))
        proto.bucket.append(0.0)
    return proto


@host("HistogramSummary")
def histogram_summary(run: Run, node: Node, tag: Array, values: Array) -> Array:
    summary = schema.message("Summary")()
    entry = summary.value.add(tag=_text(tag.item()))
    entry.histo.CopyFrom(histogram(values, node.name))
    return _serialized(summary)


# -- image and audio summaries -----------------------------------------------------------------------------------

_COLOR_TYPES = {1: 0, 3: 2, 4: 6}  # channels -> the color type of a PNG


def png(pixels: Array) -> bytes:
    """8-bit pixels [height, width, channels] as a PNG file."""
    height, width, channels = pixels.shape
    lines = np.zeros((height, 1 + width * channels), np.uint8)  # each line begins with its filter: none
    lines[:, 1:] = pixels.reshape(height, -1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, _COLOR_TYPES[channels], 0, 0, 0)
    return b"".join((b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(lines.tobytes())), chunk(b"IEND", b"")))


def to_pixels(image: Array, bad_color: Array) -> Array:
    """Numbers as pixels: positive ones from 0 to the largest, others around 128; `bad_color` where a number is not finite."""
    if image.dtype == np.uint8:
        return image
    if image.dtype != np.float64:
        image = image.astype(np.float32)
    kind = image.dtype.type
    finite = np.isfinite(image).all(axis=-1)
    good = image[finite]
    low, high = (good.min(), good.max()) if good.size else (kind(0), kind(0))
    if low < 0:
        largest = max(abs(low), abs(high))
        scale, offset = (kind(0) if largest < 1e-6 else kind(127) / largest), kind(128)
    else:
        scale, offset = (kind(0) if high < 1e-6 else kind(255) / high), kind(0)
    pixels = np.empty(image.shape, np.uint8)
    pixels[finite] = (good * scale + offset).astype(np.uint8)
    pixels[~finite] = bad_color
    return pixels


def _outputs(tag: str, kind: str, count: int, most: int) -> Iterator[tuple[int, str]]:
    for i in range(min(count, most)):
        yield i, f"{tag}/{kind}/{i}" if most > 1 else f"{tag}/{kind}"


def summarize_images(tag: Array, images: Array, bad_color: Any, most: int) -> Array:
    """A serialized summary of at most `most` images [batch, height, width, channels]."""
    if images.ndim != 4 or images.shape[-1] not in _COLOR_TYPES:
        raise InvalidArgumentError(None, None, f"Tensor must be 4-D with last dim 1, 3, or 4, not {rows.shape_text(images.shape)}")
    channels = images.shape[-1]
    bad = np.ravel(bad_color).astype(np.uint8)
    if len(bad) < channels:
        raise InvalidArgumentError(None, None, f"expected at least {channels} values for bad_color; {len(bad)} were given")
    summary = schema.message("Summary")()
    for i, name in _outputs(_text(tag.item()), "image", len(images), most):
        entry = summary.value.add(tag=name)
        entry.image.height, entry.image.width, entry.image.colorspace = images.shape[1], images.shape[2], channels
        entry.image.encoded_image_string = png(to_pixels(images[i], bad[:channels]))
    return _serialized(summary)


@host("ImageSummary")
def image_summary(run: Run, node: Node, tag: Array, images: Array) -> Array:
    return summarize_images(tag, images, node.attr["bad_color"], node.attr["max_images"])


def wav(samples: Array, sample_rate: int) -> bytes:
    """Samples [frames, channels] between -1 and 1 as a 16-bit WAV file."""
    channels = samples.shape[1]
    scaled = samples.astype(np.float32) * np.float32(32768)
    rounded = np.copysign(np.floor(np.abs(scaled) + np.float32(0.5)), scaled)  # halves away from zero
    data = np.clip(rounded, -32768, 32767).astype("<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, channels, sample_rate, sample_rate * channels * 2, channels * 2, 16)
    return b"".join(
        (b"RIFF", struct.pack("<I", 36 + len(data)), b"WAVEfmt ", struct.pack("<I", 16), form, b"data", struct.pack("<I", len(data)), data)
    )


def summarize_audio(tag: Array, samples: Array, sample_rate: float, most: int) -> Array:
    """A serialized summary of at most `most` clips [batch, frames] or [batch, frames, channels]."""
    if samples.ndim not in (2, 3):
        raise InvalidArgumentError(None, None, f"Tensor must be 3-D or 2-D, got: {rows.shape_text(samples.shape)}")
    if sample_rate <= 0:
        raise InvalidArgumentError(None, None, f"sample_rate must be > 0, not {sample_rate}")
    summary = schema.message("Summary")()
    clips = samples.reshape(*samples.shape[:2], -1) if samples.ndim == 3 else samples[:, :, np.newaxis]
    for i, name in _outputs(_text(tag.item()), "audio", len(clips), most):
        entry = summary.value.add(tag=name)
        entry.audio.sample_rate = sample_rate
        entry.audio.num_channels, entry.audio.length_frames = clips.shape[2], clips.shape[1]
        entry.audio.content_type = "audio/wav"
        entry.audio.encoded_audio_string = wav(clips[i], int(sample_rate))
    return _serialized(summary)


@host("AudioSummary")
def audio_summary(run: Run, node: Node, tag: Array, samples: Array) -> Array:
    return summarize_audio(tag, samples, node.attr["sample_rate"], node.attr["max_outputs"])


@host("AudioSummaryV2")
def audio_summary_v2(run: Run, node: Node, tag: Array, samples: Array, sample_rate: Array) -> Array:
    return summarize_audio(tag, samples, float(sample_rate), node.attr["max_outputs"])


# -- summaries of summaries and tensors --------------------------------------------------------------------------


@host("MergeSummary")
def merge_summary(run: Run, node: Node, *summaries: Array) -> Array:
    merged = schema.message("Summary")()
    tags: set[str] = set()
    for data in itertools.chain.from_iterable(s.ravel().tolist() for s in summaries):
        try:
            parsed = schema.parse("Summary", data)
        except FormatError as e:
            raise InvalidArgumentError(None, None, "Could not parse one of the summary inputs") from e
        for value in parsed.value:
            if value.tag and value.tag in tags:
                raise InvalidArgumentError(None, None, f"Duplicate tag {value.tag} found in summary inputs")
            tags.add(value.tag)
        merged.MergeFrom(parsed)
    return _serialized(merged)


@host("TensorSummary")
def tensor_summary(run: Run, node: Node, value: Array) -> Array:
    summary = schema.message("Summary")()
    entry = summary.value.add(node_name=node.name)
    tensor.to_proto(value, node.attr["T"], entry.tensor)
    return _serialized(summary)


@host("TensorSummaryV2")
def tensor_summary_v2(run: Run, node: Node, tag: Array, value: Array, metadata: Array) -> Array:
    summary = schema.message("Summary")()
    entry = summary.value.add(tag=_text(tag.item()))
    tensor.to_proto(value, node.attr["T"], entry.tensor)
    try:
        entry.metadata.CopyFrom(schema.parse("SummaryMetadata", metadata.item()))
    except FormatError as e:
        raise InvalidArgumentError(None, None, f"Could not parse the serialized SummaryMetadata of {_text(tag.item())!r}: {e}") from e
    return _serialized(summary)


__all__ = ["histogram", "png", "scalar_summary", "summarize", "summarize_audio", "summarize_images", "to_pixels", "wav"]
