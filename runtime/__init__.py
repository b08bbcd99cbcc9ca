"""Runs TensorFlow 1 graphs and scripts on ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runtime.script import run_script
    from runtime.session import Session

__all__ = ["Session", "run_script"]

_HOMES = {"Session": "runtime.session", "run_script": "runtime.script"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        import importlib

        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'runtime' has no attribute {name!r}")
