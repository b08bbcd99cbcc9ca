"""tf.contrib.learn.Experiment and learn_runner: training and evaluation of an Estimator, together."""

from __future__ import annotations

import copy
import inspect
import os
import time
from collections import namedtuple
from typing import Any

from runtime.tf1.contrib.learn.estimator import Evaluable, Trainable
from runtime.tf1.contrib.learn.monitors import ValidationMonitor, replace_monitors_with_hooks
from runtime.tf1.contrib.learn.run_config import RunConfig, TaskType
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.system import get_logger
from runtime.tf1.train.session_run_hook import CheckpointSaverHook, CheckpointSaverListener

tf: Any = module("")


@export("contrib.learn.ExportStrategy")
class ExportStrategy(namedtuple("ExportStrategy", ["name", "export_fn", "strip_default_attrs"])):
    """How an Experiment exports its model."""

    __slots__ = ()

    def __new__(cls, name: str, export_fn: Any, strip_default_attrs: Any = None) -> ExportStrategy:
        return super().__new__(cls, name, export_fn, strip_default_attrs)

    def export(self, estimator: Any, export_path: Any, checkpoint_path: Any = None, eval_result: Any = None) -> Any:
        names = inspect.signature(self.export_fn).parameters
        if "eval_result" in names and "checkpoint_path" not in names:
            raise ValueError("An export_fn accepting eval_result must also accept checkpoint_path.")
        given = {"checkpoint_path": checkpoint_path, "eval_result": eval_result, "strip_default_attrs": self.strip_default_attrs}
        return self.export_fn(estimator, export_path, **{k: v for k, v in given.items() if k in names})


class _EvaluateAndExport(CheckpointSaverListener):
    """Evaluates and exports each checkpoint."""

    def __init__(self, evaluate: Any, export: Any, model_dir: str) -> None:
        self._evaluate, self._export, self._model_dir = evaluate, export, model_dir
        self._path: str | None = None
        self.eval_result: Any = None
        self.export_results: Any = None

    def after_save(self, session: Any, global_step_value: Any) -> None:
        path = tf.train.latest_checkpoint(self._model_dir)
        if path and path != self._path:
            self._path = path
            self.eval_result = self._evaluate(name="intermediate_export", checkpoint_path=path)
            self.export_results = self._export(self.eval_result, checkpoint_path=path)


def _predicate(function: Any) -> Any:
    if function is None:
        return None
    if not callable(function):
        raise ValueError("`continuous_eval_predicate_fn` must be a callable, or None.")
    if "checkpoint_path" in inspect.signature(function).parameters:
        return function
    return lambda eval_results, checkpoint_path: function(eval_results)


