"""A report as one HTML page that needs nothing else: totals, tables, and side-by-side diffs with the findings in place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from migrate.report.finding import Finding, Level
from migrate.report.page import SCRIPT, STYLE
from migrate.report.report import FileReport, Report

CONTEXT: Final = 3
WORDS: Final = re.compile(r"\w+|\s+|[^\w\s]")
TOTALS: Final = (
    ("files", "files", ""),
    ("changed", "changed", ""),
    ("rewritten", "rewritten", "good"),
    ("to_check", "to be checked", "warning"),
    ("manual", "left to a person", "error"),
    ("unreadable", "unreadable", "error"),
    ("without_tensorflow", "without TensorFlow", ""),
    ("lines", "lines", ""),
)


def to_html(report: Report) -> str:
    shown = [f for f in report.files if f.findings or f.status in ("changed", "unreadable")]
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        "<title>tfrevive upgrade report</title>",
        f"<style>{STYLE}</style></head><body>",
        *_head(report),
        *_rules(report),
        *_files(shown),
        '<section id="diffs"><h2>Changes</h2>',
        *(part for number, file in enumerate(shown) for part in _file(file, number)),
        '<p id="none" hidden>Nothing matches.</p></section>',
        f"<script>{SCRIPT}</script></body></html>\n",
    ]
    return "\n".join(parts)


def _head(report: Report) -> Iterator[str]:
    target = "TensorFlow 1.15" if report.target == "1" else "TensorFlow 2"
    version = "undecided" if report.version is None else f"{report.version}.x"
    reasons = f"; written for {version}: {escape('; '.join(report.reasons))}" if report.reasons else ""
    yield f'<header><h1>tfrevive upgrade report</h1><p>to {target}{reasons}</p><div class="totals">'
    total = report.totals
    for key, label, tone in TOTALS:
        css = tone if total[key] else ""
        yield f'<div class="total {css}"><b>{total[key]:,}</b> {label}</div>'
    yield "</div></header>"
    yield '<div class="bar"><input id="search" type="search" placeholder="Search files, rules, messages" aria-label="Search">'
    yield '<label><input type="checkbox" id="manual"> only what is left to a person</label><button id="clear" hidden></button></div>'


def _rules(report: Report) -> Iterator[str]:
    if not report.by_rule:
        return
    yield '<section><h2>By rule</h2><div class="wide"><table><thead><tr><th>rule</th><th>what it does</th><th class="n">rewritten</th>'
    yield '<th class="n">left</th></tr></thead><tbody>'
    for rule, (done, left) in report.by_rule.items():
        info = report.rules.get(rule)
        summary = escape(info.summary) if info is not None else ""
        yield f'<tr><td><a href="#diffs" data-rule="{escape(rule)}">{escape(rule)}</a></td><td>{summary}</td>'
        yield f'<td class="n">{done:,}</td><td class="n{" bad" if left else ""}">{left:,}</td></tr>'
    yield "</tbody></table></div></section>"


def _files(files: Sequence[FileReport]) -> Iterator[str]:
    yield '<section><h2>By file</h2><div class="wide"><table id="files"><thead><tr><th>file</th><th>status</th><th>written for</th>'
    yield '<th class="n">rewritten</th><th class="n">left</th></tr></thead><tbody>'
    for number, file in enumerate(files):
        done = sum(f.fix is not None for f in file.findings)
        left = sum(f.is_manual for f in file.findings)
        yield f'<tr data-file="{number}"><td><a href="#file-{number}">{escape(file.path)}</a></td><td>{file.status}</td>'
        yield f'<td>{file.written_for if file.status != "unreadable" else ""}</td><td class="n">{done}</td>'
        yield f'<td class="n{" bad" if left else ""}">{left}</td></tr>'
    yield "</tbody></table></div></section>"


def _file(file: FileReport, number: int) -> Iterator[str]:
    left = sum(f.is_manual for f in file.findings)
    badge = f'<span class="badge error">{left} left</span>' if left else ""
    yield f'<details class="file" id="file-{number}" data-file="{number}"{" open" if number < 10 else ""}>'
    yield f'<summary><span class="path">{escape(file.path)}</span> <span class="badge">{file.status}</span> {badge}</summary>'
    if file.reasons:
        yield f'<p class="reason">written for {file.written_for}: {escape("; ".join(file.reasons))}</p>'
    if file.before is None or file.status == "unreadable" or any(f.location.cell is not None for f in file.findings):
        yield from (_finding(f) for f in file.findings)
    else:
        yield from (_finding(f) for f in file.findings if not f.location.line)
        yield from _diff(file.before, file.after if file.after is not None else file.before, file.findings)
    yield "</details>"


def _diff(before: str, after: str, findings: Sequence[Finding]) -> Iterator[str]:
    """Rows of two halves; equal stretches without findings are left out."""
    a, b = before.splitlines(), after.splitlines()
    at: dict[int, list[Finding]] = {}
    for finding in findings:
        if finding.location.line:
            at.setdefault(min(finding.location.line, max(1, len(a))), []).append(finding)
    rows = list(_rows(a, b))
    wanted = [False] * len(rows)
    for index, (kind, left, _, _, _) in enumerate(rows):
        if kind != "eq" or left in at:
            for near in range(max(0, index - CONTEXT), min(len(rows), index + CONTEXT + 1)):
                wanted[near] = True
    yield '<div class="diff">'
    skipped = False
    for row, is_wanted in zip(rows, wanted, strict=True):
        if not is_wanted:
            skipped = True
            continue
        kind, left, old, right, new = row
        if skipped:
            yield '<div class="gap">⋯</div>'
            skipped = False
        old_html, new_html = _marked(old, new) if kind == "ch" else (escape(old), escape(new))
        yield f'<div class="r {kind}"><i>{left or ""}</i><code class="a">{old_html}</code><i class="b">{right or ""}</i><code class="b">{new_html}</code></div>'
        for finding in at.get(left, ()) if left else ():
            yield _finding(finding)
    yield "</div>"


Row = tuple[str, int, str, int, str]


def _rows(a: list[str], b: list[str]) -> Iterator[Row]:
    for tag, a1, a2, b1, b2 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        for offset in range(max(a2 - a1, b2 - b1)):
            left, right = a1 + offset, b1 + offset
            has_left, has_right = left < a2, right < b2
            kind = "eq" if tag == "equal" else "ch" if has_left and has_right else "de" if has_left else "in"
            yield (
                kind,
                left + 1 if has_left else 0,
                a[left] if has_left else "",
                right + 1 if has_right else 0,
                b[right] if has_right else "",
            )


def _marked(old: str, new: str) -> tuple[str, str]:
    """The two lines with the words that differ marked."""
    a, b = WORDS.findall(old), WORDS.findall(new)
    left: list[str] = []
    right: list[str] = []
    for tag, a1, a2, b1, b2 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        for marked, words in ((left, a[a1:a2]), (right, b[b1:b2])):
            text = escape("".join(words))
            marked.append(text if tag == "equal" or not text else f"<mark>{text}</mark>")
    return "".join(left), "".join(right)


def _finding(finding: Finding) -> str:
    level = "good" if finding.fix is not None and finding.level < Level.WARNING else str(finding.level)
    place = finding.location
    where = f"cell {place.cell}, line {place.line}: " if place.cell is not None else f"line {place.line}: " if place.line else ""
    advice = f'<div class="advice">{escape(finding.advice)}</div>' if finding.advice else ""
    manual = " manual" if finding.is_manual else ""
    word = "rewritten" if level == "good" else "check" if finding.fix is not None else "to do" if finding.is_manual else "note"
    return (
        f'<div class="finding {level}{manual}" data-rule="{escape(finding.rule)}"><span class="badge {level}">{word}</span> '
        f'<span class="where">{where}</span>{escape(finding.message)} <span class="rule">{escape(finding.rule)}</span>{advice}</div>'
    )
