"""Whole scripts, unmodified, against what real TensorFlow printed."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime import run_script

SCRIPTS = Path(__file__).resolve().parent.parent.parent / "fixtures/scripts"


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(p.stem for p in (SCRIPTS / "expected").glob("*.txt")))
def test_legacy_project(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    runs = []
    run_script(SCRIPTS / f"legacy_project/{name}.py", device="cpu", on_run=lambda fetches, feeds, results: runs.append(results))
    assert capsys.readouterr().out == (SCRIPTS / f"expected/{name}.txt").read_text()
    assert runs
