"""While -> Loop: what each variable of a loop becomes, how often it runs, and its body."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.constant import constant
from graphtools.convert.builder import Builder, OnnxNode, Value
from graphtools.convert.counters import counter_step, is_size, least, origin, passes_through
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
    as_sequence,
    has_blanks,
    joined_elements,
    plain,
    same_value,
)
from graphtools.convert.loop_lists import LoopList, Recorded
from graphtools.convert.loop_results import Results
from graphtools.convert.recurrent import as_layers
from graphtools.dtypes import DType, bool_, int64, variant
from graphtools.graph import Dims, Tensor
from graphtools.shapes.control_flow_ops import infer_function, join

if TYPE_CHECKING:
    from graphtools.convert.walk import NodeView, Walk

# What a loop variable becomes.
INVARIANT = "invariant"  # not in the loop: the body uses the value from outside
COUNTER = "counter"  # an integer that moves by the same step each round, computed from the round's number
TENSOR = "tensor"  # carried
LIST = "list"  # not carried: a scan output, or gathered by the round's number
SEQUENCE = "sequence"  # carried as an ONNX sequence

MAX_ATTEMPTS = 64


class Loop:
    """The body of an ONNX Loop under construction. `op` is the graph around it."""

    def __init__(self, op: Builder, body: Builder) -> None:
        self.op = op
        self.body = body
        body.loop = self
        self.round = body.input(f"{body.name}/round", int64, ())
        self.condition = body.input(f"{body.name}/go_on", bool_, ())
        self.affine: dict[Value, tuple[Value, int]] = {}  # value -> what it is in round 0, and its step
        self.slots: dict[Value, int | str] = {}  # the body's input -> the variable that it carries
        self.trip: Value | None = None  # int64: how often the loop runs, once known
        self.rows: dict[Value, Value] = {}  # value of the body -> its values in all rounds, stacked
        self.is_uneven = False  # whether values differ in shape from round to round
        self.varying: set[Value] = set()  # values of the body known to differ in shape from round to round
        self._last: dict[int, Value] = {}

    def is_inside(self, value: Value) -> bool:
        """Whether a value is made anew in each round."""
        if value.const is not None:
            return False
        if value.node is None:
            return value in self.slots or value is self.round or value is self.condition or value in self.affine
        return any(node is value.node for node in reversed(self.body.nodes))

    def moves(self, value: Value) -> tuple[Value, int] | None:
        """(value in round 0, step) of an integer that moves by the same step each round; None where that is not known."""
        known = self.affine.get(value)
        if known is not None:
            return known
        if value is self.round:
            return self.op.const(np.array(0, np.int64)), 1
        if not value.dtype.is_integer:
            return None
        if not self.is_inside(value):
            return (value, 0) if value.node is None or self._is_outside(value) else None
        node = value.node
        if node is None:
            return None
        if node.op_type in ("Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze") and node.inputs[0] is not None:
            if node.op_type not in ("Cast", "Identity") and value.dims not in ((), (1,)):
                return None
            return self.moves(node.inputs[0])
        if node.op_type in ("Add", "Sub") and None not in node.inputs:
            a, b = self.moves(node.inputs[0]), self.moves(node.inputs[1])  # type: ignore[arg-type]
            if a is None or b is None:
                return None
            left, right = self.op.cast(a[0], int64), self.op.cast(b[0], int64)
            if node.op_type == "Add":
                return self.op.Add(left, right), a[1] + b[1]
            return self.op.Sub(left, right), a[1] - b[1]
        return None

    def _is_outside(self, value: Value) -> bool:
        """Whether a value is made in a graph around this loop, not in a branch inside it."""
        builder: Builder | None = self.op
        while builder is not None:
            if any(node is value.node for node in reversed(builder.nodes)):
                return True
            builder = builder.parent
        return False

    def popped(self, init: TensorList) -> Value:
        """The element that this round takes from the end of a list that each round takes one from."""
        op, body = self.op, self.body
        if isinstance(init, Repeated):
            return init.value
        length = init.length(op)
        last = self._last.get(id(plain(length)))
        if last is None:
            last = self._last[id(plain(length))] = op.Sub(length, 1)
        if isinstance(init, Progression):
            start = op.Add(op.cast(init.start, int64), op.Mul(last, init.step))
            value = body.cast(body.Sub(start, body.Mul(self.round, init.step) if init.step != 1 else self.round), init.dtype)
            self.affine[value] = start, -init.step
            return value
        stacked = init.stack(op)
        result: Value = body.Gather(stacked, body.Sub(last, self.round), axis=0)
        return result


class WhileConversion:
    """One While node on its way to a Loop."""

    def __init__(self, op: Builder, node: NodeView) -> None:
        self.op = op
        self.node = node
        self.walk: Walk = node.walk
        self.cond = node.function("cond")
        self.body = node.function("body")
        self.inits: list[Any] = list(node.inputs)
        count = len(self.inits)
        if not (len(self.body.inputs) == len(self.body.outputs) == len(self.cond.inputs) == count):
            raise node.fail(
                f"{count} loop variables, but its body takes {len(self.body.inputs)} and gives {len(self.body.outputs)}, its condition takes {len(self.cond.inputs)}."
            )
        # The shapes that the variables start with, widened when the body turns out to change them.
        self.dims: list[Dims] = [v.dims if isinstance(v, Value) else t.dims for v, t in zip(self.inits, node.node.inputs, strict=True)]
        self.modes: dict[int | str, str] = {}
        self.steps: dict[int, int] = {}
        self.arrays: dict[int | str, Array] = {}
        self.dtypes: dict[int | str, DType] = {}
        self.grows = False  # whether a variable changes its shape from round to round
        self.elements: dict[
            int | str, tuple[Dims, bool]
        ] = {}  # of the lists carried as sequences: the elements' shape; whether none is written
        for k, (init, result) in enumerate(zip(self.inits, self.body.outputs, strict=True)):
            if passes_through(result, self.body.inputs[k]):
                self.modes[k] = INVARIANT
                if isinstance(init, Items) and init.items:
                    self.inits[k] = _stacked(op, init)
            elif isinstance(init, TensorList):
                self.modes[k] = LIST
            elif isinstance(init, Value):
                self.modes[k] = TENSOR
            else:
                raise node.fail(f"its variable {node.node.inputs[k].name!r}, a {node.node.inputs[k].dtype.name}, changes in the loop.")
        for k, result in enumerate(self.body.outputs):
            if self.modes[k] == TENSOR and result.dtype.is_integer:
                step = counter_step(result, self.body.inputs[k], self._known)
                if step is not None:
                    self.steps[k] = step
        self.trip = self._trip_count()
        if self.trip is not None:
            for k in self.steps:
                self.modes[k] = COUNTER
        self.variables, stacks = self.walk.state_of(node.node)
        self.states: dict[str, Any] = {}
        self.state_dims: dict[str, Dims] = {}
        for key, variable in self.variables.items():
            self.states[key] = self.walk.read_variable(node.node, variable)
            self.state_dims[key] = join([self.states[key].dims, variable.dims]) if variable.dims is not None else self.states[key].dims
            self.modes[key] = TENSOR
        for key in stacks:
            self.states[key] = self.walk.stack(node.node, key)
            self.modes[key] = LIST

    def _known(self, tensor: Tensor) -> Any:
        """The value of a tensor of the body, as far as constants outside and inside tell it."""
        for k, parameter in enumerate(self.body.inputs):
            if parameter is tensor:
                init = self.inits[k]
                return init.const if self.modes[k] == INVARIANT and isinstance(init, Value) else None
        return constant(tensor)

    def run(self) -> list[Any]:
        for _ in range(MAX_ATTEMPTS):
            mark = self.op.names.mark()
            count = len(self.op.nodes)
            try:
                result = self._attempt()
            except Weaken as w:
                if getattr(w.loop, "conversion", None) is not self:
                    raise
                self._weaken(w)
            else:
                if result is not None:
                    return result
            self.op.names.reset(mark)
            del self.op.nodes[count:]
        raise self.node.fail("no form was found that its variables keep from round to round.")

    def _weaken(self, w: Weaken) -> None:
        slot = w.slot
        if self.modes[slot] == TENSOR and w.array is not None:
            self.arrays[slot] = w.array
            self.modes[slot] = LIST
            self.inits[slot] = w.array.blank()  # type: ignore[index]
        elif self.modes[slot] == LIST:
            self.modes[slot] = SEQUENCE
        else:
            raise self.node.fail(f"its variable {slot} is a list that no ONNX form holds.")

    # -- how often it runs ---------------------------------------------------------------------------------------

    def _trip_count(self) -> Value | None:
        """How often the loop runs, if its condition compares counters with bounds that stay: int64."""
        bounds = self._bounds(self.cond.outputs[0])
        if not bounds:
            return None
        trip = least(self.op, bounds)
        if trip.const is not None:
            return self.op.const(np.maximum(trip.const, 0))
        return trip if is_size(trip) else self.op.Max(trip, 0)

    def _bounds(self, tensor: Tensor) -> list[Value] | None:
        node = origin(tensor).node
        if node.op == "LogicalAnd":
            found = [self._bounds(t) for t in node.inputs]
            return None if any(f is None for f in found) else [b for f in found for b in f or ()]
        if node.op == "Const":
            return [] if node.attr["value"].ndim == 0 and bool(node.attr["value"]) else None
        if node.op not in ("Less", "LessEqual", "Greater", "GreaterEqual"):
            return None
        op, flipped = node.op, {"Less": "Greater", "LessEqual": "GreaterEqual", "Greater": "Less", "GreaterEqual": "LessEqual"}
        left, right = (origin(t) for t in node.inputs)
        if self._counter(left) is None:
            left, right, op = right, left, flipped[op]
        k = self._counter(left)
        bound = self._outside(right)
        if k is None or bound is None:
            if k is not None and (limit := constant(right)) is not None and limit.ndim == 0 and limit.dtype.kind in "iu":
                bound = self.op.const(limit)
            else:
                return self._always(left, right, op)
        assert k is not None
        step, start = self.steps[k], self.inits[k]
        if (step > 0) != op.startswith("Less"):
            return self._always(left, right, op)
        if start.dims not in ((), None) or bound.dims not in ((), None):
            return None
        a, b = self.op.cast(start, int64), self.op.cast(bound, int64)
        distance = (b if a.const is not None and not a.const else self.op.Sub(b, a)) if step > 0 else self.op.Sub(a, b)
        if op.endswith("Equal"):
            if step < 0 and b.const is not None and int(b.const) == 1:  # down to 1
                distance = a
            else:
                distance = self.op.Add(distance, 1)
        if abs(step) > 1:
            distance = self.op.Div(self.op.Add(self.op.Max(distance, 0), abs(step) - 1), abs(step))
        return [distance]

    def _always(self, left: Tensor, right: Tensor, op: str) -> list[Value] | None:
        """A comparison that holds from the start and cannot stop holding, such as counter >= 0: no bound."""
        k, limit = self._counter(left), constant(right)
        if k is None or limit is None or limit.ndim:
            return None
        start = self.inits[k].const
        if start is None or start.ndim:
            return None
        up = self.steps[k] > 0
        holds = {
            "Greater": up and start > limit,
            "GreaterEqual": up and start >= limit,
            "Less": not up and start < limit,
            "LessEqual": not up and start <= limit,
        }
        return [] if holds[op] else None

    def _counter(self, tensor: Tensor) -> int | None:
        return next((k for k, p in enumerate(self.cond.inputs) if p is tensor and k in self.steps), None)

    def _outside(self, tensor: Tensor) -> Value | None:
        """The value from outside that a tensor of the condition stands for."""
        for k, parameter in enumerate(self.cond.inputs):
            if parameter is tensor and self.modes[k] == INVARIANT and isinstance(self.inits[k], Value) and self.inits[k].dtype.is_integer:
                found: Value = self.inits[k]
                return found
        return None

    # -- one attempt ---------------------------------------------------------------------------------------------

    def _attempt(self) -> list[Any] | None:
        """The values of the node's outputs; None when the shapes taken for the variables turned out too narrow."""
        op, walk, at = self.op, self.walk, self.node.node
        for function in (self.body, self.cond):
            infer_function(function, self.dims)
        body = op.subgraph(f"{self.node.name}/body")
        loop = Loop(op, body)
        loop.conversion = self  # type: ignore[attr-defined]
        loop.trip = self.trip
        carried: list[int | str] = []
        params: list[Any] = []
        for k, init in enumerate(self.inits):
            params.append(self._parameter(loop, k, init, self.body.inputs[k].node.name, self.dims[k], carried))
        states = {key: self._parameter(loop, key, init, key, self.state_dims.get(key), carried) for key, init in self.states.items()}
        first = self._condition(op, self.inits, self.states) if self.trip is None else op.const(np.array(True))
        inner = walk.enter(self.body, params, body, at, states)
        results = [inner.values[t] for t in self.body.outputs]
        after = {key: inner.last_state(key, self.variables.get(key)) for key in states}
        go_on = loop.condition if self.trip is not None else self._condition(body, results, after)
        named: dict[int | str, Any] = dict(enumerate(results)) | after
        before: dict[int | str, Any] = dict(enumerate(params)) | states
        if not self._shapes_hold(named, carried):
            return None
        rounds: Value | None = None
        body.output(go_on)
        final: list[Value] = []
        for slot in carried:
            value = named[slot]
            if self.modes[slot] == SEQUENCE:
                content = value if isinstance(value, TensorList) else before[slot]
                value = content.sequence(body)
            elif not isinstance(value, Value):
                array = value.array if isinstance(value, TensorList) else None
                raise Weaken(loop, slot, array)
            final.append(_output(body, value))
        scanned: list[Value] = []
        for slot, value in named.items():
            if self.modes[slot] == LIST:
                self._check_recorded(loop, slot, value, before[slot])
                if isinstance(value, Recorded):
                    scanned.extend(self._scanned(loop, value))
        for value in scanned:
            _output(body, value)
        if self.trip is None:
            rounds = body.output(loop.round)
        inits = [op.const(v) if not isinstance(v, Value) else v for v in (self._initial(slot) for slot in carried)]
        outputs = self._layers(loop, carried, before, final, inits, scanned) or []
        if len(body.outputs) > 1 and not outputs:
            hoist(op, body)
            made = self._scan(loop, inits) if self._is_scan(body, inits) else None
            if made is None:
                made = op.append(
                    "Loop",
                    [self.trip, first if self.trip is None or not inits else None, *inits],
                    {"body": body},
                    outputs=len(body.outputs) - 1,
                )
            outputs = list(made) if isinstance(made, tuple) else [made]
            for value, inside in zip(outputs, body.outputs[-len(outputs) :], strict=True):
                value.dtype, value.dims, value.is_sequence = inside.dtype, inside.dims, inside.is_sequence
            for slot, value in zip(carried, outputs, strict=False):
                value.dims = self.dims[slot] if isinstance(slot, int) else self.state_dims.get(slot)
            for value in outputs[len(carried) :]:
                value.dims = None if value.dims is None else (self._static_trip(), *value.dims)
        scan_outputs = outputs[len(carried) :]
        if loop.trip is None and rounds is not None:
            loop.trip = op.Squeeze(op.Shape(scan_outputs[-1], start=0, end=1), [0])
        by_slot = dict(zip(carried, outputs, strict=False))
        loop.rows = dict(zip(scanned, scan_outputs, strict=False))
        done = {slot: self._result(loop, slot, named[slot], before[slot], by_slot.get(slot)) for slot in named}
        for key in self.states:
            walk.set_state(at, key, self.variables.get(key), done[key])
        return [done[k] for k in range(len(self.inits))]

    def _is_scan(self, body: Builder, inits: list[Value]) -> bool:
        """Whether a Scan can take the place of a Loop: it runs at least once, the ranks of what it gives are known, and no state grows.

        Measured on the CPU: an LSTM cell takes 0.50 against 0.55 ms at batch 1, with six outputs 7.2 against 8.8 at batch 64. On
        CUDA a Loop also copies its condition to the host in each round. ONNX Runtime's Scan fails on no rounds.
        """
        trip = self._static_trip()
        if trip is None or trip <= 0 or any(v.is_sequence or v.dims is None for v in body.outputs[1:]):
            return False
        states = body.outputs[1 : 1 + len(inits)]
        if any(
            a is None and b is not None
            for v, i in zip(states, inits, strict=True)
            for a, b in zip(v.dims or (), i.dims or (), strict=False)
        ):
            return False
        return not any(None in (v.dims or ()) for v in states) or not any(_may_grow(n) for n in body.nodes)

    def _scan(self, loop: Loop, inits: list[Value]) -> Any:
        op, body = self.op, loop.body
        given = body.outputs[0].node
        body.nodes = [n for n in body.nodes if n is not given]
        body.inputs = [*body.inputs[2:], loop.round]
        body.outputs = body.outputs[1:]
        rounds = op.const(np.arange(self._static_trip() or 0, dtype=np.int64))
        return op.append("Scan", [*inits, rounds], {"body": body, "num_scan_inputs": 1}, outputs=len(body.outputs))

    def _layers(
        self,
        loop: Loop,
        carried: list[int | str],
        before: dict[int | str, Any],
        final: list[Value],
        inits: list[Value],
        scanned: list[Value],
    ) -> list[Value] | None:
        """What the Loop would give, from LSTM, GRU and RNN layers, where it is made of them."""
        if self.trip is None or any(self.modes[slot] != TENSOR for slot in carried):
            return None
        return as_layers(self.op, loop, [before[slot] for slot in carried], final, inits, scanned)

    def _parameter(self, loop: Loop, slot: int | str, init: Any, name: str, dims: Dims, carried: list[int | str]) -> Any:
        mode, body = self.modes[slot], loop.body
        if mode == INVARIANT:
            return init
        if mode == LIST:
            return LoopList(loop, slot, init)
        if mode == COUNTER and isinstance(slot, int):
            step = self.steps[slot]
            start = self.op.cast(init, int64)
            value = body.Mul(loop.round, step) if step != 1 else loop.round
            if start.const is None or start.const.any():
                value = body.Add(value, start)
            value = (
                body._append("Cast", [value], {"to": init.dtype.onnx}, 1, "")
                if init.dtype is not int64
                else body._append("Identity", [value], {}, 1, "")
            )
            value.dims = ()
            loop.affine[value] = init, step
            return value
        carried.append(slot)
        if mode == SEQUENCE:
            element, is_empty = self.elements.setdefault(slot, (init.element, init.is_empty))
            dtype = self.dtypes.setdefault(slot, init.dtype)
            value = as_sequence(body.input(f"{name}:0", dtype, element), dtype, element)
            loop.slots[value] = slot
            held = Carried(body, value, init.array, element, is_empty=is_empty)
            held.grows, held.varies, held.has_blanks = init.grows, init.varies, has_blanks(init)
            return held
        value = body.input(f"{name}:0", init.dtype, dims)
        loop.slots[value] = slot
        if isinstance(slot, int) and slot in self.steps:
            loop.affine[value] = init, self.steps[slot]
        return value

    def _initial(self, slot: int | str) -> Value:
        init = self.inits[slot] if isinstance(slot, int) else self.states[slot]
        if self.modes[slot] == SEQUENCE:
            element, _ = self.elements[slot]
            if isinstance(init, Blank) and init.element is None:
                init = Blank(init.dtype, element, init.size, init.array, init.shape)
            if init.dtype is variant and init.is_empty:
                init = Items(self.dtypes[slot], element, [])
            result: Value = init.sequence(self.op)
            return result
        return init  # type: ignore[no-any-return]

    def _condition(self, op: Builder, values: Sequence[Any], states: dict[str, Any]) -> Value:
        inner = self.walk.enter(self.cond, values, op, self.node.node, states)
        result = inner.values[self.cond.outputs[0]]
        if not isinstance(result, Value):
            raise self.node.fail("its condition is no tensor.")
        if result.dims != ():
            reshaped: Value = op.Reshape(op.cast(result, bool_), op.const(np.zeros(0, np.int64)))
            return reshaped
        return result

    def _shapes_hold(self, after: dict[int | str, Any], carried: list[int | str]) -> bool:
        """Whether the carried tensors come out of the body in the shapes they went in with; widens those that do not."""
        holds = True
        for slot in carried:
            value = after[slot]
            if self.modes[slot] == SEQUENCE and isinstance(value, TensorList):
                if self.dtypes[slot] is variant and value.dtype is not variant:
                    self.dtypes[slot] = value.dtype
                    holds = False
                known = self.elements[slot]
                wider = joined_elements(
                    Blank(value.dtype, known[0], self.op.const(0)) if known[1] else TensorList(value.dtype, known[0]), value
                )
                if wider != known:
                    holds = False
                    self.elements[slot] = wider
                continue
            if self.modes[slot] != TENSOR or not isinstance(value, Value):
                continue
            dims = self.dims[slot] if isinstance(slot, int) else self.state_dims.get(slot)
            joined = join([dims, value.dims])
            if joined != dims:
                holds = False
                if dims is not None and value.dims is not None:
                    self.grows = True
                if isinstance(slot, int):
                    self.dims[slot] = joined
                else:
                    self.state_dims[slot] = joined
        return holds

    # -- lists ---------------------------------------------------------------------------------------------------

    def _scanned(self, loop: Loop, value: Recorded) -> list[Value]:
        """The values of which all rounds are needed after the loop. A counter need not be stored, nor what stays the same."""
        found = []
        for index, element in value.writes:
            if value.kind == "push" and element.dims == () and loop.moves(element) is not None:
                continue
            if loop.is_inside(element):
                found.append(element)
            if index is not None and loop.moves(index) is None and loop.is_inside(index):
                found.append(index)
        return found

    def _check_recorded(self, loop: Loop, slot: int | str, value: Any, before: LoopList) -> None:
        """Whether what a round did to a list is a scan. Raises Weaken where it is not."""
        if value is before:
            return
        if not isinstance(value, Recorded) or value.base is not before:
            raise Weaken(loop, slot)
        if before.is_measured and (value.kind in ("push", "pop") or value.grows):
            raise Weaken(loop, slot)
        if before.reads and not (value.kind == "set" and all(same_value(r, value.writes[0][0]) for r in before.reads)):  # type: ignore[arg-type]
            raise Weaken(loop, slot)
        if value.kind != "pop" and isinstance(before.init, Carried):
            raise Weaken(loop, slot)
        if any(self._varies(loop, element) for _, element in value.writes):
            raise Weaken(loop, slot)
        if value.kind == "add" and before.varies:
            raise Weaken(loop, slot)
        if value.kind != "set":
            return
        moves = loop.moves(value.writes[0][0])  # type: ignore[arg-type]
        if moves is None or moves[1] not in (1, -1):
            raise Weaken(loop, slot)
        if isinstance(before.init, Items) and not before.init.is_empty:
            raise Weaken(loop, slot)
        if before.varies or (value.grows and (moves[1] != 1 or not isinstance(before.init, Blank))):
            raise Weaken(loop, slot)

    def _varies(self, loop: Loop, element: Value) -> bool:
        """Whether elements may differ in shape from round to round."""
        return element in loop.varying or ((self.grows or loop.is_uneven) and (element.dims is None or None in element.dims))

    def _result(self, loop: Loop, slot: int | str, value: Any, before: Any, output: Value | None) -> Any:
        """What a variable is after the loop."""
        op, mode = self.op, self.modes[slot]
        init = self.inits[slot] if isinstance(slot, int) else self.states[slot]
        if mode == INVARIANT or value is before:
            return init
        if mode == COUNTER and isinstance(slot, int) and loop.trip is not None:
            moved = loop.trip if self.steps[slot] == 1 else op.Mul(loop.trip, self.steps[slot])
            start = op.cast(init, int64)
            return op.cast(moved if start.const is not None and not start.const.any() else op.Add(start, moved), init.dtype)
        if mode == SEQUENCE:
            assert output is not None
            element, is_empty = self.elements[slot]
            held = Carried(op, as_sequence(output, self.dtypes[slot], element), init.array, element, is_empty=is_empty)
            held.grows, held.varies, held.has_blanks = init.grows, init.varies, has_blanks(init)
            return held
        if mode == TENSOR:
            return output
        assert isinstance(value, Recorded) and loop.trip is not None
        if value.kind == "pop":
            stacked = init.stack(op)
            rest = op.Slice(stacked, [0], op.Reshape(op.Sub(init.length(op), loop.trip), [1]), [0])
            return Dense(rest, init.array)
        results = Results(op, loop)
        if value.kind == "push":
            new = results.pushed(value)
            length = init.length(op)
            if length.const is not None and int(length.const) == 0:
                return new
            return Dense(op.Concat(init.stack(op), new.stack(op), axis=0), value.array)
        if value.kind == "add":
            total: TensorList = init
            for at, added in value.writes:
                assert at is not None
                total = total.add(op, results.added(value, at, added))
            return total
        return results.scattered(value, init)

    def _static_trip(self) -> int | None:
        return None if self.trip is None or self.trip.const is None else int(self.trip.const)


