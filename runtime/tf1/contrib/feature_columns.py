"""tf.contrib.layers' feature columns: what the models of tf.contrib.learn read from named tensors."""

from __future__ import annotations

import math
from collections import namedtuple
from collections.abc import Iterable, Sequence
from typing import Any

from graphtools.dtypes import float32, int64, string
from runtime.tf1 import feature_column as core
from runtime.tf1.contrib.layer_training import safe_embedding_lookup_sparse
from runtime.tf1.contrib.variables import model_variable
from runtime.tf1.graph import apply_op, name_scope
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.sparse_tensor import SparseTensor
from runtime.tf1.variable_scope import PartitionedVariable

tf: Any = module("")

LinearArguments = namedtuple("LinearArguments", ["input_tensor", "weight_tensor", "vocab_size", "initializer", "combiner"])
DeepArguments = namedtuple(
    "DeepArguments",
    [*LinearArguments._fields, "dimension", "shared_embedding_name", "hash_key", "max_norm", "trainable"],
)
LookupConfig = namedtuple(  # type: ignore[name-match]  # shown by TensorFlow's name
    "_SparseIdLookupConfig",
    ["vocabulary_file", "keys", "num_oov_buckets", "vocab_size", "default_value"],
    defaults=[None, None, 0, None, -1],
)


def inner_flatten(inputs: Any, new_rank: int) -> Any:
    """The tensor with this rank: its last dimensions made one."""
    with name_scope(None, "InnerFlatten", [inputs]):
        if isinstance(inputs, SparseTensor):
            shape = inputs.dense_shape
            rank = shape.get_shape().as_list()[0]
            if rank < new_rank:
                raise ValueError(
                    f"Inputs has rank less than new_rank. {inputs} must have rank at least {new_rank}. Received rank {rank}, shape {inputs.get_shape()}"
                )
            outer, inner = shape[: new_rank - 1], shape[new_rank - 1 :]
            return tf.sparse_reshape(inputs, tf.concat((outer, [tf.reduce_prod(inner)]), 0))
        inputs = tf.convert_to_tensor(inputs)
        checked = tf.debugging.assert_rank_at_least(inputs, new_rank, message="inputs has rank less than new_rank")
        with tf.control_dependencies([checked]):
            outer = tf.strided_slice(tf.shape(inputs), [0], [new_rank - 1])
            flat = tf.reshape(inputs, tf.concat((outer, [-1]), 0))
        if inputs.dims is not None:
            rest = inputs.dims[new_rank - 1 :]
            flat.set_shape([*inputs.dims[: new_rank - 1], None if None in rest else math.prod(rest)])
        return flat


def dense_to_sparse(tensor: Any, ignore_value: Any = None) -> SparseTensor:
    """The elements that are not `ignore_value` ("" and 0 by default)."""
    with name_scope("DenseToSparseTensor", "DenseToSparseTensor"):
        tensor = tf.convert_to_tensor(tensor)
        if ignore_value is None:
            ignore_value = "" if tensor.dtype is string else tensor.dtype.as_numpy_dtype()
        ignore_value = tf.cast(ignore_value, tensor.dtype, name="ignore_value")
        indices = tf.where(tf.not_equal(tensor, ignore_value), name="indices")
        return SparseTensor(indices, tf.gather_nd(tensor, indices, name="values"), tf.shape(tensor, out_type=int64, name="dense_shape"))


def with_rank(tensor: Any, rank: int, column: str | None = None) -> Any:
    known = tensor.get_shape().ndims
    if known is not None:
        if rank > known + 1:
            where = f"Error while processing column {column}." if column is not None else ""
            raise ValueError(
                f"{where}Rank of input Tensor ({known}) should be the same as output_rank ({rank}). For example, sequence data should "
                "typically be 3 dimensional (rank 3) while non-sequence data is typically 2 dimensional (rank 2)."
            )
        if rank == known + 1:
            return tf.expand_dims(tensor, -1, name="expand_dims")
        if rank == known:
            return tensor
    return inner_flatten(tensor, rank)


class Lazy:
    """Tensors by name or column; a column's is made when it is asked for."""

    def __init__(self, tensors: dict[Any, Any]) -> None:
        self._tensors = tensors

    def get(self, key: Any) -> Any:
        if key in self._tensors:
            return self._tensors[key]
        if isinstance(key, str):
            raise ValueError(f"features dictionary doesn't contain key ({key})")
        if not isinstance(key, LayersColumn):
            raise TypeError(f'"key" must be either a "str" or "_FeatureColumn". Provided: {key}')
        key.insert_transformed_feature(self._tensors)
        return self._tensors[key]


