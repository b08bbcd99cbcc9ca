"""TensorProto <-> numpy."""

from __future__ import annotations

import numpy as np
import pytest

from graphtools import dtypes
from graphtools.errors import FormatError
from graphtools.formats import schema, tensor

NUMBERS = [t for t in dtypes.DTYPES if t not in (dtypes.string, dtypes.resource, dtypes.variant)]


def sample(dtype: dtypes.DType) -> np.ndarray:
    values = np.array([[0, 1, 2], [3, 100, 5]])
    if dtype.is_complex:
        values = values + 0.5j
    return values.astype(dtype.as_numpy_dtype)


@pytest.mark.parametrize("dtype", NUMBERS, ids=lambda t: t.name)
def test_content_comes_back(dtype: dtypes.DType) -> None:
    value = sample(dtype)
    proto = tensor.to_proto(value, dtype)
    back = tensor.to_array(proto)
    assert back.dtype == value.dtype
    assert back.tobytes() == value.tobytes()


@pytest.mark.parametrize("dtype", NUMBERS, ids=lambda t: t.name)
def test_values_come_back(dtype: dtypes.DType) -> None:
    value = np.broadcast_to(sample(dtype)[1, 1], (2, 3))
    proto = tensor.to_proto(value, dtype)
    assert not proto.tensor_content
    back = tensor.to_array(proto)
    assert back.dtype == value.dtype
    assert (back == value).all()
    assert back.strides == (0, 0)


@pytest.mark.parametrize("dtype", NUMBERS, ids=lambda t: t.name)
def test_many_values_are_read_in_bulk_alike(dtype: dtypes.DType) -> None:
    value = np.resize(sample(dtype), 5000)
    proto = schema.message("TensorProto")(dtype=dtype.as_datatype_enum)
    tensor.set_shape(proto.tensor_shape, (5000,))
    tensor.set_values(proto, value, dtype)
    assert (tensor.to_array(proto) == value).all()


def test_negative_integers_are_read_in_bulk() -> None:
    value = np.arange(-3000, 3000, dtype=np.int64)
    for dtype in (dtypes.int32, dtypes.int64, dtypes.int16):
        proto = schema.message("TensorProto")(dtype=dtype.as_datatype_enum)
        tensor.set_shape(proto.tensor_shape, (6000,))
        tensor.set_values(proto, value.astype(dtype.as_numpy_dtype), dtype)
        assert (tensor.to_array(proto) == value).all()


def test_the_last_of_several_values_repeats() -> None:
    proto = schema.message("TensorProto")(dtype=1, float_val=[1, 2])
    tensor.set_shape(proto.tensor_shape, (5,))
    assert tensor.to_array(proto).tolist() == [1, 2, 2, 2, 2]


def test_no_values_are_zeros_and_empty_strings() -> None:
    proto = schema.message("TensorProto")(dtype=3)
    tensor.set_shape(proto.tensor_shape, (2, 2))
    assert tensor.to_array(proto).tolist() == [[0, 0], [0, 0]]
    proto.dtype = 7
    assert tensor.to_array(proto).tolist() == [[b"", b""], [b"", b""]]


def test_strings() -> None:
    value = np.array([[b"a", b""], [b"\0\xff", "ä".encode()]], object)
    assert tensor.to_array(tensor.to_proto(value, dtypes.string)).tolist() == value.tolist()
    packed = schema.message("TensorProto")(dtype=7, tensor_content=b"\1\2abb")
    tensor.set_shape(packed.tensor_shape, (2,))
    assert tensor.to_array(packed).tolist() == [b"a", b"bb"]


def test_a_huge_splat_costs_no_memory() -> None:
    proto = schema.message("TensorProto")(dtype=1, float_val=[7])
    tensor.set_shape(proto.tensor_shape, (1 << 20, 1 << 17))
    assert tensor.to_array(proto)[-1, -1] == 7


@pytest.mark.parametrize(
    ("fields", "dims", "reason"),
    [
        ({"dtype": 1, "tensor_content": b"123"}, (1,), "3 bytes of content; float32 of shape"),
        ({"dtype": 1, "float_val": [1, 2]}, (1 << 40,), "only 2 values"),
        ({"dtype": 1}, (1 << 40, 1 << 40), "too many elements"),
        ({"dtype": 1}, (None,), "no unknown dimensions"),
        ({"dtype": 1}, None, "no unknown dimensions"),
        ({"dtype": 77}, (), "element type 77"),
        ({"dtype": 8, "scomplex_val": [1.0]}, (), "not even"),
        ({"dtype": 7, "tensor_content": b"\5a"}, (1,), "5 bytes where 1 are left"),
        ({"dtype": 7, "tensor_content": b"\5a"}, (1 << 40,), "for 1099511627776 strings"),
    ],
)
def test_refusals(fields: dict, dims: tuple | None, reason: str) -> None:
    proto = schema.message("TensorProto")(**fields)
    tensor.set_shape(proto.tensor_shape, dims)
    with pytest.raises(FormatError, match=reason):
        tensor.to_array(proto)
