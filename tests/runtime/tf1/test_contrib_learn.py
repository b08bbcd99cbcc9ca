"""tf.contrib.learn, feature columns, estimators, metrics and what reads data: what they print, against TensorFlow 1.15."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from runtime import run_script

SCRIPTS = Path(__file__).resolve().parent.parent.parent.parent / "fixtures/contrib_learn"
NUMBER = re.compile(r"-?\d+\.\d*(?:e[-+]\d+)?|-?\d+e[-+]\d+|\bnan\b|\binf\b")


def lines(text: str) -> list[tuple[str, list[float]]]:
    """Each line without its floating-point numbers and spaces, and these numbers."""
    return [(re.sub(r"\s+", "", NUMBER.sub("#", line)), [float(n) for n in NUMBER.findall(line)]) for line in text.splitlines()]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # scripts leave files open
@pytest.mark.parametrize("name", sorted(p.stem for p in SCRIPTS.glob("expected/*.txt")))
def test_script_prints_what_tensorflow_printed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with np.printoptions(precision=6):
        run_script(SCRIPTS / f"{name}.py", device="cpu")
    got = lines(capsys.readouterr().out)
    expected = lines((SCRIPTS / "expected" / f"{name}.txt").read_text())
    assert [text for text, _ in got] == [text for text, _ in expected]
    for (text, mine), (_, theirs) in zip(got, expected, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-3, abs=1e-4, nan_ok=True), text
