"""What canned Estimators make of logits: predictions, losses, metrics."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools.dtypes import float32, int32, int64, string
from runtime.tf1 import array_ops, math_ops, nn_ops
from runtime.tf1.estimator.spec import ClassificationOutput, EstimatorSpec, ModeKeys, PredictOutput, RegressionOutput
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, get_default_graph
from runtime.tf1.losses import Reduction, compute_weighted_loss
from runtime.tf1.modules import lookup

SERVING = "serving_default"


class Head:
    """The last part of a model: `units` logits per example, and what they mean."""

    units = 1

    def __init__(self, weight_column: Any = None, loss_reduction: str = Reduction.SUM) -> None:
        Reduction.validate(loss_reduction)
        if loss_reduction == Reduction.NONE:
            raise ValueError(f"Invalid loss_reduction: {loss_reduction}")
        self._weight_column, self._reduction = weight_column, loss_reduction

    def predictions(self, logits: Any) -> dict[str, Any]:
        raise NotImplementedError

    def losses(self, labels: Any, logits: Any) -> Any:
        """The loss of each example."""
        raise NotImplementedError

    def labels(self, labels: Any) -> Any:
        raise NotImplementedError

    def metrics(self, labels: Any, predictions: dict[str, Any], losses: Any, weights: Any) -> dict[str, Any]:
        return {"average_loss": lookup("metrics.mean")(losses, weights=weights)}

    def exports(self, predictions: dict[str, Any]) -> dict[str, Any]:
        return {SERVING: PredictOutput(predictions), "predict": PredictOutput(predictions)}

    def spec(self, features: Any, mode: str, logits: Any, labels: Any, train: Any) -> EstimatorSpec:
        """The EstimatorSpec; `train(loss)` makes the op of a training step."""
        predictions = self.predictions(logits)
        if mode == ModeKeys.PREDICT:
            return EstimatorSpec(mode, predictions=predictions, export_outputs=self.exports(predictions))
        if labels is None:
            raise ValueError(
                "You must provide a labels Tensor. Given: None. Suggested troubleshooting steps: Check that your data contain your label feature."
            )
        labels = self.labels(_column(labels))
        weights = self._weights(features)
        losses = self.losses(labels, logits)
        loss = compute_weighted_loss(losses, weights=weights, reduction=self._reduction)
        if mode == ModeKeys.EVAL:
            metrics = self.metrics(labels, predictions, losses, weights if self._weight_column is not None else None)
            return EstimatorSpec(mode, predictions=predictions, loss=loss, eval_metric_ops=metrics)
        return EstimatorSpec(mode, predictions=predictions, loss=loss, train_op=train(loss))

    def _weights(self, features: Any) -> Any:
        column = self._weight_column
        if column is None:
            return 1.0
        weights = math_ops.cast(features[column if isinstance(column, str) else column.key], float32)
        if not isinstance(column, str) and column.normalizer_fn is not None:
            weights = column.normalizer_fn(weights)
        return _column(weights)


def _column(tensor: Any) -> Any:
    tensor = convert_to_tensor(tensor)
    return array_ops.expand_dims(tensor, -1) if tensor.rank == 1 else tensor


class RegressionHead(Head):
    """Mean squared error of `label_dimension` values."""

    def __init__(self, label_dimension: int = 1, weight_column: Any = None, loss_reduction: str = Reduction.SUM) -> None:
        super().__init__(weight_column, loss_reduction)
        if label_dimension < 1:
            raise ValueError(f"Invalid label_dimension {label_dimension}.")
        self.units = label_dimension

    def predictions(self, logits: Any) -> dict[str, Any]:
        return {"predictions": logits}

    def labels(self, labels: Any) -> Any:
        return math_ops.cast(labels, float32)

    def losses(self, labels: Any, logits: Any) -> Any:
        return apply_op("SquaredDifference", None, x=logits, y=labels)

    def metrics(self, labels: Any, predictions: dict[str, Any], losses: Any, weights: Any) -> dict[str, Any]:
        mean = lookup("metrics.mean")
        return {
            **super().metrics(labels, predictions, losses, weights),
            "prediction/mean": mean(predictions["predictions"], weights=weights),
            "label/mean": mean(labels, weights=weights),
        }

    def exports(self, predictions: dict[str, Any]) -> dict[str, Any]:
        value = RegressionOutput(predictions["predictions"])
        return {SERVING: value, "predict": PredictOutput(predictions), "regression": value}


class _ClassHead(Head):
    """What the heads of classifiers share: names of classes."""

    def __init__(self, n_classes: int, label_vocabulary: Any, weight_column: Any, loss_reduction: str) -> None:
        super().__init__(weight_column, loss_reduction)
        self.classes, self._vocabulary = n_classes, list(label_vocabulary) if label_vocabulary is not None else None
        if self._vocabulary is not None and len(self._vocabulary) != n_classes:
            raise ValueError(f'"label_vocabulary" does not have "n_classes" items. Required: {n_classes} Given: {self._vocabulary}')

    def labels(self, labels: Any) -> Any:
        if self._vocabulary is not None:
            if labels.dtype is not string:
                raise ValueError(f"Labels dtype should be string when label_vocabulary is given. Given: {labels.dtype}")
            return lookup("contrib.lookup.index_table_from_tensor")(self._vocabulary, name="class_id_lookup").lookup(labels)
        if not labels.dtype.is_integer and self.classes > 2:
            raise ValueError(f"Labels dtype should be integer. Instead got {labels.dtype}.")
        return labels

    def _named(self, ids: Any) -> Any:
        if self._vocabulary is None:
            return apply_op("AsString", "str_classes", input=ids)
        table = lookup("contrib.lookup.index_to_string_table_from_tensor")(vocabulary_list=self._vocabulary, name="class_string_lookup")
        return table.lookup(math_ops.cast(ids, int64))

    def _all(self, logits: Any) -> dict[str, Any]:
        """Every class's id and name, for each example."""
        count = array_ops.shape(logits)[0]
        ids = constant(np.arange(self.classes, dtype=np.int32), int32)
        names = constant(self._vocabulary if self._vocabulary is not None else [str(i) for i in np.arange(self.classes).tolist()])
        multiples = array_ops.stack([count, 1])
        return {
            "all_class_ids": apply_op("Tile", None, input=array_ops.expand_dims(ids, 0), multiples=multiples),
            "all_classes": apply_op("Tile", None, input=array_ops.expand_dims(names, 0), multiples=multiples),
        }

    def exports(self, predictions: dict[str, Any]) -> dict[str, Any]:
        output = ClassificationOutput(scores=predictions["probabilities"], classes=predictions["all_classes"])
        return {SERVING: output, "classification": output, "predict": PredictOutput(predictions)}


