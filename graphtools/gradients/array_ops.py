"""Gradients of ops that move and pick elements."""

from __future__ import annotations

from typing import Any

from graphtools.constant import constant
from graphtools.dtypes import int32, int64
from graphtools.flow import context_of
from graphtools.gradients import IndexedSlices, gradient, not_differentiable
from graphtools.gradients.walk import Emit
from graphtools.graph import Node, Tensor

not_differentiable(
    "Bitcast", "BroadcastGradientArgs", "ConcatOffset", "Const", "DeepCopy", "EditDistance", "InvertPermutation", "ListDiff", "OneHot", "OnesLike", "Placeholder",
    "Range", "Rank", "Shape", "ShapeN", "Size", "StopGradient", "Unique", "UniqueWithCounts", "Where", "ZerosLike",
)  # fmt: skip


@gradient("Identity", "RefIdentity")
def identity(g: Emit, node: Node, dy: Any) -> Any:
    return dy


@gradient("IdentityN")
def identity_n(g: Emit, node: Node, dy: Any) -> Any:
    return list(dy) if isinstance(dy, tuple) else dy


@gradient("PlaceholderWithDefault")
def placeholder_with_default(g: Emit, node: Node, dy: Any) -> Any:
    return dy


@gradient("EnsureShape", "Snapshot")
def ensure_shape(g: Emit, node: Node, dy: Any) -> Any:
    return dy


@gradient("PreventGradient")
def prevent_gradient(g: Emit, node: Node, dy: Any) -> Any:
    raise LookupError(f"Gradient explicitly disabled. Reason: {node.attr['message']}")


def dense(g: Emit, dx: Any) -> Any:
    """A gradient as a tensor: IndexedSlices are summed into zeros."""
    if not isinstance(dx, IndexedSlices):
        return dx
    rows = g.op(
        "StridedSlice",
        dx.dense_shape,
        g.const([0], int32),
        g.const([1], int32),
        g.const([1], int32),
        shrink_axis_mask=1,
        name="strided_slice",
    )
    return g.op("UnsortedSegmentSum", dx.values, dx.indices, rows)


