"""The heads that scripts give to tf.estimator.DNNEstimator and its like: tf.estimator.*Head and tf.contrib.estimator.*_head."""

from __future__ import annotations

import inspect
from typing import Any

from graphtools.dtypes import float32, int64
from runtime.tf1 import array_ops, math_ops, nn_ops
from runtime.tf1.control_flow_ops import group
from runtime.tf1.estimator import heads
from runtime.tf1.estimator.spec import ClassificationOutput, EstimatorSpec, ModeKeys, PredictOutput
from runtime.tf1.losses import Reduction
from runtime.tf1.modules import lookup
from runtime.tf1.registry import export
from runtime.tf1.sparse_tensor import SparseTensor
from runtime.tf1.train.training_util import get_global_step

# How TensorFlow 2 calls reductions -> what they are here.
REDUCTIONS = {"none": Reduction.NONE, "sum": Reduction.SUM, "sum_over_batch_size": Reduction.SUM_OVER_BATCH_SIZE}
MEAN = Reduction.SUM_OVER_BATCH_SIZE


def _reduction(given: str) -> str:
    return REDUCTIONS.get(given, given)


class _Public(heads.Head):
    """What all public heads have: a name, a loss function of the script's, and create_estimator_spec."""

    name: str | None = None
    loss_fn: Any = None

    def named(self, name: str | None, loss_fn: Any = None) -> Any:
        self.name, self.loss_fn = name, loss_fn
        return self

    @property
    def logits_dimension(self) -> int:
        return self.units

    @property
    def loss_reduction(self) -> str:
        return self._reduction

    def _own_losses(self, labels: Any, logits: Any, features: Any) -> Any:
        given = {"labels": labels, "logits": logits, "features": features, "loss_reduction": self._reduction}
        names = inspect.signature(self.loss_fn).parameters
        return self.loss_fn(**{k: v for k, v in given.items() if k in names})

    def losses_of(self, labels: Any, logits: Any, features: Any) -> Any:
        return self.losses(labels, logits) if self.loss_fn is None else self._own_losses(labels, logits, features)

    def create_loss(self, features: Any, mode: str, logits: Any, labels: Any) -> tuple[Any, Any, Any, Any]:
        """(loss, losses, weights, labels as they are used)."""
        labels = self.labels(heads._column(labels) if not isinstance(labels, SparseTensor) else labels)
        weights = self._weights(features)
        losses = self.losses_of(labels, logits, features)
        return heads.compute_weighted_loss(losses, weights=weights, reduction=self._reduction), losses, weights, labels

    def metric_ops(self, labels: Any, predictions: Any, losses: Any, weights: Any) -> dict[str, Any]:
        found = self.metrics(labels, predictions, losses, weights if self._weight_column is not None else None)
        return {f"{k}/{self.name}" if self.name else k: v for k, v in found.items()}

    def create_estimator_spec(
        self, features: Any, mode: str, logits: Any, labels: Any = None, optimizer: Any = None, trainable_variables: Any = None, train_op_fn: Any = None,
        update_ops: Any = None, regularization_losses: Any = None,
    ) -> EstimatorSpec:  # fmt: skip
        predictions = self.predictions(logits)
        if mode == ModeKeys.PREDICT:
            return EstimatorSpec(mode, predictions=predictions, export_outputs=self.exports(predictions))
        if labels is None:
            raise ValueError("You must provide a labels Tensor. Given: None.")
        loss, losses, weights, labels = self.create_loss(features, mode, logits, labels)
        if regularization_losses:
            loss = math_ops.add_n([loss, math_ops.add_n(list(regularization_losses))])
        if mode == ModeKeys.EVAL:
            return EstimatorSpec(
                mode, predictions=predictions, loss=loss, eval_metric_ops=self.metric_ops(labels, predictions, losses, weights)
            )
        return EstimatorSpec(
            mode, predictions=predictions, loss=loss, train_op=train_step(loss, optimizer, train_op_fn, trainable_variables, update_ops)
        )

    def spec(self, features: Any, mode: str, logits: Any, labels: Any, train: Any) -> EstimatorSpec:
        return self.create_estimator_spec(features, mode, logits, labels, train_op_fn=train)


