"""tf.metrics: values accumulated over runs, in local variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphtools.dtypes import bool_, float32, float64, int32, int64
from runtime.tf1 import array_ops, math_ops, state_ops
from runtime.tf1.control_flow import cond
from runtime.tf1.graph import GraphKeys, apply_op, constant, convert_to_tensor, get_default_graph
from runtime.tf1.losses import div_no_nan
from runtime.tf1.registry import export
from runtime.tf1.special_math_ops import confusion_matrix, remove_squeezable_dimensions
from runtime.tf1.variable_scope import variable_scope
from runtime.tf1.variables import Variable
from runtime.tf1.weights_broadcast_ops import broadcast_weights


def metric_variable(shape: Any, dtype: Any, validate_shape: bool = True, name: str | None = None) -> Any:
    """A local variable that starts at zero."""
    return Variable(
        lambda: array_ops.zeros(shape, dtype),
        trainable=False,
        collections=[GraphKeys.LOCAL_VARIABLES, GraphKeys.METRIC_VARIABLES],
        validate_shape=validate_shape,
        name=name,
    )


def collect(collections: Any, value: Any) -> Any:
    """The value, added to these collections."""
    if collections:
        get_default_graph().add_to_collections(collections, value)
    return value


def _fitted(predictions: Any, labels: Any, weights: Any) -> tuple[Any, Any, Any]:
    """Predictions, labels and weights, their ranks made equal where they differ by an axis of size 1."""
    predictions = convert_to_tensor(predictions)
    if labels is not None:
        labels, predictions = remove_squeezable_dimensions(labels, predictions)
        predictions.get_shape().assert_is_compatible_with(labels.get_shape())
    if weights is None:
        return predictions, labels, None
    weights = convert_to_tensor(weights)
    if weights.rank == 0:
        return predictions, labels, weights
    if predictions.rank is not None and weights.rank is not None:
        if weights.rank - predictions.rank == 1:
            weights = array_ops.squeeze(weights, [-1])
        elif predictions.rank - weights.rank == 1:
            weights = array_ops.expand_dims(weights, [-1])
        return predictions, labels, weights
    rank = array_ops.rank(weights)
    difference = rank - array_ops.rank(predictions)
    given = weights

    def expand() -> Any:
        return cond(math_ops.equal(difference, -1), lambda: array_ops.expand_dims(given, [-1]), lambda: given)

    def squeeze() -> Any:
        return given if given.rank is not None and given.dims[-1] not in (None, 1) else array_ops.squeeze(given, [-1])

    weights = cond(math_ops.equal(rank, 0), lambda: given, lambda: cond(math_ops.equal(difference, 1), squeeze, expand))
    return predictions, labels, weights


@export("metrics.mean")
def mean(
    values: Any, weights: Any = None, metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None
) -> Any:
    """(the mean so far, the op that counts this batch and gives the mean)."""
    with variable_scope(name, "mean", [values, weights]):
        values = math_ops.cast(values, float32)
        total = metric_variable([], float32, name="total")
        count = metric_variable([], float32, name="count")
        if weights is None:
            number = math_ops.cast(array_ops.size(values), float32)
        else:
            values, _, weights = _fitted(values, None, weights)
            weights = broadcast_weights(math_ops.cast(weights, float32), values)
            values = math_ops.multiply(values, weights)
            number = math_ops.reduce_sum(weights)
        add_total = state_ops.assign_add(total, math_ops.reduce_sum(values))
        with get_default_graph().control_dependencies([values]):
            add_count = state_ops.assign_add(count, number)
        value = collect(metrics_collections, div_no_nan(total, math_ops.maximum(count, 0), name="value"))
        update = div_no_nan(add_total, math_ops.maximum(add_count, 0), name="update_op")
        return value, collect(updates_collections, update)


@export("metrics.mean_tensor")
def mean_tensor(
    values: Any, weights: Any = None, metrics_collections: Any = None, updates_collections: Any = None, name: str | None = None
) -> Any:
    """The mean of each element."""
    with variable_scope(name, "mean", [values, weights]):
        values = math_ops.cast(values, float32)
        total = metric_variable(values.get_shape(), float32, name="total_tensor")
        count = metric_variable(values.get_shape(), float32, name="count_tensor")
        number = array_ops.ones_like(values)
        if weights is not None:
            values, _, weights = _fitted(values, None, weights)
            weights = broadcast_weights(math_ops.cast(weights, float32), values)
            values = math_ops.multiply(values, weights)
            number = math_ops.multiply(number, weights)
        add_total = state_ops.assign_add(total, values)
        with get_default_graph().control_dependencies([values]):
            add_count = state_ops.assign_add(count, number)
        value = collect(metrics_collections, div_no_nan(total, math_ops.maximum(count, 0), name="value"))
        return value, collect(updates_collections, div_no_nan(add_total, math_ops.maximum(add_count, 0), name="update_op"))


@export("metrics.accuracy")
def accuracy(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Any:
    predictions, labels, weights = _fitted(predictions, labels, weights)
    predictions.get_shape().assert_is_compatible_with(labels.get_shape())
    if labels.dtype is not predictions.dtype:
        predictions = math_ops.cast(predictions, labels.dtype)
    right = math_ops.cast(math_ops.equal(predictions, labels), float32)
    return mean(right, weights, metrics_collections, updates_collections, name or "accuracy")


@export("metrics.mean_absolute_error")
def mean_absolute_error(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Any:
    predictions, labels, weights = _fitted(predictions, labels, weights)
    return mean(math_ops.abs_(predictions - labels), weights, metrics_collections, updates_collections, name or "mean_absolute_error")


@export("metrics.mean_squared_error")
def mean_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Any:
    predictions, labels, weights = _fitted(predictions, labels, weights)
    error = apply_op("SquaredDifference", None, x=labels, y=predictions)
    return mean(error, weights, metrics_collections, updates_collections, name or "mean_squared_error")


@export("metrics.root_mean_squared_error")
def root_mean_squared_error(
    labels: Any,
    predictions: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Any:
    predictions, labels, weights = _fitted(predictions, labels, weights)
    value, update = mean_squared_error(labels, predictions, weights, None, None, name or "root_mean_squared_error")
    value = collect(metrics_collections, math_ops.sqrt(value))
    return value, collect(updates_collections, math_ops.sqrt(update))


@export("metrics.mean_relative_error")
def mean_relative_error(
    labels: Any, predictions: Any, normalizer: Any, weights: Any = None, metrics_collections: Any = None, updates_collections: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """The mean of |labels - predictions| / normalizer, 0 where the normalizer is."""
    predictions, labels, weights = _fitted(predictions, labels, weights)
    predictions, normalizer = remove_squeezable_dimensions(predictions, normalizer)
    predictions.get_shape().assert_is_compatible_with(normalizer.get_shape())
    zero = math_ops.equal(normalizer, 0.0)
    errors = array_ops.where(zero, array_ops.zeros_like(labels), math_ops.div(math_ops.abs_(labels - predictions), normalizer))
    return mean(errors, weights, metrics_collections, updates_collections, name or "mean_relative_error")


@export("metrics.mean_cosine_distance")
def mean_cosine_distance(
    labels: Any,
    predictions: Any,
    dim: int,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Any:
    predictions, labels, weights = _fitted(predictions, labels, weights)
    products = math_ops.reduce_sum(math_ops.multiply(predictions, labels), axis=[dim], keepdims=True)
    value, update = mean(products, weights, None, None, name or "mean_cosine_distance")
    value, update = math_ops.subtract(1.0, value), math_ops.subtract(1.0, update)
    return collect(metrics_collections, value), collect(updates_collections, update)


@export("metrics.percentage_below")
def percentage_below(
    values: Any,
    threshold: Any,
    weights: Any = None,
    metrics_collections: Any = None,
    updates_collections: Any = None,
    name: str | None = None,
) -> Any:
    below = math_ops.cast(math_ops.less(values, threshold), float32)
    return mean(below, weights, metrics_collections, updates_collections, name or "percentage_below_threshold")


def _flat(x: Any) -> Any:
    return array_ops.reshape(x, [-1]) if x.get_shape().ndims > 1 else x


@export("metrics.mean_per_class_accuracy")
def mean_per_class_accuracy(
    labels: Any, predictions: Any, num_classes: Any, weights: Any = None, metrics_collections: Any = None, updates_collections: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    with variable_scope(name, "mean_accuracy", [predictions, labels, weights]):
        labels = _flat(math_ops.cast(labels, int64))
        predictions = _flat(convert_to_tensor(predictions))
        predictions.get_shape().assert_is_compatible_with(labels.get_shape())
        total = metric_variable([num_classes], float32, name="total")
        count = metric_variable([num_classes], float32, name="count")
        ones = array_ops.ones([array_ops.size(labels)], float32)
        if labels.dtype is not predictions.dtype:
            predictions = math_ops.cast(predictions, labels.dtype)
        right = math_ops.cast(math_ops.equal(predictions, labels), float32)
        if weights is not None:
            weights = math_ops.cast(_flat(convert_to_tensor(weights)), float32)
            right, ones = right * weights, ones * weights
        scatter_add = state_ops_scatter_add
        add_total = scatter_add(total, labels, ones)
        add_count = scatter_add(count, labels, right)
        per_class = div_no_nan(count, math_ops.maximum(total, 0), name=None)
        value = collect(metrics_collections, math_ops.reduce_mean(per_class, name="mean_accuracy"))
        return value, collect(updates_collections, div_no_nan(add_count, math_ops.maximum(add_total, 0), name="update_op"))


def state_ops_scatter_add(ref: Any, indices: Any, updates: Any) -> Any:
    from runtime.tf1.modules import lookup

    return lookup("scatter_add")(ref, indices, updates)


@export("metrics.mean_iou")
def mean_iou(
    labels: Any, predictions: Any, num_classes: Any, weights: Any = None, metrics_collections: Any = None, updates_collections: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """(the mean over classes of true positives / (true positives + false positives + false negatives), the op that counts the confusions)."""
    with variable_scope(name, "mean_iou", [predictions, labels, weights]):
        predictions, labels = convert_to_tensor(predictions), convert_to_tensor(labels)
        predictions.get_shape().assert_is_compatible_with(labels.get_shape())
        total, update = _confusions(labels, predictions, num_classes, weights)
        rows = math_ops.cast(math_ops.reduce_sum(total, 0), float32)
        columns = math_ops.cast(math_ops.reduce_sum(total, 1), float32)
        diagonal = math_ops.cast(apply_op("DiagPart", None, input=total), float32)
        union = rows + columns - diagonal
        valid = math_ops.reduce_sum(math_ops.cast(math_ops.not_equal(union, 0), float32))
        union = array_ops.where(math_ops.greater(union, 0), union, array_ops.ones_like(union))
        iou = math_ops.div(diagonal, union)
        value = array_ops.where(math_ops.greater(valid, 0), math_ops.reduce_sum(iou, name="mean_iou") / valid, 0)
        return collect(metrics_collections, value), collect(updates_collections, update)


def _confusions(labels: Any, predictions: Any, num_classes: Any, weights: Any) -> tuple[Any, Any]:
    total = metric_variable([num_classes, num_classes], float64, name="total_confusion_matrix")
    predictions, labels = math_ops.cast(predictions, int64), math_ops.cast(labels, int64)
    num_classes = math_ops.cast(num_classes, int64)
    predictions, labels = _flat(predictions), _flat(labels)
    weights = None if weights is None else _flat(convert_to_tensor(weights))
    current = confusion_matrix(labels, predictions, num_classes, weights=weights, dtype=float64)
    return total, state_ops.assign_add(total, current)


# -- counts of right and wrong decisions ---------------------------------------------------------------------------

# Which decisions are counted -> their name, whether the label is true, whether the prediction is.
DECISIONS = {
    "tp": ("true_positives", True, True),
    "fn": ("false_negatives", True, False),
    "tn": ("true_negatives", False, False),
    "fp": ("false_positives", False, True),
}


def _counted(values: Any, weights: Any, metrics_collections: Any, updates_collections: Any) -> tuple[Any, Any]:
    from runtime.tf1.check_ops import assert_rank_in, assert_type

    assert_type(values, bool_)
    count = metric_variable([], float32, name="count")
    values = math_ops.cast(values, float32)
    if weights is not None:
        with get_default_graph().control_dependencies([assert_rank_in(weights, (0, array_ops.rank(values)))]):
            weights = math_ops.cast(weights, float32)
            values = math_ops.multiply(values, weights)
    value = collect(metrics_collections, array_ops.identity(count))
    return value, collect(updates_collections, state_ops.assign_add(count, math_ops.reduce_sum(values)))


def _decision(which: str) -> Callable[..., Any]:
    label, of_label, of_prediction = DECISIONS[which]

    def metric(
        labels: Any,
        predictions: Any,
        weights: Any = None,
        metrics_collections: Any = None,
        updates_collections: Any = None,
        name: str | None = None,
    ) -> Any:
        with variable_scope(name, label, [predictions, labels, weights]):
            predictions, labels, weights = _fitted(math_ops.cast(predictions, bool_), math_ops.cast(labels, bool_), weights)
            hits = apply_op("LogicalAnd", None, x=math_ops.equal(labels, of_label), y=math_ops.equal(predictions, of_prediction))
            return _counted(hits, weights, metrics_collections, updates_collections)

    metric.__name__ = label
    return export(f"metrics.{label}")(metric)


def _decision_at_thresholds(which: str) -> Callable[..., Any]:
    label = DECISIONS[which][0]

    def metric(
        labels: Any, predictions: Any, thresholds: Any, weights: Any = None, metrics_collections: Any = None, updates_collections: Any = None,
        name: str | None = None,
    ) -> Any:  # fmt: skip
        with variable_scope(name, label, [predictions, labels, weights]):
            values, updates = _at_thresholds(labels, predictions, thresholds, weights, (which,))
            value = collect(metrics_collections, array_ops.identity(values[which]))
            return value, collect(updates_collections, updates[which])

    metric.__name__ = f"{label}_at_thresholds"
    return export(f"metrics.{label}_at_thresholds")(metric)


true_positives, false_negatives, true_negatives, false_positives = (_decision(w) for w in DECISIONS)
for _which in DECISIONS:
    _decision_at_thresholds(_which)


def _ratio(label: str, other: Callable[..., Any]) -> Callable[..., Any]:
    """Precision or recall: true positives by true positives and `other`."""

    def metric(
        labels: Any,
        predictions: Any,
        weights: Any = None,
        metrics_collections: Any = None,
        updates_collections: Any = None,
        name: str | None = None,
    ) -> Any:
        with variable_scope(name, label, [predictions, labels, weights]):
            predictions, labels, weights = _fitted(math_ops.cast(predictions, bool_), math_ops.cast(labels, bool_), weights)
            hits, add_hits = true_positives(labels, predictions, weights, metrics_collections=None, updates_collections=None, name=None)
            misses, add_misses = other(labels, predictions, weights, metrics_collections=None, updates_collections=None, name=None)

            def share(t: Any, f: Any, name: str) -> Any:
                return array_ops.where(math_ops.greater(t + f, 0), math_ops.div(t, t + f), 0, name)

            value = collect(metrics_collections, share(hits, misses, "value"))
            return value, collect(updates_collections, share(add_hits, add_misses, "update_op"))

    metric.__name__ = label
    return export(f"metrics.{label}")(metric)


precision = _ratio("precision", false_positives)
recall = _ratio("recall", false_negatives)


def _at_thresholds(
    labels: Any, predictions: Any, thresholds: Sequence[float], weights: Any = None, includes: Sequence[str] | None = None, checked: bool = True
) -> Any:  # fmt: skip
    """Per kind of decision: the variable that counts it at each threshold, and the op that does. tf.contrib's do not check the predictions."""
    from runtime.tf1.modules import lookup

    includes = tuple(DECISIONS) if includes is None else includes
    unknown = [i for i in includes if i not in DECISIONS]
    if unknown:
        raise ValueError(f"Invalid key: {unknown[0]}.")
    predictions = convert_to_tensor(predictions)
    if checked:
        message = "predictions must be in [0, 1]"
        low = lookup("assert_greater_equal")(predictions, math_ops.cast(0.0, predictions.dtype), message=message)
        high = lookup("assert_less_equal")(predictions, math_ops.cast(1.0, predictions.dtype), message=message)
        with get_default_graph().control_dependencies([low, high]):
            predictions, labels, weights = _fitted(math_ops.cast(predictions, float32), math_ops.cast(labels, bool_), weights)
    else:
        predictions, labels, weights = _fitted(predictions, labels, weights)
    n = len(thresholds)
    column = array_ops.reshape(predictions, [-1, 1])
    row = array_ops.reshape(math_ops.cast(labels, bool_), [1, -1])
    count = column.dims[0] if column.dims[0] is not None else array_ops.shape(column)[0]
    tiled = _tile(array_ops.expand_dims(constant(list(thresholds)), [1]), array_ops.stack([1, count]))
    positive = math_ops.greater(_tile(array_ops.transpose(column), [n, 1]), tiled)
    negative = apply_op("LogicalNot", None, x=positive) if {"fn", "tn"} & set(includes) else None
    is_true = _tile(row, [n, 1])
    is_false = apply_op("LogicalNot", None, x=is_true) if {"fp", "tn"} & set(includes) else None
    if weights is not None:
        weights = broadcast_weights(math_ops.cast(weights, float32), predictions)
        weights = _tile(array_ops.reshape(weights, [1, -1]), [n, 1])
        tiled.get_shape().assert_is_compatible_with(weights.get_shape())
    values, updates = {}, {}
    for which, (label, of_label, of_prediction) in DECISIONS.items():
        if which not in includes:
            continue
        values[which] = metric_variable([n], float32, name=label)
        both = apply_op("LogicalAnd", None, x=is_true if of_label else is_false, y=positive if of_prediction else negative)
        hits = math_ops.cast(both, float32)
        if weights is not None:
            hits = hits * weights
        updates[which] = state_ops.assign_add(values[which], math_ops.reduce_sum(hits, 1))
    return values, updates


