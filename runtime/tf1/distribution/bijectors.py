"""Bijectors: elementwise functions, affine maps, chains, permutations and reshapes."""

from __future__ import annotations

from typing import Any

import numpy as np

from runtime.tf1.distribution.bijector import Bijector
from runtime.tf1.distribution.distribution_util import dimension_size, softplus_inverse, with_dependencies
from runtime.tf1.distribution.event_shape import DistributionShape
from runtime.tf1.distribution.scale_operators import make_tril_scale
from runtime.tf1.graph import Tensor
from runtime.tf1.linear_operator.composed import LinearOperatorLowRankUpdate
from runtime.tf1.linear_operator.operator import LinearOperator
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.static_values import constant_value

tf: Any = module("")
B = "contrib.distributions.bijectors"


class Scalar(Bijector):
    """A bijector of single numbers."""

    def __init__(self, validate_args: bool, name: str | None, is_constant_jacobian: bool = False) -> None:
        super().__init__(forward_min_event_ndims=0, is_constant_jacobian=is_constant_jacobian, validate_args=validate_args, name=name)

    def _begin(self, name: str | None, validate_args: bool) -> None:
        """What `_name_scope` needs before the constructor of the base."""
        self._graph_parents: list[Any] = []
        self._name, self._validate_args = name or "", validate_args


@export(f"{B}.PowerTransform")
class PowerTransform(Scalar):
    """(1 + x c)^(1/c), exp(x) for c = 0"""

    def __init__(self, power: Any = 0.0, validate_args: bool = False, name: str = "power_transform") -> None:
        self._begin(name, validate_args)
        with self._name_scope("init", values=[power]):
            known = constant_value(tf.convert_to_tensor(power, name="power"))
        if known is None or known < 0:
            raise ValueError("`power` must be a non-negative TF constant.")
        self._power = known
        super().__init__(validate_args, name)

    power = property(lambda self: self._power)

    def _forward(self, x: Any) -> Any:
        x = self._valid_x(x)
        return tf.exp(x) if self._power == 0.0 else tf.exp(tf.log1p(x * self._power) / self._power)

    def _inverse(self, y: Any) -> Any:
        y = self._valid_y(y)
        return tf.log(y) if self._power == 0.0 else tf.expm1(tf.log(y) * self._power) / self._power

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        y = self._valid_y(y)
        return (self._power - 1.0) * tf.log(y)

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        x = self._valid_x(x)
        return x if self._power == 0.0 else (1.0 / self._power - 1.0) * tf.log1p(x * self._power)

    def _valid_x(self, x: Any) -> Any:
        if not self._validate_args or self._power == 0.0:
            return x
        message = f"Forward transformation input must be at least {-1.0 / self._power}."
        return with_dependencies([tf.assert_non_negative(1.0 + self._power * x, message=message)], x)

    def _valid_y(self, y: Any) -> Any:
        if not self._validate_args:
            return y
        return with_dependencies([tf.assert_positive(y, message="Inverse transformation input must be greater than 0.")], y)


@export(f"{B}.Exp")
class Exp(PowerTransform):
    def __init__(self, validate_args: bool = False, name: str = "exp") -> None:
        super().__init__(validate_args=validate_args, name=name)


@export(f"{B}.Sigmoid")
class Sigmoid(Scalar):
    def __init__(self, validate_args: bool = False, name: str = "sigmoid") -> None:
        super().__init__(validate_args, name)

    def _forward(self, x: Any) -> Any:
        return tf.sigmoid(x)

    def _inverse(self, y: Any) -> Any:
        return tf.log(y) - tf.log1p(-y)

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        return -tf.log(y) - tf.log1p(-y)

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        return -tf.nn.softplus(-x) - tf.nn.softplus(x)


