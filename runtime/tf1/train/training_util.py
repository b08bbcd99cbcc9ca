"""The global step."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import int64
from runtime.tf1 import variable_scope
from runtime.tf1.graph import Graph, GraphKeys, get_default_graph
from runtime.tf1.registry import export


@export("train.global_step")
def global_step(sess: Any, global_step_tensor: Any) -> int:
    from runtime.tf1.client import internal_runs

    with internal_runs():
        return int(sess.run(global_step_tensor))


@export("train.get_global_step")
def get_global_step(graph: Graph | None = None) -> Any:
    graph = graph or get_default_graph()
    found = graph.get_collection(GraphKeys.GLOBAL_STEP)
    if len(found) > 1:
        raise RuntimeError("Multiple tensors in global_step collection.")
    try:
        step = found[0] if found else graph.get_tensor_by_name("global_step:0")
    except (KeyError, ValueError):
        return None
    assert_global_step(step)
    return step


@export("train.create_global_step")
def create_global_step(graph: Graph | None = None) -> Any:
    from runtime.tf1.init_ops import Zeros

    graph = graph or get_default_graph()
    if get_global_step(graph) is not None:
        raise ValueError('"global_step" already exists.')
    with graph.as_default(), graph.name_scope(None):
        return variable_scope.get_variable(
            "global_step",
            shape=[],
            dtype=int64,
            initializer=Zeros(),
            trainable=False,
            collections=[GraphKeys.GLOBAL_VARIABLES, GraphKeys.GLOBAL_STEP],
        )


@export("train.get_or_create_global_step")
def get_or_create_global_step(graph: Graph | None = None) -> Any:
    graph = graph or get_default_graph()
    found = get_global_step(graph)
    return create_global_step(graph) if found is None else found


@export("train.assert_global_step")
def assert_global_step(global_step_tensor: Any) -> None:
    if not global_step_tensor.dtype.base_dtype.is_integer:
        raise TypeError(f'Existing "global_step" does not have integer type: {global_step_tensor.dtype}')
    if global_step_tensor.get_shape().ndims not in (0, None):
        raise TypeError(f'Existing "global_step" is not scalar: {global_step_tensor.get_shape()}')


def get_or_create_global_step_read(graph: Graph | None = None) -> Any:
    """A tensor of the global step that its updates in the same run do not change; None without a global step."""
    from runtime.tf1.variables import Variable

    graph = graph or get_default_graph()
    found = graph.get_collection("global_step_read_op_cache")
    if found:
        return found[0]
    step = get_global_step(graph)
    if step is None:
        return None
    with graph.as_default(), graph.name_scope(None), graph.name_scope(f"{step.op.name}/"):
        value = step.initialized_value() if isinstance(step, Variable) else step
        read = value + 0
        graph.add_to_collection("global_step_read_op_cache", read)
    return read