@export("contrib.learn.Experiment")
class Experiment:
    """An Estimator with what it is trained and evaluated on."""

    def __init__(
        self, estimator: Any, train_input_fn: Any, eval_input_fn: Any, eval_metrics: Any = None, train_steps: int | None = None, eval_steps: int | None = 100,
        train_monitors: Any = None, eval_hooks: Any = None, local_eval_frequency: int | None = None, eval_delay_secs: float = 120,
        continuous_eval_throttle_secs: float = 60, min_eval_frequency: int | None = None, delay_workers_by_global_step: bool = False,
        export_strategies: Any = None, train_steps_per_iteration: int | None = None, checkpoint_and_export: bool = False, saving_listeners: Any = None,
        check_interval_secs: float = 5,
    ) -> None:  # fmt: skip
        self._core = isinstance(estimator, tf.estimator.Estimator)
        if self._core:
            if eval_metrics is not None:
                raise ValueError(
                    "`eval_metrics` must be `None` with `tf.estimator.Estimator`. Use `eval_metric_ops` in `tf.estimator.EstimatorSpec` instead."
                )
        else:
            if not isinstance(estimator, Evaluable):
                raise ValueError("`estimator` must implement `tf.contrib.learn.Evaluable` or `tf.estimator.Estimator`.")
            if not isinstance(estimator, Trainable):
                raise ValueError("`estimator` must implement `tf.contrib.learn.Trainable`or `tf.estimator.`Estimator`.")
            if saving_listeners is not None:
                raise ValueError("`saving_listeners` must be `None` with `tf.contrib.learn.Estimator`.")
        if train_steps_per_iteration is not None and not isinstance(train_steps_per_iteration, int):
            raise ValueError("`train_steps_per_iteration` must be an integer.")
        self._estimator, self._train_input_fn, self._eval_input_fn = estimator, train_input_fn, eval_input_fn
        self._eval_metrics, self._train_steps, self._eval_steps = eval_metrics, train_steps, eval_steps
        self._local_eval_frequency, self._eval_delay_secs = local_eval_frequency, eval_delay_secs
        self._throttle, self._checkpoint_and_export = continuous_eval_throttle_secs, checkpoint_and_export
        self._listeners, self._check_interval_secs = saving_listeners, check_interval_secs
        self._min_eval_frequency: int | None = 1 if min_eval_frequency is None else min_eval_frequency
        self._monitors, self._eval_hooks = list(train_monitors or []), list(eval_hooks or [])
        self._steps_per_iteration = train_steps_per_iteration
        self._strategies: tuple[Any, ...] = ()
        self.reset_export_strategies(export_strategies)

    estimator = property(lambda self: self._estimator)
    eval_metrics = property(lambda self: self._eval_metrics)
    train_steps = property(lambda self: self._train_steps)
    eval_steps = property(lambda self: self._eval_steps)

    def extend_train_hooks(self, additional_hooks: Any) -> None:
        self._monitors.extend(additional_hooks)

    def reset_export_strategies(self, new_export_strategies: Any = None) -> tuple[Any, ...]:
        """Set the strategies; the ones before."""
        given = new_export_strategies
        chosen = (given,) if isinstance(given, ExportStrategy) else tuple(given or ())
        for strategy in chosen:
            if not isinstance(strategy, ExportStrategy):
                raise ValueError(
                    f"`export_strategies` must be an ExportStrategy, an iterable of ExportStrategy, or `None`, found {strategy}."
                )
        before, self._strategies = self._strategies, chosen
        return before

    def train(self, delay_secs: float | None = None) -> Any:
        if delay_secs:
            time.sleep(delay_secs)
        return self._train(max_steps=self._train_steps, hooks=self._monitors)

    def evaluate(self, delay_secs: float | None = None, name: str | None = None) -> Any:
        delay = self._eval_delay_secs if delay_secs is None else delay_secs
        if delay:
            get_logger().info("Waiting %d secs before starting eval.", delay)
            time.sleep(delay)
        return self._evaluate(name=name or "one_pass")

    def local_run(self) -> Any:
        run = copy.copy(self)
        run._min_eval_frequency = self._local_eval_frequency
        return run.train_and_evaluate()

    def _stopped(self, result: Any) -> bool:
        step = (result or {}).get("global_step")
        return bool(step and self._train_steps and step >= self._train_steps)

    def _continuous_eval(
        self, input_fn: Any, name: str, delay_secs: float | None, throttle: float | None, once: bool = True, predicate: Any = None, export: bool = True
    ) -> None:  # fmt: skip
        check = _predicate(predicate)
        time.sleep(self._eval_delay_secs if delay_secs is None else delay_secs)
        throttle = self._throttle if throttle is None else throttle
        path = result = None
        while check is None or check(result, checkpoint_path=path):
            if self._stopped(result):
                return
            start = time.time()
            latest = tf.train.latest_checkpoint(self._estimator.model_dir)
            if not latest or (once and latest == path):
                result = {}
            else:
                result = self._evaluate(input_fn=input_fn, name=name, checkpoint_path=latest) or {}
                if export:
                    self._export(result, checkpoint_path=latest)
                path = latest
            time.sleep(max(0.0, throttle - (time.time() - start)))

    def continuous_eval(
        self, delay_secs: float | None = None, throttle_delay_secs: float | None = None, evaluate_checkpoint_only_once: bool = True,
        continuous_eval_predicate_fn: Any = None, name: str = "continuous",
    ) -> None:  # fmt: skip
        self._continuous_eval(
            self._eval_input_fn, name, delay_secs, throttle_delay_secs, evaluate_checkpoint_only_once, continuous_eval_predicate_fn
        )

    def continuous_eval_on_train_data(
        self, delay_secs: float | None = None, throttle_delay_secs: float | None = None, continuous_eval_predicate_fn: Any = None,
        name: str = "continuous_on_train_data",
    ) -> None:  # fmt: skip
        self._continuous_eval(
            self._train_input_fn, name, delay_secs, throttle_delay_secs, predicate=continuous_eval_predicate_fn, export=False
        )

    def train_and_evaluate(self) -> tuple[Any, Any]:
        """Train, evaluate each new checkpoint on the way, and evaluate and export at the end."""
        config = self._estimator.config
        monitors = list(self._monitors)
        listener = None
        if self._checkpoint_and_export and (config.save_checkpoints_secs or config.save_checkpoints_steps):
            listener = _EvaluateAndExport(self._evaluate, self._export, self._estimator.model_dir)
            monitors.append(
                CheckpointSaverHook(
                    self._estimator.model_dir, save_secs=config.save_checkpoints_secs, save_steps=config.save_checkpoints_steps, listeners=[listener]
                )
            )  # fmt: skip
        elif self._min_eval_frequency:
            monitors.append(
                ValidationMonitor(
                    input_fn=self._eval_input_fn, eval_steps=self._eval_steps, metrics=self._eval_metrics, every_n_steps=self._min_eval_frequency,
                    check_interval_secs=self._check_interval_secs, hooks=self._eval_hooks,
                )
            )  # fmt: skip
        self._train(max_steps=self._train_steps, hooks=monitors)
        if listener is not None:
            return listener.eval_result, listener.export_results
        result = self._evaluate()
        return result, self._export(result)

    def continuous_train_and_eval(self, continuous_eval_predicate_fn: Any = None) -> tuple[Any, Any]:
        """Train and evaluate by turns until the predicate says no or all steps are done."""
        check = _predicate(continuous_eval_predicate_fn)
        steps = self._steps_per_iteration or (int(self._train_steps / 10) if self._train_steps is not None else 1000)
        result = path = exported = None
        while check is None or check(result, checkpoint_path=path if result else None):
            if self._stopped(result):
                break
            self._train(steps=steps, hooks=self._monitors)
            path = tf.train.latest_checkpoint(self._estimator.model_dir)
            result = self._evaluate(name="one_pass", checkpoint_path=path)
            exported = self._export(result)
        return result, exported

    def _export(self, result: Any, checkpoint_path: Any = None) -> list[Any]:
        folder = os.path.join(os.fspath(self._estimator.model_dir), "export")
        return [
            s.export(self._estimator, os.path.join(folder, s.name), checkpoint_path=checkpoint_path, eval_result=result)
            for s in self._strategies
        ]

    def test(self) -> Any:
        """One step of training and one of evaluation."""
        self._train(steps=1, hooks=self._monitors)
        result = self._evaluate(steps=1, name="one_pass", hooks=None)
        self._export(result)
        return result

    def run_std_server(self) -> Any:
        raise NotImplementedError(
            "Experiment.run_std_server serves a cluster; tfrevive runs on one machine: use the schedule train_and_evaluate."
        )

    def _train(self, steps: int | None = None, max_steps: int | None = None, hooks: Any = None) -> Any:
        hooks = replace_monitors_with_hooks(hooks, self._estimator)
        if self._core:
            return self._estimator.train(
                input_fn=self._train_input_fn, steps=steps, max_steps=max_steps, hooks=hooks, saving_listeners=self._listeners
            )
        return self._estimator.fit(input_fn=self._train_input_fn, steps=steps, max_steps=max_steps, monitors=hooks)

    _UNSET = object()

    def _evaluate(
        self, name: str | None = None, checkpoint_path: Any = None, input_fn: Any = None, steps: Any = _UNSET, hooks: Any = _UNSET
    ) -> Any:
        given = {
            "input_fn": input_fn or self._eval_input_fn, "steps": self._eval_steps if steps is self._UNSET else steps, "name": name,
            "checkpoint_path": checkpoint_path, "hooks": self._eval_hooks if hooks is self._UNSET else hooks,
        }  # fmt: skip
        return self._estimator.evaluate(**given) if self._core else self._estimator.evaluate(metrics=self._eval_metrics, **given)


