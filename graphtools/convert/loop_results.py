"""What lists are after a loop, from what each of its rounds did to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from graphtools.convert.builder import Builder, Value
from graphtools.convert.lists import Array, Blank, Dense, Items, Progression, Repeated, TensorList, same_value
from graphtools.convert.loop_lists import Recorded
from graphtools.dtypes import int64

if TYPE_CHECKING:
    from graphtools.convert.loops import Loop


class Results:
    """The lists after one loop, built in the graph around it."""

    def __init__(self, op: Builder, loop: Loop) -> None:
        self.op = op
        self.loop = loop

    def _rows(self, element: Value) -> Value:
        """A value of the body in all rounds."""
        assert self.loop.trip is not None
        found = self.loop.rows.get(element)
        return found if found is not None else Repeated(element, self.loop.trip).stack(self.op)

    def pushed(self, value: Recorded) -> TensorList:
        assert self.loop.trip is not None
        element = value.writes[0][1]
        moves = self.loop.moves(element) if element.dims == () else None
        if moves is not None and moves[1]:
            return Progression(moves[0], moves[1], self.loop.trip, value.dtype)
        if element in self.loop.rows:
            return Dense(self.loop.rows[element], value.array, self.loop.trip)  # lists of one loop have one length
        return Repeated(element, self.loop.trip, value.array)

    def added(self, value: Recorded, index: Value, element: Value) -> TensorList:
        """What all rounds add to a list of gradients through one write."""
        op, length = self.op, value.base.init.length(self.op)
        rows = self._rows(element)
        moves = self.loop.moves(index)
        assert self.loop.trip is not None
        if moves is not None and moves[1] in (1, -1):
            return Dense(self._placed(rows, moves, length), value.array)
        if moves is not None and moves[1] == 0:
            rows = op.ReduceSum(rows, op.const([0]), keepdims=1)
            left = op.Reshape(op.cast(moves[0], int64), [1])
            return Dense(_pad_rows(op, rows, left, op.Sub(op.Sub(op.Reshape(length, [1]), left), 1)), value.array)
        if moves is not None:
            counts = op.Range(op.const(np.array(0, np.int64)), self.loop.trip, op.const(np.array(1, np.int64)))
            at = op.Add(op.cast(moves[0], int64), op.Mul(counts, moves[1]))
        else:
            at = op.cast(self._rows(index), int64)
        # ScatterElements adds in order; ScatterND in several threads loses updates where indices repeat.
        shape = op.Shape(rows)
        flat = (
            op.Reshape(rows, op.Concat(op.Reshape(self.loop.trip, [1]), op.const([-1]), axis=0))
            if rows.dims is None or len(rows.dims) != 1
            else op.Unsqueeze(rows, [1])
        )
        zero = op.Expand(
            op.const(np.zeros((), rows.dtype.as_numpy_dtype)), op.Concat(op.Reshape(length, [1]), op.Shape(flat, start=1), axis=0)
        )
        total = op.ScatterElements(zero, op.Expand(op.Unsqueeze(at, [1]), op.Shape(flat)), flat, axis=0, reduction="add")
        result = op.Reshape(total, op.Concat(op.Reshape(length, [1]), op.Slice(shape, [1], [np.iinfo(np.int64).max], [0]), axis=0))
        result.dims = None if rows.dims is None else (None, *rows.dims[1:])
        return Dense(result, value.array)

    def _fills(self, moves: tuple[Value, int], length: Value) -> bool:
        """Whether the rounds are known to go through all elements, from the first to the last or the other way."""
        trip, start = self.loop.trip, self.op.cast(moves[0], int64)
        assert trip is not None
        if not same_value(trip, length):
            return False
        if moves[1] > 0:
            return start.const is not None and int(start.const) == 0
        if start.const is not None:
            return trip.const is not None and int(start.const) + 1 == int(trip.const)
        last = start.node  # trip - 1
        if last is None or last.op_type != "Sub" or last.inputs[0] is None or last.inputs[1] is None or last.inputs[1].const is None:
            return False
        return same_value(last.inputs[0], trip) and int(last.inputs[1].const) == 1

    def _placed(self, rows: Value, moves: tuple[Value, int], length: Value) -> Value:
        """Rows in the order of their index, with zeros for the elements that no round has."""
        op = self.op
        assert self.loop.trip is not None
        if moves[1] < 0:
            rows = op.Slice(rows, [-1], [np.iinfo(np.int64).min], [0], [-1])
        if self._fills(moves, length):
            return rows
        start = op.cast(moves[0], int64)
        left = op.Reshape(start if moves[1] > 0 else op.Sub(start, op.Sub(self.loop.trip, 1)), [1])
        padded = _pad_rows(op, rows, left, op.Sub(op.Sub(op.Reshape(length, [1]), left), op.Reshape(self.loop.trip, [1])))
        if length.const is not None and rows.dims is not None and padded.const is None:
            padded.dims = (int(length.const), *rows.dims[1:])
        return padded

    def scattered(self, value: Recorded, init: TensorList) -> TensorList:
        """The list after each round has set one element, from start on upwards or downwards."""
        op, array = self.op, value.array
        index, element = value.writes[0]
        assert index is not None and self.loop.trip is not None
        moves = self.loop.moves(index)
        assert moves is not None
        rows, length = self._rows(element), init.length(op)
        if isinstance(init, Blank | Items):
            if value.grows:
                return _grown(op, rows, op.cast(moves[0], int64), length, self.loop.trip, array)
            return Dense(self._placed(rows, moves, length), array)
        if self._fills(moves, length):
            return Dense(rows if moves[1] > 0 else op.Slice(rows, [-1], [np.iinfo(np.int64).min], [0], [-1]), array)
        start = op.cast(moves[0], int64)
        if moves[1] < 0:
            rows = op.Slice(rows, [-1], [np.iinfo(np.int64).min], [0], [-1])
        first = op.Reshape(start if moves[1] > 0 else op.Sub(start, op.Sub(self.loop.trip, 1)), [1])
        old = init.stack(op)
        tail = op.Slice(old, op.Add(first, op.Reshape(self.loop.trip, [1])), [np.iinfo(np.int64).max], [0])
        return Dense(op.Concat(op.Slice(old, [0], first, [0]), rows, tail, axis=0), array)


def _pad_rows(op: Builder, rows: Value, left: Value, right: Value) -> Value:
    """Zeros before and after the rows, as many as the two lengths (shape [1]) say."""
    if rows.dims is None:
        dims = op.Shape(rows, start=1)
        parts = [op.Expand(op.const(np.zeros((), rows.dtype.as_numpy_dtype)), op.Concat(n, dims, axis=0)) for n in (left, right)]
        result: Value = op.Concat(parts[0], rows, parts[1], axis=0)
        return result
    rest = op.const(np.zeros(len(rows.dims) - 1 + rows.dtype.is_complex, np.int64))
    padded: Value = op.Pad(rows, op.Concat(left, rest, right, rest, axis=0))
    return padded


def _grown(op: Builder, rows: Value, start: Value, length: Value, trip: Value, array: Array | None) -> Dense:
    """Rows written from `start` upwards into a list of `length` elements that grows as needed."""
    if start.const is not None and not int(start.const) and length.const is not None and not int(length.const):
        return Dense(rows, array)
    left = op.Reshape(start, [1])
    right = op.Max(op.Sub(op.Sub(op.Reshape(length, [1]), left), op.Reshape(trip, [1])), 0)
    return Dense(_pad_rows(op, rows, left, right), array)
