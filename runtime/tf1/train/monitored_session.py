"""tf.train.MonitoredTrainingSession and what it is made of."""

from __future__ import annotations

import inspect
from typing import Any

from graphtools.dtypes import string
from graphtools.formats import schema
from runtime.errors import AbortedError, OutOfRangeError, UnavailableError
from runtime.tf1 import array_ops
from runtime.tf1.client import internal_runs
from runtime.tf1.control_flow_ops import group, no_op
from runtime.tf1.graph import GraphKeys, constant, get_default_graph, name_scope
from runtime.tf1.lookup_ops import tables_initializer
from runtime.tf1.registry import export
from runtime.tf1.system import get_logger
from runtime.tf1.train.coordinator import Coordinator
from runtime.tf1.train.queue_runner import start_queue_runners
from runtime.tf1.train.session_manager import SessionManager
from runtime.tf1.train.session_run_hook import (
    CheckpointSaverHook,
    SessionRunArgs,
    SessionRunContext,
    SessionRunValues,
    StepCounterHook,
    SummarySaverHook,
)
from runtime.tf1.variables import (
    global_variables,
    global_variables_initializer,
    local_variables_initializer,
    report_uninitialized_variables,
)

USE_DEFAULT = object()
PREEMPTIONS = (AbortedError, UnavailableError)


def _uninitialized_resources() -> Any:
    """The names of resources that are not ready; tables are made ready by their own initializers."""
    with name_scope("report_uninitialized_resources", None, ()), get_default_graph().device("/cpu:0"):
        return constant([], string)


@export("train.Scaffold")
class Scaffold:
    """The ops that a training session needs, made where the script has not."""

    def __init__(
        self,
        init_op: Any = None,
        init_feed_dict: Any = None,
        init_fn: Any = None,
        ready_op: Any = None,
        ready_for_local_init_op: Any = None,
        local_init_op: Any = None,
        summary_op: Any = None,
        saver: Any = None,
        copy_from_scaffold: Any = None,
    ) -> None:
        other = copy_from_scaffold
        if other is not None and not isinstance(other, Scaffold):
            raise TypeError("copy_from_scaffold is not a Scaffold instance.")

        def of(given: Any, name: str) -> Any:
            return given if given is not None or other is None else getattr(other, name)

        self._user_init_fn = of(init_fn, "_user_init_fn")
        self._init_op = of(init_op, "_init_op")
        self._init_feed_dict = of(init_feed_dict, "_init_feed_dict")
        self._ready_op = of(ready_op, "_ready_op")
        self._ready_for_local_init_op = of(ready_for_local_init_op, "_ready_for_local_init_op")
        self._local_init_op = of(local_init_op, "_local_init_op")
        self._summary_op = of(summary_op, "_summary_op")
        self._saver = of(saver, "_saver")

    def finalize(self) -> Scaffold:
        """Make what is missing, and finalize the graph."""
        from runtime.tf1.summary import merge_all

        if self._init_op is None:
            self._init_op = self.get_or_default(
                "init_op", GraphKeys.INIT_OP, lambda: group(global_variables_initializer(), no_op(name="init"))
            )
        if self._ready_op is None:
            self._ready_op = self.get_or_default(
                "ready_op", GraphKeys.READY_OP, lambda: array_ops.concat([report_uninitialized_variables(), _uninitialized_resources()], 0)
            )
        if self._ready_for_local_init_op is None:
            self._ready_for_local_init_op = self.get_or_default(
                "ready_for_local_init_op",
                GraphKeys.READY_FOR_LOCAL_INIT_OP,
                lambda: array_ops.concat([report_uninitialized_variables(global_variables()), _uninitialized_resources()], 0),
            )
        if self._local_init_op is None:
            self._local_init_op = self.get_or_default("local_init_op", GraphKeys.LOCAL_INIT_OP, self.default_local_init_op)
        if self._summary_op is None:
            self._summary_op = self.get_or_default("summary_op", GraphKeys.SUMMARY_OP, merge_all)
        if self._saver is None:
            self._saver = self._default_saver()
        self._saver.build()
        get_default_graph().finalize()
        get_logger().info("Graph was finalized.")
        return self

    @staticmethod
    def _default_saver() -> Any:
        from runtime.tf1.train.saver import Saver

        graph = get_default_graph()
        found = graph.get_collection(GraphKeys.SAVERS)
        if len(found) > 1:
            raise RuntimeError(
                f"More than one item in collection {GraphKeys.SAVERS}. Please indicate which one to use by passing it to the constructor."
            )
        if found:
            return found[0]
        saver = Saver(sharded=True, allow_empty=True)
        graph.add_to_collection(GraphKeys.SAVERS, saver)
        return saver

    @property
    def init_fn(self) -> Any:
        function = self._user_init_fn
        return None if function is None else lambda sess: function(self, sess)

    init_op = property(lambda self: self._init_op)
    ready_op = property(lambda self: self._ready_op)
    ready_for_local_init_op = property(lambda self: self._ready_for_local_init_op)
    local_init_op = property(lambda self: self._local_init_op)
    summary_op = property(lambda self: self._summary_op)
    saver = property(lambda self: self._saver)
    init_feed_dict = property(lambda self: self._init_feed_dict)

    @staticmethod
    def get_or_default(arg_name: str, collection_key: str, default_constructor: Any) -> Any:
        graph = get_default_graph()
        found = graph.get_collection(collection_key)
        if len(found) > 1:
            raise RuntimeError(
                f'More than one item in the collection "{collection_key}". Please indicate which one to use by passing it to the tf.Scaffold constructor as:  '
                f"tf.Scaffold({arg_name}=item to use)"
            )
        if found:
            return found[0]
        op = default_constructor()
        if op is not None:
            graph.add_to_collection(collection_key, op)
        return op

    @staticmethod
    def default_local_init_op() -> Any:
        return group(local_variables_initializer(), tables_initializer(), no_op(name="init"))