def _tile(x: Any, multiples: Any) -> Any:
    return apply_op("Tile", None, input=x, multiples=multiples)


def _share_at_thresholds(label: str, other: str) -> Callable[..., Any]:
    def metric(
        labels: Any, predictions: Any, thresholds: Any, weights: Any = None, metrics_collections: Any = None, updates_collections: Any = None,
        name: str | None = None,
    ) -> Any:  # fmt: skip
        with variable_scope(name, f"{label}_at_thresholds", [predictions, labels, weights]):
            values, updates = _at_thresholds(labels, predictions, thresholds, weights, ("tp", other))
            value = math_ops.div(values["tp"], 1e-7 + values["tp"] + values[other], name=f"{label}_value")
            update = math_ops.div(updates["tp"], 1e-7 + updates["tp"] + updates[other], name=f"{label}_update_op")
            return collect(metrics_collections, value), collect(updates_collections, update)

    metric.__name__ = f"{label}_at_thresholds"
    return export(f"metrics.{label}_at_thresholds")(metric)


precision_at_thresholds = _share_at_thresholds("precision", "fp")
recall_at_thresholds = _share_at_thresholds("recall", "fn")

_JUST = 1e-7  # how far the outermost thresholds lie outside of [0, 1]


def _spread(num_thresholds: int, top: float = 1.0 + _JUST) -> list[float]:
    return [0.0 - _JUST, *((i + 1) * 1.0 / (num_thresholds - 1) for i in range(num_thresholds - 2)), top]


