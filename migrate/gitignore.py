"""Which paths of a tree are left out: .gitignore files, include and exclude globs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line of a .gitignore, for paths relative to the file's folder."""

    regex: re.Pattern[str]
    negated: bool
    only_folders: bool


@cache
def compiled(glob: str, anchored: bool) -> re.Pattern[str]:
    """A git glob: `*` stops at a slash, `**` does not; unanchored globs match at any depth."""
    out = []
    i, n = 0, len(glob)
    while i < n:
        if glob.startswith("**/", i):
            out.append("(?:.*/)?")
            i += 3
        elif glob.startswith("**", i):
            out.append(".*")
            i += 2
        elif glob[i] == "*":
            out.append("[^/]*")
            i += 1
        elif glob[i] == "?":
            out.append("[^/]")
            i += 1
        elif glob[i] == "[" and "]" in glob[i + 2 :]:
            end = glob.index("]", i + 2)
            inner = glob[i + 1 : end].replace("\\", "\\\\")
            out.append(f"[{'^' + inner[1:] if inner[0] in '!^' else inner}]")
            i = end + 1
        elif glob[i] == "\\" and i + 1 < n:
            out.append(re.escape(glob[i + 1]))
            i += 2
        else:
            out.append(re.escape(glob[i]))
            i += 1
    return re.compile(("" if anchored else "(?:.*/)?") + "".join(out) + r"\Z", re.S)


def parse(text: str) -> list[Pattern]:
    patterns = []
    for raw in text.splitlines():
        line = raw.rstrip("\r")
        if not line.endswith("\\ "):
            line = line.rstrip(" ")
        if not line or line.startswith("#"):
            continue
        negated = line.startswith("!")
        line = line[1:] if negated else line
        only_folders = line.endswith("/")
        line = line.rstrip("/") if only_folders else line
        anchored = "/" in line
        patterns.append(Pattern(compiled(line.lstrip("/"), anchored), negated, only_folders))
    return patterns


class Ignored:
    """The .gitignore files of a tree, read as the walk comes to their folders."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.levels: dict[str, list[Pattern]] = {}
        self.above: list[tuple[str, list[Pattern]]] = []  # of the folders above, up to the repository's root
        top = root.resolve()
        if (top / ".git").exists():
            return
        for folder in top.parents:
            if (folder / ".gitignore").is_file():
                self.above.append((f"{top.relative_to(folder).as_posix()}/", _read(folder / ".gitignore")))
            if (folder / ".git").exists():
                return
        self.above = []  # no repository: files above do not count

    def enter(self, folder: str) -> None:
        """Read the .gitignore of a folder ("" is the root)."""
        file = self.root / folder / ".gitignore"
        patterns = _read(file) if file.is_file() else []
        if folder == "" and (self.root / ".git" / "info" / "exclude").is_file():
            patterns = _read(self.root / ".git" / "info" / "exclude") + patterns
        if patterns:
            self.levels[folder] = patterns

    def covers(self, path: str, is_folder: bool) -> bool:
        """Whether git ignores a path whose folders are not ignored; the last pattern that matches decides."""
        verdict = False
        for prefix, patterns in reversed(self.above):
            verdict = _verdict(patterns, prefix + path, is_folder, verdict)
        folders = ["", *_folders(path)]
        for folder in folders:
            patterns = self.levels.get(folder, [])
            if patterns:
                verdict = _verdict(patterns, path[len(folder) :].lstrip("/"), is_folder, verdict)
        return verdict


def _folders(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def _verdict(patterns: Sequence[Pattern], path: str, is_folder: bool, before: bool) -> bool:
    for pattern in patterns:
        if (is_folder or not pattern.only_folders) and pattern.regex.match(path):
            before = not pattern.negated
    return before


def _read(file: Path) -> list[Pattern]:
    try:
        return parse(file.read_text("utf-8", errors="replace"))
    except OSError:
        return []


def matches(path: str, globs: Iterable[str]) -> bool:
    """Whether a path, or a folder it lies in, matches one of the globs."""
    parts = path.split("/")
    for glob in globs:
        regex = compiled(glob.strip("/"), "/" in glob.strip("/"))
        if any(regex.match("/".join(parts[: n + 1])) for n in range(len(parts))):
            return True
    return False
