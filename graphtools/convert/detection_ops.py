"""Boxes: suppression of overlapping ones, and random crops around them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.random_ops import random_seed, uniform
from graphtools.dtypes import bool_, float32, int32, int64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

LOWEST = float(np.finfo(np.float32).min)


def _scalar(op: Builder, value: Value) -> Value:
    """A float32 vector of one element."""
    result: Value = op.Reshape(op.cast(value, float32), op.const([1]))
    return result


def _select(op: Builder, boxes: Value, scores: Value, size: Value, iou: Value, threshold: Value | None) -> Value:
    """The indices, int64, of the boxes [n, 4] that are kept, best first."""
    picked = op.NonMaxSuppression(
        op.Unsqueeze(op.cast(boxes, float32), [0]),
        op.Unsqueeze(op.cast(scores, float32), [0, 1]),
        op.Reshape(op.cast(size, int64), op.const([1])),
        iou,
        threshold,
    )
    result: Value = op.Squeeze(op.Slice(picked, [2], [3], [1]), [1])
    return result


@converts("NonMaxSuppression", "NonMaxSuppressionV2", "NonMaxSuppressionV3")
def non_max_suppression(op: Builder, node: NodeView) -> Any:
    iou = (
        op.const(np.full(1, node.attr["iou_threshold"], np.float32))
        if node.op == "NonMaxSuppression"
        else _scalar(op, node.input("iou_threshold"))
    )
    threshold = _scalar(op, node.input("score_threshold")) if node.op == "NonMaxSuppressionV3" else None
    index = _select(op, node.input("boxes"), node.input("scores"), node.input("max_output_size"), iou, threshold)
    return op.cast(index, int32)


def _pad_to(op: Builder, values: Value, size: Value) -> Value:
    """A vector filled up with zeros."""
    missing = op.Sub(op.Reshape(op.cast(size, int64), op.const([1])), op.Shape(values))
    result: Value = op.Pad(values, op.Concat(op.const([0]), missing, axis=0))
    return result


@converts("NonMaxSuppressionV4", "NonMaxSuppressionV5")
def non_max_suppression_padded(op: Builder, node: NodeView) -> Any:
    """With the number of boxes kept, and in the fifth version their scores, which a sigma above 0 lowers instead of suppressing."""
    boxes, scores, size = node.input("boxes"), node.input("scores"), node.input("max_output_size")
    iou, threshold = _scalar(op, node.input("iou_threshold")), _scalar(op, node.input("score_threshold"))
    sigma = node.maybe_const("soft_nms_sigma") if node.op == "NonMaxSuppressionV5" else np.float32(0)
    if sigma is not None and float(sigma) == 0:
        index = _select(op, boxes, scores, size, iou, threshold)
        kept = op.Gather(op.cast(scores, float32), index, axis=0)
    else:
        overlaps = _overlaps(op, op.cast(boxes, float32))
        index, kept = _soft_select(op, overlaps, scores, size, iou, threshold, node.input("soft_nms_sigma"))
    valid = op.cast(op.Squeeze(op.Shape(index), [0]), int32)
    index = op.cast(index, int32)
    if node.attr["pad_to_max_output_size"]:
        index, kept = _pad_to(op, index, size), _pad_to(op, kept, size)
    if node.op == "NonMaxSuppressionV4":
        return index, valid
    return index, op.cast(kept, node.outputs[1].dtype), valid


@converts("NonMaxSuppressionWithOverlaps")
def non_max_suppression_with_overlaps(op: Builder, node: NodeView) -> Any:
    limit, threshold = _scalar(op, node.input("overlap_threshold")), _scalar(op, node.input("score_threshold"))
    overlaps = op.cast(node.input("overlaps"), float32)
    index, _ = _soft_select(op, overlaps, node.input("scores"), node.input("max_output_size"), limit, threshold, None)
    return op.cast(index, int32)


def _overlaps(op: Builder, boxes: Value) -> Value:
    """[n, n] intersection over union; 0 where a box is empty."""
    corners = op.Split(boxes, op.const([1, 1, 1, 1]), axis=1, outputs=4)
    low = [op.Min(corners[i], corners[i + 2]) for i in (0, 1)]
    high = [op.Max(corners[i], corners[i + 2]) for i in (0, 1)]
    area = op.Mul(op.Sub(high[0], low[0]), op.Sub(high[1], low[1]))  # [n, 1]
    sides = []
    for a, b in zip(low, high, strict=True):
        across_a, across_b = op.Transpose(a, perm=[1, 0]), op.Transpose(b, perm=[1, 0])
        sides.append(op.Max(op.Sub(op.Min(b, across_b), op.Max(a, across_a)), 0))
    shared = op.Mul(sides[0], sides[1])
    other = op.Transpose(area, perm=[1, 0])
    union = op.Sub(op.Add(area, other), shared)
    some = op.And(op.Greater(area, 0), op.Greater(other, 0))
    return op.Where(some, op.Div(shared, union), 0)  # type: ignore[no-any-return]


def _soft_select(
    op: Builder, overlaps: Value, scores: Value, size: Value, iou: Value, threshold: Value, sigma: Value | None
) -> tuple[Value, Value]:
    """Greedy selection: the best score is taken, then each score is times exp(-overlap^2 / (2 sigma)), or 0 if it overlaps too much (out when there is no sigma).

    TensorFlow lowers a score only when its turn comes; as the weights multiply, doing it at once gives the same order.
    """
    scores = op.cast(scores, float32)
    usable = op.Greater(scores, threshold)
    alive = op.Where(usable, scores, LOWEST)
    body = op.subgraph()
    body.input("step", int64, ())
    body.input("more", bool_, ())
    current = body.input("scores", float32, scores.dims)
    best, index = body.TopK(current, body.const([1]), axis=0, outputs=2)
    row = body.Squeeze(body.Gather(overlaps, index, axis=1), [1])  # what each box shares with the best
    if sigma is None:
        lowered = body.Where(body.Greater(row, iou), LOWEST, current)
    else:
        spread = body.Reshape(body.cast(sigma, float32), body.const([1]))
        hard = body.Equal(spread, 0)
        weight = body.Exp(body.Div(body.Mul(row, row), body.Mul(body.Where(hard, body.const(np.float32(1)), spread), -2)))
        weight = body.Where(hard, body.const(np.float32(1)), weight)
        soft = body.Where(body.Greater(row, iou), body.Where(hard, LOWEST, body.const(np.float32(0))), body.Mul(current, weight))
        lowered = body.Where(body.Greater(current, LOWEST), soft, LOWEST)
    lowered = body.Where(body.Greater(lowered, threshold), lowered, LOWEST)
    taken = body.ScatterElements(lowered, index, body.const(np.full(1, LOWEST, np.float32)), axis=0)
    going = body.Greater(body.ReduceMax(taken, keepdims=0), LOWEST)
    for value in (going, taken, index, best):
        body.output(value)
    limit = op.Reshape(op.cast(size, int64), op.const([]))
    first = op.Greater(op.ReduceMax(op.Concat(alive, op.const(np.full(1, LOWEST, np.float32)), axis=0), keepdims=0), LOWEST)
    _, picked, kept = op.Loop(limit, first, alive, body=body, outputs=3)
    flat = op.const([-1])
    picked.dtype, kept.dtype = int64, float32
    return op.Reshape(picked, flat), op.Reshape(kept, flat)


@converts("CombinedNonMaxSuppression")
def combined_non_max_suppression(op: Builder, node: NodeView) -> Any:
    """Suppression within each class of each image, then the best of all classes; places that nothing fills are zero."""
    boxes, scores = node.input("boxes"), node.input("scores")
    shared = boxes.dims is not None and boxes.dims[2] == 1
    shape = op.Shape(scores)
    classes = op.Slice(shape, [2], [3], [0])
    count = op.Slice(shape, [1], [2], [0])
    per_class = op.Reshape(op.cast(node.input("max_output_size_per_class"), int64), op.const([1]))
    total = op.Reshape(op.cast(node.input("max_total_size"), int64), op.const([1]))
    iou, threshold = _scalar(op, node.input("iou_threshold")), _scalar(op, node.input("score_threshold"))
    by_class = op.Transpose(boxes, perm=[0, 2, 1, 3])  # [batch, classes or 1, n, 4]
    if boxes.dims is None or boxes.dims[2] is None:  # one box for all classes, or one for each
        by_class = op.Expand(by_class, op.Concat(op.const([1]), classes, op.const([1, 1]), axis=0))
    rows = op.Transpose(scores, perm=[0, 2, 1])  # [batch, classes, n]
    lonely = op.Concat(op.const([-1, 1]), count, axis=0)
    groups = op.Reshape(by_class, op.Concat(op.const([-1]), count, op.const([4]), axis=0))
    if shared:
        picked = op.NonMaxSuppression(groups, rows, per_class, iou, threshold)
    else:
        picked = op.NonMaxSuppression(groups, op.Reshape(rows, lonely), per_class, iou, threshold)
    kept = op.ConstantOfShape(op.Shape(rows if shared else op.Reshape(rows, lonely)), value=np.zeros(1, np.int64))
    kept = op.ScatterND(kept, picked, op.Expand(op.const(np.int64(1)), op.Shape(picked, start=0, end=1)))
    flat = op.const([0, -1])
    rows_flat = op.Reshape(rows, flat)
    kept = op.Reshape(kept, op.Shape(rows_flat))
    # a place for each of the outputs, even when there are fewer boxes
    ranked = op.Where(op.Equal(kept, 1), rows_flat, LOWEST)
    wanted = total
    if node.attr["pad_per_class"]:
        wanted = op.Min(total, op.Mul(per_class, classes))
    available = op.Shape(ranked, start=1, end=2)
    filler = op.Max(op.Sub(wanted, available), 0)
    ranked = op.Pad(ranked, op.Concat(op.const([0, 0, 0]), filler, axis=0), op.const(np.float32(LOWEST)))
    best, index = op.TopK(ranked, op.Min(wanted, op.Shape(ranked, start=1, end=2)), axis=1, outputs=2)
    valid = op.Greater(best, LOWEST)
    index = op.Where(valid, index, op.const(np.int64(0)))
    class_of, box_of = op.Div(index, count), op.Mod(index, count)
    place = box_of if shared else index
    every = op.Reshape(by_class, op.const([0, -1, 4]))
    corners = op.GatherElements(every, op.Expand(op.Unsqueeze(place, [2]), op.Concat(op.Shape(place), op.const([4]), axis=0)), axis=1)
    if node.attr["clip_boxes"]:
        corners = op.Clip(corners, 0, 1)
    found = op.ReduceSum(op.cast(valid, int32), [1], keepdims=0)
    return (
        op.Where(op.Unsqueeze(valid, [2]), corners, 0),
        op.Where(valid, best, 0),
        op.Where(valid, op.cast(class_of, float32), 0),
        found,
    )


@converts("SampleDistortedBoundingBox", "SampleDistortedBoundingBoxV2")
def sample_distorted_bounding_box(op: Builder, node: NodeView) -> Any:
    """Of `max_attempts` random crops, of which ONNX draws all at once, the first that covers enough of a box; else the whole image."""
    a = node.attr
    tries = max(int(a["max_attempts"]), 1)
    seed = random_seed(node)
    size = op.cast(node.input("image_size"), float32)
    height, width = op.Slice(size, [0], [1], [0]), op.Slice(size, [1], [2], [0])
    boxes = op.Reshape(op.cast(node.input("bounding_boxes"), float32), op.const([-1, 4]))
    if a["use_image_if_no_bounding_boxes"]:
        none = op.Equal(op.Shape(boxes, start=0, end=1), 0)
        rows = op.cast(none, int64)
        whole = op.Expand(op.const(np.array([[0, 0, 1, 1]], np.float32)), op.Concat(rows, op.const([4]), axis=0))
        boxes = op.Concat(boxes, whole, axis=0)
    covered = node.input("min_object_covered") if node.op.endswith("V2") else op.const(np.float32(a["min_object_covered"]))
    shape = op.const([tries])
    draws = [uniform(op, shape, None if seed is None else seed + i) for i in range(4)]
    (least_ratio, most_ratio), (least_area, most_area) = a["aspect_ratio_range"], a["area_range"]
    ratio = op.Add(op.Mul(draws[0], float(most_ratio - least_ratio)), float(least_ratio))
    area = op.Mul(height, width)
    low, high = op.Mul(area, float(least_area)), op.Mul(area, float(most_area))
    shortest, tallest = op.Round(op.Sqrt(op.Div(low, ratio))), op.Round(op.Sqrt(op.Div(high, ratio)))
    fits = op.Floor(op.Div(op.Add(width, 0.499), ratio))
    tallest = op.Min(op.Where(op.Greater(op.Round(op.Mul(tallest, ratio)), width), fits, tallest), height)
    shortest = op.Min(shortest, tallest)
    rows = op.Min(op.Add(shortest, op.Floor(op.Mul(draws[1], op.Add(op.Sub(tallest, shortest), 1.0)))), tallest)
    columns = op.Round(op.Mul(rows, ratio))
    rows = op.Where(op.Less(op.Mul(rows, columns), low), op.Add(rows, 1.0), rows)
    columns = op.Round(op.Mul(rows, ratio))
    got = op.Mul(rows, columns)
    fine = op.And(
        op.And(op.GreaterOrEqual(got, low), op.LessOrEqual(got, high)), op.And(op.Greater(got, 0.0), op.LessOrEqual(rows, height))
    )
    fine = op.And(fine, op.LessOrEqual(columns, width))
    top = op.Floor(op.Mul(draws[2], op.Max(op.Sub(height, rows), 0.0)))
    left = op.Floor(op.Mul(draws[3], op.Max(op.Sub(width, columns), 0.0)))
    ends = (top, left, op.Add(top, rows), op.Add(left, columns))
    # [tries, boxes]: what each crop covers of each box
    edges = [op.Squeeze(op.Slice(boxes, [i], [i + 1], [1]), [1]) for i in range(4)]
    edges = [op.Unsqueeze(op.Floor(op.Mul(e, (height, width)[i % 2])), [0]) for i, e in enumerate(edges)]
    crops = [op.Unsqueeze(e, [1]) for e in ends]
    tall = op.Max(op.Sub(op.Min(crops[2], edges[2]), op.Max(crops[0], edges[0])), 0.0)
    wide = op.Max(op.Sub(op.Min(crops[3], edges[3]), op.Max(crops[1], edges[1])), 0.0)
    full = op.Mul(op.Sub(edges[2], edges[0]), op.Sub(edges[3], edges[1]))
    enough = op.And(op.GreaterOrEqual(op.Mul(tall, wide), op.Mul(full, covered)), op.Greater(full, 0.0))
    hits = op.ReduceMax(op.cast(enough, float32), [1], keepdims=0)
    fine = op.And(fine, op.Or(op.Greater(hits, 0.0), op.LessOrEqual(covered, 0.0)))
    first = op.ArgMax(op.cast(fine, float32), axis=0, keepdims=1)
    found = op.Gather(fine, first, axis=0)
    top, left, bottom, right = (
        op.Where(found, op.Gather(e, first, axis=0), f)
        for e, f in zip(ends, (op.Mul(height, 0.0), op.Mul(width, 0.0), height, width), strict=True)
    )
    dtype = node.dtype
    begin = op.Concat(op.cast(top, dtype), op.cast(left, dtype), op.const(np.array([0], dtype.as_numpy_dtype)), axis=0)
    extent = [op.cast(op.Sub(b, t), dtype) for t, b in ((top, bottom), (left, right))]
    size_out = op.Concat(*extent, op.const(np.array([-1], dtype.as_numpy_dtype)), axis=0)
    box = op.Concat(op.Div(top, height), op.Div(left, width), op.Div(bottom, height), op.Div(right, width), axis=0)
    return begin, size_out, op.Reshape(box, op.const([1, 1, 4]))
