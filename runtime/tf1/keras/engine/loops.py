"""The loops over batches and epochs: arrays, generators, data sets."""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from runtime.tf1 import client, nest
from runtime.tf1.keras import backend as K
from runtime.tf1.keras import callbacks as cbks
from runtime.tf1.keras.engine import data
from runtime.tf1.keras.serialization import unpack


def _validates(epoch: int, freq: Any) -> bool:
    return (epoch + 1) % freq == 0 if isinstance(freq, int) else epoch + 1 in freq


def _batches(count: int, size: int) -> list[tuple[int, int]]:
    return [(i * size, min(count, (i + 1) * size)) for i in range((count + size - 1) // size)]


def _count(arrays: list[Any]) -> int:
    return int(arrays[0].shape[0])


def _shuffle_batches(index: Any, size: int) -> Any:
    """Batches in another order, the samples inside together; the last, smaller batch stays last."""
    full = len(index) // size
    last = index[full * size :]
    kept = index[: full * size].reshape((full, size))
    np.random.shuffle(kept)
    return np.append(kept.flatten(), last)


def fit_arrays(
    model: Any, x: Any, y: Any, batch_size: Any, epochs: int, verbose: int, callbacks: Any, validation_split: float, validation_data: Any, shuffle: Any, class_weight: Any, sample_weight: Any,
    initial_epoch: int, steps_per_epoch: int | None, validation_steps: int | None, validation_freq: Any,
) -> Any:  # fmt: skip
    inputs, targets, weights = model._prepare(x, y, sample_weight, class_weight)
    feeds = inputs + targets + weights
    validation: list[Any] | None = None
    loader: Any = None
    if validation_data is not None:
        if data.is_generator(validation_data) or data.is_dataset(validation_data):
            loader = validation_data
        else:
            if len(validation_data) not in (2, 3):
                raise ValueError(
                    f"`validation_data` must be a tuple of 2 (x_val, y_val) or 3 (x_val, y_val, val_sample_weights) entries. Found {len(validation_data)}."
                )
            val_x, val_y, val_w = validation_data if len(validation_data) == 3 else (*validation_data, None)
            vi, vt, vw = model._prepare(val_x, val_y, val_w)
            validation = vi + vt + vw
    elif validation_split and 0.0 < validation_split < 1.0:
        split = int(_count(feeds) * (1.0 - validation_split))
        validation = data.rows(feeds, slice(split, None))
        feeds = data.rows(feeds, slice(0, split))
    model._make_function("train")
    if steps_per_epoch is not None and not feeds:
        count = None
    else:
        count = _count(feeds)
    listed = cbks.configure(
        callbacks,
        model,
        validation is not None or loader is not None,
        batch_size,
        epochs,
        steps_per_epoch,
        count,
        verbose,
        validation,
        "steps" if steps_per_epoch is not None and count is None else "samples",
    )
    if verbose and count is not None:
        text = f"Train on {count} samples"
        if validation is not None:
            text += f", validate on {_count(validation)} samples"
        print(text)
    model.stop_training = False
    listed.on_train_begin()
    aggregated: list[float] = []
    for epoch in range(initial_epoch, epochs):
        if model.stop_training:
            break
        model.reset_metrics()
        listed.on_epoch_begin(epoch)
        logs: dict[str, Any] = {}
        if count is None:
            aggregated = _fed_steps(model, "train", steps_per_epoch or 1, listed)
        else:
            index = np.arange(count)
            if shuffle == "batch":
                index = _shuffle_batches(index, batch_size)
            elif shuffle:
                np.random.shuffle(index)
            size = batch_size or -(-count // (steps_per_epoch or 1))
            aggregated = _array_epoch(model, "train", feeds, index, size, listed, steps_per_epoch)
        logs.update(zip(model.metrics_names, aggregated, strict=False))
        if validation is not None and _validates(epoch, validation_freq):
            values = _evaluate_feeds(model, validation, batch_size or 32, None, validation_steps, shuffled=validation_steps is None)
            logs.update({f"val_{n}": v for n, v in zip(model.metrics_names, values, strict=False)})
        elif loader is not None and _validates(epoch, validation_freq):
            values = _evaluate_any(model, loader, validation_steps)
            logs.update({f"val_{n}": v for n, v in zip(model.metrics_names, values, strict=False)})
        listed.on_epoch_end(epoch, logs)
    listed.on_train_end()
    return model.history


def _array_epoch(model: Any, mode: str, feeds: list[Any], index: Any, size: int, listed: Any, steps: int | None = None) -> list[float]:
    """One pass over arrays; the loss averaged over samples, metrics as they stand at the end."""
    total, seen, last = 0.0, 0, []
    shuffled = index is not None and not np.array_equal(index, np.arange(len(index)))
    batches = _batches(len(index), size)
    for number, (start, end) in enumerate(batches if steps is None else batches[:steps]):
        batch = data.rows(feeds, index[start:end] if shuffled else slice(start, end))
        logs = {"batch": number, "size": end - start}
        if listed is not None:
            listed.on_batch_begin(mode, number, logs)
        values = model._run(mode, batch)
        for name, value in zip(model.metrics_names, values, strict=False):
            logs[name] = value
        if listed is not None:
            listed.on_batch_end(mode, number, logs)
        total += float(values[0]) * (end - start)
        seen += end - start
        last = values
        if mode == "train" and model.stop_training:
            break
    return [total / max(seen, 1), *last[1:]]


def _fed_steps(model: Any, mode: str, steps: int, listed: Any) -> list[float]:
    """Steps of a model whose inputs are tensors."""
    total, last = 0.0, []
    for number in range(steps):
        logs = {"batch": number, "size": 1}
        if listed is not None:
            listed.on_batch_begin(mode, number, logs)
        values = model._run(mode, [])
        logs.update(zip(model.metrics_names, values, strict=False))
        if listed is not None:
            listed.on_batch_end(mode, number, logs)
        total += float(values[0])
        last = values
    return [total / steps, *last[1:]]


def _evaluate_feeds(
    model: Any, feeds: list[Any], size: int, listed: Any, steps: int | None = None, *, shuffled: bool = False
) -> list[float]:
    model.reset_metrics()
    index = np.arange(_count(feeds))
    if shuffled:  # as TensorFlow 1.15 does with validation data, whatever fit was told: later shuffles depend on it
        np.random.shuffle(index)
    return _array_epoch(model, "test", feeds, index, size, listed, steps)


def evaluate_arrays(
    model: Any, x: Any, y: Any, batch_size: int | None, verbose: int, sample_weight: Any, steps: int | None, callbacks: Any
) -> Any:
    inputs, targets, weights = model._prepare(x, y, sample_weight)
    feeds = inputs + targets + weights
    model._make_function("test")
    if not feeds:
        model.reset_metrics()
        return unpack(_fed_steps(model, "test", steps or 1, None))
    listed = cbks.configure_running(callbacks, model, "test", batch_size or 32, _count(feeds), steps, verbose)
    listed.on_begin("test")
    values = _evaluate_feeds(model, feeds, batch_size or 32, listed, steps)
    listed.on_end("test")
    return unpack(values)


def predict_arrays(model: Any, x: Any, batch_size: int | None, verbose: int, steps: int | None, callbacks: Any) -> Any:
    inputs, _, _ = model._prepare(x)
    count, size = _count(inputs), batch_size or 32
    if model.stateful and inputs and model._feed_input_shapes[0][0] and count % model._feed_input_shapes[0][0]:
        raise ValueError(
            f"In a stateful network, you should only pass inputs with a number of samples that can be divided by the batch size. Found: {count} samples. Batch size: {size}."
        )
    listed = cbks.configure_running(callbacks, model, "predict", size, count, steps, verbose)
    listed.on_begin("predict")
    parts: list[list[Any]] = []
    for number, (start, end) in enumerate(_batches(count, size)[:steps]):
        logs = {"batch": number, "size": end - start}
        listed.on_batch_begin("predict", number, logs)
        values = model._run("predict", data.rows(inputs, slice(start, end)))
        listed.on_batch_end("predict", number, logs)
        parts.append(values)
    listed.on_end("predict")
    joined = [np.concatenate([p[i] for p in parts], axis=0) if len(parts) > 1 else parts[0][i] for i in range(len(parts[0]))]
    structure = getattr(model, "_nested_outputs", None)
    return nest.pack_sequence_as(structure, joined) if isinstance(structure, dict) else unpack(joined)


# -- generators --------------------------------------------------------------------------------------------------------


def _generated(generator: Any, shuffle: bool = False) -> Any:
    """What a generator gives, without end; a Sequence batch by batch, in another order each epoch."""
    if not data.is_sequence(generator):
        yield from generator
        return
    while True:
        order = np.arange(len(generator))
        if shuffle:
            import random

            mixed = list(order)
            random.shuffle(mixed)
            order = np.asarray(mixed)
        for i in order:
            yield generator[int(i)]
        generator.on_epoch_end()


def _parts(batch: Any) -> tuple[Any, Any, Any]:
    if not isinstance(batch, tuple):
        return batch, None, None
    if len(batch) == 2:
        return batch[0], batch[1], None
    if len(batch) == 3:
        return batch
    if len(batch) == 1:
        return batch[0], None, None
    raise ValueError(
        f"Output of generator should be a tuple of 1 or 2 or 3 elements: (input,) or (input, target) or (input, target, sample_weights). Received {str(batch)[:200]}"
    )


def _size(x: Any) -> int:
    first = nest.flatten(x)[0]
    return int(np.shape(first)[0]) if np.ndim(first) else 1


def _generator_epoch(
    model: Any, mode: str, source: Any, steps: int | None, listed: Any, class_weight: Any = None, by_samples: bool = False
) -> list[float]:
    total, seen, last, number = 0.0, 0, [], 0
    while steps is None or number < steps:
        try:
            x, y, w = _parts(next(source))
        except StopIteration:
            break
        size = _size(x)
        logs = {"batch": number, "size": size}
        if listed is not None:
            listed.on_batch_begin(mode, number, logs)
        inputs, targets, weights = model._prepare(x, y, w, class_weight if mode == "train" else None)
        values = model._run(mode, inputs + targets + weights)
        logs.update(zip(model.metrics_names, values, strict=False))
        if listed is not None:
            listed.on_batch_end(mode, number, logs)
        weight = size if by_samples else 1
        total += float(values[0]) * weight
        seen += weight
        last = values
        number += 1
        if mode == "train" and model.stop_training:
            break
    return [total / max(seen, 1), *last[1:]]


def _steps_of(generator: Any, steps: int | None, what: str) -> int | None:
    if steps is None and data.is_sequence(generator):
        return len(generator)
    if steps is None and what != "dataset":
        raise ValueError(
            f"`{what}=None` is only valid for a generator based on the `keras.utils.Sequence` class. Please specify `{what}` or use the `keras.utils.Sequence` class."
        )
    return steps


def fit_generator(
    model: Any, generator: Any, steps_per_epoch: int | None, epochs: int, verbose: int, callbacks: Any, validation_data: Any, validation_steps: int | None, validation_freq: Any, class_weight: Any,
    shuffle: bool, initial_epoch: int,
) -> Any:  # fmt: skip
    steps = _steps_of(generator, steps_per_epoch, "steps_per_epoch")
    source = _generated(generator, shuffle and data.is_sequence(generator))
    first_x, first_y, first_w = None, None, None
    if not model.inputs:
        import itertools

        first = next(source)
        first_x, first_y, first_w = _parts(first)
        model._set_inputs(first_x)
        source = itertools.chain([first], source)
    del first_y, first_w
    validation, loader = None, None
    if validation_data is not None:
        if data.is_generator(validation_data) or data.is_dataset(validation_data):
            loader = validation_data
        else:
            validation = functools.reduce(
                operator.iadd, model._prepare(*(validation_data if len(validation_data) == 3 else (*validation_data, None))), []
            )
    model._make_function("train")
    listed = cbks.configure(
        callbacks, model, validation is not None or loader is not None, None, epochs, steps, None, verbose, validation, "steps"
    )
    model.stop_training = False
    listed.on_train_begin()
    for epoch in range(initial_epoch, epochs):
        if model.stop_training:
            break
        model.reset_metrics()
        listed.on_epoch_begin(epoch)
        logs = dict(zip(model.metrics_names, _generator_epoch(model, "train", source, steps, listed, class_weight), strict=False))
        if validation is not None and _validates(epoch, validation_freq):
            values = _evaluate_feeds(model, validation, 32, None, validation_steps)
            logs.update({f"val_{n}": v for n, v in zip(model.metrics_names, values, strict=False)})
        elif loader is not None and _validates(epoch, validation_freq):
            values = _evaluate_any(model, loader, validation_steps)
            logs.update({f"val_{n}": v for n, v in zip(model.metrics_names, values, strict=False)})
        listed.on_epoch_end(epoch, logs)
    listed.on_train_end()
    return model.history


def _evaluate_any(model: Any, loader: Any, steps: int | None) -> list[float]:
    model.reset_metrics()
    if data.is_dataset(loader):
        return _generator_epoch(model, "test", _dataset_batches(loader), steps, None)
    return _generator_epoch(
        model, "test", _generated(loader), _steps_of(loader, steps, "validation_steps"), None, by_samples=data.is_sequence(loader) and False
    )


def evaluate_generator(model: Any, generator: Any, steps: int | None, callbacks: Any, verbose: int) -> Any:
    steps = _steps_of(generator, steps, "steps")
    model.reset_metrics()
    listed = cbks.configure_running(callbacks, model, "test", None, None, steps, verbose)
    listed.on_begin("test")
    values = _generator_epoch(model, "test", _generated(generator), steps, listed)
    listed.on_end("test")
    return unpack(values)


def _predict_source(model: Any, source: Any, steps: int | None, listed: Any) -> Any:
    parts: list[list[Any]] = []
    number = 0
    listed.on_begin("predict")
    while steps is None or number < steps:
        try:
            x, _, _ = _parts(next(source))
        except StopIteration:
            break
        logs = {"batch": number, "size": _size(x)}
        listed.on_batch_begin("predict", number, logs)
        inputs, _, _ = model._prepare(x)
        parts.append(model._run("predict", inputs))
        listed.on_batch_end("predict", number, logs)
        number += 1
    listed.on_end("predict")
    return unpack([np.concatenate([p[i] for p in parts], axis=0) for i in range(len(parts[0]))])


def predict_generator(model: Any, generator: Any, steps: int | None, callbacks: Any, verbose: int) -> Any:
    steps = _steps_of(generator, steps, "steps")
    return _predict_source(
        model, _generated(generator), steps, cbks.configure_running(callbacks, model, "predict", None, None, steps, verbose)
    )


# -- data sets -----------------------------------------------------------------------------------------------------------


def _dataset_batches(dataset: Any) -> Any:
    """The batches of a tf.data data set or iterator, as arrays."""
    from runtime.tf1.errors import OutOfRangeError

    iterator = dataset
    if hasattr(dataset, "make_initializable_iterator"):
        iterator = dataset.make_initializable_iterator()
        with client.internal_runs():
            K.get_session().run(iterator.initializer)
    element = iterator.get_next()
    while True:
        try:
            with client.internal_runs():
                values = K.get_session().run(element)
        except OutOfRangeError:
            return
        yield tuple(values) if isinstance(values, list | tuple) else values


def fit_dataset(
    model: Any, dataset: Any, epochs: int, verbose: int, callbacks: Any, validation_data: Any, initial_epoch: int, steps_per_epoch: int | None, validation_steps: int | None, validation_freq: Any,
    class_weight: Any,
) -> Any:  # fmt: skip
    source = _dataset_batches(dataset)
    if not model.inputs:
        import itertools

        first = next(source)
        model._set_inputs(_parts(first)[0])
        source = itertools.chain([first], source)
    model._make_function("train")
    validation = None
    if validation_data is not None and not data.is_dataset(validation_data):
        validation = functools.reduce(
            operator.iadd, model._prepare(*(validation_data if len(validation_data) == 3 else (*validation_data, None))), []
        )
    listed = cbks.configure(
        callbacks, model, validation_data is not None, None, epochs, steps_per_epoch, None, verbose, validation, "steps"
    )
    if verbose and steps_per_epoch is not None:
        text = f"Train on {steps_per_epoch} steps"
        print(text + (f", validate on {validation_steps} steps" if validation_data is not None and validation_steps else ""))
    model.stop_training = False
    listed.on_train_begin()
    for epoch in range(initial_epoch, epochs):
        if model.stop_training:
            break
        model.reset_metrics()
        listed.on_epoch_begin(epoch)
        values = _generator_epoch(model, "train", source, steps_per_epoch, listed, class_weight)
        if steps_per_epoch is None:
            source = _dataset_batches(dataset)
        logs = dict(zip(model.metrics_names, values, strict=False))
        if validation_data is not None and _validates(epoch, validation_freq):
            found = (
                _evaluate_feeds(model, validation, 32, None, validation_steps)
                if validation is not None
                else _evaluate_any(model, validation_data, validation_steps)
            )
            logs.update({f"val_{n}": v for n, v in zip(model.metrics_names, found, strict=False)})
        listed.on_epoch_end(epoch, logs)
    listed.on_train_end()
    return model.history


def evaluate_dataset(model: Any, dataset: Any, steps: int | None, verbose: int, callbacks: Any) -> Any:
    model.reset_metrics()
    listed = cbks.configure_running(callbacks, model, "test", None, None, steps, verbose)
    listed.on_begin("test")
    values = _generator_epoch(model, "test", _dataset_batches(dataset), steps, listed)
    listed.on_end("test")
    return unpack(values)


def predict_dataset(model: Any, dataset: Any, steps: int | None, verbose: int, callbacks: Any) -> Any:
    return _predict_source(
        model, _dataset_batches(dataset), steps, cbks.configure_running(callbacks, model, "predict", None, None, steps, verbose)
    )
