"""tf.gradients and what scripts register for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphtools import gradients as registry
from graphtools.gradients import IndexedSlices
from graphtools.gradients.walk import gradients as walk
from runtime.tf1.graph import convert_to_tensor, name_scope
from runtime.tf1.registry import export, put

put("IndexedSlices", IndexedSlices)


@export("AggregationMethod", "compat.v1.AggregationMethod")
class AggregationMethod:
    """How several gradients of one tensor are summed; the sum is the same."""

    ADD_N = 0
    DEFAULT = ADD_N
    EXPERIMENTAL_TREE = 1
    EXPERIMENTAL_ACCUMULATE_N = 2


@export("UnconnectedGradients")
class UnconnectedGradients:
    NONE = "none"
    ZERO = "zero"


_registered: dict[str, Callable[..., Any]] = {}


@export("RegisterGradient", "compat.v1.RegisterGradient")
class RegisterGradient:
    """`@tf.RegisterGradient("Name")`: a gradient function `(op, *grads) -> grads` for an op type or gradient_override_map."""

    def __init__(self, op_type: str) -> None:
        if not isinstance(op_type, str):
            raise TypeError("op_type must be a string")
        self._op_type = op_type

    def __call__(self, f: Callable[..., Any]) -> Callable[..., Any]:
        if self._op_type in _registered:
            raise KeyError(f"Registering two gradient with name '{self._op_type}'!")
        _registered[self._op_type] = f
        return f


@export("NotDifferentiable", "NoGradient", "no_gradient")
def NotDifferentiable(op_type: str) -> None:
    registry.load()
    registry.NOT_DIFFERENTIABLE.add(op_type)


def _override(node: Any) -> Any:
    """The script's own gradient function of a node, in the walk's form; None where it has none."""
    custom = getattr(node, "gradient_function", None) or _registered.get(node.attr.get("_gradient_op_type") or node.op)
    name = node.attr.get("_gradient_op_type")
    if custom is None:
        if name is not None:
            found = registry.load().get(name)
            if found is None:
                raise LookupError(
                    f"No gradient defined for operation '{node.name}' (op type: {node.op}): nothing is registered as {name!r}."
                )
            return found
        return None

    def call(g: Any, op: Any, dy: Any) -> Any:
        return custom(op, *(dy if isinstance(dy, tuple) else (dy,)))

    return call


@export("gradients", "compat.v1.gradients")
def gradients(
    ys: Any,
    xs: Any,
    grad_ys: Any = None,
    name: str = "gradients",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: Any = None,
    stop_gradients: Any = None,
    unconnected_gradients: Any = UnconnectedGradients.NONE,
) -> list[Any]:
    """The derivatives of the sum of `ys` with respect to each of `xs`."""
    ys = _as_list(ys)
    xs = _as_list(xs)
    stop = [] if stop_gradients is None else _as_list(stop_gradients)
    given = [None] * len(ys) if grad_ys is None else _as_list(grad_ys)
    with name_scope(name, "gradients", [*ys]) as scope:
        y_tensors = [_tensor(y, f"y_{i}") for i, y in enumerate(ys)]
        x_tensors = [_source(x, f"x_{i}") for i, x in enumerate(xs)]
        grads = [
            g if g is None or isinstance(g, IndexedSlices) else convert_to_tensor(g, y.dtype.base_dtype, name=f"grad_ys_{i}")
            for i, (g, y) in enumerate(zip(given, y_tensors, strict=True))
        ]
        return walk(
            y_tensors,
            x_tensors,
            grads,
            name=scope,
            gate_gradients=gate_gradients,
            colocate_gradients_with_ops=colocate_gradients_with_ops,
            stop_gradients=[_source(s, "stop") for s in stop],
            overrides=_override,
            zero_unconnected=unconnected_gradients == UnconnectedGradients.ZERO,
        )


def _as_list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, list | tuple) else [x]


def _tensor(y: Any, name: str) -> Any:
    return y.values if isinstance(y, IndexedSlices) else convert_to_tensor(y, name=name)


def _source(x: Any, name: str) -> Any:
    """What the derivative is taken of: a variable's handle or ref, else a tensor."""
    handle = getattr(x, "handle", None)
    if handle is not None and getattr(x, "_is_resource", False):
        return handle
    if isinstance(x, IndexedSlices):
        return x.values
    return convert_to_tensor(x, name=name, as_ref=True)


@export("hessians", "compat.v1.hessians")
def hessians(
    ys: Any,
    xs: Any,
    name: str = "hessians",
    colocate_gradients_with_ops: bool = False,
    gate_gradients: bool = False,
    aggregation_method: Any = None,
) -> list[Any]:
    """The second derivatives of the sum of `ys` with respect to each of `xs`, of shape x.shape + x.shape."""
    from runtime.tf1.modules import lookup

    found = []
    for x in _as_list(xs):
        first = gradients(ys, x, colocate_gradients_with_ops=colocate_gradients_with_ops, gate_gradients=gate_gradients)[0]
        shape = lookup("shape")(x)
        flat = lookup("reshape")(first, [-1])
        n = flat.dims[0]
        if n is None:
            raise ValueError("hessians needs a static shape of x.")
        rows = [gradients(flat[i], x)[0] for i in range(n)]
        rows = [r if r is not None else lookup("zeros_like")(x) for r in rows]
        stacked = lookup("stack")(rows)
        found.append(lookup("reshape")(stacked, lookup("concat")([shape, shape], 0)))
    return found
