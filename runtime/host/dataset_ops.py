"""The datasets of tf.data: sources, and the transformations that every version has."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from graphtools import opdefs
from graphtools.errors import FormatError
from graphtools.formats import checkpoint
from graphtools.graph import Node
from runtime import files
from runtime.errors import InvalidArgumentError, OutOfRangeError
from runtime.host import HostKernel, Run, datasets, host, io_ops, read_ahead, records, rows
from runtime.host.datasets import INFINITE, UNKNOWN, Context, Dataset, Rows
from runtime.host.rows import Array, Row
from runtime.host.single_samples import SingleSamples


def dataset(*ops: str) -> Callable[[HostKernel], HostKernel]:
    """Declare the host kernel of dataset ops and of their twins that were called Experimental."""
    names = [name for op in ops for name in (op, f"Experimental{op}") if opdefs.get(name) is not None]
    return host(*names)


def arguments(node: Node, inputs: Sequence[Any]) -> dict[str, Any]:
    """The inputs by their names in the OpDef; tuples for list arguments. Older graphs lack the last of them."""
    opdef = node.opdef
    slices = opdef.input_slices(node.attr) if opdef is not None else {}
    return {
        name: tuple(inputs[start:stop]) if arg.is_list else inputs[start]
        for name, (arg, start, stop) in slices.items()
        if stop <= len(inputs)
    }


def function_of(node: Node, name: str, captured: Row) -> Callable[[Context], Callable[..., Row]]:
    """What applies a func attr to a row, with the captured tensors behind it."""
    function = node.attr[name]

    def bind(context: Context) -> Callable[..., Row]:
        return lambda row: context.call(function, (*row, *captured))

    return bind


def scaled(cardinality: int, change: Callable[[int], int]) -> int:
    """The cardinality after a change that leaves infinite and unknown as they are."""
    return change(cardinality) if cardinality >= 0 else cardinality


# -- sources -----------------------------------------------------------------------------------------------------


@dataset("TensorDataset")
def tensor_dataset(run: Run, node: Node, *components: Any) -> Dataset:
    return Dataset.of([rows.kept(components)])


@dataset("TensorSliceDataset")
def tensor_slice_dataset(run: Run, node: Node, *components: Array) -> Dataset:
    size = len(components[0]) if components[0].ndim else 0
    for i, component in enumerate(components):
        if component.ndim == 0 or len(component) != size:
            raise InvalidArgumentError(
                None,
                None,
                f"All components of TensorSliceDataset must have the same size in dimension 0; component {i} has shape {rows.shape_text(component.shape)}, the first one size {size}.",
            )

    columns = rows.kept(components)

    def slices(i: int) -> Row:
        return tuple([c[i, ...] for c in columns])

    return Dataset(lambda context: map(slices, range(size)), size)


@dataset("SparseTensorSliceDataset")
def sparse_tensor_slice_dataset(run: Run, node: Node, indices: Array, values: Array, shape: Array) -> Dataset:
    """The slices of the first dimension as (indices, values, dense_shape)."""
    if len(indices) and (np.diff(indices[:, 0]) < 0).any():
        raise InvalidArgumentError(None, None, "The indices of a SparseTensorSliceDataset must be ordered by their first column.")
    inner = np.ascontiguousarray(shape[1:])
    bounds = np.searchsorted(indices[:, 0], np.arange(int(shape[0]) + 1))

    def slices(i: int) -> Row:
        part = slice(bounds[i], bounds[i + 1])
        return np.ascontiguousarray(indices[part, 1:]), values[part], inner

    return Dataset(lambda context: map(slices, range(int(shape[0]))), int(shape[0]))


@dataset("RangeDataset")
def range_dataset(run: Run, node: Node, start: Array, stop: Array, step: Array) -> Dataset:
    if int(step) == 0:
        raise InvalidArgumentError(None, None, "step must be a non-zero integer.")
    numbers = range(int(start), int(stop), int(step))
    types = node.attr.get("output_types") or []
    dtype = types[0].as_numpy_dtype if types else np.int64

    def row(number: int) -> Row:
        return (np.array(number, dtype),)

    return Dataset(lambda context: map(row, numbers), len(numbers))


@dataset("RandomDataset")
def random_dataset(run: Run, node: Node, seed: Array, seed2: Array) -> Dataset:
    def numbers(context: Context) -> Rows:
        random = SingleSamples.seeded(int(seed), int(seed2))
        while True:
            yield (np.array(random.next_uint32(), np.int64),)

    return Dataset(numbers, INFINITE)


@dataset("GeneratorDataset")
def generator_dataset(run: Run, node: Node, *inputs: Any) -> Dataset:
    """Rows that next_func makes of the state that init_func made, until it raises OutOfRangeError."""
    given = arguments(node, inputs)

    def generate(context: Context) -> Rows:
        state = context.call(node.attr["init_func"], given["init_func_other_args"])
        try:
            while True:
                try:
                    row = context.call(node.attr["next_func"], (*state, *given["next_func_other_args"]))
                except OutOfRangeError:
                    return
                yield row
        finally:
            context.call(node.attr["finalize_func"], (*state, *given["finalize_func_other_args"]))

    return Dataset(generate)


def _names(filenames: Array) -> list[str]:
    return [rows.name_of(f) for f in filenames.ravel().tolist()]


@dataset("TextLineDataset")
def text_line_dataset(run: Run, node: Node, filenames: Array, compression: Array, buffer_size: Array) -> Dataset:
    def line(raw: bytes) -> Row:
        return (rows.text(raw.removesuffix(b"\n").replace(b"\r", b"")),)

    def lines(name: str) -> Rows:
        stream = files.open_stream(name, rows.name_of(compression), int(buffer_size))
        return datasets.closing(stream, map(line, stream))

    return Dataset(lambda context: datasets.FileRows(_names(filenames), lines))


@dataset("TFRecordDataset")
def tf_record_dataset(run: Run, node: Node, filenames: Array, compression: Array, buffer_size: Array) -> Dataset:
    def row(record: bytes) -> Row:
        return (rows.text(record),)

    def read(name: str) -> Rows:
        stream = files.open_stream(name, rows.name_of(compression), int(buffer_size))
        return datasets.closing(stream, map(row, records.read(stream, name)))

    return Dataset(lambda context: datasets.FileRows(_names(filenames), read))


@dataset("FixedLengthRecordDataset", "FixedLengthRecordDatasetV2")
def fixed_length_record_dataset(
    run: Run, node: Node, filenames: Array, header: Array, size: Array, footer: Array, buffer_size: Array, compression: Array | None = None
) -> Dataset:
    def row(record: bytes) -> Row:
        return (rows.text(record),)

    def read(name: str) -> Rows:
        with files.open_stream(name, "" if compression is None else rows.name_of(compression)) as stream:
            data = stream.read()
        body = len(data) - int(header) - int(footer)
        if body < 0 or body % int(size):
            raise InvalidArgumentError(
                None,
                None,
                f'Excluding the header ({int(header)} bytes) and footer ({int(footer)} bytes), input file "{name}" has body length {body} bytes, '
                f"which is not an exact multiple of the record length ({int(size)} bytes).",
            )
        return map(row, io_ops.fixed_records(data, name, int(header), int(size), int(footer)))

    if int(size) <= 0:
        raise InvalidArgumentError(None, None, f"`record_bytes` must be > 0, not {int(size)}.")
    return Dataset(lambda context: datasets.FileRows(_names(filenames), read))


@dataset("MatchingFilesDataset")
def matching_files_dataset(run: Run, node: Node, patterns: Array) -> Dataset:
    def names(context: Context) -> Rows:
        for pattern in _names(patterns):
            for name in files.match(pattern):
                yield (rows.text(os.fsencode(name)),)

    return Dataset(names)


# -- one dataset into another ------------------------------------------------------------------------------------


def parallel_calls(given: Array) -> int:
    """How many calls may run at once; -1 leaves the number to us."""
    return min(int(given), _MOST_CALLS) if int(given) > 0 else os.cpu_count() or 1


_MOST_CALLS = 64


@dataset("ParallelMapDataset", "ParallelMapDatasetV2")
def parallel_map_dataset(run: Run, node: Node, *inputs: Any) -> Dataset:
    given = arguments(node, inputs)
    source: Dataset = given["input_dataset"]
    bind = function_of(node, "f", given["other_arguments"])
    limit, keeps = parallel_calls(given["num_parallel_calls"]), bool(node.attr.get("preserve_cardinality"))
    return Dataset(lambda context: read_ahead.ParallelMapped(source.iterate(context), bind(context), limit, keeps), source.cardinality)


@dataset("MapDataset")
def map_dataset(run: Run, node: Node, *inputs: Any) -> Dataset:
    given = arguments(node, inputs)
    source: Dataset = given["input_dataset"]
    bind = function_of(node, "f", given["other_arguments"])
    keeps = bool(node.attr.get("preserve_cardinality"))
    return Dataset(lambda context: datasets.Mapped(source.iterate(context), bind(context), keeps), source.cardinality)


@dataset("FilterDataset", "ParallelFilterDataset")
def filter_dataset(run: Run, node: Node, source: Dataset, *captured: Any) -> Dataset:
    bind = function_of(node, "predicate", captured)

    def keep(context: Context) -> Rows:
        predicate = bind(context)
        return filter(lambda row: bool(predicate(row)[0]), source.iterate(context))

    return Dataset(keep)


@dataset("FilterByLastComponentDataset")
def filter_by_last_component_dataset(run: Run, node: Node, source: Dataset) -> Dataset:
    def is_kept(row: Row) -> bool:
        return bool(row[-1])

    def without_last(row: Row) -> Row:
        return row[:-1]

    return Dataset(lambda context: map(without_last, filter(is_kept, source.iterate(context))))


@dataset("FlatMapDataset")
def flat_map_dataset(run: Run, node: Node, source: Dataset, *captured: Any) -> Dataset:
    bind = function_of(node, "f", captured)
    return Dataset(lambda context: datasets.Flattened(context, source.iterate(context), bind(context)))


@dataset(
    "InterleaveDataset", "LegacyParallelInterleaveDatasetV2", "ParallelInterleaveDataset", "ParallelInterleaveDatasetV2", "ParallelInterleaveDatasetV3",
    "ParallelInterleaveDatasetV4",
)  # fmt: skip
def interleave_dataset(run: Run, node: Node, *inputs: Any) -> Dataset:
    """The parallel ones give the same order as long as they are not told to be sloppy, and then any order is right."""
    given = arguments(node, inputs)
    cycle, block = int(given["cycle_length"]), int(given["block_length"])
    if cycle == -1:
        cycle = os.cpu_count() or 1
    if cycle <= 0 or block <= 0:
        raise InvalidArgumentError(None, None, f"`cycle_length` and `block_length` must be > 0, not {cycle} and {block}.")
    source: Dataset = given["input_dataset"]
    bind = function_of(node, "f", given["other_arguments"])
    return Dataset(lambda context: datasets.Interleaved(context, source.iterate(context), bind(context), cycle, block))


def batch_cardinality(cardinality: int, size: int, drops_remainder: bool) -> int:
    return scaled(cardinality, lambda n: n // size if drops_remainder else -(-n // size))


def positive_batch_size(size: Array) -> int:
    if int(size) <= 0:
        raise InvalidArgumentError(None, None, "Batch size must be greater than zero.")
    return int(size)


@dataset("ParallelBatchDataset")
def parallel_batch_dataset(run: Run, node: Node, source: Dataset, size: Array, num_parallel_calls: Array, drop_remainder: Array) -> Dataset:
    return batch_dataset(run, node, source, size, drop_remainder)  # type: ignore[no-any-return]


@dataset("BatchDataset", "BatchDatasetV2")
def batch_dataset(run: Run, node: Node, source: Dataset, size: Array, drop_remainder: Array | bool = False) -> Dataset:
    count, drops = positive_batch_size(size), bool(drop_remainder)
    return Dataset(
        lambda context: datasets.Batched(source.iterate(context), count, drops, datasets.stack_rows),
        batch_cardinality(source.cardinality, count, drops),
    )


@dataset("PaddedBatchDataset", "PaddedBatchDatasetV2")
def padded_batch_dataset(run: Run, node: Node, *inputs: Any) -> Dataset:
    given = arguments(node, inputs)
    source: Dataset = given["input_dataset"]
    count, drops = positive_batch_size(given["batch_size"]), bool(given.get("drop_remainder", False))
    shapes, fills = [s.tolist() for s in given["padded_shapes"]], given["padding_values"]

    def stack(taken: Sequence[Row]) -> Row:
        return datasets.stack_padded_rows(taken, shapes, fills)

    return Dataset(
        lambda context: datasets.Batched(source.iterate(context), count, drops, stack), batch_cardinality(source.cardinality, count, drops)
    )


@dataset("RepeatDataset")
def repeat_dataset(run: Run, node: Node, source: Dataset, count: Array) -> Dataset:
    times = int(count)
    if times < 0:
        cardinality = 0 if source.cardinality == 0 else INFINITE
    else:
        cardinality = 0 if times == 0 else scaled(source.cardinality, lambda n: n * times)

    def iterate(context: Context) -> Rows:
        if context.fuses_shuffle_and_repeat and source.repeat_shuffled is not None:
            return source.repeat_shuffled(context, times)
        return datasets.Repeated(context, source, times)

    return Dataset(iterate, cardinality)


@dataset("TakeDataset")
def take_dataset(run: Run, node: Node, source: Dataset, count: Array) -> Dataset:
    most = int(count)
    if most < 0:
        return source
    cardinality = most if source.cardinality == INFINITE else scaled(source.cardinality, lambda n: min(n, most))
    return Dataset(lambda context: itertools.islice(source.iterate(context), most), cardinality)


@dataset("SkipDataset")
def skip_dataset(run: Run, node: Node, source: Dataset, count: Array) -> Dataset:
    """Skips everything if the count is negative."""
    first = int(count)
    if first < 0:
        return Dataset.of([])
    return Dataset(
        lambda context: itertools.islice(source.iterate(context), first, None), scaled(source.cardinality, lambda n: max(n - first, 0))
    )


@dataset("ConcatenateDataset")
def concatenate_dataset(run: Run, node: Node, first: Dataset, second: Dataset) -> Dataset:
    sizes = (first.cardinality, second.cardinality)
    cardinality = INFINITE if INFINITE in sizes else UNKNOWN if UNKNOWN in sizes else sum(sizes)
    return Dataset(lambda context: datasets.Concatenated(context, (first, second)), cardinality)


@dataset("ZipDataset")
def zip_dataset(run: Run, node: Node, *sources: Dataset) -> Dataset:
    sizes = [s.cardinality for s in sources]
    finite = [s for s in sizes if s != INFINITE]
    cardinality = INFINITE if not finite else UNKNOWN if UNKNOWN in finite else min(finite)

    def join(parts: tuple[Row, ...]) -> Row:
        return tuple(itertools.chain.from_iterable(parts))

    return Dataset(lambda context: map(join, zip(*[s.iterate(context) for s in sources], strict=False)), cardinality)


@dataset("WindowDataset")
def window_dataset(run: Run, node: Node, source: Dataset, size: Array, shift: Array, stride: Array, drop_remainder: Array) -> Dataset:
    for what, value in (("size", size), ("shift", shift), ("stride", stride)):
        if int(value) <= 0:
            raise InvalidArgumentError(None, None, f"Window {what} must be greater than zero.")

    def by_component(window: list[Row]) -> Row:
        return tuple([Dataset.of([(cell,) for cell in column]) for column in zip(*window, strict=True)])

    def windows(context: Context) -> Rows:
        found = datasets.Windows(source.iterate(context), int(size), int(shift), int(stride), bool(drop_remainder))
        return map(by_component, found)

    return Dataset(windows)


# -- shuffling ---------------------------------------------------------------------------------------------------


def _buffer_size(size: Array) -> int:
    if int(size) <= 0:
        raise InvalidArgumentError(None, None, "buffer_size must be greater than zero.")
    return int(size)


@dataset("ShuffleDataset")
def shuffle_dataset(run: Run, node: Node, source: Dataset, size: Array, seed: Array, seed2: Array) -> Dataset:
    """Each pass takes two new seeds from a stream of the dataset's, or the same ones where it is not reshuffled."""
    return _shuffled(source, _buffer_size(size), int(seed), int(seed2), 1, node.attr["reshuffle_each_iteration"])