class BinaryHead(_ClassHead):
    """Two classes from one logit."""

    def __init__(
        self, thresholds: Any = (), label_vocabulary: Any = None, weight_column: Any = None, loss_reduction: str = Reduction.SUM
    ) -> None:
        super().__init__(2, label_vocabulary, weight_column, loss_reduction)

    def predictions(self, logits: Any) -> dict[str, Any]:
        logistic = math_ops.sigmoid(logits, name="logistic")
        both = array_ops.concat((array_ops.zeros_like(logits), logits), axis=-1, name="two_class_logits")
        probabilities = nn_ops.softmax(both, name="probabilities")
        ids = array_ops.expand_dims(math_ops.argmax(both, axis=-1, name="class_ids"), axis=-1)
        made = {"logits": logits, "logistic": logistic, "probabilities": probabilities, "class_ids": ids, "classes": self._named(ids)}
        return made | self._all(logits)

    def labels(self, labels: Any) -> Any:
        return math_ops.cast(super().labels(labels), float32)

    def losses(self, labels: Any, logits: Any) -> Any:
        return nn_ops.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)

    def metrics(self, labels: Any, predictions: dict[str, Any], losses: Any, weights: Any) -> dict[str, Any]:
        ids, logistic = predictions["class_ids"], predictions["logistic"]

        def metric(name: str, of: Any, **more: Any) -> Any:
            return lookup(f"metrics.{name}")(labels=labels, predictions=of, weights=weights, **more)

        mean = lookup("metrics.mean")
        share = mean(labels, weights=weights)
        return {
            **super().metrics(labels, predictions, losses, weights),
            "accuracy": metric("accuracy", ids),
            "precision": metric("precision", ids),
            "recall": metric("recall", ids),
            "prediction/mean": mean(logistic, weights=weights),
            "label/mean": share,
            "accuracy_baseline": tuple(math_ops.maximum(v, 1.0 - v) for v in share),
            "auc": metric("auc", logistic),
            "auc_precision_recall": metric("auc", logistic, curve="PR"),
        }


class MultiClassHead(_ClassHead):
    """More than two classes, a logit each."""

    def __init__(
        self, n_classes: int, label_vocabulary: Any = None, weight_column: Any = None, loss_reduction: str = Reduction.SUM
    ) -> None:
        if n_classes is None or n_classes <= 2:
            raise ValueError(f"n_classes must be > 2: {n_classes}. For n_classes = 2 use a binary head.")
        given = convert_to_tensor(n_classes)
        with get_default_graph().control_dependencies([lookup("assert_greater")(given, 2, message="n_classes must be greater than 2")]):
            lookup("no_op")()
        super().__init__(n_classes, label_vocabulary, weight_column, loss_reduction)
        self.units = n_classes

    def predictions(self, logits: Any) -> dict[str, Any]:
        ids = array_ops.expand_dims(math_ops.argmax(logits, axis=-1, name="class_ids"), axis=-1)
        probabilities = nn_ops.softmax(logits, name="probabilities")
        return {"logits": logits, "probabilities": probabilities, "class_ids": ids, "classes": self._named(ids)} | self._all(logits)

    def losses(self, labels: Any, logits: Any) -> Any:
        each = nn_ops.sparse_softmax_cross_entropy_with_logits(labels=array_ops.squeeze(labels, axis=[-1]), logits=logits)
        return array_ops.expand_dims(each, -1)

    def metrics(self, labels: Any, predictions: dict[str, Any], losses: Any, weights: Any) -> dict[str, Any]:
        accuracy = lookup("metrics.accuracy")(labels=labels, predictions=predictions["class_ids"], weights=weights)
        return {**super().metrics(labels, predictions, losses, weights), "accuracy": accuracy}


def class_head(n_classes: int, label_vocabulary: Any, weight_column: Any, loss_reduction: str) -> Head:
    if n_classes == 2:
        return BinaryHead((), label_vocabulary, weight_column, loss_reduction)
    return MultiClassHead(n_classes, label_vocabulary, weight_column, loss_reduction)
