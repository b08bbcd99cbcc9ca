"""InceptionV3 and Inception-ResNet V2."""

from __future__ import annotations

from typing import Any

from runtime.tf1.keras import backend
from runtime.tf1.keras.applications.imagenet import channel_axis, files, put_preprocessing, released, request
from runtime.tf1.keras.layers.convolutional import Conv2D
from runtime.tf1.keras.layers.core import Activation, Lambda
from runtime.tf1.keras.layers.merge import Concatenate
from runtime.tf1.keras.layers.normalization import BatchNormalization
from runtime.tf1.keras.layers.pooling import AveragePooling2D, MaxPooling2D
from runtime.tf1.registry import export

V3_FILES = files(released("v0.5"), "inception_v3", "9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63")
RESNET_FILES = files(released("v0.7"), "inception_resnet_v2", "e693bd0210a403b3192acc6073ad2e96", "d19885ff4a710c122648d3b5c3b684e4")

# A convolution of a branch: (filters, rows, columns), with "valid" behind it where it halves the picture.
Step = tuple[Any, ...]


def _conv(x: Any, filters: int, rows: int, columns: int, strides: int = 1, padding: str = "same") -> Any:
    """A convolution, its normalization and its activation."""
    x = Conv2D(filters, (rows, columns), strides=strides, padding=padding, use_bias=False)(x)
    return Activation("relu")(BatchNormalization(axis=channel_axis(), scale=False)(x))


def _branch(x: Any, *steps: Step) -> Any:
    for step in steps:
        x = _conv(x, *step[:3], strides=2, padding="valid") if step[3:] else _conv(x, *step)
    return x


def _pooled(x: Any, filters: int) -> Any:
    return _conv(AveragePooling2D((3, 3), strides=(1, 1), padding="same")(x), filters, 1, 1)


def _joined(branches: list[Any], name: str | None = None) -> Any:
    return Concatenate(axis=channel_axis(), name=name)(branches)


def _stem(x: Any) -> Any:
    x = _conv(x, 32, 3, 3, strides=2, padding="valid")
    x = _conv(x, 32, 3, 3, padding="valid")
    x = MaxPooling2D((3, 3), strides=(2, 2))(_conv(x, 64, 3, 3))
    x = _conv(x, 80, 1, 1, padding="valid")
    return MaxPooling2D((3, 3), strides=(2, 2))(_conv(x, 192, 3, 3, padding="valid"))


@export("keras.applications.inception_v3.InceptionV3")
def InceptionV3(
    include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None, input_shape: Any = None, pooling: Any = None, classes: int = 1000,
    **kwargs: Any,
) -> Any:  # fmt: skip
    asked = request(locals())
    entry = asked.entry(299, 75)
    x = _stem(entry)
    for k, filters in enumerate((32, 64, 64)):
        branches = [
            _branch(x, (64, 1, 1)),
            _branch(x, (48, 1, 1), (64, 5, 5)),
            _branch(x, (64, 1, 1), (96, 3, 3), (96, 3, 3)),
            _pooled(x, filters),
        ]
        x = _joined(branches, f"mixed{k}")
    branches = [_branch(x, (384, 3, 3, "valid")), _branch(x, (64, 1, 1), (96, 3, 3), (96, 3, 3, "valid"))]
    x = _joined([*branches, MaxPooling2D((3, 3), strides=(2, 2))(x)], "mixed3")
    for k, n in enumerate((128, 160, 160, 192), 4):
        branches = [
            _branch(x, (192, 1, 1)),
            _branch(x, (n, 1, 1), (n, 1, 7), (192, 7, 1)),
            _branch(x, (n, 1, 1), (n, 7, 1), (n, 1, 7), (n, 7, 1), (192, 1, 7)),
            _pooled(x, 192),
        ]
        x = _joined(branches, f"mixed{k}")
    branches = [_branch(x, (192, 1, 1), (320, 3, 3, "valid")), _branch(x, (192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3, "valid"))]
    x = _joined([*branches, MaxPooling2D((3, 3), strides=(2, 2))(x)], "mixed8")
    for k in range(2):
        one = _branch(x, (320, 1, 1))
        three = _branch(x, (384, 1, 1))
        three = _joined([_branch(three, (384, 1, 3)), _branch(three, (384, 3, 1))], f"mixed9_{k}")
        double = _branch(x, (448, 1, 1), (384, 3, 3))
        double = _joined([_branch(double, (384, 1, 3)), _branch(double, (384, 3, 1))])
        x = _joined([one, three, double, _pooled(x, 192)], f"mixed{9 + k}")
    return asked.model(entry, asked.classified(x, "avg_pool", "predictions"), "inception_v3", V3_FILES)


