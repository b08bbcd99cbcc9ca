"""Gradients of neural network ops."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import int32
from graphtools.gradients import gradient
from graphtools.gradients.walk import Emit
from graphtools.graph import Node


def _unary(op_type: str, use_output: bool) -> Any:
    def function(g: Emit, node: Node, dy: Any) -> Any:
        if use_output:
            return g.op(op_type, node.outputs[0], dy)
        return g.op(op_type, dy, node.inputs[0])

    return function


gradient("Sigmoid")(_unary("SigmoidGrad", True))
gradient("Tanh")(_unary("TanhGrad", True))
gradient("Sqrt")(_unary("SqrtGrad", True))
gradient("Rsqrt")(_unary("RsqrtGrad", True))


@gradient("Relu")
def relu(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("ReluGrad", dy, node.outputs[0])


@gradient("Relu6")
def relu6(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("Relu6Grad", dy, node.outputs[0])


@gradient("Elu")
def elu(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("EluGrad", dy, node.outputs[0])


@gradient("Selu")
def selu(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("SeluGrad", dy, node.outputs[0])


@gradient("LeakyRelu")
def leaky_relu(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("LeakyReluGrad", dy, node.inputs[0], alpha=node.attr["alpha"])


gradient("Softplus")(_unary("SoftplusGrad", False))
gradient("Softsign")(_unary("SoftsignGrad", False))


@gradient("BiasAdd")
def bias_add(g: Emit, node: Node, dy: Any) -> Any:
    return dy, g.op("BiasAddGrad", dy, data_format=node.attr["data_format"])


@gradient("BiasAddV1")
def bias_add_v1(g: Emit, node: Node, dy: Any) -> Any:
    axes = g.op("Range", g.const(0, int32, "range/start"), g.op("Sub", g.op("Rank", dy), g.const(1, int32, "sub/y"), name="sub"), g.const(1, int32, "range/delta"), name="range")
    return dy, g.op("Sum", dy, axes, keep_dims=False)


@gradient("Softmax")
def softmax(g: Emit, node: Node, dy: Any) -> Any:
    """(dy - sum(dy y)) y"""
    y = node.outputs[0]
    total = g.op("Sum", g.op("Mul", dy, y, name="mul"), g.const(-1, int32, "Sum/reduction_indices"), keep_dims=True)
    return g.op("Mul", g.op("Sub", dy, total, name="sub"), y, name="mul_1")


@gradient("LogSoftmax")
def log_softmax(g: Emit, node: Node, dy: Any) -> Any:
    y = g.op("Exp", node.outputs[0])
    total = g.op("Sum", dy, g.const(-1, int32, "Sum/reduction_indices"), keep_dims=True)
    return g.op("Sub", dy, g.op("Mul", total, y, name="mul"), name="sub")


def _scaled_rows(g: Emit, dy: Any, rows: Any) -> Any:
    """One number a row times the rows."""
    return g.op("Mul", g.op("ExpandDims", dy, g.const(-1, int32, "ExpandDims/dim")), rows, name="mul")


def _is_zeros(t: Any) -> bool:
    return t is None or t.node.op in ("ZerosLike", "Zeros")


@gradient("SoftmaxCrossEntropyWithLogits")
def softmax_cross_entropy(g: Emit, node: Node, dy: Any) -> Any:
    loss_grad, grad_grad = dy
    softmax_grad = node.outputs[1]
    grad = _scaled_rows(g, loss_grad, softmax_grad)
    logits = node.inputs[0]
    if not _is_zeros(grad_grad):
        soft = g.op("Softmax", logits)
        inner = g.op("Squeeze", g.op("BatchMatMulV2", g.op("ExpandDims", grad_grad, g.const(1, int32, "ExpandDims_1/dim")), g.op("ExpandDims", soft, g.const(2, int32, "ExpandDims_2/dim")), name="MatMul"), squeeze_dims=[1])
        grad = g.op("AddV2", grad, g.op("Mul", g.op("Sub", grad_grad, inner, name="sub"), soft, name="mul_1"), name="add")
    minus_log = g.op("Neg", g.op("LogSoftmax", logits))
    return grad, _scaled_rows(g, loss_grad, minus_log)


@gradient("SparseSoftmaxCrossEntropyWithLogits")
def sparse_softmax_cross_entropy(g: Emit, node: Node, dy: Any) -> Any:
    loss_grad, grad_grad = dy
    if _is_zeros(grad_grad):
        gradient_rows = g.op("PreventGradient", node.outputs[1], message="Currently there is no way to take the second derivative of sparse_softmax_cross_entropy_with_logits due to the fused implementation's interaction with tf.gradients()")
        return _scaled_rows(g, loss_grad, gradient_rows), None
    raise LookupError(f"Node {node.name!r}: sparse_softmax_cross_entropy_with_logits has no second derivative; use softmax_cross_entropy_with_logits.")


@gradient("Conv2D")
def conv2d(g: Emit, node: Node, dy: Any) -> Any:
    x, w = node.inputs
    shapes = g.op("ShapeN", [x, w], out_type=int32)
    attrs = {k: node.attr[k] for k in ("strides", "padding", "explicit_paddings", "use_cudnn_on_gpu", "data_format", "dilations")}
    return g.op("Conv2DBackpropInput", shapes[0], w, dy, **attrs), g.op("Conv2DBackpropFilter", x, shapes[1], dy, **attrs)


@gradient("Conv2DBackpropInput")
def conv2d_backprop_input(g: Emit, node: Node, dy: Any) -> Any:
    _, w, out = node.inputs
    attrs = {k: node.attr[k] for k in ("strides", "padding", "explicit_paddings", "use_cudnn_on_gpu", "data_format", "dilations")}
    return None, g.op("Conv2DBackpropFilter", dy, g.shape(w), out, **attrs), g.op("Conv2D", dy, w, **attrs)


@gradient("Conv2DBackpropFilter")
def conv2d_backprop_filter(g: Emit, node: Node, dy: Any) -> Any:
    x, _, out = node.inputs
    attrs = {k: node.attr[k] for k in ("strides", "padding", "explicit_paddings", "use_cudnn_on_gpu", "data_format", "dilations")}
    return g.op("Conv2DBackpropInput", g.shape(x), dy, out, **attrs), None, g.op("Conv2D", x, dy, **attrs)


@gradient("MaxPool")
def max_pool(g: Emit, node: Node, dy: Any) -> Any:
    attrs = {k: node.attr[k] for k in ("ksize", "strides", "padding", "data_format")}
    return g.op("MaxPoolGrad", node.inputs[0], node.outputs[0], dy, **attrs)


@gradient("AvgPool")
def avg_pool(g: Emit, node: Node, dy: Any) -> Any:
    attrs = {k: node.attr[k] for k in ("ksize", "strides", "padding", "data_format")}
    return g.op("AvgPoolGrad", g.shape(node.inputs[0]), dy, **attrs)


@gradient("L2Loss")
def l2_loss(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("Mul", node.inputs[0], dy, name="mul")
