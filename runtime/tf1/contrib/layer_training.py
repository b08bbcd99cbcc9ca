"""tf.contrib.layers: optimize_loss, summaries of layers, and embeddings of sequences."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

from graphtools import graph as base
from runtime.tf1.contrib.variables import model_variable
from runtime.tf1.graph import GraphKeys
from runtime.tf1.modules import module
from runtime.tf1.registry import export, put
from runtime.tf1.train.moving_averages import assign_moving_average
from runtime.tf1.variable_scope import PartitionedVariable

tf: Any = module("")

# Optimizers that optimize_loss knows by name.
OPTIMIZERS: dict[str, Any] = {
    "Adagrad": tf.train.AdagradOptimizer,
    "Adam": tf.train.AdamOptimizer,
    "Ftrl": tf.train.FtrlOptimizer,
    "Momentum": lambda learning_rate: tf.train.MomentumOptimizer(learning_rate, momentum=0.9),
    "RMSProp": tf.train.RMSPropOptimizer,
    "SGD": tf.train.GradientDescentOptimizer,
}
SUMMARIES = ["learning_rate", "loss", "gradients", "gradient_norm", "global_gradient_norm"]
put("contrib.layers.OPTIMIZER_CLS_NAMES", OPTIMIZERS)
put("contrib.layers.OPTIMIZER_SUMMARIES", SUMMARIES)


def after(operations: list[Any], tensor: Any) -> Any:
    """The tensor, once the operations have run."""
    with (
        tf.name_scope(None, "control_dependency", [*operations, tensor]) as scope,
        tf.get_default_graph().colocate_with(tensor.op),
        tf.control_dependencies(operations),
    ):
        return tf.identity(tensor, name=scope)


def _optimizer(optimizer: Any, lr: Any, has_rate: bool) -> Any:
    """An optimizer from its name, its class, a function that makes one, or itself."""
    kind = tf.train.Optimizer
    if isinstance(optimizer, str) or (isinstance(optimizer, type) and issubclass(optimizer, kind)):
        label = "string" if isinstance(optimizer, str) else "class"
        if lr is None:
            raise ValueError(f"Learning rate is None, but should be specified if optimizer is {label} ({optimizer}).")
        if isinstance(optimizer, str):
            if optimizer not in OPTIMIZERS:
                raise ValueError(f"Optimizer name should be one of [{', '.join(OPTIMIZERS)}], you provided {optimizer}.")
            optimizer = OPTIMIZERS[optimizer]
        return optimizer(learning_rate=lr)
    if isinstance(optimizer, kind):
        return optimizer
    if callable(optimizer):
        made = optimizer(lr) if has_rate else optimizer()
        if not isinstance(made, kind):
            raise ValueError(f"Unrecognized optimizer: function should return subclass of Optimizer. Got {made}.")
        return made
    raise ValueError(
        f"Unrecognized optimizer: should be string, subclass of Optimizer, instance of subclass of Optimizer or function with one argument. Got {optimizer}."
    )


def _scaled(gradient: Any, factor: Any) -> Any:
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(gradient.values * factor, gradient.indices, gradient.dense_shape)
    return gradient * tf.cast(factor, gradient.dtype)


def _with_noise(pairs: Any, scale: Any) -> list[tuple[Any, Any]]:
    noisy = []
    for gradient, variable in pairs:
        if gradient is not None:
            shape = gradient.dense_shape if isinstance(gradient, tf.IndexedSlices) else gradient.get_shape()
            gradient = gradient + tf.truncated_normal(shape) * scale
        noisy.append((gradient, variable))
    return noisy


def _multiplied(pairs: Any, multipliers: Any) -> list[tuple[Any, Any]]:
    result = []
    for gradient, variable in pairs:
        key = next((k for k in multipliers if k is variable or k == variable.name), None)
        result.append((_scaled(gradient, multipliers[key]) if gradient is not None and key is not None else gradient, variable))
    return result


@export("contrib.layers.optimize_loss")
def optimize_loss(
    loss: Any, global_step: Any, learning_rate: Any, optimizer: Any, gradient_noise_scale: Any = None, gradient_multipliers: Any = None, clip_gradients: Any = None,
    learning_rate_decay_fn: Any = None, update_ops: Any = None, variables: Any = None, name: str | None = None, summaries: Any = None,
    colocate_gradients_with_ops: bool = False, increment_global_step: bool = True,
) -> Any:  # fmt: skip
    """A tensor of the loss whose run does one step of training."""
    loss = tf.convert_to_tensor(loss)
    tf.debugging.assert_scalar(loss)
    if global_step is None:
        global_step = tf.train.get_global_step()
    else:
        tf.train.assert_global_step(global_step)
    with tf.variable_scope(name, "OptimizeLoss", [loss, global_step]):
        update_ops = list(dict.fromkeys(tf.get_collection(GraphKeys.UPDATE_OPS))) if update_ops is None else list(update_ops)
        if update_ops:
            loss = after(update_ops, loss)
        lr = None
        if isinstance(learning_rate, base.Tensor) and learning_rate.get_shape().ndims == 0:
            lr = learning_rate
        elif isinstance(learning_rate, float):
            if learning_rate < 0.0:
                raise ValueError("Invalid learning_rate %s.", learning_rate)
            lr = tf.get_variable("learning_rate", [], trainable=False, initializer=tf.constant_initializer(learning_rate))
        elif learning_rate is not None:
            raise ValueError(f"Learning rate should be 0d Tensor or float. Got {learning_rate} of type {type(learning_rate)}")
        if summaries is None:
            summaries = ["loss", "learning_rate", "global_gradient_norm"]
        for wanted in summaries:
            if wanted not in SUMMARIES:
                raise ValueError(f"Summaries should be one of [{', '.join(SUMMARIES)}], you provided {wanted}.")
        if learning_rate is not None and learning_rate_decay_fn is not None:
            if global_step is None:
                raise ValueError("global_step is required for learning_rate_decay_fn.")
            lr = learning_rate_decay_fn(lr, global_step)
            if "learning_rate" in summaries:
                tf.summary.scalar("learning_rate", lr)
        opt = _optimizer(optimizer, lr, learning_rate is not None)
        variables = tf.trainable_variables() if variables is None else variables
        pairs = opt.compute_gradients(loss, variables, colocate_gradients_with_ops=colocate_gradients_with_ops)
        if gradient_noise_scale is not None:
            pairs = _with_noise(pairs, gradient_noise_scale)
        if gradient_multipliers is not None:
            pairs = _multiplied(pairs, gradient_multipliers)
            if not pairs:
                raise ValueError(
                    "Empty list of (gradient, var) pairs encountered. This is most likely to be caused by an improper value of gradient_multipliers."
                )
        norms = "global_gradient_norm" in summaries or "gradient_norm" in summaries
        if norms:
            tf.summary.scalar("global_norm/gradient_norm", tf.global_norm([g for g, _ in pairs]))
        if isinstance(clip_gradients, float):
            clipped, _ = tf.clip_by_global_norm([g for g, _ in pairs], clip_gradients)
            pairs = list(zip(clipped, [v for _, v in pairs], strict=True))
        elif callable(clip_gradients):
            pairs = clip_gradients(pairs)
        elif clip_gradients is not None:
            raise ValueError(f"Unknown type {type(clip_gradients)} for clip_gradients")
        if "loss" in summaries:
            tf.summary.scalar("loss", loss)
        for gradient, variable in pairs:
            values = gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient
            if values is not None:
                label = variable.name.replace(":", "_")
                if "gradients" in summaries:
                    tf.summary.histogram(f"gradients/{label}", values)
                if "gradient_norm" in summaries:
                    tf.summary.scalar(f"gradient_norm/{label}", tf.global_norm([values]))
        if clip_gradients is not None and norms:
            tf.summary.scalar("global_norm/clipped_gradient_norm", tf.global_norm([g for g, _ in pairs]))
        step = opt.apply_gradients(pairs, global_step=global_step if increment_global_step else None, name="train")
        return after([step], loss)


@export("contrib.slim.adaptive_clipping_fn")
def adaptive_clipping_fn(
    std_factor: float = 2.0,
    decay: Any = 0.95,
    static_max_norm: Any = None,
    global_step: Any = None,
    report_summary: bool = False,
    epsilon: float = 1e-8,
    name: str | None = None,
) -> Callable[[Any], Any]:
    """Clips gradients whose norm is `std_factor` deviations over the log norms' moving mean."""

    def max_norm_of(norm: Any) -> tuple[Any, Any]:
        with tf.variable_scope(name, "AdaptiveMaxNorm", [norm]):
            log_norm = tf.log(norm + epsilon)
            rate = decay

            def moving(label: str, value: Any) -> Any:
                variable = tf.get_variable(
                    label, shape=value.get_shape(), dtype=value.dtype, initializer=tf.zeros_initializer(), trainable=False
                )
                return assign_moving_average(variable, value, rate, zero_debias=False)

            if global_step is not None:
                n = tf.cast(global_step, "float32")
                rate = tf.minimum(rate, n / (n + 1.0))
            mean = moving("mean", log_norm)
            variance = moving("sq_mean", tf.square(log_norm)) - tf.square(mean)
            return tf.exp(mean + std_factor * tf.sqrt(tf.maximum(epsilon, variance))), mean

    def gradient_clipping(grads_and_vars: Any) -> list[tuple[Any, Any]]:
        norm = tf.global_norm([g for g, _ in grads_and_vars])
        max_norm, log_mean = max_norm_of(norm)
        if report_summary:
            tf.summary.scalar("global_norm/adaptive_max_gradient_norm", max_norm)
        factor = tf.where(norm < max_norm, tf.ones_like(norm), tf.exp(log_mean) / norm)
        if static_max_norm is not None:
            factor = tf.minimum(static_max_norm / norm, factor)
        return [(None if g is None else _scaled(g, factor), v) for g, v in grads_and_vars]

    return gradient_clipping