@export(f"{B}.Softplus")
class Softplus(Scalar):
    def __init__(self, hinge_softness: Any = None, validate_args: bool = False, name: str = "softplus") -> None:
        with tf.name_scope(name, values=[hinge_softness]):
            self._softness = None if hinge_softness is None else tf.convert_to_tensor(hinge_softness, name="hinge_softness")
            if validate_args and self._softness is not None:
                zero = tf.convert_to_tensor(0, dtype=self._softness.dtype)
                check = tf.assert_none_equal(zero, self._softness, message="hinge_softness must be non-zero")
                self._softness = with_dependencies([check], self._softness)
        super().__init__(validate_args, name)

    hinge_softness = property(lambda self: self._softness)

    def _forward(self, x: Any) -> Any:
        if self._softness is None:
            return tf.nn.softplus(x)
        softness = tf.cast(self._softness, x.dtype)
        return softness * tf.nn.softplus(x / softness)

    def _inverse(self, y: Any) -> Any:
        if self._softness is None:
            return softplus_inverse(y)
        softness = tf.cast(self._softness, y.dtype)
        return softness * softplus_inverse(y / softness)

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        if self._softness is not None:
            y /= tf.cast(self._softness, y.dtype)
        return -tf.log(-tf.expm1(-y))

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        if self._softness is not None:
            x /= tf.cast(self._softness, x.dtype)
        return -tf.nn.softplus(-x)


@export(f"{B}.Softsign")
class Softsign(Scalar):
    def __init__(self, validate_args: bool = False, name: str = "softsign") -> None:
        super().__init__(validate_args, name)

    def _forward(self, x: Any) -> Any:
        return x / (1.0 + tf.abs(x))

    def _inverse(self, y: Any) -> Any:
        y = self._valid_y(y)
        return y / (1.0 - tf.abs(y))

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        return -2.0 * tf.log1p(tf.abs(x))

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        y = self._valid_y(y)
        return -2.0 * tf.log1p(-tf.abs(y))

    def _valid_y(self, y: Any) -> Any:
        if not self._validate_args:
            return y
        message = "Inverse transformation input must be in (-1, 1)."
        one = tf.cast(1, dtype=y.dtype.base_dtype)
        return with_dependencies([tf.assert_greater(y, -one, message=message), tf.assert_less(y, one, message=message)], y)


@export(f"{B}.Square")
class Square(Scalar):
    """x^2 on the non-negative numbers"""

    def __init__(self, validate_args: bool = False, name: str = "square") -> None:
        super().__init__(validate_args, name)

    def _forward(self, x: Any) -> Any:
        return tf.square(self._valid(x))

    def _inverse(self, y: Any) -> Any:
        return tf.sqrt(self._valid(y))

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        x = self._valid(x)
        return np.log(2.0) + tf.log(x)

    def _valid(self, t: Any) -> Any:
        if not self._validate_args:
            return t
        return with_dependencies([tf.assert_non_negative(t, message="All elements must be non-negative.")], t)


@export(f"{B}.AbsoluteValue")
class AbsoluteValue(Scalar):
    """|x|, whose inverse is the pair (-y, y)"""

    _is_injective = False

    def __init__(self, validate_args: bool = False, name: str = "absolute_value") -> None:
        self._begin(name, validate_args)
        with self._name_scope("init"):
            super().__init__(validate_args, name, is_constant_jacobian=True)

    def _forward(self, x: Any) -> Any:
        return tf.abs(x)

    def _inverse(self, y: Any) -> Any:
        if self._validate_args:
            y = with_dependencies([tf.assert_non_negative(y, message="Argument y was negative")], y)
        return -y, y

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        zeros = tf.constant(0.0, dtype=y.dtype)
        if self._validate_args:
            zeros = with_dependencies([tf.assert_non_negative(y, message="Argument y was negative")], zeros)
        return zeros, zeros


