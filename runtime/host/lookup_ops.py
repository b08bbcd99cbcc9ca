"""Tables: read-only ones with initializers and vocabulary files, and those that graphs change."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from graphtools.dtypes import DType, int64, string
from graphtools.graph import Node
from runtime import files
from runtime.errors import FailedPreconditionError, InvalidArgumentError
from runtime.host import Run, datasets, host, rows
from runtime.host.datasets import Context
from runtime.host.rows import Array

# What a column number below 0 means in a vocabulary file.
_WHOLE_LINE, _LINE_NUMBER = -2, -1


class Table:
    """Values by scalar key. `shape` is that of one value; a `is_fixed` table is filled once, by an initializer."""

    def __init__(self, key_type: DType, value_type: DType, shape: Sequence[int] = (), is_fixed: bool = False) -> None:
        self.key_type = key_type
        self.value_type = value_type
        self.shape = tuple(shape)
        self.is_fixed = is_fixed
        self.values: dict[Any, Any] = {}
        self.is_initialized = not is_fixed
        self.lock = threading.Lock()

    def find(self, keys: Array, default: Array) -> Array:
        if not self.is_initialized:
            raise FailedPreconditionError(None, None, "Table not initialized.")
        self._check_types(keys.dtype, default.dtype)
        found, missing = self.values, default[()] if not self.shape else None
        flat = keys.ravel().tolist()
        if not self.shape:
            picked = [found.get(k, missing) for k in flat]
            values = rows.texts(picked) if self.value_type is string else np.array(picked, self.value_type.as_numpy_dtype)
            return values.reshape(keys.shape)
        result: Array = np.empty((len(flat), *self.shape), self.value_type.as_numpy_dtype)
        for i, key in enumerate(flat):
            result[i, ...] = found.get(key, default)
        return result.reshape(*keys.shape, *self.shape)

    def insert(self, keys: Array, values: Array) -> None:
        self._check_types(keys.dtype, values.dtype)
        if values.shape != (*keys.shape, *self.shape):
            raise InvalidArgumentError(
                None,
                None,
                f"Expected shape {rows.shape_text((*keys.shape, *self.shape))} for value, got {rows.shape_text(values.shape)}",
            )
        flat = values.reshape(keys.size, *self.shape)
        cells = [flat[i].copy() for i in range(len(flat))] if self.shape else flat.tolist()
        with self.lock:
            self.values.update(zip(keys.ravel().tolist(), cells, strict=True))

    def remove(self, keys: Array) -> None:
        with self.lock:
            for key in keys.ravel().tolist():
                self.values.pop(key, None)

    def replace(self, keys: Array, values: Array) -> None:
        with self.lock:
            self.values.clear()
        self.insert(keys, values)

    def initialize(self, pairs: Iterable[tuple[Any, Any]]) -> None:
        """Fill the table. Filling it again with as many entries changes nothing."""
        filled: dict[Any, Any] = {}
        for key, value in pairs:
            if filled.setdefault(key, value) != value:
                raise FailedPreconditionError(
                    None,
                    None,
                    f"HashTable has different value for same key. Key {_shown(key)} has {_shown(filled[key])} and trying to add value {_shown(value)}",
                )
        with self.lock:
            if self.is_initialized:
                if len(filled) != len(self.values):
                    raise FailedPreconditionError(None, None, "Table was already initialized with different data.")
                return
            self.values = filled
            self.is_initialized = True

    def export(self) -> tuple[Array, Array]:
        with self.lock:
            keys, values = list(self.values), list(self.values.values())
        key_array = rows.texts(keys) if self.key_type is string else np.array(keys, self.key_type.as_numpy_dtype)
        if self.value_type is string and not self.shape:
            return key_array, rows.texts(values)
        made = np.empty((len(values), *self.shape), self.value_type.as_numpy_dtype)
        for i, value in enumerate(values):
            made[i, ...] = value
        return key_array, made

    def size(self) -> int:
        return len(self.values)

    def _check_types(self, key: Any, value: Any) -> None:
        if key != self.key_type.as_numpy_dtype or value != self.value_type.as_numpy_dtype:
            raise InvalidArgumentError(
                None, None, f"Conflicting key/value dtypes {key}->{value} with {self.key_type.name}->{self.value_type.name}"
            )


def _shown(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


class DenseTable(Table):
    """A table that graphs change, two of whose keys stand for empty and deleted places."""

    def __init__(self, node: Node, empty_key: Array, deleted_key: Array | None) -> None:
        a = node.attr
        self._key_dims = empty_key.shape
        super().__init__(a["key_dtype"], a["value_dtype"], [d or 0 for d in a["value_shape"] or ()])
        buckets = a["initial_num_buckets"]
        if buckets < 1 or buckets & (buckets - 1):
            raise InvalidArgumentError(None, None, f"Number of buckets must be at least 4 and a power of 2, got: {buckets}")
        self._reserved = {self._key(empty_key): "empty_key"}
        if deleted_key is not None:
            if self._key(deleted_key) in self._reserved:
                raise InvalidArgumentError(None, None, "Empty and deleted keys cannot be equal")
            self._reserved[self._key(deleted_key)] = "deleted_key"

    def _key(self, key: Array) -> Any:
        return key.item() if key.ndim == 0 else tuple(key.ravel().tolist())

    def _keys(self, keys: Array) -> Array:
        """Keys of any shape as an array of hashable ones. Raises InvalidArgumentError for the reserved ones."""
        inner = len(self._key_dims)
        outer = keys.shape[: keys.ndim - inner]
        flat = keys.reshape(-1, *self._key_dims)
        hashable = rows.objects([self._key(flat[i, ...]) for i in range(len(flat))])
        for key in hashable:
            if key in self._reserved:
                raise InvalidArgumentError(None, None, f"Using the {self._reserved[key]} as a table key is not allowed")
        return hashable.reshape(outer)

    def _check_types(self, key: Any, value: Any) -> None:
        if value != self.value_type.as_numpy_dtype:
            super()._check_types(self.key_type.as_numpy_dtype, value)

    def find(self, keys: Array, default: Array) -> Array:
        return super().find(self._keys(keys), default)

    def insert(self, keys: Array, values: Array) -> None:
        super().insert(self._keys(keys), values)

    def remove(self, keys: Array) -> None:
        super().remove(self._keys(keys))

    def export(self) -> tuple[Array, Array]:
        keys, values = list(self.values), super().export()[1]
        if self.key_type is string and not self._key_dims:
            return rows.texts(keys), values
        return np.array(keys, self.key_type.as_numpy_dtype).reshape(len(keys), *self._key_dims), values


# -- table ops ---------------------------------------------------------------------------------------------------


def _checked(table: Any, node: Node) -> Table:
    """The table, if it is what this node asks for: a node may name one that another node made."""
    name, key, value = node.attr.get("shared_name") or node.name, node.attr["key_dtype"], node.attr["value_dtype"]
    if not isinstance(table, Table):
        raise InvalidArgumentError(None, None, f"The resource {name} is no table, but a {type(table).__name__}.")
    if (table.key_type, table.value_type) != (key, value):
        raise InvalidArgumentError(
            None,
            None,
            f"Conflicting key/value dtypes {rows.type_text(key)}->{rows.type_text(value)} with "
            f"{rows.type_text(table.key_type)}-{rows.type_text(table.value_type)} for table {name}",
        )
    return table


@host("HashTable", "HashTableV2", "AnonymousHashTable")
def hash_table(run: Run, node: Node) -> Table:
    return _checked(run.resource(node, lambda: Table(node.attr["key_dtype"], node.attr["value_dtype"], is_fixed=True)), node)


@host("MutableHashTable", "MutableHashTableV2", "AnonymousMutableHashTable")
def mutable_hash_table(run: Run, node: Node) -> Table:
    return _checked(run.resource(node, lambda: Table(node.attr["key_dtype"], node.attr["value_dtype"])), node)


@host("MutableHashTableOfTensors", "MutableHashTableOfTensorsV2", "AnonymousMutableHashTableOfTensors")
def mutable_hash_table_of_tensors(run: Run, node: Node) -> Table:
    a = node.attr
    return _checked(run.resource(node, lambda: Table(a["key_dtype"], a["value_dtype"], [d or 0 for d in a["value_shape"] or ()])), node)


@host("MutableDenseHashTable", "MutableDenseHashTableV2", "AnonymousMutableDenseHashTable")
def mutable_dense_hash_table(run: Run, node: Node, empty_key: Array, deleted_key: Array | None = None) -> Table:
    return _checked(run.resource(node, lambda: DenseTable(node, empty_key, deleted_key)), node)


@host("LookupTableFind", "LookupTableFindV2")
def lookup_table_find(run: Run, node: Node, table: Table, keys: Array, default: Array) -> Array:
    if default.shape != table.shape:
        raise InvalidArgumentError(
            None, None, f"Expected shape {rows.shape_text(table.shape)} for default value, got {rows.shape_text(default.shape)}"
        )
    return table.find(keys, default)


def _check_mutable(table: Table) -> None:
    if table.is_fixed:
        raise InvalidArgumentError(None, None, "A HashTable is filled by its initializer only; this op needs a MutableHashTable.")


@host("LookupTableInsert", "LookupTableInsertV2")
def lookup_table_insert(run: Run, node: Node, table: Table, keys: Array, values: Array) -> tuple[()]:
    _check_mutable(table)
    table.insert(keys, values)
    return ()


@host("LookupTableImport", "LookupTableImportV2")
def lookup_table_import(run: Run, node: Node, table: Table, keys: Array, values: Array) -> tuple[()]:
    if table.is_fixed:
        table.initialize(zip(keys.ravel().tolist(), values.ravel().tolist(), strict=True))
    else:
        table.replace(keys, values)
    return ()


@host("LookupTableRemoveV2")
def lookup_table_remove(run: Run, node: Node, table: Table, keys: Array) -> tuple[()]:
    _check_mutable(table)
    table.remove(keys)
    return ()


@host("LookupTableSize", "LookupTableSizeV2")
def lookup_table_size(run: Run, node: Node, table: Table) -> Array:
    return np.array(table.size(), np.int64)


@host("LookupTableExport", "LookupTableExportV2")
def lookup_table_export(run: Run, node: Node, table: Table) -> tuple[Array, Array]:
    return table.export()


@host("InitializeTable", "InitializeTableV2")
def initialize_table(run: Run, node: Node, table: Table, keys: Array, values: Array) -> tuple[()]:
    if keys.shape != values.shape:
        raise InvalidArgumentError(None, None, f"keys and values do not have the same number of elements: {keys.size} vs {values.size}")
    table.initialize(zip(keys.ravel().tolist(), values.ravel().tolist(), strict=True))
    return ()


@host("InitializeTableFromDataset")
def initialize_table_from_dataset(run: Run, node: Node, table: Table, dataset: Any) -> tuple[()]:
    table.initialize((k.item(), v.item()) for k, v in datasets.dataset_in(dataset).iterate(Context(run)))
    return ()


# -- vocabulary files --------------------------------------------------------------------------------------------


@host("InitializeTableFromTextFile", "InitializeTableFromTextFileV2")
def initialize_table_from_text_file(run: Run, node: Node, table: Table, filename: Array) -> tuple[()]:
    a = node.attr
    name = rows.name_of(filename)
    for what, index, dtype in (("key", a["key_index"], table.key_type), ("value", a["value_index"], table.value_type)):
        if index == _LINE_NUMBER and dtype is not int64:
            raise InvalidArgumentError(
                None, None, f"{what.capitalize()} index for line number requires table {what} dtype of int64, got {dtype.name}"
            )
        if index == _WHOLE_LINE and not (dtype is string or (dtype.is_integer and what == "key")):
            raise InvalidArgumentError(
                None,
                None,
                f"{what.capitalize()} index for whole line requires table {what} dtype of {'integer or ' if what == 'key' else ''}string, got {dtype.name}",
            )
    table.initialize(_file_pairs(name, table, a["key_index"], a["value_index"], a["vocab_size"], _text(a["delimiter"])))
    return ()


def _text(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _file_pairs(name: str, table: Table, key_index: int, value_index: int, size: int, delimiter: bytes) -> Iterable[tuple[Any, Any]]:
    count = 0
    with files.open_stream(name) as stream:
        for number, raw in enumerate(stream):
            if 0 <= size <= number:
                break
            line = raw.removesuffix(b"\n").removesuffix(b"\r")
            parts = line.split(delimiter) if max(key_index, value_index) >= 0 else []
            if parts and max(key_index, value_index) >= len(parts):
                raise InvalidArgumentError(
                    None,
                    None,
                    f"Invalid number of columns in {name} line {number} ({line.decode('utf-8', 'replace')}) : expected {max(key_index, value_index)} got {len(parts)}",
                )
            key = _token(key_index, table.key_type, line, parts, number, name)
            yield key, _token(value_index, table.value_type, line, parts, number, name)
            count += 1
    if size >= 0 and count < size:
        raise InvalidArgumentError(None, None, f"Invalid vocab_size in {name}: expected {size} but got {count}")


def _token(index: int, dtype: DType, line: bytes, parts: list[bytes], number: int, name: str) -> Any:
    if index == _LINE_NUMBER:
        return number
    token = line if index == _WHOLE_LINE else parts[index]
    if dtype is string:
        return token
    try:
        return int(token) if dtype.is_integer else float(np.dtype(dtype.as_numpy_dtype).type(token))
    except ValueError as e:
        raise InvalidArgumentError(
            None, None, f"Field {token.decode('utf-8', 'replace')} in line {number} is not a valid {dtype.name}."
        ) from e
