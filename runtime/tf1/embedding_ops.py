"""Embeddings and sampled losses."""

from __future__ import annotations

import collections
from typing import Any

from runtime.tf1 import array_ops, math_ops, nn_ops
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.random_ops import get_seed
from runtime.tf1.registry import export
from runtime.tf1.variable_scope import PartitionedVariable
from runtime.tf1.variables import Variable


def _near(params: Any) -> Any:
    import contextlib

    return get_default_graph().colocate_with(params.op) if hasattr(params, "op") else contextlib.nullcontext()


def _clip(values: Any, ids: Any, max_norm: Any) -> Any:
    if max_norm is None:
        return values
    from runtime.tf1.clip_ops import clip_by_norm

    known = ids.rank is not None and values.rank is not None
    axes = list(range(ids.rank, values.rank)) if known else math_ops.range(array_ops.rank(ids), array_ops.rank(values))
    return clip_by_norm(values, max_norm, axes=axes)


@export("nn.embedding_lookup")
def embedding_lookup(
    params: Any, ids: Any, partition_strategy: str = "mod", name: str | None = None, validate_indices: bool = True, max_norm: Any = None
) -> Any:
    """The rows `ids` of an embedding that may be split into several tensors."""
    if params is None or (isinstance(params, list | tuple) and not params):
        raise ValueError("Need at least one param")
    if isinstance(params, PartitionedVariable):
        params, partition_strategy = list(params), "div"
    if not isinstance(params, list):
        params = list(params) if isinstance(params, tuple) else [params]
    with name_scope(name, "embedding_lookup", [*params, ids]) as scope:
        params = [p if isinstance(p, Variable) else convert_to_tensor(p, name=f"params_{i}") for i, p in enumerate(params)]
        ids = convert_to_tensor(ids, name="ids")
        if len(params) == 1:
            with _near(params[0]):
                rows = array_ops.gather(params[0], ids, name=scope)
                result = _clip(rows, ids, max_norm)
            return array_ops.identity(result)
        return _partitioned_lookup(params, ids, partition_strategy, max_norm, scope)


def _partitioned_lookup(params: list[Any], ids: Any, strategy: str, max_norm: Any, name: str) -> Any:
    count = len(params)
    flat = array_ops.reshape(ids, [-1])
    positions = math_ops.range(array_ops.size(flat))
    if strategy == "mod":
        assignments = flat % count
        new_ids = math_ops.floordiv(flat, count)
    elif strategy == "div":
        sizes = [p.shape[0].value for p in params]
        total = sum(sizes) if None not in sizes else None
        if total is None:
            raise ValueError("embedding_lookup with partition_strategy='div' needs parameters of known size.")
        per, extras = total // count, total % count
        assignments = (
            math_ops.maximum(math_ops.floordiv(flat, per + 1), math_ops.floordiv(flat - extras, per))
            if per
            else math_ops.floordiv(flat, per + 1)
        )
        new_ids = array_ops.where(assignments < extras, flat % (per + 1), (flat - extras) % max(per, 1))
    else:
        raise ValueError(f"Unrecognized partition strategy: {strategy}")
    assignments = math_ops.cast(assignments, "int32")
    gather_ids = apply_op("DynamicPartition", None, data=new_ids, partitions=assignments, num_partitions=count)
    parts = apply_op("DynamicPartition", None, data=positions, partitions=assignments, num_partitions=count)
    rows = []
    for p, i in zip(params, gather_ids, strict=True):
        with _near(p):
            rows.append(array_ops.gather(p, i))
    result = apply_op("ParallelDynamicStitch", name, indices=parts, data=rows)
    element = params[0].shape[1:]
    shape = array_ops.concat([array_ops.shape(ids), constant(element.as_list(), "int32")], 0)
    result = array_ops.reshape(result, shape)
    result.set_shape(ids.shape.concatenate(element))
    return _clip(result, ids, max_norm)


