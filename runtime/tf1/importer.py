"""Stands in for `tensorflow` while a script runs."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any

from runtime.tf1 import modules

ROOTS = ("tensorflow", "tensorflow_core")
ABSL = ("", "flags", "app", "logging")  # what the stand-in has of `absl`, which TensorFlow brought along; the rest is the installed one's


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `tensorflow` and everything below it in the stand-in's module tree."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None) -> Any:
        root, _, rest = fullname.partition(".")
        if root == "absl":
            return importlib.machinery.ModuleSpec(fullname, self, is_package=not rest) if rest in ABSL else None
        if root not in ROOTS:
            return None
        if rest and not modules.is_module(rest):
            value = modules.lookup(rest)
            if not isinstance(value, types.ModuleType):
                return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: Any) -> types.ModuleType:
        root, _, rest = spec.name.partition(".")
        if root == "absl":
            return _absl(rest)
        modules.load_core()
        found = modules.lookup(rest) if rest else modules.module("")
        return found if isinstance(found, types.ModuleType) else modules.module(rest)

    def exec_module(self, module: types.ModuleType) -> None:
        """Names are found when they are asked for."""


def _absl(part: str) -> types.ModuleType:
    """A module of the stand-in's `absl`; its other parts are those of the installed one."""
    from runtime.tf1 import absl

    package = sys.modules.get("absl")
    if part:
        return getattr(package, part) if package is not None else absl.module(part)
    made = absl.module("")
    real = importlib.machinery.PathFinder.find_spec("absl")
    if real is not None and real.submodule_search_locations is not None:
        made.__path__ = list(real.submodule_search_locations)
    return made


@contextlib.contextmanager
def installed() -> Iterator[types.ModuleType]:
    """`import tensorflow` gives the stand-in inside this block; what was imported as `tensorflow` before is put back after."""
    ours = (*ROOTS, "absl")
    saved = {n: m for n, m in sys.modules.items() if n.partition(".")[0] in ours}
    for n in saved:
        del sys.modules[n]
    finder = Finder()
    sys.meta_path.insert(0, finder)
    try:
        modules.load_core()
        sys.modules["tensorflow"] = modules.module("")
        yield sys.modules["tensorflow"]
    finally:
        sys.meta_path.remove(finder)
        for n in [n for n in sys.modules if n.partition(".")[0] in ours]:
            del sys.modules[n]
        sys.modules.update(saved)
        flags = sys.modules.get("runtime.tf1.flag_values")
        if flags is not None:
            flags.FLAGS._reset()
