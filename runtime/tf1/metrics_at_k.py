"""tf.metrics of the k best predictions: precision, recall and average precision at k."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools.dtypes import float64, int64
from runtime.tf1 import array_ops, math_ops, nn_ops, state_ops
from runtime.tf1.control_flow import cond
from runtime.tf1.graph import apply_op, get_default_graph, name_scope
from runtime.tf1.losses import div_no_nan
from runtime.tf1.metrics import collect, metric_variable
from runtime.tf1.modules import lookup
from runtime.tf1.registry import export
from runtime.tf1.sparse_tensor import SparseTensor
from runtime.tf1.weights_broadcast_ops import assert_broadcastable, broadcast_weights


def _as_tensor(x: Any) -> Any:
    return lookup("convert_to_tensor_or_sparse_tensor")(x)


def _is_sparse(x: Any) -> bool:
    return isinstance(x, SparseTensor)


def _at_k_name(name: str, k: int | None = None, class_id: int | None = None) -> str:
    name = f"{name}_at_{k}" if k is not None else f"{name}_at_k"
    return name if class_id is None else f"{name}_class{class_id}"


def _expanded(labels: Any, predictions: Any) -> Any:
    """Labels with one value per row as rows of one value."""
    with name_scope(None, "expand_labels", [labels, predictions]) as scope:
        labels = _as_tensor(labels)
        if _is_sparse(labels):
            one_more = math_ops.equal(array_ops.rank(predictions), array_ops.size(labels.dense_shape) + 1)

            def reshaped() -> Any:
                return lookup("sparse_reshape")(labels, shape=array_ops.concat((labels.dense_shape, (1,)), 0), name=scope)

            return cond(one_more, reshaped, lambda: labels)
        if labels.rank is not None and predictions.rank is not None:
            if predictions.rank == labels.rank:
                return labels
            if predictions.rank == labels.rank + 1:
                return array_ops.expand_dims(labels, -1, name=scope)
            raise ValueError(f"Unexpected labels shape {labels.get_shape()} for predictions shape {predictions.get_shape()}.")
        one_more = math_ops.equal(array_ops.rank(predictions), array_ops.rank(labels) + 1)
        return cond(one_more, lambda: array_ops.expand_dims(labels, -1, name=scope), lambda: labels)


def _of_class(ids: Any, class_id: int | None) -> Any:
    """Only the ids of one class."""
    if class_id is None:
        return ids
    ids = _as_tensor(ids)
    if _is_sparse(ids):
        return lookup("sparse_retain")(ids, math_ops.equal(ids.values, class_id))
    shape = array_ops.shape(ids, out_type=int64)
    rows = array_ops.concat([shape[:-1], math_ops.cast([1], int64)], 0)
    filled = array_ops.fill(rows, math_ops.cast(class_id, int64))
    found = lookup("sets.set_intersection")(filled, ids)
    return SparseTensor(found.indices, found.values, shape)


def _matches(kind: str, labels: Any, predictions: Any, class_id: int | None, weights: Any, name: str | None = None) -> Any:
    """How many ids of each row are right (true positives), wrong (false positives) or missing (false negatives)."""
    with name_scope(name, kind, [predictions, labels, weights]):
        labels, predictions = _of_class(labels, class_id), _of_class(predictions, class_id)
        if kind == "true_positives":
            ids = lookup("sets.set_intersection")(predictions, labels)
        else:
            ids = lookup("sets.set_difference")(predictions, labels, aminusb=kind == "false_positives")
        counts = math_ops.cast(lookup("sets.set_size")(ids), float64)
        if weights is not None:
            with get_default_graph().control_dependencies([assert_broadcastable(weights, counts)]):
                counts = math_ops.multiply(counts, math_ops.cast(weights, float64))
        return counts


def _counter(kind: str, labels: Any, predictions: Any, k: int | None, class_id: int | None, weights: Any) -> tuple[Any, Any]:
    with name_scope(None, _at_k_name(kind.removesuffix("s"), k, class_id), [predictions, labels, weights]) as scope:
        batch = math_ops.cast(math_ops.reduce_sum(_matches(kind, labels, predictions, class_id, weights)), float64)
        total = metric_variable([], float64, name=scope)
        return total, state_ops.assign_add(total, batch, name="update")


def _share(
    label: str, other: str, labels: Any, predictions: Any, k: Any, class_id: Any, weights: Any, metrics: Any, updates: Any, name: Any
) -> Any:
    with name_scope(name, _at_k_name(label, k, class_id), [predictions, labels, weights]) as scope:
        labels = _expanded(labels, predictions)
        ids = math_ops.cast(predictions, int64)
        right, add_right = _counter("true_positives", labels, ids, k, class_id, weights)
        wrong, add_wrong = _counter(other, labels, ids, k, class_id, weights)
        value = collect(metrics, math_ops.div(right, math_ops.add(right, wrong), name=scope))
        return value, collect(updates, math_ops.div(add_right, math_ops.add(add_right, add_wrong), name="update"))


@export("metrics.precision_at_top_k")
def precision_at_top_k(
    labels: Any, predictions_idx: Any, k: int | None = None, class_id: int | None = None, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    return _share(
        "precision", "false_positives", labels, predictions_idx, k, class_id, weights, metrics_collections, updates_collections, name
    )


@export("metrics.recall_at_top_k")
def recall_at_top_k(
    labels: Any, predictions_idx: Any, k: int | None = None, class_id: int | None = None, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    return _share(
        "recall", "false_negatives", labels, predictions_idx, k, class_id, weights, metrics_collections, updates_collections, name
    )


@export("metrics.precision_at_k")
def precision_at_k(
    labels: Any, predictions: Any, k: int, class_id: int | None = None, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    with name_scope(name, _at_k_name("precision", k, class_id), [predictions, labels, weights]) as scope:
        _, best = nn_ops.top_k(predictions, k)
        return precision_at_top_k(labels, best, k, class_id, weights, metrics_collections, updates_collections, scope)


@export("metrics.sparse_precision_at_k")
def sparse_precision_at_k(
    labels: Any, predictions: Any, k: int, class_id: int | None = None, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    return precision_at_k(labels, predictions, k, class_id, weights, metrics_collections, updates_collections, name)


@export("metrics.recall_at_k")
def recall_at_k(
    labels: Any, predictions: Any, k: int, class_id: int | None = None, weights: Any = None, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    with name_scope(name, _at_k_name("recall", k, class_id), [predictions, labels, weights]) as scope:
        _, best = nn_ops.top_k(predictions, k)
        return recall_at_top_k(labels, best, k, class_id, weights, metrics_collections, updates_collections, scope)


def _repeated(tensor: Any, multiple: int, name: str) -> Any:
    """The tensor with a new axis before its last, of `multiple` copies."""
    with name_scope(name, "expand_and_tile", [tensor]) as scope:
        tensor = _as_tensor(tensor)
        if _is_sparse(tensor):
            last = array_ops.reshape(array_ops.size(tensor.dense_shape) - 1, [1])
            before, after = array_ops.slice_(tensor.dense_shape, [0], last), array_ops.slice_(tensor.dense_shape, last, [-1])
            expanded = lookup("sparse_reshape")(
                tensor, shape=array_ops.concat((before, [1], after), 0, name="expanded_shape"), name="expand"
            )
            return expanded if multiple == 1 else lookup("sparse_concat")(-2, [expanded] * multiple, name=scope)
        expanded = array_ops.expand_dims(tensor, -2, name="expand")
        if multiple == 1:
            return expanded
        ones = array_ops.ones_like(array_ops.shape(tensor))
        return apply_op("Tile", scope, input=expanded, multiples=array_ops.concat((ones[:-1], (multiple,), ones[-1:]), 0, name="multiples"))


def _relevant(labels: Any, k: int) -> Any:
    with name_scope(None, "num_relevant", [labels]) as scope:
        labels = _as_tensor(labels)
        if _is_sparse(labels):
            return math_ops.minimum(lookup("sets.set_size")(labels), k, name=scope)
        valid = lookup("where_v2")(math_ops.greater_equal(labels, 0), array_ops.ones_like(labels), array_ops.zeros_like(labels))
        return math_ops.minimum(math_ops.reduce_sum(valid, axis=-1), k, name=scope)


def _average_precision(labels: Any, ids: Any) -> Any:
    """The mean of the precisions at each rank where a prediction is right."""
    with name_scope(None, "average_precision", [ids, labels]) as scope:
        ids = math_ops.cast(ids, int64, name="predictions_idx")
        k = ids.dims[-1] if ids.dims else None
        if k is None:
            raise ValueError("The last dimension of predictions_idx must be set.")
        labels = _expanded(labels, ids)
        by_rank = array_ops.expand_dims(ids, -1, name="predictions_idx_per_k")
        relevant = _matches("true_positives", _repeated(labels, k, "labels_per_k"), by_rank, None, None, name="relevant_per_k")
        right = math_ops.cumsum(relevant, axis=-1, name="tp_per_k")
        retrieved = math_ops.cumsum(array_ops.ones_like(relevant), axis=-1, name="retrieved_per_k")
        precision = math_ops.div(math_ops.cast(right, float64), math_ops.cast(retrieved, float64), name="precision_per_k")
        counted = math_ops.multiply(precision, math_ops.cast(relevant, float64), name="relevant_precision_per_k")
        total = math_ops.reduce_sum(counted, axis=(-1,), name="precision_sum")
        return math_ops.div(total, math_ops.cast(_relevant(labels, k), float64), name=scope)


@export("metrics.average_precision_at_k")
def average_precision_at_k(
    labels: Any,
    predictions: Any,
    k: int,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Any:
    if k < 1:
        raise ValueError(f"Invalid k={k}.")
    with name_scope(name, _at_k_name("average_precision", k), [predictions, labels, weights]) as outer:
        _, best = nn_ops.top_k(predictions, k)
        labels = _in_range(_as_tensor(labels), math_ops.cast(array_ops.shape(predictions)[-1], int64))
        with name_scope(outer, "average_precision_at_top_k", [best, labels, weights]) as scope:
            average = _average_precision(labels, best)
            if weights is not None:
                weights = broadcast_weights(math_ops.cast(weights, float64), average)
                average = math_ops.multiply(average, weights)
            with name_scope(None, "max", [average]) as inner:
                most = metric_variable([], float64, name=inner)
                if weights is None:
                    batch = math_ops.cast(array_ops.size(average, name="batch_max"), float64)
                else:
                    batch = math_ops.reduce_sum(weights, name="batch_max")
                add_most = state_ops.assign_add(most, batch, name="update")
            with name_scope(None, "total", [average]) as inner:
                total = metric_variable([], float64, name=inner)
                add_total = state_ops.assign_add(total, math_ops.reduce_sum(average, name="batch_total"), name="update")
            value = collect(metrics_collections, div_no_nan(total, most, name="mean"))
            return value, collect(updates_collections, div_no_nan(add_total, add_most, name=scope))


@export("metrics.sparse_average_precision_at_k")
def sparse_average_precision_at_k(
    labels: Any,
    predictions: Any,
    k: int,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Any:
    return average_precision_at_k(labels, predictions, k, weights, metrics_collections, updates_collections, name)


def _in_range(labels: Any, num_classes: Any) -> Any:
    """Labels, those that are no class replaced by -1."""
    values = labels.values if _is_sparse(labels) else labels

    def cleaned() -> Any:
        valid = lookup("where_v2")(math_ops.greater_equal(values, num_classes), -1 * array_ops.ones_like(values), values)
        return SparseTensor(labels.indices, valid, labels.dense_shape) if _is_sparse(labels) else valid

    num_classes = math_ops.cast(num_classes, np.dtype(values.dtype.as_numpy_dtype).name)
    return cond(math_ops.greater_equal(math_ops.reduce_max(values), num_classes), cleaned, lambda: labels)
