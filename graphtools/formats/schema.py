"""The protocol messages of TensorFlow's files: classes made from the table messages.txt in a descriptor pool of their own.

The table has one message a line, `name:type=number` for each field: `*` repeated, `{key,value}` a map, `|name` its oneof.
The private pool cannot clash with an installed TensorFlow or TensorBoard, and needs no protoc.
"""

from __future__ import annotations

import contextlib
import functools
import re
from importlib import resources
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from graphtools.errors import FormatError
from graphtools.formats.text import Parser, Unusual

_FIELD = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    name: _FIELD.Type.Value("TYPE_" + name.upper())
    for name in (
        "double", "float", "int64", "uint64", "int32", "fixed64", "fixed32", "bool", "string", "bytes", "uint32", "sfixed32", "sfixed64", "sint32", "sint64"
    )
}  # fmt: skip
_PACKAGE = "tensorflow"


@functools.cache
def _table() -> tuple[dict[str, str], dict[str, str]]:
    """The lines of the table: message name -> fields, enum name -> values."""
    messages: dict[str, str] = {}
    enums: dict[str, str] = {}
    for line in resources.files(__package__).joinpath("messages.txt").read_text("ascii").splitlines():
        kind, name, rest = line.split(" ", 2)
        (messages if kind == "message" else enums)[name] = rest
    return messages, enums


@functools.cache
def _pool() -> descriptor_pool.DescriptorPool:
    messages, enums = _table()
    files = {
        package: descriptor_pb2.FileDescriptorProto(name=f"{package.replace('.', '/')}.proto", package=package, syntax="proto3")
        for package in ("google.protobuf", _PACKAGE)
    }
    main = files[_PACKAGE]
    main.dependency.append("google/protobuf.proto")
    owners: dict[str, descriptor_pb2.DescriptorProto] = {}
    for name, values in enums.items():
        # an enum's values are names of the scope around it: the message it is declared in (RunOptions.FULL_TRACE), else a scope of its own
        scope, short = _enum_scope(name)
        if scope not in owners:
            owners[scope] = main.message_type.add(name=scope)
        enum = owners[scope].enum_type.add(name=short)
        numbers = [v.rpartition("=")[::2] for v in values.split()]
        enum.options.allow_alias = len({n for _, n in numbers}) < len(numbers)
        if not enum.options.allow_alias:
            enum.ClearField("options")
        for label, number in sorted(numbers, key=lambda v: v[1] != "0"):
            enum.value.add(name=label, number=int(number))
    for name, fields in messages.items():
        package, _, short = name.rpartition(".")
        message = owners[name] if name in owners else files[package or _PACKAGE].message_type.add(name=short)
        oneofs: dict[str, int] = {}
        for text in fields.split():
            _add_field(message, text, oneofs, enums)
    pool = descriptor_pool.DescriptorPool()
    for file in files.values():
        pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    return pool


def _enum_scope(name: str) -> tuple[str, str]:
    """The message around an enum and the enum's name in it."""
    owner, _, short = name.rpartition("_")
    return (owner, short) if owner in _table()[0] else (f"{name}_Enum", name)


def _add_field(message: descriptor_pb2.DescriptorProto, text: str, oneofs: dict[str, int], enums: dict[str, str]) -> None:
    name, _, rest = text.partition(":")
    kind, _, rest = rest.rpartition("=")
    number, _, oneof = rest.partition("|")
    field = message.field.add(name=name, number=int(number), label=_FIELD.LABEL_OPTIONAL)
    if oneof:
        if oneof not in oneofs:
            oneofs[oneof] = len(oneofs)
            message.oneof_decl.add(name=oneof)
        field.oneof_index = oneofs[oneof]
    if kind.startswith("{"):
        key, value = kind[1:-1].split(",")
        entry = message.nested_type.add(name="".join(part.capitalize() for part in name.split("_")) + "Entry")
        entry.options.map_entry = True
        _add_field(entry, f"key:{key}=1", {}, enums)
        _add_field(entry, f"value:{value}=2", {}, enums)
        prefix = "" if message.name.startswith(".") else f".{_PACKAGE}."
        field.type, field.type_name, field.label = _FIELD.TYPE_MESSAGE, f"{prefix}{message.name}.{entry.name}", _FIELD.LABEL_REPEATED
        return
    if kind.endswith("*"):
        field.label, kind = _FIELD.LABEL_REPEATED, kind[:-1]
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    elif kind in enums:
        field.type, field.type_name = _FIELD.TYPE_ENUM, ".".join(("", _PACKAGE, *_enum_scope(kind)))
    else:
        field.type, field.type_name = _FIELD.TYPE_MESSAGE, f".{kind}" if "." in kind else f".{_PACKAGE}.{kind}"


@functools.cache
def message(name: str) -> Any:
    """The class of the message called `name`, as "GraphDef" or "AttrValue_ListValue"."""
    full_name = name if "." in name else f"{_PACKAGE}.{name}"
    found = message_factory.GetMessageClass(_pool().FindMessageTypeByName(full_name))
    for other in _table()[0]:  # what is declared inside a message is found there too: Summary.Value
        owner, _, short = other.rpartition("_")
        if owner == name:
            setattr(found, short, message(other))
    return found


