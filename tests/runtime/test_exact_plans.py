"""Plans for known shapes, and assertions settled when planning: the same values, failures where TensorFlow fails."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphtools.dtypes import float32, int32, string
from graphtools.graph import Graph
from runtime import errors
from runtime.session import Session
from runtime.steps import ExactPlans


def mean_of_rows() -> tuple[Graph, Any, Any]:
    graph = Graph()
    x = graph.op("Placeholder", dtype=float32, shape=(None, 3), name="x")
    rows = graph.op("StridedSlice", graph.op("Shape", x), *(graph.constant([n], int32) for n in (0, 1, 1)), shrink_axis_mask=1)
    return graph, x, graph.op("RealDiv", graph.op("Sum", x, graph.constant([0], int32)), graph.op("Cast", rows, DstT=float32), name="mean")


def test_repeated_shapes_get_a_plan_of_their_own() -> None:
    graph, x, mean = mean_of_rows()
    session = Session(graph, device="cpu")
    random = np.random.default_rng(0)
    session.run(mean, {x: np.ones((1, 3))})
    (plan,) = session._plans.values()
    plan.seconds = 1e-4
    for rows in (4, 7, 4, 1):
        for _ in range(50):
            value = random.normal(size=(rows, 3)).astype(np.float32)
            np.testing.assert_allclose(session.run(mean, {x: value}), value.mean(0), rtol=1e-5, atol=1e-6)
    assert plan.exact is not None
    assert ((4, 3),) in plan.exact.plans
    assert any(p is not plan for p in plan.exact.plans.values())


def test_exact_plans_are_few() -> None:
    graph, x, mean = mean_of_rows()
    session = Session(graph, device="cpu")
    session.run(mean, {x: np.ones((1, 3))})
    (plan,) = session._plans.values()
    plan.seconds = 0.0  # so that every shape is due at once
    for rows in range(1, 20):
        np.testing.assert_allclose(session.run(mean, {x: np.full((rows, 3), 2)}), [2, 2, 2])
    assert plan.exact is not None
    assert len(plan.exact.plans) == ExactPlans.LIMIT


def test_provable_assertions_are_dropped_and_others_fail() -> None:
    graph = Graph()
    x = graph.op("Placeholder", dtype=float32, shape=(2,), name="x")
    sizes = graph.op("Equal", graph.op("Size", x), graph.constant(2, int32))
    proven = graph.op("Assert", sizes, [sizes], name="proven")
    holds = graph.op("All", graph.op("Greater", x, graph.constant(0.0, float32)), graph.constant([0], int32))
    checked = graph.op("Assert", holds, [x], name="checked")
    with graph.control_dependencies([proven, checked]):
        y = graph.op("Identity", x)
    session = Session(graph, device="cpu")
    np.testing.assert_array_equal(session.run(y, {x: [1, 2]}), [1, 2])
    with pytest.raises(errors.InvalidArgumentError, match="assertion failed"):
        session.run(y, {x: [1, -2]})
    (plan,) = session._plans.values()
    assert [s.node.name for s in plan.steps if hasattr(s, "node") and s.node.op == "Assert"] == ["checked"]


def loop_with_assertion(of_counter: bool) -> tuple[Graph, Any, Any]:
    """i = 0; while i < 5: assert limit > 0 (or limit > i); i += 1, in the frames of TensorFlow 1."""
    graph = Graph()
    limit = graph.op("Placeholder", dtype=int32, shape=(), name="limit")
    start = graph.op("Enter", graph.constant(0, int32), frame_name="f")
    given = graph.op("Enter", limit, frame_name="f", is_constant=True)
    merge = graph.op("Merge", [start, start])
    i = merge[0]
    go = graph.op("LoopCond", graph.op("Less", i, graph.op("Enter", graph.constant(5, int32), frame_name="f", is_constant=True)))
    left, right = graph.op("Switch", i, go)
    body = graph.op("Identity", right)
    with graph.control_dependencies([body.node]):
        zero, one = graph.constant(0, int32), graph.constant(1, int32)
    holds = graph.op("Greater", given, body if of_counter else zero)
    check = graph.op("Assert", holds, [given], name="check")
    with graph.control_dependencies([check]):
        following = graph.op("NextIteration", graph.op("Add", body, one))
    merge[0].node.inputs[1] = following
    return graph, limit, graph.op("Exit", left)


@pytest.mark.parametrize("of_counter", [False, True], ids=["of what rounds share", "of the counter"])
def test_assertions_in_loops(of_counter: bool) -> None:
    graph, limit, end = loop_with_assertion(of_counter)
    session = Session(graph, device="cpu")
    assert session.run(end, {limit: 9}) == 5
    with pytest.raises(errors.InvalidArgumentError, match="assertion failed"):
        session.run(end, {limit: 0})
    loops = [s for p in session._plans.values() for s in p.steps if hasattr(s, "node") and s.node.op in ("While", "StatelessWhile")]
    assert bool(loops) == of_counter  # a loop whose assertion went before it is run by ONNX Runtime


def guarded() -> tuple[Graph, Any, Any, Any, Any]:
    """x / y with the check that y > 0 before it, and a variable that counts the quotients made."""
    graph = Graph()
    x, y = (graph.op("Placeholder", dtype=float32, shape=(None,), name=n) for n in "xy")
    every = graph.op("All", graph.op("Greater", y, graph.constant(0.0, float32)), graph.constant([0], int32), name="every")
    check = graph.op("Assert", every, [y], name="check")
    with graph.control_dependencies([check]):
        given = graph.op("Identity", y, name="given")
    quotient = graph.op("Div", x, given, name="quotient")
    ref = graph.op("VariableV2", name="count", dtype=float32, shape=())
    graph.values["count"] = np.float32(0)
    count = graph.op("AssignAdd", ref, graph.op("Sum", quotient, graph.constant([0], int32), name="sum"), name="counted")
    return graph, x, y, quotient, count


def test_what_only_computes_does_not_wait_for_assertions() -> None:
    graph, x, y, quotient, count = guarded()
    session = Session(graph, device="cpu")
    feed = {x: np.ones(2, np.float32), y: np.full(2, 2, np.float32)}
    assert session.run([quotient, count], feed)[1] == 1.0
    plan = next(iter(session._plans.values()))
    kinds = [type(s).__name__ for s in plan.steps]
    assert kinds == ["Segment", "HostStep", "Segment"]
    assert "Div" in {n.op for n in plan.steps[0].nodes} and [n.name for n in plan.steps[2].nodes if n.op == "AssignAdd"] == ["counted"]


def test_nothing_is_written_when_an_assertion_fails() -> None:
    graph, x, y, _, count = guarded()
    session = Session(graph, device="cpu")
    with pytest.raises(errors.InvalidArgumentError, match="assertion failed"):
        session.run(count, {x: np.ones(2, np.float32), y: np.array([1, 0], np.float32)})
    assert session.run("count:0") == 0.0


def test_an_assertion_speaks_before_what_it_guards_fails() -> None:
    """The product fails in ONNX Runtime, ahead of the assertion: the error is the assertion's all the same."""
    graph = Graph()
    a, b = (graph.op("Placeholder", dtype=float32, shape=(None, None), name=n) for n in "ab")
    sizes = [graph.op("StridedSlice", graph.op("Shape", t), *(graph.constant([i], int32) for i in (d, d + 1, 1)), shrink_axis_mask=1) for t, d in ((a, 1), (b, 0))]  # fmt: skip
    check = graph.op("Assert", graph.op("Equal", *sizes, name="same"), [graph.constant(b"sizes differ", string)], name="check")  # fmt: skip
    with graph.control_dependencies([check]):
        product = graph.op("MatMul", a, b, name="product")
    session = Session(graph, device="cpu")
    assert session.run(product, {a: np.ones((2, 3), np.float32), b: np.ones((3, 1), np.float32)})[0, 0] == 3.0
    with pytest.raises(errors.InvalidArgumentError, match="sizes differ"):
        session.run(product, {a: np.ones((2, 3), np.float32), b: np.ones((4, 1), np.float32)})
