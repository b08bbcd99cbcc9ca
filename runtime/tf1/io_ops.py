"""Readers, TFRecord files and the protos of records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphtools import graph as base
from graphtools.formats import schema
from runtime.host import records
from runtime.tf1.graph import apply_op
from runtime.tf1.registry import export, put
from runtime.tf1.system import as_text

for _name in ("BytesList", "Example", "Feature", "FeatureList", "FeatureLists", "Features", "FloatList", "Int64List", "SequenceExample"):
    put(f"train.{_name}", schema.message(_name))


@export("python_io.TFRecordCompressionType", "io.TFRecordCompressionType")
class TFRecordCompressionType:
    NONE = 0
    ZLIB = 1
    GZIP = 2


@export("python_io.TFRecordOptions", "io.TFRecordOptions")
class TFRecordOptions:
    """How a TFRecord file is compressed."""

    compression_type_map = {TFRecordCompressionType.ZLIB: "ZLIB", TFRecordCompressionType.GZIP: "GZIP", TFRecordCompressionType.NONE: ""}

    def __init__(
        self,
        compression_type: Any = None,
        flush_mode: Any = None,
        input_buffer_size: Any = None,
        output_buffer_size: Any = None,
        window_bits: Any = None,
        compression_level: Any = None,
        compression_method: Any = None,
        mem_level: Any = None,
        compression_strategy: Any = None,
    ) -> None:
        self.get_compression_type_string(compression_type)
        self.compression_type = compression_type
        self.flush_mode, self.input_buffer_size, self.output_buffer_size = flush_mode, input_buffer_size, output_buffer_size
        self.window_bits, self.compression_level, self.compression_method = window_bits, compression_level, compression_method
        self.mem_level, self.compression_strategy = mem_level, compression_strategy

    @classmethod
    def get_compression_type_string(cls, options: Any) -> str:
        if not options:
            return ""
        if isinstance(options, TFRecordOptions):
            return cls.get_compression_type_string(options.compression_type)
        if options in cls.compression_type_map:
            return cls.compression_type_map[options]
        if options in cls.compression_type_map.values():
            return str(options)
        raise ValueError(f'Not a valid compression_type: "{options}"')


@export("python_io.TFRecordWriter", "io.TFRecordWriter")
class TFRecordWriter(records.RecordWriter):
    """Writes records to a file."""

    def __init__(self, path: Any, options: Any = None) -> None:
        super().__init__(as_text(path), TFRecordOptions.get_compression_type_string(options))

    def write(self, record: Any) -> None:
        if isinstance(record, str):
            record = record.encode()
        if not isinstance(record, bytes | bytearray | memoryview):
            raise TypeError(f"A record must be bytes, not {type(record).__name__}; protos have SerializeToString().")
        super().write(bytes(record))


@export("python_io.tf_record_iterator", "io.tf_record_iterator")
def tf_record_iterator(path: Any, options: Any = None) -> Iterator[bytes]:
    """The records of a TFRecord file."""
    yield from records.read_file(as_text(path), TFRecordOptions.get_compression_type_string(options))


# -- readers ---------------------------------------------------------------------------------------------------------------


@export("ReaderBase")
class ReaderBase:
    """Takes file names from a queue and gives what is in the files, record by record."""

    def __init__(self, reader_ref: Any, supports_serialize: bool = False) -> None:
        self._reader_ref = reader_ref
        self._supports_serialize = supports_serialize

    reader_ref = property(lambda self: self._reader_ref)
    supports_serialize = property(lambda self: self._supports_serialize)

    def read(self, queue: Any, name: str | None = None) -> Any:
        """The next (key, value)."""
        return _Read(*apply_op("ReaderReadV2", name, reader_handle=self._reader_ref, queue_handle=_handle(queue)))

    def read_up_to(self, queue: Any, num_records: Any, name: str | None = None) -> Any:
        return _Read(
            *apply_op("ReaderReadUpToV2", name, reader_handle=self._reader_ref, queue_handle=_handle(queue), num_records=num_records)
        )

    def num_records_produced(self, name: str | None = None) -> Any:
        return apply_op("ReaderNumRecordsProducedV2", name, reader_handle=self._reader_ref)

    def num_work_units_completed(self, name: str | None = None) -> Any:
        return apply_op("ReaderNumWorkUnitsCompletedV2", name, reader_handle=self._reader_ref)

    def serialize_state(self, name: str | None = None) -> Any:
        return apply_op("ReaderSerializeStateV2", name, reader_handle=self._reader_ref)

    def restore_state(self, state: Any, name: str | None = None) -> Any:
        return apply_op("ReaderRestoreStateV2", name, reader_handle=self._reader_ref, state=state)

    def reset(self, name: str | None = None) -> Any:
        return apply_op("ReaderResetV2", name, reader_handle=self._reader_ref)


class _Read(tuple):  # type: ignore[type-arg]
    """ReaderRead(key, value)."""

    _fields = ("key", "value")
    __slots__ = ()

    def __new__(cls, key: Any, value: Any) -> _Read:
        return super().__new__(cls, (key, value))

    key = property(lambda self: self[0])
    value = property(lambda self: self[1])


def _handle(queue: Any) -> Any:
    return queue if isinstance(queue, base.Tensor) else queue.queue_ref


@export("WholeFileReader")
class WholeFileReader(ReaderBase):
    """Whole files."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(apply_op("WholeFileReaderV2", name), supports_serialize=True)


@export("TextLineReader")
class TextLineReader(ReaderBase):
    """Lines, without their ends."""

    def __init__(self, skip_header_lines: int | None = None, name: str | None = None) -> None:
        super().__init__(apply_op("TextLineReaderV2", name, skip_header_lines=skip_header_lines))


@export("FixedLengthRecordReader")
class FixedLengthRecordReader(ReaderBase):
    """Records of the same number of bytes."""

    def __init__(
        self,
        record_bytes: int,
        header_bytes: int | None = None,
        footer_bytes: int | None = None,
        hop_bytes: int | None = None,
        name: str | None = None,
        encoding: str | None = None,
    ) -> None:
        ref = apply_op(
            "FixedLengthRecordReaderV2",
            name,
            record_bytes=record_bytes,
            header_bytes=header_bytes,
            footer_bytes=footer_bytes,
            hop_bytes=hop_bytes,
            encoding=encoding,
        )
        super().__init__(ref)


@export("TFRecordReader")
class TFRecordReader(ReaderBase):
    """The records of TFRecord files."""

    def __init__(self, name: str | None = None, options: Any = None) -> None:
        super().__init__(apply_op("TFRecordReaderV2", name, compression_type=TFRecordOptions.get_compression_type_string(options)))


@export("IdentityReader")
class IdentityReader(ReaderBase):
    """The file names themselves."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(apply_op("IdentityReaderV2", name), supports_serialize=True)
