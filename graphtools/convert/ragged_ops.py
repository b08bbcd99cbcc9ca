"""Ragged tensors, given as row splits and flat values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.array_ops import BIGGEST
from graphtools.convert.lists import Dense, TensorList, as_sequence
from graphtools.convert.sparse_ops import ONE, ZERO, arange, nonzero, unravel
from graphtools.dtypes import bool_, int32, int64
from graphtools.errors import ConversionError

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView


def splits_of(op: Builder, lengths: Value) -> Value:
    """0 and the running sums of row lengths."""
    result: Value = op.Concat([0], op.CumSum(lengths, ZERO), axis=0)
    return result


def row_ids(op: Builder, splits: Value) -> Value:
    """The row of each value: how many rows end at it or before."""
    total = op.Slice(splits, [-1], [BIGGEST])
    marks = op.ConstantOfShape(op.Add(total, ONE), value=np.zeros(1, np.int64))
    ends = op.Slice(splits, [1], [BIGGEST])
    ones = op.ConstantOfShape(op.Shape(ends), value=np.ones(1, np.int64))
    marks = op.ScatterElements(marks, ends, ones, axis=0, reduction="add")
    result: Value = op.Slice(op.CumSum(marks, ZERO), [0], total)
    return result


def ranges(op: Builder, starts: Value, lengths: Value) -> tuple[Value, Value, Value]:
    """The splits of rows of these lengths, the row of each value, and each value's number: starts[row] + its place in the row."""
    splits = splits_of(op, lengths)
    rows = row_ids(op, splits)
    place = op.Sub(arange(op, op.Shape(rows)), op.Gather(splits, rows, axis=0))
    return splits, rows, op.Add(op.Gather(starts, rows, axis=0), place)


@converts("RaggedRange")
def ragged_range(op: Builder, node: NodeView) -> Any:
    """Row i is range(starts[i], limits[i], deltas[i]); a scalar is for all rows."""
    shape = op.Shape(op.Add(op.Add(*node.inputs[:2]), node.inputs[2]))
    if all(v.rank == 0 for v in node.inputs):
        shape = op.const([1])
    starts, limits, deltas = (op.Expand(v, shape) for v in node.inputs)
    dtype = starts.dtype
    distance = op.Where(op.Less(deltas, op.const(0, dtype)), op.Sub(starts, limits), op.Sub(limits, starts))
    step = op.Abs(deltas)
    if dtype.is_floating:
        lengths = op.cast(op.Ceil(op.Div(distance, step)), int64)
    else:
        lengths = op.cast(op.Div(op.Sub(op.Add(distance, step), op.const(1, dtype)), step), int64)
    lengths = op.Where(op.LessOrEqual(distance, op.const(0, dtype)), ZERO, lengths)
    splits, rows, place = ranges(op, op.Mul(lengths, ZERO), lengths)
    values = op.Add(op.Gather(starts, rows, axis=0), op.Mul(op.cast(place, dtype), op.Gather(deltas, rows, axis=0)))
    return op.cast(splits, node.dtype), values


@converts("RaggedGather")
def ragged_gather(op: Builder, node: NodeView) -> Any:
    """Rows picked by index, level by level: the picked rows of one level are ranges of the next."""
    nested = [op.cast(s, int64) for s in node.input("params_nested_splits")]
    values, indices = node.input("params_dense_values"), op.cast(node.input("indices"), int64)
    if indices.rank is None:
        raise node.fail("the rank of the indices must be known.")
    results = []
    for i in range(indices.rank - 1):  # the axes of the indices are rows of one length each
        outer = op.ReduceProd(op.Shape(indices, end=i + 1), keepdims=0)
        width = op.Shape(indices, start=i + 1, end=i + 2)
        results.append(op.Mul(op.Range(ZERO, op.Add(outer, ONE), ONE), width))
    picked = op.Reshape(indices, [-1])
    for splits in nested:
        starts = op.Gather(splits, picked, axis=0)
        ends = op.Gather(splits, op.Add(picked, ONE), axis=0)
        new_splits, _, picked = ranges(op, starts, op.Sub(ends, starts))
        results.append(new_splits)
    return (*(op.cast(r, t.dtype) for r, t in zip(results, node.outputs, strict=False)), op.Gather(values, picked, axis=0))


