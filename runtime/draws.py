"""Random numbers that a loop draws in each round, drawn before it where it is known how often it runs.

Streams are the host's, so a loop that draws is run by the host, round by round, with all that shares its stacks: the gradient of
a recurrent network with dropout, too. With the numbers of all rounds given, ONNX Runtime runs it. They are the same numbers.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphtools.constant import constant
from graphtools.convert.counters import counter_step, origin, passes_through
from graphtools.dtypes import int32
from graphtools.graph import Function, Graph, Node, Tensor

LOOPS = frozenset({"While", "StatelessWhile"})
DRAWS = frozenset({"RandomUniform", "RandomStandardNormal", "TruncatedNormal"})
LARGEST = 1 << 24  # numbers of all rounds together


def hoist(graph: Graph, shared: Collection[str]) -> None:
    """Draw before the loops of a graph what their bodies draw; functions named in `shared` are left as they are."""
    for loop in [n for n in graph if n.op in LOOPS]:
        body, cond = (graph.functions.get(loop.attr[a].name) for a in ("body", "cond"))
        if body is None or cond is None or body.name in shared or cond.name in shared:
            continue
        drawn = [(n, dims) for n in list(body.graph) if n.op in DRAWS and (dims := _dims(n)) is not None]
        found = _rounds(loop, body, cond) if drawn else None
        if found is None:
            continue
        rounds, counter = found
        for node, dims in drawn:
            if node.name not in graph.nodes and rounds * max(1, int(np.prod(dims))) <= LARGEST:
                _give(loop, body, cond, node, dims, rounds, counter)


def _dims(node: Node) -> tuple[int, ...] | None:
    shape = constant(node.inputs[0])
    return None if shape is None or shape.ndim != 1 or (shape < 0).any() else tuple(int(d) for d in shape)


def _rounds(loop: Node, body: Function, cond: Function) -> tuple[int, int] | None:
    """How often a loop runs, and the number of a variable that counts its rounds from 0 on; None where that is not known."""
    given = {}
    for k, (parameter, result) in enumerate(zip(body.inputs, body.outputs, strict=True)):
        if passes_through(result, parameter):
            given[parameter] = given[cond.inputs[k]] = constant(loop.inputs[k])

    def known(tensor: Tensor) -> NDArray[Any] | None:
        return given[tensor] if tensor in given else constant(tensor)

    counters: dict[int, tuple[int, int]] = {}
    for k, (parameter, result) in enumerate(zip(body.inputs, body.outputs, strict=True)):
        start = constant(loop.inputs[k])
        step = counter_step(result, parameter, known) if result.dtype.is_integer and start is not None and start.ndim == 0 else None
        if step is not None and start is not None and step > 0:
            counters[k] = int(start), step

    def bound(tensor: Tensor) -> list[int] | None:
        node = origin(tensor).node
        if node.op == "LogicalAnd":
            parts = [bound(t) for t in node.inputs]
            return None if any(p is None for p in parts) else [b for p in parts for b in p or ()]
        if node.op != "Less":
            return None
        left, right = (origin(t) for t in node.inputs)
        k = next((k for k, p in enumerate(cond.inputs) if p is left and k in counters), None)
        limit = known(right)
        if k is None or limit is None or limit.ndim:
            return None
        start, step = counters[k]
        return [max(0, -(-(int(limit) - start) // step))]

    bounds = bound(cond.outputs[0])
    counter = next((k for k, c in counters.items() if c == (0, 1)), None)
    return None if not bounds or counter is None or not min(bounds) else (min(bounds), counter)


def _give(loop: Node, body: Function, cond: Function, node: Node, dims: tuple[int, ...], rounds: int, counter: int) -> None:
    """Let a body pick its round's numbers from those of all rounds, which the loop is given."""
    graph, dtype, stacked = loop.graph, node.outputs[0].dtype, (rounds, *dims)
    attr = {"of": node.op, "seed": node.attr["seed"], "seed2": node.attr["seed2"], "dtype": dtype, "shape": stacked}
    draws = graph.add_raw_node(node.name, "_DrawsOfRounds", attr, node.device)  # its name is that of the stream
    draws.source = node.source
    draws.outputs.append(graph.tensor_type(draws, 0, dtype, stacked))
    loop.inputs = [*loop.inputs, draws.outputs[0]]
    loop.outputs.append(graph.tensor_type(loop, len(loop.outputs), dtype, stacked))
    loop.attr = {**loop.attr, "T": [*loop.attr["T"], dtype]}
    for function in (body, cond):
        inner = function.graph
        arg = inner.add_raw_node(_unused(inner, f"{node.name}/rounds"), "_Arg", {"T": dtype, "index": len(function.inputs)})
        arg.outputs.append(inner.tensor_type(arg, 0, dtype, stacked))
        function.inputs.append(arg.outputs[0])
    body.outputs.append(body.inputs[-1])
    axis = body.graph.add_raw_node(_unused(body.graph, f"{node.name}/axis"), "Const", {"value": np.array(0, np.int32), "dtype": int32})
    axis.outputs.append(body.graph.tensor_type(axis, 0, int32, ()))
    index = body.inputs[counter]
    node.op, node.inputs = "GatherV2", [body.inputs[-1], index, axis.outputs[0]]
    node.attr = {"Tparams": dtype, "Tindices": index.dtype, "Taxis": int32, "batch_dims": 0}
    node.outputs[0].dims = dims


def _unused(graph: Graph, name: str) -> str:
    while name in graph.nodes:
        name += "_"
    return name
