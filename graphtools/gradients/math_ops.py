"""Gradients of elementwise arithmetic, reductions and matrix products."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import int32
from graphtools.gradients import gradient
from graphtools.gradients.walk import Emit
from graphtools.graph import Node, Tensor


def same_static_shape(x: Tensor, y: Tensor) -> bool:
    return x.dims is not None and y.dims is not None and None not in x.dims and x.dims == y.dims


def broadcast_axes(g: Emit, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The shapes of two broadcast inputs, and the axes that each one's gradient is summed over."""
    sx, sy = g.shape(x), g.shape(y)
    rx, ry = g.op("BroadcastGradientArgs", sx, sy)
    return sx, sy, rx, ry


@gradient("Add", "AddV2")
def add(g: Emit, node: Node, dy: Any) -> Any:
    x, y = node.inputs
    if same_static_shape(x, y) and same_static_shape(x, dy):
        return dy, dy
    sx, sy, rx, ry = broadcast_axes(g, x, y)
    return g.sum_to(dy, sx, rx), g.sum_to(dy, sy, ry)


@gradient("Sub")
def sub(g: Emit, node: Node, dy: Any) -> Any:
    x, y = node.inputs
    if same_static_shape(x, y) and same_static_shape(x, dy):
        return dy, g.op("Neg", dy)
    sx, sy, rx, ry = broadcast_axes(g, x, y)
    dx = g.sum_to(dy, sx, rx)
    summed = g.op("Sum", dy, ry, keep_dims=False)
    return dx, g.op("Reshape", g.op("Neg", summed), sy)


@gradient("Mul")
def mul(g: Emit, node: Node, dy: Any) -> Any:
    x, y = node.inputs
    if same_static_shape(x, y) and same_static_shape(x, dy) and dy.dtype in ("int32", "float32"):
        return g.op("Mul", dy, y), g.op("Mul", dy, x)
    sx, sy, rx, ry = broadcast_axes(g, x, y)
    return g.sum_to(g.op("Mul", dy, y), sx, rx), g.sum_to(g.op("Mul", x, dy), sy, ry)


@gradient("MatMul")
def mat_mul(g: Emit, node: Node, dy: Any) -> Any:
    a, b = node.inputs
    ta, tb = node.attr["transpose_a"], node.attr["transpose_b"]

    def product(x: Tensor, y: Tensor, tx: bool, ty: bool, name: str) -> Any:
        return g.op("MatMul", x, y, transpose_a=tx, transpose_b=ty, name=name)

    if not ta and not tb:
        return product(dy, b, False, True, "MatMul"), product(a, dy, True, False, "MatMul")
    if not ta:
        return product(dy, b, False, False, "MatMul"), product(dy, a, True, False, "MatMul")
    if not tb:
        return product(b, dy, False, True, "MatMul"), product(a, dy, False, False, "MatMul")
    return product(b, dy, True, True, "MatMul"), product(dy, a, True, True, "MatMul")


@gradient("Square")
def square(g: Emit, node: Node, dy: Any) -> Any:
    x = node.inputs[0]
    with g.graph.control_dependencies([dy.node]):
        two = g.const(2.0, x.dtype.base_dtype)
        return g.op("Mul", dy, g.op("Mul", x, two))


@gradient("Pow")
def pow_(g: Emit, node: Node, dy: Any) -> Any:
    """d x^y = dy y x^(y-1), and dy x^y log x where x > 0."""
    x, y = node.inputs
    z = node.outputs[0]
    sx, sy, rx, ry = broadcast_axes(g, x, y)
    one = g.const(1.0, y.dtype.base_dtype, "sub/y")
    dx = g.sum_to(g.op("Mul", g.op("Mul", dy, y, name="mul"), g.op("Pow", x, g.op("Sub", y, one, name="sub")), name="mul_1"), sx, rx)
    zero = g.const(0, x.dtype.base_dtype, "Greater/y")
    positive = g.op("Greater", x, zero)
    shape = g.op("Shape", x, name="ones_like/Shape", out_type=int32) if x.dims is None or None in x.dims else g.shape(x, "ones_like/Shape")
    ones = g.op("Fill", shape, g.const(1, x.dtype.base_dtype, "ones_like/Const"), name="ones_like")
    log_x = g.op("Select", positive, g.op("Log", g.op("Select", positive, x, ones)), g.op("ZerosLike", x, name="zeros_like"))
    return dx, g.sum_to(g.op("Mul", g.op("Mul", dy, z, name="mul_2"), log_x, name="mul_3"), sy, ry)