def _shuffled(source: Dataset, size: int, seed: int, seed2: int, count: int, reshuffle: bool) -> Dataset:
    if reshuffle:
        seeds = datasets.Seeds(seed, seed2)

        def iterate(context: Context) -> Rows:
            return datasets.Shuffled(context, source, size, SingleSamples(*seeds.draw()), count)

        def repeat(context: Context, times: int) -> Rows:
            return datasets.Shuffled(context, source, size, SingleSamples.seeded(seed, seed2), times)

    else:
        repeat = None  # type: ignore[assignment]
        fixed = (seed, seed2) if seed or seed2 else datasets.Seeds(seed, seed2).draw()

        def iterate(context: Context) -> Rows:
            return datasets.Shuffled(context, source, size, SingleSamples(*fixed), count)

    if count < 0:
        cardinality = 0 if source.cardinality == 0 else INFINITE
    else:
        cardinality = scaled(source.cardinality, lambda n: n * count)
    return Dataset(iterate, cardinality, repeat if count == 1 else None)


@dataset("ShuffleAndRepeatDataset")
def shuffle_and_repeat_dataset(run: Run, node: Node, source: Dataset, size: Array, seed: Array, seed2: Array, count: Array) -> Dataset:
    return _shuffled(source, _buffer_size(size), int(seed), int(seed2), int(count), False)


