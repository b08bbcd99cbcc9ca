"""Ops that look at variables or hold state on the host."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools.graph import Node
from runtime import ort
from runtime.errors import InvalidArgumentError, OutOfRangeError
from runtime.host import host


@host("IsVariableInitialized", "VarIsInitializedOp")
def is_initialized(run: Any, node: Node, variable: Any) -> Any:
    return np.asarray(run.is_initialized(variable))


@host("Assign", "AssignVariableOp")
def assign(run: Any, node: Node, variable: Any, value: Any) -> Any:
    """Assignment of dtypes that ONNX Runtime does not hold, and of shapes that are only known now; conversion does the others."""
    wanted = node.inputs[0].dims if node.op == "Assign" and node.attr["validate_shape"] else None
    if wanted is not None and None not in wanted and np.shape(value) != wanted:
        lhs, rhs = (f"[{','.join(str(d) for d in s)}]" for s in (wanted, np.shape(value)))
        raise InvalidArgumentError(None, None, f"Assign requires shapes of both tensors to match. lhs shape= {lhs} rhs shape= {rhs}")
    run.write(variable, value)
    return value if node.outputs else None


@host("ReadVariableOp")
def read_variable(run: Any, node: Node, variable: Any) -> Any:
    return run.read(variable, node)


@host("DestroyResourceOp")
def destroy_resource(run: Any, node: Node, variable: Any) -> None:
    run.state.remove(variable)


@host("CountUpTo", "ResourceCountUpTo")
def count_up_to(run: Any, node: Node, variable: Any) -> Any:

    with run.state.lock:
        value = ort.to_numpy(run.read(variable, node)).copy()
        if value >= node.attr["limit"]:
            raise OutOfRangeError(None, None, f"Reached limit of {node.attr['limit']}")
        run.write(variable, value + value.dtype.type(1))
    return value


@host("CheckNumerics")
def check_numerics(run: Any, node: Node, tensor: Any) -> Any:
    bad = [what for what, found in (("Inf", np.isinf(tensor).any()), ("NaN", np.isnan(tensor).any())) if found]
    if bad:
        raise InvalidArgumentError(None, None, f"{node.attr['message']} : Tensor had {' and '.join(bad)} values")
    return tensor


# What C++ calls the dtypes that it calls by other names.
_CPP_NAMES = {"bfloat16": "bfloat16", "float16": "half", "float32": "float", "float64": "double"}


@host("Placeholder", "PlaceholderV2", "_Arg")
def placeholder(run: Any, node: Node) -> Any:
    dims = node.attr.get("shape")
    dtype = _CPP_NAMES.get(node.attr["dtype"].name, node.attr["dtype"].name)
    shape = f" and shape [{','.join('?' if d is None else str(d) for d in dims)}]" if dims else ""
    raise InvalidArgumentError(None, None, f"You must feed a value for placeholder tensor '{node.name}' with dtype {dtype}{shape}")
