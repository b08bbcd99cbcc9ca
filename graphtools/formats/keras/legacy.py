"""What Keras 1 wrote, brought to the names, layers and weight layouts of Keras 2."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools.formats.keras import Array, Call, Config, Layer, layer
from graphtools.formats.keras.activations import activate
from graphtools.formats.keras.core import has_bias
from graphtools.formats.keras.merge import batch_dot
from graphtools.graph import Tensor

CLASSES = {
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "Deconvolution2D": "Conv2DTranspose",
    "SeparableConvolution2D": "SeparableConv2D",
    "TimeDistributedDense": "Dense",
}

# Names of arguments that mean the same in all layers that have them.
ARGUMENTS = {
    "atrous_rate": "dilation_rate",
    "bias": "use_bias",
    "border_mode": "padding",
    "filter_length": "kernel_size",
    "inner_activation": "recurrent_activation",
    "nb_filter": "filters",
    "p": "rate",
    "pool_length": "pool_size",
    "sigma": "stddev",
    "stride": "strides",
    "subsample": "strides",
    "subsample_length": "strides",
}

# What an output_dim is in these layers: in the others it keeps its name.
_UNITS = frozenset({"Dense", "GRU", "Highway", "LSTM", "MaxoutDense", "SimpleRNN"})

_ORDERINGS = {"tf": "channels_last", "th": "channels_first"}

_MERGES = {"ave": "Average", "concat": "Concatenate", "dot": "Dot", "max": "Maximum", "mul": "Multiply", "sum": "Add"}


_WITHOUT_ORDERING = frozenset({"Cropping2D", "Cropping3D", "UpSampling2D", "UpSampling3D", "ZeroPadding2D", "ZeroPadding3D"})


def complete_orderings(config: Any) -> None:
    """Write the dim_ordering that a model's first layer has into the layers that forget to save theirs."""
    layers: list[dict[str, Any]] = []
    found = None
    stack = [config]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            found = found or value.get("dim_ordering")
            if value.get("class_name") in _WITHOUT_ORDERING and isinstance(value.get("config"), dict):
                layers.append(value["config"])
            stack.extend(reversed(value.values()))
        elif isinstance(value, list):
            stack.extend(reversed(value))
    for layer_config in layers:
        layer_config.setdefault("dim_ordering", found or "tf")


def modernize(class_name: str, config: Config) -> tuple[str, Config]:
    """The class and config that Keras 2 has for a layer of Keras 1."""
    new = dict(config)
    name = CLASSES.get(class_name, class_name)
    for old, now in ARGUMENTS.items():
        if old in new and now not in new:
            new[now] = new.pop(old)
    if "dim_ordering" in new:
        new["data_format"] = _ORDERINGS.get(str(new.pop("dim_ordering")), "channels_last")
    if "nb_row" in new:
        new["kernel_size"] = [new.pop("nb_row"), new.pop("nb_col")]
    if "kernel_dim1" in new:
        new["kernel_size"] = [new.pop(f"kernel_dim{i}") for i in (1, 2, 3)]
    if name in _UNITS and "output_dim" in new:
        new["units"] = new.pop("output_dim")
    if name == "UpSampling1D" and "length" in new:
        new["size"] = new.pop("length")
    if name == "Merge":
        return _modern_merge(new)
    padding = new.get("padding")
    if name.startswith("ZeroPadding"):
        if isinstance(padding, dict):
            new["padding"] = _padding_of_names(padding)
        elif isinstance(padding, list) and len(padding) == 4:
            new["padding"] = [padding[:2], padding[2:]]
    return name, new


def _padding_of_names(padding: dict[str, int]) -> list[Any]:
    if "left_pad" in padding and "top_pad" not in padding:
        return [padding["left_pad"], padding.get("right_pad", 0)]
    return [[padding.get("top_pad", 0), padding.get("bottom_pad", 0)], [padding.get("left_pad", 0), padding.get("right_pad", 0)]]


def _modern_merge(config: Config) -> tuple[str, Config]:
    mode = config.get("mode", "sum")
    if config.get("mode_type", "raw") != "raw":
        return "Lambda", config
    if mode == "cos":
        return "Cosine", config
    if mode == "concat":
        return "Concatenate", {**config, "axis": config.get("concat_axis", -1)}
    if mode == "dot":
        return "Dot", {**config, "axes": _axes(config)}
    return _MERGES.get(mode, f"Merge(mode={mode!r})"), config


def _axes(config: Config) -> Any:
    axes = config.get("dot_axes", -1)
    return [axes[0][0], axes[1][0]] if isinstance(axes, list) and axes and isinstance(axes[0], list) else axes


# -- weights -----------------------------------------------------------------------------------------------------------

_GATES = {"GRU": ("z", "r", "h"), "LSTM": ("i", "c", "f", "o"), "SimpleRNN": ("h",)}


def recurrent_count(la: Layer) -> int:
    """How many arrays a recurrent layer of Keras 1 saves: three for each gate, or three for all."""
    return 3 if la.config.get("consume_less") == "gpu" else 3 * len(_GATES[la.class_name])


