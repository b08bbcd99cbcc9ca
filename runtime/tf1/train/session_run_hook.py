"""tf.train.SessionRunHook and the hooks that come with it."""

from __future__ import annotations

import os
import time
from collections import namedtuple
from typing import Any

import numpy as np

from graphtools.formats import schema
from runtime.errors import OutOfRangeError
from runtime.tf1.graph import GraphKeys, get_default_graph
from runtime.tf1.registry import export, put
from runtime.tf1.system import get_logger, log_first_n
from runtime.tf1.train import meta_graph, training_util
from runtime.tf1.train.supervisor import CHECKPOINT, START, session_log


class SessionRunArgs(namedtuple("SessionRunArgs", ["fetches", "feed_dict", "options"])):
    """What a hook adds to a run."""

    __slots__ = ()

    def __new__(cls, fetches: Any, feed_dict: Any = None, options: Any = None) -> SessionRunArgs:
        return super().__new__(cls, fetches, feed_dict, options)


class SessionRunValues(namedtuple("SessionRunValues", ["results", "options", "run_metadata"])):
    """What came of it."""

    __slots__ = ()


put("train.SessionRunArgs", SessionRunArgs)
put("train.SessionRunValues", SessionRunValues)


@export("train.SessionRunContext")
class SessionRunContext:
    """What a hook may know of the run it is called for."""

    def __init__(self, original_args: Any, session: Any) -> None:
        self._original_args, self._session, self._stop_requested = original_args, session, False

    original_args = property(lambda self: self._original_args)
    session = property(lambda self: self._session)
    stop_requested = property(lambda self: self._stop_requested)

    def request_stop(self) -> None:
        self._stop_requested = True


@export("train.SessionRunHook")
class SessionRunHook:
    """Called around the runs of a MonitoredSession."""

    def begin(self) -> None:
        """Before the session is made: the graph can still be changed."""

    def after_create_session(self, session: Any, coord: Any) -> None:
        """When a session was made."""

    def before_run(self, run_context: SessionRunContext) -> Any:
        """Gives SessionRunArgs to add to the run, or None."""
        return None

    def after_run(self, run_context: SessionRunContext, run_values: Any) -> None:
        """Gets the results of what before_run added."""

    def end(self, session: Any) -> None:
        """At the end, unless an error ended the session."""


@export("train.SecondOrStepTimer")
class SecondOrStepTimer:
    """Tells when so many seconds or steps have passed."""

    def __init__(self, every_secs: float | None = None, every_steps: int | None = None) -> None:
        if every_secs is None and every_steps is None:
            raise ValueError("Either every_secs or every_steps should be provided.")
        if every_secs is not None and every_steps is not None:
            raise ValueError("Can not provide both every_secs and every_steps.")
        self._every_secs, self._every_steps = every_secs, every_steps
        self.reset()

    def reset(self) -> None:
        self._step: Any = None
        self._time: Any = None

    def should_trigger_for_step(self, step: int) -> bool:
        if self._step is None:
            return True
        if self._step == step:
            return False
        if self._every_secs is not None and time.time() >= self._time + self._every_secs:
            return True
        return self._every_steps is not None and step >= self._step + self._every_steps

    def update_last_triggered_step(self, step: int) -> tuple[Any, Any]:
        """The seconds and steps since the last time."""
        now = time.time()
        passed = (None, None) if self._time is None else (now - self._time, step - self._step)
        self._time, self._step = now, step
        return passed

    def last_triggered_step(self) -> Any:
        return self._step


class NeverTriggerTimer(SecondOrStepTimer):
    def __init__(self) -> None:
        super().__init__(every_steps=1)

    def should_trigger_for_step(self, step: int) -> bool:
        return False

    def update_last_triggered_step(self, step: int) -> tuple[Any, Any]:
        return None, None


