"""Constants, shapes, and ops that join, split and reorder whole tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphtools import dtypes
from graphtools.constant import constant
from graphtools.convert import converts
from graphtools.convert.complex_numbers import as_real, by_parts, join, parts, zeros_like
from graphtools.convert.math_ops import conjugate
from graphtools.dtypes import DType, bool_, float32, int32, int64, string, uint8

if TYPE_CHECKING:
    from graphtools.convert.builder import Builder, Value
    from graphtools.convert.walk import NodeView

BIGGEST = int(np.iinfo(np.int64).max)


# -- values ------------------------------------------------------------------------------------------------------------


@converts("Const", "ConstV2", "HostConst")
def const(op: Builder, node: NodeView) -> Any:
    return constant_value(op, np.asarray(node.attr["value"]), node.dtype)


def constant_value(op: Builder, array: Any, dtype: DType) -> Value:
    if dtype.is_complex:
        real, imag = op.const(np.array(array.real)), op.const(np.array(array.imag))
        return join(op, real, imag)
    return op.const(array)


@converts(
    "CheckNumerics", "Copy", "CopyHost", "DebugGradientIdentity", "DebugGradientRefIdentity", "DebugIdentity", "DeepCopy", "EnsureShape", "GuaranteeConst",
    "Identity", "PlaceholderWithDefault", "PreventGradient", "RefIdentity", "Snapshot", "StopGradient",
)  # fmt: skip
def identity(op: Builder, node: NodeView) -> Any:
    """A placeholder with a default that is not fed gives its default."""
    return node.inputs[0]


@converts("IdentityN")
def identity_n(op: Builder, node: NodeView) -> Any:
    return tuple(node.inputs)


@converts("Assert", "ControlTrigger", "NoOp")
def no_op(op: Builder, node: NodeView) -> Any:
    """Nothing to compute: the order they ask for is in the data flow of the model."""
    return None


@converts("ZerosLike")
@by_parts
def zeros_like_(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    return op.Expand(np.array("", object), op.Shape(x)) if x.dtype is string else zeros_like(op, x)


@converts("OnesLike")
def ones_like(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    if x.dtype.is_complex:
        real = parts(op, x)[0]
        return join(op, zeros_like(op, real, 1), zeros_like(op, real))
    return zeros_like(op, x, 1)


@converts("Fill")
@by_parts
def fill(op: Builder, node: NodeView) -> Any:
    shape, value = op.cast(node.input("dims"), int64), node.input("value")
    if value.const is not None and value.dtype is not string:
        return op.ConstantOfShape(shape, value=value.const.reshape(1))
    return op.Expand(value, shape)


@converts("Empty")
def empty(op: Builder, node: NodeView) -> Any:
    return op.ConstantOfShape(op.cast(node.inputs[0], int64), value=np.zeros(1, node.dtype.as_numpy_dtype))


@converts("Bitcast")
def bitcast(op: Builder, node: NodeView) -> Any:
    """ONNX reads bits as another type from opset 26 on; before, only integers of one width, whose Cast keeps the bits."""
    x, to = node.inputs[0], node.dtype
    if x.const is not None:
        return op.const(dtypes.bitcast(x.const, to))
    integers = x.dtype.is_integer or x.dtype.is_quantized, to.is_integer or to.is_quantized
    if x.dtype.size == to.size and all(integers):
        return op.cast(x, to)
    if x.dtype is bool_ and to in (uint8,):
        return op.cast(x, to)
    if all(integers):
        return _split_bits(op, x, to) if x.dtype.size > to.size else _join_bits(op, x, to)
    raise node.fail(f"the bits of {x.dtype.name} cannot be read as {to.name} with ONNX ops.")


_UNSIGNED = {1: "uint8", 2: "uint16", 4: "uint32", 8: "uint64"}


def _split_bits(op: Builder, x: Value, to: DType) -> Value:
    """The words of an integer, lowest first: x / 2^(8 size i) mod 2^(8 size)."""
    from graphtools.dtypes import as_dtype, uint64

    bits = 8 * to.size
    wide = op.cast(op.cast(x, as_dtype(_UNSIGNED[x.dtype.size])), uint64)
    shifts = op.const(np.array([1 << (bits * i) for i in range(x.dtype.size // to.size)], np.uint64))
    words = op.Mod(op.Div(op.Unsqueeze(wide, [-1]), shifts), op.const(np.uint64(1 << bits)))
    return op.cast(op.cast(words, as_dtype(_UNSIGNED[to.size])), to)


def _join_bits(op: Builder, x: Value, to: DType) -> Value:
    from graphtools.dtypes import as_dtype, uint64

    bits = 8 * x.dtype.size
    wide = op.cast(op.cast(x, as_dtype(_UNSIGNED[x.dtype.size])), uint64)
    count = to.size // x.dtype.size
    last = op.Reshape(op.Mul(wide, op.const(np.array([1 << (bits * i) for i in range(count)], np.uint64))), op.Shape(wide))
    total: Value | None = None
    for i in range(count):
        word = op.Gather(last, np.int64(i), axis=-1 if last.rank is None else last.rank - 1)
        total = word if total is None else op.Add(total, word)
    return op.cast(op.cast(total, as_dtype(_UNSIGNED[to.size])), to)  # type: ignore[arg-type]


# -- shapes ------------------------------------------------------------------------------------------------------------


def shape_of(op: Builder, x: Value) -> Value:
    """The shape of a tensor as int64; of a complex one without the axis of its parts."""
    result: Value = op.Shape(as_real(op, x), end=-1) if x.dtype.is_complex else op.Shape(x)
    return result


@converts("Shape")
def shape(op: Builder, node: NodeView) -> Any:
    return op.cast(shape_of(op, node.inputs[0]), node.dtype)


@converts("ShapeN")
def shape_n(op: Builder, node: NodeView) -> Any:
    return tuple(op.cast(shape_of(op, x), node.dtype) for x in node.inputs)


@converts("Size")
def size(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    count = op.ReduceProd(shape_of(op, x), keepdims=0) if x.dtype.is_complex else op.Size(x)
    return op.cast(count, node.dtype)


@converts("Rank")
def rank(op: Builder, node: NodeView) -> Any:
    return op.cast(op.Size(shape_of(op, node.inputs[0])), node.dtype)


@converts("BroadcastArgs")
def broadcast_args(op: Builder, node: NodeView) -> Any:
    a, b = _ranked(op, *(op.cast(v, int64) for v in node.inputs))
    return op.cast(op.Where(op.Equal(a, np.int64(1)), b, a), node.dtype)


@converts("BroadcastGradientArgs")
def broadcast_gradient_args(op: Builder, node: NodeView) -> Any:
    """The axes along which each of two shapes was repeated, or is 1."""
    known = [constant(t) for t in node.outputs]
    if all(k is not None for k in known):
        return tuple(op.const(np.asarray(k)) for k in known)
    both = _ranked(op, *(op.cast(v, int64) for v in node.inputs))
    return tuple(op.cast(op.Reshape(op.NonZero(op.Equal(s, np.int64(1))), [-1]), node.dtype) for s in both)


def _ranked(op: Builder, a: Value, b: Value) -> tuple[Value, Value]:
    """Two shapes with 1s put before the shorter one."""
    sizes = [op.Size(a), op.Size(b)]
    longest = op.Max(*sizes)
    padded = [
        op.Concat(op.ConstantOfShape(op.Reshape(op.Sub(longest, n), [1]), value=np.array([1], np.int64)), s, axis=0)
        for s, n in zip((a, b), sizes, strict=True)
    ]
    return padded[0], padded[1]


@converts("ConcatOffset")
def concat_offset(op: Builder, node: NodeView) -> Any:
    """Where each shape starts in the concatenation along an axis."""
    axis, shapes = op.cast(node.inputs[0], int64), [op.cast(s, int64) for s in node.inputs[1:]]
    length = op.Size(shapes[0])
    position = op.Where(op.Less(axis, np.int64(0)), op.Add(axis, length), axis)
    here = op.cast(op.Equal(op.Range(np.int64(0), length, np.int64(1)), position), int64)
    total = op.Mul(here, np.int64(0))
    offsets = []
    for s in shapes:
        offsets.append(op.cast(total, int32))
        total = op.Add(total, op.Mul(s, here))
    return tuple(op.cast(o, t.dtype) for o, t in zip(offsets, node.outputs, strict=True))


@converts("InvertPermutation")
def invert_permutation(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    count = op.cast(op.Size(x), x.dtype)
    places = op.Range(op.const(0, x.dtype), count, op.const(1, x.dtype))
    return op.ScatterElements(places, x, places, axis=0)


@converts("UnravelIndex")
def unravel_index(op: Builder, node: NodeView) -> Any:
    """indices // (product of the later dims) mod dim, a row for each dim."""
    indices, dims = op.cast(node.inputs[0], int64), op.cast(node.inputs[1], int64)
    flat = op.Unsqueeze(op.Reshape(indices, [-1]), [0])
    whole = op.ReduceProd(dims, keepdims=1)
    later = op.Div(whole, product_up_to(op, dims))
    coordinates = op.Mod(op.Div(flat, op.Unsqueeze(later, [1])), op.Unsqueeze(dims, [1]))
    if node.inputs[0].rank == 0:
        coordinates = op.Squeeze(coordinates, [1])
    return op.cast(coordinates, node.dtype)


