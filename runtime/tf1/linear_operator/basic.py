"""Identity, scaled identity, zero, diagonal, triangular and full matrices as operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.tf1.linear_operator.operator import (
    LinearOperator,
    as_tensor,
    assert_compatible_matrix_dimensions,
    assert_no_entries_with_modulus_zero,
    assert_zero_imag_part,
    not_a_variable,
    shape_tensor,
    triangular_solve,
    with_dependencies,
)
from runtime.tf1.linear_operator.operator import (
    adjoint as adjoint_of,
)
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.static_values import constant_value
from runtime.tf1.tensor_shape import TensorShape

tf: Any = module("")


class BaseLinearOperatorIdentity(LinearOperator):
    """A square operator that is told how many rows it has."""

    _assert_proper_shapes: bool

    def _set_rows(self, num_rows: Any) -> None:
        self._num_rows = shape_tensor(num_rows, name="num_rows")
        known = self._num_rows_static = constant_value(self._num_rows)
        if self._assert_proper_shapes:
            checks = [
                tf.assert_rank(self._num_rows, 0, message="Argument num_rows must be a 0-D Tensor."),
                tf.assert_non_negative(self._num_rows, message="Argument num_rows must be non-negative."),
            ]
            self._num_rows = with_dependencies(checks, self._num_rows)
        if not self._num_rows.dtype.is_integer:
            raise TypeError(f"Argument num_rows must be integer type.  Found: {self._num_rows}")
        if known is not None:
            if known.ndim != 0:
                raise ValueError(f"Argument num_rows must be a 0-D Tensor.  Found: {known}")
            if known < 0:
                raise ValueError(f"Argument num_rows must be non-negative.  Found: {known}")

    def _rows(self) -> int | None:
        return None if self._num_rows_static is None else int(self._num_rows_static)

    def _min_matrix_dim(self) -> int | None:
        sizes = self.domain_dimension.value, self.range_dimension.value
        return None if None in sizes else min(sizes)  # type: ignore[type-var]

    def _min_matrix_dim_tensor(self) -> Any:
        return tf.reduce_min(self.shape_tensor()[-2:])

    def _ones_diag(self) -> Any:
        if self.shape.is_fully_defined():
            shape: Any = [*self.batch_shape.as_list(), self._min_matrix_dim()]
        else:
            shape = tf.concat([self.batch_shape_tensor(), [self._min_matrix_dim_tensor()]], axis=0)
        return tf.ones(shape=shape, dtype=self.dtype)

    def _ones_batch(self) -> Any:
        known = self.batch_shape.is_fully_defined()
        return tf.ones(shape=self.batch_shape.as_list() if known else self.batch_shape_tensor(), dtype=self.dtype)

    def _checked(self, x: Any) -> Any:
        return with_dependencies([assert_compatible_matrix_dimensions(self, x)], x) if self._assert_proper_shapes else x


@export("linalg.LinearOperatorIdentity")
class LinearOperatorIdentity(BaseLinearOperatorIdentity):
    def __init__(
        self, num_rows: Any, batch_shape: Any = None, dtype: Any = None, is_non_singular: bool = True, is_self_adjoint: bool = True,
        is_positive_definite: bool = True, is_square: bool = True, assert_proper_shapes: bool = False, name: str = "LinearOperatorIdentity",
    ) -> None:  # fmt: skip
        self._assert_proper_shapes = assert_proper_shapes
        with tf.name_scope(name):
            hints = (
                (is_self_adjoint, "self adjoint"),
                (is_non_singular, "non-singular"),
                (is_positive_definite, "positive-definite"),
                (is_square, "square"),
            )
            for hint, kind in hints:
                if not hint:
                    raise ValueError(f"An identity operator is always {kind}.")
            super().__init__(
                tf.as_dtype(dtype or tf.float32), None, is_non_singular, is_self_adjoint, is_positive_definite, is_square, name
            )
            not_a_variable(num_rows, "num_rows")
            not_a_variable(batch_shape, "batch_shape")
            self._set_rows(num_rows)
            self._batch_shape_arg: Any = None
            if batch_shape is not None:
                self._set_batch(batch_shape)

    def _set_batch(self, batch_shape: Any) -> None:
        self._batch_shape_arg = shape_tensor(batch_shape, name="batch_shape_arg")
        known = self._batch_shape_static = constant_value(self._batch_shape_arg)
        if self._assert_proper_shapes:
            checks = [
                tf.assert_rank(self._batch_shape_arg, 1, message="Argument batch_shape must be a 1-D Tensor."),
                tf.assert_non_negative(self._batch_shape_arg, message="Argument batch_shape must be non-negative."),
            ]
            self._batch_shape_arg = with_dependencies(checks, self._batch_shape_arg)
        if not self._batch_shape_arg.dtype.is_integer:
            raise TypeError(f"Argument batch_shape must be integer type.  Found: {self._batch_shape_arg}")
        if known is not None:
            if known.ndim != 1:
                raise ValueError(f"Argument batch_shape must be a 1-D Tensor.  Found: {known}")
            if np.any(known < 0):
                raise ValueError(f"Argument batch_shape must be non-negative.  Found:{known}")

    def _shape(self) -> Any:
        matrix = TensorShape([self._rows(), self._rows()])
        if self._batch_shape_arg is None:
            return matrix
        return TensorShape(None if self._batch_shape_static is None else self._batch_shape_static.tolist()).concatenate(matrix)

    def _shape_tensor(self) -> Any:
        matrix = tf.stack((self._num_rows, self._num_rows), axis=0)
        return matrix if self._batch_shape_arg is None else tf.concat((self._batch_shape_arg, matrix), 0)

    def _assert_non_singular(self) -> Any:
        return tf.no_op("assert_non_singular")

    def _assert_positive_definite(self) -> Any:
        return tf.no_op("assert_positive_definite")

    def _assert_self_adjoint(self) -> Any:
        return tf.no_op("assert_self_adjoint")

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        x = self._checked(adjoint_of(x) if adjoint_arg else x)
        if self._batch_shape_arg is None:
            return x
        special = self.batch_shape.concatenate([1, 1])
        wide = tf.broadcast_static_shape(x.get_shape(), special)
        if special.is_fully_defined():
            return x if wide == x.get_shape() else x + tf.zeros(shape=special.as_list(), dtype=self.dtype)
        shape = tf.concat((self.batch_shape_tensor(), [1, 1]), 0)
        return x + tf.zeros(shape=shape, dtype=self.dtype)

    def _determinant(self) -> Any:
        return tf.ones(shape=self.batch_shape_tensor(), dtype=self.dtype)

    def _log_abs_determinant(self) -> Any:
        return tf.zeros(shape=self.batch_shape_tensor(), dtype=self.dtype)

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        return self._matmul(rhs, adjoint_arg=adjoint_arg)

    def _trace(self) -> Any:
        ones = self._ones_batch()
        size = self._min_matrix_dim()
        return size * ones if size is not None else tf.cast(self._min_matrix_dim_tensor(), self.dtype) * ones

    def _diag_part(self) -> Any:
        return self._ones_diag()

    def add_to_tensor(self, mat: Any, name: str = "add_to_tensor") -> Any:
        with self._name_scope(name):
            mat = tf.convert_to_tensor(mat, name="mat")
            return tf.matrix_set_diag(mat, 1 + tf.matrix_diag_part(mat))


@export("linalg.LinearOperatorScaledIdentity")
class LinearOperatorScaledIdentity(BaseLinearOperatorIdentity):
    def __init__(
        self, num_rows: Any, multiplier: Any, is_non_singular: bool | None = None, is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None, is_square: bool = True, assert_proper_shapes: bool = False,
        name: str = "LinearOperatorScaledIdentity",
    ) -> None:  # fmt: skip
        self._assert_proper_shapes = assert_proper_shapes
        with tf.name_scope(name, values=[multiplier, num_rows]):
            self._multiplier = as_tensor(multiplier, "multiplier")
            if not self._multiplier.dtype.is_complex:
                if is_self_adjoint is False:
                    raise ValueError("A real diagonal operator is always self adjoint.")
                is_self_adjoint = True
            if not is_square:
                raise ValueError("A ScaledIdentity operator is always square.")
            not_a_variable(num_rows, "num_rows")
            dtype = self._multiplier.dtype.base_dtype
            super().__init__(dtype, None, is_non_singular, is_self_adjoint, is_positive_definite, is_square, name)
            self._set_rows(num_rows)
            self._rows_as_dtype = tf.cast(self._num_rows, self.dtype)
            self._rows_as_real = tf.cast(self._num_rows, self.dtype.real_dtype)

    multiplier = property(lambda self: self._multiplier)

    def _shape(self) -> Any:
        return self._multiplier.get_shape().concatenate([self._rows(), self._rows()])

    def _shape_tensor(self) -> Any:
        matrix = tf.stack((self._num_rows, self._num_rows), axis=0)
        return tf.concat((tf.shape(self._multiplier), matrix), 0)

    def _assert_non_singular(self) -> Any:
        return tf.assert_positive(tf.abs(self._multiplier), message="LinearOperator was singular")

    def _assert_positive_definite(self) -> Any:
        return tf.assert_positive(tf.real(self._multiplier), message="LinearOperator was not positive definite.")

    def _assert_self_adjoint(self) -> Any:
        imaginary = tf.imag(self._multiplier)
        return tf.assert_equal(tf.zeros_like(imaginary), imaginary, message="LinearOperator was not self-adjoint")

    def _matrix(self, conjugate: bool) -> Any:
        matrix = tf.expand_dims(tf.expand_dims(self._multiplier, -1), -1)
        return tf.conj(matrix) if conjugate else matrix

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        x = self._checked(adjoint_of(x) if adjoint_arg else x)
        return x * self._matrix(adjoint)

    def _determinant(self) -> Any:
        return self._multiplier**self._rows_as_dtype

    def _log_abs_determinant(self) -> Any:
        return self._rows_as_real * tf.log(tf.abs(self._multiplier))

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        rhs = self._checked(adjoint_of(rhs) if adjoint_arg else rhs)
        return rhs / self._matrix(adjoint)

    def _trace(self) -> Any:
        ones = self._ones_batch()
        size = self._min_matrix_dim()
        factor = size if size is not None else tf.cast(self._min_matrix_dim_tensor(), self.dtype)
        return self._multiplier * factor * ones

    def _diag_part(self) -> Any:
        return self._ones_diag() * self._multiplier[..., tf.newaxis]

    def add_to_tensor(self, mat: Any, name: str = "add_to_tensor") -> Any:
        with self._name_scope(name):
            vector = tf.expand_dims(self._multiplier, -1)
            mat = tf.convert_to_tensor(mat, name="mat")
            return tf.matrix_set_diag(mat, vector + tf.matrix_diag_part(mat))


@export("linalg.LinearOperatorZeros")
class LinearOperatorZeros(LinearOperator):
    def __init__(
        self, num_rows: Any, num_columns: Any = None, batch_shape: Any = None, dtype: Any = None, is_non_singular: bool = False,
        is_self_adjoint: bool = True, is_positive_definite: bool = False, is_square: bool = True, assert_proper_shapes: bool = False,
        name: str = "LinearOperatorZeros",
    ) -> None:  # fmt: skip
        with tf.name_scope(name):
            if not is_self_adjoint and is_square:
                raise ValueError("A zero operator is always self adjoint.")
            if is_non_singular:
                raise ValueError("A zero operator is always singular.")
            if is_positive_definite:
                raise ValueError("A zero operator is always not positive-definite.")
            super().__init__(
                tf.as_dtype(dtype or tf.float32), None, is_non_singular, is_self_adjoint, is_positive_definite, is_square, name
            )
            self._num_rows = shape_tensor(num_rows, name="num_rows")
            self._num_columns = self._num_rows if num_columns is None else shape_tensor(num_columns, name="num_columns")
            self._known = [None if (v := constant_value(t)) is None else int(v) for t in (self._num_rows, self._num_columns)]
            if any(v is not None and v < 0 for v in self._known):
                raise ValueError(f"Arguments num_rows and num_columns must be non-negative.  Found: {self._known}")
            self._batch_shape_arg = None if batch_shape is None else shape_tensor(batch_shape, name="batch_shape_arg")

    def _shape(self) -> Any:
        matrix = TensorShape(self._known)
        if self._batch_shape_arg is None:
            return matrix
        known = constant_value(self._batch_shape_arg)
        return TensorShape(None if known is None else known.tolist()).concatenate(matrix)

    def _shape_tensor(self) -> Any:
        matrix = tf.stack((self._num_rows, self._num_columns), axis=0)
        return matrix if self._batch_shape_arg is None else tf.concat((self._batch_shape_arg, matrix), 0)

    def _assert_non_singular(self) -> Any:
        raise ValueError("Zero operators are always non-invertible.")  # TensorFlow's InvalidArgumentError comes when it runs

    def _assert_positive_definite(self) -> Any:
        raise ValueError("Zero operators are always non-positive definite.")

    def _assert_self_adjoint(self) -> Any:
        return tf.no_op("assert_self_adjoint")

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        x = adjoint_of(x) if adjoint_arg else x
        columns = x.get_shape()[-1].value
        rows = self.range_dimension.value if not adjoint else self.domain_dimension.value
        batch = tf.broadcast_static_shape(x.get_shape()[:-2], self.batch_shape)
        if batch.is_fully_defined() and rows is not None and columns is not None:
            return tf.zeros(shape=[*batch.as_list(), rows, columns], dtype=self.dtype)
        outer = tf.broadcast_dynamic_shape(tf.shape(x)[:-2], self.batch_shape_tensor())
        size = self.domain_dimension_tensor() if adjoint else self.range_dimension_tensor()
        return tf.zeros(shape=tf.concat([outer, [size, tf.shape(x)[-1]]], axis=0), dtype=self.dtype)

    def _determinant(self) -> Any:
        known = self.batch_shape.is_fully_defined()
        return tf.zeros(shape=self.batch_shape.as_list() if known else self.batch_shape_tensor(), dtype=self.dtype)

    def _trace(self) -> Any:
        return self._determinant()

    def _diag_part(self) -> Any:
        sizes = self.domain_dimension.value, self.range_dimension.value
        if None not in sizes and self.batch_shape.is_fully_defined():
            return tf.zeros(shape=[*self.batch_shape.as_list(), min(sizes)], dtype=self.dtype)  # type: ignore[type-var]
        smaller = tf.reduce_min(self.shape_tensor()[-2:])
        return tf.zeros(tf.concat([self.batch_shape_tensor(), [smaller]], axis=0), dtype=self.dtype)

    def add_to_tensor(self, mat: Any, name: str = "add_to_tensor") -> Any:
        with self._name_scope(name):
            mat = tf.convert_to_tensor(mat, name="mat")
            return mat + tf.zeros(self.shape_tensor(), dtype=self.dtype) if self._batch_shape_arg is not None else mat


@export("linalg.LinearOperatorDiag")
class LinearOperatorDiag(LinearOperator):
    def __init__(
        self, diag: Any, is_non_singular: bool | None = None, is_self_adjoint: bool | None = None, is_positive_definite: bool | None = None,
        is_square: bool | None = None, name: str = "LinearOperatorDiag",
    ) -> None:  # fmt: skip
        with tf.name_scope(name, values=[diag]):
            self._diag = as_tensor(diag, "diag")
            if self._diag.get_shape().ndims is not None and self._diag.get_shape().ndims < 1:
                raise ValueError(f"Argument diag must have at least 1 dimension.  Found: {self._diag}")
            if not self._diag.dtype.is_complex:
                if is_self_adjoint is False:
                    raise ValueError("A real diagonal operator is always self adjoint.")
                is_self_adjoint = True
            if is_square is False:
                raise ValueError("Only square diagonal operators currently supported.")
            super().__init__(self._diag.dtype, [self._diag], is_non_singular, is_self_adjoint, is_positive_definite, True, name)

    diag = property(lambda self: self._diag)

    def _shape(self) -> Any:
        shape = self._diag.get_shape()
        return shape.concatenate(shape[-1:])

    def _shape_tensor(self) -> Any:
        shape = tf.shape(self._diag)
        return tf.concat((shape, [shape[-1]]), 0)

    def _assert_non_singular(self) -> Any:
        return assert_no_entries_with_modulus_zero(self._diag, message="Singular operator:  Diagonal contained zero values.")

    def _assert_positive_definite(self) -> Any:
        if self.dtype.is_complex:
            message = "Diagonal operator had diagonal entries with non-positive real part, thus was not positive definite."
        else:
            message = "Real diagonal operator had non-positive diagonal entries, thus was not positive definite."
        return tf.assert_positive(tf.real(self._diag), message=message)

    def _assert_self_adjoint(self) -> Any:
        message = "This diagonal operator contained non-zero imaginary values.   Thus it was not self-adjoint."
        return assert_zero_imag_part(self._diag, message=message)

    def _term(self, adjoint: bool) -> Any:
        return tf.conj(self._diag) if adjoint else self._diag

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        term = self._term(adjoint)
        x = adjoint_of(x) if adjoint_arg else x
        return tf.expand_dims(term, -1) * x

    def _matvec(self, x: Any, adjoint: bool = False) -> Any:
        return self._term(adjoint) * x

    def _determinant(self) -> Any:
        return tf.reduce_prod(self._diag, axis=[-1])

    def _log_abs_determinant(self) -> Any:
        found = tf.reduce_sum(tf.log(tf.abs(self._diag)), axis=[-1])
        return tf.cast(found, dtype=self.dtype) if self.dtype.is_complex else found

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        term = self._term(adjoint)
        rhs = adjoint_of(rhs) if adjoint_arg else rhs
        return rhs * tf.expand_dims(1.0 / term, -1)

    def _to_dense(self) -> Any:
        return tf.matrix_diag(self._diag)

    def _diag_part(self) -> Any:
        return self._diag

    def _add_to_tensor(self, x: Any) -> Any:
        return tf.matrix_set_diag(x, self._diag + tf.matrix_diag_part(x))


@export("linalg.LinearOperatorLowerTriangular")
class LinearOperatorLowerTriangular(LinearOperator):
    def __init__(
        self, tril: Any, is_non_singular: bool | None = None, is_self_adjoint: bool | None = None, is_positive_definite: bool | None = None,
        is_square: bool | None = None, name: str = "LinearOperatorLowerTriangular",
    ) -> None:  # fmt: skip
        if is_square is False:
            raise ValueError("Only square lower triangular operators supported at this time.")
        with tf.name_scope(name, values=[tril]):
            self._tril = as_tensor(tril, "tril")
            if self._tril.get_shape().ndims is not None and self._tril.get_shape().ndims < 2:
                raise ValueError(f"Argument tril must have at least 2 dimensions.  Found: {self._tril}")
            super().__init__(self._tril.dtype, [self._tril], is_non_singular, is_self_adjoint, is_positive_definite, True, name)

    def _get_tril(self) -> Any:
        return tf.matrix_band_part(self._tril, -1, 0)

    def _get_diag(self) -> Any:
        return tf.matrix_diag_part(self._tril)

    def _shape(self) -> Any:
        return self._tril.get_shape()

    def _shape_tensor(self) -> Any:
        return tf.shape(self._tril)

    def _assert_non_singular(self) -> Any:
        return assert_no_entries_with_modulus_zero(self._get_diag(), message="Singular operator:  Diagonal contained zero values.")

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        return tf.matmul(self._get_tril(), x, adjoint_a=adjoint, adjoint_b=adjoint_arg)

    def _determinant(self) -> Any:
        return tf.reduce_prod(self._get_diag(), axis=[-1])

    def _log_abs_determinant(self) -> Any:
        return tf.reduce_sum(tf.log(tf.abs(self._get_diag())), axis=[-1])

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        rhs = adjoint_of(rhs) if adjoint_arg else rhs
        return triangular_solve(self._get_tril(), rhs, lower=True, adjoint=adjoint)

    def _to_dense(self) -> Any:
        return self._get_tril()


@export("linalg.LinearOperatorFullMatrix")
class LinearOperatorFullMatrix(LinearOperator):
    def __init__(
        self, matrix: Any, is_non_singular: bool | None = None, is_self_adjoint: bool | None = None, is_positive_definite: bool | None = None,
        is_square: bool | None = None, name: str = "LinearOperatorFullMatrix",
    ) -> None:  # fmt: skip
        with tf.name_scope(name, values=[matrix]):
            self._matrix = as_tensor(matrix, "matrix")
            checked = tf.convert_to_tensor(self._matrix, name="matrix")
            if not (checked.dtype.is_floating or checked.dtype.is_complex):
                raise TypeError(f"Argument matrix must have dtype in floating or complex types.  Found: {checked.dtype}")
            if checked.get_shape().ndims is not None and checked.get_shape().ndims < 2:
                raise ValueError(f"Argument matrix must have at least 2 dimensions.  Found: {checked}")
            super().__init__(self._matrix.dtype, [self._matrix], is_non_singular, is_self_adjoint, is_positive_definite, is_square, name)

    matrix = property(lambda self: self._matrix)

    def _shape(self) -> Any:
        return self._matrix.get_shape()

    def _shape_tensor(self) -> Any:
        return tf.shape(self._matrix)

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        return tf.matmul(self._matrix, x, adjoint_a=adjoint, adjoint_b=adjoint_arg)

    def _to_dense(self) -> Any:
        return self._matrix
