"""Static shapes of ops that take text apart."""

from __future__ import annotations

from collections.abc import Sequence

from graphtools.errors import ShapeError
from graphtools.graph import Dims, Node
from graphtools.shapes import shape


@shape("DecodeCSV")
def decode_csv(node: Node) -> Sequence[Dims]:
    for i, default in enumerate(node.inputs[1:], 1):
        if default.dims is not None and len(default.dims) > 1:
            raise ShapeError(
                f"Shape of a default must be a length-0 or length-1 vector, or a scalar: input {i} has rank {len(default.dims)}."
            )
    return [node.inputs[0].dims] * len(node.outputs)
