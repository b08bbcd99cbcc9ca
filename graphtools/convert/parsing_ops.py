"""Records of text taken apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.sparse_ops import ONE, ZERO, arange
from graphtools.convert.string_ops import EMPTY, joined_along, split_text, text
from graphtools.dtypes import int64, string

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

QUOTE = '"'
STAND_IN = "\x1f"  # for a delimiter inside quotes, while records are split


@converts("DecodeCSV")
def decode_csv(op: Builder, node: NodeView) -> Any:
    """Fields split at the delimiter, quotes taken off, then read as numbers; an empty field is the column's default.

    ONNX cannot raise. What TensorFlow refuses (a missing field, a stray quote) makes an index run out of bounds.
    """
    records, defaults = node.input("records"), node.input("record_defaults")
    delimiter, missing = str(node.attr["field_delim"]), str(node.attr["na_value"])
    chosen = [int(c) for c in node.attr["select_cols"]] or list(range(len(defaults)))
    rows = op.Reshape(records, [-1])
    quoted = bool(node.attr["use_quote_delim"])
    if quoted:
        rows = _hide_delimiters(op, rows, delimiter)
    fields, counts = split_text(op, rows, delimiter)
    width = max(chosen) + 1
    wrong = op.Less(counts, np.int64(width)) if node.attr["select_cols"] else op.Not(op.Equal(counts, np.int64(width)))
    blank = op.Expand(EMPTY, op.Concat(op.Shape(rows), [width], axis=0))
    fields = op.Slice(op.Concat(fields, blank, axis=1), [0], [width], [1])
    if quoted:
        flat, stray = _unquoted(op, op.Reshape(fields, [-1]), delimiter)
        fields = op.Reshape(flat, op.Concat([-1], [width], axis=0))
        wrong = op.Or(wrong, op.Greater(op.ReduceMax(op.cast(op.Reshape(stray, [-1, width]), int64), [1], keepdims=0), ZERO))
    columns = []
    for default, column in zip(defaults, chosen, strict=True):
        values = op.Gather(fields, np.int64(column), axis=1)
        empty = op.Equal(values, EMPTY)
        if missing:
            empty = op.Or(empty, op.Equal(values, text(op, missing)))
        columns.append((default, values, empty))
        if default.dims is not None and 0 in default.dims:
            wrong = op.Or(wrong, empty)
    # 0 where every record is right, out of bounds where one is wrong
    checked = op.Gather(op.const([0]), op.ReduceMax(op.Concat([0], op.cast(wrong, int64), axis=0), keepdims=0), axis=0)
    shape = op.Add(op.Shape(records), checked)
    results = []
    for (default, values, empty), tensor in zip(columns, node.outputs, strict=True):
        dtype = tensor.dtype
        required = default.dims is not None and 0 in default.dims
        if dtype is not string:
            values = op.Cast(op.Where(empty, text(op, "0"), values), to=dtype.onnx)
        if not required:
            values = op.Where(empty, op.Reshape(default, np.zeros(0, np.int64)), values)
        results.append(op.Reshape(values, shape))
    return tuple(results)


def _hide_delimiters(op: Builder, rows: Value, delimiter: str) -> Value:
    """Records with a stand-in for the delimiters between quotes: in every second piece of what the quotes part."""
    pieces, counts = split_text(op, rows, QUOTE)
    inner, many = split_text(op, op.Reshape(pieces, [-1]), delimiter)
    hidden = op.Reshape(joined_along(op, inner, 1, STAND_IN, many), op.Shape(pieces), allowzero=1)
    odd = op.Equal(op.Mod(arange(op, op.Shape(pieces, start=1, end=2)), np.int64(2)), ONE)
    return joined_along(op, op.Where(odd, hidden, pieces), 1, QUOTE, counts)


def _unquoted(op: Builder, fields: Value, delimiter: str) -> tuple[Value, Value]:
    """Fields without their quotes, two in a row being one, and which have quotes where there should be none."""
    pieces, counts = split_text(op, fields, QUOTE)
    blank = op.Expand(EMPTY, op.Concat(op.Shape(fields), [1], axis=0))
    pieces = op.Concat(pieces, blank, axis=1)
    largest = np.iinfo(np.int64).max
    inside = joined_along(op, op.Slice(pieces, [1], [largest], [1], [2]), 1, QUOTE, op.Div(counts, np.int64(2)))
    plain = op.LessOrEqual(counts, ONE)
    values = op.Where(plain, op.Reshape(op.Slice(pieces, [0], [1], [1]), [-1]), inside)
    between = op.Slice(pieces, [0], [largest], [1], [2])
    filled = op.ReduceMax(op.cast(op.Not(op.Equal(between, EMPTY)), int64), [1], keepdims=0)
    unbalanced = op.And(op.Equal(op.Mod(counts, np.int64(2)), ZERO), op.Greater(counts, ZERO))
    stray = op.Or(unbalanced, op.And(op.Not(plain), op.Greater(filled, ZERO)))
    shown, many = split_text(op, values, STAND_IN)
    return joined_along(op, shown, 1, delimiter, many), stray
