"""What a model function of tf.contrib.learn gives back, the names it uses, and metrics by name."""

from __future__ import annotations

import inspect
from collections import namedtuple
from collections.abc import Callable
from typing import Any

from graphtools import graph as base
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.system import get_logger
from runtime.tf1.train.session_run_hook import SessionRunHook

tf: Any = module("")


@export("contrib.learn.ModeKeys")
class ModeKeys:
    """What a model function is called for."""

    TRAIN = "train"
    EVAL = "eval"
    INFER = "infer"

    @classmethod
    def validate(cls, key: str) -> None:
        if key not in (cls.TRAIN, cls.EVAL, cls.INFER):
            raise ValueError(f"Invalid mode {key}.")


@export("contrib.learn.PredictionKey")
class PredictionKey:
    CLASSES = "classes"
    PROBABILITIES = "probabilities"
    LOGITS = "logits"
    LOGISTIC = "logistic"
    SCORES = "scores"
    TOP_K = "top_k"
    GENERIC = "output"


@export("contrib.learn.ProblemType")
class ProblemType:
    UNSPECIFIED = 0
    CLASSIFICATION = 1
    LINEAR_REGRESSION = 2
    LOGISTIC_REGRESSION = 3


@export("contrib.learn.python.learn.estimators.metric_key.MetricKey")
class MetricKey:
    LOSS = "loss"
    AUC = "auc"
    AUC_PR = "auc_precision_recall"
    CLASS_AUC = "auc/class%d"
    CLASS_AUC_PR = "auc_precision_recall/class%d"
    PREDICTION_MEAN = "labels/prediction_mean"
    CLASS_PREDICTION_MEAN = "labels/prediction_mean/class%d"
    CLASS_LOGITS_MEAN = "labels/logits_mean/class%d"
    CLASS_PROBABILITY_MEAN = "labels/probability_mean/class%d"
    LABEL_MEAN = "labels/actual_label_mean"
    CLASS_LABEL_MEAN = "labels/actual_label_mean/class%d"
    ACCURACY = "accuracy"
    ACCURACY_BASELINE = "accuracy/baseline_label_mean"
    ACCURACY_MEAN = "accuracy/threshold_%f_mean"
    PRECISION_MEAN = "precision/positive_threshold_%f_mean"
    RECALL_MEAN = "recall/positive_threshold_%f_mean"


_Fields = namedtuple(
    "_Fields", "predictions loss train_op eval_metric_ops output_alternatives training_chief_hooks training_hooks scaffold mode"
)


