"""Lookup tables: tf.lookup and tf.contrib.lookup."""

from __future__ import annotations

import contextlib
import uuid
from collections import namedtuple
from typing import Any

from graphtools import graph as base
from graphtools.dtypes import as_dtype, int64, string
from runtime.tf1 import array_ops, math_ops
from runtime.tf1.control_flow_ops import group, no_op
from runtime.tf1.graph import GraphKeys, apply_op, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export, put
from runtime.tf1.sparse_tensor import SparseTensor
from runtime.tf1.tensor_shape import TensorShape


@export("tables_initializer", "initializers.tables_initializer")
def tables_initializer(name: str = "init_all_tables") -> Any:
    """The op that initializes every table of the graph."""
    initializers = get_default_graph().get_collection(GraphKeys.TABLE_INITIALIZERS)
    return group(*initializers, name=name) if initializers else no_op(name=name)


@export("initialize_all_tables", "contrib.lookup.initialize_all_tables")
def initialize_all_tables(name: str = "init_all_tables") -> Any:
    return tables_initializer(name)


def _outside_control_flow() -> Any:
    graph = get_default_graph()
    return graph.control_dependencies(None) if graph.flow is not None else contextlib.nullcontext()


@export("contrib.lookup.LookupInterface")
class LookupInterface:
    """What tables share."""

    _handle: Any = None
    _table_name: str | None = None

    def __init__(self, key_dtype: Any, value_dtype: Any) -> None:
        self._key_dtype, self._value_dtype = as_dtype(key_dtype), as_dtype(value_dtype)

    key_dtype = property(lambda self: self._key_dtype)
    value_dtype = property(lambda self: self._value_dtype)
    name = property(lambda self: self._table_name)
    resource_handle = property(lambda self: self._handle)
    table_ref = property(lambda self: self._handle)

    def _made(self, handle: Any) -> None:
        self._handle = handle
        self._table_name = handle.op.name.split("/")[-1]

    def _check_keys(self, keys: Any) -> None:
        if keys.dtype.base_dtype is not self._key_dtype:
            raise TypeError(f"Signature mismatch. Keys must be dtype {self._key_dtype}, got {keys.dtype}.")


@export("contrib.lookup.InitializableLookupTableBase")
class InitializableLookupTableBase(LookupInterface):
    """A table that its initializer fills."""

    def __init__(self, default_value: Any, initializer: Any) -> None:
        super().__init__(initializer.key_dtype, initializer.value_dtype)
        self._initializer = initializer
        self._default_value = convert_to_tensor(default_value, self._value_dtype)
        self._default_value.shape.merge_with(TensorShape([]))
        self._made(self._create_resource())
        with _outside_control_flow():
            self._init_op = initializer.initialize(self)

    def _create_resource(self) -> Any:
        raise NotImplementedError

    default_value = property(lambda self: self._default_value)
    initializer = property(lambda self: self._init_op)
    init = property(lambda self: self._init_op)

    def size(self, name: str | None = None) -> Any:
        with name_scope(name, f"{self.name}_Size", [self._handle]):
            return apply_op("LookupTableSizeV2", None, table_handle=self._handle)

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        """The values of keys; of a SparseTensor, a SparseTensor."""
        if not isinstance(keys, base.Tensor | SparseTensor):
            keys = convert_to_tensor(keys, self._key_dtype)
        self._check_keys(keys)
        tensor = keys.values if isinstance(keys, SparseTensor) else keys
        with name_scope(name, f"{self.name}_Lookup", [self._handle]):
            values = apply_op("LookupTableFindV2", None, table_handle=self._handle, keys=tensor, default_value=self._default_value)
        values.set_shape(TensorShape(tensor.dims))
        return SparseTensor(keys.indices, values, keys.dense_shape) if isinstance(keys, SparseTensor) else values

    def export(self, name: str | None = None) -> Any:
        with name_scope(name, f"{self.name}_Export", [self._handle]) as scope:
            keys, values = apply_op(
                "LookupTableExportV2", scope, table_handle=self._handle, Tkeys=self._key_dtype, Tvalues=self._value_dtype
            )
        values.set_shape(keys.shape)
        return keys, values