def product_up_to(op: Builder, vector: Value) -> Value:
    """The running product of a short int64 vector: a masked product over a square."""
    places = op.Range(np.int64(0), op.Size(vector), np.int64(1))
    seen = op.LessOrEqual(op.Unsqueeze(places, [0]), op.Unsqueeze(places, [1]))
    result: Value = op.ReduceProd(op.Where(seen, op.Unsqueeze(vector, [0]), np.int64(1)), [1], keepdims=0)
    return result


# -- shaping -----------------------------------------------------------------------------------------------------------


def reshaped(op: Builder, x: Value, shape: Value) -> Value:
    """Reshape to TensorFlow's shape: 0 is a size, not a copy of the input's."""
    zeros = shape.const is None or bool((shape.const == 0).any())
    result: Value = op.Reshape(x, shape, allowzero=1 if zeros else None)
    return result


@converts("Reshape")
@by_parts
def reshape(op: Builder, node: NodeView) -> Any:
    """Where static shapes leave one size unknown, -1 stands for it and nothing has to compute it."""
    x, dims = node.input("tensor"), node.dims
    if dims is not None and sum(d is None for d in dims) <= 1 and 0 not in dims:
        return op.Reshape(x, np.array([-1 if d is None else d for d in dims], np.int64))
    return reshaped(op, x, op.cast(node.input("shape"), int64))


