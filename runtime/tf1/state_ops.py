"""Assigning and scattering to variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphtools.graph import Tensor
from runtime.tf1.graph import apply_op, convert_to_tensor, name_scope
from runtime.tf1.registry import EXPORTS, export, put
from runtime.tf1.variables import Variable


def _is_resource(ref: Any) -> bool:
    return bool(getattr(ref, "_is_resource", False))


def _is_slice(ref: Any) -> bool:
    """Whether it is a slice of a variable, which knows how to be assigned to."""
    return isinstance(ref, Tensor) and not ref.dtype.is_ref and hasattr(ref, "assign")


@export("assign")
def assign(ref: Any, value: Any, validate_shape: bool | None = None, use_locking: bool | None = None, name: str | None = None) -> Any:
    if _is_resource(ref) or _is_slice(ref):
        return ref.assign(value, name=name)
    return apply_op("Assign", name, ref=ref, value=value, validate_shape=validate_shape, use_locking=use_locking)


@export("assign_add")
def assign_add(ref: Any, value: Any, use_locking: bool | None = None, name: str | None = None) -> Any:
    if _is_resource(ref):
        return ref.assign_add(value)
    return apply_op("AssignAdd", name, ref=ref, value=value, use_locking=use_locking)


@export("assign_sub")
def assign_sub(ref: Any, value: Any, use_locking: bool | None = None, name: str | None = None) -> Any:
    if _is_resource(ref):
        return ref.assign_sub(value)
    return apply_op("AssignSub", name, ref=ref, value=value, use_locking=use_locking)


@export("count_up_to")
def count_up_to(ref: Any, limit: int, name: str | None = None) -> Any:
    return (
        apply_op("ResourceCountUpTo", name, resource=ref.handle, limit=limit, T=ref.dtype)
        if _is_resource(ref)
        else apply_op("CountUpTo", name, ref=ref, limit=limit)
    )


def _scatter(kind: str, default_locking: bool) -> Callable[..., Any]:
    def scatter(ref: Any, indices: Any, updates: Any, use_locking: bool = default_locking, name: str | None = None) -> Any:
        if isinstance(ref, Variable):
            return ref._scatter(kind, indices, updates, use_locking, name)
        return apply_op(f"Scatter{kind}", name, ref=ref, indices=indices, updates=updates, use_locking=use_locking)

    return scatter


for _kind, _name in (("Add", "add"), ("Sub", "sub"), ("Mul", "mul"), ("Div", "div"), ("Min", "min"), ("Max", "max")):
    put(f"scatter_{_name}", _scatter(_kind, False))
put("scatter_update", _scatter("Update", True))
for _kind, _name in (("NdAdd", "add"), ("NdSub", "sub"), ("NdUpdate", "update")):
    put(f"scatter_nd_{_name}", _scatter(_kind, _kind == "NdUpdate"))


@export("batch_scatter_update")
def batch_scatter_update(ref: Any, indices: Any, updates: Any, use_locking: bool = True, name: str | None = None) -> Any:
    """`ref` with rows of its inner dimensions replaced: the last dimension of `indices` picks them in each of the batch that its others say."""
    from runtime.tf1 import array_ops

    with name_scope(name):
        indices = convert_to_tensor(indices, name="indices")
        shape = array_ops.shape(indices)
        if indices.rank is None:
            raise ValueError("batch_gather does not allow indices with unknown shape.")
        columns = array_ops.expand_dims(indices, axis=-1)
        picked = []
        for dim in range(indices.rank - 1):
            sizes: list[Any] = [1] * (indices.rank + 1)
            sizes[dim] = shape[dim]
            here = array_ops.reshape(apply_op("Range", None, start=0, limit=sizes[dim], delta=1), sizes)
            if here.dtype.base_dtype is not columns.dtype.base_dtype:
                here = apply_op("Cast", None, x=here, DstT=columns.dtype.base_dtype)
            picked.append(here * array_ops.ones_like(columns))
        where = array_ops.concat([*picked, columns], axis=-1)
        return EXPORTS["scatter_nd_update"](ref, where, updates, use_locking)
