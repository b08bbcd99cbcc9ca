"""Keras HDF5 files, and model JSON or YAML with weights in HDF5 -> Graph."""

from __future__ import annotations

import contextlib
import json
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from graphtools.errors import FormatError
from graphtools.formats.checkpoint import open_checkpoint
from graphtools.formats.keras import Array, config_yaml, model, tf_weights
from graphtools.graph import Graph

_MAX_DATASET_RATIO = 2000  # deflate reaches 1000 at best
_ERRORS = (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError, OverflowError, NotImplementedError)


def read(path: Path | None, data: bytes, kind: str, weights: str | os.PathLike[str] | None) -> Graph:
    """The graph of a Keras model: a whole one in HDF5 ("hdf5"), or JSON or YAML with `weights`. Raises FormatError."""
    what = str(path) if path is not None else "The model"
    if kind == "hdf5":
        source: Any = path
        if path is None:
            import io

            source = io.BytesIO(data)
        with _open(source, what) as file:
            config = _attribute(file, "model_config", what)
            if config is None:
                raise FormatError(
                    f"{what} has weights but no model_config: it was written by save_weights. Load the model's JSON or YAML with weights={what!r}."
                )
            return _build(_json(config, what), file, what, _version(file, what))
    text = _text(data, what)
    config = _json(text, what) if kind == "keras_json" else config_yaml.parse(text)
    if not isinstance(config, dict):
        raise FormatError(f"{what} is no model: an object with class_name and config was expected.")
    if weights is None:
        raise FormatError(f"{what} describes a Keras model without its weights: give the weights file with weights=.")
    version = str(config.get("keras_version") or "")
    if not _is_hdf5(Path(weights)):
        return _build_from_checkpoint(config, weights, version or _guess_version(config), what)
    with _open(Path(weights), str(weights)) as file:
        return _build(config, file, str(weights), version or _version(file, str(weights)))