@converts("ExpandDims")
@by_parts
def expand_dims(op: Builder, node: NodeView) -> Any:
    return op.Unsqueeze(node.inputs[0], op.Reshape(op.cast(node.inputs[1], int64), [1]))


@converts("Squeeze")
@by_parts
def squeeze(op: Builder, node: NodeView) -> Any:
    x, axes = node.inputs[0], node.attr["squeeze_dims"]
    if not axes and x.dims is not None and None not in x.dims:
        axes = [i for i, d in enumerate(x.dims) if d == 1]
        if not axes:
            return x
    return op.Squeeze(x, list(axes)) if axes else op.Squeeze(x)


@converts("Transpose")
@by_parts
def transpose(op: Builder, node: NodeView) -> Any:
    return _transposed(op, node, node.inputs[0])


@converts("ConjugateTranspose")
def conjugate_transpose(op: Builder, node: NodeView) -> Any:
    x = node.inputs[0]
    if not x.dtype.is_complex:
        return _transposed(op, node, x)
    real, imag = parts(op, conjugate(op, x))
    return join(op, _transposed(op, node, real), _transposed(op, node, imag))


def _transposed(op: Builder, node: NodeView, x: Value) -> Any:
    perm = node.maybe_const("perm")
    if perm is not None:
        rank = len(perm)
        return op.Transpose(x, perm=[int(p) % rank for p in perm])
    if _is_reversal(node.node.inputs[1].node):
        return op.Transpose(x)  # ONNX's default reverses all axes
    return transpose_by_values(op, x, node.input("perm"), node)


