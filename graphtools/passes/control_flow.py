"""Raise v1 control flow (Switch, Merge, Enter, Exit, NextIteration) to functional If and While."""

from __future__ import annotations

from graphtools.graph import Graph


def run(graph: Graph) -> bool:
    return False
