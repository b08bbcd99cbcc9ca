"""tf.cond, tf.case and tf.while_loop, built as TensorFlow 1's frames: Switch, Merge, Enter, Exit, NextIteration."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from graphtools import graph as base
from graphtools.gradients import IndexedSlices
from runtime.tf1 import array_ops, nest
from runtime.tf1.control_flow_ops import no_op, with_dependencies
from runtime.tf1.graph import GraphKeys, apply_op, constant, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape, as_dims


def context_of(node: Any) -> Any:
    """The context an op belongs to: that of a loop's Exit is the one outside."""
    context = getattr(node, "_flow", None)
    if context is not None and node.op in ("Exit", "RefExit"):
        return context.outer
    return context


def while_context_of(node: Any) -> Any:
    context = getattr(node, "_flow", None)
    return context.while_context() if context is not None else None


class Context:
    """What is being built inside: a branch of a cond or the body of a loop."""

    def __init__(self) -> None:
        graph = get_default_graph()
        self.graph = graph
        self.outer = graph._flow
        self.values: set[str] = set()
        self.external: dict[str, Any] = {}
        self._entered: list[Any] = []

    def Enter(self) -> None:
        graph = get_default_graph()
        self._entered.append(graph._flow)
        graph._flow = self

    def Exit(self) -> None:
        get_default_graph()._flow = self._entered.pop()

    def while_context(self) -> Any:
        return self.outer.while_context() if self.outer is not None else None

    def pivot_of_control(self) -> Any:
        return None

    def add_name(self, name: str) -> None:
        self.values.add(name)

    def add_inner_op(self, node: Any) -> None:
        """An op was added in a context inside this one."""
        if self.outer is not None:
            self.outer.add_inner_op(node)

    def add_control(self, node: Any) -> None:
        """A control dependency on an op that may be outside: nothing to do until an op needs it."""

    def add_value(self, value: Any) -> Any:
        raise NotImplementedError

    def add_op(self, node: Any) -> None:
        raise NotImplementedError

    def exit_result(self, result: Any) -> None:
        """Make results known to the context outside."""
        if self.outer is not None:
            for tensor in nest.flatten(result, expand_composites=True):
                if isinstance(tensor, base.Tensor):
                    self.outer.add_name(tensor.name)

    def drop_external_control(self, node: Any) -> tuple[list[Any], list[Any]]:
        """Remove control inputs from outside the enclosing loop: those kept, those removed."""
        loop = self.while_context()
        if loop is None:
            return list(node.control_inputs), []
        internal, outside = [], []
        for c in node.control_inputs:
            context = context_of(c)
            (internal if context is not None and context.while_context() is loop else outside).append(c)
        node.control_inputs[:] = internal
        return internal, outside

    # names that code of the time uses
    AddValue = property(lambda self: self.add_value)
    AddOp = property(lambda self: self.add_op)
    outer_context = property(lambda self: self.outer)
    GetWhileContext = property(lambda self: self.while_context)

    def _mark(self, node: Any) -> None:
        node.graph.prevent_fetching(node)


def switch_ref_or_tensor(data: Any, pred: Any, name: str = "Switch") -> Any:
    """(value if false, value if true) of a tensor, kept a ref if it is one; of IndexedSlices by their parts."""
    graph = get_default_graph()
    if isinstance(data, IndexedSlices):
        values = switch_ref_or_tensor(data.values, pred, name)
        indices = switch_ref_or_tensor(data.indices, pred, "Switch")
        shapes = switch_ref_or_tensor(data.dense_shape, pred, "Switch") if data.dense_shape is not None else (None, None)
        return tuple(IndexedSlices(v, i, s) for v, i, s in zip(values, indices, shapes, strict=True))
    with graph.colocate_with(data.node, ignore_existing=True):
        op_type = "RefSwitch" if data.dtype.is_ref else "Switch"
        return apply_op(op_type, name, data=data, pred=pred)


def merge(inputs: Any, name: str | None = None) -> Any:
    """(the input that is available, its index)."""
    if all(isinstance(i, base.Tensor) for i in inputs):
        op_type = "RefMerge" if all(i.dtype.is_ref for i in inputs) else "Merge"
        return apply_op(op_type, name, inputs=list(inputs))
    inputs = [_as_slices(i) for i in inputs]
    values, index = merge([i.values for i in inputs], name=name)
    indices, _ = merge([i.indices for i in inputs], name="indices")
    shapes = [i.dense_shape for i in inputs]
    shape = merge(shapes, name="dense_shape")[0] if all(s is not None for s in shapes) else None
    return IndexedSlices(values, indices, shape), index


