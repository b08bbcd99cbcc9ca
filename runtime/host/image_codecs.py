"""PNG, BMP and GIF files to pixels and back, without other libraries."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runtime.errors import InvalidArgumentError

Array = NDArray[Any]

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_PIXELS = 1 << 29
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by PNG colour type
# Adam7: first column, first row, steps of the seven passes.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
# Weights of red, green and blue in 1/32768: 0.299 and 0.587 cut off, the rest for blue, as libpng has them.
_GRAY_WEIGHTS = np.array([9797, 19234, 3737], np.uint32)


def _refuse(kind: str, why: str) -> InvalidArgumentError:
    return InvalidArgumentError(None, None, f"Invalid {kind} data: {why}")


@dataclass(slots=True)
class _Png:
    width: int
    height: int
    depth: int
    color: int
    interlaced: bool
    palette: Array = field(default_factory=lambda: np.zeros((0, 3), np.uint8))
    transparent: bytes = b""
    has_transparent: bool = False
    data: bytes = b""


def _read_png(contents: bytes) -> _Png:
    if not contents.startswith(_PNG_SIGNATURE):
        raise _refuse("PNG", f"it starts with {contents[:8]!r}")
    png: _Png | None = None
    parts: list[bytes] = []
    at = 8
    while at + 12 <= len(contents):
        length, kind = struct.unpack_from(">I4s", contents, at)
        body = contents[at + 8 : at + 8 + length]
        if len(body) < length or at + 12 + length > len(contents):
            break
        if zlib.crc32(kind + body) != int.from_bytes(contents[at + 8 + length : at + 12 + length], "big"):
            raise _refuse("PNG", f"wrong checksum of the chunk {kind!r} at byte {at}")
        at += 12 + length
        if kind == b"IHDR":
            width, height, depth, color, _, _, interlace = struct.unpack(">IIBBBBB", body)
            if color not in _CHANNELS or depth not in (1, 2, 4, 8, 16) or not width or not height:
                raise _refuse("PNG", f"header says {width}x{height}, {depth} bits, colour type {color}")
            png = _Png(width, height, depth, color, bool(interlace))
        elif png is None:
            raise _refuse("PNG", f"chunk {kind!r} before the header")
        elif kind == b"PLTE":
            png.palette = np.frombuffer(body, np.uint8).reshape(-1, 3)
        elif kind == b"tRNS":
            png.transparent, png.has_transparent = body, True
        elif kind == b"IDAT":
            parts.append(body)
        elif kind == b"IEND":
            break
    if png is None or not parts:
        raise _refuse("PNG", f"it ends at byte {at} of {len(contents)} without pixels")
    try:
        png.data = zlib.decompressobj().decompress(b"".join(parts))
    except zlib.error as e:
        raise _refuse("PNG", f"pixels do not decompress: {e}") from e
    return png


def _unfilter(data: bytes, at: int, width: int, height: int, channels: int, depth: int) -> tuple[Array, int]:
    """The samples of one pass, [height, width, channels], and where the next pass starts."""
    row_bytes = (width * channels * depth + 7) // 8
    step = max(1, channels * depth // 8)
    end = at + height * (row_bytes + 1)
    if end > len(data):
        raise _refuse("PNG", f"{len(data)} bytes of pixels where {end} are needed")
    rows = np.frombuffer(data, np.uint8, height * (row_bytes + 1), at).reshape(height, row_bytes + 1)
    out = np.zeros((height + 1, row_bytes), np.uint8)
    for y in range(height):
        method, line, above = rows[y, 0], rows[y, 1:], out[y]
        if method == 0:
            out[y + 1] = line
        elif method == 1:
            padded = np.zeros(-(-row_bytes // step) * step, np.uint8)
            padded[:row_bytes] = line
            out[y + 1] = np.add.accumulate(padded.reshape(-1, step), axis=0, dtype=np.uint8).reshape(-1)[:row_bytes]
        elif method == 2:
            out[y + 1] = line + above
        elif method in (3, 4):
            out[y + 1] = np.frombuffer(_unfilter_row(int(method), line.tobytes(), above.tobytes(), step), np.uint8)
        else:
            raise _refuse("PNG", f"filter {method} in row {y}")
    lines = out[1:]
    if depth == 16:
        return lines.view(">u2").astype(np.uint16).reshape(height, width, channels), end
    if depth == 8:
        return lines.reshape(height, width, channels), end
    bits = np.unpackbits(lines, axis=1).reshape(height, -1, depth)
    values = (bits << np.arange(depth - 1, -1, -1, dtype=np.uint8)).sum(axis=2, dtype=np.uint8)
    return values[:, : width * channels].reshape(height, width, channels), end


def _unfilter_row(method: int, line: bytes, above: bytes, step: int) -> bytearray:
    """Average (3) and Paeth (4), whose bytes depend on the one before."""
    out = bytearray(line)
    for i in range(len(out)):
        left = out[i - step] if i >= step else 0
        up = above[i]
        if method == 3:
            out[i] = (out[i] + (left + up) // 2) & 0xFF
            continue
        corner = above[i - step] if i >= step else 0
        a, b, c = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
        out[i] = (out[i] + (left if a <= b and a <= c else up if b <= c else corner)) & 0xFF
    return out


def _png_samples(png: _Png) -> Array:
    channels = _CHANNELS[png.color]
    if not png.interlaced:
        return _unfilter(png.data, 0, png.width, png.height, channels, png.depth)[0]
    samples = np.zeros((png.height, png.width, channels), np.uint16 if png.depth == 16 else np.uint8)
    at = 0
    for x, y, dx, dy in _PASSES:
        width, height = -(-(png.width - x) // dx), -(-(png.height - y) // dy)
        if width > 0 and height > 0:
            samples[y::dy, x::dx], at = _unfilter(png.data, at, width, height, channels, png.depth)
    return samples


def decode_png(contents: bytes, channels: int, dtype: Any) -> Array:
    """Pixels [height, width, channels] as uint8 or uint16; 0 channels means those of the file, palettes resolved."""
    try:
        return _decode_png(contents, channels, dtype)
    except (ValueError, IndexError, struct.error) as e:  # a chunk that is too short, or of a length that cannot be
        raise _refuse("PNG", f"a chunk does not have the length its kind needs: {e}") from e


def _decode_png(contents: bytes, channels: int, dtype: Any) -> Array:
    png = _read_png(contents)
    if png.width * png.height * _CHANNELS[png.color] * png.depth // 8 > len(png.data):
        raise _refuse("PNG", f"{len(png.data)} bytes of pixels for {png.width} x {png.height}")
    samples = _png_samples(png)
    alpha: Array | None = None
    top = (1 << png.depth) - 1
    if png.color == 3:
        if samples.size and samples.max() >= len(png.palette):
            raise _refuse("PNG", f"colour {samples.max()} of a palette of {len(png.palette)}")
        opacity = np.full(len(png.palette), 255, np.uint8)
        opacity[: len(png.transparent)] = np.frombuffer(png.transparent, np.uint8)[: len(png.palette)]
        if png.has_transparent:
            alpha = opacity[samples]
        colors = png.palette[samples[:, :, 0]]
    else:
        colors = samples[:, :, : 1 if png.color in (0, 4) else 3]
        if png.color in (4, 6):
            alpha = samples[:, :, -1:]
        elif png.has_transparent:
            key = np.frombuffer(png.transparent, ">u2")[: colors.shape[2]]
            alpha = np.where((colors == key).all(axis=2, keepdims=True), 0, top).astype(samples.dtype)
        if png.depth < 8:
            colors = colors * np.uint8(255 // top)
            alpha = None if alpha is None else alpha * np.uint8(255 // top)
    if not channels:
        channels = (4 if png.has_transparent else 3) if png.color == 3 else _CHANNELS[png.color]
    if channels < 3 and colors.shape[2] == 3:
        weighted = (colors * _GRAY_WEIGHTS).sum(axis=2, keepdims=True, dtype=np.uint32) + np.uint32(16384 if png.depth == 16 else 0)
        same = (colors == colors[:, :, :1]).all(axis=2, keepdims=True)
        colors = np.where(same, colors[:, :, :1], weighted >> np.uint32(15)).astype(colors.dtype)
    elif channels >= 3 and colors.shape[2] == 1:
        colors = np.repeat(colors, 3, axis=2)
    if channels % 2 == 0:
        # TensorFlow asks for the file's largest sample as the filler, also where samples have been widened to 8 bits.
        alpha = np.full((*colors.shape[:2], 1), top, colors.dtype) if alpha is None else alpha
        colors = np.concatenate([colors, alpha.astype(colors.dtype)], axis=2)
    if dtype == np.uint8:
        return (colors >> np.uint16(8)).astype(np.uint8) if colors.dtype == np.uint16 else np.ascontiguousarray(colors)
    return colors if colors.dtype == np.uint16 else colors.astype(np.uint16) * np.uint16(257)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _deflate(lines: list[bytes], level: int) -> bytes:
    """Compressed as libpng does it, a line at a time: a window no larger than small images need, and the smallest that fits in the header."""
    size, bits = sum(map(len, lines)), 15
    while size <= 16384 and size + 262 <= 1 << (bits - 1):
        bits -= 1
    compressor = zlib.compressobj(level, zlib.DEFLATED, max(bits, 9), 8, zlib.Z_FILTERED)
    packed = b"".join([*map(compressor.compress, lines), compressor.flush()])
    method, flags, window = packed[0] & 0x0F, packed[1] & 0xE0, packed[0] >> 4
    while size <= 16384 and window > 0 and size <= 1 << (window + 7):
        window -= 1
    method |= window << 4
    flags += 31 - ((method << 8) + flags) % 31
    return bytes([method, flags]) + packed[2:]


def encode_png(image: Array, level: int = -1) -> bytes:
    """A PNG of [height, width, 1..4] pixels, 8 or 16 bits; each row under the filter that leaves the smallest differences."""
    height, width, channels = image.shape
    wide = image.dtype == np.uint16
    step = channels * (2 if wide else 1)
    raw = np.ascontiguousarray(image.astype(">u2") if wide else image).view(np.uint8).reshape(height, -1)
    above = np.zeros_like(raw)
    above[1:] = raw[:-1]
    left = np.zeros_like(raw)
    left[:, step:] = raw[:, :-step]
    corner = np.zeros_like(raw)
    corner[1:, step:] = raw[:-1, :-step]
    a, b, c = (v.astype(np.int16) for v in (left, above, corner))
    to_left, to_above, to_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    paeth = np.where((to_left <= to_above) & (to_left <= to_corner), left, np.where(to_above <= to_corner, above, corner))
    average = ((a + b) // 2).astype(np.uint8)
    tried = np.stack([raw, raw - left, raw - above, raw - average, raw - paeth])
    cost = np.abs(tried.view(np.int8).astype(np.int16)).sum(axis=2, dtype=np.int64)
    best = cost.argmin(axis=0)
    lines = np.empty((height, raw.shape[1] + 1), np.uint8)
    lines[:, 0] = best
    lines[:, 1:] = tried[best, np.arange(height)]
    color = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16 if wide else 8, color, 0, 0, 0)
    pixels = _deflate([line.tobytes() for line in lines], level)
    parts = [_chunk(b"IDAT", pixels[at : at + 8192]) for at in range(0, len(pixels), 8192)]
    return b"".join([_PNG_SIGNATURE, _chunk(b"IHDR", header), *parts, _chunk(b"IEND", b"")])


def decode_bmp(contents: bytes, channels: int) -> Array:
    """Uncompressed bitmaps of 8, 24 or 32 bits a pixel; the 8-bit values are taken as grey, as TensorFlow does."""
    if not contents.startswith(b"BM") or len(contents) < 32:
        raise _refuse("BMP", f"{len(contents)} bytes that start with {contents[:2]!r}; a header takes 32 and starts with b'BM'")
    start = struct.unpack_from("<I", contents, 10)[0]
    width, height, _, bits = struct.unpack_from("<iiHH", contents, 18)
    if channels and channels * 8 != bits:
        raise InvalidArgumentError(None, None, f"channels attribute {channels} does not match bits per pixel from file {bits // 8}")
    if bits not in (8, 24, 32):
        raise InvalidArgumentError(None, None, f"Number of channels must be 1, 3 or 4, was {bits / 8:g}")
    if width <= 0 or height == 0 or width * abs(height) > 1 << 40:
        raise _refuse("BMP", f"its size is {width} x {height}")
    per_pixel = bits // 8
    row_bytes = (per_pixel * width + 3) // 4 * 4
    needed = start + row_bytes * abs(height) - (row_bytes - per_pixel * width)
    if len(contents) < needed:
        raise InvalidArgumentError(None, None, f"Incomplete bmp content, requires at least {needed} bytes, got {len(contents)} bytes")
    padded = contents[start : start + row_bytes * abs(height)].ljust(row_bytes * abs(height), b"\0")
    rows = np.frombuffer(padded, np.uint8).reshape(abs(height), row_bytes)[:, : per_pixel * width]
    pixels = rows.reshape(abs(height), width, per_pixel)
    if height > 0:
        pixels = pixels[::-1]
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[per_pixel]
    return np.ascontiguousarray(pixels[:, :, order])


def _sub_blocks(contents: bytes, at: int) -> tuple[bytes, int]:
    parts = []
    while at < len(contents) and (size := contents[at]):
        parts.append(contents[at + 1 : at + 1 + size])
        at += 1 + size
    return b"".join(parts), at + 1


def _codes(data: bytes, first_bits: int) -> Iterator[tuple[int, int]]:
    """(code, clear code) of an LZW stream; the receiver's table growth is mirrored to know the codes' widths."""
    clear = 1 << first_bits
    bits, known = first_bits + 1, clear + 2
    buffer = held = 0
    fresh = True
    for byte in data:
        buffer |= byte << held
        held += 8
        while held >= bits:
            code = buffer & (1 << bits) - 1
            buffer >>= bits
            held -= bits
            yield code, clear
            if code == clear:
                bits, known, fresh = first_bits + 1, clear + 2, True
                continue
            if code == clear + 1:
                return
            if fresh:
                fresh = False
            elif known < 4096:
                known += 1
                if known == 1 << bits and bits < 12:
                    bits += 1


def _lzw(data: bytes, first_bits: int, size: int) -> Array:
    out = bytearray()
    table: list[bytes] = []
    previous = b""
    for code, clear in _codes(data, first_bits):
        if code == clear:
            table = [bytes([i]) for i in range(clear)] + [b"", b""]
            previous = b""
            continue
        if code == clear + 1 or len(out) >= size:
            break
        if not table:
            table = [bytes([i]) for i in range(clear)] + [b"", b""]
        if code < len(table):
            entry = table[code]
        elif code == len(table) and previous:
            entry = previous + previous[:1]
        else:
            raise _refuse("GIF", f"code {code} of a table of {len(table)}")
        out += entry
        if previous and len(table) < 4096:
            table.append(previous + entry[:1])
        previous = entry
    if len(out) < size:
        raise _refuse("GIF", f"a frame has {len(out)} of its {size} pixels")
    return np.frombuffer(bytes(out[:size]), np.uint8)


def decode_gif(contents: bytes) -> Array:
    """All frames, [frames, height, width, 3]: each drawn over the one before, transparent pixels left as they were."""
    if contents[:6] not in (b"GIF87a", b"GIF89a") or len(contents) < 13:
        raise _refuse("GIF", f"it starts with {contents[:6]!r}")
    width, height, flags = struct.unpack_from("<HHB", contents, 6)
    at = 13
    shared = np.zeros((0, 3), np.uint8)
    if flags & 0x80:
        count = 2 << (flags & 7)
        shared = np.frombuffer(contents[at : at + 3 * count].ljust(3 * count, b"\0"), np.uint8).reshape(-1, 3)
        at += 3 * count
    if width * height >= _MAX_PIXELS:
        raise _refuse("GIF", f"its size is {width} x {height}")
    frames: list[Array] = []
    transparent = -1
    while at < len(contents) and contents[at] != 0x3B:
        if contents[at] == 0x21:
            block, after = _sub_blocks(contents, at + 2)
            if contents[at + 1 : at + 2] == b"\xf9" and len(block) >= 4:
                transparent = block[3] if block[0] & 1 else -1
            at = after
            continue
        if contents[at] != 0x2C or at + 11 > len(contents):
            raise _refuse("GIF", f"block type {contents[at]:#x} at byte {at}")
        left, top, wide, tall, flags = struct.unpack_from("<HHHHB", contents, at + 1)
        at += 10
        colors = shared
        if flags & 0x80:
            count = 2 << (flags & 7)
            colors = np.frombuffer(contents[at : at + 3 * count].ljust(3 * count, b"\0"), np.uint8).reshape(-1, 3)
            at += 3 * count
        first_bits = contents[at] if at < len(contents) else 0
        if not 1 <= first_bits <= 8:
            raise _refuse("GIF", f"LZW code size {first_bits} at byte {at}")
        data, at = _sub_blocks(contents, at + 1)
        pixels = _lzw(data, first_bits, wide * tall).reshape(tall, wide)
        if flags & 0x40:
            order = np.concatenate([np.arange(s, tall, d) for s, d in ((0, 8), (4, 8), (2, 4), (1, 2))])
            rows = np.empty_like(pixels)
            rows[order] = pixels
            pixels = rows
        canvas = frames[-1].copy() if frames else np.zeros((height, width, 3), np.uint8)
        pixels = pixels[: max(height - top, 0), : max(width - left, 0)]
        drawn = pixels != transparent
        if drawn.any() and pixels[drawn].max() >= len(colors):
            raise _refuse("GIF", f"found color index {pixels[drawn].max()} outside of color map range {len(colors)}")
        window = canvas[top : top + pixels.shape[0], left : left + pixels.shape[1]]
        window[drawn] = colors[pixels[drawn]]
        frames.append(canvas)
        transparent = -1
    if not frames:
        raise _refuse("GIF", "it has no frames")
    return np.stack(frames)
