"""tf.contrib.metrics: streaming metrics of (predictions, labels), which are tf.metrics' with the two in the other order."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from runtime.tf1.modules import module
from runtime.tf1.registry import export, put

tf: Any = module("")

# contrib's name after "streaming_" -> tf.metrics' name. All take predictions first, then labels.
SWAPPED = {
    "accuracy": "accuracy",
    "auc": "auc",
    "false_negatives": "false_negatives",
    "false_negatives_at_thresholds": "false_negatives_at_thresholds",
    "false_positives": "false_positives",
    "false_positives_at_thresholds": "false_positives_at_thresholds",
    "mean_absolute_error": "mean_absolute_error",
    "mean_cosine_distance": "mean_cosine_distance",
    "mean_iou": "mean_iou",
    "mean_relative_error": "mean_relative_error",
    "mean_squared_error": "mean_squared_error",
    "precision": "precision",
    "precision_at_thresholds": "precision_at_thresholds",
    "recall": "recall",
    "recall_at_thresholds": "recall_at_thresholds",
    "root_mean_squared_error": "root_mean_squared_error",
    "sensitivity_at_specificity": "sensitivity_at_specificity",
    "sparse_average_precision_at_k": "average_precision_at_k",
    "sparse_precision_at_k": "precision_at_k",
    "sparse_recall_at_k": "recall_at_k",
    "specificity_at_sensitivity": "specificity_at_sensitivity",
    "true_negatives": "true_negatives",
    "true_negatives_at_thresholds": "true_negatives_at_thresholds",
    "true_positives": "true_positives",
    "true_positives_at_thresholds": "true_positives_at_thresholds",
}
# Those that have no labels.
SAME = {"mean": "mean", "mean_tensor": "mean_tensor", "percentage_less": "percentage_below"}


def _swapped(name: str, target: str) -> Callable[..., Any]:
    def metric(predictions: Any, labels: Any, *args: Any, **kwargs: Any) -> Any:
        function = getattr(tf.metrics, target)
        try:
            order = [p for p in inspect.signature(function).parameters if p not in ("labels", "predictions")]
        except (TypeError, ValueError):
            order = []
        return function(labels=labels, predictions=predictions, **dict(zip(order, args, strict=False)), **kwargs)

    metric.__name__ = f"streaming_{name}"
    return metric


def _same(name: str, target: str) -> Callable[..., Any]:
    def metric(*args: Any, **kwargs: Any) -> Any:
        return getattr(tf.metrics, target)(*args, **kwargs)

    metric.__name__ = f"streaming_{name}"
    return metric


for _table, _make in ((SWAPPED, _swapped), (SAME, _same)):
    for _name, _target in _table.items():
        _metric = _make(_name, _target)
        put(f"contrib.metrics.streaming_{_name}", _metric)
        put(f"contrib.slim.metrics.streaming_{_name}", _metric)


@export("contrib.metrics.accuracy", "contrib.slim.metrics.accuracy")
def accuracy(predictions: Any, labels: Any, weights: Any = None, name: str | None = None) -> Any:
    """The share of a batch that is right."""
    if labels.dtype.base_dtype.name not in ("int8", "int16", "int32", "int64", "uint8", "uint16", "bool", "string"):
        raise ValueError(f"Labels should have bool, integer, or string dtype, not {labels.dtype.name}")
    if labels.dtype != predictions.dtype:
        raise ValueError(
            f"Dtypes of predictions and labels should match. Given: predictions ({predictions.dtype!r}) and labels ({labels.dtype!r})"
        )
    with tf.name_scope(name, "accuracy", values=[predictions, labels]):
        right = tf.cast(tf.equal(predictions, labels), tf.float32)
        if weights is None:
            return tf.reduce_mean(right)
        right = tf.multiply(right, weights)
        present = tf.multiply(weights, tf.ones_like(right))
        return tf.div(tf.reduce_sum(right), tf.reduce_sum(present))


@export("contrib.metrics.aggregate_metrics", "contrib.slim.metrics.aggregate_metrics")
def aggregate_metrics(*value_update_tuples: Any) -> tuple[list[Any], list[Any]]:
    """The values and the update ops of several metrics."""
    if not value_update_tuples:
        raise ValueError("Expected at least one value_tensor/update_op pair")
    values, updates = zip(*value_update_tuples, strict=True)
    return list(values), list(updates)


@export("contrib.metrics.aggregate_metric_map", "contrib.slim.metrics.aggregate_metric_map")
def aggregate_metric_map(names_to_tuples: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return {n: v for n, (v, _) in names_to_tuples.items()}, {n: u for n, (_, u) in names_to_tuples.items()}


@export("contrib.metrics.confusion_matrix", "contrib.slim.metrics.confusion_matrix")
def confusion_matrix(
    labels: Any, predictions: Any, num_classes: Any = None, dtype: Any = "int32", name: str | None = None, weights: Any = None
) -> Any:
    return tf.math.confusion_matrix(
        labels=labels, predictions=predictions, num_classes=num_classes, dtype=tf.as_dtype(dtype), name=name, weights=weights
    )


@export("contrib.metrics.set_difference")
def set_difference(a: Any, b: Any, aminusb: bool = True, validate_indices: bool = True) -> Any:
    return tf.sets.difference(a, b, aminusb, validate_indices)


@export("contrib.metrics.set_intersection")
def set_intersection(a: Any, b: Any, validate_indices: bool = True) -> Any:
    return tf.sets.intersection(a, b, validate_indices)


@export("contrib.metrics.set_size")
def set_size(a: Any, validate_indices: bool = True) -> Any:
    return tf.sets.size(a, validate_indices)


@export("contrib.metrics.set_union")
def set_union(a: Any, b: Any, validate_indices: bool = True) -> Any:
    return tf.sets.union(a, b, validate_indices)
