"""Making, shaping, picking and joining tensors."""

from __future__ import annotations

import functools
import operator
from typing import Any

import numpy as np

from graphtools import graph as base
from graphtools.constant import constant as known_value
from graphtools.dtypes import as_dtype, int32, int64
from graphtools.gradients import IndexedSlices
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import NOTHING, export, put
from runtime.tf1.tensor import Tensor
from runtime.tf1.tensor_shape import as_dims

put("newaxis", NOTHING)


@export("placeholder")
def placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Any:
    return apply_op("Placeholder", name, dtype=dtype, shape=None if shape is None else as_dims(shape))


@export("placeholder_with_default")
def placeholder_with_default(input: Any, shape: Any, name: str | None = None) -> Any:
    graph = get_default_graph()
    with name_scope(name, "PlaceholderWithDefault") as scope:
        value = convert_to_tensor(input, name="input")
        return graph.create("PlaceholderWithDefault", [value], {"shape": as_dims(shape)}, scope).outputs[0]


@export("identity")
def identity(input: Any, name: str | None = None) -> Any:
    return apply_op("Identity", name, input=input)


@export("shape")
def shape(input: Any, name: str | None = None, out_type: Any = int32) -> Any:
    """The shape as a tensor: a constant where it is known."""
    return shape_internal(input, name, out_type=out_type)


def shape_internal(input: Any, name: str | None = None, optimize: bool = True, out_type: Any = int32) -> Any:
    with name_scope(name, "Shape", [input]) as scope:
        if hasattr(input, "dense_shape") and not isinstance(input, base.Tensor):
            return cast_(input.dense_shape, out_type)
        tensor = convert_to_tensor(input)
        if optimize and tensor.dims is not None and None not in tensor.dims:
            return constant(np.array(tensor.dims, as_dtype(out_type).as_numpy_dtype), out_type, name=scope)
        return apply_op("Shape", scope, input=tensor, out_type=out_type)


def cast_(x: Any, dtype: Any) -> Any:
    from runtime.tf1.math_ops import cast

    return cast(x, dtype)


@export("size")
def size(input: Any, name: str | None = None, out_type: Any = int32) -> Any:
    with name_scope(name, "Size", [input]) as scope:
        if hasattr(input, "dense_shape") and not isinstance(input, base.Tensor):
            return apply_op("Prod", scope, input=cast_(input.dense_shape, out_type), reduction_indices=0, keep_dims=False)
        tensor = convert_to_tensor(input)
        if tensor.dims is not None and None not in tensor.dims:
            return constant(int(np.prod(tensor.dims, dtype=np.int64)), out_type, name=scope)
        return apply_op("Size", scope, input=tensor, out_type=out_type)


@export("rank")
def rank(input: Any, name: str | None = None) -> Any:
    return rank_internal(input, name)


def rank_internal(input: Any, name: str | None = None, optimize: bool = True) -> Any:
    with name_scope(name, "Rank", [input]) as scope:
        if hasattr(input, "dense_shape") and not isinstance(input, base.Tensor):
            return apply_op("Size", scope, input=input.dense_shape, out_type=int32)
        tensor = convert_to_tensor(input)
        if optimize and tensor.dims is not None:
            return constant(len(tensor.dims), int32, name=scope)
        return apply_op("Rank", scope, input=tensor)


@export("reshape")
def reshape(tensor: Any, shape: Any, name: str | None = None) -> Any:
    return apply_op("Reshape", name, tensor=tensor, shape=shape)


@export("expand_dims")
def expand_dims(input: Any, axis: Any = None, name: str | None = None, dim: Any = None) -> Any:
    axis = dim if axis is None else axis
    if axis is None:
        raise ValueError("Must specify an axis argument to tf.expand_dims()")
    return apply_op("ExpandDims", name, input=input, dim=axis)


@export("squeeze")
def squeeze(input: Any, axis: Any = None, name: str | None = None, squeeze_dims: Any = None) -> Any:
    axis = squeeze_dims if axis is None else axis
    if np.isscalar(axis):
        axis = [axis]
    return apply_op("Squeeze", name, input=input, squeeze_dims=list(axis) if axis is not None else [])


