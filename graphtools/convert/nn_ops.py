"""Activations, biases, normalisation and losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts, direct
from graphtools.convert.nn_grad_ops import scatter_add
from graphtools.convert.windows import is_channels_first, to_channels_first, to_channels_last
from graphtools.dtypes import float32, float64, int64, uint64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

# One ONNX op, the same inputs, no attributes.
DIRECT = {
    "Elu": "Elu",
    "Selu": "Selu",
    "Softsign": "Softsign",
}
direct(DIRECT)


@converts("Relu")
def relu(op: Builder, node: NodeView) -> Any:
    """A maximum for 64-bit integers, which ONNX Runtime's Relu has no kernel for."""
    x = node.inputs[0]
    return op.Max(x, op.const(0, x.dtype)) if x.dtype in (int64, uint64) else op.Relu(x)


@converts("Softplus")
def softplus(op: Builder, node: NodeView) -> Any:
    """log(exp(x) + 1) = max(x, 0) + log(1 + exp(-|x|)); float64 has no kernel of its own."""
    x = node.inputs[0]
    if x.dtype is not float64:
        return op.Softplus(x)
    return op.Add(op.Max(x, 0), op.Log(op.Add(op.Exp(op.Neg(op.Abs(x))), 1)))


@converts("Relu6")
def relu6(op: Builder, node: NodeView) -> Any:
    return op.Clip(node.inputs[0], 0, 6)


@converts("LeakyRelu")
def leaky_relu(op: Builder, node: NodeView) -> Any:
    x, alpha = node.inputs[0], float(node.attr["alpha"])
    if x.dtype is float64:
        return op.Where(op.Greater(x, 0), x, op.Mul(x, alpha))
    return op.LeakyRelu(x, alpha=alpha)


@converts("Softmax", "LogSoftmax")
def softmax(op: Builder, node: NodeView) -> Any:
    return op.append(node.op, [node.inputs[0]], {"axis": -1})


@converts("BiasAdd", "BiasAddV1")
def bias_add(op: Builder, node: NodeView) -> Any:
    x, bias = node.inputs
    if is_channels_first(node):
        rank = x.rank if x.rank is not None else 4
        bias = op.Reshape(bias, op.const([-1] + [1] * (rank - 2)))
    return op.Add(x, bias)


@converts("L2Loss")
def l2_loss(op: Builder, node: NodeView) -> Any:
    """sum(x * x) / 2"""
    return op.Mul(op.ReduceSumSquare(node.inputs[0], keepdims=0), 0.5)


# -- normalisation ---------------------------------------------------------------------------------------------------


WIDE = 512  # channels from which a window sum by a 1x1 convolution costs more than one by pooling


def channel_window_sum(op: Builder, x: Value, radius: int, factor: float = 1.0, plus: float = 0.0) -> Value:
    """plus + factor * the sums over the channels i - radius .. i + radius of an image NC...

    A 1x1 convolution with a band of ones: 25 ms where an average pool over the channels takes 79 and all of ONNX Runtime's LRN 97.
    """
    channels = x.dims[1] if x.dims is not None and x.rank == 4 else None
    if channels is not None and channels <= WIDE and x.dtype is float32:
        places = np.arange(channels)
        band = (np.abs(places[:, None] - places) <= radius).astype(np.float32) * np.float32(factor)
        bias = op.const(np.full(channels, plus, np.float32)) if plus else None
        result: Value = op.Conv(x, op.const(band[:, :, None, None]), bias)
        return result
    size = 2 * radius + 1
    shape = op.Shape(x)
    flat = op.Reshape(x, op.Concat(op.Slice(shape, [0], [2], [0]), op.const([-1]), axis=0))
    summed = op.AveragePool(op.Unsqueeze(flat, [1]), kernel_shape=[size, 1], pads=[radius, 0, radius, 0], count_include_pad=1)
    result = op.Mul(op.Reshape(summed, shape), size * factor)
    return op.Add(result, plus) if plus else result


