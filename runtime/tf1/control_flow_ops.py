"""Grouping, ordering and gating ops. Loops and conds are in while_loop and cond files."""

from __future__ import annotations

from typing import Any

from graphtools import graph as base
from graphtools.gradients import IndexedSlices
from runtime.tf1.graph import apply_op, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export


@export("no_op")
def no_op(name: str | None = None) -> Any:
    return apply_op("NoOp", name)


@export("control_dependencies")
def control_dependencies(control_inputs: Any) -> Any:
    return get_default_graph().control_dependencies(control_inputs)


@export("device")
def device(device_name_or_function: Any) -> Any:
    return get_default_graph().device(device_name_or_function)


@export("container")
def container(container_name: str) -> Any:
    return get_default_graph().container(container_name)


@export("colocate_with")
def colocate_with(op: Any, ignore_existing: bool = False) -> Any:
    return get_default_graph().colocate_with(op, ignore_existing)


def _ops(inputs: Any) -> list[Any]:
    graph = get_default_graph()
    found = []
    for item in inputs:
        if isinstance(item, list | tuple):
            found.extend(_ops(item))
            continue
        found.append(graph.op_of(item))
    return found


@export("group")
def group(*inputs: Any, **kwargs: Any) -> Any:
    """An op that finishes when all `inputs` have; one NoOp for each device they are on."""
    name = kwargs.pop("name", None)
    if kwargs:
        raise ValueError("Unknown keyword arguments: " + ", ".join(kwargs))
    ops = _ops(inputs)
    with name_scope(name, "group_deps", list(inputs)) as scope:
        graph = get_default_graph()
        if not ops:
            return no_op(name=scope)
        by_device: dict[str, list[Any]] = {}
        for op in ops:
            by_device.setdefault(op.device, []).append(op)
        if len(by_device) == 1:
            ((where, deps),) = by_device.items()
            with graph.control_dependencies(deps), graph.device(where or None):
                return no_op(name=scope)
        gathered = []
        for where in sorted(by_device):
            with graph.control_dependencies(by_device[where]), graph.device(where or None):
                gathered.append(no_op())
        with graph.control_dependencies(gathered):
            return no_op(name=scope)


def choose(known: Any, pred: Any, true_fn: Any, false_fn: Any, name: str | None = None) -> Any:
    """One of two functions: chosen now by the predicate's value where that is known, else by tf.cond."""
    if known is not None:
        return true_fn() if known else false_fn()
    from runtime.tf1.control_flow import cond

    return cond(pred, true_fn=true_fn, false_fn=false_fn, name=name)


@export("tuple")
def tuple_(tensors: Any, name: str | None = None, control_inputs: Any = None) -> list[Any]:
    """The tensors, each behind a gate that waits for all of them."""
    with name_scope(name, "tuple", tensors):
        graph = get_default_graph()
        ops = [
            t.node if isinstance(t, base.Tensor) else t.values.node if isinstance(t, IndexedSlices) else t for t in tensors if t is not None
        ]
        if control_inputs:
            ops += _ops(control_inputs)
        gate = group(*list(dict.fromkeys(ops)))
        result: list[Any] = []
        for t in tensors:
            if t is None:
                result.append(None)
            elif isinstance(t, IndexedSlices):
                result.append(IndexedSlices(with_dependencies([gate], t.values), t.indices, t.dense_shape))
            elif isinstance(t, base.Tensor):
                result.append(with_dependencies([gate], t))
            else:
                with graph.control_dependencies([gate]):
                    result.append(group(t))
        return result


def with_dependencies(dependencies: Any, output_tensor: Any, name: str | None = None) -> Any:
    """The tensor, available only after `dependencies` ran."""
    with name_scope(name, "control_dependency", [*dependencies, output_tensor]) as scope:
        graph = get_default_graph()
        output_tensor = convert_to_tensor(output_tensor, as_ref=True)
        with graph.colocate_with(output_tensor.node), graph.control_dependencies(dependencies):
            return apply_op("Identity", scope, input=output_tensor)
