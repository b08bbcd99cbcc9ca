"""Static shapes: never against what TensorFlow computed, known where TensorFlow knows them, refused in TensorFlow's words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphtools
from graphtools import shapes
from graphtools.dtypes import as_dtype
from graphtools.errors import ShapeError
from graphtools.graph import Dims

FIXTURES = Path(__file__).parents[2] / "fixtures"
CASES = sorted([*FIXTURES.glob("ops/*.npz"), *FIXTURES.glob("gradients/*.npz")])
RECORDED: list[dict[str, Any]] = json.loads((FIXTURES / "shapes" / "inferred.json").read_text())
REFUSED: list[dict[str, Any]] = json.loads((FIXTURES / "shapes" / "refused.json").read_text())


@pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_never_contradicts_the_values(path: Path) -> None:
    with np.load(path, allow_pickle=False) as data:
        graph = graphtools.load(data["graph"].tobytes())
        for key in data.files:
            if key.startswith("out:"):
                dims, value = graph.tensor(key[4:]).dims, data[key]
                assert dims is None or len(dims) == value.ndim, key
                assert dims is None or all(d in (None, n) for d, n in zip(dims, value.shape, strict=True)), key


def build(entry: dict[str, Any]) -> graphtools.graph.Node:
    """The node that an entry describes: its inputs are placeholders or constants."""
    graph = graphtools.Graph()
    inputs: list[Any] = []
    for i, given in enumerate(entry["inputs"]):
        parts = given if isinstance(given, list) else [given]
        made = []
        for j, part in enumerate(parts):
            dtype = as_dtype(part["dtype"])
            if "value" in part:
                array = np.array(part["value"], dtype.as_numpy_dtype)
                made.append(graph.add_node("Const", [], {"value": array, "dtype": dtype}, name=f"c{i}_{j}").outputs[0])
            else:
                dims: Dims = None if part["shape"] is None else tuple(part["shape"])
                made.append(graph.add_node("Placeholder", [], {"dtype": dtype, "shape": dims}, name=f"p{i}_{j}").outputs[0])
        inputs.append(made if isinstance(given, list) else made[0])
    attr = {k: as_dtype(v["type"]) if isinstance(v, dict) else v for k, v in entry["attr"].items()}
    return graph.add_node(entry["op"], inputs, attr, name=entry["op"])


@pytest.mark.parametrize("entry", RECORDED, ids=lambda e: e["name"])
def test_infers_what_tensorflow_infers(entry: dict[str, Any]) -> None:
    node = build(entry)
    assert [None if t.dims is None else list(t.dims) for t in node.outputs] == entry["shapes"]


@pytest.mark.parametrize("entry", REFUSED, ids=lambda e: e["name"])
def test_refuses_in_tensorflows_words(entry: dict[str, Any]) -> None:
    with pytest.raises(ShapeError) as caught:
        build(entry)
    assert str(caught.value) == entry["message"]


def test_two_shape_functions_for_one_op_are_an_error() -> None:
    shapes.load()
    with pytest.raises(ValueError, match="Two shape functions for op 'Abs'"):
        shapes.shape("Abs")(lambda node: [None])
