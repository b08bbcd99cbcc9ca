"""Host kernels of the string ops: joining, splitting, formatting, numbers, hashes, Base64, raw bytes."""

from __future__ import annotations

import base64
import binascii
import gzip
import itertools
import math
import re
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphtools.graph import Node
from runtime.errors import DataLossError, InvalidArgumentError
from runtime.host import Run, fingerprint, host

Array = NDArray[Any]


def strings(values: Iterable[bytes], shape: tuple[int, ...] | None = None) -> Array:
    """An array of byte strings; numpy's own constructors would cut trailing zero bytes."""
    items = list(values)
    array = np.empty(len(items), object)
    array[:] = items
    return array if shape is None else array.reshape(shape)


def each(function: Callable[[bytes], bytes], value: Array) -> Array:
    return strings((function(s) for s in value.ravel()), value.shape)


def each_number(function: Callable[[bytes], Any], value: Array, dtype: Any) -> Array:
    return np.array([function(s) for s in value.ravel()], dtype).reshape(value.shape)


def attr_bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


# -- strings of numbers, and back -----------------------------------------------------------------------------------


@host("AsString")
def as_string(run: Run, node: Node, value: Array) -> Array:
    a = node.attr
    fill = a["fill"]
    if fill not in ("", " ", "+", "-", "0", "#"):
        raise InvalidArgumentError(None, None, f"Fill argument not supported: {fill!r}")
    if a["scientific"] and a["shortest"]:
        raise InvalidArgumentError(None, None, "Cannot select both scientific and shortest notation")
    kind = value.dtype.kind
    if kind == "b":
        return each_value(lambda v: "true" if v else "false", value)
    if kind in "iu" and (a["scientific"] or a["shortest"]):
        raise InvalidArgumentError(None, None, f"scientific and shortest format not supported for datatype {value.dtype.name}")
    if kind in "iu" and a["precision"] > -1:
        raise InvalidArgumentError(None, None, f"precision not supported for datatype {value.dtype.name}")
    form = "%" + fill + (str(a["width"]) if a["width"] > -1 else "") + (f".{a['precision']}" if a["precision"] > -1 else "")
    form += "d" if kind in "iu" else "e" if a["scientific"] else "g" if a["shortest"] else "f"
    unpadded = form.replace("%0", "%", 1)  # C pads inf and nan with spaces

    def show(number: Any) -> str:
        return str((form if math.isfinite(number) else unpadded) % number)

    if kind == "c":
        return each_value(lambda v: f"({show(v.real)},{show(v.imag)})", value)
    return each_value(show, value)


def each_value(function: Callable[[Any], str], value: Array) -> Array:
    return strings((function(v).encode() for v in value.ravel().tolist()), value.shape)


_NUMBER = re.compile(rb"\s*[-+]?(\d+\.?\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?|inf(inity)?|nan|0[xX][0-9a-fA-F]+)\s*", re.IGNORECASE)
_INTEGER = re.compile(rb"\s*-?\d+\s*")


def parse_number(text: bytes, dtype: Any) -> Any:
    """A number as TensorFlow's strict parsers read it; None where they refuse."""
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        if not _INTEGER.fullmatch(text):
            return None
        number = int(text)
        info = np.iinfo(dtype)
        return number if info.min <= number <= info.max else None
    if not _NUMBER.fullmatch(text):
        return None
    body = text.strip().lower()
    with np.errstate(over="ignore"):
        return dtype.type(int(body, 16) if b"0x" in body else float(body))


@host("StringToNumber")
def string_to_number(run: Run, node: Node, value: Array) -> Array:
    dtype = node.attr["out_type"].as_numpy_dtype

    def parse(text: bytes) -> Any:
        number = parse_number(text, dtype)
        if number is None:
            raise InvalidArgumentError(
                None, None, f"StringToNumberOp could not correctly convert string: {text.decode('utf-8', 'replace')}"
            )
        return number

    return each_number(parse, value, dtype)


# -- joining and splitting ------------------------------------------------------------------------------------------


