"""Running converted models: load, feed, fetch."""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import onnxruntime

from graphtools.errors import FormatError
from migrate.report.output import replacing, write_whole
from runtime import devices, placement
from runtime.profile import Profiler

TYPES = {
    "tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(float16)": np.float16, "tensor(int8)": np.int8, "tensor(int16)": np.int16,
    "tensor(int32)": np.int32, "tensor(int64)": np.int64, "tensor(uint8)": np.uint8, "tensor(uint16)": np.uint16, "tensor(uint32)": np.uint32,
    "tensor(uint64)": np.uint64, "tensor(bool)": np.bool_, "tensor(string)": np.object_,
}  # fmt: skip


class OnnxModel:
    """An ONNX model on a device. `source` is a path or a model's bytes."""

    def __init__(self, source: str | bytes, *, device: str = "auto") -> None:
        self.source = source
        self.providers = devices.providers(device)

    def run(
        self, feeds: dict[str, Any], *, log_device_placement: bool = False, profile: Path | None = None, quiet: bool = False
    ) -> dict[str, Any]:
        """The outputs by name; the profile's table goes to stderr unless `quiet`. Raises ValueError, naming what the model wants, for inputs that do not fit."""
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        if log_device_placement:
            options.add_session_config_entry(*placement.RECORD)
        profiler = Profiler(profile) if profile is not None else None
        if profiler is not None:
            profiler.enable(options)
        try:
            session = onnxruntime.InferenceSession(self.source, options, providers=self.providers)
        except Exception as e:
            raise cannot_load(self.source, e) from e
        if log_device_placement:
            placement.log(placement.placements(session))
        if profiler is not None:
            profiler.add(session)
        names = [o.name for o in session.get_outputs()]
        values = session.run(names, checked_feeds(session.get_inputs(), feeds))
        if profiler is not None:
            table = profiler.write()
            if not quiet:
                print(table.read_text(), end="", file=sys.stderr)
        return dict(zip(names, values, strict=True))


def cannot_load(source: str | bytes, error: Exception) -> FormatError | ValueError:
    """What to raise where ONNX Runtime takes no model: a file that is none is unreadable."""
    said = str(error).splitlines()[0].removeprefix("[ONNXRuntimeError] : ")
    if isinstance(source, str):
        return FormatError(f"{source} is no ONNX model that ONNX Runtime can load: {said.rpartition('failed:')[2]}")
    return ValueError(f"ONNX Runtime cannot load the converted model: {said}")


def port_text(port: Any) -> str:
    """An input as people read it: "x:0 float[?, 784]"."""
    sizes = ", ".join(str(d) if isinstance(d, int) else "?" for d in port.shape or ())
    return f"{port.name} {port.type.removeprefix('tensor(').removesuffix(')')}[{sizes}]"


def checked_feeds(inputs: Sequence[Any], feeds: dict[str, Any]) -> dict[str, Any]:
    """The feeds as the model's dtypes. Raises ValueError for a missing or unknown input, a wrong dtype or a wrong shape."""
    known = {i.name: i for i in inputs}
    checked: dict[str, Any] = {}
    for name, value in feeds.items():
        target = name if name in known else f"{name}:0" if f"{name}:0" in known else name
        if target not in known:
            close = difflib.get_close_matches(name, known, n=3)
            hint = f" Nearest names: {', '.join(map(repr, close))}." if close else ""
            raise ValueError(f"The model has no input {name!r}.{hint} Its inputs are: {', '.join(map(port_text, inputs))}.")
        spec = known[target]
        array = np.asarray(value)
        dtype = TYPES.get(spec.type)
        if dtype is np.object_:
            array = np.array(
                [v.decode("utf-8", "surrogateescape") if isinstance(v, bytes) else str(v) for v in array.ravel().tolist()], object
            ).reshape(array.shape)
        elif dtype is not None and array.dtype != dtype:
            if not np.can_cast(array.dtype, dtype, "same_kind"):
                raise ValueError(f"Input {target!r} is {spec.type}; the given array is {array.dtype}.")
            array = array.astype(dtype)
        wanted = spec.shape
        if wanted is not None and (
            len(wanted) != array.ndim or any(isinstance(w, int) and w != s for w, s in zip(wanted, array.shape, strict=True))
        ):
            shown = [w if isinstance(w, int) else "?" for w in wanted]
            raise ValueError(f"Input {target!r} has shape {shown}; the given array has shape {list(array.shape)}.")
        checked[target] = array
    missing = [port_text(i) for i in inputs if i.name not in checked]
    if missing:
        raise ValueError(f"No value was given for the inputs: {', '.join(missing)}. Give each with --input NAME=FILE.npy.")
    return checked


def read_inputs(items: Sequence[str]) -> dict[str, Any]:
    """NAME=FILE.npy pairs as arrays. Raises ValueError or FileNotFoundError."""
    feeds = {}
    for item in items:
        name, equals, path = item.rpartition("=")
        if not equals or not name:
            raise ValueError(f"--input {item!r}: expected NAME=FILE.npy.")
        if not os.path.exists(path):
            raise FileNotFoundError(f"There is no file {path}.")
        try:
            value = np.load(path, allow_pickle=False)
        except (ValueError, EOFError, BadZipFile) as e:
            raise ValueError(f"{path} is no .npy array: {e}") from e
        if not isinstance(value, np.ndarray):
            raise ValueError(f"{path} is an .npz with the arrays {', '.join(value.files)}; expected one array: save it with numpy.save.")
        feeds[name] = value
    return feeds


def load_model(
    path: Path,
    outputs: list[str] | None,
    checkpoint: Path | None,
    weights: Path | None,
    signature: str | None,
    tags: list[str] | None,
    device: str,
) -> OnnxModel:
    """A model of any format, converted where it is not ONNX. Raises FileNotFoundError, FormatError and conversion errors."""
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    if path.suffix == ".onnx":
        return OnnxModel(str(path), device=device)
    import graphtools

    graph = graphtools.load(path, checkpoint=checkpoint, weights=weights, signature=signature, tags=tags)
    return OnnxModel(graphtools.to_onnx(graph, inputs=None, outputs=outputs).SerializeToString(), device=device)


def onnx_file(
    path: Path,
    folder: Path,
    outputs: list[str] | None,
    checkpoint: Path | None,
    weights: Path | None,
    signature: str | None,
    tags: list[str] | None,
) -> Path:
    """A model as an ONNX file: itself, or converted into `folder`. Raises ValueError when another model is there."""
    if path.suffix == ".onnx" and path.exists():
        return path
    source = load_model(path, outputs, checkpoint, weights, signature, tags, "cpu").source
    made, target = source if isinstance(source, bytes) else source.encode(), folder / "model.onnx"
    if target.exists():
        if target.read_bytes() != made:
            raise ValueError(f"{folder} holds parts of another job (another model). Use another --out folder, or remove it.")
        return target
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(target, made)
    return target


def plain(value: Any) -> Any:
    """An array as what JSON can say; bytes are read as UTF-8."""
    listed = value.tolist()
    return json.loads(json.dumps(listed, default=lambda v: v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v)))


def print_outputs(results: dict[str, Any]) -> None:
    for name, value in results.items():
        print(f"{name} {value.dtype}{list(value.shape)}\n{value}")


def write_outputs(results: dict[str, Any], path: Path) -> None:
    """Write the outputs as an .npz, whole or not at all."""
    with replacing(path) as file:
        np.savez(file, **results)
