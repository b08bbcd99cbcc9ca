"""The subcommands: exit statuses, where results go, settings, baselines."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from migrate.cli import register

OLD = "import tensorflow as tf\ny = tf.mul(a, b)\n"
NEW = "import tensorflow as tf\ny = tf.multiply(a, b)\n"


@pytest.fixture
def src(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text(OLD)
    return tmp_path / "src"


def call(*args: str) -> Result:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, args)


def test_upgrade_out(src: Path) -> None:
    done = call("upgrade", "src", "-o", "out", "--to", "1", "--report", "out/report.txt")
    assert done.exit_code == 0
    assert Path("out/a.py").read_text() == NEW
    assert "tf.mul is now tf.multiply" in Path("out/report.txt").read_text()
    assert "1 file (1 to change" in done.stderr


def test_upgrade_in_place_and_diff(src: Path) -> None:
    shown = call("upgrade", "src", "--diff", "--to", "1")
    assert (
        shown.stdout
        == "--- a/src/a.py\n+++ b/src/a.py\n@@ -1,2 +1,2 @@\n import tensorflow as tf\n-y = tf.mul(a, b)\n+y = tf.multiply(a, b)\n"
    )
    assert (src / "a.py").read_text() == OLD
    assert call("upgrade", "src/a.py", "--in-place", "--to", "1").exit_code == 0
    assert (src / "a.py").read_text() == NEW


def test_upgrade_exit_statuses(src: Path) -> None:
    (src / "b.py").write_text("import tensorflow as tf\nf = getattr(tf, 'mul')\n")
    assert call("upgrade", "src", "-o", "out", "--to", "1").exit_code == 1
    (src / "c.py").write_text("import tensorflow as tf\nx = = 1\n")
    done = call("upgrade", "src", "-o", "out", "--to", "1")
    assert done.exit_code == 2
    assert "src/c.py:2:5: error:" in done.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["upgrade", "src"], "nowhere to write"),
        (["upgrade", "src", "-o", "out", "--in-place"], "say one of"),
        (["upgrade", "nothing", "-o", "out"], "'nothing' does not exist"),
        (["check", "src", "--ignore", "no-such-rule"], "there is no rule 'no-such-rule'"),
        (["check"], "nothing to check"),
        (["check", "src", "--baseline", "nothing.json"], "is no baseline"),
    ],
)
def test_misuse(src: Path, args: list[str], words: str) -> None:
    done = call(*args)
    assert done.exit_code == 2
    assert words in done.stderr
    assert "Traceback" not in done.output


def test_check(src: Path) -> None:
    found = call("check", "src", "--to", "1")
    assert found.exit_code == 1
    assert found.stdout.startswith("src/a.py:2:5: note: tf.mul is now tf.multiply [renamed-symbol]\n")
    (src / "a.py").write_text(NEW)
    assert call("check", "src", "--to", "1").exit_code == 0
    (src / "a.py").write_text("import tensorflow\nx = = 1\n")
    assert call("check", "src", "--to", "1").exit_code == 2


@pytest.mark.parametrize("format", ["json", "sarif"])
def test_check_formats(src: Path, format: str) -> None:
    assert json.loads(call("check", "src", "--to", "1", "--format", format).stdout)
    call("check", "src", "--to", "1", "--format", format, "--output", "r")
    assert json.loads(Path("r").read_text())


def test_baseline(src: Path) -> None:
    assert call("check", "src", "--to", "1", "--write-baseline", "known.json").exit_code == 0
    assert call("check", "src", "--to", "1", "--baseline", "known.json").exit_code == 0
    (src / "a.py").write_text("import tensorflow as tf\n\n\ny = tf.mul(a, b)\nz = tf.mul(a, y)\n")
    more = call("check", "src", "--to", "1", "--baseline", "known.json")
    assert more.exit_code == 1
    assert [line for line in more.stdout.splitlines() if "[renamed-symbol]" in line] == [
        "src/a.py:5:5: note: tf.mul is now tf.multiply [renamed-symbol]"
    ]


def test_settings(src: Path) -> None:
    config = Path("pyproject.toml")
    config.write_text('[tool.tfrevive]\nto = "1"\nignore = ["renamed-symbol"]\n')
    assert call("check", "src").exit_code == 0
    config.write_text('[tool.tfrevive]\nto = 1\nexclude = ["a.py"]\n')
    assert call("check", "src").exit_code == 0
    config.write_text('[tool.tfrevive]\ntoo = "1"\n')
    assert "has no setting 'too'" in call("check", "src").stderr
    config.write_text("[tool.tfrevive]\njobs = true\n")
    assert "expected a int" in call("check", "src").stderr or "expected an int" in call("check", "src").stderr
    config.write_text("[tool.tfrevive\n")
    assert "not TOML" in call("check", "src").stderr


def test_help_loads_nothing_heavy() -> None:
    """`tfrevive --help` must not wait for LibCST."""
    code = "import sys, typer; from migrate.cli import register; register(typer.Typer()); sys.exit(any(m.startswith(('libcst', 'fissix')) for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_lists() -> None:
    rules = call("check", "--list-rules")
    assert rules.exit_code == 0
    assert "python2-division" in rules.stdout
    symbols = call("check", "--list-symbols", "--to", "1")
    assert symbols.exit_code == 0
    assert "tf.mul\trenamed\ttf.multiply" in symbols.stdout.splitlines()
