"""What kind of number an expression is, as far as the file itself proves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import libcst as cst

from migrate.names import UNKNOWN, Names

Number = Literal["int", "float"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A tensor or a plain Python value, and its number if that is proven."""

    is_tensor: bool
    number: Number | None


UNTOLD = Kind(False, None)

INTS = frozenset({"int", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"})
FLOATS = frozenset({"bfloat16", "double", "float", "float16", "float32", "float64", "half"})

# functions whose result is of one kind, whatever they are given
RESULTS: dict[str, Number | None] = {
    "tf.argmax": "int",
    "tf.argmin": "int",
    "tf.edit_distance": "float",
    "tf.linspace": "float",
    "tf.multinomial": "int",
    "tf.random_normal": "float",
    "tf.rank": "int",
    "tf.shape": "int",
    "tf.size": "int",
    "tf.to_bfloat16": "float",
    "tf.to_double": "float",
    "tf.to_float": "float",
    "tf.to_int32": "int",
    "tf.to_int64": "int",
    "tf.truncated_normal": "float",
    "tf.where": None,
}

# functions whose result is of the kind of their first argument
ALIKE = frozenset(
    {
        "tf.abs", "tf.add", "tf.convert_to_tensor", "tf.cumsum", "tf.expand_dims", "tf.gather", "tf.identity", "tf.matmul", "tf.mul", "tf.multiply",
        "tf.neg", "tf.negative", "tf.nn.dropout", "tf.nn.embedding_lookup", "tf.nn.relu", "tf.nn.tanh", "tf.ones_like", "tf.reduce_max", "tf.reduce_min", "tf.reduce_prod", "tf.reduce_sum", "tf.reshape", "tf.reverse",
        "tf.slice", "tf.square", "tf.squeeze", "tf.stop_gradient", "tf.sub", "tf.subtract", "tf.tile", "tf.transpose", "tf.zeros_like",
    }
)  # fmt: skip

# function -> (position of its dtype, the kind without one; None: that of the value)
TYPED: dict[str, tuple[int, Number | None]] = {
    "tf.Variable": (7, None),
    "tf.cast": (1, None),
    "tf.constant": (1, None),
    "tf.fill": (9, None),
    "tf.get_variable": (2, "float"),
    "tf.ones": (1, "float"),
    "tf.placeholder": (0, None),
    "tf.random_uniform": (3, "float"),
    "tf.range": (9, None),
    "tf.zeros": (1, "float"),
}


def kind_of(node: cst.BaseExpression | None, names: Names, depth: int = 8) -> Kind | None:
    """None when nothing is known, not even whether it is a tensor."""
    if node is None or depth == 0:
        return None
    value = names.literal(node)
    if isinstance(value, (bool, int, float, list, tuple)):
        return Kind(False, of_value(value))
    if isinstance(node, cst.Name):
        return kind_of(names.assigned(node), names, depth - 1)
    if isinstance(node, cst.UnaryOperation):
        return kind_of(node.expression, names, depth - 1)
    if isinstance(node, cst.BinaryOperation):
        return joined(kind_of(node.left, names, depth - 1), kind_of(node.right, names, depth - 1), node)
    if isinstance(node, cst.Subscript):
        inner = kind_of(node.value, names, depth - 1)
        return inner if inner is not None and inner.is_tensor else None
    if isinstance(node, cst.Call):
        return of_call(node, names, depth)
    return None


def of_value(value: object) -> Number | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float"
    if isinstance(value, (list, tuple)) and value:
        inner = {of_value(v) for v in value}
        if inner == {"int"}:
            return "int"
        return "float" if inner <= {"int", "float"} and "float" in inner else None
    return None


def joined(left: Kind | None, right: Kind | None, node: cst.BinaryOperation) -> Kind | None:
    """TensorFlow mixes no dtypes: a tensor decides for what stands beside it; a Python number only if it is a float."""
    tensors = [k for k in (left, right) if k is not None and k.is_tensor]
    if tensors:
        number = next((k.number for k in tensors if k.number), None)
        if isinstance(node.operator, cst.Divide) and number == "int":
            number = None
        return Kind(True, number)
    if left is None or right is None:
        return None
    if "float" in (left.number, right.number):
        return Kind(False, "float")
    return Kind(False, None if isinstance(node.operator, cst.Divide) else left.number if left.number == right.number else None)


def of_call(node: cst.Call, names: Names, depth: int) -> Kind | None:
    symbol = names.symbol(node)
    if symbol is None:
        return None
    if symbol.startswith(("tf.compat.v1.", "tf.math.")):
        symbol = "tf." + symbol.rpartition(".")[2] if symbol.startswith("tf.math.") else "tf." + symbol[13:]
    if symbol in RESULTS:
        return Kind(True, RESULTS[symbol])
    if symbol in TYPED:
        position, default = TYPED[symbol]
        dtype = argument(node, "dtype", position)
        if dtype is not None:
            return Kind(True, of_dtype(dtype, names))
        if default is not None:
            return Kind(True, default)
        values = [a.value for a in node.args if a.keyword is None or a.keyword.value in ("value", "initial_value", "limit", "start")]
        inner = kind_of(values[0], names, depth - 1) if values else None
        return Kind(True, inner.number if inner is not None and symbol != "tf.cast" else None)
    if symbol in ALIKE and node.args:
        inner = kind_of(node.args[0].value, names, depth - 1)
        return Kind(True, inner.number if inner is not None and inner.is_tensor else None)
    return Kind(True, None) if symbol[3:4].islower() else None


def argument(node: cst.Call, name: str, position: int) -> cst.BaseExpression | None:
    for index, arg in enumerate(node.args):
        if (arg.keyword is not None and arg.keyword.value == name) or (arg.keyword is None and not arg.star and index == position):
            return arg.value
    return None


def of_dtype(node: cst.BaseExpression, names: Names) -> Number | None:
    value = names.literal(node)
    text = value if isinstance(value, str) else (names.symbol(node) or "").rpartition(".")[2] if value is UNKNOWN else ""
    if not text and isinstance(node, cst.Attribute):
        text = node.attr.value  # np.int32
    if text in INTS:
        return "int"
    return "float" if text in FLOATS else None