@dataset("ShuffleAndRepeatDatasetV2")
def shuffle_and_repeat_dataset_v2(
    run: Run, node: Node, source: Dataset, size: Array, seed: Array, seed2: Array, count: Array, generator: datasets.Seeds
) -> Dataset:
    return _shuffled(source, _buffer_size(size), int(seed), int(seed2), int(count), node.attr["reshuffle_each_iteration"])


@dataset("ShuffleDatasetV2")
def shuffle_dataset_v2(run: Run, node: Node, source: Dataset, size: Array, generator: datasets.Seeds) -> Dataset:
    buffer_size = _buffer_size(size)
    return Dataset(lambda context: datasets.Shuffled(context, source, buffer_size, SingleSamples(*generator.draw())), source.cardinality)


@dataset("ShuffleDatasetV3")
def shuffle_dataset_v3(run: Run, node: Node, source: Dataset, size: Array, seed: Array, seed2: Array, generator: Any) -> Dataset:
    if node.attr["reshuffle_each_iteration"] and isinstance(generator, datasets.Seeds):
        return shuffle_dataset_v2(run, node, source, size, generator)  # type: ignore[no-any-return]
    return _shuffled(source, _buffer_size(size), int(seed), int(seed2), 1, node.attr["reshuffle_each_iteration"])