class LayersColumn(core.Column):
    """A feature column of tf.contrib.layers; it is one of tf.feature_column too, where that has such a kind."""

    _fields: tuple[str, ...]
    unkeyed: tuple[str, ...] = ()  # the fields that say nothing about which column this is

    @property
    def config(self) -> dict[str, Any]:
        raise NotImplementedError

    @property
    def key(self) -> str:
        shown = ", ".join(
            f"{f}={getattr(self, f)}" if self.unkeyed else f"{f}={getattr(self, f)!r}" for f in self._fields if f not in self.unkeyed
        )
        return f"{type(self).__name__}({shown})"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{f}={getattr(self, f)!r}' for f in self._fields)})"

    def made(self, inputs: Any) -> Any:
        """What this column makes of `inputs.get(name or column)`."""
        raise NotImplementedError(f"Transform is not implemented for {self}.")

    def insert_transformed_feature(self, columns_to_tensors: dict[Any, Any]) -> None:
        columns_to_tensors[self] = self.made(Lazy(columns_to_tensors))

    def deep_arguments(self, input_tensor: Any) -> Any:
        raise NotImplementedError(f"No deep embedding lookup arguments for column {self}.")

    def wide_arguments(self, input_tensor: Any) -> Any:
        raise NotImplementedError(f"No wide embedding lookup arguments for column {self}.")

    def input_layer(self, input_tensor: Any, output_rank: int = 2) -> Any:
        raise ValueError("Calling an abstract method.")

    def to_dense(self, input_tensor: Any) -> Any:
        raise NotImplementedError(f"No dense tensor representation for column {self}.")

    @property
    def checkpoint(self) -> tuple[str, str] | None:
        return None

    # -- as a column of tf.feature_column

    def transform(self, features: Any) -> Any:
        return self.made(features)

    def parse_spec(self) -> dict[str, Any]:
        return self.config


class _Categorical(LayersColumn, core.CategoricalColumn):
    @property
    def length(self) -> int:
        raise NotImplementedError

    @property
    def num_buckets(self) -> int:  # type: ignore[override]
        return self.length

    def ids(self, transformed: Any) -> Any:
        return transformed

    def weights(self, transformed: Any) -> Any:
        return None

    def sparse(self, features: Any) -> tuple[Any, Any]:
        value = features.get(self)
        return self.ids(value), self.weights(value)


_SparseFields = namedtuple("_SparseFields", ["column_name", "is_integerized", "bucket_size", "lookup_config", "combiner", "dtype"])


class _SparseColumn(_SparseFields, _Categorical):
    def __new__(
        cls, column_name: str, is_integerized: bool = False, bucket_size: int | None = None, lookup_config: Any = None, combiner: str = "sum", dtype: Any = string
    ) -> _SparseColumn:  # fmt: skip
        dtype = tf.as_dtype(dtype)
        if is_integerized and bucket_size is None:
            raise ValueError(f"bucket_size must be set if is_integerized is True. column_name: {column_name}")
        if is_integerized and not dtype.is_integer:
            raise ValueError(f"dtype must be an integer if is_integerized is True. dtype: {dtype}, column_name: {column_name}.")
        if dtype is not string and not dtype.is_integer:
            raise ValueError(f"dtype must be string or integer. dtype: {dtype}, column_name: {column_name}")
        if bucket_size is None and lookup_config is None:
            raise ValueError(f"one of bucket_size or lookup_config must be set. column_name: {column_name}")
        if bucket_size is not None and bucket_size < 1:
            raise ValueError(f"bucket_size must be at least 1. bucket_size: {bucket_size}, column_name: {column_name}")
        return super().__new__(cls, column_name, is_integerized, bucket_size, lookup_config, combiner, dtype)

    @property
    def name(self) -> str:  # type: ignore[override]
        return str(self.column_name)

    @property
    def length(self) -> int:
        if self.bucket_size is not None:
            return int(self.bucket_size)
        return int(self.lookup_config.vocab_size + self.lookup_config.num_oov_buckets)

    @property
    def config(self) -> dict[str, Any]:
        return {self.column_name: tf.VarLenFeature(self.dtype)}

    def wide_arguments(self, input_tensor: Any) -> Any:
        return LinearArguments(self.ids(input_tensor), self.weights(input_tensor), self.length, tf.zeros_initializer(), self.combiner)

    def input_layer(self, input_tensor: Any, output_rank: int = 2) -> Any:
        raise ValueError(f"SparseColumn is not supported in DNN. Please use embedding_column or one_hot_column. column: {self}")

    def made(self, inputs: Any) -> Any:
        value = inputs.get(self.name)
        if not isinstance(value, SparseTensor):
            value = tf.convert_to_tensor(value)
            value = dense_to_sparse(with_rank(value, 2, self.name), "" if value.dtype is string else -1)
        return self.looked_up(value)

    def looked_up(self, value: SparseTensor) -> SparseTensor:
        raise NotImplementedError

    def is_compatible(self, other: Any) -> bool:
        """Whether the two may share an embedding."""
        if self.lookup_config and other.lookup_config:
            return bool(self.lookup_config == other.lookup_config)
        return self.length == other.length and (self.dtype == other.dtype or (self.dtype.is_integer and other.dtype.is_integer))


