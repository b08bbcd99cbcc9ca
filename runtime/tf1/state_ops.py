"""Assigning and scattering to variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runtime.tf1.graph import apply_op
from runtime.tf1.registry import export, put
from runtime.tf1.variables import Variable


def _is_resource(ref: Any) -> bool:
    return bool(getattr(ref, "_is_resource", False))


@export("assign")
def assign(ref: Any, value: Any, validate_shape: bool | None = None, use_locking: bool | None = None, name: str | None = None) -> Any:
    if _is_resource(ref):
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