@export("transpose")
def transpose(a: Any, perm: Any = None, name: str = "transpose", conjugate: bool = False) -> Any:
    op_type = "ConjugateTranspose" if conjugate and convert_to_tensor(a).dtype.is_complex else "Transpose"
    with name_scope(name, "transpose", [a]) as scope:
        if perm is not None:
            return apply_op(op_type, scope, x=a, perm=perm)
        a = convert_to_tensor(a, name="a")
        if a.dims is not None:
            return apply_op(op_type, scope, x=a, perm=list(range(len(a.dims)))[::-1])
        r = apply_op("Rank", None, input=a)
        return apply_op(op_type, scope, x=a, perm=(r - 1) - apply_op("Range", None, start=0, limit=r, delta=1))


@export("concat")
def concat(values: Any, axis: Any, name: str = "concat") -> Any:
    if not isinstance(values, list | tuple):
        values = [values]
    if len(values) == 1:
        with name_scope(name):
            convert_to_tensor(axis, int32, name="concat_dim")
            return identity(values[0], name=name)
    return apply_op("ConcatV2", name, values=values, axis=axis)


@export("stack")
def stack(values: Any, axis: int = 0, name: str = "stack") -> Any:
    if axis == 0 and not isinstance(values, base.Tensor):
        try:
            return convert_to_tensor(values, name=name)  # nested lists, constants and tensors mixed
        except (TypeError, ValueError):
            pass
    return apply_op("Pack", name, values=list(values) if isinstance(values, list | tuple) else unstack(values), axis=axis)


@export("unstack")
def unstack(value: Any, num: int | None = None, axis: int = 0, name: str = "unstack") -> Any:
    if num is None:
        value = convert_to_tensor(value)
        if value.dims is not None:
            if not -len(value.dims) <= axis < len(value.dims):
                raise ValueError(f"axis = {axis} not in [{-len(value.dims)}, {len(value.dims)})")
            num = value.dims[axis]
    if num is None:
        raise ValueError(f"Cannot infer num from shape {convert_to_tensor(value).shape}")
    return apply_op("Unpack", name, value=value, num=num, axis=axis)


@export("split")
def split(value: Any, num_or_size_splits: Any, axis: Any = 0, num: int | None = None, name: str = "split") -> Any:
    if isinstance(num_or_size_splits, int | np.integer):
        convert_to_tensor(num_or_size_splits)  # TensorFlow makes this constant too, and op counts seed random ops
        return apply_op("Split", name, split_dim=axis, num_split=int(num_or_size_splits), value=value)
    sizes = convert_to_tensor(num_or_size_splits)
    if sizes.dims == () and known_value(sizes) is not None:
        raise ValueError("Rank-0 tensors are not supported as the num_or_size_splits argument to split.")
    if num is None:
        num = sizes.dims[0] if sizes.dims else None
        if num is None:
            raise ValueError(f"Cannot infer num from shape {num_or_size_splits}")
    return apply_op("SplitV", name, value=value, size_splits=sizes, split_dim=axis, num_split=num)


@export("zeros")
def zeros(shape: Any, dtype: Any = "float32", name: str | None = None) -> Any:
    return _filled(shape, 0, as_dtype(dtype).base_dtype, name, "zeros")


@export("ones")
def ones(shape: Any, dtype: Any = "float32", name: str | None = None) -> Any:
    return _filled(shape, 1, as_dtype(dtype).base_dtype, name, "ones")


def _filled(shape: Any, number: int, dtype: Any, name: str | None, default: str) -> Any:
    """A small constant where the shape is known, else Fill."""
    value: Any = bool(number) if dtype.is_bool else "" if dtype.name == "string" else dtype.as_numpy_dtype(number)
    with name_scope(name, default, [shape]) as scope:
        if not isinstance(shape, base.Tensor):
            try:
                dims = as_dims(shape)
                if dims is not None and None not in dims and np.prod(dims, dtype=np.float64) < 1000 and not isinstance(shape, int):
                    return constant(value, dtype, shape=dims, name=scope)
                shape = (
                    constant(np.array(dims, np.int32), int32, name="shape_as_tensor") if dims is not None and None not in dims else shape
                )
            except (TypeError, ValueError):
                if isinstance(shape, list | tuple) and any(isinstance(d, base.Tensor) for d in shape):
                    # TensorFlow multiplies the dimensions and compares before it finds that they are tensors.
                    _ = functools.reduce(operator.mul, shape) < 1000
                shape = convert_to_tensor(shape, int32)
        if not (isinstance(shape, base.Tensor) and shape.dims is not None and len(shape.dims) == 1):
            shape = reshape(shape, [-1])
        return apply_op("Fill", scope, dims=shape, value=constant(value, dtype))