class _SparseColumnIntegerized(_SparseColumn):
    def looked_up(self, value: SparseTensor) -> SparseTensor:
        return SparseTensor(value.indices, tf.mod(value.values, self.bucket_size, name="mod"), value.dense_shape)


@export("contrib.layers.sparse_column_with_integerized_feature")
def sparse_column_with_integerized_feature(column_name: str, bucket_size: int, combiner: str = "sum", dtype: Any = int64) -> Any:
    return _SparseColumnIntegerized(column_name, is_integerized=True, bucket_size=bucket_size, combiner=combiner, dtype=dtype)


class _SparseColumnHashed(_SparseColumn):
    hash_keys: list[list[int]] | None = None

    def looked_up(self, value: SparseTensor) -> SparseTensor:
        text = tf.as_string(value.values) if self.dtype.is_integer else value.values
        if self.hash_keys:
            found = [
                SparseTensor(value.indices, tf.string_to_hash_bucket_strong(text, self.bucket_size, key), value.dense_shape)
                for key in self.hash_keys
            ]
            return tf.sparse_concat(axis=1, sp_inputs=found, name="lookup")
        return SparseTensor(value.indices, tf.string_to_hash_bucket_fast(text, self.bucket_size, name="lookup"), value.dense_shape)


@export("contrib.layers.sparse_column_with_hash_bucket")
def sparse_column_with_hash_bucket(
    column_name: str, hash_bucket_size: int, combiner: str = "sum", dtype: Any = string, hash_keys: Any = None
) -> Any:
    if hash_keys is not None:
        if not isinstance(hash_keys, list) or not hash_keys:
            raise ValueError("hash_keys must be a non-empty list.")
        if any(not isinstance(p, list) or len(p) != 2 or not all(isinstance(k, int) for k in p) for p in hash_keys):
            raise ValueError("Each element of hash_keys must be a pair of integers.")
    column = _SparseColumnHashed(column_name, bucket_size=hash_bucket_size, combiner=combiner, dtype=dtype)
    column.hash_keys = hash_keys  # type: ignore[attr-defined]
    return column


class _SparseColumnKeys(_SparseColumn):
    def looked_up(self, value: SparseTensor) -> SparseTensor:
        config = self.lookup_config
        table = tf.contrib.lookup.index_table_from_tensor(
            mapping=tuple(config.keys), default_value=config.default_value, dtype=self.dtype, name="lookup"
        )
        found: SparseTensor = table.lookup(value)
        return found


@export("contrib.layers.sparse_column_with_keys")
def sparse_column_with_keys(column_name: str, keys: Any, default_value: int = -1, combiner: str = "sum", dtype: Any = string) -> Any:
    keys = tuple(keys)
    config = LookupConfig(keys=keys, vocab_size=len(keys), default_value=default_value)
    return _SparseColumnKeys(column_name, lookup_config=config, combiner=combiner, dtype=dtype)


class _SparseColumnVocabulary(_SparseColumn):
    def looked_up(self, value: SparseTensor) -> SparseTensor:
        if self.dtype.is_integer:
            value = SparseTensor(value.indices, tf.as_string(value.values), value.dense_shape)
        config = self.lookup_config
        table = tf.contrib.lookup.index_table_from_file(
            vocabulary_file=config.vocabulary_file, num_oov_buckets=config.num_oov_buckets, vocab_size=config.vocab_size,
            default_value=config.default_value, name=f"{self.name}_lookup",
        )  # fmt: skip
        found: SparseTensor = table.lookup(value)
        return found


@export("contrib.layers.sparse_column_with_vocabulary_file")
def sparse_column_with_vocabulary_file(
    column_name: str, vocabulary_file: Any, num_oov_buckets: int = 0, vocab_size: int | None = None, default_value: int = -1, combiner: str = "sum",
    dtype: Any = string,
) -> Any:  # fmt: skip
    if vocab_size is None:
        raise ValueError(f"vocab_size should be defined. column_name: {column_name}")
    config = LookupConfig(
        vocabulary_file=vocabulary_file, num_oov_buckets=num_oov_buckets, vocab_size=vocab_size, default_value=default_value
    )
    return _SparseColumnVocabulary(column_name, lookup_config=config, combiner=combiner, dtype=dtype)