def _is_hdf5(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(8) == b"\x89HDF\r\n\x1a\n"
    except OSError:
        return False


def _build_from_checkpoint(config: Any, weights: str | os.PathLike[str], version: str, what: str) -> Graph:
    """The graph of a model whose weights are a TensorFlow checkpoint, as tf.keras saves them by default."""
    with _refusing(what):
        parsed = model.parse_model(config, version)
        tf_weights.assign(parsed.layers, open_checkpoint(weights))
    return model.build(parsed)


@contextlib.contextmanager
def _refusing(what: str) -> Iterator[None]:
    """What a damaged config does to the code that reads it is a FormatError."""
    try:
        yield
    except FormatError:
        raise
    except RecursionError as e:
        raise FormatError(f"{what}: the model's config is nested too deep.") from e
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as e:
        raise FormatError(f"{what}: the model's config or weights are damaged: {type(e).__name__} {e}.") from e


def _build(config: Any, file: Any, what: str, version: str) -> Graph:
    if not version:
        version = _guess_version(config)
    with _refusing(what):
        parsed = model.parse_model(config, version)
        root = _member(file, "model_weights", what) if _has(file, "model_weights") and not _has(file.attrs, "layer_names") else file
        backend = _attribute(root, "backend", what) or _attribute(file, "backend", what) or str(config.get("backend") or "tensorflow")
        model.assign_arrays(parsed.layers, _groups(root, what), backend)
    return model.build(parsed)


def _guess_version(config: Any) -> str:
    """Keras before 1.0.? wrote no version; its argument names tell."""
    text = json.dumps(config)
    return "1.0" if '"nb_filter"' in text or ('"output_dim"' in text and '"W_regularizer"' in text) else "2"


def _open(source: Any, what: str) -> Any:
    try:
        return h5py.File(source, "r")
    except _ERRORS as e:
        raise FormatError(f"{what} cannot be read as HDF5: {e}.") from e


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise FormatError(f"{what}: byte {e.start} is not UTF-8 text.") from e


def _json(text: str, what: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise FormatError(f"{what} has a model config that is no JSON: {e}.") from e
    if not isinstance(value, dict):
        raise FormatError(f"{what} has a model config that is no object.")
    return value


def _version(file: Any, what: str) -> str:
    found = _attribute(file, "keras_version", what)
    if found is None and _has(file, "model_weights"):
        found = _attribute(_member(file, "model_weights", what), "keras_version", what)
    return found or ""


def _has(group: Any, name: str) -> bool:
    try:
        return name in group
    except _ERRORS:
        return False


def _attribute(group: Any, name: str, what: str) -> str | None:
    """A text attribute; None where there is none."""
    try:
        value = group.attrs.get(name)
    except _ERRORS as e:
        raise FormatError(f"{what}: the attribute {name!r} cannot be read: {e}.") from e
    if value is None:
        return None
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        return _text(value, what)
    return str(value)


def _names(group: Any, name: str, what: str) -> list[str]:
    """A list of names in an attribute, or in several (name0, name1, ...) where it was too long for one."""
    try:
        if name in group.attrs:
            values = list(np.ravel(group.attrs[name]))
        else:
            values, i = [], 0
            while f"{name}{i}" in group.attrs:
                values += list(np.ravel(group.attrs[f"{name}{i}"]))
                i += 1
    except _ERRORS as e:
        raise FormatError(f"{what}: the attribute {name!r} cannot be read: {e}.") from e
    return [_text(v, what) if isinstance(v, bytes) else str(v) for v in values]


def _groups(root: Any, what: str) -> dict[str, Callable[[], list[Array]]]:
    """Layer name -> what reads the arrays of its group."""
    names = _names(root, "layer_names", what)
    if not names:
        raise FormatError(f"{what} has no layer_names: it is no file of Keras weights.")
    return {name: (lambda name=name: _arrays(root, name, what)) for name in names}  # type: ignore[misc]


def _arrays(root: Any, name: str, what: str) -> list[Array]:
    group = _member(root, name, what)
    if not isinstance(group, h5py.Group):
        raise FormatError(f"{what}: {name!r} is no group of weights.")
    arrays = []
    for weight in _names(group, "weight_names", what):
        dataset = _member(group, weight, what)
        if not isinstance(dataset, h5py.Dataset):
            raise FormatError(f"{what}: {name}/{weight} is no array.")
        arrays.append(_array(dataset, f"{name}/{weight}", what))
    return arrays


def _member(group: Any, name: str, what: str) -> Any:
    """A member of a group, which must be in this file: links to other files are not followed."""
    here = group
    try:
        for part in [p for p in name.split("/") if p]:
            if part == "..":
                raise FormatError(f"{what}: the name {name!r} leaves its group.")
            link = here.get(part, getlink=True)
            if link is None:
                raise FormatError(f"{what}: {group.name} has no {name!r}.")
            if not isinstance(link, h5py.HardLink):
                raise FormatError(f"{what}: {name!r} is a link; only arrays in the file itself are read.")
            here = here[part]
    except FormatError:
        raise
    except _ERRORS as e:
        raise FormatError(f"{what}: {name!r} cannot be read: {e}.") from e
    return here


def _array(dataset: Any, name: str, what: str) -> Array:
    try:
        dtype, size = dataset.dtype, dataset.size
        if dtype.kind not in "fiub" or dtype.hasobject:
            raise FormatError(f"{what}: {name} is an array of {dtype}; numbers were expected.")
        if dataset.external or dataset.is_virtual:
            raise FormatError(f"{what}: {name} is stored in other files; only arrays in the file itself are read.")
        stored = dataset.id.get_storage_size()
        if size * dtype.itemsize > max(1 << 20, stored * _MAX_DATASET_RATIO):
            raise FormatError(f"{what}: {name} has the shape {dataset.shape}, but {stored} bytes are stored of it. The file is damaged.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            array: Array = dataset[()]
    except FormatError:
        raise
    except (*_ERRORS, MemoryError) as e:
        raise FormatError(f"{what}: the array {name} cannot be read: {e}.") from e
    return np.asarray(array, dtype.newbyteorder("="))
