"""Host kernels of cuDNN's recurrent layers: the gradient, and the forward pass where dropout is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphtools.convert.rnn_ops import GATES, Layout
from graphtools.graph import Node
from runtime.errors import UnimplementedError
from runtime.host import Run, host

Array = NDArray[Any]


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)), x.dtype)


@dataclass(slots=True)
class _Weights:
    """The weights of one layer in one direction: gates are in rows, in cuDNN's order."""

    w: Array
    r: Array
    bw: Array
    br: Array


@dataclass(slots=True)
class _Step:
    """What a step back needs of the step forward."""

    x: Array
    h: Array
    c: Array
    gates: tuple[Array, ...]
    extra: Array
    live: Array


def _split(params: Array, layout: Layout) -> list[_Weights]:
    sizes = [a * b for a, b in layout.weights()] + [layout.units] * layout.biases()
    pieces = np.split(params, np.cumsum(sizes)[:-1])
    g, found = layout.gates, []
    weights = [p.reshape(s) for p, s in zip(pieces, layout.weights(), strict=False)]
    biases = pieces[len(weights) :]
    for i in range(layout.layers * layout.directions):
        at = i * 2 * g
        parts = (weights[at : at + g], weights[at + g : at + 2 * g], biases[at : at + g], biases[at + g : at + 2 * g])
        found.append(_Weights(*(np.concatenate(p) for p in parts)))
    return found


def _forward(mode: str, p: _Weights, xs: Array, h: Array, c: Array, live: Array, backward: bool) -> tuple[Array, Array, Array, list[_Step]]:
    """One layer in one direction over [time, batch, width]; the output stays zero, and the state as it is, where a row is not live."""
    out = np.zeros((*xs.shape[:2], h.shape[1]), xs.dtype)
    steps: list[_Step] = []
    for t in range(len(xs))[:: -1 if backward else 1]:
        x, on = xs[t], live[t][:, None]
        a, b = x @ p.w.T + p.bw, h @ p.r.T + p.br
        new_c = c
        gates: tuple[Any, ...]
        if mode == "lstm":
            i, f, g, o = np.split(a + b, 4, axis=1)
            i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
            new_c = f * c + i * g
            extra = np.tanh(new_c)
            gates, new_h = (i, f, g, o), o * extra
        elif mode == "gru":
            (ar, az, an), (br, bz, bn) = np.split(a, 3, axis=1), np.split(b, 3, axis=1)
            r, z = _sigmoid(ar + br), _sigmoid(az + bz)
            n = np.tanh(an + r * bn)
            gates, new_h, extra = (r, z, n), (1 - z) * n + z * h, bn
        else:
            new_h = np.maximum(a + b, 0) if mode == "rnn_relu" else np.tanh(a + b)
            gates, extra = (new_h,), new_h
        steps.append(_Step(x, h, c, gates, extra, on))
        out[t] = np.where(on, new_h, 0)
        h, c = np.where(on, new_h, h), np.where(on, new_c, c)
    return out, h, c, steps


def _backward(
    mode: str, p: _Weights, steps: list[_Step], dout: Array, dh: Array, dc: Array, backward: bool
) -> tuple[Array, Array, Array, _Weights]:
    d = _Weights(*(np.zeros_like(v) for v in (p.w, p.r, p.bw, p.br)))
    dxs = np.zeros((*dout.shape[:2], p.w.shape[1]), dout.dtype)
    times = list(range(len(dout))[:: -1 if backward else 1])
    for t, s in zip(times[::-1], steps[::-1], strict=True):
        total = np.where(s.live, dh + dout[t], 0)
        keep_h, keep_c = np.where(s.live, 0, dh), np.where(s.live, 0, dc)
        if mode == "lstm":
            i, f, g, o = s.gates
            cell = np.where(s.live, dc, 0) + total * o * (1 - s.extra**2)
            da = np.concatenate([cell * g * i * (1 - i), cell * s.c * f * (1 - f), cell * i * (1 - g**2), total * s.extra * o * (1 - o)], 1)
            db, dc = da, cell * f + keep_c
            through: Any = 0
        elif mode == "gru":
            r, z, n = s.gates
            dn = total * (1 - z) * (1 - n**2)
            dz, dr = total * (s.h - n) * z * (1 - z), dn * s.extra * r * (1 - r)
            da, db = np.concatenate([dr, dz, dn], 1), np.concatenate([dr, dz, dn * r], 1)
            through = total * z
        else:
            da = total * (s.extra > 0) if mode == "rnn_relu" else total * (1 - s.extra**2)
            db, through = da, 0
        dxs[t] = da @ p.w
        dh = db @ p.r + through + keep_h
        d.w += da.T @ s.x
        d.r += db.T @ s.h
        d.bw += da.sum(0)
        d.br += db.sum(0)
    return dxs, dh, dc, d


def _flat(grads: list[_Weights], layout: Layout, dtype: Any) -> Array:
    weights = [part.ravel() for d in grads for part in (*np.split(d.w, layout.gates), *np.split(d.r, layout.gates))]
    biases = [part for d in grads for part in (*np.split(d.bw, layout.gates), *np.split(d.br, layout.gates))]
    return np.concatenate([*weights, *biases]).astype(dtype)


