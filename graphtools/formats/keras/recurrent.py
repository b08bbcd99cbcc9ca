"""Recurrent layers: cells, the loop over the steps as a functional While (or unrolled), Bidirectional."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphtools.dtypes import bool_, int32, variant
from graphtools.formats.keras import Array, Call, Config, Emitter, Layer, cudnn, layer, legacy, tuple_of
from graphtools.formats.keras.activations import activate
from graphtools.formats.keras.convolution import conv_arguments, convolve
from graphtools.graph import Func, Function, Graph, Tensor


class Body(Emitter):
    """Emits into the body of a loop; each tensor from outside becomes a loop invariant."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.captured: dict[Tensor, Tensor] = {}

    def parameter(self, name: str, outside: Tensor, dims: Any = None) -> Tensor:
        node = self.graph.add_raw_node(name, "_Arg", {"T": outside.dtype, "index": len(self.graph.nodes)})
        node.outputs = [self.graph.tensor_type(node, 0, outside.dtype, outside.dims if dims is None else dims)]
        return node.outputs[0]

    def use(self, tensor: Tensor) -> Tensor:
        return self.captured[tensor]


@dataclass(slots=True)
class Cell:
    """A recurrent cell: what is computed for all steps at once, what the steps use, and one step."""

    state_sizes: list[tuple[int, ...]]
    project: Callable[[Call, Tensor], Tensor]  # (time x batch, ...) inputs -> the part of the step that needs no state
    uses: list[Tensor]
    step: Callable[[Emitter, Tensor, list[Tensor]], tuple[Tensor, list[Tensor]]]
    output_size: tuple[int, ...]
    output_is_state: bool = True  # the first one


# -- the weights of the variants, brought to one form ------------------------------------------------------------------


def _cudnn_kernels(array: Array, gates: int, *, is_input: bool) -> Array:
    """cuDNN has each gate's matrix the other way round; input matrices keep their shape, filled column by column."""
    parts = np.split(array, gates, axis=1)
    return np.hstack([p.T.reshape(p.shape, order="F") if is_input else p.T for p in parts])


def _cell_arrays(arrays: Sequence[Array], kind: str, units: int) -> tuple[Array, Array, Array | None, Array | None]:
    """Kernel, recurrent kernel, bias, and the bias that goes with the recurrent kernel where that is apart."""
    kernel, recurrent = arrays[0], arrays[1]
    bias = arrays[2] if len(arrays) > 2 else None
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    if bias is not None and bias.ndim == 1 and gates > 1 and bias.size == 2 * gates * units:  # cuDNN
        kernel, recurrent = _cudnn_kernels(kernel, gates, is_input=True), _cudnn_kernels(recurrent, gates, is_input=False)
        bias = bias.reshape(2, -1)
        if kind == "LSTM":
            return kernel, recurrent, bias.sum(0, dtype=bias.dtype), None
        return kernel, recurrent, bias[0], bias[1]
    if bias is not None and bias.ndim == 2:
        return kernel, recurrent, bias[0], bias[1]
    return kernel, recurrent, bias, None


def _kind(la: Layer) -> str:
    return "LSTM" if "LSTM" in la.class_name else "GRU" if "GRU" in la.class_name else "RNN"


def _checked_arrays(k: Call, la: Layer) -> tuple[Array, Array, Array | None, Array | None]:
    units = int(la.config.get("units", 0))
    arrays = _cell_arrays(la.arrays, _kind(la), units)
    if arrays[0].ndim != 2 or arrays[1].shape != (units, arrays[0].shape[1]):
        raise k.fail(f"has weights of shapes {[a.shape for a in la.arrays]}, which do not fit {units} units")
    return arrays


def _projection(kernel: Tensor, bias: Tensor | None) -> Callable[[Call, Tensor], Tensor]:
    def project(k: Call, x: Tensor) -> Tensor:
        y = k.op("MatMul", x, kernel)
        return y if bias is None else k.op("BiasAdd", y, bias)

    return project


