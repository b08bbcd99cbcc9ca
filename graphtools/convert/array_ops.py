"""Constants, and ops that move, pick and shape elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphtools.convert import converts

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder
    from graphtools.convert.walk import NodeView


@converts("Const")
def const(op: Builder, node: NodeView) -> Any:
    return op.const(node.attr["value"])


@converts("Identity", "StopGradient", "PreventGradient", "Snapshot", "EnsureShape", "PlaceholderWithDefault", "RefIdentity")
def identity(op: Builder, node: NodeView) -> Any:
    """A placeholder with a default that is not fed gives its default."""
    return node.inputs[0]


@converts("NoOp", "Assert", "ControlTrigger")
def no_op(op: Builder, node: NodeView) -> Any:
    """Nothing to compute: the order they ask for is in the data flow of the model."""
    return None
