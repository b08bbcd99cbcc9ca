"""tf.estimator.train_and_evaluate: training with evaluations between."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

from runtime.tf1.estimator.estimator import Estimator
from runtime.tf1.modules import lookup
from runtime.tf1.registry import export


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
        self, name: str, serving_input_receiver_fn: Any, assets_extra: Any = None, as_text: bool = False, exports_to_keep: int | None = 5
    ) -> None:
        self._name, self._receiver, self._assets, self._as_text = name, serving_input_receiver_fn, assets_extra, as_text

    @property
    def name(self) -> str:
        return self._name

    def _export(self, estimator: Any, export_path: Any, checkpoint_path: Any) -> Any:
        return estimator.export_saved_model(
            export_path, self._receiver, assets_extra=self._assets, as_text=self._as_text, checkpoint_path=checkpoint_path
        )


@export("estimator.FinalExporter")
class FinalExporter(_SavedModelExporter):
    """Exports once, after the last evaluation."""

    def export(self, estimator: Any, export_path: Any, checkpoint_path: Any, eval_result: Any, is_the_final_export: bool) -> Any:
        return self._export(estimator, export_path, checkpoint_path) if is_the_final_export else None


@export("estimator.LatestExporter")
class LatestExporter(_SavedModelExporter):
    """Exports after every evaluation."""

    def __init__(
        self, name: str, serving_input_receiver_fn: Any, assets_extra: Any = None, as_text: bool = False, exports_to_keep: int | None = 5
    ) -> None:
        super().__init__(name, serving_input_receiver_fn, assets_extra, as_text, exports_to_keep)

    def export(self, estimator: Any, export_path: Any, checkpoint_path: Any, eval_result: Any, is_the_final_export: bool) -> Any:
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
