"""Arithmetic of quantized integers, as the graph-transform tool's eight-bit models have it.

An integer q of a range [low, high] stands for low + (q - least) * (high - low) / steps, low moved to a whole step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.quant_ops import limits, round_half_away, to_integers
from graphtools.convert.windows import flat_pads, same_pads, spatial_sizes, to_channels_first, to_channels_last, window_of
from graphtools.dtypes import DType, float32, float64, int32, int64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView


def _kind(node: NodeView, position: int) -> DType:
    return node.node.inputs[position].dtype.base_dtype


def _step(op: Builder, low: Value, high: Value, dtype: DType) -> Value:
    """What one step of a quantized dtype stands for, in float64."""
    least, most = limits(dtype)
    result: Value = op.Div(op.Sub(op.cast(high, float64), op.cast(low, float64)), float(most - least))
    return result


def from_integers(op: Builder, q: Value, low: Value, high: Value, dtype: DType) -> Value:
    """The numbers that quantized integers stand for, in float64."""
    step = _step(op, low, high, dtype)
    start = op.Mul(round_half_away(op, op.Div(op.cast(low, float64), step)), step)
    offset = op.Sub(op.Cast(q, to=float64.onnx), float(limits(dtype)[0]))
    result: Value = op.Where(op.Equal(step, 0.0), op.cast(low, float64), op.Add(start, op.Mul(offset, step)))
    return result


def into_integers(op: Builder, x: Value, low: Value, high: Value, dtype: DType) -> Value:
    """The integers nearest to numbers, as whole float64, not yet within the dtype's limits."""
    step = _step(op, low, high, dtype)
    q = op.Sub(round_half_away(op, op.Div(op.cast(x, float64), step)), round_half_away(op, op.Div(op.cast(low, float64), step)))
    result: Value = op.Where(op.Equal(step, 0.0), op.const(float(0), float64), op.Add(q, float(limits(dtype)[0])))
    return result


def _zero_point(op: Builder, low: Value, high: Value, dtype: DType) -> Value:
    """The integer that stands for zero, which a range that holds zero has."""
    zero = to_integers(op, into_integers(op, op.const(np.float64(0)), low, high, dtype), dtype)
    result: Value = op.Reshape(zero, op.const([]))
    return result


def _product_range(op: Builder, low_a: Value, high_a: Value, a: DType, low_b: Value, high_b: Value, b: DType) -> tuple[Value, Value]:
    """The range of int32 sums of products: one step is the product of the factors' steps."""
    step = op.Mul(op.cast(_step(op, low_a, high_a, a), float32), op.cast(_step(op, low_b, high_b, b), float32))
    return op.Mul(step, float(-(2**31))), op.Mul(step, float(2**31 - 1))


@converts("QuantizedConv2D", "QuantizedConv2DPerChannel", "QuantizedDepthwiseConv2D")
def quantized_conv(op: Builder, node: NodeView) -> Any:
    x, w = node.input("input"), node.input("filter")
    ranges = [node.input(n) for n in ("min_input", "max_input", "min_filter", "max_filter")]
    kinds = _kind(node, 0), _kind(node, 1)
    if w.dims is None or None in w.dims:
        raise node.fail("the filter must have a static shape.")
    kernel = [int(d) for d in w.dims if d is not None]
    window = window_of(node, kernel[:2], 4)
    image = to_channels_first(op, x, 4)
    zero_x, zero_w = _zero_point(op, ranges[0], ranges[1], kinds[0]), _zero_point(op, ranges[2], ranges[3], kinds[1])
    attrs = window.attrs()
    pads = window.pads(image.dims[2:] if image.dims is not None else (None, None))
    if pads is None or any(p != (0, 0) for p in pads):  # by zero's integer, which ConvInteger's own padding is not sure to use
        zeros = op.const([0, 0])
        if pads is not None:
            flat = flat_pads(pads)
            before, after = op.const(flat[:2]), op.const(flat[2:])
        else:
            before, after = same_pads(op, spatial_sizes(op, image, 4), window)
        image = op.Pad(image, op.Concat(zeros, before, zeros, after, axis=0), zero_x)
    if "Depthwise" in node.op:
        weights = op.Reshape(op.Transpose(w, perm=[2, 3, 0, 1]), op.const([kernel[2] * kernel[3], 1, *kernel[:2]]))
        attrs["group"] = kernel[2]
    else:
        weights = op.Transpose(w, perm=[3, 2, 0, 1])
    y = op.ConvInteger(image, weights, zero_x, zero_w, **attrs)
    return to_channels_last(op, y, 4), *_product_range(op, ranges[0], ranges[1], kinds[0], ranges[2], ranges[3], kinds[1])