def _as_slices(value: Any) -> IndexedSlices:
    if isinstance(value, IndexedSlices):
        return value
    from runtime.tf1.math_ops import range as range_

    shape = array_ops.shape_internal(value, optimize=False)
    return IndexedSlices(value, range_(0, array_ops._slice_helper(shape, 0)), shape)


def _to_flow(x: Any) -> Any:
    """A TensorArray travels as its flow."""
    return x.flow if hasattr(x, "flow") and hasattr(x, "handle") else x


def _from_flow(like: Any, flow: Any) -> Any:
    return like._with_flow(flow) if hasattr(like, "flow") and hasattr(like, "handle") else flow


class CondContext(Context):
    """One branch of a cond."""

    def __init__(self, pred: Any, pivot: Any, branch: int) -> None:
        super().__init__()
        self.name = get_default_graph().unique_name("cond/cond_text") if not get_default_graph().scope else get_default_graph().unique_name("cond_text")
        self.pred, self.pivot, self.branch = pred, pivot, branch
        self.values.update((pred.name, pivot.name))
        self.grad_state: Any = None

    def pivot_of_control(self) -> Any:
        return self.pivot

    def add_value(self, value: Any) -> Any:
        if value.name in self.values:
            return self.external.get(value.name, value)
        result = value
        self.values.add(value.name)
        if self.outer is not None:
            result = self.outer.add_value(value)
            self.values.add(result.name)
            self.external[result.name] = result
        graph = get_default_graph()
        with graph.control_dependencies(None):
            result = switch_ref_or_tensor(result, self.pred)[self.branch]
            if self.outer is not None:
                self.outer.add_inner_op(result.node)
        result.node._flow = self
        self._mark(result.node)
        context: Any = self
        while context is not None:
            context.values.add(result.name)
            context = context.outer
        self.external[value.name] = result
        return result

    def add_op(self, node: Any) -> None:
        node._flow = self
        if not node.inputs:
            self.drop_external_control(node)
            if not any(_is_in(c, self) for c in node.control_inputs):
                node.control_inputs.append(self.pivot.node)
        else:
            for i, x in enumerate(node.inputs):
                real = x if node.op == "Merge" and x.node.op == "NextIteration" else self.add_value(x)
                if real is not x:
                    node.inputs[i] = real
            self.drop_external_control(node)
        context: Any = self
        names = [t.name for t in node.outputs]
        while context is not None:
            context.values.update(names)
            context = context.outer
        if self.outer is not None or node.op not in ("Exit", "RefExit"):
            self._mark(node)
        if self.outer is not None:
            self.outer.add_inner_op(node)

    def output(self, value: Any) -> Any:
        """A branch's result as a tensor of this branch."""
        if value.name in self.values:
            return self.external.get(value.name, value)
        self.values.add(value.name)
        real = value
        if self.outer is not None:
            real = self.outer.add_value(value)
            self.values.add(real.name)
            self.external[real.name] = real
        real = switch_ref_or_tensor(real, self.pred)[self.branch]
        self.external[value.name] = real
        return real

    def build(self, function: Callable[[], Any]) -> tuple[Any, Any]:
        """Run a branch's function: what it returned, and that as tensors of this branch."""
        result = function()
        if result is None:
            return no_op(), None
        converted = nest.map_structure(self._convert, result, expand_composites=True)
        return result, converted if isinstance(converted, list | tuple) else [converted]

    def _convert(self, v: Any) -> Any:
        if isinstance(v, base.Node):
            return with_dependencies([v], self.pivot)
        return self.output(convert_to_tensor(_to_flow(v)))

    def to_control_flow_context_def(self, *args: Any) -> None:
        """Contexts are not exported: the graph's Switch and Merge ops say the same."""


def _is_in(node: Any, context: Any) -> bool:
    c = getattr(node, "_flow", None)
    while c is not None:
        if c is context:
            return True
        c = c.outer
    return False


