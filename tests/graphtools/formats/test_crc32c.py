"""Checksums: known values, and the ways of computing them against each other."""

from __future__ import annotations

import numpy as np
import pytest

from graphtools.formats.crc32c import crc32c, crc32c_each, mask


@pytest.mark.parametrize(
    ("data", "check"),
    [(b"", 0), (b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (bytes(range(32)), 0x46DD794E)],
)
def test_known_values(data: bytes, check: int) -> None:
    assert crc32c(data) == check
    assert crc32c_each([data, data]) == [check, check]


def test_masked() -> None:
    assert mask(crc32c(b"foo")) != crc32c(b"foo")
    assert mask(0) == 0xA282EAD8


@pytest.mark.parametrize("longest", [3, 10, 300, 5000, 70_000])
def test_side_by_side(longest: int) -> None:
    random = np.random.default_rng(longest)
    parts = [random.bytes(int(n)) for n in random.integers(0, longest + 1, 25)]
    assert crc32c_each(parts) == [crc32c(p) for p in parts]
    assert crc32c_each([]) == []


def test_going_on() -> None:
    data = bytes(range(256)) * 3
    assert crc32c(data[100:], crc32c(data[:100])) == crc32c(data)
