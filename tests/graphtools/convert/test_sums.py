"""What leaves loops: sums, and what rounds do to weights and rows."""

from __future__ import annotations

import numpy as np
import onnxruntime

from graphtools.convert import OPSET
from graphtools.convert.builder import Builder
from graphtools.convert.model import to_model
from graphtools.convert.optimize import optimize
from graphtools.dtypes import bool_, float32, int64


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


def test_sums_of_products_of_batches_leave_loops() -> None:
    """A Loop that adds a batch of outer products to a state: one product of batches after it."""
    builder = Builder()
    count = builder.input("count", int64, ())
    start = builder.input("p", float32, (2, 3, 4))
    left_rows, right_rows = builder.input("a", float32, (5, 2, 3, 1)), builder.input("b", float32, (5, 2, 1, 4))
    body = builder.subgraph("body")
    number, go_on = body.input("round", int64, ()), body.input("go_on", bool_, ())
    product = body.input("product", float32, (2, 3, 4))
    left, right = (body.Relu(body.Gather(v, number, axis=0)) for v in (left_rows, right_rows))
    step = body.MatMul(left, right)
    left.dims, right.dims, step.dims = (2, 3, 1), (2, 1, 4), (2, 3, 4)
    body.output(body._append("Identity", [go_on], {}, 1, ""))
    body.output(body.Add(product, step))
    result = builder.Loop(count, None, start, body=body)
    result.dtype, result.dims = float32, (2, 3, 4)
    builder.output(result, "y")
    random = np.random.default_rng(0)
    feeds = {n: random.normal(size=d).astype(np.float32) for n, d in (("p", (2, 3, 4)), ("a", (5, 2, 3, 1)), ("b", (5, 2, 1, 4)))}
    optimize(builder)
    (loop,) = [n for n in builder.nodes if n.op_type == "Loop"]
    assert len(loop.inputs) == 2 and not any(n.op_type == "MatMul" for n in loop.attrs["body"].nodes)
    model = to_model(builder, OPSET).SerializeToString()
    for rounds in (5, 2):
        (y,) = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(["y"], {**feeds, "count": np.array(rounds)})
        a, b = np.maximum(feeds["a"][:rounds], 0), np.maximum(feeds["b"][:rounds], 0)
        np.testing.assert_allclose(y, feeds["p"] + (a @ b).sum(0), rtol=1e-4, atol=1e-5)


def test_rows_are_handed_to_scans_and_weights_cut_and_turned_before_them() -> None:
    """Rounds that read a stack from its end, and keep some columns of a product with transposed weights."""
    builder = Builder()
    stack, weights = builder.input("stack", float32, (6, 3, 4)), builder.input("w", float32, (7, 4))
    start = builder.input("s", float32, (3, 2))
    body = builder.subgraph("body")
    state, number = body.input("state", float32, (3, 2)), body.input("round", int64, ())
    last = body.Gather(stack, body.Sub(np.array(4), number), axis=0)  # from the last but one on
    product = body.Gemm(last, weights, transB=1)
    product.dims = (3, 7)
    body.output(body.Add(body.Mul(state, 0.5), body.Slice(product, [2], [4], [1])))
    body.output(body.Tanh(last))
    for value, dims in zip(body.outputs, ((3, 2), (3, 4)), strict=True):
        value.dims = dims
    results = builder.Scan(start, np.arange(4), body=body, num_scan_inputs=1, outputs=2)
    for name, value, dims in zip(("y", "z"), results, ((3, 2), (4, 3, 4)), strict=True):
        value.dtype, value.dims = float32, dims
        builder.output(value, name)
    random = np.random.default_rng(0)
    feeds = {n: random.normal(size=d).astype(np.float32) for n, d in (("stack", (6, 3, 4)), ("w", (7, 4)), ("s", (3, 2)))}
    optimize(builder)
    (scan,) = [n for n in builder.nodes if n.op_type == "Scan"]
    inside = [n.op_type for n in scan.attrs["body"].nodes]
    assert "Gather" not in inside and "Slice" not in inside
    assert [n.attrs.get("transB") for n in scan.attrs["body"].nodes if n.op_type == "Gemm"] == [None]
    model = to_model(builder, OPSET).SerializeToString()
    y, z = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(["y", "z"], feeds)
    wanted, rows = feeds["s"], feeds["stack"][[4, 3, 2, 1]]
    for row in rows:
        wanted = wanted * np.float32(0.5) + (row @ feeds["w"].T)[:, 2:4]
    np.testing.assert_allclose(y, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(z, np.tanh(rows), rtol=1e-4, atol=1e-5)