@export("nn.embedding_lookup_sparse")
def embedding_lookup_sparse(
    params: Any,
    sp_ids: Any,
    sp_weights: Any,
    partition_strategy: str = "mod",
    name: str | None = None,
    combiner: str | None = None,
    max_norm: Any = None,
) -> Any:
    """One row per example: the rows of its ids, weighted and combined."""
    combiner = combiner or "mean"
    if combiner not in ("mean", "sqrtn", "sum"):
        raise ValueError("combiner must be one of 'mean', 'sqrtn' or 'sum'")
    if isinstance(params, PartitionedVariable):
        params = list(params)
    if not isinstance(params, list):
        params = [params]
    with name_scope(name, "embedding_lookup_sparse", [*params, sp_ids.values]) as scope:
        segments = math_ops.cast(sp_ids.indices[:, 0], "int32")
        ids, idx = apply_op("Unique", None, x=sp_ids.values)
        rows = embedding_lookup(params, ids, partition_strategy=partition_strategy, max_norm=max_norm)
        if sp_weights is None:
            op = {"mean": "SparseSegmentMean", "sqrtn": "SparseSegmentSqrtN", "sum": "SparseSegmentSum"}[combiner]
            return apply_op(op, scope, data=rows, indices=idx, segment_ids=segments)
        weights = math_ops.cast(sp_weights.values, rows.dtype)
        rows = array_ops.gather(rows, idx)
        ones = array_ops.fill(array_ops.expand_dims(array_ops.rank(rows) - 1, 0), 1)
        given = weights.dims
        weights = array_ops.reshape(weights, array_ops.concat([array_ops.shape(weights), ones], 0))
        if rows.dims is not None and given is not None:
            weights.set_shape([*given, *[1] * (len(rows.dims) - 1)])
        rows = rows * weights
        if combiner == "sum":
            return apply_op("SegmentSum", scope, data=rows, segment_ids=segments)
        total = apply_op("SegmentSum", None, data=rows, segment_ids=segments)
        weight = apply_op("SegmentSum", None, data=weights if combiner == "mean" else math_ops.pow_(weights, 2), segment_ids=segments)
        if combiner == "sqrtn":
            weight = apply_op("Sqrt", None, x=weight)
        return apply_op("RealDiv", scope, x=total, y=weight)


def _sampler(op_type: str, name: str) -> Any:
    Sampled = collections.namedtuple("Sampled", ["sampled_candidates", "true_expected_count", "sampled_expected_count"])

    def sampler(
        true_classes: Any, num_true: int, num_sampled: int, unique: bool, range_max: int, seed: int | None = None, name: str | None = None
    ) -> Any:
        seeds = get_seed(seed)
        return Sampled(
            *apply_op(
                op_type,
                name,
                true_classes=true_classes,
                num_true=num_true,
                num_sampled=num_sampled,
                unique=unique,
                range_max=range_max,
                seed=seeds[0] or 0,
                seed2=seeds[1] or 0,
            )
        )

    export(f"nn.{name}")(sampler)
    return sampler


uniform_candidate_sampler = _sampler("UniformCandidateSampler", "uniform_candidate_sampler")
log_uniform_candidate_sampler = _sampler("LogUniformCandidateSampler", "log_uniform_candidate_sampler")
learned_unigram_candidate_sampler = _sampler("LearnedUnigramCandidateSampler", "learned_unigram_candidate_sampler")


@export("nn.fixed_unigram_candidate_sampler")
def fixed_unigram_candidate_sampler(
    true_classes: Any, num_true: int, num_sampled: int, unique: bool, range_max: int, vocab_file: str = "", distortion: float = 1.0, num_reserved_ids: int = 0,
    num_shards: int = 1, shard: int = 0, unigrams: Any = (), seed: int | None = None, name: str | None = None,
) -> Any:  # fmt: skip
    first, second = get_seed(seed)
    return apply_op(
        "FixedUnigramCandidateSampler", name, true_classes=true_classes, num_true=num_true, num_sampled=num_sampled, unique=unique, range_max=range_max, vocab_file=vocab_file,
        distortion=distortion, num_reserved_ids=num_reserved_ids, num_shards=num_shards, shard=shard, unigrams=list(unigrams), seed=first or 0, seed2=second or 0,
    )  # fmt: skip


@export("nn.all_candidate_sampler")
def all_candidate_sampler(
    true_classes: Any, num_true: int, num_sampled: int, unique: bool, seed: int | None = None, name: str | None = None
) -> Any:
    first, second = get_seed(seed)
    return apply_op(
        "AllCandidateSampler",
        name,
        true_classes=true_classes,
        num_true=num_true,
        num_sampled=num_sampled,
        unique=unique,
        seed=first or 0,
        seed2=second or 0,
    )


@export("nn.compute_accidental_hits")
def compute_accidental_hits(
    true_classes: Any, sampled_candidates: Any, num_true: int, seed: int | None = None, name: str | None = None
) -> Any:
    first, second = get_seed(seed)
    return apply_op(
        "ComputeAccidentalHits",
        name,
        true_classes=true_classes,
        sampled_candidates=sampled_candidates,
        num_true=num_true,
        seed=first or 0,
        seed2=second or 0,
    )


