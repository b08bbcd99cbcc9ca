"""Checkpoints on their own: what is read after a file was written anew, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_run import FakeRun, run_op, text

from graphtools.dtypes import float32, int64
from runtime.errors import DataLossError, InvalidArgumentError, NotFoundError
from runtime.host import rows


def save(run: FakeRun, prefix: Path, **tensors: Any) -> None:
    names = rows.texts(n.encode() for n in tensors)
    types = [float32 if v.dtype == np.float32 else int64 for v in tensors.values()]
    run_op(run, "SaveV2", text(str(prefix).encode()), names, rows.texts([b""] * len(types)), *tensors.values(), dtypes=types)


def restore(run: FakeRun, prefix: Path, name: bytes, spec: bytes = b"", dtype: Any = float32) -> Any:
    (value,) = run_op(run, "RestoreV2", text(str(prefix).encode()), rows.texts([name]), rows.texts([spec]), dtypes=[dtype])
    return value


def test_a_checkpoint_written_anew_is_read_anew(tmp_path: Path) -> None:
    run, prefix = FakeRun(), tmp_path / "model"
    for number in range(3):
        save(run, prefix, w=np.full(3, number, np.float32))
        assert restore(run, prefix, b"w").tolist() == [number] * 3
        assert restore(run, prefix, b"w").tolist() == [number] * 3


def test_two_checkpoints_in_turn(tmp_path: Path) -> None:
    run = FakeRun()
    for number in range(2):
        save(run, tmp_path / f"m{number}", w=np.full(1, number, np.float32))
    for number in (0, 1, 0, 1):
        assert restore(run, tmp_path / f"m{number}", b"w") == number


def test_refused(tmp_path: Path) -> None:
    run, prefix = FakeRun(), tmp_path / "model"
    save(run, prefix, w=np.zeros((2, 3), np.float32), step=np.array(4))
    assert restore(run, prefix, b"w", b"2 3 0,1:1,2").shape == (1, 2)
    with pytest.raises(
        InvalidArgumentError, match="shape in shape_and_slice spec \\[4,3\\] does not match the shape stored in checkpoint: \\[2,3\\]"
    ):
        restore(run, prefix, b"w", b"4 3 0,1:1,2")
    with pytest.raises(InvalidArgumentError, match="Need a shape and a slice like"):
        restore(run, prefix, b"w", b"nonsense")
    with pytest.raises(InvalidArgumentError, match="expected dtype float does not equal original dtype int64"):
        restore(run, prefix, b"step")
    with pytest.raises(NotFoundError, match="Key other not found in checkpoint"):
        restore(run, prefix, b"other")
    with pytest.raises(NotFoundError, match="Failed to find any matching files for"):
        restore(run, tmp_path / "none", b"w")


def test_damage(tmp_path: Path) -> None:
    run, prefix = FakeRun(), tmp_path / "model"
    save(run, prefix, w=np.arange(100, dtype=np.float32))
    data = tmp_path / "model.data-00000-of-00001"
    held = bytearray(data.read_bytes())
    held[7] ^= 1
    data.write_bytes(held)
    with pytest.raises(DataLossError):
        restore(run, prefix, b"w")
    index = tmp_path / "model.index"
    index.write_bytes(index.read_bytes()[:-9])
    with pytest.raises(DataLossError):
        restore(run, prefix, b"w")