@export(f"{B}.Gumbel")
class GumbelCDF(Scalar):
    """exp(-exp(-(x - loc) / scale))"""

    def __init__(self, loc: Any = 0.0, scale: Any = 1.0, validate_args: bool = False, name: str = "gumbel") -> None:
        self._begin(name, validate_args)
        with self._name_scope("init", values=[loc, scale]):
            self._loc, self._scale = tf.convert_to_tensor(loc, name="loc"), tf.convert_to_tensor(scale, name="scale")
            tf.debugging.assert_same_float_dtype([self._loc, self._scale])
            if validate_args:
                self._scale = with_dependencies([tf.assert_positive(self._scale, message="Argument scale was not positive")], self._scale)
        super().__init__(validate_args, name)

    loc = property(lambda self: self._loc)
    scale = property(lambda self: self._scale)

    def _forward(self, x: Any) -> Any:
        z = (x - self._loc) / self._scale
        return tf.exp(-tf.exp(-z))

    def _inverse(self, y: Any) -> Any:
        return self._loc - self._scale * tf.log(-tf.log(self._valid_y(y)))

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        y = self._valid_y(y)
        return tf.log(self._scale / (-tf.log(y) * y))

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        z = (x - self._loc) / self._scale
        return -z - tf.exp(-z) - tf.log(self._scale)

    def _valid_y(self, y: Any) -> Any:
        if not self._validate_args:
            return y
        low = tf.assert_non_negative(y, message="Inverse transformation input must be greater than 0.")
        high = tf.assert_less_equal(y, tf.constant(1.0, y.dtype), message="Inverse transformation input must be less than or equal to 1.")
        return with_dependencies([low, high], y)


@export(f"{B}.AffineScalar")
class AffineScalar(Scalar):
    def __init__(self, shift: Any = None, scale: Any = None, validate_args: bool = False, name: str = "affine_scalar") -> None:
        self._begin(name, validate_args)
        with self._name_scope("init", values=[scale, shift]):
            self._shift = None if shift is None else tf.convert_to_tensor(shift, name="shift")
            self._scale = None if scale is None else tf.convert_to_tensor(scale, name="scale")
            if self._scale is not None and validate_args:
                zero = tf.zeros([], dtype=self._scale.dtype)
                self._scale = with_dependencies([tf.assert_none_equal(self._scale, zero)], self._scale)
            super().__init__(validate_args, name, is_constant_jacobian=True)

    shift = property(lambda self: self._shift)
    scale = property(lambda self: self._scale)

    def _forward(self, x: Any) -> Any:
        y = tf.identity(x)
        if self._scale is not None:
            y *= self._scale
        if self._shift is not None:
            y += self._shift
        return y

    def _inverse(self, y: Any) -> Any:
        x = tf.identity(y)
        if self._shift is not None:
            x -= self._shift
        if self._scale is not None:
            x /= self._scale
        return x

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        return tf.constant(0.0, dtype=x.dtype.base_dtype) if self._scale is None else tf.log(tf.abs(self._scale))


class _Shaped(Scalar):
    """An affine map of vectors by an operator."""

    _scale: Any
    _shift: Any
    _shaper: DistributionShape
    shift = property(lambda self: self._shift)
    scale = property(lambda self: self._scale)

    def _check_shift(self) -> None:
        if self._shift is not None and self._shift.dtype.base_dtype != self._scale.dtype.base_dtype:
            raise TypeError(f"shift.dtype({self._shift.dtype}) is incompatible with scale.dtype({self._scale.dtype}).")

    def _non_singular(self) -> list[Any]:
        if not self._validate_args:
            return []
        try:
            return [self._scale.assert_non_singular()]
        except NotImplementedError:
            return []

    def _scaled(self, x: Any, solve: bool) -> Any:
        x, sample = self._shaper.make_batch_of_event_sample_matrices(x, expand_batch_dim=False)
        if solve:
            x = self._scale.solve(x)
        else:
            with tf.control_dependencies(self._non_singular()):
                x = self._scale.matmul(x)
        return self._shaper.undo_make_batch_of_event_sample_matrices(x, sample, expand_batch_dim=False)


