"""Strings, as far as ONNX has ops for them: joins, splits, case, numbers, and patterns that are plain text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.array_ops import BIGGEST
from graphtools.convert.fingerprint_ops import characters, checked, padded, unpadded
from graphtools.convert.sparse_ops import ONE, ZERO, arange
from graphtools.dtypes import bool_, float64, int64, string

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

EMPTY = np.array("", object)


def text(op: Builder, value: str) -> Value:
    result: Value = op.const(np.array(value, object))
    return result


@converts("StringJoin")
def string_join(op: Builder, node: NodeView) -> Any:
    separator = str(node.attr["separator"])
    joined = node.inputs[0]
    for value in node.inputs[1:]:
        if separator:
            joined = op.StringConcat(joined, text(op, separator))
        joined = op.StringConcat(joined, value)
    return joined


@converts("ReduceJoin")
def reduce_join(op: Builder, node: NodeView) -> Any:
    """Joined along one axis after the other; no axes leave all as it is."""
    x, separator, keep = node.inputs[0], str(node.attr["separator"]), bool(node.attr["keep_dims"])
    if x.rank is None:
        raise node.fail("the rank of the input must be known.")
    axes = [int(a) % x.rank for a in np.ravel(node.const("reduction_indices"))]
    if not axes:
        return x
    flat = x if len(axes) == 1 else None
    if flat is None:  # the axes as one, the first given being the fastest
        others = [i for i in range(x.rank) if i not in axes]
        turned = op.Transpose(x, perm=[*others, *reversed(axes)])
        head = op.Gather(op.Shape(x), np.array(others, np.int64), axis=0)
        flat = op.Reshape(turned, op.Concat(head, [-1], axis=0))
        joined = joined_along(op, flat, len(others), separator)
    else:
        joined = joined_along(op, flat, axes[0], separator)
    return op.Unsqueeze(joined, sorted(axes)) if keep else joined


def joined_along(op: Builder, x: Value, axis: int, separator: str, count: Value | None = None) -> Value:
    """Strings along an axis put together by a Loop; `count` says how many are to be (of the last axis only)."""
    shape = op.Shape(x)
    size = op.Reshape(op.Slice(shape, [axis], [axis + 1]), np.zeros(0, np.int64))
    rest = op.Concat(op.Slice(shape, [0], [axis]), op.Slice(shape, [axis + 1], [BIGGEST]), axis=0)
    start = op.Expand(EMPTY, rest)
    body = op.subgraph()
    i, go_on = body.input("i", int64, ()), body.input("go_on", bool_, ())
    done = body.input("done", string, None if x.rank is None else (None,) * (x.rank - 1))
    item = body.Gather(x, i, axis=axis)
    if separator:
        between = body.Where(body.Equal(i, ZERO), EMPTY, text(body, separator))
        if count is not None:
            between = body.Where(body.Less(i, count), between, EMPTY)
        item = body.StringConcat(between, item)
    following = body.StringConcat(done, item)
    body.output(body.Identity(go_on))
    body.output(following)
    result: Value = op.Loop(size, op.const(True), start, body=body)
    result.dtype = string
    result.dims = None if x.dims is None else tuple(d for j, d in enumerate(x.dims) if j != axis)
    return result


@converts("StringLower", "StringUpper")
def change_case(op: Builder, node: NodeView) -> Any:
    """StringNormalizer takes vectors only. Its locale C knows ASCII letters, as TensorFlow does without an encoding."""
    x = node.inputs[0]
    locale = "C.UTF-8" if str(node.attr["encoding"] or "") else "C"
    action = "LOWER" if node.op == "StringLower" else "UPPER"
    changed = op.StringNormalizer(op.Reshape(x, [-1]), case_change_action=action, is_case_sensitive=1, locale=locale)
    return op.Reshape(changed, op.Shape(x))


@converts("AsString")
def as_string(op: Builder, node: NodeView) -> Any:
    """Decimal digits; a float has as many behind the point as `precision` says, 6 by default, as C's %f writes them."""
    x = node.inputs[0]
    if node.attr["scientific"] or node.attr["shortest"] or int(node.attr["width"]) > 1 or str(node.attr["fill"] or ""):
        raise node.fail("only the plain form is supported: no scientific or shortest form, no width and no fill.")
    if x.dtype is bool_:
        return op.Where(x, text(op, "true"), text(op, "false"))
    if x.dtype is string:
        return x
    if x.dtype.is_integer:
        return op.Cast(x, to=string.onnx)
    precision = int(node.attr["precision"])
    return fixed_point(op, op.cast(x, float64), 6 if precision < 0 else precision)


