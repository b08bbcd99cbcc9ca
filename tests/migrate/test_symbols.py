"""Every symbol of the versions people wrote for has a verdict, and no rewriting ends in a name that the target lacks."""

from __future__ import annotations

import ast

import pytest

from migrate import symbols
from migrate.report.finding import Level
from migrate.symbols import (
    aliases,
    canonical,
    contrib,
    exists,
    has_private,
    legacy,
    native,
    public,
    signature,
    slim,
    symbol,
    unpack,
    versions_with,
)
from migrate.symbols.verdicts import reachable, verdict
from migrate.upgrade import upgrade_source

SOURCES = ("0.12.1", "1.0.0", "1.4.0", "1.15.5")


def has(name: str, target: str) -> bool:
    return exists(name, symbols.TARGETS[target]) if target == "1" else reachable(name)


@pytest.mark.parametrize("target", ["1", "2"])
@pytest.mark.parametrize("version", SOURCES)
def test_every_symbol_has_a_verdict(version: str, target: str) -> None:
    for name in symbols.names(version):
        for old in (False, True):
            found = verdict(name, target, old)  # type: ignore[arg-type]
            assert found.outcome != "unknown", name
            if found.name is None:
                assert found.outcome == "removed", name
                assert found.advice, name
            else:
                assert has(found.name, target), (name, found.name)
                assert (found.outcome == "unchanged") == (not found.steps), name
            for step in found.steps:
                assert step.fallback == "" or has(step.fallback, target), (name, step.fallback)


@pytest.mark.parametrize("target", ["1", "2"])
@pytest.mark.parametrize("version", SOURCES)
def test_no_reference_ends_in_a_missing_name(version: str, target: str) -> None:
    names = [
        n for n in symbols.names(version) if not n.startswith(("tf.raw_ops", "tf.compat", "tf.contrib.quantization")) and ".keras." not in n
    ]
    lines = names[::7]
    source = "import tensorflow as tf\n" + "".join(f"use({name})\n" for name in lines)
    result = upgrade_source(source, target=target, generation=0 if version == "0.12.1" else 1)  # type: ignore[arg-type]
    reported = {f.location.line for f in result.findings if f.level >= Level.WARNING}
    uses = [
        s.value.args[0] for s in ast.parse(result.code).body if isinstance(s, ast.Expr) and isinstance(s.value, ast.Call) and s.value.args
    ]
    assert len(uses) == len(lines)
    for number, (name, use) in enumerate(zip(lines, uses, strict=True), 2):
        text = ast.unparse(use).removesuffix("()")
        assert has(text, target) or number in reported, (name, text)


@pytest.mark.parametrize(
    ("version", "generation", "target"), [("0.12.1", 0, "1"), ("0.12.1", 0, "2"), ("1.4.0", 1, "1"), ("1.15.5", 1, "2")]
)
def test_calls_bind_in_the_target(version: str, generation: int, target: str) -> None:
    """All arguments of a function by position: what comes out fits the target's signature, or is reported."""
    names = [n for n in symbols.names(version) if not n.startswith(("tf.raw_ops", "tf.compat", "tf.contrib")) and ".keras." not in n]
    calls = []
    for name in names:
        shape = signature(name, version)
        if shape is not None and "disable" not in name:
            args = [a for a in shape.args if not a.startswith("_")]
            calls.append(f"{name}({', '.join(f'v{i}' for i in range(len(args)))})")
    result = upgrade_source("import tensorflow as tf\n" + "\n".join(calls[::3]) + "\n", target=target, generation=generation)  # type: ignore[arg-type]
    reported = {f.location.line for f in result.findings if f.level >= Level.WARNING}
    body = [s.value for s in ast.parse(result.code).body if isinstance(s, ast.Expr)]
    body = [c for c in body if not ast.unparse(c).endswith("disable_v2_behavior()")]
    assert len(body) == len(calls[::3])
    for number, (before, call) in enumerate(zip(calls[::3], body, strict=True), 2):
        if number in reported or not isinstance(call, ast.Call):
            continue
        shape = signature(ast.unparse(call.func), symbols.TARGETS[target])
        if shape is None:
            continue
        assert shape.varargs or len(call.args) <= len(shape.args), (before, ast.unparse(call))
        assert all(k.arg is None or shape.accepts(k.arg) for k in call.keywords), (before, ast.unparse(call))
        assert not {k.arg for k in call.keywords} & set(shape.args[: len(call.args)]), (before, ast.unparse(call))


