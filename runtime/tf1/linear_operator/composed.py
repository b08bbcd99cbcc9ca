"""Operators made of operators: products, adjoints, inverses, block diagonals, low-rank updates, reflections; and the rules of their algebra."""

from __future__ import annotations

from typing import Any

from runtime.tf1.linear_operator.basic import (
    LinearOperatorDiag,
    LinearOperatorIdentity,
    LinearOperatorLowerTriangular,
    LinearOperatorScaledIdentity,
    LinearOperatorZeros,
)
from runtime.tf1.linear_operator.operator import (
    LinearOperator,
    as_tensor,
    broadcast_matrix_batch_dims,
    cholesky_solve,
    hint_of,
    matrix_solve,
    rule,
)
from runtime.tf1.linear_operator.operator import adjoint as adjoint_of
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape

tf: Any = module("")

HINTS = ("is_square", "is_non_singular", "is_self_adjoint", "is_positive_definite")
KINDS = {
    "is_square": "square",
    "is_non_singular": "non-singular",
    "is_self_adjoint": "self-adjoint",
    "is_positive_definite": "positive-definite",
}


class _Several(LinearOperator):
    """An operator made of a list of operators of one dtype."""

    operators = property(lambda self: self._operators)

    def _take(self, operators: Any) -> Any:
        self._operators = list(operators)
        if not self._operators:
            raise ValueError(f"Expected a non-empty list of operators. Found: {operators}")
        dtype = self._operators[0].dtype
        if any(o.dtype != dtype for o in self._operators):
            listed = "   ".join(str((o.name, o.dtype)) for o in self._operators)
            raise TypeError(f"Expected all operators to have the same dtype.  Found {listed}")
        return dtype

    def _implied(self, hint: str, given: bool | None, error: str) -> bool | None:
        """A hint that holds where it holds for each operator."""
        if all(getattr(o, hint) for o in self._operators):
            if given is False:
                raise ValueError(error)
            return True
        return given

    def _parents(self) -> list[Any]:
        return [p for o in self._operators for p in o.graph_parents]

    def _batch(self) -> TensorShape:
        batch = self._operators[0].batch_shape
        for o in self._operators[1:]:
            batch = tf.broadcast_static_shape(batch, o.batch_shape)
        return batch

    def _with_batch(self, matrix: Any) -> Any:
        zeros = tf.zeros(shape=self._operators[0].batch_shape_tensor())
        for o in self._operators[1:]:
            zeros += tf.zeros(shape=o.batch_shape_tensor())
        return tf.concat((tf.shape(zeros), matrix), 0)

    def _product(self, what: str) -> Any:
        result = getattr(self._operators[0], what)()
        for o in self._operators[1:]:
            result *= getattr(o, what)()
        return result

    def _sum(self, what: str) -> Any:
        result = getattr(self._operators[0], what)()
        for o in self._operators[1:]:
            result += getattr(o, what)()
        return result

    def _determinant(self) -> Any:
        return self._product("determinant")

    def _log_abs_determinant(self) -> Any:
        return self._sum("log_abs_determinant")


@export("linalg.LinearOperatorComposition")
class LinearOperatorComposition(_Several):
    def __init__(
        self, operators: Any, is_non_singular: bool | None = None, is_self_adjoint: bool | None = None, is_positive_definite: bool | None = None,
        is_square: bool | None = None, name: str | None = None,
    ) -> None:  # fmt: skip
        dtype = self._take(operators)
        is_non_singular = self._implied(
            "is_non_singular", is_non_singular, "The composition of non-singular operators is always non-singular."
        )
        name = "_o_".join(o.name for o in self._operators) if name is None else name
        parents = self._parents()
        with tf.name_scope(name, values=parents):
            super().__init__(dtype, parents, is_non_singular, is_self_adjoint, is_positive_definite, is_square, name)

    def _shape(self) -> Any:
        domain = self._operators[0].domain_dimension
        for o in self._operators[1:]:
            domain.assert_is_compatible_with(o.range_dimension)
            domain = o.domain_dimension
        return self._batch().concatenate([self._operators[0].range_dimension, self._operators[-1].domain_dimension])

    def _shape_tensor(self) -> Any:
        return self._with_batch(tf.stack([self._operators[0].range_dimension_tensor(), self._operators[-1].domain_dimension_tensor()]))

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        first, *rest = self._operators if adjoint else self._operators[::-1]
        result = first.matmul(x, adjoint=adjoint, adjoint_arg=adjoint_arg)
        for o in rest:
            result = o.matmul(result, adjoint=adjoint)
        return result

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        first, *rest = self._operators[::-1] if adjoint else self._operators
        result = first.solve(rhs, adjoint=adjoint, adjoint_arg=adjoint_arg)
        for o in rest:
            result = o.solve(result, adjoint=adjoint)
        return result


