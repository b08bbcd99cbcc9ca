"""What works on this machine, and what to install where something does not."""

from __future__ import annotations

import os
import platform
import shutil
from importlib import metadata
from typing import Any

PACKAGES = ("tfrevive", "libcst", "numpy", "onnx", "onnxruntime-gpu", "onnxruntime", "protobuf", "fissix", "h5py", "typer", "rich")


def examine() -> dict[str, Any]:
    """Versions, providers, CUDA, data folder, disk."""
    import onnxruntime

    from runtime.devices import cuda_problem

    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    problem = cuda_problem()
    data = os.environ.get("LEGACY_DATA")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "packages": versions,
        "providers": onnxruntime.get_available_providers(),
        "cuda": "usable" if problem is None else problem,
        "data": data if data else None,
        "disk_free_gb": round(shutil.disk_usage(".").free / 1e9, 1),
    }


def report(found: dict[str, Any]) -> str:
    """The findings as text."""
    lines = [f"Python {found['python']} on {found['platform']}, {found['cores']} cores, {found['disk_free_gb']} GB free here"]
    lines.extend(f"  {name} {version}" for name, version in found["packages"].items())
    lines.append(f"ONNX Runtime providers built in: {', '.join(found['providers'])}")
    lines.append("CPU: usable")
    lines.append(f"CUDA: {found['cuda']}")
    if found["cuda"] != "usable":
        lines.append("  To use an NVIDIA GPU: pip install 'tfrevive[gpu]' (CUDA 13 and cuDNN 9 come with it; the driver must be installed)")
    if found["data"]:
        lines.append(f"LEGACY_DATA: {found['data']}{'' if os.path.isdir(found['data']) else ' (no such folder)'}")
    return "\n".join(lines)
