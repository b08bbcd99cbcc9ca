"""Keras HDF5 files, and model JSON or YAML with weights in HDF5 or a checkpoint -> Graph."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from graphtools.errors import FormatError
from graphtools.formats.checkpoint import open_checkpoint
from graphtools.formats.hdf5_file import SIGNATURE, File, Object
from graphtools.formats.keras import Array, config_yaml, model, tf_weights
from graphtools.graph import Graph


def read(path: Path | None, data: bytes, kind: str, weights: str | os.PathLike[str] | None) -> Graph:
    """The graph of a Keras model: a whole one in HDF5 ("hdf5"), or JSON or YAML with `weights`. Raises FormatError."""
    what = str(path) if path is not None else "The model"
    if kind == "hdf5":
        root = File(data, what).root
        config = _attribute(root, "model_config", what)
        if config is None:
            raise FormatError(
                f"{what} has weights but no model_config: it was written by save_weights. Load the model's JSON or YAML with weights={what!r}."
            )
        return _build(_json(config, what), root, what, _version(root, what))
    text = _text(data, what)
    config = _json(text, what) if kind == "keras_json" else config_yaml.parse(text)
    if not isinstance(config, dict):
        raise FormatError(f"{what} is no model: an object with class_name and config was expected.")
    if weights is None:
        raise FormatError(f"{what} describes a Keras model without its weights: give the weights file with weights=.")
    version = str(config.get("keras_version") or "")
    content = _content(Path(weights))
    if content is None:
        return _build_from_checkpoint(config, weights, version or _guess_version(config), what)
    root = File(content, str(weights)).root
    return _build(config, root, str(weights), version or _version(root, str(weights)))


def _content(path: Path) -> bytes | None:
    """The bytes of an HDF5 file; None for what is none, as a checkpoint's prefix."""
    try:
        with path.open("rb") as file:
            head = file.read(len(SIGNATURE))
            return head + file.read() if head == SIGNATURE else None
    except OSError:
        return None


def _build_from_checkpoint(config: Any, weights: str | os.PathLike[str], version: str, what: str) -> Graph:
    """The graph of a model whose weights are a TensorFlow checkpoint, as tf.keras saves them by default."""
    with _refusing(what):
        parsed = model.parse_model(config, version)
        tf_weights.assign(parsed.layers, open_checkpoint(weights))
    return model.build(parsed)


def _build(config: Any, root: Object, what: str, version: str) -> Graph:
    if not version:
        version = _guess_version(config)
    with _refusing(what):
        parsed = model.parse_model(config, version)
        group = root.member("model_weights") if "model_weights" in root and "layer_names" not in root.attributes else root
        backend = _attribute(group, "backend", what) or _attribute(root, "backend", what) or str(config.get("backend") or "tensorflow")
        model.assign_arrays(parsed.layers, _groups(group, what), backend)
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


def _guess_version(config: Any) -> str:
    """Keras before 1.0.? wrote no version; its argument names tell."""
    text = json.dumps(config)
    return "1.0" if '"nb_filter"' in text or ('"output_dim"' in text and '"W_regularizer"' in text) else "2"


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


def _version(root: Object, what: str) -> str:
    found = _attribute(root, "keras_version", what)
    if found is None and "model_weights" in root:
        found = _attribute(root.member("model_weights"), "keras_version", what)
    return found or ""


def _attribute(group: Object, name: str, what: str) -> str | None:
    """A text attribute; None where there is none."""
    value = group.attribute(name)
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.reshape(-1)[0]
    if value is None or isinstance(value, str):
        return value
    return _text(value, what) if isinstance(value, bytes) else str(value)


def _names(group: Object, name: str, what: str) -> list[str]:
    """A list of names in an attribute, or in several (name0, name1, ...) where it was too long for one."""
    value = group.attribute(name)
    values = [] if value is None else list(np.ravel(value))
    if value is None:
        for i in range(len(group.attributes)):
            part = group.attribute(f"{name}{i}")
            if part is None:
                break
            values += list(np.ravel(part))
    return [_text(v, what) if isinstance(v, bytes) else str(v) for v in values]


def _groups(root: Object, what: str) -> dict[str, Callable[[], list[Array]]]:
    """Layer name -> what reads the arrays of its group."""
    names = _names(root, "layer_names", what)
    if not names:
        raise FormatError(f"{what} has no layer_names: it is no file of Keras weights.")
    return {name: (lambda name=name: _arrays(root, name, what)) for name in names}  # type: ignore[misc]


def _arrays(root: Object, name: str, what: str) -> list[Array]:
    group = root.member(name)
    arrays = []
    for weight in _names(group, "weight_names", what):
        dataset = group.member(weight)
        if not dataset.is_array:
            raise FormatError(f"{what}: {name}/{weight} is no array.")
        array = dataset.array()
        arrays.append(array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("=")))
    return arrays
