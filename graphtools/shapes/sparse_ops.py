"""Static shapes of sparse, ragged and set ops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphtools.graph import Dims, Node
from graphtools.shapes import shape
from graphtools.shapes.dims import as_shape, elements, merge_dim, scalar, unknown, value, with_rank


def _rank(shape_dims: Dims) -> int | None:
    return shape_dims[0] if shape_dims is not None and len(shape_dims) == 1 else None


@shape("SparseToDense")
def sparse_to_dense(node: Node) -> Sequence[Dims]:
    return [as_shape(node, 1)]


@shape("SparseFillEmptyRows")
def sparse_fill_empty_rows(node: Node) -> Sequence[Dims]:
    indices = with_rank(node.inputs[0].dims, 2)
    merge_dim(indices[0], with_rank(node.inputs[1].dims, 1)[0])
    dense = value(node, 2)
    rank = merge_dim(indices[1], _rank(node.inputs[2].dims))
    return [(None, rank), (None,), (None if dense is None else int(dense[0]),), (indices[0],)]


@shape("SparseFillEmptyRowsGrad")
def sparse_fill_empty_rows_grad(node: Node) -> Sequence[Dims]:
    return [with_rank(node.inputs[0].dims, 1), ()]


@shape("SparseReshape")
def sparse_reshape(node: Node) -> Sequence[Dims]:
    indices = with_rank(node.inputs[0].dims, 2)
    return [(indices[0], _rank(node.inputs[2].dims)), (_rank(node.inputs[2].dims),)]


@shape("SparseReorder")
def sparse_reorder(node: Node) -> Sequence[Dims]:
    return [node.inputs[0].dims, node.inputs[1].dims]


@shape("SparseTensorDenseMatMul")
def sparse_tensor_dense_mat_mul(node: Node) -> Sequence[Dims]:
    dense_shape = as_shape(node, 2)
    b = with_rank(node.inputs[3].dims, 2)
    a = with_rank(dense_shape, 2)
    inner_a, rows = (a[0], a[1]) if node.attr["adjoint_a"] else (a[1], a[0])
    inner_b, columns = (b[1], b[0]) if node.attr["adjoint_b"] else (b[0], b[1])
    merge_dim(inner_a, inner_b)
    return [(rows, columns)]


@shape("SparseTensorDenseAdd")
def sparse_tensor_dense_add(node: Node) -> Sequence[Dims]:
    return [node.inputs[3].dims]


@shape("SparseDenseCwiseAdd", "SparseDenseCwiseDiv", "SparseDenseCwiseMul")
def sparse_dense_cwise(node: Node) -> Sequence[Dims]:
    return [(with_rank(node.inputs[0].dims, 2)[0],)]


@shape("SparseSoftmax")
def sparse_softmax(node: Node) -> Sequence[Dims]:
    return [node.inputs[1].dims]


@shape("SparseAdd")
def sparse_add(node: Node) -> Sequence[Dims]:
    return [(None, with_rank(node.inputs[0].dims, 2)[1]), (None,), (_rank(node.inputs[2].dims),)]


@shape("SparseAddGrad")
def sparse_add_grad(node: Node) -> Sequence[Dims]:
    return [(with_rank(node.inputs[1].dims, 2)[0],), (with_rank(node.inputs[2].dims, 2)[0],)]


@shape("SparseConcat")
def sparse_concat(node: Node) -> Sequence[Dims]:
    count = node.attr["N"]
    rows: int | None = 0
    rank: int | None = None
    for i in range(count):
        indices = with_rank(node.inputs[i].dims, 2)
        rows = None if rows is None or indices[0] is None else rows + indices[0]
        rank = merge_dim(merge_dim(rank, indices[1]), _rank(node.inputs[2 * count + i].dims))
    return [(rows, rank), (rows,), (rank,)]


@shape("SparseSplit")
def sparse_split(node: Node) -> Sequence[Dims]:
    rank = _rank(node.inputs[3].dims)
    count = node.attr["num_split"]
    return [*[(None, rank)] * count, *[(None,)] * count, *[(rank,)] * count]


@shape("SparseSlice")
def sparse_slice(node: Node) -> Sequence[Dims]:
    rank = _rank(node.inputs[2].dims)
    return [(None, rank), (None,), (rank,)]


@shape("SparseSliceGrad")
def sparse_slice_grad(node: Node) -> Sequence[Dims]:
    return [(with_rank(node.inputs[1].dims, 2)[0],)]


@shape("SparseReduceMaxSparse", "SparseReduceSumSparse")
def sparse_reduce_sparse(node: Node) -> Sequence[Dims]:
    return [None, None, None]


@shape("SparseSparseMaximum", "SparseSparseMinimum")
def sparse_sparse(node: Node) -> Sequence[Dims]:
    return [(None, None), (None,)]


@shape("SparseCross", "SparseFeatureCross", "SparseFeatureCrossV2")
def sparse_cross(node: Node) -> Sequence[Dims]:
    return [(None, 2), (None,), (2,)]


@shape("DenseToDenseSetOperation", "DenseToSparseSetOperation", "SparseToSparseSetOperation")
def set_operation(node: Node) -> Sequence[Dims]:
    if node.op == "SparseToSparseSetOperation":
        rank = _rank(node.inputs[2].dims)
        rank = rank if rank is not None else _rank(node.inputs[5].dims)
    else:
        rank = node.inputs[0].rank
        if rank is None and node.op == "DenseToDenseSetOperation":
            rank = node.inputs[1].rank
    return [(None, rank), (None,), (rank,)]


# -- ragged ------------------------------------------------------------------------------------------------------------


@shape("RaggedGather")
def ragged_gather(node: Node) -> Sequence[Dims]:
    count = node.attr["OUTPUT_RAGGED_RANK"]
    values = node.inputs[node.attr["PARAMS_RAGGED_RANK"]].dims
    indices = node.inputs[-1].dims
    first = None if indices is None else elements(indices)
    splits: list[Dims] = [(None,)] * count
    if indices is not None and len(indices) == 1 and count:
        splits[0] = (None if first is None else first + 1,)
    return [*splits, None if values is None else (None, *values[1:])]


@shape("RaggedTensorToSparse")
def ragged_tensor_to_sparse(node: Node) -> Sequence[Dims]:
    splits = node.attr["RAGGED_RANK"]
    values = node.inputs[-1].dims
    if values is None:
        return [(None, None), (None,), (None,)]
    return [(elements(values), splits + len(values)), (elements(values),), (splits + len(values),)]


@shape("RaggedTensorToTensor")
def ragged_tensor_to_tensor(node: Node) -> Sequence[Dims]:
    wanted = value(node, 0)
    values = node.inputs[1].dims
    kinds = node.attr["row_partition_types"]
    ragged = sum(k != "FIRST_DIM_SIZE" for k in kinds)
    rank = None if values is None else ragged + len(values)
    inferred = unknown(rank)
    if rank is not None and values is not None:
        inferred = (*(None,) * (ragged + 1), *values[1:])
        rows = node.inputs[3].dims
        if kinds and kinds[0] == "FIRST_DIM_SIZE":
            inferred = (scalar(node, 3), *inferred[1:])
        elif kinds and kinds[0] == "ROW_SPLITS" and rows and rows[0] is not None:
            inferred = (rows[0] - 1, *inferred[1:])
    if wanted is None or wanted.ndim == 0:
        return [inferred]
    given = tuple(None if d < 0 else int(d) for d in np.ravel(wanted))
    return [given if inferred is None else tuple(g if g is not None else i for g, i in zip(given, inferred, strict=False))]


@shape("RaggedTensorToVariant")
def ragged_tensor_to_variant(node: Node) -> Sequence[Dims]:
    if not node.attr["batched_input"]:
        return [()]
    splits = node.inputs[0].dims
    return [(None if not splits or splits[0] is None else splits[0] - 1,)]


@shape("RaggedTensorFromVariant")
def ragged_tensor_from_variant(node: Node) -> Sequence[Dims]:
    return [*[(None,)] * node.attr["output_ragged_rank"], None]


@shape("SerializeSparse")
def serialize_sparse(node: Node) -> Sequence[Dims]:
    return [(3,)]


@shape("SerializeManySparse")
def serialize_many_sparse(node: Node) -> Sequence[Dims]:
    return [(None, 3)]


@shape("DeserializeSparse", "DeserializeManySparse", "TakeManySparseFromTensorsMap")
def deserialize_sparse(node: Node) -> Sequence[Dims]:
    return [(None, None), (None,), (None,)]