@export("lookup.StaticHashTable")
class StaticHashTable(InitializableLookupTableBase):
    """A table that does not change once it is initialized."""

    def __init__(self, initializer: Any, default_value: Any, name: str | None = None) -> None:
        self._shared_name = initializer._shared_name or f"hash_table_{uuid.uuid4()}"
        self._wanted_name = name or "hash_table"
        super().__init__(default_value, initializer)

    def _create_resource(self) -> Any:
        return apply_op(
            "HashTableV2", self._wanted_name, shared_name=self._shared_name, key_dtype=self._key_dtype, value_dtype=self._value_dtype
        )


@export("contrib.lookup.HashTable")
class HashTable(StaticHashTable):
    """The table of contrib, whose shared name is the script's."""

    def __init__(self, initializer: Any, default_value: Any, shared_name: str | None = None, name: str | None = None) -> None:
        self._shared_name = shared_name  # type: ignore[assignment]
        self._wanted_name = name or "hash_table"
        InitializableLookupTableBase.__init__(self, default_value, initializer)


# -- initializers ------------------------------------------------------------------------------------------------------------


@export("contrib.lookup.TableInitializerBase")
class TableInitializerBase:
    """Fills a table."""

    _shared_name: Any = ""

    def __init__(self, key_dtype: Any, value_dtype: Any) -> None:
        self._key_dtype, self._value_dtype = as_dtype(key_dtype), as_dtype(value_dtype)

    key_dtype = property(lambda self: self._key_dtype)
    value_dtype = property(lambda self: self._value_dtype)

    def initialize(self, table: Any) -> Any:
        raise NotImplementedError

    def _check(self, table: Any) -> None:
        for what, mine, wanted in (("key", self._key_dtype, table.key_dtype), ("value", self._value_dtype, table.value_dtype)):
            if mine.base_dtype is not wanted:
                raise TypeError(f"Invalid {what} dtype, expected {wanted} but got {mine}.")


@export("lookup.KeyValueTensorInitializer", "contrib.lookup.KeyValueTensorInitializer")
class KeyValueTensorInitializer(TableInitializerBase):
    """From a tensor of keys and one of values."""

    def __init__(self, keys: Any, values: Any, key_dtype: Any = None, value_dtype: Any = None, name: str | None = None) -> None:
        with _outside_control_flow():
            self._keys = convert_to_tensor(keys, key_dtype, name="keys")
            self._values = convert_to_tensor(values, value_dtype, name="values")
        self._name = "key_value_init" if name is None else name
        super().__init__(self._keys.dtype.base_dtype, self._values.dtype.base_dtype)

    def initialize(self, table: Any) -> Any:
        self._check(table)
        with name_scope(self._name, None, [table.resource_handle]):
            op = apply_op("LookupTableImportV2", None, table_handle=table.resource_handle, keys=self._keys, values=self._values)
        get_default_graph().add_to_collection(GraphKeys.TABLE_INITIALIZERS, op)
        return op


@export("lookup.TextFileIndex", "contrib.lookup.TextFileIndex")
class TextFileIndex:
    WHOLE_LINE = -2
    LINE_NUMBER = -1