def _power(op: Builder, x: Value, exponent: float) -> Value:
    """x to a power of a half or of quarters by square roots, which are several times faster than Pow."""
    if exponent in (0.5, 0.75):
        root = op.Sqrt(x)
        return op.Mul(root, op.Sqrt(root)) if exponent == 0.75 else root  # type: ignore[no-any-return]
    return x if exponent == 1 else op.Pow(x, op.const(exponent, x.dtype))


@converts("LRN")
def lrn(op: Builder, node: NodeView) -> Any:
    """x / (bias + alpha * sum of x^2 over 2 r + 1 channels)^beta; ONNX's LRN divides alpha by the number of channels."""
    a = node.attr
    radius, alpha, beta, bias = int(a["depth_radius"]), float(a["alpha"]), float(a["beta"]), float(a["bias"])
    x = to_channels_first(op, node.inputs[0], 4)
    if x.dtype is float32 and x.dims is not None and x.dims[1] is not None and x.dims[1] <= WIDE:
        y = op.Div(x, _power(op, channel_window_sum(op, op.Mul(x, x), radius, alpha, bias), beta))
    else:
        size = 2 * radius + 1
        y = op.LRN(x, size=size, alpha=alpha * size, beta=beta, bias=bias)
    return to_channels_last(op, y, 4)


@converts("LRNGrad")
def lrn_grad(op: Builder, node: NodeView) -> Any:
    """dy * n^-beta - 2 alpha beta x * (window sum of dy * y / n), n = bias + alpha * (window sum of x^2)."""
    a = node.attr
    radius, alpha, beta = int(a["depth_radius"]), float(a["alpha"]), float(a["beta"])
    dy, x, y = (to_channels_first(op, v, 4) for v in node.inputs)
    norm = channel_window_sum(op, op.Mul(x, x), radius, alpha, float(a["bias"]))
    spread = channel_window_sum(op, op.Div(op.Mul(dy, y), norm), radius, 2 * alpha * beta)
    return to_channels_last(op, op.Sub(op.Div(dy, _power(op, norm, beta)), op.Mul(x, spread)), 4)


