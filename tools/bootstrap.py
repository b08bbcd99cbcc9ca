"""Sets up .venv with this project in it, then runs the demonstration or the tests. Needs only CPython 3.11 or newer.

python3.11 tools/bootstrap.py demo     # upgrade, convert and run the bundled legacy project
python3.11 tools/bootstrap.py test     # the test suite; further words go to pytest
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")


def set_up() -> None:
    """Create .venv and install the project, unless pyproject.toml is no newer than the last time."""
    stamp, project = VENV / "installed", ROOT / "pyproject.toml"
    if stamp.exists() and stamp.stat().st_mtime >= project.stat().st_mtime:
        return
    print("Setting up .venv ...", flush=True)
    venv.create(VENV, with_pip=True, clear=VENV.exists())
    subprocess.run(
        [BIN / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--editable", f"{ROOT}[dev]"], check=True
    )
    stamp.touch()


def show(*command: object) -> None:
    """Print a command, run it, and stop when it fails."""
    words = [str(c) for c in command]
    print("\n$ " + " ".join(os.path.relpath(w, ROOT) if w.startswith(str(ROOT)) else w for w in words), flush=True)
    code = subprocess.run([str(BIN / words[0]), *words[1:]], cwd=ROOT).returncode
    if code not in (0, 1):  # 1: the upgrade left something for a person, which the report names
        sys.exit(code)


def demo() -> None:
    """The whole path: a legacy project becomes upgraded code, and runs; a model becomes ONNX, and predicts."""
    project, model, out = ROOT / "fixtures/scripts/legacy_project", ROOT / "fixtures/models/mnist_cnn", ROOT / "build/demo"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    show("tfrevive", "upgrade", project, "-o", out / "upgraded", "--to", "1", "--report", out / "report.txt")
    print((out / "report.txt").read_text())
    for script in ("hello", "vector_add", "linear_regression", "perceptron_py2", "train_mlp"):
        show("tfrevive", "run", project / f"{script}.py")
    show("tfrevive", "convert", model / "frozen.pb", "-o", out / "mnist_cnn.onnx", "--verify", model / "io.npz")
    code = "import sys, numpy as np; d = np.load(sys.argv[1]); np.save(sys.argv[2] + '/x.npy', d['in:x:0']); np.save(sys.argv[2] + '/keep_prob.npy', d['in:keep_prob:0'])"
    subprocess.run([BIN / "python", "-c", code, model / "io.npz", out], check=True)
    show(
        "tfrevive", "predict", out / "mnist_cnn.onnx", "--input", f"x={out / 'x.npy'}", "--input", f"keep_prob={out / 'keep_prob.npy'}",
        "--log-device-placement", "--profile", out / "profile",
    )  # fmt: skip
    print(
        f"\nEverything is in {os.path.relpath(out, ROOT)}: the upgraded project, report.txt, mnist_cnn.onnx and profile/ (trace.json opens in Perfetto)."
    )


def test(words: list[str]) -> None:
    code = subprocess.run([BIN / "python", "-m", "pytest", *words], cwd=ROOT).returncode
    sys.exit(code)


def main() -> None:
    command, *rest = sys.argv[1:] or [""]
    if command not in ("demo", "test", "setup"):
        sys.exit(__doc__)
    if sys.version_info < (3, 11):  # noqa: UP036 (the first thing to say on an older Python)
        sys.exit(f"CPython 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    set_up()
    if command == "demo":
        demo()
    elif command == "test":
        test(rest)


if __name__ == "__main__":
    main()
