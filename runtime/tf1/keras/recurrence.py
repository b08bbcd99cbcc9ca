"""tf.keras.backend.rnn: a step function over time."""

from __future__ import annotations

from typing import Any

from runtime.tf1 import nest
from runtime.tf1.keras.backend import tf
from runtime.tf1.registry import export


def _time_major(x: Any) -> Any:
    return tf.transpose(x, [1, 0, *range(2, x.shape.ndims)])


def _wide(mask: Any, like: Any, fixed: int = 1) -> Any:
    """A mask as wide as values, for tf.where."""
    for _ in range(like.shape.ndims - mask.shape.ndims):
        mask = tf.expand_dims(mask, -1)
    return tf.tile(mask, [1] * fixed + like.shape.as_list()[fixed:])


@export("keras.backend.rnn")
def rnn(
    step_function: Any, inputs: Any, initial_states: Any, go_backwards: bool = False, mask: Any = None, constants: Any = None, unroll: bool = False, input_length: Any = None, time_major: bool = False,
    zero_output_for_mask: bool = False,
) -> tuple[Any, Any, list[Any]]:  # fmt: skip
    """(last output, outputs, last states) of a step function; masked steps keep the states before them."""
    if not time_major:
        inputs = nest.map_structure(_time_major, inputs)
    flat = nest.flatten(inputs)
    steps, batch = flat[0].shape.as_list()[:2]
    count = tf.shape(flat[0])[0]
    if mask is not None:
        mask = mask if mask.dtype == tf.bool else tf.cast(mask, tf.bool)
        mask = tf.expand_dims(mask, -1) if mask.shape.ndims == 2 else mask
        mask = mask if time_major else _time_major(mask)
    extra = tuple(constants or ())
    if unroll:
        if not steps:
            raise ValueError("Unrolling requires a fixed number of timesteps.")
        last, outputs, states = _unrolled(step_function, inputs, initial_states, go_backwards, mask, extra, steps, zero_output_for_mask)
    else:
        if mask is not None and not initial_states:
            raise ValueError(
                "No initial states provided! When using masking in an RNN, you should provide initial states (and your step function should return as its first state at time `t` the output at time `t-1`)."
            )
        last, outputs, states = _looped(
            step_function, inputs, initial_states, go_backwards, mask, extra, count, input_length, zero_output_for_mask
        )

    def shaped(output: Any) -> Any:
        dims = output.shape.as_list()
        dims[0], dims[1] = steps, batch
        output.set_shape(dims)
        return output

    outputs = nest.map_structure(shaped, outputs)
    return last, outputs if time_major else nest.map_structure(_time_major, outputs), states


def _unrolled(step: Any, inputs: Any, initial: Any, backwards: bool, mask: Any, extra: Any, count: int, zero_masked: bool) -> Any:
    parts = []
    for x in nest.flatten(inputs):
        pieces = tf.unstack(x)
        parts.append(pieces[::-1] if backwards else pieces)
    masks = None
    if mask is not None:
        masks = tf.unstack(mask)
        masks = masks[::-1] if backwards else masks
    states: Any = tuple(initial)
    made: list[Any] = []
    for i in range(count):
        output, new_states = step(nest.pack_sequence_as(inputs, [p[i] for p in parts]), tuple(states) + extra)
        if masks is not None:
            output = tf.where(_wide(masks[i], output), output, made[-1] if made else tf.zeros_like(output))
            states = [tf.where(_wide(masks[i], n), n, s) for s, n in zip(states, new_states, strict=True)]
        else:
            states = new_states
        made.append(output)
    last, outputs = made[-1], tf.stack(made)
    if masks is not None and zero_masked:
        last = tf.where(_wide(masks[-1], last), last, tf.zeros_like(last))
        outputs = tf.where(_wide(mask, outputs, 2), outputs, tf.zeros_like(outputs))
    return last, outputs, list(states)


def _looped(step: Any, inputs: Any, initial: Any, backwards: bool, mask: Any, extra: Any, count: Any, limit: Any, zero_masked: bool) -> Any:
    states = tuple(initial)
    flat = nest.flatten(inputs)
    arrays = tuple(tf.TensorArray(dtype=x.dtype, size=count, tensor_array_name=f"input_ta_{i}") for i, x in enumerate(flat))
    arrays = tuple(a.unstack(tf.reverse(x, [0]) if backwards else x) for a, x in zip(arrays, flat, strict=True))
    first, _ = step(nest.pack_sequence_as(inputs, [x[0] for x in flat]), states + extra)
    outputs_of = tuple(
        tf.TensorArray(dtype=o.dtype, size=count, element_shape=o.shape, tensor_array_name=f"output_ta_{i}")
        for i, o in enumerate(nest.flatten(first))
    )
    time = tf.constant(0, dtype="int32", name="time")
    options = {"cond": lambda time, *_: time < count, "maximum_iterations": limit, "parallel_iterations": 32, "swap_memory": True}

    def shape_like(new: Any, old: Any) -> None:
        for n, o in zip(nest.flatten(new), nest.flatten(old), strict=True):
            n.set_shape(o.shape)

    if mask is not None:
        mask = tf.reverse(mask, [0]) if backwards else mask
        mask_array = tf.TensorArray(dtype=tf.bool, size=count, tensor_array_name="mask_ta").unstack(mask)
        zero = tuple(tf.zeros_like(o) for o in nest.flatten(first))

        def masked_body(time: Any, output_arrays: Any, previous: Any, *now: Any) -> Any:
            given = nest.pack_sequence_as(inputs, [a.read(time) for a in arrays])
            here = mask_array.read(time)
            output, new = step(given, tuple(now) + extra)
            flat_output = nest.flatten(output)
            other = zero if zero_masked else nest.flatten(previous)
            kept = tuple(tf.where(_wide(here, o), o, z) for o, z in zip(flat_output, other, strict=True))
            shape_like(list(new), list(now))
            flat_now = nest.flatten(list(now))
            final = [tf.where(_wide(here, s), n, s) for n, s in zip(nest.flatten(list(new)), flat_now, strict=True)]
            written = tuple(a.write(time, o) for a, o in zip(output_arrays, kept, strict=True))
            return (time + 1, written, kept, *nest.pack_sequence_as(list(now), final))

        final = tf.while_loop(body=masked_body, loop_vars=(time, outputs_of, zero, *states), **options)
        new_states = list(final[3:])
    else:

        def body(time: Any, output_arrays: Any, *now: Any) -> Any:
            given = nest.pack_sequence_as(inputs, [a.read(time) for a in arrays])
            output, new = step(given, tuple(now) + extra)
            shape_like(list(new), list(now))
            written = tuple(a.write(time, o) for a, o in zip(output_arrays, nest.flatten(output), strict=True))
            return (time + 1, written, *new)

        final = tf.while_loop(body=body, loop_vars=(time, outputs_of, *states), **options)
        new_states = list(final[2:])
    stacked = [a.stack() for a in final[1]]
    last = [o[-1] for o in stacked]
    return nest.pack_sequence_as(first, last), nest.pack_sequence_as(first, stacked), new_states
