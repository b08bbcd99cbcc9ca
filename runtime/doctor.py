"""What works on this machine, and what to install where something does not."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from migrate.report.tool import version

PACKAGES = ("fissix", "h5py", "libcst", "ml_dtypes", "numpy", "onnx", "onnxruntime", "onnxruntime-gpu", "protobuf", "typer")
# Module -> the extra that installs it, and what needs it.
OPTIONAL = {
    "PIL": ("images", "tf.keras.preprocessing.image"),
    "distributed": ("cluster", "predict --data on a Dask cluster"),
    "matplotlib": ("plots", "scripts that draw"),
    "pyarrow": ("parquet", "predict --data on .parquet files"),
    "yaml": ("yaml", "Keras models saved as YAML"),
}
PROVIDER_NOTES = {"TensorrtExecutionProvider": "not used by tfrevive", "AzureExecutionProvider": "not used by tfrevive"}


def examine() -> dict[str, Any]:
    """What was found, for a program; `problems` names what keeps tfrevive from working, each with what to do."""
    packages, problems = versions()
    found: dict[str, Any] = {
        "tfrevive": version(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "packages": packages,
        "optional": {m: importlib.util.find_spec(m) is not None for m in OPTIONAL},
        "providers": {},
        "data": data_folders(),
        "disk": {
            place: round(shutil.disk_usage(folder).free / 1e9, 1)
            for place, folder in (("here", "."), ("temporary files", tempfile.gettempdir()))
        },
    }
    if packages.get("onnxruntime") is not None or packages.get("onnxruntime-gpu") is not None:
        found |= devices(problems)
    found["problems"] = problems + [
        f"Only {free} GB are free for {place} ({'.' if place == 'here' else tempfile.gettempdir()})."
        for place, free in found["disk"].items()
        if free < 1
    ]
    return found


def versions() -> tuple[dict[str, str | None], list[str]]:
    """The packages that tfrevive is built on, None for a missing one; what is wrong with them."""
    packages: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            packages[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            packages[package] = None
    problems = [
        f"The package {p} is missing: pip install {p}" for p, v in packages.items() if v is None and not p.startswith("onnxruntime")
    ]
    runtimes = [p for p in ("onnxruntime", "onnxruntime-gpu") if packages[p] is not None]
    if not runtimes:
        problems.append("ONNX Runtime is missing: pip install onnxruntime-gpu (or onnxruntime, where there is no NVIDIA GPU)")
    if len(runtimes) == 2:
        problems.append(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other: "
            "pip uninstall -y onnxruntime onnxruntime-gpu, then pip install onnxruntime-gpu"
        )
    return {p: v for p, v in packages.items() if v is not None or not p.startswith("onnxruntime")}, problems


def devices(problems: list[str]) -> dict[str, Any]:
    """The providers, with why one cannot be used; CUDA's libraries; the GPUs."""
    try:
        import onnxruntime

        from runtime import cuda_libraries
        from runtime.devices import cuda_problem, gpu_count, gpu_memory
    except ImportError as error:
        problems.append(f"ONNX Runtime cannot be loaded: {error}")
        return {}
    found: dict[str, Any] = {}
    for provider in onnxruntime.get_available_providers():
        if provider == "CUDAExecutionProvider":
            found[provider] = cuda_problem() or "usable"
        else:
            found[provider] = PROVIDER_NOTES.get(provider, "usable")
    usable = found.get("CUDAExecutionProvider") == "usable"
    return {
        "providers": found,
        "cuda": {
            "built_for": cuda_libraries.cuda_version(),
            "driver": cuda_libraries.loads(cuda_libraries.DRIVER),
            "libraries": {x.name: x.place for x in cuda_libraries.libraries()},
            "install": {x.name: x.package for x in cuda_libraries.libraries() if x.place is None},
            "gpus": [round(gpu_memory(n) / 1e9, 1) for n in range(gpu_count())] if usable else [],
        },
    }


def data_folders() -> dict[str, Any]:
    """Where scripts' data is looked for: place -> whether it is there."""
    places = {"KERAS_HOME": os.environ.get("KERAS_HOME") or str(Path.home() / ".keras")}
    if os.environ.get("LEGACY_DATA"):
        places["LEGACY_DATA"] = os.environ["LEGACY_DATA"]
    return {name: {"folder": folder, "exists": os.path.isdir(folder)} for name, folder in places.items()}


def report(found: dict[str, Any]) -> str:
    """The findings as text."""
    lines = [
        f"tfrevive {found['tfrevive']}, Python {found['python']} ({found['executable']})",
        f"{found['platform']}, {found['cores']} cores",
        "Free disk: " + ", ".join(f"{free} GB {place}" for place, free in found["disk"].items()),
        "",
        "Packages",
        *(f"  {name:<18} {number or 'missing'}" for name, number in found["packages"].items()),
        "",
        "Optional",
    ]
    for module, there in found["optional"].items():
        extra, purpose = OPTIONAL[module]
        state = "installed" if there else f"pip install 'tfrevive[{extra}]'"
        lines.append(f"  {module:<18} {state:<32} {purpose}")
    lines += ["", "Providers of ONNX Runtime", *(f"  {name:<26} {state}" for name, state in found["providers"].items())]
    cuda = found.get("cuda")
    if cuda is not None and cuda["built_for"] is not None:
        lines += ["", f"CUDA {cuda['built_for']}", f"  {'NVIDIA driver':<18} {'found' if cuda['driver'] else 'not found'}"]
        for name, place in cuda["libraries"].items():
            lines.append(f"  {name:<18} {place or 'not found (comes with ' + cuda['install'][name] + ')'}")
        lines += [f"  GPU {n:<14} {memory} GB" for n, memory in enumerate(cuda["gpus"])]
        if cuda["install"]:
            lines.append("  The missing libraries are installed by: pip install 'tfrevive[gpu]'")
    lines += ["", "Data"]
    for name, place in found["data"].items():
        lines.append(f"  {name:<18} {place['folder']}{'' if place['exists'] else ' (no such folder)'}")
    if "LEGACY_DATA" not in found["data"]:
        lines.append("  LEGACY_DATA        not set (the folder where scripts' MNIST and CSV files lie, if not beside them)")
    lines += (
        ["", "Problems", *(f"  {p}" for p in found["problems"])] if found["problems"] else ["", "Nothing keeps tfrevive from working here."]
    )
    return "\n".join(lines)
