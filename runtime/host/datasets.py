"""Datasets: recipes for iterators over rows of tensors, and the iterators that are more than a built-in of Python.

An iterator raises StopIteration at its end. One that raised an error goes on with the next row when it is asked again.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from graphtools.graph import Func
from runtime import ort
from runtime.errors import DataLossError, InvalidArgumentError, OpError, OutOfRangeError
from runtime.host import Run, rows
from runtime.host.rows import Array, Row
from runtime.host.single_samples import SingleSamples

INFINITE, UNKNOWN = -1, -2  # cardinalities


@dataclass(slots=True)
class _Caller:
    run: Run


class Context:
    """What an iterator works in: the run that asks for its next row, and what tf.data's optimizer may change."""

    __slots__ = ("_caller", "fuses_shuffle_and_repeat")

    def __init__(self, run: Run, fuses_shuffle_and_repeat: bool = False, *, caller: _Caller | None = None) -> None:
        self._caller = _Caller(run) if caller is None else caller
        self.fuses_shuffle_and_repeat = fuses_shuffle_and_repeat

    @property
    def run(self) -> Run:
        return self._caller.run

    @run.setter
    def run(self, run: Run) -> None:
        self._caller.run = run

    def with_fusion(self, fuses_shuffle_and_repeat: bool) -> Context:
        """The same context under another setting."""
        return Context(self.run, fuses_shuffle_and_repeat, caller=self._caller)

    def call(self, function: Func, args: Sequence[Any]) -> Row:
        return tuple([v if isinstance(v, np.ndarray) else ort.to_numpy(v) for v in self.run.call(function, args)])


Rows = Iterator[Row]


class Dataset:
    """A recipe: `iterate(context)` starts a new pass over its rows."""

    __slots__ = ("__weakref__", "cardinality", "iterate", "repeat_shuffled")

    def __init__(
        self, iterate: Callable[[Context], Rows], cardinality: int = UNKNOWN, repeat_shuffled: Callable[[Context, int], Rows] | None = None
    ) -> None:
        self.iterate = iterate
        self.cardinality = cardinality
        self.repeat_shuffled = repeat_shuffled  # of a shuffled dataset: several passes through one buffer

    @classmethod
    def of(cls, held: Sequence[Row]) -> Dataset:
        """A dataset of rows at hand."""
        return cls(lambda context: iter(held), len(held))


class Mapped:
    """Rows through a function, which may end them by raising OutOfRangeError."""

    __slots__ = ("__weakref__", "_apply", "_keeps_cardinality", "_source")

    def __init__(self, source: Rows, apply: Callable[[Row], Row], keeps_cardinality: bool = False) -> None:
        self._source = source
        self._apply = apply
        self._keeps_cardinality = keeps_cardinality

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> Row:
        row = next(self._source)
        try:
            return self._apply(row)
        except OutOfRangeError as e:
            raise self._end(e) from e

    def _end(self, error: OutOfRangeError) -> Exception:
        if self._keeps_cardinality:
            return InvalidArgumentError(None, None, f"Function invocation produced OutOfRangeError: {error.message}")
        return StopIteration()


class Repeated:
    """Passes over a dataset one after the other; `count` -1 means for ever, as long as the first pass has a row."""

    __slots__ = ("_context", "_count", "_current", "_dataset", "_is_first_row", "_passes")

    def __init__(self, context: Context, dataset: Dataset, count: int) -> None:
        self._context = context
        self._dataset = dataset
        self._count = count
        self._passes = 0
        self._current: Rows | None = None
        self._is_first_row = True

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> Row:
        while self._count < 0 or self._passes < self._count:
            if self._current is None:
                self._current = self._dataset.iterate(self._context)
                self._is_first_row = True
            for row in self._current:
                self._is_first_row = False
                return row
            if self._count < 0 and self._is_first_row:
                raise StopIteration
            self._current = None
            self._passes += 1
        raise StopIteration


class Concatenated:
    """One dataset after another, each opened when its turn comes."""

    __slots__ = ("_context", "_current", "_rest")

    def __init__(self, context: Context, datasets: Sequence[Dataset]) -> None:
        self._context = context
        self._rest = deque(datasets)
        self._current: Rows = iter(())

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> Row:
        while True:
            for row in self._current:
                return row
            if not self._rest:
                raise StopIteration
            self._current = self._rest.popleft().iterate(self._context)


class Flattened:
    """The rows of the datasets that a function makes of each row."""

    __slots__ = ("_apply", "_context", "_current", "_source")

    def __init__(self, context: Context, source: Rows, apply: Callable[[Row], Row]) -> None:
        self._context = context.with_fusion(False)  # the optimizer does not look into functions
        self._source = source
        self._apply = apply
        self._current: Rows = iter(())

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> Row:
        while True:
            for row in self._current:
                return row
            row = next(self._source)
            self._current = dataset_in(self._apply(row)[0]).iterate(self._context)


