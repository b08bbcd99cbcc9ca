"""The import rule: arrows point only upstream, and heavy libraries stay in the rooms that own them."""

from __future__ import annotations

import ast
import io
import tokenize
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


# Lines of code from which on a file is split by group, and why the files above it are not. The list may only shrink.
LONG = 600
WHY_LONG = {
    "migrate/rules/replaced.py": "half of it is the rules' examples",
    "runtime/tf1/contrib/feature_columns.py": "a class for each kind of column, all of one shape",
    "runtime/tf1/distribution/bijectors.py": "a class for each bijector, all of one shape",
    "runtime/tf1/graph.py": "Graph and the functions that add to it call one another",
    "runtime/tf1/keras/engine/layer.py": "one class, Layer, as scripts subclass it",
    "runtime/tf1/keras/optimizers.py": "Keras' two families of the same optimizers, side by side",
    "runtime/tf1/modules.py": "tables of names",
    "runtime/tf1/nn_ops.py": "TensorFlow's own group; convolutions and pools are what to move out next",
}


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


def code_lines(path: Path) -> int:
    """Lines that hold code: neither blank, nor comments, nor docstrings."""
    text = path.read_text()
    layout = {tokenize.COMMENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.INDENT, tokenize.NEWLINE, tokenize.NL}
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type not in layout]
    lines = {n for t in tokens for n in range(t.start[0], t.end[0] + 1)}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node) is not None:
            lines.difference_update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return len(lines)


def test_long_files_say_why() -> None:
    long = {str(path.relative_to(ROOT)): path for _, path in modules() if path.read_text().count("\n") > LONG}
    assert {name for name, path in long.items() if code_lines(path) > LONG} <= set(WHY_LONG)
    assert set(WHY_LONG) <= {str(path.relative_to(ROOT)) for _, path in modules()}


def test_no_vague_modules() -> None:
    vague = {"utils", "util", "helpers", "common", "base", "misc"}
    assert [n for n, _ in modules() if n.split(".")[-1] in vague] == []
