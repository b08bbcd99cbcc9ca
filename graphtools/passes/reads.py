"""Let readers of ref variables see the writes that they come after.

TensorFlow's Identity of a ref hands its buffer on, and writes change that buffer in place: what reads `v/read` after an
assignment to `v` gets the new value, wherever `v/read` itself stands. Such a reader is given the ref in its place.
Where nothing orders a reader and a write, TensorFlow leaves it to chance; nearly always the reader gets the old value, but for
counters: an int64 variable that a constant is added to has been counted on before what is converted from it is computed. The
optimizers of Keras up to 2.2 are written so, and count their first step as the second.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphtools.dtypes import int64
from graphtools.graph import Graph, Node, Tensor, topological
from graphtools.state import VARIABLES, Versions, calls_functions, shared_ref, source_variable


def run(graph: Graph) -> bool:
    """Rewire every input that shares the buffer of a variable and sees an older version of it than its reader."""
    reads = {t: ref for node in graph for t in node.outputs if (ref := shared_ref(t)) is not None}
    if not reads and not any(n.op == "Cast" and n.inputs[0].node.op == "ReadVariableOp" for n in graph):
        return False
    order = topological(graph)
    versions = Versions(order)
    if not versions.writers:
        return False
    changed = False
    if _count_first(order, reads, versions):
        order = topological(graph)
        versions = Versions(order)
        changed = True
    for node in order:
        for i, tensor in enumerate(node.inputs):
            ref = reads.get(tensor)
            if ref is None or calls_functions(node):
                continue
            key = source_variable(ref)
            if key is not None and versions.seen_by(node, key) != versions.seen_by(tensor.node, key):
                node.inputs[i] = ref
                node.control_inputs.append(tensor.node)
                changed = True
    return changed


def _count_first(order: Sequence[Node], reads: dict[Tensor, Tensor], versions: Versions) -> bool:
    """Put a control edge from what counts an int64 variable on to the reads for a Cast of it that no edge orders against the count."""
    added = False
    for node in order:
        if node.op != "Cast" or node.inputs[0].dtype.base_dtype is not int64:
            continue
        read = node.inputs[0].node
        if read.op == "ReadVariableOp":
            reader, handle = read, read.inputs[0]
        elif node.inputs[0] in reads:
            reader, handle = node, reads[node.inputs[0]]
        else:
            continue
        key = source_variable(handle)
        for writer in versions.writers.get(key, ()) if key is not None else ():
            counts = writer.op in ("AssignAdd", "AssignAddVariableOp") and writer.inputs[1].node.op == "Const"
            waits = writer.control_inputs or writer.inputs[1].node.control_inputs
            if counts and not waits and handle.node.op in VARIABLES and writer not in reader.control_inputs:
                reader.control_inputs.append(writer)
                added = True
    return added
