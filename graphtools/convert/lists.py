"""The content of TensorArrays, TensorLists and stacks as ONNX values, and how a loop carries it.

A list is a Python object that ops make new objects from; only what is read becomes ONNX. In a loop, a list that is
written (or popped) once in each round at an index that moves by one is not carried at all: the elements are a scan output
(or are gathered by the round's number). Where that turns out wrong, `Weaken` starts the loop again with the list as an
ONNX sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert.builder import Builder, Value
from graphtools.dtypes import DType, int32, int64, string, variant
from graphtools.errors import ConversionError
from graphtools.graph import Dims

if TYPE_CHECKING:
    from graphtools.convert.loops import Loop


class Weaken(Exception):
    """The loop must be converted again: its variable `slot` cannot be what it was taken for."""

    def __init__(self, loop: Loop, slot: int | str, array: Array | None = None) -> None:
        super().__init__(slot)
        self.loop = loop
        self.slot = slot
        self.array = array


class Maybe:
    """An optional: the values in it, or None where it has none. `varies`: their shapes depend on what has filled it.

    `others` are what it holds where another branch has filled it, with values of other types.
    """

    def __init__(self, values: list[Any] | None, varies: bool = False, others: Sequence[Maybe] = ()) -> None:
        self.values = values
        self.varies = varies
        self.others = list(others)

    @property
    def types(self) -> tuple[str, ...]:
        """What kind of thing each of the values is."""
        return tuple(
            "optional" if isinstance(v, Maybe) else v.dtype.base_dtype.name if isinstance(v, Value) else "list" for v in self.values or ()
        )


def mark_varying(op: Builder, value: Value) -> None:
    """Tell the loops around that a value may differ in shape from round to round."""
    builder: Builder | None = op
    while builder is not None:
        if builder.loop is not None:
            builder.loop.varying.add(value)
        builder = builder.parent


def mark_uneven(op: Builder) -> None:
    """Tell the loops around that values differ in shape from round to round."""
    builder: Builder | None = op
    while builder is not None:
        if builder.loop is not None:
            builder.loop.is_uneven = True
        builder = builder.parent


class Array:
    """A TensorArray's handle. `forward` is the array that it holds the gradients of."""

    def __init__(self, key: str, dtype: DType, element: Dims, size: Value, is_dynamic: bool = False, forward: Array | None = None) -> None:
        self.key = key
        self.dtype = dtype
        self.element = element
        self.size = size
        self.is_dynamic = is_dynamic
        self.forward = forward
        self.varies = False  # elements may differ in shape

    def moved(self, sizes: list[Value]) -> Array:
        """The same array where its size, and that of the array it holds the gradients of, are these values."""
        forward = None if self.forward is None else self.forward.moved(sizes[1:])
        result = Array(self.key, self.dtype, self.element, sizes[0], self.is_dynamic, forward)
        result.varies = self.varies
        return result

    @property
    def sizes(self) -> list[Value]:
        return [self.size, *([] if self.forward is None else self.forward.sizes)]

    def blank(self, size: Value | None = None) -> Blank:
        return Blank(self.dtype, self.element, self.size if size is None else size, self)


