"""`doctor`: what it finds, and what it tells to do."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from migrate.report import tool
from runtime import cuda_libraries, doctor

ROOT = Path(__file__).resolve().parents[2]


def test_everything_found_is_reported() -> None:
    found = doctor.examine()
    assert json.loads(json.dumps(found)) == found
    assert found["providers"]["CPUExecutionProvider"] == "usable"
    text = doctor.report(found)
    for word in (*found["packages"], *found["providers"], *doctor.OPTIONAL, "Free disk", "LEGACY_DATA"):
        assert word in text


def test_two_onnx_runtimes_are_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda package: "1.0")
    _, problems = doctor.versions()
    assert any("pip uninstall -y onnxruntime onnxruntime-gpu" in p for p in problems)


def test_a_missing_package_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> str:
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", missing)
    packages, problems = doctor.versions()
    assert packages["libcst"] is None
    assert "The package libcst is missing: pip install libcst" in problems
    assert any(p.startswith("ONNX Runtime is missing") for p in problems)


def test_libraries_are_those_of_the_runtime_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cuda_libraries, "cuda_version", lambda: "13.0")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(cuda_libraries, "wheels", lambda: tmp_path)
    monkeypatch.setattr(cuda_libraries, "loads", lambda name: name == "libcurand.so.10")
    (tmp_path / "cu13/lib").mkdir(parents=True)
    (tmp_path / "cu13/lib/libcudart.so.13").touch()
    found = {x.name: x for x in cuda_libraries.libraries()}
    assert found["libcudart.so.13"].place == str(tmp_path / "cu13/lib/libcudart.so.13")
    assert found["libcurand.so.10"].place == "system"
    assert found["libcufft.so.12"] == cuda_libraries.Library("libcufft.so.12", "nvidia-cufft", None)
    assert found["libcudnn.so.9"].package == "nvidia-cudnn-cu13"
    monkeypatch.setattr(cuda_libraries, "loads", lambda name: name == cuda_libraries.DRIVER)
    assert "libcublas.so.13" in (cuda_libraries.missing() or "")
    assert "pip install 'tfrevive[gpu]'" in (cuda_libraries.missing() or "")
    monkeypatch.setattr(cuda_libraries, "loads", lambda name: False)
    assert "driver" in (cuda_libraries.missing() or "")


def test_a_bare_checkout_knows_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> str:
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "version", missing)
    if (Path(tool.__file__).resolve().parents[2] / "pyproject.toml").exists():
        assert tool.version().count(".") == 2
    else:
        assert tool.version() == ""


def test_without_a_gpu_the_reason_is_said() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "runtime.cli", "run", "--device", "cuda", str(ROOT / "fixtures/scripts/legacy_project/hello.py")],
        env={"CUDA_VISIBLE_DEVICES": "-1", "PATH": "", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "CUDA_VISIBLE_DEVICES='-1' hides every GPU" in done.stderr


def test_cuda_is_preloaded_before_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    from runtime import devices

    done: list[str] = []
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    monkeypatch.setattr(cuda_libraries, "preload", lambda: done.append("preloaded"))
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *args, **options: done.append("tried") or pytest.fail("stop here"))
    with pytest.raises(pytest.fail.Exception):
        devices._cuda_problem.__wrapped__()
    assert done == ["preloaded", "tried"]
