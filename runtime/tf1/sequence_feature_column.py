"""Feature columns of sequences: tf.feature_column.sequence_* and tf.contrib.feature_column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from graphtools.dtypes import as_dtype, float32, int64, string
from runtime.tf1 import array_ops, feature_column, math_ops
from runtime.tf1.feature_column import CategoricalColumn, Column, EmbeddingColumn, Features, IndicatorColumn, WeightedColumn, normalized
from runtime.tf1.graph import apply_op, get_default_graph, name_scope
from runtime.tf1.modules import lookup
from runtime.tf1.registry import export
from runtime.tf1.sparse_tensor import SparseTensor
from runtime.tf1.variable_scope import variable_scope

F = TypeVar("F")


def _lengths(values: SparseTensor, num_elements: int = 1) -> Any:
    """How many elements each row has."""
    with name_scope(None, "sequence_length") as scope:
        rows, columns = values.indices[:, 0], values.indices[:, 1]
        columns = columns + array_ops.ones_like(columns)
        lengths = lookup("segment_max")(columns, segment_ids=rows)
        lengths = math_ops.cast(lookup("ceil")(lengths / num_elements), int64)
        missing = array_ops.shape(values)[:1] - array_ops.shape(lengths)[:1]
        return array_ops.concat([lengths, array_ops.zeros(missing, dtype=lengths.dtype)], axis=0, name=scope)


class SequenceCategoricalColumn(CategoricalColumn):
    """Ids by example and step."""

    def __init__(self, column: Any) -> None:
        self.column, self.name, self.num_buckets = column, column.name, column.num_buckets

    def transform(self, features: Features) -> Any:
        return self.column.transform(features)

    def sparse(self, features: Features) -> tuple[Any, Any]:
        ids, weights = self.column.sparse(features)
        shape = array_ops.shape(ids)
        target = [shape[0], shape[1], math_ops.reduce_prod(shape[2:])]
        reshape = lookup("sparse_reshape")
        ids = reshape(ids, target)
        return ids, None if weights is None else reshape(weights, target)

    def parse_spec(self) -> dict[str, Any]:
        return self.column.parse_spec()  # type: ignore[no-any-return]


class SequenceNumericColumn(Column):
    def __init__(self, key: str, shape: tuple[int, ...], default_value: float, dtype: Any, normalizer_fn: Any) -> None:
        self.key = self.name = key
        self.shape, self.default_value, self.dtype, self.normalizer_fn = shape, default_value, dtype, normalizer_fn
        self.size = int(np.prod(shape))

    def transform(self, features: Features) -> Any:
        value = features.get(self.key)
        return value if self.normalizer_fn is None else self.normalizer_fn(value)

    def parse_spec(self) -> dict[str, Any]:
        return {self.key: lookup("io.VarLenFeature")(self.dtype)}

    def sequence(self, features: Features) -> tuple[Any, Any]:
        values = features.get(self)
        dense = lookup("sparse_tensor_to_dense")(values, default_value=self.default_value)
        shape = array_ops.concat([array_ops.shape(dense)[:1], [-1], list(self.shape)], axis=0)
        dense = array_ops.reshape(dense, shape=shape)
        return dense, _lengths(values, self.size if values.shape.ndims == 2 else 1)


def _of_sequence(column: Any) -> Any:
    inner = column.column.column if isinstance(column.column, WeightedColumn) else column.column
    if not isinstance(inner, SequenceCategoricalColumn):
        kind = "embedding" if isinstance(column, EmbeddingColumn) else "indicator"
        raise ValueError(
            f"In {kind}_column: {column.name}. categorical_column must be of type SequenceCategoricalColumn to use SequenceFeatures. Suggested fix: Use one of sequence_categorical_column_with_*. Given (type {type(inner)}): {inner}"
        )
    return column.column


def _sequence(column: Any, features: Features) -> tuple[Any, Any]:
    """(values by example and step, how many steps each example has)."""
    if isinstance(column, SequenceNumericColumn):
        return column.sequence(features)
    categorical = _of_sequence(column)
    if isinstance(column, IndicatorColumn):
        dense = features.get(column)
        ids, _ = categorical.sparse(features)
        return dense, _lengths(ids)
    if column.shared is not None:
        with name_scope(None, column.name):
            ids, weights = categorical.sparse(features)
            return column.combined(features, ids, weights), _lengths(ids)
    ids, weights = categorical.sparse(features)
    return column.combined(features, ids, weights), _lengths(ids)


def _all_equal(tensors: list[Any]) -> Any:
    with name_scope(None, "assert_all_equal", tensors):
        if len(tensors) == 1:
            return tensors[0]
        checks = [lookup("assert_equal")(tensors[0], t) for t in tensors[1:]]
        with get_default_graph().control_dependencies(checks):
            return array_ops.identity(tensors[0])


@export("contrib.feature_column.sequence_input_layer")
def sequence_input_layer(features: Any, feature_columns: Any, weight_collections: Any = None, trainable: bool = True) -> tuple[Any, Any]:
    """(the columns' values side by side by example and step, the examples' lengths)."""
    columns = normalized(feature_columns)
    for c in columns:
        if not isinstance(c, SequenceNumericColumn | IndicatorColumn | EmbeddingColumn):
            raise ValueError(
                f"All feature_columns must be of type _SequenceDenseColumn. You can wrap a sequence_categorical_column with an embedding_column or indicator_column. Given (type {type(c)}): {c}"
            )
    given = Features(features)
    with (
        feature_column.column_options(trainable, weight_collections),
        variable_scope(None, "sequence_input_layer", list(features.values())),
    ):
        outputs, lengths = [], []
        for column in columns:
            with variable_scope(None, getattr(column, "shared", None) or column.name):
                dense, length = _sequence(column, given)
                shape = array_ops.shape(dense)
                outputs.append(array_ops.reshape(dense, shape=[shape[0], shape[1], column.size]))
                lengths.append(length)
        length = _all_equal(lengths)
        return array_ops.concat(outputs, -1), length


@export("contrib.feature_column.concatenate_context_input", "keras.experimental.concatenate_context_input")
def concatenate_context_input(context_input: Any, sequence_input: Any) -> Any:
    """The context of each example at all of its steps, beside the sequence."""
    rank, kind = lookup("assert_rank"), lookup("assert_type")
    checks = [
        rank(sequence_input, 3, message="sequence_input must have rank 3", data=[array_ops.shape(sequence_input)]),
        kind(sequence_input, float32, message=f"sequence_input must have dtype float32; got {sequence_input.dtype}."),
        rank(context_input, 2, message="context_input must have rank 2", data=[array_ops.shape(context_input)]),
        kind(context_input, float32, message=f"context_input must have dtype float32; got {context_input.dtype}."),
    ]
    with get_default_graph().control_dependencies(checks):
        length = array_ops.shape(sequence_input)[1]
        times = array_ops.concat([[1], [length], [1]], 0)
        tiled = apply_op("Tile", None, input=array_ops.expand_dims(context_input, 1), multiples=times)
    return array_ops.concat([sequence_input, tiled], 2)


def _both(name: str) -> Callable[[F], F]:
    return export(f"feature_column.{name}", f"contrib.feature_column.{name}")


class _OldIdentityColumn(feature_column.IdentityColumn):
    """Ids, checked by the ops of tf.contrib's column."""

    def ids(self, values: SparseTensor) -> SparseTensor:
        if self.default_value is not None or not values.dtype.is_integer:
            return super().ids(values)
        ids = math_ops.cast(values.values, int64, name="values")
        limit = math_ops.cast(self.num_buckets, int64, name="num_buckets")
        zero = math_ops.cast(0, int64, name="zero")
        high = lookup("assert_less")(
            ids, limit, data=(ids, limit), message=f'Bucket index for categorical column "{self.name}" exceeds number of buckets',
            name="assert_less_than_num_buckets",
        )  # fmt: skip
        low = lookup("assert_greater_equal")(
            ids, zero, data=(ids,), message=f'Negative bucket index for categorical column "{self.name}"', name="assert_greater_or_equal_0"
        )
        with get_default_graph().control_dependencies([high, low]):
            ids = array_ops.identity(ids)
        return SparseTensor(values.indices, ids, values.dense_shape)


