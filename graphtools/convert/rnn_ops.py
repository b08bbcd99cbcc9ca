"""Fused recurrent cells and layers: LSTMBlockCell, BlockLSTM, GRUBlockCell, CudnnRNN, and the gradients of the first three."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import converts
from graphtools.convert.builder import Builder, Value
from graphtools.dtypes import float32, int32, int64
from graphtools.graph import Dims

if TYPE_CHECKING:
    from graphtools.convert.walk import NodeView

ICFO = ("i", "ci", "f", "o")  # the order of the gates in LSTMBlockCell and BlockLSTM
IFCO = ("i", "f", "ci", "o")  # and in BlockLSTMV2


@dataclass(frozen=True, slots=True)
class Cell:
    """What an LSTM's op says about its arithmetic."""

    order: tuple[str, ...]
    forget_bias: float
    clip: float
    peepholes: tuple[Value, Value, Value] | None  # wci, wcf, wco


def cell_of(node: NodeView) -> Cell:
    peepholes = (node.input("wci"), node.input("wcf"), node.input("wco")) if node.attr["use_peephole"] else None
    order = IFCO if node.op.endswith("V2") else ICFO
    return Cell(order, float(node.attr.get("forget_bias", 0.0)), float(node.attr.get("cell_clip", 0.0)), peepholes)


def lstm_step(op: Builder, cell: Cell, gates: Value, cs_prev: Value) -> dict[str, Value]:
    """gates = [x, h] w + b; i, f, o = sigmoid, with peepholes from cs_prev (i, f) and cs (o); cs = tanh(ci) i + cs_prev f; h = tanh(cs) o."""
    parts = dict(zip(cell.order, op.append("Split", [gates], {"axis": 1, "num_outputs": 4}, outputs=4), strict=True))
    for part in parts.values():
        part.dims = cs_prev.dims
    i, f, o = parts["i"], parts["f"], parts["o"]
    if cell.forget_bias:
        f = op.Add(f, cell.forget_bias)
    if cell.peepholes:
        i = op.Add(i, op.Mul(cs_prev, cell.peepholes[0]))
        f = op.Add(f, op.Mul(cs_prev, cell.peepholes[1]))
    i, f, ci = op.Sigmoid(i), op.Sigmoid(f), op.Tanh(parts["ci"])
    cs = op.Add(op.Mul(ci, i), op.Mul(cs_prev, f))
    if cell.clip > 0:
        cs = op.Min(op.Max(cs, -cell.clip), cell.clip) if cs.dtype is not float32 else op.Clip(cs, -cell.clip, cell.clip)
    if cell.peepholes:
        o = op.Add(o, op.Mul(cs, cell.peepholes[2]))
    o = op.Sigmoid(o)
    co = op.Tanh(cs)
    return {"i": i, "cs": cs, "f": f, "o": o, "ci": ci, "co": co, "h": op.Mul(co, o)}


def lstm_step_gradient(
    op: Builder, cell: Cell, forward: dict[str, Value], cs_prev: Value, cs_grad: Value, h_grad: Value
) -> tuple[Value, dict[str, Value]]:
    """The gradients of cs_prev and of the four gates before their activations."""
    i, f, o, ci, co = (forward[k] for k in ("i", "f", "o", "ci", "co"))
    do = op.Mul(op.Mul(o, op.Sub(_one(op, o), o)), op.Mul(h_grad, co))
    dcs = op.Add(op.Mul(op.Sub(_one(op, co), op.Mul(co, co)), op.Mul(h_grad, o)), cs_grad)
    if cell.peepholes:
        dcs = op.Add(dcs, op.Mul(do, cell.peepholes[2]))
    dci = op.Mul(op.Sub(_one(op, ci), op.Mul(ci, ci)), op.Mul(dcs, i))
    df = op.Mul(op.Mul(f, op.Sub(_one(op, f), f)), op.Mul(dcs, cs_prev))
    di = op.Mul(op.Mul(i, op.Sub(_one(op, i), i)), op.Mul(dcs, ci))
    cs_prev_grad = op.Mul(dcs, f)
    if cell.peepholes:
        cs_prev_grad = op.Add(cs_prev_grad, op.Add(op.Mul(di, cell.peepholes[0]), op.Mul(df, cell.peepholes[1])))
    return cs_prev_grad, {"i": di, "f": df, "ci": dci, "o": do}