def names() -> frozenset[str]:
    """The names of all messages."""
    return frozenset(_table()[0])


def enum_value(enum: str, label: str) -> int:
    """The number of an enum's value."""
    descriptor = _pool().FindEnumTypeByName(".".join((_PACKAGE, *_enum_scope(enum))))
    number: int = descriptor.values_by_name[label].number
    return number


def parse(name: str, data: Any, *, what: str = "", offset: int = 0) -> Any:
    """The message `name` in these bytes. Raises FormatError that says at which byte (counted from `offset`) they stop being one."""
    if not isinstance(data, bytes):
        data = bytes(data)
    try:
        return message(name).FromString(data)
    except DecodeError as e:
        at, reason = _damage(name, memoryview(data), 0, len(data), 0) or (0, str(e))
        raise FormatError(f"{what or name} is damaged at byte {offset + at}: {reason}.") from e


def parse_text(name: str, text: str | bytes, *, what: str = "") -> Any:
    """The message `name` in protobuf's text form; unknown fields are left out. Raises FormatError with line and column."""
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as e:
            raise FormatError(f"{what or name}: byte {e.start} is not UTF-8 text.") from e
    with contextlib.suppress(Unusual):
        return _text_parser().parse(text, message(name)())
    from google.protobuf import text_format

    try:
        return text_format.Parse(text, message(name)(), allow_unknown_field=True, descriptor_pool=_pool())
    except (text_format.ParseError, UnicodeError, RecursionError, DecodeError, ValueError, KeyError, TypeError) as e:
        raise FormatError(f"{what or name} is no {name} in text form: {e or type(e).__name__}.") from e


@functools.cache
def _text_parser() -> Parser:
    return Parser()


def to_text(value: Message) -> str:
    from google.protobuf import text_format

    text: str = text_format.MessageToString(value, descriptor_pool=_pool())
    return text


def field_types(name: str) -> dict[int, str]:
    """Field number -> type of a message, as the table writes them."""
    found = {}
    for text in _table()[0].get(name, "").split():
        match = re.fullmatch(r"[^:]+:(.+)=(\d+)(?:\|.*)?", text)
        if match is not None:
            found[int(match[2])] = match[1]
    return found


class WireError(ValueError):
    """Bytes that are no protocol message: `args` are the offset and the reason."""


def varint(data: Any, at: int, end: int) -> tuple[int, int]:
    """The varint at this offset, and the offset after it. Raises WireError."""
    value = shift = 0
    start = at
    while True:
        if at >= end:
            raise WireError(start, "the data ends inside a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        shift += 7
        if shift >= 70:
            raise WireError(start, "a number has more than 10 bytes")


_ONE_BYTE = [bytes((i,)) for i in range(0x80)]


def encode_varint(value: int) -> bytes:
    """The varint of a number."""
    if value < 0x80:
        return _ONE_BYTE[value]
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field_at(data: Any, at: int, end: int) -> tuple[int, int, int, int]:
    """The field whose tag is at this offset: its number, wire type, and where its content starts and stops. Raises WireError."""
    start = at
    tag, at = varint(data, at, end)
    number, wire = tag >> 3, tag & 7
    if number == 0 or tag > 0xFFFFFFFF:
        raise WireError(start, f"{tag} is no field tag")
    if wire == 0:
        _, stop = varint(data, at, end)
        return number, wire, at, stop
    if wire == 2:
        size, at = varint(data, at, end)
    elif wire in (1, 5):
        size = 8 if wire == 1 else 4
    else:
        raise WireError(start, f"wire type {wire} of field {number} is not in use")
    if size > end - at:
        raise WireError(start, f"field {number} says it has {size} bytes where {end - at} are left")
    return number, wire, at, at + size


def _damage(name: str, data: memoryview, at: int, end: int, depth: int) -> tuple[int, str] | None:
    """The first offset at which data is no message `name`, and why; None if no damage is found."""
    if depth > 100:
        return at, "messages are nested more than 100 deep"
    types = field_types(name)
    try:
        while at < end:
            number, wire, start, stop = field_at(data, at, end)
            kind = types.get(number, "").rstrip("*")
            if wire == 2 and kind == "string":
                try:
                    bytes(data[start:stop]).decode("utf-8")
                except UnicodeDecodeError as e:
                    return start + e.start, f"the text of field {number} of {name} is not UTF-8"
            elif wire == 2 and kind and kind not in _SCALARS:
                inner = kind
                if kind.startswith("{"):
                    inner = ""
                    value = kind[1:-1].split(",")[1]
                    for_entry = _damage_in_entry(value, data, start, stop, depth)
                    if for_entry is not None:
                        return for_entry
                if inner and (found := _damage(inner, data, start, stop, depth + 1)) is not None:
                    return found
            at = stop
    except WireError as e:
        return e.args[0], f"{e.args[1]} ({name})"
    return None


def _damage_in_entry(value: str, data: memoryview, at: int, end: int, depth: int) -> tuple[int, str] | None:
    while at < end:
        number, wire, start, stop = field_at(data, at, end)
        if number == 2 and wire == 2 and value in _table()[0] and (found := _damage(value, data, start, stop, depth + 1)) is not None:
            return found
        at = stop
    return None
