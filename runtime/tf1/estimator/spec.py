"""What a model function gives back, and how an Estimator is configured."""

from __future__ import annotations

import os
from collections import namedtuple
from typing import Any

from graphtools import graph as base
from graphtools.formats import schema
from runtime.tf1.graph import convert_to_tensor, get_default_graph
from runtime.tf1.registry import export, put
from runtime.tf1.tensor_shape import TensorShape


@export("estimator.ModeKeys")
class ModeKeys:
    """What a model function is called for."""

    TRAIN = "train"
    EVAL = "eval"
    PREDICT = "infer"


_MODES = (ModeKeys.TRAIN, ModeKeys.EVAL, ModeKeys.PREDICT)

_SpecFields = namedtuple(
    "_SpecFields",
    "mode predictions loss train_op eval_metric_ops export_outputs training_chief_hooks training_hooks scaffold evaluation_hooks prediction_hooks",
)


@export("estimator.EstimatorSpec")
class EstimatorSpec(_SpecFields):
    """The ops of a model: what its mode needs of loss, train_op, predictions and metrics."""

    __slots__ = ()

    def __new__(
        cls,
        mode: str,
        predictions: Any = None,
        loss: Any = None,
        train_op: Any = None,
        eval_metric_ops: Any = None,
        export_outputs: Any = None,
        training_chief_hooks: Any = None,
        training_hooks: Any = None,
        scaffold: Any = None,
        evaluation_hooks: Any = None,
        prediction_hooks: Any = None,
    ) -> EstimatorSpec:
        from runtime.tf1.modules import lookup

        if mode not in _MODES:
            raise ValueError(f"mode must be one of {_MODES}, not {mode!r}.")
        if train_op is None and mode == ModeKeys.TRAIN:
            raise ValueError("Missing train_op.")
        if loss is None and mode in (ModeKeys.TRAIN, ModeKeys.EVAL):
            raise ValueError("Missing loss.")
        if predictions is None and mode == ModeKeys.PREDICT:
            raise ValueError("Missing predictions.")
        return super().__new__(
            cls,
            mode,
            {} if predictions is None else predictions,
            None if loss is None else _scalar(loss),
            train_op,
            _checked_metrics(eval_metric_ops),
            export_outputs,
            tuple(training_chief_hooks or ()),
            tuple(training_hooks or ()),
            scaffold or lookup("train.Scaffold")(),
            tuple(evaluation_hooks or ()),
            tuple(prediction_hooks or ()),
        )


def _scalar(loss: Any) -> Any:
    loss = convert_to_tensor(loss)
    if loss.node.graph is not get_default_graph():
        raise ValueError("The loss must be made in the graph that the model function is called in.")
    if loss.get_shape().num_elements() not in (None, 1):
        raise ValueError(f"Loss must be scalar, given: {loss}")
    if loss.get_shape().is_compatible_with(TensorShape([])):
        return loss
    from runtime.tf1.array_ops import reshape

    return reshape(loss, [])


def _checked_metrics(metrics: Any) -> dict[str, Any]:
    if metrics is None:
        return {}
    if not isinstance(metrics, dict):
        raise TypeError(f"eval_metric_ops must be a dict, given: {metrics}")
    for name, value in metrics.items():
        if not hasattr(value, "update_state") and (not isinstance(value, tuple) or len(value) != 2):
            raise TypeError(f"Values of eval_metric_ops must be (metric_value, update_op) tuples, given: {value} for key: {name}")
    return dict(metrics)


@export("estimator.RunConfig")
class RunConfig:
    """Where and how often an Estimator saves, and how its sessions are made."""

    # Parameter -> its default. Those about clusters and distribution are kept, not used.
    DEFAULTS: dict[str, Any] = {
        "model_dir": None, "tf_random_seed": None, "save_summary_steps": 100, "save_checkpoints_steps": None, "save_checkpoints_secs": None,
        "session_config": None, "keep_checkpoint_max": 5, "keep_checkpoint_every_n_hours": 10000, "log_step_count_steps": 100,
        "train_distribute": None, "device_fn": None, "protocol": None, "eval_distribute": None, "experimental_distribute": None,
        "experimental_max_worker_delay_secs": None, "session_creation_timeout_secs": 7200,
    }  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        names = list(self.DEFAULTS)
        if len(args) > len(names):
            raise TypeError(f"RunConfig takes at most {len(names)} arguments, got {len(args)}.")
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        unknown = set(given) - set(names)
        if unknown:
            raise TypeError(f"RunConfig got an unexpected keyword argument {sorted(unknown)[0]!r}")
        if given.get("save_checkpoints_steps") is not None and given.get("save_checkpoints_secs") is not None:
            raise ValueError("`save_checkpoints_steps` and `save_checkpoints_secs` cannot be both set.")
        self._values = {**self.DEFAULTS, **given}
        if not {"save_checkpoints_steps", "save_checkpoints_secs"} & set(given):
            self._values["save_checkpoints_secs"] = 600
        for name in ("save_summary_steps", "save_checkpoints_steps", "save_checkpoints_secs", "keep_checkpoint_max"):
            value = self._values[name]
            if value is not None and value < 0:
                raise ValueError(f"{name} should be >= 0, given {value}.")

    def __getattr__(self, name: str) -> Any:
        values = self.__dict__.get("_values", {})
        if name in values:
            return values[name]
        raise AttributeError(f"RunConfig has no attribute {name!r}")

    def replace(self, **kwargs: Any) -> RunConfig:
        """A copy with some settings changed."""
        values = {k: v for k, v in self._values.items() if v != self.DEFAULTS[k]} | kwargs
        if "save_checkpoints_steps" in kwargs:
            values.pop("save_checkpoints_secs", None)
        elif "save_checkpoints_secs" in kwargs:
            values.pop("save_checkpoints_steps", None)
        return RunConfig(**values)

    is_chief = True
    task_type = "worker"
    task_id = 0
    global_id_in_cluster = 0
    num_ps_replicas = 0
    num_worker_replicas = 1
    master = ""
    evaluation_master = ""
    cluster_spec = None
    service = None

    def __repr__(self) -> str:
        return f"RunConfig({', '.join(f'{k}={v!r}' for k, v in self._values.items())})"


