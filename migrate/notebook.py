"""Jupyter notebooks: code cells rewritten as one program, every other byte of the file kept."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, Final

from migrate import source
from migrate.report.finding import Finding, Level, Location
from migrate.source import SourceError

CELL: Final = "__tfrevive_cell_{}__"
_CELL: Final = re.compile(r"^__tfrevive_cell_(\d+)__[ \t]*$")
_MAGIC: Final = re.compile(r"^[ \t]*__tfrevive_magic_(\d+)__[ \t]*$")
# %magic, !shell, ?help and help?, name = !shell, name = %magic
_LINE_MAGIC: Final = re.compile(r"^([ \t]*)((?:[%!?]|[\w, \t.\[\]'\"]+=[ \t]*[%!](?![=\s]))|(?!.*#)[ \t]*[%\w.]+\?{1,2}[ \t]*$)")
# cell magics whose body is still Python of the notebook
PYTHON_CELLS: Final = frozenset({"capture", "prun", "time", "timeit", "python", "python3", "python2", "debug"})


@dataclass(frozen=True, slots=True)
class Cell:
    """A code cell: its number among all cells (from 1), its text, and where the JSON value of its source is in the file."""

    number: int
    text: str
    start: int
    end: int
    is_list: bool


@dataclass(frozen=True, slots=True)
class Joined:
    """The cells as one program. `lines` tells a line's cell and its line there."""

    text: str
    magics: tuple[str, ...]
    lines: dict[int, tuple[int, int]]


# -------------------------------------------------------------------------- reading


class _Scanner:
    """JSON with places: finds where each value of the file begins and ends, which the json module does not tell."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[tuple[tuple[Any, ...], int, int]] = []

    def value(self, at: int, path: tuple[Any, ...]) -> int:
        at = self.space(at)
        start, first = at, self.text[at]
        if first == "{":
            at = self.space(at + 1)
            while self.text[at] != "}":
                key, at = scanstring(self.text, at + 1, True)
                at = self.space(self.value(self.space(at) + 1, (*path, key)))
                at = self.space(at + 1) if self.text[at] == "," else at
            at += 1
        elif first == "[":
            at = self.space(at + 1)
            index = 0
            while self.text[at] != "]":
                at = self.space(self.value(at, (*path, index)))
                at = self.space(at + 1) if self.text[at] == "," else at
                index += 1
            at += 1
        elif first == '"':
            at = scanstring(self.text, at + 1, True)[1]
        else:
            found = _ATOM.match(self.text, at)
            if found is None:
                raise ValueError(f"no JSON value at {at}")
            at = found.end()
        if len(path) >= 3 and path[-1] in ("source", "input"):
            self.found.append((path, start, at))
        return at

    def space(self, at: int) -> int:
        found = _SPACE.match(self.text, at)
        return found.end() if found is not None else at


_SPACE: Final = re.compile(r"[ \t\r\n]*")
_ATOM: Final = re.compile(r"[-+.\w]+")


def cells(text: str, path: str) -> list[Cell]:
    """The code cells of a notebook (nbformat 3 and 4)."""
    try:
        book = json.loads(text)
    except ValueError as error:
        line, column = getattr(error, "lineno", 1), getattr(error, "colno", 1)
        raise SourceError(path, line, column, f"not a notebook: {getattr(error, 'msg', error)}") from error
    if not isinstance(book, dict) or not (isinstance(book.get("cells"), list) or isinstance(book.get("worksheets"), list)):
        raise SourceError(path, 1, 1, "not a notebook: expected an object with 'cells' or 'worksheets'")
    scanner = _Scanner(text)
    scanner.value(0, ())
    places = {p: (a, b) for p, a, b in scanner.found}
    found: list[Cell] = []
    lists: list[tuple[tuple[Any, ...], Any]] = [(("cells",), book["cells"])] if isinstance(book.get("cells"), list) else []
    for number, sheet in enumerate(book.get("worksheets") or ()):
        if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list):
            lists.append((("worksheets", number, "cells"), sheet["cells"]))
    number = 0
    for base, some in lists:
        for index, cell in enumerate(some):
            number += 1
            if not isinstance(cell, dict) or cell.get("cell_type") != "code":
                continue
            for key in ("source", "input"):
                value, place = cell.get(key), places.get((*base, index, key))
                if place is not None and isinstance(value, (str, list)):
                    body = value if isinstance(value, str) else "".join(str(v) for v in value)
                    found.append(Cell(number, body, *place, isinstance(value, list)))
                    break
    return found


def is_foreign(text: str) -> bool:
    """A cell in another language: %%bash, %%javascript, ..."""
    first = text.lstrip("\n").split("\n", 1)[0]
    words = first[2:].split()
    return first.startswith("%%") and not (words and words[0] in PYTHON_CELLS)


def join(some: list[Cell], path: str) -> tuple[Joined, list[Finding]]:
    """One program of the cells that can be read; what cannot is reported and stays."""
    out: list[str] = []
    magics: list[str] = []
    lines: dict[int, tuple[int, int]] = {}
    findings: list[Finding] = []
    texts: list[tuple[Cell, str]] = []
    for cell in some:
        if is_foreign(cell.text):
            continue
        texts.append((cell, _without_magics(cell.text, magics)))
    if not _parses("\n".join(t for _, t in texts), path):
        readable = []
        for cell, text in texts:
            try:
                source.parse(text, path)
                readable.append((cell, text))
            except SourceError as error:
                place = Location(path, error.line, error.column, error.line, error.column, cell.number)
                findings.append(Finding("unreadable", Level.ERROR, error.message, place, advice="the cell was left as it is"))
        texts = readable
    for cell, text in texts:
        out.append(CELL.format(cell.number))
        lines[len(out)] = (cell.number, 1)
        for number, line in enumerate(text.split("\n"), 1):
            out.append(line)
            lines[len(out)] = (cell.number, number)
    return Joined("\n".join(out) + "\n", tuple(magics), lines), findings


def _parses(text: str, path: str) -> bool:
    try:
        source.parse(text, path)
    except SourceError:
        return False
    return True


def _without_magics(text: str, magics: list[str]) -> str:
    """Magics and shell lines as statements that come back unchanged."""
    out: list[str] = []
    indent: str | None = None  # of a magic that goes on after a backslash
    inside = ""  # a string over several lines is not looked into
    for line in text.split("\n"):
        found = _LINE_MAGIC.match(line) if not inside else None
        if found is not None or indent is not None:
            indent = found.group(1) if indent is None and found is not None else indent
            out.append(f"{indent}__tfrevive_magic_{len(magics)}__")
            magics.append(line)
            indent = indent if line.endswith("\\") else None
            continue
        inside = _after(line, inside)
        out.append(line)
    return "\n".join(out)


def _after(line: str, inside: str) -> str:
    """Which triple quote is open after a line."""
    at = 0
    while at < len(line):
        if inside:
            end = line.find(inside, at)
            if end < 0:
                return inside
            at, inside = end + 3, ""
        elif line[at] == "#":
            return ""
        elif line[at : at + 3] in ('"""', "'''"):
            inside, at = line[at : at + 3], at + 3
        elif line[at] in "\"'":
            end = at + 1
            while end < len(line) and line[end] != line[at]:
                end += 2 if line[end] == "\\" else 1
            at = end + 1
        else:
            at += 1
    return inside


