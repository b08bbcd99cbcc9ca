"""Sums that a loop makes round by round of products, as one product after the loop: the gradients of what all rounds share.

A state s + a' b, with a and b of every round, is s0 + [a1; a2; ...]' [b1; b2; ...]. One large product is faster than many small
ones, and the sum, often the largest array in the loop, is written once.
"""

from __future__ import annotations

import numpy as np

from graphtools.convert.builder import Builder, OnnxNode, Value
from graphtools.convert.optimize.edit import Edit, ints
from graphtools.graph import Dims


def run(edit: Edit) -> bool:
    changed = False
    for graph, node in edit.nodes():
        if node.op_type in ("Loop", "Scan"):
            while _one(edit, graph, node):
                changed = True
    return changed


def _one(edit: Edit, graph: Builder, loop: OnnxNode) -> bool:
    """Take one sum out of a loop."""
    body: Builder = loop.attrs["body"]
    before = 2 if loop.op_type == "Loop" else 0
    states = len(loop.inputs) - before - (0 if loop.op_type == "Loop" else int(loop.attrs["num_scan_inputs"]))
    first = 1 if loop.op_type == "Loop" else 0
    for k in range(states):
        state, result = body.inputs[before + k], body.outputs[first + k]
        term = _term(edit, body, state, result)
        start = loop.inputs[before + k]
        if term is None or start is None:
            continue
        stacks = [_stacked(edit, body, loop, v) for v in dict.fromkeys(v for v in term.inputs[:2] if v is not None and v.const is None)]
        if term.op_type == "MatMul":
            total = _product(edit, graph, term, stacks[0], stacks[-1])
        elif term.op_type == "Gemm":
            flat = [_rows(edit, graph, loop, s) for s in stacks]
            total = edit.add(graph, term, "Gemm", [flat[0], flat[-1]], {"transA": 1}, term.outputs[0].dims)
        else:
            total = edit.add(
                graph,
                term,
                "ReduceSum",
                [_rows(edit, graph, loop, stacks[0]), graph.const(np.array([0], np.int64))],
                dict(term.attrs),
                term.outputs[0].dims,
            )
        total = edit.add(graph, loop, "Add", [start, total], {}, loop.outputs[k].dims)
        done = edit.replace(loop.outputs[k], total)
        if done:
            del loop.inputs[before + k], loop.outputs[k], body.inputs[before + k], body.outputs[first + k]
        edit.refresh()
        if done:
            return True
    return False


def _term(edit: Edit, body: Builder, state: Value, result: Value) -> OnnxNode | None:
    """The product, or the sum over rows, that each round adds to a state and does nothing else with."""
    add = result.node
    if (
        add is None
        or add.op_type != "Add"
        or edit.owner.get(id(add)) is not body
        or edit.reads(result)
        or edit.only_reader(state) is not add
    ):
        return None
    if body.outputs.count(result) != 1:
        return None
    other = add.inputs[1] if add.inputs[0] is state else add.inputs[0]
    term = None if other is None else other.node
    if other is None or term is None or edit.owner.get(id(term)) is not body or edit.only_reader(other) is not add:
        return None
    if state.dims is None or state.dims != other.dims:
        return None
    if term.op_type == "Gemm":
        attrs = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0, **term.attrs}
        a, b = term.inputs[:2]
        if len(term.inputs) > 2 or attrs["alpha"] != 1.0 or not attrs["transA"] or attrs["transB"] or a is b:
            return None
        if not (_varies(edit, body, a) and _varies(edit, body, b)) or a is None or b is None or a.dims is None or b.dims is None:
            return None
        (n, p), (m, q) = a.dims, b.dims
        n = m if n is None else n
        return term if n is not None and p and q and n * (p + q) <= 8 * p * q else None  # else the rows are larger than the sum
    if term.op_type == "MatMul":
        a, b = term.inputs[:2]
        if (
            a is b
            or not (_varies(edit, body, a, 3) and _varies(edit, body, b, 3))
            or a is None
            or b is None
            or a.dims is None
            or b.dims is None
        ):
            return None
        (n, p, k), (m, _, q) = a.dims, b.dims
        return term if n == m and n and p and k and q and k * (p + q) <= p * q else None
    if term.op_type == "ReduceSum":
        rows = term.inputs[0]
        if len(term.inputs) < 2 or ints(term.inputs[1]) != [0] or rows is None or not _varies(edit, body, rows):
            return None
        return term if rows.dims is not None and len(rows.dims) == 2 and term.attrs.get("keepdims", 1) == 0 else None
    return None


def _rows(edit: Edit, graph: Builder, loop: OnnxNode, stacked: Value) -> Value:
    """The rows of the matrices of all rounds, one after the other."""
    assert stacked.dims is not None  # the term's factors have known shapes
    return edit.add(graph, loop, "Reshape", [stacked, graph.const(np.array([-1, stacked.dims[2]], np.int64))], {}, (None, stacked.dims[2]))


def _product(edit: Edit, graph: Builder, term: OnnxNode, a: Value, b: Value) -> Value:
    """The sum of the products of batches of matrices of all rounds: one product of what stands side by side."""
    assert a.dims is not None and b.dims is not None  # the term's factors have known shapes
    _, n, p, _ = a.dims
    q = b.dims[3]
    left = edit.add(graph, term, "Transpose", [a], {"perm": [1, 2, 0, 3]})
    right = edit.add(graph, term, "Transpose", [b], {"perm": [1, 0, 2, 3]})
    left = edit.add(graph, term, "Reshape", [left, graph.const(np.array([n, p, -1], np.int64))], {}, (n, p, None))
    right = edit.add(graph, term, "Reshape", [right, graph.const(np.array([n, -1, q], np.int64))], {}, (n, None, q))
    return edit.add(graph, term, "MatMul", [left, right], {}, term.outputs[0].dims)


def _varies(edit: Edit, body: Builder, value: Value | None, rank: int = 2) -> bool:
    """Whether a value is made by the body itself, a matrix or a batch of them, of known shape but for its rows."""
    if value is None or value.node is None or edit.owner.get(id(value.node)) is not body:
        return False
    return value.dims is not None and len(value.dims) == rank and all(value.dims[1:]) and value.dims[0] != 0


def _stacked(edit: Edit, body: Builder, loop: OnnxNode, value: Value) -> Value:
    """The values of all rounds along a new first axis."""
    first = 1 if loop.op_type == "Loop" else 0
    states = len(loop.inputs) - 2 if loop.op_type == "Loop" else len(loop.inputs) - int(loop.attrs["num_scan_inputs"])
    for i in range(states, len(loop.outputs)):
        if body.outputs[first + i] is value:
            return loop.outputs[i]
    body.output(value)
    dims: Dims = None if value.dims is None else (None, *value.dims)
    stacked = Value(edit.main.names.unique(f"{loop.name}#"), value.dtype, dims, node=loop)
    loop.outputs.append(stacked)
    _shift(loop, "scan_output_axes")
    _shift(loop, "scan_output_directions")
    return stacked


def _shift(loop: OnnxNode, attr: str) -> None:
    if attr in loop.attrs:
        loop.attrs[attr] = [*loop.attrs[attr], 0]