class _WeightedSparseColumn(namedtuple("_WeightedFields", ["sparse_id_column", "weight_column_name", "dtype"]), _Categorical):
    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{self.sparse_id_column.name}_weighted_by_{self.weight_column_name}"

    @property
    def length(self) -> int:
        return int(self.sparse_id_column.length)

    @property
    def lookup_config(self) -> Any:
        return self.sparse_id_column.lookup_config

    @property
    def config(self) -> dict[str, Any]:
        return {**self.sparse_id_column.config, self.weight_column_name: tf.VarLenFeature(self.dtype)}

    def ids(self, transformed: Any) -> Any:
        return transformed[0]

    def weights(self, transformed: Any) -> Any:
        return transformed[1]

    def wide_arguments(self, input_tensor: Any) -> Any:
        return LinearArguments(
            self.ids(input_tensor), self.weights(input_tensor), self.length, tf.zeros_initializer(), self.sparse_id_column.combiner
        )

    def input_layer(self, input_tensor: Any, output_rank: int = 2) -> Any:
        raise ValueError(f"WeightedSparseColumn is not supported in DNN. Please use embedding_column or one_hot_column. column: {self}")

    def made(self, inputs: Any) -> Any:
        ids, weights = inputs.get(self.sparse_id_column), inputs.get(self.weight_column_name)
        if not isinstance(weights, SparseTensor):
            weights = dense_to_sparse(weights)
        return ids, weights if self.dtype.is_floating else tf.cast(weights, float32)

    def is_compatible(self, other: Any) -> bool:
        other = other.sparse_id_column if isinstance(other, _WeightedSparseColumn) else other
        return bool(self.sparse_id_column.is_compatible(other))


@export("contrib.layers.weighted_sparse_column")
def weighted_sparse_column(sparse_id_column: Any, weight_column_name: str, dtype: Any = float32) -> Any:
    dtype = tf.as_dtype(dtype)
    if not (dtype.is_integer or dtype.is_floating):
        raise ValueError(f"dtype is not convertible to float. Given {dtype}")
    return _WeightedSparseColumn(sparse_id_column, weight_column_name, dtype)


class _Dense(LayersColumn, core.DenseColumn):
    pass


class _OneHotColumn(namedtuple("_OneHotFields", ["sparse_id_column"]), _Dense):
    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{self.sparse_id_column.name}_one_hot"

    @property
    def length(self) -> int:
        return int(self.sparse_id_column.length)

    @property
    def size(self) -> int:  # type: ignore[override]
        return self.length

    @property
    def config(self) -> dict[str, Any]:
        return self.sparse_id_column.config  # type: ignore[no-any-return]

    def made(self, inputs: Any) -> Any:
        return inputs.get(self.sparse_id_column)

    def input_layer(self, input_tensor: Any, output_rank: int = 2) -> Any:
        ids = inner_flatten(self.sparse_id_column.ids(input_tensor), output_rank)
        weights = self.sparse_id_column.weights(input_tensor)
        if weights is not None:
            merged = tf.sparse_merge(sp_ids=ids, sp_values=weights, vocab_size=self.length)
            merged = tf.sparse_slice(merged, tf.zeros_like(merged.dense_shape), merged.dense_shape)
            dense = tf.sparse_tensor_to_dense(merged)
            return tf.reshape(dense, tf.concat([tf.shape(dense)[:-1], [self.length]], axis=0))
        dense = tf.sparse_tensor_to_dense(ids, default_value=-1)
        return tf.reduce_sum(tf.one_hot(dense, depth=self.length, on_value=1.0, off_value=0.0), axis=[output_rank - 1])

    def transform(self, features: Any) -> Any:
        return self.input_layer(self.made(features))


@export("contrib.layers.one_hot_column")
def one_hot_column(sparse_id_column: Any) -> Any:
    return _OneHotColumn(sparse_id_column)


_EmbeddingFields = namedtuple(
    "_EmbeddingFields",
    "sparse_id_column dimension combiner initializer ckpt_to_load_from tensor_name_in_ckpt shared_embedding_name shared_vocab_size max_norm trainable",
)


