"""Static shapes of TensorArrays, stacks, TensorLists, dynamic partition and stitch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphtools.constant import constant, constant_as_shape
from graphtools.graph import Dims, Node, Tensor
from graphtools.shapes import shape


def _names(name: str) -> tuple[str, ...]:
    return tuple(f"TensorArray{name}{v}" for v in ("", "V2", "V3"))


@shape(
    "TensorArray", "TensorArrayV2", "TensorArrayV3", "TensorArrayGrad", "TensorArrayGradV2", "TensorArrayGradV3", "TensorArrayGradWithShape"
)
def tensor_array(node: Node) -> Sequence[Dims]:
    """A handle of strings has two elements; a flow is a scalar."""
    handle: Dims = (2,) if node.op in ("TensorArray", "TensorArrayV2", "TensorArrayGrad", "TensorArrayGradV2") else ()
    return [handle, ()][: len(node.outputs)]


@shape(*_names("Write"), *_names("Scatter"), *_names("Split"), "TensorArrayUnpack", *_names("Size"), "TensorListLength")
def scalar(node: Node) -> Sequence[Dims]:
    return [()]


def _element(handle: Tensor) -> Dims:
    """The element shape that the TensorArray op behind a handle declares."""
    for _ in range(100):
        node = handle.node
        if node.op.startswith("TensorArrayGrad") or node.op in ("Identity", "Enter", "RefEnter", "Switch", "RefSwitch"):
            handle = node.inputs[0]
        else:
            dims: Dims = node.attr.get("element_shape") if node.op in ("TensorArrayV3", "TensorArrayV2", "TensorArray") else None
            return dims
    return None


@shape(*_names("Read"))
def read(node: Node) -> Sequence[Dims]:
    return [_element(node.inputs[0])]


@shape(*_names("Gather"), "TensorArrayPack")
def gather(node: Node) -> Sequence[Dims]:
    dims = node.attr.get("element_shape")
    dims = _element(node.inputs[0]) if dims is None else dims
    if dims is None:
        return [None]
    count = node.inputs[1].dims if node.op != "TensorArrayPack" else None
    return [(count[0] if count is not None and len(count) == 1 else None, *dims)]


@shape(*_names("Concat"))
def concat(node: Node) -> Sequence[Dims]:
    rest = node.attr.get("element_shape_except0")
    return [None if rest is None else (None, *rest), (None,)]


@shape("StackPush", "StackPushV2")
def stack_push(node: Node) -> Sequence[Dims]:
    return [node.inputs[1].dims]


# -- TensorLists -------------------------------------------------------------------------------------------------------


def _declared(tensor: Tensor) -> Dims:
    if tensor.dims == ():
        return None
    found = constant_as_shape(tensor)
    return None if found is None else tuple(d if d is not None and d >= 0 else None for d in found)


@shape("TensorListReserve", "EmptyTensorList", "TensorListFromTensor", "TensorListSetItem", "TensorListPushBack", "TensorListResize")
def a_list(node: Node) -> Sequence[Dims]:
    return [()]


@shape("TensorListGetItem")
def get_item(node: Node) -> Sequence[Dims]:
    return [_declared(node.inputs[2])]


@shape("TensorListPopBack")
def pop_back(node: Node) -> Sequence[Dims]:
    return [(), _declared(node.inputs[1])]


@shape("TensorListStack")
def stack(node: Node) -> Sequence[Dims]:
    dims = _declared(node.inputs[1])
    count = node.attr.get("num_elements", -1)
    return [None if dims is None else (count if count >= 0 else None, *dims)]


@shape("TensorListGather")
def list_gather(node: Node) -> Sequence[Dims]:
    dims = _declared(node.inputs[2])
    count = node.inputs[1].dims
    return [None if dims is None else (count[0] if count is not None and len(count) == 1 else None, *dims)]


# -- partition and stitch -----------------------------------------------------------------------------------------------


@shape("DynamicPartition")
def dynamic_partition(node: Node) -> Sequence[Dims]:
    data, partitions = node.inputs[0].dims, node.inputs[1].dims
    dims = None if data is None or partitions is None else (None, *data[len(partitions) :])
    return [dims] * len(node.outputs)


@shape("DynamicStitch", "ParallelDynamicStitch")
def dynamic_stitch(node: Node) -> Sequence[Dims]:
    indices, data = node.input("indices"), node.input("data")
    known = [constant(i) for i in indices]
    size = None if any(k is None for k in known) else max((int(np.max(k)) for k in known if k is not None and k.size), default=-1) + 1
    for index, value in zip(indices, data, strict=True):
        if index.dims is not None and value.dims is not None:
            return [(size, *value.dims[len(index.dims) :])]
    return [None]
