"""Checkpoints V1 and V2 as one lazy mapping from names to arrays; the writers of both; `checkpoint` state files."""

from __future__ import annotations

import io
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from graphtools.dtypes import DType, as_dtype, string
from graphtools.errors import FormatError
from graphtools.formats import schema, table, tensor
from graphtools.formats.crc32c import crc32c, mask
from graphtools.formats.mapped import SMALLEST, mapped
from migrate.report.output import replacing

Array = np.ndarray[Any, Any]
Extents = tuple[tuple[int, int | None], ...]  # start and length in each dimension; a length of None reaches to the end

_SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})", re.DOTALL)
_DATA_SHARD = re.compile(r"(.*)\.data-\d{5}-of-\d{5}", re.DOTALL)


class Checkpoint(Mapping[str, Array]):
    """The saved tensors by name. A tensor is read, checked and put together from its slices when it is asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._types: dict[str, tuple[DType, tuple[int, ...]]] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._types)

    def __len__(self) -> int:
        return len(self._types)

    def __contains__(self, name: object) -> bool:
        return name in self._types

    def dtype(self, name: str) -> DType:
        return self._types[name][0]

    def shape(self, name: str) -> tuple[int, ...]:
        return self._types[name][1]

    def __getitem__(self, name: str) -> Array:
        dtype, shape = self._types[name]
        return self._read(name, dtype, shape)

    def _read(self, name: str, dtype: DType, shape: tuple[int, ...]) -> Array:
        raise NotImplementedError

    def _what(self, name: str) -> str:
        return f"Tensor {name!r} of the checkpoint {self.path}"


class CheckpointV2(Checkpoint):
    """PREFIX.index with PREFIX.data-NNNNN-of-NNNNN."""

    def __init__(self, prefix: Path) -> None:
        super().__init__(prefix)
        self._table = table.Table(prefix.with_name(prefix.name + ".index"))
        self._entries: dict[str, Any] = {}
        self._slice_keys: dict[bytes, Any] = {}
        try:
            header = self._read_index()
        finally:
            self._table.close()
        if header is None:
            raise FormatError(f"{self._table.path} is empty; the index of a checkpoint starts with a header.")
        self._shards = header.num_shards
        self._order = ">" if header.endianness else "<"
        self._files: dict[int, BinaryIO] = {}
        self._maps: dict[int, memoryview | None] = {}

    def _read_index(self) -> Any:
        """Read all entries; the header, None where there is none."""
        header: Any = None
        for key, value in self._table.prefixed(b""):
            what = f"Entry {key!r} of {self._table.path}"
            if header is None:
                header = schema.parse("BundleHeaderProto", value, what=what)
                continue
            entry = schema.parse("BundleEntryProto", value, what=what)
            if key.startswith(b"\0"):
                self._slice_keys[key] = entry
                continue
            try:
                name = key.decode("utf-8")
            except UnicodeDecodeError as e:
                raise FormatError(f"{what}: the name of a tensor must be UTF-8.") from e
            self._entries[name] = entry
            self._types[name] = (tensor.dtype_of(entry.dtype, what), tensor.static_shape(entry.shape, what))
        return header

    def _read(self, name: str, dtype: DType, shape: tuple[int, ...]) -> Array:
        entry = self._entries[name]
        if not entry.slices:
            return self._content(entry, dtype, shape, self._what(name))
        parts = []
        for part in entry.slices:
            extents = extents_of(part)
            found = self._slice_keys.get(slice_key(name, extents))
            if found is None:
                raise FormatError(f"{self._what(name)} lacks its slice {format_extents(extents)}.")
            parts.append((extents, found))
        whole = _assembly(self._what(name), dtype, shape, [e for e, _ in parts])
        for extents, found in parts:
            index, part_shape = _placed(extents, shape, self._what(name))
            whole[index] = self._content(found, dtype, part_shape, self._what(name))
        return whole

    def _content(self, entry: Any, dtype: DType, shape: tuple[int, ...], what: str) -> Array:
        count = math.prod(shape)
        if dtype is not string:
            if not dtype.is_numpy_compatible:
                raise FormatError(f"{what} is of type {dtype.name}, which has no value outside TensorFlow.")
            expected = count * np.dtype(dtype.as_numpy_dtype).itemsize
            if entry.size != expected:
                raise FormatError(
                    f"{what} has {entry.size} bytes; {dtype.name} of shape {shape} takes {expected}. The checkpoint is damaged."
                )
        data = self._bytes(entry, what)
        if dtype is string:
            return self._strings(bytes(data), entry, shape, count, what)
        if mask(crc32c(data)) != entry.crc32c:
            raise self._checksum_error(entry, what)
        if self._order == ">" and dtype.size > 1:
            numpy_type = np.dtype(dtype.as_numpy_dtype)
            swapped: Array = np.frombuffer(data, np.uint8).reshape(-1, numpy_type.itemsize // (2 if dtype.is_complex else 1))[:, ::-1]
            data = swapped.tobytes()
        return tensor.from_content(data, dtype, shape, what)

    def _strings(self, data: bytes, entry: Any, shape: tuple[int, ...], count: int, what: str) -> Array:
        """The lengths as varints, their checksum, the bytes; the checksum of all counts a length as a 32-bit number."""
        if count > len(data):
            raise FormatError(f"{what} has {len(data)} bytes for {count} strings. The checkpoint is damaged.")
        sizes, at = [], 0
        try:
            for _ in range(count):
                size, at = schema.varint(data, at, len(data))
                sizes.append(size)
        except schema.WireError as e:
            raise FormatError(f"{what}: at byte {entry.offset + e.args[0]} of its shard {e.args[1]}.") from e
        if at + 4 + sum(sizes) != len(data):
            raise FormatError(
                f"{what} has {len(data)} bytes; its strings and their lengths take {at + 4 + sum(sizes)}. The checkpoint is damaged."
            )
        lengths = b"".join(size.to_bytes(4 if size < 1 << 32 else 8, "little") for size in sizes)
        check = crc32c(lengths)
        if mask(check) != int.from_bytes(data[at : at + 4], "little") or mask(crc32c(data[at:], check)) != entry.crc32c:
            raise self._checksum_error(entry, what)
        at += 4
        flat: Array = np.empty(count, np.object_)
        for i, size in enumerate(sizes):
            flat[i] = data[at : at + size]
            at += size
        return flat.reshape(shape)

    def _checksum_error(self, entry: Any, what: str) -> FormatError:
        return FormatError(
            f"{what} is damaged: the checksum of the {entry.size} bytes at {entry.offset} of {self._shard_path(entry.shard_id).name} differs."
        )

    def _shard_path(self, shard: int) -> Path:
        return self.path.with_name(f"{self.path.name}.data-{shard:05d}-of-{self._shards:05d}")

    def _bytes(self, entry: Any, what: str) -> Any:
        if not 0 <= entry.shard_id < self._shards or entry.offset < 0 or entry.size < 0:
            raise FormatError(f"{what} is said to be {entry.size} bytes at {entry.offset} of shard {entry.shard_id} of {self._shards}.")
        path = self._shard_path(entry.shard_id)
        file = self._files.get(entry.shard_id)
        if file is None:
            try:
                file = self._files[entry.shard_id] = path.open("rb")
            except OSError as e:
                raise FormatError(f"{what} is in {path}, which cannot be read: {e.strerror or e}.") from e
        size = os.fstat(file.fileno()).st_size
        if entry.offset + entry.size > size:
            raise FormatError(f"{what} is {entry.size} bytes at {entry.offset} of {path}, which has {size} bytes: it is cut off.")
        if entry.size >= SMALLEST:
            if entry.shard_id not in self._maps:
                self._maps[entry.shard_id] = mapped(file)
            view = self._maps[entry.shard_id]
            if view is not None and entry.offset + entry.size <= len(view):
                return view[entry.offset : entry.offset + entry.size]
        file.seek(entry.offset)
        return file.read(entry.size)

    def __del__(self) -> None:
        for file in getattr(self, "_files", {}).values():
            file.close()


class CheckpointV1(Checkpoint):
    """One table, or one for each shard, in which tensors are messages."""

    def __init__(self, path: Path, shards: Sequence[Path]) -> None:
        super().__init__(path)
        self._tables: list[table.Table] = []
        self._slices: dict[str, list[tuple[table.Table, Extents]]] = {}
        for shard in shards:
            opened = table.Table(shard)
            self._tables.append(opened)
            value = opened.get(b"")
            if value is None:
                raise FormatError(f"{shard} is a table, but no checkpoint: it has no entry that lists its tensors.")
            meta = schema.parse("SavedTensorSlices", value, what=f"The list of tensors in {shard}").meta
            for entry in meta.tensor:
                what = f"Tensor {entry.name!r} of {shard}"
                self._types[entry.name] = (tensor.dtype_of(entry.type, what), tensor.static_shape(entry.shape, what))
                self._slices.setdefault(entry.name, []).extend((opened, extents_of(s)) for s in entry.slice)

    def _read(self, name: str, dtype: DType, shape: tuple[int, ...]) -> Array:
        what = self._what(name)
        parts = self._slices[name]
        if len(parts) == 1 and math.prod(_placed(parts[0][1], shape, what)[1]) == math.prod(shape):
            return self._part(name, *parts[0], dtype, shape)
        whole = _assembly(what, dtype, shape, [e for _, e in parts])
        for source, extents in parts:
            index, part_shape = _placed(extents, shape, what)
            whole[index] = self._part(name, source, extents, dtype, part_shape)
        return whole

    def _part(self, name: str, source: table.Table, extents: Extents, dtype: DType, shape: tuple[int, ...]) -> Array:
        what = f"{self._what(name)}, slice {format_extents(extents)}"
        value = source.get(slice_key(name, extents))
        if value is None:
            raise FormatError(f"{what}, is missing in {source.path}.")
        data = schema.parse("SavedTensorSlices", value, what=what).data.data
        data.dtype = dtype.as_datatype_enum
        found = tensor.values(data, dtype, what)
        if len(found) != math.prod(shape):
            raise FormatError(f"{what} has {len(found)} values; its shape {shape} takes {math.prod(shape)}. The checkpoint is damaged.")
        return found.reshape(shape)

    def __del__(self) -> None:
        for opened in getattr(self, "_tables", ()):
            opened.close()


# -- slices ----------------------------------------------------------------------------------------------------------


def extents_of(message: Any) -> Extents:
    """The extents of a TensorSliceProto."""
    return tuple((e.start, e.length if e.WhichOneof("has_length") else None) for e in message.extent)


def format_extents(extents: Extents) -> str:
    """Extents as SaveV2's shape_and_slices has them."""
    return ":".join("-" if length is None else f"{start},{length}" for start, length in extents)


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a tensor, as an entry of Save's or Restore's shape_and_slices says it."""

    shape: tuple[int, ...]
    extents: Extents

    @property
    def index(self) -> tuple[slice, ...]:
        return _placed(self.extents, self.shape, f"The slice {format_extents(self.extents)}")[0]


def parse_slice(text: str) -> Slice | None:
    """The slice "4 6 0,2:-" stands for; None for "" (the whole tensor). Raises ValueError."""
    if not text:
        return None
    *sizes, extents = text.strip().split(" ")
    parts = extents.split(":") if extents else []
    if len(parts) != len(sizes):
        raise ValueError(f"{text!r} has {len(sizes)} sizes and {len(parts)} extents; as many were expected.")
    found = tuple((0, None) if p == "-" else (int(p.partition(",")[0]), int(p.partition(",")[2])) for p in parts)
    return Slice(tuple(int(s) for s in sizes), found)


def _placed(extents: Extents, shape: tuple[int, ...], what: str) -> tuple[tuple[slice, ...], tuple[int, ...]]:
    """Where a slice lies in a tensor of this shape, and its own shape."""
    if len(extents) != len(shape):
        raise FormatError(f"{what} has a slice of {len(extents)} dimensions where the shape is {shape}.")
    index, part = [], []
    for (start, length), size in zip(extents, shape, strict=True):
        if length is None:
            start, length = 0, size
        if start < 0 or length < 0 or start + length > size:
            raise FormatError(f"{what} has the slice {format_extents(extents)}, which is not inside the shape {shape}.")
        index.append(slice(start, start + length))
        part.append(length)
    return tuple(index), tuple(part)


def _assembly(what: str, dtype: DType, shape: tuple[int, ...], parts: list[Extents]) -> Array:
    """An array to put slices into, which must be as many elements as it has."""
    there = sum(math.prod(_placed(e, shape, what)[1]) for e in parts)
    if there < math.prod(shape):
        raise FormatError(f"{what} of shape {shape} has slices with {there} of its {math.prod(shape)} elements: some are missing.")
    try:
        return np.empty(shape, dtype.as_numpy_dtype)
    except MemoryError as e:
        raise FormatError(f"{what} of shape {shape} does not fit into memory.") from e


def slice_key(name: str, extents: Extents) -> bytes:
    """The key under which a slice is stored: bytes that sort as (0, name, rank, start, length, ...) does."""
    key = _ordered(0) + name.encode("utf-8").replace(b"\0", b"\0\xff") + b"\0\1" + _ordered(len(extents))
    for start, length in extents:
        key += _ordered_signed(start) + _ordered_signed(-1 if length is None else length)
    return key


def _ordered(value: int) -> bytes:
    size = (value.bit_length() + 7) // 8
    return bytes((size,)) + value.to_bytes(size, "big")


def _ordered_signed(value: int) -> bytes:
    """The number in as many bytes as it needs, with that many of its leading bits inverted."""
    size = (~value if value < 0 else value).bit_length() // 7 + 1
    bits = value & (1 << 8 * size) - 1
    return (bits ^ (1 << size) - 1 << 7 * size).to_bytes(size, "big")


# -- finding the files -----------------------------------------------------------------------------------------------


def open_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """The checkpoint that a prefix, one of its files, a `checkpoint` state file, or a folder stands for. Raises FormatError."""
    path = Path(path)
    name = path.name
    if path.is_dir() and not _exists(path.with_name(name + ".index")):
        return open_checkpoint(latest(path))
    if name.endswith(".meta") and not _exists(path.with_name(name + ".index")):
        return open_checkpoint(path.with_name(name[:-5]))
    if name.endswith(".index") and path.is_file():
        return CheckpointV2(path.with_name(name[:-6]))
    if _exists(path.with_name(name + ".index")):
        return CheckpointV2(path)
    if path.is_file():
        if (match := _DATA_SHARD.fullmatch(name)) is not None:
            return open_checkpoint(path.with_name(match[1]))
        if (match := _SHARD.fullmatch(name)) is not None:
            return CheckpointV1(path.with_name(match[1]), _shards(path.with_name(match[1])))
        with path.open("rb") as file:
            head = file.read(2048)
        if re.match(rb"\s*(?:#[^\n]*\s*)*(?:all_)?model_checkpoint_paths?\s*:", head):
            return open_checkpoint(latest(path))
        return CheckpointV1(path, [path])
    prefix = path.with_name(re.sub(r"-\?{5}-of-(?:\?{5}|\d{5})$", "", name))
    if shards := _shards(prefix):
        return CheckpointV1(prefix, shards)
    near = sorted(p.name for p in path.parent.glob("*") if p.is_file())[:8] if path.parent.is_dir() else []
    raise FormatError(
        f"There is no checkpoint {path}: {name}.index, {name} and {name}-00000-of-NNNNN were looked for"
        + (f"; the folder has {', '.join(near)}." if near else "; there is no such folder.")
    )


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _shards(prefix: Path) -> list[Path]:
    """The files of a sharded V1 checkpoint. Raises FormatError when some are missing."""
    found: dict[int, dict[int, Path]] = {}
    if prefix.parent.is_dir():
        for entry in prefix.parent.iterdir():
            match = _SHARD.fullmatch(entry.name)
            if match is not None and match[1] == prefix.name:
                found.setdefault(int(match[3]), {})[int(match[2])] = entry
    for count, shards in sorted(found.items()):
        if len(shards) == count:
            return [shards[i] for i in sorted(shards)]
    for count, shards in found.items():
        missing = next(i for i in range(count + 1) if i not in shards)
        raise FormatError(
            f"Of the {count} shards of {prefix} only {len(shards)} are there; {prefix.name}-{missing:05d}-of-{count:05d} is missing."
        )
    return []


def latest(path: str | os.PathLike[str]) -> Path:
    """The newest checkpoint of a folder or `checkpoint` state file, as a prefix.

    State files hold the absolute paths of the machine that wrote them, so names are looked for beside the state file.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    state_path = path / "checkpoint" if path.is_dir() else path
    if not state_path.is_file():
        prefixes = sorted({p.with_name(p.name[:-6]) for p in folder.glob("*.index")})
        if not prefixes and (folder / "variables" / "variables.index").is_file():
            return folder / "variables" / "variables"
        if len(prefixes) == 1:
            return prefixes[0]
        raise FormatError(
            f"The folder {folder} has no `checkpoint` state file and {len(prefixes)} checkpoints; "
            + (f"name one of {', '.join(p.name for p in prefixes[:8])}." if prefixes else "name the checkpoint's prefix.")
        )
    state = read_state(state_path)
    return beside(folder, state.model_checkpoint_path, state_path)


