"""Datasets of files: lines, TFRecords, records of fixed length."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import int64, string
from runtime.tf1 import array_ops
from runtime.tf1.data import structure as st
from runtime.tf1.data.dataset_ops import Dataset, make
from runtime.tf1.data.structure import TensorSpec
from runtime.tf1.graph import apply_op, convert_to_tensor
from runtime.tf1.registry import export

_BUFFER = 256 * 1024
_LINE = TensorSpec([], string)


def _names(filenames: Any) -> Any:
    """A dataset of file names, of a dataset or a tensor."""
    if isinstance(filenames, Dataset):
        if filenames.output_types is not string:
            raise TypeError("`filenames` must be a `tf.data.Dataset` of `tf.string` elements.")
        return filenames
    tensor = convert_to_tensor(filenames, string)
    return Dataset.from_tensor_slices(array_ops.reshape(tensor, [-1], name="flat_filenames"))


def optional(value: Any, name: str, default: Any, dtype: Any = int64) -> Any:
    """An argument as a tensor, of the default when it is None."""
    return convert_to_tensor(default if value is None else value, dtype, name=name)


class _Files(Dataset):
    """A dataset of the records of files, read one after the other or in parallel."""

    def __init__(self, filenames: Any, records: Any, num_parallel_reads: Any = None) -> None:
        names = _names(filenames)
        if num_parallel_reads is None:
            made = names.flat_map(records)
        else:
            made = names.interleave(records, cycle_length=num_parallel_reads, block_length=1, num_parallel_calls=num_parallel_reads)
        super().__init__(made._variant_tensor, made.element_spec, made._inputs, made._functions)


@export("data.TextLineDataset")
class TextLineDataset(_Files):
    """The lines of files, without their ends."""

    def __init__(self, filenames: Any, compression_type: Any = None, buffer_size: Any = None, num_parallel_reads: Any = None) -> None:
        compression = optional(compression_type, "compression_type", "", string)
        size = optional(buffer_size, "buffer_size", _BUFFER)

        def lines(filename: Any) -> Dataset:
            return Dataset(apply_op("TextLineDataset", None, filenames=filename, compression_type=compression, buffer_size=size), _LINE)

        super().__init__(filenames, lines, num_parallel_reads)


@export("data.TFRecordDataset")
class TFRecordDataset(_Files):
    """The records of TFRecord files."""

    def __init__(self, filenames: Any, compression_type: Any = None, buffer_size: Any = None, num_parallel_reads: Any = None) -> None:
        compression = optional(compression_type, "compression_type", "", string)
        size = optional(buffer_size, "buffer_size", _BUFFER)

        def records(filename: Any) -> Dataset:
            return Dataset(apply_op("TFRecordDataset", None, filenames=filename, compression_type=compression, buffer_size=size), _LINE)

        super().__init__(filenames, records, num_parallel_reads)


@export("data.FixedLengthRecordDataset")
class FixedLengthRecordDataset(_Files):
    """Records of the same number of bytes."""

    def __init__(
        self,
        filenames: Any,
        record_bytes: Any,
        header_bytes: Any = None,
        footer_bytes: Any = None,
        buffer_size: Any = None,
        compression_type: Any = None,
        num_parallel_reads: Any = None,
    ) -> None:
        length = convert_to_tensor(record_bytes, int64, name="record_bytes")
        header, footer = optional(header_bytes, "header_bytes", 0), optional(footer_bytes, "footer_bytes", 0)
        size = optional(buffer_size, "buffer_size", _BUFFER)
        compression = optional(compression_type, "compression_type", "", string)

        def records(filename: Any) -> Dataset:
            variant = apply_op(
                "FixedLengthRecordDatasetV2",
                None,
                filenames=filename,
                header_bytes=header,
                record_bytes=length,
                footer_bytes=footer,
                buffer_size=size,
                compression_type=compression,
            )
            return Dataset(variant, _LINE)

        super().__init__(filenames, records, num_parallel_reads)


@export("data.experimental.SqlDataset")
class SqlDataset(Dataset):
    """The rows of an SQL query."""

    def __init__(self, driver_name: Any, data_source_name: Any, query: Any, output_types: Any) -> None:
        spec = st.map_structure(lambda t: TensorSpec([], t), tuple(output_types) if isinstance(output_types, list) else output_types)
        texts = {
            name: convert_to_tensor(value, string, name=name)
            for name, value in (("driver_name", driver_name), ("data_source_name", data_source_name), ("query", query))
        }
        super().__init__(make("ExperimentalSqlDataset", spec, **texts), spec)


@export("data.experimental.CsvDataset")
class CsvDataset(Dataset):
    """The columns of CSV files; the defaults tell their types."""

    def __init__(
        self,
        filenames: Any,
        record_defaults: Any,
        compression_type: Any = None,
        buffer_size: Any = None,
        header: bool = False,
        field_delim: str = ",",
        use_quote_delim: bool = True,
        na_value: str = "",
        select_cols: Any = None,
    ) -> None:
        from runtime.tf1.parsing_ops import _column_default

        names = convert_to_tensor(filenames, string, name="filenames")
        defaults = [convert_to_tensor(_column_default(d)) for d in record_defaults]
        spec = tuple(TensorSpec([], d.dtype) for d in defaults)
        variant = make(
            "ExperimentalCSVDataset", spec, filenames=names, record_defaults=[array_ops.reshape(d, [-1]) if d.dims == () else d for d in defaults],
            buffer_size=optional(buffer_size, "buffer_size", 4 * 1024 * 1024), header=convert_to_tensor(header, "bool", name="header"),
            field_delim=convert_to_tensor(field_delim, string, name="field_delim"), use_quote_delim=convert_to_tensor(use_quote_delim, "bool", name="use_quote_delim"),
            na_value=convert_to_tensor(na_value, string, name="na_value"), compression_type=optional(compression_type, "compression_type", "", string),
            select_cols=optional(select_cols, "select_cols", []),
        )  # fmt: skip
        super().__init__(variant, spec)