class _EmbeddingColumn(_EmbeddingFields, _Dense):
    unkeyed = ("initializer",)

    def __new__(
        cls, sparse_id_column: Any, dimension: int, combiner: str = "mean", initializer: Any = None, ckpt_to_load_from: Any = None,
        tensor_name_in_ckpt: Any = None, shared_embedding_name: str | None = None, shared_vocab_size: int | None = None, max_norm: Any = None,
        trainable: bool = True,
    ) -> _EmbeddingColumn:  # fmt: skip
        if initializer is not None and not callable(initializer):
            raise ValueError(f"initializer must be callable if specified. Embedding of column_name: {sparse_id_column.name}")
        if (ckpt_to_load_from is None) != (tensor_name_in_ckpt is None):
            raise ValueError("Must specify both `ckpt_to_load_from` and `tensor_name_in_ckpt` or none of them.")
        if initializer is None:
            tf.logging.warn(
                'The default stddev value of initializer was changed from "1/sqrt(vocab_size)" to "1/sqrt(dimension)" in core implementation (tf.feature_column.embedding_column).'
            )
            initializer = tf.truncated_normal_initializer(mean=0.0, stddev=1 / math.sqrt(sparse_id_column.length))
        return super().__new__(
            cls, sparse_id_column, dimension, combiner, initializer, ckpt_to_load_from, tensor_name_in_ckpt, shared_embedding_name, shared_vocab_size,
            max_norm, trainable,
        )  # fmt: skip

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{self.sparse_id_column.name}_{'shared_' if self.shared_embedding_name is not None else ''}embedding"

    @property
    def length(self) -> int:
        return int(self.sparse_id_column.length if self.shared_vocab_size is None else self.shared_vocab_size)

    @property
    def size(self) -> int:  # type: ignore[override]
        return int(self.dimension)

    @property
    def config(self) -> dict[str, Any]:
        return self.sparse_id_column.config  # type: ignore[no-any-return]

    @property
    def checkpoint(self) -> tuple[str, str] | None:
        return None if self.ckpt_to_load_from is None else (self.ckpt_to_load_from, self.tensor_name_in_ckpt)

    def made(self, inputs: Any) -> Any:
        return inputs.get(self.sparse_id_column)

    def deep_arguments(self, input_tensor: Any) -> Any:
        column = self.sparse_id_column
        return DeepArguments(
            column.ids(input_tensor), column.weights(input_tensor), self.length, self.initializer, self.combiner, self.dimension,
            self.shared_embedding_name, None, self.max_norm, self.trainable,
        )  # fmt: skip

    def wide_arguments(self, input_tensor: Any) -> Any:
        raise ValueError(f"Column {self} is not supported in linear models. Please use sparse_column.")

    def dense(self, features: Any) -> Any:
        return embeddings_of(self, self.deep_arguments(features.get(self)), None, True)


def table_parts(table: Any) -> list[Any]:
    return list(table) if isinstance(table, PartitionedVariable) else [table]


def restore(checkpoint: tuple[str, str] | None, parts: list[Any]) -> None:
    if checkpoint is not None:
        path, name = checkpoint
        tf.train.init_from_checkpoint(path, {name: parts[0] if len(parts) == 1 else parts})


def embeddings_of(column: LayersColumn, args: Any, collections: Any, trainable: bool, output_rank: int = 2) -> Any:
    ids = inner_flatten(args.input_tensor, output_rank)
    weights = None if args.weight_tensor is None else inner_flatten(args.weight_tensor, output_rank)

    def variable(name: str, shape: list[int]) -> Any:
        return model_variable(
            name=name,
            shape=shape,
            dtype=float32,
            initializer=args.initializer,
            trainable=trainable and args.trainable,
            collections=collections,
        )

    if args.hash_key:
        from runtime.tf1.contrib.scattered_embeddings import scattered_embedding_lookup_sparse

        table = variable("weights", [args.vocab_size])
        return scattered_embedding_lookup_sparse(table, ids, args.dimension, hash_key=args.hash_key, combiner=args.combiner, name="lookup")
    shape = [args.vocab_size, args.dimension]
    if args.shared_embedding_name is None:
        table = variable("weights", shape)
    else:
        shared = tf.get_default_graph().get_collection_ref(f"SHARED_EMBEDDING_COLLECTION_{args.shared_embedding_name.upper()}")
        if not shared:
            shared.append(variable(args.shared_embedding_name, shape))
        table = shared[0]
        if table.get_shape().as_list() != shape:
            raise ValueError(
                f"The embedding variable with name {args.shared_embedding_name} already exists, but its shape does not match required embedding shape "
                "here. Please make sure to use different shared_embedding_name for different shared embeddings."
            )
    parts = table_parts(table)
    restore(column.checkpoint, parts)
    return safe_embedding_lookup_sparse(
        parts, ids, sparse_weights=weights, combiner=args.combiner, name=f"{column.name}weights", max_norm=args.max_norm
    )


@export("contrib.layers.embedding_column")
def embedding_column(
    sparse_id_column: Any, dimension: int, combiner: str = "mean", initializer: Any = None, ckpt_to_load_from: Any = None, tensor_name_in_ckpt: Any = None,
    max_norm: Any = None, trainable: bool = True,
) -> Any:  # fmt: skip
    return _EmbeddingColumn(
        sparse_id_column, dimension, combiner, initializer, ckpt_to_load_from, tensor_name_in_ckpt, max_norm=max_norm, trainable=trainable
    )


