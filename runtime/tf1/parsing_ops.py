"""Parsing of Examples, SequenceExamples, CSV lines and raw bytes."""

from __future__ import annotations

import itertools
import re
from collections import namedtuple
from dataclasses import dataclass, field
from typing import Any

from graphtools import graph as base
from graphtools.dtypes import as_dtype, int64, string
from runtime.tf1 import array_ops
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, name_scope
from runtime.tf1.registry import export, put
from runtime.tf1.sparse_tensor import SparseTensor
from runtime.tf1.tensor_shape import TensorShape


class VarLenFeature(namedtuple("VarLenFeature", ["dtype"])):
    """A feature of any length: a SparseTensor."""

    __slots__ = ()


class SparseFeature(namedtuple("SparseFeature", ["index_key", "value_key", "dtype", "size", "already_sorted"])):
    """A SparseTensor whose indices and values are two features."""

    __slots__ = ()

    def __new__(cls, index_key: Any, value_key: Any, dtype: Any, size: Any, already_sorted: bool = False) -> SparseFeature:
        return super().__new__(cls, index_key, value_key, dtype, size, already_sorted)


class FixedLenFeature(namedtuple("FixedLenFeature", ["shape", "dtype", "default_value"])):
    """A feature of one shape: a Tensor."""

    __slots__ = ()

    def __new__(cls, shape: Any, dtype: Any, default_value: Any = None) -> FixedLenFeature:
        return super().__new__(cls, shape, dtype, default_value)


class FixedLenSequenceFeature(namedtuple("FixedLenSequenceFeature", ["shape", "dtype", "allow_missing", "default_value"])):
    """A feature of rows of one shape: a Tensor, padded in a batch."""

    __slots__ = ()

    def __new__(cls, shape: Any, dtype: Any, allow_missing: bool = False, default_value: Any = None) -> FixedLenSequenceFeature:
        return super().__new__(cls, shape, dtype, allow_missing, default_value)


for _class in (VarLenFeature, SparseFeature, FixedLenFeature, FixedLenSequenceFeature):
    put(_class.__name__, _class)
    put(f"io.{_class.__name__}", _class)


@dataclass
class _Specs:
    """Features as the ops take them, sorted by key."""

    sparse_keys: list[str] = field(default_factory=list)
    sparse_types: list[Any] = field(default_factory=list)
    dense_keys: list[str] = field(default_factory=list)
    dense_types: list[Any] = field(default_factory=list)
    dense_shapes: list[TensorShape] = field(default_factory=list)
    dense_defaults: dict[str, Any] = field(default_factory=dict)

    def add_sparse(self, key: str, dtype: Any) -> None:
        if key in self.sparse_keys:
            known = self.sparse_types[self.sparse_keys.index(key)]
            if known is not dtype:
                raise ValueError(f"Conflicting type {known} vs {dtype} for feature {key}.")
            return
        self.sparse_keys.append(key)
        self.sparse_types.append(dtype)

    def add_dense(self, key: str, dtype: Any, shape: Any) -> None:
        self.dense_keys.append(key)
        self.dense_types.append(dtype)
        self.dense_shapes.append(TensorShape(shape))