def _one(op: Builder, like: Value) -> Value:
    return op.const(np.ones((), like.dtype.as_numpy_dtype))


@converts("LSTMBlockCell")
def lstm_block_cell(op: Builder, node: NodeView) -> Any:
    x, cs_prev, h_prev = node.input("x"), node.input("cs_prev"), node.input("h_prev")
    gates = op.Add(op.MatMul(op.Concat(x, h_prev, axis=1), node.input("w")), node.input("b"))
    values = lstm_step(op, cell_of(node), gates, cs_prev)
    return [values[k] for k in ("i", "cs", "f", "o", "ci", "co", "h")]


@converts("LSTMBlockCellGrad")
def lstm_block_cell_grad(op: Builder, node: NodeView) -> Any:
    cell, cs_prev = cell_of(node), node.input("cs_prev")
    forward = {k: node.input(k) for k in ("i", "cs", "f", "o", "ci", "co")}
    cs_prev_grad, d = lstm_step_gradient(op, cell, forward, cs_prev, node.input("cs_grad"), node.input("h_grad"))
    return [cs_prev_grad, op.Concat(*(d[k] for k in ICFO), axis=1), *_peephole_gradients(op, node, cell, d, cs_prev, forward["cs"], [0])]


def _peephole_gradients(
    op: Builder, node: NodeView, cell: Cell, d: dict[str, Value], cs_prev: Value, cs: Value, axes: list[int]
) -> list[Value]:
    if not cell.peepholes:
        return [op.Mul(node.input(w), op.const(np.zeros((), cs.dtype.as_numpy_dtype))) for w in ("wci", "wcf", "wco")]
    products = (op.Mul(d["i"], cs_prev), op.Mul(d["f"], cs_prev), op.Mul(d["o"], cs))
    return [op.ReduceSum(p, op.const(axes), keepdims=0) for p in products]


# -- BlockLSTM --------------------------------------------------------------------------------------------------------


def _live_steps(op: Builder, node: NodeView) -> tuple[Value, Value | None, Value | None]:
    """x cut to seq_len_max steps, the number of steps kept, and the number cut off; None for both where all are kept."""
    x = node.input("x")
    limit = node.maybe_const("seq_len_max")
    steps = None if x.dims is None else x.dims[0]
    if limit is not None and steps is not None and int(limit) >= steps:
        return x, None, None
    count = op.Min(op.Reshape(op.cast(node.input("seq_len_max"), int64), [1]), op.Shape(x, start=0, end=1))
    return op.Slice(x, [0], count, [0]), count, op.Sub(op.Shape(x, start=0, end=1), count)


def _padded(op: Builder, value: Value, missing: Value | None) -> Value:
    """Zeros for the steps that were cut off at the end."""
    if missing is None:
        return value
    zeros = op.const(np.zeros(5, np.int64))
    result: Value = op.Pad(value, op.Concat(op.Slice(zeros, [0], [3], [0]), missing, op.Slice(zeros, [0], [2], [0]), axis=0))
    return result


def scan(
    op: Builder, states: Sequence[Value], inputs: Sequence[Value], outputs: int, build: Any, *, backward: bool = False
) -> tuple[Value, ...]:
    """An ONNX Scan over the first axis of `inputs`: build(body, states, elements) -> (next states, elements of the outputs).

    Gives the last states, then the outputs, each stacked; with `backward` it goes from the last element to the first.
    """
    body = op.subgraph()
    before = [body.input("state", s.dtype, s.dims) for s in states]
    elements = [body.input("element", v.dtype, None if v.dims is None else v.dims[1:]) for v in inputs]
    after, results = build(body, before, elements)
    for value, state in zip(after, states, strict=True):
        body.output(value).dims = state.dims
    kept = [body.output(v) for v in results]
    attrs: dict[str, Any] = {"body": body, "num_scan_inputs": len(inputs)}
    if backward:
        attrs |= {"scan_input_directions": [1] * len(inputs), "scan_output_directions": [1] * outputs}
    made = op.append("Scan", [*states, *inputs], attrs, outputs=len(states) + outputs)
    values: tuple[Value, ...] = made if isinstance(made, tuple) else (made,)
    steps = inputs[0].dims[0] if inputs[0].dims is not None else None
    for value, state in zip(values, states, strict=False):
        value.dtype, value.dims = state.dtype, state.dims
    for value, inside in zip(values[len(states) :], kept, strict=True):
        value.dtype, value.dims = inside.dtype, None if inside.dims is None else (steps, *inside.dims)
    return values


