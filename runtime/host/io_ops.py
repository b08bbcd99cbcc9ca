"""Readers, whole files, and checkpoints: ops that read and write files."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from graphtools.errors import FormatError
from graphtools.formats import checkpoint, schema
from graphtools.graph import Node
from runtime import files
from runtime.errors import DataLossError, InvalidArgumentError, NotFoundError, OpError, UnimplementedError
from runtime.host import Run, host, records, rows
from runtime.host.queues import Queue, resource_name, wait_until
from runtime.host.rows import Array

# -- readers -----------------------------------------------------------------------------------------------------

Records = Iterator[tuple[bytes, bytes]]


class Reader:
    """Takes file names off a queue and gives the records of each file, with keys that say where they are."""

    def __init__(self, name: str, open_work: Callable[[bytes], Records], is_one_record: bool = False) -> None:
        self.name = name
        self._is_one_record = is_one_record  # a file is finished with its only record, not when the next is asked for
        self._open_work = open_work
        self._changed = threading.Condition()
        self._is_busy = False
        self._work = b""
        self._records: Records | None = None
        self._failed: OpError | None = None
        self.started = self.finished = self.produced = 0

    def read(self, run: Run, queue: Queue) -> tuple[bytes, bytes]:
        with self._changed:
            wait_until(self._changed, lambda: not self._is_busy, run, "Reader operation was cancelled")
            self._is_busy = True
        try:
            while True:
                found = self._next(run, queue)
                if found is not None:
                    return found
        finally:
            self._release()

    def read_up_to(self, run: Run, queue: Queue, count: int) -> list[tuple[bytes, bytes]]:
        """Up to `count` records; fewer where a file ends."""
        with self._changed:
            wait_until(self._changed, lambda: not self._is_busy, run, "Reader operation was cancelled")
            self._is_busy = True
        try:
            found: list[tuple[bytes, bytes]] = []
            while len(found) < count:
                record = self._next(run, queue)
                if record is not None:
                    found.append(record)
                elif found:
                    break
            return found
        finally:
            self._release()

    def _release(self) -> None:
        with self._changed:
            self._is_busy = False
            self._changed.notify_all()

    def _next(self, run: Run, queue: Queue) -> tuple[bytes, bytes] | None:
        """The next record of the file at hand (of the next file, if there is none); None where it ends."""
        if self._failed is not None:
            raise self._failed
        if self._records is None:
            self._work = queue.dequeue(run)[0].item()
            self._records = self._open_work(self._work)
            self.started += 1
        try:
            record = next(self._records, None)
        except NotFoundError:
            self._records = None
            raise
        except OpError as e:
            self._failed = e
            raise
        if record is None:
            self._records = None
            self.finished += 1
            return None
        self.produced += 1
        if self._is_one_record:
            self._records = None
            self.finished += 1
        return record

    def reset(self) -> None:
        with self._changed:
            self._records, self._failed = None, None
            self.started = self.finished = self.produced = 0

    def state(self) -> bytes:
        message = schema.message("ReaderBaseState")
        state: bytes = message(
            work_started=self.started, work_finished=self.finished, num_records_produced=self.produced, current_work=self._work
        ).SerializeToString()
        return state

    def restore(self, state: bytes) -> None:
        try:
            found = schema.parse("ReaderBaseState", state)
        except FormatError as e:
            raise InvalidArgumentError(None, None, f"Could not parse state for {self.name}: {e}") from e
        if found.work_started != found.work_finished:
            raise InvalidArgumentError(None, None, f"The state for {self.name} is in the middle of a file, which no reader can go back to.")
        with self._changed:
            self._records, self._failed = None, None
            self.started, self.finished = found.work_started, found.work_finished
            self.produced, self._work = found.num_records_produced, found.current_work


def _lines(skip: int) -> Callable[[bytes], Records]:
    def read(work: bytes) -> Records:
        with files.open_stream(rows.name_of(work)) as stream:
            for number, line in enumerate(stream, 1):
                if number > skip:
                    yield b"%s:%d" % (work, number), line.removesuffix(b"\n").removesuffix(b"\r")

    return read


def _whole(work: bytes) -> Records:
    yield work, files.read(rows.name_of(work))


def _identity(work: bytes) -> Records:
    yield work, work


def _framed(compression: str) -> Callable[[bytes], Records]:
    def read(work: bytes) -> Records:
        name = rows.name_of(work)
        with files.open_stream(name, compression) as stream:
            for offset, record in records.read_at(stream, name):
                yield b"%s:%d" % (work, offset), record

    return read


def fixed_records(data: bytes, what: str, header: int, size: int, footer: int, hop: int = 0) -> Iterator[bytes]:
    """The records of `size` bytes between header and footer, `hop` bytes apart."""
    end = len(data) - footer
    if end < header:
        raise InvalidArgumentError(
            None, None, f"{what} has {len(data)} bytes, fewer than its header of {header} and footer of {footer} bytes."
        )
    at = header
    while at + size <= end:
        yield data[at : at + size]
        at += hop or size


def _fixed(node: Node) -> Callable[[bytes], Records]:
    a = node.attr
    if a["record_bytes"] <= 0:
        raise InvalidArgumentError(None, None, f"record_bytes must be > 0 (got {a['record_bytes']} in node {node.name!r})")

    def read(work: bytes) -> Records:
        name = rows.name_of(work)
        encoding = a.get("encoding") or ""
        with files.open_stream(name, "" if encoding == "none" else encoding) as stream:
            data = stream.read()
        found = fixed_records(data, name, a["header_bytes"], a["record_bytes"], a["footer_bytes"], a.get("hop_bytes") or 0)
        for number, record in enumerate(found):
            yield b"%s:%d" % (work, number), record

    return read


# Op -> what opens a work unit. Every pair has a V2 with the same attrs.
_READERS: dict[str, Callable[[Node], Callable[[bytes], Records]]] = {
    "FixedLengthRecordReader": _fixed,
    "IdentityReader": lambda node: _identity,
    "TFRecordReader": lambda node: _framed(node.attr["compression_type"]),
    "TextLineReader": lambda node: _lines(node.attr["skip_header_lines"]),
    "WholeFileReader": lambda node: _whole,
}


@host(*_READERS, *(f"{op}V2" for op in _READERS))
def reader(run: Run, node: Node) -> Reader:
    return run.resource(node, lambda: _make_reader(node))


def _make_reader(node: Node) -> Reader:
    op = node.op.removesuffix("V2")
    return Reader(resource_name(node), _READERS[op](node), op in ("IdentityReader", "WholeFileReader"))


@host("ReaderRead", "ReaderReadV2")
def reader_read(run: Run, node: Node, handle: Reader, queue: Queue) -> tuple[Array, Array]:
    _check_file_queue(queue)
    key, value = handle.read(run, queue)
    return rows.text(key), rows.text(value)


@host("ReaderReadUpTo", "ReaderReadUpToV2")
def reader_read_up_to(run: Run, node: Node, handle: Reader, queue: Queue, count: Array) -> tuple[Array, Array]:
    _check_file_queue(queue)
    found = handle.read_up_to(run, queue, int(count))
    return rows.texts(k for k, _ in found), rows.texts(v for _, v in found)


def _check_file_queue(queue: Any) -> None:
    types = [t.name for t in queue.types] if isinstance(queue, Queue) else type(queue).__name__
    if types != ["string"]:
        raise InvalidArgumentError(
            None, None, f"A reader takes file names from a queue with one component of strings; this one has {types}."
        )


@host("ReaderNumRecordsProduced", "ReaderNumRecordsProducedV2")
def reader_num_records_produced(run: Run, node: Node, handle: Reader) -> Array:
    return np.array(handle.produced, np.int64)


@host("ReaderNumWorkUnitsCompleted", "ReaderNumWorkUnitsCompletedV2")
def reader_num_work_units_completed(run: Run, node: Node, handle: Reader) -> Array:
    return np.array(handle.finished, np.int64)


@host("ReaderReset", "ReaderResetV2")
def reader_reset(run: Run, node: Node, handle: Reader) -> tuple[()]:
    handle.reset()
    return ()


@host("ReaderSerializeState", "ReaderSerializeStateV2")
def reader_serialize_state(run: Run, node: Node, handle: Reader) -> Array:
    return rows.text(handle.state())


@host("ReaderRestoreState", "ReaderRestoreStateV2")
def reader_restore_state(run: Run, node: Node, handle: Reader, state: Array) -> tuple[()]:
    handle.restore(state.item())
    return ()


# -- whole files -------------------------------------------------------------------------------------------------


@host("ReadFile")
def read_file(run: Run, node: Node, filename: Array) -> Array:
    return rows.text(files.read(rows.name_of(filename)))


@host("WriteFile")
def write_file(run: Run, node: Node, filename: Array, contents: Array) -> tuple[()]:
    files.write(rows.name_of(filename), contents.item())
    return ()


@host("MatchingFiles")
def matching_files(run: Run, node: Node, patterns: Array) -> Array:
    found = [f for p in patterns.ravel().tolist() for f in files.match(rows.name_of(p))]
    return rows.texts(os.fsencode(f) for f in found)


@host("ShardedFilename")
def sharded_filename(run: Run, node: Node, basename: Array, shard: Array, num_shards: Array) -> Array:
    return rows.text(b"%s-%05d-of-%05d" % (basename.item(), int(shard), int(num_shards)))


@host("ShardedFilespec")
def sharded_filespec(run: Run, node: Node, basename: Array, num_shards: Array) -> Array:
    return rows.text(b"%s-?????-of-%05d" % (basename.item(), int(num_shards)))


# -- checkpoints -------------------------------------------------------------------------------------------------


def _saved(node: Node, names: Array, slices: Sequence[bytes], tensors: Sequence[Any], types: Sequence[Any]) -> list[checkpoint.Saved]:
    listed = names.ravel().tolist()
    if len(listed) != len(tensors) or (slices and len(slices) != len(tensors)):
        raise InvalidArgumentError(
            None, None,
            f"Node {node.name!r} ({node.op}) got {len(listed)} tensor names and {len(slices)} slices for {len(tensors)} tensors.",
        )  # fmt: skip
    saved = []
    for i, (name, value, dtype) in enumerate(zip(listed, tensors, types, strict=True)):
        saved.append(checkpoint.Saved(rows.name_of(name), value, dtype, _slice(slices[i]) if slices else None))
    return saved


def _slice(spec: bytes) -> checkpoint.Slice | None:
    text = rows.name_of(spec)
    try:
        return checkpoint.parse_slice(text)
    except ValueError as e:
        raise InvalidArgumentError(None, None, f"Need a shape and a slice like '4 6 0,2:-', not {text!r}: {e}") from e


def _write(writer: Callable[[str, Sequence[checkpoint.Saved]], None], filename: Array, saved: Sequence[checkpoint.Saved]) -> None:
    name = rows.name_of(filename)
    try:
        with files.translated(name):
            writer(files.local(name), saved)
    except (ValueError, FormatError) as e:
        raise InvalidArgumentError(None, None, f"Cannot save {name!r}: {e}") from e


@host("Save")
def save(run: Run, node: Node, filename: Array, names: Array, *tensors: Any) -> tuple[()]:
    _write(checkpoint.write_v1, filename, _saved(node, names, (), tensors, node.attr["T"]))
    return ()


@host("SaveSlices")
def save_slices(run: Run, node: Node, filename: Array, names: Array, slices: Array, *tensors: Any) -> tuple[()]:
    _write(checkpoint.write_v1, filename, _saved(node, names, slices.ravel().tolist(), tensors, node.attr["T"]))
    return ()


@host("SaveV2")
def save_v2(run: Run, node: Node, prefix: Array, names: Array, slices: Array, *tensors: Any) -> tuple[()]:
    _write(checkpoint.write_v2, prefix, _saved(node, names, slices.ravel().tolist(), tensors, node.attr["dtypes"]))
    return ()


class _LastOpened:
    """The checkpoint that a session read last: older graphs have a restore op for each variable."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.key: tuple[str, Any] | None = None
        self.held: checkpoint.Checkpoint | None = None


