"""tf.xla and tf.contrib.compiler.jit: scopes that mark ops for just-in-time compilation; here marks only."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from runtime.tf1.graph import get_default_graph
from runtime.tf1.registry import export


@export("xla.experimental.jit_scope")
@contextlib.contextmanager
def jit_scope(compile_ops: Any = True, separate_compiled_gradients: bool = False) -> Iterator[None]:
    """Ops made inside carry the attributes that ask XLA to compile them."""
    graph = get_default_graph()
    depth = graph.attributes.get("jit_depth", 0)
    scope = graph.attributes.get("jit_scopes", 0)
    if depth == 0:
        graph.attributes["jit_scopes"] = scope + 1
    graph.attributes["jit_depth"] = depth + 1
    marks: dict[str, Any] = {"_XlaSeparateCompiledGradients": bool(separate_compiled_gradients)}
    if depth == 0:
        marks["_XlaScope"] = f"jit_scope_{scope}"
    if not callable(compile_ops):
        marks["_XlaCompile"] = bool(compile_ops)
    try:
        with graph._attr_scope(marks):
            yield
    finally:
        graph.attributes["jit_depth"] = depth


@export("xla.experimental.compile")
def compile_(computation: Any, inputs: Any = None) -> Any:
    """The computation's outputs; a list, as XLA's compile gives."""
    result = computation(*(inputs or []))
    return list(result) if isinstance(result, list | tuple) else [result]
