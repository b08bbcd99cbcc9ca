"""Host kernels of sparse tensors: (indices, values, dense shape), any element type."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphtools.graph import Node
from runtime.errors import InvalidArgumentError
from runtime.host import Run, fingerprint, host
from runtime.host.string_ops import strings

Array = NDArray[Any]
Sparse = tuple[Array, Array, Array]


def check(indices: Array, values: Array, shape: Array) -> None:
    if indices.ndim != 2 or values.ndim != 1 or shape.ndim != 1 or len(indices) != len(values) or indices.shape[1] != len(shape):
        raise InvalidArgumentError(
            None,
            None,
            f"A sparse tensor needs indices [n, rank], values [n] and shape [rank]; got {list(indices.shape)}, {list(values.shape)}, {list(shape.shape)}",
        )
    if len(indices) and ((indices < 0) | (indices >= shape)).any():
        bad = indices[((indices < 0) | (indices >= shape)).any(axis=1)][0]
        raise InvalidArgumentError(None, None, f"indices {bad.tolist()} are out of bounds of the shape {shape.tolist()}")


def row_major(indices: Array) -> Array:
    """The order that sorts the rows; equal rows stay as they are."""
    return np.lexsort(indices.T[::-1]) if indices.shape[1] else np.arange(len(indices))


@host("SparseReorder")
def sparse_reorder(run: Run, node: Node, indices: Array, values: Array, shape: Array) -> tuple[Array, Array]:
    check(indices, values, shape)
    order = row_major(indices)
    return indices[order], values[order]


@host("SparseReshape")
def sparse_reshape(run: Run, node: Node, indices: Array, shape: Array, new_shape: Array) -> tuple[Array, Array]:
    size, target = math.prod(shape.tolist()), new_shape.tolist()
    if target.count(-1) > 1:
        raise InvalidArgumentError(None, None, f"only one output dimension may be -1, not both: {target}")
    if -1 in target:
        known = math.prod(d for d in target if d != -1)
        target[target.index(-1)] = size // known if known else 0
    if math.prod(target) != size:
        raise InvalidArgumentError(
            None, None, f"Input to reshape is a tensor with {size} dense values, but the requested shape has {math.prod(target)}"
        )
    flat = np.zeros(len(indices), np.int64)
    for column, extent in zip(indices.T, shape.tolist(), strict=True):
        flat = flat * extent + column
    columns = []
    for extent in reversed(target):
        columns.append(flat % extent if extent else flat)
        flat = flat // extent if extent else flat
    return np.stack(columns[::-1], axis=1) if columns else np.empty((len(indices), 0), np.int64), np.array(target, np.int64)


@host("SparseConcat")
def sparse_concat(run: Run, node: Node, *parts: Array) -> Sparse:
    count = len(parts) // 3
    all_indices, all_values, shapes = parts[:count], parts[count : 2 * count], parts[2 * count :]
    rank = len(shapes[0])
    axis = node.attr["concat_dim"]
    if not -rank <= axis < rank:
        raise InvalidArgumentError(None, None, f"Concat dimension must be in range [{-rank}, {rank}), got {axis}")
    axis %= rank
    for indices, values, shape in zip(all_indices, all_values, shapes, strict=True):
        check(indices, values, shape)
        if np.delete(shape, axis).tolist() != np.delete(shapes[0], axis).tolist():
            raise InvalidArgumentError(
                None, None, f"Input shapes should match but for dimension {axis}: {shapes[0].tolist()} and {shape.tolist()}"
            )
    start, moved = 0, []
    for indices, shape in zip(all_indices, shapes, strict=True):
        shifted = indices.copy()
        shifted[:, axis] += start
        start += int(shape[axis])
        moved.append(shifted)
    joined, values = np.concatenate(moved), np.concatenate(all_values)
    order = row_major(joined)
    total = shapes[0].copy()
    total[axis] = start
    return joined[order], values[order], total


@host("SparseSplit")
def sparse_split(run: Run, node: Node, axis: Array, indices: Array, values: Array, shape: Array) -> tuple[Array, ...]:
    """The first (extent % parts) parts are one longer than the others."""
    check(indices, values, shape)
    parts, dim = node.attr["num_split"], int(axis)
    if not 0 <= dim < len(shape):
        raise InvalidArgumentError(None, None, f"Input split_dim should be between 0 and rank ({len(shape)}), got {dim}")
    extent = int(shape[dim])
    if not 1 <= parts <= extent:
        raise InvalidArgumentError(
            None, None, f"Input num_split should be between 1 and the splitting dimension size ({extent}), got {parts}"
        )
    ends = np.cumsum([0, *(extent // parts + (i < extent % parts) for i in range(parts))])
    pieces = [_window(indices, values, dim, start, stop) for start, stop in itertools.pairwise(ends.tolist())]
    shapes = []
    for start, stop in itertools.pairwise(ends.tolist()):
        part = shape.copy()
        part[dim] = stop - start
        shapes.append(part)
    return (*(p[0] for p in pieces), *(p[1] for p in pieces), *shapes)


def _window(indices: Array, values: Array, dim: int, start: int, stop: int) -> tuple[Array, Array]:
    inside = (indices[:, dim] >= start) & (indices[:, dim] < stop)
    kept = indices[inside].copy()
    kept[:, dim] -= start
    return kept, values[inside]


@host("SparseSlice")
def sparse_slice(run: Run, node: Node, indices: Array, values: Array, shape: Array, start: Array, size: Array) -> Sparse:
    check(indices, values, shape)
    stop = np.minimum(start + size, shape)
    inside = ((indices >= start) & (indices < stop)).all(axis=1)
    return indices[inside] - start, values[inside], np.maximum(stop - start, 0)


@host("SparseFillEmptyRows")
def sparse_fill_empty_rows(run: Run, node: Node, indices: Array, values: Array, shape: Array, default: Array) -> tuple[Array, ...]:
    check(indices, values, shape)
    rows = int(shape[0])
    empty = np.ones(rows, np.bool_)
    empty[indices[:, 0]] = False
    added = np.flatnonzero(empty)
    extra = np.zeros((len(added), indices.shape[1]), np.int64)
    extra[:, 0] = added
    filler = np.empty(len(added), values.dtype)
    filler[:] = default.item()
    all_indices, all_values = np.concatenate([indices, extra]), np.concatenate([values, filler])
    order = np.argsort(all_indices[:, 0], kind="stable")
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return all_indices[order], all_values[order], empty, places[: len(indices)]


def _reduce(node: Node, indices: Array, values: Array, shape: Array, axes: Array) -> Sparse:
    """Values that share a place once the axes are dropped, in row-major order."""
    check(indices, values, shape)
    rank = len(shape)
    dropped = set()
    for axis in axes.ravel().tolist():
        if not -rank <= axis < rank:
            raise InvalidArgumentError(None, None, f"Invalid reduction dimension {axis}, for input with {rank} dimensions.")
        dropped.add(axis % rank)
    kept = [d for d in range(rank) if d not in dropped]
    places, inverse = (
        np.unique(indices[:, kept], axis=0, return_inverse=True)
        if kept
        else (np.zeros((min(len(values), 1), 0), np.int64), np.zeros(len(values), np.int64))
    )
    if node.op.startswith("SparseReduceMax"):
        totals = np.full(len(places), np.iinfo(values.dtype).min if values.dtype.kind in "iu" else -np.inf, values.dtype)
        np.maximum.at(totals, inverse.ravel(), values)
    else:
        totals = np.zeros(len(places), values.dtype)
        np.add.at(totals, inverse.ravel(), values)
    if not node.attr["keep_dims"]:
        return places, totals, shape[kept]
    full = np.zeros((len(places), rank), np.int64)
    full[:, kept] = places
    return full, totals, np.array([1 if d in dropped else int(n) for d, n in enumerate(shape)], np.int64)


@host("SparseReduceSumSparse", "SparseReduceMaxSparse")
def sparse_reduce_sparse(run: Run, node: Node, indices: Array, values: Array, shape: Array, axes: Array) -> Sparse:
    return _reduce(node, indices, values, shape, axes)


@host("SparseReduceSum", "SparseReduceMax")
def sparse_reduce(run: Run, node: Node, indices: Array, values: Array, shape: Array, axes: Array) -> Array:
    places, totals, target = _reduce(node, indices, values, shape, axes)
    dense = np.zeros(target.tolist(), values.dtype)
    dense[tuple(places.T)] = totals if places.shape[1] else totals[0] if len(totals) else 0
    return dense


@host("SparseTensorDenseMatMul")
def sparse_tensor_dense_mat_mul(run: Run, node: Node, indices: Array, values: Array, shape: Array, b: Array) -> Array:
    rows, columns = indices.T
    height, width = shape.tolist()
    if node.attr["adjoint_a"]:
        rows, columns, height, width, values = columns, rows, width, height, np.conj(values)
    if node.attr["adjoint_b"]:
        b = np.conj(b.T)
    if b.shape[0] != width:
        raise InvalidArgumentError(None, None, f"Cannot multiply A and B because inner dimension does not match: {width} vs. {b.shape[0]}.")
    if len(indices) and (rows.max() >= height or columns.max() >= width or indices.min() < 0):
        raise InvalidArgumentError(None, None, f"indices {indices.max(axis=0).tolist()} out of bounds of the shape {shape.tolist()}")
    order = np.argsort(rows, kind="stable")
    out = np.zeros((height, b.shape[1]), b.dtype)
    if len(order):
        products = values[order, None] * b[columns[order]]
        found, starts = np.unique(rows[order], return_index=True)
        out[found] = np.add.reduceat(products, starts, axis=0)
    return out


@host("SparseAdd")
def sparse_add(
    run: Run,
    node: Node,
    a_indices: Array,
    a_values: Array,
    a_shape: Array,
    b_indices: Array,
    b_values: Array,
    b_shape: Array,
    threshold: Array,
) -> Sparse:
    if a_shape.tolist() != b_shape.tolist():
        raise InvalidArgumentError(None, None, f"Operands' shapes do not match: {a_shape.tolist()} and {b_shape.tolist()}")
    joined = np.concatenate([a_indices, b_indices])
    places, inverse = np.unique(joined, axis=0, return_inverse=True)
    totals = np.zeros(len(places), a_values.dtype)
    np.add.at(totals, inverse.ravel(), np.concatenate([a_values, b_values]))
    shared = np.bincount(inverse.ravel(), minlength=len(places)) > 1  # the threshold is for sums only
    kept = ~shared | (np.abs(totals) >= threshold)
    return places[kept], totals[kept], a_shape


# -- segments -------------------------------------------------------------------------------------------------------


def _segment_scales(op: str, segments: Array, dtype: Any) -> Array:
    counts = np.bincount(segments, minlength=1)[segments].astype(dtype)
    return 1 / counts if "Mean" in op else 1 / np.sqrt(counts) if "SqrtN" in op else np.ones_like(counts)


@host("SparseSegmentSumGrad", "SparseSegmentMeanGrad", "SparseSegmentSqrtNGrad")
def sparse_segment_grad(run: Run, node: Node, gradient: Array, indices: Array, segments: Array, rows: Array) -> Array:
    out = np.zeros((int(rows), *gradient.shape[1:]), gradient.dtype)
    if len(indices):
        scales = _segment_scales(node.op, segments, gradient.dtype)
        np.add.at(out, indices, gradient[segments] * scales.reshape(-1, *[1] * (gradient.ndim - 1)))
    return out


@host("SparseSegmentSumGradV2", "SparseSegmentMeanGradV2", "SparseSegmentSqrtNGradV2")
def sparse_segment_grad_v2(run: Run, node: Node, gradient: Array, indices: Array, segments: Array, rows: Array) -> tuple[Array, Array]:
    """Only the rows that have a gradient, and which they are."""
    found, inverse = np.unique(indices, return_inverse=True)
    out = np.zeros((len(found), *gradient.shape[1:]), gradient.dtype)
    if len(indices):
        scales = _segment_scales(node.op, segments, gradient.dtype)
        np.add.at(out, inverse, gradient[segments] * scales.reshape(-1, *[1] * (gradient.ndim - 1)))
    return out, found


# -- feature crosses ------------------------------------------------------------------------------------------------


def _features(node: Node, inputs: Sequence[Array]) -> tuple[list[list[list[Any]]], int]:
    """For each column, for each row, its features."""
    count = node.attr["N"]
    columns: list[list[list[Any]]] = []
    rows = None
    for indices, values, shape in zip(inputs[:count], inputs[count : 2 * count], inputs[2 * count : 3 * count], strict=True):
        check(indices, values, shape)
        rows = int(shape[0]) if rows is None else rows
        found: list[list[Any]] = [[] for _ in range(int(shape[0]))]
        for row, value in zip(indices[:, 0].tolist(), values.tolist(), strict=True):
            found[row].append(value)
        columns.append(found)
    for dense in inputs[3 * count :]:
        rows = len(dense) if rows is None else rows
        columns.append(dense.tolist())
    for column in columns:
        if len(column) != rows:
            raise InvalidArgumentError(None, None, f"Expected batch size {rows}, got {len(column)}")
    return columns, rows or 0


def _crossed(rows: list[list[Any]], out_type: Any) -> Sparse:
    indices = np.array([(i, j) for i, row in enumerate(rows) for j in range(len(row))], np.int64).reshape(-1, 2)
    flat = [v for row in rows for v in row]
    values = strings(flat) if out_type is object else np.array(flat, out_type)
    return indices, values, np.array([len(rows), max(map(len, rows), default=0)], np.int64)


def _text(feature: Any) -> bytes:
    return feature if isinstance(feature, bytes) else str(feature).encode()


_CAT = 0xC6A4A7935BD1E995
_M = (1 << 64) - 1


def _cat64(a: int, b: int) -> int:
    """FarmHash's FingerprintCat64."""
    result = a ^ _CAT
    shifted = b * _CAT & _M
    result ^= (shifted ^ shifted >> 47) * _CAT & _M
    result = result * _CAT & _M
    result = (result ^ result >> 47) * _CAT & _M
    return result ^ result >> 47


