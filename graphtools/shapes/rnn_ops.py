"""Static shapes of fused recurrent cells and layers."""

from __future__ import annotations

from collections.abc import Sequence

from graphtools.graph import Dims, Node
from graphtools.shapes import shape
from graphtools.shapes.dims import merge, with_rank


def _dim(dims: Dims, axis: int) -> int | None:
    return None if dims is None or len(dims) <= axis else dims[axis]


@shape("LSTMBlockCell")
def lstm_block_cell(node: Node) -> Sequence[Dims]:
    state = (_dim(node.inputs[0].dims, 0), _dim(node.inputs[1].dims, 1))
    return [state] * 7


@shape("LSTMBlockCellGrad")
def lstm_block_cell_grad(node: Node) -> Sequence[Dims]:
    units = _dim(node.inputs[1].dims, 1)
    batch = _dim(node.inputs[0].dims, 0)
    return [(batch, units), (batch, None if units is None else 4 * units), (units,), (units,), (units,)]


@shape("BlockLSTM", "BlockLSTMV2")
def block_lstm(node: Node) -> Sequence[Dims]:
    x = node.inputs[1].dims
    return [(_dim(x, 0), _dim(x, 1), _dim(node.inputs[2].dims, 1))] * 7


@shape("BlockLSTMGrad", "BlockLSTMGradV2")
def block_lstm_grad(node: Node) -> Sequence[Dims]:
    return [node.inputs[i].dims for i in (1, 2, 3, 4, 5, 6, 7, 8)]


@shape("GRUBlockCell")
def gru_block_cell(node: Node) -> Sequence[Dims]:
    state = (_dim(node.inputs[0].dims, 0), _dim(node.inputs[1].dims, 1))
    return [state] * 4


@shape("GRUBlockCellGrad")
def gru_block_cell_grad(node: Node) -> Sequence[Dims]:
    h = node.inputs[1].dims
    units = _dim(h, 1)
    return [node.inputs[0].dims, h, h, (_dim(h, 0), None if units is None else 2 * units)]


@shape("CudnnRNN", "CudnnRNNV2", "CudnnRNNV3")
def cudnn_rnn(node: Node) -> Sequence[Dims]:
    """The output is as the input, of as many units a direction as the state has."""
    x, h, c = (t.dims for t in node.inputs[:3])
    units = _dim(h, 2)
    directions = 2 if node.attr["direction"] == "bidirectional" else 1
    output = None if x is None or len(x) != 3 else (x[0], x[1], None if units is None else directions * units)
    return [output, h, c if node.attr["rnn_mode"] == "lstm" else (), (None,), (None,)][: len(node.outputs)]


@shape("CudnnRNNParamsSize")
def cudnn_params_size(node: Node) -> Sequence[Dims]:
    return [(1,)]


@shape("CudnnRNNCanonicalToParams", "CudnnRNNCanonicalToParamsV2")
def cudnn_to_params(node: Node) -> Sequence[Dims]:
    return [(None,)]


@shape("CudnnRNNParamsToCanonical", "CudnnRNNParamsToCanonicalV2")
def cudnn_from_params(node: Node) -> Sequence[Dims]:
    weights = int(node.attr.get("num_params_weights") or node.attr["num_params"])
    return [(None, None) if i < weights else (None,) for i in range(len(node.outputs))]


@shape("CudnnRNNBackprop", "CudnnRNNBackpropV2", "CudnnRNNBackpropV3")
def cudnn_rnn_backprop(node: Node) -> Sequence[Dims]:
    return [t.dims for t in node.inputs[:4]]


@shape("GatherTree")
def gather_tree(node: Node) -> Sequence[Dims]:
    return [merge(*(with_rank(t.dims, 3) for t in node.inputs[:2]))]
