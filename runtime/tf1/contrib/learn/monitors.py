"""tf.contrib.learn.monitors: what watches a training, before there were hooks."""

from __future__ import annotations

import copy
import inspect
import os
import time
from typing import Any

import numpy as np

from graphtools.formats import schema
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.system import get_logger
from runtime.tf1.train.session_run_hook import SessionRunArgs, SessionRunHook

tf: Any = module("")
_NAME = "contrib.learn.monitors."


def _output(outputs: Any, request: Any) -> Any:
    return outputs[request] if request in outputs else outputs[request.name]


@export(_NAME + "BaseMonitor")
class BaseMonitor:
    """Called at the begin and end of a training, of its epochs, and of its steps."""

    def __init__(self) -> None:
        self._begun = False
        self._current_epoch: int | None = None
        self._current_step: int | None = None
        self._max_steps: int | None = None
        self._estimator: Any = None

    @property
    def run_on_all_workers(self) -> bool:
        return False

    def set_estimator(self, estimator: Any) -> None:
        if estimator is None:
            raise ValueError("Missing estimator.")
        self._estimator = estimator

    def begin(self, max_steps: int | None = None) -> None:
        if self._begun:
            raise ValueError("begin called twice without end.")
        self._max_steps, self._begun = max_steps, True

    def end(self, session: Any = None) -> None:
        if not self._begun:
            raise ValueError("end called without begin.")
        self._max_steps, self._begun = None, False

    def epoch_begin(self, epoch: int) -> None:
        if self._current_epoch is not None:
            raise ValueError("epoch_begin called twice without epoch_end.")
        if epoch < 0:
            raise ValueError(f"Invalid epoch {epoch}.")
        self._current_epoch = epoch

    def epoch_end(self, epoch: int) -> None:
        if self._current_epoch != epoch:
            raise ValueError(f"epoch_end expected {self._current_epoch} but got {epoch}.")
        self._current_epoch = None

    def step_begin(self, step: int) -> list[Any]:
        """The tensors, or names of tensors, to fetch in this step."""
        if step < 0 or (self._max_steps is not None and step > self._max_steps):
            raise ValueError(f"Invalid step {step}.")
        self._current_step = step
        return []

    def step_end(self, step: int, output: Any) -> Any:
        """Whether to stop."""
        if self._current_step != step:
            raise ValueError(f"step_end expected {self._current_step} but got {step}.")
        self._current_step = None
        return False

    def post_step(self, step: int, session: Any) -> None:
        pass


@export(_NAME + "EveryN")
class EveryN(BaseMonitor):
    """Called each n-th step, the first ones, and the last."""

    def __init__(self, every_n_steps: int = 100, first_n_steps: int = 1) -> None:
        super().__init__()
        self._every_n_steps, self._first_n_steps = every_n_steps, first_n_steps
        self._last_successful_step: int | None = None
        self._last_active_step = 0
        self._every_n_step_begin_called = False

    def every_n_step_begin(self, step: int) -> list[Any]:
        return []

    def every_n_step_end(self, step: int, outputs: Any) -> Any:
        return False

    def every_n_post_step(self, step: Any, session: Any) -> None:
        pass

    def step_begin(self, step: int) -> list[Any]:
        super().step_begin(step)
        due = step <= self._first_n_steps or step >= self._every_n_steps + self._last_active_step or step == self._max_steps
        self._every_n_step_begin_called = due
        return self.every_n_step_begin(step) if due else []

    def step_end(self, step: int, output: Any) -> Any:
        super().step_end(step, output)
        return self.every_n_step_end(step, output) if self._every_n_step_begin_called else False

    def post_step(self, step: int, session: Any) -> None:
        super().post_step(step, session)
        if self._every_n_step_begin_called:
            self.every_n_post_step(step, session)
            self._last_active_step = step
        self._last_successful_step = step

    def end(self, session: Any = None) -> None:
        super().end(session=session)
        if self._last_successful_step != self._last_active_step:
            self.every_n_post_step(self._last_successful_step, session)