def _element(value: Any) -> Any:
    """A fetch by name ("loss" is "loss:0") or as it is."""
    graph = get_default_graph()
    if not isinstance(value, str):
        if getattr(value, "graph", None) is not graph:
            raise ValueError(f"Passed {value} should have graph attribute that is equal to current graph {graph}.")
        return value
    if ":" in value:
        return graph.as_graph_element(value)
    node = graph.as_graph_element(value)
    if len(node.outputs) > 1:
        raise ValueError(f"Name {value} is ambiguous, as this `Operation` has multiple outputs (at least 2).")
    return graph.as_graph_element(f"{value}:0")


def _step_tensor(hook: str) -> Any:
    found = training_util.get_or_create_global_step_read()
    if found is None:
        raise RuntimeError(f"Global step should be created to use {hook}.")
    return found


def _writer(folder: str) -> Any:
    from runtime.tf1.summary import FileWriterCache

    return FileWriterCache.get(folder)


@export("train.LoggingTensorHook")
class LoggingTensorHook(SessionRunHook):
    """Logs tensors every so many runs or seconds, or at the end."""

    def __init__(
        self, tensors: Any, every_n_iter: int | None = None, every_n_secs: float | None = None, at_end: bool = False, formatter: Any = None
    ) -> None:
        only_at_end = at_end and every_n_iter is None and every_n_secs is None
        if not only_at_end and (every_n_iter is None) == (every_n_secs is None):
            raise ValueError("either at_end and/or exactly one of every_n_iter and every_n_secs must be provided.")
        if every_n_iter is not None and every_n_iter <= 0:
            raise ValueError(f"invalid every_n_iter={every_n_iter}.")
        self._order = sorted(tensors) if isinstance(tensors, dict) else list(tensors)
        self._tensors = tensors if isinstance(tensors, dict) else {item: item for item in tensors}
        self._formatter, self._at_end = formatter, at_end
        self._timer = NeverTriggerTimer() if only_at_end else SecondOrStepTimer(every_secs=every_n_secs, every_steps=every_n_iter)

    def begin(self) -> None:
        self._timer.reset()
        self._count = 0
        self._current = {tag: _element(tensor) for tag, tensor in self._tensors.items()}

    def before_run(self, run_context: Any) -> Any:
        self._should_trigger = self._timer.should_trigger_for_step(self._count)
        return SessionRunArgs(self._current) if self._should_trigger else None

    def _log(self, values: Any) -> None:
        with np.printoptions(suppress=True):
            elapsed, _ = self._timer.update_last_triggered_step(self._count)
            if self._formatter:
                get_logger().info(self._formatter(values))
                return
            text = ", ".join(f"{tag} = {values[tag]}" for tag in self._order)
            if elapsed is None:
                get_logger().info("%s", text)
            else:
                get_logger().info("%s (%.3f sec)", text, elapsed)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        if self._should_trigger:
            self._log(run_values.results)
        self._count += 1

    def end(self, session: Any) -> None:
        if self._at_end:
            self._log(session.run(self._current))


@export("train.StopAtStepHook")
class StopAtStepHook(SessionRunHook):
    """Stops after so many steps, or at a step."""

    def __init__(self, num_steps: int | None = None, last_step: int | None = None) -> None:
        if num_steps is None and last_step is None:
            raise ValueError("One of num_steps or last_step must be specified.")
        if num_steps is not None and last_step is not None:
            raise ValueError("Only one of num_steps or last_step can be specified.")
        self._num_steps, self._last_step = num_steps, last_step

    def begin(self) -> None:
        self._step = _step_tensor("StopAtStepHook")

    def after_create_session(self, session: Any, coord: Any) -> None:
        if self._last_step is None:
            self._last_step = session.run(self._step) + self._num_steps

    def before_run(self, run_context: Any) -> Any:
        return SessionRunArgs(self._step)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        if run_values.results + 1 >= self._last_step and run_context.session.run(self._step) >= self._last_step:
            run_context.request_stop()


