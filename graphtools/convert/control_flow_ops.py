"""If, Case, While and For, and what is left of v1 control flow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.builder import Builder, Value
from graphtools.convert.lists import Blank, Carried, Dense, Maybe, TensorList, Writes, as_sequence, has_blanks, joined_elements, zeros
from graphtools.convert.loops import WhileConversion
from graphtools.dtypes import bool_, int64, string, variant
from graphtools.errors import ConversionError
from graphtools.graph import Dims, Function
from graphtools.shapes.control_flow_ops import infer_function, join

if TYPE_CHECKING:
    from graphtools.convert.walk import NodeView


@converts("While", "StatelessWhile")
def while_loop(op: Builder, node: NodeView) -> Any:
    """A Loop whose condition, where it only compares counters with bounds, is a trip count."""
    return WhileConversion(op, node).run()


@converts("If", "StatelessIf")
def if_(op: Builder, node: NodeView) -> Any:
    pred = truth(op, node.inputs[0])
    branches = [node.function("then_branch"), node.function("else_branch")]
    if pred.const is not None:
        return _call(op, node, branches[0 if bool(pred.const.ravel()[0]) else 1])
    return _choose(op, node, lambda b, i: pred, branches)


@converts("Case", "StatelessCase")
def case(op: Builder, node: NodeView) -> Any:
    """An index out of range takes the last branch."""
    library = node.graph.functions
    missing = [f.name for f in node.attr["branches"] if f.name not in library]
    if missing:
        raise node.fail(f"the graph's library has no function {missing[0]!r}.")
    branches = [library[f.name] for f in node.attr["branches"]]
    index = node.inputs[0]
    if index.const is not None:
        i = int(index.const)
        return _call(op, node, branches[i if 0 <= i < len(branches) else -1])
    return _choose(op, node, lambda b, i: b.Equal(index, op.const(np.array(i, np.int32))), branches)


@converts("For")
def for_loop(op: Builder, node: NodeView) -> Any:
    """for i in range(start, limit, delta): values = body(i, *values), unrolled where the bounds are known."""
    bounds = [node.const(name) for name in ("start", "limit", "delta")]
    values, body = list(node.inputs[3:]), node.function("body")
    rounds = range(*(int(b) for b in bounds))
    if len(rounds) > 1000:
        raise node.fail(f"{len(rounds)} rounds are too many to unroll.")
    for i in rounds:
        inner = node.walk.enter(body, [op.const(np.array(i, np.int32)), *values], op, node.node)
        values = [inner.values[t] for t in body.outputs]
    return values


@converts("LoopCond")
def loop_cond(op: Builder, node: NodeView) -> Any:
    return node.inputs[0]


@converts("FakeParam")
def fake_param(op: Builder, node: NodeView) -> Any:
    """What a branch gives for a result that only the other branch computes; nothing reads it."""
    if not node.dtype.is_numpy_compatible:
        raise node.fail(f"it stands for a {node.dtype.name}, which ONNX does not hold.")
    dims = tuple(d or 0 for d in node.attr["shape"] or ())
    return op.const(np.full(dims, b"" if node.dtype is string else 0, node.dtype.as_numpy_dtype))


@converts("_Retval")
def retval(op: Builder, node: NodeView) -> Any:
    return None


@converts("OptionalFromValue")
def optional_from_value(op: Builder, node: NodeView) -> Any:
    """cond_v2 hands what its gradient needs from the branch taken out in optionals."""
    return Maybe(list(node.inputs))


@converts("OptionalNone")
def optional_none(op: Builder, node: NodeView) -> Any:
    return Maybe(None)


@converts("OptionalGetValue")
def optional_get_value(op: Builder, node: NodeView) -> Any:
    found = node.inputs[0]
    if isinstance(found, Dense):  # one that was kept in a list
        return _own(op, found.value)
    if isinstance(found, Maybe) and found.others:
        found = _fitting(node, found)
    if not isinstance(found, Maybe) or found.values is None:
        raise node.fail("the optional it reads has no value.")
    return [_own(op, v) if isinstance(v, Value) else v for v in found.values]


def _fitting(node: NodeView, found: Maybe) -> Maybe:
    """Of what the branches have put into an optional, what this node takes out."""
    wanted = []
    for tensor in node.outputs:
        kinds = {tensor.dtype.base_dtype.name}
        if tensor.dtype.base_dtype is variant:
            readers = {n.op for n in node.graph if tensor in n.inputs}
            kinds = (
                {"optional"} if "OptionalGetValue" in readers else {"list"} if any("List" in o for o in readers) else {"optional", "list"}
            )
        wanted.append(kinds)
    for one in (found, *found.others):
        if len(one.types) == len(wanted) and all(t in w for t, w in zip(one.types, wanted, strict=True)):
            return one
    raise node.fail(f"no branch puts {', '.join('/'.join(sorted(w)) for w in wanted)} into the optional it reads.")


def _own(op: Builder, value: Value) -> Value:
    """A value of unknown shape as one of its own: each branch that reads it knows another shape."""
    return value if value.dims is not None else op._append("Identity", [value], {}, 1, "")


V1 = ("Enter", "RefEnter", "Exit", "RefExit", "Merge", "RefMerge", "NextIteration", "RefNextIteration", "Switch", "RefSwitch", "_SwitchN")


@converts(*V1)
def left_over(op: Builder, node: NodeView) -> Any:
    raise node.fail("it belongs to no whole loop or cond; the loops and conds of a graph must be complete.")


def truth(op: Builder, value: Value) -> Value:
    """A predicate as TensorFlow's functional If takes it: a scalar is not 0, anything else is not empty."""
    if value.dtype is bool_ and value.dims in ((), None):
        if value.node is None and value.const is None:  # an input of which the graph does not say the rank
            value.dims = ()
        return value
    if value.dims == ():
        if value.dtype is string:
            return op.Not(op.Equal(value, op.const(np.array(b"", object))))  # type: ignore[no-any-return]
        return op.cast(value, bool_)
    return op.Greater(op.Size(value), op.const(np.array(0, np.int64)))  # type: ignore[no-any-return]


