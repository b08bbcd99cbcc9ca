"""String kernels against what TensorFlow 1.15 answered."""

from __future__ import annotations

import numpy as np
import pytest
from kernels import check_case, load_cases, run_kernel

from runtime.errors import InvalidArgumentError
from runtime.host import fingerprint, regex


def texts(*values: bytes) -> np.ndarray:
    return np.array([*values, None], object)[:-1]


@pytest.mark.parametrize("case", load_cases("string_ops"))
def test_answers_as_tensorflow(case):
    check_case(case)


def test_siphash_of_its_authors():
    # The first vectors of the reference implementation: key 00..0f, message 00..n-1.
    key = bytes(range(16))
    low, high = (int.from_bytes(key[i : i + 8], "little") for i in (0, 8))
    assert fingerprint.siphash(b"", low, high) == 0x726FDB47DD0E0E31
    assert fingerprint.siphash(bytes(range(8)), low, high) == 0x93F5F5799A932462


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        (rb"[[:digit:]a]+", b"1a2", True),
        (rb"[]a]+", b"]a", True),
        (rb"a$", b"a\n", False),
        (rb"\Qa.b\E", b"a.b", True),
        (rb"\Qa.b\E", b"axb", False),
        (rb"\p{Greek}+", "λόγος".encode(), True),
        (rb"[^\pL]", b"a", False),
        (rb"\x{3bb}\z", "λ".encode(), True),
        (rb"\w", "é".encode(), False),
    ],
)
def test_re2_syntax(pattern, text, matches):
    assert (regex.compile_re2(pattern).fullmatch(text.decode()) is not None) == matches


@pytest.mark.parametrize(
    ("op", "inputs", "attrs", "text"),
    [
        ("StringToNumber", {"string_tensor": texts(b"1_0")}, {"out_type": "DT:float32"}, "could not correctly convert string: 1_0"),
        ("StringJoin", {"inputs": (texts(b"a"), texts(b"a", b"b"))}, {}, "Input shapes do not match"),
        ("ReduceJoin", {"inputs": texts(b"a"), "reduction_indices": np.int32(1)}, {}, "Invalid reduction dimension 1"),
        ("Substr", {"input": texts(b"ab"), "pos": np.int32(3), "len": np.int32(1)}, {}, "pos 3 out of range"),
        ("DecodeBase64", {"input": texts(b"a+b/")}, {}, "Invalid character"),
        ("DecodeRaw", {"bytes": texts(b"abc")}, {"out_type": "DT:int32"}, "not a multiple of 4"),
        ("RegexFullMatch", {"input": texts(b"abc"), "pattern": np.array(b"(", object)}, {}, "Invalid pattern"),
        ("UnicodeDecode", {"input": texts(b"\xff")}, {"input_encoding": "UTF-8", "errors": "strict"}, "Invalid formatting"),
        ("UnicodeDecode", {"input": texts(b"a")}, {"input_encoding": "no-such"}, "converter for input encoding: no-such"),
    ],
)
def test_refuses(op, inputs, attrs, text):
    with pytest.raises(InvalidArgumentError, match=text):
        run_kernel(op, inputs, attrs)
