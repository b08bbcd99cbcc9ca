"""tf.image: colours, brightness and contrast, and measures of likeness."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools.dtypes import as_dtype, float16, float32, int32
from runtime.tf1 import array_ops, math_ops, nn_ops, random_ops
from runtime.tf1.control_flow import cond
from runtime.tf1.control_flow_ops import with_dependencies
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.image_checks import check, checked_image
from runtime.tf1.modules import lookup
from runtime.tf1.registry import export


@export("image.convert_image_dtype")
def convert_image_dtype(image: Any, dtype: Any, saturate: bool = False, name: str | None = None) -> Any:
    """The image in another type: numbers of an integer type span [0, its maximum], those of a float type [0, 1]."""
    image = convert_to_tensor(image, name="image")
    dtype, given = as_dtype(dtype), image.dtype.base_dtype
    if not dtype.is_floating and not dtype.is_integer:
        raise AttributeError("dtype must be either floating point or integer")
    if dtype is given:
        return array_ops.identity(image, name=name)
    convert = math_ops.saturate_cast if saturate else math_ops.cast
    with name_scope(name, "convert_image", [image]) as scope:
        if given.is_floating and dtype.is_floating:
            return math_ops.cast(image, dtype, name=scope)
        if given.is_floating:
            return convert(math_ops.multiply(image, dtype.max + 0.5), dtype, name=scope)  # + 0.5: rounds
        if dtype.is_floating:
            return math_ops.multiply(math_ops.cast(image, dtype), 1.0 / given.max, name=scope)
        if given.max > dtype.max:
            return convert(math_ops.div(image, (given.max + 1) // (dtype.max + 1)), dtype, name=scope)
        return math_ops.multiply(convert(image, dtype), (dtype.max + 1) // (given.max + 1), name=scope)


def _as_float(image: Any) -> Any:
    return image if image.dtype.base_dtype in (float16, float32) else convert_image_dtype(image, float32)


@export("image.per_image_standardization")
def per_image_standardization(image: Any) -> Any:
    """(x - mean) / max(deviation, 1 / sqrt(number of pixels))."""
    with name_scope(None, "per_image_standardization", [image]) as scope:
        image = checked_image(convert_to_tensor(image, name="image"))
        given = image.dtype
        image = _as_float(image)
        count = math_ops.reduce_prod(array_ops.shape(image)[-3:])
        average = math_ops.reduce_mean(image, axis=[-1, -2, -3], keepdims=True)
        deviation = math_ops.reduce_std(image, axis=[-1, -2, -3], keepdims=True)
        least = apply_op("Rsqrt", None, x=math_ops.cast(count, image.dtype))
        deviation = math_ops.maximum(deviation, least)
        image = math_ops.div(image - average, deviation, name=scope)
        return convert_image_dtype(image, given, saturate=True)


@export("image.adjust_brightness")
def adjust_brightness(image: Any, delta: Any) -> Any:
    with name_scope(None, "adjust_brightness", [image, delta]) as scope:
        image = convert_to_tensor(image, name="image")
        values = _as_float(image)
        return convert_image_dtype(math_ops.add(values, math_ops.cast(delta, values.dtype), name=scope), image.dtype, saturate=True)


@export("image.random_brightness")
def random_brightness(image: Any, max_delta: float, seed: int | None = None) -> Any:
    if max_delta < 0:
        raise ValueError("max_delta must be non-negative.")
    return adjust_brightness(image, random_ops.random_uniform([], -max_delta, max_delta, seed=seed))


@export("image.adjust_contrast")
def adjust_contrast(images: Any, contrast_factor: Any) -> Any:
    with name_scope(None, "adjust_contrast", [images, contrast_factor]) as scope:
        images = convert_to_tensor(images, name="images")
        adjusted = apply_op("AdjustContrastv2", scope, images=_as_float(images), contrast_factor=contrast_factor)
        return convert_image_dtype(adjusted, images.dtype, saturate=True)


def _check_range(lower: float, upper: float) -> None:
    if upper <= lower:
        raise ValueError("upper must be > lower.")
    if lower < 0:
        raise ValueError("lower must be non-negative.")


@export("image.random_contrast")
def random_contrast(image: Any, lower: float, upper: float, seed: int | None = None) -> Any:
    _check_range(lower, upper)
    return adjust_contrast(image, random_ops.random_uniform([], lower, upper, seed=seed))


@export("image.adjust_gamma")
def adjust_gamma(image: Any, gamma: Any = 1, gain: Any = 1) -> Any:
    """gain * image ** gamma."""
    with name_scope(None, "adjust_gamma", [image, gamma, gain]):
        image = convert_to_tensor(image, name="image")
        values = _as_float(image)
        checks = check(gamma >= 0, "Gamma should be a non-negative real number.")
        if checks:
            gamma = with_dependencies(checks, gamma)
        return convert_image_dtype(gain * values**gamma, image.dtype, saturate=True)


@export("image.adjust_hue")
def adjust_hue(image: Any, delta: Any, name: str | None = None) -> Any:
    with name_scope(name, "adjust_hue", [image]):
        image = convert_to_tensor(image, name="image")
        return convert_image_dtype(apply_op("AdjustHue", None, images=_as_float(image), delta=delta), image.dtype)


@export("image.random_hue")
def random_hue(image: Any, max_delta: float, seed: int | None = None) -> Any:
    if max_delta > 0.5:
        raise ValueError("max_delta must be <= 0.5.")
    if max_delta < 0:
        raise ValueError("max_delta must be non-negative.")
    return adjust_hue(image, random_ops.random_uniform([], -max_delta, max_delta, seed=seed))


@export("image.adjust_saturation")
def adjust_saturation(image: Any, saturation_factor: Any, name: str | None = None) -> Any:
    with name_scope(name, "adjust_saturation", [image]):
        image = convert_to_tensor(image, name="image")
        return convert_image_dtype(apply_op("AdjustSaturation", None, images=_as_float(image), scale=saturation_factor), image.dtype)


@export("image.random_saturation")
def random_saturation(image: Any, lower: float, upper: float, seed: int | None = None) -> Any:
    _check_range(lower, upper)
    return adjust_saturation(image, random_ops.random_uniform([], lower, upper, seed=seed))


@export("image.rgb_to_grayscale")
def rgb_to_grayscale(images: Any, name: str | None = None) -> Any:
    with name_scope(name, "rgb_to_grayscale", [images]) as scope:
        images = convert_to_tensor(images, name="images")
        grey = math_ops.tensordot(convert_image_dtype(images, float32), [0.2989, 0.5870, 0.1140], [-1, -1])
        return convert_image_dtype(array_ops.expand_dims(grey, -1), images.dtype, name=scope)


@export("image.grayscale_to_rgb")
def grayscale_to_rgb(images: Any, name: str | None = None) -> Any:
    with name_scope(name, "grayscale_to_rgb", [images]) as scope:
        images = _checked_grey(convert_to_tensor(images, name="images"))
        ones = array_ops.ones(array_ops.expand_dims(array_ops.rank(images) - 1, 0), dtype=int32)
        multiples = array_ops.concat([ones, array_ops.expand_dims(3, 0)], 0)
        rgb = apply_op("Tile", scope, input=images, multiples=multiples)
        rgb.set_shape(images.get_shape()[:-1].concatenate([3]))
        return rgb


def _checked_grey(image: Any) -> Any:
    if image.rank is not None and image.rank < 2:
        raise ValueError("A grayscale image must be at least two-dimensional.")
    if image.dims is not None and None not in image.dims:
        if image.dims[-1] != 1:
            raise ValueError("Last dimension of a grayscale image should be size 1.")
        return with_dependencies([], image)
    last = lookup("assert_equal")(array_ops.shape(image)[-1], 1, message="Last dimension of a grayscale image should be size 1.")
    rank = lookup("assert_greater_equal")(array_ops.rank(image), 3, message="A grayscale image must be at least two-dimensional.")
    return with_dependencies([last, rank], image)


# Colour space change -> the matrix that pixels are multiplied by.
KERNELS = {
    "rgb_to_yiq": [[0.299, 0.59590059, 0.2115], [0.587, -0.27455667, -0.52273617], [0.114, -0.32134392, 0.31119955]],
    "rgb_to_yuv": [[0.299, -0.14714119, 0.61497538], [0.587, -0.28886916, -0.51496512], [0.114, 0.43601035, -0.10001026]],
    "yiq_to_rgb": [[1, 1, 1], [0.95598634, -0.27201283, -1.10674021], [0.6208248, -0.64720424, 1.70423049]],
    "yuv_to_rgb": [[1, 1, 1], [0, -0.394642334, 2.03206185], [1.13988303, -0.58062185, 0]],
}


def _by_kernel(label: str) -> None:
    def change(images: Any) -> Any:
        images = convert_to_tensor(images, name="images")
        kernel = convert_to_tensor(np.array(KERNELS[label]), dtype=images.dtype, name="kernel")
        return math_ops.tensordot(images, kernel, axes=[[images.rank - 1], [0]])

    change.__name__ = label
    export(f"image.{label}")(change)


for _label in KERNELS:
    _by_kernel(_label)


# -- edges ---------------------------------------------------------------------------------------------------------


@export("image.total_variation")
def total_variation(images: Any, name: str | None = None) -> Any:
    """The sum of the absolute differences of neighbouring pixels."""
    with name_scope(name, "total_variation"):
        images = convert_to_tensor(images)
        if images.rank == 3:
            down, across, axis = images[1:, :, :] - images[:-1, :, :], images[:, 1:, :] - images[:, :-1, :], None
        elif images.rank == 4:
            down, across, axis = images[:, 1:, :, :] - images[:, :-1, :, :], images[:, :, 1:, :] - images[:, :, :-1, :], [1, 2, 3]
        else:
            raise ValueError("'images' must be either 3 or 4-dimensional.")
        return math_ops.reduce_sum(math_ops.abs_(down), axis=axis) + math_ops.reduce_sum(math_ops.abs_(across), axis=axis)


@export("image.image_gradients")
def image_gradients(image: Any) -> Any:
    """(dy, dx): the differences to the next row and column, 0 for the last."""
    if image.rank != 4:
        raise ValueError(f"image_gradients expects a 4D tensor [batch_size, h, w, d], not {image.get_shape()}.")
    shape = array_ops.shape(image)
    batch, height, width, depth = array_ops.unstack(shape)
    dy = image[:, 1:, :, :] - image[:, :-1, :, :]
    dx = image[:, :, 1:, :] - image[:, :, :-1, :]
    dy = array_ops.concat([dy, array_ops.zeros(array_ops.stack([batch, 1, width, depth]), image.dtype)], 1)
    dx = array_ops.concat([dx, array_ops.zeros(array_ops.stack([batch, height, 1, depth]), image.dtype)], 2)
    return array_ops.reshape(dy, shape), array_ops.reshape(dx, shape)


@export("image.sobel_edges")
def sobel_edges(image: Any) -> Any:
    """Sobel's derivatives (dy, dx) as a last axis."""
    known, shape = image.get_shape(), array_ops.shape(image)
    kernels = np.array([[[-1, -2, -1], [0, 0, 0], [1, 2, 1]], [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]]).transpose(1, 2, 0)[:, :, None, :]
    filters = apply_op("Tile", "sobel_filters", input=constant(kernels, dtype=image.dtype), multiples=[1, 1, shape[-1], 1])
    padded = array_ops.pad(image, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="REFLECT")
    edges = nn_ops.depthwise_conv2d(padded, filters, [1, 1, 1, 1], "VALID")
    edges = array_ops.reshape(edges, array_ops.concat([shape, [2]], 0))
    edges.set_shape(known.concatenate([2]))
    return edges


