"""Loops, conds and function calls: what raising leaves behind, what is refused, and state that loops and conds change."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

import graphtools
from graphtools import passes
from graphtools.convert.walk import resolve
from graphtools.dtypes import bool_, float32
from graphtools.errors import ConversionError
from graphtools.graph import Func, Function, Graph, Node, topological
from graphtools.passes.prune import extract
from graphtools.state import called_functions

FIXTURES = Path(__file__).parents[2] / "fixtures"
CONTROL = sorted([*FIXTURES.glob("ops/Control__*.npz"), *FIXTURES.glob("gradients/Control__*.npz")])
STATE = sorted(FIXTURES.glob("state/*.npz"))
V1 = {
    "Enter",
    "RefEnter",
    "Exit",
    "RefExit",
    "Merge",
    "RefMerge",
    "NextIteration",
    "RefNextIteration",
    "Switch",
    "RefSwitch",
    "LoopCond",
    "_SwitchN",
}


def graph_of(path: Path) -> tuple[Graph, dict]:
    with np.load(path, allow_pickle=False) as data:
        return graphtools.load(data["graph"].tobytes()), json.loads(str(data["meta"]))


def reachable(graph: Graph) -> list[tuple[Graph, Function | None]]:
    found: list[tuple[Graph, Function | None]] = [(graph, None)]
    seen: set[str] = set()
    for inner, _ in found:
        for node in inner:
            for function in called_functions(node):
                if function.name not in seen:
                    seen.add(function.name)
                    found.append((function.graph, function))
    return found


@pytest.mark.parametrize("path", CONTROL, ids=lambda p: p.stem)
def test_raised_graph_is_whole(path: Path) -> None:
    graph, meta = graph_of(path)
    names_before = set(graph.nodes)
    part, _, _ = extract(graph, resolve(graph, meta["outputs"], "output"), [])
    passes.run(part)
    for inner, function in reachable(part):
        members = set(inner.nodes.values())
        topological(members)
        assert not [n.name for n in inner if n.op in V1]
        for node in inner:
            assert {t.node for t in node.inputs} <= members
            assert set(node.control_inputs) <= members
        if function is not None:
            assert {t.node for t in (*function.inputs, *function.outputs)} <= members
            assert set(function.control_outputs) <= members
    assert {name.partition(":")[0] for name in meta["outputs"]} <= set(part.nodes)
    assert set(graph.nodes) == names_before


@pytest.mark.parametrize("path", STATE, ids=lambda p: p.stem)
def test_variables_changed_in_loops_and_conds(path: Path) -> None:
    graph, meta = graph_of(path)
    with np.load(path, allow_pickle=False) as data:
        arrays = {k: data[k] for k in data.files}
    graph.values = {k[7:]: v for k, v in arrays.items() if k.startswith("before:")}
    model = graphtools.to_onnx(graph, inputs=meta["inputs"], outputs=meta["outputs"] + meta["ops_run"])
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {i.name: arrays[f"in:{i.name}"] if f"in:{i.name}" in arrays else arrays[f"before:{i.name[:-2]}"] for i in session.get_inputs()}
    got = dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds), strict=True))
    for name in meta["outputs"]:
        np.testing.assert_allclose(got[name], arrays[f"out:{name}"], rtol=1e-4, atol=1e-5)
    for key, value in arrays.items():
        if key.startswith("after:"):
            np.testing.assert_allclose(got.get(f"{key[6:]}:next", arrays[f"before:{key[6:]}"]), value, rtol=1e-4, atol=1e-5, err_msg=key)


def test_fetch_inside_a_loop_is_refused() -> None:
    graph, meta = graph_of(FIXTURES / "gradients/Control__tf1_nested_while_grad.npz")
    with pytest.raises(ConversionError, match="'while/while/mul' \\(Mul\\) is inside the loop or branch"):
        graphtools.to_onnx(graph, inputs=meta["inputs"], outputs=["out_0:0", "while/while/mul:0"])


def test_half_a_cond_is_refused() -> None:
    graph = Graph()
    pred = graph.add_node("Placeholder", [], {"dtype": bool_, "shape": ()}, name="pred")
    x = graph.add_node("Placeholder", [], {"dtype": float32, "shape": (2,)}, name="x")
    switch = graph.add_node("Switch", [x.outputs[0], pred.outputs[0]], name="switch")
    graph.add_node("Neg", [switch.outputs[1]], name="y")
    with pytest.raises(ConversionError, match="'y' \\(Neg\\) is inside"):
        graphtools.to_onnx(graph, inputs=["x:0", "pred:0"], outputs=["y:0"])


def loop(graph: Graph, name: str) -> tuple[Node, Node]:
    """Enter and Merge of a loop without a condition."""
    x = graph.add_node("Placeholder", [], {"dtype": float32, "shape": ()}, name="x")
    enter = graph.add_node("Enter", [x.outputs[0]], {"frame_name": name}, name=f"{name}/enter")
    merge = graph.add_node("Merge", [[enter.outputs[0], enter.outputs[0]]], name=f"{name}/merge")
    step = graph.add_node("NextIteration", [merge.outputs[0]], name=f"{name}/next")
    merge.inputs[1] = step.outputs[0]
    return enter, merge


def test_loop_without_condition_is_refused() -> None:
    graph = Graph()
    _, merge = loop(graph, "w")
    graph.add_node("Exit", [merge.outputs[0]], name="y")
    with pytest.raises(ConversionError, match="The while frame 'w' has 0 LoopCond nodes"):
        graphtools.to_onnx(graph, inputs=["x:0"], outputs=["y:0"])


def test_function_that_calls_itself_is_refused() -> None:
    graph = Graph()
    body = Graph()
    body.functions = graph.functions
    arg = body.add_raw_node("a", "_Arg", {"T": float32, "index": 0})
    arg.outputs = [body.tensor_type(arg, 0, float32, ())]
    call = body.add_node("PartitionedCall", [[arg.outputs[0]]], {"f": Func("f"), "Tout": [float32]}, name="again")
    graph.functions["f"] = Function("f", body, [arg.outputs[0]], [call.outputs[0]])
    x = graph.add_node("Placeholder", [], {"dtype": float32, "shape": ()}, name="x")
    graph.add_node("PartitionedCall", [[x.outputs[0]]], {"f": Func("f"), "Tout": [float32]}, name="y")
    with pytest.raises(ConversionError, match="Function 'f' calls itself"):
        graphtools.to_onnx(graph, inputs=["x:0"], outputs=["y:0"])


def test_queue_says_what_to_name_as_input() -> None:
    graph = Graph()
    queue = graph.add_node("FIFOQueueV2", [], {"component_types": [float32], "shapes": [(2,)]}, name="q")
    item = graph.add_node("QueueDequeueV2", [queue.outputs[0]], {"component_types": [float32]}, name="item")
    graph.add_node("Neg", [item.outputs[0]], name="y")
    with pytest.raises(ConversionError, match="name what it gives \\('item:0'\\) among the inputs"):
        graphtools.to_onnx(graph, inputs=[], outputs=["y:0"])
    model = graphtools.to_onnx(graph, inputs=["item:0"], outputs=["y:0"])
    assert [i.name for i in model.graph.input] == ["item:0"]


@pytest.mark.parametrize(
    "name, op",
    [("ops/Control__tf1_swap_memory", "Scan"), ("gradients/Control__tf1_cond_in_while_grad", "Loop")],
    ids=["three rounds", "n rounds"],
)
def test_trip_count_replaces_the_condition(name: str, op: str) -> None:
    """A loop over a counter evaluates no condition in its body, and does not carry the counter."""
    graph, meta = graph_of(FIXTURES / f"{name}.npz")
    model = graphtools.to_onnx(graph, inputs=meta["inputs"], outputs=["out_0:0"])
    (node,) = [n for n in model.graph.node if n.op_type in ("Loop", "Scan")]
    body = next(a.g for a in node.attribute if a.name == "body")
    assert node.op_type == op
    assert len(body.input) == (2 if op == "Scan" else 3)
    assert not [n.op_type for n in body.node if n.op_type in ("Less", "LessOrEqual")]


def test_variable_decides(tmp_path: Path) -> None:
    """tf.cond of a variable itself, as TFLearn's dropout has it."""
    from runtime.script import capture

    script = tmp_path / "script.py"
    script.write_text(
        "import tensorflow as tf\nx = tf.placeholder(tf.float32, [2], name='x')\nmode = tf.Variable(False, name='mode')\n"
        "y = tf.cond(mode, lambda: x * 2.0, lambda: x + 1.0)\nwith tf.Session() as s:\n    s.run(tf.global_variables_initializer())\n"
    )
    graph = capture(script)
    for mode, wanted in ((False, [4.0, 5.0]), (True, [6.0, 8.0])):
        graph.values["mode"] = np.array(mode)
        session = ort.InferenceSession(graphtools.to_onnx(graph, inputs=["x:0"], outputs=["cond/Merge:0"]).SerializeToString())
        np.testing.assert_array_equal(session.run(None, {"x:0": np.float32([3, 4])})[0], wanted)
