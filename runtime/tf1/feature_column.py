"""tf.feature_column: what a model reads from named features, as dense tensors or sparse ids."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from graphtools.dtypes import as_dtype, float32, int64, string
from runtime.tf1 import array_ops, math_ops, nn_ops
from runtime.tf1.control_flow_ops import with_dependencies
from runtime.tf1.embedding_ops import embedding_lookup_sparse
from runtime.tf1.graph import GraphKeys, apply_op, constant, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.init_ops import TruncatedNormal, Zeros
from runtime.tf1.modules import lookup
from runtime.tf1.registry import export
from runtime.tf1.sparse_tensor import SparseTensor
from runtime.tf1.variable_scope import get_variable, variable_scope


class Features:
    """Features by name, and what columns made of them."""

    def __init__(self, features: Any) -> None:
        self._features = dict(features)
        self._made: dict[Any, Any] = {}
        self.tables: dict[Any, Any] = {}  # the embeddings that are there already, by column

    def get(self, key: Any) -> Any:
        """A raw feature (of rank 2 at least) by name, or what a column makes of it."""
        if key in self._made:
            return self._made[key]
        if isinstance(key, str):
            if key not in self._features:
                raise ValueError(f"Feature {key} is not in features dictionary.")
            value = lookup("convert_to_tensor_or_sparse_tensor")(self._features[key])
            if not isinstance(value, SparseTensor):
                if value.rank == 0:
                    raise ValueError(f"Feature (key: {key}) cannot have rank 0. Given: {value}")
                value = array_ops.expand_dims(value, -1) if value.rank == 1 else value
        else:
            value = key.transform(self)
        self._made[key] = value
        return value


class Column:
    """One feature column."""

    name: str

    def transform(self, features: Features) -> Any:
        raise NotImplementedError

    def parse_spec(self) -> dict[str, Any]:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r})"


class DenseColumn(Column):
    """A column with a dense tensor of a known size per example."""

    size: int

    def dense(self, features: Features) -> Any:
        return features.get(self)


class CategoricalColumn(Column):
    """A column of ids below `num_buckets`, maybe weighted."""

    num_buckets: int

    def sparse(self, features: Features) -> tuple[Any, Any]:
        return features.get(self), None


def _checked_key(key: Any) -> str:
    if not isinstance(key, str):
        raise ValueError(f"Feature keys must be strings, given: {key!r}")
    return key


def as_sparse_input(value: Any, ignore: Any = None) -> SparseTensor:
    """A dense tensor as a sparse one without its empty strings or -1s."""
    value = lookup("convert_to_tensor_or_sparse_tensor")(value)
    if isinstance(value, SparseTensor):
        return value
    with name_scope(None, "to_sparse_input", [value, ignore]):
        if ignore is None:
            ignore = "" if value.dtype is string else -1
        ignore = (
            math_ops.cast(ignore, value.dtype, name="ignore_value")
            if value.dtype is not string
            else constant(ignore, name="ignore_value/x")
        )
        indices = array_ops.where(math_ops.not_equal(value, ignore), name="indices")
        return SparseTensor(
            indices, array_ops.gather_nd(value, indices, name="values"), array_ops.shape(value, out_type=int64, name="dense_shape")
        )


class NumericColumn(DenseColumn):
    def __init__(self, key: str, shape: tuple[int, ...], default_value: Any, dtype: Any, normalizer_fn: Any) -> None:
        self.key = self.name = _checked_key(key)
        self.shape, self.default_value, self.dtype, self.normalizer_fn = shape, default_value, dtype, normalizer_fn
        self.size = int(np.prod(shape))

    def transform(self, features: Features) -> Any:
        value = features.get(self.key)
        if isinstance(value, SparseTensor):
            raise ValueError(
                f"The corresponding Tensor of numerical column must be a Tensor. SparseTensor is not supported. key: {self.key}"
            )
        if self.normalizer_fn is not None:
            value = self.normalizer_fn(value)
        return math_ops.cast(value, float32)

    def parse_spec(self) -> dict[str, Any]:
        return {self.key: lookup("io.FixedLenFeature")(self.shape, self.dtype, self.default_value)}


@export("feature_column.numeric_column")
def numeric_column(key: str, shape: Any = (1,), default_value: Any = None, dtype: Any = float32, normalizer_fn: Any = None) -> Any:
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(not isinstance(d, int | np.integer) or d <= 0 for d in shape):
        raise TypeError(f"shape dimensions must be integers above 0, given: {shape}")
    dtype = as_dtype(dtype)
    if not (dtype.is_integer or dtype.is_floating):
        raise ValueError(f"dtype must be convertible to float. dtype: {dtype}, key: {key}")
    if normalizer_fn is not None and not callable(normalizer_fn):
        raise TypeError(f"normalizer_fn must be a callable. Given: {normalizer_fn}")
    if default_value is not None:
        default_value = tuple(np.broadcast_to(default_value, shape).ravel().tolist())
    return NumericColumn(key, shape, default_value, dtype, normalizer_fn)


class BucketizedColumn(DenseColumn, CategoricalColumn):
    def __init__(self, source: NumericColumn, boundaries: tuple[float, ...]) -> None:
        self.source, self.boundaries, self.name = source, boundaries, f"{source.name}_bucketized"
        self._each = len(boundaries) + 1
        self.num_buckets = self.size = self._each * source.shape[0]

    def transform(self, features: Features) -> Any:
        return apply_op("Bucketize", None, input=features.get(self.source), boundaries=list(self.boundaries))

    def dense(self, features: Features) -> Any:
        return array_ops.one_hot(math_ops.cast(features.get(self), int64), self._each, on_value=1.0, off_value=0.0)

    def sparse(self, features: Features) -> tuple[Any, Any]:
        """Ids of (position in the source, bucket)."""
        value = features.get(self)
        count, width = array_ops.shape(value)[0], self.source.shape[0]
        rows = array_ops.reshape(
            apply_op("Tile", None, input=array_ops.expand_dims(math_ops.range(0, count), 1), multiples=[1, width]), (-1,)
        )
        columns = apply_op("Tile", None, input=math_ops.range(0, width), multiples=[count])
        ids = array_ops.reshape(value, (-1,)) + self._each * columns
        indices = math_ops.cast(array_ops.transpose(array_ops.stack((rows, columns))), int64)
        return SparseTensor(indices, ids, math_ops.cast(array_ops.stack([count, width]), int64)), None

    def parse_spec(self) -> dict[str, Any]:
        return self.source.parse_spec()


@export("feature_column.bucketized_column")
def bucketized_column(source_column: Any, boundaries: Any) -> Any:
    if not isinstance(source_column, NumericColumn):
        raise ValueError(f"source_column must be a column generated with numeric_column(). Given: {source_column}")
    if len(source_column.shape) > 1:
        raise ValueError(f"source_column must be one-dimensional column. Given: {source_column}")
    if not isinstance(boundaries, list | tuple) or not boundaries or any(a >= b for a, b in itertools.pairwise(boundaries)):
        raise ValueError("boundaries must be a sorted list.")
    return BucketizedColumn(source_column, tuple(boundaries))


class _Keyed(CategoricalColumn):
    def __init__(self, key: str, dtype: Any, num_buckets: int) -> None:
        self.key = self.name = _checked_key(key)
        self.dtype, self.num_buckets = as_dtype(dtype), num_buckets

    def transform(self, features: Features) -> Any:
        return self.ids(as_sparse_input(features.get(self.key)))

    def ids(self, values: SparseTensor) -> SparseTensor:
        raise NotImplementedError

    def parse_spec(self) -> dict[str, Any]:
        return {self.key: lookup("io.VarLenFeature")(self.dtype)}


class VocabularyColumn(_Keyed):
    def __init__(self, key: str, dtype: Any, num_buckets: int, table: Callable[[], Any]) -> None:
        super().__init__(key, dtype, num_buckets)
        self._table = table

    def ids(self, values: SparseTensor) -> SparseTensor:
        if values.dtype.base_dtype.is_integer:
            values = SparseTensor(values.indices, math_ops.cast(values.values, int64), values.dense_shape)
        found: SparseTensor = self._table().lookup(values)
        return found


@export("feature_column.categorical_column_with_vocabulary_list")
def categorical_column_with_vocabulary_list(
    key: str, vocabulary_list: Any, dtype: Any = None, default_value: int = -1, num_oov_buckets: int = 0
) -> Any:
    words = tuple(vocabulary_list)
    if not words:
        raise ValueError(f"vocabulary_list {vocabulary_list} must be non-empty, column_name: {key}")
    if len(set(words)) != len(words):
        raise ValueError(f"Duplicate keys in vocabulary_list {vocabulary_list}, column_name: {key}")
    if num_oov_buckets and default_value != -1:
        raise ValueError(f"Can't specify both num_oov_buckets and default_value in {key}.")
    kind = as_dtype(np.array(words).dtype) if dtype is None else as_dtype(dtype)

    def table() -> Any:
        return lookup("contrib.lookup.index_table_from_tensor")(words, num_oov_buckets, default_value, dtype=kind, name=f"{key}_lookup")

    return VocabularyColumn(key, kind, len(words) + num_oov_buckets, table)


@export("feature_column.categorical_column_with_vocabulary_file")
def categorical_column_with_vocabulary_file(
    key: str,
    vocabulary_file: str,
    vocabulary_size: int | None = None,
    num_oov_buckets: int = 0,
    default_value: int | None = None,
    dtype: Any = string,
) -> Any:
    if not vocabulary_file:
        raise ValueError(f"Missing vocabulary_file in {key}.")
    if vocabulary_size is None:
        with open(vocabulary_file, encoding="utf-8") as f:
            vocabulary_size = sum(1 for _ in f)
    kind = as_dtype(dtype)

    def table() -> Any:
        default = -1 if default_value is None else default_value
        return lookup("contrib.lookup.index_table_from_file")(
            vocabulary_file, num_oov_buckets, vocab_size=vocabulary_size, default_value=default, key_dtype=kind, name=f"{key}_lookup"
        )

    return VocabularyColumn(key, kind, vocabulary_size + num_oov_buckets, table)


class HashedColumn(_Keyed):
    def ids(self, values: SparseTensor) -> SparseTensor:
        text = values.values if self.dtype is string else apply_op("AsString", None, input=values.values)
        hashed = apply_op("StringToHashBucketFast", "lookup", input=text, num_buckets=self.num_buckets)
        return SparseTensor(values.indices, hashed, values.dense_shape)


@export("feature_column.categorical_column_with_hash_bucket")
def categorical_column_with_hash_bucket(key: str, hash_bucket_size: int, dtype: Any = string) -> Any:
    if hash_bucket_size is None or hash_bucket_size < 1:
        raise ValueError(f"hash_bucket_size must be at least 1. hash_bucket_size: {hash_bucket_size}, key: {key}")
    return HashedColumn(key, dtype, hash_bucket_size)


class IdentityColumn(_Keyed):
    def __init__(self, key: str, num_buckets: int, default_value: int | None) -> None:
        super().__init__(key, int64, num_buckets)
        self.default_value = default_value

    def ids(self, values: SparseTensor) -> SparseTensor:
        if not values.dtype.is_integer:
            raise ValueError(f"Invalid input, not integer. key: {self.key} dtype: {values.dtype}")
        ids = math_ops.cast(values.values, int64, name="values")
        limit = math_ops.cast(self.num_buckets, int64, name="num_buckets")
        zero = math_ops.cast(0, int64, name="zero")
        if self.default_value is None:
            low = lookup("assert_greater_equal")(ids, zero, data=(ids,), name="assert_greater_or_equal_0")
            high = lookup("assert_less")(ids, limit, data=(ids, limit), name="assert_less_than_num_buckets")
            ids = with_dependencies([low, high], ids)
        else:
            outside = apply_op("LogicalOr", "out_of_range", x=math_ops.less(ids, zero), y=math_ops.greater_equal(ids, limit))
            default = array_ops.fill(array_ops.shape(ids), math_ops.cast(self.default_value, int64), name="default_values")
            ids = apply_op("SelectV2", None, condition=outside, t=default, e=ids)
        return SparseTensor(values.indices, ids, values.dense_shape)


@export("feature_column.categorical_column_with_identity")
def categorical_column_with_identity(key: str, num_buckets: int, default_value: int | None = None) -> Any:
    if num_buckets < 1:
        raise ValueError(f"num_buckets {num_buckets} < 1, column_name {key}")
    if default_value is not None and not 0 <= default_value < num_buckets:
        raise ValueError(f"default_value {default_value} not in range [0, {num_buckets}), column_name {key}")
    return IdentityColumn(key, num_buckets, default_value)


class CrossedColumn(CategoricalColumn):
    def __init__(self, keys: tuple[Any, ...], num_buckets: int, hash_key: int | None) -> None:
        self.keys, self.num_buckets, self.hash_key = keys, num_buckets, hash_key
        self.name = "_X_".join(sorted(self._leaves()))

    def _leaves(self) -> list[str]:
        leaves: list[str] = []
        for k in self.keys:
            leaves.extend(k._leaves() if isinstance(k, CrossedColumn) else [k if isinstance(k, str) else k.name])
        return leaves

    def _flat(self) -> list[Any]:
        return [leaf for k in self.keys for leaf in (k._flat() if isinstance(k, CrossedColumn) else [k])]

    def transform(self, features: Features) -> Any:
        parts = []
        for key in self._flat():
            if isinstance(key, str):
                parts.append(features.get(key))
                continue
            ids, weights = key.sparse(features)
            if weights is not None:
                raise ValueError(
                    f"crossed_column does not support weight_tensor, but the given column populates weight_tensor. Given column: {key.name}"
                )
            parts.append(ids)
        return lookup("sparse.cross_hashed")(parts, num_buckets=self.num_buckets, hash_key=self.hash_key)

    def parse_spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = {}
        for key in self.keys:
            spec.update({key: lookup("io.VarLenFeature")(string)} if isinstance(key, str) else key.parse_spec())
        return spec


@export("feature_column.crossed_column")
def crossed_column(keys: Any, hash_bucket_size: int, hash_key: int | None = None) -> Any:
    if not hash_bucket_size or hash_bucket_size < 1:
        raise ValueError(f"hash_bucket_size must be > 1. hash_bucket_size: {hash_bucket_size}")
    if not keys or len(keys) < 2:
        raise ValueError(f"keys must be a list with length > 1. Given: {keys}")
    for key in keys:
        if not isinstance(key, str | CategoricalColumn):
            raise ValueError(
                f"Unsupported key type. All keys must be either string, or categorical column except HashedCategoricalColumn. Given: {key}"
            )
        if isinstance(key, HashedColumn):
            raise ValueError(
                f"categorical_column_with_hash_bucket is not supported for crossing. Hashing before crossing will increase probability of collision. Instead, use the feature name as a string. Given: {key}"
            )
    return CrossedColumn(tuple(keys), hash_bucket_size, hash_key)


class WeightedColumn(CategoricalColumn):
    def __init__(self, column: Any, weight_key: str, dtype: Any) -> None:
        self.column, self.weight_key, self.dtype = column, weight_key, dtype
        self.name, self.num_buckets = f"{column.name}_weighted_by_{weight_key}", column.num_buckets

    def transform(self, features: Features) -> Any:
        weights = features.get(self.weight_key)
        if not isinstance(weights, SparseTensor):
            weights = as_sparse_input(weights, ignore=0.0)
        weights = SparseTensor(weights.indices, math_ops.cast(weights.values, float32), weights.dense_shape)
        return features.get(self.column), weights

    def sparse(self, features: Features) -> tuple[Any, Any]:
        ids, weights = features.get(self)
        return ids, weights

    def parse_spec(self) -> dict[str, Any]:
        return {**self.column.parse_spec(), self.weight_key: lookup("io.VarLenFeature")(self.dtype)}


@export("feature_column.weighted_categorical_column")
def weighted_categorical_column(categorical_column: Any, weight_feature_key: str, dtype: Any = float32) -> Any:
    return WeightedColumn(categorical_column, _checked_key(weight_feature_key), as_dtype(dtype))


class IndicatorColumn(DenseColumn):
    def __init__(self, column: Any) -> None:
        self.column, self.name, self.size = column, f"{column.name}_indicator", column.num_buckets

    def transform(self, features: Features) -> Any:
        """How often each id occurs in an example, or the sum of its weights."""
        ids, weights = self.column.sparse(features)
        if weights is not None:
            merged = lookup("sparse_merge")(sp_ids=ids, sp_values=weights, vocab_size=self.size)
            merged = lookup("sparse_slice")(merged, [0, 0], merged.dense_shape)
            return apply_op("ScatterNd", None, indices=merged.indices, updates=merged.values, shape=merged.dense_shape)
        dense = lookup("sparse_tensor_to_dense")(ids, default_value=-1)
        hot = array_ops.one_hot(dense, depth=self.size, on_value=1.0, off_value=0.0)
        return math_ops.reduce_sum(hot, axis=[-2])

    def parse_spec(self) -> dict[str, Any]:
        return self.column.parse_spec()  # type: ignore[no-any-return]


@export("feature_column.indicator_column")
def indicator_column(categorical_column: Any) -> Any:
    return IndicatorColumn(categorical_column)


class EmbeddingColumn(DenseColumn):
    def __init__(
        self, column: Any, dimension: int, combiner: str, initializer: Any, max_norm: Any, trainable: bool, shared: str | None = None,
        source: tuple[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.column, self.size, self.combiner, self.initializer = column, dimension, combiner, initializer
        self.max_norm, self.trainable, self.shared, self.source = max_norm, trainable, shared, source
        self.name = f"{column.name}_embedding" if shared is None else f"{column.name}_shared_embedding"

    def transform(self, features: Features) -> Any:
        return self.column.sparse(features)

    def dense(self, features: Features) -> Any:
        if self.shared is None:
            return self._looked_up(features)
        with name_scope(None, self.name):
            return self._looked_up(features)

    def _looked_up(self, features: Features) -> Any:
        return self.combined(features, *self.column.sparse(features))

    def combined(self, features: Features, ids: Any, weights: Any) -> Any:
        shape = (self.column.num_buckets, self.size)
        table = features.tables.get(self)
        if table is None:
            table = self._shared_table(shape) if self.shared is not None else self._table("embedding_weights", shape)
        return safe_embedding_lookup_sparse(table, ids, weights, self.combiner, name=f"{self.name}_weights", max_norm=self.max_norm)

    def _table(self, name: str, shape: tuple[int, int]) -> Any:
        graph = get_default_graph()
        table = get_variable(
            name, shape=shape, dtype=float32, initializer=self.initializer, trainable=self.trainable and graph.attributes.get("columns_trainable", True),
            collections=graph.attributes.get("columns_collections"),
        )  # fmt: skip
        self.start(table)
        return table

    def start(self, table: Any) -> None:
        """Let the embeddings start with a checkpoint's, where there is one."""
        if self.source is not None:
            lookup("train.init_from_checkpoint")(self.source[0], {self.source[1]: table})

    def _shared_table(self, shape: tuple[int, int]) -> Any:
        tables = get_default_graph().attributes.setdefault("shared_embeddings", {})
        if self.shared not in tables:
            tables[self.shared] = self._table("embedding_weights", shape)
        return tables[self.shared]

    def parse_spec(self) -> dict[str, Any]:
        return self.column.parse_spec()  # type: ignore[no-any-return]