# -- summaries -----------------------------------------------------------------------------------------------------------


@export("contrib.layers.summarize_tensor", "contrib.layers.summaries.summarize_tensor")
def summarize_tensor(tensor: Any, tag: str | None = None) -> Any:
    if tensor.dtype.base_dtype.name in ("string", "bool"):
        return None
    tag = tag or f"{tensor.op.name}_summary"
    return tf.summary.scalar(tag, tensor) if tensor.get_shape().ndims == 0 else tf.summary.histogram(tag, tensor)


@export("contrib.layers.summarize_activation", "contrib.layers.summaries.summarize_activation")
def summarize_activation(op: Any) -> Any:
    """A histogram of an activation, and the share of its units that are off or saturated."""
    kind, name = op.op.type, op.op.name
    if kind in ("Relu", "Softplus", "Relu6"):
        given = op.op.inputs[0]
        tf.summary.scalar(f"{name}/zeros", tf.reduce_mean(tf.to_float(tf.less(given, tf.cast(0.0, given.dtype)))))
    if kind == "Relu6":
        given = op.op.inputs[0]
        tf.summary.scalar(f"{name}/sixes", tf.reduce_mean(tf.to_float(tf.greater(given, tf.cast(6.0, given.dtype)))))
    return tf.summary.histogram(f"{name}/activation", op)


