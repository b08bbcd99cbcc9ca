"""Models of tf.contrib.layers' feature columns: input layers and weighted sums."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphtools.dtypes import float32
from runtime.tf1.contrib import feature_columns as columns
from runtime.tf1.contrib.feature_columns import (
    LayersColumn,
    create_feature_spec_for_parsing,
    embeddings_of,
    inner_flatten,
    restore,
    table_parts,
)
from runtime.tf1.contrib.layer_training import safe_embedding_lookup_sparse
from runtime.tf1.contrib.variables import model_variable
from runtime.tf1.graph import GraphKeys
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.sparse_tensor import SparseTensor

tf: Any = module("")

# Of what columns a sequence can be.
SEQUENCE_COLUMNS = (columns._OneHotColumn, columns._EmbeddingColumn, columns._RealValuedColumn)


@export("contrib.layers.check_feature_columns")
def check_feature_columns(feature_columns: Any) -> None:
    """Raises ValueError for a dict, or two columns with one key."""
    if isinstance(feature_columns, dict):
        raise ValueError("Expected feature_columns to be iterable, found dict.")
    seen = set()
    for column in feature_columns:
        if column.key in seen:
            raise ValueError(
                f"Duplicate feature column key found for column: {column.name}. This usually means that the column is almost identical to another column, and one must be discarded."
            )
        seen.add(column.key)


def _in_order(feature_columns: Iterable[Any]) -> list[Any]:
    return sorted(set(feature_columns), key=lambda c: c.key)


def _transformed(column: Any, tensors: dict[Any, Any]) -> Any:
    if column not in tensors:
        column.insert_transformed_feature(tensors)
    return tensors[column]


def _collections(given: Any) -> Any:
    return list(dict.fromkeys([*given, GraphKeys.GLOBAL_VARIABLES])) if given else given


def _reshaped(tensor: Any, name: str, rank: int) -> Any:
    known = tensor.get_shape().ndims
    if known is None and isinstance(tensor, SparseTensor):
        known = tensor.dense_shape.get_shape().as_list()[0]
    if known is None:
        raise ValueError(f"Error while processing column {name}. Rank of input Tensor can not be None.")
    if rank > known + 1:
        raise ValueError(
            f"Error while processing column {name}. Rank of input Tensor ({known}) should be the same as output_rank ({rank}). For example, sequence data "
            "should typically be 3 dimensional (rank 3) while non-sequence data is typically 2 dimensional (rank 2)."
        )
    if rank == known + 1:
        if isinstance(tensor, SparseTensor):
            return tf.sparse_reshape(tensor, tf.concat([tensor.dense_shape, [1]], 0))
        return tf.expand_dims(tensor, -1)
    return inner_flatten(tensor, rank) if rank < known else tensor


def _inputs(
    tensors: dict[Any, Any], feature_columns: Any, collections: Any, trainable: bool, scope: Any, rank: int, default_name: str, cols_to_outs: Any = None
) -> Any:  # fmt: skip
    tensors = dict(tensors)
    check_feature_columns(feature_columns)
    if cols_to_outs is not None and not isinstance(cols_to_outs, dict):
        raise ValueError("cols_to_outs must be a dict unless None")
    with tf.variable_scope(scope, default_name=default_name, values=list(tensors.values())):
        outputs = []
        for column in _in_order(feature_columns):
            with tf.variable_scope(None, default_name=column.name, values=list(tensors.values())):
                value = _transformed(column, tensors)
                if rank == 3:
                    reshape = lambda t, name=column.name: _reshaped(t, name, rank)  # noqa: E731
                    value = (
                        tuple(map(reshape, value)) if isinstance(value, tuple) and not isinstance(value, SparseTensor) else reshape(value)
                    )
                try:
                    arguments = column.deep_arguments(value)
                except NotImplementedError as missing:
                    try:
                        outputs.append(column.input_layer(value, output_rank=rank))
                    except ValueError as e:
                        raise ValueError(f"Error creating input layer for column: {column.name}.\n{e}, {missing}") from e
                else:
                    outputs.append(embeddings_of(column, arguments, _collections(collections), trainable, rank))
                if cols_to_outs is not None:
                    cols_to_outs[column] = outputs[-1]
        return tf.concat(outputs, rank - 1)


@export("contrib.layers.input_from_feature_columns")
def input_from_feature_columns(
    columns_to_tensors: Any, feature_columns: Any, weight_collections: Any = None, trainable: bool = True, scope: Any = None, cols_to_outs: Any = None
) -> Any:  # fmt: skip
    """The dense tensors of the columns, side by side, in the order of their keys."""
    return _inputs(columns_to_tensors, feature_columns, weight_collections, trainable, scope, 2, "input_from_feature_columns", cols_to_outs)


@export("contrib.layers.sequence_input_from_feature_columns")
def sequence_input_from_feature_columns(
    columns_to_tensors: Any, feature_columns: Any, weight_collections: Any = None, trainable: bool = True, scope: Any = None
) -> Any:
    for column in feature_columns:
        if not isinstance(column, SEQUENCE_COLUMNS):
            raise ValueError(f"FeatureColumn type {type(column).__name__} is not currently supported for sequence data.")
        parent = getattr(column, "sparse_id_column", None)
        if isinstance(parent, columns._CrossedColumn):
            raise ValueError(f"Column {parent.name} is of type {type(parent).__name__}, which is not currently supported for sequences.")
    return _inputs(columns_to_tensors, feature_columns, weight_collections, trainable, scope, 3, "sequence_input_from_feature_columns")


def _lookup(column: Any, tensors: dict[Any, Any], args: Any, num_outputs: int, trainable: bool, collections: Any) -> tuple[list[Any], Any]:
    with tf.variable_scope(None, default_name=column.name, values=list(tensors.values())):
        table = model_variable(
            name="weights", shape=[args.vocab_size, num_outputs], dtype=float32, initializer=args.initializer, trainable=trainable, collections=collections
        )  # fmt: skip
        parts = table_parts(table)
        found = safe_embedding_lookup_sparse(
            parts, args.input_tensor, sparse_weights=args.weight_tensor, combiner=args.combiner, name=f"{column.name}_weights"
        )
        return parts, found


def _bias(num_outputs: int, trainable: bool, collections: Any) -> Any:
    return model_variable(
        "bias_weight", shape=[num_outputs], initializer=tf.zeros_initializer(), trainable=trainable, collections=_collections(collections)
    )


@export("contrib.layers.weighted_sum_from_feature_columns")
def weighted_sum_from_feature_columns(
    columns_to_tensors: Any,
    feature_columns: Any,
    num_outputs: int,
    weight_collections: Any = None,
    trainable: bool = True,
    scope: Any = None,
) -> Any:
    """(the weighted sum of the columns and a bias, the weights by column, the bias)."""
    tensors = dict(columns_to_tensors)
    check_feature_columns(feature_columns)
    with tf.variable_scope(scope, default_name="weighted_sum_from_feature_columns", values=list(tensors.values())):
        sums, weights = [], {}
        for column in _in_order(feature_columns):
            value = _transformed(column, tensors)
            try:
                arguments = column.wide_arguments(value)
            except NotImplementedError:
                with tf.variable_scope(None, default_name=column.name, values=list(tensors.values())):
                    tensor = _reshaped(column.to_dense(value), column.name, 2)
                    parts = [
                        model_variable(
                            name="weight", shape=[tensor.get_shape()[1], num_outputs], initializer=tf.zeros_initializer(), trainable=trainable,
                            collections=weight_collections,
                        )
                    ]  # fmt: skip
                    predictions = tf.matmul(tensor, parts[0], name="matmul")
            except ValueError as e:
                raise ValueError(f"Error creating weighted sum for column: {column.name}.\n{e}") from e
            else:
                parts, predictions = _lookup(column, tensors, arguments, num_outputs, trainable, weight_collections)
            sums.append(tf.reshape(predictions, shape=(-1, num_outputs)))
            weights[column] = parts
            restore(column.checkpoint, parts)
        total = tf.add_n(sums)
        bias = _bias(num_outputs, trainable, weight_collections)
        return tf.nn.bias_add(total, bias), weights, bias


@export("contrib.layers.joint_weighted_sum_from_feature_columns")
def joint_weighted_sum_from_feature_columns(
    columns_to_tensors: Any,
    feature_columns: Any,
    num_outputs: int,
    weight_collections: Any = None,
    trainable: bool = True,
    scope: Any = None,
) -> Any:
    """As weighted_sum_from_feature_columns, of sparse columns, whose weights are one variable."""
    tensors = dict(columns_to_tensors)
    check_feature_columns(feature_columns)
    with tf.variable_scope(scope, default_name="joint_weighted_sum_from_feature_columns", values=list(tensors.values())):
        arguments = []
        for column in _in_order(feature_columns):
            value = _transformed(column, tensors)
            try:
                args = column.wide_arguments(value)
            except NotImplementedError as e:
                raise NotImplementedError(
                    "Real-valued columns are not supported. Use weighted_sum_from_feature_columns instead, or bucketize these columns."
                ) from e
            if args.weight_tensor is not None or args.combiner != "sum":
                raise ValueError(
                    f"Joint sums are of unweighted columns whose combiner is 'sum'; {column.name} is not. Please use weighted_sum_from_feature_columns instead."
                )
            arguments.append(args)
        size, parts = 0, []
        for args in arguments:
            t = args.input_tensor
            parts.append(SparseTensor(t.indices, t.values + size, t.dense_shape))
            size += args.vocab_size
        ids = tf.sparse_concat(1, parts)
        with tf.variable_scope(None, default_name="linear_weights", values=list(tensors.values())):
            table = model_variable(
                name="weights", shape=[size, num_outputs], dtype=float32, initializer=tf.zeros_initializer(), trainable=trainable, collections=weight_collections
            )  # fmt: skip
            table = table_parts(table)
            total = safe_embedding_lookup_sparse(table, ids, sparse_weights=None, combiner="sum", name="_weights")
        bias = _bias(num_outputs, trainable, weight_collections)
        return tf.nn.bias_add(total, bias), table, bias


@export("contrib.layers.parse_feature_columns_from_examples")
def parse_feature_columns_from_examples(serialized: Any, feature_columns: Any, name: str | None = None, example_names: Any = None) -> Any:
    """Tensors by feature name, and by column."""
    check_feature_columns(feature_columns)
    tensors = tf.parse_example(
        serialized=serialized, features=create_feature_spec_for_parsing(feature_columns), name=name, example_names=example_names
    )
    for column in _in_order(feature_columns):
        _transformed(column, tensors)
    return tensors


@export("contrib.layers.transform_features")
def transform_features(features: Any, feature_columns: Any) -> Any:
    tensors = dict(features)
    check_feature_columns(feature_columns)
    for column in _in_order(feature_columns):
        _transformed(column, tensors)
    return {k: v for k, v in tensors.items() if k in feature_columns}


@export("contrib.layers.parse_feature_columns_from_sequence_examples")
def parse_feature_columns_from_sequence_examples(
    serialized: Any, context_feature_columns: Any, sequence_feature_columns: Any, name: str | None = None, example_name: Any = None
) -> Any:
    """(context tensors, sequence tensors) of one tf.SequenceExample."""
    serialized = tf.reshape(serialized, [])
    check_feature_columns(context_feature_columns or [])
    check_feature_columns(sequence_feature_columns or [])
    sequences: dict[str, Any] = {}
    for key, feature in create_feature_spec_for_parsing(sequence_feature_columns or []).items():
        if isinstance(feature, tf.FixedLenFeature):
            feature = tf.FixedLenSequenceFeature(shape=feature.shape, dtype=feature.dtype, allow_missing=feature.default_value is not None)
        sequences[key] = feature
    context = create_feature_spec_for_parsing(context_feature_columns or [])
    return tf.parse_single_sequence_example(serialized, context, sequences, example_name, name)


@export("contrib.layers.infer_real_valued_columns")
def infer_real_valued_columns(features: Any) -> list[LayersColumn]:
    """A real valued column for each tensor; named "" for a lone one."""

    def column(name: str, tensor: Any) -> Any:
        if isinstance(tensor, SparseTensor):
            raise ValueError(
                f"SparseTensor is not supported for auto detection. Please define corresponding FeatureColumn for tensor {name} {tensor}."
            )
        if not (tensor.dtype.is_integer or tensor.dtype.is_floating):
            raise ValueError(
                f"Non integer or non floating types are not supported for auto detection. Please define corresponding FeatureColumn for tensor {name} {tensor}."
            )
        size = 1
        for dim in tensor.get_shape().as_list()[1:]:
            size *= dim
        return columns.real_valued_column(name, dimension=size, dtype=tensor.dtype)

    if not isinstance(features, dict):
        return [column("", features)]
    return [column(key, value) for key, value in features.items()]
