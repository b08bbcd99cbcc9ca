"""String functions whose results are rows of different lengths: characters, code points, parts and n-grams of strings."""

from __future__ import annotations

from typing import Any

from graphtools import graph as base
from graphtools.dtypes import int32, int64, string
from runtime.tf1 import array_ops, math_ops
from runtime.tf1.graph import apply_op, convert_to_tensor, name_scope
from runtime.tf1.modules import lookup
from runtime.tf1.ragged_ops import _expand_dims
from runtime.tf1.ragged_tensor import RaggedTensor, convert_to_ragged
from runtime.tf1.registry import export

_BAD = 0xFFFD


def _rows(values: Any, splits: Any) -> RaggedTensor:
    return RaggedTensor(values, splits, internal=True)


def _decode(input: Any, encoding: str, errors: str, replacement: int, controls: bool, offsets: bool) -> list[Any]:
    """Code points and, where asked, the byte each starts at."""
    input = convert_to_ragged(input, string, name="input")
    rank = input.shape.ndims
    if rank is None:
        raise ValueError("Rank of `input` must be statically known.")
    if rank > 1:
        if not isinstance(input, RaggedTensor):
            input = RaggedTensor.from_tensor(input, ragged_rank=rank - 1)
        elif input.ragged_rank < rank - 1:
            input = input.with_flat_values(RaggedTensor.from_tensor(input.flat_values, ragged_rank=rank - input.ragged_rank - 1))
    flat = array_ops.reshape(input.flat_values if isinstance(input, RaggedTensor) else input, [-1])
    splits, *found = apply_op(
        "UnicodeDecodeWithOffsets" if offsets else "UnicodeDecode", None, input=flat, input_encoding=encoding, errors=errors,
        replacement_char=replacement, replace_control_characters=controls,
    )  # fmt: skip
    if rank == 0:
        return found
    rows = [_rows(values, splits) for values in found]
    return [input.with_flat_values(row) for row in rows] if rank > 1 else rows


