"""How long a process takes from nothing to the first value, and what Session.run costs: python benchmarks/startup.py [--tensorflow PYTHON]"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HELLO = """\
import tensorflow as tf
with tf.Session() as sess:
    print(sess.run(tf.constant("hello")), sess.run(tf.constant(3.0) * 4.0))
"""
ROOT = Path(__file__).parent.parent


def times(command: list[str], env: dict[str, str], repeats: int) -> tuple[float, float]:
    """The least wall and processor seconds of a process."""
    walls, costs = [], []
    for _ in range(repeats):
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, env=env, check=True, capture_output=True)
        walls.append(time.perf_counter() - started)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(walls), min(costs)


def overhead() -> float:
    """Microseconds of Session.run on a cached plan of one scalar multiplication, processor time."""
    from graphtools.dtypes import float32
    from graphtools.graph import Graph
    from runtime.session import Session

    graph = Graph()
    x = graph.op("Placeholder", dtype=float32, shape=(), name="x")
    y = graph.op("Mul", x, graph.constant(2.0, float32))
    session = Session(graph, device="cpu")
    feed = {x: 1.0}
    best = float("inf")
    for _ in range(10):
        started = time.process_time()
        for _ in range(2000):
            session.run(y, feed)
        best = min(best, (time.process_time() - started) / 2000)
    return 1e6 * best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tensorflow", metavar="PYTHON", help="an interpreter with TensorFlow 1.15")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "hello.py"
        script.write_text(HELLO)
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": folder, "TF_CPP_MIN_LOG_LEVEL": "3"}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        rows = [("tfrevive run hello.py", [sys.executable, "-m", "runtime.cli", "run", str(script)])]
        if args.tensorflow:
            rows.append(("TensorFlow 1.15", [args.tensorflow, str(script)]))
        for name, command in rows:
            times(command, env, 1)  # the first compiles the modules
            wall, cost = times(command, env, args.repeats)
            print(f"{name:24} {wall:6.2f} s wall {cost:6.2f} s processor")
    sys.path.insert(0, str(ROOT))
    print(f"{'Session.run, cached plan':24} {overhead():6.1f} us processor")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
