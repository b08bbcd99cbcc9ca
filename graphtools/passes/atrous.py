"""Convolutions over space moved to the batch become dilated convolutions.

TensorFlow's atrous convolutions, and those of the WaveNets of its time, cut an image into as many images as the rate has phases, convolve
them, and put the results together. A convolution with dilations is the same without moving anything.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools import shapes
from graphtools.constant import constant
from graphtools.graph import Graph, Node, Tensor

CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")
DIVISIONS = ("Div", "FloorDiv", "TruncateDiv", "RealDiv")

Readers = dict[Tensor, list[tuple[Node, int]]]


def run(graph: Graph) -> bool:
    if not any(node.op in CONVOLUTIONS for node in graph):
        return False
    readers = graph.consumers()
    changed = False
    for node in list(graph):
        if node.op == "BatchToSpaceND":
            changed |= _space_to_batch(graph, node, readers)
        elif node.op == "Reshape":
            changed |= _time_to_batch(graph, node, readers)
    return changed


def _only_reader(tensor: Tensor, node: Node, readers: Readers) -> bool:
    return all(reader is node for reader, _ in readers.get(tensor, []))


class _Core:
    """A convolution of stride 1 without padding, and the ExpandDims and Squeeze around a one-dimensional one."""

    def __init__(self, expand: Node | None, conv: Node, squeeze: Node | None) -> None:
        self.expand, self.conv, self.squeeze = expand, conv, squeeze

    @property
    def input(self) -> Tensor:
        return (self.expand or self.conv).inputs[0]

    @property
    def output(self) -> Tensor:
        return (self.squeeze or self.conv).outputs[0]

    def dilated(self, graph: Graph, source: Tensor, rates: list[int]) -> Tensor:
        """The same convolution of another tensor, with dilations."""
        if self.expand is not None:
            source = _like(graph, self.expand, [source, self.expand.inputs[1]], {}).outputs[0]
        y = _like(graph, self.conv, [source, self.conv.inputs[1]], {"dilations": [1, *[1] * (2 - len(rates)), *rates, 1]}).outputs[0]
        return y if self.squeeze is None else _like(graph, self.squeeze, [y], {}).outputs[0]


def _like(graph: Graph, node: Node, inputs: list[Tensor], attr: dict[str, Any]) -> Node:
    """A node like another one, of other inputs."""
    new = graph.add_raw_node(graph.unique_name(f"{node.name}/dilated"), node.op, {**node.attr, **attr}, node.device)
    new.source = node.source
    new.inputs = inputs
    graph.set_outputs(new)
    shapes.infer(new)
    return new


def _core(output: Tensor, readers: Readers) -> _Core | None:
    """The convolution that computes a tensor, if it is a plain one that nothing else reads."""
    squeeze = expand = None
    node = output.node
    if node.op == "Squeeze":
        squeeze, node = node, node.inputs[0].node
        if list(squeeze.attr["squeeze_dims"]) not in ([1], [-3]) or not _only_reader(node.outputs[0], squeeze, readers):
            return None
    if node.op not in CONVOLUTIONS or str(node.attr["padding"]) != "VALID" or str(node.attr.get("data_format") or "NHWC") != "NHWC":
        return None
    if any(s != 1 for s in node.attr["strides"]) or any(d != 1 for d in node.attr.get("dilations") or [1]):
        return None
    if squeeze is not None:
        expand = node.inputs[0].node
        axis = constant(expand.inputs[1]) if expand.op == "ExpandDims" else None
        if axis is None or int(axis.ravel()[0]) not in (1, -3) or not _only_reader(expand.outputs[0], node, readers):
            return None
    return _Core(expand, node, squeeze)


def _rewire(node: Node, tensor: Tensor, readers: Readers) -> None:
    for reader, position in readers.get(node.outputs[0], []):
        reader.inputs[position] = tensor


# -- SpaceToBatchND, convolution, BatchToSpaceND ---------------------------------------------------------------------


def _space_to_batch(graph: Graph, after: Node, readers: Readers) -> bool:
    core = _core(after.inputs[0], readers)
    if core is None or not _only_reader(core.output, after, readers):
        return False
    before = core.input.node
    if before.op != "SpaceToBatchND" or not _only_reader(before.outputs[0], core.expand or core.conv, readers):
        return False
    rates, back = constant(before.inputs[1]), constant(after.inputs[1])
    if rates is None or back is None or rates.tolist() != back.tolist() or len(rates) != (1 if core.squeeze is not None else 2):
        return False
    pads, crops = constant(before.inputs[2]), constant(after.inputs[2])
    image = before.inputs[0]
    if pads is None or np.any(pads):
        image = _padded(graph, before, image, pads)
    y = core.dilated(graph, image, [int(r) for r in rates])
    if crops is None or np.any(crops):
        y = _cropped(graph, after, y, crops)
    _rewire(after, y, readers)
    return bool(readers.get(after.outputs[0]))


def _const(graph: Graph, near: Node, value: Any) -> Tensor:
    array = np.asarray(value)
    node = graph.add_node(
        "Const", [], {"value": array, "dtype": _dtype(array)}, name=graph.unique_name(f"{near.name}/const"), device=near.device
    )
    return node.outputs[0]


def _dtype(array: np.ndarray[Any, Any]) -> Any:
    from graphtools.dtypes import as_dtype

    return as_dtype(array.dtype)


def _bordered(graph: Graph, near: Node, rows: Tensor) -> Tensor:
    """[n, 2] pads or crops of the spatial axes, with zeros for the batch and the channels."""
    zero = _const(graph, near, np.zeros((1, 2), rows.dtype.as_numpy_dtype))
    axis = _const(graph, near, np.int32(0))
    return graph.add_node("ConcatV2", [[zero, rows, zero], axis], name=graph.unique_name(f"{near.name}/rows"), device=near.device).outputs[
        0
    ]


def _padded(graph: Graph, near: Node, image: Tensor, pads: Any) -> Tensor:
    paddings = _bordered(graph, near, near.inputs[2]) if pads is None else _const(graph, near, [[0, 0], *pads.tolist(), [0, 0]])
    return graph.add_node("Pad", [image, paddings], name=graph.unique_name(f"{near.name}/pad"), device=near.device).outputs[0]


def _cropped(graph: Graph, near: Node, y: Tensor, crops: Any) -> Tensor:
    if crops is not None:
        rows = [[0, 0], *crops.tolist(), [0, 0]]
        begin, end = (
            _const(graph, near, np.array([b for b, _ in rows], np.int32)),
            _const(graph, near, np.array([-e for _, e in rows], np.int32)),
        )
        step = _const(graph, near, np.ones(len(rows), np.int32))
        whole = sum(1 << i for i, (_, e) in enumerate(rows) if not e)
        attr = {"end_mask": whole}
        return graph.add_node(
            "StridedSlice", [y, begin, end, step], attr, name=graph.unique_name(f"{near.name}/crop"), device=near.device
        ).outputs[0]
    name = f"{near.name}/crop"
    rows_now = _bordered(graph, near, near.inputs[2])
    dtype = rows_now.dtype
    shape = graph.add_node("Shape", [y], {"out_type": dtype}, name=graph.unique_name(name), device=near.device).outputs[0]
    lost = graph.add_node("Sum", [rows_now, _const(graph, near, np.int32(1))], name=graph.unique_name(name), device=near.device).outputs[0]
    size = graph.add_node("Sub", [shape, lost], name=graph.unique_name(name), device=near.device).outputs[0]
    first = graph.add_node(
        "StridedSlice",
        [rows_now, *(_const(graph, near, np.array(v, np.int32)) for v in ([0, 0], [0, 1], [1, 1]))],
        {"begin_mask": 1, "end_mask": 1, "shrink_axis_mask": 2},
        name=graph.unique_name(name),
        device=near.device,
    ).outputs[0]
    return graph.add_node("Slice", [y, first, size], name=graph.unique_name(name), device=near.device).outputs[0]


# -- Reshape, Transpose, Reshape, convolution, Reshape, Transpose, Reshape -------------------------------------------


def _time_to_batch(graph: Graph, last: Node, readers: Readers) -> bool:
    """[batch, time, c] as [batch * rate, time / rate, c] by phase, convolved, and back.

    restored = reshape(transpose(reshape(conv1d(reshape(transpose(reshape(x, [-1, rate, c]), [1, 0, 2]), [batch * rate, -1, c])),
    [rate, -1, c]), [1, 0, 2]), [batch, -1, c])
    """
    turned_back = last.inputs[0].node
    if turned_back.op != "Transpose" or not _swaps_first_axes(turned_back):
        return False
    by_phase = turned_back.inputs[0].node
    if by_phase.op != "Reshape":
        return False
    core = _core(by_phase.inputs[0], readers)
    if core is None or core.squeeze is None:
        return False
    split = core.input.node
    if split.op != "Reshape" or split.inputs[0].node.op != "Transpose" or not _swaps_first_axes(split.inputs[0].node):
        return False
    phases = split.inputs[0].node.inputs[0].node
    if phases.op != "Reshape":
        return False
    source = phases.inputs[0]
    rate = _element(phases.inputs[1], 1)
    if rate is None or rate < 1 or _element(phases.inputs[1], 0) != -1 or _element(by_phase.inputs[1], 0) != rate:
        return False
    if not _is_times_batch(split.inputs[1], source, rate) or not _is_batch_over(last.inputs[1], core.output, source, rate):
        return False
    for tensor, reader in ((split.outputs[0], core.expand), (by_phase.outputs[0], turned_back), (turned_back.outputs[0], last)):
        if reader is not None and not _only_reader(tensor, reader, readers):
            return False
    if any(reader is not by_phase and reader.op != "Shape" for reader, _ in readers.get(core.output, [])):
        return False
    if not readers.get(last.outputs[0]):
        return False
    _rewire(last, core.dilated(graph, source, [rate]), readers)
    return True


def _swaps_first_axes(node: Node) -> bool:
    perm = constant(node.inputs[1])
    return perm is not None and perm.tolist() == [1, 0, 2]


def _part(shape: Tensor, index: int) -> Tensor | None:
    """The scalar that a packed shape has at an index."""
    return shape.node.inputs[index] if shape.node.op == "Pack" and len(shape.node.inputs) > index else None


def _element(shape: Tensor, index: int) -> int | None:
    """An element of a shape that is known."""
    value = constant(shape)
    if value is not None:
        return int(value[index]) if value.ndim == 1 and len(value) > index else None
    part = _part(shape, index)
    known = constant(part) if part is not None else None
    return None if known is None else int(known)


def _is_size(scalar: Tensor | None, of: Tensor) -> bool:
    """Whether a scalar is the first size of a tensor: StridedSlice(Shape(of), 0), or the number where that is static."""
    if scalar is None:
        return False
    known = constant(scalar)
    if known is not None:
        return of.dims is not None and of.dims[0] == int(known)
    node = scalar.node
    if node.op != "StridedSlice" or node.inputs[0].node.op != "Shape" or constant(node.inputs[1]) is None:
        return False
    first = [int(v) for v in np.ravel(constant(node.inputs[1]))]  # type: ignore[arg-type]
    return first == [0] and node.attr["shrink_axis_mask"] == 1 and node.inputs[0].node.inputs[0] is of


def _unpadded(tensor: Tensor) -> list[Tensor]:
    """A tensor, and the one that it is with its later axes padded: their batches are the same."""
    node = tensor.node
    if node.op not in ("Pad", "PadV2"):
        return [tensor]
    paddings = node.inputs[1]
    known = constant(paddings)
    first = known[0] if known is not None else constant(paddings.node.inputs[0]) if paddings.node.op == "Pack" else None
    return [tensor] if first is None or np.any(first) else [tensor, node.inputs[0]]


def _is_times_batch(shape: Tensor, source: Tensor, rate: int) -> bool:
    """Whether a shape's first element is the batch of `source` times the rate."""
    known = _element(shape, 0)
    if known is not None:
        return source.dims is not None and source.dims[0] is not None and known == source.dims[0] * rate
    product = _part(shape, 0)
    if product is None or product.node.op != "Mul":
        return False
    for factor, other in (product.node.inputs, reversed(product.node.inputs)):
        value = constant(factor)
        if value is not None and int(value) == rate:
            return any(_is_size(other, t) for t in _unpadded(source))
    return False


def _is_batch_over(shape: Tensor, whole: Tensor, source: Tensor, rate: int) -> bool:
    """Whether a shape's first element is the batch of `whole` over the rate, or the batch of `source`."""
    known = _element(shape, 0)
    if known is not None:
        return source.dims is not None and source.dims[0] == known
    quotient = _part(shape, 0)
    if quotient is None:
        return False
    if any(_is_size(quotient, t) for t in _unpadded(source)):
        return True
    if quotient.node.op not in DIVISIONS:
        return False
    value = constant(quotient.node.inputs[1])
    return value is not None and int(value) == rate and _is_size(quotient.node.inputs[0], whole)