@export(_NAME + "StopAtStep")
class StopAtStep(BaseMonitor):
    def __init__(self, num_steps: int | None = None, last_step: int | None = None) -> None:
        super().__init__()
        if (num_steps is None) == (last_step is None):
            raise ValueError(
                "One of num_steps or last_step must be specified."
                if num_steps is None
                else "Only one of num_steps or last_step can be specified."
            )
        self._num_steps, self._last_step = num_steps, last_step

    @property
    def run_on_all_workers(self) -> bool:
        return True

    def step_begin(self, step: int) -> list[Any]:
        super().step_begin(step)
        if self._last_step is None:
            self._last_step = step + (self._num_steps or 0) - 1
        return []

    def step_end(self, step: int, output: Any) -> Any:
        super().step_end(step, output)
        return self._last_step is not None and step >= self._last_step


@export(_NAME + "PrintTensor")
class PrintTensor(EveryN):
    def __init__(self, tensor_names: Any, every_n: int = 100, first_n: int = 1) -> None:
        super().__init__(every_n, first_n)
        self._tensor_names = tensor_names if isinstance(tensor_names, dict) else {n: n for n in tensor_names}

    def every_n_step_begin(self, step: int) -> list[Any]:
        return list(self._tensor_names.values())

    def every_n_step_end(self, step: int, outputs: Any) -> Any:
        shown = [f"{tag} = {_output(outputs, name)}" for tag, name in self._tensor_names.items() if name in outputs]
        get_logger().info("Step %d: %s", step, ", ".join(shown))


@export(_NAME + "LoggingTrainable")
class LoggingTrainable(EveryN):
    def __init__(self, scope: str | None = None, every_n: int = 100, first_n: int = 1) -> None:
        super().__init__(every_n, first_n)
        self._scope = scope
        self._names: dict[str, str] = {}

    def every_n_step_begin(self, step: int) -> list[Any]:
        self._names = {v.name: v.value().name for v in tf.trainable_variables(self._scope)}
        return list(self._names.values())

    def every_n_step_end(self, step: int, outputs: Any) -> Any:
        shown = [f"{tag} = {_output(outputs, name)}" for tag, name in self._names.items() if name in outputs]
        get_logger().info("Logging Trainable: Step %d: %s", step, ", ".join(shown))


@export(_NAME + "SummarySaver")
class SummarySaver(EveryN):
    def __init__(
        self, summary_op: Any, save_steps: int = 100, output_dir: Any = None, summary_writer: Any = None, scaffold: Any = None
    ) -> None:
        super().__init__(every_n_steps=save_steps)
        self._op, self._scaffold = summary_op, scaffold
        self._writer = summary_writer or (tf.summary.FileWriter(output_dir) if output_dir else None)

    def set_estimator(self, estimator: Any) -> None:
        super().set_estimator(estimator)
        if self._writer is None:
            self._writer = tf.summary.FileWriter(estimator.model_dir)

    def every_n_step_begin(self, step: int) -> list[Any]:
        if self._op is None and self._scaffold is not None:
            self._op = self._scaffold.summary_op
        return [self._op] if self._op is not None else []

    def every_n_step_end(self, step: int, outputs: Any) -> Any:
        if self._op is not None and self._writer:
            self._writer.add_summary(_output(outputs, self._op), step)
        return False

    def end(self, session: Any = None) -> None:
        super().end(session=session)
        if self._writer:
            self._writer.flush()