@export("lookup.TextFileInitializer", "contrib.lookup.TextFileInitializer")
class TextFileInitializer(TableInitializerBase):
    """From the lines of a file: a key and a value are a column, the line or its number."""

    def __init__(
        self,
        filename: Any,
        key_dtype: Any,
        key_index: int,
        value_dtype: Any,
        value_index: int,
        vocab_size: int | None = None,
        delimiter: str = "\t",
        name: str | None = None,
    ) -> None:
        if not isinstance(filename, base.Tensor) and not filename:
            raise ValueError(f"Filename required for {name}.")
        super().__init__(key_dtype, value_dtype)
        for what, index, dtype in (("key", key_index, self._key_dtype), ("value", value_index, self._value_dtype)):
            if index < -2:
                raise ValueError(f"Invalid {what} index {index}.")
            if index == TextFileIndex.LINE_NUMBER and dtype is not int64:
                raise ValueError(f"Signature mismatch. {what.title()}s must be dtype {int64}, got {dtype}.")
        if key_index == TextFileIndex.WHOLE_LINE and not self._key_dtype.is_integer and self._key_dtype is not string:
            raise ValueError(f"Signature mismatch. Keys must be integer or string, got {self._key_dtype}.")
        if value_index == TextFileIndex.WHOLE_LINE and self._value_dtype is not string:
            raise ValueError(f"Signature mismatch. Values must be dtype {string}, got {self._value_dtype}.")
        if vocab_size is not None and vocab_size <= 0:
            raise ValueError(f"Invalid vocab_size {vocab_size}.")
        self._key_index, self._value_index = key_index, value_index
        self._vocab_size, self._delimiter, self._name = vocab_size, delimiter, name
        size = f"{vocab_size}_" if vocab_size else ""
        self._shared_name = f"hash_table_{filename}_{size}{key_index}_{value_index}"
        with _outside_control_flow():
            self._filename = convert_to_tensor(filename, string, name="asset_path")

    def initialize(self, table: Any) -> Any:
        self._check(table)
        with name_scope(self._name, "text_file_init", [table.resource_handle]):
            op = apply_op(
                "InitializeTableFromTextFileV2", None, table_handle=table.resource_handle, filename=self._filename, key_index=self._key_index, value_index=self._value_index,
                vocab_size=-1 if self._vocab_size is None else self._vocab_size, delimiter=self._delimiter,
            )  # fmt: skip
        graph = get_default_graph()
        graph.add_to_collection(GraphKeys.TABLE_INITIALIZERS, op)
        if self._filename.op.op == "Const":
            graph.add_to_collection(GraphKeys.ASSET_FILEPATHS, self._filename)
        return op


@export("contrib.lookup.TextFileStringTableInitializer")
class TextFileStringTableInitializer(TextFileInitializer):
    """Line number -> line."""

    def __init__(
        self,
        filename: Any,
        key_column_index: int = TextFileIndex.LINE_NUMBER,
        value_column_index: int = TextFileIndex.WHOLE_LINE,
        vocab_size: int | None = None,
        delimiter: str = "\t",
        name: str = "text_file_string_table_init",
    ) -> None:
        super().__init__(filename, int64, key_column_index, string, value_column_index, vocab_size, delimiter, name)


@export("contrib.lookup.TextFileIdTableInitializer")
class TextFileIdTableInitializer(TextFileInitializer):
    """Line -> line number."""

    def __init__(
        self,
        filename: Any,
        key_column_index: int = TextFileIndex.WHOLE_LINE,
        value_column_index: int = TextFileIndex.LINE_NUMBER,
        vocab_size: int | None = None,
        delimiter: str = "\t",
        name: str = "text_file_id_table_init",
        key_dtype: Any = string,
    ) -> None:
        super().__init__(filename, key_dtype, key_column_index, int64, value_column_index, vocab_size, delimiter, name)


# -- ids with buckets for keys that the table has not --------------------------------------------------------------------------


class HasherSpec(namedtuple("HasherSpec", ["hasher", "key"])):
    """Which hash function, and its key."""

    __slots__ = ()


FastHashSpec = HasherSpec("fasthash", None)


class StrongHashSpec(HasherSpec):
    """The keyed hash function."""

    __slots__ = ()

    def __new__(cls, key: Any) -> StrongHashSpec:
        if len(key) != 2:
            raise ValueError(f"key must have size 2, got {len(key)}.")
        return super().__new__(cls, "stronghash", key)


put("contrib.lookup.HasherSpec", HasherSpec)
put("contrib.lookup.FastHashSpec", FastHashSpec)
put("contrib.lookup.StrongHashSpec", StrongHashSpec)


def _hash_bucket(spec: HasherSpec, values: Any, count: int) -> Any:
    if spec.hasher == "fasthash":
        return apply_op("StringToHashBucketFast", "hash_bucket", input=values, num_buckets=count)
    if spec.hasher == "legacy":
        return apply_op("StringToHashBucket", "hash_bucket", string_tensor=values, num_buckets=count)
    if spec.hasher == "stronghash":
        return apply_op("StringToHashBucketStrong", "hash_bucket", input=values, num_buckets=count, key=list(spec.key))
    raise ValueError(f"Unknown hasher {spec.hasher}")


