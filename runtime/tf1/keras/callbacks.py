"""tf.keras.callbacks."""

from __future__ import annotations

import csv
import json
import os
from typing import Any

import numpy as np

from runtime.tf1.keras import backend as K
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.progress import Progbar
from runtime.tf1.registry import export


@export("keras.callbacks.Callback")
class Callback:
    """Is told of the beginnings and ends of training, epochs and batches."""

    def __init__(self) -> None:
        self.validation_data: Any = None
        self.model: Any = None
        self.params: dict[str, Any] = {}

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def set_model(self, model: Any) -> None:
        self.model = model

    def on_batch_begin(self, batch: int, logs: Any = None) -> None: ...
    def on_batch_end(self, batch: int, logs: Any = None) -> None: ...
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None: ...
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None: ...
    def on_test_batch_end(self, batch: int, logs: Any = None) -> None: ...
    def on_predict_batch_begin(self, batch: int, logs: Any = None) -> None: ...
    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None: ...
    def on_train_begin(self, logs: Any = None) -> None: ...
    def on_train_end(self, logs: Any = None) -> None: ...
    def on_test_begin(self, logs: Any = None) -> None: ...
    def on_test_end(self, logs: Any = None) -> None: ...
    def on_predict_begin(self, logs: Any = None) -> None: ...
    def on_predict_end(self, logs: Any = None) -> None: ...


class CallbackList:
    """Callbacks told together."""

    def __init__(self, callbacks: list[Any], params: dict[str, Any], model: Any) -> None:
        self.callbacks, self.params, self.model = callbacks, params, model
        for callback in callbacks:
            callback.set_params(params)
            callback.set_model(model)

    def _tell(self, method: str, *args: Any) -> None:
        for callback in self.callbacks:
            told = getattr(callback, method, None)
            if told is not None:
                told(*args)

    def on_train_begin(self) -> None:
        self._tell("on_train_begin", {})

    def on_train_end(self) -> None:
        self._tell("on_train_end", {})

    def on_epoch_begin(self, epoch: int) -> None:
        self._tell("on_epoch_begin", epoch, {})

    def on_epoch_end(self, epoch: int, logs: dict[str, Any]) -> None:
        self._tell("on_epoch_end", epoch, logs)

    def on_batch_begin(self, mode: str, batch: int, logs: dict[str, Any]) -> None:
        for callback in self.callbacks:
            named = getattr(callback, f"on_{mode}_batch_begin", None)
            if named is not None:
                named(batch, logs)
            elif mode == "train" and hasattr(callback, "on_batch_begin"):
                callback.on_batch_begin(batch, logs)

    def on_batch_end(self, mode: str, batch: int, logs: dict[str, Any]) -> None:
        for callback in self.callbacks:
            named = getattr(callback, f"on_{mode}_batch_end", None)
            if named is not None:
                named(batch, logs)
            elif mode == "train" and hasattr(callback, "on_batch_end"):
                callback.on_batch_end(batch, logs)

    def on_begin(self, mode: str) -> None:
        self._tell(f"on_{mode}_begin", {})

    def on_end(self, mode: str) -> None:
        self._tell(f"on_{mode}_end", {})


def configure(
    callbacks: Any,
    model: Any,
    validates: bool,
    batch_size: Any,
    epochs: int,
    steps: Any,
    samples: Any,
    verbose: int,
    validation: Any,
    count_mode: str,
) -> CallbackList:
    """The callbacks of a training: averages first, then the script's, then the history and the progress bar."""
    model.history = History()
    listed: list[Any] = [BaseLogger(), *(callbacks or []), model.history]
    if verbose:
        listed.append(ProgbarLogger(count_mode))
    names = list(model.metrics_names)
    params = {
        "batch_size": batch_size, "epochs": epochs, "steps": steps, "samples": samples, "verbose": verbose, "do_validation": validates,
        "metrics": names + ([f"val_{n}" for n in names] if validates else []),
    }  # fmt: skip
    made = CallbackList(listed, params, model)
    for callback in listed:
        callback.validation_data = validation
    return made


