"""tf.contrib.metrics that tf.metrics has not: rates, covariance, concatenation, and curves."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from typing import Any

from runtime.tf1.graph import apply_op
from runtime.tf1.metrics import _JUST, _at_thresholds, _fitted, _spread, collect, metric_variable
from runtime.tf1.metrics_at_k import _at_k_name
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.weights_broadcast_ops import broadcast_weights

tf: Any = module("")


def _metric(name: str) -> Callable[[Any], Any]:
    return export(f"contrib.metrics.{name}", f"contrib.slim.metrics.{name}")


# -- rates -----------------------------------------------------------------------------------------------------------------


def _rate(label: str, wrong: str, right: str) -> Any:
    def metric(
        predictions: Any,
        labels: Any,
        weights: Any = None,
        metrics_collections: Any = None,
        updates_collections: Any = None,
        name: str | None = None,
    ) -> Any:
        with tf.variable_scope(name, label, [predictions, labels, weights]):
            predictions, labels, weights = _fitted(tf.cast(predictions, "bool"), tf.cast(labels, "bool"), weights)
            first, first_update = getattr(tf.metrics, wrong)(labels=labels, predictions=predictions, weights=weights)
            second, second_update = getattr(tf.metrics, right)(labels=labels, predictions=predictions, weights=weights)

            def share(a: Any, b: Any, name: str) -> Any:
                return tf.where(tf.greater(a + b, 0), tf.div(a, a + b), 0, name)

            value = share(first, second, "value")
            return collect(metrics_collections, value), collect(updates_collections, share(first_update, second_update, "update_op"))

    metric.__name__ = f"streaming_{label}"
    return _metric(metric.__name__)(metric)


streaming_false_positive_rate = _rate("false_positive_rate", "false_positives", "true_negatives")
streaming_false_negative_rate = _rate("false_negative_rate", "false_negatives", "true_positives")


def _rate_at_thresholds(label: str, short: str, wrong: str, right: str) -> Any:
    def metric(
        predictions: Any, labels: Any, thresholds: Any, weights: Any = None, metrics_collections: Any = None, updates_collections: Any = None,
        name: str | None = None,
    ) -> Any:  # fmt: skip
        with tf.variable_scope(name, f"{label}_at_thresholds", [predictions, labels, weights]):
            values, updates = _at_thresholds(labels, predictions, thresholds, weights, (wrong, right), checked=False)

            def share(counts: Any, name: str) -> Any:
                return tf.div(counts[wrong], _JUST + counts[wrong] + counts[right], name=f"{short}_{name}")

            value = share(values, "value")
            return collect(metrics_collections, value), collect(updates_collections, share(updates, "update_op"))

    metric.__name__ = f"streaming_{label}_at_thresholds"
    return _metric(metric.__name__)(metric)


streaming_false_positive_rate_at_thresholds = _rate_at_thresholds("false_positive_rate", "fpr", "fp", "tn")
streaming_false_negative_rate_at_thresholds = _rate_at_thresholds("false_negative_rate", "fnr", "fn", "tp")


# -- at thresholds ---------------------------------------------------------------------------------------------------------


@_metric("f1_score")
def f1_score(
    labels: Any, predictions: Any, weights: Any = None, num_thresholds: int = 200, metrics_collections: Any = None, updates_collections: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """The best F1 of all thresholds."""
    with tf.variable_scope(name, "f1", [labels, predictions, weights]):
        predictions, labels, weights = _fitted(predictions, labels, weights)
        values, updates = _at_thresholds(labels, predictions, _spread(num_thresholds), weights, ("tp", "fp", "fn"))

        def best(c: Any, name: str) -> Any:
            precision = tf.div(c["tp"], _JUST + c["tp"] + c["fp"], name=f"precision_{name}")
            recall = tf.div(c["tp"], _JUST + c["tp"] + c["fn"], name=f"recall_{name}")
            return tf.reduce_max(2.0 * precision * recall / (precision + recall + _JUST))

        value = collect(metrics_collections, best(values, "value"))
        return value, collect(updates_collections, best(updates, "update"))


@_metric("precision_at_recall")
def precision_at_recall(
    labels: Any, predictions: Any, target_recall: float, weights: Any = None, num_thresholds: int = 200, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    if target_recall < 0 or target_recall > 1:
        raise ValueError("`target_recall` must be in the range [0, 1].")
    with tf.variable_scope(name, "precision_at_recall", [predictions, labels, weights]):
        values, updates = _at_thresholds(labels, predictions, _spread(num_thresholds), weights, checked=False)

        def precision(c: Any, name: str) -> Any:
            recalls = tf.div(c["tp"], c["tp"] + c["fn"] + _JUST)
            at = tf.reduce_sum(tf.cast(tf.greater_equal(recalls, target_recall), "int64")) - 1
            return tf.div(c["tp"][at] + _JUST, c["tp"][at] + c["fp"][at] + _JUST, name)

        value = precision(values, "value")
        return collect(metrics_collections, value), collect(updates_collections, precision(updates, "update_op"))


@_metric("recall_at_precision")
def recall_at_precision(
    labels: Any, predictions: Any, precision: float, weights: Any = None, num_thresholds: int = 200, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None, strict_mode: bool = False,
) -> Any:  # fmt: skip
    if not 0 <= precision <= 1:
        raise ValueError("`precision` must be in the range [0, 1].")
    with tf.variable_scope(name, "recall_at_precision", [predictions, labels, weights]):
        thresholds = [0.0 - _JUST, *(i * 1.0 / (num_thresholds - 1) for i in range(1, num_thresholds - 1)), 1.0 + _JUST]
        values, updates = _at_thresholds(labels, predictions, thresholds, weights, checked=False)

        def recall(c: Any, name: str) -> Any:
            precisions = tf.div(c["tp"], c["tp"] + c["fp"] + _JUST)
            if not strict_mode:
                at = tf.argmin(tf.abs(precisions - precision), 0, output_type="int32")
                return tf.div(c["tp"][at], c["tp"][at] + c["fn"][at] + _JUST, name)
            at = tf.argmax(tf.div(1.0, precisions - precision + _JUST), 0, output_type="int32")
            return tf.cond(
                precisions[at] >= precision, lambda: tf.div(c["tp"][at], c["tp"][at] + c["fn"][at] + _JUST, name), lambda: tf.constant(0.0)
            )

        value = recall(values, "value")
        return collect(metrics_collections, value), collect(updates_collections, recall(updates, "update_op"))


PrecisionRecallData = namedtuple("PrecisionRecallData", ["tp", "fp", "tn", "fn", "precision", "recall", "thresholds"])


@_metric("precision_recall_at_equal_thresholds")
def precision_recall_at_equal_thresholds(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    num_thresholds: int | None = None,
    use_locking: bool | None = None,
    name: str | None = None,
) -> Any:
    """Counts, precision and recall at thresholds with equal distances."""
    count = 201 if num_thresholds is None else num_thresholds
    weights = 1.0 if weights is None else weights
    tf.assert_type(labels, tf.bool)
    with tf.variable_scope(name, "precision_recall_at_equal_thresholds", [labels, predictions, weights]):
        message = "predictions must be in [0, 1]"
        low = tf.assert_greater_equal(predictions, tf.cast(0.0, predictions.dtype), message=message)
        high = tf.assert_less_equal(predictions, tf.cast(1.0, predictions.dtype), message=message)
        with tf.control_dependencies([low, high]):
            predictions, labels, weights = _fitted(predictions, labels, weights)
        wide = tf.float64
        positive = tf.cast(labels, wide)
        weights = tf.cast(weights, wide)
        true, false = positive * weights, (1.0 - positive) * weights
        predictions, true, false = (tf.reshape(t, [-1]) for t in (predictions, true, false))
        buckets = tf.cast(tf.floor(predictions * (count - 1)), "int32")
        with tf.name_scope("variables"):
            tp_buckets = metric_variable([count], wide, name="tp_buckets")
            fp_buckets = metric_variable([count], wide, name="fp_buckets")
        locking = True if use_locking is None else use_locking
        with tf.name_scope("update_op"):
            update_tp = tf.scatter_add(tp_buckets, buckets, true, use_locking=locking)
            update_fp = tf.scatter_add(fp_buckets, buckets, false, use_locking=locking)
        tp = tf.cumsum(tp_buckets, reverse=True, name="tp")
        fp = tf.cumsum(fp_buckets, reverse=True, name="fp")
        tn, fn = fp[0] - fp, tp[0] - tp
        epsilon = tf.convert_to_tensor(1e-7, dtype=wide)
        precision = tp / tf.maximum(epsilon, tp + fp)
        recall = tp / tf.maximum(epsilon, tp + fn)
        found = [tf.cast(t, predictions.dtype) for t in (tp, fp, tn, fn, precision, recall, tf.lin_space(0.0, 1.0, count))]
        return PrecisionRecallData(*found), tf.group(update_tp, update_fp)


@_metric("streaming_curve_points")
def streaming_curve_points(
    labels: Any = None, predictions: Any = None, weights: Any = None, num_thresholds: int = 200, metrics_collections: Any = None,
    updates_collections: Any = None, curve: str = "ROC", name: str | None = None,
) -> Any:  # fmt: skip
    """The points of the ROC or PR curve."""
    with tf.variable_scope(name, "curve_points", [labels, predictions, weights]):
        if curve not in ("ROC", "PR"):
            raise ValueError(f"curve must be either ROC or PR, {curve} unknown")
        c, updates = _at_thresholds(labels, predictions, _spread(num_thresholds), weights, checked=False)
        epsilon = 1e-6
        recall = tf.div(c["tp"] + epsilon, c["tp"] + c["fn"] + epsilon)
        if curve == "ROC":
            xs, ys = tf.div(c["fp"], c["fp"] + c["tn"] + epsilon), recall
        else:
            xs, ys = recall, tf.div(c["tp"] + epsilon, c["tp"] + c["fp"] + epsilon)
        points = tf.stack([xs, ys], axis=1)
        return collect(metrics_collections, points), collect(updates_collections, tf.group(*updates.values()))


# -- moments ---------------------------------------------------------------------------------------------------------------


@_metric("streaming_covariance")
def streaming_covariance(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Any:
    """The covariance, updated batch by batch with the difference of the means."""
    with tf.variable_scope(name, "covariance", [predictions, labels, weights]):
        predictions, labels, weights = _fitted(predictions, labels, weights)
        count = metric_variable([], tf.float32, name="count")
        mean_x = metric_variable([], tf.float32, name="mean_prediction")
        mean_y = metric_variable([], tf.float32, name="mean_label")
        comoment = metric_variable([], tf.float32, name="comoment")
        if weights is None:
            here, xs, ys = tf.cast(tf.size(labels), "float32"), predictions, labels
        else:
            weights = broadcast_weights(weights, labels)
            here = tf.reduce_sum(weights)
            xs, ys = tf.multiply(predictions, weights), tf.multiply(labels, weights)
        update_count = tf.assign_add(count, here)
        before = update_count - here

        def update(values: Any, mean: Any) -> tuple[Any, Any]:
            batch = tf.div_no_nan(tf.reduce_sum(values), here)
            delta = tf.div_no_nan((batch - mean) * here, update_count)
            return batch, tf.assign_add(mean, delta) - delta

        batch_x, previous_x = update(xs, mean_x)
        batch_y, previous_y = update(ys, mean_y)
        products = (predictions - batch_x) * (labels - batch_y)
        batch_comoment = tf.reduce_sum(products if weights is None else products * weights)
        delta = batch_comoment + (previous_x - batch_x) * (previous_y - batch_y) * (before * here / update_count)
        update_comoment = tf.assign_add(comoment, delta)
        value = tf.where(tf.less_equal(count, 1.0), float("nan"), tf.truediv(comoment, count - 1), name="covariance")
        with tf.control_dependencies([update_comoment]):
            update_op = tf.where(tf.less_equal(count, 1.0), float("nan"), tf.truediv(comoment, count - 1), name="update_op")
    return collect(metrics_collections, value), collect(updates_collections, update_op)


@_metric("streaming_pearson_correlation")
def streaming_pearson_correlation(
    predictions: Any,
    labels: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Any:
    with tf.variable_scope(name, "pearson_r", [predictions, labels, weights]):
        predictions, labels, weights = _fitted(predictions, labels, weights)
        if weights is not None:
            weights = broadcast_weights(weights, labels)
        cov, update_cov = streaming_covariance(predictions, labels, weights=weights, name="covariance")
        var_x, update_x = streaming_covariance(predictions, predictions, weights=weights, name="variance_predictions")
        var_y, update_y = streaming_covariance(labels, labels, weights=weights, name="variance_labels")
        value = tf.truediv(cov, tf.multiply(tf.sqrt(var_x), tf.sqrt(var_y)), name="pearson_r")
        update_op = tf.truediv(update_cov, tf.multiply(tf.sqrt(update_x), tf.sqrt(update_y)), name="update_op")
    return collect(metrics_collections, value), collect(updates_collections, update_op)


@_metric("count")
def count(
    values: Any, weights: Any = None, metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None
) -> Any:
    """How many values there were, or the sum of their weights."""
    with tf.variable_scope(name, "count", [values, weights]):
        total = metric_variable([], tf.float32, name="count")
        if weights is None:
            here = tf.cast(tf.size(values), "float32")
        else:
            values, _, weights = _fitted(tf.cast(values, "float32"), None, weights)
            here = tf.reduce_sum(broadcast_weights(tf.cast(weights, "float32"), values))
        with tf.control_dependencies([values]):
            update_op = tf.assign_add(total, here)
        return collect(metrics_collections, tf.identity(total)), collect(updates_collections, update_op)


@_metric("cohen_kappa")
def cohen_kappa(
    labels: Any, predictions_idx: Any, num_classes: int, weights: Any = None, metrics_collections: Any = None, updates_collections: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """How much labels and predictions agree beyond chance."""
    if num_classes < 2:
        raise ValueError(f"`num_classes` must be >= 2.Found: {num_classes}")
    with tf.variable_scope(name, "cohen_kappa", [labels, predictions_idx, weights]):
        if labels.get_shape().with_rank_at_most(2).ndims == 2:
            labels = tf.squeeze(labels, axis=[-1])
        predictions, labels, weights = _fitted(predictions_idx, labels, weights)
        dtype = tf.int64 if weights is None or weights.dtype.is_integer else tf.float32
        variables = [metric_variable((num_classes,), dtype, name=n) for n in ("po", "pe_row", "pe_col")]
        table = tf.confusion_matrix(labels, predictions, num_classes=num_classes, weights=weights, dtype=dtype, name="counts_in_table")
        sums = [tf.diag_part(table), tf.reduce_sum(table, axis=0), tf.reduce_sum(table, axis=1)]
        updates = [tf.assign_add(v, s) for v, s in zip(variables, sums, strict=True)]

        def kappa(po: Any, rows: Any, columns: Any, name: str) -> Any:
            agreed, total = tf.reduce_sum(po), tf.reduce_sum(rows)
            chance = tf.reduce_sum(tf.div_no_nan(tf.cast(rows * columns, "float64"), tf.cast(total, "float64")))
            agreed, chance, total = tf.cast(agreed, "float64"), tf.cast(chance, "float64"), tf.cast(total, "float64")
            return tf.div_no_nan(agreed - chance, total - chance, name=name)

        value = kappa(*variables, "value")
        return collect(metrics_collections, value), collect(updates_collections, kappa(*updates, "update_op"))


# -- all values ------------------------------------------------------------------------------------------------------------


@_metric("streaming_concat")
def streaming_concat(
    values: Any,
    axis: int = 0,
    max_size: int | None = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Any:
    """All values so far, one after the other, in a variable that grows by half when it is full."""
    with tf.variable_scope(name, "streaming_concat", [values]):
        given = values.get_shape()
        if given.dims is None:
            raise ValueError("`values` must have known statically known rank")
        rank = len(given)
        axis = axis + rank if axis < 0 else axis
        if not 0 <= axis < rank:
            raise ValueError(f"axis = {axis} not in [0, {rank})")
        fixed = [d for n, d in enumerate(given.as_list()) if n != axis]
        if None in fixed:
            raise ValueError("all dimensions of `values` other than the dimension to concatenate along must have statically known size")
        array = metric_variable([max_size or 0, *fixed], values.dtype, validate_shape=False, name="array")
        size = metric_variable([], tf.int32, name="size")
        used = array[:size]
        used.set_shape([None, *fixed])
        value = tf.transpose(used, [0 if n == axis else n + 1 if n < axis else n for n in range(rank)], name="concat")
        here = tf.shape(values)[axis]
        if max_size is not None:
            here = tf.minimum(here, max_size - size)
        batch = tf.transpose(values, [axis, *(n for n in range(rank) if n != axis)])[:here]
        new_size = size + here

        def grow() -> Any:
            exponent = tf.ceil(tf.log(tf.cast(new_size, "float32")) / tf.log(tf.cast(1.5, "float32")))
            next_size = tf.cast(tf.ceil(1.5**exponent), "int32")
            bigger = tf.zeros(tf.stack([next_size, *fixed]), dtype=values.dtype)
            old = array.value()
            with tf.control_dependencies([old]):
                assigned = tf.assign(array, bigger, validate_shape=False)
            with tf.control_dependencies([assigned]):
                copied = array[:size].assign(old[:size])
            with tf.control_dependencies([copied]):
                return tf.no_op()

        room = apply_op("Shape", None, input=array)[0]  # asked for when it runs: the array grows
        grown = tf.cond(new_size > room, grow, tf.no_op)
        with tf.control_dependencies([grown]):
            appended = array[size:new_size].assign(batch)
        with tf.control_dependencies([appended]):
            update_op = size.assign(new_size)
        return collect(metrics_collections, value), collect(updates_collections, update_op)


# -- at k ------------------------------------------------------------------------------------------------------------------


@_metric("streaming_recall_at_k")
def streaming_recall_at_k(
    predictions: Any,
    labels: Any,
    k: int,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Any:
    hits = tf.cast(tf.nn.in_top_k(predictions, labels, k), "float32")
    return tf.metrics.mean(hits, weights, metrics_collections, updates_collections, name or _at_k_name("recall", k))


def _at_top_k(kind: str, order: str) -> Any:
    def metric(first: Any, second: Any, class_id: Any = None, weights: Any = None, metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None) -> Any:  # fmt: skip
        predictions, labels = (first, second) if order == "predictions" else (second, first)
        with tf.name_scope(name, _at_k_name(kind, class_id=class_id), [predictions, labels, weights]) as scope:
            return getattr(tf.metrics, f"{kind}_at_top_k")(
                labels=labels, predictions_idx=predictions, class_id=class_id, weights=weights, metrics_collections=metrics_collections,
                updates_collections=updates_collections, name=scope,
            )  # fmt: skip

    return metric


_precision_at_top_k, _recall_at_top_k = _at_top_k("precision", "predictions"), _at_top_k("recall", "labels")


@_metric("streaming_sparse_precision_at_top_k")
def streaming_sparse_precision_at_top_k(
    top_k_predictions: Any, labels: Any, class_id: Any = None, weights: Any = None, metrics_collections: Any = None, updates_collections: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    return _precision_at_top_k(top_k_predictions, labels, class_id, weights, metrics_collections, updates_collections, name)


@_metric("sparse_recall_at_top_k")
def sparse_recall_at_top_k(
    labels: Any, top_k_predictions: Any, class_id: Any = None, weights: Any = None, metrics_collections: Any = None, updates_collections: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    return _recall_at_top_k(labels, top_k_predictions, class_id, weights, metrics_collections, updates_collections, name)
