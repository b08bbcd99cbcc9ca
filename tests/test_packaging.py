"""What ships: the data files that the packages read, types, the Action, and a terminal's manners."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("graphtools", "migrate", "runtime")
ENV = {**os.environ, "PYTHONPATH": str(ROOT)}


def test_packages_are_typed_and_built_whole() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert sorted(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) == sorted(PACKAGES)
    for package in PACKAGES:
        if (ROOT / package).is_dir():
            assert (ROOT / package / "py.typed").exists()


@pytest.mark.parametrize("command", ["upgrade", "check", "inspect", "convert", "run", "predict", "compile", "doctor"])
def test_help_has_an_example(command: str) -> None:
    from typer.testing import CliRunner

    from runtime.cli import app

    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example: tfrevive {command}" in result.output


def test_help_waits_for_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['tfrevive', '--help']\nfrom runtime.cli import main\ntry: main()\nexcept SystemExit: pass\n"
        "print([m for m in ('google.protobuf', 'libcst', 'numpy', 'onnx', 'onnxruntime', 'pydantic', 'rich') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=ENV, capture_output=True, text=True, check=True)
    assert "Commands:" in done.stdout
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("command", ["upgrade", "check", "inspect", "convert", "run", "predict", "compile"])
def test_every_command_can_say_less_more_or_json(command: str) -> None:
    from typer.testing import CliRunner

    from runtime.cli import app

    said = CliRunner().invoke(app, [command, "--help"]).output
    for option in ("--quiet", "--verbose", "--json"):
        assert option in said


def test_extras_are_those_that_doctor_names() -> None:
    from runtime.doctor import OPTIONAL

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {extra for extra, _ in OPTIONAL.values()} <= set(project["optional-dependencies"])


def test_lowest_versions_are_declared_for_what_is_imported() -> None:
    """Every third-party module imported at the top of a file comes from a declared dependency."""
    import ast

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {d.split(">")[0].split(";")[0].strip().replace("-", "_").lower() for d in project["dependencies"]}
    declared = {"google" if d == "protobuf" else "onnxruntime" if d == "onnxruntime_gpu" else d for d in declared}
    ours = {*PACKAGES, "tensorflow", "__future__"}
    imported = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.parse(path.read_text()).body:
                names = (
                    [a.name for a in node.names]
                    if isinstance(node, ast.Import)
                    else [node.module or ""]
                    if isinstance(node, ast.ImportFrom) and not node.level
                    else []
                )
                imported |= {n.split(".")[0] for n in names}
    assert imported - set(sys.stdlib_module_names) - ours <= declared


def test_no_color() -> None:
    env = {**ENV, "NO_COLOR": "1", "TERM": "xterm-256color"}
    result = subprocess.run([sys.executable, "-m", "runtime.cli", "--help"], env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "\x1b[3" not in result.stdout  # no colours


@pytest.mark.skipif(os.name == "nt", reason="sends a POSIX signal")
def test_an_interrupt_leaves_nothing_half_written(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import time, tensorflow as tf\nwith tf.Session() as s:\n    s.run(tf.constant(1.0) + 1)\n    open('ready', 'w').close()\n    time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "runtime.cli", "run", str(script), "--export", "exported"],
        env=ENV,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not (tmp_path / "ready").exists() and time.monotonic() < until:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert f"{script}:" in said  # where it was
    assert not [p for p in tmp_path.rglob(".*") if p.is_file()]


@pytest.mark.skipif(os.name == "nt", reason="a bash script")
def test_the_action_reports_and_fails(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin/tfrevive"
    command.write_text(f'#!/usr/bin/env bash\nexec "{sys.executable}" -m runtime.cli "$@"\n')
    command.chmod(0o755)
    (tmp_path / "old.py").write_text("import tensorflow as tf\ny = tf.mul(1, 2)\n")
    (tmp_path / "new.py").write_text("print(1)\n")
    env = {**ENV, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}", "TO": "2"}

    def act(**inputs: str) -> subprocess.CompletedProcess[str]:
        given = {**env, **inputs, "GITHUB_OUTPUT": str(tmp_path / "output")}
        return subprocess.run(
            ["bash", str(ROOT / ".ci/check-action")], env=given, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    found = act(PATHS="old.py new.py")
    assert found.returncode == 1
    assert "file=old.py,line=2" in found.stdout
    assert act(PATHS="new.py").returncode == 0
    assert act(PATHS="old.py", FORMAT="sarif", OUTPUT="report.sarif").returncode == 1
    assert '"tfrevive"' in (tmp_path / "report.sarif").read_text()
    assert (tmp_path / "output").read_text().split() == ["exit-code=1", "exit-code=0", "exit-code=1"]
    inputs = (ROOT / "action.yml").read_text()
    for name in ("PATHS", "TO", "FORMAT", "OUTPUT", "BASELINE"):
        assert f"{name}: ${{{{ inputs.{name.lower()} }}}}" in inputs