def read_state(path: str | os.PathLike[str]) -> Any:
    """The CheckpointState message of a `checkpoint` file."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as e:
        raise FormatError(f"{path} cannot be read: {e.strerror or e}.") from e
    state = schema.parse_text("CheckpointState", data, what=str(path))
    if not state.model_checkpoint_path:
        raise FormatError(f"{path} names no model_checkpoint_path.")
    return state


def beside(folder: Path, recorded: str, where: Path) -> Path:
    """The checkpoint that a state file calls `recorded`, inside its folder. Raises FormatError for a path that leaves it."""
    parts = recorded.replace("\\", "/").split("/")
    if "\0" in recorded or not parts[-1] or ".." in parts:
        raise FormatError(f"{where} names the checkpoint {recorded!r}, which is outside its folder.")
    if len(parts) > 1 and not recorded.startswith("/") and ":" not in parts[0] and (folder.joinpath(*parts[:-1])).is_dir():
        return folder.joinpath(*parts)
    return folder / parts[-1]


# -- writing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Saved:
    """A tensor to save: its name, value, and the part of a bigger tensor of that name that it is, if so."""

    name: str
    value: Any
    dtype: DType | None = None
    part: Slice | None = None


def write_v2(prefix: str | os.PathLike[str], tensors: Sequence[Saved]) -> None:
    """Write PREFIX.index and PREFIX.data-00000-of-00001, as SaveV2 does; it makes the folder, and none above it."""
    prefix = Path(prefix)
    prefix.parent.mkdir(exist_ok=True)
    entries: dict[bytes, Any] = {}
    entry_type = schema.message("BundleEntryProto")
    data_path = prefix.with_name(prefix.name + ".data-00000-of-00001")
    with replacing(data_path) as file:
        at = 0
        for saved in sorted(tensors, key=lambda s: s.name):
            array, dtype = _array_of(saved)
            key = saved.name.encode("utf-8")
            shape = array.shape
            if saved.part is not None:
                whole = entries.get(key)
                if whole is None:
                    whole = entries[key] = entry_type(dtype=dtype.as_datatype_enum)
                    tensor.set_shape(whole.shape, saved.part.shape)
                _set_extents(whole.slices.add(), saved.part.extents)
                key = slice_key(saved.name, saved.part.extents)
            if key in entries:
                raise ValueError(f"The tensor {saved.name!r} is saved twice.")
            content, check = _encode(array, dtype)
            entry = entries[key] = entry_type(dtype=dtype.as_datatype_enum, offset=at, size=len(content), crc32c=mask(check))
            tensor.set_shape(entry.shape, shape)
            file.write(content)
            at += len(content)
    header = schema.message("BundleHeaderProto")(num_shards=1)
    header.version.producer = 1
    with replacing(prefix.with_name(prefix.name + ".index")) as file:
        table.write(file, [(b"", header.SerializeToString()), *((k, entries[k].SerializeToString()) for k in sorted(entries))])


def write_v1(path: str | os.PathLike[str], tensors: Sequence[Saved]) -> None:
    """Write one file in the format of Save and SaveSlices, which make no folder."""
    path = Path(path)
    slices_type = schema.message("SavedTensorSlices")
    head = slices_type()
    head.meta.versions.producer = 1
    listed: dict[str, Any] = {}
    entries: dict[bytes, bytes] = {}
    for saved in sorted(tensors, key=lambda s: s.name):
        array, dtype = _array_of(saved)
        extents: Extents = saved.part.extents if saved.part is not None else ((0, None),) * array.ndim
        if saved.name not in listed:
            listed[saved.name] = meta = head.meta.tensor.add(name=saved.name, type=dtype.as_datatype_enum)
            tensor.set_shape(meta.shape, saved.part.shape if saved.part is not None else array.shape)
        _set_extents(listed[saved.name].slice.add(), extents)
        item = slices_type()
        item.data.name = saved.name
        _set_extents(item.data.slice, extents)
        key = slice_key(saved.name, extents)
        if key in entries:
            raise ValueError(f"The tensor {saved.name!r} is saved twice.")
        entries[key] = _with_values(item, array, dtype)
    with replacing(path) as file:
        table.write(file, [(b"", head.SerializeToString()), *((k, entries[k]) for k in sorted(entries))])


def write_state(folder: str | os.PathLike[str], newest: str, everything: Sequence[str], name: str = "checkpoint") -> None:
    """Write a `checkpoint` state file that names these checkpoints."""
    state = schema.message("CheckpointState")(model_checkpoint_path=newest, all_model_checkpoint_paths=list(everything))
    with replacing(Path(folder) / name) as file:
        file.write(schema.to_text(state).encode())


def _array_of(saved: Saved) -> tuple[Array, DType]:
    array = np.asarray(saved.value)
    dtype = (as_dtype(array.dtype) if saved.dtype is None else saved.dtype).base_dtype
    if not dtype.is_numpy_compatible:
        raise ValueError(f"The tensor {saved.name!r} is of type {dtype.name}, which cannot be saved.")
    if saved.part is not None:
        _, shape = _placed(saved.part.extents, saved.part.shape, f"The tensor {saved.name!r}")
        if shape != array.shape:
            raise ValueError(
                f"The tensor {saved.name!r} has the shape {array.shape}; its slice {format_extents(saved.part.extents)} has {shape}."
            )
    return array, dtype


def _set_extents(message: Any, extents: Extents) -> None:
    for start, length in extents:
        extent = message.extent.add(start=start)
        if length is not None:
            extent.length = length


def _encode(array: Array, dtype: DType) -> tuple[bytes, int]:
    """The bytes of a tensor in a data file, and their checksum."""
    if dtype is not string:
        data = np.ascontiguousarray(array, np.dtype(dtype.as_numpy_dtype).newbyteorder("<")).tobytes()
        return data, crc32c(data)
    strings = [v if isinstance(v, bytes) else str(v).encode() for v in array.ravel().tolist()]
    out = io.BytesIO()
    for value in strings:
        out.write(schema.encode_varint(len(value)))
    check = crc32c(b"".join(len(v).to_bytes(4 if len(v) < 1 << 32 else 8, "little") for v in strings))
    rest = mask(check).to_bytes(4, "little") + b"".join(strings)
    out.write(rest)
    return out.getvalue(), crc32c(rest, check)


def _with_values(item: Any, array: Array, dtype: DType) -> bytes:
    """A SavedTensorSlices message with these values in the fields that V1 readers look at."""
    proto = schema.message("TensorProto")(dtype=dtype.as_datatype_enum)
    tensor.set_shape(proto.tensor_shape, array.shape)
    tensor.set_values(proto, array, dtype)
    item.data.data.CopyFrom(proto)
    data: bytes = item.SerializeToString()
    return data
