"""Gradients of elementwise arithmetic, reductions and matrix products."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphtools.constant import constant as known_value
from graphtools.dtypes import float32, int32
from graphtools.gradients import gradient, not_differentiable
from graphtools.gradients.walk import Emit
from graphtools.graph import Node, Tensor


def same_static_shape(x: Tensor, y: Tensor) -> bool:
    return x.dims is not None and y.dims is not None and None not in x.dims and x.dims == y.dims


def broadcast_axes(g: Emit, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The shapes of two broadcast inputs, and the axes that each one's gradient is summed over."""
    sx, sy = g.shape(x), g.shape(y)
    rx, ry = g.op("BroadcastGradientArgs", sx, sy)
    return sx, sy, rx, ry


Reduction = Callable[[Tensor], Tensor]


def reductions(g: Emit, x: Tensor, y: Tensor, dy: Tensor) -> tuple[Reduction, Reduction]:
    """How the gradient of a broadcast is summed to the shape of each input.

    The axes of known shapes are worked out once a graph, and what has its input's shape is left alone, as TensorFlow 1.15 does.
    """
    if x.dims is None or None in x.dims or y.dims is None or None in y.dims:
        sx, sy = (g.op("Shape", v, out_type=int32) for v in (x, y))
        rx, ry = g.op("BroadcastGradientArgs", sx, sy)
        return (lambda dx: g.sum_to(dx, sx, rx)), (lambda dx: g.sum_to(dx, sy, ry))
    if (x.dims, y.dims) not in g.graph.broadcasts:
        g.op("BroadcastGradientArgs", *(g.const(list(d), int32, f"BroadcastGradientArgs/s{i}") for i, d in enumerate((x.dims, y.dims))))
        g.graph.broadcasts.add((x.dims, y.dims))
    rank = max(len(x.dims), len(y.dims))
    made = []
    for dims in (x.dims, y.dims):
        wide = (1,) * (rank - len(dims)) + dims
        axes = [] if x.dims == y.dims else [i for i, d in enumerate(wide) if d == 1]
        made.append(functools.partial(_reduced, g, dims, axes) if dims != dy.dims else _same)
    return made[0], made[1]


def _reduced(g: Emit, dims: tuple[int | None, ...], axes: list[int], dx: Tensor) -> Tensor:
    summed = g.op("Sum", dx, g.const(np.array(axes, np.int32), int32, "Sum/reduction_indices"), keep_dims=False)
    result: Tensor = g.op("Reshape", summed, g.const(np.array(dims, np.int32), int32, "Reshape/shape"))
    return result


def _same(dx: Tensor) -> Tensor:
    return dx


def conjugate(g: Emit, x: Tensor) -> Tensor:
    """The conjugate of a complex tensor; a real one as it is."""
    result: Tensor = g.op("Conj", x) if x.dtype.is_complex else x
    return result


@gradient("Add", "AddV2")
def add(g: Emit, node: Node, dy: Any) -> Any:
    x, y = node.inputs
    if same_static_shape(x, y) and same_static_shape(x, dy):
        return dy, dy
    to_x, to_y = reductions(g, x, y, dy)
    return to_x(dy), to_y(dy)


@gradient("Sub")
def sub(g: Emit, node: Node, dy: Any) -> Any:
    x, y = node.inputs
    if same_static_shape(x, y) and same_static_shape(x, dy):
        return dy, g.op("Neg", dy)
    to_x, to_y = reductions(g, x, y, dy)
    return to_x(dy), to_y(g.op("Neg", dy))


@gradient("Mul")
def mul(g: Emit, node: Node, dy: Any) -> Any:
    x, y = node.inputs
    if same_static_shape(x, y) and same_static_shape(x, dy) and dy.dtype in ("int32", "float32"):
        return g.op("Mul", dy, y), g.op("Mul", dy, x)
    to_x, to_y = reductions(g, x, y, dy)
    x, y = conjugate(g, x), conjugate(g, y)
    return to_x(g.op("Mul", dy, y)), to_y(g.op("Mul", x, dy))


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
        return g.op("Mul", dy, g.op("Mul", conjugate(g, x), two))


