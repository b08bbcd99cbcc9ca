"""The gradient of while loops: a loop that counts back, fed by stacks that the forward loop fills.

TensorFlow 1's scheme (control_flow_state): the forward loop gets a counter (f_count); each forward value that the gradient
needs is pushed on a stack in its iteration (f_acc) and popped in the mirrored one; loop invariants get an accumulator
(b_acc); pushes and pops of nested loops are ordered by control triggers (f_sync, b_sync).
"""

from __future__ import annotations

from typing import Any

from graphtools.constant import constant
from graphtools.dtypes import float32, int32, resource
from graphtools.flow import CondContext, LoopContext, context_of, is_constant_enter, is_exit, is_loop_switch, loop_of, merge, switch
from graphtools.gradients import IndexedSlices
from graphtools.graph import Graph, Node, Tensor


def zeros(graph: Graph, shape: Tensor, dtype: Any) -> Tensor:
    with graph.name_scope("zeros") as scope:
        zero = graph.constant(0, dtype)
        result: Tensor = graph.op("Fill", shape, zero, name=scope)
    return result


def shape_of(tensor: Tensor) -> Tensor:
    """The shape as an op, also where it is known: what is built here depends on the tensor being there."""
    result: Tensor = tensor.node.graph.op("Shape", tensor, out_type=int32)
    return result


def is_fully_defined(tensor: Tensor) -> bool:
    return tensor.dims is not None and None not in tensor.dims


def _zeros_of(graph: Graph, tensor: Tensor, name: str = "zeros") -> Tensor:
    import numpy as np

    return graph.constant(np.zeros(tensor.dims, tensor.dtype.base_dtype.as_numpy_dtype), tensor.dtype.base_dtype, name)


