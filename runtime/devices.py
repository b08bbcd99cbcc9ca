"""The devices of this machine: execution providers <-> TensorFlow's device names, and what a session may use of them."""

from __future__ import annotations

import ctypes
import functools
import os
from dataclasses import dataclass
from typing import Any

import onnxruntime

from runtime import cuda_libraries
from runtime.device_names import LOCAL
from runtime.errors import InvalidArgumentError

onnxruntime.set_default_logger_severity(4)

NAMES = {"CPUExecutionProvider": "CPU", "CUDAExecutionProvider": "GPU"}

Levels = onnxruntime.GraphOptimizationLevel


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """What a tf.ConfigProto says of devices and of optimising for them; a session without one refuses no placement."""

    cpus: int = 1
    gpus: int | None = None  # at most
    visible: tuple[int, ...] | None = None  # CUDA's numbers of GPU:0, GPU:1, ...
    memory_fraction: float = 0.0  # 0: no limit
    allow_growth: bool = False
    soft_placement: bool | None = None  # None: a device that is missing is never an error
    optimization: Any = Levels.ORT_ENABLE_ALL


def config_of(proto: Any) -> DeviceConfig:
    """The DeviceConfig of a tf.ConfigProto, or of None (TensorFlow's defaults)."""
    if proto is None:
        return DeviceConfig(soft_placement=False)
    counts, gpu, optimizer = dict(proto.device_count), proto.gpu_options, proto.graph_options.optimizer_options
    for kind, count in counts.items():
        if count < 0:
            raise InvalidArgumentError(None, None, f"device_count[{kind!r}] is {count}: expected 0 or more.")
    visible = None
    if gpu.visible_device_list:
        try:
            visible = tuple(int(n) for n in gpu.visible_device_list.split(","))
        except ValueError:
            raise InvalidArgumentError(
                None, None, f"Could not parse entry in 'visible_device_list': '{gpu.visible_device_list}'. visible_device_list = {gpu.visible_device_list}"
            ) from None  # fmt: skip
    return DeviceConfig(
        cpus=max(1, counts.get("CPU", 1)),
        gpus=counts.get("GPU"),
        visible=visible,
        memory_fraction=gpu.per_process_gpu_memory_fraction,
        allow_growth=gpu.allow_growth,
        soft_placement=proto.allow_soft_placement,
        optimization=optimization_level(optimizer.opt_level, optimizer.global_jit_level),
    )


def optimization_level(opt_level: int, jit_level: int) -> Any:
    """ONNX Runtime's level for OptimizerOptions. Its layout and fusion passes are what XLA was asked for; OptimizerOptions.L0 (-1) turns all off."""
    if jit_level > 0:
        return Levels.ORT_ENABLE_ALL
    return Levels.ORT_DISABLE_ALL if opt_level == -1 else Levels.ORT_ENABLE_ALL


def device_name(provider: str, index: int = 0) -> str:
    """TensorFlow's full name of the device that a provider runs on."""
    kind = NAMES.get(provider, provider.removesuffix("ExecutionProvider").upper())
    return f"{LOCAL}/device:{kind}:{index if kind != 'CPU' else 0}"


def cuda_problem() -> str | None:
    """Why CUDA cannot be used here, None when it can: a session is made and asked what it got."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.split(",")[0].strip() in ("", "-1", "NoDevFiles"):
        return f"CUDA_VISIBLE_DEVICES={visible!r} hides every GPU"
    return _cuda_problem()


@functools.cache
def _cuda_problem() -> str | None:
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return "this onnxruntime is built without CUDA; install onnxruntime-gpu"
    import onnx

    cuda_libraries.preload()
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
        return cuda_libraries.missing() or "ONNX Runtime loaded CUDA and found no NVIDIA GPU that it can use"
    return None


def _driver() -> Any:
    """NVIDIA's driver library, initialised, or None."""
    try:
        driver = ctypes.CDLL(cuda_libraries.DRIVER)
        return driver if driver.cuInit(0) == 0 else None
    except (OSError, AttributeError):
        return None


@functools.cache
def gpu_count() -> int:
    """How many GPUs the driver shows to this process; 1 where it does not say."""
    count, driver = ctypes.c_int(0), _driver()
    if driver is None or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 1
    return max(1, count.value)


@functools.cache
def gpu_memory(index: int) -> int:
    """The bytes of a GPU's memory; 0 where the driver does not say."""
    size, handle, driver = ctypes.c_size_t(0), ctypes.c_int(0), _driver()
    if driver is None or not hasattr(driver, "cuDeviceTotalMem_v2") or driver.cuDeviceGet(ctypes.byref(handle), index) != 0:
        return 0
    return size.value if driver.cuDeviceTotalMem_v2(ctypes.byref(size), handle) == 0 else 0


def gpus(device: str, config: DeviceConfig | None = None) -> list[int]:
    """CUDA's numbers of the GPUs that a session may use: "auto", "cpu", "cuda" or "cuda:N". Raises InvalidArgumentError when it cannot be used."""
    config = config or DeviceConfig()
    kind, _, index = device.lower().partition(":")
    if kind == "gpu":
        kind = "cuda"
    if kind not in ("auto", "cpu", "cuda") or (index and not index.isdigit()):
        raise InvalidArgumentError(None, None, f"Unknown device {device!r}: expected auto, cpu, cuda or cuda:N.")
    if kind == "cpu" or config.gpus == 0:
        return []
    problem = cuda_problem()
    if problem is not None:
        if kind == "cuda":
            raise InvalidArgumentError(None, None, f"Cannot run on {device!r}: {problem}. Use --device cpu, or see `tfrevive doctor`.")
        return []
    if index:
        if int(index) >= gpu_count():
            raise InvalidArgumentError(None, None, f"Cannot run on {device!r}: this machine shows {gpu_count()} GPU(s), cuda:0 first.")
        return [int(index)]
    numbers = list(range(gpu_count())) if config.visible is None else list(config.visible)
    for number in numbers:
        if not 0 <= number < gpu_count():
            raise InvalidArgumentError(
                None, None, f"'visible_device_list' listed an invalid GPU id '{number}' but visible device count is {gpu_count()}"
            )
    return numbers[: config.gpus]


def provider_list(gpu: int | None, config: DeviceConfig) -> list[Any]:
    """The providers of a session on a GPU (CUDA's number), or on the CPU alone."""
    if gpu is None:
        return ["CPUExecutionProvider"]
    options: dict[str, Any] = {"device_id": gpu, "use_tf32": 0}
    if config.allow_growth:
        options["arena_extend_strategy"] = "kSameAsRequested"
    if config.memory_fraction > 0 and (memory := gpu_memory(gpu)):
        options["gpu_mem_limit"] = int(memory * config.memory_fraction)
    return [("CUDAExecutionProvider", options), "CPUExecutionProvider"]


def providers(device: str, config: DeviceConfig | None = None) -> list[Any]:
    """The providers of a device: "auto", "cpu", "cuda" or "cuda:N". Raises InvalidArgumentError when it cannot be used."""
    found = gpus(device, config)
    return provider_list(found[0] if found else None, config or DeviceConfig())


def available(gpu_total: int, cpus: int = 1) -> list[str]:
    """TensorFlow's full names of the devices of a session, in its order."""
    names = [f"CPU:{n}" for n in range(cpus)] + ["XLA_CPU:0"] + [f"GPU:{n}" for n in range(gpu_total)] + ["XLA_GPU:0"] * bool(gpu_total)
    return [f"{LOCAL}/device:{name}" for name in names]
