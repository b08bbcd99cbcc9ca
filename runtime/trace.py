"""RunMetadata: what tf.RunOptions(trace_level=FULL_TRACE) and output_partition_graphs ask of one run."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.dtypes import as_dtype
from graphtools.formats import graphdef
from graphtools.graph import Node
from runtime import ort
from runtime.devices import device_name
from runtime.execute import Execution
from runtime.profile import KernelTime, kernel_times, nodes_by_name, owner
from runtime.steps import HostStep, Plan, Segment

if TYPE_CHECKING:
    from runtime.session import Session

# ONNX Runtime's words for the dtypes that are not called what TensorFlow calls them.
ORT_DTYPES = {"float": "float32", "double": "float64"}


def is_wanted(options: Any) -> bool:
    """Whether RunOptions ask for a RunMetadata."""
    return bool(getattr(options, "trace_level", 0) or getattr(options, "output_partition_graphs", False))


def run(session: Session, plan: Plan, deadline: float | None, feeds: Sequence[Any], options: Any, run_metadata: Any) -> list[Any]:
    """Run a plan and fill a RunMetadata, as Session.run does in TensorFlow."""
    run_metadata.Clear()
    if getattr(options, "trace_level", 0):
        trace = Trace()
        values = TracedExecution(session, plan, deadline, trace).run(feeds)
        trace.write(run_metadata.step_stats)
    else:
        values = Execution(session, plan, deadline).run(feeds)
    if getattr(options, "output_partition_graphs", False):
        run_metadata.partition_graphs.add().ParseFromString(graphdef.write(plan.graph))
    return values


@dataclass(slots=True)
class Trace:
    """The kernels of one run. Its clock stands still while the tracing itself works, so that only the run's own time shows."""

    kernels: list[tuple[Node | None, KernelTime]] = field(default_factory=list)
    lost_ns: int = 0

    def now(self) -> float:
        """Microseconds since 1970 on the trace's clock."""
        return (time.time_ns() - self.lost_ns) / 1000

    def write(self, step_stats: Any) -> None:
        """Fill a StepStats: a DeviceStepStats a device, a NodeExecStats a kernel, in the order of time."""
        devices: dict[str, Any] = {}
        for node, kernel in sorted(self.kernels, key=lambda k: k[1].start_us):
            stats = devices.get(kernel.device)
            if stats is None:
                stats = devices[kernel.device] = step_stats.dev_stats.add(device=kernel.device)
            made = stats.node_stats.add(node_name=kernel.name if node is None else node.name, thread_id=kernel.thread)
            inputs = (
                []
                if node is None
                else [*(t.node.name if t.index == 0 else t.name for t in node.inputs), *(f"^{c.name}" for c in node.control_inputs)]
            )
            op = kernel.op if node is None else node.op
            made.timeline_label = f"{made.node_name} = {op}({', '.join(inputs)})"
            start_ns, duration_ns = round(kernel.start_us * 1000), round(kernel.duration_us * 1000)
            made.all_start_micros, made.all_start_nanos = start_ns // 1000, start_ns
            made.scheduled_micros, made.scheduled_nanos = start_ns // 1000, start_ns
            made.op_end_rel_micros = made.all_end_rel_micros = max(1, round(duration_ns / 1000))
            made.op_end_rel_nanos = made.all_end_rel_nanos = duration_ns
            allocator = "cpu" if "CPU" in kernel.device else "GPU_0_bfc"
            if kernel.bytes:
                made.memory.add(allocator_name=allocator, total_bytes=kernel.bytes, peak_bytes=kernel.bytes, live_bytes=kernel.bytes)
            for slot, (dtype, dims) in enumerate(kernel.outputs):
                described = made.output.add(slot=slot).tensor_description
                described.dtype = dtype
                described.shape.SetInParent()
                for size in dims:
                    described.shape.dim.add(size=size)
                requested = described.allocation_description
                requested.requested_bytes = int(np.prod(dims, dtype=np.int64)) * as_dtype(dtype).size
                requested.allocator_name = allocator


class TracedExecution(Execution):
    """A run of which every kernel is noted.

    ONNX Runtime profiles a session as a whole and once, so each segment is run on a twin of its session, made for this run.
    A new session's first run pays for allocations that later ones do not: the twin is run twice (a segment has no effects)
    and the second run counts.
    """

    __slots__ = ("trace",)

    def __init__(self, session: Session, plan: Plan, deadline: float | None, trace: Trace) -> None:
        super().__init__(session, plan, deadline)
        self.trace = trace

    def inner(self, plan: Plan) -> Execution:
        return TracedExecution(self.session, plan, self.deadline, self.trace)

    def _run_segment(self, step: Segment) -> None:
        if step.session is None:
            return
        trace, began = self.trace, time.time_ns()
        twin = self.session.engine.twin(step)
        feeds = {name: v if isinstance(v := self.values[slot], ort.OrtValue) else ort.share(v) for name, slot in step.inputs}
        names = [name for name, _ in step.outputs]
        try:
            twin._sess.run_with_ort_values(feeds, names, None)
            started = trace.now() - (time.time_ns() - began) / 1000
            before = time.time_ns()
            results = twin._sess.run_with_ort_values(feeds, names, None)
        except Exception as e:
            kernel_times(twin)  # its file is not left behind
            raise self._segment_error(step, e) from e
        own_ns = time.time_ns() - before
        for i, (_, slot) in enumerate(step.outputs):
            self.values[slot] = results[i]
        recorded = kernel_times(twin, last_run_only=True, index=step.gpu)
        if recorded:
            shift = started - min(k.start_us for k in recorded)
            known = nodes_by_name(step.nodes)
            for kernel in recorded:
                kernel.start_us += shift
                kernel.outputs = [(as_dtype(ORT_DTYPES.get(t, t)).as_datatype_enum, dims) for t, dims in kernel.outputs if _is_dtype(t)]
                trace.kernels.append((owner(kernel.name, known), kernel))
            if (profiler := self.session.engine.profiler) is not None:
                profiler.kernels.extend(recorded)
        trace.lost_ns += time.time_ns() - began - own_ns

    def _run_host(self, step: HostStep) -> None:
        trace, node = self.trace, step.node
        started = trace.now()
        super()._run_host(step)
        if isinstance(step.kernel, str):
            return  # If and While: what their functions run is noted by itself
        outputs = []
        for slot, tensor in zip(step.outputs, node.outputs, strict=False):
            shape = getattr(self.values[slot], "shape", None)
            shape = shape() if callable(shape) else shape
            if shape is not None:
                outputs.append((tensor.dtype.base_dtype.as_datatype_enum, [int(d) for d in shape]))
        size = sum(getattr(self.values[slot], "nbytes", 0) for slot in step.outputs)
        device = device_name("CPUExecutionProvider")
        trace.kernels.append((node, KernelTime(node.name, node.op, device, started, trace.now() - started, outputs, size, os.getpid())))


def _is_dtype(name: str) -> bool:
    try:
        as_dtype(ORT_DTYPES.get(name, name))
    except TypeError:
        return False
    return True
