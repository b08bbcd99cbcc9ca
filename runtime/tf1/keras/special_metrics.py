"""Metrics of tf.keras that keep tensors, are relative to something, or hold one rate at another."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.tf1.keras import backend as K
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.losses import squeeze_or_expand
from runtime.tf1.keras.metrics import METRICS, Confusion, Mean, Metric
from runtime.tf1.losses import broadcast_weights
from runtime.tf1.registry import export
from runtime.tf1.special_math_ops import remove_squeezable_dimensions
from runtime.tf1.tensor_shape import TensorShape


@export("keras.metrics.MeanTensor")
class MeanTensor(Metric):
    """The mean of each element; the first values say how many there are."""

    def __init__(self, name: str = "mean_tensor", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self._shape: Any = None
        self.total = self.count = None

    def _begin(self, shape: Any) -> None:
        self._shape = TensorShape(shape)
        self.total = self.add_weight("total", shape=shape, initializer="zeros")
        self.count = self.add_weight("count", shape=shape, initializer="zeros")

    def update_state(self, values: Any, sample_weight: Any = None) -> Any:
        values = tf.cast(values, self._dtype)
        if self._shape is None:
            self._begin(values.shape)
        elif values.shape.as_list() != self._shape.as_list():
            raise ValueError(
                f"MeanTensor input values must always have the same shape. Expected shape (set during the first call): {self._shape}. Got: {values.shape}"
            )
        counts = tf.ones_like(values)
        if sample_weight is not None:
            sample_weight = tf.cast(sample_weight, self._dtype)
            values, _, sample_weight = squeeze_or_expand(values, None, sample_weight)
            try:
                sample_weight = broadcast_weights(sample_weight, values)
            except ValueError:
                values = tf.reduce_mean(values, axis=list(range(sample_weight.shape.ndims, values.shape.ndims)))
            counts = tf.multiply(counts, sample_weight)
            values = tf.multiply(values, sample_weight)
        update = self.total.assign_add(values).op  # type: ignore[attr-defined]
        with tf.control_dependencies([update]):
            return self.count.assign_add(counts).op  # type: ignore[attr-defined]

    def result(self) -> Any:
        if self._shape is None:
            raise ValueError(
                "MeanTensor does not have any result yet. Please call the MeanTensor instance or use `.update_state(value)` before retrieving the result."
            )
        return tf.div_no_nan(tf.convert_to_tensor(self.total), tf.convert_to_tensor(self.count))

    def reset_states(self) -> None:
        if self._shape is not None:
            K.batch_set_value([(v, np.zeros(self._shape.as_list())) for v in self.variables])


@export("keras.metrics.MeanRelativeError")
class MeanRelativeError(Mean):
    """The mean of |y_true - y_pred| / normalizer."""

    def __init__(self, normalizer: Any, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)  # type: ignore[arg-type]
        self.normalizer = tf.cast(normalizer, self._dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:  # type: ignore[override]
        y_true, y_pred = tf.cast(y_true, self._dtype), tf.cast(y_pred, self._dtype)
        y_pred, y_true, _ = squeeze_or_expand(y_pred, y_true, None)
        y_pred, self.normalizer = remove_squeezable_dimensions(y_pred, self.normalizer)
        y_pred.shape.assert_is_compatible_with(y_true.shape)
        return super().update_state(tf.div_no_nan(tf.abs(y_true - y_pred), self.normalizer), sample_weight=sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "normalizer": K.get_value(self.normalizer)}


class RateAtRate(Confusion):
    """One rate at the threshold where another is nearest to `value`."""

    counts = ("true_positives", "true_negatives", "false_positives", "false_negatives")

    def __init__(self, value: float, num_thresholds: int = 200, name: str | None = None, dtype: Any = None) -> None:
        if not 0 <= value <= 1:
            raise ValueError(f"`{self._argument}` must be in the range [0, 1].")
        if num_thresholds <= 0:
            raise ValueError("`num_thresholds` must be > 0.")
        inner = [(i + 1) * 1.0 / (num_thresholds - 1) for i in range(num_thresholds - 2)]
        super().__init__([0.5] if num_thresholds == 1 else [0.0, *inner, 1.0], name, dtype)
        self.value, self.num_thresholds = value, num_thresholds
        setattr(self, self._argument, value)

    _argument = "value"
    _held: tuple[str, str] = ("", "")
    _given: tuple[str, str] = ("", "")

    def result(self) -> Any:
        def rate(of: tuple[str, str]) -> Any:
            first, second = (tf.convert_to_tensor(getattr(self, kind)) for kind in of)
            return tf.div_no_nan(first, first + second)

        nearest = tf.cast(tf.argmin(tf.abs(rate(self._held) - self.value), axis=0), tf.int32)
        return rate(self._given)[nearest]

    def get_config(self) -> dict[str, Any]:
        return {**Metric.get_config(self), "num_thresholds": self.num_thresholds, self._argument: self.value}


_SENSITIVITY = ("true_positives", "false_negatives")
_SPECIFICITY = ("true_negatives", "false_positives")


@export("keras.metrics.SensitivityAtSpecificity")
class SensitivityAtSpecificity(RateAtRate):
    _argument, _held, _given = "specificity", _SPECIFICITY, _SENSITIVITY

    def __init__(self, specificity: float, num_thresholds: int = 200, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(specificity, num_thresholds, name, dtype)


@export("keras.metrics.SpecificityAtSensitivity")
class SpecificityAtSensitivity(RateAtRate):
    _argument, _held, _given = "sensitivity", _SENSITIVITY, _SPECIFICITY

    def __init__(self, sensitivity: float, num_thresholds: int = 200, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(sensitivity, num_thresholds, name, dtype)


METRICS.update({c.__name__: c for c in (MeanTensor, MeanRelativeError, SensitivityAtSpecificity, SpecificityAtSensitivity)})