def _source(checkpoint: Any, name: Any) -> tuple[str, str] | None:
    if (checkpoint is None) != (name is None):
        raise ValueError("Must specify both `ckpt_to_load_from` and `tensor_name_in_ckpt` or none of them.")
    return None if checkpoint is None else (checkpoint, name)


def _embedding_initializer(initializer: Any, dimension: int) -> Any:
    if dimension is None or dimension < 1:
        raise ValueError(f"Invalid dimension {dimension}.")
    if initializer is not None and not callable(initializer):
        raise ValueError("initializer must be callable if specified.")
    return initializer or TruncatedNormal(mean=0.0, stddev=1 / math.sqrt(dimension))


@export("feature_column.embedding_column")
def embedding_column(
    categorical_column: Any, dimension: int, combiner: str = "mean", initializer: Any = None, ckpt_to_load_from: Any = None, tensor_name_in_ckpt: Any = None,
    max_norm: Any = None, trainable: bool = True,
) -> Any:  # fmt: skip
    source = _source(ckpt_to_load_from, tensor_name_in_ckpt)
    made = _embedding_initializer(initializer, dimension)
    return EmbeddingColumn(categorical_column, dimension, combiner, made, max_norm, trainable, source=source)


@export("feature_column.shared_embedding_columns")
def shared_embedding_columns(
    categorical_columns: Any, dimension: int, combiner: str = "mean", initializer: Any = None, shared_embedding_collection_name: str | None = None,
    ckpt_to_load_from: Any = None, tensor_name_in_ckpt: Any = None, max_norm: Any = None, trainable: bool = True,
) -> Any:  # fmt: skip
    source = _source(ckpt_to_load_from, tensor_name_in_ckpt)
    made = _embedding_initializer(initializer, dimension)
    name = shared_embedding_collection_name or "_".join(sorted(c.name for c in categorical_columns)) + "_shared_embedding"
    return [EmbeddingColumn(c, dimension, combiner, made, max_norm, trainable, name, source) for c in categorical_columns]


