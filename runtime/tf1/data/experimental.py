"""tf.data.experimental and tf.contrib.data: more transformations."""

from __future__ import annotations

import csv
import gzip
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from graphtools.constant import constant as constant_value
from graphtools.dtypes import bool_ as boolean
from graphtools.dtypes import float32, float64, int32, int64, string
from runtime.tf1 import array_ops, math_ops, random_ops
from runtime.tf1.data import structure as st
from runtime.tf1.data.dataset_ops import AUTOTUNE, Dataset, StructuredFunction, _inner, _is_true, _size, fixed_state, make, seeds
from runtime.tf1.data.options import Options
from runtime.tf1.data.readers import CsvDataset, TFRecordDataset
from runtime.tf1.data.structure import SparseTensorSpec, TensorSpec
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export, put
from runtime.tf1.tensor_shape import TensorShape

Transformation = Callable[[Dataset], Dataset]

put("data.experimental.AUTOTUNE", AUTOTUNE)
put("data.experimental.INFINITE_CARDINALITY", -1)
put("data.experimental.UNKNOWN_CARDINALITY", -2)


@export("data.experimental.cardinality")
def cardinality(dataset: Dataset) -> Any:
    return apply_op("ExperimentalDatasetCardinality", None, input_dataset=dataset._variant_tensor)


@export("data.experimental.Counter")
def counter(start: Any = 0, step: Any = 1, dtype: Any = int64) -> Dataset:
    """start, start + step, ... without end."""
    with name_scope("counter", None, ()):
        first = convert_to_tensor(start, dtype, name="start")
        by = convert_to_tensor(step, dtype, name="step")
        return Dataset.from_tensors(0).repeat(None).apply(scan(first, lambda state, _: (state + by, state)))


@export("data.experimental.RandomDataset")
class RandomDataset(Dataset):
    """Random int64 numbers without end."""

    def __init__(self, seed: Any = None) -> None:
        seed1, seed2 = seeds(seed)
        spec = TensorSpec([], int64)
        super().__init__(make("ExperimentalRandomDataset", spec, seed=seed1, seed2=seed2), spec)


@export("data.experimental.scan")
def scan(initial_state: Any, scan_func: Any) -> Transformation:
    """`scan_func(state, element)` -> (new state, output)."""

    def apply(dataset: Dataset) -> Dataset:
        state = st.normalized(initial_state)

        def state_of(output: Any) -> Any:
            if not isinstance(output, tuple) or len(output) != 2:
                raise TypeError("The scan function must return a pair comprising the new state and the output value.")
            return output[0]

        f, spec = fixed_state(
            scan_func, "tf.data.experimental.scan()", st.structure_of(state), lambda s: (s, dataset.element_spec), state_of
        )
        output = f.output_structure[1]
        return dataset._unary(
            "ExperimentalScanDataset",
            output,
            (f,),
            initial_state=st.to_tensors(spec, state),
            other_arguments=f.captured,
            f=f.func,
            preserve_cardinality=True,
        )

    return apply


@export("data.experimental.take_while")
def take_while(predicate: Any) -> Transformation:
    def apply(dataset: Dataset) -> Dataset:
        f = StructuredFunction(predicate, "tf.data.experimental.take_while()", dataset.element_spec)
        if f.output_structure != TensorSpec([], boolean):
            raise ValueError(f"`predicate` must return a scalar boolean tensor. Was {f.output_structure}.")
        return dataset._unary("ExperimentalTakeWhileDataset", None, (f,), other_arguments=f.captured, predicate=f.func)

    return apply


@export("data.experimental.enumerate_dataset")
def enumerate_dataset(start: Any = 0) -> Transformation:
    return lambda dataset: dataset.enumerate(start)


@export("data.experimental.ignore_errors")
def ignore_errors() -> Transformation:
    return lambda dataset: dataset._unary("ExperimentalIgnoreErrorsDataset")


@export("data.experimental.unique")
def unique() -> Transformation:
    def apply(dataset: Dataset) -> Dataset:
        if dataset.output_types not in (int32, int64, string):
            raise TypeError(
                "`tf.data.experimental.unique()` only supports inputs with a single `tf.int32`, `tf.int64`, or `tf.string` component."
            )
        return dataset._unary("ExperimentalUniqueDataset")

    return apply


