"""Floating-point operations of ops, by TensorFlow 1's own formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

Formula = Callable[[Any], int]


def _size(tensor: Any) -> int:
    """The number of elements. Raises ValueError where it is not known."""
    if tensor.dims is None or None in tensor.dims:
        raise ValueError(f"The shape of {tensor.name} is not fully defined.")
    return math.prod(tensor.dims)


def _unary(times: int) -> Formula:
    return lambda node: _size(node.inputs[0]) * times


def _output(node: Any) -> int:
    return _size(node.outputs[0])


def _reduction(reduce: int, finish: int) -> Formula:
    return lambda node: _size(node.inputs[0]) * reduce + _output(node) * (finish - reduce)


def _nhwc(node: Any) -> None:
    if node.attr.get("data_format", "NHWC") != "NHWC":
        raise ValueError("Only NHWC format is supported in flops computations")


def _pool(node: Any) -> int:
    _nhwc(node)
    return math.prod(node.attr["ksize"]) * _output(node)


def _avg_pool_grad(node: Any) -> int:
    _nhwc(node)
    return math.prod(node.attr["ksize"]) * _size(node.inputs[1]) * 2


def _max_pool_grad(node: Any) -> int:
    _nhwc(node)
    return (math.prod(node.attr["ksize"]) + 1) * _size(node.inputs[1])


def _backprop_input(node: Any) -> int:
    _nhwc(node)
    strides = node.attr["strides"]
    return int(2 * _output(node) * _size(node.inputs[1]) / (node.outputs[0].dims[-1] * strides[1] * strides[2]))


def _backprop_filter(node: Any) -> int:
    _nhwc(node)
    strides = node.attr["strides"]
    return int(2 * _size(node.inputs[0]) * _output(node) / (node.inputs[0].dims[-1] * strides[1] * strides[2]))


def _window(dims: int) -> Formula:
    """Each output element is a product with this many dimensions of the filter."""

    def count(node: Any) -> int:
        _size(node.inputs[0])
        _size(node.inputs[1])
        return _output(node) * math.prod(node.inputs[1].dims[:dims]) * 2

    return count


def _product(node: Any) -> int:
    _size(node.inputs[0])
    dims = node.inputs[0].dims
    return (dims[-2] if node.attr.get("transpose_a") else dims[-1]) * _output(node) * 2


FORMULAS: dict[str, Formula] = {
    "Add": _output, "AddN": lambda node: _size(node.inputs[0]) * (len(node.inputs) - 1) if node.inputs else 0, "ArgMax": _reduction(1, 0),
    "ArgMin": _reduction(1, 0), "AssignAdd": _unary(1), "AssignSub": _unary(1), "AvgPool": _pool, "AvgPoolGrad": _avg_pool_grad, "BatchMatMul": _product,
    "BiasAdd": _unary(1), "BiasAddGrad": _reduction(1, 0), "Conv2D": _window(3), "Conv2DBackpropFilter": _backprop_filter,
    "Conv2DBackpropInput": _backprop_input, "Conv3D": _window(4), "DepthwiseConv2dNative": _window(2), "Dilation2D": _window(2), "Equal": _output,
    "Greater": _output, "GreaterEqual": _output, "L2Loss": lambda node: _size(node.inputs[0]) * 3 - 1, "Less": _output, "LessEqual": _output,
    "Log": _unary(1), "MatMul": _product, "Maximum": _output, "MaxPool": _pool, "MaxPoolGrad": _max_pool_grad, "Mean": _reduction(1, 1),
    "Minimum": _output, "Mul": _output, "Neg": _unary(1), "NotEqual": _output, "Pow": _output, "RealDiv": _output, "Reciprocal": _unary(1),
    "Rsqrt": _unary(2), "RsqrtGrad": lambda node: _output(node) * 4, "Softmax": _unary(5), "Square": _unary(1), "SquaredDifference": lambda node: _output(node) * 2,
    "Sub": _output, "Sum": _reduction(1, 0),
}  # fmt: skip


def flops_of(node: Any) -> int:
    """0 for an op without a formula, and for one whose shapes are not known."""
    formula = FORMULAS.get(node.op)
    if formula is None:
        return 0
    try:
        return int(formula(node))
    except (ValueError, TypeError, IndexError):
        return 0
