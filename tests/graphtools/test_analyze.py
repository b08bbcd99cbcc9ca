"""The analysis of a graph, as data, page and event file."""

from __future__ import annotations

import json
import re
from pathlib import Path

from typer.testing import CliRunner

import graphtools
from graphtools.analyze import analyze, flops
from graphtools.dtypes import float32
from graphtools.graph import Graph
from graphtools.to_html import to_html
from runtime.cli import app
from runtime.events import read_events

FROZEN = Path(__file__).resolve().parent.parent.parent / "fixtures/models/mnist_cnn/frozen.pb"


def test_counts() -> None:
    found = analyze(graphtools.load(FROZEN))
    assert found.ops["Conv2D"] == 2
    assert [p.name for p in found.inputs] == ["x:0", "keep_prob:0"]
    assert found.inputs[0].shape == "[?, 784]"
    assert not found.missing
    assert found.parameters > 0


def test_flops_of_a_product() -> None:
    graph = Graph()
    a = graph.op("Placeholder", dtype=float32, shape=(3, 4))
    b = graph.op("Placeholder", dtype=float32, shape=(5, 4))
    assert flops(graph.op("MatMul", a, b, transpose_b=True).node) == 2 * 3 * 4 * 5


def test_ops_without_conversion_are_named() -> None:
    graph = Graph()
    graph.op("Timestamp", name="when")
    assert analyze(graph).missing == {"Timestamp": ["when"]}


def test_page_holds_every_node_and_no_address() -> None:
    graph = graphtools.load(FROZEN)
    page = to_html(graph, analyze(graph), "a <model>")
    assert "<title>a &lt;model&gt;</title>" in page
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S).group(1).replace("<\\/", "</"))
    assert {n["n"] for n in data["nodes"]} == set(graph.nodes)
    assert not re.search(r'(?:src|href)="?https?:', page)


def test_inspect_writes_page_and_events(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app, ["inspect", str(FROZEN), "--json", "--html", str(tmp_path / "g.html"), "--tensorboard", str(tmp_path / "tb")]
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["ops"]["Conv2D"] == 2
    assert (tmp_path / "g.html").stat().st_size > 10_000
    (events,) = (tmp_path / "tb").iterdir()
    graph_defs = [e.graph_def for e in read_events(str(events)) if e.graph_def]
    assert len(graphtools.load(graph_defs[0]).nodes) == len(graphtools.load(FROZEN).nodes)
