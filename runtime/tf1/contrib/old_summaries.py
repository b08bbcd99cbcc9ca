"""tf.contrib.deprecated: summaries as before TensorFlow 1.0, their tags as given."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import float32
from runtime.tf1.graph import GraphKeys, apply_op, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export


def _collected(value: Any, collections: Any, default: list[str]) -> Any:
    for key in default if collections is None else collections:
        get_default_graph().add_to_collection(key, value)
    return value


@export("contrib.deprecated.scalar_summary")
def scalar_summary(tags: Any, values: Any, collections: Any = None, name: str | None = None) -> Any:
    with name_scope(name, "ScalarSummary", [tags, values]) as scope:
        made = apply_op("ScalarSummary", scope, tags=tags, values=values)
    return _collected(made, collections, [GraphKeys.SUMMARIES])


@export("contrib.deprecated.histogram_summary")
def histogram_summary(tag: Any, values: Any, collections: Any = None, name: str | None = None) -> Any:
    with name_scope(name, "HistogramSummary", [tag, values]) as scope:
        made = apply_op("HistogramSummary", scope, tag=tag, values=values)
    return _collected(made, collections, [GraphKeys.SUMMARIES])


@export("contrib.deprecated.image_summary")
def image_summary(tag: Any, tensor: Any, max_images: int = 3, collections: Any = None, name: str | None = None) -> Any:
    with name_scope(name, "ImageSummary", [tag, tensor]) as scope:
        made = apply_op("ImageSummary", scope, tag=tag, tensor=tensor, max_images=max_images)
    return _collected(made, collections, [GraphKeys.SUMMARIES])


@export("contrib.deprecated.audio_summary")
def audio_summary(tag: Any, tensor: Any, sample_rate: Any, max_outputs: int = 3, collections: Any = None, name: str | None = None) -> Any:
    with name_scope(name, "AudioSummary", [tag, tensor]) as scope:
        rate = convert_to_tensor(sample_rate, dtype=float32, name="sample_rate")
        made = apply_op("AudioSummaryV2", scope, tag=tag, tensor=tensor, max_outputs=max_outputs, sample_rate=rate)
    return _collected(made, collections, [GraphKeys.SUMMARIES])


@export("contrib.deprecated.merge_summary")
def merge_summary(inputs: Any, collections: Any = None, name: str | None = None) -> Any:
    with name_scope(name, "MergeSummary", inputs):
        made = apply_op("MergeSummary", name or "MergeSummary", inputs=inputs)
    return _collected(made, collections, [])


@export("contrib.deprecated.merge_all_summaries")
def merge_all_summaries(key: str = GraphKeys.SUMMARIES) -> Any:
    found = get_default_graph().get_collection(key)
    return merge_summary(found) if found else None