def _combined(a: int, b: int) -> int:
    """The hash of SparseFeatureCross: all in 64 bits, the shift to the right that of a signed number."""
    signed = a - (1 << 64) if a >> 63 else a
    return (a ^ (b + 0x9E3779B97F4A7800 + (a << 10) + (signed >> 4))) & _M


@host("SparseFeatureCross")
def sparse_feature_cross(run: Run, node: Node, *inputs: Array) -> Sparse:
    return _hashed_or_joined(node, inputs, 0xDECAFCAFFE, _combined)


@host("SparseCross", "SparseFeatureCrossV2")
def sparse_cross(run: Run, node: Node, *inputs: Array) -> Sparse:
    return _hashed_or_joined(node, inputs, node.attr["hash_key"] & _M, _cat64)


def _hashed_or_joined(node: Node, inputs: Sequence[Array], seed: int, combine: Callable[[int, int], int]) -> Sparse:
    a = node.attr
    columns, count = _features(node, inputs)
    rows: list[list[Any]] = []
    for row in range(count):
        combinations = itertools.product(*(column[row] for column in columns))
        if not a["hashed_output"]:
            rows.append([b"_X_".join(map(_text, features)) for features in combinations])
            continue
        buckets, hashed = a["num_buckets"], []
        for features in combinations:
            mark = seed
            for feature in features:
                mark = combine(mark, fingerprint.fingerprint64(feature) if isinstance(feature, bytes) else feature & _M)
            hashed.append(mark % (buckets if buckets > 0 else (1 << 63) - 1))
        rows.append(hashed)
    return _crossed(rows, a["out_type"].as_numpy_dtype)


