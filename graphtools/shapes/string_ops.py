"""Static shapes of string ops."""

from __future__ import annotations

from collections.abc import Sequence

from graphtools.graph import Dims, Node
from graphtools.shapes import shape
from graphtools.shapes.dims import at_most, broadcast, merge, reduced, value, with_rank


@shape(
    "AsString", "DecodeBase64", "EncodeBase64", "RegexFullMatch", "RegexReplace", "StaticRegexFullMatch", "StaticRegexReplace", "StringLength", "StringLower",
    "StringStrip", "StringToHashBucket", "StringToHashBucketFast", "StringToHashBucketStrong", "StringToNumber", "StringUpper", "UnicodeScript",
    "UnicodeTranscode", "DecodeCompressed",
)  # fmt: skip
def same(node: Node) -> Sequence[Dims]:
    return [node.inputs[0].dims]


@shape("StringJoin")
def string_join(node: Node) -> Sequence[Dims]:
    """Scalars join every element of the others, which have one shape."""
    shapes = [t.dims for t in node.inputs]
    if any(s is None for s in shapes):
        return [None]
    result: Dims = ()
    for dims in shapes:
        if dims:
            result = merge(result, dims) if result else dims
    return [result]


@shape("ReduceJoin")
def reduce_join(node: Node) -> Sequence[Dims]:
    return [reduced(node.inputs[0].dims, value(node, 1), bool(node.attr["keep_dims"]))]


@shape("StringSplit", "StringSplitV2")
def string_split(node: Node) -> Sequence[Dims]:
    at_most(node.inputs[0].dims, 1)
    return [(None, 2), (None,), (2,)]


@shape("Substr")
def substr(node: Node) -> Sequence[Dims]:
    at, length = node.inputs[1].dims, node.inputs[2].dims
    merge(at, length)
    return [broadcast(node.inputs[0].dims, at)]


@shape("StringFormat")
def string_format(node: Node) -> Sequence[Dims]:
    return [()]


@shape("UnicodeDecode")
def unicode_decode(node: Node) -> Sequence[Dims]:
    total = None
    if node.inputs[0].dims is not None:
        total = 1
        for d in node.inputs[0].dims:
            total = None if total is None or d is None else total * d
    return [(None if total is None else total + 1,), (None,)]


@shape("UnicodeDecodeWithOffsets")
def unicode_decode_with_offsets(node: Node) -> Sequence[Dims]:
    return [*unicode_decode(node), (None,)]


@shape("UnicodeEncode")
def unicode_encode(node: Node) -> Sequence[Dims]:
    with_rank(node.inputs[0].dims, 1)
    splits = with_rank(node.inputs[1].dims, 1)[0]
    return [(None if splits is None else splits - 1,)]


@shape("UnsortedSegmentJoin")
def unsorted_segment_join(node: Node) -> Sequence[Dims]:
    data, ids = node.inputs[0].dims, node.inputs[1].dims
    count = value(node, 2)
    if data is None or ids is None:
        return [None]
    return [(None if count is None else int(count), *data[len(ids) :])]


@shape("StringNGrams")
def string_n_grams(node: Node) -> Sequence[Dims]:
    return [(None,), node.inputs[1].dims]
