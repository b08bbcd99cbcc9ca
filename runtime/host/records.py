"""TFRecord framing: a length, its checksum, the record, its checksum."""

from __future__ import annotations

import functools
import struct
import weakref
from collections.abc import Iterator
from types import TracebackType
from typing import Any, BinaryIO

from graphtools.formats.crc32c import crc32c, crc32c_each, mask
from runtime import files
from runtime.errors import DataLossError, FailedPreconditionError

_FRAME_BYTES = 16  # of a record, beside its data
_READ_AHEAD_BYTES = 1 << 17
_READ_AHEAD_RECORDS = 64


def frame(record: bytes) -> bytes:
    """A record as it is written."""
    length = struct.pack("<Q", len(record))
    return b"".join((length, struct.pack("<I", mask(crc32c(length))), record, struct.pack("<I", mask(crc32c(record)))))


def read(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """The records of a stream. Raises DataLossError that says at which byte a damaged or cut record starts."""
    for _, record in read_at(stream, name):
        yield record


def read_at(stream: BinaryIO, name: str, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """The records of a stream, each with the offset it starts at, the first at `offset`.

    Reads some records ahead, whose checksums are computed side by side.
    """
    failure: DataLossError | None = None
    while failure is None:
        ahead: list[tuple[int, bytes, int]] = []
        total = 0
        while total < _READ_AHEAD_BYTES and len(ahead) < _READ_AHEAD_RECORDS:
            head = stream.read(12)
            if len(head) < 12:
                failure = _truncated(offset) if head else None
                break
            length = int.from_bytes(head[:8], "little")
            if _length_check(length) != head[8:]:
                failure = DataLossError(None, None, f"corrupted record at {offset}")
                break
            body = stream.read(length + 4)
            if len(body) < length + 4:
                failure = _truncated(offset)
                break
            ahead.append((offset, body[:length], int.from_bytes(body[length:], "little")))
            offset += length + _FRAME_BYTES
            total += length
        if not ahead and failure is None:
            return
        checks = crc32c_each([r for _, r, _ in ahead]) if len(ahead) > 2 else [crc32c(r) for _, r, _ in ahead]
        for (start, record, check), found in zip(ahead, checks, strict=True):
            if mask(found) != check:
                raise DataLossError(None, None, f"corrupted record at {start + 12}")
            yield start, record
    raise failure


def _truncated(offset: int) -> DataLossError:
    return DataLossError(None, None, f"truncated record at {offset}")


@functools.lru_cache(4096)
def _length_check(length: int) -> bytes:
    return struct.pack("<I", mask(crc32c(struct.pack("<Q", length))))


def read_file(path: str, compression: str = "") -> Iterator[bytes]:
    """The records of a file."""
    with files.open_stream(path, compression) as stream:
        yield from read(stream, path)


class RecordWriter:
    """Writes records to a file, compressed as "", "GZIP" or "ZLIB" says."""

    def __init__(self, path: str, compression: str = "") -> None:
        self.path = path
        self._deflate = files.compressor(compression)
        with files.translated(path):
            self._file: Any = open(files.local(path), "wb")  # noqa: SIM115 - closed by close
        self._at_exit = weakref.finalize(self, self._file.close)  # so that a writer nobody closed is complete

    def write(self, record: bytes) -> None:
        if self._file is None:
            raise FailedPreconditionError(None, None, f"Writer of {self.path!r} is closed.")
        data = frame(record)
        with files.translated(self.path):
            self._file.write(self._deflate.compress(data) if self._deflate is not None else data)

    def flush(self) -> None:
        if self._file is None:
            raise FailedPreconditionError(None, None, f"Writer of {self.path!r} is closed.")
        with files.translated(self.path):
            self._file.flush()

    def close(self) -> None:
        if self._file is None:
            return
        with files.translated(self.path):
            if self._deflate is not None:
                self._file.write(self._deflate.flush())
            self._file.close()
        self._at_exit.detach()
        self._file = None

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
