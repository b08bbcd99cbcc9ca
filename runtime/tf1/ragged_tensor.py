"""tf.RaggedTensor: rows of different lengths, as the values of all rows and where each row begins."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools import graph as base
from graphtools.constant import constant as known_value
from graphtools.dtypes import as_dtype, int32, int64
from runtime.fetches import register_fetch_type
from runtime.tf1 import array_ops, math_ops
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, name_scope, to_value
from runtime.tf1.registry import export
from runtime.tf1.sparse_tensor import SparseTensor
from runtime.tf1.tensor_shape import TensorShape


@export("ragged.RaggedTensorValue", "compat.v1.ragged.RaggedTensorValue")
class RaggedTensorValue:
    """The value of a RaggedTensor: arrays of its values and row splits."""

    def __init__(self, values: Any, row_splits: Any) -> None:
        if not isinstance(row_splits, np.ndarray | np.generic) or row_splits.dtype not in (np.int64, np.int32):
            raise TypeError("row_splits must be a 1D int32 or int64 numpy array")
        if not isinstance(values, np.ndarray | np.generic | RaggedTensorValue):
            raise TypeError("values must be a numpy array or a RaggedTensorValue")
        self._values, self._row_splits = values, row_splits

    row_splits = property(lambda self: self._row_splits)
    values = property(lambda self: self._values)
    dtype = property(lambda self: self._values.dtype)

    @property
    def flat_values(self) -> Any:
        return self._values.flat_values if isinstance(self._values, RaggedTensorValue) else self._values

    @property
    def nested_row_splits(self) -> tuple[Any, ...]:
        inner = self._values.nested_row_splits if isinstance(self._values, RaggedTensorValue) else ()
        return (self._row_splits, *inner)

    @property
    def ragged_rank(self) -> int:
        return self._values.ragged_rank + 1 if isinstance(self._values, RaggedTensorValue) else 1

    @property
    def shape(self) -> tuple[Any, ...]:
        return (self._row_splits.shape[0] - 1, None, *self._values.shape[1:])

    def to_list(self) -> list[Any]:
        inner = self._values.to_list() if isinstance(self._values, RaggedTensorValue) else self._values.tolist()
        return [inner[a:b] for a, b in zip(self._row_splits[:-1], self._row_splits[1:], strict=True)]

    def __str__(self) -> str:
        return f"<tf.RaggedTensorValue {self.to_list()}>"

    def __repr__(self) -> str:
        return f"tf.RaggedTensorValue(values={self._values!r}, row_splits={self._row_splits!r})"


def _splits(values: Any, dtype: Any = int64, name: str = "row_splits") -> Any:
    tensor = convert_to_tensor(values, name=name) if isinstance(values, base.Tensor) else constant(np.asarray(values), dtype, name=name)
    if tensor.dtype.base_dtype not in (int32, int64):
        tensor = math_ops.cast(tensor, int64)
    return tensor


def _as_values(values: Any) -> Any:
    return values if isinstance(values, RaggedTensor) else convert_to_ragged(values)


@export("RaggedTensor")
class RaggedTensor:
    """`values` (a tensor or a RaggedTensor) cut into rows at `row_splits`; made by the from_... functions."""

    __array_priority__ = 101

    def __init__(
        self, values: Any, row_splits: Any, cached_row_lengths: Any = None, cached_value_rowids: Any = None, cached_nrows: Any = None, internal: bool = False
    ) -> None:  # fmt: skip
        if not internal:
            raise ValueError(
                "RaggedTensor constructor is private; please use one of the factory methods instead (e.g., RaggedTensor.from_row_lengths())"
            )
        self._values, self._row_splits = values, row_splits
        self._lengths, self._rowids, self._nrows = cached_row_lengths, cached_value_rowids, cached_nrows

    # -- making one ----------------------------------------------------------------------------------------------------

    @classmethod
    def from_row_splits(cls, values: Any, row_splits: Any, name: str | None = None, validate: bool = True) -> RaggedTensor:
        if isinstance(row_splits, list | tuple) and not row_splits:
            raise ValueError("row_splits tensor may not be empty.")
        with name_scope(name, "RaggedFromRowSplits", [values, row_splits]):
            made = _splits(row_splits)
            made.shape.assert_has_rank(1)
            return cls(_as_values(values), made, internal=True)

    @classmethod
    def from_value_rowids(
        cls, values: Any, value_rowids: Any, nrows: Any = None, name: str | None = None, validate: bool = True
    ) -> RaggedTensor:
        with name_scope(name, "RaggedFromValueRowIds", [values, value_rowids, nrows]):
            rowids = _splits(value_rowids, name="value_rowids")
            known = known_value(rowids)
            if nrows is None:
                nrows = int(known[-1]) + 1 if known is not None and known.size else 0 if known is not None else rowids[-1] + 1
            elif isinstance(nrows, int):
                if nrows < 0:
                    raise ValueError(f"Expected nrows >= 0; got {nrows}")
                if known is not None and known.size and known[-1] >= nrows:
                    raise ValueError(f"Expected nrows >= value_rowids[-1] + 1; got nrows={nrows}, value_rowids[-1]={known[-1]}")
            count = math_ops.cast(convert_to_tensor(nrows), rowids.dtype.base_dtype)
            lengths = apply_op(
                "UnsortedSegmentSum", None, data=array_ops.ones_like(rowids), segment_ids=rowids, num_segments=math_ops.cast(count, int32)
            )
            splits = array_ops.concat([constant([0], rowids.dtype.base_dtype), math_ops.cumsum(lengths)], 0)
            return cls(_as_values(values), splits, cached_value_rowids=rowids, cached_nrows=count, internal=True)

    @classmethod
    def from_row_lengths(cls, values: Any, row_lengths: Any, name: str | None = None, validate: bool = True) -> RaggedTensor:
        with name_scope(name, "RaggedFromRowLengths", [values, row_lengths]):
            lengths = _splits(row_lengths, name="row_lengths")
            splits = array_ops.concat([constant([0], lengths.dtype.base_dtype), math_ops.cumsum(lengths)], axis=0)
            return cls(_as_values(values), splits, cached_row_lengths=lengths, internal=True)

    @classmethod
    def from_row_starts(cls, values: Any, row_starts: Any, name: str | None = None, validate: bool = True) -> RaggedTensor:
        with name_scope(name, "RaggedFromRowStarts", [values, row_starts]):
            values, starts = _as_values(values), _splits(row_starts, name="row_starts")
            total = math_ops.cast(_nvals(values), starts.dtype.base_dtype)
            return cls(values, array_ops.concat([starts, array_ops.reshape(total, [1])], 0), internal=True)

    @classmethod
    def from_row_limits(cls, values: Any, row_limits: Any, name: str | None = None, validate: bool = True) -> RaggedTensor:
        with name_scope(name, "RaggedFromRowLimits", [values, row_limits]):
            limits = _splits(row_limits, name="row_limits")
            return cls(_as_values(values), array_ops.concat([constant([0], limits.dtype.base_dtype), limits], 0), internal=True)

    @classmethod
    def from_nested_row_splits(cls, flat_values: Any, nested_row_splits: Any, name: str | None = None, validate: bool = True) -> Any:
        return cls._nested(cls.from_row_splits, flat_values, nested_row_splits, name, "RaggedFromNestedRowSplits")

    @classmethod
    def from_nested_row_lengths(cls, flat_values: Any, nested_row_lengths: Any, name: str | None = None, validate: bool = True) -> Any:
        return cls._nested(cls.from_row_lengths, flat_values, nested_row_lengths, name, "RaggedFromNestedRowlengths")

    @classmethod
    def from_nested_value_rowids(
        cls, flat_values: Any, nested_value_rowids: Any, nested_nrows: Any = None, name: str | None = None, validate: bool = True
    ) -> Any:
        counts = list(nested_nrows) if nested_nrows is not None else [None] * len(nested_value_rowids)
        if len(counts) != len(nested_value_rowids):
            raise ValueError("nested_nrows must have the same length as nested_value_rowids")
        with name_scope(name, "RaggedFromNestedValueRowIds"):
            result = flat_values
            for rowids, count in reversed(list(zip(nested_value_rowids, counts, strict=True))):
                result = cls.from_value_rowids(result, rowids, count)
            return result

    @classmethod
    def _nested(cls, make: Any, flat_values: Any, parts: Any, name: str | None, label: str) -> Any:
        if isinstance(parts, base.Tensor):
            raise TypeError("nested_row_splits must be a list of Tensors")
        with name_scope(name, label):
            result = flat_values
            for part in reversed(list(parts)):
                result = make(result, part)
            return result

    @classmethod
    def from_tensor(
        cls,
        tensor: Any,
        lengths: Any = None,
        padding: Any = None,
        ragged_rank: int = 1,
        name: str | None = None,
        row_splits_dtype: Any = int64,
    ) -> Any:
        """The rows of a tensor: of the lengths given, or without the padding at their ends."""
        dtype = as_dtype(row_splits_dtype)
        if lengths is not None and padding is not None:
            raise ValueError("Specify lengths or padding, but not both")
        if not isinstance(ragged_rank, int) or ragged_rank < 1:
            raise ValueError(f"ragged_rank must be greater than 0; got {ragged_rank}")
        with name_scope(name, "RaggedFromTensor", [tensor, lengths, padding]):
            tensor = convert_to_tensor(tensor, name="tensor")
            if (
                isinstance(lengths, list | tuple)
                and lengths
                and (isinstance(lengths[0], list | tuple) or getattr(convert_to_tensor(lengths[0]), "rank", 0) == 1)
            ):
                made = cls.from_tensor(tensor, lengths[0], row_splits_dtype=dtype)
                inner = cls.from_tensor(made.values, list(lengths[1:]), row_splits_dtype=dtype) if len(lengths) > 2 else cls.from_tensor(made.values, lengths[1], row_splits_dtype=dtype) if len(lengths) > 1 else made.values  # fmt: skip
                return made.with_values(inner)
            shape = array_ops.shape(tensor, out_type=dtype)
            if ragged_rank > 1:
                splits = []
                for level in range(ragged_rank):
                    rows = math_ops.reduce_prod(shape[: level + 1]) if level else shape[0]
                    splits.append(math_ops.range(0, rows + 1) * shape[level + 1])
                flat = array_ops.reshape(tensor, array_ops.concat([[-1], shape[ragged_rank + 1 :]], 0))
                if padding is None and lengths is None:
                    return cls.from_nested_row_splits(flat, splits)
            columns = shape[1]
            if padding is not None:
                padding = convert_to_tensor(padding, dtype=tensor.dtype.base_dtype)
                differs = math_ops.not_equal(tensor, padding)
                if tensor.rank is not None and tensor.rank > 2:
                    differs = math_ops.reduce_any(differs, axis=list(range(2, tensor.rank)))
                places = math_ops.cast(differs, dtype) * array_ops.expand_dims(math_ops.range(1, columns + 1), 0)
                lengths = math_ops.reduce_max(places, 1)
            if lengths is not None:
                lengths = math_ops.cast(convert_to_tensor(lengths), dtype)
                mask = array_ops.sequence_mask(lengths, columns)
                return cls.from_row_lengths(array_ops.boolean_mask(tensor, mask), lengths)
            flat = array_ops.reshape(tensor, array_ops.concat([[-1], shape[2:]], 0))
            return cls.from_row_splits(flat, math_ops.range(0, shape[0] + 1) * columns)

    @classmethod
    def from_sparse(cls, st_input: Any, name: str | None = None, row_splits_dtype: Any = int64) -> RaggedTensor:
        if not isinstance(st_input, SparseTensor):
            raise TypeError(f"Expected SparseTensor, got {type(st_input).__name__}")
        with name_scope(name, "RaggedFromSparse"):
            if st_input.dense_shape.shape.ndims is not None and st_input.dense_shape.shape[0].value not in (None, 2):
                raise ValueError("rank(st_input) must be 2")
            dtype = as_dtype(row_splits_dtype)
            return cls.from_value_rowids(
                st_input.values, math_ops.cast(st_input.indices[:, 0], dtype), math_ops.cast(st_input.dense_shape[0], dtype)
            )

    # -- what it is made of ----------------------------------------------------------------------------------------------

    values = property(lambda self: self._values)
    row_splits = property(lambda self: self._row_splits)
    dtype = property(lambda self: self._values.dtype)
    graph = property(lambda self: self._row_splits.graph)
    op = property(lambda self: self._row_splits.op)

    @property
    def flat_values(self) -> Any:
        return self._values.flat_values if isinstance(self._values, RaggedTensor) else self._values

    @property
    def nested_row_splits(self) -> tuple[Any, ...]:
        return (self._row_splits, *(self._values.nested_row_splits if isinstance(self._values, RaggedTensor) else ()))

    @property
    def ragged_rank(self) -> int:
        return self._values.ragged_rank + 1 if isinstance(self._values, RaggedTensor) else 1

    @property
    def shape(self) -> TensorShape:
        rows = self._row_splits.dims[0] - 1 if self._row_splits.dims and self._row_splits.dims[0] is not None else None
        inner = self._values.shape
        return TensorShape(None) if inner.ndims is None else TensorShape([rows, None, *inner.as_list()[1:]])

    def get_shape(self) -> TensorShape:
        return self.shape

    def value_rowids(self, name: str | None = None) -> Any:
        """The row of each value."""
        if self._rowids is not None:
            return self._rowids
        with name_scope(name, "RaggedValueRowIds", [self]):
            return row_splits_to_segment_ids(self._row_splits)

    def nested_value_rowids(self, name: str | None = None) -> tuple[Any, ...]:
        inner = self._values.nested_value_rowids() if isinstance(self._values, RaggedTensor) else ()
        return (self.value_rowids(), *inner)

    def nrows(self, out_type: Any = None, name: str | None = None) -> Any:
        with name_scope(name, "RaggedNRows", [self]):
            count = (
                self._nrows
                if self._nrows is not None
                else array_ops.shape(self._row_splits, out_type=self._row_splits.dtype.base_dtype)[0] - 1
            )
            return count if out_type is None else math_ops.cast(count, out_type)

    def row_starts(self, name: str | None = None) -> Any:
        with name_scope(name, "RaggedRowStarts", [self]):
            return self._row_splits[:-1]

    def row_limits(self, name: str | None = None) -> Any:
        with name_scope(name, "RaggedRowLimits", [self]):
            return self._row_splits[1:]

    def row_lengths(self, axis: int = 1, name: str | None = None) -> Any:
        if axis == 0:
            return self.nrows()
        if axis == 1:
            if self._lengths is not None:
                return self._lengths
            with name_scope(name, "RaggedRowLengths", [self]):
                return self._row_splits[1:] - self._row_splits[:-1]
        if isinstance(self._values, RaggedTensor):
            return self.with_values(self._values.row_lengths(axis - 1))
        size = array_ops.shape(self._values, out_type=self._row_splits.dtype.base_dtype)
        return self.with_values(array_ops.ones(size[: axis - 1], size.dtype) * size[axis - 1])

    def nested_row_lengths(self, name: str | None = None) -> tuple[Any, ...]:
        inner = self._values.nested_row_lengths() if isinstance(self._values, RaggedTensor) else ()
        return (self.row_lengths(), *inner)

    def bounding_shape(self, axis: Any = None, name: str | None = None, out_type: Any = None) -> Any:
        """The shape of the smallest tensor that all rows fit in."""
        with name_scope(name, "RaggedBoundingBox", [self]):
            dtype = self._row_splits.dtype.base_dtype if out_type is None else as_dtype(out_type)
            splits = self.nested_row_splits
            sizes = [array_ops.reshape(self.nrows(), [1])]
            for s in splits:
                lengths = s[1:] - s[:-1]
                sizes.append(array_ops.reshape(math_ops.maximum(math_ops.reduce_max(array_ops.concat([lengths, [0]], 0)), 0), [1]))
            whole = array_ops.concat([*sizes, array_ops.shape(self.flat_values, out_type=splits[0].dtype.base_dtype)[1:]], 0)
            whole = math_ops.cast(whole, dtype)
            return whole if axis is None else array_ops.gather(whole, axis)

    def with_values(self, new_values: Any) -> RaggedTensor:
        return RaggedTensor(_as_values(new_values), self._row_splits, self._lengths, self._rowids, self._nrows, internal=True)

    def with_flat_values(self, new_values: Any) -> RaggedTensor:
        return self.with_values(self._values.with_flat_values(new_values) if isinstance(self._values, RaggedTensor) else new_values)

    def with_row_splits_dtype(self, dtype: Any) -> RaggedTensor:
        inner = self._values.with_row_splits_dtype(dtype) if isinstance(self._values, RaggedTensor) else self._values
        return RaggedTensor(inner, math_ops.cast(self._row_splits, dtype), internal=True)

    # -- as something else -----------------------------------------------------------------------------------------------

    def to_tensor(self, default_value: Any = None, name: str | None = None) -> Any:
        """The rows, filled up to the longest."""
        with name_scope(name, "RaggedToTensor", [self, default_value]):
            flat = self.flat_values
            default = convert_to_tensor(self._zero() if default_value is None else default_value, flat.dtype.base_dtype)
            splits = list(self.nested_row_splits)
            return apply_op(
                "RaggedTensorToTensor",
                None,
                shape=constant(-1, int64),
                values=flat,
                default_value=default,
                row_partition_tensors=splits,
                row_partition_types=["ROW_SPLITS"] * len(splits),
            )

    def _zero(self) -> Any:
        kind = self.dtype.base_dtype
        return "" if kind.name == "string" else False if kind.name == "bool" else kind.as_numpy_dtype(0)

    def to_sparse(self, name: str | None = None) -> SparseTensor:
        with name_scope(name, "RaggedToSparse", [self]):
            indices, values, shape = apply_op(
                "RaggedTensorToSparse", None, rt_nested_splits=list(self.nested_row_splits), rt_dense_values=self.flat_values
            )
            return SparseTensor(indices, values, shape)

    def to_list(self) -> Any:
        raise ValueError(
            "RaggedTensor.to_list() is only supported in eager mode; in graph mode, evaluate the RaggedTensor first and then use RaggedTensorValue.to_list()."
        )

    def consumers(self) -> list[Any]:
        return [*self.flat_values.consumers(), *(c for s in self.nested_row_splits for c in s.consumers())]

    def _composite_parts(self) -> list[Any]:
        return [self.flat_values, *self.nested_row_splits]

    def _with_parts(self, parts: list[Any]) -> RaggedTensor:
        result = parts[0]
        for splits in reversed(parts[1:]):
            result = RaggedTensor(result, splits, internal=True)
        return result  # type: ignore[no-any-return]

    def _feed_parts(self, value: Any) -> dict[Any, Any]:
        if isinstance(value, list):
            value = constant_value(value, dtype=self.dtype.as_numpy_dtype, ragged_rank=self.ragged_rank)
        return dict(zip(self._composite_parts(), [value.flat_values, *value.nested_row_splits], strict=True))

    def __getitem__(self, key: Any) -> Any:
        from runtime.tf1.ragged_ops import getitem

        return getitem(self, key)

    def __repr__(self) -> str:
        return f"tf.RaggedTensor(values={self._values}, row_splits={self._row_splits})"

    __str__ = __repr__

    def __bool__(self) -> bool:
        raise TypeError("RaggedTensor may not be used as a boolean.")


def _value_of(parts: Any) -> RaggedTensorValue:
    result = parts[0]
    for splits in reversed(list(parts[1:])):
        result = RaggedTensorValue(result, splits)
    return result  # type: ignore[no-any-return]


register_fetch_type(RaggedTensor, lambda r: r._composite_parts(), _value_of)


def _nvals(values: Any) -> Any:
    return values.nrows() if isinstance(values, RaggedTensor) else array_ops.shape(values, out_type=int64)[0]


def convert_to_ragged(value: Any, dtype: Any = None, name: str | None = None) -> Any:
    """A RaggedTensor as it is, a RaggedTensorValue as one, everything else as a tensor."""
    if isinstance(value, RaggedTensor):
        return value
    if isinstance(value, RaggedTensorValue):
        return RaggedTensor.from_nested_row_splits(value.flat_values, value.nested_row_splits)
    return convert_to_tensor(value, dtype, name=name or "values")


@export("ragged.row_splits_to_segment_ids")
def row_splits_to_segment_ids(splits: Any, name: str | None = None, out_type: Any = None) -> Any:
    """[0, 2, 3] -> [0, 0, 1]."""
    with name_scope(name, "RaggedSplitsToSegmentIds", [splits]):
        splits = _splits(splits, name="splits")
        if splits.shape.ndims == 1 and splits.shape[0].value == 0:
            raise ValueError("Invalid row_splits: []")
        lengths = splits[1:] - splits[:-1]
        rows = array_ops.shape(lengths, out_type=int64)[0]
        longest = math_ops.reduce_max(array_ops.concat([lengths, constant([0], lengths.dtype.base_dtype)], 0))
        numbers = array_ops.expand_dims(math_ops.range(rows), 1)
        columns = array_ops.stack([constant(1, int64), math_ops.cast(longest, int64)])
        spread = apply_op("Tile", None, input=numbers, multiples=columns)
        found = array_ops.boolean_mask(spread, array_ops.sequence_mask(lengths, longest))
        return math_ops.cast(found, out_type or splits.dtype.base_dtype)


@export("ragged.segment_ids_to_row_splits")
def segment_ids_to_row_splits(segment_ids: Any, num_segments: Any = None, out_type: Any = None, name: str | None = None) -> Any:
    """[0, 0, 1] -> [0, 2, 3]."""
    with name_scope(name, "RaggedSegmentIdsToRowSplits", [segment_ids]):
        made = RaggedTensor.from_value_rowids(convert_to_tensor(segment_ids), segment_ids, num_segments).row_splits
        return made if out_type is None else math_ops.cast(made, out_type)


# -- constants ---------------------------------------------------------------------------------------------------------


def _depth(value: Any) -> int:
    return (
        0
        if not isinstance(value, list | tuple | np.ndarray) or (isinstance(value, np.ndarray) and not value.ndim)
        else 1 + max((_depth(v) for v in value), default=0)
    )


def _pylist(pylist: Any, dtype: Any, ragged_rank: int | None, inner_shape: Any, splits_dtype: Any, make_values: Any, make_row: Any) -> Any:
    depth = _depth(pylist)
    if isinstance(pylist, np.ndarray):
        pylist = pylist.tolist()
    if depth == 0:
        if ragged_rank:
            raise ValueError(f"Invalid pylist={pylist!r}: incompatible with ragged_rank={ragged_rank}")
        if inner_shape is not None and len(inner_shape):
            raise ValueError(f"Invalid pylist={pylist!r}: incompatible with dim(inner_shape)={len(inner_shape)}")
        return make_values(pylist)
    if ragged_rank is not None and not 0 <= ragged_rank < max(depth + (len(inner_shape or ())), 1):
        raise ValueError(f"Invalid pylist={pylist!r}: incompatible with ragged_rank={ragged_rank}")
    if inner_shape is not None:
        ragged_rank = max(0, depth - 1 - len(inner_shape)) if ragged_rank is None else ragged_rank
    if ragged_rank is None:
        ragged_rank = max(1, depth - 1)
    splits: list[list[int]] = []
    level: list[Any] = list(pylist)
    for _ in range(ragged_rank):
        ends = [0]
        following: list[Any] = []
        for row in level:
            if not isinstance(row, list | tuple | np.ndarray):
                raise ValueError("all scalar values must have the same nesting depth" if depth > 1 else f"pylist has scalar values depth {depth}, but ragged_rank={ragged_rank} requires scalar value depth greater than {ragged_rank}")  # fmt: skip
            following.extend(row)
            ends.append(len(following))
        splits.append(ends)
        level = following
    if any(isinstance(v, list | tuple) for v in level) and not all(isinstance(v, list | tuple) for v in level):
        raise ValueError("all scalar values must have the same nesting depth")
    result = make_values(level)
    for ends in reversed(splits):
        result = make_row(result, np.array(ends, as_dtype(splits_dtype).as_numpy_dtype))
    return result


@export("ragged.constant")
def ragged_constant(
    pylist: Any,
    dtype: Any = None,
    ragged_rank: int | None = None,
    inner_shape: Any = None,
    name: str | None = None,
    row_splits_dtype: Any = int64,
) -> Any:
    """A constant RaggedTensor of nested lists."""
    with name_scope(name, "RaggedConstant"):
        return _pylist(
            pylist, dtype, ragged_rank, inner_shape, row_splits_dtype,
            lambda values: constant(values if not isinstance(values, list) or values else np.zeros((0, *(inner_shape or ())), "float32" if dtype is None else as_dtype(dtype).as_numpy_dtype), dtype, name="values"),
            lambda values, splits: RaggedTensor(values, constant(splits, name="Const"), internal=True),
        )  # fmt: skip


@export("ragged.constant_value")
def constant_value(
    pylist: Any, dtype: Any = None, ragged_rank: int | None = None, inner_shape: Any = None, row_splits_dtype: Any = "int64"
) -> Any:
    """The value of nested lists as a RaggedTensorValue (an array where nothing is ragged)."""

    def values(found: Any) -> Any:
        if dtype is not None:
            return np.array(found, dtype).reshape((-1, *inner_shape)) if inner_shape is not None else np.array(found, dtype)
        return (
            np.array(found)
            if not found or not isinstance(found, list)
            else np.asarray(to_value(found, None)[0])
            if isinstance(found[0], str | bytes)
            else np.array(found)
        )

    return _pylist(pylist, dtype, ragged_rank, inner_shape, row_splits_dtype, values, RaggedTensorValue)


@export("ragged.placeholder")
def ragged_placeholder(dtype: Any, ragged_rank: int, value_shape: Any = None, name: str | None = None) -> Any:
    if ragged_rank == 0:
        return array_ops.placeholder(dtype, value_shape, name)
    with name_scope(name, "RaggedPlaceholder"):
        shape = TensorShape([None]).concatenate(value_shape)
        result: Any = array_ops.placeholder(dtype, shape, "flat_values")
        for i in reversed(range(ragged_rank)):
            result = RaggedTensor(result, array_ops.placeholder("int64", [None], f"row_splits_{i}"), internal=True)
        return result


@export("RaggedTensorSpec")
class RaggedTensorSpec:
    """The shape, dtype and ragged rank of RaggedTensors."""

    def __init__(self, shape: Any = None, dtype: Any = "float32", ragged_rank: int | None = None, row_splits_dtype: Any = "int64") -> None:
        self._shape, self._dtype, self._row_splits_dtype = TensorShape(shape), as_dtype(dtype), as_dtype(row_splits_dtype)
        rank = self._shape.ndims
        if ragged_rank is None:
            if rank is None:
                raise ValueError("Must specify ragged_rank or a shape with a known rank.")
            ragged_rank = rank - 1
        if rank is not None and ragged_rank >= rank:
            raise ValueError("ragged_rank must be less than rank.")
        self._ragged_rank = ragged_rank

    def __repr__(self) -> str:
        return f"RaggedTensorSpec({self._shape}, {self._dtype!r}, {self._ragged_rank}, {self._row_splits_dtype!r})"