@export("contrib.layers.summarize_tensors", "contrib.layers.summaries.summarize_tensors")
def summarize_tensors(tensors: Any, summarizer: Any = summarize_tensor) -> list[Any]:
    return [summarizer(t) for t in tensors]


@export("contrib.layers.summarize_collection", "contrib.layers.summaries.summarize_collection")
def summarize_collection(collection: str, name_filter: str | None = None, summarizer: Any = summarize_tensor) -> list[Any]:
    return summarize_tensors(
        [t for t in tf.get_collection(collection) if name_filter is None or re.match(name_filter, t.op.name)], summarizer
    )


@export("contrib.layers.summarize_activations", "contrib.layers.summaries.summarize_activations")
def summarize_activations(name_filter: str | None = None, summarizer: Any = summarize_activation) -> list[Any]:
    return summarize_collection(GraphKeys.ACTIVATIONS, name_filter, summarizer)


for _name, _collection in (("variables", GraphKeys.GLOBAL_VARIABLES), ("weights", GraphKeys.WEIGHTS), ("biases", GraphKeys.BIASES)):
    _summarize = functools.partial(summarize_collection, _collection)
    put(f"contrib.layers.summaries.summarize_{_name}", _summarize)
    put(f"contrib.layers.summarize_{_name}", _summarize)


# -- embeddings ----------------------------------------------------------------------------------------------------------


