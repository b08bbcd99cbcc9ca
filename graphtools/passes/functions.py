"""Inline the calls of library functions."""

from __future__ import annotations

from graphtools.graph import Graph


def run(graph: Graph) -> bool:
    return False
