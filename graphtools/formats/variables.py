"""Which saved tensor is the value of which variable of a graph."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphtools.errors import FormatError
from graphtools.formats import schema
from graphtools.formats.checkpoint import Checkpoint, Slice, parse_slice
from graphtools.graph import Dims, Func, Graph, Node, Tensor
from graphtools.state import VARIABLES, variable_of

Array = np.ndarray[Any, Any]

_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_RESTORES = {"Restore": False, "RestoreSlice": True, "RestoreV2": True}
_ASSIGNS = frozenset({"Assign", "AssignVariableOp"})
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
# What stands between a restored tensor and its assignment.
_PASSED_ON = frozenset({"Identity", "Reshape", "Cast", "StopGradient"})


@dataclass(frozen=True, slots=True)
class Source:
    """Where a variable's value is saved: the name, and the part of the saved tensor, if not all of it."""

    name: str
    part: Slice | None = None


class Values(Mapping[str, Array]):
    """Variable key -> value, read from the checkpoint when it is asked for."""

    def __init__(self, checkpoint: Checkpoint, sources: dict[str, Source], dims: dict[str, Dims]) -> None:
        self.checkpoint = checkpoint
        self.sources = sources
        self._dims = dims

    def __iter__(self) -> Iterator[str]:
        return iter(self.sources)

    def __len__(self) -> int:
        return len(self.sources)

    def __contains__(self, key: object) -> bool:
        return key in self.sources

    def __getitem__(self, key: str) -> Array:
        source = self.sources[key]
        value: Array = self.checkpoint[source.name]
        if source.part is not None:
            if source.part.shape != value.shape:
                raise FormatError(
                    f"Variable {key!r} is a part of {source.name!r} of shape {source.part.shape}; the checkpoint has the shape {value.shape}."
                )
            value = np.ascontiguousarray(value[source.part.index])
        dims = self._dims.get(key)
        if dims is None or (len(dims) == value.ndim and all(d is None or d == s for d, s in zip(dims, value.shape, strict=True))):
            return value
        if None not in dims and math.prod(d or 0 for d in dims) == value.size:
            return value.reshape(dims)
        raise FormatError(
            f"Variable {key!r} has the shape {dims}; the tensor {source.name!r} in the checkpoint {self.checkpoint.path} has the shape {value.shape}. "
            "Is it the checkpoint of this graph?"
        )


def bind(graph: Graph, checkpoint: Checkpoint) -> Values:
    """The values that a checkpoint has for the variables of a graph. Raises FormatError when it has none of them.

    In this order: what the graph's own restore ops (those of its SaverDef first) assign, the tensor of the variable's name, the
    slice of a partitioned variable, the name in an object-based checkpoint.
    """
    variables = {variable_of(n).key: n for n in graph if n.op in VARIABLES and n.op != "TemporaryVariable"}
    restored = _restored(graph)
    slices = _partitions(graph)
    objects = _object_names(checkpoint)
    sources: dict[str, Source] = {}
    for key, node in variables.items():
        for source in (restored.get(key), Source(key), slices.get(key), Source(objects.get(key, "")), Source(node.name)):
            if source is not None and source.name in checkpoint:
                sources[key] = source
                break
    if variables and not sources and any(n != _OBJECT_GRAPH and not n.startswith("save_counter") for n in checkpoint):
        raise FormatError(
            f"The checkpoint {checkpoint.path} has none of the {len(variables)} variables of the graph: the graph has {_some(variables)}, "
            f"the checkpoint {_some(checkpoint)}."
        )
    return Values(checkpoint, sources, {k: variable_of(variables[k]).dims for k in sources})


def _some(names: Mapping[str, Any]) -> str:
    shown = [repr(n) for n in list(names)[:4]]
    return ", ".join(shown) + (", ..." if len(names) > 4 else "") if shown else "none"


def _partitions(graph: Graph) -> dict[str, Source]:
    """The parts of partitioned variables, as their VariableDefs say."""
    found: dict[str, Source] = {}
    for name in ("variables", "local_variables", "trainable_variables"):
        for entry in graph.collections.get(name, ()):
            if isinstance(entry, bytes) or not hasattr(entry, "save_slice_info_def") or not entry.HasField("save_slice_info_def"):
                continue
            info = entry.save_slice_info_def
            extents = tuple(zip(info.var_offset, info.var_shape, strict=False))
            if info.full_name and len(extents) == len(info.full_shape):
                key = entry.variable_name.partition(":")[0]
                found.setdefault(key, Source(info.full_name, Slice(tuple(info.full_shape), extents)))
    return found


