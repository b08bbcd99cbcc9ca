"""Cut out of a graph what its outputs need, as a graph of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphtools.graph import Graph, Node, Tensor, is_fed_placeholder, topological

# Ops that make a lookup table, and those that fill one.
TABLES = frozenset(
    {"HashTable", "HashTableV2", "AnonymousHashTable", "MutableHashTable", "MutableHashTableV2", "AnonymousMutableHashTable"}
)
FILLS = frozenset(
    {"InitializeTable", "InitializeTableV2", "InitializeTableFromTextFile", "InitializeTableFromTextFileV2", "LookupTableImport", "LookupTableImportV2"}
)  # fmt: skip


def table_key(node: Node) -> str:
    """What two nodes that stand for one table have in common."""
    return str(node.attr.get("shared_name") or node.name)


def extract(
    graph: Graph, outputs: Iterable[Tensor | Node], inputs: Sequence[Tensor] = ()
) -> tuple[Graph, dict[Tensor, Tensor], dict[Node, Node]]:
    """A new graph with the nodes that `outputs` need when `inputs` are fed, and where each tensor and node went.

    A fed tensor comes from a Placeholder of its own in the new graph. Functions, values and the rest of what a graph says
    are shared with the old one.
    """
    fed = list(dict.fromkeys(inputs))
    fed_set = set(fed)
    roots = [o if isinstance(o, Node) else o.node for o in outputs if o not in fed_set]
    new = Graph(graph.producer)
    new.functions = dict(graph.functions)
    new.values, new.signature, new.signatures, new.collections, new.assets = (
        graph.values,
        graph.signature,
        graph.signatures,
        graph.collections,
        graph.assets,
    )
    tensors: dict[Tensor, Tensor] = {}
    nodes: dict[Node, Node] = {}
    order = topological(roots, fed)
    tables = {table_key(n) for n in order if n.op in TABLES}
    if tables:  # what fills a table runs before anything is fetched
        fills = [n for n in graph if n.op in FILLS and table_key(n.inputs[0].node) in tables]
        order = topological([*roots, *fills], fed)
    kept = {node.name for node in order}
    for tensor in fed:
        name = (
            tensor.node.name
            if tensor.node.name not in kept and tensor.node.name not in new.nodes
            else f"{tensor.node.name}/fed_{tensor.index}"
        )
        node = new.add_raw_node(new.unique_name(name), "Placeholder", {"dtype": tensor.dtype.base_dtype, "shape": tensor.dims})
        node.source = tensor.node.source
        new.set_outputs(node)
        node.outputs[0].dims = tensor.dims
        tensors[tensor] = node.outputs[0]
    for old in order:
        node = new.add_raw_node(old.name, old.op, dict(old.attr), old.device)
        node.source = old.source
        nodes[old] = node
        for output in old.outputs:
            copy = new.tensor_type(node, output.index, output.dtype, output.dims)
            node.outputs.append(copy)
            tensors.setdefault(output, copy)
    for old in order:
        node = nodes[old]
        node.inputs = [tensors[t] for t in old.inputs]
        node.control_inputs = [nodes[c] for c in old.control_inputs if not is_fed_placeholder(c, fed_set)]
    return new, tensors, nodes
