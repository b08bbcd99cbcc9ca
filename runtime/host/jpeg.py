"""JPEG files to pixels, as the libjpeg-turbo inside TensorFlow reads them: sequential and progressive Huffman coding, 8 bits, grey or colour."""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

ZIGZAG = (
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
)  # fmt: skip
_SEQUENTIAL, _PROGRESSIVE = (0xC0, 0xC1), 0xC2
_MAX_SAMPLES = 1 << 29  # as TensorFlow


class JpegError(ValueError):
    """What is wrong with the data."""


class UnsupportedJpeg(Exception):
    """A kind of JPEG this module does not read: arithmetic coding, 12 bits, lossless, four components."""


@dataclass(slots=True)
class _Component:
    id: int
    across: int  # sampling factors
    down: int
    table: int
    wide: int = 0  # blocks of the component, whole minimum coded units
    tall: int = 0
    width: int = 0  # samples that count
    height: int = 0
    coefficients: array[int] = field(default_factory=lambda: array("h"))
    quantization: Array = field(default_factory=lambda: np.ones(64, np.int32))
    last_dc: int = 0
    dc: list[int] = field(default_factory=list)
    ac: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Frame:
    width: int = 0
    height: int = 0
    progressive: bool = False
    components: list[_Component] = field(default_factory=list)
    quantization: dict[int, Array] = field(default_factory=dict)
    huffman: dict[int, list[int]] = field(default_factory=dict)
    restart: int = 0
    adobe: int = -1
    jfif: bool = False

    @property
    def across(self) -> int:
        return max(c.across for c in self.components)

    @property
    def down(self) -> int:
        return max(c.down for c in self.components)


def _huffman_table(counts: bytes, symbols: bytes) -> list[int]:
    """For each 16 bits that may come: the code's length << 8 | its symbol; 0 where there is no such code."""
    table = [0] * 65536
    code = at = 0
    for length, count in enumerate(counts, 1):
        for _ in range(count):
            start, span = code << (16 - length), 1 << (16 - length)
            if start + span > 65536 or at >= len(symbols):
                raise JpegError("a Huffman table has more codes than fit")
            table[start : start + span] = [length << 8 | symbols[at]] * span
            code += 1
            at += 1
        code <<= 1
    return table


class _Bits:
    """The bits between two markers."""

    __slots__ = ("at", "buffer", "data", "held")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = self.buffer = self.held = 0

    def fill(self) -> None:
        chunk = self.data[self.at : self.at + 8]
        if self.at > len(self.data) + 8:
            raise JpegError("it ends before its pixels do")
        self.at += 8
        self.buffer = (self.buffer & (1 << self.held) - 1) << 64 | int.from_bytes(chunk.ljust(8, b"\0"), "big")
        self.held += 64

    def symbol(self, table: list[int]) -> int:
        if self.held < 16:
            self.fill()
        entry = table[self.buffer >> (self.held - 16) & 0xFFFF]
        if not entry:
            raise JpegError("bits that are no Huffman code")
        self.held -= entry >> 8
        return entry & 0xFF

    def take(self, count: int) -> int:
        if self.held < count:
            self.fill()
        self.held -= count
        return self.buffer >> self.held & (1 << count) - 1

    def signed(self, count: int) -> int:
        value = self.take(count)
        return value if value >> (count - 1) else value - (1 << count) + 1


