"""Calls of TensorFlow 1 that are another construct in TensorFlow 2."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import libcst as cst

from migrate.calls import in_graph_mode, is_of_two
from migrate.names import UNKNOWN, Names
from migrate.report.finding import Level
from migrate.rule import CALL, Bound, Context, Example, Match, argument, bind, call_with, keyword, rule
from migrate.symbols import signature
from migrate.symbols.verdicts import ONE

TF = "import tensorflow as tf\n"


def bound_by_one(node: cst.Call, names: Names) -> Bound | None:
    """The arguments by 1.15's signature; None when they do not all fit, which the general rule reports."""
    found = signature(names.symbol(node) or "", ONE)
    if found is None:
        return None
    bound = bind(node, found.args, names)
    return bound if bound.is_exact else None


def is_two_already(node: cst.Call, names: Names, context: Context) -> bool:
    return context.generation.version == 2 or is_of_two(node, names.symbol(node) or "")


def same_function(node: cst.Call, args: Sequence[cst.Arg], names: Names, context: Context) -> cst.Call:
    """The call with other arguments; the function is spelled anew, so that no other rule renames it in the same pass."""
    return call_with(node, args, context.spell(names.symbol(node) or "", node.func))


def is_none(node: cst.BaseExpression | None, names: Names) -> bool:
    return node is None or names.literal(node) is None


# -------------------------------------------------------------------------- nn

CASTS: Mapping[str, str] = {
    "tf.to_bfloat16": "tf.bfloat16",
    "tf.to_complex128": "tf.complex128",
    "tf.to_complex64": "tf.complex64",
    "tf.to_double": "tf.float64",
    "tf.to_float": "tf.float32",
    "tf.to_int32": "tf.int32",
    "tf.to_int64": "tf.int64",
}


