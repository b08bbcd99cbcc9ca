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
    zeros = g.op("ZerosLike", x, name="zeros_like")
    return None, g.op("Select", condition, dy, zeros), g.op("Select", condition, zeros, dy)


@gradient("SelectV2")
def select_v2(g: Emit, node: Node, dy: Any) -> Any:
    from graphtools.gradients.math_ops import broadcast_axes

    condition, x, y = node.inputs
    zeros = g.op("ZerosLike", dy, name="zeros_like")
    results: list[Any] = [None]
    for side, source in ((0, x), (1, y)):
        picked = g.op("SelectV2", condition, *((dy, zeros) if side == 0 else (zeros, dy)))
        shape, _, axes, _ = broadcast_axes(g, source, node.outputs[0])
        results.append(g.sum_to(picked, shape, axes))
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
    axes = g.op(
        "Range", g.const(0, int32, "range/start"), g.op("Size", split_shape, out_type=int32), g.const(2, int32, "range/delta"), name="range"
    )
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
        shape = g.op("Cast", g.op("Shape", params, out_type=int64), DstT=int32, name="ToInt32" if node.op == "Gather" else "Cast")
    size = g.op("ExpandDims", g.op("Size", indices, out_type=int32), g.const(0, int32, "ExpandDims/dim"))
    if axis == 0:
        tail = g.op(
            "StridedSlice",
            shape,
            g.const([1], int32, "strided_slice/stack"),
            g.const([0], int32, "strided_slice/stack_1"),
            g.const([1], int32, "strided_slice/stack_2"),
            end_mask=1,
            name="strided_slice",
        )
        values = g.op("Reshape", dense(g, dy), g.op("ConcatV2", [size, tail], g.const(0, int32, "concat/axis"), name="concat"))
        return [IndexedSlices(values, g.op("Reshape", indices, size), shape), None, *rest]
    if params.dims is None or indices.dims is None:
        raise LookupError(f"The gradient of {node.name!r} (GatherV2, axis {axis}) needs inputs of known rank.")
    rank, picked = len(params.dims), len(indices.dims)
    axis %= rank
    to_front = [*range(axis, axis + picked), *range(axis), *range(axis + picked, rank + picked - 1)]
    moved = g.op("Transpose", dense(g, dy), g.const(to_front, int32, "transpose/perm"), name="transpose")
    others = [i for i in range(rank) if i != axis]
    other_sizes = g.op("GatherV2", shape, g.const(others, int32, "others"), g.const(0, int32, "GatherV2/axis"))
    flat = g.op("Reshape", moved, g.op("ConcatV2", [size, other_sizes], g.const(0, int32, "concat/axis"), name="concat"))
    rows = g.op("GatherV2", shape, g.const(axis, int32, "axis"), g.const(0, int32, "GatherV2_1/axis"))
    summed = g.op("UnsortedSegmentSum", flat, g.op("Reshape", indices, g.const([-1], int32)), rows)
    back = [*range(1, axis + 1), 0, *range(axis + 1, rank)]
    return [g.op("Transpose", summed, g.const(back, int32, "transpose_1/perm"), name="transpose_1"), None, *rest]


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
    values = g.op("Reshape", dy, g.op("ConcatV2", [size, tail], g.const(0, int32, "concat/axis"), name="concat"))
    return IndexedSlices(values, g.op("Reshape", indices, size), shape), None


@gradient("ReadVariableOp")
def read_variable(g: Emit, node: Node, dy: Any) -> Any:
    return dy


@gradient("GatherNd")
def gather_nd(g: Emit, node: Node, dy: Any) -> Any:
    params, indices = node.inputs
    shape = g.op("Shape", params, out_type=indices.dtype)
    if indices.rank == 2 and indices.dims is not None and indices.dims[-1] == 1:
        return IndexedSlices(dy, g.op("Squeeze", indices, squeeze_dims=[-1]), shape), None
    return g.op("ScatterNd", indices, dy, shape), None


@gradient("ScatterNd")
def scatter_nd(g: Emit, node: Node, dy: Any) -> Any:
    return None, g.op("GatherNd", dy, node.inputs[0]), None


@gradient("ScatterNdNonAliasingAdd", "TensorScatterAdd")
def scatter_nd_add(g: Emit, node: Node, dy: Any) -> Any:
    return dy, None, g.op("GatherNd", dy, node.inputs[1])


@gradient("TensorScatterSub")
def tensor_scatter_sub(g: Emit, node: Node, dy: Any) -> Any:
    return dy, None, g.op("Neg", g.op("GatherNd", dy, node.inputs[1]))


@gradient("TensorScatterUpdate")
def tensor_scatter_update(g: Emit, node: Node, dy: Any) -> Any:
    indices, updates = node.inputs[1:]
    return g.op("TensorScatterUpdate", dy, indices, g.op("ZerosLike", updates, name="zeros_like")), None, g.op("GatherNd", dy, indices)


@gradient("BroadcastTo")
def broadcast_to(g: Emit, node: Node, dy: Any) -> Any:
    x, shape = node.inputs
    own = g.shape(x)
    axes, _ = g.op("BroadcastGradientArgs", own, shape)
    return g.sum_to(dy, own, axes), None


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
    shape = g.op("Shape", partitions, out_type=int32)
    total = g.op("Prod", shape, g.const([0], int32), name="Prod")
    positions = g.op(
        "Reshape", g.op("Range", g.const(0, int32, "range/start"), total, g.const(1, int32, "range/delta"), name="range"), shape
    )
    picked = g.op("DynamicPartition", positions, partitions, num_partitions=node.attr["num_partitions"])
    grads = list(dy) if isinstance(dy, tuple) else [dy]
    stitched = g.op("DynamicStitch", list(picked) if isinstance(picked, tuple) else [picked], grads)
    return g.op("Reshape", stitched, g.op("Shape", data, out_type=int32)), None


@gradient("DynamicStitch", "ParallelDynamicStitch")
def dynamic_stitch(g: Emit, node: Node, dy: Any) -> Any:
    n = node.attr["N"]
    return [None] * n + [g.op("GatherV2", dy, i, g.const(0, int32, "GatherV2/axis")) for i in node.inputs[:n]]


@gradient("MatrixDiag")
def matrix_diag(g: Emit, node: Node, dy: Any) -> Any:
    return g.op("MatrixDiagPart", dy)


@gradient("MatrixDiagPart")
def matrix_diag_part(g: Emit, node: Node, dy: Any) -> Any:
    x = node.inputs[0]
    if x.dims is not None and len(x.dims) >= 2 and x.dims[-1] is not None and x.dims[-1] == x.dims[-2]:
        return g.op("MatrixDiag", dy)
    return g.op("MatrixSetDiag", g.op("ZerosLike", x, name="zeros_like"), dy)


@gradient("MatrixSetDiag")
def matrix_set_diag(g: Emit, node: Node, dy: Any) -> Any:
    diagonal = node.inputs[1]
    zeros = g.op("Fill", g.op("Shape", diagonal, out_type=int32), g.const(0, dy.dtype, "zeros/Const"), name="zeros")
    return g.op("MatrixSetDiag", dy, zeros), g.op("MatrixDiagPart", dy)


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
