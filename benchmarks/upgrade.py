#!/usr/bin/env python3
"""What an upgrade costs: CPU seconds per 1,000 lines, start-up, memory; with --against, tf_upgrade_v2's in the same sitting.

usage: upgrade.py TREE... [--to 1|2] [--jobs N] [--against PYTHON]

PYTHON is an interpreter that has TensorFlow 1.15 or 2.x installed (its tf_upgrade_v2 is timed on the same trees).
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UPGRADE = (
    "import sys; from migrate.tree import upgrade_tree; upgrade_tree(sys.argv[1], sys.argv[2], target=sys.argv[3], jobs=int(sys.argv[4]))"
)
COMMAND = "import typer; from migrate.cli import register; app = typer.Typer(); register(app); app()"
THEIRS = "from tensorflow.tools.compatibility import tf_upgrade_v2_main as m; m.main()"


def timed(command: list[str], env: dict[str, str] | None = None) -> tuple[float, float, int]:
    """CPU seconds, wall seconds and the largest resident set in kB of a command and its children."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        sys.exit(f"{' '.join(command[:3])}... exited {done.returncode}:\n{done.stderr[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, wall, after.ru_maxrss


def lines_of(tree: Path) -> tuple[int, int]:
    """Lines of Python in files that mention TensorFlow, and in the others."""
    with_tf = without = 0
    for file in tree.rglob("*.py"):
        if file.is_file() and not file.is_symlink():
            data = file.read_bytes()
            if b"tensorflow" in data:
                with_tf += data.count(b"\n")
            else:
                without += data.count(b"\n")
    return with_tf, without


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trees", nargs="+", type=Path)
    parser.add_argument("--to", default="2", choices=["1", "2"])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--against", metavar="PYTHON")
    args = parser.parse_args()
    env = {**os.environ, "PYTHONPATH": str(ROOT)}

    with tempfile.TemporaryDirectory() as scratch:
        hello = Path(scratch) / "hello.py"
        hello.write_text("import tensorflow as tf\ntf.Session()\n")
        helps = min(timed([sys.executable, "-c", COMMAND, "upgrade", "--help"], env)[0] for _ in range(3))
        one = min(timed([sys.executable, "-c", UPGRADE, str(hello), str(Path(scratch) / "out.py"), args.to, "1"], env)[0] for _ in range(3))
        print(f"start-up: --help {helps:.2f} CPU s, one file of two lines {one:.2f} CPU s")
        print(
            f"{'tree':<28}{'lines':>9}{'with tf':>9}{'CPU s':>8}{'wall s':>8}{'per 1,000':>11}{'MB':>6}   tf_upgrade_v2: CPU s, wall s, per 1,000; ratio of wall"
        )
        for tree in args.trees:
            with_tf, without = lines_of(tree)
            out = Path(scratch) / "out"
            cpu, wall, memory = timed([sys.executable, "-c", UPGRADE, str(tree), str(out / tree.name), args.to, str(args.jobs)], env)
            rate = (cpu - one) / max(1, with_tf) * 1000
            row = f"{tree.name:<28}{with_tf + without:>9,}{with_tf:>9,}{cpu:>8.2f}{wall:>8.2f}{rate:>11.3f}{memory // 1024:>6}"
            if args.against:
                theirs = [
                    args.against,
                    "-c",
                    THEIRS,
                    "--intree",
                    str(tree),
                    "--outtree",
                    str(out / f"{tree.name}-v2"),
                    "--reportfile",
                    str(out / "v2.txt"),
                ]
                cpu2, wall2, _ = timed(theirs)
                row += f"   {cpu2:>8.2f}{wall2:>8.2f}{cpu2 / max(1, with_tf + without) * 1000:>8.3f}{wall2 / wall:>6.1f}x"
            print(row, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
