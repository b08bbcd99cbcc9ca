"""Scripts of many small uses of the API: what they print and the graphs they make, against TensorFlow 1.15."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from runtime import run_script

SCRIPTS = Path(__file__).resolve().parent.parent.parent.parent / "fixtures/stand_in"
NUMBER = re.compile(r"-?\d+\.\d*(?:e[-+]\d+)?|-?\d+e[-+]\d+|\bnan\b|\binf\b")
# relative and absolute; trained models differ by more
TOLERANCES = {"contrib_learn": (1e-3, 1e-4), "contrib_nn": (1e-4, 1e-5), "core": (1e-4, 1e-5), "general": (1e-5, 1e-6)}


def found(pattern: str, ending: str) -> list[str]:
    return sorted(f"{p.parent.parent.name}/{p.name.removesuffix(ending)}" for p in SCRIPTS.glob(pattern + ending))


def lines(text: str) -> list[tuple[str, list[float]]]:
    """Each line without its floating-point numbers and spaces, and these numbers; queues are numbered through the whole process."""
    text = re.sub(r"'_\d+_", "'_0_", text)
    return [(re.sub(r"\s+", "", NUMBER.sub("#", line)), [float(n) for n in NUMBER.findall(line)]) for line in text.splitlines()]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # scripts leave files open
@pytest.mark.filterwarnings("ignore:It is deprecated to return a value")  # unittest takes TestCase.test_session for a test
@pytest.mark.parametrize("name", found("*/expected/*", ".txt"))
def test_script_prints_what_tensorflow_printed(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # some write files
    group, _, stem = name.partition("/")
    with np.printoptions(precision=6):
        run_script(SCRIPTS / f"{name}.py", device="cpu")
    got = lines(capsys.readouterr().out)
    expected = lines((SCRIPTS / group / "expected" / f"{stem}.txt").read_text())
    assert [text for text, _ in got] == [text for text, _ in expected]
    relative, absolute = TOLERANCES[group]
    for (text, mine), (_, theirs) in zip(got, expected, strict=True):
        assert mine == pytest.approx(theirs, rel=relative, abs=absolute, nan_ok=True), text


def inputs(names: Iterable[str]) -> list[str]:
    """In order, but for the control inputs, whose order means nothing."""
    return sorted(names, key=lambda name: name if name.startswith("^") else "")


@pytest.mark.slow
@pytest.mark.parametrize("name", found("*/graphs/*", ".json.gz"))
def test_script_makes_the_graph_tensorflow_made(name: str) -> None:
    """Random ops without a seed of their own take theirs from the number of ops before them, so every op counts."""
    group, _, stem = name.partition("/")
    folder = SCRIPTS / group / "graphs"
    count, expected = json.loads(gzip.decompress((folder / f"{stem}.json.gz").read_bytes()))
    nodes = run_script(folder / f"{stem}.py", device="cpu")["tf"].get_default_graph().as_graph_def().node
    mine = {n.name: (n.op, inputs(n.input)) for n in nodes}
    theirs = {n: (op, inputs(given)) for n, op, given in expected}
    assert {n: mine.get(n) for n in theirs} == theirs
    assert len(nodes) == count


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_cudnn_layers_are_their_cells(capsys: pytest.CaptureFixture[str]) -> None:
    """TensorFlow runs them on GPUs only: outputs are compared with the cells that read the same checkpoint, gradients with differences."""
    run_script(SCRIPTS / "contrib_nn/cudnn_equals_cells.py", device="cpu")
    said = capsys.readouterr().out
    assert said.count("True") == 13
    assert "False" not in said
