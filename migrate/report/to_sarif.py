"""A report as SARIF 2.1.0, as code hosts read it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any, Final
from urllib.parse import quote

from migrate.report.finding import Finding, Level
from migrate.report.report import Report

LEVELS: Final = {Level.NOTE: "note", Level.WARNING: "warning", Level.ERROR: "error"}
SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"


def to_sarif(report: Report) -> str:
    ids = list(dict.fromkeys(f.rule for f in report.findings))
    seen: Counter[str] = Counter()
    results = [_result(f, ids.index(f.rule), seen) for f in report.findings]
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "tfrevive",
                "semanticVersion": report.tool_version or "0.0.0",
                "rules": [_rule(report, id) for id in ids],
            }
        },
        "invocations": [{"executionSuccessful": not report.has_unreadable}],
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "The folder the paths are relative to."}}},
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1, ensure_ascii=False) + "\n"


def _rule(report: Report, id: str) -> dict[str, Any]:
    info = report.rules.get(id)
    text = info.summary if info is not None else id
    rule: dict[str, Any] = {"id": id, "shortDescription": {"text": text}}
    return rule


def _result(finding: Finding, index: int, seen: Counter[str]) -> dict[str, Any]:
    place = finding.location
    text = f"{finding.message}. {finding.advice}" if finding.advice and finding.fix is None else finding.message
    where: dict[str, Any] = {"artifactLocation": {"uri": quote(place.path.replace("\\", "/")), "uriBaseId": "SRCROOT"}}
    if place.path.startswith("/") or ":" in place.path[:3]:
        del where["artifactLocation"]["uriBaseId"]
    if place.line:
        region = {"startLine": place.line, "startColumn": max(1, place.column)}
        if place.end_line >= place.line and (place.end_line, place.end_column) > (place.line, place.column):
            region |= {"endLine": place.end_line, "endColumn": max(1, place.end_column)}
        where["region"] = region
    location: dict[str, Any] = {"physicalLocation": where}
    if place.cell is not None:
        location["logicalLocations"] = [{"name": f"cell {place.cell}", "kind": "object"}]
    base = f"{finding.rule}\0{place.path}\0{place.cell}\0{finding.message}"
    seen[base] += 1
    print_ = hashlib.sha256(f"{base}\0{seen[base]}".encode()).hexdigest()[:32]
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": LEVELS[finding.level],
        "message": {"text": text},
        "locations": [location],
        "partialFingerprints": {"tfrevive/v1": print_},
    }