def train_step(loss: Any, optimizer: Any, train_op_fn: Any, variables: Any, update_ops: Any) -> Any:
    if (optimizer is None) == (train_op_fn is None):
        raise ValueError("Exactly one of optimizer and train_op_fn must be given in TRAIN mode.")
    if optimizer is not None:
        op = optimizer.minimize(loss, global_step=get_global_step(), var_list=variables)
    else:
        op = train_op_fn(loss)
    return group(op, *update_ops) if update_ops else op


class _Regression(_Public, heads.RegressionHead):
    """Squared error, with a function from logits to predictions."""

    inverse_link: Any = None

    def predictions(self, logits: Any) -> dict[str, Any]:
        if self.inverse_link is None:
            return {"predictions": logits}
        return {"predictions": self.inverse_link(logits), "logits": logits}


class _Poisson(_Regression):
    def losses(self, labels: Any, logits: Any) -> Any:
        return lookup("nn.log_poisson_loss")(targets=labels, log_input=logits, compute_full_loss=True)


class _Logistic(_Regression):
    def losses(self, labels: Any, logits: Any) -> Any:
        return nn_ops.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)


class _Binary(_Public, heads.BinaryHead):
    thresholds: Any = ()

    def metrics(self, labels: Any, predictions: dict[str, Any], losses: Any, weights: Any) -> dict[str, Any]:
        found = super().metrics(labels, predictions, losses, weights)
        for t in self.thresholds or ():
            over = math_ops.cast(math_ops.greater_equal(predictions["logistic"], t), float32)
            given = {"labels": labels, "predictions": over, "weights": weights}
            found[f"accuracy/positive_threshold_{t:g}"] = lookup("metrics.accuracy")(**given)
            found[f"precision/positive_threshold_{t:g}"] = lookup("metrics.precision")(**given)
            found[f"recall/positive_threshold_{t:g}"] = lookup("metrics.recall")(**given)
        return found


class _MultiClass(_Public, heads.MultiClassHead):
    pass


class _MultiLabel(_Public, heads._ClassHead):
    """Any number of classes per example."""

    thresholds: Any = ()
    of_class: Any = ()

    def __init__(self, n_classes: int, label_vocabulary: Any, weight_column: Any, loss_reduction: str) -> None:
        if n_classes is None or n_classes < 2:
            raise ValueError(f"n_classes must be > 1 for multi-label classification. Given: {n_classes}")
        super().__init__(n_classes, label_vocabulary, weight_column, loss_reduction)
        self.units = n_classes

    def labels(self, labels: Any) -> Any:
        if isinstance(labels, SparseTensor):
            if self._vocabulary is not None:
                table = lookup("contrib.lookup.index_table_from_tensor")(self._vocabulary, name="class_id_lookup")
                labels = SparseTensor(labels.indices, table.lookup(labels.values), labels.dense_shape)
            labels = math_ops.cast(lookup("sparse_to_indicator")(labels, self.classes), int64)
        return math_ops.cast(labels, float32)

    def predictions(self, logits: Any) -> dict[str, Any]:
        return {"logits": logits, "probabilities": math_ops.sigmoid(logits, name="probabilities")}

    def losses(self, labels: Any, logits: Any) -> Any:
        each = nn_ops.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
        return math_ops.reduce_mean(each, axis=-1, keepdims=True)

    def metrics(self, labels: Any, predictions: dict[str, Any], losses: Any, weights: Any) -> dict[str, Any]:
        auc, mean = lookup("metrics.auc"), lookup("metrics.mean")
        probabilities = predictions["probabilities"]
        found = {
            **super().metrics(labels, predictions, losses, weights),
            "auc": auc(labels=labels, predictions=probabilities, weights=weights),
            "auc_precision_recall": auc(labels=labels, predictions=probabilities, weights=weights, curve="PR"),
        }
        for t in self.thresholds or ():
            given = {"labels": labels, "predictions": math_ops.cast(math_ops.greater_equal(probabilities, t), float32), "weights": weights}
            for kind in ("accuracy", "precision", "recall"):
                found[f"{kind}/positive_threshold_{t:g}"] = lookup(f"metrics.{kind}")(**given)
        for i in self.of_class or ():
            found[f"probability_mean/class{i}"] = mean(probabilities[:, i], weights=weights)
            given = {"labels": labels[:, i], "predictions": probabilities[:, i], "weights": weights}
            found[f"auc/class{i}"] = auc(**given)
            found[f"auc_precision_recall/class{i}"] = auc(**given, curve="PR")
        return found

    def exports(self, predictions: dict[str, Any]) -> dict[str, Any]:
        classes = self._all(predictions["logits"])["all_classes"]
        output = ClassificationOutput(scores=predictions["probabilities"], classes=classes)
        return {heads.SERVING: output, "classification": output, "predict": PredictOutput(predictions)}


