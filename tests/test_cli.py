"""The command line as a first-time user meets it: right input, wrong input, exit codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner, Result

from runtime.cli import app

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
CNN = FIXTURES / "models/mnist_cnn"
PROJECT = FIXTURES / "scripts/legacy_project"


def tfrevive(*words: object) -> Result:
    return CliRunner().invoke(app, [str(w) for w in words])


def refused(result: Result, code: int, *said: str) -> None:
    """The exit code, what stderr says, and no traceback."""
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    for text in said:
        assert text in result.stderr
    assert "Traceback" not in result.stderr


def test_version() -> None:
    result = tfrevive("--version")
    assert result.exit_code == 0
    assert result.output.startswith("tfrevive ")


def test_coverage_names_what_is_missing() -> None:
    result = tfrevive("run", "--coverage")
    assert result.exit_code == 0
    rows = {line.split()[0]: line.split()[1:] for line in result.output.splitlines()}
    assert rows["tf.losses"][0] == rows["tf.losses"][2]
    assert "LMDBReader" in rows["tf"]


def test_convert_writes_a_valid_model_that_matches(tmp_path: Path) -> None:
    out = tmp_path / "cnn.onnx"
    result = tfrevive("convert", CNN / "frozen.pb", "-o", out, "--verify", CNN / "io.npz")
    assert result.exit_code == 0, result.output
    assert "Largest difference" in result.output
    onnx.checker.check_model(onnx.load(out), full_check=True)


def test_convert_refuses_a_mismatch_and_writes_nothing(tmp_path: Path) -> None:
    with np.load(CNN / "io.npz") as data:
        changed = {k: data[k] + (1 if k == "out:prob:0" else 0) for k in data.files}
    np.savez(tmp_path / "io.npz", **changed)
    refused(
        tfrevive("convert", CNN / "frozen.pb", "-o", tmp_path / "m.onnx", "--verify", tmp_path / "io.npz"), 1, "does not match", "prob:0"
    )
    assert not (tmp_path / "m.onnx").exists()


def test_predict_prints_outputs_and_logs_devices(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with np.load(CNN / "io.npz") as data:
        np.save(tmp_path / "x.npy", data["in:x:0"])
        np.save(tmp_path / "k.npy", data["in:keep_prob:0"])
        wanted = data["out:prob:0"]
    result = tfrevive(
        "predict", CNN / "frozen.pb", "-i", f"x={tmp_path / 'x.npy'}", "-i", f"keep_prob:0={tmp_path / 'k.npy'}", "--outputs", "prob:0",
        "-o", tmp_path / "out.npz", "--log-device-placement", "--profile", tmp_path / "profile",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    with np.load(tmp_path / "out.npz") as out:
        np.testing.assert_allclose(out["prob:0"], wanted, rtol=1e-4, atol=1e-6)
    assert "conv1/Conv2D" in result.stderr
    assert "device:CPU:0" in result.stderr
    assert (tmp_path / "profile/trace.json").exists()
    assert "Conv" in (tmp_path / "profile/profile.txt").read_text()


@pytest.mark.parametrize(
    "words", [["convert", "no_such.pb"], ["inspect", "no_such.pb"], ["predict", "no_such.pb", "-i", "x=y.npy"], ["run", "no_such.py"]]
)
def test_missing_file(words: list[str], tmp_path: Path) -> None:
    if words[0] == "predict":
        np.save(tmp_path / "y.npy", np.zeros(1))
        words[-1] = f"x={tmp_path / 'y.npy'}"
    refused(tfrevive(*words), 2, "There is no file")


REFUSED = {
    "a model to upgrade": (["upgrade", "{cnn}/frozen.pb", "--diff"], "is a model, not source", "tfrevive inspect"),
    "an output that is the source": (["upgrade", "{old}", "-o", "{old}"], "is a source", "--in-place"),
    "a report that is a folder": (["upgrade", "{old}", "--diff", "--report", "{here}"], "is a folder"),
    "a baseline in no folder": (["check", "{old}", "--write-baseline", "{here}/no/b.json"], "There is no folder"),
    "a page that is a folder": (["inspect", "{cnn}/frozen.pb", "--html", "{here}"], "is a folder"),
    "a model written into no folder": (["convert", "{cnn}/frozen.pb", "-o", "{here}/no/m.onnx"], "There is no folder"),
    "an array for recorded values": (["convert", "{cnn}/frozen.pb", "--verify", "{here}/x.npy"], "is one array", "out:TENSOR"),
    "a folder to run": (["run", "{here}"], "is a folder", "old.py"),
    "a model to run": (["run", "{cnn}/frozen.pb"], "is a model, not a script"),
    "a notebook to run": (["run", "{here}/n.ipynb"], "is a notebook", "tfrevive upgrade"),
    "bytes to run": (["run", "{here}/zeros.py"], "not Python source"),
    "a misspelt option of run": (["run", "--devcie", "cpu", "{old}"], "--devcie", "--device"),
    "a profile that is a file": (["run", "--profile", "{old}", "{old}"], "is a file"),
    "an unknown device": (["run", "--device", "tpu", "{old}"], "Unknown device 'tpu'", "cuda:N"),
    "no script": (["run"], "Name a script"),
    "an empty model": (["predict", "{here}/empty.onnx", "-i", "x={here}/x.npy"], "empty.onnx is no ONNX model"),
    "results that are a folder": (["compile", "{cnn}/frozen.pb", "--fetch", "prob:0", "-o", "{old}"], "is a file"),
}


@pytest.mark.parametrize("words, said", [(w, said) for w, *said in REFUSED.values()], ids=REFUSED)
def test_refused(words: list[str], said: list[str], tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text("import tensorflow as tf\n")
    (tmp_path / "n.ipynb").write_text("{}")
    (tmp_path / "zeros.py").write_bytes(b"\0\0")
    (tmp_path / "empty.onnx").touch()
    np.save(tmp_path / "x.npy", np.zeros(1))
    refused(tfrevive(*(w.format(cnn=CNN, here=tmp_path, old=tmp_path / "old.py") for w in words)), 2, *said)


def test_an_option_after_the_script_is_the_scripts(tmp_path: Path) -> None:
    (tmp_path / "words.py").write_text("import sys\nprint(sys.argv[1:])\n")
    result = tfrevive("run", tmp_path / "words.py", "--profile", "p")
    assert result.stdout == "['--profile', 'p']\n"
    assert "stands after" in result.stderr
    (tmp_path / "words.py").write_text("import sys\nprint(sys.argv[1:])  # --profile FILE\n")
    assert tfrevive("run", tmp_path / "words.py", "--profile", "p").stderr == ""


def test_a_missing_package_is_named_with_its_command(tmp_path: Path) -> None:
    (tmp_path / "needs.py").write_text("import no_such_package\n")
    refused(tfrevive("run", tmp_path / "needs.py"), 1, "needs.py:1", "-m pip install no_such_package")


def test_a_script_that_fails_does_not_convert(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import tensorflow as tf\nprint(undefined)\n")
    refused(tfrevive("convert", tmp_path / "bad.py"), 1, "bad.py:2", "NameError")


def test_a_script_that_only_builds_converts_with_initial_values(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "import tensorflow as tf\nx = tf.placeholder(tf.float32, [None, 2], name='x')\n"
        "y = tf.matmul(x, tf.Variable([[1.0], [2.0]]), name='y')\n"
    )
    assert tfrevive("convert", tmp_path / "net.py", "-o", tmp_path / "net.onnx", "--outputs", "y:0").exit_code == 0
    np.save(tmp_path / "x.npy", np.array([[3, 4]], np.float32))
    assert "[[11.]]" in tfrevive("predict", tmp_path / "net.onnx", "-i", f"x={tmp_path / 'x.npy'}").output
    (tmp_path / "none.py").write_text("x = 1\n")
    refused(tfrevive("convert", tmp_path / "none.py"), 1, "no graph to capture")


def test_quiet_says_nothing_and_verbose_says_how_long(tmp_path: Path) -> None:
    words = ["convert", CNN / "frozen.pb", "-o", tmp_path / "m.onnx", "--verify", CNN / "io.npz"]
    result = tfrevive(*words, "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    result = tfrevive(*words, "--verbose")
    assert [line.split(":")[0].split()[0] for line in result.stderr.splitlines()] == ["Loading", "Converting", "Comparing"]


def test_a_profile_leaves_stdout_to_the_results(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import json

    np.save(tmp_path / "x.npy", np.zeros((1, 784), np.float32))
    np.save(tmp_path / "k.npy", np.float32(1))
    words = ["predict", CNN / "frozen.pb", "-i", f"x={tmp_path / 'x.npy'}", "-i", f"keep_prob={tmp_path / 'k.npy'}", "--json"]
    result = tfrevive(*words, "--profile", tmp_path / "profile")
    assert json.loads(result.stdout)["label:0"]["shape"] == [1]
    assert "Conv" in result.stderr
    assert tfrevive(*words, "--profile", tmp_path / "profile", "--quiet").stderr == ""


def test_an_onnx_model_is_converted_already(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").touch()
    refused(tfrevive("convert", tmp_path / "m.onnx"), 2, "is an ONNX model already", "tfrevive predict")


def test_data_that_does_not_fit_claims_no_folder(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((4, 784), np.float32))
    refused(tfrevive("predict", CNN / "frozen.pb", "--data", tmp_path / "x.npy", "--out", tmp_path / "out"), 1, "--data-input")
    np.save(tmp_path / "k.npy", np.float32(1))
    words = [
        "predict",
        CNN / "frozen.pb",
        "--data",
        tmp_path / "x.npy",
        "--out",
        tmp_path / "out",
        "-i",
        f"keep_prob:0={tmp_path / 'k.npy'}",
    ]
    assert tfrevive(*words).exit_code == 0


def test_not_a_graph(tmp_path: Path) -> None:
    (tmp_path / "noise.pb").write_bytes(b"this is no model at all")
    refused(tfrevive("convert", tmp_path / "noise.pb", "-o", tmp_path / "m.onnx"), 2, "noise.pb")
    assert not (tmp_path / "m.onnx").exists()


def test_truncated_graph(tmp_path: Path) -> None:
    (tmp_path / "cut.pb").write_bytes((CNN / "frozen.pb").read_bytes()[:-1000])
    refused(tfrevive("convert", tmp_path / "cut.pb"), 2, "cut.pb", "byte")


def test_unknown_output_names_the_nearest() -> None:
    refused(tfrevive("convert", CNN / "frozen.pb", "--outputs", "prub:0"), 1, "prub", "Nearest names: 'prob'", "label:0")


@pytest.mark.parametrize(("array", "said"), [(np.zeros((2, 3), np.float32), "shape"), (np.array(["a"]), "tensor(float)")])
def test_wrong_feed(tmp_path: Path, array: np.ndarray, said: str) -> None:
    np.save(tmp_path / "x.npy", array)
    refused(tfrevive("predict", CNN / "frozen.pb", "-i", f"x={tmp_path / 'x.npy'}"), 1, said)


def test_unsupported_ops_are_listed_once_with_their_nodes(tmp_path: Path) -> None:
    from graphtools import Graph
    from graphtools.dtypes import float32, resource
    from graphtools.formats import graphdef

    graph = Graph()
    x = graph.op("Placeholder", dtype=float32, shape=(2,), name="x")
    barrier = graph.op("Barrier", component_types=[float32], name="gate")
    del resource, barrier
    graph.op("Timestamp", name="when")
    y = graph.op("Identity", x, name="y")
    del y
    (tmp_path / "odd.pb").write_bytes(graphdef.write(graph))
    refused(tfrevive("convert", tmp_path / "odd.pb", "--outputs", "when:0,y:0"), 1, "Timestamp: when")


def test_syntax_error_shows_the_place(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import tensorflow as tf\nx = tf.constant(1\ny = 2 +\n")
    refused(tfrevive("run", tmp_path / "broken.py"), 2, "broken.py:")


def test_a_script_error_names_the_script_line(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("import tensorflow as tf\na = tf.zeros([2, 3])\nb = tf.zeros([4, 5])\nc = tf.matmul(a, b)\n")
    refused(tfrevive("run", tmp_path / "bad.py"), 1, "bad.py:4", "Dimensions must be equal")


def test_upgrade_writes_a_report_and_copies_the_rest(tmp_path: Path) -> None:
    result = tfrevive("upgrade", PROJECT, "-o", tmp_path / "new", "--to", "1", "--report", tmp_path / "report.txt")
    assert result.exit_code in (0, 1), result.output
    assert (tmp_path / "new/data/points.csv").read_bytes() == (PROJECT / "data/points.csv").read_bytes()
    assert "tf.subtract(" in (tmp_path / "new/vector_add.py").read_text()
    assert "print('guesses'" in (tmp_path / "new/perceptron_py2.py").read_text()
    report = (tmp_path / "report.txt").read_text()
    assert "vector_add.py" in report
    assert "tf.sub is now tf.subtract" in report


def test_convert_says_what_it_wrote_as_json(tmp_path: Path) -> None:
    import json

    result = tfrevive("convert", CNN / "frozen.pb", "-o", tmp_path / "cnn.onnx", "--verify", CNN / "io.npz", "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.output)
    assert said["path"] == str(tmp_path / "cnn.onnx")
    assert "prob:0" in said["outputs"]
    assert 0 <= said["largest_difference"] < 1e-4
