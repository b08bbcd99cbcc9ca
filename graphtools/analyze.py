"""What a graph holds: inputs and outputs, ops, control flow, parameters, arithmetic, devices, and what will not convert."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from graphtools.dtypes import resource, string, variant
from graphtools.graph import Dims, Graph, Node, Tensor
from graphtools.state import VARIABLES, variable_of

CONTROL_FLOW = frozenset(
    {"Case", "Enter", "Exit", "If", "LoopCond", "Merge", "NextIteration", "PartitionedCall", "RefEnter", "RefMerge", "RefSwitch", "StatefulPartitionedCall",
     "StatelessIf", "StatelessWhile", "Switch", "While"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output: tensor name, dtype, static shape as text."""

    name: str
    dtype: str
    shape: str


@dataclass(slots=True)
class Analysis:
    """The totals of a graph. FLOPs count a multiplication and an addition as two, for one example where the batch is unknown."""

    nodes: int
    inputs: list[Port]
    outputs: list[Port]
    ops: dict[str, int]
    control_flow: dict[str, int]
    variables: int
    parameters: int
    parameter_bytes: int
    flops: int
    activation_bytes: int
    devices: dict[str, int]
    missing: dict[str, list[str]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def analyze(graph: Graph) -> Analysis:
    """Count what a graph and the functions it calls hold."""
    from graphtools import convert
    from graphtools.convert.walk import default_inputs, default_outputs

    nodes = [n for g in (graph, *(f.graph for f in graph.functions.values())) for n in g]
    handlers = convert.load()
    missing: dict[str, list[str]] = {}
    for n in nodes:
        if (
            n.op not in handlers
            and n.op not in VARIABLES
            and n.op not in CONTROL_FLOW
            and n.op not in ("Placeholder", "PlaceholderV2", "_Arg")
            and n.op not in graph.functions
        ):
            missing.setdefault(n.op, []).append(n.name)
    ops = Counter(n.op for n in nodes)
    parameters = parameter_bytes = 0
    for n in nodes:
        count = size = 0
        if n.op in VARIABLES:
            variable = variable_of(n)
            count = _elements(variable.dims)
            size = variable.dtype.size
        elif n.op == "Const" and n.outputs[0].dtype.is_floating:
            count = n.attr["value"].size if n.attr["value"].ndim else 0
            size = n.outputs[0].dtype.size
        parameters += count
        parameter_bytes += count * size
    return Analysis(
        nodes=len(nodes),
        inputs=[port(t) for t in default_inputs(graph)],
        outputs=[port(t) for t in default_outputs(graph)],
        ops=dict(ops.most_common()),
        control_flow={op: n for op, n in ops.items() if op in CONTROL_FLOW},
        variables=sum(n.op in VARIABLES for n in nodes),
        parameters=parameters,
        parameter_bytes=parameter_bytes,
        flops=sum(flops(n) for n in nodes),
        activation_bytes=sum(
            _elements(t.dims) * t.dtype.size
            for n in nodes
            if n.op not in ("Const", *VARIABLES)
            for t in n.outputs
            if t.dtype not in (resource, variant, string)
        ),
        devices=dict(Counter(n.device or "(none)" for n in nodes)),
        missing=missing,
    )


def port(tensor: Tensor) -> Port:
    return Port(tensor.name, tensor.dtype.name, shape_text(tensor.dims))


def shape_text(dims: Dims) -> str:
    return "?" if dims is None else "[" + ", ".join("?" if d is None else str(d) for d in dims) + "]"


def _elements(dims: Dims) -> int:
    """The number of elements, unknown dimensions counted as one; 0 for an unknown rank."""
    return 0 if dims is None else math.prod(1 if d is None else d for d in dims)


def flops(node: Node) -> int:
    """Floating point operations of a node, 0 where its shapes are unknown."""
    if not node.outputs:
        return 0
    out = _elements(node.outputs[0].dims)
    if node.op in ("Conv2D", "Conv3D"):
        weights = node.inputs[1].dims
        return 2 * out * _elements(weights[:-1]) if weights else 0
    if node.op == "DepthwiseConv2dNative":
        weights = node.inputs[1].dims
        return 2 * out * _elements(weights[:2]) if weights else 0
    if node.op == "MatMul":
        a = node.inputs[0].dims
        return 2 * out * (a[0 if node.attr["transpose_a"] else 1] or 1) if a else 0
    if node.op in ("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3"):
        a = node.inputs[0].dims
        return 2 * out * (a[-2 if node.attr["adj_x"] else -1] or 1) if a else 0
    if node.op in ("AvgPool", "MaxPool"):
        return out * int(math.prod(node.attr["ksize"]))
    if node.op in _ELEMENTWISE:
        return out
    return 0


_ELEMENTWISE = frozenset(
    {"Add", "AddV2", "BiasAdd", "Div", "Elu", "Exp", "Log", "Maximum", "Minimum", "Mul", "Neg", "Pow", "RealDiv", "Relu", "Relu6", "Rsqrt", "Sigmoid", "Sqrt", "Square",
     "SquaredDifference", "Sub", "Tanh"}
)  # fmt: skip