@export(_NAME + "ValidationMonitor")
class ValidationMonitor(EveryN):
    """Evaluates each new checkpoint, and stops the training when a metric has not improved for so many steps."""

    def __init__(
        self, x: Any = None, y: Any = None, input_fn: Any = None, batch_size: int | None = None, eval_steps: int | None = None, every_n_steps: int = 100,
        metrics: Any = None, hooks: Any = None, early_stopping_rounds: int | None = None, early_stopping_metric: str = "loss",
        early_stopping_metric_minimize: bool = True, name: str | None = None, check_interval_secs: float | None = 5,
    ) -> None:  # fmt: skip
        super().__init__(every_n_steps=every_n_steps, first_n_steps=-1)
        if x is None and input_fn is None:
            raise ValueError("Either x or input_fn should be provided.")
        self.x, self.y, self.input_fn, self.batch_size = x, y, input_fn, batch_size
        self.eval_steps, self.metrics, self.hooks, self.name = eval_steps, metrics, hooks, name
        self.early_stopping_rounds, self.early_stopping_metric = early_stopping_rounds, early_stopping_metric
        self.early_stopping_metric_minimize = early_stopping_metric_minimize
        self._interval = check_interval_secs
        self._checked: float | None = None
        self._path: str | None = None
        self._best: tuple[int, Any, Any] | None = None
        self._stopped = False

    @property
    def early_stopped(self) -> bool:
        return self._stopped

    @property
    def best_step(self) -> int | None:
        return self._best and self._best[0]

    @property
    def best_value(self) -> Any:
        return self._best and self._best[1]

    @property
    def best_metrics(self) -> Any:
        return self._best and self._best[2]

    def _evaluate(self) -> Any:
        if isinstance(self._estimator, tf.estimator.Estimator):
            if any(v is not None for v in (self.x, self.y, self.batch_size, self.metrics)):
                raise ValueError(
                    "tf.estimator.Estimator does not support following arguments: x, y, batch_size, metrics. Should set as `None` in ValidationMonitor"
                )
            return self._estimator.evaluate(input_fn=self.input_fn, steps=self.eval_steps, hooks=self.hooks, name=self.name)
        return self._estimator.evaluate(
            x=self.x, y=self.y, input_fn=self.input_fn, batch_size=self.batch_size, steps=self.eval_steps, metrics=self.metrics, hooks=self.hooks,
            name=self.name,
        )  # fmt: skip

    def every_n_step_end(self, step: int, outputs: Any) -> Any:
        if self._estimator is None:
            raise ValueError("Missing call to set_estimator.")
        now = time.time()
        if self._interval is not None and self._checked is not None and now - self._checked <= self._interval:
            return False
        self._checked = now
        path = tf.train.latest_checkpoint(self._estimator.model_dir)
        if path is None or path == self._path:
            return False
        self._path = path
        values = self._evaluate()
        get_logger().info("Validation (step %d): %s", step, ", ".join(f"{k} = {v}" for k, v in values.items()))
        if self.early_stopping_rounds is None:
            return False
        if self.early_stopping_metric not in values:
            raise ValueError(f"Metric {self.early_stopping_metric} missing from outputs {list(values)}.")
        value = values[self.early_stopping_metric]
        if self._best is None or (value < self._best[1] if self.early_stopping_metric_minimize else value > self._best[1]):
            self._best = step, value, copy.deepcopy(values)
        if step - self._best[0] >= self.early_stopping_rounds:
            get_logger().info("Stopping. Best step: %s with %s = %s.", self._best[0], self.early_stopping_metric, self._best[1])
            self._stopped = True
            return True
        return False


@export(_NAME + "CaptureVariable")
class CaptureVariable(EveryN):
    def __init__(self, var_name: str, every_n: int = 100, first_n: int = 1) -> None:
        super().__init__(every_n, first_n)
        self._var_name = var_name
        self._var_values: dict[int, Any] = {}

    @property
    def values(self) -> dict[int, Any]:
        return self._var_values

    def every_n_step_begin(self, step: int) -> list[Any]:
        return [self._var_name]

    def every_n_step_end(self, step: int, outputs: Any) -> Any:
        self._var_values[step] = _output(outputs, self._var_name)


@export(_NAME + "get_default_monitors")
def get_default_monitors(
    loss_op: Any = None, summary_op: Any = None, save_summary_steps: int = 100, output_dir: Any = None, summary_writer: Any = None
) -> list[BaseMonitor]:
    monitors: list[BaseMonitor] = []
    if loss_op is not None:
        monitors.append(PrintTensor(tensor_names={"loss": loss_op.name}))
    if summary_op is not None:
        monitors.append(SummarySaver(summary_op, save_steps=save_summary_steps, output_dir=output_dir, summary_writer=summary_writer))
    return monitors


