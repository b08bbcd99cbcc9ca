"""Whole scripts, unmodified, against what real TensorFlow printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runtime import run_script

SCRIPTS = Path(__file__).resolve().parent.parent.parent / "fixtures/scripts"
NUMBER = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?|\bnan\b|\binf\b")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(p.stem for p in (SCRIPTS / "expected").glob("*.txt")))
def test_legacy_project(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    runs = []
    run_script(SCRIPTS / f"legacy_project/{name}.py", device="cpu", on_run=lambda fetches, feeds, results: runs.append(results))
    assert capsys.readouterr().out == (SCRIPTS / f"expected/{name}.txt").read_text()
    assert runs


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(p.parent.name for p in SCRIPTS.glob("*/expected.txt")))
def test_script(name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another order of float sums prints other last digits, and so other widths: numbers are compared by value."""
    monkeypatch.chdir(tmp_path)
    run_script(SCRIPTS / name / "script.py", device="cpu")
    got, wanted = capsys.readouterr().out, (SCRIPTS / name / "expected.txt").read_text()
    assert words(got) == words(wanted)
    assert numbers(got) == pytest.approx(numbers(wanted), rel=2e-4, abs=2e-5, nan_ok=True)


def words(text: str) -> str:
    return re.sub(r"\s+", "", NUMBER.sub("#", text))


def numbers(text: str) -> list[float]:
    return [float(n) for n in NUMBER.findall(text)]