@export("train.SessionCreator")
class SessionCreator:
    """Makes the session of a MonitoredSession."""

    def create_session(self) -> Any:
        raise NotImplementedError(f"create_session is not implemented for {self}.")


class _ScaffoldCreator(SessionCreator):
    """Makes sessions with the ops of a scaffold."""

    def __init__(self, scaffold: Scaffold | None, master: str, config: Any) -> None:
        self._scaffold = scaffold or Scaffold()
        self._master, self._config = master, config
        self._manager: SessionManager | None = None

    def _session_manager(self) -> SessionManager:
        if self._manager is None:
            s = self._scaffold
            self._manager = SessionManager(
                local_init_op=s.local_init_op,
                ready_op=s.ready_op,
                ready_for_local_init_op=s.ready_for_local_init_op,
                graph=get_default_graph(),
            )
        return self._manager


@export("train.ChiefSessionCreator")
class ChiefSessionCreator(_ScaffoldCreator):
    """Initializes or restores."""

    def __init__(
        self,
        scaffold: Scaffold | None = None,
        master: str = "",
        config: Any = None,
        checkpoint_dir: str | None = None,
        checkpoint_filename_with_path: str | None = None,
    ) -> None:
        super().__init__(scaffold, master, config)
        self._folder, self._path = checkpoint_dir, checkpoint_filename_with_path

    def create_session(self) -> Any:
        s = self._scaffold.finalize()
        return self._session_manager().prepare_session(
            self._master, saver=s.saver, checkpoint_dir=self._folder, checkpoint_filename_with_path=self._path, config=self._config, init_op=s.init_op,
            init_feed_dict=s.init_feed_dict, init_fn=s.init_fn,
        )  # fmt: skip


@export("train.WorkerSessionCreator")
class WorkerSessionCreator(_ScaffoldCreator):
    """Waits for a chief."""

    def __init__(self, scaffold: Scaffold | None = None, master: str = "", config: Any = None, max_wait_secs: float = 30 * 60) -> None:
        super().__init__(scaffold, master, config)
        self._max_wait_secs = max_wait_secs

    def create_session(self) -> Any:
        self._scaffold.finalize()
        return self._session_manager().wait_for_session(self._master, config=self._config, max_wait_secs=self._max_wait_secs)


class _StepContext:
    """What a step function gets."""

    def __init__(self, session: Any, run_with_hooks: Any) -> None:
        self._session, self._run = session, run_with_hooks

    session = property(lambda self: self._session)

    def run_with_hooks(self, *args: Any, **kwargs: Any) -> Any:
        return self._run(*args, **kwargs)

    def request_stop(self) -> None:
        raise StopIteration("step_fn has requested the iterations to stop.")


