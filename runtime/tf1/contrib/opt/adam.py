"""tf.contrib.opt: the optimizers that grew out of Adam, and Adagrad that may leave its slots alone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from runtime.tf1.graph import apply_op, get_default_graph
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.train.optimizer import Optimizer
from runtime.tf1.train.optimizers import AdagradOptimizer, AdamOptimizer, _WithSlots

tf: Any = module("")


def _scattered(op_type: str, optimizer: Any) -> Callable[[Any, Any, Any], Any]:
    """A scatter on a variable that gives its value afterwards."""
    if not op_type.startswith("Resource"):
        return lambda x, i, v: apply_op(op_type, None, ref=x._ref(), indices=i, updates=v, use_locking=optimizer._use_locking)

    def scatter(x: Any, i: Any, v: Any) -> Any:
        with tf.control_dependencies([apply_op(op_type, None, resource=x.handle, indices=i, updates=v)]):
            return x.value()

    return scatter


class _Rows(Optimizer):
    """An optimizer whose sparse update is the same for variables of both kinds: `_apply_rows(grad, var, indices, add, update)`."""

    def _apply_rows(self, grad: Any, var: Any, indices: Any, add: Any, update: Any) -> Any:
        raise NotImplementedError

    def _apply_sparse(self, grad: Any, var: Any) -> Any:
        return self._apply_rows(grad.values, var, grad.indices, _scattered("ScatterAdd", self), _scattered("ScatterUpdate", self))

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any) -> Any:
        return self._apply_rows(grad, var, indices, _scattered("ResourceScatterAdd", self), _scattered("ResourceScatterUpdate", self))


@export("contrib.opt.AdaMaxOptimizer")
class AdaMaxOptimizer(_Rows, AdamOptimizer):
    """v = max(beta2 v, |g|) (Kingma & Ba 2014, section 7)"""

    _op = "AdaMax"

    def __init__(
        self, learning_rate: Any = 0.001, beta1: Any = 0.9, beta2: Any = 0.999, epsilon: Any = 1e-8, use_locking: bool = False, name: str = "AdaMax"
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, beta1, beta2, epsilon, use_locking, name)

    def _get_beta_accumulators(self) -> Any:  # type: ignore[override]
        return self._get_non_slot_variable("beta1_power", get_default_graph())

    def _create_slots(self, var_list: Any) -> None:
        self._create_non_slot_variable(self._beta1, "beta1_power", min(var_list, key=lambda v: v.name))
        _WithSlots._create_slots(self, var_list)

    def _arguments(self, var: Any) -> dict[str, Any]:
        power = tf.cast(self._get_beta_accumulators(), var.dtype.base_dtype)
        return {"m": self.get_slot(var, "m"), "v": self.get_slot(var, "v"), "beta1_power": power, **self._tensors}

    def _resource_apply_dense(self, grad: Any, var: Any) -> Any:
        slots = {k: self.get_slot(var, k).handle for k in ("m", "v")}
        power = self._get_beta_accumulators()  # read in the op's own scope
        return apply_op(
            "ResourceApplyAdaMax", None, var=var.handle, **slots, beta1_power=power, **self._tensors, grad=grad, **self._attrs()
        )

    def _apply_rows(self, grad: Any, var: Any, indices: Any, add: Any, update: Any) -> Any:
        dtype = var.dtype.base_dtype
        power = tf.cast(self._get_beta_accumulators(), dtype)
        lr, beta1, beta2, epsilon = (tf.cast(self._tensors[k], dtype) for k in ("lr", "beta1", "beta2", "epsilon"))
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        m_rows = tf.gather(m, indices) * beta1 + grad * (1 - beta1)
        with tf.control_dependencies([m_rows]):
            m_t = update(m, indices, m_rows)
        v_rows = tf.maximum(tf.gather(v, indices) * beta2, tf.abs(grad))
        with tf.control_dependencies([v_rows]):
            v_t = update(v, indices, v_rows)
        rows = -lr / (1 - power) * (m_rows / (v_rows + epsilon))
        with tf.control_dependencies([rows]):
            changed = add(var, indices, rows)
        return tf.group(*[changed, m_t, v_t])

    def _finish(self, update_ops: Any, name_scope: str) -> Any:
        with tf.control_dependencies(update_ops):
            power = self._get_beta_accumulators()
            with tf.colocate_with(power):
                counted = power.assign(power * self._tensors["beta1"], use_locking=self._use_locking)
        return tf.group(*update_ops, counted, name=name_scope)


@export("contrib.opt.NadamOptimizer")
class NadamOptimizer(_Rows, AdamOptimizer):
    """Adam with Nesterov momentum (Dozat 2016)."""

    def _attrs(self) -> dict[str, Any]:
        return {**super()._attrs(), "use_nesterov": True}

    def _apply_rows(self, grad: Any, var: Any, indices: Any, add: Any, update: Any = None) -> Any:
        lr, beta1, beta2, epsilon = _step_size(self, var)
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        scaled = grad * (1 - beta1)
        m_t = tf.assign(m, m * beta1, use_locking=self._use_locking)
        with tf.control_dependencies([m_t]):
            m_t = add(m, indices, scaled)
            m_bar = scaled + beta1 * tf.gather(m_t, indices)
        v_scaled = (grad * grad) * (1 - beta2)
        v_t = tf.assign(v, v * beta2, use_locking=self._use_locking)
        with tf.control_dependencies([v_t]):
            v_t = add(v, indices, v_scaled)
        root = tf.sqrt(tf.gather(v_t, indices))
        changed = add(var, indices, -lr * m_bar / (root + epsilon))
        return tf.group(*[changed, m_bar, v_t])


def _step_size(optimizer: Any, var: Any) -> tuple[Any, Any, Any, Any]:
    """lr sqrt(1 - beta2^t) / (1 - beta1^t), and the other hyperparameters in the variable's dtype."""
    dtype = var.dtype.base_dtype
    power1, power2 = (tf.cast(p, dtype) for p in optimizer._get_beta_accumulators())
    lr, beta1, beta2, epsilon = (tf.cast(optimizer._tensors[k], dtype) for k in ("lr", "beta1", "beta2", "epsilon"))
    return lr * tf.sqrt(1 - power2) / (1 - power1), beta1, beta2, epsilon


