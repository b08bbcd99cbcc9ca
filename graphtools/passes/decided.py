"""Take away conds whose predicate is a constant: the side not taken never runs. Grappler leaves such, with their pivots folded."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools.constant import constant
from graphtools.dtypes import int32
from graphtools.graph import Function, Graph, Node, Tensor, topological
from graphtools.passes.frames import MERGE, SWITCH
from graphtools.passes.outline import free_name


def take_decided(graph: Graph, function: Function | None = None) -> bool:
    """Remove the Switches on constants, the nodes that these never let run, and the Merges with one input left."""
    sides = {n: _side(n) for n in graph if n.op in SWITCH}
    if all(side is None for side in sides.values()):
        return False
    order = topological(graph.nodes.values())
    dead: set[Tensor] = set()
    gone: set[Node] = set()
    instead: dict[Tensor, Tensor] = {}
    for node in order:
        alive = [t for t in node.inputs if t not in dead]
        if node.op in MERGE:
            is_dead = not alive
        else:
            is_dead = len(alive) < len(node.inputs) or any(c in gone for c in node.control_inputs)
        if is_dead:
            gone.add(node)
            dead.update(node.outputs)
            continue
        side = sides.get(node)
        if side is not None:
            instead[node.outputs[side]] = node.inputs[0]
            dead.add(node.outputs[1 - side])
        elif node.op in MERGE and len(alive) == 1 < len(node.inputs):
            instead[node.outputs[0]] = alive[0]
            if len(node.outputs) > 1:
                instead[node.outputs[1]] = _index(graph, node, node.inputs.index(alive[0]))
    if function is not None and (dead.intersection(function.outputs) or gone.intersection(function.control_outputs)):
        return False

    def final(tensor: Tensor) -> Tensor:
        while tensor in instead:
            tensor = instead[tensor]
        return tensor

    for node in graph:
        if node not in gone and not (node.op in MERGE and node.outputs[0] in instead):
            node.inputs = [final(t) for t in node.inputs]
        node.control_inputs = [c for c in node.control_inputs if c not in gone]
    if function is not None:
        function.outputs[:] = [final(t) for t in function.outputs]
    for node in gone:
        del graph.nodes[node.name]
    for node, side in sides.items():
        if side is not None and node not in gone:
            _forget(graph, node)
    for node in order:
        if node.op in MERGE and node not in gone and node.outputs[0] in instead:
            node.inputs = [final(t) for t in node.outputs]  # it may be fetched
            node.op, node.attr = "IdentityN", {"T": [t.dtype.base_dtype for t in node.inputs]}
    return True


def _side(node: Node) -> int | None:
    value = constant(node.inputs[1]) if len(node.outputs) == 2 else None
    return None if value is None or value.size != 1 else int(bool(value.ravel()[0]))


def _index(graph: Graph, node: Node, place: int) -> Tensor:
    """A constant for which input a Merge took."""
    attr: dict[str, Any] = {"value": np.array(place, np.int32), "dtype": int32}
    made = graph.add_raw_node(free_name(graph, f"{node.name}/value_index"), "Const", attr)
    graph.set_outputs(made)
    made.outputs[0].dims = ()
    return made.outputs[0]


def _forget(graph: Graph, node: Node) -> None:
    """Let what waits for a node wait for what it read and waited for."""
    before = [*node.control_inputs, node.inputs[0].node]
    for other in graph:
        if node in other.control_inputs:
            other.control_inputs = list(dict.fromkeys(c for o in other.control_inputs for c in (before if o is node else [o])))
    del graph.nodes[node.name]