class _MonitoredSession:
    """A session whose runs call hooks; made again after a preemption if `should_recover`."""

    StepContext = _StepContext

    def __init__(self, session_creator: Any, hooks: Any, should_recover: bool, stop_grace_period_secs: float = 120) -> None:
        self._graph_was_finalized = get_default_graph().finalized
        self._hooks = list(hooks or [])
        for hook in self._hooks:
            hook.begin()
        self._creator = session_creator or ChiefSessionCreator()
        self._should_recover, self._grace = should_recover, stop_grace_period_secs
        self._raw: Any = None
        self._coord: Any = None
        self._is_closed_ = False
        self._stops = False
        self._create()

    def _create(self) -> None:
        while True:
            try:
                with internal_runs():
                    self._raw = self._creator.create_session()
                    self._coord = Coordinator(clean_stop_exception_types=[])
                    if get_default_graph().get_collection(GraphKeys.QUEUE_RUNNERS):
                        start_queue_runners(sess=self._raw, coord=self._coord)
                    for hook in self._hooks:
                        hook.after_create_session(self._raw, self._coord)
                self._stops = False
                return
            except PREEMPTIONS as e:
                if not self._should_recover:
                    raise
                get_logger().info("An error was raised while a session was being created. A new session will be created. Error: %s", e)

    @property
    def graph(self) -> Any:
        return None if self._raw is None else self._raw.graph

    def run(self, fetches: Any, feed_dict: Any = None, options: Any = None, run_metadata: Any = None) -> Any:
        while True:
            try:
                if self._raw is None:
                    if self._is_closed_:
                        raise RuntimeError("Run called even after should_stop requested.")
                    self._create()
                return self._coordinated(fetches, feed_dict, options, run_metadata)
            except PREEMPTIONS as e:
                if not self._should_recover:
                    raise
                get_logger().info("An error was raised. The current session will be closed and a new session will be created. Error: %s", e)
                self._close_session()

    def _coordinated(self, fetches: Any, feed_dict: Any, options: Any, run_metadata: Any) -> Any:
        try:
            return self._hooked(fetches, feed_dict, options, run_metadata)
        except PREEMPTIONS:
            raise
        except Exception:
            if self._coord is not None:
                try:
                    self._coord.raise_requested_exception()
                except PREEMPTIONS:
                    raise
                except Exception as reported:
                    get_logger().debug("A thread reported %s", reported)
            raise

    def _hooked(self, fetches: Any, feed_dict: Any, options: Any, run_metadata: Any) -> Any:
        if self.should_stop():
            raise RuntimeError("Run called even after should_stop requested.")
        context = SessionRunContext(SessionRunArgs(fetches, feed_dict), self._raw)
        options = options or schema.message("RunOptions")()
        run_metadata = run_metadata or schema.message("RunMetadata")()
        wanted: dict[Any, Any] = {"caller": fetches}
        feeds: dict[Any, Any] = {}
        with internal_runs():
            for hook in self._hooks:
                request = hook.before_run(context)
                if request is None:
                    continue
                if request.fetches is not None:
                    wanted[hook] = request.fetches
                if request.feed_dict:
                    if any(k in feeds for k in request.feed_dict):
                        raise RuntimeError("Same tensor is fed by two hooks.")
                    feeds.update(request.feed_dict)
                if request.options:
                    options.trace_level = max(options.trace_level, request.options.trace_level)
                    options.timeout_in_ms = max(options.timeout_in_ms, request.options.timeout_in_ms)
            if feed_dict:
                if any(k in feeds for k in feed_dict):
                    raise RuntimeError("Same tensor is fed by a SessionRunHook and user.")
                feeds.update(feed_dict)
            outputs = self._raw.run(wanted, feeds or None, options, run_metadata)
            for hook in self._hooks:
                hook.after_run(context, SessionRunValues(outputs.get(hook), options, run_metadata))
        self._stops = self._stops or context.stop_requested
        return outputs["caller"]

    def run_step_fn(self, step_fn: Any) -> Any:
        names = tuple(inspect.signature(step_fn).parameters)
        if names not in (("step_context",), ("self", "step_context")):
            raise ValueError(
                f"`step_fn` may either have one `step_context` argument, or `self` and `step_context` arguments if it's an instance method. Got {names} instead."
            )
        with internal_runs():
            return step_fn(_StepContext(self._raw, self.run))

    def should_stop(self) -> bool:
        if self._raw is None:
            return True
        if self._coord is not None:
            try:
                self._coord.raise_requested_exception()
            except PREEMPTIONS as e:
                if not self._should_recover:
                    raise
                get_logger().info(
                    "An error was raised while considering whether the session is complete. A new session will be created. Error: %s", e
                )
                self._close_session()
                self._create()
                return False
            except Exception:
                if not self._should_recover:
                    raise
                return True
            if self._coord.should_stop():
                return True
        return self._stops

    def close(self) -> None:
        self._close(None)

    def _close_session(self) -> None:
        session, coord, self._raw, self._coord = self._raw, self._coord, None, None
        if coord is not None:
            coord.request_stop()
            try:
                coord.join(stop_grace_period_secs=self._grace, ignore_live_threads=True)
            finally:
                session.close()
        elif session is not None:
            session.close()

    def _close(self, exception_type: Any) -> None:
        try:
            if exception_type is None:
                with internal_runs():
                    for hook in self._hooks:
                        hook.end(self._raw)
        finally:
            try:
                if self._is_closed_:
                    raise RuntimeError("Session is already closed.")
                self._close_session()
            finally:
                self._is_closed_ = True
                if not self._graph_was_finalized:
                    get_default_graph()._unsafe_unfinalize()

    def _is_closed(self) -> bool:
        return self._raw is None

    def _tf_sess(self) -> Any:
        return self._raw

    def __enter__(self) -> Any:
        return self

    def __exit__(self, exception_type: Any, exception_value: Any, traceback: Any) -> bool:
        if exception_type in (OutOfRangeError, StopIteration):
            exception_type = None
        self._close(exception_type)
        return exception_type is None


