"""Formats: what TensorFlow and Keras wrote to disk, read into a Graph. `load` is the only place that guesses what a file is."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphtools.dtypes import DType
from graphtools.errors import FormatError
from graphtools.formats import mapped
from graphtools.graph import Graph


def load(
    source: str | os.PathLike[str] | bytes,
    *,
    checkpoint: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    signature: str | None = None,
    tags: Sequence[str] | None = None,
) -> Graph:
    """The graph in a file, a folder, or the bytes of a GraphDef, with static shapes inferred.

    `checkpoint` gives the values of a GraphDef's or MetaGraph's variables, `weights` those of a Keras model's JSON or YAML;
    `signature` and `tags` choose among those of a SavedModel or MetaGraph. Raises FormatError.
    """
    from graphtools import shapes

    graph = _read(source, checkpoint, weights, signature, tags)
    shapes.infer_graph(graph)
    for function in graph.functions.values():
        if all(isinstance(t.dtype, DType) for t in (*function.inputs, *function.outputs)):
            shapes.infer_graph(function.graph)
    return graph


def _read(
    source: str | os.PathLike[str] | bytes,
    checkpoint: str | os.PathLike[str] | None,
    weights: str | os.PathLike[str] | None,
    signature: str | None,
    tags: Sequence[str] | None,
) -> Graph:
    from graphtools.formats import assets, graphdef, metagraph, saved_model

    path: Path | None = None
    data: Any
    if isinstance(source, bytes | bytearray | memoryview):
        data, what = bytes(source), "The GraphDef"
    else:
        path = _model_file(Path(source))
        what = str(path)
        data = _content(path)
    kind = detect(data)
    if not isinstance(data, bytes) and kind not in ("graphdef", "metagraph", "saved_model"):
        data = bytes(data)
    if signature is not None and kind not in (*_SIGNED, ""):
        raise FormatError(f"{what} is {_KINDS.get(kind, 'a checkpoint')}, which has no signatures; leave out the signature {signature!r}.")
    if tags and kind and not kind.startswith("saved_model"):
        raise FormatError(
            f"{what} is {_KINDS.get(kind, 'a checkpoint')}, which has no tags; leave out the tags {', '.join(map(repr, tags))}."
        )
    if kind in ("graphdef", "graphdef_text"):
        graph = graphdef.read(data, what=what) if kind == "graphdef" else graphdef.read_text(data, what=what)
        _bind(graph, checkpoint)
        return graph
    if kind in ("metagraph", "metagraph_text"):
        read = metagraph.read if kind == "metagraph" else metagraph.read_text
        graph = read(data, signature=signature, what=what)
        _bind(graph, checkpoint or (None if path is None else _checkpoint_beside(path)))
        if path is not None:
            assets.find_beside(graph, path.parent)
        return graph
    if kind in ("saved_model", "saved_model_text") and path is not None:
        graph = saved_model.read(path, data, kind == "saved_model_text", signature=signature, tags=tags)
        _bind(graph, checkpoint)
        return graph
    if kind in ("hdf5", "keras_json", "keras_yaml"):
        from graphtools.formats import hdf5

        return hdf5.read(path, data, kind, weights)
    if kind == "checkpoint":
        raise FormatError(
            f"{what} is a checkpoint: it has values, but no graph. Load the .meta file or the GraphDef it belongs to, with checkpoint={what!r}."
        )
    raise FormatError(f"{what} is {_other(data)}; a GraphDef, MetaGraph, SavedModel or Keras model was expected.")


_SIGNED = ("metagraph", "metagraph_text", "saved_model", "saved_model_text")
_KINDS = {
    "graphdef": "a GraphDef",
    "graphdef_text": "a GraphDef",
    "hdf5": "a Keras model",
    "keras_json": "a Keras model",
    "keras_yaml": "a Keras model",
    "metagraph": "a MetaGraph",
    "metagraph_text": "a MetaGraph",
}

# What other files start with (at an offset), and what they are.
_OTHERS = (
    (0, b"PK\x03\x04", "a zip archive (Keras 3 and PyTorch write such)"),
    (0, b"\x1f\x8b", "compressed with gzip"),
    (0, b"\x93NUMPY", "an array of numpy"),
    (0, b"\x80", "a Python pickle, which is not read: it can run any code"),
    (4, b"TFL3", "a TensorFlow Lite model"),
    (257, b"ustar", "a tar archive"),
)


def _other(data: bytes) -> str:
    if not data:
        return "empty"
    return next((what for at, magic, what in _OTHERS if data[at : at + len(magic)] == magic), "of no known format")


def _content(path: Path) -> bytes | memoryview:
    """The bytes of a file; a big one mapped into memory."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size >= mapped.SMALLEST:
                return mapped.mapped(file) or file.read()
            return file.read()
    except (OSError, ValueError) as e:
        raise FormatError(f"{path} cannot be read: {getattr(e, 'strerror', None) or e}.") from e


