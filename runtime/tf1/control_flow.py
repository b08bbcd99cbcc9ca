"""tf.cond, tf.case and tf.while_loop, built as TensorFlow 1's frames: Switch, Merge, Enter, Exit, NextIteration."""

from __future__ import annotations

import functools
from typing import Any

from graphtools import graph as base
from graphtools.flow import CondContext, LoopContext, is_constant_enter, merge, switch
from runtime.tf1 import array_ops, nest
from runtime.tf1.control_flow_ops import no_op, with_dependencies
from runtime.tf1.graph import GraphKeys, apply_op, constant, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape, as_dims


def _to_flow(x: Any) -> Any:
    """A TensorArray travels as its flow."""
    return x.flow if hasattr(x, "flow") and hasattr(x, "handle") else x


def _from_flow(like: Any, flow: Any) -> Any:
    return like._with_flow(flow) if hasattr(like, "flow") and hasattr(like, "handle") else flow


def _branch(context: CondContext, function: Any) -> tuple[Any, Any]:
    """Run a branch's function: what it returned, and that as tensors of the branch (None where it returns an op or nothing)."""
    result = function()
    if result is None:
        return no_op(), None

    def convert(v: Any) -> Any:
        if isinstance(v, base.Node):
            return with_dependencies([v], context.pivot)
        return context.output(convert_to_tensor(_to_flow(v)))

    converted = nest.map_structure(convert, result, expand_composites=True)
    return result, converted if isinstance(converted, list | tuple) else [converted]


@export("cond")
def cond(
    pred: Any, true_fn: Any = None, false_fn: Any = None, strict: bool = False, name: str | None = None, fn1: Any = None, fn2: Any = None
) -> Any:
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
            with CondContext(pred, pivot, branch) as context:
                original, result = _branch(context, function)
                if original is None:
                    raise ValueError(f"{label} must have a return value.")
                context.exit_result(t for t in nest.flatten(result, True) if isinstance(t, base.Tensor))
            branches.append((context, original, result))
        (context_t, original_t, result_t), (context_f, original_f, result_f) = branches
        if (result_t is None) != (result_f is None):
            raise ValueError("true_fn and false_fn must both return a value or both return None")
        if result_t is None:
            merged: Any = [merge([pivot_false, pivot_true])]
            return merged[0].node if strict else merged[0]
        try:
            nest.assert_same_structure(original_t, original_f)
        except (TypeError, ValueError) as e:
            raise type(e)(f"Incompatible return values of true_fn and false_fn: {e}") from None
        flat_t, flat_f = nest.flatten(result_t, True), nest.flatten(result_f, True)
        for x, y in zip(flat_f, flat_t, strict=True):
            if x.dtype.base_dtype is not y.dtype.base_dtype:
                raise ValueError(
                    f"Outputs of true_fn and false_fn must have the same type: {y.dtype.base_dtype.name}, {x.dtype.base_dtype.name}"
                )
        merges = [merge([f, t]) for f, t in zip(flat_f, flat_t, strict=True)]
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
        graph = get_default_graph()
        if default is None:
            default, pairs = _last_as_default(pairs), pairs[:-1]
        function = default
        for pred, fn in reversed(pairs):
            function = functools.partial(cond, pred, true_fn=fn, false_fn=function, strict=strict)
        if not exclusive:
            return function()
        with graph.control_dependencies([_at_most(1, [p for p, _ in pairs], "Input error: exclusive=True")]):
            return function()


def _last_as_default(pairs: list[Any]) -> Any:
    """The last function, after asserting that its predicate alone holds."""
    from runtime.tf1.modules import lookup

    last, function = pairs[-1]

    def default() -> Any:
        shown = ("Input error: None of conditions evaluated as True:", array_ops.stack([p for p, _ in pairs], name="preds_c"))
        reason = f"Implementation error: selected default action #{len(pairs) - 1} was called, but some of other predicates are True: "
        with get_default_graph().control_dependencies(
            [_at_most(0, [p for p, _ in pairs[:-1]], reason), lookup("Assert")(last, list(shown))]
        ):
            return function()

    return default


def _at_most(n: int, preds: list[Any], reason: str) -> Any:
    """An assertion that at most n of the predicates hold."""
    from runtime.tf1.math_ops import cast, less_equal, reduce_sum
    from runtime.tf1.modules import lookup

    stacked = array_ops.stack(preds, name="preds_c") if preds else constant([], "bool", name="preds_c")
    count = reduce_sum(cast(stacked, "int32"), name="num_true_conds")
    names = ", ".join(getattr(p, "name", "?") for p in preds)
    message = [f"{reason}: more than {n} conditions ({names}) evaluated as True:", stacked]
    return lookup("Assert")(less_equal(count, constant(n, name="n_true_conds")), message, summarize=max(len(preds), 1))


@export("switch_case")
def switch_case(branch_index: Any, branch_fns: Any, default: Any = None, name: str = "switch_case") -> Any:
    from runtime.tf1.math_ops import equal

    indexed = (
        sorted(branch_fns.items())
        if isinstance(branch_fns, dict)
        else [f if isinstance(f, tuple) else (i, f) for i, f in enumerate(branch_fns)]
    )
    with name_scope(name, "switch_case", [branch_index]):
        pairs = [(equal(branch_index, i), f) for i, f in indexed]
        return case(pairs, default or indexed[-1][1])


