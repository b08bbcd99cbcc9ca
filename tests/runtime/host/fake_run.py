"""A run for kernels called on their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphtools.graph import Func, Graph, Node
from runtime import host
from runtime.errors import CancelledError


class FakeRun:
    """Keeps resources and kernel states by node name, and calls Python functions by the name of a Func."""

    def __init__(self, functions: dict[str, Callable[..., Any]] | None = None) -> None:
        self.kept: dict[tuple[str, str], Any] = {}
        self.functions = functions or {}
        self.cancelled = threading.Event()

    def kernel_state(self, node: Node, make: Callable[[], Any]) -> Any:
        key = ("kernel", node.name)
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def resource(self, node: Node, make: Callable[[], Any]) -> Any:
        key = ("resource", node.attr.get("shared_name") or node.name)
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def call(self, function: Func, args: Sequence[Any]) -> list[Any]:
        return list(self.functions[function.name](*args))

    def check_cancelled(self) -> None:
        if self.cancelled.is_set():
            raise CancelledError(None, None, "The session is closing.")


def run_op(run: FakeRun, op: str, *inputs: Any, name: str | None = None, **attr: Any) -> Any:
    """What the host kernel of an op gives for values; attrs that are not given have their defaults."""
    node = Node(Graph(), name or op, op, dict(attr))
    assert node.opdef is not None
    for spec in node.opdef.attrs.values():
        node.attr.setdefault(spec.name, spec.default)
    return host.load()[op](run, node, *[np.asarray(v) if isinstance(v, int | float | list | np.generic) else v for v in inputs])


def text(value: bytes) -> Any:
    array = np.empty((), object)
    array[()] = value
    return array