@gradient("Pow")
def pow_(g: Emit, node: Node, dy: Any) -> Any:
    """d x^y = dy y x^(y-1), and dy x^y log x where x > 0."""
    x, y = node.inputs
    z = node.outputs[0]
    to_x, to_y = reductions(g, x, y, dy)
    scaled = g.op("Mul", dy, y, name="mul")
    one = g.const(1.0, y.dtype.base_dtype, "sub/y")
    dx = to_x(g.op("Mul", scaled, g.op("Pow", x, g.op("Sub", y, one, name="sub")), name="mul_1"))
    zero = g.const(0, x.dtype.base_dtype, "Greater/y")
    positive = g.op("Greater", x, zero)
    shape = g.op("Shape", x, name="ones_like/Shape", out_type=int32) if x.dims is None or None in x.dims else g.shape(x, "ones_like/Shape")
    ones = g.op("Fill", shape, g.const(1, x.dtype.base_dtype, "ones_like/Const"), name="ones_like")
    log_x = g.op("Select", positive, g.op("Log", g.op("Select", positive, x, ones)), g.zeros_like(x))
    return dx, to_y(g.op("Mul", g.op("Mul", dy, z, name="mul_2"), log_x, name="mul_3"))


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
        if None not in x.dims:
            return _repeated(g, x.dims, axes, dy)
    shape = g.shape(x)
    kept = reduced_shape(g, shape, node.inputs[1])
    scale = g.op("FloorDiv", shape, g.apply("Maximum", kept, 1), name="floordiv")
    return g.op("Tile", g.op("Reshape", dy, kept), scale, name="Tile")


def _repeated(g: Emit, dims: tuple[int | None, ...], axes: np.ndarray[Any, Any], dy: Tensor) -> Tensor:
    """`dy` along reduced axes of known shape. TensorFlow 1.15 builds the arithmetic of a pair of shape and axes once a graph, and uses its value."""
    key = (dims, tuple(axes.ravel().tolist()))
    reduced = {int(a) % len(dims) for a in key[1]}
    kept = [1 if i in reduced else d for i, d in enumerate(dims)]
    scale = [d if i in reduced else 1 for i, d in enumerate(dims)]
    if key not in g.graph.broadcasts:
        g.graph.broadcasts.add(key)
        shape, flat = g.const(dims, int32, "Cast/x"), g.const(axes, int32, "Cast_1/x")
        rank = g.const(len(dims), int32, "Size")
        positive = g.op("FloorMod", g.op("AddV2", flat, rank, name="add"), rank, name="mod")
        count = g.const(list(axes.shape), int32, "Shape")
        everything = g.op("Range", g.const(0, int32, "range/start"), rank, g.const(1, int32, "range/delta"), name="range")
        ones = g.op("Fill", count, g.const(1, int32, "Fill/value"))
        g.op("DynamicStitch", [everything, positive], [shape, ones])
        bounded = g.op("Maximum", g.const(kept, int32, "Maximum/x"), g.const(1, int32, "Maximum/y"))
        g.op("FloorDiv", g.const(dims, int32, "floordiv/x"), bounded, name="floordiv")
    grown = g.op("Reshape", dy, g.const(kept, int32, "Reshape/shape"))
    result: Tensor = g.op("Tile", grown, g.const(scale, int32, "Tile/multiples"), name="Tile")
    return result


def reduced_shape(g: Emit, shape: Tensor, axes: Tensor) -> Tensor:
    """The shape with 1 along `axes`: what a reduction that keeps its dimensions gives."""
    rank = g.size(shape)
    positive = g.op("FloorMod", g.op("AddV2", axes, rank, name="add"), rank, name="mod")
    ones = g.apply("Fill", g.shape(positive), 1)
    everything = g.op("Range", g.const(0, int32, "range/start"), rank, g.const(1, int32, "range/delta"), name="range")
    result: Tensor = g.op("DynamicStitch", [everything, positive], [shape, ones])
    return result