class _Of(LinearOperator):
    """An operator that is another one seen differently."""

    operator = property(lambda self: self._operator)

    def _see(self, operator: LinearOperator, hints: dict[str, bool | None], what: str, name: str) -> None:
        self._operator = operator
        known = {h: hint_of(operator, h, hints[h], f"An operator is {KINDS[h]} if and only if its {what} is {KINDS[h]}.") for h in HINTS}
        with tf.name_scope(name, values=operator.graph_parents):
            super().__init__(operator.dtype, operator.graph_parents, name=name, **known)

    def _assert_non_singular(self) -> Any:
        return self._operator.assert_non_singular()

    def _assert_positive_definite(self) -> Any:
        return self._operator.assert_positive_definite()

    def _assert_self_adjoint(self) -> Any:
        return self._operator.assert_self_adjoint()


@export("linalg.LinearOperatorAdjoint")
class LinearOperatorAdjoint(_Of):
    def __init__(
        self, operator: Any, is_non_singular: bool | None = None, is_self_adjoint: bool | None = None, is_positive_definite: bool | None = None,
        is_square: bool | None = None, name: str | None = None,
    ) -> None:  # fmt: skip
        hints = dict(zip(HINTS, (is_square, is_non_singular, is_self_adjoint, is_positive_definite), strict=True))
        self._see(operator, hints, "adjoint", operator.name + "_adjoint" if name is None else name)

    def _shape(self) -> Any:
        shape = self._operator.shape
        return shape[:-2].concatenate([shape[-1], shape[-2]])

    def _shape_tensor(self) -> Any:
        shape = self._operator.shape_tensor()
        return tf.concat([shape[:-2], [shape[-1], shape[-2]]], axis=-1)

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        return self._operator.matmul(x, adjoint=not adjoint, adjoint_arg=adjoint_arg)

    def _matvec(self, x: Any, adjoint: bool = False) -> Any:
        return self._operator.matvec(x, adjoint=not adjoint)

    def _conjugate(self, value: Any) -> Any:
        return value if self.is_self_adjoint else tf.conj(value)

    def _determinant(self) -> Any:
        return self._conjugate(self._operator.determinant())

    def _log_abs_determinant(self) -> Any:
        return self._operator.log_abs_determinant()

    def _trace(self) -> Any:
        return self._conjugate(self._operator.trace())

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        return self._operator.solve(rhs, adjoint=not adjoint, adjoint_arg=adjoint_arg)

    def _solvevec(self, rhs: Any, adjoint: bool = False) -> Any:
        return self._operator.solvevec(rhs, adjoint=not adjoint)

    def _to_dense(self) -> Any:
        dense = self._operator.to_dense()
        return dense if self.is_self_adjoint else adjoint_of(dense)


