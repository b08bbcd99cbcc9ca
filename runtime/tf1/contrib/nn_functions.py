"""tf.contrib.nn: losses over sampled classes, dropout for selu layers and a softplus with a learned slope."""

from __future__ import annotations

import numbers
from typing import Any

from runtime.tf1 import embedding_ops
from runtime.tf1.defun import Defun
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.static_values import constant_value

tf: Any = module("")

# -scale * alpha of selu: what a dropped unit becomes.
_DROPPED = -1.7580993408473766


@export("contrib.nn.alpha_dropout")
def alpha_dropout(x: Any, keep_prob: Any, noise_shape: Any = None, seed: int | None = None, name: str | None = None) -> Any:
    """Dropout that keeps the mean and variance of selu's outputs."""
    with tf.name_scope(name, "alpha_dropout", [x]):
        x = tf.convert_to_tensor(x, name="x")
        if isinstance(keep_prob, numbers.Real) and not 0 < keep_prob <= 1.0:
            raise ValueError(f"keep_prob must be a scalar tensor or a float in the range (0, 1], got {keep_prob:g}")
        keep_prob = tf.convert_to_tensor(keep_prob, dtype=x.dtype, name="keep_prob")
        keep_prob.get_shape().assert_has_rank(0)
        if constant_value(keep_prob) == 1:
            return x
        noise_shape = noise_shape if noise_shape is not None else tf.shape(x)
        drawn = tf.random_uniform(noise_shape, seed=seed, dtype=x.dtype)
        kept = tf.cast(tf.greater_equal(drawn, 1 - keep_prob), x.dtype)
        x = x * kept + _DROPPED * (1 - kept)
        a = (keep_prob + keep_prob * (1 - keep_prob) * _DROPPED**2) ** -0.5
        b = -a * _DROPPED * (1 - keep_prob)
        return a * x + b


@export("contrib.nn.deprecated_flipped_softmax_cross_entropy_with_logits")
def flipped_softmax_cross_entropy(logits: Any, labels: Any, dim: int = -1, name: str | None = None) -> Any:
    return tf.nn.softmax_cross_entropy_with_logits(labels=labels, logits=logits, dim=dim, name=name)


@export("contrib.nn.deprecated_flipped_sparse_softmax_cross_entropy_with_logits")
def flipped_sparse_softmax_cross_entropy(logits: Any, labels: Any, name: str | None = None) -> Any:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits, name=name)


@export("contrib.nn.deprecated_flipped_sigmoid_cross_entropy_with_logits")
def flipped_sigmoid_cross_entropy(logits: Any, targets: Any, name: str | None = None) -> Any:
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits, name=name)


def _resampled(
    weights: Any, biases: Any, inputs: Any, sampled_values: Any, num_resampled: int, temperature: Any, partition_strategy: str
) -> tuple[Any, Any, Any]:
    """Those of the sampled classes whose logits, summed over the batch, are the largest."""
    sampled, true_count, sampled_count = sampled_values
    sampled = tf.cast(tf.stop_gradient(sampled), tf.int64)
    true_count = tf.stop_gradient(true_count)
    sampled_count = tf.stop_gradient(sampled_count)
    scaled = inputs / temperature
    rows = tf.nn.embedding_lookup(weights, sampled, partition_strategy=partition_strategy)
    logits = tf.reduce_logsumexp(tf.matmul(rows, scaled, transpose_b=True), axis=1, keepdims=False)
    bias = tf.reshape(tf.nn.embedding_lookup(biases, sampled, partition_strategy), [-1])
    logits += bias / temperature
    _, best = tf.nn.top_k(logits, k=num_resampled, sorted=False)
    return tf.gather(sampled, indices=best), true_count, tf.gather(sampled_count, indices=best)


