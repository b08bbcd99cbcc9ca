"""Devices: names in every form, colocation, soft placement, ConfigProto, and steering ONNX Runtime."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphtools.dtypes import float32
from graphtools.formats import schema
from graphtools.graph import Graph
from runtime import devices, placement
from runtime.device_names import device_fields, device_string, override_device
from runtime.errors import InvalidArgumentError
from runtime.placer import place
from runtime.session import Session

CPU0, CPU1, XLA, GPU0 = (f"/job:localhost/replica:0/task:0/device:{d}" for d in ("CPU:0", "CPU:1", "XLA_CPU:0", "GPU:0"))
ConfigProto = schema.message("ConfigProto")


def chain(*asked: str) -> Graph:
    """x -> Relu "n0" -> Relu "n1" ..., each on the device asked for."""
    graph = Graph()
    value = graph.op("Placeholder", dtype=float32, shape=(2,), name="x")
    for i, device in enumerate(asked):
        value = graph.op("Relu", value, name=f"n{i}")
        value.node.device = device
    return graph


# What TensorFlow 1.15.5 made of these in tf.device.
@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("/cpu:0", "/device:CPU:0"),
        ("cpu:0", "/device:CPU:0"),
        ("/gpu:1", "/device:GPU:1"),
        ("/device:gpu:0", "/device:GPU:0"),
        ("/job:ps/replica:0/task:1", "/job:ps/replica:0/task:1"),
        ("/job:a/cpu:0", "/job:a/device:CPU:0"),
        ("/device:Cpu:*", "/device:Cpu:*"),
        ("/device:XLA_GPU:3", "/device:XLA_GPU:3"),
        ("/cpu", "/device:CPU:*"),
        ("GPU", "/device:GPU:*"),
        ("", ""),
    ],
)
def test_device_strings(given: str, canonical: str) -> None:
    assert device_string(device_fields(given)) == canonical


@pytest.mark.parametrize(
    ("given", "said"),
    [("/device:GPU", "Unknown attribute: 'device'"), ("/foo:0", "Unknown attribute: 'foo'"), ("/cpu:x", "invalid literal"), ("/cpu:0/gpu:0", "multiple device types")],
)  # fmt: skip
def test_device_strings_that_are_none(given: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        device_fields(given)


def test_inner_scopes_replace_the_parts_they_name() -> None:
    assert override_device("/job:ps/task:2/gpu:1", "/cpu") == "/job:ps/task:2/device:CPU:1"
    assert override_device("/cpu", "/gpu:2") == "/device:GPU:2"
    assert override_device("/job:ps/gpu:1", "/task:3") == "/job:ps/task:3/device:GPU:1"


def test_nodes_go_where_they_ask() -> None:
    graph = chain("/cpu:1", "", "/device:XLA_CPU:0", "/job:localhost/task:0/device:CPU:*", "/gpu:0")
    assert place(graph, [CPU0, CPU1, XLA, GPU0]) == {"n0": CPU1, "n2": XLA, "n3": CPU0, "n4": GPU0}


def test_a_missing_device_names_the_op_as_tensorflow_does() -> None:
    graph = chain("", "/gpu:1")
    with pytest.raises(InvalidArgumentError) as raised:
        place(graph, [CPU0, XLA])
    assert str(raised.value).startswith(
        "Cannot assign a device for operation n1: {{node n1}} was explicitly assigned to /device:GPU:1 but available devices are "
        f"[ {CPU0}, {XLA} ]. Make sure the device specification refers to a valid device. "
        "The requested device appears to be a GPU, but CUDA is not enabled."
    )
    assert place(graph, [CPU0, XLA], soft=True) == {"n1": CPU0}
    assert place(graph, [CPU0, XLA, GPU0], soft=True) == {"n1": GPU0}


def test_soft_placement_stays_on_the_machine() -> None:
    graph = chain("/job:ps/task:1/cpu:0")
    with pytest.raises(InvalidArgumentError, match="explicitly assigned to /job:ps/task:1/device:CPU:0"):
        place(graph, [CPU0], soft=True)
    assert place(graph, [CPU0], soft=True, strict=False) == {}


def test_colocation() -> None:
    graph = chain("/cpu:1", "", "/cpu:0")
    graph.nodes["n1"].attr["_class"] = [b"loc:@n0", b"loc:@not_there"]
    assert place(graph, [CPU0, CPU1]) == {"n0": CPU1, "n1": CPU1, "n2": CPU0}
    graph.nodes["n2"].attr["_class"] = [b"loc:@n1"]
    with pytest.raises(InvalidArgumentError, match="Cannot merge devices with incompatible ids: '/device:CPU:0' and '/device:CPU:1'"):
        place(graph, [CPU0, CPU1])
    assert len(set(place(graph, [CPU0, CPU1], soft=True).values())) == 1


def test_writers_are_placed_with_their_variable() -> None:
    graph = Graph()
    ref = graph.op("VariableV2", name="v", dtype=float32, shape=())
    ref.node.device = "/cpu:1"
    graph.op("Assign", ref, graph.constant(1.0, float32), name="write")
    assert place(graph, [CPU0, CPU1])["write"] == CPU1


def config(**fields: Any) -> devices.DeviceConfig:
    return devices.config_of(ConfigProto(**fields))


def test_a_session_refuses_or_moves(capfd: pytest.CaptureFixture[str]) -> None:
    graph = chain("/gpu:0", "/cpu:1", "/device:XLA_CPU:0")
    feed = {"x:0": np.ones(2)}
    Session(graph, device="cpu").run("n2:0", feed)  # without a ConfigProto nothing is refused
    strict = Session(graph, device="cpu", config=config())
    for _ in range(2):
        with pytest.raises(InvalidArgumentError, match="operation n0"):
            strict.run("n2:0", feed)
    soft = Session(graph, device="cpu", log_device_placement=True, config=config(allow_soft_placement=True, device_count={"CPU": 2}))
    np.testing.assert_array_equal(soft.run("n2:0", feed), [1, 1])
    soft.run(["n1:0", "n2:0"], feed)
    lines = capfd.readouterr().err.splitlines()
    assert lines[:2] == ["Device mapping:", f"{XLA} -> device: XLA_CPU device"]
    for line in (f"n0: (Relu): {CPU0}", f"n1: (Relu): {CPU1}", f"n2: (Relu): {XLA}"):
        assert lines.count(line) == 1  # once, however many plans an op is in


def test_a_graph_that_grows_is_checked_again() -> None:
    graph = chain("/cpu:0")
    session = Session(graph, device="cpu", config=config())
    session.run("n0:0", {"x:0": np.ones(2)})
    graph.op("Relu", graph.nodes["n0"].outputs[0], name="late").node.device = "/gpu:7"
    with pytest.raises(InvalidArgumentError, match="operation late"):
        session.run("late:0", {"x:0": np.ones(2)})


def test_config_proto(monkeypatch: pytest.MonkeyPatch) -> None:
    made = config(
        device_count={"CPU": 2, "GPU": 1},
        gpu_options={"allow_growth": True, "per_process_gpu_memory_fraction": 0.25, "visible_device_list": "1,0"},
        graph_options={"optimizer_options": {"opt_level": -1}},
    )
    assert (made.cpus, made.gpus, made.visible, made.optimization) == (2, 1, (1, 0), devices.Levels.ORT_DISABLE_ALL)
    monkeypatch.setattr(devices, "gpu_memory", lambda index: 8 << 30)
    monkeypatch.setattr(devices, "gpu_count", lambda: 2)
    monkeypatch.setattr(devices, "cuda_problem", lambda: None)
    (name, options), _ = devices.providers("auto", made)
    assert name == "CUDAExecutionProvider"
    assert options == {"device_id": 1, "use_tf32": 0, "arena_extend_strategy": "kSameAsRequested", "gpu_mem_limit": 2 << 30}
    assert devices.providers("auto", config(device_count={"GPU": 0})) == ["CPUExecutionProvider"]
    assert devices.gpus("auto") == [0, 1]
    with pytest.raises(InvalidArgumentError, match="invalid GPU id '5'"):
        devices.gpus("auto", config(gpu_options={"visible_device_list": "5"}))
    with pytest.raises(InvalidArgumentError, match="Could not parse entry in 'visible_device_list'"):
        config(gpu_options={"visible_device_list": "one"})


def test_jit_levels() -> None:
    assert devices.optimization_level(0, 0) == devices.Levels.ORT_ENABLE_ALL
    assert devices.optimization_level(-1, 0) == devices.Levels.ORT_DISABLE_ALL
    assert devices.optimization_level(-1, 2) == devices.Levels.ORT_ENABLE_ALL


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_hidden_gpus(hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert "CUDA_VISIBLE_DEVICES" in (devices.cuda_problem() or "")
    assert devices.gpus("auto") == []


def test_annotations_are_grouped_by_the_device_they_mean() -> None:
    graph = chain("/cpu:0", "/gpu:0", "/device:XLA_GPU:0", "/job:x", "/gpu:1", "/gpu:1")
    assert placement.steering(graph) == "cpu(=/cpu:0); gpu(=/device:XLA_GPU:0,=/gpu:0,=/gpu:1)"
    assert placement.gpu_of(graph, [4, 5]) in ((0, 4), (1, 5))
    assert placement.gpu_of(chain("/gpu:1", "/gpu:1", "/gpu:0"), [4, 5]) == (1, 5)
    assert placement.gpu_of(graph, []) is None


STEERED = """
import numpy as np
from graphtools.dtypes import float32
from graphtools.graph import Graph
from runtime.session import Session
graph = Graph()
value = graph.op("Placeholder", dtype=float32, shape=(4, 4), name="x")
for name, device in (("free", ""), ("cpu", "/cpu:0"), ("gpu", "/gpu:0")):
    value = graph.op("MatMul", value, value, name=name)
    value.node.device = device
