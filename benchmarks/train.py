"""Training speed against TensorFlow 1.15, both run in turn on this machine: python benchmarks/train.py --tensorflow PYTHON [NAME...]

PYTHON is an interpreter with TensorFlow 1.15. On a busy machine compare the processor times.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
NAMES = ("linreg", "mlp", "cnn", "lstm", "seq2seq")
GOALS = {"linreg": 4.0, "mlp": 1.5, "cnn": 1.0, "lstm": 2.0, "seq2seq": 2.0}


def run(command: list[str], program: Path, env: dict[str, str]) -> dict[str, float] | None:
    """What a program says of its speed, or None (its error goes to stderr)."""
    done = subprocess.run([*command, str(program)], capture_output=True, text=True, env=env)
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            found: dict[str, float] = json.loads(line)
            return found
    print(f"{program.name}: {' '.join(done.stderr.strip().splitlines()[-3:])}", file=sys.stderr)
    return None


def best(runs: list[dict[str, float] | None]) -> dict[str, float] | None:
    good = [r for r in runs if r is not None]
    if not good:
        return None
    return {
        "steps_per_second": max(r["steps_per_second"] for r in good),
        "cpu_ms": min(r["cpu_ms"] for r in good),
        "first_step_s": min(r["first_step_s"] for r in good),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=NAMES, help=f"programs to run, of {', '.join(NAMES)}")
    parser.add_argument("--tensorflow", metavar="PYTHON", help="an interpreter with TensorFlow 1.15")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is run")
    args = parser.parse_args()
    root = str(PROGRAMS.parent.parent)
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    ours_env = {**env, "PYTHONPATH": root}
    print(
        f"{'':8} {'steps/s':>9} {'cpu ms':>8} {'first s':>8} | {'TF steps/s':>10} {'TF cpu ms':>9} {'first s':>8} | {'ratio':>6} {'cpu':>6} {'goal':>5}"
    )
    missing = False
    for name in args.names:
        program = PROGRAMS / f"{name}.py"
        ours, theirs = [], []
        for _ in range(args.rounds):
            ours.append(run([sys.executable, "-m", "runtime.cli", "run"], program, ours_env))
            if args.tensorflow:
                theirs.append(run([args.tensorflow], program, env))
        a, b = best(ours), best(theirs)
        missing = missing or a is None
        line = f"{name:8} " + (f"{a['steps_per_second']:9.1f} {a['cpu_ms']:8.2f} {a['first_step_s']:8.2f}" if a else f"{'failed':>27}")
        if b:
            line += f" | {b['steps_per_second']:10.1f} {b['cpu_ms']:9.2f} {b['first_step_s']:8.2f}"
        if a and b:
            line += f" | {a['steps_per_second'] / b['steps_per_second']:6.2f} {b['cpu_ms'] / a['cpu_ms']:6.2f} {GOALS.get(name, 1.0):5.1f}"
        print(line, flush=True)
    return int(missing)


if __name__ == "__main__":
    raise SystemExit(main())