@export("data.experimental.unbatch")
def unbatch() -> Transformation:
    return lambda dataset: dataset.unbatch()


@export("data.experimental.shuffle_and_repeat")
def shuffle_and_repeat(buffer_size: Any, count: Any = None, seed: Any = None) -> Transformation:
    def apply(dataset: Dataset) -> Dataset:
        size = convert_to_tensor(buffer_size, int64, name="buffer_size")
        times = convert_to_tensor(-1 if count is None else count, int64, name="count")
        seed1, seed2 = seeds(seed)
        return dataset._unary("ShuffleAndRepeatDataset", buffer_size=size, count=times, seed=seed1, seed2=seed2)

    return apply


def _map_and_batch(
    map_func: Any, batch_size: Any, num_parallel_batches: Any, drop_remainder: Any, num_parallel_calls: Any
) -> Transformation:
    if num_parallel_batches is not None and num_parallel_calls is not None:
        raise ValueError("The `num_parallel_batches` and `num_parallel_calls` arguments are mutually exclusive.")
    if num_parallel_calls is None:
        num_parallel_calls = batch_size if num_parallel_batches is None else batch_size * num_parallel_batches

    def apply(dataset: Dataset) -> Dataset:
        f = StructuredFunction(map_func, "tf.data.experimental.map_and_batch()", dataset.element_spec)
        size = convert_to_tensor(batch_size, int64, name="batch_size")
        calls = convert_to_tensor(num_parallel_calls, int64, name="num_parallel_calls")
        drop = convert_to_tensor(drop_remainder, boolean, name="drop_remainder")
        known = _size(size) if _is_true(drop) else None
        spec = st.map_structure(lambda s: s.batch(known), f.output_structure)
        return dataset._unary(
            "ExperimentalMapAndBatchDataset",
            spec,
            (f,),
            other_arguments=f.captured,
            batch_size=size,
            num_parallel_calls=calls,
            drop_remainder=drop,
            f=f.func,
            preserve_cardinality=False,
        )

    return apply


@export("data.experimental.map_and_batch", "data.experimental.map_and_batch_with_legacy_function")
def map_and_batch(
    map_func: Any, batch_size: Any, num_parallel_batches: Any = None, drop_remainder: Any = False, num_parallel_calls: Any = None
) -> Transformation:
    return _map_and_batch(map_func, batch_size, num_parallel_batches, drop_remainder, num_parallel_calls)


@export("contrib.data.batch_and_drop_remainder")
def batch_and_drop_remainder(batch_size: Any) -> Transformation:
    return lambda dataset: dataset.batch(batch_size, drop_remainder=True)


@export("contrib.data.padded_batch_and_drop_remainder")
def padded_batch_and_drop_remainder(batch_size: Any, padded_shapes: Any, padding_values: Any = None) -> Transformation:
    return lambda dataset: dataset.padded_batch(batch_size, padded_shapes, padding_values, drop_remainder=True)


@export("contrib.data.sliding_window_batch")
def sliding_window_batch(window_size: Any, stride: Any = None, window_shift: Any = None, window_stride: Any = 1) -> Transformation:
    if stride is None and window_shift is None:
        window_shift = 1
    shift = window_shift if stride is None else stride

    def apply(dataset: Dataset) -> Dataset:
        spec = st.map_structure(lambda s: s.batch(None), dataset.element_spec)
        numbers = {
            n: convert_to_tensor(v, int64, name=n)
            for n, v in (("window_size", window_size), ("window_shift", shift), ("window_stride", window_stride))
        }
        return dataset._unary("ExperimentalSlidingWindowDataset", spec, **numbers)

    return apply


@export("contrib.data.assert_element_shape")
def assert_element_shape(expected_shapes: Any) -> Transformation:
    def apply(dataset: Dataset) -> Dataset:
        def check(*element: Any) -> Any:
            value = element if len(element) > 1 else element[0]
            for tensor, shape in zip(st.flatten(value), st.flatten_up_to(dataset.element_spec, expected_shapes), strict=True):
                tensor.set_shape(shape)
            return value

        return dataset.map(check)

    return apply


