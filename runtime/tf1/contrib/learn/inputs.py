"""tf.contrib.learn.io: arrays, tables, generators and files of tf.Examples as batches, through queues."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator
from types import FunctionType, GeneratorType
from typing import Any

import numpy as np

from graphtools.dtypes import as_dtype
from runtime.tf1 import data_flow_ops
from runtime.tf1.estimator import inputs as core
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.sparse_tensor import SparseTensor
from runtime.tf1.train.queue_runner import QueueRunner, add_queue_runner

tf: Any = module("")
KEY = "__key__"


@export("contrib.learn.io.numpy_input_fn")
def numpy_input_fn(
    x: Any,
    y: Any = None,
    batch_size: int = 128,
    num_epochs: int | None = 1,
    shuffle: bool = True,
    queue_capacity: int = 1000,
    num_threads: int = 1,
) -> Any:
    return core.numpy_input_fn(x, y, batch_size, num_epochs, shuffle, queue_capacity, num_threads)


@export("contrib.learn.io.pandas_input_fn")
def pandas_input_fn(
    x: Any, y: Any = None, batch_size: int = 128, num_epochs: int | None = 1, shuffle: bool = True, queue_capacity: int = 1000, num_threads: int = 1,
    target_column: str = "target",
) -> Any:  # fmt: skip
    return core.pandas_input_fn(x, y, batch_size, num_epochs, shuffle, queue_capacity, num_threads, target_column)


def _padded(values: list[Any], pad: Any) -> Any:
    """The arrays stacked, the shorter ones filled with `pad` up to the longest."""
    if pad is None:
        return np.stack(values)
    size = np.max([v.shape for v in values], axis=0)
    return np.stack([np.pad(v, [(0, s - n) for s, n in zip(size, v.shape, strict=True)], constant_values=pad) for v in values])


class _Generated:
    """Batches of the dicts that a generator gives, from a random one on if asked, for so many epochs."""

    def __init__(
        self, placeholders: list[Any], make: Callable[[], Iterator[Any]], size: int, epochs: int | None, pads: list[Any], start: bool
    ) -> None:
        from runtime.errors import OutOfRangeError

        self._over = OutOfRangeError
        self._placeholders, self._make, self._size, self._epochs, self._pads = placeholders, make, size, epochs, pads
        self._keys = sorted(next(make()))
        self._skip = np.random.randint(0, len(list(make()))) if start else 0
        self._rows = self._all()

    def _all(self) -> Iterator[Any]:
        rows = list(self._make()) if self._skip else None
        count = 0
        while self._epochs is None or count < self._epochs:
            yield from rows[self._skip :] + rows[: self._skip] if rows is not None else self._make()
            count += 1

    def __call__(self) -> dict[Any, Any]:
        batch = [row for row, _ in zip(self._rows, range(self._size), strict=False)]
        if not batch:
            raise self._over(None, None, f"Already emitted {self._epochs} epochs.")
        return {
            p: _padded([np.asarray(row[k]) for row in batch], pad)
            for p, k, pad in zip(self._placeholders, self._keys, self._pads, strict=True)
        }


@export("contrib.learn.io.generator_input_fn")
def generator_input_fn(
    x: Any, target_key: Any = None, batch_size: int = 128, num_epochs: int | None = 1, shuffle: bool = True, queue_capacity: int = 1000,
    num_threads: int = 1, pad_value: Any = None,
) -> Any:  # fmt: skip
    """A function that gives batches of the dicts of a generator: features, or features and labels."""
    if not isinstance(x, FunctionType):
        raise TypeError(f"x must be generator function; got {type(x).__name__}")
    made = x()
    if not isinstance(made, GeneratorType):
        raise TypeError(f"x() must be generator; got {type(made).__name__}")
    first = next(made)
    if not isinstance(first, dict):
        raise TypeError(f"x() must yield dict; got {type(first).__name__}")
    keys = sorted(first)
    targets: list[str] = []
    if target_key is not None:
        if not isinstance(target_key, str | Container):
            raise TypeError(f"target_key must be str or Container of str; got {type(target_key).__name__}")
        targets = [target_key] if isinstance(target_key, str) else list(target_key)  # type: ignore[call-overload]
        for item in targets:
            if not isinstance(item, str):
                raise TypeError(f"target_key must be str or Container of str; got {type(item).__name__}")
            if item not in keys:
                raise KeyError(f"target_key not in yielded dict. Expected {keys} keys; got {item}")

    def input_fn() -> Any:
        with tf.name_scope("enqueue_input"):
            values = [np.asarray(first[k]) for k in keys]
            types = [as_dtype(v.dtype) for v in values]
            pads = [(pad_value or {}).get(k) if isinstance(pad_value, dict) else pad_value for k in keys]
            shapes = [v.shape if pad is None else (None,) * v.ndim for v, pad in zip(values, pads, strict=True)]
            kept = int(queue_capacity / 4) if shuffle else 0
            if any(p is not None for p in pads):
                if shuffle:
                    raise NotImplementedError("padding and shuffling is not supported at the moment.")
                queue: Any = data_flow_ops.PaddingFIFOQueue(queue_capacity, dtypes=types, shapes=shapes)
            elif shuffle:
                queue = data_flow_ops.RandomShuffleQueue(queue_capacity, kept, dtypes=types, shapes=shapes)
            else:
                queue = data_flow_ops.FIFOQueue(queue_capacity, dtypes=types, shapes=shapes)
            ops, feeds = [], []
            for _ in range(num_threads):
                placeholders = [tf.placeholder(t) for t in types]
                ops.append(queue.enqueue_many(placeholders))
                feeds.append(_Generated(placeholders, x, batch_size, num_epochs, pads, shuffle))
            add_queue_runner(core.FeedingRunner(queue, ops, feeds))
        batch = queue.dequeue_many(batch_size) if num_epochs is None else queue.dequeue_up_to(batch_size)
        features = dict(zip(keys, batch if isinstance(batch, list) else [batch], strict=True))
        if not targets:
            return features
        if len(targets) > 1:
            return features, {k: features.pop(k) for k in targets}
        label = features.pop(targets[0])
        return features, label

    return input_fn


# -- files -----------------------------------------------------------------------------------------------------------------


def _files(pattern: Any, randomize: bool) -> list[str]:
    if isinstance(pattern, list):
        if not pattern:
            raise ValueError("No files given to dequeue_examples.")
        names = [name for entry in pattern for name in tf.gfile.Glob(entry)]
    else:
        names = list(tf.gfile.Glob(pattern))
    if not names:
        raise ValueError(f"No files match {pattern}.")
    return names if randomize else sorted(names)


@export("contrib.learn.io.read_keyed_batch_examples", "contrib.learn.read_keyed_batch_examples")
def read_keyed_batch_examples(
    file_pattern: Any, batch_size: Any, reader: Any, randomize_input: bool = True, num_epochs: int | None = None, queue_capacity: int = 10000,
    num_threads: int = 1, read_batch_size: int = 1, parse_fn: Any = None, name: str | None = None, seed: int | None = None,
) -> Any:  # fmt: skip
    """(keys, batches of serialized records) of files."""
    names = _files(file_pattern, randomize_input)
    if not queue_capacity or queue_capacity <= 0:
        raise ValueError(f"Invalid queue_capacity {queue_capacity}.")
    if batch_size is None or (not tf.is_tensor(batch_size) and (batch_size <= 0 or batch_size >= queue_capacity)):
        raise ValueError(f"Invalid batch_size {batch_size}, with queue_capacity {queue_capacity}.")
    for label, value in (("read_batch_size", read_batch_size), ("num_threads", num_threads)):
        if value is None or value <= 0:
            raise ValueError(f"Invalid {label} {value}.")
    if num_epochs is not None and num_epochs <= 0:
        raise ValueError(f"Invalid num_epochs {num_epochs}.")
    with tf.name_scope(name, "read_batch_examples", [file_pattern]) as scope:
        with tf.name_scope("file_name_queue") as queue_scope:
            queue = tf.train.string_input_producer(
                tf.constant(names, name="input"), shuffle=randomize_input, num_epochs=num_epochs, name=queue_scope, seed=seed
            )
        examples = []
        with tf.name_scope("read"):
            for _ in range(num_threads):
                made = reader()
                keys, records = made.read_up_to(queue, read_batch_size) if read_batch_size > 1 else made.read(queue)
                parsed = parse_fn(records) if parse_fn else records
                if isinstance(parsed, dict):
                    parsed[KEY] = keys
                    examples.append(parsed)
                else:
                    examples.append((keys, parsed))
        shared = {
            "capacity": queue_capacity, "enqueue_many": read_batch_size > 1, "name": scope, "allow_smaller_final_batch": num_epochs is not None,
        }  # fmt: skip
        if randomize_input:
            least = int(queue_capacity * 0.4) if tf.is_tensor(batch_size) else max(queue_capacity - 3 * batch_size, batch_size)
            batch = tf.train.shuffle_batch_join(examples, batch_size, min_after_dequeue=least, seed=seed, **shared)
        else:
            batch = tf.train.batch_join(examples, batch_size, **shared)
        if isinstance(batch, dict):
            return batch.pop(KEY), batch
        return batch


@export("contrib.learn.io.read_batch_examples", "contrib.learn.read_batch_examples")
def read_batch_examples(
    file_pattern: Any, batch_size: Any, reader: Any, randomize_input: bool = True, num_epochs: int | None = None, queue_capacity: int = 10000,
    num_threads: int = 1, read_batch_size: int = 1, parse_fn: Any = None, name: str | None = None, seed: int | None = None,
) -> Any:  # fmt: skip
    _, examples = read_keyed_batch_examples(
        file_pattern, batch_size, reader, randomize_input, num_epochs, queue_capacity, num_threads, read_batch_size, parse_fn, name, seed
    )
    return examples


@export("contrib.learn.io.read_keyed_batch_examples_shared_queue", "contrib.learn.read_keyed_batch_examples_shared_queue")
def read_keyed_batch_examples_shared_queue(*args: Any, **kwargs: Any) -> Any:
    """As read_keyed_batch_examples: on one machine nobody shares the queue."""
    return read_keyed_batch_examples(*args, **kwargs)


@export("contrib.learn.io.queue_parsed_features", "contrib.learn.queue_parsed_features")
def queue_parsed_features(
    parsed_features: Any, keys: Any = None, feature_queue_capacity: int = 100, num_enqueue_threads: int = 2, name: str | None = None
) -> tuple[Any, dict[str, Any]]:
    """(keys, features) through a queue."""
    values = [*parsed_features.values(), *([keys] if keys is not None else [])]
    with tf.name_scope(name, "queue_parsed_features", values):
        flat: list[Any] = []
        for key in sorted(parsed_features):
            tensor = parsed_features[key]
            flat.extend([tensor.indices, tensor.values, tensor.dense_shape] if isinstance(tensor, SparseTensor) else [tensor])
        if keys is not None:
            flat.append(keys)
        queue = data_flow_ops.FIFOQueue(feature_queue_capacity, [t.dtype for t in flat])
        tf.summary.scalar(
            f"queue/parsed_features/{queue.name}/fraction_of_{feature_queue_capacity}_full",
            tf.cast(queue.size(), "float32") * (1.0 / feature_queue_capacity),
        )
        ops = [queue.enqueue(flat) for _ in range(num_enqueue_threads)]
        closed = (tf.errors.OutOfRangeError, tf.errors.CancelledError)
        add_queue_runner(QueueRunner(queue, ops, queue_closed_exception_types=closed))
        found = queue.dequeue()
        found = list(found) if isinstance(found, list | tuple) else [found]
        for out, given in zip(found, flat, strict=True):
            out.set_shape(given.get_shape())
        out_keys = found.pop() if keys is not None else None
        features: dict[str, Any] = {}
        for key in sorted(parsed_features):
            if isinstance(parsed_features[key], SparseTensor):
                features[key] = SparseTensor(*(found.pop(0) for _ in range(3)))
            else:
                features[key] = found.pop(0)
        return out_keys, features


@export("contrib.learn.io.read_keyed_batch_features", "contrib.learn.read_keyed_batch_features")
def read_keyed_batch_features(
    file_pattern: Any, batch_size: Any, features: Any, reader: Any, randomize_input: bool = True, num_epochs: int | None = None,
    queue_capacity: int = 10000, reader_num_threads: int = 1, feature_queue_capacity: int = 100, num_enqueue_threads: int = 2, parse_fn: Any = None,
    name: str | None = None, read_batch_size: int | None = None,
) -> Any:  # fmt: skip
    """(keys, batches of the features parsed from tf.Examples) of files."""
    with tf.name_scope(name, "read_batch_features", [file_pattern]) as scope:
        keys, examples = read_keyed_batch_examples(
            file_pattern, batch_size, reader, randomize_input=randomize_input, num_epochs=num_epochs, queue_capacity=queue_capacity,
            num_threads=reader_num_threads, read_batch_size=batch_size if read_batch_size is None else read_batch_size, parse_fn=parse_fn, name=scope,
        )  # fmt: skip
        parsed = tf.parse_example(examples, features)
        return queue_parsed_features(
            parsed, keys=keys, feature_queue_capacity=feature_queue_capacity, num_enqueue_threads=num_enqueue_threads, name=scope
        )


@export("contrib.learn.io.read_keyed_batch_features_shared_queue", "contrib.learn.read_keyed_batch_features_shared_queue")
def read_keyed_batch_features_shared_queue(
    file_pattern: Any, batch_size: Any, features: Any, reader: Any, randomize_input: bool = True, num_epochs: int | None = None,
    queue_capacity: int = 10000, reader_num_threads: int = 1, feature_queue_capacity: int = 100, num_queue_runners: int = 2, parse_fn: Any = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    return read_keyed_batch_features(
        file_pattern, batch_size, features, reader, randomize_input, num_epochs, queue_capacity, reader_num_threads, feature_queue_capacity,
        num_queue_runners, parse_fn, name,
    )  # fmt: skip


@export("contrib.learn.io.read_batch_features", "contrib.learn.read_batch_features")
def read_batch_features(
    file_pattern: Any, batch_size: Any, features: Any, reader: Any, randomize_input: bool = True, num_epochs: int | None = None,
    queue_capacity: int = 10000, feature_queue_capacity: int = 100, reader_num_threads: int = 1, num_enqueue_threads: int = 2, parse_fn: Any = None,
    name: str | None = None, read_batch_size: int | None = None,
) -> Any:  # fmt: skip
    _, found = read_keyed_batch_features(
        file_pattern, batch_size, features, reader, randomize_input, num_epochs, queue_capacity, reader_num_threads, feature_queue_capacity,
        num_enqueue_threads, parse_fn, name, read_batch_size,
    )  # fmt: skip
    return found


@export("contrib.learn.io.read_batch_record_features", "contrib.learn.read_batch_record_features")
def read_batch_record_features(
    file_pattern: Any, batch_size: Any, features: Any, randomize_input: bool = True, num_epochs: int | None = None, queue_capacity: int = 10000,
    reader_num_threads: int = 1, name: str = "dequeue_record_examples",
) -> Any:  # fmt: skip
    return read_batch_features(
        file_pattern,
        batch_size,
        features,
        tf.TFRecordReader,
        randomize_input,
        num_epochs,
        queue_capacity,
        reader_num_threads=reader_num_threads,
        name=name,
    )
