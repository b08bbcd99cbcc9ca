"""A graph and its analysis as one self-contained HTML page: scopes that open and close, pan, zoom, search, node details."""

from __future__ import annotations

import html
import json
from importlib import resources
from typing import Any

import numpy as np

from graphtools.analyze import Analysis, flops, shape_text
from graphtools.dtypes import DType
from graphtools.graph import Func, Graph, Node

MAX_TEXT = 160  # characters of an attr's value


def to_html(graph: Graph, analysis: Analysis, title: str) -> str:
    """The page. Nothing is fetched when it is opened."""
    page = resources.files("graphtools").joinpath("graph.html").read_text(encoding="utf-8")
    data = json.dumps({"nodes": nodes_of(graph), "summary": summary(analysis)}, separators=(",", ":")).replace("</", "<\\/")
    return page.replace("{{title}}", html.escape(title)).replace("{{data}}", data)


def nodes_of(graph: Graph) -> list[dict[str, Any]]:
    """What the page knows of each node: name, op, device, inputs, attrs and outputs as text, FLOPs."""
    return [
        {
            "n": node.name,
            "o": node.op,
            "d": node.device,
            "i": [t.node.name for t in node.inputs],
            "c": [c.name for c in node.control_inputs],
            "a": {k: attr_text(v) for k, v in node.attr.items() if not k.startswith("_") and k != "T"},
            "s": [f"{t.dtype.name}{shape_text(t.dims)}" for t in node.outputs],
            "f": flops_of(node),
        }
        for node in graph
    ]


def flops_of(node: Node) -> int:
    try:
        return flops(node)
    except (IndexError, TypeError, KeyError):  # shapes that contradict each other
        return 0


def attr_text(value: Any) -> str:
    """An attr as a short text."""
    if isinstance(value, DType):
        text = value.name
    elif isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        shown = np.array2string(array.ravel()[:8], separator=", ") if array.size else "[]"
        text = f"{array.dtype}{list(array.shape)} {shown}{' ...' if array.size > 8 else ''}"
    elif isinstance(value, Func):
        text = value.name
    elif isinstance(value, list):
        text = "[" + ", ".join(attr_text(v) for v in value[:16]) + (", ..." if len(value) > 16 else "") + "]"
    else:
        text = str(value)
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "..."


def summary(analysis: Analysis) -> dict[str, Any]:
    return {
        "nodes": analysis.nodes,
        "parameters": analysis.parameters,
        "flops": analysis.flops,
        "inputs": [f"{p.name} {p.dtype}{p.shape}" for p in analysis.inputs[:500]],
        "outputs": [f"{p.name} {p.dtype}{p.shape}" for p in analysis.outputs[:500]],
        "ops": analysis.ops,
        "missing": analysis.missing,
    }
