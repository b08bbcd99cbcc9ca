"""DenseNet121, 169 and 201."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.tf1.keras import backend
from runtime.tf1.keras.applications.imagenet import KERAS_TEAM, File, channel_axis, files, put_preprocessing, request
from runtime.tf1.keras.layers.convolutional import Conv2D, ZeroPadding2D
from runtime.tf1.keras.layers.core import Activation
from runtime.tf1.keras.layers.merge import Concatenate
from runtime.tf1.keras.layers.normalization import BatchNormalization
from runtime.tf1.keras.layers.pooling import AveragePooling2D, MaxPooling2D
from runtime.tf1.registry import put

GROWTH = 32

# Layers -> blocks of each of the four stacks.
DEPTHS = {121: (6, 12, 24, 16), 169: (6, 12, 32, 32), 201: (6, 12, 48, 32)}
_HASHES = {
    121: ("9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738"),
    169: ("d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b"),
    201: ("1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1"),
}
FILES: dict[int, tuple[File, File]] = {n: files(f"{KERAS_TEAM}densenet/", f"densenet{n}", *hashes) for n, hashes in _HASHES.items()}


def _ready(x: Any, bn: str, relu: str) -> Any:
    return Activation("relu", name=relu)(BatchNormalization(axis=channel_axis(), epsilon=1.001e-5, name=bn)(x))


def _block(x: Any, name: str) -> Any:
    """What comes in, and GROWTH new channels beside it."""
    new = Conv2D(4 * GROWTH, 1, use_bias=False, name=f"{name}_1_conv")(_ready(x, f"{name}_0_bn", f"{name}_0_relu"))
    new = Conv2D(GROWTH, 3, padding="same", use_bias=False, name=f"{name}_2_conv")(_ready(new, f"{name}_1_bn", f"{name}_1_relu"))
    return Concatenate(axis=channel_axis(), name=f"{name}_concat")([x, new])


def _transition(x: Any, name: str) -> Any:
    """Half the channels, half the size."""
    x = _ready(x, f"{name}_bn", f"{name}_relu")
    x = Conv2D(int(backend.int_shape(x)[channel_axis()] * 0.5), 1, use_bias=False, name=f"{name}_conv")(x)
    return AveragePooling2D(2, strides=2, name=f"{name}_pool")(x)


def _network(layers: int) -> Callable[..., Any]:
    def network(
        include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None, input_shape: Any = None, pooling: Any = None, classes: int = 1000,
        **kwargs: Any,
    ) -> Any:  # fmt: skip
        asked = request(locals())
        entry = asked.entry(224, 32)
        x = ZeroPadding2D(padding=((3, 3), (3, 3)))(entry)
        x = Conv2D(64, 7, strides=2, use_bias=False, name="conv1/conv")(x)
        x = ZeroPadding2D(padding=((1, 1), (1, 1)))(_ready(x, "conv1/bn", "conv1/relu"))
        x = MaxPooling2D(3, strides=2, name="pool1")(x)
        for number, depth in enumerate(DEPTHS[layers], 2):
            for k in range(1, depth + 1):
                x = _block(x, f"conv{number}_block{k}")
            x = _ready(x, "bn", "relu") if number == 5 else _transition(x, f"pool{number}")
        return asked.model(entry, asked.classified(x, "avg_pool", "fc1000", named_pools=True), f"densenet{layers}", FILES[layers])

    network.__name__ = f"DenseNet{layers}"
    return network


for _layers in DEPTHS:
    put(f"keras.applications.densenet.DenseNet{_layers}", _network(_layers))
put_preprocessing("densenet", "torch")
