"""Nodes and Transposes of converted models against tf2onnx's: python benchmarks/nodes.py [--tf2onnx PYTHON] [--keep DIR] MODEL.pb...

Counts the nodes of loop and branch bodies too; a model of tf2onnx that ONNX Runtime does not load counts as failed. PYTHON is an
interpreter with tf2onnx.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import onnx
import onnxruntime

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import graphtools  # noqa: E402
from benchmarks.convert import ends  # noqa: E402


def ops(nodes: Iterable[onnx.NodeProto]) -> Counter[str]:
    found: Counter[str] = Counter()
    for node in nodes:
        if node.op_type != "Constant":  # tf2onnx has constants of bodies as nodes, others as initializers
            found[node.op_type] += 1
        for attribute in node.attribute:
            if attribute.HasField("g"):
                found += ops(attribute.g.node)
    return found


def loads(path: Path) -> bool:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception:
        return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--tf2onnx", metavar="PYTHON")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="keep tf2onnx's models here, and use those that are there")
    parser.add_argument("--ops", action="store_true", help="show which ops differ")
    args = parser.parse_args()
    worse = 0
    print(f"{'model':36} {'nodes':>6} {'Transp.':>8} | {'tf2onnx':>7} {'Transp.':>8}")
    with tempfile.TemporaryDirectory() as folder:
        kept = args.keep or Path(folder)
        for path in args.models:
            label = path.stem if path.stem not in ("frozen", "model") else path.parent.name
            inputs, outputs = ends(path)
            theirs = kept / f"{label}.onnx"
            if args.tf2onnx and not theirs.exists():
                command = [args.tf2onnx, "-m", "tf2onnx.convert", "--graphdef", str(path), "--output", str(theirs), "--opset", "18"]
                subprocess.run(
                    [*command, "--inputs", ",".join(inputs), "--outputs", ",".join(outputs)],
                    env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
                    capture_output=True,
                    check=False,
                )
            try:
                ours = ops(graphtools.to_onnx(graphtools.load(path), inputs=inputs, outputs=outputs).graph.node)
            except (ValueError, KeyError, NotImplementedError) as e:
                print(f"{label[:36]:36} {type(e).__name__}: {str(e)[:100]}")
                continue
            line = f"{label[:36]:36} {ours.total():6} {ours['Transpose']:8} | "
            if theirs.exists() and loads(theirs):
                other = ops(onnx.load(theirs).graph.node)
                is_worse = ours.total() > other.total() or ours["Transpose"] > other["Transpose"]
                worse += is_worse
                line += f"{other.total():7} {other['Transpose']:8}{'  more' if is_worse else ''}"
                if args.ops and is_worse:
                    line += f"\n    more: {dict(ours - other)}\n    fewer: {dict(other - ours)}"
            elif args.tf2onnx or args.keep:
                line += f"{'failed':>7}"
            print(line, flush=True)
    if args.tf2onnx or args.keep:
        print(f"{worse} have more")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
