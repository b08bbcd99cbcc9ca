"""Files: patterns, compressions, and errors in TensorFlow's words."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import pytest

from runtime import files
from runtime.errors import (
    DataLossError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    UnimplementedError,
)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("a.txt", "b.txt", ".hidden.txt", "d1/x.csv", "d1/y.csv", "d2/x.csv", "d2/deep/z.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.txt", ["./.hidden.txt", "./a.txt", "./b.txt"]),
        ("./?.txt", ["./a.txt", "./b.txt"]),
        ("./[!a].txt", ["./b.txt"]),
        ("./[^a].txt", ["./b.txt"]),
        ("d*/x.csv", ["d1/x.csv", "d2/x.csv"]),
        ("d2/*/z.csv", ["d2/deep/z.csv"]),
        ("d1/*", ["d1/x.csv", "d1/y.csv"]),
        ("a.txt", ["./a.txt"]),
        ("./none.txt", []),
        ("d1/none*", []),
    ],
)
def test_match(tree: Path, pattern: str, found: list[str]) -> None:
    assert files.match(pattern) == found


def test_match_by_scheme(tree: Path) -> None:
    assert files.match(f"file://{tree}/d1/x*") == [f"file://{tree}/d1/x.csv"]
    with pytest.raises(UnimplementedError, match="File system scheme 'gs' not implemented"):
        files.match("gs://bucket/*")


def test_match_needs_its_folder(tree: Path) -> None:
    for pattern in ("none/*.txt", "none/a.txt"):
        with pytest.raises(NotFoundError, match="none; No such file or directory"):
            files.match(pattern)


def test_errors(tree: Path) -> None:
    with pytest.raises(NotFoundError, match="none; No such file or directory"):
        files.read("none")
    with pytest.raises(FailedPreconditionError, match="d1; Is a directory"):
        files.open_stream("d1")
    with pytest.raises(FailedPreconditionError, match=r"a\.txt/x; Not a directory"):
        files.read("a.txt/x")
    with pytest.raises(PermissionDeniedError), files.translated("p"):
        raise PermissionError(13, "Permission denied")


def test_write_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "f"
    files.write(str(path), b"x")
    assert files.read(str(path)) == b"x"


@pytest.mark.parametrize(("kind", "pack"), [("GZIP", gzip.compress), ("ZLIB", zlib.compress)])
def test_compressed_streams(tmp_path: Path, kind: str, pack: object) -> None:
    assert callable(pack)
    data = bytes(range(256)) * 2000
    path = tmp_path / "f"
    path.write_bytes(pack(data) + pack(b"more"))  # of several parts, as appending makes them
    with files.open_stream(str(path), kind) as stream:
        assert stream.read() == data + b"more"
    path.write_bytes(pack(data)[:-6])
    with files.open_stream(str(path), kind) as stream, pytest.raises(DataLossError):
        stream.read()
    path.write_bytes(b"no such thing")
    with files.open_stream(str(path), kind) as stream, pytest.raises(DataLossError):
        stream.read()


def test_an_unknown_compression(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"")
    with pytest.raises(InvalidArgumentError, match="Unsupported compression_type: LZ4"):
        files.compressor("LZ4")
    with pytest.raises(InvalidArgumentError, match="LZ4"), files.open_stream(str(path), "LZ4"):
        pass