# What may be computed once before a loop: it cannot fail where the loop would not have run.
HOISTED = frozenset(
    {"Add", "Cast", "Concat", "Equal", "Exp", "Greater", "GreaterOrEqual", "Identity", "Less", "LessOrEqual", "MatMul", "Mul", "Neg", "Not", "Shape",
     "Sigmoid", "Sub", "Tanh", "Transpose", "Unsqueeze"}
)  # fmt: skip


def hoist(op: Builder, body: Builder) -> None:
    """Move what is the same in each round out of a loop's body."""
    inside = {id(v) for v in body.inputs}
    kept = []
    for node in body.nodes:
        if (
            node.op_type in HOISTED
            and not any(v.is_output for v in node.outputs)
            and not any(v is not None and id(v) in inside for v in node.inputs)
        ):
            op.nodes.append(node)
            continue
        inside.update(id(v) for v in node.outputs)
        kept.append(node)
    body.nodes = kept


def _stacked(op: Builder, items: Items) -> TensorList:
    """Elements known one by one as one tensor, where their shapes are equal: a loop reads them by number."""
    dims = [v.dims for v in items.items if v is not None]
    if len(dims) != len(items.items) or any(d is None or None in d or d != dims[0] for d in dims):
        return items
    return Dense(items.stack(op), items.array)


def _output(body: Builder, value: Value) -> Value:
    """Make a value an output of a body, also a second time."""
    is_sequence = value.is_sequence
    result = body.output(value)
    result.is_sequence = is_sequence
    result.dtype, result.dims = value.dtype, value.dims
    return result


def _may_grow(node: OnnxNode) -> bool:
    """Whether a node makes an axis whose size is not known longer or shorter than its inputs' axes."""
    if node.op_type == "Concat":
        dims = node.outputs[0].dims
        return dims is None or dims[node.attrs["axis"]] is None
    return node.op_type in ("Compress", "NonZero", "Pad", "Tile")
