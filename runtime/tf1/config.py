"""The devices of this machine, as TensorFlow lists them."""

from __future__ import annotations

from typing import Any, NamedTuple

from runtime import devices
from runtime.tf1.registry import export


class DeviceAttributes(NamedTuple):
    """A device: its full name, type, memory and description."""

    name: str
    device_type: str
    memory_limit: int = 0
    incarnation: int = 0
    physical_device_desc: str = ""

    @property
    def memory_limit_bytes(self) -> int:
        return self.memory_limit


def list_devices(session: Any = None) -> list[DeviceAttributes]:
    """The CPU, and the GPU where ONNX Runtime can use one."""
    names = session.engine.available if session is not None else devices.available(len(devices.gpus("auto")))
    found = []
    for name in names:
        kind = name.rpartition("device:")[2].partition(":")[0]
        memory = 256 << 20 if kind == "CPU" else 16 << 30
        description = "" if kind in ("CPU", "GPU") else f"device: {kind} device"
        if kind == "GPU":
            memory = devices.gpu_memory(int(name.rpartition(":")[2])) or memory
            description = f"device: {name.rpartition(':')[2]}, CUDA, through ONNX Runtime's CUDAExecutionProvider"
        found.append(DeviceAttributes(name, kind, memory, physical_device_desc=description))
    return found


@export("python.client.device_lib.list_local_devices")
def list_local_devices(session_config: Any = None) -> list[DeviceAttributes]:
    return list_devices()
