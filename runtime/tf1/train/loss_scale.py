"""Scaling of losses for half-precision training: fixed and dynamic scales, and the optimizer that applies them."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import int64
from graphtools.gradients import IndexedSlices
from runtime.tf1 import math_ops
from runtime.tf1.control_flow import cond
from runtime.tf1.graph import convert_to_tensor
from runtime.tf1.modules import lookup
from runtime.tf1.registry import export
from runtime.tf1.train.optimizer import Optimizer


@export("train.experimental.LossScale")
class LossScale:
    """A factor for losses, called for its value and updated with the gradients of each step."""

    def __init__(self) -> None:
        self._weights: dict[str, Any] = {}

    def __call__(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define its value.")

    def update(self, grads: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define update().")

    def _add_weight(self, name: str, initial_value: Any, dtype: Any = None) -> Any:
        if name in self._weights:
            raise RuntimeError(f"Duplicate variables detected. {name}")
        made = lookup("Variable")(initial_value, name=name, dtype=dtype, trainable=False, use_resource=True)
        self._weights[name] = made
        return made

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(f"{type(self).__name__} does not define get_config().")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


@export("train.experimental.FixedLossScale")
class FixedLossScale(LossScale):
    """One factor for all steps."""

    def __init__(self, loss_scale_value: float) -> None:
        super().__init__()
        if not isinstance(loss_scale_value, int | float):
            raise ValueError("loss_scale_value must be a Python int or float.")
        if loss_scale_value < 1:
            raise ValueError("loss_scale_value must be at least 1.")
        self._loss_scale_value = float(loss_scale_value)

    def __call__(self) -> Any:
        return convert_to_tensor(self._loss_scale_value)

    def update(self, grads: Any) -> Any:
        return lookup("no_op")(), True

    def __repr__(self) -> str:
        return f"FixedLossScale({self._loss_scale_value})"

    def get_config(self) -> dict[str, Any]:
        return {"loss_scale_value": self._loss_scale_value}


def _all_finite(grads: Any) -> Any:
    return math_ops.reduce_all([math_ops.reduce_all(lookup("is_finite")(g)) for g in grads if g is not None])


def _assign_if_finite(var: Any, value: Any) -> Any:
    return cond(lookup("is_finite")(value), lambda: var.assign(value).op, lookup("no_op"))


@export("train.experimental.DynamicLossScale")
class DynamicLossScale(LossScale):
    """A factor that grows after a number of finite steps and shrinks at a step that is not finite."""

    def __init__(self, initial_loss_scale: float = 2**15, increment_period: int = 2000, multiplier: float = 2.0) -> None:
        super().__init__()
        self._initial_loss_scale = float(initial_loss_scale)
        self._increment_period = int(increment_period)
        self._multiplier = float(multiplier)
        self._current_loss_scale = self._add_weight("current_loss_scale", self._initial_loss_scale, "float32")
        self._num_good_steps = self._add_weight("good_steps", 0, int64)

    initial_loss_scale = property(lambda self: self._initial_loss_scale)
    increment_period = property(lambda self: self._increment_period)
    multiplier = property(lambda self: self._multiplier)

    def __call__(self) -> Any:
        return convert_to_tensor(self._current_loss_scale)

    def update(self, grads: Any) -> Any:
        group = lookup("group")
        scale, steps = self._current_loss_scale, self._num_good_steps
        is_finite = _all_finite(lookup("nest.flatten")(grads))

        def grow() -> Any:
            return group(_assign_if_finite(scale, scale * self._multiplier), steps.assign(0))

        def finite() -> Any:
            return cond(steps + 1 >= self._increment_period, grow, lambda: steps.assign_add(1).op)

        def not_finite() -> Any:
            return group(steps.assign(0), scale.assign(math_ops.maximum(scale / self._multiplier, 1.0)))

        return cond(is_finite, finite, not_finite), is_finite

    def __repr__(self) -> str:
        return (
            f"DynamicLossScale(initial_loss_scale={self._initial_loss_scale}, increment_period={self._increment_period}, "
            f"multiplier={self._multiplier})"
        )

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_loss_scale": self._initial_loss_scale,
            "increment_period": self._increment_period,
            "multiplier": self._multiplier,
        }


def loss_scale_of(identifier: Any) -> Any:
    """A LossScale from a number, "dynamic" or a LossScale."""
    if isinstance(identifier, int | float):
        return FixedLossScale(identifier)
    if identifier == "dynamic":
        return DynamicLossScale()
    if identifier is None or isinstance(identifier, LossScale):
        return identifier
    raise ValueError(f"Could not interpret loss scale identifier: {identifier}")


@export("train.experimental.MixedPrecisionLossScaleOptimizer")
class MixedPrecisionLossScaleOptimizer(Optimizer):
    """An optimizer whose gradients are those of the scaled loss, scaled back; steps with gradients that are not finite are left out."""

    def __init__(self, opt: Any, loss_scale: Any) -> None:
        if not isinstance(opt, Optimizer):
            raise ValueError(f'"opt" must be an instance of Optimizer, but got: {type(opt)}')
        self._optimizer = opt
        super().__init__(opt._use_locking, opt.get_name())
        self._loss_scale = loss_scale_of(loss_scale)

    def compute_gradients(self, loss: Any, *args: Any, **options: Any) -> list[tuple[Any, Any]]:
        factor = self._loss_scale()
        scaled = (lambda: loss() * factor) if callable(loss) else loss * factor
        pairs = self._optimizer.compute_gradients(scaled, *args, **options)
        back = 1 / self._loss_scale()
        return [(None if g is None else self._scaled(g, back), v) for g, v in pairs]

    @staticmethod
    def _scaled(grad: Any, factor: Any) -> Any:
        if isinstance(grad, IndexedSlices):
            return IndexedSlices(grad.values * factor, grad.indices, grad.dense_shape)
        return grad * factor

    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None, name: str | None = None) -> Any:
        if not isinstance(self._loss_scale, DynamicLossScale):
            return self._optimizer.apply_gradients(grads_and_vars, global_step, name)
        pairs = tuple(grads_and_vars)
        name = name or self.get_name()
        update, finite = self._loss_scale.update([g.values if isinstance(g, IndexedSlices) else g for g, _ in pairs])

        def apply() -> Any:
            return lookup("group")(self._optimizer.apply_gradients(pairs, global_step, f"{name}-wrapped"))

        return lookup("group")(cond(finite, apply, lookup("no_op")), update, name=name)


@export("train.experimental.enable_mixed_precision_graph_rewrite")
def enable_mixed_precision_graph_rewrite(opt: Any, loss_scale: Any = "dynamic") -> Any:
    """The optimizer with a scaled loss; numbers stay in float32, as TensorFlow keeps them where there is no GPU for it."""
    if isinstance(opt, MixedPrecisionLossScaleOptimizer):
        raise ValueError(
            f'"opt" must not already be an instance of a {type(opt).__name__}. `enable_mixed_precision_graph_rewrite` will automatically '
            f"wrap the optimizer with a {type(opt).__name__}."
        )
    if not isinstance(opt, Optimizer):
        raise ValueError(
            f'"opt" must be an instance of a tf.train.Optimizer or a tf.keras.optimizers.Optimizer, but got: {opt}'
            if not hasattr(opt, "get_updates")
            else "Optimizers of tf.keras are not scaled here: give an optimizer of tf.train, or train without the rewrite."
        )
    return MixedPrecisionLossScaleOptimizer(opt, loss_scale)


@export("train.experimental.disable_mixed_precision_graph_rewrite")
def disable_mixed_precision_graph_rewrite() -> None:
    """Nothing to take back."""


@export("train.experimental.PythonState")
class PythonState:
    """State of Python that a subclass writes into checkpoints."""

    def serialize(self) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define serialize().")

    def deserialize(self, string_value: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define deserialize().")
