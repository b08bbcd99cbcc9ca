"""Layers that merge several inputs."""

from __future__ import annotations

from functools import reduce
from typing import Any

from graphtools.formats.keras import Call, layer
from graphtools.graph import Tensor


def _joined_mask(k: Call) -> Tensor | None:
    """Where no input is masked out; None if one has no mask, as all of its positions count."""
    there = [m for m in k.masks if m is not None]
    if not there or len(there) < len(k.masks):
        return None
    return reduce(lambda a, b: k.op("LogicalAnd", a, b), there)


def _same_rank(k: Call) -> list[Tensor]:
    """The inputs with axes of size 1 put after the batch, so that all have the same rank."""
    rank = max(k.rank(x) for x in k.inputs)
    aligned = []
    for x in k.inputs:
        while k.rank(x) < rank:
            x = k.expand(x, 1)
        aligned.append(x)
    return aligned


@layer("Add", masked=_joined_mask)
def add(k: Call) -> Tensor:
    return reduce(lambda a, b: k.op("AddV2", a, b), _same_rank(k))


@layer("Multiply", masked=_joined_mask)
def multiply(k: Call) -> Tensor:
    return reduce(lambda a, b: k.op("Mul", a, b), _same_rank(k))


@layer("Average", masked=_joined_mask)
def average(k: Call) -> Tensor:
    total = reduce(lambda a, b: k.op("AddV2", a, b), _same_rank(k))
    return k.op("RealDiv", total, k.like(len(k.inputs), total))


@layer("Maximum", masked=_joined_mask)
def maximum(k: Call) -> Tensor:
    return reduce(lambda a, b: k.op("Maximum", a, b), _same_rank(k))


@layer("Minimum", masked=_joined_mask)
def minimum(k: Call) -> Tensor:
    return reduce(lambda a, b: k.op("Minimum", a, b), _same_rank(k))


@layer("Subtract", masked=_joined_mask)
def subtract(k: Call) -> Tensor:
    if len(k.inputs) != 2:
        raise k.fail(f"has {len(k.inputs)} inputs; two were expected")
    return k.op("Sub", *_same_rank(k))


def _concatenated_mask(k: Call) -> Tensor | None:
    """Masks of inputs that are joined along time are joined too; along other axes a position counts where all do."""
    if all(m is None for m in k.masks):
        return None
    axis = int(k.config.get("axis", -1))
    rank = k.rank(k.x)
    masks = []
    for x, m in zip(k.inputs, k.masks, strict=True):
        if m is None:
            m = k.op("OnesLike", k.op("StridedSlice", x, k.ints(*[0] * rank), k.ints(*[0] * rank), k.ints(*[1] * rank),
                                      begin_mask=2**rank - 1, end_mask=2**rank - 1))  # fmt: skip
            m = k.op("Equal", m, m)
        elif (m.rank or 0) < rank:
            m = k.expand(m, -1)
        masks.append(m)
    if axis % rank == 1 and rank > 2:
        return k.op("ConcatV2", [k.op("All", m, k.ints(-1), keep_dims=False) if (m.rank or 0) == rank else m for m in masks], k.scalar(1))
    return reduce(lambda a, b: k.op("LogicalAnd", a, b), [k.op("All", m, k.ints(-1), keep_dims=False) for m in masks])


@layer("Concatenate", masked=_concatenated_mask)
def concatenate(k: Call) -> Tensor:
    if len(k.inputs) == 1:
        return k.op("Identity", k.x)
    return k.op("ConcatV2", list(k.inputs), k.scalar(int(k.config.get("axis", -1))))


@layer("Dot")
def dot(k: Call) -> Tensor:
    if len(k.inputs) != 2:
        raise k.fail(f"has {len(k.inputs)} inputs; two were expected")
    a, b = k.inputs
    axes = k.config["axes"]
    first, second = (axes, axes) if isinstance(axes, int) else axes
    first, second = int(first) % k.rank(a), int(second) % k.rank(b)
    if k.config.get("normalize"):
        a, b = _normalized(k, a, first), _normalized(k, b, second)
    return batch_dot(k, a, b, first, second)


