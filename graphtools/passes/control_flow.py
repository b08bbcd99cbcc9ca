"""Raise v1 control flow (Switch, Merge, Enter, Exit, NextIteration) to functional If and While."""

from __future__ import annotations

from graphtools.graph import Function, Graph
from graphtools.passes.conds import raise_conds
from graphtools.passes.frames import raise_frames
from graphtools.passes.stacks import shape_pops
from graphtools.state import called_functions

V1 = frozenset({"Switch", "RefSwitch", "_SwitchN", "Merge", "RefMerge", "Enter", "RefEnter"})


def run(graph: Graph) -> bool:
    """Loops first: what is left of Switch and Merge then belongs to conds."""
    changed = raise_graph(graph)
    seen: set[str] = set()
    waiting = [graph]
    while waiting:
        for node in list(waiting.pop()):
            for function in called_functions(node):
                if function.name not in seen:
                    seen.add(function.name)
                    changed |= raise_graph(function.graph, function)
                    waiting.append(function.graph)
    if changed:
        shape_pops(graph)
    return changed


def raise_graph(graph: Graph, function: Function | None = None) -> bool:
    if not any(node.op in V1 for node in graph):
        return False
    changed = raise_frames(graph)
    return raise_conds(graph, function) or changed
