"""Learning rates that change with the step."""

from __future__ import annotations

import math
from typing import Any

from runtime.tf1 import math_ops
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, name_scope
from runtime.tf1.registry import export


def _floor(x: Any) -> Any:
    return apply_op("Floor", None, x=x)


@export("train.exponential_decay")
def exponential_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: str | None = None
) -> Any:
    if global_step is None:
        raise ValueError("global_step is required for exponential_decay.")
    with name_scope(name, "ExponentialDecay", [learning_rate, global_step, decay_steps, decay_rate]) as scope:
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        dtype = rate.dtype
        decay_steps = math_ops.cast(decay_steps, dtype)
        decay_rate = math_ops.cast(decay_rate, dtype)
        p = math_ops.cast(global_step, dtype) / decay_steps
        if staircase:
            p = _floor(p)
        return math_ops.multiply(rate, apply_op("Pow", None, x=decay_rate, y=p), name=scope)


@export("train.piecewise_constant")
def piecewise_constant(x: Any, boundaries: Any, values: Any, name: str | None = None) -> Any:
    if len(boundaries) != len(values) - 1:
        raise ValueError("The length of boundaries should be 1 less than the length of values")
    from runtime.tf1.modules import lookup

    boundaries = [convert_to_tensor(b) for b in boundaries]
    values = [convert_to_tensor(v) for v in values]
    x = convert_to_tensor(x)
    boundaries = [math_ops.cast(b, x.dtype.base_dtype) for b in boundaries]
    with name_scope(name, "PiecewiseConstant", [x, boundaries, values]):
        cases = [(x <= boundaries[0], lambda: values[0]), (x > boundaries[-1], lambda: values[-1])]
        for low, high, v in zip(boundaries[:-1], boundaries[1:], values[1:-1], strict=True):
            cases.append((apply_op("LogicalAnd", None, x=x > low, y=x <= high), lambda v=v: v))
        return lookup("case")(cases, lambda: values[0], exclusive=True)


@export("train.polynomial_decay")
def polynomial_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    end_learning_rate: Any = 0.0001,
    power: Any = 1.0,
    cycle: bool = False,
    name: str | None = None,
) -> Any:
    if global_step is None:
        raise ValueError("global_step is required for polynomial_decay.")
    with name_scope(name, "PolynomialDecay", [learning_rate, global_step]) as scope:
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        dtype = rate.dtype
        end = math_ops.cast(end_learning_rate, dtype)
        power = math_ops.cast(power, dtype)
        step = math_ops.cast(global_step, dtype)
        steps = math_ops.cast(decay_steps, dtype)
        if cycle:
            from runtime.tf1.control_flow import cond

            multiplier = cond(math_ops.equal(step, 0), lambda: 1.0, lambda: apply_op("Ceil", None, x=step / decay_steps))
            steps = math_ops.multiply(steps, multiplier)
        else:
            step = math_ops.minimum(step, decay_steps)
        p = step / steps
        return math_ops.add(math_ops.multiply(rate - end, math_ops.pow_(1 - p, power)), end, name=scope)


@export("train.natural_exp_decay")
def natural_exp_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: str | None = None
) -> Any:
    natural = apply_op("Exp", None, x=math_ops.negative(decay_rate))
    return exponential_decay(learning_rate, global_step, decay_steps, natural, staircase=staircase, name=name)


@export("train.inverse_time_decay")
def inverse_time_decay(
    learning_rate: Any, global_step: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: str | None = None
) -> Any:
    with name_scope(name, "InverseTimeDecay", [learning_rate, global_step, decay_rate]) as scope:
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        dtype = rate.dtype
        steps, decay = math_ops.cast(decay_steps, dtype), math_ops.cast(decay_rate, dtype)
        p = math_ops.cast(global_step, dtype) / steps
        if staircase:
            p = _floor(p)
        one = math_ops.cast(constant(1), dtype)
        return apply_op("RealDiv", scope, x=rate, y=math_ops.add(one, math_ops.multiply(decay, p)))


