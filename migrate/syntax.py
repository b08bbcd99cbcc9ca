"""What a piece of source says by itself: its parts, dotted names, literal values."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterator
from typing import Any, Final

import libcst as cst

ROOTS: Final = ("tensorflow", "tensorflow_core")

# Fields that hold layout or plain text, never code: the walk does not enter them.
LAYOUT: Final = frozenset(
    [
        "asynchronous",
        "comma",
        "default_indent",
        "default_newline",
        "dot",
        "encoding",
        "equal",
        "footer",
        "has_trailing_newline",
        "header",
        "indent",
        "leading_lines",
        "lines_after_decorators",
        "lines_after_module_docstring",
        "lbrace",
        "lbracket",
        "lpar",
        "operator",
        "rbrace",
        "rbracket",
        "relative",
        "rpar",
        "semicolon",
        "trailing_whitespace",
        "colon",
        "first_colon",
        "second_colon",
        "star",
        "prefix",
        "conversion",
    ]
)
LEAVES: Final = (cst.Name, cst.SimpleString, cst.Integer, cst.Float, cst.Imaginary, cst.Ellipsis, cst.Pass, cst.Break, cst.Continue)

UNKNOWN: Final = object()  # of literal(): what is not known before the program runs

FIELDS: dict[type, tuple[str, ...]] = dict.fromkeys(LEAVES, ())


def fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    """The fields of a node class that hold code."""
    found = FIELDS.get(kind)
    if found is None:
        names = (f.name for f in dataclasses.fields(kind))
        found = tuple(n for n in names if n not in LAYOUT and not n.startswith("whitespace"))
        FIELDS[kind] = found
    return found


def children(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for name in fields(type(node)):
        value = getattr(node, name)
        if isinstance(value, cst.CSTNode):
            yield value
        elif isinstance(value, (list, tuple)):
            for item in value:
                if isinstance(item, cst.CSTNode):
                    yield item


def dotted(node: cst.CSTNode | None) -> str | None:
    """`a.b.c` of a chain of plain attributes, else None."""
    parts: list[str] = []
    while isinstance(node, cst.Attribute):
        parts.append(node.attr.value)
        node = node.value
    if not isinstance(node, cst.Name):
        return None
    parts.append(node.value)
    return ".".join(reversed(parts))


def symbol_of_module(module: str) -> str | None:
    """tensorflow.nn -> tf.nn; None for what is not TensorFlow."""
    root, dot, rest = module.partition(".")
    return "tf" + dot + rest if root in ROOTS else None


def leftmost(node: cst.CSTNode) -> cst.CSTNode:
    while isinstance(node, cst.Attribute):
        node = node.value
    return node


def statements(body: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The small statements of a block, not those of functions and classes inside it."""
    stack = [body]
    while stack:
        node = stack.pop()
        if isinstance(node, cst.BaseSmallStatement):
            yield node
        elif not isinstance(node, (cst.FunctionDef, cst.ClassDef, cst.BaseExpression)):
            stack += children(node)


def literal(node: cst.CSTNode) -> Any:
    if isinstance(node, (cst.Integer, cst.Float, cst.Imaginary, cst.SimpleString, cst.ConcatenatedString)):
        try:
            return node.evaluated_value
        except Exception:
            return UNKNOWN
    if isinstance(node, cst.Name):
        return {"True": True, "False": False, "None": None}.get(node.value, UNKNOWN)
    if isinstance(node, (cst.List, cst.Tuple)):
        values = [literal(e.value) if isinstance(e, cst.Element) else UNKNOWN for e in node.elements]
        if any(v is UNKNOWN for v in values):
            return UNKNOWN
        return values if isinstance(node, cst.List) else tuple(values)
    if isinstance(node, (cst.UnaryOperation, cst.BinaryOperation, cst.Dict, cst.Set)):
        try:
            return ast.literal_eval(cst.Module([]).code_for_node(node))
        except (ValueError, SyntaxError, TypeError):
            return UNKNOWN
    return UNKNOWN