def _is_reversal(node: Any) -> bool:
    """Whether a perm is (rank - 1) - range(rank), as tf.transpose without a perm writes it."""
    if node.op != "Sub":
        return False
    last, places = (t.node for t in node.inputs)
    counted = places.op == "Range" and places.inputs[1].node.op == "Rank"
    return bool(counted and last.op == "Sub" and last.inputs[0].node.op == "Rank")


def transpose_by_values(op: Builder, x: Value, perm: Value, node: NodeView) -> Value:
    """Transpose by a perm that is computed: pick elements by flat index, sum of index[i] * stride[perm[i]]."""
    rank = x.rank if x.rank is not None else (perm.dims[0] if perm.dims else None)
    if rank is None:
        raise node.fail("neither the rank of the input nor its perm is known.")
    perm, dims = op.cast(perm, int64), op.Shape(x)
    perm = op.Where(op.Less(perm, np.int64(0)), op.Add(perm, np.int64(rank)), perm)
    strides = op.Gather(op.Div(op.ReduceProd(dims, keepdims=1), op.Max(product_up_to(op, dims), np.int64(1))), perm, axis=0)
    sizes = op.Gather(dims, perm, axis=0)
    index: Value = op.const(np.zeros([1] * rank, np.int64))
    for i in range(rank):
        place = op.Range(np.int64(0), op.Gather(sizes, np.int64(i), axis=0), np.int64(1))
        along = op.Mul(place, op.Gather(strides, np.int64(i), axis=0))
        index = op.Add(index, op.Reshape(along, [-1 if j == i else 1 for j in range(rank)]))
    result: Value = op.Gather(op.Reshape(x, [-1]), index, axis=0)
    return result


@converts("BroadcastTo")
@by_parts
def broadcast_to(op: Builder, node: NodeView) -> Any:
    return op.Expand(node.inputs[0], op.cast(node.inputs[1], int64))


# -- joining and splitting ---------------------------------------------------------------------------------------------


@converts("ConcatV2", "Concat")
@by_parts
def concat(op: Builder, node: NodeView) -> Any:
    values = node.input("values")
    axis = int(node.const("axis" if node.op == "ConcatV2" else "concat_dim").ravel()[0])
    return values[0] if len(values) == 1 else op.Concat(*values, axis=axis)


@converts("ParallelConcat", "_ParallelConcatStart")
@by_parts
def parallel_concat(op: Builder, node: NodeView) -> Any:
    values = node.inputs
    return values[0] if len(values) == 1 else op.Concat(*values, axis=0)