class TensorList:
    """Elements of one dtype. `element` is what is known of their shape; `array` the TensorArray they are the content of."""

    is_pending = False  # whether it stands for what a loop's round does to a list
    is_empty = False  # whether nothing is written yet: then the first write says what shape the elements have

    def __init__(self, dtype: DType, element: Dims, array: Array | None = None) -> None:
        self.dtype = dtype.base_dtype
        self.element = element
        self.array = array
        self.varies = array is not None and array.varies  # whether elements may differ in shape
        self.grows = array is not None and array.is_dynamic  # a write behind the last element makes the list longer

    @property
    def adds(self) -> bool:
        """Whether a write adds to what is there: in the gradients of a TensorArray."""
        return self.array is not None and self.array.forward is not None

    def length(self, op: Builder) -> Value:
        """The number of elements, int64."""
        raise NotImplementedError

    def stack(self, op: Builder) -> Value:
        """The elements along a new first axis."""
        raise NotImplementedError

    def sequence(self, op: Builder) -> Value:
        """The elements as an ONNX sequence."""
        length = self.length(op).const
        if length is not None and int(length) == 0:
            return empty_sequence(op, self.dtype)
        result = op.SplitToSequence(self.stack(op), axis=0, keepdims=0)
        return as_sequence(result, self.dtype, self.element)

    def get(self, op: Builder, index: Value) -> Value:
        result: Value = op.Gather(self.stack(op), op.cast(index, int64), axis=0)
        return result

    def set(self, op: Builder, index: Value, value: Value) -> TensorList:
        return self.as_items(op).set(op, index, value)

    def push(self, op: Builder, value: Value) -> TensorList:
        length = self.length(op).const
        if length is not None and int(length) == 0:
            return Items(value.dtype, merged(self.element, value.dims), [value], self.array)
        return Carried(op, self).push(op, value)

    def pop(self, op: Builder) -> tuple[TensorList, Value]:
        stacked = self.stack(op)
        rest = op.Slice(stacked, [0], [-1], [0])
        return Dense(rest, self.array), op.Gather(stacked, op.const(np.array(-1, np.int64)), axis=0)

    def add(self, op: Builder, other: TensorList) -> TensorList:
        """The sums of the elements: gradients of one array that come from two places."""
        if isinstance(other, Blank):
            return self
        if isinstance(other, Writes) and self.adds:
            result: TensorList = self
            for index, value in other.writes:
                result = result.set(op, index, value)
            return result
        if isinstance(other, Items) or other.is_pending:
            return other.add(op, self)
        return Dense(_summed(op, self, other), self.array)

    def as_items(self, op: Builder) -> TensorList:
        """The same list in a form in which single elements can be replaced."""
        return Carried(op, self)

    def known_length(self, op: Builder) -> int | None:
        length = self.length(op).const
        return None if length is None else int(length)


def merged(a: Dims, b: Dims) -> Dims:
    """The shape of two equal shapes of which parts are known."""
    if a is None or b is None or len(a) != len(b):
        return b if a is None else a
    return tuple(y if x is None else x for x, y in zip(a, b, strict=True))


def joined(a: Dims, b: Dims) -> Dims:
    """The shape that covers both."""
    if a is None or b is None or len(a) != len(b):
        return None
    return tuple(x if x == y else None for x, y in zip(a, b, strict=True))


def joined_elements(a: TensorList, b: TensorList) -> tuple[Dims, bool]:
    """The shape of the elements of a list that is one of these, and whether neither has any."""
    if a.is_empty or b.is_empty:
        return (merged(a.element, b.element) if a.is_empty else merged(b.element, a.element)), a.is_empty and b.is_empty
    return joined(a.element, b.element), False


def empty_sequence(op: Builder, dtype: DType) -> Value:
    return as_sequence(op.SequenceEmpty(dtype=dtype.real_dtype.onnx or 1), dtype, None)


def as_sequence(value: Value, dtype: DType, element: Dims) -> Value:
    value.dtype, value.dims, value.is_sequence = dtype, element, True
    return value


def zeros(op: Builder, dtype: DType, shape: Sequence[Value | int]) -> Value:
    """Zeros of a shape of which parts may be values."""
    zero = op.const(
        np.zeros((), object if dtype is string else dtype.real_dtype.as_numpy_dtype) if dtype is not string else np.array(b"", object)
    )
    if dtype.is_complex:
        shape = [*shape, 2]
    parts = [op.Reshape(op.cast(s, int64), [1]) if isinstance(s, Value) else op.const([int(s)]) for s in shape]
    dims = op.const(np.zeros(0, np.int64)) if not parts else parts[0] if len(parts) == 1 else op.Concat(*parts, axis=0)
    result: Value = op.Expand(zero, dims)
    if dtype.is_complex:
        result.dtype, result.dims = dtype, None if result.dims is None else result.dims[:-1]
    return result


def _summed(op: Builder, a: TensorList, b: TensorList) -> Value:
    """The stacked elements of two lists, added. What was never written may be stacked to no elements, and adds nothing."""
    x, y = a.stack(op), b.stack(op)
    if not any(isinstance(c, Carried) and (c.element is None or None in c.element) for c in (a, b)):
        return op.Add(x, y)  # type: ignore[no-any-return]

    def unless_empty(of: Value, op: Builder, instead: Value, otherwise: Callable[[Builder], Value]) -> Value:
        then, other = op.subgraph(), op.subgraph()
        then.output(then._append("Identity", [instead], {}, 1, ""))
        other.output(otherwise(other))
        result: Value = op.If(op.Equal(op.Size(of), op.const(np.array(0, np.int64))), then_branch=then, else_branch=other)
        result.dtype, result.dims = a.dtype, joined(x.dims, y.dims)
        return result

    return unless_empty(x, op, y, lambda op: unless_empty(y, op, x, lambda op: op.Add(x, y)))