def _last_opened(run: Run, node: Node) -> _LastOpened:
    return run.resource(Node(node.graph, "_last_checkpoint", node.op, {}), _LastOpened)


def _stamp(path: str) -> Any:
    """What changes when a checkpoint is written anew; None where no file has its name."""
    for name in (path + ".index", path):
        try:
            found = os.stat(name)
        except OSError:
            continue
        return found.st_mtime_ns, found.st_size, found.st_ino
    return None


def _restored(run: Run, node: Node, pattern: str, wanted: Sequence[tuple[bytes, bytes, Any]]) -> tuple[Array, ...]:
    """The tensors (name, slice, dtype) of the checkpoint of this name. Raises NotFoundError and DataLossError as the restore ops do."""
    last = _last_opened(run, node)
    with last.lock:
        stamp = _stamp(files.local(pattern))
        if last.held is None or stamp is None or last.key != (pattern, stamp):
            last.held, last.key = _open(pattern), (pattern, stamp)
        held = last.held
        return tuple([_restore(held, rows.name_of(name), spec, dtype) for name, spec, dtype in wanted])


def _open(pattern: str) -> checkpoint.Checkpoint:
    path = files.local(pattern)
    try:
        if not os.path.exists(path) and not os.path.exists(path + ".index") and any(c in path for c in "*?["):
            found = files.match(path)
            if found:
                path = found[0]
        return checkpoint.open_checkpoint(path)
    except FormatError as e:
        if os.path.exists(path) or os.path.exists(path + ".index"):
            raise DataLossError(None, None, f"Unable to open table file {pattern}: {e}") from e
        start = "Unsuccessful TensorSliceReader constructor: Failed to"
        folder = os.path.dirname(path)
        if folder and not os.path.isdir(folder):
            raise InvalidArgumentError(
                None, None, f"{start} get matching files on {pattern}: Not found: {folder}; No such file or directory"
            ) from e
        raise NotFoundError(None, None, f"{start} find any matching files for {pattern}") from e
    except OSError as e:
        raise files.error_of(e, pattern) from e


