"""tf.image: cropping, padding, flipping, resizing; boxes and files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphtools.constant import constant_as_shape
from graphtools.dtypes import float32, float64, int32, uint8, uint16
from runtime.tf1 import array_ops, math_ops, random_ops
from runtime.tf1.control_flow import case, cond
from runtime.tf1.control_flow_ops import with_dependencies
from runtime.tf1.graph import apply_op, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.image_checks import as_batch, check, checked_image, image_checks, image_sizes, is_tensor, unbatched
from runtime.tf1.image_color_ops import convert_image_dtype
from runtime.tf1.modules import lookup
from runtime.tf1.registry import export

_EITHER = "'image' must have either 3 or 4 dimensions."


# -- flipping and turning ------------------------------------------------------------------------------------------


def _like(image: Any, result: Any) -> Any:
    """The result, with the image's shape, or at least its rank."""
    result.set_shape([None, None, None] if image.dims is None else image.get_shape())
    return result


def _flip(image: Any, axis: int, label: str) -> Any:
    with name_scope(None, label, [image]):
        image = checked_image(convert_to_tensor(image, name="image"))
        if image.rank in (3, None):
            return _like(image, array_ops.reverse(image, [axis]))
        if image.rank == 4:
            return array_ops.reverse(image, [axis + 1])
        raise ValueError(_EITHER)


@export("image.flip_left_right")
def flip_left_right(image: Any) -> Any:
    return _flip(image, 1, "flip_left_right")


@export("image.flip_up_down")
def flip_up_down(image: Any) -> Any:
    return _flip(image, 0, "flip_up_down")


def _random_flip(image: Any, axis: int, seed: int | None, label: str) -> Any:
    with name_scope(None, label, [image]) as scope:
        image = checked_image(convert_to_tensor(image, name="image"))
        if image.rank in (3, None):
            drawn = random_ops.random_uniform([], 0, 1.0, seed=seed)
            mirror = math_ops.less(drawn, 0.5)
            return _like(image, cond(mirror, lambda: array_ops.reverse(image, [axis]), lambda: image, name=scope))
        if image.rank == 4:
            count = array_ops.shape(image)[0]
            drawn = random_ops.random_uniform([count], 0, 1.0, seed=seed)
            flips = math_ops.cast(math_ops.round_(array_ops.reshape(drawn, [count, 1, 1, 1])), image.dtype)
            flipped = array_ops.reverse(image, [axis + 1])
            return flips * flipped + (1 - flips) * image
        raise ValueError(_EITHER)


@export("image.random_flip_left_right")
def random_flip_left_right(image: Any, seed: int | None = None) -> Any:
    return _random_flip(image, 1, seed, "random_flip_left_right")


@export("image.random_flip_up_down")
def random_flip_up_down(image: Any, seed: int | None = None) -> Any:
    return _random_flip(image, 0, seed, "random_flip_up_down")


@export("image.rot90")
def rot90(image: Any, k: Any = 1, name: str | None = None) -> Any:
    """The image turned counter-clockwise k times by 90 degrees."""
    with name_scope(name, "rot90", [image, k]) as scope:
        image = checked_image(convert_to_tensor(image, name="image"))
        k = convert_to_tensor(k, dtype=int32, name="k")
        k.get_shape().assert_has_rank(0)
        k = math_ops.mod(k, 4)
        if image.rank not in (3, 4, None):
            raise ValueError(_EITHER)
        first = 1 if image.rank == 4 else 0  # the axis of rows
        swapped = [0, 2, 1, 3] if first else [1, 0, 2]
        turns = [
            (math_ops.equal(k, 1), lambda: array_ops.transpose(array_ops.reverse(image, [first + 1]), swapped)),
            (math_ops.equal(k, 2), lambda: array_ops.reverse(image, [first, first + 1])),
            (math_ops.equal(k, 3), lambda: array_ops.reverse(array_ops.transpose(image, swapped), [first + 1])),
        ]
        result = case(turns, default=lambda: image, exclusive=True, name=scope)
        if image.rank == 4:
            result.set_shape([image.dims[0], None, None, image.dims[3]])
        else:
            result.set_shape([None, None, None if image.dims is None else image.dims[2]])
        return result


