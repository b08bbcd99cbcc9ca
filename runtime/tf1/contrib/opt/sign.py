"""tf.contrib.opt: updates by the agreement of signs (Bello et al. 2017), and layer-wise rates (You et al. 2017)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from runtime.tf1.graph import apply_op, convert_to_tensor
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.train.optimizer import Optimizer
from runtime.tf1.train.optimizers import _WithSlots

tf: Any = module("")


class _Signs(_WithSlots):
    """An optimizer that compares the gradient's sign with its moving average's."""

    _zeros = ("m",)
    _sign_decay_fn: Callable[[Any], Any] | None

    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None, name: str | None = None) -> Any:
        if self._sign_decay_fn is not None:
            self._sign_decay_t = convert_to_tensor(self._sign_decay_fn(global_step), name="sign_decay")
        return super().apply_gradients(grads_and_vars, global_step=global_step, name=name)

    def _prepare(self) -> None:
        super()._prepare()
        if self._sign_decay_fn is None:
            self._sign_decay_t = convert_to_tensor(1.0, name="sign_decay")

    def _arguments(self, var: Any) -> dict[str, Any]:
        return {"m": self.get_slot(var, "m"), "sign_decay": self._sign_decay_t, **self._tensors}

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any) -> Any:
        return Optimizer._resource_apply_sparse(self, grad, var, indices)

    def _agreement(self, grad: Any, var: Any) -> tuple[Any, Any]:
        """The updated average, and sign(m) sign(g) of the gradient's rows."""
        dtype = var.dtype.base_dtype
        beta = tf.cast(self._tensors["beta"], dtype)
        m = self.get_slot(var, "m")
        m_t = tf.assign(m, (m * beta) + (grad * (1 - beta)), use_locking=self._use_locking)
        sign = tf.sign(grad.values)
        return m_t, tf.gather(tf.sign(m_t), grad.indices) * sign


