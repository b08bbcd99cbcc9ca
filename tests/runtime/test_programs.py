"""Whole scripts, unmodified, against what real TensorFlow printed and computed; the graphs they built, as ONNX."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from graphtools import to_onnx
from graphtools.graph import Graph
from migrate import upgrade_source
from migrate.report.finding import Level
from migrate.source import decode
from runtime import run_script
from runtime.devices import cuda_problem
from runtime.export import values_of
from runtime.tf1 import client
from runtime.tf1.keras import backend
from runtime.tf1.keras.engine.training import Model

SCRIPTS = Path(__file__).resolve().parent.parent.parent / "fixtures/scripts"
NUMBER = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?|\bnan\b|\binf\b")
PROGRESS = re.compile(r"\x1b|Training Step|\| |--|Run id:|Log directory:|Scipy not")  # of TFLearn: they hold times
TUTORIAL = sorted(p.parent.name for p in SCRIPTS.glob("*/expected.json"))

# Programs that compute nothing but strings.
NOTHING_TO_CONVERT = {"03_hello_world"}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(p.stem for p in (SCRIPTS / "expected").glob("*.txt")))
def test_legacy_project(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    runs = []
    run_script(SCRIPTS / f"legacy_project/{name}.py", device="cpu", on_run=lambda fetches, feeds, results: runs.append(results))
    assert capsys.readouterr().out == (SCRIPTS / f"expected/{name}.txt").read_text()
    assert runs


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({p.parent.name for p in SCRIPTS.glob("*/expected.txt")} - set(TUTORIAL)))
def test_script(name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another order of float sums prints other last digits, and so other widths: numbers are compared by value."""
    monkeypatch.chdir(tmp_path)
    run_script(SCRIPTS / name / "script.py", device="cpu")
    got, wanted = capsys.readouterr().out, (SCRIPTS / name / "expected.txt").read_text()
    assert words(got) == words(wanted)
    assert numbers(got) == pytest.approx(numbers(wanted), rel=2e-4, abs=2e-5, nan_ok=True)


def words(text: str) -> str:
    return re.sub(r"\s+", "", NUMBER.sub("#", text))


def numbers(text: str) -> list[float]:
    return [float(n) for n in NUMBER.findall(text)]


@pytest.mark.parametrize("target", ["1", "2"])
@pytest.mark.parametrize("name", TUTORIAL)
def test_tutorial_upgrades(name: str, target: str) -> None:
    path = SCRIPTS / name / "script.py"
    source = decode(path.read_bytes(), str(path)).text
    done = upgrade_source(source, target=target, filename=str(path))  # type: ignore[arg-type]
    compile(done.code, str(path), "exec")
    assert [f"{f.location}: {f.message}" for f in done.findings if f.level >= Level.ERROR] == []
    assert upgrade_source(done.code, target=target, filename=str(path)).code == done.code  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("name", TUTORIAL)
