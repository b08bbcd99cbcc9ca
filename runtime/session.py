"""Session: TensorFlow's run(fetches, feed_dict) on ONNX Runtime."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from graphtools.convert.walk import resolve
from graphtools.dtypes import DType, resource, string, variant
from graphtools.errors import ConversionError, ShapeError
from graphtools.graph import Dims, Func, Graph, Node, Tensor
from graphtools.state import VARIABLES, Variable, variable_of
from runtime import ort, trace
from runtime.devices import DeviceConfig
from runtime.errors import CancelledError, DeadlineExceededError, FailedPreconditionError, InvalidArgumentError, OpError
from runtime.execute import Execution
from runtime.fetches import Fetches
from runtime.placer import place
from runtime.plan import Planner
from runtime.profile import Profiler
from runtime.steps import ExactPlans, Plan

T = TypeVar("T")
Array = np.ndarray[Any, Any]
HELD = 4  # references to an OrtValue that only a State has: its two dicts, the function that asks, and the call that counts


class State:
    """What survives between the runs of a session: variables (OrtValues, or arrays of host dtypes), resources, kernel states."""

    def __init__(self) -> None:
        self.variables: dict[str, Any] = {}
        self.owned: dict[int, Any] = {}  # by id: the variables' OrtValues that nothing outside has a view of
        self.resources: dict[tuple[str, str], Any] = {}
        self.kernels: dict[str, Any] = {}
        self.lock = threading.RLock()

    def read(self, variable: Variable, reader: str) -> Any:
        value = self.variables.get(variable.key)
        if value is None:
            raise FailedPreconditionError(None, None, f"Attempting to use uninitialized value {variable.key}\n\t [[{{{{node {reader}}}}}]]")
        return value

    def write(self, variable: Variable, value: Any) -> None:
        self.owned.pop(id(self.variables.get(variable.key)), None)
        self.variables[variable.key] = value

    def exclusive(self, variable: Variable, reader: str) -> Any:
        """The variable's OrtValue to change in place: a copy becomes the variable where somebody may hold its value. Takes the lock to be held."""
        value = self.read(variable, reader)
        if self.owned.get(id(value)) is not value or sys.getrefcount(value) > HELD:
            value = ort.own(value)
            self.write(variable, value)
            self.owned[id(value)] = value
        return value

    def lend(self, value: Any) -> None:
        """Say that somebody gets a view of a value's memory, and may keep it."""
        self.owned.pop(id(value), None)

    def remove(self, variable: Variable) -> None:
        self.owned.pop(id(self.variables.pop(variable.key, None)), None)

    def clear(self) -> None:
        """Forget the variables."""
        self.variables.clear()
        self.owned.clear()


