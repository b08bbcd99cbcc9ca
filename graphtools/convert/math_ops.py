"""Elementwise, reduction and matrix arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphtools.convert import converts, direct

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder
    from graphtools.convert.walk import NodeView

# One ONNX op, the same inputs, no attributes.
DIRECT = {
    "Abs": "Abs",
    "Add": "Add",
    "AddV2": "Add",
    "Mul": "Mul",
    "Neg": "Neg",
    "Sub": "Sub",
}
direct(DIRECT)


@converts("MatMul")
def mat_mul(op: Builder, node: NodeView) -> Any:
    a, b = node.inputs
    if node.attr["transpose_a"]:
        a = op.Transpose(a, perm=[1, 0])
    if node.attr["transpose_b"]:
        b = op.Transpose(b, perm=[1, 0])
    return op.MatMul(a, b)
