"""Static shapes of random numbers."""

from __future__ import annotations

from collections.abc import Sequence

from graphtools.constant import constant, constant_as_shape
from graphtools.graph import Dims, Node
from graphtools.shapes import shape
from graphtools.shapes.dims import broadcast, with_rank

# Filled with numbers to the shape in the first input.
SHAPED = (
    "ParameterizedTruncatedNormal", "RandomStandardNormal", "RandomUniform", "RandomUniformInt", "StatelessRandomNormal",
    "StatelessRandomUniform", "StatelessRandomUniformInt", "StatelessRandomUniformFullInt", "StatelessTruncatedNormal", "TruncatedNormal",
    "StatelessRandomNormalV2", "StatelessRandomUniformV2", "StatelessRandomUniformIntV2", "StatelessTruncatedNormalV2",
)  # fmt: skip


@shape(*SHAPED)
def shaped(node: Node) -> Sequence[Dims]:
    return [constant_as_shape(node.inputs[0])]


@shape(
    "StatefulStandardNormal",
    "StatefulStandardNormalV2",
    "StatefulTruncatedNormal",
    "StatefulUniform",
    "StatefulUniformInt",
    "StatefulUniformFullInt",
)
def stateful(node: Node) -> Sequence[Dims]:
    position = 1 if node.op == "StatefulStandardNormal" else 2
    return [constant_as_shape(node.inputs[position])]


@shape("RandomGamma", "RandomPoisson", "RandomPoissonV2")
def one_sample_for_each(node: Node) -> Sequence[Dims]:
    dims, parameter = constant_as_shape(node.inputs[0]), node.inputs[1].dims
    return [None if dims is None or parameter is None else (*dims, *parameter)]


@shape("RandomShuffle")
def random_shuffle(node: Node) -> Sequence[Dims]:
    return [node.inputs[0].dims]


@shape("RandomGammaGrad")
def random_gamma_grad(node: Node) -> Sequence[Dims]:
    return [broadcast(node.inputs[0].dims, node.inputs[1].dims)]


@shape("Multinomial", "StatelessMultinomial")
def multinomial(node: Node) -> Sequence[Dims]:
    logits = with_rank(node.inputs[0].dims, 2)
    with_rank(node.inputs[1].dims, 0)
    batch, count = logits[0], constant(node.inputs[1])
    return [(batch, None if count is None else int(count))]
