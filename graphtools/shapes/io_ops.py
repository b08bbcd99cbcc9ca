"""Static shapes of readers, files, queues, tables, staging areas, records and summaries."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphtools.graph import Dims, Node
from graphtools.shapes import shape

# Every output is a scalar: handles that are resources, counts, names and serialized protos.
SCALARS = (
    "AccumulatorNumAccumulated", "AddSparseToTensorsMap", "AnonymousHashTable", "AudioSummary", "AudioSummaryV2", "BarrierIncompleteSize", "BarrierReadySize", "FIFOQueueV2",
    "FixedLengthRecordReaderV2", "GetSessionHandle", "GetSessionHandleV2", "HashTableV2", "HistogramSummary", "IdentityReaderV2", "ImageSummary", "LookupTableSize",
    "LookupTableSizeV2", "MapIncompleteSize", "MapSize", "MergeSummary", "MutableDenseHashTableV2", "MutableHashTableOfTensorsV2", "MutableHashTableV2", "MutexLock",
    "MutexV2", "OrderedMapIncompleteSize", "OrderedMapSize", "PaddingFIFOQueueV2", "PriorityQueueV2", "QueueIsClosed", "QueueIsClosedV2", "QueueSize", "QueueSizeV2",
    "RandomShuffleQueueV2", "ReadFile", "ReaderNumRecordsProduced", "ReaderNumRecordsProducedV2", "ReaderNumWorkUnitsCompleted", "ReaderNumWorkUnitsCompletedV2",
    "ReaderRead", "ReaderReadV2", "ReaderSerializeState", "ReaderSerializeStateV2", "ResourceAccumulatorNumAccumulated", "ResourceConditionalAccumulator",
    "ResourceCountUpTo", "ScalarSummary", "SerializeTensor", "ShardedFilename", "ShardedFilespec", "StageSize", "SummaryWriter", "TFRecordReaderV2", "TensorSummary",
    "TensorSummaryV2", "TextLineReaderV2", "Timestamp", "WholeFileReaderV2",
)  # fmt: skip

# Handles that are references to two strings.
PAIRS = (
    "Barrier", "ConditionalAccumulator", "FIFOQueue", "FixedLengthRecordReader", "HashTable", "IdentityReader", "LMDBReader", "MutableDenseHashTable", "MutableHashTable",
    "MutableHashTableOfTensors", "PaddingFIFOQueue", "PriorityQueue", "RandomShuffleQueue", "SparseConditionalAccumulator", "TFRecordReader", "TextLineReader",
    "WholeFileReader",
)  # fmt: skip

# Every output is a vector of unknown length.
VECTORS = ("AddManySparseToTensorsMap", "MatchingFiles", "ReaderReadUpTo", "ReaderReadUpToV2", "RecordInput")


def _all(dims: Dims) -> Callable[[Node], Sequence[Dims]]:
    return lambda node: [dims] * len(node.outputs)


shape(*SCALARS)(_all(()))
shape(*PAIRS)(_all((2,)))
shape(*VECTORS)(_all((None,)))


@shape("DecodeRaw", "DecodePaddedRaw")
def decode_raw(node: Node) -> Sequence[Dims]:
    dims = node.inputs[0].dims
    return [None if dims is None else (*dims, None)]


@shape("DecodeJSONExample")
def decode_json_example(node: Node) -> Sequence[Dims]:
    return [node.inputs[0].dims]


# -- queues ----------------------------------------------------------------------------------------------------------------


def _elements(node: Node) -> list[Dims]:
    """The shapes that the queue behind a dequeue declares, unknown where it declares none."""
    source = node.inputs[0].node
    found = list(source.attr.get("shapes") or [])
    if found and source.op.startswith("PriorityQueue"):
        found.insert(0, ())
    return found if len(found) == len(node.outputs) else [None] * len(node.outputs)


@shape("QueueDequeue", "QueueDequeueV2")
def queue_dequeue(node: Node) -> Sequence[Dims]:
    return _elements(node)


@shape("QueueDequeueMany", "QueueDequeueManyV2")
def queue_dequeue_many(node: Node) -> Sequence[Dims]:
    from graphtools.constant import constant

    n = constant(node.inputs[1])
    return [None if d is None else (None if n is None or n.ndim else int(n), *d) for d in _elements(node)]


@shape("QueueDequeueUpTo", "QueueDequeueUpToV2")
def queue_dequeue_up_to(node: Node) -> Sequence[Dims]:
    return [None if d is None else (None, *d) for d in _elements(node)]


# -- tables ----------------------------------------------------------------------------------------------------------------


@shape("LookupTableFind", "LookupTableFindV2")
def lookup_table_find(node: Node) -> Sequence[Dims]:
    """A value for each key; tables of tensors have values of more dimensions, and keys that may have some."""
    keys, table = node.inputs[1].dims, node.inputs[0].node
    if table.op.startswith("MutableHashTableOfTensors"):
        value = table.attr.get("value_shape")
        return [None if keys is None or value is None else (*keys, *value)]
    if table.op.startswith(("HashTable", "MutableHashTable", "AnonymousHashTable")):
        return [keys]
    if table.op.startswith("MutableDenseHashTable"):
        value = table.attr.get("value_shape")
        return [None if keys is None or value is None else (*keys, *value)]
    return [None]


@shape("LookupTableExport", "LookupTableExportV2")
def lookup_table_export(node: Node) -> Sequence[Dims]:
    table = node.inputs[0].node
    is_scalar = table.op.startswith(("HashTable", "MutableHashTable")) and not table.op.startswith("MutableHashTableOfTensors")
    return [(None,), (None,)] if is_scalar else [None, None]


# -- Examples --------------------------------------------------------------------------------------------------------------


def _by_output(node: Node, of: dict[str, Callable[[int], Dims]]) -> list[Dims]:
    """The dims of each output: `of` has a function of the position for each output argument."""
    found: list[Dims] = []
    opdef = node.opdef
    for arg in opdef.outputs if opdef is not None else ():
        function = of.get(arg.name)
        found.extend(function(i) if function is not None else None for i in range(len(arg.types(node.attr))))
    return found


def _sparse(rank: int, prefix: str = "") -> dict[str, Callable[[int], Dims]]:
    return {
        f"{prefix}sparse_indices": lambda i: (None, rank),
        f"{prefix}sparse_values": lambda i: (None,),
        f"{prefix}sparse_shapes": lambda i: (rank,),
    }


def _dense(node: Node, key: str, *before: int | None) -> Callable[[int], Dims]:
    shapes = node.attr.get(key) or []
    return lambda i: None if i >= len(shapes) or shapes[i] is None else (*before, *shapes[i])


def _batch(node: Node) -> int | None:
    dims = node.inputs[0].dims
    return dims[0] if dims else None


@shape("ParseExample")
def parse_example(node: Node) -> Sequence[Dims]:
    return _by_output(node, {**_sparse(2), "dense_values": _dense(node, "dense_shapes", _batch(node))})


@shape("ParseSingleExample")
def parse_single_example(node: Node) -> Sequence[Dims]:
    return _by_output(node, {**_sparse(1), "dense_values": _dense(node, "dense_shapes")})


@shape("ParseSingleSequenceExample")
def parse_single_sequence_example(node: Node) -> Sequence[Dims]:
    return _by_output(
        node,
        {
            **_sparse(1, "context_"), "context_dense_values": _dense(node, "context_dense_shapes"), **_sparse(2, "feature_list_"),
            "feature_list_dense_values": _dense(node, "feature_list_dense_shapes", None),
        },
    )  # fmt: skip


@shape("ParseSequenceExample")
def parse_sequence_example(node: Node) -> Sequence[Dims]:
    batch = _batch(node)
    return _by_output(
        node,
        {
            **_sparse(2, "context_"), "context_dense_values": _dense(node, "context_dense_shapes", batch), **_sparse(3, "feature_list_"),
            "feature_list_dense_values": _dense(node, "feature_list_dense_shapes", batch, None), "feature_list_dense_lengths": lambda i: (batch,),
        },
    )  # fmt: skip
