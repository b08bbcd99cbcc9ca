"""Static shapes of convolutions, pools, normalisations, activations and losses."""

from __future__ import annotations

import math
from collections.abc import Sequence

from graphtools.constant import constant, constant_as_shape
from graphtools.errors import ShapeError
from graphtools.graph import Dims, Node
from graphtools.shapes import shape
from graphtools.shapes.dims import Dim, at_least, merge, merge_dim, with_rank

# The shape of the first input.
SAME = (
    "Elu", "LeakyRelu", "LogSoftmax", "Relu", "Relu6", "Selu", "Softmax", "Softplus",
    "Softsign", "DataFormatDimMap", "DataFormatVecPermute", "Dilation2DBackpropInput",
)  # fmt: skip

# The shape that the gradient and the features or outputs both have.
MERGED = ("EluGrad", "LeakyReluGrad", "Relu6Grad", "ReluGrad", "SeluGrad", "SoftplusGrad", "SoftsignGrad")


@shape(*SAME)
def same(node: Node) -> Sequence[Dims]:
    dims = at_least(node.inputs[0].dims, 1) if node.op in ("Softmax", "LogSoftmax") else node.inputs[0].dims
    return [dims]


@shape("LRN", "LRNGrad")
def lrn(node: Node) -> Sequence[Dims]:
    return [with_rank(node.inputs[0].dims, 4)]


@shape(*MERGED)
def merged(node: Node) -> Sequence[Dims]:
    return [merge(node.inputs[0].dims, node.inputs[1].dims)]


# -- windows ---------------------------------------------------------------------------------------------------------


def channels_first(node: Node) -> bool:
    return str(node.attr.get("data_format") or "NHWC") in ("NCHW", "NCDHW", "NCHW_VECT_C")


def spatial_axes(node: Node, rank: int) -> range:
    return range(2, rank) if channels_first(node) else range(1, rank - 1)