# Kind of block -> its branches.
RESIDUAL: dict[str, tuple[tuple[Step, ...], ...]] = {
    "block17": (((192, 1, 1),), ((128, 1, 1), (160, 1, 7), (192, 7, 1))),
    "block35": (((32, 1, 1),), ((32, 1, 1), (32, 3, 3)), ((32, 1, 1), (48, 3, 3), (64, 3, 3))),
    "block8": (((192, 1, 1),), ((192, 1, 1), (224, 1, 3), (256, 3, 1))),
}


def _scaled(inputs: Any, scale: float) -> Any:
    return inputs[0] + inputs[1] * scale


def _residual(x: Any, kind: str, number: int, scale: float, activation: bool = True) -> Any:
    """The branches, scaled, added to what came in."""
    name = f"{kind}_{number}"
    mixed = _joined([_branch(x, *steps) for steps in RESIDUAL[kind]], f"{name}_mixed")
    shape = backend.int_shape(x)
    up = Conv2D(shape[channel_axis()], 1, strides=1, padding="same", use_bias=True, name=f"{name}_conv")(mixed)
    x = Lambda(_scaled, output_shape=shape[1:], arguments={"scale": scale}, name=name)([x, up])
    return Activation("relu", name=f"{name}_ac")(x) if activation else x


@export("keras.applications.inception_resnet_v2.InceptionResNetV2")
def InceptionResNetV2(
    include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None, input_shape: Any = None, pooling: Any = None, classes: int = 1000,
    **kwargs: Any,
) -> Any:  # fmt: skip
    asked = request(locals())
    entry = asked.entry(299, 75)
    x = _stem(entry)
    branches = [_branch(x, (96, 1, 1)), _branch(x, (48, 1, 1), (64, 5, 5)), _branch(x, (64, 1, 1), (96, 3, 3), (96, 3, 3)), _pooled(x, 64)]
    x = _joined(branches, "mixed_5b")
    for k in range(1, 11):
        x = _residual(x, "block35", k, 0.17)
    branches = [_branch(x, (384, 3, 3, "valid")), _branch(x, (256, 1, 1), (256, 3, 3), (384, 3, 3, "valid"))]
    x = _joined([*branches, MaxPooling2D(3, strides=2, padding="valid")(x)], "mixed_6a")
    for k in range(1, 21):
        x = _residual(x, "block17", k, 0.1)
    branches = [
        _branch(x, (256, 1, 1), (384, 3, 3, "valid")),
        _branch(x, (256, 1, 1), (288, 3, 3, "valid")),
        _branch(x, (256, 1, 1), (288, 3, 3), (320, 3, 3, "valid")),
    ]
    x = _joined([*branches, MaxPooling2D(3, strides=2, padding="valid")(x)], "mixed_7a")
    for k in range(1, 11):
        x = _residual(x, "block8", k, 0.2 if k < 10 else 1.0, activation=k < 10)
    x = Conv2D(1536, 1, strides=1, padding="same", use_bias=False, name="conv_7b")(x)
    x = Activation("relu", name="conv_7b_ac")(BatchNormalization(axis=channel_axis(), scale=False, name="conv_7b_bn")(x))
    return asked.model(entry, asked.classified(x, "avg_pool", "predictions"), "inception_resnet_v2", RESNET_FILES)


put_preprocessing("inception_v3", "tf")
put_preprocessing("inception_resnet_v2", "tf")