@export("cond")
def cond(pred: Any, true_fn: Any = None, false_fn: Any = None, strict: bool = False, name: str | None = None, fn1: Any = None, fn2: Any = None) -> Any:
    """`true_fn()` or `false_fn()`, as the scalar `pred` says when the graph runs."""
    true_fn = fn1 if true_fn is None else true_fn
    false_fn = fn2 if false_fn is None else false_fn
    if not callable(true_fn):
        raise TypeError("true_fn must be callable.")
    if not callable(false_fn):
        raise TypeError("false_fn must be callable.")
    with name_scope(name, "cond", [pred]):
        if isinstance(pred, bool):
            raise TypeError("pred must not be a Python bool")
        graph = get_default_graph()
        p_false, p_true = apply_op("Switch", None, data=pred, pred=pred)
        pivot_true = array_ops.identity(p_true, name="switch_t")
        pivot_false = array_ops.identity(p_false, name="switch_f")
        pred = array_ops.identity(pred, name="pred_id")
        branches = []
        for pivot, branch, function, label in ((pivot_true, 1, true_fn, "true_fn"), (pivot_false, 0, false_fn, "false_fn")):
            context = CondContext(pred, pivot, branch)
            context.Enter()
            try:
                original, result = context.build(function)
                if original is None:
                    raise ValueError(f"{label} must have a return value.")
                context.exit_result(result)
            finally:
                context.Exit()
            branches.append((context, original, result))
        (context_t, original_t, result_t), (context_f, original_f, result_f) = branches
        if (result_t is None) != (result_f is None):
            raise ValueError("true_fn and false_fn must both return a value or both return None")
        if result_t is None:
            merged: Any = [merge([pivot_false, pivot_true])[0]]
            return merged[0].node if strict else merged[0]
        try:
            nest.assert_same_structure(original_t, original_f)
        except (TypeError, ValueError) as e:
            raise type(e)(f"Incompatible return values of true_fn and false_fn: {e}") from None
        flat_t, flat_f = nest.flatten(result_t, True), nest.flatten(result_f, True)
        for x, y in zip(flat_f, flat_t, strict=True):
            if x.dtype.base_dtype is not y.dtype.base_dtype:
                raise ValueError(f"Outputs of true_fn and false_fn must have the same type: {y.dtype.base_dtype.name}, {x.dtype.base_dtype.name}")
        merges = [merge([f, t])[0] for f, t in zip(flat_f, flat_t, strict=True)]
        originals = nest.flatten(original_t, True)
        merges = [_from_flow(o, m) for o, m in zip(originals, merges, strict=True)]
        graph.add_to_collection(GraphKeys.COND_CONTEXT, context_t)
        graph.add_to_collection(GraphKeys.COND_CONTEXT, context_f)
        packed = nest.pack_sequence_as(original_t, merges, expand_composites=True)
        if isinstance(packed, list | tuple) and not strict and len(packed) == 1:
            return packed[0]
        return packed


@export("case")
def case(pred_fn_pairs: Any, default: Any = None, exclusive: bool = False, strict: bool = False, name: str = "case") -> Any:
    """The function of the first predicate that holds, else `default`."""
    pairs = sorted(pred_fn_pairs.items(), key=lambda p: p[0].name) if isinstance(pred_fn_pairs, dict) else list(pred_fn_pairs)
    if not pairs:
        raise ValueError("pred_fn_pairs must be a non-empty list of tuples or a dictionary.")
    for pair in pairs:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError("Each entry in pred_fn_pairs must be a 2-tuple")
        if not callable(pair[1]):
            raise TypeError(f"fn for pred {pair[0]} must be callable.")
    with name_scope(name, "case", [p for p, _ in pairs]):
        guards: list[Any] = []
        if exclusive:
            guards.append(_at_most_one([p for p, _ in pairs]))
        if default is None:
            *pairs, (last_pred, default) = pairs
            if not pairs or not exclusive:
                guards.append(_at_least_one([*(p for p, _ in pairs), last_pred]))
        graph = get_default_graph()
        with graph.control_dependencies(guards):
            function = default
            for pred, fn in reversed(pairs):
                function = functools.partial(cond, pred, true_fn=fn, false_fn=function, strict=strict)
            return function()