@gradient("Mean")
def mean(g: Emit, node: Node, dy: Any) -> Any:
    total = _sum_gradient(g, node, dy)
    x, y = node.inputs[0], node.outputs[0]
    if x.dims is not None and y.dims is not None and None not in x.dims and None not in y.dims:
        factor: Any = g.const(math.prod(x.dims) // max(math.prod(y.dims), 1), total.dtype.base_dtype)  # type: ignore[arg-type]
    else:
        from_shape, to_shape = g.shape(x), g.shape(y)
        elements = g.op("Prod", from_shape, g.const([0], int32), name="Prod")
        left = g.op("Prod", to_shape, g.const([0], int32), name="Prod")
        factor = g.op("FloorDiv", elements, g.apply("Maximum", left, 1), name="floordiv")
        factor = g.op("Cast", factor, DstT=total.dtype.base_dtype)
    return g.op("RealDiv", total, factor, name="truediv"), None


@gradient("RealDiv")
def real_div(g: Emit, node: Node, dy: Any) -> Any:
    x, y = node.inputs
    sx, sy, rx, ry = broadcast_axes(g, x, y)
    x, y = conjugate(g, x), conjugate(g, y)
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


@gradient("Div")
def div(g: Emit, node: Node, dy: Any) -> Any:
    x, y = node.inputs
    sx, sy, rx, ry = broadcast_axes(g, x, y)
    dx = g.sum_to(g.op("Div", dy, y, name="div"), sx, rx)
    minus = g.op("Div", g.op("Div", g.op("Neg", x), y, name="div_1"), y, name="div_2")
    return dx, g.sum_to(g.op("Mul", dy, minus, name="mul"), sy, ry)


@gradient("DivNoNan")
def div_no_nan(g: Emit, node: Node, dy: Any) -> Any:
    x, y = node.inputs
    sx, sy, rx, ry = broadcast_axes(g, x, y)
    dx = g.sum_to(g.op("DivNoNan", dy, y, name="div_no_nan"), sx, rx)
    minus = g.op("DivNoNan", g.op("DivNoNan", g.op("Neg", x), y, name="div_no_nan_1"), y, name="div_no_nan_2")
    return dx, g.sum_to(g.op("Mul", dy, minus, name="mul"), sy, ry)


def _after(g: Emit, dy: Any) -> Any:
    """Ops of a gradient that do not read `dy` wait for it, so that they do not run before the backward pass."""
    return g.graph.control_dependencies([dy.node])


def _one(g: Emit, x: Tensor, name: str) -> Tensor:
    return g.const(1, x.dtype.base_dtype, name)


@gradient("Reciprocal", "Inv")
def reciprocal(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("ReciprocalGrad" if node.op == "Reciprocal" else "InvGrad", node.outputs[0], dy)


@gradient("Expm1")
def expm1(g: Emit, node: Node, dy: Any) -> Any:
    with _after(g, dy):
        return g.op("Mul", dy, g.op("Exp", node.inputs[0]), name="mul")


@gradient("Sin")
def sin(g: Emit, node: Node, dy: Any) -> Any:
    with _after(g, dy):
        return g.op("Mul", dy, g.op("Cos", node.inputs[0]), name="mul")


@gradient("Cos")
def cos(g: Emit, node: Node, dy: Any) -> Any:
    with _after(g, dy):
        return g.op("Mul", g.op("Neg", dy), g.op("Sin", node.inputs[0]), name="mul")


@gradient("Tan")
def tan(g: Emit, node: Node, dy: Any) -> Any:
    with _after(g, dy):
        secant = g.op("Reciprocal", g.op("Cos", node.inputs[0]))
        return g.op("Mul", g.op("Square", secant), dy, name="mul")


@gradient("Sinh")
def sinh(g: Emit, node: Node, dy: Any) -> Any:
    with _after(g, dy):
        return g.op("Mul", dy, g.op("Cosh", node.inputs[0]), name="mul")


@gradient("Cosh")
def cosh(g: Emit, node: Node, dy: Any) -> Any:
    with _after(g, dy):
        return g.op("Mul", dy, g.op("Sinh", node.inputs[0]), name="mul")


def _inverse_trig(below: Any, negate: bool = False) -> Any:
    """dy / f(x) for the inverse functions, f given as ops on x and its square."""

    def function(g: Emit, node: Node, dy: Any) -> Any:
        x = node.inputs[0]
        with _after(g, dy):
            inverse = g.op("Reciprocal", below(g, x))
            return g.op("Mul", g.op("Neg", dy) if negate else dy, inverse, name="mul")

    return function


def _root_one_minus(g: Emit, x: Tensor) -> Any:
    return g.op("Sqrt", g.op("Sub", _one(g, x, "Const"), g.op("Square", x)))


gradient("Asin")(_inverse_trig(_root_one_minus))
gradient("Acos")(_inverse_trig(_root_one_minus, negate=True))
gradient("Atan")(_inverse_trig(lambda g, x: g.op("Add", _one(g, x, "Const"), g.op("Square", x))))
gradient("Atanh")(_inverse_trig(lambda g, x: g.op("Sub", _one(g, x, "Const"), g.op("Square", x))))


@gradient("Asinh")
def asinh(g: Emit, node: Node, dy: Any) -> Any:
    with _after(g, dy):
        return g.op("RealDiv", dy, g.op("Cosh", node.outputs[0]), name="truediv")


@gradient("Acosh")
def acosh(g: Emit, node: Node, dy: Any) -> Any:
    with _after(g, dy):
        return g.op("RealDiv", dy, g.op("Sinh", node.outputs[0]), name="truediv")


@gradient("Atan2")
def atan2(g: Emit, node: Node, dy: Any) -> Any:
    y, x = node.inputs
    with _after(g, dy):
        scaled = g.op("RealDiv", dy, g.op("AddV2", g.op("Square", x), g.op("Square", y), name="add"), name="truediv")
        return g.op("Mul", x, scaled, name="mul"), g.op("Mul", g.op("Neg", y), scaled, name="mul_1")


@gradient("Erf")
def erf(g: Emit, node: Node, dy: Any) -> Any:
    x = node.inputs[0]
    factor = g.const(2 / math.sqrt(math.pi), dy.dtype.base_dtype)
    with _after(g, dy):
        return g.op("Mul", g.op("Mul", dy, factor, name="mul"), g.op("Exp", g.op("Neg", g.op("Square", x))), name="mul_1")


@gradient("Erfc")
def erfc(g: Emit, node: Node, dy: Any) -> Any:
    x = node.inputs[0]
    factor = g.const(-2 / math.sqrt(math.pi), dy.dtype.base_dtype)
    with _after(g, dy):
        return g.op("Mul", g.op("Mul", dy, factor, name="mul"), g.op("Exp", g.op("Neg", g.op("Square", x))), name="mul_1")


@gradient("Lgamma")
def lgamma(g: Emit, node: Node, dy: Any) -> Any:
    with _after(g, dy):
        return g.op("Mul", dy, g.op("Digamma", node.inputs[0]), name="mul")


@gradient("Digamma")
def digamma(g: Emit, node: Node, dy: Any) -> Any:
    x = node.inputs[0]
    with _after(g, dy):
        return g.op("Mul", dy, g.op("Polygamma", _one(g, x, "Const"), x), name="mul")


@gradient("SquaredDifference")
def squared_difference(g: Emit, node: Node, dy: Any) -> Any:
    x, y = node.inputs
    with _after(g, dy):
        two = g.const(2.0, dy.dtype.base_dtype, "scalar")
        scaled = g.op("Mul", g.op("Mul", two, dy, name="Mul"), g.op("Sub", x, y, name="sub"), name="mul_1")
    if same_static_shape(x, y) and same_static_shape(x, dy):
        return scaled, g.op("Neg", scaled)
    to_x, to_y = reductions(g, x, y, dy)
    return to_x(scaled), g.op("Neg", to_y(scaled))


def _extreme(comparison: str) -> Any:
    """Maximum and Minimum: the gradient goes to the input that was chosen, to x where they are equal."""

    def function(g: Emit, node: Node, dy: Any) -> Any:
        x, y = node.inputs
        sx, sy = g.shape(x), g.shape(y)
        zeros = g.op(
            "Fill",
            g.op("Shape", dy, out_type=int32) if dy.dims is None or None in dy.dims else g.const(list(dy.dims), int32, "Shape_2"),
            g.const(0, dy.dtype.base_dtype, "zeros/Const"),
            name="zeros",
        )
        mask = g.op(comparison, x, y)
        rx, ry = g.op("BroadcastGradientArgs", sx, sy)
        return g.sum_to(g.op("Select", mask, dy, zeros), sx, rx), g.sum_to(g.op("Select", mask, zeros, dy), sy, ry)

    return function


gradient("Maximum")(_extreme("GreaterEqual"))
gradient("Minimum")(_extreme("LessEqual"))


@gradient("FloorMod")
def floor_mod(g: Emit, node: Node, dy: Any) -> Any:
    x, y = node.inputs
    sx, sy, rx, ry = broadcast_axes(g, x, y)
    floor = g.op("FloorDiv", x, y)
    return g.sum_to(dy, sx, rx), g.sum_to(g.op("Mul", dy, g.op("Neg", floor), name="mul"), sy, ry)


@gradient("FloorDiv", "TruncateDiv")
def floor_div(g: Emit, node: Node, dy: Any) -> Any:
    return None, None


@gradient("TruncateMod", "Mod")
def truncate_mod(g: Emit, node: Node, dy: Any) -> Any:
    return dy, None


def _nonzero(g: Emit, x: Tensor) -> Any:
    with g.graph.name_scope("Cast") as scope:
        zero = g.const(0.0, float32, "x")
        zero = zero if x.dtype.base_dtype is float32 else g.op("Cast", zero, DstT=x.dtype.base_dtype, name=scope)
    return g.op("Cast", g.op("NotEqual", x, zero), DstT=x.dtype.base_dtype)


@gradient("Xlogy")
def xlogy(g: Emit, node: Node, dy: Any) -> Any:
    x, y = node.inputs
    sx, sy, rx, ry = broadcast_axes(g, x, y)
    with _after(g, dy):
        nonzero = _nonzero(g, x)
        dx = g.op("Xlogy", nonzero, y)
        dy_ = g.op("Xdivy", x, y)
        return g.sum_to(g.op("Mul", dx, dy, name="mul"), sx, rx), g.sum_to(g.op("Mul", dy_, dy, name="mul_1"), sy, ry)


@gradient("Xdivy")
def xdivy(g: Emit, node: Node, dy: Any) -> Any:
    x, y = node.inputs
    sx, sy, rx, ry = broadcast_axes(g, x, y)
    with _after(g, dy):
        nonzero = _nonzero(g, x)
        dx = g.op("Xdivy", nonzero, y)
        dy_ = g.op("Xdivy", g.op("Neg", x), g.apply("Pow", y, 2.0, name="pow"))
        return g.sum_to(g.op("Mul", dx, dy, name="mul"), sx, rx), g.sum_to(g.op("Mul", dy_, dy, name="mul_1"), sy, ry)


@gradient("Sign", "Floor", "Ceil", "Round", "Rint")
def flat(g: Emit, node: Node, dy: Any) -> Any:
    """Zero wherever there is a derivative: Sign gives zeros, the roundings no gradient."""
    x = node.inputs[0]
    if node.op != "Sign":
        return None
    return g.op("Fill", g.shape(x), g.const(0, x.dtype.base_dtype, "zeros/Const"), name="zeros")


def _min_or_max(g: Emit, node: Node, dy: Any) -> Any:
    """The gradient, shared evenly by all that are the extreme."""
    x, axes = node.inputs
    shape = g.shape(x)
    y = node.outputs[0]
    kept = reduced_shape(g, shape, axes)
    y = g.op("Reshape", y, kept)
    dy = g.op("Reshape", dy, kept)
    chosen = g.op("Cast", g.op("Equal", y, x), DstT=dy.dtype.base_dtype)
    count = g.op("Reshape", g.op("Sum", chosen, axes, keep_dims=False), kept)
    return g.op("Mul", g.op("RealDiv", chosen, count, name="truediv"), dy, name="mul"), None


gradient("Max")(_min_or_max)
gradient("Min")(_min_or_max)


@gradient("Prod")
def prod(g: Emit, node: Node, dy: Any) -> Any:
    """The product of all others: exclusive cumulative products from both sides, along the reduced axes flattened into one."""
    x = node.inputs[0]
    shape = g.op("Shape", x, out_type=int32) if x.dims is None or None in x.dims else g.const(list(x.dims), int32, "Shape")
    axes = g.op("Reshape", node.inputs[1], g.const([-1], int32, "Reshape/shape"))
    kept = reduced_shape(g, shape, node.inputs[1])
    tiled = g.op(
        "Tile",
        g.op("Reshape", dy, kept),
        g.op("FloorDiv", shape, g.apply("Maximum", kept, 1), name="floordiv"),
        name="Tile",
    )
    rank = g.op("Rank", x) if x.dims is None else g.const(len(x.dims), int32, "Rank")
    positive = g.op("FloorMod", g.op("AddV2", axes, rank, name="add"), rank, name="mod")
    reduced = g.op("Cast", positive, DstT=int32) if positive.dtype is not int32 else positive
    everything = g.apply("Range", 0, rank, 1, name="range")
    other, _ = g.op("ListDiff", everything, reduced, out_idx=int32)
    perm = g.op("ConcatV2", [reduced, other], g.const(0, int32, "concat/axis"), name="concat")
    reduced_count = g.op("Prod", g.op("GatherV2", shape, reduced, g.const(0, int32, "GatherV2/axis")), g.const([0], int32), name="Prod")
    other_count = g.op("Prod", g.op("GatherV2", shape, other, g.const(0, int32, "GatherV2_1/axis")), g.const([0], int32), name="Prod_1")
    permuted = g.op("Transpose", x, perm, name="transpose")
    chosen = known_value(node.inputs[1])
    if x.dims is not None and chosen is not None:
        places = [int(axis) % len(x.dims) for axis in np.ravel(chosen)]
        permuted.dims = tuple(x.dims[p] for p in [*places, *(p for p in range(len(x.dims)) if p not in places)])
    permuted_shape = g.shape(permuted)
    with g.graph.name_scope("Reshape") as scope:
        flat_x = g.op("Reshape", permuted, g.op("Pack", [reduced_count, other_count], axis=0, name="shape"), name=scope)
    left = g.op("Cumprod", flat_x, g.const(0, int32, "Cumprod/axis"), exclusive=True)
    right = g.op("Cumprod", flat_x, g.const(0, int32, "Cumprod_1/axis"), exclusive=True, reverse=True)
    others = g.op("Reshape", g.op("Mul", left, right, name="mul"), permuted_shape)
    out = g.op("Mul", tiled, g.op("Transpose", others, g.op("InvertPermutation", perm), name="transpose_1"), name="mul_1")
    return g.op("Reshape", out, shape), None


@gradient("Cumsum")
def cumsum(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("Cumsum", dy, node.inputs[1], exclusive=node.attr["exclusive"], reverse=not node.attr["reverse"]), None


@gradient("Cumprod")
def cumprod(g: Emit, node: Node, dy: Any) -> Any:
    x, axis = node.inputs
    exclusive, reverse = node.attr["exclusive"], node.attr["reverse"]
    product = g.op("Cumprod", x, axis, exclusive=exclusive, reverse=reverse)
    out = g.op("Cumsum", g.op("Mul", product, dy, name="mul"), axis, exclusive=exclusive, reverse=not reverse)
    return g.op("RealDiv", out, x, name="truediv"), None


def batch_mat_mul(g: Emit, node: Node, dy: Any) -> Any:
    """The products that give dx and dy for each pair of adjoints; with V2 summed over broadcast batch dimensions."""
    x, y = node.inputs
    ax, ay = node.attr["adj_x"], node.attr["adj_y"]

    def product(a: Tensor, b: Tensor, adj_a: bool, adj_b: bool) -> Any:
        return g.op(node.op, a, b, adj_x=adj_a, adj_y=adj_b, name="MatMul")

    if not ax:
        dx = product(dy, y, False, not ay)
        d_y = product(x, dy, True, False) if not ay else product(dy, x, True, False)
    elif not ay:
        dx, d_y = product(y, dy, False, True), product(x, dy, False, False)
    else:
        dx, d_y = product(y, dy, True, True), product(dy, x, True, True)
    if node.op == "BatchMatMul":
        return dx, d_y
    if same_static_shape(x, y):
        return dx, d_y
    sx, sy = g.shape(x), g.shape(y)
    rx, ry = g.op("BroadcastGradientArgs", g.item(sx, slice(None, -2)), g.item(sy, slice(None, -2)))
    return g.sum_to(dx, sx, rx), g.sum_to(d_y, sy, ry)


gradient("BatchMatMul", "BatchMatMulV2")(batch_mat_mul)


@gradient("SigmoidGrad")
def sigmoid_grad(g: Emit, node: Node, dy: Any) -> Any:
    y, given = node.inputs
    with _after(g, dy):
        scaled = g.op("Mul", dy, given, name="mul")
        two = g.const(2.0, dy.dtype.base_dtype, "mul_1/x")
        return g.op("Sub", scaled, g.op("Mul", g.op("Mul", two, scaled, name="mul_1"), y, name="mul_2"), name="sub"), g.op(
            "SigmoidGrad", y, dy
        )


@gradient("TanhGrad")
def tanh_grad(g: Emit, node: Node, dy: Any) -> Any:
    y, given = node.inputs
    with _after(g, dy):
        scaled = g.op("Mul", g.op("Mul", g.apply("Mul", dy, -2.0, name="mul"), given, name="mul"), y, name="mul")
        return scaled, g.op("TanhGrad", y, dy)


@gradient("RsqrtGrad")
def rsqrt_grad(g: Emit, node: Node, dy: Any) -> Any:
    y, given = node.inputs
    with _after(g, dy):
        scaled = g.op("Mul", g.apply("Mul", -1.5, dy, name="mul"), given, name="mul")
        first = g.op("Mul", scaled, g.op("Square", y), name="mul")
        return first, g.op("RsqrtGrad", y, dy)


@gradient("SqrtGrad")
def sqrt_grad(g: Emit, node: Node, dy: Any) -> Any:
    y, given = node.inputs
    with _after(g, dy):
        scaled = g.op("RealDiv", dy, y, name="truediv")
        minus = g.op("Mul", g.op("Neg", scaled), node.outputs[0], name="mul")
        del given
        return minus, g.op("Mul", g.const(0.5, dy.dtype.base_dtype, "mul_1/x"), scaled, name="mul_1")


@gradient("ReciprocalGrad", "InvGrad")
def reciprocal_grad(g: Emit, node: Node, dy: Any) -> Any:
    y, given = node.inputs
    with _after(g, dy):
        scaled = g.op("Mul", g.op("Mul", g.apply("Mul", dy, -2.0, name="mul"), given, name="mul"), y, name="mul")
        return scaled, g.op("ReciprocalGrad", y, dy)


@gradient("ClipByValue")
def clip_by_value(g: Emit, node: Node, dy: Any) -> Any:
    x, low, high = node.inputs
    zeros = g.zeros_like(dy)
    below, above = g.op("Less", x, low), g.op("Greater", x, high)
    _, s_low, _, r_low = broadcast_axes(g, x, low)
    _, s_high, _, r_high = broadcast_axes(g, x, high)
    outside = g.op("LogicalOr", below, above)
    dx = g.op("Select", outside, zeros, dy)
    return dx, g.sum_to(g.op("Select", below, dy, zeros), s_low, r_low), g.sum_to(g.op("Select", above, dy, zeros), s_high, r_high)


not_differentiable(
    "All", "Any", "ArgMax", "ArgMin", "Bincount", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Equal", "ApproximateEqual", "Greater", "GreaterEqual", "InTopK", "InTopKV2",
    "Invert", "IsFinite", "IsInf", "IsNan", "LeftShift", "Less", "LessEqual", "LogicalAnd", "LogicalNot", "LogicalOr", "NextAfter", "NotEqual", "RightShift",
)  # fmt: skip


@gradient("AccumulateNV2")
def accumulate_n(g: Emit, node: Node, dy: Any) -> Any:
    return [dy] * len(node.inputs)


@gradient("Cross")
def cross(g: Emit, node: Node, dy: Any) -> Any:
    u, v = node.inputs
    return g.op("Cross", v, dy), g.op("Cross", dy, u)