def _build_loop(context: LoopContext, pred: Any, body: Any, loop_vars: Any, shape_invariants: Any, return_same_structure: bool) -> Any:
    """The loop's nodes, and what comes out of it in the structure of the loop variables."""
    flat = nest.flatten(loop_vars, expand_composites=True)
    tensors = [convert_to_tensor(_to_flow(v)) for v in flat]
    with context:
        original, exits = _frame(context, pred, body, loop_vars, flat, tensors, shape_invariants)
    results = [_from_flow(o, e) for o, e in zip(nest.flatten(original, True), exits, strict=True)]
    packed = nest.pack_sequence_as(original, results, expand_composites=True)
    if return_same_structure:
        return packed
    return packed[0] if len(exits) == 1 else packed


def _frame(
    context: LoopContext, pred: Any, body: Any, loop_vars: Any, flat: list[Any], tensors: list[Any], shape_invariants: Any
) -> tuple[Any, list[Any]]:
    graph = context.graph

    def packed(values: list[Any]) -> Any:
        return nest.pack_sequence_as(loop_vars, [_from_flow(f, t) for f, t in zip(flat, values, strict=True)], expand_composites=True)

    context.values = {t.name for t in tensors}
    real = [context.outer.add_value(t) for t in tensors] if context.outer is not None else tensors
    with graph.control_dependencies(None):
        enters = [context.make_enter(t) for t in real]
        if context.outer is not None:
            for e in enters:
                context.outer.add_inner_op(e.node)
    outer, pivot = context.outer, None
    while outer is not None and pivot is None:
        pivot = outer.control_pivot()
        outer = outer.outer
    if pivot is not None:
        for e in enters:
            if is_constant_enter(e.node.inputs[0].node):
                e.node.control_inputs.append(pivot.node)
    if shape_invariants is not None:
        for e, t, invariant in zip(enters, real, nest.flatten(shape_invariants), strict=True):
            dims = as_dims(invariant)
            if not _covers(dims, t.dims):
                raise ValueError(
                    f"The shape invariant specified for {t.name} is not compatible with the initial shape of the loop variable. It enters the loop with shape {t.shape}, but the specified shape invariant is {TensorShape(dims)}."
                )
            e.dims = dims
    context.fix(enters)
    context.values = {e.name for e in enters}
    context.enters = enters
    merges = [merge([e, e]) for e in enters]
    for m, e in zip(merges, enters, strict=True):
        m.dims = e.dims
    context.pivot_for_pred = merges[0]
    condition = convert_to_tensor(pred(*packed(merges)))
    context.pivot = apply_op("LoopCond", "LoopCond", input=condition)
    switches = [switch(m, context.pivot) for m in merges]
    inside = [apply_op("RefIdentity" if s[1].dtype.is_ref else "Identity", None, input=s[1]) for s in switches]
    context.pivot_for_body = inside[0]
    arguments = packed(inside)
    result = body(*arguments)
    if not nest.is_sequence(result):
        result = [result]
    nest.assert_same_structure(list(arguments), list(result), check_types=False)
    outs = [convert_to_tensor(_to_flow(v)) for v in nest.flatten(result, True)]
    if len(outs) != len(merges):
        raise ValueError(f"Number of inputs and outputs of body must match loop_vars: {len(merges)}, {len(outs)}")
    for m, v in zip(merges, outs, strict=True):
        source = m.node.inputs[0].node.inputs[0]
        if m.dtype.base_dtype is not v.dtype.base_dtype:
            raise TypeError(
                f"Input tensor '{source.name}' enters the loop with type {m.dtype.base_dtype.name} but has type {v.dtype.base_dtype.name} after 1 iteration."
            )
        following: Any = context.close(m, v)
        if not _covers(m.dims, following.dims):
            raise ValueError(
                f"Input tensor '{source.name}' enters the loop with shape {source.shape}, but has shape {following.shape} after one iteration. To allow the shape to vary across iterations, "
                "use the `shape_invariants` argument of tf.while_loop to specify a less-specific shape."
            )
    exits = [context.make_exit(s[0]) for s in switches]
    context.exits = exits
    context.exit_result(exits)
    return result, exits


def _covers(wide: Any, narrow: Any) -> bool:
    """Whether every shape `narrow` stands for is one of `wide`."""
    if wide is None:
        return True
    if narrow is None or len(wide) != len(narrow):
        return False
    return all(w is None or w == n for w, n in zip(wide, narrow, strict=True))


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
        context = LoopContext(get_default_graph(), parallel_iterations=parallel_iterations, back_prop=back_prop, swap_memory=swap_memory)
        if context.outer is None:
            get_default_graph().add_to_collection(GraphKeys.WHILE_CONTEXT, context)
        result = _build_loop(context, cond, body, loop_vars, shape_invariants, return_same_structure)
        return result[1] if maximum_iterations is not None else result
