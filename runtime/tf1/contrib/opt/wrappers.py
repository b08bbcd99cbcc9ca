"""tf.contrib.opt: what is wrapped around an optimizer: weight decay, averages, clipping, tasks without a gradient, stale gradients."""

from __future__ import annotations

import contextlib
import types
from typing import Any

from graphtools.gradients import IndexedSlices
from runtime.tf1.graph import Tensor, apply_op
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.train.optimizer import Optimizer
from runtime.tf1.train.optimizers import AdamOptimizer, MomentumOptimizer
from runtime.tf1.variable_scope import PartitionedVariable

tf: Any = module("")


@export("contrib.opt.DecoupledWeightDecayExtension")
class DecoupledWeightDecayExtension:
    """Mixed into an optimizer: weights decay by themselves, beside the gradient's update (Loshchilov & Hutter 2017)."""

    _use_locking: bool

    def __init__(self, weight_decay: Any, **kwargs: Any) -> None:
        self._decay_var_list: Any = None
        self._weight_decay = weight_decay
        self._weight_decay_tensor: Any = None
        super().__init__(**kwargs)

    def minimize(
        self, loss: Any, global_step: Any = None, var_list: Any = None, gate_gradients: int = Optimizer.GATE_OP, aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False, name: str | None = None, grad_loss: Any = None, decay_var_list: Any = None,
    ) -> Any:  # fmt: skip
        self._decay_var_list = set(decay_var_list) if decay_var_list else False
        return super().minimize(  # type: ignore[misc]
            loss,
            global_step=global_step,
            var_list=var_list,
            gate_gradients=gate_gradients,
            aggregation_method=aggregation_method,
            colocate_gradients_with_ops=colocate_gradients_with_ops,
            name=name,
            grad_loss=grad_loss,
        )

    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None, name: str | None = None, decay_var_list: Any = None) -> Any:
        # TensorFlow's minimize calls this without a list, so that its own decay_var_list has no effect.
        self._decay_var_list = set(decay_var_list) if decay_var_list else False
        return super().apply_gradients(grads_and_vars, global_step=global_step, name=name)  # type: ignore[misc]

    def _prepare(self) -> None:
        decay = self._weight_decay() if callable(self._weight_decay) else self._weight_decay
        self._weight_decay_tensor = tf.convert_to_tensor(decay, name="weight_decay")
        super()._prepare()  # type: ignore[misc]

    def _decays(self, var: Any) -> bool:
        return not self._decay_var_list or var in self._decay_var_list

    def _decay_weights_op(self, var: Any) -> Any:
        return var.assign_sub(self._weight_decay * var, self._use_locking) if self._decays(var) else tf.no_op()

    def _decay_weights_sparse_op(self, var: Any, indices: Any, scatter_add: Any) -> Any:
        if not self._decays(var):
            return tf.no_op()
        return scatter_add(var, indices, -self._weight_decay * tf.gather(var, indices), self._use_locking)

    def _apply_dense(self, grad: Any, var: Any) -> Any:
        with tf.control_dependencies([self._decay_weights_op(var)]):
            return super()._apply_dense(grad, var)  # type: ignore[misc]

    def _resource_apply_dense(self, grad: Any, var: Any) -> Any:
        with tf.control_dependencies([self._decay_weights_op(var)]):
            return super()._resource_apply_dense(grad, var)  # type: ignore[misc]

    def _apply_sparse(self, grad: Any, var: Any) -> Any:
        with tf.control_dependencies([self._decay_weights_sparse_op(var, grad.indices, tf.scatter_add)]):
            return super()._apply_sparse(grad, var)  # type: ignore[misc]

    def _resource_scatter_add(self, x: Any, i: Any, v: Any, _: Any = None) -> Any:
        with tf.control_dependencies([apply_op("ResourceScatterAdd", None, resource=x.handle, indices=i, updates=v)]):
            return x.value()

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any) -> Any:
        with tf.control_dependencies([self._decay_weights_sparse_op(var, indices, self._resource_scatter_add)]):
            return super()._resource_apply_sparse(grad, var, indices)  # type: ignore[misc]


@export("contrib.opt.extend_with_decoupled_weight_decay")
def extend_with_decoupled_weight_decay(base_optimizer: Any) -> Any:
    """The class of an optimizer with weight decay; its constructor takes `weight_decay` first."""

    class OptimizerWithDecoupledWeightDecay(DecoupledWeightDecayExtension, base_optimizer):  # type: ignore[misc]
        def __init__(self, weight_decay: Any, *args: Any, **kwargs: Any) -> None:
            super().__init__(weight_decay, *args, **kwargs)

    return OptimizerWithDecoupledWeightDecay


@export("contrib.opt.MomentumWOptimizer")
class MomentumWOptimizer(DecoupledWeightDecayExtension, MomentumOptimizer):
    def __init__(
        self, weight_decay: Any, learning_rate: Any, momentum: Any, use_locking: bool = False, name: str = "MomentumW", use_nesterov: bool = False
    ) -> None:  # fmt: skip
        super().__init__(
            weight_decay, learning_rate=learning_rate, momentum=momentum, use_locking=use_locking, name=name, use_nesterov=use_nesterov
        )


