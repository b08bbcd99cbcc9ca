"""Arithmetic: elementwise, reductions, matrices; and the operators of tensors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from graphtools import graph as base
from graphtools.dtypes import as_dtype, bool_, float32, float64, int32, int64
from graphtools.gradients import IndexedSlices
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, name_scope
from runtime.tf1.registry import export, put
from runtime.tf1.tensor import Tensor
from runtime.tf1.variables import Updated, Variable


def _binary(op_type: str, *names: str) -> Callable[..., Any]:
    def function(x: Any, y: Any, name: str | None = None) -> Any:
        return apply_op(op_type, name, x=x, y=y)

    function.__name__ = names[0].rpartition(".")[2]
    for n in names:
        put(n, function)
    return function


add = _binary("Add", "add")
multiply = _binary("Mul", "multiply")
subtract = _binary("Sub", "subtract")
equal = _binary("Equal", "equal")
not_equal = _binary("NotEqual", "not_equal")
less = _binary("Less", "less")
less_equal = _binary("LessEqual", "less_equal")
greater = _binary("Greater", "greater")
greater_equal = _binary("GreaterEqual", "greater_equal")
maximum = _binary("Maximum", "maximum")
minimum = _binary("Minimum", "minimum")
floormod = _binary("FloorMod", "floormod")
mod = _binary("FloorMod", "mod")
real_divide = _binary("RealDiv", "realdiv")


@export("pow")
def pow_(x: Any, y: Any, name: str | None = None) -> Any:
    with name_scope(name, "Pow", [x]) as scope:
        return apply_op("Pow", scope, x=x, y=y)


def _by_values(function: Any) -> Any:
    """The function of a SparseTensor too: of its values, which keep their places."""

    @functools.wraps(function)
    def of_either(x: Any, name: str | None = None) -> Any:
        if hasattr(x, "_composite_parts") and hasattr(x, "dense_shape"):
            return type(x)(x.indices, function(x.values, name), x.dense_shape)
        return function(x, name)

    return of_either


@export("negative")
@_by_values
def negative(x: Any, name: str | None = None) -> Any:
    return apply_op("Neg", name, x=x)


@export("abs")
@_by_values
def abs_(x: Any, name: str | None = None) -> Any:
    with name_scope(name, "Abs", [x]) as scope:
        x = convert_to_tensor(x, name="x")
        if x.dtype.is_complex:
            return apply_op("ComplexAbs", scope, x=x, Tout=x.dtype.real_dtype)
        return apply_op("Abs", scope, x=x)


@export("cast")
def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    to = as_dtype(dtype).base_dtype
    if (isinstance(x, base.Tensor) or getattr(x, "_is_resource", False)) and to is x.dtype.base_dtype:
        return x
    with name_scope(name, "Cast", [x]) as scope:
        if hasattr(x, "dense_shape") and hasattr(x, "values"):
            values = cast(x.values, to, name=scope)
            return (
                IndexedSlices(values, x.indices, x.dense_shape)
                if isinstance(x, IndexedSlices)
                else type(x)(x.indices, values, x.dense_shape)
            )
        x = convert_to_tensor(x, name="x")
        if x.dtype.base_dtype is to:
            return x
        return apply_op("Cast", scope, x=x, DstT=to)


@export("to_float")
def to_float(x: Any, name: str = "ToFloat") -> Any:
    return cast(x, float32, name=name)


@export("to_double")
def to_double(x: Any, name: str = "ToDouble") -> Any:
    return cast(x, float64, name=name)


@export("to_int32")
def to_int32(x: Any, name: str = "ToInt32") -> Any:
    return cast(x, int32, name=name)


@export("to_int64")
def to_int64(x: Any, name: str = "ToInt64") -> Any:
    return cast(x, int64, name=name)


@export("div")
def div(x: Any, y: Any, name: str | None = None) -> Any:
    """Python 2's division: floor for integers, true for floats."""
    with name_scope(name, "div", [x, y]) as scope:
        x = convert_to_tensor(x, name="x")
        y = convert_to_tensor(y, x.dtype.base_dtype, name="y")
        return apply_op("RealDiv" if x.dtype.is_floating or x.dtype.is_complex else "FloorDiv", scope, x=x, y=y)


