"""tf.estimator's ready-made models: linear, deep, and both combined."""

from __future__ import annotations

import math
from typing import Any

from graphtools.dtypes import float32, int64
from runtime.tf1 import array_ops, math_ops, nn_ops, state_ops
from runtime.tf1.control_flow_ops import group
from runtime.tf1.estimator.estimator import Estimator
from runtime.tf1.estimator.heads import Head, RegressionHead, class_head
from runtime.tf1.estimator.spec import ModeKeys
from runtime.tf1.feature_column import dense_features, input_layer, weighted_sums
from runtime.tf1.graph import GraphKeys, constant, get_default_graph, name_scope
from runtime.tf1.losses import Reduction
from runtime.tf1.modules import lookup
from runtime.tf1.registry import export
from runtime.tf1.train.training_util import get_global_step
from runtime.tf1.variable_scope import PartitionedVariable, fixed_size_partitioner, variable_scope

# Name of an optimizer -> its class.
OPTIMIZERS = {
    "Adagrad": "AdagradOptimizer",
    "Adam": "AdamOptimizer",
    "Ftrl": "FtrlOptimizer",
    "RMSProp": "RMSPropOptimizer",
    "SGD": "GradientDescentOptimizer",
}


def optimizer_of(given: Any, learning_rate: float) -> Any:
    """The optimizer of a name (with this rate), of a function, or as it is."""
    if isinstance(given, str):
        if given not in OPTIMIZERS:
            raise ValueError(f"Unsupported optimizer name: {given}. Supported names are: {tuple(sorted(OPTIMIZERS))}")
        return lookup(f"train.{OPTIMIZERS[given]}")(learning_rate=learning_rate)
    if callable(given):
        given = given()
    if not isinstance(given, lookup("train.Optimizer")):
        raise ValueError(f"The given object is not an Optimizer instance. Given: {given}")
    return given


def _with_updates(train_op: Any) -> Any:
    updates = get_default_graph().get_collection(GraphKeys.UPDATE_OPS)
    return group(train_op, *updates) if updates else train_op


def _check_features(features: Any) -> dict[str, Any]:
    if not isinstance(features, dict):
        raise ValueError(f"features should be a dictionary of `Tensor`s. Given type: {type(features)}")
    return features


def linear_logits(features: Any, columns: Any, units: int, sparse_combiner: str) -> Any:
    logits, weights, bias = weighted_sums(features, columns, units, sparse_combiner)
    biases = list(bias) if isinstance(bias, PartitionedVariable) else [bias]
    if units > 1:
        lookup("summary.histogram")("bias", biases)
    else:
        lookup("summary.scalar")("bias", biases[0][0])
    parts = [part for w in weights for part in (w if isinstance(w, PartitionedVariable) else [w])]
    lookup("summary.scalar")("fraction_of_zero_weights", _fraction_of_zero(parts))
    return logits


def _fraction_of_zero(variables: list[Any]) -> Any:
    with name_scope("zero_fraction"):
        with name_scope("total_size"):
            sizes = [array_ops.size(x, out_type=int64) for x in variables]
            total = math_ops.add_n(sizes)
        with name_scope("total_zero"):
            zeros = math_ops.add_n(
                [
                    lookup("cond")(
                        math_ops.equal(size, constant(0, dtype=int64)), true_fn=lambda: constant(0, dtype=float32),
                        false_fn=lambda x=x, size=size: nn_ops.zero_fraction(x) * math_ops.cast(size, float32, name="ToFloat"), name="zero_count",
                    )
                    for x, size in zip(variables, sizes, strict=True)
                ]
            )  # fmt: skip
        with name_scope("compute"):
            share = zeros / math_ops.cast(total, dtype=float32, name="float32_size")
        return array_ops.identity(share, name="zero_fraction_or_nan")


def deep_logits(
    features: Any, columns: Any, units: int, hidden_units: Any, activation: Any, dropout: Any, partitioner: Any, batch_norm: bool, mode: str
) -> Any:
    training = mode == ModeKeys.TRAIN
    glorot = lookup("glorot_uniform_initializer")
    dense, normalization = lookup("layers.Dense"), lookup("layers.BatchNormalization")
    hidden = []
    for i, width in enumerate(hidden_units):
        with variable_scope(f"hiddenlayer_{i}") as scope:
            layer = dense(width, activation=activation, kernel_initializer=glorot(), name=scope.name, _scope=scope)
            rest = lookup("layers.Dropout")(rate=dropout) if dropout is not None else None
            norm = normalization(momentum=0.999, trainable=True, name=f"batchnorm_{i}", _scope=f"batchnorm_{i}") if batch_norm else None
            hidden.append((scope.name, layer, rest, norm))
    with variable_scope("logits") as scope:
        last = dense(units, activation=None, kernel_initializer=glorot(), name=scope.name, _scope=scope)
    shared = any(getattr(c, "shared", None) for c in columns)
    with variable_scope("input_from_feature_columns", partitioner=partitioner, use_resource=not shared):
        net = input_layer(features, columns) if shared else dense_features(features, columns)
    for name, layer, rest, norm in hidden:
        net = layer(net)
        if rest is not None and training:
            net = rest(net, training=True)
        if norm is not None:
            net = norm(net, training=training)
        _summarize(net, name)
    logits = last(net)
    _summarize(logits, scope.name)
    return logits


