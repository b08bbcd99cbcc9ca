"""The passes over ONNX graphs: what they take away, and that values stay the same, on graphs made by hand and at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import graphtools
from graphtools.convert import OPSET
from graphtools.convert.builder import Builder, Value
from graphtools.convert.model import to_model
from graphtools.convert.optimize import optimize
from graphtools.dtypes import as_dtype, bool_, float32, int64

NCHW, NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


def run(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [np.asarray(v) for v in session.run(None, {i.name: feeds[i.name] for i in session.get_inputs()})]


def ops(model: onnx.ModelProto) -> list[str]:
    return [n.op_type for n in model.graph.node]


def optimized(build: Callable[[Builder], list[Value]], feeds: dict[str, np.ndarray]) -> list[str]:
    """The ops of the graph that `build` makes, optimised, once it is sure that it computes the same."""
    models = []
    for change in (lambda b: None, optimize):
        builder = Builder("test")
        for i, value in enumerate(build(builder)):
            builder.output(value, f"y{i}")
        change(builder)
        models.append(to_model(builder, OPSET))
    onnx.checker.check_model(models[1], full_check=True)
    assert [o.name for o in models[0].graph.output] == [o.name for o in models[1].graph.output]
    for before, after in zip(run(models[0], feeds), run(models[1], feeds), strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-5)
    return ops(models[1])


def normal(*shape: int) -> np.ndarray:
    return np.random.RandomState(sum(shape)).standard_normal(shape).astype(np.float32)


X = {"x": normal(2, 5, 6, 3)}


def image(op: Builder, dims: tuple[int | None, ...] = (None, 5, 6, 3)) -> Value:
    return op.input("x", float32, dims)


def conv(op: Builder, x: Value, out: int = 3, **attrs: Any) -> Value:
    """A convolution of NHWC by way of NCHW."""
    channels = x.dims[3] if x.dims is not None else 3
    y = op.Conv(op.Transpose(x, perm=NCHW), op.const(normal(out, int(channels or 3), 3, 3)), pads=[1, 1, 1, 1], **attrs)
    turned: Value = op.Transpose(y, perm=NHWC)
    return turned


def test_convolutions_in_a_row_keep_one_transpose_at_each_end() -> None:
    def build(op: Builder) -> list[Value]:
        y = op.Relu(op.Add(conv(op, image(op), 4), op.const(normal(4))))
        z = op.Add(conv(op, y, 4), y)
        return [conv(op, op.Concat(op.Relu(z), y, axis=3))]

    found = optimized(build, X)
    assert found.count("Transpose") == 2
    assert found.count("Add") == 1  # the bias is in the convolution


def test_bias_scale_batch_norm_and_padding_are_in_the_convolution() -> None:
    def build(op: Builder) -> list[Value]:
        x = op.Pad(op.Transpose(image(op), perm=NCHW), op.const([0, 0, 1, 1, 0, 0, 2, 0]))
        y = op.Conv(x, op.const(normal(4, 3, 3, 3)))
        y = op.Mul(op.Add(y, op.const(normal(4, 1, 1))), op.const(normal(4, 1, 1)))
        parameters = [op.const(np.abs(normal(4)) + i) for i in range(4)]
        return [op.BatchNormalization(y, *parameters, epsilon=1e-3)]

    assert optimized(build, X) == ["Transpose", "Conv"]


def test_transposed_convolutions_take_scales_by_group() -> None:
    def build(op: Builder) -> list[Value]:
        y = op.ConvTranspose(op.Transpose(image(op, (None, 5, 6, 4)), perm=NCHW), op.const(normal(4, 3, 3, 3)), group=2)
        return [op.Add(op.Mul(y, op.const(normal(6, 1, 1))), op.const(normal(6, 1, 1)))]

    assert optimized(build, {"x": normal(2, 5, 6, 4)}) == ["Transpose", "ConvTranspose"]


def test_scales_and_biases_go_past_a_crop() -> None:
    def build(op: Builder) -> list[Value]:
        y = op.ConvTranspose(op.Transpose(image(op), perm=NCHW), op.const(normal(3, 4, 3, 3)), strides=[2, 2])
        y = op.Transpose(op.Slice(y, [0, 0], [-1, 2**62], [2, 3]), perm=NHWC)
        return [op.Relu(op.Add(op.Mul(y, op.const(normal(4))), op.const(normal(4))))]

    assert sorted(optimized(build, X)) == ["ConvTranspose", "Relu", "Slice", "Transpose", "Transpose"]


def test_a_variable_bias_is_in_the_convolution() -> None:
    def build(op: Builder) -> list[Value]:
        return [op.Relu(op.Add(conv(op, image(op), 4), op.input("b", float32, (4,))))]

    assert optimized(build, {**X, "b": normal(4)}) == ["Transpose", "Conv", "Relu", "Transpose"]


def test_an_output_used_elsewhere_keeps_its_bias_apart() -> None:
    def build(op: Builder) -> list[Value]:
        y = op.Conv(op.Transpose(image(op), perm=NCHW), op.const(normal(3, 3, 3, 3)))
        return [y, op.Add(y, op.const(normal(3, 1, 1)))]

    assert "Add" in optimized(build, X)


def test_reductions_and_shapes_read_either_order() -> None:
    def build(op: Builder) -> list[Value]:
        y = op.Relu(conv(op, image(op)))
        mean = op.ReduceMean(y, [1, 2], keepdims=0)
        whole = op.ReduceMean(y, [1, 2], keepdims=1)
        return [mean, op.Squeeze(whole, [1, 2]), op.Shape(y), op.Shape(y, start=1, end=3), op.ReduceSumSquare(y, keepdims=0)]

    assert optimized(build, X).count("Transpose") == 1


def test_a_transpose_that_moves_only_ones_is_a_reshape() -> None:
    def build(op: Builder) -> list[Value]:
        x = op.Reshape(op.input("x", float32, (None, 90)), op.const([-1, 9, 10, 1]))
        return [op.Conv(op.Transpose(x, perm=NCHW), op.const(normal(2, 1, 3, 3)))]

    assert optimized(build, {"x": normal(2, 90)}) == ["Reshape", "Conv"]


def test_one_dimensional_convolutions_lose_their_transposes() -> None:
    def build(op: Builder) -> list[Value]:
        y = op.input("x", float32, (None, None, 3))
        for _ in range(3):
            wide = op.Transpose(op.Unsqueeze(y, [1]), perm=NCHW)
            y = op.Squeeze(op.Transpose(op.Conv(wide, op.const(normal(3, 3, 1, 2))), perm=NHWC), [1])
            y = op.Tanh(op.Add(y, op.const(normal(3))))
        return [y]

    assert optimized(build, {"x": normal(2, 9, 3)}).count("Transpose") == 2


def test_matrix_products_take_transposes_and_biases() -> None:
    def build(op: Builder) -> list[Value]:
        a = op.Transpose(op.input("x", float32, (4, None)), perm=[1, 0])
        return [op.Add(op.MatMul(a, op.const(normal(4, 3))), op.const(normal(3)))]

    assert optimized(build, {"x": normal(4, 5)}) == ["Gemm"]


def test_what_is_cut_off_is_not_padded_on() -> None:
    def build(op: Builder) -> list[Value]:
        y = op.Conv(
            op.Transpose(image(op, (None, None, None, 3)), perm=NCHW), op.const(normal(4, 3, 3, 3)), pads=[2, 2, 3, 2], dilations=[2, 2]
        )
        return [op.Slice(y, [0, 1], [-1, 2**62], [2, 3])]

    assert optimized(build, X) == ["Transpose", "Conv"]


def test_a_value_and_its_transpose_stay_apart() -> None:
    def build(op: Builder) -> list[Value]:
        y = op.Relu(op.Transpose(op.input("x", float32, (None, 4, 4)), perm=[0, 2, 1]))
        return [
            op.Transpose(op.Sub(y, op.Transpose(op.Neg(y), perm=[0, 2, 1])), perm=[0, 2, 1]),
            op.Max(y, op.Transpose(y, perm=[0, 2, 1])),
        ]

    optimized(build, {"x": normal(2, 4, 4)})


def test_equal_nodes_and_constants_are_one_and_random_ones_are_not() -> None:
    def build(op: Builder) -> list[Value]:
        x = image(op)
        big = np.zeros((5, 6, 300), np.float32)
        rest = [op.Mul(x, op.const(normal(3))) for _ in range(2)]
        noise = [op.RandomUniform(shape=[2], dtype=1) for _ in range(2)]
        return [op.Add(*rest), op.Add(op.const(big), op.const(big.copy())), *(op.Shape(n) for n in noise)]

    builder = Builder("test")
    for i, value in enumerate(build(builder)):
        builder.output(value, f"y{i}")
    optimize(builder)
    model = to_model(builder, OPSET)
    assert ops(model).count("Mul") == 1
    assert sum(np.prod(i.dims) == 9000 for i in model.graph.initializer) <= 1


def test_bodies_are_optimised_and_read_what_is_around_them() -> None:
    def build(op: Builder) -> list[Value]:
        y = op.Relu(conv(op, image(op)))
        body = op.subgraph("body")
        body.input("i", int64, ())
        going = body.input("going", bool_, ())
        state = body.input("state", float32, (None, 5, 6, 3))
        body.output(body.append("And", [going, going], {}))
        body.output(body.Add(conv(body, body.Add(state, y)), op.const(normal(3))))
        result = op.Loop(op.const(np.int64(2)), op.const(np.array(True)), y, body=body)
        result.dtype, result.dims = float32, y.dims
        return [result]

    optimized(build, X)


def test_outputs_keep_their_names_and_inputs_may_be_outputs() -> None:
    def build(op: Builder) -> list[Value]:
        x = image(op)
        return [op.Transpose(op.Transpose(x, perm=NCHW), perm=NHWC), op.Relu(conv(op, x)), op.const(normal(3))]

    optimized(build, X)


def random_graph(op: Builder, random: np.random.RandomState) -> list[Value]:
    """Ops on NHWC images, some by way of NCHW, some of which end in vectors."""
    values: list[Value] = [image(op, (2, 5, 6, 3) if random.rand() < 0.5 else (None, 5, 6, 3))]
    ends: list[Value] = []

    def fitting(y: Value) -> Value:
        return next((v for v in reversed(values) if v is not y and v.dims == y.dims), y)

    for _ in range(random.randint(4, 14)):
        y = values[random.randint(len(values))]
        channels = int(y.dims[3] or 3) if y.dims is not None else 3
        kind = random.randint(16)
        if kind < 3:
            z = conv(op, y, int(random.choice([3, 4])))
        elif kind == 3:
            z = op.Relu(y)
        elif kind == 4:
            z = op.Add(y, op.const(normal(channels)))
        elif kind == 5:
            z = op.Mul(op.const(normal(1, 1, channels)), y)
        elif kind == 6:
            z = op.Sub(y, fitting(y))
        elif kind == 7:
            z = op.Concat(y, fitting(y), axis=int(random.choice([3, -1])))
        elif kind == 8:
            z = op.Slice(op.Pad(y, op.const([0, 1, 0, 0, 0, 0, 1, 0])), [0, 1], [-1, 2**62], [1, 2])
        elif kind == 9:
            z = op.Sub(y, op.ReduceMean(y, [1, 2], keepdims=1))
        elif kind == 10:
            z = op.Softmax(y, axis=-1)
        elif kind == 11:
            z = op.Where(op.Greater(y, 0), y, op.Mul(y, 0.5))
        elif kind == 12:
            z = op.Transpose(op.MaxPool(op.Transpose(y, perm=NCHW), kernel_shape=[3, 3], pads=[1, 1, 1, 1]), perm=NHWC)
        elif kind == 13:
            left, right = op.Split(y, op.const([1, channels - 1]), axis=3, outputs=2) if channels > 1 else (y, y)
            z = op.Concat(right, left, axis=3)
        elif kind == 14:
            z = op.Unsqueeze(op.Squeeze(op.ReduceMax(y, [2], keepdims=1), [2]), [2])
            z = op.Add(y, z)
        else:
            ends.append(
                [
                    lambda y: op.Reshape(y, op.const([-1, 5 * 6 * int(y.dims[3])])),
                    lambda y: op.ReduceMean(y, [1, 2], keepdims=0),
                    lambda y: op.ReduceSum(y, [0, 3], keepdims=0),
                    lambda y: op.ArgMax(y, axis=3, keepdims=0),
                    lambda y: op.Shape(y),
                    lambda y: op.Transpose(y, perm=[2, 0, 3, 1]),
                ][random.randint(6)](y)
            )
            continue
        values.append(z)
    return [values[-1], values[random.randint(len(values))], *ends]


@pytest.mark.parametrize("seed", range(60))
def test_random_graphs_compute_the_same_with_no_more_transposes(seed: int) -> None:
    def build(op: Builder) -> list[Value]:
        return random_graph(op, np.random.RandomState(seed))

    plain = Builder("plain")
    for value in build(plain):
        plain.output(value)
    before = ops(to_model(plain, OPSET)).count("Transpose")
    assert optimized(build, X).count("Transpose") <= before


def test_atrous_convolutions_are_dilated_ones() -> None:
    graph = graphtools.Graph()
    x = graph.add_node("Placeholder", [], {"dtype": as_dtype("float32"), "shape": (2, 8, 9, 3)}, name="x").outputs[0]

    def const(value: Any, dtype: Any = np.int32) -> Any:
        array = np.asarray(value, dtype)
        return graph.add_node("Const", [], {"value": array, "dtype": as_dtype(array.dtype)}).outputs[0]

    w = normal(3, 3, 3, 4)
    moved = graph.add_node("SpaceToBatchND", [x, const([2, 3]), const([[2, 2], [3, 3]])]).outputs[0]
    y = graph.add_node("Conv2D", [moved, const(w, np.float32)], {"strides": [1, 1, 1, 1], "padding": "VALID"}).outputs[0]
    back = graph.add_node("BatchToSpaceND", [y, const([2, 3]), const([[0, 0], [0, 0]])], name="y")
    after = graph.add_node("Relu", [back.outputs[0]], name="z")
    model = graphtools.to_onnx(graph, inputs=["x:0"], outputs=["z:0"])
    assert sorted(ops(model)) == ["Conv", "Relu", "Transpose", "Transpose"]
    moved_too = graphtools.to_onnx(graph, inputs=["x:0"], outputs=["y:0"])  # a fetched tensor is computed as it stands
    feeds = {"x:0": normal(2, 8, 9, 3)}
    np.testing.assert_allclose(run(model, feeds)[0], np.maximum(run(moved_too, feeds)[0], 0), rtol=1e-4, atol=1e-5)
    assert after.outputs[0].dims == (2, 8, 9, 4)