# -- likeness ------------------------------------------------------------------------------------------------------


def _compatible(img1: Any, img2: Any) -> tuple[Any, Any, list[Any]]:
    """The shapes of two images and the assertions that they fit."""
    first, second = img1.get_shape().with_rank_at_least(3), img2.get_shape().with_rank_at_least(3)
    first[-3:].assert_is_compatible_with(second[-3:])
    if img1.rank is not None and img2.rank is not None:
        for a, b in zip(reversed(img1.dims[:-3]), reversed(img2.dims[:-3]), strict=False):
            if not (a == 1 or b == 1 or a is None or b is None or a == b):
                raise ValueError(f"Two images are not compatible: {first} and {second}")
    shape1, shape2 = array_ops.shape_n([img1, img2])
    asserted = lookup("Assert")
    checks = [
        asserted(math_ops.greater_equal(array_ops.size(shape1), 3), [shape1, shape2], summarize=10),
        asserted(math_ops.reduce_all(math_ops.equal(shape1[-3:], shape2[-3:])), [shape1, shape2], summarize=10),
    ]
    return shape1, shape2, checks


@export("image.psnr")
def psnr(a: Any, b: Any, max_val: Any, name: str | None = None) -> Any:
    """The peak signal-to-noise ratio in decibels."""
    with name_scope(name, "PSNR", [a, b]):
        a, b = convert_to_tensor(a), convert_to_tensor(b)
        peak = convert_image_dtype(math_ops.cast(max_val, a.dtype), float32)
        a, b = convert_image_dtype(a, float32), convert_image_dtype(b, float32)
        error = math_ops.reduce_mean(apply_op("SquaredDifference", None, x=a, y=b), [-3, -2, -1])
        level = 20 * _log(peak) / _log(convert_to_tensor(10.0))
        value = math_ops.subtract(level, np.float32(10 / np.log(10)) * _log(error), name="psnr")
        with get_default_graph().control_dependencies(_compatible(a, b)[2]):
            return array_ops.identity(value)


