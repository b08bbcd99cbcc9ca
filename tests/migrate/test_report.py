"""Every rendering of a report: what it says, and that its format's rules hold."""

from __future__ import annotations

import html.parser
import json
import xml.etree.ElementTree as ET

import pytest

from migrate.report.finding import Finding, Level, Location
from migrate.report.report import FileReport, Report, RuleInfo
from migrate.report.to_github import to_github
from migrate.report.to_html import to_html
from migrate.report.to_json import to_json
from migrate.report.to_junit import to_junit
from migrate.report.to_sarif import to_sarif
from migrate.report.to_text import summary, to_lines, to_text

BEFORE = "import tensorflow as tf\n" + "x = 1\n" * 20 + "y = tf.mul(a, '<b>')\nz = tf.gone(y)\n"
AFTER = BEFORE.replace("tf.mul", "tf.multiply")
DONE = Finding("renamed-symbol", Level.NOTE, "tf.mul is now tf.multiply", Location("a b/m.py", 22, 5, 22, 11), "tf.multiply")
CHECK = Finding(
    "dropout-rate", Level.WARNING, "rate, not keep_prob", Location("a b/m.py", 22, 5, 22, 11), "rate=1 - x", "see that x is no rate"
)
TODO = Finding("removed-symbol", Level.WARNING, "no tf.gone, 100%", Location("a b/m.py", 23, 5, 23, 12), None, "use tf.other\nor nothing")
CELL = Finding("removed-symbol", Level.ERROR, "no tf.x", Location("n.ipynb", 2, 1, 2, 5, 7))
BROKEN = Finding("unreadable", Level.ERROR, "invalid syntax \x00", Location("bad.py", 3, 4, 3, 4), None, "correct it")


@pytest.fixture
def report() -> Report:
    files = (
        FileReport("a b/m.py", "changed", (DONE, CHECK, TODO), 0, ("tf.mul",), 23, BEFORE, AFTER),
        FileReport("bad.py", "unreadable", (BROKEN,), lines=3),
        FileReport("n.ipynb", "unchanged", (CELL,), 1),
        FileReport("plain.py", "copied"),
    )
    return Report(files, "2", 1, ("setup.py asks for 1.x",), {"renamed-symbol": RuleInfo("renamed-symbol", "New names & more.")}, "1.2.3")


def test_totals_and_exit_status(report: Report) -> None:
    total = report.totals
    assert {k: total[k] for k in ("files", "changed", "unchanged", "without_tensorflow", "unreadable")} == {
        "files": 4, "changed": 1, "unchanged": 1, "without_tensorflow": 1, "unreadable": 1,
    }  # fmt: skip
    assert (total["rewritten"], total["to_check"], total["manual"], total["findings"]) == (2, 1, 3, 5)
    assert report.by_rule == {"removed-symbol": (0, 2), "dropout-rate": (1, 0), "renamed-symbol": (1, 0), "unreadable": (0, 1)}
    assert report.upgrade_exit() == 2
    done = Report((FileReport("m.py", "changed", (DONE,)),), "2")
    assert (done.upgrade_exit(), done.check_exit()) == (0, 1)
    left = Report((FileReport("m.py", "changed", (TODO,)),), "2")
    assert (left.upgrade_exit(), left.check_exit()) == (1, 1)
    assert (Report((), "2").upgrade_exit(), Report((), "2").check_exit()) == (0, 0)


def test_text(report: Report) -> None:
    text = to_text(report)
    head, _, files = text.partition("\na b/m.py\n--------\n")
    rows = [line.split() for line in head.splitlines()]
    assert ["left", "to", "a", "person", "3"] in rows
    assert ["renamed-symbol", "1", "0"] in rows
    assert "written for TensorFlow 1.x: setup.py asks for 1.x" in head
    changes, _, manual = files.partition("  What a person must do\n")
    assert "    22:5       tf.mul is now tf.multiply\n" in changes
    assert "(check: see that x is no rate)" in changes
    assert "    23:5       no tf.gone, 100% [removed-symbol]\n" in manual
    assert "-> use tf.other" in manual
    assert "[7] 2:1" in text
    assert "plain.py" not in text


