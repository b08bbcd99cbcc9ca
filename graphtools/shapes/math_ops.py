"""Static shapes of elementwise, reduction and matrix arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

from graphtools.graph import Dims, Node
from graphtools.shapes import shape


@shape("Abs", "Neg")
def same(node: Node) -> Sequence[Dims]:
    return [node.inputs[0].dims]