@export("train.CheckpointSaverListener")
class CheckpointSaverListener:
    """Called around the saves of a CheckpointSaverHook."""

    def begin(self) -> None:
        """Before the session is made."""

    def before_save(self, session: Any, global_step_value: Any) -> None:
        """Before each checkpoint."""

    def after_save(self, session: Any, global_step_value: Any) -> Any:
        """After each checkpoint; true stops the training."""

    def end(self, session: Any, global_step_value: Any) -> None:
        """At the end."""


@export("train.CheckpointSaverHook")
class CheckpointSaverHook(SessionRunHook):
    """Saves checkpoints every so many steps or seconds, at the start and at the end."""

    def __init__(
        self,
        checkpoint_dir: str,
        save_secs: float | None = None,
        save_steps: int | None = None,
        saver: Any = None,
        checkpoint_basename: str = "model.ckpt",
        scaffold: Any = None,
        listeners: Any = None,
    ) -> None:
        get_logger().info("Create CheckpointSaverHook.")
        if saver is not None and scaffold is not None:
            raise ValueError("You cannot provide both saver and scaffold.")
        self._saver, self._scaffold, self._folder = saver, scaffold, checkpoint_dir
        self._path = os.path.join(checkpoint_dir, checkpoint_basename)
        self._timer = SecondOrStepTimer(every_secs=save_secs, every_steps=save_steps)
        self._listeners = listeners or []

    def begin(self) -> None:
        self._summary_writer = _writer(self._folder)
        self._step = _step_tensor("CheckpointSaverHook")
        for listener in self._listeners:
            listener.begin()

    def after_create_session(self, session: Any, coord: Any) -> None:
        step = session.run(self._step)
        graph = get_default_graph()
        meta_graph.write_graph(graph.as_graph_def(add_shapes=True), self._folder, "graph.pbtxt")
        saver = self._get_saver()
        self._summary_writer.add_graph(graph)
        self._summary_writer.add_meta_graph(meta_graph.export_meta_graph(graph=graph, saver_def=saver.saver_def if saver else None))
        self._save(session, step)
        self._timer.update_last_triggered_step(step)

    def before_run(self, run_context: Any) -> Any:
        return SessionRunArgs(self._step)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        if self._timer.should_trigger_for_step(run_values.results + 1):
            step = run_context.session.run(self._step)
            if self._timer.should_trigger_for_step(step):
                self._timer.update_last_triggered_step(step)
                if self._save(run_context.session, step):
                    run_context.request_stop()

    def end(self, session: Any) -> None:
        step = session.run(self._step)
        if step != self._timer.last_triggered_step():
            self._save(session, step)
        for listener in self._listeners:
            listener.end(session, step)

    def _save(self, session: Any, step: Any) -> bool:
        get_logger().info("Saving checkpoints for %d into %s.", step, self._path)
        for listener in self._listeners:
            listener.before_save(session, step)
        self._get_saver().save(session, self._path, global_step=step)
        self._summary_writer.add_session_log(session_log(CHECKPOINT, checkpoint_path=self._path), step)
        stops = [listener for listener in self._listeners if listener.after_save(session, step)]
        for listener in stops:
            get_logger().info("A CheckpointSaverListener requested that training be stopped. listener: %s", listener)
        return bool(stops)

    def _get_saver(self) -> Any:
        if self._saver is not None:
            return self._saver
        if self._scaffold is not None:
            return self._scaffold.saver
        found = get_default_graph().get_collection(GraphKeys.SAVERS)
        if not found:
            raise RuntimeError(
                f"No items in collection {GraphKeys.SAVERS}. Please add a saver to the collection or provide a saver or scaffold."
            )
        if len(found) > 1:
            raise RuntimeError(
                f"More than one item in collection {GraphKeys.SAVERS}. Please indicate which one to use by passing it to the constructor."
            )
        self._saver = found[0]
        return self._saver


