"""SparseTensor: three tensors that stand for one, how they are fed, fetched and given a type."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np

from graphtools import graph as base
from graphtools.constant import constant_as_shape
from graphtools.dtypes import int64
from runtime.fetches import register_fetch_type
from runtime.tf1 import array_ops
from runtime.tf1.graph import convert_to_tensor, get_default_graph
from runtime.tf1.registry import export, put
from runtime.tf1.tensor_shape import TensorShape

SparseTensorValue = namedtuple("SparseTensorValue", ["indices", "values", "dense_shape"])
SparseTensorValue.shape = property(lambda self: self.dense_shape)  # type: ignore[attr-defined]  # its name in 0.x
put("SparseTensorValue", SparseTensorValue)


@export("SparseTensor")
class SparseTensor:
    """`values` at `indices` of a tensor of shape `dense_shape`, zero elsewhere."""

    @classmethod
    def from_value(cls, sparse_tensor_value: Any) -> SparseTensor:
        if not is_sparse(sparse_tensor_value):
            raise TypeError(f"Neither a SparseTensor nor SparseTensorValue: {sparse_tensor_value}.")
        return SparseTensor(sparse_tensor_value.indices, sparse_tensor_value.values, sparse_tensor_value.dense_shape)

    def __init__(self, indices: Any, values: Any, dense_shape: Any) -> None:
        graph = get_default_graph()
        if not getattr(graph, "building_function", False):
            graph = next((t.node.graph for t in (indices, values, dense_shape) if isinstance(t, base.Tensor)), graph)  # type: ignore[assignment]
        with graph.as_default(), graph.name_scope("SparseTensor"):
            self._indices = convert_to_tensor(indices, int64, name="indices")
            self._values = convert_to_tensor(values, name="values")
            self._dense_shape = convert_to_tensor(dense_shape, int64, name="dense_shape")
        found = self._indices.shape.with_rank(2)
        self._values.shape.with_rank(1)
        rank = self._dense_shape.shape.with_rank(1)
        found.dims[0].merge_with(self._values.shape.with_rank(1).dims[0])
        found.dims[1].merge_with(rank.dims[0])

    indices = property(lambda self: self._indices)
    values = property(lambda self: self._values)
    dense_shape = property(lambda self: self._dense_shape)

    @property
    def op(self) -> Any:
        return self._values.op

    @property
    def graph(self) -> Any:
        return self._values.graph

    @property
    def dtype(self) -> Any:
        return self._values.dtype

    @property
    def name(self) -> str:
        return str(self._values.name)

    @property
    def shape(self) -> TensorShape:
        return TensorShape(constant_as_shape(self._dense_shape))

    def get_shape(self) -> TensorShape:
        return self.shape

    @property
    def dims(self) -> Any:
        return self.shape._dims

    def consumers(self) -> list[Any]:
        return list(dict.fromkeys(n for t in self._composite_parts() for n in t.consumers()))

    def eval(self, feed_dict: Any = None, session: Any = None) -> Any:
        from runtime.tf1.client import run_in_default

        return run_in_default(self, feed_dict, session, self.graph)

    def _composite_parts(self) -> list[Any]:
        return [self._indices, self._values, self._dense_shape]

    def _from_parts(self, parts: Any) -> SparseTensor:
        return SparseTensor(*parts)

    def _feed_parts(self, value: Any) -> dict[Any, Any]:
        return dict(zip(self._composite_parts(), value, strict=True))

    # SparseTensor / x and SparseTensor * x keep the zeros

    def _dense_op(self, op_type: str, other: Any) -> SparseTensor:
        from runtime.tf1.graph import apply_op, name_scope

        with name_scope(None, "truediv" if op_type == "SparseDenseCwiseDiv" else "mul", [other]) as scope:
            dense = convert_to_tensor(other, self.dtype.base_dtype, name="y")
            values = apply_op(op_type, scope, sp_indices=self._indices, sp_values=self._values, sp_shape=self._dense_shape, dense=dense)
            return SparseTensor(self._indices, values, self._dense_shape)

    def __mul__(self, other: Any) -> SparseTensor:
        return self._dense_op("SparseDenseCwiseMul", other)

    def __truediv__(self, other: Any) -> SparseTensor:
        return self._dense_op("SparseDenseCwiseDiv", other)

    __div__ = __truediv__

    def __repr__(self) -> str:
        return f"SparseTensor(indices={self._indices}, values={self._values}, dense_shape={self._dense_shape})"


register_fetch_type(SparseTensor, lambda s: s._composite_parts(), lambda v: SparseTensorValue(*v))
register_fetch_type(SparseTensorValue, lambda s: [s.indices, s.values, s.dense_shape], lambda v: SparseTensorValue(*v))


def is_sparse(x: Any) -> bool:
    return isinstance(x, SparseTensor | SparseTensorValue)


def as_sparse(x: Any) -> SparseTensor:
    """A SparseTensor of itself or of its value. Raises TypeError for everything else."""
    if isinstance(x, SparseTensorValue):
        return SparseTensor.from_value(x)
    if not isinstance(x, SparseTensor):
        raise TypeError("Input must be a SparseTensor.")
    return x


@export("convert_to_tensor_or_sparse_tensor")
def convert_to_tensor_or_sparse_tensor(value: Any, dtype: Any = None, name: str | None = None) -> Any:
    if isinstance(value, SparseTensorValue):
        value = SparseTensor.from_value(value)
    if isinstance(value, SparseTensor):
        if dtype is not None and not value.dtype.is_compatible_with(dtype):
            raise RuntimeError(f"Sparse dtype: requested = {dtype.name}, actual = {value.dtype.name}")
        return value
    return convert_to_tensor(value, dtype, name=name)


@export("sparse_placeholder", "sparse.placeholder")
def sparse_placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> SparseTensor:
    """A SparseTensor to be fed."""

    def named(part: str) -> str | None:
        return f"{name}/{part}" if name is not None else None

    rank: Any = None
    dense_shape: Any = None
    if shape is not None and not isinstance(shape, base.Tensor):
        dims = TensorShape(shape).as_list()
        rank = len(dims)
        if None not in dims:
            dense_shape = convert_to_tensor(np.array(dims, np.int64), int64, name=named("shape"))
    elif shape is not None:
        dense_shape = shape
        rank = shape.shape.as_list()[0] if shape.dims is not None else None
    if dense_shape is None:
        dense_shape = array_ops.placeholder(int64, shape=[rank], name=named("shape"))
    values = array_ops.placeholder(dtype, shape=[None], name=named("values"))
    indices = array_ops.placeholder(int64, shape=[None, rank], name=named("indices"))
    return SparseTensor(indices, values, dense_shape)
