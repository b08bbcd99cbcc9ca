"""Resources that fit nowhere else: mutexes, summary writers of the graph, and batching."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from graphtools.errors import FormatError
from graphtools.formats import schema, tensor
from graphtools.graph import Node
from runtime.errors import FailedPreconditionError, InvalidArgumentError
from runtime.events import EventsWriter
from runtime.host import Run, host, logging_ops, rows
from runtime.host.queues import wait_until
from runtime.host.rows import Array

# -- mutexes -----------------------------------------------------------------------------------------------------


class Mutex:
    """A lock that one holder has at a time; those who wait can be cancelled."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.is_held = False


class Hold:
    """The right of one holder, until it is released or forgotten."""

    def __init__(self, mutex: Mutex) -> None:
        self._mutex: Mutex | None = mutex

    def release(self) -> None:
        mutex, self._mutex = self._mutex, None
        if mutex is not None:
            with mutex.changed:
                mutex.is_held = False
                mutex.changed.notify_all()

    __del__ = release


@host("MutexV2")
def mutex(run: Run, node: Node) -> Mutex:
    return run.resource(node, Mutex)


@host("MutexLock")
def mutex_lock(run: Run, node: Node, handle: Mutex) -> Hold:
    with handle.changed:
        wait_until(handle.changed, lambda: not handle.is_held, run, "Lock acquisition was cancelled")
        handle.is_held = True
    return Hold(handle)


@host("ConsumeMutexLock")
def consume_mutex_lock(run: Run, node: Node, hold: Hold) -> tuple[()]:
    hold.release()
    return ()


# -- summary writers ---------------------------------------------------------------------------------------------


class SummaryWriter:
    """The event file that summary ops of a graph write to, once it is created."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.events: EventsWriter | None = None

    def opened(self) -> EventsWriter:
        if self.events is None:
            raise FailedPreconditionError(
                None, None, "The summary writer was not initialized. Run the op that creates it (tf.contrib.summary.initialize) first."
            )
        return self.events


@host("SummaryWriter")
def summary_writer(run: Run, node: Node) -> SummaryWriter:
    return run.resource(node, SummaryWriter)


@host("CreateSummaryFileWriter")
def create_summary_file_writer(
    run: Run, node: Node, writer: SummaryWriter, logdir: Array, max_queue: Array, flush_millis: Array, suffix: Array
) -> tuple[()]:
    with writer.lock:
        if writer.events is None:
            writer.events = EventsWriter(rows.name_of(logdir), rows.name_of(suffix))
    return ()


@host("FlushSummaryWriter")
def flush_summary_writer(run: Run, node: Node, writer: SummaryWriter) -> tuple[()]:
    writer.opened().flush()
    return ()


@host("CloseSummaryWriter")
def close_summary_writer(run: Run, node: Node, writer: SummaryWriter) -> tuple[()]:
    with writer.lock:
        if writer.events is not None:
            writer.events.close()
            writer.events = None
    return ()


@host("WriteScalarSummary")
def write_scalar_summary(run: Run, node: Node, writer: SummaryWriter, step: Array, tag: Array, value: Array) -> tuple[()]:
    writer.opened().write_summary(logging_ops.scalar_summary([tag.item()], [float(value)]), int(step))
    return ()


@host("WriteHistogramSummary")
def write_histogram_summary(run: Run, node: Node, writer: SummaryWriter, step: Array, tag: Array, values: Array) -> tuple[()]:
    return _write(writer, step, logging_ops.histogram_summary(run, node, tag, values))


@host("WriteImageSummary")
def write_image_summary(run: Run, node: Node, writer: SummaryWriter, step: Array, tag: Array, images: Array, bad_color: Array) -> tuple[()]:
    return _write(writer, step, logging_ops.summarize_images(tag, images, bad_color, node.attr["max_images"]))


@host("WriteAudioSummary")
def write_audio_summary(
    run: Run, node: Node, writer: SummaryWriter, step: Array, tag: Array, samples: Array, sample_rate: Array
) -> tuple[()]:
    return _write(writer, step, logging_ops.summarize_audio(tag, samples, float(sample_rate), node.attr["max_outputs"]))


def _write(writer: SummaryWriter, step: Array, summary: Any) -> tuple[()]:
    writer.opened().write_summary(summary.item(), int(step))
    return ()


@host("WriteSummary")
def write_summary(run: Run, node: Node, writer: SummaryWriter, step: Array, value: Array, tag: Array, metadata: Array) -> tuple[()]:
    summary = schema.message("Summary")()
    entry = summary.value.add(tag=rows.name_of(tag))
    tensor.to_proto(value, node.attr["T"], entry.tensor)
    try:
        entry.metadata.CopyFrom(schema.parse("SummaryMetadata", metadata.item()))
    except FormatError as e:
        raise InvalidArgumentError(None, None, f"Could not parse the SummaryMetadata of {rows.name_of(tag)!r}: {e}") from e
    writer.opened().write_summary(summary, int(step))
    return ()


@host("WriteRawProtoSummary")
def write_raw_proto_summary(run: Run, node: Node, writer: SummaryWriter, step: Array, value: Array) -> tuple[()]:
    for data in value.ravel().tolist():
        writer.opened().write_summary(data, int(step))
    return ()


@host("WriteGraphSummary")
def write_graph_summary(run: Run, node: Node, writer: SummaryWriter, step: Array, value: Array) -> tuple[()]:
    writer.opened().write(schema.message("Event")(wall_time=time.time(), step=int(step), graph_def=value.item()))
    return ()


@host("ImportEvent")
def import_event(run: Run, node: Node, writer: SummaryWriter, event: Array) -> tuple[()]:
    writer.opened().write(event.item())
    return ()


# -- batching: every call is a batch of its own ------------------------------------------------------------------


@host("Batch")
def batch(run: Run, node: Node, *tensors: Array) -> tuple[Any, ...]:
    """The tensors, the one (id, start, end) of this call in the batch, and the batch's id."""
    size = rows.check_first_dimension(tensors)
    return (*tensors, np.array([[0, 0, size]], np.int64), np.array(0, np.int64))


@host("Unbatch")
def unbatch(run: Run, node: Node, batched: Array, index: Array, number: Array) -> Array:
    return batched


@host("UnbatchGrad")
def unbatch_grad(run: Run, node: Node, original: Array, index: Array, gradient: Array, number: Array) -> Array:
    return gradient


@host("BatchFunction")
def batch_function(run: Run, node: Node, *tensors: Any) -> tuple[Any, ...]:
    return tuple(run.call(node.attr["f"], tensors))