@export("train.cosine_decay")
def cosine_decay(learning_rate: Any, global_step: Any, decay_steps: Any, alpha: float = 0.0, name: str | None = None) -> Any:
    with name_scope(name, "CosineDecay", [learning_rate, global_step]):
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        steps = math_ops.cast(decay_steps, rate.dtype)
        fraction = math_ops.minimum(math_ops.cast(global_step, rate.dtype), steps) / steps
        cosine = 0.5 * (1.0 + apply_op("Cos", None, x=constant(math.pi) * fraction))
        return math_ops.multiply(rate, (1 - alpha) * cosine + alpha)


def _waves(num_periods: Any, fraction: Any) -> Any:
    """Cosine waves of height one, `num_periods` of them over the whole decay."""
    fraction = 2.0 * num_periods * fraction
    return 0.5 * (1.0 + apply_op("Cos", None, x=constant(math.pi) * fraction))


@export("train.linear_cosine_decay")
def linear_cosine_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    num_periods: float = 0.5,
    alpha: float = 0.0,
    beta: float = 0.001,
    name: str | None = None,
) -> Any:
    with name_scope(name, "LinearCosineDecay", [learning_rate, global_step]) as scope:
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        dtype = rate.dtype
        steps, periods, low, last = (math_ops.cast(v, dtype) for v in (decay_steps, num_periods, alpha, beta))
        step = math_ops.minimum(math_ops.cast(global_step, dtype), steps)
        linear = (steps - step) / steps
        waves = _waves(periods, step / steps)
        return math_ops.multiply(rate, (low + linear) * waves + last, name=scope)


@export("train.noisy_linear_cosine_decay")
def noisy_linear_cosine_decay(
    learning_rate: Any,
    global_step: Any,
    decay_steps: Any,
    initial_variance: float = 1.0,
    variance_decay: float = 0.55,
    num_periods: float = 0.5,
    alpha: float = 0.0,
    beta: float = 0.001,
    name: str | None = None,
) -> Any:
    from runtime.tf1.random_ops import random_normal

    with name_scope(name, "NoisyLinearCosineDecay", [learning_rate, global_step]) as scope:
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        dtype = rate.dtype
        given = (decay_steps, initial_variance, variance_decay, num_periods, alpha, beta)
        steps, variance, decay, periods, low, last = (math_ops.cast(v, dtype) for v in given)
        step = math_ops.minimum(math_ops.cast(global_step, dtype), steps)
        linear = (steps - step) / steps
        deviation = math_ops.sqrt(variance / math_ops.pow_(1.0 + step, decay))
        linear = linear + random_normal(linear.shape, stddev=deviation)
        waves = _waves(periods, step / steps)
        return math_ops.multiply(rate, (low + linear) * waves + last, name=scope)


@export("train.cosine_decay_restarts")
def cosine_decay_restarts(
    learning_rate: Any,
    global_step: Any,
    first_decay_steps: Any,
    t_mul: float = 2.0,
    m_mul: float = 1.0,
    alpha: float = 0.0,
    name: str | None = None,
) -> Any:
    from runtime.tf1.modules import lookup

    with name_scope(name, "SGDRDecay", [learning_rate, global_step]) as scope:
        rate = convert_to_tensor(learning_rate, name="initial_learning_rate")
        dtype = rate.dtype
        steps, alpha_t, t, m = (math_ops.cast(v, dtype) for v in (first_decay_steps, alpha, t_mul, m_mul))
        done = math_ops.cast(global_step, dtype) / steps

        def compute(geometric: bool) -> tuple[Any, Any]:
            if geometric:
                restart = _floor(apply_op("Log", None, x=1.0 - done * (1.0 - t)) / apply_op("Log", None, x=t))
                total = (1.0 - t**restart) / (1.0 - t)
                return restart, (done - total) / t**restart
            restart = _floor(done)
            return restart, done - restart

        restart, fraction = lookup("cond")(math_ops.equal(t, 1.0), lambda: compute(False), lambda: compute(True))
        cosine = 0.5 * m**restart * (1.0 + apply_op("Cos", None, x=constant(math.pi) * fraction))
        return math_ops.multiply(rate, (1 - alpha_t) * cosine + alpha_t, name=scope)