@converts("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def fused_batch_norm(op: Builder, node: NodeView) -> Any:
    """Training: normalised by the batch, whose variance is reported with Bessel's correction n / (n - 1) and kept without it.

    Training is spelled out: ONNX's training_mode has no CUDA kernel, and its variance is the uncorrected one.
    """
    x, scale, offset, mean, variance = node.inputs[:5]
    rank = x.rank or len(node.attr["data_format"])
    first = is_channels_first(node)
    image = x if first else to_channels_first(op, x, rank)
    epsilon = float(node.attr["epsilon"])
    reserve = op.const(np.zeros((), np.float32))
    if not node.attr["is_training"]:
        y = op.cast(op.BatchNormalization(op.cast(image, float32), scale, offset, mean, variance, epsilon=epsilon), image.dtype)
        return ((y if first else to_channels_last(op, y, rank)), mean, variance, mean, variance, reserve)[: len(node.outputs)]
    half = image
    image = op.cast(image, float32)
    axes = [0, *range(2, rank)]
    batch_mean = op.ReduceMean(image, axes, keepdims=1)
    centered = op.Sub(image, batch_mean)
    batch_variance = op.ReduceMean(op.Mul(centered, centered), axes, keepdims=1)
    factor = op.Div(_per_channel(op, scale, rank), op.Sqrt(op.Add(batch_variance, epsilon)))
    y = op.cast(op.Add(op.Mul(centered, factor), _per_channel(op, offset, rank)), half.dtype)
    channels = op.const([-1])
    saved_mean, saved_variance = op.Reshape(batch_mean, channels), op.Reshape(batch_variance, channels)
    count = _count(op, image, rank)
    corrected = op.Mul(saved_variance, op.Div(count, op.Max(op.Sub(count, 1.0), 1.0)))
    running_mean, running_variance = saved_mean, corrected
    average = float(node.attr.get("exponential_avg_factor", 1.0))
    if average != 1.0:
        running_mean = op.Add(op.Mul(mean, 1.0 - average), op.Mul(saved_mean, average))
        running_variance = op.Add(op.Mul(variance, 1.0 - average), op.Mul(corrected, average))
    y = y if first else to_channels_last(op, y, rank)
    return (y, running_mean, running_variance, saved_mean, saved_variance, reserve)[: len(node.outputs)]


def _per_channel(op: Builder, v: Value, rank: int) -> Value:
    """[C] -> [C, 1, ...], to broadcast over an image NC..."""
    result: Value = op.Reshape(v, op.const([-1] + [1] * (rank - 2)))
    return result


def _count(op: Builder, image: Value, rank: int) -> Value:
    """The number of elements that one channel of an image NC... has, as float."""
    if image.dims is not None and all(image.dims[i] is not None for i in (0, *range(2, rank))):
        return op.const(np.float32(np.prod([image.dims[i] for i in (0, *range(2, rank))], dtype=np.float64)))
    shape = op.Shape(image)
    sizes = op.Concat(op.Slice(shape, [0], [1], [0]), op.Slice(shape, [2], [rank], [0]), axis=0)
    return op.cast(op.ReduceProd(sizes, keepdims=0), float32)


@converts("FusedBatchNormGrad", "FusedBatchNormGradV2", "FusedBatchNormGradV3")
def fused_batch_norm_grad(op: Builder, node: NodeView) -> Any:
    """Training: dx = scale * r * (dy - mean(dy) - c * r^2 * mean(dy * c)), c = x - mean, r = 1 / sqrt(variance + epsilon)."""
    dy, x, scale, mean, variance = node.inputs[:5]
    rank = x.rank or dy.rank or 4
    first = is_channels_first(node)
    if not first:
        dy, x = to_channels_first(op, dy, rank), to_channels_first(op, x, rank)
    dtype = x.dtype
    dy, x = op.cast(dy, float32), op.cast(x, float32)
    axes = [0, *range(2, rank)]
    root = op.Reciprocal(op.Sqrt(op.Add(_per_channel(op, variance, rank), float(node.attr["epsilon"]))))
    centered = op.Sub(x, _per_channel(op, mean, rank))
    product = op.Mul(dy, centered)
    gain = op.Mul(_per_channel(op, scale, rank), root)
    flat = op.const([-1])
    if node.attr["is_training"]:
        mean_product = op.ReduceMean(product, axes, keepdims=1)
        mean_dy = op.ReduceMean(dy, axes, keepdims=1)
        spread = op.Mul(centered, op.Mul(op.Mul(root, root), mean_product))
        dx = op.Mul(op.Sub(op.Sub(dy, mean_dy), spread), gain)
        count = _count(op, x, rank)
        d_offset = op.Reshape(op.Mul(mean_dy, count), flat)
        d_scale = op.Reshape(op.Mul(op.Mul(mean_product, root), count), flat)
    else:
        dx = op.Mul(dy, gain)
        d_offset = op.ReduceSum(dy, axes, keepdims=0)
        d_scale = op.Reshape(op.Mul(op.ReduceSum(product, axes, keepdims=1), root), flat)
    dx = op.cast(dx, dtype)
    empty = op.const(np.zeros(0, np.float32))
    return dx if first else to_channels_last(op, dx, rank), d_scale, d_offset, empty, empty


@converts("BatchNormWithGlobalNormalization")
def batch_norm_with_global_normalization(op: Builder, node: NodeView) -> Any:
    """(t - mean) / sqrt(variance + epsilon) * gamma + beta, gamma only if scale_after_normalization."""
    t, mean, variance, beta, gamma = node.inputs
    if not node.attr["scale_after_normalization"]:
        channels = next((v.dims[0] for v in (beta, mean, variance) if v.dims and v.dims[0] is not None), None)
        gamma = op.const(np.ones(channels, np.float32)) if channels is not None else op.Add(op.Mul(beta, 0), 1)
    y = op.BatchNormalization(to_channels_first(op, t, 4), gamma, beta, mean, variance, epsilon=float(node.attr["variance_epsilon"]))
    return to_channels_last(op, y, 4)


@converts("BatchNormWithGlobalNormalizationGrad")
def batch_norm_with_global_normalization_grad(op: Builder, node: NodeView) -> Any:
    """With r = (v + epsilon)^-1/2 and g = gamma or 1: dx = dy g r, dm = -sum(dx), dv = sum(dy (t - m)) g r^3 / -2, dg = sum(dy (t - m)) r."""
    t, mean, variance, gamma, dy = node.inputs
    scaled = bool(node.attr["scale_after_normalization"])
    axes = [0, 1, 2]
    root = op.Reciprocal(op.Sqrt(op.Add(variance, float(node.attr["variance_epsilon"]))))
    gain = op.Mul(gamma, root) if scaled else root
    product = op.ReduceSum(op.Mul(dy, op.Sub(t, mean)), axes, keepdims=0)
    total = op.ReduceSum(dy, axes, keepdims=0)
    dv = op.Mul(op.Mul(op.Mul(product, gain), op.Mul(root, root)), -0.5)
    dg = op.Mul(product, root) if scaled else op.Mul(gamma, 0)
    return op.Mul(dy, gain), op.Neg(op.Mul(total, gain)), dv, total, dg


# -- losses ----------------------------------------------------------------------------------------------------------


@converts("SoftmaxCrossEntropyWithLogits")
def softmax_cross_entropy(op: Builder, node: NodeView) -> Any:
    """loss = -sum(labels * log_softmax(logits)), backprop = softmax(logits) - labels; logits and labels broadcast."""
    logits, labels = node.inputs
    if logits.dims is not None and logits.dims[1] == 1 and (labels.dims is None or labels.dims[1] != 1):
        logits = op.Expand(logits, op.Shape(labels))
    loss = op.Neg(op.ReduceSum(op.Mul(labels, op.LogSoftmax(logits, axis=-1)), [1], keepdims=0))
    return loss, op.Sub(op.Softmax(logits, axis=-1), labels)


@converts("SparseSoftmaxCrossEntropyWithLogits")
def sparse_softmax_cross_entropy(op: Builder, node: NodeView) -> Any:
    """loss = -log_softmax(logits)[label], backprop = softmax(logits) - one_hot(label), by one gather and one scatter."""
    logits, labels = node.inputs
    index = op.Unsqueeze(op.cast(labels, int64), [1])
    loss = op.Neg(op.Squeeze(op.GatherElements(op.LogSoftmax(logits, axis=-1), index, axis=1), [1]))
    minus = op.Expand(op.const(-1.0, logits.dtype), op.Shape(index))
    return loss, scatter_add(op, op.Softmax(logits, axis=-1), index, minus, axis=1)


@converts("DataFormatDimMap", "DataFormatVecPermute")
def data_format(op: Builder, node: NodeView) -> Any:
    """Axis numbers (DimMap) or per-axis values (VecPermute) of one layout in another."""
    source, target = str(node.attr["src_format"]), str(node.attr["dst_format"])
    x = node.inputs[0]
    if node.op == "DataFormatDimMap":
        table = [target.index(c) for c in source]
        return op.Gather(op.const(np.array(table, x.dtype.as_numpy_dtype)), x)
    if x.dims is not None and x.dims and x.dims[0] == len(source) - 2:
        source, target = (s.replace("N", "").replace("C", "") for s in (source, target))
    return op.Gather(x, op.const([source.index(c) for c in target]), axis=0)
