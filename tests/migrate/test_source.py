"""Bytes to text and tree: encodings, line ends, Python 2, and what is refused."""

from __future__ import annotations

import ast
import codecs
from importlib import metadata

import pytest

from migrate import source
from migrate.source import SourceError

NEEDS_PEP_758 = pytest.mark.skipif(tuple(map(int, metadata.version("libcst").split(".")[:2])) < (1, 9), reason="LibCST 1.9 reads it")
UMLAUT = "x = '\u00e4\u00f6'\n"


@pytest.mark.parametrize(
    ("data", "encoding", "bom"),
    [
        (b"x = 1\n", "utf-8", False),
        (UMLAUT.encode(), "utf-8", False),
        (codecs.BOM_UTF8 + UMLAUT.encode(), "utf-8", True),
        (b"# -*- coding: latin-1 -*-\n" + UMLAUT.encode("latin-1"), "latin-1", False),
        (b"#!/usr/bin/python\n# vim: set fileencoding=euc-jp :\nx = '\xa4\xa2'\n", "euc-jp", False),
        (b"x = 1\n# coding: latin-1 in line three means nothing\n\n", "utf-8", False),
    ],
)
def test_bytes_come_back(data: bytes, encoding: str, bom: bool) -> None:
    decoded = source.decode(data)
    assert (decoded.encoding, decoded.bom) == (encoding, bom)
    assert decoded.encode(decoded.text) == data


def test_undeclared_latin1_becomes_utf8() -> None:
    decoded = source.decode(UMLAUT.encode("latin-1"))
    assert decoded.text == UMLAUT
    assert decoded.encode(decoded.text) == UMLAUT.encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"# coding: no-such-thing\n", "unknown encoding"),
        (codecs.BOM_UTF8 + b"x = '\xff'\n", "byte 0xff is not utf-8"),
        ("x = 1".encode("utf-16"), "UTF-16"),
    ],
)
def test_bytes_that_are_refused(data: bytes, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        source.decode(data, "f.py")


@pytest.mark.parametrize(
    "text", ["x = 1\n", "x = 1", "x = 1\r\ny = 2\r\n", "if x:\n\ty = 1\n", "x = 1\ry = 2\r", "\n\n# only\n", "", "x=1\n\x0c\ny=2\n"]
)
def test_layout_comes_back(text: str) -> None:
    parsed = source.parse(text)
    assert parsed.dialect == 3
    assert source.written(parsed.module.code, text) == text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("print 'a', b\n", "print('a', b)\n"),
        ("print 'a',\n", "print('a', end=' ')\n"),
        ("print\n", None),
        ("print >>f, x\n", "print(x, file=f)\n"),
        ("try:\n    pass\nexcept (A, B), e:\n    pass\n", "try:\n    pass\nexcept (A, B) as e:\n    pass\n"),
        ("try:\n    pass\nexcept A, e:\n    pass\n", "try:\n    pass\nexcept A as e:\n    pass\n"),
        ("raise E, 'm'\n", "raise E('m')\n"),
        ("exec a in d\n", "exec(a, d)\n"),
        ("x = `1` <> 017L\n", "x = repr(1) != 0o17\n"),
        ("x = 10L\n", "x = 10\n"),
        ("x = ur'a'\n", "x = r'a'\n"),
        ("print 'a'\r\nx = 1\r\n", "print('a')\r\nx = 1\r\n"),
        ("print 'a'", "print('a')"),
        ("# c\nprint 'a'  # d\n\n\ndef f():  # e\n    print 1\n", "# c\nprint('a')  # d\n\n\ndef f():  # e\n    print(1)\n"),
        ("f(lambda (a, b): a)\nprint 1\n", "f(lambda a_b: a_b[0])\nprint(1)\n"),
        (
            "class A:\n\tdef f(self):\n\t\tx = 1\n                return x\nprint 1\n",
            "class A:\n        def f(self):\n                x = 1\n                return x\nprint(1)\n",
        ),
    ],
)
def test_python2(old: str, new: str | None) -> None:
    parsed = source.parse(old)
    if new is None:
        assert parsed.module.code == old
        return
    assert parsed.dialect == 2
    assert parsed.module.code == new
    assert parsed.changes
    ast.parse(new)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("try:\n    pass\nexcept A, B:\n    pass\n", marks=NEEDS_PEP_758),  # two classes: Python 3.14 means that
        "s = '''print >>f, x'''\n",
        "print(a, b)\n",
        "x = a >> print\n",
    ],
)
def test_python3_that_looks_like_python2(text: str) -> None:
    parsed = source.parse(text)
    assert parsed.dialect == 3
    assert parsed.module.code == text


def test_lines_are_those_of_the_file() -> None:
    parsed = source.parse("def f((a, b)):\n    return a\nprint 1\n")
    assert parsed.module.code.count("\n") == 4
    assert parsed.line(4) == 3


def test_names_that_became_keywords() -> None:
    parsed = source.parse("f(async=True)\nx.await = 1\nasync def g():\n    await h()\n    async with k: pass\n")
    assert parsed.module.code == "f(async_=True)\nx.await_ = 1\nasync def g():\n    await h()\n    async with k: pass\n"
    assert [c.line for c in parsed.changes] == [1, 2]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("x = 1\ndef f(:\n    pass\n", 2, "invalid syntax"),
        ("print 'a'\nx = = 2\n", 2, "unexpected"),
        ("x = '\n", 1, "unterminated string"),
        ("x = 1\n\0", 2, "NUL"),
        ("if x:\npass\n", 2, "indented block"),
    ],
)
def test_source_that_is_refused(text: str, line: int, words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        source.parse(text, "dir/f.py")
    assert caught.value.line == line
    assert str(caught.value).startswith(f"dir/f.py:{line}:")
