"""tf.contrib.image: projective transforms, connected components, bipartite matches, colours in YIQ."""

from __future__ import annotations

from typing import Any

from runtime.tf1.graph import apply_op
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.static_values import constant_value

tf: Any = module("")

IMAGE_DTYPES = ("uint8", "int32", "int64", "float16", "float32", "float64")


def _batch(images: Any) -> tuple[Any, int]:
    """Images as [batch, height, width, channels], and the rank they had."""
    if images.dtype.base_dtype.name not in IMAGE_DTYPES:
        raise TypeError(f"Invalid dtype {images.dtype}.")
    rank = images.rank
    if rank is None:
        raise TypeError("image_or_images rank must be statically known")
    if rank not in (2, 3, 4):
        raise TypeError("Images should have rank between 2 and 4.")
    return (images[None, :, :, None] if rank == 2 else images[None, :, :, :] if rank == 3 else images), rank


def _unbatch(images: Any, rank: int) -> Any:
    return images[0, :, :, 0] if rank == 2 else images[0, :, :, :] if rank == 3 else images


@export("contrib.image.rotate")
def rotate(images: Any, angles: Any, interpolation: str = "NEAREST", name: str | None = None) -> Any:
    """Rotated counterclockwise by radians, around their middle."""
    with tf.name_scope(name, "rotate"):
        images, rank = _batch(tf.convert_to_tensor(images))
        height = tf.cast(tf.shape(images)[1], tf.float32)[None]
        width = tf.cast(tf.shape(images)[2], tf.float32)[None]
        transforms = angles_to_projective_transforms(angles, height, width)
        return _unbatch(transform(images, transforms, interpolation=interpolation), rank)


@export("contrib.image.translate")
def translate(images: Any, translations: Any, interpolation: str = "NEAREST", name: str | None = None) -> Any:
    with tf.name_scope(name, "translate"):
        return transform(images, translations_to_projective_transforms(translations), interpolation=interpolation)


@export("contrib.image.angles_to_projective_transforms")
def angles_to_projective_transforms(angles: Any, image_height: Any, image_width: Any, name: str | None = None) -> Any:
    with tf.name_scope(name, "angles_to_projective_transforms"):
        angles = tf.convert_to_tensor(angles, name="angles", dtype=tf.float32)
        if angles.rank == 0:
            angles = angles[None]
        elif angles.rank != 1:
            raise TypeError("Angles should have rank 0 or 1.")
        x = (image_width - 1 - (tf.cos(angles) * (image_width - 1) - tf.sin(angles) * (image_height - 1))) / 2.0
        y = (image_height - 1 - (tf.sin(angles) * (image_width - 1) + tf.cos(angles) * (image_height - 1))) / 2.0
        count = tf.shape(angles)[0]
        return tf.concat(
            values=[
                tf.cos(angles)[:, None],
                -tf.sin(angles)[:, None],
                x[:, None],
                tf.sin(angles)[:, None],
                tf.cos(angles)[:, None],
                y[:, None],
                tf.zeros((count, 2), tf.float32),
            ],
            axis=1,
        )


@export("contrib.image.translations_to_projective_transforms")
def translations_to_projective_transforms(translations: Any, name: str | None = None) -> Any:
    with tf.name_scope(name, "translations_to_projective_transforms"):
        moves = tf.convert_to_tensor(translations, name="translations", dtype=tf.float32)
        if moves.rank is None:
            raise TypeError("translation_or_translations rank must be statically known")
        if moves.rank == 1:
            moves = moves[None]
        elif moves.rank != 2:
            raise TypeError("Translations should have rank 1 or 2.")
        count = tf.shape(moves)[0]
        return tf.concat(
            values=[
                tf.ones((count, 1), tf.float32),
                tf.zeros((count, 1), tf.float32),
                -moves[:, 0, None],
                tf.zeros((count, 1), tf.float32),
                tf.ones((count, 1), tf.float32),
                -moves[:, 1, None],
                tf.zeros((count, 2), tf.float32),
            ],
            axis=1,
        )


@export("contrib.image.transform")
def transform(images: Any, transforms: Any, interpolation: str = "NEAREST", output_shape: Any = None, name: str | None = None) -> Any:
    """Each pixel (x, y) of the result is the one of the image at ((a0 x + a1 y + a2) / k, (b0 x + b1 y + b2) / k), k = c0 x + c1 y + 1."""
    with tf.name_scope(name, "transform"):
        images = tf.convert_to_tensor(images, name="images")
        transforms = tf.convert_to_tensor(transforms, name="transforms", dtype=tf.float32)
        images, rank = _batch(images)
        if output_shape is None:
            output_shape = tf.shape(images)[1:3]
            known = constant_value(output_shape)
            if known is not None:
                output_shape = known
        output_shape = tf.convert_to_tensor(output_shape, tf.int32, name="output_shape")
        if not output_shape.get_shape().is_compatible_with([2]):
            raise ValueError("output_shape must be a 1-D Tensor of 2 elements: new_height, new_width")
        if transforms.rank is None:
            raise TypeError("transform_or_transforms rank must be statically known")
        if transforms.rank == 1:
            transforms = transforms[None]
        elif transforms.rank != 2:
            raise TypeError("Transforms should have rank 1 or 2.")
        moved = apply_op(
            "ImageProjectiveTransformV2",
            None,
            images=images,
            transforms=transforms,
            output_shape=output_shape,
            interpolation=interpolation.upper(),
        )
        return _unbatch(moved, rank)


