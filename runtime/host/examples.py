"""Example and SequenceExample messages into tensors: what the ParseExample ops share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from graphtools.dtypes import DType, float32, int64, string
from graphtools.formats import schema
from graphtools.graph import Dims
from runtime.errors import InvalidArgumentError
from runtime.host import rows
from runtime.host.rows import Array

# The field of a Feature that holds values of a type, and TensorFlow's names of the types.
KINDS = {float32: "float_list", int64: "int64_list", string: "bytes_list"}
KIND_NAMES = {"float_list": "float", "int64_list": "int64", "bytes_list": "string"}

# Lists longer than this are read from their packed bytes at once.
_PACKED_LENGTH = 24


def error(text: str) -> InvalidArgumentError:
    return InvalidArgumentError(None, None, text)


@dataclass(frozen=True, slots=True)
class Sparse:
    """A feature of any number of values."""

    key: str
    dtype: DType


@dataclass(frozen=True, slots=True)
class Dense:
    """A feature of fixed shape, or with an unknown first dimension; `default` is empty where the feature must be there."""

    key: str
    dtype: DType
    dims: tuple[int | None, ...]
    default: Array

    @property
    def is_variable(self) -> bool:
        return bool(self.dims) and self.dims[0] is None

    @property
    def sizes(self) -> tuple[int, ...]:
        """The dims with 0 for an unknown one."""
        return tuple([d or 0 for d in self.dims])

    @property
    def stride(self) -> int:
        """The number of values in one element of the unknown first dimension."""
        return math.prod(self.sizes[1:])


@dataclass(frozen=True, slots=True)
class Ragged:
    """A feature of any number of values, given as values and row splits."""

    key: str
    dtype: DType
    splits: DType


def dense(key: str, dtype: DType, dims: Dims, default: Array) -> Dense:
    """A dense feature. Raises InvalidArgumentError where the default does not fit the shape."""
    if dims is None or any(d is None for d in dims[1:]):
        raise error(f"dense_shapes of feature {key!r} is {rows.shape_text(dims)}: only its first dimension may be unknown.")
    feature = Dense(key, dtype, dims, default)
    wanted = 1 if feature.is_variable else math.prod(feature.sizes)
    if default.size and not feature.is_variable and default.size != wanted:
        raise error(f"Default value of feature {key!r} has shape {rows.shape_text(default.shape)}; {rows.shape_text(dims)} was expected.")
    return feature


def parse(kind: str, serialized: bytes) -> Any:
    """The message `kind` (Example or SequenceExample) in these bytes."""
    try:
        return schema.message(kind).FromString(serialized)
    except DecodeError as e:
        shown = serialized[:100].decode("utf-8", "backslashreplace")
        raise error(f"Could not parse example input, value: '{shown}'") from e


def values_of(feature: Any, kind: str) -> Array:
    """The values of a feature as a vector."""
    held = getattr(feature, kind)
    value = held.value
    if kind == "bytes_list":
        return rows.texts(value)
    if kind == "int64_list":
        return np.array(value[:], np.int64)
    if len(value) <= _PACKED_LENGTH:
        return np.array(value[:], np.float32)
    packed = held.SerializeToString()
    return np.frombuffer(packed, "<f4", offset=len(packed) - 4 * len(value)).astype(np.float32, copy=False)


def kind_of(feature: Any) -> str | None:
    """Which list of values a feature holds, None where it holds none."""
    kind: str | None = feature.WhichOneof("kind") if feature is not None else None
    return kind


def dense_values(features: Any, spec: Dense, where: str, missing: str) -> Array:
    """The values of a dense feature in its shape; with an unknown first dimension, the values there are.

    `where` begins a message about the values, `missing` one about a feature that is not there.
    """
    feature = features.get(spec.key)
    found = kind_of(feature)
    if found is None:
        if spec.is_variable:
            return np.empty((0, *spec.sizes[1:]), spec.dtype.as_numpy_dtype)
        if not spec.default.size and 0 not in spec.sizes:
            raise error(f"{missing}Feature: {spec.key} (data type: {rows.type_text(spec.dtype)}) is required but could not be found.")
        return spec.default.reshape(spec.sizes)
    kind = KINDS.get(spec.dtype)
    if found != kind:
        raise error(f"{where}Data types don't match. Data type: {KIND_NAMES[found]} but expected type: {rows.type_text(spec.dtype)}")
    values = values_of(feature, found)
    if spec.is_variable:
        if spec.stride == 0 or len(values) % spec.stride:
            raise error(
                f"{where}Number of {rows.type_text(spec.dtype)} values is not a multiple of stride length. "
                f"Saw {len(values)} values but output shape is: {rows.shape_text(spec.dims)}"
            )
        return values.reshape(-1, *spec.sizes[1:])
    if len(values) != math.prod(spec.sizes):
        raise error(
            f"{where}Number of {rows.type_text(spec.dtype)} values != expected.  Values size: {len(values)} but output shape: {rows.shape_text(spec.dims)}"
        )
    return values.reshape(spec.sizes)


def sparse_values(features: Any, key: str, dtype: DType, where: str) -> Array:
    """The values of a sparse feature, none where it is not there."""
    feature = features.get(key)
    found = kind_of(feature)
    if found is None:
        return np.empty(0, dtype.as_numpy_dtype)
    if found != KINDS.get(dtype):
        raise error(f"{where}Data types don't match. Expected type: {rows.type_text(dtype)}, Actual type: {KIND_NAMES[found]}")
    return values_of(feature, found)


def padded(cells: Sequence[Array], spec: Dense) -> Array:
    """Values of a feature with an unknown first dimension as one batch, filled up with the default."""
    longest = max((len(c) for c in cells), default=0)
    fill = spec.default.ravel()[0] if spec.default.size else rows.blank(spec.dtype.as_numpy_dtype)
    shape = [longest, *spec.sizes[1:]]
    if not cells:
        return np.empty((0, *shape), spec.dtype.as_numpy_dtype)
    return rows.stack_padded(cells, shape, fill)


def ragged_to_sparse(cells: Sequence[Array], dtype: DType) -> tuple[Array, Array, Array]:
    """Vectors, one for each example, as indices, values and dense shape."""
    counts = [len(c) for c in cells]
    total = sum(counts)
    indices = np.empty((total, 2), np.int64)
    if total:
        indices[:, 0] = np.repeat(np.arange(len(cells)), counts)
        indices[:, 1] = np.concatenate([np.arange(n) for n in counts])
    values = np.concatenate(cells) if cells else np.empty(0, dtype.as_numpy_dtype)
    return indices, values, np.array([len(cells), max(counts, default=0)], np.int64)
