"""DType: TensorFlow's element types with their numpy and ONNX equals, in one table."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np


class DType:
    """An element type. Instances are interned: compare with `is` or `==`. Ref types (of ref variables) are types of their own."""

    __slots__ = ("_partner", "as_datatype_enum", "as_numpy_dtype", "is_ref", "name", "onnx")

    def __init__(self, name: str, number: int, numpy_type: Any, onnx: int, is_ref: bool = False) -> None:
        self.name = name
        self.as_datatype_enum = number
        self.as_numpy_dtype = numpy_type
        self.onnx = onnx  # onnx.TensorProto.DataType, 0 where ONNX has none
        self.is_ref = is_ref
        self._partner = self if is_ref else DType(name + "_ref", number + 100, numpy_type, onnx, True)
        if not is_ref:
            self._partner._partner = self

    @property
    def base_dtype(self) -> DType:
        return self._partner if self.is_ref else self

    @property
    def as_ref(self) -> DType:
        return self if self.is_ref else self._partner

    # TensorFlow's private spellings, which scripts and libraries of the time use
    _as_ref = as_ref
    _is_ref_dtype = property(lambda self: self.is_ref)
    type_enum = property(lambda self: self.as_datatype_enum)

    @property
    def real_dtype(self) -> DType:
        return {"complex64": float32, "complex128": float64}.get(self.base_dtype.name, self)

    @property
    def is_floating(self) -> bool:
        return self.base_dtype in (float16, bfloat16, float32, float64)

    @property
    def is_integer(self) -> bool:
        return self.base_dtype in (int8, int16, int32, int64, uint8, uint16, uint32, uint64)

    @property
    def is_unsigned(self) -> bool:
        return self.base_dtype in (uint8, uint16, uint32, uint64)

    @property
    def is_complex(self) -> bool:
        return self.base_dtype in (complex64, complex128)

    @property
    def is_bool(self) -> bool:
        return self.base_dtype is bool_

    @property
    def is_quantized(self) -> bool:
        return self.base_dtype in (qint8, quint8, qint16, quint16, qint32)

    @property
    def is_numpy_compatible(self) -> bool:
        return self.base_dtype not in (resource, variant)

    @property
    def size(self) -> int:
        """Bytes of one element (1 for resources and variants, as in TensorFlow)."""
        return np.dtype(self.as_numpy_dtype).itemsize if self.is_numpy_compatible and self.base_dtype is not string else 1

    @property
    def min(self) -> Any:
        return self._limits()[0]

    @property
    def max(self) -> Any:
        return self._limits()[1]

    @property
    def limits(self) -> tuple[Any, Any]:
        return self._limits()

    def _limits(self) -> tuple[Any, Any]:
        base = self.base_dtype
        if base.is_bool:
            return False, True
        if base.is_integer or base.is_quantized:
            info = np.iinfo(base.as_numpy_dtype)
            return info.min, info.max
        if base.is_floating:
            finfo: Any = ml_dtypes.finfo(base.as_numpy_dtype)  # type: ignore[no-untyped-call]
            return finfo.min, finfo.max
        raise TypeError(f"Cannot find the limits of {self!r}: only bools, integers and floats have them.")

    def is_compatible_with(self, other: Any) -> bool:
        other = as_dtype(other)
        return self.as_datatype_enum in (other.as_datatype_enum, other.base_dtype.as_datatype_enum)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if other is None or isinstance(other, DType):
            return False
        try:
            return as_dtype(other) is self
        except TypeError:
            return False

    def __hash__(self) -> int:
        return self.as_datatype_enum

    def __int__(self) -> int:
        return self.as_datatype_enum

    def __repr__(self) -> str:
        return f"tf.{self.name}"

    def __str__(self) -> str:
        return f"<dtype: {self.name!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return as_dtype, (self.as_datatype_enum,)

    def __deepcopy__(self, memo: Any) -> DType:
        return self


float32 = DType("float32", 1, np.float32, 1)
float64 = DType("float64", 2, np.float64, 11)
int32 = DType("int32", 3, np.int32, 6)
uint8 = DType("uint8", 4, np.uint8, 2)
int16 = DType("int16", 5, np.int16, 5)
int8 = DType("int8", 6, np.int8, 3)
string = DType("string", 7, np.object_, 8)
complex64 = DType("complex64", 8, np.complex64, 14)
int64 = DType("int64", 9, np.int64, 7)
bool_ = DType("bool", 10, np.bool_, 9)
qint8 = DType("qint8", 11, np.int8, 3)
quint8 = DType("quint8", 12, np.uint8, 2)
qint32 = DType("qint32", 13, np.int32, 6)
bfloat16 = DType("bfloat16", 14, ml_dtypes.bfloat16, 16)
qint16 = DType("qint16", 15, np.int16, 5)
quint16 = DType("quint16", 16, np.uint16, 4)
uint16 = DType("uint16", 17, np.uint16, 4)
complex128 = DType("complex128", 18, np.complex128, 15)
float16 = DType("float16", 19, np.float16, 10)
resource = DType("resource", 20, np.object_, 0)
variant = DType("variant", 21, np.object_, 0)
uint32 = DType("uint32", 22, np.uint32, 12)
uint64 = DType("uint64", 23, np.uint64, 13)

DTYPES = (
    float32, float64, int32, uint8, int16, int8, string, complex64, int64, bool_, qint8, quint8, qint32, bfloat16, qint16, quint16,
    uint16, complex128, float16, resource, variant, uint32, uint64,
)  # fmt: skip

_QUANTIZED = frozenset(t.name for t in DTYPES if t.is_quantized)
_BY_KEY: dict[Any, DType] = {}
for _t in DTYPES:
    for _dtype in (_t, _t.as_ref):
        _BY_KEY[_dtype.as_datatype_enum] = _BY_KEY[_dtype.name] = _dtype
    if _t.name not in _QUANTIZED and _t not in (string, resource, variant):
        _BY_KEY[_t.as_numpy_dtype] = _BY_KEY[np.dtype(_t.as_numpy_dtype)] = _t
_BY_KEY |= {
    "half": float16, "float": float32, "double": float64, float: float32, int: int32, bool: bool_, complex: complex128, str: string, bytes: string,
    object: string, np.object_: string, np.dtype(object): string, "half_ref": float16.as_ref, "float_ref": float32.as_ref, "double_ref": float64.as_ref,
}  # fmt: skip

BY_ONNX = {t.onnx: t for t in reversed(DTYPES) if t.onnx and t.name not in _QUANTIZED}


def as_dtype(value: Any) -> DType:
    """The DType for a DType, a DT_ number or name, a numpy or Python type. Raises TypeError otherwise."""
    if isinstance(value, DType):
        return value
    try:
        found = _BY_KEY.get(value)
        if found is not None:
            return found
        if isinstance(value, str) and value.startswith("DT_"):
            return as_dtype(value[3:].lower())
        dtype = np.dtype(value)
    except TypeError:
        raise TypeError(f"Cannot convert value {value!r} to a TensorFlow DType.") from None
    if dtype.kind in "SUO":
        return string
    found = _BY_KEY.get(dtype.type)
    if found is None:
        raise TypeError(f"Cannot convert value {value!r} to a TensorFlow DType.")
    return found


def bitcast(value: np.ndarray[Any, Any], to: DType) -> np.ndarray[Any, Any]:
    """The bits of an array read as another type; between types of two widths a last dimension goes or comes, lowest word first."""
    if value.dtype.itemsize < to.size:
        joined: np.ndarray[Any, Any] = np.ascontiguousarray(value).view(to.as_numpy_dtype)[..., 0]
        return joined
    words: np.ndarray[Any, Any] = np.ascontiguousarray(value).reshape(*value.shape, 1).view(to.as_numpy_dtype)
    return words[..., 0] if value.dtype.itemsize == to.size else words
