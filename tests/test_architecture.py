"""The import rule: arrows point only upstream, and heavy libraries stay in the rooms that own them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("migrate", "graphtools", "runtime")

# Package -> the project modules (prefixes) it may import besides its own.
ALLOWED = {
    "graphtools": ("migrate.report",),
    "graphtools.cli": ("migrate.cli", "migrate.report"),
    "migrate": (),
    "runtime": ("graphtools", "migrate.report"),
    "runtime.cli": ("graphtools", "migrate"),
    "runtime.library": ("graphtools", "migrate"),
    "runtime.script": ("graphtools", "migrate"),
    "runtime.tf1": ("graphtools", "migrate.report", "migrate.symbols"),
}

# Library -> the only places that import it.
OWNERS = {"fissix": ("migrate",), "h5py": ("graphtools.formats",), "libcst": ("migrate",), "onnxruntime": ("runtime",)}


def modules() -> list[tuple[str, Path]]:
    found = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            found.append((name, path))
    return found


def imports(path: Path) -> list[tuple[int, str]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.extend((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.extend((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
    return found


def within(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == p or name.startswith(p + ".") for p in prefixes)


@pytest.mark.parametrize(("name", "path"), modules(), ids=[n for n, _ in modules()])
def test_imports_point_upstream(name: str, path: Path) -> None:
    package = name.split(".")[0]
    rule = max((k for k in ALLOWED if within(name, (k,))), key=len)
    for line, imported in imports(path):
        top = imported.split(".")[0]
        if top in PACKAGES and top != package:
            assert within(imported, ALLOWED[rule]), f"{path}:{line}: {name} may not import {imported}"
        if top in OWNERS:
            assert within(name, OWNERS[top]), f"{path}:{line}: {imported} belongs to {', '.join(OWNERS[top])}"


def test_no_vague_modules() -> None:
    vague = {"utils", "util", "helpers", "common", "base", "misc"}
    assert [n for n, _ in modules() if n.split(".")[-1] in vague] == []