def _infer(node: NodeView, function: Function) -> None:
    known = [v.dims if isinstance(v, Value) else t.dims for v, t in zip(node.inputs[1:], node.node.inputs[1:], strict=True)]
    infer_function(function, known)


def _call(op: Builder, node: NodeView, function: Function) -> list[Any]:
    """The branch that is known to be taken, in place."""
    _infer(node, function)
    variables, stacks = node.walk.state_of(node.node)
    inner = node.walk.enter(function, node.inputs[1:], op, node.node)
    for key in (*variables, *stacks):
        node.walk.set_state(node.node, key, variables.get(key), inner.last_state(key, variables.get(key)))
    return [inner.values[t] for t in function.outputs]


def _choose(op: Builder, node: NodeView, test: Callable[[Builder, int], Value], branches: Sequence[Function]) -> list[Any]:
    walk, at = node.walk, node.node
    variables, stacks = walk.state_of(at)
    keys = [*variables, *stacks]

    def branch(i: int) -> Callable[[Builder], list[Any]]:
        def build(body: Builder) -> list[Any]:
            if i == len(branches) - 1 or body is op or len(branches) == 2:
                return leaf(body, i)
            return choose(body, i)

        return build

    def leaf(body: Builder, i: int) -> list[Any]:
        _infer(node, branches[i])
        inner = walk.enter(branches[i], node.inputs[1:], body, at)
        return [inner.values[t] for t in branches[i].outputs] + [inner.last_state(k, variables.get(k)) for k in keys]

    def choose(body: Builder, i: int) -> list[Any]:
        rest = branch(i + 1) if i + 2 == len(branches) else (lambda b: choose(b, i + 1))
        return select(body, test(body, i), lambda b: leaf(b, i), rest, node)

    results = choose(op, 0) if len(branches) > 1 else leaf(op, 0)
    count = len(branches[0].outputs)
    for key, value in zip(keys, results[count:], strict=True):
        walk.set_state(at, key, variables.get(key), value)
    return results[:count]


