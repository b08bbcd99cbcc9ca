"""Symbols that have no successor: reported, with what to do instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import libcst as cst

from migrate.names import Names
from migrate.report.finding import Level
from migrate.rule import REFERENCE, Context, Example, Match, rule
from migrate.rules.contrib_functions import FUNCTIONS
from migrate.rules.tutorials import READS_MNIST
from migrate.symbols import TARGETS, has_private
from migrate.symbols import symbol as find
from migrate.symbols.verdicts import OLD, ONE, verdict


@rule(
    "removed-symbol",
    "Report a symbol that the target version lacks and say what to do.",
    since="1.0",
    visits=REFERENCE,
    prefix="tf.",
    order=130,
    examples=[
        Example("import tensorflow as tf\ny = tf.contrib.crf.CrfForwardRnnCell(a)\n", None, target="2", reported=True),
        Example("import tensorflow as tf\nf = tf.RegisterShape('Mul')\n", None, "removed in 1.0", reported=True),
        Example("import tensorflow as tf\ny = tf.contrib.crf.CrfForwardRnnCell(a)\n", None, "1.15 has it", target="1"),
        Example("import tensorflow as tf\ny = tf.nosuchthing(a)\n", None, "no version has it", reported=True),
        Example("import tensorflow as tf\nprint(tf.__version__, tf.nn.__name__)\n", None, "every module has names of its own"),
        Example("from tensorflow.python.ops.variable_scope import _VARSCOPE_KEY\n", None, "private, and gone", reported=True),
        Example("from tensorflow.python.framework import tensor_util\ns = tensor_util.GetNumpyAppendFn\n", None, target="1"),
    ],
)
def removed_symbol(node: Any, names: Names, context: Context) -> Iterator[Match]:
    symbol = names.symbol(node)
    if symbol is None or is_stored(node, names):
        return
    if symbol.startswith(("tf.core.", "tf.python.")):
        yield from gone_private(node, symbol, names, context)
        return
    found = verdict(symbol, context.target, context.generation.version == 0)
    if found.outcome not in ("removed", "unknown"):
        return
    above = names.parent(node)
    if isinstance(above, cst.Attribute) and above.value is node and names.symbol(above) is not None:
        return  # a part: the whole name is what is looked at
    is_called = context.target == "2" and names.call_of(node) is not None
    if (symbol in READS_MNIST and is_called) or (symbol in FUNCTIONS and is_called and names.scope.lookup(FUNCTIONS[symbol][0]) is None):
        return  # the call is replaced
    if isinstance(node, cst.ImportAlias) and is_module(symbol) and is_package(symbol):
        return  # what is used of it is reported where it is used
    if found.outcome == "unknown" and names.path(node) != symbol:
        return
    target = "TensorFlow 1.15" if context.target == "1" else "TensorFlow 2"
    yield Match(node, f"{target} has no {symbol}", level=Level.WARNING, advice=found.advice)


def is_package(symbol: str) -> bool:
    """tf.contrib: an import of it says nothing of what is used."""
    return symbol == "tf.contrib"


def is_module(symbol: str) -> bool:
    return any(entry is not None and entry.kind == "module" for entry in (find(symbol, OLD), find(symbol, ONE)))


def is_stored(node: Any, names: Names) -> bool:
    """The file keeps something of its own on the module: tf.model = ..."""
    above = names.parent(node)
    return isinstance(above, cst.AssignTarget)


def gone_private(node: Any, symbol: str, names: Names, context: Context) -> Iterator[Match]:
    """Private names are nobody's promise; those that the target lacks are a fact."""
    if (isinstance(names.parent(node), cst.Attribute) and names.symbol(names.parent(node)) is not None) or symbol.startswith("tf.core."):
        return
    if not has_private(symbol, TARGETS[context.target]):
        target = "TensorFlow 1.15" if context.target == "1" else "TensorFlow 2"
        yield Match(
            node, f"{target} has no {symbol}: it is private", level=Level.WARNING, advice="use what is public, or copy the function"
        )