def _input_size(node: NodeView) -> int:
    """How many rows of w belong to x."""
    for dims in (node.tensor("x").dims, node.input("x").dims):
        size = None if dims is None else dims[-1]
        if size is not None:
            return int(size)
    w, h = node.input("w").dims, node.input("h_prev").dims
    if w is not None and w[0] is not None and h is not None and h[-1] is not None:
        return int(w[0] - h[-1])
    raise node.fail("the size of its input x must be known.")


@converts("BlockLSTM", "BlockLSTMV2")
def block_lstm(op: Builder, node: NodeView) -> Any:
    """The products with x are one MatMul before the Scan; steps from seq_len_max on give zeros."""
    cell, size = cell_of(node), _input_size(node)
    x, _, missing = _live_steps(op, node)
    w = node.input("w")
    w_x, w_h = op.Slice(w, [0], [size], [0]), op.Slice(w, [size], [np.iinfo(np.int64).max], [0])
    gates_x = op.Add(op.MatMul(x, w_x), node.input("b"))
    names = ("i", "cs", "f", "o", "ci", "co", "h")

    def step(body: Builder, states: list[Value], elements: list[Value]) -> tuple[list[Value], list[Value]]:
        cs, h = states
        values = lstm_step(body, cell, body.Add(elements[0], body.MatMul(h, w_h)), cs)
        return [values["cs"], values["h"]], [values[k] for k in names]

    results = scan(op, [node.input("cs_prev"), node.input("h_prev")], [gates_x], len(names), step)
    return [_padded(op, v, missing) for v in results[2:]]


@converts("BlockLSTMGrad", "BlockLSTMGradV2")
def block_lstm_grad(op: Builder, node: NodeView) -> Any:
    """Backwards through time; the weights' gradients are one product over all steps after the Scan."""
    cell, size = cell_of(node), _input_size(node)
    x, count, missing = _live_steps(op, node)
    w, cs_0, h_0 = node.input("w"), node.input("cs_prev"), node.input("h_prev")

    def live(name: str) -> Any:
        value = node.input(name)
        return value if count is None else op.Slice(value, [0], count, [0])

    forward = {k: live(k) for k in ("i", "cs", "f", "o", "ci", "co", "h")}

    def shifted(value: Value, first: Value) -> Value:
        result: Value = op.Concat(op.Unsqueeze(first, [0]), op.Slice(value, [0], [-1], [0]), axis=0)
        return result

    cs_prev, h_prev = shifted(forward["cs"], cs_0), shifted(forward["h"], h_0)
    names = ("i", "cs", "f", "o", "ci", "co")
    w_h = op.Transpose(op.Slice(w, [size], [np.iinfo(np.int64).max], [0]), perm=[1, 0])

    def step(body: Builder, states: list[Value], elements: list[Value]) -> tuple[list[Value], list[Value]]:
        cs_grad, h_grad = states
        here = dict(zip(names, elements, strict=False))
        cs_before, cs_out, h_out = elements[len(names) :]
        cs_grad, d = lstm_step_gradient(body, cell, here, cs_before, body.Add(cs_out, cs_grad), body.Add(h_out, h_grad))
        gates = body.Concat(*(d[k] for k in cell.order), axis=1)
        return [cs_grad, body.MatMul(gates, w_h)], [gates]

    zero = op.const(np.zeros((), x.dtype.as_numpy_dtype))
    inputs = [*(forward[k] for k in names), cs_prev, live("cs_grad"), live("h_grad")]
    cs_grad, h_grad, gates = scan(op, [op.Mul(cs_0, zero), op.Mul(h_0, zero)], inputs, 1, step, backward=True)
    x_grad = op.MatMul(gates, op.Transpose(op.Slice(w, [0], [size], [0]), perm=[1, 0]))
    xh = op.Concat(x, h_prev, axis=2)
    rows = op.Concat(op.const([-1]), op.Shape(xh, start=2), axis=0)
    flat = op.Reshape(gates, op.Concat(op.const([-1]), op.Shape(gates, start=2), axis=0))
    w_grad = op.MatMul(op.Transpose(op.Reshape(xh, rows), perm=[1, 0]), flat)
    b_grad = op.ReduceSum(flat, op.const([0]), keepdims=0)
    d = dict(zip(cell.order, op.append("Split", [gates], {"axis": 2, "num_outputs": 4}, outputs=4), strict=True))
    peepholes = _peephole_gradients(op, node, cell, d, cs_prev, forward["cs"], [0, 1])
    return [_padded(op, x_grad, missing), cs_grad, h_grad, w_grad, *peepholes, b_grad]


