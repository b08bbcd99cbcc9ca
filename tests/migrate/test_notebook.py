"""Notebooks: code cells rewritten as one program, everything else byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest

from migrate import notebook
from migrate.source import SourceError
from migrate.tree import Options, upgrade_bytes


def book(*cells: str | list[str], **top: Any) -> dict[str, Any]:
    made = [
        {"cell_type": "code", "execution_count": 3, "metadata": {"a": 1.0}, "outputs": [{"text": ["tf.mul\n"]}], "source": c} for c in cells
    ]
    return {
        "cells": [{"cell_type": "markdown", "metadata": {}, "source": ["tf.mul(a)\n"]}, *made],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 2,
        **top,
    }


def upgraded(data: dict[str, Any], **dump: Any) -> tuple[str, str, Any]:
    text = json.dumps(data, **{"indent": 1, "ensure_ascii": False, **dump}) + "\n"
    outcome = upgrade_bytes(text.encode(), "n.ipynb", Options(target="1"))
    return text, outcome.data.decode() if outcome.data is not None else text, outcome.report


def sources(text: str) -> list[str]:
    return ["".join(c["source"]) for c in json.loads(text)["cells"][1:]]


def test_names_reach_over_cells_and_the_rest_is_untouched() -> None:
    data = book(["import tensorflow as tf\n"], ["x = 1\n", "y = tf.mul(x, \u00e9)  # c"], "tf.sub(a, b)")
    before, after, report = upgraded(data)
    assert sources(after) == ["import tensorflow as tf\n", "x = 1\ny = tf.multiply(x, \u00e9)  # c", "tf.subtract(a, b)"]
    assert after == before.replace('"y = tf.mul(x', '"y = tf.multiply(x').replace('"tf.sub(', '"tf.subtract(')
    assert [(f.location.cell, f.location.line, f.location.column) for f in report.findings] == [(3, 2, 5), (4, 1, 1)]


@pytest.mark.parametrize(
    "dump", [{}, {"indent": 4}, {"indent": None}, {"indent": None, "separators": (",", ":")}, {"ensure_ascii": True}, {"sort_keys": True}]
)
def test_layouts_of_json(dump: dict[str, Any]) -> None:
    data = book(["import tensorflow as tf\n", "a = '\u00e9'\n", "tf.mul(a)"])
    before, after, _ = upgraded(data, **dump)
    assert after == before.replace('tf.mul(a)"]', 'tf.multiply(a)"]').replace('"tf.mul(a)"', '"tf.multiply(a)"').replace(
        '"tf.multiply(a)\\n"', '"tf.mul(a)\\n"'
    )
    assert sources(after) == ["import tensorflow as tf\na = '\u00e9'\ntf.multiply(a)"]


def test_magics_and_shell_lines_stay() -> None:
    cell = "%matplotlib inline\n!pip install \\\n   tensorflow==0.12\nimport tensorflow as tf\nif x:\n    %time tf.mul(a)\n    y = !ls\n    tf.mul(b)\n?tf.mul\ntf.mul?\nz = a % b\ns = '''\n%not\n'''"
    _, after, _ = upgraded(book(cell, "%%bash\necho tf.mul(a)", "%%time\ntf.mul(c)"))
    assert sources(after) == [
        cell.replace("    tf.mul(b)", "    tf.multiply(b)"),
        "%%bash\necho tf.mul(a)",
        "%%time\ntf.multiply(c)",
    ]


def test_a_cell_that_cannot_be_read_is_left_and_reported() -> None:
    _, after, report = upgraded(book("import tensorflow as tf", "x = = 1 # tf.mul", "tf.mul(a)"))
    assert sources(after) == ["import tensorflow as tf", "x = = 1 # tf.mul", "tf.multiply(a)"]
    assert [(f.rule, f.location.cell, f.location.line) for f in report.findings if f.is_manual] == [("unreadable", 3, 1)]


def test_python2_cells() -> None:
    _, after, _ = upgraded(book("import tensorflow as tf\nprint 'a'", "print tf.mul(a)\n"))
    assert sources(after) == ["import tensorflow as tf\nprint('a')", "print(tf.multiply(a))\n"]


def test_format_3() -> None:
    data = {
        "metadata": {},
        "nbformat": 3,
        "worksheets": [{"cells": [{"cell_type": "code", "input": ["import tensorflow as tf\n", "tf.mul(a)"], "outputs": []}]}],
    }
    _, after, _ = upgraded(data)
    assert json.loads(after)["worksheets"][0]["cells"][0]["input"] == ["import tensorflow as tf\n", "tf.multiply(a)"]


def test_inserted_imports_land_in_the_cell_of_the_import() -> None:
    text = json.dumps(book("from tensorflow.python.ops import math_ops", "y = math_ops.matmul(a, b)"))
    outcome = upgrade_bytes(text.encode(), "n.ipynb", Options(target="1"))
    assert outcome.data is not None
    assert sources(outcome.data.decode())[-1] == "y = tf.matmul(a, b)"
    assert "import tensorflow as tf" in sources(outcome.data.decode())[0]


@pytest.mark.parametrize("text", ["{", "[]", '{"cells": 3}', "tensorflow"])
def test_what_is_no_notebook(text: str) -> None:
    with pytest.raises(SourceError, match="not a notebook"):
        notebook.cells(text, "n.ipynb")