@export("contrib.learn.ModelFnOps")
class ModelFnOps(_Fields):
    """The ops of a model: what its mode needs of loss, train_op, predictions and metrics."""

    __slots__ = ()

    def __new__(
        cls, mode: str, predictions: Any = None, loss: Any = None, train_op: Any = None, eval_metric_ops: Any = None, output_alternatives: Any = None,
        training_chief_hooks: Any = None, training_hooks: Any = None, scaffold: Any = None,
    ) -> ModelFnOps:  # fmt: skip
        ModeKeys.validate(mode)
        if train_op is None:
            if mode == ModeKeys.TRAIN:
                raise ValueError("Missing train_op.")
        elif not isinstance(train_op, base.Node):
            train_op = tf.convert_to_tensor(train_op).op
        if loss is None:
            if mode in (ModeKeys.TRAIN, ModeKeys.EVAL):
                raise ValueError("Missing loss.")
        else:
            loss = tf.convert_to_tensor(loss)
            if loss.get_shape().num_elements() not in (None, 1):
                raise ValueError(f"Loss must be scalar: {loss}.")
            if not loss.get_shape().is_compatible_with(tf.TensorShape([])):
                loss = tf.reshape(loss, [])
        if predictions is None:
            if mode in (ModeKeys.INFER, ModeKeys.EVAL):
                raise ValueError("Missing predictions.")
        elif isinstance(predictions, dict):
            predictions = {k: tf.convert_to_tensor_or_sparse_tensor(v) for k, v in predictions.items()}
        else:
            predictions = tf.convert_to_tensor_or_sparse_tensor(predictions)
        if eval_metric_ops is not None and not isinstance(eval_metric_ops, dict):
            raise ValueError("eval_metric_ops must be a dict.")
        hooks, chief_hooks = list(training_hooks or []), list(training_chief_hooks or [])
        for hook in [*hooks, *chief_hooks]:
            if not isinstance(hook, SessionRunHook):
                raise TypeError(f"All hooks returned from model_fn must be SessionRunHook instances, got instance of {type(hook)}: {hook}")
        return super().__new__(
            cls,
            predictions,
            loss,
            train_op,
            {} if eval_metric_ops is None else eval_metric_ops,
            output_alternatives,
            chief_hooks,
            hooks,
            scaffold,
            mode,
        )

    def estimator_spec(self, default_serving_output_alternative_key: str | None = None) -> Any:
        """The same as a tf.estimator.EstimatorSpec."""
        outputs = None
        if self.output_alternatives:
            alternatives = dict(self.output_alternatives)
            if len(alternatives) > 1 and "serving_default" not in alternatives:
                alternatives["serving_default"] = alternatives[default_serving_output_alternative_key]
            outputs = {key: _export_output(*value) for key, value in alternatives.items()}
        return tf.estimator.EstimatorSpec(
            mode=self.mode, predictions=self.predictions, loss=self.loss, train_op=self.train_op,
            eval_metric_ops={k: v for k, v in self.eval_metric_ops.items() if k != MetricKey.LOSS}, export_outputs=outputs,
            training_chief_hooks=self.training_chief_hooks, training_hooks=self.training_hooks, scaffold=self.scaffold,
        )  # fmt: skip


def _export_output(problem: int, predictions: dict[str, Any]) -> Any:
    scores = predictions.get(PredictionKey.SCORES)
    scores = predictions.get(PredictionKey.PROBABILITIES) if scores is None else scores
    if problem == ProblemType.LINEAR_REGRESSION:
        return tf.estimator.export.RegressionOutput(scores)
    if problem in (ProblemType.CLASSIFICATION, ProblemType.LOGISTIC_REGRESSION):
        classes = predictions.get(PredictionKey.CLASSES)
        if classes is not None and classes.dtype is not tf.string:
            classes = None
        return tf.estimator.export.ClassificationOutput(scores=scores, classes=classes)
    if problem == ProblemType.UNSPECIFIED:
        return tf.estimator.export.PredictOutput(predictions)
    raise ValueError(f"Unknown problem_type={problem}")


# -- metrics by name -----------------------------------------------------------------------------------------------------

# How metric functions call their arguments, the first the usual name.
LABELS = ("labels", "label", "targets", "target")
PREDICTIONS = ("predictions", "prediction", "logits", "logit")
WEIGHTS = ("weights", "weight")


def argument_names(function: Any) -> tuple[str, ...]:
    """The arguments of a function that are still to be given."""
    if hasattr(function, "func") and hasattr(function, "keywords"):
        return tuple(a for a in argument_names(function.func)[len(function.args) :] if a not in function.keywords)
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return ()
    return tuple(p.name for p in signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))


def _name(function: Any) -> str:
    return getattr(function, "__name__", None) or getattr(getattr(function, "func", None), "__name__", None) or str(function)


def _which(name: str, given: tuple[str, ...], candidates: tuple[str, ...], required: bool = False) -> str | None:
    found = [c for c in candidates if c in given]
    if len(found) > 1:
        raise ValueError(f"Ambiguous arguments {set(found)}, must provide only one of {set(candidates)}.")
    if not found and required:
        raise ValueError(f"{set(candidates)} missing from {name}({given}).")
    return found[0] if found else None


