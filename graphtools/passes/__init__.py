"""Passes: graph-to-graph changes, and the order in which conversion runs them.

A pass is `run(graph) -> changed`; it leaves a valid graph. `extract` makes the graph that passes may change.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from graphtools.graph import Graph

# functions: inline the calls of library functions. reads: what reads a ref variable sees the writes before it. control_flow: raise v1 frames and conds to functional While and If.
# atrous: convolutions over space moved to the batch become dilated ones.
ORDER = ("functions", "reads", "control_flow", "atrous")


def run(graph: Graph) -> bool:
    """Run every pass once, in order. True when the graph changed."""
    changed = False
    for name in ORDER:
        run_pass: Callable[[Graph], bool] = importlib.import_module(f"{__name__}.{name}").run
        changed |= run_pass(graph)
    return changed
