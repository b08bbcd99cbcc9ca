"""TensorFlow's random streams: the Philox 4x32-10 generator and the distributions drawn from it, bit for bit as its CPU kernels do."""

from __future__ import annotations

import math
import secrets
import threading
from collections.abc import Callable, Iterator
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]

_MASK32 = (1 << 32) - 1
_MASK64 = (1 << 64) - 1
_MASK128 = (1 << 128) - 1
_MULTIPLIERS = np.array([[0xD2511F53], [0xCD9E8D57]], np.uint64)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(_MASK32)
_SHIFT = np.uint64(32)
_CHUNK = 8192  # counters a pass works on: its arrays stay in the L2 cache
_VARIABLE_RESERVE = 256  # 32-bit words set aside for an output whose number of draws is not fixed

DEFAULT_GRAPH_SEED = 87654321
_MAX_INT32 = 2**31 - 1


def op_seeds(graph_seed: int | None, op_seed: int | None, last_id: int) -> tuple[int | None, int | None]:
    """The (seed, seed2) attrs of an op: tf.get_seed. `last_id` is the number of ops the graph has had so far."""
    if graph_seed is None:
        if op_seed is None:
            return None, None
        seeds = DEFAULT_GRAPH_SEED, op_seed % _MAX_INT32
    else:
        seeds = graph_seed % _MAX_INT32, (last_id if op_seed is None else op_seed) % _MAX_INT32
    return (0, _MAX_INT32) if seeds == (0, 0) else seeds


class Philox:
    """A position in a stream: a 64-bit key and the 128-bit counter of the next block of four 32-bit words."""

    __slots__ = ("counter", "key")

    def __init__(self, key: int, counter: int) -> None:
        self.key = key & _MASK64
        self.counter = counter & _MASK128

    @classmethod
    def from_seeds(cls, seed: int, seed2: int) -> Philox:
        return cls(seed, (seed2 & _MASK64) << 64)

    @classmethod
    def from_stateless_seed(cls, seed: Array) -> Philox:
        """The stream of a stateless op: its two seeds, scrambled by one block of Philox."""
        low, high = (int(s) & _MASK64 for s in seed)
        mix = cls(0x02461E293EC8F720, low | high << 64).words(1)[0].tolist()
        return cls(mix[0] | mix[1] << 32, mix[2] << 64 | mix[3] << 96)

    def skip(self, blocks: int) -> None:
        self.counter = (self.counter + blocks) & _MASK128

    def copy(self) -> Philox:
        return Philox(self.key, self.counter)

    def words(self, blocks: int) -> U32:
        """The next blocks, one a row; the position does not move."""
        out = np.empty((blocks, 4), np.uint32)
        for start in range(0, blocks, _CHUNK):
            stop = min(start + _CHUNK, blocks)
            self._fill(out[start:stop], np.arange(start, stop, dtype=np.uint64))
        return out

    def words_at(self, offsets: U64) -> U32:
        """The blocks at these distances from the position, one a row."""
        out = np.empty((len(offsets), 4), np.uint32)
        for start in range(0, len(offsets), _CHUNK):
            stop = min(start + _CHUNK, len(offsets))
            self._fill(out[start:stop], offsets[start:stop])
        return out

    def _fill(self, out: U32, offsets: U64) -> None:
        """Ten rounds. Words 0 and 2, which are multiplied, are the rows of one array, words 1 and 3 of another."""
        low, high = self.counter & _MASK64, self.counter >> 64
        position = offsets + np.uint64(low)
        even, odd = np.empty((2, len(offsets)), np.uint64), np.empty((2, len(offsets)), np.uint64)
        np.bitwise_and(position, _LOW, out=even[0])
        np.right_shift(position, _SHIFT, out=odd[0])
        even[1], odd[1] = high & _MASK32, high >> 32
        if low + int(offsets.max(initial=0)) > _MASK64:
            carried = position < np.uint64(low)
            after = (high + 1) & _MASK64
            even[1, carried], odd[1, carried] = after & _MASK32, after >> 32
        k0, k1 = self.key & _MASK32, self.key >> 32
        keys = np.array([(k0 + i * _KEY_STEPS[0], k1 + i * _KEY_STEPS[1]) for i in range(10)], np.uint64) & _LOW
        products = np.empty_like(even), np.empty_like(even)
        for i, key in enumerate(keys):
            # The odd words keep the high halves of the products that made them: only words that are multiplied must be cut to 32 bits.
            product = np.multiply(even, _MULTIPLIERS, out=products[i & 1])[::-1]
            np.right_shift(product, _SHIFT, out=even)
            even ^= odd
            even ^= key[:, None]
            even &= _LOW
            odd = product
        for column, word in enumerate((even[0], odd[0], even[1], odd[1])):
            np.copyto(out[:, column], word, casting="unsafe")


