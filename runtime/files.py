"""Files as TensorFlow's file system sees them: its glob patterns, its compression names, its errors."""

from __future__ import annotations

import errno
import fnmatch
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from runtime.errors import (
    AlreadyExistsError,
    DataLossError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    OpError,
    PermissionDeniedError,
    UnimplementedError,
    UnknownError,
)

_BY_ERRNO = {
    errno.ENOENT: NotFoundError,
    errno.ENOTDIR: FailedPreconditionError,
    errno.EISDIR: FailedPreconditionError,
    errno.ENOTEMPTY: FailedPreconditionError,
    errno.EEXIST: AlreadyExistsError,
    errno.EACCES: PermissionDeniedError,
    errno.EPERM: PermissionDeniedError,
    errno.EINVAL: InvalidArgumentError,
}


def error_of(error: OSError, path: str) -> OpError:
    """The tf.errors class and text of an operating system error."""
    kind = _BY_ERRNO.get(error.errno or 0, UnknownError)
    return kind(None, None, f"{path}; {error.strerror or error}")


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Raise operating system errors as tf.errors."""
    try:
        yield
    except OSError as e:
        raise error_of(e, path) from e


def local(path: str) -> str:
    """The path without a file:// scheme. Raises UnimplementedError for the schemes of other file systems."""
    scheme, found, rest = path.partition("://")
    if not found or "/" in scheme:
        return path
    if scheme == "file":
        return rest
    raise UnimplementedError(None, None, f"File system scheme '{scheme}' not implemented (file: '{path}')")


def read(path: str) -> bytes:
    with translated(path), open(local(path), "rb") as file:
        return file.read()


def write(path: str, contents: bytes) -> None:
    """Write a file, making its folders."""
    with translated(path):
        target = local(path)
        if folder := os.path.dirname(target):
            os.makedirs(folder, exist_ok=True)
        with open(target, "wb") as file:
            file.write(contents)


def open_stream(path: str, compression: str = "", buffer_size: int = 0) -> BinaryIO:
    """The bytes of a file, decompressed as "", "GZIP" or "ZLIB" says."""
    bits = _window_bits(compression) if compression else 0
    with translated(path):
        if os.path.isdir(local(path)):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        file = open(local(path), "rb", buffering=max(buffer_size, 1 << 16))  # noqa: SIM115 - the caller closes it
    if not compression:
        return file
    return io.BufferedReader(_Inflated(file, path, bits), 1 << 16)


class _Inflated(io.RawIOBase):
    """A zlib or gzip file, which may consist of several such parts."""

    def __init__(self, file: BinaryIO, path: str, bits: int) -> None:
        self._file = file
        self._path = path
        self._bits = bits
        self._inflate = zlib.decompressobj(self._bits)
        self._rest = b""
        self._at_start = True

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._inflate.eof:
                self._rest = self._inflate.unused_data
                self._inflate = zlib.decompressobj(self._bits)
                self._at_start = True
            data = self._rest or self._file.read(1 << 16)
            if not data:
                if not self._at_start:
                    raise DataLossError(None, None, f"{self._path} is truncated: its compressed data stops in the middle.")
                return 0
            try:
                out = self._inflate.decompress(data, len(buffer))
            except zlib.error as e:
                raise DataLossError(None, None, f"{self._path}: {e}") from e
            self._at_start = False
            self._rest = self._inflate.unconsumed_tail
            if out:
                buffer[: len(out)] = out
                return len(out)


def _window_bits(compression: str) -> int:
    bits = {"GZIP": 31, "ZLIB": 15}.get(compression)
    if bits is None:
        raise InvalidArgumentError(None, None, f'Unsupported compression_type: {compression}; "", "GZIP" and "ZLIB" are known.')
    return bits


def compressor(compression: str) -> zlib._Compress | None:
    """What compresses a file that is to be read with this compression; None for none."""
    return zlib.compressobj(wbits=_window_bits(compression)) if compression else None


def match(pattern: str) -> list[str]:
    """The files that match, sorted. `*` and `?` stop at a slash. Raises NotFoundError if the folder before the wildcards is not there."""
    if "/" not in pattern:
        pattern = f"./{pattern}"
    path = local(pattern)
    prefix = pattern[: len(pattern) - len(path)]
    parts = path.split("/")
    wild = next((i for i, p in enumerate(parts) if any(c in p for c in "*?[\\")), len(parts))
    if wild == len(parts):
        if os.path.exists(path):
            return [pattern]
        folder = os.path.dirname(path) or "."
        if not os.path.isdir(folder):
            raise NotFoundError(None, None, f"{folder}; No such file or directory")
        return []
    start = "/".join(parts[:wild]) + "/" if wild else ""
    if not os.path.isdir(start or "."):
        raise NotFoundError(None, None, f"{start.rstrip('/') or '.'}; No such file or directory")
    found = [start]
    for i in range(wild, len(parts)):
        is_last = i == len(parts) - 1
        following = []
        for folder in found:
            try:
                names = os.listdir(folder or ".")
            except OSError:
                continue
            for name in names:
                if fnmatch.fnmatchcase(name, parts[i].replace("[^", "[!")):
                    following.append(folder + name + ("" if is_last else "/"))
        found = following if is_last else [f for f in following if os.path.isdir(f)]
    return sorted(prefix + f for f in found)
