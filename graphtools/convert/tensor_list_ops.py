"""TensorList* ops: lists of tensors held in a variant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.constant import constant_as_shape
from graphtools.convert import converts
from graphtools.convert.builder import Builder, Value
from graphtools.convert.lists import (
    Blank,
    Carried,
    Dense,
    Items,
    Maybe,
    TensorList,
    as_sequence,
    mark_uneven,
    mark_varying,
    merged,
    zeros,
)
from graphtools.convert.loop_lists import LoopList
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
        return Blank(found.dtype, merged(found.element, dims), found.size, found.array, found.shape)
    if isinstance(found, LoopList) and isinstance(found.init, Blank):
        found.init = Blank(found.dtype, merged(found.init.element, dims), found.init.size, found.init.array, found.init.shape)
    if isinstance(found, Items | Carried) and dims is not None:
        found.element = merged(found.element, dims)
    return found


@converts("TensorListReserve")
def reserve(op: Builder, node: NodeView) -> Any:
    """Elements of different lengths are only expected where lists are concatenated."""
    dims = element_dims(node.node.inputs[0])
    dtype = node.attr["element_dtype"]
    if dtype is variant:  # rows of a ragged tensor: the op that puts them together says of what
        dtype = next((n.attr["Tvalues"] for n in node.graph if n.op == "RaggedTensorFromVariant" and n.attr["output_ragged_rank"]), dtype)
    result = Blank(dtype, dims, op.cast(node.inputs[1], int64))
    graphs = [node.graph, *(f.graph for f in node.graph.functions.values())]
    result.varies = (dims is None or not dims or dims[0] is None) and any(n.op.startswith("TensorListConcat") for g in graphs for n in g)
    return result


@converts("EmptyTensorList")
def empty(op: Builder, node: NodeView) -> Any:
    """Lists and optionals are scalars to TensorFlow; what is in them is not."""
    dtype = node.attr["element_dtype"]
    return Items(dtype, None if dtype is variant else element_dims(node.node.inputs[0]), [])


@converts("TensorListFromTensor")
def from_tensor(op: Builder, node: NodeView) -> Any:
    """A vector of variants is a list already."""
    return node.inputs[0] if isinstance(node.inputs[0], TensorList) else Dense(node.inputs[0])


@converts("TensorListStack")
def stack(op: Builder, node: NodeView) -> Any:
    found = _refined(node, _list(node), 1)
    if node.outputs[0].dtype is variant:  # a vector of variants stays the list of what is in them
        return found
    dims = node.outputs[0].dims
    if isinstance(found, Blank) and found.element is None and dims is not None:
        found = Blank(found.dtype, dims[1:], found.size, found.array, found.shape)
    return found.stack(op)


@converts("TensorListGetItem")
def get_item(op: Builder, node: NodeView) -> Any:
    found = _refined(node, _list(node), 2)
    if found.varies:
        mark_uneven(op)
    value = found.get(op, node.inputs[1])
    return Dense(value) if node.outputs[0].dtype is variant else value


@converts("TensorListSetItem")
def set_item(op: Builder, node: NodeView) -> Any:
    found = _list(node)
    if node.attr.get("resize_if_index_out_of_bounds"):
        found.grows = True
    return found.set(op, node.inputs[1], plain_value(op, node, node.inputs[2]))


@converts("TensorListPushBack")
def push_back(op: Builder, node: NodeView) -> Any:
    """A list in a list is its elements stacked, an optional its value."""
    return _list(node).push(op, plain_value(op, node, node.inputs[1]))


def plain_value(op: Builder, node: NodeView, value: Any) -> Value:
    if isinstance(value, TensorList):
        stacked = value.stack(op)
        if stacked.dims is None or stacked.dims[0] is None:
            mark_varying(op, stacked)
        return stacked
    if isinstance(value, Maybe):
        if value.values is None or len(value.values) != 1 or value.others:
            raise node.fail("a list cannot hold optionals of several values, or that branches fill with different types, in ONNX.")
        inner = plain_value(op, node, value.values[0])
        if value.varies:
            mark_varying(op, inner)
        return inner
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
    if isinstance(found, Dense) and (dims is None or None in dims):
        return op.cast(op.Shape(found.value, start=1), node.attr["shape_type"])
    return op.const(np.array(-1, dtype) if dims is None else np.array([-1 if d is None else d for d in dims], dtype))


@converts("TensorListResize")
def resize(op: Builder, node: NodeView) -> Any:
    """Elements beyond the old length are zeros."""
    found = _list(node)
    size = op.cast(node.inputs[1], int64)
    if isinstance(found, Blank):
        return Blank(found.dtype, found.element, size, shape=found.shape)
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
    into_list = _list(node) if into else None
    if into_list is not None and not isinstance(into_list, Blank):
        base = into_list.stack(op)
    else:
        size: Value | None = None if into_list is None else into_list.length(op)
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
        result: TensorList = Items(value.dtype, None if rest is None else (None, *rest), list(pieces), found.array if found else None)
        result.varies = len(set(sizes)) > 1
        return result
    sequence = op.SplitToSequence(value, op.cast(lengths, int64), axis=0)
    element = None if value.dims is None else (None, *value.dims[1:])
    result = Carried(op, as_sequence(sequence, value.dtype, element), found.array if found else None, element)
    result.varies = True
    return result


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
