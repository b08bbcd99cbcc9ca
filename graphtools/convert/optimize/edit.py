"""Changing an ONNX graph: who reads what, replacing values, adding nodes, and putting nodes back in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from graphtools.convert.builder import Array, Builder, OnnxNode, Value
from graphtools.graph import Dims


class Edit:
    """A graph and its subgraphs under change. `readers[id(value)]` lists (node, input position) of all that read a value."""

    def __init__(self, builder: Builder) -> None:
        self.main = builder
        self.graphs: list[Builder] = []
        self.readers: dict[int, list[tuple[OnnxNode, int]]] = {}
        self.owner: dict[int, Builder] = {}
        self.results: set[int] = set()
        self.refresh()

    def refresh(self) -> None:
        """Read the graph anew."""
        self.graphs, self.readers, self.owner, self.results = [], {}, {}, set()
        self._collect(self.main)

    def _collect(self, graph: Builder) -> None:
        self.graphs.append(graph)
        self.results.update(id(v) for v in graph.outputs)
        for node in graph.nodes:
            self.owner[id(node)] = graph
            for i, value in enumerate(node.inputs):
                if value is not None:
                    self.readers.setdefault(id(value), []).append((node, i))
            for body in node.subgraphs():
                self._collect(body)

    def tidy(self) -> None:
        """Put every node behind those it reads, and drop what nothing needs."""
        _order(self.main)
        self.main.sanitize()
        self.refresh()

    # -- looking -------------------------------------------------------------------------------------------------

    def reads(self, value: Value) -> list[tuple[OnnxNode, int]]:
        return self.readers.get(id(value), [])

    def only_reader(self, value: Value) -> OnnxNode | None:
        """The one node that reads a value, if there is one and the value is no output."""
        readers = self.reads(value)
        return readers[0][0] if len(readers) == 1 and id(value) not in self.results else None

    def nodes(self) -> Iterator[tuple[Builder, OnnxNode]]:
        for graph in self.graphs:
            for node in list(graph.nodes):
                yield graph, node

    # -- changing ------------------------------------------------------------------------------------------------

    def set_input(self, node: OnnxNode, position: int, value: Value | None) -> None:
        old = node.inputs[position]
        if old is not None:
            self.readers[id(old)] = [r for r in self.reads(old) if r[0] is not node or r[1] != position]
        node.inputs[position] = value
        if value is not None:
            self.readers.setdefault(id(value), []).append((node, position))

    def add_input(self, node: OnnxNode, value: Value) -> None:
        node.inputs.append(value)
        self.readers.setdefault(id(value), []).append((node, len(node.inputs) - 1))

    def replace(self, old: Value, new: Value) -> bool:
        """Let everything read `new` instead of `old`. An output keeps its name: False where that needs a copy, and nothing changes."""
        if id(old) in self.results:
            return self._give(old, new)
        for node, position in list(self.reads(old)):
            self.set_input(node, position, new)
        return True

    def _give(self, old: Value, new: Value) -> bool:
        """Make the node that computes `new` compute the output `old` itself."""
        maker, former = new.node, old.node
        if new.const is not None or maker is None or former is None or id(new) in self.results:
            return False
        if self.owner.get(id(maker)) is not self.owner.get(id(former)):
            return False
        at = next(i for i, v in enumerate(maker.outputs) if v is new)
        spare = Value(new.name, old.dtype, old.dims, node=former)
        former.outputs[next(i for i, v in enumerate(former.outputs) if v is old)] = spare
        maker.outputs[at] = old
        old.node = maker
        for node, position in list(self.reads(new)):
            self.set_input(node, position, old)
        return True

    def add(self, graph: Builder, near: OnnxNode, op_type: str, inputs: Sequence[Any], attrs: dict[str, Any], dims: Dims = None) -> Value:
        """A new node (its place in the order is found later), for the TensorFlow node and device of `near`."""
        outer = graph.origin, graph.device
        graph.origin, graph.device = near.origin, near.device
        count = len(graph.nodes)
        try:
            value: Value = graph.append(op_type, inputs, attrs)
        finally:
            graph.origin, graph.device = outer
        for node in graph.nodes[count:]:
            self.owner[id(node)] = graph
            for i, v in enumerate(node.inputs):
                if v is not None:
                    self.readers.setdefault(id(v), []).append((node, i))
        if dims is not None and value.const is None:
            value.dims = dims
        return value

    def remake(self, node: OnnxNode, index: int) -> Value:
        """A fresh value for an output of a node; the old one is free to be computed by another node."""
        old = node.outputs[index]
        fresh = Value(self.main.names.unique(old.name.split("#")[0] + "#"), old.dtype, old.dims, node=node)
        node.outputs[index] = fresh
        return fresh


def constant(value: Value | None) -> Array | None:
    return None if value is None else value.const


def ints(value: Value | None) -> list[int] | None:
    """The elements of an integer constant."""
    return None if value is None or value.const is None else [int(d) for d in np.ravel(value.const)]


def _order(graph: Builder) -> None:
    """Every node after those that make what it, or a body within it, reads; otherwise as they stand."""
    own = {id(node) for node in graph.nodes}
    done: set[int] = set()
    ordered: list[OnnxNode] = []
    for root in graph.nodes:
        if id(root) in done:
            continue
        stack: list[tuple[OnnxNode, Iterator[OnnxNode]]] = [(root, iter(_makers(root, own)))]
        done.add(id(root))
        while stack:
            node, rest = stack[-1]
            for maker in rest:
                if id(maker) not in done:
                    done.add(id(maker))
                    stack.append((maker, iter(_makers(maker, own))))
                    break
            else:
                stack.pop()
                ordered.append(node)
    graph.nodes = ordered
    for node in graph.nodes:
        for body in node.subgraphs():
            _order(body)


def _makers(node: OnnxNode, own: set[int]) -> list[OnnxNode]:
    found = [v.node for v in node.inputs if v is not None and v.node is not None and id(v.node) in own]
    for body in node.subgraphs():
        _inner_makers(body, own, found)
    return found


def _inner_makers(body: Builder, own: set[int], found: list[OnnxNode]) -> None:
    for value in body.outputs:
        if value.node is not None and id(value.node) in own:
            found.append(value.node)
    for node in body.nodes:
        found.extend(v.node for v in node.inputs if v is not None and v.node is not None and id(v.node) in own)
        for inner in node.subgraphs():
            _inner_makers(inner, own, found)
