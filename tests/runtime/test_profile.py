"""The profile of runs, RunMetadata, and the log of devices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphtools.dtypes import float32, int32
from graphtools.formats import schema
from graphtools.graph import Graph
from runtime.profile import KernelTime, Profiler, chrome_trace, owner, page, scope, summarize, text
from runtime.session import Session

RunOptions, RunMetadata = schema.message("RunOptions"), schema.message("RunMetadata")
FULL = RunOptions(trace_level=RunOptions.FULL_TRACE)


def graph_with_random() -> tuple[Graph, Any]:
    graph = Graph()
    x = graph.op("Placeholder", dtype=float32, shape=(4, 4), name="x")
    noise = graph.op("RandomUniform", graph.constant([4, 4], int32), dtype=float32, seed=1, seed2=2, name="noise")
    return graph, graph.op("MatMul", x, noise, name="layer/product")


def test_profile_has_ops_and_host_steps(tmp_path: Path) -> None:
    graph, y = graph_with_random()
    profiler = Profiler(tmp_path)
    session = Session(graph, device="cpu", profiler=profiler)
    for _ in range(3):
        session.run(y, {"x:0": np.ones((4, 4))})
    scratch = Path(profiler.scratch)
    assert scratch.exists()
    table = profiler.write("a <title>").read_text()
    assert "layer/product" in table
    assert "noise" in table
    trace = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    calls = [e for e in trace if e["ph"] == "X" and e["args"]["name"] == "layer/product"]
    assert len(calls) == 3
    assert all(e["dur"] >= 0 and e["ts"] >= 0 for e in calls)
    shown = (tmp_path / "profile.html").read_text()
    assert "a &lt;title&gt;" in shown
    data = json.loads(shown.split('id="data">', 1)[1].split("</script>", 1)[0])
    assert {row[0]: row[5] for row in data["ops"]} == {"layer/product": 3, "noise": 3}
    assert "layer" in [row[0] for row in data["scopes"]]
    assert not scratch.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["profile.html", "profile.txt", "trace.json"]


def test_summary_adds_calls() -> None:
    kernels = [KernelTime("s/a", "Add", "d", t, 5.0, [("float", [1])], 4) for t in (0.0, 10.0)]
    (total,) = summarize(kernels)
    assert (total.calls, total.total_us, total.bytes, scope(total)) == (2, 10.0, 8, "s")
    assert "100.0%" in text([total])
    assert len([e for e in chrome_trace(kernels)["traceEvents"] if e["ph"] == "X"]) == 2


def test_a_page_cannot_be_broken_by_names() -> None:
    kernels = [KernelTime("</script><b>", "Add", "d", 0.0, 5.0)]
    assert page(summarize(kernels), kernels).count("</script>") == 2


def test_the_owner_of_a_kernel_survives_what_is_added_to_names() -> None:
    graph, y = graph_with_random()
    nodes = {n.name: n for n in graph}
    for name in (
        "layer/product",
        "layer/product__3",
        "layer/product_nchwc",
        "layer/product__1_nchwc",
        "fused layer/product/MatMulAddFusion",
        "layer/product__2/MatMulAddFusion",
    ):
        assert owner(name, nodes) is y.node, name
    assert owner("layer/other", nodes) is None


def test_full_trace_fills_step_stats_and_changes_nothing() -> None:
    graph, y = graph_with_random()
    plain, traced = Session(graph, device="cpu"), Session(graph, device="cpu")
    feed = {"x:0": np.ones((4, 4))}
    metadata = RunMetadata()
    for _ in range(2):  # the second run draws the second random numbers, traced or not
        wanted, got = plain.run(y, feed), traced.run(y, feed, FULL, metadata)
        np.testing.assert_array_equal(got, wanted)
    (device,) = metadata.step_stats.dev_stats
    assert device.device == "/job:localhost/replica:0/task:0/device:CPU:0"
    labels = {s.node_name: s.timeline_label for s in device.node_stats}
    assert labels["layer/product"] == "layer/product = MatMul(x, noise)"
    assert "noise" in labels
    product = next(s for s in device.node_stats if s.node_name == "layer/product")
    noise = next(s for s in device.node_stats if s.node_name == "noise")
    assert product.all_start_micros >= noise.all_start_micros
    assert product.all_end_rel_micros >= 1
    assert [d.size for d in product.output[0].tensor_description.shape.dim] == [4, 4]
    assert product.output[0].tensor_description.dtype == float32.as_datatype_enum
    assert product.output[0].tensor_description.allocation_description.requested_bytes == 64


def test_run_metadata_is_left_alone_without_a_trace_level() -> None:
    graph, y = graph_with_random()
    metadata = RunMetadata()
    Session(graph, device="cpu").run(y, {"x:0": np.ones((4, 4))}, RunOptions(), metadata)
    assert not metadata.step_stats.dev_stats


def test_partition_graphs() -> None:
    graph, y = graph_with_random()
    metadata = RunMetadata()
    Session(graph, device="cpu").run(y, {"x:0": np.ones((4, 4))}, RunOptions(output_partition_graphs=True), metadata)
    assert "MatMul" in [n.op for n in metadata.partition_graphs[0].node]
    assert not metadata.step_stats.dev_stats


def test_device_log_names_every_op(capfd: pytest.CaptureFixture[str]) -> None:
    graph, y = graph_with_random()
    Session(graph, device="cpu", log_device_placement=True).run(y, {"x:0": np.ones((4, 4))})
    lines = capfd.readouterr().err.splitlines()
    for wanted in ("layer/product: (MatMul): ", "noise: (RandomUniform): "):
        assert any(line.startswith(wanted) and line.endswith("/device:CPU:0") for line in lines)


def test_a_device_that_is_not_there_is_refused() -> None:
    from runtime.devices import cuda_problem, providers
    from runtime.errors import InvalidArgumentError

    with pytest.raises(InvalidArgumentError, match="Unknown device"):
        providers("tpu")
    if cuda_problem() is not None:
        with pytest.raises(InvalidArgumentError, match="Cannot run on 'cuda'"):
            providers("cuda")


def test_a_traced_run_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    from runtime.errors import InvalidArgumentError

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    graph = Graph()
    table = graph.op("Placeholder", dtype=float32, shape=(2,), name="table")
    index = graph.op("Placeholder", dtype=int32, shape=(None,), name="index")
    picked = graph.op("Gather", table, index, name="picked")
    with pytest.raises(InvalidArgumentError):
        Session(graph, device="cpu").run(picked, {"table:0": [1, 2], "index:0": [7]}, FULL, RunMetadata())
    assert list(tmp_path.iterdir()) == []
