"""Queues, stacks, session tensors, dynamic partitions' relatives that hold state: what TensorFlow keeps in data_flow_ops."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphtools.dtypes import int64
from graphtools.graph import Node
from runtime.errors import InvalidArgumentError, NotFoundError, UnimplementedError
from runtime.host import Run, host, rows
from runtime.host.queues import PaddingQueue, PriorityQueue, Queue, ShuffleQueue, resource_name
from runtime.host.rows import Array

# -- queues ------------------------------------------------------------------------------------------------------


def _shared_queue(queue: Any, node: Node, kind: str, types: Sequence[Any], shapes: Sequence[Any]) -> Queue:
    """The queue, if it is what this node asks for: a node may name one that another node made."""
    name = node.attr.get("shared_name") or node.name
    if not isinstance(queue, Queue) or queue.kind != kind:
        found = queue.kind if isinstance(queue, Queue) else type(queue).__name__
        raise InvalidArgumentError(
            None, None, f"Shared queue '{name}' has type '{found}' that does not match type of Node '{node.name}': {kind}"
        )
    if queue.types != list(types):
        raise InvalidArgumentError(
            None,
            None,
            f"Shared queue '{name}' has component types {_names(queue.types)} but requested component types were {_names(types)}",
        )
    if queue.shapes != list(shapes):
        raise InvalidArgumentError(
            None,
            None,
            f"Shared queue '{name}' has component shapes {_shapes(queue.shapes)} but requested component shapes were {_shapes(shapes)}",
        )
    return queue


def _names(types: Sequence[Any]) -> str:
    return ", ".join(t.name for t in types)


def _shapes(shapes: Sequence[Any]) -> str:
    return "[" + ", ".join(rows.shape_text(s) for s in shapes) + "]"


@host("FIFOQueue", "FIFOQueueV2")
def fifo_queue(run: Run, node: Node) -> Queue:
    a = node.attr
    queue = run.resource(node, lambda: Queue(resource_name(node), a["component_types"], a["shapes"], a["capacity"]))
    return _shared_queue(queue, node, Queue.kind, a["component_types"], a["shapes"])


@host("PaddingFIFOQueue", "PaddingFIFOQueueV2")
def padding_queue(run: Run, node: Node) -> Queue:
    a = node.attr
    queue = run.resource(node, lambda: PaddingQueue(resource_name(node), a["component_types"], a["shapes"], a["capacity"]))
    return _shared_queue(queue, node, PaddingQueue.kind, a["component_types"], a["shapes"])


@host("RandomShuffleQueue", "RandomShuffleQueueV2")
def shuffle_queue(run: Run, node: Node) -> Queue:
    a = node.attr

    def make() -> Queue:
        capacity, minimum = a["capacity"], a["min_after_dequeue"]
        if 0 <= capacity <= minimum:
            raise InvalidArgumentError(None, None, f"min_after_dequeue {minimum} must be < capacity {capacity}")
        return ShuffleQueue(resource_name(node), a["component_types"], a["shapes"], capacity, minimum, (a["seed"], a["seed2"]))

    return _shared_queue(run.resource(node, make), node, ShuffleQueue.kind, a["component_types"], a["shapes"])


@host("PriorityQueue", "PriorityQueueV2")
def priority_queue(run: Run, node: Node) -> Queue:
    """The queue's first component, the priority, is not among the node's component types."""
    a = node.attr
    types = [int64, *a["component_types"]]
    shapes = [(), *a["shapes"]]
    queue = run.resource(node, lambda: PriorityQueue(resource_name(node), types, shapes, a["capacity"]))
    return _shared_queue(queue, node, PriorityQueue.kind, types, shapes)


def _refuse_timeout(node: Node) -> None:
    if node.attr.get("timeout_ms", -1) != -1:
        raise InvalidArgumentError(None, None, "Timeout not supported yet.")


@host("QueueEnqueue", "QueueEnqueueV2")
def queue_enqueue(run: Run, node: Node, queue: Queue, *components: Array) -> tuple[()]:
    _refuse_timeout(node)
    queue.enqueue(run, components)
    return ()


@host("QueueEnqueueMany", "QueueEnqueueManyV2")
def queue_enqueue_many(run: Run, node: Node, queue: Queue, *components: Array) -> tuple[()]:
    _refuse_timeout(node)
    queue.enqueue_many(run, components)
    return ()


@host("QueueDequeue", "QueueDequeueV2")
def queue_dequeue(run: Run, node: Node, queue: Queue) -> tuple[Any, ...]:
    _refuse_timeout(node)
    _check_types(node, queue)
    return tuple(queue.dequeue(run))


@host("QueueDequeueMany", "QueueDequeueManyV2")
def queue_dequeue_many(run: Run, node: Node, queue: Queue, n: Array) -> tuple[Any, ...]:
    _refuse_timeout(node)
    _check_types(node, queue)
    return tuple(queue.dequeue_many(run, int(n)))


@host("QueueDequeueUpTo", "QueueDequeueUpToV2")
def queue_dequeue_up_to(run: Run, node: Node, queue: Queue, n: Array) -> tuple[Any, ...]:
    _refuse_timeout(node)
    _check_types(node, queue)
    return tuple(queue.dequeue_many(run, int(n), True))


def _check_types(node: Node, queue: Queue) -> None:
    wanted = node.attr["component_types"]
    if wanted != queue.types:
        raise InvalidArgumentError(
            None, None, f"Expected to dequeue {_names(wanted)}, but queue '{queue.name}' has component types {_names(queue.types)}."
        )


@host("QueueClose", "QueueCloseV2")
def queue_close(run: Run, node: Node, queue: Queue) -> tuple[()]:
    queue.close(run, node.attr["cancel_pending_enqueues"])
    return ()


@host("QueueIsClosed", "QueueIsClosedV2")
def queue_is_closed(run: Run, node: Node, queue: Queue) -> Array:
    return np.array(queue.is_closed)


@host("QueueSize", "QueueSizeV2")
def queue_size(run: Run, node: Node, queue: Queue) -> Array:
    return np.array(len(queue), np.int32)


@host("FakeQueue")
def fake_queue(run: Run, node: Node, queue: Queue) -> Queue:
    return queue


# -- stacks: made anew in every run ------------------------------------------------------------------------------


class Stack:
    """The values a loop pushes for the loop that runs its gradient."""

    __slots__ = ("is_closed", "limit", "name", "values")

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self.limit = limit
        self.values: list[Any] = []
        self.is_closed = False


@host("Stack")
def stack(run: Run, node: Node) -> Stack:
    return Stack(node.attr["stack_name"] or node.name, -1)


@host("StackV2")
def stack_v2(run: Run, node: Node, max_size: Array) -> Stack:
    return Stack(node.attr["stack_name"] or node.name, int(max_size))


@host("StackPush", "StackPushV2")
def stack_push(run: Run, node: Node, handle: Stack, value: Any) -> Any:
    if handle.is_closed:
        raise InvalidArgumentError(None, None, f"Stack[{handle.name}] has already been closed.")
    if 0 <= handle.limit <= len(handle.values):
        raise InvalidArgumentError(None, None, f"Stack[{handle.name}] overflowed its max_size ({handle.limit})")
    handle.values.append(value)
    return value


@host("StackPop", "StackPopV2")
def stack_pop(run: Run, node: Node, handle: Stack) -> Any:
    if handle.is_closed:
        raise InvalidArgumentError(None, None, f"Stack[{handle.name}] has already been closed.")
    if not handle.values:
        raise InvalidArgumentError(None, None, f"Stack[{handle.name}] is empty when calling Pop().")
    return handle.values.pop()


@host("StackClose", "StackCloseV2")
def stack_close(run: Run, node: Node, handle: Stack) -> tuple[()]:
    handle.is_closed = True
    handle.values.clear()
    return ()


# -- session tensors ---------------------------------------------------------------------------------------------


class _SessionTensors:
    """The tensors of a session that scripts hold by handle."""

    def __init__(self) -> None:
        self.values: dict[bytes, Any] = {}
        self.numbers = itertools.count()


def _session_tensors(run: Run, node: Node) -> _SessionTensors:
    return run.resource(Node(node.graph, "_session_tensors", "GetSessionHandle", {}), _SessionTensors)


@host("GetSessionHandle", "GetSessionHandleV2")
def get_session_handle(run: Run, node: Node, value: Any) -> Array:
    """The handle is text that names the device, as TensorFlow's front end takes it apart: name;number;device."""
    held = _session_tensors(run, node)
    device = node.device or "/job:localhost/replica:0/task:0/device:CPU:0"
    handle = f"{node.name};{next(held.numbers)};{device}".encode()
    (held.values[handle],) = rows.kept((value,))
    return rows.text(handle)


