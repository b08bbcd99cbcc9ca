"""Bytes to a tree and back: encodings, byte order marks, line endings, and Python 2 syntax (through fissix)."""

from __future__ import annotations

import codecs
import difflib
import io
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import libcst as cst

# What a file must contain to be worth reading: every import form spells the module's name.
TENSORFLOW: Final = re.compile(rb"tensorflow")
_COOKIE: Final = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
# Cheap signs of Python 2 that LibCST's grammar reads as something else: `print >>f, x` and `except A, e:` (PEP 758).
_TRAPS: Final = re.compile(r"\bprint\s*>>|\bexcept\b[^:\n]*,\s*\w+\s*:")
_ONLY_AST: Final = 0x400  # ast.PyCF_ONLY_AST
_LONE_CR: Final = re.compile(r"\r(?!\n)")
# Only syntax: names such as xrange are rules of their own (migrate/rules/python2.py), since files that parse use them, too.
_FIXERS: Final = ("except", "exec", "ne", "paren", "print", "raise", "repr", "throw", "tuple_params")
_TOLD: Final = {
    "except": "`except X, e` is `except X as e`",
    "async": "async and await are keywords since Python 3.7: names of theirs get an underscore",
    "exec": "the exec statement is a function",
    "ne": "`<>` is `!=`",
    "number": "octal and long literals are written 0o17 and 17",
    "paren": "a comprehension's tuple needs parentheses",
    "print": "the print statement is a function",
    "raise": "`raise E, V` is `raise E(V)`",
    "repr": "backticks are repr()",
    "throw": "`throw(E, V)` is `throw(E(V))`",
    "tuple_params": "parameters cannot be unpacked in a signature",
    "ur": "ur'' literals are r''",
    "tabs": "tabs and spaces are mixed in the indentation",
}


class SourceError(Exception):
    """A file that cannot be read as Python: where, and what was expected there."""

    def __init__(self, path: str, line: int, column: int, message: str) -> None:
        super().__init__(f"{path}:{line}:{column}: {message}" if line else f"{path}: {message}")
        self.path, self.line, self.column, self.message = path, line, column, message


@dataclass(frozen=True, slots=True)
class Decoded:
    """A file's text and what is needed to write it back."""

    text: str
    encoding: str
    bom: bool = False
    recoded: bool = False  # undeclared latin-1: Python 3 cannot read it, so it is written as UTF-8

    def encode(self, text: str, path: str = "<string>") -> bytes:
        try:
            raw = text.encode("utf-8" if self.recoded else self.encoding)
        except UnicodeEncodeError as error:
            raise SourceError(path, 0, 0, f"the result does not fit the file's encoding {self.encoding!r}: {error.reason}") from error
        return codecs.BOM_UTF8 + raw if self.bom else raw


@dataclass(frozen=True, slots=True)
class Change:
    """One piece of Python 2 syntax that was rewritten."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """A tree, the Python it was written in, and how its lines map to the file's."""

    module: cst.Module
    text: str  # that the tree was read from
    dialect: int  # 2 or 3
    changes: tuple[Change, ...] = ()
    lines: dict[int, int] = field(default_factory=dict)  # of the tree -> of the file, where they differ

    def line(self, number: int) -> int:
        return self.lines.get(number, number)


def mentions_tensorflow(data: bytes) -> bool:
    return TENSORFLOW.search(data) is not None


