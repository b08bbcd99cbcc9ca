"""Gradients of ops that move and pick elements."""

from __future__ import annotations

from typing import Any

from graphtools.gradients import gradient, not_differentiable
from graphtools.gradients.walk import Emit
from graphtools.graph import Node

not_differentiable("Const", "Placeholder", "Shape", "Rank", "Size", "StopGradient", "ZerosLike", "OnesLike", "Range")


@gradient("Identity", "RefIdentity")
def identity(g: Emit, node: Node, dy: Any) -> Any:
    return dy


@gradient("Reshape")
def reshape(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("Reshape", dy, g.shape(node.inputs[0])), None


@gradient("ExpandDims")
def expand_dims(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("Reshape", dy, g.shape(node.inputs[0])), None


@gradient("Squeeze")
def squeeze(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("Reshape", dy, g.shape(node.inputs[0]))


@gradient("Select")
def select(g: Emit, node: Node, dy: Any) -> Any:
    condition, x, _ = node.inputs
    zeros = g.op("ZerosLike", x, name="zeros_like")
    return None, g.op("Select", condition, dy, zeros), g.op("Select", condition, zeros, dy)
