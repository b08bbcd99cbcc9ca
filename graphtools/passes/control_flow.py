"""Raise v1 control flow (Switch, Merge, Enter, Exit, NextIteration) to functional If and While."""

from __future__ import annotations

from graphtools.graph import Function, Graph
from graphtools.passes.conds import raise_conds
from graphtools.passes.frames import raise_frames

V1 = frozenset({"Switch", "RefSwitch", "_SwitchN", "Merge", "RefMerge", "Enter", "RefEnter"})


def run(graph: Graph) -> bool:
    """Loops first: what is left of Switch and Merge then belongs to conds."""
    changed = raise_graph(graph)
    for name in list(graph.functions):
        changed |= raise_graph(graph.functions[name].graph, graph.functions[name])
    return changed


def raise_graph(graph: Graph, function: Function | None = None) -> bool:
    if not any(node.op in V1 for node in graph):
        return False
    changed = raise_frames(graph)
    return raise_conds(graph, function) or changed