@converts("QuantizedMatMul")
def quantized_mat_mul(op: Builder, node: NodeView) -> Any:
    a, b = node.input("a"), node.input("b")
    ranges = [node.input(n) for n in ("min_a", "max_a", "min_b", "max_b")]
    kinds = _kind(node, 0), _kind(node, 1)
    if node.attr["transpose_a"]:
        a = op.Transpose(a, perm=[1, 0])
    if node.attr["transpose_b"]:
        b = op.Transpose(b, perm=[1, 0])
    zero_a, zero_b = _zero_point(op, ranges[0], ranges[1], kinds[0]), _zero_point(op, ranges[2], ranges[3], kinds[1])
    y = op.MatMulInteger(a, b, zero_a, zero_b)
    return y, *_product_range(op, ranges[0], ranges[1], kinds[0], ranges[2], ranges[3], kinds[1])


@converts("QuantizedRelu", "QuantizedRelu6", "QuantizedReluX")
def quantized_relu(op: Builder, node: NodeView) -> Any:
    """Clamped between the integers of zero and of the upper bound; the range stays."""
    x, low, high = node.input("features"), node.input("min_features"), node.input("max_features")
    dtype = _kind(node, 0)
    y = op.Max(x, _zero_point(op, low, high, dtype))
    if node.op != "QuantizedRelu":
        bound = op.const(np.float32(6)) if node.op == "QuantizedRelu6" else node.input("max_value")
        y = op.Min(y, to_integers(op, into_integers(op, bound, low, high, dtype), dtype))
    return y, low, high


@converts("QuantizedMaxPool", "QuantizedAvgPool")
def quantized_pool(op: Builder, node: NodeView) -> Any:
    from graphtools.convert.windows import padded

    x, low, high = node.input("input"), node.input("min_input"), node.input("max_input")
    ksize = node.attr["ksize"]
    window = window_of(node, ksize[1:3], 4)
    image = to_channels_first(op, x, 4)
    if node.op == "QuantizedMaxPool":
        image, attrs = padded(op, image, window, limits(_kind(node, 0))[0])
        return to_channels_last(op, op.MaxPool(image, **attrs), 4), low, high
    image, attrs = padded(op, op.Cast(image, to=float32.onnx), window)
    mean = op.AveragePool(image, **attrs)
    return to_channels_last(op, op.Cast(op.Floor(op.Add(mean, 1e-4)), to=x.dtype.onnx), 4), low, high


@converts("RequantizationRange")
def requantization_range(op: Builder, node: NodeView) -> Any:
    """What the least and the largest integer stand for, zero included."""
    x, low, high = node.inputs
    return _used_range(op, x, low, high, _kind(node, 0))


def _used_range(op: Builder, x: Value, low: Value, high: Value, dtype: DType) -> tuple[Value, Value]:
    bottom = from_integers(op, op.ReduceMin(x, keepdims=0), low, high, dtype)
    top = from_integers(op, op.ReduceMax(x, keepdims=0), low, high, dtype)
    return op.Min(op.cast(bottom, float32), 0.0), op.Max(op.cast(top, float32), 0.0)


@converts("Requantize", "QuantizeDownAndShrinkRange")
def requantize(op: Builder, node: NodeView) -> Any:
    x, low, high = node.input("input"), node.input("input_min"), node.input("input_max")
    dtype, to = _kind(node, 0), node.dtype
    if node.op == "Requantize":
        new_low, new_high = node.input("requested_output_min"), node.input("requested_output_max")
    else:
        new_low, new_high = _used_range(op, x, low, high, dtype)
    if (dtype.name, to.name) == ("qint32", "quint8"):
        y = _requantize_fixed_point(op, x, low, high, new_low, new_high)
        return y, new_low, new_high
    y = to_integers(op, into_integers(op, from_integers(op, x, low, high, dtype), new_low, new_high, to), to)
    return y, new_low, new_high


def _requantize_fixed_point(op: Builder, x: Value, low: Value, high: Value, new_low: Value, new_high: Value) -> Value:
    """int32 to eight bits in 16.16 fixed point, as TensorFlow's loop does it in int64."""
    one = float(1 << 16)
    low, high, new_low, new_high = (op.cast(v, float32) for v in (low, high, new_low, new_high))
    width = op.Sub(new_high, new_low)
    some = op.Not(op.Equal(width, 0.0))
    safe = op.Where(some, width, op.const(np.float32(1)))
    inverse = op.Where(some, op.Div(op.const(np.float32(255)), safe), 0.0)
    middle = op.Div(op.Add(low, high), 2.0)
    scale = op.Where(
        some,
        op.Div(op.cast(op.Mul(op.cast(op.Sub(high, low), float64), 255.0 * one), float64), op.cast(safe, float64)),
        op.const(np.float64(0)),
    )
    scale = op.cast(op.Floor(scale), int64)
    offset = op.cast(op.Mul(op.Mul(middle, inverse), one), int64)
    start = op.cast(
        op.Where(some, op.Div(op.Mul(op.cast(op.Mul(new_low, 255.0), float64), one), op.cast(safe, float64)), op.const(np.float64(0))),
        int64,
    )
    product = op.Mul(op.cast(x, int64), scale)
    high_part = _shift_right(op, product, 32)
    value = _shift_right(op, op.Add(op.Sub(op.Add(high_part, offset), start), 1 << 15), 16)
    result: Value = op.Cast(op.Max(op.Min(value, 255), 0), to=_quint8().onnx)
    return result


