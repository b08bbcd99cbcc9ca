"""Lists inside a loop's body, and lists on their way from one graph to another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from graphtools.convert.builder import Builder, Value
from graphtools.convert.lists import (
    Array,
    Blank,
    Carried,
    Dense,
    Items,
    Progression,
    Repeated,
    TensorList,
    Weaken,
    Writes,
    joined,
    merged,
    same_value,
)
from graphtools.dtypes import int64, variant

if TYPE_CHECKING:
    from graphtools.convert.loops import Loop


class LoopList(TensorList):
    """A list variable inside a loop's body, as the round begins."""

    is_pending = True

    def __init__(self, loop: Loop, slot: int | str, init: TensorList) -> None:
        super().__init__(init.dtype, init.element, init.array)
        self.loop = loop
        self.slot = slot
        self.init = init
        self.grows = init.grows
        self.varies = init.varies
        self.is_measured = False
        self.reads: list[Value] = []

    def _once(self, op: Builder) -> None:
        """Only what every round does can be a scan."""
        if op is not self.loop.body:
            raise Weaken(self.loop, self.slot)

    def length(self, op: Builder) -> Value:
        self.is_measured = True
        return self.init.length(self.loop.op)

    def stack(self, op: Builder) -> Value:
        raise Weaken(self.loop, self.slot)

    sequence = stack

    def get(self, op: Builder, index: Value) -> Value:
        """A round that reads only the element that it then replaces sees what was there before the loop."""
        if isinstance(self.init, Items) or self.adds:
            raise Weaken(self.loop, self.slot)
        self.reads.append(index)
        if isinstance(self.init, Blank | Repeated):
            return self.init.get(op, index)
        return (
            self.init.get(op, index)
            if isinstance(self.init, Carried)
            else op.Gather(self.init.stack(self.loop.op), op.cast(index, int64), axis=0)
        )

    def set(self, op: Builder, index: Value, value: Value) -> TensorList:
        self._once(op)
        return Recorded(self, "add" if self.adds else "set", [(index, value)])

    def push(self, op: Builder, value: Value) -> TensorList:
        self._once(op)
        return Recorded(self, "push", [(None, value)])

    def pop(self, op: Builder) -> tuple[TensorList, Value]:
        self._once(op)
        if isinstance(self.init, Items | Carried):
            raise Weaken(self.loop, self.slot)
        return Recorded(self, "pop", []), self.loop.popped(self.init)

    def add(self, op: Builder, other: TensorList) -> TensorList:
        if isinstance(other, Blank):
            return self
        if isinstance(other, Writes):
            self._once(op)
            return Recorded(self, "add", list(other.writes))
        raise Weaken(self.loop, self.slot)


class Recorded(TensorList):
    """A list variable after what one round did to it: `writes` are the (index, value) pairs, the index None where it is pushed."""

    is_pending = True

    def __init__(self, base: LoopList, kind: str, writes: Sequence[tuple[Value | None, Value]]) -> None:
        dims = writes[0][1].dims if writes else None
        for _, value in writes[1:]:
            dims = joined(dims, value.dims)
        super().__init__(
            base.dtype if base.dtype is not variant or not writes else writes[0][1].dtype, merged(base.element, dims), base.array
        )
        self.base = base
        self.kind = kind
        self.grows = base.grows
        self.writes = writes

    def length(self, op: Builder) -> Value:
        if self.kind not in ("set", "add"):
            self._weaken()
        return self.base.length(op)

    def _weaken(self) -> NoReturn:
        raise Weaken(self.base.loop, self.base.slot)

    def stack(self, op: Builder) -> Value:
        self._weaken()

    def sequence(self, op: Builder) -> Value:
        self._weaken()

    def get(self, op: Builder, index: Value) -> Value:
        self._weaken()

    def push(self, op: Builder, value: Value) -> TensorList:
        self._weaken()

    def pop(self, op: Builder) -> tuple[TensorList, Value]:
        self._weaken()

    def as_items(self, op: Builder) -> TensorList:
        self._weaken()

    def set(self, op: Builder, index: Value, value: Value) -> TensorList:
        """A gradient is added to what this round has added; an array can be written in two places where that is known not to meet."""
        if self.kind != "add" or op is not self.base.loop.body:
            self._weaken()
        for n, (at, old) in enumerate(self.writes):
            if at is not None and same_value(at, index):
                return Recorded(self.base, "add", [*self.writes[:n], (at, op.Add(old, value)), *self.writes[n + 1 :]])
        return Recorded(self.base, "add", [*self.writes, (index, value)])

    def add(self, op: Builder, other: TensorList) -> TensorList:
        if isinstance(other, Blank):
            return self
        if not isinstance(other, Writes):
            self._weaken()
        if self.kind != "add":
            self._weaken()
        result: TensorList = self
        for index, value in other.writes:
            result = result.set(op, index, value)
        return result


def pack(op: Builder, content: Array | TensorList) -> tuple[list[Value], Callable[[list[Value]], Any]]:
    """The values that an array's handle or a list consists of, and what makes it of such values in another graph."""
    if isinstance(content, Array):
        return content.sizes, content.moved
    sizes = [] if content.array is None else content.array.sizes
    parts: list[Value]
    make: Callable[[list[Value], Array | None], TensorList]
    if isinstance(content, Blank):
        parts = [content.size, *([] if content.shape is None else [content.shape])]

        def make(v: list[Value], array: Array | None) -> TensorList:
            return Blank(content.dtype, content.element, v[0], array, v[1] if len(v) > 1 else None)

    elif isinstance(content, Progression):
        parts = [content.start, content.count]
        step = content.step

        def make(v: list[Value], array: Array | None) -> TensorList:
            return Progression(v[0], step, v[1], content.dtype)

    elif isinstance(content, Repeated):
        parts = [content.value, content.count]

        def make(v: list[Value], array: Array | None) -> TensorList:
            return Repeated(v[0], v[1], array)

    elif isinstance(content, Items) and not content.items:
        parts = []

        def make(v: list[Value], array: Array | None) -> TensorList:
            return Items(content.dtype, content.element, [], array, grows=content.grows)

    else:
        count = content.count if isinstance(content, Dense) else None
        parts = [content.stack(op), *([] if count is None else [count])]

        def make(v: list[Value], array: Array | None) -> TensorList:
            return Dense(v[0], array, v[1] if len(v) > 1 else None)

    def rebuild(values: list[Value]) -> TensorList:
        array = None if content.array is None else content.array.moved(values[len(parts) :])
        result = make(values[: len(parts)], array)
        result.grows, result.varies = content.grows, content.varies
        return result

    return [*parts, *sizes], rebuild