def fixed_point(op: Builder, x: Value, digits: int) -> Value:
    """The digits of round(|x| 10^digits), a point put in; with sign, inf and nan."""
    if digits > 9:
        digits = 9
    scale = 10**digits
    size = op.Abs(x)
    whole = op.Floor(size) if digits else op.Round(size)
    part = op.cast(op.Round(op.Mul(op.Sub(size, whole), np.float64(scale))), int64)
    carry = op.cast(op.GreaterOrEqual(part, np.int64(scale)), int64)
    part = op.Sub(part, op.Mul(carry, np.int64(scale)))
    written = op.Cast(op.Add(op.cast(whole, int64), carry), to=string.onnx)
    if digits:
        numerals = op.const(np.array(list("0123456789"), object))
        written = op.StringConcat(written, text(op, "."))
        for place in range(digits - 1, -1, -1):
            numeral = op.Mod(op.Div(part, np.int64(10**place)), np.int64(10))
            written = op.StringConcat(written, op.Gather(numerals, numeral, axis=0))
    written = op.Where(op.IsInf(x), text(op, "inf"), written)
    negative = op.Or(op.Less(x, np.float64(0)), op.Less(op.Reciprocal(x), np.float64(0)))
    written = op.StringConcat(op.Where(negative, text(op, "-"), text(op, "")), written)
    result: Value = op.Where(op.IsNaN(x), text(op, "nan"), written)
    return result


@converts("StringToNumber")
def string_to_number(op: Builder, node: NodeView) -> Any:
    return op.Cast(node.inputs[0], to=node.dtype.onnx)


# -- parts ------------------------------------------------------------------------------------------------------------


def _kept(op: Builder, found: Value, keep: Value, x: Value) -> Value:
    """The characters kept of each string, put together."""
    return unpadded(op, joined_along(op, op.Where(keep, found, EMPTY), 1, ""), x)


@converts("StringStrip")
def string_strip(op: Builder, node: NodeView) -> Any:
    """The characters between the first and the last that is no white space."""
    x = node.inputs[0]
    found = characters(op, padded(op, x))
    solid = CharacterClass(_NAMED_CLASSES["\\s"] | {11}, True, False).matches(op, found)
    inside = op.And(op.Greater(op.CumSum(solid, ONE), ZERO), op.Greater(op.CumSum(solid, ONE, reverse=1), ZERO))
    return _kept(op, found, inside, x)


