"""Gradients of Switch, Merge and the nodes of loops. Their walk: gradients.loops."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import int32
from graphtools.flow import CondContext, LoopContext, context_of, is_loop_switch, merge, switch
from graphtools.gradients import IndexedSlices, gradient, not_differentiable
from graphtools.gradients.loops import accumulate_invariant
from graphtools.gradients.walk import Emit
from graphtools.graph import Node

not_differentiable("Assert", "LoopCond", "NoOp", "ControlTrigger")


def _state(g: Emit) -> Any:
    """The gradient of the loop that is being built."""
    loop = g.graph.flow
    return loop.grad_state if isinstance(loop, LoopContext) else None


@gradient("Switch", "RefSwitch")
def switch_gradient(g: Emit, node: Node, dy: Any) -> Any:
    """A cond's Switch merges its branches' gradients. A loop's is met twice: from the Exit, where it opens the gradient's
    loop variable, and from the body, where it closes it."""
    context = node.flow
    if is_loop_switch(node):
        state = _state(g)
        opened = state.switches.get(node)
        if opened is not None:
            if dy[1] is not None:
                g.graph.flow.close(opened, dy[1])
            return None, None
        if dy[0] is None:
            return None, None
        opened = state.switches[node] = merge([dy[0], dy[0]], "b_switch")
        opened.dims = dy[0].dims
        return opened, None
    if isinstance(context, CondContext):
        if dy[1 - context.branch] is None:
            return None, None
        return merge(list(dy), "cond_grad"), None
    pred = node.inputs[1]
    return merge([switch(dy[0], pred)[0], switch(dy[1], pred)[1]]), None


@gradient("Merge", "RefMerge")
def merge_gradient(g: Emit, node: Node, dy: Any) -> Any:
    grad = dy[0]
    context = context_of(node.inputs[0].node)
    if isinstance(context, LoopContext):
        return switch(grad, g.graph.flow.pivot)
    if isinstance(context, CondContext):
        pred = context.pred
        state = _state(g)
        if state is not None:
            real = state.history.get(pred.name)
            if real is None:
                state.context.exit()
                stack = state.accumulate(pred)
                state.context.enter()
                real = state.history[pred.name] = state.pop(stack, pred)
            pred = real
        return switch(grad, pred, "cond_grad")
    taken = [g.op("Equal", node.outputs[1], g.const(i, int32)) for i in range(len(node.inputs))]
    return [switch(grad, t)[1] for t in taken]


@gradient("Exit", "RefExit")
def exit_gradient(g: Emit, node: Node, dy: Any) -> Any:
    context = g.graph.flow
    if not context.back_prop:
        return None
    if node.flow.grad_state is not None:
        raise TypeError("Second-order gradient for while loops not supported.")
    parts = (
        [dy] if not isinstance(dy, IndexedSlices) else [dy.values, dy.indices, *([dy.dense_shape] if dy.dense_shape is not None else [])]
    )
    context.values.update(p.name for p in parts)
    with context:
        entered = [context.make_enter(p, name="b_exit") for p in parts]
    context.enters.extend(entered)
    return IndexedSlices(*entered) if isinstance(dy, IndexedSlices) else entered[0]


@gradient("NextIteration", "RefNextIteration")
def next_iteration_gradient(g: Emit, node: Node, dy: Any) -> Any:
    return dy


@gradient("Enter", "RefEnter")
def enter_gradient(g: Emit, node: Node, dy: Any) -> Any:
    context = g.graph.flow
    if not isinstance(context, LoopContext) or not context.back_prop or context.grad_state is None:
        return dy
    if node.attr["is_constant"]:
        return accumulate_invariant(context.grad_state, node, dy)
    result = (
        context.make_exit(dy)
        if not isinstance(dy, IndexedSlices)
        else IndexedSlices(*(context.make_exit(p) for p in (dy.values, dy.indices, dy.dense_shape) if p is not None))
    )
    outs = [result] if not isinstance(result, IndexedSlices) else [result.values, result.indices, result.dense_shape]
    context.exits.extend(o for o in outs if o is not None)
    context.exit_result(o for o in outs if o is not None)
    return result
