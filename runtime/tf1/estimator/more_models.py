"""tf.estimator's models with a head of the script's, baselines, and what reads tf.Examples for them."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import as_dtype, float32, int64, string
from runtime.tf1 import array_ops, math_ops
from runtime.tf1.estimator import heads
from runtime.tf1.estimator.canned import _activation, _combined_model, _deep_model, _linear_model, deep_logits, linear_logits, optimizer_of
from runtime.tf1.estimator.estimator import Estimator
from runtime.tf1.estimator.spec import ModeKeys
from runtime.tf1.graph import get_default_graph, name_scope
from runtime.tf1.init_ops import Zeros
from runtime.tf1.losses import Reduction
from runtime.tf1.modules import lookup
from runtime.tf1.registry import export
from runtime.tf1.train.training_util import get_global_step
from runtime.tf1.variable_scope import get_variable, variable_scope


@export("estimator.LinearEstimator")
class LinearEstimator(Estimator):
    def __init__(
        self, head: Any, feature_columns: Any, model_dir: Any = None, optimizer: Any = "Ftrl", config: Any = None, partitioner: Any = None,
        sparse_combiner: str = "sum", warm_start_from: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(
            _linear_model(head, feature_columns, optimizer, partitioner, sparse_combiner), model_dir, config, None, warm_start_from
        )


@export("estimator.DNNEstimator")
class DNNEstimator(Estimator):
    def __init__(
        self, head: Any, hidden_units: Any, feature_columns: Any, model_dir: Any = None, optimizer: Any = "Adagrad", activation_fn: Any = None,
        dropout: Any = None, input_layer_partitioner: Any = None, config: Any = None, warm_start_from: Any = None, batch_norm: bool = False,
    ) -> None:  # fmt: skip
        model = _deep_model(
            head, hidden_units, feature_columns, optimizer, _activation(activation_fn), dropout, input_layer_partitioner, batch_norm
        )
        super().__init__(model, model_dir, config, None, warm_start_from)


@export("estimator.DNNLinearCombinedEstimator")
class DNNLinearCombinedEstimator(Estimator):
    def __init__(
        self, head: Any, model_dir: Any = None, linear_feature_columns: Any = None, linear_optimizer: Any = "Ftrl", dnn_feature_columns: Any = None,
        dnn_optimizer: Any = "Adagrad", dnn_hidden_units: Any = None, dnn_activation_fn: Any = None, dnn_dropout: Any = None,
        input_layer_partitioner: Any = None, config: Any = None, batch_norm: bool = False, linear_sparse_combiner: str = "sum",
        warm_start_from: Any = None,
    ) -> None:  # fmt: skip
        model = _combined_model(
            head, linear_feature_columns, linear_optimizer, dnn_feature_columns, dnn_optimizer, dnn_hidden_units, _activation(dnn_activation_fn),
            dnn_dropout, input_layer_partitioner, batch_norm, linear_sparse_combiner,
        )  # fmt: skip
        super().__init__(model, model_dir, config, None, warm_start_from)


# -- baselines -------------------------------------------------------------------------------------------------------------


def _batch_size(features: dict[str, Any], weight_column: Any) -> Any:
    """The features' batch size; they are checked to agree. The weights do not count."""
    key = getattr(weight_column, "key", weight_column)
    size, checks = None, []
    with name_scope("size_checks"):
        for name, feature in features.items():
            if name == key:
                continue
            own = array_ops.shape(feature)[0]
            if size is None:
                size = own
            else:
                checks.append(lookup("debugging.assert_equal")(size, own))
    return size, checks


def _baseline_model(head: Any, optimizer: Any, weight_column: Any = None) -> Any:
    """One bias per logit."""

    def model_fn(features: Any, labels: Any, mode: str, config: Any) -> Any:
        size, checks = _batch_size(features, weight_column)
        with get_default_graph().control_dependencies(checks), variable_scope("baseline"):
            bias = get_variable("bias", shape=[head.units], initializer=Zeros())
            logits = math_ops.multiply(bias, lookup("ones")([size, head.units]))

        def train(loss: Any) -> Any:
            return optimizer_of(optimizer, 0.3).minimize(loss, global_step=get_global_step())

        return head.spec(features, mode, logits, labels, train)

    return model_fn


