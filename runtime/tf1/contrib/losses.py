"""tf.contrib.losses: losses of (predictions, labels), the order that scripts before tf.losses used."""

from __future__ import annotations

from typing import Any

from runtime.tf1.graph import GraphKeys
from runtime.tf1.losses import div_no_nan
from runtime.tf1.modules import module
from runtime.tf1.registry import export

tf: Any = module("")


def _export(function: Any) -> Any:
    return export(f"contrib.losses.{function.__name__}", f"contrib.slim.losses.{function.__name__}")(function)


def _scale(losses: Any, weights: Any) -> Any:
    """The losses summed to the rank of the weights, times them."""
    axis = list(range(weights.get_shape().ndims, losses.get_shape().ndims))
    return tf.reduce_sum(tf.multiply(tf.reduce_sum(losses, axis=axis), weights))


def _num_present(losses: Any, weights: Any, per_batch: bool = False) -> Any:
    """How many losses have a weight other than zero."""
    rank = weights.get_shape().ndims
    if rank == 0:
        batch_size = tf.reshape(tf.slice(tf.shape(losses), [0], [1]), [])
        per_example = tf.div(tf.cast(tf.size(losses), tf.float32), tf.cast(batch_size, tf.float32))
        per_example = tf.where(tf.equal(weights, 0), 0.0, per_example)
        present = tf.multiply(tf.ones(tf.reshape(batch_size, [1])), per_example)
    else:
        nonzero = tf.reduce_sum(tf.cast(tf.not_equal(weights, 0), tf.float32), axis=list(range(1, rank)))
        rest = tf.slice(tf.shape(losses), [rank], [-1])
        present = tf.multiply(nonzero, tf.cast(tf.reduce_prod(rest), tf.float32))
    return present if per_batch else tf.reduce_sum(present)


@_export
def compute_weighted_loss(losses: Any, weights: Any = 1.0, scope: str | None = None) -> Any:
    with tf.name_scope(scope, "weighted_loss", [losses, weights]):
        losses = tf.convert_to_tensor(losses)
        given = losses.dtype
        losses = tf.cast(losses, tf.float32)
        weights = tf.cast(tf.convert_to_tensor(weights), tf.float32)
        for label, tensor in (("losses", losses), ("weights", weights)):
            if tensor.get_shape().ndims is None:
                raise ValueError(f"{label}.get_shape().ndims cannot be None")
        shape = weights.get_shape()
        if shape.ndims > 1 and shape.dims[-1].is_compatible_with(1):
            weights = tf.squeeze(weights, [-1])
        total = _scale(losses, weights)
        present = _num_present(losses, weights)
        mean = tf.cast(div_no_nan(tf.reduce_sum(total), present, name="value"), given)
        add_loss(mean)
        return mean


@_export
def add_loss(loss: Any, loss_collection: Any = GraphKeys.LOSSES) -> None:
    if loss_collection:
        tf.add_to_collection(loss_collection, loss)


@_export
def get_losses(scope: str | None = None, loss_collection: str = GraphKeys.LOSSES) -> list[Any]:
    return list(tf.get_collection(loss_collection, scope))


@_export
def get_regularization_losses(scope: str | None = None) -> list[Any]:
    return list(tf.get_collection(GraphKeys.REGULARIZATION_LOSSES, scope))


@_export
def get_total_loss(add_regularization_losses: bool = True, name: str = "total_loss") -> Any:
    losses = get_losses()
    if add_regularization_losses:
        losses += get_regularization_losses()
    return tf.add_n(losses, name=name)


def _pair(predictions: Any, labels: Any) -> tuple[Any, Any]:
    predictions, labels = tf.convert_to_tensor(predictions), tf.convert_to_tensor(labels)
    predictions.get_shape().assert_is_compatible_with(labels.get_shape())
    return tf.cast(predictions, tf.float32), tf.cast(labels, tf.float32)


@_export
def absolute_difference(predictions: Any, labels: Any = None, weights: Any = 1.0, scope: str | None = None) -> Any:
    with tf.name_scope(scope, "absolute_difference", [predictions, labels, weights]) as scope:
        predictions, labels = _pair(predictions, labels)
        return compute_weighted_loss(tf.abs(tf.subtract(predictions, labels)), weights, scope=scope)


@_export
def mean_squared_error(predictions: Any, labels: Any = None, weights: Any = 1.0, scope: str | None = None) -> Any:
    with tf.name_scope(scope, "mean_squared_error", [predictions, labels, weights]) as scope:
        predictions, labels = _pair(predictions, labels)
        return compute_weighted_loss(tf.squared_difference(predictions, labels), weights, scope=scope)


