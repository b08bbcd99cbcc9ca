"""tf.strings: functions that do more than their op."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import as_dtype, float32, int32, string
from runtime.tf1 import array_ops, math_ops, modules
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, name_scope
from runtime.tf1.registry import export
from runtime.tf1.sparse_tensor import SparseTensor


def _split(op_type: str, name: str | None, **arguments: Any) -> SparseTensor:
    indices, values, shape = apply_op(op_type, name, **arguments)
    indices.set_shape([None, 2])
    values.set_shape([None])
    shape.set_shape([2])
    return SparseTensor(indices, values, shape)


@export("string_split")
def string_split(
    source: Any, sep: Any = None, skip_empty: bool = True, delimiter: Any = None, result_type: str = "SparseTensor", name: str | None = None
) -> Any:
    """The parts of strings, a row each."""
    if sep is not None and delimiter is not None:
        raise ValueError("Cannot specify both 'delimiter' and 'sep'")
    separator = delimiter if sep is None else sep
    with name_scope(name, "StringSplit", [source]):
        source = convert_to_tensor(source, string)
        separator = convert_to_tensor(" " if separator is None else separator, string)
        found = _split("StringSplit", None, input=source, delimiter=separator, skip_empty=skip_empty)
        if result_type == "RaggedTensor":
            return modules.lookup("RaggedTensor").from_value_rowids(found.values, found.indices[:, 0], found.dense_shape[0])
        _check_result_type(result_type)
        return found


def _check_result_type(result_type: str) -> None:
    if result_type not in ("RaggedTensor", "SparseTensor"):
        raise ValueError("result_type must be 'RaggedTensor' or 'SparseTensor'.")


@export("strings.split")
def strings_split(
    input: Any = None, sep: Any = None, maxsplit: int = -1, result_type: str = "SparseTensor", source: Any = None, name: str | None = None
) -> Any:
    """The parts of strings of any rank, split as Python's str.split does."""
    _check_result_type(result_type)
    value = source if input is None else input
    with name_scope(name, "StringSplit", [value]):
        if not hasattr(value, "flat_values"):
            value = convert_to_tensor(value, string, name="input")
        if result_type == "SparseTensor" and getattr(value, "rank", None) == 1:
            separator = convert_to_tensor("" if sep is None else sep, string)
            return _split("StringSplitV2", None, input=value, sep=separator, maxsplit=maxsplit)
        from runtime.tf1.ragged_string_ops import split_rows

        rows = split_rows(value, sep, maxsplit)
        return rows if result_type == "RaggedTensor" else rows.to_sparse()


@export("reduce_join", "strings.reduce_join")
def reduce_join(
    inputs: Any,
    axis: Any = None,
    keep_dims: Any = None,
    separator: str = "",
    name: str | None = None,
    reduction_indices: Any = None,
    keepdims: Any = None,
) -> Any:
    """Strings joined along axes."""
    axis = reduction_indices if axis is None else axis
    keep = bool(keep_dims if keepdims is None else keepdims)
    with name_scope(name, "ReduceJoin", [inputs]):
        inputs = convert_to_tensor(inputs, string)
        if axis is None:
            if inputs.dims is not None:
                axis = constant(list(range(len(inputs.dims) - 1, -1, -1)), int32)
            else:
                rank = array_ops.rank(inputs)
                axis = math_ops.range(rank - 1, -1, -1)
        return apply_op("ReduceJoin", name, inputs=inputs, reduction_indices=axis, keep_dims=keep, separator=separator)


@export("string_to_number", "strings.to_number")
def string_to_number(string_tensor: Any = None, out_type: Any = float32, name: str | None = None, input: Any = None) -> Any:
    return apply_op("StringToNumber", name, string_tensor=string_tensor if input is None else input, out_type=as_dtype(out_type))


@export("string_to_hash_bucket", "strings.to_hash_bucket")
def string_to_hash_bucket(string_tensor: Any = None, num_buckets: int | None = None, name: str | None = None, input: Any = None) -> Any:
    return apply_op("StringToHashBucket", name, string_tensor=string_tensor if input is None else input, num_buckets=num_buckets)


@export("strings.format")
def string_format(template: str, inputs: Any, placeholder: str = "{}", summarize: int = 3, name: str | None = None) -> Any:
    """A template with tensors in it."""
    inputs = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    if template.count(placeholder) != len(inputs):
        raise ValueError(
            f"{template.count(placeholder)} placeholder(s) in template does not match {len(inputs)} tensor(s) provided as input"
        )
    return apply_op(
        "StringFormat", name, inputs=[convert_to_tensor(i) for i in inputs], template=template, placeholder=placeholder, summarize=summarize
    )