@export("data.experimental.dense_to_sparse_batch")
def dense_to_sparse_batch(batch_size: Any, row_shape: Any) -> Transformation:
    """Batches of elements of any shape, as SparseTensors."""

    def apply(dataset: Dataset) -> Dataset:
        if not isinstance(dataset.element_spec, TensorSpec):
            raise TypeError(
                "DenseToSparseDataset requires an input whose elements have a single component, whereas the input has {dataset.output_types}."
            )
        rows = TensorShape(row_shape)
        spec = SparseTensorSpec(TensorShape([None]).concatenate(rows), dataset.element_spec.dtype)
        dims = np.array([-1 if d is None else d for d in rows.as_list()], np.int64)
        return dataset._unary(
            "ExperimentalDenseToSparseBatchDataset",
            spec,
            batch_size=convert_to_tensor(batch_size, int64),
            row_shape=convert_to_tensor(dims, int64),
        )

    return apply


@export("data.experimental.parallel_interleave")
def parallel_interleave(
    map_func: Any,
    cycle_length: Any,
    block_length: Any = 1,
    sloppy: Any = False,
    buffer_output_elements: Any = None,
    prefetch_input_elements: Any = None,
) -> Transformation:
    def apply(dataset: Dataset) -> Dataset:
        f = StructuredFunction(map_func, "tf.data.experimental.parallel_interleave()", dataset.element_spec)
        cycle = convert_to_tensor(cycle_length, int64, name="cycle_length")
        block = convert_to_tensor(block_length, int64, name="block_length")
        outputs = convert_to_tensor(
            2 * block_length if buffer_output_elements is None else buffer_output_elements, int64, name="buffer_output_elements"
        )
        inputs = convert_to_tensor(
            2 * cycle_length if prefetch_input_elements is None else prefetch_input_elements, int64, name="prefetch_input_elements"
        )
        return dataset._unary(
            "ExperimentalParallelInterleaveDataset", _inner(f, "parallel_interleave"), (f,), other_arguments=f.captured, cycle_length=cycle, block_length=block,
            sloppy=convert_to_tensor(sloppy, boolean, name="sloppy"), buffer_output_elements=outputs, prefetch_input_elements=inputs, f=f.func,
        )  # fmt: skip

    return apply


@export("data.experimental.copy_to_device")
def copy_to_device(target_device: Any, source_device: Any = "/cpu:0") -> Transformation:
    """Elements are where they are needed: nothing to do."""
    return lambda dataset: dataset


@export("data.experimental.prefetch_to_device")
def prefetch_to_device(device: Any, buffer_size: Any = None) -> Transformation:
    return lambda dataset: dataset.prefetch(buffer_size)


@export("data.experimental.get_single_element")
def get_single_element(dataset: Dataset) -> Any:
    """The element of a dataset of one."""
    if not isinstance(dataset, Dataset):
        raise TypeError("`dataset` must be a `tf.data.Dataset` object.")
    found = apply_op("DatasetToSingleElement", None, dataset=dataset._variant_tensor, **st.flat_attrs(dataset.element_spec))
    return st.from_tensors(dataset.element_spec, found)


@export("contrib.data.reduce_dataset")
def reduce_dataset(dataset: Dataset, reducer: Any) -> Any:
    return get_single_element(dataset.apply(group_by_reducer(lambda *_: np.int64(0), reducer)))


# -- groups ------------------------------------------------------------------------------------------------------------------


@export("data.experimental.Reducer")
class Reducer:
    """How the elements of a group become one."""

    def __init__(self, init_func: Any, reduce_func: Any, finalize_func: Any) -> None:
        self.init_func, self.reduce_func, self.finalize_func = init_func, reduce_func, finalize_func


def _key_function(key_func: Any, label: str, dataset: Dataset) -> StructuredFunction:
    f = StructuredFunction(key_func, label, dataset.element_spec)
    if not (isinstance(f.output_structure, TensorSpec) and TensorSpec([], int64).is_compatible_with(f.output_structure)):
        raise ValueError(f"`key_func` must return a single tf.int64 tensor. Got {f.output_structure}.")
    return f


