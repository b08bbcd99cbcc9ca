"""Conds on constants, as Grappler leaves them: the pivots are constants too, so nothing but the Switches says which side a node is on."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from graphtools import Graph, to_onnx
from graphtools.dtypes import bool_, float32
from graphtools.graph import Node, Tensor


def const(graph: Graph, value: object, name: str, after: list[Node] | None = None) -> Tensor:
    array = np.asarray(value)
    dtype = bool_ if array.dtype == bool else float32
    attr = {"value": array.astype(dtype.as_numpy_dtype), "dtype": dtype}
    return graph.add_node("Const", [], attr, name=name, control_inputs=after or []).outputs[0]


def decided(taken: bool) -> Graph:
    """merge(switch(x, taken)[0] * 2, 7 after the pivot of the other side)"""
    graph = Graph()
    x = graph.add_node("Placeholder", [], {"dtype": float32, "shape": (2,)}, name="x").outputs[0]
    pred = const(graph, taken, "pred")
    pivot = const(graph, True, "cond/switch_t")  # folded: it no longer hangs on the predicate
    switch = graph.add_node("Switch", [x, const(graph, taken, "cond/pred_id")], name="cond/Switch")
    graph.add_node("Switch", [pred, pred], name="cond/pivots")
    doubled = graph.add_node("Mul", [switch.outputs[0], const(graph, [2.0, 2.0], "cond/two")], name="cond/mul").outputs[0]
    other = graph.add_node("Add", [switch.outputs[1], const(graph, [7.0, 7.0], "cond/seven", [pivot.node])], name="cond/add").outputs[0]
    merge = graph.add_node("Merge", [[doubled, other]], name="cond/Merge")
    graph.add_node("Neg", [merge.outputs[0]], name="y", control_inputs=[switch])
    return graph


@pytest.mark.parametrize("taken", [False, True])
def test_only_the_side_taken_is_left(taken: bool) -> None:
    model = to_onnx(decided(taken), inputs=["x:0"], outputs=["y:0", "cond/Merge:0", "cond/Merge:1"])
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.array([1.0, 3.0], np.float32)
    y, merged, index = session.run(None, {"x:0": x})
    wanted = x + 7 if taken else x * 2
    np.testing.assert_array_equal(y, -wanted)
    np.testing.assert_array_equal(merged, wanted)
    assert index == int(taken)
    assert "If" not in [n.op_type for n in model.graph.node]


def test_a_side_that_never_runs_cannot_be_asked_for() -> None:
    with pytest.raises(Exception, match=r"cond/mul"):
        to_onnx(decided(True), inputs=["x:0"], outputs=["cond/mul:0"])