def _summarize(value: Any, tag: str) -> None:
    lookup("summary.scalar")(f"{tag}/fraction_of_zero_values", nn_ops.zero_fraction(value))
    lookup("summary.histogram")(f"{tag}/activation", value)


def _linear_model(head: Head, columns: Any, optimizer: Any, partitioner: Any, sparse_combiner: str) -> Any:
    def model_fn(features: Any, labels: Any, mode: str, config: Any) -> Any:
        with variable_scope("linear", None, list(_check_features(features).values()), partitioner=partitioner or fixed_size_partitioner(1)):
            logits = linear_logits(features, columns, head.units, sparse_combiner)

            def train(loss: Any) -> Any:
                return _with_updates(optimizer_of(optimizer, 0.2).minimize(loss, global_step=get_global_step()))

            return head.spec(features, mode, logits, labels, train)

    return model_fn


def _deep_model(
    head: Head, hidden_units: Any, columns: Any, optimizer: Any, activation: Any, dropout: Any, partitioner: Any, batch_norm: bool
) -> Any:
    def model_fn(features: Any, labels: Any, mode: str, config: Any) -> Any:
        with variable_scope(
            "dnn", None, list(_check_features(features).values()), partitioner=fixed_size_partitioner(1), use_resource=True
        ):
            logits = deep_logits(features, columns, head.units, hidden_units, activation, dropout, partitioner, batch_norm, mode)

            def train(loss: Any) -> Any:
                return _with_updates(optimizer_of(optimizer, 0.05).minimize(loss, global_step=get_global_step()))

            return head.spec(features, mode, logits, labels, train)

    return model_fn


def _combined_model(
    head: Head, linear_columns: Any, linear_optimizer: Any, deep_columns: Any, deep_optimizer: Any, hidden_units: Any, activation: Any, dropout: Any,
    partitioner: Any, batch_norm: bool, sparse_combiner: str,
) -> Any:  # fmt: skip
    linear_columns, deep_columns = list(linear_columns or ()), list(deep_columns or ())
    if not linear_columns and not deep_columns:
        raise ValueError("Either linear_feature_columns or dnn_feature_columns must be defined.")
    if deep_columns and not hidden_units:
        raise ValueError("dnn_hidden_units must be defined when dnn_feature_columns is specified.")

    def model_fn(features: Any, labels: Any, mode: str, config: Any) -> Any:
        values = list(_check_features(features).values())
        parts: list[Any] = []
        if deep_columns:
            with variable_scope("dnn", None, values, partitioner=fixed_size_partitioner(1), use_resource=True):
                parts.append(
                    deep_logits(features, deep_columns, head.units, hidden_units, activation, dropout, partitioner, batch_norm, mode)
                )
        if linear_columns:
            with variable_scope("linear", None, values, partitioner=partitioner or fixed_size_partitioner(1)):
                parts.append(linear_logits(features, linear_columns, head.units, sparse_combiner))
        logits = parts[0] if len(parts) == 1 else parts[0] + parts[1]

        def train(loss: Any) -> Any:
            graph, steps = get_default_graph(), []
            if deep_columns:
                own = graph.get_collection(GraphKeys.TRAINABLE_VARIABLES, scope="dnn")
                steps.append(optimizer_of(deep_optimizer, 0.001).minimize(loss, var_list=own))
            if linear_columns:
                own = graph.get_collection(GraphKeys.TRAINABLE_VARIABLES, scope="linear")
                steps.append(optimizer_of(linear_optimizer, min(0.005, 1.0 / math.sqrt(len(linear_columns)))).minimize(loss, var_list=own))
            with graph.control_dependencies([group(*steps)]):
                return _with_updates(state_ops.assign_add(get_global_step(), 1).op)

        return head.spec(features, mode, logits, labels, train)

    return model_fn


@export("estimator.LinearRegressor")
class LinearRegressor(Estimator):
    def __init__(
        self, feature_columns: Any, model_dir: Any = None, label_dimension: int = 1, weight_column: Any = None, optimizer: Any = "Ftrl", config: Any = None,
        partitioner: Any = None, warm_start_from: Any = None, loss_reduction: str = Reduction.SUM, sparse_combiner: str = "sum",
    ) -> None:  # fmt: skip
        head = RegressionHead(label_dimension, weight_column, loss_reduction)
        super().__init__(
            _linear_model(head, feature_columns, optimizer, partitioner, sparse_combiner), model_dir, config, None, warm_start_from
        )


