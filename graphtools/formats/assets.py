"""Files that a model reads when its tables are filled: those beside a SavedModel, and those found again beside a MetaGraph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphtools.errors import FormatError
from graphtools.graph import Graph, Node

_FILLED_FROM_FILES = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})


class Assets(Mapping[str, bytes]):
    """The content of files, read when asked for; by file name, and by the path that asset tensors hold."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = dict(paths)

    def _find(self, name: object) -> Path | None:
        found = self._paths.get(name) if isinstance(name, str) else None
        return found or next((p for p in self._paths.values() if str(p) == name), None)

    def __getitem__(self, name: str) -> bytes:
        path = self._find(name)
        if path is None:
            raise KeyError(name)
        try:
            return path.read_bytes()
        except OSError as e:
            raise FormatError(f"The asset {path} cannot be read: {e.strerror or e}.") from e

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    def __contains__(self, name: object) -> bool:
        return self._find(name) is not None


def point_at(node: Node, path: Path) -> None:
    """Make an asset tensor, a Const, hold this path."""
    value: np.ndarray[Any, Any] = np.empty(np.shape(node.attr["value"]), np.object_)
    value[...] = str(path).encode()
    node.attr["value"] = value


def find_beside(graph: Graph, folder: Path) -> None:
    """Find the files that fill a MetaGraph's tables near it, by name: it records the paths of the machine that wrote it.

    They are looked for in the MetaGraph's folder, in folders called assets in and beside it, and in those of SavedModels beside it.
    A recorded path itself is not opened: a file from elsewhere must not choose what is read here.
    """
    found: dict[str, Path] = {}
    for node in graph:
        if node.op not in _FILLED_FROM_FILES or len(node.inputs) < 2 or node.inputs[1].node.op != "Const":
            continue
        const = node.inputs[1].node
        recorded = np.ravel(const.attr["value"])
        if recorded.size != 1 or not isinstance(recorded[0], bytes):
            continue
        name = recorded[0].decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
        if not name or name in (".", "..") or "\0" in name:
            continue
        near = [folder / name, folder / "assets" / name, folder.parent / "assets" / name]
        near += sorted(p / name for p in folder.parent.glob("*/assets") if (p.parent / "variables").is_dir())
        path = next((p for p in near if p.is_file()), None)
        if path is not None:
            found[name] = path
            point_at(const, path)
    if found:
        graph.assets = Assets(found)
