"""Writing models: the bytes are those that `to_onnx` gives, weights are not copied, and one too big for protobuf is two files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from graphtools import Graph, load, to_onnx
from graphtools.convert import model as models
from graphtools.convert import write_onnx
from graphtools.dtypes import bfloat16, float32
from graphtools.formats import graphdef

GRAPHS = sorted((Path(__file__).parents[3] / "fixtures" / "graphs").glob("*.pb"))


def convolution(channels: int) -> Graph:
    """conv -> batch norm, with a filter of channels * channels * 9 values."""
    graph = Graph()
    random = np.random.default_rng(0)

    def const(name: str, value: np.ndarray) -> object:
        return graph.add_node("Const", attr={"value": value, "dtype": float32}, name=name).outputs[0]

    x = graph.add_node("Placeholder", attr={"dtype": float32, "shape": (None, 8, 8, channels)}, name="x").outputs[0]
    w = const("w", random.normal(size=(3, 3, channels, channels)).astype(np.float32))
    y = graph.add_node("Conv2D", [x, w], {"strides": [1, 1, 1, 1], "padding": "SAME"}, name="conv").outputs[0]
    parts = [const(n, random.uniform(0.5, 2, channels).astype(np.float32)) for n in ("scale", "offset", "mean", "variance")]
    graph.add_node("FusedBatchNorm", [y, *parts], {"is_training": False}, name="norm")
    return graph


@pytest.mark.parametrize("path", GRAPHS, ids=lambda p: p.stem)
def test_file_is_what_to_onnx_gives(path: Path, tmp_path: Path) -> None:
    graph = load(path)
    try:
        wanted = to_onnx(graph).SerializeToString()
    except Exception as e:
        pytest.skip(f"no conversion: {type(e).__name__}")
    made = write_onnx(graph, tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx").read_bytes() == wanted
    read = onnx.load_from_string(wanted)
    assert made.nodes == len(read.graph.node)
    assert made.inputs == [i.name for i in read.graph.input] and made.outputs == [o.name for o in read.graph.output]
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


def test_weights_of_a_model_too_big_for_protobuf_go_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = convolution(16)
    x = np.random.default_rng(1).normal(size=(2, 8, 8, 16)).astype(np.float32)
    write_onnx(graph, tmp_path / "whole.onnx", outputs=["norm:0"])
    monkeypatch.setattr(models, "_MAX_MODEL", 4096)
    write_onnx(graph, tmp_path / "split.onnx", outputs=["norm:0"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["split.onnx", "split.onnx.data", "whole.onnx"]
    assert (tmp_path / "split.onnx").stat().st_size < 2048
    onnx.checker.check_model(str(tmp_path / "split.onnx"), full_check=True)
    results = [
        onnxruntime.InferenceSession(tmp_path / name, providers=["CPUExecutionProvider"]).run(None, {"x:0": x})[0]
        for name in ("whole.onnx", "split.onnx")
    ]
    np.testing.assert_array_equal(*results)
    for proto in onnx.load(tmp_path / "split.onnx", load_external_data=False).graph.initializer:
        for entry in proto.external_data:
            assert entry.key != "offset" or int(entry.value) % 4096 == 0


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.onnx").write_bytes(b"old")

    def fail(file: object, pieces: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(models, "_write", fail)
    with pytest.raises(OSError, match="No space"):
        write_onnx(convolution(4), tmp_path / "m.onnx", outputs=["norm:0"])
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"] and (tmp_path / "m.onnx").read_bytes() == b"old"


PEAK = """
import re, sys
from pathlib import Path
import graphtools
from graphtools.convert import write_onnx
graph = graphtools.load(sys.argv[1])
write_onnx(graph, Path(sys.argv[2]), outputs=["norm:0"])
print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peak_memory_is_near_the_size_of_the_model(tmp_path: Path) -> None:
    peaks, sizes = [], []
    for channels in (4, 1200):
        path = tmp_path / f"{channels}.pb"
        path.write_bytes(graphdef.write(convolution(channels)))
        child = subprocess.run([sys.executable, "-c", PEAK, path, tmp_path / "m.onnx"], capture_output=True, text=True, check=True)
        peaks.append(int(child.stdout) * 1024)
        sizes.append(path.stat().st_size)
    assert sizes[1] > 50_000_000
    assert peaks[1] - peaks[0] < 2.5 * sizes[1]  # one convolution's scaled filter beside the file's own


def test_elements_without_a_buffer_protocol() -> None:
    values = np.arange(600, dtype=np.float32).reshape(20, 30).astype(bfloat16.as_numpy_dtype).T
    assert b"".join(bytes(c) for c in models._content(values)) == np.ascontiguousarray(values).tobytes()


def test_big_transposed_arrays_are_written_by_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_CHUNK", 1000)
    values = np.arange(3000, dtype=np.int32).reshape(30, 20, 5).transpose(2, 0, 1)
    chunks = [bytes(c) for c in models._content(values)]
    assert len(chunks) == 5 and b"".join(chunks) == values.tobytes()