@export("contrib.feature_column.sequence_categorical_column_with_identity")
def _contrib_identity(key: str, num_buckets: int, default_value: int | None = None) -> Any:
    feature_column.categorical_column_with_identity(key, num_buckets, default_value)  # checks what it is given
    return SequenceCategoricalColumn(_OldIdentityColumn(key, num_buckets, default_value))


@export("feature_column.sequence_categorical_column_with_identity")
def sequence_categorical_column_with_identity(key: str, num_buckets: int, default_value: int | None = None) -> Any:
    return SequenceCategoricalColumn(feature_column.categorical_column_with_identity(key, num_buckets, default_value))


@_both("sequence_categorical_column_with_hash_bucket")
def sequence_categorical_column_with_hash_bucket(key: str, hash_bucket_size: int, dtype: Any = string) -> Any:
    return SequenceCategoricalColumn(feature_column.categorical_column_with_hash_bucket(key, hash_bucket_size, dtype))


@_both("sequence_categorical_column_with_vocabulary_file")
def sequence_categorical_column_with_vocabulary_file(
    key: str,
    vocabulary_file: str,
    vocabulary_size: int | None = None,
    num_oov_buckets: int = 0,
    default_value: int | None = None,
    dtype: Any = string,
) -> Any:
    return SequenceCategoricalColumn(
        feature_column.categorical_column_with_vocabulary_file(key, vocabulary_file, vocabulary_size, num_oov_buckets, default_value, dtype)
    )


@_both("sequence_categorical_column_with_vocabulary_list")
def sequence_categorical_column_with_vocabulary_list(
    key: str, vocabulary_list: Any, dtype: Any = None, default_value: int = -1, num_oov_buckets: int = 0
) -> Any:
    return SequenceCategoricalColumn(
        feature_column.categorical_column_with_vocabulary_list(key, vocabulary_list, dtype, default_value, num_oov_buckets)
    )


@_both("sequence_numeric_column")
def sequence_numeric_column(
    key: str, shape: Any = (1,), default_value: float = 0.0, dtype: Any = float32, normalizer_fn: Any = None
) -> Any:
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(not isinstance(d, int | np.integer) or d <= 0 for d in shape):
        raise TypeError(f"shape dimensions must be integers above 0, given: {shape}")
    dtype = as_dtype(dtype)
    if not (dtype.is_integer or dtype.is_floating):
        raise ValueError(f"dtype must be convertible to float. dtype: {dtype}, key: {key}")
    if normalizer_fn is not None and not callable(normalizer_fn):
        raise TypeError(f"normalizer_fn must be a callable. Given: {normalizer_fn}")
    return SequenceNumericColumn(key, shape, default_value, dtype, normalizer_fn)
