"""Ahead-of-time compilation: the subgraph between feeds and fetches as an optimised model, with a report of what it fixed."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from graphtools.graph import Graph
from runtime import devices
from runtime.predict import TYPES, checked_feeds

MODEL, REPORT = "model.onnx", "compile.json"
LARGE = 1 << 30  # bytes of a model from which on weights are written beside it


def compile_graph(
    graph: Graph,
    feeds: Mapping[str, tuple[int | None, ...] | None],
    fetches: Sequence[str],
    folder: Path,
    *,
    device: str = "auto",
    portable: bool = False,
) -> dict[str, Any]:
    """Write `model.onnx` and `compile.json` into `folder`; the report.

    Feeds are names with the shapes to fix, where they have any. With `portable`, only what every machine understands is
    optimised; without it the model is for processors (or GPUs) like this one. Raises conversion errors, KeyError for names
    that the graph lacks, ValueError when the optimised model computes something else.
    """
    from graphtools import to_onnx
    from graphtools.shapes import refine

    refine(graph, {name: dims for name, dims in feeds.items() if dims is not None})
    model = to_onnx(graph, inputs=list(feeds), outputs=list(fetches))
    plain = model.SerializeToString()
    found = devices.gpus(device)
    providers = devices.provider_list(found[0] if found else None, devices.DeviceConfig())
    building = folder.with_name(f".{folder.name}.{os.getpid()}")
    building.mkdir(parents=True)
    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = devices.Levels.ORT_ENABLE_BASIC if portable else devices.Levels.ORT_ENABLE_ALL
        options.optimized_model_filepath = str(building / MODEL)
        if len(plain) > LARGE:
            options.add_session_config_entry("session.optimized_model_external_initializers_file_name", f"{MODEL}.data")
        optimised = onnxruntime.InferenceSession(plain, options, providers=providers)
        difference = _difference(plain, building / MODEL, providers)
        report = {
            "feeds": {i.name: _port(i) for i in optimised.get_inputs()},
            "fetches": {o.name: _port(o) for o in optimised.get_outputs()},
            "fixed": {
                "shapes": {i.name: i.shape for i in optimised.get_inputs() if all(isinstance(d, int) for d in i.shape)},
                "device": devices.device_name(optimised.get_providers()[0]),
                "machine": "any" if portable else platform.machine(),
                "onnxruntime": onnxruntime.__version__,
            },
            "open": {i.name: i.shape for i in optimised.get_inputs() if not all(isinstance(d, int) for d in i.shape)},
            "ops_before": _ops(plain),
            "ops": _ops((building / MODEL).read_bytes()),
            "bytes": sum(p.stat().st_size for p in building.iterdir()),
            "largest_difference": difference,
        }
        (building / REPORT).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        folder.mkdir(parents=True, exist_ok=True)
        for name in sorted(os.listdir(building), key=lambda n: n == REPORT):
            os.replace(building / name, folder / name)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return report


def describe(report: Mapping[str, Any]) -> str:
    """The report as text."""
    fixed = report["fixed"]
    lines = [f"Feeds:   {_listed(report['feeds'])}", f"Fetches: {_listed(report['fetches'])}"]
    lines.append(f"Fixed:   device {fixed['device']}, machine {fixed['machine']}, ONNX Runtime {fixed['onnxruntime']}")
    if report["open"]:
        lines.append(f"Open:    the shapes of {', '.join(report['open'])} (fix one with --feed NAME=1x28x28)")
    before, after = sum(report["ops_before"].values()), sum(report["ops"].values())
    lines.append(f"Ops:     {before} -> {after}: " + ", ".join(f"{op} {n}" for op, n in report["ops"].items()))
    if report["largest_difference"] is not None:
        lines.append(f"Largest difference from the model before optimising: {report['largest_difference']:.3g}")
    return "\n".join(lines)


def read_feed(text: str) -> tuple[str, tuple[int | None, ...] | None]:
    """NAME or NAME=1x28x28x1 ("?" for a size left open). Raises ValueError."""
    name, equals, shape = text.partition("=")
    if not equals:
        return name, None
    try:
        return name, tuple(None if s == "?" else int(s) for s in shape.split("x")) if shape else ()
    except ValueError:
        raise ValueError(f"--feed {text!r}: expected NAME=1x28x28x1, with ? for a size that stays open.") from None


def _listed(ports: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {p['dtype']}{p['shape']}" for name, p in ports.items()) or "none"


def _port(port: Any) -> dict[str, Any]:
    return {"dtype": port.type.removeprefix("tensor(").removesuffix(")"), "shape": list(port.shape)}


def _ops(model: bytes) -> dict[str, int]:
    import onnx

    return dict(Counter(n.op_type for n in onnx.ModelProto.FromString(model).graph.node).most_common())


def _difference(plain: bytes, path: Path, providers: list[Any]) -> float | None:
    """The largest difference that optimising made to the outputs for ordinary inputs; None where inputs cannot be made up."""
    off = onnxruntime.SessionOptions()
    off.log_severity_level = 4
    off.graph_optimization_level = devices.Levels.ORT_DISABLE_ALL
    before = onnxruntime.InferenceSession(plain, off, providers=providers)
    after = onnxruntime.InferenceSession(str(path), off, providers=providers)
    random = np.random.default_rng(0)
    made: dict[str, Any] = {}
    for port in before.get_inputs():
        dtype = TYPES.get(port.type)
        if dtype is None or dtype is np.object_:
            return None
        shape = [d if isinstance(d, int) else 2 for d in port.shape]
        made[port.name] = random.random(shape).astype(dtype) if np.dtype(dtype).kind == "f" else np.ones(shape, dtype)
    feeds = checked_feeds(before.get_inputs(), made)
    try:
        wanted = before.run(None, feeds)
    except Exception:
        return None  # made-up inputs are none that the model takes
    largest = 0.0
    for port, want, got in zip(before.get_outputs(), wanted, after.run(None, feeds), strict=True):
        if want.dtype.kind not in "fiub" or want.shape != got.shape:
            continue
        if want.size:
            largest = max(largest, float(np.nanmax(np.abs(got.astype(np.float64) - want.astype(np.float64)), initial=0.0)))
        if want.dtype.kind == "f" and not np.allclose(got, want, rtol=1e-2, atol=1e-3, equal_nan=True):
            raise ValueError(f"Optimising changed {port.name!r} by up to {largest:.3g}. Nothing was written; --portable may help.")
    return largest