def _at_most_one(preds: list[Any]) -> Any:
    from runtime.tf1.math_ops import cast, less, reduce_sum
    from runtime.tf1.modules import lookup

    stacked = array_ops.stack(preds, name="preds_c")
    count = reduce_sum(cast(stacked, "int32"), name="num_true_conds")
    return lookup("Assert")(less(count, constant(2, name="two_true_conds")), ["Input error: exclusive=True: more than 1 conditions evaluated as True", stacked], summarize=len(preds))


def _at_least_one(preds: list[Any]) -> Any:
    from runtime.tf1.math_ops import reduce_any
    from runtime.tf1.modules import lookup

    stacked = array_ops.stack(preds, name="preds_c")
    return lookup("Assert")(reduce_any(stacked), ["None of conditions evaluated as True", stacked], summarize=len(preds))


@export("switch_case")
def switch_case(branch_index: Any, branch_fns: Any, default: Any = None, name: str = "switch_case") -> Any:
    from runtime.tf1.math_ops import equal

    indexed = sorted(branch_fns.items()) if isinstance(branch_fns, dict) else [f if isinstance(f, tuple) else (i, f) for i, f in enumerate(branch_fns)]
    with name_scope(name, "switch_case", [branch_index]):
        pairs = [(equal(branch_index, i), f) for i, f in indexed]
        return case(pairs, default or indexed[-1][1])