@export("nn.safe_embedding_lookup_sparse")
def safe_embedding_lookup_sparse(
    embedding_weights: Any, sparse_ids: Any, sparse_weights: Any = None, combiner: str = "mean", default_id: Any = None, name: str | None = None,
    partition_strategy: str = "div", max_norm: Any = None,
) -> Any:  # fmt: skip
    """Embeddings of each row's ids combined; ids below 0 and weights not above 0 are left out, empty rows give 0 or the default's."""
    from runtime.tf1.variable_scope import PartitionedVariable
    from runtime.tf1.variables import ResourceVariable

    if isinstance(embedding_weights, PartitionedVariable):
        embedding_weights = list(embedding_weights)
    tables = embedding_weights if isinstance(embedding_weights, list) else [embedding_weights]
    if not tables or tables[0] is None:
        raise ValueError(f"Missing embedding_weights {embedding_weights}.")
    dtype = None if sparse_weights is None else sparse_weights.dtype
    tables = [t if isinstance(t, ResourceVariable) and dtype in (None, t.dtype) else convert_to_tensor(t, dtype) for t in tables]
    with name_scope(name, "embedding_lookup", [*tables, sparse_ids.values]) as scope:
        shape = sparse_ids.dense_shape
        known = shape.dims[0] if shape.dims else None
        rank = array_ops.size(shape) if known is None else known
        flat = [math_ops.reduce_prod(array_ops.slice_(shape, [0], [rank - 1])), array_ops.gather(shape, rank - 1)]
        sparse_ids = lookup("sparse_reshape")(sparse_ids, flat)
        if sparse_weights is not None:
            sparse_weights = SparseTensor(sparse_ids.indices, sparse_weights.values, sparse_ids.dense_shape)
        valid = math_ops.greater_equal(sparse_ids.values, 0)
        if sparse_weights is not None:
            valid = apply_op("LogicalAnd", None, x=valid, y=array_ops.ones_like(sparse_weights.values, dtype="bool"))
        retain = lookup("sparse_retain")
        sparse_ids = retain(sparse_ids, valid)
        if sparse_weights is not None:
            sparse_weights = retain(sparse_weights, valid)
            if combiner != "sum":
                positive = math_ops.greater(sparse_weights.values, 0)
                sparse_ids, sparse_weights = retain(sparse_ids, positive), retain(sparse_weights, positive)
        filled, is_empty = lookup("sparse_fill_empty_rows")(sparse_ids, default_id or 0)
        if sparse_weights is not None:
            sparse_weights, _ = lookup("sparse_fill_empty_rows")(sparse_weights, 1.0)
        result = embedding_lookup_sparse(
            tables, filled, sparse_weights, combiner=combiner, partition_strategy=partition_strategy, name=None if default_id is None else scope,
            max_norm=max_norm,
        )  # fmt: skip
        if default_id is None:
            empty = array_ops.reshape(is_empty, [-1, 1])
            empty = apply_op("Tile", None, input=empty, multiples=array_ops.stack([1, array_ops.shape(result)[1]]))
            result = array_ops.where(empty, array_ops.zeros_like(result), result, name=scope)
        leading = array_ops.slice_(math_ops.cast(shape, "int32"), [0], [rank - 1])
        final = array_ops.reshape(result, array_ops.concat([leading, array_ops.slice_(array_ops.shape(result), [1], [-1])], 0))
        if known is not None and result.dims is not None:
            final.set_shape([*[None] * (known - 1), *result.dims[1:]])
        return final


