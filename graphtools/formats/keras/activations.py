"""Keras activation functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphtools.dtypes import int32
from graphtools.errors import FormatError
from graphtools.formats.keras import Emitter
from graphtools.graph import Tensor


def activate(e: Emitter, x: Tensor, spec: Any) -> Tensor:
    """The activation that a config names, applied. Raises FormatError for a function of the user's own."""
    if spec is None:
        return x
    options: dict[str, Any] = {}
    if isinstance(spec, dict):
        options = spec.get("config") if isinstance(spec.get("config"), dict) else {}  # type: ignore[assignment]
        name = spec.get("class_name")
        if name == "Activation":
            return activate(e, x, options.get("activation"))
        if isinstance(spec.get("config"), str):
            name = spec["config"]
        if name == "function":
            raise _unknown(spec)
    else:
        name = spec
    if not isinstance(name, str):
        raise _unknown(spec)
    key = name.rpartition(">")[2].lower().replace("_", "")
    function = ACTIVATIONS.get(key)
    if function is None:
        raise _unknown(spec)
    if key in ("relu", "leakyrelu", "elu", "softmax") and options:
        return {"relu": _relu_of, "leakyrelu": _leaky_of, "elu": _elu_of, "softmax": _softmax_of}[key](e, x, options)
    return function(e, x)


def _unknown(spec: Any) -> FormatError:
    return FormatError(
        f"The activation {spec!r} is no function of Keras 1 or 2: its code is not in the file. Save the model as a SavedModel or frozen graph instead."
    )


def relu(e: Emitter, x: Tensor, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """x above the threshold (at most max_value), negative_slope * (x - threshold) below."""
    if not negative_slope and not threshold:
        if max_value is None:
            return e.op("Relu", x)
        if max_value == 6:
            return e.op("Relu6", x)
    if negative_slope and not threshold and max_value is None:
        return e.op("LeakyRelu", x, alpha=float(negative_slope))
    below = None
    if negative_slope:
        below = e.op("Relu", e.op("Sub", e.like(threshold, x), x) if threshold else e.op("Neg", x))
    if threshold:
        y = e.op("Mul", x, e.cast(e.op("Greater", x, e.like(threshold, x)), x.dtype))
    else:
        y = e.op("Relu", x)
    if max_value is not None:
        y = e.op("Minimum", y, e.like(max_value, x))
        y = e.op("Maximum", y, e.like(0.0, x))
    return y if below is None else e.op("Sub", y, e.op("Mul", e.like(negative_slope, x), below))


def elu(e: Emitter, x: Tensor, alpha: float = 1.0) -> Tensor:
    y: Tensor = e.op("Elu", x)
    if alpha != 1:
        y = e.op("Select", e.op("Greater", x, e.op("ZerosLike", x)), y, e.op("Mul", e.like(alpha, x), y))
    return y


def softmax(e: Emitter, x: Tensor, axis: int = -1) -> Tensor:
    if axis == -1 or axis == (x.rank or 0) - 1:
        return e.op("Softmax", x)
    axes = e.const(np.array([axis], np.int32), int32)
    shifted = e.op("Exp", e.op("Sub", x, e.op("Max", x, axes, keep_dims=True)))
    return e.op("RealDiv", shifted, e.op("Sum", shifted, axes, keep_dims=True))


def hard_sigmoid(e: Emitter, x: Tensor) -> Tensor:
    """0.2 x + 0.5, kept in 0...1."""
    y = e.op("AddV2", e.op("Mul", x, e.like(0.2, x)), e.like(0.5, x))
    return e.op("Maximum", e.op("Minimum", y, e.like(1.0, x)), e.like(0.0, x))


def _gelu(e: Emitter, x: Tensor) -> Tensor:
    half = e.op("Mul", x, e.like(0.5, x))
    return e.op("Mul", half, e.op("AddV2", e.like(1.0, x), e.op("Erf", e.op("Mul", x, e.like(0.7071067811865476, x)))))


def _relu_of(e: Emitter, x: Tensor, c: dict[str, Any]) -> Tensor:
    return relu(
        e, x, number(c.get("negative_slope", c.get("alpha")), 0.0), number(c.get("max_value"), None), number(c.get("threshold"), 0.0)
    )


def _leaky_of(e: Emitter, x: Tensor, c: dict[str, Any]) -> Tensor:
    return relu(e, x, number(c.get("alpha", c.get("negative_slope")), 0.3))


def _elu_of(e: Emitter, x: Tensor, c: dict[str, Any]) -> Tensor:
    return elu(e, x, number(c.get("alpha"), 1.0))


def _softmax_of(e: Emitter, x: Tensor, c: dict[str, Any]) -> Tensor:
    return softmax(e, x, int(c.get("axis", -1)))


def number(value: Any, default: Any) -> Any:
    """A number of a config, also as Keras writes 0-d arrays: {"type": "ndarray", "value": ...}."""
    if isinstance(value, dict):
        value = value.get("value")
    return default if value is None else float(value)


def _plain(op_type: str) -> Callable[[Emitter, Tensor], Tensor]:
    return lambda e, x: e.op(op_type, x)


ACTIVATIONS: dict[str, Callable[[Emitter, Tensor], Tensor]] = {
    "elu": elu,
    "exponential": _plain("Exp"),
    "gelu": _gelu,
    "hardsigmoid": hard_sigmoid,
    "leakyrelu": lambda e, x: relu(e, x, 0.3),
    "linear": lambda e, x: x,
    "relu": relu,
    "relu6": _plain("Relu6"),
    "selu": _plain("Selu"),
    "sigmoid": _plain("Sigmoid"),
    "silu": lambda e, x: e.op("Mul", x, e.op("Sigmoid", x)),
    "softmax": softmax,
    "softplus": _plain("Softplus"),
    "softsign": _plain("Softsign"),
    "swish": lambda e, x: e.op("Mul", x, e.op("Sigmoid", x)),
    "tanh": _plain("Tanh"),
}
