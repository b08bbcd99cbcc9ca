"""Registries filled by need: what a graph names is found without importing everything."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = """
import sys
from graphtools import convert, shapes
from graphtools.graph import Graph
print(convert.load_for({ops!r}).keys() >= {ops!r})
print(len([m for m in sys.modules if m.startswith("graphtools.convert.") and m.endswith("_ops")]))
"""


def modules_for(ops: set[str]) -> tuple[bool, int]:
    out = subprocess.run([sys.executable, "-c", LOADED.format(ops=ops)], capture_output=True, text=True, check=True).stdout.split()
    return out[0] == "True", int(out[1])


def test_a_few_ops_import_a_few_files() -> None:
    found, count = modules_for({"MatMul", "Relu"})
    assert found and count < 12


@pytest.mark.parametrize("op", ["TensorArrayScatterV3", "ResourceApplyAdam", "MutableHashTableV2"])
def test_names_that_no_file_spells_out_are_found(op: str) -> None:
    found, _ = modules_for({op})
    assert found


def test_what_has_no_form_says_why() -> None:
    from graphtools.errors import UnsupportedOps

    text = str(UnsupportedOps({"DecodePng": ["a", "b"], "NoSuchOp": ["c"]}))
    assert "DecodePng: a, b (files are decoded outside of a model: give the decoded tensor as an input)" in text
    assert text.endswith("NoSuchOp: c")