def _execute(experiment: Any, schedule: str) -> Any:
    task = getattr(experiment, schedule, None)
    if task is None:
        raise ValueError(f"Schedule references non-existent task {schedule}")
    if not callable(task):
        raise TypeError(f"Schedule references non-callable member {schedule}")
    return task()


def _checked(experiment_fn: Any, require_hparams: bool = False) -> Any:
    def make(run_config: Any, hparams: Any) -> Any:
        if not isinstance(run_config, RunConfig):
            raise ValueError("`run_config` must be `tf.contrib.learn.RunConfig` instance")
        if not run_config.model_dir:
            raise ValueError("Must specify a model directory `model_dir` in `run_config`.")
        if hparams is not None and not isinstance(hparams, tf.contrib.training.HParams):
            raise ValueError("`hparams` must be `HParams` instance")
        if require_hparams and hparams is None:
            raise ValueError("`hparams` cannot be `None`.")
        expected = run_config.uid()
        experiment = experiment_fn(run_config, hparams)
        if not isinstance(experiment, Experiment):
            raise TypeError(f"Experiment builder did not return an Experiment instance, got {type(experiment)} instead.")
        config = experiment.estimator.config
        if not hasattr(config, "uid"):
            raise RuntimeError(
                "Pass `run_config` argument of the `experiment_fn` to the Estimator in Experiment. It is likely a different `RunConfig` is passed to "
                "`Estimator` or the `config` constructor argument in `Estimator` is not set."
            )
        if config.uid() != expected:
            raise RuntimeError(
                f"`RunConfig` instance is expected to be used by the `Estimator` inside the `Experiment`. expected {expected}, but got {config.uid()}"
            )
        return experiment

    return make


