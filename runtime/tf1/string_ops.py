"""Strings: splitting, joining, hashing, patterns."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools.dtypes import float32, int32, string
from runtime.tf1 import array_ops, math_ops
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, name_scope
from runtime.tf1.registry import export
from runtime.tf1.sparse_tensor import SparseTensor


def _pieces(op_type: str, **arguments: Any) -> SparseTensor:
    indices, values, shape = apply_op(op_type, None, **arguments)
    indices.set_shape([None, 2])
    values.set_shape([None])
    shape.set_shape([2])
    return SparseTensor(indices, values, shape)


@export("string_split")
def string_split(
    source: Any, sep: Any = None, skip_empty: bool = True, delimiter: Any = None, result_type: str = "SparseTensor", name: str | None = None
) -> Any:
    """The parts of each string, split at any of the delimiter's characters, as a sparse matrix."""
    if result_type != "SparseTensor":
        raise NotImplementedError("tf.string_split gives SparseTensors here; ragged tensors are not supported.")
    delimiter = sep if sep is not None else delimiter
    with name_scope(name, "StringSplit", [source]):
        source = convert_to_tensor(source, dtype=string, name="source")
        if source.rank == 0:
            raise ValueError("tf.string_split needs a vector of strings, not a scalar: use [source].")
        delimiter = convert_to_tensor(" " if delimiter is None else delimiter, dtype=string)
        return _pieces("StringSplit", input=source, delimiter=delimiter, skip_empty=skip_empty)


@export("strings.split")
def strings_split(
    input: Any = None, sep: Any = None, maxsplit: int = -1, result_type: str = "SparseTensor", source: Any = None, name: str | None = None
) -> Any:
    """The parts of each string as Python's str.split finds them, as a sparse matrix."""
    if result_type != "SparseTensor":
        raise NotImplementedError("tf.strings.split gives SparseTensors here; ragged tensors are not supported.")
    with name_scope(name, "StringSplit", [input]):
        value = convert_to_tensor(input if source is None else source, dtype=string, name="input")
        if value.rank != 1:
            raise NotImplementedError(f"tf.strings.split splits vectors of strings here; the input has shape {value.shape}.")
        return _pieces("StringSplitV2", input=value, sep=convert_to_tensor("" if sep is None else sep, dtype=string), maxsplit=maxsplit)


@export("reduce_join")
def reduce_join(
    inputs: Any,
    axis: Any = None,
    keep_dims: Any = None,
    separator: str = "",
    name: str | None = None,
    reduction_indices: Any = None,
    keepdims: Any = None,
) -> Any:
    """Strings joined along axes, in the order the axes are given."""
    axis = reduction_indices if axis is None else axis
    keep = bool(keepdims if keepdims is not None else keep_dims)
    with name_scope(None, "ReduceJoin", [inputs, axis]):
        tensor = convert_to_tensor(inputs)
        if axis is None:
            if tensor.rank is not None:
                axis = constant(np.arange(tensor.rank - 1, -1, -1), dtype=int32)
            else:
                axis = math_ops.range(array_ops.rank(tensor) - 1, -1, -1)
        return apply_op("ReduceJoin", name, inputs=tensor, reduction_indices=axis, keep_dims=keep, separator=separator)


@export("string_to_number")
def string_to_number(string_tensor: Any = None, out_type: Any = float32, name: str | None = None, input: Any = None) -> Any:
    return apply_op("StringToNumber", name, string_tensor=string_tensor if input is None else input, out_type=out_type)


@export("string_to_hash_bucket")
def string_to_hash_bucket(string_tensor: Any = None, num_buckets: Any = None, name: str | None = None, input: Any = None) -> Any:
    return apply_op("StringToHashBucket", name, string_tensor=string_tensor if input is None else input, num_buckets=num_buckets)


@export("strings.regex_full_match")
def regex_full_match(input: Any, pattern: Any, name: str | None = None) -> Any:
    op_type = "StaticRegexFullMatch" if isinstance(pattern, str | bytes) else "RegexFullMatch"
    return apply_op(op_type, name, input=input, pattern=pattern)


@export("regex_replace")
def regex_replace(input: Any, pattern: Any, rewrite: Any, replace_global: bool = True, name: str | None = None) -> Any:
    static = isinstance(pattern, str | bytes) and isinstance(rewrite, str | bytes)
    op_type = "StaticRegexReplace" if static else "RegexReplace"
    return apply_op(op_type, name, input=input, pattern=pattern, rewrite=rewrite, replace_global=replace_global)


@export("strings.format")
def string_format(template: str, inputs: Any, placeholder: str = "{}", summarize: int = 3, name: str | None = None) -> Any:
    """The template with each placeholder replaced by what tf.print shows of a tensor."""
    inputs = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    if template.count(placeholder) != len(inputs):
        raise ValueError(
            f"{template.count(placeholder)} placeholder(s) in template does not match {len(inputs)} tensor(s) provided as input"
        )
    return apply_op("StringFormat", name, inputs=inputs, template=template, placeholder=placeholder, summarize=summarize)


@export("strings.length")
def string_length(input: Any, name: str | None = None, unit: str = "BYTE") -> Any:
    return apply_op("StringLength", name, input=input, unit=unit)


def _substr(input: Any, pos: Any, len: Any, name: str | None = None, unit: str = "BYTE") -> Any:
    return apply_op("Substr", name, input=input, pos=pos, len=len, unit=unit)


export("substr", "strings.substr")(_substr)
