"""Ops that run in Python between ONNX segments: the registry of host kernels and what a kernel may ask of its run.

A kernel is `@host("ReadFile")(run, node, *inputs) -> value or tuple of values`, for the op types it names. Values are numpy
arrays (object arrays of bytes for strings); a resource or variant is the Python object itself, or an array of them. A list
argument of the OpDef arrives flat, as the node's inputs do. Kernels raise the classes of runtime.errors.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from graphtools.graph import Func, Node

T = TypeVar("T")


class Run(Protocol):
    """The run a kernel works for."""

    def kernel_state(self, node: Node, make: Callable[[], T]) -> T:
        """What this node keeps between the runs of its session (a random stream's counter, a file handle)."""

    def resource(self, node: Node, make: Callable[[], T]) -> T:
        """The session's resource that this node names (container and shared_name, else its own name), made on first use."""

    def call(self, function: Func, args: Sequence[Any]) -> list[Any]:
        """Run a function of the graph's library on values."""

    def check_cancelled(self) -> None:
        """Raise CancelledError when the session is closing, DeadlineExceededError when the run is out of time; call it while waiting."""


HostKernel = Callable[..., Any]
HOST_KERNELS: dict[str, HostKernel] = {}


def host(*ops: str) -> Callable[[HostKernel], HostKernel]:
    """Declare the host kernel of these op types. Raises ValueError when one has a host kernel already."""

    def declare(function: HostKernel) -> HostKernel:
        for op in ops:
            if op in HOST_KERNELS:
                raise ValueError(f"Two host kernels for op {op!r}: {HOST_KERNELS[op].__module__} and {function.__module__}.")
            HOST_KERNELS[op] = function
        return function

    return declare


@functools.cache
def load() -> dict[str, HostKernel]:
    """The registry, with every file of this folder imported."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return HOST_KERNELS
