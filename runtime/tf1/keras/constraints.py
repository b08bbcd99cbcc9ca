"""tf.keras.constraints."""

from __future__ import annotations

from typing import Any

from runtime.tf1.keras.backend import epsilon, floatx, tf
from runtime.tf1.keras.serialization import deserialize_keras_object, serialize_keras_object
from runtime.tf1.registry import export


@export("keras.constraints.Constraint")
class Constraint:
    """What a weight is made to keep after each update."""

    def __call__(self, w: Any) -> Any:
        return w

    def get_config(self) -> dict[str, Any]:
        return {}


def _norms(w: Any, axis: Any) -> Any:
    return tf.sqrt(tf.reduce_sum(tf.square(w), axis=axis, keepdims=True))


@export("keras.constraints.MaxNorm")
class MaxNorm(Constraint):
    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value, self.axis = max_value, axis

    def __call__(self, w: Any) -> Any:
        norms = _norms(w, self.axis)
        return w * (tf.clip_by_value(norms, 0.0, self.max_value) / (epsilon() + norms))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


@export("keras.constraints.NonNeg")
class NonNeg(Constraint):
    def __call__(self, w: Any) -> Any:
        return w * tf.cast(tf.greater_equal(w, 0.0), floatx())


@export("keras.constraints.UnitNorm")
class UnitNorm(Constraint):
    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        return w / (epsilon() + _norms(w, self.axis))

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


@export("keras.constraints.MinMaxNorm")
class MinMaxNorm(Constraint):
    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0) -> None:
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def __call__(self, w: Any) -> Any:
        norms = _norms(w, self.axis)
        wanted = self.rate * tf.clip_by_value(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return w * (wanted / (epsilon() + norms))

    def get_config(self) -> dict[str, Any]:
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


@export("keras.constraints.RadialConstraint")
class RadialConstraint(Constraint):
    """Makes [height, width] of a kernel depend on the distance from its centre only."""

    def __call__(self, w: Any) -> Any:
        dims = w.shape.as_list()
        if len(dims) != 4 or dims[0] != dims[1]:
            raise ValueError(f"The weight tensor must have shape (size, size, in, out), not {dims}.")
        n, start = dims[0], dims[0] // 2
        rings = [[start, i] for i in range(start, n)]
        rows = []
        for i in range(n):
            row = []
            for j in range(n):
                ring = max(abs(i - (n - 1) / 2), abs(j - (n - 1) / 2))
                row.append(w[tuple(rings[int(ring)])])
            rows.append(tf.stack(row))
        return tf.stack(rows)


CONSTRAINTS: dict[str, Any] = {
    "Constraint": Constraint, "MaxNorm": MaxNorm, "MinMaxNorm": MinMaxNorm, "NonNeg": NonNeg, "RadialConstraint": RadialConstraint, "UnitNorm": UnitNorm,
    "max_norm": MaxNorm, "min_max_norm": MinMaxNorm, "non_neg": NonNeg, "nonneg": NonNeg, "radial_constraint": RadialConstraint, "unit_norm": UnitNorm, "unitnorm": UnitNorm, "maxnorm": MaxNorm,
}  # fmt: skip


@export("keras.constraints.serialize")
def serialize(constraint: Any) -> Any:
    return serialize_keras_object(constraint)


@export("keras.constraints.deserialize")
def deserialize(config: Any, custom_objects: Any = None) -> Any:
    return deserialize_keras_object(config, CONSTRAINTS, custom_objects, "constraint")


@export("keras.constraints.get")
def get(identifier: Any) -> Any:
    if identifier is None:
        return None
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        return deserialize({"class_name": identifier, "config": {}})
    if callable(identifier):
        return identifier
    raise ValueError(f"Could not interpret constraint identifier: {identifier}")
