"""A report as workflow commands, which GitHub shows beside the lines of a pull request."""

from __future__ import annotations

from typing import Final

from migrate.report.finding import Finding, Level
from migrate.report.report import Report

COMMANDS: Final = {Level.NOTE: "notice", Level.WARNING: "warning", Level.ERROR: "error"}


def to_github(report: Report) -> str:
    return "".join(_line(f) + "\n" for f in report.findings)


def _line(finding: Finding) -> str:
    place = finding.location
    values = {"file": place.path}
    if place.line:
        values |= {"line": str(place.line), "col": str(max(1, place.column))}
        if place.end_line >= place.line:
            values["endLine"] = str(place.end_line)
    values["title"] = f"tfrevive {finding.rule}"
    text = f"{finding.message}\n{finding.advice}" if finding.advice and finding.fix is None else finding.message
    if place.cell is not None:
        text = f"cell {place.cell}: {text}"
    return f"::{COMMANDS[finding.level]} {','.join(f'{k}={_property(v)}' for k, v in values.items())}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