@export(f"{B}.AffineLinearOperator")
class AffineLinearOperator(_Shaped):
    def __init__(self, shift: Any = None, scale: Any = None, validate_args: bool = False, name: str = "affine_linear_operator") -> None:
        self._begin(name, validate_args)
        parents: list[Any] = []
        with self._name_scope("init", values=[shift]):
            dtype = tf.float32
            if shift is not None:
                shift = tf.convert_to_tensor(shift, name="shift")
                parents.append(shift)
                dtype = shift.dtype.base_dtype
            self._shift, self._scale = shift, scale
            batch_ndims: Any = 0
            if scale is not None:
                self._check_shift()
                if not isinstance(scale, LinearOperator):
                    raise TypeError("scale is not an instance of tf.LinearOperator")
                if validate_args and not scale.is_non_singular:
                    raise ValueError("Scale matrix must be non-singular.")
                parents += scale.graph_parents
                if scale.tensor_rank is not None:
                    batch_ndims = scale.tensor_rank - 2
                else:
                    batch_ndims = scale.tensor_rank_tensor() - 2
                    parents.append(batch_ndims)
                if scale.dtype is not None:
                    dtype = scale.dtype.base_dtype
            self._shaper = DistributionShape(batch_ndims=batch_ndims, event_ndims=1, validate_args=validate_args)
            Bijector.__init__(
                self, graph_parents=parents, forward_min_event_ndims=1, is_constant_jacobian=True, dtype=dtype, validate_args=validate_args, name=name
            )  # fmt: skip

    def _forward(self, x: Any) -> Any:
        y = x if self._scale is None else self._scaled(x, solve=False)
        return y if self._shift is None else y + self._shift

    def _inverse(self, y: Any) -> Any:
        x = y if self._shift is None else y - self._shift
        return x if self._scale is None else self._scaled(x, solve=True)

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        if self._scale is None:
            return tf.constant(0.0, dtype=x.dtype.base_dtype)
        with tf.control_dependencies(self._non_singular()):
            return self._scale.log_abs_determinant()


def _tensor(x: Any, name: str) -> Any:
    return None if x is None else tf.convert_to_tensor(x, name=name)


@export(f"{B}.Affine")
class Affine(_Shaped):
    """shift + (c I + diag + tril + U D U') x"""

    def __init__(
        self, shift: Any = None, scale_identity_multiplier: Any = None, scale_diag: Any = None, scale_tril: Any = None, scale_perturb_factor: Any = None,
        scale_perturb_diag: Any = None, validate_args: bool = False, name: str = "affine",
    ) -> None:  # fmt: skip
        self._begin(name, validate_args)
        if scale_perturb_diag is not None and scale_perturb_factor is None:
            raise ValueError("When scale_perturb_diag is specified, scale_perturb_factor must be specified.")
        self._is_multiplier = scale_tril is None and scale_diag is None and scale_perturb_factor is None
        values = [shift, scale_identity_multiplier, scale_diag, scale_tril, scale_perturb_diag, scale_perturb_factor]
        with self._name_scope("init", values=values):
            dtype = tf.float32
            if shift is not None:
                shift = tf.convert_to_tensor(shift, name="shift")
                dtype = shift.dtype.base_dtype
            self._shift = shift
            if self._is_multiplier and scale_identity_multiplier is None:
                scale_identity_multiplier = tf.convert_to_tensor(1.0, dtype=dtype)
            self._scale = self._operator(
                scale_identity_multiplier, scale_diag, scale_tril, scale_perturb_diag, scale_perturb_factor, shift, validate_args
            )
            if self._scale.dtype is not None:
                dtype = self._scale.dtype.base_dtype
            batch_ndims: Any = 0
            if not self._is_multiplier:
                self._check_shift()
                rank = self._scale.tensor_rank
                batch_ndims = rank - 2 if rank is not None else self._scale.tensor_rank_tensor() - 2
            self._shaper = DistributionShape(batch_ndims=batch_ndims, event_ndims=1, validate_args=validate_args)
            if isinstance(self._scale, Tensor):
                parents = [self._scale]
            else:
                parents = [*self._scale.graph_parents, self._shift] if self._shift is not None else []
            Bijector.__init__(
                self, graph_parents=parents, forward_min_event_ndims=1, is_constant_jacobian=True, dtype=dtype, validate_args=validate_args, name=name
            )  # fmt: skip

    def _operator(
        self, multiplier: Any, diag: Any, tril: Any, perturb_diag: Any, perturb_factor: Any, shift: Any, validate_args: bool
    ) -> Any:
        multiplier, diag, tril = _tensor(multiplier, "identity_multiplier"), _tensor(diag, "diag"), _tensor(tril, "tril")
        perturb_diag, perturb_factor = _tensor(perturb_diag, "perturb_diag"), _tensor(perturb_factor, "perturb_factor")
        hint = None if perturb_factor is None else dimension_size(perturb_factor, axis=-2)
        if self._is_multiplier:
            if not validate_args:
                return multiplier
            zero = tf.zeros([], multiplier.dtype)
            return with_dependencies([tf.assert_none_equal(multiplier, zero, ["identity_multiplier should be non-zero."])], multiplier)
        scale = make_tril_scale(
            loc=shift, scale_tril=tril, scale_diag=diag, scale_identity_multiplier=multiplier, validate_args=validate_args, shape_hint=hint
        )
        if perturb_factor is None:
            return scale
        return LinearOperatorLowRankUpdate(
            scale, u=perturb_factor, diag_update=perturb_diag, is_diag_update_positive=perturb_diag is None, is_non_singular=True,
            is_self_adjoint=True, is_positive_definite=True, is_square=True,
        )  # fmt: skip

    def _forward(self, x: Any) -> Any:
        y = x * self._scale if self._is_multiplier else self._scaled(x, solve=False)
        return y if self._shift is None else y + self._shift

    def _inverse(self, y: Any) -> Any:
        x = y if self._shift is None else y - self._shift
        return x / self._scale if self._is_multiplier else self._scaled(x, solve=True)

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        if not self._is_multiplier:
            return self._scale.log_abs_determinant()
        size = tf.cast(tf.shape(x)[-1], dtype=self._scale.dtype)
        return tf.log(tf.abs(self._scale)) * size


