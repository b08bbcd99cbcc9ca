"""Hooks that end training early: tf.estimator.experimental and tf.contrib.estimator."""

from __future__ import annotations

import glob
import operator
import os
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any

from graphtools.dtypes import bool_
from runtime.tf1.estimator.estimator import Estimator
from runtime.tf1.graph import GraphKeys
from runtime.tf1.modules import lookup
from runtime.tf1.registry import export
from runtime.tf1.system import get_logger
from runtime.tf1.train.session_run_hook import SecondOrStepTimer, SessionRunHook
from runtime.tf1.train.training_util import get_global_step
from runtime.tf1.variable_scope import get_variable, variable_scope

_log = get_logger()


class _StopOnPredicateHook(SessionRunHook):
    """Stops when a function says so."""

    def __init__(self, should_stop_fn: Any, run_every_secs: Any = 60, run_every_steps: Any = None) -> None:
        if not callable(should_stop_fn):
            raise TypeError("`should_stop_fn` must be callable.")
        self._should_stop = should_stop_fn
        self._timer = SecondOrStepTimer(every_secs=run_every_secs, every_steps=run_every_steps)

    def begin(self) -> None:
        self._step = get_global_step()
        with variable_scope("signal_early_stopping", reuse=lookup("AUTO_REUSE")):
            stop = get_variable(
                "STOP", shape=[], dtype=bool_, initializer=lookup("constant_initializer")(False), collections=[GraphKeys.GLOBAL_VARIABLES],
                trainable=False,
            )  # fmt: skip
        self._stop = lookup("assign")(stop, True)

    def before_run(self, run_context: Any) -> Any:
        return lookup("train.SessionRunArgs")(self._step)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        step = run_values.results
        if self._timer.should_trigger_for_step(step):
            self._timer.update_last_triggered_step(step)
            if self._should_stop():
                _log.info("Requesting early stopping at global step %d", step)
                run_context.session.run(self._stop)
                run_context.request_stop()


@export("estimator.experimental.make_early_stopping_hook", "contrib.estimator.make_early_stopping_hook")
def make_early_stopping_hook(estimator: Any, should_stop_fn: Any, run_every_secs: Any = 60, run_every_steps: Any = None) -> Any:
    if not isinstance(estimator, Estimator):
        raise TypeError(f"`estimator` must have type `tf.estimator.Estimator`. Got: {type(estimator)}")
    if run_every_secs is not None and run_every_steps is not None:
        raise ValueError("Only one of `run_every_secs` and `run_every_steps` must be set.")
    return _StopOnPredicateHook(should_stop_fn, run_every_secs, run_every_steps)


@export("contrib.estimator.read_eval_metrics", "contrib.estimator.python.estimator.early_stopping.read_eval_metrics")
def read_eval_metrics(eval_dir: str) -> OrderedDict[int, dict[str, float]]:
    """The metrics in a folder of event files, by step."""
    found: dict[int, dict[str, float]] = defaultdict(dict)
    for path in sorted(glob.glob(os.path.join(eval_dir, "events.out.tfevents.*"))):
        for event in lookup("train.summary_iterator")(path):
            metrics = {v.tag: v.simple_value for v in event.summary.value if v.WhichOneof("value") == "simple_value"}
            if metrics:
                found[event.step].update(metrics)
    return OrderedDict(sorted(found.items()))


def _threshold(better: Callable[[Any, Any], bool], words: str) -> Any:
    def hook(
        estimator: Any, metric_name: str, threshold: float, eval_dir: Any = None, min_steps: int = 0, run_every_secs: Any = 60,
        run_every_steps: Any = None,
    ) -> Any:  # fmt: skip
        folder = estimator.eval_dir() if eval_dir is None else eval_dir

        def crossed() -> bool:
            for step, metrics in read_eval_metrics(folder).items():
                if step >= min_steps and better(metrics[metric_name], threshold):
                    _log.info(
                        'At step %s, metric "%s" has value %s which is %s the configured threshold (%s) for early stopping.',
                        step, metric_name, metrics[metric_name], words, threshold,
                    )  # fmt: skip
                    return True
            return False

        return make_early_stopping_hook(estimator, crossed, run_every_secs, run_every_steps)

    return hook


