"""TensorFlow graph -> ONNX: the registry of handlers, the walk that calls them, and `to_onnx`.

A handler is `@converts("MatMul")(op, node) -> value or tuple of values`, for the op types it names. `op` is the Builder,
`node` a NodeView: `node.inputs` are converted already, flat; `node.input("axis")` is an input (a list for a list argument)
by its OpDef name; `node.const("axis")` its numpy value, NotConstant when only running the graph tells it; `node.attr` has
the OpDef's defaults filled in; `node.outputs` are the TensorFlow tensors, with dtypes and static dims. A resource or
variant is whatever Python object the handler that makes it and those that use it agree on.

`DIRECT` holds the ops that mean the same in ONNX: TensorFlow op type -> ONNX op type, inputs in the same order.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphtools import peers
from graphtools.graph import Graph

if TYPE_CHECKING:
    import onnx

    from graphtools.convert.builder import Builder
    from graphtools.convert.walk import NodeView

OPSET = 21

Handler = Callable[["Builder", "NodeView"], Any]
HANDLERS: dict[str, Handler] = {}
ON_LISTS: dict[str, Handler] = {}  # ops that do something else where an input is the content of a TensorArray or TensorList


def converts(*ops: str) -> Callable[[Handler], Handler]:
    """Declare the conversion of these op types. Raises ValueError when one has a conversion already."""

    def declare(function: Handler) -> Handler:
        for op in ops:
            register(op, function)
        return function

    return declare


def register(op: str, function: Handler) -> None:
    if op in HANDLERS:
        raise ValueError(f"Two conversions for op {op!r}: {HANDLERS[op].__module__} and {function.__module__}.")
    HANDLERS[op] = function


def direct(table: dict[str, str]) -> None:
    """Declare ops that are one ONNX op with the same inputs and no attributes."""
    for op, onnx_op in table.items():

        def handler(builder: Builder, node: NodeView, onnx_op: str = onnx_op) -> Any:
            return builder.append(onnx_op, node.inputs, {})

        register(op, handler)


@functools.cache
def load() -> dict[str, Handler]:
    """The registry, with every *_ops file of this folder imported."""
    peers.load_all(__name__, __path__, "_ops")
    return HANDLERS


def load_for(ops: Iterable[str]) -> dict[str, Handler]:
    """The registry, with at least the files imported that convert these op types."""
    peers.load_for(__name__, __path__, HANDLERS, ops, "_ops")
    return HANDLERS


def to_onnx(graph: Graph, *, inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None) -> onnx.ModelProto:
    """Convert a graph to ONNX.

    `inputs` and `outputs` are tensor names ("x:0"; "x" means "x:0"; an op without outputs may be asked for, such as a
    train op); None takes the graph's signature, else its placeholders and the tensors nothing reads. Variables with a value
    in `graph.values` that the outputs do not change become constants; those that they change become inputs named as the
    variable ("w:0", with the value as default) and outputs named "w:next".

    Raises UnsupportedOps, ConversionError or NotConstant; KeyError (ValueError's sibling here) for a name the graph lacks.
    """
    from graphtools.convert.walk import convert_graph

    return convert_graph(graph, inputs, outputs)


@dataclass(frozen=True, slots=True)
class Written:
    """What a model file has: the number of its nodes, and the names of its inputs and outputs."""

    nodes: int
    inputs: list[str]
    outputs: list[str]


def write_onnx(graph: Graph, path: Path, *, inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None) -> Written:
    """Write the model that `to_onnx` gives, with the weights taken from where they are; over 2 GB they go into PATH.data."""
    from graphtools.convert.model import write_model
    from graphtools.convert.walk import build

    builder, metadata = build(graph, inputs, outputs)
    write_model(builder, OPSET, path, metadata=metadata)
    return Written(len(builder.nodes), [v.name for v in builder.inputs], [v.name for v in builder.outputs])
