"""Symbols that have another name now and take the same arguments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import libcst as cst

from migrate import calls
from migrate.calls import reference_name
from migrate.names import Names
from migrate.report.finding import Level
from migrate.rule import REFERENCE, Context, Example, Match, rule
from migrate.symbols import symbol as find
from migrate.symbols.verdicts import OLD, ONE, Verdict, note, verdict


def new_name(node: Any, names: Names, context: Context) -> tuple[str, Verdict] | None:
    """The name a use of a symbol gets; None when it keeps it, loses it, or belongs to a call whose arguments change too."""
    symbol = names.symbol(node)
    if symbol is None or is_part_of_chain(node, symbol, names):
        return None
    call = names.call_of(node)
    if call is not None:
        found = calls.verdict_of_call(call, symbol, names, context)
        plan = calls.plan(call, symbol, found, names, context)
        if plan is None or plan.problem or plan.args is not None:
            return None
        name: str | None = plan.name
    else:
        if calls.is_done(node, symbol, context):
            return None
        found = verdict(symbol, context.target, context.generation.version == 0)
        name = found.name if isinstance(node, cst.ImportAlias) else reference_name(found, context.target)
    if name is None or found.outcome in ("removed", "unknown"):
        return None
    return name, found


def is_part_of_chain(node: Any, symbol: str, names: Names) -> bool:
    """A module of whose name only more is used: that whole name is looked at, and renaming a part of it would not find it."""
    above = names.parent(node)
    return isinstance(above, cst.Attribute) and above.value is node and names.symbol(above) is not None and not is_class(symbol)


def is_class(symbol: str) -> bool:
    return any((found := find(symbol, version)) is not None and found.kind == "class" for version in (OLD, ONE))


@rule(
    "renamed-symbol",
    "Replace a symbol by its new name.",
    since="0.6",
    visits=REFERENCE,
    prefix="tf.",
    order=100,
    examples=[
        Example(
            "import tensorflow as tf\ny = tf.mul(a, tf.sub(b, c))\n", "import tensorflow as tf\ny = tf.multiply(a, tf.subtract(b, c))\n"
        ),
        Example(
            "import tensorflow as tf\ny = tf.log(tf.nn.relu(x))\n", "import tensorflow as tf\ny = tf.math.log(tf.nn.relu(x))\n", target="2"
        ),
        Example("import tensorflow as tf\ny = tf.log(x)\n", None, "1.15 has it", target="1"),
        Example(
            "from tensorflow import placeholder\nx = placeholder('float')\n",
            "from tensorflow.compat.v1 import placeholder\nx = placeholder('float')\n",
            target="2",
        ),
        Example("import numpy as tf\ny = tf.mul(a, b)\n", None, "tf here is not TensorFlow"),
        Example(
            "import tensorflow as tf\ncell = tf.models.rnn.rnn_cell.GRUCell(8)\n",
            "import tensorflow as tf\ncell = tf.nn.rnn_cell.GRUCell(8)\n",
            target="1",
        ),
    ],
)
def renamed_symbol(node: Any, names: Names, context: Context) -> Iterator[Match]:
    symbol = names.symbol(node)
    if symbol is None or symbol.startswith("tf.contrib."):
        return
    found = new_name(node, names, context)
    if found is None:
        return
    name = found[0]
    if name != symbol:
        advice = note(symbol) if context.target == "2" else ""
        yield Match(node, f"{symbol} is now {name}", rename=name, level=Level.WARNING if advice else None, advice=advice)


@rule(
    "private-path",
    "Use the public name of what tensorflow.python has.",
    since="0.5",
    visits=REFERENCE,
    prefix="tf.",
    order=110,
    examples=[
        Example(
            "from tensorflow.python.framework import ops\nx = ops.convert_to_tensor(y)\n",
            "from tensorflow.python.framework import ops\nimport tensorflow as tf\nx = tf.convert_to_tensor(y)\n",
        ),
        Example("import tensorflow as tf\nx = tf.convert_to_tensor(y)\n", None, "public already"),
    ],
)
def private_path(node: Any, names: Names, context: Context) -> Iterator[Match]:
    symbol, path = names.symbol(node), names.path(node)
    if symbol is None or path == symbol:
        return
    found = new_name(node, names, context)
    if found is not None and found[0] == symbol:
        yield Match(node, f"{path} is private: its public name is {symbol}", rename=symbol)


@rule(
    "passed-function",
    "Report a function that is passed on although its arguments changed.",
    since="1.0",
    visits=REFERENCE,
    prefix="tf.",
    order=120,
    examples=[
        Example(
            "import tensorflow as tf\nf = functools.partial(tf.concat, 0)\n", None, "who calls it decides", generation=0, reported=True
        ),
        Example("import tensorflow as tf\nf = functools.partial(tf.matmul, a)\n", None, generation=0),
    ],
)
def passed_function(node: Any, names: Names, context: Context) -> Iterator[Match]:
    symbol = names.symbol(node)
    if symbol is None or isinstance(node, cst.ImportAlias) or names.call_of(node) is not None:
        return
    if isinstance(names.parent(node), cst.Attribute) and isinstance(node, cst.Attribute) and names.symbol(names.parent(node)) is not None:
        return
    found = verdict(symbol, context.target, context.generation.version == 0)
    if found.name is not None and reference_name(found, context.target) is None:
        yield Match(
            node,
            f"{symbol} is passed on here, and its arguments changed",
            level=Level.WARNING,
            advice=f"where it is called, call {found.name} with its new arguments, or pass a lambda",
        )
