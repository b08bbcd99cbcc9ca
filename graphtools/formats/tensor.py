"""TensorProto <-> numpy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphtools.dtypes import DType, as_dtype, bool_, resource, string, variant
from graphtools.errors import FormatError
from graphtools.formats import schema
from graphtools.graph import Dims

Array = np.ndarray[Any, Any]

# The field that holds an element type's values when tensor_content does not.
_VALUE_FIELDS = {
    "float32": "float_val", "float64": "double_val", "int32": "int_val", "uint8": "int_val", "int16": "int_val", "int8": "int_val",
    "string": "string_val", "complex64": "scomplex_val", "int64": "int64_val", "bool": "bool_val", "qint8": "int_val", "quint8": "int_val",
    "qint32": "int_val", "bfloat16": "half_val", "qint16": "int_val", "quint16": "int_val", "uint16": "int_val", "complex128": "dcomplex_val",
    "float16": "half_val", "resource": "resource_handle_val", "variant": "variant_val", "uint32": "uint32_val", "uint64": "uint64_val",
}  # fmt: skip

# Values that repeat only the last of several make no view; past this size such a tensor is refused unless its file is as big.
_MAX_REPEATED_BYTES = 1 << 30


def dims_of(shape: Any) -> Dims:
    """The dims of a TensorShapeProto."""
    if shape.unknown_rank:
        return None
    return tuple([None if d.size < 0 else d.size for d in shape.dim])


def set_shape(shape: Any, dims: Dims) -> None:
    """Write dims into a TensorShapeProto."""
    if dims is None:
        shape.unknown_rank = True
    else:
        shape.SetInParent()
        for d in dims:
            shape.dim.add(size=-1 if d is None else d)


def dtype_of(number: int, what: str) -> DType:
    """The DType of a DT_ number. Raises FormatError."""
    try:
        return as_dtype(number)
    except TypeError as e:
        raise FormatError(f"{what} has the element type {number}, which no TensorFlow before 2.16 writes into graphs.") from e


def static_shape(shape: Any, what: str) -> tuple[int, ...]:
    """The dims of a stored tensor's TensorShapeProto, which must be complete. Raises FormatError."""
    dims = dims_of(shape)
    if dims is None or None in dims:
        raise FormatError(f"{what} has the shape {dims}; the shape of a stored tensor has no unknown dimensions.")
    if len(dims) > 64:
        raise FormatError(f"{what} has {len(dims)} dimensions; at most 64 are possible.")
    if math.prod(d for d in dims if d) > 1 << 62:
        raise FormatError(f"{what} has the shape {dims}, which has too many elements.")
    return dims  # type: ignore[return-value]


def to_array(proto: Any, what: str = "A tensor", content: Any = None) -> Array:
    """The value of a TensorProto; `content` is its tensor_content where that was kept outside.

    A value given once for all elements becomes a view that repeats it and costs no memory.
    """
    dtype = dtype_of(proto.dtype, what).base_dtype
    shape = static_shape(proto.tensor_shape, what)
    count = math.prod(shape)
    numpy_type = dtype.as_numpy_dtype
    content = content or proto.tensor_content
    if content:
        if dtype.name in ("string", "resource", "variant"):
            return _packed_strings(content, shape, count, what) if dtype is string else _no_content(dtype, what)
        return from_content(content, dtype, shape, what)
    flat = values(proto, dtype, what)
    if len(flat) == 0:
        flat = np.array([b"" if dtype is string else None], np.object_) if numpy_type is np.object_ else np.zeros(1, numpy_type)
    if len(flat) >= count:
        flat = flat[:count]
        return _frozen(flat.reshape(shape))
    if len(flat) == 1:
        return np.broadcast_to(flat.reshape(()), shape)
    if count * flat.itemsize > max(_MAX_REPEATED_BYTES, 16 * flat.nbytes):
        raise FormatError(
            f"{what} has the shape {shape} but only {len(flat)} values; repeating the last would take {count * flat.itemsize:,} bytes."
        )
    whole: Array = np.empty(count, flat.dtype)
    whole[: len(flat)] = flat
    whole[len(flat) :] = flat[-1:] if numpy_type is not np.object_ else flat[-1]
    return _frozen(whole.reshape(shape))


def values(proto: Any, dtype: DType, what: str = "A tensor") -> Array:
    """The flat array of the values in the field that a TensorProto has for this element type."""
    field = _VALUE_FIELDS[dtype.name]
    listed = getattr(proto, field)
    numpy_type = dtype.as_numpy_dtype
    if numpy_type is np.object_:
        flat: Array = np.empty(len(listed), np.object_)
        flat[:] = list(listed)
        return flat
    wide = {"int_val": np.int32, "half_val": np.int32}.get(field) or dtype.real_dtype.as_numpy_dtype
    flat = np.array(listed, wide) if len(listed) <= _MANY_VALUES else _many_values(proto, field, np.dtype(wide))
    if dtype.is_complex:
        if len(flat) % 2:
            raise FormatError(f"{what} of complex numbers has {len(flat)} parts, which is not even.")
        return flat.view(numpy_type)
    if field == "half_val":
        return flat.astype(np.uint16).view(numpy_type)
    return flat.astype(numpy_type, copy=False)