class Blank(TensorList):
    """A list of `size` elements of which none is written: zeros where they are read."""

    is_empty = True

    def __init__(self, dtype: DType, element: Dims, size: Value, array: Array | None = None, shape: Value | None = None) -> None:
        super().__init__(dtype, element, array)
        self.size = size
        self.shape = shape  # the elements' shape, where it is only known when the model runs

    def length(self, op: Builder) -> Value:
        return op.cast(self.size, int64)

    def stack(self, op: Builder) -> Value:
        return self._zeros(op, [self.length(op)])

    def get(self, op: Builder, index: Value) -> Value:
        return self._zeros(op, [])

    @property
    def is_shaped(self) -> bool:
        """Whether the shape of the elements is known, now or when the model runs."""
        return self.shape is not None or (self.element is not None and None not in self.element)

    def _zeros(self, op: Builder, first: list[Value]) -> Value:
        if (self.element is not None and None not in self.element) or self.shape is None:
            return zeros(op, self.dtype, [*first, *(d or 0 for d in self.element or ())])
        parts = [op.Reshape(v, [1]) for v in first] + [op.cast(self.shape, int64)]
        result: Value = op.Expand(zeros(op, self.dtype, []), parts[0] if len(parts) == 1 else op.Concat(*parts, axis=0))
        if self.element is not None:
            result.dims = (*(None for _ in first), *self.element)
        return result

    def sequence(self, op: Builder) -> Value:
        """Elements of unknown shape start as tensors of no elements, which a write replaces."""
        length = self.length(op)
        if length.const is not None and int(length.const) == 0:
            return empty_sequence(op, self.dtype)
        if self.is_shaped:
            stacked = self._zeros(op, [length])
        else:
            stacked = zeros(op, self.dtype, [length, *((0,) if self.element is None else (d or 0 for d in self.element))])
        return as_sequence(op.SplitToSequence(stacked, axis=0, keepdims=0), self.dtype, self.element)

    def add(self, op: Builder, other: TensorList) -> TensorList:
        return other

    def set(self, op: Builder, index: Value, value: Value) -> TensorList:
        if self.adds or (not self.grows and (index.const is None or self.length(op).const is None)):
            return Writes(self, [(index, value)])
        return super().set(op, index, value)

    def as_items(self, op: Builder) -> TensorList:
        size = self.length(op).const
        if size is not None and int(size) <= 10_000:
            return Items(self.dtype, self.element, [None] * int(size), self.array, grows=self.grows)
        return Carried(op, self)


class Dense(TensorList):
    """Elements stacked along the first axis. `count` is the length where more elements exist than are written."""

    def __init__(self, value: Value, array: Array | None = None, count: Value | None = None) -> None:
        super().__init__(value.dtype, None if value.dims is None else value.dims[1:], array)
        self.value = value
        self.count = count

    def length(self, op: Builder) -> Value:
        if self.count is not None:
            return op.cast(self.count, int64)
        if self.value.dims is not None and self.value.dims[0] is not None:
            return op.const(np.array(self.value.dims[0], np.int64))
        result: Value = op.Squeeze(op.Shape(self.value, start=0, end=1), [0])
        return result

    def stack(self, op: Builder) -> Value:
        return self.value

    def add(self, op: Builder, other: TensorList) -> TensorList:
        if isinstance(other, Writes) and all(w[1].dims == () for w in other.writes):
            return super().add(op, other)
        if isinstance(other, Writes):
            total = self.value
            for index, value in other.writes:
                at = op.Reshape(op.cast(index, int64), [1, 1])
                total = op.ScatterND(total, at, op.Unsqueeze(value, [0]), reduction="add")
            return Dense(total, self.array)
        return super().add(op, other)


class Progression(TensorList):
    """start, start + step, ...: what a loop's counter was."""

    def __init__(self, start: Value, step: int, count: Value, dtype: DType) -> None:
        super().__init__(dtype, ())
        self.start = start
        self.step = step
        self.count = count

    def length(self, op: Builder) -> Value:
        return self.count

    def get(self, op: Builder, index: Value) -> Value:
        return op.cast(op.Add(op.cast(self.start, int64), op.Mul(op.cast(index, int64), self.step)), self.dtype)

    def stack(self, op: Builder) -> Value:
        rounds = op.Range(op.const(np.array(0, np.int64)), self.count, op.const(np.array(1, np.int64)))
        return op.cast(op.Add(op.cast(self.start, int64), op.Mul(rounds, self.step)), self.dtype)


