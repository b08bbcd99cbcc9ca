"""A report as text for people: totals first, then by file what was changed and what a person must do."""

from __future__ import annotations

from migrate.report.finding import Finding, Level
from migrate.report.report import FileReport, Report, numbers


def to_text(report: Report) -> str:
    """report.txt."""
    lines = _head(report)
    for file in report.files:
        if file.findings or file.status == "unreadable":
            lines += _file(file)
    return "\n".join(lines) + "\n"


def to_lines(report: Report) -> str:
    """One line a finding, as compilers print them."""
    lines = []
    for finding in report.findings:
        lines.append(f"{finding.location}: {finding.level}: {finding.message} [{finding.rule}]")
        if finding.advice and finding.fix is None:
            lines.append(f"    {finding.advice}")
    lines.append(summary(report))
    return "\n".join(lines) + "\n"


def summary(report: Report) -> str:
    total = report.totals
    text = numbers([(total["files"], "file")]) + f" ({total['changed']} to change, {total['without_tensorflow']} without TensorFlow)"
    text += f": {total['rewritten']} rewritten, {total['manual']} left to a person"
    if total["unreadable"]:
        text += f", {numbers([(total['unreadable'], 'unreadable file')])}"
    return text


def _head(report: Report) -> list[str]:
    total = report.totals
    title = f"tfrevive upgrade report: to TensorFlow {'1.15' if report.target == '1' else '2.x'}"
    lines = [title, "=" * len(title), ""]
    rows = [
        ("files", total["files"]),
        ("  changed", total["changed"]),
        ("  with TensorFlow, nothing to change", total["unchanged"]),
        ("  without TensorFlow", total["without_tensorflow"]),
        ("  could not be read", total["unreadable"]),
        ("lines read", total["lines"]),
        ("rewritten", total["rewritten"]),
        ("  of these to be checked", total["to_check"]),
        ("left to a person", total["manual"]),
    ]
    width = max(len(name) for name, _ in rows) + 2
    lines += [f"{name:<{width}}{value:>9,}" for name, value in rows]
    if report.reasons:
        lines += ["", f"The tree was written for TensorFlow {_version(report.version)}: {'; '.join(report.reasons)}"]
    if report.by_rule:
        lines += ["", f"{'rule':<36}{'rewritten':>10}{'left':>8}"]
        lines += [f"{rule:<36}{done:>10,}{left:>8,}" for rule, (done, left) in report.by_rule.items()]
    todo = [f for f in report.files if any(x.is_manual for x in f.findings)]
    if todo:
        lines += ["", "Files that need a person:"]
        lines += [f"  {sum(x.is_manual for x in f.findings):>4}  {f.path}" for f in todo]
    elif not report.has_unreadable:
        lines += ["", "Nothing is left to a person."]
    return [*lines, ""]


def _version(version: int | None) -> str:
    return "of undecided version" if version is None else f"{version}.x"


def _file(file: FileReport) -> list[str]:
    lines = [file.path, "-" * len(file.path)]
    if file.status != "unreadable" and file.reasons:
        lines.append(f"written for TensorFlow {_version(file.version)}: {'; '.join(file.reasons)}")
    changes = [f for f in file.findings if f.fix is not None]
    manual = [f for f in file.findings if f.fix is None and f.level >= Level.WARNING]
    notes = [f for f in file.findings if f.fix is None and f.level < Level.WARNING]
    if changes:
        lines.append("  Changes")
        lines += [f"    {_place(f):<10} {f.message}{_check(f)}" for f in changes]
    if manual:
        lines.append("  What a person must do")
        for finding in manual:
            lines.append(f"    {_place(finding):<10} {finding.message} [{finding.rule}]")
            if finding.advice:
                lines.append(f"    {'':<10} -> {finding.advice}")
    if notes:
        lines.append("  Good to know")
        lines += [f"    {_place(f):<10} {f.message} [{f.rule}]" for f in notes]
    return [*lines, ""]


def _check(finding: Finding) -> str:
    advice = f": {finding.advice}" if finding.advice else ""
    return f" (check{advice})" if finding.level >= Level.WARNING else ""


def _place(finding: Finding) -> str:
    place = finding.location
    where = f"{place.line}:{place.column}" if place.line else "-"
    return where if place.cell is None else f"[{place.cell}] {where}"
