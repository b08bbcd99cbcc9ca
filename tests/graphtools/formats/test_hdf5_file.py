"""Our reader of HDF5 files beside libhdf5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from graphtools.errors import FormatError
from graphtools.formats import load
from graphtools.formats.hdf5_file import File, Object

FIXTURES = Path(__file__).parents[3] / "fixtures"
FILES = sorted((FIXTURES / "hdf5").glob("*.h5"))


def plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return bytes(value)
    array = np.asarray(value)
    if array.dtype.kind in "SOU":
        return [v.encode() if isinstance(v, str) else bytes(v) for v in array.ravel().tolist()]
    return array.tolist()


def same(ours: Object, theirs: Any) -> int:
    assert set(ours.attributes) == set(theirs.attrs)
    for name, value in theirs.attrs.items():
        assert plain(ours.attribute(name)) == plain(value), name
    if isinstance(theirs, h5py.Dataset):
        got, want = ours.array(), theirs[()]
        assert got.dtype == want.dtype
        assert got.shape == want.shape
        assert got.tobytes() == want.tobytes()
        return 1
    assert set(ours.members) == set(theirs)
    return sum(same(ours.member(name), theirs[name]) for name in theirs)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_keras_files(path: Path) -> None:
    with h5py.File(path) as theirs:
        assert same(File(path.read_bytes()).root, theirs) > 0 or path.stem.endswith("merges")


@pytest.mark.parametrize("version", ["earliest", "v108"])
def test_layouts_and_filters(tmp_path: Path, version: str) -> None:
    values = np.arange(70).reshape(10, 7)
    options: list[dict[str, Any]] = [
        {}, {"chunks": (3, 4)}, {"compression": "gzip"}, {"compression": "gzip", "shuffle": True, "fletcher32": True, "chunks": (4, 3)},
        {"shuffle": True, "chunks": (10, 4)}, {"maxshape": (None, 7), "chunks": (1, 7)},
    ]  # fmt: skip
    with h5py.File(tmp_path / "f.h5", "w", libver=("earliest", version) if version != "earliest" else version) as f:
        for i, kw in enumerate(options):
            for dtype in ("f2", "f4", "f8", "i1", "i8", "u4", ">f4", ">i2"):
                f.create_dataset(f"a/{i}/{dtype.replace('>', 'big')}", data=values.astype(dtype), **kw)
        f["scalar"] = np.float32(3)
        f["empty"] = np.zeros((0, 3))
        f["many"] = np.arange(5)
        for i in range(200):
            f[f"group/{i:03}"] = i
        f.attrs["text"], f.attrs["bytes"], f.attrs["number"] = "täxt", b"by", 3
        f.attrs["names"] = [b"a", b"bcd"]
        f.attrs.create("texts", ["x", "", "yy"], dtype=h5py.string_dtype())
    with h5py.File(tmp_path / "f.h5") as theirs:
        assert same(File((tmp_path / "f.h5").read_bytes()).root, theirs) == 6 * 8 + 203


def test_a_user_block_before_the_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w", userblock_size=1024) as f:
        f["a"] = np.arange(3)
    assert File((tmp_path / "f.h5").read_bytes()).root.member("a").array().tolist() == [0, 1, 2]


def test_dense_and_new_layouts_are_refused_with_advice(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w", libver="latest") as f:
        f.create_dataset("a", data=np.zeros((4, 4)), chunks=(2, 2))
        for i in range(20):
            f[f"g/{i}"] = i
    root = File((tmp_path / "f.h5").read_bytes()).root
    with pytest.raises(FormatError, match="copy the file with h5repack"):
        root.member("a").array()
    with pytest.raises(FormatError, match="copy the file with h5repack"):
        root.member("g/1")


def test_a_packed_chunk_that_grows_too_much_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as f:
        f.create_dataset("bomb", (1 << 16, 1 << 16), np.float32, chunks=(64, 64))
        f["bomb"][0, 0] = 1
    with pytest.raises(FormatError, match="are stored of it"):
        File((tmp_path / "f.h5").read_bytes()).root.member("bomb").array()


def test_a_file_that_crashes_libhdf5() -> None:
    with pytest.raises(FormatError):
        load(FIXTURES / "damaged" / "crashes_libhdf5.h5")


def test_every_truncation_is_refused() -> None:
    data = (FIXTURES / "hdf5" / "tf_cudnn.h5").read_bytes()
    for size in range(0, len(data) - 1, 97):
        with pytest.raises(FormatError):
            load(data[:size])
