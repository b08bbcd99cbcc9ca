"""Gradients of the ops that are a step of a recurrence, or all of them."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import int32
from graphtools.gradients import gradient
from graphtools.gradients.walk import Emit
from graphtools.graph import Node


def _known(tensor: Any, axis: int) -> int:
    """A dimension, -1 where it is not known (the rest, for Slice)."""
    dims = tensor.dims
    return -1 if dims is None or dims[axis] is None else int(dims[axis])


@gradient("LSTMBlockCell")
def lstm_block_cell(g: Emit, node: Node, dy: Any) -> Any:
    """LSTMBlockCellGrad gives dgates; d[x, h] = dgates W^T, dW = [x, h]^T dgates, db = sum dgates."""
    x, cs_prev, h_prev, w, wci, wcf, wco, b = node.inputs
    i, cs, f, o, ci, co, _ = node.outputs
    cs_prev_grad, dgates, dwci, dwcf, dwco = g.op(
        "LSTMBlockCellGrad",
        x,
        cs_prev,
        h_prev,
        w,
        wci,
        wcf,
        wco,
        b,
        i,
        cs,
        f,
        o,
        ci,
        co,
        dy[1],
        dy[6],
        use_peephole=node.attr["use_peephole"],
    )
    input_size, cell_size = _known(x, 1), _known(cs_prev, 1)
    if input_size < 0 or cell_size < 0:
        raise ValueError(
            f"Node {node.name!r}: the sizes of 'x' ({x.dims}) and of 'cs_prev' ({cs_prev.dims}) must be known for its gradient."
        )
    batch = _known(x, 0)
    dxh = g.op("MatMul", dgates, w, transpose_b=True)
    dx = g.op("Slice", dxh, g.const([0, 0], int32), g.const([batch, input_size], int32))
    dh = g.op("Slice", dxh, g.const([0, input_size], int32), g.const([batch, cell_size], int32))
    xh = g.op("ConcatV2", [x, h_prev], g.const(1, int32))
    dw = g.op("MatMul", xh, dgates, transpose_a=True)
    return dx, cs_prev_grad, dh, dw, dwci, dwcf, dwco, g.op("BiasAddGrad", dgates)


@gradient("BlockLSTM")
def block_lstm(g: Emit, node: Node, dy: Any) -> Any:
    grads = g.op("BlockLSTMGrad", *node.inputs, *node.outputs, dy[1], dy[6], use_peephole=node.attr["use_peephole"])
    return (None, *grads)


@gradient("GRUBlockCell")
def gru_block_cell(g: Emit, node: Node, dy: Any) -> Any:
    x, h_prev, w_ru, w_c, b_ru, b_c = node.inputs
    r, u, c, _ = node.outputs
    dx, dh_prev, dc_bar, dru_bar = g.op("GRUBlockCellGrad", x, h_prev, w_ru, w_c, b_ru, b_c, r, u, c, dy[3])
    xh = g.op("ConcatV2", [x, h_prev], g.const(1, int32))
    dw_ru = g.op("MatMul", xh, dru_bar, transpose_a=True)
    db_ru = g.op("BiasAddGrad", dru_bar)
    xhr = g.op("ConcatV2", [x, g.op("Mul", h_prev, r)], g.const(1, int32))
    dw_c = g.op("MatMul", xhr, dc_bar, transpose_a=True)
    return dx, dh_prev, dw_ru, dw_c, db_ru, g.op("BiasAddGrad", dc_bar)