@export("contrib.layers.embedding_lookup_unique")
def embedding_lookup_unique(params: Any, ids: Any, partition_strategy: str = "mod", name: str | None = None) -> Any:
    """tf.nn.embedding_lookup that looks up each id once."""
    with tf.name_scope(name, "EmbeddingLookupUnique", [params, ids]):
        ids = tf.convert_to_tensor(ids)
        shape = tf.shape(ids)
        unique, index = tf.unique(tf.reshape(ids, tf.reduce_prod(shape, keepdims=True)))
        found = tf.nn.embedding_lookup(params, unique, partition_strategy)
        flat = tf.gather(found, index)
        embedded = tf.reshape(flat, tf.concat([shape, tf.shape(found)[1:]], 0))
        embedded.set_shape(ids.get_shape().concatenate(found.get_shape()[1:]))
        return embedded


@export("contrib.layers.embed_sequence")
def embed_sequence(
    ids: Any, vocab_size: int | None = None, embed_dim: int | None = None, unique: bool = False, initializer: Any = None, regularizer: Any = None, trainable: bool = True,
    scope: Any = None, reuse: Any = None,
) -> Any:  # fmt: skip
    """The embeddings of ids, of a variable that is made or shared."""
    if not (reuse or (vocab_size and embed_dim)):
        raise ValueError(
            f"Must specify vocab size and embedding dimension when not reusing. Got vocab_size={vocab_size} and embed_dim={embed_dim}"
        )
    with tf.variable_scope(scope, "EmbedSequence", [ids], reuse=reuse):
        shape = None if (reuse and vocab_size is None) or embed_dim is None else [vocab_size, embed_dim]
        embeddings = model_variable("embeddings", shape=shape, initializer=initializer, regularizer=regularizer, trainable=trainable)
        return embedding_lookup_unique(embeddings, ids) if unique else tf.nn.embedding_lookup(embeddings, ids)


@export("contrib.layers.bow_encoder")
def bow_encoder(
    ids: Any, vocab_size: int, embed_dim: int, sparse_lookup: bool = True, initializer: Any = None, regularizer: Any = None, trainable: bool = True, scope: Any = None,
    reuse: Any = None,
) -> Any:  # fmt: skip
    """The mean of the embeddings of each row."""
    if not vocab_size or not embed_dim:
        raise ValueError("Must specify vocab size and embedding dimension")
    with tf.variable_scope(scope, "bow_encoder", [ids], reuse=reuse):
        embeddings = model_variable(
            "embeddings", shape=[vocab_size, embed_dim], initializer=initializer, regularizer=regularizer, trainable=trainable
        )
        sparse = isinstance(ids, tf.SparseTensor)
        if not sparse_lookup:
            if sparse:
                raise TypeError("ids are expected to be dense Tensor, got: %s", ids)
            return tf.reduce_mean(tf.nn.embedding_lookup(embeddings, ids), axis=1)
        if not sparse:
            indices = tf.where(tf.not_equal(ids, 0))
            ids = tf.SparseTensor(indices, tf.gather_nd(ids, indices), tf.shape(ids, out_type="int64"))
        return safe_embedding_lookup_sparse([embeddings], ids, combiner="mean", default_id=0)


@export("contrib.layers.safe_embedding_lookup_sparse")
def safe_embedding_lookup_sparse(
    embedding_weights: Any, sparse_ids: Any, sparse_weights: Any = None, combiner: str | None = None, default_id: Any = None, name: str | None = None,
    partition_strategy: str = "div", max_norm: Any = None,
) -> Any:  # fmt: skip
    """Embeddings of the rows of `sparse_ids`: bad ids and weights are left out, rows without ids get `default_id`'s or zeros."""
    from runtime.tf1.feature_column import safe_embedding_lookup_sparse as core

    if isinstance(embedding_weights, PartitionedVariable):
        embedding_weights = list(embedding_weights)
    if not isinstance(embedding_weights, list):
        embedding_weights = [embedding_weights]
    if not embedding_weights or embedding_weights[0] is None:
        raise ValueError(f"Missing embedding_weights {embedding_weights}.")
    dtype = sparse_weights.dtype if sparse_weights is not None else None
    weights = [tf.convert_to_tensor(w, dtype=dtype) for w in embedding_weights]
    return core(weights, sparse_ids, sparse_weights, combiner or "mean", default_id, name, partition_strategy, max_norm)