@export("data.experimental.group_by_reducer")
def group_by_reducer(key_func: Any, reducer: Reducer) -> Transformation:
    label = "tf.data.experimental.group_by_reducer()"

    def apply(dataset: Dataset) -> Dataset:
        key = _key_function(key_func, label, dataset)
        init = StructuredFunction(reducer.init_func, label, TensorSpec([], int64))
        reduce, state = fixed_state(reducer.reduce_func, label, init.output_structure, lambda s: (s, dataset.element_spec))
        final = StructuredFunction(reducer.finalize_func, label, state)
        return dataset._unary(
            "ExperimentalGroupByReducerDataset", final.output_structure, (key, init, reduce, final), key_func_other_arguments=key.captured, init_func_other_arguments=init.captured,
            reduce_func_other_arguments=reduce.captured, finalize_func_other_arguments=final.captured, key_func=key.func, init_func=init.func, reduce_func=reduce.func,
            finalize_func=final.func,
        )  # fmt: skip

    return apply


@export("data.experimental.group_by_window")
def group_by_window(key_func: Any, reduce_func: Any, window_size: Any = None, window_size_func: Any = None) -> Transformation:
    """Windows of elements with the same key, each made a dataset by `reduce_func(key, window)`."""
    if (window_size is None) == (window_size_func is None):
        raise ValueError("Must pass either window_size or window_size_func.")
    if window_size is not None:

        def window_size_func(unused_key: Any) -> Any:
            return convert_to_tensor(window_size, int64)

    label = "tf.data.experimental.group_by_window()"

    def apply(dataset: Dataset) -> Dataset:
        key = _key_function(key_func, label, dataset)
        window = (TensorSpec([], int64), st.DatasetSpec(dataset.element_spec))
        reduce = StructuredFunction(reduce_func, label, window)
        size = StructuredFunction(lambda k: math_ops.cast(convert_to_tensor(window_size_func(k)), int64), label, TensorSpec([], int64))
        return dataset._unary(
            "GroupByWindowDataset", _inner(reduce, "group_by_window"), (key, reduce, size), key_func_other_arguments=key.captured, reduce_func_other_arguments=reduce.captured,
            window_size_func_other_arguments=size.captured, key_func=key.func, reduce_func=reduce.func, window_size_func=size.func,
        )  # fmt: skip

    return apply


@export("data.experimental.bucket_by_sequence_length")
def bucket_by_sequence_length(
    element_length_func: Any,
    bucket_boundaries: Any,
    bucket_batch_sizes: Any,
    padded_shapes: Any = None,
    padding_values: Any = None,
    pad_to_bucket_boundary: bool = False,
    no_padding: bool = False,
    drop_remainder: bool = False,
) -> Transformation:
    """Padded batches of elements of similar lengths."""
    with name_scope("bucket_by_seq_length", None, ()):
        if len(bucket_batch_sizes) != len(bucket_boundaries) + 1:
            raise ValueError("len(bucket_batch_sizes) must equal len(bucket_boundaries) + 1")
        sizes = constant(bucket_batch_sizes, int64)
        limits = np.iinfo(np.int32)

        def bucket(*element: Any) -> Any:
            length = convert_to_tensor(element_length_func(*element))
            low = [int(limits.min), *bucket_boundaries]
            high = [*bucket_boundaries, int(limits.max)]
            inside = apply_op(
                "LogicalAnd", None, x=apply_op("LessEqual", None, x=low, y=length), y=apply_op("Less", None, x=length, y=high)
            )
            return math_ops.reduce_min(array_ops.where(inside))

        def size_of(bucket_id: Any) -> Any:
            return sizes[bucket_id]

        def batch(bucket_id: Any, group: Dataset) -> Dataset:
            size = size_of(bucket_id)
            if no_padding:
                return group.batch(size, drop_remainder=drop_remainder)
            filler: Any = None
            if pad_to_bucket_boundary:
                from runtime.tf1.modules import lookup

                check = lookup("assert_less")(
                    bucket_id,
                    constant(len(bucket_batch_sizes) - 1, int64),
                    message="When pad_to_bucket_boundary=True, elements must have length < max(bucket_boundaries).",
                )
                with get_default_graph().control_dependencies([check]):
                    filler = constant(bucket_boundaries, int64)[bucket_id] - 1
            given = padded_shapes or group.output_shapes
            shapes = []
            for shape in st.flatten_up_to(group.element_spec, given):
                dims = [filler if d is None else d for d in TensorShape(shape).as_list()]
                shapes.append(
                    array_ops.stack([math_ops.cast(convert_to_tensor(d), int64) for d in dims])
                    if filler is not None and any(d is filler for d in dims)
                    else dims
                )
            return group.padded_batch(size, st.pack(group.element_spec, shapes), padding_values, drop_remainder=drop_remainder)

        return lambda dataset: dataset.apply(group_by_window(bucket, batch, window_size_func=size_of))


