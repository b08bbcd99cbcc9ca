"""tf.test.compute_gradient: a gradient by the graph against one by differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools.gradients import IndexedSlices
from runtime.tf1 import array_ops
from runtime.tf1.client import get_default_session, internal_runs
from runtime.tf1.gradients import gradients
from runtime.tf1.graph import constant
from runtime.tf1.registry import export

Jacobians = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


def _one(x: Any, x_shape: Any, y: Any, y_shape: Any, start: Any, delta: float, feeds: dict[Any, Any]) -> Jacobians:
    """(theoretical, numerical) Jacobian of y by x; complex numbers count as two real ones."""
    allowed = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")
    for tensor, label in ((x, "x"), (y, "y")):
        if tensor.dtype.base_dtype.name not in allowed:
            raise AssertionError(f"Don't support type {tensor.dtype.name} for {label}")
    session = get_default_session()
    real_x, real_y = (t.dtype.base_dtype.real_dtype.as_numpy_dtype for t in (x, y))
    dy_start = constant(1.0, shape=list(y_shape), dtype=y.dtype.base_dtype)
    dy = array_ops.identity(dy_start)
    dx = gradients(y, x, dy)[0]
    data = np.random.random_sample(x_shape).astype(x.dtype.base_dtype.as_numpy_dtype) if start is None else np.asarray(start)
    if start is None and x.dtype.is_complex:
        data.imag = np.random.random_sample(x_shape)
    if list(data.shape) != list(x_shape):
        raise AssertionError(f"x_shape = {x_shape}, init_data shape = {list(data.shape)}")
    width_x, width_y = (2 if t.dtype.is_complex else 1 for t in (x, y))
    rows, columns = int(np.prod(x_shape, dtype=np.int64)) * width_x, int(np.prod(y_shape, dtype=np.int64)) * width_y
    theoretical = np.zeros((rows, columns), real_x)
    upstream = np.zeros(y_shape, y.dtype.base_dtype.as_numpy_dtype)
    flat = upstream.reshape(-1).view(real_y)
    for column in range(columns):
        flat[column] = 1
        given = {**feeds, x: data, dy: upstream}
        if isinstance(dx, IndexedSlices):
            indices, values = session.run([dx.indices, dx.values], given)
            size = int(np.prod(x_shape[1:], dtype=np.int64)) * width_x
            for i, value in zip(indices, values, strict=True):
                theoretical[i * size : (i + 1) * size, column] += value.ravel()
        else:
            theoretical[:, column] = session.run(dx, given).ravel().view(real_x)
        flat[column] = 0
    numerical = np.zeros((rows, columns), real_x)
    for row in range(rows):
        sides = []
        for sign in (1, -1):
            moved = np.array(data, dtype=x.dtype.base_dtype.as_numpy_dtype)
            moved.reshape(-1).view(real_x)[row] += sign * delta
            sides.append(session.run(y, {**feeds, x: moved}))
        numerical[row, :] = ((sides[0] - sides[1]) / np.asarray(2 * delta, real_y)).ravel().view(real_y)
    return theoretical, numerical


@export("test.compute_gradient")
def compute_gradient(
    x: Any,
    x_shape: Any,
    y: Any,
    y_shape: Any,
    x_init_value: Any = None,
    delta: float = 1e-3,
    init_targets: Any = None,
    extra_feed_dict: Any = None,
) -> Any:
    """The Jacobian of y by x (a tensor or a list) as the graph gives it and as differences give it."""
    feeds = dict(extra_feed_dict or {})
    with internal_runs():
        for target in (init_targets if isinstance(init_targets, list | tuple) else [init_targets]) if init_targets is not None else []:
            get_default_session().run(getattr(target, "initializer", target))
        if not isinstance(x, list):
            return _one(x, x_shape, y, y_shape, x_init_value, delta, feeds)
        starts = x_init_value or [None] * len(x)
        return [_one(xi, si, y, y_shape, vi, delta, feeds) for xi, si, vi in zip(x, x_shape, starts, strict=True)]


@export("test.compute_gradient_error")
def compute_gradient_error(
    x: Any,
    x_shape: Any,
    y: Any,
    y_shape: Any,
    x_init_value: Any = None,
    delta: float = 1e-3,
    init_targets: Any = None,
    extra_feed_dict: Any = None,
) -> float:
    """The largest difference between the two Jacobians."""
    found = compute_gradient(x, x_shape, y, y_shape, x_init_value, delta, init_targets, extra_feed_dict)
    pairs = found if isinstance(found, list) else [found]
    return float(max((np.fabs(t - n).max() if t.size else 0.0) for t, n in pairs))
