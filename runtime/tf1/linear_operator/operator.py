"""The base of linear operators, and their algebra: products, solutions, adjoints, inverses and Cholesky factors of operators."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import Dimension, TensorShape

tf: Any = module("")


def as_tensor(value: Any, name: str | None = None, dtype: Any = None) -> Any:
    """A tensor; a variable stays what it is, so that it is read where it is used."""
    return value if value is None or hasattr(value, "_ref") else tf.convert_to_tensor(value, dtype=dtype, name=name)


def not_a_variable(x: Any, name: str) -> None:
    if hasattr(x, "_ref"):
        raise TypeError(f"Argument {name} cannot be reference type. Found: {type(x)}")


def shape_tensor(shape: Any, name: str | None = None) -> Any:
    dtype = tf.int32 if isinstance(shape, list | tuple) and not shape else None
    return tf.convert_to_tensor(shape, dtype=dtype, name=name)


def adjoint(x: Any) -> Any:
    return tf.linalg.adjoint(x)


def with_dependencies(checks: list[Any], x: Any) -> Any:
    from runtime.tf1 import control_flow_ops

    return control_flow_ops.with_dependencies(checks, x)


def assert_no_entries_with_modulus_zero(x: Any, message: str | None = None) -> Any:
    with tf.name_scope("assert_no_entries_with_modulus_zero", values=[x]):
        x = tf.convert_to_tensor(x, name="x")
        size = tf.abs(x)
        return tf.assert_less(tf.convert_to_tensor(0, dtype=x.dtype.base_dtype.real_dtype), size, message=message)


def assert_zero_imag_part(x: Any, message: str | None = None) -> Any:
    with tf.name_scope("assert_zero_imag_part", values=[x]):
        x = tf.convert_to_tensor(x, name="x")
        if x.dtype.base_dtype.is_floating:
            return tf.no_op()
        zero = tf.convert_to_tensor(0, dtype=x.dtype.base_dtype.real_dtype)
        return tf.assert_equal(zero, tf.imag(x), message=message)


def assert_compatible_matrix_dimensions(operator: Any, x: Any) -> Any:
    message = "Dimensions are not compatible.  shape[-2] of argument to be the same as this operator"
    return tf.assert_equal(tf.shape(x)[-2], operator.domain_dimension_tensor(), message=message)


def broadcast_matrix_batch_dims(matrices: Any, name: str | None = None) -> list[Any]:
    with tf.name_scope(name or "broadcast_matrix_batch_dims", values=matrices):
        made = [tf.convert_to_tensor(m) for m in matrices]
        for m in made:
            if m.get_shape().ndims is not None and m.get_shape().ndims < 2:
                raise ValueError(f"Expected [batch] matrix to have at least two dimensions.  Found: {m}")
        if len(made) < 2:
            return made
        batch = made[0].get_shape()[:-2]
        for m in made[1:]:
            batch = tf.broadcast_static_shape(batch, m.get_shape()[:-2])
        if batch.is_fully_defined():
            for i, m in enumerate(made):
                if m.get_shape()[:-2] != batch:
                    made[i] = tf.broadcast_to(m, tf.concat([batch.as_list(), tf.shape(m)[-2:]], axis=0))
            return made
        shape = tf.shape(made[0])[:-2]
        for m in made[1:]:
            shape = tf.broadcast_dynamic_shape(shape, tf.shape(m)[:-2])
        return [tf.broadcast_to(m, tf.concat([shape, tf.shape(m)[-2:]], axis=0)) for m in made]


def cholesky_solve(chol: Any, rhs: Any, name: str | None = None) -> Any:
    with tf.name_scope(name, "CholeskySolveWithBroadcast", [chol, rhs]):
        chol, rhs = broadcast_matrix_batch_dims([chol, rhs])
        return tf.cholesky_solve(chol, rhs)


def matrix_solve(matrix: Any, rhs: Any, adjoint: bool = False, name: str | None = None) -> Any:
    with tf.name_scope(name, "MatrixSolveWithBroadcast", [matrix, rhs]):
        matrix = tf.convert_to_tensor(matrix, name="matrix")
        rhs = tf.convert_to_tensor(rhs, name="rhs", dtype=matrix.dtype)
        matrix, rhs, restore, turned = _flattened(matrix, rhs, adjoint)
        matrix, rhs = broadcast_matrix_batch_dims([matrix, rhs])
        return restore(tf.matrix_solve(matrix, rhs, adjoint=adjoint and not turned))


def triangular_solve(matrix: Any, rhs: Any, lower: bool = True, adjoint: bool = False, name: str | None = None) -> Any:
    with tf.name_scope(name, "MatrixTriangularSolve", [matrix, rhs]):
        matrix = tf.convert_to_tensor(matrix, name="matrix")
        rhs = tf.convert_to_tensor(rhs, name="rhs", dtype=matrix.dtype)
        matrix, rhs, restore, turned = _flattened(matrix, rhs, adjoint)
        if turned and adjoint:
            lower = not lower
        matrix, rhs = broadcast_matrix_batch_dims([matrix, rhs])
        return restore(tf.matrix_triangular_solve(matrix, rhs, lower=lower, adjoint=adjoint and not turned))


def _flattened(a: Any, b: Any, adjoint_a: bool) -> tuple[Any, Any, Callable[[Any], Any], bool]:
    """Right-hand sides with more batch dimensions than the matrix as more columns; how to undo that; whether `a` was turned."""
    dims_a, dims_b = a.get_shape(), b.get_shape()

    def same(x: Any) -> Any:
        return x

    if dims_a.ndims is None or dims_b.ndims is None or dims_a.ndims >= dims_b.ndims:
        return a, b, same, False
    extra = dims_b.ndims - dims_a.ndims
    outer = tf.shape(b)[:extra]
    main = tf.shape(b)[extra:]
    domain, equations = dims_a[-2 if adjoint_a else -1].value, dims_b[-1].value
    count = int(np.prod(dims_b[:extra].as_list())) if dims_b[:extra].is_fully_defined() else None
    if domain is not None and equations is not None and count is not None and (count < 2 or domain <= equations):
        return a, b, same, False
    if adjoint_a:
        a = adjoint(a)
    outer = tf.shape(b)[:extra]
    main = tf.shape(b)[extra:]
    perm = np.concatenate((np.arange(extra, dims_b.ndims), np.arange(0, extra)), 0)
    columns = tf.reshape(tf.transpose(b, perm=perm), tf.concat((main[:-1], [-1]), 0))

    def restore(y: Any) -> Any:
        y = tf.reshape(y, tf.concat((tf.shape(y)[:-1], [main[-1]], outer), 0))
        return tf.transpose(y, perm=np.argsort(perm))

    return a, columns, restore, True


def hint_of(operator: Any, attribute: str, given: bool | None, message: str) -> bool | None:
    """A hint that follows from an operator's, or the given one; ValueError when they contradict each other."""
    known = getattr(operator, attribute)
    if (known is False and given) or (known and given is False):
        raise ValueError(message)
    return True if known or given else False if known is False or given is False else None


