"""tf.Session and the protos that configure it."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator
from typing import Any

from graphtools import graph as base
from graphtools.formats import schema
from graphtools.gradients import IndexedSlices
from runtime import devices
from runtime import session as engine
from runtime.errors import InvalidArgumentError
from runtime.fetches import Fetches, register_fetch_type
from runtime.tf1 import graph as graphs
from runtime.tf1.graph import Graph, _DefaultStack, get_default_graph
from runtime.tf1.registry import export, put

# Protos that scripts make by name.
for _name in (
    "AttrValue", "ConfigProto", "Event", "GPUOptions", "GraphDef", "GraphOptions", "HistogramProto", "LogMessage", "MetaGraphDef", "NameAttrList", "NodeDef",
    "OptimizerOptions", "RunMetadata", "RunOptions", "SessionLog", "Summary", "SummaryMetadata", "TensorInfo",
):  # fmt: skip
    put(_name, schema.message(_name))

_sessions = _DefaultStack()

# Called after each Session.run that a script makes itself: (fetches, feeds, results).
observers: list[Callable[[Any, Any, Any], None]] = []
_depth = threading.local()

# The sessions of the script being run, in the order they were made.
sessions_made: list[Any] = []

# How sessions are made for the script being run: device and the like.
options: dict[str, Any] = {"device": "auto"}


class IndexedSlicesValue(tuple):  # type: ignore[type-arg]
    """What fetching IndexedSlices gives."""

    _fields = ("values", "indices", "dense_shape")
    __slots__ = ()

    def __new__(cls, values: Any, indices: Any, dense_shape: Any) -> IndexedSlicesValue:
        return super().__new__(cls, (values, indices, dense_shape))

    values = property(lambda self: self[0])
    indices = property(lambda self: self[1])
    dense_shape = property(lambda self: self[2])


register_fetch_type(
    IndexedSlices,
    lambda s: [s.values, s.indices] if s.dense_shape is None else [s.values, s.indices, s.dense_shape],
    lambda v: IndexedSlicesValue(v[0], v[1], v[2] if len(v) > 2 else None),
)


class BaseSession:
    """What tf.Session and tf.InteractiveSession share."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        if not isinstance(target, str | bytes):
            raise TypeError(f"target must be a string, but got {type(target)}")
        if target and not str(target).startswith(("local", "grpc://localhost")):
            raise NotImplementedError(
                f"A session on the remote target {target!r} is not supported: run the script on this machine, with target ''."
            )
        self._graph = graph if graph is not None else get_default_graph()
        if not isinstance(self._graph, base.Graph):
            raise TypeError(f"graph must be a tf.Graph, but got {type(graph)}")
        self._config = config
        self._session = engine.Session(self._graph, **_engine_options(config, target))
        self._contexts: list[Any] = []
        sessions_made.append(self)

    @property
    def graph(self) -> Graph:
        return self._graph

    @property
    def graph_def(self) -> Any:
        return self._graph.as_graph_def()

    @property
    def sess_str(self) -> str:
        return ""

    def run(self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None) -> Any:
        """Compute `fetches`; see runtime.session.Session.run."""
        feeds = _expand_feeds(self._graph, feed_dict) if feed_dict else None
        result = self._session.run(fetches, feeds, options, run_metadata)
        if "session_handles" in self._graph.attributes:
            from runtime.tf1 import session_ops

            result = session_ops.fetched(self._graph, self, fetches, result)
        if observers and not _internal(1):
            for observer in observers:
                observer(fetches, feed_dict, result)
        return result

    def partial_run_setup(self, fetches: Any, feeds: Any = None) -> Any:
        return _PartialRun(self, fetches, feeds or [])

    def partial_run(self, handle: Any, fetches: Any, feed_dict: Any = None) -> Any:
        if not isinstance(handle, _PartialRun):
            raise InvalidArgumentError(None, None, "Must run 'setup' before performing partial runs!")
        return handle.run(fetches, feed_dict or {})

    def make_callable(self, fetches: Any, feed_list: Any = None, accept_options: bool = False) -> Callable[..., Any]:
        """A function of the values of `feed_list` that runs `fetches`."""
        keys = list(feed_list or ())

        def call(*values: Any, options: Any = None, run_metadata: Any = None) -> Any:
            if len(values) > len(keys):
                raise ValueError(f"Expected {len(keys)} feeds, got {len(values)}.")
            return self._session.run(
                fetches, _expand_feeds(self._graph, dict(zip(keys, values, strict=False))) if keys else None, options, run_metadata
            )

        return call

    def list_devices(self) -> list[Any]:
        from runtime.tf1.config import list_devices

        return list_devices(self._session)

    def close(self) -> None:
        self._session.close()

    def reset(self, *args: Any) -> None:
        self._session.state.clear()

    def as_default(self) -> contextlib.AbstractContextManager[Any]:
        return _sessions.entered(self)


