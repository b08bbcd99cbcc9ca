"""Multivariate normal distributions."""

from __future__ import annotations

from typing import Any

from runtime.tf1.distribution.bijectors import AffineLinearOperator
from runtime.tf1.distribution.continuous import Normal
from runtime.tf1.distribution.distribution import RegisterKL, given
from runtime.tf1.distribution.distribution_util import dimension_size, with_dependencies
from runtime.tf1.distribution.scale_operators import as_tensor, is_diagonal_scale, make_diag_scale, shapes_from_loc_and_scale
from runtime.tf1.distribution.transformed import TransformedDistribution
from runtime.tf1.linear_operator.basic import LinearOperatorIdentity, LinearOperatorLowerTriangular
from runtime.tf1.linear_operator.composed import LinearOperatorLowRankUpdate
from runtime.tf1.modules import module
from runtime.tf1.registry import export

tf: Any = module("")


class AffineOfScalars(TransformedDistribution):
    """A distribution of independent numbers, moved and multiplied by an operator."""

    def _build(self, base: Any, loc: Any, scale: Any, validate_args: bool, name: str) -> None:
        if scale is None:
            raise ValueError("Missing required `scale` parameter.")
        if not scale.dtype.is_floating:
            raise TypeError("`scale` parameter must have floating-point dtype.")
        with tf.name_scope(name, values=[loc, *scale.graph_parents]) as scope:
            loc = as_tensor(loc, "loc")
            batch_shape, event_shape = shapes_from_loc_and_scale(loc, scale)
        TransformedDistribution.__init__(
            self,
            distribution=base(scale.dtype),
            bijector=AffineLinearOperator(shift=loc, scale=scale, validate_args=validate_args),
            batch_shape=batch_shape,
            event_shape=event_shape,
            validate_args=validate_args,
            name=scope,
        )

    loc = property(lambda self: self._bijector.shift)
    scale = property(lambda self: self._bijector.scale)

    def _mean(self) -> Any:
        shape: Any = self.batch_shape.concatenate(self.event_shape)
        is_static = shape.is_fully_defined()
        if not is_static:
            shape = tf.concat([self.batch_shape_tensor(), self.event_shape_tensor()], 0)
        if self.loc is None:
            return tf.zeros(shape, self.dtype)
        if is_static and shape == self.loc.get_shape():
            return tf.identity(self.loc)
        return tf.identity(self.loc) + tf.zeros(shape, self.dtype)

    def _product(self) -> Any:
        """scale scale'"""
        if isinstance(self.scale, LinearOperatorLowRankUpdate) and self.scale.is_self_adjoint:
            return self.scale.matmul(self.scale.to_dense())
        return self.scale.matmul(self.scale.to_dense(), adjoint_arg=True)

    def _mode(self) -> Any:
        return self._mean()


@export("contrib.distributions.MultivariateNormalLinearOperator")
class MultivariateNormalLinearOperator(AffineOfScalars):
    def __init__(
        self, loc: Any = None, scale: Any = None, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "MultivariateNormalLinearOperator",
    ) -> None:  # fmt: skip
        parameters = given(locals())
        self._build(lambda dtype: Normal(loc=tf.zeros([], dtype=dtype), scale=tf.ones([], dtype=dtype)), loc, scale, validate_args, name)
        self._parameters = parameters

    def _covariance(self) -> Any:
        if is_diagonal_scale(self.scale):
            return tf.matrix_diag(tf.square(self.scale.diag_part()))
        return self.scale.matmul(self.scale.to_dense(), adjoint_arg=True)

    def _variance(self) -> Any:
        if is_diagonal_scale(self.scale):
            return tf.square(self.scale.diag_part())
        return tf.matrix_diag_part(self._product())

    def _stddev(self) -> Any:
        if is_diagonal_scale(self.scale):
            return tf.abs(self.scale.diag_part())
        return tf.sqrt(tf.matrix_diag_part(self._product()))


@RegisterKL(MultivariateNormalLinearOperator, MultivariateNormalLinearOperator)
def _kl_mvn(a: Any, b: Any, name: str | None = None) -> Any:
    def squared_norm(x: Any) -> Any:
        return tf.reduce_sum(tf.square(x), axis=[-2, -1])

    with tf.name_scope(name, "kl_mvn", values=[a.loc, b.loc, *a.scale.graph_parents, *b.scale.graph_parents]):
        if is_diagonal_scale(a.scale) and is_diagonal_scale(b.scale):
            ratio = (a.stddev() / b.stddev())[..., tf.newaxis]
        else:
            ratio = b.scale.solve(a.scale.to_dense())
        kl = (
            b.scale.log_abs_determinant()
            - a.scale.log_abs_determinant()
            + 0.5
            * (
                -tf.cast(a.scale.domain_dimension_tensor(), a.dtype)
                + squared_norm(ratio)
                + squared_norm(b.scale.solve((b.mean() - a.mean())[..., tf.newaxis]))
            )
        )
        kl.set_shape(tf.broadcast_static_shape(a.batch_shape, b.batch_shape))
        return kl


