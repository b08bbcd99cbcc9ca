"""Matrix products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphtools.convert import converts
from graphtools.convert.complex_numbers import join, parts
from graphtools.convert.math_ops import conjugate
from graphtools.dtypes import float32

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView


def transposed(op: Builder, x: Value, node: NodeView) -> Value:
    """The last two axes swapped."""
    if x.rank is None and node.op in ("MatMul", "SparseMatMul"):
        return op.Transpose(x, perm=[1, 0])  # type: ignore[no-any-return]
    if x.rank is None:
        raise node.fail("the rank of a transposed operand must be known.")
    rank = x.rank
    result: Value = op.Transpose(x, perm=[*range(rank - 2), rank - 1, rank - 2])
    return result


@converts("MatMul", "SparseMatMul")
def mat_mul(op: Builder, node: NodeView) -> Any:
    a, b = node.inputs
    if node.op == "SparseMatMul":
        a, b = op.cast(a, float32), op.cast(b, float32)
    return _product(op, node, a, b, bool(node.attr["transpose_a"]), bool(node.attr["transpose_b"]))


@converts("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def batch_mat_mul(op: Builder, node: NodeView) -> Any:
    a, b = node.inputs
    turn_a, turn_b = bool(node.attr["adj_x"]), bool(node.attr["adj_y"])
    if a.dtype.is_complex:
        a, b = conjugate(op, a) if turn_a else a, conjugate(op, b) if turn_b else b
    to = node.dtype
    if not a.dtype.is_complex:
        a, b = op.cast(a, to), op.cast(b, to)
    return _product(op, node, a, b, turn_a, turn_b)


def _product(op: Builder, node: NodeView, a: Value, b: Value, turn_a: bool, turn_b: bool) -> Any:
    if a.dtype.is_complex:
        (ar, ai), (br, bi) = (tuple(transposed(op, p, node) if turn else p for p in parts(op, v)) for v, turn in ((a, turn_a), (b, turn_b)))
        return join(op, op.Sub(op.MatMul(ar, br), op.MatMul(ai, bi)), op.Add(op.MatMul(ar, bi), op.MatMul(ai, br)))
    if turn_a:
        a = transposed(op, a, node)
    if turn_b:
        b = transposed(op, b, node)
    return op.MatMul(a, b)


@converts("Einsum")
def einsum(op: Builder, node: NodeView) -> Any:
    equation, inputs = node.attr["equation"], node.inputs
    output = equation.partition("->")[2].replace(".", "")
    if len(set(output)) < len(output):
        raise node.fail(f"an output with a repeated label is not supported: {equation!r}.")

    def product(*values: Value) -> Value:
        result: Value = op.Einsum(*values, equation=equation)
        return result

    if not inputs[0].dtype.is_complex:
        return product(*inputs)
    if len(inputs) == 1:
        return join(op, *(product(p) for p in parts(op, inputs[0])))
    if len(inputs) > 2:
        raise node.fail("of complex numbers at most two inputs are supported.")
    (a, b), (c, d) = parts(op, inputs[0]), parts(op, inputs[1])
    return join(op, op.Sub(product(a, c), product(b, d)), op.Add(product(a, d), product(b, c)))