@export("estimator.BaselineClassifier")
class BaselineClassifier(Estimator):
    def __init__(
        self, model_dir: Any = None, n_classes: int = 2, weight_column: Any = None, label_vocabulary: Any = None, optimizer: Any = "Ftrl",
        config: Any = None, loss_reduction: str = Reduction.SUM,
    ) -> None:  # fmt: skip
        head = heads.class_head(n_classes, label_vocabulary, weight_column, loss_reduction)
        super().__init__(_baseline_model(head, optimizer, weight_column), model_dir, config)


@export("estimator.BaselineRegressor")
class BaselineRegressor(Estimator):
    def __init__(
        self, model_dir: Any = None, label_dimension: int = 1, weight_column: Any = None, optimizer: Any = "Ftrl", config: Any = None,
        loss_reduction: str = Reduction.SUM,
    ) -> None:  # fmt: skip
        head = heads.RegressionHead(label_dimension, weight_column, loss_reduction)
        super().__init__(_baseline_model(head, optimizer, weight_column), model_dir, config)


@export("estimator.BaselineEstimator")
class BaselineEstimator(Estimator):
    def __init__(self, head: Any, model_dir: Any = None, optimizer: Any = "Ftrl", config: Any = None) -> None:
        super().__init__(_baseline_model(head, optimizer), model_dir, config)


# -- logits for model functions of the script's ----------------------------------------------------------------------------


@export("estimator.experimental.linear_logit_fn_builder", "contrib.estimator.linear_logit_fn_builder")
def linear_logit_fn_builder(units: int, feature_columns: Any, sparse_combiner: str = "sum") -> Any:
    return lambda features: linear_logits(features, feature_columns, units, sparse_combiner)


@export("estimator.experimental.dnn_logit_fn_builder", "contrib.estimator.dnn_logit_fn_builder")
def dnn_logit_fn_builder(
    units: int,
    hidden_units: Any,
    feature_columns: Any,
    activation_fn: Any,
    dropout: Any,
    input_layer_partitioner: Any,
    batch_norm: bool = False,
) -> Any:
    if not isinstance(units, int):
        raise ValueError(f"units must be an int.  Given type: {type(units)}")
    return lambda features, mode: deep_logits(
        features, feature_columns, units, hidden_units, activation_fn, dropout, input_layer_partitioner, batch_norm, mode
    )


@export("estimator.experimental.call_logit_fn", "contrib.estimator.call_logit_fn")
def call_logit_fn(logit_fn: Any, features: Any, mode: str, params: Any, config: Any) -> Any:
    import inspect

    names = inspect.signature(logit_fn).parameters
    given = {"mode": mode, "params": params, "config": config}
    return logit_fn(features=features, **{k: v for k, v in given.items() if k in names})


# -- tf.Examples -----------------------------------------------------------------------------------------------------------


def _with_label(feature_columns: Any, key: str, label: Any, weight_column: Any) -> dict[str, Any]:
    spec: dict[str, Any] = lookup("feature_column.make_parse_example_spec")(feature_columns)
    if key in spec:
        raise ValueError(f"label should not be used as feature. label_key: {key}, features: {spec.keys()}")
    spec[key] = label
    if weight_column is None:
        return spec
    if isinstance(weight_column, str):
        weight_column = lookup("feature_column.numeric_column")(weight_column)
    if weight_column.key in spec:
        raise ValueError(f"weight_column should not be used as feature. weight_column: {weight_column.key}, features: {spec.keys()}")
    spec.update(weight_column.parse_spec())
    return spec


@export("estimator.classifier_parse_example_spec")
def classifier_parse_example_spec(
    feature_columns: Any, label_key: str, label_dtype: Any = int64, label_default: Any = None, weight_column: Any = None
) -> dict[str, Any]:
    """How tf.parse_example reads features, label and weight."""
    kind = as_dtype(label_dtype)
    if label_default is not None and isinstance(label_default, str) != (kind is string):
        raise ValueError(f"label_default type does not match the label_dtype. label_default: {label_default!r}, label_dtype: {kind}.")
    return _with_label(feature_columns, label_key, lookup("FixedLenFeature")((1,), kind, label_default), weight_column)


