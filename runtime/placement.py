"""Which device ONNX Runtime gave each op: the log lines of log_device_placement."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from runtime.devices import LOCAL, device_name
from runtime.plan import Plan, Segment

RECORD = ("session.record_ep_graph_assignment_info", "1")


@dataclass(frozen=True, slots=True)
class Placement:
    """An op (TensorFlow's name where it has one) and the device it really runs on."""

    name: str
    op: str
    device: str

    def __str__(self) -> str:
        return f"{self.name}: ({self.op}): {self.device}"


def placements(session: Any, index: int = 0) -> list[Placement]:
    """What an InferenceSession made with RECORD assigned to each of its nodes."""
    return [
        Placement(node.name, node.op_type, device_name(part.ep_name, index))
        for part in session.get_provider_graph_assignment_info()
        for node in part.get_nodes()
    ]


def of_plan(plan: Plan) -> list[Placement]:
    """Every TensorFlow op of a plan and where it runs; what was folded while planning was computed by the host."""
    found = [on_host(node.name, node.op) for node in plan.folded]
    for step in plan.steps:
        if not isinstance(step, Segment):
            found.append(on_host(step.node.name, step.node.op))
            continue
        given = {p.name.split("__")[0]: p.device for p in placements(step.session)} if step.session is not None else {}
        found.extend(Placement(n.name, n.op, given.get(n.name, on_host(n.name, n.op).device)) for n in step.nodes)
    return found


def on_host(name: str, op: str) -> Placement:
    """An op that Python runs."""
    return Placement(name, op, f"{LOCAL}/device:CPU:0")


def log(found: Iterable[Placement]) -> None:
    """Print placements as TensorFlow's log_device_placement does."""
    for placement in found:
        print(placement, file=sys.stderr)
