"""Static shapes of connectionist temporal classification."""

from __future__ import annotations

from collections.abc import Sequence

from graphtools.graph import Dims, Node
from graphtools.shapes import shape
from graphtools.shapes.dims import merge_dim, with_rank


@shape("CTCLoss", "CTCLossV2")
def ctc_loss(node: Node) -> Sequence[Dims]:
    inputs = with_rank(node.inputs[0].dims, 3)
    with_rank(node.inputs[1].dims, 2)
    merge_dim(node.inputs[1].dims[0] if node.inputs[1].dims else None, with_rank(node.inputs[2].dims, 1)[0])
    batch = merge_dim(inputs[1], with_rank(node.inputs[3].dims, 1)[0])
    return [(batch,), (inputs[0], batch, inputs[2])]


@shape("CTCGreedyDecoder")
def ctc_greedy_decoder(node: Node) -> Sequence[Dims]:
    inputs = with_rank(node.inputs[0].dims, 3)
    batch = merge_dim(inputs[1], with_rank(node.inputs[1].dims, 1)[0])
    return [(None, 2), (None,), (2,), (batch, 1)]


@shape("CTCBeamSearchDecoder")
def ctc_beam_search_decoder(node: Node) -> Sequence[Dims]:
    inputs = with_rank(node.inputs[0].dims, 3)
    batch = merge_dim(inputs[1], with_rank(node.inputs[1].dims, 1)[0])
    paths = node.attr["top_paths"]
    return [*[(None, 2)] * paths, *[(None,)] * paths, *[(2,)] * paths, (batch, paths)]
