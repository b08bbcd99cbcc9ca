"""Neural network ops: activations, convolutions, pools, losses, normalisation."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from graphtools import graph as base
from graphtools.constant import constant as known_value
from graphtools.dtypes import bfloat16, float16, float32
from runtime.tf1 import array_ops, math_ops, random_ops
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape, as_dims

# -- activations -------------------------------------------------------------------------------------------------------


@export("nn.relu6")
def relu6(features: Any, name: str | None = None) -> Any:
    with name_scope(name, "Relu6", [features]) as scope:
        return apply_op("Relu6", scope, features=convert_to_tensor(features, name="features"))


@export("nn.leaky_relu")
def leaky_relu(features: Any, alpha: float = 0.2, name: str | None = None) -> Any:
    with name_scope(name, "LeakyRelu", [features, alpha]) as scope:
        features = convert_to_tensor(features, name="features")
        if features.dtype.is_integer:
            features = math_ops.cast(features, float32)
        if isinstance(alpha, base.Tensor):
            known = known_value(alpha)
            if known is None:
                return math_ops.maximum(alpha * features, features, name=scope)
            alpha = float(known)
        return apply_op("LeakyRelu", scope, features=features, alpha=float(alpha))


@export("nn.crelu")
def crelu(features: Any, name: str | None = None, axis: int = -1) -> Any:
    with name_scope(name, "CRelu", [features]) as scope:
        features = convert_to_tensor(features, name="features")
        both = array_ops.concat([features, -features], axis, name=scope)
        return apply_op("Relu", None, features=both)


@export("nn.swish")
def swish(features: Any) -> Any:
    """x sigmoid(x), whose gradient computes the sigmoid anew."""
    from runtime.tf1.template import custom_gradient

    return custom_gradient(_swish)(features)


def _swish(features: Any) -> Any:
    def gradient(dy: Any) -> Any:
        with get_default_graph().control_dependencies([dy]):
            sigmoid = math_ops.sigmoid(features)
        return dy * (sigmoid * (1.0 + features * (1.0 - sigmoid)))

    return features * math_ops.sigmoid(features), gradient


@export("log_sigmoid")
def log_sigmoid(x: Any, name: str | None = None) -> Any:
    with name_scope(name, "LogSigmoid", [x]) as scope:
        x = convert_to_tensor(x, name="x")
        return math_ops.negative(apply_op("Softplus", None, features=-x), name=scope)


@export("nn.relu_layer")
def relu_layer(x: Any, weights: Any, biases: Any, name: str | None = None) -> Any:
    with name_scope(name, "relu_layer", [x, weights, biases]) as scope:
        x, weights, biases = (convert_to_tensor(v, name=n) for v, n in ((x, "x"), (weights, "weights"), (biases, "biases")))
        return apply_op("Relu", scope, features=bias_add(math_ops.matmul(x, weights), biases))


@export("nn.xw_plus_b")
def xw_plus_b(x: Any, weights: Any, biases: Any, name: str | None = None) -> Any:
    with name_scope(name, "xw_plus_b", [x, weights, biases]) as scope:
        x, weights, biases = (convert_to_tensor(v, name=n) for v, n in ((x, "x"), (weights, "weights"), (biases, "biases")))
        return bias_add(math_ops.matmul(x, weights), biases, name=scope)


def _along_axis(logits: Any, op_type: str, axis: int, name: str | None) -> Any:
    """A softmax along any axis: the axis is moved to the end and back."""
    logits = convert_to_tensor(logits)
    rank = logits.rank
    if axis == -1 or (rank is not None and axis == rank - 1):
        return apply_op(op_type, name, logits=logits)
    if rank is not None and not -rank <= axis < rank:
        raise ValueError(
            f"`dim` must be in the range [{-rank}, {rank}) where {rank} is the number of dimensions in the input. Received: dim={axis}"
        )
    dims = logits.dims
    input_rank = array_ops.rank(logits)
    last = input_rank - 1
    position = axis % rank if rank is not None else axis

    def swap(x: Any, a: Any, b: Any, label: str | None = None) -> Any:
        order = array_ops.concat([math_ops.range(a), [b], math_ops.range(a + 1, b), [a]], 0)
        return array_ops.transpose(x, order, name=label) if label else array_ops.transpose(x, order)

    moved = swap(logits, position, last)
    result = swap(apply_op(op_type, None, logits=moved), position, last, name)
    result.set_shape(dims)
    return result


@export("nn.softmax")
def softmax(logits: Any, axis: int | None = None, name: str | None = None, dim: int | None = None) -> Any:
    axis = dim if axis is None else axis
    return _along_axis(logits, "Softmax", -1 if axis is None else axis, name)


@export("nn.log_softmax")
def log_softmax(logits: Any, axis: int | None = None, name: str | None = None, dim: int | None = None) -> Any:
    axis = dim if axis is None else axis
    return _along_axis(logits, "LogSoftmax", -1 if axis is None else axis, name)


# -- losses ------------------------------------------------------------------------------------------------------------


def _flatten_outer(logits: Any) -> Any:
    """A tensor of any rank as a matrix of its last axis."""
    rank = array_ops.rank(logits)
    last = array_ops.slice_(array_ops.shape(logits), [math_ops.subtract(rank, 1)], [1])
    output = array_ops.reshape(logits, array_ops.concat([[-1], last], 0))
    dims = logits.dims
    if dims is not None and None not in dims[:-1]:
        output.set_shape([int(np.prod(dims[:-1], dtype=np.int64)), dims[-1]])
    return output


@export("nn.softmax_cross_entropy_with_logits_v2")
def softmax_cross_entropy_with_logits_v2(
    labels: Any, logits: Any, axis: int | None = None, name: str | None = None, dim: int | None = None
) -> Any:
    axis = dim if axis is None else axis
    return _softmax_cross_entropy(labels, logits, -1 if axis is None else axis, name)


def _softmax_cross_entropy(labels: Any, logits: Any, axis: int, name: str | None) -> Any:
    with name_scope(name, "softmax_cross_entropy_with_logits", [logits, labels]) as scope:
        logits = convert_to_tensor(logits, name="logits")
        labels = convert_to_tensor(labels, name="labels")
        half = logits.dtype.base_dtype in (float16, bfloat16)
        precise = math_ops.cast(logits, float32) if half else logits
        labels = math_ops.cast(labels, precise.dtype)
        input_rank = array_ops.rank(precise)
        dims = logits.dims
        if axis != -1:
            rank_now = precise.rank if precise.rank is not None else None

            def to_end(x: Any) -> Any:
                position = axis if rank_now is None else axis % rank_now
                order = array_ops.concat([math_ops.range(position), math_ops.range(position + 1, input_rank), [position]], 0)
                return array_ops.transpose(x, order)

            precise, labels = to_end(precise), to_end(labels)
        input_shape = array_ops.shape(precise)
        precise = _flatten_outer(precise)
        labels = _flatten_outer(math_ops.cast(labels, float32) if half else labels)
        cost, _ = apply_op("SoftmaxCrossEntropyWithLogits", scope, features=precise, labels=labels)
        output_shape = array_ops.slice_(input_shape, [0], [math_ops.subtract(input_rank, 1)])
        cost = array_ops.reshape(cost, output_shape)
        if dims is not None:
            rest = list(dims)
            del rest[axis]
            cost.set_shape(rest)
        return math_ops.cast(cost, logits.dtype) if half else cost


@export("nn.softmax_cross_entropy_with_logits")
def softmax_cross_entropy_with_logits(
    _sentinel: Any = None, labels: Any = None, logits: Any = None, dim: int = -1, name: str | None = None, axis: int | None = None
) -> Any:
    """Cross entropy; no gradient flows into the labels."""
    _named_only("softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    with name_scope(name, "softmax_cross_entropy_with_logits_sg", [logits, labels]) as scope:
        labels = array_ops.stop_gradient(labels, name="labels_stop_gradient")
        return _softmax_cross_entropy(labels, logits, dim if axis is None else axis, scope)


def _named_only(function: str, sentinel: Any, labels: Any, logits: Any) -> None:
    if sentinel is not None:
        raise ValueError(f"Only call `{function}` with named arguments (labels=..., logits=..., ...)")
    if labels is None or logits is None:
        raise ValueError("Both labels and logits must be provided.")


@export("nn.sparse_softmax_cross_entropy_with_logits")
def sparse_softmax_cross_entropy_with_logits(_sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None) -> Any:
    _named_only("sparse_softmax_cross_entropy_with_logits", _sentinel, labels, logits)
    with name_scope(name, "SparseSoftmaxCrossEntropyWithLogits", [labels, logits]):
        labels = convert_to_tensor(labels)
        logits = convert_to_tensor(logits)
        half = logits.dtype.base_dtype in (float16, bfloat16)
        precise = math_ops.cast(logits, float32) if half else logits
        static = labels.shape
        labels_shape = array_ops.shape(labels)
        if logits.rank == 0:
            raise ValueError(f"Logits cannot be scalars - received shape {logits.shape}.")
        if logits.rank is not None and labels.rank is not None and labels.rank != logits.rank - 1:
            raise ValueError(
                f"Rank mismatch: Rank of labels (received {labels.rank}) should equal rank of logits minus 1 (received {logits.rank})."
            )
        if logits.rank == 2:
            cost, _ = apply_op("SparseSoftmaxCrossEntropyWithLogits", name, features=precise, labels=labels)
            return math_ops.cast(cost, logits.dtype) if half else cost
        classes = array_ops._slice_helper(array_ops.shape(logits), array_ops.rank(logits) - 1)
        precise = array_ops.reshape(precise, [-1, classes])
        labels = array_ops.reshape(labels, [-1])
        cost, _ = apply_op("SparseSoftmaxCrossEntropyWithLogits", name, features=precise, labels=labels)
        cost = array_ops.reshape(cost, labels_shape)
        cost.set_shape(static)
        return math_ops.cast(cost, logits.dtype) if half else cost


@export("nn.sigmoid_cross_entropy_with_logits")
def sigmoid_cross_entropy_with_logits(_sentinel: Any = None, labels: Any = None, logits: Any = None, name: str | None = None) -> Any:
    """max(x, 0) - x z + log(1 + exp(-|x|))"""
    _named_only("sigmoid_cross_entropy_with_logits", _sentinel, labels, logits)
    with name_scope(name, "logistic_loss", [logits, labels]) as scope:
        logits = convert_to_tensor(logits, name="logits")
        labels = convert_to_tensor(labels, name="labels")
        if not labels.shape.is_compatible_with(logits.shape):
            raise ValueError(f"logits and labels must have the same shape ({logits.shape} vs {labels.shape})")
        zeros = array_ops.zeros_like(logits, dtype=logits.dtype)
        positive = logits >= zeros
        relu_logits = array_ops.where(positive, logits, zeros)
        minus_abs = array_ops.where(positive, -logits, logits)
        return math_ops.add(relu_logits - logits * labels, apply_op("Log1p", None, x=apply_op("Exp", None, x=minus_abs)), name=scope)


@export("nn.weighted_cross_entropy_with_logits")
def weighted_cross_entropy_with_logits(
    labels: Any = None, logits: Any = None, pos_weight: Any = None, name: str | None = None, targets: Any = None
) -> Any:
    labels = targets if labels is None else labels
    with name_scope(name, "logistic_loss", [logits, labels]) as scope:
        logits = convert_to_tensor(logits, name="logits")
        labels = convert_to_tensor(labels, name="labels")
        log_weight = 1 + (pos_weight - 1) * labels
        inner = apply_op("Log1p", None, x=apply_op("Exp", None, x=-math_ops.abs_(logits))) + apply_op("Relu", None, features=-logits)
        return math_ops.add((1 - labels) * logits, log_weight * inner, name=scope)


@export("nn.log_poisson_loss")
def log_poisson_loss(targets: Any, log_input: Any, compute_full_loss: bool = False, name: str | None = None) -> Any:
    with name_scope(name, "log_poisson_loss", [log_input, targets]):
        log_input = convert_to_tensor(log_input, name="log_input")
        targets = convert_to_tensor(targets, name="targets")
        result = apply_op("Exp", None, x=log_input) - log_input * targets
        if compute_full_loss:
            point_five = constant(0.5, result.dtype)
            two_pi = constant(2 * np.pi, result.dtype)
            log_targets = apply_op("Log", None, x=targets)
            stirling = (targets * log_targets) - targets + point_five * apply_op("Log", None, x=two_pi * targets)
            zeros = array_ops.zeros_like(targets, dtype=targets.dtype)
            ones = array_ops.ones_like(targets, dtype=targets.dtype)
            small = apply_op("LogicalAnd", None, x=targets >= zeros, y=targets <= ones)
            result += array_ops.where(small, zeros, stirling)
        return result


# -- convolutions and pools --------------------------------------------------------------------------------------------


def _padding(padding: Any, data_format: str) -> dict[str, Any]:
    """The padding attrs: a name, or explicit pads per dimension."""
    if isinstance(padding, list | tuple):
        flat = [p for pair in padding for p in pair]
        return {"padding": "EXPLICIT", "explicit_paddings": flat}
    return {"padding": padding}


@export("nn.conv2d")
def conv2d(
    input: Any, filter: Any = None, strides: Any = None, padding: Any = None, use_cudnn_on_gpu: bool = True, data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1), name: str | None = None, filters: Any = None,
) -> Any:  # fmt: skip
    filter = filters if filter is None else filter
    return apply_op(
        "Conv2D", name, input=input, filter=filter, strides=_four(strides, data_format), use_cudnn_on_gpu=use_cudnn_on_gpu, data_format=data_format or "NHWC",
        dilations=_four(dilations, data_format), **_padding(padding, data_format),
    )  # fmt: skip


def _four(value: Any, data_format: str, spatial: int = 2) -> list[int]:
    """Strides and the like for every dimension: one number, the spatial ones, or all."""
    values = [value] if isinstance(value, numbers.Integral) else [1] * spatial if value is None else list(value)
    if len(values) == 1:
        values = values * spatial
    if len(values) == spatial:
        return [1, *values, 1] if not (data_format or "NHWC").startswith("NC") else [1, 1, *values]
    return [int(v) for v in values]


@export("nn.conv2d_backprop_input")
def conv2d_backprop_input(
    input_sizes: Any, filter: Any = None, out_backprop: Any = None, strides: Any = None, padding: Any = None, use_cudnn_on_gpu: bool = True,
    data_format: str = "NHWC", dilations: Any = (1, 1, 1, 1), name: str | None = None, filters: Any = None,
) -> Any:  # fmt: skip
    return apply_op(
        "Conv2DBackpropInput", name, input_sizes=input_sizes, filter=filters if filter is None else filter, out_backprop=out_backprop, strides=list(strides),
        use_cudnn_on_gpu=use_cudnn_on_gpu, data_format=data_format, dilations=list(dilations), **_padding(padding, data_format),
    )  # fmt: skip


@export("nn.conv2d_transpose")
def conv2d_transpose(
    value: Any = None, filter: Any = None, output_shape: Any = None, strides: Any = None, padding: str = "SAME", data_format: str = "NHWC",
    name: str | None = None, input: Any = None, filters: Any = None, dilations: Any = None,
) -> Any:  # fmt: skip
    value = input if value is None else value
    filter = filters if filter is None else filter
    with name_scope(name, "conv2d_transpose", [value, filter, output_shape]) as scope:
        return apply_op(
            "Conv2DBackpropInput", scope, input_sizes=output_shape, filter=filter, out_backprop=value, strides=_four(strides, data_format), padding=padding,
            data_format=data_format or "NHWC", dilations=_four(dilations, data_format),
        )  # fmt: skip


@export("nn.conv1d")
def conv1d(
    value: Any = None, filters: Any = None, stride: Any = None, padding: Any = None, use_cudnn_on_gpu: Any = None, data_format: str | None = None,
    name: str | None = None, input: Any = None, dilations: Any = None,
) -> Any:  # fmt: skip
    value = input if value is None else value
    with name_scope(name, "conv1d", [value, filters]) as scope:
        first_channels = data_format in ("NCW", "NCHW")
        axis = 2 if first_channels else 1
        stride = _four(stride, "NCW" if first_channels else "NWC", 1)
        dilations = _four(dilations, "NCW" if first_channels else "NWC", 1)
        value = array_ops.expand_dims(value, axis)
        filters = array_ops.expand_dims(filters, 0)
        strides, rates = list(stride), list(dilations)
        strides.insert(axis, 1)
        rates.insert(axis, 1)
        result = apply_op(
            "Conv2D", scope, input=value, filter=filters, strides=strides, padding=padding, use_cudnn_on_gpu=True if use_cudnn_on_gpu is None else use_cudnn_on_gpu,
            data_format="NCHW" if first_channels else "NHWC", dilations=rates,
        )  # fmt: skip
        return array_ops.squeeze(result, [axis])


@export("nn.depthwise_conv2d_native")
def depthwise_conv2d_native(
    input: Any, filter: Any, strides: Any, padding: Any, data_format: str = "NHWC", dilations: Any = (1, 1, 1, 1), name: str | None = None
) -> Any:
    return apply_op(
        "DepthwiseConv2dNative",
        name,
        input=input,
        filter=filter,
        strides=list(strides),
        padding=padding,
        data_format=data_format,
        dilations=list(dilations),
    )


def _depthwise(name: str, filter: Any, strides: Any, data_format: str | None) -> Callable[..., Any]:
    """What with_space_to_batch is given to do."""

    def op(converted: Any, padding: Any, **unused: Any) -> Any:
        return apply_op(
            "DepthwiseConv2dNative",
            name,
            input=converted,
            filter=filter,
            strides=list(strides),
            padding=padding,
            data_format=data_format or "NHWC",
        )

    return op


@export("nn.depthwise_conv2d")
def depthwise_conv2d(
    input: Any,
    filter: Any,
    strides: Any,
    padding: Any,
    rate: Any = None,
    name: str | None = None,
    data_format: str | None = None,
    dilations: Any = None,
) -> Any:
    rate = dilations if rate is None else rate
    with name_scope(name, "depthwise", [input, filter]) as scope:
        input = convert_to_tensor(input, name="tensor_in")
        filter = convert_to_tensor(filter, name="filter_in")
        rate = [1, 1] if rate is None else list(rate)

        op = _depthwise(scope, filter, strides, data_format)
        array_ops.shape(filter)
        return with_space_to_batch(input, rate, padding, op, filter_shape=filter, data_format=data_format)


@export("nn.separable_conv2d")
def separable_conv2d(
    input: Any, depthwise_filter: Any, pointwise_filter: Any, strides: Any, padding: Any, rate: Any = None, name: str | None = None,
    data_format: str | None = None, dilations: Any = None,
) -> Any:  # fmt: skip
    rate = dilations if rate is None else rate
    with name_scope(name, "separable_conv2d", [input, depthwise_filter, pointwise_filter]) as scope:
        input = convert_to_tensor(input, name="tensor_in")
        depthwise_filter = convert_to_tensor(depthwise_filter, name="depthwise_filter")
        pointwise_filter = convert_to_tensor(pointwise_filter, name="pointwise_filter")
        rate = [1, 1] if rate is None else list(rate)

        op = _depthwise("depthwise", depthwise_filter, strides, data_format)
        array_ops.shape(depthwise_filter)
        depthwise = with_space_to_batch(input, rate, padding, op, filter_shape=depthwise_filter, data_format=data_format)
        return apply_op(
            "Conv2D",
            scope,
            input=depthwise,
            filter=pointwise_filter,
            strides=[1, 1, 1, 1],
            padding="VALID",
            data_format=data_format or "NHWC",
        )


@export("nn.atrous_conv2d")
def atrous_conv2d(value: Any, filters: Any, rate: int, padding: str, name: str | None = None) -> Any:
    return convolution(value, filters, padding, dilation_rate=np.broadcast_to(rate, (2,)).tolist(), name=name)


@export("nn.conv3d")
def conv3d(
    input: Any,
    filter: Any = None,
    strides: Any = None,
    padding: Any = None,
    data_format: str = "NDHWC",
    dilations: Any = (1, 1, 1, 1, 1),
    name: str | None = None,
    filters: Any = None,
) -> Any:
    return apply_op(
        "Conv3D",
        name,
        input=input,
        filter=filters if filter is None else filter,
        strides=list(strides),
        padding=padding,
        data_format=data_format,
        dilations=list(dilations),
    )


@export("nn.conv3d_transpose")
def conv3d_transpose(
    value: Any, filter: Any = None, output_shape: Any = None, strides: Any = None, padding: str = "SAME", data_format: str = "NDHWC", name: str | None = None,
    input: Any = None, filters: Any = None, dilations: Any = None,
) -> Any:  # fmt: skip
    value = input if value is None else value
    filter = filters if filter is None else filter
    with name_scope(name, "conv3d_transpose", [value, filter, output_shape]) as scope:
        return apply_op(
            "Conv3DBackpropInputV2", scope, input_sizes=output_shape, filter=filter, out_backprop=value, strides=_four(strides, data_format, 3), padding=padding,
            data_format=data_format or "NDHWC", dilations=_four(dilations, data_format, 3),
        )  # fmt: skip


def with_space_to_batch(
    input: Any,
    dilation_rate: Any,
    padding: Any,
    op: Any,
    filter_shape: Any = None,
    spatial_dims: Any = None,
    data_format: str | None = None,
) -> Any:
    """An op without dilation applied with it: space to batch, the op, batch to space; the op itself where every rate is 1."""
    input = convert_to_tensor(input, name="input")
    rates = np.asarray(known_value(dilation_rate) if isinstance(dilation_rate, base.Tensor) else dilation_rate)
    if not isinstance(dilation_rate, base.Tensor):
        convert_to_tensor(rates.astype(np.int32), name="dilation_rate")  # TensorFlow makes this constant, and op counts seed random ops
    spatial = len(rates)
    first_channels = data_format is not None and data_format.startswith("NC")
    spatial_dims = spatial_dims or [i + (2 if first_channels else 1) for i in range(spatial)]
    if np.all(rates == 1):
        return op(input, padding=padding, num_spatial_dims=spatial)
    if padding == "SAME":
        whole = [int(d) for d in (filter_shape.dims if hasattr(filter_shape, "dims") else as_dims(filter_shape))]
        constant(np.array(whole, np.int32), name="filter_shape")
        kernel = whole[:spatial]
        extent = [k + (k - 1) * (int(r) - 1) for k, r in zip(kernel, rates, strict=True)]
        extra = [e - 1 for e in extent]
        paddings: Any = np.array([[e // 2, e - e // 2] for e in extra], np.int32)
    elif padding == "VALID":
        paddings = np.zeros((spatial, 2), np.int32)
    else:
        raise ValueError(f"Invalid padding method {padding!r}")
    dims = None if input.dims is None else [input.dims[i] for i in spatial_dims]
    start = min(spatial_dims)
    full = [int(rates[spatial_dims.index(i)]) if i in spatial_dims else 1 for i in range(start, max(spatial_dims) + 1)]
    padded = np.array(
        [paddings[spatial_dims.index(i)] if i in spatial_dims else [0, 0] for i in range(start, max(spatial_dims) + 1)], np.int32
    )
    if start != 1:  # block dimensions begin at 1
        full = [1] * (start - 1) + full
        padded = np.concatenate([np.zeros((start - 1, 2), np.int32), padded])
    if dims is not None and None not in dims:
        sizes = [1] * (start - 1) + dims
        pad_end = [(-(sizes[i] + int(padded[i].sum()))) % full[i] for i in range(len(full))]  # type: ignore[operator]
        crops: Any = np.array([[0, p] for p in pad_end], np.int32)
        if padding == "SAME":
            constant(padded, name="stack")
        unpadded, padded = padded, padded + crops
        with name_scope(None, "required_space_to_batch_paddings"):
            labels = ("input_shape", "base_paddings", "paddings", "crops") if padding == "VALID" else ("input_shape", "paddings", "crops")
            values = {"input_shape": np.array(sizes, np.int32), "base_paddings": unpadded, "paddings": padded, "crops": crops}
            for label, value in ((n, values[n]) for n in labels):
                constant(value, name=label)
        block_paddings: Any = padded
    else:
        shape = array_ops.shape(input)
        block_paddings, crops = required_paddings(shape, full, padded, start=1)
    converted = apply_op("SpaceToBatchND", None, input=input, block_shape=np.array(full, np.int32), paddings=block_paddings)
    result = op(converted, padding="VALID", num_spatial_dims=spatial)
    restored = apply_op("BatchToSpaceND", None, input=result, block_shape=np.array(full, np.int32), crops=crops)
    if input.dims is not None and restored.dims is None:
        restored.set_shape([input.dims[0], *[None] * (len(input.dims) - 1)])
    return restored


def required_paddings(shape: Any, block: list[int], base_paddings: Any, start: int) -> tuple[Any, Any]:
    """Paddings that make the sizes multiples of the blocks, and the crops that undo the extra."""
    with name_scope(None, "required_space_to_batch_paddings"):
        block_shape = constant(np.array(block, np.int32), name="block_shape")
        given = constant(np.asarray(base_paddings, np.int32), name="base_paddings")
        sizes = array_ops._slice_helper(shape, slice(start, start + len(block)))
        pad_start, original_end = given[:, 0], given[:, 1]
        full = sizes + pad_start + original_end
        extra = math_ops.floormod(block_shape - math_ops.floormod(full, block_shape), block_shape)
        pad_end = original_end + extra
        paddings = array_ops.stack([array_ops.stack([pad_start[i], pad_end[i]]) for i in range(len(block))], name="paddings")
        crops = array_ops.stack([array_ops.stack([0, extra[i]]) for i in range(len(block))], name="crops")
        return paddings, crops


@export("nn.convolution")
def convolution(
    input: Any, filter: Any = None, padding: str = "VALID", strides: Any = None, dilation_rate: Any = None, name: str | None = None, data_format: str | None = None,
    filters: Any = None, dilations: Any = None,
) -> Any:  # fmt: skip
    filter = filters if filter is None else filter
    dilation_rate = dilations if dilation_rate is None else dilation_rate
    with name_scope(name, "convolution", [input, filter]) as scope:
        input = convert_to_tensor(input, name="input")
        filter = convert_to_tensor(filter, name="filter")
        rank = filter.rank if filter.rank is not None else input.rank
        if rank is None:
            raise ValueError("Cannot tell the number of spatial dimensions: neither input nor filter has a known rank.")
        spatial = rank - 2
        strides = [1] * spatial if strides is None else np.broadcast_to(strides, (spatial,)).tolist()
        rates = [1] * spatial if dilation_rate is None else np.broadcast_to(dilation_rate, (spatial,)).tolist()
        if any(s > 1 for s in strides) and any(r > 1 for r in rates):
            raise ValueError("strides > 1 not supported in conjunction with dilation_rate > 1")
        first_channels = data_format is not None and data_format.startswith("NC")

        def op(converted: Any, padding: Any, **unused: Any) -> Any:
            return plain_convolution(converted, filter, strides, padding, first_channels, scope, spatial)

        if all(r == 1 for r in rates):
            return op(input, padding)
        return with_space_to_batch(input, rates, padding, op, filter_shape=filter, data_format=data_format)


def plain_convolution(
    input: Any, filter: Any, strides: list[int], padding: str, first_channels: bool, name: str | None, spatial: int
) -> Any:
    full = [1, 1, *strides] if first_channels else [1, *strides, 1]
    if spatial == 1:
        return conv1d(input, filter, stride=strides[0], padding=padding, data_format="NCW" if first_channels else "NWC", name=name)
    if spatial == 2:
        return apply_op(
            "Conv2D", name, input=input, filter=filter, strides=full, padding=padding, data_format="NCHW" if first_channels else "NHWC"
        )
    if spatial == 3:
        return apply_op(
            "Conv3D", name, input=input, filter=filter, strides=full, padding=padding, data_format="NCDHW" if first_channels else "NDHWC"
        )
    raise ValueError(f"num_spatial_dims must be 1, 2, or 3.  Got: num_spatial_dims={spatial}")


@export("nn.max_pool")
def max_pool(
    value: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NHWC", name: str | None = None, input: Any = None
) -> Any:
    value = input if value is None else value
    with name_scope(name, "MaxPool", [value]) as scope:
        return apply_op(
            "MaxPool",
            scope,
            input=value,
            ksize=_four(ksize, data_format),
            strides=_four(strides, data_format),
            padding=padding,
            data_format=data_format or "NHWC",
        )


@export("nn.max_pool2d")
def max_pool2d(input: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NHWC", name: str | None = None) -> Any:
    with name_scope(name, "MaxPool2d", [input]) as scope:
        return apply_op(
            "MaxPool",
            scope,
            input=input,
            ksize=_four(ksize, data_format),
            strides=_four(strides, data_format),
            padding=padding,
            data_format=data_format or "NHWC",
        )


@export("nn.avg_pool")
def avg_pool(
    value: Any = None,
    ksize: Any = None,
    strides: Any = None,
    padding: str = "VALID",
    data_format: str = "NHWC",
    name: str | None = None,
    input: Any = None,
) -> Any:
    value = input if value is None else value
    with name_scope(name, "AvgPool", [value]) as scope:
        return apply_op(
            "AvgPool",
            scope,
            value=value,
            ksize=_four(ksize, data_format),
            strides=_four(strides, data_format),
            padding=padding,
            data_format=data_format or "NHWC",
        )


@export("nn.max_pool3d")
def max_pool3d(input: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NDHWC", name: str | None = None) -> Any:
    with name_scope(name, "MaxPool3D", [input]) as scope:
        return apply_op(
            "MaxPool3D",
            scope,
            input=input,
            ksize=_four(ksize, data_format, 3),
            strides=_four(strides, data_format, 3),
            padding=padding,
            data_format=data_format or "NDHWC",
        )


@export("nn.avg_pool3d")
def avg_pool3d(input: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NDHWC", name: str | None = None) -> Any:
    with name_scope(name, "AvgPool3D", [input]) as scope:
        return apply_op(
            "AvgPool3D",
            scope,
            input=input,
            ksize=_four(ksize, data_format, 3),
            strides=_four(strides, data_format, 3),
            padding=padding,
            data_format=data_format or "NDHWC",
        )


def _pool1d(function: Any, default: str) -> Any:
    def pool(input: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NWC", name: str | None = None) -> Any:
        with name_scope(name, default, [input]):
            first_channels = (data_format or "NWC") == "NCW"
            axis = 2 if first_channels else 1
            size, step = _four(ksize, data_format or "NWC", 1), _four(strides, data_format or "NWC", 1)
            size.insert(axis, 1)
            step.insert(axis, 1)
            wide = array_ops.expand_dims(input, axis)
            result = function(wide, ksize=size, strides=step, padding=padding, data_format="NCHW" if first_channels else "NHWC")
            return array_ops.squeeze(result, [axis])

    export(f"nn.{'max' if function is max_pool else 'avg'}_pool1d")(pool)
    return pool


max_pool1d = _pool1d(max_pool, "MaxPool1d")
avg_pool1d = _pool1d(avg_pool, "AvgPool1D")


@export("nn.pool")
def pool(
    input: Any, window_shape: Any, pooling_type: str, padding: str, dilation_rate: Any = None, strides: Any = None, name: str | None = None,
    data_format: str | None = None, dilations: Any = None,
) -> Any:  # fmt: skip
    dilation_rate = dilations if dilation_rate is None else dilation_rate
    with name_scope(name, f"{pooling_type.lower()}_pool", [input]) as scope:
        input = convert_to_tensor(input, name="input")
        spatial = len(window_shape)
        if spatial not in (1, 2, 3):
            raise ValueError("It is required that 1 <= num_spatial_dims <= 3.")
        strides = [1] * spatial if strides is None else list(strides)
        rates = [1] * spatial if dilation_rate is None else list(dilation_rate)
        if padding == "SAME" and any(r > 1 for r in rates):
            raise ValueError("pooling with SAME padding is not implemented for dilation_rate > 1")
        table = {
            ("MAX", 1): max_pool1d,
            ("MAX", 2): max_pool,
            ("MAX", 3): max_pool3d,
            ("AVG", 1): avg_pool1d,
            ("AVG", 2): avg_pool,
            ("AVG", 3): avg_pool3d,
        }
        function = table[pooling_type, spatial]
        first_channels = data_format is not None and data_format.startswith("NC")
        formats = {1: ("NWC", "NCW"), 2: ("NHWC", "NCHW"), 3: ("NDHWC", "NCDHW")}[spatial]
        expand = (lambda v: [1, 1, *v]) if first_channels else (lambda v: [1, *v, 1])

        def op(converted: Any, padding: Any, **unused: Any) -> Any:
            return function(
                converted, expand(list(window_shape)), expand(strides), padding, data_format=formats[int(first_channels)], name=scope
            )

        return with_space_to_batch(input, rates, padding, op, filter_shape=window_shape, data_format=data_format)


@export("nn.max_pool_with_argmax")
def max_pool_with_argmax(
    input: Any, ksize: Any, strides: Any, padding: str, data_format: str = "NHWC", Targmax: Any = None, name: str | None = None, output_dtype: Any = None,
    include_batch_in_index: bool = False,
) -> Any:  # fmt: skip
    from graphtools.dtypes import int64

    return apply_op(
        "MaxPoolWithArgmax",
        name,
        input=input,
        ksize=list(ksize),
        strides=list(strides),
        padding=padding,
        Targmax=output_dtype or Targmax or int64,
        include_batch_in_index=include_batch_in_index,
    )


@export("nn.bias_add")
def bias_add(value: Any, bias: Any, data_format: str | None = None, name: str | None = None) -> Any:
    with name_scope(name, "BiasAdd", [value, bias]) as scope:
        if data_format is not None:
            if data_format.startswith("NC"):
                data_format = "NCHW"
            elif data_format.startswith("N") and data_format.endswith("C"):
                data_format = "NHWC"
            else:
                raise ValueError("data_format must be of the form `N...C` or `NC...`")
        value = convert_to_tensor(value, name="input")
        bias = convert_to_tensor(bias, value.dtype, name="bias")
        return apply_op("BiasAdd", scope, value=value, bias=bias, data_format=data_format or "NHWC")


# -- dropout and normalisation -----------------------------------------------------------------------------------------


@export("nn.dropout")
def dropout(
    x: Any, keep_prob: Any = None, noise_shape: Any = None, seed: int | None = None, name: str | None = None, rate: Any = None
) -> Any:
    if rate is None:
        if keep_prob is None:
            raise ValueError("You must provide a rate to dropout.")
        rate = 1.0 - keep_prob
    elif keep_prob is not None:
        raise ValueError("Cannot specify both 'rate' and 'keep_prob'")
    with name_scope(name, "dropout", [x]):
        x = convert_to_tensor(x, name="x")
        if not x.dtype.is_floating:
            raise ValueError(f"x has to be a floating point tensor since it's going to be scaled. Got a {x.dtype!r} tensor instead.")
        if isinstance(rate, numbers.Real):
            if not 0 <= rate < 1:
                raise ValueError(f"rate must be a scalar tensor or a float in the range [0, 1), got {rate:g}")
            if rate == 0:
                return x
        rate = convert_to_tensor(rate, x.dtype, name="rate")
        rate.shape.assert_has_rank(0)
        if (known := known_value(rate)) is not None and known == 0:
            return x
        random = random_ops.random_uniform(_noise_shape(x, noise_shape), seed=seed, dtype=x.dtype)
        keep = 1 - rate
        scale = 1 / keep
        mask = random >= rate
        result = x * scale * math_ops.cast(mask, x.dtype)
        result.set_shape(x.shape)
        return result


def _noise_shape(x: Any, noise_shape: Any) -> Any:
    if noise_shape is None:
        return array_ops.shape(x)
    if isinstance(noise_shape, base.Tensor):
        return noise_shape
    try:
        dims = as_dims(noise_shape)
    except (TypeError, ValueError):
        return noise_shape
    if x.dims is not None and dims is not None and len(dims) == len(x.dims):
        return TensorShape([d if d is not None else s for d, s in zip(dims, x.dims, strict=True)])
    return noise_shape


@export("nn.moments")
def moments(x: Any, axes: Any, shift: Any = None, name: str | None = None, keep_dims: Any = None, keepdims: Any = None) -> Any:
    """Mean and variance, the latter from the differences to the mean."""
    keep = bool(keepdims if keepdims is not None else keep_dims)
    with name_scope(name, "moments", [x, axes]):
        x = convert_to_tensor(x, name="x") if not isinstance(x, base.Tensor) else x
        y = math_ops.cast(x, float32) if x.dtype.base_dtype is float16 else x
        mean = math_ops.reduce_mean(y, axes, keepdims=True, name="mean")
        variance = math_ops.reduce_mean(
            apply_op("SquaredDifference", None, x=y, y=array_ops.stop_gradient(mean)), axes, keepdims=True, name="variance"
        )
        if not keep:
            mean = array_ops.squeeze(mean, axes)
            variance = array_ops.squeeze(variance, axes)
        if x.dtype.base_dtype is float16:
            return math_ops.cast(mean, float16), math_ops.cast(variance, float16)
        return mean, variance


@export("nn.sufficient_statistics")
def sufficient_statistics(
    x: Any, axes: Any, shift: Any = None, keep_dims: Any = None, name: str | None = None, keepdims: Any = None
) -> Any:
    keep = bool(keepdims if keepdims is not None else keep_dims)
    axes = list(dict.fromkeys(axes))
    with name_scope(name, "sufficient_statistics", [x, shift]):
        x = convert_to_tensor(x, name="x")
        if x.dims is not None and all(x.dims[d] is not None for d in axes):
            count: Any = constant(float(np.prod([x.dims[d] for d in axes])), x.dtype, name="count")
        else:
            sizes = array_ops.gather(math_ops.cast(array_ops.shape(x), x.dtype), axes)
            count = math_ops.reduce_prod(sizes, name="count")
        if shift is not None:
            shift = convert_to_tensor(shift, name="shift")
            m_ss = math_ops.subtract(x, shift)
            v_ss = apply_op("SquaredDifference", None, x=x, y=shift)
        else:
            m_ss, v_ss = x, apply_op("Square", None, x=x)
        return (
            count,
            math_ops.reduce_sum(m_ss, axes, keepdims=keep, name="mean_ss"),
            math_ops.reduce_sum(v_ss, axes, keepdims=keep, name="var_ss"),
            shift,
        )


@export("nn.normalize_moments")
def normalize_moments(counts: Any, mean_ss: Any, variance_ss: Any, shift: Any, name: str | None = None) -> Any:
    with name_scope(name, "normalize", [counts, mean_ss, variance_ss, shift]):
        divisor = apply_op("Reciprocal", "divisor", x=counts)
        if shift is not None:
            shifted = math_ops.multiply(mean_ss, divisor, name="shifted_mean")
            mean = math_ops.add(shifted, shift, name="mean")
        else:
            shifted = math_ops.multiply(mean_ss, divisor, name="mean")
            mean = shifted
        return mean, math_ops.subtract(math_ops.multiply(variance_ss, divisor), apply_op("Square", None, x=shifted), name="variance")


@export("nn.weighted_moments")
def weighted_moments(
    x: Any, axes: Any, frequency_weights: Any, name: str | None = None, keep_dims: Any = None, keepdims: Any = None
) -> Any:
    keep = bool(keepdims if keepdims is not None else keep_dims)
    with name_scope(name, "weighted_moments", [x, frequency_weights, axes]):
        x = convert_to_tensor(x, name="x")
        weights = math_ops.cast(convert_to_tensor(frequency_weights, name="frequency_weights"), x.dtype.base_dtype)
        weighted_sum = math_ops.reduce_sum(weights * x, axes, keepdims=True, name="weighted_input_sum")
        broadcast = weights + array_ops.zeros_like(x)
        total = math_ops.reduce_sum(broadcast, axes, keepdims=True, name="sum_of_weights")
        divisor = apply_op("Reciprocal", "inv_weight_sum", x=total)
        mean = math_ops.multiply(weighted_sum, divisor)
        distance = math_ops.reduce_sum(
            weights * apply_op("SquaredDifference", None, x=x, y=mean), axes, keepdims=True, name="weighted_distsq"
        )
        variance = math_ops.multiply(distance, divisor)
        if not keep:
            mean, variance = array_ops.squeeze(mean, axes), array_ops.squeeze(variance, axes)
        return mean, variance


@export("nn.batch_normalization")
def batch_normalization(x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: Any, name: str | None = None) -> Any:
    with name_scope(name, "batchnorm", [x, mean, variance, scale, offset]):
        inv = apply_op("Rsqrt", None, x=variance + variance_epsilon)
        if scale is not None:
            inv *= scale
        scaled = x * math_ops.cast(inv, x.dtype)
        shift = offset - mean * inv if offset is not None else -mean * inv
        return scaled + math_ops.cast(shift, x.dtype)


@export("nn.fused_batch_norm")
def fused_batch_norm(
    x: Any,
    scale: Any,
    offset: Any,
    mean: Any = None,
    variance: Any = None,
    epsilon: float = 0.001,
    data_format: str = "NHWC",
    is_training: bool = True,
    name: str | None = None,
) -> Any:
    x = convert_to_tensor(x, name="input")
    scale = convert_to_tensor(scale, name="scale")
    offset = convert_to_tensor(offset, name="offset")
    if is_training and (mean is not None or variance is not None):
        raise ValueError("Both 'mean' and 'variance' must be None if is_training is True.")
    if mean is None:
        mean = constant([], float32)
    if variance is None:
        variance = constant([], float32)
    y, batch_mean, batch_var, *_ = apply_op(
        "FusedBatchNormV3",
        name,
        x=x,
        scale=scale,
        offset=offset,
        mean=mean,
        variance=variance,
        epsilon=max(epsilon, 1.001e-5),
        data_format=data_format,
        is_training=is_training,
    )
    return y, batch_mean, batch_var


@export("nn.batch_norm_with_global_normalization")
def batch_norm_with_global_normalization(
    t: Any = None, m: Any = None, v: Any = None, beta: Any = None, gamma: Any = None, variance_epsilon: Any = None, scale_after_normalization: Any = None,
    name: str | None = None, input: Any = None, mean: Any = None, variance: Any = None,
) -> Any:  # fmt: skip
    t, m, v = (input if t is None else t), (mean if m is None else m), (variance if v is None else v)
    return batch_normalization(t, m, v, beta, gamma if scale_after_normalization else None, variance_epsilon, name)


@export("nn.l2_normalize", "math.l2_normalize")
def l2_normalize(x: Any, axis: Any = None, epsilon: float = 1e-12, name: str | None = None, dim: Any = None) -> Any:
    axis = dim if axis is None else axis
    with name_scope(name, "l2_normalize", [x]) as scope:
        x = convert_to_tensor(x, name="x")
        square_sum = math_ops.reduce_sum(apply_op("Square", None, x=x), axis, keepdims=True)
        inverse = apply_op("Rsqrt", None, x=math_ops.maximum(square_sum, epsilon))
        return math_ops.multiply(x, inverse, name=scope)


@export("nn.local_response_normalization")
def local_response_normalization(
    input: Any, depth_radius: int = 5, bias: float = 1, alpha: float = 1, beta: float = 0.5, name: str | None = None
) -> Any:
    return apply_op("LRN", name, input=input, depth_radius=depth_radius, bias=float(bias), alpha=float(alpha), beta=float(beta))


@export("nn.zero_fraction")
def zero_fraction(value: Any, name: str | None = None) -> Any:
    from graphtools.dtypes import int32, int64
    from runtime.tf1.control_flow import cond

    with name_scope(name, "zero_fraction", [value]):
        value = convert_to_tensor(value, name="value")
        size = array_ops.size(value, out_type=int64)
        nonzero = cond(size <= int32.max, lambda: math_ops.cast(_count_nonzero(value, int32), int64), lambda: _count_nonzero(value, int64))
        with name_scope("counts_to_fraction"):
            zeros = math_ops.cast(size - nonzero, float32)
            fraction = zeros / math_ops.cast(size, float32)
        return array_ops.identity(fraction, "fraction")


def _count_nonzero(value: Any, dtype: Any) -> Any:
    with name_scope(None, "count_nonzero", [value]):
        zero = array_ops.zeros([], value.dtype.base_dtype)
        return math_ops.reduce_sum(math_ops.cast(math_ops.not_equal(value, zero), dtype), name="nonzero_count")


@export("nn.top_k")
def top_k(input: Any, k: Any = 1, sorted: bool = True, name: str | None = None) -> Any:
    import collections

    values, indices = apply_op("TopKV2", name, input=input, k=k, sorted=sorted)
    return collections.namedtuple("TopKV2", ["values", "indices"])(values, indices)


@export("nn.in_top_k")
def in_top_k(predictions: Any, targets: Any, k: Any, name: str | None = None) -> Any:
    with name_scope(name, "in_top_k"):
        return apply_op(
            "InTopKV2",
            None,
            predictions=predictions,
            targets=targets,
            k=math_ops.cast(k, convert_to_tensor(targets).dtype.base_dtype) if isinstance(k, base.Tensor) else k,
        )


@export("nn.dilation2d")
def dilation2d(
    input: Any,
    filter: Any = None,
    strides: Any = None,
    rates: Any = None,
    padding: Any = None,
    name: str | None = None,
    filters: Any = None,
    dilations: Any = None,
) -> Any:
    """Greyscale dilation: the largest sum of a window and the filter."""
    return apply_op(
        "Dilation2D",
        name,
        input=input,
        filter=filter if filters is None else filters,
        strides=strides,
        rates=rates if dilations is None else dilations,
        padding=padding,
    )


@export("nn.erosion2d")
def erosion2d(value: Any, kernel: Any, strides: Any, rates: Any, padding: Any, name: str | None = None) -> Any:
    """Greyscale erosion: the dilation of the negative by the mirrored kernel, negated."""
    with name_scope(name, "erosion2d", [value, kernel]) as scope:
        mirrored = array_ops.reverse(kernel, [0, 1])
        grown = apply_op(
            "Dilation2D", scope, input=math_ops.negative(value), filter=mirrored, strides=strides, rates=rates, padding=padding
        )
        return math_ops.negative(grown)