# -- models of columns ---------------------------------------------------------------------------------------------


def normalized(feature_columns: Any, kind: Any = Column) -> list[Any]:
    """The columns, sorted by name; ValueError for what is none, or is there twice."""
    columns = [feature_columns] if isinstance(feature_columns, Column) else list(feature_columns)
    if not columns:
        raise ValueError("feature_columns must not be empty.")
    for column in columns:
        if not isinstance(column, kind):
            raise ValueError(
                f"Items of feature_columns must be a {kind.__name__}. You can wrap a categorical column with an embedding_column or indicator_column. Given: {column}"
            )
    names = [c.name for c in columns]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise ValueError(
            f"Duplicate feature column name found for columns: {twice!r}. This usually means that these columns refer to same base feature."
        )
    return sorted(columns, key=lambda c: c.name)


@contextlib.contextmanager
def column_options(trainable: bool, weight_collections: Any) -> Iterator[None]:
    """Within: embeddings that columns make are (not) trained and are kept in these collections too."""
    graph = get_default_graph()
    outer = graph.attributes.get("columns_trainable", True), graph.attributes.get("columns_collections")
    collections = list(weight_collections or [])
    collections = (
        [*collections, GraphKeys.GLOBAL_VARIABLES] if collections and GraphKeys.GLOBAL_VARIABLES not in collections else collections
    )
    graph.attributes["columns_trainable"] = trainable
    graph.attributes["columns_collections"] = [*collections, GraphKeys.MODEL_VARIABLES, GraphKeys.GLOBAL_VARIABLES]
    try:
        yield
    finally:
        graph.attributes["columns_trainable"], graph.attributes["columns_collections"] = outer