put(
    "estimator.export.ServingInputReceiver",
    namedtuple("ServingInputReceiver", ["features", "receiver_tensors", "receiver_tensors_alternatives"], defaults=[None]),
)

PREDICT_METHOD = "tensorflow/serving/predict"
CLASSIFY_METHOD = "tensorflow/serving/classify"
REGRESS_METHOD = "tensorflow/serving/regress"


class _ExportOutput:
    """One signature of an exported model."""

    method = PREDICT_METHOD

    def outputs(self) -> dict[str, Any]:
        raise NotImplementedError


@export("estimator.export.ExportOutput")
class ExportOutput(_ExportOutput):
    """What a model gives when it is served."""


@export("estimator.export.PredictOutput")
class PredictOutput(ExportOutput):
    def __init__(self, outputs: Any) -> None:
        self._outputs = outputs if isinstance(outputs, dict) else {"output": outputs}

    def outputs(self) -> dict[str, Any]:
        return dict(self._outputs)


@export("estimator.export.ClassificationOutput")
class ClassificationOutput(ExportOutput):
    method = CLASSIFY_METHOD

    def __init__(self, scores: Any = None, classes: Any = None) -> None:
        if scores is None and classes is None:
            raise ValueError("At least one of scores and classes must be set.")
        self.scores, self.classes = scores, classes

    def outputs(self) -> dict[str, Any]:
        return {k: v for k, v in (("scores", self.scores), ("classes", self.classes)) if v is not None}


@export("estimator.export.RegressionOutput")
class RegressionOutput(ExportOutput):
    method = REGRESS_METHOD

    def __init__(self, value: Any) -> None:
        if not (isinstance(value, base.Tensor) and value.dtype.is_floating):
            raise ValueError(f"Regression output value must be a float32 Tensor; got {value}")
        self.value = value

    def outputs(self) -> dict[str, Any]:
        return {"outputs": self.value}


@export("estimator.export.build_raw_serving_input_receiver_fn")
def build_raw_serving_input_receiver_fn(features: Any, default_batch_size: int | None = None) -> Any:
    """A function of placeholders like these features, fed by their names."""
    from runtime.tf1.array_ops import placeholder
    from runtime.tf1.registry import EXPORTS

    def receiver() -> Any:
        made = {
            n: placeholder(t.dtype, [default_batch_size, *list(t.shape.as_list()[1:])] if t.shape.ndims else t.shape, name=n)
            for n, t in features.items()
        }
        return EXPORTS["estimator.export.ServingInputReceiver"](features=made, receiver_tensors=made)

    return receiver


@export("estimator.export.build_parsing_serving_input_receiver_fn")
def build_parsing_serving_input_receiver_fn(feature_spec: Any, default_batch_size: int | None = None) -> Any:
    """A function of a placeholder of serialized tf.Examples and the features parsed from it."""
    from runtime.tf1.array_ops import placeholder
    from runtime.tf1.modules import lookup
    from runtime.tf1.registry import EXPORTS

    def receiver() -> Any:
        serialized = placeholder("string", [default_batch_size], name="input_example_tensor")
        features = lookup("parse_example")(serialized, feature_spec)
        return EXPORTS["estimator.export.ServingInputReceiver"](features=features, receiver_tensors={"examples": serialized})

    return receiver


def session_config(config: RunConfig) -> Any:
    return config.session_config or schema.message("ConfigProto")(allow_soft_placement=True)


@export("estimator.WarmStartSettings")
class WarmStartSettings(
    namedtuple(
        "WarmStartSettings", ["ckpt_to_initialize_from", "vars_to_warm_start", "var_name_to_vocab_info", "var_name_to_prev_var_name"]
    )
):
    """Where variables' first values come from."""

    __slots__ = ()

    def __new__(
        cls, ckpt_to_initialize_from: Any, vars_to_warm_start: Any = ".*", var_name_to_vocab_info: Any = None, var_name_to_prev_var_name: Any = None
    ) -> WarmStartSettings:  # fmt: skip
        if not ckpt_to_initialize_from:
            raise ValueError("`ckpt_to_initialize_from` MUST be set in WarmStartSettings")
        return super().__new__(
            cls, ckpt_to_initialize_from, vars_to_warm_start, var_name_to_vocab_info or {}, var_name_to_prev_var_name or {}
        )


def warm_start_settings(given: Any) -> WarmStartSettings | None:
    """The settings of a checkpoint's or SavedModel's path, or as they are."""
    if given is None or isinstance(given, WarmStartSettings):
        return given
    if not isinstance(given, str | bytes | os.PathLike):
        raise ValueError(f"warm_start_from must be a string or a WarmStartSettings, instead got {type(given)}")
    path = os.path.join(os.fsdecode(given), "variables", "variables")
    return WarmStartSettings(path if os.path.exists(f"{path}.index") else os.fsdecode(given))