def configure_running(callbacks: Any, model: Any, mode: str, batch_size: Any, samples: Any, steps: Any, verbose: int) -> CallbackList:
    """The callbacks of an evaluation or a prediction."""
    listed = list(callbacks or [])
    if verbose:
        listed.append(_Running(mode))
    metrics = list(model.metrics_names) if mode == "test" else []
    params = {
        "batch_size": batch_size,
        "epochs": 1,
        "steps": steps,
        "samples": samples,
        "verbose": verbose,
        "do_validation": False,
        "metrics": metrics,
    }
    return CallbackList(listed, params, model)


@export("keras.callbacks.BaseLogger")
class BaseLogger(Callback):
    """Averages over an epoch what the loop does not."""

    def __init__(self, stateful_metrics: Any = None) -> None:
        super().__init__()
        self.stateful_metrics = set(stateful_metrics or [])


@export("keras.callbacks.TerminateOnNaN")
class TerminateOnNaN(Callback):
    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and (np.isnan(loss) or np.isinf(loss)):
            print(f"Batch {batch}: Invalid loss, terminating training")
            self.model.stop_training = True


@export("keras.callbacks.ProgbarLogger")
class ProgbarLogger(Callback):
    def __init__(self, count_mode: str = "samples", stateful_metrics: Any = None) -> None:
        super().__init__()
        if count_mode not in ("samples", "steps"):
            raise ValueError(f"Unknown `count_mode`: {count_mode}")
        self.use_steps = count_mode == "steps"
        self.progbar: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        self.verbose, self.epochs = self.params["verbose"], self.params["epochs"]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.seen = 0
        self.target = self.params["steps"] if self.use_steps else self.params["samples"]
        if self.verbose and self.epochs > 1:
            print(f"Epoch {epoch + 1}/{self.epochs}")
        self.progbar = Progbar(
            self.target,
            verbose=self.verbose,
            stateful_metrics=[n for n in self.params["metrics"] if n != "loss"],
            unit_name="step" if self.use_steps else "sample",
        )

    def on_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.log_values: list[Any] = []

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        logs = logs or {}
        self.seen += 1 if self.use_steps else logs.get("size", 0)
        self.log_values = [(k, logs[k]) for k in self.params["metrics"] if k in logs]
        if self.verbose and (self.target is None or self.seen < self.target):
            self.progbar.update(self.seen, self.log_values)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs or {}
        values = [(k, logs[k]) for k in self.params["metrics"] if k in logs]
        if self.verbose:
            if self.target is None:
                self.progbar.target = self.seen
            self.progbar.update(self.seen, _final(values, self.progbar))


def _final(values: list[Any], bar: Any) -> list[Any]:
    """The values at the end of an epoch replace the averages over batches."""
    bar._values.clear()
    return values


class _Running(ProgbarLogger):
    """The progress bar of evaluate and predict."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode

    def _begin(self) -> None:
        self.use_steps = self.params["samples"] is None
        self.verbose, self.epochs = self.params["verbose"], 1
        self.on_epoch_begin(0)

    def _finish(self) -> None:
        if self.verbose == 1 and self.target is None:
            print()

    def on_test_begin(self, logs: Any = None) -> None:
        self._begin()

    on_predict_begin = on_test_begin

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.log_values = []

    on_predict_batch_begin = on_test_batch_begin

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        logs = logs or {}
        self.seen += 1 if self.use_steps else logs.get("size", 0)
        values = [(k, logs[k]) for k in self.params["metrics"] if k in logs]
        if self.verbose:
            self.progbar.update(self.seen, values)

    on_predict_batch_end = on_test_batch_end

    def on_test_end(self, logs: Any = None) -> None:
        self._finish()

    on_predict_end = on_test_end


@export("keras.callbacks.History")
class History(Callback):
    """The logs of every epoch."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


