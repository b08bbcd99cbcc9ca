"""Sums over named axes, orderings, histograms and other functions of several ops."""

from __future__ import annotations

import re
import string
from typing import Any

import numpy as np

from graphtools import graph as base
from graphtools.constant import constant as known_value
from graphtools.dtypes import int32, int64
from runtime.tf1 import array_ops, math_ops
from runtime.tf1.clip_ops import clip_by_value
from runtime.tf1.control_flow_ops import with_dependencies
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, name_scope
from runtime.tf1.registry import export


@export("lbeta")
def lbeta(x: Any, name: str | None = None) -> Any:
    """The logarithm of the multivariate beta function of the last axis."""
    with name_scope(name, "lbeta", [x]):
        x = convert_to_tensor(x, name="x")
        logs = math_ops.reduce_sum(apply_op("Lgamma", None, x=x), axis=[-1])
        total = math_ops.reduce_sum(x, axis=[-1])
        return logs - apply_op("Lgamma", None, x=total)


@export("math.polyval")
def polyval(coeffs: Any, x: Any, name: str | None = None) -> Any:
    """A polynomial by Horner's rule, highest power first."""
    with name_scope(name, "polyval", [*coeffs, x]):
        x = convert_to_tensor(x, name="x")
        if not coeffs:
            return array_ops.zeros_like(x, name=name)
        terms = [convert_to_tensor(c, name=f"coeff_{i}") for i, c in enumerate(coeffs)]
        value = terms[0]
        for c in terms[1:]:
            value = c + value * x
        return value


@export("math.reciprocal_no_nan")
def reciprocal_no_nan(x: Any, name: str | None = None) -> Any:
    with name_scope(name, "reciprocal_no_nan", [x]) as scope:
        x = convert_to_tensor(x, name="x")
        return apply_op("DivNoNan", scope, x=constant(1, x.dtype.base_dtype, name="one"), y=x)


@export("math.multiply_no_nan")
def multiply_no_nan(x: Any, y: Any, name: str | None = None) -> Any:
    with name_scope(name, "multiply_no_nan", [x, y]) as scope:
        x = convert_to_tensor(x, name="x")
        return apply_op("MulNoNan", scope, x=x, y=convert_to_tensor(y, x.dtype.base_dtype, name="y"))


@export("math.nextafter")
def nextafter(x1: Any, x2: Any, name: str | None = None) -> Any:
    return apply_op("NextAfter", name, x1=x1, x2=x2)


@export("truncatediv")
def truncatediv(x: Any, y: Any, name: str | None = None) -> Any:
    return apply_op("TruncateDiv", name, x=x, y=y)


@export("truncatemod")
def truncatemod(x: Any, y: Any, name: str | None = None) -> Any:
    return apply_op("TruncateMod", name, x=x, y=y)


@export("to_bfloat16")
def to_bfloat16(x: Any, name: str = "ToBFloat16") -> Any:
    return math_ops.cast(x, "bfloat16", name=name)


@export("to_complex64")
def to_complex64(x: Any, name: str = "ToComplex64") -> Any:
    return math_ops.cast(x, "complex64", name=name)


@export("to_complex128")
def to_complex128(x: Any, name: str = "ToComplex128") -> Any:
    return math_ops.cast(x, "complex128", name=name)


def _segment_counts(data: Any, ids: Any, num_segments: Any) -> Any:
    """How many rows each segment has, at least one, shaped to divide the sums."""
    ones = array_ops.ones(array_ops.shape_internal(ids), dtype=data.dtype)
    counted = apply_op("UnsortedSegmentSum", None, data=ones, segment_ids=ids, num_segments=num_segments)
    if data.rank is None or ids.rank is None:
        raise TypeError("unsupported operand type(s) for -: 'NoneType' and 'int'")
    counted = array_ops.reshape(counted, [num_segments] + [1] * (data.rank - ids.rank))
    return apply_op("Maximum", None, x=counted, y=1)


