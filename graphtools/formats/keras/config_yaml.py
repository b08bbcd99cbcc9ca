"""The part of YAML in which Keras writes model configs: block and flow collections, scalars, anchors, tags of tuples."""

from __future__ import annotations

import re
from typing import Any

from graphtools.errors import FormatError

_NUMBER = re.compile(r"[-+]?(?:\d[\d_]*)?\.?\d+(?:[eE][-+]?\d+)?|[-+]?\d+\.(?:[eE][-+]?\d+)?")
_WORDS = {
    "null": None,
    "~": None,
    "": None,
    "true": True,
    "false": False,
    "yes": True,
    "no": False,
    ".inf": float("inf"),
    "-.inf": float("-inf"),
    ".nan": float("nan"),
}
_TUPLES = ("!!python/tuple", "!!python/unicode", "!!python/str", "!!str", "!!seq", "!!map", "!!int", "!!float", "!!null", "!!bool")
_QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"\\]|\\.)*\"""")
_MAX_DEPTH = 200
_MAX_VALUES = 1_000_000


def parse(text: str) -> Any:
    """The value of a YAML document. Raises FormatError with the line."""
    return _Parser(text).document()


class _Parser:
    def __init__(self, text: str) -> None:
        self.lines: list[tuple[int, int, str]] = []  # line number, indentation, content
        for number, raw in enumerate(text.splitlines(), 1):
            line = raw.rstrip()
            content = line.lstrip(" ")
            if content and not content.startswith("#") and content not in ("---", "...") and not content.startswith("%"):
                self.lines.append((number, len(line) - len(content), content))
        self.at = 0
        self.anchors: dict[str, tuple[Any, int]] = {}  # the value, and how many values it is made of
        self.count = 0

    def document(self) -> Any:
        if not self.lines:
            raise FormatError("The YAML text is empty.")
        value = self.block(self.lines[0][1], 0)
        if self.at < len(self.lines):
            raise self.error("what stands before is a whole document")
        return value

    def error(self, problem: str) -> FormatError:
        number, _, content = self.lines[min(self.at, len(self.lines) - 1)]
        return FormatError(f"Line {number} of the YAML text ({content[:60]!r}): {problem}.")

    def block(self, indent: int, depth: int) -> Any:
        """The value that starts at the current line."""
        if depth > _MAX_DEPTH:
            raise self.error("collections are nested too deep")
        _, found, content = self.lines[self.at]
        if content.startswith("- ") or content == "-":
            return self.sequence(found, depth)
        if _key(content) is not None:
            return self.mapping(found, depth)
        self.at += 1
        return self.inline(content, found - 1, depth)

    def sequence(self, indent: int, depth: int) -> list[Any]:
        items: list[Any] = []
        while self.at < len(self.lines):
            number, found, content = self.lines[self.at]
            if found != indent or not (content.startswith("- ") or content == "-"):
                break
            rest = content[1:].lstrip(" ")
            if not rest:
                self.at += 1
                items.append(self.nested(indent, depth))
                continue
            inner = found + len(content) - len(rest)
            if _key(rest) is not None or rest.startswith("- "):
                self.lines[self.at] = (number, inner, rest)
                items.append(self.block(inner, depth + 1))
            else:
                self.at += 1
                items.append(self.inline(rest, indent, depth))
        return items

    def mapping(self, indent: int, depth: int) -> dict[str, Any]:
        found_keys: dict[str, Any] = {}
        while self.at < len(self.lines):
            _, found, content = self.lines[self.at]
            if found != indent:
                break
            split = _key(content)
            if split is None:
                break
            key, rest = split
            self.at += 1
            found_keys[key] = self.inline(rest, indent, depth)
        if self.at < len(self.lines) and self.lines[self.at][1] > indent:
            raise self.error("the indentation does not fit")
        return found_keys

    def nested(self, indent: int, depth: int, *, same_level: bool = False) -> Any:
        """The block below a key or dash; sequences below a key may be on its own level."""
        if self.at < len(self.lines):
            _, found, content = self.lines[self.at]
            if found > indent or (same_level and found == indent and (content.startswith("- ") or content == "-")):
                return self.block(found, depth + 1)
        return None

    def inline(self, text: str, indent: int, depth: int) -> Any:
        """What follows a key or dash: a scalar, a flow collection over one or more lines, an alias, or nothing and a block below."""
        anchor = None
        while text.startswith(("&", "!")):
            mark, _, text = text.partition(" ")
            if mark.startswith("&"):
                anchor = mark[1:]
            elif mark not in _TUPLES:
                raise self.error(f"the tag {mark!r} makes an object; only data is read")
            text = text.lstrip(" ")
        if text.startswith("*"):
            return self.alias(text[1:])
        before = self.count
        self.made(1)
        if not text:
            value = self.nested(indent, depth, same_level=True)
        elif text[0] in "[{":
            while not _closed(text) and self.at < len(self.lines):
                text += " " + self.lines[self.at][2]
                self.at += 1
            value = _Flow(text, self).whole()
        elif text[0] in "|>":
            parts = []
            while self.at < len(self.lines) and self.lines[self.at][1] > indent:
                parts.append(self.lines[self.at][2])
                self.at += 1
            value = ("\n" if text[0] == "|" else " ").join(parts)
        else:
            while text[0] in "\"'" and not _quoted(text) and self.at < len(self.lines):
                text += " " + self.lines[self.at][2]
                self.at += 1
            if text[0] not in "\"'":
                while self.at < len(self.lines) and self.lines[self.at][1] > indent and _key(self.lines[self.at][2]) is None:
                    text += " " + self.lines[self.at][2]
                    self.at += 1
            value = _scalar(text)
        if anchor is not None:
            self.anchors[anchor] = (value, self.count - before)
        return value

    def alias(self, name: str) -> Any:
        if name not in self.anchors:
            raise self.error(f"there is no anchor {name!r} before this")
        value, size = self.anchors[name]
        self.made(size)
        return value

    def made(self, count: int) -> None:
        """Count values, repeated ones too: a few lines of aliases of aliases stand for billions."""
        self.count += count
        if self.count > _MAX_VALUES:
            raise self.error(f"the document stands for more than {_MAX_VALUES:,} values")


