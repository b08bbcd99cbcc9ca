"""tf.contrib.learn.utils: signatures and folders of exported models, and strategies for exporting."""

from __future__ import annotations

import math
import os
import shutil
import time
from collections import namedtuple
from collections.abc import Callable
from typing import Any

from runtime.tf1.contrib.feature_columns import create_feature_spec_for_parsing
from runtime.tf1.contrib.learn.experiment import ExportStrategy
from runtime.tf1.contrib.learn.model_fn import MetricKey, PredictionKey, ProblemType
from runtime.tf1.modules import module
from runtime.tf1.registry import export, put

tf: Any = module("")
_UTILS = "contrib.learn.utils."
_EXPORT = f"{_UTILS}saved_model_export_utils."

DEFAULT_INPUT = "default_input_alternative"
DEFAULT_OUTPUT = "default_output_alternative"
put(f"{_EXPORT}DEFAULT_INPUT_ALTERNATIVE_KEY", DEFAULT_INPUT)
put(f"{_EXPORT}FEATURES_INPUT_ALTERNATIVE_KEY", "features_input_alternative")


@export("contrib.learn.InputFnOps")
class InputFnOps(namedtuple("InputFnOps", ["features", "labels", "default_inputs"])):
    """What a function gives that makes the inputs of a served model."""

    __slots__ = ()


@export("contrib.learn.build_parsing_serving_input_fn")
def build_parsing_serving_input_fn(feature_spec: Any, default_batch_size: int | None = None) -> Callable[[], InputFnOps]:
    """A function of a placeholder of serialized tf.Examples and the features parsed from it."""

    def input_fn() -> InputFnOps:
        serialized = tf.placeholder(dtype="string", shape=[default_batch_size], name="input_example_tensor")
        return InputFnOps(tf.parse_example(serialized, feature_spec), None, {"examples": serialized})

    return input_fn


@export(f"{_UTILS}build_default_serving_input_fn")
def build_default_serving_input_fn(features: Any, default_batch_size: int | None = None) -> Callable[[], InputFnOps]:
    def input_fn() -> InputFnOps:
        made = {
            name: tf.placeholder(dtype=t.dtype, shape=[default_batch_size, *t.get_shape().as_list()[1:]], name=t.op.name)
            for name, t in features.items()
        }
        return InputFnOps(made, None, made)

    return input_fn


# -- signatures ------------------------------------------------------------------------------------------------------------


@export(f"{_EXPORT}build_standardized_signature_def")
def build_standardized_signature_def(input_tensors: dict[str, Any], output_tensors: dict[str, Any], problem_type: int) -> Any:
    """The signature that fits the kind of problem."""
    if not input_tensors:
        raise ValueError("input_tensors must be provided.")
    if not output_tensors:
        raise ValueError("output_tensors must be provided.")
    saved_model = tf.saved_model
    lone = next(iter(input_tensors.values())) if len(input_tensors) == 1 else None
    scores = output_tensors.get(PredictionKey.SCORES)
    scores = output_tensors.get(PredictionKey.PROBABILITIES) if scores is None else scores
    classes = output_tensors.get(PredictionKey.CLASSES)
    if classes is not None and classes.dtype is not tf.string:
        classes = None
    classifies = problem_type in (ProblemType.CLASSIFICATION, ProblemType.LOGISTIC_REGRESSION)
    if classifies and lone is not None and (classes is not None or scores is not None or len(output_tensors) == 1):
        if classes is None and scores is None:
            only = next(iter(output_tensors.values()))
            classes, scores = (only, None) if only.dtype is tf.string else (None, only)
        return saved_model.signature_def_utils.classification_signature_def(lone, classes, scores)
    if problem_type == ProblemType.LINEAR_REGRESSION and lone is not None and len(output_tensors) == 1:
        return saved_model.signature_def_utils.regression_signature_def(lone, next(iter(output_tensors.values())))
    return saved_model.signature_def_utils.predict_signature_def(input_tensors, output_tensors)


@export(f"{_EXPORT}get_input_alternatives")
def get_input_alternatives(input_ops: Any) -> tuple[dict[str, Any], Any]:
    alternatives = {}
    if isinstance(input_ops, InputFnOps):
        features, _, defaults = input_ops
        alternatives[DEFAULT_INPUT] = defaults
    else:
        features, _ = input_ops
    if not features:
        raise ValueError("Features must be defined.")
    return alternatives, features


@export(f"{_EXPORT}get_output_alternatives")
def get_output_alternatives(model_fn_ops: Any, default_output_alternative_key: str | None = None) -> tuple[dict[Any, Any], Any]:
    """(outputs by name, the name of the default one)."""
    alternatives, key = model_fn_ops.output_alternatives, default_output_alternative_key
    if not alternatives:
        if key:
            raise ValueError(f"Requested default_output_alternative: {key}, but available output_alternatives are: []")
        outputs = model_fn_ops.predictions
        outputs = outputs if isinstance(outputs, dict) else {PredictionKey.GENERIC: outputs}
        return {DEFAULT_OUTPUT: (ProblemType.UNSPECIFIED, outputs)}, DEFAULT_OUTPUT
    if key:
        if key in alternatives:
            return alternatives, key
        raise ValueError(f"Requested default_output_alternative: {key}, but available output_alternatives are: {sorted(alternatives)}")
    if len(alternatives) == 1:
        return alternatives, next(iter(alternatives))
    raise ValueError(f"Please specify a default_output_alternative.  Available output_alternatives are: {sorted(alternatives)}")


