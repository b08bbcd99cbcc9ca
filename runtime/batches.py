"""Batch inference over data larger than memory: parts that are computed once, written whole, and kept when a run is killed."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from migrate.report.output import write_whole
from runtime import devices
from runtime.predict import cannot_load, checked_feeds

JOB = "job.json"
SUFFIXES = (".npy", ".npz", ".parquet")
BATCHES_A_PART = 64


@dataclass(frozen=True, slots=True)
class Part:
    """Rows [start, stop) of a data file; `number` names the file that they are written to."""

    number: int
    path: str
    start: int
    stop: int

    @property
    def file(self) -> str:
        return f"part-{self.number:06d}.npz"


@dataclass(frozen=True, slots=True)
class Work:
    """What is done to each part: a model, the batch, and what it is fed besides the data. It travels to workers."""

    model: str
    folder: str
    batch: int
    device: str
    data_input: str | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """What became of a job."""

    parts: int
    rows: int
    kept: int
    failed: dict[str, str]


def data_files(paths: Sequence[Path]) -> list[Path]:
    """The data files that paths name: files as they are, folders with their files sorted. Raises FileNotFoundError and ValueError."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix in SUFFIXES)
            if not inside:
                raise ValueError(f"The folder {path} has no {', '.join(SUFFIXES)} files.")
            found.extend(inside)
        elif not path.exists():
            raise FileNotFoundError(f"There is no file or folder {path}.")
        elif path.suffix not in SUFFIXES:
            raise ValueError(f"{path}: expected one of {', '.join(SUFFIXES)}.")
        else:
            found.append(path)
    return found


def parts_of(files: Sequence[Path], batch: int, batches_a_part: int = BATCHES_A_PART) -> list[Part]:
    """The parts of data files, in order."""
    parts: list[Part] = []
    for path in files:
        rows, size = row_count(path), batch * batches_a_part
        for start in range(0, rows, size):
            parts.append(Part(len(parts), str(path.resolve()), start, min(start + size, rows)))
    return parts


def row_count(path: Path) -> int:
    """How many rows a data file has. Raises ValueError for a damaged one."""
    try:
        if path.suffix == ".npy":
            shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
            if not shape:
                raise ValueError("a scalar has no rows")
            return int(shape[0])
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as data:
                counts = {name: _header_shape(data, name)[:1] for name in data.files}
            if len(set(counts.values())) != 1 or () in counts.values():
                raise ValueError(f"its arrays do not have the same number of rows: { {k: list(v) for k, v in counts.items()} }")
            return int(next(iter(counts.values()))[0])
        return int(_parquet().ParquetFile(path).metadata.num_rows)
    except (ValueError, EOFError, OSError) as e:
        raise ValueError(f"{path}: {e}") from e


def _header_shape(data: Any, name: str) -> tuple[int, ...]:
    """The shape of an array of an .npz, from its header alone."""
    with data.zip.open(f"{name}.npy") as f:
        version = np.lib.format.read_magic(f)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape: tuple[int, ...] = read(f)[0]
    return shape


def _npz_rows(path: Path, data: Any, name: str, start: int, stop: int) -> Any:
    """Rows of an array of an .npz; read from where they lie in the file, unless they are compressed."""
    entry = data.zip.getinfo(f"{name}.npy")
    if entry.compress_type != zipfile.ZIP_STORED:
        return data[name][start:stop]
    with open(path, "rb") as f:
        f.seek(entry.header_offset + 26)
        name_length, extra_length = struct.unpack("<HH", f.read(4))
        f.seek(name_length + extra_length, os.SEEK_CUR)
        version = np.lib.format.read_magic(f)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(f)
        if fortran or dtype.hasobject:
            return data[name][start:stop]
        return np.array(np.memmap(path, dtype, "r", f.tell(), shape)[start:stop])


def _parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise ValueError("Reading .parquet needs pyarrow: pip install 'tfrevive[parquet]'.") from None
    return pyarrow.parquet


