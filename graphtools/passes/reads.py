"""Let readers of ref variables see the writes that they come after.

TensorFlow's Identity of a ref hands its buffer on, and writes change that buffer in place: what reads `v/read` after an
assignment to `v` gets the new value, wherever `v/read` itself stands. Such a reader is given the ref in its place.
"""

from __future__ import annotations

from graphtools.graph import Graph, topological
from graphtools.state import Versions, calls_functions, shared_ref, source_variable


def run(graph: Graph) -> bool:
    """Rewire every input that shares the buffer of a variable and sees an older version of it than its reader."""
    reads = {t: ref for node in graph for t in node.outputs if (ref := shared_ref(t)) is not None}
    if not reads:
        return False
    order = topological(graph)
    versions = Versions(order)
    if not versions.writers:
        return False
    changed = False
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
