"""Gradients of cuDNN's recurrent layers."""

from __future__ import annotations

from typing import Any

from graphtools.gradients import gradient
from graphtools.gradients.walk import Emit
from graphtools.graph import Node

SETTINGS = ("rnn_mode", "input_mode", "direction", "dropout", "seed", "seed2")


@gradient("CudnnRNN", "CudnnRNNV2", "CudnnRNNV3")
def cudnn_rnn(g: Emit, node: Node, dy: Any) -> Any:
    if not node.attr["is_training"]:
        raise ValueError("To use CudnnRNN in gradients, is_training must be set to True.")
    more = ("num_proj", "time_major") if node.op == "CudnnRNNV3" else ()
    attr = {k: node.attr[k] for k in (*SETTINGS, *more)}
    made = g.op(f"CudnnRNNBackprop{node.op[8:]}", *node.inputs, *node.outputs[:3], *dy[:3], *node.outputs[3:], **attr)
    return (*made, None) if node.op == "CudnnRNNV3" else tuple(made)
