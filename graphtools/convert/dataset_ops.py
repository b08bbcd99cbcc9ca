"""Ops that bring data in from outside the graph: a model has inputs instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphtools.convert import converts
from graphtools.errors import ConversionError

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder
    from graphtools.convert.walk import NodeView

# What takes data out of a queue, a reader or a dataset.
SOURCES = (
    "BarrierTakeMany", "FixedLengthRecordReaderV2", "IteratorGetNext", "IteratorGetNextAsOptional", "IteratorGetNextSync", "OneShotIterator",
    "QueueDequeue", "QueueDequeueMany", "QueueDequeueManyV2", "QueueDequeueUpTo", "QueueDequeueUpToV2", "QueueDequeueV2", "ReadFile", "ReaderRead",
    "ReaderReadUpTo", "ReaderReadUpToV2", "ReaderReadV2", "StagePeek", "Unstage",
)  # fmt: skip
# The handles of these.
HANDLES = (
    "AnonymousIterator", "AnonymousIteratorV2", "Barrier", "FIFOQueue", "FIFOQueueV2", "Iterator", "IteratorFromStringHandle", "IteratorFromStringHandleV2", "IteratorV2",
    "PaddingFIFOQueue", "PaddingFIFOQueueV2", "PriorityQueue", "PriorityQueueV2", "RandomShuffleQueue", "RandomShuffleQueueV2",
)  # fmt: skip


@converts(*SOURCES)
def source(op: Builder, node: NodeView) -> Any:
    names = ", ".join(repr(t.name) for t in node.outputs)
    raise ConversionError(
        f"Node {node.name!r} ({node.op}) takes its data from a queue, file or dataset, which a model does not have: name what it gives ({names}) among the inputs."
    )


@converts(*HANDLES)
def handle(op: Builder, node: NodeView) -> Any:
    return node.name
