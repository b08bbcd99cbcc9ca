"""Convolution layers. One-dimensional ones get a height of 1 and become two-dimensional, as in Keras."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools.formats.keras import Array, Call, channels_first, layer, tuple_of
from graphtools.formats.keras.activations import activate
from graphtools.formats.keras.core import add_bias, has_bias
from graphtools.graph import Tensor


def _layout(first: bool, dims: int) -> str:
    letters = {2: "HW", 3: "DHW"}[dims]
    return f"NC{letters}" if first else f"N{letters}C"


def _per_axis(values: tuple[int, ...], first: bool) -> list[int]:
    """Strides or dilations with those of batch and channels."""
    return [1, 1, *values] if first else [1, *values, 1]


def _settings(k: Call, dims: int) -> tuple[tuple[int, ...], tuple[int, ...], str]:
    c = k.config
    padding = str(c.get("padding", "valid")).lower()
    if padding not in ("valid", "same", "causal"):
        raise k.fail(f"has the padding {padding!r}; 'valid', 'same' or 'causal' was expected")
    return tuple_of(c.get("strides", 1), dims), tuple_of(c.get("dilation_rate", 1), dims), padding


def convolve(k: Call, x: Tensor, kernel: Tensor, strides: tuple[int, ...], dilations: tuple[int, ...], padding: str, first: bool) -> Tensor:
    """The convolution of x (two or three spatial dimensions) with a kernel whose last axes are channels in and out."""
    dims = len(strides)
    op_type = "Conv2D" if dims == 2 else "Conv3D"
    return k.op(
        op_type,
        x,
        kernel,
        strides=_per_axis(strides, first),
        dilations=_per_axis(dilations, first),
        padding=padding.upper(),
        data_format=_layout(first, dims),
    )


def _causal(k: Call, x: Tensor, amount: int, axis: int) -> Tensor:
    """Zeros before the first step."""
    pads = [[0, 0] for _ in range(k.rank(x))]
    pads[axis] = [amount, 0]
    return k.op("Pad", x, k.const(np.array(pads, np.int32)))


@layer("Conv1D", weights=lambda la: (1 + has_bias(la), 0), masked=True)
def conv_1d(k: Call) -> Tensor:
    (stride,), (dilation,), padding = _settings(k, 1)
    first, x = channels_first(k.config), k.x
    if padding == "causal":
        x = _causal(k, x, dilation * (k.array(0).shape[0] - 1), 2 if first else 1)
        padding = "valid"
    axis = 2 if first else 1
    kernel = k.weight(0, "kernel", k.array(0)[None])
    y = k.squeeze(convolve(k, k.expand(x, axis), kernel, (1, stride), (1, dilation), padding, first), axis)
    if k.config.get("use_bias", True):
        bias = k.weight(1, "bias")
        y = k.op("AddV2", y, k.reshape(bias, [-1, 1])) if first else k.op("BiasAdd", y, bias)
    return activate(k, y, k.config.get("activation"))


@layer("Conv2D", weights=lambda la: (1 + has_bias(la), 0))
def conv_2d(k: Call) -> Tensor:
    return _conv(k, 2)


@layer("Conv3D", weights=lambda la: (1 + has_bias(la), 0))
def conv_3d(k: Call) -> Tensor:
    return _conv(k, 3)


def _conv(k: Call, dims: int) -> Tensor:
    strides, dilations, padding = _settings(k, dims)
    first = channels_first(k.config)
    y = add_bias(k, convolve(k, k.x, k.weight(0, "kernel"), strides, dilations, padding, first), first=first)
    return activate(k, y, k.config.get("activation"))


# -- transposed ------------------------------------------------------------------------------------------------------


@layer("Conv2DTranspose", weights=lambda la: (1 + has_bias(la), 0))
def conv_2d_transpose(k: Call) -> Tensor:
    return _transposed(k, 2)


@layer("Conv3DTranspose", weights=lambda la: (1 + has_bias(la), 0))
def conv_3d_transpose(k: Call) -> Tensor:
    return _transposed(k, 3)


def _transposed(k: Call, dims: int) -> Tensor:
    """The gradient of a convolution with respect to its input, whose size the strides, kernel and padding say."""
    strides, dilations, padding = _settings(k, dims)
    first, x = channels_first(k.config), k.x
    kernel = k.array(0)
    extra = k.config.get("output_padding")
    extras = (None,) * dims if extra is None else tuple_of(extra, dims)
    at = 2 if first else 1
    sizes: list[Tensor | int] = []
    for i in range(dims):
        size = k.size(x, at + i)
        span = (kernel.shape[i] - 1) * dilations[i] + 1
        scale, offset = strides[i], 0
        if extras[i] is None:
            offset = max(span - strides[i], 0) if padding == "valid" else 0
        else:
            offset = span - 2 * (span // 2 if padding == "same" else 0) + int(extras[i] or 0) - strides[i]
        sizes.append(
            size * scale + offset if isinstance(size, int) else k.op("AddV2", k.op("Mul", size, k.scalar(scale)), k.scalar(offset))
        )
    channels: Tensor | int = kernel.shape[dims]
    shape = k.sizes([k.size(x, 0), channels, *sizes] if first else [k.size(x, 0), *sizes, channels])
    y = k.op(
        "Conv2DBackpropInput" if dims == 2 else "Conv3DBackpropInputV2",
        shape, k.weight(0, "kernel"), x,
        strides=_per_axis(strides, first), dilations=_per_axis(dilations, first), padding=padding.upper(), data_format=_layout(first, dims),
    )  # fmt: skip
    return activate(k, add_bias(k, y, first=first), k.config.get("activation"))


# -- depthwise and separable -----------------------------------------------------------------------------------------


@layer("DepthwiseConv2D", weights=lambda la: (1 + has_bias(la), 0))
def depthwise_conv_2d(k: Call) -> Tensor:
    strides, dilations, padding = _settings(k, 2)
    first = channels_first(k.config)
    y = _depthwise(k, k.x, k.weight(0, "depthwise_kernel"), strides, dilations, padding, first)
    return activate(k, add_bias(k, y, first=first), k.config.get("activation"))


def _depthwise(
    k: Call, x: Tensor, kernel: Tensor, strides: tuple[int, ...], dilations: tuple[int, ...], padding: str, first: bool
) -> Tensor:
    return k.op(
        "DepthwiseConv2dNative", x, kernel,
        strides=_per_axis(strides, first), dilations=_per_axis(dilations, first), padding=padding.upper(), data_format=_layout(first, 2),
    )  # fmt: skip


@layer("SeparableConv2D", weights=lambda la: (2 + has_bias(la), 0))
def separable_conv_2d(k: Call) -> Tensor:
    strides, dilations, padding = _settings(k, 2)
    first = channels_first(k.config)
    y = _depthwise(k, k.x, k.weight(0, "depthwise_kernel"), strides, dilations, padding, first)
    y = convolve(k, y, k.weight(1, "pointwise_kernel"), (1, 1), (1, 1), "valid", first)
    return activate(k, add_bias(k, y, 2, first=first), k.config.get("activation"))


@layer("SeparableConv1D", weights=lambda la: (2 + has_bias(la), 0))
def separable_conv_1d(k: Call) -> Tensor:
    (stride,), (dilation,), padding = _settings(k, 1)
    first, x = channels_first(k.config), k.x
    axis = 2 if first else 1
    if padding == "causal":
        x = _causal(k, x, dilation * (k.array(0).shape[0] - 1), axis)
        padding = "valid"
    # the height is 1, so its stride may be that of the width, as the depthwise op wants them equal
    y = _depthwise(k, k.expand(x, axis), k.weight(0, "depthwise_kernel", k.array(0)[None]), (stride, stride), (1, dilation), padding, first)
    y = convolve(k, y, k.weight(1, "pointwise_kernel", k.array(1)[None]), (1, 1), (1, 1), "valid", first)
    y = k.squeeze(add_bias(k, y, 2, first=first), axis)
    return activate(k, y, k.config.get("activation"))


# -- locally connected -----------------------------------------------------------------------------------------------


@layer("LocallyConnected1D", weights=lambda la: (1 + has_bias(la), 0))
def locally_connected_1d(k: Call) -> Tensor:
    """A kernel of its own (window x channels, filters) for each position."""
    _only_first_implementation(k)
    (stride,), _, padding = _settings(k, 1)
    first, x = channels_first(k.config), k.x
    if first:
        x = k.transpose(x, 0, 2, 1)
    (size,) = tuple_of(k.config["kernel_size"], 1)
    y = _local(k, k.expand(x, 1), (1, size), (1, stride), padding, k.array(0))
    y = k.reshape(y, [-1, k.array(0).shape[0], k.array(0).shape[-1]])
    return _finish_local(k, y, first, 1)


@layer("LocallyConnected2D", weights=lambda la: (1 + has_bias(la), 0))
def locally_connected_2d(k: Call) -> Tensor:
    _only_first_implementation(k)
    strides, _, padding = _settings(k, 2)
    first, x = channels_first(k.config), k.x
    window = tuple_of(k.config["kernel_size"], 2)
    kernel = k.array(0)
    if first:
        x = k.transpose(x, 0, 2, 3, 1)
        # saved with channels before the window; the patches have them after it
        channels = kernel.shape[1] // (window[0] * window[1])
        kernel = kernel.reshape(kernel.shape[0], channels, *window, -1).transpose(0, 2, 3, 1, 4).reshape(kernel.shape)
    height, width = k.known(x, 1), k.known(x, 2)
    rows, columns = ((n if padding == "same" else n - w + 1) + s - 1 for n, w, s in zip((height, width), window, strides, strict=True))
    y = _local(k, x, window, strides, padding, kernel)
    y = k.reshape(y, [-1, rows // strides[0], columns // strides[1], kernel.shape[-1]])
    return _finish_local(k, y, first, 2)


def _only_first_implementation(k: Call) -> None:
    if int(k.config.get("implementation", 1)) != 1:
        raise k.fail(
            f"was built with implementation={k.config['implementation']}; only implementation=1 can be read. Rebuild the model with it"
        )


def _local(k: Call, x: Tensor, window: tuple[int, ...], strides: tuple[int, ...], padding: str, kernel: Array) -> Tensor:
    """(positions, batch, filters) products of the patches and kernels, back with the batch first."""
    patches = k.op("ExtractImagePatches", x, ksizes=[1, *window, 1], strides=[1, *strides, 1], rates=[1, 1, 1, 1], padding=padding.upper())
    positions, depth, filters = kernel.shape
    by_position = k.transpose(k.reshape(patches, [-1, positions, depth]), 1, 0, 2)
    product = k.op("BatchMatMulV2", by_position, k.weight(0, "kernel", kernel))
    turned = k.transpose(product, 1, 0, 2)
    return k.reshape(turned, [-1, positions, filters])


def _finish_local(k: Call, y: Tensor, first: bool, dims: int) -> Tensor:
    if k.config.get("use_bias", True):
        bias = k.array(1)
        if first:  # Keras reads it as if it had been saved with channels first
            bias = np.moveaxis(bias.reshape(bias.shape[-1], *bias.shape[:-1]), 0, -1)
        y = k.op("AddV2", y, k.weight(1, "bias", bias))
    if first:
        y = k.transpose(y, 0, dims + 1, *range(1, dims + 1))
    return activate(k, y, k.config.get("activation"))


def conv_arguments(config: dict[str, Any], dims: int) -> tuple[tuple[int, ...], tuple[int, ...], str, bool]:
    """Strides, dilations, padding and whether channels come first, of a config."""
    return (
        tuple_of(config.get("strides", 1), dims), tuple_of(config.get("dilation_rate", 1), dims), str(config.get("padding", "valid")),
        channels_first(config),
    )  # fmt: skip