def test_tables_name_what_exists() -> None:
    for old, new in legacy.RENAMES.items():
        assert exists(new, "1.15.5"), (old, new)
    for old, new in native.RENAMES.items():
        assert exists(old, "1.15.5"), old
        assert exists(new, "2.15.1"), (old, new)
    for old, new in {**canonical(), **{k: "tf.compat.v1." + k[3:] for k in native.ELSEWHERE if not k.endswith(".")}}.items():
        assert exists(new, "2.15.1"), (old, new)
    for old, new in contrib.MOVED.items():
        assert reachable(new) or new in slim() or not new.startswith("tf"), (old, new)
    for name, rename in native.ARGUMENTS.items():
        found = verdict(name, "2").steps
        shape = found[-1].new_signature if found else signature(name, "2.15.1")
        for new in rename.values():
            assert new is None or shape is None or shape.accepts(new), (name, new)


def test_tables_are_sorted() -> None:
    for table in (legacy.RENAMES, legacy.REMOVED, native.RENAMES, native.ARGUMENTS, native.NOTES, contrib.ADVICE, contrib.CHECK):
        assert list(table) == sorted(table)


def test_lookup() -> None:
    found = symbol("tf.concat", "0.12.1")
    assert found is not None
    assert found.signature is not None
    assert found.signature.args == ("concat_dim", "values", "name")
    assert signature("tf.compat.v1.concat", "2.15.1") == signature("tf.concat", "1.15.5")
    assert exists("tf.Session.run", "1.15.5")
    assert not exists("tf.compat.v1.gfile.open", "2.15.1")
    assert versions_with("tf.mul") == ("0.12.1",)
    assert aliases()["tf.contrib.rnn.GRUCell"] == "tf.nn.rnn_cell.GRUCell"
    with pytest.raises(ValueError, match="no facts about TensorFlow '3'"):
        symbols.names("3")


def test_unpack() -> None:
    shape = unpack("a\tb=None\t*\t|c\t**")
    assert (shape.args, shape.keyword_only, shape.varargs, shape.varkw) == (("a", "b"), ("c",), True, True)  # type: ignore[union-attr]
    assert unpack("?") is None


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("tf.python.ops.rnn_cell.GRUCell", "tf.nn.rnn_cell.GRUCell"),
        ("tf.python.framework.ops.convert_to_tensor", "tf.convert_to_tensor"),
        ("tf.python.platform.gfile.FastGFile", "tf.gfile.FastGFile"),
        ("tf.contrib.layers.python.layers.layers.conv2d", "tf.contrib.layers.conv2d"),
        ("tf.ops.convert_to_tensor", "tf.convert_to_tensor"),
        ("tf.nn.softmax", None),
        ("tf.python.ops.variable_scope._VARSCOPE_KEY", None),
    ],
)
def test_public_names(path: str, name: str | None) -> None:
    assert public(path) == name


def test_private_names() -> None:
    assert has_private("tf.python.ops.variable_scope._VARSCOPE_KEY", "1.15.5") is False
    assert has_private("tf.python.framework.ops", "2.15.1") is True
    assert has_private("tf.python.framework.smart_cond.smart_cond", "1.15.5") is True
    assert has_private("tf.contrib.seq2seq.python.ops.decoder", "1.15.5") is True
