"""`tfrevive compile`: a subgraph as an optimised model, and what that fixed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from typer.testing import CliRunner, Result

from runtime.artifact import read_feed
from runtime.cli import app

CNN = Path(__file__).resolve().parent.parent.parent / "fixtures/models/mnist_cnn"


def compiled(*words: object) -> Result:
    return CliRunner().invoke(app, ["compile", str(CNN / "frozen.pb"), *map(str, words)])


@pytest.mark.parametrize("how", [[], ["--portable"]], ids=["this machine", "portable"])
def test_the_artifact_computes_the_same(how: list[str], tmp_path: Path) -> None:
    with np.load(CNN / "io.npz") as data:
        x, keep, wanted = data["in:x:0"], data["in:keep_prob:0"], data["out:prob:0"]
    rows = len(x)
    result = compiled(
        "--feed", f"x:0={rows}x784", "--feed", "keep_prob:0", "--fetch", "prob:0", "-o", tmp_path / "made", "--device", "cpu", *how
    )
    assert result.exit_code == 0, result.output
    assert "device:CPU:0" in result.output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["made"]
    report = json.loads((tmp_path / "made/compile.json").read_text())
    assert report["fixed"]["shapes"]["x:0"] == [rows, 784]
    assert report["largest_difference"] is None or report["largest_difference"] < 1e-5
    session = onnxruntime.InferenceSession(str(tmp_path / "made/model.onnx"), providers=["CPUExecutionProvider"])
    (got,) = session.run(["prob:0"], {"x:0": x, "keep_prob:0": keep})
    np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-5)


def test_a_subgraph_in_the_middle_with_an_open_size(tmp_path: Path) -> None:
    result = compiled("--feed", "x:0=?x784", "--feed", "keep_prob:0", "--fetch", "label:0", "-o", tmp_path / "made", "--json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    assert list(report["open"]) == ["x:0"]
    assert list(report["fetches"]) == ["label:0"]
    assert sum(report["ops"].values()) <= sum(report["ops_before"].values())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--feed", "x:0=4x28x28x1", "--fetch", "prob:0"], "rank 2"),
        (["--feed", "x:0=axb", "--fetch", "prob:0"], "expected NAME=1x28x28x1"),
        (["--feed", "x:0", "--fetch", "nothing:0"], "nothing"),
    ],
)
def test_refusals_write_nothing(words: list[str], said: str, tmp_path: Path) -> None:
    result = compiled(*words, "-o", tmp_path / "made")
    assert result.exit_code == 1
    assert said in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_feeds() -> None:
    assert read_feed("x:0") == ("x:0", None)
    assert read_feed("x:0=2x?x3") == ("x:0", (2, None, 3))
    assert read_feed("x:0=") == ("x:0", ())