@export("contrib.lookup.IdTableWithHashBuckets")
class IdTableWithHashBuckets(LookupInterface):
    """The ids of a table; keys it has not are hashed into buckets after its ids."""

    def __init__(
        self, table: Any, num_oov_buckets: int, hasher_spec: Any = FastHashSpec, name: str | None = None, key_dtype: Any = None
    ) -> None:
        name = name.rstrip("/") if name else name
        if table is not None:
            key_dtype = as_dtype(key_dtype) if key_dtype is not None else table.key_dtype
            if table.key_dtype not in (int64, string):
                raise TypeError(f"Invalid key dtype, expected one of {(int64, string)}, but got {key_dtype}.")
            if table.key_dtype.is_integer != key_dtype.is_integer:
                raise TypeError(
                    f"Invalid key dtype, expected {'integer' if key_dtype.is_integer else 'non-integer'} but got {table.key_dtype}."
                )
            if table.value_dtype is not int64:
                raise TypeError(f"Invalid value dtype, expected {int64} but got {table.value_dtype}.")
            name = name or table.name
        else:
            if num_oov_buckets <= 0:
                raise ValueError("oov_buckets must be > 0 if no table is supplied.")
            key_dtype = string if key_dtype is None else as_dtype(key_dtype)
            name = name or "hash_bucket"
        if not key_dtype.is_integer and key_dtype is not string:
            raise TypeError(f"Invalid key_dtype, expected integer or string, got {key_dtype}.")
        if not isinstance(hasher_spec, HasherSpec):
            raise TypeError(f"hasher_spec must be of type HasherSpec, got {hasher_spec}")
        self._table, self._num_oov_buckets, self._hasher_spec = table, num_oov_buckets, hasher_spec
        self._table_name = name.split("/")[-1] if name else None
        super().__init__(key_dtype, int64)

    @property
    def initializer(self) -> Any:
        if self._table is not None:
            return self._table.initializer
        with name_scope("init", None, ()):
            return no_op()

    init = initializer

    @property
    def resource_handle(self) -> Any:
        return None if self._table is None else self._table.resource_handle

    def size(self, name: str | None = None) -> Any:
        with name_scope(name, f"{self.name}_Size"):
            size = convert_to_tensor(0, int64) if self._table is None else self._table.size()
            return size + self._num_oov_buckets

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        if not isinstance(keys, base.Tensor | SparseTensor):
            keys = convert_to_tensor(keys, self._key_dtype)
        self._check_keys(keys)
        values = keys.values if isinstance(keys, SparseTensor) else keys
        if self._table is not None and self._table.key_dtype is int64:
            values = math_ops.cast(values, int64)
        if self._num_oov_buckets == 0:
            ids = self._table.lookup(values, name=name)
        else:
            with name_scope(name, f"{self.name}_Lookup"):
                text = values if values.dtype.base_dtype is string else apply_op("AsString", None, input=values)
                ids = _hash_bucket(self._hasher_spec, text, self._num_oov_buckets)
                if self._table is not None:
                    known = self._table.lookup(values)
                    buckets = apply_op("Add", None, x=ids, y=self._table.size())
                    is_known = apply_op("NotEqual", None, x=known, y=self._table.default_value)
                    ids = apply_op("SelectV2", None, condition=is_known, t=known, e=buckets)
        return SparseTensor(keys.indices, ids, keys.dense_shape) if isinstance(keys, SparseTensor) else ids


@export("lookup.StaticVocabularyTable")
class StaticVocabularyTable(IdTableWithHashBuckets):
    """An IdTableWithHashBuckets of an initializer."""

    def __init__(self, initializer: Any, num_oov_buckets: int, lookup_key_dtype: Any = None, name: str | None = None) -> None:
        if num_oov_buckets <= 0:
            raise ValueError("oov_buckets must be > 0.")
        table = StaticHashTable(initializer, -1) if initializer is not None else None
        super().__init__(table, num_oov_buckets, FastHashSpec, name, lookup_key_dtype)


