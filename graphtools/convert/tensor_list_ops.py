"""TensorList* ops: lists of tensors held in a variant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.constant import constant_as_shape
from graphtools.convert import converts
from graphtools.convert.builder import Builder, Value
from graphtools.convert.lists import Blank, Carried, Dense, Items, LoopList, Maybe, TensorList, as_sequence, merged, zeros
from graphtools.dtypes import int32, int64, variant
from graphtools.graph import Dims, Tensor

if TYPE_CHECKING:
    from graphtools.convert.walk import NodeView


def element_dims(tensor: Tensor) -> Dims:
    """The static shape in an element_shape input: a scalar -1 says nothing."""
    if tensor.dims == ():
        return None
    found = constant_as_shape(tensor)
    return None if found is None else tuple(d if d is not None and d >= 0 else None for d in found)


def _list(node: NodeView, position: int = 0) -> TensorList:
    found = node.inputs[position]
    if not isinstance(found, TensorList):
        raise node.fail(f"{node.node.inputs[position].name!r} is no list that its conversion can follow.")
    return found


def _refined(node: NodeView, found: TensorList, position: int) -> TensorList:
    """The list with what the op's element_shape says of its elements."""
    dims = element_dims(node.node.inputs[position])
    if isinstance(found, Blank):
        return Blank(found.dtype, merged(found.element, dims), found.size, found.array)
    if isinstance(found, LoopList) and isinstance(found.init, Blank):
        found.init = Blank(found.dtype, merged(found.init.element, dims), found.init.size, found.init.array)
    if isinstance(found, Items | Carried) and dims is not None:
        found.element = merged(found.element, dims)
    return found


@converts("TensorListReserve")
def reserve(op: Builder, node: NodeView) -> Any:
    return Blank(node.attr["element_dtype"], element_dims(node.node.inputs[0]), op.cast(node.inputs[1], int64))


@converts("EmptyTensorList")
def empty(op: Builder, node: NodeView) -> Any:
    return Items(node.attr["element_dtype"], element_dims(node.node.inputs[0]), [])


@converts("TensorListFromTensor")
def from_tensor(op: Builder, node: NodeView) -> Any:
    return Dense(node.inputs[0])


@converts("TensorListStack")
def stack(op: Builder, node: NodeView) -> Any:
    return _refined(node, _list(node), 1).stack(op)


@converts("TensorListGetItem")
def get_item(op: Builder, node: NodeView) -> Any:
    value = _refined(node, _list(node), 2).get(op, node.inputs[1])
    return Dense(value) if node.outputs[0].dtype is variant else value


@converts("TensorListSetItem")
def set_item(op: Builder, node: NodeView) -> Any:
    found = _list(node)
    if node.attr.get("resize_if_index_out_of_bounds"):
        found.grows = True
    return found.set(op, node.inputs[1], node.inputs[2])


@converts("TensorListPushBack")
def push_back(op: Builder, node: NodeView) -> Any:
    """A list in a list is its elements stacked, an optional its value."""
    return _list(node).push(op, plain_value(op, node, node.inputs[1]))


def plain_value(op: Builder, node: NodeView, value: Any) -> Value:
    if isinstance(value, TensorList):
        return value.stack(op)
    if isinstance(value, Maybe) and value.values is not None and len(value.values) == 1:
        builder: Builder | None = op
        while builder is not None and value.varies:
            if builder.loop is not None:
                builder.loop.varying.add(value.values[0])
            builder = builder.parent
        return value.values[0]
    if not isinstance(value, Value):
        raise node.fail(f"a list cannot hold {value!r} in ONNX.")
    return value


@converts("TensorListPopBack")
def pop_back(op: Builder, node: NodeView) -> Any:
    rest, value = _list(node).pop(op)
    return rest, Dense(value) if node.outputs[1].dtype is variant else value


@converts("TensorListLength")
def length(op: Builder, node: NodeView) -> Any:
    return op.cast(_list(node).length(op), int32)


@converts("TensorListElementShape")
def element_shape(op: Builder, node: NodeView) -> Any:
    found = _list(node)
    dims = found.element
    dtype = node.attr["shape_type"].as_numpy_dtype
    return op.const(np.array(-1, dtype) if dims is None else np.array([-1 if d is None else d for d in dims], dtype))


@converts("TensorListResize")
def resize(op: Builder, node: NodeView) -> Any:
    """Elements beyond the old length are zeros."""
    found = _list(node)
    size = op.cast(node.inputs[1], int64)
    if isinstance(found, Blank):
        return Blank(found.dtype, found.element, size)
    if isinstance(found, Items) and size.const is not None:
        n = int(size.const)
        return Items(found.dtype, found.element, [*found.items[:n], *[None] * (n - len(found.items))])
    stacked = found.stack(op)
    kept = op.Slice(stacked, [0], op.Reshape(size, [1]), [0])
    missing = op.Max(op.Sub(op.Reshape(size, [1]), op.Shape(stacked, start=0, end=1)), 0)
    rest = op.Expand(zeros(op, found.dtype, []), op.Concat(missing, op.Shape(stacked, start=1), axis=0))
    return Dense(op.Concat(kept, rest, axis=0))