# -- several datasets --------------------------------------------------------------------------------------------------------


def _directed(selector: Dataset, datasets: Any) -> Dataset:
    datasets = list(datasets)
    spec = datasets[0].element_spec
    for ds in datasets[1:]:
        if ds.output_types != datasets[0].output_types or ds.output_classes != datasets[0].output_classes:
            raise TypeError("All datasets must have the same type and class.")
        spec = st.map_structure(st.most_general, spec, ds.element_spec)
    variant = make(
        "ExperimentalDirectedInterleaveDataset",
        spec,
        selector_input_dataset=selector._variant_tensor,
        data_input_datasets=[d._variant_tensor for d in datasets],
    )
    return Dataset(variant, spec, (selector, *datasets))


@export("data.experimental.choose_from_datasets")
def choose_from_datasets(datasets: Any, choice_dataset: Dataset) -> Dataset:
    """The next element of the dataset whose number `choice_dataset` gives."""
    spec = choice_dataset.element_spec
    if not (isinstance(spec, TensorSpec) and TensorSpec([], int64).is_compatible_with(spec)):
        raise TypeError("`choice_dataset` must be a dataset of scalar `tf.int64` tensors.")
    return _directed(choice_dataset, datasets)


@export("data.experimental.sample_from_datasets")
def sample_from_datasets(datasets: Any, weights: Any = None, seed: Any = None) -> Dataset:
    """Elements of datasets drawn at random."""

    def choose(logits: Any, seed: Any) -> Any:
        return array_ops.squeeze(apply_op("StatelessMultinomial", None, logits=logits, num_samples=1, seed=seed), [0, 1])

    if isinstance(weights, Dataset):
        logits_of = weights.map(lambda *p: apply_op("Log", "logits", x=p[0] if len(p) == 1 else array_ops.stack(list(p))))
        return _directed(Dataset.zip((logits_of, RandomDataset(seed).batch(2))).map(choose), datasets)
    if weights is None:
        logits: Any = convert_to_tensor([[1.0] * len(datasets)])
    else:
        weights = convert_to_tensor(weights, name="weights")
        if weights.dtype not in (float32, float64):
            raise TypeError("`weights` must be convertible to a tensor of `tf.float32` or `tf.float64` elements.")
        if not weights.shape.is_compatible_with([len(datasets)]):
            raise ValueError("`weights` must be a vector of length `len(datasets)`.")
        logits = array_ops.expand_dims(apply_op("Log", "logits", x=weights), 0)
    if len(datasets) == 1:
        return datasets[0]  # type: ignore[no-any-return]
    return _directed(RandomDataset(seed).batch(2).map(lambda s: choose(logits, s)), datasets)


@export("data.experimental.rejection_resample")
def rejection_resample(class_func: Any, target_dist: Any, initial_dist: Any = None, seed: Any = None) -> Transformation:
    """(class, element) pairs with the classes in the proportions of `target_dist`; rejects elements of classes there are too many of."""

    def apply(dataset: Dataset) -> Dataset:
        target = convert_to_tensor(target_dist, name="target_dist")
        classes = dataset.map(class_func)
        initial: Any = None
        if initial_dist is not None:
            initial = convert_to_tensor(initial_dist, name="initial_dist")
            acceptance, original = _acceptance(initial, target)
            initial_ds, acceptance_ds, original_ds = (Dataset.from_tensors(t).repeat() for t in (initial, acceptance, original))
        else:
            initial_ds = _estimated(target, classes)
            both = initial_ds.map(lambda i: _acceptance(i, target))
            acceptance_ds, original_ds = both.map(lambda a, _: a), both.map(lambda _, p: p)
        acceptance_ds = Dataset.zip((acceptance_ds, initial_ds)).map(lambda a, _: a)
        drawn = Dataset.zip((classes, acceptance_ds, dataset)).map(lambda c, a, data: (c, array_ops.gather(a, c), data))
        kept = drawn.filter(lambda c, p, data: apply_op("Less", None, x=random_ops.random_uniform([], seed=seed), y=p))
        kept = kept.map(lambda c, p, data: (c, data)).prefetch(3)
        share = None
        if initial is not None and (known := constant_value(initial)) is not None and (wanted := constant_value(target)) is not None:
            share = np.min(wanted / known)
        if share == 1:
            return Dataset.zip((classes, dataset))
        if share == 0:
            return kept
        return sample_from_datasets(
            [Dataset.zip((classes, dataset)), kept], original_ds.map(lambda p: array_ops.stack([[p, 1.0 - p]])), seed
        )

    return apply