def _min_event_ndims(bijectors: list[Any], forward: bool) -> int:
    """How many dimensions a chain must see as the event, where its members may add and take away some."""
    total = adjusted = 0
    for b in bijectors[::-1] if forward else bijectors:
        here, there = b.forward_min_event_ndims, b.inverse_min_event_ndims
        if not forward:
            here, there = there, here
        if adjusted < here:
            total += here - adjusted
        adjusted = max(here, adjusted) - (here - there)
    return total


@export(f"{B}.Chain")
class Chain(Bijector):
    """Bijectors, the last one first."""

    def __init__(self, bijectors: Any = None, validate_args: bool = False, name: str | None = None) -> None:
        self._bijectors = list(bijectors or ())
        for b in self._bijectors:
            if not b._is_injective:
                raise NotImplementedError(f"Invert is not implemented for non-injective bijector ({b.name})")
        kinds = {b.dtype for b in self._bijectors} - {None}
        if len(kinds) > 1:
            raise ValueError(f"incompatible dtypes: {sorted(d.name for d in kinds)}")
        default = "identity" if not self._bijectors else "_of_".join(["chain", *(b.name for b in self._bijectors)])
        super().__init__(
            graph_parents=[p for b in self._bijectors for p in b.graph_parents],
            forward_min_event_ndims=_min_event_ndims(self._bijectors, True),
            inverse_min_event_ndims=_min_event_ndims(self._bijectors, False),
            is_constant_jacobian=all(b.is_constant_jacobian for b in self._bijectors),
            validate_args=validate_args,
            dtype=next(iter(kinds), None),
            name=name or default,
        )

    bijectors = property(lambda self: self._bijectors)

    def _through(self, what: str, value: Any, forward: bool) -> Any:
        for b in self._bijectors[::-1] if forward else self._bijectors:
            value = getattr(b, what)(value)
        return value

    def _forward_event_shape(self, input_shape: Any) -> Any:
        return self._through("forward_event_shape", input_shape, True)

    def _forward_event_shape_tensor(self, input_shape: Any) -> Any:
        return self._through("forward_event_shape_tensor", input_shape, True)

    def _inverse_event_shape(self, output_shape: Any) -> Any:
        return self._through("inverse_event_shape", output_shape, False)

    def _inverse_event_shape_tensor(self, output_shape: Any) -> Any:
        return self._through("inverse_event_shape_tensor", output_shape, False)

    def _inverse(self, y: Any, **kwargs: Any) -> Any:
        for b in self._bijectors:
            y = b.inverse(y, **kwargs.get(b.name, {}))
        return y

    def _forward(self, x: Any, **kwargs: Any) -> Any:
        for b in self._bijectors[::-1]:
            x = b.forward(x, **kwargs.get(b.name, {}))
        return x

    def _log_det(self, value: Any, way: str, name: str, min_event_ndims: int, bijectors: list[Any], kwargs: dict[str, Any]) -> Any:
        value = tf.convert_to_tensor(value, name=name)
        total = tf.cast(0.0, dtype=value.dtype.base_dtype)
        if not self._bijectors:
            return total
        ndims: Any = self._maybe_get_static_event_ndims(min_event_ndims)

        def is_static() -> bool:
            return value.get_shape().is_fully_defined() and isinstance(ndims, int)

        if is_static():
            shape: Any = value.get_shape()[value.get_shape().ndims - ndims :]
        else:
            shape = tf.shape(value)[tf.rank(value) - ndims :]
        for b in bijectors:
            more = kwargs.get(b.name, {})
            total += getattr(b, f"{way}_log_det_jacobian")(value, event_ndims=ndims, **more)
            if is_static():
                shape = getattr(b, f"{way}_event_shape")(shape)
                ndims = self._maybe_get_static_event_ndims(shape.ndims)
            else:
                shape = getattr(b, f"{way}_event_shape_tensor")(shape)
                ndims = tf.size(shape)
                known = self._maybe_get_static_event_ndims(ndims)
                ndims = ndims if known is None else known
            value = getattr(b, way)(value, **more)
        return total

    def _inverse_log_det_jacobian(self, y: Any, **kwargs: Any) -> Any:
        return self._log_det(y, "inverse", "y", self.inverse_min_event_ndims, self._bijectors, kwargs)

    def _forward_log_det_jacobian(self, x: Any, **kwargs: Any) -> Any:
        return self._log_det(x, "forward", "x", self.forward_min_event_ndims, self._bijectors[::-1], kwargs)