def _restore(held: checkpoint.Checkpoint, name: str, spec: bytes, dtype: Any) -> Array:
    if name not in held:
        raise NotFoundError(None, None, f"Key {name} not found in checkpoint")
    stored = held.dtype(name)
    if stored is not dtype.base_dtype:
        raise InvalidArgumentError(
            None,
            None,
            f"tensor_name = {name}; expected dtype {rows.type_text(dtype)} does not equal original dtype {rows.type_text(stored)}",
        )
    part = _slice(spec)
    try:
        value = held[name]
    except FormatError as e:
        raise DataLossError(None, None, str(e)) from e
    if part is None:
        return value
    if tuple(part.shape) != value.shape:
        raise InvalidArgumentError(
            None,
            None,
            f"tensor_name = {name}; shape in shape_and_slice spec {rows.shape_text(part.shape)} does not match the shape stored in checkpoint: {rows.shape_text(value.shape)}",
        )
    return value[part.index]


@host("Restore")
def restore(run: Run, node: Node, pattern: Array, name: Array) -> Array:
    return _restored(run, node, rows.name_of(pattern), [(name.item(), b"", node.attr["dt"])])[0]


@host("RestoreSlice")
def restore_slice(run: Run, node: Node, pattern: Array, name: Array, spec: Array) -> Array:
    return _restored(run, node, rows.name_of(pattern), [(name.item(), spec.item(), node.attr["dt"])])[0]