class WhileContext(Context):
    """The body and condition of a loop."""

    def __init__(self, maximum_iterations: Any = None, parallel_iterations: int = 10, back_prop: bool = True, swap_memory: bool = False, name: str = "while_context", grad_state: Any = None) -> None:
        super().__init__()
        graph = get_default_graph()
        self.name = graph.unique_name(name)
        self.maximum_iterations = maximum_iterations
        self.parallel_iterations, self.back_prop, self.swap_memory = parallel_iterations, back_prop, swap_memory
        self.pivot: Any = None
        self.pivot_for_pred: Any = None
        self.pivot_for_body: Any = None
        self.loop_enters: list[Any] = []
        self.loop_exits: list[Any] = []
        self.grad_state = grad_state

    def while_context(self) -> Any:
        return self

    def pivot_of_control(self) -> Any:
        return self.pivot_for_body if self.pivot_for_body is not None else self.pivot_for_pred

    def add_value(self, value: Any) -> Any:
        if value.name in self.values or getattr(value.node, "_flow", None) is self:
            return self.external.get(value.name, value)
        self.values.add(value.name)
        # in the gradient of a loop, a value of the forward loop is its history
        current = get_default_graph()._flow
        loop = current.while_context() if current is not None else None
        if loop is not None and loop.grad_state is not None:
            forward = while_context_of(value.node)
            if value.node.op in ("Exit", "RefExit") and forward is not None:
                forward = forward.outer.while_context() if forward.outer is not None else None
            if forward is not None and forward is loop.grad_state.forward_context:
                real = loop.grad_state.real_value(value)
                self.external[value.name] = real
                return real
        result = self.outer.add_value(value) if self.outer is not None else value
        graph = get_default_graph()
        with graph.control_dependencies(None):
            enter = _enter(result, self.name, True, self.parallel_iterations)
            if self.outer is not None:
                self.outer.add_inner_op(enter.node)
        self._fix([enter])
        self.values.add(enter.name)
        self.external[value.name] = enter
        return enter

    def add_op(self, node: Any) -> None:
        node._flow = self
        if not node.inputs:
            kept, outside = self.drop_external_control(node)
            if not kept:
                node.control_inputs.append(self.pivot_of_control().node)
        else:
            for i, x in enumerate(node.inputs):
                real = self.add_value(x)
                if real is not x:
                    node.inputs[i] = real
            _, outside = self.drop_external_control(node)
            if not node.control_inputs and all(_is_constant_enter(t.node) for t in node.inputs):
                node.control_inputs.append(self.pivot_of_control().node)
        self.values.update(t.name for t in node.outputs)
        if outside:
            graph = get_default_graph()
            with graph.control_dependencies(None):
                self.Enter()
                try:
                    node.control_inputs.extend(array_ops.identity(c.outputs[0]).node for c in outside if c.outputs)
                finally:
                    self.Exit()
        if self.outer is not None or node.op not in ("Exit", "RefExit"):
            self._mark(node)
        if self.outer is not None:
            self.outer.add_inner_op(node)

    def _fix(self, enters: list[Any]) -> None:
        """Put Enter ops into this context; they keep control dependencies that stay within the loop outside."""
        graph = get_default_graph()
        for enter in enters:
            node = enter.node
            keep = []
            for controller in graph._controllers:
                for c in controller.nodes:
                    if node.inputs[0].node in controller.seen:
                        continue
                    context, outer = context_of(c), self.outer
                    outer_loop = outer.while_context() if outer is not None else None
                    fits = True
                    while outer is not context:
                        if outer is None or outer is outer_loop:
                            fits = False
                            break
                        outer = outer.outer
                    if fits:
                        keep.append(c)
            node._flow = self
            node.control_inputs.extend(keep)
            for controller in graph._controllers:
                controller.seen.add(node)

    def build(self, pred: Any, body: Any, loop_vars: Any, shape_invariants: Any, return_same_structure: bool) -> Any:
        flat = nest.flatten(loop_vars, expand_composites=True)
        tensors = [convert_to_tensor(_to_flow(v)) for v in flat]
        self.Enter()
        try:
            original, exits = self._build(pred, body, loop_vars, flat, tensors, shape_invariants)
        finally:
            self.Exit()
        results = [_from_flow(o, e) for o, e in zip(nest.flatten(original, True), exits, strict=True)]
        packed = nest.pack_sequence_as(original, results, expand_composites=True)
        if return_same_structure:
            return packed
        return packed[0] if len(exits) == 1 else packed

    def _build(self, pred: Any, body: Any, loop_vars: Any, flat: list[Any], tensors: list[Any], shape_invariants: Any) -> tuple[Any, list[Any]]:
        graph = get_default_graph()
        self.values = {t.name for t in tensors}
        real = [self.outer.add_value(t) for t in tensors] if self.outer is not None else tensors
        with graph.control_dependencies(None):
            enters = [_enter(t, self.name, False, self.parallel_iterations) for t in real]
            if self.outer is not None:
                for e in enters:
                    self.outer.add_inner_op(e.node)
        outer, pivot = self.outer, None
        while outer is not None and pivot is None:
            pivot = outer.pivot_of_control()
            outer = outer.outer
        if pivot is not None:
            for e in enters:
                if _is_constant_enter(e.node.inputs[0].node):
                    e.node.control_inputs.append(pivot.node)
        if shape_invariants is not None:
            for e, t, invariant in zip(enters, real, nest.flatten(shape_invariants), strict=True):
                dims = as_dims(invariant)
                if not _covers(dims, t.dims):
                    raise ValueError(f"The shape invariant specified for {t.name} is not compatible with the initial shape of the loop variable. It enters the loop with shape {t.shape}, but the specified shape invariant is {TensorShape(dims)}.")
                e.dims = dims
        self._fix(enters)
        self.values = {e.name for e in enters}
        self.loop_enters = enters
        merges = [merge([e, e])[0] for e in enters]
        for m, e in zip(merges, enters, strict=True):
            m.dims = e.dims
        self.pivot_for_pred = merges[0]
        condition = convert_to_tensor(pred(*self._packed(loop_vars, flat, merges)))
        self.pivot = apply_op("LoopCond", "LoopCond", input=condition)
        switches = [switch_ref_or_tensor(m, self.pivot) for m in merges]
        for s, m in zip(switches, merges, strict=True):
            for t in s:
                t.dims = m.dims
        inside = [apply_op("Identity", None, input=s[1]) if not s[1].dtype.is_ref else apply_op("RefIdentity", None, input=s[1]) for s in switches]
        self.pivot_for_body = inside[0]
        result = body(*self._packed(loop_vars, flat, inside))
        if not nest.is_sequence(result):
            result = [result]
        nest.assert_same_structure(list(self._packed(loop_vars, flat, inside)), list(result), check_types=False)
        outs = [convert_to_tensor(_to_flow(v)) for v in nest.flatten(result, True)]
        if len(outs) != len(merges):
            raise ValueError(f"Number of inputs and outputs of body must match loop_vars: {len(merges)}, {len(outs)}")
        for m, v in zip(merges, outs, strict=True):
            if m.dtype.base_dtype is not v.dtype.base_dtype:
                raise TypeError(f"Input tensor '{m.node.inputs[0].node.inputs[0].name}' enters the loop with type {m.dtype.base_dtype.name} but has type {v.dtype.base_dtype.name} after 1 iteration.")
            following = apply_op("NextIteration" if not v.dtype.is_ref else "RefNextIteration", None, data=v)
            if not _covers(m.dims, following.dims):
                source = m.node.inputs[0].node.inputs[0]
                raise ValueError(
                    f"Input tensor '{source.name}' enters the loop with shape {source.shape}, but has shape {following.shape} after one iteration. To allow the shape to vary across iterations, "
                    "use the `shape_invariants` argument of tf.while_loop to specify a less-specific shape."
                )
            m.node.inputs[1] = following
        exits = [apply_op("Exit" if not s[0].dtype.is_ref else "RefExit", None, data=s[0]) for s in switches]
        for e, m in zip(exits, merges, strict=True):
            e.dims = m.dims
        self.loop_exits = exits
        self.exit_result(exits)
        return result, exits

    def _packed(self, loop_vars: Any, flat: list[Any], tensors: list[Any]) -> Any:
        return nest.pack_sequence_as(loop_vars, [_from_flow(f, t) for f, t in zip(flat, tensors, strict=True)], expand_composites=True)