def _mode(monitor: str, mode: str) -> tuple[Any, float]:
    """How values are compared, and the worst of them."""
    if mode not in ("auto", "min", "max"):
        tf.logging.warning("Mode %s is unknown, fallback to auto mode.", mode)
        mode = "auto"
    if mode == "max" or (mode == "auto" and ("acc" in monitor or monitor.startswith("fmeasure"))):
        return np.greater, -np.inf
    return np.less, np.inf


@export("keras.callbacks.ModelCheckpoint")
class ModelCheckpoint(Callback):
    """Saves the model, or its weights, after epochs."""

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: Any = "epoch",
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.filepath, self.monitor, self.verbose = filepath, monitor, verbose
        self.save_best_only, self.save_weights_only, self.save_freq = save_best_only, save_weights_only, save_freq
        self.period = kwargs.get("period", 1)
        self.monitor_op, self.best = _mode(monitor, mode)
        self.epochs_since_last_save = 0
        self._samples = 0
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        if isinstance(self.save_freq, int):
            self._samples += (logs or {}).get("size", 1)
            if self._samples >= self.save_freq:
                self._save(self._epoch, logs)
                self._samples = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs_since_last_save += 1
        if self.save_freq == "epoch" and self.epochs_since_last_save >= self.period:
            self._save(epoch, logs)

    def _save(self, epoch: int, logs: Any) -> None:
        logs = logs or {}
        self.epochs_since_last_save = 0
        path = str(self.filepath).format(epoch=epoch + 1, **logs)
        if self.save_best_only:
            current = logs.get(self.monitor)
            if current is None:
                tf.logging.warning("Can save best model only with %s available, skipping.", self.monitor)
                return
            if not self.monitor_op(current, self.best):
                if self.verbose > 0:
                    print(f"\nEpoch {epoch + 1:05d}: {self.monitor} did not improve from {self.best:0.5f}")
                return
            if self.verbose > 0:
                print(f"\nEpoch {epoch + 1:05d}: {self.monitor} improved from {self.best:0.5f} to {current:0.5f}, saving model to {path}")
            self.best = current
        elif self.verbose > 0:
            print(f"\nEpoch {epoch + 1:05d}: saving model to {path}")
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)


@export("keras.callbacks.EarlyStopping")
class EarlyStopping(Callback):
    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
    ) -> None:
        super().__init__()
        self.monitor, self.patience, self.verbose, self.baseline = monitor, patience, verbose, baseline
        self.restore_best_weights = restore_best_weights
        self.monitor_op, self._worst = _mode(monitor, mode if mode in ("min", "max") else ("max" if "acc" in monitor else "min"))
        self.min_delta = abs(min_delta) if self.monitor_op is np.greater else -abs(min_delta)
        self.best_weights: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        self.wait = self.stopped_epoch = 0
        self.best = self.baseline if self.baseline is not None else self._worst

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        current = (logs or {}).get(self.monitor)
        if current is None:
            tf.logging.warning(
                "Early stopping conditioned on metric `%s` which is not available. Available metrics are: %s",
                self.monitor,
                ",".join(logs or {}),
            )
            return
        if self.monitor_op(current - self.min_delta, self.best):
            self.best, self.wait = current, 0
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            return
        self.wait += 1
        if self.wait >= self.patience:
            self.stopped_epoch = epoch
            self.model.stop_training = True
            if self.restore_best_weights and self.best_weights is not None:
                if self.verbose > 0:
                    print("Restoring model weights from the end of the best epoch.")
                self.model.set_weights(self.best_weights)

    def on_train_end(self, logs: Any = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1:05d}: early stopping")


@export("keras.callbacks.RemoteMonitor")
class RemoteMonitor(Callback):
    """Sends the logs of epochs to a server."""

    def __init__(
        self,
        root: str = "http://localhost:9000",
        path: str = "/publish/epoch/end/",
        field: str = "data",
        headers: Any = None,
        send_as_json: bool = False,
    ) -> None:
        super().__init__()
        self.root, self.path, self.field, self.headers, self.send_as_json = root, path, field, headers, send_as_json

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        import urllib.error
        import urllib.parse
        import urllib.request

        send = {"epoch": epoch, **{k: float(v) for k, v in (logs or {}).items()}}
        text = json.dumps(send)
        body = text.encode() if self.send_as_json else urllib.parse.urlencode({self.field: text}).encode()
        headers = {**(self.headers or {}), **({"Content-Type": "application/json"} if self.send_as_json else {})}
        try:
            urllib.request.urlopen(urllib.request.Request(self.root + self.path, data=body, headers=headers), timeout=10).close()
        except (urllib.error.URLError, OSError):
            tf.logging.warning("Warning: could not reach RemoteMonitor root server at %s", self.root)


