"""Variables: which nodes hold state, which write it, and which write a reader sees.

A variable is known by its key: the node's name for ref variables, `shared_name` (else the node's name) for resource
variables. In one run, a node sees the last of the writes that it depends on through data or control edges, and the value
from before the run when there is none; writes to one variable take effect one after the other, in graph order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from graphtools.dtypes import DType, resource
from graphtools.graph import Dims, Func, Function, Node, Tensor

VARIABLES = frozenset({"Variable", "VariableV2", "VarHandleOp", "TemporaryVariable", "AutoReloadVariable"})

# Stacks are written by what pushes to them and pops from them. Their key is their node's name.
STACKS = frozenset({"Stack", "StackV2"})
STACK_CHANGES = frozenset({"StackPush", "StackPushV2", "StackPop", "StackPopV2"})

# Ops that hand a ref or resource on without touching the value.
HANDS_ON = frozenset(
    {"Identity", "IdentityN", "RefIdentity", "Switch", "RefSwitch", "Merge", "RefMerge", "Enter", "RefEnter", "Exit", "RefExit",
     "NextIteration", "RefNextIteration", "RefSelect", "PreventGradient", "StopGradient"}
)  # fmt: skip

# Ops that give their input's buffer as their output, a ref's as a plain tensor.
SHARES = frozenset({"Identity", "PreventGradient", "StopGradient"})

# Ops with a ref or resource input that only look at the variable.
READS = frozenset(
    {"IsVariableInitialized", "ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VarIsInitializedOp", "VariableShape", "DestroyTemporaryVariable",
     "ResourceStridedSlice", "_ReadVariablesOp"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable: its key, dtype, and static shape."""

    key: str
    dtype: DType
    dims: Dims


def variable_of(node: Node) -> Variable:
    """The variable that a variable node stands for."""
    dims = node.attr.get("shape")
    if node.op == "Variable" and dims == ():
        dims = None  # 0.x wrote shape {} for an unknown shape; a true scalar reads the same
    key = node.attr.get("shared_name") or node.name if node.op == "VarHandleOp" else node.name
    return Variable(key, node.attr["dtype"], dims)


def written_inputs(node: Node) -> list[int]:
    """The positions of the inputs through which a node changes a variable."""
    if node.op in HANDS_ON or node.op in READS:
        return []
    opdef = node.opdef
    if opdef is None or not opdef.inputs:
        return []
    changes_resource = (
        node.op.startswith("Resource")
        or node.op in STACK_CHANGES
        or node.op in ("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp")
    )
    found: list[int] = []
    for arg, start, stop in opdef.input_slices(node.attr).values():
        if arg.is_ref or (changes_resource and arg.type is resource):
            found.extend(range(start, stop))
    return found


def source_variable(tensor: Tensor, bound: dict[Tensor, str] | None = None) -> str | None:
    """The key of the variable whose ref or handle a tensor is, followed through ops that hand it on (a write gives back its ref); None for other tensors.

    `bound` gives the keys of function parameters.
    """
    for _ in range(1000):
        if bound and tensor in bound:
            return bound[tensor]
        node = tensor.node
        if node.op in VARIABLES:
            return variable_of(node).key
        if node.op in STACKS:
            return node.name
        if not node.inputs or not (tensor.dtype.is_ref or (tensor.dtype is resource and node.op in HANDS_ON)):
            return None
        tensor = node.inputs[tensor.index if node.op == "IdentityN" else 0]
    return None


def shared_ref(tensor: Tensor) -> Tensor | None:
    """The ref whose buffer a plain tensor is, and so changes with: that of `v` for `v/read`. None for other tensors."""
    while tensor.node.op in SHARES and not tensor.dtype.is_ref:
        tensor = tensor.node.inputs[0]
        if tensor.dtype.is_ref:
            return tensor
    return None


def writes(node: Node, bound: dict[Tensor, str] | None = None) -> set[str]:
    """The keys of the variables that a node may change, looking into the functions it calls."""
    keys = {k for i in written_inputs(node) if (k := source_variable(node.inputs[i], bound)) is not None}
    for function in called_functions(node):
        offset = len(node.inputs) - len(function.inputs)
        inner = {}
        for i, parameter in enumerate(function.inputs):
            position = i + max(offset, 0)
            if position < len(node.inputs) and (key := source_variable(node.inputs[position], bound)) is not None:
                inner[parameter] = key
        for member in function.graph:
            keys |= writes(member, inner)
    return keys


def called_functions(node: Node) -> Iterable[Function]:
    """The library functions that a node's func attrs name, and the one its op names."""
    library = node.graph.functions
    if node.op in library:
        yield library[node.op]
    for value in node.attr.values():
        for func in value if isinstance(value, list) else (value,):
            if isinstance(func, Func) and func.name in library:
                yield library[func.name]


def calls_functions(node: Node) -> bool:
    return any(True for _ in called_functions(node))


class Versions:
    """Which write of a variable each node of an ordered graph sees.

    `order` must be topological over data and control edges. Version 0 of a variable is its value before the run; version
    n is the value after its n-th writer. `bound` gives the keys of function parameters.
    """

    def __init__(self, order: Sequence[Node], bound: dict[Tensor, str] | None = None) -> None:
        self.writers: dict[str, list[Node]] = {}
        self._rank: dict[Node, dict[str, int]] = {}
        self._masks: dict[Node, int] = {}
        self._bits: dict[str, list[int]] = {}
        bit = 0
        masks = self._masks
        for node in order:
            mask = 0
            for tensor in node.inputs:
                mask |= masks.get(tensor.node, 0)
            for control in node.control_inputs:
                mask |= masks.get(control, 0)
            keys = writes(node, bound)
            if keys:
                mask |= 1 << bit
                self._rank[node] = {}
                for key in keys:
                    nodes = self.writers.setdefault(key, [])
                    nodes.append(node)
                    self._bits.setdefault(key, []).append(bit)
                    self._rank[node][key] = len(nodes)
                bit += 1
            masks[node] = mask

    def seen_by(self, node: Node, key: str) -> int:
        """The version of the variable that `node` sees before any change of its own."""
        own = self._rank.get(node, {}).get(key)
        if own is not None:
            return own - 1
        mask, bits = self._masks.get(node, 0), self._bits.get(key, ())
        for version in range(len(bits), 0, -1):
            if mask >> bits[version - 1] & 1:
                return version
        return 0

    def written_by(self, node: Node, key: str) -> int:
        """The version that `node` makes."""
        return self._rank[node][key]

    def made_by(self, node: Node) -> dict[str, int]:
        """The versions that `node` makes, by key."""
        return self._rank.get(node, {})

    def last(self, key: str) -> int:
        return len(self.writers.get(key, ()))
