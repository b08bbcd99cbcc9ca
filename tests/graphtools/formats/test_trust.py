"""Model files are untrusted: whatever is in them, loading ends, soon and in little memory, with a graph or a FormatError."""

from __future__ import annotations

import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphtools.errors import FormatError
from graphtools.formats import detect, load, schema
from graphtools.formats.checkpoint import open_checkpoint

FIXTURES = Path(__file__).parents[3] / "fixtures"

FILES = {
    "graphs/tf012_mlp.pb": None,
    "graphs/cf_cond_in_while.pb": None,
    "graphs/tf012_mlp.pbtxt": None,
    "graphs/tf012_mlp.meta": None,
    "saved_models/tf2_module/saved_model.pb": None,
    "saved_models/tf2_module/variables/variables.index": "saved_model.pb",
    "checkpoints/variables_v2/model.index": "model",
    "checkpoints/variables_v2/model.data-00000-of-00001": "model",
    "checkpoints/variables_v2/checkpoint": "checkpoint",
    "checkpoints/tf012_v1/model.ckpt": "model.ckpt",
    "hdf5/tf_cudnn.h5": None,
    "hdf5/keras1_branches.h5": None,
    "hdf5/model.json": None,
    "hdf5/model.yaml": None,
}


def mutations(size: int) -> st.SearchStrategy[Callable[[bytes], bytes]]:
    place = st.integers(0, size - 1)

    def flip(at: list[tuple[int, int]]) -> Callable[[bytes], bytes]:
        def apply(data: bytes) -> bytes:
            changed = bytearray(data)
            for i, bit in at:
                changed[i] ^= 1 << bit
            return bytes(changed)

        return apply

    return st.one_of(
        place.map(lambda i: lambda data: data[:i]),
        st.lists(st.tuples(place, st.integers(0, 7)), min_size=1, max_size=4).map(flip),
        st.tuples(place, st.integers(1, 40)).map(lambda t: lambda data: data[: t[0]] + data[t[0] + t[1] :]),
        st.tuples(place, st.binary(min_size=1, max_size=12)).map(lambda t: lambda data: data[: t[0]] + t[1] + data[t[0] :]),
    )


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60, deadline=5000, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_end_in_a_graph_or_a_format_error(name: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    source = FIXTURES / name
    original = source.read_bytes()
    root = source.parent if "variables/" not in name else source.parent.parent
    folder = tmp_path_factory.getbasetemp() / "trust" / name.replace("/", "_")
    if not folder.exists():
        if root.name in ("hdf5", "graphs"):
            folder.mkdir(parents=True)
            shutil.copy(FIXTURES / "hdf5" / "weights.h5", folder)
        else:
            shutil.copytree(root, folder)
    victim = folder / source.relative_to(root)
    victim.write_bytes(data.draw(mutations(len(original)))(original))
    try:
        if name.startswith("checkpoints"):
            found = open_checkpoint(folder / str(FILES[name]))
            for key in found:
                _ = found[key]
        else:
            graph = load(folder / FILES[name] if FILES[name] else victim, weights=folder / "weights.h5")
            for key in graph.values:
                _ = graph.values[key]
    except FormatError as e:
        assert str(e)


@settings(max_examples=200, deadline=5000, derandomize=True)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    detect(data)
    try:
        load(data)
    except FormatError as e:
        assert str(e)


def graph_of(text: str) -> bytes:
    data: bytes = schema.parse_text("GraphDef", text).SerializeToString()
    return data


def test_a_small_file_that_declares_a_huge_tensor_stays_small() -> None:
    text = """node { name: "c" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "value" value { tensor {
        dtype: DT_FLOAT tensor_shape { dim { size: 200000 } dim { size: 200000 } } float_val: 1 } } } }"""
    tracemalloc.start()
    try:
        graph = load(graph_of(text))
        assert tracemalloc.get_traced_memory()[1] < 50_000_000
    finally:
        tracemalloc.stop()
    assert graph.node("c").outputs[0].dims == (200000, 200000)


def test_lists_of_absurd_length_in_attrs_are_refused() -> None:
    text = 'node { name: "s" op: "Split" input: "s" input: "s" attr { key: "num_split" value { i: 9000000000000 } } attr { key: "T" value { type: DT_FLOAT } } }'
    with pytest.raises(FormatError):
        load(graph_of(text))


def test_deep_nesting_is_refused() -> None:
    value = schema.message("AttrValue")()
    inner = value
    for _ in range(200):
        inner.func.name = "f"
        inner = inner.func.attr["x"]
    graph = schema.message("GraphDef")()
    graph.node.add(name="a", op="NoOp").attr["x"].CopyFrom(value)
    with pytest.raises(FormatError):
        load(graph.SerializeToString())


def test_a_function_that_calls_itself_is_read() -> None:
    text = """library { function { signature { name: "f" input_arg { name: "x" type: DT_FLOAT } output_arg { name: "y" type: DT_FLOAT } }
          node_def { name: "again" op: "f" input: "x" } ret { key: "y" value: "again:y:0" } } }
        node { name: "p" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } } node { name: "c" op: "f" input: "p" }"""
    assert load(graph_of(text)).functions["f"].outputs[0].node.op == "f"


def const(name: str, dims: tuple[int, ...], value: int) -> str:
    shape = " ".join(f"dim {{ size: {d} }}" for d in dims)
    return (
        f'node {{ name: "{name}" op: "Const" attr {{ key: "dtype" value {{ type: DT_INT32 }} }} '
        f'attr {{ key: "value" value {{ tensor {{ dtype: DT_INT32 tensor_shape {{ {shape} }} int_val: {value} }} }} }} }}\n'
    )


def node(name: str, op: str, inputs: str, *types: str, n: int | None = None) -> str:
    attrs = "".join(f'attr {{ key: "{t}" value {{ type: DT_INT32 }} }} ' for t in types) + (
        f'attr {{ key: "N" value {{ i: {n} }} }}' if n else ""
    )
    return f'node {{ name: "{name}" op: "{op}" {" ".join(f"""input: "{i}" """ for i in inputs.split())} {attrs} }}\n'


HOSTILE = {
    "a range of two billion": const("a", (), 0) + const("b", (), 2_000_000_000) + const("c", (), 1) + node("v", "Range", "a b c", "Tidx"),
    "a product of a row and a column": const("a", (100_000, 1), 1) + const("b", (1, 100_000), 1) + node("v", "Mul", "a b", "T"),
    "many tiles": const("a", (1000,), 1) + const("b", (1,), 100_000_000) + node("v", "Tile", "a b", "T", "Tmultiples"),
    "a stack of millions": const("a", (1_000_000,), 1) + node("v", "Pack", "a " * 3000, "T", n=3000),
    "a rank of a million": const("v", (1_000_000,), 5),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_small_graphs_that_describe_huge_values_are_read_in_little_memory(name: str) -> None:
    text = (
        HOSTILE[name]
        + const("x", (4,), 1)
        + node("y", "Reshape", "x v", "T", "Tshape")
        + node("f", "Fill", "v z", "T", "index_type")
        + const("z", (), 0)
    )
    tracemalloc.start()
    try:
        load(graph_of(text))
        assert tracemalloc.get_traced_memory()[1] < 200_000_000
    finally:
        tracemalloc.stop()
