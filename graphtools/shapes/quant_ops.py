"""Static shapes of quantization: values, then the ends of the range they stand for, mostly scalars."""

from __future__ import annotations

from collections.abc import Sequence

from graphtools.constant import constant
from graphtools.graph import Dims, Node
from graphtools.shapes import shape
from graphtools.shapes.dims import broadcast, merge_dim, with_rank
from graphtools.shapes.nn_ops import channels_first, spatial_axes, window_size

# The first output has the shape of the first input; any others are scalars.
ELEMENTWISE = (
    "Dequantize", "FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars", "QuantizeAndDequantize", "QuantizeAndDequantizeV2",
    "QuantizeAndDequantizeV3", "QuantizeAndDequantizeV4", "QuantizeDownAndShrinkRange", "QuantizeV2", "QuantizedBiasAdd",
    "QuantizedBatchNormWithGlobalNormalization", "QuantizedInstanceNorm", "QuantizedRelu", "QuantizedRelu6", "QuantizedReluX", "Requantize",
    "FakeQuantWithMinMaxArgsGradient", "FakeQuantWithMinMaxVarsGradient",
)  # fmt: skip


@shape(*ELEMENTWISE)
def elementwise(node: Node) -> Sequence[Dims]:
    return [node.inputs[0].dims, (), ()]


@shape("RequantizePerChannel")
def requantize_per_channel(node: Node) -> Sequence[Dims]:
    return [node.inputs[0].dims, (), ()]


@shape("RequantizationRange", "RequantizationRangePerChannel")
def requantization_range(node: Node) -> Sequence[Dims]:
    return [(), ()]


@shape("FakeQuantWithMinMaxVarsPerChannel")
def fake_quant_per_channel(node: Node) -> Sequence[Dims]:
    dims = node.inputs[0].dims
    if dims is None:
        return [None]
    return [(*dims[:-1], merge_dim(dims[-1], with_rank(node.inputs[1].dims, 1)[0]))]


@shape("FakeQuantWithMinMaxVarsPerChannelGradient")
def fake_quant_per_channel_gradient(node: Node) -> Sequence[Dims]:
    ends = with_rank(node.inputs[2].dims, 1)
    return [node.inputs[0].dims, ends, ends]


@shape("QuantizedAdd", "QuantizedMul")
def binary(node: Node) -> Sequence[Dims]:
    return [broadcast(node.inputs[0].dims, node.inputs[1].dims), (), ()]


@shape("QuantizedMatMul", "QuantizedMatMulWithBias", "QuantizedMatMulWithBiasAndRelu", "QuantizedMatMulWithBiasAndReluAndRequantize")
def mat_mul(node: Node) -> Sequence[Dims]:
    a, b = with_rank(node.inputs[0].dims, 2), with_rank(node.inputs[1].dims, 2)
    rows, inner = (a[1], a[0]) if node.attr["transpose_a"] else a
    other, columns = (b[1], b[0]) if node.attr["transpose_b"] else b
    merge_dim(inner, other)
    return [(rows, columns), (), ()]


@shape(
    "QuantizedConv2D", "QuantizedConv2DAndRelu", "QuantizedConv2DWithBias", "QuantizedConv2DWithBiasAndRelu", "QuantizedConv2DAndRequantize",
    "QuantizedConv2DAndReluAndRequantize", "QuantizedConv2DWithBiasAndRequantize", "QuantizedConv2DWithBiasAndReluAndRequantize",
    "QuantizedDepthwiseConv2D",
)  # fmt: skip
def conv(node: Node) -> Sequence[Dims]:
    dims, kernel, a = with_rank(node.inputs[0].dims, 4), with_rank(node.inputs[1].dims, 4), node.attr
    sizes = [window_size(dims[i], kernel[i - 1], a["strides"][i], a["dilations"][i], a["padding"]) for i in (1, 2)]
    channels = kernel[3]
    if "Depthwise" in node.op:
        channels = None if channels is None or kernel[2] is None else channels * kernel[2]
    return [(dims[0], *sizes, channels), (), ()]


@shape("QuantizedAvgPool", "QuantizedMaxPool")
def pool(node: Node) -> Sequence[Dims]:
    dims, a = with_rank(node.inputs[0].dims, 4), node.attr
    sizes = [window_size(dims[i], a["ksize"][i], a["strides"][i], 1, a["padding"]) for i in spatial_axes(node, 4)]
    return [(dims[0], dims[1], *sizes) if channels_first(node) else (dims[0], *sizes, dims[3]), (), ()]


@shape("QuantizedConcat", "QuantizedConcatV2")
def concat(node: Node) -> Sequence[Dims]:
    axis = constant(node.input("concat_dim" if node.op == "QuantizedConcat" else "axis"))
    shapes = [t.dims for t in node.input("values")]
    first = next((s for s in shapes if s is not None), None)
    if axis is None or first is None or None in shapes:
        return [None if first is None else (None,) * len(first), (), ()]
    at = int(axis) % len(first)
    along = [s[at] for s in shapes]
    size = None if None in along else sum(along)
    return [(*first[:at], size, *first[at + 1 :]), (), ()]
