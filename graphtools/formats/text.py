"""Protobuf's text form, as TensorFlow writes it, read three times as fast as by protobuf's own parser in Python.

Whatever is unusual raises Unusual: protobuf's parser then reads it, or says what is wrong with it and where.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

_TOKEN = re.compile(
    r"""\s*+(?:\#[^\n]*+\s*+)*+(?:([A-Za-z_]\w*|[-+]?[\d.][\w.+-]*|-(?:inf|nan)\w*)|("[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"|'[^'\\\n]*+(?:\\.[^'\\\n]*+)*+')|([{}<>:,;\[\]]))"""
)
_NOTHING = re.compile(r"\s*(?:#[^\n]*\s*)*")
_ODD_ESCAPE = re.compile(rb"""(?<!\\)(?:\\\\)*\\(?:[^0-7abfnrtv\\'"x]|[4-7][0-7][0-7])""")
_TRUTH = {"true": True, "false": False, "True": True, "False": False, "1": True, "0": False, "t": True, "f": False}
_MAX_DEPTH = 90


class Unusual(ValueError):
    """Text that this parser leaves to protobuf's."""


class _Field:
    """What a field's values are, and how they are read from a token."""

    __slots__ = ("convert", "is_map", "is_repeated", "is_text", "name")

    def __init__(self, field: Any) -> None:
        self.name = field.name
        self.is_repeated = field.is_repeated
        self.is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        self.is_text = field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)
        self.convert: Callable[[str], Any] | None = None  # None for messages
        if field.message_type is None:
            self.convert = _converter(field)


def _converter(field: Any) -> Callable[[str], Any]:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes
    if field.type == FieldDescriptor.TYPE_STRING:
        return lambda token: _bytes(token).decode("utf-8")
    if field.type == FieldDescriptor.TYPE_BOOL:
        return lambda token: _TRUTH[token]
    if field.type == FieldDescriptor.TYPE_ENUM:
        numbers = {v.name: v.number for v in field.enum_type.values}
        return lambda token: numbers[token]
    if field.type in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return lambda token: float(token.rstrip("fF") if token[-1:] in "fF" and "n" not in token.lower() else token)
    return lambda token: int(token, 10) if token[:1] != "0" or len(token) == 1 else int(token, 0)


def _bytes(token: str) -> bytes:
    data = token[1:-1].encode("utf-8")
    if _ODD_ESCAPE.search(data) is not None:
        raise Unusual("an escape")
    return codecs.escape_decode(data)[0] if b"\\" in data else data


class Parser:
    """Reads text into messages. The fields of each message are looked up once."""

    def __init__(self) -> None:
        self._fields: dict[str, dict[str, _Field]] = {}

    def fields(self, descriptor: Any) -> dict[str, _Field]:
        found = self._fields.get(descriptor.full_name)
        if found is None:
            found = self._fields[descriptor.full_name] = {f.name: _Field(f) for f in descriptor.fields}
        return found

    def parse(self, text: str, message: Any) -> Any:
        """Merge text into a message. Raises Unusual."""
        try:
            end = self._message(text, 0, message, "", 0)
        except (ValueError, KeyError, TypeError, OverflowError, AttributeError, UnicodeError) as e:
            raise Unusual(str(e)) from e
        if _NOTHING.fullmatch(text, end) is None:
            raise Unusual("text after the end")
        return message

    def _message(self, text: str, at: int, message: Any, closing: str, depth: int) -> int:
        """Read fields up to the closing mark; the position after it."""
        if depth > _MAX_DEPTH:
            raise Unusual("deep")
        fields = self.fields(message.DESCRIPTOR)
        match = _TOKEN.match
        while True:
            token = match(text, at)
            if token is None:
                if closing:
                    raise Unusual("the text ends inside a message")
                return at
            at = token.end()
            name, _, mark = token.groups()
            if name is None:
                if mark is not None and mark == closing:
                    return at
                if mark in (",", ";"):
                    continue
                raise Unusual("a field name was expected")
            field = fields[name]
            token = match(text, at)
            if token is None:
                raise Unusual("the text ends after a field name")
            mark = token[3]
            if mark == ":":
                at = token.end()
                token = match(text, at)
                if token is None:
                    raise Unusual("the text ends before a value")
                mark = token[3]
            elif field.convert is not None:
                raise Unusual("a colon was expected")
            at = token.end()
            if field.convert is None:
                if mark not in ("{", "<"):
                    raise Unusual("a message was expected")
                end = "}" if mark == "{" else ">"
                if field.is_map:
                    at = self._entry(text, at, getattr(message, field.name), message.DESCRIPTOR.fields_by_name[field.name], end, depth)
                elif field.is_repeated:
                    at = self._message(text, at, getattr(message, field.name).add(), end, depth + 1)
                else:
                    inner = getattr(message, field.name)
                    inner.SetInParent()
                    at = self._message(text, at, inner, end, depth + 1)
                continue
            if mark == "[" and field.is_repeated:
                at = self._list(text, at, field, getattr(message, field.name))
                continue
            value, at = self._value(text, at, token, field)
            if field.is_repeated:
                getattr(message, field.name).append(value)
            else:
                setattr(message, field.name, value)

    def _value(self, text: str, at: int, token: re.Match[str], field: _Field) -> tuple[Any, int]:
        assert field.convert is not None
        if not field.is_text:
            return field.convert(token[1]), at
        value = field.convert(token[2])
        while True:  # strings side by side are one
            token_ = _TOKEN.match(text, at)
            if token_ is None or token_[2] is None:
                return value, at
            value += field.convert(token_[2])
            at = token_.end()

    def _list(self, text: str, at: int, field: _Field, values: Any) -> int:
        while True:
            token = _TOKEN.match(text, at)
            if token is None:
                raise Unusual("the text ends inside a list")
            at = token.end()
            if token[3] == "]":
                return at
            if token[3] == ",":
                continue
            value, at = self._value(text, at, token, field)
            values.append(value)

    def _entry(self, text: str, at: int, mapping: Any, field: Any, closing: str, depth: int) -> int:
        """An entry of a map: first its key, then its value."""
        entry = self.fields(field.message_type)
        key_field, value_field = entry["key"], entry["value"]
        token = _TOKEN.match(text, at)
        colon = _TOKEN.match(text, token.end()) if token is not None else None
        if token is None or token[1] != "key" or colon is None or colon[3] != ":":
            raise Unusual("a key was expected")
        token = _TOKEN.match(text, colon.end())
        if token is None:
            raise Unusual("the text ends before a key")
        key, at = self._value(text, token.end(), token, key_field)
        token = _TOKEN.match(text, at)
        if token is None or token[1] != "value":
            raise Unusual("a value was expected")
        at = token.end()
        token = _TOKEN.match(text, at)
        if token is not None and token[3] == ":":
            at = token.end()
            token = _TOKEN.match(text, at)
        if token is None or key in mapping:
            raise Unusual("a value was expected once")
        if value_field.convert is None:
            if token[3] not in ("{", "<"):
                raise Unusual("a message was expected")
            at = self._message(text, token.end(), mapping[key], "}" if token[3] == "{" else ">", depth + 1)
        else:
            mapping[key], at = self._value(text, token.end(), token, value_field)
        token = _TOKEN.match(text, at)
        if token is None or token[3] != closing:
            raise Unusual("the end of an entry was expected")
        return token.end()
