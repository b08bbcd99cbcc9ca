"""tf.* outside contrib and Keras: what scripts print, their errors among it, and the ops of their gradients, against TensorFlow 1.15."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from runtime import run_script

SCRIPTS = Path(__file__).resolve().parent.parent.parent.parent / "fixtures/core"
NUMBER = re.compile(r"-?\d+\.\d*(?:e[-+]\d+)?|-?\d+e[-+]\d+|\bnan\b|\binf\b")


def lines(text: str) -> list[tuple[str, list[float]]]:
    """Each line without its floating-point numbers and spaces, and these numbers; queues without the count of those before."""
    text = re.sub(r"'_\d+_", "'_0_", text)
    return [(re.sub(r"\s+", "", NUMBER.sub("#", line)), [float(n) for n in NUMBER.findall(line)]) for line in text.splitlines()]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # scripts leave files open
@pytest.mark.filterwarnings("ignore:It is deprecated to return a value")  # unittest takes TestCase.test_session for a test
@pytest.mark.parametrize("name", sorted(p.stem for p in SCRIPTS.glob("expected/*.txt")))
def test_script_prints_what_tensorflow_printed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with np.printoptions(precision=6):
        run_script(SCRIPTS / f"{name}.py", device="cpu")
    got = lines(capsys.readouterr().out)
    expected = lines((SCRIPTS / "expected" / f"{name}.txt").read_text())
    assert [text for text, _ in got] == [text for text, _ in expected]
    for (text, mine), (_, theirs) in zip(got, expected, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-4, abs=1e-5, nan_ok=True), text


def inputs(names: Iterable[str]) -> list[str]:
    """In order, but for the control inputs, whose order means nothing."""
    return sorted(names, key=lambda name: name if name.startswith("^") else "")


@pytest.mark.parametrize("name", sorted(p.name.removesuffix(".json.gz") for p in SCRIPTS.glob("graphs/*.json.gz")))
def test_script_makes_the_graph_tensorflow_made(name: str) -> None:
    """Random ops without a seed of their own take theirs from the number of ops before them, so every op counts."""
    count, expected = json.loads(gzip.decompress((SCRIPTS / "graphs" / f"{name}.json.gz").read_bytes()))
    nodes = run_script(SCRIPTS / "graphs" / f"{name}.py", device="cpu")["tf"].get_default_graph().as_graph_def().node
    mine = {n.name: (n.op, inputs(n.input)) for n in nodes}
    theirs = {n: (op, inputs(given)) for n, op, given in expected}
    assert {n: mine.get(n) for n in theirs} == theirs
    assert len(nodes) == count
