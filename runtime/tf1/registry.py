"""What the stand-in exports: TensorFlow 1.15 names and the objects behind them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

EXPORTS: dict[str, Any] = {}  # "nn.relu" -> the function
NOTHING = object()  # exported for a name whose value is None (tf.newaxis): None itself means that there is no such name


def export(*names: str) -> Callable[[T], T]:
    """Make an object the one behind these names of `tensorflow` ("nn.relu" for tf.nn.relu). Raises ValueError for a name taken."""

    def declare(target: T) -> T:
        for name in names:
            put(name, target)
        return target

    return declare


def put(name: str, target: Any) -> None:
    """Export a value that no decorator can mark."""
    if name in EXPORTS and EXPORTS[name] is not target:
        raise ValueError(f"Two things are exported as tf.{name}: {EXPORTS[name]!r} and {target!r}.")
    EXPORTS[name] = target
