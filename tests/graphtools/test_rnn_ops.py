"""CudnnRNN, which TensorFlow only runs on a GPU, against its formulas in numpy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

import graphtools
from graphtools.dtypes import float32, int32
from graphtools.graph import Graph

FIXTURES = Path(__file__).parents[2] / "fixtures"
STEPS, BATCH, INPUTS, UNITS = 5, 2, 3, 4
GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def one_direction(mode, x, h, c, w, r, bw, br):
    """cuDNN's equations: gates i f c o of an LSTM, r z h of a GRU; the reset gate is applied behind the recurrent product."""
    outputs = []
    for step in x:
        a = [step @ w[k].T + bw[k] for k in range(len(w))]
        b = [h @ r[k].T + br[k] for k in range(len(w))]
        if mode == "lstm":
            i, f, g, o = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1]), np.tanh(a[2] + b[2]), sigmoid(a[3] + b[3])
            c = f * c + i * g
            h = o * np.tanh(c)
        elif mode == "gru":
            reset, update = sigmoid(a[0] + b[0]), sigmoid(a[1] + b[1])
            h = (1 - update) * np.tanh(a[2] + reset * b[2]) + update * h
        else:
            h = np.tanh(a[0] + b[0]) if mode == "rnn_tanh" else np.maximum(a[0] + b[0], 0)
        outputs.append(h)
    return np.stack(outputs), h, c


def reference(mode, x, h0, c0, params, layers, directions):
    gates, position, flat = GATES[mode], 0, params
    widths = [INPUTS if layer == 0 else UNITS * directions for layer in range(layers) for _ in range(directions)]

    def take(*shape):
        nonlocal position
        size = int(np.prod(shape))
        position += size
        return flat[position - size : position].reshape(shape)

    weights = [([take(UNITS, width) for _ in range(gates)], [take(UNITS, UNITS) for _ in range(gates)]) for width in widths]
    biases = [([take(UNITS) for _ in range(gates)], [take(UNITS) for _ in range(gates)]) for _ in widths]
    assert position == flat.size
    last_h, last_c = [], []
    for layer in range(layers):
        sides = []
        for direction in range(directions):
            at = layer * directions + direction
            source = x[::-1] if direction else x
            y, h, c = one_direction(mode, source, h0[at], c0[at], *weights[at], *biases[at])
            sides.append(y[::-1] if direction else y)
            last_h.append(h)
            last_c.append(c)
        x = np.concatenate(sides, axis=2)
    return x, np.stack(last_h), np.stack(last_c)


@pytest.mark.parametrize("mode", GATES)
@pytest.mark.parametrize("layers, directions", [(1, 1), (2, 1), (2, 2)])
def test_cudnn_rnn(mode: str, layers: int, directions: int) -> None:
    rng = np.random.default_rng(7)
    graph = Graph()
    attr = {"rnn_mode": mode, "direction": "bidirectional" if directions == 2 else "unidirectional", "is_training": False}
    widths = [INPUTS if layer == 0 else UNITS * directions for layer in range(layers) for _ in range(directions)]
    size = sum(GATES[mode] * UNITS * (w + UNITS + 2) for w in widths)
    arrays = {
        "x": rng.normal(size=(STEPS, BATCH, INPUTS)),
        "h": rng.normal(size=(layers * directions, BATCH, UNITS)),
        "c": rng.normal(size=(layers * directions, BATCH, UNITS)),
        "p": rng.normal(size=size) * 0.4,
    }
    feeds = {f"{k}:0": v.astype(np.float32) for k, v in arrays.items()}
    tensors = [graph.add_node("Placeholder", [], {"dtype": float32, "shape": v.shape}, name=k).outputs[0] for k, v in arrays.items()]
    graph.add_node("CudnnRNNV2", tensors, attr, name="y")
    outputs = ["y:0", "y:1"] + (["y:2"] if mode == "lstm" else [])
    model = graphtools.to_onnx(graph, inputs=list(feeds), outputs=outputs)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    got = session.run(outputs, {i.name: feeds[i.name] for i in session.get_inputs()})
    wanted = reference(mode, *feeds.values(), layers, directions)
    for value, want in zip(got, wanted, strict=False):
        np.testing.assert_allclose(value, want, rtol=1e-4, atol=1e-5)