@dataclass(frozen=True, slots=True)
class Level:
    """Rows of one level of a ragged tensor: the coordinates of each row so far, and how long the longest row above was."""

    coordinates: list[Value]
    sizes: list[Value]  # of the dense tensor, each a vector of one

    @staticmethod
    def first(op: Builder, rows: Value) -> Level:
        return Level([arange(op, rows)], [op.Reshape(rows, [1])])

    def below(self, op: Builder, rows: Value) -> Level:
        """The level whose values belong to these rows (sorted)."""
        count = op.Shape(self.coordinates[0])
        zeros = op.ConstantOfShape(count, value=np.zeros(1, np.int64))
        ones = op.ConstantOfShape(op.Shape(rows), value=np.ones(1, np.int64))
        lengths = op.ScatterElements(zeros, rows, ones, axis=0, reduction="add")
        starts = op.CumSum(lengths, ZERO, exclusive=1)
        column = op.Sub(arange(op, op.Shape(rows)), op.Gather(starts, rows, axis=0))
        longest = op.ReduceMax(op.Concat([0], lengths, axis=0), keepdims=1)
        return Level([*(op.Gather(c, rows, axis=0) for c in self.coordinates), column], [*self.sizes, longest])


# -- ragged tensors in variants ----------------------------------------------------------------------------------------


class Rows(TensorList):
    """The rows of a ragged tensor as a list: what a vector of variants holds."""

    def __init__(self, splits: Value, values: Value) -> None:
        super().__init__(values.dtype, None if values.dims is None else (None, *values.dims[1:]))
        self.splits = splits
        self.values = values

    def length(self, op: Builder) -> Value:
        result: Value = op.Sub(op.Size(self.splits), ONE)
        return result

    def get(self, op: Builder, index: Value) -> Value:
        at = op.Reshape(op.cast(index, int64), [1])
        start, end = op.Gather(self.splits, at, axis=0), op.Gather(self.splits, op.Add(at, ONE), axis=0)
        result: Value = op.Slice(self.values, start, end, [0])
        return result

    def sequence(self, op: Builder) -> Value:
        lengths = op.Sub(op.Slice(self.splits, [1], [BIGGEST]), op.Slice(self.splits, [0], [-1]))
        return as_sequence(op.SplitToSequence(self.values, lengths, axis=0), self.dtype, self.element)

    def stack(self, op: Builder) -> Value:
        raise ConversionError("The rows of a ragged tensor differ in length: they have no dense form.")


@converts("RaggedTensorToVariant")
def ragged_tensor_to_variant(op: Builder, node: NodeView) -> Any:
    """A batch of rows is a list; a tensor without ragged axes is kept as it is."""
    splits, values = node.input("rt_nested_splits"), node.input("rt_dense_values")
    if len(splits) > 1:
        raise node.fail("only one ragged axis is supported.")
    if splits:
        return Rows(op.cast(splits[0], int64), values)
    return Dense(values)