@layer("Attention", weights=lambda la: (bool(la.config.get("use_scale")), 0), masked=lambda k: k.masks[0])
def attention(k: Call) -> Tensor:
    """softmax(query . key) . value, over the values that their mask counts in and, if causal, over those up to the query's place."""
    query, value = k.inputs[:2]
    key = k.inputs[2] if len(k.inputs) > 2 else value
    scores = k.op("BatchMatMulV2", query, key, adj_y=True)
    if k.config.get("use_scale"):
        scores = k.op("Mul", scores, k.weight(0, "scale"))
    return _attend(k, scores, value)


@layer("AdditiveAttention", weights=lambda la: (bool(la.config.get("use_scale", True)), 0), masked=lambda k: k.masks[0])
def additive_attention(k: Call) -> Tensor:
    """As attention, with the scores sum(scale * tanh(query + key))."""
    query, value = k.inputs[:2]
    key = k.inputs[2] if len(k.inputs) > 2 else value
    mixed = k.op("Tanh", k.op("AddV2", k.expand(query, 2), k.expand(key, 1)))
    if k.config.get("use_scale", True):
        mixed = k.op("Mul", mixed, k.weight(0, "scale"))
    return _attend(k, k.op("Sum", mixed, k.ints(-1), keep_dims=False), value)


def _attend(k: Call, scores: Tensor, value: Tensor) -> Tensor:
    unwanted = []
    if len(k.masks) > 1 and k.masks[1] is not None:
        unwanted.append(k.op("LogicalNot", k.expand(k.masks[1], 1)))
    if k.config.get("causal"):
        row = k.expand(k.op("Range", k.scalar(0), _as_tensor(k, k.size(scores, 1)), k.scalar(1)), 1)
        column = k.op("Range", k.scalar(0), _as_tensor(k, k.size(scores, 2)), k.scalar(1))
        unwanted.append(k.op("Less", row, column))
    for off in unwanted:
        scores = k.op("Sub", scores, k.op("Mul", k.like(1e9, scores), k.cast(off, scores.dtype)))
    result = k.op("BatchMatMulV2", k.op("Softmax", scores), value)
    if k.masks[0] is not None:
        result = k.op("Mul", result, k.cast(k.expand(k.masks[0], -1), result.dtype))
    return result


def _as_tensor(k: Call, size: Tensor | int) -> Tensor:
    return k.scalar(size) if isinstance(size, int) else size


def _normalized(k: Call, x: Tensor, axis: int) -> Tensor:
    squares = k.op("Sum", k.op("Square", x), k.ints(axis), keep_dims=True)
    return k.op("Mul", x, k.op("Rsqrt", k.op("Maximum", squares, k.like(1e-12, x))))


def batch_dot(k: Call, a: Tensor, b: Tensor, first: int, second: int) -> Tensor:
    """The products along one axis of each, for each element of the batch."""
    ranks = k.rank(a), k.rank(b)
    if ranks == (2, 2):
        return k.op("Sum", k.op("Mul", a, b), k.ints(1), keep_dims=True)
    rest: list[list[Any]] = []
    sides = []
    for x, axis, is_left in ((a, first, True), (b, second, False)):
        rank = k.rank(x)
        others = [i for i in range(1, rank) if i != axis]
        x = k.transpose(x, 0, *others, axis) if is_left else k.transpose(x, 0, axis, *others)
        sizes = [k.size(x, i + 1 if is_left else i + 2) for i in range(len(others))]
        rest.append(sizes)
        if len(others) != 1:
            flat = [-1] if others else [1]
            batch, size = k.size(x, 0), k.size(x, -1 if is_left else 1)
            x = k.op("Reshape", x, k.sizes([batch, *flat, size] if is_left else [batch, size, *flat]))
        sides.append(x)
    product = k.op("BatchMatMulV2", *sides)
    if [len(r) for r in rest] == [1, 1]:
        return product
    return k.reshape(product, [k.size(a, 0), *rest[0], *rest[1]])
