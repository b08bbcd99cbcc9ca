"""Filter gradients by columns and gradients of pools by ranks, against their definitions, as a session on the CPU computes them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
import pytest

from graphtools.convert import filter_gradients
from graphtools.dtypes import float32, int32
from graphtools.graph import Graph
from runtime.session import Session

Array = np.ndarray[Any, Any]


def same_pads(size: int, reach: int, stride: int) -> tuple[int, int]:
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def expected(x: Array, dy: Array, kernel: tuple[int, int], stride: int, dilation: int, pads: list[tuple[int, int]]) -> Array:
    """dw[k, i, o] = sum over n, p of x[n, p * stride + k * dilation - pad, i] * dy[n, p, o]"""
    padded = np.pad(x, [(0, 0), *pads, (0, 0)])
    dw = np.zeros((*kernel, x.shape[3], dy.shape[3]))
    for a, b in itertools.product(range(kernel[0]), range(kernel[1])):
        rows, columns = (
            slice(k * dilation, k * dilation + (n - 1) * stride + 1, stride) for k, n in zip((a, b), dy.shape[1:3], strict=True)
        )
        dw[a, b] = np.einsum("nhwi,nhwo->io", padded[:, rows, columns], dy)
    return dw


@pytest.mark.parametrize("batch", [6, None])
@pytest.mark.parametrize(
    ("kernel", "stride", "dilation", "padding"),
    [((3, 3), 1, 1, "SAME"), ((5, 2), 2, 1, "SAME"), ((3, 3), 1, 2, "VALID"), ((3, 3), 3, 1, "VALID"), ((1, 1), 2, 1, "SAME")],
)
def test_filter_gradient(
    batch: int | None, kernel: tuple[int, int], stride: int, dilation: int, padding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filter_gradients, "LEAST_PIXELS", 1)
    monkeypatch.setattr(filter_gradients, "COLUMNS", 5000)  # some images at a time, not all
    used: list[bool] = []
    original = filter_gradients._places
    monkeypatch.setattr(filter_gradients, "_places", lambda *a: used.append(True) or original(*a))
    sizes, channels, filters = (11, 10), 8, 5
    reach = [(k - 1) * dilation + 1 for k in kernel]
    if padding == "SAME":
        outs = [-(-s // stride) for s in sizes]
        pads = [same_pads(s, r, stride) for s, r in zip(sizes, reach, strict=True)]
    else:
        outs = [(s - r) // stride + 1 for s, r in zip(sizes, reach, strict=True)]
        pads = [(0, 0)] * 2
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, *sizes, channels)).astype(np.float32)
    dy = rng.normal(size=(6, *outs, filters)).astype(np.float32)
    graph = Graph()
    image = graph.op("Placeholder", dtype=float32, shape=(batch, *sizes, channels), name="x")
    gradient = graph.op("Placeholder", dtype=float32, shape=(batch, *outs, filters), name="dy")
    dw = graph.op(
        "Conv2DBackpropFilter",
        image,
        graph.constant(np.array([*kernel, channels, filters], np.int32), int32),
        gradient,
        strides=[1, stride, stride, 1],
        dilations=[1, dilation, dilation, 1],
        padding=padding,
        name="dw",
    )
    got = Session(graph, device="cpu").run(dw, {image: x, gradient: dy})
    np.testing.assert_allclose(got, expected(x, dy, kernel, stride, dilation, pads), rtol=1e-4, atol=1e-4)
    assert used


def first_maxima(x: Array, dy: Array, size: tuple[int, int], pads: list[tuple[int, int]]) -> Array:
    """dy at the first maximum of each window, row by row."""
    padded = np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=-np.inf)
    dx = np.zeros_like(padded)
    for n, c in itertools.product(range(x.shape[0]), range(x.shape[3])):
        for i, j in itertools.product(range(dy.shape[1]), range(dy.shape[2])):
            window = padded[n, i * size[0] : (i + 1) * size[0], j * size[1] : (j + 1) * size[1], c]
            a, b = np.unravel_index(np.argmax(window), window.shape)
            dx[n, i * size[0] + a, j * size[1] + b, c] = dy[n, i, j, c]
    (top, bottom), (left, right) = pads
    return dx[:, top : dx.shape[1] - bottom, left : dx.shape[2] - right]


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize("size", [(2, 2), (3, 2), (1, 3)])
def test_gradients_of_equal_maxima_go_to_the_first(size: tuple[int, int], padding: str) -> None:
    sizes = (7, 8)
    outs = [-(-s // k) if padding == "SAME" else s // k for s, k in zip(sizes, size, strict=True)]
    pads = [same_pads(s, k, k) for s, k in zip(sizes, size, strict=True)] if padding == "SAME" else [(0, 0), (0, 0)]
    rng = np.random.default_rng(1)
    x = rng.integers(-1, 2, (2, *sizes, 3)).astype(np.float32)  # full of equal ones
    x[0, 0, 0, 0] = -np.inf
    dy = rng.normal(size=(2, *outs, 3)).astype(np.float32)
    window = {"ksize": [1, *size, 1], "strides": [1, *size, 1], "padding": padding}
    graph = Graph()
    image = graph.op("Placeholder", dtype=float32, shape=(None, *sizes, 3), name="x")
    gradient = graph.op("Placeholder", dtype=float32, shape=(None, *outs, 3), name="dy")
    dx = graph.op("MaxPoolGrad", image, graph.op("MaxPool", image, **window), gradient, **window, name="dx")
    got = Session(graph, device="cpu").run(dx, {image: x, gradient: dy})
    np.testing.assert_array_equal(got, first_maxima(x, dy, size, pads))


def test_masks_are_merged() -> None:
    graph = Graph()
    x, dy = (graph.op("Placeholder", dtype=float32, shape=(2, 3, 4, 4), name=name) for name in ("x", "dy"))
    window = {"ksize": [1, 1, 2, 2], "strides": [1, 1, 2, 2], "padding": "SAME", "data_format": "NCHW"}
    relu = graph.op("Relu", x)
    small = graph.op("MaxPool", dy, **window)
    dx = graph.op("ReluGrad", graph.op("MaxPoolGrad", relu, graph.op("MaxPool", relu, **window), small, **window), relu, name="dx")
    session = Session(graph, device="cpu")
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 2, 4, 4, 3)).astype(np.float32)
    relued = np.maximum(a, 0)
    pooled = b.reshape(2, 2, 2, 2, 2, 3).max((2, 4))
    wanted = first_maxima(relued, pooled, (2, 2), [(0, 0), (0, 0)]) * (relued > 0)
    got = session.run(dx, {x: np.moveaxis(a, 3, 1), dy: np.moveaxis(b, 3, 1)})
    np.testing.assert_array_equal(got, np.moveaxis(wanted, 3, 1))
    segment = next(s for p in session._plans.values() for s in p.steps)
    ops = [node.op_type for node in onnx.load_from_string(segment.model).graph.node]
    assert ops.count("Cast") == 2  # of what equals the maxima, and of all conditions at once
