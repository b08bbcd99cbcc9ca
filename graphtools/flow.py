"""Building v1 control flow: the contexts that a cond's branches and a loop's body are built in.

While a context is entered (`graph.flow`), every node that is added belongs to it: its inputs from outside come in through
Switch or Enter, and it waits for the context's pivot when it has no inputs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphtools.gradients import IndexedSlices
from graphtools.graph import Graph, Node, Tensor


def context_of(node: Node) -> Any:
    """The context whose values a node's outputs are: that of a loop's Exit is the one outside the loop."""
    context = node.flow
    if context is not None and is_exit(node):
        return context.outer
    return context


def loop_of(node: Node) -> Any:
    """The loop that a node is in (an Exit: the loop that it leaves), None outside loops."""
    return node.flow.loop() if node.flow is not None else None


def is_exit(node: Node) -> bool:
    return node.op in ("Exit", "RefExit")


def is_loop_switch(node: Node) -> bool:
    """Whether a Switch is the one of a loop variable, not that of a cond."""
    return node.op in ("Switch", "RefSwitch") and node.inputs[1].node.op == "LoopCond"


def is_constant_enter(node: Node) -> bool:
    return node.op in ("Enter", "RefEnter") and bool(node.attr.get("is_constant"))


class Context:
    """What is being built inside: a branch of a cond or a loop."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.outer: Any = graph.flow
        self.values: set[str] = set()  # names of the tensors that are known inside
        self.external: dict[str, Tensor] = {}  # name of a tensor from outside -> what stands for it inside
        self._entered: list[Any] = []

    def enter(self) -> None:
        self._entered.append(self.graph.flow)
        self.graph.flow = self

    def exit(self) -> None:
        self.graph.flow = self._entered.pop()

    def __enter__(self) -> Context:
        self.enter()
        return self

    def __exit__(self, *exc: object) -> None:
        self.exit()

    def loop(self) -> Any:
        """The innermost loop: this context or one outside it."""
        return self.outer.loop() if self.outer is not None else None

    def control_pivot(self) -> Tensor | None:
        """The tensor that nodes without inputs wait for, where this context has one."""
        return None

    def add_value(self, value: Tensor) -> Tensor:
        """What stands for a tensor inside this context, brought in if it is from outside."""
        raise NotImplementedError

    def add_op(self, node: Node) -> None:
        """Take in a node that was just added to the graph."""
        raise NotImplementedError

    def take_in(self, node: Node) -> None:
        """Make a node one of this context, whatever context is being built in."""
        raise NotImplementedError

    def add_inner_op(self, node: Node) -> None:
        """A node was added in a context inside this one."""
        if self.outer is not None:
            self.outer.add_inner_op(node)

    def exit_result(self, tensors: Iterable[Tensor]) -> None:
        """Make results known to the context outside."""
        if self.outer is not None:
            self.outer.values.update(t.name for t in tensors)

    def drop_external_control(self, node: Node) -> tuple[list[Node], list[Node]]:
        """Remove a node's control inputs from outside the enclosing loop: those kept, those removed."""
        loop = self.loop()
        if loop is None:
            return list(node.control_inputs), []
        internal: list[Node] = []
        outside: list[Node] = []
        for c in node.control_inputs:
            context = context_of(c)
            (internal if context is not None and context.loop() is loop else outside).append(c)
        node.control_inputs[:] = internal
        return internal, outside

    def contains(self, node: Node) -> bool:
        context = node.flow
        while context is not None:
            if context is self:
                return True
            context = context.outer
        return False


