"""Clipping values, norms and gradients."""

from __future__ import annotations

from typing import Any

from graphtools.gradients import IndexedSlices
from runtime.tf1 import array_ops, math_ops
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export


@export("clip_by_value")
def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Any:
    with name_scope(name, "clip_by_value", [t, clip_value_min, clip_value_max]) as scope:
        values = convert_to_tensor(t.values if isinstance(t, IndexedSlices) else t, name="t")
        below = math_ops.minimum(values, clip_value_max)
        values.shape.merge_with(below.shape)
        result = math_ops.maximum(below, clip_value_min, name=scope)
        return IndexedSlices(result, t.indices, t.dense_shape) if isinstance(t, IndexedSlices) else result


@export("clip_by_norm")
def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Any:
    with name_scope(name, "clip_by_norm", [t, clip_norm]) as scope:
        values = convert_to_tensor(t.values if isinstance(t, IndexedSlices) else t, name="t")
        total = math_ops.reduce_sum(values * values, axes, keepdims=True)
        positive = total > 0
        safe = array_ops.where(positive, total, array_ops.ones_like(total))
        norm = array_ops.where(positive, apply_op("Sqrt", None, x=safe), total)
        scaled = values * clip_norm
        result = array_ops.identity(scaled / math_ops.maximum(norm, clip_norm), name=scope)
        return IndexedSlices(result, t.indices, t.dense_shape) if isinstance(t, IndexedSlices) else result


@export("global_norm")
def global_norm(t_list: Any, name: str | None = None) -> Any:
    if not isinstance(t_list, list | tuple):
        raise TypeError("t_list should be a sequence")
    tensors = list(t_list)
    with name_scope(name, "global_norm", tensors):
        values = [
            convert_to_tensor(t.values if isinstance(t, IndexedSlices) else t, name=f"t_{i}") if t is not None else None
            for i, t in enumerate(tensors)
        ]
        halves = []
        for v in values:
            if v is not None:
                with get_default_graph().colocate_with(v.node):
                    halves.append(apply_op("L2Loss", None, t=v))
        half = math_ops.reduce_sum(array_ops.stack(halves))
        return apply_op("Sqrt", "global_norm", x=half * constant(2.0, dtype=half.dtype))


@export("clip_by_global_norm")
def clip_by_global_norm(t_list: Any, clip_norm: Any, use_norm: Any = None, name: str | None = None) -> Any:
    """(tensors scaled so that their global norm is at most `clip_norm`, the norm)"""
    if not isinstance(t_list, list | tuple):
        raise TypeError("t_list should be a sequence")
    tensors = list(t_list)
    norm = global_norm(tensors, name) if use_norm is None else use_norm
    with name_scope(name, "clip_by_global_norm", [*tensors, clip_norm]) as scope:
        scale_for_finite = clip_norm * math_ops.minimum(1.0 / norm, constant(1.0, dtype=norm.dtype) / clip_norm)
        finite = apply_op("IsFinite", None, x=norm)
        scale = array_ops.where(finite, scale_for_finite, constant(float("nan"), dtype=norm.dtype))
        values = [
            convert_to_tensor(t.values if isinstance(t, IndexedSlices) else t, name=f"t_{i}") if t is not None else None
            for i, t in enumerate(tensors)
        ]
        clipped: list[Any] = []
        for i, v in enumerate(values):
            if v is None:
                clipped.append(None)
                continue
            with get_default_graph().colocate_with(v.node):
                clipped.append(array_ops.identity(v * scale, name=f"{scope}_{i}"))
        result = [
            IndexedSlices(c, t.indices, t.dense_shape) if isinstance(t, IndexedSlices) else c for c, t in zip(clipped, tensors, strict=True)
        ]
        return result, norm


@export("clip_by_average_norm")
def clip_by_average_norm(t: Any, clip_norm: Any, name: str | None = None) -> Any:
    with name_scope(name, "clip_by_average_norm", [t, clip_norm]) as scope:
        t = convert_to_tensor(t, name="t")
        count = math_ops.cast(array_ops.size(t), "float32")
        inverse = apply_op("Rsqrt", None, x=math_ops.reduce_sum(t * t, math_ops.range(array_ops.rank(t))))
        return array_ops.identity(t * clip_norm * math_ops.minimum(inverse * count, constant(1.0) / clip_norm), name=scope)
