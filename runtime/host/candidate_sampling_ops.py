"""Host kernels that pick candidate classes for sampled losses."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphtools.graph import Node
from runtime.errors import InvalidArgumentError, NotFoundError
from runtime.host import Run, host
from runtime.host.philox import Stream, WordReader

Array = NDArray[Any]


class _Uniform:
    def __init__(self, node: Node) -> None:
        self.range = _range_max(node)

    def sample(self, reader: WordReader) -> int:
        return reader.below64(self.range)

    def probability(self, value: int) -> float:
        return 1.0 / self.range

    def update(self, values: Iterable[int]) -> None:
        pass


class _LogUniform(_Uniform):
    """P(k) = log((k + 2) / (k + 1)) / log(range + 1)."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self.log_range = math.log1p(self.range)

    def sample(self, reader: WordReader) -> int:
        return (int(math.exp(reader.uniform_double() * self.log_range)) - 1) % self.range

    def probability(self, value: int) -> float:
        return math.log((value + 2.0) / (value + 1.0)) / self.log_range


class _LearnedUnigram(_Uniform):
    """P(k) is how often k has been a true class so far, plus one. Sums over blocks of classes keep a draw cheap."""

    BLOCK = 512

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        self.weights = np.ones(self.range, np.int64)
        self.blocks = np.add.reduceat(self.weights, np.arange(0, self.range, self.BLOCK))
        self.total = self.range

    def sample(self, reader: WordReader) -> int:
        target = reader.below(self.total)
        ends = np.cumsum(self.blocks)
        block = int(np.searchsorted(ends, target, side="right"))
        target -= int(ends[block] - self.blocks[block])
        start = block * self.BLOCK
        return start + int(np.searchsorted(np.cumsum(self.weights[start : start + self.BLOCK]), target, side="right"))

    def probability(self, value: int) -> float:
        return float(np.float32(self.weights[value]) / np.float32(self.total))

    def update(self, values: Iterable[int]) -> None:
        for value in values:
            if self.total >= 2**31 - 1:
                return
            self.weights[value] += 1
            self.blocks[value // self.BLOCK] += 1
            self.total += 1


class _FixedUnigram(_Uniform):
    """P(k) is weight(k) ** distortion over their sum, drawn by the alias method."""

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        a = node.attr
        if bool(a["vocab_file"]) == bool(a["unigrams"]):
            raise InvalidArgumentError(None, None, "Must provide either vocab_file or unigrams, and only one of them.")
        shards, shard = a["num_shards"], a["shard"]
        given = _vocabulary_weights(a["vocab_file"]) if a["vocab_file"] else a["unigrams"]
        reserved = a["num_reserved_ids"]
        self.weights = [0.0 for word in range(reserved) if word % shards == shard]
        # The words' numbers go on from those of this shard's reserved ones, as TensorFlow counts them.
        first = len(self.weights)
        self.total = np.float32(0)
        for word, weight in enumerate(given, first):
            if word % shards == shard:
                distorted = np.float32(math.pow(np.float32(weight), np.float32(a["distortion"])))
                self.total += distorted
                self.weights.append(float(distorted))
        if len(self.weights) != self.range:
            raise InvalidArgumentError(None, None, f"range is {self.range} must be equal to weights size  {len(self.weights)}")
        self.keep, self.alias = _alias_table(self.weights)

    def sample(self, reader: WordReader) -> int:
        r = reader.uniform_float()
        i = reader.below(len(self.keep))
        return i if r < self.keep[i] else self.alias[i]

    def probability(self, value: int) -> float:
        return float(np.float32(self.weights[value]) / self.total)


def _range_max(node: Node) -> int:
    range_max = node.attr["range_max"]
    if range_max <= 0:
        raise InvalidArgumentError(None, None, f"range_max must be positive, not {range_max}.")
    return int(range_max)


def _vocabulary_weights(path: str) -> list[float]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as f:
            lines = f.read().splitlines()
    except FileNotFoundError as e:
        raise NotFoundError(None, None, f"{path}; No such file or directory") from e
    weights = []
    for line in lines:
        try:
            weights.append(float(line.rsplit(",", 1)[-1]))
        except ValueError as e:
            raise InvalidArgumentError(None, None, f"Wrong vocabulary format at line: {line}") from e
    return weights


def _alias_table(weights: list[float]) -> tuple[list[float], list[int]]:
    """For each slot the chance of keeping it, and what to take otherwise."""
    count = len(weights)
    total = sum(weights)
    share = [float(np.float32(w) * np.float32(count)) / total for w in weights]
    alias = [-1] * count
    low = [i for i, p in enumerate(share) if p < 1.0]
    high = [i for i, p in enumerate(share) if p >= 1.0]
    while high and low:
        small, big = low.pop(), high.pop()
        alias[small] = big
        share[big] -= 1.0 - share[small]
        (low if share[big] < 1.0 else high).append(big)
    keep = np.array(share, np.float32).tolist()
    for i in high + low:  # near 1, but for rounding
        keep[i], alias[i] = 1.0, i
    return keep, alias


class _Sampler:
    """What a node keeps between runs: its stream and its distribution."""

    def __init__(self, node: Node, make: Callable[[Node], _Uniform]) -> None:
        self.stream = Stream(node.attr["seed"], node.attr["seed2"])
        self.distribution = make(node)
        self.lock = threading.Lock()


_DISTRIBUTIONS: dict[str, Callable[[Node], _Uniform]] = {
    "FixedUnigramCandidateSampler": _FixedUnigram,
    "LearnedUnigramCandidateSampler": _LearnedUnigram,
    "LogUniformCandidateSampler": _LogUniform,
    "ThreadUnsafeUnigramCandidateSampler": _LearnedUnigram,
    "UniformCandidateSampler": _Uniform,
}


def _expected_counts(distribution: _Uniform, values: list[int], size: int, tries: int) -> NDArray[np.float32]:
    """Drawn with repetition: p * size. Unique: 1 - (1 - p) ** tries, tries being how many draws it took."""
    known: dict[int, float] = {}
    for value in values:
        if value not in known:
            known[value] = distribution.probability(value)
    p = np.array([known[v] for v in values], np.float32)
    if tries == size:
        return p * np.float32(size)
    logs = np.log1p(-p.astype(np.float64)).astype(np.float32)
    return -np.expm1((np.float32(tries) * logs).astype(np.float64)).astype(np.float32)


def _check_classes(node: Node, classes: Array) -> None:
    if classes.ndim != 2:
        raise InvalidArgumentError(None, None, f"true_classes must be a matrix, got shape {list(classes.shape)}")
    if classes.shape[1] != node.attr["num_true"]:
        raise InvalidArgumentError(
            None, None, f"true_classes must have num_true columns, expected: {classes.shape[1]} was: {node.attr['num_true']}"
        )


@host(*_DISTRIBUTIONS)
def sample_candidates(run: Run, node: Node, classes: Array) -> tuple[Array, Array, Array]:
    _check_classes(node, classes)
    sampler = run.kernel_state(node, lambda: _Sampler(node, _DISTRIBUTIONS[node.op]))
    distribution = sampler.distribution
    size, true_classes = node.attr["num_sampled"], classes.ravel().tolist()
    if node.attr["unique"] and size > distribution.range:
        raise InvalidArgumentError(None, None, "Sampler's range is too small.")
    for value in true_classes:
        if not 0 <= value < distribution.range:
            raise InvalidArgumentError(None, None, f"`true_candidate` out of range [0, {distribution.range}), received {value}")
    reader = WordReader(sampler.stream.reserve_words(2048 * size))
    with sampler.lock:
        tries = size
        if node.attr["unique"]:
            picked: dict[int, None] = {}
            tries = 0
            while len(picked) < size:
                tries += 1
                picked[distribution.sample(reader)] = None
            sampled = list(picked)
        else:
            sampled = [distribution.sample(reader) for _ in range(size)]
        true_counts = _expected_counts(distribution, true_classes, size, tries)
        sampled_counts = _expected_counts(distribution, sampled, size, tries)
        distribution.update(true_classes)
    return np.array(sampled, np.int64), true_counts.reshape(classes.shape), sampled_counts


@host("AllCandidateSampler")
def all_candidates(run: Run, node: Node, classes: Array) -> tuple[Array, Array, Array]:
    _check_classes(node, classes)
    size = node.attr["num_sampled"]
    return np.arange(size, dtype=np.int64), np.ones(classes.shape, np.float32), np.ones(size, np.float32)


@host("ComputeAccidentalHits")
def compute_accidental_hits(run: Run, node: Node, classes: Array, sampled: Array) -> tuple[Array, Array, Array]:
    """Where a sampled candidate is a true class: (row, its last position among the sampled, the lowest float)."""
    _check_classes(node, classes)
    if sampled.ndim != 1:
        raise InvalidArgumentError(None, None, f"sampled_candidates must be a vector, got shape {list(sampled.shape)}")
    if not sampled.size:
        return np.empty(0, np.int32), np.empty(0, np.int64), np.empty(0, np.float32)
    order = np.argsort(sampled, kind="stable")
    place = np.searchsorted(sampled[order], classes, side="right") - 1
    last = order[np.maximum(place, 0)]
    rows, columns = np.nonzero((place >= 0) & (sampled[last] == classes))
    ids = last[rows, columns].astype(np.int64)
    return rows.astype(np.int32), ids, np.full(len(rows), np.finfo(np.float32).min, np.float32)
