"""Where the time goes: ONNX Runtime's profiles and host steps, per op, as a table and as a Chrome trace."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.devices import LOCAL, device_name


@dataclass(slots=True)
class OpTime:
    """One op, summed over its calls. Times in microseconds."""

    name: str
    op: str
    device: str
    shape: str
    calls: int = 0
    total_us: float = 0.0
    bytes: int = 0


@dataclass(slots=True)
class Profiler:
    """Collects the profiles of sessions and the times of host steps of one process."""

    folder: Path
    sessions: list[Any] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    scratch: str = field(default_factory=lambda: tempfile.mkdtemp(prefix="tfrevive-profile-"))

    def enable(self, options: Any) -> None:
        """Turn profiling on in the options of a session to be made."""
        options.enable_profiling = True
        options.profile_file_prefix = os.path.join(self.scratch, f"session{len(self.sessions)}")

    def add(self, session: Any) -> None:
        self.sessions.append(session)

    def host(self, name: str, op: str, started_ns: int, shape: Any) -> None:
        """Note a host step that began at `started_ns` (time.time_ns) and ends now."""
        now = time.time_ns()
        self.events.append(
            _event(name, op, "host", started_ns / 1000, (now - started_ns) / 1000, "" if shape is None else str(list(shape)), 0)
        )

    def collect(self) -> list[dict[str, Any]]:
        """All events, with wall-clock microseconds."""
        for session in self.sessions:
            begun = (
                session.get_profiling_start_time_ns / 1000
                if isinstance(session.get_profiling_start_time_ns, int)
                else session.get_profiling_start_time_ns() / 1000
            )
            path = session.end_profiling()
            if not path or not os.path.exists(path):
                continue
            with open(path) as f:
                recorded = json.load(f)
            os.remove(path)
            for e in recorded:
                if e.get("cat") != "Node" or not e["name"].endswith("_kernel_time"):
                    continue
                args = e["args"]
                shapes = args.get("output_type_shape") or []
                shape = ", ".join(str(s) for d in shapes for s in d.values())
                device = device_name(args.get("provider", "CPUExecutionProvider"))
                self.events.append(
                    _event(
                        e["name"].removesuffix("_kernel_time"),
                        args.get("op_name", ""),
                        device,
                        begun + e["ts"],
                        e["dur"],
                        shape,
                        int(args.get("output_size") or 0),
                    )
                )
        self.sessions.clear()
        return self.events

    def write(self) -> Path:
        """Write profile.txt and trace.json into the folder; the table's path."""
        events = self.collect()
        self.folder.mkdir(parents=True, exist_ok=True)
        table = self.folder / "profile.txt"
        table.write_text(text(summarize(events)))
        (self.folder / "trace.json").write_text(json.dumps(chrome_trace(events)))
        return table


def _event(name: str, op: str, device: str, ts: float, dur: float, shape: str, size: int) -> dict[str, Any]:
    return {
        "name": name,
        "op": op,
        "device": f"{LOCAL}/device:CPU:0 (host)" if device == "host" else device,
        "ts": ts,
        "dur": dur,
        "shape": shape,
        "bytes": size,
    }


def summarize(events: list[dict[str, Any]]) -> list[OpTime]:
    """Events summed by op, the slowest first."""
    found: dict[tuple[str, str, str], OpTime] = {}
    for e in events:
        key = (e["name"], e["op"], e["device"])
        total = found.get(key)
        if total is None:
            total = found[key] = OpTime(e["name"], e["op"], e["device"], e["shape"])
        total.calls += 1
        total.total_us += e["dur"]
        total.bytes += e["bytes"]
    return sorted(found.values(), key=lambda o: -o.total_us)


def text(ops: list[OpTime], limit: int | None = None) -> str:
    """A table of ops: time, calls, share, device, output shape; then sums by type and by device."""
    everything = sum(o.total_us for o in ops) or 1.0
    lines = [f"{'ms':>10} {'calls':>7} {'share':>6}  {'op':<28} {'device':<46} {'name':<40} output"]
    for o in ops[:limit]:
        lines.append(
            f"{o.total_us / 1000:10.3f} {o.calls:7d} {100 * o.total_us / everything:5.1f}%  {o.op:<28} {o.device:<46} {o.name:<40} {o.shape}"
        )
    keys: list[tuple[str, Callable[[OpTime], str]]] = [("By type", lambda o: o.op), ("By device", lambda o: o.device)]
    for title, key in keys:
        sums: dict[str, list[float]] = {}
        for o in ops:
            entry = sums.setdefault(key(o), [0.0, 0])
            entry[0] += o.total_us
            entry[1] += o.calls
        lines.append(f"\n{title}:")
        lines.extend(
            f"{t / 1000:10.3f} {int(n):7d} {100 * t / everything:5.1f}%  {k}" for k, (t, n) in sorted(sums.items(), key=lambda i: -i[1][0])
        )
    return "\n".join(lines) + "\n"


def chrome_trace(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Events as a trace that Perfetto and chrome://tracing open: a process for each device."""
    devices = sorted({e["device"] for e in events})
    begin = min((e["ts"] for e in events), default=0.0)
    trace: list[dict[str, Any]] = [{"ph": "M", "name": "process_name", "pid": i, "args": {"name": d}} for i, d in enumerate(devices)]
    for e in events:
        trace.append(
            {
                "ph": "X",
                "cat": "Op",
                "name": e["op"],
                "pid": devices.index(e["device"]),
                "tid": 0,
                "ts": e["ts"] - begin,
                "dur": e["dur"],
                "args": {"name": e["name"], "output": e["shape"]},
            }
        )
    return {"traceEvents": trace, "displayTimeUnit": "ms"}
