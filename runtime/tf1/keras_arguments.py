"""Layers that also take the arguments of Keras 1, as Keras 2 did with a warning."""

from __future__ import annotations

import functools
from typing import Any

_WEIGHTS = {
    "W_constraint": "kernel_constraint",
    "W_regularizer": "kernel_regularizer",
    "b_constraint": "bias_constraint",
    "b_regularizer": "bias_regularizer",
    "bias": "use_bias",
    "init": "kernel_initializer",
}
_PLANE = {"border_mode": "padding", "dim_ordering": "data_format"}
_CONVOLUTION = {**_WEIGHTS, **_PLANE, "atrous_rate": "dilation_rate", "nb_filter": "filters", "subsample": "strides"}
_LINE = {**_CONVOLUTION, "filter_length": "kernel_size", "subsample_length": "strides"}
_RECURRENT = {
    **_WEIGHTS,
    "U_regularizer": "recurrent_regularizer",
    "dropout_U": "recurrent_dropout",
    "dropout_W": "dropout",
    "inner_activation": "recurrent_activation",
    "inner_init": "recurrent_initializer",
    "output_dim": "units",
}
_POOL = {**_PLANE, "pool_length": "pool_size", "stride": "strides"}

# Layer -> argument of Keras 1 -> that of Keras 2.
RENAMED = {
    "AveragePooling1D": _POOL,
    "AveragePooling2D": _POOL,
    "AveragePooling3D": _POOL,
    "BatchNormalization": {"beta_init": "beta_initializer", "gamma_init": "gamma_initializer"},
    "Conv1D": _LINE,
    "Conv2D": _CONVOLUTION,
    "Conv2DTranspose": _CONVOLUTION,
    "Conv3D": _CONVOLUTION,
    "Cropping2D": _PLANE,
    "Dense": {**_WEIGHTS, "output_dim": "units"},
    "Dropout": {"p": "rate"},
    "Embedding": {"W_constraint": "embeddings_constraint", "W_regularizer": "embeddings_regularizer", "init": "embeddings_initializer"},
    "Flatten": {},
    "GRU": _RECURRENT,
    "GaussianDropout": {"p": "rate"},
    "GaussianNoise": {"sigma": "stddev"},
    "GlobalAveragePooling2D": _PLANE,
    "GlobalMaxPooling2D": _PLANE,
    "LSTM": _RECURRENT,
    "MaxPooling1D": _POOL,
    "MaxPooling2D": _POOL,
    "MaxPooling3D": _POOL,
    "SeparableConv2D": _CONVOLUTION,
    "SimpleRNN": _RECURRENT,
    "SpatialDropout1D": {"p": "rate"},
    "SpatialDropout2D": {"p": "rate"},
    "UpSampling1D": {"length": "size"},
    "UpSampling2D": _PLANE,
    "ZeroPadding2D": _PLANE,
}

# Arguments of Keras 1 that nothing came after.
DROPPED = frozenset({"consume_less", "forget_bias_init", "mode"})

FORMATS = {"default": None, "tf": "channels_last", "th": "channels_first"}
SIZES = {"Conv2D": ("nb_row", "nb_col"), "Conv2DTranspose": ("nb_row", "nb_col"), "SeparableConv2D": ("nb_row", "nb_col")}
SIZES["Conv3D"] = ("kernel_dim1", "kernel_dim2", "kernel_dim3")


def translated(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a layer of Keras 1 as Keras 2 names them; those of Keras 2 stay."""
    renamed, sides = RENAMED[name], SIZES.get(name, ())
    count = len(sides)
    if count and len(args) > count and all(isinstance(a, int) for a in args[1 : count + 1]):  # Convolution2D(64, 3, 3)
        args = (args[0], tuple(args[1 : count + 1]), *args[count + 1 :])
    given = dict(kwargs)
    if sides and sides[0] in given:
        given["kernel_size"] = tuple(given.pop(s) for s in sides)
    for old in DROPPED & set(given):
        if old != "mode" or name == "BatchNormalization":
            del given[old]
    for old, new in renamed.items():
        if old in given and old != new:
            given.setdefault(new, given.pop(old))
    if given.get("data_format") in FORMATS:
        given["data_format"] = FORMATS[given["data_format"]]
    if name in ("LSTM", "GRU", "SimpleRNN") and "input_dim" in given:
        given["input_shape"] = (given.pop("input_length", None), given.pop("input_dim"))
    return args, given


@functools.cache
def accepting(layer: type) -> type:
    """The layer class as one that takes both kinds of arguments; instances of either are instances of it."""

    class Either(type(layer)):  # type: ignore[misc]
        def __instancecheck__(cls, instance: Any) -> bool:
            return isinstance(instance, layer) if cls is made else super().__instancecheck__(instance)

    def begin(self: Any, *args: Any, **kwargs: Any) -> None:
        if type(self) is made:
            args, kwargs = translated(layer.__name__, args, kwargs)
        layer.__init__(self, *args, **kwargs)

    made: Any = Either(layer.__name__, (layer,), {"__init__": begin, "__module__": layer.__module__, "__qualname__": layer.__qualname__})
    return made  # type: ignore[no-any-return]
