"""Lookup tables whose content the graph says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.constant import constant
from graphtools.convert import converts
from graphtools.convert.builder import Array, Builder, Value
from graphtools.dtypes import DType, int64, string
from graphtools.graph import Node
from graphtools.passes.prune import FILLS, TABLES, table_key

if TYPE_CHECKING:
    from graphtools.convert.walk import NodeView

ML = "ai.onnx.ml"
WHOLE_LINE, LINE_NUMBER = -2, -1  # key_index and value_index of InitializeTableFromTextFile


class Table:
    """What a table's handle is converted to."""

    def __init__(self, keys: Array, values: Array) -> None:
        last = {key: i for i, key in enumerate(keys.ravel().tolist())}
        places = sorted(last.values())
        self.keys: Array = keys.ravel()[places]
        self.values: Array = values[places]


@converts(*sorted(TABLES))
def table(op: Builder, node: NodeView) -> Any:
    """The content comes from the op that fills the table when a program starts."""
    key = table_key(node.node)
    fills = [n for n in node.graph if n.op in FILLS and table_key(n.inputs[0].node) == key]
    if not fills:
        raise node.fail("nothing in the graph fills this table, so its content is not known.")
    parts = [_content(node, fill) for fill in fills]
    return Table(np.concatenate([k.ravel() for k, _ in parts]), np.concatenate([v for _, v in parts]))


def _content(node: NodeView, fill: Node) -> tuple[Array, Array]:
    if fill.op.startswith("InitializeTableFromTextFile"):
        return _lines(node, fill)
    keys, values = (constant(t) for t in fill.inputs[1:3])
    if keys is None or values is None:
        raise node.fail(f"{fill.name!r} ({fill.op}) fills it with what is computed when the model runs; constants are needed.")
    return keys, values


def _lines(node: NodeView, fill: Node) -> tuple[Array, Array]:
    """The columns of a vocabulary file that came with the model."""
    path = constant(fill.inputs[1])
    if path is None:
        raise node.fail(f"the name of the file that {fill.name!r} reads is not a constant.")
    name = path.item()
    name = name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else str(name)
    assets = node.graph.assets
    found = next((assets[k] for k in (name, name.replace("\\", "/").rpartition("/")[2]) if k in assets), None)
    if found is None:
        raise node.fail(
            f"it is filled from the file {name!r}, which is not among the model's assets ({', '.join(sorted(assets)) or 'none'})."
        )
    lines = found.splitlines()
    size = fill.attr["vocab_size"]
    lines = lines[:size] if size >= 0 else lines
    delimiter = fill.attr["delimiter"]
    split = delimiter.encode() if isinstance(delimiter, str) else delimiter
    dtypes = [node.attr["key_dtype"], node.attr["value_dtype"]]
    columns = [_column(lines, fill.attr[a], split, t) for a, t in zip(("key_index", "value_index"), dtypes, strict=True)]
    return columns[0], columns[1]


def _column(lines: list[bytes], index: int, delimiter: bytes, dtype: DType) -> Array:
    if index == LINE_NUMBER:
        return np.arange(len(lines), dtype=dtype.as_numpy_dtype)
    texts = lines if index == WHOLE_LINE else [line.split(delimiter)[index] for line in lines]
    if dtype is string:
        return np.array(texts, object)
    return np.array([float(t) if dtype.is_floating else int(t) for t in texts], dtype.as_numpy_dtype)


def _table(node: NodeView) -> Table:
    found = node.inputs[0]
    if not isinstance(found, Table):
        raise node.fail(f"{node.node.inputs[0].name!r} is no table whose content is known.")
    return found


@converts("LookupTableFind", "LookupTableFindV2")
def find(op: Builder, node: NodeView) -> Any:
    """The place of each key by LabelEncoder, then the values at the places; the default where there is none."""
    found, keys, default = _table(node), node.inputs[1], node.inputs[2]
    if not len(found.keys):
        return op.Expand(default, op.Shape(keys))
    places = _places(op, found, keys)
    values = op.const(found.values)
    if values.dtype is int64 and default.const is not None and default.const.ndim == 0 and values.rank == 1:
        return _places(op, found, keys, found.values, int(default.const))
    missing = op.Less(places, op.const(np.array(0, np.int64)))
    rows = op.Gather(values, op.Where(missing, op.const(np.array(0, np.int64)), places), axis=0)
    if values.rank != 1:
        missing = op.Unsqueeze(missing, [-1])
    return op.Where(missing, default, rows)


def _places(op: Builder, found: Table, keys: Value, values: Array | None = None, default: int = -1) -> Value:
    numbers = list(range(len(found.keys))) if values is None else [int(v) for v in values]
    attrs: dict[str, Any] = {"values_int64s": numbers, "default_int64": default}
    if keys.dtype is string:
        attrs["keys_strings"] = [k if isinstance(k, bytes) else str(k).encode() for k in found.keys.tolist()]
    else:
        keys = op.cast(keys, int64)
        attrs["keys_int64s"] = [int(k) for k in found.keys]
    result: Value = op.append("LabelEncoder", [keys], attrs, domain=ML)
    result.dtype, result.dims = int64, keys.dims
    return result


@converts("LookupTableSize", "LookupTableSizeV2")
def size(op: Builder, node: NodeView) -> Any:
    return op.const(np.array(len(_table(node).keys), np.int64))


@converts("LookupTableExport", "LookupTableExportV2")
def export(op: Builder, node: NodeView) -> Any:
    found = _table(node)
    return op.const(found.keys), op.const(found.values)
