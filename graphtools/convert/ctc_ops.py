"""Connectionist temporal classification: greedy decoding, and the loss with its gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.dtypes import float32, int32, int64

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

NONE = -1e30  # the logarithm of an impossible event; finite, so that differences of two of them are numbers


def _range(op: Builder, count: Value) -> Value:
    """0 .. count - 1 for a count in a vector of one element."""
    result: Value = op.Range(op.const(np.int64(0)), op.Squeeze(count, [0]), op.const(np.int64(1)))
    return result


@converts("CTCGreedyDecoder")
def ctc_greedy_decoder(op: Builder, node: NodeView) -> Any:
    """The best class of each step, without blanks (the last class) and repetitions, as a sparse tensor [batch, time]."""
    inputs, lengths = node.input("inputs"), op.cast(node.input("sequence_length"), int64)
    shape = op.Shape(inputs)
    times, classes = op.Slice(shape, [0], [1], [0]), op.Slice(shape, [2], [3], [0])
    blank = op.Sub(classes, 1)
    if "blank_index" in node.attr:
        index = int(node.attr["blank_index"])
        blank = op.const([index]) if index >= 0 else op.Add(classes, index)
    best = op.Transpose(op.ArgMax(inputs, axis=2, keepdims=0), perm=[1, 0])  # [batch, time]
    lengths = op.Unsqueeze(lengths, [1])
    valid = op.Less(op.Unsqueeze(_range(op, times), [0]), lengths)
    keep = op.And(valid, op.Not(op.Equal(best, blank)))
    if node.attr["merge_repeated"]:
        before = op.Slice(op.Pad(best, op.const([0, 1, 0, 0]), op.const(np.int64(-1))), [0], [-1], [1])
        keep = op.And(keep, op.Not(op.Equal(best, before)))
    counted = op.cast(keep, int32)
    ranks = op.Sub(op.CumSum(counted, op.const(np.int64(1))), 1)
    places = op.Transpose(op.NonZero(keep), perm=[1, 0])  # [n, 2], row by row
    values = op.GatherND(best, places)
    columns = op.cast(op.GatherND(ranks, places), int64)
    indices = op.Concat(op.Slice(places, [0], [1], [1]), op.Unsqueeze(columns, [1]), axis=1)
    counts = op.ReduceSum(counted, [1], keepdims=0)
    longest = op.cast(op.ReduceMax(op.Concat(counts, op.const(np.zeros(1, np.int32)), axis=0), keepdims=1), int64)
    dense = op.Concat(op.Slice(shape, [1], [2], [0]), longest, axis=0)
    top = op.Transpose(op.ReduceMax(inputs, [2], keepdims=0), perm=[1, 0])
    score = op.Neg(op.ReduceSum(op.Where(valid, top, 0), [1], keepdims=1))
    return indices, values, dense, score


def _log_add(op: Builder, *terms: Value) -> Value:
    """log of the sum of exponentials, elementwise."""
    top = op.Max(*terms)
    total: Value | None = None
    for term in terms:
        part = op.Exp(op.Sub(term, top))
        total = part if total is None else op.Add(total, part)
    result: Value = op.Add(op.Log(total), top)
    return result


def _shifted(op: Builder, x: Value, by: int) -> Value:
    """The columns of [batch, states] moved right by a few places (left if negative); impossible states come in."""
    rest = op.Slice(x, [0], [-by], [1]) if by > 0 else op.Slice(x, [-by], [2**62], [1])
    pads = [0, by, 0, 0] if by > 0 else [0, 0, 0, -by]
    result: Value = op.Pad(rest, op.const(pads), op.const(np.float32(NONE)))
    return result


@converts("CTCLoss")
def ctc_loss(op: Builder, node: NodeView) -> Any:
    """-log p(labels) by the forward recursion over the labels with blanks between them; the gradient by the backward one as well.

    gradient = softmax(inputs) - (share of the paths that are in each class at each step), zero beyond a sequence's length.
    """
    a = node.attr
    inputs, lengths = node.input("inputs"), op.cast(node.input("sequence_length"), int64)
    dtype = inputs.dtype
    logits = op.cast(inputs, float32)
    shape = op.Shape(logits)
    times, batch, classes = (op.Slice(shape, [i], [i + 1], [0]) for i in range(3))
    blank = op.Sub(classes, 1)
    labels, label_lengths = _dense_labels(op, node, batch, blank)
    if a["preprocess_collapse_repeated"]:
        labels, label_lengths = _collapsed(op, labels, label_lengths, batch, blank)
    merge = bool(a["ctc_merge_repeated"])

    # blank, label, blank, label, ..., blank
    pair = op.Concat(op.Expand(op.Unsqueeze(blank, [0, 1]), op.Shape(op.Unsqueeze(labels, [2]))), op.Unsqueeze(labels, [2]), axis=2)
    states = op.Reshape(pair, op.Concat(batch, op.const([-1]), axis=0))
    states = op.Concat(states, op.Expand(op.Unsqueeze(blank, [0]), op.Concat(batch, op.const([1]), axis=0)), axis=1)
    count = op.Shape(states, start=1, end=2)
    columns = op.Unsqueeze(_range(op, count), [0])
    last = op.Mul(op.Unsqueeze(label_lengths, [1]), 2)  # the final blank of each sequence
    inside = op.LessOrEqual(columns, last)
    is_label = op.Equal(op.Mod(columns, op.const(np.int64(2))), 1)
    before = op.Slice(op.Pad(states, op.const([0, 2, 0, 0]), op.const(np.int64(-1))), [0], [-2], [1])
    skips = op.And(is_label, op.Not(op.Equal(states, before))) if merge else is_label
    skips = op.And(skips, op.Greater(columns, 1))
    log_probabilities = op.LogSoftmax(logits, axis=-1)
    spread = op.Expand(op.Unsqueeze(states, [0]), op.Concat(times, op.Shape(states), axis=0))
    emitted = op.GatherElements(log_probabilities, spread, axis=2)  # [time, batch, states]
    emitted = op.Where(op.Unsqueeze(inside, [0]), emitted, NONE)
    alive = op.Unsqueeze(op.Less(op.Unsqueeze(_range(op, times), [1]), op.Unsqueeze(lengths, [0])), [2])  # [time, batch, 1]
    repeats = None
    if not merge:  # a repeated label stays in its state only over blanks
        repeats = is_label

    skip_cost = op.Where(skips, op.const(np.float32(0)), op.const(np.float32(NONE)))
    stay_cost = None if repeats is None else op.Where(repeats, op.const(np.float32(NONE)), op.const(np.float32(0)))
    start = op.Where(op.Equal(columns, 0), op.const(np.float32(0)), op.const(np.float32(NONE)))
    start = op.Expand(start, op.Shape(states))
    alphas = _recursion(op, start, emitted, alive, skip_cost, stay_cost, forward=True)
    # the end of a sequence: its last blank or its last label
    final = op.Or(op.Equal(columns, last), op.Equal(columns, op.Sub(last, 1)))
    end = op.Where(final, op.const(np.float32(0)), op.const(np.float32(NONE)))
    final_alpha = op.Squeeze(op.Slice(alphas, [-1], [2**62], [0]), [0])
    total = op.ReduceLogSumExp(op.Add(final_alpha, end), [1], keepdims=0)
    possible = op.Greater(total, NONE / 2)
    some = op.Greater(lengths, 0)
    loss = op.Where(possible, op.Neg(total), np.float32(np.inf))
    if a["ignore_longer_outputs_than_inputs"]:
        some = op.And(some, op.LessOrEqual(label_lengths, lengths))
    loss = op.Where(some, loss, 0.0)

    betas = _recursion(op, end, emitted, alive, skip_cost, stay_cost, forward=False)
    posterior = op.Sub(op.Add(alphas, betas), op.Unsqueeze(total, [0, 2]))
    there = op.And(op.Greater(posterior, NONE / 4), op.Unsqueeze(possible, [0, 2]))
    share = op.Where(there, op.Exp(op.Min(posterior, 0.0)), 0.0)
    zeros = op.Expand(op.const(np.float32(0)), shape)
    by_class = op.ScatterElements(zeros, spread, share, axis=2, reduction="add")
    gradient = op.Sub(op.Exp(log_probabilities), by_class)
    gradient = op.Where(op.And(alive, op.Unsqueeze(some, [0, 2])), gradient, 0.0)
    return op.cast(loss, dtype), op.cast(gradient, dtype)


def _dense_labels(op: Builder, node: NodeView, batch: Value, blank: Value) -> tuple[Value, Value]:
    """The sparse labels as [batch, longest], filled up with blanks, and how many each sequence has."""
    indices, values = node.input("labels_indices"), op.cast(node.input("labels_values"), int64)
    rows, columns = op.Slice(indices, [0], [1], [1]), op.Slice(indices, [1], [2], [1])
    longest = op.Add(op.ReduceMax(op.Concat(columns, op.const([[-1]]), axis=0), keepdims=1), 1)
    longest = op.Reshape(longest, op.const([1]))
    empty = op.Expand(blank, op.Concat(batch, longest, axis=0))
    labels = op.ScatterND(empty, indices, values)
    zeros = op.Expand(op.const(np.int64(0)), batch)
    flat = op.Reshape(rows, op.const([-1]))
    lengths = op.ScatterElements(zeros, flat, op.Expand(op.const(np.int64(1)), op.Shape(flat)), axis=0, reduction="add")
    return labels, lengths


def _collapsed(op: Builder, labels: Value, lengths: Value, batch: Value, blank: Value) -> tuple[Value, Value]:
    """Equal labels in a row count once."""
    before = op.Slice(op.Pad(labels, op.const([0, 1, 0, 0]), op.const(np.int64(-1))), [0], [-1], [1])
    columns = op.Unsqueeze(_range(op, op.Shape(labels, start=1, end=2)), [0])
    keep = op.And(op.Not(op.Equal(labels, before)), op.Less(columns, op.Unsqueeze(lengths, [1])))
    counted = op.cast(keep, int64)
    ranks = op.Sub(op.CumSum(counted, op.const(np.int64(1))), 1)
    places = op.Transpose(op.NonZero(keep), perm=[1, 0])
    target = op.Concat(op.Slice(places, [0], [1], [1]), op.Unsqueeze(op.GatherND(ranks, places), [1]), axis=1)
    moved = op.ScatterND(op.Expand(blank, op.Shape(labels)), target, op.GatherND(labels, places))
    return moved, op.ReduceSum(counted, [1], keepdims=0)


def _recursion(op: Builder, start: Value, emitted: Value, alive: Value, skip: Value, stay: Value | None, *, forward: bool) -> Value:
    """[time, batch, states]: the logarithm of all paths up to each step (its own emission included) or, backward, after it (excluded).

    Going forward, a state is reached from itself, the one before it, and the one two before it if that is another label.
    """
    body = op.subgraph()
    previous = body.input("paths", float32, (None, None))
    emission = body.input("emission", float32, (None, None))
    living = body.input("living", alive.dtype, (None, 1))
    if forward:
        first = body.input("first", float32, ())
        held = previous if stay is None else body.Add(previous, stay)
        reached = _log_add(body, held, _shifted(body, previous, 1), body.Add(_shifted(body, previous, 2), skip))
        # before the first step only the first two states can be entered
        entered = body.Add(_log_add(body, previous, _shifted(body, previous, 1)), emission)
        now = body.Where(body.Greater(first, 0.0), entered, body.Add(reached, emission))
        now = body.Max(now, NONE)
        after = body.Where(living, now, previous)
        body.output(after)
        body.output(body._append("Identity", [after], {}, 1, ""))
        flags = op.cast(op.Equal(_range(op, op.Shape(emitted, start=0, end=1)), 0), float32)
        _, paths = op.Scan(start, emitted, alive, flags, body=body, num_scan_inputs=3, outputs=2)
    else:
        body.output(_backward_step(body, previous, emission, living, skip, stay))
        body.output(body._append("Identity", [previous], {}, 1, ""))
        _, paths = op.Scan(
            start,
            emitted,
            alive,
            body=body,
            num_scan_inputs=2,
            scan_input_directions=[1, 1],
            scan_output_directions=[1],
            outputs=2,
        )
    paths.dtype = float32
    paths.dims = (None, None, None)
    return paths  # type: ignore[no-any-return]


def _backward_step(body: Builder, paths: Value, emission: Value, living: Value, skip: Value, stay: Value | None) -> Value:
    """What is after the step before: stay, move on by one, or by two where the state there may be skipped to."""
    onward = body.Add(paths, emission)
    held = onward if stay is None else body.Add(onward, stay)
    before = _log_add(body, held, _shifted(body, onward, -1), _shifted(body, body.Add(onward, skip), -2))
    result: Value = body.Where(living, body.Max(before, NONE), paths)
    return result