_TRUE_DIV = {"uint8": float32, "int8": float32, "uint16": float32, "int16": float32, "int32": float64, "int64": float64}


@export("truediv")
def truediv(x: Any, y: Any, name: str | None = None) -> Any:
    with name_scope(name, "truediv", [x, y]) as scope:
        x = convert_to_tensor(x, name="x")
        y = convert_to_tensor(y, x.dtype.base_dtype, name="y")
        to = _TRUE_DIV.get(x.dtype.base_dtype.name)
        if to is not None:
            x, y = cast(x, to), cast(y, to)
        return apply_op("RealDiv", scope, x=x, y=y)


@export("divide")
def divide(x: Any, y: Any, name: str | None = None) -> Any:
    if name is not None:
        return truediv(x, y, name)
    return x / y


@export("floordiv")
def floordiv(x: Any, y: Any, name: str | None = None) -> Any:
    with name_scope(name, "floordiv", [x, y]) as scope:
        return apply_op("FloorDiv", scope, x=x, y=y)


def _multiply(x: Any, y: Any, name: str | None = None) -> Any:
    if hasattr(y, "dense_shape") and not isinstance(y, base.Tensor):
        return type(y)(
            y.indices,
            apply_op("SparseDenseCwiseMul", name, sp_indices=y.indices, sp_values=y.values, sp_shape=y.dense_shape, dense=x),
            y.dense_shape,
        )
    return multiply(x, y, name)


def _logical(op_type: str) -> Callable[..., Any]:
    return lambda x, y, name=None: apply_op(op_type, name, x=x, y=y)


@export("logical_xor")
def logical_xor(x: Any, y: Any, name: str = "LogicalXor") -> Any:
    either = apply_op("LogicalOr", None, x=x, y=y)
    both = apply_op("LogicalNot", None, x=apply_op("LogicalAnd", None, x=x, y=y))
    return apply_op("LogicalAnd", name, x=either, y=both)


# Operator -> the function behind it and the name scope TensorFlow gives it.
OPERATORS: dict[str, tuple[Callable[..., Any], str]] = {
    "add": (lambda x, y, name: apply_op("AddV2" if _v2_add(x) else "Add", name, x=x, y=y), "add"),
    "sub": (subtract, "sub"),
    "mul": (_multiply, "mul"),
    "truediv": (truediv, "truediv"),
    "div": (div, "div"),
    "floordiv": (floordiv, "floordiv"),
    "mod": (floormod, "mod"),
    "pow": (pow_, "pow"),
    "and": (_logical("LogicalAnd"), "and"),
    "or": (_logical("LogicalOr"), "or"),
    "xor": (logical_xor, "xor"),
}


def _v2_add(x: Any) -> bool:
    """TensorFlow 1.15 adds strings with Add and numbers with AddV2 where the operator is used."""
    return x.dtype.base_dtype.name != "string"


def _left(function: Callable[..., Any], label: str) -> Callable[..., Any]:
    def method(x: Any, y: Any) -> Any:
        x = x if isinstance(x, base.Tensor) else convert_to_tensor(x)
        with name_scope(None, label, [x, y]) as scope:
            if not isinstance(y, base.Tensor) and not (hasattr(y, "dense_shape") and not isinstance(y, IndexedSlices)):
                try:
                    y = convert_to_tensor(y, dtype_hint=x.dtype.base_dtype, name="y")
                except TypeError:
                    if hasattr(type(y), f"__r{label}__") and not isinstance(y, np.ndarray | list | tuple | str | bytes | int | float):
                        return NotImplemented
                    raise
            return function(x, y, name=scope)

    return method


