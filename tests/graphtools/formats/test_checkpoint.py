"""Checkpoints of both versions, as TensorFlow wrote them and as we do."""

from __future__ import annotations

import shutil
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from graphtools import dtypes
from graphtools.errors import FormatError
from graphtools.formats import checkpoint
from graphtools.formats.checkpoint import Saved, open_checkpoint, parse_slice

CHECKPOINTS = Path(__file__).parents[3] / "fixtures" / "checkpoints"


def same(got: np.ndarray, want: np.ndarray) -> None:
    if got.dtype == object:
        got = np.array([v.hex() for v in got.ravel()])
    if got.dtype == ml_dtypes.bfloat16:
        got = got.view(np.uint16)
    assert got.shape == want.shape
    assert got.tobytes() == want.astype(got.dtype).tobytes()


@pytest.mark.parametrize("path", ["v2_types/model", "v1_types.ckpt"])
def test_every_type_that_tensorflow_wrote(path: str) -> None:
    found = open_checkpoint(CHECKPOINTS / path)
    wanted = np.load(CHECKPOINTS / "types.npz")
    assert len(found) >= 19
    for name in found:
        same(found[name], wanted[name.replace("/", "|")])
        assert found[name].shape == found.shape(name)
    assert found.dtype("t/qint8") is dtypes.qint8


def test_all_ways_to_name_a_checkpoint() -> None:
    folder = CHECKPOINTS / "variables_v2"
    names = set(open_checkpoint(folder / "model"))
    for way in ("model.index", "model.data-00000-of-00001", "checkpoint", "", "model.meta"):
        assert set(open_checkpoint(folder / way)) == names
    sharded = CHECKPOINTS / "variables_v1_sharded"
    for way in ("model", "model-00001-of-00003", "model-?????-of-?????", "checkpoint", ""):
        assert set(open_checkpoint(sharded / way)) == names


def every() -> list[Saved]:
    tensors = [
        Saved(f"t/{t.name}", (np.arange(6).reshape(2, 3) % 2).astype(t.as_numpy_dtype), t)
        for t in dtypes.DTYPES
        if t not in (dtypes.string, dtypes.resource, dtypes.variant)
    ]
    tensors.append(Saved("s", np.array([b"a", b"", b"\0" * 300], object)))
    tensors.append(Saved("scalar", np.float32(1)))
    tensors.append(Saved("none", np.zeros((0, 2), np.int64)))
    whole = np.arange(60, dtype=np.float32).reshape(20, 3)
    tensors += [Saved("parts", whole[a : a + n], None, parse_slice(f"20 3 {a},{n}:-")) for a, n in ((0, 7), (7, 10), (17, 3))]
    return tensors


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_what_is_written_comes_back(tmp_path: Path, version: str) -> None:
    tensors = every()
    (checkpoint.write_v1 if version == "v1" else checkpoint.write_v2)(tmp_path / "model", tensors)
    found = open_checkpoint(tmp_path / "model")
    for saved in tensors:
        if saved.part is None:
            want = np.asarray(saved.value)
            assert found[saved.name].dtype == want.dtype
            assert (found[saved.name] == want).all()
        else:
            assert (found[saved.name][saved.part.index] == saved.value).all()
    assert found["parts"].shape == (20, 3)
    assert sorted(p.name for p in tmp_path.iterdir()) == (["model"] if version == "v1" else ["model.data-00000-of-00001", "model.index"])


def test_slice_keys_sort_as_tensorflow_writes_them() -> None:
    # (0, name, rank, start, length ...): the numbers of TensorFlow's ordered code
    assert checkpoint.slice_key("a", ()) == b"\0a\0\1\0"
    assert checkpoint.slice_key("a\0", ((0, None),)) == b"\0a\0\xff\0\1\1\1\x80\x7f"
    assert checkpoint.slice_key("", ((63, 64), (8191, 8192))) == b"\0\0\1\1\2\xbf\xc0\x40\xdf\xff\xe0\x20\x00"
    keys = [checkpoint.slice_key("w", ((start, 5),)) for start in (0, 1, 63, 64, 500, 8191, 8192, 1 << 20, 1 << 40, 1 << 62)]
    assert keys == sorted(keys)


def test_slices() -> None:
    part = parse_slice("4 6 0,2:-")
    assert part is not None
    assert part.shape == (4, 6)
    assert part.index == (slice(0, 2), slice(0, 6))
    assert checkpoint.format_extents(part.extents) == "0,2:-"
    assert parse_slice("") is None
    with pytest.raises(ValueError, match="as many were expected"):
        parse_slice("4 6 0,2")


def test_damage_is_noticed_and_named(tmp_path: Path) -> None:
    shutil.copytree(CHECKPOINTS / "v2_types", tmp_path / "c")
    shard = tmp_path / "c" / "model.data-00001-of-00003"
    data = bytearray(shard.read_bytes())
    data[40] ^= 1
    shard.write_bytes(data)
    found = open_checkpoint(tmp_path / "c" / "model")
    broken = []
    for name in found:
        try:
            _ = found[name]
        except FormatError as e:
            broken.append(str(e))
    assert len(broken) == 1
    assert "checksum" in broken[0]
    assert "model.data-00001-of-00003" in broken[0]
    shard.write_bytes(data[:10])
    with pytest.raises(FormatError, match="cut off"):
        [found[n] for n in open_checkpoint(tmp_path / "c" / "model")]
    shard.unlink()
    with pytest.raises(FormatError, match="cannot be read"):
        list(open_checkpoint(tmp_path / "c" / "model").values())


def test_missing_shards_and_files_are_named(tmp_path: Path) -> None:
    shutil.copytree(CHECKPOINTS / "variables_v1_sharded", tmp_path / "c")
    (tmp_path / "c" / "model-00001-of-00003").unlink()
    with pytest.raises(FormatError, match=r"model-00001-of-00003 is missing"):
        open_checkpoint(tmp_path / "c" / "model")
    with pytest.raises(FormatError, match=r"There is no checkpoint .*nothing"):
        open_checkpoint(tmp_path / "nothing")


@pytest.mark.parametrize("recorded", ["../model", "a/../../model", "..", "x/"])
def test_a_state_file_cannot_leave_its_folder(tmp_path: Path, recorded: str) -> None:
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{recorded}"\n')
    with pytest.raises(FormatError, match=r"outside its folder|no checkpoint"):
        open_checkpoint(tmp_path)


def test_state_files(tmp_path: Path) -> None:
    checkpoint.write_v2(tmp_path / "model-5", [Saved("a", np.float32(1))])
    checkpoint.write_state(tmp_path, "/gone/away/model-5", ["/gone/away/model-1", "/gone/away/model-5"])
    assert checkpoint.latest(tmp_path) == tmp_path / "model-5"
    assert list(checkpoint.read_state(tmp_path / "checkpoint").all_model_checkpoint_paths) == ["/gone/away/model-1", "/gone/away/model-5"]


def test_one_tensor_is_not_saved_twice(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="saved twice"):
        checkpoint.write_v2(tmp_path / "m", [Saved("a", np.float32(1)), Saved("a", np.float32(2))])
    assert list(tmp_path.iterdir()) == []
