"""tensorflow.python.client.timeline: a StepStats as a Chrome trace."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any, NamedTuple

from runtime.tf1.registry import export

_LABEL = re.compile(r"(.*?) = (.*?)\((.*)\)$", re.DOTALL)


class AllocationMaximum(NamedTuple):
    """The most that an allocator held, when, and which tensors."""

    timestamp: int
    num_bytes: int
    tensors: list[str]


class StepStatsAnalysis(NamedTuple):
    """A trace and the memory peak of each allocator."""

    chrome_trace: Any
    allocator_maximums: dict[str, AllocationMaximum]


class _Trace:
    """Trace events, with the methods that scripts call on a Timeline's formatter."""

    def __init__(self) -> None:
        self._metadata: list[dict[str, Any]] = []
        self._events: list[dict[str, Any]] = []

    def process(self, name: str, pid: int) -> None:
        self._metadata.append({"name": "process_name", "ph": "M", "pid": pid, "args": {"name": name}})

    def add(self, ph: str, category: str, name: str, pid: int, tid: int, ts: int, **more: Any) -> None:
        self._events.append({"ph": ph, "cat": category, "name": name, "pid": pid, "tid": tid, "ts": ts, **more})

    def format_to_string(self, pretty: bool = False) -> str:
        trace = {"traceEvents": self._metadata + self._events}
        return json.dumps(trace, indent=4, separators=(",", ": ")) if pretty else json.dumps(trace, separators=(",", ":"))


class _Tensor(NamedTuple):
    """What a node gave: where and when it was made, and when it was last read."""

    pid: int
    tid: int
    made: int
    num: int
    description: str
    allocator: str
    num_bytes: int


@export("python.client.timeline.Timeline")
class Timeline:
    """The steps of a run as a trace for chrome://tracing and Perfetto."""

    def __init__(self, step_stats: Any, graph: Any = None) -> None:
        self._step_stats = step_stats
        self._graph = graph

    def generate_chrome_trace_format(self, show_dataflow: bool = True, show_memory: bool = False, op_time: str = "schedule") -> str:
        """The trace as JSON text."""
        return self.analyze_step_stats(show_dataflow, show_memory, op_time).chrome_trace.format_to_string(pretty=True)

    def analyze_step_stats(self, show_dataflow: bool = True, show_memory: bool = True, op_time: str = "schedule") -> StepStatsAnalysis:
        trace = _Trace()
        if show_memory:
            trace.process("Allocators", 0)
        tensors: dict[str, _Tensor] = {}
        reads: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        pid = 0
        for device in self._step_stats.dev_stats:
            compute, tensor_pid = pid + 1, pid + 2
            pid += 2
            trace.process(f"{device.device} Compute", compute)
            trace.process(f"{device.device} Tensors", tensor_pid)
            free_at: list[int] = []  # for each lane, when its last op ended
            for stats in sorted(device.node_stats, key=lambda s: s.all_start_micros):
                start, end = stats.all_start_micros, stats.all_start_micros + max(stats.all_end_rel_micros, 1)
                lane = next((i for i, ended in enumerate(free_at) if ended <= start), len(free_at))
                free_at[lane:] = [end, *free_at[lane + 1 :]]
                name, op, inputs = parse_label(stats.timeline_label, stats.node_name)
                args = {"name": name, "op": op, **{f"input{i}": x for i, x in enumerate(inputs)}}
                trace.add("X", "Op", op, compute, lane, start, dur=end - start, args=args)
                for x in inputs:
                    reads[x.removeprefix("^").partition(":")[0]].append((compute, lane, start))
                if len(stats.output):
                    described = stats.output[0].tensor_description
                    number = tensors[name].num if name in tensors else len(tensors)
                    tensors[name] = _Tensor(
                        compute, lane, end, number, str(described), described.allocation_description.allocator_name,
                        sum(o.tensor_description.allocation_description.requested_bytes for o in stats.output),
                    )  # fmt: skip
                    if show_memory:
                        trace.add("N", "Tensor", name, tensor_pid, 0, start, id=number)
                        trace.add(
                            "O", "Tensor", name, tensor_pid, 0, end, id=number, args={"snapshot": {"tensor_description": str(described)}}
                        )
        freed = {name: max([t.made, *(ts for _, _, ts in reads[name])]) for name, t in tensors.items()}
        if show_dataflow:
            self._add_flows(trace, tensors, reads)
        if show_memory:
            for name, tensor in tensors.items():
                trace.add("D", "Tensor", name, tensor.pid + 1, 0, freed[name], id=tensor.num)
        return StepStatsAnalysis(trace, self._memory(trace if show_memory else None, tensors, freed))

    def _add_flows(self, trace: _Trace, tensors: dict[str, _Tensor], reads: dict[str, list[tuple[int, int, int]]]) -> None:
        """An arrow from each op to the ops of other lanes that read its result."""
        number = 0
        for name, tensor in tensors.items():
            for pid, tid, ts in reads[name]:
                if (pid, tid) != (tensor.pid, tensor.tid) and ts >= tensor.made:
                    trace.add("s", "DataFlow", name, tensor.pid, tensor.tid, tensor.made, id=number)
                    trace.add("t", "DataFlow", name, pid, tid, ts, id=number)
                    number += 1

    def _memory(self, trace: _Trace | None, tensors: dict[str, _Tensor], freed: dict[str, int]) -> dict[str, AllocationMaximum]:
        """The peak of each allocator; counter events, where there is a trace to draw them in."""
        changes: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        for name, tensor in tensors.items():
            if tensor.allocator:
                changes[tensor.allocator] += [(tensor.made, tensor.num_bytes, name), (freed[name], -tensor.num_bytes, name)]
        peaks = {}
        for allocator, found in changes.items():
            held, live, peak = 0, {}, AllocationMaximum(0, 0, [])
            for ts, size, name in sorted(found, key=lambda c: (c[0], -c[1])):
                held += size
                if size >= 0:
                    live[name] = size
                else:
                    live.pop(name, None)
                if held > peak.num_bytes:
                    peak = AllocationMaximum(ts, held, list(live))
                if trace is not None:
                    trace.add("C", "Memory", allocator, 0, 0, ts, args={allocator: held})
            peaks[allocator] = peak
        return peaks


def parse_label(label: str, node_name: str) -> tuple[str, str, list[str]]:
    """Name, op and inputs out of "name = Op(input, ...)"; a label of another form names no op."""
    match = _LABEL.match(label)
    if match is None:
        return node_name, "unknown", []
    return match[1], match[2], [x for x in match[3].split(", ") if x]