def _right(function: Callable[..., Any], label: str) -> Callable[..., Any]:
    def method(y: Any, x: Any) -> Any:
        y = y if isinstance(y, base.Tensor) else convert_to_tensor(y)
        with name_scope(None, label, [x, y]) as scope:
            x = convert_to_tensor(x, dtype=y.dtype.base_dtype, name="x")
            return function(x, y, name=scope)

    return method


def _comparison(op_type: str) -> Callable[..., Any]:
    return lambda x, y: apply_op(op_type, None, x=x, y=y)


for _cls in (Tensor, Variable, Updated):
    for _operator, (_function, _label) in OPERATORS.items():
        setattr(_cls, f"__{_operator}__", _left(_function, _label))
        setattr(_cls, f"__r{_operator}__", _right(_function, _label))
    for _operator, _op_type in (("lt", "Less"), ("le", "LessEqual"), ("gt", "Greater"), ("ge", "GreaterEqual")):
        setattr(_cls, f"__{_operator}__", _comparison(_op_type))
    _cls.__neg__ = lambda x: negative(x)  # type: ignore[attr-defined]
    _cls.__abs__ = lambda x: abs_(x)  # type: ignore[attr-defined]
    _cls.__invert__ = lambda x: apply_op("LogicalNot", None, x=x)  # type: ignore[attr-defined]
    _cls.__matmul__ = _left(lambda x, y, name: matmul(x, y, name=name), "matmul")  # type: ignore[attr-defined]
    _cls.__rmatmul__ = _right(lambda x, y, name: matmul(x, y, name=name), "matmul")  # type: ignore[attr-defined]


def _variable_getitem(self: Any, spec: Any) -> Any:
    from runtime.tf1.array_ops import _slice_helper

    return _slice_helper(self.value(), spec, var=self)


Variable.__getitem__ = _variable_getitem  # type: ignore[attr-defined]


@export("matmul")
def matmul(
    a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, adjoint_a: bool = False, adjoint_b: bool = False, a_is_sparse: bool = False,
    b_is_sparse: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    with name_scope(name, "MatMul", [a, b]) as scope:
        if transpose_a and adjoint_a:
            raise ValueError("Only one of transpose_a and adjoint_a can be True.")
        if transpose_b and adjoint_b:
            raise ValueError("Only one of transpose_b and adjoint_b can be True.")
        a = convert_to_tensor(a, name="a")
        b = convert_to_tensor(b, name="b")
        if not a_is_sparse and not b_is_sparse and any(r is None or r > 2 for r in (a.rank, b.rank)):
            if transpose_a:
                a, adjoint_a = (conj(a), True)
            if transpose_b:
                b, adjoint_b = (conj(b), True)
            return apply_op("BatchMatMulV2", scope, x=a, y=b, adj_x=adjoint_a, adj_y=adjoint_b)
        if adjoint_a:
            a, transpose_a = conj(a), True
        if adjoint_b:
            b, transpose_b = conj(b), True
        names = (a.dtype.base_dtype.name, b.dtype.base_dtype.name)
        if ((a_is_sparse or b_is_sparse) and set(names) <= {"bfloat16", "float32"}) or ("bfloat16" in names and names[0] != names[1]):
            return apply_op(
                "SparseMatMul",
                scope,
                a=a,
                b=b,
                transpose_a=transpose_a,
                transpose_b=transpose_b,
                a_is_sparse=a_is_sparse,
                b_is_sparse=b_is_sparse,
            )
        return apply_op("MatMul", scope, a=a, b=b, transpose_a=transpose_a, transpose_b=transpose_b)


@export("conj")
def conj(x: Any, name: str | None = None) -> Any:
    if isinstance(x, base.Tensor) and not x.dtype.is_complex:
        return x
    return apply_op("Conj", name, input=x)


@export("range")
def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str = "range") -> Any:
    if limit is None:
        start, limit = 0, start
    with name_scope(name, "Range", [start, limit, delta]) as scope:
        start, limit, delta = (convert_to_tensor(v, dtype, name=n) for v, n in ((start, "start"), (limit, "limit"), (delta, "delta")))
        if dtype is None:
            order = [int32, int64, float32, float64]
            widest = max((t.dtype.base_dtype for t in (start, limit, delta)), key=order.index)
            start, limit, delta = (cast(t, widest) for t in (start, limit, delta))
        return apply_op("Range", scope, start=start, limit=limit, delta=delta)


