"""TensorArrays, stacks, and dynamic partition and stitch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.convert import ON_LISTS, converts
from graphtools.convert.builder import Builder, Value
from graphtools.convert.lists import Array, Blank, Dense, TensorList, Weaken, mark_uneven
from graphtools.convert.tensor_list_ops import concatenated, split
from graphtools.convert.walk import StackRef
from graphtools.dtypes import int32, int64
from graphtools.graph import Tensor

if TYPE_CHECKING:
    from graphtools.convert.walk import NodeView

# A TensorArray's content travels with its flow, a float in TensorFlow. The flow that gradient code hands to an array of
# gradients at first is that of the array itself: to the array of gradients it means "empty".


def versions(name: str) -> tuple[str, ...]:
    return tuple(f"TensorArray{name}{v}" for v in ("", "V2", "V3"))


@converts("TensorArray", "TensorArrayV2", "TensorArrayV3")
def tensor_array(op: Builder, node: NodeView) -> Any:
    array = Array(node.name, node.attr["dtype"], node.attr.get("element_shape"), node.inputs[0], bool(node.attr.get("dynamic_size")))
    array.varies = not node.attr.get("identical_element_shapes") and _is_concatenated(node)
    return (array, array.blank()) if len(node.outputs) > 1 else array


def _is_concatenated(node: NodeView) -> bool:
    """Whether a graph concatenates TensorArrays, whose elements may then be of different lengths."""
    dims = node.attr.get("element_shape")
    graphs = [node.graph, *(f.graph for f in node.graph.functions.values())]
    return (dims is None or not dims or dims[0] is None) and any(n.op.startswith("TensorArrayConcat") for g in graphs for n in g)


@converts("TensorArrayGrad", "TensorArrayGradV2", "TensorArrayGradV3", "TensorArrayGradWithShape")
def tensor_array_grad(op: Builder, node: NodeView) -> Any:
    forward = _array(node)
    flow = node.inputs[1]
    size = forward.size
    if forward.is_dynamic and isinstance(flow, TensorList) and flow.array is not None and flow.array.key == forward.key:
        size = flow.length(op)
    array = Array(f"{forward.key}@{node.attr.get('source', '')}", forward.dtype, forward.element, size, forward=forward)
    array.varies = forward.varies
    return (array, flow) if len(node.outputs) > 1 else array


def _array(node: NodeView) -> Array:
    found = node.inputs[0]
    if not isinstance(found, Array):
        raise node.fail(f"{node.node.inputs[0].name!r} is no TensorArray that its conversion can follow.")
    return found


def _content(op: Builder, node: NodeView, array: Array | None = None) -> TensorList:
    """What the array holds at this point, which its flow says."""
    array = array or _array(node)
    flow = node.inputs[-1]
    if isinstance(flow, TensorList):
        if flow.array is None or flow.array.key == array.key:
            return flow
        is_forward = array.forward is not None and array.forward.key == flow.array.key
        size = flow.length(op) if is_forward and flow.array.is_dynamic else None
        return array.blank(size)
    _follow_flow(op, flow, array)
    return array.blank()


def _follow_flow(op: Builder, flow: Any, array: Array) -> None:
    """A flow that a loop carries as a plain number turns out to be the content of an array."""
    builder: Builder | None = op
    while builder is not None:
        if builder.loop is not None and flow in builder.loop.slots:
            raise Weaken(builder.loop, builder.loop.slots[flow], array)
        builder = builder.parent


@converts(*versions("Write"))
def write(op: Builder, node: NodeView) -> Any:
    return _content(op, node).set(op, node.inputs[1], node.inputs[2])


@converts(*versions("Read"))
def read(op: Builder, node: NodeView) -> Any:
    array = _array(node)
    if array.varies:
        mark_uneven(op)
    return _content(op, node, array).get(op, node.inputs[1])


def _is_all(node: NodeView, position: int, array: Array) -> bool:
    """Whether an indices input is range(size of the array)."""
    tensor = node.node.inputs[position]
    while tensor.node.op == "Identity":
        tensor = tensor.node.inputs[0]
    source = tensor.node
    if source.op != "Range":
        return False
    from graphtools.constant import constant

    start, delta = constant(source.inputs[0]), constant(source.inputs[2])
    if start is None or delta is None or int(start) != 0 or int(delta) != 1:
        return False
    limit: Tensor = source.inputs[1]
    while limit.node.op == "Identity":
        limit = limit.node.inputs[0]
    if limit.node.op.startswith("TensorArraySize"):
        sized = node.walk.values.get(limit.node.inputs[0])
        return isinstance(sized, Array) and sized.key == array.key
    size = node.walk.values.get(limit)
    return isinstance(size, Value) and _same(size, array.size)


def _same(a: Value, b: Value) -> bool:
    from graphtools.convert.lists import same_value

    return same_value(a, b)


@converts(*versions("Gather"), "TensorArrayPack")
def gather(op: Builder, node: NodeView) -> Any:
    array = _array(node)
    found = _content(op, node, array)
    if isinstance(found, Blank) and node.attr.get("element_shape") is not None:
        found = Blank(found.dtype, node.attr["element_shape"], found.size, found.array)
    stacked = found.stack(op)
    if node.op == "TensorArrayPack" or _is_all(node, 1, array.forward or array) or _is_all(node, 1, array):
        return stacked
    indices = node.maybe_const("indices")
    if (
        indices is not None
        and stacked.dims is not None
        and stacked.dims[0] is not None
        and np.array_equal(indices, np.arange(stacked.dims[0]))
    ):
        return stacked
    return op.Gather(stacked, op.cast(node.inputs[1], int64), axis=0)


@converts(*versions("Scatter"), "TensorArrayUnpack")
def scatter(op: Builder, node: NodeView) -> Any:
    array = _array(node)
    before = _content(op, node, array)
    value = node.inputs[1] if node.op == "TensorArrayUnpack" else node.inputs[2]
    fresh = isinstance(before, Blank)
    if node.op == "TensorArrayUnpack":
        result: TensorList = Dense(value, array)
    else:
        indices = node.maybe_const("indices")
        whole = _is_all(node, 1, array.forward or array) or _starts_at_zero(node)
        if indices is not None:
            whole = np.array_equal(indices, np.arange(len(indices)))
        if whole and (fresh or not array.forward):
            result = Dense(value, array, count=None if array.is_dynamic or array.forward else array.size)
            size = array.size.const
            if array.forward is not None and indices is not None and size is not None and int(size) != len(indices):
                result = _scattered(op, array, node.inputs[1], value, Blank(array.dtype, array.element, array.size, array))
        else:
            result = _scattered(op, array, node.inputs[1], value, before)
            if array.forward is not None:
                return result
    if array.forward is not None and not fresh:
        return before.add(op, result)
    return result


def _starts_at_zero(node: NodeView) -> bool:
    """Whether an indices input is range(n) for some n: what unstack writes."""
    from graphtools.constant import constant

    source = node.node.inputs[1].node
    if source.op != "Range":
        return False
    start, delta = constant(source.inputs[0]), constant(source.inputs[2])
    return start is not None and delta is not None and int(start) == 0 and int(delta) == 1 and node.inputs[0].forward is None


def _scattered(op: Builder, array: Array, indices: Value, value: Value, before: TensorList) -> TensorList:
    at = op.Unsqueeze(op.cast(indices, int64), [1])
    if isinstance(before, Blank):
        size = before.length(op)
        if array.is_dynamic:
            size = op.Max(size, op.Add(op.ReduceMax(op.cast(indices, int64), keepdims=0), 1))
        shape = op.Concat(op.Reshape(size, [1]), op.Shape(value, start=1), axis=0)
        base = op.Expand(op.const(np.zeros((), value.dtype.as_numpy_dtype)), shape)
    else:
        base = before.stack(op)
    if array.forward is not None:
        return Dense(op.ScatterND(base, at, value, reduction="add"), array)
    return Dense(op.ScatterND(base, at, value), array)


@converts(*versions("Split"))
def split_array(op: Builder, node: NodeView) -> Any:
    array = _array(node)
    before = _content(op, node, array)
    pieces = split(op, node.inputs[1], node.inputs[2], array.blank())
    return before.add(op, pieces) if array.forward is not None and not isinstance(before, Blank) else pieces


@converts(*versions("Concat"))
def concat(op: Builder, node: NodeView) -> Any:
    return concatenated(op, _content(op, node))


@converts(*versions("Size"))
def size(op: Builder, node: NodeView) -> Any:
    array = _array(node)
    if not array.is_dynamic:
        return op.cast(array.size, int32)
    return op.cast(_content(op, node, array).length(op), int32)


@converts(*versions("Close"))
def close(op: Builder, node: NodeView) -> Any:
    return None


# -- flows in arithmetic: gradients of one array that come from several places add up -------------------------------------


def _sum(op: Builder, node: NodeView) -> Any:
    arrays = [v.array for v in node.inputs if isinstance(v, TensorList)]
    total: Any = None
    for value in node.inputs:
        if not isinstance(value, TensorList):
            array = next((a for a in arrays if a is not None), None)
            if array is not None:
                _follow_flow(op, value, array)
            continue
        if value.array is not None and value.array.forward is None and any(a is not None and a.forward is not None for a in arrays):
            continue  # the array itself among its gradients: empty
        total = value if total is None else total.add(op, value)
    return total


def _zeros(op: Builder, node: NodeView) -> Any:
    """Zeros like a list: as many elements, none written; a plain zero for a flow."""
    found: TensorList = node.inputs[0]
    if found.array is not None:
        return op.const(np.zeros((), np.float32))
    return Blank(found.dtype, found.element, found.length(op))


for _op in ("Add", "AddV2", "AddN"):
    ON_LISTS[_op] = _sum
ON_LISTS["ZerosLike"] = _zeros


def _shape(op: Builder, node: NodeView) -> Any:
    """A flow is a scalar to TensorFlow, and so is the variant of a list."""
    if node.node.inputs[0].rank == 1:  # a vector of variants, such as the rows of a ragged tensor
        return op.cast(op.Reshape(node.inputs[0].length(op), [1]), node.dtype)
    return op.const(np.zeros(0, node.outputs[0].dtype.as_numpy_dtype))


ON_LISTS["Shape"] = _shape


# -- stacks ---------------------------------------------------------------------------------------------------------------


def _stack_key(node: NodeView) -> str:
    found = node.inputs[0]
    if not isinstance(found, StackRef):
        raise node.fail(f"{node.node.inputs[0].name!r} is no stack that its conversion can follow.")
    return found.key


@converts("Stack", "StackV2")
def stack(op: Builder, node: NodeView) -> Any:
    return StackRef(node.name)


@converts("StackPush", "StackPushV2")
def stack_push(op: Builder, node: NodeView) -> Any:
    """Gives what it pushes."""
    key = _stack_key(node)
    value = node.inputs[1]
    if isinstance(value, TensorList) and value.array is not None:  # gradients take a flow only as a sign that the array was made
        node.walk.set_stack(node.node, key, node.walk.stack(node.node, key).push(op, op.const(np.zeros((), np.float32))))
        return value
    if not isinstance(value, Value):
        raise node.fail(f"{node.node.inputs[1].name!r}, a {node.node.inputs[1].dtype.name}, cannot be kept on a stack in ONNX.")
    node.walk.set_stack(node.node, key, node.walk.stack(node.node, key).push(op, value))
    return value


@converts("StackPop", "StackPopV2")
def stack_pop(op: Builder, node: NodeView) -> Any:
    key = _stack_key(node)
    rest, value = node.walk.stack(node.node, key).pop(op)
    node.walk.set_stack(node.node, key, rest)
    return value


@converts("StackClose", "StackCloseV2")
def stack_close(op: Builder, node: NodeView) -> Any:
    return None


# -- partition and stitch -------------------------------------------------------------------------------------------------


@converts("DynamicPartition")
def dynamic_partition(op: Builder, node: NodeView) -> Any:
    """Part i has the rows where partitions == i, in order."""
    data, partitions = node.inputs
    rank = partitions.rank
    if rank is None:
        raise node.fail("the rank of its partitions must be known.")
    if rank == 0:
        data, partitions = op.Unsqueeze(data, [0]), op.Unsqueeze(partitions, [0])
    elif rank > 1:
        tail = op.Shape(data, start=rank)
        data, partitions = op.Reshape(data, op.Concat(op.const([-1]), tail, axis=0)), op.Reshape(partitions, [-1])
    results = []
    for i in range(node.attr["num_partitions"]):
        part = op.Compress(data, op.Equal(partitions, op.const(np.array(i, np.int32))), axis=0)
        part.dims = None if data.dims is None else (None, *data.dims[1:])
        results.append(part)
    return results


@converts("DynamicStitch", "ParallelDynamicStitch")
def dynamic_stitch(op: Builder, node: NodeView) -> Any:
    """Row indices[m][i] is data[m][i]; of rows given twice the last counts, rows not given are undefined in TensorFlow."""
    indices, data = node.input("indices"), node.input("data")
    flat = [op.Reshape(op.cast(i, int64), [-1]) if i.dims is None or len(i.dims) != 1 else op.cast(i, int64) for i in indices]
    rows = []
    for index, value in zip(indices, data, strict=True):
        if index.rank is None:
            raise node.fail("the rank of its indices must be known.")
        if index.rank == 1:
            rows.append(value)
        elif value.rank == index.rank:
            rows.append(op.Reshape(value, [-1]))
        else:
            rows.append(op.Reshape(value, op.Concat(op.const([-1]), op.Shape(value, start=index.rank), axis=0)))
    at = flat[0] if len(flat) == 1 else op.Concat(*flat, axis=0)
    values = rows[0] if len(rows) == 1 else op.Concat(*rows, axis=0)
    if at.const is not None:
        order = np.zeros(int(at.const.max()) + 1 if at.const.size else 0, np.int64)
        order[at.const] = np.arange(at.const.size)
        return op.Gather(values, op.const(order), axis=0)
    size = op.Add(op.ReduceMax(op.Concat(at, op.const([-1]), axis=0), keepdims=1), 1)
    count = op.Squeeze(op.Shape(at), [0])
    numbers = op.Range(op.const(np.array(0, np.int64)), count, op.const(np.array(1, np.int64)))
    # ScatterElements goes through its updates in order, which makes the last one count; ScatterND promises no order.
    source = op.ScatterElements(op.Expand(op.const(np.array(0, np.int64)), size), at, numbers, axis=0)
    return op.Gather(values, source, axis=0)
