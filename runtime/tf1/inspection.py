"""Tensors, protos and dimensions looked at from Python."""

from __future__ import annotations

from typing import Any

from graphtools import graph as base
from graphtools.constant import constant as known_value
from graphtools.gradients import IndexedSlices
from runtime.tf1.graph import apply_op, convert_to_tensor
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape
from runtime.tf1.variables import Variable


@export("is_tensor")
def is_tensor(x: Any) -> bool:
    return isinstance(x, base.Tensor | Variable | IndexedSlices) or hasattr(x, "dense_shape")


@export("get_static_value")
def get_static_value(tensor: Any, partial: bool = False) -> Any:
    """The value of a tensor that is known without running it, else None."""
    return known_value(tensor) if isinstance(tensor, base.Tensor) else tensor


@export("dimension_value")
def dimension_value(dimension: Any) -> Any:
    return getattr(dimension, "value", dimension)


@export("dimension_at_index")
def dimension_at_index(shape: Any, index: int) -> Any:
    from runtime.tf1.tensor_shape import Dimension

    shape = TensorShape(shape) if not isinstance(shape, TensorShape) else shape
    return Dimension(None) if shape.ndims is None else shape.dims[index]


@export("sparse_matmul")
def sparse_matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Any:
    return apply_op(
        "SparseMatMul", name, a=a, b=b, transpose_a=transpose_a, transpose_b=transpose_b, a_is_sparse=a_is_sparse, b_is_sparse=b_is_sparse
    )


@export("convert_to_tensor_or_indexed_slices")
def convert_to_tensor_or_indexed_slices(value: Any, dtype: Any = None, name: str | None = None) -> Any:
    return value if isinstance(value, IndexedSlices) else convert_to_tensor(value, dtype, name)
