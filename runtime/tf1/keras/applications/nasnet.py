"""NASNet-A, large and mobile."""

from __future__ import annotations

from typing import Any

from runtime.tf1.keras import backend
from runtime.tf1.keras.applications.imagenet import File, correct_pad, put_preprocessing, request
from runtime.tf1.keras.layers.convolutional import Conv2D, Cropping2D, SeparableConv2D, ZeroPadding2D
from runtime.tf1.keras.layers.core import Activation
from runtime.tf1.keras.layers.merge import add, concatenate
from runtime.tf1.keras.layers.normalization import BatchNormalization
from runtime.tf1.keras.layers.pooling import AveragePooling2D, MaxPooling2D
from runtime.tf1.registry import export

_URL = "https://github.com/titu1994/Keras-NASNet/releases/download/v1.2/"

# Picture size -> the weights files, with the classifier and without.
FILES = {
    224: (
        File(f"{_URL}NASNet-mobile.h5", "nasnet_mobile.h5", "020fb642bf7360b370c678b08e0adf61"),
        File(f"{_URL}NASNet-mobile-no-top.h5", "nasnet_mobile_no_top.h5", "1ed92395b5b598bdda52abe5c0dbfd63"),
    ),
    331: (
        File(f"{_URL}NASNet-large.h5", "nasnet_large.h5", "11577c9a518f0070763c2b964a382f17"),
        File(f"{_URL}NASNet-large-no-top.h5", "nasnet_large_no_top.h5", "d81d89dc07e6e56530c4e77faddd61b5"),
    ),
}
_MULTIPLIER = 2  # how much wider each of the three stacks is than the one before


def _normal(x: Any, name: str) -> Any:
    return BatchNormalization(axis=-1, momentum=0.9997, epsilon=1e-3, name=name)(x)


def _conv(x: Any, filters: int, name: str) -> Any:
    return Conv2D(filters, (1, 1), strides=(1, 1), padding="same", name=name, use_bias=False, kernel_initializer="he_normal")(x)


def _separable(x: Any, filters: int, size: int, block: str, strides: int = 1) -> Any:
    """Twice: activation, separable convolution, normalization."""
    with backend.name_scope(f"separable_conv_block_{block}"):
        for k in (1, 2):
            x = Activation("relu")(x)
            halved = strides == 2 and k == 1
            if halved:
                x = ZeroPadding2D(padding=correct_pad(x, size), name=f"separable_conv_1_pad_{block}")(x)
            x = SeparableConv2D(
                filters,
                (size, size),
                strides=(2, 2) if halved else (1, 1),
                name=f"separable_conv_{k}_{block}",
                padding="valid" if halved else "same",
                use_bias=False,
                kernel_initializer="he_normal",
            )(x)
            x = _normal(x, f"separable_conv_{k}_bn_{block}")
    return x


def _adjusted(p: Any, x: Any, filters: int, block: str) -> Any:
    """The output of the cell before the last, in the size and width of this one."""
    if p is None:
        return x
    with backend.name_scope("adjust_block"):
        if backend.int_shape(p)[-2] != backend.int_shape(x)[-2]:
            with backend.name_scope(f"adjust_reduction_block_{block}"):
                p = Activation("relu", name=f"adjust_relu_1_{block}")(p)
                one = AveragePooling2D((1, 1), strides=(2, 2), padding="valid", name=f"adjust_avg_pool_1_{block}")(p)
                one = Conv2D(
                    filters // 2, (1, 1), padding="same", use_bias=False, name=f"adjust_conv_1_{block}", kernel_initializer="he_normal"
                )(one)
                two = Cropping2D(cropping=((1, 0), (1, 0)))(ZeroPadding2D(padding=((0, 1), (0, 1)))(p))
                two = AveragePooling2D((1, 1), strides=(2, 2), padding="valid", name=f"adjust_avg_pool_2_{block}")(two)
                two = Conv2D(
                    filters // 2, (1, 1), padding="same", use_bias=False, name=f"adjust_conv_2_{block}", kernel_initializer="he_normal"
                )(two)
                return _normal(concatenate([one, two], axis=-1), f"adjust_bn_{block}")
        if backend.int_shape(p)[-1] != filters:
            with backend.name_scope(f"adjust_projection_block_{block}"):
                return _normal(_conv(Activation("relu")(p), filters, f"adjust_conv_projection_{block}"), f"adjust_bn_{block}")
    return p


def _mean(x: Any, name: str, strides: int = 1, padding: str = "same") -> Any:
    return AveragePooling2D((3, 3), strides=(strides, strides), padding=padding, name=name)(x)


def _largest(x: Any, name: str) -> Any:
    return MaxPooling2D((3, 3), strides=(2, 2), padding="valid", name=name)(x)


