"""Comma separated records as TensorFlow reads them: fields, quotes, defaults and number formats."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from graphtools.dtypes import DType, string
from runtime.errors import InvalidArgumentError
from runtime.host import rows
from runtime.host.rows import Array, Row

_INTEGER = re.compile(rb"\s*-?[0-9]+\s*")
_FLOAT = re.compile(rb"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+|inf(?:inity)?|nan)(?:e[-+]?[0-9]+)?\s*", re.IGNORECASE)
_QUOTE, _LINE_ENDS = 0x22, (0x0A, 0x0D)


def _error(text: str) -> InvalidArgumentError:
    return InvalidArgumentError(None, None, text)


def fields_of(record: bytes, delimiter: bytes, is_quoted: bool) -> list[bytes]:
    """The fields of a record. Raises InvalidArgumentError for quotes and line ends out of place."""
    if not record:
        return []
    if b"\n" not in record and b"\r" not in record and not (is_quoted and b'"' in record):
        return record.split(delimiter)
    fields, at, end, mark = [], 0, len(record), delimiter[0]
    while at < end:
        if record[at] in _LINE_ENDS:
            at += 1
            continue
        if is_quoted and record[at] == _QUOTE:
            at += 1
            field = bytearray()
            while at < end - 1 and not (record[at] == _QUOTE and record[at + 1] == mark):
                if record[at] == _QUOTE:
                    if record[at + 1] != _QUOTE:
                        raise _error("Quote inside a string has to be escaped by another quote")
                    at += 1
                field.append(record[at])
                at += 1
            if at >= end or record[at] != _QUOTE:
                raise _error("Quoted field has to end with quote followed by delim or end")
            fields.append(bytes(field))
            at += 2
            continue
        stop = record.find(delimiter, at)
        stop = end if stop < 0 else stop
        text = record[at:stop]
        if b"\n" in text or b"\r" in text or (is_quoted and b'"' in text):
            raise _error("Unquoted fields cannot have quotes/CRLFs inside")
        fields.append(text)
        at = stop + 1
    if record.endswith(delimiter):
        fields.append(b"")
    return fields


def records_of(lines: Iterator[bytes], is_quoted: bool) -> Iterator[bytes]:
    """Records of a file, which may be several lines long inside quotes."""
    held = b""
    for line in lines:
        held += line
        if not (is_quoted and held.count(b'"') % 2):
            yield held.rstrip(b"\r\n")
            held = b""
    if held:
        yield held.rstrip(b"\r\n")


class CsvParser:
    """Turns records into typed values. `defaults` has one array a column: empty where a value must be there."""

    def __init__(
        self, defaults: Sequence[Array], types: Sequence[DType], *, delimiter: str, is_quoted: bool, missing: str, selected: Sequence[int] = (),
        excluded: Iterable[int] = (),
    ) -> None:  # fmt: skip
        if len(delimiter.encode()) != 1:
            raise _error(f"field_delim should be only 1 char, not {delimiter!r}")
        for i, default in enumerate(defaults):
            if default.size > 1:
                raise _error(f"There should only be 1 default per field but field {i} has {default.size}")
        self._defaults = [d.ravel()[0] if d.size else None for d in defaults]
        self._types = list(types)
        self._kinds = ["text" if t is string else "real" if t.is_floating else "whole" for t in types]
        self._delimiter = delimiter.encode()
        self._is_quoted = is_quoted
        self._missing = missing.encode()
        self._selected = list(selected)
        self._excluded = set(excluded)

    def _fields(self, record: bytes, where: str) -> list[bytes]:
        fields = fields_of(record, self._delimiter, self._is_quoted)
        if self._selected:
            fields = [fields[i] for i in self._selected if i < len(fields)]
        elif self._excluded:
            fields = [f for i, f in enumerate(fields) if i not in self._excluded]
        if len(fields) != len(self._types):
            raise _error(f"Expect {len(self._types)} fields but have {len(fields)} in record{where}")
        return fields

    def columns(self, records: Sequence[bytes]) -> list[list[Any]]:
        """The values of records, by column."""
        table = [self._fields(record, f" {number}") for number, record in enumerate(records)]
        return [[self._value(row[c], c, f" {number}") for number, row in enumerate(table)] for c in range(len(self._types))]

    def row(self, record: bytes, where: str = "") -> Row:
        """One record as scalar tensors. `where` follows "record" in messages."""
        fields = self._fields(record, where) if record or where or self._selected else [b""]
        return tuple([self._scalar(self._value(f, c, where), t) for c, (f, t) in enumerate(zip(fields, self._types, strict=False))])

    @staticmethod
    def _scalar(value: Any, dtype: DType) -> Array:
        return rows.text(value) if dtype is string else np.array(value, dtype.as_numpy_dtype)

    def _value(self, field: bytes, column: int, where: str) -> Any:
        if not field or field == self._missing:
            default = self._defaults[column]
            if default is None:
                raise _error(f"Field {column} is required but missing in record{where}!")
            return default
        kind, dtype = self._kinds[column], self._types[column]
        if kind == "text":
            return field
        if kind == "real":
            if _FLOAT.fullmatch(field):
                return float(field)
        elif _INTEGER.fullmatch(field):
            value = int(field)
            if dtype.min <= value <= dtype.max:
                return value
        raise _error(f"Field {column} in record{where} is not a valid {rows.type_text(dtype)}: {field.decode('utf-8', 'replace')}")