# Recorded graphs whose first two outputs, taken without the gradients beside them, are layers of ONNX.
LAYERS = {
    "gradients/Control__tf1_drnn_lstm_len": {"LSTM": 1},
    "gradients/Control__tf1_drnn_lstm_short": {"LSTM": 1},
    "gradients/Control__tf1_drnn_lstmblock": {"LSTM": 1},
    "gradients/Control__tf1_drnn_gru_bi": {"GRU": 2},
    "gradients/Control__tf1_drnn_grublock": {"GRU": 1},
    "gradients/Control__tf1_drnn_lstm_peep": {"Loop": 1},  # clips its cell, which ONNX's clip does not mean
    "gradients/Control__tf012_dynamic_rnn_grad": {"LSTM": 1},
    "ops/Control__tf012_bidirectional_gru": {"GRU": 2},
    "ops/Control__tf2_fun_keras_lstm": {"LSTM": 1},
    "ops/Control__tf2_low_keras_lstm": {"LSTM": 1},
}


@pytest.mark.parametrize("name", LAYERS)
def test_loop_becomes_a_layer(name: str) -> None:
    with np.load(FIXTURES / f"{name}.npz", allow_pickle=False) as data:
        arrays, meta = {k: data[k] for k in data.files}, json.loads(str(data["meta"]))
    feeds = {k[3:]: v for k, v in arrays.items() if k.startswith("in:")}
    outputs = meta["outputs"][:2]
    model = graphtools.to_onnx(graphtools.load(arrays["graph"].tobytes()), inputs=list(feeds), outputs=outputs)
    found = [n.op_type for n in model.graph.node if n.op_type in ("LSTM", "GRU", "RNN", "Loop", "Scan")]
    assert {op: found.count(op) for op in found} == LAYERS[name]
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    got = session.run(outputs, {i.name: feeds[i.name] for i in session.get_inputs()})
    for value, output in zip(got, outputs, strict=True):
        np.testing.assert_allclose(value, arrays[f"out:{output}"], rtol=1e-4, atol=1e-5)


def test_layer_without_steps_keeps_its_state() -> None:
    """A row of length 0 ends in the state it began with, where ONNX Runtime's LSTM gives zeros."""
    graph = graphtools.load((FIXTURES / "graphs/dynamic_rnn_initial_state.pb").read_bytes())
    feeds = {
        "x:0": np.ones((2, 4, 3), np.float32),
        "len:0": np.array([0, 3], np.int32),
        "c:0": np.full((2, 5), 0.25, np.float32),
        "h:0": np.full((2, 5), 0.5, np.float32),
    }
    model = graphtools.to_onnx(graph, inputs=list(feeds), outputs=["last_c:0", "last_h:0"])
    assert [n.op_type for n in model.graph.node].count("LSTM") == 1
    c, h = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)
    np.testing.assert_array_equal(c[0], feeds["c:0"][0])
    np.testing.assert_array_equal(h[0], feeds["h:0"][0])
    assert not np.allclose(h[1], feeds["h:0"][1])


def test_canonical_weights_are_the_parameters_in_order() -> None:
    graph = Graph()
    sizes = [
        graph.add_node("Const", [], {"dtype": int32, "value": np.array(v, np.int32)}, name=k).outputs[0]
        for k, v in {"l": 1, "u": UNITS, "i": INPUTS}.items()
    ]
    flat = np.arange(4 * UNITS * (INPUTS + UNITS + 2), dtype=np.float32)
    params = graph.add_node("Placeholder", [], {"dtype": float32, "shape": flat.shape}, name="p").outputs[0]
    parts = graph.add_node("CudnnRNNParamsToCanonical", [*sizes, params], {"num_params": 8}, name="parts")
    graph.add_node("CudnnRNNCanonicalToParams", [*sizes, parts.outputs[:8], parts.outputs[8:]], {"num_params": 8}, name="again")
    model = graphtools.to_onnx(graph, inputs=["p:0"], outputs=["parts:0", "parts:5", "parts:8", "again:0"])
    first, recurrent, bias, again = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(
        None, {"p:0": flat}
    )
    assert (first.shape, recurrent.shape, bias.shape) == ((UNITS, INPUTS), (UNITS, UNITS), (UNITS,))
    np.testing.assert_array_equal(again, flat)
