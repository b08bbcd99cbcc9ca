"""tf.train.Supervisor: a session with checkpoints, summaries and queue runners around it."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Any

from graphtools.formats import schema
from runtime.tf1.client import Session, internal_runs
from runtime.tf1.control_flow_ops import group
from runtime.tf1.graph import GraphKeys, get_default_graph
from runtime.tf1.registry import export
from runtime.tf1.system import get_logger, log_first_n
from runtime.tf1.train import meta_graph, training_util
from runtime.tf1.train.coordinator import Coordinator, LooperThread
from runtime.tf1.train.session_manager import SessionManager
from runtime.tf1.variables import (
    global_variables,
    global_variables_initializer,
    local_variables_initializer,
    report_uninitialized_variables,
)

START, STOP, CHECKPOINT = 1, 2, 3  # of SessionLog


def session_log(status: int, **fields: Any) -> Any:
    return schema.message("SessionLog")(status=status, **fields)


def first_in_collection(key: str) -> Any:
    found = get_default_graph().get_collection(key)
    if len(found) > 1:
        get_logger().info("Found %d %s operations. Returning the first one.", len(found), key)
    return found[0] if found else None


@export("train.Supervisor")
class Supervisor:
    """Prepares a session, and keeps saving and summarizing while the script trains."""

    USE_DEFAULT = 0

    def __init__(
        self,
        graph: Any = None,
        ready_op: Any = USE_DEFAULT,
        ready_for_local_init_op: Any = USE_DEFAULT,
        is_chief: bool = True,
        init_op: Any = USE_DEFAULT,
        init_feed_dict: Any = None,
        local_init_op: Any = USE_DEFAULT,
        logdir: str | None = None,
        summary_op: Any = USE_DEFAULT,
        saver: Any = USE_DEFAULT,
        global_step: Any = USE_DEFAULT,
        save_summaries_secs: float = 120,
        save_model_secs: float = 600,
        recovery_wait_secs: float = 30,
        stop_grace_secs: float = 120,
        checkpoint_basename: str = "model.ckpt",
        session_manager: Any = None,
        summary_writer: Any = USE_DEFAULT,
        init_fn: Any = None,
        local_init_run_options: Any = None,
    ) -> None:
        graph = get_default_graph() if graph is None else graph
        with graph.as_default():
            self._ready_op = self._of(ready_op, GraphKeys.READY_OP, report_uninitialized_variables)
            self._ready_for_local_init_op = (
                first_in_collection(GraphKeys.READY_FOR_LOCAL_INIT_OP) if _is_default(ready_for_local_init_op) else ready_for_local_init_op
            )
            self._init_op = self._of(init_op, GraphKeys.INIT_OP, global_variables_initializer)
            self._local_init_op = self._of(local_init_op, GraphKeys.LOCAL_INIT_OP, self._make_local_init)
            self._saver = self._of(saver, GraphKeys.SAVERS, self._make_saver)
            self._summary_op = self._of(summary_op, GraphKeys.SUMMARY_OP, self._merge_summaries)
            self._global_step = self._of(global_step, GraphKeys.GLOBAL_STEP, self._find_global_step)
        self._init_feed_dict = init_feed_dict
        self._graph = graph
        self._meta_graph_def = meta_graph.export_meta_graph(graph=graph, saver_def=self._saver.saver_def if self._saver else None)
        self._is_chief = is_chief
        self._coord = Coordinator()
        self._stop_grace_secs, self._init_fn = stop_grace_secs, init_fn
        self._logdir = logdir if is_chief else None
        self._save_summaries_secs = save_summaries_secs if is_chief else None
        self._save_model_secs = save_model_secs if is_chief else None
        self._save_path = os.path.join(logdir, checkpoint_basename) if is_chief and logdir else None
        self._graph_added_to_summary = False
        self._summary_writer: Any = None
        if is_chief:
            if not _is_default(summary_writer):
                self._summary_writer = summary_writer
            elif logdir:
                from runtime.tf1.summary import FileWriter

                self._summary_writer = FileWriter(logdir)
        self._session_manager = session_manager or SessionManager(
            local_init_op=self._local_init_op, ready_op=self._ready_op, ready_for_local_init_op=self._ready_for_local_init_op, graph=graph, recovery_wait_secs=recovery_wait_secs,
            local_init_run_options=local_init_run_options,
        )  # fmt: skip
        if not is_chief:
            for op in graph.get_operations():
                if op.type in ("Variable", "VariableV2") and not op.device:
                    raise ValueError(f"When using replicas, all Variables must have their device set: {op}")
        graph.finalize()

    @staticmethod
    def _of(given: Any, key: str, make: Any) -> Any:
        """An argument, or the first element of a collection, or what `make` makes for it."""
        if not _is_default(given):
            return given
        found = first_in_collection(key)
        if found is None:
            found = make()
            if found is not None:
                get_default_graph().add_to_collection(key, found)
        return found

    @staticmethod
    def _make_local_init() -> Any:
        from runtime.tf1.lookup_ops import tables_initializer

        return group(local_variables_initializer(), tables_initializer())

    @staticmethod
    def _make_saver() -> Any:
        from runtime.tf1.train.saver import Saver

        return Saver() if global_variables() else None

    @staticmethod
    def _merge_summaries() -> Any:
        from runtime.tf1.summary import merge_all

        return merge_all()

    @staticmethod
    def _find_global_step() -> Any:
        try:
            step = get_default_graph().get_tensor_by_name("global_step:0")
        except KeyError:
            return None
        if not step.dtype.base_dtype.is_integer:
            get_logger().warning("Found 'global_step' is not an int type: %s", step.dtype)
            return None
        return step

    is_chief = property(lambda self: self._is_chief)
    session_manager = property(lambda self: self._session_manager)
    coord = property(lambda self: self._coord)
    init_op = property(lambda self: self._init_op)
    init_feed_dict = property(lambda self: self._init_feed_dict)
    ready_op = property(lambda self: self._ready_op)
    ready_for_local_init_op = property(lambda self: self._ready_for_local_init_op)
    summary_writer = property(lambda self: self._summary_writer)
    summary_op = property(lambda self: self._summary_op)
    save_summaries_secs = property(lambda self: self._save_summaries_secs)
    global_step = property(lambda self: self._global_step)
    saver = property(lambda self: self._saver)
    save_model_secs = property(lambda self: self._save_model_secs)
    save_path = property(lambda self: self._save_path)

    def _write_graph(self) -> None:
        if self._logdir:
            meta_graph.write_graph(self._graph.as_graph_def(add_shapes=True), self._logdir, "graph.pbtxt")
        if self._summary_writer and not self._graph_added_to_summary:
            self._summary_writer.add_graph(self._graph)
            self._summary_writer.add_meta_graph(self._meta_graph_def)
            self._graph_added_to_summary = True

    def start_standard_services(self, sess: Any) -> Any:
        """Start the threads that save summaries and checkpoints."""
        if not self._is_chief:
            raise RuntimeError("Only chief supervisor can start standard services. Because only chief supervisors can write events.")
        if not self._logdir:
            get_logger().warning("Standard services need a 'logdir' passed to the SessionManager")
            return None
        if self._global_step is not None and self._summary_writer:
            self._summary_writer.add_session_log(session_log(START), training_util.global_step(sess, self._global_step))
        threads: list[LooperThread] = []
        if self._save_summaries_secs and self._summary_writer:
            if self._summary_op is not None:
                threads.append(_SummaryThread(self, sess))
            if self._global_step is not None:
                threads.append(_StepCounterThread(self, sess))
        if self.saver and self._save_model_secs:
            threads.append(_CheckpointThread(self, sess))
        for t in threads:
            t.start()
        return threads

    def prepare_or_wait_for_session(
        self,
        master: str = "",
        config: Any = None,
        wait_for_checkpoint: bool = False,
        max_wait_secs: float = 7200,
        start_standard_services: bool = True,
    ) -> Session:
        self._coord.clear_stop()
        if self._summary_writer:
            self._summary_writer.reopen()
        if self._is_chief:
            sess = self._session_manager.prepare_session(
                master, init_op=self.init_op, saver=self.saver, checkpoint_dir=self._logdir, wait_for_checkpoint=wait_for_checkpoint, max_wait_secs=max_wait_secs, config=config,
                init_feed_dict=self._init_feed_dict, init_fn=self._init_fn,
            )  # fmt: skip
            self._write_graph()
            if start_standard_services:
                get_logger().info("Starting standard services.")
                self.start_standard_services(sess)
        else:
            sess = self._session_manager.wait_for_session(master, config=config, max_wait_secs=max_wait_secs)
        if start_standard_services:
            get_logger().info("Starting queue runners.")
            self.start_queue_runners(sess)
        return sess  # type: ignore[no-any-return]

    def start_queue_runners(self, sess: Any, queue_runners: Any = None) -> list[Any]:
        runners = self._graph.get_collection(GraphKeys.QUEUE_RUNNERS) if queue_runners is None else queue_runners
        return [t for runner in runners for t in runner.create_threads(sess, coord=self._coord, daemon=True, start=True)]

    def loop(self, timer_interval_secs: float | None, target: Any, args: Any = None, kwargs: Any = None) -> LooperThread:
        return LooperThread.loop(self._coord, timer_interval_secs, target, args, kwargs)

    def stop(self, threads: Any = None, close_summary_writer: bool = True, ignore_live_threads: bool = False) -> None:
        """Stop the threads; raises what one of them reported."""
        self._coord.request_stop()
        try:
            self._coord.join(threads, stop_grace_period_secs=self._stop_grace_secs, ignore_live_threads=ignore_live_threads)
        finally:
            if close_summary_writer and self._summary_writer:
                self._summary_writer.add_session_log(session_log(STOP))
                self._summary_writer.close()
                self._graph_added_to_summary = False

    def request_stop(self, ex: Any = None) -> None:
        self._coord.request_stop(ex=ex)

    def should_stop(self) -> bool:
        return self._coord.should_stop()

    def stop_on_exception(self) -> Any:
        return self._coord.stop_on_exception()

    def wait_for_stop(self) -> None:
        self._coord.wait_for_stop()

    def summary_computed(self, sess: Any, summary: Any, global_step: Any = None) -> None:
        if not self._summary_writer:
            raise RuntimeError("Writing a summary requires a summary writer.")
        if global_step is None and self.global_step is not None:
            global_step = training_util.global_step(sess, self.global_step)
        self._summary_writer.add_summary(summary, global_step)

    @contextlib.contextmanager
    def managed_session(
        self, master: str = "", config: Any = None, start_standard_services: bool = True, close_summary_writer: bool = True
    ) -> Iterator[Session]:
        """A session for a with block; an error inside stops the threads and is raised again."""
        sess: Any = None
        try:
            sess = self.prepare_or_wait_for_session(master=master, config=config, start_standard_services=start_standard_services)
            yield sess
        except Exception as e:
            self.request_stop(e)
        finally:
            try:
                self.stop(close_summary_writer=close_summary_writer)
            finally:
                if sess is not None:
                    sess.close()

    PrepareSession = prepare_or_wait_for_session
    StartQueueRunners = start_queue_runners
    StartStandardServices = start_standard_services
    Stop = stop
    RequestStop = request_stop
    Loop = loop
    ShouldStop = should_stop
    StopOnException = stop_on_exception
    WaitForStop = wait_for_stop
    SummaryComputed = summary_computed


def _is_default(value: Any) -> bool:
    return isinstance(value, int) and value == Supervisor.USE_DEFAULT and not isinstance(value, bool)


class _SummaryThread(LooperThread):
    """Writes the summaries every so often."""

    def __init__(self, sv: Supervisor, sess: Any) -> None:
        super().__init__(sv.coord, sv.save_summaries_secs)
        self._sv, self._sess = sv, sess

    def run_loop(self) -> None:
        sv = self._sv
        with internal_runs():
            if sv.global_step is not None:
                summaries, step = self._sess.run([sv.summary_op, sv.global_step])
            else:
                summaries, step = self._sess.run(sv.summary_op), None
        if sv.summary_writer:
            sv.summary_writer.add_summary(summaries, step)


class _StepCounterThread(LooperThread):
    """Writes the steps per second every so often."""

    def __init__(self, sv: Supervisor, sess: Any) -> None:
        super().__init__(sv.coord, sv.save_summaries_secs)
        self._sv, self._sess = sv, sess
        self._time, self._step = 0.0, 0
        self._tag = f"{sv.global_step.op.name}/sec"

    def start_loop(self) -> None:
        self._time = time.time()
        self._step = training_util.global_step(self._sess, self._sv.global_step)

    def run_loop(self) -> None:
        step, now = training_util.global_step(self._sess, self._sv.global_step), time.time()
        rate = (step - self._step) / (now - self._time) if now > self._time else float("inf")
        self._step, self._time = step, now
        summary = schema.message("Summary")()
        summary.value.add(tag=self._tag, simple_value=rate)
        if self._sv.summary_writer:
            self._sv.summary_writer.add_summary(summary, step)
        log_first_n(20, "%s: %g", 10, self._tag, rate)


class _CheckpointThread(LooperThread):
    """Saves a checkpoint every so often."""

    def __init__(self, sv: Supervisor, sess: Any) -> None:
        super().__init__(sv.coord, sv.save_model_secs)
        self._sv, self._sess = sv, sess

    def run_loop(self) -> None:
        sv = self._sv
        get_logger().info("Saving checkpoint to path %s", sv.save_path)
        sv.saver.save(self._sess, sv.save_path, global_step=sv.global_step)
        if sv.summary_writer and sv.global_step is not None:
            sv.summary_writer.add_session_log(
                session_log(CHECKPOINT, checkpoint_path=sv.save_path), training_util.global_step(self._sess, sv.global_step)
            )