@host("AnonymousRandomSeedGenerator", "AnonymousSeedGenerator")
def anonymous_seed_generator(run: Run, node: Node, seed: Array, seed2: Array, reshuffle: Array | None = None) -> tuple[Any, Any]:
    return datasets.Seeds(int(seed), int(seed2)), None


@host("DummySeedGenerator", "DummyMemoryCache")
def dummy(run: Run, node: Node) -> Any:
    return datasets.Cache() if node.op == "DummyMemoryCache" else datasets.Seeds(0, 0)


@host("AnonymousMemoryCache")
def anonymous_memory_cache(run: Run, node: Node) -> tuple[Any, Any]:
    return datasets.Cache(), None


@host("DeleteMemoryCache", "DeleteRandomSeedGenerator", "DeleteSeedGenerator")
def delete_handle(run: Run, node: Node, handle: Any, deleter: Any) -> tuple[()]:
    return ()


# -- caching -----------------------------------------------------------------------------------------------------


@dataset("CacheDataset", "CacheDatasetV2")
def cache_dataset(run: Run, node: Node, source: Dataset, filename: Array, cache: Any = None) -> Dataset:
    """Rows in memory, or in a checkpoint of this name, from the first complete pass on."""
    name = rows.name_of(filename)
    if name:
        return Dataset(lambda context: _cached_in_file(files.local(name), node, source, context), source.cardinality)
    held = cache if isinstance(cache, datasets.Cache) else datasets.Cache()

    def iterate(context: Context) -> Rows:
        return iter(held.rows) if held.rows is not None else held.fill_from(source.iterate(context))

    return Dataset(iterate, source.cardinality)


