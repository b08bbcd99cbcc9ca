"""What tf.contrib.learn's Estimators make of logits: predictions, losses, metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.tf1.contrib.learn.model_fn import MetricKey, ModeKeys, ModelFnOps, PredictionKey, ProblemType, argument_names
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.sparse_tensor import SparseTensor
from runtime.tf1.weights_broadcast_ops import broadcast_weights

tf: Any = module("")


def no_op_train_fn(loss: Any) -> Any:
    return tf.no_op()


export("contrib.learn.no_op_train_fn")(no_op_train_fn)


@export("contrib.learn.Head")
class Head:
    """The last part of a model."""

    @property
    def logits_dimension(self) -> int:
        raise NotImplementedError("Calling an abstract method.")

    def create_model_fn_ops(
        self, features: Any, mode: str, labels: Any = None, train_op_fn: Any = None, logits: Any = None, logits_input: Any = None, scope: Any = None
    ) -> ModelFnOps:  # fmt: skip
        raise NotImplementedError("Calling an abstract method.")


# -- losses: (the one that is minimized, the one that is reported) ---------------------------------------------------------


def _weighted(losses: Any, weight: Any) -> tuple[Any, Any]:
    with tf.name_scope("loss", values=[losses, weight]) as scope:
        if weight is None:
            loss = tf.reduce_mean(losses, name=scope)
            return loss, loss
        weight = broadcast_weights(weight, losses)
        with tf.name_scope(None, "weighted_loss", [losses, weight]) as name:
            weighted = tf.multiply(losses, weight, name=name)
        mean = tf.reduce_mean(weighted, name=scope)
        total = tf.reduce_sum(weighted)
        return mean, tf.div(total, tf.cast(tf.reduce_sum(weight), "float32"), name="weighted_average_loss")


def _column(tensor: Any) -> Any:
    return tf.expand_dims(tensor, axis=1) if len(tensor.get_shape()) == 1 else tensor


def mean_squared_loss(labels: Any, logits: Any, weights: Any = None) -> tuple[Any, Any]:
    with tf.name_scope(None, "mean_squared_loss", [logits, labels]) as name:
        labels = _column(tf.convert_to_tensor(labels))
        logits = _column(tf.convert_to_tensor(logits))
        logits.get_shape().assert_is_compatible_with(labels.get_shape())
        return _weighted(tf.squared_difference(logits, tf.cast(labels, "float32"), name=name), weights)


def poisson_loss(labels: Any, logits: Any, weights: Any = None) -> tuple[Any, Any]:
    with tf.name_scope(None, "_poisson_loss", [logits, labels]) as name:
        labels = _column(tf.convert_to_tensor(labels))
        logits = _column(tf.convert_to_tensor(logits))
        logits.get_shape().assert_is_compatible_with(labels.get_shape())
        return _weighted(tf.nn.log_poisson_loss(labels, logits, compute_full_loss=True, name=name), weights)


def log_loss(labels: Any, logits: Any, weights: Any = None) -> tuple[Any, Any]:
    with tf.name_scope(None, "log_loss_with_two_classes", [logits, labels]) as name:
        logits = tf.convert_to_tensor(logits)
        labels = _column(tf.cast(labels, "float32"))
        return _weighted(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits, name=name), weights)


def softmax_loss(labels: Any, logits: Any, weights: Any = None) -> tuple[Any, Any]:
    with tf.name_scope(None, "softmax_cross_entropy_loss", [logits, labels]) as name:
        labels = tf.convert_to_tensor(labels)
        if not labels.dtype.is_integer:
            raise ValueError(f"Labels dtype should be integer Instead got {labels.dtype}.")
        squeezed = len(labels.get_shape()) == 2
        if squeezed:
            labels = tf.squeeze(labels, axis=(1,))
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits, name=name)
        return _weighted(tf.expand_dims(loss, axis=(1,)) if squeezed else loss, weights)


def sigmoid_loss(labels: Any, logits: Any, weights: Any = None) -> tuple[Any, Any]:
    with tf.name_scope(None, "sigmoid_cross_entropy_loss", [logits, labels]) as name:
        loss = tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.cast(labels, "float32"), logits=logits, name=name)
        return _weighted(loss, weights)


def _check_rank(labels: Any) -> Any:
    return tf.Assert(tf.less_equal(tf.rank(labels), 2), ("labels shape should be either [batch_size, 1] or [batch_size]",))


def hinge_loss(labels: Any, logits: Any, weights: Any = None) -> tuple[Any, Any]:
    with tf.name_scope(None, "hinge_loss", [logits, labels]) as name:
        with tf.control_dependencies((_check_rank(labels),)):
            labels = tf.reshape(labels, shape=(-1, 1))
        loss = tf.losses.hinge_loss(labels=labels, logits=logits, scope=name, reduction=tf.losses.Reduction.NONE)
        return _weighted(loss, weights)


def _custom(loss_fn: Any) -> Callable[..., Any]:
    for name in ("labels", "logits", "weights"):
        if name not in argument_names(loss_fn):
            raise ValueError(f"Argument {name} not found in loss_fn.")

    def loss(labels: Any, logits: Any, weights: Any = None) -> tuple[Any, Any]:
        value = loss_fn(labels, logits) if weights is None else loss_fn(labels, logits, weights)
        return value, value

    return loss


# -- metrics ---------------------------------------------------------------------------------------------------------------


def _float_weights(weights: Any) -> Any:
    if weights is None:
        return None
    with tf.name_scope(None, "float_weights", [weights]) as name:
        return tf.cast(weights, "float32", name=name)


def _mean(values: Any, weights: Any = None, class_id: int | None = None) -> Any:
    values = tf.cast(values, "float32")
    weights = _float_weights(weights)
    if weights is not None:
        weights = broadcast_weights(weights, values)
    if class_id is not None:
        weights = weights[:, class_id] if weights is not None else None
        values = values[:, class_id]
    return tf.metrics.mean(values, weights)


def _mean_of_class(values: Any, weights: Any, class_id: int) -> Any:
    chosen = tf.equal(tf.cast(class_id, "int32"), tf.cast(values, "int32"))
    return tf.metrics.mean(tf.where(chosen, tf.ones_like(values), tf.zeros_like(values)), weights=weights)


def _auc(predictions: Any, labels: Any, weights: Any = None, class_id: int | None = None, curve: str = "ROC") -> Any:
    predictions = tf.cast(predictions, "float32")
    if labels.dtype.base_dtype is not tf.bool:
        labels = tf.cast(labels, "bool")
    weights = _float_weights(weights)
    if weights is not None:
        weights = broadcast_weights(weights, predictions)
    if class_id is not None:
        weights = weights[:, class_id] if weights is not None else None
        predictions, labels = predictions[:, class_id], labels[:, class_id]
    return tf.metrics.auc(labels, predictions, weights, curve=curve)


def _at_threshold(metric: Any, predictions: Any, labels: Any, weights: Any, threshold: float) -> Any:
    value, update = metric(labels, predictions, (threshold,), _float_weights(weights))
    return tf.squeeze(value), tf.squeeze(update)


def _accuracy_at(predictions: Any, labels: Any, weights: Any, threshold: float) -> Any:
    return tf.metrics.accuracy(labels, tf.cast(tf.greater_equal(predictions, threshold), "float32"), weights)


# -- heads -----------------------------------------------------------------------------------------------------------------


def _check_mode(mode: str) -> None:
    if mode not in (ModeKeys.TRAIN, ModeKeys.EVAL, ModeKeys.INFER):
        raise ValueError(f"mode={mode} unrecognized.")


class SingleHead(Head):
    """A head with logits of its own."""

    scope_name = ""
    problem = ProblemType.UNSPECIFIED
    loss_fn: Callable[..., Any]

    def __init__(
        self, logits_dimension: int, label_name: Any = None, weight_column_name: Any = None, enable_centered_bias: bool = False,
        head_name: str | None = None, thresholds: Any = None,
    ) -> None:  # fmt: skip
        if logits_dimension is None or logits_dimension < 1:
            raise ValueError(f"Invalid logits_dimension {logits_dimension}.")
        self._dimension, self._label_name, self._weight_column = logits_dimension, label_name, weight_column_name
        self._centered, self.head_name = enable_centered_bias, head_name
        self._thresholds = thresholds if thresholds else (0.5,)

    @property
    def logits_dimension(self) -> int:
        return self._dimension

    @property
    def label_name(self) -> Any:
        return self._label_name

    @property
    def weight_column_name(self) -> Any:
        return self._weight_column

    def named(self, key: str) -> str:
        return f"{key}/{self.head_name}" if self.head_name else key

    def transform_labels(self, labels: Any) -> Any:
        labels = tf.convert_to_tensor_or_sparse_tensor(labels[self._label_name] if isinstance(labels, dict) else labels)
        if isinstance(labels, SparseTensor):
            raise ValueError("SparseTensor is not supported.")
        return labels

    def loss(self, labels: Any, logits: Any, weights: Any = None) -> tuple[Any, Any]:
        return self.loss_fn(labels, logits, weights)  # type: ignore[no-any-return]

    def predictions(self, logits: Any) -> dict[str, Any]:
        raise NotImplementedError

    def metrics(self, loss: Any, predictions: dict[str, Any], labels: Any, weights: Any) -> dict[str, Any]:
        raise NotImplementedError

    def alternatives(self, predictions: dict[str, Any]) -> dict[Any, Any]:
        return {self.head_name: (self.problem, predictions)}

    def create_model_fn_ops(
        self, features: Any, mode: str, labels: Any = None, train_op_fn: Any = None, logits: Any = None, logits_input: Any = None, scope: Any = None
    ) -> ModelFnOps:  # fmt: skip
        values = [*features.values(), labels, logits, logits_input]
        with tf.variable_scope(scope, default_name=self.head_name or self.scope_name, values=values):
            labels = None if mode == ModeKeys.INFER or labels is None else self.transform_labels(labels)
            if logits is None:
                if logits_input is None:
                    raise ValueError("Neither logits nor logits_input supplied.")
                logits = tf.contrib.layers.linear(logits_input, self._dimension, scope="logits")
            elif logits_input is not None:
                raise ValueError("Both logits and logits_input supplied.")
            else:
                logits = tf.convert_to_tensor(logits, name="logits")
            _check_mode(mode)
            bias = None
            if self._centered:
                bias = _centered_bias(self._dimension, self.head_name)
                logits = tf.nn.bias_add(logits, bias)
            predictions = self.predictions(logits)
            loss = train_op = metrics = None
            if mode != ModeKeys.INFER and labels is not None:
                weights = self._weights(features)
                loss, average = self.loss(labels, logits, weights)
                with tf.name_scope(""):
                    tf.summary.scalar(self.named(MetricKey.LOSS), tf.identity(average))
                if mode == ModeKeys.TRAIN:
                    if train_op_fn is None:
                        raise ValueError("train_op_fn can not be None in TRAIN mode")
                    train_op = self._train(loss, labels, train_op_fn, bias, tf.shape(logits)[0], weights)
                metrics = self.metrics(average, predictions, labels, weights)
            return ModelFnOps(
                mode=mode,
                predictions=predictions,
                loss=loss,
                train_op=train_op,
                eval_metric_ops=metrics,
                output_alternatives=self.alternatives(predictions),
            )

    def _train(self, loss: Any, labels: Any, train_op_fn: Any, bias: Any, batch_size: Any, weights: Any) -> Any:
        given = list(labels.values()) if isinstance(labels, dict) else [labels]
        step = None
        if bias is not None:
            with tf.name_scope(None, "centered_bias_step", given) as name:
                logits = tf.reshape(tf.tile(bias, (batch_size,)), (batch_size, tf.shape(bias)[0]))
                with tf.name_scope(None, "centered_bias", [*given, logits]):
                    bias_loss = tf.reduce_mean(self.loss(labels, logits, weights), name="training_loss")
            step = tf.train.AdagradOptimizer(0.1).minimize(bias_loss, var_list=[bias], name=name)
        with tf.name_scope(None, "train_op", [loss, *given]):
            op = train_op_fn(loss)
            return op if step is None else tf.group(op, step)

    def _weights(self, features: Any) -> Any:
        name = self._weight_column
        if not name:
            return None
        if name not in features:
            raise ValueError(f"Weights {name} missing from features.")
        with tf.name_scope(None, "weight_tensor", list(features.values())):
            weights = tf.cast(features[name], "float32")
            if weights.get_shape().ndims == 1:
                return tf.sparse_reshape(weights, (-1, 1)) if isinstance(weights, SparseTensor) else tf.reshape(weights, (-1, 1))
            return weights


def _centered_bias(dimension: int, head_name: str | None) -> Any:
    bias = tf.Variable(tf.zeros(shape=(dimension,)), name="centered_bias_weight", trainable=True)
    for i in range(dimension):
        tf.summary.scalar(f"centered_bias/bias_{i}" + (f"/{head_name}" if head_name else ""), bias[i])
    return bias


class RegressionHead(SingleHead):
    scope_name = "regression_head"
    problem = ProblemType.LINEAR_REGRESSION

    def __init__(self, loss_fn: Any, link_fn: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.loss_fn, self._link = loss_fn, link_fn

    def predictions(self, logits: Any) -> dict[str, Any]:
        with tf.name_scope(None, "predictions", [logits]):
            if self._dimension == 1:
                logits = tf.squeeze(logits, axis=(1,), name=PredictionKey.SCORES)
            return {PredictionKey.SCORES: self._link(logits)}

    def metrics(self, loss: Any, predictions: dict[str, Any], labels: Any, weights: Any) -> dict[str, Any]:
        with tf.name_scope("metrics", values=[loss]):
            return {self.named(MetricKey.LOSS): tf.metrics.mean(loss)}


def _two_classes(logits: Any) -> Any:
    return tf.concat((tf.zeros_like(logits), logits), 1)


class _ClassifierHead(SingleHead):
    label_keys: Any = None

    def alternatives(self, predictions: dict[str, Any]) -> dict[Any, Any]:
        probabilities = predictions.get(PredictionKey.PROBABILITIES)
        if probabilities is None:
            raise ValueError(f"{PredictionKey.PROBABILITIES} missing in predictions")
        with tf.name_scope(None, "_classification_output_alternatives", [probabilities]):
            count = tf.shape(probabilities)[0]
            if self.label_keys:
                classes = tf.tile(input=tf.expand_dims(input=self.label_keys, axis=0), multiples=[count, 1], name="classes_tensor")
            else:
                ids = tf.range(tf.shape(probabilities)[1])
                classes = tf.as_string(tf.tile(input=tf.expand_dims(input=ids, axis=0), multiples=[count, 1]), name="classes_tensor")
        return {self.head_name: (self.problem, {PredictionKey.PROBABILITIES: probabilities, PredictionKey.CLASSES: classes})}


class BinaryLogisticHead(_ClassifierHead):
    scope_name = "binary_logistic_head"
    problem = ProblemType.LOGISTIC_REGRESSION

    def __init__(self, loss_fn: Any = None, **kwargs: Any) -> None:
        super().__init__(logits_dimension=1, **kwargs)
        self.loss_fn = loss_fn or log_loss

    def predictions(self, logits: Any) -> dict[str, Any]:
        with tf.name_scope(None, "predictions", [logits]):
            both = _two_classes(logits)
            return {
                PredictionKey.LOGITS: logits,
                PredictionKey.LOGISTIC: tf.sigmoid(logits, name=PredictionKey.LOGISTIC),
                PredictionKey.PROBABILITIES: tf.nn.softmax(both, name=PredictionKey.PROBABILITIES),
                PredictionKey.CLASSES: tf.argmax(both, 1, name=PredictionKey.CLASSES),
            }

    def metrics(self, loss: Any, predictions: dict[str, Any], labels: Any, weights: Any) -> dict[str, Any]:
        with tf.name_scope("metrics", values=[loss, labels, weights, *predictions.values()]):
            classes, logistic = predictions[PredictionKey.CLASSES], predictions[PredictionKey.LOGISTIC]
            metrics = {
                MetricKey.LOSS: tf.metrics.mean(loss),
                MetricKey.ACCURACY: tf.metrics.accuracy(labels, classes, weights),
                MetricKey.PREDICTION_MEAN: _mean(logistic, weights),
                MetricKey.LABEL_MEAN: _mean(labels, weights),
                MetricKey.ACCURACY_BASELINE: _mean(labels, weights),
                MetricKey.AUC: _auc(logistic, labels, weights),
                MetricKey.AUC_PR: _auc(logistic, labels, weights, curve="PR"),
            }
            for t in self._thresholds:
                metrics[MetricKey.ACCURACY_MEAN % t] = _accuracy_at(logistic, labels, weights, t)
                metrics[MetricKey.PRECISION_MEAN % t] = _at_threshold(tf.metrics.precision_at_thresholds, logistic, labels, weights, t)
                metrics[MetricKey.RECALL_MEAN % t] = _at_threshold(tf.metrics.recall_at_thresholds, logistic, labels, weights, t)
        return {self.named(k): v for k, v in metrics.items()}


def _class_ids(ids: Any, n_classes: int) -> tuple[int, ...]:
    for i in ids or ():
        if i < 0 or i >= n_classes:
            raise ValueError(f"Class ID {i} not in [0, {n_classes}).")
    return tuple(ids or ())


class MultiClassHead(_ClassifierHead):
    scope_name = "multi_class_head"
    problem = ProblemType.CLASSIFICATION

    def __init__(self, n_classes: int, loss_fn: Any = None, metric_class_ids: Any = None, label_keys: Any = None, **kwargs: Any) -> None:
        super().__init__(logits_dimension=n_classes, **kwargs)
        self.loss_fn = loss_fn or softmax_loss
        self._ids = _class_ids(metric_class_ids, n_classes)
        if label_keys and len(label_keys) != n_classes:
            raise ValueError("Length of label_keys must equal n_classes.")
        self.label_keys = label_keys

    def transform_labels(self, labels: Any) -> Any:
        labels = super().transform_labels(labels)
        ids = labels
        if self.label_keys:
            ids = tf.contrib.lookup.index_table_from_tensor(self.label_keys, name="label_id_lookup").lookup(labels)
        return {"labels": labels, "label_ids": ids}

    def loss(self, labels: Any, logits: Any, weights: Any = None) -> tuple[Any, Any]:
        return self.loss_fn(labels["label_ids"], logits, weights=weights)  # type: ignore[no-any-return]

    def predictions(self, logits: Any) -> dict[str, Any]:
        with tf.name_scope(None, "predictions", [logits]):
            classes = tf.argmax(logits, 1, name=PredictionKey.CLASSES)
            if self.label_keys:
                table = tf.contrib.lookup.index_to_string_table_from_tensor(self.label_keys, name="class_string_lookup")
                classes = table.lookup(classes)
            return {
                PredictionKey.LOGITS: logits,
                PredictionKey.PROBABILITIES: tf.nn.softmax(logits, name=PredictionKey.PROBABILITIES),
                PredictionKey.CLASSES: classes,
            }

    def metrics(self, loss: Any, predictions: dict[str, Any], labels: Any, weights: Any) -> dict[str, Any]:
        ids, labels = labels["label_ids"], labels["labels"]
        with tf.name_scope("metrics", values=[loss, labels, ids, weights, *predictions.values()]):
            classes = predictions[PredictionKey.CLASSES]
            metrics = {MetricKey.LOSS: tf.metrics.mean(loss), MetricKey.ACCURACY: tf.metrics.accuracy(labels, classes, weights)}
            for i in () if self.label_keys else self._ids:
                metrics[MetricKey.CLASS_PREDICTION_MEAN % i] = _mean_of_class(classes, weights, i)
                metrics[MetricKey.CLASS_LABEL_MEAN % i] = _mean_of_class(ids, weights, i)
                metrics[MetricKey.CLASS_PROBABILITY_MEAN % i] = _mean(predictions[PredictionKey.PROBABILITIES], weights, i)
                metrics[MetricKey.CLASS_LOGITS_MEAN % i] = _mean(predictions[PredictionKey.LOGITS], weights, i)
        return {self.named(k): v for k, v in metrics.items()}


class BinarySvmHead(SingleHead):
    scope_name = "binary_svm_head"
    problem = ProblemType.LOGISTIC_REGRESSION
    loss_fn = staticmethod(hinge_loss)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(logits_dimension=1, **kwargs)

    def predictions(self, logits: Any) -> dict[str, Any]:
        with tf.name_scope(None, "predictions", [logits]):
            return {PredictionKey.LOGITS: logits, PredictionKey.CLASSES: tf.argmax(_two_classes(logits), 1, name=PredictionKey.CLASSES)}

    def metrics(self, loss: Any, predictions: dict[str, Any], labels: Any, weights: Any) -> dict[str, Any]:
        with tf.name_scope("metrics", values=[loss, labels, weights, *predictions.values()]):
            accuracy = tf.metrics.accuracy(labels, predictions[PredictionKey.CLASSES], weights)
            return {self.named(MetricKey.LOSS): tf.metrics.mean(loss), self.named(MetricKey.ACCURACY): accuracy}


class MultiLabelHead(_ClassifierHead):
    scope_name = "multi_label_head"
    problem = ProblemType.CLASSIFICATION

    def __init__(self, n_classes: int, loss_fn: Any = None, metric_class_ids: Any = None, **kwargs: Any) -> None:
        super().__init__(logits_dimension=n_classes, **kwargs)
        self.loss_fn = loss_fn or sigmoid_loss
        self._ids = _class_ids(metric_class_ids, n_classes)

    def transform_labels(self, labels: Any) -> Any:
        labels = tf.convert_to_tensor_or_sparse_tensor(labels[self._label_name] if isinstance(labels, dict) else labels)
        return tf.cast(tf.sparse_to_indicator(labels, self._dimension), "int64") if isinstance(labels, SparseTensor) else labels

    def predictions(self, logits: Any) -> dict[str, Any]:
        with tf.name_scope(None, "predictions", [logits]):
            return {
                PredictionKey.LOGITS: logits,
                PredictionKey.PROBABILITIES: tf.sigmoid(logits, name=PredictionKey.PROBABILITIES),
                PredictionKey.CLASSES: tf.cast(tf.greater(logits, 0), "int64", name=PredictionKey.CLASSES),
            }

    def metrics(self, loss: Any, predictions: dict[str, Any], labels: Any, weights: Any) -> dict[str, Any]:
        with tf.name_scope("metrics", values=[loss, labels, weights, *predictions.values()]):
            classes, probabilities = predictions[PredictionKey.CLASSES], predictions[PredictionKey.PROBABILITIES]
            metrics = {
                MetricKey.LOSS: tf.metrics.mean(loss),
                MetricKey.ACCURACY: tf.metrics.accuracy(labels, classes, weights),
                MetricKey.AUC: _auc(probabilities, labels, weights),
                MetricKey.AUC_PR: _auc(probabilities, labels, weights, curve="PR"),
            }
            for i in self._ids:
                metrics[MetricKey.CLASS_PREDICTION_MEAN % i] = _mean(classes, weights, i)
                metrics[MetricKey.CLASS_LABEL_MEAN % i] = _mean(labels, weights, i)
                metrics[MetricKey.CLASS_PROBABILITY_MEAN % i] = _mean(probabilities, weights, i)
                metrics[MetricKey.CLASS_LOGITS_MEAN % i] = _mean(predictions[PredictionKey.LOGITS], weights, i)
                metrics[MetricKey.CLASS_AUC % i] = _auc(probabilities, labels, weights, i)
                metrics[MetricKey.CLASS_AUC_PR % i] = _auc(probabilities, labels, weights, i, curve="PR")
        return {self.named(k): v for k, v in metrics.items()}


class LossOnlyHead(Head):
    """A loss without predictions (a regularization, say)."""

    def __init__(self, loss_fn: Any, head_name: str | None = None) -> None:
        self._loss_fn, self.head_name = loss_fn, head_name or "loss_only_head"

    @property
    def logits_dimension(self) -> int:
        return 0

    def create_model_fn_ops(
        self, features: Any, mode: str, labels: Any = None, train_op_fn: Any = None, logits: Any = None, logits_input: Any = None, scope: Any = None
    ) -> ModelFnOps:  # fmt: skip
        _check_mode(mode)
        loss = train_op = None
        if mode != ModeKeys.INFER:
            with tf.variable_scope(scope, default_name=self.head_name):
                loss = self._loss_fn()
                loss = tf.add_n(loss) if isinstance(loss, list) else loss
                with tf.name_scope(""):
                    tf.summary.scalar(f"{MetricKey.LOSS}/{self.head_name}", tf.identity(loss))
                if mode == ModeKeys.TRAIN:
                    if train_op_fn is None:
                        raise ValueError("train_op_fn can not be None in TRAIN mode")
                    with tf.name_scope(None, "train_op", [loss]):
                        train_op = train_op_fn(loss)
        return ModelFnOps(mode=mode, loss=loss, train_op=train_op, predictions={}, eval_metric_ops={})


class MultiHead(Head):
    """Several heads on the same features."""

    def __init__(self, heads: Any, loss_weights: Any = None) -> None:
        for head in heads:
            if not head.head_name:
                raise ValueError("Members of MultiHead must have names.")
        if loss_weights and len(loss_weights) != len(heads):
            raise ValueError("heads and loss_weights must have same size")
        self._heads, self._loss_weights = heads, loss_weights

    @property
    def logits_dimension(self) -> int:
        return sum(head.logits_dimension for head in self._heads)

    def create_model_fn_ops(
        self, features: Any, mode: str, labels: Any = None, train_op_fn: Any = None, logits: Any = None, logits_input: Any = None, scope: Any = None
    ) -> ModelFnOps:  # fmt: skip
        _check_mode(mode)
        made, begin = [], 0
        for head in self._heads:
            own = None
            if isinstance(logits, dict):
                own = None if isinstance(head, LossOnlyHead) else logits[head.head_name]
            elif logits is not None:
                own = tf.slice(logits, [0, begin], [-1, head.logits_dimension])
                begin += head.logits_dimension
            made.append(
                head.create_model_fn_ops(
                    features=features, mode=mode, labels=labels, train_op_fn=no_op_train_fn, logits=own, logits_input=logits_input if logits is None else None,
                    scope=scope,
                )
            )  # fmt: skip
        if mode == ModeKeys.INFER:
            real = [(h, m) for h, m in zip(self._heads, made, strict=True) if not isinstance(h, LossOnlyHead)]
            return ModelFnOps(
                mode=mode, predictions={(h.head_name, k): v for h, m in real for k, v in m.predictions.items()},
                output_alternatives={h.head_name: m.output_alternatives[h.head_name] for h, m in real},
            )  # fmt: skip
        metrics = {k: v for m in made for k, v in (m.eval_metric_ops or {}).items()}
        losses = [m.loss for m in made]
        if self._loss_weights:
            losses = [tf.multiply(loss, weight) for loss, weight in zip(losses, self._loss_weights, strict=True)]
        loss = tf.add_n(losses)
        if mode == ModeKeys.EVAL:
            predictions = {(h.head_name, k): v for h, m in zip(self._heads, made, strict=True) for k, v in m.predictions.items()}
            return ModelFnOps(mode=mode, predictions=predictions, loss=loss, eval_metric_ops=metrics)
        if train_op_fn is None:
            raise ValueError("train_op_fn can not be None in TRAIN mode.")
        train_op = tf.group(train_op_fn(loss), *(m.train_op for m in made))
        return ModelFnOps(mode=mode, loss=loss, train_op=train_op, eval_metric_ops=metrics)


@export("contrib.learn.regression_head")
def regression_head(
    label_name: Any = None, weight_column_name: Any = None, label_dimension: int = 1, enable_centered_bias: bool = False, head_name: str | None = None,
    link_fn: Any = None,
) -> Head:  # fmt: skip
    return RegressionHead(
        mean_squared_loss, link_fn or tf.identity, logits_dimension=label_dimension, label_name=label_name, weight_column_name=weight_column_name,
        enable_centered_bias=enable_centered_bias, head_name=head_name,
    )  # fmt: skip


@export("contrib.learn.poisson_regression_head")
def poisson_regression_head(
    label_name: Any = None,
    weight_column_name: Any = None,
    label_dimension: int = 1,
    enable_centered_bias: bool = False,
    head_name: str | None = None,
) -> Head:
    return RegressionHead(
        poisson_loss, tf.exp, logits_dimension=label_dimension, label_name=label_name, weight_column_name=weight_column_name,
        enable_centered_bias=enable_centered_bias, head_name=head_name,
    )  # fmt: skip


@export("contrib.learn.multi_class_head")
def multi_class_head(
    n_classes: int, label_name: Any = None, weight_column_name: Any = None, enable_centered_bias: bool = False, head_name: str | None = None,
    thresholds: Any = None, metric_class_ids: Any = None, loss_fn: Any = None, label_keys: Any = None,
) -> Head:  # fmt: skip
    if n_classes is None or n_classes < 2:
        raise ValueError(f"n_classes must be > 1 for classification: {n_classes}.")
    loss_fn = _custom(loss_fn) if loss_fn else None
    shared: dict[str, Any] = {
        "label_name": label_name, "weight_column_name": weight_column_name, "enable_centered_bias": enable_centered_bias, "head_name": head_name,
        "thresholds": thresholds, "loss_fn": loss_fn,
    }  # fmt: skip
    if n_classes == 2:
        if metric_class_ids:
            raise ValueError("metric_class_ids invalid for n_classes==2.")
        if label_keys:
            raise ValueError("label_keys is not supported for n_classes=2.")
        return BinaryLogisticHead(**shared)
    return MultiClassHead(n_classes, metric_class_ids=metric_class_ids, label_keys=label_keys, **shared)


@export("contrib.learn.binary_svm_head")
def binary_svm_head(
    label_name: Any = None,
    weight_column_name: Any = None,
    enable_centered_bias: bool = False,
    head_name: str | None = None,
    thresholds: Any = None,
) -> Head:
    return BinarySvmHead(
        label_name=label_name,
        weight_column_name=weight_column_name,
        enable_centered_bias=enable_centered_bias,
        head_name=head_name,
        thresholds=thresholds,
    )


@export("contrib.learn.multi_label_head")
def multi_label_head(
    n_classes: int, label_name: Any = None, weight_column_name: Any = None, enable_centered_bias: bool = False, head_name: str | None = None,
    thresholds: Any = None, metric_class_ids: Any = None, loss_fn: Any = None,
) -> Head:  # fmt: skip
    if n_classes < 2:
        raise ValueError("n_classes must be > 1 for classification.")
    return MultiLabelHead(
        n_classes, _custom(loss_fn) if loss_fn else None, metric_class_ids, label_name=label_name, weight_column_name=weight_column_name,
        enable_centered_bias=enable_centered_bias, head_name=head_name, thresholds=thresholds,
    )  # fmt: skip


@export("contrib.learn.loss_only_head", "contrib.learn.python.learn.estimators.head.loss_only_head")
def loss_only_head(loss_fn: Any, head_name: str | None = None) -> Head:
    return LossOnlyHead(loss_fn, head_name=head_name)


@export("contrib.learn.multi_head")
def multi_head(heads: Any, loss_weights: Any = None) -> Head:
    return MultiHead(heads, loss_weights)