class Session:
    """Runs a graph. Variables start with `graph.values`, where it has them.

    `device` is "auto", "cpu", "cuda" or "cuda:N"; `timeout` is in seconds, for runs whose RunOptions give none.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        device: str = "auto",
        log_device_placement: bool = False,
        threads: int | None = None,
        profiler: Profiler | None = None,
        config: DeviceConfig | None = None,
        timeout: float | None = None,
    ) -> None:
        self.graph = graph
        self.timeout = timeout
        self.state = State()
        self.engine = ort.Engine(device, log_device_placement=log_device_placement, threads=threads, profiler=profiler, config=config)
        self._plans: dict[Any, Plan] = {}
        self._fetches: dict[Any, Fetches] = {}
        self._plan_lock = threading.Lock()
        self._closed = False
        self._placed: tuple[int, dict[str, str]] = (-1, {})
        for node in graph:
            if node.op in VARIABLES and (value := graph.values.get(variable_of(node).key)) is not None:
                self.state.variables[variable_of(node).key] = ort.own(np.asarray(value))

    def run(self, fetches: Any, feed_dict: Mapping[Any, Any] | None = None, options: Any = None, run_metadata: Any = None) -> Any:
        """Compute `fetches` (names, tensors, ops, or nested structures of them) with the values of `feed_dict` fed.

        Raises the classes of runtime.errors; TypeError and ValueError for fetches and feeds that do not fit the graph.
        """
        if self._closed:
            raise RuntimeError("Attempted to use a closed Session.")
        structure = Fetches.of(self.graph, fetches)
        feeds = self._feeds(feed_dict) if feed_dict else {}
        values = self.run_flat(structure.flat, feeds, options, run_metadata)
        return structure.rebuild(values)

    def run_flat(
        self, fetches: Sequence[Tensor | Node], feeds: Mapping[Tensor, Any], options: Any = None, run_metadata: Any = None
    ) -> list[Any]:
        """The values of `fetches` (None for ops), in order. Feeds are arrays of the tensors' dtypes."""
        try:
            return self.run_flat_plain(fetches, feeds, options, run_metadata)
        except InvalidArgumentError as e:
            from runtime import diagnose

            better = diagnose.explained(self, e, feeds)
            if better is e:
                raise
            raise better from e

    def run_flat_plain(
        self, fetches: Sequence[Tensor | Node], feeds: Mapping[Tensor, Any], options: Any = None, run_metadata: Any = None
    ) -> list[Any]:
        """The same, errors as they come."""
        direct = [f for f in fetches if not (isinstance(f, Tensor) and f in feeds)] if feeds else fetches
        plan = self.plan(direct, feeds)
        milliseconds = getattr(options, "timeout_in_ms", 0) or 0
        timeout = milliseconds / 1000 if milliseconds > 0 else self.timeout
        deadline = time.monotonic() + timeout if timeout else None
        if run_metadata is not None and options is not None and trace.is_wanted(options):
            values = trace.run(self, plan, deadline, list(feeds.values()), options, run_metadata)
        elif plan.exact is None:
            values = self._execute(plan, direct, feeds, deadline)
        else:
            values = self._run_exact(plan, plan.exact, direct, feeds, deadline)
        if run_metadata is not None and (options is None or not trace.is_wanted(options)):
            run_metadata.Clear()
        if len(direct) != len(fetches):
            rest = iter(values)
            return [feeds[f] if isinstance(f, Tensor) and f in feeds else next(rest) for f in fetches]
        return values

    def _run_exact(
        self, plan: Plan, exact: ExactPlans, fetches: Sequence[Tensor | Node], feeds: Mapping[Tensor, Any], deadline: float | None
    ) -> list[Any]:
        """Run the plan for these very shapes where there is one, else the general plan; a plan that is due is made for the next run."""
        arrays = list(feeds.values())
        key = tuple([a.shape for a in arrays])
        known = exact.plans.get(key)
        if known is not None:
            return self._execute(known, fetches, feeds, deadline)
        started = time.perf_counter()
        values = self._execute(plan, fetches, feeds, deadline)
        if exact.is_due(key, time.perf_counter() - started, plan.seconds):
            with self._plan_lock:
                if key not in exact.plans:
                    try:
                        exact.plans[key] = self._make(fetches, list(feeds), key)
                    except (ConversionError, ShapeError, OpError):
                        exact.plans[key] = plan  # shapes contradict each other in a part that such a run never reaches
        return values

    def _execute(self, plan: Plan, fetches: Sequence[Tensor | Node], feeds: Mapping[Tensor, Any], deadline: float | None) -> list[Any]:
        """Run a plan. Where it fails in what ran ahead of assertions, the run is done again in their order, for the error to be theirs."""
        arrays = list(feeds.values())
        execution = Execution(self, plan, deadline)
        try:
            return execution.run(arrays)
        except InvalidArgumentError:
            if execution.at >= plan.first_effect:
                raise
        return Execution(self, self._make(fetches, list(feeds), _open_dims(feeds), is_strict=True), deadline).run(arrays)

    def _make(self, fetches: Sequence[Tensor | Node], feeds: Sequence[Tensor], dims: Sequence[Dims], is_strict: bool = False) -> Plan:
        started = time.perf_counter()
        planner = Planner(self.graph, fetches, feeds, dims, on_cpu=not self.engine.gpus, is_strict=is_strict, threads=self.engine.threads)
        for name, device in self._placements().items():
            if (node := planner.graph.nodes.get(name)) is not None:
                node.device = device
        plan = planner.plan()
        self.engine.prepare(plan)
        plan.seconds = time.perf_counter() - started
        return plan

    def _placements(self) -> dict[str, str]:
        """The devices that the graph's nodes ask for; the whole graph is checked, as TensorFlow does when a graph is new or has grown."""
        count = len(self.graph.nodes)
        if self._placed[0] != count:
            soft = self.engine.config.soft_placement
            self._placed = count, place(self.graph, self.engine.available, soft=soft is not False, strict=soft is not None)
        return self._placed[1]

    def plan(self, fetches: Sequence[Tensor | Node], feeds: Mapping[Tensor, Any]) -> Plan:
        """The plan for these fetches and feeds, made once for each set and rank of feeds."""
        key = (tuple(fetches), tuple([(t, getattr(v, "ndim", 0)) for t, v in feeds.items()]))
        plan = self._plans.get(key)
        if plan is None:
            with self._plan_lock:
                plan = self._plans.get(key)
                if plan is None:
                    dims = _open_dims(feeds)
                    plan = self._make(fetches, list(feeds), dims)
                    if any(d is not None and None in d for d in dims):
                        plan.exact = ExactPlans()
                    self._plans[key] = plan
        return plan

    def _feeds(self, feed_dict: Mapping[Any, Any]) -> dict[Tensor, Any]:
        feeds: dict[Tensor, Any] = {}
        for key, value in feed_dict.items():
            if isinstance(key, str):
                try:
                    target = resolve(self.graph, [key], "input")[0]
                except KeyError as e:
                    raise TypeError(f"Cannot interpret feed_dict key as Tensor: {e.args[0]}") from None
            else:
                target = key
            if not isinstance(target, Tensor):
                raise TypeError(f"Cannot interpret feed_dict key as Tensor: {target!r} is no tensor.")
            feeds[target] = as_feed(target, value)
        return feeds

    def close(self) -> None:
        """Free what the session holds; runs that wait are cancelled."""
        self._closed = True
        for held in list(self.state.resources.values()):
            cancel = getattr(held, "cancel", None)
            if cancel is not None:
                cancel()
        self._plans.clear()

    @property
    def is_closed(self) -> bool:
        return self._closed

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # -- what host kernels ask of a run; see runtime.host.Run ------------------------------------------------------

    def kernel_state(self, node: Node, make: Callable[[], T]) -> T:
        kernels = self.state.kernels
        if node.name not in kernels:
            with self.state.lock:
                if node.name not in kernels:
                    kernels[node.name] = make()
        found: T = kernels[node.name]
        return found

    def resource(self, node: Node, make: Callable[[], T]) -> T:
        key = (node.attr.get("container") or "", node.attr.get("shared_name") or node.name)
        with self.state.lock:
            if key not in self.state.resources:
                self.state.resources[key] = make()
            found: T = self.state.resources[key]
            return found

    def function_plan(self, graph: Graph, func: Func, args: Sequence[Any]) -> Plan:
        """The plan of a library function applied to values; a Variable among them is passed by reference."""
        function = graph.functions[func.name]
        signature = tuple(a if isinstance(a, Variable) else np.ndim(a) for a in args)
        key = (function.graph, func.name, signature)
        plan = self._plans.get(key)
        if plan is None:
            with self._plan_lock:
                plan = self._plans.get(key)
                if plan is None:
                    bound = {t: a for t, a in zip(function.inputs, args, strict=True) if isinstance(a, Variable)}
                    dims = [
                        t.dims if t.dims is not None or isinstance(a, Variable) or t.dtype in (resource, variant) else (None,) * np.ndim(a)
                        for t, a in zip(function.inputs, args, strict=True)
                    ]
                    effects = [
                        n
                        for n in function.graph
                        if n.opdef is not None and n.opdef.is_stateful and n.op != "_Arg" and n.op not in VARIABLES
                    ]
                    fetches: list[Tensor | Node] = [*function.outputs, *function.control_outputs, *effects]
                    engine = self.engine
                    plan = Planner(
                        function.graph, fetches, function.inputs, dims, bound, on_cpu=not engine.gpus, threads=engine.threads
                    ).plan()
                    plan.fetches = plan.fetches[: len(function.outputs)]
                    self.engine.prepare(plan)
                    self._plans[key] = plan
        return plan

    def check_open(self, deadline: float | None) -> None:
        if self._closed:
            raise CancelledError(None, None, "Run call was cancelled")
        if deadline is not None and time.monotonic() > deadline:
            raise DeadlineExceededError(None, None, "Timed out waiting for notification")


