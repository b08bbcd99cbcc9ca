"""Assertions about tensors, checked now where the values are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphtools import graph as base
from graphtools.constant import constant as known_value
from graphtools.dtypes import as_dtype
from runtime.errors import InvalidArgumentError
from runtime.tf1 import array_ops, control_flow_ops, math_ops
from runtime.tf1.control_flow_ops import no_op
from runtime.tf1.graph import apply_op, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.logging_ops import Assert
from runtime.tf1.registry import export


def _name(x: Any) -> str:
    return x.name if hasattr(x, "name") else str(x)


def _binary(symbol: str, opname: str, function: Callable[..., Any], static: Callable[..., Any]) -> Callable[..., Any]:
    def check(x: Any, y: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None) -> Any:
        if opname == "assert_equal":
            with name_scope(name, opname, [x, y, data]):
                if x is y:
                    return no_op()
        with name_scope(name, opname, [x, y, data]):
            x = convert_to_tensor(x, name="x")
            y = convert_to_tensor(y, name="y")
            text = message or ""
            if data is None:
                data = [f"Condition x {symbol} y did not hold element-wise:", f"x ({_name(x)}) = ", x, f"y ({_name(y)}) = ", y]
            if message is not None:
                data = [message, *data]
            condition = math_ops.reduce_all(function(x, y))
            a, b = known_value(x), known_value(y)
            if a is not None and b is not None and not np.all(static(a, b)) and get_default_graph().flow is None:
                raise InvalidArgumentError(
                    None,
                    None,
                    f"{text}\nCondition x {symbol} y did not hold.\nIndices of first {min(3, a.size)} different values:\n x = {a!r}\n y = {b!r}",
                )
            return Assert(condition, data, summarize=summarize)

    return export(opname)(check)


assert_equal = _binary("==", "assert_equal", math_ops.equal, np.equal)
assert_none_equal = _binary("!=", "assert_none_equal", math_ops.not_equal, np.not_equal)
assert_less = _binary("<", "assert_less", math_ops.less, np.less)
assert_less_equal = _binary("<=", "assert_less_equal", math_ops.less_equal, np.less_equal)
assert_greater = _binary(">", "assert_greater", math_ops.greater, np.greater)
assert_greater_equal = _binary(">=", "assert_greater_equal", math_ops.greater_equal, np.greater_equal)


@export("assert_near")
def assert_near(
    x: Any,
    y: Any,
    rtol: Any = None,
    atol: Any = None,
    data: Any = None,
    summarize: int | None = None,
    message: str | None = None,
    name: str | None = None,
) -> Any:
    with name_scope(name, "assert_near", [x, y, rtol, atol, data]):
        x = convert_to_tensor(x, name="x")
        y = convert_to_tensor(y, name="y", dtype=x.dtype)
        eps = np.finfo(x.dtype.as_numpy_dtype).eps
        rtol = 10 * eps if rtol is None else rtol
        atol = 10 * eps if atol is None else atol
        rtol, atol = convert_to_tensor(rtol, x.dtype, name="rtol"), convert_to_tensor(atol, x.dtype, name="atol")
        if data is None:
            data = [message or "", "x and y not equal to tolerance", f"x ({_name(x)}) = ", x, f"y ({_name(y)}) = ", y]
        tolerance = atol + rtol * math_ops.abs_(y)
        condition = math_ops.reduce_all(math_ops.less(math_ops.abs_(x - y), tolerance))
        return Assert(condition, data, summarize=summarize)


def _unary(opname: str, check: Callable[..., Any], flipped: bool, text: str) -> None:
    def function(x: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None) -> Any:
        with name_scope(name, opname, [x, data]):
            x = convert_to_tensor(x, name="x")
            if data is None:
                data = [message or "", f"Condition x {text} 0 did not hold element-wise:", f"x ({_name(x)}) = ", x]
            zero = convert_to_tensor(0, dtype=x.dtype)
            return check(zero, x, data=data, summarize=summarize) if flipped else check(x, zero, data=data, summarize=summarize)

    export(opname)(function)


_unary("assert_negative", assert_less, False, "<")
_unary("assert_positive", assert_less, True, ">")
_unary("assert_non_negative", assert_less_equal, True, ">=")
_unary("assert_non_positive", assert_less_equal, False, "<=")


@export("assert_rank")
def assert_rank(
    x: Any, rank: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Any:
    return _rank_check(x, rank, data, summarize, message, name, "assert_rank", lambda a, b: a == b, math_ops.equal, "")


@export("assert_rank_at_least")
def assert_rank_at_least(
    x: Any, rank: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Any:
    return _rank_check(
        x, rank, data, summarize, message, name, "assert_rank_at_least", lambda a, b: a >= b, math_ops.greater_equal, "at least "
    )


def _rank_check(
    x: Any, rank: Any, data: Any, summarize: Any, message: Any, name: Any, opname: str, static: Any, dynamic: Any, word: str
) -> Any:
    with name_scope(name, opname, [x]):
        x = convert_to_tensor(x, name="x")
        rank = convert_to_tensor(rank, name="rank")
        if data is None:
            data = [message or "", f"Tensor {x.name} must have rank {word}", rank, "Received shape: ", array_ops.shape(x)]
        assert_type(rank, "int32")
        wanted = known_value(rank)
        if x.rank is not None and wanted is not None:
            if not static(x.rank, int(wanted)):
                raise ValueError(
                    f"{message or ''}Tensor {x.name} must have rank {word}{int(wanted)}.  Received rank {x.rank}, shape {x.shape}"
                )
            return control_flow_ops.no_op(name="static_checks_determined_all_ok")
        return Assert(dynamic(array_ops.rank(x), rank), data, summarize=summarize)


@export("assert_rank_in")
def assert_rank_in(
    x: Any, ranks: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> Any:
    with name_scope(name, "assert_rank_in", [x]):
        x = convert_to_tensor(x, name="x")
        wanted = [int(known_value(convert_to_tensor(r))) for r in ranks]  # type: ignore[arg-type]
        if x.rank is not None:
            if x.rank not in wanted:
                raise ValueError(
                    f"{message or ''}Tensor {x.name} must have rank in {tuple(wanted)}.  Received rank {x.rank}, shape {x.shape}"
                )
            return control_flow_ops.no_op(name="static_checks_determined_all_ok")
        found = [math_ops.equal(array_ops.rank(x), r) for r in wanted]
        return Assert(
            math_ops.reduce_any(array_ops.stack(found)),
            data or [message or "", "Received shape: ", array_ops.shape(x)],
            summarize=summarize,
        )


@export("assert_scalar")
def assert_scalar(tensor: Any, name: str | None = None, message: str | None = None) -> Any:
    with name_scope(name, "assert_scalar", [tensor]) as scope:
        tensor = convert_to_tensor(tensor, name=scope)
        if tensor.rank != 0:
            raise ValueError(f"{message or ''}Expected scalar shape for {tensor.name}, saw shape: {tensor.shape}.")
        return tensor


@export("assert_type")
def assert_type(tensor: Any, tf_type: Any, message: str | None = None, name: str | None = None) -> Any:
    wanted = as_dtype(tf_type)
    with name_scope(name, "assert_type", [tensor]):
        tensor = convert_to_tensor(tensor, name="tensor")
        if tensor.dtype.base_dtype is not wanted:
            raise TypeError(f"{message or ''}{tensor.name} must be of type {wanted!r}")
        return control_flow_ops.no_op("statically_determined_correct_type")


@export("assert_integer")
def assert_integer(x: Any, message: str | None = None, name: str | None = None) -> Any:
    with name_scope(name, "assert_integer", [x]):
        x = convert_to_tensor(x, name="x")
        if not x.dtype.is_integer:
            raise TypeError(f'{message or ""}Expected "x" to be integer type.  Found: {x.dtype!r}')
        return control_flow_ops.no_op("statically_determined_was_integer")


@export("assert_same_float_dtype")
def assert_same_float_dtype(tensors: Any = None, dtype: Any = None) -> Any:
    if tensors:
        types = {t.dtype.base_dtype for t in tensors}
        if len(types) > 1:
            raise ValueError(f"Tensors must have the same type; they are {sorted(t.name for t in types)}.")
        dtype = dtype or types.pop()
    dtype = as_dtype(dtype or "float32").base_dtype
    if not dtype.is_floating:
        raise ValueError(f"Expected floating point type, got {dtype!r}.")
    return dtype


@export("assert_proper_iterable")
def assert_proper_iterable(values: Any) -> None:
    if isinstance(values, base.Tensor | np.ndarray | bytes | str) or not hasattr(values, "__iter__"):
        raise TypeError(f'Expected argument "values" to be a "proper" iterable.  Found: {type(values)}')


@export("is_numeric_tensor")
def is_numeric_tensor(tensor: Any) -> bool:
    return isinstance(tensor, base.Tensor) and (tensor.dtype.is_floating or tensor.dtype.is_integer or tensor.dtype.is_complex)


def _differences(x: Any) -> Any:
    flat = array_ops.reshape(x, [-1])
    return array_ops._slice_helper(flat, slice(1, None)) - array_ops._slice_helper(flat, slice(None, -1))


@export("is_non_decreasing")
def is_non_decreasing(x: Any, name: str | None = None) -> Any:
    with name_scope(name, "is_non_decreasing", [x]):
        diff = _differences(convert_to_tensor(x))
        return math_ops.reduce_all(math_ops.less_equal(convert_to_tensor(0, dtype=diff.dtype), diff))


@export("is_strictly_increasing")
def is_strictly_increasing(x: Any, name: str | None = None) -> Any:
    with name_scope(name, "is_strictly_increasing", [x]):
        diff = _differences(convert_to_tensor(x))
        return math_ops.reduce_all(math_ops.less(convert_to_tensor(0, dtype=diff.dtype), diff))


@export("ensure_shape")
def ensure_shape(x: Any, shape: Any, name: str | None = None) -> Any:
    return apply_op("EnsureShape", name, input=x, shape=shape)


@export("debugging.assert_shapes")
def assert_shapes(shapes: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None) -> Any:
    """Tensors have the sizes given by number or by letter, the same letter the same size; "..." or "*" first stands for any dimensions."""
    pairs = list(shapes.items()) if isinstance(shapes, dict) else list(shapes)
    message = message or ""
    with name_scope(name, "assert_shapes", [x for x, _ in pairs]):
        checked = [(convert_to_tensor(x), wanted) for x, wanted in pairs if wanted is not None]
        parts = []
        for x, wanted in checked:
            if not hasattr(wanted, "__iter__"):
                raise ValueError(
                    f"{message}.  Tensor {x.name}.  Specified shape must be an iterable.  An iterable has the attribute `__iter__` or `__getitem__`.  Received specified shape: {wanted}"
                )
            symbols = [str(w) if isinstance(w, bytes) else w for w in wanted]
            if any(s in (Ellipsis, "*") for s in symbols[1:]):
                at = next(i for i, s in enumerate(symbols) if i and s in (Ellipsis, "*"))
                raise ValueError(
                    f"{message}.  Tensor {x.name} specified shape index {at}.  Symbol `...` or `*` for a variable number of unspecified dimensions is only allowed as the first entry"
                )
            loose = bool(symbols) and symbols[0] in (Ellipsis, "*")
            parts.append((x, loose, symbols[1:] if loose else symbols))
        sizes = [_sizes(x) for x, _, _ in parts]
        ranks = []
        for x, loose, symbols in parts:
            if loose and len(symbols) > 1:
                ranks.append(assert_rank_at_least(x, len(symbols), data, summarize, message, name))
            elif not loose and len(symbols) < 2:
                ranks.append(assert_rank_in(x, [0, 1], data, summarize, message, name))
            elif not loose:
                ranks.append(assert_rank(x, len(symbols), data, summarize, message, name))
        known: dict[Any, tuple[Any, Any, int]] = {}
        checks = []
        for (x, loose, symbols), actual in zip(parts, sizes, strict=True):
            for i, symbol in enumerate(symbols):
                if symbol in (None, "."):
                    continue
                dim = i - len(symbols) if loose else i
                number = str(symbol).isdigit()
                if not number and symbol not in known:
                    known[symbol] = (actual[dim], x, dim)
                    continue
                size = int(symbol) if number else known[symbol][0]
                why = "Specified explicitly" if number else f"Specified by tensor {known[symbol][1].name} dimension {known[symbol][2]}"
                if isinstance(actual[dim], int) and isinstance(size, int):
                    if actual[dim] != size:
                        raise ValueError(
                            f"{message}.  {why}.  Tensor {x.name} dimension {dim} must have size {size}.  Received size {actual[dim]}, shape {x.shape}"
                        )
                    continue
                holds = math_ops.equal(convert_to_tensor(actual[dim]), convert_to_tensor(size))
                shown = data or [
                    message,
                    why,
                    f"Tensor {x.name} dimension",
                    dim,
                    "must have size",
                    size,
                    "Received shape: ",
                    array_ops.shape(x),
                ]
                checks.append(Assert(holds, shown, summarize=summarize))
        with get_default_graph().control_dependencies(ranks):
            return control_flow_ops.group(*checks)


def _sizes(x: Any) -> list[Any]:
    """The size of each dimension, a number where it is known; a scalar counts as one element."""
    if x.rank is None:
        shape = array_ops.shape(x)
        return _LateSizes(shape)
    if x.rank == 0:
        return [1]
    shape = None if None not in x.dims else array_ops.shape(x)
    return [d if d is not None else shape[i] for i, d in enumerate(x.dims)]  # type: ignore[index]


class _LateSizes(list):  # type: ignore[type-arg]
    """Sizes of a tensor of unknown rank, taken from its shape when it is there."""

    def __init__(self, shape: Any) -> None:
        super().__init__()
        self._shape = shape

    def __getitem__(self, index: Any) -> Any:
        return self._shape[index]