class LoopGradient:
    """What belongs to the gradient of one forward loop."""

    def __init__(self, forward: LoopContext, outer: LoopGradient | None) -> None:
        self.graph = forward.graph
        self.forward = forward
        self.outer = outer
        self.forward_exits = list(forward.exits)
        self.pending_exits = len(forward.exits)
        self.deferred: list[Tensor] = []
        self.unused: list[Tensor] = []
        self.history: dict[str, Tensor] = {}
        self.switches: dict[Node, Any] = {}
        self._grad_sync: Node | None = None
        self._forward_sync: Node | None = None
        self.context: LoopContext
        self.grad_index: Tensor
        outer_forward = forward.outer
        if outer_forward is not None:
            outer_forward.enter()
        count, self.forward_index = self._count_forward()
        if outer_forward is not None:
            outer_forward.exit()
        if outer is not None:
            outer_forward.values.add(count.name)
            stack = outer.accumulate(count)
            with outer.context:
                self.context = self._new_context()
                self.grad_index = self._count_back(outer.pop(stack, count))
        else:
            if outer_forward is not None:
                outer_forward.enter()
            self.context = self._new_context()
            self.grad_index = self._count_back(count)
            if outer_forward is not None:
                outer_forward.exit()

    def _new_context(self) -> LoopContext:
        f = self.forward
        return LoopContext(
            self.graph,
            parallel_iterations=f.parallel_iterations,
            back_prop=f.back_prop,
            swap_memory=f.swap_memory,
            name=f.name,
            grad_state=self,
        )

    def _count_forward(self) -> tuple[Tensor, Tensor]:
        """Add a counter to the forward loop: how often it ran, and the index of the next iteration."""
        f, graph = self.forward, self.graph
        n = graph.constant(0, int32, "f_count")
        if self.outer is not None:  # pushes of one run of an inner loop come before those of the next
            n.node.control_inputs.append(self.outer.forward_index.node.inputs[0].node)
        with f:
            f.values.add(n.name)
            enter = f.make_enter(n, name="f_count")
            f.enters.append(enter)
            merged = merge([enter, enter])
            merged.dims = ()
            off, on = switch(merged, f.pivot)
            index = graph.op("Add", on, graph.constant(1, int32, "Add/y"))
            following = f.close(merged, index)
            total = f.make_exit(off, "f_count")
            f.exits.append(total)
            f.exit_result([total])
        return total, following

    def _count_back(self, count: Tensor) -> Tensor:
        """Add the counter of the gradient loop, from `count` down to zero: its next value."""
        graph, context = self.graph, self.context
        one = graph.constant(1, int32, "b_count")
        with context:
            context.values.add(count.name)
            enter = context.make_enter(count, name="b_count")
            context.enters.append(enter)
            merged = merge([enter, enter])
            merged.dims = ()
            context.pivot_for_pred = merged
            context.pivot = graph.op("LoopCond", graph.op("GreaterEqual", merged, one), name="b_count")
            off, on = switch(merged, context.pivot)
            index = graph.op("Sub", on, one)
            context.pivot_for_body = index
            following = context.close(merged, index)
            final = context.make_exit(off, "b_count")
            context.exits.append(final)
            if self.outer is not None:  # pops of one run of an inner loop come before those of the next
                self.outer.grad_sync.control_inputs.append(final.node)
            context.exit_result([final])
        return following

    def _trigger(self, name: str, context: LoopContext, index: Tensor) -> Node:
        with self.graph.control_dependencies(None):
            node: Node = self.graph.op("ControlTrigger", name=name)
        node.flow = context
        index.node.control_inputs.append(node)
        if context.outer is not None:
            context.outer.add_inner_op(node)
        return node

    @property
    def grad_sync(self) -> Node:
        """All pops of an iteration come before this."""
        if self._grad_sync is None:
            self._grad_sync = self._trigger("b_sync", self.context, self.grad_index)
        return self._grad_sync

    @property
    def forward_sync(self) -> Node:
        """All pushes of an iteration from within conds come before this."""
        if self._forward_sync is None:
            self._forward_sync = self._trigger("f_sync", self.forward, self.forward_index)
        return self._forward_sync

    def accumulate(self, value: Tensor, *, dead_branch: bool = False) -> Tensor:
        """Push a value of the forward loop on a stack in every iteration: the stack."""
        graph = self.graph
        current = graph.flow
        with graph.control_dependencies(None):
            if current is not None:
                current.enter()
            with graph.colocate_with(value.node):
                size = graph.constant(-1, int32)
                stack: Tensor = graph.op("StackV2", size, elem_type=value.dtype.base_dtype, stack_name="", name="f_acc")
            if current is not None:
                current.exit()
            inside = self.forward.add_value(stack)
            context = context_of(value.node)
            if context is self.forward:
                place = self.forward
            else:
                place = context.outer if dead_branch else context
            with place:
                push = graph.op("StackPushV2", inside, value, swap_memory=self.forward.swap_memory)
            if dead_branch:
                push.node.flow = context
            (self.forward_index.node if context is self.forward else self.forward_sync).control_inputs.append(push.node)
            push.node.control_inputs.append(self.forward_index.node.inputs[0].node)
        return stack

    def pop(self, stack: Tensor, value: Tensor, *, dead_branch: bool = False) -> Tensor:
        """The value that the stack holds for the mirrored iteration, in the gradient loop."""
        around, context = stack.node.flow, value.node.flow
        cond = None
        while context is not None and context is not around:
            if isinstance(context, CondContext):
                cond = context
                break
            context = context.outer
        with self.graph.control_dependencies(None), self.context:
            if cond is not None:
                pred: Tensor | None = None
                state: LoopGradient | None = self
                while pred is None and state is not None:
                    pred = state.history.get(cond.pred.name)
                    state = state.outer
                branch = 1 - cond.branch if dead_branch else cond.branch
                stack = switch(stack, cond.pred if pred is None else pred)[branch]
            popped: Tensor = self.graph.op("StackPopV2", stack, elem_type=value.dtype.base_dtype)
            popped.dims = value.dims
        if self.context.parallel_iterations > 1:
            self.grad_sync.control_inputs.append(popped.node)
        return popped

    def real_value(self, value: Tensor) -> Tensor:
        """What stands in the gradient loop for a value of the forward loop: its history, or itself where it never changes."""
        known = self.history.get(value.name)
        if known is not None:
            return known
        current, state = value, self
        real: Tensor | None = None
        while True:
            enter = _constant_enter(current)
            if enter is not None:
                current = enter.inputs[0]
                if state.outer is None:  # outside all loops: the value does not change
                    real = self.context.add_value(current)
                    break
                state = state.outer
            elif current.node.op == "Const":
                real = self.graph.constant(constant(current), current.dtype)
                break
            else:
                self.context.exit()
                stack = state.accumulate(current)
                self.context.enter()
                real = state.pop(stack, current)
                if state is not self:
                    real = self.context.add_value(real)
                break
        self.history[value.name] = real
        return real


def _constant_enter(value: Tensor) -> Node | None:
    node = value.node
    while node.op in ("Switch", "RefSwitch", "Identity", "RefIdentity"):
        node = node.inputs[0].node
    return node if is_constant_enter(node) else None