def _normal_cell(x: Any, p: Any, filters: int, block: str) -> tuple[Any, Any]:
    with backend.name_scope(f"normal_A_block_{block}"):
        entry = x
        p = _adjusted(p, x, filters, block)
        h = _normal(_conv(Activation("relu")(x), filters, f"normal_conv_1_{block}"), f"normal_bn_1_{block}")
        with backend.name_scope("block_1"):
            left, right = _separable(h, filters, 5, f"normal_left1_{block}"), _separable(p, filters, 3, f"normal_right1_{block}")
            one = add([left, right], name=f"normal_add_1_{block}")
        with backend.name_scope("block_2"):
            left, right = _separable(p, filters, 5, f"normal_left2_{block}"), _separable(p, filters, 3, f"normal_right2_{block}")
            two = add([left, right], name=f"normal_add_2_{block}")
        with backend.name_scope("block_3"):
            three = add([_mean(h, f"normal_left3_{block}"), p], name=f"normal_add_3_{block}")
        with backend.name_scope("block_4"):
            four = add([_mean(p, f"normal_left4_{block}"), _mean(p, f"normal_right4_{block}")], name=f"normal_add_4_{block}")
        with backend.name_scope("block_5"):
            five = add([_separable(h, filters, 3, f"normal_left5_{block}"), h], name=f"normal_add_5_{block}")
        return concatenate([p, one, two, three, four, five], axis=-1, name=f"normal_concat_{block}"), entry


def _reduction_cell(x: Any, p: Any, filters: int, block: str) -> tuple[Any, Any]:
    with backend.name_scope(f"reduction_A_block_{block}"):
        entry = x
        p = _adjusted(p, x, filters, block)
        h = _normal(_conv(Activation("relu")(x), filters, f"reduction_conv_1_{block}"), f"reduction_bn_1_{block}")
        padded = ZeroPadding2D(padding=correct_pad(h, 3), name=f"reduction_pad_1_{block}")(h)
        with backend.name_scope("block_1"):
            left, right = (
                _separable(h, filters, 5, f"reduction_left1_{block}", 2),
                _separable(p, filters, 7, f"reduction_right1_{block}", 2),
            )
            one = add([left, right], name=f"reduction_add_1_{block}")
        with backend.name_scope("block_2"):
            left, right = _largest(padded, f"reduction_left2_{block}"), _separable(p, filters, 7, f"reduction_right2_{block}", 2)
            two = add([left, right], name=f"reduction_add_2_{block}")
        with backend.name_scope("block_3"):
            left = _mean(padded, f"reduction_left3_{block}", 2, "valid")
            three = add([left, _separable(p, filters, 5, f"reduction_right3_{block}", 2)], name=f"reduction_add3_{block}")
        with backend.name_scope("block_4"):
            four = add([two, _mean(one, f"reduction_left4_{block}")])
        with backend.name_scope("block_5"):
            left, right = _separable(one, filters, 3, f"reduction_left4_{block}"), _largest(padded, f"reduction_right5_{block}")
            five = add([left, right], name=f"reduction_add4_{block}")
        return concatenate([two, three, four, five], axis=-1, name=f"reduction_concat_{block}"), entry


def _nasnet(size: int, width: int, blocks: int, stem: int, skip: bool, arguments: dict[str, Any]) -> Any:
    asked = request(arguments)
    if isinstance(asked.input_shape, tuple) and None in asked.input_shape and asked.weights == "imagenet":
        raise ValueError(
            f"When specifying the input shape of a NASNet and loading `ImageNet` weights, the input_shape argument must be static (no None entries). Got: `input_shape={asked.input_shape}`."
        )
    before = backend.image_data_format()
    backend.set_image_data_format("channels_last")  # the only one that these networks have
    try:
        entry = asked.entry(size, 32, flat=True)
        filters = width // 24
        x = Conv2D(stem, (3, 3), strides=(2, 2), padding="valid", use_bias=False, name="stem_conv1", kernel_initializer="he_normal")(entry)
        x, p = _reduction_cell(_normal(x, "stem_bn1"), None, filters // _MULTIPLIER**2, "stem_1")
        x, p = _reduction_cell(x, p, filters // _MULTIPLIER, "stem_2")
        for stack in range(3):
            if stack:
                x, last = _reduction_cell(x, p, filters * _MULTIPLIER**stack, f"reduce_{stack * blocks}")
                p = p if skip else last
            for k in range(blocks):
                x, p = _normal_cell(x, p, filters * _MULTIPLIER**stack, str(stack * blocks + k + (stack > 0)))
        return asked.model(entry, asked.classified(Activation("relu")(x), None, "predictions"), "NASNet", FILES[size])
    finally:
        backend.set_image_data_format(before)


@export("keras.applications.nasnet.NASNetLarge")
def NASNetLarge(
    input_shape: Any = None, include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None, pooling: Any = None, classes: int = 1000,
    **kwargs: Any,
) -> Any:  # fmt: skip
    return _nasnet(331, 4032, 6, 96, True, locals())


@export("keras.applications.nasnet.NASNetMobile")
def NASNetMobile(
    input_shape: Any = None, include_top: bool = True, weights: Any = "imagenet", input_tensor: Any = None, pooling: Any = None, classes: int = 1000,
    **kwargs: Any,
) -> Any:  # fmt: skip
    return _nasnet(224, 1056, 4, 32, False, locals())


put_preprocessing("nasnet", "tf")
