"""`tfrevive predict --data`: parts written once and whole, kept through a kill, the same on a cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from graphtools import to_onnx
from graphtools.dtypes import float32
from graphtools.graph import Graph
from runtime import batches
from runtime.cli import app

ROOT = Path(__file__).resolve().parent.parent.parent


def model(path: Path, rows: int | None = None, **also: Any) -> Path:
    """y = 2 x + bias, where bias is fed too if `also` names it."""
    graph = Graph()
    x = graph.op("Placeholder", dtype=float32, shape=(rows, 3), name="x")
    y = graph.op("Mul", x, graph.constant(2.0, float32))
    if also:
        y = graph.op("Add", y, graph.op("Placeholder", dtype=float32, shape=(), name="bias"))
    graph.op("Identity", y, name="y")
    path.write_bytes(to_onnx(graph, outputs=["y:0"]).SerializeToString())
    return path


def predict(*words: object) -> Result:
    return CliRunner().invoke(app, ["predict", *map(str, words), "--device", "cpu"])


def gathered(folder: Path, name: str = "y:0") -> np.ndarray[Any, Any]:
    parts = []
    for path in sorted(folder.glob("part-*.npz")):
        with np.load(path) as data:
            parts.append(data[name])
    return np.concatenate(parts)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".npz compressed", ".parquet"])
def test_every_row_once_and_in_order(suffix: str, tmp_path: Path) -> None:
    rows = np.arange(3 * 1001, dtype=np.float32).reshape(1001, 3)
    data = tmp_path / "data"
    data.mkdir()
    for i, piece in enumerate((rows[:700], rows[700:])):
        if suffix == ".npy":
            np.save(data / f"{i}.npy", piece)
        elif suffix == ".npz":
            np.savez(data / f"{i}.npz", x=piece)
        elif suffix == ".parquet":
            pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
            parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
            parquet.write_table(pyarrow.table({"x": list(piece)}), data / f"{i}.parquet", row_group_size=100)
        else:
            np.savez_compressed(data / f"{i}.npz", x=piece)
    result = predict(model(tmp_path / "m.onnx"), "--data", data, "--batch", 7, "--out", tmp_path / "out", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.output) == {"parts": 3, "rows": 1001, "kept": 0, "failed": {}}
    np.testing.assert_array_equal(gathered(tmp_path / "out"), rows * 2)


def test_a_fixed_batch_is_filled_up_and_constants_are_fed(tmp_path: Path) -> None:
    rows = np.ones((10, 3), np.float32)
    np.save(tmp_path / "rows.npy", rows)
    np.save(tmp_path / "bias.npy", np.float32(5))
    result = predict(
        model(tmp_path / "m.onnx", 4, bias=True), "--data", tmp_path / "rows.npy", "--batch", 4, "--out", tmp_path / "out", "-i", f"bias={tmp_path / 'bias.npy'}"
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(gathered(tmp_path / "out"), rows * 2 + 5)


def test_finished_parts_are_kept_and_other_jobs_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.ones((300, 3), np.float32))
    made = model(tmp_path / "m.onnx")
    out = tmp_path / "out"
    words = (made, "--data", tmp_path / "rows.npy", "--batch", 1, "--out", out)
    assert predict(*words).exit_code == 0
    kept = {p.name: p.stat().st_mtime_ns for p in out.glob("part-*")}
    assert len(kept) == 5
    (out / "part-000002.npz").unlink()
    (out / ".part-000002.npz.half").write_bytes(b"half")
    result = predict(*words)
    assert "4 of them from before" in result.output
    assert not (out / ".part-000002.npz.half").exists()
    del kept["part-000002.npz"]
    assert all((out / name).stat().st_mtime_ns == then for name, then in kept.items())
    assert len(gathered(out)) == 300
    refused = predict(*words[:-3], 2, "--out", out)
    assert refused.exit_code == 1
    assert "parts of another job" in refused.stderr


@pytest.mark.parametrize(
    ("rows", "said"),
    [(np.ones((4, 2), np.float32), "shape"), (np.array(3.0), "no rows"), (b"noise", "rows.npy")],
    ids=["wrong shape", "scalar", "damaged"],
)
def test_bad_data(rows: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.npy"
    if isinstance(rows, bytes):
        path.write_bytes(rows)
    else:
        np.save(path, rows)
    result = predict(model(tmp_path / "m.onnx"), "--data", path, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert not list((tmp_path / "out").glob("*part-*"))


@pytest.mark.skipif(os.name == "nt", reason="kills with a POSIX signal")
def test_a_killed_job_goes_on_where_it_was(tmp_path: Path) -> None:
    rows = np.arange(60_000, dtype=np.float32).reshape(-1, 3)
    np.save(tmp_path / "rows.npy", rows)
    out = tmp_path / "out"
    words = [str(model(tmp_path / "m.onnx")), "--data", str(tmp_path / "rows.npy"), "--batch", "2", "--out", str(out), "--device", "cpu"]
    process = subprocess.Popen([sys.executable, "-m", "runtime.cli", "predict", *words], cwd=ROOT)
    until = time.monotonic() + 60
    while len(list(out.glob("part-*.npz"))) < 3 and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {p.name: p.read_bytes() for p in out.glob("part-*.npz")}
    assert len(before) >= 3
    result = predict(*words[:-2], "--json")
    outcome = json.loads(result.output)
    assert outcome["kept"] == len(before)
    assert all((out / name).read_bytes() == content for name, content in before.items())
    np.testing.assert_array_equal(gathered(out), rows * 2)
    assert not list(out.glob(".part-*"))


@pytest.mark.slow
def test_a_cluster_survives_a_worker(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra [cluster] is not installed")
    rows = np.arange(30_000, dtype=np.float32).reshape(-1, 3)
    np.save(tmp_path / "rows.npy", rows)
    made = model(tmp_path / "m.onnx")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local:
        work = batches.Work(str(made), str(tmp_path / "out"), 2, "cpu")
        parts = batches.parts_of([tmp_path / "rows.npy"], 2)
        executor, at_once = batches.cluster(local.scheduler_address)
        killed = []

        def kill_one(done: int, total: int) -> None:
            if done == 5 and not killed:
                killed.append(next(iter(local.workers.values())).pid)
                os.kill(killed[0], signal.SIGKILL)

        outcome = batches.run_job(work, parts, executor, jobs=at_once, on_part=kill_one)
    assert killed
    assert outcome.failed == {}
    np.testing.assert_array_equal(gathered(tmp_path / "out"), rows * 2)


def test_no_scheduler() -> None:
    with pytest.raises(ValueError, match=r"Dask|distributed"):
        batches.cluster("tcp://127.0.0.1:1")