@converts("Substr")
def substr(op: Builder, node: NodeView) -> Any:
    """A position below 0 counts from the end. One out of range, and bytes of characters that are not ASCII, stop the run."""
    x, position, count = node.inputs
    position, count = op.cast(position, int64), op.cast(count, int64)
    if position.rank != 0:
        shape = op.Shape(op.Add(op.ConstantOfShape(op.Shape(x), value=np.zeros(1, np.int64)), position))
        x, position, count = op.Expand(x, shape), op.Expand(position, shape), op.Expand(count, shape)
        position, count = (op.Concat(op.Reshape(v, [-1]), [0], axis=0) for v in (position, count))
    found = characters(op, padded(op, x))
    exists = op.Not(op.Equal(found, EMPTY))
    length = op.ReduceSum(op.cast(exists, int64), [1], keepdims=0)
    own = op.Range(ZERO, op.Size(length), ONE)
    real = op.Less(own, op.Sub(op.Size(length), ONE))  # the string put behind is not asked for
    beyond = op.And(real, op.Or(op.Greater(position, length), op.Less(position, op.Neg(length))))
    if str(node.attr["unit"]) != "UTF8_CHAR":
        ascii_only = CharacterClass(frozenset(range(128)), True, False).matches(op, found)
        beyond = op.Or(beyond, op.Greater(op.ReduceSum(ascii_only, [1], keepdims=0), ZERO))
    start = op.Where(op.Less(position, ZERO), op.Add(position, length), op.Add(position, op.Mul(length, ZERO)))
    stop = checked(op, op.Add(start, count), beyond)
    place = op.Unsqueeze(arange(op, op.Shape(found, start=1, end=2)), [0])
    inside = op.And(op.GreaterOrEqual(place, op.Unsqueeze(start, [1])), op.Less(place, op.Unsqueeze(stop, [1])))
    return _kept(op, found, inside, x)


# -- splits ------------------------------------------------------------------------------------------------------------


def _sparse_pieces(op: Builder, pieces: Value, keep: Value, rows: Value) -> tuple[Value, Value, Value]:
    """The pieces [n, most] that are kept as a sparse tensor: its columns count the kept ones of a row."""
    whole = op.cast(keep, int64)
    column = op.CumSum(whole, ONE, exclusive=1)
    found = op.Transpose(op.NonZero(keep), perm=[1, 0])
    values = op.GatherND(pieces, found)
    row = op.Slice(found, [0], [1], [1])
    indices = op.Concat(row, op.Unsqueeze(op.GatherND(column, found), [1]), axis=1)
    longest = op.ReduceMax(op.Concat([0], op.ReduceSum(whole, [1], keepdims=0), axis=0), keepdims=1)
    return indices, values, op.Concat(rows, longest, axis=0)


def split_text(op: Builder, x: Value, delimiter: str | None, most: int | None = None) -> tuple[Value, Value]:
    """The pieces of strings along a new last axis, short rows filled up with empty ones, and how many each has (none of an empty string)."""
    pieces, counts = op.StringSplit(x, delimiter=delimiter, maxsplit=most, outputs=2)
    counts.dtype, counts.dims = int64, x.dims
    pieces.dims = None if x.dims is None else (*x.dims, None)
    return pieces, counts


@converts("StringSplit")
def string_split(op: Builder, node: NodeView) -> Any:
    """Every character of the delimiter splits; ONNX splits at one text."""
    x = node.inputs[0]
    delimiter = _text_of(node, "delimiter")
    if len(delimiter) != 1:
        raise node.fail(f"only a delimiter of one character is supported, not {delimiter!r}.")
    pieces, counts = split_text(op, x, delimiter)
    places = op.Unsqueeze(arange(op, op.Shape(pieces, start=1, end=2)), [0])
    keep = op.Less(places, op.Unsqueeze(counts, [1]))
    if node.attr["skip_empty"]:
        keep = op.And(keep, op.Not(op.Equal(pieces, EMPTY)))
    return _sparse_pieces(op, pieces, keep, op.Shape(x))


@converts("StringSplitV2")
def string_split_v2(op: Builder, node: NodeView) -> Any:
    """No separator splits at white space, as in ONNX and in Python."""
    x = node.inputs[0]
    separator = _text_of(node, "sep")
    most = int(node.attr["maxsplit"])
    pieces, counts = split_text(op, x, separator or None, most if most > 0 else None)
    if separator:  # an empty string is one empty piece, where ONNX has none
        counts = op.Max(counts, ONE)
        missing = op.Concat(op.Shape(x), op.cast(op.Equal(op.Shape(pieces, start=1, end=2), ZERO), int64), axis=0)
        pieces = op.Concat(pieces, op.Expand(EMPTY, missing), axis=1)
    places = op.Unsqueeze(arange(op, op.Shape(pieces, start=1, end=2)), [0])
    return _sparse_pieces(op, pieces, op.Less(places, op.Unsqueeze(counts, [1])), op.Shape(x))