@rule(
    "cast-by-dtype",
    "Replace tf.to_float and its kin by tf.cast.",
    since="2.0",
    visits=CALL,
    symbols=CASTS,
    targets="2",
    order=50,
    examples=[
        Example(TF + "y = tf.to_float(x, name='y')\n", TF + "y = tf.cast(x, name='y', dtype=tf.float32)\n"),
        Example(TF + "y = tf.to_int64(x, 'y')\n", TF + "y = tf.cast(x, name='y', dtype=tf.int64)\n"),
        Example(TF + "y = tf.cast(x, tf.float32)\n", None),
    ],
)
def cast_by_dtype(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    symbol = names.symbol(node) or ""
    bound = bound_by_one(node, names)
    if bound is None:
        return
    args = [arg if name == "x" else keyword(arg, name) for name, arg in bound.args.items()]
    args.append(argument("dtype", context.spell(CASTS[symbol], node.func)))
    yield Match(node, f"{symbol} is now tf.cast to {CASTS[symbol]}", replacement=call_with(node, args, context.spell("tf.cast", node.func)))


@rule(
    "dropout-rate",
    "Say what tf.nn.dropout drops, not what it keeps.",
    since="2.0",
    visits=CALL,
    symbols=("tf.nn.dropout",),
    targets="2",
    order=50,
    examples=[
        Example(TF + "y = tf.nn.dropout(x, keep_prob)\n", TF + "y = tf.nn.dropout(x, rate=1 - keep_prob)\n"),
        Example(TF + "y = tf.nn.dropout(x, keep_prob=1 - p, seed=3)\n", TF + "y = tf.nn.dropout(x, rate=1 - (1 - p), seed=3)\n"),
        Example(TF + "y = tf.nn.dropout(x, rate=p)\n", None, "a rate already"),
    ],
)
def dropout_rate(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    bound = bound_by_one(node, names)
    if bound is None or "rate" in bound.args or context.generation.version == 2:
        return
    if "keep_prob" not in bound.args:
        yield Match(node, "tf.nn.dropout needs a rate, and none is given", level=Level.WARNING, advice="say which part to drop: rate=0.5")
        return
    args = []
    in_place = True
    for name, arg in bound.args.items():
        in_place = in_place and name == "x"
        if name == "keep_prob":
            rate = context.parse("1 - {keep}", keep=arg.value)
            args.append(keyword(arg.with_changes(value=rate), "rate"))
        else:
            args.append(arg if in_place else keyword(arg, name))
    yield Match(node, "tf.nn.dropout takes the rate: what keep_prob leaves of 1", replacement=same_function(node, args, names, context))


@rule(
    "softmax-cross-entropy-labels",
    "Keep the gradient out of the labels of a softmax cross entropy.",
    since="2.0",
    visits=CALL,
    symbols=("tf.nn.softmax_cross_entropy_with_logits",),
    targets="2",
    order=95,
    why="TensorFlow 1's function did not differentiate by the labels; TensorFlow 2's does.",
    examples=[
        Example(
            TF + "l = tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y)\n",
            TF + "l = tf.nn.softmax_cross_entropy_with_logits(labels=tf.stop_gradient(y_), logits=y)\n",
        ),
        Example(TF + "l = tf.nn.softmax_cross_entropy_with_logits(labels=tf.stop_gradient(y_), logits=y)\n", None),
        Example(TF + "l = tf.nn.softmax_cross_entropy_with_logits(labels=y_, logits=y)\n", None, "written for TensorFlow 2", generation=2),
    ],
)
def softmax_cross_entropy_labels(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    if context.generation.version == 2 or was_called(node, "softmax_cross_entropy_with_logits_v2", context):
        return
    for index, arg in enumerate(node.args):
        if arg.keyword is None or arg.keyword.value != "labels":
            continue
        if isinstance(arg.value, cst.Call) and names.symbol(arg.value) == "tf.stop_gradient":
            return
        stopped = cst.Call(context.spell("tf.stop_gradient", node.func), [cst.Arg(arg.value)])
        args = [*node.args[:index], arg.with_changes(value=stopped), *node.args[index + 1 :]]
        yield Match(
            node,
            "TensorFlow 2 differentiates by the labels too: stop_gradient keeps them out",
            replacement=same_function(node, args, names, context),
        )


def was_called(node: cst.Call, leaf: str, context: Context) -> bool:
    """Whether the source called another function here, before this run renamed it."""
    before = context.original(node)
    return isinstance(before, cst.Call) and isinstance(before.func, (cst.Name, cst.Attribute)) and context.code(before.func).endswith(leaf)


@rule(
    "pool-determinism",
    "Say the determinism of a fractional pool by its seed alone.",
    since="2.0",
    visits=CALL,
    symbols=("tf.nn.fractional_avg_pool", "tf.nn.fractional_max_pool"),
    targets="2",
    order=50,
    examples=[
        Example(
            TF + "y = tf.nn.fractional_max_pool(x, r, deterministic=True, seed2=3)\n",
            TF + "y = tf.nn.fractional_max_pool(x, r, seed=42)\n",
        ),
        Example(TF + "y = tf.nn.fractional_max_pool(x, r)\n", None),
    ],
)
def pool_determinism(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    bound = bound_by_one(node, names)
    if bound is None or not ({"deterministic", "seed2"} & set(bound.args)):
        return
    fixed = bound.args.get("deterministic")
    wants_seed = fixed is not None and names.literal(fixed.value) is not False
    args = [a for name, a in in_order(bound, keep=4) if name not in ("deterministic", "seed2")]
    if wants_seed and "seed" not in bound.args:
        args.append(argument("seed", cst.Integer("42")))
    level = Level.WARNING if wants_seed and "seed" in bound.args else None
    yield Match(
        node,
        f"{names.symbol(node)} takes only seed: a seed that is not 0 makes it deterministic",
        replacement=same_function(node, args, names, context),
        level=level,
        advice="make sure the seed is not 0" if level else "",
    )


def in_order(bound: Bound, keep: int) -> list[tuple[str, cst.Arg]]:
    """The arguments, by keyword but for the first `keep` that came by position."""
    return [
        (name, arg if arg.keyword is not None or index < keep else keyword(arg, name))
        for index, (name, arg) in enumerate(bound.args.items())
    ]


@rule(
    "dilation-format",
    "Name the data format that dilation and erosion need now.",
    since="2.0",
    visits=CALL,
    symbols=("tf.nn.dilation2d", "tf.nn.erosion2d"),
    targets="2",
    order=50,
    examples=[
        Example(
            TF + "y = tf.nn.dilation2d(x, f, [1, 1, 1, 1], [1, 1, 1, 1], 'SAME')\n",
            TF + "y = tf.nn.dilation2d(x, filters=f, strides=[1, 1, 1, 1], dilations=[1, 1, 1, 1], padding='SAME', data_format='NHWC')\n",
        ),
        Example(TF + "y = tf.nn.dilation2d(x, f, s, padding='SAME', data_format='NHWC', dilations=d)\n", None, "TensorFlow 2's already"),
    ],
)
def dilation_format(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    bound = bound_by_one(node, names)
    if bound is None or is_two_already(node, names, context):
        return
    new = {"filter": "filters", "kernel": "filters", "rates": "dilations"}
    args = [arg if index == 0 else keyword(arg, new.get(name, name)) for index, (name, arg) in enumerate(bound.args.items())]
    quote = "'NHWC'"
    args.append(argument("data_format", cst.SimpleString(quote)))
    yield Match(node, f"{names.symbol(node)} needs its data_format", replacement=same_function(node, args, names, context))


@rule(
    "shape-function",
    "Replace tensor_shape.scalar(), vector(n) and matrix(n, m) by the shapes they make.",
    since="2.0",
    visits=CALL,
    symbols=[f"tf.python.framework.tensor_shape.{f}" for f in ("scalar", "vector", "matrix")],
    targets="2",
    order=50,
    examples=[
        Example(
            TF + "from tensorflow.python.framework import tensor_shape\ns = tensor_shape.scalar()\n",
            TF + "from tensorflow.python.framework import tensor_shape\ns = tf.TensorShape([])\n",
        ),
        Example(
            TF + "from tensorflow.python.framework.tensor_shape import matrix\ns = matrix(2, cols=n)\n",
            TF + "from tensorflow.python.framework.tensor_shape import matrix\ns = tf.TensorShape([2, n])\n",
        ),
        Example(TF + "from tensorflow.python.framework import tensor_shape\ns = tensor_shape.as_shape([])\n", None),
    ],
)
def shape_function(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    sizes = [a.value for a in node.args if not a.star]
    if len(sizes) == len(node.args):
        shape = cst.List([cst.Element(n) for n in sizes])
        yield Match(
            node,
            "TensorFlow 2 has no functions for shapes of a rank",
            replacement=call_with(node, [cst.Arg(shape)], context.spell("tf.TensorShape", node.func)),
        )


@rule(
    "constant-shape",
    "Keep a constant that repeats its last value to fill its shape.",
    since="2.0",
    visits=CALL,
    symbols=("tf.constant",),
    targets="2",
    order=50,
    examples=[
        Example(TF + "c = tf.constant([1, 2, 3], shape=[2, 4])\n", TF + "c = tf.compat.v1.constant([1, 2, 3], shape=[2, 4])\n"),
        Example(TF + "c = tf.constant([1, 2, 3, 4], shape=[2, 2])\n", None, "nothing to fill"),
        Example(TF + "c = tf.constant(0.5, shape=s)\n", None, "one value fills any shape"),
        Example(TF + "c = tf.constant(x, shape=s)\n", None, "not known"),
    ],
)
def constant_shape(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    bound = bound_by_one(node, names)
    if bound is None or "shape" not in bound.args or "value" not in bound.args or context.generation.version == 2:
        return
    value, shape = names.literal(bound.args["value"].value), names.literal(bound.args["shape"].value)
    if isinstance(value, (list, tuple)):
        sizes = shape if isinstance(shape, (list, tuple)) else [shape]
        known = all(isinstance(n, int) for n in sizes)
        differs = (known and count(value) != math.prod(sizes)) or (not known and in_graph_mode(names))
    else:
        differs = value is UNKNOWN and in_graph_mode(names)
    if differs:
        new = context.spell("tf.compat.v1.constant", node.func)
        yield Match(
            node, "tf.constant does not repeat its last value any more: tf.compat.v1.constant does", replacement=node.with_changes(func=new)
        )


def count(value: object) -> int:
    return sum(count(v) for v in value) if isinstance(value, (list, tuple)) else 1


# -------------------------------------------------------------------------- arguments that only compat.v1 has

# function -> (argument, the value that TensorFlow 2 always behaves as if it were given)
FIXED: Mapping[str, tuple[str, bool]] = {
    "tf.nn.ctc_beam_search_decoder": ("merge_repeated", False),
    "tf.ones_like": ("optimize", True),
    "tf.while_loop": ("return_same_structure", True),
    "tf.zeros_like": ("optimize", True),
}


@rule(
    "fixed-argument",
    "Drop an argument whose value is the only behaviour left, else call tf.compat.v1.",
    since="2.0",
    visits=CALL,
    symbols=FIXED,
    targets="2",
    order=50,
    examples=[
        Example(TF + "y = tf.zeros_like(x, optimize=True)\n", TF + "y = tf.zeros_like(x)\n"),
        Example(TF + "y = tf.zeros_like(x, optimize=False)\n", TF + "y = tf.compat.v1.zeros_like(x, optimize=False)\n"),
        Example(TF + "y = tf.zeros_like(x)\n", None),
    ],
)
def fixed_argument(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    symbol = names.symbol(node) or ""
    name, value = FIXED[symbol]
    bound = bound_by_one(node, names)
    if bound is None or name not in bound.args:
        return
    given = bound.args[name]
    if names.literal(given.value) is value:
        args = [a for a in node.args if a is not given]
        if len(args) == len(node.args) - 1 and (given.keyword is not None or given is node.args[-1]):
            yield Match(node, f"{symbol} always behaves as with {name}={value}", replacement=same_function(node, args, names, context))
        return
    new = "tf.compat.v1." + symbol[3:]
    yield Match(node, f"{symbol} takes no {name} any more: {new} does", replacement=node.with_changes(func=context.spell(new, node.func)))


@rule(
    "device-function",
    "Call tf.compat.v1.device where a function may be given.",
    since="2.0",
    visits=CALL,
    symbols=("tf.device",),
    targets="2",
    order=50,
    examples=[
        Example(TF + "with tf.device(setter):\n    x = f()\n", TF + "with tf.compat.v1.device(setter):\n    x = f()\n"),
        Example(TF + "with tf.device('/cpu:0'):\n    x = f()\n", None),
    ],
)
def device_function(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    if not node.args or context.generation.version == 2:
        return
    value = node.args[0].value
    is_text = isinstance(value, (cst.SimpleString, cst.FormattedString, cst.ConcatenatedString)) or isinstance(names.literal(value), str)
    is_formatted = isinstance(value, cst.BinaryOperation) and isinstance(value.left, (cst.SimpleString, cst.ConcatenatedString))
    is_formatted |= isinstance(value, cst.Call) and isinstance(value.func, cst.Attribute) and isinstance(value.func.value, cst.SimpleString)
    if is_text or is_formatted:
        if node.args[0].keyword is not None and node.args[0].keyword.value == "device_name_or_function":
            yield Match(
                node,
                "tf.device takes a device_name",
                replacement=same_function(node, [keyword(node.args[0], "device_name")], names, context),
            )
        return
    new = context.spell("tf.compat.v1.device", node.func)
    yield Match(
        node, "tf.device takes no function any more, and this may be one: tf.compat.v1.device does", replacement=node.with_changes(func=new)
    )


@rule(
    "name-scope",
    "Call tf.compat.v1.name_scope where the name may be entered again, and name a default scope.",
    since="2.0",
    visits=CALL,
    symbols=("tf.name_scope",),
    targets="2",
    order=85,
    examples=[
        Example(TF + "with tf.name_scope('a'):\n    x = f()\n", TF + "with tf.compat.v1.name_scope('a'):\n    x = f()\n"),
        Example(
            TF + "with tf.name_scope(None, default_name='a', values=[x]):\n    x = f()\n",
            TF + "with tf.name_scope(name='a'):\n    x = f()\n",
        ),
        Example(TF + "with tf.name_scope('a'):\n    x = f()\n", None, "written for TensorFlow 2", generation=2),
    ],
)
def name_scope(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    bound = bound_by_one(node, names)
    if bound is None or context.generation.version == 2:
        return
    if len(node.args) == 1 and node.args[0].keyword is not None and "name" in bound.args:
        return  # what a default name became
    name, default = bound.args.get("name"), bound.args.get("default_name")
    if name is not None and not is_none(name.value, names):
        new = context.spell("tf.compat.v1.name_scope", node.func)
        yield Match(
            node,
            "tf.name_scope enters no scope again in TensorFlow 2: tf.compat.v1.name_scope does",
            replacement=node.with_changes(func=new),
        )
    elif default is not None:
        args = [keyword(default, "name")]
        yield Match(node, "tf.name_scope takes only a name", replacement=same_function(node, args, names, context))
    elif node.args:
        yield Match(node, "tf.name_scope takes only a name, and none is given", level=Level.WARNING, advice="give the scope a name")


# -------------------------------------------------------------------------- images and strings


RESIZES: Mapping[str, str] = {
    "tf.image.resize_area": "tf.image.ResizeMethod.AREA",
    "tf.image.resize_bicubic": "tf.image.ResizeMethod.BICUBIC",
    "tf.image.resize_bilinear": "tf.image.ResizeMethod.BILINEAR",
    "tf.image.resize_nearest_neighbor": "tf.image.ResizeMethod.NEAREST_NEIGHBOR",
}


@rule(
    "image-resize",
    "Replace tf.image.resize_bilinear and its kin by tf.image.resize.",
    since="2.0",
    visits=CALL,
    symbols=RESIZES,
    targets="2",
    order=50,
    why="The native function samples at the centres of the pixels: a script that runs a graph keeps its numbers with tf.compat.v1.",
    examples=[
        Example(TF + "y = tf.image.resize_area(x, s)\n", TF + "y = tf.image.resize(x, s, method=tf.image.ResizeMethod.AREA)\n"),
        Example(TF + "y = tf.image.resize_area(x, s, align_corners=True)\n", None, "left to the rename: only tf.compat.v1 aligns corners"),
        Example(TF + "y = tf.image.resize_area(x, s)\nsess = tf.Session()\n", None, "left to the rename: a graph keeps its numbers"),
    ],
)
def image_resize(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    symbol = names.symbol(node) or ""
    bound = bound_by_one(node, names)
    if bound is None or in_graph_mode(names) or "half_pixel_centers" in bound.args:
        return
    corners = bound.args.get("align_corners")
    if corners is not None and names.literal(corners.value) is not False:
        return
    args = [a for name, a in in_order(bound, keep=2) if name != "align_corners"]
    args.append(argument("method", context.spell(RESIZES[symbol], node.func)))
    yield Match(
        node,
        f"{symbol} is now tf.image.resize",
        replacement=call_with(node, args, context.spell("tf.image.resize", node.func)),
        level=Level.WARNING,
        advice=f"it samples at pixel centres: tf.compat.v1.{symbol[3:]} gives the old numbers",
    )


@rule(
    "resize-images",
    "Keep the numbers of tf.image.resize_images in a script that runs a graph.",
    since="2.0",
    visits=CALL,
    symbols=("tf.image.resize_images",),
    targets="2",
    order=50,
    examples=[
        Example(
            TF + "y = tf.image.resize_images(x, s)\nsess = tf.Session()\n",
            TF + "y = tf.compat.v1.image.resize_images(x, s)\nsess = tf.Session()\n",
        ),
        Example(TF + "y = tf.image.resize_images(x, s)\n", TF + "y = tf.image.resize(x, s)\n"),
        Example(TF + "y = tf.image.resize(x, s)\n", None),
    ],
)
def resize_images(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    bound = bound_by_one(node, names)
    corners = bound.args.get("align_corners") if bound is not None else None
    aligned = corners is not None and names.literal(corners.value) is not False
    if bound is None or in_graph_mode(names) or aligned:
        new = context.spell("tf.compat.v1.image.resize_images", node.func)
        yield Match(
            node,
            "tf.image.resize samples at pixel centres: tf.compat.v1.image.resize_images as before",
            replacement=node.with_changes(func=new),
        )
        return
    args = [a for name, a in in_order(bound, keep=3) if name != "align_corners"]
    yield Match(
        node,
        "tf.image.resize_images is now tf.image.resize",
        replacement=call_with(node, args, context.spell("tf.image.resize", node.func)),
        level=Level.WARNING,
        advice="it samples at pixel centres: tf.compat.v1.image.resize_images gives the old numbers",
    )


@rule(
    "glimpse-noise",
    "Say the noise of a glimpse by its name.",
    since="2.0",
    visits=CALL,
    symbols=("tf.image.extract_glimpse",),
    targets="2",
    order=50,
    examples=[
        Example(
            TF + "g = tf.image.extract_glimpse(x, s, o, uniform_noise=u)\n",
            TF + "g = tf.image.extract_glimpse(x, s, o, noise='uniform' if u else 'gaussian')\n",
        ),
        Example(TF + "g = tf.image.extract_glimpse(x, s, o)\n", None),
    ],
)
def glimpse_noise(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    bound = bound_by_one(node, names)
    given = bound.args.get("uniform_noise") if bound is not None else None
    if bound is None or given is None or context.generation.version == 2:
        return
    noise = context.parse("'uniform' if {flag} else 'gaussian'", flag=given.value)
    args = []
    for name, arg in bound.args.items():
        new = (
            arg
            if name in ("input", "size", "offsets", "centered", "normalized")
            else keyword(arg, "noise" if name == "uniform_noise" else name)
        )
        args.append(new.with_changes(value=noise) if name == "uniform_noise" else new)
    yield Match(node, "tf.image.extract_glimpse takes the noise by name", replacement=same_function(node, args, names, context))


@rule(
    "strings-split",
    "Make the sparse tensor that tf.strings.split used to return.",
    since="2.0",
    visits=CALL,
    symbols=("tf.strings.split",),
    targets="2",
    order=50,
    examples=[
        Example(TF + "y = tf.strings.split(source=x, sep=',')\n", TF + "y = tf.strings.split(input=x, sep=',').to_sparse()\n"),
        Example(TF + "y = tf.strings.split(x).to_sparse()\n", None),
    ],
)
def strings_split(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    above = names.parent(node)
    if context.generation.version == 2 or (isinstance(above, cst.Attribute) and above.attr.value == "to_sparse"):
        return
    bound = bound_by_one(node, names)
    before = context.original(node)
    if bound is None or (
        before is not node and isinstance(before, cst.Call) and any(a.keyword and a.keyword.value == "result_type" for a in before.args)
    ):
        return
    kind = bound.args.get("result_type")
    wanted = names.literal(kind.value) if kind is not None else "SparseTensor"
    if wanted not in ("SparseTensor", "RaggedTensor"):
        new = context.spell("tf.compat.v1.strings.split", node.func)
        yield Match(node, "the result_type is not known here: tf.compat.v1.strings.split takes it", replacement=node.with_changes(func=new))
        return
    args = [keyword(a, "input") if name == "source" else a for name, a in in_order(bound, keep=3) if name != "result_type"]
    call = same_function(node, args, names, context)
    sparse = wanted == "SparseTensor"
    if not sparse and kind is None:
        return
    replacement = cst.Call(cst.Attribute(call, cst.Name("to_sparse"))) if sparse else call
    yield Match(node, "tf.strings.split returns a ragged tensor", replacement=replacement)


# -------------------------------------------------------------------------- Keras, estimators, datasets


@rule(
    "save-model-format",
    "Keep writing HDF5 where tf.keras.models.save_model did.",
    since="2.0",
    visits=CALL,
    symbols=("tf.keras.models.save_model",),
    targets="2",
    order=50,
    examples=[
        Example(TF + "tf.keras.models.save_model(m, path)\n", TF + "tf.keras.models.save_model(m, path, save_format='h5')\n"),
        Example(TF + "tf.keras.models.save_model(m, path, save_format='tf')\n", None),
    ],
)
def save_model_format(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    bound = bound_by_one(node, names)
    if bound is None or "save_format" in bound.args or context.generation.version == 2:
        return
    args = [*node.args, argument("save_format", cst.SimpleString("'h5'"))]
    yield Match(node, "the default format is TensorFlow's SavedModel now", replacement=same_function(node, args, names, context))


# canned estimator -> (arguments that keep it on tf.compat.v1, whether its loss was summed)
ESTIMATORS: Mapping[str, tuple[tuple[str, ...], bool]] = {
    "tf.estimator.BaselineClassifier": (("optimizer",), True),
    "tf.estimator.BaselineEstimator": (("optimizer",), False),
    "tf.estimator.BaselineRegressor": (("input_layer_partitioner", "optimizer"), True),
    "tf.estimator.DNNClassifier": (("input_layer_partitioner", "optimizer"), True),
    "tf.estimator.DNNEstimator": (("input_layer_partitioner", "optimizer"), False),
    "tf.estimator.DNNLinearCombinedClassifier": (("input_layer_partitioner", "dnn_optimizer", "linear_optimizer"), True),
    "tf.estimator.DNNLinearCombinedEstimator": (("input_layer_partitioner", "dnn_optimizer", "linear_optimizer"), False),
    "tf.estimator.DNNLinearCombinedRegressor": (("input_layer_partitioner", "dnn_optimizer", "linear_optimizer"), True),
    "tf.estimator.DNNRegressor": (("input_layer_partitioner", "optimizer"), True),
    "tf.estimator.LinearClassifier": (("input_layer_partitioner", "optimizer"), True),
    "tf.estimator.LinearEstimator": (("input_layer_partitioner", "optimizer"), False),
    "tf.estimator.LinearRegressor": (("input_layer_partitioner", "optimizer"), True),
}
# what 1.15's signature has under another name
PARTITIONER = "partitioner"


@rule(
    "canned-estimator",
    "Keep the summed loss and the optimizers of a canned estimator.",
    since="2.0",
    visits=CALL,
    symbols=ESTIMATORS,
    targets="2",
    order=50,
    examples=[
        Example(
            TF + "e = tf.estimator.DNNRegressor([8], columns)\n",
            TF + "e = tf.estimator.DNNRegressor([8], columns, loss_reduction=tf.keras.losses.Reduction.SUM)\n",
        ),
        Example(
            TF + "e = tf.estimator.DNNEstimator(head, [8], columns, optimizer=o)\n",
            TF + "e = tf.compat.v1.estimator.DNNEstimator(head, [8], columns, optimizer=o)\n",
        ),
        Example(TF + "e = tf.estimator.DNNEstimator(head, [8], columns)\n", None),
    ],
)
def canned_estimator(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    symbol = names.symbol(node) or ""
    if context.generation.version == 2:
        return
    found = signature(symbol, ONE)
    bound = bind(node, found.args if found else (), names)
    given = set(bound.args) | {a.keyword.value for a in bound.unknown if a.keyword is not None}
    keeps, summed = ESTIMATORS[symbol]
    on_v1 = bool(given & {*keeps, PARTITIONER}) or bool(bound.unresolved)
    args = list(node.args)
    if summed and "loss_reduction" not in given and not bound.unresolved:
        args.append(argument("loss_reduction", context.spell("tf.keras.losses.Reduction.SUM", node.func)))
    if not on_v1 and len(args) == len(node.args):
        return
    if not on_v1:
        # 1.15 and 2.15 have the same order up to what is given by position
        two = signature(symbol, "2.15.1")
        positions = sum(a.keyword is None for a in node.args)
        if found is None or two is None or found.args[:positions] != two.args[:positions]:
            args = [keyword(a, name) for name, a in bound.args.items()] + args[len(node.args) :]
    func = context.spell(("tf.compat.v1." + symbol[3:]) if on_v1 else symbol, node.func)
    yield Match(node, f"{symbol} averages its loss now, and takes Keras optimizers", replacement=call_with(node, args, func))


@rule(
    "dataset-iterator",
    "Replace the iterator methods of a dataset by functions.",
    since="2.0",
    visits=cst.Call,
    targets="2",
    order=50,
    methods=("make_initializable_iterator", "make_one_shot_iterator"),
    examples=[
        Example(TF + "it = dataset.make_one_shot_iterator()\n", TF + "it = tf.compat.v1.data.make_one_shot_iterator(dataset)\n"),
        Example(TF + "it = tf.compat.v1.data.make_one_shot_iterator(dataset)\n", None),
        Example(TF + "def f(tf, d):\n    return tf.compat.v1.data.make_one_shot_iterator(d)\n", None, "a tf that was passed on"),
        Example("it = dataset.make_one_shot_iterator()\n", None, "no TensorFlow in this file"),
    ],
)
def dataset_iterator(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    func = node.func
    if not isinstance(func, cst.Attribute) or func.attr.value not in ("make_one_shot_iterator", "make_initializable_iterator"):
        return
    symbol = names.symbol(func)
    if not names.imports or (symbol is not None and symbol.startswith(("tf.compat.", "tf.data.make"))):
        return
    if isinstance(func.value, cst.Name) and func.value.value == "self":
        return
    if isinstance(func.value, cst.Attribute) and func.value.attr.value == "data" and node.args:
        return  # the function, of a module that goes by another name
    method = func.attr.value
    args = [cst.Arg(func.value), *node.args]
    new = context.spell(f"tf.compat.v1.data.{method}", names.imports[0] if symbol is None else func)
    yield Match(node, f"datasets have no {method} any more: tf.compat.v1.data has it", replacement=call_with(node, args, new))


@rule(
    "colocated-gradients",
    "Drop colocate_gradients_with_ops, which is always so now.",
    since="2.0",
    visits=cst.Call,
    targets="2",
    order=50,
    methods=("compute_gradients", "minimize"),
    examples=[
        Example(TF + "t = o.minimize(l, colocate_gradients_with_ops=True)\n", TF + "t = o.minimize(l)\n"),
        Example(TF + "t = o.minimize(l, var_list=v)\n", None),
        Example(
            TF + "t = o.minimize(l, colocate_gradients_with_ops=True)\ns = tf.Session()\n", None, "the optimizers of tf.compat.v1 take it"
        ),
    ],
)
def colocated_gradients(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    func = node.func
    if not isinstance(func, cst.Attribute) or func.attr.value not in ("minimize", "compute_gradients"):
        return
    if not names.imports or names.symbol(func) is not None or in_graph_mode(names):
        return
    args = [a for a in node.args if a.keyword is None or a.keyword.value != "colocate_gradients_with_ops"]
    if len(args) < len(node.args):
        message = f"{func.attr.value} takes no colocate_gradients_with_ops: gradients are always beside their ops"
        yield Match(node, message, replacement=call_with(node, args), level=Level.WARNING)


# -------------------------------------------------------------------------- contrib


SUMMARIES: Mapping[str, tuple[str, Mapping[str, str | None]]] = {
    "tf.contrib.summary.audio": ("tf.compat.v2.summary.audio", {"family": None, "tensor": "data"}),
    "tf.contrib.summary.generic": ("tf.compat.v2.summary.write", {"family": None, "name": "tag", "tensor": "data"}),
    "tf.contrib.summary.histogram": ("tf.compat.v2.summary.histogram", {"family": None, "tensor": "data"}),
    "tf.contrib.summary.image": (
        "tf.compat.v2.summary.image",
        {"bad_color": None, "family": None, "max_images": "max_outputs", "tensor": "data"},
    ),
    "tf.contrib.summary.scalar": ("tf.compat.v2.summary.scalar", {"family": None, "tensor": "data"}),
}


@rule(
    "contrib-summary",
    "Replace the summary functions of contrib by TensorFlow 2's, with their step.",
    since="2.0",
    visits=CALL,
    symbols=SUMMARIES,
    targets="2",
    order=50,
    examples=[
        Example(
            TF + "tf.contrib.summary.scalar('loss', x, step=7)\n",
            TF + "tf.compat.v2.summary.scalar(name='loss', data=x, step=7)\n",
        ),
        Example(
            TF + "tf.contrib.summary.scalar('loss', x)\n",
            TF + "tf.compat.v2.summary.scalar(name='loss', data=x, step=tf.compat.v1.train.get_or_create_global_step())\n",
        ),
        Example(TF + "tf.summary.scalar('loss', x, step=7)\n", None),
    ],
)
def contrib_summary(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    symbol = names.symbol(node) or ""
    new, rename = SUMMARIES[symbol]
    bound = bound_by_one(node, names)
    if bound is None:
        return
    args, lost = [], []
    for name, arg in bound.args.items():
        word = rename.get(name, name)
        if word is None:
            lost.append(name)
        else:
            args.append(keyword(arg, word))
    if "step" not in bound.args:
        step = cst.Call(context.spell("tf.compat.v1.train.get_or_create_global_step", node.func))
        args.append(argument("step", step))
    advice = "look at the tags it writes" + (f": {' and '.join(lost)} are not taken, use a name scope" if lost else "")
    replacement = call_with(node, args, context.spell(new, node.func))
    yield Match(node, f"{symbol} is now {new} and needs a step", replacement=replacement, level=Level.WARNING, advice=advice)


RECORDS: Mapping[str, str] = {"tf.contrib.summary.always_record_summaries": "True", "tf.contrib.summary.never_record_summaries": "False"}


@rule(
    "record-if",
    "Say with a condition when summaries are recorded.",
    since="2.0",
    visits=CALL,
    symbols=RECORDS,
    targets="2",
    order=50,
    examples=[
        Example(
            TF + "with tf.contrib.summary.always_record_summaries():\n    f()\n",
            TF + "with tf.compat.v2.summary.record_if(True):\n    f()\n",
        ),
        Example(TF + "with tf.summary.record_if(True):\n    f()\n", None),
    ],
)
def record_if(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    symbol = names.symbol(node) or ""
    args = [*node.args, cst.Arg(cst.Name(RECORDS[symbol]))]
    func = context.spell("tf.compat.v2.summary.record_if", node.func)
    yield Match(node, f"{symbol} is now record_if({RECORDS[symbol]})", replacement=call_with(node, args, func))


@rule(
    "summary-file-writer",
    "Open a summary writer without sharing it by name.",
    since="2.0",
    visits=CALL,
    symbols=("tf.contrib.summary.create_file_writer",),
    targets="2",
    order=50,
    examples=[
        Example(
            TF + "w = tf.contrib.summary.create_file_writer(d, name='w')\n",
            TF + "w = tf.compat.v2.summary.create_file_writer(logdir=d)\n",
        ),
        Example(TF + "w = tf.summary.create_file_writer(d)\n", None),
    ],
)
def summary_file_writer(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    bound = bound_by_one(node, names)
    if bound is None:
        return
    args = [keyword(arg, name) for name, arg in bound.args.items() if name != "name"]
    yield Match(
        node,
        "tf.contrib.summary.create_file_writer is now tf.compat.v2.summary.create_file_writer",
        replacement=call_with(node, args, context.spell("tf.compat.v2.summary.create_file_writer", node.func)),
        level=Level.WARNING,
        advice="it opens a new file each time: keep the writer and use it again",
    )


@rule(
    "contrib-regularizer",
    "Replace the regularizers of tf.contrib.layers by those of Keras.",
    since="2.0",
    visits=CALL,
    symbols=("tf.contrib.layers.l1_regularizer", "tf.contrib.layers.l2_regularizer"),
    targets="2",
    order=50,
    why="Keras' l2 is not halved: 0.5 keeps the loss.",
    examples=[
        Example(TF + "r = tf.contrib.layers.l2_regularizer(s)\n", TF + "r = tf.keras.regularizers.l2(0.5 * s)\n"),
        Example(TF + "r = tf.contrib.layers.l1_regularizer(scale=0.1, scope='a')\n", TF + "r = tf.keras.regularizers.l1(l=0.1)\n"),
        Example(TF + "r = tf.keras.regularizers.l2(0.1)\n", None),
    ],
)
def contrib_regularizer(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    symbol = names.symbol(node) or ""
    bound = bound_by_one(node, names)
    if bound is None or "scale" not in bound.args:
        return
    kind = symbol.rpartition(".")[2][:2]
    yield regularizer(node, bound, kind, symbol, context)


def regularizer(node: cst.Call, bound: Bound, kind: str, symbol: str, context: Context) -> Match:
    scale = bound.args["scale"]
    value = context.parse("0.5 * {scale}", scale=scale.value) if kind == "l2" else scale.value
    arg = scale.with_changes(value=value)
    args = [keyword(arg, "l") if arg.keyword is not None else arg]
    func = context.spell(f"tf.keras.regularizers.{kind}", node.func)
    lost = "scope" in bound.args
    return Match(
        node,
        f"{symbol} is now tf.keras.regularizers.{kind}" + ("; scope is gone" if lost else ""),
        replacement=call_with(node, args, func),
        level=Level.WARNING if lost else None,
    )


@rule(
    "contrib-initializer",
    "Replace the initializers of tf.contrib.layers by variance scaling.",
    since="2.0",
    visits=CALL,
    symbols=(
        "tf.contrib.layers.variance_scaling_initializer",
        "tf.contrib.layers.xavier_initializer",
        "tf.contrib.layers.xavier_initializer_conv2d",
    ),
    targets="2",
    order=50,
    examples=[
        Example(
            TF + "i = tf.contrib.layers.xavier_initializer()\n",
            TF + "i = tf.compat.v1.keras.initializers.VarianceScaling(scale=1.0, mode='fan_avg', distribution='uniform')\n",
        ),
        Example(
            TF + "i = tf.contrib.layers.variance_scaling_initializer(mode='FAN_AVG', uniform=u)\n",
            TF + "i = tf.compat.v1.keras.initializers.VarianceScaling(scale=2.0, mode='FAN_AVG'.lower(), "
            "distribution='uniform' if u else 'truncated_normal')\n",
        ),
        Example(TF + "i = tf.glorot_uniform_initializer()\n", None),
    ],
)
def contrib_initializer(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    bound = bound_by_one(node, names)
    if bound is not None:
        yield initializer(node, bound, names.symbol(node) or "", context)


def initializer(node: cst.Call, bound: Bound, symbol: str, context: Context) -> Match:
    args: list[cst.Arg] = []
    is_xavier = "xavier" in symbol
    if is_xavier:
        args += [argument("scale", cst.Float("1.0")), argument("mode", cst.SimpleString("'fan_avg'"))]
        if "uniform" not in bound.args:
            args.append(argument("distribution", cst.SimpleString("'uniform'")))
    elif "factor" not in bound.args:
        args.append(argument("scale", cst.Float("2.0")))
    for name, arg in bound.args.items():
        if name == "factor":
            args.append(keyword(arg, "scale"))
        elif name == "mode":
            args.append(argument("mode", context.parse("{mode}.lower()", mode=arg.value)))
        elif name == "uniform":
            args.append(argument("distribution", context.parse("'uniform' if {flag} else 'truncated_normal'", flag=arg.value)))
        else:
            args.append(keyword(arg, name))
    func = context.spell("tf.compat.v1.keras.initializers.VarianceScaling", node.func)
    return Match(node, f"{symbol} is a variance scaling", replacement=call_with(node, args, func))


# -------------------------------------------------------------------------- what a file does not import

UNBOUND_LAYERS = (
    "l1_regularizer",
    "l2_regularizer",
    "variance_scaling_initializer",
    "xavier_initializer",
    "xavier_initializer_conv2d",
)


@rule(
    "unbound-slim",
    "Replace the regularizers and initializers of slim where slim comes from elsewhere.",
    since="2.0",
    visits=cst.Call,
    targets="2",
    order=50,
    methods=UNBOUND_LAYERS,
    why="A cell of a notebook, or a file with a star import, uses slim without importing it.",
    examples=[
        Example(TF + "r = slim.l2_regularizer(scale=0.4)\n", TF + "r = tf.keras.regularizers.l2(l=0.5 * 0.4)\n"),
        Example(
            TF + "i = contrib_layers.xavier_initializer()\n",
            TF + "i = tf.compat.v1.keras.initializers.VarianceScaling(scale=1.0, mode='fan_avg', distribution='uniform')\n",
        ),
        Example(TF + "import other as slim\nr = slim.l2_regularizer(scale=0.4)\n", None, "slim is something else"),
    ],
)
def unbound_slim(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    func = node.func
    if (
        not (isinstance(func, cst.Attribute) and func.attr.value in UNBOUND_LAYERS and isinstance(func.value, cst.Name))
        or not names.imports
    ):
        return
    if names.scope_of(func).lookup(func.value.value) is not None:
        return
    symbol = "tf.contrib.layers." + func.attr.value
    found = signature(symbol, ONE)
    bound = bind(node, found.args if found else (), names)
    if not bound.is_exact:
        return
    if "regularizer" not in symbol:
        yield initializer(node, bound, symbol, context)
    elif "scale" in bound.args:
        yield regularizer(node, bound, func.attr.value[:2], symbol, context)
