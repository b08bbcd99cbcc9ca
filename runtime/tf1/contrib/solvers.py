"""tf.contrib.solvers: conjugate gradients and Lanczos bidiagonalization of linear operators given as functions."""

from __future__ import annotations

import collections
from typing import Any

from runtime.tf1.modules import module
from runtime.tf1.registry import export

tf: Any = module("")

LinearOperator = collections.namedtuple("LinearOperator", ["shape", "dtype", "apply", "apply_adjoint"])
LanczosBidiagState = collections.namedtuple("LanczosBidiagState", ["u", "v", "alpha", "beta"])
CGState = collections.namedtuple("CGState", ["i", "x", "r", "p", "gamma"])
CGLSState = collections.namedtuple("CGLSState", ["i", "x", "r", "p", "gamma"])
# Two projections keep enough digits unless the first took away more than this.
_KEPT = 0.7071


def _shape(matrix: Any) -> Any:
    shape = matrix.get_shape()
    return shape.as_list() if shape.is_fully_defined() else tf.shape(matrix)


@export("contrib.solvers.util.create_operator")
def create_operator(matrix: Any) -> LinearOperator:
    return LinearOperator(
        shape=_shape(matrix), dtype=matrix.dtype, apply=lambda v: tf.matmul(matrix, v, adjoint_a=False),
        apply_adjoint=lambda v: tf.matmul(matrix, v, adjoint_a=True),
    )  # fmt: skip


@export("contrib.solvers.util.identity_operator")
def identity_operator(matrix: Any) -> LinearOperator:
    return LinearOperator(shape=_shape(matrix), dtype=matrix.dtype, apply=lambda v: v, apply_adjoint=lambda v: v)


@export("contrib.solvers.util.dot")
def dot(x: Any, y: Any) -> Any:
    return tf.reduce_sum(tf.conj(x) * y)


@export("contrib.solvers.util.l2norm_squared")
def l2norm_squared(v: Any) -> Any:
    return tf.constant(2, dtype=v.dtype.base_dtype) * tf.nn.l2_loss(v)


@export("contrib.solvers.util.l2norm")
def l2norm(v: Any) -> Any:
    return tf.sqrt(l2norm_squared(v))


@export("contrib.solvers.util.l2normalize")
def l2normalize(v: Any) -> tuple[Any, Any]:
    norm = l2norm(v)
    return v / norm, norm


@export("contrib.solvers.lanczos.lanczos_bidiag")
def lanczos_bidiag(
    operator: Any, k: int, orthogonalize: bool = True, starting_vector: Any = None, name: str = "lanczos_bidiag"
) -> LanczosBidiagState:
    """Orthonormal u, v and bidiagonal (alpha, beta) with A v = u B."""

    def array(size: Any, dtype: Any, name: str) -> Any:
        return tf.TensorArray(dtype=dtype, size=size, tensor_array_name=name, clear_after_read=False)

    def column(vectors: Any, i: Any) -> Any:
        return tf.expand_dims(vectors.read(i), -1)

    def with_column(vectors: Any, vector: Any, i: Any) -> Any:
        return vectors.write(i, tf.squeeze(vector))

    def project(j: Any, basis: Any, v: Any) -> tuple[Any, Any, Any]:
        shape = v.get_shape()
        base = column(basis, j)
        v -= tf.matmul(base, v, adjoint_a=True) * base
        v.set_shape(shape)
        return j + 1, basis, v

    def once(i: Any, basis: Any, v: Any) -> tuple[Any, Any]:
        j = tf.constant(0, dtype=tf.int32)
        _, _, v = tf.while_loop(lambda j, basis, v: j < i, project, [j, basis, v])
        return l2normalize(v)

    def orthogonal(i: Any, basis: Any, v: Any) -> Any:
        before = l2norm(v)
        result, after = once(i, basis, v)
        return tf.cond(after < _KEPT * before, lambda: once(i, basis, v), lambda: (result, after))

    def step(i: Any, old: Any) -> tuple[Any, Any]:
        u = column(old.u, i)
        r = operator.apply_adjoint(u)
        shape = r.get_shape()
        r = tf.cond(i > 0, lambda: r - old.beta.read(i - 1) * column(old.v, i - 1), lambda: r)
        r.set_shape(shape)
        v, alpha = orthogonal(i - 1, old.v, r) if orthogonalize else l2normalize(r)
        p = operator.apply(v) - alpha * u
        u, beta = orthogonal(i, old.u, p) if orthogonalize else l2normalize(p)
        return i + 1, LanczosBidiagState(
            with_column(old.u, u, i + 1), with_column(old.v, v, i), old.alpha.write(i, alpha), old.beta.write(i, beta)
        )

    with tf.name_scope(name):
        dtype = operator.dtype
        if starting_vector is None:
            starting_vector = tf.random_uniform(operator.shape[:1], -1, 1, dtype=dtype)
        first, _ = l2normalize(starting_vector)
        state = LanczosBidiagState(
            u=with_column(array(k + 1, dtype, "u"), first, 0), v=array(k, dtype, "v"), alpha=array(k, dtype, "alpha"), beta=array(k, dtype, "beta")
        )  # fmt: skip
        _, state = tf.while_loop(lambda i, _: i < k, step, [tf.constant(0, dtype=tf.int32), state])
        return LanczosBidiagState(
            tf.matrix_transpose(state.u.stack()), tf.matrix_transpose(state.v.stack()), state.alpha.stack(), state.beta.stack()
        )


