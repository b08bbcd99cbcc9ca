"""tf.summary: summary ops and the writers of event files."""

from __future__ import annotations

import os
import time
from typing import Any

from graphtools.formats import schema
from runtime.events import EventsWriter
from runtime.tf1.graph import Graph, GraphKeys, apply_op, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export, put

for _name in ("Summary", "SummaryDescription", "Event", "SessionLog"):
    try:
        put(f"summary.{_name}", schema.message(_name))
    except KeyError:
        continue


def _clean(name: str) -> str:
    """A tag as a node name: what no node may be called becomes underscores."""
    import re

    return re.sub(r"[^-/\w\.]", "_", name).lstrip("/")


class _scope:
    """(tag, name scope) of a summary: the tag is the name within the scopes, a family in front of it."""

    def __init__(self, name: str, family: str | None, default: str, values: Any) -> None:
        self._family = _clean(family) if family else None
        name = _clean(name)
        self._scoped = f"{self._family}/{name}" if self._family else name
        self._context = name_scope(self._scoped, default, values)

    def __enter__(self) -> tuple[str, str]:
        scope = self._context.__enter__()
        tag = scope.rstrip("/") if self._family is None else f"{self._family}/{scope.rstrip('/')}"
        return tag, scope

    def __exit__(self, *exc: Any) -> None:
        self._context.__exit__(*exc)


def _collect(value: Any, collections: Any) -> Any:
    get_default_graph().add_to_collections(collections or [GraphKeys.SUMMARIES], value)
    return value


@export("summary.scalar")
def scalar(name: str, tensor: Any, collections: Any = None, family: str | None = None) -> Any:
    with _scope(name, family, "ScalarSummary", [tensor]) as (tag, scope):
        return _collect(apply_op("ScalarSummary", scope, tags=tag, values=tensor), collections)


@export("summary.histogram")
def histogram(name: str, values: Any, collections: Any = None, family: str | None = None) -> Any:
    with _scope(name, family, "HistogramSummary", [values]) as (tag, scope):
        return _collect(apply_op("HistogramSummary", scope, tag=tag, values=values), collections)


@export("summary.image")
def image(name: str, tensor: Any, max_outputs: int = 3, collections: Any = None, family: str | None = None) -> Any:
    with _scope(name, family, "ImageSummary", [tensor]) as (tag, scope):
        return _collect(apply_op("ImageSummary", scope, tag=tag, tensor=tensor, max_images=max_outputs), collections)


@export("summary.audio")
def audio(name: str, tensor: Any, sample_rate: Any, max_outputs: int = 3, collections: Any = None, family: str | None = None) -> Any:
    with _scope(name, family, "AudioSummary", [tensor]) as (tag, scope):
        rate = convert_to_tensor(sample_rate, "float32", name="sample_rate")
        return _collect(apply_op("AudioSummaryV2", scope, tag=tag, tensor=tensor, max_outputs=max_outputs, sample_rate=rate), collections)


@export("summary.text")
def text(name: str, tensor: Any, collections: Any = None) -> Any:
    tensor = convert_to_tensor(tensor)
    if tensor.dtype.base_dtype.name != "string":
        raise ValueError(f"Expected tensor {tensor.name} to have dtype string, got {tensor.dtype!r}")
    metadata = schema.message("SummaryMetadata")()
    metadata.plugin_data.plugin_name = "text"
    return tensor_summary(name, tensor, summary_metadata=metadata, collections=collections)


@export("summary.tensor_summary")
def tensor_summary(
    name: str,
    tensor: Any,
    summary_description: str | None = None,
    collections: Any = None,
    summary_metadata: Any = None,
    family: str | None = None,
    display_name: str | None = None,
) -> Any:
    metadata = summary_metadata or schema.message("SummaryMetadata")()
    if display_name is not None:
        metadata.display_name = display_name
    if summary_description is not None:
        metadata.summary_description = summary_description
    with _scope(name, family, "TensorSummary", [tensor]) as (tag, scope):
        made = apply_op("TensorSummaryV2", scope, tag=tag, tensor=tensor, serialized_summary_metadata=metadata.SerializeToString())
        return _collect(made, collections)


@export("summary.merge")
def merge(inputs: Any, collections: Any = None, name: str | None = None) -> Any:
    with name_scope(name, "Merge", inputs):
        made = apply_op("MergeSummary", name, inputs=list(inputs))
        get_default_graph().add_to_collections(collections or [], made)
        return made


@export("summary.merge_all")
def merge_all(key: Any = GraphKeys.SUMMARIES, scope: str | None = None, name: str | None = None) -> Any:
    found = get_default_graph().get_collection(key, scope)
    return merge(found, name=name) if found else None