@export(_NAME + "GraphDump")
class GraphDump(BaseMonitor):
    """Keeps the values of all tensors, to compare them with another run's."""

    IGNORE_OPS = ["Const", "Assign", "Identity", "Placeholder", "RandomUniform", "Cast", "RestoreSlice"]

    def __init__(self, ignore_ops: Any = None) -> None:
        super().__init__()
        self._ignore_ops = ignore_ops or GraphDump.IGNORE_OPS
        self._data: dict[int, Any] = {}
        self._tensors: list[Any] = []

    def begin(self, max_steps: int | None = None) -> None:
        super().begin(max_steps=max_steps)
        self._tensors = [
            op.outputs[0] for op in tf.get_default_graph().get_operations() if op.type not in self._ignore_ops and len(op.outputs)
        ]

    def step_begin(self, step: int) -> list[Any]:
        super().step_begin(step)
        return self._tensors

    def step_end(self, step: int, output: Any) -> Any:
        super().step_end(step, output)
        self._data[step] = output

    @property
    def data(self) -> dict[int, Any]:
        return self._data

    def compare(self, other_dump: GraphDump, step: int, atol: float = 1e-06) -> tuple[list[Any], dict[Any, Any]]:
        """(names that agree, differences by name)."""
        mine, others = self.data.get(step, {}), other_dump.data.get(step, {})
        matched, different = [], {}
        for key, one in mine.items():
            if not isinstance(key, str) or isinstance(one, str):
                continue
            if key not in others:
                raise ValueError(f"{key} missing at step {step}.")
            other = others[key]
            if isinstance(one, np.ndarray):
                if np.allclose(one, other, atol=atol):
                    matched.append(key)
                else:
                    different[key] = one - other
            elif one == other:
                matched.append(key)
            else:
                different[key] = (one, other)
        return matched, different


