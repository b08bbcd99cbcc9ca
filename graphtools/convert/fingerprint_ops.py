"""Lengths and hashes of strings: their characters told apart, looked up in a table of UTF-8 bytes, and hashed in uint64.

The table ends at U+0FFF, and hashes take up to 64 bytes. ONNX cannot raise: a string beyond makes an index run out of bounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.builder import MICROSOFT
from graphtools.dtypes import int64, string, uint64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

CHARACTERS = 0x1000  # code points with a row in the table; the row behind them stands for no character, the next for all others
LONGEST = 64  # bytes that a hash takes
WIDTH = LONGEST + 8  # zeros behind the bytes: words are read past the end
K0, K1, K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F  # FarmHash's constants


def characters(op: Builder, x: Value) -> Value:
    """The characters of a vector of strings, [n, most]; empty strings fill rows up."""
    result: Value = op.Tokenizer(x, domain=MICROSOFT, mark=0, pad_value="", mincharnum=1, separators=[""])
    result.dtype, result.dims = string, (None, None)
    return result


def _codes(op: Builder, found: Value) -> Value:
    keys = [chr(i) for i in range(CHARACTERS)]
    result: Value = op.LabelEncoder(
        found, domain="ai.onnx.ml", keys_strings=[*keys, ""], values_int64s=list(range(CHARACTERS + 1)), default_int64=CHARACTERS + 1
    )
    result.dtype, result.dims = int64, found.dims
    return result


@dataclass(frozen=True, slots=True)
class Text:
    """Strings as bytes: [n, WIDTH] uint64, how many each has [n], and whether a character or the length is beyond the table."""

    bytes: Value
    length: Value
    beyond: Value


def _utf8() -> tuple[Any, Any]:
    """The bytes of each code point, and how many."""
    encoded = [chr(i).encode() for i in range(CHARACTERS)]
    table = np.zeros((CHARACTERS + 2, 3), np.uint64)
    for i, b in enumerate(encoded):
        table[i, : len(b)] = list(b)
    return table, np.array([*(len(b) for b in encoded), 0, 0], np.int64)


def as_bytes(op: Builder, x: Value) -> Text:
    codes = _codes(op, characters(op, x))
    table, sizes = _utf8()
    size = op.Gather(op.const(sizes), codes, axis=0)
    start = op.CumSum(size, np.int64(1), exclusive=1)
    step = op.const(np.arange(3))
    at = op.Add(op.Unsqueeze(start, [2]), step)
    kept = op.And(op.Less(step, op.Unsqueeze(size, [2])), op.Less(at, np.int64(LONGEST)))
    places = op.Where(kept, at, np.int64(WIDTH))  # one column more takes what is none
    rows = op.Shape(x)
    blank = op.ConstantOfShape(op.Concat(rows, [WIDTH + 1], axis=0), value=np.zeros(1, np.uint64))
    content = op.Gather(op.const(table), codes, axis=0)
    filled = op.ScatterElements(blank, _rows(op, places, rows), _rows(op, content, rows), axis=1)
    length = op.ReduceSum(size, [1], keepdims=0)
    strange = op.cast(op.Equal(codes, np.int64(CHARACTERS + 1)), int64)
    beyond = op.Greater(op.ReduceSum(strange, [1], keepdims=0), np.int64(0))
    return Text(op.Slice(filled, [0], [WIDTH], [1]), length, beyond)


def _rows(op: Builder, x: Value, rows: Value) -> Value:
    """The last two axes as one."""
    inner = op.ReduceProd(op.Shape(x, start=1), keepdims=1)
    result: Value = op.Reshape(x, op.Concat(rows, inner, axis=0), allowzero=1)
    return result


def checked(op: Builder, value: Value, beyond: Value) -> Value:
    """A vector, if none is beyond the table; else an index out of bounds."""
    index = op.ReduceMax(op.Concat([0], op.cast(beyond, int64), axis=0), keepdims=0)
    result: Value = op.Add(value, op.Gather(op.const([0]), index, axis=0))
    return result


class Words:
    """uint64 arithmetic on the bytes of strings."""

    def __init__(self, op: Builder, text: Text) -> None:
        self.op = op
        self.bytes = text.bytes
        self.length = text.length
        self.size = op.cast(text.length, uint64)
        self.mul = self.add(self.number(K2), op.Mul(self.size, self.number(2)))

    def number(self, value: int) -> Value:
        return self.op.const(np.uint64(value))

    def add(self, *values: Value) -> Value:
        total = values[0]
        for v in values[1:]:
            total = self.op.Add(total, v)
        return total

    def times(self, a: Value, b: Value) -> Value:
        result: Value = self.op.Mul(a, b)
        return result

    def xor(self, a: Value, b: Value) -> Value:
        result: Value = self.op.BitwiseXor(a, b)
        return result

    def right(self, a: Value, bits: int) -> Value:
        result: Value = self.op.BitShift(a, self.number(bits), direction="RIGHT")
        return result

    def left(self, a: Value, bits: int) -> Value:
        result: Value = self.op.BitShift(a, self.number(bits), direction="LEFT")
        return result

    def rotate(self, a: Value, bits: int) -> Value:
        result: Value = self.op.BitwiseOr(self.right(a, bits), self.left(a, 64 - bits))
        return result

    def fold(self, a: Value) -> Value:
        return self.xor(a, self.right(a, 47))

    def word(self, offset: int, *, from_end: bool = False, count: int = 8) -> Value:
        """The little-endian number of `count` bytes at an offset, from the start or from the end."""
        op = self.op
        base = op.Add(self.length, np.int64(offset)) if from_end else op.Add(op.Mul(self.length, np.int64(0)), np.int64(offset))
        at = op.Max(op.Add(op.Unsqueeze(base, [1]), op.const(np.arange(count))), np.int64(0))
        at = op.Min(at, np.int64(WIDTH - 1))
        powers = np.array([1 << 8 * i for i in range(count)], np.uint64).reshape(count, 1)
        result: Value = op.Reshape(op.MatMul(op.GatherElements(self.bytes, at, axis=1), op.const(powers)), [-1])
        return result

    def byte(self, at: Value) -> Value:
        op = self.op
        inside = op.Min(op.Max(at, np.int64(0)), np.int64(WIDTH - 1))
        result: Value = op.Reshape(op.GatherElements(self.bytes, op.Unsqueeze(inside, [1]), axis=1), [-1])
        return result

    def mix(self, u: Value, v: Value) -> Value:
        """Two words as one."""
        a = self.fold(self.times(self.xor(u, v), self.mul))
        b = self.fold(self.times(self.xor(v, a), self.mul))
        return self.times(b, self.mul)


def farm_hash(op: Builder, text: Text) -> Value:
    """FarmHash's Fingerprint64 of up to 64 bytes: one formula for each range of lengths."""
    w = Words(op, text)
    k0, k1, k2 = (w.number(k) for k in (K0, K1, K2))
    # 1 to 3 bytes
    first, middle, last = w.word(0, count=1), w.byte(op.Div(w.length, np.int64(2))), w.word(-1, from_end=True, count=1)
    y, z = w.add(first, w.left(middle, 8)), w.add(w.size, w.left(last, 2))
    tiny = w.times(w.fold(w.xor(w.times(y, k2), w.times(z, k0))), k2)
    # 4 to 7
    short = w.mix(w.add(w.size, w.left(w.word(0, count=4), 3)), w.word(-4, from_end=True, count=4))
    # 8 to 16
    start, end = w.word(0), w.word(-8, from_end=True)
    a, b = w.add(start, k2), end
    medium = w.mix(w.add(w.times(w.rotate(b, 37), w.mul), a), w.times(w.add(w.rotate(a, 25), b), w.mul))
    # 17 to 32
    b, d = w.word(8), w.times(w.word(-16, from_end=True), k2)
    c = w.times(end, w.mul)
    a = w.times(start, k1)
    long = w.mix(w.add(w.rotate(w.add(a, b), 43), w.rotate(c, 30), d), w.add(a, w.rotate(w.add(b, k2), 18), c))
    # 33 to 64
    a = w.times(start, k2)
    y = w.add(w.rotate(w.add(a, b), 43), w.rotate(c, 30), d)
    z = w.mix(y, w.add(a, w.rotate(w.add(b, k2), 18), c))
    e, f = w.times(w.word(16), w.mul), w.word(24)
    g = w.times(w.add(y, w.word(-32, from_end=True)), w.mul)
    h = w.times(w.add(z, w.word(-24, from_end=True)), w.mul)
    longest = w.mix(w.add(w.rotate(w.add(e, f), 43), w.rotate(g, 30), h), w.add(e, w.rotate(w.add(f, a), 18), g))
    result = longest
    for limit, value in ((32, long), (16, medium), (7, short), (3, tiny), (0, k2)):
        result = op.Where(op.LessOrEqual(w.length, np.int64(limit)), value, result)
    return result