def _log(x: Any) -> Any:
    return apply_op("Log", None, x=x)


def _gauss(size: Any, sigma: Any) -> Any:
    """A Gaussian window of this size, as a convolution's filter."""
    size, sigma = convert_to_tensor(size, int32), convert_to_tensor(sigma)
    at = math_ops.cast(math_ops.range(size), sigma.dtype)
    at = at - math_ops.cast(size - 1, sigma.dtype) / 2.0
    g = math_ops.square(at) * (-0.5 / math_ops.square(sigma))
    g = array_ops.reshape(g, [1, -1]) + array_ops.reshape(g, [-1, 1])
    return array_ops.reshape(nn_ops.softmax(array_ops.reshape(g, [1, -1])), [size, size, 1, 1])


def _ssim_by_channel(img1: Any, img2: Any, max_val: Any, filter_size: int, filter_sigma: float, k1: float, k2: float) -> tuple[Any, Any]:
    """(SSIM, contrast and structure) of each channel."""
    size = constant(filter_size, dtype=int32)
    sigma = constant(filter_sigma, dtype=img1.dtype)
    shape1, shape2 = array_ops.shape_n([img1, img2])
    asserted = lookup("Assert")
    checks = [asserted(math_ops.reduce_all(math_ops.greater_equal(s[-3:-1], size)), [s, size], summarize=8) for s in (shape1, shape2)]
    with get_default_graph().control_dependencies(checks):
        img1 = array_ops.identity(img1)
    kernel = apply_op("Tile", None, input=_gauss(size, sigma), multiples=[1, 1, shape1[-1], 1])

    def blur(x: Any) -> Any:
        shape = array_ops.shape(x)
        x = array_ops.reshape(x, array_ops.concat([[-1], shape[-3:]], 0))
        y = nn_ops.depthwise_conv2d(x, kernel, strides=[1, 1, 1, 1], padding="VALID")
        return array_ops.reshape(y, array_ops.concat([shape[:-3], array_ops.shape(y)[1:]], 0))

    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    mean1, mean2 = blur(img1), blur(img2)
    product = mean1 * mean2 * 2.0
    squares = math_ops.square(mean1) + math_ops.square(mean2)
    luminance = (product + c1) / (squares + c1)
    both = blur(img1 * img2) * 2.0
    own = blur(math_ops.square(img1) + math_ops.square(img2))
    structure = (both - product + c2) / (own - squares + c2)
    axes = constant(np.array([-3, -2]), dtype=int32)
    return math_ops.reduce_mean(luminance * structure, axes), math_ops.reduce_mean(structure, axes)