@export(f"{B}.Invert")
class Invert(Bijector):
    def __init__(self, bijector: Any, validate_args: bool = False, name: str | None = None) -> None:
        if not bijector._is_injective:
            raise NotImplementedError("Invert is not implemented for non-injective bijectors.")
        self._bijector = bijector
        super().__init__(
            graph_parents=bijector.graph_parents,
            forward_min_event_ndims=bijector.inverse_min_event_ndims,
            inverse_min_event_ndims=bijector.forward_min_event_ndims,
            is_constant_jacobian=bijector.is_constant_jacobian,
            validate_args=validate_args,
            dtype=bijector.dtype,
            name=name or f"invert_{bijector.name}",
        )

    bijector = property(lambda self: self._bijector)

    def _forward_event_shape(self, input_shape: Any) -> Any:
        return self._bijector._inverse_event_shape(input_shape)

    def _forward_event_shape_tensor(self, input_shape: Any) -> Any:
        return self._bijector._inverse_event_shape_tensor(input_shape)

    def _inverse_event_shape(self, output_shape: Any) -> Any:
        return self._bijector._forward_event_shape(output_shape)

    def _inverse_event_shape_tensor(self, output_shape: Any) -> Any:
        return self._bijector._forward_event_shape_tensor(output_shape)

    def _forward(self, x: Any, **kwargs: Any) -> Any:
        return self._bijector._inverse(x, **kwargs)

    def _inverse(self, y: Any, **kwargs: Any) -> Any:
        return self._bijector._forward(y, **kwargs)

    def _inverse_log_det_jacobian(self, y: Any, **kwargs: Any) -> Any:
        return self._bijector._forward_log_det_jacobian(y, **kwargs)

    def _forward_log_det_jacobian(self, x: Any, **kwargs: Any) -> Any:
        return self._bijector._inverse_log_det_jacobian(x, **kwargs)


@export(f"{B}.Permute")
class Permute(Bijector):
    def __init__(self, permutation: Any, validate_args: bool = False, name: str | None = None) -> None:
        with tf.name_scope(name, "permute", values=[permutation]):
            permutation = tf.convert_to_tensor(permutation, name="permutation")
            if not permutation.dtype.is_integer:
                raise TypeError(f"permutation.dtype ({permutation.dtype.name}) should be `int`-like.")
            known = constant_value(permutation)
            message = "Permutation over `d` must contain exactly one of each of `{0, 1, ..., d}`."
            if known is not None:
                if set(known.tolist()) != set(range(known.size)):
                    raise ValueError(message)
            elif validate_args:
                p, _ = tf.nn.top_k(-permutation, k=tf.shape(permutation)[-1], sorted=True)
                permutation = with_dependencies([tf.assert_equal(-p, tf.range(tf.size(p)), message=message)], permutation)
            self._permutation = permutation
            super().__init__(forward_min_event_ndims=1, is_constant_jacobian=True, validate_args=validate_args, name=name or "permute")

    permutation = property(lambda self: self._permutation)

    def _forward(self, x: Any) -> Any:
        return tf.gather(x, self._permutation, axis=-1)

    def _inverse(self, y: Any) -> Any:
        return tf.gather(y, tf.invert_permutation(self._permutation), axis=-1)

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        return tf.constant(0.0, dtype=y.dtype.base_dtype)

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        return tf.constant(0.0, dtype=x.dtype.base_dtype)


