"""tf.nn.atrous_conv2d_transpose."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.tf1.array_ops import shape
from runtime.tf1.graph import apply_op, convert_to_tensor, name_scope
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape


@export("nn.atrous_conv2d_transpose")
def atrous_conv2d_transpose(value: Any, filters: Any, output_shape: Any, rate: int, padding: str, name: str | None = None) -> Any:
    """A transposed convolution whose filter has rate - 1 holes: over the space moved to the batch, as TensorFlow does."""
    with name_scope(name, "atrous_conv2d_transpose", [value, filters, output_shape]) as scope:
        value = convert_to_tensor(value, name="value")
        filters = convert_to_tensor(filters, name="filters")
        if not value.get_shape().dims[3].is_compatible_with(filters.get_shape().dims[3]):
            raise ValueError(
                f"value's input channels does not match filters' input channels, {value.get_shape()[3]} != {filters.get_shape()[3]}"
            )
        if rate < 1:
            raise ValueError(f"rate {rate} cannot be less than one")
        if rate == 1:
            return _backprop(output_shape, filters, value, padding, scope)
        asked = convert_to_tensor(output_shape, name="output_shape")
        if not asked.get_shape().is_compatible_with(TensorShape([4])):
            raise ValueError(f"output_shape must have shape (4,), got {asked.get_shape()}")
        sizes = list(output_shape) if isinstance(output_shape, list | tuple | np.ndarray) else [output_shape[i] for i in range(4)]
        if padding == "SAME":
            known = filters.get_shape().is_fully_defined()
            extent = filters.get_shape().as_list() if known else shape(filters)
            around = [extent[i] + (extent[i] - 1) * (rate - 1) - 1 for i in (0, 1)]
            before = [p // 2 for p in around]
            after = [p - b for p, b in zip(around, before, strict=True)]
        elif padding == "VALID":
            before = after = [0, 0]
        else:
            raise ValueError(f"padding must be either VALID or SAME: {padding}")
        inside = [sizes[1] + before[0] + after[0], sizes[2] + before[1] + after[1]]
        extra = [(rate - size % rate) % rate for size in inside]
        value = apply_op("SpaceToBatch", None, input=value, paddings=[[0, extra[0]], [0, extra[1]]], block_size=rate)
        input_sizes = [rate * rate * sizes[0], (inside[0] + extra[0]) // rate, (inside[1] + extra[1]) // rate, sizes[3]]
        value = _backprop(input_sizes, filters, value, "VALID", None)
        crops = [[before[0], after[0] + extra[0]], [before[1], after[1] + extra[1]]]
        return apply_op("BatchToSpace", None, input=value, crops=crops, block_size=rate)


def _backprop(input_sizes: Any, filters: Any, value: Any, padding: str, name: str | None) -> Any:
    return apply_op(
        "Conv2DBackpropInput",
        name,
        input_sizes=input_sizes,
        filter=filters,
        out_backprop=value,
        strides=[1, 1, 1, 1],
        padding=padding,
        data_format="NHWC",
    )
