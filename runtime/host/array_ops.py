"""Array ops on what ONNX Runtime has no tensors for: strings above all. Numbers take the same kernels where conversion cannot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphtools import dtypes
from graphtools.graph import Node
from runtime.errors import InvalidArgumentError
from runtime.host import Run, host, rows
from runtime.host.rows import Array


def _error(text: str) -> InvalidArgumentError:
    return InvalidArgumentError(None, None, text)


def _blank_like(value: Array) -> Any:
    return rows.blank(value.dtype)


@host("EnsureShape")
def ensure_shape(run: Run, node: Node, value: Array) -> Array:
    wanted = node.attr["shape"]
    if wanted is not None and (len(wanted) != value.ndim or any(w not in (None, d) for w, d in zip(wanted, value.shape, strict=True))):
        raise _error(
            f"Shape of tensor {node.inputs[0].node.name} {rows.shape_text(value.shape)} is not compatible with expected shape {rows.shape_text(wanted)}."
        )
    return value


# -- joining and taking apart ------------------------------------------------------------------------------------


@host("Pack")
def pack(run: Run, node: Node, *values: Array) -> Array:
    for i, value in enumerate(values):
        if value.shape != values[0].shape:
            raise _error(
                f"Shapes of all inputs must match: values[0].shape = {rows.shape_text(values[0].shape)} "
                f"!= values[{i}].shape = {rows.shape_text(value.shape)}"
            )
    return np.stack(values, int(node.attr["axis"]))


@host("Unpack")
def unpack(run: Run, node: Node, value: Array) -> list[Array]:
    axis, count = int(node.attr["axis"]), int(node.attr["num"])
    if value.shape[axis] != count:
        raise _error(f"Input shape axis {axis} must equal {count}, got shape {rows.shape_text(value.shape)}")
    moved = np.moveaxis(value, axis, 0)
    return [moved[i, ...] for i in range(count)]


@host("SplitV")
def split_v(run: Run, node: Node, value: Array, sizes: Array, axis: Array) -> list[Array]:
    counts = sizes.tolist()
    if -1 in counts:
        counts[counts.index(-1)] = value.shape[int(axis)] - sum(counts) - 1
    if sum(counts) != value.shape[int(axis)] or min(counts, default=0) < 0:
        raise _error(
            f"Determined shape must either match input shape along split_dim exactly if fully specified, or be less than the size of the input along split_dim if not fully specified.  Got: {sum(counts)}"
        )
    return np.split(value, np.cumsum(counts)[:-1], int(axis))


@host("DynamicPartition")
def dynamic_partition(run: Run, node: Node, data: Array, partitions: Array) -> list[Array]:
    count = int(node.attr["num_partitions"])
    flat = data.reshape(partitions.size, *data.shape[partitions.ndim :])
    where = partitions.ravel()
    bad = np.flatnonzero((where < 0) | (where >= count))
    if bad.size:
        place = "[" + ",".join(map(str, np.unravel_index(bad[0], partitions.shape))) + "]" if partitions.ndim else ""
        raise _error(f"partitions{place} = {where[bad[0]]} is not in [0, {count})")
    return [flat[where == i] for i in range(count)]


@host("DynamicStitch", "ParallelDynamicStitch")
def dynamic_stitch(run: Run, node: Node, *inputs: Array) -> Array:
    """Later values win where an index is there twice."""
    half = len(inputs) // 2
    indices, data = inputs[:half], inputs[half:]
    size = max((int(i.max()) + 1 for i in indices if i.size), default=0)
    inner = data[0].shape[indices[0].ndim :]
    merged = np.full((size, *inner), _blank_like(data[0]), data[0].dtype)
    for index, value in zip(indices, data, strict=True):
        merged[index.ravel()] = value.reshape(index.size, *inner)
    return merged


# -- picking -----------------------------------------------------------------------------------------------------


def _check_indices(indices: Array, limit: int, what: str = "indices") -> None:
    bad = np.flatnonzero((indices.ravel() < 0) | (indices.ravel() >= limit))
    if bad.size:
        place = ",".join(map(str, np.unravel_index(bad[0], indices.shape)))
        raise _error(f"{what}[{place}] = {indices.ravel()[bad[0]]} is not in [0, {limit})")


@host("Gather")
def gather(run: Run, node: Node, params: Array, indices: Array) -> Array:
    _check_indices(indices, params.shape[0])
    return params[indices]


@host("GatherV2")
def gather_v2(run: Run, node: Node, params: Array, indices: Array, axis: Array) -> Array:
    at, batch = int(axis) % max(params.ndim, 1), int(node.attr.get("batch_dims") or 0)
    _check_indices(indices, params.shape[at])
    if batch < 0:
        batch += indices.ndim
    if not batch:
        return np.take(params, indices, at)
    outer = params.shape[:batch]
    flat, where = params.reshape(-1, *params.shape[batch:]), indices.reshape(-1, *indices.shape[batch:])
    parts = [np.take(p, i, at - batch) for p, i in zip(flat, where, strict=True)]
    return np.stack(parts).reshape(*outer, *parts[0].shape)


@host("GatherNd")
def gather_nd(run: Run, node: Node, params: Array, indices: Array) -> Array:
    depth = indices.shape[-1]
    limits = np.array(params.shape[:depth])
    flat = indices.reshape(-1, depth)
    bad = np.flatnonzero(((flat < 0) | (flat >= limits)).any(axis=1))
    if bad.size:
        place = ",".join(map(str, np.unravel_index(bad[0], indices.shape[:-1])))
        raise _error(
            f"indices[{place}] = {rows.shape_text(flat[bad[0]].tolist())} does not index into param shape {rows.shape_text(params.shape)}"
        )
    picked: Array = params[tuple(np.moveaxis(indices, -1, 0))]
    return picked


@host("StridedSlice")
def strided_slice(run: Run, node: Node, value: Array, begin: Array, end: Array, strides: Array) -> Array:
    a = node.attr
    index: list[Any] = []
    for i in range(len(begin)):
        bit = 1 << i
        if a["ellipsis_mask"] & bit:
            index.append(Ellipsis)
        elif a["new_axis_mask"] & bit:
            index.append(None)
        elif a["shrink_axis_mask"] & bit:
            index.append(int(begin[i]))
        else:
            start, stop = (None if a[f"{n}_mask"] & bit else int(v[i]) for n, v in (("begin", begin), ("end", end)))
            index.append(slice(start, stop, int(strides[i])))
    if Ellipsis not in index:
        index.append(Ellipsis)  # keeps a scalar an array
    try:
        picked: Array = value[tuple(index)]
    except IndexError as e:
        raise _error(f"slice index out of bounds: {e}") from e
    return picked


@host("Where")
def where(run: Run, node: Node, condition: Array) -> Array:
    held = condition != b"" if condition.dtype == np.object_ else condition != 0
    return np.argwhere(held).astype(np.int64).reshape(-1, condition.ndim)


@host("Unique", "UniqueV2", "UniqueWithCounts", "UniqueWithCountsV2")
def unique(run: Run, node: Node, value: Array, axis: Array | None = None) -> tuple[Array, ...]:
    """Values in the order they first come in."""
    index_type = node.attr["out_idx"].as_numpy_dtype
    along = 0 if axis is None or axis.size == 0 else int(np.ravel(axis)[0])
    if axis is None and value.ndim != 1:
        raise _error(f"unique expects a 1D vector, but got shape {rows.shape_text(value.shape)}")
    moved = np.moveaxis(value, along, 0)
    first: dict[Any, int] = {}
    chosen: list[int] = []
    index = np.empty(len(moved), index_type)
    keys = moved.tolist() if moved.ndim == 1 else [tuple(np.ravel(m).tolist()) for m in moved]
    for i, key in enumerate(keys):
        if key not in first:
            first[key] = len(chosen)
            chosen.append(i)
        index[i] = first[key]
    values = np.moveaxis(moved[chosen], 0, along)
    if "WithCounts" in node.op:
        return values, index, np.bincount(index, minlength=len(chosen)).astype(index_type)
    return values, index


@host("ListDiff")
def list_diff(run: Run, node: Node, x: Array, y: Array) -> tuple[Array, Array]:
    gone = set(y.tolist())
    kept = [i for i, value in enumerate(x.tolist()) if value not in gone]
    return x[kept], np.array(kept, node.attr["out_idx"].as_numpy_dtype)


# -- making and filling ------------------------------------------------------------------------------------------


@host("Pad", "PadV2")
def pad(run: Run, node: Node, value: Array, paddings: Array, fill: Array | None = None) -> Array:
    widths = paddings.tolist()
    shape = [b + s + a for s, (b, a) in zip(value.shape, widths, strict=True)]
    result: Array = np.full(shape, _blank_like(value) if fill is None else fill[()], value.dtype)
    result[tuple(slice(b, b + s) for s, (b, _) in zip(value.shape, widths, strict=True))] = value
    return result


@host("SparseToDense")
def sparse_to_dense(run: Run, node: Node, indices: Array, shape: Array, values: Array, default: Array) -> Array:
    dense: Array = np.full(shape.tolist(), default[()], values.dtype)
    places = indices.reshape(-1, 1) if indices.ndim < 2 else indices
    if places.shape[-1] != len(shape):
        raise _error(f"sparse_indices has {places.shape[-1]} columns; output_shape has {len(shape)} dimensions.")
    for i in range(len(places)):
        if (places[i] < 0).any() or (places[i] >= shape).any():
            raise _error(
                f"indices[{i}] = {rows.shape_text(places[i].tolist())} is out of bounds: need 0 <= index < {rows.shape_text(shape.tolist())}"
            )
    if node.attr.get("validate_indices", True):
        _check_order(places)
    dense[tuple(places.T)] = values if values.ndim else values[()]
    return dense


def _check_order(places: Array) -> None:
    """Raise InvalidArgumentError where indices are not in order or come twice."""
    for i in range(1, len(places)):
        before, after = places[i - 1].tolist(), places[i].tolist()
        if before == after:
            raise _error(f"indices[{i}] = {rows.shape_text(after)} is repeated")
        if before > after:
            raise _error(
                f"indices[{i}] = {rows.shape_text(after)} is out of order. Many sparse ops require sorted indices.\n    Use `tf.sparse.reorder` to create a correctly ordered copy.\n\n"
            )


@host("ScatterNd")
def scatter_nd(run: Run, node: Node, indices: Array, updates: Array, shape: Array) -> Array:
    result: Array = np.full(shape.tolist(), _blank_like(updates), updates.dtype)
    places = tuple(np.moveaxis(indices, -1, 0))
    if updates.dtype == np.object_:
        for at in np.ndindex(indices.shape[:-1]):
            where_to = tuple(indices[at].tolist())
            result[where_to] = result[where_to] + updates[at]
    else:
        np.add.at(result, places, updates)
    return result


@host("TensorScatterUpdate")
def tensor_scatter_update(run: Run, node: Node, value: Array, indices: Array, updates: Array) -> Array:
    result = value.copy()
    result[tuple(np.moveaxis(indices, -1, 0))] = updates
    return result


@host("BroadcastTo")
def broadcast_to(run: Run, node: Node, value: Array, shape: Array) -> Array:
    return np.broadcast_to(value, shape.tolist())


@host("ZerosLike")
def zeros_like(run: Run, node: Node, value: Array) -> Array:
    return np.full(value.shape, _blank_like(value), value.dtype)


@host("Bitcast")
def bitcast(run: Run, node: Node, value: Array) -> Array:
    return dtypes.bitcast(value, node.attr["type"])


# -- what a tensor is --------------------------------------------------------------------------------------------


@host("Shape")
def shape_of(run: Run, node: Node, value: Array) -> Array:
    return np.array(np.shape(value), node.attr["out_type"].as_numpy_dtype)


@host("ShapeN")
def shape_n(run: Run, node: Node, *values: Array) -> list[Array]:
    return [np.array(np.shape(v), node.attr["out_type"].as_numpy_dtype) for v in values]


@host("Size")
def size_of(run: Run, node: Node, value: Array) -> Array:
    return np.array(np.size(value), node.attr["out_type"].as_numpy_dtype)


@host("Rank")
def rank_of(run: Run, node: Node, value: Array) -> Array:
    return np.array(np.ndim(value), np.int32)


@host("IdentityN")
def identity_n(run: Run, node: Node, *values: Any) -> Sequence[Any]:
    return values


# -- choosing ----------------------------------------------------------------------------------------------------


@host("Select")
def select(run: Run, node: Node, condition: Array, x: Array, y: Array) -> Array:
    """A vector condition chooses rows."""
    if condition.ndim and condition.ndim < x.ndim:
        condition = condition.reshape(condition.shape + (1,) * (x.ndim - condition.ndim))
    return np.where(condition, x, y)


@host("ReverseSequence")
def reverse_sequence(run: Run, node: Node, value: Array, lengths: Array) -> Array:
    along, batch = int(node.attr["seq_dim"]), int(node.attr["batch_dim"])
    moved = np.moveaxis(value, (batch, along), (0, 1))
    result = moved.copy()
    for i, length in enumerate(lengths.tolist()):
        result[i, :length] = moved[i, :length][::-1]
    return np.moveaxis(result, (0, 1), (batch, along))
