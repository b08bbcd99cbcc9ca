"""One source text upgraded: read, rewritten, written."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from migrate import engine, source, symbols
from migrate import generation as generations
from migrate.names import Names
from migrate.report.finding import Finding, Level, Location
from migrate.rule import Generation, Target

PYTHON2: Final = "python2-syntax"


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The new text, what was found in the old one, and what TensorFlow it was written for."""

    code: str
    findings: list[Finding]
    changed: bool = False
    generation: Generation = field(default_factory=Generation)
    asked: bool = False  # whether the result depends on the version
    evidence: generations.Evidence = field(default_factory=generations.Evidence)


def upgrade_source(
    text: str,
    *,
    target: Target = "2",
    filename: str = "<string>",
    generation: Generation | int | None = None,
    tree: Generation | None = None,
    siblings: frozenset[str] = frozenset(),
    dialect: int | None = None,
    all_python: bool = False,
    only: frozenset[str] | None = None,
    disabled: frozenset[str] = frozenset(),
) -> Upgrade:
    """Upgrade one text; SourceError when it cannot be read.

    `generation` forces what it was written for, `tree` is what the files around it say, `siblings` the modules beside it,
    `dialect` the Python it was written in when its syntax does not say so; `all_python` also moves what has no TensorFlow to Python 3.
    """
    if "tensorflow" not in text and not all_python:
        return Upgrade(text, [])
    with _deep():
        return _upgraded(text, target, filename, generation, tree, siblings, dialect, only, disabled)


def _upgraded(
    text: str,
    target: Target,
    filename: str,
    generation: Generation | int | None,
    tree: Generation | None,
    siblings: frozenset[str],
    dialect: int | None,
    only: frozenset[str] | None,
    disabled: frozenset[str],
) -> Upgrade:
    parsed = source.parse(text, filename)
    seen: list[generations.Evidence] = []

    def judge(names: Names) -> Generation:
        seen.append(generations.evidence(names))
        if generation is not None:
            return Generation(generation, ("asked for",)) if isinstance(generation, int) else generation
        return generations.judge(seen[-1], tree)

    result = engine.rewrite(
        parsed.module,
        parsed.text,
        target=target,
        filename=filename,
        judge=judge,
        only=only,
        public=_public,
        disabled=disabled,
        dialect=dialect or parsed.dialect,
        siblings=siblings,
    )
    findings = [_moved(f, parsed) for f in result.findings]
    if parsed.changes and (only is None or PYTHON2 in only):
        findings += [Finding(PYTHON2, Level.NOTE, c.message, Location(filename, c.line, 1, c.line, 1), "rewritten") for c in parsed.changes]
        findings.sort(key=lambda f: (f.location.line, f.location.column, f.rule, f.message))
    changed = result.changed or bool(parsed.changes)
    return Upgrade(source.written(result.code, text) if changed else text, findings, changed, result.generation, result.asked, *seen[:1])


@contextmanager
def _deep() -> Iterator[None]:
    """LibCST writes trees by recursion: a sum of a thousand terms, or an if with hundreds of elifs, is deeper than Python's limit."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 40_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def _public(path: str) -> str | None:
    public = getattr(symbols, "public", None)
    found: str | None = public(path) if public is not None else None
    return found


def _moved(finding: Finding, parsed: source.Parsed) -> Finding:
    """Tell the place in the file as it came, not in what Python 2 was rewritten to."""
    if not parsed.lines:
        return finding
    place = finding.location
    moved = dataclasses.replace(place, line=parsed.line(place.line), end_line=parsed.line(place.end_line))
    return dataclasses.replace(finding, location=moved)


def evidence(text: str, filename: str = "<string>") -> generations.Evidence:
    """What a text says about the version it was written for."""
    names = Names(source.parse(text, filename).module, public=_public)
    return generations.evidence(names)