def _text_of(node: NodeView, name: str) -> str:
    value = node.const(name).item()
    return value.decode() if isinstance(value, bytes) else str(value)


# -- patterns ----------------------------------------------------------------------------------------------------------


@converts("RegexFullMatch", "StaticRegexFullMatch")
def regex_full_match(op: Builder, node: NodeView) -> Any:
    """ONNX's regular expressions are RE2's, as TensorFlow's are."""
    pattern = str(node.attr["pattern"]) if node.op.startswith("Static") else _text_of(node, "pattern")
    return op.RegexFullMatch(node.inputs[0], pattern=pattern)


@converts("RegexReplace", "StaticRegexReplace")
def regex_replace(op: Builder, node: NodeView) -> Any:
    """A pattern that is plain text: split there, and join with what replaces it. One that is a class of characters: see _replace_class."""
    static = node.op.startswith("Static")
    pattern = str(node.attr["pattern"]) if static else _text_of(node, "pattern")
    rewrite = str(node.attr["rewrite"]) if static else _text_of(node, "rewrite")
    everywhere = bool(node.attr["replace_global"])
    x = node.inputs[0]
    plain = plain_text(pattern)
    if plain:
        replacement = re.sub(r"\\(.)", lambda m: plain if m[1] == "0" else m[1], rewrite)
        pieces, counts = split_text(op, op.Reshape(x, [-1]), plain, None if everywhere else 1)
        return op.Reshape(joined_along(op, pieces, 1, replacement, counts), op.Shape(x))
    group = CharacterClass.parse(pattern)
    before, whole, after = rewrite.partition("\\0")
    if group is None or (whole and (group.repeats or "\\" in after)) or re.search(r"\\[1-9]", rewrite):
        raise node.fail(
            f"ONNX can replace plain text and classes of characters only, not the regular expression {pattern!r} by {rewrite!r}."
        )
    parts = [re.sub(r"\\(.)", r"\1", p) for p in (before, after)]
    return _replace_class(op, x, group, (parts[0], parts[1]), bool(whole), everywhere)


def _replace_class(op: Builder, x: Value, group: CharacterClass, around: tuple[str, str], keeps: bool, everywhere: bool) -> Value:
    """Characters told apart, those of the class replaced (or put between the two texts), and all joined again."""
    found = characters(op, padded(op, x))
    inside = op.Equal(group.matches(op, found), ONE)
    starts = inside
    if group.repeats:
        before = op.Slice(op.Pad(op.cast(inside, int64), [0, 1, 0, 0], ZERO), [0], [-1], [1])
        starts = op.And(inside, op.Equal(before, ZERO))
    if not everywhere:
        first = op.LessOrEqual(op.CumSum(op.cast(starts, int64), ONE), ONE)
        starts, inside = op.And(starts, first), op.And(inside, first)
    new = text(op, "".join(around))
    if keeps:
        new = op.StringConcat(op.StringConcat(op.Expand(text(op, around[0]), op.Shape(found)), found), text(op, around[1]))
    replaced = op.Where(inside, op.Where(starts, new, EMPTY), found)
    return unpadded(op, joined_along(op, replaced, 1, ""), x)