@export("zeros_like")
def zeros_like(tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True) -> Any:
    with name_scope(name, "zeros_like", [tensor]) as scope:
        tensor = convert_to_tensor(tensor, name="tensor")
        if optimize and tensor.dims is not None and None not in tensor.dims and tensor.dtype.name != "variant":
            return zeros(tensor.dims, dtype or tensor.dtype.base_dtype, name=scope)
        if dtype is not None and as_dtype(dtype) is not tensor.dtype.base_dtype:
            return zeros(shape_internal(tensor, optimize=optimize), dtype, name=scope)
        return apply_op("ZerosLike", scope, x=tensor)


@export("ones_like")
def ones_like(tensor: Any, dtype: Any = None, name: str | None = None, optimize: bool = True) -> Any:
    with name_scope(name, "ones_like", [tensor]) as scope:
        tensor = convert_to_tensor(tensor, name="tensor")
        dims = shape_internal(tensor, optimize=optimize)
        made = ones(dims, dtype or tensor.dtype.base_dtype, name=scope)
        if made.dims is None:
            made.set_shape(tensor.dims)
        return made


@export("fill")
def fill(dims: Any, value: Any, name: str | None = None) -> Any:
    return apply_op("Fill", name, dims=dims, value=value)


@export("gather")
def gather(params: Any, indices: Any, validate_indices: Any = None, name: str | None = None, axis: Any = None, batch_dims: int = 0) -> Any:
    if axis is None:
        axis = batch_dims
    if known_value(convert_to_tensor(axis)) != 0 if isinstance(axis, base.Tensor) else axis != 0:
        return apply_op("GatherV2", name, params=params, indices=indices, axis=axis, batch_dims=batch_dims)
    if hasattr(params, "sparse_read"):
        return params.sparse_read(indices, name=name)
    return apply_op("GatherV2", name, params=params, indices=indices, axis=axis)


@export("gather_nd")
def gather_nd(params: Any, indices: Any, name: str | None = None, batch_dims: int = 0) -> Any:
    return apply_op("GatherNd", name, params=params, indices=indices)


@export("slice")
def slice_(input_: Any, begin: Any, size: Any, name: str | None = None) -> Any:
    return apply_op("Slice", name, input=input_, begin=begin, size=size)


