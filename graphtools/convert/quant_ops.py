"""Quantization seen from floats: fake quantization, there and back, to integers and from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.dtypes import DType, float32, int64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

LARGEST = np.float32(np.finfo(np.float32).max)
BELOW_INT32 = 2147483520  # the largest float32 below 2^31


# -- fake quantization -----------------------------------------------------------------------------------------------


class Nudged:
    """The range moved a little so that zero is one of its steps."""

    def __init__(self, op: Builder, node: NodeView, low: Value, high: Value) -> None:
        first = 1.0 if node.attr["narrow_range"] else 0.0
        last = float((1 << int(node.attr["num_bits"])) - 1)
        self.scale = op.Div(op.Sub(high, low), last - first)
        from_low = op.Sub(first, op.Div(low, self.scale))
        zero = op.Where(op.Less(from_low, first), first, op.Where(op.Greater(from_low, last), last, op.Floor(op.Add(from_low, 0.5))))
        self.low, self.high = op.Mul(op.Sub(first, zero), self.scale), op.Mul(op.Sub(last, zero), self.scale)
        self.empty = op.And(op.Equal(low, 0.0), op.Equal(high, 0.0))  # no range at all: zeros come out


def _range(op: Builder, node: NodeView) -> tuple[Value, Value]:
    if "Args" in node.op:
        return op.const(np.float32(node.attr["min"])), op.const(np.float32(node.attr["max"]))
    return node.input("min"), node.input("max")


@converts("FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel")
def fake_quant(op: Builder, node: NodeView) -> Any:
    """floor((clamp(x) - low) / scale + 1/2) * scale + low; QuantizeLinear rounds halves to even instead."""
    low, high = _range(op, node)
    nudged = Nudged(op, node, low, high)
    clamped = op.Max(op.Min(node.input("inputs"), nudged.high), nudged.low)
    steps = op.Floor(op.Add(op.Mul(op.Sub(clamped, nudged.low), op.Reciprocal(nudged.scale)), 0.5))
    y = op.Add(op.Mul(steps, nudged.scale), nudged.low)
    if nudged.empty.const is not None and not nudged.empty.const.any():
        return y
    return op.Where(nudged.empty, 0.0, y)


@converts("FakeQuantWithMinMaxArgsGradient", "FakeQuantWithMinMaxVarsGradient", "FakeQuantWithMinMaxVarsPerChannelGradient")
def fake_quant_gradient(op: Builder, node: NodeView) -> Any:
    """The gradient passes within the range; what is outside goes to the end that it was moved to."""
    low, high = _range(op, node)
    g, x = node.input("gradients"), node.input("inputs")
    nudged = Nudged(op, node, low, high)
    under, over = op.Less(x, nudged.low), op.Greater(x, nudged.high)
    outside = op.And(op.Or(under, over), op.Not(nudged.empty))
    dx = op.Where(outside, 0.0, g)
    if "Args" in node.op:
        return dx
    ends = []
    for beyond in (under, over):
        part = op.Where(op.And(beyond, outside), g, 0.0)
        if "PerChannel" in node.op:
            if x.rank is None:
                raise node.fail("the rank of the inputs must be known.")
            ends.append(op.ReduceSum(part, list(range(x.rank - 1)), keepdims=0) if x.rank > 1 else part)
        else:
            ends.append(op.ReduceSum(part, keepdims=0))
    return dx, *ends


# -- there and back --------------------------------------------------------------------------------------------------


@converts("QuantizeAndDequantize", "QuantizeAndDequantizeV2", "QuantizeAndDequantizeV3", "QuantizeAndDequantizeV4")
def quantize_and_dequantize(op: Builder, node: NodeView) -> Any:
    """round(x * scale) / scale for the largest scale that keeps the range within the integers, and zero where it is."""
    a = node.attr
    x = node.input("input")
    axis = int(a.get("axis", -1))
    bits = int(node.const("num_bits")) if node.op == "QuantizeAndDequantizeV3" else int(a["num_bits"])
    narrow = bool(a.get("narrow_range"))
    if a["signed_input"]:
        least, most = -(1 << (bits - 1)) + int(narrow), (1 << (bits - 1)) - 1
    else:
        least, most = 0, (1 << bits) - 1
    dtype = x.dtype.as_numpy_dtype
    given = bool(a["range_given"])
    if node.op == "QuantizeAndDequantize":
        low, high = op.const(dtype(a["input_min"])), op.const(dtype(a["input_max"]))
    else:
        low, high = node.input("input_min"), node.input("input_max")
    if axis != -1:
        if x.rank is None:
            raise node.fail("the rank of the input must be known.")
        others = [i for i in range(x.rank) if i != axis]
        spread = [1] * x.rank
        spread[axis] = -1
        if given:
            low, high = op.Reshape(low, op.const(spread)), op.Reshape(high, op.const(spread))
        else:
            low, high = op.ReduceMin(x, others, keepdims=1), op.ReduceMax(x, others, keepdims=1)
    elif not given:
        low, high = op.ReduceMin(x, keepdims=0), op.ReduceMax(x, keepdims=0)
    limit = op.const(np.finfo(dtype).max, x.dtype)
    from_low = op.Where(op.Greater(op.Mul(low, float(least)), 0.0), op.Div(op.const(float(least), x.dtype), low), limit)
    from_high = op.Where(op.Greater(op.Mul(high, float(most)), 0.0), op.Div(op.const(float(most), x.dtype), high), limit)
    by_low = op.Less(from_low, from_high)
    scale = op.Where(by_low, from_low, from_high)
    if least:
        inverse = op.Where(by_low, op.Div(low, float(least)), op.Div(high, float(most)))
    else:
        inverse = op.Div(high, float(most))
    if given:
        top = op.Where(by_low, op.Mul(inverse, float(most)), high)
        bottom = op.Where(by_low, low, op.Mul(inverse, float(least)))
        x = op.Max(op.Min(x, top), bottom)
    scaled = op.Mul(x, scale)
    rounded = op.Floor(op.Add(scaled, 0.5)) if str(a.get("round_mode", "HALF_TO_EVEN")) == "HALF_UP" else op.Round(scaled)
    return op.Mul(rounded, inverse)


@converts("QuantizeAndDequantizeV4Grad")
def quantize_and_dequantize_grad(op: Builder, node: NodeView) -> Any:
    """The gradient passes where the input is within the given range."""
    g, x, low, high = node.inputs
    inside = op.And(op.GreaterOrEqual(x, low), op.LessOrEqual(x, high))
    return op.Where(inside, g, 0.0), op.Mul(low, 0.0), op.Mul(high, 0.0)


# -- to integers and from them ---------------------------------------------------------------------------------------


def limits(dtype: DType) -> tuple[int, int]:
    """The least and the largest value of a quantized dtype."""
    return int(dtype.min), int(dtype.max)


def round_half_away(op: Builder, x: Value) -> Value:
    """C's round, where ONNX's Round gives the even neighbour of a half."""
    result: Value = op.Mul(op.Sign(x), op.Floor(op.Add(op.Abs(x), 0.5)))
    return result


def to_integers(op: Builder, x: Value, dtype: DType) -> Value:
    """Whole floats as a quantized dtype, within its limits."""
    least, most = limits(dtype)
    if dtype.name == "qint32":  # by way of int64: what is beyond int32 wraps, as in C
        return _as(op, op.cast(x, int64), dtype)
    return _as(op, op.Max(op.Min(x, most), least), dtype)


def _as(op: Builder, x: Value, dtype: DType) -> Value:
    if x.dtype.onnx == dtype.onnx:
        return x
    result: Value = op.Cast(x, to=dtype.onnx)
    return result


@converts("QuantizeV2")
def quantize_v2(op: Builder, node: NodeView) -> Any:
    """MIN_COMBINED: (x - low) * steps / range, MIN_FIRST: the same with low rounded to a step, SCALED: x * scale around zero."""
    x, low, high = node.input("input"), op.cast(node.input("min_range"), float32), op.cast(node.input("max_range"), float32)
    dtype, mode = node.dtype, str(node.attr["mode"])
    least, most = limits(dtype)
    axis = int(node.attr.get("axis", -1))
    if axis != -1 and x.rank is not None:
        spread = op.const([-1 if i == axis else 1 for i in range(x.rank)])
        low, high = op.Reshape(low, spread), op.Reshape(high, spread)
    share = float(node.attr.get("ensure_minimum_range", 0.01))
    epsilon = op.Mul(op.Max(op.const(np.float32(1)), op.Abs(low), op.Abs(high)), share)
    low = op.Min(low, 0.0)
    high = op.Max(op.Max(high, op.Add(low, epsilon)), 0.0)
    even = str(node.attr.get("round_mode", "HALF_AWAY_FROM_ZERO")) == "HALF_TO_EVEN"
    if mode == "SCALED":
        floor = float(least + int(bool(node.attr.get("narrow_range")) and least < 0))
        from_high = op.Where(op.Greater(high, 0.0), op.Div(op.const(np.float32(most)), high), LARGEST)
        scale = from_high
        if floor:
            scale = op.Min(op.Where(op.Less(low, 0.0), op.Div(op.const(np.float32(floor)), low), LARGEST), from_high)
        low, high = op.Div(op.const(np.float32(floor)), scale), op.Div(op.const(np.float32(most)), scale)
        steps = op.Mul(op.Max(op.Min(x, high), low), scale)
        rounded = op.Round(steps) if even else round_half_away(op, steps)
    elif mode == "MIN_FIRST":
        scale = op.Div(op.const(np.float32(most - least)), op.Sub(high, low))
        rounded = op.Sub(round_half_away(op, op.Mul(x, scale)), op.Sub(round_half_away(op, op.Mul(low, scale)), float(least)))
        if dtype.name == "qint32":
            rounded = op.Max(op.Min(rounded, float(BELOW_INT32)), float(least))
    else:
        scale = op.Div(op.const(np.float32(most - least)), op.Sub(high, low))
        half = float((most - least + 1) // 2) if least < 0 else 0.0
        rounded = round_half_away(op, op.Sub(op.Mul(op.Sub(op.Max(op.Min(x, high), low), low), scale), half))
    flat = op.const([-1])
    ends = (op.Reshape(low, flat), op.Reshape(high, flat)) if axis != -1 else (low, high)
    return to_integers(op, rounded, dtype), *ends


@converts("Dequantize")
def dequantize(op: Builder, node: NodeView) -> Any:
    x, low, high = node.input("input"), op.cast(node.input("min_range"), float32), op.cast(node.input("max_range"), float32)
    dtype, mode = node.node.inputs[0].dtype.base_dtype, str(node.attr["mode"])
    least, most = limits(dtype)
    axis = int(node.attr.get("axis", -1))
    if axis != -1 and x.rank is not None:
        spread = op.const([-1 if i == axis else 1 for i in range(x.rank)])
        low, high = op.Reshape(low, spread), op.Reshape(high, spread)
    value = op.Cast(x, to=float32.onnx)
    if mode == "SCALED":
        scale = op.Div(high, float(most))
        if least:
            narrow = int(bool(node.attr.get("narrow_range")))
            scale = op.Max(op.Div(low, float(least + narrow)), scale)
        y = op.Mul(value, scale)
    elif mode == "MIN_FIRST":
        step = op.Div(op.Sub(high, low), float(most - least))
        start = op.Mul(round_half_away(op, op.Div(low, step)), step)
        start = op.Where(op.Equal(high, low), low, start)
        y = op.Add(op.Mul(op.Sub(value, float(least)), step), start)
    else:
        half = float((most - least + 1) // 2) if least < 0 else 0.0
        y = op.Add(op.Mul(op.Add(value, half), op.Div(op.Sub(high, low), float(most - least))), low)
    return op.cast(y, node.dtype)