def _open_dims(feeds: Mapping[Tensor, Any]) -> list[Dims]:
    """What the graph says of the shapes of feeds; of their ranks the feeds themselves."""
    return [t.dims if t.dims is not None else (None,) * np.ndim(v) for t, v in feeds.items()]


def as_feed(tensor: Tensor, value: Any) -> Any:
    """A feed as an array of the tensor's dtype. Raises TypeError or ValueError with TensorFlow's words when it does not fit."""
    dtype = tensor.dtype.base_dtype
    if dtype in (resource, variant):
        return value
    if isinstance(value, Tensor):
        raise TypeError(
            "The value of a feed cannot be a tf.Tensor object. Acceptable feed values include Python scalars, strings, lists, numpy ndarrays, or TensorHandles. "
            f"For reference, the tensor object was {value!r} which was passed to the feed with key {tensor!r}."
        )
    array = to_array(value, dtype)
    dims = tensor.dims
    if dims is not None and (len(dims) != array.ndim or any(d is not None and d != s for d, s in zip(dims, array.shape, strict=True))):
        wanted = "(" + ", ".join("?" if d is None else str(d) for d in dims) + ("," if len(dims) == 1 else "") + ")"
        raise ValueError(f"Cannot feed value of shape {array.shape!r} for Tensor {tensor.name!r}, which has shape {wanted!r}")
    return array


def to_array(value: Any, dtype: DType) -> Array:
    """A Python or numpy value as an array of a dtype; text is encoded as UTF-8."""
    if dtype is string:
        array = np.asarray(value, dtype=object)
        flat = [v.encode() if isinstance(v, str) else bytes(v) if isinstance(v, np.bytes_) else v for v in array.ravel().tolist()]
        result = np.empty(len(flat), object)
        result[:] = flat
        return result.reshape(array.shape)
    array = np.asarray(value, order="C")
    numpy_type = dtype.as_numpy_dtype
    if array.dtype != numpy_type:
        if isinstance(value, int) and np.array(value).astype(numpy_type) != value:
            raise TypeError(
                f"Type of feed value {value} with type {type(value)} is not compatible with Tensor type {numpy_type}. Try explicitly setting the type of the feed tensor to a larger type (e.g. int64)."
            )
        array = np.asarray(value, dtype=numpy_type) if array.dtype.kind in "OUS" else array.astype(numpy_type)
    return array if array.flags.c_contiguous else np.ascontiguousarray(array).reshape(array.shape)