@export("unsorted_segment_mean", "math.unsorted_segment_mean")
def unsorted_segment_mean(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Any:
    with name_scope(name, "UnsortedSegmentMean"):
        data = convert_to_tensor(data)
        segment_ids = convert_to_tensor(segment_ids)
        counts = _segment_counts(data, segment_ids, num_segments)
        return apply_op("UnsortedSegmentSum", None, data=data, segment_ids=segment_ids, num_segments=num_segments) / counts


@export("unsorted_segment_sqrt_n", "math.unsorted_segment_sqrt_n")
def unsorted_segment_sqrt_n(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Any:
    with name_scope(name, "UnsortedSegmentSqrtN"):
        data = convert_to_tensor(data)
        segment_ids = convert_to_tensor(segment_ids)
        counts = _segment_counts(data, segment_ids, num_segments)
        return apply_op("UnsortedSegmentSum", None, data=data, segment_ids=segment_ids, num_segments=num_segments) / math_ops.sqrt(counts)


# -- einsum --------------------------------------------------------------------------------------------------------


@export("einsum")
def einsum(equation: str, *inputs: Any, **kwargs: Any) -> Any:
    """A sum over named axes ("ij,jk->ik"), by transposes, reshapes and matrix products, input by input."""
    name = kwargs.pop("name", None)
    if kwargs:
        raise TypeError("invalid keyword arguments for this function: " + ", ".join(sorted(kwargs)))
    with name_scope(name, "einsum", [equation, *inputs]):
        tensors = [convert_to_tensor(x) for x in inputs]
        labels, output = _resolve(equation, tensors)
        for own in labels:
            repeated = [a for a in dict.fromkeys(own) if own.count(a) > 1]
            if repeated and len(labels) == 1 and own == own[::-1] and own.count(repeated[0]) == 2 and "->" not in equation:
                return math_ops.trace(tensors[0])
            if repeated:
                raise ValueError(f"Subscript not supported: an axis appears more than once: {own}")
        every = sorted(set("".join(labels) + output))
        if any(sum(a in own for own in labels) > 2 and a not in output for a in every):
            return _by_broadcasting(tensors, labels, output)
        value, axes = tensors[0], labels[0]
        for other, own in zip(tensors[1:], labels[1:], strict=True):
            value, axes = _contract(value, axes, other, own, set(axes) & set(own) - set(output))
        if set(axes) - set(output):
            value = math_ops.reduce_sum(value, axis=[i for i, a in enumerate(axes) if a not in output])
            axes = "".join(a for a in axes if a in output)
        if sorted(axes) != sorted(output):
            raise ValueError(f"Invalid equation: {equation}")
        return _transposed(value, [axes.index(a) for a in output])


def _resolve(equation: str, tensors: list[Any]) -> tuple[list[str], str]:
    """The axis names of each input and of the output, ellipses spelt out."""
    equation = equation.replace(" ", "")
    match = re.match(r"^([a-zA-Z,.]+)(->[a-zA-Z.]*)?$", equation)
    if not match:
        raise ValueError(f"Indices have incorrect format: {equation}")
    labels = match.group(1).split(",")
    output = match.group(2)[2:] if match.group(2) else None
    if len(tensors) != len(labels):
        raise ValueError(f'Got {len(tensors)} arguments for equation "{equation}", expecting {len(labels)}')
    dots = ""
    if "..." in equation:
        unused = "".join(c for c in string.ascii_letters if c not in "".join(labels))
        for i, own in enumerate(labels):
            if "..." not in own:
                continue
            parts = own.split("...")
            if len(parts) != 2:
                raise ValueError("Unable to resolve ellipsis. Excess number found.")
            if tensors[i].rank is None:
                raise ValueError("Unable to statically infer ellipsis axes.")
            n = tensors[i].rank - len("".join(parts))
            if n < 0:
                raise ValueError("Ellipses lengths do not match.")
            if len(unused) < n:
                raise ValueError("Unable to resolve ellipsis, too many distinct labels.")
            names = unused[-n:] if n else ""
            labels[i] = own.replace("...", names)
            dots = max(dots, names, key=len)
        output = None if output is None else output.replace("...", dots)
        if any("." in own for own in labels) or "." in (output or ""):
            raise ValueError('period "." found outside of ellipsis')
    if output is None:
        counts = {a: sum(own.count(a) for own in labels) for a in set("".join(labels)) - set(dots)}
        output = dots + "".join(sorted(a for a, n in counts.items() if n == 1))
    return labels, output


def _contract(t0: Any, axes0: str, t1: Any, axes1: str, summed: set[str]) -> tuple[Any, str]:
    """The product of two tensors, summed over `summed`: kept axes first, as a batch of matrix products."""
    for t, axes in ((t0, axes0), (t1, axes1)):
        if t.rank != len(axes):
            raise ValueError(f"A tensor of rank {t.rank} does not match einsum reduction of length {len(axes)}")
    kept = (set(axes0) & set(axes1)) - summed
    own0, own1 = set(axes0) - kept - summed, set(axes1) - kept - summed

    def order(first: bool) -> Any:
        return lambda a: (-1 if a in kept else 0 if (a in own0 if first else a in summed) else 1, a)

    sorted0, sorted1 = sorted(axes0, key=order(True)), sorted(axes1, key=order(False))
    t0 = _transposed(t0, [axes0.find(a) for a in sorted0])
    t1 = _transposed(t1, [axes1.find(a) for a in sorted1])
    if not summed:
        for _ in own1:
            t0 = array_ops.expand_dims(t0, -1)
        for _ in own0:
            t1 = array_ops.expand_dims(t1, len(kept))
        return math_ops.multiply(t0, t1), "".join(sorted0 + sorted1[len(kept) :])
    shape0 = _sizes(t0)
    n0 = _product(shape0[len(kept) : -len(summed)])
    t0 = _reshaped(t0, [*shape0[: len(kept)], n0, _product(shape0[-len(summed) :])])
    inner = _product(shape0[-len(summed) :])
    shape1 = _sizes(t1)
    n1 = _product(shape1[len(kept) + len(summed) :])
    t1 = _reshaped(t1, [*shape1[: len(kept)], inner, n1])
    product = math_ops.matmul(t0, t1)
    full = shape0[: len(kept) + len(own0)] + shape1[len(shape1) - len(own1) :]
    return _reshaped(product, full), "".join(sorted0[: len(kept) + len(own0)] + sorted1[len(sorted1) - len(own1) :])


def _transposed(tensor: Any, perm: list[int]) -> Any:
    return tensor if perm == sorted(perm) else array_ops.transpose(tensor, perm=perm)


def _reshaped(tensor: Any, shape: list[Any]) -> Any:
    now = tensor.dims
    if (
        now is not None
        and len(now) == len(shape)
        and all(not isinstance(b, base.Tensor) and a == b for a, b in zip(now, shape, strict=True))
    ):
        return tensor
    return array_ops.reshape(tensor, tuple(-1 if s is None else s for s in shape))


def _sizes(tensor: Any) -> list[Any]:
    sizes: list[Any] = list(tensor.dims)
    if None in sizes:
        dynamic = array_ops.shape(tensor)
        sizes = [dynamic[i] if s is None else s for i, s in enumerate(sizes)]
    return sizes


def _product(sizes: list[Any]) -> Any:
    total: Any = 1
    for s in sizes:
        total = total * s
    return total


def _by_broadcasting(tensors: list[Any], labels: list[str], output: str) -> Any:
    """All inputs broadcast over all axes, multiplied and summed."""
    order = {a: i for i, a in enumerate([a for a in sorted(set("".join(labels) + output)) if a not in output] + list(output))}
    expanded = []
    for t, own in zip(tensors, labels, strict=True):
        if t.rank != len(own):
            raise ValueError(f"An input with axes {own} has incorrect number of dimensions (expected {len(own)}, got {t.rank})")
        wanted = sorted(own, key=order.__getitem__)
        t = _transposed(t, [own.find(a) for a in wanted])
        sizes = dict(zip(wanted, t.dims, strict=True))
        expanded.append(array_ops.reshape(t, [1 if a not in sizes else -1 if sizes[a] is None else sizes[a] for a in order]))
    value = expanded[0]
    for t in expanded[1:]:
        value = value * t
    return math_ops.reduce_sum(value, [i for a, i in order.items() if a not in output])


# -- counting ------------------------------------------------------------------------------------------------------


def remove_squeezable_dimensions(labels: Any, predictions: Any, expected_rank_diff: int = 0, name: str | None = None) -> tuple[Any, Any]:
    """Labels and predictions, a last axis of size 1 dropped where the ranks differ by one too many."""
    from runtime.tf1.control_flow import cond

    with name_scope(name, "remove_squeezable_dimensions", [labels, predictions]):
        predictions, labels = convert_to_tensor(predictions), convert_to_tensor(labels)
        if labels.rank is not None and predictions.rank is not None:
            difference = predictions.rank - labels.rank
            if difference == expected_rank_diff + 1:
                predictions = array_ops.squeeze(predictions, [-1])
            elif difference == expected_rank_diff - 1:
                labels = array_ops.squeeze(labels, [-1])
            return labels, predictions
        difference = array_ops.rank(predictions) - array_ops.rank(labels)
        if predictions.rank is None or predictions.dims[-1] in (None, 1):
            squeezed = math_ops.equal(expected_rank_diff + 1, difference)
            before = predictions
            predictions = cond(squeezed, lambda: array_ops.squeeze(before, [-1]), lambda: before)
        if labels.rank is None or labels.dims[-1] in (None, 1):
            squeezed = math_ops.equal(expected_rank_diff - 1, difference)
            plain = labels
            labels = cond(squeezed, lambda: array_ops.squeeze(plain, [-1]), lambda: plain)
        return labels, predictions


@export("confusion_matrix")
def confusion_matrix(
    labels: Any, predictions: Any, num_classes: Any = None, dtype: Any = int32, name: str | None = None, weights: Any = None
) -> Any:
    """How often each label (row) was predicted as each class (column)."""
    from runtime.tf1.modules import lookup
    from runtime.tf1.sparse_ops import sparse_add
    from runtime.tf1.sparse_tensor import SparseTensor

    not_negative, less = lookup("assert_non_negative"), lookup("assert_less")
    with name_scope(name, "confusion_matrix", [predictions, labels, num_classes, weights]):
        labels, predictions = remove_squeezable_dimensions(
            convert_to_tensor(labels, name="labels"), convert_to_tensor(predictions, name="predictions")
        )
        predictions, labels = math_ops.cast(predictions, int64), math_ops.cast(labels, int64)
        labels = with_dependencies([not_negative(labels, message="`labels` contains negative values")], labels)
        predictions = with_dependencies([not_negative(predictions, message="`predictions` contains negative values")], predictions)
        if num_classes is None:
            num_classes = math_ops.maximum(math_ops.reduce_max(predictions), math_ops.reduce_max(labels)) + 1
        else:
            limit = math_ops.cast(num_classes, int64)
            labels = with_dependencies([less(labels, limit, message="`labels` out of bound")], labels)
            predictions = with_dependencies([less(predictions, limit, message="`predictions` out of bound")], predictions)
        if weights is not None:
            weights = convert_to_tensor(weights, name="weights")
            predictions.get_shape().assert_is_compatible_with(weights.get_shape())
            weights = math_ops.cast(weights, dtype)
        shape = array_ops.stack([num_classes, num_classes])
        indices = array_ops.stack([labels, predictions], axis=1)
        values = array_ops.ones_like(predictions, dtype) if weights is None else weights
        counts = SparseTensor(indices=indices, values=values, dense_shape=math_ops.cast(shape, int64))
        return sparse_add(array_ops.zeros(math_ops.cast(shape, int32), dtype), counts)


@export("histogram_fixed_width")
def histogram_fixed_width(values: Any, value_range: Any, nbins: Any = 100, dtype: Any = int32, name: str | None = None) -> Any:
    with name_scope(name, "histogram_fixed_width", [values, value_range, nbins]) as scope:
        return apply_op("HistogramFixedWidth", scope, values=values, value_range=value_range, nbins=nbins, dtype=dtype)


@export("histogram_fixed_width_bins")
def histogram_fixed_width_bins(values: Any, value_range: Any, nbins: Any = 100, dtype: Any = int32, name: str | None = None) -> Any:
    """The bin of each value; values out of the range are in the first or the last."""
    with name_scope(name, "histogram_fixed_width_bins", [values, value_range, nbins]):
        values = convert_to_tensor(values, name="values")
        shape = array_ops.shape(values)
        values = array_ops.reshape(values, [-1])
        value_range = convert_to_tensor(value_range, name="value_range")
        count = math_ops.cast(convert_to_tensor(nbins, dtype=int32, name="nbins"), values.dtype)
        scaled = math_ops.truediv(values - value_range[0], value_range[1] - value_range[0], name="scaled_values")
        bins = apply_op("Floor", "indices", x=count * scaled)
        return array_ops.reshape(math_ops.cast(clip_by_value(bins, 0, count - 1), int32), shape)


# -- ordering ------------------------------------------------------------------------------------------------------


@export("sort")
def sort(values: Any, axis: Any = -1, direction: str = "ASCENDING", name: str | None = None) -> Any:
    with name_scope(name, "sort"):
        return _ordered(values, axis, direction, False)


@export("argsort")
def argsort(values: Any, axis: Any = -1, direction: str = "ASCENDING", stable: bool = False, name: str | None = None) -> Any:
    with name_scope(name, "argsort"):
        return _ordered(values, axis, direction, True)


def _ordered(values: Any, axis: Any, direction: str, indices: bool) -> Any:
    if direction not in ("ASCENDING", "DESCENDING"):
        raise ValueError(f"{direction} should be one of ASCENDING, DESCENDING")
    axis = known_value(convert_to_tensor(axis, name="axis"))
    if axis is None or np.ndim(axis) != 0:
        raise ValueError("axis must be a constant scalar")
    values = convert_to_tensor(values, name="values")
    if direction == "DESCENDING":
        return _descending(values, int(axis), indices)
    found = _descending(-values, int(axis), indices)
    return found if indices else -found


def _descending(values: Any, axis: int, indices: bool) -> Any:
    from runtime.tf1.nn_ops import top_k

    k = array_ops.shape(values)[axis]
    rank = array_ops.rank(values)
    perm: Any = None
    if axis != -1 and axis + 1 != values.rank:
        n = values.rank
        if n is not None:
            axis %= n
            order = np.arange(n)
            order[[axis, n - 1]] = order[[n - 1, axis]]
            perm = constant(order, name="transposition")
        else:
            at = axis if axis >= 0 else axis + rank
            perm = array_ops.concat([math_ops.range(at), [rank - 1], math_ops.range(at + 1, rank - 1), [at]], axis=0)
    found = top_k(values if perm is None else array_ops.transpose(values, perm), k)
    result = found[1] if indices else found[0]
    return result if perm is None else array_ops.transpose(result, perm)


# -- picking -------------------------------------------------------------------------------------------------------


@export("where_v2")
def where_v2(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Any:
    """Like tf.where, with broadcasting."""
    if (x is None) != (y is None):
        raise ValueError("x and y must both be non-None or both be None.")
    if x is None:
        with name_scope(name, "Where", [condition]) as scope:
            return apply_op("Where", scope, input=convert_to_tensor(condition, dtype_hint="bool", name="condition"))
    return apply_op("SelectV2", name, condition=condition, t=x, e=y)


@export("batch_gather")
def batch_gather(params: Any, indices: Any, name: str | None = None) -> Any:
    """Rows picked in each batch: the leading axes of `indices` are those of `params`."""
    with name_scope(name, "BatchGather", [params, indices]):
        indices = convert_to_tensor(indices, name="indices")
        params = convert_to_tensor(params, name="params")
        if indices.rank is None:
            raise ValueError("batch_gather does not allow indices with unknown shape.")
        return array_ops.gather(params, indices, axis=indices.rank - 1, batch_dims=indices.rank - 1)


@export("repeat")
def repeat(input: Any, repeats: Any, axis: int | None = None, name: str | None = None) -> Any:
    """Each slice along an axis, as often as `repeats` says."""
    if axis is None:
        input, axis = array_ops.reshape(input, [-1]), 0
    with name_scope(name, "Repeat", [input, repeats]):
        data = convert_to_tensor(input, name="data")
        repeats = convert_to_tensor(repeats, name="repeats")
        repeats = repeats if repeats.dtype.base_dtype in (int32, int64) else math_ops.cast(repeats, int32)
        if data.rank == 0:
            data = array_ops.expand_dims(data, 0)
        if data.rank is None:
            raise ValueError("tf.repeat needs a tensor of known rank.")
        axis %= data.rank
        shape = array_ops.shape(data)
        expanded = array_ops.expand_dims(data, axis + 1)
        result_shape = array_ops.concat([shape[:axis], [-1], shape[axis + 1 :]], axis=0)
        if repeats.rank == 0:
            return array_ops.reshape(_tiled(expanded, axis + 1, repeats), result_shape)
        if repeats.rank != axis + 1:
            wide = array_ops.concat([shape[: axis + 1 - array_ops.rank(repeats)], array_ops.shape(repeats)], axis=0)
            repeats = apply_op("BroadcastTo", None, input=repeats, shape=wide)
        most = math_ops.maximum(0, math_ops.reduce_max(repeats))
        masked = array_ops.boolean_mask(_tiled(expanded, axis + 1, most), array_ops.sequence_mask(repeats, most))
        result = masked if axis == 0 else array_ops.reshape(masked, result_shape)
        result.set_shape([*data.dims[:axis], None, *data.dims[axis + 1 :]])
        return result


def _tiled(data: Any, axis: int, multiple: Any) -> Any:
    multiples = [1] * data.rank
    return apply_op("Tile", None, input=data, multiples=array_ops.stack([*multiples[:axis], multiple, *multiples[axis + 1 :]], axis=0))
