"""Complex tensors as ONNX carries them: a real tensor with a last axis of 2, the real part and the imaginary part."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import Handler
from graphtools.dtypes import complex64, complex128, float64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView


def as_real(op: Builder, value: Value) -> Value:
    """The carrier of a complex value, its last axis visible."""
    carrier: Value = op._append("Identity", [value], {}, 1, "")
    carrier.dtype = value.dtype.real_dtype
    carrier.dims = None if value.dims is None else (*value.dims, 2)
    return carrier


def as_complex(op: Builder, carrier: Value) -> Value:
    """The complex value that a real one with a last axis of 2 carries."""
    value: Value = op._append("Identity", [carrier], {}, 1, "")
    value.dtype = complex128 if carrier.dtype is float64 else complex64
    value.dims = None if carrier.dims is None else carrier.dims[:-1]
    return value


def parts(op: Builder, value: Value) -> tuple[Value, Value]:
    """The real and the imaginary part of a value; the latter zero for a real value."""
    if not value.dtype.is_complex:
        return value, zeros_like(op, value)
    carrier = as_real(op, value)
    last = -1 if carrier.dims is None else len(carrier.dims) - 1
    real, imag = (op.Gather(carrier, np.int64(i), axis=last) for i in (0, 1))
    real.dims = imag.dims = value.dims
    return real, imag


def zeros_like(op: Builder, value: Value, fill: int = 0) -> Value:
    """A tensor of the value's shape and dtype, all 0 (or `fill`)."""
    filled: Value = op.ConstantOfShape(op.Shape(value), value=np.array([fill], value.dtype.as_numpy_dtype))
    return filled


def join(op: Builder, real: Value, imag: Value) -> Value:
    """The complex value of two parts of one shape."""
    carrier = op.Concat(op.Unsqueeze(real, [-1]), op.Unsqueeze(imag, [-1]), axis=-1)
    value = as_complex(op, carrier)
    value.dims = real.dims if real.dims is not None else imag.dims
    return value


def by_parts(handler: Handler) -> Handler:
    """Let a handler that is linear in its tensors take complex ones: it is applied to the real and to the imaginary parts."""

    @functools.wraps(handler)
    def convert(op: Builder, node: NodeView) -> Any:
        if not any(_is_complex(v) for v in node.inputs):
            return handler(op, node)
        split = [parts(op, v) if _is_complex(v) else (v, v) for v in node.inputs]
        results = []
        for i in (0, 1):
            view = node.with_inputs([pair[i] for pair in split])
            results.append(handler(op, view))
        if isinstance(results[0], tuple | list):
            return tuple(join(op, r, i) for r, i in zip(*results, strict=True))
        return join(op, *results)

    return convert


def _is_complex(value: Any) -> bool:
    dtype = getattr(value, "dtype", None)
    return dtype is not None and dtype.is_complex


__all__ = ["as_complex", "as_real", "by_parts", "join", "parts", "zeros_like"]
