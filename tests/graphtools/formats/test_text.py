"""The fast reader of text form beside protobuf's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from graphtools.errors import FormatError
from graphtools.formats import schema
from graphtools.formats.text import Parser, Unusual

FIXTURES = Path(__file__).parents[3] / "fixtures"
TEXTS = [
    ("graphs/tf012_mlp.pbtxt", "GraphDef"),
    ("checkpoints/variables_v2/text.meta", "MetaGraphDef"),
    ("saved_models/multi_tag/saved_model.pbtxt", "SavedModel"),
]


def reference(text: str, name: str) -> bytes:
    message = text_format.Parse(text, schema.message(name)(), allow_unknown_field=True)
    data: bytes = message.SerializeToString(deterministic=True)
    return data


def fast(text: str, name: str) -> bytes:
    data: bytes = Parser().parse(text, schema.message(name)()).SerializeToString(deterministic=True)
    return data


@pytest.mark.parametrize(("path", "name"), TEXTS)
def test_files(path: str, name: str) -> None:
    text = (FIXTURES / path).read_text()
    assert fast(text, name) == reference(text, name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('node { name: "a" op: \'b\' input: ["x", "y:1"] } # end', "GraphDef"),
        ('node < name: "a" "b"\n  "c" >; versions { producer: 0x1F }', "GraphDef"),
        (r'attr { key: "s" value { s: "\000\377\n\\\"\x41" } }', "NodeDef"),
        (
            'attr { key: "a" value { list { f: [1.5, -inf, nan, 2e-3] f: 3f i: -7 b: true b: false type: DT_FLOAT type: DT_INT32_REF } } }',
            "NodeDef",
        ),
        ('attr { key: "ä" value { tensor { dtype: DT_HALF tensor_shape { dim { size: -1 } } half_val: 15360 } } }', "NodeDef"),
        ("", "GraphDef"),
        ("  # nothing\n", "GraphDef"),
    ],
)
def test_forms(text: str, name: str) -> None:
    assert fast(text, name) == reference(text, name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
  ("from_the_future: 1", "NodeDef"), ("name 1", "NodeDef"), ("name: 1", "NodeDef"),
        ('node { name: "a"', "GraphDef"), ("node { name: } }", "GraphDef"), ("node [ { } ]", "GraphDef"), ("}", "GraphDef"),
        ('attr { value { i: 1 } key: "late" }', "NodeDef"), ("versions { producer: 99999999999 }", "GraphDef"),
    ],
)  # fmt: skip
def test_the_unusual_is_left_to_protobuf(text: str, name: str) -> None:
    with pytest.raises(Unusual):
        fast(text, name)
    try:
        wanted = reference(text, name)
    except text_format.ParseError:
        with pytest.raises(FormatError):
            schema.parse_text(name, text)
    else:
        assert schema.parse_text(name, text).SerializeToString(deterministic=True) == wanted


@pytest.mark.parametrize("escape", ["\\q", "\\777", "\\u0041"])
def test_odd_escapes_are_left_to_protobuf(escape: str) -> None:
    with pytest.raises(Unusual):
        fast(f'name: "{escape}"', "NodeDef")
    assert fast(r'name: "\\q\\777"', "NodeDef")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.binary(max_size=30), st.floats(width=32, allow_nan=False), st.integers(-(2**63), 2**63 - 1), st.text(min_size=1, max_size=10))
def test_values_come_back(data: bytes, number: float, integer: int, text: str) -> None:
    message = schema.message("NodeDef")(name=text)
    message.attr["s"].s, message.attr["f"].f, message.attr["i"].i = data, number, integer
    message.attr[text].list.s.append(data)
    assert Parser().parse(schema.to_text(message), schema.message("NodeDef")()) == message