@export("strings.unicode_decode")
def unicode_decode(
    input: Any,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = _BAD,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> Any:
    with name_scope(name, "UnicodeDecode", [input]):
        return _decode(input, input_encoding, errors, replacement_char, replace_control_characters, False)[0]


@export("strings.unicode_decode_with_offsets")
def unicode_decode_with_offsets(
    input: Any,
    input_encoding: str,
    errors: str = "replace",
    replacement_char: int = _BAD,
    replace_control_characters: bool = False,
    name: str | None = None,
) -> tuple[Any, Any]:
    with name_scope(name, "UnicodeDecodeWithOffsets", [input]):
        points, starts = _decode(input, input_encoding, errors, replacement_char, replace_control_characters, True)
        return points, starts


@export("strings.unicode_encode")
def unicode_encode(input: Any, output_encoding: str, errors: str = "replace", replacement_char: int = _BAD, name: str | None = None) -> Any:
    """A string of each row of code points."""
    with name_scope(name, "UnicodeEncode", [input]):
        rt = convert_to_ragged(input)
        rank = rt.shape.ndims
        if rank is None:
            raise ValueError("Rank of input_tensor must be statically known.")

        def encode(value: Any) -> Any:
            return unicode_encode(value, output_encoding, errors, replacement_char)

        if isinstance(rt, RaggedTensor):
            if len(rt.flat_values.shape) > 1:
                return rt.with_flat_values(encode(rt.flat_values))
            if rt.ragged_rank > 1:
                return rt.with_values(encode(rt.values))
            return apply_op(
                "UnicodeEncode", None, input_values=rt.values, input_splits=rt.row_splits, output_encoding=output_encoding, errors=errors,
                replacement_char=replacement_char,
            )  # fmt: skip
        if rank == 0:
            raise ValueError("input_tensor's rank must be at least 1.")
        if rank == 1:
            ends = array_ops.stack([0, array_ops.shape(rt, out_type=int32)[0]])
            return array_ops.reshape(encode(RaggedTensor.from_row_splits(rt, math_ops.cast(ends, int64))), [])
        if rank == 2:
            return encode(RaggedTensor.from_tensor(rt))
        flat = encode(array_ops.reshape(rt, array_ops.stack([-1, array_ops.shape(rt)[-1]])))
        return array_ops.reshape(flat, array_ops.shape(rt)[:-1])


def _characters(points: Any, encoding: str, errors: str, replacement: int) -> Any:
    rank = points.shape.ndims if isinstance(points, RaggedTensor) else points.rank
    single = array_ops.expand_dims(points, 1) if rank == 1 else _expand_dims(points, rank)
    return unicode_encode(single, encoding, errors, replacement)


@export("strings.unicode_split")
def unicode_split(input: Any, input_encoding: str, errors: str = "replace", replacement_char: int = _BAD, name: str | None = None) -> Any:
    """The characters of strings."""
    with name_scope(name, "UnicodeSplit", [input]):
        (points,) = _decode(input, input_encoding, errors, replacement_char, False, False)
        return _characters(points, input_encoding, errors, replacement_char)


@export("strings.unicode_split_with_offsets")
def unicode_split_with_offsets(
    input: Any, input_encoding: str, errors: str = "replace", replacement_char: int = _BAD, name: str | None = None
) -> tuple[Any, Any]:
    with name_scope(name, "UnicodeSplitWithOffsets", [input]):
        points, starts = _decode(input, input_encoding, errors, replacement_char, False, True)
        return _characters(points, input_encoding, errors, replacement_char), starts


@export("strings.bytes_split")
def bytes_split(input: Any, name: str | None = None) -> Any:
    """The bytes of strings."""
    with name_scope(name, "StringsByteSplit", [input]):
        input = convert_to_ragged(input, string, name="input")
        if isinstance(input, RaggedTensor):
            return input.with_flat_values(bytes_split(input.flat_values))
        if input.rank is None:
            raise ValueError("input must have a statically-known rank.")
        if input.rank == 0:
            return bytes_split(array_ops.stack([input]))[0]
        if input.rank > 1:
            return bytes_split(RaggedTensor.from_tensor(input, ragged_rank=input.rank - 1))
        indices, values, shape = apply_op("StringSplit", None, input=input, delimiter=convert_to_tensor("", string), skip_empty=False)
        return RaggedTensor.from_value_rowids(values, indices[:, 0], shape[0])


def split_rows(input: Any, sep: Any, maxsplit: int) -> Any:
    """The parts of strings of any rank, split as Python's str.split does."""
    input = convert_to_ragged(input, string, name="input")
    if isinstance(input, RaggedTensor):
        return input.with_flat_values(split_rows(input.flat_values, sep, maxsplit))
    if input.rank == 0:
        return split_rows(array_ops.stack([input]), sep, maxsplit)[0]
    if input.rank is not None and input.rank > 1:
        return split_rows(RaggedTensor.from_tensor(input, ragged_rank=input.rank - 1), sep, maxsplit)
    found = lookup("strings.split")(input, sep, maxsplit)
    return RaggedTensor.from_value_rowids(found.values, found.indices[:, 0], found.dense_shape[0])


def _pads(pad_values: Any) -> tuple[Any, Any]:
    left, right = (
        ("", "") if pad_values is None else tuple(pad_values[:2]) if isinstance(pad_values, list | tuple) else (pad_values, pad_values)
    )
    if not isinstance(left, str | bytes) or not isinstance(right, str | bytes):
        raise TypeError("pad_values must be a string, tuple of strings, or None.")
    return left, right


@export("strings.ngrams")
def ngrams(
    data: Any,
    ngram_width: Any,
    separator: Any = " ",
    pad_values: Any = None,
    padding_width: int | None = None,
    preserve_short_sequences: bool = False,
    name: str | None = None,
) -> Any:
    """Runs of neighbouring strings of a row, joined."""
    with name_scope(name, "StringNGrams", [data]):
        left, right = _pads(pad_values)
        if padding_width is not None and padding_width < 1:
            raise ValueError("padding_width must be greater than 0.")
        if padding_width is not None and pad_values is None:
            raise ValueError("pad_values must be provided if padding_width is set.")
        widths = [int(w) for w in (ngram_width if isinstance(ngram_width, list | tuple) else [ngram_width])]
        if any(w < 1 for w in widths):
            raise ValueError(f"All ngram_widths must be greater than 0. Got {ngram_width}")
        data = convert_to_ragged(data, string, name="data")
        dense = isinstance(data, base.Tensor)
        if dense:
            if data.rank is None:
                raise ValueError("Rank of data must be known.")
            if data.rank == 0:
                raise ValueError("Data must have rank>0")
            if data.rank == 1:
                return ngrams(
                    RaggedTensor.from_row_starts(data, [0]), ngram_width, separator, pad_values, padding_width, preserve_short_sequences
                )[0]
            shape = array_ops.concat([array_ops.shape(data)[:-1], [-1]], 0)
            data = RaggedTensor.from_tensor(data, ragged_rank=data.rank - 1)
        if data.ragged_rank > 1:
            made = data.with_values(ngrams(data.values, ngram_width, separator, pad_values, padding_width, preserve_short_sequences))
            return array_ops.reshape(made.flat_values, shape) if dense else made
        # without a width the pads are as wide as each n-gram needs, which the op writes as -1
        width = 0 if pad_values is None else -1 if padding_width is None else padding_width
        values, splits = apply_op(
            "StringNGrams", None, data=data.flat_values, data_splits=data.row_splits, separator=separator, ngram_widths=widths, left_pad=left,
            right_pad=right, pad_width=width, preserve_short_sequences=preserve_short_sequences,
        )  # fmt: skip
        return array_ops.reshape(values, shape) if dense else _rows(values, splits)
