"""Files mapped into memory: a big model's weights are used where the file has them."""

from __future__ import annotations

import mmap
from typing import Any, BinaryIO

import numpy as np

# Smaller files are read: a map takes a page for what may be a few bytes.
SMALLEST = 1 << 20


def mapped(file: BinaryIO) -> memoryview | None:
    """The content of an open file; None where it cannot be mapped."""
    try:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):
        return None


def release(array: np.ndarray[Any, Any]) -> None:
    """Let go of the memory that a mapped file's part takes up; it comes back from the file when it is read again."""
    base: Any = array
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    while isinstance(base, memoryview):
        base = base.obj
    if not isinstance(base, mmap.mmap) or not hasattr(base, "madvise"):
        return
    if any(s < 0 for s in array.strides) or not array.size:
        return
    start = np.frombuffer(base, np.uint8).ctypes.data
    low = array.ctypes.data
    high = low + sum((d - 1) * s for d, s in zip(array.shape, array.strides, strict=True)) + array.itemsize
    first = -(-(low - start) // mmap.PAGESIZE) * mmap.PAGESIZE  # a page that others share stays
    last = (high - start) // mmap.PAGESIZE * mmap.PAGESIZE
    if last > first:
        base.madvise(mmap.MADV_DONTNEED, first, last - first)