def _specs(features: Any, kinds: tuple[type, ...]) -> _Specs:
    specs = _Specs()
    for key in sorted(features or {}):
        feature = features[key]
        if not isinstance(feature, VarLenFeature | SparseFeature | FixedLenFeature | FixedLenSequenceFeature):
            raise ValueError(f"Invalid feature {key}:{feature}.")
        if not isinstance(feature, kinds):
            raise ValueError(f"Unsupported {type(feature).__name__} {feature}.")
        if not feature.dtype:
            raise ValueError(f"Missing type for feature {key}.")
        dtype = as_dtype(feature.dtype)
        if isinstance(feature, VarLenFeature):
            specs.add_sparse(key, dtype)
        elif isinstance(feature, SparseFeature):
            if not feature.index_key:
                raise ValueError(f"Missing index_key for SparseFeature {feature}.")
            if not feature.value_key:
                raise ValueError(f"Missing value_key for SparseFeature {feature}.")
            for index_key in sorted([feature.index_key] if isinstance(feature.index_key, str) else feature.index_key):
                specs.add_sparse(index_key, int64)
            specs.add_sparse(feature.value_key, dtype)
        else:
            if feature.shape is None:
                raise ValueError(f"Missing shape for feature {key}.")
            shape = TensorShape(feature.shape)
            if isinstance(feature, FixedLenFeature) and not shape.is_fully_defined():
                if shape.ndims and shape[0].value is None:
                    raise ValueError(f"First dimension of shape for feature {key} unknown. Consider using FixedLenSequenceFeature.")
                raise ValueError(f"All dimensions of shape for feature {key} need to be known but received {feature.shape}.")
            specs.add_dense(key, dtype, shape)
            if isinstance(feature, FixedLenSequenceFeature) and feature.allow_missing:
                specs.dense_defaults[key] = None
            if feature.default_value is not None:
                specs.dense_defaults[key] = feature.default_value
    return specs


def _with_rows(features: Any) -> Any:
    """Sequence features of an Example get a first dimension of unknown size."""
    made = dict(features)
    for key, feature in features.items():
        if isinstance(feature, FixedLenSequenceFeature):
            if not feature.allow_missing:
                raise ValueError("Unsupported: FixedLenSequenceFeature requires allow_missing to be True.")
            made[key] = FixedLenSequenceFeature(
                [None, *TensorShape(feature.shape).as_list()], feature.dtype, feature.allow_missing, feature.default_value
            )
    return made


def _clean(key: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.\-/]", "_", key)


def _defaults(specs: _Specs) -> list[Any]:
    found = []
    for key, dtype, shape in zip(specs.dense_keys, specs.dense_types, specs.dense_shapes, strict=True):
        value = specs.dense_defaults.get(key)
        if shape.ndims and shape[0].value is None:
            if value is None:
                value = convert_to_tensor("" if dtype is string else 0, dtype)
            else:
                value = array_ops.reshape(convert_to_tensor(value, dtype, name=f"padding_{_clean(key)}"), [])
        elif value is None:
            value = constant([], dtype)
        elif not isinstance(value, base.Tensor):
            value = array_ops.reshape(convert_to_tensor(value, dtype, name=f"key_{_clean(key)}"), shape)
        found.append(value)
    return found


def _by_key(specs: _Specs, indices: Any, values: Any, shapes: Any, dense: Any) -> dict[str, Any]:
    sparse = [SparseTensor(*parts) for parts in zip(indices, values, shapes, strict=True)]
    return dict(zip([*specs.sparse_keys, *specs.dense_keys], [*sparse, *dense], strict=True))


def _merged(features: Any, tensors: dict[str, Any]) -> dict[str, Any]:
    """SparseFeatures made of their parts; parts that nobody asked for left out."""
    from runtime.tf1.sparse_ops import sparse_merge

    tensors = dict(tensors)
    for key in sorted(features):
        feature = features[key]
        if isinstance(feature, SparseFeature):
            ids = tensors[feature.index_key] if isinstance(feature.index_key, str) else [tensors[k] for k in feature.index_key]
            tensors[key] = sparse_merge(ids, tensors[feature.value_key], vocab_size=feature.size, already_sorted=feature.already_sorted)
    return {k: v for k, v in tensors.items() if k in features}


_EXAMPLE_KINDS = (VarLenFeature, SparseFeature, FixedLenFeature, FixedLenSequenceFeature)


@export("parse_example", "io.parse_example")
def parse_example(serialized: Any, features: Any, name: str | None = None, example_names: Any = None) -> dict[str, Any]:
    """A batch of serialized Examples as tensors by feature name."""
    if not features:
        raise ValueError(f"Missing: features was {features}.")
    features = _with_rows(features)
    return _merged(features, _parse_batch(serialized, _specs(features, _EXAMPLE_KINDS), name, example_names))