@export("image.ssim")
def ssim(img1: Any, img2: Any, max_val: Any, filter_size: int = 11, filter_sigma: float = 1.5, k1: float = 0.01, k2: float = 0.03) -> Any:
    """The structural similarity of images (Wang et al. 2004)."""
    img1, img2 = convert_to_tensor(img1), convert_to_tensor(img2)
    with get_default_graph().control_dependencies(_compatible(img1, img2)[2]):
        img1 = array_ops.identity(img1)
    peak = convert_image_dtype(math_ops.cast(max_val, img1.dtype), float32)
    img1, img2 = convert_image_dtype(img1, float32), convert_image_dtype(img2, float32)
    by_channel, _ = _ssim_by_channel(img1, img2, peak, filter_size, filter_sigma, k1, k2)
    return math_ops.reduce_mean(by_channel, [-1])


@export("image.ssim_multiscale")
def ssim_multiscale(
    img1: Any, img2: Any, max_val: Any, power_factors: Any = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333), filter_size: int = 11,
    filter_sigma: float = 1.5, k1: float = 0.01, k2: float = 0.03,
) -> Any:  # fmt: skip
    """The similarity at several scales, each weighted by its power."""
    with name_scope(None, "MS-SSIM", [img1, img2]):
        img1, img2 = convert_to_tensor(img1, name="img1"), convert_to_tensor(img2, name="img2")
        shape1, shape2, checks = _compatible(img1, img2)
        with get_default_graph().control_dependencies(checks):
            img1 = array_ops.identity(img1)
        peak = convert_image_dtype(math_ops.cast(max_val, img1.dtype), float32)
        images = [convert_image_dtype(i, float32) for i in (img1, img2)]
        heads, tails = [s[:-3] for s in (shape1, shape2)], [s[-3:] for s in (shape1, shape2)]
        halves = constant(np.array([2, 2, 1]), dtype=int32)
        similar: list[Any] = []
        for k in np.arange(len(power_factors)).tolist():
            with name_scope(None, f"Scale{k}", images):
                if k:
                    images, tails = _halved(images, heads, tails, halves)
                by_channel, structure = _ssim_by_channel(images[0], images[1], peak, filter_size, filter_sigma, k1, k2)
                similar.append(apply_op("Relu", None, features=structure))
        similar[-1] = apply_op("Relu", None, features=by_channel)
        powers = math_ops.pow_(array_ops.stack(similar, axis=-1), list(power_factors))
        return math_ops.reduce_mean(math_ops.reduce_prod(powers, [-1]), [-1])


def _halved(images: list[Any], heads: list[Any], tails: list[Any], halves: Any) -> tuple[list[Any], list[Any]]:
    """The images at half their size, odd sizes padded first."""
    flat = [array_ops.reshape(x, array_ops.concat([[-1], t], 0)) for x, t in zip(images, tails, strict=True)]
    rest = tails[0] % halves

    def padded() -> list[Any]:
        widths = array_ops.pad(array_ops.expand_dims(rest, -1), [[1, 0], [1, 0]])
        return [array_ops.pad(x, widths, mode="SYMMETRIC") for x in flat]

    even = cond(math_ops.reduce_any(math_ops.not_equal(rest, 0)), padded, lambda: flat)
    small = [nn_ops.avg_pool(x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding="VALID") for x in even]
    sizes = [s[1:] for s in array_ops.shape_n(small)]
    return [array_ops.reshape(x, array_ops.concat([h, t], 0)) for x, h, t in zip(small, heads, sizes, strict=True)], sizes