@converts("Split")
@by_parts
def split(op: Builder, node: NodeView) -> Any:
    x, count = node.input("value"), int(node.attr["num_split"])
    axis = int(node.const("split_dim"))
    if count == 1:
        return x
    size = x.dims[axis] if x.dims is not None else None
    if size is not None:
        return op.Split(x, [size // count] * count, axis=axis, outputs=count)
    return op.Split(x, axis=axis, num_outputs=count, outputs=count)


@converts("SplitV")
@by_parts
def split_v(op: Builder, node: NodeView) -> Any:
    """A size of -1 takes what the others leave."""
    x, count = node.input("value"), int(node.attr["num_split"])
    axis = int(node.const("split_dim"))
    if count == 1:
        return x
    sizes = op.cast(node.input("size_splits"), int64)
    if sizes.const is None or (sizes.const < 0).any():
        whole = op.Gather(op.Shape(x), np.int64(axis), axis=0)
        rest = op.Sub(whole, op.Add(op.ReduceSum(sizes, keepdims=0), np.int64(1)))
        sizes = op.Where(op.Less(sizes, np.int64(0)), rest, sizes)
    return op.Split(x, sizes, axis=axis, outputs=count)


@converts("Pack")
@by_parts
def pack(op: Builder, node: NodeView) -> Any:
    axis = int(node.attr["axis"])
    rows = [op.Unsqueeze(v, [axis]) for v in node.inputs]
    return rows[0] if len(rows) == 1 else op.Concat(*rows, axis=axis)


@converts("Unpack")
@by_parts
def unpack(op: Builder, node: NodeView) -> Any:
    x, axis, count = node.inputs[0], int(node.attr["axis"]), int(node.attr["num"])
    return tuple(op.Gather(x, np.int64(i), axis=axis) for i in range(count))


# -- repeating and reordering ------------------------------------------------------------------------------------------


@converts("Tile")
@by_parts
def tile(op: Builder, node: NodeView) -> Any:
    x, times = node.inputs[0], op.cast(node.inputs[1], int64)
    if x.dtype is not string:
        return op.Tile(x, times)
    index = op.Tile(op.Reshape(op.Range(np.int64(0), op.Size(x), np.int64(1)), op.Shape(x), allowzero=1), times)
    return op.Gather(op.Reshape(x, [-1]), index, axis=0)


@converts("ReverseV2")
@by_parts
def reverse_v2(op: Builder, node: NodeView) -> Any:
    x, axes = node.inputs[0], op.Reshape(op.cast(node.inputs[1], int64), [-1])
    if axes.const is not None and axes.const.size == 0:
        return x
    last = op.Expand(np.int64(-1), op.Shape(axes))
    ends = op.Expand(np.int64(-BIGGEST), op.Shape(axes))
    return op.Slice(x, last, ends, axes, last)


@converts("Reverse")
@by_parts
def reverse(op: Builder, node: NodeView) -> Any:
    """Which axes to reverse is given as a bool for each."""
    x, turned = node.inputs
    if x.rank == 0:
        return x
    return op.Slice(
        x,
        op.Where(turned, np.int64(BIGGEST), np.int64(0)),
        op.Where(turned, np.int64(-BIGGEST), np.int64(BIGGEST)),
        op.Range(np.int64(0), op.Size(turned), np.int64(1)),
        op.Where(turned, np.int64(-1), np.int64(1)),
    )


@converts("ReverseSequence")
@by_parts
def reverse_sequence(op: Builder, node: NodeView) -> Any:
    """ONNX wants the time and the batch axis to be the first two."""
    x, lengths = node.inputs[0], op.cast(node.inputs[1], int64)
    time, batch = int(node.attr["seq_dim"]), int(node.attr["batch_dim"])
    if {time, batch} == {0, 1}:
        return op.ReverseSequence(x, lengths, time_axis=time, batch_axis=batch)
    if x.rank is None:
        raise node.fail("the rank of the input must be known.")
    time, batch = time % x.rank, batch % x.rank
    perm = [time, batch, *(i for i in range(x.rank) if i not in (time, batch))]
    turned = op.ReverseSequence(op.Transpose(x, perm=perm), lengths, time_axis=0, batch_axis=1)
    return op.Transpose(turned, perm=[perm.index(i) for i in range(x.rank)])


@converts("Roll")
@by_parts
def roll(op: Builder, node: NodeView) -> Any:
    """Along each axis the last `shift` elements come first."""
    x = node.inputs[0]
    shifts = op.Reshape(op.cast(node.input("shift"), int64), [-1])
    for i, axis in enumerate(np.ravel(node.const("axis")).tolist()):
        size = op.Max(op.Gather(op.Shape(x), np.int64(axis), axis=0), np.int64(1))
        cut = op.Reshape(op.Sub(size, op.Mod(op.Gather(shifts, np.int64(i), axis=0), size)), [1])
        x = op.Concat(op.Slice(x, cut, [BIGGEST], [axis]), op.Slice(x, [0], cut, [axis]), axis=axis)
    return x


# -- choosing ----------------------------------------------------------------------------------------------------------


@converts("Select", "SelectV2")
def select(op: Builder, node: NodeView) -> Any:
    """A vector condition of Select picks whole rows."""
    condition, x, y = node.inputs
    if node.op == "Select" and condition.rank in (1, None):
        if condition.rank == 1 and x.rank is not None:
            condition = op.Unsqueeze(condition, list(range(1, x.rank))) if x.rank > 1 else condition
        elif x.rank is None or x.rank > 1:  # as many axes of length 1 as the condition lacks
            shape = op.Shape(condition)
            missing = op.Sub(op.Size(op.Shape(x)) if x.rank is None else np.int64(x.rank), op.Size(shape))
            condition = op.Reshape(condition, op.Concat(shape, op.Expand(np.int64(1), op.Reshape(missing, [1])), axis=0))
            condition.dims = None
    if x.dtype.is_complex:
        return join(op, *(op.Where(condition, a, b) for a, b in zip(parts(op, x), parts(op, y), strict=True)))
    return op.Where(condition, x, y)


@converts("Where")
def where(op: Builder, node: NodeView) -> Any:
    """The coordinates of what is not zero, one a row."""
    x = node.inputs[0]
    if x.dtype.is_complex:
        x = op.Or(*(op.cast(p, bool_) for p in parts(op, x)))
    mask = op.cast(x, bool_)
    if mask.rank == 0:
        count = op.Reshape(op.cast(mask, int64), [1])
        return op.ConstantOfShape(op.Concat(count, [0], axis=0), value=np.zeros(1, np.int64))
    return op.Transpose(op.NonZero(mask), perm=[1, 0])


@converts("OneHot")
def one_hot(op: Builder, node: NodeView) -> Any:
    """An index out of range, a negative one too, gives a row of off values; ONNX counts negative ones from the end."""
    indices, depth, on, off = node.inputs
    axis = int(node.attr["axis"])
    indices, depth = op.cast(indices, int64), op.cast(depth, int64)
    if on.dtype in (float32, int64) and indices.rank:  # ONNX Runtime takes no scalar
        kept = op.Where(op.Less(indices, np.int64(0)), depth, indices)
        values = op.Concat(op.Unsqueeze(off, [0]), op.Unsqueeze(on, [0]), axis=0)
        return op.OneHot(kept, depth, values, axis=axis)
    classes = op.Range(np.int64(0), depth, np.int64(1))
    if axis != -1 and indices.rank is None:
        behind = op.Sub(op.Size(op.Shape(indices)), np.int64(axis))
        classes = op.Reshape(classes, op.Concat([-1], op.Expand(op.const([1]), op.Unsqueeze(behind, [0])), axis=0))
    elif axis != -1:
        classes = op.Unsqueeze(classes, list(range(1, (indices.rank or 0) - axis + 1)))
    chosen = op.Equal(op.Unsqueeze(indices, [axis]), classes)
    if on.dtype is bool_ and on.const is not None and off.const is not None and on.const and not off.const:
        return chosen
    if on.dtype.is_complex:
        return join(op, *(op.Where(chosen, a, b) for a, b in zip(parts(op, on), parts(op, off), strict=True)))
    return op.Where(chosen, on, off)


# -- sets of values ----------------------------------------------------------------------------------------------------


@converts("Unique", "UniqueWithCounts", "UniqueV2", "UniqueWithCountsV2")
def unique(op: Builder, node: NodeView) -> Any:
    """ONNX's order of first occurrence (sorted=0); its second output is the first position, its third TensorFlow's idx."""
    x = node.inputs[0]
    axis = None
    if node.op.endswith("V2"):
        axes = np.ravel(node.const("axis")).tolist()
        axis = int(axes[0]) if axes else None
    y, _, inverse, counts = op.Unique(x, sorted=0, axis=axis, outputs=4)
    inverse.dims = inverse.dims if inverse.dims is not None else (None,)
    if node.op == "Unique" and x.rank is not None and x.rank != 1:
        inverse = op.Reshape(inverse, op.Shape(x))
    results = [y, *(op.cast(v, t.dtype) for v, t in zip((inverse, counts), node.outputs[1:], strict=False))]
    return tuple(results)


@converts("ListDiff")
def list_diff(op: Builder, node: NodeView) -> Any:
    """The elements of x that are not in y, with their positions."""
    x, y = node.inputs
    same = op.cast(op.Equal(op.Unsqueeze(x, [1]), op.Unsqueeze(y, [0])), int32)
    found = op.ReduceSum(same, [1], keepdims=0)
    kept = op.Reshape(op.NonZero(op.Equal(found, op.const(0, int32))), [-1])
    return op.Gather(x, kept, axis=0), op.cast(kept, node.outputs[1].dtype)


__all__ = ["BIGGEST", "constant_value", "product_up_to", "reshaped", "shape_of"]
