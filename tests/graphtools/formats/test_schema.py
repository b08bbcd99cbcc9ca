"""The message table: classes, lossless bytes, and where damage is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphtools.errors import FormatError
from graphtools.formats import schema

GRAPHS = Path(__file__).parents[3] / "fixtures" / "graphs"


def test_all_messages_can_be_made() -> None:
    for name in schema.names():
        schema.message(name)()
    assert {"GraphDef", "MetaGraphDef", "SavedModel", "BundleEntryProto", "Event", "ConfigProto", "Example"} <= schema.names()


@pytest.mark.parametrize("name", ["tf012_mlp.pb", "cf_cond_in_while.pb", "unused_and_junk.pb"])
def test_graphs_have_no_unknown_fields_and_come_back(name: str) -> None:
    data = (GRAPHS / name).read_bytes()
    message = schema.parse("GraphDef", data)
    known = schema.message("GraphDef")()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    assert known.ByteSize() == message.ByteSize() == len(data)


def test_text_form_comes_back() -> None:
    message = schema.parse("GraphDef", (GRAPHS / "tf012_mlp.pb").read_bytes())
    assert schema.parse_text("GraphDef", schema.to_text(message)) == message


def test_lies_beside_other_descriptor_pools() -> None:
    from google.protobuf import descriptor_pool

    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("tensorflow.GraphDef")


def test_damage_is_found_where_it_is() -> None:
    graph = schema.message("GraphDef")()
    graph.node.add(name="a", op="NoOp")
    graph.node.add(name="b", op="NoOp", device="x" * 40)
    data = graph.SerializeToString()
    with pytest.raises(FormatError, match=f"at byte {data.index(b'b') - 4}: field 1 says it has"):
        schema.parse("GraphDef", data[:-5])
    with pytest.raises(FormatError, match=r"byte 1004: the text of field 1 of NodeDef is not UTF-8"):
        schema.parse("GraphDef", data[:4] + b"\xff" + data[5:], offset=1000)


def test_text_damage_has_a_line() -> None:
    with pytest.raises(FormatError, match=r"2:\d+"):
        schema.parse_text("GraphDef", 'node { name: "a" op: "NoOp" }\nnode { name: }')


def test_unknown_fields_of_text_are_left_out() -> None:
    assert schema.parse_text("GraphDef", 'node { name: "a" from_the_future { x: 1 } }').node[0].name == "a"
