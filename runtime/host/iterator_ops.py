"""Iterators over datasets: what a graph keeps between the runs that ask for the next row, and optional rows."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections import deque
from typing import Any

import numpy as np

from graphtools.formats import schema
from graphtools.graph import Node
from runtime.errors import FailedPreconditionError, InvalidArgumentError, OutOfRangeError
from runtime.host import Run, host, rows
from runtime.host.datasets import Context, Dataset, Rows, dataset_in
from runtime.host.rows import Array, Row

# The iterators that string handles stand for, by handle; a handle is a text that one session gets from another part of itself.
_BY_HANDLE: weakref.WeakValueDictionary[bytes, Any] = weakref.WeakValueDictionary()
_NUMBERS = itertools.count()


class IteratorResource:
    """The pass over a dataset that an iterator op stands for. `handle` is its text form."""

    def __init__(self, name: str, types: Any) -> None:
        self.types = list(types)
        self._rows: Rows | None = None
        self._context: Context | None = None
        self._lock = threading.RLock()
        self._number = next(_NUMBERS)
        self._name = name

    @property
    def handle(self) -> bytes:
        message = schema.message("ResourceHandleProto")(
            device="/job:localhost/replica:0/task:0/device:CPU:0", container="localhost", name=self._name, hash_code=self._number + 1,
            maybe_type_name="N10tensorflow4data16IteratorResourceE",
        )  # fmt: skip
        handle: bytes = message.SerializeToString()
        _BY_HANDLE[handle] = self
        return handle

    def start(self, run: Run, dataset: Dataset) -> None:
        context = Context(run)
        with self._lock:
            self._rows = dataset.iterate(context)
            self._context = context

    def next(self, run: Run) -> Row | None:
        """The next row, None at the end. Raises FailedPreconditionError before the first start."""
        with self._lock:
            if self._rows is None or self._context is None:
                raise FailedPreconditionError(
                    None,
                    None,
                    "GetNext() failed because the iterator has not been initialized. Ensure that you have run the initializer operation for this "
                    "iterator before getting the next element.",
                )
            self._context.run = run
            return next(self._rows, None)


@host("Iterator", "IteratorV2")
def iterator(run: Run, node: Node) -> IteratorResource:
    return run.resource(node, lambda: IteratorResource(node.name, node.attr["output_types"]))


@host("AnonymousIterator", "AnonymousIteratorV3")
def anonymous_iterator(run: Run, node: Node) -> IteratorResource:
    return IteratorResource(f"AnonymousIterator{next(_NUMBERS)}", node.attr["output_types"])


@host("AnonymousIteratorV2")
def anonymous_iterator_v2(run: Run, node: Node) -> tuple[IteratorResource, Any]:
    return IteratorResource(f"AnonymousIterator{next(_NUMBERS)}", node.attr["output_types"]), None


@host("DeleteIterator")
def delete_iterator(run: Run, node: Node, handle: Any, deleter: Any) -> tuple[()]:
    return ()


@host("OneShotIterator")
def one_shot_iterator(run: Run, node: Node) -> IteratorResource:
    """Starts by itself, once in a session; the dataset is what its factory function makes."""

    def make() -> IteratorResource:
        made = IteratorResource(node.name, node.attr["output_types"])
        made.start(run, dataset_in(run.call(node.attr["dataset_factory"], ())[0]))
        return made

    return run.resource(node, make)


@host("MakeIterator")
def make_iterator(run: Run, node: Node, dataset: Dataset, handle: IteratorResource) -> tuple[()]:
    handle.start(run, dataset_in(dataset))
    return ()


@host("IteratorGetNext", "IteratorGetNextSync")
def iterator_get_next(run: Run, node: Node, handle: IteratorResource) -> Row:
    row = handle.next(run)
    if row is None:
        raise OutOfRangeError(None, None, "End of sequence")
    _check_row(row, node)
    return row


def _check_row(row: Row, node: Node) -> None:
    types = node.attr["output_types"]
    if len(row) != len(types):
        raise InvalidArgumentError(None, None, f"Number of components does not match: expected {len(types)} types but got {len(row)}.")
    for i, (cell, dims) in enumerate(zip(row, node.attr["output_shapes"], strict=True)):
        if isinstance(cell, np.ndarray) and not rows.is_compatible(cell.shape, dims) and cell.dtype != np.object_:
            raise InvalidArgumentError(
                None,
                None,
                f"Incompatible shapes at component {i}: expected {rows.shape_text(dims)} but got {rows.shape_text(cell.shape)}.",
            )


@host("IteratorGetNextAsOptional")
def iterator_get_next_as_optional(run: Run, node: Node, handle: IteratorResource) -> Optional:
    return Optional(handle.next(run))


@host("IteratorToStringHandle")
def iterator_to_string_handle(run: Run, node: Node, handle: IteratorResource) -> Array:
    return rows.text(handle.handle)


@host("IteratorFromStringHandle", "IteratorFromStringHandleV2")
def iterator_from_string_handle(run: Run, node: Node, handle: Array) -> IteratorResource:
    found: IteratorResource = _find(handle, IteratorResource, node.attr.get("output_types") or [])
    return found


def _find(handle: Array, kind: type[Any], types: Any) -> Any:
    found = _BY_HANDLE.get(handle.item())
    if not isinstance(found, kind):
        raise InvalidArgumentError(
            None,
            None,
            f"Could not find an iterator for the string handle {handle.item()[:80]!r}; it may belong to a session that is closed.",
        )
    if types and found.types and [t.name for t in types] != [t.name for t in found.types]:
        raise InvalidArgumentError(
            None,
            None,
            f"Data type mismatch: the iterator gives {', '.join(t.name for t in found.types)}, but {', '.join(t.name for t in types)} were expected.",
        )
    return found


@host("IteratorGetDevice", "ExperimentalIteratorGetDevice")
def iterator_get_device(run: Run, node: Node, handle: Any) -> Array:
    return rows.text(b"/job:localhost/replica:0/task:0/device:CPU:0")


# -- optional rows -----------------------------------------------------------------------------------------------


class Optional:
    """A row that may not be there."""

    __slots__ = ("row",)

    def __init__(self, row: Row | None) -> None:
        self.row = row


@host("OptionalFromValue")
def optional_from_value(run: Run, node: Node, *components: Any) -> Optional:
    return Optional(components)


@host("OptionalNone")
def optional_none(run: Run, node: Node) -> Optional:
    return Optional(None)


@host("OptionalHasValue")
def optional_has_value(run: Run, node: Node, optional: Optional) -> Array:
    return np.array(optional.row is not None)


@host("OptionalGetValue")
def optional_get_value(run: Run, node: Node, optional: Optional) -> Row:
    if optional.row is None:
        raise InvalidArgumentError(None, None, "The given optional does not have a value.")
    return optional.row


# -- iterators of several devices --------------------------------------------------------------------------------


class MultiDeviceIterator:
    """Deals the rows of a dataset out to devices in turn."""

    def __init__(self, name: str, devices: Any, types: Any) -> None:
        self.types = list(types)
        self._source = IteratorResource(name, types)
        self._waiting: list[deque[Row | None]] = [deque() for _ in devices]
        self._turn = 0
        self._lock = threading.Lock()
        self.incarnation = 0

    @property
    def handle(self) -> bytes:
        handle = b"MultiDeviceIterator:" + self._source.handle
        _BY_HANDLE[handle] = self
        return handle

    def start(self, run: Run, dataset: Dataset) -> int:
        with self._lock:
            self._source.start(run, dataset)
            self._turn = 0
            for line in self._waiting:
                line.clear()
            self.incarnation += 1
            return self.incarnation

    def next(self, run: Run, shard: int) -> Row | None:
        with self._lock:
            while not self._waiting[shard]:
                row = self._source.next(run)
                if row is None:
                    return None
                self._waiting[self._turn].append(row)
                self._turn = (self._turn + 1) % len(self._waiting)
            return self._waiting[shard].popleft()


@host("MultiDeviceIterator")
def multi_device_iterator(run: Run, node: Node) -> MultiDeviceIterator:
    return run.resource(node, lambda: MultiDeviceIterator(node.name, node.attr["devices"], node.attr["output_types"]))


@host("MultiDeviceIteratorInit")
def multi_device_iterator_init(run: Run, node: Node, dataset: Dataset, handle: MultiDeviceIterator, max_buffer_size: Array) -> Array:
    return np.array(handle.start(run, dataset_in(dataset)), np.int64)


@host("MultiDeviceIteratorGetNextFromShard")
def multi_device_iterator_get_next_from_shard(run: Run, node: Node, handle: MultiDeviceIterator, shard: Array, incarnation: Array) -> Row:
    row = handle.next(run, int(shard))
    if row is None:
        raise OutOfRangeError(None, None, "End of sequence")
    return row


@host("MultiDeviceIteratorToStringHandle")
def multi_device_iterator_to_string_handle(run: Run, node: Node, handle: MultiDeviceIterator) -> Array:
    return rows.text(handle.handle)


@host("MultiDeviceIteratorFromStringHandle")
def multi_device_iterator_from_string_handle(run: Run, node: Node, handle: Array) -> MultiDeviceIterator:
    found: MultiDeviceIterator = _find(handle, MultiDeviceIterator, node.attr.get("output_types") or [])
    return found
