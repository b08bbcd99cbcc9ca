"""tf.keras.Model: compile, fit, evaluate, predict."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.tf1 import nest
from runtime.tf1.keras import backend as K
from runtime.tf1.keras import losses as losses_module
from runtime.tf1.keras import metrics as metrics_module
from runtime.tf1.keras import optimizers
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.engine import data, loops
from runtime.tf1.keras.engine.network import Network
from runtime.tf1.keras.serialization import unpack
from runtime.tf1.registry import export


@export("keras.models.Model")
class Model(Network):
    """A network that can be trained."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.optimizer: Any = None
        self.history: Any = None
        self.stop_training = False
        self._is_compiled = False

    @property
    def metrics(self) -> list[Any]:
        found = list(self.__dict__.get("_compiled_metrics", ()))
        found.extend(m for m in self._metrics if not any(m is f for f in found))
        for layer in self._layers:
            found.extend(m for m in layer.metrics if not any(m is f for f in found))
        return found

    @property
    def metrics_names(self) -> list[str]:
        return ["loss", *(m.name for m in self._evaluated_metrics())] if self._is_compiled else ["loss"]

    def _evaluated_metrics(self) -> list[Any]:
        return [*self.__dict__.get("_loss_metrics", ()), *self.metrics]

    def _compile_args(self) -> dict[str, Any]:
        return {
            "loss": self.loss,
            "metrics": self._given_metrics,
            "weighted_metrics": self._given_weighted,
            "loss_weights": self.loss_weights,
            "sample_weight_mode": self.sample_weight_mode,
        }

    def compile(
        self, optimizer: Any = "rmsprop", loss: Any = None, metrics: Any = None, loss_weights: Any = None, sample_weight_mode: Any = None, weighted_metrics: Any = None, target_tensors: Any = None,
        distribute: Any = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        """Say how the model is trained: nothing runs yet."""
        if distribute is not None:
            raise NotImplementedError("compile(distribute=...) is not supported: the stand-in trains on one device.")
        kwargs.pop("run_eagerly", None)
        self._function_kwargs = kwargs
        self.optimizer = optimizers.get(optimizer)
        self.loss = loss if loss is not None else {}
        self._given_metrics, self._given_weighted = metrics or [], weighted_metrics
        self.loss_weights, self.sample_weight_mode = loss_weights, sample_weight_mode
        self._target_tensors = target_tensors
        self._is_compiled = True
        self._compiled_metrics: list[Any] = []
        self._loss_metrics: list[Any] = []
        self._functions: dict[str, Any] = {}
        self._weighted_outputs: tuple[bool, ...] = ()
        self._finished = False
        self.total_loss: Any = None
        if self.built and self.inputs:
            self._finish_compile()

    def _finish_compile(self) -> None:
        count = len(self.outputs)
        self._losses_of = [losses_module.as_loss(x) for x in self._per_output(self.loss, "loss", broadcast=True)]
        shapes = [K.int_shape(o) for o in self.outputs]
        given = self._target_tensors
        if given is None:
            targets = [None] * count
        elif isinstance(given, dict):
            targets = [given.get(n) for n in self.output_names]
        else:
            targets = given if isinstance(given, list | tuple) else [given]
        self.targets, self._feed_targets, self._feed_outputs = [], [], []
        for i, (name, loss, target) in enumerate(zip(self.output_names, self._losses_of, targets, strict=True)):
            if loss is None:
                self.targets.append(None)
                continue
            if target is None:
                target = K.placeholder(
                    ndim=len(shapes[i]), name=f"{name}_target", sparse=K.is_sparse(self.outputs[i]), dtype=K.dtype(self.outputs[i])
                )
                self._feed_targets.append(target)
                self._feed_outputs.append(i)
            elif K.is_placeholder(target):
                self._feed_targets.append(target)
                self._feed_outputs.append(i)
            self.targets.append(target)
        self._make_metrics(shapes)
        self._weigh((False,) * count)
        self._finished = True

    def _per_output(self, given: Any, what: str, broadcast: bool = False) -> list[Any]:
        """One entry per output, from a value, a list or a dictionary by output name."""
        names = self.output_names
        if isinstance(given, dict):
            unknown = sorted(set(given) - set(names))
            if unknown:
                raise ValueError(f"Unknown entries in {what} dictionary: {unknown}. Only expected following keys: {names}")
            return [given.get(n) for n in names]
        if isinstance(given, list | tuple):
            if len(given) != len(names):
                raise ValueError(
                    f"When passing a list as {what}, it should have one entry per model output. The model has {len(names)} outputs, but you passed {what}={given}"
                )
            return list(given)
        return [given] * len(names) if broadcast else [given]

    def _make_metrics(self, shapes: list[Any]) -> None:
        """Metric objects, in the order of outputs; made once per compile."""

        def spread(given: Any) -> list[list[Any]]:
            if not given:
                return [[] for _ in self.output_names]
            if isinstance(given, dict):
                return [_listed(given.get(n)) for n in self.output_names]
            if any(isinstance(m, list | tuple) for m in given):
                return [_listed(m) for m in given]
            if len(self.output_names) > 1 and False:
                return []
            return [list(given) for _ in self.output_names]

        self._metric_calls: list[tuple[int, Any, bool]] = []
        if len(self.output_names) > 1:
            with tf.name_scope(""):
                self._loss_metrics = [
                    metrics_module.Mean(name=f"{n}_loss")
                    for n, loss in zip(self.output_names, self._losses_of, strict=True)
                    if loss is not None
                ]
        plain, weighted = spread(self._given_metrics), spread(self._given_weighted)
        for kind, each in ((False, plain), (True, weighted)):
            for i, wanted in enumerate(each):
                if self._losses_of[i] is None and not wanted:
                    continue
                target_shape = None if self.targets[i] is None else K.int_shape(self.targets[i])
                for metric in wanted:
                    if self.targets[i] is None:
                        continue
                    found, name = metrics_module.for_output(metric, self._losses_of[i], target_shape, shapes[i])
                    name = f"weighted_{name}" if kind and isinstance(metric, str) else name
                    if len(self.output_names) > 1:
                        name = f"{self.output_names[i]}_{name}"
                    taken = {m.name for m in self._compiled_metrics}
                    base_name, number = name, 1
                    while name in taken:
                        name = f"{base_name}_{number}"
                        number += 1
                    if isinstance(found, metrics_module.Metric):
                        made = found
                        made._name = name
                    else:
                        made = metrics_module.MeanMetricWrapper(found, name=name)
                    self._compiled_metrics.append(made)
                    self._metric_calls.append((i, made, kind))

    def _weigh(self, with_weights: tuple[bool, ...]) -> None:
        """Build metrics and losses; again when sample weights are first given."""
        self._weighted_outputs = with_weights
        self._functions = {}
        modes = self.sample_weight_mode
        modes = (
            [modes.get(n) for n in self.output_names]
            if isinstance(modes, dict)
            else list(modes)
            if isinstance(modes, list | tuple)
            else [modes] * len(self.output_names)
        )
        self._weight_modes = modes
        self.sample_weights: list[Any] = []
        for name, wanted, mode in zip(self.output_names, with_weights, modes, strict=True):
            if not wanted:
                self.sample_weights.append(None)
            elif mode == "temporal":
                self.sample_weights.append(
                    tf.placeholder_with_default(tf.constant([[1.0]], dtype=K.floatx()), shape=[None, None], name=f"{name}_sample_weights")
                )
            else:
                self.sample_weights.append(
                    tf.placeholder_with_default(tf.constant([1.0], dtype=K.floatx()), shape=[None], name=f"{name}_sample_weights")
                )
        masks = [getattr(o, "_keras_mask", None) for o in self.outputs]
        with tf.name_scope("metrics"):
            for i, metric, weighted in self._metric_calls:
                with tf.name_scope(metric.name):
                    weights = self.sample_weights[i] if weighted else None
                    if masks[i] is not None:
                        mask = tf.cast(masks[i], self.outputs[i].dtype)
                        weights = mask if weights is None else _masked(weights, mask)
                    metric(self.targets[i], self.outputs[i], sample_weight=weights) if weights is not None else metric(
                        self.targets[i], self.outputs[i]
                    )
        with tf.name_scope("metrics"):
            pass  # where weighted metrics go
        self.total_loss = self._build_loss(masks)
        params = list(self.trainable_weights)
        self._collected = params

    def _build_loss(self, masks: list[Any]) -> Any:
        loss_weights = self.loss_weights
        if loss_weights is None:
            weights = [1.0] * len(self.output_names)
        elif isinstance(loss_weights, dict):
            weights = [loss_weights.get(n, 1.0) for n in self.output_names]
        else:
            weights = self._per_output(loss_weights, "loss_weights")
        total: Any = None
        reported = iter(self._loss_metrics)
        with tf.name_scope("loss"):
            for i, (name, loss) in enumerate(zip(self.output_names, self._losses_of, strict=True)):
                if loss is None:
                    continue
                with tf.name_scope(f"{name}_loss"):
                    sample_weight = self.sample_weights[i]
                    if masks[i] is not None:
                        mask = tf.cast(masks[i], self.outputs[i].dtype)
                        sample_weight = mask if sample_weight is None else _masked(sample_weight, mask)
                    per_sample = loss.call(self.targets[i], self.outputs[i])
                    output_loss = losses_module.reduce(losses_module.weighted(per_sample, sample_weight), loss.reduction)
                    if loss.reduction == losses_module.Reduction.NONE:
                        output_loss = tf.reduce_mean(output_loss)
                if len(self.outputs) > 1:
                    metric = next(reported)
                    metric(output_loss)
                part = weights[i] * output_loss
                total = part if total is None else total + part
            own = self.get_losses_for(None) + self.get_losses_for(self.inputs)
            if total is None:
                if not own:
                    raise ValueError("The model cannot be compiled because it has no loss to optimize.")
                total = 0.0
            if own:
                total = total + tf.add_n(own)
        return total

    # -- functions -------------------------------------------------------------------------------------------------------

    def _make_function(self, mode: str) -> Any:
        phase = [] if isinstance(K.learning_phase(), int) else [K.learning_phase()]
        if mode == "predict":
            if "predict" not in self._predict_functions():
                kwargs = getattr(self, "_function_kwargs", {})
                with tf.name_scope("predict"):
                    self._predict_functions()["predict"] = K.function(
                        self._feed_inputs + phase, self.outputs, updates=self.state_updates, name="predict_function", **kwargs
                    )
            return self._predict_functions()["predict"]
        if mode in self._functions:
            return self._functions[mode]
        metric_tensors = [m._call_result for m in self._evaluated_metrics() if hasattr(m, "_call_result")]
        inputs = self._feed_inputs + self._feed_targets + [w for w in self.sample_weights if w is not None] + phase
        if mode == "train":
            with tf.name_scope("training"):
                updates = self.optimizer.get_updates(loss=self.total_loss, params=self._collected)
                updates += self.get_updates_for(None) + self.get_updates_for(self.inputs)
            with tf.name_scope("training"):
                made = K.function(
                    inputs, [self.total_loss, *metric_tensors], updates=updates, name="train_function", **self._function_kwargs
                )
        else:
            with tf.name_scope("evaluation"):
                made = K.function(
                    inputs, [self.total_loss, *metric_tensors], updates=self.state_updates, name="test_function", **self._function_kwargs
                )
        self._functions[mode] = made
        return made

    def _predict_functions(self) -> dict[str, Any]:
        functions: dict[str, Any] = self.__dict__.setdefault("_functions_of_predict", {})
        return functions

    def _make_train_function(self) -> None:
        self.train_function = self._make_function("train")

    def _make_test_function(self) -> None:
        self.test_function = self._make_function("test")

    def _make_predict_function(self) -> None:
        self.predict_function = self._make_function("predict")

    def _run(self, mode: str, feeds: list[Any]) -> list[Any]:
        """One batch: feeds are inputs, targets and sample weights."""
        function = self._make_function(mode)
        if not isinstance(K.learning_phase(), int):
            feeds = [*feeds, mode == "train"]
        return list(function(feeds))

    # -- building from data ------------------------------------------------------------------------------------------------

    def _called(self, inputs: Any, outputs: Any) -> None:
        if not self.inputs and not self._is_graph_network and not getattr(self, "_setting", False):
            flat = nest.flatten(inputs)
            if all(K.is_placeholder(t) for t in flat):
                self._note_io(flat, nest.flatten(outputs))

    def _note_io(self, inputs: list[Any], outputs: list[Any]) -> None:
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "outputs", outputs)
        self.input_names = [f"input_{i + 1}" for i in range(len(inputs))]
        self.output_names = [f"output_{i + 1}" for i in range(len(outputs))]
        self._feed_inputs, self._feed_input_names = inputs, self.input_names
        self._feed_input_shapes = [K.int_shape(t) for t in inputs]
        self.built = True

    def _set_inputs(self, x: Any) -> None:
        """Placeholders for the data of a model that was not given a shape, and its outputs."""
        if self.inputs:
            return
        arrays = nest.flatten(x)
        names = list(x) if isinstance(x, dict) else [f"input_{i + 1}" for i in range(len(arrays))]
        tensors = []
        for name, a in zip(names, arrays, strict=True):
            a = np.asarray(a) if not hasattr(a, "shape") else a
            shape = (None, *a.shape[1:]) if a.ndim > 1 else (None, 1)
            dtype = K.floatx() if a.dtype.kind == "f" or type(self).__name__ == "Sequential" else a.dtype.name
            tensors.append(K.placeholder(shape=shape, dtype=dtype, name=name))
        self._setting = True
        outputs = self(
            unpack(tensors) if not isinstance(x, dict) else dict(zip(names, tensors, strict=True)),
            **({"training": K.learning_phase()} if self._expects_training else {}),
        )
        self._setting = False
        self._note_io(tensors, nest.flatten(outputs))
        if self._is_compiled and not self._finished:
            self._finish_compile()

    def _check_compiled(self) -> None:
        if not self.optimizer:
            raise RuntimeError("You must compile your model before training/testing. Use `model.compile(optimizer, loss)`.")

    def _prepare(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, batch_size: Any = None, check_size: bool = True
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """x, y and weights as lists of arrays that fit the model."""
        self._set_inputs(x)
        return data.standardize(self, x, y, sample_weight, class_weight, check_size)

    # -- the public loops ----------------------------------------------------------------------------------------------------

    def fit(
        self, x: Any = None, y: Any = None, batch_size: int | None = None, epochs: int = 1, verbose: int = 1, callbacks: Any = None, validation_split: float = 0.0, validation_data: Any = None,
        shuffle: Any = True, class_weight: Any = None, sample_weight: Any = None, initial_epoch: int = 0, steps_per_epoch: int | None = None, validation_steps: int | None = None,
        validation_freq: Any = 1, max_queue_size: int = 10, workers: int = 1, use_multiprocessing: bool = False, **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Train for a number of epochs; returns the History."""
        if "nb_epoch" in kwargs:
            epochs = kwargs.pop("nb_epoch")
        if kwargs:
            raise TypeError(f"Unrecognized keyword arguments: {kwargs}")
        self._check_compiled()
        if data.is_generator(x):
            return self.fit_generator(
                x, steps_per_epoch=steps_per_epoch, epochs=epochs, verbose=verbose, callbacks=callbacks, validation_data=validation_data, validation_steps=validation_steps,
                validation_freq=validation_freq, class_weight=class_weight, shuffle=bool(shuffle), initial_epoch=initial_epoch,
            )  # fmt: skip
        if data.is_dataset(x):
            return loops.fit_dataset(
                self,
                x,
                epochs,
                verbose,
                callbacks,
                validation_data,
                initial_epoch,
                steps_per_epoch,
                validation_steps,
                validation_freq,
                class_weight,
            )
        return loops.fit_arrays(
            self, x, y, batch_size or (32 if steps_per_epoch is None else None), epochs, verbose, callbacks, validation_split, validation_data, shuffle, class_weight, sample_weight, initial_epoch,
            steps_per_epoch, validation_steps, validation_freq,
        )  # fmt: skip

    def evaluate(
        self, x: Any = None, y: Any = None, batch_size: int | None = None, verbose: int = 1, sample_weight: Any = None, steps: int | None = None, callbacks: Any = None, max_queue_size: int = 10,
        workers: int = 1, use_multiprocessing: bool = False,
    ) -> Any:  # fmt: skip
        """The loss and the metrics on data."""
        self._check_compiled()
        if data.is_generator(x):
            return self.evaluate_generator(x, steps=steps, callbacks=callbacks, verbose=verbose)
        if data.is_dataset(x):
            return loops.evaluate_dataset(self, x, steps, verbose, callbacks)
        return loops.evaluate_arrays(self, x, y, batch_size, verbose, sample_weight, steps, callbacks)

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int = 0,
        steps: int | None = None,
        callbacks: Any = None,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
    ) -> Any:
        """The outputs for data."""
        if data.is_generator(x):
            return self.predict_generator(x, steps=steps, callbacks=callbacks, verbose=verbose)
        if data.is_dataset(x):
            return loops.predict_dataset(self, x, steps, verbose, callbacks)
        return loops.predict_arrays(self, x, batch_size, verbose, steps, callbacks)

    def train_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, reset_metrics: bool = True) -> Any:
        self._check_compiled()
        inputs, targets, weights = self._prepare(x, y, sample_weight, class_weight)
        outputs = self._run("train", inputs + targets + weights)
        if reset_metrics:
            self.reset_metrics()
        return unpack(outputs)

    def test_on_batch(self, x: Any, y: Any = None, sample_weight: Any = None, reset_metrics: bool = True) -> Any:
        self._check_compiled()
        inputs, targets, weights = self._prepare(x, y, sample_weight)
        outputs = self._run("test", inputs + targets + weights)
        if reset_metrics:
            self.reset_metrics()
        return unpack(outputs)

    def predict_on_batch(self, x: Any) -> Any:
        inputs, _, _ = self._prepare(x)
        return unpack(self._run("predict", inputs))

    def reset_metrics(self) -> None:
        for metric in self._evaluated_metrics():
            metric.reset_states()

    def fit_generator(
        self, generator: Any, steps_per_epoch: int | None = None, epochs: int = 1, verbose: int = 1, callbacks: Any = None, validation_data: Any = None, validation_steps: int | None = None,
        validation_freq: Any = 1, class_weight: Any = None, max_queue_size: int = 10, workers: int = 1, use_multiprocessing: bool = False, shuffle: bool = True, initial_epoch: int = 0,
    ) -> Any:  # fmt: skip
        """Train on what a generator or a keras.utils.Sequence gives."""
        self._check_compiled()
        return loops.fit_generator(
            self,
            generator,
            steps_per_epoch,
            epochs,
            verbose,
            callbacks,
            validation_data,
            validation_steps,
            validation_freq,
            class_weight,
            shuffle,
            initial_epoch,
        )

    def evaluate_generator(
        self,
        generator: Any,
        steps: int | None = None,
        callbacks: Any = None,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        verbose: int = 0,
    ) -> Any:
        self._check_compiled()
        return loops.evaluate_generator(self, generator, steps, callbacks, verbose)

    def predict_generator(
        self,
        generator: Any,
        steps: int | None = None,
        callbacks: Any = None,
        max_queue_size: int = 10,
        workers: int = 1,
        use_multiprocessing: bool = False,
        verbose: int = 0,
    ) -> Any:
        return loops.predict_generator(self, generator, steps, callbacks, verbose)


def _listed(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]


def _masked(weights: Any, mask: Any) -> Any:
    """Sample weights of a masked output."""
    mask, _, weights = losses_module.squeeze_or_expand(mask, None, weights)
    return weights * mask
