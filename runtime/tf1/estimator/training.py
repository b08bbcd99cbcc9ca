"""tf.estimator.train_and_evaluate: training with evaluations between."""

from __future__ import annotations

import glob
import inspect
import os
import shutil
from collections import namedtuple
from typing import Any

from runtime.tf1.estimator.estimator import Estimator
from runtime.tf1.modules import lookup
from runtime.tf1.registry import export
from runtime.tf1.system import get_logger


def _check_input(input_fn: Any) -> None:
    if not callable(input_fn):
        raise TypeError(f"`input_fn` must be callable, given: {input_fn}")


@export("estimator.TrainSpec")
class TrainSpec(namedtuple("TrainSpec", ["input_fn", "max_steps", "hooks"])):
    """What to train on, and up to which step."""

    __slots__ = ()

    def __new__(cls, input_fn: Any, max_steps: int | None = None, hooks: Any = None) -> TrainSpec:
        _check_input(input_fn)
        if max_steps is not None and max_steps <= 0:
            raise ValueError(f"Must specify max_steps > 0, given: {max_steps}")
        return super().__new__(cls, input_fn, max_steps, tuple(hooks or ()))


@export("estimator.EvalSpec")
class EvalSpec(namedtuple("EvalSpec", ["input_fn", "steps", "name", "hooks", "exporters", "start_delay_secs", "throttle_secs"])):
    """What to evaluate on, and how often."""

    __slots__ = ()

    def __new__(
        cls, input_fn: Any, steps: int | None = 100, name: str | None = None, hooks: Any = None, exporters: Any = None, start_delay_secs: int = 120,
        throttle_secs: int = 600,
    ) -> EvalSpec:  # fmt: skip
        _check_input(input_fn)
        if steps is not None and steps <= 0:
            raise ValueError(f"Must specify steps > 0, given: {steps}")
        exporters = tuple(exporters) if isinstance(exporters, list | tuple) else (exporters,) if exporters is not None else ()
        return super().__new__(cls, input_fn, steps, name, tuple(hooks or ()), exporters, start_delay_secs, throttle_secs)


@export("estimator.Exporter")
class Exporter:
    """Exports a model after an evaluation."""

    @property
    def name(self) -> str:
        raise NotImplementedError

    def export(self, estimator: Any, export_path: Any, checkpoint_path: Any, eval_result: Any, is_the_final_export: bool) -> Any:
        raise NotImplementedError


class _SavedModelExporter(Exporter):
    def __init__(
        self, name: str, serving_input_receiver_fn: Any, assets_extra: Any = None, as_text: bool = False, exports_to_keep: int | None = None
    ) -> None:
        if exports_to_keep is not None and exports_to_keep <= 0:
            raise ValueError(f"`exports_to_keep`, if provided, must be positive number. Got {exports_to_keep}")
        self._name, self._receiver, self._assets, self._as_text = name, serving_input_receiver_fn, assets_extra, as_text
        self._exports_to_keep = exports_to_keep

    @property
    def name(self) -> str:
        return self._name

    def _export(self, estimator: Any, export_path: Any, checkpoint_path: Any) -> Any:
        made = estimator.export_saved_model(
            export_path, self._receiver, assets_extra=self._assets, as_text=self._as_text, checkpoint_path=checkpoint_path
        )
        if self._exports_to_keep is not None:
            parent = os.fsdecode(export_path)
            versions = sorted(n for n in os.listdir(parent) if len(n) == 10 and n.isdigit())
            for old in versions[: -self._exports_to_keep]:
                shutil.rmtree(os.path.join(parent, old), ignore_errors=True)
        return made


@export("estimator.FinalExporter")
class FinalExporter(_SavedModelExporter):
    """Exports once, after the last evaluation."""

    def __init__(self, name: str, serving_input_receiver_fn: Any, assets_extra: Any = None, as_text: bool = False) -> None:
        super().__init__(name, serving_input_receiver_fn, assets_extra, as_text)

    def export(self, estimator: Any, export_path: Any, checkpoint_path: Any, eval_result: Any, is_the_final_export: bool) -> Any:
        if not is_the_final_export:
            return None
        get_logger().info("Performing the final export in the end of training.")
        return self._export(estimator, export_path, checkpoint_path)


@export("estimator.LatestExporter")
class LatestExporter(_SavedModelExporter):
    """Exports after every evaluation."""

    def __init__(
        self, name: str, serving_input_receiver_fn: Any, assets_extra: Any = None, as_text: bool = False, exports_to_keep: int | None = 5
    ) -> None:
        super().__init__(name, serving_input_receiver_fn, assets_extra, as_text, exports_to_keep)

    def export(self, estimator: Any, export_path: Any, checkpoint_path: Any, eval_result: Any, is_the_final_export: bool) -> Any:
        return self._export(estimator, export_path, checkpoint_path)


