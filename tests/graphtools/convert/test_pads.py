"""Padding before pools: zeros are values, whatever ONNX Runtime's own optimisation makes of them."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from graphtools.convert import OPSET
from graphtools.convert.builder import Builder
from graphtools.convert.model import to_model
from graphtools.convert.optimize import optimize
from graphtools.dtypes import float32

X = (np.random.default_rng(0).normal(size=(1, 2, 6, 6)) - 2).astype(np.float32)


def pooled(kind: str, window: int, pads: list[int], fill: float | None, relu: bool) -> tuple[np.ndarray, list[str]]:
    """A padded pool by our passes and all of ONNX Runtime's; the ops that are left."""
    op = Builder("test")
    x = op.input("x", float32, (1, 2, 6, 6))
    x = op.Relu(x) if relu else x
    args = [op.const([0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3]]), *([] if fill is None else [op.const(fill, float32)])]
    op.output(op.append(kind, [op.Pad(x, *args)], {"kernel_shape": [window, window], "strides": [2, 2]}), "y")
    optimize(op)
    model = to_model(op, OPSET)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": X})[0], [n.op_type for n in model.graph.node]


@pytest.mark.parametrize("fill", [None, 0.0, -np.inf])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("window", "pads"), [(2, [1, 1, 1, 1]), (3, [1, 0, 1, 2]), (2, [2, 3, 2, 0])])
@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
def test_pads_count_as_what_they_are(kind: str, window: int, pads: list[int], relu: bool, fill: float | None) -> None:
    x = np.maximum(X, 0) if relu else X
    padded = np.pad(x, [(0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])], constant_values=fill or 0.0)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (window, window), (2, 3))[:, :, ::2, ::2]
    wanted = windows.max((4, 5)) if kind == "MaxPool" else windows.mean((4, 5))
    got, ops = pooled(kind, window, pads, fill, relu)
    np.testing.assert_allclose(got, wanted, rtol=1e-5)
    taken = kind == "MaxPool" and max(pads) < window and (relu or fill == -np.inf)
    assert ("Pad" not in ops) == taken