def _reduction(op_type: str, label: str) -> Callable[..., Any]:
    def reduce(
        input_tensor: Any,
        axis: Any = None,
        keepdims: Any = None,
        name: str | None = None,
        reduction_indices: Any = None,
        keep_dims: Any = None,
    ) -> Any:
        axis = reduction_indices if axis is None else axis
        keep = keepdims if keepdims is not None else keep_dims
        if op_type in ("All", "Any"):
            input_tensor = convert_to_tensor(input_tensor, bool_) if not isinstance(input_tensor, base.Tensor) else input_tensor
        return _may_reduce_to_scalar(
            bool(keep),
            axis,
            apply_op(op_type, name, input=input_tensor, reduction_indices=reduction_dims(input_tensor, axis), keep_dims=bool(keep)),
        )

    reduce.__name__ = label
    put(label, reduce)
    return reduce


def _may_reduce_to_scalar(keep: bool, axis: Any, output: Any) -> Any:
    if output.dims is None and not keep and axis is None:
        output.set_shape(())
    return output


def reduction_dims(x: Any, axis: Any) -> Any:
    """The axes to reduce: those given, else all, as a constant where a tensor's rank is known (TensorFlow asks variables and values with an op)."""
    if axis is not None:
        return axis
    if isinstance(x, base.Tensor) and x.rank is not None:
        return constant(np.arange(x.rank, dtype=np.int32), int32)
    if (
        not isinstance(x, base.Tensor | Variable)
        and getattr(x, "dense_shape", None) is not None
        and x.dense_shape.dims not in (None, (None,))
    ):
        return constant(np.arange(x.dense_shape.dims[0], dtype=np.int32), int32)
    from runtime.tf1.array_ops import rank

    return range(0, rank(x))


reduce_sum = _reduction("Sum", "reduce_sum")
reduce_mean = _reduction("Mean", "reduce_mean")
reduce_prod = _reduction("Prod", "reduce_prod")
reduce_max = _reduction("Max", "reduce_max")
reduce_min = _reduction("Min", "reduce_min")
reduce_all = _reduction("All", "reduce_all")
reduce_any = _reduction("Any", "reduce_any")


@export("argmax")
def argmax(input: Any, axis: Any = None, name: str | None = None, dimension: Any = None, output_type: Any = int64) -> Any:
    axis = dimension if axis is None else axis
    return apply_op("ArgMax", name, input=input, dimension=0 if axis is None else axis, output_type=output_type)


@export("argmin")
def argmin(input: Any, axis: Any = None, name: str | None = None, dimension: Any = None, output_type: Any = int64) -> Any:
    axis = dimension if axis is None else axis
    return apply_op("ArgMin", name, input=input, dimension=0 if axis is None else axis, output_type=output_type)


@export("add_n")
def add_n(inputs: Any, name: str | None = None) -> Any:
    if not isinstance(inputs, list | tuple) or not inputs:
        raise ValueError("inputs must be a list of at least one Tensor/IndexedSlices with the same dtype and shape")
    from runtime.tf1.array_ops import dense, identity

    tensors = [convert_to_tensor(dense(i)) for i in inputs]
    if len(tensors) == 1:
        return identity(tensors[0], name=name) if name else tensors[0]
    return apply_op("AddN", name, inputs=tensors)


@export("sigmoid", "nn.sigmoid")
def sigmoid(x: Any, name: str | None = None) -> Any:
    with name_scope(name, "Sigmoid", [x]) as scope:
        return apply_op("Sigmoid", scope, x=convert_to_tensor(x, name="x"))