def _check_vocabulary(vocabulary_file: Any, vocab_size: int | None) -> None:
    if vocabulary_file is None or (isinstance(vocabulary_file, str) and not vocabulary_file):
        raise ValueError("vocabulary_file must be specified and must not be empty.")
    if vocab_size is not None and vocab_size < 1:
        raise ValueError(f"vocab_size must be greater than 0, got {vocab_size}. vocabulary_file: {vocabulary_file}")


def _check_ids(num_oov_buckets: int, dtype: Any) -> None:
    if num_oov_buckets < 0:
        raise ValueError(f"num_oov_buckets must be greater or equal than 0, got {num_oov_buckets}.")
    if not dtype.is_integer and dtype is not string:
        raise TypeError("Only integer and string keys are supported.")


@export("contrib.lookup.index_table_from_file")
def index_table_from_file(
    vocabulary_file: Any = None,
    num_oov_buckets: int = 0,
    vocab_size: int | None = None,
    default_value: int = -1,
    hasher_spec: Any = FastHashSpec,
    key_dtype: Any = string,
    name: str | None = None,
    key_column_index: int = TextFileIndex.WHOLE_LINE,
    value_column_index: int = TextFileIndex.LINE_NUMBER,
    delimiter: str = "\t",
) -> Any:
    """A table from the lines of a file to their numbers."""
    key_dtype = as_dtype(key_dtype)
    _check_vocabulary(vocabulary_file, vocab_size)
    _check_ids(num_oov_buckets, key_dtype)
    with name_scope(name, "string_to_index"):
        with name_scope("hash_table", None, ()):
            init = TextFileIdTableInitializer(
                vocabulary_file,
                key_column_index,
                value_column_index,
                vocab_size,
                delimiter,
                "table_init",
                int64 if key_dtype.is_integer else key_dtype,
            )
            table: Any = StaticHashTable(init, default_value)
        return IdTableWithHashBuckets(table, num_oov_buckets, hasher_spec, key_dtype=key_dtype) if num_oov_buckets else table


@export("contrib.lookup.string_to_index_table_from_file")
def string_to_index_table_from_file(
    vocabulary_file: Any = None,
    num_oov_buckets: int = 0,
    vocab_size: int | None = None,
    default_value: int = -1,
    hasher_spec: Any = FastHashSpec,
    name: str | None = None,
) -> Any:
    return index_table_from_file(vocabulary_file, num_oov_buckets, vocab_size, default_value, hasher_spec, string, name)


@export("contrib.lookup.index_table_from_tensor")
def index_table_from_tensor(
    mapping: Any = None,
    num_oov_buckets: int = 0,
    default_value: int = -1,
    hasher_spec: Any = FastHashSpec,
    dtype: Any = string,
    name: str | None = None,
    vocabulary_list: Any = None,
) -> Any:
    """A table from the elements of a vector to their positions."""
    mapping = vocabulary_list if mapping is None else mapping
    if mapping is None:
        raise ValueError("mapping must be specified.")
    dtype = as_dtype(dtype)
    _check_ids(num_oov_buckets, dtype)
    with name_scope(name, "string_to_index"):
        keys = convert_to_tensor(mapping)
        if keys.dtype.is_integer != dtype.is_integer:
            raise ValueError(f"Expected {'integer' if dtype.is_integer else 'non-integer'}, got {keys.dtype}.")
        if not dtype.is_integer and keys.dtype.base_dtype is not dtype:
            raise ValueError(f"Expected {dtype}, got {keys.dtype}.")
        values = math_ops.cast(math_ops.range(array_ops.size(keys)), int64)
        with name_scope("hash_table", None, ()):
            table_keys = math_ops.cast(keys, int64) if keys.dtype.is_integer else keys
            init = KeyValueTensorInitializer(table_keys, values, table_keys.dtype.base_dtype, int64, name="table_init")
            table: Any = StaticHashTable(init, default_value)
        return IdTableWithHashBuckets(table, num_oov_buckets, hasher_spec, key_dtype=dtype) if num_oov_buckets else table


