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
    axes = g.op(
        "Range",
        g.const(0, int32, "range/start"),
        g.op("Sub", g.op("Rank", dy), g.const(1, int32, "sub/y"), name="sub"),
        g.const(1, int32, "range/delta"),
        name="range",
    )
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
        inner = g.op(
            "Squeeze",
            g.op(
                "BatchMatMulV2",
                g.op("ExpandDims", grad_grad, g.const(1, int32, "ExpandDims_1/dim")),
                g.op("ExpandDims", soft, g.const(2, int32, "ExpandDims_2/dim")),
                name="MatMul",
            ),
            squeeze_dims=[1],
        )
        grad = g.op("AddV2", grad, g.op("Mul", g.op("Sub", grad_grad, inner, name="sub"), soft, name="mul_1"), name="add")
    minus_log = g.op("Neg", g.op("LogSoftmax", logits))
    return grad, _scaled_rows(g, loss_grad, minus_log)


@gradient("SparseSoftmaxCrossEntropyWithLogits")
def sparse_softmax_cross_entropy(g: Emit, node: Node, dy: Any) -> Any:
    loss_grad, grad_grad = dy
    if _is_zeros(grad_grad):
        gradient_rows = g.op(
            "PreventGradient",
            node.outputs[1],
            message="Currently there is no way to take the second derivative of sparse_softmax_cross_entropy_with_logits due to the fused implementation's interaction with tf.gradients()",
        )
        return _scaled_rows(g, loss_grad, gradient_rows), None
    raise LookupError(
        f"Node {node.name!r}: sparse_softmax_cross_entropy_with_logits has no second derivative; use softmax_cross_entropy_with_logits."
    )


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


@gradient("ReluGrad")
def relu_grad(g: Emit, node: Node, dy: Any) -> Any:
    x = node.inputs[1]
    return g.op("ReluGrad", dy, x), g.op("ZerosLike", x, name="zeros_like")


