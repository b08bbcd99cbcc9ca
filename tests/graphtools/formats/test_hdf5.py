"""Keras models: every fixture computes what the Keras that wrote it computed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnxruntime
import pytest

import graphtools
from graphtools.errors import FormatError
from graphtools.formats import load
from graphtools.formats.keras import config_yaml

HDF5 = Path(__file__).parents[3] / "fixtures" / "hdf5"
MODELS = sorted(p.stem for p in HDF5.glob("*.h5") if p.stem != "weights")


def check(graph: graphtools.Graph, io: Any, tolerance: float = 1e-5) -> None:
    model = graphtools.to_onnx(graph, inputs=None, outputs=None)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = [io[k] for k in sorted(io.files) if k.startswith("in:")]
    wanted = [io[k] for k in sorted(io.files) if k.startswith("out:")]
    assert graph.signature is not None
    assert len(graph.signature.outputs) == len(wanted)
    got = session.run(None, dict(zip([i.name for i in session.get_inputs()], feeds, strict=True)))
    for name, value, want in zip(graph.signature.outputs, got, wanted, strict=True):
        assert value.shape == want.shape, name
        assert np.allclose(value, want, 1e-4, tolerance), f"{name}: {np.abs(value - want).max()}"


@pytest.mark.parametrize("name", MODELS)
def test_models(name: str) -> None:
    check(load(HDF5 / f"{name}.h5"), np.load(HDF5 / f"{name}.npz"))


@pytest.mark.parametrize("config", ["model.json", "model.yaml"])
def test_config_with_weights(config: str) -> None:
    check(load(HDF5 / config, weights=HDF5 / "weights.h5"), np.load(HDF5 / "model.npz"))


def test_config_with_weights_in_a_checkpoint() -> None:
    folder = HDF5 / "tf_weights"
    check(load(folder / "model.json", weights=folder / "weights"), np.load(folder / "io.npz"))
    with pytest.raises(FormatError, match="no object graph"):
        load(folder / "model.json", weights=HDF5.parent / "checkpoints" / "v2_types" / "model")
    with pytest.raises(FormatError, match=r"layer_with_weights|weights for the layer"):
        load(HDF5 / "model.json", weights=folder / "weights")


def test_yaml_and_json_say_the_same() -> None:
    assert config_yaml.parse((HDF5 / "model.yaml").read_text()) == json.loads((HDF5 / "model.json").read_text())


def test_yaml_forms() -> None:
    text = (
        "a: &x !!python/tuple [1, 2.5, null, 'it''s']\nb:\n- {k: *x, m: true}\n-   - 1\n    - -2e3\nc: *x\nd: \"q: #\\n\"\ne: {}\nf: []\n"
    )
    value = {
        "a": [1, 2.5, None, "it's"],
        "b": [{"k": [1, 2.5, None, "it's"], "m": True}, [1, -2000.0]],
        "c": [1, 2.5, None, "it's"],
        "d": "q: #\n",
        "e": {},
        "f": [],
    }
    assert config_yaml.parse(text) == value


@pytest.mark.parametrize("text", ["", "a: !!python/object/apply:os.system ['x']", "a: *nope", "a: [1, 2", "a: b\n   c: d"])
def test_yaml_refusals(text: str) -> None:
    with pytest.raises(FormatError):
        config_yaml.parse(text)


def test_aliases_of_aliases_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    with pytest.raises(FormatError, match="stands for more than"):
        config_yaml.parse("\n".join(lines))


def test_weights_are_needed() -> None:
    with pytest.raises(FormatError, match="give the weights file with weights="):
        load(HDF5 / "model.json")
    with pytest.raises(FormatError, match="written by save_weights"):
        load(HDF5 / "weights.h5")


def edited(tmp_path: Path, name: str, edit: Any) -> Path:
    path = tmp_path / "m.h5"
    shutil.copy(HDF5 / f"{name}.h5", path)
    with h5py.File(path, "r+") as f:
        config = json.loads(f.attrs["model_config"])
        edit(config, f)
        f.attrs["model_config"] = json.dumps(config)
    return path


def test_lambda_layers_are_refused_with_advice(tmp_path: Path) -> None:
    def edit(config: Any, f: Any) -> None:
        layer = next(la for la in config["config"]["layers"] if la["class_name"] == "Add")
        layer["class_name"] = "Lambda"
        layer["config"] = {"name": layer["name"], "function": ["4wEAAA==", None, None], "function_type": "lambda", "arguments": {}}

    with pytest.raises(FormatError, match="Python bytecode, which is not executed"):
        load(edited(tmp_path, "keras2_merges", edit))


def test_layers_of_the_users_own_are_refused_by_name(tmp_path: Path) -> None:
    def edit(config: Any, f: Any) -> None:
        next(la for la in config["config"]["layers"] if la["class_name"] == "Add")["class_name"] = "MyLayer"

    with pytest.raises(FormatError, match="'MyLayer', which is no layer of Keras"):
        load(edited(tmp_path, "keras2_merges", edit))


def test_links_out_of_the_file_are_not_followed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = np.zeros((4, 4))

    def edit(config: Any, f: Any) -> None:
        group = f["model_weights/lstm"]
        name = group.attrs["weight_names"][0]
        del group[name]
        group[name] = h5py.ExternalLink("other.h5", "secret")

    with pytest.raises(FormatError, match="is a link"):
        load(edited(tmp_path, "tf_cudnn", edit))


def test_declared_but_not_stored_arrays_are_refused(tmp_path: Path) -> None:
    def edit(config: Any, f: Any) -> None:
        group = f["model_weights/lstm"]
        name = group.attrs["weight_names"][0]
        del group[name]
        group.create_dataset(name, (1 << 20, 1 << 17), np.float32, chunks=(1024, 1024))

    with pytest.raises(FormatError, match="0 bytes are stored"):
        load(edited(tmp_path, "tf_cudnn", edit))


def test_wrong_weights_are_told_by_layer(tmp_path: Path) -> None:
    def edit(config: Any, f: Any) -> None:
        group = f["model_weights/lstm"]
        group.attrs["weight_names"] = group.attrs["weight_names"][:2]

    with pytest.raises(FormatError, match=r"2 arrays for the layer 'lstm' \(CuDNNLSTM\), which has 3 weights"):
        load(edited(tmp_path, "tf_cudnn", edit))


def test_a_cycle_of_layers_is_refused(tmp_path: Path) -> None:
    def edit(config: Any, f: Any) -> None:
        next(la for la in config["config"]["layers"] if la["name"] == "lstm")["inbound_nodes"] = [[["lstm", 0, 0, {}]]]

    with pytest.raises(FormatError, match="a cycle or a gap"):
        load(edited(tmp_path, "tf_cudnn", edit))