def _acceptance(initial: Any, target: Any) -> tuple[Any, Any]:
    """The share of each class to accept, and how often to take any element as it comes."""
    ratio = target / (initial + np.finfo(initial.dtype.as_numpy_dtype).tiny)
    high, low = math_ops.reduce_max(ratio), math_ops.reduce_min(ratio)
    return (ratio - low) / (high - low), low


def _estimated(target: Any, classes: Dataset, batch_size: int = 32, smoothing: int = 10) -> Dataset:
    """The distribution of the classes seen so far, for each element."""
    count = target.shape[0].value
    counts = array_ops.fill([count], constant(smoothing, int64))

    def update(seen: Any, c: Any) -> Any:
        seen = seen + math_ops.reduce_sum(array_ops.one_hot(c, count, dtype=int64), 0)
        share = math_ops.cast(seen / math_ops.reduce_sum(seen), float32)
        return seen, apply_op("Tile", None, input=array_ops.expand_dims(share, 0), multiples=[batch_size, 1])

    return classes.batch(batch_size).apply(scan(counts, update)).unbatch()


# -- files -------------------------------------------------------------------------------------------------------------------


@export("data.experimental.TFRecordWriter")
class TFRecordWriter:
    """Writes a dataset of strings to a TFRecord file."""

    def __init__(self, filename: Any, compression_type: Any = None) -> None:
        self._filename = convert_to_tensor(filename, string, name="filename")
        self._compression = convert_to_tensor(compression_type or "", string, name="compression_type")

    def write(self, dataset: Dataset) -> Any:
        if not isinstance(dataset, Dataset):
            raise TypeError("`dataset` must be a `tf.data.Dataset` object.")
        if dataset.output_types is not string or dataset.output_shapes.ndims not in (0, None):
            raise TypeError(
                f"`dataset` must produce scalar `DT_STRING` tensors whereas it produces shape {dataset.output_shapes} and types {dataset.output_types}"
            )
        return apply_op(
            "ExperimentalDatasetToTFRecord",
            None,
            input_dataset=dataset._variant_tensor,
            filename=self._filename,
            compression_type=self._compression,
        )


@export("data.experimental.parse_example_dataset")
def parse_example_dataset(features: Any, num_parallel_calls: Any = 1) -> Transformation:
    """Batches of serialized Examples as tensors by feature name."""
    if features is None:
        raise ValueError("Missing: features was None.")
    from runtime.tf1.parsing_ops import parse_example

    return lambda dataset: dataset.map(lambda serialized: parse_example(serialized, features), num_parallel_calls=num_parallel_calls)


def _ordered(dataset: Dataset, num_epochs: Any, shuffle: bool, size: Any, seed: Any) -> Dataset:
    if num_epochs != 1 and shuffle:
        return dataset.apply(shuffle_and_repeat(size, num_epochs, seed))
    if shuffle:
        return dataset.shuffle(size, seed)
    return dataset.repeat(num_epochs) if num_epochs != 1 else dataset