@export("contrib.opt.AdamWOptimizer")
class AdamWOptimizer(DecoupledWeightDecayExtension, AdamOptimizer):
    def __init__(
        self, weight_decay: Any, learning_rate: Any = 0.001, beta1: Any = 0.9, beta2: Any = 0.999, epsilon: Any = 1e-8, use_locking: bool = False,
        name: str = "AdamW",
    ) -> None:  # fmt: skip
        super().__init__(
            weight_decay, learning_rate=learning_rate, beta1=beta1, beta2=beta2, epsilon=epsilon, use_locking=use_locking, name=name
        )


@export("contrib.opt.MovingAverageOptimizer")
class MovingAverageOptimizer(Optimizer):
    """Also keeps moving averages of the variables, and saves these in the variables' place."""

    def __init__(self, opt: Any, average_decay: Any = 0.9999, num_updates: Any = None, sequential_update: bool = True) -> None:
        self._optimizer = opt
        self._ema = tf.train.ExponentialMovingAverage(average_decay, num_updates=num_updates)
        self._swapped: dict[str, str] | None = None
        self._sequential_update = sequential_update

    def compute_gradients(self, *args: Any, **kwargs: Any) -> Any:
        return self._optimizer.compute_gradients(*args, **kwargs)

    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None, name: str | None = None) -> Any:
        grads_and_vars = list(grads_and_vars)
        train_op = self._optimizer.apply_gradients(grads_and_vars, global_step=global_step, name=name)
        variables = [v for g, v in grads_and_vars if g is not None]
        self._swapped = {}
        with tf.control_dependencies([train_op]) if self._sequential_update else contextlib.nullcontext():
            average_op = self._ema.apply(variables)
        for v in variables:
            average = self._ema.average(v)
            self._swapped[v.op.name] = average.op.name
            self._swapped[average.op.name] = v.op.name
        return tf.group(train_op, average_op, name="train_with_avg")

    def swapping_saver(self, var_list: Any = None, name: str = "swapping_saver", **kwargs: Any) -> Any:
        """A Saver that writes each variable's average under the variable's name, and the other way round."""
        swapped = self._swapped
        if swapped is None:
            raise RuntimeError("Must call apply_gradients or minimize before creating the swapping_saver")
        if var_list is None:
            var_list = tf.global_variables()
        if not isinstance(var_list, dict):
            var_list = {v.op.name if not isinstance(v, PartitionedVariable) else v.name: v for v in var_list}
        by_name: dict[str, Any] = {}
        for key, value in var_list.items():
            if isinstance(value, list | PartitionedVariable):
                by_name.update({v.op.name: v for v in value})
            else:
                by_name[key] = value

        def other(label: str, value: Any) -> Any:
            wanted = swapped.get(label)
            if wanted is None:
                return value
            if wanted not in by_name:
                raise ValueError(f"Variable to swap {wanted} is not part of variables to save. This breaks MovingAverageOptimizer.")
            return by_name[wanted]

        saved = {k: [other(v.op.name, v) for v in value] if isinstance(value, list) else other(k, value) for k, value in var_list.items()}
        return tf.train.Saver(saved, name=name, **kwargs)


@export("contrib.opt.VariableClippingOptimizer")
class VariableClippingOptimizer(Optimizer):
    """Clips the norms of variables after each update."""

    def __init__(
        self, opt: Any, vars_to_clip_dims: Any, max_norm: Any, use_locking: bool = False, colocate_clip_ops_with_vars: bool = False,
        name: str = "VariableClipping",
    ) -> None:  # fmt: skip
        super().__init__(use_locking, name)
        self._opt = opt
        self._vars_to_clip_dims = {var: dims[:] for var, dims in vars_to_clip_dims.items()}
        self._max_norm, self._colocate = max_norm, colocate_clip_ops_with_vars

    def compute_gradients(self, *args: Any, **kwargs: Any) -> Any:
        return self._opt.compute_gradients(*args, **kwargs)

    def get_slot(self, *args: Any, **kwargs: Any) -> Any:
        return self._opt.get_slot(*args, **kwargs)

    def get_slot_names(self, *args: Any, **kwargs: Any) -> Any:
        return self._opt.get_slot_names(*args, **kwargs)

    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None, name: str | None = None) -> Any:
        grads_and_vars = list(grads_and_vars)
        with tf.name_scope(name, self._name) as scope:
            update = self._opt.apply_gradients(grads_and_vars, global_step=global_step)
            clips = []
            with tf.control_dependencies([update]):
                for grad, var in grads_and_vars:
                    if grad is None or var not in self._vars_to_clip_dims:
                        continue
                    with tf.name_scope("clip_" + var.op.name):
                        clips.append(self._clip_sparse(grad, var) if isinstance(grad, IndexedSlices) else self._clip_dense(var))
            return tf.group(update, *clips, name=scope)

    def _place(self, var: Any) -> Any:
        return tf.colocate_with(var) if self._colocate else contextlib.nullcontext()

    def _clip_dense(self, var: Any) -> Any:
        with self._place(var):
            value = var.read_value()
            delta = value - tf.clip_by_norm(value, self._max_norm, self._vars_to_clip_dims[var])
        with tf.colocate_with(var):
            return var.assign_sub(delta, use_locking=self._use_locking)

    def _clip_sparse(self, grad: IndexedSlices, var: Any) -> Any:
        dims = self._vars_to_clip_dims[var]
        if 0 in dims:
            tf.logging.warning("Clipping norm across dims %s for %s is inefficient when including sparse dimension 0.", dims, var.op.name)
            return self._clip_dense(var)
        with tf.colocate_with(var):
            rows = tf.gather(var, grad.indices)
        with self._place(var):
            delta = IndexedSlices(rows - tf.clip_by_norm(rows, self._max_norm, dims), grad.indices, grad.dense_shape)
        with tf.colocate_with(var):
            return var.scatter_sub(delta, use_locking=self._use_locking)