def _cached_in_file(prefix: str, node: Node, source: Dataset, context: Context) -> Rows:
    types = node.attr["output_types"]
    if os.path.exists(prefix + ".index"):
        try:
            yield from _read_cache(checkpoint.open_checkpoint(prefix), len(types))
        except FormatError as e:
            raise InvalidArgumentError(None, None, f"The cache {prefix!r} of node {node.name!r} cannot be read: {e}") from e
        return
    saved: list[checkpoint.Saved] = []
    for number, row in enumerate(source.iterate(context)):
        saved.extend(checkpoint.Saved(_cache_key(number, c, len(types)), cell, types[c]) for c, cell in enumerate(row))
        yield row
    with files.translated(prefix):
        checkpoint.write_v2(prefix, saved)


def _read_cache(held: checkpoint.Checkpoint, width: int) -> Iterator[Row]:
    number = 0
    while _cache_key(number, 0, width) in held:
        yield tuple([held[_cache_key(number, c, width)] for c in range(width)])
        number += 1


def _cache_key(number: int, component: int, width: int) -> str:
    """As TensorFlow names the cell, so that either reads the other's caches."""
    return f"{number:7d}_{component:{len(str(width - 1))}d}"


# -- datasets that only say how to run ---------------------------------------------------------------------------

_PASS_THROUGH = (
    "AssertNextDataset", "AssertPrevDataset", "AutoShardDataset", "BytesProducedStatsDataset", "FinalizeDataset", "LatencyStatsDataset", "MaxIntraOpParallelismDataset",
    "ModelDataset", "NonSerializableDataset", "OptionsDataset", "PrivateThreadPoolDataset", "RewriteDataset",
    "SetStatsAggregatorDataset", "SleepDataset", "ThreadPoolDataset",
)  # fmt: skip


@dataset(*_PASS_THROUGH)
def pass_through_dataset(run: Run, node: Node, source: Dataset, *settings: Any) -> Dataset:
    return source


@dataset("PrefetchDataset")
def prefetch_dataset(run: Run, node: Node, source: Dataset, size: Array) -> Dataset:
    """A size of -1 leaves the number to us."""
    if int(size) < -1:
        raise InvalidArgumentError(None, None, "buffer_size must be >= 0 or set buffer_size to be -1 for auto-tuning")
    if int(size) == 0:
        return source
    ahead = int(size) if int(size) > 0 else 2
    return Dataset(lambda context: read_ahead.Prefetched(source.iterate(context), ahead), source.cardinality)


@dataset("OptimizeDataset", "OptimizeDatasetV2")
def optimize_dataset(run: Run, node: Node, source: Dataset, *optimizations: Array) -> Dataset:
    """Only one of the optimizations changes what comes out: shuffle().repeat() becomes one buffer that all passes go through."""
    fuses = b"shuffle_and_repeat_fusion" in [name for names in optimizations for name in names.ravel().tolist()]
    return Dataset(lambda context: source.iterate(context.with_fusion(fuses)), source.cardinality)
