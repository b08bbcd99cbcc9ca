"""VGG16 and VGG19."""

from __future__ import annotations

from typing import Any

from runtime.tf1.keras.applications.imagenet import File, files, put_preprocessing, released, request
from runtime.tf1.keras.layers.convolutional import Conv2D
from runtime.tf1.keras.layers.core import Dense, Flatten
from runtime.tf1.keras.layers.pooling import MaxPooling2D
from runtime.tf1.registry import export

FILES: dict[str, tuple[File, File]] = {
    "vgg16": files(released("v0.1"), "vgg16", "64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc"),
    "vgg19": files(released("v0.1"), "vgg19", "cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6"),
}


def _vgg(name: str, depths: tuple[int, ...], arguments: dict[str, Any]) -> Any:
    """Blocks of convolutions, each half the size and twice the width of the one before, up to 512."""
    asked = request(arguments)
    entry = x = asked.entry(224, 32)
    for block, (depth, width) in enumerate(zip(depths, (64, 128, 256, 512, 512), strict=True), 1):
        for k in range(1, depth + 1):
            x = Conv2D(width, (3, 3), activation="relu", padding="same", name=f"block{block}_conv{k}")(x)
        x = MaxPooling2D((2, 2), strides=(2, 2), name=f"block{block}_pool")(x)
    if asked.include_top:
        x = Flatten(name="flatten")(x)
        x = Dense(4096, activation="relu", name="fc1")(x)
        x = Dense(4096, activation="relu", name="fc2")(x)
        x = Dense(asked.classes, activation="softmax", name="predictions")(x)
    else:
        x = asked.pooled(x)
    return asked.model(entry, x, name, FILES[name])


@export("keras.applications.vgg16.VGG16")
def VGG16(
    include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None, input_shape: Any = None, pooling: Any = None, classes: int = 1000,
    **kwargs: Any,
) -> Any:  # fmt: skip
    return _vgg("vgg16", (2, 2, 3, 3, 3), locals())


@export("keras.applications.vgg19.VGG19")
def VGG19(
    include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None, input_shape: Any = None, pooling: Any = None, classes: int = 1000,
    **kwargs: Any,
) -> Any:  # fmt: skip
    return _vgg("vgg19", (2, 2, 4, 4, 4), locals())


put_preprocessing("vgg16", "caffe")
put_preprocessing("vgg19", "caffe")