_MANY_VALUES = 4096


def _many_values(proto: Any, field: str, dtype: np.dtype[Any]) -> Array:
    """A long list of numbers, by way of its bytes: element by element would take seconds."""
    number = proto.DESCRIPTOR.fields_by_name[field].number
    only = type(proto)()
    getattr(only, field).MergeFrom(getattr(proto, field))
    data = only.SerializeToString()
    found, _, start, stop = schema.field_at(data, 0, len(data))
    if found != number or stop != len(data):
        return np.array(getattr(proto, field), dtype)
    if dtype.kind == "f":
        return np.frombuffer(data, dtype, offset=start)
    octets = np.frombuffer(data, np.uint8, offset=start)
    ends = np.flatnonzero(octets < 0x80)
    starts = np.concatenate([[0], ends[:-1] + 1])
    sizes = ends - starts + 1
    numbers = np.zeros(len(ends), np.uint64)
    for i in range(int(sizes.max())):
        there = sizes > i
        numbers[there] |= (octets[starts[there] + i] & np.uint64(0x7F)).astype(np.uint64) << np.uint64(7 * i)
    return numbers.astype(dtype)


def _frozen(array: Array) -> Array:
    array.flags.writeable = False
    return array


def from_content(content: Any, dtype: DType, shape: tuple[int, ...], what: str) -> Array:
    """The array in raw little-endian bytes, without a copy."""
    numpy_type = np.dtype(dtype.as_numpy_dtype)
    count = math.prod(shape)
    if len(content) != count * numpy_type.itemsize:
        raise FormatError(
            f"{what} has {len(content)} bytes of content; {dtype.name} of shape {shape} takes {count * numpy_type.itemsize}. The file is damaged."
        )
    flat = np.frombuffer(content, np.uint8 if dtype is bool_ else numpy_type)
    if dtype is bool_:
        flat = flat.view(np.bool_) if flat.size == 0 or flat.max() <= 1 else flat != 0
    return flat.reshape(shape)


def _packed_strings(content: bytes, shape: tuple[int, ...], count: int, what: str) -> Array:
    """Strings in tensor_content: the length of each as varints, then their bytes."""
    if count > len(content):
        raise FormatError(f"{what} has {len(content)} bytes for {count} strings. The file is damaged.")
    flat: Array = np.empty(count, np.object_)
    sizes, at = [], 0
    try:
        for _ in range(count):
            size, at = schema.varint(content, at, len(content))
            sizes.append(size)
    except schema.WireError as e:
        raise FormatError(f"{what}: at byte {e.args[0]} of its content {e.args[1]}.") from e
    for i, size in enumerate(sizes):
        if size > len(content) - at:
            raise FormatError(f"{what}: string {i} says it has {size} bytes where {len(content) - at} are left.")
        flat[i] = content[at : at + size]
        at += size
    return flat.reshape(shape)


def _no_content(dtype: DType, what: str) -> Array:
    raise FormatError(f"{what} of type {dtype.name} has raw content, which only numbers and strings can have.")


def to_proto(array: Any, dtype: DType | None = None, proto: Any = None) -> Any:
    """A TensorProto of this value, in `proto` if given. A view that repeats one value is written as that value."""
    array = np.asarray(array)
    if dtype is None:
        dtype = as_dtype(array.dtype)
    dtype = dtype.base_dtype
    proto = schema.message("TensorProto")() if proto is None else proto
    proto.dtype = dtype.as_datatype_enum
    proto.tensor_shape.SetInParent()
    for d in array.shape:
        proto.tensor_shape.dim.add(size=d)
    if array.size == 0:
        return proto
    is_repeated = array.size > 1 and not any(s for s, d in zip(array.strides, array.shape, strict=True) if d > 1)
    items = array[(0,) * array.ndim].reshape(1) if is_repeated else array
    if is_repeated or dtype.as_numpy_dtype is np.object_:
        set_values(proto, items, dtype)
    else:
        numbers = np.ascontiguousarray(items, np.dtype(dtype.as_numpy_dtype).newbyteorder("<"))
        proto.tensor_content = numbers.tobytes()
    return proto


def set_values(proto: Any, array: Array, dtype: DType) -> None:
    """Write values into the field that a TensorProto has for this element type."""
    flat = np.ravel(array)
    if dtype is string:
        proto.string_val.extend([v if isinstance(v, bytes) else str(v).encode() for v in flat.tolist()])
        return
    if dtype in (resource, variant):
        getattr(proto, _VALUE_FIELDS[dtype.name]).extend([v for v in flat if v is not None])
        return
    flat = np.ascontiguousarray(flat, dtype.as_numpy_dtype)
    if dtype.is_complex:
        flat = flat.view(dtype.real_dtype.as_numpy_dtype)
    elif dtype.name in ("float16", "bfloat16"):
        flat = flat.view(np.uint16)
    field = _VALUE_FIELDS[dtype.name]
    if flat.dtype.kind == "f" and len(flat) > _MANY_VALUES:
        number = proto.DESCRIPTOR.fields_by_name[field].number
        proto.MergeFromString(schema.encode_varint(number << 3 | 2) + schema.encode_varint(flat.nbytes) + flat.tobytes())
    else:
        getattr(proto, field).extend(flat.tolist())