@gradient("Reshape")
def reshape(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("Reshape", dense(g, dy), g.shape(node.inputs[0])), None


@gradient("ExpandDims")
def expand_dims(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("Reshape", dy, g.shape(node.inputs[0])), None


@gradient("Squeeze")
def squeeze(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("Reshape", dy, g.shape(node.inputs[0]))


@gradient("Select")
def select(g: Emit, node: Node, dy: Any) -> Any:
    condition, x, _ = node.inputs
    zeros = g.zeros_like(x)
    return None, g.op("Select", condition, dy, zeros), g.op("Select", condition, zeros, dy)


@gradient("SelectV2")
def select_v2(g: Emit, node: Node, dy: Any) -> Any:
    condition, x, y = node.inputs
    zeros = g.filled((), 0, dy.dtype.base_dtype, "zeros")
    results: list[Any] = [None]
    whole: Any = None
    for side, source in ((0, x), (1, y)):
        picked = g.op("SelectV2", condition, *((dy, zeros) if side == 0 else (zeros, dy)))
        shape = g.shape(source)
        whole = g.shape(node.outputs[0]) if whole is None else whole
        axes, _ = g.op("BroadcastGradientArgs", shape, whole)
        results.append(g.op("Reshape", g.op("Sum", picked, axes, keep_dims=True), shape))
    return results


@gradient("Transpose")
def transpose(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("Transpose", dy, g.op("InvertPermutation", node.inputs[1]), name="transpose"), None


@gradient("ConjugateTranspose")
def conjugate_transpose(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("ConjugateTranspose", dy, g.op("InvertPermutation", node.inputs[1]), name="transpose"), None


@gradient("Pack")
def pack(g: Emit, node: Node, dy: Any) -> Any:
    result = g.op("Unpack", dy, num=node.attr["N"], axis=node.attr["axis"], name="unstack")
    return list(result) if isinstance(result, tuple) else [result]


@gradient("Unpack")
def unpack(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("Pack", list(dy) if isinstance(dy, tuple) else [dy], axis=node.attr["axis"], name="stack")


@gradient("ConcatV2")
def concat_v2(g: Emit, node: Node, dy: Any) -> Any:
    return [*_split_back(g, dy, node.inputs[:-1], node.inputs[-1]), None]


@gradient("Concat")
def concat(g: Emit, node: Node, dy: Any) -> Any:
    return [None, *_split_back(g, dy, node.inputs[1:], node.inputs[0])]


def _split_back(g: Emit, dy: Any, values: list[Tensor], axis: Tensor) -> list[Any]:
    """The parts of a concatenation's gradient; of IndexedSlices along axis 0 the parts of their values are of no use, so they are made dense."""
    dy = dense(g, dy)
    if len(values) == 1:
        return [dy]
    if axis.node.op == "Const" and context_of(axis.node) is not context_of(dy.node):  # a copy, so that it need not enter a loop
        axis = g.const(axis.node.attr["value"], axis.dtype)
    rank = g.op("Rank", values[0], name="Rank") if values[0].dims is None else g.const(len(values[0].dims), int32, "Rank")
    wrapped = g.op("FloorMod", axis, rank, name="mod")
    shapes = []
    for v in values:
        shapes.append(g.shape(v))
        if shapes[-1].node.op != "Const":
            break
    if shapes[-1].node.op != "Const":  # all in one op; the single one is left unused, as TensorFlow does
        made = g.op("ShapeN", values, out_type=int32)
        shapes = list(made) if isinstance(made, tuple) else [made]
    if len(values) > 16:
        sizes = g.op(
            "Squeeze",
            g.op(
                "Slice",
                g.op("Pack", shapes, axis=1, name="stack"),
                g.op("Pack", [wrapped, g.const(0, int32)], axis=0),
                g.const([1, -1], int32),
            ),
            squeeze_dims=[0],
        )
        result = g.op("SplitV", dy, sizes, wrapped, num_split=len(values), name="split")
        return list(result)
    offsets = g.op("ConcatOffset", wrapped, shapes)
    return [g.op("Slice", dy, begin, size) for begin, size in zip(offsets, shapes, strict=True)]


@gradient("Split")
def split(g: Emit, node: Node, dy: Any) -> Any:
    return None, g.op("ConcatV2", list(dy) if isinstance(dy, tuple) else [dy], node.inputs[0], name="concat")


@gradient("SplitV")
def split_v(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("ConcatV2", list(dy) if isinstance(dy, tuple) else [dy], node.inputs[2], name="concat"), None, None


@gradient("Slice")
def slice_(g: Emit, node: Node, dy: Any) -> Any:
    """The gradient, padded with zeros to the size of the input."""
    x, begin, _ = node.inputs
    rank = g.op("Rank", x, name="Rank") if x.dims is None else g.const(len(x.dims), int32, "Rank")
    shape = g.op("Pack", [rank, g.const(1, int32, "stack/1")], axis=0, name="stack")
    before = g.op("Reshape", begin, shape)
    size = g.shape(node.outputs[0]) if begin.dtype is int32 else g.op("Shape", node.outputs[0], out_type=int64)
    whole = g.shape(x) if begin.dtype is int32 else g.op("Shape", x, out_type=int64)
    after = g.op("Reshape", g.op("Sub", g.op("Sub", whole, size, name="sub"), begin, name="sub_1"), shape)
    paddings = g.op("ConcatV2", [before, after], g.const(1, int32, "concat/axis"), name="concat")
    return g.op("Pad", dy, paddings), None, None


@gradient("StridedSlice")
def strided_slice(g: Emit, node: Node, dy: Any) -> Any:
    x, begin, end, strides = node.inputs
    masks = {k: node.attr[k] for k in ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")}
    if begin.dtype.base_dtype is int32:
        shape = g.shape(x)
    else:
        shape = g.op("Shape", x, out_type=int64)
    return g.op("StridedSliceGrad", shape, begin, end, strides, dense(g, dy), **masks), None, None, None


@gradient("StridedSliceGrad")
def strided_slice_grad(g: Emit, node: Node, dy: Any) -> Any:
    masks = {k: node.attr[k] for k in ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")}
    return None, None, None, None, g.op("StridedSlice", dy, node.inputs[1], node.inputs[2], node.inputs[3], **masks)


@gradient("Tile")
def tile(g: Emit, node: Node, dy: Any) -> Any:
    """The gradient as [repeats, sizes] pairs of axes, summed over the repeats."""
    x, multiples = node.inputs
    shape = g.shape(x) if multiples.dtype is int32 else g.op("Shape", x, out_type=multiples.dtype)
    stacked = g.op("Pack", [multiples, shape], axis=0, name="stack")
    split_shape = g.op(
        "Reshape",
        g.op("Transpose", stacked, g.const([1, 0], int32, "transpose/perm"), name="transpose"),
        g.const([-1], int32, "Reshape/shape"),
    )
    axes = g.op("Range", g.const(0, int32, "range/start"), g.size(split_shape), g.const(2, int32, "range/delta"), name="range")
    dx = g.op("Sum", g.op("Reshape", dense(g, dy), split_shape), axes, keep_dims=False)
    if x.dims is not None:
        dx.dims = x.dims
    return dx, None


@gradient("Fill")
def fill(g: Emit, node: Node, dy: Any) -> Any:
    rank = dy.rank
    axes = (
        g.const(list(range(rank)), int32)
        if rank is not None
        else g.op("Range", g.const(0, int32, "range/start"), g.op("Rank", dy), g.const(1, int32, "range/delta"), name="range")
    )
    return None, g.op("Sum", dy, axes, keep_dims=False)


@gradient("Pad", "PadV2")
def pad(g: Emit, node: Node, dy: Any) -> Any:
    """The part of the gradient that is not padding."""
    x, paddings = node.inputs[:2]
    rank = g.op("Rank", x, name="Rank") if x.dims is None else g.const(len(x.dims), int32, "Rank")
    before = g.op(
        "Slice", paddings, g.const([0, 0], int32, "Slice/begin"), g.op("Pack", [rank, g.const(1, int32, "stack/1")], axis=0, name="stack")
    )
    begin = g.op("Reshape", before, g.const([-1], int32, "Reshape/shape"))
    sizes = g.op("Shape", x, out_type=begin.dtype) if x.dims is None or None in x.dims else g.const(list(x.dims), begin.dtype, "Shape")
    result = [g.op("Slice", dy, begin, sizes), None]
    return result if node.op == "Pad" else [*result, None]


@gradient("MirrorPad")
def mirror_pad(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("MirrorPadGrad", dy, node.inputs[1], mode=node.attr["mode"]), None


@gradient("MirrorPadGrad")
def mirror_pad_grad(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("MirrorPad", dy, node.inputs[1], mode=node.attr["mode"]), None


@gradient("ReverseV2")
def reverse_v2(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("ReverseV2", dy, node.inputs[1]), None


@gradient("Reverse")
def reverse(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("Reverse", dy, node.inputs[1]), None


@gradient("ReverseSequence")
def reverse_sequence(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("ReverseSequence", dy, node.inputs[1], seq_dim=node.attr["seq_dim"], batch_dim=node.attr["batch_dim"]), None


@gradient("Gather", "GatherV2")
def gather(g: Emit, node: Node, dy: Any) -> Any:
    """IndexedSlices for axis 0; else the rows are summed into zeros with the axis moved to the front and back."""
    params, indices = node.inputs[:2]
    axis = constant(node.inputs[2]) if len(node.inputs) > 2 else 0
    if axis is None:
        raise LookupError(f"The gradient of {node.name!r} (GatherV2) needs a constant axis.")
    axis = int(axis)
    rest = [None] * (len(node.inputs) - 2)
    with g.graph.colocate_with(params.node):
        shape = g.shape(params, dtype=int64)
        shape = g.op("Cast", shape, DstT=int32, name="ToInt32" if node.op == "Gather" else "Cast")
    size = g.apply("ExpandDims", g.size(indices), 0)
    if axis == 0:
        values = g.op("Reshape", dense(g, dy), g.concat([size, g.item(shape, slice(1, None))]))
        return [IndexedSlices(values, g.op("Reshape", indices, size), shape), None, *rest]
    batch = int(node.attr.get("batch_dims") or 0)
    if batch < 0:
        if indices.rank is None:
            raise LookupError(f"The gradient of {node.name!r} (GatherV2, batch_dims {batch}) needs indices of known rank.")
        batch += indices.rank
    position = node.inputs[2]
    outer, inner = g.item(shape, slice(None, position)), g.item(g.item(shape, slice(position, None)), slice(1, None))
    grown = g.concat([outer, [-1], inner])
    dims, axes = g.size(grown), g.size(outer)
    before, between = g.range(0, batch), g.range(batch, axes)
    after = g.range(g.apply("AddV2", axes, 1, name="add"), dims)
    values = g.op("Reshape", dense(g, dy), grown)
    turned = g.op("Transpose", values, _joined_axis(g, [before, axes, between, after]), name="transpose")
    summed = _batch_gather(g, shape, turned, indices, batch, g.item(shape, position))
    back = g.concat([before, g.apply("AddV2", between, 1, name="add"), [batch], after])
    return [g.op("Transpose", summed, back, name="transpose"), None, *rest]


def _joined_axis(g: Emit, parts: list[Any]) -> Tensor:
    """Vectors and, in second place, a scalar as a vector."""
    with g.graph.name_scope("concat") as scope:
        one = g.op("Pack", [parts[1]], axis=0, name="values_1")
        result: Tensor = g.op("ConcatV2", [parts[0], one, *parts[2:]], g.const(0, int32, "axis"), name=scope)
    return result


def _batch_gather(g: Emit, shape: Tensor, values: Tensor, indices: Tensor, batch: int, count: Tensor) -> Tensor:
    """The rows of `values` summed where `indices` took them from, in each of the leading `batch` dimensions."""
    size = g.apply("ExpandDims", g.size(indices), 0)
    if not batch:
        summed: Tensor = g.op("UnsortedSegmentSum", values, g.op("Reshape", indices, size), count)
        return summed
    whole = g.shape(values)
    outer, inner = g.item(whole, slice(None, batch)), g.item(g.item(whole, slice(batch, None)), slice(1, None))
    number = g.apply("Prod", outer, [0], keep_dims=False)
    flat = g.concat([[-1], inner])
    count = g.op("Mul", count, number, name="mul")
    indices = _batch_indices(g, shape, indices, batch)
    values = g.op("Reshape", values, flat)
    summed = g.op("UnsortedSegmentSum", values, g.op("Reshape", indices, size), count)
    result: Tensor = g.op("Reshape", summed, g.concat([outer, flat]))
    return result


def _batch_indices(g: Emit, shape: Tensor, indices: Tensor, batch: int) -> Tensor:
    """Indices into the flattened batch: each dimension's number times what lies below it is added."""
    original, rank = indices, indices.rank
    if rank is None:
        raise LookupError("The gradient of a gather with batch_dims needs indices of known rank.")
    lengths = g.op("Cast", shape, DstT=original.dtype) if original.dtype is not int32 else shape
    product = g.apply("Cumprod", g.concat([[1], lengths]) if original.dtype is int32 else g.concat([[1], lengths], int64), 0)
    for dim in range(batch, 0, -1):
        stride = g.item(product, dim)
        steps = (
            g.op("Mul", g.range(0, g.item(lengths, dim - 1)), stride, name="mul")
            if original.dtype is int32
            else g.op(
                "Mul",
                g.op("Range", g.const(0, int64, "range/start"), g.item(lengths, dim - 1), g.const(1, int64, "range/delta"), name="range"),
                stride,
                name="mul",
            )
        )
        form = [1] * (dim - 1) + [-1] + [1] * (rank - dim)
        indices = g.op("AddV2", indices, g.reshape(steps, form), name="add")
    return indices


@gradient("ResourceGather")
def resource_gather(g: Emit, node: Node, dy: Any) -> Any:
    handle, indices = node.inputs
    shape = g.op("VariableShape", handle, out_type=int32)
    size = g.op("ExpandDims", g.op("Size", indices, out_type=int32), g.const(0, int32, "ExpandDims/dim"))
    tail = g.op(
        "StridedSlice",
        shape,
        g.const([1], int32, "strided_slice/stack"),
        g.const([0], int32, "strided_slice/stack_1"),
        g.const([1], int32, "strided_slice/stack_2"),
        end_mask=1,
        name="strided_slice",
    )
    values = g.op("ConcatV2", [size, tail], g.const(0, int32, "concat/axis"), name="concat")
    values = g.op("Reshape", dense(g, dy), values)
    return IndexedSlices(values, g.op("Reshape", indices, size), shape), None


@gradient("ReadVariableOp")
def read_variable(g: Emit, node: Node, dy: Any) -> Any:
    return dy


@gradient("GatherNd")
def gather_nd(g: Emit, node: Node, dy: Any) -> Any:
    params, indices = node.inputs
    shape = g.shape(params, dtype=indices.dtype)
    if indices.rank == 2 and indices.dims is not None and indices.dims[-1] == 1:
        return IndexedSlices(dy, g.op("Squeeze", indices, squeeze_dims=[-1]), shape), None
    return g.op("ScatterNd", indices, dy, shape), None


@gradient("ScatterNd")
def scatter_nd(g: Emit, node: Node, dy: Any) -> Any:
    return None, g.op("GatherNd", dy, node.inputs[0]), None


@gradient("ScatterNdNonAliasingAdd")
def scatter_nd_add(g: Emit, node: Node, dy: Any) -> Any:
    return dy, None, g.op("GatherNd", dy, node.inputs[1])


@gradient("TensorScatterAdd")
def tensor_scatter_add(g: Emit, node: Node, dy: Any) -> Any:
    updated = g.op("GatherNd", dy, node.inputs[1])
    return g.op("Identity", dy), None, updated


@gradient("TensorScatterSub")
def tensor_scatter_sub(g: Emit, node: Node, dy: Any) -> Any:
    updated = g.op("GatherNd", dy, node.inputs[1])
    return g.op("Identity", dy), None, g.op("Neg", updated)


@gradient("TensorScatterUpdate")
def tensor_scatter_update(g: Emit, node: Node, dy: Any) -> Any:
    indices, updates = node.inputs[1:]
    updated = g.op("GatherNd", dy, indices)
    return g.op("TensorScatterUpdate", g.op("Identity", dy), indices, g.zeros_like(updates)), None, updated


@gradient("BroadcastTo")
def broadcast_to(g: Emit, node: Node, dy: Any) -> Any:
    x, shape = node.inputs
    own = g.shape(x)
    _, axes = g.op("BroadcastGradientArgs", shape, own)
    return g.op("Reshape", g.op("Sum", dy, axes, keep_dims=True), own), None


@gradient("SpaceToBatchND")
def space_to_batch_nd(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("BatchToSpaceND", dy, node.inputs[1], node.inputs[2]), None, None


@gradient("BatchToSpaceND")
def batch_to_space_nd(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("SpaceToBatchND", dy, node.inputs[1], node.inputs[2]), None, None


@gradient("SpaceToBatch")
def space_to_batch(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("BatchToSpace", dy, node.inputs[1], block_size=node.attr["block_size"]), None


@gradient("BatchToSpace")
def batch_to_space(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("SpaceToBatch", dy, node.inputs[1], block_size=node.attr["block_size"]), None


@gradient("SpaceToDepth")
def space_to_depth(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("DepthToSpace", dy, block_size=node.attr["block_size"], data_format=node.attr["data_format"])


@gradient("DepthToSpace")
def depth_to_space(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("SpaceToDepth", dy, block_size=node.attr["block_size"], data_format=node.attr["data_format"])


@gradient("Roll")
def roll(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("Roll", dy, g.op("Neg", node.inputs[1]), node.inputs[2]), None, None


@gradient("CheckNumerics")
def check_numerics(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("CheckNumerics", dy, message=f"Not a number (NaN) or infinity (Inf) values detected in gradient. {node.attr['message']}")


@gradient("DynamicPartition")
def dynamic_partition(g: Emit, node: Node, dy: Any) -> Any:
    data, partitions = node.inputs
    shape = g.shape(partitions)
    total = g.op("Prod", shape, g.const([0], int32), name="Prod")
    positions = g.op(
        "Reshape", g.op("Range", g.const(0, int32, "range/start"), total, g.const(1, int32, "range/delta"), name="range"), shape
    )
    picked = g.op("DynamicPartition", positions, partitions, num_partitions=node.attr["num_partitions"])
    grads = list(dy) if isinstance(dy, tuple) else [dy]
    stitched = g.op("DynamicStitch", list(picked) if isinstance(picked, tuple) else [picked], grads)
    return g.op("Reshape", stitched, g.shape(data)), None


@gradient("DynamicStitch", "ParallelDynamicStitch")
def dynamic_stitch(g: Emit, node: Node, dy: Any) -> Any:
    n = node.attr["N"]
    return [None] * n + [g.gather(dy, i) for i in node.inputs[:n]]


@gradient("MatrixDiag")
def matrix_diag(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("MatrixDiagPart", dy, name="diag_part")


@gradient("MatrixDiagPart")
def matrix_diag_part(g: Emit, node: Node, dy: Any) -> Any:
    x = node.inputs[0]
    if x.dims is not None and len(x.dims) >= 2 and x.dims[-1] is not None and x.dims[-1] == x.dims[-2]:
        return g.op("MatrixDiag", dy, name="diag")
    return g.op("MatrixSetDiag", g.zeros_like(x), dy, name="set_diag")


@gradient("MatrixSetDiag")
def matrix_set_diag(g: Emit, node: Node, dy: Any) -> Any:
    dims, diagonal = node.inputs[0].dims or dy.dims, node.inputs[1].dims
    if dims is not None and None not in dims[-2:] and diagonal is not None and None not in diagonal[:-1]:
        zeros = g.filled((*diagonal[:-1], min(dims[-2:])), 0, dy.dtype.base_dtype, "zeros")
    else:
        with g.graph.colocate_with(dy.node):
            shape, rank = g.shape(dy), g.rank(dy)
            before = g.apply("Sub", rank, 2, name="sub")
            with g.graph.name_scope("Slice") as scope:
                begin = g.const([0], int32, "begin")
                batch = g.op("Slice", shape, begin, g.op("Pack", [before], axis=0, name="size"), name=scope)
            before = g.apply("Sub", rank, 2, name="sub")
            with g.graph.name_scope("Slice") as scope:
                begin = g.op("Pack", [before], axis=0, name="begin")
                matrix = g.op("Slice", shape, begin, g.const([2], int32, "size"), name=scope)
            least = g.op("Min", matrix, g.const([0], int32), keep_dims=False, name="Min")
            with g.graph.name_scope("concat") as scope:
                one = g.op("Pack", [least], axis=0, name="values_1")
                shape = g.op("ConcatV2", [batch, one], g.const(0, int32, "axis"), name=scope)
        zeros = g.filled(shape, 0, dy.dtype.base_dtype, "zeros")
    return g.op("MatrixSetDiag", dy, zeros, name="set_diag"), g.op("MatrixDiagPart", dy, name="diag_part")


@gradient("MatrixBandPart")
def matrix_band_part(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("MatrixBandPart", dy, node.inputs[1], node.inputs[2]), None, None


@gradient("Diag")
def diag(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("DiagPart", dy)


@gradient("DiagPart")
def diag_part(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("Diag", dy)


@gradient("ExtractImagePatches")
def extract_image_patches(g: Emit, node: Node, dy: Any) -> Any:
    """Each patch element adds to the pixel it came from: the patches of the pixels' own numbers tell which."""
    from graphtools.dtypes import float32

    x = node.inputs[0]
    if x.dims is None or None in x.dims[1:]:
        raise LookupError(f"The gradient of {node.name!r} (ExtractImagePatches) needs a known image size.")
    _, rows, columns, channels = x.dims
    pixels = rows * columns  # type: ignore[operator]
    import numpy as np

    numbers = g.const(np.arange(1, pixels + 1, dtype=np.float64).reshape(1, rows, columns, 1), float32, "numbers")  # type: ignore[arg-type]
    attrs = {k: node.attr[k] for k in ("ksizes", "strides", "rates", "padding")}
    patches = g.op("ExtractImagePatches", numbers, **attrs)
    indices = g.op("Reshape", g.op("Cast", patches, DstT=int32), g.const([-1], int32))
    window = node.attr["ksizes"][1] * node.attr["ksizes"][2]
    batch = g.op(
        "StridedSlice", g.op("Shape", x, out_type=int32), g.const([0], int32), g.const([1], int32), g.const([1], int32), shrink_axis_mask=1
    )
    columns_first = g.op(
        "Transpose",
        g.op("Reshape", dy, g.op("Pack", [batch, g.const(-1, int32), g.const(window, int32), g.const(channels, int32)], axis=0)),
        g.const([1, 2, 0, 3], int32),
    )
    flat = g.op(
        "Reshape",
        columns_first,
        g.op("Pack", [g.op("Size", indices, out_type=int32), g.op("Mul", batch, g.const(channels, int32))], axis=0),
    )
    summed = g.op("UnsortedSegmentSum", flat, indices, g.const(pixels + 1, int32))
    inner = g.op("Slice", summed, g.const([1, 0], int32), g.const([-1, -1], int32))
    back = g.op("Reshape", inner, g.op("Pack", [g.const(rows, int32), g.const(columns, int32), batch, g.const(channels, int32)], axis=0))
    return g.op("Transpose", back, g.const([2, 0, 1, 3], int32))
