"""OpDef lookup: the argument names, attr types and defaults of every op of TensorFlow 0.12 to 2.15."""

from __future__ import annotations

import functools
import gzip
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

from graphtools.dtypes import DType, as_dtype

REQUIRED: Any = object()  # the default of an attr that has none


@dataclass(frozen=True, slots=True)
class Arg:
    """One input or output of an op: a tensor, or a list of tensors."""

    name: str
    type: DType | None = None
    type_attr: str | None = None
    number_attr: str | None = None
    type_list_attr: str | None = None
    is_ref: bool = False

    @property
    def is_list(self) -> bool:
        return self.number_attr is not None or self.type_list_attr is not None

    def types(self, attr: dict[str, Any]) -> list[DType]:
        """The dtypes of the tensors this argument stands for, under the attrs of a node."""
        if self.type_list_attr is not None:
            types = list(attr.get(self.type_list_attr) or ())
        else:
            dtype = self.type if self.type_attr is None else attr[self.type_attr]
            types = [dtype] * (1 if self.number_attr is None else int(attr[self.number_attr]))
        return [t.as_ref for t in types] if self.is_ref else types


@dataclass(frozen=True, slots=True)
class Attr:
    name: str
    type: str
    default: Any = REQUIRED
    allowed: tuple[Any, ...] | None = None
    minimum: int | None = None


@dataclass(frozen=True, slots=True)
class OpDef:
    name: str
    inputs: tuple[Arg, ...]
    outputs: tuple[Arg, ...]
    attrs: dict[str, Attr]
    is_stateful: bool
    deprecation: str | None

    def output_types(self, attr: dict[str, Any]) -> list[DType]:
        types = [t for arg in self.outputs for t in arg.types(attr)]
        later = LATER_TYPES.get(self.name)
        if later is not None and later[1] in attr:
            first = later[0]
            types[first:] = [attr[later[1]]] * len(types[first:])
        return types

    def input_slices(self, attr: dict[str, Any]) -> dict[str, tuple[Arg, int, int]]:
        """Argument name -> (argument, start, stop) in a node's flat inputs."""
        slices, start = {}, 0
        for arg in self.inputs:
            if arg.type_list_attr is not None:
                count = len(attr.get(arg.type_list_attr) or ())
            else:
                count = 1 if arg.number_attr is None else int(attr[arg.number_attr])
            slices[arg.name] = (arg, start, start + count)
            start += count
        return slices


# Ops whose outputs had one type in TensorFlow 1 and follow an attr in TensorFlow 2: the first such output, the attr.
LATER_TYPES: dict[str, tuple[int, str]] = {
    "ConcatOffset": (0, "shape_type"),
    "Dequantize": (0, "dtype"),
    "IRFFT": (0, "Treal"),
    "IRFFT2D": (0, "Treal"),
    "IRFFT3D": (0, "Treal"),
    "RFFT": (0, "Tcomplex"),
    "RFFT2D": (0, "Tcomplex"),
    "RFFT3D": (0, "Tcomplex"),
    "TopKV2": (1, "index_type"),
}


def _attr_value(kind: str, value: Any) -> Any:
    if kind.startswith("list("):
        return [_attr_value(kind[5:-1], v) for v in value]
    if kind == "type":
        return as_dtype(value)
    if kind == "shape":
        if isinstance(value, dict):
            value = value["shape"]
        return None if value is None else tuple(None if d in (None, -1) else int(d) for d in value)
    if kind == "tensor" and isinstance(value, dict):
        from google.protobuf import text_format

        from graphtools.formats import schema, tensor

        return tensor.to_array(text_format.Parse(value["tensor"], schema.message("TensorProto")()))
    return value


@functools.cache
def _raw() -> dict[str, Any]:
    with resources.files("graphtools").joinpath("opdefs.json.gz").open("rb") as f:
        loaded: dict[str, Any] = json.loads(gzip.decompress(f.read()))
    return loaded


def _arg(entry: dict[str, Any]) -> Arg:
    return Arg(**{**entry, "type": as_dtype(entry["type"])} if "type" in entry else entry)


@functools.cache
def get(op: str) -> OpDef | None:
    """The OpDef of an op type, or None if no TensorFlow of 0.12 to 2.15 registers it."""
    entry = _raw().get(op)
    if entry is None:
        return None
    attrs = {}
    for a in entry["attrs"]:
        default = _attr_value(a["type"], a["default"]) if "default" in a else REQUIRED
        allowed = tuple(_attr_value(a["type"].removeprefix("list(").removesuffix(")"), v) for v in a["allowed"]) if "allowed" in a else None
        attrs[a["name"]] = Attr(a["name"], a["type"], default, allowed, a.get("minimum"))
    deprecation = entry.get("deprecation")
    return OpDef(
        op,
        tuple(_arg(a) for a in entry["inputs"]),
        tuple(_arg(a) for a in entry["outputs"]),
        attrs,
        bool(entry.get("is_stateful")),
        deprecation.get("explanation") if isinstance(deprecation, dict) else deprecation,
    )


def names() -> list[str]:
    return list(_raw())
