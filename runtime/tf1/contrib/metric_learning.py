"""tf.contrib.losses.metric_learning: losses of embeddings whose distances mean something."""

from __future__ import annotations

from typing import Any

from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.sparse_tensor import SparseTensor

tf: Any = module("")
_NAME = "contrib.losses.metric_learning."


def _pairwise_distance(feature: Any, squared: bool = False) -> Any:
    """The distances of all pairs of rows; those that are 0 have no gradient."""
    squares = tf.add(
        tf.reduce_sum(tf.square(feature), axis=[1], keepdims=True), tf.reduce_sum(tf.square(tf.transpose(feature)), axis=[0], keepdims=True)
    ) - 2.0 * tf.matmul(feature, tf.transpose(feature))
    squares = tf.maximum(squares, 0.0)
    zero = tf.less_equal(squares, 0.0)
    distances = squares if squared else tf.sqrt(squares + tf.cast(zero, "float32") * 1e-16)
    distances = tf.multiply(distances, tf.cast(tf.logical_not(zero), "float32"))
    count = tf.shape(feature)[0]
    return tf.multiply(distances, tf.ones_like(distances) - tf.diag(tf.ones([count])))


def _column(labels: Any) -> Any:
    shape = tf.shape(labels)
    if shape.shape.as_list() != [1]:
        raise ValueError(f"labels must have rank 1; their shape is {labels.shape}.")
    return tf.reshape(labels, [shape[0], 1])


@export(_NAME + "contrastive_loss")
def contrastive_loss(labels: Any, embeddings_anchor: Any, embeddings_positive: Any, margin: float = 1.0) -> Any:
    distances = tf.sqrt(tf.reduce_sum(tf.squared_difference(embeddings_anchor, embeddings_positive), 1))
    return tf.reduce_mean(
        tf.cast(labels, distances.dtype) * tf.square(distances)
        + (1.0 - tf.cast(labels, distances.dtype)) * tf.square(tf.maximum(margin - distances, 0.0)),
        name="contrastive_loss",
    )


def _masked_maximum(data: Any, mask: Any) -> Any:
    low = tf.reduce_min(data, 1, keepdims=True)
    return tf.reduce_max(tf.multiply(data - low, mask), 1, keepdims=True) + low


def _masked_minimum(data: Any, mask: Any) -> Any:
    high = tf.reduce_max(data, 1, keepdims=True)
    return tf.reduce_min(tf.multiply(data - high, mask), 1, keepdims=True) + high


@export(_NAME + "triplet_semihard_loss")
def triplet_semihard_loss(labels: Any, embeddings: Any, margin: float = 1.0) -> Any:
    """For each pair of one label: against the nearest negative farther than the positive, else the farthest one."""
    labels = _column(labels)
    distances = _pairwise_distance(embeddings, squared=True)
    same = tf.equal(labels, tf.transpose(labels))
    other = tf.logical_not(same)
    size = tf.size(labels)
    tiled = tf.tile(distances, [size, 1])
    mask = tf.logical_and(tf.tile(other, [size, 1]), tf.greater(tiled, tf.reshape(tf.transpose(distances), [-1, 1])))
    some = tf.reshape(tf.greater(tf.reduce_sum(tf.cast(mask, "float32"), 1, keepdims=True), 0.0), [size, size])
    some = tf.transpose(some)
    other = tf.cast(other, "float32")
    mask = tf.cast(mask, "float32")
    outside = tf.transpose(tf.reshape(_masked_minimum(tiled, mask), [size, size]))
    inside = tf.tile(_masked_maximum(distances, other), [1, size])
    losses = tf.add(margin, distances - tf.where(some, outside, inside))
    positives = tf.cast(same, "float32") - tf.diag(tf.ones([size]))
    count = tf.reduce_sum(positives)
    return tf.truediv(tf.reduce_sum(tf.maximum(tf.multiply(losses, positives), 0.0)), count, name="triplet_semihard_loss")


