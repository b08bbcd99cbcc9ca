"""Keras' HDF5 files: configurations as attributes, weights as data sets of groups."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from graphtools.errors import FormatError

# A group's attribute may not be larger than this; longer lists go into numbered ones.
_ATTRIBUTE_LIMIT = 64512


def _names(group: Any, name: str) -> list[str]:
    """A list attribute, put together from its numbered parts where it was too long."""
    if name in group.attrs:
        values = list(group.attrs[name])
    else:
        values, i = [], 0
        while f"{name}{i}" in group.attrs:
            values.extend(group.attrs[f"{name}{i}"])
            i += 1
    return [v.decode("utf-8") if isinstance(v, bytes) else str(v) for v in values]


def _set_names(group: Any, name: str, names: list[str]) -> None:
    encoded = [n.encode("utf-8") for n in names]
    parts = 1
    while any(np.asarray(p).nbytes > _ATTRIBUTE_LIMIT for p in np.array_split(encoded, parts) if len(p)):
        parts += 1
    if parts == 1:
        group.attrs[name] = encoded
    else:
        for i, part in enumerate(np.array_split(encoded, parts)):
            group.attrs[f"{name}{i}"] = part


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def write(
    path: str | os.PathLike[str],
    attributes: dict[str, str],
    layers: Iterable[tuple[str, list[tuple[str, Any]]]],
    optimizer: list[tuple[str, Any]] | None = None,
    nested: bool = True,
) -> None:
    """Write weights, and with `nested` the model around them: layers are (name, [(weight name, array)])."""
    import h5py

    with h5py.File(path, "w") as f:
        for name, value in attributes.items():
            f.attrs[name] = value.encode("utf-8")
        root = f.create_group("model_weights") if nested else f
        layers = list(layers)
        _set_names(root, "layer_names", [name for name, _ in layers])
        for name in ("backend", "keras_version"):
            if name in attributes:
                root.attrs[name] = attributes[name].encode("utf-8")
        for name, weights in layers:
            group = root.create_group(name)
            _set_names(group, "weight_names", [w for w, _ in weights])
            for weight, value in weights:
                group.create_dataset(weight, data=value)
        if optimizer:
            group = f.create_group("optimizer_weights")
            _set_names(group, "weight_names", [w for w, _ in optimizer])
            for weight, value in optimizer:
                group.create_dataset(weight, data=value)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, str], list[tuple[str, list[tuple[str, Any]]]], list[tuple[str, Any]]]:
    """(attributes, layers, optimizer weights) of a Keras file, of a whole model or of weights only."""
    import h5py

    if not os.path.exists(path):
        raise OSError(f"Unable to open file (unable to open file: name = '{path}', errno = 2, error message = 'No such file or directory')")
    try:
        f = h5py.File(path, "r")
    except OSError as e:
        raise FormatError(f"{path} is not an HDF5 file, which Keras keeps models in: {e}") from e
    with f:
        attributes = {name: _text(value) for name, value in f.attrs.items() if isinstance(value, bytes | str)}
        root = f["model_weights"] if "model_weights" in f and "layer_names" not in f.attrs and "layer_names0" not in f.attrs else f
        layers = []
        for name in _names(root, "layer_names"):
            group = root[name]
            layers.append((name, [(w, np.asarray(group[w])) for w in _names(group, "weight_names")]))
        attributes.update({name: _text(value) for name, value in root.attrs.items() if isinstance(value, bytes | str)})
        optimizer = []
        if "optimizer_weights" in f:
            group = f["optimizer_weights"]
            optimizer = [(w, np.asarray(group[w])) for w in _names(group, "weight_names")]
    return attributes, layers, optimizer