@export(f"{B}.Inline")
class Inline(Bijector):
    """A bijector of functions."""

    def __init__(
        self, forward_fn: Any = None, inverse_fn: Any = None, inverse_log_det_jacobian_fn: Any = None, forward_log_det_jacobian_fn: Any = None,
        forward_event_shape_fn: Any = None, forward_event_shape_tensor_fn: Any = None, inverse_event_shape_fn: Any = None,
        inverse_event_shape_tensor_fn: Any = None, is_constant_jacobian: bool = False, validate_args: bool = False, forward_min_event_ndims: Any = None,
        inverse_min_event_ndims: Any = None, name: str = "inline",
    ) -> None:  # fmt: skip
        super().__init__(
            forward_min_event_ndims=forward_min_event_ndims, inverse_min_event_ndims=inverse_min_event_ndims, is_constant_jacobian=is_constant_jacobian,
            validate_args=validate_args, name=name,
        )  # fmt: skip
        self._functions = {
            "forward": forward_fn, "inverse": inverse_fn, "inverse_log_det_jacobian": inverse_log_det_jacobian_fn,
            "forward_log_det_jacobian": forward_log_det_jacobian_fn,
        }  # fmt: skip
        self._shapes = forward_event_shape_fn, forward_event_shape_tensor_fn, inverse_event_shape_fn, inverse_event_shape_tensor_fn

    def _shape_by(self, at: int, shape: Any) -> Any:
        function = self._shapes[at]
        return shape if function is None else function(shape)

    def _forward_event_shape(self, input_shape: Any) -> Any:
        return self._shape_by(0, input_shape)

    def _forward_event_shape_tensor(self, input_shape: Any) -> Any:
        return self._shape_by(1, input_shape)

    def _inverse_event_shape(self, output_shape: Any) -> Any:
        return self._shape_by(2, output_shape)

    def _inverse_event_shape_tensor(self, output_shape: Any) -> Any:
        return self._shape_by(3, output_shape)

    def _by(self, what: str, value: Any, kwargs: dict[str, Any]) -> Any:
        function = self._functions[what]
        if not callable(function):
            raise NotImplementedError(f"{what}_fn is not a callable function.")
        return function(value, **kwargs)

    def _forward(self, x: Any, **kwargs: Any) -> Any:
        return self._by("forward", x, kwargs)

    def _inverse(self, y: Any, **kwargs: Any) -> Any:
        return self._by("inverse", y, kwargs)

    def _inverse_log_det_jacobian(self, y: Any, **kwargs: Any) -> Any:
        return self._by("inverse_log_det_jacobian", y, kwargs)

    def _forward_log_det_jacobian(self, x: Any, **kwargs: Any) -> Any:
        return self._by("forward_log_det_jacobian", x, kwargs)


