"""A report as JUnit XML: a test case a file, failed when it has legacy API."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from migrate.report.finding import Finding, Level
from migrate.report.report import FileReport, Report

_CONTROL = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 cannot hold


def to_junit(report: Report) -> str:
    files = [f for f in report.files if f.status != "copied"]
    failures = sum(1 for f in files if f.status != "unreadable" and _failing(f))
    errors = sum(1 for f in files if f.status == "unreadable")
    counts = f'tests="{len(files)}" failures="{failures}" errors="{errors}"'
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<testsuites {counts}>",
        f'<testsuite name="tfrevive" skipped="0" {counts} time="0">',
    ]
    for file in files:
        head = f'<testcase classname={_attr(file.path)} name={_attr(file.path)} file={_attr(file.path)} time="0"'
        found = _failing(file)
        if not found:
            lines.append(f"{head}/>")
            continue
        kind = "error" if file.status == "unreadable" else "failure"
        text = "\n".join(f"{f.location}: {f.message} [{f.rule}]" for f in found)
        message = f"{len(found)} findings" if len(found) > 1 else found[0].message
        lines += [f"{head}>", f"<{kind} type={_attr(found[0].rule)} message={_attr(message)}>{_text(text)}</{kind}>", "</testcase>"]
    return "\n".join([*lines, "</testsuite>", "</testsuites>"]) + "\n"


def _failing(file: FileReport) -> list[Finding]:
    return [f for f in file.findings if f.fix is not None or f.level >= Level.WARNING]


def _attr(text: str) -> str:
    return quoteattr(_CONTROL.sub("?", text))


def _text(text: str) -> str:
    return escape(_CONTROL.sub("?", text))