@export("contrib.layers.shared_embedding_columns")
def shared_embedding_columns(
    sparse_id_columns: Any, dimension: int, combiner: str = "mean", shared_embedding_name: str | None = None, initializer: Any = None,
    ckpt_to_load_from: Any = None, tensor_name_in_ckpt: Any = None, max_norm: Any = None, trainable: bool = True,
) -> Any:  # fmt: skip
    """Columns that look up in one table."""
    columns = sparse_id_columns
    if not isinstance(columns, Sequence) or isinstance(columns, str):
        raise TypeError(f"sparse_id_columns must be a non-string sequence (ex: list or tuple) instead of type {type(columns)}.")
    if not columns:
        raise ValueError("The input sparse_id_columns should have at least one element.")
    for column in columns:
        if not isinstance(column, _SparseColumn | _WeightedSparseColumn):
            raise TypeError(f"Elements of sparse_id_columns must be _SparseColumn or _WeightedSparseColumn, but {column} is not.")
    rest = {"max_norm": max_norm, "trainable": trainable}
    if len(columns) == 1:
        return [
            _EmbeddingColumn(
                columns[0], dimension, combiner, initializer, ckpt_to_load_from, tensor_name_in_ckpt, shared_embedding_name, **rest
            )
        ]
    first = columns[0]
    if not all(first.is_compatible(c) if isinstance(first, _WeightedSparseColumn) else c.is_compatible(first) for c in columns[1:]):
        raise ValueError("The input sparse id columns are not compatible.")
    if not shared_embedding_name:
        plain = sorted((c for c in columns if isinstance(c, _SparseColumn)), key=lambda c: c.name)
        weighted = sorted((c for c in columns if not isinstance(c, _SparseColumn)), key=lambda c: c.name)
        names = [c.name for c in [*plain, *weighted]]
        shared_embedding_name = "_".join(names[:3]) + (f"_plus_{len(names) - 3}_others" if len(names) > 3 else "") + "_shared_embedding"
    return tuple(
        _EmbeddingColumn(
            c, dimension, combiner, initializer, ckpt_to_load_from, tensor_name_in_ckpt, shared_embedding_name, first.length, **rest
        )
        for c in columns
    )


class _ScatteredEmbeddingColumn(
    namedtuple("_ScatteredFields", ["column_name", "buckets", "dimension", "hash_key", "combiner", "initializer"]), _Dense
):
    unkeyed = ("initializer",)

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{self.column_name}_scattered_embedding"

    @property
    def size(self) -> int:  # type: ignore[override]
        return int(self.dimension)

    @property
    def config(self) -> dict[str, Any]:
        return {self.column_name: tf.VarLenFeature(string)}

    def made(self, inputs: Any) -> Any:
        return inputs.get(self.column_name)

    def deep_arguments(self, input_tensor: Any) -> Any:
        return DeepArguments(
            input_tensor, None, self.buckets, self.initializer, self.combiner, self.dimension, None, self.hash_key, None, True
        )

    def dense(self, features: Any) -> Any:
        return embeddings_of(self, self.deep_arguments(features.get(self)), None, True)


@export("contrib.layers.scattered_embedding_column")
def scattered_embedding_column(
    column_name: str, size: int, dimension: int, hash_key: int, combiner: str = "mean", initializer: Any = None
) -> Any:
    if dimension < 1 or size < 1:
        raise ValueError(f"Dimension and size must be greater than 0. dimension: {dimension}, size: {size}, column_name: {column_name}")
    if combiner not in ("mean", "sqrtn", "sum"):
        raise ValueError(f"Combiner must be one of 'mean', 'sqrtn' or 'sum'. combiner: {combiner}, column_name: {column_name}")
    if initializer is not None and not callable(initializer):
        raise ValueError(f"initializer must be callable if specified. column_name: {column_name}")
    initializer = initializer or tf.truncated_normal_initializer(mean=0.0, stddev=0.1)
    return _ScatteredEmbeddingColumn(column_name, size, dimension, hash_key, combiner, initializer)


class _RealValuedColumn(namedtuple("_RealFields", ["column_name", "dimension", "default_value", "dtype", "normalizer"]), _Dense):
    unkeyed = ("normalizer",)

    @property
    def name(self) -> str:  # type: ignore[override]
        return str(self.column_name)

    @property
    def size(self) -> int:  # type: ignore[override]
        return int(self.dimension)

    @property
    def normalizer_fn(self) -> Any:
        return self.normalizer

    @property
    def config(self) -> dict[str, Any]:
        default = None if self.default_value is None else list(self.default_value)
        return {self.column_name: tf.FixedLenFeature([self.dimension], self.dtype, default)}

    def made(self, inputs: Any) -> Any:
        value = inputs.get(self.name)
        return tf.cast(value if self.normalizer is None else self.normalizer(value), float32)

    def to_dense(self, input_tensor: Any) -> Any:
        return input_tensor

    def input_layer(self, input_tensor: Any, output_rank: int = 2) -> Any:
        if input_tensor.dtype is not float32:
            input_tensor = tf.cast(input_tensor, float32)
        return with_rank(input_tensor, output_rank, self.name)