@export("contrib.image.compose_transforms")
def compose_transforms(*transforms: Any) -> Any:
    if not transforms:
        raise ValueError("transforms cannot be empty")
    with tf.name_scope("compose_transforms"):
        composed = flat_transforms_to_matrices(transforms[0])
        for other in transforms[1:]:
            composed = tf.matmul(composed, flat_transforms_to_matrices(other))
        return matrices_to_flat_transforms(composed)


@export("contrib.image.flat_transforms_to_matrices")
def flat_transforms_to_matrices(transforms: Any) -> Any:
    with tf.name_scope("flat_transforms_to_matrices"):
        transforms = tf.convert_to_tensor(transforms, name="transforms")
        if transforms.rank not in (1, 2):
            raise ValueError(f"Transforms should be 1D or 2D, got: {transforms}")
        transforms = tf.reshape(transforms, tf.constant([-1, 8]))
        count = tf.shape(transforms)[0]
        return tf.reshape(tf.concat([transforms, tf.ones([count, 1])], axis=1), tf.constant([-1, 3, 3]))


@export("contrib.image.matrices_to_flat_transforms")
def matrices_to_flat_transforms(transform_matrices: Any) -> Any:
    with tf.name_scope("matrices_to_flat_transforms"):
        matrices = tf.convert_to_tensor(transform_matrices, name="transform_matrices")
        if matrices.rank not in (2, 3):
            raise ValueError(f"Matrices should be 2D or 3D, got: {matrices}")
        flat = tf.reshape(matrices, tf.constant([-1, 9]))
        flat /= flat[:, 8:9]
        return flat[:, :8]


@export("contrib.image.bipartite_match")
def bipartite_match(distance_mat: Any, num_valid_rows: Any, top_k: int = -1, name: str = "bipartite_match") -> Any:
    return apply_op("BipartiteMatch", name, distance_mat=distance_mat, num_valid_rows=num_valid_rows, top_k=top_k)


@export("contrib.image.connected_components")
def connected_components(images: Any) -> Any:
    """Regions of one value that is not zero, numbered from 1 as they appear; zeros stay 0."""
    with tf.name_scope("connected_components"):
        images = tf.convert_to_tensor(images, name="images")
        rank = images.rank
        if rank not in (2, 3):
            raise TypeError(f"images should have rank 2 (HW) or 3 (NHW). Static shape is {images.get_shape()}")
        components = apply_op("ImageConnectedComponents", None, image=images[None, :, :] if rank == 2 else images)
        ids, places = tf.unique(tf.reshape(components, [-1]))
        zero = tf.where_v2(tf.equal(ids, 0))[:, 0]
        numbers = tf.range(tf.shape(ids)[0] - tf.shape(zero)[0]) + 1

        def has_zero() -> Any:
            at = tf.cast(zero[0], tf.int32)
            before, after = numbers[:at], numbers[at:]
            return tf.concat([before, [0], after], axis=0)

        new_ids = tf.cond(tf.equal(tf.shape(zero)[0], 0), lambda: numbers, has_zero)
        components = tf.reshape(tf.gather(new_ids, places), tf.shape(components))
        return components[0, :, :] if rank == 2 else components


@export("contrib.image.python.ops.distort_image_ops.adjust_hsv_in_yiq")
def adjust_hsv_in_yiq(image: Any, delta_hue: Any = 0, scale_saturation: Any = 1, scale_value: Any = 1, name: str | None = None) -> Any:
    with tf.name_scope(name, "adjust_hsv_in_yiq", [image]):
        image = tf.convert_to_tensor(image, name="image")
        given = image.dtype
        floats = tf.image.convert_image_dtype(image, tf.float32)
        changed = apply_op("AdjustHsvInYiq", None, images=floats, delta_h=delta_hue, scale_s=scale_saturation, scale_v=scale_value)
        return tf.image.convert_image_dtype(changed, given)


@export("contrib.image.python.ops.distort_image_ops.random_hsv_in_yiq")
def random_hsv_in_yiq(
    image: Any, max_delta_hue: Any = 0, lower_saturation: Any = 1, upper_saturation: Any = 1, lower_value: Any = 1, upper_value: Any = 1,
    seed: int | None = None,
) -> Any:  # fmt: skip
    if max_delta_hue < 0:
        raise ValueError("max_delta must be non-negative.")
    for kind, low, high in (("saturation", lower_saturation, upper_saturation), ("value", lower_value, upper_value)):
        if low < 0:
            raise ValueError(f"lower_{kind} must be non-negative.")
        if low > high:
            raise ValueError(f"lower_{kind} must be < upper_{kind}.")
    hue = 0 if max_delta_hue == 0 else tf.random_uniform([], -max_delta_hue, max_delta_hue, seed=seed)
    scales = [
        low if low == high else tf.random_uniform([], low, high, seed=seed)
        for low, high in ((lower_saturation, upper_saturation), (lower_value, upper_value))
    ]
    return adjust_hsv_in_yiq(image, hue, scales[0], scales[1])


@export("contrib.resampler.resampler")
def resampler(data: Any, warp: Any, name: str = "resampler") -> Any:
    """The data at places (x, y) between pixels; zero outside."""
    with tf.name_scope(name, "resampler", [data, warp]):
        data, warp = tf.convert_to_tensor(data, name="data"), tf.convert_to_tensor(warp, name="warp")
        return apply_op("Resampler", None, data=data, warp=warp)