def _internal(level: int) -> bool:
    """True when a run call was made inside the stand-in, not by the script: its observers are not told."""
    return getattr(_depth, "internal", 0) > 0


@contextlib.contextmanager
def internal_runs() -> Iterator[None]:
    """Run calls inside this block are the library's own: a script's observers are not told of them."""
    _depth.internal = getattr(_depth, "internal", 0) + 1
    try:
        yield
    finally:
        _depth.internal -= 1


def _engine_options(config: Any, target: Any) -> dict[str, Any]:
    """What a ConfigProto says, for runtime.session.Session; a cluster's jobs are all this process, so that none is refused."""
    made = dict(options)
    if config is not None:
        if config.log_device_placement:
            made["log_device_placement"] = True
        if config.intra_op_parallelism_threads:
            made["threads"] = int(config.intra_op_parallelism_threads)
        if config.operation_timeout_in_ms > 0:
            made["timeout"] = config.operation_timeout_in_ms / 1000
    soft = made.pop("soft_placement", False)
    settings = devices.config_of(config)
    if soft or target:
        settings = dataclasses.replace(settings, soft_placement=None if target else True)
    made["config"] = settings
    return made


def _tensor_named(graph: Graph, name: str | bytes) -> Any:
    try:
        return graph.as_graph_element(name, allow_operation=False)
    except (KeyError, ValueError) as e:
        raise TypeError(f"Cannot interpret feed_dict key as Tensor: {e.args[0]}") from None


def _expand_feeds(graph: Graph, feed_dict: Any) -> dict[Any, Any]:
    """Feeds of SparseTensors, IndexedSlices, variables and tuples as feeds of their tensors."""
    if not isinstance(feed_dict, dict):
        raise TypeError("input must be a dictionary")
    feeds: dict[Any, Any] = {}
    for key, value in feed_dict.items():
        if isinstance(key, base.Tensor):
            if type(value).__name__ == "TensorHandle":
                from runtime.tf1 import session_ops

                value = session_ops.fed(graph, key, value)
            feeds[key] = value
        elif isinstance(key, str | bytes):
            feeds[_tensor_named(graph, key)] = value
        elif hasattr(key, "_feed_parts"):
            feeds.update(key._feed_parts(value))
        elif isinstance(key, IndexedSlices):
            parts = [key.values, key.indices] + ([key.dense_shape] if key.dense_shape is not None else [])
            feeds.update(zip(parts, value, strict=False))
        elif isinstance(key, tuple | list):
            feeds.update(_expand_feeds(graph, dict(zip(key, value, strict=True))))
        elif hasattr(key, "_as_graph_element"):
            feeds[key._as_graph_element()] = value
        else:
            raise TypeError(f"Cannot interpret feed_dict key as Tensor: Can not convert a {type(key).__name__} into a Tensor.")
    return feeds