@export("summary.get_summary_description")
def get_summary_description(node_def: Any) -> Any:
    import json

    description = schema.message("SummaryDescription")()
    data = json.loads(node_def.attr["description"].s or b"{}")
    description.type_hint = data.get("typeHint", "")
    return description


@export("summary.initialize")
def initialize(graph: Any = None, session: Any = None) -> None:
    """Make the files of the writers of tf.contrib.summary."""
    from runtime.tf1.contrib import graph_summaries

    graph_summaries.initialize(graph, session)


@export("summary.all_v2_summary_ops")
def all_v2_summary_ops() -> list[Any]:
    """The summaries of tf.contrib.summary."""
    return list(get_default_graph().get_collection("_SUMMARY_V2"))


@export("summary.FileWriter")
class FileWriter:
    """Writes summaries and graphs to an event file that TensorBoard shows."""

    def __init__(
        self,
        logdir: str,
        graph: Any = None,
        max_queue: int = 10,
        flush_secs: int = 120,
        graph_def: Any = None,
        filename_suffix: str | None = None,
        session: Any = None,
    ) -> None:
        self._logdir = os.fspath(logdir)
        self._suffix = filename_suffix or ""
        self._writer: EventsWriter | None = EventsWriter(self._logdir, self._suffix)
        self._seen_tags: set[str] = set()
        if graph is not None or graph_def is not None:
            self.add_graph(graph=graph, graph_def=graph_def)
            if isinstance(graph, Graph):
                from runtime.tf1.train.meta_graph import export_meta_graph

                self.add_meta_graph(export_meta_graph(graph=graph))

    def get_logdir(self) -> str:
        return self._logdir

    def add_event(self, event: Any) -> None:
        if self._writer is not None:
            self._writer.write(event)

    def _event(self, step: Any = None, **fields: Any) -> None:
        event = schema.message("Event")(wall_time=time.time(), **fields)
        if step is not None:
            event.step = int(step)
        self.add_event(event)

    def add_summary(self, summary: Any, global_step: Any = None) -> None:
        if isinstance(summary, bytes):
            summary = schema.parse("Summary", summary)
        for value in summary.value:
            if value.tag in self._seen_tags:
                value.ClearField("metadata")
            else:
                self._seen_tags.add(value.tag)
        self._event(global_step, summary=summary)

    def add_session_log(self, session_log: Any, global_step: Any = None) -> None:
        self._event(global_step, session_log=session_log)

    def add_graph(self, graph: Any, global_step: Any = None, graph_def: Any = None) -> None:
        message = graph.as_graph_def(add_shapes=True) if isinstance(graph, Graph) else graph if graph is not None else graph_def
        if not hasattr(message, "SerializeToString"):
            raise TypeError("The passed graph must be an instance of `Graph` or the deprecated `GraphDef`")
        self._event(global_step, graph_def=message.SerializeToString())

    def add_meta_graph(self, meta_graph_def: Any, global_step: Any = None) -> None:
        self._event(global_step, meta_graph_def=meta_graph_def.SerializeToString())

    def add_run_metadata(self, run_metadata: Any, tag: str, global_step: Any = None) -> None:
        if tag in self._seen_tags:
            raise ValueError("The provided tag was already used for this event type")
        self._seen_tags.add(tag)
        event = schema.message("Event")(wall_time=time.time())
        event.tagged_run_metadata.tag = tag
        event.tagged_run_metadata.run_metadata = run_metadata.SerializeToString()
        if global_step is not None:
            event.step = int(global_step)
        self.add_event(event)

    def flush(self) -> None:
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def reopen(self) -> None:
        if self._writer is None:
            self._writer = EventsWriter(self._logdir, self._suffix)

    def __enter__(self) -> FileWriter:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.close()


@export("summary.FileWriterCache")
class FileWriterCache:
    """One writer per folder."""

    _writers: dict[str, FileWriter] = {}

    @staticmethod
    def get(logdir: str) -> FileWriter:
        if logdir not in FileWriterCache._writers:
            FileWriterCache._writers[logdir] = FileWriter(logdir, graph=get_default_graph())
        return FileWriterCache._writers[logdir]

    @staticmethod
    def clear() -> None:
        for writer in FileWriterCache._writers.values():
            writer.close()
        FileWriterCache._writers.clear()


@export("train.summary_iterator")
def summary_iterator(path: str) -> Any:
    """The events of an event file."""
    from runtime.host import records

    for record in records.read_file(path):
        yield schema.parse("Event", record)