def test_tutorial(name: str, device: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program of each section: prints what TensorFlow printed, computes what it computed, and its graph converts.

    A GPU sums in yet another order and multiplies less exactly, which training amplifies: there the words and the first calls are compared.
    """
    folder = SCRIPTS / name
    if device == "cuda" and (problem := cuda_problem()) is not None:
        pytest.skip(problem)
    if "tflearn" in name and importlib.util.find_spec("tflearn") is None:
        pytest.skip("TFLearn is not installed")
    for data in (SCRIPTS / "data").iterdir():
        (tmp_path / data.name).symlink_to(data)
    monkeypatch.chdir(tmp_path)
    library = "tflearn" in name  # calls session.run itself
    computed: list[list[Any]] = []
    last: list[Any] = []

    def on_run(fetches: Any, feeds: Any, results: Any) -> None:
        computed.append([digest(v) for v in leaves(results)])
        candidate = convertible(fetches, results)
        if candidate:
            graph = candidate[0][0].graph
            held = [values_of(s) for s in reversed(client.sessions_made) if s.graph is graph]
            last[:] = [graph, candidate, dict(feeds or {}), next((v for v in held if v), {})]

    space = run_script(folder / "script.py", device=device, on_run=on_run)
    printed = "".join(line + "\n" for line in capsys.readouterr().out.split("\n")[:-1] if not PROGRESS.match(line))
    expected = json.loads((folder / "expected.json").read_text())
    assert library or len(computed) == expected["runs"]
    calls = list(zip([*range(len(expected["values"]) - 1), len(computed) - 1], expected["values"], strict=False))
    if device == "cpu":
        same_text(printed, (folder / "expected.txt").read_text())
    else:
        assert words(printed) == words((folder / "expected.txt").read_text())
    for n, wanted in calls if device == "cpu" else calls[:2]:
        assert len(computed[n]) == len(wanted), f"run {n}"
        for k, (a, b) in enumerate(zip(computed[n], wanted, strict=True)):
            same_digest(a, b, f"run {n}, value {k}", 1.0 if device == "cpu" else 20.0)
    if isinstance(space.get("model"), Model):
        last[:] = keras_call(space["model"])
    if name not in NOTHING_TO_CONVERT:
        assert last, "no run call fetched tensors alone"
        converts(*last)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [x for k in value for x in leaves(value[k])]
    if isinstance(value, list | tuple):
        return [x for e in value for x in leaves(e)]
    return [value]


def digest(value: Any) -> list[Any] | None:
    """Shape, sum, sum of magnitudes and the first values, as fixtures/make/programs.py keeps them."""
    array = np.asarray(value)
    if value is None or array.dtype.kind not in "fiub":
        return None
    flat = array.ravel().astype(np.float64)
    return [list(array.shape), float(flat.sum()), float(np.abs(flat).sum()), flat[:4].tolist()]


def same_digest(got: list[Any] | None, wanted: list[Any] | None, where: str, slackness: float) -> None:
    assert (got is None) == (wanted is None), where
    if got is None or wanted is None:
        return
    assert got[0] == wanted[0], where
    slack = slackness * (5e-4 * wanted[2] + 1e-5)
    assert abs(got[1] - wanted[1]) <= slack, f"{where}: sum {got[1]}, TensorFlow has {wanted[1]}"
    assert abs(got[2] - wanted[2]) <= slack, f"{where}: magnitudes {got[2]}, TensorFlow has {wanted[2]}"
    largest = max([abs(x) for x in wanted[3]], default=0.0)
    for a, b in zip(got[3], wanted[3], strict=True):
        assert abs(a - b) <= slackness * (1e-3 * (abs(b) + 0.1 * largest) + 1e-5), f"{where}: {got[3]}, TensorFlow has {wanted[3]}"


def same_text(got: str, wanted: str) -> None:
    """Words are equal; numbers differ by rounding at most: a part in 2,000, or one in the last digit printed."""
    assert words(got) == words(wanted)
    for a, b in zip(NUMBER.findall(got), NUMBER.findall(wanted), strict=True):
        decimals = len(b.partition("e")[0].partition(".")[2])
        allowed = max(5e-4 * abs(float(b)), 2e-5, 1.01 * 10.0**-decimals if decimals else 0.0)
        assert a == b or abs(float(a) - float(b)) <= allowed, f"printed {a}, TensorFlow printed {b}"


def convertible(fetches: Any, results: Any) -> list[tuple[Any, Any]]:
    """The tensors with their values, of a call that fetched nothing but numbers: no training step, no summary."""
    tensors, values = leaves(fetches), leaves(results)
    if len(tensors) != len(values) or not all(
        hasattr(t, "dtype") and hasattr(t, "graph") and not hasattr(t, "initializer") for t in tensors
    ):
        return []
    if any(np.asarray(v).dtype.kind not in "fiub" for v in values):
        return []
    return list(zip(tensors, values, strict=True))


def keras_call(model: Model) -> list[Any]:
    """The model's graph, a call of it on made-up inputs, and its weights, as `converts` takes them."""
    session = backend.get_session()
    rng = np.random.RandomState(0)
    feeds = {t: rng.uniform(size=[d or 2 for d in t.shape.as_list()]).astype(np.float32) for t in model.inputs}
    with session.graph.as_default():
        results = session.run(model.outputs, feeds)
    return [session.graph, list(zip(model.outputs, results, strict=True)), feeds, values_of(session)]


def converts(graph: Graph, fetched: list[tuple[Any, Any]], feeds: dict[Any, Any], values: dict[str, Any]) -> None:
    graph.values = values
    inputs = [getattr(k, "name", k) for k in feeds]
    outputs = [t.name for t, _ in fetched]
    model = to_onnx(graph, inputs=inputs, outputs=outputs)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    kinds = {i.name: i.type for i in session.get_inputs()}
    numpy_types = {
        "tensor(float)": np.float32,
        "tensor(double)": np.float64,
        "tensor(int32)": np.int32,
        "tensor(int64)": np.int64,
        "tensor(bool)": np.bool_,
    }
    given = {n: np.asarray(v, numpy_types[kinds[n]]) for n, v in zip(inputs, feeds.values(), strict=True) if n in kinds}
    for (tensor, value), again in zip(fetched, session.run(outputs, given), strict=True):
        np.testing.assert_allclose(again, value, rtol=1e-3, atol=1e-5, err_msg=tensor.name)
