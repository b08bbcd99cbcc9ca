"""GraphDef <-> Graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphtools import dtypes
from graphtools.errors import FormatError
from graphtools.formats import graphdef, load, schema
from graphtools.graph import AttrPlaceholder, Func, Function, Graph

GRAPHS = Path(__file__).parents[3] / "fixtures" / "graphs"
NAMES = ["tf012_mlp.pb", "cf_cond_in_while.pb", "unused_and_junk.pb"]


def message(text: str) -> bytes:
    data: bytes = schema.parse_text("GraphDef", text).SerializeToString()
    return data


@pytest.mark.parametrize("name", NAMES)
def test_graphs_come_back(name: str) -> None:
    graph = graphdef.read((GRAPHS / name).read_bytes())
    data = graphdef.write(graph)
    again = graphdef.read(data)
    assert graphdef.write(again) == data
    assert graphdef.write(graphdef.read_text(graphdef.write_text(graph))) == data
    original = schema.parse("GraphDef", (GRAPHS / name).read_bytes())
    for old, new in zip(original.node, schema.parse("GraphDef", data).node, strict=True):
        assert (old.name, old.op, list(old.input), old.device) == (new.name, new.op, list(new.input), new.device)
        for key, value in old.attr.items():
            if value.WhichOneof("value") not in ("tensor", None) and not (key == "shape" and old.op == "Placeholder"):
                assert new.attr[key] == value, (old.name, key)


def test_text_and_binary_are_the_same_graph() -> None:
    assert graphdef.write(load(GRAPHS / "tf012_mlp.pbtxt")) == graphdef.write(load(GRAPHS / "tf012_mlp.pb"))


def test_attrs_have_python_values() -> None:
    graph = Graph()
    x = graph.add_node("Placeholder", (), {"dtype": dtypes.float32, "shape": (None, 3)}, name="x").outputs[0]
    graph.add_node("Const", (), {"dtype": dtypes.string, "value": np.array([b"a", b"\xff"], object)}, name="s")
    node = graph.add_node("MaxPool", [graph.add_node("Reshape", [x, graph.constant(np.array([1, 1, 3, -1]), dtypes.int32)]).outputs[0]],
                          {"ksize": [1, 1, 2, 1], "strides": [1, 1, 1, 1], "padding": "SAME", "_note": b"\xff", "_dims": [(1, None), None]})  # fmt: skip
    back = graphdef.read(graphdef.write(graph))
    assert back.node("x").attr == {"dtype": dtypes.float32, "shape": (None, 3)}
    assert back.node("s").attr["value"].tolist() == [b"a", b"\xff"]
    assert back.node(node.name).attr == node.attr


def test_an_old_placeholder_with_no_dims_has_an_unknown_shape() -> None:
    text = 'node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "shape" value { shape {} } } }'
    assert graphdef.read(message(text)).node("x").attr["shape"] is None
    assert graphdef.read(message(text + "versions { producer: 22 }")).node("x").attr["shape"] == ()


def test_big_constants_stay_in_the_bytes_of_the_file() -> None:
    graph = Graph()
    value = np.arange(100_000, dtype=np.float32)
    graph.add_node("Const", (), {"dtype": dtypes.float32, "value": value}, name="big")
    data = graphdef.write(graph)
    found = graphdef.read(data).node("big").attr["value"]
    assert (found == value).all()
    assert not found.flags.owndata
    assert not found.flags.writeable


def test_functions_come_back() -> None:
    graph = Graph()
    body = Graph()
    body.functions = graph.functions
    arg = body.add_node("_Arg", (), {"T": dtypes.float32, "index": 0}, name="a").outputs[0]
    parts = body.add_node("Split", [body.constant(np.int32(0), dtypes.int32), arg], {"num_split": 3}, name="parts")
    body.add_node("NoOp", name="last", control_inputs=[parts])
    graph.functions["f"] = Function("f", body, [arg], [parts.outputs[2], arg], [body.node("last")], {"_note": "n"})
    graph.function_gradients["f"] = "f"
    graph.min_consumer = 12
    x = graph.add_node("Placeholder", (), {"dtype": dtypes.float32}, name="x").outputs[0]
    graph.add_node("PartitionedCall", [[x]], {"Tout": [dtypes.float32] * 2, "f": Func("f", {"k": 1})}, name="call")
    back = graphdef.read(graphdef.write(graph))
    function = back.functions["f"]
    assert [t.name for t in function.outputs] == ["parts:2", "a:0"]
    assert [n.name for n in function.control_outputs] == ["last"]
    assert function.attr == {"_note": "n"}
    assert function.graph.node("last").control_inputs == [function.graph.node("parts")]
    assert back.node("call").attr["f"] == Func("f", {"k": 1})
    assert (back.function_gradients, back.min_consumer, back.producer) == ({"f": "f"}, 12, graph.producer)
    assert graphdef.write(back) == graphdef.write(graphdef.read(graphdef.write(back)))


def test_a_function_may_be_called_by_its_name() -> None:
    text = """
        library { function {
          signature { name: "twice" input_arg { name: "x" type_attr: "T" } output_arg { name: "y" type: DT_FLOAT } output_arg { name: "z" type: DT_FLOAT }
                      attr { name: "T" type: "type" } }
          node_def { name: "sum" op: "Add" input: "x" input: "x" attr { key: "T" value { placeholder: "T" } } }
          ret { key: "y" value: "sum:z:0" } ret { key: "z" value: "x" } } }
        node { name: "a" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
        node { name: "b" op: "twice" input: "a" attr { key: "T" value { type: DT_FLOAT } } }
        node { name: "c" op: "Neg" input: "b:1" attr { key: "T" value { type: DT_FLOAT } } }"""
    graph = graphdef.read(message(text))
    assert graph.node("c").inputs[0].name == "b:1"
    assert graph.functions["twice"].graph.node("sum").attr["T"] == AttrPlaceholder("T")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('node { name: "a" op: "NoOp" } node { name: "a" op: "NoOp" }', "Two nodes are named 'a'"),
        ('node { name: "a" op: "NoOp" input: "^b" }', "no node 'b'"),
        ('node { name: "abc" op: "Identity" input: "abd" attr { key: "T" value { type: DT_FLOAT } } }', "Nearest names: 'abc'"),
        ('node { name: "a" op: "Identity" input: "a:7" attr { key: "T" value { type: DT_FLOAT } } }', "has 1 outputs; output 7"),
        ('node { name: "a" op: "Identity" input: "a:x" attr { key: "T" value { type: DT_FLOAT } } }', "no node|output's number"),
        ('node { name: "a" op: "Identity" attr { key: "T" value { type: DT_FLOAT } } }', "has 0 inputs; with its attrs the op takes 1"),
        ('node { name: "a" op: "Identity" input: "a" }', "attr 'T'"),
        ('node { name: "a" }', "both must be given"),
        ('node { name: "a" op: "NoOp" attr { key: "t" value { type: 99 } } }', "element type 99"),
        ('node { name: "u" op: "FromTheFuture" } node { name: "a" op: "NoOp" input: "u:99999999" }', "too many outputs|takes 0"),
        ('library { function { signature { name: "f" output_arg { name: "y" type: DT_FLOAT } } } }', "does not say what its output 'y' is"),
    ],
)
def test_refusals(text: str, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        graphdef.read(message(text))


def test_a_cycle_is_refused() -> None:
    text = "".join(
        f'node {{ name: "{a}" op: "Identity" input: "{b}" attr {{ key: "T" value {{ type: DT_FLOAT }} }} }}'
        for a, b in (("a", "b"), ("b", "a"))
    )
    with pytest.raises(FormatError, match="cycle"):
        load(message(text))


def test_an_op_nobody_knows_is_kept() -> None:
    text = 'node { name: "u" op: "FromTheFuture" attr { key: "k" value { i: 3 } } } node { name: "a" op: "Identity" input: "u:2" attr { key: "T" value { type: DT_FLOAT } } }'
    graph = graphdef.read(message(text))
    assert len(graph.node("u").outputs) == 3
    assert graphdef.read(graphdef.write(graph)).node("u").attr == {"k": 3}


def test_damage_is_told_with_its_offset() -> None:
    data = (GRAPHS / "cf_cond_in_while.pb").read_bytes()
    with pytest.raises(FormatError, match=r"damaged at byte \d+"):
        graphdef.read(data[:-1])