@export("image.transpose_image")
def transpose_image(image: Any, name: str | None = None) -> Any:
    """The image with rows and columns exchanged."""
    with name_scope(name, "transpose", [image]):
        image = checked_image(convert_to_tensor(image, name="image"))
        if image.rank in (3, None):
            return array_ops.transpose(image, [1, 0, 2], name=name or "transpose")
        if image.rank == 4:
            return array_ops.transpose(image, [0, 2, 1, 3], name=name or "transpose")
        raise ValueError(_EITHER)


# -- cropping and padding ------------------------------------------------------------------------------------------


@export("image.central_crop")
def central_crop(image: Any, central_fraction: float) -> Any:
    """The middle of the image, this fraction of its height and width."""
    with name_scope(None, "central_crop", [image]):
        image = convert_to_tensor(image, name="image")
        if central_fraction <= 0.0 or central_fraction > 1.0:
            raise ValueError("central_fraction must be within (0, 1]")
        if central_fraction == 1.0:
            return image
        checked_image(image)
        if image.rank not in (3, 4):
            raise ValueError(f"`image` should either be a Tensor with rank = 3 or rank = 4. Had rank = {image.rank}.")
        first = image.rank - 3
        sizes = [array_ops.shape(image)[a] if image.dims[a] is None else image.dims[a] for a in (first, first + 1)]
        starts = [_margin(size, central_fraction) for size in sizes]
        kept = [size - start * 2 for size, start in zip(sizes, starts, strict=True)]
        before = [0] * first
        begin = array_ops.stack([*before, *starts, 0])
        extent = array_ops.stack([*([-1] * first), *kept, -1])
        cropped = array_ops.slice_(image, begin, extent)
        known = [None if is_tensor(k) else k for k in kept]
        cropped.set_shape([*image.dims[:first], *known, image.dims[-1]])
        return cropped


def _margin(size: Any, fraction: float) -> Any:
    if is_tensor(size):
        exact = math_ops.cast(size, float64)
        return math_ops.cast((exact - exact * fraction) / 2, int32)
    return int((float(size) - float(size) * fraction) / 2)


@export("image.pad_to_bounding_box")
def pad_to_bounding_box(image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any) -> Any:
    """The image on a canvas of zeros of the target size."""
    with name_scope(None, "pad_to_bounding_box", [image]):
        image, is_batch = as_batch(image)
        checks = image_checks(image)
        batch, height, width, depth = image_sizes(image, rank=4)
        right = target_width - offset_width - width
        below = target_height - offset_height - height
        checks += check(offset_height >= 0, "offset_height must be >= 0")
        checks += check(offset_width >= 0, "offset_width must be >= 0")
        checks += check(right >= 0, "width must be <= target - offset")
        checks += check(below >= 0, "height must be <= target - offset")
        image = with_dependencies(checks, image)
        paddings = array_ops.reshape(array_ops.stack([0, 0, offset_height, below, offset_width, right, 0, 0]), [4, 2])
        padded = array_ops.pad(image, paddings)
        padded.set_shape([None if is_tensor(i) else i for i in (batch, target_height, target_width, depth)])
        return unbatched(padded, is_batch)


@export("image.crop_to_bounding_box")
def crop_to_bounding_box(image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any) -> Any:
    with name_scope(None, "crop_to_bounding_box", [image]):
        image, is_batch = as_batch(image)
        checks = image_checks(image)
        batch, height, width, depth = image_sizes(image, rank=4)
        checks += check(offset_width >= 0, "offset_width must be >= 0.")
        checks += check(offset_height >= 0, "offset_height must be >= 0.")
        checks += check(target_width > 0, "target_width must be > 0.")
        checks += check(target_height > 0, "target_height must be > 0.")
        checks += check(width >= target_width + offset_width, "width must be >= target + offset.")
        checks += check(height >= target_height + offset_height, "height must be >= target + offset.")
        image = with_dependencies(checks, image)
        begin = array_ops.stack([0, offset_height, offset_width, 0])
        cropped = array_ops.slice_(image, begin, array_ops.stack([-1, target_height, target_width, -1]))
        cropped.set_shape([None if is_tensor(i) else i for i in (batch, target_height, target_width, depth)])
        return unbatched(cropped, is_batch)