@export("feature_column.input_layer")
def input_layer(
    features: Any,
    feature_columns: Any,
    weight_collections: Any = None,
    trainable: bool = True,
    cols_to_vars: Any = None,
    cols_to_output_tensors: Any = None,
) -> Any:
    """The dense tensors of the columns, side by side, in the order of their names."""
    columns = normalized(feature_columns, DenseColumn)
    given = Features(features)
    with column_options(trainable, weight_collections):
        with variable_scope(None, "input_layer", list(features.values())):
            outputs = []
            for column in columns:
                scope = getattr(column, "shared", None) or column.name
                with variable_scope(None, scope):
                    before = len(get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES))
                    tensor = column.dense(given)
                    output = array_ops.reshape(tensor, (array_ops.shape(tensor)[0], column.size))
                    outputs.append(output)
                    if cols_to_vars is not None:
                        cols_to_vars[column] = get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES)[before:]
                    if cols_to_output_tensors is not None:
                        cols_to_output_tensors[column] = output
            return array_ops.concat(outputs, 1, name="concat")


def dense_features(features: Any, feature_columns: Any) -> Any:
    """input_layer as Estimators make it: all variables first."""
    columns = normalized(feature_columns, DenseColumn)
    given = Features(features)
    with variable_scope("input_layer", auxiliary_name_scope=False):
        for column in columns:
            with variable_scope(column.name, auxiliary_name_scope=False):
                if isinstance(column, EmbeddingColumn):
                    given.tables[column] = get_variable(
                        "embedding_weights", shape=(column.column.num_buckets, column.size), dtype=float32, initializer=column.initializer,
                        trainable=column.trainable, use_resource=True,
                    )  # fmt: skip
                    column.start(given.tables[column])
    with name_scope("input_layer"):
        outputs = []
        for column in columns:
            with name_scope(column.name):
                tensor = column.dense(given)
                outputs.append(array_ops.reshape(tensor, (array_ops.shape(tensor)[0], column.size)))
        return array_ops.concat(outputs, 1, name="concat")