@export("contrib.lookup.string_to_index_table_from_tensor")
def string_to_index_table_from_tensor(
    mapping: Any, num_oov_buckets: int = 0, default_value: int = -1, hasher_spec: Any = FastHashSpec, name: str | None = None
) -> Any:
    with name_scope(name, "string_to_index") as scope:
        mapping = convert_to_tensor(mapping)
    if mapping.dtype.base_dtype is not string:
        raise ValueError("string_to_index_table_from_tensor requires string.")
    return index_table_from_tensor(mapping, num_oov_buckets, default_value, hasher_spec, name=scope)


@export("contrib.lookup.string_to_index")
def string_to_index(tensor: Any, mapping: Any, default_value: int = -1, name: str | None = None) -> Any:
    return index_table_from_tensor(mapping, default_value=default_value, name=name).lookup(tensor)


@export("contrib.lookup.index_to_string_table_from_file")
def index_to_string_table_from_file(
    vocabulary_file: Any,
    vocab_size: int | None = None,
    default_value: str = "UNK",
    name: str | None = None,
    key_column_index: int = TextFileIndex.LINE_NUMBER,
    value_column_index: int = TextFileIndex.WHOLE_LINE,
    delimiter: str = "\t",
) -> Any:
    """A table from line numbers to the lines of a file."""
    _check_vocabulary(vocabulary_file, vocab_size)
    with name_scope(name, "index_to_string"):
        return StaticHashTable(
            TextFileStringTableInitializer(vocabulary_file, key_column_index, value_column_index, vocab_size, delimiter, "table_init"),
            default_value,
        )


@export("contrib.lookup.index_to_string_table_from_tensor")
def index_to_string_table_from_tensor(
    mapping: Any = None, default_value: str = "UNK", name: str | None = None, vocabulary_list: Any = None
) -> Any:
    """A table from positions to the elements of a vector."""
    mapping = vocabulary_list if mapping is None else mapping
    if mapping is None:
        raise ValueError("mapping must be specified.")
    with name_scope(name, "index_to_string"):
        words = convert_to_tensor(mapping, string)
        keys = math_ops.cast(math_ops.range(array_ops.size(words)), int64)
        return StaticHashTable(KeyValueTensorInitializer(keys, words, int64, string, name="table_init"), default_value)


@export("contrib.lookup.index_to_string")
def index_to_string(tensor: Any, mapping: Any, default_value: str = "UNK", name: str | None = None) -> Any:
    return index_to_string_table_from_tensor(mapping, default_value, name).lookup(tensor)


# -- tables that change ------------------------------------------------------------------------------------------------------


class _Mutable(LookupInterface):
    """What the tables that change share."""

    _default_value: Any

    def _keep(self, name: str, checkpoint: bool) -> None:
        """Have savers save the table."""
        if not checkpoint:
            return
        from runtime.tf1.train.saver import SaveableObject, SaveSpec

        table = self

        class TableSaveable(SaveableObject):
            def restore(self, restored_tensors: Any, restored_shapes: Any, name: str | None = None) -> Any:
                with name_scope(name, f"{table.name}_table_restore"), get_default_graph().colocate_with(table._handle.op):
                    return apply_op(
                        "LookupTableImportV2", None, table_handle=table._handle, keys=restored_tensors[0], values=restored_tensors[1]
                    )

        keys, values = self.export()
        saveable = TableSaveable(self, [SaveSpec(keys, "", f"{name}-keys"), SaveSpec(values, "", f"{name}-values")], name)
        get_default_graph().add_to_collection(GraphKeys.SAVEABLE_OBJECTS, saveable)

    def _colocated(self, op_type: str, **arguments: Any) -> Any:
        with get_default_graph().colocate_with(self._handle.op):
            return apply_op(op_type, None, table_handle=self._handle, **arguments)

    def size(self, name: str | None = None) -> Any:
        with name_scope(name, f"{self.name}_Size", [self._handle]):
            return self._colocated("LookupTableSizeV2")

    def remove(self, keys: Any, name: str | None = None) -> Any:
        if not isinstance(keys, base.Tensor):
            keys = convert_to_tensor(keys, self._key_dtype)
        self._check_keys(keys)
        with name_scope(name, f"{self.name}_lookup_table_remove", [self._handle]):
            return apply_op("LookupTableRemoveV2", None, table_handle=self._handle, keys=keys)

    erase = remove

    def lookup(self, keys: Any, name: str | None = None) -> Any:
        with name_scope(name, f"{self.name}_lookup_table_find", [self._handle]):
            keys = convert_to_tensor(keys, self._key_dtype, name="keys")
            return self._colocated("LookupTableFindV2", keys=keys, default_value=self._default_value)

    def insert(self, keys: Any, values: Any, name: str | None = None) -> Any:
        with name_scope(name, f"{self.name}_lookup_table_insert", [self._handle]):
            keys = convert_to_tensor(keys, self._key_dtype, name="keys")
            values = convert_to_tensor(values, self._value_dtype, name="values")
            return self._colocated("LookupTableInsertV2", keys=keys, values=values)

    insert_or_assign = insert

    def export(self, name: str | None = None) -> Any:
        with name_scope(name, f"{self.name}_lookup_table_export_values", [self._handle]):
            return self._colocated("LookupTableExportV2", Tkeys=self._key_dtype, Tvalues=self._value_dtype)


