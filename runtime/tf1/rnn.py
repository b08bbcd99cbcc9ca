"""tf.nn.dynamic_rnn, static_rnn and their kin."""

from __future__ import annotations

from typing import Any

from graphtools import graph as base
from runtime.tf1 import array_ops, math_ops, nest
from runtime.tf1.control_flow import cond, while_loop
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export
from runtime.tf1.rnn_cell import _concat
from runtime.tf1.tensor_array import TensorArray
from runtime.tf1.tensor_shape import TensorShape
from runtime.tf1.variable_scope import variable_scope


def _swap_batch_and_time(x: Any) -> Any:
    static = x.shape
    if static.ndims is not None and static.ndims < 2:
        raise ValueError(f"Expected input tensor {x} to have rank at least 2, but saw shape: {static}")
    rank = array_ops.rank(x)
    swapped = array_ops.transpose(x, array_ops.concat(([1, 0], math_ops.range(2, rank)), 0))
    if static.ndims is not None:
        dims = static.as_list()
        swapped.set_shape([dims[1], dims[0], *dims[2:]])
    return swapped


def _batch_size(flat_input: Any) -> Any:
    """The batch size of time-major inputs: a number where one of them tells it."""
    for t in flat_input:
        if t.dims is None:
            continue
        if len(t.dims) < 2:
            raise ValueError(f"Expected input tensor {t} to have rank at least 2")
        if t.dims[1] is not None:
            return t.dims[1]
    return array_ops._slice_helper(array_ops.shape(flat_input[0]), 1)


def _state_dtype(explicit: Any, state: Any) -> Any:
    if explicit is not None:
        return explicit
    if nest.is_sequence(state):
        types = [s.dtype for s in nest.flatten(state)]
        if not types:
            raise ValueError("Unable to infer dtype from empty state.")
        if len(set(types)) > 1:
            raise ValueError("State has tensors of different inferred_dtypes. Unable to infer a single representative dtype.")
        return types[0]
    return state.dtype


def _step(
    time: Any, sequence_length: Any, min_length: Any, max_length: Any, zero_output: Any, state: Any, call_cell: Any, skip_conditionals: bool
) -> Any:
    """One step in which the examples that have ended keep their state and give zeros."""
    flat_state, flat_zero = nest.flatten(state), nest.flatten(zero_output)
    ended = time >= sequence_length

    def keep(old: Any, new: Any) -> Any:
        if hasattr(old, "handle") or old.rank == 0:
            return new
        with get_default_graph().colocate_with(new.node):
            return array_ops.where(ended, old, new)

    def keep_some(new_output: list[Any], new_state: list[Any]) -> list[Any]:
        return [keep(z, n) for z, n in zip(flat_zero, new_output, strict=True)] + [
            keep(s, n) for s, n in zip(flat_state, new_state, strict=True)
        ]

    def run() -> tuple[list[Any], list[Any]]:
        new_output, new_state = call_cell()
        nest.assert_same_structure(zero_output, new_output, check_types=False)
        nest.assert_same_structure(state, new_state, check_types=False)
        return nest.flatten(new_output), nest.flatten(new_state)

    if skip_conditionals:
        final = keep_some(*run())
    else:

        def maybe_keep() -> Any:
            new_output, new_state = run()
            return cond(time < min_length, lambda: new_output + new_state, lambda: keep_some(new_output, new_state))

        final = cond(time >= max_length, lambda: flat_zero + flat_state, maybe_keep)
    if len(final) != len(flat_zero) + len(flat_state):
        raise ValueError("Internal state and output were not concatenated correctly.")
    outputs, states = final[: len(flat_zero)], final[len(flat_zero) :]
    for made, like in zip([*outputs, *states], [*flat_zero, *flat_state], strict=True):
        if isinstance(made, base.Tensor):
            made.set_shape(like.shape)  # type: ignore[attr-defined]
    return nest.pack_sequence_as(zero_output, outputs), nest.pack_sequence_as(state, states)


