"""Functions of RaggedTensors: those of tf.ragged, and the common ones of tf, which take RaggedTensors too once this is loaded."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

from graphtools import graph as base
from graphtools.dtypes import int64
from runtime.tf1 import array_ops, math_ops
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, name_scope
from runtime.tf1.modules import Module, lookup
from runtime.tf1.ragged_tensor import RaggedTensor, RaggedTensorValue, convert_to_ragged
from runtime.tf1.registry import export

_WIDTHS = ("int32", "int64", "float32", "float64")

# -- tf.ragged ---------------------------------------------------------------------------------------------------------


@export("ragged.map_flat_values")
def map_flat_values(op: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """An op on the values of all rows; RaggedTensors among the arguments must have the same rows."""
    given = [a for a in [*args, *kwargs.values()] if isinstance(a, RaggedTensor)]
    if not given:
        return op(*args, **kwargs)
    if len({g.ragged_rank for g in given}) > 1:
        raise ValueError("Inputs must have identical ragged splits")

    def flat(a: Any) -> Any:
        return a.flat_values if isinstance(a, RaggedTensor) else a

    result = op(*(flat(a) for a in args), **{k: flat(v) for k, v in kwargs.items()})
    return given[0].with_flat_values(result)


@export("ragged.range")
def ragged_range(
    starts: Any, limits: Any = None, deltas: Any = 1, dtype: Any = None, name: str | None = None, row_splits_dtype: Any = int64
) -> RaggedTensor:
    """Rows of numbers from each start to each limit."""
    if limits is None:
        starts, limits = 0, starts
    with name_scope(name, "RaggedRange", [starts, limits, deltas]):
        starts, limits, deltas = (
            convert_to_tensor(v, dtype, name=n) for v, n in ((starts, "starts"), (limits, "limits"), (deltas, "deltas"))
        )
        if dtype is None:
            kinds = [v.dtype.base_dtype for v in (starts, limits, deltas)]
            dtype = max(kinds, key=lambda kind: _WIDTHS.index(kind.name))
        starts, limits, deltas = (math_ops.cast(v, dtype) for v in (starts, limits, deltas))
        splits, values = apply_op("RaggedRange", None, starts=starts, limits=limits, deltas=deltas, Tsplits=row_splits_dtype)
        return RaggedTensor(values, splits, internal=True)


@export("ragged.boolean_mask")
def boolean_mask(data: Any, mask: Any, name: str | None = None) -> Any:
    """The values where the mask holds, in the rows they were in."""
    with name_scope(name, "RaggedMask", [data, mask]):
        data, mask = convert_to_ragged(data), convert_to_ragged(mask, "bool")
        if isinstance(mask, base.Tensor):
            if mask.rank is None:
                raise ValueError("mask.shape.ndims must be known statically.")
            if mask.rank == 0:
                raise ValueError("mask cannot be scalar.")
            if mask.rank == 1:
                if isinstance(data, RaggedTensor):
                    return gather(data, array_ops.reshape(array_ops.where(mask), [-1]))
                return array_ops.boolean_mask(data, mask)
            mask = RaggedTensor.from_tensor(mask, ragged_rank=mask.rank - 1)
        if not isinstance(data, RaggedTensor):
            data = RaggedTensor.from_tensor(data, ragged_rank=mask.ragged_rank)
        if mask.ragged_rank > 1:
            return data.with_values(boolean_mask(data.values, mask.values))
        kept = math_ops.cast(mask.values, int64)
        counts = reduce("Sum", mask.with_values(kept), 1)
        values = boolean_mask(data.values, mask.values)
        return RaggedTensor.from_row_lengths(values, counts)


@export("ragged.stack")
def stack(values: Any, axis: int = 0, name: str | None = None) -> Any:
    return _stack([convert_to_ragged(v) for v in values], axis, name)


@export("ragged.stack_dynamic_partitions")
def stack_dynamic_partitions(data: Any, partitions: Any, num_partitions: Any, name: str | None = None) -> RaggedTensor:
    """The rows of each partition, in a row."""
    with name_scope(name, "SegmentStack", [data, partitions, num_partitions]):
        data, ids = convert_to_ragged(data), convert_to_ragged(partitions)
        if isinstance(ids, RaggedTensor):
            return stack_dynamic_partitions(data.values, ids.values, num_partitions)
        order = lookup("argsort")(ids, stable=True)
        return RaggedTensor.from_value_rowids(gather(data, order), array_ops.gather(ids, order), num_partitions)


# -- rows --------------------------------------------------------------------------------------------------------------


def gather(params: Any, indices: Any, validate_indices: Any = None, name: str | None = None, axis: Any = None, batch_dims: int = 0) -> Any:
    """Rows by number; ragged indices give ragged rows of rows."""
    with name_scope(name, "RaggedGather", [params, indices]):
        params, indices = convert_to_ragged(params), convert_to_ragged(indices)
        if isinstance(indices, RaggedTensor):
            return indices.with_values(gather(params, indices.values))
        if not isinstance(params, RaggedTensor):
            return array_ops.gather(params, indices)
        if indices.rank != 1:
            shape = array_ops.shape(indices, out_type=int64)
            flat = gather(params, array_ops.reshape(indices, [-1]))
            if indices.rank == 0:
                return flat[0]
            for level in range(indices.rank - 1, 0, -1):
                rows = math_ops.reduce_prod(shape[:level])
                flat = RaggedTensor.from_row_splits(flat, math_ops.range(0, rows + 1) * shape[level])
            return flat
        splits, values = apply_op(
            "RaggedGather", None, params_nested_splits=list(params.nested_row_splits), params_dense_values=params.flat_values, indices=indices,
            OUTPUT_RAGGED_RANK=params.ragged_rank,
        )  # fmt: skip
        result = values
        for s in reversed(splits if isinstance(splits, list | tuple) else [splits]):
            result = RaggedTensor(result, s, internal=True)
        return result


def getitem(rt: RaggedTensor, key: Any) -> Any:
    """rt[row], rt[a:b], rt[:, a:b], rt[row, column]: slices of rows have steps of one, or any for the outer dimension."""
    keys = list(key) if isinstance(key, tuple) else [key]
    if any(k is Ellipsis for k in keys):
        at = keys.index(Ellipsis)
        missing = (rt.shape.ndims or len(keys)) - (len(keys) - 1)
        keys[at : at + 1] = [slice(None)] * missing
    if not keys:
        return rt
    first, rest = keys[0], tuple(keys[1:])
    with name_scope(None, "RaggedGetItem", [rt]):
        if first is None:
            return RaggedTensor.from_row_lengths(getitem(rt, rest) if rest else rt, array_ops.reshape(rt.nrows(), [1]))
        if isinstance(first, slice):
            if first == slice(None):
                rows = rt
            else:
                numbers = math_ops.range(rt.nrows())[first]
                rows = gather(rt, numbers)
            return _inner(rows, rest) if rest else rows
        start, stop = rt.row_splits[:-1][first], rt.row_splits[1:][first]
        row = rt.values[start:stop] if isinstance(rt.values, base.Tensor) else gather(rt.values, math_ops.range(start, stop))
        return row[rest] if rest else row


def _inner(rt: RaggedTensor, keys: tuple[Any, ...]) -> Any:
    """rt[:, keys...]"""
    first, rest = keys[0], keys[1:]
    if first is None:
        return RaggedTensor.from_row_lengths(rt, array_ops.ones_like(rt.row_lengths()))
    if isinstance(first, slice):
        if first.step not in (None, 1):
            raise NotImplementedError("Slices of ragged rows need a step of 1 here.")
        if first == slice(None):
            made = rt
        else:
            lengths = rt.row_lengths()

            def place(bound: Any, default: Any) -> Any:
                if bound is None:
                    return default
                value = math_ops.cast(convert_to_tensor(bound), lengths.dtype)
                moved = array_ops.where(
                    array_ops.fill(array_ops.shape(lengths), value < 0), lengths + value, array_ops.zeros_like(lengths) + value
                )
                return math_ops.maximum(math_ops.minimum(moved, lengths), 0)

            begin, end = place(first.start, array_ops.zeros_like(lengths)), place(first.stop, lengths)
            starts = rt.row_starts()
            picked = ragged_range(starts + begin, starts + math_ops.maximum(end, begin))
            made = picked.with_values(gather(rt.values, picked.values))
        if not rest:
            return made
        values = made.values[(slice(None), *rest)] if isinstance(made.values, base.Tensor) else _inner(made.values, rest)
        return made.with_values(values)
    raise ValueError("Cannot index into an inner ragged dimension.")


# -- tf functions ------------------------------------------------------------------------------------------------------

_UNARY = (
    "abs", "acos", "acosh", "angle", "as_string", "asin", "asinh", "atan", "atanh", "cast", "ceil", "check_numerics", "clip_by_value", "complex", "conj", "cos",
    "cosh", "debugging.check_numerics", "digamma", "encode_base64", "decode_base64", "erf", "erfc", "exp", "expm1", "floor", "identity", "imag", "is_finite",
    "is_inf", "is_nan", "lgamma", "log", "log1p", "log_sigmoid", "logical_not", "math.multiply_no_nan", "negative", "ones_like", "real", "reciprocal",
    "regex_replace", "rint", "round", "rsqrt", "saturate_cast", "sigmoid", "sign", "sin", "sinh", "sqrt", "square", "string_strip", "string_to_hash_bucket",
    "string_to_hash_bucket_fast", "string_to_hash_bucket_strong", "string_to_number", "strings.length", "strings.lower", "strings.regex_full_match",
    "strings.substr", "strings.unicode_script", "strings.unicode_transcode", "strings.upper", "tan", "tanh", "to_double", "to_float", "to_int32", "to_int64",
    "zeros_like", "nn.relu", "nn.relu6", "nn.elu", "nn.softplus",
)  # fmt: skip
_BINARY = (
    "add", "atan2", "bitwise.bitwise_and", "bitwise.bitwise_or", "bitwise.bitwise_xor", "complex", "div", "div_no_nan", "divide", "equal", "floordiv",
    "floormod", "greater", "greater_equal", "less", "less_equal", "logical_and", "logical_or", "logical_xor", "maximum", "minimum", "multiply", "not_equal",
    "pow", "realdiv", "squared_difference", "subtract", "truediv", "truncatediv", "truncatemod",
)  # fmt: skip


def _broadcast(x: Any, y: Any) -> tuple[Any, Any]:
    """Two operands with the same rows: a tensor of one column is repeated along each row."""
    x, y = (v if not isinstance(v, RaggedTensor | RaggedTensorValue) else convert_to_ragged(v) for v in (x, y))
    for a, b, swap in ((x, y, False), (y, x, True)):
        if isinstance(a, RaggedTensor) and not isinstance(b, RaggedTensor):
            b = convert_to_tensor(b, a.dtype.base_dtype)
            if b.rank is not None and b.rank >= 2 and b.dims[1] == 1:
                flat = array_ops.gather(
                    array_ops.reshape(b, array_ops.concat([array_ops.shape(b)[:1], array_ops.shape(b)[2:]], 0)), a.value_rowids()
                )
                b = a.with_values(_broadcast(a.values, flat)[1]) if isinstance(a.values, RaggedTensor) else a.with_values(flat)
            elif b.rank is not None and b.rank >= 2:
                b = RaggedTensor.from_tensor(b, ragged_rank=a.ragged_rank)
            return (b, a) if swap else (a, b)
    return x, y


def _unary(original: Any) -> Any:
    def ragged(*args: Any, **kwargs: Any) -> Any:
        return map_flat_values(original, *args, **kwargs)

    return ragged


def _binary(original: Any) -> Any:
    def ragged(x: Any, y: Any, *args: Any, **kwargs: Any) -> Any:
        x, y = _broadcast(x, y)
        return map_flat_values(original, x, y, *args, **kwargs)

    return ragged


def reduce(kind: str, rt: RaggedTensor, axis: Any = None, keepdims: bool = False) -> Any:
    """A reduction over axes of a ragged tensor."""
    names = {"Sum": "reduce_sum", "Prod": "reduce_prod", "Max": "reduce_max", "Min": "reduce_min", "Mean": "reduce_mean", "All": "reduce_all", "Any": "reduce_any"}  # fmt: skip
    plain = getattr(lookup(names[kind]), "__wrapped__", lookup(names[kind]))
    if not isinstance(rt, RaggedTensor):
        return plain(rt, axis)
    if axis is None:
        return plain(rt.flat_values)
    axes = sorted({int(a) % (rt.shape.ndims or 2) for a in (axis if isinstance(axis, list | tuple) else [axis])})
    if len(axes) > 1:
        result = rt
        for a in reversed(axes):
            result = reduce(kind, result, a)
        return result
    (a,) = axes
    if kind in ("All", "Any"):
        made = reduce("Min" if kind == "All" else "Max", map_flat_values(lambda v: math_ops.cast(v, "int32"), rt), a)
        if kind == "Any":  # a row of nothing has the least number there is
            made = map_flat_values(lambda v: math_ops.maximum(v, 0), made)
        return map_flat_values(lambda v: math_ops.cast(v, "bool"), made) if isinstance(made, RaggedTensor) else math_ops.cast(made, "bool")
    if kind == "Mean":
        total = reduce("Sum", rt, a)
        count = reduce("Sum", map_flat_values(array_ops.ones_like, rt), a)
        return total / count
    if a == 0:
        columns = ragged_range(rt.row_lengths())
        width = math_ops.reduce_max(array_ops.concat([rt.row_lengths(), [0]], 0))
        return _segments(kind, rt.values, columns.values, width)
    if a == 1:
        return _segments(kind, rt.values, rt.value_rowids(), rt.nrows())
    return rt.with_values(reduce(kind, rt.values, a - 1) if isinstance(rt.values, RaggedTensor) else plain(rt.values, a - 1))


def _segments(kind: str, values: Any, ids: Any, count: Any) -> Any:
    if isinstance(values, RaggedTensor):  # rows of rows: place by place
        columns = ragged_range(values.row_lengths())
        width = math_ops.reduce_max(array_ops.concat([values.row_lengths(), [0]], 0))
        lengths = lookup("unsorted_segment_max")(values.row_lengths(), ids, math_ops.cast(count, "int32"))
        lengths = math_ops.maximum(lengths, 0)
        place = array_ops.gather(ids, values.value_rowids()) * width + columns.values
        flat = _segments(kind, values.values, place, math_ops.cast(count, int64) * width)
        rows = ragged_range(lengths)
        picked = rows.values + rows.value_rowids() * width
        return rows.with_values(array_ops.gather(flat, picked))
    return apply_op(f"UnsortedSegment{kind}", None, data=values, segment_ids=ids, num_segments=count)


def _reduction(kind: str) -> Callable[[Any], Any]:
    def make(original: Any) -> Any:
        def ragged(input_tensor: Any, axis: Any = None, keepdims: Any = None, name: str | None = None, **unused: Any) -> Any:
            with name_scope(name, f"RaggedReduce{kind}"):
                return reduce(kind, convert_to_ragged(input_tensor), axis)

        return ragged

    return make


def _concat(values: Any, axis: Any = 0, name: str | None = "concat") -> Any:
    rts = [convert_to_ragged(v) for v in values]
    with name_scope(name, "RaggedConcat"):
        if len(rts) == 1:
            return rts[0]
        rank = max((r.ragged_rank for r in rts if isinstance(r, RaggedTensor)), default=0)
        total = next((r.shape.ndims for r in rts if r.shape.ndims is not None), None)
        axis = int(axis) % total if total is not None else int(axis)
        if not rank:
            return array_ops.concat(rts, axis)
        rts = [r if isinstance(r, RaggedTensor) else RaggedTensor.from_tensor(r, ragged_rank=rank) for r in rts]
        if axis == 0:
            return RaggedTensor.from_row_lengths(_concat([r.values for r in rts]), array_ops.concat([r.row_lengths() for r in rts], 0))
        if axis == 1:
            one = _concat(rts, 0)
            rows, count = rts[0].nrows(), len(rts)
            order = array_ops.reshape(
                array_ops.transpose(array_ops.reshape(math_ops.range(0, rows * count), array_ops.stack([count, rows]))), [-1]
            )
            turned = gather(one, order)
            return RaggedTensor.from_row_splits(turned.values, turned.row_splits[::count])
        return rts[0].with_values(_concat([r.values for r in rts], axis - 1))


def _stack(rts: list[Any], axis: int = 0, name: str | None = None) -> Any:
    with name_scope(name, "RaggedStack"):
        total = next((r.shape.ndims for r in rts if r.shape.ndims is not None), None)
        axis = axis % (total + 1) if total is not None else axis
        if axis == 0:
            rank = max((r.ragged_rank for r in rts if isinstance(r, RaggedTensor)), default=0)
            if not rank:
                lengths = [array_ops.shape(r, out_type=int64)[0] for r in rts]
                return RaggedTensor.from_row_lengths(array_ops.concat(rts, 0), array_ops.stack(lengths))
            made = [r if isinstance(r, RaggedTensor) else RaggedTensor.from_tensor(r) for r in rts]
            return RaggedTensor.from_row_lengths(_concat(made, 0), array_ops.stack([r.nrows() for r in made]))
        if axis == 1:
            return _concat([_expand_dims(r, 1) for r in rts], 1)
        return rts[0].with_values(_stack([r.values for r in rts], axis - 1))


def _expand_dims(input: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Any:
    rt = convert_to_ragged(input)
    axis = dim if axis is None else axis
    if not isinstance(rt, RaggedTensor):
        if axis == 1 and rt.rank is not None and rt.rank > 1:
            return RaggedTensor.from_tensor(array_ops.expand_dims(rt, 1), ragged_rank=2)
        return array_ops.expand_dims(rt, axis)
    rank = rt.shape.ndims
    axis = axis % (rank + 1) if rank is not None else axis
    if axis == 0:
        return RaggedTensor.from_row_lengths(rt, array_ops.reshape(rt.nrows(), [1]))
    if axis == 1:
        return RaggedTensor.from_row_lengths(rt, array_ops.ones_like(rt.row_lengths()))
    values = _expand_dims(rt.values, axis - 1)
    return rt.with_values(values)


def _size(input: Any, out_type: Any = "int32", name: str | None = None) -> Any:
    return array_ops.size(convert_to_ragged(input).flat_values, name=name, out_type=out_type)


def _rank(input: Any, name: str | None = None) -> Any:
    rt = convert_to_ragged(input)
    return constant(rt.shape.ndims, "int32") if rt.shape.ndims is not None else rt.ragged_rank + array_ops.rank(rt.flat_values)


def _tile(input: Any, multiples: Any, name: str | None = None) -> Any:
    rt = convert_to_ragged(input)
    from graphtools.constant import constant as known_value

    counts = known_value(convert_to_tensor(multiples))
    if counts is None:
        raise NotImplementedError("tf.tile of a RaggedTensor needs constant multiples here.")
    result = rt
    for axis, count in reversed(list(enumerate(int(c) for c in counts))):
        result = _concat([result] * count, axis) if count > 1 else result
    return result


def _reduce_join(inputs: Any, axis: Any = None, keepdims: Any = None, separator: Any = "", name: str | None = None, **unused: Any) -> Any:
    with name_scope(name, "RaggedSegmentJoin"):
        rt = convert_to_ragged(inputs)
        axis = int(axis) % (rt.shape.ndims or 2) if axis is not None else None
        if axis is None or axis == 0:
            raise NotImplementedError("tf.strings.reduce_join of a RaggedTensor joins within rows: give axis=1 or more.")
        if axis > 1:
            return rt.with_values(lookup("strings.reduce_join")(rt.values, axis=axis - 1, separator=separator))
        return apply_op(
            "UnsortedSegmentJoin", None, inputs=rt.values, segment_ids=rt.value_rowids(), num_segments=rt.nrows(), separator=separator
        )


_OTHER: dict[str, Any] = {
    "strings.reduce_join": lambda original: _reduce_join,
    "boolean_mask": lambda original: lambda tensor, mask, name="boolean_mask", axis=None: boolean_mask(tensor, mask, name),
    "concat": lambda original: _concat,
    "expand_dims": lambda original: _expand_dims,
    "gather": lambda original: gather,
    "rank": lambda original: _rank,
    "size": lambda original: _size,
    "stack": lambda original: lambda values, axis=0, name="stack": _stack([convert_to_ragged(v) for v in values], axis, name),
    "tile": lambda original: _tile,
    **{f"reduce_{k.lower()}": _reduction(k) for k in ("Sum", "Prod", "Max", "Min", "Mean", "All", "Any")},
}


def _is_ragged(value: Any) -> bool:
    return isinstance(value, RaggedTensor | RaggedTensorValue) or (
        isinstance(value, list | tuple) and any(isinstance(v, RaggedTensor) for v in value)
    )


def _taking_ragged(original: Any, ragged: Any) -> Any:
    @functools.wraps(original)
    def dispatched(*args: Any, **kwargs: Any) -> Any:
        if any(_is_ragged(a) for a in args) or any(_is_ragged(v) for v in kwargs.values()):
            return ragged(*args, **kwargs)
        return original(*args, **kwargs)

    dispatched.__wrapped__ = original
    return dispatched


def _install() -> None:
    """Let the functions of tf that take tensors take RaggedTensors."""
    from runtime.tf1 import modules, registry

    replaced: dict[int, Any] = {}
    tables = [(_UNARY, _unary), (_BINARY, _binary)]
    makers: dict[str, Any] = {n: make for names, make in tables for n in names} | _OTHER
    for name, make in makers.items():
        original = modules.lookup(name)
        if original is None or not callable(original) or hasattr(original, "_fail"):
            continue
        wrapped = _taking_ragged(original, make(original))
        replaced[id(original)] = wrapped
        keys = [k for k, v in registry.EXPORTS.items() if v is original]
        for key in keys or [name]:
            registry.EXPORTS[key] = wrapped
    for module in list(sys.modules.values()):
        if isinstance(module, Module):
            for key, value in list(vars(module).items()):
                if id(value) in replaced:
                    setattr(module, key, replaced[id(value)])


_install()

for _name, _function in (
    ("__add__", "add"), ("__sub__", "subtract"), ("__mul__", "multiply"), ("__truediv__", "truediv"), ("__floordiv__", "floordiv"), ("__mod__", "floormod"),
    ("__pow__", "pow"), ("__and__", "logical_and"), ("__or__", "logical_or"), ("__xor__", "logical_xor"), ("__lt__", "less"), ("__le__", "less_equal"),
    ("__gt__", "greater"), ("__ge__", "greater_equal"),
):  # fmt: skip
    setattr(RaggedTensor, _name, lambda self, other, _f=_function: lookup(_f)(self, other))
    if _name[2:4] not in ("lt", "le", "gt", "ge"):
        setattr(RaggedTensor, f"__r{_name[2:]}", lambda self, other, _f=_function: lookup(_f)(other, self))
for _name, _function in (("__neg__", "negative"), ("__abs__", "abs"), ("__invert__", "logical_not")):
    setattr(RaggedTensor, _name, lambda self, _f=_function: lookup(_f)(self))
