"""Static shapes of the ops of tf.contrib.image and tf.contrib.resampler."""

from __future__ import annotations

from collections.abc import Sequence

from graphtools.constant import constant
from graphtools.graph import Dims, Node
from graphtools.shapes import shape
from graphtools.shapes.dims import merge_dim, with_rank


@shape("ImageProjectiveTransform")
@shape("AdjustHsvInYiq", "ImageConnectedComponents")
def unchanged(node: Node) -> Sequence[Dims]:
    return [node.inputs[0].dims]


@shape("ImageProjectiveTransformV2")
def image_projective_transform(node: Node) -> Sequence[Dims]:
    dims = with_rank(node.inputs[0].dims, 4)
    size = constant(node.inputs[2])
    height, width = (None, None) if size is None else (int(v) for v in size)
    return [(None, height, width, None) if dims is None else (dims[0], height, width, dims[3])]


@shape("BipartiteMatch")
def bipartite_match(node: Node) -> Sequence[Dims]:
    dims = with_rank(node.inputs[0].dims, 2) or (None, None)
    return [(dims[0],), (dims[1],)]


@shape("Resampler")
def resampler(node: Node) -> Sequence[Dims]:
    data, warp = with_rank(node.inputs[0].dims, 4), node.inputs[1].dims
    if warp is None:
        return [None]
    batch = merge_dim(data[0], warp[0]) if data is not None else warp[0]
    return [(batch, *warp[1:-1], None if data is None else data[3])]


@shape("ResamplerGrad")
def resampler_grad(node: Node) -> Sequence[Dims]:
    return [node.inputs[0].dims, node.inputs[1].dims]