def _checked_length(sequence_length: Any, batch_size: Any) -> Any:
    from runtime.tf1.modules import lookup

    shape, wanted = array_ops.shape(sequence_length), array_ops.stack([batch_size])
    same = math_ops.reduce_all(math_ops.equal(shape, wanted))
    check = lookup("Assert")(same, [f"Expected shape for Tensor {sequence_length.name} is ", wanted, " but saw shape: ", shape])
    with get_default_graph().control_dependencies([check]):
        return array_ops.identity(sequence_length, name="CheckSeqLen")


@export("nn.dynamic_rnn")
def dynamic_rnn(
    cell: Any, inputs: Any, sequence_length: Any = None, initial_state: Any = None, dtype: Any = None, parallel_iterations: int | None = None, swap_memory: bool = False,
    time_major: bool = False, scope: Any = None,
) -> Any:  # fmt: skip
    """(outputs, final state) of a recurrence over the time axis of `inputs`, as a loop."""
    _check_cell(cell)
    with variable_scope(scope or "rnn"):
        flat_input = nest.flatten(inputs)
        if not time_major:
            flat_input = [convert_to_tensor(i) for i in flat_input]
            flat_input = [_swap_batch_and_time(i) for i in flat_input]
        if sequence_length is not None:
            sequence_length = math_ops.cast(sequence_length, "int32")
            if sequence_length.rank not in (None, 1):
                raise ValueError(f"sequence_length must be a vector of length batch_size, but saw shape: {sequence_length.shape}")
            sequence_length = array_ops.identity(sequence_length, name="sequence_length")
        batch_size = _batch_size(flat_input)
        if initial_state is not None:
            state = initial_state
        else:
            if not dtype:
                raise ValueError("If there is no initial_state, you must give a dtype.")
            state = (
                cell.get_initial_state(inputs=None, batch_size=batch_size, dtype=dtype)
                if hasattr(cell, "get_initial_state")
                else cell.zero_state(batch_size, dtype)
            )
        if sequence_length is not None:
            sequence_length = _checked_length(sequence_length, batch_size)
        inputs = nest.pack_sequence_as(inputs, flat_input)
        outputs, final_state = _loop(cell, inputs, state, parallel_iterations or 32, swap_memory, sequence_length, dtype)
        if not time_major:
            outputs = nest.map_structure(_swap_batch_and_time, outputs)
        return outputs, final_state


def _check_cell(cell: Any) -> None:
    if not (hasattr(cell, "output_size") and hasattr(cell, "state_size") and callable(cell)):
        raise TypeError(f"The argument 'cell' ({cell}) is not an RNNCell: it needs output_size, state_size and __call__.")


def _loop(cell: Any, inputs: Any, state: Any, parallel_iterations: int, swap_memory: bool, sequence_length: Any, dtype: Any) -> Any:
    flat_input = nest.flatten(inputs)
    flat_sizes = nest.flatten(cell.output_size)
    steps = array_ops._slice_helper(array_ops.shape(flat_input[0]), 0)
    batch_size = _batch_size(flat_input)
    shapes = [i.shape.with_rank_at_least(3) for i in flat_input]
    const_steps, const_batch = shapes[0].as_list()[:2]
    for shape in shapes:
        if not shape[2:].is_fully_defined():
            raise ValueError("Input size (depth of inputs) must be accessible via shape inference, but saw value None.")
        for what, known, position in (("Time steps", const_steps, 0), ("Batch_size", const_batch, 1)):
            if known != shape[position].value:
                raise ValueError(f"{what} is not the same for all the elements in the input in a batch.")
    kind = _state_dtype(dtype, state)
    zero_output = nest.pack_sequence_as(cell.output_size, [array_ops.zeros(_concat(batch_size, s), kind) for s in flat_sizes])
    max_length = steps
    min_length = None
    if sequence_length is not None:
        min_length = math_ops.reduce_min(sequence_length)
        max_length = math_ops.reduce_max(sequence_length)
    time = constant(0, "int32", name="time")
    with name_scope("dynamic_rnn") as scope:
        base_name = scope

    def array(name: str, element_shape: Any, element_type: Any) -> TensorArray:
        return TensorArray(dtype=element_type, size=steps, element_shape=element_shape, tensor_array_name=base_name + name)

    output_arrays = tuple(
        array(f"output_{i}", TensorShape([const_batch]).concatenate(TensorShape(s)), kind) for i, s in enumerate(flat_sizes)
    )
    input_arrays = tuple(array(f"input_{i}", t.shape[1:], t.dtype) for i, t in enumerate(flat_input))
    input_arrays = tuple(a.unstack(t) for a, t in zip(input_arrays, flat_input, strict=True))

    def body(time: Any, arrays: Any, state: Any) -> Any:
        values = [a.read(time) for a in input_arrays]
        for v, shape in zip(values, shapes, strict=True):
            v.set_shape(shape[1:])
        packed = nest.pack_sequence_as(inputs, values)

        def call_cell() -> Any:
            return cell(packed, state)

        if sequence_length is not None:
            output, new_state = _step(time, sequence_length, min_length, max_length, zero_output, state, call_cell, skip_conditionals=True)
        else:
            output, new_state = call_cell()
        written = tuple(a.write(time, o) for a, o in zip(arrays, nest.flatten(output), strict=True))
        return time + 1, written, new_state

    bound = math_ops.minimum(steps, math_ops.maximum(1, max_length))
    _, final_arrays, final_state = while_loop(
        lambda time, *_: time < bound,
        body,
        (time, output_arrays, state),
        parallel_iterations=parallel_iterations,
        maximum_iterations=steps,
        swap_memory=swap_memory,
    )
    outputs = [a.stack() for a in final_arrays]
    for output, size in zip(outputs, flat_sizes, strict=True):
        for known in (TensorShape([const_steps, const_batch]), TensorShape(size)):
            if known.is_fully_defined():
                constant(known.as_list(), "int32")  # TensorFlow makes these constants too, and op counts seed random ops
        output.set_shape(TensorShape([const_steps, const_batch]).concatenate(TensorShape(size)))
    return nest.pack_sequence_as(cell.output_size, outputs), final_state


