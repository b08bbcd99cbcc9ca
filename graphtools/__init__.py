"""graphtools: reads what TensorFlow 0.12 to 2.x wrote, analyses it and converts it to ONNX, without TensorFlow."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphtools.convert import to_onnx as to_onnx
    from graphtools.formats import load as load
    from graphtools.graph import Graph as Graph

_HOMES = {"Graph": "graphtools.graph", "load": "graphtools.formats", "to_onnx": "graphtools.convert"}

__all__ = ["Graph", "load", "to_onnx"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'graphtools' has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
