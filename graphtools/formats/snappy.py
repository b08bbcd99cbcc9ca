"""Snappy's block format, the compression of table blocks: decompression only."""

from __future__ import annotations

from graphtools.formats.schema import WireError, varint

_MAX_RATIO = 24  # a copy of 64 bytes takes 3: no honest block grows more


def decompress(data: bytes) -> bytes:
    """The bytes that were compressed. Raises WireError with offset and reason."""
    size, at = varint(data, 0, len(data))
    if size > _MAX_RATIO * len(data):
        raise WireError(0, f"{len(data)} compressed bytes cannot become the {size} that they declare")
    out = bytearray()
    end = len(data)
    while at < end:
        tag = data[at]
        start = at
        at += 1
        kind = tag & 3
        if kind == 0:
            length = (tag >> 2) + 1
            if length > 60:
                extra = length - 60
                length = int.from_bytes(data[at : at + extra], "little") + 1
                at += extra
            if at + length > end:
                raise WireError(start, f"a literal of {length} bytes reaches past the end")
            out += data[at : at + length]
            at += length
        else:
            if kind == 1:
                length, extra = (tag >> 2 & 7) + 4, 1
                offset = tag >> 5 << 8
            else:
                length, extra = (tag >> 2) + 1, 2 if kind == 2 else 4
                offset = 0
            if at + extra > end:
                raise WireError(start, "the data ends inside a copy")
            offset |= int.from_bytes(data[at : at + extra], "little")
            at += extra
            if not 0 < offset <= len(out):
                raise WireError(start, f"a copy reaches {offset} bytes back where there are {len(out)}")
            if offset >= length:
                out += out[len(out) - offset : len(out) - offset + length]
            else:
                out += (bytes(out[-offset:]) * (length // offset + 1))[:length]
        if len(out) > size:
            raise WireError(start, f"more than the declared {size} bytes come out")
    if len(out) != size:
        raise WireError(end, f"{len(out)} bytes come out where {size} are declared")
    return bytes(out)