@export("metrics.auc")
def auc(
    labels: Any, predictions: Any, weights: Any = None, num_thresholds: int = 200, metrics_collections: Any = None, updates_collections: Any = None,
    curve: str = "ROC", name: str | None = None, summation_method: str = "trapezoidal", thresholds: Any = None,
) -> Any:  # fmt: skip
    """The area under the ROC or precision-recall curve, from counts at thresholds."""
    with variable_scope(name, "auc", [labels, predictions, weights]):
        if curve not in ("ROC", "PR"):
            raise ValueError(f"curve must be either ROC or PR, {curve} unknown")
        if thresholds is not None:
            limits = [0.0 - _JUST, *sorted(thresholds), 1.0 + _JUST]
            num_thresholds = len(limits)
        else:
            limits = _spread(num_thresholds)
        values, updates = _at_thresholds(labels, predictions, limits, weights)

        def area(counts: dict[str, Any], name: str) -> Any:
            return _area(counts, num_thresholds, curve, summation_method, name)

        return collect(metrics_collections, area(values, "value")), collect(updates_collections, area(updates, "update_op"))


def _area(counts: dict[str, Any], n: int, curve: str, summation_method: str, name: str) -> Any:
    epsilon = 1.0e-6
    tp, fn, tn, fp = (counts[k] for k in DECISIONS)
    if curve == "PR" and summation_method == "careful_interpolation":
        return _interpolated_area(tp, fp, fn, n)
    found = math_ops.div(tp + epsilon, tp + fn + epsilon)
    if curve == "ROC":
        x, y = math_ops.div(fp, fp + tn + epsilon), found
    else:
        x, y = found, math_ops.div(tp + epsilon, tp + fp + epsilon)
    if summation_method in ("trapezoidal", "careful_interpolation"):
        return math_ops.reduce_sum(math_ops.multiply(x[: n - 1] - x[1:], (y[: n - 1] + y[1:]) / 2.0), name=name)
    if summation_method in ("minoring", "majoring"):
        pick = math_ops.minimum if summation_method == "minoring" else math_ops.maximum
        return math_ops.reduce_sum(math_ops.multiply(x[: n - 1] - x[1:], pick(y[: n - 1], y[1:])), name=name)
    raise ValueError(f"Invalid summation_method: {summation_method}")