class LoopGradients:
    """The gradients of all loops that one walk passes."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.states: dict[LoopContext, LoopGradient] = {}

    def add(self, exit_node: Node, between: dict[Node, None]) -> None:
        """Make the gradient state of the loop that an Exit leaves; all its Exits take part in the walk."""
        forward = loop_of(exit_node)
        if forward is None or forward in self.states:
            return
        outer = forward.outer.loop() if forward.outer is not None else None
        state = LoopGradient(forward, self.states.get(outer) if outer is not None else None)
        self.states[forward] = state
        for e in state.forward_exits:
            between.setdefault(e.node, None)

    def of(self, node: Node, *, before: bool) -> LoopGradient | None:
        """The state of the loop that a node is in; `before` takes an Exit as a node of the loop outside."""
        loop = loop_of(node)
        if before and is_exit(node) and loop is not None:
            loop = loop.outer.loop() if loop.outer is not None else None
        return self.states.get(loop) if loop is not None else None

    def unused_exits(self, pending: dict[Node, int], to_nodes: set[Node]) -> list[Tensor]:
        """The Exits that nothing between ys and xs reads, of loops all of whose Exits are such."""
        found: list[Tensor] = []
        for state in self.states.values():
            for e in state.forward_exits:
                if pending.get(e.node, 0) == 0:
                    state.pending_exits -= 1
                    if e.node not in to_nodes:
                        state.unused.append(e)
                    if state.pending_exits == 0:
                        found.extend(state.unused)
            for enter in state.forward.enters:
                if pending.get(enter.node, 0) == 0:
                    pending[enter.node] = 1
        return found

    def zeros_for_exit(self, value: Tensor) -> Tensor:
        forward = value.node.flow
        around = forward.outer.loop() if forward.outer is not None else None
        outer = self.states.get(around) if around is not None else None
        if outer is None:
            if is_fully_defined(value):
                return _zeros_of(self.graph, value)
            result: Tensor = self.graph.op("ZerosLike", value, name="zeros_like")
            return result
        if is_fully_defined(value):
            with outer.context:
                return _zeros_of(self.graph, value)
        with forward.outer:
            shape = shape_of(value)
        stack = outer.accumulate(shape)
        with outer.context:
            return zeros(self.graph, outer.pop(stack, shape), value.dtype.base_dtype)

    def zeros_like(self, node: Node, index: int) -> Any:
        """Zeros for an output of a node inside a loop that got no gradient; None for a loop variable's Switch."""
        if is_loop_switch(node):
            return None
        state = self.of(node, before=False)
        if state is None:
            return zeros_outside_loops(node, index)
        dead = node.op in ("Switch", "RefSwitch")
        context, value = node.flow, node.outputs[index]
        if is_fully_defined(value) and value.dtype.base_dtype is not resource:
            result = _zeros_of(self.graph, value, "Const")
            if dead:
                result = switch(result, state.history[context.pred.name])[1 - context.branch]
            return result
        if dead:
            context.outer.enter()
            other = switch(node.inputs[0], context.pred)[1 - context.branch]
            shape = shape_of(other)
            context.outer.exit()
            other.node.flow = shape.node.flow = context
        else:
            with context:
                shape = shape_of(value)
        state.context.exit()
        stack = state.accumulate(shape, dead_branch=dead)
        state.context.enter()
        return zeros(self.graph, state.pop(stack, shape, dead_branch=dead), value.dtype.base_dtype)

    def finish(self) -> None:
        """Close the loop variables of gradient loops whose value does not depend on the iteration before: with zeros."""
        for state in self.states.values():
            for merged in state.switches.values():
                first, second = merged.node.inputs
                if first is not second:
                    continue
                if is_fully_defined(first):
                    with state.context:
                        following = self.graph.op("NextIteration", _zeros_of(self.graph, first, "Const"))
                else:
                    outer = state.context.outer
                    if outer is not None:
                        outer.enter()
                    entering = first.node.inputs[0]
                    value = zeros(self.graph, shape_of(entering), entering.dtype.base_dtype)
                    if outer is not None:
                        outer.exit()
                    with state.context:
                        following = self.graph.op("NextIteration", value)
                merged.node.inputs[1] = following


def zeros_outside_loops(node: Node, index: int) -> Any:
    """Zeros for an output that got no gradient; for a cond's Switch they are made only where the branch is taken."""
    value, graph = node.outputs[index], node.graph
    context = node.flow
    if node.op not in ("Switch", "RefSwitch") or not isinstance(context, CondContext):
        return graph.op("ZerosLike", value, name="zeros_like")
    other = switch(node.inputs[0], context.pred)[1 - context.branch]
    pivot = graph.op("Identity", other)
    if value.dtype.base_dtype is resource:
        with graph.control_dependencies([pivot.node]):
            return zeros(graph, graph.op("VariableShape", other, out_type=int32), _held_dtype(node))
    shape = shape_of(other)
    with graph.control_dependencies([pivot.node]):
        return zeros(graph, shape, value.dtype.base_dtype)


def _held_dtype(node: Node) -> Any:
    """The dtype of the variable whose handle a Switch passes on."""
    while node.inputs and node.op != "VarHandleOp":
        node = node.inputs[0].node
    return node.attr.get("dtype", float32)


