"""Biases, scales, batch norms and paddings taken into the convolution they stand beside."""

from __future__ import annotations

import numpy as np

from graphtools.convert.builder import Array, Builder, OnnxNode, Value
from graphtools.convert.optimize.edit import Edit, ints
from graphtools.dtypes import bool_, float16, float32, float64
from graphtools.formats.mapped import release

CONVOLUTIONS = frozenset({"Conv", "ConvTranspose"})


def run(edit: Edit) -> bool:
    changed = False
    for graph, node in edit.nodes():
        if node.domain:
            continue
        if node.op_type in CONVOLUTIONS:
            if node.op_type == "Conv":
                changed |= _take_padding(edit, graph, node)
            while _take_next(edit, graph, node):
                changed = True
        elif node.op_type == "MaxPool":
            changed |= _take_lowest_padding(edit, graph, node)
        elif node.op_type == "MatMul":
            changed |= _gemm(edit, graph, node)
        elif node.op_type == "Transpose":
            changed |= _swap_product(edit, graph, node)
        elif node.op_type == "Max":
            changed |= _leaky_relu(edit, node)
        elif node.op_type == "Mul":
            changed |= _masks(edit, graph, node)
    return changed


def _gemm(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    """A product of matrices, one of them transposed, or with a bias added to each row, is one Gemm."""
    a, b = node.inputs
    output = node.outputs[0]
    if a is None or b is None or a.rank != 2 or b.rank != 2 or output.dtype not in (float16, float32, float64):
        return False
    attrs: dict[str, int] = {}
    for position, (value, name) in enumerate(((a, "transA"), (b, "transB"))):
        maker = value.node
        if maker is not None and maker.op_type == "Transpose" and not maker.domain and list(maker.attrs.get("perm", [1, 0])) == [1, 0]:
            attrs[name] = 1
            edit.set_input(node, position, maker.inputs[0])
    added = edit.only_reader(output)
    bias = None
    if added is not None and added.op_type == "Add" and not added.domain and edit.owner.get(id(added)) is graph:
        other = added.inputs[1] if added.inputs[0] is output else added.inputs[0]
        columns = b.dims[1] if b.dims is not None else None
        if other is not None and other is not output and columns is not None and other.dims == (columns,):
            bias = other
    if not attrs and bias is None:
        return False
    node.op_type, node.attrs = "Gemm", {**attrs}
    if bias is not None and added is not None:
        edit.add_input(node, bias)
        _become(edit, node, added)
    return True


def _swap_product(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    """The transpose of a product of matrices is the product of their transposes the other way round."""
    source = node.inputs[0]
    product = source.node if source is not None else None
    if source is None or product is None or product.op_type not in ("MatMul", "Gemm") or product.domain or source.rank != 2:
        return False
    if list(node.attrs.get("perm", [1, 0])) != [1, 0] or edit.only_reader(source) is not node or edit.owner.get(id(product)) is not graph:
        return False
    a, b = product.inputs[0], product.inputs[1]
    if len(product.inputs) > 2 or a is None or b is None or a.rank != 2 or b.rank != 2 or source.dtype not in (float16, float32, float64):
        return False
    flags = {"transA": 1 - int(product.attrs.get("transB", 0)), "transB": 1 - int(product.attrs.get("transA", 0))}
    if any(k not in ("transA", "transB") for k in product.attrs):
        return False
    product.op_type, product.attrs = "Gemm", {k: v for k, v in flags.items() if v}
    edit.set_input(product, 0, b)
    edit.set_input(product, 1, a)
    return _become(edit, product, node)


def _masks(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    """x times two conditions as numbers: x times both as one."""
    for masked, mask in (node.inputs, reversed(node.inputs)):
        maker = masked.node if masked is not None else None
        if maker is None or masked is None or maker.op_type != "Mul" or maker.domain or edit.only_reader(masked) is not node:
            continue
        condition = _condition(mask)
        inner = next((i for i, v in enumerate(maker.inputs) if _condition(v) is not None), None)
        if condition is None or inner is None or edit.owner.get(id(maker)) is not graph:
            continue
        other = _condition(maker.inputs[inner])
        if other is None or other.dims is None or other.dims != condition.dims or None in other.dims or other.dims != node.outputs[0].dims:
            continue
        both = edit.add(graph, node, "And", [other, condition], {})
        edit.set_input(node, 0, maker.inputs[1 - inner])
        edit.set_input(node, 1, edit.add(graph, node, "Cast", [both], {"to": node.outputs[0].dtype.onnx}))
        return True
    return False


def _condition(value: Value | None) -> Value | None:
    """The booleans that a value is a Cast of."""
    maker = value.node if value is not None else None
    if maker is None or maker.op_type != "Cast" or maker.domain:
        return None
    source = maker.inputs[0]
    return source if source is not None and source.dtype is bool_ else None


def _leaky_relu(edit: Edit, node: OnnxNode) -> bool:
    """max(x, alpha * x) with alpha between 0 and 1."""
    if len(node.inputs) != 2 or node.outputs[0].dtype is not float32:
        return False
    for x, scaled in (node.inputs, reversed(node.inputs)):
        maker = scaled.node if scaled is not None else None
        if maker is None or maker.op_type != "Mul" or maker.domain or x is None:
            continue
        alpha = next((v.const for v in maker.inputs if v is not None and v.const is not None and v.const.ndim == 0), None)
        if alpha is not None and 0 < float(alpha) < 1 and any(v is x for v in maker.inputs):
            node.op_type, node.attrs = "LeakyRelu", {"alpha": float(alpha)}
            edit.set_input(node, 0, x)
            edit.set_input(node, 1, None)
            node.inputs.pop()
            return True
    return False


def _channels_out(conv: OnnxNode) -> int | None:
    weights = conv.inputs[1]
    if weights is None or weights.dims is None:
        return None
    if conv.op_type == "Conv":
        return weights.dims[0]
    return None if weights.dims[1] is None else weights.dims[1] * int(conv.attrs.get("group", 1))


def _take_next(edit: Edit, graph: Builder, conv: OnnxNode) -> bool:
    """Take what is done to a convolution's output into its weights and bias."""
    output = conv.outputs[0]
    node = edit.only_reader(output)
    if node is None or node.domain or edit.owner.get(id(node)) is not graph or output.rank is None or output.dtype is not float32:
        return False
    last = conv
    if node.op_type == "Slice":
        if conv.op_type == "Conv" and _take_crop(edit, conv, node):
            return True
        axes = ints(node.inputs[3]) if len(node.inputs) > 3 else None
        if axes is None or any(a % output.rank < 2 for a in axes):
            return False
        last, output = node, node.outputs[0]  # what is done to each channel can be done before some pixels are cut off
        node = edit.only_reader(output)
    elif node.op_type == "Squeeze":
        axes, rank = ints(node.inputs[1]) if len(node.inputs) > 1 else None, output.rank or 0
        if axes is None or any(a % rank < 2 for a in axes):
            return False
        last, output = node, node.outputs[0]
        node = edit.only_reader(output)
    if node is None or node.domain or edit.owner.get(id(node)) is not graph or output.rank is None:
        return False
    channels = _channels_out(conv)
    if channels is None:
        return False
    if node.op_type == "BatchNormalization" and not node.attrs.get("training_mode"):
        return _take_batch_norm(edit, graph, conv, last, node, channels)
    if node.op_type in ("Add", "Sub", "Mul", "Div"):
        other = node.inputs[1] if node.inputs[0] is output else node.inputs[0]
        if other is None or other is output or (node.op_type in ("Sub", "Div") and node.inputs[0] is not output):
            return False
        if node.op_type in ("Add", "Sub"):
            return _take_bias(edit, graph, conv, last, node, other, channels)
        factors = _per_channel(other, output.rank or 0, channels)
        if factors is None:
            return False
        return _scale(edit, graph, conv, last, node, 1 / factors if node.op_type == "Div" else factors, np.zeros(channels, np.float32))
    return False


def _per_channel(value: Value, rank: int, channels: int) -> Array | None:
    """A constant that has one value for each channel of a tensor NC..., as a vector."""
    if value.const is None or value.const.dtype != np.float32 or value.const.ndim > rank:
        return None
    array = value.const
    if array.size == 1:
        return np.full(channels, array.ravel()[0], np.float32)
    full = array.reshape((1,) * (rank - array.ndim) + array.shape)
    return full.ravel() if full.shape == (1, channels) + (1,) * (rank - 2) else None


def _bias(conv: OnnxNode) -> Value | None:
    return conv.inputs[2] if len(conv.inputs) > 2 else None


def _set(edit: Edit, conv: OnnxNode, position: int, value: Value) -> None:
    if len(conv.inputs) > position:
        edit.set_input(conv, position, value)
    else:
        edit.add_input(conv, value)


def _become(edit: Edit, conv: OnnxNode, node: OnnxNode) -> bool:
    """Let a node that `node` alone reads compute what that did."""
    old, spare = node.outputs[0], conv.outputs[0]
    conv.outputs[0], node.outputs[0] = old, spare
    old.node, spare.node = conv, node
    for i in range(len(node.inputs)):
        edit.set_input(node, i, None)
    return True


def _take_bias(edit: Edit, graph: Builder, conv: OnnxNode, last: OnnxNode, node: OnnxNode, other: Value, channels: int) -> bool:
    rank = last.outputs[0].rank or 0
    known = _per_channel(other, rank, channels)
    bias = _bias(conv)
    if known is not None and (bias is None or bias.const is not None):
        if node.op_type == "Sub":
            known = -known
        total = known if bias is None or bias.const is None else bias.const + known
        _set(edit, conv, 2, graph.const(np.ascontiguousarray(total, np.float32)))
        return _become(edit, last, node)
    if bias is None and node.op_type == "Add" and other.const is None and other.node is not None:
        vector = _vector_of(other, rank, channels)
        if vector is not None:
            _set(edit, conv, 2, vector)
            return _become(edit, last, node)
    return False


def _vector_of(value: Value, rank: int, channels: int) -> Value | None:
    """The vector of a bias that was given trailing axes of size 1 to broadcast over NC..."""
    maker = value.node
    if maker is None or maker.inputs[0] is None or maker.inputs[0].dims != (channels,):
        return None
    if maker.op_type == "Unsqueeze" and ints(maker.inputs[1]) == list(range(1, rank - 1)):
        return maker.inputs[0]
    if maker.op_type == "Reshape" and ints(maker.inputs[1]) in (
        [-1] + [1] * (rank - 2),
        [channels] + [1] * (rank - 2),
        [1, channels] + [1] * (rank - 2),
    ):
        return maker.inputs[0]
    return None


def _scale(edit: Edit, graph: Builder, conv: OnnxNode, last: OnnxNode, node: OnnxNode, factors: Array, shift: Array) -> bool:
    """y * factors + shift, in the weights and the bias."""
    weights, bias = conv.inputs[1], _bias(conv)
    if weights is None or weights.const is None or (bias is not None and bias.const is None) or not np.all(np.isfinite(factors)):
        return False
    if len(edit.reads(weights)) > 1 and weights.const.size > 1 << 16:
        return False  # a second copy of shared weights costs more than the node
    array = weights.const
    if conv.op_type == "Conv":
        scaled = array * factors.reshape((-1,) + (1,) * (array.ndim - 1))
    else:
        groups = int(conv.attrs.get("group", 1))
        by_group = array.reshape(groups, array.shape[0] // groups, *array.shape[1:])
        scaled = (by_group * factors.reshape((groups, 1, -1) + (1,) * (array.ndim - 2))).reshape(array.shape)
    _set(edit, conv, 1, graph.const(scaled.astype(np.float32, copy=False)))
    release(array)
    total = shift if bias is None or bias.const is None else bias.const * factors + shift
    if bias is not None or np.any(total):
        _set(edit, conv, 2, graph.const(np.ascontiguousarray(total, np.float32)))
    return _become(edit, last, node)


def _take_batch_norm(edit: Edit, graph: Builder, conv: OnnxNode, last: OnnxNode, node: OnnxNode, channels: int) -> bool:
    """(y - mean) / sqrt(variance + epsilon) * scale + offset."""
    if len(node.outputs) > 1 or node.inputs[0] is not last.outputs[0]:
        return False
    parameters = [v.const if v is not None else None for v in node.inputs[1:5]]
    if any(p is None or p.dtype != np.float32 or p.shape != (channels,) for p in parameters):
        return False
    scale, offset, mean, variance = (np.asarray(p, np.float64) for p in parameters)
    with np.errstate(all="ignore"):  # what is not finite is not folded
        factors = scale / np.sqrt(variance + float(node.attrs.get("epsilon", 1e-5)))
    return _scale(edit, graph, conv, last, node, factors.astype(np.float32), (offset - mean * factors).astype(np.float32))


def _spatial_pads(node: OnnxNode | None, fill: float) -> tuple[list[int], list[int]] | None:
    """(before, after) of a Pad that pads the spatial axes of NC... with a constant `fill`."""
    if node is None or node.op_type != "Pad" or node.domain or node.attrs.get("mode", "constant") != "constant" or len(node.inputs) > 3:
        return None
    pads = ints(node.inputs[1])
    value = node.inputs[2] if len(node.inputs) > 2 else None
    if pads is None or min(pads, default=0) < 0 or (value is not None and value.const is None):
        return None
    if (0.0 if value is None or value.const is None else float(value.const.ravel()[0])) != fill:
        return None
    rank = len(pads) // 2
    if any(pads[i] or pads[i + rank] for i in (0, 1)):
        return None
    return pads[2:rank], pads[rank + 2 :]


def _take_padding(edit: Edit, graph: Builder, conv: OnnxNode) -> bool:
    """Zeros padded before a convolution are its own padding."""
    source = conv.inputs[0]
    found = _spatial_pads(source.node if source is not None else None, 0.0)
    if found is None or source is None or source.node is None or conv.attrs.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return False
    count = len(found[0])
    own = conv.attrs.get("pads") or [0] * 2 * count
    conv.attrs["pads"] = [a + b for a, b in zip(own, [*found[0], *found[1]], strict=True)]
    conv.attrs.pop("auto_pad", None)
    edit.set_input(conv, 0, source.node.inputs[0])
    return True


def _take_crop(edit: Edit, conv: OnnxNode, node: OnnxNode) -> bool:
    """What is cut off a convolution's output need not be padded onto its input."""
    pads = list(conv.attrs.get("pads") or [])
    output = conv.outputs[0]
    starts, ends, axes = (ints(node.inputs[i]) if len(node.inputs) > i else None for i in (1, 2, 3))
    steps = ints(node.inputs[4]) if len(node.inputs) > 4 else []
    if not pads or starts is None or ends is None or axes is None or output.dims is None or steps is None or any(s != 1 for s in steps):
        return False
    count = len(pads) // 2
    strides = conv.attrs.get("strides") or [1] * count
    for start, end, axis in zip(starts, ends, axes, strict=True):
        size, at = output.dims[axis], axis % (count + 2) - 2
        if end >= 2**31 - 1 or (size is not None and end >= size):
            lost = 0
        elif end < 0:
            lost = -end
        elif size is not None:
            lost = size - end
        else:
            return False
        if start < 0 or (at < 0 and (start or lost)):
            return False
        if at >= 0:
            pads[at] -= start * strides[at]
            pads[at + count] -= lost * strides[at]
    if min(pads) < 0:
        return False
    conv.attrs["pads"] = pads
    return _become(edit, conv, node)


def _is_positive(value: Value | None) -> bool:
    """Whether no element of a value is negative."""
    return (
        value is not None
        and value.node is not None
        and not value.node.domain
        and value.node.op_type in ("Abs", "Relu", "Sigmoid", "Softmax")
    )


def _take_lowest_padding(edit: Edit, graph: Builder, pool: OnnxNode) -> bool:
    """The lowest values padded before a maximum are its own padding, where that is less than the window."""
    source = pool.inputs[0]
    maker = source.node if source is not None else None
    found = _spatial_pads(maker, -np.inf)
    if found is None and maker is not None and _is_positive(maker.inputs[0]):
        found = _spatial_pads(maker, 0.0)
    if found is None or source is None or source.node is None or pool.attrs.get("auto_pad", "NOTSET") != "NOTSET" or len(pool.outputs) > 1:
        return False
    count = len(found[0])
    total = [a + b for a, b in zip(pool.attrs.get("pads") or [0] * 2 * count, [*found[0], *found[1]], strict=True)]
    kernel = pool.attrs["kernel_shape"]
    if any(p >= kernel[i % count] for i, p in enumerate(total)):
        return False
    pool.attrs["pads"] = total
    edit.set_input(pool, 0, source.node.inputs[0])
    return True
