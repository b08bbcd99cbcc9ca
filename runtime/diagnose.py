"""What was wrong with a run, in TensorFlow's words: the inputs of the op that failed are computed again and looked at."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools.graph import Node, Tensor
from runtime.errors import InvalidArgumentError

if TYPE_CHECKING:
    from runtime.session import Session

Array = np.ndarray[Any, Any]
Check = Callable[..., str | None]
CHECKS: dict[str, Check] = {}

# Stateful ops that may be run once more without a trace.
HARMLESS = frozenset(
    {"Placeholder", "PlaceholderWithDefault", "Variable", "VariableV2", "VarHandleOp", "ReadVariableOp", "ResourceGather", "ResourceGatherNd", "VariableShape",
     "IsVariableInitialized", "VarIsInitializedOp"}
)  # fmt: skip


def check(*ops: str) -> Callable[[Check], Check]:
    """Declare what looks at the inputs of these op types: a message, or None where they are right."""

    def declare(function: Check) -> Check:
        for op in ops:
            CHECKS[op] = function
        return function

    return declare


def explained(session: Session, error: Exception, feeds: Mapping[Tensor, Any]) -> Exception:
    """The error as TensorFlow puts it; as it is where the op is not known or cannot be looked at without consequences."""
    if type(error) is not InvalidArgumentError:
        return error
    names = list(error.suspects) or [getattr(error.op, "name", "")]
    nodes = [n for name in names if (n := session.graph.nodes.get(name)) is not None]
    for candidate in _suspects(nodes[0]) if len(nodes) == 1 else nodes:
        if candidate.op not in CHECKS or not _repeatable(candidate, feeds):
            continue
        try:
            inputs = [t for t in candidate.inputs if not t.dtype.is_ref and t.dtype.base_dtype.name not in ("resource", "variant")]
            values = dict(zip(inputs, session.run_flat_plain(inputs, feeds), strict=True))
            shown = [np.asarray(values[t]) if t in values else t for t in candidate.inputs]
            message = CHECKS[candidate.op](candidate, *shown)
        except Exception:  # looking failed: what is known already is said
            continue
        if message is not None:
            where = f"\n\t [[{{{{node {candidate.name}}}}}]]"
            if candidate.source:
                where += f" (made at {candidate.source[0]}:{candidate.source[1]})"
            return InvalidArgumentError(candidate, candidate, message + where)
    return error


def _suspects(node: Node) -> list[Node]:
    """The op that failed, then those that it reads directly: ONNX Runtime may have fused them."""
    return [node, *(t.node for t in node.inputs)]


def _repeatable(node: Node, feeds: Mapping[Tensor, Any]) -> bool:
    """Whether nothing that the inputs need has effects."""
    seen: set[Node] = set()
    stack = [t.node for t in node.inputs if t not in feeds]
    while stack:
        current = stack.pop()
        if current in seen:
            continue
        seen.add(current)
        opdef = current.opdef
        if current.op in ("Enter", "NextIteration", "Exit") or (opdef is not None and opdef.is_stateful and current.op not in HARMLESS):
            return False
        stack.extend(t.node for t in current.inputs if t not in feeds)
        stack.extend(current.control_inputs)
    return True


def _shape(dims: Any) -> str:
    return "[" + ",".join(str(int(d)) for d in dims) + "]"


def _outside(indices: Array, limit: int) -> str | None:
    """The first index that is not below `limit`."""
    bad = np.argwhere((indices < 0) | (indices >= limit))
    if not len(bad):
        return None
    place = ",".join(str(int(i)) for i in bad[0])
    at = f"[{place}]" if indices.ndim else ""
    return f"indices{at} = {int(indices[tuple(bad[0])])} is not in [0, {limit})"


@check("Reshape")
def reshape(node: Node, x: Array, shape: Array) -> str | None:
    wanted = [int(d) for d in shape.ravel()]
    if wanted.count(-1) > 1:
        return "Only one input size may be -1"
    known = math.prod(d for d in wanted if d != -1)
    if -1 in wanted:
        if known == 0 or x.size % known:
            return f"Input to reshape is a tensor with {x.size} values, but the requested shape requires a multiple of {known}"
    elif known != x.size:
        return f"Input to reshape is a tensor with {x.size} values, but the requested shape has {known}"
    return None


@check("Gather", "GatherV2")
def gather(node: Node, params: Array, indices: Array, axis: Any = 0, *rest: Any) -> str | None:
    return _outside(indices, params.shape[int(axis)])


@check("ResourceGather")
def resource_gather(node: Node, handle: Any, indices: Array) -> str | None:
    dims = handle.node.attr.get("shape") if isinstance(handle, Tensor) else None
    return _outside(indices, dims[0]) if dims and dims[0] is not None else None


@check("GatherNd")
def gather_nd(node: Node, params: Array, indices: Array) -> str | None:
    limits = params.shape[: indices.shape[-1]]
    flat = indices.reshape(-1, indices.shape[-1])
    for i, index in enumerate(flat):
        if any(not 0 <= v < limit for v, limit in zip(index, limits, strict=True)):
            place = ",".join(str(int(p)) for p in np.unravel_index(i, indices.shape[:-1])) if indices.ndim > 1 else str(i)
            return f"indices[{place}] = {_shape(index)} does not index into param shape {_shape(params.shape)}"
    return None


@check(
    "Add", "AddV2", "Atan2", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "DivNoNan", "Equal", "FloorDiv", "FloorMod", "Greater", "GreaterEqual", "Less",
    "LessEqual", "LogicalAnd", "LogicalOr", "Maximum", "Minimum", "Mod", "Mul", "NotEqual", "Pow", "RealDiv", "SquaredDifference", "Sub", "TruncateDiv",
    "TruncateMod", "Xdivy", "Xlogy",
)  # fmt: skip
def binary(node: Node, x: Array, y: Array) -> str | None:
    try:
        np.broadcast_shapes(x.shape, y.shape)
    except ValueError:
        return f"Incompatible shapes: {_shape(x.shape)} vs. {_shape(y.shape)}"
    return None


@check("MatMul", "SparseMatMul")
def mat_mul(node: Node, a: Array, b: Array) -> str | None:
    for i, x in enumerate((a, b)):
        if x.ndim != 2:
            return f"In[{i}] is not a matrix. Instead it has shape {_shape(x.shape)}"
    if a.shape[0 if node.attr["transpose_a"] else 1] != b.shape[1 if node.attr["transpose_b"] else 0]:
        return f"Matrix size-incompatible: In[0]: {_shape(a.shape)}, In[1]: {_shape(b.shape)}"
    return None


@check("BatchMatMul", "BatchMatMulV2")
def batch_mat_mul(node: Node, a: Array, b: Array) -> str | None:
    for i, x in enumerate((a, b)):
        if x.ndim < 2:
            return f"In[{i}] ndims must be >= 2: {x.ndim}"
    left, right = a.shape[-2 if node.attr["adj_x"] else -1], b.shape[-1 if node.attr["adj_y"] else -2]
    if left != right:
        flags = f"{int(node.attr['adj_x'])} {int(node.attr['adj_y'])}"
        return f"In[0] mismatch In[1] shape: {left} vs. {right}: {_shape(a.shape)} {_shape(b.shape)} {flags}"
    try:
        np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        return f"In[0] and In[1] must have compatible batch dimensions: {_shape(a.shape)} vs. {_shape(b.shape)}"
    return None


@check("ConcatV2", "Concat")
def concat(node: Node, *inputs: Array) -> str | None:
    values, axis = (inputs[:-1], int(inputs[-1])) if node.op == "ConcatV2" else (inputs[1:], int(inputs[0]))
    first = values[0]
    for i, x in enumerate(values[1:], 1):
        if x.ndim != first.ndim:
            return (
                f"ConcatOp : Ranks of all input tensors should match: shape[0] = {_shape(first.shape)} vs. shape[{i}] = {_shape(x.shape)}"
            )
        if any(a != b for d, (a, b) in enumerate(zip(first.shape, x.shape, strict=True)) if d != axis % first.ndim):
            return f"ConcatOp : Dimensions of inputs should match: shape[0] = {_shape(first.shape)} vs. shape[{i}] = {_shape(x.shape)}"
    return None


@check("Pack")
def pack(node: Node, *values: Array) -> str | None:
    for i, x in enumerate(values[1:], 1):
        if x.shape != values[0].shape:
            return f"Shapes of all inputs must match: values[0].shape = {_shape(values[0].shape)} != values[{i}].shape = {_shape(x.shape)}"
    return None


@check("AddN", "AccumulateNV2")
def add_n(node: Node, *values: Array) -> str | None:
    for i, x in enumerate(values[1:], 1):
        if x.shape != values[0].shape:
            return f"Inputs to operation {node.name} of type {node.op} must have the same size and shape.  Input 0: {_shape(values[0].shape)} != input {i}: {_shape(x.shape)}"
    return None


@check("SparseSoftmaxCrossEntropyWithLogits")
def sparse_cross_entropy(node: Node, logits: Array, labels: Array) -> str | None:
    if logits.ndim != 2:
        return f"logits must be 2-D, but got shape {_shape(logits.shape)}"
    if labels.ndim != 1:
        return f"labels must be 1-D, but got shape {_shape(labels.shape)}"
    if logits.shape[0] != labels.shape[0]:
        return f"logits and labels must have the same first dimension, got logits shape {_shape(logits.shape)} and labels shape {_shape(labels.shape)}"
    bad = labels[(labels < 0) | (labels >= logits.shape[1])]
    if bad.size:
        listed = " ".join(str(int(v)) for v in labels)
        return (
            f"Received a label value of {int(bad[0])} which is outside the valid range of [0, {logits.shape[1]}).  Label values: {listed}"
        )
    return None


@check("SoftmaxCrossEntropyWithLogits")
def cross_entropy(node: Node, logits: Array, labels: Array) -> str | None:
    try:
        np.broadcast_shapes(logits.shape, labels.shape)
    except ValueError:
        return f"logits and labels must be broadcastable: logits_size={_shape(logits.shape)} labels_size={_shape(labels.shape)}"
    return None


@check("Squeeze")
def squeeze(node: Node, x: Array) -> str | None:
    for axis in node.attr.get("squeeze_dims") or ():
        if not -x.ndim <= axis < x.ndim:
            return f"Tried to squeeze dim index {axis} for tensor with {x.ndim} dimensions."
        if x.shape[axis] != 1:
            return f"Can not squeeze dim[{axis}], expected a dimension of 1, got {x.shape[axis]}"
    return None


@check("SegmentMax", "SegmentMean", "SegmentMin", "SegmentProd", "SegmentSum")
def segment(node: Node, data: Array, ids: Array) -> str | None:
    if ids.ndim != 1 or ids.size != (data.shape[0] if data.ndim else -1):
        return "segment_ids should be the same size as dimension 0 of input."
    if ids.size and ids[0] < 0:
        return "segment ids must be >= 0"
    return "segment ids are not increasing" if (np.diff(ids) < 0).any() else None


@check("UnsortedSegmentMax", "UnsortedSegmentMin", "UnsortedSegmentProd", "UnsortedSegmentSum")
def unsorted_segment(node: Node, data: Array, ids: Array, count: Array) -> str | None:
    if data.shape[: ids.ndim] != ids.shape:
        return f"data.shape = {_shape(data.shape)} does not start with segment_ids.shape = {_shape(ids.shape)}"
    bad = np.argwhere(ids >= int(count))
    if not len(bad):
        return None
    place = ",".join(str(int(i)) for i in bad[0])
    return f"segment_ids[{place}] = {int(ids[tuple(bad[0])])} is out of range [0, {int(count)})"


@check("Split")
def split(node: Node, axis: Array, value: Array) -> str | None:
    count, dim = int(node.attr["num_split"]), int(axis)
    if not -value.ndim <= dim < value.ndim:
        return f"-input rank(-{value.ndim}) <= split_dim < input rank ({value.ndim}), but got {dim}"
    if value.shape[dim] % count:
        return f"Number of ways to split should evenly divide the split dimension, but got split_dim {dim} (size = {value.shape[dim]}) and num_split {count}"
    return None


@check("Slice")
def slice_(node: Node, x: Array, begin: Array, size: Array) -> str | None:
    for i, (b, s, d) in enumerate(zip(begin, size, x.shape, strict=True)):
        if not 0 <= b <= d:
            return f"Expected begin[{i}] in [0, {d}], but got {int(b)}"
        if s != -1 and not 0 <= s <= d - b:
            return f"Expected size[{i}] in [0, {int(d - b)}], but got {int(s)}"
    return None


@check(
    "ScatterAdd",
    "ScatterDiv",
    "ScatterMax",
    "ScatterMin",
    "ScatterMul",
    "ScatterSub",
    "ScatterUpdate",
    "ResourceScatterAdd",
    "ResourceScatterUpdate",
)
def scatter(node: Node, ref: Any, indices: Array, updates: Array) -> str | None:
    dims = ref.dims if isinstance(ref, Tensor) and ref.dims else ref.node.attr.get("shape") if isinstance(ref, Tensor) else None
    if not dims or dims[0] is None:
        return None
    if updates.ndim and updates.shape != (*indices.shape, *dims[1:]):
        return f"Must have updates.shape = indices.shape + params.shape[1:] or updates.shape = [], got updates.shape {_shape(updates.shape)}, indices.shape {_shape(indices.shape)}, params.shape {_shape(dims)}"
    return _outside(indices, dims[0])


@check("Conv2D", "DepthwiseConv2dNative")
def conv2d(node: Node, x: Array, w: Array) -> str | None:
    if x.ndim != 4:
        return f"input must be 4-dimensional{_shape(x.shape)}"
    if w.ndim != 4:
        return f"filter must be 4-dimensional: {_shape(w.shape)}"
    first = node.attr.get("data_format") == "NCHW"
    depth = x.shape[1 if first else 3]
    if node.op == "Conv2D" and depth % w.shape[2]:
        return f"input depth must be evenly divisible by filter depth: {depth} vs {w.shape[2]}"
    if node.op != "Conv2D" and depth != w.shape[2]:
        return f"input and filter must have the same depth: {depth} vs {w.shape[2]}"
    if node.attr["padding"] == "VALID":
        strides, spread = node.attr["strides"], node.attr.get("dilations") or [1, 1, 1, 1]
        for i, axis in enumerate((2, 3) if first else (1, 2)):
            window = (w.shape[i] - 1) * spread[axis] + 1
            if x.shape[axis] < window:
                size = (x.shape[axis] - window + strides[axis]) // strides[axis]
                return f"Computed output size would be negative: {size} [input_size: {x.shape[axis]}, effective_filter_size: {window}, stride: {strides[axis]}]"
    return None


@check("BiasAdd")
def bias_add(node: Node, value: Array, bias: Array) -> str | None:
    axis = 1 if node.attr.get("data_format") == "NCHW" and value.ndim > 2 else -1
    if value.ndim < 2:
        return f"Input tensor must be at least 2D: {_shape(value.shape)}"
    if bias.ndim != 1:
        return f"Biases must be 1D: {_shape(bias.shape)}"
    if bias.shape[0] != value.shape[axis]:
        return f"Must provide as many biases as the last dimension of the input tensor: {_shape(bias.shape)} vs. {_shape(value.shape)}"
    return None


@check("TopK", "TopKV2")
def top_k(node: Node, x: Array, k: Any = None) -> str | None:
    count = int(node.attr["k"] if k is None else k)
    if x.ndim < 1:
        return "input must be >= 1-D, got shape []"
    return f"input must have at least k columns. Had {x.shape[-1]}, needed {count}" if x.shape[-1] < count else None


@check("Tile")
def tile(node: Node, x: Array, multiples: Array) -> str | None:
    if multiples.size != x.ndim:
        return f"Expected multiples argument to be a vector of length {x.ndim} but got length {multiples.size}"
    return None


@check("Transpose", "ConjugateTranspose")
def transpose(node: Node, x: Array, perm: Array) -> str | None:
    if perm.size != x.ndim:
        return f"transpose expects a vector of size {x.ndim}. But input(1) is a vector of size {perm.size}"
    return None


@check("Pad", "PadV2", "MirrorPad")
def pad(node: Node, x: Array, paddings: Array, *rest: Any) -> str | None:
    if paddings.ndim != 2 or paddings.shape[1] != 2:
        return f"paddings must be a matrix with 2 columns: {_shape(paddings.shape)}"
    if paddings.shape[0] != x.ndim:
        return f"The first dimension of paddings must be the rank of inputs{_shape(paddings.shape)} {_shape(x.shape)}"
    return None


@check("Select")
def select(node: Node, condition: Array, then: Array, other: Array) -> str | None:
    if then.shape != other.shape:
        return f"'then' and 'else' must have the same size.  but received: {_shape(then.shape)} vs. {_shape(other.shape)}"
    return None


@check("StridedSlice")
def strided_slice(node: Node, x: Array, begin: Array, end: Array, strides: Array) -> str | None:
    if node.attr["ellipsis_mask"] or node.attr["new_axis_mask"]:
        return None
    if begin.size > x.ndim:
        return f"Index out of range using input dim {x.ndim}; input has only {x.ndim} dims"
    for i in range(begin.size):
        if node.attr["shrink_axis_mask"] >> i & 1 and not -x.shape[i] <= int(begin[i]) < x.shape[i]:
            return f"slice index {int(begin[i])} of dimension {i} out of bounds."
    return None


@check("InTopK", "InTopKV2")
def in_top_k(node: Node, predictions: Array, targets: Array, *rest: Any) -> str | None:
    if predictions.shape[0] != targets.shape[0]:
        return f"First dimension of predictions {predictions.shape[0]} must match length of targets {targets.shape[0]}"
    return None


@check("DynamicPartition")
def dynamic_partition(node: Node, data: Array, partitions: Array) -> str | None:
    count = int(node.attr["num_partitions"])
    bad = np.argwhere((partitions < 0) | (partitions >= count))
    if not len(bad):
        return None
    return f"partitions[{','.join(str(int(i)) for i in bad[0])}] = {int(partitions[tuple(bad[0])])} is not in [0, {count})"