def _interpolated_area(tp: Any, fp: Any, fn: Any, n: int) -> Any:
    """Davis and Goadrich 2006: true positives are linear in positives between two thresholds, precision is not."""
    steps = tp[: n - 1] - tp[1:]
    p = tp + fp
    slope = div_no_nan(steps, math_ops.maximum(p[: n - 1] - p[1:], 0), name="prec_slope")
    intercept = tp[1:] - math_ops.multiply(slope, p[1:])
    both = apply_op("LogicalAnd", None, x=p[: n - 1] > 0, y=p[1:] > 0)
    relative = div_no_nan(p[: n - 1], math_ops.maximum(p[1:], 0), name="recall_relative_ratio")
    ratio = array_ops.where(both, relative, array_ops.ones_like(p[1:]))
    increments = slope * (steps + intercept * apply_op("Log", None, x=ratio))
    return math_ops.reduce_sum(
        div_no_nan(increments, math_ops.maximum(tp[1:] + fn[1:], 0), name="pr_auc_increment"), name="interpolate_pr_auc"
    )


@export("metrics.sensitivity_at_specificity")
def sensitivity_at_specificity(
    labels: Any, predictions: Any, specificity: float, weights: Any = None, num_thresholds: int = 200, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    if not 0 <= specificity <= 1:
        raise ValueError("`specificity` must be in the range [0, 1].")
    with variable_scope(name, "sensitivity_at_specificity", [predictions, labels, weights]):
        values, updates = _at_thresholds(labels, predictions, _spread(num_thresholds), weights)

        def at(c: dict[str, Any], name: str) -> Any:
            specificities = math_ops.div(c["tn"], c["tn"] + c["fp"] + _JUST)
            i = math_ops.cast(math_ops.argmin(math_ops.abs_(specificities - specificity), 0), int32)
            return math_ops.div(c["tp"][i], c["tp"][i] + c["fn"][i] + _JUST, name)

        return collect(metrics_collections, at(values, "value")), collect(updates_collections, at(updates, "update_op"))


@export("metrics.specificity_at_sensitivity")
def specificity_at_sensitivity(
    labels: Any, predictions: Any, sensitivity: float, weights: Any = None, num_thresholds: int = 200, metrics_collections: Any = None,
    updates_collections: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    if not 0 <= sensitivity <= 1:
        raise ValueError("`sensitivity` must be in the range [0, 1].")
    with variable_scope(name, "specificity_at_sensitivity", [predictions, labels, weights]):
        values, updates = _at_thresholds(labels, predictions, _spread(num_thresholds, 1.0 - _JUST), weights)

        def at(c: dict[str, Any], name: str) -> Any:
            distance = math_ops.abs_(math_ops.div(c["tp"], c["tp"] + c["fn"] + _JUST) - sensitivity)
            nearest = math_ops.cast(math_ops.equal(distance, math_ops.reduce_min(distance)), int64)
            i = math_ops.cast(math_ops.argmax(math_ops.cumsum(nearest), 0), int32)
            return math_ops.div(c["tn"][i], c["tn"][i] + c["fp"][i] + _JUST, name)

        return collect(metrics_collections, at(values, "value")), collect(updates_collections, at(updates, "update_op"))