@export("contrib.nn.rank_sampled_softmax_loss")
def rank_sampled_softmax_loss(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_resampled: int, num_classes: int, num_true: int, sampled_values: Any,
    resampling_temperature: Any, remove_accidental_hits: bool, partition_strategy: str, name: str | None = None,
) -> Any:  # fmt: skip
    """The sampled softmax loss over the hardest of the sampled classes."""
    if num_sampled > num_classes:
        raise ValueError(f"num_sampled ({num_sampled}) cannot be greater than num_classes ({num_classes})")
    if num_sampled <= num_resampled:
        raise ValueError(f"num_resampled ({num_resampled}) must be less than num_sampled ({num_sampled})")
    if partition_strategy not in ("div", "mod"):
        raise ValueError(f"unsupported partition_strategy ({partition_strategy})")
    values = [weights, biases, labels, inputs, sampled_values, resampling_temperature]
    with tf.name_scope(name, "rank_sampled_softmax_loss", values) as scope:
        if not sampled_values:
            sampled_values = tf.nn.learned_unigram_candidate_sampler(
                true_classes=labels, num_true=num_true, num_sampled=num_sampled, unique=True, range_max=num_classes
            )
        resampled = _resampled(weights, biases, inputs, sampled_values, num_resampled, resampling_temperature, partition_strategy)
        return tf.nn.sampled_softmax_loss(
            weights=weights, biases=biases, labels=labels, inputs=inputs, num_sampled=num_resampled, num_classes=num_classes, num_true=num_true,
            sampled_values=resampled, remove_accidental_hits=remove_accidental_hits, partition_strategy=partition_strategy, name=scope,
        )  # fmt: skip


@export("contrib.nn.sampled_sparse_softmax_loss")
def sampled_sparse_softmax_loss(
    weights: Any, biases: Any, labels: Any, inputs: Any, num_sampled: int, num_classes: int, sampled_values: Any = None, remove_accidental_hits: bool = True,
    partition_strategy: str = "mod", name: str = "sampled_sparse_softmax_loss",
) -> Any:  # fmt: skip
    logits, _ = embedding_ops._sampled_logits(
        weights, biases, labels, inputs, num_sampled, num_classes, 1, sampled_values, True, remove_accidental_hits, partition_strategy, name, None
    )  # fmt: skip
    # The true class is the first of each row.
    labels = tf.zeros([tf.shape(logits)[0], 1], dtype=tf.int64)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.squeeze(labels), logits=logits)


def _summed_to(gradient: Any, tensor: Any) -> Any:
    """A gradient of a broadcast result, summed to the shape of what was broadcast."""
    shape = tf.shape(tensor)
    axes, _ = tf.raw_ops.BroadcastGradientArgs(s0=shape, s1=tf.shape(gradient))
    return tf.reshape(tf.reduce_sum(gradient, axes), shape)


@export("contrib.nn.scaled_softplus")
def scaled_softplus(x: Any, alpha: Any, clip: Any = None, name: str | None = None) -> Any:
    """y = alpha * log(1 + exp(x / alpha)), at most `clip`"""
    clipping = clip is not None
    with tf.name_scope(name, "scaled_softplus", [x, alpha, *([clip] if clipping else [])]):
        x = tf.convert_to_tensor(x, name="x")
        dtype = x.dtype
        alpha = tf.convert_to_tensor(alpha, dtype=dtype, name="alpha")
        y = alpha * tf.nn.softplus(x / alpha)
        inputs = [x, alpha]
        if clipping:
            clip = tf.convert_to_tensor(clip, dtype=dtype, name="clip")
            y = tf.minimum(y, clip)
            inputs.append(clip)

        def gradient(op: Any, g: Any) -> list[Any]:
            y, x, alpha = op.inputs[:3]
            with tf.control_dependencies([g]):
                y = tf.identity(y)
            of_clip = []
            if clipping:
                unclipped = tf.cast(y < op.inputs[3], g.dtype)
                of_clip = [_summed_to(g * (1.0 - unclipped), op.inputs[3])]
                g *= unclipped
            y /= alpha
            emy = tf.exp(-y)
            dy_dx = 1.0 - emy
            dy_dalpha = y * emy - dy_dx * tf.log(dy_dx + 1e-8)
            return [None, _summed_to(g * dy_dx, x), _summed_to(g * dy_dalpha, alpha), *of_clip]

        label = f"ScaledSoftplusHelper_{'clip_' if clipping else ''}{dtype.name}"
        kept = Defun(*[dtype] * (len(inputs) + 1), func_name=label, shape_func=lambda op: [op.inputs[0].shape], python_grad_func=gradient)(
            lambda y, *unused: y
        )
        return kept(y, *inputs)
