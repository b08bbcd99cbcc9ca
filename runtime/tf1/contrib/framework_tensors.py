"""tf.contrib.framework: checks and small functions on tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphtools import graph as base
from runtime.tf1.control_flow_ops import choose
from runtime.tf1.core_layers import smart_constant
from runtime.tf1.modules import module
from runtime.tf1.registry import export, put
from runtime.tf1.tensor_shape import TensorShape

tf: Any = module("")


def is_tensor(value: Any) -> bool:
    """Whether a value is a tensor, a sparse tensor or a variable."""
    return isinstance(value, base.Tensor) or hasattr(value, "dense_shape") or hasattr(value, "_as_tensor")


put("contrib.framework.is_tensor", is_tensor)


@export("contrib.framework.assert_scalar_int")
def assert_scalar_int(tensor: Any, name: str | None = None) -> Any:
    with tf.name_scope(name, "assert_scalar_int", [tensor]) as scope:
        tensor = tf.convert_to_tensor(tensor)
        if not tensor.dtype.base_dtype.is_integer:
            raise ValueError(f"Expected integer type for {tensor.name}, received type: {tensor.dtype}.")
        return tf.debugging.assert_scalar(tensor, name=scope)


@export("contrib.framework.reduce_sum_n")
def reduce_sum_n(tensors: Any, name: str | None = None) -> Any:
    """The sum of all elements of all tensors."""
    if not tensors:
        raise ValueError("No tensors provided.")
    with tf.name_scope(name, "reduce_sum_n", tensors) as scope:
        sums = [tf.reduce_sum(t, name=f"{t.op.name}/sum") for t in tensors]
        return sums[0] if len(sums) == 1 else tf.add_n(sums, name=scope)


@export("contrib.framework.remove_squeezable_dimensions")
def remove_squeezable_dimensions(predictions: Any, labels: Any, name: str | None = None) -> Any:
    """Takes the last axis of the one that has one axis more than the other."""
    with tf.name_scope(name, "remove_squeezable_dimensions", [predictions, labels]):
        predictions, labels = tf.convert_to_tensor(predictions), tf.convert_to_tensor(labels)
        p, t = predictions.shape.ndims, labels.shape.ndims
        if p is not None and t is not None:
            if p - t == -1:
                labels = tf.squeeze(labels, [-1])
            elif p - t == 1:
                predictions = tf.squeeze(predictions, [-1])
            return predictions, labels
        difference = tf.rank(predictions) - tf.rank(labels)
        given_predictions, given_labels = predictions, labels
        if p is None or predictions.shape[-1].is_compatible_with(1):
            predictions = tf.cond(tf.equal(1, difference), lambda: tf.squeeze(given_predictions, [-1]), lambda: given_predictions)
        if t is None or labels.shape[-1].is_compatible_with(1):
            labels = tf.cond(tf.equal(-1, difference), lambda: tf.squeeze(given_labels, [-1]), lambda: given_labels)
        return predictions, labels


def _assert_shape(expected: Any, tensor: Any) -> Any:
    with tf.name_scope("assert_shape", values=[tensor]) as scope:
        actual = tf.shape(tensor, name="actual")
        with tf.name_scope("is_shape", values=[tensor]) as is_shape_scope:
            size = tf.size(expected)
            with tf.name_scope("is_rank", values=[tensor]) as rank_scope:
                is_rank = tf.equal(tf.convert_to_tensor(size, name="expected"), tf.rank(tensor, name="actual"), name=rank_scope)
            with tf.name_scope("shape_tensor_equal", values=[expected, actual]) as equal_scope:
                fits = tf.logical_or(tf.equal(expected, -1), tf.equal(expected, actual, "equal"), name="exclude_partial_shape")
                same = tf.reduce_all(fits, name=equal_scope)
            is_shape = tf.logical_and(is_rank, same, name=is_shape_scope)
        return tf.Assert(is_shape, [f"Wrong shape for {tensor.name} [expected] [actual].", expected, actual], name=scope)


@export("contrib.framework.with_shape")
def with_shape(expected_shape: Any, tensor: Any) -> Any:
    """The tensor, checked to be of a shape: now where it is known, else when it runs."""
    if hasattr(tensor, "dense_shape"):
        raise ValueError("SparseTensor not supported.")
    dynamic = is_tensor(expected_shape)
    if dynamic and expected_shape.dtype.base_dtype.name != "int32":
        raise ValueError(f"Invalid dtype {expected_shape.dtype} for shape {expected_shape} expected of tensor {tensor.name}.")
    if not dynamic:
        array = np.asarray(expected_shape, np.int32 if not len(expected_shape) else None)
        if array.ndim > 1:
            raise ValueError(f"Invalid rank {array.ndim} for shape {array} expected of tensor {tensor.name}.")
        if array.dtype not in (np.int32, np.int64):
            raise ValueError(f"Invalid dtype {array.dtype} for shape {array} expected of tensor {tensor.name}.")
        expected_shape = array.astype(np.int32)
    actual = tensor.get_shape()
    if dynamic or not actual.is_fully_defined():
        with tf.name_scope(f"{tensor.op.name}/", values=[tensor]):
            if not dynamic and len(expected_shape) < 1:
                return tf.reshape(tensor, [])
            with tf.control_dependencies([_assert_shape(expected_shape, tensor)]):
                result = tf.identity(tensor)
            if not dynamic:
                result.set_shape(expected_shape.tolist())
            return result
    if not actual.is_compatible_with(expected_shape.tolist()):
        if len(expected_shape) < 1 and actual.is_compatible_with([1]):
            with tf.name_scope(f"{tensor.op.name}/", values=[tensor]):
                return tf.reshape(tensor, [])
        raise ValueError(f"Invalid shape for tensor {tensor.name}, expected {expected_shape}, got {actual}.")
    return tensor


@export("contrib.framework.with_same_shape")
def with_same_shape(expected_tensor: Any, tensor: Any) -> Any:
    with tf.name_scope(f"{tensor.op.name}/", values=[expected_tensor, tensor]):
        shape: TensorShape = expected_tensor.get_shape()
        expected = shape.as_list() if shape.is_fully_defined() else tf.shape(expected_tensor, name="expected_shape")
        return with_shape(expected, tensor)


@export("contrib.framework.smart_constant_value")
def smart_constant_value(pred: Any) -> bool | None:
    """A predicate's value where the graph tells it."""
    if not isinstance(pred, bool | int | np.bool_ | base.Tensor):
        raise TypeError(f"`pred` must be a Tensor, or a Python bool, or 1 or 0. Found instead: {pred}")
    return smart_constant(pred)