class Stream:
    """The generator a random op keeps between runs. Threads may draw from it at the same time."""

    __slots__ = ("_lock", "_next")

    def __init__(self, seed: int, seed2: int) -> None:
        if seed == 0 and seed2 == 0:
            seed, seed2 = secrets.randbits(64), secrets.randbits(64)
        self._next = Philox.from_seeds(seed, seed2)
        self._lock = threading.Lock()

    def reserve(self, blocks: int) -> Philox:
        """A generator at the present position, which then moves on by so many blocks."""
        with self._lock:
            generator = self._next.copy()
            self._next.skip(blocks)
        return generator

    def reserve_words(self, words: int) -> Philox:
        return self.reserve((words + 3) // 4)

    def reserve_outputs(self, count: int) -> Philox:
        return self.reserve(count * _VARIABLE_RESERVE)


class WordReader:
    """One 32-bit word at a time from a generator: TensorFlow's SimplePhilox."""

    __slots__ = ("_generator", "_words")

    def __init__(self, generator: Philox) -> None:
        self._generator = generator.copy()
        self._words = self._read()

    def _read(self) -> Iterator[int]:
        blocks = 4
        while True:
            words = self._generator.words(blocks).ravel().tolist()
            self._generator.skip(blocks)
            yield from words
            blocks = min(blocks * 4, _CHUNK)

    def word(self) -> int:
        return next(self._words)

    def word64(self) -> int:
        return next(self._words) | next(self._words) << 32

    def uniform_float(self) -> float:
        return float((next(self._words) & 0x7FFFFF) * 2.0**-23)

    def uniform_double(self) -> float:
        high = next(self._words) & 0xFFFFF
        return (high << 32 | next(self._words)) * 2.0**-52

    def below(self, n: int) -> int:
        """A number of [0, n), exactly uniform: words that would favour small numbers are drawn again."""
        return self._below(n, self.word, 32)

    def below64(self, n: int) -> int:
        return self._below(n, self.word64, 64)

    @staticmethod
    def _below(n: int, draw: Callable[[], int], bits: int) -> int:
        if n & (n - 1) == 0:
            return draw() & (n - 1) if n else draw() * 0
        bias = ((1 << bits) - 1) % n + 1
        while (value := draw()) < bias:
            pass
        return value % n


# -- fixed numbers of words for an output -------------------------------------------------------------------------


def _unit_floats(words: U32) -> NDArray[np.float32]:
    """23 bits as the mantissa of a number of [1, 2), minus 1. Overwrites `words`."""
    words &= np.uint32(0x7FFFFF)
    words |= np.uint32(0x3F800000)
    floats = words.view(np.float32)
    floats -= np.float32(1)
    return floats


def _unit_doubles(words: U32) -> NDArray[np.float64]:
    """52 bits of every two words, the first word giving the high ones."""
    bits = (words[..., 0::2] & np.uint32(0xFFFFF)).astype(np.uint64)
    bits <<= _SHIFT
    bits |= words[..., 1::2]
    bits |= np.uint64(1023 << 52)
    return np.subtract(bits.view(np.float64), 1.0)


def _unit_halves(words: U32) -> Array:
    bits = (words & np.uint32(0x3FF)).astype(np.uint16) | np.uint16(15 << 10)
    return bits.view(np.float16) - np.float16(1)


def _unit_bfloats(words: U32) -> Array:
    bits = (words & np.uint32(0x7F)).astype(np.uint16) | np.uint16(127 << 7)
    units: Array = (bits.view(ml_dtypes.bfloat16).astype(np.float32) - np.float32(1)).astype(ml_dtypes.bfloat16)
    return units


_UNITS: dict[np.dtype[Any], Callable[[U32], Array]] = {
    np.dtype(np.float16): _unit_halves,
    np.dtype(ml_dtypes.bfloat16): _unit_bfloats,
    np.dtype(np.float32): _unit_floats,
    np.dtype(np.float64): _unit_doubles,
}


def units(words: U32, dtype: Any) -> Array:
    """Numbers of [0, 1) from blocks of words, a block a row. May overwrite `words`."""
    return _UNITS[np.dtype(dtype)](words)


def _blocks(size: int, dtype: np.dtype[Any]) -> int:
    """Blocks for `size` outputs that take a word (of 8-byte types: two words) each."""
    per_block = 2 if dtype.itemsize == 8 else 4
    return -(-size // per_block)


def uniform(generator: Philox, size: int, dtype: Any) -> Array:
    """Numbers of [0, 1)."""
    dtype = np.dtype(dtype)
    return units(generator.words(_blocks(size, dtype)), dtype).reshape(-1)[:size]


def uniform_int(generator: Philox, size: int, low: int, high: int, dtype: Any) -> Array:
    """Integers of [low, high): words modulo the range, as TensorFlow takes them."""
    bits = full_int(generator, size, dtype)
    span = bits.dtype.type((high - low) & (_MASK64 if bits.dtype.itemsize == 8 else _MASK32))
    wide = (low & (_MASK64 if bits.dtype.itemsize == 8 else _MASK32)) + np.zeros((), bits.dtype)
    drawn: Array = (bits % span + wide.astype(bits.dtype)).view(dtype)
    return drawn


def full_int(generator: Philox, size: int, dtype: Any) -> Array:
    """Unsigned integers over all of the type's range."""
    dtype = np.dtype(dtype)
    words = generator.words(_blocks(size, dtype)).reshape(-1)
    if dtype.itemsize == 4:
        return words[:size]
    return (words[0::2].astype(np.uint64) | words[1::2].astype(np.uint64) << _SHIFT)[:size]


# glibc's logf and sincosf (2.28 and newer), which TensorFlow calls: double arithmetic that is not always correctly rounded.
_LOG_TABLE = (  # 1 / c and log c for the middle c of each sixteenth of an octave
    ("0x1.661ec79f8f3bep+0", "-0x1.57bf7808caadep-2"),
    ("0x1.571ed4aaf883dp+0", "-0x1.2bef0a7c06ddbp-2"),
    ("0x1.49539f0f010bp+0", "-0x1.01eae7f513a67p-2"),
    ("0x1.3c995b0b80385p+0", "-0x1.b31d8a68224e9p-3"),
    ("0x1.30d190c8864a5p+0", "-0x1.6574f0ac07758p-3"),
    ("0x1.25e227b0b8eap+0", "-0x1.1aa2bc79c81p-3"),
    ("0x1.1bb4a4a1a343fp+0", "-0x1.a4e76ce8c0e5ep-4"),
    ("0x1.12358f08ae5bap+0", "-0x1.1973c5a611cccp-4"),
    ("0x1.0953f419900a7p+0", "-0x1.252f438e10c1ep-5"),
    ("0x1p+0", "0x0p+0"),
    ("0x1.e608cfd9a47acp-1", "0x1.aa5aa5df25984p-5"),
    ("0x1.ca4b31f026aap-1", "0x1.c5e53aa362eb4p-4"),
    ("0x1.b2036576afce6p-1", "0x1.526e57720db08p-3"),
    ("0x1.9c2d163a1aa2dp-1", "0x1.bc2860d22477p-3"),
    ("0x1.886e6037841edp-1", "0x1.1058bc8a07ee1p-2"),
    ("0x1.767dcf5534862p-1", "0x1.4043057b6ee09p-2"),
)
_LOG_INVERSE, _LOG_CENTRE = (np.array([float.fromhex(row[i]) for row in _LOG_TABLE]) for i in (0, 1))
_LOG_POLY = tuple(map(float.fromhex, ("-0x1.00ea348b88334p-2", "0x1.5575b0be00b6ap-2", "-0x1.ffffef20a4123p-2")))
_LN2 = float.fromhex("0x1.62e42fefa39efp-1")
_COS_POLY = tuple(
    map(float.fromhex, ("0x1p0", "-0x1.ffffffd0c621cp-2", "0x1.55553e1068f19p-5", "-0x1.6c087e89a359dp-10", "0x1.99343027bf8c3p-16"))
)
_SIN_POLY = tuple(map(float.fromhex, ("-0x1.555545995a603p-3", "0x1.1107605230bc4p-7", "-0x1.994eb3774cf24p-13")))
_HALF_PI = float.fromhex("0x1.921FB54442D18p0")
_QUADRANTS = float.fromhex("0x1.45F306DC9C883p+23")  # 2/pi * 2**24
_SIN_SIGN = np.array([1.0, -1.0, -1.0, 1.0, 1.0])
_COS_SIGN = np.array([1.0, 1.0, -1.0, -1.0, 1.0])


def logf(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The C library's logf, for positive normal numbers."""
    bits = x.view(np.int32)
    offset = bits - np.int32(0x3F330000)
    row = (offset >> np.int32(19)) & np.int32(15)
    exponent = offset >> np.int32(23)
    z = (bits - (exponent << np.int32(23))).view(np.float32).astype(np.float64)
    z *= _LOG_INVERSE.take(row)
    z -= 1.0
    base = exponent * _LN2
    base += _LOG_CENTRE.take(row)
    base += z
    a, b, c = _LOG_POLY
    y = b * z
    y += c
    z *= z
    y += a * z
    y *= z
    y += base
    return y.astype(np.float32)


def sincosf(x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The C library's sincosf, for numbers of [0, 2 pi]."""
    wide = x.astype(np.float64)
    quadrant = ((wide * _QUADRANTS).astype(np.int32) + np.int32(0x800000)) >> np.int32(24)
    wide -= quadrant * _HALF_PI
    x2 = wide * wide
    wide *= _SIN_SIGN.take(quadrant)
    x3 = x2 * wide
    s = _SIN_POLY[2] * x2
    s += _SIN_POLY[1]
    s *= x3 * x2
    x3 *= _SIN_POLY[0]
    wide += x3
    s += wide
    x4 = x2 * x2
    c = _COS_POLY[4] * x2
    c += _COS_POLY[3]
    c *= x4 * x2
    x4 *= _COS_POLY[2]
    x2 *= _COS_POLY[1]
    x2 += _COS_POLY[0]
    x2 += x4
    c += x2
    c *= _COS_SIGN.take(quadrant)
    odd = (quadrant & 1).astype(bool)
    sine, cosine = s.astype(np.float32), c.astype(np.float32)
    return np.where(odd, cosine, sine), np.where(odd, sine, cosine)


def libm(function: Callable[..., float], *args: Array) -> NDArray[np.float64]:
    """A function of the C library over arrays of doubles: numpy's own may differ in the last bit."""
    return np.array(list(map(function, *(a.ravel().tolist() for a in args))), np.float64).reshape(args[0].shape)


_EPSILON = np.float32(1.0e-7)


def _box_muller_floats(words: U32) -> NDArray[np.float32]:
    """Two normals of every two words: (sin v, cos v) * sqrt(-2 log u). Overwrites `words`."""
    flat = _unit_floats(words.reshape(-1))
    for start in range(0, len(flat), 2 * _CHUNK):
        pairs = flat[start : start + 2 * _CHUNK]
        u = np.maximum(pairs[0::2], _EPSILON)
        angle = np.multiply(pairs[1::2], 2 * math.pi, dtype=np.float64)
        radius = logf(u)
        radius *= np.float32(-2)
        np.sqrt(radius, out=radius)
        sine, cosine = sincosf(angle.astype(np.float32))
        np.multiply(sine, radius, out=pairs[0::2])
        np.multiply(cosine, radius, out=pairs[1::2])
    return flat.reshape(words.shape)


def _box_muller_doubles(words: U32) -> NDArray[np.float64]:
    """Two normals of every four words."""
    units = _unit_doubles(words)
    u, angle = np.maximum(units[..., 0::2], 1.0e-7), units[..., 1::2] * (2 * math.pi)
    radius = np.sqrt(-2.0 * libm(math.log, u))
    units[..., 0::2] = libm(math.sin, angle) * radius
    units[..., 1::2] = libm(math.cos, angle) * radius
    return units


def normals(words: U32, dtype: np.dtype[Any]) -> Array:
    """Normals in the precision TensorFlow computes them: float32 for the 16-bit types."""
    return _box_muller_doubles(words) if dtype == np.float64 else _box_muller_floats(words)


def normal(generator: Philox, size: int, dtype: Any) -> Array:
    """Standard normals."""
    dtype = np.dtype(dtype)
    return normals(generator.words(_blocks(size, dtype)), dtype).reshape(-1)[:size].astype(dtype, copy=False)


def truncated_normal(generator: Philox, size: int, dtype: Any) -> Array:
    """Standard normals within (-2, 2): each group of outputs draws from a place of its own until it is full."""
    dtype = np.dtype(dtype)
    width = 2 if dtype == np.float64 else 4
    groups = -(-size // width)
    skip = np.uint64(width * _VARIABLE_RESERVE // 4)
    offsets = np.arange(groups, dtype=np.uint64) * skip
    results = normals(generator.words_at(offsets), dtype)
    short = np.flatnonzero((np.abs(results) >= 2).any(axis=1))
    if len(short):
        first = results[short]
        filled = np.zeros(len(short), np.int64)
        drawn, block = first, np.uint64(0)
        active = np.arange(len(short))
        while len(active):
            ok = np.abs(drawn) < 2
            place = filled[active, None] + np.cumsum(ok, axis=1) - 1
            row, column = np.nonzero(ok & (place < width))
            results[short[active[row]], place[row, column]] = drawn[row, column]
            filled[active] += ok.sum(axis=1)
            active = active[filled[active] < width]
            block += np.uint64(1)
            drawn = normals(generator.words_at(offsets[short[active]] + block), dtype)
    return results.reshape(-1)[:size].astype(dtype, copy=False)
