"""Arithmetic of shapes that needs no nodes: the same values, on graphs made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from test_optimize import optimized

from graphtools.convert.builder import Builder, Value
from graphtools.dtypes import DType, float32, int32, int64

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def flattened(op: Builder, last: int, dtype: DType = int32) -> list[Value]:
    """reshape(relu(x), [shape(x)[0], last]), as Keras writes Flatten."""
    x = op.input("x", float32, (None, 3, 4))
    y = op.Relu(x)
    batch = op.Unsqueeze(op.Gather(op.cast(op.Shape(x), dtype), 0, axis=0), [0])
    shape = op.Concat(batch, op.const(np.array([last], dtype.as_numpy_dtype)), axis=0)
    return [op.Reshape(y, op.cast(shape, int64), allowzero=1)]


@pytest.mark.parametrize("dtype", [int32, int64], ids=["int32", "int64"])
@pytest.mark.parametrize("last", [12, -1])
def test_flatten_is_one_reshape(last: int, dtype: DType) -> None:
    assert optimized(lambda op: flattened(op, last, dtype), {"x": X}) == ["Relu", "Reshape"]


def test_flatten_of_no_images() -> None:
    assert optimized(lambda op: flattened(op, 12), {"x": X[:0]}) == ["Relu", "Reshape"]


def test_a_size_from_another_place_stays_computed() -> None:
    def build(op: Builder) -> list[Value]:
        x = op.input("x", float32, (None, 3, 4))
        rows = op.Shape(x, start=0, end=1)
        return [op.Reshape(x, op.Concat([3], rows, [4], axis=0), allowzero=1)]

    assert optimized(build, {"x": X}) == ["Shape", "Concat", "Reshape"]


def test_a_zero_in_the_shape_is_not_a_copied_size() -> None:
    def build(op: Builder) -> list[Value]:
        x = op.input("x", float32, (None, 0, 4))
        rows = op.Shape(x, start=0, end=1)
        return [op.Reshape(x, op.Concat(rows, op.const(np.array([0, 7])), axis=0), allowzero=1)]

    assert "Concat" in optimized(build, {"x": np.zeros((2, 0, 4), np.float32)})


def test_casts_of_sizes_meet() -> None:
    def build(op: Builder) -> list[Value]:
        x = op.input("x", float32, (None, None))
        count = op.cast(op.Gather(op.cast(op.Shape(x), int32), 1, axis=0), int64)
        return [op.Range(op.const(0, int64), count, op.const(1, int64))]

    assert optimized(build, {"x": np.zeros((2, 5), np.float32)}) == ["Shape", "Gather", "Range"]


def test_one_index_of_a_transpose_needs_none() -> None:
    def build(op: Builder) -> list[Value]:
        x = op.input("x", float32, (2, 3, 4))
        return [op.Gather(op.Transpose(x, perm=[1, 0, 2]), op.const(np.int64(-1)), axis=1)]

    assert optimized(build, {"x": X}) == ["Gather"]


def test_one_index_of_a_transpose_moves_what_is_left() -> None:
    def build(op: Builder) -> list[Value]:
        x = op.input("x", float32, (2, 3, 4))
        return [op.Gather(op.Transpose(x, perm=[2, 0, 1]), op.const(np.int64(1)), axis=1)]

    assert sorted(optimized(build, {"x": X})) == ["Gather", "Transpose"]


def test_joined_and_joined_again_is_joined_once() -> None:
    def build(op: Builder) -> list[Value]:
        x = op.input("x", float32, (2, 3, 4))
        parts = op.Concat(op.Neg(x), x, axis=-1)
        other = op.Concat(x, op.Exp(x), axis=1)
        return [op.Concat(x, parts, op.Abs(x), axis=2), op.Concat(other, other, axis=1)]

    assert optimized(build, {"x": X}).count("Concat") == 3