# -------------------------------------------------------------------------- writing


def split(code: str, joined: Joined) -> dict[int, str]:
    """The program's text cell by cell, magics put back."""
    texts: dict[int, list[str]] = {}
    current: list[str] | None = None
    for line in code.split("\n"):
        found = _CELL.match(line)
        if found is not None:
            current = texts.setdefault(int(found.group(1)), [])
        elif current is not None:
            current.append(_MAGIC.sub(lambda m: joined.magics[int(m.group(1))], line))
    last = list(texts.values())[-1] if texts else []
    if last and last[-1] == "":
        last.pop()  # the newline that ends the program
    return {number: "\n".join(lines) for number, lines in texts.items()}


def replaced(text: str, some: list[Cell], new: dict[int, str]) -> str:
    """The notebook's text with the sources of changed cells replaced, written as they were."""
    ascii_only = text.isascii() and "\\u" in text
    for cell in sorted(some, key=lambda c: -c.start):
        after = new.get(cell.number)
        if after is None or after == cell.text:
            continue
        old = text[cell.start : cell.end]
        text = text[: cell.start] + _value(after, old, cell.is_list, ascii_only) + text[cell.end :]
    return text


def _value(code: str, old: str, is_list: bool, ascii_only: bool) -> str:
    if not is_list:
        return json.dumps(code, ensure_ascii=ascii_only)
    lines = [json.dumps(line, ensure_ascii=ascii_only) for line in code.splitlines(keepends=True)]
    between = re.match(r"\[(\s*)", old)
    space = between.group(1) if between is not None else "\n"
    tail = re.search(r"(\s*)\]\Z", old)
    if not space and len(lines) > 1 and "," in old:
        comma = re.search(r'",(\s*)"', old)
        return "[" + ("," + (comma.group(1) if comma is not None else " ")).join(lines) + "]"
    return "[" + space + ("," + space).join(lines) + (tail.group(1) if tail is not None else "") + "]"


def placed(finding: Finding, joined: Joined) -> Finding:
    """A finding's place as cell and line in the cell."""
    place = finding.location
    if not place.line:
        return finding
    cell, line = joined.lines.get(place.line, (0, place.line))
    end = joined.lines.get(place.end_line, (cell, line))[1]
    return dataclasses.replace(finding, location=dataclasses.replace(place, line=line, end_line=end, cell=cell or None))