def _default_schedule(config: Any) -> str:
    cluster = config.cluster_spec if config else None
    tasks = sum(len(cluster.job_tasks(job)) for job in cluster.jobs) if cluster else 0
    if tasks <= 1:
        return "train_and_evaluate"
    schedules = {TaskType.MASTER: "train_and_evaluate", TaskType.PS: "run_std_server", TaskType.WORKER: "train"}
    if config.task_type not in schedules:
        raise ValueError("Must specify a schedule" if not config.task_type else f"No default schedule for task type: {config.task_type}")
    return schedules[config.task_type]


@export("contrib.learn.learn_runner.run")
def run(experiment_fn: Any, output_dir: Any = None, schedule: str | None = None, run_config: Any = None, hparams: Any = None) -> Any:
    """Make the experiment and do what the schedule names."""
    if output_dir is not None and run_config is not None:
        raise ValueError("Cannot provide both `output_dir` and `run_config`")
    if output_dir is None and run_config is None:
        raise ValueError("Must set value for `output_dir` or `run_config`")
    if not callable(experiment_fn):
        raise TypeError(f'Experiment builder "{experiment_fn}" is not callable.')
    if run_config is not None:
        experiment = _checked(experiment_fn)(run_config=run_config, hparams=hparams)
    else:
        if hparams is not None:
            raise ValueError("Must set `hparams` as None for `experiment_fn` with `output_dir`.")
        experiment = experiment_fn(output_dir=output_dir)
        if not isinstance(experiment, Experiment):
            raise TypeError(f"Experiment builder did not return an Experiment instance, got {type(experiment)} instead.")
    return _execute(experiment, schedule or _default_schedule(run_config or experiment.estimator.config))


@export("contrib.learn.learn_runner.tune")
def tune(experiment_fn: Any, tuner: Any) -> None:
    while tuner.next_trial():
        tuner.run_experiment(_checked(experiment_fn, require_hparams=True))
