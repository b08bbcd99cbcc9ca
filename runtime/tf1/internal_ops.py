"""What libraries of the time use of tensorflow.python.ops and layers: names that are no part of the public API."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from graphtools import graph as base
from graphtools.dtypes import float32
from runtime.tf1 import (
    array_ops,
    core_layers,
    graph,
    init_ops,
    math_ops,
    metrics,
    special_math_ops,
    variable_scope,
    variables,
    weights_broadcast_ops,
)
from runtime.tf1.control_flow import cond
from runtime.tf1.control_flow_ops import group, no_op, with_dependencies
from runtime.tf1.gradients import gradients
from runtime.tf1.losses import div_no_nan
from runtime.tf1.registry import export, put
from runtime.tf1.rnn_cell import zero_state_tensors

put("python.ops.init_ops.Initializer", init_ops.Initializer)
put("python.ops.control_flow_ops.with_dependencies", with_dependencies)
put("python.ops.metrics_impl.metric_variable", metrics.metric_variable)
put("python.ops.metrics_impl._remove_squeezable_dimensions", metrics._fitted)
put("python.ops.confusion_matrix.remove_squeezable_dimensions", special_math_ops.remove_squeezable_dimensions)
put("python.ops.resource_variable_ops.ResourceVariable", variables.ResourceVariable)
put("python.ops.resource_variable_ops.is_resource_variable", lambda v: isinstance(v, variables.ResourceVariable))
put("python.ops.rnn_cell_impl._zero_state_tensors", zero_state_tensors)
put("python.ops.weights_broadcast_ops.assert_broadcastable", weights_broadcast_ops.assert_broadcastable)
put("python.ops.weights_broadcast_ops.broadcast_weights", weights_broadcast_ops.broadcast_weights)


# -- variables ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _pure_variable_scope(
    name_or_scope: Any,
    reuse: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    custom_getter: Any = None,
    old_name_scope: Any = None,
    dtype: Any = float32,
    use_resource: Any = None,
    constraint: Any = None,
) -> Iterator[Any]:
    """A variable scope that opens no name scope."""
    scope = variable_scope.variable_scope(
        name_or_scope,
        reuse=reuse,
        initializer=initializer,
        regularizer=regularizer,
        caching_device=caching_device,
        partitioner=partitioner,
        custom_getter=custom_getter,
        dtype=dtype,
        use_resource=use_resource,
        constraint=constraint,
        auxiliary_name_scope=False,
    )
    with scope as entered:
        if old_name_scope is not None:
            entered._name_scope = old_name_scope
        yield entered


put("python.ops.variable_scope._pure_variable_scope", _pure_variable_scope)


@export("python.ops.resources.shared_resources")
def shared_resources() -> list[Any]:
    return graph.get_collection(graph.GraphKeys.RESOURCES)


@export("python.ops.resources.local_resources")
def local_resources() -> list[Any]:
    return graph.get_collection(graph.GraphKeys.LOCAL_RESOURCES)


@export("python.ops.resources.initialize_resources")
def initialize_resources(resource_list: list[Any], name: str = "init") -> Any:
    return group(*[r.create for r in resource_list], name=name) if resource_list else no_op(name=name)


# -- layers, metrics, conditions ---------------------------------------------------------------------------------------


def _smart_cond(pred: Any, true_fn: Any = None, false_fn: Any = None, name: str | None = None) -> Any:
    if isinstance(pred, variables.Variable):
        return cond(pred, true_fn=true_fn, false_fn=false_fn, name=name)
    return core_layers.smart_cond(pred, true_fn, false_fn, name)


def _constant_value(pred: Any) -> Any:
    return None if isinstance(pred, variables.Variable) else core_layers.smart_constant(pred)


for _module in ("python.layers.utils", "python.keras.utils.tf_utils"):
    put(f"{_module}.smart_cond", _smart_cond)
    put(f"{_module}.constant_value", _constant_value)


@export("python.layers.utils.convert_data_format")
def convert_data_format(data_format: str, ndim: int) -> str:
    formats = {"channels_last": ("NWC", "NHWC", "NDHWC"), "channels_first": ("NCW", "NCHW", "NCDHW")}
    if data_format not in formats:
        raise ValueError("Invalid data_format: " + data_format)
    if not 3 <= ndim <= 5:
        raise ValueError(f"Input rank not supported: {ndim}")
    return formats[data_format][ndim - 3]


@export("python.layers.utils.normalize_tuple")
def normalize_tuple(value: Any, n: int, name: str) -> tuple[int, ...]:
    return core_layers._tuple(value, n, name)


def get_reachable_from_inputs(inputs: Any, targets: Any = None) -> set[Any]:
    """The tensors, variables and operations that can be computed from `inputs`; stops once every target is among them."""
    queue = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    queue = [variables_tensor(x) for x in queue]
    wanted = {variables_tensor(t) for t in (targets or ())}
    reached = set(queue)
    while queue:
        x = queue.pop()
        if isinstance(x, base.Node):
            following: list[Any] = list(x.outputs)
        elif isinstance(x, base.Tensor):
            following = list(x.consumers())  # type: ignore[attr-defined]
        else:
            raise TypeError(f"Expected Operation, Variable, or Tensor, got {x}")
        for y in following:
            if y not in reached:
                reached.add(y)
                queue.append(y)
        if wanted and wanted <= reached:
            return reached
    return reached


def variables_tensor(x: Any) -> Any:
    """A variable's own tensor; anything else as it is."""
    return (x.handle if isinstance(x, variables.ResourceVariable) else x._ref()) if isinstance(x, variables.Variable) else x


