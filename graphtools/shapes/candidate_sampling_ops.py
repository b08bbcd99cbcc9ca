"""Static shapes of candidate sampling."""

from __future__ import annotations

from collections.abc import Sequence

from graphtools.graph import Dims, Node
from graphtools.shapes import shape
from graphtools.shapes.dims import with_rank


@shape(
    "AllCandidateSampler", "FixedUnigramCandidateSampler", "LearnedUnigramCandidateSampler", "LogUniformCandidateSampler",
    "ThreadUnsafeUnigramCandidateSampler", "UniformCandidateSampler",
)  # fmt: skip
def candidate_sampler(node: Node) -> Sequence[Dims]:
    batch = with_rank(node.inputs[0].dims, 2)[0]
    sampled: Dims = (node.attr["num_sampled"],)
    return [sampled, (batch, node.attr["num_true"]), sampled]


@shape("ComputeAccidentalHits")
def compute_accidental_hits(node: Node) -> Sequence[Dims]:
    with_rank(node.inputs[0].dims, 2)
    return [(None,), (None,), (None,)]
