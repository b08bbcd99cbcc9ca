"""Static shapes of datasets and iterators."""

from __future__ import annotations

from collections.abc import Sequence

from graphtools import opdefs
from graphtools.graph import Dims, Node
from graphtools.shapes import SHAPES, shape

# Iterators and optional rows; every dataset is one variant too.
HANDLES = (
    "AnonymousIterator", "AnonymousIteratorV2", "AnonymousIteratorV3", "DatasetFromGraph", "Iterator", "IteratorFromStringHandle", "IteratorFromStringHandleV2",
    "IteratorGetNextAsOptional", "IteratorV2", "MultiDeviceIterator", "MultiDeviceIteratorFromStringHandle", "OneShotIterator", "OptionalFromValue", "OptionalNone",
)  # fmt: skip
ELEMENTS = (
    "DatasetToSingleElement",
    "IteratorGetNext",
    "IteratorGetNextSync",
    "MultiDeviceIteratorGetNextFromShard",
    "OptionalGetValue",
    "ReduceDataset",
)


def _datasets() -> list[str]:
    return [n for n in opdefs.names() if n.rstrip("V234").endswith("Dataset") and n not in ELEMENTS and n not in SHAPES]


@shape(*HANDLES, *_datasets())
def handle(node: Node) -> Sequence[Dims]:
    return [()] * len(node.outputs)


@shape(*ELEMENTS)
def elements(node: Node) -> Sequence[Dims]:
    found = list(node.attr.get("output_shapes") or [])
    return found if len(found) == len(node.outputs) else [None] * len(node.outputs)


@shape(
    "IteratorToStringHandle",
    "OptionalHasValue",
    "DatasetCardinality",
    "ExperimentalDatasetCardinality",
    "IteratorGetDevice",
    "MultiDeviceIteratorInit",
    "MultiDeviceIteratorToStringHandle",
)
def scalar(node: Node) -> Sequence[Dims]:
    return [()] * len(node.outputs)
