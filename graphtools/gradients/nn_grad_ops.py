"""Gradients of the gradient ops of networks: what second derivatives need."""

from __future__ import annotations

from typing import Any

from graphtools.gradients import gradient
from graphtools.gradients.walk import Emit
from graphtools.graph import Node


def _zeros(g: Emit, x: Any) -> Any:
    return g.filled(g.shape(x), 0, x.dtype.base_dtype, "zeros")


def _where_negative(g: Emit, y: Any, value: Any) -> Any:
    below = g.apply("Less", y, 0)
    return g.op("Select", below, value(), g.zeros_like(y))


@gradient("EluGrad")
def elu_grad(g: Emit, node: Node, dy: Any) -> Any:
    upstream, y = node.inputs
    first = g.op("EluGrad", dy, y)
    return first, _where_negative(g, y, lambda: g.op("Mul", dy, upstream, name="mul"))


@gradient("SeluGrad")
def selu_grad(g: Emit, node: Node, dy: Any) -> Any:
    upstream, y = node.inputs
    first = g.op("SeluGrad", dy, y)
    return first, _where_negative(g, y, lambda: g.op("Mul", dy, upstream, name="mul"))


@gradient("ReluGrad")
def relu_grad(g: Emit, node: Node, dy: Any) -> Any:
    x = node.inputs[1]
    return g.op("ReluGrad", dy, x), _zeros(g, x)


@gradient("Relu6Grad")
def relu6_grad(g: Emit, node: Node, dy: Any) -> Any:
    x = node.inputs[1]
    return g.op("Relu6Grad", dy, x), _zeros(g, x)


@gradient("LeakyReluGrad")
def leaky_relu_grad(g: Emit, node: Node, dy: Any) -> Any:
    x = node.inputs[1]
    return g.op("LeakyReluGrad", dy, x, alpha=node.attr["alpha"]), _zeros(g, x)


@gradient("SoftplusGrad")
def softplus_grad(g: Emit, node: Node, dy: Any) -> Any:
    """d softplus'(x) / dx = 1 / (exp(-x) + 2 + exp(x))."""
    upstream, x = node.inputs
    first = g.op("SoftplusGrad", dy, x)
    below = g.op(
        "AddV2", g.op("AddV2", g.op("Exp", g.op("Neg", x)), g.const(2.0, x.dtype, "add/y"), name="add"), g.op("Exp", x), name="add_1"
    )
    return first, g.op("RealDiv", g.op("Mul", dy, upstream, name="mul"), below, name="truediv")


@gradient("BiasAddGrad")
def bias_add_grad(g: Emit, node: Node, dy: Any) -> Any:
    """The bias' gradient, repeated over every dimension but the channels'."""
    shape, own = g.shape(node.inputs[0]), g.shape(dy)
    if node.attr["data_format"] == "NCHW":
        ones = [g.ones_like(g.item(shape, slice(None, 1))), own, g.ones_like(g.item(shape, slice(2, None)))]
        grown = g.concat(ones)
        times = g.concat([g.item(shape, slice(None, 1)), [1], g.item(shape, slice(2, None))])
    else:
        grown = g.concat([g.ones_like(g.item(shape, slice(None, -1))), own])
        times = g.concat([g.item(shape, slice(None, -1)), [1]])
    return g.op("Tile", g.op("Reshape", dy, grown), times, name="Tile")


@gradient("AvgPoolGrad")
def avg_pool_grad(g: Emit, node: Node, dy: Any) -> Any:
    attrs = {k: node.attr[k] for k in ("ksize", "strides", "padding", "data_format")}
    return None, g.op("AvgPool", dy, **attrs)


@gradient("MaxPoolGrad")
def max_pool_grad(g: Emit, node: Node, dy: Any) -> Any:
    x, y, _ = node.inputs
    attrs = {k: node.attr[k] for k in ("ksize", "strides", "padding", "data_format")}
    return _zeros(g, x), _zeros(g, y), g.op("MaxPoolGradGrad", x, y, dy, **attrs)


_DEPTHWISE = ("strides", "padding", "data_format", "dilations")


@gradient("DepthwiseConv2dNativeBackpropInput")
def depthwise_backprop_input(g: Emit, node: Node, dy: Any) -> Any:
    _, w, out = node.inputs
    attrs = {k: node.attr[k] for k in _DEPTHWISE}
    return None, g.op("DepthwiseConv2dNativeBackpropFilter", dy, g.shape(w), out, **attrs), g.op("DepthwiseConv2dNative", dy, w, **attrs)


@gradient("DepthwiseConv2dNativeBackpropFilter")
def depthwise_backprop_filter(g: Emit, node: Node, dy: Any) -> Any:
    x, _, out = node.inputs
    attrs = {k: node.attr[k] for k in _DEPTHWISE}
    return g.op("DepthwiseConv2dNativeBackpropInput", g.shape(x), dy, out, **attrs), None, g.op("DepthwiseConv2dNative", x, dy, **attrs)
