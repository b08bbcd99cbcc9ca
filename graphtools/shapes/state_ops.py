"""Static shapes of variables, assignments and optimizer updates."""

from __future__ import annotations

from collections.abc import Sequence

from graphtools import opdefs
from graphtools.graph import Dims, Node, Tensor
from graphtools.shapes import shape
from graphtools.shapes.dims import merge
from graphtools.state import source_variable, variable_of


@shape("Variable", "VariableV2", "TemporaryVariable")
def variable(node: Node) -> Sequence[Dims]:
    """0.x's Variable wrote shape {} for an unknown shape too, so that it says nothing there."""
    return [variable_of(node).dims]


@shape("VarHandleOp", "IsVariableInitialized", "VarIsInitializedOp")
def scalar(node: Node) -> Sequence[Dims]:
    return [()]


@shape("Assign")
def assign(node: Node) -> Sequence[Dims]:
    ref, value = node.inputs
    if not node.attr["validate_shape"]:
        return [value.dims]
    return [merge(ref.dims, value.dims)]


def handle_dims(handle: Tensor) -> Dims:
    """The shape of the variable behind a handle, as far as the graph tells."""
    key = source_variable(handle)
    if key is None:
        return None
    tensor = handle
    while tensor.node.op != "VarHandleOp":
        if not tensor.node.inputs:
            return None
        tensor = tensor.node.inputs[0]
    return variable_of(tensor.node).dims


@shape("ReadVariableOp")
def read_variable(node: Node) -> Sequence[Dims]:
    return [handle_dims(node.inputs[0])]


@shape("VariableShape")
def variable_shape(node: Node) -> Sequence[Dims]:
    dims = handle_dims(node.inputs[0])
    return [None if dims is None else (len(dims),)]


@shape("ResourceGather")
def resource_gather(node: Node) -> Sequence[Dims]:
    dims, indices = handle_dims(node.inputs[0]), node.inputs[1].dims
    return [None if dims is None or indices is None else (*indices, *dims[1:])]


def _first_input(node: Node) -> Sequence[Dims]:
    return [node.inputs[0].dims]


# Ops that give back the ref they write through.
shape(
    *(
        op
        for op in opdefs.names()
        if (
            op.startswith(("Apply", "SparseApply", "Scatter", "AssignAdd", "AssignSub"))
            or op in ("CountUpTo", "DestroyTemporaryVariable", "StridedSliceAssign")
        )
        and (spec := opdefs.get(op)) is not None
        and spec.inputs
        and spec.inputs[0].is_ref
        and spec.outputs
    )
)(_first_input)