def make_cell(k: Call, la: Layer) -> Cell:
    """The cell of a layer or a cell's config."""
    c, units = la.config, int(la.config.get("units", 0))
    if la.class_name == "StackedRNNCells":
        return _stacked(k, la)
    kind = _kind(la)
    is_cudnn = la.class_name.startswith("CuDNN")
    kernel_array, recurrent_array, bias_array, recurrent_bias_array = _checked_arrays(k, la)
    own = Call(k.graph, la, k.inputs, ())
    kernel, recurrent = own.weight(0, "kernel", kernel_array), own.weight(1, "recurrent_kernel", recurrent_array)
    bias = None if bias_array is None else own.weight(2, "bias", bias_array)
    recurrent_bias = None if recurrent_bias_array is None else own.weight(2, "recurrent_bias", recurrent_bias_array)
    activation = "tanh" if is_cudnn else c.get("activation", "tanh")
    gate = "sigmoid" if is_cudnn else c.get("recurrent_activation", "hard_sigmoid")
    uses = [recurrent, *([recurrent_bias] if recurrent_bias is not None else [])]
    project = _projection(kernel, bias)

    def split(e: Emitter, x: Tensor, count: int) -> Sequence[Tensor]:
        return e.outputs("Split", e.scalar(1), x, num_split=count)

    def lstm(e: Emitter, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        h, cell = states
        i, f, g, o = split(e, e.op("AddV2", x, e.op("MatMul", h, e.use(recurrent))), 4)
        kept = e.op("Mul", activate(e, f, gate), cell)
        cell = e.op("AddV2", kept, e.op("Mul", activate(e, i, gate), activate(e, g, activation)))
        h = e.op("Mul", activate(e, o, gate), activate(e, cell, activation))
        return h, [h, cell]

    def gru(e: Emitter, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        (h,) = states
        xz, xr, xh = split(e, x, 3)
        matrix = e.use(recurrent)
        if recurrent_bias is not None or c.get("reset_after"):  # the reset gate is applied to the product
            product = e.op("MatMul", h, matrix)
            if recurrent_bias is not None:
                product = e.op("BiasAdd", product, e.use(recurrent_bias))
            hz, hr, hh = split(e, product, 3)
            z, r = activate(e, e.op("AddV2", xz, hz), gate), activate(e, e.op("AddV2", xr, hr), gate)
            new = e.op("AddV2", xh, e.op("Mul", r, hh))
        else:
            uz, ur, uh = split(e, matrix, 3)
            z = activate(e, e.op("AddV2", xz, e.op("MatMul", h, uz)), gate)
            r = activate(e, e.op("AddV2", xr, e.op("MatMul", h, ur)), gate)
            new = e.op("AddV2", xh, e.op("MatMul", e.op("Mul", r, h), uh))
        new = activate(e, new, activation)
        h = e.op("AddV2", e.op("Mul", z, h), e.op("Mul", e.op("Sub", e.like(1, z), z), new))
        return h, [h]

    def simple(e: Emitter, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        h = activate(e, e.op("AddV2", x, e.op("MatMul", states[0], e.use(recurrent))), activation)
        return h, [h]

    step = {"LSTM": lstm, "GRU": gru, "RNN": simple}[kind]
    return Cell([(units,)] * (2 if kind == "LSTM" else 1), project, uses, step, (units,))


def _stacked(k: Call, la: Layer) -> Cell:
    """Cells on top of each other: only the first one's input is known before the loop."""
    cells = [make_cell(k, inner) for inner in la.inner]
    kernels: list[tuple[Tensor, Tensor | None]] = []
    for inner in la.inner:
        own = Call(k.graph, inner, k.inputs, ())
        kernels.append((own.weight(0, "kernel"), own.layer.constants.get((k.graph, "bias"))))
    later = [t for pair in kernels[1:] for t in pair if t is not None]

    def step(e: Emitter, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        new: list[list[Tensor]] = []
        at = 0
        for i, cell in enumerate(cells):
            if i:
                kernel, bias = kernels[i]
                x = e.op("MatMul", x, e.use(kernel))
                if bias is not None:
                    x = e.op("BiasAdd", x, e.use(bias))
            x, own = cell.step(e, x, states[at : at + len(cell.state_sizes)])
            at += len(cell.state_sizes)
            new.append(own)
        return x, [s for part in new for s in part]

    sizes = [s for cell in cells for s in cell.state_sizes]
    return Cell(sizes, cells[0].project, [t for cell in cells for t in cell.uses] + later, step, cells[-1].output_size, False)


# -- the loop ----------------------------------------------------------------------------------------------------------


def run_cell(k: Call, cell: Cell, config: Config, x: Tensor, mask: Tensor | None, initial: Sequence[Tensor]) -> list[Tensor]:
    """The output (last, or all with return_sequences), then the final states."""
    rank = k.rank(x)
    steps, batch = k.size(x, 1), k.size(x, 0)
    by_time = k.transpose(x, 1, 0, *range(2, rank))
    flat = cell.project(k, k.reshape(by_time, [-1, *(k.size(x, i) for i in range(2, rank))]))
    inputs = k.reshape(flat, [steps, batch if isinstance(batch, int) else -1, *(k.size(flat, i) for i in range(1, k.rank(flat)))])
    mask_by_time = None
    if mask is not None:
        mask_by_time = k.transpose(mask if mask.dtype is bool_ else k.cast(mask, bool_), 1, 0)
        mask_by_time = k.reshape(mask_by_time, [steps, batch if isinstance(batch, int) else -1, *[1] * len(cell.output_size)])
    if config.get("go_backwards"):
        inputs = k.reverse(inputs, 0)
        mask_by_time = None if mask_by_time is None else k.reverse(mask_by_time, 0)
    states = list(initial)
    if states and len(states) != len(cell.state_sizes):
        raise k.fail(f"is given {len(states)} initial states; it has {len(cell.state_sizes)}")
    if not states:
        states = [k.op("Fill", k.sizes([batch, *size]), k.like(0, inputs)) for size in cell.state_sizes]
    # A masked step repeats the output before it, at first zeros; without initial states that is the first state, which
    # Keras without TensorFlow's name takes in any case, unless it unrolls.
    held = None
    repeats = (k.layer.is_tf_keras or config.get("unroll")) and (initial or not cell.output_is_state)
    if mask is not None and (repeats or config.get("zero_output_for_mask")):
        held = k.op("Fill", k.sizes([batch, *cell.output_size]), k.like(0, inputs))
    sequences = bool(config.get("return_sequences"))
    zeros = held is not None and bool(config.get("zero_output_for_mask"))
    if config.get("unroll") and isinstance(steps, int) and 0 < steps <= 200:
        last, outputs, states = _unrolled(k, cell, inputs, mask_by_time, states, held, steps, sequences, zeros)
    else:
        last, outputs, states = _loop(k, cell, inputs, mask_by_time, states, held, steps, sequences, zeros)
    if sequences:
        assert outputs is not None
        outputs = k.transpose(outputs, 1, 0, *range(2, 2 + len(cell.output_size)))
    return [outputs if outputs is not None else last, *states]


def _masked_step(
    e: Emitter, cell: Cell, x: Tensor, mask: Tensor | None, states: list[Tensor], held: Tensor | None, zeros: bool
) -> tuple[Tensor, list[Tensor], Tensor | None]:
    output, new = cell.step(e, x, states)
    if mask is None:
        return output, new, None
    kept = [e.op("SelectV2", mask, n, old) for n, old in zip(new, states, strict=True)]
    if held is not None:
        output = e.op("SelectV2", mask, output, held)
        held = held if zeros else output
    else:
        output = kept[0] if cell.output_is_state else e.op("SelectV2", mask, output, states[0])
    return output, kept, held


def _unrolled(
    k: Call,
    cell: Cell,
    inputs: Tensor,
    mask: Tensor | None,
    states: list[Tensor],
    held: Tensor | None,
    steps: int,
    sequences: bool,
    zeros: bool,
) -> tuple[Tensor, Tensor | None, list[Tensor]]:
    outputs = []
    parts = k.outputs("Unpack", inputs, num=steps, axis=0)
    masks = None if mask is None else k.outputs("Unpack", mask, num=steps, axis=0)
    for i in range(steps):
        x = parts[i]
        m = None if masks is None else masks[i]
        output, states, held = _masked_step(k, cell, x, m, states, held, zeros)
        outputs.append(output)
    return outputs[-1], k.op("Pack", outputs, axis=0) if sequences else None, states


def _loop(
    k: Call,
    cell: Cell,
    inputs: Tensor,
    mask: Tensor | None,
    states: list[Tensor],
    held: Tensor | None,
    steps: Tensor | int,
    sequences: bool,
    zeros: bool,
) -> tuple[Tensor, Tensor | None, list[Tensor]]:
    """A While of: step number, states, [held output], [outputs]; and, unchanging: step count, input list, [mask list], weights."""
    library = k.graph.functions
    count = k.scalar(steps) if isinstance(steps, int) else steps
    dtype = inputs.dtype

    def as_list(x: Tensor) -> Tensor:
        shape = k.sizes([d if isinstance(d, int) else -1 for d in (k.size(x, i) for i in range(1, k.rank(x)))])
        return k.op("TensorListFromTensor", x, shape, element_dtype=x.dtype, shape_type=int32)

    carried = [k.scalar(0), *states]
    names = ["step", *(f"state_{i}" for i in range(len(states)))]
    if held is not None:
        carried.append(held)
        names.append("held")
    batch = inputs.dims[1] if inputs.dims else None
    output_shape = [-1 if batch is None else batch, *cell.output_size]
    if sequences or zeros or (held is None and not cell.output_is_state):
        carried.append(k.op("TensorListReserve", k.ints(*output_shape), count, element_dtype=dtype, shape_type=int32))
        names.append("outputs")
    fixed = [count, as_list(inputs), *([as_list(mask)] if mask is not None else []), *cell.uses]
    fixed_names = ["count", "inputs", *(["mask"] if mask is not None else []), *(f"weight_{i}" for i in range(len(cell.uses)))]
    variables = [*carried, *fixed]

    functions = []
    for role in ("cond", "body"):
        name = f"{k.graph.scope}/{role}".replace("/", "_")
        while name in library:
            name += "_"
        graph = Graph(k.graph.producer)
        graph.functions = library
        functions.append(Function(name, graph, [], []))
        library[name] = functions[-1]
    cond, body = (Body(f.graph) for f in functions)
    for emitter, function in zip((cond, body), functions, strict=True):
        function.inputs += [emitter.parameter(n, t) for n, t in zip([*names, *fixed_names], variables, strict=True)]
    by_name = dict(zip([*names, *fixed_names], functions[0].inputs, strict=True))
    functions[0].outputs.append(cond.op("Less", by_name["step"], by_name["count"]))

    by_name = dict(zip([*names, *fixed_names], functions[1].inputs, strict=True))
    body.captured = {t: by_name[f"weight_{i}"] for i, t in enumerate(cell.uses)}
    number = by_name["step"]

    def item(name: str, like: Tensor) -> Tensor:
        shape = [-1 if d is None else d for d in (like.dims or ())[1:]]
        found: Tensor = body.op("TensorListGetItem", by_name[name], number, body.ints(*shape), element_dtype=like.dtype)
        found.dims = tuple((like.dims or ())[1:])
        return found

    x = item("inputs", inputs)
    m = None if mask is None else item("mask", mask)
    output, new_states, new_held = _masked_step(
        body, cell, x, m, [by_name[f"state_{i}"] for i in range(len(states))], by_name.get("held"), zeros
    )
    results = [body.op("AddV2", number, body.scalar(1)), *new_states]
    if new_held is not None:
        results.append(new_held)
    if "outputs" in by_name:
        results.append(body.op("TensorListSetItem", by_name["outputs"], number, output, element_dtype=dtype))
    functions[1].outputs += [*results, *(by_name[n] for n in fixed_names)]

    done = k.outputs("While", variables, T=[t.dtype for t in variables], cond=Func(functions[0].name), body=Func(functions[1].name),
        output_shapes=[None if t.dtype is variant else t.dims for t in variables], parallel_iterations=1, name="while",
    )  # fmt: skip
    for outside, made in zip(variables, done, strict=True):
        if outside.dtype is not variant and made.dims is None:
            made.dims = outside.dims
    found = dict(zip(names, done, strict=False))
    ends = [found[f"state_{i}"] for i in range(len(states))]
    outputs = None
    if "outputs" in found:
        outputs = k.op(
            "TensorListStack",
            found["outputs"],
            k.ints(*output_shape),
            element_dtype=dtype,
            num_elements=steps if isinstance(steps, int) else -1,
        )
        outputs.dims = (steps if isinstance(steps, int) else None, batch, *cell.output_size)
    if held is not None and not zeros:
        last = found["held"]
    elif outputs is None or (cell.output_is_state and not zeros):
        last = ends[0]
    else:
        index = k.op("Sub", count, k.scalar(1))
        last = k.op("GatherV2", outputs, index, k.scalar(0))
    return last, outputs if sequences else None, ends


# -- layers ------------------------------------------------------------------------------------------------------------


def _rnn_weights(la: Layer) -> tuple[int, int]:
    if la.is_keras1:
        return legacy.recurrent_count(la), 0
    return (3 if la.config.get("use_bias", True) or la.class_name.startswith("CuDNN") else 2), 0


def _sequence_mask(k: Call) -> Tensor | None:
    return k.mask if k.config.get("return_sequences") else None


def _initial(k: Call) -> list[Tensor]:
    """The initial states among the inputs; the rest are constants of the cell, which no cell of Keras has."""
    return k.inputs[1:]


def _results(k: Call, found: list[Tensor]) -> list[Tensor]:
    return found if k.config.get("return_state") else found[:1]


@layer(
    "CuDNNGRU", "CuDNNLSTM", "GRU", "GRUCell", "GRUV1", "LSTM", "LSTMCell", "LSTMV1", "SimpleRNN", "SimpleRNNCell",
    weights=_rnn_weights, masked=_sequence_mask,
)  # fmt: skip
def recurrent(k: Call) -> list[Tensor]:
    kind, arrays = _kind(k.layer), _checked_arrays(k, k.layer)
    mode = cudnn.mode_of(k, kind, arrays[3] is not None)
    if mode is not None:
        return _results(k, cudnn.emit(k, mode, cudnn.params_of(kind, *arrays), arrays[1].shape[0], _initial(k)))
    x = k.transpose(k.x, 1, 0, 2) if k.config.get("time_major") else k.x
    found = run_cell(k, make_cell(k, k.layer), k.config, x, k.mask, _initial(k))
    if k.config.get("time_major") and k.config.get("return_sequences"):
        found[0] = k.transpose(found[0], 1, 0, 2)
    return _results(k, found)


@layer("RNN", masked=_sequence_mask)
def rnn(k: Call) -> list[Tensor]:
    return _results(k, run_cell(k, make_cell(k, k.layer.inner[0]), k.config, k.x, k.mask, _initial(k)))


@layer("ConvLSTM2D", weights=_rnn_weights, masked=_sequence_mask)
def conv_lstm_2d(k: Call) -> list[Tensor]:
    """An LSTM whose products are convolutions: of the input as configured, of the state with padding that keeps its size."""
    c = k.config
    strides, dilations, padding, first = conv_arguments(c, 2)
    filters = int(c["filters"])
    kernel, recurrent = k.weight(0, "kernel"), k.weight(1, "recurrent_kernel")
    bias = k.weight(2, "bias") if c.get("use_bias", True) else None
    activation, gate = c.get("activation", "tanh"), c.get("recurrent_activation", "hard_sigmoid")
    layout = "NCHW" if first else "NHWC"
    axis = 1 if first else 3

    def project(call: Call, x: Tensor) -> Tensor:
        y = convolve(call, x, kernel, strides, dilations, padding, first)
        return y if bias is None else call.op("BiasAdd", y, bias, data_format=layout)

    def step(e: Emitter, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        h, cell = states
        product = e.op("Conv2D", h, e.use(recurrent), strides=[1, 1, 1, 1], padding="SAME", data_format=layout)
        i, f, g, o = e.outputs("Split", e.scalar(axis), e.op("AddV2", x, product), num_split=4)
        cell = e.op("AddV2", e.op("Mul", activate(e, f, gate), cell), e.op("Mul", activate(e, i, gate), activate(e, g, activation)))
        h = e.op("Mul", activate(e, o, gate), activate(e, cell, activation))
        return h, [h, cell]

    height, width = (k.known(k.x, i + (3 if first else 2)) for i in (0, 1))
    window = tuple_of(c["kernel_size"], 2)
    spans = [(w - 1) * d + 1 for w, d in zip(window, dilations, strict=True)]
    out = [-(-(n - (s - 1 if padding == "valid" else 0)) // stride) for n, s, stride in zip((height, width), spans, strides, strict=True)]
    size = (filters, *out) if first else (*out, filters)
    return _results(k, run_cell(k, Cell([size, size], project, [recurrent], step, size), c, k.x, k.mask, _initial(k)))


@layer("Bidirectional", masked=lambda k: k.mask if k.layer.inner[0].config.get("return_sequences") else None)
def bidirectional(k: Call) -> list[Tensor]:
    forward, backward = k.layer.inner
    if forward.config.get("return_sequences") and k.layer.is_tf_keras:
        for part in (forward, backward):  # tf.keras then gives zeros where the mask is off
            part.config["zero_output_for_mask"] = True
    states = k.inputs[1:]
    half = len(states) // 2
    masks = [k.mask, *[None] * half]
    ahead, _ = k.run(forward, [k.x, *states[:half]], masks)
    back, _ = k.run(backward, [k.x, *states[half:]], masks)
    y, z = ahead[0], back[0]
    if forward.config.get("return_sequences"):
        z = k.reverse(z, 1)
    mode = k.config.get("merge_mode", "concat")
    if mode is None:
        merged = [y, z]
    elif mode == "concat":
        merged = [k.op("ConcatV2", [y, z], k.scalar(-1))]
    elif mode in ("sum", "mul"):
        merged = [k.op("AddV2" if mode == "sum" else "Mul", y, z)]
    elif mode == "ave":
        total = k.op("AddV2", y, z)
        merged = [k.op("RealDiv", total, k.like(2, total))]
    else:
        raise k.fail(f"has the merge_mode {mode!r}; 'concat', 'sum', 'mul', 'ave' or none was expected")
    return [*merged, *ahead[1:], *back[1:]]