@host("StringJoin")
def string_join(run: Run, node: Node, *parts: Array) -> Array:
    separator = attr_bytes(node.attr["separator"])
    shapes = {p.shape for p in parts if p.ndim}
    if len(shapes) > 1:
        raise InvalidArgumentError(None, None, f"Input shapes do not match: {' vs. '.join(str(list(s)) for s in sorted(shapes))}")
    shape = shapes.pop() if shapes else ()
    columns = [p.ravel().tolist() if p.ndim else itertools.repeat(p.item()) for p in parts]
    if not shape:
        return strings([separator.join(p.item() for p in parts)], shape)
    return strings((separator.join(row) for row in zip(*columns, strict=False)), shape)


def _split(text: bytes, delimiters: bytes, skip_empty: bool) -> list[bytes]:
    """Every byte of `delimiters` ends a piece; without delimiters every byte is one."""
    if not delimiters:
        return [text[i : i + 1] for i in range(len(text))]
    if not text:
        return []
    pieces = text.split(delimiters) if len(delimiters) == 1 else re.split(b"[" + re.escape(delimiters) + b"]", text)
    return [p for p in pieces if p] if skip_empty else pieces


def _rows(pieces: list[list[bytes]]) -> tuple[Array, Array, Array]:
    """A sparse matrix of the pieces: indices, values, dense shape."""
    indices = np.array([(i, j) for i, row in enumerate(pieces) for j in range(len(row))], np.int64).reshape(-1, 2)
    widest = max((len(row) for row in pieces), default=0)
    return indices, strings(itertools.chain.from_iterable(pieces)), np.array([len(pieces), widest], np.int64)


@host("StringSplit")
def string_split(run: Run, node: Node, value: Array, delimiter: Array) -> tuple[Array, Array, Array]:
    if value.ndim != 1:
        raise InvalidArgumentError(None, None, f"input must be a vector, got shape: {list(value.shape)}")
    if delimiter.size != 1:
        raise InvalidArgumentError(None, None, f"delimiter must be a scalar, got shape: {list(delimiter.shape)}")
    return _rows([_split(s, delimiter.item(), node.attr["skip_empty"]) for s in value])


@host("StringSplitV2")
def string_split_v2(run: Run, node: Node, value: Array, separator: Array) -> tuple[Array, Array, Array]:
    if value.ndim != 1:
        raise InvalidArgumentError(None, None, f"input must be a vector, got shape: {list(value.shape)}")
    if separator.ndim:
        raise InvalidArgumentError(None, None, f"sep must be a scalar, got shape: {list(separator.shape)}")
    by, limit = separator.item() or None, node.attr["maxsplit"]

    def split(text: bytes) -> list[bytes]:
        pieces = text.split(by, limit) if limit else [text]
        # Splitting at white space, TensorFlow gives what is left after the last split even where nothing is.
        return [*pieces, b""] if by is None and len(pieces) == limit > 0 else pieces

    return _rows([split(s) for s in value])


def _join_axes(value: Array, axes: Array) -> list[int]:
    found = []
    for axis in axes.ravel().tolist():
        if not -value.ndim <= axis < value.ndim:
            raise InvalidArgumentError(None, None, f"Invalid reduction dimension {axis} for input with {value.ndim} dimension(s)")
        if axis % value.ndim in found:
            raise InvalidArgumentError(None, None, f"Duplicate reduction dimension {axis}")
        found.append(axis % value.ndim)
    return found


@host("ReduceJoin")
def reduce_join(run: Run, node: Node, value: Array, axes: Array) -> Array:
    """The pieces join in the order in which the axes are given, the first one fastest."""
    separator, reduced = attr_bytes(node.attr["separator"]), _join_axes(value, axes)
    kept = [d for d in range(value.ndim) if d not in reduced]
    moved = value.transpose(kept + reduced[::-1])
    rows = (
        moved.reshape(math.prod(value.shape[d] for d in kept), -1)
        if value.size
        else np.empty((math.prod(value.shape[d] for d in kept), 0), object)
    )
    shape = (
        tuple(1 if d in reduced else n for d, n in enumerate(value.shape))
        if node.attr["keep_dims"]
        else tuple(value.shape[d] for d in kept)
    )
    return strings((separator.join(row) for row in rows.tolist()), shape)


