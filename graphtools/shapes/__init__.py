"""Static shapes: the registry of shape functions, the inference of a node or a graph, and constants known without running.

A shape function is `@shape("Conv2D")(node) -> [dims, ...]`, one dims for each output, for the op types it names. It reads
`node.inputs[i].dims`, `node.attr`, and `constant(node.input("axis"))` for inputs whose value matters, and raises ShapeError
with TensorFlow's words when the inputs contradict each other. Ops without a shape function have unknown shapes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

from graphtools import peers
from graphtools.errors import ShapeError
from graphtools.graph import Dims, Graph, Node, Tensor, topological

ShapeFunction = Callable[[Node], Sequence[Dims]]
SHAPES: dict[str, ShapeFunction] = {}


def shape(*ops: str) -> Callable[[ShapeFunction], ShapeFunction]:
    """Declare the shape function of these op types. Raises ValueError when one has a shape function already."""

    def declare(function: ShapeFunction) -> ShapeFunction:
        for op in ops:
            if op in SHAPES:
                raise ValueError(f"Two shape functions for op {op!r}: {SHAPES[op].__module__} and {function.__module__}.")
            SHAPES[op] = function
        return function

    return declare


@functools.cache
def load() -> dict[str, ShapeFunction]:
    """The registry, with every file of this folder imported."""
    peers.load_all(__name__, __path__)
    return SHAPES


def infer(node: Node) -> None:
    """Set the dims of a node's outputs. Raises ShapeError when its inputs contradict each other."""
    function = SHAPES.get(node.op)
    if function is None and node.outputs:
        peers.load_for(__name__, __path__, SHAPES, (node.op,))
        function = SHAPES.get(node.op)
    if function is None:
        return
    try:
        result = function(node)
    except ShapeError as e:
        raise ShapeError(_explained(node, function, str(e))) from None
    for tensor, dims in zip(node.outputs, result, strict=False):
        tensor.dims = None if dims is None else tuple(dims)


def _explained(node: Node, function: ShapeFunction, message: str) -> str:
    """The message of a ShapeError with TensorFlow's account of the inputs; what the function asks for is seen by asking again."""
    from graphtools.shapes.dims import Asking, context

    for asked in (Asking(node, blind=True), Asking(node)):
        try:
            function(asked)  # type: ignore[arg-type]
        except ShapeError as e:
            if asked.blind:
                asked.values.clear()
                asked.shapes.clear()
            return context(node, str(e), asked)
    return context(node, message, asked)


def infer_graph(graph: Graph) -> None:
    """Set the dims of every tensor of a graph that came from a file; a node whose shapes cannot be known keeps unknown dims."""
    peers.load_for(__name__, __path__, SHAPES, {n.op for n in graph if n.outputs})
    for node in topological(graph.nodes.values()):
        try:
            infer(node)
        except (ValueError, KeyError, TypeError, IndexError, ArithmeticError, MemoryError):
            pass  # the file's graph is what it is: conversion will say what is wrong, if anything
        recorded = node.attr.get("_output_shapes")
        if isinstance(recorded, list):
            for tensor, dims in zip(node.outputs, recorded, strict=False):
                _refine(tensor, dims)


def _refine(tensor: Tensor, dims: Dims) -> None:
    """Fill the unknown dims of a tensor with those that the file recorded when it was written."""
    if not isinstance(dims, tuple):
        return
    if tensor.dims is None:
        tensor.dims = tuple(dims)
    elif len(tensor.dims) == len(dims):
        tensor.dims = tuple(b if a is None else a for a, b in zip(tensor.dims, dims, strict=True))


def refine(graph: Graph, known: Mapping[str, Dims]) -> None:
    """Tell the shapes of tensors by name, where the graph knows less, and infer again what follows from them."""
    for name, dims in known.items():
        tensor = graph.tensor(name)
        if tensor.dims is None or dims is None:
            tensor.dims = dims if tensor.dims is None else tensor.dims
        elif len(dims) == len(tensor.dims):
            tensor.dims = tuple(d if t is None else t for t, d in zip(tensor.dims, dims, strict=True))
        else:
            raise ShapeError(f"{name!r} has rank {len(tensor.dims)}; the shape {list(dims)} was given for it.")
        if "shape" in tensor.node.attr and tensor.node.op.startswith("Placeholder"):
            tensor.node.attr["shape"] = tensor.dims
    infer_graph(graph)