def is_variable_switch(node: Node) -> bool:
    """True for the Switch of a cond, outside loops, that passes on a variable's handle."""
    if node.op != "Switch" or not isinstance(node.flow, CondContext) or node.inputs[0].dtype.base_dtype is not resource:
        return False
    while node.inputs and node.op != "VarHandleOp":
        node = node.inputs[0].node
    return node.op == "VarHandleOp"


def accumulate_invariant(state: LoopGradient, enter: Node, grad: Any) -> Any:
    """The sum over all iterations of the gradient of a loop invariant."""
    context, graph = state.context, state.graph
    if isinstance(grad, IndexedSlices):
        return _accumulate_slices(state, enter, grad)
    context.exit()
    outer = context.outer
    if is_fully_defined(grad):
        if outer is not None:
            outer.enter()
        acc = _zeros_of(graph, grad, "b_acc")
        if outer is not None:
            outer.exit()
    elif isinstance(outer, LoopContext) and outer.grad_state is not None:
        with state.forward.outer:
            shape = shape_of(enter.inputs[0])
        stack = outer.grad_state.accumulate(shape)
        with outer:
            acc = zeros(graph, outer.grad_state.pop(stack, shape), grad.dtype.base_dtype)
    else:
        if outer is not None:
            outer.enter()
        acc = zeros(graph, shape_of(enter.inputs[0]), grad.dtype.base_dtype)
        if outer is not None:
            outer.exit()
    acc.dims = grad.dims
    context.enter()
    return _sum_over_loop(context, [acc], lambda held: [graph.op("Add", held[0], grad)])[0]


def _accumulate_slices(state: LoopGradient, enter: Node, grad: IndexedSlices) -> IndexedSlices:
    context, graph = state.context, state.graph
    import numpy as np

    values, indices, shape = grad.values, grad.indices, grad.dense_shape
    context.exit()
    outer = context.outer
    if outer is not None:
        outer.enter()
    if values.dims is not None and None not in values.dims[1:]:
        first = graph.constant(np.zeros((1, *values.dims[1:])), values.dtype.base_dtype, "b_acc")
    else:
        rest = _row_shape(graph, enter.inputs[0])
        first = zeros(
            graph,
            graph.op("ConcatV2", [graph.constant([1], int32), rest], graph.constant(0, int32), name="concat"),
            values.dtype.base_dtype,
        )
    start = [graph.constant([0], indices.dtype, "b_acc"), first]
    if shape is not None:
        start.append(_zeros_of(graph, shape, "b_acc") if is_fully_defined(shape) else zeros(graph, shape_of(shape), shape.dtype.base_dtype))
    if outer is not None:
        outer.exit()
    context.enter()

    def step(held: list[Tensor]) -> list[Tensor]:
        axis = graph.constant(0, int32, "concat/axis")
        made = [graph.op("ConcatV2", [h, new], axis, name="concat") for h, new in zip(held[:2], (indices, values), strict=True)]
        if shape is not None:
            made.append(graph.op("Maximum", shape, held[2]))
        return made

    done = _sum_over_loop(context, start, step, loose=True)
    return IndexedSlices(done[1], done[0], done[2] if shape is not None else None)


def _row_shape(graph: Graph, tensor: Tensor) -> Tensor:
    """The shape of a row of a tensor, or of the variable whose handle it is."""
    if tensor.dtype.base_dtype is resource:
        while tensor.node.inputs:
            tensor = tensor.node.inputs[0]
        dims = tensor.node.attr["shape"]
        return graph.constant([int(d) for d in dims[1:]], int32, "concat/values_1")
    one = [graph.constant([i], int32) for i in (1, 0, 1)]
    rest: Tensor = graph.op("StridedSlice", shape_of(tensor), *one, end_mask=1, name="strided_slice")
    return rest


def _sum_over_loop(context: LoopContext, start: list[Tensor], step: Any, *, loose: bool = False) -> list[Tensor]:
    """Carry values through the gradient loop, `step` from one iteration's to the next: the final ones. `loose`: the first dimension grows."""
    context.values.update(t.name for t in start)
    enters = [context.make_enter(t, name="b_acc") for t in start]
    context.enters.extend(enters)
    merges = [merge([e, e], "b_acc") for e in enters]
    for m, e in zip(merges, enters, strict=True):
        m.dims = e.dims if not loose or e.dims is None else (None, *e.dims[1:])
    switches = [switch(m, context.pivot) for m in merges]
    for m, value in zip(merges, step([s[1] for s in switches]), strict=True):
        context.close(m, value)
    results = [context.make_exit(s[0], "b_acc") for s in switches]
    context.exits.extend(results)
    context.exit_result(results)
    return results