@export("feature_column.linear_model")
def linear_model(
    features: Any, feature_columns: Any, units: int = 1, sparse_combiner: str = "sum", weight_collections: Any = None, trainable: bool = True,
    cols_to_vars: Any = None,
) -> Any:  # fmt: skip
    """The weighted sum of all columns and a bias."""
    columns = normalized(feature_columns)
    with variable_scope(None, "linear_model") as scope:
        name = scope.name
    names = []
    for column in columns:
        with variable_scope(None, _scope_name(column)) as scope:
            names.append(scope.name)
    given = Features(features)
    where = list(dict.fromkeys([*(weight_collections or ()), GraphKeys.GLOBAL_VARIABLES, GraphKeys.MODEL_VARIABLES]))
    sums, weights = [], {}
    with name_scope(name), variable_scope(name):
        for column, column_name in sorted(zip(columns, names, strict=True), key=lambda pair: pair[1]):
            with variable_scope(None, column_name):
                weights[column] = _zeros("weights", (_width(column), units), trainable, where)
                sums.append(_weighted_sum(column, given, weights[column], sparse_combiner))
        total = math_ops.add_n(sums, name="weighted_sum_no_bias")
        weights["bias"] = _zeros("bias_weights", [units], trainable, where)
        result = nn_ops.bias_add(total, weights["bias"], name="weighted_sum")
    if cols_to_vars is not None:
        cols_to_vars.update({c: [w] for c, w in weights.items()})
    return result