@_export
def log_loss(predictions: Any, labels: Any = None, weights: Any = 1.0, epsilon: float = 1e-7, scope: str | None = None) -> Any:
    with tf.name_scope(scope, "log_loss", [predictions, labels, weights]) as scope:
        predictions, labels = _pair(predictions, labels)
        losses = -tf.multiply(labels, tf.log(predictions + epsilon)) - tf.multiply((1 - labels), tf.log(1 - predictions + epsilon))
        return compute_weighted_loss(losses, weights, scope=scope)


@_export
def hinge_loss(logits: Any, labels: Any = None, scope: str | None = None) -> Any:
    with tf.name_scope(scope, "hinge_loss", [logits, labels]):
        logits.get_shape().assert_is_compatible_with(labels.get_shape())
        labels = tf.cast(labels, tf.float32)
        ones = tf.ones_like(labels)
        labels = tf.subtract(2 * labels, ones)
        return tf.nn.relu(tf.subtract(ones, tf.multiply(labels, logits)))


@_export
def cosine_distance(
    predictions: Any, labels: Any = None, axis: int | None = None, weights: Any = 1.0, scope: str | None = None, dim: int | None = None
) -> Any:
    axis = dim if axis is None else axis
    if axis is None:
        raise ValueError("You must specify 'axis'.")
    with tf.name_scope(scope, "cosine_distance_loss", [predictions, labels, weights]) as scope:
        predictions, labels = _pair(predictions, labels)
        return compute_weighted_loss(1 - tf.reduce_sum(tf.multiply(predictions, labels), axis=[axis]), weights, scope=scope)


@_export
def mean_pairwise_squared_error(predictions: Any, labels: Any = None, weights: Any = 1.0, scope: str | None = None) -> Any:
    with tf.name_scope(scope, "mean_pairwise_squared_error", [predictions, labels, weights]):
        predictions, labels = _pair(predictions, labels)
        weights = tf.cast(tf.convert_to_tensor(weights), tf.float32)
        diffs = tf.subtract(predictions, labels)
        axis = list(range(1, diffs.get_shape().ndims))
        squares = tf.reduce_sum(tf.square(diffs), axis=axis)
        present = _num_present(diffs, weights, per_batch=True)
        term1 = 2.0 * div_no_nan(squares, present, name="value")
        sums = tf.reduce_sum(diffs, axis=axis)
        term2 = 2.0 * div_no_nan(tf.square(sums), tf.square(present), name="value")
        loss = _scale(term1 - term2, weights)
        mean = tf.where(tf.reduce_sum(present) > 0, loss, tf.zeros_like(loss), name="value")
        add_loss(mean)
        return mean


@_export
def sigmoid_cross_entropy(
    logits: Any, multi_class_labels: Any, weights: Any = 1.0, label_smoothing: float = 0, scope: str | None = None
) -> Any:
    with tf.name_scope(scope, "sigmoid_cross_entropy_loss", [logits, multi_class_labels, weights]) as scope:
        logits.get_shape().assert_is_compatible_with(multi_class_labels.get_shape())
        labels = tf.cast(multi_class_labels, logits.dtype)
        if label_smoothing > 0:
            labels = labels * (1 - label_smoothing) + 0.5 * label_smoothing
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits, name="xentropy")
        return compute_weighted_loss(losses, weights, scope=scope)


@_export
def softmax_cross_entropy(logits: Any, onehot_labels: Any, weights: Any = 1.0, label_smoothing: float = 0, scope: str | None = None) -> Any:
    with tf.name_scope(scope, "softmax_cross_entropy_loss", [logits, onehot_labels, weights]) as scope:
        logits.get_shape().assert_is_compatible_with(onehot_labels.get_shape())
        labels = tf.cast(onehot_labels, logits.dtype)
        if label_smoothing > 0:
            classes = tf.cast(tf.shape(labels)[1], logits.dtype)
            labels = labels * (1.0 - label_smoothing) + label_smoothing / classes
        losses = tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits, name="xentropy")
        return compute_weighted_loss(losses, weights, scope=scope)


@_export
def sparse_softmax_cross_entropy(logits: Any, labels: Any, weights: Any = 1.0, scope: str | None = None) -> Any:
    with tf.name_scope(scope, "sparse_softmax_cross_entropy_loss", [logits, labels, weights]) as scope:
        labels = tf.reshape(labels, shape=[tf.shape(labels)[0]])
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits, name="xentropy")
        return compute_weighted_loss(losses, weights, scope=scope)
