"""The engine: passes, conflicts, imports and insertions, places, ignores; with rules made for the tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import libcst as cst
import pytest

from migrate import engine
from migrate.names import Names
from migrate.report.finding import Finding
from migrate.rule import CALL, REFERENCE, REMOVE, Context, Generation, Match, Rule, bind, call_with, keyword

NEW = {
    "tf.mul": "tf.multiply",
    "tf.contrib.slim": "tf_slim",
    "tf.pack": "tf.stack",
    "tf.contrib.rnn": "tf.nn.rnn_cell",
    "tf.step1": "tf.step2",
    "tf.step2": "tf.step3",
}


def rename(node: Any, names: Names, context: Context) -> Iterator[Match]:
    symbol = names.symbol(node) or ""
    for old, new in NEW.items():
        if symbol == old or symbol.startswith(old + ".contents"):
            yield Match(node, f"{old} is {new}", rename=new + symbol[len(old) :])
    if symbol.startswith("tf.contrib.slim."):
        yield Match(node, "slim moved", rename="tf_slim" + symbol[len("tf.contrib.slim") :])


def concat(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    bound = bind(node, ["axis", "values", "name"], names)
    if bound.unresolved:
        yield Match(node, "a star")
    elif node.args and node.args[0].keyword is None and not bound.unknown:
        yield Match(node, "named", call_with(node, [keyword(a, n) for n, a in bound.args.items()]))


def once(node: Any, names: Names, context: Context) -> Iterator[Match]:
    yield Match(node, "v1", statements=("{tf}.compat.v1.disable_v2_behavior()",), helpers=("def helper(x):\n    return x\n",))


def drop(node: cst.Call, names: Names, context: Context) -> Iterator[Match]:
    yield Match(names.parent(names.parent(node)), "gone", REMOVE)  # type: ignore[arg-type]


def a_rule(id: str, check: Any, visits: tuple[type, ...], **more: Any) -> Rule:
    return Rule(id, id, "1.0", visits, (), check, **more)


RULES = [
    a_rule("rename", rename, REFERENCE, prefix=("tf.",)),
    a_rule("concat", concat, CALL, symbols=["tf.concat"]),
    a_rule("once", once, CALL, symbols=["tf.placeholder"]),
    a_rule("drop", drop, CALL, symbols=["tf.noop"]),
]


@pytest.fixture(autouse=True)
def rules(monkeypatch: pytest.MonkeyPatch) -> None:
    made = engine.Dispatch(RULES)
    monkeypatch.setattr(engine, "dispatch_for", lambda target, only, dialect: made)


def run(source: str) -> tuple[str, list[Finding]]:
    result = engine.rewrite(cst.parse_module(source), source, target="2", filename="f.py", judge=lambda names: Generation())
    return result.code, result.findings


TF = "import tensorflow as tf\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (TF + "tf.mul(a, b)  # c\n", TF + "tf.multiply(a, b)  # c\n"),
        (TF + "tf.mul(tf.pack([tf.mul(a, b)]), c)\n", TF + "tf.multiply(tf.stack([tf.multiply(a, b)]), c)\n"),
        (TF + "tf.step1(x)\n", TF + "tf.step3(x)\n"),
        (
            TF + "tf.concat(0,  # axis\n          [tf.mul(a, b)],)\n",
            TF + "tf.concat(axis=0,  # axis\n          values=[tf.multiply(a, b)],)\n",
        ),
        (TF + "tf.concat(*(0, x))\n", TF + "tf.concat(axis=0, values=x)\n"),
        (TF + "args = (0, x)\ntf.concat(*args)\n", TF + "args = (0, x)\ntf.concat(axis=0, values=x)\n"),
        (TF + "tf.concat(*args)\n", TF + "tf.concat(*args)\n"),
        (TF + "if x:\n    tf.noop()\n", TF + "if x:\n    pass\n"),
        (TF + "# why\ntf.noop()\nx = 1\n", TF + "# why\nx = 1\n"),
        (TF + "\ntf.noop()\nx = 1\n", TF + "\nx = 1\n"),
        (TF + "\ntf.noop()\n\nx = 1\n", TF + "\nx = 1\n"),
        (TF + "(tf.mul)(a)\n", TF + "(tf.multiply)(a)\n"),
        ("from tensorflow import mul\nmul(a)\n", "from tensorflow import multiply as mul\nmul(a)\n"),
        (
            "from tensorflow import (\n    mul,  # m\n    add,\n)\nmul(a)\n",
            "from tensorflow import (\n    multiply as mul,  # m\n    add,\n)\nmul(a)\n",
        ),
        ("import tensorflow.contrib.slim as slim\nslim.conv(x)\n", "import tf_slim as slim\nslim.conv(x)\n"),
        ("from tensorflow.contrib import slim\nslim.conv(x)\n", "import tf_slim as slim\nslim.conv(x)\n"),
        (
            "from tensorflow.contrib import slim, layers\nslim.conv(x)\n",
            "from tensorflow.contrib import layers\nimport tf_slim as slim\nslim.conv(x)\n",
        ),
        ("from tensorflow.contrib import rnn\nrnn.Cell()\n", "from tensorflow.nn import rnn_cell as rnn\nrnn.Cell()\n"),
        (TF + "slim = tf.contrib.slim\nslim.conv(x)\n", TF + "import tf_slim\nslim = tf_slim\nslim.conv(x)\n"),
        (TF + "tf.contrib.slim.conv(x)\n", TF + "import tf_slim\ntf_slim.conv(x)\n"),
        ("import tensorflow.contrib.slim\ntensorflow.contrib.slim.conv(x)\n", "import tensorflow\nimport tf_slim\ntf_slim.conv(x)\n"),
        (
            "try:\n    import tensorflow as tf\nexcept ImportError:\n    tf = None\ntf.mul(a)\n",
            "try:\n    import tensorflow as tf\nexcept ImportError:\n    tf = None\ntf.multiply(a)\n",
        ),
        (
            "def f():\n    from tensorflow import mul\n    return mul\n",
            "def f():\n    from tensorflow import multiply as mul\n    return mul\n",
        ),
    ],
)
def test_rewritten(before: str, after: str) -> None:
    code, _ = run(before)
    assert code == after
    assert run(code)[0] == code


def test_insertions_are_made_once_and_in_their_places() -> None:
    before = '"""Doc."""\nfrom __future__ import print_function\nimport os\nimport tensorflow as T\nimport numpy as np\n\nx = T.placeholder(1)\ny = T.placeholder(2)\n'
    code, findings = run(before)
    assert code == (
        '"""Doc."""\nfrom __future__ import print_function\nimport os\nimport tensorflow as T\nT.compat.v1.disable_v2_behavior()\nimport numpy as np\n\n\n'
        "def helper(x):\n    return x\n\n\nx = T.placeholder(1)\ny = T.placeholder(2)\n"
    )
    assert len(findings) >= 1
    assert run(code)[0] == code


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "from tensorflow import placeholder\nplaceholder(1)\n",
            "from tensorflow import placeholder\nimport tensorflow as tf\ntf.compat.v1.disable_v2_behavior()\n",
        ),
        (
            "def f():\n    import tensorflow as tf\n    tf.placeholder(1)\n",
            "import tensorflow\ntensorflow.compat.v1.disable_v2_behavior()\n",
        ),
        ("import os; import tensorflow as T\nT.placeholder(1)\n", "import os; import tensorflow as T\nT.compat.v1.disable_v2_behavior()\n"),
        (
            "try:\n    import tensorflow as tf\nexcept E:\n    pass\ntf.placeholder(1)\n",
            "try:\n    import tensorflow as tf\nexcept E:\n    pass\ntf.compat.v1.disable_v2_behavior()\n",
        ),
    ],
)
def test_what_is_inserted_can_be_named(before: str, after: str) -> None:
    code, _ = run(before)
    assert code.startswith(after)
    assert run(code)[0] == code


def test_findings_tell_the_place_in_the_file_as_it_came() -> None:
    _, findings = run("import tensorflow as tf\nx = 1\ny = tf.concat(0, [\n    tf.mul(a, b)])\nz = tf.step1(1)\n")
    places = {(f.rule, f.location.line, f.location.column, f.location.end_line, f.location.end_column) for f in findings}
    assert places == {("concat", 3, 5, 4, 19), ("rename", 4, 5, 4, 11), ("rename", 5, 5, 5, 13)}


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("tf.mul(a)  # tfrevive: ignore", True),
        ("tf.mul(a)  # tfrevive: ignore[rename]", True),
        ("tf.mul(a)  # noqa  # tfrevive: ignore[other, rename]", True),
        ("tf.mul(a)  # tfrevive: ignore[other]", False),
        ("x = f(1,  # tfrevive: ignore[rename]\n      tf.mul(a))", True),
        ("x = '# tfrevive: ignore'\ntf.mul(a)", False),
    ],
)
def test_ignored(line: str, kept: bool) -> None:
    code, findings = run(TF + line + "\n")
    assert ("tf.mul(" in code) == kept
    assert (not findings) == kept


def test_a_rule_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(node: Any, names: Names, context: Context) -> Iterator[Match]:
        raise ValueError("oops")
        yield

    made = engine.Dispatch([a_rule("fails", fails, REFERENCE, prefix=("tf.",))])
    monkeypatch.setattr(engine, "dispatch_for", lambda target, only, dialect: made)
    code, findings = run(TF + "tf.mul(a)\n")
    assert code == TF + "tf.mul(a)\n"
    assert [(f.rule, f.is_manual) for f in findings] == [("fails", True)]
    assert "ValueError: oops" in findings[0].message