def _loss_smaller(best_eval_result: Any, current_eval_result: Any) -> bool:
    for name, result in (("best_eval_result", best_eval_result), ("current_eval_result", current_eval_result)):
        if not result or "loss" not in result:
            raise ValueError(f"{name} cannot be empty or no loss is found in it.")
    return bool(best_eval_result["loss"] > current_eval_result["loss"])


@export("estimator.BestExporter")
class BestExporter(_SavedModelExporter):
    """Exports when an evaluation is better than all before."""

    def __init__(
        self, name: str = "best_exporter", serving_input_receiver_fn: Any = None, event_file_pattern: str | None = "eval/*.tfevents.*",
        compare_fn: Any = _loss_smaller, assets_extra: Any = None, as_text: bool = False, exports_to_keep: int | None = 5,
    ) -> None:  # fmt: skip
        if compare_fn is None:
            raise ValueError("`compare_fn` must not be None.")
        names = set(inspect.signature(compare_fn).parameters)
        for needed in ("best_eval_result", "current_eval_result"):
            if needed not in names:
                raise ValueError(f"compare_fn ({compare_fn}) must include {needed} argument.")
        if unknown := names - {"best_eval_result", "current_eval_result"}:
            raise ValueError(f"compare_fn ({compare_fn}) has following not expected args: {sorted(unknown)}")
        super().__init__(name, serving_input_receiver_fn, assets_extra, as_text, exports_to_keep)
        self._compare, self._pattern = compare_fn, event_file_pattern
        self._model_dir: str | None = None
        self._best: Any = None

    def _written(self) -> Any:
        """The best of the evaluations that are in event files."""
        best = None
        for path in sorted(glob.glob(os.path.join(self._model_dir or "", self._pattern or ""))):
            for event in lookup("train.summary_iterator")(path):
                found = {v.tag: v.simple_value for v in event.summary.value if v.WhichOneof("value") == "simple_value"}
                if found and (best is None or self._compare(best, found)):
                    best = found
        return best

    def export(self, estimator: Any, export_path: Any, checkpoint_path: Any, eval_result: Any, is_the_final_export: bool) -> Any:
        if self._model_dir != estimator.model_dir and self._pattern:
            get_logger().info("Loading best metric from event files.")
            self._model_dir = estimator.model_dir
            self._best = self._written()
        if self._best is not None and not self._compare(best_eval_result=self._best, current_eval_result=eval_result):
            return None
        get_logger().info("Performing best model export.")
        self._best = eval_result
        return self._export(estimator, export_path, checkpoint_path)


@export("estimator.train_and_evaluate")
def train_and_evaluate(estimator: Any, train_spec: Any, eval_spec: Any) -> tuple[Any, list[Any]]:
    """Train up to the spec's max_steps; evaluate what is saved on the way (each `throttle_secs`) and at the end."""
    if not isinstance(estimator, Estimator):
        raise TypeError(f"`estimator` must have type `tf.estimator.Estimator`, given {type(estimator)}")
    if not isinstance(train_spec, TrainSpec):
        raise TypeError(f"`train_spec` must have type `tf.estimator.TrainSpec`, given {type(train_spec)}")
    if not isinstance(eval_spec, EvalSpec):
        raise TypeError(f"`eval_spec` must have type `tf.estimator.EvalSpec`, given {type(eval_spec)}")
    results: list[Any] = []
    timer = lookup("train.SecondOrStepTimer")(every_secs=eval_spec.throttle_secs)
    timer.update_last_triggered_step(0)

    def evaluate(final: bool) -> None:
        found = estimator.evaluate(eval_spec.input_fn, steps=eval_spec.steps, hooks=eval_spec.hooks, name=eval_spec.name)
        results[:] = [found, []]
        for exporter in eval_spec.exporters:
            path = f"{estimator.model_dir}/export/{exporter.name}"
            results[1].append(exporter.export(estimator, path, estimator.latest_checkpoint(), found, final))

    class Evaluate(lookup("train.CheckpointSaverListener")):  # type: ignore[misc]
        """Evaluates a checkpoint when the last evaluation was long enough ago."""

        saved = False

        def begin(self) -> None:
            self.saved = False

        def after_save(self, session: Any, global_step_value: Any) -> None:
            if not self.saved:  # the one that training starts from
                self.saved = True
                return
            if timer.should_trigger_for_step(global_step_value) and (
                train_spec.max_steps is None or global_step_value < train_spec.max_steps
            ):
                evaluate(False)
                timer.update_last_triggered_step(global_step_value)

        def end(self, session: Any, global_step_value: Any) -> None:
            evaluate(True)

    estimator.train(train_spec.input_fn, hooks=train_spec.hooks, max_steps=train_spec.max_steps, saving_listeners=[Evaluate()])
    return (results[0], results[1]) if results else ({}, [])