@dataclass(frozen=True, slots=True)
class CharacterClass:
    """A regular expression that matches one character, or one or more of them: a set of code points, or all but those."""

    points: frozenset[int]
    negated: bool
    repeats: bool

    @staticmethod
    def parse(pattern: str) -> CharacterClass | None:
        repeats = len(pattern) > 1 and pattern.endswith("+") and not pattern.endswith("\\+")
        body = pattern[:-1] if repeats else pattern
        if body == ".":
            return CharacterClass(frozenset({10}), True, repeats)
        named = _NAMED_CLASSES.get(body.lower()) if body.startswith("\\") else None
        if named is not None:
            return CharacterClass(named, body[1:].isupper(), repeats)
        literal = plain_text(body)
        if literal is not None and len(literal) == 1:
            return CharacterClass(frozenset({ord(literal)}), False, repeats)
        if not re.fullmatch(r"\[(\\.|[^\]\\\[])+\]", body, re.DOTALL):
            return None
        negated = body[1] == "^"
        points: set[int] = set()
        tokens = re.findall(r"\\.|.", body[2 if negated else 1 : -1], re.DOTALL)
        while tokens:
            token = tokens.pop(0)
            if token.startswith("\\") and token.lower() in _NAMED_CLASSES:
                if token[1].isupper():
                    return None
                points |= _NAMED_CLASSES[token]
                continue
            low = plain_text(token) if token.startswith("\\") else token
            if not low:
                return None
            high = low
            if len(tokens) > 1 and tokens[0] == "-":
                tokens.pop(0)
                end = tokens.pop(0)
                high = (plain_text(end) if end.startswith("\\") else end) or ""
                if not high or high < low or ord(high) - ord(low) > 0x1000:
                    return None
            points |= set(range(ord(low), ord(high) + 1))
        return CharacterClass(frozenset(points), negated, repeats)

    def matches(self, op: Builder, found: Value) -> Value:
        """1 for each character that is of the class; what fills rows up is not."""
        keys = [chr(p) for p in sorted(self.points)] + ([""] if self.negated else [])
        inside, outside = (0, 1) if self.negated else (1, 0)
        result: Value = op.LabelEncoder(
            found, domain="ai.onnx.ml", keys_strings=keys, values_int64s=[inside] * len(keys), default_int64=outside
        )
        result.dtype, result.dims = int64, found.dims
        return result


_DIGITS = frozenset(range(48, 58))
_NAMED_CLASSES = {
    "\\d": _DIGITS,
    "\\s": frozenset({9, 10, 12, 13, 32}),
    "\\w": _DIGITS | frozenset(range(65, 91)) | frozenset(range(97, 123)) | frozenset({95}),
}


def plain_text(pattern: str) -> str | None:
    """The one text that a regular expression matches, or None if it matches others too."""
    found, i = [], 0
    while i < len(pattern):
        c = pattern[i]
        if c == "\\" and i + 1 < len(pattern):
            i += 1
            escapes = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
            if pattern[i].isalnum() and pattern[i] not in escapes:
                return None
            c = escapes.get(pattern[i], pattern[i])
        elif c in ".^$*+?{}[]|()":
            return None
        found.append(c)
        i += 1
    return "".join(found)


@converts("UnsortedSegmentJoin")
def unsorted_segment_join(op: Builder, node: NodeView) -> Any:
    """The strings of each segment in their order: each goes to its own column of its segment, and the columns are joined."""
    x, ids, count = node.inputs[0], op.cast(node.inputs[1], int64), op.Reshape(op.cast(node.inputs[2], int64), [1])
    if x.rank != 1:
        raise node.fail("only vectors are supported.")
    same = op.And(
        op.Equal(op.Unsqueeze(ids, [1]), op.Unsqueeze(ids, [0])),
        op.Greater(op.Unsqueeze(arange(op, op.Shape(ids)), [1]), op.Unsqueeze(arange(op, op.Shape(ids)), [0])),
    )
    column = op.ReduceSum(op.cast(same, int64), [1], keepdims=0)
    width = op.ReduceMax(op.Concat([0], op.Add(column, ONE), axis=0), keepdims=1)
    table = op.Expand(EMPTY, op.Concat(count, width, axis=0))
    places = op.Concat(op.Unsqueeze(ids, [1]), op.Unsqueeze(column, [1]), axis=1)
    counts = op.ScatterElements(op.ConstantOfShape(count, value=np.zeros(1, np.int64)), ids, op.Add(column, ONE), axis=0, reduction="max")
    return joined_along(op, op.ScatterND(table, places, x), 1, str(node.attr["separator"]), counts)