@export("tanh", "nn.tanh")
@_by_values
def tanh(x: Any, name: str | None = None) -> Any:
    with name_scope(name, "Tanh", [x]) as scope:
        return apply_op("Tanh", scope, x=convert_to_tensor(x, name="x"))


@export("unsorted_segment_sum")
def unsorted_segment_sum(data: Any, segment_ids: Any, num_segments: Any, name: str | None = None) -> Any:
    return apply_op("UnsortedSegmentSum", name, data=data, segment_ids=segment_ids, num_segments=num_segments)


@export("reduce_logsumexp")
def reduce_logsumexp(
    input_tensor: Any, axis: Any = None, keepdims: Any = None, name: str | None = None, reduction_indices: Any = None, keep_dims: Any = None
) -> Any:
    """log(sum(exp(x))), shifted by the largest value."""
    from runtime.tf1.array_ops import reshape, shape, stop_gradient, where, zeros_like

    axis = reduction_indices if axis is None else axis
    keep = bool(keepdims if keepdims is not None else keep_dims)
    input_tensor = convert_to_tensor(input_tensor)
    with name_scope(name, "ReduceLogSumExp", [input_tensor]):
        largest = reduce_max(input_tensor, axis=axis, keepdims=True)
        finite = apply_op("IsFinite", None, x=largest)
        shift = stop_gradient(where(finite, largest, zeros_like(largest)))
        result = apply_op("Log", None, x=reduce_sum(apply_op("Exp", None, x=subtract(input_tensor, shift)), axis, keepdims=keep))
        if not keep:
            shift = reshape(shift, shape(result))
        return _may_reduce_to_scalar(keep, axis, apply_op("Add", None, x=result, y=shift))


