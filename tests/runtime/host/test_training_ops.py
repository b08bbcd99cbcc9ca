"""Optimizer updates and scatters in the variables' own memory and as ONNX, against what TensorFlow 1.15 computed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphtools import opdefs
from graphtools.dtypes import float32, int32
from graphtools.graph import Graph
from runtime import errors
from runtime.host import training_ops
from runtime.session import Session
from runtime.steps import HostStep

RECORD = json.loads((Path(__file__).parents[3] / "fixtures" / "state" / "updates.json").read_text())
CASES = RECORD["cases"]


def build(case: dict[str, Any], is_resource: bool) -> tuple[Graph, Any, Any, list[Any]]:
    """A graph with one update: the graph, what runs it, the fed gradient, and reads of the state."""
    graph, op = Graph(), case["op"]
    if is_resource and not op.startswith("Resource"):
        op = f"Resource{op}"
    refs, reads = [], []
    for name in case["state"]:
        value = np.array(RECORD["start"]["var" if name == "ref" else name], np.float32)
        if is_resource:
            ref = graph.op("VarHandleOp", name=name, dtype=float32, shape=value.shape, shared_name=name)
            reads.append(graph.op("ReadVariableOp", ref, dtype=float32, name=f"{name}/read"))
        else:
            ref = graph.op("VariableV2", name=name, dtype=float32, shape=value.shape)
            reads.append(graph.op("Identity", ref, name=f"{name}/read"))
        graph.values[name] = value
        refs.append(ref)
    hyper = {**RECORD["hyper"], **case["changes"]}

    grad = graph.op("Placeholder", dtype=float32, shape=(3 if "Sparse" in op else 4, 3) if "Scatter" not in op else (2, 2, 3), name="grad")
    inputs: list[Any] = list(refs)

    opdef = opdefs.get(op)
    assert opdef is not None
    for arg in opdef.inputs[len(refs) :]:
        if arg.name in ("grad", "delta", "updates"):
            inputs.append(grad)
        elif arg.name == "indices":
            inputs.append(graph.constant(np.array(case.get("indices", [2, 0, 3]), np.int32), int32))
        else:
            inputs.append(graph.constant(np.float32(hyper[arg.name]), float32))
    attrs = {k: v for k, v in case["changes"].items() if k not in hyper or isinstance(v, bool)}
    extra = {"dtype": float32} if "Scatter" in op and is_resource else {}
    made = graph.op(op, *inputs, name="update", **attrs, **extra)

    return graph, made if not hasattr(made, "node") else made.node, grad, reads


@pytest.mark.parametrize("in_place", [True, False], ids=["in_place", "onnx"])
@pytest.mark.parametrize("is_resource", [False, True], ids=["ref", "resource"])
@pytest.mark.parametrize("case", CASES, ids=[c["op"] + "".join(f"-{k}" for k in c["changes"]) for c in CASES])
def test_update(case: dict[str, Any], is_resource: bool, in_place: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if case["op"].startswith("Resource") and not is_resource:
        pytest.skip("the op has no form for ref variables")
    monkeypatch.setattr(training_ops, "LEAST", 1 if in_place else 1 << 40)
    graph, update, grad, reads = build(case, is_resource)
    session = Session(graph, device="cpu", threads=1)
    gradients = np.array(RECORD["gradients"], np.float32)
    if "Scatter" in case["op"]:
        session.run(update, {grad: gradients[0].reshape(2, 2, 3)})
    else:
        for g in gradients:
            session.run(update, {grad: g[: grad.dims[0]]})
    for name, got, wanted in zip(case["state"], session.run(reads), case["values"], strict=True):
        np.testing.assert_allclose(got, np.array(wanted, np.float32), rtol=2e-6, atol=1e-7, err_msg=name)
    hosted = [s for p in session._plans.values() for s in p.steps if isinstance(s, HostStep)]
    assert bool(hosted) is in_place


def momentum_graph(size: int) -> tuple[Graph, Any, Any, Any]:
    """ApplyMomentum of a variable of ones: the graph, the ref, the update and the fed gradient."""
    graph = Graph()
    ref = graph.op("VariableV2", name="w", dtype=float32, shape=(size,))
    slot = graph.op("VariableV2", name="w/Momentum", dtype=float32, shape=(size,))
    graph.values["w"], graph.values["w/Momentum"] = np.ones(size, np.float32), np.zeros(size, np.float32)
    grad = graph.op("Placeholder", dtype=float32, shape=(size,), name="grad")
    rate, kept = graph.constant(0.5, float32), graph.constant(0.0, float32)
    return graph, ref, graph.op("ApplyMomentum", ref, slot, rate, grad, kept, name="update"), grad


def test_a_large_variable_keeps_its_memory() -> None:
    size = training_ops.LEAST
    graph, ref, update, grad = momentum_graph(size)
    session = Session(graph, device="cpu", threads=1)
    places = []
    for _ in range(4):
        session.run(update.node, {grad: np.ones(size, np.float32)})
        places.append(session.state.variables["w"].data_ptr())
    assert places[1] == places[2] == places[3]
    np.testing.assert_array_equal(session.run(ref), np.full(size, -1, np.float32))


def test_what_was_read_stays_as_it_was() -> None:
    """Values fetched, put into a queue, or computed in the same run but not after the update."""
    size = training_ops.LEAST
    graph, ref, update, grad = momentum_graph(size)
    read = graph.op("Identity", ref, name="read")
    doubled = graph.op("Mul", read, graph.constant(2.0, float32), name="doubled")
    queue = graph.op("FIFOQueueV2", component_types=[float32], shapes=[(size,)], name="queue")
    put = graph.op("QueueEnqueueV2", queue, [read], name="put")
    take = graph.op("QueueDequeueV2", queue, component_types=[float32], name="take")
    session = Session(graph, device="cpu", threads=1)
    feed = {grad: np.ones(size, np.float32)}
    session.run(update.node, feed)
    session.run(update.node, feed)  # in its own memory from here on
    fetched = session.run(ref)
    session.run(put)
    assert session.run([doubled, update.node], feed)[0][0] == 0.0
    session.run(update.node, feed)
    assert fetched[0] == 0.0 and session.run(take)[0] == 0.0
    assert session.run(ref)[0] == -1.0


def test_a_reader_after_the_update_sees_it_and_one_before_does_not() -> None:
    size = training_ops.LEAST
    graph, ref, update, grad = momentum_graph(size)
    with graph.control_dependencies([update.node]):
        after = graph.op("Sum", graph.op("Identity", ref, name="new"), graph.constant(np.array([0], np.int32), int32), name="after")
    before = graph.op("Sum", graph.op("Identity", ref, name="old"), graph.constant(np.array([0], np.int32), int32), name="before")
    with graph.control_dependencies([after.node]):
        late = graph.op("Neg", before, name="late")
    session = Session(graph, device="cpu", threads=1)
    for n in range(3):
        got = session.run([after, before, late], {grad: np.ones(size, np.float32)})
        assert [float(v) / size for v in got] == [0.5 - n / 2, 1 - n / 2, n / 2 - 1]


def test_rows_outside_the_table_are_named() -> None:
    graph = Graph()
    ref = graph.op("VariableV2", name="w", dtype=float32, shape=(training_ops.LEAST, 1))
    graph.values["w"] = np.ones((training_ops.LEAST, 1), np.float32)
    indices = graph.op("Placeholder", dtype=int32, shape=(None,), name="indices")
    update = graph.op("ScatterAdd", ref, indices, graph.constant(1.0, float32), name="update")
    session = Session(graph, device="cpu", threads=1)
    session.run(update.node, {indices: np.array([3, 3, 5], np.int32)})
    assert session.run(ref)[3:6, 0].tolist() == [3.0, 1.0, 2.0]
    with pytest.raises(errors.InvalidArgumentError, match=r"indices\[1\] = -1 is not in \[0, 32768\)"):
        session.run(update.node, {indices: np.array([3, -1], np.int32)})


def test_threads_share_an_update() -> None:
    size = training_ops.SHARED + 5
    graph, ref, update, grad = momentum_graph(size)
    session = Session(graph, device="cpu", threads=3)
    value = np.arange(size, dtype=np.float32)
    session.run(update.node, {grad: value})
    np.testing.assert_array_equal(session.run(ref), 1 - value / 2)