@export("train.MonitoredSession")
class MonitoredSession(_MonitoredSession):
    def __init__(self, session_creator: Any = None, hooks: Any = None, stop_grace_period_secs: float = 120) -> None:
        super().__init__(session_creator, hooks, True, stop_grace_period_secs)


@export("train.SingularMonitoredSession")
class SingularMonitoredSession(_MonitoredSession):
    """A MonitoredSession that does not recover."""

    def __init__(
        self,
        hooks: Any = None,
        scaffold: Scaffold | None = None,
        master: str = "",
        config: Any = None,
        checkpoint_dir: str | None = None,
        stop_grace_period_secs: float = 120,
        checkpoint_filename_with_path: str | None = None,
    ) -> None:
        creator = ChiefSessionCreator(scaffold, master, config, checkpoint_dir, checkpoint_filename_with_path)
        super().__init__(creator, hooks, False, stop_grace_period_secs)

    def raw_session(self) -> Any:
        return self._raw


def _pair(first: Any, second: Any, default_first: Any, default_second: Any) -> tuple[Any, Any]:
    """Two arguments of which setting one unsets the other's default."""
    if first is USE_DEFAULT and second is USE_DEFAULT:
        return default_first, default_second
    return (None if first is USE_DEFAULT else first), (None if second is USE_DEFAULT else second)


def _is_positive(value: Any) -> bool:
    return value is not None and value > 0


@export("train.MonitoredTrainingSession")
def MonitoredTrainingSession(
    master: str = "",
    is_chief: bool = True,
    checkpoint_dir: str | None = None,
    scaffold: Scaffold | None = None,
    hooks: Any = None,
    chief_only_hooks: Any = None,
    save_checkpoint_secs: Any = USE_DEFAULT,
    save_summaries_steps: Any = USE_DEFAULT,
    save_summaries_secs: Any = USE_DEFAULT,
    config: Any = None,
    stop_grace_period_secs: float = 120,
    log_step_count_steps: int | None = 100,
    max_wait_secs: float = 7200,
    save_checkpoint_steps: Any = USE_DEFAULT,
    summary_dir: str | None = None,
) -> MonitoredSession:
    """A MonitoredSession with the usual hooks: checkpoints, summaries, steps per second."""
    save_summaries_steps, save_summaries_secs = _pair(save_summaries_steps, save_summaries_secs, 100, None)
    save_checkpoint_steps, save_checkpoint_secs = _pair(save_checkpoint_steps, save_checkpoint_secs, None, 600)
    scaffold = scaffold or Scaffold()
    if not is_chief:
        return MonitoredSession(WorkerSessionCreator(scaffold, master, config, max_wait_secs), hooks or [], stop_grace_period_secs)
    all_hooks = list(chief_only_hooks or [])
    summary_dir = summary_dir or checkpoint_dir
    if summary_dir:
        if _is_positive(log_step_count_steps):
            all_hooks.append(StepCounterHook(output_dir=summary_dir, every_n_steps=log_step_count_steps))
        if _is_positive(save_summaries_steps) or _is_positive(save_summaries_secs):
            all_hooks.append(
                SummarySaverHook(scaffold=scaffold, save_steps=save_summaries_steps, save_secs=save_summaries_secs, output_dir=summary_dir)
            )
    if checkpoint_dir and (_is_positive(save_checkpoint_secs) or _is_positive(save_checkpoint_steps)):
        all_hooks.append(
            CheckpointSaverHook(checkpoint_dir, save_steps=save_checkpoint_steps, save_secs=save_checkpoint_secs, scaffold=scaffold)
        )
    all_hooks.extend(hooks or [])
    creator = ChiefSessionCreator(scaffold, master, config, checkpoint_dir)
    return MonitoredSession(creator, all_hooks, stop_grace_period_secs)


@export("train.basic_train_loop")
def basic_train_loop(supervisor: Any, train_step_fn: Any, args: Any = None, kwargs: Any = None, master: str = "") -> None:
    """Call `train_step_fn(session, ...)` until the supervisor stops."""
    with supervisor.managed_session(master) as sess:
        while not supervisor.should_stop():
            train_step_fn(sess, *(args or ()), **(kwargs or {}))
