"""tf.DeviceSpec: a device string in parts."""

from __future__ import annotations

from typing import Any

from runtime.device_names import device_fields, device_string
from runtime.tf1.registry import export

FIELDS = ("job", "replica", "task", "device_type", "device_index")
NAMES = {"device_type": "type", "device_index": "index"}  # of fields, in device_fields


@export("DeviceSpec", "compat.v1.DeviceSpec", "python.framework.device.DeviceSpec")
class DeviceSpec:
    """A device, or a part of one: job, replica, task, type and number. Parts that are None are left to others."""

    job: str | None
    replica: int | None
    task: int | None
    device_type: str | None
    device_index: int | None

    def __init__(self, job: Any = None, replica: Any = None, task: Any = None, device_type: Any = None, device_index: Any = None) -> None:
        self.job = None if job is None else str(job)
        self.replica = None if replica is None else int(replica)
        self.task = None if task is None else int(task)
        self.device_type = None if device_type is None else device_type.upper() if device_type in ("cpu", "gpu") else str(device_type)
        self.device_index = None if device_index is None else int(device_index)

    @classmethod
    def from_string(cls, spec: str) -> DeviceSpec:
        return cls(**_parts(spec))

    def parse_from_string(self, spec: str) -> DeviceSpec:
        """Become what a device string says."""
        self.__init__(**_parts(spec))  # type: ignore[misc]
        return self

    def to_string(self) -> str:
        values = {NAMES.get(f, f): str(v) for f in FIELDS if (v := getattr(self, f)) is not None}
        return device_string(values)

    def merge_from(self, dev: DeviceSpec) -> None:
        """Take the parts that `dev` names."""
        for f in FIELDS:
            if getattr(dev, f) is not None:
                setattr(self, f, getattr(dev, f))

    def make_merged_spec(self, dev: DeviceSpec) -> DeviceSpec:
        merged = self.replace()
        merged.merge_from(dev)
        return merged

    def replace(self, **parts: Any) -> DeviceSpec:
        return type(self)(**{**{f: getattr(self, f) for f in FIELDS}, **parts})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DeviceSpec) and self.to_string() == other.to_string()

    def __hash__(self) -> int:
        return hash(self.to_string())


def _parts(spec: str) -> dict[str, str]:
    fields = device_fields(spec)
    return {f: fields[NAMES.get(f, f)] for f in FIELDS if NAMES.get(f, f) in fields}


@export("python.framework.device.merge_device")
def merge_device(spec: Any) -> Any:
    """A device function that lets `spec` fill in what an op's device leaves open."""
    from runtime.device_names import override_device

    text = spec if isinstance(spec, str) else spec.to_string()
    return lambda node: override_device(text, node.device or "")