@export("data.experimental.make_batched_features_dataset")
def make_batched_features_dataset(
    file_pattern: Any, batch_size: Any, features: Any, reader: Any = TFRecordDataset, label_key: str | None = None, reader_args: Any = None, num_epochs: Any = None,
    shuffle: bool = True, shuffle_buffer_size: Any = 10000, shuffle_seed: Any = None, prefetch_buffer_size: Any = None, reader_num_threads: Any = None,
    parser_num_threads: Any = None, sloppy_ordering: bool = False, drop_final_batch: bool = False,
) -> Dataset:  # fmt: skip
    """Batches of the features in files of Examples."""
    dataset = Dataset.list_files(file_pattern, shuffle=shuffle, seed=shuffle_seed)
    dataset = dataset.apply(
        parallel_interleave(
            lambda filename: reader(filename, *(reader_args or [])), cycle_length=reader_num_threads or 1, sloppy=sloppy_ordering
        )
    )
    if isinstance(dataset.output_types, tuple):
        dataset = dataset.map(lambda *kv: kv[1])  # (key, value) records
    dataset = _ordered(dataset, num_epochs, shuffle, shuffle_buffer_size, shuffle_seed)
    dataset = dataset.batch(batch_size, drop_remainder=drop_final_batch or num_epochs is None)
    dataset = dataset.apply(parse_example_dataset(features, num_parallel_calls=parser_num_threads or 2))
    if label_key:
        if label_key not in features:
            raise ValueError(f"The `label_key` provided ({label_key!r}) must be one of the `features` keys.")
        dataset = dataset.map(lambda x: (x, x.pop(label_key)))
    return dataset.prefetch(AUTOTUNE if prefetch_buffer_size is None else prefetch_buffer_size)


_CSV_TYPES = (int32, int64, float32, float64, string)


def _fits(text: str, dtype: Any) -> bool:
    try:
        if dtype is int32:
            return -(2**31) <= int(text) < 2**31
        if dtype is int64:
            return -(2**63) <= int(text) < 2**63
        if dtype in (float32, float64):
            return bool(dtype.as_numpy_dtype(text) < np.inf)
    except (ValueError, OverflowError):
        return False
    return True


def _rows(names: list[str], delimiter: str, quotes: bool, opener: Any) -> Any:
    for name in names:
        with opener(name) as f:
            yield from (
                (i, row)
                for i, row in enumerate(csv.reader(f, delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE))
            )


@export("data.experimental.make_csv_dataset")
def make_csv_dataset(
    file_pattern: Any, batch_size: Any, column_names: Any = None, column_defaults: Any = None, label_name: str | None = None, select_columns: Any = None, field_delim: str = ",",
    use_quote_delim: bool = True, na_value: str = "", header: bool = True, num_epochs: Any = None, shuffle: bool = True, shuffle_buffer_size: Any = 10000,
    shuffle_seed: Any = None, prefetch_buffer_size: Any = None, num_parallel_reads: Any = None, sloppy: bool = False, num_rows_for_inference: Any = 100,
    compression_type: Any = None, ignore_errors: bool = False,
) -> Dataset:  # fmt: skip
    """Batches of the columns of CSV files, by name; names and types are read off the files unless given."""
    from runtime.files import match

    patterns = [file_pattern] if isinstance(file_pattern, str) else list(file_pattern)
    names = sorted({n for p in patterns for n in match(p)})
    if not names:
        raise ValueError(f"No files match {file_pattern}.")
    dataset = Dataset.from_tensor_slices(names)
    if shuffle:
        dataset = dataset.shuffle(len(names), shuffle_seed)

    def opener(name: str) -> Any:
        return gzip.open(name, "rt") if compression_type == "GZIP" else open(name, newline="")

    if column_names is None:
        if not header:
            raise ValueError("Cannot infer column names without a header line.")
        heads = [row for i, row in _rows(names, field_delim, use_quote_delim, opener) if i == 0]
        if not heads:
            raise ValueError(f"Received StopIteration when reading the header line of {names[0]}.  Empty file?")
        if any(h != heads[0] for h in heads[1:]):
            raise ValueError("Files have different column names in the header row.")
        column_names = heads[0]
    column_names = list(column_names)
    if len(set(column_names)) != len(column_names):
        raise ValueError("Cannot have duplicate column names.")
    if select_columns is not None:
        for c in select_columns:
            if (isinstance(c, int) and not 0 <= c < len(column_names)) or (isinstance(c, str) and c not in column_names):
                raise ValueError(f"Value '{c}' specified in select_columns not a valid column index or name.")
        chosen = [c if isinstance(c, int) else column_names.index(c) for c in select_columns]
        if len(set(chosen)) != len(chosen):
            raise ValueError("select_columns contains duplicate columns")
        select_columns = sorted(chosen)
    indices = list(range(len(column_names))) if select_columns is None else select_columns
    if column_defaults is None:
        types: list[Any] = [None] * len(indices)
        seen = 0
        for i, row in _rows(names, field_delim, use_quote_delim, opener):
            if header and i == 0:
                continue
            if num_rows_for_inference is not None and seen >= num_rows_for_inference:
                break
            seen += 1
            if len(row) != len(column_names):
                raise ValueError("Problem inferring types: CSV row has different number of fields than expected.")
            for j, index in enumerate(indices):
                if row[index] not in ("", na_value):
                    least = 0 if types[j] is None else _CSV_TYPES.index(types[j])
                    types[j] = next(t for t in _CSV_TYPES[least:] if _fits(row[index], t))
        column_defaults = [constant([b"" if (t or string) is string else 0], t or string) for t in types]
    if select_columns is not None and len(column_defaults) != len(select_columns):
        raise ValueError("If specified, column_defaults and select_columns must have same length.")
    column_names = [column_names[i] for i in indices]
    if label_name is not None and label_name not in column_names:
        raise ValueError("`label_name` provided must be one of the columns.")

    def rows_of(filename: Any) -> Dataset:
        made: Dataset = CsvDataset(
            filename, column_defaults, field_delim=field_delim, use_quote_delim=use_quote_delim, na_value=na_value, select_cols=select_columns, header=header,
            compression_type=compression_type,
        )  # fmt: skip
        return made._unary("ExperimentalIgnoreErrorsDataset") if ignore_errors else made

    def by_name(*columns: Any) -> Any:
        found: Any = OrderedDict(zip(column_names, columns, strict=True))
        if label_name is not None:
            label = found.pop(label_name)
            return found, label
        return found

    if num_parallel_reads == AUTOTUNE:
        chosen_options = Options()
        chosen_options.experimental_deterministic = not sloppy
        dataset = dataset.interleave(rows_of, num_parallel_calls=num_parallel_reads).with_options(chosen_options)
    else:
        dataset = dataset.apply(parallel_interleave(rows_of, cycle_length=num_parallel_reads or 1, sloppy=sloppy))
    dataset = _ordered(dataset, num_epochs, shuffle, shuffle_buffer_size, shuffle_seed)
    dataset = dataset.batch(batch_size, drop_remainder=num_epochs is None).map(by_name)
    return dataset.prefetch(AUTOTUNE if prefetch_buffer_size is None else prefetch_buffer_size)


