"""ResNet50, 101 and 152, of both versions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.tf1.keras.applications.imagenet import KERAS_TEAM, File, channel_axis, files, put_preprocessing, request
from runtime.tf1.keras.layers.convolutional import Conv2D, ZeroPadding2D
from runtime.tf1.keras.layers.core import Activation
from runtime.tf1.keras.layers.merge import Add
from runtime.tf1.keras.layers.normalization import BatchNormalization
from runtime.tf1.keras.layers.pooling import MaxPooling2D
from runtime.tf1.registry import put

_HASHES = {
    "resnet101": ("f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21"),
    "resnet101v2": ("6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5"),
    "resnet152": ("100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
    "resnet152v2": ("a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33"),
    "resnet50": ("2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626"),
    "resnet50v2": ("3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917"),
}
FILES: dict[str, tuple[File, File]] = {n: files(f"{KERAS_TEAM}resnet/", n, *hashes) for n, hashes in _HASHES.items()}

# Layers -> blocks of each of the four stacks, whose bottlenecks are 64, 128, 256 and 512 wide.
DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
WIDTHS = (64, 128, 256, 512)


def _normal(x: Any, name: str) -> Any:
    return BatchNormalization(axis=channel_axis(), epsilon=1.001e-5, name=name)(x)


def _relu(x: Any, name: str) -> Any:
    return Activation("relu", name=name)(x)


def block(x: Any, width: int, name: str, stride: int = 1, projected: bool = False) -> Any:
    """A bottleneck and what goes past it, then the activation."""
    past = x
    if projected:
        past = _normal(Conv2D(4 * width, 1, strides=stride, name=f"{name}_0_conv")(x), f"{name}_0_bn")
    x = _relu(_normal(Conv2D(width, 1, strides=stride, name=f"{name}_1_conv")(x), f"{name}_1_bn"), f"{name}_1_relu")
    x = _relu(_normal(Conv2D(width, 3, padding="same", name=f"{name}_2_conv")(x), f"{name}_2_bn"), f"{name}_2_relu")
    x = _normal(Conv2D(4 * width, 1, name=f"{name}_3_conv")(x), f"{name}_3_bn")
    return _relu(Add(name=f"{name}_add")([past, x]), f"{name}_out")


def block_v2(x: Any, width: int, name: str, stride: int = 1, projected: bool = False) -> Any:
    """A bottleneck whose activations come first."""
    ready = _relu(_normal(x, f"{name}_preact_bn"), f"{name}_preact_relu")
    if projected:
        past = Conv2D(4 * width, 1, strides=stride, name=f"{name}_0_conv")(ready)
    else:
        past = MaxPooling2D(1, strides=stride)(x) if stride > 1 else x
    x = Conv2D(width, 1, strides=1, use_bias=False, name=f"{name}_1_conv")(ready)
    x = _relu(_normal(x, f"{name}_1_bn"), f"{name}_1_relu")
    x = ZeroPadding2D(padding=((1, 1), (1, 1)), name=f"{name}_2_pad")(x)
    x = Conv2D(width, 3, strides=stride, use_bias=False, name=f"{name}_2_conv")(x)
    x = _relu(_normal(x, f"{name}_2_bn"), f"{name}_2_relu")
    x = Conv2D(4 * width, 1, name=f"{name}_3_conv")(x)
    return Add(name=f"{name}_out")([past, x])


def _stacks(x: Any, depths: tuple[int, ...]) -> Any:
    """Of the first version: the first block of a stack halves the picture, but in the first stack."""
    for number, (depth, width) in enumerate(zip(depths, WIDTHS, strict=True), 2):
        x = block(x, width, f"conv{number}_block1", stride=1 if number == 2 else 2, projected=True)
        for k in range(2, depth + 1):
            x = block(x, width, f"conv{number}_block{k}")
    return x


def _stacks_v2(x: Any, depths: tuple[int, ...]) -> Any:
    """Of the second version: the last block of a stack halves the picture, but in the last stack."""
    for number, (depth, width) in enumerate(zip(depths, WIDTHS, strict=True), 2):
        x = block_v2(x, width, f"conv{number}_block1", projected=True)
        for k in range(2, depth):
            x = block_v2(x, width, f"conv{number}_block{k}")
        x = block_v2(x, width, f"conv{number}_block{depth}", stride=1 if number == 5 else 2)
    return x


def _network(layers: int, second: bool) -> Callable[..., Any]:
    name = f"resnet{layers}{'v2' if second else ''}"

    def network(
        include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None, input_shape: Any = None, pooling: Any = None, classes: int = 1000,
        **kwargs: Any,
    ) -> Any:  # fmt: skip
        asked = request(locals())
        entry = asked.entry(224, 32)
        x = ZeroPadding2D(padding=((3, 3), (3, 3)), name="conv1_pad")(entry)
        x = Conv2D(64, 7, strides=2, use_bias=True, name="conv1_conv")(x)
        if not second:
            x = _relu(_normal(x, "conv1_bn"), "conv1_relu")
        x = ZeroPadding2D(padding=((1, 1), (1, 1)), name="pool1_pad")(x)
        x = MaxPooling2D(3, strides=2, name="pool1_pool")(x)
        if second:
            x = _relu(_normal(_stacks_v2(x, DEPTHS[layers]), "post_bn"), "post_relu")
        else:
            x = _stacks(x, DEPTHS[layers])
        return asked.model(entry, asked.classified(x, "avg_pool", "probs", named_pools=True), name, FILES[name])

    network.__name__ = f"ResNet{layers}{'V2' if second else ''}"
    return network


for _layers in DEPTHS:
    put(f"keras.applications.resnet.ResNet{_layers}", _network(_layers, False))
    put(f"keras.applications.resnet_v2.ResNet{_layers}V2", _network(_layers, True))
put_preprocessing("resnet", "caffe")
put_preprocessing("resnet_v2", "tf")
