"""tf.contrib.learn.Estimator: trains, evaluates and asks a model function, with data given as arrays or by an input function."""

from __future__ import annotations

import copy
import os
import shutil
import tempfile
from collections import namedtuple
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphtools.formats import schema
from runtime.tf1.client import internal_runs
from runtime.tf1.contrib import evaluation, feature_column_ops
from runtime.tf1.contrib.learn import data_feeder
from runtime.tf1.contrib.learn.model_fn import MetricKey, ModeKeys, ModelFnOps, argument_names, make_metrics
from runtime.tf1.contrib.learn.monitors import replace_monitors_with_hooks
from runtime.tf1.contrib.learn.run_config import RunConfig
from runtime.tf1.graph import Graph, GraphKeys
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.sparse_tensor import SparseTensor
from runtime.tf1.system import get_logger
from runtime.tf1.train.session_run_hook import CheckpointSaverHook

tf: Any = module("")

GraphRewriteSpec = namedtuple("GraphRewriteSpec", ["tags", "transforms"])
SERVING_GRAPH = (GraphRewriteSpec(("serve",), ()),)  # the model for serving, as it is


@export("contrib.learn.NotFittedError")
class NotFittedError(ValueError, AttributeError):
    """A model was asked before it was trained."""


@export("contrib.learn.Evaluable")
class Evaluable:
    """What can be evaluated: has model_dir and evaluate."""

    @property
    def model_dir(self) -> Any:
        raise NotImplementedError

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


@export("contrib.learn.Trainable")
class Trainable:
    """What can be trained: has fit."""

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


