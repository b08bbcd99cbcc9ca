"""Every recorded op and gradient graph: converted, run on ONNX Runtime, compared with what TensorFlow computed."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import graphtools
from graphtools import convert
from graphtools.errors import ConversionError

FIXTURES = Path(__file__).parents[2] / "fixtures"
CASES = sorted([*FIXTURES.glob("ops/*.npz"), *FIXTURES.glob("gradients/*.npz")])


@dataclass(frozen=True)
class Case:
    """A graph, what it was fed, what TensorFlow computed, and how close we must be."""

    graph: bytes
    meta: dict[str, Any]
    feeds: dict[str, np.ndarray]
    wanted: dict[str, np.ndarray]


def load(path: Path) -> Case:
    with np.load(path, allow_pickle=False) as data:
        return Case(
            data["graph"].tobytes(),
            json.loads(str(data["meta"])),
            {k[3:]: data[k] for k in data.files if k.startswith("in:")},
            {k[4:]: data[k] for k in data.files if k.startswith("out:")},
        )


def as_text(array: np.ndarray) -> np.ndarray:
    flat = [v.decode("utf-8", "surrogateescape") if isinstance(v, bytes) else str(v) for v in array.ravel().tolist()]
    return np.array(flat, dtype=object).reshape(array.shape)


def run(model: onnx.ModelProto, case: Case) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    known = {i.name for i in session.get_inputs()}
    feeds = {k: as_text(v) if v.dtype.kind in "US" else v for k, v in case.feeds.items() if k in known}
    return [np.asarray(v) for v in session.run(case.meta["outputs"], feeds)]


@pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parent.name}/{p.stem}")
def test_computes_what_tensorflow_computed(path: Path) -> None:
    case = load(path)
    model = graphtools.to_onnx(graphtools.load(case.graph), inputs=list(case.feeds), outputs=case.meta["outputs"])
    ranked = all(v.type.tensor_type.HasField("shape") for v in [*model.graph.input, *model.graph.output])
    if ranked:  # ONNX's checker has no word for an unknown rank
        onnx.checker.check_model(model, full_check=True)
    for name, got in zip(case.meta["outputs"], run(model, case), strict=True):
        want = case.wanted[name]
        assert got.shape == want.shape, name
        if want.dtype.kind in "US":
            assert as_text(got).tolist() == as_text(want).tolist(), name
            continue
        assert got.dtype == want.dtype, name
        if case.meta.get("check_value", True):
            np.testing.assert_allclose(got, want, rtol=case.meta["rtol"], atol=case.meta["atol"], err_msg=name)


def test_output_is_the_same_byte_for_byte() -> None:
    for path in CASES[::20]:
        case = load(path)
        models = [graphtools.to_onnx(graphtools.load(case.graph), inputs=list(case.feeds), outputs=case.meta["outputs"]) for _ in range(2)]
        assert models[0].SerializeToString(deterministic=True) == models[1].SerializeToString(deterministic=True), path.stem


@pytest.mark.parametrize(
    ("op", "attr", "inputs", "reason"),
    [
        ("StringSplit", {"skip_empty": True}, ["string:(2,)", "const:ab"], "only a delimiter of one character is supported, not 'ab'"),
        ("StaticRegexReplace", {"pattern": "ab*", "rewrite": ""}, ["string:(2,)"], "not the regular expression 'ab*'"),
        ("AsString", {"T": "float32", "scientific": True}, ["float32:(2,)"], "only the plain form is supported"),
        ("Bitcast", {"T": "float32", "type": "int32"}, ["float32:(2,)"], "the bits of float32 cannot be read as int32"),
        (
            "DepthToSpace",
            {"T": "float32", "block_size": 2, "data_format": "NCHW_VECT_C"},
            ["float32:(1,4,2,2,4)"],
            "NCHW_VECT_C is not supported",
        ),
        ("ArgMax", {}, ["float32:(2,3)", "int32:()"], "must be a constant"),
    ],
)
def test_refuses_with_the_reason(op: str, attr: dict[str, Any], inputs: list[str], reason: str) -> None:
    from graphtools.dtypes import as_dtype

    graph = graphtools.Graph()
    tensors, names = [], []
    for i, text in enumerate(inputs):
        kind, _, rest = text.partition(":")
        if kind == "const":
            tensors.append(graph.add_node("Const", [], {"value": np.array(rest.encode(), object), "dtype": as_dtype("string")}).outputs[0])
            continue
        shape = tuple(int(d) for d in rest.strip("()").split(",") if d)
        tensors.append(graph.add_node("Placeholder", [], {"dtype": as_dtype(kind), "shape": shape}, name=f"x{i}").outputs[0])
        names.append(tensors[-1].name)
    typed = {k: as_dtype(v) if k in ("T", "type") else v for k, v in attr.items()}
    node = graph.add_node(op, tensors, typed)
    with pytest.raises(ConversionError) as caught:
        graphtools.to_onnx(graph, inputs=names, outputs=[node.outputs[0].name])
    assert reason in str(caught.value)
    assert node.name in str(caught.value)


@pytest.mark.parametrize("record", ["1,2", "", "1,2,,no", '1,2,3,a"b', '1,2,3,"a', "1,2,3,a,b"])
def test_a_record_that_tensorflow_refuses_stops_the_run(record: str) -> None:
    case = load(FIXTURES / "ops" / "DecodeCSV__quotes_dims.npz")
    model = graphtools.to_onnx(graphtools.load(case.graph), inputs=list(case.feeds), outputs=case.meta["outputs"])
    feeds = {name: np.array([value[0], record], object) for name, value in case.feeds.items()}
    with pytest.raises(ort.capi.onnxruntime_pybind11_state.InvalidArgument, match="out of data bounds"):
        run(model, Case(case.graph, case.meta, feeds, case.wanted))


# The files of conversions in which every op has a fixture.
TESTED = (
    "array_ops", "bitwise_ops", "conv_ops", "ctc_ops", "detection_ops", "fingerprint_ops", "image_color_ops", "image_ops", "incomplete_gamma_ops", "linalg_ops", "math_ops", "matrix_ops",
    "nn_grad_ops", "nn_ops", "parsing_ops", "pool_ops", "quant_ops", "quantized_ops", "ragged_ops", "reduce_ops", "segment_ops", "set_ops", "slicing_ops", "space_ops",
    "sparse_ops", "special_math_ops", "spectral_ops", "string_ops",
)  # fmt: skip

# Those without: another name of an op that has one, only written by TensorFlow itself, or without a kernel in the versions that could
# record it. This list may only shrink.
UNTESTED = frozenset(
    {"AdjustContrast", "BatchNormWithGlobalNormalization", "BatchNormWithGlobalNormalizationGrad", "Conv3DBackpropFilter", "Conv3DBackpropInput",
     "MaxPoolGradGradWithArgmax", "QuantizeAndDequantize", "QuantizedConcatV2", "QuantizedConv2DPerChannel", "QuantizedDepthwiseConv2D", "QuantizedReluX",
     "BatchCholesky", "BatchFFT", "BatchFFT2D", "BatchFFT3D", "BatchIFFT", "BatchIFFT2D", "BatchIFFT3D", "BatchMatrixBandPart", "BatchMatrixDeterminant",
     "BatchMatrixDiag", "BatchMatrixDiagPart", "BatchMatrixInverse", "BatchMatrixSetDiag", "BatchMatrixSolve", "BatchMatrixSolveLs",
     "BatchMatrixTriangularSolve", "ConstV2", "Copy", "CopyHost", "DebugGradientRefIdentity", "DebugIdentity", "HostConst", "RefIdentity", "TopK", "_HostCast",
     "_ParallelConcatStart"}
)  # fmt: skip


def test_every_conversion_has_a_fixture() -> None:
    handlers = {op for op, handler in convert.load().items() if handler.__module__.rpartition(".")[2] in TESTED}
    tested = {op for path in CASES for op in load(path).meta["ops"]}
    assert not handlers - tested - UNTESTED, "conversions without a fixture"
    assert handlers >= UNTESTED, "no conversions"
    assert not UNTESTED & tested, "these have a fixture now: take them off the list"


def test_fixtures_are_small() -> None:
    assert all(path.stat().st_size < 64_000 for path in CASES)
    with zipfile.ZipFile(io.BytesIO(CASES[0].read_bytes())) as archive:
        assert "graph.npy" in archive.namelist()