Session(graph, log_device_placement=True).run(value, {"x:0": np.ones((4, 4))})
"""


def test_cuda_is_steered(tmp_path: Path) -> None:
    """On a GPU, or with TFREVIVE_CUDA_STUBS naming a folder of stub CUDA libraries, which place but do not compute."""
    stubs = os.environ.get("TFREVIVE_CUDA_STUBS")
    if stubs is None and (problem := devices.cuda_problem()) is not None:
        pytest.skip(f"needs CUDA: {problem}")
    env = {**os.environ, **({"LD_LIBRARY_PATH": stubs} if stubs else {})}
    root = Path(__file__).resolve().parent.parent.parent
    result = subprocess.run([sys.executable, "-c", STEERED], env=env, cwd=root, capture_output=True, text=True, timeout=120, check=False)
    for line in (f"free: (MatMul): {GPU0}", f"cpu: (MatMul): {CPU0}", f"gpu: (MatMul): {GPU0}"):
        assert line in result.stderr.splitlines(), result.stderr


def test_names_with_underscores_are_logged_and_blamed(capfd: pytest.CaptureFixture[str]) -> None:
    from graphtools.dtypes import int32

    graph = Graph()
    table = graph.op("Placeholder", dtype=float32, shape=(2,), name="table")
    index = graph.op("Placeholder", dtype=int32, shape=(None,), name="index")
    picked = graph.op("Gather", table, index, name="my__picked__3")
    with pytest.raises(InvalidArgumentError, match="node my__picked__3"):
        Session(graph, device="cpu", log_device_placement=True).run(picked, {"table:0": [1, 2], "index:0": [7]})
    assert f"my__picked__3: (Gather): {CPU0}" in capfd.readouterr().err.splitlines()
