"""The libraries that ONNX Runtime's CUDA provider needs: where they are, what installs the missing ones, and loading them from NVIDIA's wheels."""

from __future__ import annotations

import contextlib
import ctypes
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import onnxruntime

DRIVER: Final = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
# Library -> the package that brings it; {} is CUDA's major version, cuFFT counts one less.
LINUX: Final = {
    "libcudart.so.{}": "nvidia-cuda-runtime",
    "libcublasLt.so.{}": "nvidia-cublas",
    "libcublas.so.{}": "nvidia-cublas",
    "libcurand.so.10": "nvidia-curand",
    "libcufft.so.{cufft}": "nvidia-cufft",
    "libnvrtc.so.{}": "nvidia-cuda-nvrtc",
    "libcudnn.so.9": "nvidia-cudnn-cu{}",
}
WINDOWS: Final = {
    "cudart64_{}.dll": "nvidia-cuda-runtime",
    "cublasLt64_{}.dll": "nvidia-cublas",
    "cublas64_{}.dll": "nvidia-cublas",
    "cufft64_{cufft}.dll": "nvidia-cufft",
    "cudnn64_9.dll": "nvidia-cudnn-cu{}",
}


@dataclass(frozen=True, slots=True)
class Library:
    """A library: the package that brings it, and where it is (None: nowhere)."""

    name: str
    package: str
    place: str | None


def cuda_version() -> str | None:
    """The CUDA that the installed ONNX Runtime is built for, "13.0"; None for a build without CUDA."""
    try:
        from onnxruntime.capi import build_and_package_info
    except ImportError:
        return None
    return str(getattr(build_and_package_info, "cuda_version", "") or "") or None


def wheels() -> Path:
    """Where NVIDIA's wheels put their libraries."""
    return Path(onnxruntime.__file__).resolve().parent.parent / "nvidia"


def preload() -> None:
    """Load what NVIDIA's wheels brought: they are on no loader's path, and the provider is linked to them by name."""
    if wheels().is_dir() and hasattr(onnxruntime, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
            onnxruntime.preload_dlls(directory="")


def libraries() -> list[Library]:
    """What the provider needs besides the driver. Nothing for a build without CUDA."""
    version = cuda_version()
    if version is None:
        return []
    major = version.split(".")[0]
    found = []
    for name, package in (WINDOWS if sys.platform == "win32" else LINUX).items():
        file = name.format(major, cufft=int(major) - 1)
        found.append(Library(file, package.format(major), find(file)))
    return found


def find(name: str) -> str | None:
    """Where a library is: a path in NVIDIA's wheels, or "system" for what the system's loader finds."""
    in_wheel = next(iter(sorted(wheels().glob(f"**/{name}"))), None) if wheels().is_dir() else None
    if in_wheel is not None:
        return str(in_wheel)
    return "system" if loads(name) else None


def loads(name: str) -> bool:
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def missing() -> str | None:
    """Why the provider cannot be loaded, as far as files tell: the driver or libraries that are missing, and what installs them."""
    lacking = [library for library in libraries() if library.place is None]
    if not loads(DRIVER):
        return f"there is no NVIDIA driver ({DRIVER} was not found): install NVIDIA's driver for your GPU, with your system's means"
    if lacking:
        return f"{', '.join(x.name for x in lacking)} {'was' if len(lacking) == 1 else 'were'} not found: pip install 'tfrevive[gpu]'"
    return None