@export("contrib.learn.MetricSpec")
class MetricSpec:
    """A metric function, and which of the predictions, labels and features it is given."""

    def __init__(self, metric_fn: Any, prediction_key: Any = None, label_key: Any = None, weight_key: Any = None) -> None:
        self._name = _name(metric_fn)
        self._prediction_key, self._label_key, self._weight_key = prediction_key, label_key, weight_key
        self._metric_fn = _adapted(metric_fn, self._name, label_key is not None, weight_key is not None)

    prediction_key = property(lambda self: self._prediction_key)
    label_key = property(lambda self: self._label_key)
    weight_key = property(lambda self: self._weight_key)
    metric_fn = property(lambda self: self._metric_fn)

    def __str__(self) -> str:
        return f"MetricSpec(metric_fn={self._name}, prediction_key={self._prediction_key}, label_key={self._label_key}, weight_key={self._weight_key})"

    def create_metric_ops(self, inputs: Any, labels: Any, predictions: Any) -> Any:
        prediction = _chosen("prediction", predictions, self._prediction_key)
        label = _chosen("label", labels, self._label_key)
        try:
            weights = inputs[self._weight_key] if self._weight_key else None
            return self._metric_fn(labels=label, predictions=prediction, weights=weights)
        except Exception as e:
            get_logger().error("Could not create metric ops for %s, %s.", self, e)
            raise


def _chosen(kind: str, value: Any, key: Any) -> Any:
    if key:
        if not isinstance(value, dict):
            raise ValueError(
                f"MetricSpec with {kind}_key specified requires {kind}s dict, got {value}.\n"
                f"You must not provide a {kind}_key if you only have a single Tensor as {kind}s."
            )
        if key not in value:
            raise KeyError(f"Key '{key}' missing from {value.keys()}.")
        return value[key]
    if isinstance(value, dict):
        if len(value) != 1:
            raise ValueError(f"MetricSpec without specified {kind}_key requires {kind}s tensor or single element dict, got {value}")
        return next(iter(value.values()))
    return value


def _adapted(function: Any, name: str, labels_required: bool, weights_required: bool) -> Callable[..., Any]:
    """The function with the arguments labels, predictions and weights."""
    given = argument_names(function)
    label = _which(name, given, LABELS, labels_required)
    prediction = _which(name, given, PREDICTIONS)
    weight = _which(name, given, WEIGHTS, weights_required)

    def metric(_sentinel: Any = None, labels: Any = None, predictions: Any = None, weights: Any = None) -> Any:
        if _sentinel is not None:
            raise ValueError("`metric_fn` requires named args: `labels`, `predictions`, and optionally `weights`.")
        kwargs = {} if weights is None else {weight or "weights": weights}
        if prediction:
            kwargs[prediction] = predictions
            if label:
                kwargs[label] = labels
            return function(**kwargs)
        if not label:
            return function(predictions, **kwargs)
        if given[0] == label:
            return function(labels, predictions, **kwargs)
        return function(predictions, **{label: labels}, **kwargs)

    return metric


def make_metrics(metrics: Any, features: Any, labels: Any, predictions: Any) -> dict[str, Any]:
    """The (value, update) pairs of metrics given as MetricSpecs, as functions by name, or by (name, prediction)."""
    lone = next(iter(labels.values())) if isinstance(labels, dict) and len(labels) == 1 else labels
    made: dict[str, Any] = {}
    for name, metric in sorted((metrics or {}).items(), key=lambda item: str(item[0])):
        if isinstance(metric, MetricSpec):
            made[name] = metric.create_metric_ops(features, labels, predictions)
        elif isinstance(name, tuple):
            if len(name) != 2:
                raise ValueError(f"Invalid metric for {name}. It returned a tuple with len {len(name)}, expected 2.")
            if not isinstance(predictions, dict):
                raise ValueError(
                    f"Metrics passed provide (name, prediction), but predictions are not dict. Metrics: {metrics}, Predictions: {predictions}."
                )
            own = labels[name[1]] if isinstance(labels, dict) and name[1] in labels else lone
            made[name[0]] = metric(predictions[name[1]], own)
        else:
            if isinstance(predictions, dict):
                raise ValueError(
                    f"Metrics passed provide only name, no prediction, but predictions are dict. Metrics: {metrics}, Labels: {lone}."
                )
            made[name] = metric(predictions, lone)
    return made
