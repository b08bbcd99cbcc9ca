"""The sorted table under both checkpoint formats: blocks of prefix-compressed keys, an index block, a footer."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from graphtools.errors import FormatError
from graphtools.formats import snappy
from graphtools.formats.crc32c import crc32c, mask
from graphtools.formats.schema import WireError, encode_varint, varint

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
_FOOTER = 48
_TRAILER = 5  # compression type and CRC after each block
_BLOCK_SIZE = 1 << 18
_RESTART_INTERVAL = 16


class Table:
    """A table file, read block by block as keys are asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as e:
            raise FormatError(f"{path} cannot be read: {e.strerror or e}.") from e
        try:
            self._open()
        except BaseException:
            self._file.close()
            raise

    def _open(self) -> None:
        self._size = os.fstat(self._file.fileno()).st_size
        if self._size < _FOOTER:
            raise FormatError(f"{self.path} is no table: it has {self._size} bytes, the footer alone has {_FOOTER}.")
        footer = self._bytes(self._size - _FOOTER, _FOOTER)
        if footer[40:] != MAGIC:
            raise FormatError(
                f"{self.path} is no table, or its end is cut off: its last 8 bytes (offset {self._size - 8}) are {footer[40:].hex()}."
            )
        try:
            _, at = _handle(footer, 0)
            handle, _ = _handle(footer, at)
        except WireError as e:
            raise FormatError(f"{self.path} is damaged at byte {self._size - _FOOTER + e.args[0]}: {e.args[1]}.") from e
        self._last_block: tuple[tuple[int, int], list[tuple[bytes, bytes]]] | None = None
        index = self._entries(handle)
        self._blocks: list[tuple[bytes, tuple[int, int]]] = []
        for key, value in index:
            try:
                self._blocks.append((key, _handle(value, 0)[0]))
            except WireError as e:
                raise FormatError(f"{self.path} is damaged in its index block at byte {handle[0]}: {e.args[1]}.") from e

    def close(self) -> None:
        self._file.close()

    def get(self, key: bytes) -> bytes | None:
        for found, value in self.prefixed(key):
            if found == key:
                return value
        return None

    def prefixed(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The entries whose keys start with these bytes, in order."""
        low, high = 0, len(self._blocks)
        while low < high:
            middle = (low + high) // 2
            if self._blocks[middle][0] < prefix:
                low = middle + 1
            else:
                high = middle
        for _, handle in self._blocks[low:]:
            for key, value in self._entries(handle):
                if key >= prefix:
                    if not key.startswith(prefix):
                        return
                    yield key, value

    def _bytes(self, offset: int, size: int) -> bytes:
        try:
            self._file.seek(offset)
            data = self._file.read(size)
        except (OSError, OverflowError) as e:
            raise FormatError(f"{self.path} cannot be read at byte {offset}: {e}.") from e
        if len(data) < size:
            raise FormatError(f"{self.path} ends at byte {offset + len(data)}; {size} bytes were expected at {offset}.")
        return data

    def _entries(self, handle: tuple[int, int]) -> list[tuple[bytes, bytes]]:
        if self._last_block is not None and self._last_block[0] == handle:
            return self._last_block[1]
        offset, size = handle
        if offset + size + _TRAILER > self._size:
            raise FormatError(f"{self.path} has {self._size} bytes; a block of {size} bytes at {offset} is past its end.")
        raw = self._bytes(offset, size + _TRAILER)
        if mask(crc32c(memoryview(raw)[: size + 1])) != int.from_bytes(raw[size + 1 :], "little"):
            raise FormatError(f"{self.path} is damaged between the bytes {offset} and {offset + size}: the checksum differs.")
        data = raw[:size]
        if raw[size] not in (0, 1):
            raise FormatError(f"{self.path}: the block at byte {offset} has the compression type {raw[size]}; 0 and 1 (snappy) are known.")
        try:
            if raw[size] == 1:
                data = snappy.decompress(data)
            entries = list(_block_entries(data))
        except WireError as e:
            raise FormatError(f"{self.path} is damaged in the block at byte {offset}, there at byte {e.args[0]}: {e.args[1]}.") from e
        self._last_block = handle, entries
        return entries


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    offset, at = varint(data, at, len(data))
    size, at = varint(data, at, len(data))
    return (offset, size), at


def _block_entries(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The entries of an uncompressed block."""
    if len(data) < 4:
        raise WireError(0, "a block has at least 4 bytes")
    end = len(data) - 4 - 4 * int.from_bytes(data[-4:], "little")
    if end < 0:
        raise WireError(len(data) - 4, "there are more restart points than fit")
    at, key = 0, b""
    while at < end:
        start = at
        shared, at = varint(data, at, end)
        own, at = varint(data, at, end)
        size, at = varint(data, at, end)
        if shared > len(key) or own + size > end - at:
            raise WireError(start, "an entry is longer than its block")
        new = key[:shared] + data[at : at + own]
        if start and new <= key:
            raise WireError(start, "the keys are not in order")
        key = new
        at += own
        yield key, data[at : at + size]
        at += size


def write(file: BinaryIO, entries: Iterable[tuple[bytes, bytes]]) -> None:
    """Write a table of these entries, which must be in the order of their keys."""
    at = 0

    def put(block: bytes) -> bytes:
        nonlocal at
        handle = encode_varint(at) + encode_varint(len(block))
        body = block + b"\0"
        file.write(body)
        file.write(mask(crc32c(body)).to_bytes(4, "little"))
        at += len(body) + 4
        return handle

    index: list[tuple[bytes, bytes]] = []
    pending: list[tuple[bytes, bytes]] = []
    size, previous = 0, None
    for key, value in entries:
        if previous is not None and key <= previous:
            raise ValueError(f"The key {key!r} comes after {previous!r}; the keys of a table are in order.")
        previous = key
        pending.append((key, value))
        size += len(key) + len(value)
        if size >= _BLOCK_SIZE:
            index.append((key, put(_block(pending, _RESTART_INTERVAL))))
            pending, size = [], 0
    if pending or not index:
        index.append((pending[-1][0] if pending else b"", put(_block(pending, _RESTART_INTERVAL))))
    handles = put(_block([], _RESTART_INTERVAL)) + put(_block(index, 1))
    file.write(handles.ljust(_FOOTER - 8, b"\0") + MAGIC)


def _block(entries: list[tuple[bytes, bytes]], interval: int) -> bytes:
    out = bytearray()
    restarts = [0]
    last = b""
    for i, (key, value) in enumerate(entries):
        shared = 0
        if i % interval:
            while shared < min(len(last), len(key)) and last[shared] == key[shared]:
                shared += 1
        elif i:
            restarts.append(len(out))
        out += encode_varint(shared) + encode_varint(len(key) - shared) + encode_varint(len(value)) + key[shared:] + value
        last = key
    for restart in (*restarts, len(restarts)):
        out += restart.to_bytes(4, "little")
    return bytes(out)