@dataclass(slots=True)
class _Scan:
    """One pass over the coefficients `first` to `last`, from bit `high` to bit `low`."""

    components: list[_Component]
    first: int
    last: int
    high: int
    low: int
    run: int = 0  # blocks that have nothing more in this pass

    def block(self, bits: _Bits, component: _Component, at: int, progressive: bool) -> None:
        values = component.coefficients
        if not progressive:
            self._dc_first(bits, component, at, 0)
            self._ac_sequential(bits, component.ac, values, at)
        elif self.first == 0:
            if self.high == 0:
                self._dc_first(bits, component, at, self.low)
            elif bits.take(1):
                values[at] |= 1 << self.low
        elif self.high == 0:
            self._ac_first(bits, component.ac, values, at)
        else:
            self._ac_refine(bits, component.ac, values, at)

    def _dc_first(self, bits: _Bits, component: _Component, at: int, low: int) -> None:
        size = bits.symbol(component.dc)
        if size > 15:
            raise JpegError(f"a difference of {size} bits")
        if size:
            component.last_dc += bits.signed(size)
        component.coefficients[at] = _word(component.last_dc << low)

    @staticmethod
    def _ac_sequential(bits: _Bits, table: list[int], values: array[int], at: int) -> None:
        k = 1
        while k < 64:
            symbol = bits.symbol(table)
            size = symbol & 15
            if size:
                k += symbol >> 4
                value = bits.signed(size)
                if k > 63:
                    raise JpegError("a run past the end of its block")
                values[at + ZIGZAG[k]] = value
                k += 1
            elif symbol == 0xF0:
                k += 16
            else:
                return

    def _ac_first(self, bits: _Bits, table: list[int], values: array[int], at: int) -> None:
        if self.run:
            self.run -= 1
            return
        k = self.first
        while k <= self.last:
            symbol = bits.symbol(table)
            zeros, size = symbol >> 4, symbol & 15
            if size:
                k += zeros
                if k > 63:
                    raise JpegError("a run past the end of its block")
                values[at + ZIGZAG[k]] = _word(bits.signed(size) << self.low)
                k += 1
            elif zeros == 15:
                k += 16
            else:
                self.run = (1 << zeros) - 1 + (bits.take(zeros) if zeros else 0)
                return

    def _ac_refine(self, bits: _Bits, table: list[int], values: array[int], at: int) -> None:
        k, one = self.first, 1 << self.low
        if not self.run:
            while k <= self.last:
                symbol = bits.symbol(table)
                zeros, size = symbol >> 4, symbol & 15
                fresh = 0
                if size:
                    fresh = one if bits.take(1) else -one
                elif zeros < 15:
                    self.run = (1 << zeros) + (bits.take(zeros) if zeros else 0)
                    break
                while k <= self.last:
                    place = at + ZIGZAG[k]
                    if values[place]:
                        self._correct(bits, values, place, one)
                    elif zeros:
                        zeros -= 1
                    else:
                        if fresh:
                            values[place] = fresh
                        k += 1
                        break
                    k += 1
        if self.run:
            while k <= self.last:
                place = at + ZIGZAG[k]
                if values[place]:
                    self._correct(bits, values, place, one)
                k += 1
            self.run -= 1

    @staticmethod
    def _correct(bits: _Bits, values: array[int], place: int, one: int) -> None:
        if bits.take(1) and not abs(values[place]) & one:
            values[place] += one if values[place] > 0 else -one


def _word(value: int) -> int:
    if not -32768 <= value <= 32767:
        raise JpegError(f"a coefficient of {value}")
    return value


