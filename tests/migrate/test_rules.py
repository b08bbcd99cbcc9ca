"""Every example of every rule: the exact result, that it compiles, that a second run changes nothing."""

from __future__ import annotations

import ast

import pytest

from migrate.engine import ENGINE
from migrate.report.finding import Level
from migrate.rule import Example, Rule, load
from migrate.upgrade import Upgrade, upgrade_source

CASES = [
    pytest.param(rule, example, target, id=f"{rule.id}-{number}-to{target}")
    for rule in load()
    for number, example in enumerate(rule.examples)
    for target in (example.target or rule.targets)
]


def run(rule: Rule, example: Example, target: str, source: str) -> Upgrade:
    return upgrade_source(
        source,
        target=target,  # type: ignore[arg-type]
        only=frozenset({rule.id}),
        generation=example.generation,
        dialect=2 if example.python2 else None,
        siblings=frozenset(example.siblings),
    )


@pytest.mark.parametrize(("rule", "example", "target"), CASES)
def test_example(rule: Rule, example: Example, target: str) -> None:
    result = run(rule, example, target, example.before)
    failed = [f.message for f in result.findings if "the rule failed" in f.message or f.rule == ENGINE]
    assert not failed
    assert result.code == (example.before if example.after is None else example.after)
    ast.parse(result.code)
    if example.after is not None:
        assert result.changed
        assert result.findings
    if example.reported is not None:
        assert any(f.level >= Level.WARNING for f in result.findings) == example.reported
    elif example.after is None:
        assert not result.findings
    again = run(rule, example, target, result.code)
    assert again.code == result.code


@pytest.mark.parametrize("rule", load(), ids=lambda rule: rule.id)
def test_declaration(rule: Rule) -> None:
    """A rule shows when it acts and when it does not, and says so in a sentence."""
    assert rule.summary.endswith(".")
    assert len(rule.examples) >= 2
    assert any(e.after is None for e in rule.examples)
    acts = any(e.after is not None for e in rule.examples) or any(e.reported for e in rule.examples)
    assert acts