@export("linalg.LinearOperatorInversion")
class LinearOperatorInversion(_Of):
    def __init__(
        self, operator: Any, is_non_singular: bool | None = None, is_self_adjoint: bool | None = None, is_positive_definite: bool | None = None,
        is_square: bool | None = None, name: str | None = None,
    ) -> None:  # fmt: skip
        for hint, given in (("is_non_singular", is_non_singular), ("is_square", is_square)):
            if getattr(operator, hint) is False or given is False:
                raise ValueError(
                    f"operator and supplied hints must have `{hint}` equal to `True` or `None`.  Found {getattr(operator, hint)}, {given}"
                )
        hints = dict(zip(HINTS, (is_square, is_non_singular, is_self_adjoint, is_positive_definite), strict=True))
        self._see(operator, hints, "inverse", operator.name + "_inv" if name is None else name)

    def _shape(self) -> Any:
        return self._operator.shape

    def _shape_tensor(self) -> Any:
        return self._operator.shape_tensor()

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        return self._operator.solve(x, adjoint=adjoint, adjoint_arg=adjoint_arg)

    def _determinant(self) -> Any:
        return 1.0 / self._operator.determinant()

    def _log_abs_determinant(self) -> Any:
        return -1.0 * self._operator.log_abs_determinant()

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        return self._operator.matmul(rhs, adjoint=adjoint, adjoint_arg=adjoint_arg)


@export("linalg.LinearOperatorBlockDiag")
class LinearOperatorBlockDiag(_Several):
    def __init__(
        self, operators: Any, is_non_singular: bool | None = None, is_self_adjoint: bool | None = None, is_positive_definite: bool | None = None,
        is_square: bool | None = True, name: str | None = None,
    ) -> None:  # fmt: skip
        dtype = self._take(operators)
        said = "The direct sum of {0} operators is always {0}."
        is_non_singular = self._implied("is_non_singular", is_non_singular, said.format("non-singular"))
        is_self_adjoint = self._implied("is_self_adjoint", is_self_adjoint, said.format("self-adjoint"))
        is_positive_definite = self._implied("is_positive_definite", is_positive_definite, said.format("positive definite"))
        if not (is_square and all(o.is_square for o in self._operators)):
            raise ValueError("Can only represent a block diagonal of square matrices.")
        name = "_ds_".join(o.name for o in self._operators) if name is None else name
        parents = self._parents()
        with tf.name_scope(name, values=parents):
            super().__init__(dtype, parents, is_non_singular, is_self_adjoint, is_positive_definite, True, name)

    def _shape(self) -> Any:
        domain, range_ = self._operators[0].domain_dimension, self._operators[0].range_dimension
        for o in self._operators[1:]:
            domain, range_ = domain + o.domain_dimension, range_ + o.range_dimension
        return self._batch().concatenate([domain, range_])

    def _shape_tensor(self) -> Any:
        domain, range_ = self._operators[0].domain_dimension_tensor(), self._operators[0].range_dimension_tensor()
        for o in self._operators[1:]:
            domain += o.domain_dimension_tensor()
            range_ += o.range_dimension_tensor()
        return self._with_batch(tf.stack([domain, range_]))

    def _split(self, x: Any, axis: int) -> list[Any]:
        sizes = [o.domain_dimension.value for o in self._operators]
        if None in sizes:
            sizes = [o.domain_dimension_tensor() for o in self._operators]
        return list(tf.split(x, sizes, axis=axis))

    def _blockwise(self, what: str, x: Any, adjoint: bool, adjoint_arg: bool) -> Any:
        parts = self._split(x, -1 if adjoint_arg else -2)
        made = [getattr(o, what)(p, adjoint=adjoint, adjoint_arg=adjoint_arg) for o, p in zip(self._operators, parts, strict=True)]
        return tf.concat(broadcast_matrix_batch_dims(made), axis=-2)

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        return self._blockwise("matmul", x, adjoint, adjoint_arg)

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        return self._blockwise("solve", rhs, adjoint, adjoint_arg)

    def _diag_part(self) -> Any:
        parts = [o.diag_part()[..., tf.newaxis] for o in self._operators]
        return tf.squeeze(tf.concat(broadcast_matrix_batch_dims(parts), axis=-2), axis=-1)

    def _trace(self) -> Any:
        return self._sum("trace")

    def _to_dense(self) -> Any:
        columns: Any = 0
        rows = []
        for block in broadcast_matrix_batch_dims([o.to_dense() for o in self._operators]):
            outer = tf.shape(block)[:-1]
            before = tf.zeros(shape=tf.concat([outer, [columns]], axis=-1), dtype=block.dtype)
            columns += tf.shape(block)[-1]
            missing = self.domain_dimension_tensor() - columns
            after = tf.zeros(shape=tf.concat([outer, [missing]], axis=-1), dtype=block.dtype)
            rows.append(tf.concat([before, block, after], axis=-1))
        dense = tf.concat(rows, axis=-2)
        dense.set_shape(self.shape)
        return dense

    def _assert_non_singular(self) -> Any:
        return tf.group([o.assert_non_singular() for o in self._operators])

    def _assert_self_adjoint(self) -> Any:
        return tf.group([o.assert_self_adjoint() for o in self._operators])

    def _assert_positive_definite(self) -> Any:
        return tf.group([o.assert_positive_definite() for o in self._operators])


