"""Runs one host kernel on arrays: a node with OpDef defaults filled in, and the least a run must offer."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphtools import opdefs
from graphtools.dtypes import as_dtype
from graphtools.graph import Func, Graph, Node
from runtime import host


class OneNodeRun:
    """What a session keeps for its nodes, for a session of one node."""

    def __init__(self) -> None:
        self.state: Any = None

    def kernel_state(self, node: Node, make: Callable[[], Any]) -> Any:
        if self.state is None:
            self.state = make()
        return self.state

    resource = kernel_state

    def call(self, function: Func, args: Sequence[Any]) -> list[Any]:
        raise NotImplementedError(f"No library here to call {function.name!r} from.")

    def check_cancelled(self) -> None:
        pass


def _array(value: Any) -> Any:
    if isinstance(value, dict):
        return np.asarray(value["value"]).astype(as_dtype(value["dtype"]).as_numpy_dtype)
    if isinstance(value, (bytes, str)):
        value = np.array(value.encode() if isinstance(value, str) else value, dtype=object)
    value = np.asarray(value)
    if value.dtype.kind == "U":
        value = np.array([v.encode() for v in value.ravel()], dtype=object).reshape(value.shape)
    return value.astype(object) if value.dtype.kind == "S" else value


def _type_of(array: Any) -> Any:
    return as_dtype("string" if array.dtype == object else array.dtype)


def _attr(value: Any) -> Any:
    if isinstance(value, list):
        return [_attr(v) for v in value]
    return as_dtype(value[3:]) if isinstance(value, str) and value.startswith("DT:") else value


def run_kernel(op: str, inputs: Mapping[str, Any], attrs: Mapping[str, Any], runs: int = 1) -> list[list[Any]]:
    """The outputs of each of `runs` runs. An attr "DT:int32" is a dtype; a tuple is a list argument."""
    opdef = opdefs.get(op)
    assert opdef is not None
    attr = {a.name: a.default for a in opdef.attrs.values() if a.default is not opdefs.REQUIRED}
    attr.update({name: _attr(value) for name, value in attrs.items()})
    flat = []
    for arg, by_place in zip(opdef.inputs, inputs.values(), strict=True):
        value = inputs.get(arg.name, by_place)  # some names changed between versions
        values = [_array(v) for v in value] if isinstance(value, tuple) else [_array(value)]
        if arg.type_list_attr is not None:
            attr.setdefault(arg.type_list_attr, [_type_of(v) for v in values])
        elif arg.type_attr is not None and values:
            attr[arg.type_attr] = _type_of(values[0])
        if arg.number_attr is not None:
            attr[arg.number_attr] = len(values)
        flat += values
    node = Node(Graph(), "node", op, attr)
    run = OneNodeRun()
    kernel = host.load()[op]
    results = []
    for _ in range(runs):
        result = kernel(run, node, *flat)
        results.append(list(result) if isinstance(result, (tuple, list)) else [result])
    return results


FIXTURES = Path(__file__).parents[3] / "fixtures" / "host"


def _decode(value: dict[str, Any], arrays: Mapping[str, Any]) -> Any:
    if "list" in value:
        return tuple(_decode(v, arrays) for v in value["list"])
    if "strings" in value:
        return np.array([*(s.encode("latin-1") for s in value["strings"]), None], object)[:-1].reshape(value["shape"])
    if "bytes" in value:
        array = np.frombuffer(base64.b64decode(value["bytes"]), value["type"]).reshape(value["shape"])
    else:
        array = arrays[value["array"]]
    return {"value": array, "dtype": value["dtype"]} if "dtype" in value else array


def load_cases(name: str) -> list[Any]:
    """The recorded cases of a fixture file (fixtures/make/host_kernels.py says how they are kept), as pytest parameters."""
    with np.load(FIXTURES / f"{name}.npz") as f:
        arrays = {key: f[key] for key in f.files}
    cases = json.loads(arrays.pop("index").tobytes())
    for case in cases:
        case["inputs"] = {k: _decode(v, arrays) for k, v in case["inputs"].items()}
        case["outputs"] = [[_decode(v, arrays) for v in run] for run in case["outputs"]]
    return [pytest.param(case, id=f"{case['op']}-{i}") for i, case in enumerate(cases)]


def check_case(case: Mapping[str, Any]) -> None:
    """Run the kernel and compare every run's outputs with TensorFlow's: equal, or within the case's own tolerance."""
    got = run_kernel(case["op"], case["inputs"], case["attrs"], case["runs"])
    assert len(got) == len(case["outputs"])
    for ours, recorded in zip(got, case["outputs"], strict=True):
        assert len(ours) == len(recorded)
        for value, expected in zip(ours, recorded, strict=True):
            value = np.asarray(value)
            if value.dtype.name == "bfloat16":
                value = value.astype(np.float32)
            assert (value.dtype, value.shape) == (expected.dtype, expected.shape)
            if expected.dtype == object or ("rtol" not in case and "atol" not in case):
                np.testing.assert_array_equal(value, expected)
            else:
                np.testing.assert_allclose(value, expected, rtol=case.get("rtol", 0), atol=case.get("atol", 0))