class Repeated(TensorList):
    """The same value `count` times."""

    def __init__(self, value: Value, count: Value, array: Array | None = None) -> None:
        super().__init__(value.dtype, value.dims, array)
        self.value = value
        self.count = count

    def length(self, op: Builder) -> Value:
        return self.count

    def get(self, op: Builder, index: Value) -> Value:
        return self.value

    def stack(self, op: Builder) -> Value:
        row = op.Unsqueeze(self.value, [0])
        if row.rank is None:
            raise ConversionError(f"The elements of a list, {self.value.name!r}, have an unknown rank.")
        ones = [1] * (row.rank - 1 + self.dtype.is_complex)
        result: Value = op.Tile(row, op.Concat(op.Reshape(self.count, [1]), op.const(np.array(ones, np.int64)), axis=0))
        return result


class Items(TensorList):
    """Elements known one by one; None where nothing is written."""

    def __init__(self, dtype: DType, element: Dims, items: list[Value | None], array: Array | None = None, *, grows: bool = False) -> None:
        super().__init__(dtype, element, array)
        self.items = items
        self.grows = grows
        self.is_empty = all(v is None for v in items)

    def _with(self, items: list[Value | None]) -> Items:
        dims = next((v.dims for v in items if v is not None and v.dims is not None), None)
        dtype = next((v.dtype for v in items if v is not None), self.dtype) if self.dtype is variant else self.dtype
        return Items(dtype, merged(self.element, dims), items, self.array, grows=self.grows)

    def length(self, op: Builder) -> Value:
        return op.const(np.array(len(self.items), np.int64))

    def _filled(self, op: Builder) -> list[Value]:
        model = next((v for v in self.items if v is not None), None)
        filled = []
        for item in self.items:
            if item is None:
                dims = self.element
                if (dims is None or None in dims) and model is not None:
                    item = op.Expand(zeros(op, self.dtype, []), op.Shape(model))
                else:
                    item = zeros(op, self.dtype, [d or 0 for d in dims or ()])
            filled.append(item)
        return filled

    def stack(self, op: Builder) -> Value:
        if not self.items:
            return zeros(op, self.dtype, [0, *(d or 0 for d in self.element or ())])
        rows = [op.Unsqueeze(v, [0]) for v in self._filled(op)]
        result: Value = rows[0] if len(rows) == 1 else op.Concat(*rows, axis=0)
        return result

    def sequence(self, op: Builder) -> Value:
        if not self.items:
            return empty_sequence(op, self.dtype)
        blank = zeros(op, self.dtype, [0] if self.element is None else [d or 0 for d in self.element])
        return as_sequence(op.SequenceConstruct(*(blank if v is None else v for v in self.items)), self.dtype, self.element)

    def get(self, op: Builder, index: Value) -> Value:
        if index.const is not None and self.items:
            i = int(index.const)
            if 0 <= i < len(self.items):
                item = self.items[i]
                return self._filled(op)[i] if item is None else item
        return super().get(op, index)

    def set(self, op: Builder, index: Value, value: Value) -> TensorList:
        if index.const is not None:
            i = int(index.const)
            items = list(self.items)
            if self.grows and i >= len(items):
                items.extend([None] * (i + 1 - len(items)))
            if 0 <= i < len(items):
                old = items[i]
                items[i] = op.Add(old, value) if self.adds and old is not None else value
                return self._with(items)
            raise ConversionError(f"Element {i} of a list of {len(items)} is written.")
        return Carried(op, self).set(op, index, value)

    def push(self, op: Builder, value: Value) -> TensorList:
        return self._with([*self.items, value])

    def pop(self, op: Builder) -> tuple[TensorList, Value]:
        if not self.items:
            raise ConversionError("An element is taken from an empty list.")
        return self._with(self.items[:-1]), self._filled(op)[-1]

    def add(self, op: Builder, other: TensorList) -> TensorList:
        if isinstance(other, Items) and len(other.items) == len(self.items):
            pairs = zip(self.items, other.items, strict=True)
            return self._with([b if a is None else a if b is None else op.Add(a, b) for a, b in pairs])
        if isinstance(other, Items):
            return Dense(op.Add(self.stack(op), other.stack(op)), self.array)
        return super().add(op, other)

    def as_items(self, op: Builder) -> TensorList:
        return self


