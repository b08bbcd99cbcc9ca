"""Calls whose arguments have other names, another order, or are gone."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from migrate import calls
from migrate.names import Names
from migrate.report.finding import Level
from migrate.rule import CALL, Context, Example, Match, rule
from migrate.symbols import TARGETS, signature
from migrate.symbols.verdicts import note, verdict

# arguments whose loss changes nothing a program can see
HARMLESS = frozenset({"as_ref", "input_size", "name", "partition_info", "use_cudnn_on_gpu", "validate_indices", "verify_shape"})


@rule(
    "changed-arguments",
    "Give a call the arguments that its function takes now.",
    since="1.0",
    visits=CALL,
    prefix="tf.",
    order=90,
    examples=[
        Example("import tensorflow as tf\ny = tf.concat(0, [a, b])\n", "import tensorflow as tf\ny = tf.concat(axis=0, values=[a, b])\n"),
        Example("import tensorflow as tf\ny = tf.concat([a, b], 0)\n", None, "this is 1.x already"),
        Example("import tensorflow as tf\ny = tf.concat(a, b)\n", None, "nothing says what is the axis", reported=True),
        Example(
            "import tensorflow as tf\nx = tf.placeholder(tf.int32)\ny = tf.nn.nce_loss(w, b, e, x, 5, 20)\n",
            "import tensorflow as tf\nx = tf.placeholder(tf.int32)\n"
            "y = tf.nn.nce_loss(w, b, inputs=e, labels=x, num_sampled=5, num_classes=20)\n",
            "labels are integers",
            target="1",
        ),
        Example(
            "import tensorflow as tf\nl = tf.nn.softmax_cross_entropy_with_logits(y, y_)\n",
            "import tensorflow as tf\nl = tf.nn.softmax_cross_entropy_with_logits(logits=y, labels=y_)\n",
            "0.x took the logits first",
            target="1",
        ),
        Example(
            "import tensorflow as tf\na, b = tf.split(1, 2, x)\n",
            "import tensorflow as tf\na, b = tf.split(axis=1, num_or_size_splits=2, value=x)\n",
        ),
        Example(
            "import tensorflow as tf\ny = tf.nn.conv2d(x, w, [1, 1, 1, 1], 'SAME', False)\n",
            "import tensorflow as tf\ny = tf.nn.conv2d(x, w, [1, 1, 1, 1], 'SAME')\n",
            target="2",
        ),
    ],
)
def changed_arguments(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    symbol = names.symbol(node)
    if symbol is None:
        return
    positions = sum(a.keyword is None for a in node.args)
    old = calls.is_old(node, symbol, names, context)
    if old is None and calls.is_ambiguous(symbol, positions):
        reasons = "; ".join(context.generation.reasons)
        yield Match(
            node,
            f"the arguments of {symbol} mean one thing in TensorFlow 0.x and another in 1.x, and nothing here says which this is ({reasons})",
            level=Level.WARNING,
            advice="name the arguments, or say --from 0 or --from 1",
        )
        return
    found = calls.verdict_of_call(node, symbol, names, context)
    plan = calls.plan(node, symbol, found, names, context)
    if plan is None:
        return
    if plan.problem:
        advice = "rewrite the call by hand"
        yield Match(node, f"{symbol} cannot be rewritten to {plan.name}: {plan.problem}", level=Level.WARNING, advice=advice)
        return
    if plan.args is None:
        return
    lost = [name for name in plan.dropped if name not in HARMLESS]
    hints = [f"check what {', '.join(lost)} was for"] if lost else []
    if context.target == "2" and plan.name != symbol and (known := note(symbol)):
        hints.append(known)
    yield Match(
        node,
        calls.describe(plan, symbol),
        replacement=calls.say(plan, node, symbol, context),
        level=Level.WARNING if hints else None,
        advice="; ".join(hints),
    )


@rule(
    "unknown-argument",
    "Report an argument that the target version's function does not take.",
    since="1.0",
    visits=CALL,
    prefix="tf.",
    order=160,
    examples=[
        Example("import tensorflow as tf\ny = tf.add(a, b, colour=3)\n", None, reported=True),
        Example("import tensorflow as tf\ny = tf.add(a, b, 'sum', 4)\n", None, "one too many", reported=True),
        Example("import tensorflow as tf\ny = tf.add(a, b, name='sum')\n", None),
    ],
)
def unknown_argument(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    symbol = names.symbol(node)
    shape = signature(symbol or "", TARGETS[context.target])
    if symbol is None or shape is None or verdict(symbol, context.target).name != symbol:
        return
    plan = calls.plan(node, symbol, calls.verdict_of_call(node, symbol, names, context), names, context)
    if plan is not None and (plan.problem or plan.args is not None or plan.name != symbol):
        return  # another rule rewrites it, or says why it cannot
    strange = [a.keyword.value for a in node.args if a.keyword is not None and not shape.accepts(a.keyword.value)]
    positions = sum(a.keyword is None and not a.star for a in node.args)
    version = "TensorFlow 1.15" if context.target == "1" else "TensorFlow 2"
    if strange:
        yield Match(
            node,
            f"{symbol} takes no {' and no '.join(strange)} in {version}",
            level=Level.WARNING,
            advice=f"it takes {', '.join(shape.args)}",
        )
    elif positions > len(shape.args) and not shape.varargs:
        yield Match(node, f"{symbol} takes {len(shape.args)} arguments in {version}, not {positions}", level=Level.WARNING)