@export("nn.bidirectional_dynamic_rnn")
def bidirectional_dynamic_rnn(
    cell_fw: Any, cell_bw: Any, inputs: Any, sequence_length: Any = None, initial_state_fw: Any = None, initial_state_bw: Any = None, dtype: Any = None,
    parallel_iterations: int | None = None, swap_memory: bool = False, time_major: bool = False, scope: Any = None,
) -> Any:  # fmt: skip
    """((outputs forward, outputs backward), (state forward, state backward))"""
    _check_cell(cell_fw)
    _check_cell(cell_bw)
    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw") as fw_scope:
            output_fw, state_fw = dynamic_rnn(
                cell_fw, inputs, sequence_length, initial_state_fw, dtype, parallel_iterations, swap_memory, time_major, fw_scope
            )
        time_axis, batch_axis = (0, 1) if time_major else (1, 0)

        def reverse(x: Any) -> Any:
            if sequence_length is not None:
                return apply_op("ReverseSequence", None, input=x, seq_lengths=sequence_length, seq_dim=time_axis, batch_dim=batch_axis)
            return apply_op("ReverseV2", None, tensor=x, axis=[time_axis])

        with variable_scope("bw") as bw_scope:
            reversed_inputs = nest.map_structure(reverse, inputs)
            output, state_bw = dynamic_rnn(
                cell_bw, reversed_inputs, sequence_length, initial_state_bw, dtype, parallel_iterations, swap_memory, time_major, bw_scope
            )
    output_bw = nest.map_structure(reverse, output)
    return (output_fw, output_bw), (state_fw, state_bw)