@dataclass(slots=True)
class _Net:
    """A stack of layers with what its forward pass left."""

    mode: str
    layout: Layout
    weights: list[_Weights]
    live: Array
    masks: list[Array] = field(default_factory=list)
    steps: list[list[_Step]] = field(default_factory=list)

    def run(self, x: Array, h0: Array, c0: Array, mask: Callable[[int, Any], Any]) -> tuple[Array, Array, Array]:
        hs, cs = [], []
        n = self.layout.directions
        for layer in range(self.layout.layers):
            if layer:
                drawn = mask(layer, x)
                if drawn is not None:
                    x = x * drawn
            outs = []
            for at in range(layer * n, layer * n + n):
                c = c0[at] if self.mode == "lstm" else h0[at]
                out, h, c, steps = _forward(self.mode, self.weights[at], x, h0[at], c, self.live, at % n == 1)
                self.steps.append(steps)
                outs.append(out)
                hs.append(h)
                cs.append(c)
            x = np.concatenate(outs, axis=2)
        return x, np.stack(hs), np.stack(cs)


def _net(node: Node, x: Array, h0: Array, params: Array, lengths: Array | None) -> _Net:
    if node.attr["input_mode"] not in ("linear_input", "auto_select") or node.attr.get("num_proj"):
        raise UnimplementedError(None, None, f"Node {node.name!r}: only input_mode 'linear_input' without num_proj is supported.")
    mode, directions = node.attr["rnn_mode"], 2 if node.attr["direction"] == "bidirectional" else 1
    layout = Layout(h0.shape[0] // directions, directions, h0.shape[2], x.shape[2], GATES[mode][0])
    live = np.ones(x.shape[:2], bool) if lengths is None else np.arange(len(x))[:, None] < lengths[None, :]
    return _Net(mode, layout, _split(params, layout), live)


def _time_major(node: Node, *values: Array) -> tuple[Array, ...]:
    return values if node.attr.get("time_major", True) else tuple(v.swapaxes(0, 1) if v.ndim == 3 else v for v in values)


@host("CudnnRNN", "CudnnRNNV2", "CudnnRNNV3")
def cudnn_rnn(run: Run, node: Node, x: Array, h0: Array, c0: Array, params: Array, lengths: Array | None = None) -> tuple[Array, ...]:
    """With dropout between layers while training; the reserve space holds its masks for the gradient."""
    x, h0, c0 = _time_major(node, x, h0, c0)
    net = _net(node, x, h0, params, lengths)
    rate = float(node.attr["dropout"]) if node.attr["is_training"] else 0.0
    seeds = (node.attr["seed"], node.attr["seed2"])
    generator = np.random.default_rng(None if seeds == (0, 0) else [abs(int(s)) for s in seeds] + [int(abs(float(params[:1].sum())) * 1e6)])
    masks: list[Array] = []

    def mask(layer: int, values: Array) -> Array | None:
        if rate <= 0:
            return None
        masks.append((generator.random(values.shape) >= rate).astype(values.dtype) / values.dtype.type(1 - rate))
        return masks[-1]

    out, h, c = net.run(x, h0, c0, mask)
    out, h, c = _time_major(node, out, h, c)
    reserve = np.concatenate([m.ravel() for m in masks]) if masks else np.zeros(0, x.dtype)
    last_c = c if net.mode == "lstm" else np.zeros((), x.dtype)
    return (out, h, last_c, reserve, np.zeros(0, np.int8))[: len(node.outputs)]


@host("CudnnRNNBackprop", "CudnnRNNBackpropV2", "CudnnRNNBackpropV3")
def cudnn_rnn_backprop(run: Run, node: Node, *inputs: Array) -> tuple[Array, Array, Array, Array]:
    given = dict(zip((a.name for a in node.opdef.inputs), inputs, strict=True))  # type: ignore[union-attr]
    params, reserve = given["params"], given["reserve_space"]
    x, h0, c0, dout, dh, dc = _time_major(
        node, *(given[k] for k in ("input", "input_h", "input_c", "output_backprop", "output_h_backprop", "output_c_backprop"))
    )
    net = _net(node, x, h0, params, given.get("sequence_lengths"))
    n, layers = net.layout.directions, net.layout.layers
    masks: dict[int, Array] = {}

    def mask(layer: int, values: Array) -> Array | None:
        if not reserve.size:
            return None
        masks[layer] = reserve[(layer - 1) * values.size : layer * values.size].reshape(values.shape)
        return masks[layer]

    net.run(x, h0, c0, mask)
    if net.mode != "lstm":
        dc = np.zeros_like(dh)
    dh0, dc0 = np.zeros_like(h0), np.zeros_like(h0)
    grads: list[Any] = [None] * len(net.weights)
    for layer in reversed(range(layers)):
        dx: Any = 0
        for at in range(layer * n, layer * n + n):
            part = np.split(dout, n, axis=2)[at % n]
            dxs, dh0[at], dc0[at], grads[at] = _backward(net.mode, net.weights[at], net.steps[at], part, dh[at], dc[at], at % n == 1)
            dx = dx + dxs
        dout = dx * masks[layer] if layer in masks else dx
    dx, dh0, dc0 = _time_major(node, dout, dh0, dc0)
    return dx, dh0, dc0 if net.mode == "lstm" else np.zeros_like(given["input_c"]), _flat(grads, net.layout, params.dtype)
