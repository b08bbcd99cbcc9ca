"""tf.contrib.slim's summaries by tensor, its analysis of models, and small things of contrib.layers.utils."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable
from typing import Any

from graphtools import graph as base
from graphtools.constant import constant as static_value
from runtime.tf1.graph import GraphKeys
from runtime.tf1.modules import module
from runtime.tf1.registry import export, put
from runtime.tf1.variables import Variable

tf: Any = module("")
_SUMMARIES = "contrib.slim.summaries."
_ANALYZER = "contrib.slim.model_analyzer."
_UTILS = "contrib.layers.utils."


def _named(tensor: Any, name: str | None, prefix: str | None, postfix: str | None = None) -> str:
    return "/".join(part for part in (prefix, name or tensor.op.name, postfix) if part)


@export(_SUMMARIES + "add_histogram_summary")
def add_histogram_summary(tensor: Any, name: str | None = None, prefix: str | None = None) -> Any:
    return tf.summary.histogram(_named(tensor, name, prefix), tensor)


def _maybe_printed(op: Any, tensor: Any, name: str, print_summary: bool) -> Any:
    if print_summary:
        op = tf.Print(op, [tensor], name)
        tf.add_to_collection(GraphKeys.SUMMARIES, op)
    return op


@export(_SUMMARIES + "add_image_summary")
def add_image_summary(tensor: Any, name: str | None = None, prefix: str | None = None, print_summary: bool = False) -> Any:
    name = _named(tensor, name, prefix)
    op = tf.summary.image(name=name, tensor=tensor, collections=[] if print_summary else None)
    return _maybe_printed(op, tensor, name, print_summary)


@export(_SUMMARIES + "add_scalar_summary")
def add_scalar_summary(tensor: Any, name: str | None = None, prefix: str | None = None, print_summary: bool = False) -> Any:
    name = _named(tensor, name, prefix)
    op = tf.summary.scalar(name=name, tensor=tensor, collections=[] if print_summary else None)
    return _maybe_printed(op, tensor, name, print_summary)


@export(_SUMMARIES + "add_zero_fraction_summary")
def add_zero_fraction_summary(tensor: Any, name: str | None = None, prefix: str | None = None, print_summary: bool = False) -> Any:
    name = _named(tensor, name, prefix, "Fraction_of_Zero_Values")
    return add_scalar_summary(tf.nn.zero_fraction(tensor), name, print_summary=print_summary)


@export(_SUMMARIES + "add_histogram_summaries")
def add_histogram_summaries(tensors: Iterable[Any], prefix: str | None = None) -> list[Any]:
    return [add_histogram_summary(t, prefix=prefix) for t in tensors]


@export(_SUMMARIES + "add_image_summaries")
def add_image_summaries(tensors: Iterable[Any], prefix: str | None = None) -> list[Any]:
    return [add_image_summary(t, prefix=prefix) for t in tensors]


@export(_SUMMARIES + "add_scalar_summaries")
def add_scalar_summaries(tensors: Iterable[Any], prefix: str | None = None, print_summary: bool = False) -> list[Any]:
    return [add_scalar_summary(t, prefix=prefix, print_summary=print_summary) for t in tensors]


@export(_SUMMARIES + "add_zero_fraction_summaries")
def add_zero_fraction_summaries(tensors: Iterable[Any], prefix: str | None = None) -> list[Any]:
    return [add_zero_fraction_summary(t, prefix=prefix) for t in tensors]


# -- analysis --------------------------------------------------------------------------------------------------------------


@export(_ANALYZER + "tensor_description")
def tensor_description(var: Any) -> str:
    """ "(float32 3x4)"."""
    return f"({var.dtype.name} {'x'.join(str(d) for d in var.get_shape())})"


def _title(text: str) -> None:
    print("---------")
    print(text)
    print("---------")


@export(_ANALYZER + "analyze_ops")
def analyze_ops(graph: Any, print_info: bool = False) -> int:
    """How many numbers the outputs of all ops hold."""
    if print_info:
        _title("Operations: name -> (type shapes) [size]")
    total = 0
    for op in graph.get_operations():
        size = sum(t.get_shape().num_elements() or 0 for t in op.outputs)
        shapes = [tensor_description(t) for t in op.outputs if t.get_shape()]
        if print_info:
            print(op.name, "\t->", ", ".join(shapes), f"[{size}]")
        total += size
    return total


@export(_ANALYZER + "analyze_vars")
def analyze_vars(variables: Iterable[Any], print_info: bool = False) -> tuple[int, int]:
    """(how many numbers, how many bytes) the variables hold."""
    if print_info:
        _title("Variables: name (type shape) [size]")
    total = total_bytes = 0
    for var in variables:
        size = var.get_shape().num_elements() or 0
        total += size
        total_bytes += size * var.dtype.size
        if print_info:
            print(var.name, tensor_description(var), f"[{size}, bytes: {size * var.dtype.size}]")
    if print_info:
        print(f"Total size of variables: {total}")
        print(f"Total bytes of variables: {total_bytes}")
    return total, total_bytes


# -- contrib.layers.utils --------------------------------------------------------------------------------------------------

put(f"{_UTILS}NamedOutputs", namedtuple("NamedOutputs", ["name", "outputs"]))


@export(_UTILS + "append_tensor_alias")
def append_tensor_alias(tensor: Any, alias: str) -> Any:
    alias = alias.removesuffix("/")
    if hasattr(tensor, "aliases"):
        tensor.aliases.append(alias)
    else:
        tensor.aliases = [alias]
    return tensor


@export(_UTILS + "get_tensor_aliases")
def get_tensor_aliases(tensor: Any) -> list[str]:
    if hasattr(tensor, "aliases"):
        return list(tensor.aliases)
    return [tensor.op.name if tensor.name.endswith(":0") else tensor.name]


@export(_UTILS + "gather_tensors_aliases")
def gather_tensors_aliases(tensors: Iterable[Any]) -> list[str]:
    return [alias for tensor in tensors for alias in get_tensor_aliases(tensor)]


@export(_UTILS + "constant_value")
def constant_value(value_or_tensor_or_var: Any, dtype: Any = None) -> Any:
    """The value when it is known while the graph is made, else None."""
    value = value_or_tensor_or_var
    if value is None:
        raise ValueError("value_or_tensor_or_var cannot be None")
    if isinstance(value, Variable | base.Tensor):
        if dtype and value.dtype != dtype:
            raise ValueError(f"It has the wrong type {value.dtype} instead of {dtype}")
        return None if isinstance(value, Variable) else static_value(value)
    return value


@export(_UTILS + "static_cond")
def static_cond(pred: Any, fn1: Callable[[], Any], fn2: Callable[[], Any]) -> Any:
    for label, function in (("fn1", fn1), ("fn2", fn2)):
        if not callable(function):
            raise TypeError(f"{label} must be callable.")
    return fn1() if pred else fn2()


@export(_UTILS + "get_variable_collections")
def get_variable_collections(variables_collections: Any, name: str) -> Any:
    return variables_collections.get(name) if isinstance(variables_collections, dict) else variables_collections


def _dimension(shape: Any, dim: int, min_rank: int) -> int:
    if shape.dims is None:
        raise ValueError("dims of shape must be known but is None")
    if len(shape.dims) < min_rank:
        raise ValueError(f"rank of shape must be at least {min_rank} not: {len(shape.dims)}")
    value = shape.as_list()[dim]
    if value is None:
        raise ValueError(f"dimension {dim} of shape must be known but is None: {shape}")
    return int(value)


@export(_UTILS + "channel_dimension")
def channel_dimension(shape: Any, data_format: str, min_rank: int = 1) -> int:
    return _dimension(shape, 1 if data_format == "channels_first" else -1, min_rank)


@export(_UTILS + "last_dimension")
def last_dimension(shape: Any, min_rank: int = 1) -> int:
    return _dimension(shape, -1, min_rank)


@export(_UTILS + "two_element_tuple")
def two_element_tuple(int_or_tuple: Any) -> tuple[Any, Any]:
    if isinstance(int_or_tuple, list | tuple):
        if len(int_or_tuple) != 2:
            raise ValueError(f"Must be a list with 2 elements: {int_or_tuple}")
        return int(int_or_tuple[0]), int(int_or_tuple[1])
    if isinstance(int_or_tuple, int):
        return int_or_tuple, int_or_tuple
    if isinstance(int_or_tuple, tf.TensorShape) and len(int_or_tuple) == 2:
        return int_or_tuple[0], int_or_tuple[1]
    raise ValueError("Must be an int, a list with 2 elements or a TensorShape of length 2")


@export(_UTILS + "n_positive_integers")
def n_positive_integers(n: Any, value: Any) -> tuple[int, ...]:
    if int(n) != n or n < 1:
        raise ValueError("n must be a positive integer")
    try:
        values = (int(value),) * int(n)
    except (TypeError, ValueError):
        try:
            values = tuple(int(x) for x in value)
        except (TypeError, ValueError) as e:
            raise ValueError(f"Expected sequence of {n} positive integers, but received {value!r}") from e
        if len(values) != n:
            raise ValueError(f"Expected sequence of {n} positive integers, but received {value!r}") from None
    for x in values:
        if x < 1:
            raise ValueError(f"expected positive integer, but received {x}")
    return values
