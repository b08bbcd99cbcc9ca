"""Xception."""

from __future__ import annotations

from typing import Any

from runtime.tf1.keras import backend
from runtime.tf1.keras.applications.imagenet import files, put_preprocessing, released, request
from runtime.tf1.keras.layers.convolutional import Conv2D, SeparableConv2D
from runtime.tf1.keras.layers.core import Activation
from runtime.tf1.keras.layers.merge import add
from runtime.tf1.keras.layers.normalization import BatchNormalization
from runtime.tf1.keras.layers.pooling import MaxPooling2D
from runtime.tf1.registry import export

FILES = files(released("v0.4"), "xception", "0a58e3b7378bc2990ea3b43d5981f1f6", "b0042744bf5b25fce3cb969f33bebb97")


def _normal(x: Any, name: str | None = None) -> Any:
    return BatchNormalization(axis=1 if backend.image_data_format() == "channels_first" else -1, name=name)(x)


def _separable(x: Any, filters: int, name: str) -> Any:
    x = SeparableConv2D(filters, (3, 3), padding="same", use_bias=False, name=name)(x)
    return _normal(x, f"{name}_bn")


def _relu(x: Any, name: str) -> Any:
    return Activation("relu", name=name)(x)


def _halving(x: Any, block: int, first: int, second: int) -> Any:
    """Two separable convolutions and a pooling, beside a strided convolution; the very first block has no activation before."""
    past = _normal(Conv2D(second, (1, 1), strides=(2, 2), padding="same", use_bias=False)(x))
    if block > 2:
        x = _relu(x, f"block{block}_sepconv1_act")
    x = _separable(x, first, f"block{block}_sepconv1")
    x = _separable(_relu(x, f"block{block}_sepconv2_act"), second, f"block{block}_sepconv2")
    return add([MaxPooling2D((3, 3), strides=(2, 2), padding="same", name=f"block{block}_pool")(x), past])


@export("keras.applications.xception.Xception")
def Xception(
    include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None, input_shape: Any = None, pooling: Any = None, classes: int = 1000,
    **kwargs: Any,
) -> Any:  # fmt: skip
    asked = request(locals())
    entry = asked.entry(299, 71)
    x = Conv2D(32, (3, 3), strides=(2, 2), use_bias=False, name="block1_conv1")(entry)
    x = _relu(_normal(x, "block1_conv1_bn"), "block1_conv1_act")
    x = Conv2D(64, (3, 3), use_bias=False, name="block1_conv2")(x)
    x = _relu(_normal(x, "block1_conv2_bn"), "block1_conv2_act")
    for block, width in ((2, 128), (3, 256), (4, 728)):
        x = _halving(x, block, width, width)
    for block in range(5, 13):
        past = x
        for k in range(1, 4):
            x = _separable(_relu(x, f"block{block}_sepconv{k}_act"), 728, f"block{block}_sepconv{k}")
        x = add([x, past])
    x = _halving(x, 13, 728, 1024)
    for k, width in ((1, 1536), (2, 2048)):
        x = _relu(_separable(x, width, f"block14_sepconv{k}"), f"block14_sepconv{k}_act")
    return asked.model(entry, asked.classified(x, "avg_pool", "predictions"), "xception", FILES)


put_preprocessing("xception", "tf")
