"""Tensors as protos: tf.make_tensor_proto and tf.make_ndarray."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools.dtypes import as_dtype
from graphtools.errors import FormatError
from graphtools.formats import schema, tensor
from runtime.tf1.graph import to_value
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import as_dims


@export("make_tensor_proto")
def make_tensor_proto(values: Any, dtype: Any = None, shape: Any = None, verify_shape: bool = False, allow_broadcast: bool = False) -> Any:
    """A TensorProto of a value: reshaped to `shape`, its last element standing for those that it lacks."""
    if allow_broadcast and verify_shape:
        raise ValueError("allow_broadcast and verify_shape are not both allowed.")
    kind = schema.message("TensorProto")
    if isinstance(values, kind):
        return values
    if values is None:
        raise ValueError("None values not supported.")
    array, found = to_value(values, None if dtype is None else as_dtype(dtype))
    dims = array.shape
    if shape is not None:
        given = as_dims(shape)
        if given is None or None in given:
            raise ValueError(f"A tensor's shape must be known; it is {shape!r}.")
        dims = tuple(int(d) for d in given)  # type: ignore[arg-type]
        size = int(np.prod(dims, dtype=np.int64))
        if (allow_broadcast and array.shape not in ((1,), ()) and array.size != size) or (verify_shape and array.shape != dims):
            raise TypeError(f"Expected Tensor's shape: {dims}, got {array.shape}.")
        if array.size > size:
            raise ValueError(f"Too many elements provided. Needed at most {size}, but received {array.size}")
    if array.size == int(np.prod(dims, dtype=np.int64)) and array.size > 1 and found.name != "string":
        return tensor.to_proto(np.ascontiguousarray(array.reshape(dims)), found)
    proto = kind(dtype=found.as_datatype_enum)
    tensor.set_shape(proto.tensor_shape, dims)
    tensor.set_values(proto, array.reshape(-1), found)
    return proto


@export("make_ndarray")
def make_ndarray(tensor: Any) -> np.ndarray[Any, Any]:
    """The array of a TensorProto."""
    from graphtools.formats import tensor as reader

    try:
        return np.array(reader.to_array(tensor))
    except FormatError as e:
        raise TypeError(f"Unsupported tensor type: {tensor.dtype} ({e})") from None