@export("strided_slice")
def strided_slice(
    input_: Any, begin: Any, end: Any, strides: Any = None, begin_mask: int = 0, end_mask: int = 0, ellipsis_mask: int = 0, new_axis_mask: int = 0,
    shrink_axis_mask: int = 0, var: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    if strides is None:
        strides = ones_like(begin)
    result = apply_op(
        "StridedSlice", name, input=input_, begin=begin, end=end, strides=strides, begin_mask=begin_mask, end_mask=end_mask, ellipsis_mask=ellipsis_mask,
        new_axis_mask=new_axis_mask, shrink_axis_mask=shrink_axis_mask,
    )  # fmt: skip
    if var is not None:
        masks = dict(
            begin_mask=begin_mask,
            end_mask=end_mask,
            ellipsis_mask=ellipsis_mask,
            new_axis_mask=new_axis_mask,
            shrink_axis_mask=shrink_axis_mask,
        )
        slice_name = name or "strided_slice"

        def assign(value: Any, name: str | None = None) -> Any:
            given = dict(begin=begin, end=end, strides=strides, value=value, **masks)
            return var._assign_slice(given, name or f"{slice_name}_assign")

        result.assign = assign
    return result


def _slice_helper(tensor: Any, slice_spec: Any, var: Any = None) -> Any:
    """x[...]: begin, end and strides as constants where they are, packed tensors where not."""
    if not isinstance(slice_spec, list | tuple):
        slice_spec = [slice_spec]
    begin, end, strides = [], [], []
    masks = dict.fromkeys(("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask"), 0)
    for i, s in enumerate(slice_spec):
        bit = 1 << i
        if isinstance(s, slice):
            begin.append(0 if s.start is None else s.start)
            masks["begin_mask"] |= bit if s.start is None else 0
            end.append(0 if s.stop is None else s.stop)
            masks["end_mask"] |= bit if s.stop is None else 0
            strides.append(1 if s.step is None else s.step)
        elif s is Ellipsis:
            begin.append(0)
            end.append(0)
            strides.append(1)
            masks["ellipsis_mask"] |= bit
        elif s is None:
            begin.append(0)
            end.append(0)
            strides.append(1)
            masks["new_axis_mask"] |= bit
        else:
            if isinstance(s, str) or (isinstance(s, float) or (isinstance(s, base.Tensor) and s.dtype.is_bool)):
                raise TypeError(
                    f"Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar tf.int32/tf.int64 tensors are valid indices, got {s!r}"
                )
            begin.append(s)
            end.append(s + 1)
            strides.append(1)
            masks["shrink_axis_mask"] |= bit
    with name_scope(None, "strided_slice", [tensor, *begin, *end, *strides]) as scope:
        if begin:
            packed = [stack_indices(v) for v in (begin, end, strides)]
            if any(p.dtype is int64 for p in packed):
                packed = [cast_(p, int64) for p in packed]
        else:
            empty = constant([], int32)
            packed = [empty] * 3
        return strided_slice(tensor, *packed, **masks, var=var, name=scope)


def stack_indices(values: list[Any]) -> Any:
    values = [convert_to_tensor(v) if hasattr(v, "initialized_value") else v for v in values]  # variables
    if any(isinstance(v, base.Tensor) for v in values):
        dtype = int64 if any(isinstance(v, base.Tensor) and v.dtype.base_dtype is int64 for v in values) else int32
        return convert_to_tensor([cast_(v, dtype) if isinstance(v, base.Tensor) else v for v in values], dtype, name="stack")
    return constant([int(v) for v in values], int32, name="stack")


Tensor.__getitem__ = _slice_helper  # type: ignore[attr-defined]


@export("where")
def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Any:
    if x is None and y is None:
        return apply_op("Where", name, input=convert_to_tensor(condition, name="condition"))
    if x is None or y is None:
        raise ValueError("x and y must both be non-None or both be None.")
    return apply_op("Select", name, condition=condition, t=x, e=y)


@export("one_hot")
def one_hot(
    indices: Any,
    depth: Any,
    on_value: Any = None,
    off_value: Any = None,
    axis: int | None = None,
    dtype: Any = None,
    name: str | None = None,
) -> Any:
    with name_scope(name, "one_hot", [indices, depth, on_value, off_value, axis, dtype]) as scope:
        given = {n: convert_to_tensor(v).dtype.base_dtype for n, v in (("on_value", on_value), ("off_value", off_value)) if v is not None}
        if dtype is None:
            dtype = next(iter(given.values()), "float32")
        dtype = as_dtype(dtype)
        for label, found in given.items():
            if found != dtype:
                raise TypeError(f"dtype {found} of {label} does not match dtype parameter {dtype}")
        if on_value is None:
            on_value = convert_to_tensor(1, dtype, name="on_value")
        if off_value is None:
            off_value = convert_to_tensor(0, dtype, name="off_value")
        return apply_op(
            "OneHot",
            scope,
            indices=indices,
            depth=depth,
            on_value=on_value,
            off_value=off_value,
            axis=-1 if axis is None else axis,
            T=dtype,
        )


@export("stop_gradient")
def stop_gradient(input: Any, name: str | None = None) -> Any:
    return apply_op("StopGradient", name, input=input)


def dense(value: Any) -> Any:
    """IndexedSlices as a dense tensor."""
    if not isinstance(value, IndexedSlices):
        return value
    from runtime.tf1.math_ops import unsorted_segment_sum

    if value.dense_shape is None:
        raise ValueError("Tensor conversion requested for IndexedSlices without dense_shape")
    return unsorted_segment_sum(value.values, value.indices, value.dense_shape[0])


@export("pad")
def pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", name: str | None = None, constant_values: Any = 0) -> Any:
    mode = mode.upper()
    if mode == "CONSTANT":
        if not isinstance(constant_values, base.Tensor) and constant_values == 0:
            result = apply_op("Pad", name, input=tensor, paddings=paddings)
        else:
            result = apply_op("PadV2", name, input=tensor, paddings=paddings, constant_values=constant_values)
    elif mode in ("REFLECT", "SYMMETRIC"):
        result = apply_op("MirrorPad", name, input=tensor, paddings=paddings, mode=mode)
    else:
        raise ValueError(f"Unknown padding mode: {mode}")
    return result


@export("boolean_mask")
def boolean_mask(tensor: Any, mask: Any, name: str = "boolean_mask", axis: int | None = None) -> Any:
    """The elements along the mask's dimensions where it holds."""
    with name_scope(name, values=[tensor, mask]):
        tensor = convert_to_tensor(tensor, name="tensor")
        mask = convert_to_tensor(mask, name="mask")
        rank = mask.rank
        if rank is None:
            raise ValueError(
                "Number of mask dimensions must be specified, even if some dimensions are None.  E.g. shape=[None] is ok, but shape=None is not."
            )
        if rank == 0:
            raise ValueError("mask cannot be scalar.")
        axis = 0 if axis is None else axis
        tensor.shape[axis : axis + rank].assert_is_compatible_with(mask.shape)
        from runtime.tf1.math_ops import reduce_prod

        leading = reduce_prod(_slice_helper(shape(tensor), slice(axis, axis + rank)), [0])
        merged = reshape(
            tensor,
            concat([_slice_helper(shape(tensor), slice(None, axis)), [leading], _slice_helper(shape(tensor), slice(axis + rank, None))], 0),
        )
        if tensor.dims is not None:
            known = tensor.dims[axis : axis + rank]
            count = None if None in known else int(np.prod(known))  # type: ignore[arg-type]
            merged.set_shape([*tensor.dims[:axis], count, *tensor.dims[axis + rank :]])
        indices = squeeze(where(reshape(mask, [-1])), axis=[1])
        return gather(merged, indices, axis=axis)


@export("sequence_mask")
def sequence_mask(lengths: Any, maxlen: Any = None, dtype: Any = "bool", name: str | None = None) -> Any:
    from runtime.tf1 import math_ops

    with name_scope(name, "SequenceMask", [lengths, maxlen]):
        lengths = convert_to_tensor(lengths)
        if maxlen is None:
            axes = (
                math_ops.range(apply_op("Rank", None, input=lengths))
                if lengths.rank is None
                else constant(np.arange(lengths.rank, dtype=np.int32))
            )
            longest = apply_op("Max", None, input=lengths, reduction_indices=axes, keep_dims=False)
            maxlen = apply_op("Maximum", None, x=constant(0, lengths.dtype), y=longest)
        else:
            maxlen = convert_to_tensor(maxlen)
        row = apply_op("Range", None, start=constant(0, maxlen.dtype), limit=maxlen, delta=constant(1, maxlen.dtype))
        # Cast even where it changes nothing, as TensorFlow does.
        result = row < apply_op("Cast", None, x=expand_dims(lengths, -1), DstT=maxlen.dtype)
        wanted = as_dtype(dtype).base_dtype
        return result if wanted.is_compatible_with(result.dtype.base_dtype) else apply_op("Cast", None, x=result, DstT=wanted)


@export("meshgrid")
def meshgrid(*args: Any, **kwargs: Any) -> list[Any]:
    indexing, name = kwargs.pop("indexing", "xy"), kwargs.pop("name", "meshgrid")
    if kwargs:
        raise TypeError(f"'{next(iter(kwargs))}' is an invalid keyword argument for this function")
    if indexing not in ("xy", "ij"):
        raise ValueError("indexing parameter must be either 'xy' or 'ij'")
    with name_scope(name, "meshgrid", args):
        ndim = len(args)
        output = []
        for i, x in enumerate(args):
            output.append(reshape(stack(x) if isinstance(x, list | tuple) else x, [1] * i + [-1] + [1] * (ndim - i - 1)))
        shapes = [size(x) for x in args]
        dtype = convert_to_tensor(args[0]).dtype.base_dtype
        if indexing == "xy" and ndim > 1:
            output[0] = reshape(output[0], [1, -1] + [1] * (ndim - 2))
            output[1] = reshape(output[1], [-1, 1] + [1] * (ndim - 2))
            shapes[0], shapes[1] = shapes[1], shapes[0]
        fill_ = ones(shapes, dtype)
        return [x * fill_ for x in output]


@export("reverse")
def reverse(tensor: Any, axis: Any, name: str | None = None) -> Any:
    return apply_op("ReverseV2", name, tensor=tensor, axis=axis)


@export("reverse_sequence")
def reverse_sequence(
    input: Any,
    seq_lengths: Any,
    seq_axis: int | None = None,
    batch_axis: int | None = None,
    name: str | None = None,
    seq_dim: int | None = None,
    batch_dim: int | None = None,
) -> Any:
    return apply_op(
        "ReverseSequence",
        name,
        input=input,
        seq_lengths=seq_lengths,
        seq_dim=seq_dim if seq_axis is None else seq_axis,
        batch_dim=(batch_dim if batch_axis is None else batch_axis) or 0,
    )


@export("unique")
def unique(x: Any, out_idx: Any = int32, name: str | None = None) -> Any:
    import collections

    return collections.namedtuple("Unique", ["y", "idx"])(*apply_op("Unique", name, x=x, out_idx=out_idx))


@export("unique_with_counts")
def unique_with_counts(x: Any, out_idx: Any = int32, name: str | None = None) -> Any:
    import collections

    return collections.namedtuple("UniqueWithCounts", ["y", "idx", "count"])(*apply_op("UniqueWithCounts", name, x=x, out_idx=out_idx))


@export("setdiff1d")
def setdiff1d(x: Any, y: Any, index_dtype: Any = int32, name: str | None = None) -> Any:
    import collections

    return collections.namedtuple("ListDiff", ["out", "idx"])(*apply_op("ListDiff", name, x=x, y=y, out_idx=index_dtype))


@export("shape_n")
def shape_n(input: Any, out_type: Any = int32, name: str | None = None) -> Any:
    return apply_op("ShapeN", name, input=list(input), out_type=out_type)


@export("parallel_stack")
def parallel_stack(values: Any, name: str = "parallel_stack") -> Any:
    with name_scope(name):
        first = convert_to_tensor(values[0])
        return apply_op("ParallelConcat", None, values=[expand_dims(v, 0) for v in values], shape=[len(values), *first.shape.as_list()])


@export("broadcast_dynamic_shape")
def broadcast_dynamic_shape(shape_x: Any, shape_y: Any) -> Any:
    return apply_op("BroadcastArgs", None, s0=shape_x, s1=shape_y)


@export("broadcast_static_shape")
def broadcast_static_shape(shape_x: Any, shape_y: Any) -> Any:
    from graphtools.shapes.dims import broadcast
    from runtime.tf1.tensor_shape import TensorShape

    return TensorShape(broadcast(as_dims(shape_x), as_dims(shape_y)))


@export("required_space_to_batch_paddings")
def required_space_to_batch_paddings(input_shape: Any, block_shape: Any, base_paddings: Any = None, name: str | None = None) -> Any:
    from runtime.tf1.nn_ops import required_paddings

    block = [int(b) for b in known_value(convert_to_tensor(block_shape))]  # type: ignore[union-attr]
    given = np.zeros((len(block), 2), np.int32) if base_paddings is None else known_value(convert_to_tensor(base_paddings))
    return required_paddings(convert_to_tensor(input_shape), block, given, 0)


@export("space_to_batch")
def space_to_batch(input: Any, paddings: Any, block_size: Any = None, name: str | None = None, block_shape: Any = None) -> Any:
    if block_size is None:
        return apply_op("SpaceToBatchND", name, input=input, block_shape=block_shape, paddings=paddings)
    result = apply_op("SpaceToBatchND", name, input=input, block_shape=np.array([block_size, block_size], np.int32), paddings=paddings)
    result.set_shape(result.shape.with_rank(4))
    return result


@export("batch_to_space")
def batch_to_space(input: Any, crops: Any, block_size: Any, name: str | None = None, block_shape: Any = None) -> Any:
    block = block_shape if block_shape is not None else np.array([block_size, block_size], np.int32)
    return apply_op("BatchToSpaceND", name, input=input, block_shape=block, crops=crops)


@export("space_to_depth")
def space_to_depth(input: Any, block_size: int, name: str | None = None, data_format: str = "NHWC") -> Any:
    return apply_op("SpaceToDepth", name, input=input, block_size=block_size, data_format=data_format)


@export("depth_to_space")
def depth_to_space(input: Any, block_size: int, name: str | None = None, data_format: str = "NHWC") -> Any:
    return apply_op("DepthToSpace", name, input=input, block_size=block_size, data_format=data_format)


@export("eye")
def eye(num_rows: Any, num_columns: Any = None, batch_shape: Any = None, dtype: Any = "float32", name: str | None = None) -> Any:
    from runtime.tf1 import math_ops

    with name_scope(name, "eye", [num_rows, num_columns, batch_shape]):
        columns = num_rows if num_columns is None else num_columns
        square = num_columns is None or (
            not isinstance(num_rows, base.Tensor) and not isinstance(columns, base.Tensor) and num_rows == columns
        )
        smaller = (
            math_ops.minimum(num_rows, columns)
            if isinstance(num_rows, base.Tensor) or isinstance(columns, base.Tensor)
            else min(num_rows, columns)
        )
        batch = [] if batch_shape is None else batch_shape
        if isinstance(smaller, base.Tensor) or isinstance(batch, base.Tensor):
            batch = convert_to_tensor(batch, int32, name="shape")
            diagonal_shape: Any = concat([batch, [smaller]], 0)
        else:
            diagonal_shape = [*batch, smaller]
        diagonal = ones(diagonal_shape, dtype)
        if square:
            return apply_op("MatrixDiag", "diag", diagonal=diagonal)
        whole = concat([batch, [num_rows, columns]], 0) if isinstance(diagonal_shape, base.Tensor) else [*batch, num_rows, columns]
        return apply_op("MatrixSetDiag", "set_diag", input=zeros(whole, dtype), diagonal=diagonal)


@export("matrix_diag")
def matrix_diag(diagonal: Any, name: str = "diag", **kwargs: Any) -> Any:
    return apply_op("MatrixDiag", name, diagonal=diagonal)


@export("matrix_diag_part")
def matrix_diag_part(input: Any, name: str = "diag_part", **kwargs: Any) -> Any:
    return apply_op("MatrixDiagPart", name, input=input)


@export("matrix_set_diag")
def matrix_set_diag(input: Any, diagonal: Any, name: str = "set_diag", **kwargs: Any) -> Any:
    return apply_op("MatrixSetDiag", name, input=input, diagonal=diagonal)


@export("matrix_transpose")
def matrix_transpose(a: Any, name: str = "matrix_transpose", conjugate: bool = False) -> Any:
    with name_scope(name, values=[a]):
        a = convert_to_tensor(a, name="a")
        if a.rank is not None:
            if a.rank < 2:
                raise ValueError(f"Argument 'a' should be a (batch) matrix, with rank >= 2.  Found: {a.shape}")
            return transpose(a, perm=[*np.arange(a.rank - 2), a.rank - 1, a.rank - 2], conjugate=conjugate)
        from runtime.tf1.math_ops import range as range_

        rank = apply_op("Rank", None, input=a)
        return transpose(a, perm=concat([range_(rank - 2), [rank - 1, rank - 2]], 0), conjugate=conjugate)


@export("searchsorted")
def searchsorted(sorted_sequence: Any, values: Any, side: str = "left", out_type: Any = int32, name: str | None = None) -> Any:
    sequence = convert_to_tensor(sorted_sequence)
    values = convert_to_tensor(values)
    flat = reshape(sequence, [-1, _slice_helper(shape(sequence), -1)])
    flat_values = reshape(values, [-1, _slice_helper(shape(values), -1)])
    op_type = {"left": "LowerBound", "right": "UpperBound"}.get(side)
    if op_type is None:
        raise ValueError(f"side must be either 'right' or 'left'.  Saw: {side}.")
    return reshape(apply_op(op_type, name, sorted_inputs=flat, values=flat_values, out_type=out_type), shape(values))


@export("guarantee_const")
def guarantee_const(input: Any, name: str | None = None) -> Any:
    return apply_op("GuaranteeConst", name, input=input)


@export("edit_distance")
def edit_distance(hypothesis: Any, truth: Any, normalize: bool = True, name: str = "edit_distance") -> Any:
    return apply_op(
        "EditDistance", name, hypothesis_indices=hypothesis.indices, hypothesis_values=hypothesis.values, hypothesis_shape=hypothesis.dense_shape, truth_indices=truth.indices,
        truth_values=truth.values, truth_shape=truth.dense_shape, normalize=normalize,
    )  # fmt: skip