@export("contrib.framework.smart_cond")
def smart_cond(pred: Any, true_fn: Any = None, false_fn: Any = None, name: str | None = None) -> Any:
    """tf.cond, decided now where the predicate is known."""
    if not callable(true_fn):
        raise TypeError("`true_fn` must be callable.")
    if not callable(false_fn):
        raise TypeError("`false_fn` must be callable.")
    return choose(smart_constant_value(pred), pred, true_fn, false_fn, name)


@export("contrib.framework.smart_case")
def smart_case(pred_fn_pairs: Any, default: Any = None, exclusive: bool = False, name: str = "smart_case") -> Any:
    """tf.case, decided now where all predicates are known."""
    pairs = list(pred_fn_pairs.items()) if isinstance(pred_fn_pairs, dict) else list(pred_fn_pairs)
    values = [smart_constant_value(p) for p, _ in pairs]
    if None in values:
        return tf.case(pred_fn_pairs, default=default, exclusive=exclusive, name=name)
    for value, (_, function) in zip(values, pairs, strict=True):
        if value:
            return function()
    if default is None:
        raise ValueError("None of the predicates of the case is true, and it has no default.")
    return default()


@export("contrib.framework.sort")
def sort(values: Any, axis: int = -1, direction: str = "ASCENDING", name: str | None = None) -> Any:
    return tf.sort(values, axis=axis, direction=direction, name=name)


@export("contrib.framework.argsort")
def argsort(values: Any, axis: int = -1, direction: str = "ASCENDING", stable: bool = False, name: str | None = None) -> Any:
    return tf.argsort(values, axis=axis, direction=direction, stable=stable, name=name)


@export("contrib.framework.get_name_scope")
def get_name_scope() -> str:
    return str(tf.get_default_graph().get_name_scope())


@export("contrib.framework.prepend_name_scope")
def prepend_name_scope(name: str, import_scope: str | None) -> str:
    """`name` as it is inside `import_scope`; "^" and "loc:@" stay in front."""
    if not import_scope:
        return name
    scope = import_scope.rstrip("/")
    for mark in ("^", "loc:@"):
        if name.startswith(mark):
            return f"{mark}{scope}/{name.removeprefix(mark)}"
    return f"{scope}/{name}"


@export("contrib.framework.strip_name_scope")
def strip_name_scope(name: str, export_scope: str | None) -> str:
    """`name` as it is outside `export_scope`."""
    if not export_scope:
        return name
    for mark in ("^", "loc:@", ""):
        head = f"{mark}{export_scope.rstrip('/')}/"
        if name.startswith(head):
            return mark + name.removeprefix(head)
    return name


@export("contrib.framework.get_placeholders")
def get_placeholders(graph: Any) -> list[Any]:
    return [op.outputs[0] for op in graph.get_operations() if op.type in ("Placeholder", "PlaceholderV2")]


@export("contrib.framework.get_graph_from_inputs")
def get_graph_from_inputs(op_input_list: Any, graph: Any = None) -> Any:
    """The graph of the inputs, or the default one."""
    if graph is not None:
        return graph
    graphs = [g for v in op_input_list if (g := getattr(v, "graph", None)) is not None]
    if any(g is not graphs[0] for g in graphs):
        raise ValueError("The inputs are not of the same graph.")
    return graphs[0] if graphs else tf.get_default_graph()


def _unchanged(*_: Any, **__: Any) -> Callable[[Any], Any]:
    """A decorator of TensorFlow's own that only logs a warning."""
    return lambda function: function


for _name in ("deprecated", "deprecated_args", "deprecated_arg_values"):
    put(f"contrib.framework.{_name}", _unchanged)
