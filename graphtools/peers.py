"""Folders of peers that register themselves by being imported: all of them, or only those that say the names that are wanted."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Container, Iterable
from importlib import resources

_asked: set[tuple[str, str]] = set()  # what was looked for, found or not


def load_all(package: str, path: Iterable[str], suffix: str = "") -> None:
    """Import every module of a package whose name ends with `suffix`."""
    for module in pkgutil.iter_modules(path):
        if module.name.endswith(suffix):
            importlib.import_module(f"{package}.{module.name}")


def load_for(package: str, path: Iterable[str], registry: Container[str], wanted: Iterable[str], suffix: str = "") -> None:
    """Import the modules that have one of the wanted names in quotes; all, where that does not register every one of them."""
    new = [name for name in wanted if (package, name) not in _asked]
    if not new:
        return
    _asked.update((package, name) for name in new)
    quoted = [f'"{name}"'.encode() for name in new if name not in registry]
    for module, text in _texts(package, suffix):
        if any(q in text for q in quoted):
            importlib.import_module(f"{package}.{module}")
    if any(name not in registry for name in new):
        load_all(package, path, suffix)


@functools.cache
def _texts(package: str, suffix: str) -> list[tuple[str, bytes]]:
    """The modules of a package with their source."""
    ending = f"{suffix}.py"
    try:
        files = [f for f in resources.files(package).iterdir() if f.name.endswith(ending) and f.name != "__init__.py"]
        return [(f.name.removesuffix(".py"), f.read_bytes()) for f in sorted(files, key=lambda f: f.name)]
    except OSError:
        return []


__all__ = ["load_all", "load_for"]
