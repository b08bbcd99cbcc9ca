"""Programs that build a graph and run it: what TensorFlow 2 must be told first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import libcst as cst

from migrate.calls import SESSIONS, in_graph_mode, used
from migrate.names import Names
from migrate.report.finding import Level
from migrate.rule import REFERENCE, Context, Example, Match, rule

TF = "import tensorflow as tf\n"
STATEMENT = "{tf}.compat.v1.disable_v2_behavior()"

# what says that the program has decided this already
DECIDED = frozenset(
    {
        "disable_eager_execution",
        "disable_v2_behavior",
        "enable_eager_execution",
        "enable_v2_behavior",
    }
)
V1_SESSIONS = frozenset("tf.compat.v1." + name[3:] for name in SESSIONS if not name.startswith("tf.contrib."))


@rule(
    "graph-mode",
    "Switch TensorFlow 2's behaviour off where a program runs a session.",
    since="2.0",
    visits=REFERENCE,
    symbols=SESSIONS | V1_SESSIONS,
    targets="2",
    order=150,
    examples=[
        Example(TF + "s = tf.compat.v1.Session()\n", TF + "tf.compat.v1.disable_v2_behavior()\ns = tf.compat.v1.Session()\n"),
        Example(
            TF + "g = tf.keras.backend.gradients(y, x)\n",
            TF + "tf.compat.v1.disable_v2_behavior()\ng = tf.keras.backend.gradients(y, x)\n",
        ),
        Example(TF + "tf.compat.v1.disable_eager_execution()\ns = tf.compat.v1.Session()\n", None, "done already"),
        Example(TF + "x = tf.compat.v1.placeholder(tf.float32)\n", None, "whoever runs it decides"),
        Example("import tensorflow.compat.v1 as tf\ntf.disable_v2_behavior()\ns = tf.Session()\n", None),
    ],
)
def graph_mode(node: Any, names: Names, context: Context) -> Iterator[Match]:
    if names.call_of(node) is None or any(symbol.rpartition(".")[2] in DECIDED for symbol in used(names)):
        return
    is_v1 = names.visible("tf", node) is None and names.visible("tf.compat.v1", node) is not None
    statement = "{tf}.disable_v2_behavior()" if is_v1 else STATEMENT
    yield Match(
        node, f"{names.symbol(node)} runs a graph, which TensorFlow 2 builds only after disable_v2_behavior()", statements=(statement,)
    )


# what TensorFlow 2 has by the same name, and made for eager execution: without the old methods, collections and references
OBJECTS = frozenset(
    {
        "tf.Variable",
        "tf.data.Dataset",
        "tf.data.FixedLengthRecordDataset",
        "tf.data.TFRecordDataset",
        "tf.data.TextLineDataset",
    }
)


@rule(
    "graph-object",
    "Keep the variables and datasets of TensorFlow 1 in a program that runs a session.",
    since="2.0",
    visits=REFERENCE,
    symbols=OBJECTS,
    targets="2",
    order=95,
    examples=[
        Example(
            TF + "v = tf.Variable(1.0)\ns = tf.compat.v1.Session()\n",
            TF + "v = tf.compat.v1.Variable(1.0)\ns = tf.compat.v1.Session()\n",
        ),
        Example(TF + "v = tf.Variable(1.0)\n", None, "whoever runs it decides"),
        Example(TF + "b = isinstance(v, tf.Variable)\ns = tf.compat.v1.Session()\n", None, "both kinds are meant"),
    ],
)
def graph_object(node: Any, names: Names, context: Context) -> Iterator[Match]:
    symbol = names.symbol(node) or ""
    if isinstance(node, cst.ImportAlias) or not in_graph_mode(names):
        return
    above = names.parent(node)
    if not (names.call_of(node) is not None or isinstance(above, cst.Attribute)):
        return
    yield Match(
        node, f"{symbol} is made for eager execution in TensorFlow 2: the graph keeps TensorFlow 1's", rename="tf.compat.v1." + symbol[3:]
    )


@rule(
    "compat-import",
    "Report a file that imports TensorFlow 1's API by its compatibility name.",
    since="2.0",
    visits=REFERENCE,
    symbols=("tf.compat.v1",),
    targets="2",
    order=150,
    examples=[
        Example("import tensorflow.compat.v1 as tf\ny = tf.add(a, b)\n", None, reported=True),
        Example("import tensorflow as tf\ny = tf.compat.v1.where(a)\n", None),
    ],
)
def compat_import(node: Any, names: Names, context: Context) -> Iterator[Match]:
    if isinstance(node, cst.ImportAlias) and names.path(node) == "tf.compat.v1":
        yield Match(
            node,
            "this file uses TensorFlow 1's API through tensorflow.compat.v1: what it uses of it is left as it is",
            level=Level.WARNING,
            advice="import tensorflow as tf and upgrade again to get native names",
        )


@rule(
    "unbound-tensorflow",
    "Report the name tf where the file imports TensorFlow only under its full name.",
    since="0.5",
    visits=cst.Import,
    order=150,
    examples=[
        Example("import tensorflow\ny = tf.add(a, b)\n", None, reported=True),
        Example("import tensorflow\ny = tensorflow.add(a, b)\n", None),
        Example("import tensorflow as tf\ny = tf.add(a, b)\n", None),
        Example("def f():\n    import tensorflow as tf\n    return tf.add(a, b)\n", None),
    ],
)
def unbound_tensorflow(node: cst.Import, names: Names, context: Context) -> Iterator[Match]:
    if not any(names.symbol(alias) == "tf" for alias in node.names):
        return
    if not names.unbound("tf"):
        return
    yield Match(node, "the file uses the name tf and does not bind it", level=Level.WARNING, advice="import tensorflow as tf")