def _is_all_zeros(grad: Any) -> Any:
    return tf.equal(tf.count_nonzero(grad), 0)


def _skipping_zeros(fn: Any, opt: Any) -> Any:
    def wrapper(self: Any, grad: Any, *args: Any, **kwargs: Any) -> Any:
        def call() -> Any:
            with tf.control_dependencies([fn(grad, *args, **kwargs)]):
                return tf.no_op()

        return tf.cond(_is_all_zeros(grad), tf.no_op, call)

    return types.MethodType(wrapper, opt)


@export("contrib.opt.MultitaskOptimizerWrapper")
class MultitaskOptimizerWrapper:
    """Lets an optimizer leave alone, slots too, what has a gradient of zeros."""

    def __init__(self, opt: Any) -> None:
        if not isinstance(opt, Optimizer):
            raise TypeError("Supplied optimizer must be an instance of tf.train.Optimizer")
        self._opt = opt
        for name in ("_apply_dense", "_resource_apply_dense", "_apply_sparse", "_resource_apply_sparse"):
            setattr(opt, name, _skipping_zeros(getattr(opt, name), opt))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._opt, name)


@export("contrib.opt.clip_gradients_by_global_norm")
def clip_gradients_by_global_norm(gradients_variables: Any, clip_norm: Any = 20.0) -> tuple[list[Any], Any]:
    """As tf.clip_by_global_norm, for (gradient, variable) pairs; gradients of zeros do not count."""
    gradients, variables = zip(*gradients_variables, strict=True)

    def counted(grad: Any) -> Any:
        if grad is None:
            return grad
        return tf.cond(_is_all_zeros(grad), lambda: tf.zeros([], dtype=tf.as_dtype(grad.dtype)), lambda: grad)

    norm = tf.global_norm([counted(g) for g in gradients])
    gradients, _ = tf.clip_by_global_norm(gradients, clip_norm, use_norm=norm)
    return list(zip(gradients, variables, strict=True)), norm


@export("contrib.opt.DropStaleGradientOptimizer")
class DropStaleGradientOptimizer(Optimizer):
    """Applies a gradient only if few steps were made since it was begun."""

    def __init__(self, opt: Any, staleness: Any, use_locking: bool = False, name: str = "DropStaleGradient") -> None:
        super().__init__(use_locking, name)
        self._opt, self._staleness = opt, staleness

    def compute_gradients(self, loss: Any, *args: Any, **kwargs: Any) -> Any:
        with tf.colocate_with(loss):
            self._local_step = tf.train.get_global_step() + 0
        with tf.control_dependencies([self._local_step]):
            loss = apply_op("Identity", None, input=loss)
            return self._opt.compute_gradients(loss, *args, **kwargs)

    def get_slot(self, *args: Any, **kwargs: Any) -> Any:
        return self._opt.get_slot(*args, **kwargs)

    def get_slot_names(self, *args: Any, **kwargs: Any) -> Any:
        return self._opt.get_slot_names(*args, **kwargs)

    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None, name: str | None = None) -> Any:
        grads_and_vars = list(grads_and_vars)
        with tf.colocate_with(global_step):
            stale = tf.get_variable("stale_counter", [], initializer=tf.zeros_initializer(), trainable=False)

        def accept() -> Any:
            with tf.control_dependencies([self._opt.apply_gradients(grads_and_vars, global_step=global_step, name=name)]):
                return apply_op("Identity", None, input=0.0)

        gradients = [g if isinstance(g, Tensor) else g.values.op for g, _ in grads_and_vars if g is not None]
        with tf.control_dependencies(gradients), tf.colocate_with(global_step):
            staleness = apply_op("Reshape", None, tensor=global_step - self._local_step, shape=())
        fresh = apply_op("LessEqual", None, x=staleness, y=self._staleness)
        update = stale.assign_add(tf.cond(fresh, accept, lambda: apply_op("Identity", None, input=1.0)))
        tf.summary.scalar("Gradient staleness percentage", stale / (tf.cast(global_step + 1, tf.float32)))
        return update