class _Multi(_Public):
    """Several heads, each with logits of its own."""

    def __init__(self, members: Any, weights: Any) -> None:
        super().__init__()
        names = [h.name for h in members]
        if not members:
            raise ValueError("Must specify heads. Given: []")
        if None in names:
            raise ValueError(f"All given heads must have name specified. Given: {members}")
        if len(set(names)) != len(names):
            raise ValueError(f"All heads must have unique names. Given: {names}")
        if weights and len(weights) != len(members):
            raise ValueError(
                f"heads and head_weights must have the same size. Given len(heads): {len(members)}. Given len(head_weights): {len(weights)}."
            )
        self._members, self._head_weights = list(members), list(weights or ())
        self.units = sum(h.units for h in members)
        self.named("_".join(names))

    def _split(self, logits: Any) -> dict[str, Any]:
        if isinstance(logits, dict):
            return logits
        found, begin = {}, 0
        for head in self._members:
            found[head.name] = array_ops.slice_(logits, [0, begin], [-1, head.units])
            begin += head.units
        return found

    def create_estimator_spec(
        self, features: Any, mode: str, logits: Any, labels: Any = None, optimizer: Any = None, trainable_variables: Any = None, train_op_fn: Any = None,
        update_ops: Any = None, regularization_losses: Any = None,
    ) -> EstimatorSpec:  # fmt: skip
        own = self._split(logits)
        specs, losses, metrics = [], [], {}
        predictions: dict[Any, Any] = {}
        outputs: dict[str, Any] = {}
        for i, head in enumerate(self._members):
            if mode == ModeKeys.PREDICT:
                spec = head.create_estimator_spec(features, mode, own[head.name])
                for key, value in (spec.export_outputs or {}).items():
                    outputs[head.name if key == heads.SERVING else f"{head.name}/{key}"] = value
                    if i == 0 and key == heads.SERVING:
                        outputs[key] = value
            else:
                spec = head.create_estimator_spec(
                    features,
                    ModeKeys.EVAL if mode == ModeKeys.EVAL else mode,
                    own[head.name],
                    labels[head.name],
                    train_op_fn=lambda loss: lookup("no_op")(),
                )
                losses.append(spec.loss if not self._head_weights else math_ops.multiply(spec.loss, self._head_weights[i]))
                metrics.update(spec.eval_metric_ops)
            specs.append(spec)
            predictions.update({(head.name, k): v for k, v in spec.predictions.items()})
        if mode == ModeKeys.PREDICT:
            outputs["predict"] = PredictOutput({f"{h}/{k}": v for (h, k), v in predictions.items()})
            return EstimatorSpec(mode, predictions=predictions, export_outputs=outputs)
        loss = math_ops.add_n(losses)
        if regularization_losses:
            loss = math_ops.add_n([loss, math_ops.add_n(list(regularization_losses))])
        mean = lookup("metrics.mean")
        if mode == ModeKeys.EVAL:
            for head, spec in zip(self._members, specs, strict=True):
                metrics[f"loss/{head.name}"] = mean(spec.loss)
            return EstimatorSpec(mode, predictions=predictions, loss=loss, eval_metric_ops=metrics)
        return EstimatorSpec(
            mode, predictions=predictions, loss=loss, train_op=train_step(loss, optimizer, train_op_fn, trainable_variables, update_ops)
        )