class CondContext(Context):
    """One branch of a cond: `branch` is 1 where `pred` holds."""

    def __init__(self, pred: Tensor, pivot: Tensor, branch: int) -> None:
        super().__init__(pred.node.graph)
        self.name = self.graph.unique_name("cond_text")
        self.pred, self.pivot, self.branch = pred, pivot, branch
        self.values.update((pred.name, pivot.name))

    def control_pivot(self) -> Tensor:
        return self.pivot

    def add_value(self, value: Tensor) -> Tensor:
        if value.name in self.values:
            return self.external.get(value.name, value)
        source = self._from_outside(value)
        with self.graph.control_dependencies(None):
            result: Tensor = switch(source, self.pred)[self.branch]
            if self.outer is not None:
                self.outer.add_inner_op(result.node)
        result.node.flow = self
        self._know(result.name)
        self.external[value.name] = result
        return result

    def _from_outside(self, value: Tensor) -> Tensor:
        self.values.add(value.name)
        if self.outer is None:
            return value
        result: Tensor = self.outer.add_value(value)
        self.values.add(result.name)
        self.external[result.name] = result
        return result

    def _know(self, *names: str) -> None:
        context: Any = self
        while context is not None:
            context.values.update(names)
            context = context.outer

    def add_op(self, node: Node) -> None:
        self.take_in(node)

    def take_in(self, node: Node) -> None:
        node.flow = self
        if not node.inputs:
            self.drop_external_control(node)
            if not any(self.contains(c) for c in node.control_inputs):
                node.control_inputs.append(self.pivot.node)
        else:
            for i, x in enumerate(node.inputs):
                if not (node.op == "Merge" and x.node.op == "NextIteration"):
                    node.inputs[i] = self.add_value(x)
            self.drop_external_control(node)
        self._know(*(t.name for t in node.outputs))
        if self.outer is not None:
            self.outer.add_inner_op(node)

    def output(self, value: Tensor) -> Tensor:
        """A branch's result as a tensor of the branch: a value from outside goes through a Switch here."""
        if value.name in self.values:
            return self.external.get(value.name, value)
        result: Tensor = switch(self._from_outside(value), self.pred)[self.branch]
        self.external[value.name] = result
        return result


class LoopContext(Context):
    """A loop: its frame name, variables and pivots. `grad_state` is set on the gradient of another loop."""

    def __init__(
        self,
        graph: Graph,
        *,
        parallel_iterations: int = 10,
        back_prop: bool = True,
        swap_memory: bool = False,
        name: str = "while_context",
        grad_state: Any = None,
    ) -> None:
        super().__init__(graph)
        self.name = graph.unique_name(name)
        self.parallel_iterations, self.back_prop, self.swap_memory = parallel_iterations, back_prop, swap_memory
        self.pivot: Any = None  # the loop's condition
        self.pivot_for_pred: Any = None
        self.pivot_for_body: Any = None
        self.enters: list[Tensor] = []
        self.exits: list[Tensor] = []
        self.grad_state = grad_state

    def loop(self) -> LoopContext:
        return self

    def control_pivot(self) -> Tensor | None:
        pivot: Tensor | None = self.pivot_for_body if self.pivot_for_body is not None else self.pivot_for_pred
        return pivot

    def add_value(self, value: Tensor) -> Tensor:
        if value.name in self.values or value.node.flow is self:
            return self.external.get(value.name, value)
        self.values.add(value.name)
        # in the gradient of a loop, a value of the forward loop is its history
        current = self.graph.flow.loop() if self.graph.flow is not None else None
        if current is not None and current.grad_state is not None:
            forward = loop_of(value.node)
            if is_exit(value.node) and forward is not None:
                forward = forward.outer.loop() if forward.outer is not None else None
            if forward is not None and forward is current.grad_state.forward:
                real: Tensor = current.grad_state.real_value(value)
                self.external[value.name] = real
                return real
        result = self.outer.add_value(value) if self.outer is not None else value
        with self.graph.control_dependencies(None):
            enter = self.make_enter(result, is_constant=True)
            if self.outer is not None:
                self.outer.add_inner_op(enter.node)
        self.fix([enter])
        self.values.add(enter.name)
        self.external[value.name] = enter
        return enter

    def make_enter(self, data: Tensor, *, is_constant: bool = False, name: str = "Enter") -> Tensor:
        op_type = "RefEnter" if data.dtype.is_ref else "Enter"
        enter: Tensor = self.graph.op(
            op_type, data, name=name, frame_name=self.name, is_constant=is_constant, parallel_iterations=self.parallel_iterations
        )
        enter.dims = data.dims
        return enter

    def fix(self, enters: Iterable[Tensor]) -> None:
        """Put Enter nodes into this context; they keep those control dependencies that stay within the loop outside."""
        for enter in enters:
            node = enter.node
            for controller in self.graph._controllers:
                if node.inputs[0].node in controller.seen:
                    continue
                node.control_inputs.extend(c for c in controller.nodes if self._reaches(context_of(c)))
            node.flow = self
            for controller in self.graph._controllers:
                controller.seen.add(node)

    def _reaches(self, context: Any) -> bool:
        """Whether a context is one outside this loop but within the loop around it."""
        outer = self.outer
        limit = outer.loop() if outer is not None else None
        while outer is not context:
            if outer is None or outer is limit:
                return False
            outer = outer.outer
        return True

    def add_op(self, node: Node) -> None:
        if node.op in ("Shape", "Size", "Rank") and (current := self.graph.flow.loop()) is not None and current.grad_state is not None:
            # measured in the forward loop, so that the small result is kept for each iteration and not the tensor
            if loop_of(node.inputs[0].node) is current.grad_state.forward:
                node.inputs[0].node.flow.take_in(node)
                return
        self.take_in(node)

    def take_in(self, node: Node) -> None:
        node.flow = self
        if not node.inputs:
            kept, outside = self.drop_external_control(node)
            if not kept and (pivot := self.control_pivot()) is not None:
                node.control_inputs.append(pivot.node)
        else:
            for i, x in enumerate(node.inputs):
                node.inputs[i] = self.add_value(x)
            _, outside = self.drop_external_control(node)
            if (
                not node.control_inputs
                and all(is_constant_enter(t.node) for t in node.inputs)
                and (pivot := self.control_pivot()) is not None
            ):
                node.control_inputs.append(pivot.node)
        self.values.update(t.name for t in node.outputs)
        if outside:
            with self.graph.control_dependencies(None), self:
                node.control_inputs.extend(self.graph.op("Identity", c.outputs[0]).node for c in outside if c.outputs)
        if self.outer is not None:
            self.outer.add_inner_op(node)

    def close(self, merge: Tensor, value: Tensor) -> Tensor:
        """Make `value` the loop variable's next one."""
        following: Tensor = self.graph.op("RefNextIteration" if value.dtype.is_ref else "NextIteration", value)
        merge.node.inputs[1] = following
        return following

    def make_exit(self, value: Tensor, name: str | None = None) -> Tensor:
        result: Tensor = self.graph.op("RefExit" if value.dtype.is_ref else "Exit", value, name=name)
        result.dims = value.dims
        return result


