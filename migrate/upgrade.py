"""One source text upgraded: read, rewritten, written."""

from __future__ import annotations

from dataclasses import dataclass, field

import libcst as cst

from migrate import engine, symbols
from migrate.names import Names
from migrate.report.finding import Finding
from migrate.rule import Generation, Target


@dataclass(frozen=True, slots=True)
class Upgrade:
    """The new text, what was found in the old one, and what TensorFlow it was written for."""

    code: str
    findings: list[Finding]
    changed: bool = False
    generation: Generation = field(default_factory=Generation)


def upgrade_source(
    source: str,
    *,
    target: Target = "2",
    filename: str = "<string>",
    generation: Generation | int | None = None,
    only: frozenset[str] | None = None,
    disabled: frozenset[str] = frozenset(),
) -> Upgrade:
    """Upgrade one text. `generation` says what it was written for when that is known."""
    module = cst.parse_module(source)
    given = Generation(generation, ("given",)) if isinstance(generation, int) else generation

    def judge(names: Names) -> Generation:
        return given or Generation()

    public = getattr(symbols, "public", None)
    result = engine.rewrite(module, target=target, filename=filename, judge=judge, only=only, public=public, disabled=disabled)
    return Upgrade(result.module.code if result.changed else source, result.findings, result.changed, result.generation)