# -- GRUBlockCell -----------------------------------------------------------------------------------------------------


@converts("GRUBlockCell")
def gru_block_cell(op: Builder, node: NodeView) -> Any:
    """r, u = sigmoid([x, h] w_ru + b_ru); c = tanh([x, r h] w_c + b_c); h' = u h + (1 - u) c."""
    x, h = node.input("x"), node.input("h_prev")
    both = op.Sigmoid(op.Add(op.MatMul(op.Concat(x, h, axis=1), node.input("w_ru")), node.input("b_ru")))
    r, u = op.append("Split", [both], {"axis": 1, "num_outputs": 2}, outputs=2)
    r.dims = u.dims = h.dims
    c = op.Tanh(op.Add(op.MatMul(op.Concat(x, op.Mul(r, h), axis=1), node.input("w_c")), node.input("b_c")))
    return [r, u, c, op.Add(op.Mul(u, h), op.Mul(op.Sub(_one(op, u), u), c))]


@converts("GRUBlockCellGrad")
def gru_block_cell_grad(op: Builder, node: NodeView) -> Any:
    x, h, w_ru, w_c = (node.input(k) for k in ("x", "h_prev", "w_ru", "w_c"))
    r, u, c, d_h = (node.input(k) for k in ("r", "u", "c", "d_h"))
    size = _input_size_of(x, h, w_c, node)

    def halves(value: Value) -> tuple[Value, Value]:
        """The parts that belong to x and to h."""
        return op.Slice(value, [0], [size], [1]), op.Slice(value, [size], [np.iinfo(np.int64).max], [1])

    d_c_bar = op.Mul(op.Mul(d_h, op.Sub(_one(op, u), u)), op.Sub(_one(op, c), op.Mul(c, c)))
    d_u_bar = op.Mul(op.Mul(d_h, op.Sub(h, c)), op.Mul(u, op.Sub(_one(op, u), u)))
    d_x_c, d_hr = halves(op.MatMul(d_c_bar, op.Transpose(w_c, perm=[1, 0])))
    d_r_bar = op.Mul(op.Mul(d_hr, h), op.Mul(r, op.Sub(_one(op, r), r)))
    d_ru = op.Concat(d_r_bar, d_u_bar, axis=1)
    d_x_ru, d_h_ru = halves(op.MatMul(d_ru, op.Transpose(w_ru, perm=[1, 0])))
    d_h_prev = op.Add(op.Add(d_h_ru, op.Mul(d_hr, r)), op.Mul(d_h, u))
    return [op.Add(d_x_c, d_x_ru), d_h_prev, d_c_bar, d_ru]


def _input_size_of(x: Value, h: Value, w: Value, node: NodeView) -> int:
    if x.dims is not None and x.dims[-1] is not None:
        return int(x.dims[-1])
    if w.dims is not None and w.dims[0] is not None and h.dims is not None and h.dims[-1] is not None:
        return int(w.dims[0] - h.dims[-1])
    raise node.fail("the size of its input x must be known.")


# -- cuDNN ------------------------------------------------------------------------------------------------------------

# rnn_mode -> gates in cuDNN's order, and where ONNX's gates are among them (ONNX: LSTM iofc, GRU zrh; cuDNN: i f c o, r z h).
GATES = {"lstm": (4, (0, 3, 1, 2)), "gru": (3, (1, 0, 2)), "rnn_relu": (1, (0,)), "rnn_tanh": (1, (0,))}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each weight and bias is in cuDNN's flat parameters: all weights of all layers first, then all biases."""

    layers: int
    directions: int
    units: int
    inputs: int
    gates: int

    def widths(self) -> list[int]:
        """The input width of each layer and direction."""
        return [self.inputs if layer == 0 else self.units * self.directions for layer in range(self.layers) for _ in range(self.directions)]

    def weights(self) -> list[tuple[int, int]]:
        """The shapes of the weights in order: for each layer and direction those of the inputs, then the recurrent ones."""
        return [shape for width in self.widths() for shape in [(self.units, width)] * self.gates + [(self.units, self.units)] * self.gates]

    def biases(self) -> int:
        """How many biases follow; two for each gate."""
        return self.layers * self.directions * self.gates * 2

    def size(self) -> int:
        return sum(a * b for a, b in self.weights()) + self.biases() * self.units