class Writes(TensorList):
    """Single elements of a list that is zero elsewhere, such as what the gradients of an array get from one read."""

    def __init__(self, base: Blank, writes: list[tuple[Value, Value]]) -> None:
        super().__init__(base.dtype, merged(base.element, writes[0][1].dims), base.array)
        self.base = base
        self.writes = writes

    def length(self, op: Builder) -> Value:
        return self.base.length(op)

    def _done(self, op: Builder) -> TensorList:
        base: TensorList = Blank(self.dtype, self.element, self.base.size, self.array).as_items(op)
        for index, value in self.writes:
            base = base.set(op, index, value)
        return base

    def _read(self, op: Builder) -> TensorList:
        """The list to read from. What is not written is zeros of the shape of what is, which may be known only when the model runs."""
        size = self.base.length(op).const
        if (
            (size is not None and int(size) <= 10_000)
            or self.base.is_shaped
            or self.varies
            or self.dtype is string
            or self.dtype.is_complex
        ):
            return self._done(op)
        first = self.writes[0][1]
        shape = op.Concat(op.Reshape(self.base.length(op), [1]), op.Shape(first), axis=0)
        total = op.Expand(zeros(op, self.dtype, []), shape)
        for index, value in self.writes:
            at = op.Reshape(op.cast(index, int64), [1, 1])
            total = op.ScatterND(total, at, op.Unsqueeze(value, [0]), **({"reduction": "add"} if self.adds else {}))
        if first.dims is not None:
            total.dims = (None, *first.dims)
        return Dense(total, self.array)

    def stack(self, op: Builder) -> Value:
        return self._read(op).stack(op)

    def sequence(self, op: Builder) -> Value:
        return self._read(op).sequence(op)

    def get(self, op: Builder, index: Value) -> Value:
        return self._read(op).get(op, index)

    def set(self, op: Builder, index: Value, value: Value) -> TensorList:
        writes = list(self.writes)
        for n, (at, old) in enumerate(writes):
            if same_value(at, index):
                writes[n] = (at, op.Add(old, value) if self.adds else value)
                return Writes(self.base, writes)
        if not self.adds:
            return self._done(op).set(op, index, value)
        return Writes(self.base, [*writes, (index, value)])

    def add(self, op: Builder, other: TensorList) -> TensorList:
        if isinstance(other, Writes):
            return Writes(self.base, [*self.writes, *other.writes]) if self.adds else self._done(op).add(op, other)
        return other.add(op, self)


def same_value(a: Value, b: Value) -> bool:
    """Whether two values are known to be equal."""
    a, b = plain(a), plain(b)
    return a is b or (a.const is not None and b.const is not None and np.array_equal(a.const, b.const))


def plain(value: Value) -> Value:
    """The integer behind casts between integer types."""
    while value.node is not None and value.node.op_type in ("Cast", "Identity") and value.dtype in (int32, int64):
        source = value.node.inputs[0]
        if source is None or source.dtype not in (int32, int64):
            break
        value = source
    return value


def has_blanks(content: TensorList) -> bool:
    """Whether a sequence of this content may have elements that are not written, of a shape that is not known."""
    if isinstance(content, Blank):
        return not content.is_shaped
    if isinstance(content, Items):
        return None in content.items and (content.element is None or None in content.element)
    if isinstance(content, Writes):
        return has_blanks(content.base)
    return isinstance(content, Carried) and content.has_blanks


