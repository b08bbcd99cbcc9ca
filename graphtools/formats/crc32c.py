"""CRC-32C (Castagnoli), the checksum of TensorFlow's tables, checkpoints and record files, on numpy lanes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.uint32]]

_POLYNOMIAL = 0x82F63B78  # reversed
_MASK_DELTA = 0xA282EAD8


def mask(crc: int) -> int:
    """The form in which a CRC is stored beside the data it covers: rotated right by 15 bits, plus a constant."""
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


@functools.cache
def _byte_table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


def crc32c(data: Any, crc: int = 0) -> int:
    """The CRC-32C of bytes, going on from `crc`."""
    view = memoryview(data).cast("B")
    if len(view) < 256:
        table, state = _byte_table(), crc ^ 0xFFFFFFFF
        for byte in view:
            state = table[(state ^ byte) & 0xFF] ^ state >> 8
        return state ^ 0xFFFFFFFF
    return _lanes(np.frombuffer(view, np.uint8), crc ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def crc32c_each(parts: Sequence[bytes]) -> list[int]:
    """The CRC-32C of many byte strings, computed side by side: for strings of about one length, up to some ten kilobytes."""
    longest = max(map(len, parts), default=0)
    power = 4 if longest < 1 << 10 else 6
    row_bytes = 4 << power
    width = max(-(-longest // row_bytes), 1) * row_bytes
    filled = np.zeros((len(parts), width), np.uint8)  # zeros before the data change nothing
    for i, part in enumerate(parts):
        if len(part) >= 4:
            start = width - len(part)
            filled[i, start:] = np.frombuffer(part, np.uint8)
            filled[i, start : start + 4] ^= 0xFF
    words = filled.view("<u4").reshape(len(parts), width // row_bytes, 1 << power)
    total: Array = np.zeros((len(parts), 1 << power), np.uint32)
    low, high = _half_tables(power)
    for row in range(words.shape[1]):
        halves = total.view(np.uint16)
        total = low[halves[:, 0::2]]
        total ^= high[halves[:, 1::2]]
        total ^= words[:, row]
    for fold in range(power - 1, -1, -1):
        low, high = _half_tables(fold)
        half = total.shape[1] // 2
        halves = np.ascontiguousarray(total[:, :half]).view(np.uint16)
        total = low[halves[:, 0::2]] ^ high[halves[:, 1::2]] ^ total[:, half:]
    low, high = _half_tables(0)
    states = (low[total & 0xFFFF] ^ high[total >> 16]).ravel() ^ np.uint32(0xFFFFFFFF)
    return [int(s) if len(p) >= 4 else crc32c(p) for s, p in zip(states, parts, strict=True)]


def _lanes(data: np.ndarray[Any, np.dtype[np.uint8]], state: int) -> int:
    """The CRC register after these bytes.

    The register is linear in what went in. With Z(n) the effect of n zero bytes on it, the words w_0 ... w_k-1 of the data
    leave XOR of Z(4 (k - i)) w_i. Rows of 2^p words are summed by Horner's rule, all lanes at once; then the lanes are folded in
    halves. Zeros before the data change nothing, so the first row is filled up with them in front.
    """
    power = 6 if len(data) < 1 << 16 else 14
    lanes = 1 << power
    row_bytes = 4 * lanes
    head = len(data) % row_bytes
    if head < 4:  # the register goes into the first four bytes
        head += row_bytes
    first = np.zeros(-(-head // row_bytes) * row_bytes, np.uint8)
    start = len(first) - head
    first[start:] = data[:head]
    first[start : start + 4] ^= np.array([state], "<u4").view(np.uint8)
    total: Array = np.zeros(lanes, np.uint32)
    low, high = _half_tables(power)
    for rows in (first, data[head:]):
        for row in rows.reshape(-1, row_bytes):
            halves = total.view(np.uint16)
            total = low[halves[0::2]]
            total ^= high[halves[1::2]]
            total ^= row.view("<u4")
    for fold in range(power - 1, -1, -1):
        low, high = _half_tables(fold)
        half = len(total) // 2
        halves = total[:half].view(np.uint16)
        total = low[halves[0::2]] ^ high[halves[1::2]] ^ total[half:]
    low, high = _half_tables(0)
    value = int(total[0])
    return int(low[value & 0xFFFF] ^ high[value >> 16])


@functools.cache
def _zeros(power: int) -> Array:
    """Z(4 * 2^power) on each single bit of the register."""
    if power == 0:
        table, bits = _byte_table(), []
        for bit in range(32):
            value = 1 << bit
            for _ in range(4):
                value = table[value & 0xFF] ^ value >> 8
            bits.append(value)
        return np.array(bits, np.uint32)
    half = _zeros(power - 1)
    return np.array([np.bitwise_xor.reduce(half[[i for i in range(32) if int(v) >> i & 1]]) for v in half], np.uint32)


@functools.cache
def _half_tables(power: int) -> tuple[Array, Array]:
    """Z(4 * 2^power) on each value of the register's low and high half."""
    bits = _zeros(power)
    tables = []
    for part in (bits[:16], bits[16:]):
        table = np.zeros(1 << 16, np.uint32)
        for i, value in enumerate(part):
            table[1 << i : 2 << i] = table[: 1 << i] ^ value
        tables.append(table)
    return tables[0], tables[1]