def _default_values(value: Any, dimension: int, dtype: Any, name: str) -> tuple[Any, ...] | None:
    if value is None:
        return None
    values = value if isinstance(value, list) else [value] * dimension if isinstance(value, int | float) else None
    if isinstance(value, list) and len(value) != dimension:
        raise ValueError(
            f"The length of default_value must be equal to dimension. default_value: {value}, dimension: {dimension}, column_name: {name}"
        )
    if values is not None:
        if all(isinstance(v, int) for v in values) and dtype.is_integer:
            return tuple(values)
        if all(isinstance(v, int | float) for v in values) and dtype.is_floating:
            return tuple(float(v) for v in values)
    raise TypeError(f"default_value must be compatible with dtype. default_value: {value}, dtype: {dtype}, column_name: {name}")


@export("contrib.layers.real_valued_column")
def real_valued_column(
    column_name: str, dimension: int = 1, default_value: Any = None, dtype: Any = float32, normalizer: Any = None
) -> Any:
    if not isinstance(dimension, int):
        raise TypeError(f"dimension must be an integer. dimension: {dimension}, column_name: {column_name}")
    if dimension < 1:
        raise ValueError(f"dimension must be greater than 0. dimension: {dimension}, column_name: {column_name}")
    dtype = tf.as_dtype(dtype)
    if not (dtype.is_integer or dtype.is_floating):
        raise ValueError(f"dtype must be convertible to float. dtype: {dtype}, column_name: {column_name}")
    return _RealValuedColumn(column_name, dimension, _default_values(default_value, dimension, dtype, column_name), dtype, normalizer)


class _BucketizedColumn(namedtuple("_BucketizedFields", ["source_column", "boundaries"]), _Dense, core.CategoricalColumn):
    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{self.source_column.name}_bucketized"

    @property
    def length(self) -> int:
        return len(self.boundaries) + 1

    @property
    def size(self) -> int:  # type: ignore[override]
        return int(self.length * self.source_column.dimension)

    num_buckets = size  # type: ignore[assignment]

    @property
    def config(self) -> dict[str, Any]:
        return self.source_column.config  # type: ignore[no-any-return]

    def made(self, inputs: Any) -> Any:
        return apply_op("Bucketize", "bucketize", input=inputs.get(self.source_column), boundaries=list(self.boundaries))

    def input_layer(self, input_tensor: Any, output_rank: int = 2) -> Any:
        if output_rank != 2:
            raise ValueError("BucketizedColumn currently only supports output_rank=2")
        hot = tf.one_hot(tf.cast(input_tensor, int64), self.length, 1.0, 0.0, name="one_hot")
        return tf.reshape(hot, [-1, self.length * self.source_column.dimension], name="reshape")

    def to_sparse(self, value: Any) -> SparseTensor:
        """Ids of (position in the source, bucket)."""
        width = self.source_column.dimension
        count = tf.shape(value, name="shape")[0]
        if width > 1:
            rows = tf.expand_dims(tf.range(0, count), 1, name="expand_dims")
            rows = tf.reshape(tf.tile(rows, [1, width], name="tile"), [-1], name="reshape")
            columns = tf.tile(tf.range(0, width), [count], name="tile")
            ids = tf.reshape(value, [-1], name="reshape") + self.length * columns
        else:
            rows = tf.range(0, count)
            columns = tf.zeros([count], dtype="int32", name="zeros")
            ids = tf.reshape(value, [-1], name="reshape")
        indices = tf.cast(tf.transpose(tf.stack((rows, columns))), int64)
        return SparseTensor(indices, ids, tf.cast(tf.stack([count, width]), int64))

    def wide_arguments(self, input_tensor: Any) -> Any:
        return LinearArguments(self.to_sparse(input_tensor), None, self.size, tf.zeros_initializer(), "sum")

    def sparse(self, features: Any) -> tuple[Any, Any]:
        return self.to_sparse(features.get(self)), None

    def dense(self, features: Any) -> Any:
        return self.input_layer(features.get(self))


