"""tf.contrib.learn.models and ops: small models of the time of skflow."""

from __future__ import annotations

from typing import Any

from runtime.tf1.modules import module
from runtime.tf1.registry import export

tf: Any = module("")


@export("contrib.learn.ops.mean_squared_error_regressor")
def mean_squared_error_regressor(tensor_in: Any, labels: Any, weights: Any, biases: Any, name: str | None = None) -> tuple[Any, Any]:
    """(predictions, loss)."""
    with tf.name_scope(name, "mean_squared_error_regressor", [tensor_in, labels]):
        predictions = tf.nn.xw_plus_b(tensor_in, weights, biases)
        if len(labels.get_shape()) == 1 and len(predictions.get_shape()) == 2:
            predictions = tf.squeeze(predictions, axis=[1])
        return predictions, tf.losses.mean_squared_error(labels, predictions)


@export("contrib.learn.ops.softmax_classifier")
def softmax_classifier(
    tensor_in: Any, labels: Any, weights: Any, biases: Any, class_weight: Any = None, name: str | None = None
) -> tuple[Any, Any]:
    """(probabilities, loss)."""
    with tf.name_scope(name, "softmax_classifier", [tensor_in, labels]):
        logits = tf.nn.xw_plus_b(tensor_in, weights, biases)
        if class_weight is not None:
            logits = tf.multiply(logits, class_weight)
        return tf.nn.softmax(logits), tf.losses.softmax_cross_entropy(labels, logits)


@export("contrib.learn.ops.embedding_lookup")
def embedding_lookup(params: Any, ids: Any, name: str = "embedding_lookup") -> Any:
    with tf.name_scope(name, "embedding_lookup", [params, ids]):
        params, ids = tf.convert_to_tensor(params), tf.convert_to_tensor(ids)
        shape = tf.shape(ids)
        flat = tf.nn.embedding_lookup(params, tf.reshape(ids, tf.reduce_prod(shape, keepdims=True)), name)
        embedded = tf.reshape(flat, tf.concat([shape, [-1]], 0))
        embedded.set_shape(ids.get_shape().concatenate(params.get_shape()[1:]))
        return embedded


@export("contrib.learn.ops.categorical_variable")
def categorical_variable(tensor_in: Any, n_classes: int, embedding_size: int, name: str) -> Any:
    with tf.variable_scope(name):
        return embedding_lookup(tf.get_variable(f"{name}_embeddings", [n_classes, embedding_size]), tensor_in)


def _parameters(x: Any, width: Any, mean: Any, stddev: float) -> tuple[Any, Any]:
    dtype = x.dtype.base_dtype
    kwargs: dict[str, Any] = {"dtype": dtype}

    def variable(name: str, shape: list[Any]) -> Any:
        initializer = {} if mean is None else {"initializer": tf.random_normal_initializer(mean, stddev, dtype=dtype)}
        return tf.get_variable(name, shape, **kwargs, **initializer)

    return variable("weights", [x.get_shape()[1], width]), variable("bias", [width])


def _summarize(scope: str, **values: Any) -> None:
    for name, value in values.items():
        tf.summary.histogram(f"{scope}.{name}", value)


@export("contrib.learn.models.linear_regression")
def linear_regression(x: Any, y: Any, init_mean: Any = None, init_stddev: float = 1.0) -> tuple[Any, Any]:
    """(predictions, loss) of a linear model."""
    with tf.variable_scope("linear_regression"):
        scope = tf.get_variable_scope().name
        _summarize(scope, x=x, y=y)
        width = 1 if len(y.get_shape()) == 1 else y.get_shape()[1]
        weights, bias = _parameters(x, width, init_mean, init_stddev)
        _summarize(scope, weights=weights, bias=bias)
        return mean_squared_error_regressor(x, y, weights, bias)


@export("contrib.learn.models.linear_regression_zero_init")
def linear_regression_zero_init(x: Any, y: Any) -> tuple[Any, Any]:
    return linear_regression(x, y, init_mean=0.0, init_stddev=0.0)


@export("contrib.learn.models.logistic_regression")
def logistic_regression(x: Any, y: Any, class_weight: Any = None, init_mean: Any = None, init_stddev: float = 1.0) -> tuple[Any, Any]:
    """(probabilities, loss) of a linear model with softmax."""
    with tf.variable_scope("logistic_regression"):
        scope = tf.get_variable_scope().name
        _summarize(scope, x=x, y=y)
        weights, bias = _parameters(x, y.get_shape()[-1], init_mean, init_stddev)
        _summarize(scope, weights=weights, bias=bias)
        return softmax_classifier(x, y, weights, bias, class_weight=class_weight)


@export("contrib.learn.models.logistic_regression_zero_init")
def logistic_regression_zero_init(x: Any, y: Any) -> tuple[Any, Any]:
    return logistic_regression(x, y, init_mean=0.0, init_stddev=0.0)


@export("contrib.learn.models.bidirectional_rnn")
def bidirectional_rnn(
    cell_fw: Any, cell_bw: Any, inputs: Any, initial_state_fw: Any = None, initial_state_bw: Any = None, dtype: Any = None, sequence_length: Any = None,
    scope: str | None = None,
) -> tuple[Any, Any]:  # fmt: skip
    """(outputs of both directions side by side, the last states side by side)."""
    if not isinstance(inputs, list):
        raise TypeError("inputs must be a list")
    if not inputs:
        raise ValueError("inputs must not be empty")
    name = scope or "BiRNN"
    static_rnn = tf.contrib.rnn.static_rnn
    with tf.variable_scope(f"{name}_FW"):
        forward, state_fw = static_rnn(cell_fw, inputs, initial_state_fw, dtype, sequence_length)
    with tf.variable_scope(f"{name}_BW"):
        backward, state_bw = static_rnn(cell_bw, _reversed(inputs, sequence_length), initial_state_bw, dtype, sequence_length)
    backward = _reversed(backward, sequence_length)
    return [tf.concat([f, b], 1) for f, b in zip(forward, backward, strict=True)], tf.concat([state_fw, state_bw], 1)


def _reversed(values: list[Any], lengths: Any) -> list[Any]:
    if lengths is None:
        return list(reversed(values))
    return list(tf.unstack(tf.reverse_sequence(tf.stack(values), lengths, 0, 1)))