@export("estimator.regressor_parse_example_spec")
def regressor_parse_example_spec(
    feature_columns: Any,
    label_key: str,
    label_dtype: Any = float32,
    label_default: Any = None,
    label_dimension: int = 1,
    weight_column: Any = None,
) -> dict[str, Any]:
    return _with_label(
        feature_columns, label_key, lookup("FixedLenFeature")((label_dimension,), as_dtype(label_dtype), label_default), weight_column
    )


# -- wrapping estimators ---------------------------------------------------------------------------------------------------


def _wrapped(estimator: Any, model_fn: Any) -> Any:
    return Estimator(model_fn=model_fn, model_dir=estimator.model_dir, config=estimator.config)


@export("estimator.add_metrics", "contrib.estimator.add_metrics")
def add_metrics(estimator: Any, metric_fn: Any) -> Any:
    """The estimator with the metrics of a function of labels, predictions, features or config besides its own."""
    import inspect

    names = inspect.signature(metric_fn).parameters
    unknown = set(names) - {"features", "labels", "predictions", "config"}
    if unknown:
        raise ValueError(f"metric_fn ({metric_fn}) has following not expected args: {sorted(unknown)}")

    def model_fn(features: Any, labels: Any, mode: str, config: Any) -> Any:
        spec = estimator.model_fn(features, labels, mode, config)
        if mode != ModeKeys.EVAL:
            return spec
        given = {"features": features, "labels": labels, "predictions": spec.predictions, "config": config}
        more = metric_fn(**{k: v for k, v in given.items() if k in names}) or {}
        return spec._replace(eval_metric_ops={**spec.eval_metric_ops, **more})

    return _wrapped(estimator, model_fn)


@export("contrib.estimator.forward_features")
def forward_features(estimator: Any, keys: Any = None, sparse_default_values: Any = None) -> Any:
    """The estimator with features among its predictions."""
    keys = [keys] if isinstance(keys, str) else keys

    def model_fn(features: Any, labels: Any, mode: str, config: Any) -> Any:
        spec = estimator.model_fn(features, labels, mode, config)
        if not isinstance(spec.predictions, dict):
            raise ValueError(f"Predictions should be a dict to be able to forward features. Given: {type(spec.predictions)}")
        predictions = dict(spec.predictions)
        for key in keys or sorted(features):
            if key not in features:
                raise ValueError(
                    f'keys should be exist in features. Key "{key}" is not in features dict. features dict has following keys: {features.keys()}.'
                )
            if key in predictions:
                raise ValueError(f"Cannot forward feature key ({key}). Since it does exist in predictions.")
            value = lookup("convert_to_tensor_or_sparse_tensor")(features[key])
            if hasattr(value, "dense_shape"):
                value = lookup("sparse_tensor_to_dense")(value, default_value=(sparse_default_values or {}).get(key, 0))
            predictions[key] = value
        return spec._replace(predictions=predictions)

    return _wrapped(estimator, model_fn)


@export("contrib.estimator.clip_gradients_by_norm")
def clip_gradients_by_norm(optimizer: Any, clip_norm: float) -> Any:
    """The optimizer, its gradients clipped to a norm over all of them."""
    apply = optimizer.apply_gradients

    def apply_clipped(grads_and_vars: Any, *args: Any, **kwargs: Any) -> Any:
        gradients, variables = zip(*grads_and_vars, strict=True)
        return apply(list(zip(lookup("clip_by_global_norm")(gradients, clip_norm)[0], variables, strict=True)), *args, **kwargs)

    optimizer.apply_gradients = apply_clipped
    return optimizer


@export("contrib.estimator.replicate_model_fn")
def replicate_model_fn(model_fn: Any, loss_reduction: str = Reduction.SUM_BY_NONZERO_WEIGHTS, devices: Any = None) -> Any:
    """The model function itself: on one device there is nothing to replicate."""
    return model_fn


@export("contrib.estimator.TowerOptimizer")
def tower_optimizer(optimizer_or_optimizer_fn: Any) -> Any:
    """The optimizer itself: there is one tower."""
    given = optimizer_or_optimizer_fn
    return given if isinstance(given, lookup("train.Optimizer")) else given()