@export("contrib.opt.AddSignOptimizer")
class AddSignOptimizer(_Signs):
    """var -= lr (alpha + decay sign(g) sign(m)) g"""

    _op = "AddSign"
    _hypers = (("_lr", "lr", "learning_rate"), ("_beta", "beta", "beta"), ("_alpha", "alpha", "alpha"))

    def __init__(
        self, learning_rate: Any = 0.1, alpha: Any = 1.0, beta: Any = 0.9, sign_decay_fn: Any = None, use_locking: bool = False,
        name: str = "AddSignOptimizer",
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        self._lr, self._alpha, self._beta, self._sign_decay_fn = learning_rate, alpha, beta, sign_decay_fn

    def _apply_sparse(self, grad: Any, var: Any) -> Any:
        dtype = var.dtype.base_dtype
        m_t, agreement = self._agreement(grad, var)
        decay = tf.cast(self._sign_decay_t, dtype)
        factor = tf.cast(self._tensors["alpha"], dtype) + decay * agreement
        update = tf.cast(self._tensors["lr"], dtype) * factor * grad.values
        return tf.group(tf.scatter_sub(var, grad.indices, update, use_locking=self._use_locking), m_t)


@export("contrib.opt.PowerSignOptimizer")
class PowerSignOptimizer(_Signs):
    """var -= lr base^(decay sign(g) sign(m)) g"""

    _op = "PowerSign"
    _hypers = (("_lr", "lr", "learning_rate"), ("_beta", "beta", "beta"), ("_logbase", "logbase", "logbase"))

    def __init__(
        self, learning_rate: Any = 0.1, base: float = math.e, beta: Any = 0.9, sign_decay_fn: Any = None, use_locking: bool = False,
        name: str = "PowerSignOptimizer",
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        self._lr, self._logbase, self._beta, self._sign_decay_fn = learning_rate, math.log(base), beta, sign_decay_fn

    def _apply_sparse(self, grad: Any, var: Any) -> Any:
        dtype = var.dtype.base_dtype
        e = tf.cast(math.e, dtype)
        m_t, agreement = self._agreement(grad, var)
        decay = tf.cast(self._sign_decay_t, dtype)
        factor = tf.pow(e, tf.cast(self._tensors["logbase"], dtype) * decay * agreement)
        update = tf.cast(self._tensors["lr"], dtype) * factor * grad.values
        return tf.group(tf.scatter_sub(var, grad.indices, update, use_locking=self._use_locking), m_t)


def _capped(global_step: Any, decay_steps: Any, what: str) -> Any:
    if global_step is None:
        raise ValueError(f"global_step is required for {what}.")
    return tf.minimum(global_step, decay_steps)


@export("contrib.opt.python.training.sign_decay.get_linear_decay_fn")
def get_linear_decay_fn(decay_steps: Any) -> Callable[[Any], Any]:
    def decay(global_step: Any) -> Any:
        global_step = _capped(global_step, decay_steps, "linear_decay")
        remaining = tf.cast(decay_steps, tf.int32) - tf.cast(global_step, tf.int32)
        return tf.maximum(0.0, tf.cast(remaining, tf.float32) / tf.cast(decay_steps, tf.float32))

    return decay


@export("contrib.opt.python.training.sign_decay.get_cosine_decay_fn")
def get_cosine_decay_fn(decay_steps: Any, num_periods: float = 0.5, zero_after: Any = None) -> Callable[[Any], Any]:
    def decay(global_step: Any) -> Any:
        global_step = _capped(global_step, decay_steps, "cosine_decay")
        done = tf.cast(global_step, tf.float32) / tf.cast(decay_steps, tf.float32)
        fraction = 2.0 * num_periods * done
        decayed = 0.5 * (1.0 + tf.cos(tf.constant(math.pi) * fraction))
        return decayed if zero_after is None else tf.where(tf.greater_equal(fraction, 2 * zero_after), 0.0, decayed)

    return decay


@export("contrib.opt.python.training.sign_decay.get_restart_decay_fn")
def get_restart_decay_fn(decay_steps: Any, num_periods: float = 1, zero_after: Any = None) -> Callable[[Any], Any]:
    def decay(global_step: Any) -> Any:
        global_step = _capped(global_step, decay_steps, "cosine_decay")
        number = tf.floormod(num_periods * tf.cast(global_step, tf.float32), decay_steps)
        fraction = number / tf.cast(decay_steps, tf.float32)
        decayed = 0.5 * (1.0 + tf.cos(tf.constant(math.pi) * fraction))
        if zero_after is not None:
            done = tf.cast(num_periods * global_step, tf.float32) / tf.cast(decay_steps, tf.float32)
            decayed = tf.where(tf.greater_equal(done, zero_after), 0.0, decayed)
        return decayed

    return decay


@export("contrib.opt.LARSOptimizer")
class LARSOptimizer(Optimizer):
    """Momentum whose rate for each variable is scaled by eeta |w| / (|g| + decay |w|)."""

    def __init__(
        self, learning_rate: Any, momentum: Any = 0.9, weight_decay: float = 0.0001, eeta: float = 0.001, epsilon: float = 0.0,
        name: str = "LARSOptimizer", skip_list: Any = None, use_nesterov: bool = False,
    ) -> None:  # fmt: skip
        if momentum < 0.0:
            raise ValueError(f"momentum should be positive: {momentum}")
        if weight_decay < 0.0:
            raise ValueError(f"weight_decay should be positive: {weight_decay}")
        super().__init__(False, name)
        self._learning_rate, self._momentum, self._weight_decay = learning_rate, momentum, weight_decay
        self._eeta, self._epsilon, self._skip_list, self._use_nesterov = eeta, epsilon, skip_list, use_nesterov

    def _create_slots(self, var_list: Any) -> None:
        for v in var_list:
            self._zeros_slot(v, "momentum", self._name)

    def compute_lr(self, grad: Any, var: Any) -> tuple[Any, Any]:
        rate = self._learning_rate
        if self._skip_list is None or not any(v in var.name for v in self._skip_list):
            w_norm, g_norm = tf.norm(var, ord=2), tf.norm(grad, ord=2)
            has_weight = tf.greater(w_norm, 0)
            has_gradient = tf.greater(g_norm, 0)
            ratio = self._eeta * w_norm / (g_norm + self._weight_decay * w_norm + self._epsilon)
            trust = tf.where(has_weight, tf.where(has_gradient, ratio, 1.0), 1.0)
            rate = self._learning_rate * trust
            grad = grad + self._weight_decay * var
        return rate, grad

    def _apply_dense(self, grad: Any, var: Any) -> Any:
        rate, grad = self.compute_lr(grad, var)
        momentum = self.get_slot(var, "momentum")
        resource = getattr(var, "_is_resource", False)
        state = {"var": var.handle, "accum": momentum.handle} if resource else {"var": var._ref(), "accum": momentum._ref()}
        one = tf.cast(1.0, var.dtype.base_dtype)
        return apply_op(
            "ResourceApplyMomentum" if resource else "ApplyMomentum",
            None,
            **state,
            lr=one,
            grad=grad * rate,
            momentum=self._momentum,
            use_locking=False,
            use_nesterov=self._use_nesterov,
        )

    _resource_apply_dense = _apply_dense

    def _apply_sparse(self, grad: Any, var: Any) -> Any:
        return self._sparse("SparseApplyMomentum", lambda v: v._ref(), grad.values, var, grad.indices).op

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any) -> Any:
        return self._sparse("ResourceSparseApplyMomentum", lambda v: v.handle, grad, var, indices)

    def _sparse(self, op_type: str, state: Callable[[Any], Any], grad: Any, var: Any, indices: Any) -> Any:
        dtype = var.dtype.base_dtype
        return apply_op(
            op_type,
            None,
            var=state(var),
            accum=state(self.get_slot(var, "momentum")),
            lr=tf.cast(self._rate_tensor, dtype),
            grad=grad,
            indices=indices,
            momentum=tf.cast(self._momentum_tensor, dtype),
            use_locking=self._use_locking,
            use_nesterov=self._use_nesterov,
        )

    def _prepare(self) -> None:
        self._rate_tensor = convert_to_tensor(self._call_if_callable(self._learning_rate), name="learning_rate")
        self._momentum_tensor = convert_to_tensor(self._call_if_callable(self._momentum), name="momentum")
