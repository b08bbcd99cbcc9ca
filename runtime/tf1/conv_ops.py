"""Convolutions backwards: transposed ones, and the gradients of convolutions as functions; pools of any rank."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

from graphtools import graph as base
from runtime.tf1 import array_ops, math_ops, nn_ops
from runtime.tf1.graph import apply_op, convert_to_tensor, name_scope
from runtime.tf1.registry import export, put

put("nn.with_space_to_batch", nn_ops.with_space_to_batch)


def _sequence(value: Any, n: int, channel_index: int, name: str) -> list[int]:
    """A number for every dimension, from one for all spatial ones, one for each of them, or all."""
    if value is None:
        value = [1]
    elif not isinstance(value, Sized):
        value = [value]
    given = list(value)
    if len(given) == n + 2:
        return given
    if len(given) == 1:
        given = given * n
    elif len(given) != n:
        raise ValueError(f"{name} should be of length 1, {n} or {n + 2} but was {len(given)}")
    return [1, 1, *given] if channel_index == 1 else [1, *given, 1]


@export("nn.conv2d_backprop_filter")
def conv2d_backprop_filter(
    input: Any, filter_sizes: Any, out_backprop: Any, strides: Any, padding: Any, use_cudnn_on_gpu: bool = True, data_format: str = "NHWC",
    dilations: Any = (1, 1, 1, 1), name: str | None = None,
) -> Any:  # fmt: skip
    return apply_op(
        "Conv2DBackpropFilter", name, input=input, filter_sizes=filter_sizes, out_backprop=out_backprop, strides=list(strides),
        use_cudnn_on_gpu=use_cudnn_on_gpu, data_format=data_format, dilations=list(dilations), **nn_ops._padding(padding, data_format),
    )  # fmt: skip


@export("nn.conv3d_backprop_filter", "nn.conv3d_backprop_filter_v2")
def conv3d_backprop_filter(
    input: Any, filter_sizes: Any, out_backprop: Any, strides: Any, padding: str, data_format: str = "NDHWC", dilations: Any = (1, 1, 1, 1, 1),
    name: str | None = None,
) -> Any:  # fmt: skip
    return apply_op(
        "Conv3DBackpropFilterV2", name, input=input, filter_sizes=filter_sizes, out_backprop=out_backprop, strides=list(strides), padding=padding,
        data_format=data_format, dilations=list(dilations),
    )  # fmt: skip


@export("nn.conv1d_transpose")
def conv1d_transpose(
    input: Any, filters: Any, output_shape: Any, strides: Any, padding: str = "SAME", data_format: str | None = "NWC", dilations: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    with name_scope(name, "conv1d_transpose", [input, filters, output_shape]) as scope:
        if data_format not in (None, "NWC", "NCW"):
            raise ValueError('data_format must be "NWC" or "NCW".')
        first = data_format == "NCW"
        axis, channels = (2, 1) if first else (1, 2)
        steps = [1, *_sequence(strides, 1, channels, "stride")]
        rates = [1, *_sequence(dilations, 1, channels, "dilations")]
        input = array_ops.expand_dims(input, axis)
        filters = array_ops.expand_dims(filters, 0)
        sizes = output_shape if isinstance(output_shape, base.Tensor) else list(output_shape)
        sizes = array_ops.concat([sizes[:axis], [1], sizes[axis:]], 0)
        result = apply_op(
            "Conv2DBackpropInput", scope, input_sizes=sizes, filter=filters, out_backprop=input, strides=steps, padding=padding,
            data_format="NCHW" if first else "NHWC", dilations=rates,
        )  # fmt: skip
        return array_ops.squeeze(result, axis)


@export("nn.conv_transpose")
def conv_transpose(
    input: Any, filters: Any, output_shape: Any, strides: Any, padding: str = "SAME", data_format: str | None = None, dilations: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    with name_scope(name, "conv_transpose", [input, output_shape]) as scope:
        if isinstance(output_shape, base.Tensor):
            n = output_shape.shape[0].value - 2  # type: ignore[attr-defined]
        elif isinstance(output_shape, Sized):
            n = len(output_shape) - 2
        else:
            raise ValueError("output_shape must be a tensor or sized collection.")
        if not 1 <= n <= 3:
            raise ValueError(f"output_shape must be of length 3, 4 or 5 but was {n + 2}.")
        function: Any = (conv1d_transpose, nn_ops.conv2d_transpose, nn_ops.conv3d_transpose)[n - 1]
        default = ("NWC", "NHWC", "NDHWC")[n - 1]
        keyword = "filters" if n == 1 else "filter"
        value = {"input" if n == 1 else "value": input, keyword: filters}
        return function(
            **value,
            output_shape=output_shape,
            strides=strides,
            padding=padding,
            data_format=data_format or default,
            dilations=dilations,
            name=scope,
        )


@export("nn.atrous_conv2d_transpose")
def atrous_conv2d_transpose(value: Any, filters: Any, output_shape: Any, rate: int, padding: str, name: str | None = None) -> Any:
    with name_scope(name, "atrous_conv2d_transpose", [value, filters, output_shape]):
        value = convert_to_tensor(value, name="value")
        filters = convert_to_tensor(filters, name="filters")
        if (
            value.dims is not None
            and filters.dims is not None
            and None not in (value.dims[3], filters.dims[3])
            and value.dims[3] != filters.dims[3]
        ):
            raise ValueError(f"value's input channels does not match filters' input channels, {value.shape[3]} != {filters.shape[3]}")
        if rate < 1:
            raise ValueError(f"rate {rate} cannot be less than one")
        if rate == 1:
            return nn_ops.conv2d_transpose(value, filters, output_shape, strides=[1, 1, 1, 1], padding=padding, data_format="NHWC")
        sizes: Any = convert_to_tensor(output_shape, name="output_shape")
        if sizes.shape.ndims is not None and not sizes.shape.is_compatible_with([4]):
            raise ValueError(f"output_shape must have shape (4,), got {sizes.shape}")
        if isinstance(output_shape, list | tuple):
            sizes = output_shape
        if padding == "SAME":
            known = filters.dims is not None and None not in filters.dims
            shape: Any = list(filters.dims) if known else array_ops.shape(filters)  # type: ignore[arg-type]
            height, width = ((shape[i] + (shape[i] - 1) * (rate - 1)) - 1 for i in (0, 1))
            top, left = height // 2, width // 2
            bottom, right = height - top, width - left
        elif padding == "VALID":
            top = bottom = left = right = 0
        else:
            raise ValueError(f"padding must be either VALID or SAME: {padding}")
        in_height, in_width = sizes[1] + top + bottom, sizes[2] + left + right
        more_bottom, more_right = (rate - in_height % rate) % rate, (rate - in_width % rate) % rate
        from runtime.tf1.modules import lookup

        spread = lookup("space_to_batch")(input=value, paddings=[[0, more_bottom], [0, more_right]], block_size=rate)
        inner = [rate * rate * sizes[0], (in_height + more_bottom) // rate, (in_width + more_right) // rate, sizes[3]]
        made = apply_op(
            "Conv2DBackpropInput",
            None,
            input_sizes=inner,
            filter=filters,
            out_backprop=spread,
            strides=[1, 1, 1, 1],
            padding="VALID",
            data_format="NHWC",
        )
        crops = [[top, bottom + more_bottom], [left, right + more_right]]
        return lookup("batch_to_space")(input=made, crops=crops, block_size=rate)


def _pool_v2(kind: str) -> Any:
    def pool(input: Any, ksize: Any, strides: Any, padding: str, data_format: str | None = None, name: str | None = None) -> Any:
        tensor = convert_to_tensor(input)
        if tensor.rank is not None:
            n = tensor.rank - 2
        elif data_format is not None:
            n = len(data_format) - 2
        else:
            raise ValueError("The input must have a rank or a data format must be given.")
        if not 1 <= n <= 3:
            raise ValueError(f"Input tensor must be of rank 3, 4 or 5 but was {n + 2}.")
        channels = 1 if data_format is not None and data_format.startswith("NC") else n + 1
        size, step = _sequence(ksize, n, channels, "ksize"), _sequence(strides, n, channels, "strides")
        if n == 1:
            function: Any = nn_ops.max_pool1d if kind == "Max" else nn_ops.avg_pool1d
            return function(tensor, ksize=size, strides=step, padding=padding, data_format=data_format or "NWC", name=name)
        arguments = {"value" if (kind, n) == ("Avg", 2) else "input": tensor}
        return apply_op(
            f"{kind}Pool{'3D' if n == 3 else ''}", name, ksize=size, strides=step, padding=padding, data_format=data_format or ("NHWC" if n == 2 else "NDHWC"), **arguments
        )  # fmt: skip

    return pool


put("nn.avg_pool_v2", _pool_v2("Avg"))
put("nn.max_pool_v2", _pool_v2("Max"))


@export("nn.compute_average_loss")
def compute_average_loss(per_example_loss: Any, sample_weight: Any = None, global_batch_size: Any = None) -> Any:
    """The sum of the losses of examples, over the size of the whole batch."""
    loss = convert_to_tensor(per_example_loss)
    given = loss.dtype
    if sample_weight is not None:
        from runtime.tf1.modules import lookup

        weighted = lookup("losses.compute_weighted_loss")(loss, sample_weight, reduction="none", loss_collection=None)
        loss = weighted
    loss = math_ops.cast(loss, given)
    if global_batch_size is None:
        global_batch_size = array_ops.shape_internal(loss, optimize=False)[0]
    return math_ops.reduce_sum(loss) / math_ops.cast(global_batch_size, given)


@export("nn.scale_regularization_loss")
def scale_regularization_loss(regularization_loss: Any) -> Any:
    """The sum of losses; with one replica nothing is scaled."""
    return math_ops.reduce_sum(regularization_loss) / 1
