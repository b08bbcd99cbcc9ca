"""Host kernels of connectionist temporal classification and of the edit distance."""

from __future__ import annotations

import heapq
import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphtools.graph import Node
from runtime.errors import InvalidArgumentError
from runtime.host import Run, host

Array = NDArray[Any]

_ZERO = -math.inf  # the logarithm of no probability


def _add(a: float, b: float) -> float:
    """log(exp(a) + exp(b))"""
    if a < b:
        a, b = b, a
    return a if b == _ZERO else a + math.log1p(math.exp(b - a))


def _sparse_rows(rows: list[list[int]]) -> tuple[Array, Array, Array]:
    indices = np.array([(i, j) for i, row in enumerate(rows) for j in range(len(row))], np.int64).reshape(-1, 2)
    values = np.array([v for row in rows for v in row], np.int64)
    return indices, values, np.array([len(rows), max(map(len, rows), default=0)], np.int64)


def _check_lengths(inputs: Array, lengths: Array) -> None:
    if inputs.ndim != 3:
        raise InvalidArgumentError(None, None, f"inputs is not a 3-Tensor, got shape {list(inputs.shape)}")
    if lengths.shape != inputs.shape[1:2]:
        raise InvalidArgumentError(
            None, None, f"len(sequence_length) != batch_size. len(sequence_length): {lengths.size} batch_size: {inputs.shape[1]}"
        )
    for b, length in enumerate(lengths.tolist()):
        if not 0 <= length <= inputs.shape[0]:
            raise InvalidArgumentError(None, None, f"sequence_length({b}) is {length}, not of [0, max_time] = [0, {inputs.shape[0]}]")


@host("CTCGreedyDecoder")
def ctc_greedy_decoder(run: Run, node: Node, inputs: Array, lengths: Array) -> tuple[Array, Array, Array, Array]:
    _check_lengths(inputs, lengths)
    blank = inputs.shape[2] - 1
    best = inputs.argmax(axis=2)
    rows, sums = [], []
    for b, length in enumerate(lengths.tolist()):
        path = best[:length, b].tolist()
        if node.attr["merge_repeated"]:
            path = [label for label, _ in itertools.groupby(path)]
        rows.append([label for label in path if label != blank])
        sums.append([-inputs[:length, b].max(axis=1).sum()])
    return (*_sparse_rows(rows), np.array(sums, inputs.dtype).reshape(-1, 1))


class _Beam:
    """A label sequence: the log probabilities of it at the step before and now, ending in a blank, in its label, and in total."""

    __slots__ = ("blank", "children", "label", "labelled", "old_blank", "old_total", "parent", "total")

    def __init__(self, parent: _Beam | None, label: int) -> None:
        self.parent = parent
        self.label = label
        self.children: dict[int, _Beam] = {}
        self.old_total = self.old_blank = _ZERO
        self.reset()

    def reset(self) -> None:
        self.total = self.blank = self.labelled = _ZERO

    def labels(self, merge_repeated: bool) -> list[int]:
        found: list[int] = []
        beam, last = self, -1
        while beam.parent is not None:
            if not merge_repeated or beam.label != last:
                found.append(beam.label)
            last, beam = beam.label, beam.parent
        return found[::-1]