class Carried(TensorList):
    """A list as an ONNX sequence, for what no other form can do."""

    def __init__(
        self, op: Builder, content: TensorList | Value, array: Array | None = None, element: Dims = None, *, is_empty: bool = False
    ) -> None:
        if isinstance(content, TensorList):
            super().__init__(content.dtype, content.element, content.array)
            self.value = content.sequence(op)
            self.grows = content.grows
            self.varies = content.varies
            self.is_empty = content.is_empty
            self.has_blanks = has_blanks(content)
        else:
            super().__init__(content.dtype, element, array)
            self.value = content
            self.is_empty = is_empty
            self.has_blanks = False

    def _next(self, op: Builder, value: Value, dims: Dims) -> Carried:
        element = merged(self.element, dims) if self.is_empty else joined(self.element, dims)
        result = Carried(op, as_sequence(value, self.dtype, element), self.array, element)
        result.grows, result.varies, result.has_blanks = self.grows, self.varies, self.has_blanks
        return result

    def length(self, op: Builder) -> Value:
        result: Value = op.SequenceLength(self.value)
        result.dtype, result.dims = int64, ()
        return result

    def get(self, op: Builder, index: Value) -> Value:
        result: Value = op.SequenceAt(self.value, op.cast(index, int64))
        result.dtype, result.dims = self.dtype, self.element
        return result

    def set(self, op: Builder, index: Value, value: Value) -> TensorList:
        at = op.cast(index, int64)
        if self.adds:
            old = self.get(op, at)
            old.dims = None
            if self.element is not None and None not in self.element:
                value = op.Add(old, value)
            else:
                then, other = op.subgraph(), op.subgraph()
                then.output(value)
                other.output(other.Add(old, value))
                dims = value.dims
                value = op.If(op.Equal(op.Size(old), op.const(np.array(0, np.int64))), then_branch=then, else_branch=other)
                value.dtype, value.dims = self.dtype, dims
        if self.grows:
            without, other = op.subgraph(), op.subgraph()
            without.output(as_sequence(without.SequenceErase(self.value, at), self.dtype, self.element))
            other.output(as_sequence(other._append("Identity", [self.value], {}, 1, ""), self.dtype, self.element))
            shorter = op.If(op.Less(at, self.length(op)), then_branch=without, else_branch=other)
            as_sequence(shorter, self.dtype, self.element)
        else:
            shorter = as_sequence(op.SequenceErase(self.value, at), self.dtype, self.element)
        return self._next(op, op.SequenceInsert(shorter, value, at), value.dims)

    def push(self, op: Builder, value: Value) -> TensorList:
        if self.dtype is variant:  # the first element says what is in a list of lists or optionals
            self.dtype = self.value.dtype = value.dtype
        return self._next(op, op.SequenceInsert(self.value, value), value.dims)

    def pop(self, op: Builder) -> tuple[TensorList, Value]:
        last = op.const(np.array(-1, np.int64))
        value = self.get(op, last)
        rest = Carried(op, as_sequence(op.SequenceErase(self.value, last), self.dtype, self.element), self.array, self.element)
        rest.has_blanks = self.has_blanks
        return rest, value

    def sequence(self, op: Builder) -> Value:
        return self.value

    def stack(self, op: Builder) -> Value:
        """ONNX has no concatenation of no elements."""
        then, other = op.subgraph(), op.subgraph()
        dims = None if self.element is None else (None, *self.element)
        empty = zeros(then, self.dtype, [0, *(d or 0 for d in self.element or ())])
        then.output(empty)
        joined = other.ConcatFromSequence(self._filled(other), axis=0, new_axis=1)
        joined.dtype, joined.dims = self.dtype, dims
        other.output(joined)
        is_empty = op.Equal(self.length(op), op.const(np.array(0, np.int64)))
        result: Value = op.If(is_empty, then_branch=then, else_branch=other)
        result.dtype, result.dims = self.dtype, dims
        return result

    def _filled(self, op: Builder) -> Value:
        """The sequence with zeros in the place of elements that were never written, which have no elements yet."""
        if not self.has_blanks or self.element is None or 0 in self.element:
            return self.value
        if None in self.element:
            measure = op.subgraph()
            item = measure.input("item", self.dtype, self.element)
            measure.output(measure.Unsqueeze(measure.Shape(item), [0]))
            shapes = as_sequence(op.SequenceMap(self.value, body=measure), int64, (1, len(self.element)))
            table = op.ConcatFromSequence(shapes, axis=0)
            table.dtype, table.dims = int64, (None, len(self.element))
            shape: Value = op.ReduceMax(table, op.const([0]), keepdims=0)
        else:
            shape = op.const([d or 0 for d in self.element])
        fill = op.subgraph()
        item = fill.input("item", self.dtype, self.element)
        then, other = fill.subgraph(), fill.subgraph()
        then.output(then.Expand(zeros(then, self.dtype, []), shape))
        other.output(item)
        chosen = fill.If(fill.Equal(fill.Size(item), fill.const(np.array(0, np.int64))), then_branch=then, else_branch=other)
        chosen.dtype, chosen.dims = self.dtype, self.element
        fill.output(chosen)
        return as_sequence(op.SequenceMap(self.value, body=fill), self.dtype, self.element)

    def add(self, op: Builder, other: TensorList) -> TensorList:
        if isinstance(other, Blank) or (isinstance(other, Writes) and self.adds):
            return super().add(op, other)
        return Dense(_summed(op, self, other), self.array)
