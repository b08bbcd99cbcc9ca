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
_FEW = 8  # numbers that are read faster one by one
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
        columns = list(zip(*table, strict=True)) or [()] * len(self._types)
        return [
            self._many(fields, c) or [self._value(f, c, f" {number}") for number, f in enumerate(fields)]
            for c, fields in enumerate(columns)
        ]

    def _many(self, fields: Sequence[bytes], column: int) -> list[Any] | None:
        """The numbers of a column at once; None where one of them must be looked at on its own."""
        default, dtype = self._defaults[column], self._types[column]
        if self._kinds[column] == "text" or len(fields) < _FEW or any(b"_" in f or b"+" in f for f in fields):
            return None
        absent = [not f or f == self._missing for f in fields]
        if any(absent):
            if default is None:
                return None
            fields = [b"0" if gone else f for gone, f in zip(absent, fields, strict=True)]
        try:
            numbers = np.array(fields).astype(np.float64 if self._kinds[column] == "real" else np.int64)
        except (ValueError, OverflowError):
            return None
        if self._kinds[column] == "whole" and (numbers.min() < dtype.min or numbers.max() > dtype.max):
            return None
        values: list[Any] = numbers.tolist()
        return [default if gone else v for gone, v in zip(absent, values, strict=True)] if any(absent) else values

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