def select(
    op: Builder, pred: Value, then: Callable[[Builder], list[Any]], other: Callable[[Builder], list[Any]], node: NodeView
) -> list[Any]:
    """The results of one of two branches; what both give alike does not go through the If."""
    bodies = [op.subgraph(f"{node.name}/then"), op.subgraph(f"{node.name}/else")]
    sides = [build(body) for build, body in zip((then, other), bodies, strict=True)]
    results: list[Any] = []
    pairs: list[tuple[Value, Value]] = []
    makes: list[tuple[int, slice, Callable[[list[Value]], Any]]] = []
    for n, (a, b) in enumerate(zip(*sides, strict=True)):
        if a is b:
            results.append(a)
            continue
        parts, make = _meet(op, bodies, a, b, node)
        makes.append((n, slice(len(pairs), len(pairs) + len(parts)), make))
        pairs.extend(parts)
        results.append(None)
    made: Any = ()
    if pairs:
        for sides_of in pairs:
            for body, value in zip(bodies, sides_of, strict=True):
                given = body.output(value)
                given.dtype, given.dims, given.is_sequence = value.dtype, value.dims, value.is_sequence
        made = op.append("If", [pred], {"then_branch": bodies[0], "else_branch": bodies[1]}, outputs=len(pairs))
        made = made if isinstance(made, tuple) else (made,)
        for (a, b), value in zip(pairs, made, strict=True):
            value.dtype, value.dims, value.is_sequence = a.dtype, join([a.dims, b.dims]), a.is_sequence
    for n, part, make in makes:
        results[n] = make(list(made[part]))
    return results


def _meet(
    op: Builder, bodies: Sequence[Builder], a: Any, b: Any, node: NodeView
) -> tuple[list[tuple[Value, Value]], Callable[[list[Value]], Any]]:
    """What two branches give for one result as pairs of values, and the result from the values that an If makes of them."""
    if isinstance(a, TensorList) or isinstance(b, TensorList):
        a, b = _as_lists(a, b, node)
        added = _meet_writes(bodies, a, b)
        if added is not None:
            return added
        element, is_empty = joined_elements(a, b)

        def carried(values: list[Value]) -> Any:
            result = Carried(op, as_sequence(values[0], a.dtype, element), a.array, element, is_empty=is_empty)
            result.grows, result.varies, result.has_blanks = a.grows or b.grows, a.varies or b.varies, has_blanks(a) or has_blanks(b)
            return result

        return [(a.sequence(bodies[0]), b.sequence(bodies[1]))], carried
    if isinstance(a, Maybe) and isinstance(b, Maybe):
        return _meet_optionals(bodies, a, b)
    if not (isinstance(a, Value) and isinstance(b, Value)):
        if a == b:
            return [], lambda _: a
        raise node.fail(f"its branches give different handles ({a!r}, {b!r}).")
    if a.const is not None and b.const is not None and a.dtype is b.dtype and a.dims == b.dims and bool(np.all(a.const == b.const)):
        return [], lambda _: a
    return [(a, b)], lambda values: values[0]


def _meet_kinds(
    bodies: Sequence[Builder], a: Maybe, b: Maybe, kinds: Sequence[tuple[str, ...]]
) -> tuple[list[tuple[Value, Value]], Callable[[list[Value]], Any]]:
    """Optionals that hold values of different types: what is there of each kind meets with what is there of the same."""
    pairs: list[tuple[Value, Value]] = []
    makes: list[tuple[slice, Callable[[list[Value]], Any]]] = []
    for types in kinds:
        sides = [next((o for o in (s, *s.others) if o.values is not None and o.types == types), Maybe(None)) for s in (a, b)]
        parts, make = _meet_optionals(bodies, *(Maybe(s.values, s.varies) for s in sides))
        makes.append((slice(len(pairs), len(pairs) + len(parts)), make))
        pairs.extend(parts)

    def made(values: list[Value]) -> Any:
        first, *others = (make(values[part]) for part, make in makes)
        return Maybe(first.values, first.varies, others)

    return pairs, made