@host("SparseCrossV2")
def sparse_cross_v2(run: Run, node: Node, *inputs: Array) -> Sparse:
    columns, count = _features(node, inputs[:-1])
    separator: bytes = inputs[-1].item()
    rows = [[separator.join(map(_text, f)) for f in itertools.product(*(column[row] for column in columns))] for row in range(count)]
    return _crossed(rows, object)


# -- maps of sparse tensors -----------------------------------------------------------------------------------------


class _SparseMap:
    """Sparse tensors by handle, each taken once."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.stored: dict[int, Sparse] = {}
        self.count = 0

    def add(self, tensor: Sparse) -> int:
        with self.lock:
            handle = self.count
            self.count += 1
            self.stored[handle] = tensor
        return handle

    def take(self, handle: int) -> Sparse:
        with self.lock:
            if handle not in self.stored:
                raise InvalidArgumentError(None, None, f"Unable to find SparseTensor: {handle} in map")
            return self.stored.pop(handle)


@host("AddSparseToTensorsMap")
def add_sparse_to_tensors_map(run: Run, node: Node, indices: Array, values: Array, shape: Array) -> Array:
    check(indices, values, shape)
    return np.array(run.resource(node, _SparseMap).add((indices, values, shape)), np.int64)


@host("AddManySparseToTensorsMap")
def add_many_sparse_to_tensors_map(run: Run, node: Node, indices: Array, values: Array, shape: Array) -> Array:
    check(indices, values, shape)
    if len(shape) < 2:
        raise InvalidArgumentError(None, None, f"Rank of input SparseTensor should be > 1, but saw rank: {len(shape)}")
    tensors = run.resource(node, _SparseMap)
    handles = []
    for row in range(int(shape[0])):
        own = indices[:, 0] == row
        handles.append(tensors.add((indices[own, 1:], values[own], shape[1:])))
    return np.array(handles, np.int64)


@host("TakeManySparseFromTensorsMap")
def take_many_sparse_from_tensors_map(run: Run, node: Node, handles: Array) -> Sparse:
    tensors = run.resource(node, _SparseMap)
    taken = [tensors.take(h) for h in handles.tolist()]
    if not taken:
        raise InvalidArgumentError(None, None, "Must have at least 1 serialized SparseTensor, but input matrix has 0 rows")
    rank = len(taken[0][2])
    for _, _, shape in taken:
        if len(shape) != rank:
            raise InvalidArgumentError(None, None, f"Inconsistent rank across SparseTensors: {rank} and {len(shape)}")
    parts = []
    for row, (indices, _, _) in enumerate(taken):
        parts.append(np.concatenate([np.full((len(indices), 1), row, np.int64), indices], axis=1))
    extent = np.max([shape for _, _, shape in taken], axis=0)
    return np.concatenate(parts), np.concatenate([v for _, v, _ in taken]), np.array([len(taken), *extent.tolist()], np.int64)


@host("RaggedTensorToSparse")
def ragged_tensor_to_sparse(run: Run, node: Node, *inputs: Array) -> Sparse:
    *splits, values = inputs
    rows: list[tuple[int, ...]] = [(i,) for i in range(len(splits[0]) - 1)]
    extents = [len(rows)]
    for level in splits:
        lengths = np.diff(level).tolist()
        rows = [(*row, j) for row, length in zip(rows, lengths, strict=True) for j in range(length)]
        extents.append(max(lengths, default=0))
    inner = values.shape[1:]
    indices = np.array(rows, np.int64).reshape(len(rows), len(splits) + 1)
    if inner:
        places = np.indices(inner).reshape(len(inner), -1).T
        indices = np.concatenate([np.repeat(indices, len(places), axis=0), np.tile(places, (len(indices), 1))], axis=1)
    return indices, values.reshape(-1), np.array([*extents, *inner], np.int64)
