"""The [tool.tfrevive] table of pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

KEYS: Final[dict[str, type]] = {
    "baseline": str,
    "exclude": list,
    "from": str,
    "gitignore": bool,
    "ignore": list,
    "include": list,
    "jobs": int,
    "to": str,
}


class ConfigError(Exception):
    """A setting that cannot be used: which, where, and what is expected."""


def find(start: Path) -> Path | None:
    """The nearest pyproject.toml with a [tool.tfrevive] table, from a path upwards."""
    top = start.resolve()
    for folder in (top, *top.parents):
        file = folder / "pyproject.toml"
        if file.is_file() and "[tool.tfrevive" in file.read_text("utf-8", errors="replace"):
            return file
    return None


def read(file: Path) -> dict[str, Any]:
    """The checked settings; an unknown key or a wrong type is an error, not a surprise."""
    try:
        table = tomllib.loads(file.read_text("utf-8"))["tool"]["tfrevive"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not TOML: {error}") from error
    settings: dict[str, Any] = {}
    for key, value in table.items():
        kind = KEYS.get(key)
        if kind is None:
            raise ConfigError(f"{file}: [tool.tfrevive] has no setting {key!r}: expected one of {', '.join(KEYS)}")
        if isinstance(value, int) and not isinstance(value, bool) and kind is str:
            value = str(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ConfigError(f"{file}: {key} is {value!r}: expected a {kind.__name__}")
        if isinstance(value, list) and not all(isinstance(v, str) for v in value):
            raise ConfigError(f"{file}: {key} is {value!r}: expected a list of strings")
        settings[key] = value
    return settings


def for_sources(sources: list[str]) -> dict[str, Any]:
    file = find(Path(sources[0])) if sources else None
    return read(file) if file is not None else {}
