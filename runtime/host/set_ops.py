"""Host kernels of sets: the distinct values along the last dimension of dense or sparse tensors, of any element type."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphtools.graph import Node
from runtime.errors import InvalidArgumentError
from runtime.host import Run, host
from runtime.host.sparse_ops import check

Array = NDArray[Any]
Place = tuple[int, ...]


def _dense_sets(value: Array) -> tuple[dict[Place, set[Any]], Place]:
    if value.ndim < 2:
        raise InvalidArgumentError(None, None, f"Input tensor must have rank >= 2, got shape {list(value.shape)}")
    groups = value.shape[:-1]
    rows = value.reshape(-1, value.shape[-1]).tolist()
    return {place: set(row) for place, row in zip(itertools.product(*map(range, groups)), rows, strict=True)}, groups


def _sparse_sets(node: Node, indices: Array, values: Array, shape: Array) -> tuple[dict[Place, set[Any]], Place]:
    if len(shape) < 2:
        raise InvalidArgumentError(None, None, f"Input tensor must have rank >= 2, got shape {shape.tolist()}")
    if node.attr["validate_indices"]:
        check(indices, values, shape)
    found: dict[Place, set[Any]] = {}
    for place, value in zip(indices[:, :-1].tolist(), values.tolist(), strict=True):
        found.setdefault(tuple(place), set()).add(value)
    return found, tuple(shape[:-1].tolist())


def _combine(
    node: Node, first: dict[Place, set[Any]], second: dict[Place, set[Any]], groups: list[Place], dtype: Any
) -> tuple[Array, Array, Array]:
    if groups[0] != groups[1]:
        raise InvalidArgumentError(None, None, f"Mismatched group shapes of the two sets: {list(groups[0])} and {list(groups[1])}")
    operation = node.attr["set_operation"].lower()
    combine = {"a-b": set.difference, "b-a": lambda a, b: b - a, "intersection": set.intersection, "union": set.union}.get(operation)
    if combine is None:
        raise InvalidArgumentError(
            None, None, f"Invalid set_operation {node.attr['set_operation']!r}; one of a-b, b-a, intersection, union is needed"
        )
    indices: list[tuple[int, ...]] = []
    values: list[Any] = []
    largest = 0
    for place in sorted({*first, *second}):
        members = sorted(combine(first.get(place, set()), second.get(place, set())))
        largest = max(largest, len(members))
        indices += [(*place, i) for i in range(len(members))]
        values += members
    column = np.empty(len(values), dtype)
    column[:] = values
    return np.array(indices, np.int64).reshape(len(values), len(groups[0]) + 1), column, np.array([*groups[0], largest], np.int64)


@host("DenseToDenseSetOperation")
def dense_to_dense_set_operation(run: Run, node: Node, a: Array, b: Array) -> tuple[Array, Array, Array]:
    (first, left), (second, right) = _dense_sets(a), _dense_sets(b)
    return _combine(node, first, second, [left, right], a.dtype)


@host("DenseToSparseSetOperation")
def dense_to_sparse_set_operation(
    run: Run, node: Node, a: Array, indices: Array, values: Array, shape: Array
) -> tuple[Array, Array, Array]:
    (first, left), (second, right) = _dense_sets(a), _sparse_sets(node, indices, values, shape)
    return _combine(node, first, second, [left, right], a.dtype)


@host("SparseToSparseSetOperation")
def sparse_to_sparse_set_operation(
    run: Run, node: Node, a_indices: Array, a_values: Array, a_shape: Array, indices: Array, values: Array, shape: Array
) -> tuple[Array, Array, Array]:
    first, left = _sparse_sets(node, a_indices, a_values, a_shape)
    second, right = _sparse_sets(node, indices, values, shape)
    return _combine(node, first, second, [left, right], a_values.dtype)


@host("SetSize")
def set_size(run: Run, node: Node, indices: Array, values: Array, shape: Array) -> Array:
    found, groups = _sparse_sets(node, indices, values, shape)
    sizes = np.zeros(groups, np.int32)
    for place, members in found.items():
        sizes[place] = len(members)
    return sizes