class _Leaves:
    """The most probable beams of a step."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.heap: list[tuple[float, int, _Beam]] = []
        self.count = 0

    def admits(self, total: float) -> bool:
        return total > _ZERO and (len(self.heap) < self.width or total > self.heap[0][0])

    def push(self, beam: _Beam) -> None:
        self.count += 1
        entry = (beam.total, -self.count, beam)
        if len(self.heap) < self.width:
            heapq.heappush(self.heap, entry)
        elif entry > self.heap[0]:
            heapq.heapreplace(self.heap, entry)

    def best_first(self) -> list[_Beam]:
        return [beam for _, _, beam in sorted(self.heap, key=lambda e: e[:2], reverse=True)]


def _step(leaves: _Leaves, log_probabilities: Array) -> _Leaves:
    blank = len(log_probabilities) - 1
    scores = log_probabilities.tolist()
    beams = leaves.best_first()
    following = _Leaves(leaves.width)
    for beam in beams:
        beam.old_total, beam.old_blank = beam.total, beam.blank
    active = {id(b) for b in beams}
    for beam in beams:
        parent = beam.parent
        if parent is not None:
            if id(parent) in active:
                beam.labelled = _add(beam.labelled, parent.old_blank if beam.label == parent.label else parent.old_total)
            beam.labelled += scores[beam.label]
        beam.blank = beam.old_total + scores[blank]
        beam.total = _add(beam.blank, beam.labelled)
        following.push(beam)
    for beam in sorted(beams, key=lambda b: b.old_total, reverse=True):
        if not following.admits(beam.old_total):
            continue
        extended = log_probabilities[:blank] + beam.old_total
        if beam.parent is not None:
            extended[beam.label] = scores[beam.label] + beam.old_blank
        floor = following.heap[0][0] if len(following.heap) == following.width else _ZERO
        for label in sorted({*np.flatnonzero(extended > floor).tolist(), *beam.children}):
            child = beam.children.get(label)
            if child is None:
                child = beam.children[label] = _Beam(beam, label)
            if child.total != _ZERO:
                continue
            total = float(extended[label])
            if following.admits(total):
                child.blank, child.labelled, child.total = _ZERO, total, total
                if len(following.heap) == following.width:
                    following.heap[0][2].reset()
                following.push(child)
            else:
                child.old_total = child.old_blank = _ZERO  # what fell out of the beam in this step is not extended any more
    return following


@host("CTCBeamSearchDecoder")
def ctc_beam_search_decoder(run: Run, node: Node, inputs: Array, lengths: Array) -> tuple[Array, ...]:
    _check_lengths(inputs, lengths)
    a = node.attr
    paths, width = a["top_paths"], a["beam_width"]
    if paths > width:
        raise InvalidArgumentError(None, None, f"top_paths ({paths}) must be <= beam_width ({width})")
    wide = inputs.astype(np.float64)
    with np.errstate(divide="ignore"):
        log_probabilities = wide - wide.max(axis=2, keepdims=True)
        log_probabilities -= np.log(np.exp(log_probabilities).sum(axis=2, keepdims=True))
    decoded: list[list[list[int]]] = [[] for _ in range(paths)]
    scores = np.empty((inputs.shape[1], paths), inputs.dtype)
    for b, length in enumerate(lengths.tolist()):
        root = _Beam(None, -1)
        root.total = root.blank = 0.0
        leaves = _Leaves(width)
        leaves.push(root)
        for t in range(length):
            run.check_cancelled()
            leaves = _step(leaves, log_probabilities[t, b])
        best = leaves.best_first()
        if len(best) < paths:
            raise InvalidArgumentError(None, None, f"Less leaves in the beam search than requested: {len(best)} of {paths}.")
        for i, beam in enumerate(best[:paths]):
            decoded[i].append(beam.labels(a["merge_repeated"]))
            scores[b, i] = beam.total
    sparse = [_sparse_rows(rows) for rows in decoded]
    return (*(s[0] for s in sparse), *(s[1] for s in sparse), *(s[2] for s in sparse), scores)


def _forward_backward(log_probabilities: Array, labels: list[int], blank: int, merge_repeated: bool) -> tuple[float, Array]:
    """-log P(labels) and the expected share of each class at each step, over the labels with blanks between them."""
    steps, classes = log_probabilities.shape
    states = np.full(2 * len(labels) + 1, blank)
    states[1::2] = labels
    count = len(states)
    scores = log_probabilities[:, states]
    skips = np.zeros(count, bool)  # a state may follow the one before the last: labels that differ, or any where repeats are kept
    skips[3::2] = (states[3::2] != states[1:-2:2]) if merge_repeated else True
    stays = np.ones(count, bool)
    if not merge_repeated:
        stays[1::2] = False
    alpha = np.full((steps, count), _ZERO)
    alpha[0, :2] = scores[0, :2]
    for t in range(1, steps):
        reach = np.where(stays, alpha[t - 1], _ZERO)
        reach[1:] = np.logaddexp(reach[1:], alpha[t - 1, :-1])
        reach[2:] = np.where(skips[2:], np.logaddexp(reach[2:], alpha[t - 1, :-2]), reach[2:])
        alpha[t] = reach + scores[t]
    beta = np.full((steps, count), _ZERO)
    beta[-1, -2:] = 0
    for t in range(steps - 2, -1, -1):
        ahead = beta[t + 1] + scores[t + 1]
        reach = np.where(stays, ahead, _ZERO)
        reach[:-1] = np.logaddexp(reach[:-1], ahead[1:])
        reach[:-2] = np.where(skips[2:], np.logaddexp(reach[:-2], ahead[2:]), reach[:-2])
        beta[t] = reach
    total = np.logaddexp.reduce(alpha[-1, -2:])
    shares = np.zeros((steps, classes))  # none where the labels do not fit the steps
    if np.isfinite(total):
        posterior = np.exp(alpha + beta - total)
        for state, label in enumerate(states.tolist()):
            shares[:, label] += posterior[:, state]
    return -float(total), shares


@host("CTCLoss", "CTCLossV2")
def ctc_loss(run: Run, node: Node, inputs: Array, indices: Array, values: Array, lengths: Array) -> tuple[Array, Array]:
    """The blank is the last class; CTCLossV2's is the first."""
    _check_lengths(inputs, lengths)
    a, classes = node.attr, inputs.shape[2]
    blank = 0 if node.op == "CTCLossV2" else classes - 1
    rows: list[list[int]] = [[] for _ in range(inputs.shape[1])]
    for (b, _), label in zip(indices.tolist(), values.tolist(), strict=True):
        if not 0 <= label < classes or label == blank:
            raise InvalidArgumentError(
                None, None, f"Saw a label that is no class besides the blank {blank}: {label} of batch {b}; num_classes: {classes}"
            )
        rows[b].append(label)
    wide = inputs.astype(np.float64)
    log_probabilities = wide - wide.max(axis=2, keepdims=True)
    log_probabilities -= np.log(np.exp(log_probabilities).sum(axis=2, keepdims=True))
    losses = np.zeros(len(rows))
    gradient = np.zeros(inputs.shape)
    for b, (labels, steps) in enumerate(zip(rows, lengths.tolist(), strict=True)):
        if not steps:
            continue
        if a["preprocess_collapse_repeated"]:
            labels = [label for label, _ in itertools.groupby(labels)]
        if len(labels) > steps:
            if a["ignore_longer_outputs_than_inputs"]:
                continue
            raise InvalidArgumentError(
                None, None, f"Not enough time for target transition sequence (required: {len(labels)}, available: {steps}) of batch {b}"
            )
        own = log_probabilities[:steps, b]
        with np.errstate(invalid="ignore"):
            losses[b], shares = _forward_backward(own, labels, blank, a["ctc_merge_repeated"])
        gradient[:steps, b] = np.exp(own) - shares
    return losses.astype(inputs.dtype), gradient.astype(inputs.dtype)