@host("UnsortedSegmentJoin")
def unsorted_segment_join(run: Run, node: Node, value: Array, segments: Array, count: Array) -> Array:
    separator, total = attr_bytes(node.attr["separator"]), int(count)
    if value.shape[: segments.ndim] != segments.shape:
        raise InvalidArgumentError(
            None, None, f"segment_ids.shape {list(segments.shape)} is not a prefix of inputs.shape {list(value.shape)}"
        )
    rest = value.shape[segments.ndim :]
    width = math.prod(rest)
    joined: list[list[list[bytes]]] = [[[] for _ in range(width)] for _ in range(total)]
    for segment, row in zip(segments.ravel().tolist(), value.reshape(segments.size, width), strict=True):
        if not 0 <= segment < total:
            raise InvalidArgumentError(None, None, f"segment_ids must be of [0, num_segments) = [0, {total}), got {segment}")
        for cell, text in zip(joined[segment], row, strict=True):
            cell.append(text)
    return strings((separator.join(cell) for row in joined for cell in row), (total, *rest))


@host("StringNGrams")
def string_ngrams(run: Run, node: Node, data: Array, splits: Array) -> tuple[Array, Array]:
    a = node.attr
    separator, left, right = (attr_bytes(a[name]) for name in ("separator", "left_pad", "right_pad"))
    found: list[bytes] = []
    ends = [0]
    for start, stop in itertools.pairwise(splits.tolist()):
        row = data[start:stop].tolist()
        before = len(found)
        for width in a["ngram_widths"]:
            pad = a["pad_width"] if a["pad_width"] >= 0 else width - 1
            pad = min(pad, width - 1)
            padded = [left] * pad + row + [right] * pad
            found += [separator.join(padded[i : i + width]) for i in range(len(padded) - width + 1)]
        if a["preserve_short_sequences"] and len(found) == before and row:
            pad = a["pad_width"] if a["pad_width"] > 0 else 0
            found.append(separator.join([left] * pad + row + [right] * pad))
        ends.append(len(found))
    return strings(found), np.array(ends, splits.dtype)


# -- parts of strings -----------------------------------------------------------------------------------------------


def _utf8_characters(text: bytes) -> list[bytes]:
    """The characters of UTF-8 text; a byte that starts none goes with the character before, as TensorFlow counts."""
    starts = [i for i, byte in enumerate(text) if byte & 0xC0 != 0x80]
    return [text[i:j] for i, j in itertools.pairwise([*starts, len(text)])]


@host("StringLength")
def string_length(run: Run, node: Node, value: Array) -> Array:
    if node.attr["unit"] == "UTF8_CHAR":
        return each_number(lambda s: len(_utf8_characters(s)), value, np.int32)
    return each_number(len, value, np.int32)


@host("Substr")
def substr(run: Run, node: Node, value: Array, position: Array, length: Array) -> Array:
    if position.shape != length.shape:
        raise InvalidArgumentError(
            None, None, f"pos and len should have the same shape, got: {list(position.shape)} vs. {list(length.shape)}"
        )
    by_character = node.attr["unit"] == "UTF8_CHAR"
    try:
        texts, positions, lengths = np.broadcast_arrays(value, position, length)
    except ValueError as e:
        raise InvalidArgumentError(
            None, None, f"input of shape {list(value.shape)} and pos of shape {list(position.shape)} do not broadcast"
        ) from e
    found = []
    for i, (text, start, count) in enumerate(zip(texts.ravel(), positions.ravel().tolist(), lengths.ravel().tolist(), strict=True)):
        units: Any = _utf8_characters(text) if by_character else text
        if not -len(units) <= start <= len(units):
            raise InvalidArgumentError(None, None, f"pos {start} out of range for string b'{text.decode('latin-1')}' at index {i}")
        start += len(units) if start < 0 else 0
        piece = units[start:] if count < 0 and not by_character else units[start : start + max(count, 0)]
        found.append(b"".join(piece) if by_character else piece)
    return strings(found, texts.shape)


@host("StringStrip")
def string_strip(run: Run, node: Node, value: Array) -> Array:
    return each(bytes.strip, value)


@host("StringLower", "StringUpper")
def change_case(run: Run, node: Node, value: Array) -> Array:
    lower = node.op == "StringLower"
    if not node.attr["encoding"]:
        return each(bytes.lower if lower else bytes.upper, value)
    if node.attr["encoding"].lower() != "utf-8":
        raise InvalidArgumentError(None, None, f"Only utf-8 is supported for encoding, got {node.attr['encoding']!r}")
    fold = str.lower if lower else str.upper
    return each(lambda s: fold(s.decode("utf-8", "replace")).encode(), value)


