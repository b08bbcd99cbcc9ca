"""Which dtypes ONNX Runtime's CPU kernels take, and the wider dtype to compute in where one is missing."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import TYPE_CHECKING, Any

from graphtools.dtypes import DType, bfloat16, bool_, float16, float32, float64, int8, int16, int32, int64, uint8, uint16, uint32, uint64

if TYPE_CHECKING:
    from graphtools.convert.builder import Value

# What a value may be computed as, nearest first. float16 is missing on purpose: ONNX Runtime casts it itself.
WIDER: dict[DType, tuple[DType, ...]] = {
    bfloat16: (float32,),
    bool_: (uint8, int32, int64, float32),
    float64: (float32,),
    int16: (int32, int64, float32),
    int32: (int64, float64, float32),
    int64: (int32, float64, float32),
    int8: (int32, int64, float32),
    uint16: (int32, int64, float32),
    uint32: (int64, float64, float32),
    uint64: (int64, float64, float32),
    uint8: (int32, int64, float32),
}

# Op -> the kernel's type parameter, the inputs of that type (None: all), the outputs of that type.
TYPED: dict[str, tuple[str, tuple[int, ...] | None, tuple[int, ...]]] = {
    **dict.fromkeys(("Abs", "Acos", "Acosh", "Add", "Asin", "Asinh", "Atan", "Atanh", "AveragePool", "Ceil", "Clip", "Conv", "ConvTranspose", "Cos", "Cosh", "Div", "Elu", "Erf", "Exp", "Floor", "Gemm", "GlobalAveragePool", "GlobalMaxPool", "HardSigmoid", "LRN", "LeakyRelu", "Log", "LogSoftmax", "MatMul", "Max", "Mean", "Min", "Mod", "Mul", "Neg", "PRelu", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Sinh", "Softmax", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tan", "Tanh", "BatchNormalization", "Det", "MatMul", "Einsum", "ThresholdedRelu", "InstanceNormalization", "Range"), ("T", None, (0,))),
    **dict.fromkeys(("CumSum", "DepthToSpace", "SpaceToDepth", "ReduceL1", "ReduceL2", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Tile", "Trilu", "Expand", "MaxPool", "TopK", "Unique", "GridSample"), ("T", (0,), (0,))),
    **dict.fromkeys(("ArgMax", "ArgMin", "IsNaN", "NonZero"), ("T", (0,), ())),
    **dict.fromkeys(("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"), ("T", None, ())),
    "IsInf": ("T1", (0,), ()),
    "Pad": ("T", (0, 2), (0,)),
    "Pow": ("T", None, (0,)),
    "Resize": ("T1", (0,), (0,)),
    "ScatterElements": ("T", (0, 2), (0,)),
    "Where": ("T", (1, 2), (0,)),
}  # fmt: skip


@functools.cache
def kernels() -> dict[str, dict[str, frozenset[int]]]:
    """Op -> type parameter -> ONNX element types with a CPU kernel at convert.OPSET."""
    raw = json.loads(resources.files("graphtools.convert").joinpath("kernels.json").read_text())
    return {op: {p: frozenset(types) for p, types in params.items()} for op, params in raw.items()}


def wider(op_type: str, values: Sequence[Value | None], attrs: Mapping[str, Any]) -> tuple[list[int], DType, list[int]] | None:
    """The positions to cast, the dtype to compute in, and the outputs to cast back; None where a kernel exists."""
    if op_type in ("ScatterElements", "ScatterND") and attrs.get("reduction", "none") != "none":
        data = values[0]  # the kernel takes halves, and refuses to combine them when it runs
        return ([0, 2], float32, [0]) if data is not None and data.dtype in (bfloat16, float16) else None
    typed = TYPED.get(op_type)
    if typed is None:
        return None
    parameter, inputs, outputs = typed
    positions = list(range(len(values))) if inputs is None else [i for i in inputs if i < len(values)]
    dtype = next((v.dtype.base_dtype for i in positions if (v := values[i]) is not None), None)
    supported = kernels().get(op_type, {}).get(parameter)
    if dtype is None or supported is None or dtype.onnx in supported or dtype not in WIDER:
        return None
    to = next((t for t in WIDER[dtype] if t.onnx in supported), None)
    return None if to is None else (positions, to, list(outputs))