@export(_NAME + "ExportMonitor")
class ExportMonitor(EveryN):
    """Exported session bundles, which TensorFlow 0.x served."""

    def __init__(self, every_n_steps: int, export_dir: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(every_n_steps=every_n_steps)
        raise NotImplementedError(
            "tf.contrib.learn.monitors.ExportMonitor writes the session bundles of TensorFlow 0.x: use an ExportStrategy in an Experiment, or export_savedmodel."
        )


@export(_NAME + "CheckpointSaver")
class CheckpointSaver(BaseMonitor):
    def __init__(
        self, checkpoint_dir: Any, save_secs: float | None = None, save_steps: int | None = None, saver: Any = None, checkpoint_basename: str = "model.ckpt",
        scaffold: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if (save_secs is None) == (save_steps is None):
            raise ValueError(
                "Either save_steps or save_secs should be provided"
                if save_secs is None
                else "Can not provide both save_steps and save_secs."
            )
        self._saver, self._scaffold = saver, scaffold
        self._path = os.path.join(checkpoint_dir, checkpoint_basename)
        self._secs, self._steps = save_secs, save_steps
        self._saved: tuple[float, int] | None = None
        self._step: int | None = None

    def begin(self, max_steps: int | None = None) -> None:
        super().begin(max_steps)
        self._saved = self._step = None

    def step_begin(self, step: int) -> list[Any]:
        super().step_begin(step)
        self._step = step
        return []

    def post_step(self, step: int, session: Any) -> None:
        super().post_step(step, session)
        if (
            self._saved is None
            or (self._steps is not None and step >= self._saved[1] + self._steps)
            or (self._secs is not None and time.time() >= self._saved[0] + self._secs)
        ):
            self._save(step, session)

    def end(self, session: Any = None) -> None:
        super().end(session)
        self._save(self._step, session)

    def _save(self, step: Any, session: Any) -> None:
        if self._saved is not None and step == self._saved[1]:
            return
        get_logger().info("Saving checkpoints for %d into %s.", step, self._path)
        self._saved = time.time(), step
        (self._saver or self._scaffold.saver).save(session, self._path, global_step=step)


@export(_NAME + "StepCounter")
class StepCounter(EveryN):
    def __init__(self, every_n_steps: int = 100, output_dir: Any = None, summary_writer: Any = None) -> None:
        super().__init__(every_n_steps=every_n_steps)
        self._writer = summary_writer or (tf.summary.FileWriterCache.get(output_dir) if output_dir else None)
        self._last: tuple[int, float] | None = None

    def set_estimator(self, estimator: Any) -> None:
        super().set_estimator(estimator)
        if self._writer is None:
            self._writer = tf.summary.FileWriterCache.get(estimator.model_dir)

    def every_n_step_end(self, step: int, outputs: Any) -> Any:
        now = time.time()
        if self._last is not None and self._writer:
            summary = schema.message("Summary")()
            summary.value.add(tag="global_step/sec", simple_value=(step - self._last[0]) / max(now - self._last[1], 1e-9))
            self._writer.add_summary(summary, step)
        self._last = step, now


@export(_NAME + "NanLossDuringTrainingError", "contrib.learn.NanLossDuringTrainingError")
class NanLossDuringTrainingError(RuntimeError):
    def __str__(self) -> str:
        return "NaN loss during training."


@export(_NAME + "NanLoss")
class NanLoss(EveryN):
    def __init__(self, loss_tensor: Any, every_n_steps: int = 100, fail_on_nan_loss: bool = True) -> None:
        super().__init__(every_n_steps=every_n_steps)
        self._loss_tensor, self._fail = loss_tensor, fail_on_nan_loss

    def every_n_step_begin(self, step: int) -> list[Any]:
        return [self._loss_tensor]

    def every_n_step_end(self, step: int, outputs: Any) -> Any:
        if not np.isnan(_output(outputs, self._loss_tensor)):
            return None
        if self._fail:
            get_logger().error("Model diverged with loss = NaN.")
            raise NanLossDuringTrainingError
        get_logger().warning("Model diverged with loss = NaN.")
        return True


@export(_NAME + "RunHookAdapterForMonitors")
class RunHookAdapterForMonitors(SessionRunHook):
    """Monitors as one hook."""

    def __init__(self, monitors: Any) -> None:
        self._monitors = monitors
        self._step: int | None = None

    def begin(self) -> None:
        self._step = None
        self._global_step = tf.train.get_global_step()
        for monitor in self._monitors:
            monitor.begin(max_steps=None)

    def before_run(self, run_context: Any) -> Any:
        if self._step is None:
            self._step = run_context.session.run(self._global_step) + 1
        wanted: list[Any] = []
        for monitor in self._monitors:
            asked = monitor.step_begin(self._step)
            if asked and not isinstance(asked, list):
                raise ValueError("Monitor.step_begin should return a list.")
            wanted.extend(asked or [])
        request: dict[Any, Any] = {"step": self._global_step}
        if wanted:
            request["monitors"] = {w: _element(w) for w in wanted}
        return SessionRunArgs(request)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        values = run_values.results.get("monitors", {})
        for monitor in self._monitors:
            if monitor.step_end(self._step, values):
                run_context.request_stop()
        for monitor in self._monitors:
            monitor.post_step(self._step, run_context.session)
        self._step = run_values.results["step"] + 1

    def end(self, session: Any) -> None:
        self._step = None
        for monitor in self._monitors:
            if "session" in inspect.signature(monitor.end).parameters:
                monitor.end(session=session)
            else:
                monitor.end()


@export(_NAME + "replace_monitors_with_hooks")
def replace_monitors_with_hooks(monitors_or_hooks: Any, estimator: Any) -> list[Any]:
    given = list(monitors_or_hooks or [])
    hooks = [m for m in given if isinstance(m, SessionRunHook)]
    monitors = [m for m in given if not isinstance(m, SessionRunHook)]
    for monitor in monitors:
        monitor.set_estimator(estimator)
    if monitors:
        hooks.append(RunHookAdapterForMonitors(monitors))
    return hooks


def _element(given: Any) -> Any:
    graph = tf.get_default_graph()
    if not isinstance(given, str):
        return given
    return graph.as_graph_element(given if ":" in given else f"{given}:0")