# -- hashes ---------------------------------------------------------------------------------------------------------


@host("StringToHashBucketFast")
def string_to_hash_bucket_fast(run: Run, node: Node, value: Array) -> Array:
    buckets = node.attr["num_buckets"]
    return each_number(lambda s: fingerprint.fingerprint64(s) % buckets, value, np.int64)


@host("StringToHashBucket")
def string_to_hash_bucket(run: Run, node: Node, value: Array) -> Array:
    buckets = node.attr["num_buckets"]
    return each_number(lambda s: fingerprint.hash64(s) % buckets, value, np.int64)


@host("StringToHashBucketStrong")
def string_to_hash_bucket_strong(run: Run, node: Node, value: Array) -> Array:
    key, buckets = node.attr["key"], node.attr["num_buckets"]
    if len(key) != 2:
        raise InvalidArgumentError(None, None, f"Key must have 2 elements, got {key}")
    low, high = (k & (1 << 64) - 1 for k in key)
    return each_number(lambda s: fingerprint.siphash(s, low, high) % buckets, value, np.int64)


@host("Fingerprint")
def fingerprint_rows(run: Run, node: Node, data: Array, method: Array) -> Array:
    """Eight bytes a row; the rows of a string matrix are hashed by the fingerprints of their strings."""
    if method.item() != b"farmhash64":
        raise InvalidArgumentError(None, None, f"Unsupported fingerprint method: {method.item()!r}")
    if data.ndim == 0:
        raise InvalidArgumentError(None, None, "Input data should have a batch dimension, got a scalar")
    rows = data.reshape(data.shape[0], -1)
    if data.dtype == object:
        hashes = [[fingerprint.fingerprint64(s) for s in row] for row in rows]
        marks = [h[0] if data.ndim == 1 else fingerprint.fingerprint64(np.array(h, "<u8").tobytes()) for h in hashes]
    else:
        marks = [fingerprint.fingerprint64(np.ascontiguousarray(row).tobytes()) for row in rows]
    return np.array(marks, "<u8").view(np.uint8).reshape(-1, 8)


# -- bytes ----------------------------------------------------------------------------------------------------------


@host("EncodeBase64")
def encode_base64(run: Run, node: Node, value: Array) -> Array:
    pad = node.attr["pad"]
    return each(lambda s: base64.urlsafe_b64encode(s) if pad else base64.urlsafe_b64encode(s).rstrip(b"="), value)


_BASE64 = re.compile(rb"[A-Za-z0-9_-]*={0,2}")


@host("DecodeBase64")
def decode_base64(run: Run, node: Node, value: Array) -> Array:
    def decode(text: bytes) -> bytes:
        bare = text.rstrip(b"=")
        if not _BASE64.fullmatch(text) or len(bare) % 4 == 1 or (bare != text and len(text) % 4):
            raise InvalidArgumentError(None, None, f"Invalid character found in base64, or a wrong length: {text!r}")
        try:
            return base64.urlsafe_b64decode(bare + b"=" * (-len(bare) % 4))
        except binascii.Error as e:
            raise InvalidArgumentError(None, None, f"Not web-safe base64: {text!r}: {e}") from e

    return each(decode, value)


def _raw_dtype(node: Node) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(node.attr["out_type"].as_numpy_dtype)
    return dtype.newbyteorder("<" if node.attr["little_endian"] else ">")


_CPP_NAMES = {"float16": "half", "float32": "float", "float64": "double"}  # of element types, where TensorFlow's messages have others


