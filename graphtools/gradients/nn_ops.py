"""Gradients of neural network ops."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import int32, int64
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


@gradient("Softplus")
def softplus(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("Mul", dy, g.op("Sigmoid", node.inputs[0]), name="mul")


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
    return g.op("Mul", g.apply("ExpandDims", dy, -1), rows, name="mul")


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
                g.apply("ExpandDims", grad_grad, 1),
                g.apply("ExpandDims", soft, 2),
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
    attrs = {k: node.attr[k] for k in ("strides", "padding", "data_format", "dilations")}
    dx = g.op("Conv3DBackpropInputV2", g.shape(x), w, dy, **attrs)
    return dx, g.op("Conv3DBackpropFilterV2", x, g.shape(w), dy, **attrs)


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
    shape, taken = g.shape(node.inputs[0]), g.shape(node.outputs[1])

    def last(dims: Any) -> Any:
        wide = g.op("Cast", dims, DstT=int64)
        return g.gather(wide, g.apply("Sub", g.size(dims), 1, name="sub"))

    width = last(taken)
    with g.graph.name_scope("stack") as scope:
        columns = g.op("Pack", [g.const(-1, int64, "0"), width], axis=0, name=scope)
    flat = g.op("Reshape", node.outputs[1], columns)
    width = last(shape)
    rows = g.op("Cast", g.item(g.shape(flat), 0), DstT=int64)
    limit = g.op("Mul", rows, width, name="mul")
    with g.graph.name_scope("range") as scope:
        starts = g.op("Range", g.op("Cast", g.const(0, int32, "start"), DstT=int64), limit, width, name=scope)
    offsets = g.op("Cast", g.apply("ExpandDims", starts, -1), DstT=int32)
    places = g.apply("Reshape", g.op("AddV2", flat, offsets, name="add"), [-1])
    index, values = g.apply("ExpandDims", places, -1), g.apply("Reshape", dy[0], [-1])
    total = g.op("Prod", shape, g.const([0], int32), keep_dims=False, name="Prod")
    with g.graph.name_scope("ScatterNd") as scope:
        scattered = g.op("ScatterNd", index, values, g.op("Pack", [total], axis=0, name="shape"), name=scope)
    dx = g.op("Reshape", scattered, shape)
    return dx if node.op == "TopK" else (dx, g.filled((), 0, int32, "zeros"))


@gradient("CTCLoss")
def ctc_loss(g: Emit, node: Node, dy: Any) -> Any:
    """The loss op computed the gradient: scaled by each example's."""
    saved = g.op(
        "PreventGradient",
        node.outputs[1],
        message="Currently there is no way to take the second derivative of ctc_loss due to the fused implementation's interaction with tf.gradients()",
    )
    rows = g.apply("ExpandDims", dy[0], -1)
    return g.op("Mul", rows, saved, name="mul"), None, None, None


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
    attrs = {k: node.attr[k] for k in ("align_corners", "half_pixel_centers")}
    known = x.dims is not None and None not in x.dims[1:3]
    size: Any = list(x.dims[1:3]) if known else g.item(g.shape(x), slice(1, 3))  # type: ignore[index]
    return g.apply("ResizeNearestNeighborGrad", dy, size, **attrs), None


@gradient("CropAndResize")
def crop_and_resize(g: Emit, node: Node, dy: Any) -> Any:
    image, boxes, index, _ = node.inputs
    known = image.dims is not None and None not in image.dims
    size: Any = list(image.dims) if known else g.shape(image)  # type: ignore[arg-type]
    dx = g.apply("CropAndResizeGradImage", dy, boxes, index, size, T=image.dtype, method=node.attr["method"])
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
