"""Recurrent layers that compute what cuDNN computes: one CudnnRNN op, which becomes one fused ONNX node, in place of a loop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphtools.formats.keras import Array, Call
from graphtools.graph import Tensor

# Keras's gates -> their places in cuDNN's order: LSTM i f c o in both; GRU z r h -> r z h.
_ORDERS = {"LSTM": (0, 1, 2, 3), "GRU": (1, 0, 2), "RNN": (0,)}


def mode_of(k: Call, kind: str, has_two_biases: bool) -> str | None:
    """The rnn_mode that does what a layer's config says; None where no mode does, or where steps may be masked."""
    c = k.config
    if k.mask is not None or c.get("unroll"):
        return None
    if k.layer.class_name.startswith("CuDNN"):
        return kind.lower()
    activation = c.get("activation", "tanh")
    if kind == "RNN":
        return {"relu": "rnn_relu", "tanh": "rnn_tanh"}.get(activation) if isinstance(activation, str) else None
    if activation != "tanh" or c.get("recurrent_activation", "hard_sigmoid") != "sigmoid":
        return None
    if kind == "GRU" and not (has_two_biases or (c.get("reset_after") and not c.get("use_bias", True))):
        return None
    return kind.lower()


def params_of(kind: str, kernel: Array, recurrent: Array, bias: Array | None, recurrent_bias: Array | None) -> Array:
    """The flat parameters in cuDNN's layout: each gate's matrices the other way round, then both biases of each gate."""
    order = _ORDERS[kind]
    gates = len(order)
    parts: list[Array] = []
    for matrix in (kernel, recurrent):
        split = np.split(matrix, gates, axis=1)
        parts += [split[i].T.reshape(-1) for i in order]
    for vector in (bias, recurrent_bias):
        split = np.split(np.zeros(kernel.shape[1], kernel.dtype) if vector is None else vector, gates)
        parts += [split[i] for i in order]
    return np.concatenate(parts)


def emit(k: Call, mode: str, params: Array, units: int, initial: Sequence[Tensor]) -> list[Tensor]:
    """The output (last, or all with return_sequences), then the final states."""
    x, rank = k.x, k.rank(k.x)
    if rank != 3:
        raise k.fail(f"has an input of shape {x.dims}; batch, steps and features were expected")
    wanted = 2 if mode == "lstm" else 1
    if initial and len(initial) != wanted:
        raise k.fail(f"is given {len(initial)} initial states; it has {wanted}")
    batch = k.size(x, 1 if k.config.get("time_major") else 0)
    by_time = x if k.config.get("time_major") else k.transpose(x, 1, 0, 2)
    if k.config.get("go_backwards"):
        by_time = k.reverse(by_time, 0)
    zeros = k.op("Fill", k.sizes([1, batch, units]), k.like(0, x))
    states = [k.expand(s, 0) for s in initial] or [zeros] * wanted
    cell = states[1] if wanted == 2 else zeros
    outputs, h, c, *_ = k.outputs(
        "CudnnRNN", by_time, states[0], cell, k.weight(0, "params", params), rnn_mode=mode, is_training=False, name="CudnnRNN"
    )
    outputs.dims = (by_time.dims[0] if by_time.dims else None, batch if isinstance(batch, int) else None, units)
    ends = [k.squeeze(s, 0) for s in ([h, c] if wanted == 2 else [h])]
    for end in ends:
        end.dims = outputs.dims[1:]
    if not k.config.get("return_sequences"):
        return [ends[0], *ends]
    return [outputs if k.config.get("time_major") else k.transpose(outputs, 1, 0, 2), *ends]
