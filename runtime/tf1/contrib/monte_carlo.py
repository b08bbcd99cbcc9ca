"""tf.contrib.bayesflow.monte_carlo: expectations as means of samples."""

from __future__ import annotations

from typing import Any

from runtime.tf1.modules import module
from runtime.tf1.registry import export

tf: Any = module("")
_HOMES = ("contrib.bayesflow.monte_carlo",)


def _samples(q: Any, z: Any, n: Any, seed: int | None) -> Any:
    with tf.name_scope("get_samples", values=[z, n]):
        if (n is None) == (z is None):
            raise ValueError(f'Must specify exactly one of arguments "n" and "z".  Found: n = {n}, z = {z}')
        return tf.convert_to_tensor(z, name="z") if n is None else q.sample(n, seed=seed)


def _mean_of_logs(values: Any) -> Any:
    """log mean exp, over the samples"""
    center = tf.stop_gradient(tf.reduce_max(values, axis=[0]))
    return tf.log(tf.reduce_mean(tf.exp(values - center), axis=[0])) + center


@export(*(f"{h}.expectation_importance_sampler" for h in _HOMES))
def expectation_importance_sampler(
    f: Any, log_p: Any, sampling_dist_q: Any, z: Any = None, n: Any = None, seed: int | None = None, name: str = "expectation_importance_sampler"
) -> Any:  # fmt: skip
    """E_p[f] from samples of q, the positive and the negative part of f each in logs."""
    q = sampling_dist_q
    with tf.name_scope(name, values=[z, n]):
        z = _samples(q, z, n, seed)
        log_p_z = log_p(z)
        log_q_z = q.log_prob(z)
        f_z = f(z)
        log_plus = tf.log(tf.nn.relu(f_z) + 1.0)
        log_minus = tf.log(tf.nn.relu(-1.0 * f_z) + 1.0)
        plus = _mean_of_logs(log_plus + log_p_z - log_q_z)
        minus = _mean_of_logs(log_minus + log_p_z - log_q_z)
    return tf.exp(plus) - tf.exp(minus)


@export(*(f"{h}.expectation_importance_sampler_logspace" for h in _HOMES))
def expectation_importance_sampler_logspace(
    log_f: Any, log_p: Any, sampling_dist_q: Any, z: Any = None, n: Any = None, seed: int | None = None,
    name: str = "expectation_importance_sampler_logspace",
) -> Any:  # fmt: skip
    """log E_p[f] from samples of q"""
    with tf.name_scope(name, values=[z, n]):
        z = _samples(sampling_dist_q, z, n, seed)
        return _mean_of_logs(log_f(z) + log_p(z) - sampling_dist_q.log_prob(z))


@export(*(f"{h}.expectation" for h in _HOMES))
def expectation(
    f: Any, samples: Any, log_prob: Any = None, use_reparametrization: bool = True, axis: Any = 0, keep_dims: bool = False, name: str | None = None
) -> Any:  # fmt: skip
    """The mean of f over samples; its gradient by the samples, or by the score function."""
    with tf.name_scope(name, "expectation", [samples]):
        if not callable(f):
            raise ValueError("`f` must be a callable function.")
        if use_reparametrization:
            return tf.reduce_mean(f(samples), axis=axis, keepdims=keep_dims)
        if not callable(log_prob):
            raise ValueError("`log_prob` must be a callable function.")
        x = tf.stop_gradient(samples)
        log_px = log_prob(x)
        fx = f(x)
        fx += tf.stop_gradient(fx) * (log_px - tf.stop_gradient(log_px))
        return tf.reduce_mean(fx, axis=axis, keepdims=keep_dims)
