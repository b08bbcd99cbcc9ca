"""API functions that are an op: made from the OpDef and TensorFlow 1.15's signature."""

from __future__ import annotations

import ast
import functools
import inspect
import re
from typing import Any

from graphtools import opdefs
from migrate import symbols
from runtime.tf1.graph import apply_op

# API functions whose name is not their op's in snake case.
OPS = {
    "arg_max": "ArgMax",
    "arg_min": "ArgMin",
    "ceil": "Ceil",
    "fft2d": "FFT2D",
    "fft3d": "FFT3D",
    "ifft2d": "IFFT2D",
    "ifft3d": "IFFT3D",
    "read_file": "ReadFile",
    "cholesky": "Cholesky",
    "is_finite": "IsFinite",
    "is_inf": "IsInf",
    "is_nan": "IsNan",
    "linalg.band_part": "MatrixBandPart",
    "matrix_band_part": "MatrixBandPart",
    "linalg.det": "MatrixDeterminant",
    "matrix_determinant": "MatrixDeterminant",
    "linalg.inv": "MatrixInverse",
    "matrix_inverse": "MatrixInverse",
    "linalg.solve": "MatrixSolve",
    "matrix_solve": "MatrixSolve",
    "matrix_triangular_solve": "MatrixTriangularSolve",
    "linalg.qr": "Qr",
    "qr": "Qr",
    "lgamma": "Lgamma",
    "digamma": "Digamma",
    "regex_replace": "RegexReplace",
    "string_strip": "StringStrip",
    "string_to_hash_bucket_fast": "StringToHashBucketFast",
    "string_to_hash_bucket_strong": "StringToHashBucketStrong",
    "scatter_nd": "ScatterNd",
    "nn.in_top_k": "InTopK",
    "nn.softplus": "Softplus",
    "nn.softsign": "Softsign",
    "nn.elu": "Elu",
    "nn.selu": "Selu",
    "nn.relu": "Relu",
    "nn.l2_loss": "L2Loss",
    "nn.lrn": "LRN",
    "nn.quantized_conv2d": "QuantizedConv2D",
}


def snake(op_type: str) -> str:
    """MatMul -> mat_mul, as TensorFlow names the generated functions."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", op_type).lower()


@functools.cache
def _by_snake() -> dict[str, str]:
    return {snake(op): op for op in reversed(opdefs.names())}


def inferred_attrs(opdef: opdefs.OpDef) -> set[str]:
    """The attrs that the inputs tell."""
    return {a for arg in opdef.inputs for a in (arg.type_attr, arg.number_attr, arg.type_list_attr) if a is not None}


def op_behind(name: str, parameters: list[str]) -> str | None:
    """The op type that an API function of this name and these parameters is, or None when it does more than its op."""
    tail = name.rpartition(".")[2]
    candidates = (
        [OPS[name]]
        if name in OPS
        else [_by_snake()[c] for c in (tail, f"{tail}_v2", f"matrix_{tail}", f"string_{tail}", f"decode_{tail}") if c in _by_snake()]
    )
    for op_type in candidates:
        opdef = opdefs.get(op_type)
        if opdef is None:
            continue
        own = [a.name for a in opdef.inputs] + [a for a in opdef.attrs if a not in inferred_attrs(opdef)]
        if sorted(own) == sorted(p for p in parameters if p != "name"):
            return op_type
    return None


def make(name: str) -> Any:
    """The function behind an API name that is an op, or None."""
    symbol = symbols.symbol(f"tf.{name}", "1.15.5")
    if symbol is None or symbol.signature is None or symbol.kind != "function":
        return None
    op_type = op_behind(name, list(symbol.signature.args))
    if op_type is None:
        return None
    return function_of(op_type, name.rpartition(".")[2], list(symbol.signature.args), dict(symbol.signature.defaults))


def raw(op_type: str) -> Any:
    """tf.raw_ops.X: keyword arguments only, as the OpDef names them."""
    opdef = opdefs.get(op_type)
    if opdef is None:
        return None

    def raw_op(**arguments: Any) -> Any:
        return apply_op(op_type, arguments.pop("name", None), **arguments)

    raw_op.__name__ = op_type
    return raw_op


def _literal(text: str) -> Any:
    """The Python value of a default that is written as one, else None."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def function_of(op_type: str, name: str, parameters: list[str], defaults: dict[str, str]) -> Any:
    """A function that adds one op, with the parameters TensorFlow's has."""
    opdef = opdefs.get(op_type)
    if opdef is None:
        raise ValueError(f"No op named {op_type!r}.")
    required = {a.name for a in opdef.inputs} | {a.name for a in opdef.attrs.values() if a.default is opdefs.REQUIRED}
    inputs = {a.name for a in opdef.inputs}
    preset = {n: v for n, d in defaults.items() if n in inputs and n in parameters and (v := _literal(d)) is not None}
    kinds = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature(
        [inspect.Parameter(p, kinds, default=inspect.Parameter.empty if p in required and p not in defaults else None) for p in parameters]
    )

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            bound = signature.bind(*args, **kwargs).arguments
        except TypeError as e:
            raise TypeError(f"{name}() {e}") from None
        label = bound.pop("name", None)
        return apply_op(op_type, label, **{**preset, **bound})

    call.__name__ = call.__qualname__ = name
    call.__signature__ = signature  # type: ignore[attr-defined]
    return call


def generated(op_type: str) -> Any:
    """The function of a gen_*_ops module: inputs, then attrs, then name, as the OpDef orders them."""
    opdef = opdefs.get(op_type)
    if opdef is None:
        return None
    attrs = [a for a in opdef.attrs.values() if a.name not in inferred_attrs(opdef)]
    ordered = (
        [a.name for a in opdef.inputs]
        + [a.name for a in attrs if a.default is opdefs.REQUIRED]
        + [a.name for a in attrs if a.default is not opdefs.REQUIRED]
    )
    return function_of(op_type, snake(op_type), [*ordered, "name"], {"name": "None"})