class Interleaved:
    """Blocks of rows from `cycle` datasets in turn. A slot whose dataset ended is filled when its turn comes again."""

    __slots__ = ("_apply", "_block", "_context", "_is_done", "_opened", "_slot", "_slots", "_source", "_taken")

    def __init__(self, context: Context, source: Rows, apply: Callable[[Row], Row], cycle: int, block: int) -> None:
        self._context = context.with_fusion(False)
        self._source = source
        self._apply = apply
        self._slots: list[Rows | None] = [None] * cycle
        self._block = block
        self._slot = self._taken = self._opened = 0
        self._is_done = False

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> Row:
        while not self._is_done or self._opened:
            current = self._slots[self._slot]
            if current is not None:
                for row in current:
                    self._taken += 1
                    if self._taken == self._block:
                        self._advance()
                    return row
                self._slots[self._slot] = None
                self._opened -= 1
                self._advance()
            elif not self._is_done:
                for row in self._source:
                    self._slots[self._slot] = dataset_in(self._apply(row)[0]).iterate(self._context)
                    self._opened += 1
                    break
                else:
                    self._is_done = True
            else:
                self._advance()
        raise StopIteration

    def _advance(self) -> None:
        self._taken = 0
        self._slot = (self._slot + 1) % len(self._slots)


class Batched:
    """Rows gathered by `size` and stacked."""

    __slots__ = ("_drops_remainder", "_size", "_source", "_stack")

    def __init__(self, source: Rows, size: int, drops_remainder: bool, stack: Callable[[Sequence[Row]], Row]) -> None:
        self._source = source
        self._size = size
        self._drops_remainder = drops_remainder
        self._stack = stack

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> Row:
        taken = list(itertools.islice(self._source, self._size))
        if not taken or (self._drops_remainder and len(taken) < self._size):
            raise StopIteration
        return self._stack(taken)


def stack_rows(taken: Sequence[Row]) -> Row:
    """Rows as one batch. Raises InvalidArgumentError where their shapes differ."""
    columns = []
    for c, column in enumerate(zip(*taken, strict=True)):
        first = np.shape(column[0])
        for i, cell in enumerate(column):
            if isinstance(cell, np.ndarray) and cell.shape != first:
                raise InvalidArgumentError(
                    None,
                    None,
                    f"Cannot batch tensors with different shapes in component {c}. First element had shape {rows.shape_text(first)} "
                    f"and element {i} had shape {rows.shape_text(cell.shape)}.",
                )
        columns.append(rows.stack(column))
    return tuple(columns)


def stack_padded_rows(taken: Sequence[Row], shapes: Sequence[Sequence[int]], fills: Sequence[Array]) -> Row:
    """Rows as one batch, each component padded to its shape; -1 means as large as the largest of them."""
    columns = []
    for c, (column, shape, fill) in enumerate(zip(zip(*taken, strict=True), shapes, fills, strict=True)):
        for cell in column:
            if cell.ndim != len(shape):
                raise InvalidArgumentError(
                    None,
                    None,
                    f"All elements in a batch must have the same rank as the padded shape for component{c}: expected rank {len(shape)} but got element with rank {cell.ndim}",
                )
        sizes = [max(cell.shape[d] for cell in column) if size < 0 else size for d, size in enumerate(shape)]
        for cell in column:
            if any(s > t for s, t in zip(cell.shape, sizes, strict=True)):
                raise DataLossError(None, None, "Attempted to pad to a smaller size than the input element.")
        columns.append(rows.stack_padded(column, sizes, fill.item() if fill.dtype == np.object_ else fill))
    return tuple(columns)


class Shuffled:
    """A buffer that gives a random one of its oldest pass's rows; `count` passes go through it."""

    __slots__ = ("_buffer", "_context", "_count", "_dataset", "_held", "_is_first_call", "_pass", "_random", "_size", "_slices", "_source")

    def __init__(self, context: Context, dataset: Dataset, size: int, random: SingleSamples, count: int = 1) -> None:
        self._context = context
        self._dataset = dataset
        self._size = size
        self._random = random
        self._count = count
        self._buffer: list[Row] = []
        self._slices: deque[list[int]] = deque([[0, 0]])
        self._held = self._pass = 0
        self._source: Rows | None = None
        self._is_first_call = True

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> Row:
        if self._source is None and self._pass == 0:
            self._source = self._dataset.iterate(self._context)
        while self._source is not None and self._held < self._size:
            if not self._fill():
                raise StopIteration
        if not self._held:
            raise StopIteration
        while self._slices[0][0] == self._slices[0][1]:
            self._slices.popleft()
        oldest = self._slices[0]
        buffer, size = self._buffer, self._size
        at = (oldest[0] + self._random.next_uint32() % (oldest[1] - oldest[0])) % size
        row = buffer[at]
        buffer[at] = buffer[oldest[0] % size]
        buffer[oldest[0] % size] = ()
        oldest[0] += 1
        self._held -= 1
        return row

    def _fill(self) -> bool:
        """Take one row into the buffer; False if there is none and never will be."""
        while self._count < 0 or self._pass < self._count:
            row = next(self._source, None)  # type: ignore[arg-type]
            if row is not None:
                self._is_first_call = False
                at = self._slices[-1][1] % self._size
                if at == len(self._buffer):
                    self._buffer.append(row)
                else:
                    self._buffer[at] = row
                self._slices[-1][1] += 1
                self._held += 1
                return True
            if self._is_first_call and self._count < 0:
                return False
            self._pass += 1
            end = self._slices[-1][1]
            self._slices.append([end, end])
            if self._count < 0 or self._pass < self._count:
                self._source = self._dataset.iterate(self._context)
        self._source = None
        return True


