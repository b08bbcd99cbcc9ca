"""Passes over a finished ONNX graph, run once before it is written: fewer nodes, fewer Transposes, the same values.

A pass is `run(edit) -> changed`, one file each; PASSES lists their order. They keep what a graph's inputs and outputs are called,
and work on bodies of Loop, If and Scan as on the main graph.
"""

from __future__ import annotations

from graphtools.convert.builder import Builder
from graphtools.convert.optimize import fuse, layout, pads, reuse, rounds, simplify, sizes, sums
from graphtools.convert.optimize.edit import Edit

PASSES = (
    reuse.run, sizes.run, simplify.run, layout.run, fuse.run, sizes.run, simplify.run, layout.run, simplify.run, reuse.run, sums.run, rounds.run, pads.run
)  # fmt: skip


def optimize(builder: Builder) -> None:
    """Improve a graph in place."""
    builder.sanitize()
    edit = Edit(builder)
    for run in PASSES:
        if run(edit):
            edit.tidy()


__all__ = ["optimize"]