@export(f"{_EXPORT}build_all_signature_defs")
def build_all_signature_defs(
    input_alternatives: Any, output_alternatives: Any, actual_default_output_alternative_key: Any
) -> dict[str, Any]:
    made = {
        f"{given}:{key or 'None'}": build_standardized_signature_def(inputs, outputs, problem)
        for given, inputs in input_alternatives.items()
        for key, (problem, outputs) in output_alternatives.items()
    }
    defaults = input_alternatives.get(DEFAULT_INPUT)
    if not defaults:
        raise ValueError("A default input_alternative must be provided.")
    problem, outputs = output_alternatives[actual_default_output_alternative_key]
    made["serving_default"] = build_standardized_signature_def(defaults, outputs, problem)
    return made


# -- folders ---------------------------------------------------------------------------------------------------------------


@export(f"{_EXPORT}get_timestamped_export_dir")
def get_timestamped_export_dir(export_dir_base: Any) -> bytes:
    """A new folder named by the seconds since 1970."""
    parent = os.fsdecode(export_dir_base)
    for _ in range(10):
        folder = os.path.join(parent, str(int(time.time())))
        if not os.path.exists(folder):
            return folder.encode()
        time.sleep(1)
    raise RuntimeError("Failed to obtain a unique export directory name after 10 attempts.")


@export(f"{_EXPORT}get_temp_export_dir")
def get_temp_export_dir(timestamped_export_dir: Any) -> bytes:
    parent, name = os.path.split(os.fsdecode(timestamped_export_dir))
    return os.path.join(parent, f"temp-{name}").encode()


Path = namedtuple("Path", ["path", "export_version"])
put(f"{_UTILS}gc.Path", Path)
_Filter = Callable[[list[Path]], list[Path]]


@export(f"{_UTILS}gc.get_paths")
def get_paths(base_dir: Any, parser: Any) -> list[Path]:
    folder = os.fsdecode(base_dir)
    found = [parser(Path(os.path.join(folder, name), None)) for name in os.listdir(folder)]
    return sorted(p for p in found if p)


@export(f"{_UTILS}gc.largest_export_versions")
def largest_export_versions(n: int) -> _Filter:
    return lambda paths: sorted(
        sorted((p for p in paths if p.export_version is not None), key=lambda p: p.export_version)[-n:] if n else []
    )


@export(f"{_UTILS}gc.one_of_every_n_export_versions")
def one_of_every_n_export_versions(n: int) -> _Filter:
    def keep(paths: list[Path]) -> list[Path]:
        kept: dict[int, Path] = {}
        for path in paths:
            if path.export_version is not None:
                interval = math.floor((path.export_version - 1) / n) if path.export_version else 0
                if interval not in kept or kept[interval].export_version < path.export_version:
                    kept[interval] = path
        return sorted(kept.values())

    return keep


@export(f"{_UTILS}gc.mod_export_version")
def mod_export_version(n: int) -> _Filter:
    return lambda paths: sorted(p for p in paths if p.export_version % n == 0)


@export(f"{_UTILS}gc.union")
def union(lf: _Filter, rf: _Filter) -> _Filter:
    return lambda paths: sorted({*lf(paths), *rf(paths)})


@export(f"{_UTILS}gc.negation")
def negation(f: _Filter) -> _Filter:
    return lambda paths: sorted(set(paths) - set(f(paths)))


def _version(path: Path) -> Path | None:
    name = os.path.basename(path.path)
    return path._replace(export_version=int(name)) if len(name) == 10 and name.isdigit() else None


@export(f"{_EXPORT}get_most_recent_export")
def get_most_recent_export(export_dir_base: Any) -> Path | None:
    return next(iter(largest_export_versions(1)(get_paths(export_dir_base, _version))), None)


@export(f"{_EXPORT}garbage_collect_exports")
def garbage_collect_exports(export_dir_base: Any, exports_to_keep: int | None) -> None:
    """Remove all but the newest exports."""
    if exports_to_keep is not None:
        for path in negation(largest_export_versions(exports_to_keep))(get_paths(export_dir_base, _version)):
            shutil.rmtree(path.path, ignore_errors=True)


# -- strategies ------------------------------------------------------------------------------------------------------------