def switch(data: Any, pred: Tensor, name: str = "Switch") -> tuple[Any, Any]:
    """(value where `pred` is false, value where it is true); a ref stays one; IndexedSlices go by their parts."""
    graph = pred.node.graph
    if isinstance(data, IndexedSlices):
        values = switch(data.values, pred, name)
        indices = switch(data.indices, pred)
        shapes = switch(data.dense_shape, pred) if data.dense_shape is not None else (None, None)
        return tuple(IndexedSlices(v, i, s) for v, i, s in zip(values, indices, shapes, strict=True))  # type: ignore[return-value]
    with graph.colocate_with(data.node):
        result = graph.op("RefSwitch" if data.dtype.is_ref else "Switch", data, pred, name=name)
    for t in result:
        t.dims = data.dims
    return result  # type: ignore[no-any-return]


def merge(inputs: Any, name: str | None = None) -> Any:
    """The input that is available, of tensors or of IndexedSlices."""
    if all(isinstance(i, Tensor) for i in inputs):
        graph = inputs[0].node.graph
        return graph.op("RefMerge" if all(i.dtype.is_ref for i in inputs) else "Merge", list(inputs), name=name or "Merge")[0]
    slices = [as_slices(i) for i in inputs]
    values = merge([s.values for s in slices], name)
    indices = merge([s.indices for s in slices], "indices")
    shapes = [s.dense_shape for s in slices]
    return IndexedSlices(values, indices, merge(shapes, "dense_shape") if all(s is not None for s in shapes) else None)


def as_slices(value: Any) -> IndexedSlices:
    """A tensor as slices of all its rows."""
    from graphtools.dtypes import int32

    if isinstance(value, IndexedSlices):
        return value
    graph = value.node.graph
    shape = graph.op("Shape", value, out_type=int32)
    one = [graph.constant([i], int32) for i in (0, 1, 1)]
    rows = graph.op("StridedSlice", shape, *one, shrink_axis_mask=1, name="strided_slice")
    indices = graph.op("Range", graph.constant(0, int32, "range/start"), rows, graph.constant(1, int32, "range/delta"), name="range")
    return IndexedSlices(value, indices, shape)