@export("keras.callbacks.LearningRateScheduler")
class LearningRateScheduler(Callback):
    def __init__(self, schedule: Any, verbose: int = 0) -> None:
        super().__init__()
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if not hasattr(self.model.optimizer, "lr"):
            raise ValueError('Optimizer must have a "lr" attribute.')
        try:
            rate = self.schedule(epoch, float(K.get_value(self.model.optimizer.lr)))
        except TypeError:
            rate = self.schedule(epoch)
        if not isinstance(rate, float | np.float32 | np.float64):
            raise ValueError('The output of the "schedule" function should be float.')
        K.set_value(self.model.optimizer.lr, rate)
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1:05d}: LearningRateScheduler reducing learning rate to {rate}.")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if logs is not None:
            logs["lr"] = K.get_value(self.model.optimizer.lr)


@export("keras.callbacks.ReduceLROnPlateau")
class ReduceLROnPlateau(Callback):
    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if factor >= 1.0:
            raise ValueError("ReduceLROnPlateau does not support a factor >= 1.0.")
        self.monitor, self.factor, self.patience, self.verbose = monitor, factor, patience, verbose
        self.min_delta = kwargs.get("epsilon", min_delta)
        self.cooldown, self.min_lr, self.mode = cooldown, min_lr, mode
        self._reset()

    def _reset(self) -> None:
        if self.mode == "min" or (self.mode not in ("min", "max") and "acc" not in self.monitor):
            self.monitor_op, self.best = (lambda a, b: np.less(a, b - self.min_delta)), np.inf
        else:
            self.monitor_op, self.best = (lambda a, b: np.greater(a, b + self.min_delta)), -np.inf
        self.cooldown_counter = self.wait = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self._reset()

    def in_cooldown(self) -> bool:
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs if logs is not None else {}
        logs["lr"] = K.get_value(self.model.optimizer.lr)
        current = logs.get(self.monitor)
        if current is None:
            tf.logging.warning(
                "Reduce LR on plateau conditioned on metric `%s` which is not available. Available metrics are: %s",
                self.monitor,
                ",".join(logs),
            )
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.monitor_op(current, self.best):
            self.best, self.wait = current, 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                old = float(K.get_value(self.model.optimizer.lr))
                if old > self.min_lr:
                    new = max(old * self.factor, self.min_lr)
                    K.set_value(self.model.optimizer.lr, new)
                    if self.verbose > 0:
                        print(f"\nEpoch {epoch + 1:05d}: ReduceLROnPlateau reducing learning rate to {new}.")
                    self.cooldown_counter, self.wait = self.cooldown, 0


@export("keras.callbacks.CSVLogger")
class CSVLogger(Callback):
    """Writes the logs of epochs to a file."""

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.sep, self.filename, self.append = separator, filename, append
        self.writer: Any = None
        self.keys: Any = None
        self.append_header = True
        self.csv_file: Any = None

    def on_train_begin(self, logs: Any = None) -> None:
        if self.append and os.path.exists(self.filename):
            with open(self.filename) as f:
                self.append_header = not bool(len(f.readline()))
        self.csv_file = open(self.filename, "a" if self.append else "w", newline="")  # noqa: SIM115 - closed at the end of training

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
        if self.model.stop_training:
            logs = {k: logs.get(k, "NA") for k in self.keys}
        if not self.writer:
            self.writer = csv.DictWriter(self.csv_file, fieldnames=["epoch", *self.keys], delimiter=self.sep, lineterminator="\n")
            if self.append_header:
                self.writer.writeheader()
        self.writer.writerow({"epoch": epoch, **{k: _cell(logs[k]) for k in self.keys}})
        self.csv_file.flush()

    def on_train_end(self, logs: Any = None) -> None:
        self.csv_file.close()
        self.writer = None