def test_lines(report: Report) -> None:
    lines = to_lines(report).splitlines()
    assert lines[0] == "a b/m.py:22:5: note: tf.mul is now tf.multiply [renamed-symbol]"
    assert "n.ipynb[cell 7]:2:1: error: no tf.x [removed-symbol]" in lines
    assert lines[-1] == summary(report) == "4 files (1 to change, 1 without TensorFlow): 2 rewritten, 3 left to a person, 1 unreadable file"


def test_json(report: Report) -> None:
    data = json.loads(to_json(report))
    assert data["totals"]["manual"] == 3
    assert [f["path"] for f in data["files"]] == ["a b/m.py", "bad.py", "n.ipynb"]
    assert data["files"][0]["findings"][2] == {
        "rule": "removed-symbol", "level": "warning", "message": "no tf.gone, 100%", "path": "a b/m.py", "line": 23, "column": 5,
        "end_line": 23, "end_column": 12, "cell": None, "node": "", "fix": None, "advice": "use tf.other\nor nothing",
    }  # fmt: skip


def test_sarif(report: Report) -> None:
    """The parts of the 2.1.0 schema that this output uses."""
    log = json.loads(to_sarif(report))
    assert log["version"] == "2.1.0"
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert len({r["id"] for r in rules}) == len(rules)
    assert rules[0] == {"id": "renamed-symbol", "shortDescription": {"text": "New names & more."}}
    assert len(run["results"]) == 5
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("note", "warning", "error")
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert place["region"]["startLine"] >= 1
        assert place["region"].get("endColumn", 1) >= 1
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "a%20b/m.py", "uriBaseId": "SRCROOT"}
    prints = [r["partialFingerprints"]["tfrevive/v1"] for r in run["results"]]
    assert len(set(prints)) == len(prints)
    assert run["invocations"] == [{"executionSuccessful": False}]


def test_github(report: Report) -> None:
    lines = to_github(report).splitlines()
    assert lines[0] == "::notice file=a b/m.py,line=22,col=5,endLine=22,title=tfrevive renamed-symbol::tf.mul is now tf.multiply"
    assert lines[2].endswith("::no tf.gone, 100%25%0Ause tf.other%0Aor nothing")


def test_junit(report: Report) -> None:
    root = ET.fromstring(to_junit(report))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "2", "1")
    cases = root.findall("./testsuite/testcase")
    assert [c.get("name") for c in cases] == ["a b/m.py", "bad.py", "n.ipynb"]
    assert [[k.tag for k in c] for c in cases] == [["failure"], ["error"], ["failure"]]


class Page(html.parser.HTMLParser):
    """Checks that tags close in order and collects what is shown."""

    VOID = frozenset({"meta", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.shown: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        assert not {"src", "onclick"} & values.keys()
        self.links.append(values.get("href") or "#")
        self.ids.add(values.get("id") or "")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("style", "script"):
            self.shown.append(data)


def test_html(report: Report) -> None:
    text = to_html(report)
    page = Page()
    page.feed(text)
    assert not page.open
    assert all(link.startswith("#") for link in page.links)  # nothing from outside
    assert {link[1:] for link in page.links if len(link) > 1} <= page.ids
    shown = "".join(page.shown)
    assert "y = tf.multiply(a, '<b>')" in shown
    assert "<b>'" not in text
    assert shown.count("x = 1") == 2 * 3  # only the lines around a change, on both sides
    assert shown.index("y = tf.mul(a") < shown.index("rate, not keep_prob") < shown.index("z = tf.gone(y)") < shown.index("no tf.gone")
    assert "cell 7, line 2" in shown
    assert 'name="viewport"' in text