def _no_better(
    better: Callable[[Any, Any], bool], word: str, estimator: Any, metric_name: str, patience: int, eval_dir: Any, min_steps: int
) -> Any:
    folder = estimator.eval_dir() if eval_dir is None else eval_dir

    def stopped() -> bool:
        best: Any = None
        best_step = 0
        for step, metrics in read_eval_metrics(folder).items():
            if step < min_steps:
                continue
            if best is None or better(metrics[metric_name], best):
                best, best_step = metrics[metric_name], step
            if step - best_step >= patience:
                _log.info(
                    'No %s in metric "%s" for %s steps, which is greater than or equal to max steps (%s) configured for early stopping.',
                    word, metric_name, step - best_step, patience,
                )  # fmt: skip
                return True
        return False

    return stopped


export("estimator.experimental.stop_if_higher_hook", "contrib.estimator.stop_if_higher_hook")(_threshold(operator.gt, "greater than"))
export("estimator.experimental.stop_if_lower_hook", "contrib.estimator.stop_if_lower_hook")(_threshold(operator.lt, "less than"))


@export("estimator.experimental.stop_if_no_increase_hook", "contrib.estimator.stop_if_no_increase_hook")
def stop_if_no_increase_hook(
    estimator: Any, metric_name: str, max_steps_without_increase: int, eval_dir: Any = None, min_steps: int = 0, run_every_secs: Any = 60,
    run_every_steps: Any = None,
) -> Any:  # fmt: skip
    stopped = _no_better(operator.gt, "increase", estimator, metric_name, max_steps_without_increase, eval_dir, min_steps)
    return make_early_stopping_hook(estimator, stopped, run_every_secs, run_every_steps)


@export("estimator.experimental.stop_if_no_decrease_hook", "contrib.estimator.stop_if_no_decrease_hook")
def stop_if_no_decrease_hook(
    estimator: Any, metric_name: str, max_steps_without_decrease: int, eval_dir: Any = None, min_steps: int = 0, run_every_secs: Any = 60,
    run_every_steps: Any = None,
) -> Any:  # fmt: skip
    stopped = _no_better(operator.lt, "decrease", estimator, metric_name, max_steps_without_decrease, eval_dir, min_steps)
    return make_early_stopping_hook(estimator, stopped, run_every_secs, run_every_steps)


@export("estimator.experimental.make_stop_at_checkpoint_step_hook", "contrib.estimator.make_stop_at_checkpoint_step_hook")
def make_stop_at_checkpoint_step_hook(estimator: Any, last_step: int, wait_after_file_check_secs: int = 30) -> Any:
    return lookup("train.StopAtStepHook")(last_step=last_step)


@export("estimator.experimental.InMemoryEvaluatorHook", "contrib.estimator.InMemoryEvaluatorHook")
class InMemoryEvaluatorHook(SessionRunHook):
    """Evaluates while training goes on, with the variables as they are in memory."""

    def __init__(
        self, estimator: Any, input_fn: Any, steps: Any = None, hooks: Any = None, name: str | None = None, every_n_iter: int = 100
    ) -> None:
        if every_n_iter is None or every_n_iter <= 0:
            raise ValueError(f"invalid every_n_iter={every_n_iter}.")
        self._estimator, self._input_fn, self._steps, self._hooks, self._name = estimator, input_fn, steps, list(hooks or ()), name
        self._timer = SecondOrStepTimer(every_steps=every_n_iter)

    def begin(self) -> None:
        self._timer.reset()
        self._done = 0

    def after_create_session(self, session: Any, coord: Any) -> None:
        self._variables = {v.op.name: v for v in lookup("global_variables")()}
        self._evaluate(session)

    def _evaluate(self, session: Any) -> None:
        self._estimator.evaluate_with(session.run(self._variables), self._input_fn, self._steps, self._hooks, self._name)
        self._timer.update_last_triggered_step(self._done)

    def after_run(self, run_context: Any, run_values: Any) -> None:
        self._done += 1
        if self._timer.should_trigger_for_step(self._done):
            self._evaluate(run_context.session)

    def end(self, session: Any) -> None:
        self._evaluate(session)