@export("contrib.learn.make_export_strategy", f"{_EXPORT}make_export_strategy")
def make_export_strategy(
    serving_input_fn: Any, default_output_alternative_key: str | None = None, assets_extra: Any = None, as_text: bool = False,
    exports_to_keep: int | None = 5, strip_default_attrs: Any = None,
) -> ExportStrategy:  # fmt: skip
    """Export as a SavedModel and keep the newest ones."""

    def export_fn(estimator: Any, export_dir_base: Any, checkpoint_path: Any = None, strip_default_attrs: bool = False) -> Any:
        kwargs: dict[str, Any] = {}
        if not isinstance(estimator, tf.estimator.Estimator):
            kwargs["default_output_alternative_key"] = default_output_alternative_key
        elif default_output_alternative_key is not None:
            raise ValueError(f"default_output_alternative_key is not supported in core Estimator. Given: {default_output_alternative_key}")
        result = estimator.export_savedmodel(
            export_dir_base, serving_input_fn, assets_extra=assets_extra, as_text=as_text, checkpoint_path=checkpoint_path, **kwargs
        )
        garbage_collect_exports(export_dir_base, exports_to_keep)
        return result

    return ExportStrategy("Servo", export_fn, strip_default_attrs)


@export(f"{_EXPORT}make_parsing_export_strategy")
def make_parsing_export_strategy(
    feature_columns: Any, default_output_alternative_key: str | None = None, assets_extra: Any = None, as_text: bool = False,
    exports_to_keep: int | None = 5, target_core: bool = False, strip_default_attrs: Any = None,
) -> ExportStrategy:  # fmt: skip
    spec = create_feature_spec_for_parsing(feature_columns)
    make = tf.estimator.export.build_parsing_serving_input_receiver_fn if target_core else build_parsing_serving_input_fn
    return make_export_strategy(make(spec), default_output_alternative_key, assets_extra, as_text, exports_to_keep, strip_default_attrs)


def _less_loss(best: Any, candidate: Any) -> bool:
    for result in (best, candidate):
        if not result or MetricKey.LOSS not in result:
            raise ValueError("An evaluation result cannot be empty or without loss, to be compared with another.")
    return bool(best[MetricKey.LOSS] > candidate[MetricKey.LOSS])


@export(f"{_EXPORT}BestModelSelector")
class BestModelSelector:
    """Remembers the best evaluation."""

    def __init__(self, event_file_pattern: Any = None, compare_fn: Any = None) -> None:
        self._compare = compare_fn or _less_loss
        self._best: Any = None
        for path in tf.gfile.Glob(event_file_pattern) if event_file_pattern else ():
            for event in tf.train.summary_iterator(path):
                values = (
                    {v.tag: v.simple_value for v in event.summary.value if v.HasField("simple_value")}
                    if event.HasField("summary")
                    else None
                )
                if values and (self._best is None or self._compare(self._best, values)):
                    self._best = values

    def update(self, checkpoint_path: Any, eval_result: Any) -> tuple[Any, Any]:
        """The two when they are the best so far, else ("", None)."""
        if not checkpoint_path:
            raise ValueError("Checkpoint path is empty.")
        if eval_result is None:
            raise ValueError(f"{checkpoint_path} has empty evaluation results.")
        if self._best is None or self._compare(self._best, eval_result):
            self._best = eval_result
            return checkpoint_path, eval_result
        return "", None


@export(f"{_EXPORT}make_best_model_export_strategy")
def make_best_model_export_strategy(
    serving_input_fn: Any, exports_to_keep: int | None = 1, model_dir: Any = None, event_file_pattern: Any = None, compare_fn: Any = None,
    default_output_alternative_key: str | None = None, strip_default_attrs: Any = None,
) -> ExportStrategy:  # fmt: skip
    inner = make_export_strategy(
        serving_input_fn, exports_to_keep=exports_to_keep, default_output_alternative_key=default_output_alternative_key,
        strip_default_attrs=strip_default_attrs,
    )  # fmt: skip
    selector = BestModelSelector(os.path.join(model_dir, event_file_pattern) if model_dir and event_file_pattern else None, compare_fn)

    def export_fn(estimator: Any, export_dir_base: Any, checkpoint_path: Any, eval_result: Any = None) -> Any:
        path, result = selector.update(checkpoint_path or tf.train.latest_checkpoint(estimator.model_dir), eval_result)
        if not path or result is None:
            return ""
        return inner.export(estimator, os.path.join(export_dir_base, os.path.basename(path)), path, result)

    return ExportStrategy("best_model", export_fn)


@export(f"{_EXPORT}extend_export_strategy")
def extend_export_strategy(base_export_strategy: Any, post_export_fn: Any, post_export_name: str | None = None) -> ExportStrategy:
    """A strategy that works on what another has exported."""

    def export_fn(estimator: Any, export_dir_base: Any, checkpoint_path: Any = None) -> Any:
        parent, stamp = os.fsdecode(export_dir_base), int(time.time())
        first, second = os.path.join(parent, f"temp-base-export-{stamp}"), os.path.join(parent, f"temp-post-export-{stamp}")
        os.makedirs(first)
        exported = base_export_strategy.export(estimator, first, checkpoint_path)
        os.makedirs(second)
        worked = os.fsdecode(post_export_fn(exported, second))
        if not worked.startswith(second):
            raise ValueError(f"post_export_fn must return a sub-directory of {second}")
        final = os.path.join(parent, os.path.relpath(worked, second))
        os.rename(worked, final)
        shutil.rmtree(first)
        shutil.rmtree(second, ignore_errors=True)
        return final

    return ExportStrategy(post_export_name or base_export_strategy.name, export_fn)