@converts("TensorListGather")
def gather(op: Builder, node: NodeView) -> Any:
    return op.Gather(_refined(node, _list(node), 2).stack(op), op.cast(node.inputs[1], int64), axis=0)


@converts("TensorListScatter", "TensorListScatterV2", "TensorListScatterIntoExistingList")
def scatter(op: Builder, node: NodeView) -> Any:
    """Element indices[i] is tensor[i]; the list is as long as num_elements says, else as the highest index."""
    into = node.op.endswith("ExistingList")
    tensor, indices = (node.inputs[1], node.inputs[2]) if into else (node.inputs[0], node.inputs[1])
    at = op.Unsqueeze(op.cast(indices, int64), [1])
    if into:
        base = _list(node).stack(op)
    else:
        size: Value | None = None
        if node.op == "TensorListScatterV2":
            size = op.cast(node.inputs[3], int64)
            if size.const is not None and int(size.const) < 0:
                size = None
        if size is None:
            size = op.Add(op.ReduceMax(op.cast(indices, int64), keepdims=0), 1)
        base = op.Expand(zeros(op, tensor.dtype, []), op.Concat(op.Reshape(size, [1]), op.Shape(tensor, start=1), axis=0))
    return Dense(op.ScatterND(base, at, tensor))


@converts("TensorListConcat", "TensorListConcatV2")
def concat(op: Builder, node: NodeView) -> Any:
    """The elements one after the other along their first axis, and how long each is."""
    return concatenated(op, _list(node))


def concatenated(op: Builder, found: TensorList) -> tuple[Value, Value]:
    if isinstance(found, Items) and found.items and None not in found.items:
        parts = [v for v in found.items if v is not None]
        lengths = [op.Shape(v, start=0, end=1) for v in parts]
        if len(parts) == 1:
            return parts[0], lengths[0]
        return op.Concat(*parts, axis=0), op.Concat(*lengths, axis=0)
    if isinstance(found, Carried):
        joined = op.ConcatFromSequence(found.value, axis=0)
        element = found.element
        joined.dtype, joined.dims = found.dtype, None if element is None else (None, *element[1:])
        if element is not None and element and element[0] is not None:
            return joined, op.Expand(op.const(np.array(element[0], np.int64)), op.Reshape(found.length(op), [1]))
        body = op.subgraph()
        item = body.input("item", found.dtype, element)
        body.output(body.Shape(item, start=0, end=1))
        mapped = op.SequenceMap(found.value, body=body)
        as_sequence(mapped, int64, (1,))
        lengths_value = op.ConcatFromSequence(mapped, axis=0)
        lengths_value.dtype, lengths_value.dims = int64, (None,)
        return joined, lengths_value
    stacked = found.stack(op)
    n = op.Reshape(found.length(op), [1])
    lengths_value = op.Expand(op.Shape(stacked, start=1, end=2), n)
    rest = op.Shape(stacked, start=2)
    joined = op.Reshape(stacked, op.Concat(op.const([-1]), rest, axis=0))
    if stacked.dims is not None and len(stacked.dims) >= 2:
        a, b = stacked.dims[:2]
        joined.dims = (None if a is None or b is None else a * b, *stacked.dims[2:])
    return joined, lengths_value


def split(op: Builder, value: Value, lengths: Value, found: TensorList | None = None) -> TensorList:
    """Pieces of these lengths along the first axis."""
    if lengths.const is not None:
        sizes = [int(n) for n in lengths.const.ravel()]
        if not sizes:
            return Items(value.dtype, None, [], found.array if found else None)
        if len(sizes) == 1:
            return Items(value.dtype, value.dims, [value], found.array if found else None)
        pieces = op.append("Split", [value, op.const(sizes)], {"axis": 0}, outputs=len(sizes))
        rest = None if value.dims is None else value.dims[1:]
        for piece, size in zip(pieces, sizes, strict=True):
            piece.dims = None if rest is None else (size, *rest)
        return Items(value.dtype, None if rest is None else (None, *rest), list(pieces), found.array if found else None)
    sequence = op.SplitToSequence(value, op.cast(lengths, int64), axis=0)
    element = None if value.dims is None else (None, *value.dims[1:])
    return Carried(op, as_sequence(sequence, value.dtype, element), found.array if found else None, element)


@converts("TensorListSplit")
def split_list(op: Builder, node: NodeView) -> Any:
    return split(op, node.inputs[0], node.inputs[2])


@converts("TensorListConcatLists")
def concat_lists(op: Builder, node: NodeView) -> Any:
    a, b = _list(node, 0), _list(node, 1)
    if isinstance(a, Items) and isinstance(b, Items):
        return Items(a.dtype, merged(a.element, b.element), [*a.items, *b.items])
    return Dense(op.Concat(a.stack(op), b.stack(op), axis=0))


@converts("TensorListPushBackBatch")
def push_back_batch(op: Builder, node: NodeView) -> Any:
    raise node.fail("it makes a batch of lists, which ONNX does not hold.")
