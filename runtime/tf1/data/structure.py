"""Types of what datasets hold: nested structures of specs, and how tensors of them go through the ops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphtools import graph as base
from graphtools.dtypes import as_dtype, variant
from runtime.tf1.graph import apply_op, convert_to_tensor, get_default_graph
from runtime.tf1.registry import export
from runtime.tf1.sparse_tensor import SparseTensor, SparseTensorValue
from runtime.tf1.tensor import Tensor
from runtime.tf1.tensor_shape import TensorShape, as_shape

# -- nested structures: tuples and dictionaries; a list is one tensor --------------------------------------------------------


def is_sequence(value: Any) -> bool:
    return isinstance(value, tuple | Mapping) and not isinstance(value, SparseTensorValue | TensorShape)


def _children(value: Any) -> list[Any]:
    return [value[k] for k in sorted(value)] if isinstance(value, Mapping) else list(value)


def flatten(value: Any) -> list[Any]:
    return [leaf for child in _children(value) for leaf in flatten(child)] if is_sequence(value) else [value]


def _like(value: Any, children: list[Any]) -> Any:
    if isinstance(value, Mapping):
        made = dict(zip(sorted(value), children, strict=True))
        return type(value)((k, made[k]) for k in value)  # type: ignore[call-arg]
    return type(value)(*children) if hasattr(value, "_fields") else tuple(children)


def pack(like: Any, leaves: list[Any]) -> Any:
    """`leaves` in the structure of `like`."""
    rest = iter(leaves)

    def build(value: Any) -> Any:
        return _like(value, [build(c) for c in _children(value)]) if is_sequence(value) else next(rest)

    return build(like)


def map_structure(function: Callable[..., Any], *values: Any) -> Any:
    for other in values[1:]:
        check_same(values[0], other)
    return pack(values[0], [function(*leaves) for leaves in zip(*map(flatten, values), strict=True)])


def check_same(a: Any, b: Any) -> None:
    """Raises ValueError or TypeError when two structures differ."""
    if is_sequence(a) != is_sequence(b) or (is_sequence(a) and len(a) != len(b)):
        raise ValueError(f"The two structures don't have the same nested structure. First structure: {a}, second structure: {b}.")
    if is_sequence(a):
        if isinstance(a, Mapping) != isinstance(b, Mapping):
            raise TypeError(
                f"The two structures don't have the same sequence type. First structure has type {type(a)}, while second structure has type {type(b)}."
            )
        if isinstance(a, Mapping) and sorted(a) != sorted(b):
            raise ValueError(
                f"The two dictionaries don't have the same set of keys. First structure has keys {list(a)}, while second structure has keys {list(b)}."
            )
        for x, y in zip(_children(a), _children(b), strict=True):
            check_same(x, y)


def flatten_up_to(shallow: Any, value: Any) -> list[Any]:
    """The parts of `value` at the leaves of `shallow`. Raises TypeError or ValueError where it has none."""
    if not is_sequence(shallow):
        return [value]
    if isinstance(shallow, Mapping):
        if not isinstance(value, Mapping) or sorted(value) != sorted(shallow):
            raise TypeError(f"Expected a dictionary with the keys {sorted(shallow)}, not {value!r}.")
    elif not isinstance(value, tuple | list):
        raise TypeError(f"If shallow structure is a sequence, input must also be a sequence. Input has type: {type(value)}.")
    if len(value) != len(shallow):
        raise ValueError(
            f"The two structures don't have the same sequence length. Input structure has length {len(value)}, while shallow structure has length {len(shallow)}."
        )
    inner = [value[k] for k in sorted(value)] if isinstance(value, Mapping) else value
    return [leaf for s, v in zip(_children(shallow), inner, strict=True) for leaf in flatten_up_to(s, v)]


# -- specs -------------------------------------------------------------------------------------------------------------------


@export("TypeSpec")
class TypeSpec:
    """The type of a value."""

    shape: Any
    dtype: Any

    def parts(self, value: Any) -> list[Any]:
        """The one tensor that stands for a value."""
        raise NotImplementedError

    def batched_parts(self, value: Any) -> list[Any]:
        return self.parts(value)

    def value(self, tensor: Any) -> Any:
        """The value that a tensor stands for."""
        raise NotImplementedError

    flat_shape: Any = TensorShape([])
    flat_dtype: Any = variant

    def batch(self, size: int | None) -> TypeSpec:
        raise NotImplementedError

    def unbatch(self) -> TypeSpec:
        raise NotImplementedError

    def is_compatible_with(self, other: Any) -> bool:
        return type(self) is type(other)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and repr(self) == repr(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(repr(self))


@export("TensorSpec")
class TensorSpec(TypeSpec):
    """A Tensor of a shape and dtype."""

    def __init__(self, shape: Any, dtype: Any = "float32", name: str | None = None) -> None:
        self.shape, self.dtype, self.name = as_shape(shape), as_dtype(dtype), name

    @classmethod
    def from_tensor(cls, tensor: Any, name: str | None = None) -> TensorSpec:
        return cls(tensor.shape, tensor.dtype, name or tensor.op.name)

    @classmethod
    def from_spec(cls, spec: Any, name: str | None = None) -> TensorSpec:
        return cls(spec.shape, spec.dtype, name or spec.name)

    value_type = Tensor
    flat_shape = property(lambda self: self.shape)  # type: ignore[assignment]
    flat_dtype = property(lambda self: self.dtype)  # type: ignore[assignment]

    def parts(self, value: Any) -> list[Any]:
        return [convert_to_tensor(value, self.dtype)]

    def value(self, tensor: Any) -> Any:
        tensor.set_shape(self.shape)
        return tensor

    def batch(self, size: int | None) -> TensorSpec:
        return TensorSpec(TensorShape([size]).concatenate(self.shape), self.dtype)

    def unbatch(self) -> TensorSpec:
        if self.shape.ndims == 0:
            raise ValueError("Unbatching a tensor is only supported for rank >= 1")
        return TensorSpec(self.shape[1:], self.dtype)

    def is_compatible_with(self, other: Any) -> bool:
        return self.dtype.is_compatible_with(other.dtype) and self.shape.is_compatible_with(other.shape)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"TensorSpec(shape={self.shape}, dtype={self.dtype!r}, name={self.name!r})"


@export("SparseTensorSpec")
class SparseTensorSpec(TypeSpec):
    """A SparseTensor, which goes through datasets as one variant."""

    def __init__(self, shape: Any = None, dtype: Any = "float32") -> None:
        self.shape, self.dtype = as_shape(shape), as_dtype(dtype)

    value_type = SparseTensor
    flat_shape = TensorShape(None)

    def parts(self, value: Any) -> list[Any]:
        from runtime.tf1.sparse_ops import serialize_sparse

        return [serialize_sparse(value, out_type=variant)]

    def batched_parts(self, value: Any) -> list[Any]:
        from runtime.tf1.sparse_ops import serialize_many_sparse

        return [serialize_many_sparse(value, out_type=variant)]

    def value(self, tensor: Any) -> SparseTensor:
        rank = self.shape.ndims
        indices, values, shape = apply_op("DeserializeSparse", None, serialized_sparse=tensor, dtype=self.dtype)
        indices.set_shape([None, rank])
        shape.set_shape([rank])
        return SparseTensor(indices, values, shape)

    def batch(self, size: int | None) -> SparseTensorSpec:
        return SparseTensorSpec(TensorShape([size]).concatenate(self.shape), self.dtype)

    def unbatch(self) -> SparseTensorSpec:
        if self.shape.ndims == 0:
            raise ValueError("Unbatching a tensor is only supported for rank >= 1")
        return SparseTensorSpec(self.shape[1:] if self.shape.ndims is not None else None, self.dtype)

    def is_compatible_with(self, other: Any) -> bool:
        return isinstance(other, SparseTensorSpec) and self.dtype is other.dtype and self.shape.is_compatible_with(other.shape)

    def __repr__(self) -> str:
        return f"SparseTensorSpec({self.shape}, {self.dtype!r})"


@export("data.DatasetSpec")
class DatasetSpec(TypeSpec):
    """A dataset of elements of a structure."""

    def __init__(self, element_spec: Any, dataset_shape: Any = ()) -> None:
        self.element_spec, self.shape, self.dtype = element_spec, as_shape(list(as_shape(dataset_shape).as_list())), variant

    @property
    def value_type(self) -> type:
        from runtime.tf1.data.dataset_ops import Dataset

        return Dataset

    @property
    def flat_shape(self) -> TensorShape:  # type: ignore[override]
        return TensorShape(self.shape.as_list())

    def parts(self, value: Any) -> list[Any]:
        return [value._variant_tensor]

    def value(self, tensor: Any) -> Any:
        from runtime.tf1.data.dataset_ops import VariantDataset

        return VariantDataset(tensor, self.element_spec)

    def batch(self, size: int | None) -> DatasetSpec:
        return DatasetSpec(self.element_spec, TensorShape([size]).concatenate(self.shape).as_list())

    def unbatch(self) -> DatasetSpec:
        return DatasetSpec(self.element_spec, self.shape[1:].as_list())

    def __repr__(self) -> str:
        return f"DatasetSpec({self.element_spec!r}, {self.shape})"


@export("OptionalSpec")
class OptionalSpec(TypeSpec):
    """A value that may be missing."""

    def __init__(self, value_structure: Any) -> None:
        self.value_structure, self.shape, self.dtype = value_structure, TensorShape([]), variant

    @property
    def value_type(self) -> type:
        from runtime.tf1.data.iterator_ops import Optional

        return Optional

    def parts(self, value: Any) -> list[Any]:
        return [value._variant_tensor]

    def value(self, tensor: Any) -> Any:
        from runtime.tf1.data.iterator_ops import Optional

        return Optional(tensor, self.value_structure)

    def batch(self, size: int | None) -> TypeSpec:
        raise NotImplementedError("Optionals cannot be batched.")

    def __repr__(self) -> str:
        return f"OptionalSpec({self.value_structure!r})"


def spec_of(value: Any) -> TypeSpec:
    """The spec of one value."""
    if isinstance(value, TypeSpec):
        return value
    if isinstance(value, SparseTensor):
        return SparseTensorSpec(value.shape, value.dtype)
    if isinstance(value, SparseTensorValue):
        return spec_of(SparseTensor.from_value(value))
    found = getattr(value, "_type_spec", None)
    if found is not None:
        return found() if callable(found) else found  # type: ignore[no-any-return]
    tensor = value if isinstance(value, base.Tensor) else convert_to_tensor(value)
    return TensorSpec(TensorShape(tensor.dims), tensor.dtype.base_dtype)


def structure_of(value: Any) -> Any:
    """The specs of a nested structure of values."""
    return map_structure(spec_of, value)


def normalized(element: Any) -> Any:
    """A nested structure of Python values as one of tensors."""
    with get_default_graph().name_scope("normalize_element"):
        made = []
        for i, value in enumerate(flatten(element)):
            if isinstance(value, SparseTensorValue):
                made.append(SparseTensor.from_value(value))
            elif isinstance(value, SparseTensor) or getattr(value, "_type_spec", None) is not None:
                made.append(value)
            else:
                made.append(convert_to_tensor(value, name=f"component_{i}"))
    return pack(element, made)


def to_tensors(structure: Any, value: Any) -> list[Any]:
    return [t for spec, v in zip(flatten(structure), flatten_up_to(structure, value), strict=True) for t in spec.parts(v)]


def from_tensors(structure: Any, tensors: Any) -> Any:
    tensors = list(tensors) if isinstance(tensors, list | tuple) else [tensors]
    return pack(structure, [spec.value(t) for spec, t in zip(flatten(structure), tensors, strict=True)])


def flat_attrs(structure: Any) -> dict[str, Any]:
    """The attrs output_types and output_shapes."""
    specs = flatten(structure)
    return {"output_types": [s.flat_dtype for s in specs], "output_shapes": [s.flat_shape for s in specs]}


def legacy(structure: Any) -> tuple[Any, Any, Any]:
    """A structure as output_types, output_shapes and output_classes."""
    return (
        map_structure(lambda s: s.dtype if not isinstance(s, DatasetSpec | OptionalSpec) else s, structure),
        map_structure(lambda s: s.shape if not isinstance(s, DatasetSpec | OptionalSpec) else s, structure),
        map_structure(lambda s: s.value_type if not isinstance(s, DatasetSpec | OptionalSpec) else s, structure),
    )


def from_legacy(types: Any, shapes: Any = None, classes: Any = None) -> Any:
    """The structure of output_types, output_shapes and output_classes."""
    types = map_structure(lambda t: t if isinstance(t, TypeSpec) else as_dtype(t), types)
    flat = flatten(types)
    flat_shapes = [None] * len(flat) if shapes is None else flatten_up_to(types, shapes)
    flat_classes = [Tensor] * len(flat) if classes is None else flatten(classes)
    made = []
    for t, s, c in zip(flat, flat_shapes, flat_classes, strict=True):
        if isinstance(t, TypeSpec) or isinstance(c, TypeSpec):
            made.append(t if isinstance(t, TypeSpec) else c)
        elif isinstance(c, type) and issubclass(c, SparseTensor):
            made.append(SparseTensorSpec(s, t))
        elif isinstance(c, type) and issubclass(c, base.Tensor):
            made.append(TensorSpec(s, t))
        else:
            raise TypeError(f"Could not build a structure for output class {c!r}")
    return pack(types, made)


def most_general(a: Any, b: Any) -> Any:
    """The spec that values of both specs have."""
    if isinstance(a, TensorSpec | SparseTensorSpec):
        return type(a)(common_shape(a.shape, b.shape), a.dtype)
    return a


def common_shape(a: TensorShape, b: TensorShape) -> TensorShape:
    if a.ndims is None or b.ndims is None or a.ndims != b.ndims:
        return TensorShape(None)
    return TensorShape([x if x == y else None for x, y in zip(a.as_list(), b.as_list(), strict=True)])