export("estimator.Head")(_Public)


# -- tf.contrib.estimator --------------------------------------------------------------------------------------------------


@export("contrib.estimator.regression_head")
def regression_head(
    weight_column: Any = None,
    label_dimension: int = 1,
    loss_reduction: str = MEAN,
    loss_fn: Any = None,
    inverse_link_fn: Any = None,
    name: str | None = None,
) -> Any:
    made = _Regression(label_dimension, weight_column, _reduction(loss_reduction)).named(name, loss_fn)
    made.inverse_link = inverse_link_fn
    return made


@export("contrib.estimator.poisson_regression_head")
def poisson_regression_head(
    weight_column: Any = None, label_dimension: int = 1, loss_reduction: str = MEAN, compute_full_loss: bool = True, name: str | None = None
) -> Any:
    made = _Poisson(label_dimension, weight_column, _reduction(loss_reduction)).named(name)
    made.inverse_link = lookup("exp")
    return made


@export("contrib.estimator.logistic_regression_head")
def logistic_regression_head(weight_column: Any = None, loss_reduction: str = MEAN, name: str | None = None) -> Any:
    made = _Logistic(1, weight_column, _reduction(loss_reduction)).named(name)
    made.inverse_link = math_ops.sigmoid
    return made


@export("contrib.estimator.binary_classification_head")
def binary_classification_head(
    weight_column: Any = None,
    thresholds: Any = None,
    label_vocabulary: Any = None,
    loss_reduction: str = MEAN,
    loss_fn: Any = None,
    name: str | None = None,
) -> Any:
    made = _Binary((), label_vocabulary, weight_column, _reduction(loss_reduction)).named(name, loss_fn)
    made.thresholds = tuple(thresholds or ())
    return made


@export("contrib.estimator.multi_class_head")
def multi_class_head(
    n_classes: int,
    weight_column: Any = None,
    label_vocabulary: Any = None,
    loss_reduction: str = MEAN,
    loss_fn: Any = None,
    name: str | None = None,
) -> Any:
    return _MultiClass(n_classes, label_vocabulary, weight_column, _reduction(loss_reduction)).named(name, loss_fn)


@export("contrib.estimator.multi_label_head")
def multi_label_head(
    n_classes: int, weight_column: Any = None, thresholds: Any = None, label_vocabulary: Any = None, loss_reduction: str = MEAN, loss_fn: Any = None,
    classes_for_class_based_metrics: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    made = _MultiLabel(n_classes, label_vocabulary, weight_column, _reduction(loss_reduction)).named(name, loss_fn)
    made.thresholds, made.of_class = tuple(thresholds or ()), tuple(classes_for_class_based_metrics or ())
    return made


@export("contrib.estimator.multi_head")
def multi_head(heads: Any, head_weights: Any = None) -> Any:
    return _Multi(heads, head_weights)


# -- tf.estimator ----------------------------------------------------------------------------------------------------------


@export("estimator.RegressionHead")
def regression_head_v2(
    label_dimension: int = 1,
    weight_column: Any = None,
    loss_reduction: str = MEAN,
    loss_fn: Any = None,
    inverse_link_fn: Any = None,
    name: str | None = None,
) -> Any:
    return regression_head(weight_column, label_dimension, loss_reduction, loss_fn, inverse_link_fn, name)


@export("estimator.PoissonRegressionHead")
def poisson_regression_head_v2(
    label_dimension: int = 1, weight_column: Any = None, loss_reduction: str = MEAN, compute_full_loss: bool = True, name: str | None = None
) -> Any:
    return poisson_regression_head(weight_column, label_dimension, loss_reduction, compute_full_loss, name)


export("estimator.LogisticRegressionHead")(logistic_regression_head)
export("estimator.BinaryClassHead")(binary_classification_head)
export("estimator.MultiClassHead")(multi_class_head)
export("estimator.MultiLabelHead")(multi_label_head)
export("estimator.MultiHead")(multi_head)