def _check_mode(node: NodeView) -> int:
    if node.attr["input_mode"] not in ("linear_input", "auto_select"):
        raise node.fail(f"input_mode {node.attr['input_mode']!r} is not supported: only 'linear_input' is.")
    if node.attr.get("num_proj"):
        raise node.fail("a projection (num_proj) has no equal in ONNX's LSTM.")
    return 2 if node.attr["direction"] == "bidirectional" else 1


def _known(dims: Dims, axis: int, node: NodeView, what: str) -> int:
    if dims is None or dims[axis] is None:
        raise node.fail(f"{what} must be known.")
    return int(dims[axis])  # type: ignore[arg-type]


@converts("CudnnRNN", "CudnnRNNV2", "CudnnRNNV3")
def cudnn_rnn(op: Builder, node: NodeView) -> Any:
    """One ONNX LSTM, GRU or RNN a layer; the reserve space, which only gradients read, is empty. Dropout is that of inference."""
    directions = _check_mode(node)
    mode = node.attr["rnn_mode"]
    gates, order = GATES[mode]
    x, h0, c0 = node.input("input"), node.input("input_h"), node.input("input_c")
    if node.attr["is_training"] and node.attr["dropout"] > 0:
        raise node.fail(f"dropout {node.attr['dropout']} in training draws from cuDNN's random numbers, which ONNX does not reproduce.")
    lengths = op.cast(node.input("sequence_lengths"), int32) if node.op == "CudnnRNNV3" else None
    time_major = node.attr.get("time_major", True)
    if not time_major:
        x = op.Transpose(x, perm=[1, 0, 2])
        h0 = op.Transpose(h0, perm=[1, 0, 2])
        c0 = op.Transpose(c0, perm=[1, 0, 2]) if mode == "lstm" else c0
    units = _known(h0.dims, 2, node, "the number of its units")
    stacked = _known(h0.dims, 0, node, "the number of its layers")
    layout = Layout(stacked // directions, directions, units, _known(x.dims, 2, node, "the size of its input"), gates)
    params = node.input("params")
    sizes = [a * b for a, b in layout.weights()] + [units] * layout.biases()
    pieces = list(op.append("Split", [params, op.const(sizes)], {"axis": 0}, outputs=len(sizes))) if len(sizes) > 1 else [params]
    weights = [op.Reshape(p, list(s)) for p, s in zip(pieces, layout.weights(), strict=False)]
    biases = pieces[len(weights) :]
    last_h, last_c = [], []
    kind = {"lstm": "LSTM", "gru": "GRU"}.get(mode, "RNN")
    attrs: dict[str, Any] = {"hidden_size": units, "direction": "bidirectional" if directions == 2 else "forward"}
    if kind == "RNN":
        attrs["activations"] = ["Relu" if mode == "rnn_relu" else "Tanh"] * directions
    if kind == "GRU":
        attrs["linear_before_reset"] = 1
    for layer in range(layout.layers):
        w, r, b = [], [], []
        for direction in range(directions):
            at = (layer * directions + direction) * gates * 2
            w.append(op.Unsqueeze(op.Concat(*(weights[at + k] for k in order), axis=0), [0]))
            r.append(op.Unsqueeze(op.Concat(*(weights[at + gates + k] for k in order), axis=0), [0]))
            b.append(op.Unsqueeze(op.Concat(*(biases[at + k] for k in order), *(biases[at + gates + k] for k in order), axis=0), [0]))
        start = [layer * directions]
        end = [layer * directions + directions]
        inputs = [x, *(v[0] if directions == 1 else op.Concat(*v, axis=0) for v in (w, r, b)), lengths, op.Slice(h0, start, end, [0])]
        if kind == "LSTM":
            inputs.append(op.Slice(c0, start, end, [0]))
        made = op.append(kind, inputs, attrs, outputs=3 if kind == "LSTM" else 2)
        steps, batch = (None, None) if x.dims is None else x.dims[:2]
        made[0].dims = (steps, directions, batch, units)
        for value in made[1:]:
            value.dims = (directions, batch, units)
        last_h.append(made[1])
        if kind == "LSTM":
            last_c.append(made[2])
        x = op.Reshape(op.Transpose(made[0], perm=[0, 2, 1, 3]), [0, 0, directions * units])
        x.dims = (steps, batch, directions * units)
    output_h = last_h[0] if len(last_h) == 1 else op.Concat(*last_h, axis=0)
    output_c = (last_c[0] if len(last_c) == 1 else op.Concat(*last_c, axis=0)) if last_c else op.const(np.zeros((), x.dtype.as_numpy_dtype))
    if not time_major:
        x, output_h = op.Transpose(x, perm=[1, 0, 2]), op.Transpose(output_h, perm=[1, 0, 2])
        output_c = op.Transpose(output_c, perm=[1, 0, 2]) if last_c else output_c
    nothing = op.const(np.zeros(0, params.dtype.as_numpy_dtype))
    return [x, output_h, output_c, nothing, op.const(np.zeros(0, np.int8))][: len(node.outputs)]


def _layout_of(node: NodeView) -> Layout:
    sizes = [int(node.const(k)) for k in ("num_layers", "num_units", "input_size")]
    return Layout(sizes[0], _check_mode(node), sizes[1], sizes[2], GATES[node.attr["rnn_mode"]][0])


@converts("CudnnRNNParamsSize")
def cudnn_params_size(op: Builder, node: NodeView) -> Any:
    return op.const(np.array([_layout_of(node).size()], node.dtype.as_numpy_dtype))


@converts("CudnnRNNCanonicalToParams", "CudnnRNNCanonicalToParamsV2")
def cudnn_to_params(op: Builder, node: NodeView) -> Any:
    flat = [op.Reshape(v, [-1]) for v in (*node.input("weights"), *node.input("biases"))]
    return flat[0] if len(flat) == 1 else op.Concat(*flat, axis=0)


@converts("CudnnRNNParamsToCanonical", "CudnnRNNParamsToCanonicalV2")
def cudnn_from_params(op: Builder, node: NodeView) -> Any:
    layout = _layout_of(node)
    shapes = layout.weights()
    sizes = [a * b for a, b in shapes] + [layout.units] * layout.biases()
    pieces = op.append("Split", [node.input("params"), op.const(sizes)], {"axis": 0}, outputs=len(sizes))
    return [op.Reshape(p, list(s)) for p, s in zip(pieces, shapes, strict=False)] + list(pieces[len(shapes) :])


# -- beam search ------------------------------------------------------------------------------------------------------


@converts("GatherTree", "Addons>GatherTree")
def gather_tree(op: Builder, node: NodeView) -> Any:
    """The beams from their last step back: beams[t] = ids[t, parent], parent = parents[t, parent]; end_token behind the first one and the end.

    A Scan from the last step to the first carries the parent of each beam, -1 until the step that a row of the batch ends at.
    """
    ids, parents, lengths, end = node.inputs
    for value in (ids, parents):
        value.dims = value.dims or (None, None, None)
    beams = op.Shape(ids, start=2)
    last_beam = op.Unsqueeze(
        op.Range(op.const(np.array(0, np.int32)), op.cast(op.Squeeze(beams, [0]), int32), op.const(np.array(1, np.int32))), [0]
    )
    steps = op.Shape(ids, start=0, end=1)
    limit = op.Min(op.cast(lengths, int64), steps)
    last_step = op.Unsqueeze(op.Sub(limit, 1), [1])  # [batch, 1]
    numbers = op.Range(op.const(np.array(0, np.int64)), op.Squeeze(steps, [0]), op.const(np.array(1, np.int64)))
    start = op.Expand(last_beam, op.Shape(ids, start=1))
    start.dims = None if ids.dims is None else ids.dims[1:]

    def step(body: Builder, states: list[Value], elements: list[Value]) -> tuple[list[Value], list[Value]]:
        parent, (id_, next_parent, number) = states[0], elements
        is_live = body.LessOrEqual(number, last_step)
        at = body.cast(parent, int64)
        chosen = body.Where(is_live, body.GatherElements(id_, at, axis=1), end)
        chosen.dims = id_.dims
        after = body.Where(is_live, body.GatherElements(next_parent, at, axis=1), parent)
        return [after], [chosen]

    _, chosen = scan(op, [start], [ids, parents, numbers], 1, step, backward=True)
    # Behind the first end token of a beam there are only end tokens.
    is_end = op.cast(op.Equal(chosen, end), int32)
    before = op.CumSum(is_end, op.const(np.array(0, np.int64)), exclusive=1)
    result: Value = op.Where(op.Greater(before, op.const(np.array(0, np.int32))), end, chosen)
    return result
