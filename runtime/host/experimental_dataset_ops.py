"""The transformations of tf.data that began in contrib and experimental, and what takes a dataset and gives tensors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphtools.graph import Node
from runtime import files
from runtime.errors import FailedPreconditionError, InvalidArgumentError, OpError, UnimplementedError
from runtime.host import Run, csv_records, datasets, host, parsing_ops, read_ahead, records, rows
from runtime.host.dataset_ops import arguments, batch_cardinality, dataset, function_of, parallel_calls, positive_batch_size
from runtime.host.datasets import Context, Dataset, Rows
from runtime.host.rows import Array, Row
from runtime.host.single_samples import SingleSamples


@dataset("MapAndBatchDataset")
def map_and_batch_dataset(run: Run, node: Node, *inputs: Any) -> Dataset:
    given = arguments(node, inputs)
    source: Dataset = given["input_dataset"]
    bind = function_of(node, "f", given["other_arguments"])
    count, drops = positive_batch_size(given["batch_size"]), bool(given.get("drop_remainder", False))
    limit = parallel_calls(given["num_parallel_calls"]) if "num_parallel_calls" in given else 1

    def iterate(context: Context) -> Rows:
        mapped = read_ahead.ParallelMapped(source.iterate(context), bind(context), limit)
        return datasets.Batched(mapped, count, drops, datasets.stack_rows)

    return Dataset(iterate, batch_cardinality(source.cardinality, count, drops))


@dataset("ScanDataset")
def scan_dataset(run: Run, node: Node, *inputs: Any) -> Dataset:
    """The function makes a new state and a row of the state and a row."""
    given = arguments(node, inputs)
    source: Dataset = given["input_dataset"]
    bind = function_of(node, "f", given["other_arguments"])
    width = len(given["initial_state"])

    def iterate(context: Context) -> Rows:
        step, state = bind(context), [given["initial_state"]]

        def apply(row: Row) -> Row:
            made = step((*state[0], *row))
            state[0] = made[:width]
            return made[width:]

        return datasets.Mapped(source.iterate(context), apply)

    return Dataset(iterate, source.cardinality)


@dataset("TakeWhileDataset")
def take_while_dataset(run: Run, node: Node, source: Dataset, *captured: Any) -> Dataset:
    bind = function_of(node, "predicate", captured)

    def iterate(context: Context) -> Rows:
        predicate = bind(context)
        for row in source.iterate(context):
            if not predicate(row)[0]:
                return
            yield row

    return Dataset(iterate)


@dataset("ShardDataset")
def shard_dataset(run: Run, node: Node, source: Dataset, num_shards: Array, index: Array) -> Dataset:
    count, own = int(num_shards), int(index)
    if count < 1 or not 0 <= own < count:
        raise InvalidArgumentError(None, None, f"Index must be between 0 and {count - 1} (currently index = {own}).")

    def iterate(context: Context) -> Rows:
        for number, row in enumerate(source.iterate(context)):
            if number % count == own:
                yield row

    return Dataset(iterate)


@dataset("UnbatchDataset")
def unbatch_dataset(run: Run, node: Node, source: Dataset) -> Dataset:
    def iterate(context: Context) -> Rows:
        for row in source.iterate(context):
            rows.check_first_dimension(row)
            yield from rows.split(row)

    return Dataset(iterate)


@dataset("UniqueDataset")
def unique_dataset(run: Run, node: Node, source: Dataset) -> Dataset:
    def iterate(context: Context) -> Rows:
        seen: set[Any] = set()
        for row in source.iterate(context):
            key = row[0].item() if row[0].ndim == 0 else (row[0].shape, *row[0].ravel().tolist())
            if key not in seen:
                seen.add(key)
                yield row

    return Dataset(iterate)


@dataset("IgnoreErrorsDataset")
def ignore_errors_dataset(run: Run, node: Node, source: Dataset) -> Dataset:
    return Dataset(lambda context: datasets.Tried(source.iterate(context), OpError))


@dataset("DirectedInterleaveDataset")
def directed_interleave_dataset(run: Run, node: Node, selector: Dataset, *sources: Dataset) -> Dataset:
    """The next row of the source that the selector says; sources that ended are passed over."""

    def iterate(context: Context) -> Rows:
        open_sources: dict[int, Rows] = {i: s.iterate(context) for i, s in enumerate(sources)}
        for (choice,) in selector.iterate(context):
            chosen = int(choice)
            if not 0 <= chosen < len(sources):
                raise InvalidArgumentError(None, None, f"Selector index out of range: {chosen} >= {len(sources)}")
            if chosen in open_sources:
                row = next(open_sources[chosen], None)
                if row is not None:
                    yield row
                    continue
                del open_sources[chosen]
            if not open_sources:
                return

    return Dataset(iterate)


@dataset("ChooseFastestDataset")
def choose_fastest_dataset(run: Run, node: Node, *sources: Dataset) -> Dataset:
    """All of them give the same rows."""
    return sources[0]


@dataset("GroupByWindowDataset")
def group_by_window_dataset(run: Run, node: Node, *inputs: Any) -> Dataset:
    given = arguments(node, inputs)
    source: Dataset = given["input_dataset"]

    def iterate(context: Context) -> Rows:
        key_of = function_of(node, "key_func", given["key_func_other_arguments"])(context)
        size_of = function_of(node, "window_size_func", given["window_size_func_other_arguments"])(context)
        reduce = function_of(node, "reduce_func", given["reduce_func_other_arguments"])(context)
        return datasets.ByKey(
            context,
            source.iterate(context),
            lambda row: int(key_of(row)[0]),
            lambda key: int(size_of((np.array(key, np.int64),))[0]),
            lambda key, group: reduce((np.array(key, np.int64), group))[0],
        )

    return Dataset(iterate)


@dataset("GroupByReducerDataset")
def group_by_reducer_dataset(run: Run, node: Node, *inputs: Any) -> Dataset:
    """One row a key, in the order the keys were met."""
    given = arguments(node, inputs)

    def iterate(context: Context) -> Rows:
        key_of, start, reduce, finish = (
            function_of(node, f"{n}_func", given[f"{n}_func_other_arguments"])(context) for n in ("key", "init", "reduce", "finalize")
        )
        states: dict[int, Row] = {}
        for row in given["input_dataset"].iterate(context):
            key = int(key_of(row)[0])
            if key not in states:
                states[key] = start((np.array(key, np.int64),))
            states[key] = reduce((*states[key], *row))
        for key in sorted(states):
            yield finish(states[key])

    return Dataset(iterate)


@dataset("SlidingWindowDataset")
def sliding_window_dataset(run: Run, node: Node, source: Dataset, size: Array, shift: Array, stride: Array) -> Dataset:
    for what, value in (("window_size", size), ("window_shift", shift), ("window_stride", stride)):
        if int(value) <= 0:
            raise InvalidArgumentError(None, None, f"{what} must be greater than zero.")

    def iterate(context: Context) -> Rows:
        return map(datasets.stack_rows, datasets.Windows(source.iterate(context), int(size), int(shift), int(stride), True))

    return Dataset(iterate)


@dataset("DenseToSparseBatchDataset")
def dense_to_sparse_batch_dataset(run: Run, node: Node, source: Dataset, size: Array, row_shape: Array) -> Dataset:
    """Batches as (indices, values, dense_shape) in one vector of variants; -1 in the row shape means as large as the largest row."""
    count, wanted = positive_batch_size(size), row_shape.tolist()

    def stack(taken: Any) -> Row:
        cells = [row[0] for row in taken]
        sizes = [max(c.shape[d] for c in cells) if s < 0 else s for d, s in enumerate(wanted)]
        for cell in cells:
            if cell.ndim != len(wanted) or any(s > t for s, t in zip(cell.shape, sizes, strict=True)):
                raise InvalidArgumentError(
                    None,
                    None,
                    f"Input element of shape {rows.shape_text(cell.shape)} does not fit the row shape {rows.shape_text(wanted)}.",
                )
        places = [np.stack(np.unravel_index(np.arange(c.size), c.shape), 1) if c.ndim else np.zeros((1, 0), np.int64) for c in cells]
        indices = np.concatenate([np.insert(p, 0, i, axis=1) for i, p in enumerate(places)]).astype(np.int64)
        values = np.concatenate([c.ravel() for c in cells])
        return (rows.objects([indices, values, np.array([len(cells), *sizes], np.int64)]),)

    return Dataset(lambda context: datasets.Batched(source.iterate(context), count, False, stack))


@dataset("RebatchDataset")
def rebatch_dataset(run: Run, node: Node, source: Dataset, num_replicas: Array) -> Dataset:
    """Each batch split into one part a replica."""
    parts = int(num_replicas)

    def iterate(context: Context) -> Rows:
        for row in source.iterate(context):
            size = rows.check_first_dimension(row)
            step = -(-size // parts)
            for start in range(0, size, step):
                yield tuple([c[start : start + step] for c in row])

    return Dataset(iterate)


@dataset("SamplingDataset")
def sampling_dataset(run: Run, node: Node, source: Dataset, rate: Array, seed: Array, seed2: Array) -> Dataset:
    """Rows with a probability of `rate`."""

    def iterate(context: Context) -> Rows:
        random = SingleSamples.seeded(int(seed), int(seed2))
        for row in source.iterate(context):
            if (random.next_uint32() & 0x7FFFFF) / (1 << 23) < float(rate):
                yield row

    return Dataset(iterate)


@dataset("ParseExampleDataset", "ParseExampleDatasetV2")
def parse_example_dataset(run: Run, node: Node, source: Dataset, num_parallel_calls: Array, *defaults: Array) -> Dataset:
    """Sparse features come as one vector of variants each, all features in the order of their keys."""
    parse = parsing_ops.example_parser(node, defaults)

    def apply(row: Row) -> Row:
        return parsing_ops.by_key(node, parse(row[0]))

    return Dataset(lambda context: datasets.Mapped(source.iterate(context), apply), source.cardinality)


@dataset("CSVDataset", "CSVDatasetV2")
def csv_dataset(run: Run, node: Node, *inputs: Any) -> Dataset:
    given = arguments(node, inputs)
    excluded = set(given["exclude_cols"].tolist()) if "exclude_cols" in given else set()
    selected = given["select_cols"].tolist()
    parser = csv_records.CsvParser(
        given["record_defaults"],
        node.attr["output_types"],
        delimiter=rows.name_of(given["field_delim"]),
        is_quoted=bool(given["use_quote_delim"]),
        missing=rows.name_of(given["na_value"]),
        selected=selected,
        excluded=excluded,
    )

    def read(name: str) -> Rows:
        stream = files.open_stream(name, rows.name_of(given["compression_type"]))
        lines = iter(stream)
        if bool(given["header"]):
            next(lines, None)
        return datasets.closing(stream, csv_records.records_of(lines, bool(given["use_quote_delim"])))

    def iterate(context: Context) -> Rows:
        found = datasets.FileRows([rows.name_of(n) for n in given["filenames"].ravel().tolist()], read)
        return map(parser.row, found)  # type: ignore[arg-type]

    return Dataset(iterate)


@dataset("SqlDataset")
def sql_dataset(run: Run, node: Node, driver: Array, source_name: Array, query: Array) -> Dataset:
    if rows.name_of(driver) != "sqlite":
        raise InvalidArgumentError(
            None,
            None,
            f"The database type, {rows.name_of(driver)}, is not supported by SqlDataset. The set of supported databases is: {{'sqlite'}}.",
        )
    types = node.attr["output_types"]

    def cell(value: Any, dtype: Any) -> Array:
        if dtype.name == "string":
            return rows.text(value if isinstance(value, bytes) else b"" if value is None else str(value).encode())
        return np.array(0 if value is None else value).astype(dtype.as_numpy_dtype)

    def iterate(context: Context) -> Iterator[Row]:
        try:
            with sqlite3.connect(f"file:{files.local(rows.name_of(source_name))}?mode=ro", uri=True) as connection:
                cursor = connection.execute(rows.name_of(query))
                for found in cursor:
                    if len(found) != len(types):
                        raise InvalidArgumentError(
                            None,
                            None,
                            f"The number of columns in query ({len(found)}) must match the number of elements in output_types ({len(types)}).",
                        )
                    yield tuple([cell(v, t) for v, t in zip(found, types, strict=True)])
        except sqlite3.Error as e:
            raise InvalidArgumentError(None, None, f"Failed to read {rows.name_of(source_name)!r} with {rows.name_of(query)!r}: {e}") from e

    return Dataset(iterate)


@dataset("LMDBDataset")
def lmdb_dataset(run: Run, node: Node, filenames: Array) -> Dataset:
    raise UnimplementedError(None, None, f"Node {node.name!r} reads LMDB, which tfrevive does not; convert the data to TFRecord files.")


# -- tensors of datasets -----------------------------------------------------------------------------------------


@host("ReduceDataset")
def reduce_dataset(run: Run, node: Node, *inputs: Any) -> Row:
    given = arguments(node, inputs)
    context = Context(run)
    step = function_of(node, "f", given["other_arguments"])(context)
    state: Row = given["initial_state"]
    for row in datasets.dataset_in(given["input_dataset"]).iterate(context):
        run.check_cancelled()
        state = step((*state, *row))
    return state


@host("DatasetToSingleElement")
def dataset_to_single_element(run: Run, node: Node, source: Dataset) -> Row:
    source_rows = source.iterate(Context(run))
    row = next(source_rows, None)
    if row is None:
        raise InvalidArgumentError(None, None, "Dataset was empty.")
    if next(source_rows, None) is not None:
        raise InvalidArgumentError(None, None, "Dataset had more than one element.")
    return row


@dataset("DatasetCardinality")
def dataset_cardinality(run: Run, node: Node, source: Dataset) -> Array:
    return np.array(source.cardinality, np.int64)


@dataset("AssertCardinalityDataset")
def assert_cardinality_dataset(run: Run, node: Node, source: Dataset, cardinality: Array) -> Dataset:
    wanted = int(cardinality)

    def iterate(context: Context) -> Rows:
        count = 0
        for row in source.iterate(context):
            count += 1
            if 0 <= wanted < count:
                raise FailedPreconditionError(None, None, f"Input dataset was expected to contain {wanted} elements but contained more.")
            yield row
        if wanted == datasets.INFINITE or 0 <= count < wanted:
            raise FailedPreconditionError(
                None,
                None,
                f"Input dataset was expected to contain {wanted if wanted >= 0 else 'an infinite number of'} elements but contained only {count} elements.",
            )

    return Dataset(iterate, wanted)


@dataset("DatasetToTFRecord")
def dataset_to_tf_record(run: Run, node: Node, source: Dataset, filename: Array, compression: Array) -> tuple[()]:
    with records.RecordWriter(rows.name_of(filename), rows.name_of(compression)) as writer:
        for row in source.iterate(Context(run)):
            writer.write(row[0].item())
    return ()


@host("WrapDatasetVariant", "UnwrapDatasetVariant")
def wrap_dataset_variant(run: Run, node: Node, source: Any) -> Any:
    return source


# -- statistics and thread pools, which change nothing that comes out --------------------------------------------


class Unused:
    """A resource that only says how a pipeline is to run or to be watched."""


@dataset("StatsAggregatorHandle", "StatsAggregatorHandleV2", "ThreadPoolHandle")
def unused_handle(run: Run, node: Node) -> Unused:
    return Unused()


@dataset("StatsAggregatorSummary")
def stats_aggregator_summary(run: Run, node: Node, handle: Unused) -> Array:
    """No statistics are kept: an empty summary."""
    return rows.text(b"")


@host("StatsAggregatorSetSummaryWriter")
def stats_aggregator_set_summary_writer(run: Run, node: Node, handle: Unused, writer: Any) -> tuple[()]:
    return ()
