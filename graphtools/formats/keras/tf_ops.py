"""TensorFlow ops and functions that a functional model of tf.keras calls as layers."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from graphtools import opdefs
from graphtools.dtypes import as_dtype, bool_, float32, int32
from graphtools.errors import FormatError
from graphtools.formats import graphdef, schema
from graphtools.formats.keras import Call, layer
from graphtools.formats.keras.activations import ACTIVATIONS, relu, softmax
from graphtools.graph import Tensor


@layer("TensorFlowOpLayer", masked=False)
def tensorflow_op(k: Call) -> Any:
    """A TensorFlow op that a functional model of tf.keras uses as it is; its constants are in the config."""
    definition = k.config.get("node_def")
    if isinstance(definition, dict):
        from google.protobuf import json_format

        try:
            node_def = json_format.ParseDict(definition, schema.message("NodeDef")(), ignore_unknown_fields=True)
        except json_format.ParseError as e:
            raise k.fail(f"has a node_def that is none: {e}") from e
    else:
        data = definition.encode("utf-8") if isinstance(definition, str) else b""
        node_def = schema.parse("NodeDef", data, what=f"The node_def of layer {k.layer.name!r}")
    attr = graphdef.attrs(node_def.attr, node_def.name)
    opdef = opdefs.get(node_def.op)
    if opdef is None:
        raise k.fail(f"wraps the op {node_def.op!r}, which no TensorFlow of 0.12 to 2.15 has")
    count = len([i for i in node_def.input if not i.startswith("^")])
    given = {int(i): v for i, v in (k.config.get("constants") or {}).items()}
    waiting = list(k.inputs)
    flat: list[Any] = []
    for i in range(count):
        if i in given:
            flat.append(given[i])
        elif waiting:
            flat.append(waiting.pop(0))
        else:
            raise k.fail(f"has {len(k.inputs)} inputs and {len(given)} constants for the {count} inputs of the op {node_def.op!r}")
    arguments: list[Any] = []
    try:
        slices = opdef.input_slices(attr)
        for arg, start, stop in slices.values():
            parts = []
            for value, dtype in zip(flat[start:stop], arg.types(attr), strict=True):
                parts.append(
                    value if isinstance(value, Tensor) else k.const(np.array(value, dtype.base_dtype.as_numpy_dtype), dtype.base_dtype)
                )
            arguments.append(parts if arg.is_list else parts[0])
        kept = {n: v for n, v in attr.items() if n in opdef.attrs}
        return k.outputs(node_def.op, *arguments, **kept)
    except (KeyError, IndexError, TypeError) as e:
        raise FormatError(f"Layer {k.layer.name!r} wraps the op {node_def.op!r}, whose attrs or inputs do not fit it: {e}.") from e


# -- functions (tf.keras 2.4 and later) --------------------------------------------------------------------------------

# Functions of one tensor that are one op.
_UNARY = {
    "abs": "Abs", "ceil": "Ceil", "cos": "Cos", "elu": "Elu", "erf": "Erf", "exp": "Exp", "floor": "Floor", "identity": "Identity", "l2_loss": "L2Loss",
    "log": "Log", "log1p": "Log1p", "log_softmax": "LogSoftmax", "logical_not": "LogicalNot", "negative": "Neg", "ones_like": "OnesLike",
    "reciprocal": "Reciprocal", "relu6": "Relu6", "round": "Round", "rsqrt": "Rsqrt", "selu": "Selu", "sigmoid": "Sigmoid", "sign": "Sign", "sin": "Sin",
    "softplus": "Softplus", "softsign": "Softsign", "sqrt": "Sqrt", "square": "Square", "stop_gradient": "StopGradient", "tan": "Tan", "tanh": "Tanh",
    "zeros_like": "ZerosLike",
}  # fmt: skip

# Functions and operators of two tensors that are one op.
_BINARY = {
    "add": "AddV2", "divide": "RealDiv", "equal": "Equal", "floordiv": "FloorDiv", "greater": "Greater", "greater_equal": "GreaterEqual", "less": "Less",
    "less_equal": "LessEqual", "logical_and": "LogicalAnd", "logical_or": "LogicalOr", "maximum": "Maximum", "minimum": "Minimum", "multiply": "Mul",
    "not_equal": "NotEqual", "pow": "Pow", "radd": "AddV2", "rdiv": "RealDiv", "squared_difference": "SquaredDifference", "subtract": "Sub",
    "truediv": "RealDiv",
}  # fmt: skip

_REDUCTIONS = {
    "reduce_all": "All", "reduce_any": "Any", "reduce_max": "Max", "reduce_mean": "Mean", "reduce_min": "Min", "reduce_prod": "Prod", "reduce_sum": "Sum",
}  # fmt: skip


@layer("TFOpLambda", "SlicingOpLambda")
def tf_function(k: Call) -> Any:
    """A function of TensorFlow by its name, called with tensors and, as keywords, what else it was given."""
    path = str(k.config.get("function", ""))
    name = path.rpartition(".")[2]
    if name in _UNARY:
        return k.op(_UNARY[name], k.x)
    if name in _BINARY:
        x, y = _operand(k, k.x, k.x), _operand(k, _argument(k, "y", 1), k.x)
        return k.op(_BINARY[name], x, y)
    if name in _REDUCTIONS:
        axis = _argument(k, "axis", 1)
        axes = k.ints(*(range(k.rank(k.x)) if axis is None else axis if isinstance(axis, list) else [int(axis)]))
        return k.op(_REDUCTIONS[name], k.x, axes, keep_dims=bool(_argument(k, "keepdims", 2)))
    function = _FUNCTIONS.get(name)
    if function is None:
        raise k.fail(f"calls tf.{path}, which is not read from Keras files. Save the model as a SavedModel or frozen graph instead")
    return function(k)


def _argument(k: Call, name: str, position: int) -> Any:
    """An argument by keyword, or among the tensors."""
    value = k.kwargs.get(name)
    if isinstance(value, tuple):  # a tensor and its mask
        return value[0]
    if value is None and 0 < position < len(k.inputs):
        return k.inputs[position]
    return value


def _operand(k: Call, value: Any, like: Tensor) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if value is None:
        raise k.fail("has an operand too few")
    return k.const(np.asarray(value, like.dtype.as_numpy_dtype), like.dtype)


def _integers(k: Call, value: Any) -> Tensor:
    """A tensor of integers from a tensor, a number or a list of both."""
    if isinstance(value, Tensor):
        return k.cast(value, int32)
    if isinstance(value, int):
        return k.scalar(value)
    return k.sizes([v[0] if isinstance(v, tuple) else int(v) for v in value])


def _slice(k: Call) -> Tensor:
    """x[spec], each part of the spec a number, a slice, an ellipsis or a new axis."""
    spec = _argument(k, "slice_spec", 1)
    parts = spec if isinstance(spec, list) else [spec]
    begin: list[Any] = []
    end: list[Any] = []
    step: list[Any] = []
    masks = {"begin_mask": 0, "ellipsis_mask": 0, "end_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 0}
    for i, part in enumerate(parts):
        bounds = (0, 0, 1)
        if isinstance(part, dict):
            start, stop, by = part.get("start"), part.get("stop"), part.get("step")
            bounds = (start or 0, stop or 0, by or 1)
            masks["begin_mask"] |= (start is None) << i
            masks["end_mask"] |= (stop is None) << i
        elif part is None or part == "tf.newaxis":
            masks["new_axis_mask"] |= 1 << i
        elif part in ("...", "Ellipsis"):
            masks["ellipsis_mask"] |= 1 << i
        else:
            bounds = (int(part), int(part) + 1, 1)
            masks["shrink_axis_mask"] |= 1 << i
        for values, bound in zip((begin, end, step), bounds, strict=True):
            values.append(bound)
    if not all(isinstance(v, int) for v in (*begin, *end, *step)):
        raise k.fail("slices with bounds that are tensors")
    return k.op("StridedSlice", k.x, k.ints(*begin), k.ints(*end), k.ints(*step), **masks)


def _concat(k: Call) -> Tensor:
    return k.op("ConcatV2", list(k.inputs), k.scalar(int(k.kwargs.get("axis") or 0)))


def _stack(k: Call) -> Tensor:
    return k.op("Pack", list(k.inputs), axis=int(k.kwargs.get("axis") or 0))


def _expand(k: Call) -> Tensor:
    return k.expand(k.x, int(_argument(k, "axis", 1)))


def _squeeze(k: Call) -> Tensor:
    axis = _argument(k, "axis", 1)
    return k.squeeze(k.x, *([] if axis is None else axis if isinstance(axis, list) else [int(axis)]))


def _reshape(k: Call) -> Tensor:
    return k.op("Reshape", k.x, _integers(k, _argument(k, "shape", 1)))


def _transpose(k: Call) -> Tensor:
    perm = _argument(k, "perm", 1)
    return k.transpose(k.x, *(range(k.rank(k.x) - 1, -1, -1) if perm is None else perm))


def _cast(k: Call) -> Tensor:
    return k.cast(k.x, as_dtype(_argument(k, "dtype", 1)))


def _clip(k: Call) -> Tensor:
    low, high = (_operand(k, _argument(k, n, i), k.x) for i, n in ((1, "clip_value_min"), (2, "clip_value_max")))
    return k.op("Maximum", k.op("Minimum", k.x, high), low)


def _matmul(k: Call) -> Tensor:
    y = _operand(k, _argument(k, "b", 1), k.x)
    turns = [bool(k.kwargs.get(n)) for n in ("transpose_a", "transpose_b")]
    if k.rank(k.x) == 2 and k.rank(y) == 2:
        return k.op("MatMul", k.x, y, transpose_a=turns[0], transpose_b=turns[1])
    return k.op("BatchMatMulV2", k.x, y, adj_x=turns[0], adj_y=turns[1])


def _split(k: Call) -> list[Tensor]:
    count = _argument(k, "num_or_size_splits", 1)
    axis = int(k.kwargs.get("axis") or 0)
    if isinstance(count, int):
        return k.outputs("Split", k.scalar(axis), k.x, num_split=count)
    return k.outputs("SplitV", k.x, k.ints(*count), k.scalar(axis), num_split=len(count))


def _resize(k: Call) -> Tensor:
    method = str(k.kwargs.get("method") or "bilinear")
    ops = {"bilinear": "ResizeBilinear", "nearest": "ResizeNearestNeighbor", "bicubic": "ResizeBicubic"}
    if method not in ops or k.kwargs.get("preserve_aspect_ratio") or k.kwargs.get("antialias"):
        raise k.fail(f"resizes images by {method!r} with settings that are not read from Keras files")
    y = k.op(ops[method], k.x, _integers(k, _argument(k, "size", 1)), half_pixel_centers=True)
    return y if method == "nearest" else k.cast(y, float32)


def _pad(k: Call) -> Tensor:
    pads = k.const(np.array(_argument(k, "paddings", 1), np.int32))
    mode = str(k.kwargs.get("mode") or "CONSTANT").upper()
    if mode != "CONSTANT":
        return k.op("MirrorPad", k.x, pads, mode=mode)
    return k.op("PadV2", k.x, pads, _operand(k, k.kwargs.get("constant_values") or 0, k.x))


def _where(k: Call) -> Tensor:
    x, y = _argument(k, "x", 1), _argument(k, "y", 2)
    like = next((v for v in (x, y) if isinstance(v, Tensor)), None)
    if like is None:
        raise k.fail("calls tf.where without a tensor to choose from")
    return k.op("SelectV2", k.cast(k.x, bool_), _operand(k, x, like), _operand(k, y, like))


def _l2_normalize(k: Call) -> Tensor:
    axis = _argument(k, "axis", 1)
    axes = k.ints(*(range(k.rank(k.x)) if axis is None else axis if isinstance(axis, list) else [int(axis)]))
    squares = k.op("Sum", k.op("Square", k.x), axes, keep_dims=True)
    return k.op("Mul", k.x, k.op("Rsqrt", k.op("Maximum", squares, k.like(float(k.kwargs.get("epsilon") or 1e-12), k.x))))


_FUNCTIONS: dict[str, Callable[[Call], Any]] = {
    "add_n": lambda k: reduce(lambda a, b: k.op("AddV2", a, b), k.inputs),
    "argmax": lambda k: k.op("ArgMax", k.x, k.scalar(int(_argument(k, "axis", 1) or 0))),
    "bias_add": lambda k: k.op("BiasAdd", k.x, _operand(k, _argument(k, "bias", 1), k.x)),
    "cast": _cast,
    "clip_by_value": _clip,
    "concat": _concat,
    "convert_to_tensor": lambda k: k.op("Identity", k.x),
    "expand_dims": _expand,
    "gather": lambda k: k.op(
        "GatherV2", k.x, _operand(k, _argument(k, "indices", 1), k.scalar(0)), k.scalar(int(k.kwargs.get("axis") or 0))
    ),
    "gelu": lambda k: ACTIVATIONS["gelu"](k, k.x),
    "getitem": _slice,
    "l2_normalize": _l2_normalize,
    "leaky_relu": lambda k: relu(k, k.x, float(0.2 if k.kwargs.get("alpha") is None else k.kwargs["alpha"])),
    "matmul": _matmul,
    "pad": _pad,
    "relu": lambda k: relu(k, k.x),
    "reshape": _reshape,
    "resize": _resize,
    "resize_images_v2": _resize,
    "reverse": lambda k: k.op("ReverseV2", k.x, k.ints(*_argument(k, "axis", 1))),
    "shape": lambda k: k.shape(k.x),
    "silu": lambda k: ACTIVATIONS["silu"](k, k.x),
    "softmax": lambda k: softmax(k, k.x, int(-1 if _argument(k, "axis", 1) is None else _argument(k, "axis", 1))),
    "split": _split,
    "squeeze": _squeeze,
    "stack": _stack,
    "swish": lambda k: ACTIVATIONS["swish"](k, k.x),
    "tile": lambda k: k.op("Tile", k.x, _integers(k, _argument(k, "multiples", 1))),
    "transpose": _transpose,
    "where": _where,
}