def padded(op: Builder, x: Value) -> Value:
    """The strings as a vector and an empty one behind them: ONNX Runtime tells no characters of no strings."""
    result: Value = op.Concat(op.Reshape(x, [-1]), np.array([""], object), axis=0)
    return result


def unpadded(op: Builder, values: Value, x: Value) -> Value:
    """What was computed of padded strings in the strings' shape."""
    result: Value = op.Reshape(op.Slice(values, [0], [-1], [0]), op.Shape(x), allowzero=1)
    return result


@converts("StringToHashBucketFast")
def string_to_hash_bucket_fast(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    text = as_bytes(op, padded(op, x))
    bucket = op.cast(op.Mod(farm_hash(op, text), op.const(np.uint64(int(node.attr["num_buckets"])))), int64)
    beyond = op.Or(text.beyond, op.Greater(text.length, np.int64(LONGEST)))
    return unpadded(op, checked(op, bucket, beyond), x)


@converts("StringLength")
def string_length(op: Builder, node: NodeView) -> Any:
    """Bytes, or characters."""
    x = node.inputs[0]
    codes = _codes(op, characters(op, padded(op, x)))
    if str(node.attr["unit"]) == "UTF8_CHAR":
        length = op.ReduceSum(op.cast(op.Not(op.Equal(codes, np.int64(CHARACTERS))), int64), [1], keepdims=0)
    else:
        size = op.Gather(op.const(_utf8()[1]), codes, axis=0)
        strange = op.ReduceSum(op.cast(op.Equal(codes, np.int64(CHARACTERS + 1)), int64), [1], keepdims=0)
        length = checked(op, op.ReduceSum(size, [1], keepdims=0), op.Greater(strange, np.int64(0)))
    return op.cast(unpadded(op, length, x), node.dtype)
