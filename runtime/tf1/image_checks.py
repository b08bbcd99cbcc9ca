"""What image functions ask of their input: ranks, sizes, conditions checked at once or when the graph runs."""

from __future__ import annotations

from typing import Any

from graphtools import graph as base
from runtime.tf1 import array_ops
from runtime.tf1.control_flow_ops import with_dependencies
from runtime.tf1.graph import convert_to_tensor
from runtime.tf1.modules import lookup
from runtime.tf1.variables import Variable


def is_tensor(x: Any) -> bool:
    return isinstance(x, base.Tensor | Variable)


def check(condition: Any, message: str) -> list[Any]:
    """An assertion op where the condition is a tensor; else ValueError if it does not hold."""
    if is_tensor(condition):
        return [lookup("Assert")(condition, [message])]
    if not condition:
        raise ValueError(message)
    return []


def image_sizes(image: Any, rank: int) -> list[Any]:
    """The sizes of an image's axes: numbers where known, else tensors."""
    if image.dims is not None and None not in image.dims:
        return list(image.dims)
    known = image.get_shape().with_rank(rank).as_list()
    dynamic = array_ops.unstack(array_ops.shape(image), rank)
    return [d if s is None else s for s, d in zip(known, dynamic, strict=True)]


def image_checks(image: Any) -> list[Any]:
    """The assertions that this is an image, or a batch of them, without empty axes."""
    if image.rank is not None and image.rank < 3:
        raise ValueError("'image' must be at least three-dimensional.")
    if image.dims is not None and 0 in image.dims:
        raise ValueError(f"all dims of 'image.shape' must be > 0: {image.get_shape()}")
    if image.dims is not None and None not in image.dims:
        return []
    return [
        lookup("assert_positive")(array_ops.shape(image), ["all dims of 'image.shape' must be > 0."]),
        lookup("assert_greater_equal")(array_ops.rank(image), 3, message="'image' must be at least three-dimensional."),
    ]


def checked_image(image: Any) -> Any:
    return with_dependencies(image_checks(image), image)


def as_batch(image: Any) -> tuple[Any, bool]:
    """The image as a batch, and whether it was one."""
    image = convert_to_tensor(image, name="image")
    if image.rank == 3:
        return array_ops.expand_dims(image, 0), False
    if image.rank is None:
        image = array_ops.expand_dims(image, 0)
        image.set_shape([None] * 4)
        return image, False
    if image.rank != 4:
        raise ValueError("'image' must have either 3 or 4 dimensions.")
    return image, True


def unbatched(image: Any, is_batch: bool) -> Any:
    return image if is_batch else array_ops.squeeze(image, axis=[0])
