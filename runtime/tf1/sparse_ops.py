"""tf.sparse: functions of SparseTensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools.constant import constant as constant_value
from graphtools.constant import constant_as_shape
from graphtools.dtypes import as_dtype, float32, int32, int64, string
from runtime.tf1 import array_ops, math_ops
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, name_scope
from runtime.tf1.registry import export
from runtime.tf1.sparse_tensor import SparseTensor, as_sparse, is_sparse

DEFAULT_HASH_KEY = 0xDECAFCAFFE


def _named(sp: SparseTensor, prefix: str = "input_") -> dict[str, Any]:
    return {f"{prefix}indices": sp.indices, f"{prefix}values": sp.values, f"{prefix}shape": sp.dense_shape}


def _either(new: Any, old: Any, new_name: str, old_name: str) -> Any:
    """The value of an argument under its new or old name."""
    if new is not None and old is not None:
        raise ValueError(f"Cannot specify both '{old_name}' and '{new_name}'")
    return old if new is None else new


def _as_int64(value: Any, name: str) -> Any:
    if isinstance(value, int | np.integer):
        return convert_to_tensor(int(value), int64, name=name)
    return value if value.dtype.base_dtype is int64 else math_ops.cast(value, int64)


@export("sparse.from_dense")
def from_dense(tensor: Any, name: str | None = None) -> SparseTensor:
    with name_scope(name, "dense_to_sparse"):
        tensor = convert_to_tensor(tensor)
        indices = array_ops.where(apply_op("NotEqual", None, x=tensor, y=constant(b"" if tensor.dtype is string else 0, tensor.dtype)))
        values = array_ops.gather_nd(tensor, indices)
        return SparseTensor(indices, values, array_ops.shape(tensor, out_type=int64))


@export("sparse.expand_dims")
def sparse_expand_dims(sp_input: Any, axis: Any = None, name: str | None = None) -> SparseTensor:
    rank = sp_input.dense_shape.shape[0].value
    with name_scope(name, "expand_dims"):
        axis = convert_to_tensor(-1 if axis is None else axis, int32, name="axis")
        axis = apply_op("SelectV2", None, condition=axis >= 0, t=axis, e=axis + rank + 1)
        count = array_ops.shape(sp_input.indices)[0]
        column = array_ops.zeros([count, 1], int64)
        before = array_ops.slice_(sp_input.indices, [0, 0], [-1, axis])
        after = array_ops.slice_(sp_input.indices, [0, axis], [-1, -1])
        indices = array_ops.concat([before, column, after], axis=1)
        shape_before = array_ops.slice_(sp_input.dense_shape, [0], [axis])
        shape_after = array_ops.slice_(sp_input.dense_shape, [axis], [-1])
        one = convert_to_tensor([1], int64, name="new_shape")
        return SparseTensor(indices, sp_input.values, array_ops.concat([shape_before, one, shape_after], axis=0))


@export("sparse.eye")
def sparse_eye(num_rows: Any, num_columns: Any = None, dtype: Any = float32, name: str | None = None) -> SparseTensor:
    with name_scope(name, "eye"):
        rows = _as_int64(num_rows, "num_rows")
        columns = rows if num_columns is None else _as_int64(num_columns, "num_columns")
        size = apply_op("Minimum", None, x=rows, y=columns)
        diagonal = math_ops.range(size, dtype=int64)
        return SparseTensor(array_ops.stack([diagonal, diagonal], axis=1), array_ops.ones(size, dtype), [rows, columns])


@export("sparse.concat", "sparse_concat")
def sparse_concat(
    axis: Any = None,
    sp_inputs: Any = None,
    name: str | None = None,
    expand_nonconcat_dim: bool = False,
    concat_dim: Any = None,
    expand_nonconcat_dims: Any = None,
) -> SparseTensor:
    axis = _either(axis, concat_dim, "axis", "concat_dim")
    sp_inputs = [as_sparse(s) for s in sp_inputs]
    if len(sp_inputs) == 1:
        return sp_inputs[0]
    shapes = [s.dense_shape for s in sp_inputs]
    if expand_nonconcat_dims if expand_nonconcat_dims is not None else expand_nonconcat_dim:
        largest = math_ops.reduce_max(array_ops.concat([array_ops.reshape(s, [1, -1]) for s in shapes], 0), 0)
        tail = [] if axis == -1 else [largest[axis + 1 :]]
        shapes = [array_ops.concat([largest[:axis], s[-1:] if axis == -1 else s[axis : axis + 1], *tail], 0) for s in shapes]
    indices, values, shape = apply_op(
        "SparseConcat", name, indices=[s.indices for s in sp_inputs], values=[s.values for s in sp_inputs], shapes=shapes, concat_dim=axis
    )
    known = [constant_value(s) for s in shapes]
    if all(k is not None for k in known):
        total = np.array(known[0])
        total[axis] = sum(k[axis] for k in known)  # type: ignore[index]
        shape = convert_to_tensor(total)
    return SparseTensor(indices, values, shape)


@export("sparse.add", "sparse_add")
def sparse_add(a: Any, b: Any, threshold: Any = None, thresh: Any = None) -> Any:
    """The sum: a SparseTensor of two, a dense tensor of one and a dense one."""
    threshold = _either(threshold, thresh, "threshold", "thresh")
    if not is_sparse(a) and not is_sparse(b):
        raise TypeError("At least one input should be SparseTensor; do you mean to use tf.add()?")
    if is_sparse(a) and is_sparse(b):
        a, b = as_sparse(a), as_sparse(b)
        real = a.values.dtype.base_dtype.real_dtype if hasattr(a.values.dtype, "real_dtype") else a.values.dtype.base_dtype
        limit = convert_to_tensor(0 if threshold is None else threshold, real, name="threshold")
        indices, values, shape = apply_op("SparseAdd", None, **_named(a, "a_"), **_named(b, "b_"), thresh=limit)
        a.shape.assert_is_compatible_with(b.shape)
        static = array_ops.broadcast_static_shape(a.shape, b.shape)
        return SparseTensor(indices, values, static.as_list() if static.is_fully_defined() else shape)
    if is_sparse(b):
        a, b = b, a
    return apply_op("SparseTensorDenseAdd", None, **_named(as_sparse(a), "a_"), b=b)


@export("sparse.cross")
def sparse_cross(inputs: Any, name: str | None = None) -> SparseTensor:
    return _cross(inputs, False, 0, None, name)


@export("sparse.cross_hashed")
def sparse_cross_hashed(inputs: Any, num_buckets: int = 0, hash_key: int | None = None, name: str | None = None) -> SparseTensor:
    return _cross(inputs, True, num_buckets, hash_key, name)


def _cross(inputs: Any, hashed: bool, num_buckets: int, hash_key: int | None, name: str | None) -> SparseTensor:
    if not isinstance(inputs, list):
        raise TypeError("Inputs must be a list")
    sparse = [s for s in inputs if isinstance(s, SparseTensor)]
    dense = [d for d in inputs if not isinstance(d, SparseTensor)]
    values = [s.values if s.values.dtype is string else math_ops.cast(s.values, int64) for s in sparse]
    dense = [d if d.dtype is string else math_ops.cast(d, int64) for d in dense]
    internal = string if all(t.dtype is string for t in (*(s.values for s in sparse), *dense)) else int64
    indices, found, shape = apply_op(
        "SparseCross", name, indices=[s.indices for s in sparse], values=values, shapes=[s.dense_shape for s in sparse], dense_inputs=dense, hashed_output=hashed,
        num_buckets=num_buckets, hash_key=hash_key or DEFAULT_HASH_KEY, out_type=int64 if hashed else string, internal_type=internal,
    )  # fmt: skip
    return SparseTensor(indices, found, shape)


@export("sparse.reorder", "sparse_reorder")
def sparse_reorder(sp_input: Any, name: str | None = None) -> SparseTensor:
    sp = as_sparse(sp_input)
    indices, values = apply_op("SparseReorder", name, **_named(sp))
    return SparseTensor(indices, values, sp.shape.as_list() if sp.shape.is_fully_defined() else array_ops.identity(sp.dense_shape))


# The ops whose values TensorFlow's Python layer folds while a graph is made.
FOLDED = frozenset(
    {
        "Cast",
        "Concat",
        "ConcatOffset",
        "ConcatV2",
        "Const",
        "Equal",
        "Fill",
        "NotEqual",
        "Pack",
        "Range",
        "Rank",
        "Shape",
        "Size",
        "StridedSlice",
    }
)


def _known_at_construction(tensor: Any) -> bool:
    node = tensor.node
    if node.op in ("Shape", "Size", "Rank"):
        return True
    return node.op in FOLDED and all(_known_at_construction(t) for t in node.inputs)


def _dims_at_construction(shape: Any) -> Any:
    if shape.node.op == "ConcatV2":
        parts = [_dims_at_construction(t) for t in shape.node.inputs[:-1]]
        return None if None in parts else tuple(d for part in parts for d in part)
    if shape.node.op == "Pack":
        known = constant_as_shape(shape)
        return (
            None
            if known is None
            else tuple(d if _known_at_construction(t) else None for t, d in zip(shape.node.inputs, known, strict=True))
        )
    if _known_at_construction(shape):
        return constant_as_shape(shape)
    return (None,) * shape.dims[0] if shape.dims and shape.dims[0] is not None else None


@export("sparse.reshape", "sparse_reshape")
def sparse_reshape(sp_input: Any, shape: Any, name: str | None = None) -> SparseTensor:
    sp = as_sparse(sp_input)
    shape = math_ops.cast(shape, int64)
    with name_scope(name, "SparseReshape", [sp.indices]) as scope:
        indices, new_shape = apply_op("SparseReshape", scope, input_indices=sp.indices, input_shape=sp.dense_shape, new_shape=shape)
        wanted = _dims_at_construction(shape)
        if wanted is not None and sp.shape.is_fully_defined():
            size = int(np.prod(sp.shape.as_list(), dtype=np.int64))
            given = constant_value(shape)
            if given is not None and (given == -1).sum() > 1:
                raise ValueError(f"At most one dimension can be inferred (-1). Found: {given}")
            dims = list(wanted)
            if dims.count(None) == 1:
                rest = int(np.prod([d for d in dims if d is not None], dtype=np.int64))
                dims[dims.index(None)] = size // rest if rest else 0
            if None not in dims:
                if int(np.prod(dims, dtype=np.int64)) != size:  # type: ignore[arg-type]
                    raise ValueError(
                        f"Cannot reshape a tensor with {size} elements to shape {list(wanted)} ({int(np.prod(dims))} elements)."
                    )  # type: ignore[arg-type]
                new_shape = constant(dims, int64)
        return SparseTensor(indices, array_ops.identity(sp.values), new_shape)


class _KeywordRequired:
    def __repr__(self) -> str:
        return "KeywordRequired()"


_KEYWORD_REQUIRED = _KeywordRequired()


@export("sparse.split", "sparse_split")
def sparse_split(
    keyword_required: Any = _KEYWORD_REQUIRED,
    sp_input: Any = None,
    num_split: Any = None,
    axis: Any = None,
    name: str | None = None,
    split_dim: Any = None,
) -> list[SparseTensor]:
    if not isinstance(keyword_required, _KeywordRequired):
        raise ValueError("Keyword arguments are required for this function.")
    axis = _either(axis, split_dim, "axis", "split_dim")
    for value, label in ((sp_input, "sp_input"), (num_split, "num_split"), (axis, "axis")):
        if value is None:
            raise ValueError(f"{label} is required")
    sp = as_sparse(sp_input)
    parts = apply_op("SparseSplit", name, split_dim=axis, indices=sp.indices, values=sp.values, shape=sp.dense_shape, num_split=num_split)
    return [SparseTensor(*part) for part in zip(*parts, strict=True)]


@export("sparse.slice", "sparse_slice")
def sparse_slice(sp_input: Any, start: Any, size: Any, name: str | None = None) -> SparseTensor:
    sp = as_sparse(sp_input)
    start, size = convert_to_tensor(start, int64), convert_to_tensor(size, int64)
    with name_scope(name, "SparseSlice", [sp.indices]) as scope:
        return SparseTensor(
            *apply_op("SparseSlice", scope, indices=sp.indices, values=sp.values, shape=sp.dense_shape, start=start, size=size)
        )


def _reduction(kind: str) -> tuple[Any, Any]:
    def keep(keepdims: Any, keep_dims: Any) -> bool:
        return bool(_either(keepdims, keep_dims, "keepdims", "keep_dims"))

    def axes(sp: Any, axis: Any, reduction_axes: Any) -> Any:
        return math_ops.reduction_dims(sp, _either(axis, reduction_axes, "axis", "reduction_axes"))

    def dense(sp_input: Any, axis: Any = None, keepdims: Any = None, reduction_axes: Any = None, keep_dims: Any = None) -> Any:
        sp = as_sparse(sp_input)
        return apply_op(
            f"SparseReduce{kind}", None, **_named(sp), reduction_axes=axes(sp, axis, reduction_axes), keep_dims=keep(keepdims, keep_dims)
        )

    def sparse(sp_input: Any, axis: Any = None, keepdims: Any = None, reduction_axes: Any = None, keep_dims: Any = None) -> SparseTensor:
        sp = as_sparse(sp_input)
        return SparseTensor(
            *apply_op(
                f"SparseReduce{kind}Sparse",
                None,
                **_named(sp),
                reduction_axes=axes(sp, axis, reduction_axes),
                keep_dims=keep(keepdims, keep_dims),
            )
        )

    return dense, sparse


sparse_reduce_max, sparse_reduce_max_sparse = _reduction("Max")
sparse_reduce_sum, sparse_reduce_sum_sparse = _reduction("Sum")
for _function, _name in (
    (sparse_reduce_max, "reduce_max"), (sparse_reduce_max_sparse, "reduce_max_sparse"), (sparse_reduce_sum, "reduce_sum"), (sparse_reduce_sum_sparse, "reduce_sum_sparse"),
):  # fmt: skip
    _function.__name__ = f"sparse_{_name}"
    export(f"sparse.{_name}", f"sparse_{_name}")(_function)


@export("sparse.to_dense", "sparse_tensor_to_dense")
def sparse_tensor_to_dense(sp_input: Any, default_value: Any = None, validate_indices: bool = True, name: str | None = None) -> Any:
    sp = as_sparse(sp_input)
    if default_value is None:
        default_value = array_ops.zeros([], sp.dtype)
    return apply_op(
        "SparseToDense",
        name,
        sparse_indices=sp.indices,
        output_shape=sp.dense_shape,
        sparse_values=sp.values,
        default_value=default_value,
        validate_indices=validate_indices,
    )


@export("sparse_to_dense")
def sparse_to_dense(
    sparse_indices: Any,
    output_shape: Any,
    sparse_values: Any,
    default_value: Any = 0,
    validate_indices: bool = True,
    name: str | None = None,
) -> Any:
    return apply_op(
        "SparseToDense",
        name,
        sparse_indices=sparse_indices,
        output_shape=output_shape,
        sparse_values=sparse_values,
        default_value=default_value,
        validate_indices=validate_indices,
    )


@export("sparse.to_indicator", "sparse_to_indicator")
def sparse_to_indicator(sp_input: Any, vocab_size: Any, name: str | None = None) -> Any:
    sp = as_sparse(sp_input)
    with name_scope(name, "SparseToIndicator", [sp.indices]) as scope:
        count = array_ops.shape(sp.indices)[0]
        trues = array_ops.fill(array_ops.expand_dims(count, 0), True)
        merged = _merge(sp, SparseTensor(sp.indices, trues, sp.dense_shape), vocab_size, scope, False)
        return sparse_tensor_to_dense(merged, default_value=False, validate_indices=False, name=scope)


@export("sparse.merge", "sparse_merge")
def sparse_merge(sp_ids: Any, sp_values: Any, vocab_size: Any, name: str | None = None, already_sorted: bool = False) -> SparseTensor:
    return _merge(sp_ids, sp_values, vocab_size, name, already_sorted)


def _merge(sp_ids: Any, sp_values: Any, vocab_size: Any, name: str | None, already_sorted: bool) -> SparseTensor:
    if is_sparse(sp_ids):
        sp_ids, vocab_size = [sp_ids], [vocab_size]
    if len(sp_ids) != len(vocab_size):
        raise ValueError("sp_ids and vocab_size have to have equal lengths.")
    with name_scope(name, "SparseMerge"):
        sp_ids = [as_sparse(s) for s in sp_ids]
        sp_values = as_sparse(sp_values)
        ids = [array_ops.expand_dims(s.values if s.dtype is int64 else math_ops.cast(s.values, int64), axis=1) for s in sp_ids]
        sizes = [math_ops.cast(v, int64) for v in vocab_size]
        indices = array_ops.concat([sp_ids[0].indices[:, :-1], *ids], 1)
        shape = array_ops.concat([sp_ids[0].dense_shape[:-1], sizes], 0)
        result = SparseTensor(indices, sp_values.values, shape)
        if already_sorted:
            return result
        ordered = sparse_reorder(result)
        return SparseTensor(ordered.indices, ordered.values, shape)


@export("sparse.retain", "sparse_retain")
def sparse_retain(sp_input: Any, to_retain: Any) -> SparseTensor:
    sp = as_sparse(sp_input)
    to_retain = convert_to_tensor(to_retain)
    to_retain.shape.assert_has_rank(1)
    where_true = array_ops.reshape(array_ops.where(to_retain), [-1])
    return SparseTensor(
        array_ops.gather(sp.indices, where_true), array_ops.gather(sp.values, where_true), array_ops.identity(sp.dense_shape)
    )


@export("sparse.reset_shape", "sparse_reset_shape")
def sparse_reset_shape(sp_input: Any, new_shape: Any = None) -> SparseTensor:
    """The same values in the tightest shape, or in `new_shape`, which must not be smaller."""
    sp = as_sparse(sp_input)
    indices, values, shape = (array_ops.identity(t) for t in (sp.indices, sp.values, sp.dense_shape))
    if new_shape is None:
        low = math_ops.reduce_max(indices, axis=0)
        return SparseTensor(
            indices, values, apply_op("Maximum", None, x=constant(0, int64), y=apply_op("Add", None, x=low, y=array_ops.ones_like(shape)))
        )
    wanted = math_ops.cast(convert_to_tensor(new_shape), int64)
    wanted.shape.assert_has_rank(1)
    known = constant_value(wanted)
    if known is not None and sp.shape.is_fully_defined():
        if not (np.array(sp.shape.as_list()) <= known).all():
            raise ValueError(
                f"Requested new_shape should have dimension sizes >= sp_input.shape.  Found new_shape ({np.array(sp.shape.as_list())}), sp_input.shape ({known})."
            )
        return SparseTensor(indices, values, known)
    from runtime.tf1.control_flow_ops import with_dependencies
    from runtime.tf1.modules import lookup

    wanted = with_dependencies([lookup("assert_equal")(array_ops.shape(shape), array_ops.shape(wanted))], wanted)
    wanted = with_dependencies([lookup("assert_less_equal")(shape, wanted)], wanted)
    return SparseTensor(indices, values, wanted)


@export("sparse.fill_empty_rows", "sparse_fill_empty_rows")
def sparse_fill_empty_rows(sp_input: Any, default_value: Any, name: str | None = None) -> tuple[SparseTensor, Any]:
    sp = as_sparse(sp_input)
    with name_scope(name, "SparseFillEmptyRows", [sp.indices]):
        default_value = convert_to_tensor(default_value, sp.values.dtype)
        indices, values, is_empty, _ = apply_op(
            "SparseFillEmptyRows", None, indices=sp.indices, values=sp.values, dense_shape=sp.dense_shape, default_value=default_value
        )
        return SparseTensor(indices, values, sp.dense_shape), is_empty


@export("serialize_sparse", "io.serialize_sparse")
def serialize_sparse(sp_input: Any, name: str | None = None, out_type: Any = string) -> Any:
    sp = as_sparse(sp_input)
    return apply_op(
        "SerializeSparse", name, sparse_indices=sp.indices, sparse_values=sp.values, sparse_shape=sp.dense_shape, out_type=out_type
    )


@export("serialize_many_sparse", "io.serialize_many_sparse")
def serialize_many_sparse(sp_input: Any, name: str | None = None, out_type: Any = string) -> Any:
    sp = as_sparse(sp_input)
    return apply_op(
        "SerializeManySparse", name, sparse_indices=sp.indices, sparse_values=sp.values, sparse_shape=sp.dense_shape, out_type=out_type
    )


@export("deserialize_many_sparse", "io.deserialize_many_sparse")
def deserialize_many_sparse(serialized_sparse: Any, dtype: Any, rank: int | None = None, name: str | None = None) -> SparseTensor:
    indices, values, shape = apply_op("DeserializeManySparse", name, serialized_sparse=serialized_sparse, dtype=as_dtype(dtype))
    indices.set_shape([None, rank])
    shape.set_shape([rank])
    return SparseTensor(indices, values, shape)


@export("sparse.sparse_dense_matmul", "sparse.matmul", "sparse_tensor_dense_matmul")
def sparse_tensor_dense_matmul(sp_a: Any, b: Any, adjoint_a: bool = False, adjoint_b: bool = False, name: str | None = None) -> Any:
    sp = as_sparse(sp_a)
    with name_scope(name, "SparseTensorDenseMatMul", [sp.indices]):
        b = convert_to_tensor(b, name="b")
        return apply_op("SparseTensorDenseMatMul", None, **_named(sp, "a_"), b=b, adjoint_a=adjoint_a, adjoint_b=adjoint_b)


@export("sparse.softmax", "sparse_softmax")
def sparse_softmax(sp_input: Any, name: str | None = None) -> SparseTensor:
    with name_scope(name, "SparseSoftmax", [sp_input.indices]):
        values = apply_op("SparseSoftmax", None, sp_indices=sp_input.indices, sp_values=sp_input.values, sp_shape=sp_input.dense_shape)
        return SparseTensor(sp_input.indices, values, sp_input.dense_shape)


def _extreme(op_type: str, a: Any, b: Any, name: str | None) -> SparseTensor:
    with name_scope(name, op_type, [a.indices]) as scope:
        indices, values = apply_op(op_type, scope, **_named(a, "a_"), **_named(b, "b_"))
    return SparseTensor(indices, values, a.dense_shape)


@export("sparse.maximum", "sparse_maximum")
def sparse_maximum(sp_a: Any, sp_b: Any, name: str | None = None) -> SparseTensor:
    return _extreme("SparseSparseMaximum", sp_a, sp_b, name)


@export("sparse.minimum", "sparse_minimum")
def sparse_minimum(sp_a: Any, sp_b: Any, name: str | None = None) -> SparseTensor:
    return _extreme("SparseSparseMinimum", sp_a, sp_b, name)


@export("sparse.transpose", "sparse_transpose")
def sparse_transpose(sp_input: Any, perm: Any = None, name: str | None = None) -> SparseTensor:
    with name_scope(name, "SparseTranspose", [sp_input.indices]):
        given = perm
        if perm is None:
            rank = array_ops.rank(sp_input)
            perm = (rank - 1) - math_ops.range(0, rank, 1)
        indices = array_ops.transpose(array_ops.gather(array_ops.transpose(sp_input.indices), perm))
        known = None if given is None else constant_value(convert_to_tensor(given))
        if known is not None and sp_input.shape.is_fully_defined():
            dims = sp_input.shape.as_list()
            shape: Any = [dims[int(p)] for p in known]
        else:
            shape = array_ops.gather(sp_input.dense_shape, perm)
        return sparse_reorder(SparseTensor(indices, sp_input.values, shape))


@export("sparse.mask", "sparse_mask")
def sparse_mask(a: Any, mask_indices: Any, name: str | None = None) -> Any:
    """IndexedSlices without the rows in `mask_indices`."""
    from graphtools.gradients import IndexedSlices

    with name_scope(name, "sparse_mask", [a.indices, mask_indices]) as scope:
        indices, to_gather = array_ops.setdiff1d(a.indices, mask_indices)
        return IndexedSlices(array_ops.gather(a.values, to_gather, name=scope), indices, a.dense_shape)


def _sets(kind: str) -> Any:
    def operation(a: Any, b: Any, validate_indices: bool = True) -> SparseTensor:
        a, b = (x if is_sparse(x) else convert_to_tensor(x, name=n) for x, n in ((a, "a"), (b, "b")))
        if is_sparse(b) and is_sparse(a):
            result = apply_op(
                "SparseToSparseSetOperation", None, set1_indices=a.indices, set1_values=a.values, set1_shape=a.dense_shape, set2_indices=b.indices, set2_values=b.values,
                set2_shape=b.dense_shape, set_operation=kind, validate_indices=validate_indices,
            )  # fmt: skip
        elif is_sparse(b):
            result = apply_op(
                "DenseToSparseSetOperation",
                None,
                set1=a,
                set2_indices=b.indices,
                set2_values=b.values,
                set2_shape=b.dense_shape,
                set_operation=kind,
                validate_indices=validate_indices,
            )
        elif is_sparse(a):
            raise TypeError("The first set is a SparseTensor and the second dense; swap them, or make both sparse.")
        else:
            result = apply_op("DenseToDenseSetOperation", None, set1=a, set2=b, set_operation=kind, validate_indices=validate_indices)
        return SparseTensor(*result)

    return operation


@export("sets.size", "sets.set_size")
def set_size(a: Any, validate_indices: bool = True) -> Any:
    sp = as_sparse(a)
    return apply_op(
        "SetSize", None, set_indices=sp.indices, set_values=sp.values, set_shape=sp.dense_shape, validate_indices=validate_indices
    )


export("sets.intersection", "sets.set_intersection")(_sets("intersection"))
export("sets.union", "sets.set_union")(_sets("union"))


@export("sets.difference", "sets.set_difference")
def set_difference(a: Any, b: Any, aminusb: bool = True, validate_indices: bool = True) -> SparseTensor:
    swapped = not aminusb and not (is_sparse(b) and not is_sparse(a))
    first, second = (b, a) if swapped else (a, b)
    result: SparseTensor = _sets("a-b" if aminusb or swapped else "b-a")(first, second, validate_indices)
    return result
