"""Builder -> the bytes of a model, in pieces: weights are written from where they are, without a copy of the whole."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from graphtools.convert.builder import Array, Builder, OnnxNode, Value
from graphtools.dtypes import as_dtype
from graphtools.formats.mapped import release
from graphtools.formats.schema import encode_varint
from migrate.report.output import replacing

if TYPE_CHECKING:
    import onnx

IR_VERSION = 10
DOMAINS = {"ai.onnx.ml": 4}  # domain -> version, where it is not 1
# protobuf reads no message of 2 GB: the weights of a bigger model go into a file beside it, each at a multiple of a page
_MAX_MODEL = (1 << 31) - (1 << 20)
_PAGE = 4096
_CHUNK = 1 << 24
# AttributeProto.type
_FLOAT, _INT, _STRING, _TENSOR, _GRAPH, _FLOATS, _INTS, _STRINGS = 1, 2, 3, 4, 5, 6, 7, 8
_ONNX_STRING = 8  # TensorProto.DataType
_EXTERNAL = 1  # TensorProto.DataLocation

# A piece of a message: bytes, or an array whose content they are.
Piece = bytes | Array


def to_model(
    builder: Builder,
    opset: int,
    *,
    metadata: Mapping[str, str] | None = None,
    external: dict[str, Any] | None = None,
    external_from: int = 1024,
) -> onnx.ModelProto:
    """The model of a finished graph; the options are those of `to_bytes`."""
    import onnx

    big: dict[str, Any] = {} if external is None else external
    model: onnx.ModelProto = onnx.ModelProto.FromString(
        to_bytes(builder, opset, metadata=metadata, external=big, external_from=external_from)
    )
    if external is None:
        for proto in model.graph.initializer:
            if proto.name in big:
                proto.ClearField("data_location")
                proto.raw_data = big.pop(proto.name).tobytes()
    return model


def to_bytes(
    builder: Builder,
    opset: int,
    *,
    metadata: Mapping[str, str] | None = None,
    external: dict[str, Any] | None = None,
    external_from: int = 1024,
) -> bytes:
    """The bytes of the model of a finished graph.

    With `external`, constants of `external_from` bytes or more are not written into the model: it declares them as external
    data and their arrays are put into `external` under their names, for `SessionOptions.add_external_initializers`.
    """
    builder.sanitize()
    if external is None:
        return b"".join(bytes(c) for p in _model(builder, opset, metadata, []) for c in _content(p))
    constants = _constants(builder)
    initializers: list[Piece] = []
    for value in constants:
        array = value.const
        if array is not None and array.nbytes >= external_from and array.dtype.kind != "O":
            external[value.name] = array
            initializers += _message(5, [_tensor_head(value.dtype.onnx, array.shape, value.name), _varint(14, _EXTERNAL)])
        else:
            initializers += _message(5, _tensor(array, value.name, value.dtype.onnx))
    return b"".join(bytes(c) for p in _model(builder, opset, metadata, initializers) for c in _content(p))


def write_model(builder: Builder, opset: int, path: Path, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write the model of a finished graph, whole or not at all; the weights of one over 2 GB go into PATH.data."""
    builder.sanitize()
    pieces = _model(builder, opset, metadata, [])
    if sum(_size(p) for p in pieces) <= _MAX_MODEL:
        with replacing(path) as file:
            _write(file, pieces)
        return
    data = path.with_name(f"{path.name}.data")
    initializers: list[Piece] = []
    at = 0
    with replacing(data) as file:
        for value in _constants(builder):
            array = value.const
            if array is None or array.nbytes < 1024 or array.dtype.kind == "O":
                initializers += _message(5, _tensor(array, value.name, value.dtype.onnx))
                continue
            file.write(bytes(-at % _PAGE))
            at += -at % _PAGE
            place = {"location": data.name, "offset": str(at), "length": str(array.nbytes)}
            head = _tensor_head(value.dtype.onnx, array.shape, value.name)
            initializers += _message(5, [head, *_entries(13, place), _varint(14, _EXTERNAL)])
            _write(file, [array])
            at += array.nbytes
    with replacing(path) as file:
        _write(file, _model(builder, opset, metadata, initializers))


