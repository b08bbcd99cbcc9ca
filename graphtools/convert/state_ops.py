"""Variables: reading, assigning and scattering."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphtools.convert import converts
from graphtools.dtypes import int64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView


def done(node: NodeView, ref: Any) -> Any:
    """What a writing op returns: the ref it wrote through, where it has an output."""
    return ref if node.outputs else None


@converts("Assign", "AssignVariableOp")
def assign(op: Builder, node: NodeView) -> Any:
    ref, value = node.inputs
    node.write(ref, value)
    return done(node, ref)


@converts("AssignAdd", "AssignAddVariableOp")
def assign_add(op: Builder, node: NodeView) -> Any:
    ref, value = node.inputs
    node.write(ref, op.Add(node.read(ref), value))
    return done(node, ref)


@converts("AssignSub", "AssignSubVariableOp")
def assign_sub(op: Builder, node: NodeView) -> Any:
    ref, value = node.inputs
    node.write(ref, op.Sub(node.read(ref), value))
    return done(node, ref)


@converts("ReadVariableOp", "_VarHandlesOp")
def read_variable(op: Builder, node: NodeView) -> Any:
    return node.read(node.inputs[0])


@converts("VariableShape")
def variable_shape(op: Builder, node: NodeView) -> Any:
    return op.cast(op.Shape(node.read(node.inputs[0])), node.dtype)


@converts("DestroyTemporaryVariable")
def destroy_temporary_variable(op: Builder, node: NodeView) -> Any:
    return node.read(node.inputs[0])


@converts("ResourceGather")
def resource_gather(op: Builder, node: NodeView) -> Any:
    return op.Gather(node.read(node.input("resource")), node.input("indices"), axis=0)


@converts("ResourceGatherNd")
def resource_gather_nd(op: Builder, node: NodeView) -> Any:
    return op.GatherND(node.read(node.input("resource")), op.cast(node.input("indices"), int64))


@converts("ScatterUpdate", "ResourceScatterUpdate")
def scatter_update(op: Builder, node: NodeView) -> Any:
    return _scatter(op, node, "none")


@converts("ScatterAdd", "ResourceScatterAdd")
def scatter_add(op: Builder, node: NodeView) -> Any:
    return _scatter(op, node, "add")


@converts("ScatterSub", "ResourceScatterSub")
def scatter_sub(op: Builder, node: NodeView) -> Any:
    return _scatter(op, node, "add", op.Neg(node.input("updates")))


@converts("ScatterMul", "ResourceScatterMul")
def scatter_mul(op: Builder, node: NodeView) -> Any:
    return _scatter(op, node, "mul")


@converts("ScatterDiv", "ResourceScatterDiv")
def scatter_div(op: Builder, node: NodeView) -> Any:
    """Divides by the product of the updates of a row; integers, which do not multiply back, are refused."""
    if not node.tensor("updates").dtype.is_floating:
        raise node.fail("scatter_div of integers has no ONNX form.")
    return _scatter(op, node, "mul", op.Reciprocal(node.input("updates")))


@converts("ScatterMin", "ResourceScatterMin")
def scatter_min(op: Builder, node: NodeView) -> Any:
    return _scatter(op, node, "min")


@converts("ScatterMax", "ResourceScatterMax")
def scatter_max(op: Builder, node: NodeView) -> Any:
    return _scatter(op, node, "max")


def _scatter(op: Builder, node: NodeView, reduction: str, updates: Value | None = None) -> Any:
    ref = node.inputs[0]
    updates = node.input("updates") if updates is None else updates
    node.write(ref, scatter_rows(op, node.read(ref), node.input("indices"), updates, reduction))
    return done(node, ref)


def scatter_rows(op: Builder, data: Value, indices: Value, updates: Value, reduction: str = "none") -> Value:
    """`data` with the rows `indices` (of any rank) set to, or combined with, `updates` (or one scalar for all).

    Sums go through ScatterElements: ONNX Runtime's ScatterND adds repeated rows wrongly with several threads.
    """
    indices = op.cast(indices, int64)
    rows = op.Reshape(indices, [-1])
    row_shape = op.Shape(data, start=1)
    wanted = op.Concat(op.Shape(rows), row_shape, axis=0)
    if updates.rank == 0:
        updates = op.Expand(updates, wanted)
    else:
        updates = op.Reshape(updates, wanted, allowzero=1)
    if reduction == "none":
        return op.ScatterND(data, op.Unsqueeze(rows, [1]), updates)  # type: ignore[no-any-return]
    if data.rank is None:
        return op.ScatterND(data, op.Unsqueeze(rows, [1]), updates, reduction=reduction)  # type: ignore[no-any-return]
    positions = op.Expand(op.Unsqueeze(rows, list(range(1, data.rank))) if data.rank > 1 else rows, wanted)
    return op.ScatterElements(data, positions, updates, axis=0, reduction=reduction)  # type: ignore[no-any-return]


@converts("ScatterNdUpdate", "ResourceScatterNdUpdate")
def scatter_nd_update(op: Builder, node: NodeView) -> Any:
    return _scatter_nd(op, node, "none", node.input("updates"))


@converts("ScatterNdAdd", "ResourceScatterNdAdd")
def scatter_nd_add(op: Builder, node: NodeView) -> Any:
    return _scatter_nd(op, node, "add", node.input("updates"))


@converts("ScatterNdSub", "ResourceScatterNdSub")
def scatter_nd_sub(op: Builder, node: NodeView) -> Any:
    return _scatter_nd(op, node, "add", op.Neg(node.input("updates")))


def _scatter_nd(op: Builder, node: NodeView, reduction: str, updates: Value) -> Any:
    ref = node.inputs[0]
    indices = op.cast(node.input("indices"), int64)
    data = node.read(ref)
    node.write(
        ref, op.ScatterND(data, indices, updates, reduction=reduction) if reduction != "none" else op.ScatterND(data, indices, updates)
    )
    return done(node, ref)