class Seeds:
    """The two seeds of each pass over a dataset that is shuffled anew every time."""

    __slots__ = ("_random",)

    def __init__(self, seed: int, seed2: int) -> None:
        self._random = SingleSamples.seeded(seed, seed2)

    def draw(self) -> tuple[int, int]:
        return self._random.next_uint32(), self._random.next_uint32()


class Windows:
    """Windows of rows: for each, one dataset a component."""

    __slots__ = ("_drops_remainder", "_held", "_is_done", "_shift", "_size", "_source", "_stride")

    def __init__(self, source: Rows, size: int, shift: int, stride: int, drops_remainder: bool) -> None:
        self._source = source
        self._size = size
        self._shift = shift
        self._stride = stride
        self._drops_remainder = drops_remainder
        self._held: deque[Row] = deque()
        self._is_done = False

    def __iter__(self) -> Iterator[list[Row]]:
        return self

    def __next__(self) -> list[Row]:
        span = (self._size - 1) * self._stride + 1
        while not self._is_done and len(self._held) < span:
            row = next(self._source, None)
            if row is None:
                self._is_done = True
            else:
                self._held.append(row)
        if not self._held or (self._drops_remainder and len(self._held) < span):
            raise StopIteration
        window = list(itertools.islice(self._held, 0, span, self._stride))
        for _ in range(min(self._shift, len(self._held))):
            self._held.popleft()
        for _ in range(self._shift - span):
            if self._is_done or next(self._source, None) is None:
                self._is_done = True
                break
        return window


class Tried:
    """The rows of a source that raised no error."""

    __slots__ = ("_errors", "_source")

    def __init__(self, source: Rows, errors: type[Exception]) -> None:
        self._source = source
        self._errors = errors

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> Row:
        while True:
            try:
                return next(self._source)
            except self._errors:
                continue


class FileRows:
    """The rows of files, one after the other. A file that cannot be opened is tried again; one that is damaged is left."""

    __slots__ = ("_at", "_current", "_names", "_open")

    def __init__(self, names: Sequence[str], open_file: Callable[[str], Rows]) -> None:
        self._names = names
        self._open = open_file
        self._at = 0
        self._current: Rows | None = None

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> Row:
        while self._at < len(self._names):
            if self._current is None:
                self._current = self._open(self._names[self._at])
            try:
                return next(self._current)
            except StopIteration:
                self._current = None
                self._at += 1
            except OpError:
                self._current = None
                self._at += 1
                raise
        raise StopIteration


def closing(stream: BinaryIO, items: Iterator[Any]) -> Iterator[Any]:
    """The items that are read from a stream, which is closed after them."""
    with stream:
        yield from items


class Cache:
    """The rows of the first complete pass, for the passes after it."""

    __slots__ = ("rows",)

    def __init__(self) -> None:
        self.rows: list[Row] | None = None

    def fill_from(self, source: Rows) -> Rows:
        held: list[Row] = []
        for row in source:
            held.append(row)
            yield row
        self.rows = held


class ByKey:
    """What a function makes of each window of rows with the same key."""

    __slots__ = ("_context", "_current", "_groups", "_is_done", "_key_of", "_reduce", "_size_of", "_sizes", "_source")

    def __init__(
        self,
        context: Context,
        source: Rows,
        key_of: Callable[[Row], int],
        size_of: Callable[[int], int],
        reduce: Callable[[int, Dataset], Any],
    ) -> None:
        self._context = context
        self._source = source
        self._key_of = key_of
        self._size_of = size_of
        self._reduce = reduce
        self._groups: dict[int, list[Row]] = {}
        self._sizes: dict[int, int] = {}
        self._current: Rows = iter(())
        self._is_done = False

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> Row:
        while True:
            for row in self._current:
                return row
            key = self._full_key()
            if key is None:
                raise StopIteration
            group = self._groups.pop(key)
            self._current = dataset_in(self._reduce(key, Dataset.of(group))).iterate(self._context)

    def _full_key(self) -> int | None:
        """The key of a window that is full, or of any that is left at the end."""
        while not self._is_done:
            row = next(self._source, None)
            if row is None:
                self._is_done = True
                break
            key = self._key_of(row)
            if key not in self._sizes:
                size = self._sizes[key] = self._size_of(key)
                if size <= 0:
                    raise InvalidArgumentError(None, None, f"Window size must be greater than zero, but got {size}.")
            group = self._groups.setdefault(key, [])
            group.append(row)
            if len(group) == self._sizes[key]:
                return key
        return min(self._groups, default=None)


def dataset_in(value: Any) -> Dataset:
    """The dataset that a variant holds."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.item()
    if not isinstance(value, Dataset):
        raise InvalidArgumentError(None, None, f"A dataset was expected, but a {type(value).__name__} was found.")
    return value
