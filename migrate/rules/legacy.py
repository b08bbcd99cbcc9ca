"""Calls of TensorFlow 0.x whose arguments changed their nature, not only their name or place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import libcst as cst

from migrate.calls import is_old
from migrate.names import UNKNOWN, Names
from migrate.report.finding import Level
from migrate.rule import CALL, REFERENCE, Bound, Context, Example, Match, argument, bind, call_with, keyword, rule
from migrate.symbols import signature
from migrate.symbols.verdicts import OLD

TF = "import tensorflow as tf\n"


def bound_by_old(node: cst.Call, symbol: str, names: Names) -> Bound | None:
    found = signature(symbol, OLD)
    bound = bind(node, found.args if found else (), names)
    return bound if bound.is_exact else None


@rule(
    "reverse-axes",
    "Give tf.reverse the axes instead of a flag for each dimension.",
    since="1.0",
    visits=CALL,
    symbols=("tf.reverse",),
    order=40,
    examples=[
        Example(TF + "y = tf.reverse(x, [False, True])\n", TF + "y = tf.reverse(x, axis=[1])\n"),
        Example(TF + "d = [True, True]\ny = tf.reverse(x, d)\n", TF + "d = [True, True]\ny = tf.reverse(x, axis=[0, 1])\n"),
        Example(
            TF + "y = tf.reverse(x, dims)\n",
            TF + "y = tf.reverse(x, axis=[axis for axis, flag in enumerate(dims) if flag])\n",
            "a list that is not known here",
            generation=0,
        ),
        Example(TF + "y = tf.reverse(x, [1])\n", None, "an axis already"),
        Example(TF + "y = tf.reverse(x, dims)\n", None, "nothing says what dims holds", reported=True),
    ],
)
def reverse_axes(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    bound = bound_by_old(node, "tf.reverse", names)
    dims = bound.args.get("dims") if bound is not None else None
    if bound is None or dims is None:
        return
    value = names.literal(dims.value)
    if isinstance(value, (list, tuple)) and value and all(isinstance(v, bool) for v in value):
        axes = ", ".join(str(i) for i, flag in enumerate(value) if flag)
        new: cst.BaseExpression = context.parse(f"[{axes}]")
    elif (isinstance(value, (list, tuple)) and all(isinstance(v, int) for v in value)) or isinstance(value, int):
        return
    elif is_flags(dims.value, names):
        new = context.parse("[axis for axis, flag in enumerate({dims}) if flag]", dims=dims.value)
    elif is_old(node, "tf.reverse", names, context):
        if isinstance(dims.value, cst.Call) and names.symbol(dims.value) is not None:
            new = context.parse("{tf}.reshape({tf}.where({dims}), [-1])", tf=context.spell("tf", node.func), dims=dims.value)
        elif isinstance(dims.value, (cst.ListComp, cst.List)) and not is_flags(dims.value, names) and context.generation.version != 0:
            return
        else:
            new = context.parse("[axis for axis, flag in enumerate({dims}) if flag]", dims=dims.value)
    elif context.generation.version is None and "dims" not in {a.keyword.value for a in node.args if a.keyword}:
        yield Match(
            node,
            "tf.reverse took a flag for each dimension in 0.x and takes axes since 1.0, and nothing here says which this is",
            level=Level.WARNING,
            advice="write axis=[...], or say --from 0 or --from 1",
        )
        return
    else:
        return
    args = [
        keyword(dims.with_changes(value=new), "axis") if a is dims else a for a in (keep(bound, n, p) for p, n in enumerate(bound.args))
    ]
    yield Match(node, "tf.reverse takes the axes", replacement=call_with(node, args, context.spell("tf.reverse", node.func)))


def keep(bound: Bound, name: str, position: int) -> cst.Arg:
    arg = bound.args[name]
    return arg if arg.keyword is not None or position < 2 else keyword(arg, name)


def is_flags(node: cst.BaseExpression, names: Names) -> bool:
    """A list with a flag in it, whatever the rest is."""
    found = names.assigned(node) or node
    if not isinstance(found, (cst.List, cst.Tuple)):
        return False
    flags = [isinstance(names.literal(e.value), bool) or isinstance(e.value, cst.Comparison) for e in found.elements]
    return any(flags)


@rule(
    "initializer-class",
    "Make an instance of tf.zeros_initializer and tf.ones_initializer, which were functions in 0.x.",
    since="1.0",
    visits=REFERENCE,
    symbols=("tf.ones_initializer", "tf.zeros_initializer"),
    order=45,
    examples=[
        Example(
            TF + "v = tf.get_variable('v', [3], initializer=tf.zeros_initializer)\n",
            TF + "v = tf.get_variable('v', [3], initializer=tf.zeros_initializer())\n",
        ),
        Example(TF + "b = tf.ones_initializer()\n", None),
        Example(TF + "v = tf.get_variable('v', [3], initializer=tf.zeros_initializer)\n", None, "1.x takes the class", generation=1),
        Example(TF + "b = isinstance(x, tf.zeros_initializer)\n", None, "the class is meant"),
        Example(TF + "x = tf.zeros_initializer([3], tf.float32)\n", TF + "x = tf.zeros([3], tf.float32)\n", "0.x took a shape"),
    ],
)
def initializer_class(node: Any, names: Names, context: Context) -> Iterator[Match]:
    symbol = names.symbol(node) or ""
    if isinstance(node, cst.ImportAlias) or context.generation.version in (1, 2):
        return  # since 1.0 whoever takes an initializer takes its class too
    call = names.call_of(node)
    if call is not None:
        first = call.args[0] if call.args else None
        is_shape = (
            first is not None and first.keyword is None and (len(call.args) > 1 or isinstance(names.literal(first.value), (list, tuple)))
        )
        if is_shape and symbol == "tf.zeros_initializer" and len(call.args) <= 2:
            yield Match(node, "tf.zeros_initializer of a shape was tf.zeros", rename="tf.zeros")
        return
    if stands_for_value(node, names):
        yield Match(node, f"{symbol} is a class: an instance initializes", replacement=cst.Call(node))


def stands_for_value(node: cst.CSTNode, names: Names) -> bool:
    above = names.parent(node)
    if isinstance(above, cst.Arg):
        call = names.parent(above)
        func = call.func if isinstance(call, cst.Call) else None
        return not (isinstance(func, cst.Name) and func.value in ("isinstance", "issubclass", "partial")) and not isinstance(
            call, cst.ClassDef
        )
    return isinstance(above, (cst.Expr, cst.Assign, cst.Return, cst.DictElement, cst.Param, cst.BooleanOperation, cst.IfExp))


@rule(
    "resize-images-size",
    "Give tf.image.resize_images the height and width as one size.",
    since="0.11",
    visits=CALL,
    symbols=("tf.image.resize_images",),
    order=40,
    examples=[
        Example(TF + "y = tf.image.resize_images(x, 32, 48)\n", TF + "y = tf.image.resize_images(x, [32, 48])\n", target="1"),
        Example(
            TF + "y = tf.image.resize_images(x, h, w, method=1)\n", TF + "y = tf.image.resize_images(x, [h, w], method=1)\n", target="1"
        ),
        Example(
            TF + "y = tf.image.resize_images(x, new_height=h, new_width=w)\n",
            TF + "y = tf.image.resize_images(x, size=[h, w])\n",
            target="1",
        ),
        Example(TF + "y = tf.image.resize_images(x, [32, 48], 1)\n", None, "a size and a method"),
    ],
)
def resize_images_size(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    bound = bind(node, ("images", "new_height", "new_width", "method", "align_corners"), names)
    height, width = bound.args.get("new_height"), bound.args.get("new_width")
    if not bound.is_exact or height is None or width is None:
        return
    by_word = height.keyword is not None and width.keyword is not None
    if not by_word and not is_number(height.value, names, context, "height", "h", "size"):
        return
    if not by_word and not is_number(width.value, names, context, "width", "w", "size"):
        return
    size = context.parse("[{height}, {width}]", height=height.value, width=width.value)
    args: list[cst.Arg] = []
    for position, (name, arg) in enumerate(bound.args.items()):
        if name == "new_height":
            args.append(cst.Arg(size) if arg.keyword is None else argument("size", size))
        elif name != "new_width":
            args.append(arg if position < 2 or arg.keyword is not None else keyword(arg, name))
    yield Match(
        node,
        "tf.image.resize_images takes one size",
        replacement=call_with(node, args, context.spell("tf.image.resize_images", node.func)),
    )


def is_number(node: cst.BaseExpression, names: Names, context: Context, *words: str) -> bool:
    """A number, or what is called after one: a method is never called height."""
    value = names.literal(node)
    if value is not UNKNOWN:
        return isinstance(value, int) and not isinstance(value, bool) and value > 3
    last = context.code(node).lower().rpartition(".")[2].strip("_() ")
    return any(last == w or (len(w) > 1 and w in last) for w in words)


@rule(
    "summary-tags",
    "Report a summary of many tags: one summary holds one value now.",
    since="0.12",
    visits=CALL,
    symbols=("tf.contrib.deprecated.scalar_summary", "tf.scalar_summary"),
    order=40,
    examples=[
        Example(TF + "s = tf.scalar_summary(['a', 'b'], [x, y])\n", None, reported=True),
        Example(TF + "s = tf.scalar_summary(['a'], x)\n", TF + "s = tf.summary.scalar('a', x)\n", target="1"),
        Example(TF + "s = tf.scalar_summary('a', x)\n", None, "left to the rename"),
    ],
)
def summary_tags(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    bound = bound_by_old(node, "tf.scalar_summary", names)
    tags = bound.args.get("tags") if bound is not None else None
    if bound is None or tags is None or "values" not in bound.args:
        return
    found = names.assigned(tags.value) or tags.value
    if not isinstance(found, (cst.List, cst.Tuple)):
        return
    values = bound.args["values"]
    if len(found.elements) == 1 and not isinstance(values.value, (cst.List, cst.Tuple)):
        args = [cst.Arg(found.elements[0].value), keyword(values, None)]
        args += [keyword(a, name) for name, a in bound.args.items() if name == "collections"]
        yield Match(
            node,
            "tf.scalar_summary is now tf.summary.scalar, of one name",
            replacement=call_with(node, args, context.spell("tf.summary.scalar", node.func)),
        )
        return
    yield Match(
        node,
        "tf.scalar_summary of several tags has no equal: tf.summary.scalar takes one name and one value",
        level=Level.WARNING,
        advice="write one tf.summary.scalar for each tag",
    )


@rule(
    "shared-cells",
    "Give every layer of a MultiRNNCell a cell of its own.",
    since="1.1",
    visits=CALL,
    symbols=("tf.contrib.rnn.MultiRNNCell", "tf.nn.rnn_cell.MultiRNNCell"),
    order=40,
    why="Up to 1.0 a cell made its variables anew in each layer; since 1.1 it is a layer itself and would share them.",
    examples=[
        Example(
            TF + "c = tf.nn.rnn_cell.GRUCell(8)\nm = tf.nn.rnn_cell.MultiRNNCell([c] * 2)\n",
            TF + "import copy\nc = tf.nn.rnn_cell.GRUCell(8)\nm = tf.nn.rnn_cell.MultiRNNCell([copy.deepcopy(c) for _ in range(2)])\n",
            generation=0,
        ),
        Example(
            TF + "m = tf.nn.rnn_cell.MultiRNNCell([make()] * n)\n",
            TF + "m = tf.nn.rnn_cell.MultiRNNCell([make() for _ in range(n)])\n",
            generation=0,
        ),
        Example(TF + "m = tf.nn.rnn_cell.MultiRNNCell([make() for _ in range(2)])\n", None, generation=0),
        Example(TF + "m = tf.nn.rnn_cell.MultiRNNCell([c] * 2)\n", None, "it may want to share", generation=1, reported=True),
    ],
)
def shared_cells(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    if not node.args:
        return
    arg = node.args[0]
    product = names.assigned(arg.value) or arg.value
    if not isinstance(product, cst.BinaryOperation) or not isinstance(product.operator, cst.Multiply):
        return
    cells, count = product.left, product.right
    if isinstance(count, cst.List):
        cells, count = count, cells
    if not isinstance(cells, cst.List) or len(cells.elements) != 1 or names.literal(count) == 1:
        return
    if context.generation.version == 0 and product is arg.value:
        cell = cells.elements[0].value
        made_here = isinstance(cell, cst.Call)
        text = "[{cell} for _ in range({count})]" if made_here else "[copy.deepcopy({cell}) for _ in range({count})]"
        copies = context.parse(text, cell=cell, count=count)
        args = [arg.with_changes(value=copies), *node.args[1:]]
        yield Match(
            node,
            "the layers of a MultiRNNCell would share one cell's variables",
            replacement=node.with_changes(args=args),
            imports=() if made_here else ("import copy",),
        )
        return
    yield Match(
        node,
        "the layers of this MultiRNNCell are one cell: since 1.1 they share its variables, or fail to",
        level=Level.WARNING,
        advice="make a new cell for each layer: [cell() for _ in range(n)]",
    )


@rule(
    "reused-variables",
    "Let the reuse that a loop switches on end with the loop.",
    since="1.0",
    visits=cst.Call,
    order=60,
    methods=("reuse_variables",),
    why="Reuse of the outermost scope lasts for the whole graph: what is made later, an optimizer's slots for example, is not found.",
    examples=[
        Example(
            TF + "for i in range(2):\n    y = tower(i)\n    tf.get_variable_scope().reuse_variables()\ntrain = f(y)\n",
            TF + "with tf.variable_scope(tf.get_variable_scope()):\n    for i in range(2):\n        y = tower(i)\n"
            "        tf.get_variable_scope().reuse_variables()\ntrain = f(y)\n",
            target="1",
        ),
        Example(
            TF
            + "with tf.variable_scope('rnn'):\n    for i in range(2):\n        if i > 0:\n            tf.get_variable_scope().reuse_variables()\n        y = step(y)\n",
            None,
            "the scope ends it already",
        ),
        Example(
            TF + "a = f(x)\ntf.get_variable_scope().reuse_variables()\nb = f(y)\n", None, "no loop ends it", generation=0, reported=True
        ),
    ],
)
def reused_variables(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    func = node.func
    if not (isinstance(func, cst.Attribute) and func.attr.value == "reuse_variables" and isinstance(func.value, cst.Call)):
        return
    if names.symbol(func.value) not in ("tf.get_variable_scope", "tf.compat.v1.get_variable_scope"):
        return
    loop: cst.For | cst.While | None = None
    for above in names.ancestors(node):
        if isinstance(above, (cst.FunctionDef, cst.Lambda)):
            break
        if isinstance(above, cst.With) and any(opens_scope(item.item, names) for item in above.items):
            return
        if isinstance(above, (cst.For, cst.While)):
            loop = above
    if loop is None:
        if context.generation.version == 0:
            yield Match(
                node,
                "reuse of the outermost variable scope lasts to the end of the graph, and optimizers make variables after it",
                level=Level.WARNING,
                advice="put what reuses the variables under `with tf.variable_scope(tf.get_variable_scope(), reuse=True):`",
            )
        return
    scope = cst.Call(
        context.spell("tf.variable_scope", func.value.func),
        [cst.Arg(cst.Call(context.spell("tf.get_variable_scope", func.value.func)))],
    )
    inner = loop.deep_clone().with_changes(leading_lines=[])  # new nodes: they are written with another indentation
    block = cst.With([cst.WithItem(scope)], cst.IndentedBlock([inner]), leading_lines=loop.leading_lines)
    yield Match(loop, "the reuse that this loop switches on would last to the end of the graph: a scope ends it", replacement=block)


def opens_scope(node: cst.BaseExpression, names: Names) -> bool:
    symbol = names.symbol(node) or ""
    return symbol.rpartition(".")[2] in ("variable_op_scope", "variable_scope")


# method of a TensorArray in 0.x -> its name since 1.0
ARRAY_METHODS = {"pack": "stack", "unpack": "unstack"}


@rule(
    "tensor-array-methods",
    "Rename the methods of a TensorArray.",
    since="1.0",
    visits=cst.Call,
    order=60,
    methods=ARRAY_METHODS,
    examples=[
        Example(TF + "a = tf.TensorArray(tf.float32, 3)\ny = a.pack()\n", TF + "a = tf.TensorArray(tf.float32, 3)\ny = a.stack()\n"),
        Example(TF + "y = tf.TensorArray(tf.float32, 3).unpack(x)\n", TF + "y = tf.TensorArray(tf.float32, 3).unstack(x)\n"),
        Example(TF + "y = struct.pack('i', 3)\n", None, "something else"),
    ],
)
def tensor_array_methods(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    func = node.func
    if not isinstance(func, cst.Attribute) or func.attr.value not in ARRAY_METHODS or names.symbol(func) is not None:
        return
    made = names.assigned(func.value) or func.value
    for _ in range(4):  # through a.write(...).unpack(...)
        if isinstance(made, cst.Call) and names.symbol(made) is None and isinstance(made.func, cst.Attribute):
            made = names.assigned(made.func.value) or made.func.value
    if isinstance(made, cst.Call) and names.symbol(made) == "tf.TensorArray":
        new = ARRAY_METHODS[func.attr.value]
        replacement = node.with_changes(func=func.with_changes(attr=func.attr.with_changes(value=new)))
        yield Match(node, f"TensorArray.{func.attr.value} is {new} since 1.0", replacement=replacement)