@export("contrib.solvers.lanczos.bidiag_matmul")
def bidiag_matmul(matrix: Any, alpha: Any, beta: Any, adjoint_b: bool = False, name: str = "bidiag_matmul") -> Any:
    """The product of a matrix and the bidiagonal matrix (alpha, beta), or its adjoint."""
    with tf.name_scope(name):
        alpha = tf.expand_dims(alpha, 0)
        if adjoint_b is False:
            return matrix[:, :-1] * alpha + matrix[:, 1:] * tf.expand_dims(beta, 0)
        beta = tf.expand_dims(beta[:-1], 0)
        zeros = tf.expand_dims(tf.zeros(tf.shape(matrix)[:1], dtype=matrix.dtype), 1)
        return matrix * alpha + tf.concat([zeros, matrix[:, :-1] * beta], 1)


@export("contrib.solvers.least_squares.cgls")
def cgls(operator: Any, rhs: Any, tol: float = 1e-6, max_iter: int = 20, name: str = "cgls") -> CGLSState:
    """The least squares solution of A x = b by conjugate gradients."""

    def step(i: Any, state: Any) -> tuple[Any, Any]:
        q = operator.apply(state.p)
        alpha = state.gamma / l2norm_squared(q)
        x = state.x + alpha * state.p
        r = state.r - alpha * q
        s = operator.apply_adjoint(r)
        gamma = l2norm_squared(s)
        p = s + gamma / state.gamma * state.p
        return i + 1, CGLSState(i + 1, x, r, p, gamma)

    with tf.name_scope(name):
        n = operator.shape[1:]
        rhs = tf.expand_dims(rhs, -1)
        s0 = operator.apply_adjoint(rhs)
        gamma0 = l2norm_squared(s0)
        limit = tol * tol * gamma0
        x = tf.expand_dims(tf.zeros(n, dtype=rhs.dtype.base_dtype), -1)
        i = tf.constant(0, dtype=tf.int32)
        state = CGLSState(i=i, x=x, r=rhs, p=s0, gamma=gamma0)
        _, state = tf.while_loop(lambda i, s: tf.logical_and(i < max_iter, s.gamma > limit), step, [i, state])
        return CGLSState(state.i, x=tf.squeeze(state.x), r=tf.squeeze(state.r), p=tf.squeeze(state.p), gamma=state.gamma)


@export("contrib.solvers.linear_equations.conjugate_gradient")
def conjugate_gradient(
    operator: Any, rhs: Any, preconditioner: Any = None, x: Any = None, tol: float = 1e-4, max_iter: int = 20, name: str = "conjugate_gradient"
) -> CGState:  # fmt: skip
    """The solution of A x = b for a positive definite A."""

    def step(i: Any, state: Any) -> tuple[Any, Any]:
        z = operator.apply(state.p)
        alpha = state.gamma / dot(state.p, z)
        x = state.x + alpha * state.p
        r = state.r - alpha * z
        q = r if preconditioner is None else preconditioner.apply(r)
        gamma = dot(r, q)
        p = q + gamma / state.gamma * state.p
        return i + 1, CGState(i + 1, x, r, p, gamma)

    with tf.name_scope(name):
        n = operator.shape[1:]
        rhs = tf.expand_dims(rhs, -1)
        if x is None:
            x = tf.expand_dims(tf.zeros(n, dtype=rhs.dtype.base_dtype), -1)
            r0 = rhs
        else:
            x = tf.expand_dims(x, -1)
            r0 = rhs - operator.apply(x)
        p0 = r0 if preconditioner is None else preconditioner.apply(r0)
        gamma0 = dot(r0, p0)
        tol *= tf.norm(r0)
        i = tf.constant(0, dtype=tf.int32)
        state = CGState(i=i, x=x, r=r0, p=p0, gamma=gamma0)
        _, state = tf.while_loop(lambda i, s: tf.logical_and(i < max_iter, tf.norm(s.r) > tol), step, [i, state])
        return CGState(state.i, x=tf.squeeze(state.x), r=tf.squeeze(state.r), p=tf.squeeze(state.p), gamma=state.gamma)
