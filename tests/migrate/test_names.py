"""Names resolve through every import form, and only where they mean TensorFlow."""

from __future__ import annotations

import libcst as cst
import pytest

from migrate.names import Names


def symbols(source: str) -> list[str]:
    """The symbols of the maximal chains of a source, in order."""
    names = Names(cst.parse_module(source))
    return [names.symbol(node) or "" for node in names.references]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import tensorflow as tf\ntf.nn.relu(x)\n", ["tf.nn.relu"]),
        ("import tensorflow\ntensorflow.nn.relu(x)\n", ["tf.nn.relu"]),
        ("import tensorflow as T\nT.mul\n", ["tf.mul"]),
        ("from tensorflow import nn\nnn.relu(x)\n", ["tf.nn.relu"]),
        ("from tensorflow.nn import relu as r\nr(x)\n", ["tf.nn.relu"]),
        ("import tensorflow.contrib.slim as slim\nslim.conv2d(x)\n", ["tf.contrib.slim.conv2d"]),
        ("import tensorflow.contrib.slim\ntensorflow.contrib.slim.conv2d(x)\n", ["tf.contrib.slim.conv2d"]),
        ("import tensorflow.compat.v1 as tf\ntf.placeholder\n", ["tf.compat.v1.placeholder"]),
        ("from tensorflow.python.ops import rnn, rnn_cell as c\nc.GRUCell\n", ["tf.python.ops.rnn_cell.GRUCell"]),
        ("import tensorflow as tf\nL = tf.contrib.layers\nL.fc(x)\n", ["tf.contrib.layers", "tf.contrib.layers.fc"]),
        ("import tensorflow as tf\na, b = tf.nn, tf.train\nb.Saver\n", ["tf.nn", "tf.train", "tf.train.Saver"]),
        ("def f():\n    import tensorflow as tf\n    return tf.nn\ntf.nn\n", ["tf.nn"]),
        ("def f():\n    global tf\n    import tensorflow as tf\ndef g():\n    return tf.nn\n", ["tf.nn"]),
        ("try:\n    import tensorflow as tf\nexcept ImportError:\n    tf = None\ntf.nn\n", ["tf.nn"]),
        ("try:\n    import tensorflow.compat.v1 as tf\nexcept ImportError:\n    import tensorflow as tf\ntf.nn\n", ["tf.compat.v1.nn"]),
        ("import tensorflow as tf\n@tf.custom\ndef f(x: tf.Tensor = tf.zeros(1)): pass\n", ["tf.custom", "tf.Tensor", "tf.zeros"]),
        (
            "import tensorflow as tf\nclass A(tf.Module):\n    x = tf.one\n    def f(self): return tf.two\n",
            ["tf.Module", "tf.one", "tf.two"],
        ),
        ("import tensorflow as tf\nx = [tf.a for tf in y]\ntf.b\n", ["tf.b"]),
        ("import tensorflow as tf\nx = [tf.a for i in tf.b if tf.c]\n", ["tf.a", "tf.b", "tf.c"]),
        ("import tensorflow as tf\nf = lambda tf: tf.a\ng = lambda x: tf.b\n", ["tf.b"]),
        ('import tensorflow as tf\ns = f"{tf.a} tf.b"\n', ["tf.a"]),
        (
            "import tensorflow as tf\nwith tf.Session() as s, tf.device(d):\n    tf.x.y[tf.z] = 1\n",
            ["tf.Session", "tf.device", "tf.x.y", "tf.z"],
        ),
        ("import tensorflow as tf\nf(**tf.a)[tf.b:tf.c]\n", ["tf.a", "tf.b", "tf.c"]),
        ("import tensorflow as tf\n# tf.mul\n'''tf.mul'''\nx = 'tf.mul'\n", []),
    ],
)
def test_resolved(source: str, expected: list[str]) -> None:
    assert sorted(symbols(source)) == sorted(expected)


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as tf\ntf.mul\n",
        "from . import tensorflow as tf\ntf.mul\n",
        "from .tensorflow import nn\nnn.relu\n",
        "import tensorflow_probability as tf\ntf.mul\n",
        "import tensorflow as tf\ndef f(tf):\n    return tf.mul\n",
        "import tensorflow as tf\ndef f():\n    tf = 3\n    return tf.mul\n",
        "import tensorflow as tf\ndef f():\n    for tf in x:\n        tf.mul\n",
        "import tensorflow as tf\ndef f():\n    with x as tf:\n        tf.mul\n",
        "import tensorflow as tf\ntf = other()\ntf.mul\n",
        "import tensorflow as tf\nclass A:\n    pass\ndef f(*tf, **k):\n    return tf.mul\n",
        "import tensorflow as tf\nf(tf=1)\nx.tf.mul\n",
        "class A:\n    import tensorflow as tf\n    def f(self):\n        return tf.mul\n",
    ],
)
def test_foreign(source: str) -> None:
    assert [s for s in symbols(source) if s.endswith(("mul", "relu"))] == []


def test_order_is_the_order_of_the_source() -> None:
    source = "import tensorflow as tf\nfrom tensorflow import nn\n" + "".join(f"tf.a{n}\nnn.b{n}\n" for n in range(20))
    expected = [s for n in range(20) for s in (f"tf.a{n}", f"tf.nn.b{n}")]
    assert symbols(source) == expected


def test_public_names_of_private_paths() -> None:
    public = {"tf.python.ops.rnn_cell": "tf.nn.rnn_cell", "tf.python.ops.math_ops.matmul": "tf.matmul"}.get
    names = Names(
        cst.parse_module("from tensorflow.python.ops import rnn_cell, math_ops\nrnn_cell.GRUCell\nmath_ops.matmul\n"), public=public
    )
    assert [names.symbol(n) for n in names.references] == ["tf.nn.rnn_cell.GRUCell", "tf.matmul"]
    assert [names.path(n) for n in names.references] == ["tf.python.ops.rnn_cell.GRUCell", "tf.python.ops.math_ops.matmul"]


def test_literals_through_names() -> None:
    names = Names(cst.parse_module("import tensorflow as tf\ndims = [True, False]\ntf.reverse(x, dims)\ntf.reverse(x, [1, n])\n"))
    first, second = (names.call_of(n) for n in names.references)
    assert first is not None
    assert second is not None
    assert names.literal(first.args[1].value) == [True, False]
    assert not isinstance(names.literal(second.args[1].value), list)


def test_uses_of_a_binding() -> None:
    names = Names(cst.parse_module("from tensorflow import nn\nnn.relu\ndef f(nn):\n    return nn\nnn\n"))
    binding = names.scope.bindings["nn"][0]
    assert len(names.uses(binding)) == 2
