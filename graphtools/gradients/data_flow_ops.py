"""Gradients of TensorArrays: reads write to, and writes read from, an array of gradients of the same size."""

from __future__ import annotations

from typing import Any

from graphtools.gradients import gradient, not_differentiable
from graphtools.gradients.walk import Emit
from graphtools.graph import Node, Tensor

not_differentiable(
    *(f"{op}{v}" for op in ("TensorArray", "TensorArrayGrad", "TensorArraySize", "TensorArrayClose") for v in ("", "V2", "V3")),
    "Stack", "StackV2", "StackPush", "StackPop", "StackClose", "LookupTableFind", "LookupTableFindV2", "LookupTableSize", "LookupTableSizeV2",
    "GetSessionHandle", "GetSessionTensor", "DeleteSessionTensor", "QueueEnqueue", "QueueEnqueueMany", "QueueDequeue", "QueueDequeueMany", "QueueDequeueUpTo",
    "QueueDequeueV2", "QueueDequeueManyV2", "QueueDequeueUpToV2", "QueueEnqueueV2", "QueueEnqueueManyV2", "QueueClose", "QueueSize",
)  # fmt: skip


def _source(tensor: Tensor) -> str:
    """The name that keeps the arrays of different gradient calls apart: up to the last `gradients` scope."""
    parts = tensor.name.split("/")
    positions = [i for i, p in enumerate(parts) if p.startswith("gradients")]
    if not positions:
        raise ValueError(
            f"Expected op/tensor name to start with gradients (excluding scope), got: {tensor.name}. This means that a tf.gradients op with this op in its dependency path has a custom name that does not start with 'gradients'."
        )
    return "/".join(parts[: positions[-1] + 1])


def _grad_array(g: Emit, version: str, handle: Tensor, flow: Tensor, source: str) -> tuple[Tensor, Tensor]:
    """(handle, flow) of the array of gradients."""
    with g.graph.name_scope("TensorArrayGrad"), g.graph.colocate_with(handle.node):
        made = g.op(f"TensorArrayGrad{version}", handle, flow, source=source)
        grad_handle = made[0] if isinstance(made, tuple) else made
        with g.graph.control_dependencies([grad_handle.node]):
            return grad_handle, g.op("Identity", flow, name="gradient_flow")


def _version(node: Node) -> str:
    return "V3" if node.op.endswith("V3") else "V2" if node.op.endswith("V2") else ""


@gradient("TensorArrayRead", "TensorArrayReadV2", "TensorArrayReadV3")
def read(g: Emit, node: Node, dy: Any) -> Any:
    v = _version(node)
    handle, flow = _grad_array(g, v, node.inputs[0], node.inputs[2], _source(dy))
    return None, None, g.op(f"TensorArrayWrite{v}", handle, node.inputs[1], dy, flow, name=f"TensorArrayWrite/TensorArrayWrite{v}")


@gradient("TensorArrayWrite", "TensorArrayWriteV2", "TensorArrayWriteV3")
def write(g: Emit, node: Node, dy: Any) -> Any:
    v = _version(node)
    handle, flow = _grad_array(g, v, node.inputs[0], dy, _source(dy))
    grad = g.op(f"TensorArrayRead{v}", handle, node.inputs[1], flow, dtype=node.attr["T"])
    grad.dims = node.inputs[2].dims
    return None, None, grad, dy


@gradient("TensorArrayGather", "TensorArrayGatherV2", "TensorArrayGatherV3")
def gather(g: Emit, node: Node, dy: Any) -> Any:
    v = _version(node)
    handle, flow = _grad_array(g, v, node.inputs[0], node.inputs[2], _source(dy))
    return None, None, g.op(f"TensorArrayScatter{v}", handle, node.inputs[1], dy, flow, name=f"TensorArrayScatter/TensorArrayScatter{v}")


@gradient("TensorArrayScatter", "TensorArrayScatterV2", "TensorArrayScatterV3")
def scatter(g: Emit, node: Node, dy: Any) -> Any:
    v = _version(node)
    handle, flow = _grad_array(g, v, node.inputs[0], dy, _source(dy))
    grad = g.op(f"TensorArrayGather{v}", handle, node.inputs[1], flow, dtype=node.attr["T"], element_shape=None)
    grad.dims = node.inputs[2].dims
    return None, None, grad, dy


@gradient("TensorArrayConcat", "TensorArrayConcatV2", "TensorArrayConcatV3")
def concat(g: Emit, node: Node, dy: Any) -> Any:
    v = _version(node)
    handle, flow = _grad_array(g, v, node.inputs[0], node.inputs[1], _source(dy[0]))
    return None, g.op(f"TensorArraySplit{v}", handle, dy[0], node.outputs[1], flow, name=f"TensorArraySplit/TensorArraySplit{v}")


@gradient("TensorArraySplit", "TensorArraySplitV2", "TensorArraySplitV3")
def split(g: Emit, node: Node, dy: Any) -> Any:
    v = _version(node)
    handle, flow = _grad_array(g, v, node.inputs[0], dy, _source(dy))
    grad = g.op(f"TensorArrayConcat{v}", handle, flow, dtype=node.attr["T"], element_shape_except0=None)[0]
    grad.dims = node.inputs[1].dims
    return None, grad, None, dy
