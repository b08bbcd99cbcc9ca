"""Scripts of many small uses of the API against what TensorFlow 1.15 printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runtime import run_script

SCRIPTS = Path(__file__).resolve().parent.parent.parent.parent / "fixtures/stand_in"
NUMBER = re.compile(r"-?\d+\.\d*(?:e[-+]\d+)?")


def lines(text: str) -> list[tuple[str, list[float]]]:
    """Each line without its floating-point numbers and spaces, and these numbers."""
    return [(re.sub(r"\s+", "", NUMBER.sub("#", line)), [float(n) for n in NUMBER.findall(line)]) for line in text.splitlines()]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # scripts leave files open
@pytest.mark.parametrize("name", sorted(p.stem for p in SCRIPTS.glob("expected/*.txt")))
def test_script_prints_what_tensorflow_printed(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # some write files
    run_script(SCRIPTS / f"{name}.py", device="cpu")
    got = lines(capsys.readouterr().out)
    expected = lines((SCRIPTS / "expected" / f"{name}.txt").read_text())
    assert [text for text, _ in got] == [text for text, _ in expected]
    for (text, mine), (_, theirs) in zip(got, expected, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-5, abs=1e-6), text
