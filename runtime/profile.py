"""Where the time goes: ONNX Runtime's kernels and host steps, as a table, a Chrome trace and an HTML page."""

from __future__ import annotations

import atexit
import html
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from graphtools.graph import Node
from graphtools.state import called_functions
from migrate.report.output import write_whole
from runtime.device_names import LOCAL
from runtime.devices import device_name

HOST = f"{LOCAL}/device:CPU:0 (host)"
CONTROL_FLOW = frozenset({"If", "Loop", "Scan", "SequenceMap"})  # ops whose time includes that of others
TIMELINE_LIMIT = 4000  # events drawn on the page; trace.json has all


@dataclass(slots=True)
class KernelTime:
    """One call of a kernel, of ONNX Runtime's or of the host's.

    `start_us` counts from 1970; `outputs` are (dtype, dims); `inner_us` is the time of kernels inside (a loop's body).
    """

    name: str
    op: str
    device: str
    start_us: float
    duration_us: float
    outputs: list[tuple[Any, list[int]]] = field(default_factory=list)
    bytes: int = 0
    thread: int = 0
    inner_us: float = 0.0

    @property
    def shape(self) -> str:
        return ", ".join(str(dims) for _, dims in self.outputs)


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
    node: str = ""  # the TensorFlow node that it computes
    node_op: str = ""


@dataclass(slots=True)
class Profiler:
    """Collects the profiles of sessions and the times of host steps of one process."""

    folder: Path
    sessions: list[Any] = field(default_factory=list)
    kernels: list[KernelTime] = field(default_factory=list)
    nodes: dict[str, Node] = field(default_factory=dict)
    scratch: str = ""
    made: int = 0

    def enable(self, options: Any) -> None:
        """Turn profiling on in the options of a session to be made."""
        if not self.scratch:
            self.scratch = tempfile.mkdtemp(prefix="tfrevive-profile-")
            atexit.register(shutil.rmtree, self.scratch, True)
        self.made += 1
        options.enable_profiling = True
        options.profile_file_prefix = os.path.join(self.scratch, f"session{self.made}")

    def add(self, session: Any, nodes: Iterable[Node] = (), index: int = 0) -> None:
        """Note a session that was made, the TensorFlow nodes it computes, and the number of its GPU."""
        self.sessions.append((session, index))
        self.nodes.update(nodes_by_name(nodes))

    def host(self, name: str, op: str, started_ns: int, shape: Any) -> None:
        """Note a host step that began at `started_ns` (time.time_ns) and ends now."""
        now = time.time_ns()
        outputs = [] if shape is None else [("", [int(d) for d in shape])]
        self.kernels.append(KernelTime(name, op, HOST, started_ns / 1000, (now - started_ns) / 1000, outputs))

    def collect(self) -> list[KernelTime]:
        """All kernels, in the order of time. The sessions are not profiled any further."""
        for session, index in self.sessions:
            self.kernels.extend(kernel_times(session, index=index))
        self.sessions.clear()
        if self.scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)
            self.scratch = ""
        self.kernels.sort(key=lambda k: k.start_us)
        return self.kernels

    def write(self, title: str = "") -> Path:
        """Write profile.txt, profile.html and trace.json into the folder; the table's path."""
        kernels = self.collect()
        ops = summarize(kernels, self.nodes)
        self.folder.mkdir(parents=True, exist_ok=True)
        table = self.folder / "profile.txt"
        for path, content in (
            (table, text(ops)),
            (self.folder / "profile.html", page(ops, kernels, title)),
            (self.folder / "trace.json", json.dumps(chrome_trace(kernels))),
        ):
            write_whole(path, content)
        return table


def kernel_times(session: Any, *, last_run_only: bool = False, index: int = 0) -> list[KernelTime]:
    """End the profiling of an InferenceSession: its kernels, or those of its last run."""
    begun_us = session.get_profiling_start_time_ns() / 1000
    path = session.end_profiling()
    if not path or not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        recorded = json.load(f)
    os.remove(path)
    since = max((e["ts"] for e in recorded if e["name"] == "model_run"), default=0) if last_run_only else 0
    kernels = [
        KernelTime(
            e["name"].removesuffix("_kernel_time"),
            e["args"].get("op_name", ""),
            device_name(e["args"].get("provider", "CPUExecutionProvider"), index),
            begun_us + e["ts"],
            e["dur"],
            [(dtype, dims) for o in e["args"].get("output_type_shape") or [] for dtype, dims in o.items()],
            int(e["args"].get("output_size") or 0),
            int(e.get("tid", 0)),
        )
        for e in recorded
        if e.get("cat") == "Node" and e["name"].endswith("_kernel_time") and e["ts"] >= since
    ]
    _find_inner(kernels)
    return kernels


def _find_inner(kernels: list[KernelTime]) -> None:
    """Note in each kernel the time of the kernels directly inside it."""
    around: list[KernelTime] = []
    for k in sorted(kernels, key=lambda k: (k.start_us, -k.duration_us)):
        while around and k.start_us + k.duration_us > around[-1].start_us + around[-1].duration_us:
            around.pop()
        if around:
            around[-1].inner_us += k.duration_us
        if k.op in CONTROL_FLOW:
            around.append(k)


