"""Layers that put several inputs together."""

from __future__ import annotations

from typing import Any

from runtime.tf1.keras import backend as K
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.engine.layer import Layer
from runtime.tf1.keras.layers.core import dims_of
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape


class Merge(Layer):
    """Joins elementwise, broadcasting."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def merged(self, inputs: list[Any]) -> Any:
        raise NotImplementedError

    def _shapes(self, input_shape: Any) -> list[list[Any]]:
        if not isinstance(input_shape, list | tuple) or (input_shape and not isinstance(input_shape[0], TensorShape | list | tuple)):
            raise ValueError("A merge layer should be called on a list of inputs.")
        if len(input_shape) < 2:
            raise ValueError(f"A merge layer should be called on a list of at least 2 inputs. Got {len(input_shape)} inputs.")
        return [dims_of(s) for s in input_shape]

    def build(self, input_shape: Any) -> None:
        shapes = self._shapes(input_shape)
        batches = {s[0] for s in shapes if s} - {None}
        if len(batches) > 1:
            raise ValueError(f"Can not merge tensors with different batch sizes. Got tensors with shapes : {input_shape}")
        first = shapes[0][1:]
        for other in shapes[1:]:
            first = _broadcast(first, other[1:])
        self._ranks_equal = len({len(s) for s in shapes}) == 1
        self.built = True

    def call(self, inputs: Any) -> Any:
        if not isinstance(inputs, list | tuple):
            raise ValueError("A merge layer should be called on a list of inputs.")
        if not self._ranks_equal:
            most = max(K.ndim(x) for x in inputs)
            grown = []
            for x in inputs:
                for _ in range(most - K.ndim(x)):
                    x = tf.expand_dims(x, axis=1)
                grown.append(x)
            inputs = grown
        return self.merged(list(inputs))

    def compute_output_shape(self, input_shape: Any) -> Any:
        shapes = self._shapes(input_shape)
        found = shapes[0][1:]
        for other in shapes[1:]:
            found = _broadcast(found, other[1:])
        return TensorShape([shapes[0][0], *found])

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None or all(m is None for m in mask):
            return None
        kept = [tf.expand_dims(m, axis=0) for m in mask if m is not None]
        return tf.reduce_all(tf.concat(kept, axis=0), axis=0, keepdims=False)


def _broadcast(a: list[Any], b: list[Any]) -> list[Any]:
    if len(a) < len(b):
        a, b = b, a
    if not b:
        return a
    found = list(a[: len(a) - len(b)])
    for i, j in zip(a[len(a) - len(b) :], b, strict=True):
        if i is None or j is None:
            found.append(None)
        elif i == 1 or j == 1 or i == j:
            found.append(max(i, j))
        else:
            raise ValueError(f"Operands could not be broadcast together with shapes {tuple(a)} {tuple(b)}")
    return found


def _folded(operation: Any) -> Any:
    def merged(self: Any, inputs: list[Any]) -> Any:
        output = inputs[0]
        for x in inputs[1:]:
            output = operation(output, x)
        return output

    return merged


@export("keras.layers.Add")
class Add(Merge):
    merged = _folded(lambda a, b: a + b)


@export("keras.layers.Multiply")
class Multiply(Merge):
    merged = _folded(lambda a, b: a * b)


@export("keras.layers.Maximum")
class Maximum(Merge):
    merged = _folded(lambda a, b: tf.maximum(a, b))


@export("keras.layers.Minimum")
class Minimum(Merge):
    merged = _folded(lambda a, b: tf.minimum(a, b))


@export("keras.layers.Average")
class Average(Merge):
    def merged(self, inputs: list[Any]) -> Any:
        output = inputs[0]
        for x in inputs[1:]:
            output = output + x
        return output / len(inputs)


@export("keras.layers.Subtract")
class Subtract(Merge):
    def merged(self, inputs: list[Any]) -> Any:
        if len(inputs) != 2:
            raise ValueError("A `Subtract` layer should be called on exactly 2 inputs")
        return inputs[0] - inputs[1]


@export("keras.layers.Concatenate")
class Concatenate(Merge):
    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def build(self, input_shape: Any) -> None:
        shapes = self._shapes(input_shape)
        rest = []
        for s in shapes:
            s = list(s)
            if s:
                del s[self.axis]
            rest.append(list(s))
        for other in rest[1:]:
            if len(other) != len(rest[0]) or any(a is not None and b is not None and a != b for a, b in zip(rest[0], other, strict=True)):
                raise ValueError(
                    f"A `Concatenate` layer requires inputs with matching shapes except for the concat axis. Got inputs shapes: {[tuple(s) for s in shapes]}"
                )
        self._ranks_equal = True
        self.built = True

    def merged(self, inputs: list[Any]) -> Any:
        rank = K.ndim(inputs[0])
        return tf.concat(inputs, axis=self.axis % rank if self.axis < 0 else self.axis)

    def compute_output_shape(self, input_shape: Any) -> Any:
        shapes = self._shapes(input_shape)
        found = list(shapes[0])
        for s in shapes[1:]:
            found[self.axis] = None if found[self.axis] is None or s[self.axis] is None else found[self.axis] + s[self.axis]
        return TensorShape(found)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None or all(m is None for m in mask):
            return None
        wide = []
        for x, m in zip(inputs, mask, strict=True):
            if m is None:
                wide.append(tf.ones_like(x, dtype="bool"))
            else:
                wide.append(tf.expand_dims(m, axis=-1) if K.ndim(m) < K.ndim(x) else m)
        return tf.reduce_all(tf.concat(wide, axis=self.axis % K.ndim(wide[0])), axis=-1, keepdims=False)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


@export("keras.layers.Dot")
class Dot(Merge):
    """Dot products of samples of two inputs."""

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axes, self.normalize = axes, normalize

    def _axes(self, shapes: list[list[Any]]) -> list[int]:
        if isinstance(self.axes, int):
            return [self.axes % len(s) for s in shapes]
        return [a % len(s) for a, s in zip(self.axes, shapes, strict=True)]

    def build(self, input_shape: Any) -> None:
        shapes = self._shapes(input_shape)
        if len(shapes) != 2:
            raise ValueError("A `Dot` layer should be called on a list of 2 inputs.")
        a, b = self._axes(shapes)
        if shapes[0][a] != shapes[1][b]:
            raise ValueError(
                f"Dimension incompatibility {shapes[0][a]} != {shapes[1][b]}. Layer shapes: {tuple(shapes[0])}, {tuple(shapes[1])}"
            )
        self._ranks_equal = True
        self.built = True

    def merged(self, inputs: list[Any]) -> Any:
        from runtime.tf1.keras.backend_ops import batch_dot

        x, y = inputs
        axes = self._axes([list(K.int_shape(x)), list(K.int_shape(y))])
        if self.normalize:
            x, y = tf.nn.l2_normalize(x, axis=axes[0]), tf.nn.l2_normalize(y, axis=axes[1])
        return batch_dot(x, y, axes)

    def compute_output_shape(self, input_shape: Any) -> Any:
        shapes = self._shapes(input_shape)
        a, b = self._axes(shapes)
        first, second = list(shapes[0]), list(shapes[1])
        first.pop(a)
        second.pop(b)
        found = first + second[1:]
        return TensorShape(found if len(found) > 1 else [*found, 1])

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def _function(name: str, layer: type) -> Any:
    def call(inputs: Any, **kwargs: Any) -> Any:
        return layer(**kwargs)(inputs)

    call.__name__ = name
    return export(f"keras.layers.{name}")(call)


add, subtract, multiply = _function("add", Add), _function("subtract", Subtract), _function("multiply", Multiply)
average, maximum, minimum = _function("average", Average), _function("maximum", Maximum), _function("minimum", Minimum)


@export("keras.layers.concatenate")
def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    return Concatenate(axis=axis, **kwargs)(inputs)


@export("keras.layers.dot")
def dot(inputs: Any, axes: Any, normalize: bool = False, **kwargs: Any) -> Any:
    return Dot(axes=axes, normalize=normalize, **kwargs)(inputs)