def _parse_batch(serialized: Any, specs: _Specs, name: str | None, example_names: Any) -> dict[str, Any]:
    with name_scope(name, "ParseExample", [serialized]):
        defaults = _defaults(specs)
        found = apply_op(
            "ParseExample", name, serialized=serialized, names=[] if example_names is None else example_names, dense_defaults=defaults, sparse_keys=specs.sparse_keys, sparse_types=specs.sparse_types,
            dense_keys=specs.dense_keys, dense_shapes=specs.dense_shapes,
        )  # fmt: skip
        return _by_key(specs, *found)


@export("parse_single_example", "io.parse_single_example")
def parse_single_example(serialized: Any, features: Any, name: str | None = None, example_names: Any = None) -> dict[str, Any]:
    """One serialized Example as tensors by feature name."""
    if not features:
        raise ValueError("Missing features.")
    features = _with_rows(features)
    specs = _specs(features, _EXAMPLE_KINDS)
    with name_scope(name, "ParseSingleExample", [serialized]):
        if example_names is not None:
            tensors = _parse_batch(array_ops.expand_dims(serialized, 0), specs, name, array_ops.expand_dims(example_names, 0))
            for key in specs.dense_keys:
                tensors[key] = array_ops.squeeze(tensors[key], [0], name=f"Squeeze_{_clean(key)}")
            for key in specs.sparse_keys:
                sp = tensors[key]
                indices = array_ops.slice_(sp.indices, [0, 1], [-1, -1], name=f"Slice_Indices_{_clean(key)}")
                tensors[key] = SparseTensor(
                    indices, sp.values, array_ops.slice_(sp.dense_shape, [1], [-1], name=f"Squeeze_Shape_{_clean(key)}")
                )
            return _merged(features, tensors)
        serialized = convert_to_tensor(serialized, name="serialized")
        found = apply_op(
            "ParseSingleExample", name, serialized=serialized, dense_defaults=_defaults(specs), num_sparse=len(specs.sparse_keys), sparse_keys=specs.sparse_keys,
            sparse_types=specs.sparse_types, dense_keys=specs.dense_keys, dense_shapes=specs.dense_shapes,
        )  # fmt: skip
        tensors = _by_key(specs, *found)
    return _merged(features, tensors)


def _sequence_arguments(context_features: Any, sequence_features: Any) -> tuple[_Specs, _Specs, dict[str, Any]]:
    if not (context_features or sequence_features):
        raise ValueError("Missing features.")
    context = _specs(context_features, (VarLenFeature, FixedLenFeature))
    lists = _specs(sequence_features, (VarLenFeature, FixedLenSequenceFeature))
    for specs, what in ((context, "context"), (lists, "feature_list")):
        both = set(specs.dense_keys) & set(specs.sparse_keys)
        if both:
            raise ValueError(f"{what}_dense and {what}_sparse keys must not intersect; intersection: {both}")
    for key, value in lists.dense_defaults.items():
        if value is not None:
            raise ValueError(f"Value feature_list_dense_defaults[{key}] must be None")
    return context, lists, {
        "context_dense_defaults": _defaults(context), "feature_list_dense_missing_assumed_empty": list(lists.dense_defaults), "context_sparse_types": context.sparse_types,
        "context_dense_shapes": context.dense_shapes, "feature_list_sparse_types": lists.sparse_types, "feature_list_dense_types": lists.dense_types,
        "feature_list_dense_shapes": lists.dense_shapes, "context_sparse_keys": context.sparse_keys, "context_dense_keys": context.dense_keys,
        "feature_list_sparse_keys": lists.sparse_keys, "feature_list_dense_keys": lists.dense_keys,
    }  # fmt: skip