def _write(file: BinaryIO, pieces: list[Piece]) -> None:
    for piece in pieces:
        for content in _content(piece):
            file.write(content)
        if not isinstance(piece, bytes):
            release(piece)


def _content(piece: Piece) -> Iterator[Any]:
    """The bytes of a piece, a chunk at a time where an array has to be copied into its order."""
    if isinstance(piece, bytes):
        yield piece
    elif piece.flags.c_contiguous or piece.nbytes <= _CHUNK or piece.ndim == 0:
        yield _octets(np.ascontiguousarray(piece))
    else:
        rows = max(1, _CHUNK * len(piece) // piece.nbytes)
        for i in range(0, len(piece), rows):
            yield _octets(np.ascontiguousarray(piece[i : i + rows]))


def _octets(array: Array) -> Any:
    octets: Any = array.reshape(-1).view(np.uint8)
    return memoryview(octets)


# -- messages --------------------------------------------------------------------------------------------------------


def _size(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece.nbytes


def _varint(number: int, value: int) -> bytes:
    return encode_varint(number << 3) + encode_varint(value & 0xFFFFFFFFFFFFFFFF)


def _bytes(number: int, value: bytes) -> bytes:
    return encode_varint(number << 3 | 2) + encode_varint(len(value)) + value


def _text(number: int, value: str) -> bytes:
    return _bytes(number, value.encode())


def _message(number: int, pieces: list[Piece]) -> list[Piece]:
    return [encode_varint(number << 3 | 2) + encode_varint(sum(_size(p) for p in pieces)), *pieces]


def _flat(pieces: list[Piece]) -> bytes:
    return b"".join(bytes(c) for p in pieces for c in _content(p))


def _entries(number: int, items: Mapping[str, str]) -> list[Piece]:
    return [_bytes(number, _text(1, k) + _text(2, v)) for k, v in items.items()]


def _model(builder: Builder, opset: int, metadata: Mapping[str, str] | None, initializers: list[Piece]) -> list[Piece]:
    """The pieces of a ModelProto; `initializers` are given where they are not all inside."""
    domains = sorted({node.domain for node in builder.walk()} - {""})
    versions = [("", opset), *((d, DOMAINS.get(d, 1)) for d in domains)]
    graph = _graph(builder, initializers)
    return [
        _varint(1, IR_VERSION) + _text(2, "tfrevive"),
        *_message(7, graph),
        *(_bytes(8, _text(1, domain) + _varint(2, version)) for domain, version in versions),
        *_entries(14, metadata or {}),
    ]


def _graph(builder: Builder, initializers: list[Piece]) -> list[Piece]:
    constants = _constants(builder)
    if not initializers:
        initializers = [p for v in constants for p in _message(5, _tensor(v.const, v.name, v.dtype.onnx))]
    known: list[Piece] = []
    for node in builder.nodes:
        if node.domain:  # ONNX's own shape inference knows no types of these, and needs them
            known += [_bytes(13, _value_info(v)) for v in node.outputs if not v.is_output and v.dtype.onnx and not v.dtype.is_complex]
    return [
        *(_bytes(1, _node(n)) for n in builder.nodes),
        _text(2, builder.name),
        *initializers,
        *(_bytes(11, _value_info(v)) for v in builder.inputs),
        *(_bytes(12, _value_info(v)) for v in builder.outputs),
        *known,
    ]


def _constants(builder: Builder) -> list[Value]:
    """The constants that nodes read, named; those of subgraphs become initializers of the main graph too."""
    found: dict[int, Value] = {id(v): v for v in builder.inputs if v.const is not None}
    _collect_constants(builder, found)
    for n, value in enumerate(found.values()):
        if not value.name:
            value.name = builder.names.unique(f"const_{n}")
    return list(found.values())


def _collect_constants(builder: Builder, found: dict[int, Value]) -> None:
    for node in builder.nodes:
        for value in node.inputs:
            if value is not None and value.const is not None:
                found.setdefault(id(value), value)
        for body in node.subgraphs():
            _collect_constants(body, found)
            for value in body.outputs:
                if value.const is not None:
                    found.setdefault(id(value), value)


def _node(node: OnnxNode) -> bytes:
    pieces = [_text(1, "" if v is None else v.name) for v in node.inputs]
    pieces += [_text(2, v.name) for v in node.outputs]
    pieces += [_text(3, node.name), _text(4, node.op_type)]
    pieces += [_bytes(5, _attribute(name, value)) for name, value in node.attrs.items()]
    if node.domain:
        pieces.append(_text(7, node.domain))
    if node.device:
        pieces += [_bytes(9, _text(1, "layer_ann") + _text(2, node.device))]
    return b"".join(pieces)


def _attribute(name: str, value: Any) -> bytes:
    head = _text(1, name)
    if isinstance(value, Builder):
        body = [
            *(_bytes(1, _node(n)) for n in value.nodes),
            _text(2, value.name),
            *(_bytes(11, _value_info(v)) for v in value.inputs),
            *(_bytes(12, _value_info(v)) for v in value.outputs),
        ]
        return head + _bytes(6, b"".join(body)) + _varint(20, _GRAPH)
    if isinstance(value, bool | int | np.integer):
        return head + _varint(3, int(value)) + _varint(20, _INT)
    if isinstance(value, float | np.floating):
        return head + encode_varint(2 << 3 | 5) + _float(value) + _varint(20, _FLOAT)
    if isinstance(value, str | bytes):
        return head + _bytes(4, _encoded(value)) + _varint(20, _STRING)
    if isinstance(value, np.ndarray):
        return head + _bytes(5, _flat(_tensor(value, "", 0))) + _varint(20, _TENSOR)
    if isinstance(value, list | tuple):
        if value and isinstance(value[0], str | bytes):
            return head + b"".join(_bytes(9, _encoded(v)) for v in value) + _varint(20, _STRINGS)
        if value and any(isinstance(v, float | np.floating) for v in value):
            return head + b"".join(encode_varint(7 << 3 | 5) + _float(v) for v in value) + _varint(20, _FLOATS)
        return head + b"".join(_varint(8, int(v)) for v in value) + _varint(20, _INTS)
    raise TypeError(f"Attribute {name!r} of type {type(value).__name__} has no ONNX form.")


def _encoded(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def _float(value: Any) -> bytes:
    with np.errstate(over="ignore"):
        return struct.pack("<f", np.float32(value))


def _value_info(value: Value) -> bytes:
    complex_parts = value.dtype.is_complex
    tensor = _varint(1, value.dtype.real_dtype.onnx if complex_parts else value.dtype.onnx)
    if value.dims is not None and not value.is_sequence:
        dims = (*value.dims, 2) if complex_parts else value.dims
        sizes = [_text(2, f"{value.name}/dim_{i}") if d is None else _varint(1, d) for i, d in enumerate(dims)]
        tensor += _bytes(2, b"".join(_bytes(1, s) for s in sizes))
    kind = _bytes(1, tensor)
    if value.is_sequence:
        kind = _bytes(4, _bytes(1, kind))
    return _text(1, value.name) + _bytes(2, kind)


def _tensor_head(onnx_type: int, shape: tuple[int, ...], name: str) -> bytes:
    return b"".join(_varint(1, d) for d in shape) + _varint(2, onnx_type) + (_text(8, name) if name else b"")


def _tensor(array: Array | None, name: str, onnx_type: int) -> list[Piece]:
    """The pieces of a TensorProto with its values."""
    if array is None:
        raise ValueError(f"The value {name!r} is no constant.")
    if array.dtype.kind in "OSU":
        dims = b"".join(_varint(1, d) for d in array.shape)
        strings = [s if isinstance(s, bytes) else str(s).encode() for s in array.ravel().tolist()]
        return [dims + _varint(2, _ONNX_STRING) + b"".join(_bytes(6, s) for s in strings) + (_text(8, name) if name else b"")]
    return [_tensor_head(as_dtype(array.dtype).onnx, array.shape, name) + encode_varint(9 << 3 | 2) + encode_varint(array.nbytes), array]