@export("estimator.LinearClassifier")
class LinearClassifier(Estimator):
    def __init__(
        self, feature_columns: Any, model_dir: Any = None, n_classes: int = 2, weight_column: Any = None, label_vocabulary: Any = None,
        optimizer: Any = "Ftrl", config: Any = None, partitioner: Any = None, warm_start_from: Any = None, loss_reduction: str = Reduction.SUM,
        sparse_combiner: str = "sum",
    ) -> None:  # fmt: skip
        head = class_head(n_classes, label_vocabulary, weight_column, loss_reduction)
        super().__init__(
            _linear_model(head, feature_columns, optimizer, partitioner, sparse_combiner), model_dir, config, None, warm_start_from
        )


@export("estimator.DNNRegressor")
class DNNRegressor(Estimator):
    def __init__(
        self, hidden_units: Any, feature_columns: Any, model_dir: Any = None, label_dimension: int = 1, weight_column: Any = None, optimizer: Any = "Adagrad",
        activation_fn: Any = None, dropout: Any = None, input_layer_partitioner: Any = None, config: Any = None,
        warm_start_from: Any = None, loss_reduction: str = Reduction.SUM, batch_norm: bool = False,
    ) -> None:  # fmt: skip
        head = RegressionHead(label_dimension, weight_column, loss_reduction)
        model = _deep_model(
            head, hidden_units, feature_columns, optimizer, _activation(activation_fn), dropout, input_layer_partitioner, batch_norm
        )
        super().__init__(model, model_dir, config, None, warm_start_from)


@export("estimator.DNNClassifier")
class DNNClassifier(Estimator):
    def __init__(
        self, hidden_units: Any, feature_columns: Any, model_dir: Any = None, n_classes: int = 2, weight_column: Any = None, label_vocabulary: Any = None,
        optimizer: Any = "Adagrad", activation_fn: Any = None, dropout: Any = None, input_layer_partitioner: Any = None, config: Any = None,
        warm_start_from: Any = None, loss_reduction: str = Reduction.SUM, batch_norm: bool = False,
    ) -> None:  # fmt: skip
        head = class_head(n_classes, label_vocabulary, weight_column, loss_reduction)
        model = _deep_model(
            head, hidden_units, feature_columns, optimizer, _activation(activation_fn), dropout, input_layer_partitioner, batch_norm
        )
        super().__init__(model, model_dir, config, None, warm_start_from)


def _activation(given: Any) -> Any:
    return lookup("nn.relu") if given is None else given


@export("estimator.DNNLinearCombinedRegressor")
class DNNLinearCombinedRegressor(Estimator):
    def __init__(
        self, model_dir: Any = None, linear_feature_columns: Any = None, linear_optimizer: Any = "Ftrl", dnn_feature_columns: Any = None,
        dnn_optimizer: Any = "Adagrad", dnn_hidden_units: Any = None, dnn_activation_fn: Any = None, dnn_dropout: Any = None, label_dimension: int = 1,
        weight_column: Any = None, input_layer_partitioner: Any = None, config: Any = None, warm_start_from: Any = None,
        loss_reduction: str = Reduction.SUM, batch_norm: bool = False, linear_sparse_combiner: str = "sum",
    ) -> None:  # fmt: skip
        head = RegressionHead(label_dimension, weight_column, loss_reduction)
        model = _combined_model(
            head, linear_feature_columns, linear_optimizer, dnn_feature_columns, dnn_optimizer, dnn_hidden_units, _activation(dnn_activation_fn),
            dnn_dropout, input_layer_partitioner, batch_norm, linear_sparse_combiner,
        )  # fmt: skip
        super().__init__(model, model_dir, config, None, warm_start_from)


@export("estimator.DNNLinearCombinedClassifier")
class DNNLinearCombinedClassifier(Estimator):
    def __init__(
        self, model_dir: Any = None, linear_feature_columns: Any = None, linear_optimizer: Any = "Ftrl", dnn_feature_columns: Any = None,
        dnn_optimizer: Any = "Adagrad", dnn_hidden_units: Any = None, dnn_activation_fn: Any = None, dnn_dropout: Any = None, n_classes: int = 2,
        weight_column: Any = None, label_vocabulary: Any = None, input_layer_partitioner: Any = None, config: Any = None, warm_start_from: Any = None,
        loss_reduction: str = Reduction.SUM, batch_norm: bool = False, linear_sparse_combiner: str = "sum",
    ) -> None:  # fmt: skip
        head = class_head(n_classes, label_vocabulary, weight_column, loss_reduction)
        model = _combined_model(
            head, linear_feature_columns, linear_optimizer, dnn_feature_columns, dnn_optimizer, dnn_hidden_units, _activation(dnn_activation_fn),
            dnn_dropout, input_layer_partitioner, batch_norm, linear_sparse_combiner,
        )  # fmt: skip
        super().__init__(model, model_dir, config, None, warm_start_from)
