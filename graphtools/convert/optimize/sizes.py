"""Arithmetic of shapes: what is known of the elements of a shape tensor takes the place of the nodes that compute it."""

from __future__ import annotations

from graphtools.convert.builder import Builder, OnnxNode, Value
from graphtools.convert.optimize.axes import UNARY
from graphtools.convert.optimize.edit import Edit, ints
from graphtools.dtypes import int32, int64

# An element of a shape tensor: a number, or an axis of a tensor.
Element = int | tuple[Value, int]
_DEPTH = 12
# What a Cast of a shape may be done after as well as before: they only choose and arrange.
_ARRANGES = frozenset({"Gather", "Reshape", "Slice", "Squeeze", "Unsqueeze"})


def run(edit: Edit) -> bool:
    changed = False
    for graph, node in edit.nodes():
        if node.domain or not any(edit.reads(v) or id(v) in edit.results for v in node.outputs):
            continue
        if node.op_type == "Reshape":
            changed |= _reshape(edit, graph, node)
        elif node.op_type == "Unsqueeze":
            changed |= _one_size(edit, graph, node)
        elif node.op_type in _ARRANGES:
            changed |= _cast_later(edit, graph, node)
    return changed


def _reshape(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    """A Reshape that keeps sizes of its input where they stand needs no shape tensor: 0 copies a size, -1 is what is left."""
    data, shape = node.inputs[0], node.inputs[1]
    if data is None or shape is None or shape.const is not None or data.rank is None:
        return False
    found = elements(shape)
    if found is None or (0 in found and -1 in found):
        return False
    open_sizes = found.count(-1)
    if any(isinstance(e, int) and (e == 0 or e < -1) for e in found) or open_sizes > 1:
        return False
    wanted: list[int] = []
    for i, element in enumerate(found):
        if isinstance(element, int):
            wanted.append(element)
        elif element[1] == i and i < data.rank and _same_dims(element[0], data):
            wanted.append(0)
        else:
            return False
    edit.set_input(node, 1, graph.const(wanted))
    node.attrs.pop("allowzero", None)
    return True


def _same_dims(a: Value, b: Value) -> bool:
    """Whether two tensors have the same shape because one is computed elementwise from the other."""

    def root(value: Value) -> Value:
        while (
            value.node is not None and not value.node.domain and value.node.op_type in UNARY | {"Cast"} and value.node.inputs[0] is not None
        ):
            value = value.node.inputs[0]
        return value

    return root(a) is root(b)


def elements(value: Value, depth: int = 0) -> list[Element] | None:
    """The elements of a vector (or the one of a scalar) of integers; None where one is neither a number nor a size."""
    if value.const is not None:
        return list(ints(value) or ()) if value.const.ndim <= 1 and value.const.dtype.kind in "iu" else None
    node = value.node
    if node is None or node.domain or depth > _DEPTH or value.dtype.base_dtype not in (int32, int64) or node.inputs[0] is None:
        return None
    if node.op_type == "Shape":
        source = node.inputs[0]
        if source.rank is None:
            return None
        axes = range(source.rank)[slice(node.attrs.get("start", 0), node.attrs.get("end"))]
        return [(source, a) if (d := source.dims[a]) is None else int(d) for a in axes]  # type: ignore[index]
    if node.op_type == "Concat":
        parts = [None if v is None or v.rank != 1 else elements(v, depth + 1) for v in node.inputs]
        return None if any(p is None for p in parts) else [e for p in parts for e in p or ()]
    inner = elements(node.inputs[0], depth + 1)
    if inner is None:
        return None
    if node.op_type == "Cast":
        return inner
    if node.op_type in ("Squeeze", "Unsqueeze", "Reshape") and value.rank is not None and value.rank <= 1:
        return inner
    if node.op_type == "Gather" and node.inputs[0].rank == 1:
        wanted = ints(node.inputs[1])
        at_most_vector = node.inputs[1] is not None and (node.inputs[1].rank or 0) <= 1
        if wanted is not None and at_most_vector and all(-len(inner) <= i < len(inner) for i in wanted):
            return [inner[i] for i in wanted]
    if node.op_type == "Slice" and node.inputs[0].rank == 1:
        starts, ends = ints(node.inputs[1]), ints(node.inputs[2])
        steps = ints(node.inputs[4]) if len(node.inputs) > 4 else [1]
        if starts is not None and ends is not None and steps is not None and len(starts) == 1 and steps[0] > 0:
            return inner[slice(starts[0], ends[0], steps[0])]
    return None


def _one_size(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    """Unsqueeze(Gather(Shape(x), i)) is Shape(x) from i to i + 1."""
    if _cast_later(edit, graph, node):
        return True
    source = node.inputs[0]
    gather = source.node if source is not None else None
    if (
        source is None
        or gather is None
        or gather.op_type != "Gather"
        or gather.domain
        or source.rank != 0
        or edit.only_reader(source) is not node
    ):
        return False
    whole, at = gather.inputs[0], ints(gather.inputs[1])
    if whole is None or at is None or whole.node is None or whole.node.op_type != "Shape" or whole.rank != 1 or whole.dims is None:
        return False
    first, count = int(whole.node.attrs.get("start", 0)), whole.dims[0]
    if count is None or first < 0 or not -count <= at[0] < count:
        return False
    axis = first + at[0] % count
    one = edit.add(graph, node, "Shape", [whole.node.inputs[0]], {"start": axis, "end": axis + 1}, (1,))
    return edit.replace(node.outputs[0], one)


def _cast_later(edit: Edit, graph: Builder, node: OnnxNode) -> bool:
    """Cast sizes after they were chosen from a shape: there the Cast often meets one back."""
    source = node.inputs[0]
    cast = source.node if source is not None else None
    if source is None or cast is None or cast.op_type != "Cast" or cast.domain or edit.only_reader(source) is not node:
        return False
    sizes, out = cast.inputs[0], node.outputs[0]
    if sizes is None or not is_of_shape(sizes) or source.dtype.base_dtype is not int32 or sizes.dtype.base_dtype is not int64:
        return False
    readers = edit.reads(out)
    if id(out) in edit.results or not readers or not all(r.op_type in ("Cast", *_ARRANGES) and p == 0 for r, p in readers):
        return False
    moved = edit.add(graph, node, node.op_type, [sizes, *node.inputs[1:]], dict(node.attrs), out.dims)
    return edit.replace(out, edit.add(graph, cast, "Cast", [moved], dict(cast.attrs), out.dims))


def is_of_shape(value: Value) -> bool:
    """Whether a value is sizes chosen from a shape, which fit into any integer that TensorFlow gives them in."""
    for _ in range(_DEPTH):
        node = value.node
        if node is None or node.domain:
            return False
        if node.op_type in ("Shape", "Size"):
            return True
        if node.op_type not in _ARRANGES or node.inputs[0] is None:
            return False
        value = node.inputs[0]
    return False


__all__ = ["Element", "elements", "is_of_shape", "run"]