class _PartialRun:
    """A run in parts: each part computes what its feeds allow, and sees the values of the parts before."""

    def __init__(self, session: BaseSession, fetches: Any, feeds: Any) -> None:
        self.session = session
        self.allowed = set(Fetches.of(session.graph, fetches).flat)
        if not self.allowed:
            raise InvalidArgumentError(None, None, "Must specify at least one target to fetch or execute.")
        self.fetched: set[Any] = set()
        self.awaited = set(_expand_feeds(session.graph, dict.fromkeys(feeds)))
        self.feeds: dict[Any, Any] = {}
        self.values: dict[Any, Any] = {}

    def run(self, fetches: Any, feed_dict: Any) -> Any:
        given = _expand_feeds(self.session.graph, feed_dict)
        wanted = Fetches.of(self.session.graph, fetches)
        for what, names, allowed, done, verb in (
            ("feed", given, self.awaited, self.feeds, "fed"),
            ("fetch", wanted.flat, self.allowed, self.fetched, "fetched"),
        ):
            for t in names:
                if t not in allowed:
                    raise InvalidArgumentError(None, None, f"The {what} {t.name} was not specified in partial_run_setup.")
                if t in done:
                    raise InvalidArgumentError(None, None, f"The {what} {t.name} has already been {verb}.")
        known = {t: v for t, v in self.values.items() if isinstance(t, base.Tensor) and v is not None} | self.feeds | given
        needed = base.topological([f if isinstance(f, base.Node) else f.node for f in wanted.flat], list(known))
        for tensor in self.awaited:
            if tensor not in known and tensor.node in needed:
                raise InvalidArgumentError(None, None, f"Fetch {tensor.name} can't be computed from the feeds that have been fed so far.")
        self.feeds.update(given)
        self.fetched.update(wanted.flat)
        values = self.session._session.run(wanted.flat, known)
        self.values.update(zip(wanted.flat, values, strict=True))
        return wanted.rebuild(values)


@export("Session", "compat.v1.Session")
class Session(BaseSession):
    """Runs operations of a graph; as a context manager it is the default session."""

    def __enter__(self) -> Session:
        stack = contextlib.ExitStack()
        stack.enter_context(self._graph.as_default())
        stack.enter_context(self.as_default())
        self._contexts.append(stack)
        return self

    def __exit__(self, *exc: Any) -> None:
        self._contexts.pop().__exit__(*exc)
        self.close()


@export("InteractiveSession", "compat.v1.InteractiveSession")
class InteractiveSession(BaseSession):
    """A session that is the default as soon as it is made."""

    def __init__(self, target: str = "", graph: Graph | None = None, config: Any = None) -> None:
        super().__init__(target, graph, config)
        self._stack = contextlib.ExitStack()
        if graph is not None:
            self._stack.enter_context(graph.as_default())
        self._stack.enter_context(self.as_default())

    def close(self) -> None:
        super().close()
        self._stack.close()


def forget_defaults() -> None:
    """Begin as a new process does, without a default session or graph."""
    _sessions.stack.clear()
    graphs.forget_defaults()


@export("get_default_session", "compat.v1.get_default_session")
def get_default_session() -> Any:
    return _sessions.stack[-1] if _sessions.stack else None


def run_in_default(fetch: Any, feed_dict: Any, session: Any, graph: Any) -> Any:
    """Tensor.eval and Operation.run."""
    if session is None:
        session = get_default_session()
        if session is None:
            is_tensor = isinstance(fetch, base.Tensor)
            raise ValueError(
                "Cannot evaluate tensor using `eval()`: No default session is registered. Use `with sess.as_default()` or pass an explicit session to `eval(session=sess)`"
                if is_tensor
                else "Cannot execute operation using `run()`: No default session is registered. Use `with sess.as_default():` or pass an explicit session to `run(session=sess)`"
            )
        if session.graph is not graph:
            raise ValueError(
                "Cannot use the default session to evaluate tensor: the tensor's graph is different from the session's graph. Pass an explicit session."
            )
    return session.run(fetch, feed_dict)