class SklearnEstimator:
    """Parameters as scikit-learn's estimators have them."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in list(vars(self).items()):
            if name.startswith("_") or callable(value):
                continue
            if deep and hasattr(value, "get_params"):
                found.update({f"{name}__{k}": v for k, v in value.get_params().items()})
            found[name] = value
        return found

    def set_params(self, **params: Any) -> Any:
        known = self.get_params(deep=True)
        for key, value in params.items():
            name, _, rest = key.partition("__")
            if name not in known:
                raise ValueError(
                    f"Invalid parameter {name} for estimator {type(self).__name__}. Check the list of available parameters with `estimator.get_params().keys()`."
                )
            if rest:
                known[name].set_params(**{rest: value})
            else:
                setattr(self, key, value)
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in self.get_params(deep=False).items())})"


def _check_input(x: Any, y: Any, input_fn: Any, feed_fn: Any, batch_size: Any) -> None:
    if input_fn is None:
        if x is None:
            raise ValueError("Either x or input_fn must be provided.")
        if tf.is_tensor(x) or (y is not None and tf.is_tensor(y)):
            raise ValueError("Inputs cannot be tensors. Please provide input_fn.")
        if feed_fn is not None:
            raise ValueError("Can not provide both feed_fn and x or y.")
        return
    if x is not None or y is not None:
        raise ValueError("Can not provide both input_fn and x or y.")
    if batch_size is not None:
        raise ValueError("Can not provide both input_fn and batch_size.")


def _input_of(
    x: Any, y: Any, input_fn: Any, feed_fn: Any, batch_size: Any, shuffle: bool = False, epochs: int | None = 1
) -> tuple[Any, Any]:
    _check_input(x, y, input_fn, feed_fn, batch_size)
    if input_fn is not None:
        return input_fn, feed_fn
    feeder = data_feeder.setup_train_data_feeder(x, y, n_classes=None, batch_size=batch_size, shuffle=shuffle, epochs=epochs)
    return feeder.input_builder, feeder.get_feed_dict_fn()


@export("contrib.learn.infer_real_valued_columns_from_input_fn")
def infer_real_valued_columns_from_input_fn(input_fn: Any) -> Any:
    with Graph().as_default():
        features, _ = input_fn()
        return feature_column_ops.infer_real_valued_columns(features)


@export("contrib.learn.infer_real_valued_columns_from_input")
def infer_real_valued_columns_from_input(x: Any) -> Any:
    """The columns of a matrix: one real valued column, named ""."""
    input_fn, _ = _input_of(x, None, None, None, None)
    return infer_real_valued_columns_from_input_fn(input_fn)


class _Signature(namedtuple("_Signature", ["dtype", "dims", "sparse"])):
    """What a feature or label looks like, its first dimension left open."""

    __slots__ = ()

    @classmethod
    def of(cls, tensor: Any) -> Any:
        if isinstance(tensor, dict):
            return {k: cls.of(v) for k, v in tensor.items()}
        if tensor is None:
            return None
        if isinstance(tensor, SparseTensor):
            return cls(tensor.values.dtype, None, True)
        return cls(tensor.dtype, None if tensor.dims is None else (None, *tensor.dims[1:]), False)

    def fits(self, tensor: Any) -> bool:
        if self.sparse or isinstance(tensor, SparseTensor):
            return bool(self.sparse and isinstance(tensor, SparseTensor) and tensor.values.dtype == self.dtype)
        return bool(
            self.dtype.is_compatible_with(tensor.dtype)
            and tf.TensorShape(self.dims).is_compatible_with((None, *tensor.dims[1:]) if tensor.dims else None)
        )

    def placeholder(self) -> Any:
        return tf.sparse_placeholder(self.dtype) if self.sparse else tf.placeholder(self.dtype, self.dims)


def _fits(tensors: Any, signatures: Any) -> bool:
    if isinstance(signatures, dict):
        return isinstance(tensors, dict) and all(k in tensors and s.fits(tensors[k]) for k, s in signatures.items())
    if tensors is None or signatures is None:
        return tensors is None and signatures is None
    return not isinstance(tensors, dict) and bool(signatures.fits(tensors))


def _write_results(folder: str, values: dict[str, Any], step: int) -> None:
    shown = [
        f"{k} = {v}" if isinstance(v, float | np.float32 | int | np.int64 | np.int32) else f"Type of {k} = {type(v)}"
        for k, v in sorted(values.items())
    ]
    get_logger().info("Saving dict for global step %d: %s", step, ", ".join(shown))
    summary = schema.message("Summary")()
    for key, value in values.items():
        if key != "global_step" and isinstance(value, float | np.floating | int | np.integer):
            summary.value.add(tag=key, simple_value=float(value))
    writer = tf.summary.FileWriterCache.get(folder)
    writer.add_summary(summary, step)
    writer.flush()


@export("contrib.learn.BaseEstimator")
class BaseEstimator(SklearnEstimator, Evaluable, Trainable):
    """Trains, evaluates and asks the ops that a subclass makes; each call builds a graph of its own."""

    def __init__(self, model_dir: Any = None, config: Any = None) -> None:
        self._config = config if config is not None else RunConfig()
        if config is None:
            get_logger().info("Using default config.")
        self._session_config = self._config.session_config or schema.message("ConfigProto")(allow_soft_placement=True)
        if model_dir is not None and self._config.model_dir is not None and model_dir != self._config.model_dir:
            raise ValueError(
                "model_dir are set both in constructor and RunConfig, but with different values. "
                f"In constructor: '{model_dir}', in RunConfig: '{self._config.model_dir}' "
            )
        self._model_dir = model_dir or self._config.model_dir
        if self._model_dir is None:
            self._model_dir = tempfile.mkdtemp()
            get_logger().warning("Using temporary folder as model directory: %s", self._model_dir)
        if self._config.model_dir is None:
            self._config = self._config.replace(model_dir=self._model_dir)
        self._features_info: Any = None
        self._labels_info: Any = None
        self._graph: Any = None

    @property
    def config(self) -> Any:
        return copy.copy(self._config)

    @property
    def model_dir(self) -> Any:
        return self._model_dir

    @property
    def model_fn(self) -> Any:
        return lambda features, labels, mode, config: self._call_model_fn(features, labels, mode, config=config)

    def _call_model_fn(self, features: Any, labels: Any, mode: str, metrics: Any = None, config: Any = None) -> Any:
        raise NotImplementedError("_call_model_fn must be made by a subclass")

    def _get_train_ops(self, features: Any, labels: Any) -> Any:
        raise NotImplementedError("_get_train_ops must be made by a subclass")

    def _get_predict_ops(self, features: Any) -> Any:
        raise NotImplementedError("_get_predict_ops must be made by a subclass")

    def _get_eval_ops(self, features: Any, labels: Any, metrics: Any) -> Any:
        raise NotImplementedError("_get_eval_ops not implemented in BaseEstimator")

    # -- what scripts call -----------------------------------------------------------------------------------------------

    def fit(
        self, x: Any = None, y: Any = None, input_fn: Any = None, steps: int | None = None, batch_size: int | None = None, monitors: Any = None,
        max_steps: int | None = None,
    ) -> Any:  # fmt: skip
        """Train for `steps` more steps, up to `max_steps`, or until the input ends."""
        if steps is not None and max_steps is not None:
            raise ValueError("Can not provide both steps and max_steps.")
        _check_input(x, y, input_fn, None, batch_size)
        if x is not None:
            SKCompat(self).fit(x, y, batch_size, steps, max_steps, monitors)
            return self
        if max_steps is not None:
            path = tf.train.latest_checkpoint(self._model_dir)
            if path and int(tf.train.load_variable(path, "global_step")) >= max_steps:
                get_logger().info("Skipping training since max_steps has already saved.")
                return self
        hooks = replace_monitors_with_hooks(monitors, self)
        if steps is not None or max_steps is not None:
            hooks.append(tf.train.StopAtStepHook(steps, max_steps))
        with internal_runs():
            loss = self._train_model(input_fn, hooks)
        get_logger().info("Loss for final step: %s.", loss)
        return self

    def partial_fit(
        self, x: Any = None, y: Any = None, input_fn: Any = None, steps: int | None = 1, batch_size: int | None = None, monitors: Any = None
    ) -> Any:
        return self.fit(x=x, y=y, input_fn=input_fn, steps=steps, batch_size=batch_size, monitors=monitors)

    def evaluate(
        self, x: Any = None, y: Any = None, input_fn: Any = None, feed_fn: Any = None, batch_size: int | None = None, steps: int | None = None,
        metrics: Any = None, name: str | None = None, checkpoint_path: str | None = None, hooks: Any = None, log_progress: bool = True,
    ) -> Any:  # fmt: skip
        """The metrics over `steps` batches, or over all of the input."""
        _check_input(x, y, input_fn, feed_fn, batch_size)
        if x is not None:
            return SKCompat(self).score(x, y, batch_size, steps, metrics, name)
        if metrics is not None and not isinstance(metrics, dict):
            raise ValueError(f"Metrics argument should be None or dict. Got {metrics}.")
        results, step = self._evaluate_model(input_fn, steps, feed_fn, metrics, name, checkpoint_path, hooks, log_progress)
        results.update({"global_step": step})
        return results

    def predict(
        self, x: Any = None, input_fn: Any = None, batch_size: int | None = None, outputs: Any = None, as_iterable: bool = True,
        iterate_batches: bool = False,
    ) -> Any:  # fmt: skip
        """The predictions: an iterator over the examples, or all of one batch."""
        _check_input(x, None, input_fn, None, batch_size)
        if x is not None and not as_iterable:
            return SKCompat(self).predict(x, batch_size)
        input_fn, feed_fn = _input_of(x, None, input_fn, None, batch_size)
        return self._infer_model(input_fn, feed_fn, outputs, as_iterable, iterate_batches)

    def get_variable_value(self, name: str) -> Any:
        return tf.train.load_variable(self.model_dir, name)

    def get_variable_names(self) -> list[str]:
        return [name for name, _ in tf.train.list_variables(self.model_dir)]

    # -- how it is done --------------------------------------------------------------------------------------------------

    def _check_inputs(self, features: Any, labels: Any) -> None:
        if self._features_info is None:
            self._features_info = _Signature.of(features)
        elif not _fits(features, self._features_info):
            raise ValueError(
                f"Features are incompatible with given information. Given features: {features}, required signatures: {self._features_info}."
            )
        if labels is None:
            return
        if self._labels_info is None:
            self._labels_info = _Signature.of(labels)
        elif not _fits(labels, self._labels_info):
            raise ValueError(
                f"Labels are incompatible with given information. Given labels: {labels}, required signatures: {self._labels_info}."
            )

    def _train_model(self, input_fn: Any, hooks: list[Any]) -> Any:
        config = self._config
        self._graph = Graph()
        with self._graph.as_default() as graph:
            tf.set_random_seed(config.tf_random_seed)
            step = tf.train.create_global_step(graph)
            features, labels = input_fn()
            self._check_inputs(features, labels)
            _read_global_step(graph)
            ops = self._get_train_ops(features, labels)
            tf.add_to_collection(GraphKeys.LOSSES, ops.loss)
            every = [
                *hooks,
                tf.train.NanTensorHook(ops.loss),
                tf.train.LoggingTensorHook({"loss": ops.loss, "step": step}, every_n_iter=100),
            ]
            scaffold = ops.scaffold or tf.train.Scaffold()
            if not (scaffold.saver or tf.get_collection(GraphKeys.SAVERS)):
                saver = tf.train.Saver(
                    sharded=True, max_to_keep=config.keep_checkpoint_max, keep_checkpoint_every_n_hours=config.keep_checkpoint_every_n_hours,
                    defer_build=True, save_relative_paths=True,
                )  # fmt: skip
                tf.add_to_collection(GraphKeys.SAVERS, saver)
            chief = []
            if config.save_checkpoints_secs or config.save_checkpoints_steps:
                if not any(isinstance(h, CheckpointSaverHook) for h in [*every, *ops.training_hooks, *ops.training_chief_hooks]):
                    chief = [
                        CheckpointSaverHook(
                            self._model_dir,
                            save_secs=config.save_checkpoints_secs,
                            save_steps=config.save_checkpoints_steps,
                            scaffold=scaffold,
                        )
                    ]
            session = tf.train.MonitoredTrainingSession(
                checkpoint_dir=self._model_dir, scaffold=scaffold, hooks=[*every, *ops.training_hooks],
                chief_only_hooks=[*chief, *ops.training_chief_hooks], save_checkpoint_secs=0, save_summaries_steps=config.save_summary_steps,
                config=self._session_config,
            )  # fmt: skip
            loss = None
            with session:
                while not session.should_stop():
                    _, loss = session.run([ops.train_op, ops.loss])
            return loss

    def _evaluate_model(
        self, input_fn: Any, steps: int | None, feed_fn: Any = None, metrics: Any = None, name: str | None = "", checkpoint_path: str | None = None,
        hooks: Any = None, log_progress: bool = True,
    ) -> tuple[dict[str, Any], Any]:  # fmt: skip
        path = checkpoint_path or tf.train.latest_checkpoint(self._model_dir)
        if not path:
            raise NotFittedError(f"Couldn't find trained model at {self._model_dir}.")
        folder = os.path.join(self._model_dir, f"eval_{name}" if name else "eval")
        with internal_runs(), Graph().as_default() as graph:
            tf.set_random_seed(self._config.tf_random_seed)
            step = tf.train.create_global_step(graph)
            features, labels = input_fn()
            self._check_inputs(features, labels)
            ops = self._get_eval_ops(features, labels, metrics)
            updates, values = [], {}
            for key, metric in ops.eval_metric_ops.items():
                if isinstance(metric, list | tuple) and len(metric) == 2:
                    values[key] = metric[0]
                    updates.append(metric[1])
                else:
                    values[key] = metric
            update = tf.group(*updates) if updates else None
            every = list(hooks or [])
            if feed_fn:
                every.append(tf.train.FeedFnHook(feed_fn))
            if steps == 0:
                get_logger().warning(
                    "evaluation steps are 0. If `input_fn` does not raise `OutOfRangeError`, the evaluation will never stop. Use steps=None if intended."
                )
            if steps:
                every.append(evaluation.StopAfterNEvalsHook(steps, log_progress=log_progress))
            key = "global_step"
            while key in values:
                key = f"_{key}"
            values[key] = step
            results = evaluation.run_evaluation(
                path, scaffold=ops.scaffold, eval_ops=update, final_ops=values, hooks=every, config=self._session_config
            )
            _write_results(folder, results, results[key])
        return results, results[key]

    def _infer_model(
        self, input_fn: Any, feed_fn: Any = None, outputs: Any = None, as_iterable: bool = True, iterate_batches: bool = False
    ) -> Any:
        path = tf.train.latest_checkpoint(self._model_dir)
        if not path:
            raise NotFittedError(f"Couldn't find trained model at {self._model_dir}.")
        graph = Graph()
        with internal_runs(), graph.as_default():
            tf.set_random_seed(self._config.tf_random_seed)
            tf.train.create_global_step(graph)
            features = input_fn()
            features = features[0] if isinstance(features, list | tuple) else features
            ops = self._get_predict_ops(features)
            predictions = _filtered(ops.predictions, outputs)
            session = tf.train.MonitoredSession(
                session_creator=tf.train.ChiefSessionCreator(
                    checkpoint_filename_with_path=path, scaffold=ops.scaffold, config=self._session_config
                )
            )
            if not as_iterable:
                with session:
                    return None if session.should_stop() else session.run(predictions, feed_fn() if feed_fn else None)
        return _predicted(graph, session, predictions, feed_fn, iterate_batches)

    def export(
        self, export_dir: Any, input_fn: Any = None, input_feature_key: Any = None, use_deprecated_input_fn: bool = True, signature_fn: Any = None,
        prediction_key: Any = None, default_batch_size: int = 1, exports_to_keep: int | None = None, checkpoint_path: str | None = None,
    ) -> Any:  # fmt: skip
        raise NotImplementedError(
            "tf.contrib.learn.Estimator.export writes the session bundles of TensorFlow 0.x, which tfrevive does not write: use export_savedmodel."
        )


def _read_global_step(graph: Any) -> None:
    """The value of the global step before a training step, as TensorFlow keeps it."""
    key = "global_step_read_op_cache"
    if not graph.get_collection(key):
        step = tf.train.get_global_step(graph)
        with graph.name_scope(None), graph.name_scope(step.op.name + "/"):
            graph.add_to_collection(key, step.initialized_value() + 0)


def _filtered(predictions: Any, outputs: Any) -> Any:
    if not outputs:
        return predictions
    if not isinstance(predictions, dict):
        raise ValueError("outputs argument is not valid in case of non-dict predictions.")
    found = {k: v for k, v in predictions.items() if k in outputs}
    if not found:
        raise ValueError(f"Expected to run at least one output from {predictions.keys()}, provided {outputs}.")
    return found


def _predicted(graph: Any, session: Any, predictions: Any, feed_fn: Any, batches: bool) -> Iterator[Any]:
    """What is predicted; one batch only when the input is constant."""
    constant = feed_fn is None and not graph.get_collection(GraphKeys.QUEUE_RUNNERS)
    try:
        while True:
            with internal_runs(), graph.as_default():
                if session.should_stop():
                    break
                try:
                    values = session.run(predictions, feed_fn() if feed_fn else None)
                except (tf.errors.OutOfRangeError, StopIteration):
                    break
            if batches:
                yield values
            elif not isinstance(predictions, dict):
                yield from values
            else:
                first = next(iter(values.values()))
                count = first.dense_shape[0] if hasattr(first, "dense_shape") else first.shape[0]
                for i in range(count):
                    yield {k: v[i] for k, v in values.items()}
            if constant:
                break
    finally:
        with internal_runs(), graph.as_default():
            session._close_session()


@export("contrib.learn.Estimator")
class Estimator(BaseEstimator):
    """A model function with its checkpoints in a folder."""

    def __init__(
        self, model_fn: Any = None, model_dir: Any = None, config: Any = None, params: Any = None, feature_engineering_fn: Any = None
    ) -> None:
        super().__init__(model_dir=model_dir, config=config)
        if model_fn is not None and params is not None and "params" not in argument_names(model_fn):
            raise ValueError(
                f"Estimator's model_fn ({model_fn}) does not have a params argument, but params ({params}) were passed to the Estimator's constructor."
            )
        self._model_fn = model_fn
        self.params = params
        self._feature_engineering_fn = feature_engineering_fn

    def _call_model_fn(self, features: Any, labels: Any, mode: str, metrics: Any = None, config: Any = None) -> ModelFnOps:
        if self._feature_engineering_fn is not None:
            features, labels = self._feature_engineering_fn(features, labels)
        names = argument_names(self._model_fn)
        given = {"mode": mode, "params": self.params, "config": config or self.config, "model_dir": self.model_dir}
        ops = self._model_fn(features, labels, **{k: v for k, v in given.items() if k in names})
        if not isinstance(ops, ModelFnOps):
            if not isinstance(ops, tuple | list) or len(ops) != 3:
                raise ValueError("Unrecognized value returned by model_fn, please return ModelFnOps.")
            ops = ModelFnOps(mode=mode, predictions=ops[0], loss=ops[1], train_op=ops[2])
        if metrics:
            ops.eval_metric_ops.update(make_metrics(metrics, features, labels, ops.predictions))
        return ops

    def _get_train_ops(self, features: Any, labels: Any) -> Any:
        return self._call_model_fn(features, labels, ModeKeys.TRAIN)

    def _get_eval_ops(self, features: Any, labels: Any, metrics: Any) -> Any:
        ops = self._call_model_fn(features, labels, ModeKeys.EVAL, metrics)
        if MetricKey.LOSS not in ops.eval_metric_ops:
            ops.eval_metric_ops[MetricKey.LOSS] = tf.metrics.mean(ops.loss)
        return ops

    def _get_predict_ops(self, features: Any) -> Any:
        info = self._labels_info
        labels = {k: s.placeholder() for k, s in info.items()} if isinstance(info, dict) else None if info is None else info.placeholder()
        return self._call_model_fn(features, labels, ModeKeys.INFER)

    def export_savedmodel(
        self, export_dir_base: Any, serving_input_fn: Any, default_output_alternative_key: str | None = None, assets_extra: Any = None,
        as_text: bool = False, checkpoint_path: str | None = None, graph_rewrite_specs: Any = SERVING_GRAPH,
        strip_default_attrs: bool = False,
    ) -> Any:  # fmt: skip
        """Write the model for serving into a new folder, named by the time, and give its name."""
        from runtime.tf1.contrib.learn import exporting

        if serving_input_fn is None:
            raise ValueError("serving_input_fn must be defined.")
        path = checkpoint_path or tf.train.latest_checkpoint(self._model_dir)
        if not path:
            raise NotFittedError(f"Couldn't find trained model at {self._model_dir}.")
        if len(graph_rewrite_specs) != 1 or graph_rewrite_specs[0].transforms:
            raise NotImplementedError("export_savedmodel: graph_rewrite_specs with transforms need TensorFlow's graph transform tool.")
        folder = exporting.get_timestamped_export_dir(export_dir_base).decode()
        unfinished = os.path.join(os.path.dirname(folder), f"temp-{os.path.basename(folder)}")
        with internal_runs(), Graph().as_default() as graph:
            tf.train.create_global_step(graph)
            inputs = serving_input_fn()
            alternatives, features = exporting.get_input_alternatives(inputs)
            ops = self._call_model_fn(features, None, ModeKeys.INFER)
            outputs, default = exporting.get_output_alternatives(ops, default_output_alternative_key)
            initialize = tf.group(tf.local_variables_initializer(), tf.tables_initializer())
            signatures = exporting.build_all_signature_defs(alternatives, outputs, default)
            builder = tf.saved_model.Builder(unfinished)
            with tf.Session(config=self._session_config) as session:
                saver = ops.scaffold.saver if ops.scaffold is not None and ops.scaffold.saver is not None else tf.train.Saver(sharded=True)
                saver.restore(session, path)
                builder.add_meta_graph_and_variables(
                    session, list(graph_rewrite_specs[0].tags), signature_def_map=signatures,
                    assets_collection=tf.get_collection(GraphKeys.ASSET_FILEPATHS), main_op=initialize,
                )  # fmt: skip
        builder.save(as_text)
        for relative, source in (assets_extra or {}).items():
            target = os.path.join(unfinished, "assets.extra", relative)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(source, target)
        os.rename(unfinished, folder)
        return folder.encode()


@export("contrib.learn.SKCompat")
class SKCompat(SklearnEstimator):
    """An Estimator with scikit-learn's methods: fit, score and predict on arrays."""

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator

    def fit(
        self, x: Any, y: Any, batch_size: int | None = 128, steps: int | None = None, max_steps: int | None = None, monitors: Any = None
    ) -> Any:
        input_fn, feed_fn = _input_of(x, y, None, None, batch_size, shuffle=True, epochs=None)
        hooks = [tf.train.FeedFnHook(feed_fn)] if feed_fn else []
        self._estimator.fit(input_fn=input_fn, steps=steps, max_steps=max_steps, monitors=[*hooks, *(monitors or [])])
        return self

    def score(
        self, x: Any, y: Any, batch_size: int | None = 128, steps: int | None = None, metrics: Any = None, name: str | None = None
    ) -> Any:
        input_fn, feed_fn = _input_of(x, y, None, None, batch_size)
        if metrics is not None and not isinstance(metrics, dict):
            raise ValueError(f"Metrics argument should be None or dict. Got {metrics}.")
        results, step = self._estimator._evaluate_model(input_fn=input_fn, feed_fn=feed_fn, steps=steps, metrics=metrics, name=name)
        results.update({"global_step": step})
        return results

    def predict(self, x: Any, batch_size: int | None = 128, outputs: Any = None) -> Any:
        input_fn, feed_fn = _input_of(x, None, None, None, batch_size)
        found = list(self._estimator._infer_model(input_fn, feed_fn, outputs, True, iterate_batches=True))
        if not isinstance(found[0], dict):
            return np.concatenate(found, axis=0)
        return {key: np.concatenate([f[key] for f in found], axis=0) for key in found[0]}