@export("linalg.LinearOperator")
class LinearOperator:
    """A subclass says `_shape`, `_shape_tensor` and `_matmul`; what it does not say is done with the dense matrix."""

    def __init__(
        self, dtype: Any, graph_parents: Any = None, is_non_singular: bool | None = None, is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None, is_square: bool | None = None, name: str | None = None,
    ) -> None:  # fmt: skip
        if is_positive_definite:
            if is_non_singular is False:
                raise ValueError("A positive definite matrix is always non-singular.")
            is_non_singular = True
        for hint, kind in ((is_non_singular, "non-singular"), (is_self_adjoint, "self-adjoint")):
            if hint:
                if is_square is False:
                    raise ValueError(f"A {kind} matrix is always square.")
                is_square = True
        self._is_square_hint = is_square
        parents = list(graph_parents or [])
        for i, t in enumerate(parents):
            if t is None or not (hasattr(t, "_ref") or hasattr(t, "get_shape")):
                raise ValueError(f"Graph parent item {i} is not a Tensor; {t}.")
        self._dtype = tf.as_dtype(dtype).base_dtype if dtype else dtype
        self._graph_parents, self._is_non_singular, self._is_self_adjoint = parents, is_non_singular, is_self_adjoint
        self._is_positive_definite, self._name = is_positive_definite, name or type(self).__name__

    dtype = property(lambda self: self._dtype)
    name = property(lambda self: self._name)
    graph_parents = property(lambda self: self._graph_parents)
    is_non_singular = property(lambda self: self._is_non_singular)
    is_self_adjoint = property(lambda self: self._is_self_adjoint)
    is_positive_definite = property(lambda self: self._is_positive_definite)

    @contextlib.contextmanager
    def _name_scope(self, name: str | None = None) -> Iterator[str]:
        with tf.name_scope(self.name if name is None else f"{self.name}/{name}") as scope:
            yield scope

    @property
    def is_square(self) -> Any:
        domain, range_ = self.domain_dimension.value, self.range_dimension.value
        same = None if domain is None or range_ is None else domain == range_
        if self._is_square_hint is False and same:
            raise ValueError("User set is_square hint to False, but the operator was square.")
        return same if self._is_square_hint is None else self._is_square_hint

    # -- shapes ---------------------------------------------------------------------------------------------------

    def _shape(self) -> Any:
        raise NotImplementedError("_shape is not implemented.")

    def _shape_tensor(self) -> Any:
        raise NotImplementedError("_shape_tensor is not implemented.")

    @property
    def shape(self) -> TensorShape:
        return TensorShape(self._shape())

    def shape_tensor(self, name: str = "shape_tensor") -> Any:
        with self._name_scope(name):
            return shape_tensor(self.shape.as_list()) if self.shape.is_fully_defined() else self._shape_tensor()

    @property
    def batch_shape(self) -> TensorShape:
        return self.shape[:-2]

    def batch_shape_tensor(self, name: str = "batch_shape_tensor") -> Any:
        with self._name_scope(name):
            if self.batch_shape.is_fully_defined():
                return shape_tensor(self.batch_shape.as_list(), name="batch_shape")
            return self.shape_tensor()[:-2]

    @property
    def tensor_rank(self) -> int | None:
        with self._name_scope("tensor_rank"):
            return self.shape.ndims

    def tensor_rank_tensor(self, name: str = "tensor_rank_tensor") -> Any:
        with self._name_scope(name):
            return tf.size(self.shape_tensor()) if self.tensor_rank is None else tf.convert_to_tensor(self.tensor_rank)

    @property
    def domain_dimension(self) -> Dimension:
        return Dimension(None) if self.shape.ndims is None else self.shape[-1]

    @property
    def range_dimension(self) -> Dimension:
        return self.shape[-2] if self.shape.ndims else Dimension(None)

    def domain_dimension_tensor(self, name: str = "domain_dimension_tensor") -> Any:
        with self._name_scope(name):
            size = self.domain_dimension.value
            return self.shape_tensor()[-1] if size is None else tf.convert_to_tensor(size)

    def range_dimension_tensor(self, name: str = "range_dimension_tensor") -> Any:
        with self._name_scope(name):
            size = self.range_dimension.value
            return self.shape_tensor()[-2] if size is None else tf.convert_to_tensor(size)

    # -- checks -----------------------------------------------------------------------------------------------------

    def _assert_non_singular(self) -> Any:
        if self._can_use_cholesky():
            return self.assert_positive_definite()
        values = tf.svd(self.to_dense(), compute_uv=False)
        condition = tf.reduce_max(values, axis=-1) / tf.reduce_min(values, axis=-1)
        with tf.name_scope("max_nonsingular_condition_number"):
            epsilon = np.finfo(self.dtype.as_numpy_dtype).eps
            sizes = [100.0, tf.cast(self.range_dimension_tensor(), self.dtype), tf.cast(self.domain_dimension_tensor(), self.dtype)]
            most = 1.0 / (tf.cast(tf.reduce_max(sizes), self.dtype) * epsilon)
        return tf.assert_less(condition, most, message="Singular matrix up to precision epsilon.")

    def assert_non_singular(self, name: str = "assert_non_singular") -> Any:
        with self._name_scope(name):
            return self._assert_non_singular()

    def _assert_positive_definite(self) -> Any:
        if not self.is_self_adjoint:
            raise NotImplementedError("assert_positive_definite is not implemented.")
        return tf.assert_positive(tf.matrix_diag_part(tf.cholesky(self.to_dense())), message="Matrix was not positive definite.")

    def assert_positive_definite(self, name: str = "assert_positive_definite") -> Any:
        with self._name_scope(name):
            return self._assert_positive_definite()

    def _assert_self_adjoint(self) -> Any:
        dense = self.to_dense()
        return tf.assert_equal(dense, adjoint(dense), message="Matrix was not equal to its adjoint.")

    def assert_self_adjoint(self, name: str = "assert_self_adjoint") -> Any:
        with self._name_scope(name):
            return self._assert_self_adjoint()

    def _check_input_dtype(self, arg: Any) -> None:
        if arg.dtype.base_dtype != self.dtype:
            raise TypeError(f"Expected argument to have dtype {self.dtype}.  Found: {arg.dtype} in tensor {arg}")

    # -- products and solutions ---------------------------------------------------------------------------------------

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        raise NotImplementedError("_matmul is not implemented.")

    def _operands(self, x: Any, adjoint: bool, adjoint_arg: bool, what: str) -> tuple[Any, Any]:
        left = self.adjoint() if adjoint else self
        right = x.adjoint() if adjoint_arg else x
        sizes = right.range_dimension.value, left.domain_dimension.value
        if None not in sizes and sizes[0] != sizes[1]:
            raise ValueError(f"Operators are incompatible. Expected `{what}` to have dimension {sizes[1]} but got {sizes[0]}.")
        return left, right

    def matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False, name: str = "matmul") -> Any:
        if isinstance(x, LinearOperator):
            left, right = self._operands(x, adjoint, adjoint_arg, "x")
            with self._name_scope(name):
                return algebra("matmul", left, right)
        with self._name_scope(name):
            x = tf.convert_to_tensor(x, name="x")
            self._check_input_dtype(x)
            self._fits(-2 if adjoint else -1, x, -1 if adjoint_arg else -2)
            return self._matmul(x, adjoint=adjoint, adjoint_arg=adjoint_arg)

    def __matmul__(self, other: Any) -> Any:
        return self.matmul(other)

    def _fits(self, own: int, x: Any, of_x: int) -> None:
        mine = self.shape
        if mine.ndims is not None and x.get_shape().ndims is not None:
            Dimension(mine[own]).assert_is_compatible_with(x.get_shape()[of_x])

    def _matvec(self, x: Any, adjoint: bool = False) -> Any:
        return tf.squeeze(self.matmul(tf.expand_dims(x, axis=-1), adjoint=adjoint), axis=-1)

    def matvec(self, x: Any, adjoint: bool = False, name: str = "matvec") -> Any:
        with self._name_scope(name):
            x = tf.convert_to_tensor(x, name="x")
            self._check_input_dtype(x)
            self._fits(-2 if adjoint else -1, x, -1)
            return self._matvec(x, adjoint=adjoint)

    def _determinant(self) -> Any:
        return tf.exp(self.log_abs_determinant()) if self._can_use_cholesky() else tf.matrix_determinant(self.to_dense())

    def _square_only(self, error: str) -> None:
        if self.is_square is False:
            raise NotImplementedError(error)

    def determinant(self, name: str = "det") -> Any:
        self._square_only("Determinant not implemented for an operator that is expected to not be square.")
        with self._name_scope(name):
            return self._determinant()

    def _log_abs_determinant(self) -> Any:
        if self._can_use_cholesky():
            return 2 * tf.reduce_sum(tf.log(tf.matrix_diag_part(tf.cholesky(self.to_dense()))), axis=[-1])
        return tf.linalg.slogdet(self.to_dense())[1]

    def log_abs_determinant(self, name: str = "log_abs_det") -> Any:
        self._square_only("Determinant not implemented for an operator that is expected to not be square.")
        with self._name_scope(name):
            return self._log_abs_determinant()

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        self._square_only("Solve is not yet implemented for non-square operators.")
        rhs = tf.linalg.adjoint(rhs) if adjoint_arg else rhs
        if self._can_use_cholesky():
            return cholesky_solve(tf.cholesky(self.to_dense()), rhs)
        return matrix_solve(self.to_dense(), rhs, adjoint=adjoint)

    def solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False, name: str = "solve") -> Any:
        if self.is_non_singular is False:
            raise NotImplementedError("Exact solve not implemented for an operator that is expected to be singular.")
        self._square_only("Exact solve not implemented for an operator that is expected to not be square.")
        if isinstance(rhs, LinearOperator):
            left, right = self._operands(rhs, adjoint, adjoint_arg, "rhs")
            with self._name_scope(name):
                return algebra("solve", left, right)
        with self._name_scope(name):
            rhs = tf.convert_to_tensor(rhs, name="rhs")
            self._check_input_dtype(rhs)
            self._fits(-1 if adjoint else -2, rhs, -1 if adjoint_arg else -2)
            return self._solve(rhs, adjoint=adjoint, adjoint_arg=adjoint_arg)

    def _solvevec(self, rhs: Any, adjoint: bool = False) -> Any:
        return tf.squeeze(self.solve(tf.expand_dims(rhs, axis=-1), adjoint=adjoint), axis=-1)

    def solvevec(self, rhs: Any, adjoint: bool = False, name: str = "solve") -> Any:
        with self._name_scope(name):
            rhs = tf.convert_to_tensor(rhs, name="rhs")
            self._check_input_dtype(rhs)
            self._fits(-1 if adjoint else -2, rhs, -1)
            return self._solvevec(rhs, adjoint=adjoint)

    def adjoint(self, name: str = "adjoint") -> Any:
        if self.is_self_adjoint is True:
            return self
        with self._name_scope(name):
            return algebra("adjoint", self)

    @property
    def H(self) -> Any:
        return self.adjoint()

    def inverse(self, name: str = "inverse") -> Any:
        if self.is_square is False:
            raise ValueError("Cannot take the Inverse: This operator represents a non square matrix.")
        if self.is_non_singular is False:
            raise ValueError("Cannot take the Inverse: This operator represents a singular matrix.")
        with self._name_scope(name):
            return algebra("inverse", self)

    def cholesky(self, name: str = "cholesky") -> Any:
        if not self._can_use_cholesky():
            raise ValueError("Cannot take the Cholesky decomposition: Not a positive definite self adjoint matrix.")
        with self._name_scope(name):
            return algebra("cholesky", self)

    # -- the matrix itself ----------------------------------------------------------------------------------------------

    def _to_dense(self) -> Any:
        batch = self.batch_shape.as_list() if self.batch_shape.is_fully_defined() else self.batch_shape_tensor()
        size = self.domain_dimension.value
        n = self.domain_dimension_tensor() if size is None else size
        return self.matmul(tf.eye(num_rows=n, batch_shape=batch, dtype=self.dtype))

    def to_dense(self, name: str = "to_dense") -> Any:
        with self._name_scope(name):
            return self._to_dense()

    def _diag_part(self) -> Any:
        return tf.matrix_diag_part(self.to_dense())

    def diag_part(self, name: str = "diag_part") -> Any:
        with self._name_scope(name):
            return self._diag_part()

    def _trace(self) -> Any:
        return tf.reduce_sum(self.diag_part(), axis=-1)

    def trace(self, name: str = "trace") -> Any:
        with self._name_scope(name):
            return self._trace()

    def _add_to_tensor(self, x: Any) -> Any:
        return self.to_dense() + x

    def add_to_tensor(self, x: Any, name: str = "add_to_tensor") -> Any:
        with self._name_scope(name):
            x = tf.convert_to_tensor(x, name="x")
            self._check_input_dtype(x)
            return self._add_to_tensor(x)

    def _can_use_cholesky(self) -> Any:
        return self.is_self_adjoint and self.is_positive_definite


# -- algebra -----------------------------------------------------------------------------------------------------------

_RULES: dict[tuple[str, tuple[type, ...]], Callable[..., Any]] = {}


def rule(operation: str, *kinds: type) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare what an operation gives for operators of these classes; the nearest classes win."""

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        _RULES[operation, kinds] = function
        return function

    return declare


def algebra(operation: str, *operators: LinearOperator) -> Any:
    """The result of an operation on operators, as an operator."""
    lines = [type(o).__mro__ for o in operators]
    places = (
        [(i,) for i in range(len(lines[0]))] if len(lines) == 1 else [(i, j) for i in range(len(lines[0])) for j in range(len(lines[1]))]
    )
    for place in sorted(places, key=lambda p: (sum(p), p)):
        kinds = tuple(line[i] for line, i in zip(lines, place, strict=True))
        if (operation, kinds) in _RULES:
            with tf.name_scope(operation.capitalize()):
                return _RULES[operation, kinds](*operators)
    raise ValueError(f"No {operation} registered for {' and '.join(type(o).__name__ for o in operators)}")