def nodes_by_name(nodes: Iterable[Node]) -> dict[str, Node]:
    """Nodes, and those of the functions that they call, by name; of two with one name the outer."""
    found: dict[str, Node] = {}
    seen: set[int] = set()
    waiting = list(nodes)
    for node in waiting:
        found.setdefault(node.name, node)
        for function in called_functions(node):
            if id(function.graph) not in seen:
                seen.add(id(function.graph))
                waiting.extend(function.graph)
    return found


def owner(kernel: str, nodes: Mapping[str, Node]) -> Node | None:
    """The TensorFlow node that an ONNX node was made for: by name, less what the converter and ONNX Runtime add to names."""
    name = kernel
    for added in ("^$", "^fused ", r"/\w+Fusion/?$", "_nchwc$", r"_token_\d+$", r"__\d+$"):
        name = re.sub(added, "", name)
        if name in nodes:
            return nodes[name]
        if (outputs := name.rpartition(":"))[1] and outputs[0] in nodes:
            return nodes[outputs[0]]
    return None


def summarize(kernels: list[KernelTime], nodes: Mapping[str, Node] | None = None) -> list[OpTime]:
    """Kernels summed by op, the slowest first; a loop without its body, which has rows of its own."""
    found: dict[tuple[str, str, str], OpTime] = {}
    for k in kernels:
        key = (k.name, k.op, k.device)
        total = found.get(key)
        if total is None:
            total = found[key] = OpTime(k.name, k.op, k.device, k.shape)
            node = owner(k.name, nodes or {})
            total.node, total.node_op = (node.name, node.op) if node is not None else (k.name, k.op)
        total.calls += 1
        total.total_us += k.duration_us - k.inner_us
        total.bytes += k.bytes
    return sorted(found.values(), key=lambda o: -o.total_us)


def scope(op: OpTime) -> str:
    """The name scope of an op."""
    return op.node.rpartition("/")[0] or "(top)"


SUMS: dict[str, Callable[[OpTime], str]] = {
    "type": lambda o: o.op,
    "scope": scope,
    "device": lambda o: o.device,
}


def sums(ops: list[OpTime], key: Callable[[OpTime], str]) -> list[tuple[str, float, int]]:
    """(what, microseconds, calls), the slowest first."""
    found: dict[str, list[float]] = {}
    for o in ops:
        entry = found.setdefault(key(o), [0.0, 0])
        entry[0] += o.total_us
        entry[1] += o.calls
    return sorted(((k, t, int(n)) for k, (t, n) in found.items()), key=lambda s: -s[1])


def text(ops: list[OpTime], limit: int | None = None) -> str:
    """A table of ops: time, calls, share, device, output shape; then sums by type, scope and device."""
    if not ops:
        return "No op ran: the script ran none, or all values were known before the first run.\n"
    everything = sum(o.total_us for o in ops) or 1.0
    lines = [f"{'ms':>10} {'calls':>7} {'share':>6}  {'op':<28} {'device':<46} {'name':<40} output"]
    for o in ops[:limit]:
        lines.append(
            f"{o.total_us / 1000:10.3f} {o.calls:7d} {100 * o.total_us / everything:5.1f}%  {o.op:<28} {o.device:<46} {o.name:<40} {o.shape}"
        )
    for title, key in SUMS.items():
        lines.append(f"\nBy {title}:")
        lines.extend(f"{t / 1000:10.3f} {n:7d} {100 * t / everything:5.1f}%  {what}" for what, t, n in sums(ops, key))
    return "\n".join(lines) + "\n"


def chrome_trace(kernels: list[KernelTime]) -> dict[str, Any]:
    """Kernels as a trace that Perfetto and chrome://tracing open: a process for each device."""
    devices = sorted({k.device for k in kernels})
    begin = min((k.start_us for k in kernels), default=0.0)
    trace: list[dict[str, Any]] = [{"ph": "M", "name": "process_name", "pid": i, "args": {"name": d}} for i, d in enumerate(devices)]
    for k in kernels:
        trace.append(
            {
                "ph": "X",
                "cat": "Op",
                "name": k.op,
                "pid": devices.index(k.device),
                "tid": k.thread,
                "ts": k.start_us - begin,
                "dur": k.duration_us,
                "args": {"name": k.name, "output": k.shape},
            }
        )
    return {"traceEvents": trace, "displayTimeUnit": "ms"}


def page(ops: list[OpTime], kernels: list[KernelTime], title: str = "") -> str:
    """One self-contained HTML page: sums, charts, a searchable table, a timeline. Nothing is fetched when it is opened."""
    begin = min((k.start_us for k in kernels), default=0.0)
    end = max((k.start_us + k.duration_us for k in kernels), default=0.0)
    drawn = kernels[-TIMELINE_LIMIT:]
    data = {
        "ops": [[o.node, o.op, o.node_op, o.device, o.shape, o.calls, round(o.total_us, 1), o.bytes, o.name] for o in ops],
        "scopes": [[what, round(us, 1), calls] for what, us, calls in sums(ops, scope)],
        "wall": round(end - begin, 1),
        "events": [[k.device, round(k.start_us - drawn[0].start_us, 1), round(k.duration_us, 1), k.op, k.name] for k in drawn],
        "left_out": len(kernels) - len(drawn),
    }
    template = resources.files("runtime").joinpath("profile.html").read_text(encoding="utf-8")
    encoded = json.dumps(data, separators=(",", ":")).replace("</", "<\\/")
    return template.replace("{{title}}", html.escape(title or "Profile")).replace("{{data}}", encoded)
