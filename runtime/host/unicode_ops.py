"""Host kernels that decode, encode and transcode Unicode text."""

from __future__ import annotations

import codecs
import itertools
import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphtools.graph import Node
from runtime.errors import InvalidArgumentError
from runtime.host import Run, host
from runtime.host.string_ops import each, strings

Array = NDArray[Any]


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError as e:
        raise InvalidArgumentError(None, None, f"Could not create converter for input encoding: {name}") from e


def _characters(node: Node, text: bytes, encoding: str) -> Iterator[tuple[int, int]]:
    """(code point, byte offset) of every character, ill-formed bytes and unwanted control characters dealt with as the attrs say."""
    a = node.attr
    at = 0
    while at < len(text):
        try:
            good, bad_stop = text[at:].decode(encoding), None
        except UnicodeDecodeError as e:
            good, bad_stop = text[at : at + e.start].decode(encoding), at + e.end
        for char in good:
            code = ord(char)
            if not a["replace_control_characters"] or code >= 32:
                yield code, at
            elif a["errors"] != "ignore":
                yield a["replacement_char"], at
            at += len(char.encode(encoding))
        if bad_stop is None:
            return
        if a["errors"] == "strict":
            raise InvalidArgumentError(None, None, "Invalid formatting on input string")
        if a["errors"] == "replace":
            yield a["replacement_char"], at
        at = bad_stop


def _decode(node: Node, value: Array) -> tuple[Array, Array, Array]:
    encoding = _codec(node.attr["input_encoding"])
    found = [list(_characters(node, s, encoding)) for s in value.ravel()]
    splits = np.cumsum([0, *map(len, found)]).astype(node.attr["Tsplits"].as_numpy_dtype)
    flat = np.array([*itertools.chain.from_iterable(found)], np.int64).reshape(-1, 2)
    return splits, flat[:, 0].astype(np.int32), flat[:, 1]


@host("UnicodeDecode")
def unicode_decode(run: Run, node: Node, value: Array) -> tuple[Array, Array]:
    return _decode(node, value)[:2]


@host("UnicodeDecodeWithOffsets")
def unicode_decode_with_offsets(run: Run, node: Node, value: Array) -> tuple[Array, Array, Array]:
    return _decode(node, value)


@host("UnicodeEncode")
def unicode_encode(run: Run, node: Node, values: Array, splits: Array) -> Array:
    a = node.attr
    encoding = _codec(a["output_encoding"])
    found = []
    for start, stop in itertools.pairwise(splits.tolist()):
        chars = []
        for code in values[start:stop].tolist():
            if 0xD800 <= code <= 0xDFFF:  # half a surrogate pair
                chars.append("\ufffd")
            elif 0 <= code <= 0x10FFFF:
                chars.append(chr(code))
            elif a["errors"] == "strict":
                raise InvalidArgumentError(None, None, f"Code point is out of range for Unicode, or a noncharacter: {code}")
            elif a["errors"] == "replace":
                chars.append(chr(a["replacement_char"]))
        found.append("".join(chars).encode(encoding))
    return strings(found)


@host("UnicodeTranscode")
def unicode_transcode(run: Run, node: Node, value: Array) -> Array:
    source, target = _codec(node.attr["input_encoding"]), _codec(node.attr["output_encoding"])
    return each(lambda s: "".join(chr(code) for code, _ in _characters(node, s, source)).encode(target), value)


# ICU's numbers of the scripts, by the first word of their characters' Unicode names.
_SCRIPTS = {
    "ARABIC": 2, "ARMENIAN": 3, "BENGALI": 4, "BOPOMOFO": 5, "CHEROKEE": 6, "COPTIC": 7, "CYRILLIC": 8, "DESERET": 9, "DEVANAGARI": 10,
    "ETHIOPIC": 11, "GEORGIAN": 12, "GOTHIC": 13, "GREEK": 14, "GUJARATI": 15, "GURMUKHI": 16, "CJK": 17, "HANGUL": 18, "HEBREW": 19,
    "HIRAGANA": 20, "KANNADA": 21, "KATAKANA": 22, "KHMER": 23, "LAO": 24, "LATIN": 25, "MALAYALAM": 26, "MONGOLIAN": 27, "MYANMAR": 28,
    "OGHAM": 29, "ORIYA": 31, "RUNIC": 32, "SINHALA": 33, "SYRIAC": 34, "TAMIL": 35, "TELUGU": 36, "THAANA": 37, "THAI": 38,
    "TIBETAN": 39, "CANADIAN": 40, "YI": 41, "TAGALOG": 42, "HANUNOO": 43, "BUHID": 44, "TAGBANWA": 45, "BRAILLE": 46,
}  # fmt: skip
_COMMON, _INHERITED = 0, 1


def _script(code: int) -> int:
    if not 0 <= code <= 0x10FFFF:
        return -1
    char = chr(code)
    category = unicodedata.category(char)
    if category == "Mn" and unicodedata.name(char, "").startswith("COMBINING"):
        return _INHERITED
    if category[0] in "LMN" or char in "ªº":
        words = unicodedata.name(char, "").split()
        if char in "ªº":
            return _SCRIPTS["LATIN"]
        for word in words[:2]:
            if word in _SCRIPTS:
                return _SCRIPTS[word]
    return _COMMON


@host("UnicodeScript")
def unicode_script(run: Run, node: Node, value: Array) -> Array:
    return np.array([_script(code) for code in value.ravel().tolist()], np.int32).reshape(value.shape)