@host("RestoreV2")
def restore_v2(run: Run, node: Node, prefix: Array, names: Array, specs: Array) -> tuple[Array, ...]:
    wanted = zip(names.ravel().tolist(), specs.ravel().tolist(), node.attr["dtypes"], strict=True)
    return _restored(run, node, rows.name_of(prefix), list(wanted))


@host("MergeV2Checkpoints")
def merge_v2_checkpoints(run: Run, node: Node, prefixes: Array, destination: Array) -> tuple[()]:
    """Write what the parts hold as one checkpoint, and remove the parts."""
    target = rows.name_of(destination)
    parts = [rows.name_of(p) for p in prefixes.ravel().tolist()]
    if not parts:
        raise InvalidArgumentError(None, None, f"Node {node.name!r} has no checkpoints to merge into {target!r}.")
    saved: list[checkpoint.Saved] = []
    with files.translated(target):
        for part in parts:
            if not isinstance(held := _open(part), checkpoint.CheckpointV2):
                raise UnimplementedError(None, None, f"{part!r} is no checkpoint of format V2; only those can be merged.")
            saved.extend(checkpoint.Saved(name, held[name], held.dtype(name)) for name in held)
        _write(checkpoint.write_v2, destination, saved)
        for part in parts:
            path = files.local(part)
            folder = os.path.dirname(path)
            if path == files.local(target):
                continue
            for name in os.listdir(folder or "."):
                if name.startswith(os.path.basename(path) + ".") and (name.endswith(".index") or ".data-" in name):
                    os.unlink(os.path.join(folder, name))
            if node.attr["delete_old_dirs"] and folder and folder != os.path.dirname(files.local(target)) and not os.listdir(folder):
                shutil.rmtree(folder)
    return ()