@export("contrib.lookup.MutableHashTable")
class MutableHashTable(_Mutable):
    """A table that ops insert into; values are scalars, or tensors of the default's shape."""

    def __init__(
        self,
        key_dtype: Any,
        value_dtype: Any,
        default_value: Any,
        shared_name: str | None = None,
        name: str = "MutableHashTable",
        checkpoint: bool = True,
    ) -> None:
        super().__init__(key_dtype, value_dtype)
        self._default_value = convert_to_tensor(default_value, self._value_dtype)
        arguments = {
            "shared_name": shared_name, "use_node_name_sharing": checkpoint and shared_name is None, "key_dtype": self._key_dtype, "value_dtype": self._value_dtype,
        }  # fmt: skip
        if self._default_value.shape.ndims == 0:
            self._made(apply_op("MutableHashTableV2", name, **arguments))
        else:
            self._made(apply_op("MutableHashTableOfTensorsV2", name, value_shape=self._default_value.shape, **arguments))
        self._keep(name, checkpoint)


@export("lookup.experimental.DenseHashTable", "contrib.lookup.MutableDenseHashTable")
class DenseHashTable(_Mutable):
    """A table that ops insert into, with keys that stand for empty and deleted."""

    def __init__(
        self,
        key_dtype: Any,
        value_dtype: Any,
        default_value: Any,
        empty_key: Any,
        deleted_key: Any,
        initial_num_buckets: int | None = None,
        name: str = "MutableDenseHashTable",
        checkpoint: bool = True,
    ) -> None:
        super().__init__(key_dtype, value_dtype)
        self._default_value = convert_to_tensor(default_value, self._value_dtype, name="default_value")
        empty = convert_to_tensor(empty_key, self._key_dtype, name="empty_key")
        deleted = convert_to_tensor(deleted_key, self._key_dtype, name="deleted_key")
        self._made(
            apply_op(
                "MutableDenseHashTableV2",
                name,
                empty_key=empty,
                deleted_key=deleted,
                use_node_name_sharing=checkpoint,
                value_dtype=self._value_dtype,
                value_shape=self._default_value.shape,
                initial_num_buckets=initial_num_buckets,
            )
        )
        self._keep(name, checkpoint)


# Code of the time imports these from the private module too.
for _target in (
    HashTable, IdTableWithHashBuckets, KeyValueTensorInitializer, MutableHashTable, TextFileIdTableInitializer, TextFileIndex, TextFileInitializer,
    TextFileStringTableInitializer, index_table_from_file, index_table_from_tensor, index_to_string_table_from_file, index_to_string_table_from_tensor, tables_initializer,
):  # fmt: skip
    put(f"python.ops.lookup_ops.{_target.__name__}", _target)