@export("linalg.LinearOperatorHouseholder")
class LinearOperatorHouseholder(LinearOperator):
    """I - 2 v v' for the unit vector v: a reflection."""

    def __init__(
        self, reflection_axis: Any, is_non_singular: bool | None = None, is_self_adjoint: bool | None = None,
        is_positive_definite: bool | None = None, is_square: bool | None = None, name: str = "LinearOperatorHouseholder",
    ) -> None:  # fmt: skip
        with tf.name_scope(name, values=[reflection_axis]):
            self._reflection_axis = as_tensor(reflection_axis, "reflection_axis")
            if self._reflection_axis.get_shape().ndims is not None and self._reflection_axis.get_shape().ndims < 1:
                raise ValueError(f"Argument reflection_axis must have at least 1 dimension.  Found: {self._reflection_axis}")
            if is_self_adjoint is False:
                raise ValueError("A Householder operator is always self adjoint.")
            if is_positive_definite is True:
                raise ValueError("A Householder operator is always non-positive definite.")
            if is_square is False:
                raise ValueError("A Householder operator is always square.")
            super().__init__(self._reflection_axis.dtype, [self._reflection_axis], is_non_singular, True, False, True, name)

    reflection_axis = property(lambda self: self._reflection_axis)

    def _shape(self) -> Any:
        shape = self._reflection_axis.get_shape()
        return shape.concatenate(shape[-1:])

    def _shape_tensor(self) -> Any:
        shape = tf.shape(self._reflection_axis)
        return tf.concat((shape, [shape[-1]]), 0)

    def _assert_non_singular(self) -> Any:
        return tf.no_op("assert_non_singular")

    def _assert_positive_definite(self) -> Any:
        raise ValueError("Householder operators are always non-positive definite.")

    def _assert_self_adjoint(self) -> Any:
        return tf.no_op("assert_self_adjoint")

    def _unit(self) -> Any:
        return self._reflection_axis / tf.norm(self._reflection_axis, axis=-1, keepdims=True)

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        x = adjoint_of(x) if adjoint_arg else x
        axis = self._unit()
        matrix = axis[..., tf.newaxis]
        along = tf.matmul(matrix, x, adjoint_a=True)
        return x - 2 * matrix * along

    def _trace(self) -> Any:
        return tf.cast(self.domain_dimension_tensor() - 2, self.dtype) * tf.ones(shape=self.batch_shape_tensor(), dtype=self.dtype)

    def _determinant(self) -> Any:
        return -tf.ones(shape=self.batch_shape_tensor(), dtype=self.dtype)

    def _log_abs_determinant(self) -> Any:
        return tf.zeros(shape=self.batch_shape_tensor(), dtype=self.dtype)

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        return self._matmul(rhs, adjoint, adjoint_arg)

    def _to_dense(self) -> Any:
        axis = self._unit()
        matrix = axis[..., tf.newaxis]
        dense = -2 * tf.matmul(matrix, matrix, adjoint_b=True)
        return tf.matrix_set_diag(dense, 1.0 + tf.matrix_diag_part(dense))

    def _diag_part(self) -> Any:
        axis = self._unit()
        return 1.0 - 2 * axis * tf.conj(axis)