@export("contrib.layers.bucketized_column")
def bucketized_column(source_column: Any, boundaries: Any) -> Any:
    if not isinstance(source_column, _RealValuedColumn):
        raise TypeError(f"source_column must be an instance of _RealValuedColumn. source_column: {source_column}")
    if not isinstance(boundaries, list | tuple) or not boundaries:
        raise ValueError(f"boundaries must be a non-empty list or tuple. boundaries: {boundaries}")
    if list(boundaries) != sorted(boundaries):
        raise ValueError(f"boundaries must be a sorted list. boundaries: {boundaries}")
    return _BucketizedColumn(source_column, tuple(dict.fromkeys(boundaries)))


_CrossedFields = namedtuple(
    "_CrossedFields", ["columns", "hash_bucket_size", "hash_key", "combiner", "ckpt_to_load_from", "tensor_name_in_ckpt"]
)


class _CrossedColumn(_CrossedFields, _Categorical):
    @property
    def name(self) -> str:  # type: ignore[override]
        return "_X_".join(sorted(c.name for c in self.columns))

    @property
    def length(self) -> int:
        return int(self.hash_bucket_size)

    @property
    def config(self) -> dict[str, Any]:
        return {k: v for c in self.columns for k, v in c.config.items()}

    @property
    def checkpoint(self) -> tuple[str, str] | None:
        return None if self.ckpt_to_load_from is None else (self.ckpt_to_load_from, self.tensor_name_in_ckpt)

    def wide_arguments(self, input_tensor: Any) -> Any:
        return LinearArguments(input_tensor, None, self.length, tf.zeros_initializer(), self.combiner)

    def input_layer(self, input_tensor: Any, output_rank: int = 2) -> Any:
        raise ValueError(f"CrossedColumn is not supported in DNN. Please use embedding_column. column: {self}")

    def leaves(self) -> list[Any]:
        return [leaf for c in self.columns for leaf in (c.leaves() if isinstance(c, _CrossedColumn) else [c])]

    def made(self, inputs: Any) -> Any:
        from runtime.tf1.contrib.scattered_embeddings import sparse_feature_cross

        parts = []
        for leaf in self.leaves():
            if isinstance(leaf, _SparseColumn):
                parts.append(inputs.get(leaf.name))
            elif isinstance(leaf, _BucketizedColumn):
                parts.append(leaf.to_sparse(inputs.get(leaf)))
            else:
                parts.append(inputs.get(leaf))
        return sparse_feature_cross(parts, hashed_output=True, num_buckets=self.hash_bucket_size, hash_key=self.hash_key, name="cross")


@export("contrib.layers.crossed_column")
def crossed_column(
    columns: Any, hash_bucket_size: int, combiner: str = "sum", ckpt_to_load_from: Any = None, tensor_name_in_ckpt: Any = None, hash_key: int | None = None
) -> Any:  # fmt: skip
    for column in columns:
        if not isinstance(column, _SparseColumn | _CrossedColumn | _BucketizedColumn):
            raise TypeError(
                f"columns must be a set of _SparseColumn, _CrossedColumn, or _BucketizedColumn instances. (column {column} is a {type(column).__name__})"
            )
    if len(columns) < 2:
        raise ValueError(f"columns must contain at least 2 elements. columns: {columns}")
    if hash_bucket_size < 2:
        raise ValueError(f"hash_bucket_size must be at least 2. hash_bucket_size: {hash_bucket_size}")
    if (ckpt_to_load_from is None) != (tensor_name_in_ckpt is None):
        raise ValueError("Must specify both `ckpt_to_load_from` and `tensor_name_in_ckpt` or none of them.")
    ordered = tuple(sorted(columns, key=lambda c: c.name))
    return _CrossedColumn(ordered, hash_bucket_size, hash_key, combiner, ckpt_to_load_from, tensor_name_in_ckpt)


@export("contrib.layers.create_feature_spec_for_parsing")
def create_feature_spec_for_parsing(feature_columns: Iterable[Any]) -> dict[str, Any]:
    """How tf.parse_example reads the features of these columns."""
    spec: dict[str, Any] = {}
    for column in feature_columns.values() if isinstance(feature_columns, dict) else feature_columns:
        if not isinstance(column, LayersColumn):
            raise TypeError(f"feature_columns should only contain instances of _FeatureColumn. Given column is {column}")
        spec.update(column.config)
    return spec


@export("contrib.layers.make_place_holder_tensors_for_base_features")
def make_place_holder_tensors_for_base_features(feature_columns: Iterable[Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, kind in create_feature_spec_for_parsing(feature_columns).items():
        if isinstance(kind, tf.VarLenFeature):
            made[name] = tf.sparse_placeholder(kind.dtype, name=f"Placeholder_{name}")
        else:
            made[name] = tf.placeholder(kind.dtype, shape=(None, kind.shape[0]), name=f"Placeholder_{name}")
    return made
