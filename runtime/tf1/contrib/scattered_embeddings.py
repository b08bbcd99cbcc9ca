"""Feature crosses of tf.contrib.layers, and embeddings whose weights are hashed together."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import int64, string
from runtime.tf1.graph import apply_op
from runtime.tf1.modules import module
from runtime.tf1.registry import export, put
from runtime.tf1.sparse_tensor import SparseTensor
from runtime.tf1.variable_scope import PartitionedVariable

tf: Any = module("")

SPARSE_FEATURE_CROSS_DEFAULT_HASH_KEY = 956888297470
put("contrib.layers.SPARSE_FEATURE_CROSS_DEFAULT_HASH_KEY", SPARSE_FEATURE_CROSS_DEFAULT_HASH_KEY)

# What stands for the values of a row that has none.
EMPTY_TEXT, EMPTY_NUMBER = "6ZxWzWOHxZ", 1288896567


@export("contrib.layers.sparse_feature_cross", "contrib.layers.python.ops.sparse_feature_cross_op.sparse_feature_cross")
def sparse_feature_cross(
    inputs: Any, hashed_output: bool = False, num_buckets: int = 0, name: str | None = None, hash_key: int | None = None
) -> Any:
    """Every combination of a row's features; without a hash key the hash is the older, weaker one."""
    if not isinstance(inputs, list):
        raise TypeError("Inputs must be a list")
    sparse = [s for s in inputs if isinstance(s, SparseTensor)]
    dense = [d for d in inputs if not isinstance(d, SparseTensor)]
    values = [s.values if s.values.dtype is string else tf.cast(s.values, int64) for s in sparse]
    dense = [d if d.dtype is string else tf.cast(d, int64) for d in dense]
    internal = string if all(t.dtype is string for t in (*(s.values for s in sparse), *dense)) else int64
    given: dict[str, Any] = {
        "indices": [s.indices for s in sparse], "values": values, "shapes": [s.dense_shape for s in sparse], "dense": dense, "hashed_output": hashed_output,
        "num_buckets": num_buckets, "out_type": int64 if hashed_output else string, "internal_type": internal,
    }  # fmt: skip
    if hash_key:
        indices, found, shape = apply_op("SparseFeatureCrossV2", name, hash_key=hash_key, **given)
    else:
        indices, found, shape = apply_op("SparseFeatureCross", name, **given)
    return SparseTensor(indices, found, shape)


def _parts(params: Any) -> list[Any]:
    return list(params) if isinstance(params, PartitionedVariable | list) else [params]


@export("contrib.layers.scattered_embedding_lookup")
def scattered_embedding_lookup(params: Any, values: Any, dimension: int, name: str | None = None, hash_key: int | None = None) -> Any:
    """Element d of the embedding of v is the parameter at the hash of (d, v)."""
    if dimension is None:
        raise ValueError("You must specify dimension.")
    if dimension <= 0:
        raise ValueError(f"Dimension must be >0. Given is {dimension}")
    parts = _parts(params)
    with tf.name_scope(name, "scattered_embedding_lookup", [*parts, dimension, values]):
        shape = tf.shape(values)
        values = tf.reshape(values, [-1, 1])
        candidates = tf.tile(tf.expand_dims(tf.range(0, dimension), 0), tf.shape(values))
        sizes = []
        for part in parts:
            part.get_shape().assert_has_rank(1)
            sizes.append(part.get_shape().as_list()[0])
        count = sum(sizes)
        for i, size in enumerate(sizes):
            expected = (count - i - 1) // len(parts) + 1
            if size != expected:
                raise ValueError(f"Tensor {i} in params has size {size}, expected {expected}.")
        ids = sparse_feature_cross([candidates, values], hashed_output=True, num_buckets=count, hash_key=hash_key)
        found = tf.nn.embedding_lookup(parts, tf.sparse_tensor_to_dense(ids), partition_strategy="div")
        return tf.reshape(found, tf.concat([shape, [dimension]], 0))


@export("contrib.layers.scattered_embedding_lookup_sparse")
def scattered_embedding_lookup_sparse(
    params: Any, sparse_values: Any, dimension: int, combiner: str | None = None, default_value: Any = None, name: str | None = None, hash_key: int | None = None
) -> Any:  # fmt: skip
    combiner = combiner or "mean"
    parts = _parts(params)
    if not isinstance(sparse_values, SparseTensor):
        raise TypeError("sparse_values must be SparseTensor")
    with tf.name_scope(name, "scattered_embedding_lookup_sparse", [*parts, sparse_values]) as scope:
        if default_value is None:
            default_value = EMPTY_TEXT if sparse_values.dtype is string else EMPTY_NUMBER
        sparse_values, _ = tf.sparse_fill_empty_rows(sparse_values, default_value)
        segments = tf.cast(sparse_values.indices[:, 0], "int32")
        values, index = tf.unique(sparse_values.values)
        embedded = scattered_embedding_lookup(parts, values, dimension, hash_key=hash_key)
        combine = {"sum": tf.sparse_segment_sum, "mean": tf.sparse_segment_mean, "sqrtn": tf.sparse_segment_sqrt_n}
        if combiner not in combine:
            raise ValueError("Combiner must be one of 'mean', 'sqrtn' or 'sum'.")
        return combine[combiner](embedded, index, segments, name=scope)


@export("contrib.layers.embedding_lookup_sparse_with_distributed_aggregation")
def embedding_lookup_sparse_with_distributed_aggregation(
    params: Any, sp_ids: Any, sp_weights: Any, partition_strategy: str = "mod", name: str | None = None, combiner: str | None = None, max_norm: Any = None
) -> Any:  # fmt: skip
    """tf.nn.embedding_lookup_sparse; on one machine there is nothing to aggregate elsewhere."""
    return tf.nn.embedding_lookup_sparse(params, sp_ids, sp_weights, partition_strategy, name, combiner or "mean", max_norm)
