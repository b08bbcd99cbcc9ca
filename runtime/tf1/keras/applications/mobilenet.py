"""MobileNet and MobileNetV2."""

from __future__ import annotations

import warnings
from typing import Any

from runtime.tf1.keras import backend
from runtime.tf1.keras.applications.imagenet import File, Request, correct_pad, put_preprocessing, released, request
from runtime.tf1.keras.layers.advanced_activations import ReLU
from runtime.tf1.keras.layers.convolutional import Conv2D, DepthwiseConv2D, ZeroPadding2D
from runtime.tf1.keras.layers.core import Activation, Dropout, Reshape
from runtime.tf1.keras.layers.merge import Add
from runtime.tf1.keras.layers.normalization import BatchNormalization
from runtime.tf1.keras.layers.pooling import GlobalAveragePooling2D
from runtime.tf1.registry import export

V2_URL = "https://github.com/JonathanCMitchell/mobilenet_v2_keras/releases/download/v1.1/"
ALPHAS = {0.25: "2_5", 0.5: "5_0", 0.75: "7_5", 1.0: "1_0"}
SIZES = (128, 160, 192, 224)

# Filters and stride of the blocks after the first convolution.
BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))

# Of the second version: filters, stride of the first and number of the blocks.
BLOCKS_V2 = ((16, 1, 1), (24, 2, 2), (32, 2, 3), (64, 2, 4), (96, 1, 3), (160, 2, 3), (320, 1, 1))


def _axis() -> int:
    return 1 if backend.image_data_format() == "channels_first" else -1


def _sides(shape: Any) -> Any:
    """Rows and columns of a shape without its batch."""
    return shape[1:] if backend.image_data_format() == "channels_first" else shape[:2]


def _default_size(shape: Any, sizes: tuple[int, ...]) -> int:
    if shape is None:
        return 224
    rows, columns = _sides(shape)
    return int(rows) if rows == columns and rows in sizes else 224


def _rows(asked: Request, alpha: float, alphas: Any, sizes: tuple[int, ...]) -> Any:
    """The picture size that a model is named after, and of which the weights are."""
    rows, columns = _sides(asked.input_shape)
    if asked.weights != "imagenet":
        return rows
    if alpha not in alphas:
        raise ValueError(f"If imagenet weights are being loaded, alpha can be one of {', '.join(f'`{a}`' for a in alphas)} only.")
    if rows == columns and rows in sizes:
        return rows
    warnings.warn(
        f"`input_shape` is undefined or non-square, or `rows` is not in {list(sizes)}. Weights for input shape (224, 224) will be loaded as the default.",
        stacklevel=2,
    )
    return 224


def _block(x: Any, filters: int, multiplier: int, stride: int, number: int) -> Any:
    """A convolution of each channel, then one across them."""
    if stride != 1:
        x = ZeroPadding2D(((0, 1), (0, 1)), name=f"conv_pad_{number}")(x)
    x = DepthwiseConv2D(
        (3, 3),
        padding="same" if stride == 1 else "valid",
        depth_multiplier=multiplier,
        strides=(stride, stride),
        use_bias=False,
        name=f"conv_dw_{number}",
    )(x)
    x = ReLU(6.0, name=f"conv_dw_{number}_relu")(BatchNormalization(axis=_axis(), name=f"conv_dw_{number}_bn")(x))
    x = Conv2D(filters, (1, 1), padding="same", use_bias=False, strides=(1, 1), name=f"conv_pw_{number}")(x)
    return ReLU(6.0, name=f"conv_pw_{number}_relu")(BatchNormalization(axis=_axis(), name=f"conv_pw_{number}_bn")(x))


@export("keras.applications.mobilenet.MobileNet")
def MobileNet(
    input_shape: Any = None, alpha: float = 1.0, depth_multiplier: int = 1, dropout: float = 1e-3, include_top: bool = True, weights: Any = "imagenet",
    input_tensor: Any = None, pooling: Any = None, classes: int = 1000, **kwargs: Any,
) -> Any:  # fmt: skip
    asked = request(locals())
    entry = asked.entry(_default_size(input_shape, SIZES), 32)
    if weights == "imagenet" and depth_multiplier != 1:
        raise ValueError("If imagenet weights are being loaded, depth multiplier must be 1")
    rows = _rows(asked, alpha, ALPHAS, SIZES)
    x = ZeroPadding2D(padding=((0, 1), (0, 1)), name="conv1_pad")(entry)
    x = Conv2D(int(32 * alpha), (3, 3), padding="valid", use_bias=False, strides=(2, 2), name="conv1")(x)
    x = ReLU(6.0, name="conv1_relu")(BatchNormalization(axis=_axis(), name="conv1_bn")(x))
    for number, (filters, stride) in enumerate(BLOCKS, 1):
        x = _block(x, int(filters * alpha), depth_multiplier, stride, number)
    if include_top:
        width = int(1024 * alpha)
        x = GlobalAveragePooling2D()(x)
        x = Reshape((width, 1, 1) if _axis() == 1 else (1, 1, width), name="reshape_1")(x)
        x = Dropout(dropout, name="dropout")(x)
        x = Conv2D(classes, (1, 1), padding="same", name="conv_preds")(x)
        x = Activation("softmax", name="act_softmax")(Reshape((classes,), name="reshape_2")(x))
    else:
        x = asked.pooled(x)

    def saved() -> File:
        name = f"mobilenet_{ALPHAS[alpha]}_{rows}_tf{'' if include_top else '_no_top'}.h5"
        return File(released("v0.6") + name, name)

    return asked.model(entry, x, f"mobilenet_{alpha:.2f}_{rows}", saved)