def _distance(source: list[Any], target: list[Any]) -> int:
    """Levenshtein's."""
    row = list(range(len(target) + 1))
    for i, a in enumerate(source, 1):
        corner, row[0] = row[0], i
        for j, b in enumerate(target, 1):
            corner, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, corner + (a != b))
    return row[-1]


@host("EditDistance")
def edit_distance(
    run: Run, node: Node, indices: Array, values: Array, shape: Array, truth_indices: Array, truth_values: Array, truth_shape: Array
) -> Array:
    if shape.shape != truth_shape.shape or shape.size < 2:
        raise InvalidArgumentError(
            None,
            None,
            f"hypothesis_shape and truth_shape must be vectors of the same length, 2 or more; got {list(shape.shape)} and {list(truth_shape.shape)}",
        )
    dims = tuple(np.maximum(shape, truth_shape)[:-1].tolist())
    groups: list[dict[tuple[int, ...], list[Any]]] = [{}, {}]
    for found, (places, items) in zip(groups, ((indices, values), (truth_indices, truth_values)), strict=True):
        for place, item in zip(places.tolist(), items.tolist(), strict=True):
            found.setdefault(tuple(place[:-1]), []).append(item)
    out = np.zeros(dims, np.float32)
    for place in {*groups[0], *groups[1]}:
        hypothesis, truth = (g.get(place, []) for g in groups)
        distance = float(_distance(truth, hypothesis))
        if node.attr["normalize"]:
            distance = distance / len(truth) if truth else math.inf if hypothesis else 0.0
        out[place] = distance
    return out
