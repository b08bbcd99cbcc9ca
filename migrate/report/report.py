"""A whole run: every file's outcome and findings, and what they add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from migrate.report.finding import Finding, Level

Status: TypeAlias = Literal["changed", "unchanged", "copied", "unreadable"]


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file. `copied` files do not mention TensorFlow; texts are kept only where a diff is wanted."""

    path: str
    status: Status
    findings: tuple[Finding, ...] = ()
    version: int | None = None  # what it was written for: 0, 1, 2, None: not decided
    reasons: tuple[str, ...] = ()
    lines: int = 0
    before: str | None = None
    after: str | None = None

    @property
    def written_for(self) -> str:
        return "undecided" if self.version is None else f"{self.version}.x"


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """What a rendering needs to know of a rule."""

    id: str
    summary: str
    since: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All files in the order of their paths."""

    files: tuple[FileReport, ...]
    target: str
    version: int | None = None
    reasons: tuple[str, ...] = ()
    rules: Mapping[str, RuleInfo] = field(default_factory=dict)
    tool_version: str = ""

    @property
    def findings(self) -> list[Finding]:
        return [f for file in self.files for f in file.findings]

    @property
    def totals(self) -> dict[str, int]:
        status = Counter(f.status for f in self.files)
        found = self.findings
        levels = Counter(f.level for f in found)
        return {
            "files": len(self.files),
            "changed": status["changed"],
            "unchanged": status["unchanged"],
            "without_tensorflow": status["copied"],
            "unreadable": status["unreadable"],
            "lines": sum(f.lines for f in self.files),
            "findings": len(found),
            "rewritten": sum(f.fix is not None for f in found),
            "to_check": sum(f.fix is not None and f.level >= Level.WARNING for f in found),
            "manual": sum(f.is_manual for f in found),
            "errors": levels[Level.ERROR],
            "warnings": levels[Level.WARNING],
            "notes": levels[Level.NOTE],
        }

    @property
    def by_rule(self) -> dict[str, tuple[int, int]]:
        """Rule -> how many were rewritten, how many are left to a person; the most frequent first."""
        count: dict[str, list[int]] = {}
        for finding in self.findings:
            count.setdefault(finding.rule, [0, 0])[finding.fix is None] += 1
        return {k: (v[0], v[1]) for k, v in sorted(count.items(), key=lambda kv: (-sum(kv[1]), kv[0]))}

    @property
    def has_unreadable(self) -> bool:
        return any(f.status == "unreadable" for f in self.files)

    def upgrade_exit(self) -> int:
        """0 done, 1 manual work left, 2 something could not be read."""
        return 2 if self.has_unreadable else int(any(f.is_manual for f in self.findings))

    def check_exit(self) -> int:
        """0 clean, 1 legacy API found, 2 something could not be read."""
        return 2 if self.has_unreadable else int(any(f.fix is not None or f.level >= Level.WARNING for f in self.findings))

    def as_dict(self) -> dict[str, Any]:
        return {
            "tool": "tfrevive",
            "version": self.tool_version,
            "target": self.target,
            "written_for": {"version": self.version, "reasons": list(self.reasons)},
            "totals": self.totals,
            "rules": {k: {"rewritten": v[0], "left": v[1]} for k, v in self.by_rule.items()},
            "files": [
                {
                    "path": f.path,
                    "status": f.status,
                    "written_for": {"version": f.version, "reasons": list(f.reasons)},
                    "findings": [x.as_dict() for x in f.findings],
                }
                for f in self.files
                if f.status != "copied"
            ],
        }


def numbers(items: Iterable[tuple[int, str]]) -> str:
    """`3 files, 1 line`: counts with their nouns, plurals made."""
    return ", ".join(f"{n:,} {noun if n == 1 else plural(noun)}" for n, noun in items)


def plural(noun: str) -> str:
    return noun[:-1] + "ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else noun + "s"