@export("parse_single_sequence_example", "io.parse_single_sequence_example")
def parse_single_sequence_example(
    serialized: Any, context_features: Any = None, sequence_features: Any = None, example_name: Any = None, name: str | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """One serialized SequenceExample: the tensors of its context and those of its feature lists."""
    with name_scope(name, "ParseSingleSequenceExample", [serialized]):
        context, lists, arguments = _sequence_arguments(context_features, sequence_features)
        missing = arguments.pop("feature_list_dense_missing_assumed_empty")
        found = apply_op(
            "ParseSingleSequenceExample", name, serialized=serialized, debug_name="" if example_name is None else example_name,
            feature_list_dense_missing_assumed_empty=missing, **arguments,
        )  # fmt: skip
        return _by_key(context, *found[:4]), _by_key(lists, *found[4:8])


@export("io.parse_sequence_example")
def parse_sequence_example(
    serialized: Any, context_features: Any = None, sequence_features: Any = None, example_names: Any = None, name: str | None = None
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A batch of serialized SequenceExamples: context tensors, padded lists, lengths."""
    with name_scope(name, "ParseSequenceExample", [serialized]):
        context, lists, arguments = _sequence_arguments(context_features, sequence_features)
        counts = {
            "Ncontext_sparse": len(context.sparse_keys), "Ncontext_dense": len(context.dense_keys), "Nfeature_list_sparse": len(lists.sparse_keys),
            "Nfeature_list_dense": len(lists.dense_keys),
        }  # fmt: skip
        names = convert_to_tensor([] if example_names is None else example_names, string, name="debug_name")
        found = apply_op("ParseSequenceExample", name, serialized=serialized, debug_name=names, **counts, **arguments)
        return _by_key(context, *found[:4]), _by_key(lists, *found[4:8]), dict(zip(lists.dense_keys, found[8], strict=True))


@export("decode_raw", "io.decode_raw")
def decode_raw(
    input_bytes: Any = None,
    out_type: Any = None,
    little_endian: bool = True,
    name: str | None = None,
    bytes: Any = None,
    fixed_length: Any = None,
) -> Any:
    """Bytes as numbers."""
    if input_bytes is not None and bytes is not None:
        raise ValueError("Cannot specify both 'bytes' and 'input_bytes'")
    data = input_bytes if bytes is None else bytes
    if out_type is None:
        raise ValueError("decode_raw_v1() missing 1 positional argument: 'out_type'")
    if fixed_length is not None:
        return apply_op(
            "DecodePaddedRaw", name, input_bytes=data, fixed_length=fixed_length, out_type=as_dtype(out_type), little_endian=little_endian
        )
    return apply_op("DecodeRaw", name, bytes=data, out_type=as_dtype(out_type), little_endian=little_endian)


@export("decode_csv", "io.decode_csv")
def decode_csv(
    records: Any,
    record_defaults: Any,
    field_delim: str = ",",
    use_quote_delim: bool = True,
    name: str | None = None,
    na_value: str = "",
    select_cols: Any = None,
) -> list[Any]:
    """The columns of CSV lines; the defaults tell their types."""
    if select_cols is not None:
        if any(a >= b for a, b in itertools.pairwise(select_cols)):
            raise ValueError("select_cols is not strictly increasing.")
        if select_cols and select_cols[0] < 0:
            raise ValueError("select_cols contains negative values.")
        if len(select_cols) != len(record_defaults):
            raise ValueError("Length of select_cols and record_defaults do not match.")
    return apply_op(  # type: ignore[no-any-return]
        "DecodeCSV", name, records=records, record_defaults=[_column_default(d) for d in record_defaults], field_delim=field_delim, use_quote_delim=use_quote_delim,
        na_value=na_value, select_cols=select_cols,
    )  # fmt: skip


def _column_default(value: Any) -> Any:
    """A default; a dtype stands for a column that must not be empty."""
    if isinstance(value, base.Tensor | list | tuple) or hasattr(value, "__array__"):
        return value
    try:
        dtype = as_dtype(value) if not isinstance(value, str | int | float) else None
    except TypeError:
        dtype = None
    return constant([], dtype) if dtype is not None else value