@export("nn.raw_rnn")
def raw_rnn(cell: Any, loop_fn: Any, parallel_iterations: int | None = None, swap_memory: bool = False, scope: Any = None) -> Any:
    """A recurrence whose inputs and end a function decides step by step: (TensorArray of emitted outputs, state, loop state)."""
    _check_cell(cell)
    if not callable(loop_fn):
        raise TypeError("loop_fn must be a callable")
    with variable_scope(scope or "rnn"):
        time = constant(0, "int32")
        finished, next_input, state, emit, loop_state = loop_fn(time, None, None, None)
        flat_input = nest.flatten(next_input)
        loop_state = loop_state if loop_state is not None else constant(0, "int32")
        shapes = [t.shape for t in flat_input]
        const_batch = shapes[0][0].value
        batch_size = const_batch if const_batch is not None else array_ops._slice_helper(array_ops.shape(flat_input[0]), 0)
        nest.assert_same_structure(state, cell.state_size, check_types=False)
        if emit is not None:
            flat_emit = nest.flatten(emit)
            sizes = [e.shape if e.shape.is_fully_defined() else array_ops.shape(e) for e in flat_emit]
            types = [e.dtype for e in flat_emit]
            structure = emit
        else:
            structure = cell.output_size
            sizes = nest.flatten(structure)
            types = [nest.flatten(state)[0].dtype] * len(sizes)
        arrays = [
            TensorArray(
                dtype=t,
                dynamic_size=True,
                element_shape=TensorShape([const_batch]).concatenate(TensorShape(s)) if not isinstance(s, base.Tensor) else None,
                size=0,
                name=f"rnn_output_{i}",
            )
            for i, (t, s) in enumerate(zip(types, sizes, strict=True))
        ]
        emit_arrays = nest.pack_sequence_as(structure, arrays)
        zero_emit = nest.pack_sequence_as(
            structure, [array_ops.zeros(_concat(batch_size, s), t) for s, t in zip(sizes, types, strict=True)]
        )

        def goes_on(time: Any, finished: Any, *unused: Any) -> Any:
            return apply_op("LogicalNot", None, x=math_ops.reduce_all(finished))

        def body(time: Any, finished: Any, current: Any, emit_arrays: Any, state: Any, loop_state: Any) -> Any:
            next_output, cell_state = cell(current, state)
            nest.assert_same_structure(state, cell_state, check_types=False)
            next_time = time + 1
            next_finished, next_input, next_state, emit_output, next_loop_state = loop_fn(next_time, next_output, cell_state, loop_state)
            loop_state = loop_state if next_loop_state is None else next_loop_state

            def keep(old: Any, new: Any) -> Any:
                def one(o: Any, n: Any) -> Any:
                    if hasattr(o, "handle") or o.rank == 0:
                        return n
                    with get_default_graph().colocate_with(n.node):
                        return array_ops.where(finished, o, n)

                return nest.map_structure(one, old, new)

            emit_output = keep(zero_emit, emit_output)
            next_state = keep(state, next_state)
            emit_arrays = nest.map_structure(lambda a, e: a.write(time, e), emit_arrays, emit_output)
            done = apply_op("LogicalOr", None, x=finished, y=next_finished)
            return next_time, done, next_input, emit_arrays, next_state, loop_state

        returned = while_loop(
            goes_on,
            body,
            [time, finished, next_input, emit_arrays, state, loop_state],
            parallel_iterations=parallel_iterations or 32,
            swap_memory=swap_memory,
        )
        emit_arrays, final_state, final_loop_state = returned[-3:]
        return emit_arrays, final_state, final_loop_state


@export("nn.static_rnn")
def static_rnn(cell: Any, inputs: Any, initial_state: Any = None, dtype: Any = None, sequence_length: Any = None, scope: Any = None) -> Any:
    """(list of outputs, final state) of a recurrence over a list of inputs, unrolled."""
    _check_cell(cell)
    if not nest.is_sequence(inputs):
        raise TypeError("inputs must be a sequence")
    if not inputs:
        raise ValueError("inputs must not be empty")
    outputs = []
    with variable_scope(scope or "rnn") as varscope:
        first = inputs[0]
        while nest.is_sequence(first):
            first = first[0]
        if first.rank is not None and first.rank != 1:
            fixed = first.shape.with_rank_at_least(2)[0].value
            for flat in nest.flatten(inputs):
                shape = flat.shape.with_rank_at_least(2)
                for i, size in enumerate(shape[1:].dims or ()):
                    if size.value is None:
                        raise ValueError(
                            f"Input size (dimension {i} of inputs) must be accessible via shape inference, but saw value None."
                        )
        else:
            fixed = first.shape.with_rank_at_least(1)[0].value
        batch_size = fixed if fixed is not None else array_ops._slice_helper(array_ops.shape(first), 0)
        if initial_state is not None:
            state = initial_state
        else:
            if not dtype:
                raise ValueError("If no initial_state is provided, dtype must be specified")
            state = (
                cell.get_initial_state(inputs=None, batch_size=batch_size, dtype=dtype)
                if hasattr(cell, "get_initial_state")
                else cell.zero_state(batch_size, dtype)
            )
        min_length = max_length = zero_output = None
        if sequence_length is not None:
            sequence_length = convert_to_tensor(sequence_length, name="sequence_length")
            if sequence_length.rank not in (None, 1):
                raise ValueError("sequence_length must be a vector of length batch_size")
            kind = _state_dtype(dtype, state)

            def zeros(size: Any) -> Any:
                made = array_ops.zeros(array_ops.stack(_concat(batch_size, size)), kind)
                made.set_shape(TensorShape([fixed]).concatenate(TensorShape(size)))
                return made

            zero_output = nest.map_structure(zeros, cell.output_size)
            sequence_length = math_ops.to_int32(sequence_length)
            min_length = math_ops.reduce_min(sequence_length)
            max_length = math_ops.reduce_max(sequence_length)
        for time, current in enumerate(inputs):
            if time > 0:
                varscope.reuse_variables()

            def call_cell(current: Any = current, state: Any = state) -> Any:
                return cell(current, state)

            if sequence_length is not None:
                output, state = _step(time, sequence_length, min_length, max_length, zero_output, state, call_cell, skip_conditionals=False)
            else:
                output, state = call_cell()
            outputs.append(output)
        return outputs, state


