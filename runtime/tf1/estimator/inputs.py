"""tf.estimator.inputs: arrays and tables as batches, through queues."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from graphtools.dtypes import as_dtype, float32, int64
from runtime.errors import OutOfRangeError
from runtime.tf1 import data_flow_ops, math_ops
from runtime.tf1.array_ops import placeholder
from runtime.tf1.graph import name_scope
from runtime.tf1.modules import lookup
from runtime.tf1.registry import export
from runtime.tf1.train.queue_runner import QueueRunner, add_queue_runner


class FeedingRunner(QueueRunner):
    """A queue runner whose enqueue ops are fed by functions."""

    def __init__(self, queue: Any, enqueue_ops: Any, feed_fns: list[Callable[[], Any]]) -> None:
        super().__init__(queue, enqueue_ops)
        self._feeds = dict(zip(self._enqueue_ops, feed_fns, strict=True))

    def _run(self, sess: Any, enqueue_op: Any, coord: Any) -> None:
        super()._run(_Fed(sess, enqueue_op, self._feeds[enqueue_op]), enqueue_op, coord)

    def create_threads(self, sess: Any, coord: Any = None, daemon: bool = False, start: bool = False) -> Any:
        return super().create_threads(sess, coord, daemon, start)

    def to_proto(self, export_scope: str | None = None) -> Any:
        return None  # what feeds the queue cannot be saved


class _Fed:
    """A session that feeds one op each time it runs it."""

    def __init__(self, session: Any, op: Any, feed: Callable[[], Any]) -> None:
        self._session, self._op, self._feed = session, op, feed

    def run(self, fetches: Any, *args: Any, **kwargs: Any) -> Any:
        if fetches is self._op:
            return self._session.run(fetches, feed_dict=self._feed())
        return self._session.run(fetches, *args, **kwargs)

    def __hash__(self) -> int:
        return hash(self._session)

    def __eq__(self, other: object) -> bool:
        return other is self._session or self is other


class _Rows:
    """Batches of rows of columns, from a random row on if asked, for so many epochs."""

    def __init__(
        self, keys: list[Any], index: Any, columns: list[Any], batch_size: int, random_start: bool, seed: int | None, num_epochs: int | None
    ) -> None:
        self._keys, self._index, self._columns = keys, index, columns
        self._count = len(columns[0])
        self._batch_size, self._num_epochs, self._epoch = batch_size, num_epochs, 0
        random.seed(seed)
        self._next = random.randrange(self._count) if random_start else 0
        self._last = (self._next - 1) % self._count

    def __call__(self) -> Any:
        if self._num_epochs is not None and self._epoch >= self._num_epochs:
            raise OutOfRangeError(None, None, f"Already emitted {self._epoch} epochs.")
        rows = [j % self._count for j in range(self._next, self._next + self._batch_size)]
        ends = [i for i, row in enumerate(rows) if row == self._last]
        self._epoch += len(ends)
        if self._num_epochs is not None and self._epoch >= self._num_epochs:
            rows = rows[: ends[-(self._epoch - self._num_epochs + 1)] + 1]
            self._epoch = self._num_epochs
        self._next = (rows[-1] + 1) % self._count
        return dict(zip(self._keys, [self._index[rows], *(c[rows] for c in self._columns)], strict=True))


def enqueue_data(
    index: Any,
    columns: list[Any],
    capacity: int,
    shuffle: bool,
    num_threads: int,
    enqueue_size: int,
    num_epochs: int | None,
    seed: int | None = None,
) -> Any:
    """A queue of (row number, values), with the threads that fill it."""
    with name_scope("enqueue_input"):
        types = [int64 if index.dtype.kind == "i" else as_dtype(index.dtype), *(as_dtype(c.dtype) for c in columns)]
        shapes = [(), *(c.shape[1:] for c in columns)]
        kept = int(capacity / 4) if shuffle else 0
        if shuffle:
            queue: Any = data_flow_ops.RandomShuffleQueue(capacity, kept, dtypes=types, shapes=shapes, seed=seed)
        else:
            queue = data_flow_ops.FIFOQueue(capacity, dtypes=types, shapes=shapes)
        ops, feeds = [], []
        for i in range(num_threads):
            keys = [placeholder(t) for t in types]
            ops.append(queue.enqueue_many(keys))
            feeds.append(_Rows(keys, index, columns, enqueue_size, shuffle, None if seed is None else (i + 1) * seed, num_epochs))
        add_queue_runner(FeedingRunner(queue, ops, feeds))
        full = math_ops.cast(math_ops.maximum(0, queue.size() - kept), float32) * (1.0 / (capacity - kept))
        lookup("summary.scalar")(f"queue/{queue.name}fraction_over_{kept}_of_{capacity - kept}_full", full)
        return queue


def _check_shuffle(shuffle: Any) -> None:
    if not isinstance(shuffle, bool):
        raise ValueError(
            f"shuffle must be provided and explicitly set as boolean (it is recommended to set it as True for training); got {shuffle}"
        )


@export("estimator.inputs.numpy_input_fn")
def numpy_input_fn(
    x: Any,
    y: Any = None,
    batch_size: int = 128,
    num_epochs: int | None = 1,
    shuffle: Any = None,
    queue_capacity: int = 1000,
    num_threads: int = 1,
) -> Any:
    """A function that gives batches of the arrays: features, or features and labels."""
    _check_shuffle(shuffle)

    def input_fn() -> Any:
        if isinstance(x, dict):
            if not x:
                raise ValueError("x cannot be an empty dict")
            columns = {k: np.asarray(x[k]) for k in sorted(x)}
        elif isinstance(x, np.ndarray):
            if x.size == 0:
                raise ValueError("x cannot be an empty array")
            columns = {"__direct_np_input__": x}
        else:
            raise TypeError(f"x must be a dict or array; got {type(x).__name__}")
        labels: dict[Any, Any] = {}
        if isinstance(y, dict):
            if not y:
                raise ValueError("y cannot be empty dict, use None instead.")
            labels = {k: np.asarray(y[k]) for k in sorted(y)}
            shared = set(columns) & set(labels)
            if shared:
                raise ValueError(f"{len(shared)} duplicate keys are found in both x and y: {shared}")
        elif y is not None:
            labels = {None: np.asarray(y)}
        lengths = {k: v.shape for k, v in (columns | labels).items()}
        if len({s[0] for s in lengths.values()}) != 1:
            raise ValueError(
                f"Length of tensors in x and y is mismatched. All elements in x and y must have the same length.\nShapes: {lengths}"
            )
        every = [*columns.values(), *labels.values()]
        queue = enqueue_data(np.arange(len(every[0])), every, queue_capacity, shuffle, num_threads, batch_size, num_epochs)
        batch = queue.dequeue_many(batch_size) if num_epochs is None else queue.dequeue_up_to(batch_size)
        batch = list(batch)[1:]
        features = batch[0] if isinstance(x, np.ndarray) else dict(zip(columns, batch, strict=False))
        if not labels:
            return features
        rest = batch[len(columns) :]
        return features, dict(zip(labels, rest, strict=True)) if isinstance(y, dict) else rest[0]

    return input_fn


@export("estimator.inputs.pandas_input_fn")
def pandas_input_fn(
    x: Any, y: Any = None, batch_size: int = 128, num_epochs: int | None = 1, shuffle: Any = None, queue_capacity: int = 1000, num_threads: int = 1,
    target_column: str = "target",
) -> Any:  # fmt: skip
    """A function that gives batches of a DataFrame: features by column name, or these and labels."""
    _check_shuffle(shuffle)
    if not isinstance(target_column, str):
        raise TypeError("target_column must be a string type")

    def input_fn() -> Any:
        table = x.copy()
        if y is not None:
            if target_column in table:
                raise ValueError(
                    f"Cannot use name {target_column} for target column: DataFrame already has a column with that name: {list(x.columns)}"
                )
            if not np.array_equal(x.index, y.index):
                raise ValueError(f"Index for x and y are mismatched.\nIndex for x: {x.index}\nIndex for y: {y.index}\n")
            table[target_column] = y
        names = list(table.columns)
        queue = enqueue_data(
            np.asarray(table.index), [np.asarray(table[n]) for n in names], queue_capacity, shuffle, num_threads, batch_size, num_epochs
        )
        batch = queue.dequeue_many(batch_size) if num_epochs is None else queue.dequeue_up_to(batch_size)
        features = dict(zip(names, list(batch)[1:], strict=True))
        if y is None:
            return features
        target = features.pop(target_column)
        return features, target

    return input_fn
