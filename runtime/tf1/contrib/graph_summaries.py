"""tf.contrib.summary: summaries that are written by ops of the graph."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

from graphtools import graph as base
from graphtools.constant import constant as constant_value
from runtime.tf1.array_ops import identity
from runtime.tf1.control_flow_ops import no_op
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.summary import _scope

tf: Any = module("")
_NAME = "contrib.summary."
_INITIALIZERS = "_SUMMARY_WRITER_V2"
_OPS = "_SUMMARY_V2"


class _State:
    """The writer that is written to, and when."""

    writer: Any = None
    recording: Any = None  # a bool, a tensor, or a function of these; None is never


STATE = _State()


# -- when ------------------------------------------------------------------------------------------------------------------


@export(_NAME + "should_record_summaries")
def should_record_summaries() -> Any:
    condition = STATE.recording() if callable(STATE.recording) else STATE.recording
    return tf.logical_and(True, False if condition is None else condition)


@contextlib.contextmanager
def record_if(condition: Any) -> Iterator[None]:
    before, STATE.recording = STATE.recording, condition
    try:
        yield
    finally:
        STATE.recording = before


@export(_NAME + "always_record_summaries")
def always_record_summaries() -> Any:
    return record_if(True)


@export(_NAME + "never_record_summaries")
def never_record_summaries() -> Any:
    return record_if(False)


@export(_NAME + "record_summaries_every_n_global_steps")
def record_summaries_every_n_global_steps(n: int, global_step: Any = None) -> Any:
    if global_step is None:
        global_step = tf.train.get_or_create_global_step()
    with tf.device("cpu:0"):
        should = tf.equal(global_step % n, 0)
    return record_if(should)


# -- writers ---------------------------------------------------------------------------------------------------------------


@export(_NAME + "SummaryWriter")
class SummaryWriter:
    """Something that summaries are written to."""

    def set_as_default(self) -> None:
        raise NotImplementedError("set_as_default must be made by a subclass")

    def as_default(self) -> Any:
        raise NotImplementedError("as_default must be made by a subclass")

    def init(self) -> Any:
        raise NotImplementedError("init must be made by a subclass")

    def flush(self) -> Any:
        raise NotImplementedError("flush must be made by a subclass")

    def close(self) -> Any:
        raise NotImplementedError("close must be made by a subclass")


class ResourceSummaryWriter(SummaryWriter):
    """A writer that is a resource of the session."""

    def __init__(self, shared_name: str, make: Callable[[Any], Any], name: str | None = None) -> None:
        self.resource = apply_op("SummaryWriter", name, shared_name=shared_name)
        self._make = make
        get_default_graph().add_to_collection(_INITIALIZERS, make(self.resource))

    def set_as_default(self) -> None:
        STATE.writer = self

    @contextlib.contextmanager
    def as_default(self) -> Iterator[Any]:
        before, STATE.writer = STATE.writer, self
        try:
            yield self
            self.flush()
        finally:
            STATE.writer = before

    def init(self) -> Any:
        return self._make(self.resource)

    def flush(self) -> Any:
        return flush(writer=self)

    def close(self) -> Any:
        with tf.control_dependencies([self.flush()]), tf.device("cpu:0"):
            return apply_op("CloseSummaryWriter", None, writer=self.resource)


class NoopSummaryWriter(SummaryWriter):
    """A writer that writes nothing."""

    def set_as_default(self) -> None:
        """Nothing is written anywhere."""

    @contextlib.contextmanager
    def as_default(self) -> Iterator[Any]:
        yield None

    def init(self) -> Any:
        return None

    def flush(self) -> Any:
        return None

    def close(self) -> Any:
        return None


@export(_NAME + "create_file_writer")
def create_file_writer(
    logdir: Any, max_queue: Any = None, flush_millis: Any = None, filename_suffix: Any = None, name: str | None = None
) -> SummaryWriter:
    if logdir is None:
        return NoopSummaryWriter()
    logdir = str(logdir)
    with tf.device("cpu:0"):
        max_queue = constant(10) if max_queue is None else max_queue
        flush_millis = constant(2 * 60 * 1000) if flush_millis is None else flush_millis
        suffix = constant(".v2") if filename_suffix is None else filename_suffix

        def make(writer: Any) -> Any:
            return apply_op(
                "CreateSummaryFileWriter",
                None,
                writer=writer,
                logdir=logdir,
                max_queue=max_queue,
                flush_millis=flush_millis,
                filename_suffix=suffix,
            )

        return ResourceSummaryWriter(f"logdir:{logdir}" if name is None else name, make)


@export(_NAME + "create_summary_file_writer")
def create_summary_file_writer(*args: Any, **kwargs: Any) -> SummaryWriter:
    return create_file_writer(*args, **kwargs)


@export(_NAME + "create_db_writer")
def create_db_writer(
    db_uri: Any, experiment_name: Any = None, run_name: Any = None, user_name: Any = None, name: Any = None
) -> SummaryWriter:
    raise NotImplementedError("tf.contrib.summary.create_db_writer writes SQLite tables for TensorBoard: use create_file_writer.")


@export(_NAME + "summary_writer_initializer_op")
def summary_writer_initializer_op() -> list[Any]:
    return list(get_default_graph().get_collection(_INITIALIZERS))


@export(_NAME + "all_summary_ops")
def all_summary_ops() -> list[Any]:
    return list(get_default_graph().get_collection(_OPS))


@export(_NAME + "initialize")
def initialize(graph: Any = None, session: Any = None) -> None:
    """Make the files, and write the graph into them."""
    if STATE.writer is None:
        raise RuntimeError("No default tf.contrib.summary.SummaryWriter found")
    session = session or tf.get_default_session()
    if session is None:
        raise ValueError("session must be passed if no default session exists")
    session.run(summary_writer_initializer_op())
    if graph is not None:
        serialized = tf.placeholder("string")
        session.run(write_graph(serialized, 0), feed_dict={serialized: _serialized(graph)})


def _serialized(graph: Any) -> bytes:
    proto = graph.as_graph_def(add_shapes=True) if hasattr(graph, "as_graph_def") else graph
    data: bytes = proto.SerializeToString()
    return data


# -- summaries -------------------------------------------------------------------------------------------------------------


def _step(step: Any) -> Any:
    if step is None:
        return tf.train.get_or_create_global_step()
    return step if isinstance(step, base.Tensor) else convert_to_tensor(step, "int64")


def _written(name: str, tensor: Any, write: Callable[[str, str], Any], family: str | None) -> Any:
    if STATE.writer is None:
        return no_op()
    graph = get_default_graph()
    outer = graph.scope

    def record() -> Any:
        with name_scope(f"{outer}/" if outer else None), _scope(name, family, "", [tensor]) as (tag, scope):
            with tf.control_dependencies([write(tag, scope)]):
                return constant(True)

    with tf.device("cpu:0"):
        condition = should_record_summaries()
        known = constant_value(condition)
        nothing = lambda: constant(False)  # noqa: E731
        op = tf.cond(condition, record, nothing, name="") if known is None else record() if known else nothing()
        graph.add_to_collection(_OPS, op)
    return op


@export(_NAME + "generic")
def generic(name: str, tensor: Any, metadata: Any = None, family: str | None = None, step: Any = None) -> Any:
    def write(tag: str, scope: str) -> Any:
        data = constant("") if metadata is None else metadata
        data = constant(metadata.SerializeToString()) if hasattr(metadata, "SerializeToString") else data
        return apply_op(
            "WriteSummary", scope, writer=STATE.writer.resource, step=_step(step), tensor=identity(tensor), tag=tag, summary_metadata=data
        )

    return _written(name, tensor, write, family)


@export(_NAME + "scalar")
def scalar(name: str, tensor: Any, family: str | None = None, step: Any = None) -> Any:
    def write(tag: str, scope: str) -> Any:
        return apply_op("WriteScalarSummary", scope, writer=STATE.writer.resource, step=_step(step), tag=tag, value=identity(tensor))

    return _written(name, tensor, write, family)


@export(_NAME + "histogram")
def histogram(name: str, tensor: Any, family: str | None = None, step: Any = None) -> Any:
    def write(tag: str, scope: str) -> Any:
        return apply_op("WriteHistogramSummary", scope, writer=STATE.writer.resource, step=_step(step), tag=tag, values=identity(tensor))

    return _written(name, tensor, write, family)


@export(_NAME + "image")
def image(name: str, tensor: Any, bad_color: Any = None, max_images: int = 3, family: str | None = None, step: Any = None) -> Any:
    def write(tag: str, scope: str) -> Any:
        color = constant([255, 0, 0, 255], dtype="uint8") if bad_color is None else bad_color
        return apply_op(
            "WriteImageSummary", scope, writer=STATE.writer.resource, step=_step(step), tag=tag, tensor=identity(tensor), bad_color=color, max_images=max_images
        )  # fmt: skip

    return _written(name, tensor, write, family)


@export(_NAME + "audio")
def audio(name: str, tensor: Any, sample_rate: Any, max_outputs: int, family: str | None = None, step: Any = None) -> Any:
    def write(tag: str, scope: str) -> Any:
        return apply_op(
            "WriteAudioSummary", scope, writer=STATE.writer.resource, step=_step(step), tag=tag, tensor=identity(tensor), sample_rate=sample_rate,
            max_outputs=max_outputs,
        )  # fmt: skip

    return _written(name, tensor, write, family)


@export(_NAME + "graph")
def write_graph(param: Any, step: Any = None, name: str | None = None) -> Any:
    """Write a serialized GraphDef."""
    if not isinstance(param, base.Tensor):
        raise TypeError(f"graph() needs a tf.Tensor (e.g. tf.placeholder) in graph mode, but was: {type(param)}")
    if STATE.writer is None:
        return no_op()
    with tf.device("cpu:0"):
        tensor = identity(param)
        return apply_op("WriteGraphSummary", name, writer=STATE.writer.resource, step=_step(step), tensor=tensor)


@export(_NAME + "import_event")
def import_event(tensor: Any, name: str | None = None) -> Any:
    return apply_op("ImportEvent", name, writer=STATE.writer.resource, event=tensor)


@export(_NAME + "flush")
def flush(writer: Any = None, name: str | None = None) -> Any:
    writer = STATE.writer if writer is None else writer
    if writer is None:
        return no_op()
    with tf.device("cpu:0"):
        return apply_op("FlushSummaryWriter", name, writer=getattr(writer, "resource", writer))


@export(_NAME + "eval_dir")
def eval_dir(model_dir: str, name: str | None = None) -> str:
    return os.path.join(model_dir, f"eval_{name}" if name else "eval")
