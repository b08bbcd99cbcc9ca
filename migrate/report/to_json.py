"""A report as JSON."""

from __future__ import annotations

import json

from migrate.report.report import Report


def to_json(report: Report) -> str:
    return json.dumps(report.as_dict(), indent=1, ensure_ascii=False) + "\n"
