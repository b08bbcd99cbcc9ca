"""Inference of full-size networks against TensorFlow 1.15, tf2onnx's model on ONNX Runtime, and OpenVINO.

First make the networks: PYTHON115 benchmarks/models.py OUT. Then: python benchmarks/inference.py OUT [NAME...]
--tensorflow PYTHON115 --openvino PYTHON --onnx FOLDER (models NAME.onnx of tf2onnx). Each engine runs in a process of its own, in
turns, with two threads; the best run of each counts, in wall time and in processor time. On a busy machine set BENCH_FIFO=1 (as root).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAMES = ("vgg16", "resnet50", "inception_v3", "xception", "inception_v1", "c3d", "lstm", "seq2seq", "wavenet")

# What each engine runs: it reads the model and gives a function from the input to the outputs.
COMMON = """
import json, os, sys, time
import numpy as np
path, batch, seconds, threads = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
told = json.load(open(path[: path.rindex(".")] + ".json" if len(sys.argv) < 6 else sys.argv[5]))
rng = np.random.RandomState(0)
shape = [batch] + told["shape"]
x = rng.randint(0, 4000, shape).astype(told["dtype"]) if told["dtype"].startswith("int") else rng.uniform(-1, 1, shape).astype(told["dtype"])
"""
ENGINES = {
    "tfrevive": """
import graphtools
from runtime import Session
session = Session(graphtools.load(path), device="cpu", threads=threads)
run = lambda: session.run(told["outputs"], {told["input"]: x})
""",
    "tensorflow": """
import tensorflow as tf
graph = tf.GraphDef.FromString(open(path, "rb").read())
tf.import_graph_def(graph, name="")
session = tf.Session(config=tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads))
run = session.make_callable([tf.get_default_graph().get_tensor_by_name(n) for n in told["outputs"]], [tf.get_default_graph().get_tensor_by_name(told["input"])])
call = run
run = lambda: call(x)
""",
    "tf2onnx": """
import onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads, options.log_severity_level = threads, 4
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
run = lambda: session.run(told["outputs"], {told["input"]: x})
""",
    "openvino": """
import openvino
core = openvino.Core()
model = core.read_model(path)
model.reshape({model.inputs[0]: shape})
compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"})
request = compiled.create_infer_request()
wanted = [next(o for o in compiled.outputs if n in o.names or n.split(":")[0] in o.names) for n in told["outputs"]]
def run():
    request.infer([x])
    return [request.get_tensor(o).data.copy() for o in wanted]
""",
}
TIMING = """
result = [np.asarray(v) for v in run()]
warm = time.time() + float(os.environ.get("BENCH_WARM", "2"))
while time.time() < warm:
    run()
if os.environ.get("BENCH_FIFO"):  # nothing else gets the processors while this measures
    for thread in os.listdir("/proc/self/task"):
        os.sched_setscheduler(int(thread), os.SCHED_FIFO, os.sched_param(1))
best, cpu, end, count = 1e9, 1e9, time.time() + seconds, 0
while time.time() < end or count < 2:
    wall, processor = time.perf_counter(), time.process_time()
    run()
    best, cpu, count = min(best, time.perf_counter() - wall), min(cpu, time.process_time() - processor), count + 1
np.savez(os.environ["RESULT"], *result)
print(json.dumps({"wall": 1000 * best, "cpu": 1000 * cpu}))
"""


def measure(python: str, engine: str, model: Path, told: Path, args: argparse.Namespace, batch: int) -> dict[str, float] | None:
    """The best times of an engine in milliseconds, or None where it fails (its error goes to stderr)."""
    result = args.folder / f"{model.stem}.{engine}.{batch}.npz"
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "RESULT": str(result)}
    if engine == "tfrevive":
        env["PYTHONPATH"] = str(ROOT)
    command = [*args.prefix.split(), python, "-c", COMMON + ENGINES[engine] + TIMING]
    command += [str(model), str(batch), str(args.seconds), str(args.threads), str(told)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=args.timeout)
    except subprocess.TimeoutExpired:
        print(f"{model.stem} {engine}: not done after {args.timeout} s", file=sys.stderr)
        return None
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            found: dict[str, float] = json.loads(line)
            return found
    print(f"{model.stem} {engine}: {' '.join(done.stderr.strip().splitlines()[-2:])[:400]}", file=sys.stderr)
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--tensorflow", metavar="PYTHON", help="an interpreter with TensorFlow 1.15")
    parser.add_argument("--openvino", metavar="PYTHON", help="an interpreter with OpenVINO")
    parser.add_argument("--onnx", type=Path, metavar="FOLDER", help="where tf2onnx's models are")
    parser.add_argument("--batches", type=int, nargs="*", default=(1, 8))
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=300)
    parser.add_argument("--prefix", default="", help="a command to run each process under, such as taskset")
    args = parser.parse_args()
    engines = [("tfrevive", sys.executable), ("tensorflow", args.tensorflow), ("tf2onnx", sys.executable if args.onnx else None)]
    engines.append(("openvino", args.openvino))
    used = [(e, p) for e, p in engines if p]
    others = "".join(f" | {e:>10} {'cpu':>8} {'ratio':>6} {'cpu':>5}" for e, _ in used[1:])
    print(f"{'ms':14} {'batch':>5} | {'tfrevive':>9} {'cpu':>8}{others} | {'least':>6}")
    failed = False
    for name in args.names:
        for batch in args.batches:
            model = args.folder / f"{name}.pb"
            told = model.with_suffix(".json")
            found = {
                e: measure(p, e, args.onnx / f"{name}.onnx" if e == "tf2onnx" and args.onnx else model, told, args, batch) for e, p in used
            }
            ours = found["tfrevive"]
            failed = failed or ours is None
            line = f"{name:14} {batch:5} | " + (f"{ours['wall']:9.2f} {ours['cpu']:8.2f}" if ours else f"{'failed':>18}")
            ratios = []
            for engine, _ in used[1:]:
                theirs = found[engine]
                if theirs is None or ours is None:
                    line += f" | {'failed':>10} {'':8} {'':6} {'':5}"
                    continue
                ratios.append(theirs["wall"] / ours["wall"])
                line += f" | {theirs['wall']:10.2f} {theirs['cpu']:8.2f} {ratios[-1]:6.2f} {theirs['cpu'] / ours['cpu']:5.2f}"
            print(line + (f" | {min(ratios):6.2f}" if ratios else ""), flush=True)
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