def read_batches(part: Part, batch: int) -> Iterator[dict[str | None, Any]]:
    """The rows of a part, `batch` at a time: arrays by input name, None for the only array of an .npy."""
    path = Path(part.path)
    if path.suffix == ".npy":
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        for start in range(part.start, part.stop, batch):
            yield {None: np.array(array[start : min(start + batch, part.stop)])}
    elif path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as data:
            arrays = {name: _npz_rows(path, data, name, part.start, part.stop) for name in data.files}
        for start in range(0, part.stop - part.start, batch):
            yield {name: a[start : start + batch] for name, a in arrays.items()}
    else:
        yield from _read_parquet(path, part, batch)


def _read_parquet(path: Path, part: Part, batch: int) -> Iterator[dict[str | None, Any]]:
    """Columns named as the inputs; nested lists become arrays. Row groups before the part are not read."""
    file, row, groups = _parquet().ParquetFile(path), 0, []
    skip = None
    for n in range(file.metadata.num_row_groups):
        rows = file.metadata.row_group(n).num_rows
        if row < part.stop and row + rows > part.start:
            groups.append(n)
            skip = part.start - row if skip is None else skip
        row += rows
    table = file.read_row_groups(groups).slice(skip or 0, part.stop - part.start)
    for start in range(0, part.stop - part.start, batch):
        piece = table.slice(start, batch)
        yield {name: np.array(piece.column(name).to_pylist()) for name in piece.column_names}


@functools.lru_cache(maxsize=2)
def _session(model: str, device: str, version: tuple[int, int]) -> Any:
    """A model's session, made once in each process; `version` is the file's time and size."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model, options, providers=devices.providers(device))
    except Exception as e:
        raise cannot_load(model, e) from e


def session_of(work: Work) -> Any:
    status = os.stat(work.model)
    return _session(work.model, work.device, (status.st_mtime_ns, status.st_size))


def run_part(work: Work, part: Part) -> int:
    """Compute a part and write it, whole or not at all; the rows. Runs on a worker."""
    target = Path(work.folder) / part.file
    if target.exists():
        return part.stop - part.start
    session = session_of(work)
    collected: dict[str, list[Any]] = {o.name: [] for o in session.get_outputs()}
    for arrays in read_batches(part, work.batch):
        for name, value in run_batch(session, arrays, work).items():
            collected[name].append(value)
    handle, temporary = tempfile.mkstemp(prefix=f".{part.file}.", dir=work.folder)
    try:
        with os.fdopen(handle, "wb") as f:
            joined: dict[str, Any] = {name: np.concatenate(values) for name, values in collected.items()}
            np.savez(f, **joined)
        os.replace(temporary, target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return part.stop - part.start


def run_batch(session: Any, arrays: Mapping[str | None, Any], work: Work) -> dict[str, Any]:
    """The outputs for a batch, a row for each of its rows; a model of a fixed batch is fed copies of the last row to fill it up."""
    inputs = session.get_inputs()
    feeds = dict(work.constants)
    for name, array in arrays.items():
        feeds[name if name is not None else data_input(inputs, work)] = array
    rows = len(next(iter(arrays.values())))
    given = {n if n in {i.name for i in inputs} else f"{n}:0" for n in feeds if n not in work.constants}
    fixed = {i.shape[0] for i in inputs if i.name in given and i.shape and isinstance(i.shape[0], int)}
    if len(fixed) == 1 and (size := fixed.pop()) > rows:
        for name in feeds.keys() - work.constants.keys():
            feeds[name] = np.concatenate([feeds[name], np.repeat(feeds[name][-1:], size - rows, axis=0)])
    outputs = [o.name for o in session.get_outputs()]
    results: dict[str, Any] = {}
    for name, value in zip(outputs, session.run(outputs, checked_feeds(inputs, feeds)), strict=True):
        if not np.ndim(value) or len(value) < rows:
            raise ValueError(
                f"Output {name!r} has shape {list(np.shape(value))} for a batch of {rows}: it has no row for each row. Choose others with --outputs."
            )
        results[name] = np.asarray(value)[:rows]
    return results


def data_input(inputs: Sequence[Any], work: Work) -> str:
    """The input that .npy rows are fed to."""
    if work.data_input is not None:
        return work.data_input
    taken = {*work.constants, *(f"{n}:0" for n in work.constants)}
    left = [i.name for i in inputs if i.name not in taken]
    if len(left) != 1:
        raise ValueError(
            f"The model has the inputs {', '.join(left)}: say which one the rows are with --data-input, and give the others with --input."
        )
    name: str = left[0]
    return name


def run_job(
    work: Work,
    parts: Sequence[Part],
    executor: Executor | None = None,
    *,
    jobs: int = 1,
    on_part: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Compute the parts that are not there yet, on an executor (threads of this process, unless one is given).

    `on_part(done, all)` is called as parts are done. Raises ValueError when the folder holds parts of another job.
    """
    folder = Path(work.folder)
    folder.mkdir(parents=True, exist_ok=True)
    if executor is None and any(p.path.endswith(".npy") for p in parts):
        data_input(session_of(work).get_inputs(), work)  # what is missing is said before the folder is claimed
    _claim(folder, work, parts)
    waiting = [p for p in parts if not (folder / p.file).exists()]
    outcome = Outcome(len(parts), sum(p.stop - p.start for p in parts), len(parts) - len(waiting), {})
    owned = ThreadPoolExecutor(jobs) if executor is None else None
    pool = owned or executor
    assert pool is not None
    queue, running = iter(waiting), dict[Future[int], Part]()
    done = outcome.kept
    try:
        while True:
            while len(running) < 4 * jobs and (part := next(queue, None)) is not None:
                running[pool.submit(run_part, work, part)] = part
            if not running:
                break
            for finished in wait(running, return_when=FIRST_COMPLETED).done:
                part = running.pop(finished)
                error = finished.exception()
                if error is not None:
                    outcome.failed[part.file] = f"{part.path} rows {part.start} to {part.stop}: {error}"
                done += 1
                if on_part is not None:
                    on_part(done, len(parts))
    finally:
        for future in running:
            future.cancel()
        if owned is not None:
            owned.shutdown(cancel_futures=True)
    return outcome