def _scope_name(column: Column) -> str:
    return getattr(column, "shared", None) or column.name


def _width(column: Any) -> int:
    return int(column.num_buckets if isinstance(column, CategoricalColumn) else column.size)


def _zeros(name: str, shape: Any, trainable: bool, collections: Any) -> Any:
    return get_variable(
        name, shape=shape, dtype=float32, initializer=Zeros(), trainable=trainable, collections=collections, use_resource=True
    )


def _weighted_sum(column: Any, given: Features, weights: Any, sparse_combiner: str) -> Any:
    if isinstance(column, CategoricalColumn):
        ids, values = column.sparse(given)
        reshape = lookup("sparse_reshape")
        ids = reshape(ids, [array_ops.shape(ids)[0], -1])
        if values is not None:
            values = reshape(values, [array_ops.shape(values)[0], -1])
        return safe_embedding_lookup_sparse(weights, ids, values, sparse_combiner, name="weighted_sum")
    tensor = column.dense(given)  # type: ignore[unreachable]
    tensor = array_ops.reshape(tensor, (array_ops.shape(tensor)[0], column.size))
    return math_ops.matmul(tensor, weights, name="weighted_sum")


def weighted_sums(features: Any, feature_columns: Any, units: int, sparse_combiner: str) -> tuple[Any, list[Any], Any]:
    """(the weighted sum, the weights, the bias) as Estimators make them: all variables first."""
    columns = normalized(feature_columns)
    weights = []
    with name_scope("linear_model"), name_scope("linear_model"):
        with variable_scope("linear_model", auxiliary_name_scope=False):
            for column in columns:
                with variable_scope(column.name, auxiliary_name_scope=False):
                    weights.append(_zeros("weights", (_width(column), units), True, None))
            bias = _zeros("bias_weights", [units], True, None)
        given = Features(features)
        with name_scope("linear_model"):
            sums = []
            for column, own in zip(columns, weights, strict=True):
                with name_scope(column.name):
                    sums.append(_weighted_sum(column, given, own, sparse_combiner))
            total = math_ops.add_n(sums, name="weighted_sum_no_bias")
            return nn_ops.bias_add(total, bias, name="weighted_sum"), weights, bias


@export("feature_column.make_parse_example_spec")
def make_parse_example_spec(feature_columns: Iterable[Any]) -> dict[str, Any]:
    """How tf.parse_example reads the features of these columns."""
    spec: dict[str, Any] = {}
    for column in feature_columns:
        if not isinstance(column, Column):
            raise ValueError(f"All feature_columns must be _FeatureColumn instances. Given: {column}")
        for key, value in column.parse_spec().items():
            if key in spec and spec[key] != value:
                raise ValueError(f"feature_columns contain different parse_spec for key {key}. Given {value} and {spec[key]}")
            spec[key] = value
    return spec
