"""HDF5 files as Keras writes them: groups, attributes and arrays, read without libhdf5, which crashes on damaged files.

Known: superblocks 0-3, object headers 1 and 2, symbol tables and compact links, attributes of numbers and strings, compact, contiguous
and chunked arrays with deflate, shuffle and Fletcher checksums. Not known: dense links and attributes, chunks of layout 4; files with those are refused.
"""

from __future__ import annotations

import itertools
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphtools.errors import FormatError

Array = np.ndarray[Any, Any]

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_MAX_MESSAGES = 100_000
_MAX_CHUNKS = 1_000_000
_MAX_INFLATION = 1100  # deflate makes at most 1032 bytes of one


@dataclass(frozen=True, slots=True)
class Type:
    """An element type: a numpy dtype, or text of fixed ("S") or variable ("V") size."""

    size: int
    numpy: np.dtype[Any] | None = None
    text: str = ""


class File:
    """The bytes of an HDF5 file. All errors are FormatErrors with an offset."""

    def __init__(self, data: bytes, what: str = "The HDF5 file") -> None:
        self.data = data
        self.what = what
        self._heaps: dict[int, dict[int, tuple[int, int]]] = {}
        self.start = next((at for at in (0, 512, 1024, 2048, 4096) if data[at : at + 8] == SIGNATURE), -1)
        if self.start < 0:
            raise FormatError(f"{what} is no HDF5 file: it does not start with the signature.")
        self._open()

    def _open(self) -> None:
        at = self.start + 8
        version = self.number(at, 1)
        if version in (0, 1):
            self.offset_size, self.length_size = self.number(at + 5, 1), self.number(at + 6, 1)
            at += 16 if version == 0 else 20
        elif version in (2, 3):
            self.offset_size, self.length_size = self.number(at + 1, 1), self.number(at + 2, 1)
            at += 4
        else:
            raise self.error(at, f"the superblock has the version {version}; 0 to 3 are known")
        if self.offset_size not in (2, 4, 8) or self.length_size not in (2, 4, 8):
            raise self.error(at, f"addresses have {self.offset_size} bytes and lengths {self.length_size}; 2, 4 or 8 were expected")
        self.undefined = (1 << 8 * self.offset_size) - 1
        self.base = 0
        self.base = self.address(at)
        position = at + 3 * self.offset_size if version in (2, 3) else at + 4 * self.offset_size + self.offset_size
        self.root = Object(self, self.address(position))

    def error(self, at: int, problem: str) -> FormatError:
        return FormatError(f"{self.what} is damaged or unusual at byte {at}: {problem}.")

    def take(self, at: int, size: int) -> bytes:
        if at < 0 or size < 0 or at + size > len(self.data):
            raise self.error(at, f"{size} bytes are said to be here, but the file has {len(self.data)}")
        return self.data[at : at + size]

    def number(self, at: int, size: int) -> int:
        return int.from_bytes(self.take(at, size), "little")

    def address(self, at: int) -> int:
        """The absolute position that an address field tells."""
        value = self.number(at, self.offset_size)
        return value if value == self.undefined else value + self.base

    def length(self, at: int) -> int:
        return self.number(at, self.length_size)

    def expect(self, at: int, signature: bytes) -> None:
        if self.take(at, 4) != signature:
            raise self.error(at, f"{signature.decode()} was expected, {self.take(at, 4)!r} is there")

    def heap_object(self, address: int, index: int) -> tuple[int, int]:
        """Where an object of a global heap collection is, and its size."""
        found = self._heaps.get(address)
        if found is None:
            found = self._heaps[address] = self._read_heap(address)
        if index not in found:
            raise self.error(address, f"the heap has no object {index}")
        return found[index]

    def _read_heap(self, address: int) -> dict[int, tuple[int, int]]:
        self.expect(address, b"GCOL")
        at, end = address + 8 + self.length_size, min(address + self.length(address + 8), len(self.data))
        found: dict[int, tuple[int, int]] = {}
        while at + 8 + self.length_size <= end:
            number, count = self.number(at, 2), self.length(at + 8)
            if number == 0:
                break
            found[number] = (at + 8 + self.length_size, count)
            at += 8 + self.length_size + (count + 7) // 8 * 8
        return found


