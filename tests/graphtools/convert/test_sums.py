"""Sums that leave loops."""

from __future__ import annotations

import numpy as np
import onnxruntime

from graphtools.convert import OPSET
from graphtools.convert.builder import Builder
from graphtools.convert.model import to_model
from graphtools.convert.optimize import optimize
from graphtools.dtypes import float32


def test_sums_of_products_leave_loops() -> None:
    """A Scan that adds a' b and the sum of b's rows to two states: one product and one sum after it."""
    builder = Builder()
    rounds = builder.input("rounds", float32, (5, 3, 2))
    starts = [builder.input("p", float32, (2, 4)), builder.input("s", float32, (4,))]
    weights = builder.input("w", float32, (2, 4))
    body = builder.subgraph("body")
    product, total = body.input("product", float32, (2, 4)), body.input("total", float32, (4,))
    a = body.input("a", float32, (3, 2))
    left, right = body.Relu(a), body.MatMul(a, weights)
    left.dims, right.dims = (3, 2), (3, 4)
    step = body.Gemm(left, right, transA=1)
    rows = body.ReduceSum(right, np.array([0]), keepdims=0)
    step.dims, rows.dims = (2, 4), (4,)
    body.output(body.Add(product, step))
    body.output(body.Add(total, rows))
    for value, dims in zip(body.outputs, ((2, 4), (4,)), strict=True):
        value.dims = dims
    results = builder.Scan(*starts, rounds, body=body, num_scan_inputs=1, outputs=2)
    for name, value, dims in zip(("y", "z"), results, ((2, 4), (4,)), strict=True):
        value.dtype, value.dims = float32, dims
        builder.output(value, name)
    random = np.random.default_rng(0)
    feeds = {n: random.normal(size=d).astype(np.float32) for n, d in (("rounds", (5, 3, 2)), ("p", (2, 4)), ("s", (4,)), ("w", (2, 4)))}
    x = feeds["rounds"]
    optimize(builder)
    (scan,) = [n for n in builder.nodes if n.op_type == "Scan"]
    assert len(scan.inputs) == 1
    assert sum(n.op_type == "Gemm" for n in builder.walk()) == 1
    model = to_model(builder, OPSET).SerializeToString()
    y, z = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(["y", "z"], feeds)
    np.testing.assert_allclose(y, feeds["p"] + np.einsum("tni,tnj->ij", np.maximum(x, 0), x @ feeds["w"]), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(z, feeds["s"] + (x @ feeds["w"]).sum((0, 1)), rtol=1e-4, atol=1e-5)