def _divisible(value: float, divisor: int = 8) -> int:
    """The nearest multiple that is not more than a tenth below."""
    near = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return near + divisor if near < 0.9 * value else near


def _normal_v2(x: Any, name: str) -> Any:
    return BatchNormalization(axis=_axis(), epsilon=1e-3, momentum=0.999, name=name)(x)


def _inverted(x: Any, filters: int, stride: int, number: int) -> Any:
    """Wider, a convolution of each channel, narrower again; added to what came in where the shapes are the same."""
    past, channels = x, backend.int_shape(x)[_axis()]
    name = f"block_{number}_" if number else "expanded_conv_"
    if number:
        x = Conv2D(6 * channels, kernel_size=1, padding="same", use_bias=False, activation=None, name=f"{name}expand")(x)
        x = ReLU(6.0, name=f"{name}expand_relu")(_normal_v2(x, f"{name}expand_BN"))
    if stride == 2:
        x = ZeroPadding2D(padding=correct_pad(x, 3), name=f"{name}pad")(x)
    x = DepthwiseConv2D(
        kernel_size=3, strides=stride, activation=None, use_bias=False, padding="same" if stride == 1 else "valid", name=f"{name}depthwise"
    )(x)
    x = ReLU(6.0, name=f"{name}depthwise_relu")(_normal_v2(x, f"{name}depthwise_BN"))
    x = Conv2D(filters, kernel_size=1, padding="same", use_bias=False, activation=None, name=f"{name}project")(x)
    x = _normal_v2(x, f"{name}project_BN")
    return Add(name=f"{name}add")([past, x]) if channels == filters and stride == 1 else x


@export("keras.applications.mobilenet_v2.MobileNetV2")
def MobileNetV2(
    input_shape: Any = None, alpha: float = 1.0, include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None, pooling: Any = None,
    classes: int = 1000, **kwargs: Any,
) -> Any:  # fmt: skip
    asked = request(locals())
    sizes = (96, *SIZES)
    given = input_shape
    if input_tensor is not None and backend.is_keras_tensor(input_tensor):
        own = backend.int_shape(input_tensor)[1:]
        if given is not None and _sides(own)[1] != _sides(given)[1]:
            raise ValueError(f"input_shape: {given} and input_tensor: {input_tensor} do not meet the same shape requirements")
        given = given or own
    entry = asked.entry(_default_size(given, sizes), 32)
    rows = _rows(asked, alpha, (0.35, 0.50, 0.75, 1.0, 1.3, 1.4), sizes)
    x = ZeroPadding2D(padding=correct_pad(entry, 3), name="Conv1_pad")(entry)
    x = Conv2D(_divisible(32 * alpha), kernel_size=3, strides=(2, 2), padding="valid", use_bias=False, name="Conv1")(x)
    x = ReLU(6.0, name="Conv1_relu")(_normal_v2(x, "bn_Conv1"))
    number = 0
    for filters, stride, count in BLOCKS_V2:
        for k in range(count):
            x = _inverted(x, _divisible(int(filters * alpha)), stride if k == 0 else 1, number)
            number += 1
    x = Conv2D(_divisible(1280 * alpha) if alpha > 1.0 else 1280, kernel_size=1, use_bias=False, name="Conv_1")(x)
    x = ReLU(6.0, name="out_relu")(_normal_v2(x, "Conv_1_bn"))

    def saved() -> File:
        name = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_{rows}{'' if include_top else '_no_top'}.h5"
        return File(V2_URL + name, name)

    return asked.model(entry, asked.classified(x, None, "Logits"), f"mobilenetv2_{alpha:.2f}_{rows}", saved)


put_preprocessing("mobilenet", "tf")
put_preprocessing("mobilenet_v2", "tf")
