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


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `tensorflow` and everything below it in the stand-in's module tree."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None) -> Any:
        root, _, rest = fullname.partition(".")
        if root not in ROOTS:
            return None
        if rest and not modules.is_module(rest):
            value = modules.lookup(rest)
            if not isinstance(value, types.ModuleType):
                return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: Any) -> types.ModuleType:
        rest = spec.name.partition(".")[2]
        modules.load_core()
        found = modules.lookup(rest) if rest else modules.module("")
        return found if isinstance(found, types.ModuleType) else modules.module(rest)

    def exec_module(self, module: types.ModuleType) -> None:
        """Names are found when they are asked for."""


@contextlib.contextmanager
def installed() -> Iterator[types.ModuleType]:
    """`import tensorflow` gives the stand-in inside this block; what was imported as `tensorflow` before is put back after."""
    saved = {n: m for n, m in sys.modules.items() if n.partition(".")[0] in ROOTS}
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
        for n in [n for n in sys.modules if n.partition(".")[0] in ROOTS]:
            del sys.modules[n]
        sys.modules.update(saved)