class Object:
    """A group or an array: its attributes, its members, its values."""

    def __init__(self, file: File, address: int) -> None:
        self.file = file
        self.address = address
        self._messages: list[tuple[int, int, int]] | None = None
        self._members: dict[str, int | None] | None = None
        self._attributes: dict[str, tuple[int, int]] | None = None

    # -- object header -----------------------------------------------------------------------------------------------

    def messages(self, *kinds: int) -> Iterator[tuple[int, int]]:
        """Where the header messages of these kinds start and stop."""
        if self._messages is None:
            self._messages = self._read_header()
        return ((start, stop) for kind, start, stop in self._messages if kind in kinds)

    def _read_header(self) -> list[tuple[int, int, int]]:
        file, at = self.file, self.address
        found: list[tuple[int, int, int]] = []
        is_second = file.take(at, 4) == b"OHDR"
        if is_second:
            flags = file.number(at + 5, 1)
            start = at + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
            width = 1 << (flags & 3)
            blocks = [(start + width, start + width + file.number(start, width))]
            head = 4 + (2 if flags & 4 else 0)
        else:
            if file.number(at, 1) != 1:
                raise file.error(at, "an object header was expected")
            blocks = [(at + 16, at + 16 + file.number(at + 8, 4))]
            head = 8
        seen = set()
        while blocks:
            position, end = blocks.pop(0)
            if position in seen or end > len(file.data):
                raise file.error(position, "a header goes on where it has been or after the end of the file")
            seen.add(position)
            while position + head <= end:
                if is_second:
                    kind, size, flags = file.number(position, 1), file.number(position + 1, 2), file.number(position + 3, 1)
                else:
                    kind, size, flags = file.number(position, 2), file.number(position + 2, 2), file.number(position + 4, 1)
                start, position = position + head, position + head + size
                if position > end:
                    raise file.error(start, f"a header message of {size} bytes reaches over the end of its block")
                if kind == 0x10:
                    target, length = file.address(start), file.length(start + file.offset_size)
                    if is_second:
                        file.expect(target, b"OCHK")
                        target, length = target + 4, length - 8
                    blocks.append((target, target + length))
                elif kind:
                    if flags & 2:
                        kind |= 0x10000  # shared: it is elsewhere
                    found.append((kind, start, position))
                if len(found) > _MAX_MESSAGES:
                    raise file.error(start, "an object has too many header messages")
        return found

    # -- members -----------------------------------------------------------------------------------------------------

    @property
    def members(self) -> dict[str, int | None]:
        """Name -> address of the members of a group; None for links to other places."""
        if self._members is None:
            self._members = {}
            for start, _ in self.messages(0x11):
                self._symbols(self.file.address(start), self.file.address(start + self.file.offset_size))
            for start, stop in self.messages(0x06):
                self._link(start, stop)
            for start, _ in self.messages(0x02):
                at = start + 2 + (8 if self.file.number(start + 1, 1) & 1 else 0)
                if self.file.address(at) != self.file.undefined:
                    raise self.file.error(
                        start, "a group keeps its links in a heap, which Keras does not; copy the file with h5repack --low=0 --high=0"
                    )
        return self._members

    def _symbols(self, tree: int, heap: int) -> None:
        file, o, n = self.file, self.file.offset_size, self.file.length_size
        file.expect(heap, b"HEAP")
        names_size, names = file.length(heap + 8), file.address(heap + 8 + 2 * n)
        assert self._members is not None
        count = 0
        for node in _leaves(file, tree, 0, n):
            file.expect(node, b"SNOD")
            count += file.number(node + 6, 2)
            if count > _MAX_MESSAGES:
                raise file.error(node, "a group has too many members")
            for i in range(file.number(node + 6, 2)):
                at = node + 8 + i * (2 * o + 24)
                offset = file.number(at, o)
                if offset >= names_size:
                    raise file.error(at, f"a name is at {offset} of a heap of {names_size} bytes")
                text = file.take(names + offset, min(names_size - offset, 4096))
                name = self._text(text.partition(b"\0")[0], names + offset)
                self._members[name] = None if file.number(at + 2 * o, 4) == 2 else file.address(at + o)

    def _link(self, start: int, stop: int) -> None:
        file = self.file
        flags = file.number(start + 1, 1)
        at = start + 2
        kind = 0
        if flags & 8:
            kind = file.number(at, 1)
            at += 1
        at += (8 if flags & 4 else 0) + (1 if flags & 0x10 else 0)
        width = 1 << (flags & 3)
        size = file.number(at, width)
        name = self._text(file.take(at + width, size), at)
        assert self._members is not None
        self._members[name] = file.address(at + width + size) if kind == 0 else None

    def _text(self, data: bytes, at: int) -> str:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError as e:
            raise self.file.error(at, f"the name {data[:40]!r} is not UTF-8") from e

    def __contains__(self, path: str) -> bool:
        return path.strip("/").partition("/")[0] in self.members

    def member(self, path: str) -> Object:
        """The group or array at a path below this group. Raises FormatError where there is none, or a link to another place."""
        here = self
        for part in [p for p in path.split("/") if p]:
            if part not in here.members:
                raise FormatError(f"{self.file.what} has no {path!r}; there are {', '.join(list(here.members)[:8]) or 'no members'}.")
            address = here.members[part]
            if address is None:
                raise FormatError(f"{self.file.what}: {path!r} is a link; only what is in the file itself is read.")
            here = Object(self.file, address)
        return here

    # -- attributes --------------------------------------------------------------------------------------------------

    @property
    def attributes(self) -> dict[str, tuple[int, int]]:
        """Name -> where the attribute's message starts and stops."""
        if self._attributes is None:
            self._attributes = {self._attribute_name(start): (start, stop) for start, stop in self.messages(0x0C)}
        return self._attributes

    def _attribute_name(self, start: int) -> str:
        file = self.file
        head = 9 if file.number(start, 1) == 3 else 8
        return self._text(file.take(start + head, file.number(start + 2, 2)).partition(b"\0")[0], start)

    def attribute(self, name: str) -> Any:
        """The value of an attribute: bytes, an array, or an array of bytes; None where there is none."""
        if name in self.attributes:
            return self._attribute(*self.attributes[name])
        for start, _ in self.messages(0x15):
            at = start + 2 + (2 if self.file.number(start + 1, 1) & 1 else 0)
            if self.file.address(at) != self.file.undefined:
                raise self.file.error(
                    start, "an object keeps its attributes in a heap, which Keras does not; copy the file with h5repack --low=0 --high=0"
                )
        return None

    def _attribute(self, start: int, stop: int) -> Any:
        file = self.file
        version, flags = file.number(start, 1), file.number(start + 1, 1)
        if version not in (1, 2, 3) or (version > 1 and flags):
            raise file.error(start, f"an attribute has the version {version} and the flags {flags}; plain ones were expected")
        sizes = [file.number(start + i, 2) for i in (2, 4, 6)]
        at = start + (9 if version == 3 else 8)
        places = []
        for size in sizes:
            places.append(at)
            at += (size + 7) // 8 * 8 if version == 1 else size
        kind, shape = _type(file, places[1]), _shape(file, places[2])
        count = math.prod(shape)
        if at > stop or count * kind.size > stop - at:
            raise file.error(at, f"an attribute's value takes {count * kind.size} bytes where {max(stop - at, 0)} are left")
        data = file.take(at, count * kind.size)
        if kind.numpy is not None:
            return np.frombuffer(data, kind.numpy).reshape(shape)
        values = np.empty(count, np.object_)
        total = 0
        for i in range(count):
            part = data[i * kind.size : (i + 1) * kind.size]
            if kind.text == "S":
                values[i] = part.rstrip(b"\0")
            else:
                size, address = int.from_bytes(part[:4], "little"), int.from_bytes(part[4 : 4 + file.offset_size], "little")
                index = int.from_bytes(part[4 + file.offset_size :], "little")
                if size:
                    place, there = file.heap_object(address + file.base, index)
                    total += size
                    if size > there or total > len(file.data):
                        raise file.error(start, f"the texts of an attribute take {total} bytes, more than there are")
                    values[i] = file.take(place, size)
                else:
                    values[i] = b""
        return values[0] if shape == () else values.reshape(shape)

    # -- arrays ------------------------------------------------------------------------------------------------------

    @property
    def is_array(self) -> bool:
        return any(True for _ in self.messages(0x08))

    def array(self) -> Array:
        """The values of an array of numbers; a view of the file where it is stored in one piece."""
        file = self.file
        for start, _ in self.messages(0x07):
            raise file.error(start, "an array is stored in other files; only what is in the file itself is read")
        places = {kind: next((s for s, _ in self.messages(kind)), None) for kind in (0x01, 0x03, 0x08)}
        if None in places.values():
            raise file.error(self.address, "an array lacks its shape, element type or layout")
        kind, shape, layout = _type(file, places[0x03] or 0), _shape(file, places[0x01] or 0), places[0x08] or 0
        if kind.numpy is None:
            raise file.error(self.address, "an array holds text; numbers were expected")
        count = math.prod(shape)
        version, storage = file.number(layout, 1), file.number(layout + 1, 1)
        if version not in (3, 4) or storage > 2 or (version == 4 and storage == 2):
            raise file.error(
                layout,
                f"an array has the layout {version} ({storage}), which Keras does not write; copy the file with h5repack --low=0 --high=0",
            )
        size = count * kind.size
        if storage == 2:
            return self._chunked(layout + 2, kind.numpy, shape)
        if storage == 0:
            start, there = layout + 4, file.number(layout + 2, 2)
        else:
            start, there = file.address(layout + 2), file.length(layout + 2 + file.offset_size)
            if start == file.undefined:
                if size:
                    raise file.error(layout, f"an array of shape {shape} is declared, but 0 bytes are stored of it")
                start = there = 0
        if there < size:
            raise file.error(layout, f"an array of shape {shape} takes {size} bytes, but {there} bytes are stored of it")
        file.take(start, 0)
        if start + size > len(file.data):
            raise file.error(start, f"an array of {size} bytes is said to be here, but the file has {len(file.data)}")
        array = np.frombuffer(file.data, kind.numpy, count, start).reshape(shape) if count else np.zeros(shape, kind.numpy)
        return array if array.flags.aligned else array.copy()

    def _chunked(self, at: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
        file, rank = self.file, len(shape)
        if file.number(at, 1) != rank + 1:
            raise file.error(at, f"chunks have {file.number(at, 1) - 1} dimensions where the array has {rank}")
        tree = file.address(at + 1)
        chunk = tuple(file.number(at + 1 + file.offset_size + 4 * i, 4) for i in range(rank))
        if 0 in chunk or math.prod(chunk) * dtype.itemsize > min(1 << 31, _MAX_INFLATION * len(file.data)):
            raise file.error(at, f"chunks have the shape {chunk}")
        expected = math.prod(-(-s // c) for s, c in zip(shape, chunk, strict=True))
        chunks: list[tuple[tuple[int, ...], int, int, int]] = []
        key = 8 + 8 * (rank + 1)
        if tree != file.undefined:
            for node, size, mask, offsets in _chunk_leaves(file, tree, key, rank):
                chunks.append((offsets, node, size, mask))
                if len(chunks) > _MAX_CHUNKS:
                    raise file.error(tree, "an array has too many chunks")
        stored = min(sum(size for _, _, size, _ in chunks), len(file.data))
        total = math.prod(shape) * dtype.itemsize
        if len(chunks) != expected or total > _MAX_INFLATION * max(stored, 1):
            raise file.error(
                at,
                f"an array of shape {shape} takes {total} bytes, but {stored} bytes are stored of it in {len(chunks)} of {expected} chunks",
            )
        filters = self._filters()
        whole: Array = np.zeros(shape, dtype)
        for offsets, node, size, mask in chunks:
            data = _unfilter(file, node, file.take(node, size), filters, mask, math.prod(chunk) * dtype.itemsize, dtype.itemsize)
            part = np.frombuffer(data, dtype).reshape(chunk)
            index = tuple(slice(o, min(o + c, s)) for o, c, s in zip(offsets, chunk, shape, strict=True))
            if any(i.start >= i.stop for i in index):
                continue
            whole[index] = part[tuple(slice(0, i.stop - i.start) for i in index)]
        return whole

    def _filters(self) -> list[tuple[int, list[int]]]:
        """The filters of an array's chunks with their settings, in the order in which they were applied."""
        file, found = self.file, []
        for start, _ in self.messages(0x0B):
            version, count = file.number(start, 1), file.number(start + 1, 1)
            at = start + (8 if version == 1 else 2)
            for _ in range(count):
                number = file.number(at, 2)
                named = version == 1 or number >= 256
                size = file.number(at + 2, 2) if named else 0
                at += 4 if named else 2
                settings = file.number(at + 2, 2)
                at += 4 + ((size + 7) // 8 * 8 if version == 1 else size)
                found.append((number, [file.number(at + 4 * i, 4) for i in range(settings)]))
                at += 4 * settings + (4 if version == 1 and settings % 2 else 0)
        return found


def _unfilter(file: File, at: int, data: bytes, filters: list[tuple[int, list[int]]], mask: int, size: int, item: int) -> bytes:
    """A chunk as it was before its filters."""
    for i, (number, settings) in reversed(list(enumerate(filters))):
        if mask >> i & 1:
            continue
        if number == 1:
            inflate = zlib.decompressobj()
            try:
                data = inflate.decompress(data, size + 4 + 1)
            except zlib.error as e:
                raise file.error(at, f"a chunk does not unpack: {e}") from e
        elif number == 2:
            width = settings[0] if settings else item
            if width < 1 or len(data) % width:
                raise file.error(at, f"a chunk of {len(data)} bytes is shuffled by {width}")
            data = np.frombuffer(data, np.uint8).reshape(width, -1).T.tobytes()
        elif number == 3:
            data = data[:-4]
        else:
            raise file.error(at, f"an array is packed by the filter {number}; deflate, shuffle and Fletcher's checksum are known")
    if len(data) != size:
        raise file.error(at, f"a chunk has {len(data)} bytes where {size} were expected")
    return data


def _leaves(file: File, address: int, kind: int, key_size: int) -> Iterator[int]:
    """The addresses in the leaves of a version-1 B-tree, in order."""
    for child, _ in _tree(file, address, kind, key_size):
        yield child


def _chunk_leaves(file: File, address: int, key_size: int, rank: int) -> Iterator[tuple[int, int, int, tuple[int, ...]]]:
    for child, key in _tree(file, address, 1, key_size):
        yield child, file.number(key, 4), file.number(key + 4, 4), tuple(file.number(key + 8 + 8 * i, 8) for i in range(rank))


def _tree(file: File, address: int, kind: int, key_size: int) -> Iterator[tuple[int, int]]:
    """The children in the leaves of a B-tree, and where their keys are."""
    seen: set[int] = set()
    stack: list[tuple[int, int | None]] = [(address, None)]
    while stack:
        node, above = stack.pop()
        if node in seen or len(seen) > _MAX_CHUNKS:
            raise file.error(node, "a tree comes back to where it was")
        seen.add(node)
        file.expect(node, b"TREE")
        level, used = file.number(node + 5, 1), file.number(node + 6, 2)
        if file.number(node + 4, 1) != kind or (above is not None and level != above - 1):
            raise file.error(node, "a tree has a node of another kind or level than its parent says")
        at = node + 8 + 2 * file.offset_size
        step = key_size + file.offset_size
        children = [(file.address(at + i * step + key_size), at + i * step) for i in range(used)]
        if level:
            stack.extend((child, level) for child, _ in reversed(children))
        else:
            yield from children


def _shape(file: File, at: int) -> tuple[int, ...]:
    """The dims of a dataspace message."""
    version, rank = file.number(at, 1), file.number(at + 1, 1)
    if version not in (1, 2) or rank > 32:
        raise file.error(at, f"a dataspace has the version {version} and {rank} dimensions")
    if version == 2 and file.number(at + 3, 1) == 2:
        return (0,)  # null: no values
    start = at + (8 if version == 1 else 4)
    shape = tuple(file.length(start + i * file.length_size) for i in range(rank))
    if math.prod(itertools.filterfalse(lambda d: d == 0, shape)) > 1 << 62:
        raise file.error(at, f"the shape {shape} has too many elements")
    return shape


def _type(file: File, at: int) -> Type:
    """The element type of a datatype message."""
    first, bits, size = file.number(at, 1), file.number(at + 1, 3), file.number(at + 4, 4)
    kind = first & 15
    order = ">" if bits & 1 else "<"
    if kind in (0, 4) and size in (1, 2, 4, 8):
        return Type(size, np.dtype(f"{order}{'i' if kind == 0 and bits & 8 else 'u'}{size}"))
    if kind == 1 and size in (2, 4, 8):
        return Type(size, np.dtype(f"{order}f{size}"))
    if kind == 3 and 0 < size < 1 << 24:
        return Type(size, text="S")
    if kind == 8:  # an enumeration, as h5py writes bools
        return _type(file, at + 8) if file.number(at + 8, 1) & 15 == 0 else Type(size)
    if kind == 9 and bits & 15 == 1:
        return Type(size, text="V")
    raise file.error(at, f"an element type of class {kind} and {size} bytes is neither a number nor text")