@host("DecodeRaw")
def decode_raw(run: Run, node: Node, value: Array) -> Array:
    dtype = _raw_dtype(node)
    if not value.size:
        return np.empty((*value.shape, 0), dtype.newbyteorder("="))
    first = len(value.ravel()[0])
    for i, text in enumerate(value.ravel()):
        if len(text) != first:
            raise InvalidArgumentError(
                None, None, f"DecodeRaw requires input strings to all be the same size, but element {i} has size {first} != {len(text)}"
            )
    if first % dtype.itemsize:
        raise InvalidArgumentError(
            None,
            None,
            f"Input to DecodeRaw has length {first} that is not a multiple of {dtype.itemsize}, the size of {_CPP_NAMES.get(node.attr['out_type'].name, node.attr['out_type'].name)}",
        )
    flat = np.frombuffer(b"".join(value.ravel()), dtype)
    return flat.astype(dtype.newbyteorder("=")).reshape(*value.shape, first // dtype.itemsize)


@host("DecodePaddedRaw")
def decode_padded_raw(run: Run, node: Node, value: Array, fixed_length: Array) -> Array:
    dtype, length = _raw_dtype(node), int(fixed_length)
    if length <= 0 or length % dtype.itemsize:
        raise InvalidArgumentError(
            None, None, f"fixed_length ({length}) must be a multiple of the size of out_type ({dtype.itemsize}) and greater than zero"
        )
    flat = np.frombuffer(b"".join(s[:length].ljust(length, b"\0") for s in value.ravel()), dtype)
    return flat.astype(dtype.newbyteorder("=")).reshape(*value.shape, length // dtype.itemsize)


@host("DecodeCompressed")
def decode_compressed(run: Run, node: Node, value: Array) -> Array:
    kind = node.attr["compression_type"]
    if kind not in ("", "ZLIB", "GZIP"):
        raise InvalidArgumentError(None, None, f"Only ZLIB, GZIP or NONE are supported compressions, not {kind!r}")
    if not kind:
        return value
    try:
        return each(zlib.decompress if kind == "ZLIB" else gzip.decompress, value)
    except (zlib.error, EOFError, OSError) as e:
        raise DataLossError(None, None, f"Input is not whole {kind} data: {e}") from e


# -- formatting -----------------------------------------------------------------------------------------------------

_ESCAPES = {ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t", ord('"'): '\\"', ord("'"): "\\'", ord("\\"): "\\\\"}


def escape(text: bytes) -> str:
    """C escapes, octal for what is not printable ASCII."""
    return "".join(_ESCAPES.get(b) or (chr(b) if 32 <= b < 127 else f"\\{b:03o}") for b in text)


def shortest_float(value: Any) -> str:
    """As TensorFlow's StrCat prints a float: 6 (double: 15) digits if they read back the same, else 9 (17)."""
    of, few, many = (np.float64, 15, 17) if isinstance(value, np.float64) else (np.float32, 6, 9)
    number = float(value)
    if not math.isfinite(number):
        return str(number)
    short = f"{number:.{few}g}"
    return short if of(short) == of(value) else f"{number:.{many}g}"


def print_element(value: Any) -> str:
    """One element as tf.print and tf.strings.format show it."""
    if isinstance(value, bytes):
        return f'"{escape(value)}"'
    if isinstance(value, np.complexfloating):
        return "?"
    if isinstance(value, np.bool_):
        return "1" if value else "0"
    return str(value) if isinstance(value, np.integer) else shortest_float(value)


def summarize(value: Array, edge: int) -> str:
    """A tensor as tf.print shows it: `edge` elements on each side of every dimension, all of them if it is -1."""
    if value.ndim == 0:
        return print_element(value[()])
    if not value.size and value.ndim > 1:
        return "[]"
    count = value.shape[0]
    cut = edge >= 0 and count > 2 * edge
    places = [*range(edge), *range(count - edge, count)] if cut else list(range(count))
    parts = [summarize(value[i], edge) if value.ndim > 1 else print_element(value[i]) for i in places]
    if cut:
        parts.insert(edge, "...")
    if value.ndim == 1:
        return "[" + " ".join(parts) + "]"
    gap = "\n" * (value.ndim - 1)
    return "[" + (gap + " ").join(p.replace("\n ", "\n  ") for p in parts) + "]"


@host("StringFormat")
def string_format(run: Run, node: Node, *values: Array) -> Array:
    template, placeholder = attr_bytes(node.attr["template"]), attr_bytes(node.attr["placeholder"])
    pieces = template.split(placeholder)
    if len(pieces) != len(values) + 1:
        raise InvalidArgumentError(
            None, None, f"num placeholders in template and num inputs must match: {len(pieces) - 1} vs. {len(values)}"
        )
    shown = [summarize(v, node.attr["summarize"]).encode() for v in values]
    return strings([b"".join(itertools.chain(*zip(pieces, [*shown, b""], strict=True)))], ())
