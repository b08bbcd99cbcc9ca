"""tf.contrib.sparsemax: a softmax whose small probabilities are zero."""

from __future__ import annotations

from typing import Any

from runtime.tf1.modules import module
from runtime.tf1.registry import export

tf: Any = module("")


@export("contrib.sparsemax.sparsemax")
def sparsemax(logits: Any, name: str | None = None) -> Any:
    """The point of the simplex nearest to each row: max(z - tau(z), 0) with the threshold tau that makes the sum 1."""
    with tf.name_scope(name, "sparsemax", [logits]):
        logits = tf.convert_to_tensor(logits, name="logits")
        rows = tf.shape(logits)[0]
        columns = tf.shape(logits)[1]
        ordered, _ = tf.nn.top_k(logits, k=columns)
        sums = tf.cumsum(ordered, axis=1)
        k = tf.range(1, tf.cast(columns, logits.dtype) + 1, dtype=logits.dtype)
        supported = 1 + k * ordered > sums
        support = tf.reduce_sum(tf.cast(supported, tf.int32), axis=1)
        # A row of not-a-numbers supports nothing.
        safe = tf.maximum(support, 1)
        indices = tf.stack([tf.range(0, rows), safe - 1], axis=1)
        tau = (tf.gather_nd(sums, indices) - 1) / tf.cast(support, logits.dtype)
        p = tf.maximum(tf.cast(0, logits.dtype), logits - tau[:, tf.newaxis])
        return tf.where(
            tf.logical_or(tf.equal(support, 0), tf.is_nan(sums[:, -1])),
            tf.fill([rows, columns], tf.cast(float("nan"), logits.dtype)),
            p,
        )


@export("contrib.sparsemax.sparsemax_loss")
def sparsemax_loss(logits: Any, sparsemax: Any, labels: Any, name: str | None = None) -> Any:
    """The loss whose gradient is sparsemax(logits) - labels."""
    with tf.name_scope(name, "sparsemax_loss", [logits, sparsemax, labels]):
        z = tf.convert_to_tensor(logits, name="logits")
        p = tf.convert_to_tensor(sparsemax, name="sparsemax")
        q = tf.convert_to_tensor(labels, name="labels")
        of_support = tf.where(tf.logical_or(p > 0, tf.is_nan(p)), p * (z - 0.5 * p), tf.zeros_like(p))
        of_labels = q * (0.5 * q - z)
        of_labels = tf.where(tf.logical_and(tf.equal(q, 0), tf.is_inf(z)), tf.zeros_like(z), of_labels)
        return tf.reduce_sum(of_support + of_labels, axis=1)
