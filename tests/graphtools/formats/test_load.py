"""load: what a file is, MetaGraphs with checkpoints, SavedModels."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import graphtools
from graphtools.errors import FormatError
from graphtools.formats import detect, load, metagraph, saved_model, schema
from graphtools.graph import Graph
from graphtools.state import VARIABLES, variable_of

FIXTURES = Path(__file__).parents[3] / "fixtures"
CHECKPOINTS = FIXTURES / "checkpoints"
MODELS = FIXTURES / "saved_models"


def run(graph: Graph, feeds: dict[str, np.ndarray], outputs: list[str]) -> list[np.ndarray]:
    model = graphtools.to_onnx(graph, inputs=list(feeds), outputs=outputs)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    values: list[np.ndarray] = session.run(outputs, feeds)
    return values


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("graphs/tf012_mlp.pb", "graphdef"), ("graphs/tf012_mlp.pbtxt", "graphdef_text"), ("graphs/tf012_mlp.meta", "metagraph"),
        ("checkpoints/variables_v2/text.meta", "metagraph_text"), ("checkpoints/v1_types.ckpt", "checkpoint"),
        ("checkpoints/variables_v2/model.index", "checkpoint"), ("checkpoints/variables_v2/checkpoint", "checkpoint_state"),
        ("saved_models/tf2_module/saved_model.pb", "saved_model"), ("saved_models/multi_tag/saved_model.pbtxt", "saved_model_text"),
        ("hdf5/tf_cudnn.h5", "hdf5"), ("hdf5/model.json", "keras_json"), ("hdf5/model.yaml", "keras_yaml"),
    ],
)  # fmt: skip
def test_files_are_known_by_their_content(path: str, kind: str) -> None:
    assert detect((FIXTURES / path).read_bytes()) == kind


def test_a_graph_of_one_node_is_no_metagraph() -> None:
    graph = schema.message("GraphDef")()
    graph.node.add(name="a", op="NoOp")
    graph.library.function.add().signature.name = "f"
    assert detect(graph.SerializeToString()) == "graphdef"
    assert len(load(graph.SerializeToString())) == 1


@pytest.mark.parametrize("data", [b"", b"\0", b"hello", b"PK\x03\x04" + bytes(50), bytes(1000), b"\xff" * 64])
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(FormatError):
        load(tmp_path / "f")


def test_what_other_files_are_is_told(tmp_path: Path) -> None:
    for data, what in ((b"PK\3\4", "zip"), (b"\x80\4", "pickle"), (b"\x1c\0\0\0TFL3", "Lite"), (b"", "empty")):
        (tmp_path / "f").write_bytes(data)
        with pytest.raises(FormatError, match=f"{what}.*was expected"):
            load(tmp_path / "f")


def test_the_newest_export_of_an_estimator_is_meant(tmp_path: Path) -> None:
    for name in ("1500000000", "999"):
        shutil.copytree(MODELS / "multi_tag", tmp_path / name)
    (tmp_path / "999" / "saved_model.pb").write_bytes(b"")
    (tmp_path / "999" / "saved_model.pbtxt").unlink()
    assert load(tmp_path).signature


def test_advice_for_a_checkpoint_and_for_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="it has values, but no graph"):
        load(CHECKPOINTS / "v1_types.ckpt")
    with pytest.raises(FormatError, match="cannot be read: No such file"):
        load(tmp_path / "none.pb")
    with pytest.raises(FormatError, match=r"no saved_model\.pb"):
        load(tmp_path)


@pytest.mark.parametrize("kind", ["variables_v2", "variables_v1", "variables_v1_sharded"])
def test_variables_get_their_values(kind: str) -> None:
    folder = CHECKPOINTS / kind
    graph = load(folder / "model.meta", checkpoint=folder)
    wanted = np.load(folder / "values.npz")
    keys = {k.replace("|", "/") for k in wanted.files} - {"x", "y"}
    assert set(graph.values) == keys  # "count" was not saved
    assert {variable_of(n).key for n in graph if n.op in VARIABLES} == keys | {"count"}
    for key in keys:
        assert np.array_equal(graph.values[key], wanted[key.replace("/", "|")]), key
    (y,) = run(graph, {"x:0": wanted["x"]}, ["y:0"])
    assert np.allclose(y, wanted["y"], 1e-5, 1e-6)


def test_a_metagraph_finds_the_checkpoint_beside_it(tmp_path: Path) -> None:
    assert load(CHECKPOINTS / "variables_v2" / "model.meta").values
    assert load(CHECKPOINTS / "variables_v2").values
    shutil.copy(CHECKPOINTS / "variables_v2" / "model.meta", tmp_path)
    assert not load(tmp_path / "model.meta").values


def test_a_checkpoint_of_another_graph_is_refused() -> None:
    with pytest.raises(FormatError, match="has none of the 7 variables"):
        load(CHECKPOINTS / "variables_v2" / "model.meta", checkpoint=CHECKPOINTS / "v2_types" / "model")


def test_collections_and_signatures() -> None:
    graph = load(CHECKPOINTS / "variables_v2" / "text.meta")
    assert list(graph.collections["outputs"]) == ["y:0"]
    assert list(graph.collections["rates"]) == [0.5]
    names = [v.variable_name for v in graph.collections["variables"]]
    assert "kernel:0" in names
    assert "table/part_1:0" in names
    assert isinstance(graph.collections["variables"].raw[0], bytes)
    again = metagraph.read(metagraph.write(graph))
    assert metagraph.write(again) == metagraph.write(graph)
    assert [c.name for c in again.collections.values()] == [c.name for c in graph.collections.values()]
    assert again.meta == graph.meta


def test_signatures_of_a_session_bundle(tmp_path: Path) -> None:
    meta = schema.parse("MetaGraphDef", (CHECKPOINTS / "variables_v1" / "model.meta").read_bytes())
    signatures = schema.message("Signatures")()
    signatures.default_signature.regression_signature.input.tensor_name = "x:0"
    signatures.default_signature.regression_signature.output.tensor_name = "y:0"
    signatures.named_signatures["named"].generic_signature.map["a"].tensor_name = "x:0"
    entry = meta.collection_def["serving_signatures"].any_list.value.add()
    entry.type_url, entry.value = "type.googleapis.com/tensorflow.serving.Signatures", signatures.SerializeToString()
    (tmp_path / "export.meta").write_bytes(meta.SerializeToString())
    shutil.copy(CHECKPOINTS / "variables_v1" / "model", tmp_path / "export-00000-of-00001")
    graph = load(tmp_path)
    assert graph.signature is not None
    assert (graph.signature.inputs, graph.signature.outputs) == ({"inputs": "x:0"}, {"outputs": "y:0"})
    assert graph.signatures["named"].inputs == {"a": "x:0"}
    assert len(graph.values) == 6


# -- SavedModels -------------------------------------------------------------------------------------------------------


def test_tags_and_signatures_are_chosen() -> None:
    folder = MODELS / "multi_tag"
    graph = load(folder)
    assert "serving_default" in graph.signatures
    assert graph.signature == graph.signatures["serving_default"]
    assert list(graph.meta.meta_info_def.tags) == ["serve"]
    assert list(load(folder, tags=["train"]).meta.meta_info_def.tags) == ["train"]
    other = sorted(set(graph.signatures) - {"serving_default"})[0]
    assert load(folder, signature=other).signature == graph.signatures[other]
    with pytest.raises(FormatError, match=r"no graph with the tags 'gpu'; its graphs have the tags: 'train'; 'serve'|'serve'; 'train'"):
        load(folder, tags=["gpu"])
    with pytest.raises(FormatError, match="no signature 'nope'; it has 'features'"):
        load(folder, signature="nope")


def test_text_and_binary_are_the_same_model() -> None:
    binary, text = load(MODELS / "multi_tag" / "saved_model.pb"), load(MODELS / "multi_tag" / "saved_model.pbtxt")
    assert metagraph.write(binary) == metagraph.write(text)
    assert dict(binary.values.items()).keys() == dict(text.values.items()).keys()


def test_the_smallest_fitting_tag_set_is_meant() -> None:
    sets = [["train"], ["serve", "gpu"], ["serve"]]
    assert saved_model.choose_tags(sets, None, "m") == 2
    assert saved_model.choose_tags(sets, ["gpu"], "m") == 1
    with pytest.raises(FormatError, match="none is tagged 'serve'"):
        saved_model.choose_tags([["a"], ["b"]], None, "m")
    with pytest.raises(FormatError, match="holds no graph"):
        saved_model.choose_tags([], None, "m")


def test_functions_and_twin_names_of_tensorflow_2() -> None:
    folder = MODELS / "tf2_module"
    graph = load(folder)
    assert graph.signature is not None
    io = np.load(folder / "io.npz")
    feeds = {tensor: io[f"in:{name}"] for name, tensor in graph.signature.inputs.items()}
    got = run(graph, feeds, list(graph.signature.outputs.values()))
    for value, name in zip(got, graph.signature.outputs, strict=True):
        assert np.allclose(value, io[f"out:{name}"], 1e-5), name
    assert graph.assets["words.txt"] == b"one\ntwo\nthree\n"
    assert len(saved_model.init_ops(graph)) == 1


def test_asset_tensors_point_at_the_files(tmp_path: Path) -> None:
    shutil.copytree(MODELS / "assets", tmp_path / "m")
    graph = load(tmp_path / "m")
    path = str(tmp_path / "m" / "assets" / "vocab.txt")
    assert any(n.op == "Const" and n.attr["value"].dtype == object and n.attr["value"].ravel().tolist() == [path.encode()] for n in graph)
    assert graph.assets["vocab.txt"] == graph.assets[path] == (tmp_path / "m" / "assets" / "vocab.txt").read_bytes()
    assert "../vocab.txt" not in graph.assets


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "a/../../b", "c:\\x", "", "a\0b"])
def test_assets_cannot_leave_their_folder(tmp_path: Path, name: str) -> None:
    shutil.copytree(MODELS / "assets", tmp_path / "m")
    model = schema.parse("SavedModel", (tmp_path / "m" / "saved_model.pb").read_bytes())
    for meta in model.meta_graphs:
        del meta.collection_def["saved_model_assets"]
        meta.asset_file_def.add(filename=name).tensor_info.name = "x:0"
    (tmp_path / "m" / "saved_model.pb").write_bytes(model.SerializeToString())
    with pytest.raises(FormatError, match="outside its folder"):
        load(tmp_path / "m", tags=["serve"])


def test_variables_that_are_missing_are_named(tmp_path: Path) -> None:
    shutil.copytree(MODELS / "multi_tag", tmp_path / "m")
    shutil.rmtree(tmp_path / "m" / "variables")
    with pytest.raises(FormatError, match=r"variables\.index, which has their values, is missing"):
        load(tmp_path / "m")


def test_a_model_whose_variables_are_not_saved_needs_no_checkpoint(tmp_path: Path) -> None:
    shutil.copytree(MODELS / "multi_tag", tmp_path / "m")
    shutil.rmtree(tmp_path / "m" / "variables")
    model = schema.parse("SavedModel", (tmp_path / "m" / "saved_model.pb").read_bytes())
    for meta in model.meta_graphs:
        meta.ClearField("saver_def")
    (tmp_path / "m" / "saved_model.pb").write_bytes(model.SerializeToString())
    assert not load(tmp_path / "m").values


def test_files_of_a_metagraph_are_found_near_it(tmp_path: Path) -> None:
    shutil.copytree(MODELS / "assets", tmp_path / "export")
    model = schema.parse("SavedModel", (tmp_path / "export" / "saved_model.pb").read_bytes())
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "model.meta").write_bytes(model.meta_graphs[0].SerializeToString())
    graph = load(tmp_path / "train" / "model.meta")
    path = tmp_path / "export" / "assets" / "vocab.txt"
    assert list(graph.assets) == ["vocab.txt"]
    assert graph.assets["vocab.txt"] == graph.assets[str(path)] == path.read_bytes()
    shutil.copy(path, tmp_path / "train" / "vocab.txt")
    assert str(tmp_path / "train" / "vocab.txt") in load(tmp_path / "train" / "model.meta").assets