def _object_names(checkpoint: Checkpoint) -> dict[str, str]:
    """Full variable name -> key, from the object graph of an object-based checkpoint."""
    if _OBJECT_GRAPH not in checkpoint:
        return {}
    data = checkpoint[_OBJECT_GRAPH].reshape(-1)[0]
    objects = schema.parse("TrackableObjectGraph", data, what=f"The object graph of {checkpoint.path}")
    found: dict[str, str] = {}
    for node in objects.nodes:
        for attribute in node.attributes:
            if attribute.full_name:
                found.setdefault(attribute.full_name, attribute.checkpoint_key)
    return found


# -- restore ops -----------------------------------------------------------------------------------------------------


def _restored(graph: Graph) -> dict[str, Source]:
    """Variable key -> what the graph's restore ops assign to it."""
    own: dict[str, Source] = {}
    other: dict[str, Source] = {}
    preferred = _of_saver(graph)
    for key, source, node in _assignments(graph, {}, 0):
        (own if node in preferred else other).setdefault(key, source)
    return other | own


def _of_saver(graph: Graph) -> set[Node]:
    """The nodes that the restore op of the graph's SaverDef runs."""
    name = graph.meta.saver_def.restore_op_name if graph.meta is not None else ""
    start = graph.nodes.get(name.partition(":")[0])
    seen: set[Node] = set()
    stack = [start] if start is not None else []
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        stack += node.control_inputs
        if node.op not in VARIABLES:
            stack += [t.node for t in node.inputs]
    return seen


def _assignments(graph: Graph, handles: dict[Tensor, str], depth: int) -> Iterator[tuple[str, Source, Node]]:
    """The (variable key, source, assigning node) triples of a graph; `handles` gives the variables of a function's parameters."""
    for node in graph:
        if node.op in _ASSIGNS and len(node.inputs) == 2:
            source = _source(node.inputs[1])
            key = _variable(node.inputs[0], handles) if source is not None else None
            if source is not None and key is not None:
                yield key, source, node
        elif (node.op in _CALLS or node.op in graph.functions) and depth < 8:
            func = node.attr.get("f")
            function = graph.functions.get(func.name if isinstance(func, Func) else node.op)
            if function is None or not any(n.op == "RestoreV2" or n.op in _CALLS for n in function.graph):
                continue
            inner = {p: key for p, t in zip(function.inputs, node.inputs, strict=False) if (key := _variable(t, handles)) is not None}
            if inner:
                for key, source, _ in _assignments(function.graph, inner, depth + 1):
                    yield key, source, node


def _variable(tensor: Tensor, handles: dict[Tensor, str]) -> str | None:
    for _ in range(10):
        if tensor in handles:
            return handles[tensor]
        if tensor.node.op in VARIABLES:
            return variable_of(tensor.node).key
        if tensor.node.op not in ("Identity", "RefIdentity", "Enter", "RefEnter") or not tensor.node.inputs:
            return None
        tensor = tensor.node.inputs[0]
    return None


def _source(tensor: Tensor) -> Source | None:
    """The saved tensor that a restore op reads for this tensor."""
    for _ in range(10):
        node = tensor.node
        if node.op in _RESTORES:
            break
        if node.op not in _PASSED_ON or not node.inputs:
            return None
        tensor = node.inputs[0]
    else:
        return None
    if len(node.inputs) != (3 if _RESTORES[node.op] else 2):
        return None
    names = _strings(node.inputs[1])
    specs = _strings(node.inputs[2]) if _RESTORES[node.op] else None
    if names is None or tensor.index >= len(names):
        return None
    try:
        part = parse_slice(specs[tensor.index]) if specs is not None and tensor.index < len(specs) else None
    except ValueError:
        return None
    return Source(names[tensor.index], part)


def _strings(tensor: Tensor) -> list[str] | None:
    node = tensor.node
    value = node.attr.get("value") if node.op == "Const" else None
    if not isinstance(value, np.ndarray) or value.dtype != object:
        return None
    try:
        return [v.decode("utf-8") for v in np.ravel(value)]
    except (UnicodeDecodeError, AttributeError):
        return None