def window_size(size: Dim, kernel: Dim, stride: int, dilation: int, padding: str, explicit: tuple[int, int] = (0, 0)) -> Dim:
    """The number of windows along an axis: ceil(size / stride) for SAME, else floor((size + pads - reach) / stride) + 1."""
    if size is None:
        return None
    if padding == "SAME":
        return -(-size // stride)
    if kernel is None:
        return None
    return (size + sum(explicit) - (kernel - 1) * dilation - 1 + stride) // stride


def explicit_pads(node: Node) -> list[tuple[int, int]]:
    """(before, after) of each axis of the input under padding EXPLICIT, else zeros."""
    pads = list(node.attr.get("explicit_paddings") or []) if node.attr["padding"] == "EXPLICIT" else []
    rank = len(node.attr.get("strides") or ()) or 4
    pads = pads or [0] * 2 * rank
    return list(zip(pads[::2], pads[1::2], strict=True))


def _windows(node: Node, dims: Sequence[Dim], kernel: Sequence[Dim], strides: Sequence[int], dilations: Sequence[int]) -> list[Dim]:
    """The spatial sizes of a window op; `kernel` is of the spatial axes, the rest of all axes."""
    sizes: list[Dim] = []
    explicit = explicit_pads(node)
    for axis, k in zip(spatial_axes(node, len(dims)), kernel, strict=True):
        size = window_size(dims[axis], k, strides[axis], dilations[axis], node.attr["padding"], explicit[axis])
        if (size is not None and size < 0) or (size == 0 and dims[axis] != 0 and node.attr["padding"] != "SAME"):
            raise ShapeError(f"Negative dimension size caused by subtracting {((k or 1) - 1) * dilations[axis] + 1} from {dims[axis]}")
        sizes.append(size)
    return sizes


def _assemble(node: Node, batch: Dim, spatial: Sequence[Dim], channels: Dim) -> tuple[Dim, ...]:
    return (batch, channels, *spatial) if channels_first(node) else (batch, *spatial, channels)


def _dilations(node: Node, rank: int) -> list[int]:
    return list(node.attr.get("dilations") or [1] * rank)


@shape("Conv2D", "Conv3D")
def conv(node: Node) -> Sequence[Dims]:
    rank = 4 if node.op == "Conv2D" else 5
    dims, kernel = with_rank(node.inputs[0].dims, rank), with_rank(node.inputs[1].dims, rank)
    channels = dims[1 if channels_first(node) else rank - 1]
    if channels is not None and kernel[-2] is not None and (kernel[-2] == 0 or channels % kernel[-2]):
        raise ShapeError(f"Depth of input ({channels}) is not a multiple of input depth of filter ({kernel[-2]})")
    spatial = _windows(node, dims, kernel[:-2], node.attr["strides"], _dilations(node, rank))
    return [_assemble(node, dims[0], spatial, kernel[-1])]


@shape("DepthwiseConv2dNative")
def depthwise_conv(node: Node) -> Sequence[Dims]:
    dims, kernel = with_rank(node.inputs[0].dims, 4), with_rank(node.inputs[1].dims, 4)
    channels = merge_dim(dims[1 if channels_first(node) else 3], kernel[2])
    spatial = _windows(node, dims, kernel[:2], node.attr["strides"], _dilations(node, 4))
    return [_assemble(node, dims[0], spatial, None if channels is None or kernel[3] is None else channels * kernel[3])]


@shape("FusedPadConv2D", "FusedResizeAndPadConv2D")
def fused_pad_conv(node: Node) -> Sequence[Dims]:
    dims: Sequence[Dim] = with_rank(node.inputs[0].dims, 4)
    resized = node.op == "FusedResizeAndPadConv2D"
    if resized:
        size = constant(node.inputs[1])
        dims = (dims[0], *((None, None) if size is None else (int(s) for s in size)), dims[3])
    paddings, kernel = constant(node.inputs[2 if resized else 1]), with_rank(node.inputs[3 if resized else 2].dims, 4)
    if paddings is None:
        dims = (None,) * 4
    else:
        dims = tuple(None if d is None else d + int(p[0]) + int(p[1]) for d, p in zip(dims, paddings, strict=True))
    spatial = _windows(node, dims, kernel[:2], node.attr["strides"], [1] * 4)
    return [_assemble(node, dims[0], spatial, kernel[3])]


@shape("Conv2DBackpropInput", "Conv3DBackpropInputV2", "DepthwiseConv2dNativeBackpropInput")
def conv_backprop_input(node: Node) -> Sequence[Dims]:
    rank = 5 if node.op.startswith("Conv3D") else 4
    dims = constant_as_shape(node.inputs[0])
    if dims is None:
        dims = (None,) * rank
    if len(dims) == rank - 2 and node.op == "Conv2DBackpropInput":  # 2.x takes the spatial sizes alone
        kernel, grad = with_rank(node.inputs[1].dims, rank), with_rank(node.inputs[2].dims, rank)
        return [_assemble(node, grad[0], dims, kernel[2])]
    if len(dims) != rank:
        raise ShapeError(f"Shape must be rank {rank} but is rank {len(dims)}")
    with_rank(node.inputs[2].dims, rank)
    return [dims]


@shape("Conv2DBackpropFilter", "Conv3DBackpropFilterV2", "DepthwiseConv2dNativeBackpropFilter")
def conv_backprop_filter(node: Node) -> Sequence[Dims]:
    rank = 5 if node.op.startswith("Conv3D") else 4
    dims = constant_as_shape(node.inputs[1])
    return [(None,) * rank if dims is None else dims]


@shape("Conv3DBackpropInput")
def conv3d_backprop_input(node: Node) -> Sequence[Dims]:
    return [with_rank(node.inputs[0].dims, 5)]


@shape("Conv3DBackpropFilter")
def conv3d_backprop_filter(node: Node) -> Sequence[Dims]:
    return [with_rank(node.inputs[1].dims, 5)]


@shape("AvgPool", "AvgPool3D", "MaxPool", "MaxPool3D", "MaxPoolWithArgmax")
def pool(node: Node) -> Sequence[Dims]:
    rank = 5 if "3D" in node.op else 4
    result = _pool(node, with_rank(node.inputs[0].dims, rank), node.attr["ksize"], node.attr["strides"])
    return [result] * len(node.outputs)


def _pool(node: Node, dims: Sequence[Dim], ksize: Sequence[int], strides: Sequence[int]) -> tuple[Dim, ...]:
    rank = len(dims)
    axes = spatial_axes(node, rank)
    channel_axis = 1 if channels_first(node) else rank - 1
    spatial = _windows(node, dims, [ksize[a] for a in axes], strides, [1] * rank)
    channels = dims[channel_axis]
    if channels is not None and ksize[channel_axis] > 1:
        channels = (channels - ksize[channel_axis]) // strides[channel_axis] + 1
    return _assemble(node, dims[0], spatial, channels)


@shape("MaxPoolV2")
def max_pool_v2(node: Node) -> Sequence[Dims]:
    dims, ksize, strides = with_rank(node.inputs[0].dims, 4), constant(node.inputs[1]), constant(node.inputs[2])
    if ksize is None or strides is None:
        return [(dims[0], None, None, None)]
    return [_pool(node, dims, ksize.tolist(), strides.tolist())]


@shape("MaxPoolGrad", "MaxPoolGradV2", "MaxPool3DGrad", "MaxPoolGradWithArgmax")
def max_pool_grad(node: Node) -> Sequence[Dims]:
    return [with_rank(node.inputs[0].dims, 5 if "3D" in node.op else 4)]


@shape("MaxPoolGradGrad", "MaxPoolGradGradV2", "MaxPool3DGradGrad")
def max_pool_grad_grad(node: Node) -> Sequence[Dims]:
    return [with_rank(node.inputs[1].dims, 5 if "3D" in node.op else 4)]


@shape("MaxPoolGradGradWithArgmax")
def max_pool_grad_grad_with_argmax(node: Node) -> Sequence[Dims]:
    return [with_rank(node.inputs[2].dims, 4)]


@shape("AvgPoolGrad", "AvgPool3DGrad")
def avg_pool_grad(node: Node) -> Sequence[Dims]:
    rank = 5 if "3D" in node.op else 4
    dims = constant_as_shape(node.inputs[0])
    return [(None,) * rank if dims is None else dims]


@shape("Dilation2D")
def dilation(node: Node) -> Sequence[Dims]:
    dims, kernel = with_rank(node.inputs[0].dims, 4), with_rank(node.inputs[1].dims, 3)
    channels = merge_dim(dims[3], kernel[2])
    return [_assemble(node, dims[0], _windows(node, dims, kernel[:2], node.attr["strides"], node.attr["rates"]), channels)]


@shape("Dilation2DBackpropFilter")
def dilation_backprop_filter(node: Node) -> Sequence[Dims]:
    return [node.inputs[1].dims]


@shape("FractionalMaxPool", "FractionalAvgPool")
def fractional_pool(node: Node) -> Sequence[Dims]:
    dims = with_rank(node.inputs[0].dims, 4)
    sizes = tuple(None if d is None else math.floor(d / r) for d, r in zip(dims, node.attr["pooling_ratio"], strict=True))
    return [sizes, *((None if s is None else s + 1,) for s in sizes[1:3])]


@shape("FractionalMaxPoolGrad")
def fractional_max_pool_grad(node: Node) -> Sequence[Dims]:
    return [with_rank(node.inputs[0].dims, 4)]


@shape("FractionalAvgPoolGrad")
def fractional_avg_pool_grad(node: Node) -> Sequence[Dims]:
    dims = constant_as_shape(node.inputs[0])
    return [(None,) * 4 if dims is None else dims]


# -- bias, normalisation ---------------------------------------------------------------------------------------------


@shape("BiasAdd", "BiasAddV1")
def bias_add(node: Node) -> Sequence[Dims]:
    bias = with_rank(node.inputs[1].dims, 1)
    if node.inputs[0].dims is None:
        return [None]
    first = channels_first(node)
    dims = list(at_least(node.inputs[0].dims, 3 if first else 2) or ())
    axis = 1 if first else len(dims) - 1
    dims[axis] = merge_dim(dims[axis], bias[0])
    return [tuple(dims)]


@shape("BiasAddGrad")
def bias_add_grad(node: Node) -> Sequence[Dims]:
    dims = at_least(node.inputs[0].dims, 3 if channels_first(node) else 2)
    return [(None,)] if dims is None else [(dims[1 if channels_first(node) else -1],)]


@shape("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def fused_batch_norm(node: Node) -> Sequence[Dims]:
    rank = node.inputs[0].rank or 4
    if node.op != "FusedBatchNormV3" or rank != 5:
        rank = 4
    dims = list(with_rank(node.inputs[0].dims, rank))
    axis = 1 if channels_first(node) else rank - 1
    for i in range(1, 5 if not node.attr["is_training"] else 3):
        dims[axis] = merge_dim(dims[axis], with_rank(node.inputs[i].dims, 1)[0])
    channels: Dims = (dims[axis],)
    return [tuple(dims), channels, channels, channels, channels, None]


@shape("FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3")
def fused_batch_norm_grad(node: Node) -> Sequence[Dims]:
    rank = node.inputs[0].rank or 4
    dims = list(merge(with_rank(node.inputs[0].dims, rank), with_rank(node.inputs[1].dims, rank)) or ())
    axis = 1 if channels_first(node) else rank - 1
    dims[axis] = merge_dim(dims[axis], with_rank(node.inputs[2].dims, 1)[0])
    return [tuple(dims), (dims[axis],), (dims[axis],), (0,), (0,)]


@shape("BatchNormWithGlobalNormalizationGrad")
def batch_norm_with_global_normalization_grad(node: Node) -> Sequence[Dims]:
    dims = merge(with_rank(node.inputs[0].dims, 4), with_rank(node.inputs[4].dims, 4)) or (None,) * 4
    channels = dims[3]
    for i in (1, 2, 3):
        channels = merge_dim(channels, with_rank(node.inputs[i].dims, 1)[0])
    return [(*dims[:3], channels), *[(channels,)] * 4]


# -- losses ----------------------------------------------------------------------------------------------------------


@shape("SoftmaxCrossEntropyWithLogits")
def softmax_cross_entropy(node: Node) -> Sequence[Dims]:
    a, b = with_rank(node.inputs[0].dims, 2), with_rank(node.inputs[1].dims, 2)
    both: list[Dim] = [x if y in (None, 1) else y if x in (None, 1) else merge_dim(x, y) for x, y in zip(a, b, strict=True)]
    return [(both[0],), tuple(both)]


@shape("SparseSoftmaxCrossEntropyWithLogits")
def sparse_softmax_cross_entropy(node: Node) -> Sequence[Dims]:
    features, labels = with_rank(node.inputs[0].dims, 2), with_rank(node.inputs[1].dims, 1)
    batch = merge_dim(features[0], labels[0])
    return [(batch,), (batch, features[1])]