def _start_frame(frame: _Frame, marker: int, body: bytes) -> None:
    precision, frame.height, frame.width, count = struct.unpack_from(">BHHB", body)
    if precision != 8 or marker not in (*_SEQUENTIAL, _PROGRESSIVE) or count not in (1, 3):
        raise UnsupportedJpeg(f"{precision} bits, {count} components, coding {marker:#x}")
    if not frame.height or not frame.width or len(body) < 6 + 3 * count:
        raise JpegError(f"its size is {frame.width} x {frame.height}")
    if frame.components:
        raise JpegError("a second frame header")
    if frame.width * frame.height * count >= _MAX_SAMPLES:
        raise JpegError(f"it is too large: {frame.width} x {frame.height}")
    frame.progressive = marker == _PROGRESSIVE
    for i in range(count):
        identifier, factors, table = body[6 + 3 * i : 9 + 3 * i]
        component = _Component(identifier, factors >> 4, factors & 15, table)
        if not 1 <= component.across <= 4 or not 1 <= component.down <= 4:
            raise JpegError(f"sampling factors {component.across} x {component.down}")
        frame.components.append(component)
    units_across, units_down = -(-frame.width // (8 * frame.across)), -(-frame.height // (8 * frame.down))
    for c in frame.components:
        c.wide, c.tall = units_across * c.across, units_down * c.down
        c.width, c.height = -(-frame.width * c.across // frame.across), -(-frame.height * c.down // frame.down)
        c.coefficients = array("h", bytes(128 * c.wide * c.tall))


def _segments(data: bytes) -> list[bytes]:
    """The entropy-coded parts between restart markers, their stuffed zero bytes taken out."""
    parts, start, at = [], 0, 0
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if 0xD0 <= data[at + 1] <= 0xD7:
            parts.append(data[start:at])
            start = at + 2
        at += 2
    parts.append(data[start:])
    return [p.replace(b"\xff\x00", b"\xff") for p in parts]


def _scan(frame: _Frame, body: bytes, data: bytes) -> None:
    count = body[0]
    chosen = []
    for i in range(count):
        identifier, tables = body[1 + 2 * i : 3 + 2 * i]
        found = [c for c in frame.components if c.id == identifier]
        if not found:
            raise JpegError(f"a scan of component {identifier}, which the frame does not have")
        component = found[0]
        component.dc, component.ac = frame.huffman.get(tables >> 4, []), frame.huffman.get(16 | tables & 15, [])
        component.quantization = frame.quantization.get(component.table, component.quantization)
        chosen.append(component)
    first, last, shifts = body[1 + 2 * count : 4 + 2 * count]
    if frame.progressive and not (first <= last <= 63 and shifts & 15 <= 13 and (first > 0 or last == 0)):
        raise JpegError(f"a scan of coefficients {first} to {last}, shifts {shifts:#x}")
    scan = _Scan(chosen, first, last, shifts >> 4, shifts & 15)
    needs_dc, needs_ac = not frame.progressive or first == 0, not frame.progressive or first > 0
    for c in chosen:
        if (needs_dc and not (frame.progressive and scan.high) and not c.dc) or (needs_ac and not c.ac):
            raise JpegError("a scan without its Huffman table")
    blocks: list[list[tuple[_Component, int]]] = []
    if count == 1:
        c = chosen[0]
        for y in range(-(-c.height // 8)):
            blocks += [[(c, 64 * (y * c.wide + x))] for x in range(-(-c.width // 8))]
    else:
        for y in range(chosen[0].tall // chosen[0].down):
            for x in range(chosen[0].wide // chosen[0].across):
                blocks.append(
                    [
                        (c, 64 * ((y * c.down + v) * c.wide + x * c.across + h))
                        for c in chosen
                        for v in range(c.down)
                        for h in range(c.across)
                    ]
                )
    segments = _segments(data)
    every = frame.restart or len(blocks)
    for number, start in enumerate(range(0, len(blocks), every)):
        if number >= len(segments):
            raise JpegError("it ends before its pixels do")
        bits = _Bits(segments[number])
        scan.run = 0
        for c in chosen:
            c.last_dc = 0
        for unit in blocks[start : start + every]:
            for c, at in unit:
                scan.block(bits, c, at, frame.progressive)


def _tables(frame: _Frame, marker: int, body: bytes) -> None:
    at = 0
    while at < len(body):
        kind, slot = body[at] >> 4, body[at] & 15
        at += 1
        if marker == 0xDB:
            size = 128 if kind else 64
            values = np.frombuffer(body[at : at + size].ljust(size, b"\1"), ">u2" if kind else np.uint8).astype(np.int32)
            table = np.empty(64, np.int32)
            table[list(ZIGZAG)] = values
            frame.quantization[slot] = table
            at += size
        else:
            counts = body[at : at + 16]
            total = sum(counts)
            frame.huffman[kind << 4 | slot] = _huffman_table(counts, body[at + 16 : at + 16 + total])
            at += 16 + total


def _read(contents: bytes) -> _Frame:
    frame = _Frame()
    at, scans = 2, 0
    while at + 2 <= len(contents):
        if contents[at] != 0xFF:
            at += 1
            continue
        marker = contents[at + 1]
        if marker in (0x00, 0x01, 0xFF) or 0xD0 <= marker <= 0xD8:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == 0xD9 and scans:
            return frame
        length = struct.unpack_from(">H", contents, at + 2)[0]
        body = contents[at + 4 : at + 2 + length]
        if len(body) < length - 2:
            raise JpegError("it ends inside a header")
        at += 2 + length
        if marker in (0xDB, 0xC4):
            _tables(frame, marker, body)
        elif 0xC0 <= marker <= 0xCF and marker != 0xC8:
            _start_frame(frame, marker, body)
        elif marker == 0xDD:
            frame.restart = struct.unpack(">H", body[:2])[0]
        elif marker == 0xE0 and body.startswith(b"JFIF"):
            frame.jfif = True
        elif marker == 0xEE and body.startswith(b"Adobe") and len(body) >= 12:
            frame.adobe = body[11]
        elif marker == 0xDA:
            if not frame.components:
                raise JpegError("pixels before the frame's header")
            stop = _next_marker(contents, at)
            _scan(frame, body, contents[at:stop])
            at, scans = stop, scans + 1
    raise JpegError("it ends without its end marker")


def _next_marker(contents: bytes, at: int) -> int:
    while (at := contents.find(b"\xff", at)) >= 0 and at + 1 < len(contents):
        if contents[at + 1] and not 0xD0 <= contents[at + 1] <= 0xD7:
            return at
        at += 2
    raise JpegError("it ends before its pixels do")


# -- from coefficients to samples -----------------------------------------------------------------------------------

# The 14-bit scale factors of Arai, Agui and Nakajima, rounded as libjpeg has them.
_AAN_TABLE = np.array(
    (
        16384, 22725, 21407, 19266, 16384, 12873, 8867, 4520,
        22725, 31521, 29692, 26722, 22725, 17855, 12299, 6270,
        21407, 29692, 27969, 25172, 21407, 16819, 11585, 5906,
        19266, 26722, 25172, 22654, 19266, 15137, 10426, 5315,
        16384, 22725, 21407, 19266, 16384, 12873, 8867, 4520,
        12873, 17855, 16819, 15137, 12873, 10114, 6967, 3552,
        8867, 12299, 11585, 10426, 8867, 6967, 4799, 2446,
        4520, 6270, 5906, 5315, 4520, 3552, 2446, 1247,
    ),
    np.int64,
)  # fmt: skip


def _times(x: Array, constant: int) -> Array:
    """x * constant / 256, cut off, in the 16-bit arithmetic of the processor's vector instructions."""
    return ((x << np.int16(2)).astype(np.int32) * (constant << 6) >> 16).astype(np.int16)


def _fast_pass(rows: list[Array]) -> list[Array]:
    """One dimension of the fast transform, on 16-bit numbers that wrap around."""
    i0, i1, i2, i3, i4, i5, i6, i7 = rows
    t10, t11, t13 = i0 + i4, i0 - i4, i2 + i6
    t12 = _times(i2 - i6, 362) - t13
    t0, t3, t1, t2 = t10 + t13, t10 - t13, t11 + t12, t11 - t12
    z13, z10, z11, z12 = i5 + i3, i5 - i3, i1 + i7, i1 - i7
    t7 = z11 + z13
    t11 = _times(z11 - z13, 362)
    z5 = _times(z10 + z12, 473)
    t10 = _times(z12, 277) - z5
    t12 = _times(z10, -413) - z10 + z5
    t6 = t12 - t7
    t5 = t11 - t6
    t4 = t10 + t5
    return [t0 + t7, t1 + t6, t2 + t5, t3 - t4, t3 + t4, t2 - t5, t1 - t6, t0 - t7]


def _accurate_pass(rows: list[Array], shift: int) -> list[Array]:
    """One dimension of the accurate transform: constants of 13 bits, results rounded."""
    i0, i1, i2, i3, i4, i5, i6, i7 = rows
    z1 = (i2 + i6) * 4433
    t2, t3 = z1 - i6 * 15137, z1 + i2 * 6270
    t0, t1 = (i0 + i4) << 13, (i0 - i4) << 13
    t10, t13, t11, t12 = t0 + t3, t0 - t3, t1 + t2, t1 - t2
    z5 = (i7 + i3 + i5 + i1) * 9633
    z1, z2 = (i7 + i1) * -7373, (i5 + i3) * -20995
    z3, z4 = (i7 + i3) * -16069 + z5, (i5 + i1) * -3196 + z5
    t0, t1, t2, t3 = i7 * 2446 + z1 + z3, i5 * 16819 + z2 + z4, i3 * 25172 + z2 + z3, i1 * 12299 + z1 + z4
    half = 1 << (shift - 1)
    sums = [t10 + t3, t11 + t2, t12 + t1, t13 + t0, t13 - t0, t12 - t1, t11 - t2, t10 - t3]
    return [(s + half) >> shift for s in sums]


def _samples(component: _Component, accurate: bool) -> Array:
    """The component's plane, cut to the samples that count."""
    scaled: Array
    plane: Array
    blocks = np.frombuffer(component.coefficients, np.int16).reshape(-1, 64).astype(np.int32)
    if accurate:
        scaled = (blocks * component.quantization).reshape(-1, 8, 8)
        columns = np.stack(_accurate_pass([scaled[:, i] for i in range(8)], 11), axis=1)
        pixels = np.stack(_accurate_pass([columns[:, :, i] for i in range(8)], 18), axis=2)
    else:
        factors = (component.quantization.astype(np.int64) * _AAN_TABLE + (1 << 11)) >> 12
        scaled = (blocks * factors.astype(np.int32)).astype(np.int16).reshape(-1, 8, 8)
        columns = np.stack(_fast_pass([scaled[:, i] for i in range(8)]), axis=1)
        pixels = np.stack(_fast_pass([columns[:, :, i] for i in range(8)]), axis=2).astype(np.int32) >> 5
    plane = np.clip(pixels + 128, 0, 255).astype(np.int32).reshape(component.tall, component.wide, 8, 8).swapaxes(1, 2)
    return plane.reshape(component.tall * 8, component.wide * 8)[: component.height, : component.width]


def _smooth_columns(plane: Array, weight: int, rounding: tuple[int, int], shift: int) -> Array:
    """Twice as many columns, each three parts of the nearer sample and one of the other."""
    left, right = np.roll(plane, 1, axis=1), np.roll(plane, -1, axis=1)
    out = np.empty((plane.shape[0], plane.shape[1] * 2), plane.dtype)
    out[:, 0::2] = (plane * 3 + left + rounding[0]) >> shift
    out[:, 1::2] = (plane * 3 + right + rounding[1]) >> shift
    out[:, 0] = (plane[:, 0] * weight + (rounding[0] if weight > 1 else 0)) >> (shift if weight > 1 else 0)
    out[:, -1] = (plane[:, -1] * weight + (rounding[1] if weight > 1 else 0)) >> (shift if weight > 1 else 0)
    return out


def _upsample(plane: Array, across: int, down: int, smooth: bool) -> Array:
    if smooth and across == 2 and down == 1:
        return _smooth_columns(plane, 1, (1, 2), 2)
    if smooth and across == 2 and down == 2:
        above, below = np.concatenate([plane[:1], plane[:-1]]), np.concatenate([plane[1:], plane[-1:]])
        rows = np.empty((plane.shape[0] * 2, plane.shape[1]), plane.dtype)
        rows[0::2], rows[1::2] = plane * 3 + above, plane * 3 + below
        return _smooth_columns(rows, 4, (8, 7), 4)
    return np.repeat(np.repeat(plane, down, axis=0), across, axis=1)


def decode(contents: bytes, channels: int, *, accurate: bool, smooth: bool, columns: tuple[int, int] | None = None) -> Array:
    """Pixels [height, width, channels], 1 or 3; 0 channels means those of the file. `accurate` and `smooth` choose among libjpeg's ways.

    `columns` are the first wanted and the one after the last. Smoothing does not look past whole units around them, as in libjpeg.
    """
    try:
        frame = _read(contents)
    except (struct.error, IndexError, ValueError, OverflowError) as e:
        raise e if isinstance(e, JpegError) else JpegError(f"a header or coefficient that cannot be: {e}") from e
    channels = channels or len(frame.components)
    identifiers = bytes(c.id for c in frame.components)
    is_rgb = len(identifiers) == 3 and not frame.jfif and (frame.adobe == 0 or (frame.adobe < 0 and identifiers == b"RGB"))
    wanted = frame.components[:1] if channels == 1 and not is_rgb else frame.components
    left, right = columns or (0, frame.width)
    if not 0 <= left < right <= frame.width:
        raise JpegError(f"columns {left} to {right} of an image {frame.width} wide")
    start = left - left % (8 * frame.across)
    planes = []
    for c in wanted:
        if frame.across % c.across or frame.down % c.down:
            raise UnsupportedJpeg("fractional sampling factors")
        across = frame.across // c.across
        part = _samples(c, accurate)[:, start // across : -(-right // across)]
        plane = _upsample(part, across, frame.down // c.down, smooth and c.width > 2 and part.shape[1] > 1)
        planes.append(plane[: frame.height, left - start : right - start])
    if len(planes) == 1:
        return np.repeat(planes[0][..., None].astype(np.uint8), channels, axis=2)
    if not is_rgb:
        y, blue, red = planes[0], planes[1] - 128, planes[2] - 128
        half = 1 << 15
        planes = [y + ((91881 * red + half) >> 16), y + ((-22554 * blue - 46802 * red + half) >> 16), y + ((116130 * blue + half) >> 16)]
    elif channels == 1:
        planes = [(19595 * planes[0] + 38470 * planes[1] + 7471 * planes[2] + (1 << 15)) >> 16]
    pixels: Array = np.clip(np.stack(planes, axis=2), 0, 255).astype(np.uint8)
    return pixels
