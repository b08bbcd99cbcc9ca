"""RE2's patterns, which TensorFlow's regular expression ops take, on Python's engine; and those ops' host kernels."""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphtools.graph import Node
from runtime.errors import InvalidArgumentError
from runtime.host import Run, host
from runtime.host.string_ops import each, each_number

Array = NDArray[Any]

_POSIX = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": "\\x00-\\x7F", "blank": "\\t ", "cntrl": "\\x00-\\x1F\\x7F", "digit": "0-9",
    "graph": "!-~", "lower": "a-z", "print": " -~", "punct": "!-/:-@\\[-`{-~", "space": "\\t\\n\\v\\f\\r ", "upper": "A-Z",
    "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip
_TOKEN = re.compile(
    r"(?P<quoted>\\Q.*?(?:\\E|$))|(?P<end>\\z)|\\(?P<property>[pP](?:\{\^?\w+\}|\w))|(?P<escape>\\x\{[0-9a-fA-F]+\}|\\.)"
    r"|(?P<posix>\[:\^?\w+:\])|(?P<flags>\(\?[a-zA-Z-]+[:)])|(?P<char>.)",
    re.DOTALL,
)


@functools.cache
def _category(name: str) -> str:
    """The characters of a Unicode category (or of a script, told by the characters' names) as the inside of a class."""
    ranges: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if not (
            unicodedata.category(char).startswith(name) if len(name) <= 2 else unicodedata.name(char, "").startswith(name.upper() + " ")
        ):
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\U{a:08x}-\\U{b:08x}" for a, b in ranges)


def translate(pattern: str) -> str:
    """An RE2 pattern in Python's syntax."""
    out: list[str] = []
    in_class = False
    multiline = False
    for token in _TOKEN.finditer(pattern):
        text = token.group()
        kind = token.lastgroup
        if kind == "quoted":
            text = re.escape(text[2:].removesuffix("\\E"))
        elif kind == "end":
            text = "\\Z"
        elif kind == "property":
            name = token["property"]
            negated = (name[0] == "P") != ("^" in name)
            inside = _category(name[1:].strip("{}^"))
            if in_class and negated:
                raise InvalidArgumentError(None, None, f"Invalid pattern: {pattern}, error: \\{name} inside a class is not supported")
            text = inside if in_class else f"[{'^' if negated else ''}{inside}]"
        elif kind == "escape" and text.startswith("\\x{"):
            text = re.escape(chr(int(text[3:-1], 16)))
        elif kind == "posix":
            if in_class and text.strip("[:^]") in _POSIX and "^" not in text:
                text = _POSIX[text.strip("[:^]")]
            elif not in_class:
                in_class = True  # "[" opened a class whose first member is ":"
        elif kind == "flags":
            multiline = multiline or "m" in text.split("-")[0]
            text = text.replace("U", "")
        elif text == "[":
            text = "\\[" if in_class else "["
            in_class = True
        elif text == "]" and in_class and not "".join(out).endswith(("[", "[^")):
            in_class = False
        elif text == "$" and not in_class and not multiline:
            text = "\\Z"
        out.append(text)
    return "".join(out)


@functools.lru_cache(maxsize=256)
def compile_re2(pattern: bytes) -> re.Pattern[str]:
    try:
        return re.compile(translate(pattern.decode("utf-8", "surrogateescape")), re.ASCII)
    except re.error as e:
        raise InvalidArgumentError(None, None, f"Invalid pattern: {pattern.decode('utf-8', 'replace')}, error: {e}") from e


_REWRITE = re.compile(r"\\(\d|\\)|\\(.?)", re.DOTALL)


def _expand(rewrite: str, match: re.Match[str]) -> str:
    def part(escape: re.Match[str]) -> str:
        token = escape.group(1)
        return "\\" if token == "\\" else match.group(int(token)) or ""

    return _REWRITE.sub(part, rewrite)


def _replace(regex: re.Pattern[str], text: str, rewrite: str, everywhere: bool) -> str:
    """RE2's GlobalReplace: no empty match right after a match."""
    out: list[str] = []
    at = end = 0
    while at <= len(text) and (match := regex.search(text, at)) is not None:
        if out and match.start() == match.end() == end:
            at = end + 1
            if (match := regex.search(text, at)) is None or at > len(text):
                break
        out += [text[end : match.start()], _expand(rewrite, match)]
        at = end = match.end()
        if not everywhere:
            break
    out.append(text[end:])
    return "".join(out)


def _usable(rewrite: str, regex: re.Pattern[str]) -> str:
    """The rewrite up to its first escape that stands for no group, where RE2 stops."""
    for escape in _REWRITE.finditer(rewrite):
        token = escape.group(1)
        if token is None or (token != "\\" and int(token) > regex.groups):
            return rewrite[: escape.start()]
    return rewrite


def _replace_all(node: Node, value: Array, pattern: bytes, rewrite: bytes) -> Array:
    regex = compile_re2(pattern)
    with_text = _usable(rewrite.decode("utf-8", "surrogateescape"), regex)
    everywhere = node.attr["replace_global"]

    def change(text: bytes) -> bytes:
        changed = _replace(regex, text.decode("utf-8", "surrogateescape"), with_text, everywhere)
        return changed.encode("utf-8", "surrogateescape")

    return each(change, value)


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


@host("RegexReplace")
def regex_replace(run: Run, node: Node, value: Array, pattern: Array, rewrite: Array) -> Array:
    return _replace_all(node, value, pattern.item(), rewrite.item())


@host("StaticRegexReplace")
def static_regex_replace(run: Run, node: Node, value: Array) -> Array:
    return _replace_all(node, value, _bytes(node.attr["pattern"]), _bytes(node.attr["rewrite"]))


def _full_match(value: Array, pattern: bytes) -> Array:
    regex = compile_re2(pattern)
    return each_number(lambda s: regex.fullmatch(s.decode("utf-8", "surrogateescape")) is not None, value, np.bool_)


@host("RegexFullMatch")
def regex_full_match(run: Run, node: Node, value: Array, pattern: Array) -> Array:
    return _full_match(value, pattern.item())


@host("StaticRegexFullMatch")
def static_regex_full_match(run: Run, node: Node, value: Array) -> Array:
    return _full_match(value, _bytes(node.attr["pattern"]))