@host("GetSessionTensor")
def get_session_tensor(run: Run, node: Node, handle: Array) -> Any:
    values = _session_tensors(run, node).values
    key = handle.item()
    if key not in values:
        raise InvalidArgumentError(None, None, f"The tensor with handle '{rows.name_of(handle)}' is not in the session store.")
    return values[key]


@host("DeleteSessionTensor")
def delete_session_tensor(run: Run, node: Node, handle: Array) -> tuple[()]:
    values = _session_tensors(run, node).values
    if values.pop(handle.item(), None) is None:
        raise InvalidArgumentError(None, None, f"Failed to delete a tensor with handle '{rows.name_of(handle)}' in the session store.")
    return ()


# -- RecordInput: an endless shuffled reader of TFRecord files ---------------------------------------------------


@host("RecordInput")
def record_input(run: Run, node: Node) -> Array:
    """Batches of records in a random order; TensorFlow's own order depends on how its threads race."""
    from runtime import files
    from runtime.host import records

    a = node.attr

    def forever() -> Any:
        paths = files.match(a["file_pattern"])
        if not paths:
            raise NotFoundError(None, None, f"Found no files at {a['file_pattern']!r}.")
        random = np.random.default_rng(a["file_random_seed"])
        held: list[bytes] = []
        while True:
            for i in random.permutation(len(paths)):
                with files.open_stream(paths[i], a["compression_type"]) as stream:
                    for record in records.read(stream, paths[i]):
                        held.append(record)
                        if len(held) >= a["file_buffer_size"]:
                            yield held.pop(int(random.integers(len(held))))
            while held:
                yield held.pop(int(random.integers(len(held))))

    if a["file_buffer_size"] < 1 or a["batch_size"] < 1:
        raise InvalidArgumentError(
            None, None, f"RecordInput needs a buffer and a batch of 1 or more, not {a['file_buffer_size']} and {a['batch_size']}."
        )
    source = run.kernel_state(node, forever)
    return rows.texts(itertools.islice(source, a["batch_size"]))


@host("LMDBReader")
def lmdb_reader(run: Run, node: Node) -> Any:
    raise UnimplementedError(None, None, f"Node {node.name!r} reads LMDB, which tfrevive does not; convert the data to TFRecord files.")
