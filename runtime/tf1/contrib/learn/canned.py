"""tf.contrib.learn's ready-made models: linear, deep, and both combined."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from runtime.tf1.contrib import feature_column_ops
from runtime.tf1.contrib.feature_columns import LayersColumn, _EmbeddingColumn
from runtime.tf1.contrib.learn import head as heads
from runtime.tf1.contrib.learn.estimator import Estimator
from runtime.tf1.contrib.learn.model_fn import MetricKey, MetricSpec, ModeKeys, ModelFnOps, PredictionKey, ProblemType
from runtime.tf1.modules import module
from runtime.tf1.registry import export

tf: Any = module("")

LINEAR_RATE, DEEP_RATE = 0.2, 0.05
SLICE = 64 << 20


def _named(features: Any) -> dict[Any, Any]:
    return features if isinstance(features, dict) else {"": features}


def _made(optimizer: Any) -> Any:
    return optimizer() if callable(optimizer) else optimizer


def _linear_optimizer(spec: Any) -> Any:
    if isinstance(spec, str):
        return tf.contrib.layers.OPTIMIZER_CLS_NAMES[spec](learning_rate=LINEAR_RATE)
    return _made(spec)


def _linear_rate(columns: Any) -> float:
    return min(LINEAR_RATE, 1.0 / math.sqrt(len(columns)))


def _is_layers(columns: Iterable[Any]) -> bool:
    return all(isinstance(c, LayersColumn) for c in columns)


def _partitioner(config: Any, slice_size: int = SLICE) -> Any:
    return tf.min_max_variable_partitioner(max_partitions=config.num_ps_replicas if config else 0, min_slice_size=slice_size)


def _linear_logits(features: Any, columns: Any, units: int, joint: bool, scope: Any) -> Any:
    if not _is_layers(columns):
        return tf.feature_column.linear_model(features=features, feature_columns=columns, units=units, weight_collections=["linear"])
    make = feature_column_ops.joint_weighted_sum_from_feature_columns if joint else feature_column_ops.weighted_sum_from_feature_columns
    logits, _, _ = make(columns_to_tensors=features, feature_columns=columns, num_outputs=units, weight_collections=["linear"], scope=scope)
    return logits


def linear_model_fn(features: Any, labels: Any, mode: str, params: Any, config: Any = None) -> ModelFnOps:
    head, columns = params["head"], params["feature_columns"]
    optimizer = params.get("optimizer") or tf.train.FtrlOptimizer(learning_rate=_linear_rate(columns))
    clip = params.get("gradient_clip_norm")
    features = _named(features)
    with tf.variable_scope("linear", values=list(features.values()), partitioner=_partitioner(config)) as scope:
        logits = _linear_logits(features, columns, head.logits_dimension, params.get("joint_weights", False), scope)

        def train(loss: Any) -> Any:
            own = tf.get_collection("linear")
            grads = tf.gradients(loss, own)
            if clip:
                grads, _ = tf.clip_by_global_norm(grads, clip)
            return _linear_optimizer(optimizer).apply_gradients(zip(grads, own, strict=True), global_step=tf.train.get_global_step())

        return head.create_model_fn_ops(features=features, mode=mode, labels=labels, train_op_fn=train, logits=logits)  # type: ignore[no-any-return]


def _activation(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    known = ("relu", "tanh", "sigmoid")
    if given not in known:
        raise ValueError(f"Activation name should be one of [{', '.join(known)}], you provided {given}.")
    return getattr(tf.nn, given)


def _summarize(value: Any, tag: str, join: str) -> None:
    tf.summary.scalar(f"{tag}{join}fraction_of_zero_values", tf.nn.zero_fraction(value))
    tf.summary.histogram(f"{tag}{join}activation", value)


def _deep_logits(
    features: Any, columns: Any, units: int, hidden_units: Any, activation: Any, dropout: Any, mode: str, partitioner: Any, join: str
) -> tuple[Any, Any]:
    """(logits, the scope of the input layer)."""
    layers = tf.contrib.layers
    with tf.variable_scope("input_from_feature_columns", values=list(features.values()), partitioner=partitioner) as inputs:
        if _is_layers(columns):
            net = feature_column_ops.input_from_feature_columns(
                columns_to_tensors=features, feature_columns=columns, weight_collections=["dnn"], scope=inputs
            )
        else:
            net = tf.feature_column.input_layer(features=features, feature_columns=columns, weight_collections=["dnn"])
    for i, width in enumerate(hidden_units):
        with tf.variable_scope(f"hiddenlayer_{i}", values=[net]) as scope:
            net = layers.fully_connected(net, width, activation_fn=activation, variables_collections=["dnn"], scope=scope)
            if dropout is not None and mode == ModeKeys.TRAIN:
                net = layers.dropout(net, keep_prob=1.0 - dropout)
        _summarize(net, scope.name, join)
    with tf.variable_scope("logits", values=[net]) as scope:
        logits = layers.fully_connected(net, units, activation_fn=None, variables_collections=["dnn"], scope=scope)
    _summarize(logits, scope.name, join)
    return logits, inputs


def _multipliers(given: Any, scope: str) -> dict[Any, float] | None:
    """Factors of the gradients of embedding columns, by variable."""
    if not given:
        return None
    found: dict[Any, float] = {}
    for column, factor in given.items():
        if not isinstance(column, _EmbeddingColumn):
            raise ValueError(f"learning rate multipler can only be defined for embedding columns. It is defined for {column}")
        variables = tf.get_collection("dnn", f"{scope}/{column.name}")
        if not variables:
            raise ValueError(f"Couldn't find a variable for column {column}")
        found.update(dict.fromkeys(variables, factor))
    return found


def dnn_model_fn(features: Any, labels: Any, mode: str, params: Any, config: Any = None) -> ModelFnOps:
    head = params["head"]
    features = _named(features)
    with tf.variable_scope("dnn", values=list(features.values()), partitioner=_partitioner(config, 256 << 10)):
        logits, inputs = _deep_logits(
            features, params["feature_columns"], head.logits_dimension, params["hidden_units"], _activation(params.get("activation_fn")),
            params.get("dropout"), mode, _partitioner(config, params.get("input_layer_min_slice_size") or SLICE), "_",
        )  # fmt: skip

        def train(loss: Any) -> Any:
            return tf.contrib.layers.optimize_loss(
                loss=loss, global_step=tf.train.get_global_step(), learning_rate=DEEP_RATE, optimizer=_made(params.get("optimizer") or "Adagrad"),
                gradient_multipliers=_multipliers(params.get("embedding_lr_multipliers"), inputs.name), clip_gradients=params.get("gradient_clip_norm"),
                name="dnn", summaries=[],
            )  # fmt: skip

        return head.create_model_fn_ops(features=features, mode=mode, labels=labels, train_op_fn=train, logits=logits)  # type: ignore[no-any-return]


def combined_model_fn(features: Any, labels: Any, mode: str, params: Any, config: Any = None) -> ModelFnOps:
    head = params["head"]
    linear_columns, deep_columns = params.get("linear_feature_columns"), params.get("dnn_feature_columns")
    if not linear_columns and not deep_columns:
        raise ValueError("Either linear_feature_columns or dnn_feature_columns must be defined.")
    fixed = params.get("fix_global_step_increment_bug", True)
    clip = params.get("gradient_clip_norm")
    features = _named(features)
    linear_optimizer = _made(params.get("linear_optimizer") or "Ftrl")
    deep_optimizer = _made(params.get("dnn_optimizer") or "Adagrad")
    deep_logits = linear_logits = inputs = None
    if deep_columns:
        if not params.get("dnn_hidden_units"):
            raise ValueError("dnn_hidden_units must be defined when dnn_feature_columns is specified.")
        with tf.variable_scope("dnn", values=list(features.values()), partitioner=_partitioner(config, 256 << 10)):
            deep_logits, inputs = _deep_logits(
                features, deep_columns, head.logits_dimension, params["dnn_hidden_units"], params.get("dnn_activation_fn") or tf.nn.relu,
                params.get("dnn_dropout"), mode, params.get("input_layer_partitioner") or _partitioner(config), "/",
            )  # fmt: skip
    if linear_columns:
        with tf.variable_scope("linear", values=list(features.values()), partitioner=_partitioner(config)) as scope:
            linear_logits = _linear_logits(
                features, linear_columns, head.logits_dimension, params.get("joint_linear_weights", False), scope
            )
            _summarize(linear_logits, scope.name, "/")
    logits = deep_logits if linear_logits is None else linear_logits if deep_logits is None else deep_logits + linear_logits

    def train(loss: Any) -> Any:
        step = tf.train.get_global_step()
        optimize = tf.contrib.layers.optimize_loss
        steps = []
        if deep_logits is not None:
            steps.append(
                optimize(
                    loss=loss, global_step=step, learning_rate=DEEP_RATE, optimizer=deep_optimizer, clip_gradients=clip,
                    gradient_multipliers=_multipliers(params.get("embedding_lr_multipliers"), inputs.name if inputs else ""),
                    variables=tf.get_collection("dnn"), name="dnn", summaries=[], increment_global_step=not fixed,
                )
            )  # fmt: skip
        if linear_logits is not None:
            steps.append(
                optimize(
                    loss=loss, global_step=step, learning_rate=_linear_rate(linear_columns), optimizer=linear_optimizer, clip_gradients=clip,
                    variables=tf.get_collection("linear"), name="linear", summaries=[], increment_global_step=not fixed,
                )
            )  # fmt: skip
        train_op = tf.group(*steps)
        if not fixed:
            return train_op
        with tf.control_dependencies([train_op]), tf.colocate_with(step):
            return tf.assign_add(step, 1).op

    return head.create_model_fn_ops(features=features, mode=mode, labels=labels, train_op_fn=train, logits=logits)  # type: ignore[no-any-return]


# -- estimators ------------------------------------------------------------------------------------------------------------


class _Canned(Estimator):
    """An Estimator that gives one of its predictions, unless it is told which."""

    default_key = ""

    def _one(self, key: str, x: Any, input_fn: Any, batch_size: Any, as_iterable: bool) -> Any:
        found = super().predict(x=x, input_fn=input_fn, batch_size=batch_size, outputs=[key], as_iterable=as_iterable)
        if as_iterable:
            return (p[key] for p in found)
        return found[key]

    def predict(  # type: ignore[override]
        self, x: Any = None, input_fn: Any = None, batch_size: int | None = None, outputs: Any = None, as_iterable: bool = True
    ) -> Any:
        if not outputs:
            return self._one(self.default_key, x, input_fn, batch_size, as_iterable)
        return super().predict(x=x, input_fn=input_fn, batch_size=batch_size, outputs=outputs, as_iterable=as_iterable)


class _Classifier(_Canned):
    default_key = PredictionKey.CLASSES

    def predict_classes(self, x: Any = None, input_fn: Any = None, batch_size: int | None = None, as_iterable: bool = True) -> Any:
        return self._one(PredictionKey.CLASSES, x, input_fn, batch_size, as_iterable)

    def predict_proba(self, x: Any = None, input_fn: Any = None, batch_size: int | None = None, as_iterable: bool = True) -> Any:
        return self._one(PredictionKey.PROBABILITIES, x, input_fn, batch_size, as_iterable)


class _Regressor(_Canned):
    default_key = PredictionKey.SCORES

    def predict_scores(self, x: Any = None, input_fn: Any = None, batch_size: int | None = None, as_iterable: bool = True) -> Any:
        return self._one(PredictionKey.SCORES, x, input_fn, batch_size, as_iterable)


class _ScoredRegressor(_Regressor):
    """Metrics given by a plain name are of the scores."""

    def evaluate(self, x: Any = None, y: Any = None, input_fn: Any = None, feed_fn: Any = None, batch_size: int | None = None, steps: int | None = None, metrics: Any = None, name: str | None = None, checkpoint_path: str | None = None, hooks: Any = None, log_progress: bool = True) -> Any:  # fmt: skip
        chosen = {
            k if isinstance(m, MetricSpec) or isinstance(k, tuple) else (k, PredictionKey.SCORES): m for k, m in (metrics or {}).items()
        }
        return super().evaluate(x, y, input_fn, feed_fn, batch_size, steps, chosen, name, checkpoint_path, hooks, log_progress)


def _columns(given: Any) -> tuple[Any, ...]:
    columns = tuple(given or ())
    if not columns:
        raise ValueError("feature_columns must not be empty.")
    return columns


def _is_sdca(optimizer: Any) -> bool:
    return type(optimizer).__name__ == "SDCAOptimizer"


def _linear_params(head: Any, columns: Any, optimizer: Any, clip: Any, joint: bool) -> tuple[Any, dict[str, Any]]:
    params = {"head": head, "feature_columns": columns, "optimizer": optimizer}
    if _is_sdca(optimizer):
        raise NotImplementedError(
            "tf.contrib.learn: SDCAOptimizer is not supported by tfrevive's stand-in; train with tf.train.FtrlOptimizer."
        )
    return linear_model_fn, {**params, "gradient_clip_norm": clip, "joint_weights": joint}


@export("contrib.learn.LinearClassifier")
class LinearClassifier(_Classifier):
    def __init__(
        self, feature_columns: Any, model_dir: Any = None, n_classes: int = 2, weight_column_name: Any = None, optimizer: Any = None,
        gradient_clip_norm: Any = None, enable_centered_bias: bool = False, _joint_weight: bool = False, config: Any = None,
        feature_engineering_fn: Any = None, label_keys: Any = None,
    ) -> None:  # fmt: skip
        if _is_sdca(optimizer) and enable_centered_bias:
            raise ValueError("enable_centered_bias is not supported with SDCA")
        head = heads.multi_class_head(
            n_classes, weight_column_name=weight_column_name, enable_centered_bias=enable_centered_bias, label_keys=label_keys
        )
        model_fn, params = _linear_params(head, _columns(feature_columns), optimizer, gradient_clip_norm, _joint_weight)
        super().__init__(model_fn, model_dir, config, params, feature_engineering_fn)


@export("contrib.learn.LinearRegressor")
class LinearRegressor(_Regressor):
    def __init__(
        self, feature_columns: Any, model_dir: Any = None, weight_column_name: Any = None, optimizer: Any = None, gradient_clip_norm: Any = None,
        enable_centered_bias: bool = False, label_dimension: int = 1, _joint_weights: bool = False, config: Any = None,
        feature_engineering_fn: Any = None,
    ) -> None:  # fmt: skip
        head = heads.regression_head(
            weight_column_name=weight_column_name, label_dimension=label_dimension, enable_centered_bias=enable_centered_bias and not _is_sdca(optimizer)
        )  # fmt: skip
        model_fn, params = _linear_params(head, _columns(feature_columns), optimizer, gradient_clip_norm, _joint_weights)
        super().__init__(model_fn, model_dir, config, params, feature_engineering_fn)


@export("contrib.learn.LinearEstimator")
class LinearEstimator(Estimator):
    def __init__(
        self, feature_columns: Any, head: Any, model_dir: Any = None, weight_column_name: Any = None, optimizer: Any = None,
        gradient_clip_norm: Any = None, _joint_weights: bool = False, config: Any = None, feature_engineering_fn: Any = None,
    ) -> None:  # fmt: skip
        if _is_sdca(optimizer):
            raise ValueError("LinearEstimator does not support SDCA optimizer.")
        model_fn, params = _linear_params(head, _columns(feature_columns), optimizer, gradient_clip_norm, _joint_weights)
        super().__init__(model_fn, model_dir, config, params, feature_engineering_fn)


_RELU = object()  # stands for tf.nn.relu, which is not there when this is read


def _relu_or(given: Any) -> Any:
    return tf.nn.relu if given is _RELU else given


def _deep_params(
    head: Any, hidden_units: Any, columns: Any, optimizer: Any, activation: Any, dropout: Any, clip: Any, multipliers: Any, slice_size: Any
) -> dict[str, Any]:
    return {
        "head": head, "hidden_units": hidden_units, "feature_columns": columns, "optimizer": optimizer, "activation_fn": _relu_or(activation),
        "dropout": dropout, "gradient_clip_norm": clip, "embedding_lr_multipliers": multipliers, "input_layer_min_slice_size": slice_size,
    }  # fmt: skip


@export("contrib.learn.DNNClassifier")
class DNNClassifier(_Classifier):
    def __init__(
        self, hidden_units: Any, feature_columns: Any, model_dir: Any = None, n_classes: int = 2, weight_column_name: Any = None, optimizer: Any = None,
        activation_fn: Any = _RELU, dropout: Any = None, gradient_clip_norm: Any = None, enable_centered_bias: bool = False, config: Any = None,
        feature_engineering_fn: Any = None, embedding_lr_multipliers: Any = None, input_layer_min_slice_size: Any = None, label_keys: Any = None,
    ) -> None:  # fmt: skip
        head = heads.multi_class_head(
            n_classes, weight_column_name=weight_column_name, enable_centered_bias=enable_centered_bias, label_keys=label_keys
        )
        params = _deep_params(
            head, hidden_units, tuple(feature_columns or ()), optimizer, activation_fn, dropout, gradient_clip_norm, embedding_lr_multipliers,
            input_layer_min_slice_size,
        )  # fmt: skip
        super().__init__(dnn_model_fn, model_dir, config, params, feature_engineering_fn)


@export("contrib.learn.DNNRegressor")
class DNNRegressor(_ScoredRegressor):
    def __init__(
        self, hidden_units: Any, feature_columns: Any, model_dir: Any = None, weight_column_name: Any = None, optimizer: Any = None, activation_fn: Any = _RELU,
        dropout: Any = None, gradient_clip_norm: Any = None, enable_centered_bias: bool = False, config: Any = None, feature_engineering_fn: Any = None,
        label_dimension: int = 1, embedding_lr_multipliers: Any = None, input_layer_min_slice_size: Any = None,
    ) -> None:  # fmt: skip
        head = heads.regression_head(
            label_dimension=label_dimension, weight_column_name=weight_column_name, enable_centered_bias=enable_centered_bias
        )
        params = _deep_params(
            head, hidden_units, tuple(feature_columns or ()), optimizer, activation_fn, dropout, gradient_clip_norm, embedding_lr_multipliers,
            input_layer_min_slice_size,
        )  # fmt: skip
        super().__init__(dnn_model_fn, model_dir, config, params, feature_engineering_fn)


@export("contrib.learn.DNNEstimator")
class DNNEstimator(Estimator):
    def __init__(
        self, head: Any, hidden_units: Any, feature_columns: Any, model_dir: Any = None, optimizer: Any = None, activation_fn: Any = _RELU,
        dropout: Any = None, gradient_clip_norm: Any = None, config: Any = None, feature_engineering_fn: Any = None, embedding_lr_multipliers: Any = None,
        input_layer_min_slice_size: Any = None,
    ) -> None:  # fmt: skip
        params = _deep_params(
            head,
            hidden_units,
            feature_columns,
            optimizer,
            activation_fn,
            dropout,
            gradient_clip_norm,
            embedding_lr_multipliers,
            input_layer_min_slice_size,
        )
        super().__init__(dnn_model_fn, model_dir, config, params, feature_engineering_fn)


def _combined_params(
    head: Any, linear_columns: Any, linear_optimizer: Any, joint: bool, deep_columns: Any, deep_optimizer: Any, hidden_units: Any, activation: Any,
    dropout: Any, clip: Any, multipliers: Any, fixed: bool, partitioner: Any,
) -> dict[str, Any]:  # fmt: skip
    linear_columns, deep_columns = tuple(linear_columns or ()), tuple(deep_columns or ())
    if not linear_columns + deep_columns:
        raise ValueError("Either linear_feature_columns or dnn_feature_columns must be defined.")
    return {
        "head": head, "linear_feature_columns": linear_columns, "linear_optimizer": linear_optimizer, "joint_linear_weights": joint,
        "dnn_feature_columns": deep_columns, "dnn_optimizer": deep_optimizer, "dnn_hidden_units": hidden_units, "dnn_activation_fn": _relu_or(activation),
        "dnn_dropout": dropout, "gradient_clip_norm": clip, "embedding_lr_multipliers": multipliers, "fix_global_step_increment_bug": fixed,
        "input_layer_partitioner": partitioner,
    }  # fmt: skip


@export("contrib.learn.DNNLinearCombinedEstimator")
class DNNLinearCombinedEstimator(Estimator):
    def __init__(
        self, head: Any, model_dir: Any = None, linear_feature_columns: Any = None, linear_optimizer: Any = None, _joint_linear_weights: bool = False,
        dnn_feature_columns: Any = None, dnn_optimizer: Any = None, dnn_hidden_units: Any = None, dnn_activation_fn: Any = None, dnn_dropout: Any = None,
        gradient_clip_norm: Any = None, config: Any = None, feature_engineering_fn: Any = None, embedding_lr_multipliers: Any = None,
        fix_global_step_increment_bug: bool = False, input_layer_partitioner: Any = None,
    ) -> None:  # fmt: skip
        params = _combined_params(
            head, linear_feature_columns, linear_optimizer, _joint_linear_weights, dnn_feature_columns, dnn_optimizer, dnn_hidden_units,
            dnn_activation_fn, dnn_dropout, gradient_clip_norm, embedding_lr_multipliers, fix_global_step_increment_bug, input_layer_partitioner,
        )  # fmt: skip
        super().__init__(combined_model_fn, model_dir, config, params, feature_engineering_fn)


@export("contrib.learn.DNNLinearCombinedClassifier")
class DNNLinearCombinedClassifier(_Classifier):
    def __init__(
        self, model_dir: Any = None, n_classes: int = 2, weight_column_name: Any = None, linear_feature_columns: Any = None, linear_optimizer: Any = None,
        _joint_linear_weights: bool = False, dnn_feature_columns: Any = None, dnn_optimizer: Any = None, dnn_hidden_units: Any = None,
        dnn_activation_fn: Any = _RELU, dnn_dropout: Any = None, gradient_clip_norm: Any = None, enable_centered_bias: bool = False, config: Any = None,
        feature_engineering_fn: Any = None, embedding_lr_multipliers: Any = None, input_layer_min_slice_size: Any = None, label_keys: Any = None,
        fix_global_step_increment_bug: bool = False,
    ) -> None:  # fmt: skip
        head = heads.multi_class_head(
            n_classes, weight_column_name=weight_column_name, enable_centered_bias=enable_centered_bias, label_keys=label_keys
        )
        slices = None if input_layer_min_slice_size is None else _partitioner(config, input_layer_min_slice_size)
        params = _combined_params(
            head, linear_feature_columns, linear_optimizer, _joint_linear_weights, dnn_feature_columns, dnn_optimizer, dnn_hidden_units,
            dnn_activation_fn, dnn_dropout, gradient_clip_norm, embedding_lr_multipliers, fix_global_step_increment_bug, slices,
        )  # fmt: skip
        super().__init__(combined_model_fn, model_dir, config, params, feature_engineering_fn)


@export("contrib.learn.DNNLinearCombinedRegressor")
class DNNLinearCombinedRegressor(_ScoredRegressor):
    def __init__(
        self, model_dir: Any = None, weight_column_name: Any = None, linear_feature_columns: Any = None, linear_optimizer: Any = None,
        _joint_linear_weights: bool = False, dnn_feature_columns: Any = None, dnn_optimizer: Any = None, dnn_hidden_units: Any = None,
        dnn_activation_fn: Any = _RELU, dnn_dropout: Any = None, gradient_clip_norm: Any = None, enable_centered_bias: bool = False,
        label_dimension: int = 1, config: Any = None, feature_engineering_fn: Any = None, embedding_lr_multipliers: Any = None,
        input_layer_min_slice_size: Any = None, fix_global_step_increment_bug: bool = False,
    ) -> None:  # fmt: skip
        head = heads.regression_head(
            label_dimension=label_dimension, weight_column_name=weight_column_name, enable_centered_bias=enable_centered_bias
        )
        slices = None if input_layer_min_slice_size is None else _partitioner(config, input_layer_min_slice_size)
        params = _combined_params(
            head, linear_feature_columns, linear_optimizer, _joint_linear_weights, dnn_feature_columns, dnn_optimizer, dnn_hidden_units,
            dnn_activation_fn, dnn_dropout, gradient_clip_norm, embedding_lr_multipliers, fix_global_step_increment_bug, slices,
        )  # fmt: skip
        super().__init__(combined_model_fn, model_dir, config, params, feature_engineering_fn)


@export("contrib.learn.LogisticRegressor")
def logistic_regressor(
    model_fn: Any, thresholds: Any = None, model_dir: Any = None, config: Any = None, feature_engineering_fn: Any = None
) -> Any:
    """An Estimator of a model function that gives (probabilities, loss, train_op), with the metrics of logistic regression."""

    def with_metrics(features: Any, labels: Any, mode: str, params: Any) -> ModelFnOps:
        predictions, loss, train_op = model_fn(features, labels, mode)
        metrics = None
        if mode == ModeKeys.EVAL:
            own = next(iter(labels.values())) if isinstance(labels, dict) and len(labels) == 1 else labels
            metrics = _logistic_metrics(own, predictions, params.get("thresholds") or [0.5])
        return ModelFnOps(
            mode=mode, predictions=predictions, loss=loss, train_op=train_op, eval_metric_ops=metrics,
            output_alternatives={"head": (ProblemType.LOGISTIC_REGRESSION, {"predictions": predictions})},
        )  # fmt: skip

    return Estimator(with_metrics, model_dir, config, {"thresholds": thresholds}, feature_engineering_fn)


def _logistic_metrics(labels: Any, predictions: Any, thresholds: Any) -> dict[str, Any]:
    streaming = tf.contrib.metrics
    metrics = {
        MetricKey.PREDICTION_MEAN: streaming.streaming_mean(predictions),
        MetricKey.LABEL_MEAN: streaming.streaming_mean(labels),
        MetricKey.ACCURACY_BASELINE: streaming.streaming_mean(labels),
        MetricKey.AUC: streaming.streaming_auc(labels=labels, predictions=predictions),
    }
    for t in thresholds:
        chosen = tf.cast(tf.greater_equal(predictions, t), "float32", name=f"predictions_at_threshold_{t:f}")
        metrics[MetricKey.ACCURACY_MEAN % t] = streaming.streaming_accuracy(labels=labels, predictions=chosen)
        metrics[MetricKey.PRECISION_MEAN % t] = streaming.streaming_precision(labels=labels, predictions=chosen)
        metrics[MetricKey.RECALL_MEAN % t] = streaming.streaming_recall(labels=labels, predictions=chosen)
    return metrics
