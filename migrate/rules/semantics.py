"""Names that stayed and mean something else: kept by another name where that is proven right, else reported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import libcst as cst

from migrate import calls
from migrate.calls import in_graph_mode, used
from migrate.dtypes import kind_of
from migrate.names import UNKNOWN, Names
from migrate.report.finding import Level
from migrate.rule import CALL, REFERENCE, Context, Example, Match, rule
from migrate.symbols.verdicts import note, verdict

TF = "import tensorflow as tf\n"
ADVICE = "for negative integers 0.x rounds to zero, 1.x down: tf.truncatediv and tf.truncatemod round to zero"


@rule(
    "truncating-division",
    "Keep the rounding to zero of 0.x where integers are divided.",
    since="1.0",
    visits=CALL,
    symbols=("tf.div", "tf.floordiv", "tf.mod"),
    order=50,
    examples=[
        Example(TF + "y = tf.div(tf.constant([-7]), 2)\n", TF + "y = tf.truncatediv(tf.constant([-7]), 2)\n", generation=0),
        Example(TF + "y = tf.mod(a, b)\n", TF + "y = tf.truncatemod(a, b)\n", generation=0),
        Example(TF + "y = tf.div(tf.to_float(a), 2.0)\n", None, "floats are not rounded", generation=0),
        Example(TF + "y = tf.div(a, b)\n", None, "nothing says what they are", generation=0, reported=True),
        Example(TF + "y = tf.mod(a, b)\n", None, "1.x rounds down, and so does the target", generation=1),
    ],
)
def truncating_division(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    if context.generation.version not in (0, None):
        return
    symbol = names.symbol(node) or ""
    if context.generation.version is None:
        if all((kind := kind_of(a.value, names)) is not None and kind.number == "int" for a in node.args[:2]) and is_negative_possible(
            node, names
        ):
            yield Match(node, f"{symbol} of integers rounds to zero in 0.x and down since 1.0", level=Level.WARNING, advice=ADVICE)
        return
    if symbol == "tf.mod":
        new = context.spell("tf.truncatemod", node.func)
        yield Match(node, "tf.mod rounded to zero in 0.x: that is tf.truncatemod", replacement=node.with_changes(func=new))
        return
    numbers = {kind.number for a in node.args[:2] if (kind := kind_of(a.value, names)) is not None}
    if "float" in numbers:
        return
    if "int" in numbers and is_tensor_int(node, names):
        new = context.spell("tf.truncatediv", node.func)
        yield Match(node, f"{symbol} of integers rounded to zero in 0.x: that is tf.truncatediv", replacement=node.with_changes(func=new))
        return
    yield Match(
        node, f"{symbol} rounds integers another way since 1.0, and nothing here says what these are", level=Level.WARNING, advice=ADVICE
    )


def is_negative_possible(node: cst.Call, names: Names) -> bool:
    """Only negative numbers round differently: literals that have none are safe."""
    values = [names.literal(a.value) for a in node.args[:2]]
    return any(v is UNKNOWN or (isinstance(v, (int, float)) and v < 0) for v in values)


def is_tensor_int(node: cst.Call, names: Names) -> bool:
    kinds = [kind_of(a.value, names) for a in node.args[:2]]
    tensors = [k for k in kinds if k is None or k.is_tensor]
    # an int literal beside an unknown tensor takes the tensor's type
    return all(k is not None and k.number == "int" for k in (tensors or kinds))


@rule(
    "truncating-operator",
    "Keep the rounding to zero of 0.x in // and % of tensors.",
    since="1.0",
    visits=cst.BinaryOperation,
    order=50,
    examples=[
        Example(TF + "a = tf.constant([7, -7])\ny = a // 2\n", TF + "a = tf.constant([7, -7])\ny = tf.truncatediv(a, 2)\n", generation=0),
        Example(TF + "a = tf.to_float(b)\ny = a % 3.0\n", None, target="2", generation=1),
        Example(TF + "y = tf.constant(1.5) % x\n", TF + "y = tf.truncatemod(tf.constant(1.5), x)\n", generation=0),
        Example(TF + "n = 7 // 2\n", None, "Python's own numbers", generation=0),
        Example(TF + "y = tf.placeholder(t) // 2\n", None, "nothing says what it is", generation=0, reported=True),
    ],
)
def truncating_operator(node: cst.BinaryOperation, names: Names, context: Context) -> Iterator[Match]:
    if context.generation.version != 0 or not isinstance(node.operator, (cst.FloorDivide, cst.Modulo)) or not names.imports:
        return
    if isinstance(node.left, (cst.SimpleString, cst.ConcatenatedString, cst.FormattedString)):
        return
    left, right = kind_of(node.left, names), kind_of(node.right, names)
    tensors = [k for k in (left, right) if k is not None and k.is_tensor]
    if not tensors:
        return
    numbers = {k.number for k in tensors} - {None}
    is_mod = isinstance(node.operator, cst.Modulo)
    if not is_mod and "float" in numbers:
        return
    if not is_mod and "int" not in numbers:
        yield Match(
            node, "// rounds integers another way since 1.0, and nothing here says what these are", level=Level.WARNING, advice=ADVICE
        )
        return
    name = "tf.truncatemod" if is_mod else "tf.truncatediv"
    func = context.spell(name, names.imports[0])
    call = cst.Call(func, [cst.Arg(node.left, comma=cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))), cst.Arg(node.right)])
    yield Match(node, f"{'%' if is_mod else '//'} of tensors rounded to zero in 0.x: that is {name}", replacement=call)


@rule(
    "changed-meaning",
    "Report a name that TensorFlow 2 has too and that does not do the same.",
    since="2.0",
    visits=REFERENCE,
    prefix="tf.",
    targets="2",
    order=125,
    examples=[
        Example(TF + "s = tf.distribute.MirroredStrategy()\n", None, reported=True),
        Example(TF + "s = tf.distribute.get_strategy()\n", None),
    ],
)
def changed_meaning(node: Any, names: Names, context: Context) -> Iterator[Match]:
    symbol = names.symbol(node)
    if symbol is None or context.generation.version == 2:
        return
    advice = note(symbol)
    if advice and verdict(symbol, "2").name == symbol:
        yield Match(node, f"{symbol} is not quite the same in TensorFlow 2", level=Level.WARNING, advice=advice)


# what only one thing in TensorFlow 1 was called, and where; the receiver comes from elsewhere
ONLY_CONTRIB = {
    "BasicLSTMCell": "tf.contrib.rnn",
    "BasicRNNCell": "tf.contrib.rnn",
    "CriticalSection": "tf.contrib.framework",
    "GRUCell": "tf.contrib.rnn",
    "LSTMCell": "tf.contrib.rnn",
    "LSTMStateTuple": "tf.contrib.rnn",
    "MultiRNNCell": "tf.contrib.rnn",
    "RNNCell": "tf.contrib.rnn",
    "argsort": "tf.contrib.framework",
    "binary_classification_head": "tf.contrib.estimator",
    "is_tensor": "tf.contrib.framework",
    "layer_norm": "tf.contrib.layers",
    "load_variable": "tf.contrib.framework",
    "logistic_regression_head": "tf.contrib.estimator",
    "multi_class_head": "tf.contrib.estimator",
    "multi_head": "tf.contrib.estimator",
    "multi_label_head": "tf.contrib.estimator",
    "poisson_regression_head": "tf.contrib.estimator",
    "regression_head": "tf.contrib.estimator",
    "static_bidirectional_rnn": "tf.contrib.rnn",
    "static_rnn": "tf.contrib.rnn",
    "static_state_saving_rnn": "tf.contrib.rnn",
}


@rule(
    "unbound-contrib",
    "Follow or report what looks like a name of tf.contrib under a name that the file does not import.",
    since="2.0",
    visits=(cst.Call, cst.Expr),
    targets="2",
    order=60,
    methods=tuple(ONLY_CONTRIB),
    why="A cell of a notebook, or a file with a star import, uses contrib_layers without importing it.",
    examples=[
        Example(TF + "y = contrib_layers.layer_norm(x)\n", None, reported=True),
        Example(TF + "y = contrib_framework.is_tensor(x)\n", TF + "y = tf.is_tensor(x)\n"),
        Example(TF + "c = contrib_rnn.GRUCell(8)\n", TF + "c = tf.compat.v1.nn.rnn_cell.GRUCell(8)\n"),
        Example(TF + "import mine\ny = mine.layer_norm(x)\n", None),
        Example(TF + "def order(scores):\n    return scores.argsort()\n", None, "an argument"),
        Example(TF + "def order(f):\n    scores, _ = f()\n    return scores.argsort()\n", None, "a local"),
    ],
)
def unbound_contrib(node: cst.Call | cst.Expr, names: Names, context: Context) -> Iterator[Match]:
    func = node.func if isinstance(node, cst.Call) else node.value
    if not isinstance(func, cst.Attribute) or not isinstance(func.value, cst.Name):
        return
    leaf = func.attr.value
    if leaf not in ONLY_CONTRIB or not names.imports or names.scope_of(func).lookup(func.value.value) is not None:
        return
    symbol = f"{ONLY_CONTRIB[leaf]}.{leaf}"
    found = verdict(symbol, "2")
    message = f"{func.value.value} is not imported here; {leaf} looks like {symbol}"
    advice = note(symbol) or found.advice
    if found.name is None or advice:
        yield Match(node, message, level=Level.WARNING, advice=advice)
    elif isinstance(node, cst.Call):
        plan = calls.plan(node, symbol, found, names, context)
        if plan is not None and not plan.problem:
            yield Match(node, message, replacement=calls.say(plan, node, symbol, context), level=Level.WARNING)
    else:
        yield Match(func, message, replacement=context.spell(found.name, names.imports[0]), level=Level.WARNING)


@rule(
    "changed-method",
    "Report a method that changed its name or its default.",
    since="2.0",
    visits=cst.Call,
    targets="2",
    order=60,
    methods=("export_savedmodel", "save"),
    examples=[
        Example(TF + "model.save(path)\n", None, "a Keras model, perhaps", reported=True),
        Example(TF + "estimator.export_savedmodel(d, f)\n", None, reported=True),
        Example(TF + "saver.save(sess, path)\n", None, "a Saver"),
        Example(TF + "image = Image.open(f)\nimage.save(path)\n", None, "not TensorFlow's"),
    ],
)
def changed_method(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    func = node.func
    if not isinstance(func, cst.Attribute) or not names.imports or names.symbol(func) is not None or context.generation.version == 2:
        return
    if func.attr.value == "export_savedmodel":
        advice = "tf.estimator.Estimator has export_saved_model, which always strips default attributes; tf.compat.v1.estimator.Estimator has both"
        yield Match(node, "export_savedmodel is export_saved_model in TensorFlow 2", level=Level.WARNING, advice=advice)
    elif func.attr.value == "save" and is_model_save(node, func, names):
        advice = "add save_format='h5' if this is a Keras model that is to be written as HDF5"
        yield Match(node, "the save of a Keras model writes a SavedModel by default now", level=Level.WARNING, advice=advice)


def is_model_save(node: cst.Call, func: cst.Attribute, names: Names) -> bool:
    if len(node.args) != 1 or (node.args[0].keyword is not None and node.args[0].keyword.value != "filepath"):
        return False
    if not isinstance(func.value, cst.Name) or func.value.value == "self":
        return False
    value = names.literal(node.args[0].value)
    if isinstance(value, str) and value.endswith((".h5", ".hdf5", ".keras")):
        return False
    made = names.assigned(func.value)
    binding = names.root_binding(func)
    if binding is not None and binding.module is not None:
        return False
    return made is None or "model" in func.value.value.lower()


@rule(
    "dimension-value",
    "Read the size of a dimension in a way that both TensorFlows have.",
    since="2.0",
    visits=cst.Subscript,
    targets="2",
    order=60,
    why="TensorFlow 2's shapes hold plain integers: they have no .value.",
    examples=[
        Example(TF + "n = x.get_shape()[1].value\n", TF + "n = tf.compat.dimension_value(x.get_shape()[1])\n"),
        Example(TF + "n = x.shape[-1].value\n", TF + "n = tf.compat.dimension_value(x.shape[-1])\n"),
        Example(TF + "n = x.get_shape()[1].value\ns = tf.compat.v1.Session()\n", None, "a graph keeps its dimensions"),
        Example(TF + "n = sizes[1].value\n", None, "not a shape"),
    ],
)
def dimension_value(node: cst.Subscript, names: Names, context: Context) -> Iterator[Match]:
    above = names.parent(node)
    if not (isinstance(above, cst.Attribute) and above.value is node and above.attr.value == "value") or not names.imports:
        return
    shape = node.value
    is_call = isinstance(shape, cst.Call) and isinstance(shape.func, cst.Attribute) and shape.func.attr.value == "get_shape"
    if not (is_call or (isinstance(shape, cst.Attribute) and shape.attr.value == "shape")) or in_graph_mode(names):
        return
    if isinstance(names.parent(above), cst.AssignTarget):
        return
    call = cst.Call(context.spell("tf.compat.dimension_value", names.imports[0]), [cst.Arg(node)])
    yield Match(above, "a dimension of TensorFlow 2 is a number: tf.compat.dimension_value reads both kinds", replacement=call)


# what computes other numbers since 1.0 -> how
NUMBERS: Mapping[str, str] = {
    "tf.contrib.layers.batch_norm": "the moving variance is taken over N - 1 values when fused",
    "tf.train.AdadeltaOptimizer": "the update accumulates in another order",
    "tf.train.ExponentialMovingAverage": "the average of a tensor (not of a variable) starts without bias correction",
    "tf.train.ProximalAdagradOptimizer": "the learning rate is adapted before the proximal step",
    "tf.train.ProximalGradientDescentOptimizer": "the proximal step is taken after the gradient step",
}
# optimizers that add up the gradients of an id that occurs twice, which 0.x applied one after the other
SUMMING = frozenset(
    {
        "tf.train.AdagradOptimizer",
        "tf.train.AdamOptimizer",
        "tf.train.FtrlOptimizer",
        "tf.train.MomentumOptimizer",
        "tf.train.RMSPropOptimizer",
    }
)
LOOKUPS = frozenset({"tf.gather", "tf.nn.embedding_lookup", "tf.nn.embedding_lookup_sparse"})


@rule(
    "changed-numbers",
    "Tell where a program of 0.x computes other numbers since 1.0.",
    since="1.0",
    visits=CALL,
    symbols=SUMMING | NUMBERS.keys(),
    order=170,
    examples=[
        Example(TF + "o = tf.train.AdadeltaOptimizer(0.1)\n", None, generation=0, reported=True),
        Example(TF + "o = tf.train.AdadeltaOptimizer(0.1)\n", None, "written for 1.x", generation=1),
        Example(TF + "o = tf.train.AdamOptimizer(0.1)\n", None, "nothing looks rows up", generation=0),
        Example(TF + "e = tf.nn.embedding_lookup(w, ids)\no = tf.train.AdamOptimizer(0.1)\n", None, generation=0, reported=True),
    ],
)
def changed_numbers(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    if context.generation.version != 0:
        return
    symbol = names.symbol(node) or ""
    if symbol in NUMBERS:
        yield Match(
            node, f"{symbol} computes other numbers since 1.0: {NUMBERS[symbol]}", level=Level.WARNING, advice="compare the results"
        )
    elif not LOOKUPS.isdisjoint(used(names)):
        message = f"{symbol} sums the gradients of an id that occurs twice since 1.0; 0.x applied them one after the other"
        yield Match(node, message, level=Level.WARNING, advice="compare the results if a batch can hold an id twice")
