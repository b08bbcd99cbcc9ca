"""tf.contrib.opt: optimizers that precondition with matrices: Shampoo (Gupta et al. 2018) and GGT (Agarwal et al. 2018)."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.train.optimizer import Optimizer

tf: Any = module("")


@export("contrib.opt.python.training.matrix_functions.matrix_square_root")
def matrix_square_root(mat_a: Any, mat_a_size: Any, iter_count: int = 100, ridge_epsilon: float = 1e-4) -> Any:
    """The root of a positive definite matrix, by Denman-Beavers iterations that stop when the error grows."""

    def goes_on(i: Any, y: Any, old_y: Any, z: Any, old_z: Any, error: Any, old_error: Any) -> Any:
        return tf.logical_and(i < iter_count, error < old_error)

    def step(i: Any, y: Any, old_y: Any, z: Any, old_z: Any, error: Any, old_error: Any) -> Any:
        t = 0.5 * (3.0 * identity - tf.matmul(z, y))
        new_y, new_z = tf.matmul(y, t), tf.matmul(t, z)
        root = new_y * tf.sqrt(norm)
        rest = mat_a - tf.matmul(root, root)
        return i + 1, new_y, y, new_z, z, tf.sqrt(tf.reduce_sum(rest * rest)) / norm, error

    identity = tf.eye(tf.cast(mat_a_size, tf.int32))
    mat_a = mat_a + ridge_epsilon * identity
    norm = tf.sqrt(tf.reduce_sum(mat_a * mat_a))
    start = mat_a / norm
    result = tf.while_loop(goes_on, step, [0, start, start, identity, identity, norm, norm + 1.0])
    return result[2] * tf.sqrt(norm)


@export("contrib.opt.python.training.matrix_functions.matrix_inverse_pth_root")
def matrix_inverse_pth_root(
    mat_g: Any, mat_g_size: Any, alpha: Any, iter_count: int = 100, epsilon: float = 1e-6, ridge_epsilon: float = 1e-6
) -> Any:
    """mat_g^alpha for alpha = -1/p, by coupled Newton iterations."""
    identity = tf.eye(tf.cast(mat_g_size, tf.int32))

    def power(m: Any, p: float) -> Any:
        if p != int(p) or p <= 0:
            raise ValueError(f"alpha must be -1/p for a positive integer p; -1/alpha is {p}.")
        result = None
        while p > 0:
            if p % 2 == 1:
                result = tf.matmul(m, result) if result is not None else m
            p //= 2
            m = tf.matmul(m, m)
        return result

    def goes_on(i: Any, m: Any, _: Any) -> Any:
        return tf.logical_and(i < iter_count, tf.reduce_max(tf.abs(m - identity)) > epsilon)

    def step(i: Any, m: Any, x: Any) -> Any:
        mixed = (1 - alpha) * identity + alpha * m
        return i + 1, tf.matmul(power(mixed, -1.0 / alpha), m), tf.matmul(x, mixed)

    if mat_g_size == 1:
        return tf.pow(mat_g + ridge_epsilon, alpha)
    damped = mat_g + ridge_epsilon * identity
    z = (1 - 1 / alpha) / (2 * tf.norm(damped))
    return tf.while_loop(goes_on, step, [0, damped * z, identity * tf.pow(z, -alpha)])[2]


def _at(value: Any, step: Any) -> Any:
    return value(step) if callable(value) else value


@export("contrib.opt.ShampooOptimizer")
class ShampooOptimizer(Optimizer):
    """Each dimension of a gradient is preconditioned by its own matrix (a diagonal past `max_matrix_size`)."""

    def __init__(
        self, global_step: Any = 0, max_matrix_size: int = 768, gbar_decay: Any = 0.0, gbar_weight: Any = 1.0, mat_gbar_decay: Any = 1.0,
        mat_gbar_weight: Any = 1.0, learning_rate: Any = 1.0, svd_interval: Any = 1, precond_update_interval: Any = 1, epsilon: float = 1e-4,
        alpha: Any = 0.5, use_iterative_root: bool = False, use_locking: bool = False, name: str = "Shampoo",
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        self._global_step = tf.cast(global_step, tf.float32)
        self._max_matrix_size, self._gbar_decay, self._gbar_weight = max_matrix_size, gbar_decay, gbar_weight
        self._mat_gbar_decay, self._mat_gbar_weight, self._learning_rate = mat_gbar_decay, mat_gbar_weight, learning_rate
        self._svd_interval, self._precond_update_interval, self._epsilon = svd_interval, precond_update_interval, epsilon
        self._alpha, self._use_iterative_root = alpha, use_iterative_root

    def _create_slots(self, var_list: Any) -> None:
        for v in var_list:
            with tf.colocate_with(v):
                self._zeros_slot(v, "gbar", self._name)
                for i, size in enumerate(v.get_shape().as_list()):
                    d = tf.constant(size, name="shape_as_tensor")
                    if size <= self._max_matrix_size:
                        start = tf.zeros_like(tf.eye(d))
                        if self._svd_interval > 1:
                            self._get_or_make_slot(v, tf.eye(d), f"H_{i}", self._name)
                    else:
                        start = tf.zeros([d])
                    self._get_or_make_slot(v, start, f"Gbar_{i}", self._name)

    def _apply_dense(self, grad: Any, var: Any) -> Any:
        return self._apply_gradient(grad, var)

    _resource_apply_dense = _apply_dense

    def _apply_sparse(self, grad: Any, var: Any) -> Any:
        return self._apply_rows(grad.values, grad.indices, var)

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any) -> Any:
        return self._apply_rows(grad, indices, var)

    def _apply_rows(self, values: Any, indices: Any, var: Any) -> Any:
        if var.get_shape().as_list()[0] <= self._max_matrix_size or self._gbar_decay != 0.0:
            dense = tf.scatter_nd(tf.expand_dims(indices, axis=1), values, tf.shape(var, out_type=indices.dtype))
            return self._apply_gradient(dense, var)
        return self._apply_gradient(values, var, indices)

    def _weighted_average(self, var: Any, weight: Any, weight_t: Any, rest: Any) -> Any:
        if weight == 0.0:
            return rest
        if weight == 1.0:
            return tf.assign_add(var, rest)
        return var.assign_add((weight_t - 1) * var + rest)

    def _update_mat_g(self, mat_g: Any, grad: Any, axes: list[int], decay: Any, weight: Any, i: int) -> Any:
        outer = tf.tensordot(grad, grad, axes=(axes, axes), name=f"grad_outer_{i}")
        return self._weighted_average(mat_g, self._mat_gbar_decay, decay, weight * outer)

    def _power(self, var: Any, mat_g: Any, size: int, alpha: Any, slot: str | None = None) -> Any:
        with tf.name_scope("matrix_iterative_power"):
            if self._use_iterative_root:
                root = matrix_square_root(mat_g, size, 100, self._epsilon)
                mat_h = matrix_inverse_pth_root(root, size, 2 * alpha, 100, 1e-6, ridge_epsilon=0.0)
            elif size == 1:
                mat_h = tf.pow(mat_g + self._epsilon, alpha)
            else:
                damping = self._epsilon * tf.eye(tf.cast(size, tf.int32))
                values, u, v = tf.svd(mat_g + damping, full_matrices=True)
                mat_h = tf.matmul(v * tf.pow(tf.maximum(values, self._epsilon), alpha), tf.transpose(u))
            return mat_h if slot is None else tf.assign(self.get_slot(var, slot), mat_h)

    def _apply_gradient(self, grad: Any, var: Any, indices: Any = None) -> Any:
        step = self._global_step + 1
        gbar = self.get_slot(var, "gbar")
        decay, weight = _at(self._gbar_decay, step), _at(self._gbar_weight, step)
        if indices is not None:
            if self._gbar_decay != 0.0:
                tf.logging.warning(f"Not applying momentum for variable: {var.name}")
            preconditioned = grad
        else:
            preconditioned = self._weighted_average(gbar, self._gbar_decay, decay, weight * grad)
        shape = var.get_shape().as_list()
        rank = len(shape)
        matrices = [self.get_slot(var, f"Gbar_{i}") for i in range(rank)]
        mat_decay, mat_weight = _at(self._mat_gbar_decay, step), _at(self._mat_gbar_weight, step)
        neg_alpha = -_at(self._alpha, step) / rank
        svd_interval, update_interval = _at(self._svd_interval, step), _at(self._precond_update_interval, step)
        for i, mat_g in enumerate(matrices):
            axes = [a for a in range(rank) if a != i]
            if shape[i] <= self._max_matrix_size:
                preconditioned = self._by_matrix(
                    preconditioned,
                    grad,
                    var,
                    mat_g,
                    axes,
                    i,
                    shape[i],
                    step,
                    neg_alpha,
                    mat_decay,
                    mat_weight,
                    svd_interval,
                    update_interval,
                )
                continue
            if axes:
                outer = tf.reduce_sum(grad * grad, axis=axes) / (1.0 if indices is not None else float(shape[i]))
            else:
                outer = grad * grad
            if i == 0 and indices is not None:
                if self._mat_gbar_decay != 1.0:
                    raise ValueError(f"Sparse gradients need mat_gbar_decay=1.0; it is {self._mat_gbar_decay}.")
                updated = tf.gather(tf.scatter_add(mat_g, indices, mat_weight * outer), indices)
            else:
                updated = self._weighted_average(mat_g, self._mat_gbar_decay, mat_decay, mat_weight * outer)
            positive = tf.greater(updated, 0)
            mat_h = tf.where(positive, tf.pow(updated, neg_alpha), tf.zeros_like(updated))
            preconditioned = tf.transpose(preconditioned, perm=[*range(1, rank), 0]) * mat_h
        rate = _at(self._learning_rate, step)
        if indices is not None:
            return tf.scatter_add(var, indices, -rate * preconditioned)
        return tf.assign_sub(var, rate * preconditioned)

    def _by_matrix(
        self, preconditioned: Any, grad: Any, var: Any, mat_g: Any, axes: list[int], i: int, size: int, step: Any, neg_alpha: Any, decay: Any, weight: Any,
        svd_interval: Any, update_interval: Any,
    ) -> Any:  # fmt: skip
        updated = tf.cond(
            tf.floormod(step, update_interval) < 1,
            lambda: self._update_mat_g(mat_g, grad, axes, decay, weight * update_interval, i),
            lambda: mat_g,
        )
        updated = updated / float(size)
        if self._svd_interval == 1:
            mat_h = self._power(var, updated, size, neg_alpha)
        else:
            mat_h = tf.cond(
                tf.floormod(step, svd_interval) < 1,
                lambda: self._power(var, updated, size, neg_alpha, f"H_{i}"),
                lambda: self.get_slot(var, f"H_{i}"),
            )
        return tf.tensordot(preconditioned, mat_h, axes=([0], [0]), name=f"precond_{i}")


@export("contrib.opt.GGTOptimizer")
class GGTOptimizer(Optimizer):
    """Full-matrix preconditioning with the low-rank matrix of the last gradients."""

    def __init__(
        self, learning_rate: Any = 0.001, beta1: Any = 0.9, use_locking: bool = False, name: str = "GGT", window: int = 10, eps: Any = 1e-4,
        svd_eps: Any = 1e-6, sigma_eps: Any = 1e-2,
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        self._given = {"lr": learning_rate, "beta1": beta1, "eps": eps, "svd_eps": svd_eps, "sigma_eps": sigma_eps}
        self._window = window
        self._places: dict[str, slice] = {}

    def _create_slots(self, var_list: Any) -> None:
        start = 0
        for name, size in sorted((v.name, int(np.prod(v.get_shape().as_list()))) for v in var_list):
            self._places[name] = slice(start, start + size)
            start += size
        dtype = var_list[0].dtype.base_dtype
        starts = {
            "global_step": tf.cast(0.0, dtype=dtype),
            "grad_buffer": tf.zeros([self._window, start], dtype=dtype),
            "moment1": tf.zeros((start,), dtype=dtype),
            "flat_grad": tf.zeros((start,), dtype=dtype),
        }
        for name, value in starts.items():
            self._create_non_slot_variable(value, name, var_list[0])

    def _prepare(self) -> None:
        self._variables: list[Any] = []
        self._tensors = {k: tf.convert_to_tensor(self._call_if_callable(v), name=k) for k, v in self._given.items()}

    def _state(self, name: str) -> Any:
        return self._get_non_slot_variable(name, tf.get_default_graph())

    def _apply_dense(self, grad: Any, var: Any) -> Any:
        self._variables.append(var)
        place = self._places[var.name]
        return tf.scatter_update(self._state("flat_grad"), tf.range(place.start, place.stop), tf.reshape(grad, [-1])).op

    _resource_apply_dense = _apply_dense

    def _apply_sparse(self, grad: Any, var: Any) -> Any:
        raise NotImplementedError("Sparse gradient updates are not supported.")

    def _finish(self, update_ops: Any, name_scope: str) -> Any:
        with tf.control_dependencies(update_ops):
            dtype = self._variables[0].dtype.base_dtype
            beta1, eps, svd_eps, sigma_eps, lr = (tf.cast(self._tensors[k], dtype) for k in ("beta1", "eps", "svd_eps", "sigma_eps", "lr"))
            step = tf.assign_add(self._state("global_step"), 1.0)
            moment, flat = self._state("moment1"), self._state("flat_grad")
            moment_t = moment.assign(beta1 * moment + (1.0 - beta1) * flat)
            at = tf.floormod(tf.cast(step - 1.0, tf.int32), self._window)
            buffer = tf.scatter_update(self._state("grad_buffer"), at, moment_t)
            below = tf.sqrt(tf.minimum(tf.convert_to_tensor(step), tf.convert_to_tensor(tf.cast(self._window, dtype=dtype))))
            column = tf.expand_dims(moment_t, -1)
            m = tf.transpose(tf.divide(buffer, below))
            damping = tf.cast(tf.eye(self._window), dtype=dtype) * svd_eps
            sigma, u, _ = tf.svd(tf.matmul(m, m, transpose_a=True) + damping)
            root = tf.sqrt(sigma)
            smallest = tf.reduce_min(root)

            def through(weights: Any) -> Any:
                inner = tf.matmul(u, tf.matmul(m, column, transpose_a=True), transpose_a=True)
                return tf.matmul(m, tf.matmul(u, tf.matmul(tf.diag(weights), inner)))

            head = through(tf.divide(tf.cast(1.0, dtype=dtype), tf.pow(root + sigma_eps, 3)))
            tail = column - through(tf.divide(tf.cast(1.0, dtype=dtype), sigma))
            zero = tf.expand_dims(tf.zeros(flat.get_shape(), dtype=dtype), -1)
            rest = tf.divide(tail, smallest)
            new = tf.cond(smallest > eps, lambda: tf.add(head, rest), lambda: tf.add(zero, head))
            updates = []
            for var in self._variables:
                place = self._places[var.name]
                updates.append(tf.assign_sub(var, lr * tf.reshape(new[place.start : place.stop], var.get_shape())))
            return tf.group(*updates, name=name_scope)
