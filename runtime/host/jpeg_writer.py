"""Pixels to sequential JPEG files with the standard's Huffman tables, as the libjpeg-turbo inside TensorFlow writes them, byte for byte."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.host.jpeg import ZIGZAG

Array = NDArray[Any]

# The standard's quantization tables at quality 50: of grey and of colour differences.
_QUANTIZATION = (
    (
        16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
        18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
    ),
    (
        17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
        *(99,) * 32,
    ),
)  # fmt: skip


def _rows(start: int, stop: int, low: int, high: int) -> str:
    """The symbols of runs `start` to `stop` with sizes `low` to `high`."""
    return "".join(f"{run:x}{size:x}" for run in range(start, stop + 1) for size in range(low, high + 1))


# Huffman tables, DC and AC: how many codes there are of each length, and their symbols.
_HUFFMAN = {
    0x00: ("00010501010101010100000000000000", "".join(f"{i:02x}" for i in range(12))),
    0x10: (
        "0002010303020403050504040000017d",
        "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a"
        + _rows(4, 8, 3, 10)
        + _rows(9, 13, 2, 10)
        + _rows(14, 15, 1, 10),
    ),
    0x01: ("00030101010101010101010000000000", "".join(f"{i:02x}" for i in range(12))),
    0x11: (
        "00020102040403040705040400010277",
        "0001020311040521310612415107617113223281081442 91a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a".replace(
            " ", ""
        )
        + _rows(4, 7, 3, 10)
        + _rows(8, 15, 2, 10),
    ),
}


def _codes(table: int) -> dict[int, tuple[int, int]]:
    """Symbol -> (code, length)."""
    counts, symbols = (bytes.fromhex(part) for part in _HUFFMAN[table])
    codes, code, at = {}, 0, 0
    for length, count in enumerate(counts, 1):
        for symbol in symbols[at : at + count]:
            codes[symbol] = code, length
            code += 1
        at += count
        code <<= 1
    return codes


def _pass(columns: list[Array], shift: int, first: bool) -> list[Array]:
    """One dimension of the accurate forward transform; the first leaves two more bits than the pixels have."""
    d0, d1, d2, d3, d4, d5, d6, d7 = columns
    t0, t7, t1, t6, t2, t5, t3, t4 = d0 + d7, d0 - d7, d1 + d6, d1 - d6, d2 + d5, d2 - d5, d3 + d4, d3 - d4
    t10, t13, t11, t12 = t0 + t3, t0 - t3, t1 + t2, t1 - t2
    half = 1 << (shift - 1)
    even = [t10 + t11, t10 - t11]
    ends = [e << 2 for e in even] if first else [(e + 2) >> 2 for e in even]
    z1 = (t12 + t13) * 4433
    z5 = (t4 + t6 + t5 + t7) * 9633
    za, zb = (t4 + t7) * -7373, (t5 + t6) * -20995
    zc, zd = (t4 + t6) * -16069 + z5, (t5 + t7) * -3196 + z5
    wide = [t7 * 12299 + za + zd, z1 + t13 * 6270, t6 * 25172 + zb + zc, t5 * 16819 + zb + zd, z1 - t12 * 15137, t4 * 2446 + za + zc]
    o1, o2, o3, o5, o6, o7 = ((w + half) >> shift for w in wide)
    return [ends[0], o1, o2, o3, ends[1], o5, o6, o7]


def _coefficients(plane: Array, quantization: Array) -> Array:
    """[rows of blocks, blocks, 64] quantized coefficients in zigzag order, of a plane of whole blocks."""
    tall, wide = plane.shape[0] // 8, plane.shape[1] // 8
    blocks = plane.reshape(tall, 8, wide, 8).swapaxes(1, 2).astype(np.int32) - 128
    rows = np.stack(_pass([blocks[..., i] for i in range(8)], 11, True), axis=-1)
    both = np.stack(_pass([rows[..., i, :] for i in range(8)], 15, False), axis=-2).reshape(tall, wide, 64)
    steps = quantization * 8
    quantized = np.sign(both) * ((np.abs(both) + steps // 2) // steps)
    return np.asarray(quantized[..., list(ZIGZAG)])


def _pad(plane: Array, height: int, width: int) -> Array:
    return np.pad(plane, ((0, height - plane.shape[0]), (0, width - plane.shape[1])), mode="edge")


def _planes(image: Array, subsampled: bool) -> list[Array]:
    """Brightness and colour differences, each padded to whole blocks."""
    height, width = image.shape[:2]
    if image.shape[2] == 1:
        return [_pad(image[..., 0], -(-height // 8) * 8, -(-width // 8) * 8)]
    r, g, b = (image[..., i].astype(np.int32) for i in range(3))
    bias = (128 << 16) + (1 << 15) - 1
    y = (19595 * r + 38470 * g + 7471 * b + (1 << 15)) >> 16
    blue, red = (-11059 * r - 21709 * g + 32768 * b + bias) >> 16, (32768 * r - 27439 * g - 5329 * b + bias) >> 16
    out = [_pad(y, -(-height // 8) * 8, -(-width // 8) * 8)]
    for plane in (blue, red):
        if subsampled:
            small_height, small_width = -(-height // 2), (width + 15) // 16 * 8
            full = _pad(plane, small_height * 2, small_width * 2)
            quads = full.reshape(small_height, 2, small_width, 2).sum(axis=(1, 3))
            plane = (quads + 1 + np.arange(small_width) % 2) >> 2  # rounding up and down in turns
        out.append(_pad(plane, -(-plane.shape[0] // 8) * 8, -(-plane.shape[1] // 8) * 8))
    return out


class _Writer:
    """The entropy-coded bits."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.buffer = self.held = 0
        self.codes = {table: _codes(table) for table in _HUFFMAN}

    def put(self, value: int, count: int) -> None:
        self.buffer = self.buffer << count | value
        self.held += count
        if self.held >= 512:
            rest = self.held % 8
            self.parts.append((self.buffer >> rest).to_bytes(self.held // 8, "big"))
            self.buffer &= (1 << rest) - 1
            self.held = rest

    def number(self, value: int, size: int) -> None:
        self.put(value if value > 0 else value + (1 << size) - 1, size)

    def block(self, values: list[int], last_dc: int, table: int) -> None:
        difference = values[0] - last_dc
        size = abs(difference).bit_length()
        self.put(*self.codes[table][size])
        if size:
            self.number(difference, size)
        codes = self.codes[0x10 | table]
        zeros = 0
        for value in values[1:]:
            if not value:
                zeros += 1
                continue
            while zeros > 15:
                self.put(*codes[0xF0])
                zeros -= 16
            size = abs(value).bit_length()
            self.put(*codes[zeros << 4 | size])
            self.number(value, size)
            zeros = 0
        if zeros:
            self.put(*codes[0])

    def finish(self) -> bytes:
        self.put((1 << (-self.held % 8)) - 1, -self.held % 8)
        self.parts.append(self.buffer.to_bytes(self.held // 8, "big"))
        return b"".join(self.parts).replace(b"\xff", b"\xff\x00")


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def encode(image: Array, *, quality: int, subsampled: bool, density: tuple[int, int, int], xmp: bytes = b"") -> bytes:
    """The file of [height, width, 1 or 3] bytes. `density` is the unit (1 for inches, 2 for centimetres) and the dots each way."""
    height, width, channels = image.shape
    quality = min(max(quality, 1), 100)
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    tables = [np.clip((np.array(t) * scale + 50) // 100, 1, 255) for t in _QUANTIZATION[: min(channels, 2)]]
    subsampled = subsampled and channels == 3
    planes = _planes(image, subsampled)
    kinds = [0, 1, 1][:channels]
    blocks = [_coefficients(plane, tables[kind]) for plane, kind in zip(planes, kinds, strict=True)]
    factor = 2 if subsampled else 1

    out = [b"\xff\xd8", _segment(0xE0, struct.pack(">5sBBBHHBB", b"JFIF\0", 1, 1, *density, 0, 0))]
    if xmp:
        out.append(_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp))
    out += [_segment(0xDB, bytes([i]) + bytes(t[list(ZIGZAG)].tolist())) for i, t in enumerate(tables)]
    components = b"".join(bytes([i + 1, (factor << 4 | factor) if i == 0 else 0x11, kind]) for i, kind in enumerate(kinds))
    out.append(_segment(0xC0, struct.pack(">BHHB", 8, height, width, channels) + components))
    for kind in range(len(tables)):
        out += [_segment(0xC4, bytes([t]) + bytes.fromhex("".join(_HUFFMAN[t]))) for t in (kind, 0x10 | kind)]
    out.append(_segment(0xDA, bytes([channels]) + b"".join(bytes([i + 1, 0x11 * kind]) for i, kind in enumerate(kinds)) + b"\0\x3f\0"))

    writer = _Writer()
    lists: list[Any] = [b.tolist() for b in blocks]
    last = [0] * channels
    units_down, units_across = -(-height // (8 * factor)), -(-width // (8 * factor))
    for unit_y in range(units_down):
        for unit_x in range(units_across):
            for c, kind in enumerate(kinds):
                each = factor if c == 0 else 1
                previous = last[c]
                for y in range(unit_y * each, (unit_y + 1) * each):
                    row = lists[c][y] if y < len(lists[c]) else []
                    for x in range(unit_x * each, (unit_x + 1) * each):
                        # A block outside the image has its predecessor's mean and nothing else.
                        values = row[x] if x < len(row) else [previous] + [0] * 63
                        writer.block(values, previous, kind)
                        previous = values[0]
                last[c] = previous
    return b"".join([*out, writer.finish(), b"\xff\xd9"])