@export("data.experimental.TensorStructure")
def tensor_structure(dtype: Any, shape: Any) -> TensorSpec:
    return TensorSpec(shape, dtype)


@export("data.experimental.SparseTensorStructure")
def sparse_tensor_structure(dtype: Any, shape: Any) -> SparseTensorSpec:
    return SparseTensorSpec(shape, dtype)


@export("data.experimental.get_structure")
def get_structure(dataset_or_iterator: Any) -> Any:
    return dataset_or_iterator.element_spec


@export("data.experimental.to_variant")
def to_variant(dataset: Dataset) -> Any:
    return dataset._variant_tensor


@export("data.experimental.from_variant")
def from_variant(variant: Any, structure: Any) -> Dataset:
    return Dataset(variant, structure)


# tf.contrib.data had these names first.
for _name, _target in (
    ("Counter", counter), ("CsvDataset", CsvDataset), ("Optional", None), ("RandomDataset", RandomDataset), ("Reducer", Reducer), ("SqlDataset", None),
    ("TFRecordWriter", TFRecordWriter), ("bucket_by_sequence_length", bucket_by_sequence_length), ("choose_from_datasets", choose_from_datasets),
    ("copy_to_device", copy_to_device), ("dense_to_sparse_batch", dense_to_sparse_batch), ("enumerate_dataset", enumerate_dataset),
    ("get_single_element", get_single_element), ("group_by_reducer", group_by_reducer), ("group_by_window", group_by_window), ("ignore_errors", ignore_errors),
    ("make_batched_features_dataset", make_batched_features_dataset), ("make_csv_dataset", make_csv_dataset), ("map_and_batch", map_and_batch),
    ("parallel_interleave", parallel_interleave), ("parse_example_dataset", parse_example_dataset), ("prefetch_to_device", prefetch_to_device),
    ("rejection_resample", rejection_resample), ("sample_from_datasets", sample_from_datasets), ("scan", scan), ("shuffle_and_repeat", shuffle_and_repeat),
    ("unbatch", unbatch), ("unique", unique),
):  # fmt: skip
    if _target is not None:
        put(f"contrib.data.{_name}", _target)
