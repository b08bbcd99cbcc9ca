"""Execution providers <-> TensorFlow's device names."""

from __future__ import annotations

import functools
from typing import Any

import onnxruntime

from runtime.errors import InvalidArgumentError

onnxruntime.set_default_logger_severity(4)

LOCAL = "/job:localhost/replica:0/task:0"
NAMES = {"CPUExecutionProvider": "CPU", "CUDAExecutionProvider": "GPU"}


def device_name(provider: str, index: int = 0) -> str:
    """TensorFlow's full name of the device that a provider runs on."""
    kind = NAMES.get(provider, provider.removesuffix("ExecutionProvider").upper())
    return f"{LOCAL}/device:{kind}:{index if kind != 'CPU' else 0}"


@functools.cache
def cuda_problem() -> str | None:
    """Why CUDA cannot be used here, None when it can: a session is made and asked what it got."""
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return "this onnxruntime is built without CUDA; install onnxruntime-gpu"
    import onnx

    node = onnx.NodeProto(op_type="Identity", input=["x"], output=["y"])
    info = [onnx.ValueInfoProto(name=n) for n in "xy"]
    for i in info:
        i.type.tensor_type.elem_type = 1
        i.type.tensor_type.shape.dim.add().dim_value = 1
    model = onnx.ModelProto(
        ir_version=8,
        opset_import=[onnx.OperatorSetIdProto(version=17)],
        graph=onnx.GraphProto(name="probe", node=[node], input=info[:1], output=info[1:]),
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CUDAExecutionProvider", "CPUExecutionProvider"]
        )
    except Exception as e:
        return str(e).splitlines()[0]
    if "CUDAExecutionProvider" not in session.get_providers():
        return "ONNX Runtime could not load CUDA 13 and cuDNN 9 (pip install 'tfrevive[gpu]') or found no NVIDIA GPU"
    return None


def providers(device: str) -> list[Any]:
    """The providers of a device: "auto", "cpu", "cuda" or "cuda:N". Raises InvalidArgumentError when it cannot be used."""
    kind, _, index = device.lower().partition(":")
    if kind in ("gpu",):
        kind = "cuda"
    if kind not in ("auto", "cpu", "cuda") or (index and not index.isdigit()):
        raise InvalidArgumentError(None, None, f"Unknown device {device!r}: expected auto, cpu, cuda or cuda:N.")
    if kind == "cpu":
        return ["CPUExecutionProvider"]
    problem = cuda_problem() if kind == "cuda" or "CUDAExecutionProvider" in onnxruntime.get_available_providers() else "no CUDA provider"
    if problem is not None:
        if kind == "cuda":
            raise InvalidArgumentError(None, None, f"Cannot run on {device!r}: {problem}. Use --device cpu, or see `tfrevive doctor`.")
        return ["CPUExecutionProvider"]
    return [("CUDAExecutionProvider", {"device_id": int(index or 0), "use_tf32": 0}), "CPUExecutionProvider"]