@export("train.StepCounterHook")
class StepCounterHook(SessionRunHook):
    """Writes the steps per second."""

    def __init__(
        self, every_n_steps: int | None = 100, every_n_secs: float | None = None, output_dir: str | None = None, summary_writer: Any = None
    ) -> None:
        if (every_n_steps is None) == (every_n_secs is None):
            raise ValueError("exactly one of every_n_steps and every_n_secs should be provided.")
        self._timer = SecondOrStepTimer(every_steps=every_n_steps, every_secs=every_n_secs)
        self._summary_writer, self._folder, self._last = summary_writer, output_dir, None

    def begin(self) -> None:
        if self._summary_writer is None and self._folder:
            self._summary_writer = _writer(self._folder)
        self._step = _step_tensor("StepCounterHook")
        self._tag = f"{training_util.get_global_step().op.name}/sec"

    def before_run(self, run_context: Any) -> Any:
        return SessionRunArgs(self._step)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        stale = run_values.results
        if self._timer.should_trigger_for_step(stale + 1):
            step = run_context.session.run(self._step)
            if self._timer.should_trigger_for_step(step):
                seconds, steps = self._timer.update_last_triggered_step(step)
                if seconds is not None:
                    self._log_and_record(steps, seconds, step)
        if stale == self._last:
            log_first_n(
                30,
                "It seems that global step (tf.train.get_global_step) has not been increased. Current value (could be stable): %s vs previous value: %s.",
                5,
                stale,
                self._last,
            )
        self._last = stale

    def _log_and_record(self, elapsed_steps: Any, elapsed_time: float, global_step: Any) -> None:
        rate = elapsed_steps / elapsed_time if elapsed_time else float("inf")
        if self._summary_writer is not None:
            summary = schema.message("Summary")()
            summary.value.add(tag=self._tag, simple_value=rate)
            self._summary_writer.add_summary(summary, global_step)
        get_logger().info("%s: %g", self._tag, rate)


@export("train.NanLossDuringTrainingError")
class NanLossDuringTrainingError(RuntimeError):
    def __str__(self) -> str:
        return "NaN loss during training."


@export("train.NanTensorHook")
class NanTensorHook(SessionRunHook):
    """Stops, or raises, when a loss is NaN."""

    def __init__(self, loss_tensor: Any, fail_on_nan_loss: bool = True) -> None:
        self._loss, self._fail = loss_tensor, fail_on_nan_loss

    def before_run(self, run_context: Any) -> Any:
        return SessionRunArgs(self._loss)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        if np.isnan(run_values.results):
            if self._fail:
                get_logger().error("Model diverged with loss = NaN.")
                raise NanLossDuringTrainingError
            get_logger().warning("Model diverged with loss = NaN.")
            run_context.request_stop()


@export("train.SummarySaverHook")
class SummarySaverHook(SessionRunHook):
    """Writes summaries every so many steps or seconds."""

    def __init__(
        self,
        save_steps: int | None = None,
        save_secs: float | None = None,
        output_dir: str | None = None,
        summary_writer: Any = None,
        scaffold: Any = None,
        summary_op: Any = None,
    ) -> None:
        if (scaffold is None) == (summary_op is None):
            raise ValueError("Exactly one of scaffold or summary_op must be provided.")
        self._summary_op, self._summary_writer, self._folder, self._scaffold = summary_op, summary_writer, output_dir, scaffold
        self._timer = SecondOrStepTimer(every_secs=save_secs, every_steps=save_steps)

    def begin(self) -> None:
        if self._summary_writer is None and self._folder:
            self._summary_writer = _writer(self._folder)
        self._next: Any = None
        self._step = _step_tensor("SummarySaverHook")

    def _ops(self) -> Any:
        op = self._summary_op if self._summary_op is not None else self._scaffold.summary_op
        return op if op is None or isinstance(op, list) else [op]

    def before_run(self, run_context: Any) -> Any:
        self._wants_summary = self._next is None or self._timer.should_trigger_for_step(self._next)
        requests = {"global_step": self._step}
        if self._wants_summary and self._ops() is not None:
            requests["summary"] = self._ops()
        return SessionRunArgs(requests)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        if not self._summary_writer:
            return
        step = run_values.results["global_step"] + 1
        if self._next is None or self._wants_summary:
            step = run_context.session.run(self._step)
        if self._next is None:
            self._summary_writer.add_session_log(session_log(START), step)
        if self._wants_summary:
            self._timer.update_last_triggered_step(step)
            for summary in run_values.results.get("summary", ()):
                self._summary_writer.add_summary(summary, step)
        self._next = step + 1

    def end(self, session: Any = None) -> None:
        if self._summary_writer:
            self._summary_writer.flush()


