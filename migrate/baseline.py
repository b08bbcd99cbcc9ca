"""Known findings that `check` does not fail on: a team adopts it on a legacy repository and sees only what is new."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path

from migrate.report.finding import Finding
from migrate.report.output import write_whole
from migrate.report.report import Report


class BaselineError(Exception):
    """A baseline file that cannot be used."""


def key(finding: Finding) -> str:
    """What a finding is, whatever line it is on."""
    return "\t".join((finding.location.path, finding.rule, finding.message))


def read(file: Path) -> Counter[str]:
    try:
        data = json.loads(file.read_text("utf-8"))
        return Counter({str(k): int(v) for k, v in data["findings"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BaselineError(f"{str(file)!r} is no baseline ({error}): write one with --write-baseline") from error


def write(report: Report, file: Path) -> int:
    """Note every finding; returns how many."""
    found = Counter(key(f) for f in report.findings)
    write_whole(file, json.dumps({"version": 1, "findings": dict(sorted(found.items()))}, indent=1, ensure_ascii=False) + "\n")
    return sum(found.values())


def without(report: Report, known: Counter[str]) -> Report:
    """The report without findings the baseline has; of more equal ones than it knows, the later ones stay."""
    left = Counter(known)
    files = []
    for file in report.files:
        kept = []
        for finding in file.findings:
            name = key(finding)
            if left[name] > 0:
                left[name] -= 1
            else:
                kept.append(finding)
        files.append(dataclasses.replace(file, findings=tuple(kept)))
    return dataclasses.replace(report, files=tuple(files))
