"""The rules as a manual in Markdown: what each does, shown by its examples."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Protocol


class _Example(Protocol):
    @property
    def before(self) -> str: ...
    @property
    def after(self) -> str | None: ...
    @property
    def why(self) -> str: ...
    @property
    def target(self) -> str | None: ...
    @property
    def generation(self) -> int | None: ...
    @property
    def reported(self) -> bool | None: ...


class _Rule(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def since(self) -> str: ...
    @property
    def targets(self) -> str: ...
    @property
    def why(self) -> str: ...
    @property
    def examples(self) -> tuple[_Example, ...]: ...


def to_manual(rules: Iterable[_Rule]) -> str:
    """One section a rule, in the order of their names."""
    ordered = sorted(rules, key=lambda r: r.id)
    lines = ["# Rules of `tfrevive upgrade`", "", "Rendered from the rules themselves (`migrate/rules/`): do not edit.", ""]
    lines += ["| rule | does | since TensorFlow | for |", "|---|---|---|---|"]
    for rule in ordered:
        lines.append(f"| [`{rule.id}`](#{rule.id}) | {_cell(rule.summary)} | {rule.since} | {_targets(rule.targets)} |")
    for rule in ordered:
        lines += ["", f"## {rule.id}", "", rule.summary]
        if rule.why:
            lines += ["", rule.why]
        for example in rule.examples:
            lines += ["", *_example(example, rule.targets)]
    return "\n".join(lines) + "\n"


def _targets(targets: str) -> str:
    return " ".join(f"`--to {t}`" for t in targets)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _example(example: _Example, targets: str) -> list[str]:
    notes = [example.why] if example.why else []
    if example.target is not None and len(targets) > 1:
        notes.append(f"with `--to {example.target}`")
    if example.generation is not None:
        notes.append(f"in a file written for {example.generation}.x")
    note = "; ".join(notes)
    if example.after is None:
        word = "Reported, not rewritten" if example.reported else "Left alone"
        body = ["```python", *example.before.rstrip("\n").split("\n"), "```"]
    else:
        word = "Rewritten"
        before, after = example.before.splitlines(), example.after.splitlines()
        diff = list(difflib.unified_diff(before, after, n=10, lineterm=""))[3:]
        body = ["```diff", *diff, "```"]
    return [f"{word}{f' ({note})' if note else ''}:", "", *body]
