"""Names of tf.contrib and where they went."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from migrate.names import Names
from migrate.report.finding import Level
from migrate.rule import REFERENCE, Context, Example, Match, rule
from migrate.rules.renames import new_name
from migrate.symbols.verdicts import note

# package -> what its user must know
PACKAGES = {
    "tf_slim": "install the package tf_slim; its 1.1.0 reads tensorflow.python.framework.ops.Tensor, which TensorFlow 2.15 lacks: "
    "set that to tf.Tensor before the layers are made",
}


@rule(
    "moved-contrib",
    "Replace a name of tf.contrib by its successor.",
    since="1.0",
    visits=REFERENCE,
    prefix="tf.contrib.",
    order=100,
    examples=[
        Example(
            "import tensorflow as tf\ncell = tf.contrib.rnn.BasicLSTMCell(8)\n",
            "import tensorflow as tf\ncell = tf.compat.v1.nn.rnn_cell.BasicLSTMCell(8)\n",
            target="2",
        ),
        Example(
            "import tensorflow.contrib.slim as slim\ny = slim.conv2d(x, 8, 3)\n",
            "import tf_slim as slim\ny = slim.conv2d(x, 8, 3)\n",
            target="2",
        ),
        Example("import tensorflow as tf\ny = tf.contrib.layers.conv2d(x, 8, 3)\n", None, "1.15 has contrib", target="1"),
        Example(
            "import tensorflow as tf\nd = tf.contrib.data.Dataset.range(3)\n", "import tensorflow as tf\nd = tf.data.Dataset.range(3)\n"
        ),
    ],
)
def moved_contrib(node: Any, names: Names, context: Context) -> Iterator[Match]:
    symbol = names.symbol(node)
    found = new_name(node, names, context)
    if symbol is None or found is None or found[0] == symbol:
        return
    name = found[0]
    check = note(symbol) if context.target == "2" else ""
    package = name.partition(".")[0]
    advice = check or PACKAGES.get(package, "" if package == "tf" else f"install the package {package}")
    yield Match(node, f"{symbol} is now {name}", rename=name, level=Level.WARNING if check else None, advice=advice)