def convert_arrays(la: Layer) -> None:
    """Put a layer's arrays into the layout that Keras 2 has."""
    arrays, name = la.arrays, la.class_name
    first = la.config.get("data_format") == "channels_first"
    if name in ("LSTM", "GRU") and len(arrays) > 3:
        gates = [arrays[i : i + 3] for i in range(0, len(arrays), 3)]
        if name == "LSTM":
            i, c, f, o = gates
            gates = [i, f, c, o]
        la.arrays = [np.concatenate([g[n] for g in gates], axis=-1) for n in range(3)]
    elif name == "Conv1D" and arrays and arrays[0].ndim == 4:
        kernel, length = arrays[0], int(np.ravel(la.config["kernel_size"])[0])
        if kernel.shape[:2] != (length, 1):
            kernel = kernel.transpose(2, 3, 1, 0)
        la.arrays = [kernel[:, 0], *arrays[1:]]
    elif name in ("Conv2D", "Conv3D") and first:
        dims = arrays[0].ndim - 2
        if arrays[0].shape[0] == la.config["filters"]:
            la.arrays = [arrays[0].transpose(*range(2, 2 + dims), 1, 0), *arrays[1:]]
    elif name == "Conv2DTranspose" and arrays:
        if first and arrays[0].shape[1] == la.config["filters"]:
            la.arrays = [arrays[0].transpose(2, 3, 1, 0), *arrays[1:]]
        elif arrays[0].shape[2] != la.config["filters"]:
            la.arrays = [arrays[0].transpose(0, 1, 3, 2), *arrays[1:]]
    elif name == "SeparableConv2D" and first and arrays:
        la.arrays = [arrays[0].transpose(2, 3, 1, 0), arrays[1].transpose(2, 3, 1, 0), *arrays[2:]]


def flip_kernels(la: Layer) -> None:
    """Kernels trained with Theano are convolved, not correlated: turn them round."""
    spatial = {"Conv1D": 1, "Conv2D": 2, "Conv2DTranspose": 2, "Conv3D": 3, "SeparableConv2D": 2}.get(la.class_name, 0)
    if spatial and la.arrays:
        turned: Array = np.flip(la.arrays[0], tuple(range(spatial)))
        la.arrays[0] = np.ascontiguousarray(turned)


# -- layers that Keras 2 has not ---------------------------------------------------------------------------------------


@layer("Cosine")
def cosine(k: Call) -> Tensor:
    """The cosine of the angle between two vectors, with an axis more."""
    axes = _axes(k.config)
    first, second = (axes, axes) if isinstance(axes, int) else axes
    a, b = k.inputs
    i, j = int(first) % k.rank(a), int(second) % k.rank(b)
    norm = k.op("Sqrt", k.op("Mul", batch_dot(k, a, a, i, i), batch_dot(k, b, b, j, j)))
    return k.expand(k.op("RealDiv", batch_dot(k, a, b, i, j), k.op("Maximum", norm, k.like(1e-7, a))), 1)


@layer("Highway", weights=lambda la: (2 + 2 * has_bias(la), 0), masked=True)
def highway(k: Call) -> Tensor:
    """t * activation(x W + b) + (1 - t) * x with t = sigmoid(x Wc + bc)."""
    bias = k.config.get("use_bias", True)
    gate, y = k.op("MatMul", k.x, k.weight(1, "W_carry")), k.op("MatMul", k.x, k.weight(0, "W"))
    if bias:
        gate, y = k.op("BiasAdd", gate, k.weight(3, "b_carry")), k.op("BiasAdd", y, k.weight(2, "b"))
    gate = k.op("Sigmoid", gate)
    kept = k.op("Mul", k.op("Sub", k.like(1, gate), gate), k.x)
    return k.op("AddV2", k.op("Mul", activate(k, y, k.config.get("activation")), gate), kept)


@layer("MaxoutDense", weights=lambda la: (1 + has_bias(la), 0))
def maxout_dense(k: Call) -> Tensor:
    """The greatest of several dense layers' outputs."""
    features, rows, columns = k.array(0).shape
    kernel = k.weight(0, "W", np.ascontiguousarray(k.array(0).transpose(1, 0, 2)).reshape(rows, features * columns))
    y = k.op("MatMul", k.x, kernel)
    if k.config.get("use_bias", True):
        y = k.op("BiasAdd", y, k.weight(1, "b", k.array(1).reshape(-1)))
    return k.op("Max", k.reshape(y, [-1, features, columns]), k.ints(1), keep_dims=False)


@layer("ParametricSoftplus", weights=lambda la: (2, 0), masked=True)
def parametric_softplus(k: Call) -> Tensor:
    """alpha * softplus(beta * x)."""
    return k.op("Mul", k.weight(0, "alphas"), k.op("Softplus", k.op("Mul", k.weight(1, "betas"), k.x)))


@layer("SReLU", weights=lambda la: (4, 0), masked=True)
def s_relu(k: Call) -> Tensor:
    """Linear between two thresholds, with slopes of their own outside."""
    t_left, a_left, t_right, a_right = (k.weight(i, n) for i, n in enumerate(("t_left", "a_left", "t_right", "a_right")))
    t_right = k.op("AddV2", t_left, k.op("Abs", t_right))
    below = k.op("AddV2", t_left, k.op("Mul", a_left, k.op("Sub", k.x, t_left)))
    above = k.op("AddV2", t_right, k.op("Mul", a_right, k.op("Sub", k.x, t_right)))
    middle = k.op("SelectV2", k.op("Greater", k.x, t_left), k.x, below)
    return k.op("SelectV2", k.op("Less", k.x, t_right), middle, above)