@export(f"{B}.Reshape")
class Reshape(Bijector):
    """The event in another shape."""

    def __init__(self, event_shape_out: Any, event_shape_in: Any = (-1,), validate_args: bool = False, name: str | None = None) -> None:
        with tf.name_scope(name, "reshape", values=[event_shape_out, event_shape_in]):
            self._out = tf.convert_to_tensor(event_shape_out, name="event_shape_out", preferred_dtype=tf.int32)
            self._in = tf.convert_to_tensor(event_shape_in, name="event_shape_in", preferred_dtype=tf.int32)
            self._checks = [*self._check(self._out, validate_args), *self._check(self._in, validate_args)]
            super().__init__(forward_min_event_ndims=0, is_constant_jacobian=True, validate_args=validate_args, name=name or "reshape")

    def _check(self, shape: Any, validate_args: bool) -> list[Any]:
        if not shape.dtype.is_integer:
            raise TypeError(f"{shape} dtype ({shape.dtype.name}) should be `int`-like.")
        checks = []
        ndims = tf.rank(shape)
        known = constant_value(ndims)
        if known is not None:
            if known > 1:
                raise ValueError(f"`{shape}` rank ({known}) should be <= 1.")
        elif validate_args:
            checks.append(tf.assert_less_equal(ndims, 1, message=f"`{shape}` rank should be <= 1."))
        dims = constant_value(shape)
        if dims is not None:
            if (dims == -1).sum() > 1:
                raise ValueError(f"`{shape}` must have at most one `-1` (given {dims})")
            if (dims < -1).any():
                raise ValueError(f"`{shape}` elements must be either positive integers or `-1`(given {dims}).")
        elif validate_args:
            count = tf.reduce_sum(tf.cast(tf.equal(shape, -1), tf.int32))
            checks.append(tf.assert_less_equal(count, 1, message=f"`{shape}` elements must have at most one `-1`."))
            checks.append(tf.assert_greater_equal(shape, -1, message=f"`{shape}` elements must be either positive integers or `-1`."))
        return checks

    def _reshaped(self, x: Any, before: Any, after: Any) -> Any:
        static_ndims = before.get_shape().with_rank_at_least(1)[0].value
        ndims = tf.shape(before)[0]
        x_shape, x_rank = x.get_shape(), tf.rank(x)
        checks = []
        is_known = static_ndims is not None and x_shape.ndims is not None
        if is_known and x_shape.with_rank_at_least(static_ndims)[x_shape.ndims - static_ndims :].is_fully_defined():
            found: Any = np.array(x_shape[x_shape.ndims - static_ndims :].as_list(), np.int32)
            is_static = True
        else:
            found, is_static = tf.shape(x)[x_rank - ndims :], False
        wanted = constant_value(before)
        if is_static and wanted is not None:
            if not np.equal(found[wanted >= 0], wanted[wanted >= 0]).all():
                raise ValueError(f"Input `event_shape` does not match `event_shape_in` ({found} vs {wanted}).")
        elif self._validate_args:
            mask = tf.reshape(before >= 0, [-1])
            message = "Input `event_shape` does not match `event_shape_in`."
            checks.append(tf.assert_equal(tf.boolean_mask(found, mask), tf.boolean_mask(before, mask), message=message))
        if checks:
            x = with_dependencies(checks, x)
        outer = tf.shape(x)
        total = x_shape.ndims if x_shape.ndims is not None else tf.rank(x)
        outer = outer[: total - tf.abs(ndims)]
        if is_known and static_ndims == x_shape.ndims:
            return tf.reshape(x, after)
        return tf.reshape(x, tf.concat([outer, after], axis=0))

    def _forward(self, x: Any) -> Any:
        with tf.control_dependencies(self._checks):
            return self._reshaped(x, self._in, self._out)

    def _inverse(self, y: Any) -> Any:
        with tf.control_dependencies(self._checks):
            return self._reshaped(y, self._out, self._in)

    def _inverse_log_det_jacobian(self, y: Any) -> Any:
        with tf.control_dependencies(self._checks):
            return tf.constant(0.0, dtype=y.dtype)

    def _forward_log_det_jacobian(self, x: Any) -> Any:
        return self._inverse_log_det_jacobian(x)

    def _tried(self, way: str, shape: Any) -> Any:
        """What becomes of a tensor of this shape."""
        with tf.control_dependencies(self._checks):
            return getattr(self, way)(tf.zeros(dtype=tf.float32, shape=shape))

    def _forward_event_shape(self, input_shape: Any) -> Any:
        return self._tried("forward", input_shape).get_shape()

    def _inverse_event_shape(self, output_shape: Any) -> Any:
        return self._tried("inverse", output_shape).get_shape()

    def _forward_event_shape_tensor(self, input_shape: Any) -> Any:
        return tf.shape(self._tried("forward", input_shape))

    def _inverse_event_shape_tensor(self, output_shape: Any) -> Any:
        return tf.shape(self._tried("inverse", output_shape))
