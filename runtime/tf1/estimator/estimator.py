"""tf.estimator.Estimator: trains, evaluates and asks a model function."""

from __future__ import annotations

import inspect
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphtools.dtypes import int64
from graphtools.formats import schema
from runtime.tf1 import random_ops, state_ops
from runtime.tf1.array_ops import identity
from runtime.tf1.client import internal_runs
from runtime.tf1.control_flow_ops import group
from runtime.tf1.estimator.spec import EstimatorSpec, ModeKeys, RunConfig, session_config, warm_start_settings
from runtime.tf1.graph import Graph, GraphKeys, get_default_graph
from runtime.tf1.init_ops import Zeros
from runtime.tf1.modules import lookup
from runtime.tf1.registry import export
from runtime.tf1.system import get_logger
from runtime.tf1.train.training_util import create_global_step, get_global_step
from runtime.tf1.variable_scope import get_variable


@export("estimator.Estimator")
class Estimator:
    """A model function with its checkpoints in a folder; each call builds a graph of its own."""

    def __init__(self, model_fn: Any, model_dir: Any = None, config: Any = None, params: Any = None, warm_start_from: Any = None) -> None:
        if model_fn is None:
            raise ValueError("model_fn must be provided to Estimator.")
        parameters = _parameters(model_fn)
        if "features" not in parameters:
            raise ValueError(f"model_fn ({model_fn}) must include features argument.")
        if params is not None and "params" not in parameters:
            raise ValueError(f"model_fn ({model_fn}) does not include params argument, but params ({params}) is passed to Estimator.")
        if config is not None and not isinstance(config, RunConfig):
            raise ValueError(f"config must be an instance of `RunConfig`, but provided {config}.")
        self._warm_start_settings = warm_start_settings(warm_start_from)
        config = config or RunConfig()
        model_dir = None if model_dir is None else os.fspath(model_dir)
        if model_dir and config.model_dir not in (None, model_dir):
            raise ValueError(
                f"`model_dir` are set both in constructor and `RunConfig`, but with different values. In constructor: '{model_dir}', in `RunConfig`: '{config.model_dir}'"
            )
        self._model_dir = model_dir or config.model_dir or tempfile.mkdtemp()
        self._config = config.replace(model_dir=self._model_dir)
        self._model_fn = model_fn
        self._params = dict(params) if isinstance(params, dict) else params if params is not None else {}

    # -- what it has -------------------------------------------------------------------------------------------------

    @property
    def model_dir(self) -> str:
        return str(self._model_dir)

    @property
    def config(self) -> RunConfig:
        return self._config

    @property
    def params(self) -> Any:
        return dict(self._params) if isinstance(self._params, dict) else self._params

    @property
    def model_fn(self) -> Any:
        return lambda features, labels, mode, config: self._call_model_fn(features, labels, mode, config)

    def latest_checkpoint(self) -> str | None:
        path: str | None = lookup("train.latest_checkpoint")(self._model_dir)
        return path

    def eval_dir(self, name: str | None = None) -> str:
        return os.path.join(self._model_dir, f"eval_{name}" if name else "eval")

    def _checkpoint(self) -> str:
        path = self.latest_checkpoint()
        if not path:
            raise ValueError("Estimator has not been trained yet.")
        return path

    def get_variable_names(self) -> list[str]:
        return sorted(name for name, _ in lookup("train.list_variables")(self._checkpoint()))

    def get_variable_value(self, name: str) -> Any:
        return lookup("train.load_variable")(self._checkpoint(), name)

    # -- train -------------------------------------------------------------------------------------------------------

    def train(
        self, input_fn: Any, hooks: Any = None, steps: int | None = None, max_steps: int | None = None, saving_listeners: Any = None
    ) -> Estimator:
        """Train for `steps` more steps, up to `max_steps`, or until the input ends."""
        if steps is not None and max_steps is not None:
            raise ValueError("Can not provide both steps and max_steps.")
        for name, value in (("steps", steps), ("max_steps", max_steps)):
            if value is not None and value <= 0:
                raise ValueError(f"Must specify {name} > 0, given: {value}")
        if max_steps is not None:
            path = self.latest_checkpoint()
            if path is not None and int(lookup("train.load_variable")(path, "global_step")) >= max_steps:
                get_logger().info("Skipping training since max_steps has already saved.")
                return self
        all_hooks = _checked_hooks(hooks)
        if steps is not None or max_steps is not None:
            all_hooks.append(lookup("train.StopAtStepHook")(num_steps=steps, last_step=max_steps))
        with internal_runs(), Graph().as_default() as graph, graph.device(self._config.device_fn):
            random_ops.set_random_seed(self._config.tf_random_seed)  # type: ignore[arg-type]
            create_global_step(graph)
            _read_global_step(graph)
            features, labels, input_hooks = self._features_and_labels(input_fn, ModeKeys.TRAIN)
            spec = self._call_model_fn(features, labels, ModeKeys.TRAIN, self._config)
            loss = self._train(spec, [*input_hooks, *all_hooks], list(saving_listeners or ()))
        get_logger().info("Loss for final step: %s.", loss)
        return self

    def _train(self, spec: EstimatorSpec, hooks: list[Any], listeners: list[Any]) -> Any:
        config, graph = self._config, get_default_graph()
        self._warm_start(None)
        if not any(s.node.name == "loss" for s in graph.get_collection(GraphKeys.SUMMARIES)):
            lookup("summary.scalar")("loss", spec.loss)
        graph.add_to_collection(GraphKeys.LOSSES, spec.loss)
        hooks.append(lookup("train.NanTensorHook")(spec.loss))
        if config.log_step_count_steps is not None:
            shown = {"loss": spec.loss, "step": get_global_step(graph)}
            hooks.append(lookup("train.LoggingTensorHook")(shown, every_n_iter=config.log_step_count_steps))
        hooks.extend(spec.training_hooks)
        if not (spec.scaffold.saver or graph.get_collection(GraphKeys.SAVERS)):
            saver = lookup("train.Saver")(
                sharded=True, max_to_keep=config.keep_checkpoint_max, keep_checkpoint_every_n_hours=config.keep_checkpoint_every_n_hours,
                defer_build=True, save_relative_paths=True,
            )  # fmt: skip
            graph.add_to_collection(GraphKeys.SAVERS, saver)
        kind = lookup("train.CheckpointSaverHook")
        savers = [h for h in [*hooks, *spec.training_chief_hooks] if isinstance(h, kind)]
        chief = []
        if not savers and (config.save_checkpoints_secs or config.save_checkpoints_steps):
            chief = savers = [
                kind(
                    self._model_dir,
                    save_secs=config.save_checkpoints_secs,
                    save_steps=config.save_checkpoints_steps,
                    scaffold=spec.scaffold,
                )
            ]
        if listeners and not savers:
            raise ValueError(
                "There should be a CheckpointSaverHook to use saving_listeners. Please set one of the RunConfig.save_checkpoints_steps or RunConfig.save_checkpoints_secs."
            )
        for listener in listeners:
            if listener not in savers[0]._listeners:
                savers[0]._listeners.append(listener)
        session = lookup("train.MonitoredTrainingSession")(
            checkpoint_dir=self._model_dir, scaffold=spec.scaffold, hooks=hooks, chief_only_hooks=(*chief, *spec.training_chief_hooks),
            save_checkpoint_secs=0, save_summaries_steps=config.save_summary_steps, config=session_config(config),
            log_step_count_steps=config.log_step_count_steps,
        )  # fmt: skip
        loss = None
        with session:
            while not session.should_stop():
                _, loss = session.run([spec.train_op, spec.loss])
        if loss is None:
            get_logger().warning("Training with estimator made no steps. Perhaps input is empty or misspecified.")
        return loss

    # -- evaluate ----------------------------------------------------------------------------------------------------

    def evaluate(
        self, input_fn: Any, steps: int | None = None, hooks: Any = None, checkpoint_path: str | None = None, name: str | None = None
    ) -> dict[str, Any]:
        """The metrics over `steps` batches, or over all of the input."""
        if steps is not None and steps <= 0:
            raise ValueError(f"Must specify steps > 0, given: {steps}")
        path = checkpoint_path or self.latest_checkpoint()
        if not path:
            get_logger().info("Could not find trained model in model_dir: %s, running initialization to evaluate.", self._model_dir)
        return self._evaluated(input_fn, steps, hooks, name, path)

    def evaluate_with(self, variables: dict[str, Any], input_fn: Any, steps: int | None, hooks: Any, name: str | None) -> dict[str, Any]:
        """The metrics with these values of variables, by name."""
        return self._evaluated(input_fn, steps, hooks, name, None, variables)

    def _evaluated(
        self, input_fn: Any, steps: int | None, hooks: Any, name: str | None, path: str | None, variables: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        all_hooks = _checked_hooks(hooks)
        with internal_runs(), Graph().as_default() as graph, graph.device(self._config.device_fn):
            random_ops.set_random_seed(self._config.tf_random_seed)  # type: ignore[arg-type]
            create_global_step(graph)
            features, labels, input_hooks = self._features_and_labels(input_fn, ModeKeys.EVAL)
            spec = self._call_model_fn(features, labels, ModeKeys.EVAL, self._config)
            self._warm_start(path)
            metrics = _with_loss(spec)
            update, values = _updates_and_values(metrics)
            if GraphKeys.GLOBAL_STEP in values:
                raise ValueError(
                    "Metric with name `global_step` is not allowed, because Estimator already defines a default metric with the same name."
                )
            values[GraphKeys.GLOBAL_STEP] = get_global_step(graph)
            if variables is not None:
                spec = spec._replace(scaffold=_fed_scaffold(spec.scaffold, variables))
            results = self._evaluate(path, spec, update, values, [*input_hooks, *all_hooks, *spec.evaluation_hooks], steps)
        self._write_results(self.eval_dir(name), results)
        return results

    def _evaluate(
        self, path: str | None, spec: EstimatorSpec, update: Any, values: Any, hooks: list[Any], steps: int | None
    ) -> dict[str, Any]:
        count = get_variable(
            "eval_step",
            shape=[],
            dtype=int64,
            initializer=Zeros(),
            trainable=False,
            collections=[GraphKeys.LOCAL_VARIABLES, GraphKeys.EVAL_STEP],
        )
        fetches = [op for op in (update, state_ops.assign_add(count, 1, use_locking=True)) if op is not None]
        with get_default_graph().control_dependencies(fetches):
            identity(count.read_value())
        final = lookup("train.FinalOpsHook")(values)
        creator = lookup("train.ChiefSessionCreator")(
            scaffold=spec.scaffold, checkpoint_filename_with_path=path, config=session_config(self._config)
        )
        with lookup("train.MonitoredSession")(session_creator=creator, hooks=[*hooks, final]) as session:
            done = 0
            while not session.should_stop() and (steps is None or done < steps):
                session.run(fetches)
                done += 1
        results: dict[str, Any] = final.final_ops_values
        return results

    def _write_results(self, folder: str, results: dict[str, Any]) -> None:
        get_logger().info(
            "Saving dict for global step %d: %s",
            results[GraphKeys.GLOBAL_STEP],
            ", ".join(f"{k} = {v}" for k, v in sorted(results.items())),
        )
        summary = schema.message("Summary")()
        for key, value in results.items():
            if key != GraphKeys.GLOBAL_STEP and isinstance(value, np.float32 | np.float64 | float | np.int32 | np.int64 | int):
                summary.value.add(tag=key, simple_value=float(value))
        writer = lookup("summary.FileWriter")(folder)
        writer.add_summary(summary, int(results[GraphKeys.GLOBAL_STEP]))
        writer.close()

    # -- predict -----------------------------------------------------------------------------------------------------

    def predict(
        self,
        input_fn: Any,
        predict_keys: Any = None,
        hooks: Any = None,
        checkpoint_path: str | None = None,
        yield_single_examples: bool = True,
    ) -> Iterator[Any]:
        """The predictions, example by example (or batch by batch)."""
        all_hooks = _checked_hooks(hooks)
        path = checkpoint_path or self.latest_checkpoint()
        graph = Graph()
        with internal_runs(), graph.as_default(), graph.device(self._config.device_fn):
            random_ops.set_random_seed(self._config.tf_random_seed)  # type: ignore[arg-type]
            create_global_step(graph)
            features, _, input_hooks = self._features_and_labels(input_fn, ModeKeys.PREDICT)
            spec = self._call_model_fn(features, None, ModeKeys.PREDICT, self._config)
            self._warm_start(path)
            predictions = _chosen(spec.predictions, predict_keys)
            creator = lookup("train.ChiefSessionCreator")(
                scaffold=spec.scaffold, checkpoint_filename_with_path=path, config=session_config(self._config)
            )
            session = lookup("train.MonitoredSession")(session_creator=creator, hooks=[*input_hooks, *all_hooks, *spec.prediction_hooks])
        # the graph is the default one only while this works, not while its caller uses what it yields
        ended = False
        try:
            while True:
                with internal_runs(), graph.as_default():
                    if session.should_stop():
                        break
                    try:
                        values = session.run(predictions)
                    except (lookup("errors.OutOfRangeError"), StopIteration):
                        break
                if not yield_single_examples:
                    yield values
                elif not isinstance(predictions, dict):
                    yield from values
                else:
                    sizes = {k: v.shape[0] for k, v in values.items()}
                    if len(set(sizes.values())) > 1:
                        raise ValueError(f"Batch length of predictions should be same. Their lengths are {sizes}.")
                    for i in range(next(iter(sizes.values()), 0)):
                        yield {k: v[i] for k, v in values.items()}
            ended = True
        finally:
            with internal_runs(), graph.as_default():
                session.close() if ended else session._close_session()

    def _warm_start(self, path: str | None) -> None:
        """Variables start with another model's values where there is no checkpoint of this one."""
        if self._warm_start_settings and not path:
            get_logger().info("Warm-starting with WarmStartSettings: %s", self._warm_start_settings)
            lookup("train.warm_start")(*self._warm_start_settings)

    # -- calling the functions of the script ---------------------------------------------------------------------------

    def _features_and_labels(self, input_fn: Any, mode: str) -> tuple[Any, Any, list[Any]]:
        names = _parameters(input_fn)
        kwargs: dict[str, Any] = {}
        if "mode" in names:
            kwargs["mode"] = mode
        if "params" in names:
            kwargs["params"] = self.params
        if "config" in names:
            kwargs["config"] = self.config
        with get_default_graph().device("/cpu:0"):
            result = input_fn(**kwargs)
        hooks = []
        if hasattr(result, "make_initializable_iterator"):
            iterator = result.make_initializable_iterator()
            hooks.append(_initializer_hook(iterator))
            result = iterator.get_next()
        if isinstance(result, list | tuple):
            if len(result) == 2:
                return result[0], result[1] if mode != ModeKeys.PREDICT else None, hooks
            if mode == ModeKeys.PREDICT and result:
                return result[0], None, hooks
            raise ValueError("input_fn should return (features, labels) as a len 2 tuple.")
        return result, None, hooks

    def _call_model_fn(self, features: Any, labels: Any, mode: str, config: Any) -> EstimatorSpec:
        names = _parameters(self._model_fn)
        kwargs: dict[str, Any] = {}
        if "labels" in names:
            kwargs["labels"] = labels
        elif labels is not None:
            raise ValueError("model_fn does not take labels, but input_fn returns labels.")
        if "mode" in names:
            kwargs["mode"] = mode
        if "params" in names:
            kwargs["params"] = self.params
        if "config" in names:
            kwargs["config"] = config
        spec = self._model_fn(features=features, **kwargs)
        if not isinstance(spec, EstimatorSpec):
            raise ValueError("model_fn should return an EstimatorSpec.")
        return spec

    # -- export ------------------------------------------------------------------------------------------------------

    def export_saved_model(
        self, export_dir_base: Any, serving_input_receiver_fn: Any, assets_extra: Any = None, as_text: bool = False, checkpoint_path: str | None = None,
        experimental_mode: str = ModeKeys.PREDICT,
    ) -> bytes:  # fmt: skip
        """Write the model for serving into a new folder, named by the time, and give its name."""
        from runtime.tf1.estimator.exporting import export_model

        with internal_runs():
            return export_model(self, export_dir_base, serving_input_receiver_fn, assets_extra, as_text, checkpoint_path, experimental_mode)

    def export_savedmodel(
        self, export_dir_base: Any, serving_input_receiver_fn: Any, assets_extra: Any = None, as_text: bool = False, checkpoint_path: str | None = None,
        strip_default_attrs: bool = False,
    ) -> bytes:  # fmt: skip
        return self.export_saved_model(export_dir_base, serving_input_receiver_fn, assets_extra, as_text, checkpoint_path)


def _fed_scaffold(scaffold: Any, values: dict[str, Any]) -> Any:
    """A scaffold that gives variables these values."""
    if scaffold.saver is not None:
        raise ValueError("InMemoryEvaluator does not support custom saver")
    if scaffold.init_fn is not None:
        raise ValueError("InMemoryEvaluator does not support custom init_fn")
    known = [v for v in lookup("global_variables")() if v.op.name in values]
    fed = {v.op.name: lookup("placeholder")(v.dtype.base_dtype) for v in known}
    assigned = group(*[state_ops.assign(v, fed[v.op.name]) for v in known])

    def init_fn(scaffold: Any, session: Any) -> None:
        session.run(assigned, feed_dict={fed[v.op.name]: values[v.op.name] for v in known})

    return lookup("train.Scaffold")(init_fn=init_fn, copy_from_scaffold=scaffold)


def _parameters(function: Any) -> set[str]:
    while hasattr(function, "func") and hasattr(function, "keywords"):  # a functools.partial
        function = function.func
    return set(inspect.signature(function).parameters)


def _checked_hooks(hooks: Any) -> list[Any]:
    kind = lookup("train.SessionRunHook")
    for hook in hooks or ():
        if not isinstance(hook, kind):
            raise TypeError(f"Hooks must be a SessionRunHook, given: {hook}")
    return list(hooks or ())


def _initializer_hook(iterator: Any) -> Any:
    kind = lookup("train.SessionRunHook")

    class InitializeIterator(kind):  # type: ignore[misc, valid-type]
        """Starts a dataset's iterator once the session is there."""

        def after_create_session(self, session: Any, coord: Any) -> None:
            session.run(iterator.initializer)

    return InitializeIterator()


def _read_global_step(graph: Any) -> None:
    """The value of the global step before a training step, as TensorFlow keeps it."""
    key = "global_step_read_op_cache"
    if graph.get_collection(key):
        return
    step = get_global_step(graph)
    with graph.name_scope(None), graph.name_scope(step.op.name + "/"):
        graph.add_to_collection(key, step.initialized_value() + 0)


def _with_loss(spec: EstimatorSpec) -> dict[str, Any]:
    metrics = dict(spec.eval_metric_ops)
    if "loss" in metrics:
        raise ValueError('Metric with name "loss" is not allowed, because Estimator already defines a default metric with the same name.')
    metrics["loss"] = lookup("metrics.mean")(spec.loss)
    return metrics


def _updates_and_values(metrics: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """One op that updates all metrics, and their values."""
    updates, values = [], {}
    for name, metric in sorted(metrics.items()):
        if hasattr(metric, "update_state"):
            values[name], update = metric.result(), metric.updates[0]
        else:
            values[name], update = metric
        updates.append(update)
    return group(*updates) if updates else None, values


def _chosen(predictions: Any, keys: Any) -> Any:
    if not keys:
        return predictions
    if not isinstance(predictions, dict):
        raise ValueError("predict_keys argument is not valid in case of non-dict predictions.")
    chosen = {k: v for k, v in predictions.items() if k in keys}
    if not chosen:
        raise ValueError(f"Expected to run at least one output from {predictions.keys()}, provided {keys}.")
    return chosen
