"""Which device ONNX Runtime is asked to give each op, which it gave, and the log lines of log_device_placement."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from graphtools.graph import Node
from graphtools.state import called_functions
from runtime.device_names import LOCAL, device_fields
from runtime.devices import device_name
from runtime.profile import owner
from runtime.steps import Plan, Segment

RECORD = ("session.record_ep_graph_assignment_info", "1")
STEER = "session.layer_assignment_settings"

CPU_TYPES = frozenset({"CPU", "XLA_CPU"})
GPU_TYPES = frozenset({"GPU", "XLA_GPU"})


@dataclass(frozen=True, slots=True)
class Placement:
    """An op (TensorFlow's name where it has one) and the device it really runs on."""

    name: str
    op: str
    device: str

    def __str__(self) -> str:
        return f"{self.name}: ({self.op}): {self.device}"


def wishes(nodes: Iterable[Node]) -> Counter[str]:
    """The device strings that nodes, and the functions they call, ask for, as they stand in the models' annotations."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    waiting = list(nodes)
    for node in waiting:
        if node.device:
            found[node.device] += 1
        for function in called_functions(node):
            if id(function.graph) not in seen:
                seen.add(id(function.graph))
                waiting.extend(function.graph)
    return found


def kind_of(device: str) -> tuple[str, int]:
    """(type, number) of a device string; ("", 0) for one that names no type."""
    try:
        fields = device_fields(device)
    except ValueError:
        return "", 0
    return fields.get("type", "").upper(), int(fields.get("index", "0"))


def gpu_of(nodes: Iterable[Node], gpus: Sequence[int]) -> tuple[int, int] | None:
    """The GPU for a segment, as (TensorFlow's number, CUDA's number): a session has one, so most nodes' wish decides."""
    if not gpus:
        return None
    asked = Counter(dict.fromkeys(range(len(gpus)), 0))
    for device, count in wishes(nodes).items():
        kind, index = kind_of(device)
        if kind in GPU_TYPES and index < len(gpus):
            asked[index] += count
    index = asked.most_common(1)[0][0]
    return index, gpus[index]


def steering(nodes: Iterable[Node]) -> str:
    """The value of STEER: every annotation that asks for the CPU, and every one that asks for a GPU."""
    groups: dict[str, list[str]] = {"cpu": [], "gpu": []}
    for device in sorted(wishes(nodes)):
        kind, _ = kind_of(device)
        if kind in CPU_TYPES:
            groups["cpu"].append(f"={device}")
        elif kind in GPU_TYPES:
            groups["gpu"].append(f"={device}")
    return "; ".join(f"{word}({','.join(devices)})" for word, devices in groups.items() if devices)


def placements(session: Any, index: int = 0) -> list[Placement]:
    """What an InferenceSession made with RECORD assigned to each of its nodes."""
    return [
        Placement(node.name, node.op_type, device_name(part.ep_name, index))
        for part in session.get_provider_graph_assignment_info()
        for node in part.get_nodes()
    ]


def of_plan(plan: Plan) -> list[Placement]:
    """Every TensorFlow op of a plan and where it runs; what was folded while planning was computed by the host."""
    found = [on_host(node) for node in plan.folded]
    for step in plan.steps:
        if not isinstance(step, Segment):
            found.append(on_host(step.node))
            continue
        given: dict[str, str] = {}
        if step.session is not None:
            nodes = {n.name: n for n in step.nodes}
            for p in placements(step.session, step.gpu):
                if (node := owner(p.name, nodes)) is not None:
                    given.setdefault(node.name, p.device)
        for node in step.nodes:
            device = given.get(node.name)
            found.append(on_host(node) if device is None or "device:CPU" in device else Placement(node.name, node.op, device))
    return found


def on_host(node: Node) -> Placement:
    """An op on a CPU: the one it asks for (a machine may be given several), else the first."""
    kind, index = kind_of(node.device)
    return Placement(node.name, node.op, f"{LOCAL}/device:{kind}:{index}" if kind in CPU_TYPES else f"{LOCAL}/device:CPU:0")


def mapping(available: Iterable[str], gpus: Sequence[int]) -> str:
    """The "Device mapping" that TensorFlow logs when a session is made."""
    lines = ["Device mapping:"]
    for device in available:
        kind, index = kind_of(device)
        if kind == "GPU":
            lines.append(f"{device} -> device: {gpus[index]}, CUDA, through ONNX Runtime's CUDAExecutionProvider")
        elif kind != "CPU":
            lines.append(f"{device} -> device: {kind} device")
    return "\n".join(lines)


def log(found: Iterable[Placement | str]) -> None:
    """Print placements as TensorFlow's log_device_placement does."""
    for placement in found:
        print(placement, file=sys.stderr)