def _npairs(anchor: Any, positive: Any, reg_lambda: float, print_losses: bool, targets: Any) -> Any:
    reg_anchor = tf.reduce_mean(tf.reduce_sum(tf.square(anchor), 1))
    reg_positive = tf.reduce_mean(tf.reduce_sum(tf.square(positive), 1))
    l2loss = tf.multiply(0.25 * reg_lambda, reg_anchor + reg_positive, name="l2loss")
    similarity = tf.matmul(anchor, positive, transpose_a=False, transpose_b=True)
    remapped = tf.cast(targets(), "float32")
    remapped /= tf.reduce_sum(remapped, 1, keepdims=True)
    xent = tf.nn.softmax_cross_entropy_with_logits(logits=similarity, labels=remapped)
    xent = tf.reduce_mean(xent, name="xentropy")
    if print_losses:
        xent = tf.Print(xent, ["cross entropy:", xent, "l2loss:", l2loss])
    return l2loss + xent


@export(_NAME + "npairs_loss")
def npairs_loss(
    labels: Any, embeddings_anchor: Any, embeddings_positive: Any, reg_lambda: float = 0.002, print_losses: bool = False
) -> Any:
    def targets() -> Any:
        column = _column(labels)
        return tf.equal(column, tf.transpose(column))

    return _npairs(embeddings_anchor, embeddings_positive, reg_lambda, print_losses, targets)


@export(_NAME + "npairs_loss_multilabel")
def npairs_loss_multilabel(
    sparse_labels: Any, embeddings_anchor: Any, embeddings_positive: Any, reg_lambda: float = 0.002, print_losses: bool = False
) -> Any:
    """npairs_loss of examples with several labels each."""
    if not all(isinstance(label, SparseTensor) for label in sparse_labels):
        raise TypeError(f"sparse_labels must be a list of SparseTensors, but got {sparse_labels}")

    def targets() -> Any:
        count = len(sparse_labels)
        found = tf.zeros([count, count])
        for i in range(count):
            for j in range(count):
                shared = tf.cast(tf.sparse_reduce_sum(tf.sparse_minimum(sparse_labels[i], sparse_labels[j])), "float32")
                shared = tf.expand_dims(tf.expand_dims(shared, 0), 1)
                found += tf.pad(shared, [[i, count - i - 1], [j, count - j - 1]], "CONSTANT")
        return found

    with tf.name_scope("NpairsLossMultiLabel"):
        return _npairs(embeddings_anchor, embeddings_positive, reg_lambda, print_losses, targets)


@export(_NAME + "lifted_struct_loss")
def lifted_struct_loss(labels: Any, embeddings: Any, margin: float = 1.0) -> Any:
    labels = _column(labels)
    distances = _pairwise_distance(embeddings)
    same = tf.equal(labels, tf.transpose(labels))
    other = tf.logical_not(same)
    size = tf.size(labels)
    diff = margin - distances
    mask = tf.cast(other, "float32")
    low = tf.reduce_min(diff, 1, keepdims=True)
    highest = tf.reduce_max(tf.multiply(diff - low, mask), 1, keepdims=True) + low
    most = tf.maximum(highest, tf.transpose(highest))
    tiled, mask = tf.tile(diff, [size, 1]), tf.tile(mask, [size, 1])
    vector = tf.reshape(tf.transpose(most), [-1, 1])
    left = tf.reshape(tf.reduce_sum(tf.multiply(tf.exp(tiled - vector), mask), 1, keepdims=True), [size, size])
    losses = most + tf.log(left + tf.transpose(left))
    losses += distances
    positives = tf.cast(same, "float32") - tf.diag(tf.ones([size]))
    count = tf.reduce_sum(positives) / 2.0
    total = tf.reduce_sum(tf.square(tf.maximum(tf.multiply(losses, positives), 0.0)))
    return tf.truediv(0.25 * total, count, name="liftedstruct_loss")


@export(_NAME + "cluster_loss")
def cluster_loss(*args: Any, **kwargs: Any) -> Any:
    raise NotImplementedError(
        "tf.contrib.losses.metric_learning.cluster_loss searches medoids in loops that score clusterings with scikit-learn: tfrevive does not build these; "
        "triplet_semihard_loss, lifted_struct_loss and npairs_loss are there."
    )
