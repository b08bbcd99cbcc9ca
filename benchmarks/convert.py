"""Conversion and inference of frozen graphs against tf2onnx: python benchmarks/convert.py [--tf2onnx PYTHON] MODEL.pb...

Conversion: processor seconds and peak memory of a process that reads the graph and writes the model, with the modules compiled
as installed packages are. Inference: processor milliseconds of ONNX Runtime on one thread, for each of the two models in turn.
PYTHON is an interpreter with tf2onnx.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import graphtools  # noqa: E402


def process(command: list[str], env: dict[str, str]) -> tuple[float, float] | None:
    """Processor seconds and peak megabytes of a process, or None when it fails."""
    child = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert child.stderr is not None
    text = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        print(" ".join(text.decode(errors="replace").strip().splitlines()[-1:]), file=sys.stderr)
        return None
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def ends(path: Path) -> tuple[list[str], list[str]]:
    """The placeholders of a graph, and the tensors that nothing reads."""
    graph = graphtools.load(path)
    read = {t for node in graph for t in node.inputs}
    inputs = [n.outputs[0].name for n in graph if n.op == "Placeholder"]
    outputs = [t.name for n in graph if n.op not in ("Const", "Placeholder") and not read.intersection(n.outputs) for t in n.outputs[:1]]
    return inputs, outputs


def made_up(session: Any, batch: int) -> dict[str, Any]:
    types = {
        "tensor(float)": np.float32,
        "tensor(int32)": np.int32,
        "tensor(int64)": np.int64,
        "tensor(uint8)": np.uint8,
        "tensor(bool)": np.bool_,
    }
    random = np.random.default_rng(0)
    return {
        i.name: random.uniform(0, 2, [d if isinstance(d, int) else batch for d in i.shape]).astype(types[i.type])
        for i in session.get_inputs()
    }


def inference(models: list[Path], batch: int, repeats: int) -> list[float]:
    """Milliseconds of a run of each model, alternately."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    sessions = [onnxruntime.InferenceSession(m, options, providers=["CPUExecutionProvider"]) for m in models]
    feeds = [made_up(s, batch) for s in sessions]
    best = [float("inf")] * len(sessions)
    for _ in range(repeats):
        for n, session in enumerate(sessions):
            started = time.process_time()
            session.run(None, feeds[n])
            best[n] = min(best[n], 1000 * (time.process_time() - started))
    return best


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--tf2onnx", metavar="PYTHON")
    parser.add_argument("--batch", type=int, default=1, help="stands for unknown dimensions")
    parser.add_argument("--repeats", type=int, default=20)
    args = parser.parse_args()
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    print(
        f"{'model':32} {'MB':>6} | {'cpu s':>6} {'peak MB':>8} {'/model':>6} {'run ms':>8} | {'tf2onnx s':>9} {'peak MB':>8} {'run ms':>8} | {'time':>6} {'memory':>6} {'run':>5}"
    )
    with tempfile.TemporaryDirectory() as folder:
        ours_env = {**env, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(Path(folder) / "compiled")}
        for path in args.models:
            inputs, outputs = ends(path)
            names = ["--inputs", ",".join(inputs), "--outputs", ",".join(outputs)]
            files = [Path(folder) / "ours.onnx", Path(folder) / "theirs.onnx"]
            command = [sys.executable, "-m", "runtime.cli", "convert", str(path), "-o", str(files[0]), *names]
            process(command, ours_env)  # compiles what it imports
            ours = process(command, ours_env)
            theirs = None
            if args.tf2onnx:
                theirs = process(
                    [args.tf2onnx, "-m", "tf2onnx.convert", "--graphdef", str(path), "--output", str(files[1]), "--opset", "18", *names],
                    env,
                )
            both = [f for f, r in zip(files, (ours, theirs), strict=True) if r is not None]
            runs = iter(inference(both, args.batch, args.repeats))
            size = path.stat().st_size
            ratio = f" {ours[1] * 2**20 / size:6.2f}" if ours and size > 1e6 else f" {'':6}"
            label = path.stem if path.stem not in ("frozen", "model") else path.parent.name
            line = f"{label[:32]:32} {path.stat().st_size / 1e6:6.1f} | "
            a = next(runs) if ours else float("nan")
            line += f"{ours[0]:6.2f} {ours[1]:8.0f}{ratio} {a:8.2f}" if ours else f"{'failed':>31}"
            if theirs:
                b = next(runs)
                line += f" | {theirs[0]:9.2f} {theirs[1]:8.0f} {b:8.2f}"
                if ours:
                    line += f" | {theirs[0] / ours[0]:6.1f} {theirs[1] / ours[1]:6.1f} {b / a:5.2f}"
            elif args.tf2onnx:
                line += f" | {'failed':>27}"
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