@gradient("LRN")
def lrn(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("LRNGrad", dy, node.inputs[0], node.outputs[0], **{k: node.attr[k] for k in ("depth_radius", "bias", "alpha", "beta")})


@gradient("MaxPoolWithArgmax")
def max_pool_with_argmax(g: Emit, node: Node, dy: Any) -> Any:
    attrs = {k: node.attr[k] for k in ("ksize", "strides", "padding", "include_batch_in_index")}
    return g.op("MaxPoolGradWithArgmax", node.inputs[0], dy[0], node.outputs[1], **attrs)


@gradient("MaxPoolV2")
def max_pool_v2(g: Emit, node: Node, dy: Any) -> Any:
    x, ksize, strides = node.inputs
    return (
        g.op("MaxPoolGradV2", x, node.outputs[0], dy, ksize, strides, padding=node.attr["padding"], data_format=node.attr["data_format"]),
        None,
        None,
    )


@gradient("MaxPool3D")
def max_pool3d(g: Emit, node: Node, dy: Any) -> Any:
    attrs = {k: node.attr[k] for k in ("ksize", "strides", "padding", "data_format")}
    return g.op("MaxPool3DGrad", node.inputs[0], node.outputs[0], dy, **attrs)


@gradient("AvgPool3D")
def avg_pool3d(g: Emit, node: Node, dy: Any) -> Any:
    attrs = {k: node.attr[k] for k in ("ksize", "strides", "padding", "data_format")}
    return g.op("AvgPool3DGrad", g.shape(node.inputs[0]), dy, **attrs)


@gradient("DepthwiseConv2dNative")
def depthwise_conv2d(g: Emit, node: Node, dy: Any) -> Any:
    x, w = node.inputs
    attrs = {k: node.attr[k] for k in ("strides", "padding", "data_format", "dilations")}
    return g.op("DepthwiseConv2dNativeBackpropInput", g.shape(x), w, dy, **attrs), g.op(
        "DepthwiseConv2dNativeBackpropFilter", x, g.shape(w), dy, **attrs
    )


@gradient("Conv3D")
def conv3d(g: Emit, node: Node, dy: Any) -> Any:
    x, w = node.inputs
    shapes = g.op("ShapeN", [x, w], out_type=int32)
    attrs = {k: node.attr[k] for k in ("strides", "padding", "data_format", "dilations")}
    return g.op("Conv3DBackpropInputV2", shapes[0], w, dy, **attrs), g.op("Conv3DBackpropFilterV2", x, shapes[1], dy, **attrs)


@gradient("Conv3DBackpropInputV2")
def conv3d_backprop_input(g: Emit, node: Node, dy: Any) -> Any:
    _, w, out = node.inputs
    attrs = {k: node.attr[k] for k in ("strides", "padding", "data_format", "dilations")}
    return None, g.op("Conv3DBackpropFilterV2", dy, g.shape(w), out, **attrs), g.op("Conv3D", dy, w, **attrs)


@gradient("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def fused_batch_norm(g: Emit, node: Node, dy: Any) -> Any:
    """Training uses the batch's saved statistics, inference the given ones."""
    x, scale, _, mean, variance = node.inputs
    a = node.attr
    suffix = node.op.removeprefix("FusedBatchNorm")
    saved = (node.outputs[3], node.outputs[4]) if a["is_training"] else (mean, variance)
    inputs = [dy[0], x, scale, *saved]
    if suffix == "V3":
        inputs.append(node.outputs[5])
    made = g.op(f"FusedBatchNormGrad{suffix}", *inputs, epsilon=a["epsilon"], data_format=a["data_format"], is_training=a["is_training"])
    return tuple(made) if a["is_training"] else (made[0], made[1], made[2], None, None)


@gradient("TopK", "TopKV2")
def top_k(g: Emit, node: Node, dy: Any) -> Any:
    """The gradient, scattered to where the values came from."""
    x = node.inputs[0]
    shape = g.op("Shape", x, out_type=int32)
    indices = node.outputs[1]
    last = g.op(
        "StridedSlice",
        g.op("Shape", indices, out_type=int32),
        g.const([-1], int32),
        g.const([0], int32),
        g.const([1], int32),
        shrink_axis_mask=1,
    )
    flat = g.op("Reshape", indices, g.op("Pack", [g.const(-1, int32), last], axis=0))
    width = g.op("StridedSlice", shape, g.const([-1], int32), g.const([0], int32), g.const([1], int32), shrink_axis_mask=1)
    rows = g.op(
        "StridedSlice",
        g.op("Shape", flat, out_type=int32),
        g.const([0], int32),
        g.const([1], int32),
        g.const([1], int32),
        shrink_axis_mask=1,
    )
    starts = g.op("Range", g.const(0, int32), g.op("Mul", rows, width), width)
    positions = g.op("Reshape", g.op("AddV2", flat, g.op("ExpandDims", starts, g.const(-1, int32))), g.const([-1], int32))
    total = g.op("Prod", shape, g.const([0], int32))
    scattered = g.op(
        "ScatterNd",
        g.op("ExpandDims", positions, g.const(-1, int32)),
        g.op("Reshape", dy[0], g.const([-1], int32)),
        g.op("Reshape", total, g.const([1], int32)),
    )
    dx = g.op("Reshape", scattered, shape)
    return dx if node.op == "TopK" else (dx, None)


@gradient("CTCLoss")
def ctc_loss(g: Emit, node: Node, dy: Any) -> Any:
    """The loss op computed the gradient: scaled by each example's."""
    saved = g.op(
        "PreventGradient",
        node.outputs[1],
        message="Currently there is no way to take the second derivative of ctc_loss due to the fused implementation's interaction with tf.gradients()",
    )
    rows = g.op("Reshape", dy[0], g.const([1, -1, 1], int32, "Reshape/shape"))
    return g.op("Mul", saved, rows, name="mul"), None, None, None


@gradient("ResizeBilinear")
def resize_bilinear(g: Emit, node: Node, dy: Any) -> Any:
    return g.op(
        "ResizeBilinearGrad",
        dy,
        node.inputs[0],
        align_corners=node.attr["align_corners"],
        half_pixel_centers=node.attr["half_pixel_centers"],
    ), None


@gradient("ResizeBicubic")
def resize_bicubic(g: Emit, node: Node, dy: Any) -> Any:
    return g.op(
        "ResizeBicubicGrad",
        dy,
        node.inputs[0],
        align_corners=node.attr["align_corners"],
        half_pixel_centers=node.attr["half_pixel_centers"],
    ), None


@gradient("ResizeNearestNeighbor")
def resize_nearest(g: Emit, node: Node, dy: Any) -> Any:
    x = node.inputs[0]
    if x.dims is not None and None not in x.dims[1:3]:
        size = g.const(list(x.dims[1:3]), int32, "size")
    else:
        size = g.op("StridedSlice", g.op("Shape", x, out_type=int32), g.const([1], int32), g.const([3], int32), g.const([1], int32))
    return g.op(
        "ResizeNearestNeighborGrad", dy, size, align_corners=node.attr["align_corners"], half_pixel_centers=node.attr["half_pixel_centers"]
    ), None


@gradient("CropAndResize")
def crop_and_resize(g: Emit, node: Node, dy: Any) -> Any:
    image, boxes, index, _ = node.inputs
    shape = g.shape(image)
    dx = g.op("CropAndResizeGradImage", dy, boxes, index, shape, T=image.dtype, method=node.attr["method"])
    return dx, g.op("CropAndResizeGradBoxes", dy, image, boxes, index), None, None


@gradient("FakeQuantWithMinMaxArgs")
def fake_quant_args(g: Emit, node: Node, dy: Any) -> Any:
    return g.op(
        "FakeQuantWithMinMaxArgsGradient", dy, node.inputs[0], **{k: node.attr[k] for k in ("min", "max", "num_bits", "narrow_range")}
    )


@gradient("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel")
def fake_quant_vars(g: Emit, node: Node, dy: Any) -> Any:
    return list(g.op(f"{node.op}Gradient", dy, *node.inputs, num_bits=node.attr["num_bits"], narrow_range=node.attr["narrow_range"]))


@gradient("QuantizeAndDequantize", "QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3")
def quantize_and_dequantize(g: Emit, node: Node, dy: Any) -> Any:
    return [dy, *[None] * (len(node.inputs) - 1)]