@export("math.reduce_variance")
def reduce_variance(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Any:
    with name_scope(name or "reduce_variance"):
        means = reduce_mean(input_tensor, axis=axis, keepdims=True)
        return reduce_mean(apply_op("Square", None, x=convert_to_tensor(input_tensor) - means), axis=axis, keepdims=keepdims)


@export("math.reduce_std")
def reduce_std(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Any:
    with name_scope(name or "reduce_std"):
        return apply_op("Sqrt", None, x=reduce_variance(input_tensor, axis=axis, keepdims=keepdims))


@export("math.reduce_euclidean_norm")
def reduce_euclidean_norm(input_tensor: Any, axis: Any = None, keepdims: bool = False, name: str | None = None) -> Any:
    return apply_op(
        "EuclideanNorm", name, input=input_tensor, reduction_indices=reduction_dims(input_tensor, axis), keep_dims=bool(keepdims)
    )


@export("count_nonzero")
def count_nonzero(
    input_tensor: Any = None,
    axis: Any = None,
    keepdims: Any = None,
    dtype: Any = int64,
    name: str | None = None,
    reduction_indices: Any = None,
    keep_dims: Any = None,
    input: Any = None,
) -> Any:
    axis = reduction_indices if axis is None else axis
    keep = bool(keepdims if keepdims is not None else keep_dims)
    with name_scope(name, "count_nonzero", [input_tensor]):
        x = convert_to_tensor(input if input_tensor is None else input_tensor, name="input")
        zero = constant("" if x.dtype.name == "string" else x.dtype.as_numpy_dtype(), x.dtype, name="zeros")
        return cast(reduce_sum(cast(not_equal(x, zero), int64), axis=axis, keepdims=keep), dtype)


@export("scalar_mul")
def scalar_mul(scalar: Any, x: Any, name: str | None = None) -> Any:
    scalar = convert_to_tensor(scalar, dtype=x.dtype.base_dtype, name="scalar")
    if scalar.rank not in (0, None):
        raise ValueError(f"Only scalar multiply works, got shape {scalar.shape}")
    if isinstance(x, IndexedSlices):
        return IndexedSlices(multiply(scalar, x.values, name), x.indices, x.dense_shape)
    return multiply(scalar, x, name)


@export("accumulate_n")
def accumulate_n(inputs: Any, shape: Any = None, tensor_dtype: Any = None, name: str | None = None) -> Any:
    tensors = [convert_to_tensor(i) for i in inputs]
    if len(tensors) == 1 and name is None:
        return tensors[0]
    merged = tensors[0].shape
    for t in tensors:
        merged = merged.merge_with(t.shape)
    return apply_op("AccumulateNV2", name, inputs=tensors, shape=merged if shape is None else shape)


@export("round")
def round_(x: Any, name: str | None = None) -> Any:
    x = convert_to_tensor(x, name="x")
    return x if x.dtype.is_integer else apply_op("Round", name, x=x)


@export("sign")
@_by_values
def sign(x: Any, name: str | None = None) -> Any:
    return apply_op("Sign", name, x=x)


@export("square")
@_by_values
def square(x: Any, name: str | None = None) -> Any:
    return apply_op("Square", name, x=x)


@export("sqrt")
@_by_values
def sqrt(x: Any, name: str | None = None) -> Any:
    return apply_op("Sqrt", name, x=x)


@export("saturate_cast")
def saturate_cast(value: Any, dtype: Any, name: str | None = None) -> Any:
    with name_scope(name, "saturate_cast", [value]) as scope:
        value = convert_to_tensor(value, name="value")
        to = as_dtype(dtype).base_dtype
        if value.dtype.min < to.min:
            value = maximum(value, convert_to_tensor(to.min, dtype=value.dtype, name="min"))
        if value.dtype.max > to.max:
            value = minimum(value, convert_to_tensor(to.max, dtype=value.dtype, name="max"))
        return cast(value, to, name=scope)


@export("cumsum")
def cumsum(x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Any:
    with name_scope(name, "Cumsum", [x]) as scope:
        return apply_op("Cumsum", scope, x=convert_to_tensor(x, name="x"), axis=axis, exclusive=exclusive, reverse=reverse)


@export("cumprod")
def cumprod(x: Any, axis: Any = 0, exclusive: bool = False, reverse: bool = False, name: str | None = None) -> Any:
    with name_scope(name, "Cumprod", [x]) as scope:
        return apply_op("Cumprod", scope, x=convert_to_tensor(x, name="x"), axis=axis, exclusive=exclusive, reverse=reverse)


@export("complex")
def complex_(real: Any, imag: Any, name: str | None = None) -> Any:
    real, imag = convert_to_tensor(real, name="real"), convert_to_tensor(imag, name="imag")
    with name_scope(name, "Complex", [real, imag]) as scope:
        return apply_op("Complex", scope, real=real, imag=imag, Tout="complex64" if real.dtype.base_dtype is float32 else "complex128")


def _part(op_type: str, name: str) -> Callable[..., Any]:
    def part(input: Any, name: str | None = None) -> Any:
        x = convert_to_tensor(input, name="input")
        if not x.dtype.is_complex:
            from runtime.tf1.array_ops import zeros_like

            return x if op_type == "Real" else zeros_like(x) if op_type == "Imag" else where_negative_pi(x)
        return apply_op(op_type, name, input=x, Tout=x.dtype.real_dtype)

    put(name, part)
    return part


def where_negative_pi(x: Any) -> Any:
    """The angle of real numbers: pi where negative."""
    from runtime.tf1.array_ops import ones_like, where, zeros_like

    return where(x < 0, ones_like(x) * np.pi, zeros_like(x))


real = _part("Real", "real")
_part("Imag", "imag")
_part("Angle", "angle")


@export("tensordot")
def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Any:
    """The sum of products over the given axes of two tensors, as one matrix product."""
    from runtime.tf1 import array_ops

    with name_scope(name, "Tensordot", [a, b, axes]) as scope:
        a, b = convert_to_tensor(a, name="a"), convert_to_tensor(b, name="b")
        if isinstance(axes, int | np.integer):
            if a.rank is None:
                raise ValueError("tensordot with a number of axes needs tensors of known rank.")
            a_axes, b_axes = list(np.arange(a.rank - axes, a.rank)), list(np.arange(axes))
        else:
            a_axes, b_axes = ([int(i) for i in np.ravel(part)] for part in axes)

        def matrix(x: Any, summed: list[int], summed_last: bool) -> tuple[Any, Any, Any]:
            if x.rank is None:
                raise ValueError("tensordot needs tensors of known rank.")
            summed = [i % x.rank for i in summed]
            free = [i for i in np.arange(x.rank).tolist() if i not in summed]
            if None not in x.dims:
                perm = free + summed if summed_last else summed + free
                free_dims = [x.dims[i] for i in free]
                sizes = [int(np.prod(free_dims)), int(np.prod([x.dims[i] for i in summed]))]
                return array_ops.reshape(array_ops.transpose(x, perm), sizes if summed_last else sizes[::-1]), free_dims, free_dims
            static = [x.dims[i] for i in free]
            axes_t = convert_to_tensor(np.array(summed, np.int32), int32, name="axes")
            free_t = convert_to_tensor(np.array(free, np.int32), int32, name="free")
            shape = array_ops.shape(x)
            free_dims, axes_dims = array_ops.gather(shape, free_t), array_ops.gather(shape, axes_t)
            counts = [reduce_prod(free_dims), reduce_prod(axes_dims)]
            order = array_ops.concat([free_t, axes_t] if summed_last else [axes_t, free_t], 0)
            new_shape = array_ops.stack(counts if summed_last else counts[::-1])
            return array_ops.reshape(array_ops.transpose(x, order), new_shape), free_dims, static

        left, left_dims, left_static = matrix(a, a_axes, True)
        right, right_dims, right_static = matrix(b, b_axes, False)
        product = matmul(left, right)
        if isinstance(left_dims, list) and isinstance(right_dims, list):
            return array_ops.reshape(product, left_dims + right_dims, name=scope)
        both = [d if isinstance(d, base.Tensor) else constant(d, int32) for d in (left_dims, right_dims)]
        result = array_ops.reshape(product, array_ops.concat(both, 0), name=scope)
        result.set_shape([*left_static, *right_static])
        return result


@export("trace")
def trace(x: Any, name: str | None = None) -> Any:
    with name_scope(name, "Trace", [x]) as scope:
        return reduce_sum(apply_op("MatrixDiagPart", "diag_part", input=convert_to_tensor(x, name="x")), [-1], name=scope)


@export("bincount")
def bincount(
    arr: Any, weights: Any = None, minlength: Any = None, maxlength: Any = None, dtype: Any = int32, name: str | None = None
) -> Any:
    with name_scope(name, "bincount"):
        arr = convert_to_tensor(arr, name="arr", dtype=int32)
        positive = reduce_prod(apply_op("Shape", None, input=arr)) > 0
        size = cast(positive, int32) * (reduce_max(arr) + 1)
        if minlength is not None:
            size = maximum(convert_to_tensor(minlength, int32, name="minlength"), size)
        if maxlength is not None:
            size = minimum(convert_to_tensor(maxlength, int32, name="maxlength"), size)
        weights = convert_to_tensor(weights, name="weights") if weights is not None else constant([], dtype)
        return apply_op("Bincount", None, arr=arr, size=size, weights=weights)


def _segment(op_type: str, name: str) -> None:
    def sparse_segment(data: Any, indices: Any, segment_ids: Any, name: str | None = None, num_segments: Any = None) -> Any:
        if num_segments is not None:
            return apply_op(
                f"{op_type}WithNumSegments", name, data=data, indices=indices, segment_ids=segment_ids, num_segments=num_segments
            )
        return apply_op(op_type, name, data=data, indices=indices, segment_ids=segment_ids)

    put(name, sparse_segment)


_segment("SparseSegmentSum", "sparse_segment_sum")
_segment("SparseSegmentMean", "sparse_segment_mean")
_segment("SparseSegmentSqrtN", "sparse_segment_sqrt_n")
