"""MetaGraphDef, binary and text <-> Graph: collections and signatures beside the nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from graphtools.errors import FormatError
from graphtools.formats import graphdef, schema
from graphtools.graph import Graph, Signature

_SESSION_BUNDLE = "serving_signatures"

# What the byte strings of these collections are messages of.
MESSAGES = {
    "cond_context": "CondContextDef",
    "critical_sections": "CriticalSectionDef",
    "global_step": "VariableDef",
    "global_step_read_op_cache": "",
    "local_variables": "VariableDef",
    "losses": "",
    "metric_variables": "VariableDef",
    "model_variables": "VariableDef",
    "moving_average_variables": "VariableDef",
    "queue_runners": "QueueRunnerDef",
    "savers": "SaverDef",
    "trainable_resource_variables": "VariableDef",
    "trainable_variables": "VariableDef",
    "variables": "VariableDef",
    "while_context": "WhileContextDef",
}


class Collection(Sequence[Any]):
    """A collection as a file has it: `kind` of its entries ("node", "bytes", "int64", "float", "any") and the `raw` ones.

    As a sequence it has the entries decoded: messages where the collection is known to hold them.
    """

    def __init__(self, name: str, kind: str, raw: Sequence[Any]) -> None:
        self.name = name
        self.kind = kind
        self.raw = list(raw)
        self._decoded: list[Any] | None = None

    def _entries(self) -> list[Any]:
        if self._decoded is None:
            self._decoded = [self._decode(entry, i) for i, entry in enumerate(self.raw)]
        return self._decoded

    def _decode(self, entry: Any, number: int) -> Any:
        what = f"Entry {number} of the collection {self.name!r}"
        if self.kind == "bytes" and MESSAGES.get(self.name):
            return schema.parse(MESSAGES[self.name], entry, what=what)
        if self.kind == "any":
            known = entry.type_url.rpartition("/")[2].rpartition(".")[2]
            if known in schema.names():
                return schema.parse(known, entry.value, what=what)
        return entry

    def __getitem__(self, index: Any) -> Any:
        return self._entries()[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._entries())

    def __len__(self) -> int:
        return len(self.raw)

    def __repr__(self) -> str:
        return f"Collection({self.name!r}, {self.kind!r}, {len(self.raw)} entries)"


def read(data: bytes | memoryview, *, signature: str | None = None, what: str = "MetaGraphDef", offset: int = 0) -> Graph:
    """The graph in the bytes of a binary MetaGraphDef. Raises FormatError."""
    view = memoryview(data)
    at, end = 0, len(view)
    graph: Graph | None = None
    rest: list[bytes] = []
    try:
        while at < end:
            number, wire, start, stop = schema.field_at(view, at, end)
            if number == 2 and wire == 2:
                if graph is not None:
                    raise FormatError(f"{what} has a second graph at byte {offset + at}; one was expected.")
                graph = graphdef.read(view[start:stop], what=what, offset=offset + start)
            else:
                rest.append(bytes(view[at:stop]))
            at = stop
    except schema.WireError as e:
        raise FormatError(f"{what} is damaged at byte {offset + e.args[0]}: {e.args[1]}.") from e
    if graph is None:
        raise FormatError(f"{what} has no graph.")
    return _complete(graph, schema.parse("MetaGraphDef", b"".join(rest), what=what, offset=offset), signature, what)


def read_text(text: str | bytes, *, signature: str | None = None, what: str = "MetaGraphDef") -> Graph:
    """The graph in the text form of a MetaGraphDef. Raises FormatError."""
    return from_message(schema.parse_text("MetaGraphDef", text, what=what), signature=signature, what=what)


def from_message(message: Any, *, signature: str | None = None, what: str = "MetaGraphDef") -> Graph:
    """The graph of a MetaGraphDef message. Raises FormatError."""
    graph = graphdef.from_message(message.graph_def)
    rest = type(message)()
    rest.CopyFrom(message)
    rest.ClearField("graph_def")
    return _complete(graph, rest, signature, what)


def _complete(graph: Graph, meta: Any, signature: str | None, what: str) -> Graph:
    """Put what a MetaGraphDef says beside its nodes into the graph."""
    for name in sorted(meta.collection_def):
        value = meta.collection_def[name]
        kind = value.WhichOneof("kind")
        graph.collections[name] = Collection(name, (kind or "node_list").removesuffix("_list"), getattr(value, kind).value if kind else ())
    for name in sorted(meta.signature_def):
        graph.signatures[name] = _signature(meta.signature_def[name])
    for entry in graph.collections.get(_SESSION_BUNDLE, ()):
        if hasattr(entry, "named_signatures"):
            graph.signatures = _session_bundle(entry) | graph.signatures
    graph.signature = choose_signature(graph.signatures, signature, what)
    meta.ClearField("collection_def")
    meta.ClearField("signature_def")
    graph.meta = meta
    return graph


def _signature(message: Any) -> Signature:
    return Signature(_names(message.inputs), _names(message.outputs), message.method_name)


def _session_bundle(message: Any) -> dict[str, Signature]:
    """The signatures of a Session Bundle, the export format before SavedModel."""
    found = {name: _bundle_signature(message.named_signatures[name]) for name in sorted(message.named_signatures)}
    if message.HasField("default_signature"):
        found["serving_default"] = _bundle_signature(message.default_signature)
    elif {"inputs", "outputs"} <= set(found):  # one signature in two, as exporters wrote it
        found["serving_default"] = Signature(found["inputs"].inputs, found["outputs"].inputs)
    return found


def _bundle_signature(message: Any) -> Signature:
    kind = message.WhichOneof("type")
    if kind == "regression_signature":
        regression = message.regression_signature
        return Signature({"inputs": regression.input.tensor_name}, {"outputs": regression.output.tensor_name}, "tensorflow/serving/regress")
    if kind == "classification_signature":
        part = message.classification_signature
        outputs = {"classes": part.classes.tensor_name, "scores": part.scores.tensor_name}
        return Signature({"inputs": part.input.tensor_name}, {k: v for k, v in outputs.items() if v}, "tensorflow/serving/classify")
    bindings = message.generic_signature.map
    return Signature({alias: bindings[alias].tensor_name for alias in sorted(bindings)}, {})


def _names(infos: Any) -> dict[str, str]:
    """Alias -> tensor name; a sparse tensor is the three tensors it is made of."""
    names: dict[str, str] = {}
    for alias in sorted(infos):
        info = infos[alias]
        kind = info.WhichOneof("encoding")
        if kind == "coo_sparse":
            sparse = info.coo_sparse
            names[f"{alias}/indices"] = sparse.indices_tensor_name
            names[f"{alias}/values"] = sparse.values_tensor_name
            names[f"{alias}/dense_shape"] = sparse.dense_shape_tensor_name
        elif kind == "composite_tensor":
            names |= {f"{alias}/{i}": part.name for i, part in enumerate(info.composite_tensor.components)}
        else:
            names[alias] = info.name
    return names


def choose_signature(signatures: dict[str, Signature], wanted: str | None, what: str) -> Signature | None:
    """The signature asked for, else "serving_default", else the only one; None when several could be meant."""
    if wanted is not None:
        if wanted not in signatures:
            there = f"it has {', '.join(map(repr, sorted(signatures)))}" if signatures else "it has none"
            raise FormatError(f"{what} has no signature {wanted!r}; {there}.")
        return signatures[wanted]
    usable = {n: s for n, s in signatures.items() if not n.startswith("__saved_model_") and s.outputs}
    if "serving_default" in usable:
        return usable["serving_default"]
    return next(iter(usable.values())) if len(usable) == 1 else None


def write(graph: Graph) -> bytes:
    """The bytes of a binary MetaGraphDef with this graph, its collections and signatures."""
    data: bytes = to_message(graph).SerializeToString(deterministic=True)
    return data


def to_message(graph: Graph) -> Any:
    """The MetaGraphDef message of a graph."""
    message = schema.message("MetaGraphDef")()
    if graph.meta is not None:
        message.CopyFrom(graph.meta)
    message.graph_def.CopyFrom(graphdef.to_message(graph))
    for name, collection in graph.collections.items():
        getattr(message.collection_def[name], f"{collection.kind}_list").value.extend(collection.raw)
    for name, signature in graph.signatures.items():
        written = message.signature_def[name]
        written.method_name = signature.method
        for infos, names in ((written.inputs, signature.inputs), (written.outputs, signature.outputs)):
            for alias, tensor_name in names.items():
                _write_info(infos, alias, tensor_name, graph)
    return message


def _write_info(infos: Any, alias: str, tensor_name: str, graph: Graph) -> None:
    head, _, part = alias.rpartition("/")
    if head and part in ("indices", "values", "dense_shape"):
        info = infos[head]
        setattr(info.coo_sparse, f"{part}_tensor_name", tensor_name)
        if part != "values":
            return
    else:
        info = infos[alias]
        info.name = tensor_name
    try:
        found = graph.tensor(tensor_name)
    except (KeyError, ValueError, FormatError):
        return  # an op's name, or a signature for another graph
    info.dtype = found.dtype.as_datatype_enum
    from graphtools.formats.tensor import set_shape

    set_shape(info.tensor_shape, found.dims)
