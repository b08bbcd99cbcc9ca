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
    found = [DeviceAttributes(devices.device_name("CPUExecutionProvider"), "CPU", 256 << 20)]
    if devices.cuda_problem() is None:
        found.append(DeviceAttributes(devices.device_name("CUDAExecutionProvider"), "GPU"))
    return found


@export("python.client.device_lib.list_local_devices")
def list_local_devices(session_config: Any = None) -> list[DeviceAttributes]:
    return list_devices()