def _model_file(path: Path) -> Path:
    """The file that says what is in a folder; a file itself."""
    try:
        is_folder = path.is_dir()
    except (OSError, ValueError) as e:
        raise FormatError(f"{str(path)!r} is no usable path: {e}.") from e
    if not is_folder:
        return path
    for name in ("saved_model.pb", "saved_model.pbtxt"):
        if (path / name).is_file():
            return path / name
    if (path / "checkpoint").is_file():
        from graphtools.formats.checkpoint import latest

        newest = latest(path)
        meta = newest.with_name(newest.name + ".meta")
        if meta.is_file():
            return meta
        raise FormatError(f"The folder {path} has the checkpoint {newest.name}, but no graph: {meta.name} is missing.")
    exports = [
        p
        for p in path.iterdir()
        if p.name.isascii() and p.name.isdigit() and any((p / n).is_file() for n in ("saved_model.pb", "saved_model.pbtxt"))
    ]
    if exports:  # an Estimator exports into folders named by the time
        return _model_file(max(exports, key=lambda p: int(p.name)))
    metas = sorted(path.glob("*.meta"))
    if len(metas) == 1:
        return metas[0]
    raise FormatError(
        f"The folder {path} has no saved_model.pb, no saved_model.pbtxt, no `checkpoint` file and {len(metas) or 'no'} .meta files."
    )


def _checkpoint_beside(path: Path) -> Path | None:
    """The checkpoint whose MetaGraph this file is, if it is there."""
    if path.suffix != ".meta":
        return None
    prefix = path.with_suffix("")
    is_there = (
        prefix.is_file()
        or prefix.with_name(prefix.name + ".index").is_file()
        or any(path.parent.glob(f"{glob.escape(prefix.name)}-?????-of-?????"))
    )
    return prefix if is_there else None


def _bind(graph: Graph, checkpoint: str | os.PathLike[str] | None) -> None:
    if checkpoint is not None:
        from graphtools.formats import variables
        from graphtools.formats.checkpoint import open_checkpoint

        graph.values = variables.bind(graph, open_checkpoint(checkpoint))


# The fields at the top of a text-form message, by the message they tell.
_TEXT_FIELDS = {
    "graphdef_text": frozenset({"node", "versions", "version", "library"}),
    "metagraph_text": frozenset(
        {"meta_info_def", "graph_def", "saver_def", "collection_def", "signature_def", "asset_file_def", "object_graph_def"}
    ),
    "saved_model_text": frozenset({"saved_model_schema_version", "meta_graphs"}),
    "checkpoint_state": frozenset({"model_checkpoint_path", "all_model_checkpoint_paths"}),
}


def detect(data: bytes | memoryview) -> str:
    """What a file is, from its content: a key such as "graphdef" or "metagraph_text", or "" if unknown."""
    from graphtools.formats import schema

    head = bytes(data[:4096])
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return "hdf5"
    head = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"{"):
        return "keras_json"
    while head.startswith(b"#"):
        head = head.partition(b"\n")[2].lstrip()
    word = re.match(rb"([a-z_]+)\s*(?::|\{|<)", head)
    if word is not None:
        for kind, fields in _TEXT_FIELDS.items():
            if word[1].decode() in fields:
                return kind
    if data[-8:] == (0xDB4775248B80FB57).to_bytes(8, "little"):
        return "checkpoint"
    if re.match(rb"(?:backend|class_name|config|keras_version)\s*:", head) is not None:
        return "keras_yaml"
    view = memoryview(data)
    at, end = 0, len(data)
    first: tuple[int, int] | None = None
    counts: dict[tuple[int, int], int] = {}
    try:
        while at < end:
            number, wire, start, stop = schema.field_at(view, at, end)
            counts[number, wire] = counts.get((number, wire), 0) + 1
            if (number, wire) == (1, 2) and first is None:
                first = start, stop
            if counts[number, wire] > 3 and (number, wire) == (1, 2):
                return "graphdef"
            at = stop
    except schema.WireError:
        pass  # damaged further on: what stands before it tells the kind, and its reader says where
    if (1, 0) in counts and (1, 2) not in counts:
        return "saved_model"
    if first is not None and _is_node(view, *first):
        return "graphdef"
    if (counts.get((2, 2)) == 1 and first is not None) or ((2, 2) in counts and {(3, 2), (4, 2), (5, 2)} & set(counts)):
        return "metagraph"
    return "graphdef" if counts and set(counts) <= {(1, 2), (2, 2), (3, 0), (4, 2)} else ""


def _is_node(view: memoryview, at: int, end: int) -> bool:
    """Whether a message is a NodeDef rather than a MetaInfoDef: field 2 is the name of an op."""
    from graphtools.formats import schema

    try:
        while at < end:
            number, wire, start, stop = schema.field_at(view, at, end)
            if number == 2:
                return wire == 2 and re.fullmatch(rb"[A-Za-z_.>][\w.>/\\-]*", bytes(view[start:stop])) is not None
            at = stop
    except schema.WireError:
        pass
    return False