def _lazy_sparse(optimizer: Any, grad: Any, var: Any) -> Any:
    """Adam on the named rows only."""
    lr, beta1, beta2, epsilon = _step_size(optimizer, var)
    m, v, locking = optimizer.get_slot(var, "m"), optimizer.get_slot(var, "v"), optimizer._use_locking
    m_t = tf.scatter_update(m, grad.indices, beta1 * tf.gather(m, grad.indices) + (1 - beta1) * grad.values, use_locking=locking)
    v_t = tf.scatter_update(v, grad.indices, beta2 * tf.gather(v, grad.indices) + (1 - beta2) * tf.square(grad.values), use_locking=locking)
    m_rows, v_rows = tf.gather(m_t, grad.indices), tf.gather(v_t, grad.indices)
    below = tf.sqrt(v_rows) + epsilon
    changed = tf.scatter_sub(var, grad.indices, lr * m_rows / below, use_locking=locking)
    return tf.group(changed, m_t, v_t)


def _lazy_resource_sparse(optimizer: Any, grad: Any, var: Any, indices: Any) -> Any:
    lr, beta1, beta2, epsilon = _step_size(optimizer, var)
    m, v = optimizer.get_slot(var, "m"), optimizer.get_slot(var, "v")
    m_rows = beta1 * tf.gather(m, indices) + (1 - beta1) * grad
    m_op = apply_op("ResourceScatterUpdate", None, resource=m.handle, indices=indices, updates=m_rows)
    v_rows = beta2 * tf.gather(v, indices) + (1 - beta2) * tf.square(grad)
    v_op = apply_op("ResourceScatterUpdate", None, resource=v.handle, indices=indices, updates=v_rows)
    rows = lr * m_rows / (tf.sqrt(v_rows) + epsilon)
    op = apply_op("ResourceScatterSub", None, resource=var.handle, indices=indices, updates=rows)
    return tf.group(op, m_op, v_op)


@export("contrib.opt.LazyAdamOptimizer")
class LazyAdamOptimizer(AdamOptimizer):
    """Adam whose moments of rows without a gradient do not decay."""

    _apply_sparse = _lazy_sparse
    _resource_apply_sparse = _lazy_resource_sparse


@export("contrib.opt.AdamGSOptimizer")
class AdamGSOptimizer(AdamOptimizer):
    """Adam whose powers of beta come from the global step."""

    def __init__(
        self, global_step: Any = 0, learning_rate: Any = 0.001, beta1: Any = 0.9, beta2: Any = 0.999, epsilon: Any = 1e-8,
        use_locking: bool = False, name: str = "Adam",
    ) -> None:  # fmt: skip
        super().__init__(learning_rate, beta1, beta2, epsilon, use_locking, name)
        self._global_step = global_step

    def _get_beta_accumulators(self) -> tuple[Any, Any]:  # type: ignore[override]
        return tf.pow(self._tensors["beta1"], self._step), tf.pow(self._tensors["beta2"], self._step)

    def _powers(self, graph: Any = None) -> tuple[Any, Any]:
        return self._get_beta_accumulators()

    def _create_slots(self, var_list: Any) -> None:
        _WithSlots._create_slots(self, var_list)

    def _prepare(self) -> None:
        super()._prepare()
        self._step = tf.cast(tf.identity(self._global_step) + 1, tf.float32)

    def _arguments(self, var: Any) -> dict[str, Any]:
        powers = (tf.cast(p, var.dtype.base_dtype) for p in self._get_beta_accumulators())
        named = dict(zip(("beta1_power", "beta2_power"), powers, strict=True))
        return {"m": self.get_slot(var, "m"), "v": self.get_slot(var, "v"), **named, **self._tensors}

    def _finish(self, update_ops: Any, name_scope: str) -> Any:
        return tf.group(*update_ops, name=name_scope)


@export("contrib.opt.LazyAdamGSOptimizer")
class LazyAdamGSOptimizer(AdamGSOptimizer):
    _apply_sparse = _lazy_sparse
    _resource_apply_sparse = _lazy_resource_sparse


@export("contrib.opt.RegAdagradOptimizer")
class RegAdagradOptimizer(AdagradOptimizer):
    """Adagrad that can apply a gradient without counting it in its slots."""

    def __init__(
        self, learning_rate: Any, initial_accumulator_value: float = 0.1, use_locking: bool = False, name: str = "RegAdagrad"
    ) -> None:
        super().__init__(learning_rate, initial_accumulator_value, use_locking, name)
        self._should_update_slots = True

    @contextlib.contextmanager
    def avoid_updating_slots(self) -> Iterator[None]:
        old, self._should_update_slots = self._should_update_slots, False
        try:
            yield
        finally:
            self._should_update_slots = old

    def _attrs(self) -> dict[str, Any]:
        return {**super()._attrs(), "update_slots": self._should_update_slots}