def _cell(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.ndim > 0:
        return f'"[{", ".join(map(str, value))}]"'
    return value


@export("keras.callbacks.LambdaCallback")
class LambdaCallback(Callback):
    def __init__(
        self,
        on_epoch_begin: Any = None,
        on_epoch_end: Any = None,
        on_batch_begin: Any = None,
        on_batch_end: Any = None,
        on_train_begin: Any = None,
        on_train_end: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        self.__dict__.update(kwargs)
        given = {
            "on_epoch_begin": on_epoch_begin, "on_epoch_end": on_epoch_end, "on_batch_begin": on_batch_begin, "on_batch_end": on_batch_end, "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
        }  # fmt: skip
        for name, function in given.items():
            if function is not None:
                setattr(self, name, _called_plainly(function))


def _called_plainly(function: Any) -> Any:
    def call(*args: Any, logs: Any = None) -> Any:
        return function(*args, logs) if logs is not None else function(*args)

    return call


@export("keras.callbacks.TensorBoard")
class TensorBoard(Callback):
    """Writes the logs of epochs, the graph and histograms of weights as TensorBoard's events."""

    def __init__(
        self, log_dir: str = "./logs", histogram_freq: int = 0, batch_size: int = 32, write_graph: bool = True, write_grads: bool = False, write_images: bool = False, embeddings_freq: int = 0,
        embeddings_layer_names: Any = None, embeddings_metadata: Any = None, embeddings_data: Any = None, update_freq: Any = "epoch", profile_batch: int = 2, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self.log_dir, self.histogram_freq, self.batch_size = log_dir, histogram_freq, batch_size
        self.write_graph, self.write_grads, self.write_images = write_graph, write_grads, write_images
        self.update_freq = 1 if update_freq == "batch" else update_freq
        self.writer: Any = None
        self.merged: Any = None
        self._seen = self._written = 0

    def set_model(self, model: Any) -> None:
        self.model = model
        if self.histogram_freq and self.merged is None:
            parts = []
            for layer in model.layers:
                for weight in layer.weights:
                    parts.append(tf.summary.histogram(weight.name.replace(":", "_"), weight))
                if hasattr(layer, "output") and not isinstance(layer.output, list):
                    parts.append(tf.summary.histogram(f"{layer.name}_out", layer.output))
            self.merged = tf.summary.merge(parts)
        self.writer = tf.summary.FileWriter(self.log_dir, K.get_session().graph if self.write_graph else None)

    def _write(self, logs: dict[str, Any], step: int) -> None:
        for name, value in logs.items():
            if name in ("batch", "size", "num_steps"):
                continue
            summary = tf.Summary()
            entry = summary.value.add()
            entry.simple_value = float(value)
            entry.tag = name
            self.writer.add_summary(summary, step)
        self.writer.flush()

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.update_freq == "epoch":
            return
        self._seen += (logs or {}).get("size", 1)
        if self._seen - self._written >= self.update_freq:
            self._write({f"batch_{k}" if k not in ("batch", "size") else k: v for k, v in (logs or {}).items()}, self._seen)
            self._written = self._seen

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        step = epoch if self.update_freq == "epoch" else self._seen
        self._write({f"epoch_{k}" if not k.startswith("epoch_") else k: v for k, v in (logs or {}).items()}, step)
        if self.merged is not None and self.validation_data and epoch % self.histogram_freq == 0:
            from runtime.tf1 import client

            feeds = self.validation_data[: len(self.model._feed_inputs)]
            with client.internal_runs():
                text = K.get_session().run(
                    self.merged, dict(zip(self.model._feed_inputs, [f[: self.batch_size] for f in feeds], strict=True))
                )
            self.writer.add_summary(text, epoch)

    def on_train_end(self, logs: Any = None) -> None:
        self.writer.close()