@export("contrib.distributions.MultivariateNormalDiag")
class MultivariateNormalDiag(MultivariateNormalLinearOperator):
    def __init__(
        self, loc: Any = None, scale_diag: Any = None, scale_identity_multiplier: Any = None, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "MultivariateNormalDiag",
    ) -> None:  # fmt: skip
        parameters = given(locals())
        with tf.name_scope(name) as scope, tf.name_scope("init", values=[loc, scale_diag, scale_identity_multiplier]):
            scale = make_diag_scale(loc=loc, scale_diag=scale_diag, scale_identity_multiplier=scale_identity_multiplier)
        super().__init__(loc=loc, scale=scale, validate_args=validate_args, allow_nan_stats=allow_nan_stats, name=scope)
        self._parameters = parameters


@export("contrib.distributions.MultivariateNormalDiagWithSoftplusScale")
class MultivariateNormalDiagWithSoftplusScale(MultivariateNormalDiag):
    def __init__(
        self, loc: Any, scale_diag: Any, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "MultivariateNormalDiagWithSoftplusScale",
    ) -> None:  # fmt: skip
        parameters = given(locals())
        with tf.name_scope(name, values=[scale_diag]) as scope:
            super().__init__(loc, tf.nn.softplus(scale_diag), validate_args=validate_args, allow_nan_stats=allow_nan_stats, name=scope)
        self._parameters = parameters


@export("contrib.distributions.MultivariateNormalTriL")
class MultivariateNormalTriL(MultivariateNormalLinearOperator):
    def __init__(
        self, loc: Any = None, scale_tril: Any = None, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "MultivariateNormalTriL"
    ) -> None:  # fmt: skip
        parameters = given(locals())
        if loc is None and scale_tril is None:
            raise ValueError("Must specify one or both of `loc`, `scale_tril`.")
        with tf.name_scope(name) as scope, tf.name_scope("init", values=[loc, scale_tril]):
            loc, scale_tril = as_tensor(loc, "loc"), as_tensor(scale_tril, "scale_tril")
            if scale_tril is None:
                scale: Any = LinearOperatorIdentity(
                    num_rows=dimension_size(loc, -1), dtype=loc.dtype, is_self_adjoint=True, is_positive_definite=True, assert_proper_shapes=validate_args
                )  # fmt: skip
            else:
                scale = LinearOperatorLowerTriangular(scale_tril, is_non_singular=True, is_self_adjoint=False, is_positive_definite=False)
        super().__init__(loc=loc, scale=scale, validate_args=validate_args, allow_nan_stats=allow_nan_stats, name=scope)
        self._parameters = parameters


@export("contrib.distributions.MultivariateNormalFullCovariance")
class MultivariateNormalFullCovariance(MultivariateNormalTriL):
    def __init__(
        self, loc: Any = None, covariance_matrix: Any = None, validate_args: bool = False, allow_nan_stats: bool = True,
        name: str = "MultivariateNormalFullCovariance",
    ) -> None:  # fmt: skip
        parameters = given(locals())
        with tf.name_scope(name) as scope, tf.name_scope("init", values=[loc, covariance_matrix]):
            tril = None
            if covariance_matrix is not None:
                matrix = tf.convert_to_tensor(covariance_matrix, name="covariance_matrix")
                if validate_args:
                    turned = tf.matrix_transpose(matrix)
                    matrix = with_dependencies([tf.debugging.assert_near(matrix, turned, message="Matrix was not symmetric")], matrix)
                tril = tf.cholesky(matrix)
            super().__init__(loc=loc, scale_tril=tril, validate_args=validate_args, allow_nan_stats=allow_nan_stats, name=scope)
        self._parameters = parameters


@export("contrib.distributions.MultivariateNormalDiagPlusLowRank")
class MultivariateNormalDiagPlusLowRank(MultivariateNormalLinearOperator):
    def __init__(
        self, loc: Any = None, scale_diag: Any = None, scale_identity_multiplier: Any = None, scale_perturb_factor: Any = None,
        scale_perturb_diag: Any = None, validate_args: bool = False, allow_nan_stats: bool = True, name: str = "MultivariateNormalDiagPlusLowRank",
    ) -> None:  # fmt: skip
        parameters = given(locals())
        with tf.name_scope(name) as scope, tf.name_scope("init"):
            is_perturbed = scale_perturb_factor is not None or scale_perturb_diag is not None
            scale = make_diag_scale(
                loc=loc, scale_diag=scale_diag, scale_identity_multiplier=scale_identity_multiplier, validate_args=validate_args,
                assert_positive=is_perturbed,
            )  # fmt: skip
            factor, diagonal = as_tensor(scale_perturb_factor, "scale_perturb_factor"), as_tensor(scale_perturb_diag, "scale_perturb_diag")
            if is_perturbed:
                scale = LinearOperatorLowRankUpdate(
                    scale, u=factor, diag_update=diagonal, is_diag_update_positive=diagonal is None, is_non_singular=True, is_self_adjoint=True,
                    is_positive_definite=True, is_square=True,
                )  # fmt: skip
        super().__init__(loc=loc, scale=scale, validate_args=validate_args, allow_nan_stats=allow_nan_stats, name=scope)
        self._parameters = parameters
