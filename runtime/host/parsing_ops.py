"""Text and messages into tensors: CSV, Example and SequenceExample, JSON, serialized and sparse tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from google.protobuf import json_format

from graphtools.dtypes import DType, int64, variant
from graphtools.errors import FormatError
from graphtools.formats import schema, tensor
from graphtools.graph import Node
from runtime.errors import InvalidArgumentError
from runtime.host import Run, examples, host, rows
from runtime.host.csv_records import CsvParser
from runtime.host.examples import Dense, Ragged, Sparse, error
from runtime.host.rows import Array, Row

# -- CSV ---------------------------------------------------------------------------------------------------------


@host("DecodeCSV")
def decode_csv(run: Run, node: Node, records: Array, *defaults: Array) -> Row:
    a = node.attr
    types = a["OUT_TYPE"]
    parser = CsvParser(
        defaults,
        types,
        delimiter=_text(a["field_delim"]),
        is_quoted=a.get("use_quote_delim", True),
        missing=_text(a.get("na_value") or ""),
        selected=a.get("select_cols") or (),
    )
    if records.ndim == 0:
        return parser.row(records.item(), " 0")
    columns = parser.columns(records.ravel().tolist())
    return tuple([_column(c, t, records.shape) for c, t in zip(columns, types, strict=True)])


def _column(values: list[Any], dtype: DType, shape: tuple[int, ...]) -> Array:
    flat = rows.texts(values) if dtype.as_numpy_dtype is np.object_ else np.array(values, dtype.as_numpy_dtype)
    return flat.reshape(shape)


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


# -- Example -----------------------------------------------------------------------------------------------------


def _keys(given: Any) -> list[str]:
    """Feature keys from an attr, from one vector, or from scalars."""
    if isinstance(given, np.ndarray):
        given = given.ravel().tolist()
    return [rows.name_of(k) for k in given]


def example_specs(
    node: Node, sparse_keys: Any, dense_keys: Any, defaults: Sequence[Array], ragged_keys: Any = ()
) -> tuple[list[Sparse], list[Dense], list[Ragged]]:
    """The features that a ParseExample op of any version asks for."""
    a = node.attr
    sparse = [Sparse(k, t) for k, t in zip(_keys(sparse_keys), a["sparse_types"], strict=True)]
    dense = [examples.dense(k, t, s, d) for k, t, s, d in zip(_keys(dense_keys), a["Tdense"], a["dense_shapes"], defaults, strict=True)]
    ragged = [
        Ragged(k, t, s)
        for k, t, s in zip(_keys(ragged_keys), a.get("ragged_value_types") or [], a.get("ragged_split_types") or [], strict=True)
    ]
    return sparse, dense, ragged


def parse_examples(
    serialized: Sequence[bytes], names: Sequence[bytes], sparse: Sequence[Sparse], dense: Sequence[Dense], ragged: Sequence[Ragged] = ()
) -> Row:
    """Examples as one batch: sparse indices, values and shapes, dense values, ragged values and splits."""
    parsed = [examples.parse("Example", s).features.feature for s in serialized]
    titles = [f"Name: {rows.name_of(names[i]) if i < len(names) else '<unknown>'}, " for i in range(len(parsed))]
    dense_outputs = []
    for spec in dense:
        cells = [
            examples.dense_values(features, spec, f"{titles[i]}Key: {spec.key}, Index: {i}.  ", titles[i])
            for i, features in enumerate(parsed)
        ]
        if spec.is_variable:
            dense_outputs.append(examples.padded(cells, spec))
        else:
            dense_outputs.append(rows.stack(cells) if cells else rows.empty(spec.dtype, spec.dims))

    def vectors(spec: Sparse | Ragged) -> list[Array]:
        return [
            examples.sparse_values(features, spec.key, spec.dtype, f"{titles[i]}Key: {spec.key}, Index: {i}.  ")
            for i, features in enumerate(parsed)
        ]

    triples = [examples.ragged_to_sparse(vectors(spec), spec.dtype) for spec in sparse]
    pairs = []
    for r in ragged:
        cells = vectors(r)
        splits = np.concatenate([[0], np.cumsum([len(c) for c in cells])]).astype(r.splits.as_numpy_dtype)
        pairs.append((np.concatenate(cells) if cells else np.empty(0, r.dtype.as_numpy_dtype), splits))
    return (*[t[j] for j in range(3) for t in triples], *dense_outputs, *[p[0] for p in pairs], *[p[1] for p in pairs])


@host("ParseExample")
def parse_example(run: Run, node: Node, serialized: Array, names: Array, *rest: Any) -> Row:
    num_sparse, num_dense = node.attr["Nsparse"], node.attr["Ndense"]
    sparse_keys, dense_keys = rest[:num_sparse], rest[num_sparse : num_sparse + num_dense]
    sparse, dense, _ = example_specs(node, sparse_keys, dense_keys, rest[num_sparse + num_dense :])
    _check_names(serialized, names)
    return parse_examples(serialized.tolist(), names.tolist(), sparse, dense)


@host("ParseExampleV2")
def parse_example_v2(
    run: Run, node: Node, serialized: Array, names: Array, sparse_keys: Array, dense_keys: Array, ragged_keys: Array, *defaults: Array
) -> Row:
    sparse, dense, ragged = example_specs(node, sparse_keys, dense_keys, defaults, ragged_keys)
    if serialized.ndim == 0:
        return _parse_single(serialized.item(), sparse, dense, ragged)
    _check_names(serialized, names)
    return parse_examples(serialized.tolist(), names.ravel().tolist(), sparse, dense, ragged)


def _check_names(serialized: Array, names: Array) -> None:
    if serialized.ndim != 1:
        raise error(f"Expected serialized to be a vector, got shape: {rows.shape_text(serialized.shape)}")
    if names.size and names.shape != serialized.shape:
        raise error(f"Expected len(names) == len(serialized), but got: {names.size} vs. {serialized.size}")


@host("ParseSingleExample")
def parse_single_example(run: Run, node: Node, serialized: Array, *defaults: Array) -> Row:
    sparse, dense, _ = example_specs(node, node.attr["sparse_keys"], node.attr["dense_keys"], defaults)
    return _parse_single(serialized.item(), sparse, dense)


def _parse_single(serialized: bytes, sparse: Sequence[Sparse], dense: Sequence[Dense], ragged: Sequence[Ragged] = ()) -> Row:
    features = examples.parse("Example", serialized).features.feature
    vectors = [examples.sparse_values(features, s.key, s.dtype, f"Key: {s.key}.  ") for s in sparse]
    values = [examples.dense_values(features, d, f"Key: {d.key}.  ", "") for d in dense]
    indices, shapes = zip(*[_vector_places(v) for v in vectors], strict=True) if vectors else ((), ())
    inner = [examples.sparse_values(features, r.key, r.dtype, f"Key: {r.key}.  ") for r in ragged]
    # the splits of a single example's ragged feature are left empty: it is one row
    return (*indices, *vectors, *shapes, *values, *inner, *[np.empty(0, r.splits.as_numpy_dtype) for r in ragged])


def _vector_places(values: Array) -> tuple[Array, Array]:
    return np.arange(len(values), dtype=np.int64).reshape(-1, 1), np.array([len(values)], np.int64)


def example_parser(node: Node, defaults: Sequence[Array]) -> Callable[[Array], Row]:
    """What turns a batch of serialized examples into the tensors that a ParseExampleDataset node asks for."""
    a = node.attr
    sparse, dense, ragged = example_specs(node, a["sparse_keys"], a["dense_keys"], defaults, a.get("ragged_keys") or ())

    def parse(serialized: Array) -> Row:
        return parse_examples(serialized.ravel().tolist(), (), sparse, dense, ragged)

    return parse


def by_key(node: Node, outputs: Row) -> Row:
    """The tensors of a ParseExampleDataset node as its row: one component a feature, in the order of the keys."""
    sparse, dense, ragged = (_keys(node.attr.get(n) or ()) for n in ("sparse_keys", "dense_keys", "ragged_keys"))
    found: dict[str, Any] = {}
    for i, key in enumerate(sparse):
        found[key] = rows.objects([outputs[i + j * len(sparse)] for j in range(3)])
    start = 3 * len(sparse)
    for i, key in enumerate(dense):
        found[key] = outputs[start + i]
    start += len(dense)
    for i, key in enumerate(ragged):
        found[key] = rows.objects([outputs[start + len(ragged) + i], outputs[start + i]])
    return tuple([found[k] for k in sorted(found)])


# -- SequenceExample ---------------------------------------------------------------------------------------------


def _frames(lists: Any, key: str) -> list[Any] | None:
    return list(lists[key].feature) if key in lists else None


def _sequence_dense(lists: Any, spec: Dense, may_be_missing: bool, name: str) -> Array:
    """A feature list whose frames all have the shape of the spec."""
    frames = _frames(lists, spec.key)
    if frames is None:
        if not may_be_missing:
            raise error(
                f"Name: {name}, Feature list '{spec.key}' is required but could not be found.  Did you mean to include it in "
                "feature_list_dense_missing_assumed_empty or feature_list_dense_defaults?"
            )
        frames = []
    kind = examples.KINDS.get(spec.dtype)
    cells = []
    for i, frame in enumerate(frames):
        found = examples.kind_of(frame)
        if found is None or found != kind:
            shown = schema.to_text(frame).strip() or "empty"
            raise error(
                f"Name: {name}, Feature list: {spec.key}, Index: {i}.  Data types don't match. "
                f"Expected type: {rows.type_text(spec.dtype)}  Feature is: {shown}"
            )
        values = examples.values_of(frame, found)
        if len(values) != math.prod(spec.sizes):
            raise error(
                f"Name: {name}, Key: {spec.key}, Index: {i}.  Number of {rows.type_text(spec.dtype)} values != expected.  "
                f"values size: {len(values)} but output shape: {rows.shape_text(spec.dims)}"
            )
        cells.append(values.reshape(spec.sizes))
    return rows.stack(cells) if cells else rows.empty(spec.dtype, spec.dims)


def _sequence_vectors(lists: Any, spec: Sparse, name: str) -> list[Array]:
    """The frames of a feature list as vectors of any length."""
    where = f"Name: {name}, Feature list: {spec.key}, "
    return [
        examples.sparse_values({spec.key: frame}, spec.key, spec.dtype, f"{where}Index: {i}.  ")
        for i, frame in enumerate(_frames(lists, spec.key) or [])
    ]


def _context_dense(context: Any, spec: Dense, name: str) -> Array:
    if examples.kind_of(context.get(spec.key)) is None and not spec.default.size:
        raise error(f"Name: {name}, Context feature '{spec.key}' is required but could not be found.")
    try:
        return examples.dense_values(context, spec, f"Name: {name}, Key: {spec.key}, Index: 0.  ", f"Name: {name}, ")
    except InvalidArgumentError as e:
        raise error(e.message.replace("Values size", "values size")) from e


@host("ParseSingleSequenceExample")
def parse_single_sequence_example(run: Run, node: Node, *inputs: Any) -> Row:
    slices = node.opdef.input_slices(node.attr)  # type: ignore[union-attr]
    given: dict[str, Any] = {n: (inputs[i:j] if arg.is_list else inputs[i]) for n, (arg, i, j) in slices.items()}
    a = node.attr
    name = rows.name_of(given["debug_name"]) if given["debug_name"].size else ""
    message = examples.parse("SequenceExample", given["serialized"].item())
    context, lists = message.context.feature, message.feature_lists.feature_list
    empty = set(_keys(given["feature_list_dense_missing_assumed_empty"]))
    context_sparse = [
        examples.sparse_values(context, k, t, f"Name: {name}, Context feature: {k}.  ")
        for k, t in zip(_keys(given["context_sparse_keys"]), a["context_sparse_types"], strict=True)
    ]
    context_dense = [
        _context_dense(context, examples.dense(k, t, s, d), name)
        for k, t, s, d in zip(
            _keys(given["context_dense_keys"]), a["Tcontext_dense"], a["context_dense_shapes"], given["context_dense_defaults"], strict=True
        )
    ]
    list_sparse = [
        examples.ragged_to_sparse(_sequence_vectors(lists, Sparse(k, t), name), t)
        for k, t in zip(_keys(given["feature_list_sparse_keys"]), a["feature_list_sparse_types"], strict=True)
    ]
    none = np.empty(0, np.float32)
    list_dense = [
        _sequence_dense(lists, Dense(k, t, s, none), k in empty, name)
        for k, t, s in zip(
            _keys(given["feature_list_dense_keys"]), a["feature_list_dense_types"], a["feature_list_dense_shapes"], strict=True
        )
    ]
    places = [_vector_places(v) for v in context_sparse]
    return (
        *[p[0] for p in places], *context_sparse, *[p[1] for p in places], *context_dense,
        *[t[j] for j in range(3) for t in list_sparse], *list_dense,
    )  # fmt: skip


@host("ParseSequenceExample")
def parse_sequence_example(run: Run, node: Node, serialized: Array, debug_name: Array, *defaults: Array) -> Row:
    a = node.attr
    return _parse_sequences(
        node, serialized, debug_name, defaults, _keys(a["context_sparse_keys"]), _keys(a["context_dense_keys"]), _keys(a["feature_list_sparse_keys"]),
        _keys(a["feature_list_dense_keys"]), set(_keys(a["feature_list_dense_missing_assumed_empty"])),
    )  # fmt: skip


@host("ParseSequenceExampleV2")
def parse_sequence_example_v2(
    run: Run, node: Node, serialized: Array, debug_name: Array, context_sparse_keys: Array, context_dense_keys: Array, context_ragged_keys: Array,
    list_sparse_keys: Array, list_dense_keys: Array, list_ragged_keys: Array, missing_assumed_empty: Array, *defaults: Array,
) -> Row:  # fmt: skip
    if context_ragged_keys.size or list_ragged_keys.size:
        raise error(f"Node {node.name!r} parses ragged features of SequenceExamples, which were added after TensorFlow 1.15.")
    list_keys = _keys(list_dense_keys)
    empty = {k for k, may in zip(list_keys, missing_assumed_empty.tolist(), strict=True) if may}
    return _parse_sequences(
        node, np.atleast_1d(serialized), debug_name, defaults, _keys(context_sparse_keys), _keys(context_dense_keys), _keys(list_sparse_keys),
        list_keys, empty,
    )  # fmt: skip


def _parse_sequences(
    node: Node, serialized: Array, names: Array, defaults: Sequence[Array], context_sparse_keys: list[str], context_dense_keys: list[str],
    list_sparse_keys: list[str], list_dense_keys: list[str], empty: set[str],
) -> Row:  # fmt: skip
    """SequenceExamples as one batch, their frames padded with zeros."""
    a = node.attr
    messages = [examples.parse("SequenceExample", s) for s in serialized.tolist()]
    titles = [rows.name_of(names[i]) if i < names.size else "<unknown>" for i in range(len(messages))]
    triples, dense_outputs, list_triples, list_outputs, lengths = [], [], [], [], []
    for key, dtype in zip(context_sparse_keys, a["context_sparse_types"], strict=True):
        cells = [
            examples.sparse_values(m.context.feature, key, dtype, f"Name: {n}, Context feature: {key}.  ")
            for m, n in zip(messages, titles, strict=True)
        ]
        triples.append(examples.ragged_to_sparse(cells, dtype))
    for key, dtype, dims, default in zip(context_dense_keys, a["Tcontext_dense"], a["context_dense_shapes"], defaults, strict=True):
        spec = examples.dense(key, dtype, dims, default)
        cells = [_context_dense(m.context.feature, spec, n) for m, n in zip(messages, titles, strict=True)]
        if spec.is_variable:
            dense_outputs.append(examples.padded(cells, spec))
        else:
            dense_outputs.append(rows.stack(cells) if cells else rows.empty(dtype, dims))
    for key, dtype in zip(list_sparse_keys, a["feature_list_sparse_types"], strict=True):
        frames = [_sequence_vectors(m.feature_lists.feature_list, Sparse(key, dtype), n) for m, n in zip(messages, titles, strict=True)]
        list_triples.append(_sparse_frames(frames, dtype))
    none = np.empty(0, np.float32)
    for key, dtype, dims in zip(list_dense_keys, a["feature_list_dense_types"], a["feature_list_dense_shapes"], strict=True):
        spec = Dense(key, dtype, dims, none)
        cells = [_sequence_dense(m.feature_lists.feature_list, spec, key in empty, n) for m, n in zip(messages, titles, strict=True)]
        longest = max((len(c) for c in cells), default=0)
        shape = (longest, *[d or 0 for d in dims])
        fill = rows.blank(dtype.as_numpy_dtype)
        list_outputs.append(rows.stack_padded(cells, shape, fill) if cells else np.empty((0, *shape), dtype.as_numpy_dtype))
        lengths.append(np.array([len(c) for c in cells], np.int64))
    return (
        *[t[j] for j in range(3) for t in triples], *dense_outputs, *[t[j] for j in range(3) for t in list_triples], *list_outputs, *lengths,
    )  # fmt: skip


def _sparse_frames(frames: Sequence[Sequence[Array]], dtype: DType) -> tuple[Array, Array, Array]:
    """Vectors by example and frame as the parts of a sparse tensor of rank 3."""
    places = [(i, j, k) for i, example in enumerate(frames) for j, values in enumerate(example) for k in range(len(values))]
    flat = [values for example in frames for values in example]
    shape = [len(frames), max((len(e) for e in frames), default=0), max((len(v) for v in flat), default=0)]
    values = np.concatenate(flat) if flat else np.empty(0, dtype.as_numpy_dtype)
    return np.array(places, np.int64).reshape(-1, 3), values, np.array(shape, np.int64)


# -- JSON and serialized tensors ---------------------------------------------------------------------------------


@host("DecodeJSONExample")
def decode_json_example(run: Run, node: Node, documents: Array) -> Array:
    made = []
    for document in documents.ravel().tolist():
        message = schema.message("Example")()
        try:
            json_format.Parse(document, message)
        except (json_format.ParseError, UnicodeDecodeError) as e:
            raise error(f"Error while parsing JSON: {e}") from e
        made.append(message.SerializeToString(deterministic=True))
    return rows.texts(made).reshape(documents.shape)


def _serialized(value: Array, dtype: DType) -> bytes:
    data: bytes = tensor.to_proto(value, dtype).SerializeToString()
    return data


def _deserialized(data: bytes, dtype: DType) -> Array:
    try:
        proto = schema.parse("TensorProto", data)
        value = tensor.to_array(proto)
    except FormatError as e:
        raise error(f"Cannot parse tensor from proto: {e}") from e
    found = tensor.dtype_of(proto.dtype, "A serialized tensor")
    if found is not dtype.base_dtype:
        raise error(f"Type mismatch between parsed tensor ({rows.type_text(found)}) and dtype ({rows.type_text(dtype)})")
    return value


@host("SerializeTensor")
def serialize_tensor(run: Run, node: Node, value: Array) -> Array:
    return rows.text(_serialized(value, node.attr["T"]))


@host("ParseTensor")
def parse_tensor(run: Run, node: Node, serialized: Array) -> Array:
    return _deserialized(serialized.item(), node.attr["out_type"])


# -- sparse tensors as vectors of three --------------------------------------------------------------------------


def _packed(node: Node, indices: Array, values: Array, shape: Array) -> Array:
    """Indices, values and shape as one vector: of serialized tensors, or of variants that hold them."""
    if node.attr.get("out_type") is variant:
        return rows.objects([indices, values, shape])
    return rows.texts([_serialized(indices, int64), _serialized(values, node.attr["T"]), _serialized(shape, int64)])


@host("SerializeSparse")
def serialize_sparse(run: Run, node: Node, indices: Array, values: Array, shape: Array) -> Array:
    return _packed(node, indices, values, shape)


@host("SerializeManySparse")
def serialize_many_sparse(run: Run, node: Node, indices: Array, values: Array, shape: Array) -> Array:
    """One row for each slice of the first dimension."""
    if len(shape) < 2:
        raise error(f"Rank of input SparseTensor should be > 1, but saw rank: {len(shape)}")
    count = int(shape[0])
    bounds = np.searchsorted(indices[:, 0], np.arange(count + 1))
    packed = np.empty((count, 3), np.object_)
    for i in range(count):
        part = slice(bounds[i], bounds[i + 1])
        packed[i, :] = _packed(node, np.ascontiguousarray(indices[part, 1:]), values[part], shape[1:].copy())
    return packed


@host("DeserializeSparse", "DeserializeManySparse")
def deserialize_sparse(run: Run, node: Node, serialized: Array) -> tuple[Array, Array, Array]:
    """Sparse tensors stacked along new first dimensions; the shape is that of the largest."""
    dtype = node.attr["dtype"]
    if serialized.ndim < 1 or serialized.shape[-1] != 3:
        raise error(f"Serialized sparse should have 3 columns, got shape {rows.shape_text(serialized.shape)}")
    outer = serialized.shape[:-1]

    def part(cell: Any, wanted: DType) -> Array:
        return cell if isinstance(cell, np.ndarray) else _deserialized(cell, wanted)

    triples = [(part(i, int64), part(v, dtype), part(s, int64)) for i, v, s in serialized.reshape(-1, 3)]
    if not outer:
        return triples[0]
    if not triples:
        raise error("Must have at least 1 serialized SparseTensor, has 0 element(s)")
    ranks = {len(s) for _, _, s in triples}
    if len(ranks) != 1:
        raise error(f"Inconsistent shape across SparseTensors: their ranks are {sorted(ranks)}.")
    prefixes = np.stack(np.unravel_index(np.arange(len(triples)), outer), 1).astype(np.int64)
    indices = np.concatenate(
        [np.concatenate([np.broadcast_to(p, (len(i), len(outer))), i], axis=1) for p, (i, _, _) in zip(prefixes, triples, strict=True)]
    )
    values = np.concatenate([v for _, v, _ in triples])
    largest = np.max([s for _, _, s in triples], axis=0)
    return indices, values, np.concatenate([np.array(outer, np.int64), largest])
