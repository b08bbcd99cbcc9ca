"""Sets: the distinct elements of the last axis of dense or sparse tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.sparse_ops import ONE, ZERO, arange, ravel, unravel
from graphtools.dtypes import int64, string

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

Elements = tuple["Value", "Value", "Value"]  # set number [n], element [n], shape of the sets [rank - 1]


def _of_dense(op: Builder, x: Value) -> Elements:
    outer = op.Shape(x, end=-1)
    sets = op.ReduceProd(outer, keepdims=1)
    columns = op.Shape(x, start=-1)
    number = op.Expand(op.Unsqueeze(arange(op, sets), [1]), op.Concat(sets, columns, axis=0))
    return op.Reshape(number, [-1]), op.Reshape(x, [-1]), outer


def _of_sparse(op: Builder, indices: Value, values: Value, shape: Value) -> Elements:
    outer = op.Slice(shape, [0], [-1])
    return ravel(op, op.Slice(indices, [0], [-1], [1]), outer), values, outer


def _membership(op: Builder, number: Value, element: Value, sets: Value, kinds: Value) -> Value:
    """[sets, kinds]: whether the set has the element."""
    size = op.Concat(sets, kinds, axis=0)
    flat = op.ConstantOfShape(op.ReduceProd(size, keepdims=1), value=np.zeros(1, np.bool_))
    present = op.ConstantOfShape(op.Shape(number), value=np.ones(1, np.bool_))
    place = op.Add(op.Mul(number, kinds), element)
    result: Value = op.Reshape(op.ScatterElements(flat, place, present, axis=0), size, allowzero=1)
    return result


@converts("DenseToDenseSetOperation", "DenseToSparseSetOperation", "SparseToSparseSetOperation")
def set_operation(op: Builder, node: NodeView) -> Any:
    """The result lists each set's elements sorted, as a sparse tensor."""
    inputs = node.inputs
    first = _of_sparse(op, *inputs[:3]) if node.op.startswith("Sparse") else _of_dense(op, inputs[0])
    second = _of_dense(op, inputs[1]) if node.op.startswith("DenseToDense") else _of_sparse(op, *inputs[-3:])
    dtype, outer = first[1].dtype, first[2]
    work = dtype if dtype is string else int64
    both = op.Concat(op.cast(first[1], work), op.cast(second[1], work), axis=0)
    kinds, _, inverse, _ = op.Unique(both, sorted=1, outputs=4)
    kinds.dims = inverse.dims = (None,)
    sets, count = op.ReduceProd(outer, keepdims=1), op.Shape(kinds)
    split = op.Shape(first[0])
    a = _membership(op, first[0], op.Slice(inverse, [0], split), sets, count)
    b = _membership(op, second[0], op.Slice(inverse, split, [np.iinfo(np.int64).max]), sets, count)
    operation = str(node.attr["set_operation"])
    if operation == "a-b":
        members = op.And(a, op.Not(b))
    elif operation == "b-a":
        members = op.And(b, op.Not(a))
    elif operation == "intersection":
        members = op.And(a, b)
    elif operation == "union":
        members = op.Or(a, b)
    else:
        raise node.fail(f"there is no set operation {operation!r}.")
    found = op.NonZero(members)
    number, kind = op.Gather(found, ZERO, axis=0), op.Gather(found, ONE, axis=0)
    whole = op.cast(members, int64)
    place = op.GatherND(op.CumSum(whole, ONE, exclusive=1), op.Transpose(found, perm=[1, 0]))
    longest = op.Slice(op.Max(op.ReduceMax(op.Concat(op.ReduceSum(whole, [1], keepdims=0), [0], axis=0), keepdims=1), ZERO), [0], [1])
    indices = op.Concat(unravel(op, number, outer), op.Unsqueeze(place, [1]), axis=1)
    return indices, op.cast(op.Gather(kinds, kind, axis=0), dtype), op.Concat(outer, longest, axis=0)


@converts("SetSize")
def set_size(op: Builder, node: NodeView) -> Any:
    """How many distinct elements each set has."""
    number, element, outer = _of_sparse(op, *node.inputs)
    kinds, _, inverse, _ = op.Unique(element, sorted=1, outputs=4)
    kinds.dims = inverse.dims = (None,)
    members = _membership(op, number, inverse, op.ReduceProd(outer, keepdims=1), op.Shape(kinds))
    return op.cast(op.Reshape(op.ReduceSum(op.cast(members, int64), [1], keepdims=0), outer, allowzero=1), node.dtype)