@converts("RaggedTensorFromVariant")
def ragged_tensor_from_variant(op: Builder, node: NodeView) -> Any:
    """A tensor, or the rows of a list one after the other with the sums of their lengths."""
    encoded, rank = node.inputs[0], int(node.attr["output_ragged_rank"])
    if not isinstance(encoded, TensorList) or rank > 1:
        raise node.fail("only lists of tensors, and one ragged axis, are supported.")
    if rank == 0:
        return encoded.stack(op)
    if isinstance(encoded, Rows):
        return op.cast(encoded.splits, node.dtype), encoded.values
    rows = encoded.sequence(op)
    body = op.subgraph()
    i, go_on = body.input("i", int64, ()), body.input("go_on", bool_, ())
    row = body.SequenceAt(rows, i)
    body.output(body.Identity(go_on))
    body.output(body.Reshape(body.Shape(row, start=0, end=1), np.zeros(0, np.int64)))
    lengths = op.Loop(op.SequenceLength(rows), op.const(True), body=body)
    lengths.dtype, lengths.dims = int64, (None,)
    values = op.ConcatFromSequence(rows, axis=0)
    values.dtype, values.dims = node.attr["Tvalues"], None if not encoded.element else (None, *encoded.element[1:])
    return op.cast(splits_of(op, lengths), node.dtype), values


@converts("RaggedTensorToSparse")
def ragged_tensor_to_sparse(op: Builder, node: NodeView) -> Any:
    nested, values = [op.cast(s, int64) for s in node.input("rt_nested_splits")], node.input("rt_dense_values")
    level = Level.first(op, op.Sub(op.Shape(nested[0]), ONE))
    for splits in nested:
        level = level.below(op, row_ids(op, splits))
    columns = [op.Unsqueeze(c, [1]) for c in level.coordinates]
    inner = op.Shape(values, start=1)
    if values.rank == 1:
        return op.Concat(*columns, axis=1), values, op.Concat(*level.sizes, axis=0)
    if values.rank is None:
        raise node.fail("the rank of the values must be known.")
    # Every row of the values lists the elements of its inner axes.
    count = op.ReduceProd(inner, keepdims=1)
    rows = op.Shape(values, start=0, end=1)
    shape = op.Concat(rows, count, axis=0)
    outer = [op.Reshape(op.Expand(c, shape), [-1, 1]) for c in columns]
    within = unravel(op, op.Reshape(op.Expand(op.Unsqueeze(arange(op, count), [0]), shape), [-1]), inner)
    return op.Concat(*outer, within, axis=1), op.Reshape(values, [-1]), op.Concat(*level.sizes, inner, axis=0)


@converts("RaggedTensorToTensor")
def ragged_tensor_to_tensor(op: Builder, node: NodeView) -> Any:
    """Every value goes to its coordinates in a tensor of the default value; those outside the shape asked for are dropped."""
    wanted, values, default = node.input("shape"), node.input("values"), node.input("default_value")
    kinds = [str(k) for k in node.attr["row_partition_types"]]
    tensors = [op.cast(t, int64) for t in node.input("row_partition_tensors")]
    if kinds[0] == "FIRST_DIM_SIZE":
        level, kinds, tensors = Level.first(op, tensors[0]), kinds[1:], tensors[1:]
    elif kinds[0] == "ROW_SPLITS":
        level = Level.first(op, op.Sub(op.Shape(tensors[0]), ONE))
    else:
        raise node.fail(f"a partition of type {kinds[0]!r} cannot come first.")
    for kind, tensor in zip(kinds, tensors, strict=True):
        level = level.below(op, row_ids(op, tensor) if kind == "ROW_SPLITS" else tensor)
    outer = op.Concat(*level.sizes, axis=0)
    inner = op.Shape(values, start=1)
    if wanted.rank != 0:
        asked = op.cast(wanted, int64)
        count = len(level.sizes)
        head = op.Slice(asked, [0], [count])
        outer = op.Where(op.Less(head, ZERO), outer, head)
    coordinates = op.Concat(*(op.Unsqueeze(c, [1]) for c in level.coordinates), axis=1)
    if wanted.rank != 0:
        inside = op.ReduceMin(op.cast(op.Less(coordinates, outer), int32), [1], keepdims=0)
        kept = nonzero(op, op.Equal(inside, op.const(1, int32)))
        coordinates, values = op.Gather(coordinates, kept, axis=0), op.Gather(values, kept, axis=0)
    shape = op.Concat(outer, inner, axis=0)
    base = op.Expand(default, shape)
    return op.ScatterND(base, coordinates, values)
