"""tf.contrib.integrate: ordinary differential equations on a fixed grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.tf1.modules import module
from runtime.tf1.registry import export

tf: Any = module("")


def _midpoint(f: Any, t: Any, dt: Any, y: Any) -> Any:
    step = tf.cast(dt, y.dtype)
    return step * f(y + f(y, t) * step / 2, t + dt / 2)


def _rk4(f: Any, t: Any, dt: Any, y: Any) -> Any:
    k1 = f(y, t)
    half = t + dt / 2
    step = tf.cast(dt, y.dtype)
    k2 = f(y + step * k1 / 2, half)
    k3 = f(y + step * k2 / 2, half)
    k4 = f(y + step * k3, t + dt)
    return tf.add_n([k1, 2 * k2, 2 * k3, k4]) * (step / 6)


_METHODS: dict[str, Callable[[Any, Any, Any, Any], Any]] = {"midpoint": _midpoint, "rk4": _rk4}


def _check(y0: Any, t: Any, dt: Any) -> None:
    if not (y0.dtype.is_floating or y0.dtype.is_complex):
        raise TypeError("`y0` must have a floating point or complex floating point dtype")
    for name, value in (("t", t), ("dt", dt)):
        if not value.dtype.is_floating:
            raise TypeError(f"`{name}` must have a floating point dtype")
    for name, value in (("t", t), ("dt", dt)):
        if len(value.get_shape().as_list()) > 1:
            raise ValueError(f"{name} must be a 1D tensor")
    times, steps = t.get_shape()[0].value, dt.get_shape()[0].value
    if None not in (times, steps) and times != steps + 1:
        raise ValueError("t and dt have incompatible lengths, must be N and N-1")


@export("contrib.integrate.odeint_fixed")
def odeint_fixed(func: Any, y0: Any, t: Any, dt: Any = None, method: str = "rk4", name: str | None = None) -> Any:
    """y at the times t, where dy/dt = func(y, t), in steps of at most `dt` between two times."""
    with tf.name_scope(name, "odeint_fixed", [y0, t, dt]):
        t = tf.convert_to_tensor(t, preferred_dtype=tf.float64, name="t")
        y0 = tf.convert_to_tensor(y0, name="y0")
        intervals = t[1:] - t[:-1]
        if dt is None:
            dt = intervals
        dt = tf.convert_to_tensor(dt, preferred_dtype=tf.float64, name="dt")
        counts = tf.ceil(intervals / dt)
        dt = intervals / counts
        counts = tf.cast(counts, dtype=tf.int32)
        _check(y0, t, dt)
        if method not in _METHODS:
            raise ValueError(f"method not supported: {method}")
        step = _METHODS[method]
        increasing = tf.Assert(tf.reduce_all(t[1:] > t[:-1]), ["`t` must be monotonic increasing"])
        with tf.control_dependencies([increasing]), tf.name_scope(method):

            def small_step(y: Any, t: Any, count: Any, number: Any) -> Any:
                length = dt[number - 1]
                change = tf.cast(step(func, t, length, y), dtype=y.dtype)
                return y + change, t + length, count + 1, number

            def interval(solution: Any, y: Any, t: Any, number: Any) -> Any:
                y, t, _, _ = tf.while_loop(lambda _y, _t, j, number: j < counts[number - 1], small_step, (y, t, 0, number))
                return solution.write(number, y), y, t, number + 1

            size = tf.size(t)
            now = t[0]
            solution = tf.TensorArray(y0.dtype, size).write(0, y0)
            solution, *_ = tf.while_loop(lambda _s, _y, _t, i: i < size, interval, (solution, y0, now, 1))
            result = solution.stack()
            result.set_shape(t.get_shape().concatenate(y0.get_shape()))
            return result