def decode(data: bytes, path: str = "<string>") -> Decoded:
    """Bytes to text as Python does it: byte order mark, cookie in the first two lines, UTF-8; undeclared latin-1 as Python 2 took it."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SourceError(path, 1, 1, "UTF-16 is no encoding of Python source: save it as UTF-8")
    bom = data.startswith(codecs.BOM_UTF8)
    body = data[3:] if bom else data
    encoding = "utf-8"
    for line in body.split(b"\n", 2)[:2]:
        found = _COOKIE.match(line)
        if found is not None:
            encoding = found.group(1).decode("ascii").lower()
            break
        if line.strip() and not line.lstrip().startswith(b"#"):
            break
    if encoding.startswith(("utf-8", "utf8", "u8")) or bom:
        encoding = "utf-8"
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise SourceError(path, 1, 1, f"unknown encoding {encoding!r} in the coding comment") from error
    try:
        return Decoded(body.decode(encoding), encoding, bom)
    except UnicodeDecodeError as error:
        if encoding == "utf-8" and not bom:
            return Decoded(body.decode("latin-1"), "latin-1", recoded=True)
        number = body.count(b"\n", 0, error.start) + 1
        raise SourceError(path, number, 1, f"byte {body[error.start]:#04x} is not {encoding}: correct the coding comment") from error


def parse(text: str, path: str = "<string>") -> Parsed:
    """Text to a tree; Python 2 is rewritten to Python 3 first. SourceError when it is neither."""
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise SourceError(path, line, 1, "a NUL byte: this is not Python source")
    newline = None
    if _LONE_CR.search(text):
        newline, text = "\r", _LONE_CR.sub("\n", text)
    error: SourceError
    if not _has_traps(text):
        try:
            return Parsed(_tree(text, newline), text, 3)
        except (cst.ParserSyntaxError, SyntaxError) as e:
            error = _error(_better(e, text), path)
            error.__cause__ = e
    else:
        error = SourceError(path, 1, 1, "neither Python 3 nor Python 2")
    renamed, spots = _without_keywords(text)
    if spots:
        try:
            module = _tree(renamed, newline)
            return Parsed(module, renamed, 3, tuple(Change(line, _TOLD["async"]) for line in spots))
        except (cst.ParserSyntaxError, SyntaxError):
            pass
    try:
        new, changes = _from_python2(renamed)
        changes = sorted([*changes, *(Change(line, _TOLD["async"]) for line in spots)], key=lambda c: c.line)
    except Exception as e:  # fissix raises ParseError, TokenError, IndentationError, and others on odd input
        if _looks_like_python2(text):
            raise _error(e, path) from e
        raise error from e
    try:
        module = _tree(new, newline)
    except (cst.ParserSyntaxError, SyntaxError) as e:
        raise _error(e, path, "after the move from Python 2: ") from e
    return Parsed(module, new, 2, tuple(changes), _line_map(text, new))


def _tree(text: str, newline: str | None) -> cst.Module:
    module = cst.parse_module(text)
    return module.with_changes(default_newline=newline) if newline else module


def written(code: str, had: str) -> str:
    """The text to be written, with the lone carriage returns that the file had as line ends."""
    if _LONE_CR.search(had) and "\n" not in had:
        return code.replace("\n", "\r")
    return code


_KEYWORD: Final = re.compile(r"\b(async|await)\b")


def _without_keywords(text: str) -> tuple[str, list[int]]:
    """async and await as names, as they could be before Python 3.7, with an underscore; and the lines they are on."""
    if _KEYWORD.search(text) is None:
        return text, []
    lines = text.splitlines(keepends=True)
    tokens = [t for t in _tokens(text) if t.type not in (tokenize.NL, tokenize.COMMENT)]
    spots: list[int] = []
    for index in range(len(tokens) - 1, -1, -1):
        token = tokens[index]
        if token.type != tokenize.NAME or token.string not in ("async", "await"):
            continue
        after = tokens[index + 1] if index + 1 < len(tokens) else token
        is_keyword = after.string in ("def", "for", "with") if token.string == "async" else after.type == tokenize.NAME
        if not is_keyword:
            line, column = token.start
            old = lines[line - 1]
            lines[line - 1] = old[:column] + token.string + "_" + old[column + len(token.string) :]
            spots.append(line)
    return "".join(lines), sorted(set(spots))


# -------------------------------------------------------------------------- Python 2


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    try:
        yield from tokenize.generate_tokens(io.StringIO(text).readline)
    except (tokenize.TokenError, SyntaxError, IndentationError):
        return


def _has_traps(text: str) -> bool:
    """The file parses as Python 3 and means something else: decided by tokens, since strings may say the same."""
    if _TRAPS.search(text) is None:
        return False
    tokens = [t for t in _tokens(text) if t.type not in (tokenize.NL, tokenize.COMMENT)]
    for index, token in enumerate(tokens):
        if token.type != tokenize.NAME:
            continue
        after = [t.string for t in tokens[index + 1 : index + 3]]
        if token.string == "print" and after[:1] == [">>"] and (index == 0 or tokens[index - 1].string in ("", "\n", "\r\n", ":", ";")):
            return True
        if token.string == "except":
            rest = tokens[index + 1 :]
            depth = 0
            for place, one in enumerate(rest):
                depth += one.string in "([{" and one.type == tokenize.OP
                depth -= one.string in ")]}" and one.type == tokenize.OP
                if one.string == ":" and depth == 0:
                    break
                if one.string == "," and depth == 0:
                    follows = [t.string for t in rest[place + 1 : place + 3]]
                    if len(follows) == 2 and follows[1] == ":" and follows[0].isidentifier() and follows[0][:1].islower():
                        return True
                    break
    return False


_SIGNS: Final = re.compile(
    r"^\s*print\s+[^\s(=]|\bprint\s*>>|`|<>|\b[uU][rR]['\"]|\b0[0-7]+\b|\b\d+[lL]\b|\bexec\s+['\"\w]|\braise\s+\w+\s*,|except\s+[^:\n]+,\s*\w+\s*:",
    re.M,
)


def _looks_like_python2(text: str) -> bool:
    return _SIGNS.search(text) is not None


@cache
def _tool(print_function: bool) -> Any:
    from fissix.refactor import RefactoringTool

    names = [f"fissix.fixes.fix_{name}" for name in _FIXERS]
    tool = RefactoringTool(names, {"print_function": print_function})
    tool.noted = []
    for fixer in {*tool.pre_order, *tool.post_order}:
        _listen(fixer, tool.noted)
    return tool


def _listen(fixer: Any, noted: list[tuple[int, str]]) -> None:
    """Note where a fixer changes something."""
    transform, name = fixer.transform, type(fixer).__name__[3:]
    key = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()

    def noting(node: Any, results: Any) -> Any:
        line = node.get_lineno()
        before = str(node)
        new = transform(node, results)
        if (new is not None and str(new) != before) or str(node) != before:
            noted.append((line, key))
        return new

    fixer.transform = noting


def _from_python2(text: str) -> tuple[str, list[Change]]:
    newline = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
    unix = text.replace("\r\n", "\n")
    ended = unix if unix.endswith("\n") else unix + "\n"
    error: Exception | None = None
    # with print as a function first: a file that never uses the statement keeps its calls as they are
    orders = (False, True) if re.search(r"\bprint\s*>>", text) else (True, False)
    for print_function in orders:
        tool = _tool(print_function)
        tool.noted.clear()
        try:
            tree = _refactored(tool, ended)
            break
        except Exception as e:
            error = e
    else:
        raise error or ValueError("not Python 2")
    noted = list(tool.noted)
    for leaf in tree.leaves():
        if leaf.value[:2].lower() == "ur" and leaf.value[2:3] in ("'", '"'):
            leaf.value = leaf.value[1:]
            noted.append((leaf.get_lineno(), "ur"))
        elif leaf.value[:1].isdigit() and (number := _number(leaf.value)) != leaf.value:
            leaf.value = number
            noted.append((leaf.get_lineno(), "number"))
    new = str(tree)
    trouble = _better(ValueError(), new)
    if isinstance(trouble, TabError):
        new = _spaces(new)
        noted.append((trouble.lineno or 1, "tabs"))
    if not unix.endswith("\n"):
        new = new[:-1] if new.endswith("\n") else new
    if newline == "\r\n":
        new = new.replace("\n", "\r\n")
    changes = [Change(line, _TOLD[key]) for line, key in sorted(set(noted))]
    return new, changes


def _number(text: str) -> str:
    """017 and 10L as Python 3 writes them."""
    text = text.rstrip("lL")
    return "0o" + text.lstrip("0") if re.fullmatch(r"0+[1-7][0-7]*", text) else text


def _refactored(tool: Any, text: str) -> Any:
    """The refactored tree. RefactoringTool.refactor_string logs parse errors away, so its steps are taken here."""
    from fissix.refactor import _detect_future_features

    if "print_function" in _detect_future_features(text):
        from fissix import pygram

        tool.driver.grammar = pygram.python_grammar_no_print_statement
    else:
        tool.driver.grammar = tool.grammar
    tree = tool.driver.parse_string(text)
    tree.future_features = _detect_future_features(text)
    tool.refactor_tree(tree, "<source>")
    return tree


def _spaces(text: str) -> str:
    """Leading tabs as Python 2 counted them, to every eighth column; strings over several lines stay as they are."""
    from fissix.pgen2 import tokenize as pgen

    inside: set[int] = set()
    for kind, _, start, end, _ in pgen.generate_tokens(io.StringIO(text).readline):
        if kind == pgen.STRING:
            inside.update(range(start[0] + 1, end[0] + 1))
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        lead = line[: len(line) - len(line.lstrip(" \t"))]
        if "\t" in lead and number not in inside:
            lines[number - 1] = lead.expandtabs(8) + line[len(lead) :]
    return "".join(lines)


def _line_map(old: str, new: str) -> dict[int, int]:
    a, b = old.splitlines(), new.splitlines()
    if len(a) == len(b):
        return {}
    lines: dict[int, int] = {}
    for _, a1, a2, b1, b2 in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        for offset in range(b2 - b1):
            lines[b1 + offset + 1] = min(a1 + offset, max(a1, a2 - 1)) + 1
    return lines


def _better(error: Exception, text: str) -> Exception:
    """CPython says more exactly than LibCST where and why, if it agrees that there is an error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<source>", "exec", dont_inherit=True, flags=_ONLY_AST)
    except SyntaxError as better:
        return better
    except (ValueError, RecursionError):
        return error
    return error


def _error(error: Exception, path: str, prefix: str = "") -> SourceError:
    """Whatever a parser raised, as a place and a sentence."""
    line = column = 1
    message = str(error)
    if isinstance(error, cst.ParserSyntaxError):
        line, column = error.raw_line, error.raw_column + 1
        message = error.message
    elif isinstance(error, SyntaxError):
        line, column, message = error.lineno or 1, error.offset or 1, error.msg
    else:
        context = getattr(error, "context", None)  # fissix's ParseError: (prefix, (line, column))
        place = context[1] if isinstance(context, tuple) and len(context) == 2 else None
        if isinstance(place, tuple):
            line, column = place[0], place[1] + 1
            message = f"unexpected {getattr(error, 'value', '')!r}"
        elif len(error.args) == 2 and isinstance(error.args[1], tuple):
            message, (line, column) = error.args[0], error.args[1]
    return SourceError(path, line, column, f"{prefix}{message.strip() or type(error).__name__}: neither Python 3 nor Python 2 reads this")
