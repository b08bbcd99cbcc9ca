"""What holds for any source: it parses after, a second run changes nothing, what no rule touches comes back byte for byte."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrate import symbols
from migrate.rule import load
from migrate.upgrade import Upgrade, upgrade_source

FIXTURES = sorted(Path(__file__).parents[2].joinpath("fixtures", "scripts").rglob("*.py"))

NAMES = sorted({n for v in ("0.12.1", "1.15.5") for n in symbols.names(v) if 1 <= n.count(".") <= 2})
BEFORE = [
    "import tensorflow as tf",
    "import tensorflow",
    "import tensorflow as T",
    "from tensorflow import {leaf}",
    "from tensorflow import {leaf} as other",
]


@st.composite
def arguments(draw: st.DrawFn) -> str:
    values = st.sampled_from(["x", "0", "[1, 2]", "f(y)", "-1", "'s'", "[True, False]", "lambda: 0", "(a, b)", "None", "x if y else z"])
    keywords = st.sampled_from(["axis", "dim", "name", "labels", "logits", "keep_dims", "input", "x", "keep_prob", "dtype", "values"])
    given_ = [draw(values) for _ in range(draw(st.integers(0, 4)))]
    if draw(st.booleans()):
        given_ += [f"{k}={draw(values)}" for k in draw(st.lists(keywords, unique=True, max_size=3))]
    if draw(st.integers(0, 9)) == 0:
        given_.append(draw(st.sampled_from(["*args", "**kwargs"])))
    between = draw(st.sampled_from([", ", ",", ",\n         ", " ,  # c\n  "]))
    return between.join(given_) + draw(st.sampled_from(["", "", ",", "\n"]) if given_ and "lambda" not in given_[-1] else st.just(""))


@st.composite
def programs(draw: st.DrawFn) -> str:
    """A program of calls and uses of TensorFlow's names in odd but valid layouts."""
    name = draw(st.sampled_from(NAMES))
    head = draw(st.sampled_from(BEFORE))
    leaf = name.split(".")[1]
    lines = ["import tensorflow as tf" if "{leaf}" in head and not leaf.isidentifier() else head.format(leaf=leaf)]
    root = {"import tensorflow": "tensorflow", "import tensorflow as T": "T"}.get(head, "tf")
    for _ in range(draw(st.integers(1, 4))):
        used = draw(st.sampled_from(NAMES))
        spelled = root + used[2:]
        if "{leaf}" in head:  # a use of what the first line imports
            spelled = ("other" if " as " in head else leaf) + name[3 + len(leaf) :]
        form = draw(st.sampled_from(["{n}", "{n}({a})", "y = {n}({a})  # c", "if y: {n}({a})", "def f(q={n}): return {n}({a})", "with {n}({a}) as g:\n\tpass", "z = [{n}({a}) for i in {n}]", "class C({n}):\n    '''{n}'''", "@{n}\ndef g(): pass", "({n}\n  )", "{n}({n}({a}))", "alias = {n}\nalias({a})"]))  # fmt: skip
        lines.append(form.replace("{a}", draw(arguments())).replace("{n}", spelled))
        lines += draw(st.sampled_from([[], [""], ["# comment"], ['x = \'tf.mul\'  ;  y = """a\n b"""']]))
    return "\n".join(lines) + draw(st.sampled_from(["\n", "", "\n\n"]))


def upgraded(source: str, target: str, generation: int | None = None) -> Upgrade:
    result = upgrade_source(source, target=target, generation=generation)  # type: ignore[arg-type]
    assert not [f for f in result.findings if f.rule == "engine" or "the rule failed" in f.message]
    return result


def parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much], derandomize=True)
@given(programs(), st.sampled_from("12"))
def test_any_program(source: str, target: str) -> None:
    if not parses(source):
        return
    result = upgraded(source, target)
    ast.parse(result.code)
    if not any(f.fix is not None for f in result.findings):
        assert result.code == source
    assert upgraded(result.code, target).code == result.code


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(st.text(alphabet="tf.()[]{}:,= \n\t#'\"\\abc0159_+*é\r\x0c", max_size=60), st.sampled_from("12"))
def test_any_text(text: str, target: str) -> None:
    """Either it is read and comes back, or it is refused with a place."""
    from migrate.source import SourceError

    source = f"# tensorflow\n{text}"
    try:
        result = upgraded(source, target)
    except SourceError as error:
        assert error.line >= 1
        return
    if not result.findings:
        assert result.code == source


@pytest.mark.parametrize("target", "12")
@pytest.mark.parametrize("path", FIXTURES, ids=lambda p: "/".join(p.parts[-2:]))
def test_fixture(path: Path, target: str) -> None:
    source = path.read_text("utf-8")
    result = upgraded(source, target)
    ast.parse(result.code)
    assert upgraded(result.code, target).code == result.code
    if target == "2":
        step = upgraded(source, "1")
        assert upgraded(step.code, "2").code == result.code


@pytest.mark.parametrize("target", "12")
def test_examples_do_not_depend_on_line_ends(target: str) -> None:
    for rule in load():
        for example in rule.examples:
            if target not in (example.target or rule.targets) or "\\\n" in example.before or '"""' in example.before:
                continue
            unix = upgraded(example.before, target, example.generation)
            dos = upgraded(example.before.replace("\n", "\r\n"), target, example.generation)
            assert dos.code == unix.code.replace("\n", "\r\n"), rule.id


def test_new_imports_stand_alike_in_one_step_and_in_two() -> None:
    text = (
        "from tensorflow.contrib import layers\n"
        "from tensorflow.contrib.framework.python.ops import arg_scope\n"
        "from tensorflow.contrib.layers.python.layers import layers as layers_lib\n"
        "from tensorflow.python.ops import nn_ops\n\n"
        "def f(x):\n    with arg_scope([layers.conv2d]):\n        return layers_lib.max_pool2d(nn_ops.relu(x), 2)\n"
    )
    once = upgrade_source(text, target="2").code
    assert upgrade_source(upgrade_source(text, target="1").code, target="2").code == once
    assert once.startswith("import tf_slim as layers\nimport tensorflow as tf\nimport tf_slim\nfrom tf_slim import arg_scope\n")
