"""tf.contrib.slim's data: datasets of tf.Example files, decoders, and readers through queues."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from runtime.tf1 import data_flow_ops, io_ops
from runtime.tf1 import sparse_tensor as sparse
from runtime.tf1.graph import GraphKeys
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.train.queue_runner import QueueRunner, add_queue_runner

tf: Any = module("")
_DECODER = "contrib.slim.tfexample_decoder."


@export(_DECODER + "ItemHandler")
class ItemHandler:
    """Makes an item of the features of an example."""

    def __init__(self, keys: Any) -> None:
        self._keys = list(keys) if isinstance(keys, tuple | list) else [keys]

    @property
    def keys(self) -> list[str]:
        return self._keys

    def tensors_to_item(self, keys_to_tensors: dict[str, Any]) -> Any:
        raise NotImplementedError("tensors_to_item must be made by a subclass")


@export(_DECODER + "ItemHandlerCallback")
class ItemHandlerCallback(ItemHandler):
    def __init__(self, keys: Any, func: Any) -> None:
        super().__init__(keys)
        self._func = func

    def tensors_to_item(self, keys_to_tensors: dict[str, Any]) -> Any:
        return self._func(keys_to_tensors)


@export(_DECODER + "BoundingBox")
class BoundingBox(ItemHandler):
    """The boxes of an image, a row each."""

    def __init__(self, keys: Any = None, prefix: str = "") -> None:
        keys = ["ymin", "xmin", "ymax", "xmax"] if keys is None else keys
        if len(keys) != 4:
            raise ValueError(f"BoundingBox expects 4 keys but got {len(keys)}")
        super().__init__([prefix + k for k in keys])

    def tensors_to_item(self, keys_to_tensors: dict[str, Any]) -> Any:
        sides = []
        for key in self._keys:
            side = keys_to_tensors[key]
            sides.append(tf.expand_dims(side.values if isinstance(side, sparse.SparseTensor) else side, 0))
        return tf.transpose(tf.concat(sides, 0))


@export(_DECODER + "Tensor")
class Tensor(ItemHandler):
    """A feature, with the shape given or read from other features."""

    def __init__(self, tensor_key: str, shape_keys: Any = None, shape: Any = None, default_value: Any = 0) -> None:
        if shape_keys and shape is not None:
            raise ValueError("Cannot specify both shape_keys and shape parameters.")
        if shape_keys and not isinstance(shape_keys, list):
            shape_keys = [shape_keys]
        self._tensor_key, self._shape_keys, self._shape, self._default = tensor_key, shape_keys, shape, default_value
        super().__init__([tensor_key, *(shape_keys or ())])

    def tensors_to_item(self, keys_to_tensors: dict[str, Any]) -> Any:
        tensor, shape = keys_to_tensors[self._tensor_key], self._shape
        if self._shape_keys:
            dims = []
            for key in self._shape_keys:
                dim = keys_to_tensors[key]
                dims.append(tf.sparse_tensor_to_dense(dim) if isinstance(dim, sparse.SparseTensor) else dim)
            shape = tf.reshape(tf.stack(dims), [-1])
        if isinstance(tensor, sparse.SparseTensor):
            if shape is not None:
                tensor = tf.sparse_reshape(tensor, shape)
            return tf.sparse_tensor_to_dense(tensor, self._default)
        return tensor if shape is None else tf.reshape(tensor, shape)


@export(_DECODER + "LookupTensor")
class LookupTensor(Tensor):
    """A feature looked up in a table."""

    def __init__(self, tensor_key: str, table: Any, shape_keys: Any = None, shape: Any = None, default_value: Any = "") -> None:
        self._table = table
        super().__init__(tensor_key, shape_keys, shape, default_value)

    def tensors_to_item(self, keys_to_tensors: dict[str, Any]) -> Any:
        return self._table.lookup(super().tensors_to_item(keys_to_tensors))


@export(_DECODER + "BackupHandler")
class BackupHandler(ItemHandler):
    """What one handler makes, or another when that is empty."""

    def __init__(self, handler: Any, backup: Any) -> None:
        for label, given in (("Primary", handler), ("Backup", backup)):
            if not isinstance(given, ItemHandler):
                raise ValueError(f"{label} handler is of type {type(given)} instead of ItemHandler")
        self._handler, self._backup = handler, backup
        super().__init__([*handler.keys, *backup.keys])

    def tensors_to_item(self, keys_to_tensors: dict[str, Any]) -> Any:
        item = self._handler.tensors_to_item(keys_to_tensors)
        empty = tf.equal(tf.reduce_prod(tf.shape(item)), 0)
        return tf.cond(pred=empty, true_fn=lambda: self._backup.tensors_to_item(keys_to_tensors), false_fn=lambda: item)


@export(_DECODER + "SparseTensor")
class SparseTensor(ItemHandler):
    """A sparse tensor of the features that hold its indices and values."""

    def __init__(
        self, indices_key: str | None = None, values_key: str | None = None, shape_key: str | None = None, shape: Any = None, densify: bool = False,
        default_value: Any = 0,
    ) -> None:  # fmt: skip
        self._indices_key, self._values_key = indices_key or "indices", values_key or "values"
        self._shape_key, self._shape, self._densify, self._default = shape_key, shape, densify, default_value
        super().__init__([self._indices_key, self._values_key, *([shape_key] if shape_key else [])])

    def tensors_to_item(self, keys_to_tensors: dict[str, Any]) -> Any:
        indices, values = keys_to_tensors[self._indices_key], keys_to_tensors[self._values_key]
        if self._shape_key:
            shape = keys_to_tensors[self._shape_key]
            shape = tf.sparse_tensor_to_dense(shape) if isinstance(shape, sparse.SparseTensor) else shape
        else:
            shape = self._shape if self._shape else indices.dense_shape
        rank = tf.shape(indices.indices)[1]
        ids = tf.cast(indices.values, "int64")
        kept = tf.slice(indices.indices, [0, 0], tf.stack([-1, rank - 1]))
        made = sparse.SparseTensor(tf.concat([kept, tf.reshape(ids, [-1, 1])], 1), values.values, shape)
        return tf.sparse_tensor_to_dense(made, self._default) if self._densify else made


@export(_DECODER + "Image")
class Image(ItemHandler):
    """A decoded image."""

    def __init__(
        self, image_key: str | None = None, format_key: str | None = None, shape: Any = None, channels: int = 3, dtype: Any = "uint8",
        repeated: bool = False, dct_method: str = "",
    ) -> None:  # fmt: skip
        self._image_key, self._format_key = image_key or "image/encoded", format_key or "image/format"
        self._shape, self._channels, self._dtype = shape, channels, tf.as_dtype(dtype)
        self._repeated, self._dct_method = repeated, dct_method
        super().__init__([self._image_key, self._format_key])

    def tensors_to_item(self, keys_to_tensors: dict[str, Any]) -> Any:
        data, kind = keys_to_tensors[self._image_key], keys_to_tensors[self._format_key]
        if self._repeated:
            return tf.map_fn(lambda x: self._decode(x, kind), data, dtype=self._dtype)
        return self._decode(data, kind)

    def _decode(self, data: Any, kind: Any) -> Any:
        def decode_image() -> Any:
            return tf.cast(tf.image.decode_image(data, channels=self._channels), self._dtype)

        def decode_jpeg() -> Any:
            return tf.cast(tf.image.decode_jpeg(data, channels=self._channels, dct_method=self._dct_method), self._dtype)

        def decode_file() -> Any:
            return tf.cond(tf.image.is_jpeg(data), decode_jpeg, decode_image, name="cond_jpeg")

        raw = tf.logical_or(tf.equal(kind, "raw"), tf.equal(kind, "RAW"))
        image = tf.case([(raw, lambda: tf.decode_raw(data, out_type=self._dtype))], default=decode_file, exclusive=True)
        if self._shape is not None:
            return tf.reshape(image, self._shape)  # raw data is flat before
        image.set_shape([None, None, self._channels])
        return image


@export("contrib.slim.data_decoder.DataDecoder")
class DataDecoder:
    """Makes items of serialized data."""

    def decode(self, data: Any, items: Any) -> Any:
        raise NotImplementedError("decode must be made by a subclass")

    def list_items(self) -> list[str]:
        raise NotImplementedError("list_items must be made by a subclass")


@export(_DECODER + "TFExampleDecoder")
class TFExampleDecoder(DataDecoder):
    """Makes items of a serialized tf.Example."""

    def __init__(self, keys_to_features: dict[str, Any], items_to_handlers: dict[str, Any]) -> None:
        self._keys_to_features, self._items_to_handlers = keys_to_features, items_to_handlers

    def list_items(self) -> list[str]:
        return list(self._items_to_handlers)

    def decode(self, serialized_example: Any, items: Any = None) -> list[Any]:  # type: ignore[override]
        example = tf.parse_single_example(serialized_example, self._keys_to_features)
        for key in sorted(self._keys_to_features):
            feature = self._keys_to_features[key]
            if isinstance(feature, tf.FixedLenFeature):
                example[key] = tf.reshape(example[key], feature.shape)
        made = []
        for item in items or list(self._items_to_handlers):
            handler = self._items_to_handlers[item]
            made.append(handler.tensors_to_item({key: example[key] for key in handler.keys}))
        return made


# -- datasets --------------------------------------------------------------------------------------------------------------


@export("contrib.slim.dataset.Dataset")
class Dataset:
    """Where data lies, and how it is read."""

    def __init__(self, data_sources: Any, reader: Any, decoder: Any, num_samples: Any, items_to_descriptions: Any, **kwargs: Any) -> None:
        vars(self).update(
            kwargs,
            data_sources=data_sources,
            reader=reader,
            decoder=decoder,
            num_samples=num_samples,
            items_to_descriptions=items_to_descriptions,
        )


@export("contrib.slim.data_provider.DataProvider")
class DataProvider:
    """Tensors by item."""

    def __init__(self, items_to_tensors: dict[str, Any], num_samples: Any) -> None:
        self._items_to_tensors, self._num_samples = items_to_tensors, num_samples

    def get(self, items: Any) -> list[Any]:
        if not isinstance(items, list | tuple):
            raise ValueError("items must be a list or tuple")
        for item in items:
            if item not in self._items_to_tensors:
                raise ValueError(f"Item [{item}] is invalid. Valid entries include: {self.list_items()}")
        return [self._items_to_tensors[item] for item in items]

    def list_items(self) -> Any:
        return self._items_to_tensors.keys()

    def num_samples(self) -> Any:
        return self._num_samples


@export("contrib.slim.dataset_data_provider.DatasetDataProvider")
class DatasetDataProvider(DataProvider):
    """The items of a dataset, read by several readers."""

    def __init__(
        self, dataset: Any, num_readers: int = 1, reader_kwargs: Any = None, shuffle: bool = True, num_epochs: int | None = None,
        common_queue_capacity: int = 256, common_queue_min: int = 128, record_key: str = "record_key", seed: int | None = None, scope: Any = None,
    ) -> None:  # fmt: skip
        key, data = parallel_read(
            dataset.data_sources, reader_class=dataset.reader, num_epochs=num_epochs, num_readers=num_readers, reader_kwargs=reader_kwargs,
            shuffle=shuffle, capacity=common_queue_capacity, min_after_dequeue=common_queue_min, seed=seed, scope=scope,
        )  # fmt: skip
        items = dataset.decoder.list_items()
        tensors = dict(zip(items, dataset.decoder.decode(data, items), strict=True))
        if record_key in tensors:
            raise ValueError(f"The item name used for `record_key` cannot also be used for a dataset item: {record_key}")
        tensors[record_key] = key
        super().__init__(items_to_tensors=tensors, num_samples=dataset.num_samples)


# -- readers ---------------------------------------------------------------------------------------------------------------


@export("contrib.slim.parallel_reader.ParallelReader")
class ParallelReader(io_ops.ReaderBase):
    """Several readers that fill one queue."""

    def __init__(self, reader_class: Any, common_queue: Any, num_readers: int = 4, reader_kwargs: Any = None) -> None:
        if len(common_queue.dtypes) != 2 or any(not t.is_compatible_with(tf.string) for t in common_queue.dtypes):
            raise TypeError("common_queue.dtypes must be [tf.string, tf.string]")
        self._readers = [reader_class(**(reader_kwargs or {})) for _ in range(num_readers)]
        self._common_queue = common_queue

    @property
    def num_readers(self) -> int:
        return len(self._readers)

    @property
    def common_queue(self) -> Any:
        return self._common_queue

    def read(self, queue: Any, name: str | None = None) -> Any:
        self._fill(queue)
        return self._common_queue.dequeue(name=name)

    def read_up_to(self, queue: Any, num_records: Any, name: str | None = None) -> Any:
        self._fill(queue)
        return self._common_queue.dequeue_up_to(num_records, name)

    def _fill(self, queue: Any) -> None:
        add_queue_runner(QueueRunner(self._common_queue, [self._common_queue.enqueue(list(r.read(queue))) for r in self._readers]))

    def num_records_produced(self, name: str | None = None) -> Any:
        return tf.add_n([r.num_records_produced() for r in self._readers], name=name)

    def num_work_units_completed(self, name: str | None = None) -> Any:
        return tf.add_n([r.num_work_units_completed() for r in self._readers], name=name)


@export("contrib.slim.parallel_reader.parallel_read")
def parallel_read(
    data_sources: Any, reader_class: Any, num_epochs: int | None = None, num_readers: int = 4, reader_kwargs: Any = None, shuffle: bool = True,
    dtypes: Any = None, capacity: int = 256, min_after_dequeue: int = 128, seed: int | None = None, scope: Any = None,
) -> Any:  # fmt: skip
    """(key, value) of a record, read by several readers."""
    files = get_data_files(data_sources)
    with tf.name_scope(scope, "parallel_read"):
        names = tf.train.string_input_producer(files, num_epochs=num_epochs, shuffle=shuffle, seed=seed, name="filenames")
        dtypes = dtypes or [tf.string, tf.string]
        if shuffle:
            queue: Any = data_flow_ops.RandomShuffleQueue(
                capacity=capacity, min_after_dequeue=min_after_dequeue, dtypes=dtypes, seed=seed, name="common_queue"
            )
        else:
            queue = data_flow_ops.FIFOQueue(capacity=capacity, dtypes=dtypes, name="common_queue")
        tf.summary.scalar(f"fraction_of_{capacity}_full", tf.cast(queue.size(), "float32") * (1.0 / capacity))
        return ParallelReader(reader_class, queue, num_readers=num_readers, reader_kwargs=reader_kwargs).read(names)


@export("contrib.slim.parallel_reader.single_pass_read")
def single_pass_read(data_sources: Any, reader_class: Any, reader_kwargs: Any = None, scope: Any = None) -> Any:
    """(key, value) of a record; each file is read once, in order."""
    files = get_data_files(data_sources)
    with tf.name_scope(scope, "single_pass_read"):
        names = tf.train.string_input_producer(files, num_epochs=1, shuffle=False, capacity=1, name="filenames")
        return reader_class(**(reader_kwargs or {})).read(names)


@export("contrib.slim.parallel_reader.get_data_files")
def get_data_files(data_sources: Any) -> list[str]:
    if isinstance(data_sources, list | tuple):
        files = [f for source in data_sources for f in get_data_files(source)]
    elif any(c in data_sources for c in "*?["):
        files = list(tf.gfile.Glob(data_sources))
    else:
        files = [data_sources]
    if not files:
        raise ValueError(f"No data files found in {data_sources}")
    return files


@export("contrib.slim.prefetch_queue.prefetch_queue")
def prefetch_queue(
    tensors: Any,
    capacity: int = 8,
    num_threads: int = 1,
    dynamic_pad: bool = False,
    shared_name: str | None = None,
    name: str | None = None,
) -> Any:
    """A queue that is kept full of these tensors."""
    names = sorted(tensors) if isinstance(tensors, dict) else None
    listed = tensors if names is None else [tensors[n] for n in names]
    with tf.name_scope(name, "prefetch_queue", listed) as scope:
        kind = data_flow_ops.PaddingFIFOQueue if dynamic_pad else data_flow_ops.FIFOQueue
        queue = kind(
            capacity=capacity,
            dtypes=[t.dtype for t in listed],
            shapes=[t.get_shape() for t in listed],
            names=names,
            shared_name=shared_name,
        )
        add_queue_runner(QueueRunner(queue, [queue.enqueue(tensors)] * num_threads))
        tf.summary.scalar(f"fraction_of_{capacity}_full", tf.cast(queue.size(), "float32") * (1.0 / capacity))
        del scope
        return queue


@export("contrib.slim.queues.NestedQueueRunnerError")
class NestedQueueRunnerError(Exception):
    """Queue runners were started inside of those that run."""


_RUNNING = threading.Lock()


@export("contrib.slim.queues.QueueRunners")
@contextlib.contextmanager
def queue_runners(session: Any) -> Iterator[None]:
    """The queue runners of the graph run inside this block."""
    if not _RUNNING.acquire(blocking=False):
        raise NestedQueueRunnerError("QueueRunners cannot be nested")
    try:
        coordinator = tf.train.Coordinator()
        threads: list[Any] = []
        for runner in tf.get_collection(GraphKeys.QUEUE_RUNNERS):
            threads.extend(runner.create_threads(session, coord=coordinator, daemon=True, start=True))
        try:
            yield
        finally:
            coordinator.request_stop()
            try:
                coordinator.join(threads, stop_grace_period_secs=120)
            except RuntimeError:
                session.close()
    finally:
        _RUNNING.release()