@export("train.GlobalStepWaiterHook")
class GlobalStepWaiterHook(SessionRunHook):
    """Waits until the global step is far enough."""

    def __init__(self, wait_until_step: int) -> None:
        self._until = wait_until_step

    def begin(self) -> None:
        self._is_started = False
        self._step = _step_tensor("_GlobalStepWaiterHook")

    def before_run(self, run_context: Any) -> Any:
        if not self._is_started and self._until > 0:
            get_logger().info("Waiting for global step %d before starting training.", self._until)
            while run_context.session.run(self._step) < self._until:
                time.sleep(0.5)
        self._is_started = True
        return None


@export("train.FinalOpsHook")
class FinalOpsHook(SessionRunHook):
    """Runs ops at the end."""

    def __init__(self, final_ops: Any, final_ops_feed_dict: Any = None) -> None:
        self._ops, self._feeds, self._values = final_ops, final_ops_feed_dict, None

    final_ops_values = property(lambda self: self._values)

    def end(self, session: Any) -> None:
        if self._ops is None:
            return
        try:
            self._values = session.run(self._ops, feed_dict=self._feeds)
        except (OutOfRangeError, StopIteration):
            get_logger().warning("The ops of a FinalOpsHook ran out of input: they must not read from a pipeline.")
            raise


@export("train.FeedFnHook")
class FeedFnHook(SessionRunHook):
    """Feeds what a function gives."""

    def __init__(self, feed_fn: Any) -> None:
        self.feed_fn = feed_fn

    def before_run(self, run_context: Any) -> Any:
        return SessionRunArgs(fetches=None, feed_dict=self.feed_fn())


@export("train.ProfilerHook")
class ProfilerHook(SessionRunHook):
    """Writes a timeline every so many steps or seconds."""

    def __init__(
        self,
        save_steps: int | None = None,
        save_secs: float | None = None,
        output_dir: str = "",
        show_dataflow: bool = True,
        show_memory: bool = False,
    ) -> None:
        self._file = os.path.join(output_dir, "timeline-{}.json")
        self._show_dataflow, self._show_memory, self._folder = show_dataflow, show_memory, output_dir
        self._timer = SecondOrStepTimer(every_secs=save_secs, every_steps=save_steps)

    def begin(self) -> None:
        self._next: Any = None
        self._step = _step_tensor("ProfilerHook")

    def before_run(self, run_context: Any) -> Any:
        self._wants = self._next is not None and self._timer.should_trigger_for_step(self._next)
        options = schema.message("RunOptions")(trace_level=3) if self._wants else None
        return SessionRunArgs({"global_step": self._step}, options=options)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        from runtime.tf1.timeline import Timeline

        stale = run_values.results["global_step"]
        if self._next is None:
            self._timer.update_last_triggered_step(stale)
        step = stale + 1
        if self._wants:
            step = run_context.session.run(self._step)
            self._timer.update_last_triggered_step(step)
            with open(self._file.format(step), "w") as f:
                f.write(Timeline(run_values.run_metadata.step_stats).generate_chrome_trace_format(self._show_dataflow, self._show_memory))
        self._next = step + 1