for _module in ("python.layers.utils", "python.keras.utils.tf_utils"):
    put(f"{_module}.get_reachable_from_inputs", get_reachable_from_inputs)


@export("python.ops.metrics_impl._safe_scalar_div")
def _safe_scalar_div(numerator: Any, denominator: Any, name: str) -> Any:
    numerator.get_shape().with_rank_at_most(1)
    denominator.get_shape().with_rank_at_most(1)
    return div_no_nan(numerator, denominator, name=name)


@export("python.ops.metrics_impl._aggregate_variable")
def _aggregate_variable(v: Any, collections: Any) -> Any:
    return metrics.collect(collections, v.value())


@export("python.ops.metrics_impl._confusion_matrix_at_thresholds")
def _confusion_matrix_at_thresholds(
    labels: Any, predictions: Any, thresholds: Any, weights: Any = None, includes: Any = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    values, updates = metrics._at_thresholds(labels, predictions, thresholds, weights, includes)
    return values, updates


@export("python.ops.math_ops._bucketize")
def _bucketize(input: Any, boundaries: Any, name: str | None = None) -> Any:
    return graph.apply_op("Bucketize", name, input=input, boundaries=list(boundaries))


@export("python.ops.array_ops.shape_internal")
def shape_internal(input: Any, name: str | None = None, optimize: bool = True, out_type: Any = "int32") -> Any:
    del optimize
    return array_ops.shape(input, name=name, out_type=out_type)


put("python.ops.gradients_impl.gradients_v2", gradients)
put("python.ops.standard_ops.mul", math_ops.multiply)


# -- control flow ------------------------------------------------------------------------------------------------------


@export("python.ops.control_flow_util.GraphOrParentsInXlaContext")
def _in_xla(graph: Any) -> bool:
    del graph
    return False


put("python.ops.control_flow_util.IsInXLAContext", _in_xla)
put("python.ops.control_flow_util.InXlaContext", _in_xla)
for _name, _ops in {
    "IsSwitch": ("Switch", "RefSwitch"),
    "IsMerge": ("Merge", "RefMerge"),
    "IsLoopEnter": ("Enter", "RefEnter"),
    "IsLoopExit": ("Exit", "RefExit"),
}.items():
    put(f"python.ops.control_flow_util.{_name}", lambda op, ops=_ops: op.type in ops)