def _claim(folder: Path, work: Work, parts: Sequence[Part]) -> None:
    """Note what the folder's parts are parts of, and clear away what a killed run left half-written."""
    job = {
        "model": hashlib.sha256(Path(work.model).read_bytes()).hexdigest(),
        "batch": work.batch,
        "data_input": work.data_input,
        "constants": {k: hashlib.sha256(np.ascontiguousarray(v).tobytes()).hexdigest() for k, v in sorted(work.constants.items())},
        "parts": [asdict(p) | {"file": p.file} for p in parts],
    }
    path = folder / JOB
    if path.exists():
        try:
            before = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as e:
            raise ValueError(f"{path} is damaged: {e}. Use another --out folder.") from e
        different = [key for key in job if before.get(key) != job[key]]
        if different:
            raise ValueError(
                f"{folder} holds parts of another job (another {', '.join(different)}). Use another --out folder, or remove it."
            )
    else:
        write_whole(path, json.dumps(job, indent=1) + "\n")
    for left in folder.glob(".part-*"):
        left.unlink(missing_ok=True)


def cluster(address: str) -> tuple[Executor, int]:
    """An executor on a Dask cluster, and how many parts it computes at a time; parts of workers that die go to others. Raises ValueError."""
    try:
        from distributed import Client
    except ImportError:
        raise ValueError("--cluster needs the package distributed: pip install 'tfrevive[cluster]'.") from None
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as e:
        raise ValueError(f"There is no Dask scheduler at {address}: {e}") from e
    executor: Executor = client.get_executor(retries=3, pure=False)
    return executor, max(1, sum(client.ncores().values()))