def _meet_optionals(bodies: Sequence[Builder], a: Maybe, b: Maybe) -> tuple[list[tuple[Value, Value]], Callable[[list[Value]], Any]]:
    """Where a branch has nothing, zeros take its place, which nothing reads; values of other types than the other branch's stand beside those."""
    kinds = dict.fromkeys(one.types for side in (a, b) for one in (side, *side.others) if one.values is not None)
    if len(kinds) > 1:
        return _meet_kinds(bodies, a, b, list(kinds))
    given = a.values if a.values is not None else b.values
    if given is None:
        return [], lambda _: a
    pairs: list[tuple[Value, Value]] = []
    makes: list[tuple[slice, Callable[[list[Value]], Any]]] = []
    varies = a.varies or b.varies
    for i, model in enumerate(given):
        sides = [model if side.values is None else side.values[i] for side in (a, b)]
        if isinstance(model, Maybe):
            parts, make = _meet_optionals(
                bodies, *(s if side.values is not None else Maybe(None) for s, side in zip(sides, (a, b), strict=True))
            )
        else:
            values = []
            for body, side, value in zip(bodies, (a, b), sides, strict=True):
                plain = value.stack(body) if isinstance(value, TensorList) and side.values is not None else value
                values.append(plain)
            known = next(v for v, side in zip(values, (a, b), strict=True) if side.values is not None)
            values = [
                v if side.values is not None else zeros(body, known.dtype, [d or 0 for d in known.dims or ()])
                for v, side, body in zip(values, (a, b), bodies, strict=True)
            ]
            parts = [(values[0], values[1])]
            dims = known.dims if a.values is None or b.values is None else join([v.dims for v in values])
            varies = varies or values[0].dims != values[1].dims or values[0].dims is None or None in values[0].dims
            make = _remade(dims, isinstance(model, TensorList))
        makes.append((slice(len(pairs), len(pairs) + len(parts)), make))
        pairs.extend(parts)
    return pairs, lambda values: Maybe([make(values[part]) for part, make in makes], varies)


def _remade(dims: Dims, is_list: bool) -> Callable[[list[Value]], Any]:
    def make(values: list[Value]) -> Any:
        values[0].dims = dims
        return Dense(values[0]) if is_list else values[0]

    return make


def _meet_writes(
    bodies: Sequence[Builder], a: TensorList, b: TensorList
) -> tuple[list[tuple[Value, Value]], Callable[[list[Value]], Any]] | None:
    """Gradients that each branch adds to an array by as many writes; None where they are not that."""
    model = a if isinstance(a, Writes) else b
    if not isinstance(model, Writes):
        return None
    if any(v.dims is None or None in v.dims for _, v in model.writes):
        return None
    rows = []
    for body, side in zip(bodies, (a, b), strict=True):
        if isinstance(side, Writes) and len(side.writes) == len(model.writes):
            rows.append([(body.cast(i, int64), v) for i, v in side.writes])
        elif isinstance(side, Blank):
            rows.append(
                [(body.const(np.array(0, np.int64)), zeros(body, v.dtype, [d or 0 for d in v.dims or ()])) for _, v in model.writes]
            )
        else:
            return None
    if any(x.dims != y.dims for (_, x), (_, y) in zip(*rows, strict=True)):
        return None
    pairs = [pair for (i, v), (j, w) in zip(*rows, strict=True) for pair in ((i, j), (v, w))]

    def make(values: list[Value]) -> Any:
        return Writes(model.base, list(zip(values[::2], values[1::2], strict=True)))

    return pairs, make


def _as_lists(a: Any, b: Any, node: NodeView) -> tuple[TensorList, TensorList]:
    """Both as lists: a gradient that one branch lacks is a plain zero there."""
    model = a if isinstance(a, TensorList) else b
    if model.array is None:
        if not (isinstance(a, TensorList) and isinstance(b, TensorList)):
            raise node.fail("one branch gives a list, the other does not.")
        return a, b
    sides = [s if isinstance(s, TensorList) else model.array.blank() for s in (a, b)]
    arrays = [s.array for s in sides]
    if arrays[0] is not arrays[1] and arrays[0] is not None and arrays[1] is not None and arrays[0].key != arrays[1].key:
        gradients = next((i for i, x in enumerate(arrays) if x is not None and x.forward is not None), None)
        if gradients is None:
            raise ConversionError(f"The branches of {node.name!r} give different TensorArrays.")
        chosen = arrays[gradients]
        assert chosen is not None
        sides[1 - gradients] = chosen.blank()
    return sides[0], sides[1]
