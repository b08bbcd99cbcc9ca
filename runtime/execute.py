"""Execution: one run of a plan."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from graphtools.dtypes import resource, variant
from graphtools.graph import Func, Graph, Node
from graphtools.state import Variable
from runtime import denormals, ort, waiting
from runtime.errors import CancelledError, InvalidArgumentError, OpError
from runtime.ort import OrtValue
from runtime.profile import owner
from runtime.steps import HostStep, Load, Plan, Segment, Source

if TYPE_CHECKING:
    from runtime.session import Session

T = TypeVar("T")
_UNLOCKED = contextlib.nullcontext()


class Execution:
    """One run of a plan; also what host kernels see as their `run`."""

    __slots__ = ("at", "deadline", "is_stopped", "keep", "plan", "session", "state", "values")

    def __init__(self, session: Session, plan: Plan, deadline: float | None = None) -> None:
        self.session = session
        self.plan = plan
        self.state = session.state
        self.deadline = deadline
        self.values: list[Any] = [None] * plan.size
        self.keep: list[Any] = []
        self.at = 0  # the step that runs
        self.is_stopped = False  # after an error: what still waits is cancelled

    def run(self, feeds: Sequence[Any], give_away: bool = True) -> list[Any]:
        """Run every step; the fetched values as numpy (or, with `give_away` false, as they are)."""
        values, plan = self.values, self.plan
        for slot, value in zip(plan.feeds, feeds, strict=True):
            values[slot] = value
        if plan.needs is None:
            plan.needs = waiting.needs(plan)
        if plan.needs:
            self._run_waiting(plan.needs)
        else:
            for step in plan.steps:
                self._run_step(step)
                self.at += 1
                for slot in step.drops:
                    values[slot] = None
        self._load(plan.final_loads)
        if not give_away:
            return [self._value(f) for f in plan.fetches]
        return [self._give(f) for f in plan.fetches]

    def _run_step(self, step: Segment | HostStep) -> None:
        if isinstance(step, HostStep):
            self._load(step.loads)
            self._run_host(step)
        elif step.stores or step.loads:
            with self.state.lock if step.stores else _UNLOCKED:
                self._load(step.loads)
                self._run_segment(step)
                for store in step.stores:
                    value = self.values[store.slot]
                    self.state.write(store.variable, ort.own(value) if store.copy else value)
        else:
            self._run_segment(step)

    def _run_waiting(self, needs: dict[int, frozenset[int]]) -> None:
        """Run the steps of which one may wait for another that comes later: each that may wait in a thread of its own."""
        started: dict[int, waiting.Waiting] = {}
        try:
            for i, step in enumerate(self.plan.steps):
                for needed in needs.get(i, ()):
                    started[needed].join(started.values())
                if waiting.is_waiting(step):
                    started[i] = waiting.Waiting(functools.partial(self._run_step, step))
                else:
                    self._run_step(step)
            for thread in started.values():
                thread.join(started.values())
        except BaseException:
            self.is_stopped = True
            raise

    def _load(self, loads: Sequence[Load]) -> None:
        for load in loads:
            self.values[load.slot] = self.state.read(load.variable, load.reader)

    def _run_segment(self, step: Segment) -> None:
        session = step.session
        if session is None:
            return
        values = self.values
        feeds = {}
        for name, slot in step.inputs:
            value = values[slot]
            if not isinstance(value, OrtValue):
                value = ort.share(ort.pairs(value) if value.dtype.kind == "c" else value)
            feeds[name] = value
        try:
            denormals.flush()
            results = session.run_with_ort_values(feeds, [name for name, _ in step.outputs], None)
        except Exception as e:
            raise self._segment_error(step, e) from e
        finally:
            denormals.keep()
        for i, (_, slot) in enumerate(step.outputs):
            values[slot] = ort.joined(results[i].numpy()) if slot in step.complex_outputs else results[i]

    def _segment_error(self, step: Segment, error: Exception) -> OpError:
        """An ONNX Runtime failure as the tf.errors class it is, naming the TensorFlow node."""
        text = str(error)
        node = None
        if "node. Name:'" in text:
            node = owner(text.split("node. Name:'", 1)[1].split("'", 1)[0], {n.name: n for n in step.nodes})
        where = f"\n\t [[{{{{node {node.name}}}}}]]" if node is not None else ""
        if node is not None and node.source:
            where += f" (made at {node.source[0]}:{node.source[1]})"
        found = InvalidArgumentError(None, node, f"{ort.said(error)}{where}")
        found.suspects = [node.name] if node is not None else [n.name for n in step.nodes]
        return found

    def _run_host(self, step: HostStep) -> None:
        node, inputs = step.node, [self._argument(s) for s in step.inputs]
        if isinstance(step.kernel, str):
            results = self._control_flow(node, inputs)
        else:
            arguments = [self._lent(v) if isinstance(v, OrtValue) else v for v in inputs]
            profiler = self.session.engine.profiler
            started = time.time_ns() if profiler is not None else 0
            try:
                results = step.kernel(self, node, *arguments)
                if profiler is not None:
                    profiler.host(node.name, node.op, started, getattr(results, "shape", None))
            except OpError as e:
                if e.op is None:
                    e.op, e.node_def = node, node
                    if "[[" not in e.message:
                        e.message += f"\n\t [[{{{{node {node.name}}}}}]]"
                        e.args = (e.message,)
                raise
            except (ValueError, IndexError) as e:  # NumPy refuses the inputs of an op whose value it computes
                raise InvalidArgumentError(node, node, f"{e}\n\t [[{{{{node {node.name}}}}}]]") from e
        outputs = step.outputs
        if len(outputs) == 1:
            self.values[outputs[0]] = results if not isinstance(results, tuple | list) or isinstance(results, _RAW) else results[0]
        else:
            for slot, value in zip(outputs, results or (), strict=False):
                self.values[slot] = value
        for slot, tensor in zip(outputs, node.outputs, strict=False):
            value = self.values[slot]
            if (
                not isinstance(value, OrtValue | np.ndarray)
                and tensor.dtype not in (resource, variant)
                and not tensor.dtype.is_ref
                and value is not None
            ):
                self.values[slot] = np.asarray(value, tensor.dtype.as_numpy_dtype)

    def _lent(self, value: Any) -> Any:
        """What a kernel gets of an OrtValue: a view of its memory, which it may keep."""
        if self.state.owned:
            self.state.lend(value)
        return ort.to_numpy(value)

    def _argument(self, source: Source | Variable) -> Any:
        if isinstance(source, Variable):
            return source
        return self._value(source)

    def _value(self, source: Source | None) -> Any:
        if source is None:
            return None
        return source.value if source.slot < 0 else self.values[source.slot]

    def _give(self, source: Source | None) -> Any:
        """A fetched value as its caller gets it: a scalar of numpy or bytes, or an array of its own."""
        if source is None:
            return None
        if source.slot < 0:
            array = np.array(source.value)
        else:
            value = self.values[source.slot]
            array = ort.to_numpy(value)
            if not isinstance(array, np.ndarray):
                return array
            if array is value or source.slot in self.plan.shared:
                array = array.copy()
        return array[()] if array.ndim == 0 else array

    # -- functional control flow with host ops inside --------------------------------------------------------------

    def _control_flow(self, node: Node, inputs: list[Any]) -> list[Any]:
        attr = node.attr
        if node.op in ("If", "StatelessIf"):
            taken = "then_branch" if _truth(inputs[0]) else "else_branch"
            return self.call(attr[taken], inputs[1:], node.graph)
        if node.op == "Case":
            branches = attr["branches"]
            index = int(ort.to_numpy(inputs[0]))
            return self.call(branches[index if 0 <= index < len(branches) else -1], inputs[1:], node.graph)
        values = list(inputs)
        while _truth(self.call(attr["cond"], values, node.graph)[0]):
            self.check_cancelled()
            results = self.call(attr["body"], values, node.graph)
            values = [old if isinstance(old, Variable) else new for old, new in zip(values, results, strict=True)]
        return values

    # -- runtime.host.Run -----------------------------------------------------------------------------------------

    def call(self, function: Func, args: Sequence[Any], graph: Graph | None = None) -> list[Any]:
        """Run a function of the graph's library on values."""
        plan = self.session.function_plan(graph or self.plan.graph, function, args)
        self.keep.append(args)
        return self.inner(plan).run([None if isinstance(a, Variable) else a for a in args], give_away=False)

    def inner(self, plan: Plan) -> Execution:
        """The run of a function's plan inside this one."""
        return Execution(self.session, plan, self.deadline)

    def kernel_state(self, node: Node, make: Callable[[], T]) -> T:
        return self.session.kernel_state(node, make)

    def resource(self, node: Node, make: Callable[[], T]) -> T:
        return self.session.resource(node, make)

    def check_cancelled(self) -> None:
        if self.is_stopped:
            raise CancelledError(None, None, "Run call was cancelled")
        self.session.check_open(self.deadline)

    def read(self, variable: Variable, node: Node) -> Any:
        """A variable's value now, for the host ops that look at variables."""
        value = self.state.read(variable, node.name)
        self.state.lend(value)
        return value

    def exclusive(self, variable: Variable, node: Node) -> Any:
        """A variable's memory, for the host ops that change it in place; they hold the state's lock."""
        return ort.to_numpy(self.state.exclusive(variable, node.name))

    def write(self, variable: Variable, value: Any) -> None:
        self.state.write(variable, ort.own(value))

    def is_initialized(self, variable: Variable) -> bool:
        return variable.key in self.state.variables


_RAW = (str, bytes)


def _truth(value: Any) -> bool:
    return bool(ort.to_numpy(value))
