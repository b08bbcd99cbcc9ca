"""Gradients of the gradient ops of networks: what second derivatives need."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import int32
from graphtools.gradients import gradient
from graphtools.gradients.walk import Emit
from graphtools.graph import Node


def _zeros_like(g: Emit, x: Any) -> Any:
    return g.op("ZerosLike", x, name="zeros_like")


def _where_negative(g: Emit, y: Any, value: Any) -> Any:
    below = g.op("Less", y, g.const(0, y.dtype, "Less/y"))
    return g.op("Select", below, value, _zeros_like(g, y), name="Select")


@gradient("EluGrad")
def elu_grad(g: Emit, node: Node, dy: Any) -> Any:
    upstream, y = node.inputs
    return g.op("EluGrad", dy, y), _where_negative(g, y, g.op("Mul", dy, upstream, name="mul"))


@gradient("SeluGrad")
def selu_grad(g: Emit, node: Node, dy: Any) -> Any:
    upstream, y = node.inputs
    return g.op("SeluGrad", dy, y), _where_negative(g, y, g.op("Mul", dy, upstream, name="mul"))


@gradient("Relu6Grad")
def relu6_grad(g: Emit, node: Node, dy: Any) -> Any:
    x = node.inputs[1]
    return g.op("Relu6Grad", dy, x), _zeros_like(g, x)


@gradient("LeakyReluGrad")
def leaky_relu_grad(g: Emit, node: Node, dy: Any) -> Any:
    x = node.inputs[1]
    return g.op("LeakyReluGrad", dy, x, alpha=node.attr["alpha"]), _zeros_like(g, x)


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
    shape = g.op("Shape", node.inputs[0], out_type=int32)
    if node.attr["data_format"] == "NCHW" and node.inputs[0].rank != 2:
        after = (node.inputs[0].rank or 4) - 2
        dy = g.op("Reshape", dy, g.const([-1] + [1] * after, int32))
    return g.op("BroadcastTo", dy, shape)


@gradient("AvgPoolGrad")
def avg_pool_grad(g: Emit, node: Node, dy: Any) -> Any:
    attrs = {k: node.attr[k] for k in ("ksize", "strides", "padding", "data_format")}
    return None, g.op("AvgPool", dy, **attrs)


@gradient("MaxPoolGrad")
def max_pool_grad(g: Emit, node: Node, dy: Any) -> Any:
    x, y, _ = node.inputs
    attrs = {k: node.attr[k] for k in ("ksize", "strides", "padding", "data_format")}
    return _zeros_like(g, x), g.op("ZerosLike", y, name="zeros_like_1"), g.op("MaxPoolGradGrad", x, y, dy, **attrs)


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
