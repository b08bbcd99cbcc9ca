"""Gradients of special functions: gamma, beta, zeta and Bessel functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools.gradients import gradient
from graphtools.gradients.math_ops import broadcast_axes, same_static_shape
from graphtools.gradients.walk import Emit
from graphtools.graph import Node, Tensor


def _times(g: Emit, partial: Tensor, dy: Tensor) -> Any:
    return g.op("Mul", partial, dy, name="mul")


@gradient("Polygamma", "Zeta")
def polygamma(g: Emit, node: Node, dy: Any) -> Any:
    """With respect to x alone: the next order; zeta' = -n zeta(n + 1, x)."""
    n, x = node.inputs
    _, sx, _, rx = broadcast_axes(g, n, x)
    with g.graph.control_dependencies([dy.node]):
        if node.op == "Zeta":
            partial = g.op("Mul", g.op("Neg", n), g.op("Zeta", g.apply("AddV2", n, 1.0, name="add"), x), name="mul")
        else:
            partial = g.op("Polygamma", g.apply("AddV2", n, 1.0, name="add"), x)
        return None, g.sum_to(_times(g, partial, dy), sx, rx)


def _igamma(g: Emit, node: Node, dy: Any) -> tuple[Tensor, Tensor]:
    a, x = node.inputs
    sa, sx, ra, rx = broadcast_axes(g, a, x)
    with g.graph.control_dependencies([dy.node]):
        by_a = g.op("IgammaGradA", a, x)
        power = g.op("Mul", g.apply("Sub", a, 1.0, name="sub"), g.op("Log", x), name="mul")
        exponent = g.op("Sub", g.op("AddV2", g.op("Neg", x), power, name="add"), g.op("Lgamma", a), name="sub")
        by_x = g.op("Exp", exponent)
        return g.sum_to(_times(g, by_a, dy), sa, ra), g.sum_to(_times(g, by_x, dy), sx, rx)


@gradient("Igamma")
def igamma(g: Emit, node: Node, dy: Any) -> Any:
    return _igamma(g, node, dy)


@gradient("Igammac")
def igammac(g: Emit, node: Node, dy: Any) -> Any:
    a, x = _igamma(g, node, dy)
    return g.op("Neg", a), g.op("Neg", x)


@gradient("Betainc")
def betainc(g: Emit, node: Node, dy: Any) -> Any:
    """With respect to x alone: x^(a-1) (1-x)^(b-1) / B(a, b), through logarithms."""
    a, b, x = node.inputs
    _, sx, _, rx = broadcast_axes(g, a, x)
    total = g.op("AddV2", g.op("Lgamma", a), g.op("Lgamma", b), name="add")
    beta = g.op("Sub", total, g.op("Lgamma", g.op("AddV2", a, b, name="add")), name="sub")
    first = g.op("Mul", g.apply("Sub", b, 1.0, name="sub"), g.op("Log", g.apply("Sub", 1.0, x, name="sub")), name="mul")
    second = g.op("Mul", g.apply("Sub", a, 1.0, name="sub"), g.op("Log", x), name="mul")
    partial = g.op("Exp", g.op("Sub", g.op("AddV2", first, second, name="add"), beta, name="sub"))
    return None, None, g.sum_to(_times(g, partial, dy), sx, rx)


@gradient("MulNoNan")
def mul_no_nan(g: Emit, node: Node, dy: Any) -> Any:
    x, y = node.inputs
    if same_static_shape(x, y) and same_static_shape(x, dy):
        return g.op("MulNoNan", dy, y), g.op("MulNoNan", x, dy)
    sx, sy, rx, ry = broadcast_axes(g, x, y)
    dx = g.sum_to(g.op("MulNoNan", dy, y), sx, rx)
    return dx, g.sum_to(g.op("MulNoNan", x, dy), sy, ry)


@gradient("BesselI0e")
def bessel_i0e(g: Emit, node: Node, dy: Any) -> Any:
    x, y = node.inputs[0], node.outputs[0]
    with g.graph.control_dependencies([dy.node]):
        partial = g.op("Sub", g.op("BesselI1e", x), g.op("Mul", g.op("Sign", x), y, name="mul"), name="sub")
        return g.op("Mul", dy, partial, name="mul")


@gradient("BesselI1e")
def bessel_i1e(g: Emit, node: Node, dy: Any) -> Any:
    """i0e(x) - y (sign x + 1/x); 0.5 where x is too small to divide by."""
    x, y = node.inputs[0], node.outputs[0]
    with g.graph.control_dependencies([dy.node]):
        eps = float(np.finfo(x.dtype.base_dtype.as_numpy_dtype).eps)
        zeros = g.zeros_like(x)
        large = g.apply("Greater", g.op("Abs", x), eps)
        safe = g.op("Select", large, x, g.apply("AddV2", eps, zeros, name="add"))
        slope = g.op("AddV2", g.op("Sign", safe), g.op("Reciprocal", safe), name="add")
        partial = g.op("Sub", g.op("BesselI0e", safe), g.op("Mul", y, slope, name="mul"), name="sub")
        partial = g.op("Select", large, partial, g.apply("AddV2", 0.5, zeros, name="add"))
        return g.op("Mul", dy, partial, name="mul")


@gradient("CumulativeLogsumexp")
def cumulative_logsumexp(g: Emit, node: Node, dy: Any) -> Any:
    """The positive and negative parts of the gradient, each through its logarithm."""
    x, axis = node.inputs
    y = node.outputs[0]
    lowest = float(np.finfo(dy.dtype.base_dtype.as_numpy_dtype).min)

    def logarithm(comparison: str, name: str, value: Any) -> Any:
        chosen = g.apply(comparison, dy, 0.0, name=name)
        return g.apply("SelectV2", chosen, g.op("Log", value()), lowest)

    def summed(part: Any) -> Any:
        below = g.op("Sub", part, y, name="sub")
        total = g.op("CumulativeLogsumexp", below, axis, exclusive=node.attr["exclusive"], reverse=not node.attr["reverse"])
        return g.op("Exp", g.op("AddV2", total, x, name="add"))

    positive = logarithm("Greater", "Greater", lambda: dy)
    negative = logarithm("Less", "Less", lambda: g.op("Neg", dy))
    return g.op("Sub", summed(positive), summed(negative), name="sub"), None
