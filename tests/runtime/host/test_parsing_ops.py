"""Parsing of damaged input: always an error of the class that scripts catch, never another one."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
from fake_run import FakeRun, run_op, text

from graphtools.dtypes import float32, int32, int64, string
from graphtools.formats import schema
from runtime.errors import InvalidArgumentError, OpError
from runtime.host import rows

NONE = np.zeros(0, np.float32)


def example() -> bytes:
    message = schema.message("Example")()
    features = message.features.feature
    features["f"].float_list.value.extend([1.5, 2.5])
    features["i"].int64_list.value.extend([7, -1])
    features["s"].bytes_list.value.append(b"text")
    data: bytes = message.SerializeToString(deterministic=True)
    return data


def parse(serialized: bytes) -> Any:
    return run_op(
        FakeRun(), "ParseSingleExample", text(serialized), NONE, rows.texts([]), num_sparse=1, sparse_keys=["i"], dense_keys=["f", "s"],
        sparse_types=[int64], Tdense=[float32, string], dense_shapes=[(2,), ()],
    )  # fmt: skip


def test_whole() -> None:
    indices, values, shape, f, s = parse(example())
    assert (indices.tolist(), values.tolist(), shape.tolist()) == ([[0], [1]], [7, -1], [2])
    assert f.tolist() == [1.5, 2.5] and s.item() == b"text"


def test_every_cut_and_flip() -> None:
    data = example()
    for size in range(len(data)):
        with pytest.raises(InvalidArgumentError):
            parse(data[:size])
    for at in range(len(data)):
        for bit in range(8):
            with contextlib.suppress(InvalidArgumentError):
                parse(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])


def test_noise() -> None:
    random = np.random.default_rng(0)
    for _ in range(300):
        noise = random.bytes(int(random.integers(0, 60)))
        for op, attr in (("ParseTensor", {"out_type": float32}), ("DecodeJSONExample", {})):
            with contextlib.suppress(OpError):
                run_op(FakeRun(), op, text(noise), **attr)
        with contextlib.suppress(OpError):
            run_op(FakeRun(), "DecodeCSV", text(noise), np.array([0], np.int32), rows.texts([b""]), OUT_TYPE=[int32, string])
        with contextlib.suppress(OpError):
            run_op(FakeRun(), "MergeSummary", text(noise), N=1)
        with contextlib.suppress(OpError):
            parse(noise)


def test_long_lists_are_read_at_once() -> None:
    message = schema.message("Example")()
    numbers = np.random.default_rng(1).normal(size=1000).astype(np.float32)
    message.features.feature["f"].float_list.value.extend(numbers.tolist())
    found = run_op(
        FakeRun(), "ParseSingleExample", text(message.SerializeToString()), NONE, num_sparse=0, sparse_keys=[], dense_keys=["f"], sparse_types=[],
        Tdense=[float32], dense_shapes=[(10, 100)],
    )  # fmt: skip
    assert np.array_equal(found[0], numbers.reshape(10, 100))


def test_a_default_of_the_wrong_shape() -> None:
    with pytest.raises(InvalidArgumentError, match="Default value of feature 'f' has shape \\[3\\]"):
        run_op(
            FakeRun(), "ParseSingleExample", text(example()), np.zeros(3, np.float32), num_sparse=0, sparse_keys=[], dense_keys=["f"], sparse_types=[],
            Tdense=[float32], dense_shapes=[(2,)],
        )  # fmt: skip


def test_csv_delimiter() -> None:
    with pytest.raises(InvalidArgumentError, match="field_delim should be only 1 char"):
        run_op(FakeRun(), "DecodeCSV", text(b"1"), np.array([0], np.int32), OUT_TYPE=[int32], field_delim=",,")


def csv(records: list[bytes], *defaults: Any, **attr: Any) -> Any:
    types = [{np.dtype(np.int32): int32, np.dtype(np.float32): float32}.get(d.dtype, string) for d in defaults]
    return run_op(FakeRun(), "DecodeCSV", rows.texts(records), *defaults, OUT_TYPE=types, **attr)


def test_columns_at_once_are_as_one_by_one() -> None:
    random = np.random.default_rng(3)
    cells = [b"%d,%.7g,t%d" % (random.integers(-99, 99), random.normal() * 10.0 ** random.integers(-20, 20), i) for i in range(200)]
    cells[5], cells[17], cells[30] = b",,", b" 4 , -1e-3 ,", b"-7,nan,x"
    defaults = [np.array([11], np.int32), np.array([0.5], np.float32), rows.texts([b"d"])]
    whole = csv(cells, *defaults)
    single = [csv([c], *defaults) for c in cells]
    for column in range(3):
        found = np.concatenate([s[column] for s in single])
        assert whole[column].dtype == found.dtype
        assert np.array_equal(whole[column], found, equal_nan=column == 1) if column != 2 else whole[2].tolist() == found.tolist()


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (b"1_0", "Field 0 in record 11 is not a valid int32: 1_0"),
        (b"+5", r"Field 0 in record 11 is not a valid int32: \+5"),
        (b"99999999999", "Field 0 in record 11 is not a valid int32: 99999999999"),
        (b"99999999999999999999999", "Field 0 in record 11 is not a valid int32: 99999999999999999999999"),
        (b"1.5", r"Field 0 in record 11 is not a valid int32: 1\.5"),
    ],
)
def test_a_bad_number_among_many_is_named(field: bytes, message: str) -> None:
    records = [b"%d" % i for i in range(20)]
    records[11] = field
    with pytest.raises(InvalidArgumentError, match=message):
        csv(records, np.array([0], np.int32))