def _covers(wide: Any, narrow: Any) -> bool:
    """Whether every shape `narrow` stands for is one of `wide`."""
    if wide is None:
        return True
    if narrow is None or len(wide) != len(narrow):
        return False
    return all(w is None or w == n for w, n in zip(wide, narrow, strict=True))


def _enter(data: Any, frame: str, is_constant: bool, parallel_iterations: int) -> Any:
    op_type = "RefEnter" if data.dtype.is_ref else "Enter"
    result = apply_op(op_type, "Enter", data=data, frame_name=frame, is_constant=is_constant, parallel_iterations=parallel_iterations)
    result.dims = data.dims
    return result


def _is_constant_enter(node: Any) -> bool:
    return node.op in ("Enter", "RefEnter") and bool(node.attr.get("is_constant"))


@export("while_loop")
def while_loop(
    cond: Any, body: Any, loop_vars: Any, shape_invariants: Any = None, parallel_iterations: int = 10, back_prop: bool = True, swap_memory: bool = False,
    name: str | None = None, maximum_iterations: Any = None, return_same_structure: bool = False,
) -> Any:  # fmt: skip
    """Repeat `body` while `cond` holds."""
    with name_scope(name, "while", loop_vars if isinstance(loop_vars, list | tuple) else [loop_vars]):
        if loop_vars is None or (isinstance(loop_vars, list | tuple) and not loop_vars):
            raise ValueError("No loop variables provided")
        if not callable(cond):
            raise TypeError("cond must be callable.")
        if not callable(body):
            raise TypeError("body must be callable.")
        if parallel_iterations < 1:
            raise TypeError("parallel_iterations must be a positive integer.")
        if not isinstance(loop_vars, list | tuple):
            loop_vars = [loop_vars]
        pack_one = len(loop_vars) == 1 and not return_same_structure
        if maximum_iterations is not None:
            maximum_iterations = convert_to_tensor(maximum_iterations, name="maximum_iterations")
            counter = constant(0, maximum_iterations.dtype, name="iteration_counter")
            inner_cond, inner_body = cond, body

            def limited(i: Any, held: Any) -> Any:
                return apply_op("LogicalAnd", None, x=i < maximum_iterations, y=inner_cond(held) if pack_one else inner_cond(*held))

            def counted(i: Any, held: Any) -> Any:
                return i + 1, inner_body(held) if pack_one else inner_body(*held)

            cond, body = limited, counted
            loop_vars = (counter, loop_vars[0]) if pack_one else (counter, loop_vars)
            if shape_invariants is not None:
                shape_invariants = (TensorShape([]), shape_invariants[0]) if pack_one else (TensorShape([]), shape_invariants)
        context = WhileContext(maximum_iterations, parallel_iterations, back_prop, swap_memory)
        if context.outer is None:
            get_default_graph().add_to_collection(GraphKeys.WHILE_CONTEXT, context)
        result = context.build(cond, body, loop_vars, shape_invariants, return_same_structure)
        return result[1] if maximum_iterations is not None else result
