"""Which ONNX nodes can have the axes of their tensors in another order, and how they change with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from graphtools.convert.builder import Builder, OnnxNode, Value
from graphtools.convert.infer import BOOL_RESULT, BROADCASTS, SAME_SHAPE
from graphtools.convert.optimize.edit import Edit, ints

Perm = tuple[int, ...]
Turn = Callable[[Edit, Builder, OnnxNode, Perm], None]


@dataclass(frozen=True, slots=True)
class Rule:
    """The inputs and outputs of a node that have the region's axes; `vectors` are inputs that broadcast along the last of them."""

    rank: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    turn: Turn
    vectors: tuple[int, ...] = ()


def _nothing(edit: Edit, graph: Builder, node: OnnxNode, perm: Perm) -> None:
    pass


# Elementwise on one tensor. Those of infer.SAME_SHAPE that know of axes are not.
UNARY = (SAME_SHAPE | (BOOL_RESULT - BROADCASTS)) - frozenset(
    {"BatchNormalization", "CumSum", "InstanceNormalization", "LRN", "LogSoftmax", "ReverseSequence", "ScatterElements", "ScatterND",
     "Softmax", "Trilu", "RegexFullMatch", "Identity"}
)  # fmt: skip
ELEMENTWISE = BROADCASTS | {"PRelu"}
REDUCTIONS = frozenset(
    {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare"}
)  # fmt: skip
ARGUMENTS = frozenset({"ArgMax", "ArgMin"})
WITH_AXIS = {"Concat": 0, "LogSoftmax": -1, "Softmax": -1, "Split": 0, "TopK": -1, "GatherElements": 0, "ScatterElements": 0, "Gather": 0}
SIZED = {"Expand": 1, "Tile": 1}  # op -> the input with an element for each axis


def rule_of(node: OnnxNode) -> Rule | None:
    """How a node takes part in a region; None where the order of its axes is fixed or not known."""
    if node.domain or node.subgraphs():
        return None
    op = node.op_type
    out = node.outputs[0]
    rank = out.rank
    if rank is None or rank < 3 or out.is_sequence:
        return None
    if op in ELEMENTWISE:
        return _broadcast(node, rank)
    if op in UNARY:
        return Rule(rank, (0,), (0,), _nothing) if _has_rank(node, 0, rank) else None
    if op in REDUCTIONS or op in ARGUMENTS:
        if not node.attrs.get("keepdims", 1) or not _has_rank(node, 0, rank):
            return None
        if op in REDUCTIONS and len(node.inputs) > 1 and ints(node.inputs[1]) is None:
            return None
        return Rule(rank, (0,), (0,), _turn_reduction)
    if op in WITH_AXIS:
        return _along_axis(node, rank)
    if op == "Slice":
        if not _has_rank(node, 0, rank) or (len(node.inputs) > 3 and node.inputs[3] is not None and ints(node.inputs[3]) is None):
            return None
        if len(node.inputs) <= 3 and (node.inputs[1] is None or not node.inputs[1].dims or node.inputs[1].dims[0] is None):
            return None
        return Rule(rank, (0,), (0,), _turn_slice)
    if op == "Pad":
        whole = len(node.inputs) < 4 and node.inputs[1] is not None
        return Rule(rank, (0,), (0,), _turn_pad) if whole and _has_rank(node, 0, rank) else None
    if op in SIZED:
        sizes = node.inputs[SIZED[op]]
        if not _has_rank(node, 0, rank) or sizes is None or sizes.dims != (rank,):
            return None
        return Rule(rank, (0,), (0,), _turn_sized)
    if op == "CumSum":
        return Rule(rank, (0,), (0,), _turn_cumsum) if _has_rank(node, 0, rank) and ints(node.inputs[1]) is not None else None
    return None


def _has_rank(node: OnnxNode, position: int, rank: int) -> bool:
    value = node.inputs[position]
    return value is not None and value.rank == rank


def _broadcast(node: OnnxNode, rank: int) -> Rule | None:
    full, vectors = [], []
    for i, value in enumerate(node.inputs):
        if value is None:
            continue
        if value.rank is None:
            return None
        if value.rank == rank or (value.const is not None and value.rank > 0):
            full.append(i)
        elif value.rank == 1:
            vectors.append(i)
        elif value.rank:
            return None
    if not any(node.inputs[i].const is None for i in full):  # type: ignore[union-attr]
        return None
    return Rule(rank, tuple(full), (0,), _nothing, tuple(vectors))


def _along_axis(node: OnnxNode, rank: int) -> Rule | None:
    op = node.op_type
    inputs: tuple[int, ...] = (0,)
    outputs = tuple(range(len(node.outputs)))
    if op == "Concat":
        inputs = tuple(range(len(node.inputs)))
    elif op == "GatherElements":
        inputs = (0, 1)
    elif op == "ScatterElements":
        inputs = (0, 1, 2)
    elif op == "Gather" and (node.inputs[1] is None or node.inputs[1].rank != 1):
        return None
    if not all(_has_rank(node, i, rank) for i in inputs) or all(node.inputs[i].const is not None for i in inputs):  # type: ignore[union-attr]
        return None
    if any(v.rank != rank for v in node.outputs):
        return None
    return Rule(rank, inputs, outputs, _turn_axis)


def _turn_axis(edit: Edit, graph: Builder, node: OnnxNode, perm: Perm) -> None:
    axis = int(node.attrs.get("axis", WITH_AXIS[node.op_type])) % len(perm)
    node.attrs["axis"] = perm.index(axis)


def _turn_reduction(edit: Edit, graph: Builder, node: OnnxNode, perm: Perm) -> None:
    if node.op_type in ARGUMENTS:
        node.attrs["axis"] = perm.index(int(node.attrs.get("axis", 0)) % len(perm))
        return
    axes = ints(node.inputs[1]) if len(node.inputs) > 1 else None
    if axes:
        edit.set_input(node, 1, graph.const(sorted(perm.index(a % len(perm)) for a in axes)))


def _turn_slice(edit: Edit, graph: Builder, node: OnnxNode, perm: Perm) -> None:
    axes = ints(node.inputs[3]) if len(node.inputs) > 3 else None
    if axes is None:
        starts = node.inputs[1]
        count = starts.dims[0] if starts is not None and starts.dims else 0
        axes = list(range(int(count or 0)))
    value = graph.const([perm.index(a % len(perm)) for a in axes])
    if len(node.inputs) > 3:
        edit.set_input(node, 3, value)
    else:
        edit.add_input(node, value)


def _picked(edit: Edit, graph: Builder, node: OnnxNode, value: Value, order: list[int]) -> Value:
    """A vector's elements in another order."""
    return edit.add(graph, node, "Gather", [value, order], {"axis": 0}, (len(order),))


def _turn_pad(edit: Edit, graph: Builder, node: OnnxNode, perm: Perm) -> None:
    pads = node.inputs[1]
    if pads is not None:
        order = [*perm, *(p + len(perm) for p in perm)]
        edit.set_input(node, 1, _picked(edit, graph, node, pads, order))


def _turn_sized(edit: Edit, graph: Builder, node: OnnxNode, perm: Perm) -> None:
    position = SIZED[node.op_type]
    sizes = node.inputs[position]
    if sizes is not None:
        edit.set_input(node, position, _picked(edit, graph, node, sizes, list(perm)))


def _turn_cumsum(edit: Edit, graph: Builder, node: OnnxNode, perm: Perm) -> None:
    axes = ints(node.inputs[1])
    if axes:
        edit.set_input(node, 1, graph.const(np.int64(perm.index(axes[0] % len(perm)))))


# -- readers that take another order without a Transpose -------------------------------------------------------------


def can_absorb(node: OnnxNode, position: int, value: Value, perm: Perm) -> bool:
    """Whether a reader outside the region can read a value with its axes in another order, and give the same."""
    if node.domain or position:
        return False
    op = node.op_type
    if op in ("Shape", "Size"):
        return True
    if op in REDUCTIONS | ARGUMENTS | {"Squeeze"}:
        if op != "Squeeze" and node.attrs.get("keepdims", 1):
            return False
        if op in ARGUMENTS:
            axes: list[int] | None = [int(node.attrs.get("axis", 0))]
        elif len(node.inputs) > 1:
            axes = ints(node.inputs[1])
            if axes is None:
                return False
        else:
            axes = None
        if not axes:
            return op in REDUCTIONS and not node.attrs.get("noop_with_empty_axes")
        gone = {a % len(perm) for a in axes}
        left = [p for p in perm if p not in gone]
        return left == sorted(left)
    if op == "Reshape":
        shape = ints(node.inputs[1]) if len(node.inputs) > 1 else None
        if shape is None or (0 in shape and not node.attrs.get("allowzero")) or value.dims is None:
            return False
        moved = [p for p in perm if value.dims[p] != 1]
        return moved == sorted(moved)
    return False


def absorb(edit: Edit, node: OnnxNode, position: int, fresh: Value, perm: Perm) -> None:
    """Let a reader read a value with its axes in another order."""
    op = node.op_type
    if op == "Shape":
        graph = edit.owner[id(node)]
        start, end = node.attrs.get("start", 0), node.attrs.get("end")
        wanted = [perm.index(a) for a in range(len(perm))[slice(start, end)]]
        if wanted == list(range(wanted[0], wanted[0] + len(wanted))) if wanted else True:
            if wanted:
                node.attrs["start"], node.attrs["end"] = wanted[0], wanted[-1] + 1
            edit.set_input(node, position, fresh)
            return
        whole = edit.add(graph, node, "Shape", [fresh], {})
        # the node becomes the Gather of the whole shape
        node.op_type, node.attrs = "Gather", {"axis": 0}
        edit.set_input(node, position, whole)
        edit.add_input(node, graph.const(wanted))
        return
    if op in ARGUMENTS:
        node.attrs["axis"] = perm.index(int(node.attrs.get("axis", 0)) % len(perm))
    elif op in REDUCTIONS or op == "Squeeze":
        axes = ints(node.inputs[1]) if len(node.inputs) > 1 else None
        if axes:
            graph = edit.owner[id(node)]
            edit.set_input(node, 1, graph.const(sorted(perm.index(a % len(perm)) for a in axes)))
    edit.set_input(node, position, fresh)