def _key(content: str) -> tuple[str, str] | None:
    """A line "key: rest" as its parts."""
    match = re.match(
        r"""(?:"((?:[^"\\]|\\.)*)"|'((?:[^']|'')*)'|([^\s\[\]{}&*!|>%@`"'#,?-][^:#]*?|-[^\s:#][^:#]*?))\s*:(?:\s+(.*)|)$""", content
    )
    if match is None:
        return None
    key = next(g for g in match.groups()[:3] if g is not None)
    return key, (match[4] or "").strip()


def _quoted(text: str) -> bool:
    return len(text) > 1 and text.endswith(text[0]) and not (text[0] == '"' and text.endswith('\\"') and not text.endswith('\\\\"'))


def _closed(text: str) -> bool:
    depth, quote = 0, ""
    for c in text:
        if quote:
            quote = "" if c == quote else quote
        elif c in "\"'":
            quote = c
        else:
            depth += (c in "[{") - (c in "]}")
    return depth <= 0


def _scalar(text: str) -> Any:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", _escape, text[1:-1])
    text = re.sub(r"\s+#.*$", "", text)
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if re.fullmatch(r"[-+]?\d+", text):
        return int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    return text


def _escape(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "xu" and len(code) > 1:
        return chr(int(code[1:], 16))
    return {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "e": "\x1b", "b": "\b", " ": " "}.get(code, code)


class _Flow:
    """A flow collection: [a, b], {a: b}."""

    def __init__(self, text: str, parser: _Parser) -> None:
        self.text, self.at, self.parser = text, 0, parser

    def whole(self) -> Any:
        value = self.value(0)
        self.space()
        if self.at < len(self.text):
            raise self.parser.error(f"{self.text[self.at : self.at + 20]!r} comes after the end of a collection")
        return value

    def space(self) -> None:
        while self.at < len(self.text) and self.text[self.at] == " ":
            self.at += 1

    def value(self, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise self.parser.error("collections are nested too deep")
        self.space()
        while self.text[self.at : self.at + 1] in ("!", "&"):
            match = re.compile(r"[^\s\[\]{},]+").match(self.text, self.at)
            if match is None or (match[0].startswith("!") and match[0] not in _TUPLES):
                raise self.parser.error("a tag makes an object; only data is read")
            self.at = match.end()
            self.space()
        opening = self.text[self.at : self.at + 1]
        if opening == "[":
            return self.items("]", depth)
        if opening == "{":
            pairs = self.items("}", depth)
            return dict(pairs)
        return self.scalar(",]}")

    def items(self, closing: str, depth: int) -> list[Any]:
        self.at += 1
        found: list[Any] = []
        while True:
            self.space()
            if self.at >= len(self.text):
                raise self.parser.error(f"a collection is not closed; {closing!r} was expected")
            if self.text[self.at] == closing:
                self.at += 1
                return found
            if self.text[self.at] == ",":
                self.at += 1
                continue
            if closing == "}":
                key = self.scalar(":,}")
                self.space()
                value = None
                if self.text[self.at : self.at + 1] == ":":
                    self.at += 1
                    value = self.value(depth + 1)
                found.append((str(key), value))
            else:
                found.append(self.value(depth + 1))

    def scalar(self, ends: str) -> Any:
        self.space()
        if self.text[self.at : self.at + 1] in ("'", '"'):
            match = _QUOTED.match(self.text, self.at)
            if match is None:
                raise self.parser.error("a quoted text is not closed")
            self.at = match.end()
            return _scalar(match[0])
        self.parser.made(1)
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in ends:
            self.at += 1
        text = self.text[start : self.at].strip()
        if text.startswith("*"):
            return self.parser.alias(text[1:])
        return _scalar(text)
