"""Device names as TensorFlow writes them: "/job:localhost/replica:0/task:0/device:GPU:0", and the shorter forms."""

from __future__ import annotations

import functools
from collections.abc import Mapping

LOCAL = "/job:localhost/replica:0/task:0"
LOCAL_FIELDS = {"job": "localhost", "replica": "0", "task": "0"}


def device_fields(device: str) -> dict[str, str]:
    """The parts of a device string: job, replica, task, type, index ("*" is left out). Raises ValueError for what is none."""
    fields: dict[str, str] = {}
    for part in device.split("/"):
        bits = part.split(":")
        key = bits[0].lower()
        if key in ("job", "replica", "task") and len(bits) == 2:
            fields[key] = bits[1] if key == "job" else str(int(bits[1]))
            continue
        if key in ("cpu", "gpu") and len(bits) <= 2:
            kind, index = key.upper(), bits[1:]
        elif key == "device" and len(bits) == 3:
            kind, index = bits[1].upper() if bits[1] in ("cpu", "gpu") else bits[1], bits[2:]
        elif part:
            raise ValueError(f"Unknown attribute: {key!r} in {device!r}")
        else:
            continue
        if "type" in fields:
            raise ValueError(f"Cannot specify multiple device types: {device}")
        fields["type"] = kind
        if index and index[0] != "*":
            fields["index"] = str(int(index[0]))
    return fields


def device_string(fields: Mapping[str, str]) -> str:
    """The canonical device string of parts."""
    parts = [f"/{k}:{fields[k]}" for k in ("job", "replica", "task") if k in fields]
    if "type" in fields:
        parts.append(f"/device:{fields['type']}:{fields.get('index', '*')}")
    return "".join(parts)


@functools.lru_cache(maxsize=1024)
def override_device(outer: str, inner: str) -> str:
    """`outer` with the parts that `inner` names replaced, in canonical form; TensorFlow keeps an outer number for an inner type."""
    return device_string(device_fields(outer) | device_fields(inner))
