"""tf.keras.metrics: values kept in variables over the batches of an epoch."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools.dtypes import as_dtype
from runtime.tf1.keras import backend as K
from runtime.tf1.keras import losses
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.engine.layer import Layer
from runtime.tf1.keras.losses import squeeze_or_expand
from runtime.tf1.keras.serialization import deserialize_keras_object, serialize_keras_object
from runtime.tf1.registry import export, put


def ratio(x: Any, y: Any) -> Any:
    """x / y, 0 where y is 0."""
    with tf.name_scope("div_no_nan") as scope:
        return tf.div_no_nan(tf.convert_to_tensor(x), tf.convert_to_tensor(y), name=scope)


@export("keras.metrics.Metric")
class Metric(Layer):
    """State, how a batch changes it, and the result."""

    def __init__(self, name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(name=name, dtype=dtype, **kwargs)
        self.stateful = True
        self.built = True
        self._dtype = K.floatx() if dtype is None else as_dtype(dtype).name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        update = self.update_state(*args, **kwargs)
        with tf.control_dependencies([update] if update is not None else []):
            # Read afresh: a metric may be called in several places.
            result = tf.identity(self.result())
        result._metric_obj = self
        self._call_result = result
        return result

    @property
    def dtype(self) -> Any:
        return self._dtype

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype}

    def reset_states(self) -> None:
        K.batch_set_value([(v, 0) for v in self.variables])

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("Must be implemented in subclasses.")

    def result(self) -> Any:
        raise NotImplementedError("Must be implemented in subclasses.")

    def add_weight(
        self,
        name: str | None = None,
        shape: Any = (),
        aggregation: Any = None,
        synchronization: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> Any:  # type: ignore[override]
        return super().add_weight(
            name=name,
            shape=shape,
            dtype=self._dtype if dtype is None else dtype,
            trainable=False,
            initializer=initializer,
            collections=[],
            **kwargs,
        )


class Reduce(Metric):
    """A sum, or a mean: total and count."""

    weighted_mean = False
    over_batch = True

    def __init__(self, name: str | None, dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_weight("total", initializer="zeros")
        if self.weighted_mean:
            self.count = self.add_weight("count", initializer="zeros")

    def update_state(self, values: Any, sample_weight: Any = None) -> Any:
        values = tf.cast(values, self._dtype)
        if sample_weight is not None:
            sample_weight = tf.cast(sample_weight, self._dtype)
            values, _, sample_weight = squeeze_or_expand(values, None, sample_weight)
            values_rank, weights_rank = values.shape.ndims, sample_weight.shape.ndims
            if self.over_batch and weights_rank is not None and values_rank is not None and weights_rank < values_rank:
                values = tf.reduce_mean(values, axis=list(range(weights_rank, values_rank)))
            else:
                from runtime.tf1.losses import broadcast_weights

                sample_weight = broadcast_weights(sample_weight, values)
            values = tf.multiply(values, sample_weight)
        total = tf.reduce_sum(values)
        with tf.control_dependencies([total]):
            update_total = self.total.assign_add(total).op
        if not self.weighted_mean:
            return update_total
        count = tf.cast(tf.size(values), self._dtype) if sample_weight is None else tf.reduce_sum(sample_weight)
        with tf.control_dependencies([update_total]):
            return self.count.assign_add(count).op

    def result(self) -> Any:
        return ratio(self.total, self.count) if self.weighted_mean else tf.identity(self.total)


@export("keras.metrics.Sum")
class Sum(Reduce):
    def __init__(self, name: str = "sum", dtype: Any = None) -> None:
        super().__init__(name, dtype)


@export("keras.metrics.Mean")
class Mean(Reduce):
    weighted_mean = True

    def __init__(self, name: str = "mean", dtype: Any = None) -> None:
        super().__init__(name, dtype)


class MeanMetricWrapper(Mean):
    """The mean of a function of (y_true, y_pred)."""

    def __init__(self, fn: Any, name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(name=name or getattr(fn, "__name__", "metric"), dtype=dtype)
        self._fn, self._fn_kwargs = fn, kwargs

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:  # type: ignore[override]
        y_true, y_pred = tf.cast(y_true, self._dtype), tf.cast(y_pred, self._dtype)
        y_pred, y_true, _ = squeeze_or_expand(y_pred, y_true, None)
        return super().update_state(self._fn(y_true, y_pred, **self._fn_kwargs), sample_weight=sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._fn_kwargs}


# -- functions ---------------------------------------------------------------------------------------------------------


def accuracy(y_true: Any, y_pred: Any) -> Any:
    y_true = tf.cast(y_true, y_pred.dtype) if y_true.dtype != y_pred.dtype else y_true
    return tf.cast(tf.equal(y_true, y_pred), K.floatx())


@export("keras.metrics.binary_accuracy")
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    threshold = tf.cast(threshold, y_pred.dtype)
    y_pred = tf.cast(y_pred > threshold, y_pred.dtype)
    return tf.reduce_mean(tf.cast(tf.equal(y_true, y_pred), tf.float32), axis=-1)


@export("keras.metrics.categorical_accuracy")
def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    return tf.cast(tf.equal(tf.argmax(y_true, axis=-1), tf.argmax(y_pred, axis=-1)), K.floatx())


@export("keras.metrics.sparse_categorical_accuracy")
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    rank, true_rank = y_pred.shape.ndims, y_true.shape.ndims
    if true_rank is not None and rank is not None and len(y_true.shape.as_list()) == len(y_pred.shape.as_list()):
        y_true = tf.squeeze(y_true, [-1])
    y_pred = tf.argmax(y_pred, axis=-1)
    if y_pred.dtype != y_true.dtype:
        y_pred = tf.cast(y_pred, y_true.dtype)
    return tf.cast(tf.equal(y_true, y_pred), K.floatx())


@export("keras.metrics.top_k_categorical_accuracy")
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    return tf.cast(tf.nn.in_top_k(y_pred, tf.argmax(y_true, axis=-1), k), K.floatx())


@export("keras.metrics.sparse_top_k_categorical_accuracy")
def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    if y_true.shape.ndims is not None and y_pred.shape.ndims is not None:
        if y_pred.shape.ndims > 2:
            y_pred = tf.reshape(y_pred, [-1, y_pred.shape.as_list()[-1]])
        if y_true.shape.ndims > 1:
            y_true = tf.reshape(y_true, [-1])
    return tf.cast(tf.nn.in_top_k(y_pred, tf.cast(y_true, "int32"), k), K.floatx())


def cosine_proximity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    y_true, y_pred = tf.nn.l2_normalize(y_true, axis=axis), tf.nn.l2_normalize(y_pred, axis=axis)
    return tf.reduce_sum(y_true * y_pred, axis=axis)


put("keras.metrics.cosine_proximity", cosine_proximity)


def _wrapper(class_name: str, fn: Any, default: str, parameters: tuple[tuple[str, Any], ...] = ()) -> Any:
    """The Metric class of a function, its own parameters after or before name and dtype as in Keras."""

    class Wrapped(MeanMetricWrapper):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            own_first = [p for p, _ in parameters if p == "k"]
            names = [*own_first, "name", "dtype", *(p for p, _ in parameters if p not in own_first)]
            given = dict(zip(names, args, strict=False))
            given.update(kwargs)
            own = {p: given.pop(p, value) for p, value in parameters}
            super().__init__(fn, given.get("name") or default, given.get("dtype"), **own)

    Wrapped.__name__ = Wrapped.__qualname__ = class_name
    return export(f"keras.metrics.{class_name}")(Wrapped)


Accuracy = _wrapper("Accuracy", accuracy, "accuracy")
BinaryAccuracy = _wrapper("BinaryAccuracy", binary_accuracy, "binary_accuracy", (("threshold", 0.5),))
CategoricalAccuracy = _wrapper("CategoricalAccuracy", categorical_accuracy, "categorical_accuracy")
SparseCategoricalAccuracy = _wrapper("SparseCategoricalAccuracy", sparse_categorical_accuracy, "sparse_categorical_accuracy")
TopKCategoricalAccuracy = _wrapper("TopKCategoricalAccuracy", top_k_categorical_accuracy, "top_k_categorical_accuracy", (("k", 5),))
SparseTopKCategoricalAccuracy = _wrapper(
    "SparseTopKCategoricalAccuracy", sparse_top_k_categorical_accuracy, "sparse_top_k_categorical_accuracy", (("k", 5),)
)
CosineSimilarity = _wrapper("CosineSimilarity", cosine_proximity, "cosine_similarity", (("axis", -1),))
MeanAbsoluteError = _wrapper("MeanAbsoluteError", losses.mean_absolute_error, "mean_absolute_error")
MeanAbsolutePercentageError = _wrapper(
    "MeanAbsolutePercentageError", losses.mean_absolute_percentage_error, "mean_absolute_percentage_error"
)
MeanSquaredError = _wrapper("MeanSquaredError", losses.mean_squared_error, "mean_squared_error")
MeanSquaredLogarithmicError = _wrapper(
    "MeanSquaredLogarithmicError", losses.mean_squared_logarithmic_error, "mean_squared_logarithmic_error"
)
Hinge = _wrapper("Hinge", losses.hinge, "hinge")
SquaredHinge = _wrapper("SquaredHinge", losses.squared_hinge, "squared_hinge")
CategoricalHinge = _wrapper("CategoricalHinge", losses.categorical_hinge, "categorical_hinge")
LogCoshError = _wrapper("LogCoshError", losses.logcosh, "logcosh")
Poisson = _wrapper("Poisson", losses.poisson, "poisson")
KLDivergence = _wrapper("KLDivergence", losses.kullback_leibler_divergence, "kullback_leibler_divergence")
BinaryCrossentropy = _wrapper(
    "BinaryCrossentropy", losses.binary_crossentropy, "binary_crossentropy", (("from_logits", False), ("label_smoothing", 0))
)
CategoricalCrossentropy = _wrapper(
    "CategoricalCrossentropy", losses.categorical_crossentropy, "categorical_crossentropy", (("from_logits", False), ("label_smoothing", 0))
)
SparseCategoricalCrossentropy = _wrapper(
    "SparseCategoricalCrossentropy",
    losses.sparse_categorical_crossentropy,
    "sparse_categorical_crossentropy",
    (("from_logits", False), ("axis", -1)),
)


@export("keras.metrics.RootMeanSquaredError")
class RootMeanSquaredError(Mean):
    def __init__(self, name: str = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:  # type: ignore[override]
        y_true, y_pred = tf.cast(y_true, self._dtype), tf.cast(y_pred, self._dtype)
        y_pred, y_true, _ = squeeze_or_expand(y_pred, y_true, None)
        return super().update_state(tf.squared_difference(y_pred, y_true), sample_weight=sample_weight)

    def result(self) -> Any:
        return tf.sqrt(ratio(self.total, self.count))


class Confusion(Metric):
    """Counts of right and wrong predictions at thresholds."""

    counts: tuple[str, ...] = ()

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None, default: Any = 0.5) -> None:
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        chosen = default if thresholds is None else thresholds
        self.thresholds = list(chosen) if isinstance(chosen, list | tuple | np.ndarray) else [chosen]
        for each in self.thresholds:
            if each is None or not 0 <= each <= 1:
                raise ValueError(f"Threshold values must be in [0, 1]. Invalid values: {[each]}")
        for kind in self.counts:
            setattr(self, kind, self.add_weight(kind, shape=(len(self.thresholds),), initializer="zeros"))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        y_true, y_pred = tf.cast(y_true, self._dtype), tf.cast(y_pred, self._dtype)
        y_pred, y_true, sample_weight = squeeze_or_expand(
            y_pred, y_true, None if sample_weight is None else tf.cast(sample_weight, self._dtype)
        )
        y_pred, y_true = self._select(y_pred, y_true)
        predicted = tf.reshape(y_pred, [1, -1]) > tf.reshape(tf.constant(self.thresholds, self._dtype), [-1, 1])
        true = tf.reshape(tf.cast(y_true, tf.bool), [1, -1])
        weights = None
        if sample_weight is not None:
            weights = tf.reshape(sample_weight * tf.ones_like(y_pred), [1, -1])
        cases = {
            "true_positives": (predicted, true), "false_positives": (predicted, tf.logical_not(true)), "true_negatives": (tf.logical_not(predicted), tf.logical_not(true)),
            "false_negatives": (tf.logical_not(predicted), true),
        }  # fmt: skip
        updates = []
        for kind in self.counts:
            value = tf.cast(tf.logical_and(*cases[kind]), self._dtype)
            value = value if weights is None else value * weights
            updates.append(getattr(self, kind).assign_add(tf.reduce_sum(value, 1)).op)
        return tf.group(*updates)

    def _select(self, y_pred: Any, y_true: Any) -> tuple[Any, Any]:
        return y_pred, y_true

    def reset_states(self) -> None:
        K.batch_set_value([(v, np.zeros(v.shape.as_list())) for v in self.variables])

    def result(self) -> Any:
        value = getattr(self, self.counts[0])
        return value[0] if len(self.thresholds) == 1 else tf.convert_to_tensor(value)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.init_thresholds}


def _count(class_name: str, kind: str) -> Any:
    class Counted(Confusion):
        counts = (kind,)

        def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
            super().__init__(thresholds, name, dtype)

    Counted.__name__ = Counted.__qualname__ = class_name
    return export(f"keras.metrics.{class_name}")(Counted)


TruePositives = _count("TruePositives", "true_positives")
TrueNegatives = _count("TrueNegatives", "true_negatives")
FalsePositives = _count("FalsePositives", "false_positives")
FalseNegatives = _count("FalseNegatives", "false_negatives")


class PrecisionRecall(Confusion):
    def __init__(
        self, thresholds: Any = None, top_k: int | None = None, class_id: int | None = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(thresholds, name, dtype, default=0.5 if top_k is None else 0.0)
        self.top_k, self.class_id = top_k, class_id

    def _select(self, y_pred: Any, y_true: Any) -> tuple[Any, Any]:
        if self.top_k is not None:
            _, best = tf.nn.top_k(y_pred, self.top_k, sorted=False)
            chosen = tf.reduce_sum(tf.one_hot(best, tf.shape(y_pred)[-1], axis=-1), axis=-2)
            y_pred = y_pred * chosen + -1e10 * (1 - chosen)
        if self.class_id is not None:
            y_true, y_pred = y_true[..., self.class_id], y_pred[..., self.class_id]
        return y_pred, y_true

    def result(self) -> Any:
        first, second = (getattr(self, kind) for kind in self.counts)
        value = tf.div_no_nan(tf.convert_to_tensor(first), first + second)
        return value[0] if len(self.thresholds) == 1 else value

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "top_k": self.top_k, "class_id": self.class_id}


@export("keras.metrics.Precision")
class Precision(PrecisionRecall):
    counts = ("true_positives", "false_positives")


@export("keras.metrics.Recall")
class Recall(PrecisionRecall):
    counts = ("true_positives", "false_negatives")


@export("keras.metrics.AUC")
class AUC(Confusion):
    """The area under the ROC or precision-recall curve, over evenly spaced thresholds."""

    counts = ("true_positives", "true_negatives", "false_positives", "false_negatives")

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Any = None,
    ) -> None:
        if thresholds is not None:
            inner = sorted(thresholds)
            num_thresholds = len(inner) + 2
        else:
            if num_thresholds <= 1:
                raise ValueError("`num_thresholds` must be > 1.")
            inner = [(i + 1) * 1.0 / (num_thresholds - 1) for i in range(num_thresholds - 2)]
        super().__init__([0.0, *inner, 1.0], name, dtype)
        self.thresholds = [-K.epsilon(), *inner, 1.0 + K.epsilon()]
        self.num_thresholds, self.curve, self.summation_method = num_thresholds, curve, summation_method

    def result(self) -> Any:
        tp, tn, fp, fn = (tf.convert_to_tensor(getattr(self, k)) for k in self.counts)
        n = self.num_thresholds
        if self.curve == "PR" and self.summation_method == "interpolation":
            dtp = tp[: n - 1] - tp[1:]
            p = tp + fp
            dp = p[: n - 1] - p[1:]
            slope = tf.div_no_nan(dtp, tf.maximum(dp, 0))
            intercept = tp[1:] - slope * p[1:]
            ratio = tf.where(
                tf.logical_and(p[: n - 1] > 0, p[1:] > 0), tf.div_no_nan(p[: n - 1], tf.maximum(p[1:], 0)), tf.ones_like(p[1:])
            )
            return tf.reduce_sum(tf.div_no_nan(slope * (dtp + intercept * tf.log(ratio)), tf.maximum(tp[1:] + fn[1:], 0)))
        recall = tf.div_no_nan(tp, tp + fn)
        x, y = (tf.div_no_nan(fp, fp + tn), recall) if self.curve == "ROC" else (recall, tf.div_no_nan(tp, tp + fp))
        if self.summation_method == "interpolation":
            heights = (y[: n - 1] + y[1:]) / 2.0
        elif self.summation_method == "minoring":
            heights = tf.minimum(y[: n - 1], y[1:])
        else:
            heights = tf.maximum(y[: n - 1], y[1:])
        return tf.reduce_sum(tf.multiply(x[: n - 1] - x[1:], heights))

    def get_config(self) -> dict[str, Any]:
        return {
            **Metric.get_config(self),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
        }


@export("keras.metrics.MeanIoU")
class MeanIoU(Metric):
    """The mean over classes of intersection over union."""

    def __init__(self, num_classes: int, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.num_classes = num_classes
        self.total_cm = self.add_weight("total_confusion_matrix", shape=(num_classes, num_classes), initializer="zeros")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        true, predicted = tf.reshape(tf.cast(y_true, tf.int32), [-1]), tf.reshape(tf.cast(y_pred, tf.int32), [-1])
        rows = tf.one_hot(true, self.num_classes, dtype=self._dtype)
        if sample_weight is not None:
            rows = rows * tf.reshape(tf.cast(sample_weight, self._dtype), [-1, 1])
        return self.total_cm.assign_add(tf.matmul(rows, tf.one_hot(predicted, self.num_classes, dtype=self._dtype), transpose_a=True)).op

    def result(self) -> Any:
        matrix = tf.convert_to_tensor(self.total_cm)
        diagonal = tf.matrix_diag_part(matrix)
        denominator = tf.reduce_sum(matrix, 0) + tf.reduce_sum(matrix, 1) - diagonal
        valid = tf.reduce_sum(tf.cast(tf.not_equal(denominator, 0), self._dtype))
        return tf.div_no_nan(tf.reduce_sum(tf.div_no_nan(diagonal, denominator)), valid)

    def reset_states(self) -> None:
        K.set_value(self.total_cm, np.zeros((self.num_classes, self.num_classes)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "num_classes": self.num_classes}


METRICS: dict[str, Any] = {
    **{k: v for k, v in losses.LOSSES.items() if not isinstance(v, type)},
    "acc": accuracy, "accuracy": accuracy, "binary_accuracy": binary_accuracy, "categorical_accuracy": categorical_accuracy, "cosine": cosine_proximity, "cosine_proximity": cosine_proximity,
    "sparse_categorical_accuracy": sparse_categorical_accuracy, "sparse_top_k_categorical_accuracy": sparse_top_k_categorical_accuracy, "top_k_categorical_accuracy": top_k_categorical_accuracy,
    **{c.__name__: c for c in (
        AUC, Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy, TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy, CosineSimilarity, MeanAbsoluteError,
        MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError, Hinge, SquaredHinge, CategoricalHinge, LogCoshError, Poisson, KLDivergence, BinaryCrossentropy,
        CategoricalCrossentropy, SparseCategoricalCrossentropy, RootMeanSquaredError, TruePositives, TrueNegatives, FalsePositives, FalseNegatives, Precision, Recall, MeanIoU, Mean, Sum,
    )},
}  # fmt: skip


@export("keras.metrics.serialize")
def serialize(metric: Any) -> Any:
    return serialize_keras_object(metric)


@export("keras.metrics.deserialize")
def deserialize(config: Any, custom_objects: Any = None) -> Any:
    return deserialize_keras_object(config, METRICS, custom_objects, "metric function")


@export("keras.metrics.get")
def get(identifier: Any) -> Any:
    if isinstance(identifier, str | dict):
        return deserialize(identifier)
    if callable(identifier):
        return identifier
    raise ValueError(f"Could not interpret metric function identifier: {identifier}")


def is_kind(metric: Any, names: tuple[str, ...]) -> bool:
    return isinstance(metric, str) and metric in names


def for_output(metric: Any, loss: Any, target_shape: Any, output_shape: Any) -> tuple[Any, str]:
    """The metric function and the name `compile` gives it; 'accuracy' by the output and the loss."""
    fn_of_loss = getattr(loss, "fn", None)
    sparse = fn_of_loss is losses.sparse_categorical_crossentropy
    binary = output_shape is not None and output_shape[-1] == 1
    if is_kind(metric, ("accuracy", "acc")):
        if binary or fn_of_loss is losses.binary_crossentropy:
            return binary_accuracy, "acc"
        if sparse or (target_shape is not None and output_shape is not None and target_shape[-1] == 1 and output_shape[-1] != 1):
            return sparse_categorical_accuracy, "acc"
        return categorical_accuracy, "acc"
    if is_kind(metric, ("crossentropy", "ce")):
        if binary or fn_of_loss is losses.binary_crossentropy:
            return losses.binary_crossentropy, "ce"
        return (losses.sparse_categorical_crossentropy if sparse else losses.categorical_crossentropy), "ce"
    found = get(metric)
    name = getattr(found, "name", None) or getattr(found, "__name__", None) or type(found).__name__
    return found, name
