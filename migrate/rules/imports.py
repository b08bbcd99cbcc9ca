"""Imports and uses of TensorFlow that no rule about a symbol can see: left over, by a star, by text, passed around."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import libcst as cst

from migrate import symbols
from migrate.names import Binding, Names, dotted
from migrate.report.finding import Level
from migrate.rule import REMOVE, Context, Example, Match, rule


def _is_gone(path: str | None, symbol: str | None, target: str) -> bool:
    """Missing from the target version, or private, which no version promises."""
    if path is None:
        return False
    if path.startswith(("tf.python.", "tf.core.", "tf.models.")):
        return True
    return not symbols.exists(symbol or path, symbols.TARGETS[target])


def _exported(name: str, names: Names, context: Context) -> bool:
    """Other files may take the name from here."""
    return context.filename.endswith("__init__.py") or any(True for _ in names.scope.bindings.get("__all__", ()))


@rule(
    "unused-import",
    "Remove an import or an alias of a name that is gone, once nothing uses it.",
    since="1.0",
    visits=(cst.Import, cst.ImportFrom, cst.Assign),
    order=140,
    examples=[
        Example("import tensorflow as tf\nfrom tensorflow.contrib import layers\n", "import tensorflow as tf\n", target="2"),
        Example("import tensorflow as tf\nrnn = tf.contrib.rnn\n", "import tensorflow as tf\n", target="2"),
        Example("import tensorflow as tf\nfrom tensorflow.contrib import layers\n", None, "1.15 has it", target="1"),
        Example("from tensorflow.contrib import layers\nprint(layers)\n", None, "used", target="2"),
        Example("import tensorflow as tf\ny = tf.contrib.layers.linear(x, 2)\n", None, "a call does something", target="2"),
        Example("from tensorflow.contrib import layers\n__all__ = ['layers']\n", None, "others may import it from here", target="2"),
    ],
)
def unused_import(node: Any, names: Names, context: Context) -> Iterator[Match]:
    if isinstance(node, cst.Assign):
        yield from _unused_alias(node, names, context)
        return
    if isinstance(node.names, cst.ImportStar):
        return
    for alias in node.names:
        path = names.path(alias)
        if not _is_gone(path, names.symbol(alias), context.target):
            continue
        binding = _binding(alias, names)
        if binding is None or _exported(binding.name, names, context):
            continue
        if isinstance(node, cst.Import) and alias.asname is None:
            used = [r for r in names.references if (names.path(r) or "").startswith(f"{path}.") or names.path(r) == path]
            if not used:
                if names.uses(binding):
                    yield Match(alias, f"{path} is not used any more", rename="tf")
                else:
                    yield Match(alias, f"{path} is not used any more", REMOVE)
        elif not names.uses(binding):
            yield Match(alias, f"{path} is not used any more", REMOVE)


def _binding(alias: cst.ImportAlias, names: Names) -> Binding | None:
    local = alias.asname.name if alias.asname is not None else alias.name
    root = (dotted(local) or "").partition(".")[0]
    found = names.scope_of(alias).lookup(root)
    return next((b for b in found[1] if b.node is alias), None) if found is not None else None


def _unused_alias(node: cst.Assign, names: Names, context: Context) -> Iterator[Match]:
    if len(node.targets) != 1 or not isinstance(node.targets[0].target, cst.Name):
        return
    if not isinstance(node.value, (cst.Name, cst.Attribute)):
        return
    symbol = names.symbol(node.value)
    if symbol is None or not _is_gone(names.path(node.value), symbol, context.target) or symbols.exists(symbol, "2.15.1"):
        return
    if not symbol.startswith("tf.contrib.") and symbols.exists("tf.compat.v1." + symbol[3:], "2.15.1"):
        return  # it only moves, and another file may take it from here
    name = node.targets[0].target.value
    found = names.scope_of(node.targets[0].target).lookup(name)
    if found is None or len(found[1]) != 1 or found[0].kind == "class" or _exported(name, names, context):
        return
    if not names.uses(found[1][0]):
        yield Match(node, f"{name} ({symbol}) is not used any more", REMOVE)


@rule(
    "star-import",
    "Report names of TensorFlow that a star brings in: they cannot be told from others.",
    since="0.5",
    visits=cst.ImportFrom,
    examples=[
        Example("from tensorflow.python.ops.rnn import *\n", None, reported=True),
        Example("from numpy import *\nimport tensorflow as tf\n", None, "not TensorFlow"),
    ],
)
def star_import(node: cst.ImportFrom, names: Names, context: Context) -> Iterator[Match]:
    if node in names.star_imports:
        module = dotted(node.module)
        yield Match(
            node,
            f"from {module} import * hides which names are TensorFlow's",
            level=Level.WARNING,
            advice="import the module (`import tensorflow as tf`) and name what is used, then upgrade again",
        )


@rule(
    "name-by-text",
    "Report a symbol that is looked up by its name as text.",
    since="0.5",
    visits=cst.Call,
    methods=("delattr", "getattr", "hasattr", "setattr"),
    examples=[
        Example("import tensorflow as tf\nf = getattr(tf, 'mul')\n", None, reported=True),
        Example("import tensorflow as tf\nf = getattr(x, 'mul')\n", None, "x is not TensorFlow"),
    ],
)
def name_by_text(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    if not isinstance(node.func, cst.Name) or node.func.value not in ("getattr", "hasattr", "setattr", "delattr") or len(node.args) < 2:
        return
    base = names.symbol(node.args[0].value)
    if base is None:
        return
    text = names.literal(node.args[1].value)
    if not isinstance(text, str):
        if symbols.symbol(base, "1.15.5") is None or symbols.symbol(base, "1.15.5").kind == "module":  # type: ignore[union-attr]
            yield Match(
                node,
                f"a name of {base} is looked up by text that is not known",
                advice="check that the target version has every name it may be",
            )
        return
    name = f"{base}.{text}"
    if symbols.exists(name, symbols.TARGETS[context.target]):
        return
    advice = "write the new name there, or the symbol itself in place of the call"
    yield Match(node, f"{name} is looked up by text, and TensorFlow {symbols.TARGETS[context.target]} has no such name", advice=advice)


@rule(
    "module-passed-on",
    "Report the module tensorflow where it is passed on: what is used of it there cannot be seen.",
    since="0.5",
    visits=cst.Module,
    examples=[
        Example("import tensorflow as tf\nmodel = build(tf, 3)\n", None, reported=True),
        Example("import tensorflow as tf\nsession = tf.Session()\n", None, "a use", target="1"),
    ],
)
def module_passed_on(node: cst.Module, names: Names, context: Context) -> Iterator[Match]:
    for reference in names.references:
        if names.symbol(reference) not in ("tf", "tf.contrib"):
            continue
        above = names.parent(reference)
        if isinstance(above, cst.Arg):
            call = names.parent(above)
            known = isinstance(call, cst.Call) and isinstance(call.func, cst.Name) and call.func.value in _LOOKING
            if known:
                continue
        elif not isinstance(above, (cst.Return, cst.Element, cst.DictElement, cst.Assign)) or _is_alias(above):
            continue
        what = dotted(reference)
        yield Match(reference, f"{what} is passed on here", advice=f"what is used of {what} there is not upgraded: check it by hand")


_LOOKING = frozenset({"delattr", "dir", "getattr", "hasattr", "help", "id", "print", "repr", "setattr", "str", "type", "vars"})


def _is_alias(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Assign) and all(isinstance(t.target, cst.Name) for t in node.targets)