@gradient("Sum")
def sum_(g: Emit, node: Node, dy: Any) -> Any:
    """The gradient, broadcast back along the reduced axes."""
    return _sum_gradient(g, node, dy), None


def _sum_gradient(g: Emit, node: Node, dy: Any) -> Any:
    from graphtools.constant import constant

    x = node.inputs[0]
    axes = constant(node.inputs[1])
    if x.dims is not None and axes is not None:
        rank = len(x.dims)
        if sorted({int(a) % rank for a in axes.ravel()}) == list(range(rank)) if rank else True:
            dy = g.op("Reshape", dy, g.const([1] * rank, int32, "Reshape/shape"))
            shape = g.const(x.dims, int32) if None not in x.dims else g.op("Shape", x, out_type=int32)
            return g.op("Tile", dy, shape, name="Tile")
    shape = g.shape(x)
    kept = reduced_shape(g, shape, node.inputs[1])
    scale = g.op("FloorDiv", shape, g.op("Maximum", kept, g.const(1, int32, "Maximum/y")), name="floordiv")
    return g.op("Tile", g.op("Reshape", dy, kept), scale, name="Tile")


def reduced_shape(g: Emit, shape: Tensor, axes: Tensor) -> Tensor:
    """The shape with 1 along `axes`: what a reduction that keeps its dimensions gives."""
    rank = g.op("Size", shape, out_type=int32)
    positive = g.op("FloorMod", g.op("AddV2", axes, rank, name="add"), rank, name="mod")
    ones = g.op("Fill", g.op("Shape", positive, out_type=int32), g.const(1, int32, "Fill/value"))
    everything = g.op("Range", g.const(0, int32, "range/start"), rank, g.const(1, int32, "range/delta"), name="range")
    result: Tensor = g.op("DynamicStitch", [everything, positive], [shape, ones])
    return result


@gradient("Mean")
def mean(g: Emit, node: Node, dy: Any) -> Any:
    total = _sum_gradient(g, node, dy)
    x, y = node.inputs[0], node.outputs[0]
    if x.dims is not None and y.dims is not None and None not in x.dims and None not in y.dims:
        import math

        factor: Any = g.const(math.prod(x.dims) // max(math.prod(y.dims), 1), int32)  # type: ignore[arg-type]
    else:
        elements = g.op("Prod", g.op("Shape", x, out_type=int32), g.const([0], int32), name="Prod")
        left = g.op("Prod", g.op("Shape", y, out_type=int32), g.const([0], int32), name="Prod")
        factor = g.op("FloorDiv", elements, g.op("Maximum", left, g.const(1, int32, "Maximum/y")), name="floordiv")
    return g.op("RealDiv", total, g.op("Cast", factor, DstT=total.dtype.base_dtype), name="truediv"), None


@gradient("RealDiv")
def real_div(g: Emit, node: Node, dy: Any) -> Any:
    x, y = node.inputs
    sx, sy, rx, ry = broadcast_axes(g, x, y)
    dx = g.sum_to(g.op("RealDiv", dy, y), sx, rx)
    minus = g.op("RealDiv", g.op("RealDiv", g.op("Neg", x), y), y)
    return dx, g.sum_to(g.op("Mul", dy, minus, name="mul"), sy, ry)


@gradient("Neg")
def neg(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("Neg", dy)


@gradient("Exp")
def exp(g: Emit, node: Node, dy: Any) -> Any:
    with g.graph.control_dependencies([dy.node]):
        return g.op("Mul", dy, node.outputs[0], name="mul")


@gradient("Log")
def log(g: Emit, node: Node, dy: Any) -> Any:
    with g.graph.control_dependencies([dy.node]):
        return g.op("Mul", dy, g.op("Reciprocal", node.inputs[0]), name="mul")


@gradient("Log1p")
def log1p(g: Emit, node: Node, dy: Any) -> Any:
    x = node.inputs[0]
    with g.graph.control_dependencies([dy.node]):
        return g.op("Mul", dy, g.op("Reciprocal", g.op("AddV2", g.const(1, x.dtype.base_dtype, "add/x"), x, name="add")), name="mul")


@gradient("AddN")
def add_n(g: Emit, node: Node, dy: Any) -> Any:
    return [dy] * len(node.inputs)


@gradient("Abs")
def abs_(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("Mul", dy, g.op("Sign", node.inputs[0]), name="mul")


@gradient("Cast")
def cast(g: Emit, node: Node, dy: Any) -> Any:
    source, target = node.inputs[0].dtype.base_dtype, node.outputs[0].dtype.base_dtype
    if (source.is_floating or source.is_complex) and (target.is_floating or target.is_complex):
        return g.op("Cast", dy, DstT=source)
    return None
