"""The profile of runs and the log of devices."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from graphtools.dtypes import float32, int32
from graphtools.graph import Graph
from runtime.profile import Profiler, chrome_trace, summarize, text
from runtime.session import Session


def graph_with_random() -> tuple[Graph, object]:
    graph = Graph()
    x = graph.op("Placeholder", dtype=float32, shape=(4, 4), name="x")
    noise = graph.op("RandomUniform", graph.constant([4, 4], int32), dtype=float32, seed=1, seed2=2, name="noise")
    return graph, graph.op("MatMul", x, noise, name="product")


def test_profile_has_ops_and_host_steps(tmp_path: Path) -> None:
    graph, y = graph_with_random()
    profiler = Profiler(tmp_path)
    session = Session(graph, device="cpu", profiler=profiler)
    for _ in range(3):
        session.run(y, {"x:0": np.ones((4, 4))})
    table = profiler.write().read_text()
    assert "product" in table
    assert "noise" in table
    trace = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    calls = [e for e in trace if e["ph"] == "X" and e["args"]["name"] == "product"]
    assert len(calls) == 3
    assert all(e["dur"] >= 0 and e["ts"] >= 0 for e in calls)


def test_summary_adds_calls() -> None:
    events = [{"name": "a", "op": "Add", "device": "d", "ts": t, "dur": 5.0, "shape": "[1]", "bytes": 4} for t in (0.0, 10.0)]
    (total,) = summarize(events)
    assert (total.calls, total.total_us, total.bytes) == (2, 10.0, 8)
    assert "100.0%" in text([total])
    assert len([e for e in chrome_trace(events)["traceEvents"] if e["ph"] == "X"]) == 2


def test_device_log_names_every_op(capfd: pytest.CaptureFixture[str]) -> None:
    graph, y = graph_with_random()
    Session(graph, device="cpu", log_device_placement=True).run(y, {"x:0": np.ones((4, 4))})
    lines = capfd.readouterr().err.splitlines()
    for wanted in ("product: (MatMul): ", "noise: (RandomUniform): "):
        assert any(line.startswith(wanted) and line.endswith("/device:CPU:0") for line in lines)


def test_a_device_that_is_not_there_is_refused() -> None:
    from runtime.devices import cuda_problem, providers
    from runtime.errors import InvalidArgumentError

    with pytest.raises(InvalidArgumentError, match="Unknown device"):
        providers("tpu")
    if cuda_problem() is not None:
        with pytest.raises(InvalidArgumentError, match="Cannot run on 'cuda'"):
            providers("cuda")