@export("linalg.LinearOperatorLowRankUpdate")
class LinearOperatorLowRankUpdate(LinearOperator):
    """L + U D V', with the matrix determinant lemma and the Woodbury formula."""

    def __init__(
        self, base_operator: Any, u: Any, diag_update: Any = None, v: Any = None, is_diag_update_positive: bool | None = None,
        is_non_singular: bool | None = None, is_self_adjoint: bool | None = None, is_positive_definite: bool | None = None,
        is_square: bool | None = None, name: str = "LinearOperatorLowRankUpdate",
    ) -> None:  # fmt: skip
        dtype = base_operator.dtype
        if diag_update is None:
            if is_diag_update_positive is False:
                raise ValueError(
                    "Default diagonal is the identity, which is positive.  However, user set 'is_diag_update_positive' to False."
                )
            is_diag_update_positive = True
        base = base_operator
        self._use_cholesky = base.is_positive_definite and base.is_self_adjoint and is_diag_update_positive and v is None
        if base.is_self_adjoint and v is None and not dtype.is_complex:
            if is_self_adjoint is False:
                raise ValueError(
                    "A = L + UDU^H, with L self-adjoint and D real diagonal.  Since UDU^H is self-adjoint, this must be a self-adjoint operator."
                )
            is_self_adjoint = True
        if self._use_cholesky:
            if is_positive_definite is False or is_self_adjoint is False or is_non_singular is False:
                raise ValueError("Arguments imply this is self-adjoint positive-definite operator.")
            is_positive_definite = is_self_adjoint = True
        with tf.name_scope(name, values=[*base.graph_parents, u, diag_update, v]):
            self._u = as_tensor(u, "u")
            self._v = self._u if v is None else as_tensor(v, "v")
            self._diag_update = None if diag_update is None else as_tensor(diag_update, "diag_update")
            self._base_operator = base
            parents = [p for p in (*base.graph_parents, self._u, self._diag_update, self._v) if p is not None]
            super().__init__(dtype, parents, is_non_singular, is_self_adjoint, is_positive_definite, is_square, name)
            self._diag_operator: Any
            if diag_update is not None:
                self._diag_operator = LinearOperatorDiag(self._diag_update, is_positive_definite=is_diag_update_positive)
            else:
                size = self._u.get_shape()[-1].value
                rank = tf.shape(self._u)[-1] if size is None else size
                self._diag_operator = LinearOperatorIdentity(num_rows=rank, dtype=self.dtype)
            self._is_diag_update_positive = is_diag_update_positive
            self._check_shapes()

    u = property(lambda self: self._u)
    v = property(lambda self: self._v)
    diag_update = property(lambda self: self._diag_update)
    diag_operator = property(lambda self: self._diag_operator)
    base_operator = property(lambda self: self._base_operator)
    is_diag_update_positive = property(lambda self: self._is_diag_update_positive)

    def _check_shapes(self) -> None:
        uv = tf.broadcast_static_shape(self._u.get_shape(), self._v.get_shape())
        batch = tf.broadcast_static_shape(self._base_operator.batch_shape, uv[:-2])
        self._base_operator.domain_dimension.assert_is_compatible_with(uv[-2])
        if self._diag_update is not None:
            uv[-1].assert_is_compatible_with(self._diag_update.get_shape()[-1])
            tf.broadcast_static_shape(batch, self._diag_update.get_shape()[:-1])

    def _shape(self) -> Any:
        batch = tf.broadcast_static_shape(self._base_operator.batch_shape, self._u.get_shape()[:-2])
        return batch.concatenate(self._base_operator.shape[-2:])

    def _shape_tensor(self) -> Any:
        batch = tf.broadcast_dynamic_shape(self._base_operator.batch_shape_tensor(), tf.shape(self._u)[:-2])
        return tf.concat([batch, self._base_operator.shape_tensor()[-2:]], axis=0)

    def _matmul(self, x: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        left, right = (self._v, self._u) if adjoint else (self._u, self._v)
        first = self._base_operator.matmul(x, adjoint=adjoint, adjoint_arg=adjoint_arg)
        inner = tf.matmul(right, x, adjoint_a=True, adjoint_b=adjoint_arg)
        return first + tf.matmul(left, self._diag_operator.matmul(inner, adjoint=adjoint))

    def _capacitance(self) -> Any:
        """D^-1 + V' L^-1 U"""
        inner = tf.matmul(self._v, self._base_operator.solve(self._u), adjoint_a=True)
        return self._diag_operator.inverse().add_to_tensor(inner)

    def _determinant(self) -> Any:
        if self.is_positive_definite:
            return tf.exp(self.log_abs_determinant())
        capacitance = tf.matrix_determinant(self._capacitance())
        diagonal = self._diag_operator.determinant()
        base = self._base_operator.determinant()
        return capacitance * diagonal * base

    def _log_abs_determinant(self) -> Any:
        diagonal = self._diag_operator.log_abs_determinant()
        base = self._base_operator.log_abs_determinant()
        if self._use_cholesky:
            capacitance = 2 * tf.reduce_sum(tf.log(tf.matrix_diag_part(tf.cholesky(self._capacitance()))), axis=[-1])
        else:
            capacitance = tf.log(tf.abs(tf.matrix_determinant(self._capacitance())))
            if self.dtype.is_complex:
                capacitance = tf.cast(capacitance, dtype=self.dtype)
        return capacitance + diagonal + base

    def _solve(self, rhs: Any, adjoint: bool = False, adjoint_arg: bool = False) -> Any:
        base = self._base_operator
        if base.is_non_singular is False:
            raise ValueError("Solve not implemented unless this is a perturbation of a non-singular LinearOperator.")
        u, v = (self._v, self._u) if adjoint else (self._u, self._v)
        first = base.solve(rhs, adjoint=adjoint, adjoint_arg=adjoint_arg)
        inner = tf.matmul(v, first, adjoint_a=True)
        if self._use_cholesky:
            middle = cholesky_solve(tf.cholesky(self._capacitance()), inner)
        else:
            middle = matrix_solve(self._capacitance(), inner, adjoint=adjoint)
        return first - base.solve(tf.matmul(u, middle), adjoint=adjoint)


# -- the rules ---------------------------------------------------------------------------------------------------------


def _hints(o: LinearOperator) -> dict[str, Any]:
    return {h: getattr(o, h) for h in HINTS}


def _both(a: LinearOperator, b: LinearOperator, commute: bool = True) -> dict[str, Any]:
    """The hints of a product."""
    non_singular = False if a.is_non_singular is False or b.is_non_singular is False else a.is_non_singular and b.is_non_singular
    if not commute:
        return {"is_non_singular": non_singular, "is_self_adjoint": None, "is_positive_definite": None, "is_square": True}
    adjoints = a.is_self_adjoint, b.is_self_adjoint
    self_adjoint = True if adjoints[0] and adjoints[1] else False if True in adjoints and False in adjoints else None
    definite = True if all((*adjoints, a.is_positive_definite, b.is_positive_definite)) else None
    return {"is_non_singular": non_singular, "is_self_adjoint": self_adjoint, "is_positive_definite": definite, "is_square": True}


def _is_square(a: LinearOperator, b: LinearOperator) -> bool | None:
    if a.is_square and b.is_square:
        return True
    if a.is_square is False and b.is_square is False:
        return bool(a.range_dimension.value == b.domain_dimension.value)
    return False if a.is_square != b.is_square and a.is_square is not None else None


def _composed(a: LinearOperator, b: LinearOperator, first: LinearOperator) -> LinearOperator:
    square = _is_square(a, b)
    others = False if square is False else None
    non_singular = _both(a, b)["is_non_singular"] if square else others
    return LinearOperatorComposition(
        [first, b], is_non_singular=non_singular, is_self_adjoint=others, is_positive_definite=others, is_square=square
    )


@rule("matmul", LinearOperator, LinearOperator)
def _matmul(a: Any, b: Any) -> Any:
    return _composed(a, b, a)


@rule("matmul", LinearOperatorIdentity, LinearOperator)
def _matmul_identity_left(a: Any, b: Any) -> Any:
    return b


@rule("matmul", LinearOperator, LinearOperatorIdentity)
def _matmul_identity_right(a: Any, b: Any) -> Any:
    return a


@rule("matmul", LinearOperator, LinearOperatorZeros)
def _matmul_zeros_right(a: Any, b: Any) -> Any:
    if not a.is_square or not b.is_square:
        raise ValueError("Matmul with non-square `LinearOperator`s or non-square `LinearOperatorZeros` not supported at this time.")
    return b


@rule("matmul", LinearOperatorZeros, LinearOperator)
def _matmul_zeros_left(a: Any, b: Any) -> Any:
    return _matmul_zeros_right(b, a)


@rule("matmul", LinearOperatorDiag, LinearOperatorDiag)
def _matmul_diags(a: Any, b: Any) -> Any:
    return LinearOperatorDiag(diag=a.diag * b.diag, **_both(a, b))


@rule("matmul", LinearOperatorDiag, LinearOperatorScaledIdentity)
def _matmul_diag_scaled(a: Any, b: Any) -> Any:
    return LinearOperatorDiag(diag=a.diag * b.multiplier, **_both(a, b))


@rule("matmul", LinearOperatorScaledIdentity, LinearOperatorDiag)
def _matmul_scaled_diag(a: Any, b: Any) -> Any:
    return LinearOperatorDiag(diag=b.diag * a.multiplier, **_both(b, a))


@rule("matmul", LinearOperatorDiag, LinearOperatorLowerTriangular)
def _matmul_diag_tril(a: Any, b: Any) -> Any:
    return LinearOperatorLowerTriangular(tril=a.diag[..., None] * b.to_dense(), **_both(a, b, commute=False))


@rule("matmul", LinearOperatorLowerTriangular, LinearOperatorDiag)
def _matmul_tril_diag(a: Any, b: Any) -> Any:
    return LinearOperatorLowerTriangular(tril=a.to_dense() * b.diag, **_both(a, b, commute=False))


@rule("solve", LinearOperator, LinearOperator)
def _solve(a: Any, b: Any) -> Any:
    return _composed(a, b, LinearOperatorInversion(a))


@rule("solve", LinearOperatorInversion, LinearOperator)
def _solve_inversion(a: Any, b: Any) -> Any:
    return a.operator.matmul(b)


@rule("solve", LinearOperatorIdentity, LinearOperator)
def _solve_identity(a: Any, b: Any) -> Any:
    return b


@rule("solve", LinearOperatorDiag, LinearOperatorDiag)
def _solve_diags(a: Any, b: Any) -> Any:
    return LinearOperatorDiag(diag=b.diag / a.diag, **_both(a, b))


@rule("solve", LinearOperatorDiag, LinearOperatorScaledIdentity)
def _solve_diag_scaled(a: Any, b: Any) -> Any:
    return LinearOperatorDiag(diag=b.multiplier / a.diag, **_both(a, b))


@rule("solve", LinearOperatorScaledIdentity, LinearOperatorDiag)
def _solve_scaled_diag(a: Any, b: Any) -> Any:
    return LinearOperatorDiag(diag=b.diag / a.multiplier, **_both(b, a))


@rule("solve", LinearOperatorDiag, LinearOperatorLowerTriangular)
def _solve_diag_tril(a: Any, b: Any) -> Any:
    return LinearOperatorLowerTriangular(tril=b.to_dense() / a.diag[..., None], **_both(a, b, commute=False))


@rule("adjoint", LinearOperator)
def _adjoint(a: Any) -> Any:
    return LinearOperatorAdjoint(a, **_hints(a))


@rule("adjoint", LinearOperatorAdjoint)
def _adjoint_adjoint(a: Any) -> Any:
    return a.operator


@rule("adjoint", LinearOperatorIdentity)
def _adjoint_identity(a: Any) -> Any:
    return a


@rule("adjoint", LinearOperatorScaledIdentity)
def _adjoint_scaled(a: Any) -> Any:
    multiplier = tf.conj(a.multiplier) if a.multiplier.dtype.is_complex else a.multiplier
    return LinearOperatorScaledIdentity(num_rows=a._num_rows, multiplier=multiplier, **_hints(a))


@rule("adjoint", LinearOperatorDiag)
def _adjoint_diag(a: Any) -> Any:
    return LinearOperatorDiag(diag=tf.conj(a.diag) if a.diag.dtype.is_complex else a.diag, **_hints(a))


@rule("adjoint", LinearOperatorBlockDiag)
def _adjoint_block_diag(a: Any) -> Any:
    return LinearOperatorBlockDiag(operators=[o.adjoint() for o in a.operators], **_hints(a))


@rule("adjoint", LinearOperatorHouseholder)
def _adjoint_householder(a: Any) -> Any:
    return a


@rule("inverse", LinearOperator)
def _inverse(a: Any) -> Any:
    return LinearOperatorInversion(a, **_hints(a))


@rule("inverse", LinearOperatorInversion)
def _inverse_inversion(a: Any) -> Any:
    return a.operator


@rule("inverse", LinearOperatorDiag)
def _inverse_diag(a: Any) -> Any:
    return LinearOperatorDiag(1.0 / a.diag, **{**_hints(a), "is_square": True})


@rule("inverse", LinearOperatorIdentity)
def _inverse_identity(a: Any) -> Any:
    return a


@rule("inverse", LinearOperatorScaledIdentity)
def _inverse_scaled(a: Any) -> Any:
    hints = {**_hints(a), "is_self_adjoint": True, "is_square": True}
    return LinearOperatorScaledIdentity(num_rows=a._num_rows, multiplier=1.0 / a.multiplier, **hints)


@rule("inverse", LinearOperatorBlockDiag)
def _inverse_block_diag(a: Any) -> Any:
    return LinearOperatorBlockDiag(operators=[o.inverse() for o in a.operators], **{**_hints(a), "is_square": True})


@rule("inverse", LinearOperatorHouseholder)
def _inverse_householder(a: Any) -> Any:
    return a


@rule("cholesky", LinearOperator)
def _cholesky(a: Any) -> Any:
    return LinearOperatorLowerTriangular(tf.cholesky(a.to_dense()), is_non_singular=True, is_self_adjoint=False, is_square=True)


DEFINITE = {"is_non_singular": True, "is_self_adjoint": True, "is_positive_definite": True, "is_square": True}


@rule("cholesky", LinearOperatorDiag)
def _cholesky_diag(a: Any) -> Any:
    return LinearOperatorDiag(tf.sqrt(a.diag), **DEFINITE)  # type: ignore[arg-type]


@rule("cholesky", LinearOperatorIdentity)
def _cholesky_identity(a: Any) -> Any:
    return LinearOperatorIdentity(num_rows=a._num_rows, batch_shape=a.batch_shape, dtype=a.dtype, **DEFINITE)


@rule("cholesky", LinearOperatorScaledIdentity)
def _cholesky_scaled(a: Any) -> Any:
    return LinearOperatorScaledIdentity(num_rows=a._num_rows, multiplier=tf.sqrt(a.multiplier), **DEFINITE)


@rule("cholesky", LinearOperatorBlockDiag)
def _cholesky_block_diag(a: Any) -> Any:
    return LinearOperatorBlockDiag(operators=[o.cholesky() for o in a.operators], is_non_singular=True, is_square=True)