def _sampled_logits(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int, num_true: int, sampled_values: Any, subtract_log_q: bool,
    remove_accidental_hits: bool, partition_strategy: str, name: str | None, seed: int | None,
) -> tuple[Any, Any]:  # fmt: skip
    """(logits, labels) of the true classes and of sampled ones."""
    if isinstance(weights, PartitionedVariable):
        weights = list(weights)
    if not isinstance(weights, list):
        weights = [weights]
    with name_scope(name, "compute_sampled_logits", [*weights, biases, inputs, labels]):
        labels = math_ops.cast(convert_to_tensor(labels), "int64")
        labels_flat = array_ops.reshape(labels, [-1])
        if sampled_values is None:
            sampled_values = log_uniform_candidate_sampler(
                true_classes=labels, num_true=num_true, num_sampled=num_sampled, unique=True, range_max=num_classes, seed=seed
            )
        sampled, true_count, sampled_count = (array_ops.stop_gradient(s) for s in sampled_values)
        sampled = math_ops.cast(sampled, "int64")
        all_ids = array_ops.concat([labels_flat, sampled], 0)
        all_w = embedding_lookup(weights, all_ids, partition_strategy=partition_strategy)
        true_w = array_ops.slice_(all_w, [0, 0], array_ops.stack([array_ops._slice_helper(array_ops.shape(labels_flat), 0), -1]))
        sampled_w = array_ops.slice_(all_w, array_ops.stack([array_ops._slice_helper(array_ops.shape(labels_flat), 0), 0]), [-1, -1])
        sampled_logits = math_ops.matmul(inputs, sampled_w, transpose_b=True)
        all_b = embedding_lookup(biases, all_ids, partition_strategy=partition_strategy)
        true_b = array_ops.slice_(all_b, [0], array_ops.shape(labels_flat))
        sampled_b = array_ops.slice_(all_b, array_ops.shape(labels_flat), [-1])
        dim = array_ops._slice_helper(array_ops.shape(true_w), slice(1, 2))
        new_shape = array_ops.concat([[-1, num_true], dim], 0)
        row_wise = math_ops.multiply(array_ops.expand_dims(inputs, 1), array_ops.reshape(true_w, new_shape))
        dots = array_ops.reshape(row_wise, array_ops.concat([[-1], dim], 0))
        true_logits = array_ops.reshape(_sum_rows(dots), [-1, num_true])
        true_b = array_ops.reshape(true_b, [-1, num_true])
        true_logits += true_b
        sampled_logits += sampled_b
        if remove_accidental_hits:
            indices, ids, hit_weights = compute_accidental_hits(labels, sampled, num_true=num_true)
            indices_2d = array_ops.reshape(indices, [-1, 1])
            ids_2d = array_ops.reshape(math_ops.cast(ids, "int32"), [-1, 1])
            sparse = array_ops.concat([indices_2d, ids_2d], 1, name="sparse_indices")
            dense_shape = array_ops.concat(
                [array_ops._slice_helper(array_ops.shape(labels), slice(None, 1)), array_ops.expand_dims(num_sampled, 0)], 0
            )
            if sampled_logits.dtype is not hit_weights.dtype:
                hit_weights = math_ops.cast(hit_weights, sampled_logits.dtype)
            sampled_logits += apply_op(
                "SparseToDense",
                None,
                sparse_indices=sparse,
                output_shape=dense_shape,
                sparse_values=hit_weights,
                default_value=0.0,
                validate_indices=False,
            )
        if subtract_log_q:
            true_logits -= apply_op("Log", None, x=true_count)
            sampled_logits -= apply_op("Log", None, x=sampled_count)
        logits = array_ops.concat([true_logits, sampled_logits], 1)
        targets = array_ops.concat([array_ops.ones_like(true_logits) / num_true, array_ops.zeros_like(sampled_logits)], 1)
        return logits, targets


def _sum_rows(x: Any) -> Any:
    """The sum of each row, by a product with ones."""
    columns = array_ops._slice_helper(array_ops.shape(x), 1)
    ones = array_ops.ones(array_ops.stack([columns, 1]), x.dtype)
    return array_ops.reshape(math_ops.matmul(x, ones), [-1])


@export("nn.nce_loss")
def nce_loss(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int, num_true: int = 1, sampled_values: Any = None,
    remove_accidental_hits: bool = False, partition_strategy: str = "mod", name: str = "nce_loss",
) -> Any:  # fmt: skip
    logits, targets = _sampled_logits(
        weights,
        biases,
        labels,
        inputs,
        num_sampled,
        num_classes,
        num_true,
        sampled_values,
        True,
        remove_accidental_hits,
        partition_strategy,
        name,
        None,
    )
    losses = nn_ops.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits, name="sampled_losses")
    return _sum_rows(losses)


@export("nn.sampled_softmax_loss")
def sampled_softmax_loss(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int, num_true: int = 1, sampled_values: Any = None,
    remove_accidental_hits: bool = True, partition_strategy: str = "mod", name: str = "sampled_softmax_loss", seed: int | None = None,
) -> Any:  # fmt: skip
    logits, targets = _sampled_logits(
        weights,
        biases,
        labels,
        inputs,
        num_sampled,
        num_classes,
        num_true,
        sampled_values,
        True,
        remove_accidental_hits,
        partition_strategy,
        name,
        seed,
    )
    targets = array_ops.stop_gradient(targets, name="labels_stop_gradient")
    return nn_ops.softmax_cross_entropy_with_logits_v2(labels=targets, logits=logits)