def _larger(x: Any, y: Any) -> Any:
    return math_ops.maximum(x, y) if is_tensor(x) or is_tensor(y) else max(x, y)


def _smaller(x: Any, y: Any) -> Any:
    return math_ops.minimum(x, y) if is_tensor(x) or is_tensor(y) else min(x, y)


def _same(x: Any, y: Any) -> Any:
    return math_ops.equal(x, y) if is_tensor(x) or is_tensor(y) else x == y


@export("image.resize_image_with_crop_or_pad")
def resize_image_with_crop_or_pad(image: Any, target_height: Any, target_width: Any) -> Any:
    """The image cropped or padded to the target size, its middle kept in the middle."""
    with name_scope(None, "resize_image_with_crop_or_pad", [image]):
        image, is_batch = as_batch(image)
        checks = image_checks(image)
        checks += check(target_width > 0, "target_width must be > 0.")
        checks += check(target_height > 0, "target_height must be > 0.")
        image = with_dependencies(checks, image)
        if is_tensor(target_height):
            target_height = with_dependencies(checks, target_height)
        if is_tensor(target_width):
            target_width = with_dependencies(checks, target_width)
        _, height, width, _ = image_sizes(image, rank=4)
        wider = target_width - width
        crop_width, pad_width = _larger(-wider // 2, 0), _larger(wider // 2, 0)
        higher = target_height - height
        crop_height, pad_height = _larger(-higher // 2, 0), _larger(higher // 2, 0)
        cropped = crop_to_bounding_box(image, crop_height, crop_width, _smaller(target_height, height), _smaller(target_width, width))
        resized = pad_to_bounding_box(cropped, pad_height, pad_width, target_height, target_width)
        _, new_height, new_width, _ = image_sizes(resized, rank=4)
        checks = check(_same(new_height, target_height), "resized height is not correct.")
        checks += check(_same(new_width, target_width), "resized width is not correct.")
        return unbatched(with_dependencies(checks, resized), is_batch)


# -- resizing ------------------------------------------------------------------------------------------------------


@export("image.ResizeMethod")
class ResizeMethod:
    BILINEAR = 0
    NEAREST_NEIGHBOR = 1
    BICUBIC = 2
    AREA = 3


# Method, as a number or as TensorFlow 2 names it -> its op.
RESIZERS = {
    0: "ResizeBilinear", "bilinear": "ResizeBilinear", 1: "ResizeNearestNeighbor", "nearest": "ResizeNearestNeighbor",
    2: "ResizeBicubic", "bicubic": "ResizeBicubic", 3: "ResizeArea", "area": "ResizeArea",
}  # fmt: skip


@export("image.resize_images")
def resize_images(
    images: Any,
    size: Any,
    method: Any = ResizeMethod.BILINEAR,
    align_corners: bool = False,
    preserve_aspect_ratio: bool = False,
    name: str | None = None,
) -> Any:
    """Images in a new size; unchanged where they have it already."""
    if not (isinstance(method, int | str) and method in RESIZERS):
        raise ValueError("Resize method is not implemented.")
    with name_scope(name, "resize", [images, size]):
        images = convert_to_tensor(images, name="images")
        if images.rank is None:
            raise ValueError("'images' contains no shape.")
        if images.rank not in (3, 4):
            raise ValueError("'images' must have either 3 or 4 dimensions.")
        is_batch = images.rank == 4
        if not is_batch:
            images = array_ops.expand_dims(images, 0)
        _, height, width, _ = images.dims
        try:
            size = convert_to_tensor(size, int32, name="size")
        except (TypeError, ValueError) as e:
            raise ValueError("'size' must be a 1-D int32 Tensor") from e
        if not size.get_shape().is_compatible_with([2]):
            raise ValueError("'size' must be a 1-D Tensor of 2 elements: new_height, new_width")
        if preserve_aspect_ratio:
            size = _within(images, size)
        new_height, new_width = constant_as_shape(size) or (None, None)
        if None not in (new_height, new_width, height, width) and (height, width) == (new_height, new_width):
            return unbatched(images, is_batch)
        images = apply_op(RESIZERS[method], None, images=images, size=size, align_corners=align_corners)
        images.set_shape([None, new_height, new_width, None])
        return unbatched(images, is_batch)


def _within(images: Any, size: Any) -> Any:
    """The largest size of the images' proportions that fits."""
    _, height, width, _ = image_sizes(images, rank=4)
    new_height, new_width = constant_as_shape(size) or (None, None)
    if new_height is None or new_width is None:
        raise ValueError("preserve_aspect_ratio needs a constant size.")
    by_height = math_ops.cast(new_height, float32) / math_ops.cast(height, float32)
    by_width = math_ops.cast(new_width, float32) / math_ops.cast(width, float32)
    factor = math_ops.minimum(by_height, by_width)
    scaled = [math_ops.cast(math_ops.round_(factor * math_ops.cast(s, float32)), int32) for s in (height, width)]
    return convert_to_tensor(scaled, int32, name="size")


@export("image.resize_image_with_pad")
def resize_image_with_pad(
    image: Any, target_height: Any, target_width: Any, method: Any = ResizeMethod.BILINEAR, align_corners: bool = False
) -> Any:
    """The image resized without distortion, and padded with zeros to the target size."""
    with name_scope(None, "resize_image_with_pad", [image]):
        image, is_batch = as_batch(image)
        checks = image_checks(image)
        checks += check(target_width > 0, "target_width must be > 0.")
        checks += check(target_height > 0, "target_height must be > 0.")
        image = with_dependencies(checks, image)
        _, height, width, _ = image_sizes(image, rank=4)
        exact = [math_ops.cast(s, float64) for s in (height, width, target_height, target_width)]
        ratio = _larger(exact[1] / exact[3], exact[0] / exact[2])
        new_height, new_width = exact[0] / ratio, exact[1] / ratio
        rows, columns = (math_ops.cast(_floor(s), int32) for s in (new_height, new_width))
        above, left = _floor((exact[2] - new_height) / 2), _floor((exact[3] - new_width) / 2)
        above, left = _larger(0, math_ops.cast(above, int32)), _larger(0, math_ops.cast(left, int32))
        resized = resize_images(image, [rows, columns], method, align_corners=align_corners)
        padded = pad_to_bounding_box(resized, above, left, target_height, target_width)
        image_sizes(padded, rank=4)
        return unbatched(padded, is_batch)


def _floor(x: Any) -> Any:
    return apply_op("Floor", None, x=x)


@export("image.crop_and_resize")
def crop_and_resize(
    image: Any, boxes: Any, box_ind: Any = None, crop_size: Any = None, method: str = "bilinear", extrapolation_value: float = 0,
    name: str | None = None, box_indices: Any = None,
) -> Any:  # fmt: skip
    return apply_op(
        "CropAndResize", name, image=image, boxes=boxes, box_ind=box_ind if box_indices is None else box_indices, crop_size=crop_size, method=method,
        extrapolation_value=extrapolation_value,
    )  # fmt: skip


@export("image.extract_glimpse")
def extract_glimpse(
    input: Any, size: Any, offsets: Any, centered: bool = True, normalized: bool = True, uniform_noise: bool = True, name: str | None = None
) -> Any:
    return apply_op(
        "ExtractGlimpse",
        name,
        input=input,
        size=size,
        offsets=offsets,
        centered=centered,
        normalized=normalized,
        uniform_noise=uniform_noise,
    )


@export("extract_image_patches")
def extract_image_patches(
    images: Any, ksizes: Any = None, strides: Any = None, rates: Any = None, padding: Any = None, name: str | None = None, sizes: Any = None
) -> Any:
    return apply_op(
        "ExtractImagePatches", name, images=images, ksizes=ksizes if sizes is None else sizes, strides=strides, rates=rates, padding=padding
    )


@export("image.extract_patches")
def extract_patches(images: Any, sizes: Any, strides: Any, rates: Any, padding: Any, name: str | None = None) -> Any:
    return extract_image_patches(images, sizes, strides, rates, padding, name)


# -- boxes ---------------------------------------------------------------------------------------------------------


@export("image.draw_bounding_boxes")
def draw_bounding_boxes(images: Any, boxes: Any, name: str | None = None, colors: Any = None) -> Any:
    if colors is None:
        return apply_op("DrawBoundingBoxes", name, images=images, boxes=boxes)
    return apply_op("DrawBoundingBoxesV2", name, images=images, boxes=boxes, colors=colors)


@export("image.sample_distorted_bounding_box")
def sample_distorted_bounding_box(
    image_size: Any, bounding_boxes: Any, seed: int | None = None, seed2: int | None = None, min_object_covered: Any = 0.1,
    aspect_ratio_range: Any = None, area_range: Any = None, max_attempts: int | None = None, use_image_if_no_bounding_boxes: bool | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """(begin, size, the box): a part of the image that covers enough of a bounding box."""
    with name_scope(name, "sample_distorted_bounding_box"):
        return apply_op(
            "SampleDistortedBoundingBoxV2", name, image_size=image_size, bounding_boxes=bounding_boxes, seed=seed, seed2=seed2,
            min_object_covered=min_object_covered, aspect_ratio_range=aspect_ratio_range, area_range=area_range, max_attempts=max_attempts,
            use_image_if_no_bounding_boxes=use_image_if_no_bounding_boxes,
        )  # fmt: skip


def _suppression(op_type: str, label: str, name: str | None, thresholds: dict[str, Any], **arguments: Any) -> Any:
    with name_scope(name, label):
        limits = {k: convert_to_tensor(v, name=k) for k, v in thresholds.items()}
        return apply_op(op_type, None, **arguments, **limits)


@export("image.non_max_suppression")
def non_max_suppression(
    boxes: Any, scores: Any, max_output_size: Any, iou_threshold: Any = 0.5, score_threshold: Any = float("-inf"), name: str | None = None
) -> Any:
    limits = {"iou_threshold": iou_threshold, "score_threshold": score_threshold}
    return _suppression(
        "NonMaxSuppressionV3", "non_max_suppression", name, limits, boxes=boxes, scores=scores, max_output_size=max_output_size
    )


@export("image.non_max_suppression_with_scores")
def non_max_suppression_with_scores(
    boxes: Any, scores: Any, max_output_size: Any, iou_threshold: Any = 0.5, score_threshold: Any = float("-inf"), soft_nms_sigma: Any = 0.0,
    name: str | None = None,
) -> Any:  # fmt: skip
    limits = {"iou_threshold": iou_threshold, "score_threshold": score_threshold, "soft_nms_sigma": soft_nms_sigma}
    label = "non_max_suppression_with_scores"
    indices, kept, _ = _suppression(
        "NonMaxSuppressionV5",
        label,
        name,
        limits,
        boxes=boxes,
        scores=scores,
        max_output_size=max_output_size,
        pad_to_max_output_size=False,
    )
    return indices, kept


@export("image.non_max_suppression_padded")
def non_max_suppression_padded(
    boxes: Any, scores: Any, max_output_size: Any, iou_threshold: Any = 0.5, score_threshold: Any = float("-inf"), pad_to_max_output_size: bool = False,
    name: str | None = None,
) -> Any:  # fmt: skip
    limits = {"iou_threshold": iou_threshold, "score_threshold": score_threshold}
    return _suppression(
        "NonMaxSuppressionV4", "non_max_suppression_padded", name, limits, boxes=boxes, scores=scores, max_output_size=max_output_size,
        pad_to_max_output_size=pad_to_max_output_size,
    )  # fmt: skip


@export("image.non_max_suppression_overlaps")
def non_max_suppression_overlaps(
    overlaps: Any,
    scores: Any,
    max_output_size: Any,
    overlap_threshold: Any = 0.5,
    score_threshold: Any = float("-inf"),
    name: str | None = None,
) -> Any:
    with name_scope(name, "non_max_suppression_overlaps"):
        limit = convert_to_tensor(overlap_threshold, name="overlap_threshold")
        return apply_op(
            "NonMaxSuppressionWithOverlaps", None, overlaps=overlaps, scores=scores, max_output_size=max_output_size, overlap_threshold=limit,
            score_threshold=score_threshold,
        )  # fmt: skip


# -- files ---------------------------------------------------------------------------------------------------------


def _starts_with(contents: Any, prefix: bytes, label: str, name: str | None) -> Any:
    with name_scope(name, label):
        return math_ops.equal(_head(contents, 3), prefix, name=name)


def _head(contents: Any, count: int) -> Any:
    return apply_op("Substr", None, input=contents, pos=0, len=count, unit="BYTE")


@export("image.is_jpeg")
def is_jpeg(contents: Any, name: str | None = None) -> Any:
    return _starts_with(contents, b"\xff\xd8\xff", "is_jpeg", name)


@export("image.decode_image")
def decode_image(
    contents: Any, channels: int | None = None, dtype: Any = uint8, name: str | None = None, expand_animations: bool = True
) -> Any:
    """The image in a JPEG, PNG, GIF or BMP file; its first bytes say which."""
    with name_scope(name, "decode_image"):
        if channels not in (None, 0, 1, 3, 4):
            raise ValueError("channels must be in (None, 0, 1, 3, 4)")
        wanted = channels or 0
        head = _head(contents, 3)
        asserted = lookup("Assert")

        def waiting(checks: list[Any], decode: Callable[[], Any]) -> Any:
            with get_default_graph().control_dependencies(checks):
                return convert_image_dtype(decode(), dtype)

        def bmp() -> Any:
            is_bmp = math_ops.equal(_head(contents, 2), "BM", name="is_bmp")
            is_image = asserted(is_bmp, ["Unable to decode bytes as JPEG, PNG, GIF, or BMP"])
            good = math_ops.not_equal(wanted, 1, name="check_channels")
            fits = asserted(good, ["Channels must be in (None, 0, 3) when decoding BMP images"])
            return waiting([is_image, fits], lambda: apply_op("DecodeBmp", None, contents=contents))

        def gif() -> Any:
            grey, alpha = (math_ops.not_equal(wanted, n, name="check_gif_channels") for n in (1, 4))
            good = apply_op("LogicalAnd", None, x=grey, y=alpha)
            fits = asserted(good, ["Channels must be in (None, 0, 3) when decoding GIF images"])
            frames = waiting([fits], lambda: apply_op("DecodeGif", None, contents=contents))
            return frames if expand_animations else array_ops.gather(frames, 0)

        def png() -> Any:
            depth = uint8 if dtype == uint8 else uint16
            return convert_image_dtype(apply_op("DecodePng", None, contents=contents, channels=wanted, dtype=depth), dtype)

        def jpeg() -> Any:
            good = math_ops.not_equal(wanted, 4, name="check_jpeg_channels")
            fits = asserted(good, ["Channels must be in (None, 0, 1, 3) when decoding JPEG images"])
            return waiting([fits], lambda: apply_op("DecodeJpeg", None, contents=contents, channels=wanted))

        def gif_or_bmp() -> Any:
            return cond(math_ops.equal(head, b"GIF", name="is_gif"), gif, bmp, name="cond_gif")

        def not_jpeg() -> Any:
            return cond(_starts_with(contents, b"\x89PN", "is_png", None), png, gif_or_bmp, name="cond_png")

        return cond(is_jpeg(contents), jpeg, not_jpeg, name="cond_jpeg")


@export("image.adjust_jpeg_quality")
def adjust_jpeg_quality(image: Any, jpeg_quality: Any, name: str | None = None) -> Any:
    """The image as it looks after JPEG compression."""
    with name_scope(name, "adjust_jpeg_quality", [image]):
        image = convert_to_tensor(image, name="image")
        given = image.dtype
        image = convert_image_dtype(image, uint8)
        quality = jpeg_quality if is_tensor(jpeg_quality) else convert_to_tensor(jpeg_quality, dtype=int32)
        encoded = apply_op("EncodeJpegVariableQuality", None, images=image, quality=quality)
        return convert_image_dtype(apply_op("DecodeJpeg", None, contents=encoded), given)


@export("image.random_jpeg_quality")
def random_jpeg_quality(image: Any, min_jpeg_quality: int, max_jpeg_quality: int, seed: int | None = None) -> Any:
    if not (0 <= min_jpeg_quality <= 100 and 0 <= max_jpeg_quality <= 100):
        raise ValueError("jpeg encoding range must be between 0 and 100.")
    if min_jpeg_quality >= max_jpeg_quality:
        raise ValueError("`min_jpeg_quality` must be less than `max_jpeg_quality`.")
    return adjust_jpeg_quality(image, random_ops.random_uniform([], min_jpeg_quality, max_jpeg_quality, seed=seed, dtype=int32))