def _quint8() -> DType:
    from graphtools.dtypes import quint8

    return quint8


def _shift_right(op: Builder, x: Value, bits: int) -> Value:
    """Arithmetic shift: division by a power of two, down to the lower whole number."""
    by = op.const(np.int64(1 << bits))
    result: Value = op.Div(op.Sub(x, op.Mod(x, by)), by)
    return result


@converts("QuantizedBiasAdd", "QuantizedAdd", "QuantizedMul")
def quantized_add(op: Builder, node: NodeView) -> Any:
    """Sums in int32 over 2^14 (of a bias: 2^17) times the wider of the two ranges; products as QuantizedMatMul's."""
    if node.op == "QuantizedBiasAdd":
        a, b, names = node.input("input"), node.input("bias"), ("min_input", "max_input", "min_bias", "max_bias")
    else:
        a, b, names = node.input("x"), node.input("y"), ("min_x", "max_x", "min_y", "max_y")
    low_a, high_a, low_b, high_b = (node.input(n) for n in names)
    kinds = _kind(node, 0), _kind(node, 1)
    if node.op == "QuantizedMul":
        zeros = [op.cast(_zero_point(op, *r), int64) for r in ((low_a, high_a, kinds[0]), (low_b, high_b, kinds[1]))]
        product = op.Mul(op.Sub(op.cast(a, int64), zeros[0]), op.Sub(op.cast(b, int64), zeros[1]))
        return op.Cast(product, to=int32.onnx), *_product_range(op, low_a, high_a, kinds[0], low_b, high_b, kinds[1])
    widest = op.Max(op.Max(op.Abs(low_a), op.Abs(high_a)), op.Max(op.Abs(low_b), op.Abs(high_b)))
    high = op.Mul(widest, float(1 << (17 if node.op == "QuantizedBiasAdd" else 14)))
    low = op.Neg(high)
    operands = ((a, low_a, high_a, kinds[0]), (b, low_b, high_b, kinds[1]))
    if node.op == "QuantizedBiasAdd":
        parts = [_eigen_floats(op, *operand) for operand in operands]
        return _eigen_integers(op, op.Add(*parts), low, high, node.dtype), low, high
    sums = []
    for q, bottom, top, dtype in operands:
        # in TensorFlow's way: what 0 stands for, and so many times the whole steps from there to what 1 stands for
        ends = from_integers(op, op.const(np.array([0, 1], dtype.as_numpy_dtype)), bottom, top, dtype)
        steps = op.cast(into_integers(op, op.cast(ends, float32), low, high, node.dtype), int64)
        first = op.Slice(steps, [0], [1], [0])
        sums.append(op.Add(op.Mul(op.cast(q, int64), op.Sub(op.Slice(steps, [1], [2], [0]), first)), first))
    return op.Cast(op.Add(*sums), to=node.dtype.onnx), low, high


def _eigen_floats(op: Builder, q: Value, low: Value, high: Value, dtype: DType) -> Value:
    """What quantized integers stand for, in float32 and the order of operations of TensorFlow's macros."""
    least, most = limits(dtype)
    step = op.Div(op.Sub(high, low), float(most - least))
    start = op.Sub(op.Mul(round_half_away(op, op.Div(low, step)), step), op.Mul(step, float(least)))
    result: Value = op.Add(op.Mul(op.Cast(q, to=float32.onnx), step), start)
    return result


def _eigen_integers(op: Builder, x: Value, low: Value, high: Value, dtype: DType) -> Value:
    """The integers nearest to float32 numbers, in the same way."""
    least, most = limits(dtype)
    scale = op.Div(op.const(np.float32(most - least)), op.Sub(high, low))
    start = op.Sub(round_half_away(op, op.Mul(low, scale)), float(least))
    return to_integers(op, op.Sub(round_half_away(op, op.Mul(x, scale)), start), dtype)


@converts("QuantizedReshape")
def quantized_reshape(op: Builder, node: NodeView) -> Any:
    shape = node.maybe_const("shape")
    target = op.const([int(d) for d in shape]) if shape is not None else op.cast(node.input("shape"), int64)
    return op.Reshape(node.input("tensor"), target, allowzero=1), node.input("input_min"), node.input("input_max")


@converts("QuantizedConcat", "QuantizedConcatV2")
def quantized_concat(op: Builder, node: NodeView) -> Any:
    """Everything in the range that holds all ranges."""
    axis = int(node.const("concat_dim" if node.op == "QuantizedConcat" else "axis"))
    values, lows, highs = node.input("values"), node.input("input_mins"), node.input("input_maxes")
    dtype = node.dtype
    low, high = op.Min(*lows, 0.0), op.Max(*highs, 0.0)
    parts = []
    for q, bottom, top in zip(values, lows, highs, strict=True):
        moved = _eigen_integers(op, _eigen_floats(op, q, bottom, top, dtype), low, high, dtype)
        parts.append(op.Where(op.And(op.Equal(bottom, low), op.Equal(top, high)), q, moved))
    return op.Concat(*parts, axis=axis), low, high