@export("nn.static_state_saving_rnn")
def static_state_saving_rnn(
    cell: Any, inputs: Any, state_saver: Any, state_name: Any, sequence_length: Any = None, scope: Any = None
) -> Any:
    """static_rnn whose state is kept by `state_saver` between batches."""
    names = nest.flatten(state_name)
    initial = nest.pack_sequence_as(cell.state_size, [state_saver.state(n) for n in names])
    outputs, state = static_rnn(cell, inputs, initial_state=initial, sequence_length=sequence_length, scope=scope)
    saved = [state_saver.save_state(n, s) for n, s in zip(names, nest.flatten(state), strict=True)]
    with get_default_graph().control_dependencies(saved):
        last = nest.map_structure(array_ops.identity, outputs[-1])
    return [*outputs[:-1], last], state


def _reverse_list(sequence: Any, lengths: Any) -> Any:
    """A list of time steps reversed, up to each example's length."""
    if lengths is None:
        return list(reversed(sequence))
    flat = [nest.flatten(s) for s in sequence]
    results: list[list[Any]] = [[] for _ in flat]
    for column in zip(*flat, strict=True):
        stacked = array_ops.stack(column)
        reversed_ = apply_op("ReverseSequence", None, input=stacked, seq_lengths=lengths, seq_dim=0, batch_dim=1)
        for r, step in zip(results, array_ops.unstack(reversed_), strict=True):
            step.set_shape(column[0].shape)
            r.append(step)
    return [nest.pack_sequence_as(sequence[0], r) for r in results]


@export("nn.static_bidirectional_rnn")
def static_bidirectional_rnn(
    cell_fw: Any,
    cell_bw: Any,
    inputs: Any,
    initial_state_fw: Any = None,
    initial_state_bw: Any = None,
    dtype: Any = None,
    sequence_length: Any = None,
    scope: Any = None,
) -> Any:
    """(outputs concatenated in depth, state forward, state backward)"""
    _check_cell(cell_fw)
    _check_cell(cell_bw)
    if not nest.is_sequence(inputs):
        raise TypeError("inputs must be a sequence")
    if not inputs:
        raise ValueError("inputs must not be empty")
    with variable_scope(scope or "bidirectional_rnn"):
        with variable_scope("fw") as fw_scope:
            output_fw, state_fw = static_rnn(cell_fw, inputs, initial_state_fw, dtype, sequence_length, scope=fw_scope)
        with variable_scope("bw") as bw_scope:
            reversed_inputs = _reverse_list(inputs, sequence_length)
            backwards, state_bw = static_rnn(cell_bw, reversed_inputs, initial_state_bw, dtype, sequence_length, scope=bw_scope)
    output_bw = _reverse_list(backwards, sequence_length)
    outputs = [
        nest.pack_sequence_as(f, [array_ops.concat([a, b], 1) for a, b in zip(nest.flatten(f), nest.flatten(b_), strict=True)])
        for f, b_ in zip(output_fw, output_bw, strict=True)
    ]
    return outputs, state_fw, state_bw
