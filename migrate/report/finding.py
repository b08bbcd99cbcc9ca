"""What any stage has to say about a place in somebody's file."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any


class Level(enum.IntEnum):
    """How much a person has to care; the order is the order of severity."""

    NOTE = 1
    WARNING = 2
    ERROR = 3

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place: line and column count from 1, 0 means the whole file; `cell` is a notebook's cell, `node` a graph's node."""

    path: str
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0
    cell: int | None = field(default=None, compare=False)
    node: str = ""

    def __str__(self) -> str:
        path = self.path if self.cell is None else f"{self.path}[cell {self.cell}]"
        place = f"{path}:{self.line}:{self.column}" if self.line else path
        return f"{place} ({self.node})" if self.node else place


@dataclass(frozen=True, slots=True)
class Finding:
    """`fix` says what was done about it, None that nothing was; `advice` what a person can do."""

    rule: str
    level: Level
    message: str
    location: Location
    fix: str | None = None
    advice: str = ""

    @property
    def is_manual(self) -> bool:
        return self.fix is None and self.level >= Level.WARNING

    def as_dict(self) -> dict[str, Any]:
        place = self.location
        return {
            "rule": self.rule,
            "level": str(self.level),
            "message": self.message,
            "path": place.path,
            "line": place.line,
            "column": place.column,
            "end_line": place.end_line,
            "end_column": place.end_column,
            "cell": place.cell,
            "node": place.node,
            "fix": self.fix,
            "advice": self.advice,
        }
