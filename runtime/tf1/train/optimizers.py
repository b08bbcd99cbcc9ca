"""The optimizers of tf.train."""

from __future__ import annotations

from typing import Any

from runtime.tf1.array_ops import identity
from runtime.tf1.graph import apply_op, constant, convert_to_tensor, get_default_graph
from runtime.tf1.math_ops import cast
from runtime.tf1.registry import export
from runtime.tf1.train.optimizer import Optimizer


def _apply(op_type: str, var: Any, grad: Any, arguments: dict[str, Any], indices: Any = None, **attr: Any) -> Any:
    """The ApplyX op (or its sparse or resource variant) for a variable; hyperparameters take the gradient's dtype."""
    resource = getattr(var, "_is_resource", False)

    def state(v: Any) -> Any:
        return v.handle if resource else v._ref()

    given = {
        k: v
        if k.endswith("_power") and resource
        else state(v)
        if hasattr(v, "_ref")
        else cast(v, var.dtype.base_dtype)
        if hasattr(v, "dtype") and v.dtype.is_floating
        else v
        for k, v in arguments.items()
    }
    given["var"] = state(var)
    sparse = indices is not None
    given["delta" if "GradientDescent" in op_type and not sparse else "grad"] = grad
    if sparse:
        given["indices"] = indices
    result = apply_op(f"{'Resource' if resource else ''}{'Sparse' if sparse else ''}Apply{op_type}", None, **given, **attr)
    return result.op if hasattr(result, "dtype") else result


class _Standard(Optimizer):
    """An optimizer whose update is one ApplyX op with these slots and hyperparameters."""

    _op = ""

    def _arguments(self, var: Any) -> dict[str, Any]:
        raise NotImplementedError

    def _attrs(self) -> dict[str, Any]:
        return {"use_locking": self._use_locking}

    def _apply_dense(self, grad: Any, var: Any) -> Any:
        return _apply(self._op, var, grad, self._arguments(var), **self._attrs())

    _resource_apply_dense = _apply_dense

    def _apply_sparse(self, grad: Any, var: Any) -> Any:
        return _apply(self._op, var, grad.values, self._sparse_arguments(var), grad.indices, **self._attrs())

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any) -> Any:
        return _apply(self._op, var, grad, self._sparse_arguments(var), indices, **self._attrs())

    def _sparse_arguments(self, var: Any) -> dict[str, Any]:
        return self._arguments(var)

    def _hyper(self, name: str, value: Any) -> Any:
        return convert_to_tensor(self._call_if_callable(value), name=name)


@export("train.GradientDescentOptimizer")
class GradientDescentOptimizer(_Standard):
    _op = "GradientDescent"

    def __init__(self, learning_rate: Any, use_locking: bool = False, name: str = "GradientDescent") -> None:
        super().__init__(use_locking, name)
        self._learning_rate = learning_rate

    def _prepare(self) -> None:
        self._rate = self._hyper("learning_rate", self._learning_rate)

    def _arguments(self, var: Any) -> dict[str, Any]:
        return {"alpha": self._rate}

    def _apply_sparse_duplicate_indices(self, grad: Any, var: Any) -> Any:
        from graphtools.gradients import IndexedSlices

        delta = IndexedSlices(grad.values * cast(self._rate, var.dtype.base_dtype), grad.indices, grad.dense_shape)
        return var.scatter_sub(delta, use_locking=self._use_locking)

    def _resource_apply_sparse_duplicate_indices(self, grad: Any, var: Any, indices: Any) -> Any:
        return apply_op("ResourceScatterAdd", None, resource=var.handle, indices=indices, updates=-grad * self._learning_rate)


class _WithSlots(_Standard):
    """An optimizer whose slots start at zero, and whose hyperparameters become tensors in `_prepare`."""

    # slot name -> the op name of its variables
    _zeros: tuple[str, ...] = ()
    # attribute with the given value -> the OpDef argument and the tensor's name
    _hypers: tuple[tuple[str, str, str], ...] = ()

    def _create_slots(self, var_list: Any) -> None:
        for v in var_list:
            for slot in self._zeros:
                self._zeros_slot(v, slot, self._name)

    def _prepare(self) -> None:
        self._tensors = {argument: self._hyper(label, getattr(self, attribute)) for attribute, argument, label in self._hypers}
        for attribute, argument, _ in self._hypers:  # TensorFlow's names, which subclasses in scripts use: _lr_t, _learning_rate_tensor
            setattr(self, f"{attribute}_t", self._tensors[argument])
            setattr(self, f"{attribute}_tensor", self._tensors[argument])


@export("train.MomentumOptimizer")
class MomentumOptimizer(_WithSlots):
    _op = "Momentum"
    _zeros = ("momentum",)
    _hypers = (("_learning_rate", "lr", "learning_rate"), ("_momentum", "momentum", "momentum"))

    def __init__(
        self, learning_rate: Any, momentum: Any, use_locking: bool = False, name: str = "Momentum", use_nesterov: bool = False
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate, self._momentum, self._use_nesterov = learning_rate, momentum, use_nesterov

    def _arguments(self, var: Any) -> dict[str, Any]:
        return {"accum": self.get_slot(var, "momentum"), **self._tensors}

    def _attrs(self) -> dict[str, Any]:
        return {"use_locking": self._use_locking, "use_nesterov": self._use_nesterov}


@export("train.AdagradOptimizer")
class AdagradOptimizer(_WithSlots):
    _op = "Adagrad"
    _hypers = (("_learning_rate", "lr", "learning_rate"),)

    def __init__(
        self, learning_rate: Any, initial_accumulator_value: float = 0.1, use_locking: bool = False, name: str = "Adagrad"
    ) -> None:
        if initial_accumulator_value <= 0.0:
            raise ValueError(f"initial_accumulator_value must be positive: {initial_accumulator_value}")
        super().__init__(use_locking, name)
        self._learning_rate, self._initial = learning_rate, initial_accumulator_value

    def _create_slots(self, var_list: Any) -> None:
        for v in var_list:
            _constant_slot(self, v, self._initial, "accumulator", self._name)

    def _arguments(self, var: Any) -> dict[str, Any]:
        return {"accum": self.get_slot(var, "accumulator"), **self._tensors}


def _constant_slot(optimizer: Optimizer, v: Any, value: float, slot: str, op_name: str) -> None:
    """A slot that starts with a constant: by an initializer where the shape is known, else from the variable."""
    from runtime.tf1 import array_ops, init_ops

    dtype = v.dtype.base_dtype
    if v.get_shape().is_fully_defined():
        optimizer._get_or_make_slot_with_initializer(v, init_ops.Constant(value, dtype), v.get_shape(), dtype, slot, op_name)
    else:
        filled = array_ops.fill(array_ops.shape(v), convert_to_tensor(value, dtype))
        optimizer._get_or_make_slot(v, filled, slot, op_name)


@export("train.AdadeltaOptimizer")
class AdadeltaOptimizer(_WithSlots):
    _op = "Adadelta"
    _zeros = ("accum", "accum_update")
    _hypers = (("_lr", "lr", "lr"), ("_rho", "rho", "rho"), ("_epsilon", "epsilon", "epsilon"))

    def __init__(
        self, learning_rate: Any = 0.001, rho: Any = 0.95, epsilon: Any = 1e-8, use_locking: bool = False, name: str = "Adadelta"
    ) -> None:
        super().__init__(use_locking, name)
        self._lr, self._rho, self._epsilon = learning_rate, rho, epsilon

    def _arguments(self, var: Any) -> dict[str, Any]:
        return {"accum": self.get_slot(var, "accum"), "accum_update": self.get_slot(var, "accum_update"), **self._tensors}


@export("train.AdagradDAOptimizer")
class AdagradDAOptimizer(_WithSlots):
    _op = "AdagradDA"
    _hypers = (("_learning_rate", "lr", "learning_rate"),)

    def __init__(
        self,
        learning_rate: Any,
        global_step: Any,
        initial_gradient_squared_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "AdagradDA",
    ) -> None:
        if initial_gradient_squared_accumulator_value <= 0.0:
            raise ValueError(f"initial_gradient_squared_accumulator_value must be positive: {initial_gradient_squared_accumulator_value}")
        super().__init__(use_locking, name)
        self._learning_rate, self._global_step = learning_rate, global_step
        self._initial = initial_gradient_squared_accumulator_value
        self._l1, self._l2 = l1_regularization_strength, l2_regularization_strength

    def _create_slots(self, var_list: Any) -> None:
        for v in var_list:
            with get_default_graph().colocate_with(v.op):
                zero, first = (constant(value, v.dtype.base_dtype, v.shape) for value in (0.0, self._initial))
            self._get_or_make_slot(v, zero, "gradient_accumulator", self._name)
            self._get_or_make_slot(v, first, "gradient_squared_accumulator", self._name)

    def _prepare(self) -> None:
        super()._prepare()
        with get_default_graph().colocate_with(self._tensors["lr"].op):
            self._step = identity(self._global_step) + 1

    def _arguments(self, var: Any) -> dict[str, Any]:
        with get_default_graph().device(var.op.device or None):
            step = identity(self._step)
        return {
            "gradient_accumulator": self.get_slot(var, "gradient_accumulator"),
            "gradient_squared_accumulator": self.get_slot(var, "gradient_squared_accumulator"),
            "l1": cast(self._l1, var.dtype.base_dtype),
            "l2": cast(self._l2, var.dtype.base_dtype),
            "global_step": step,
            **self._tensors,
        }


@export("train.FtrlOptimizer")
class FtrlOptimizer(_WithSlots):
    _hypers = (
        ("_learning_rate", "lr", "learning_rate"), ("_l1", "l1", "l1_regularization_strength"), ("_l2", "l2", "l2_regularization_strength"),
    )  # fmt: skip

    def __init__(
        self,
        learning_rate: Any,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "Ftrl",
        accum_name: str | None = None,
        linear_name: str | None = None,
        l2_shrinkage_regularization_strength: float = 0.0,
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate, self._lr_power, self._initial = learning_rate, learning_rate_power, initial_accumulator_value
        self._l1, self._l2, self._shrinkage = l1_regularization_strength, l2_regularization_strength, l2_shrinkage_regularization_strength
        self._accum_name, self._linear_name = accum_name, linear_name
        self._op = "FtrlV2" if l2_shrinkage_regularization_strength > 0 else "Ftrl"

    def _create_slots(self, var_list: Any) -> None:
        for v in var_list:
            with get_default_graph().colocate_with(v.op):
                first = constant(self._initial, v.dtype.base_dtype, v.get_shape())
                self._get_or_make_slot(v, first, "accum", self._accum_name or self._name)
            self._zeros_slot(v, "linear", self._linear_name or self._name)

    def _prepare(self) -> None:
        super()._prepare()
        shrinkage = self._hyper("l2_shrinkage_regularization_strength", self._shrinkage)
        self._tensors["lr_power"] = self._hyper("learning_rate_power", self._lr_power)
        if self._op == "FtrlV2":
            self._tensors["l2_shrinkage"] = shrinkage

    def _arguments(self, var: Any) -> dict[str, Any]:
        return {"accum": self.get_slot(var, "accum"), "linear": self.get_slot(var, "linear"), **self._tensors}


@export("train.ProximalGradientDescentOptimizer")
class ProximalGradientDescentOptimizer(_WithSlots):
    _op = "ProximalGradientDescent"
    _hypers = (
        ("_learning_rate", "alpha", "learning_rate"),
        ("_l1", "l1", "l1_regularization_strength"),
        ("_l2", "l2", "l2_regularization_strength"),
    )

    def __init__(
        self,
        learning_rate: Any,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "ProximalGradientDescent",
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate, self._l1, self._l2 = learning_rate, l1_regularization_strength, l2_regularization_strength

    def _arguments(self, var: Any) -> dict[str, Any]:
        return dict(self._tensors)


@export("train.ProximalAdagradOptimizer")
class ProximalAdagradOptimizer(_WithSlots):
    _op = "ProximalAdagrad"
    _hypers = (
        ("_learning_rate", "lr", "learning_rate"),
        ("_l1", "l1", "l1_regularization_strength"),
        ("_l2", "l2", "l2_regularization_strength"),
    )

    def __init__(
        self,
        learning_rate: Any,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        use_locking: bool = False,
        name: str = "ProximalAdagrad",
    ) -> None:
        if initial_accumulator_value <= 0.0:
            raise ValueError(f"initial_accumulator_value must be positive: {initial_accumulator_value}")
        super().__init__(use_locking, name)
        self._learning_rate, self._initial = learning_rate, initial_accumulator_value
        self._l1, self._l2 = l1_regularization_strength, l2_regularization_strength

    def _create_slots(self, var_list: Any) -> None:
        for v in var_list:
            self._get_or_make_slot(v, convert_to_tensor(_filled_like(v, self._initial)), "accumulator", self._name)

    def _arguments(self, var: Any) -> dict[str, Any]:
        return {"accum": self.get_slot(var, "accumulator"), **self._tensors}


def _filled_like(v: Any, value: float) -> Any:
    from runtime.tf1.graph import constant

    return constant(value, v.dtype.base_dtype, shape=v.get_shape())


@export("train.RMSPropOptimizer")
class RMSPropOptimizer(_WithSlots):
    _hypers = (
        ("_learning_rate", "lr", "learning_rate"),
        ("_decay", "rho", "decay"),
        ("_momentum", "momentum", "momentum"),
        ("_epsilon", "epsilon", "epsilon"),
    )

    def __init__(
        self,
        learning_rate: Any,
        decay: Any = 0.9,
        momentum: Any = 0.0,
        epsilon: Any = 1e-10,
        use_locking: bool = False,
        centered: bool = False,
        name: str = "RMSProp",
    ) -> None:
        super().__init__(use_locking, name)
        self._learning_rate, self._decay, self._momentum, self._epsilon, self._centered = learning_rate, decay, momentum, epsilon, centered
        self._op = "CenteredRMSProp" if centered else "RMSProp"

    def _create_slots(self, var_list: Any) -> None:
        from runtime.tf1 import init_ops

        for v in var_list:
            dtype = v.dtype.base_dtype
            if v.get_shape().is_fully_defined():
                self._get_or_make_slot_with_initializer(v, init_ops.Ones(dtype), v.get_shape(), dtype, "rms", self._name)
            else:
                from runtime.tf1 import array_ops

                self._get_or_make_slot(v, array_ops.ones_like(v), "rms", self._name)
            if self._centered:
                self._zeros_slot(v, "mg", self._name)
            self._zeros_slot(v, "momentum", self._name)

    def _arguments(self, var: Any) -> dict[str, Any]:
        slots = {"ms": self.get_slot(var, "rms"), "mom": self.get_slot(var, "momentum")}
        if self._centered:
            slots["mg"] = self.get_slot(var, "mg")
        return {**slots, **self._tensors}


@export("train.AdamOptimizer")
class AdamOptimizer(_WithSlots):
    _op = "Adam"
    _zeros = ("m", "v")
    _hypers = (
        ("_lr", "lr", "learning_rate"),
        ("_beta1", "beta1", "beta1"),
        ("_beta2", "beta2", "beta2"),
        ("_epsilon", "epsilon", "epsilon"),
    )

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta1: Any = 0.9,
        beta2: Any = 0.999,
        epsilon: Any = 1e-8,
        use_locking: bool = False,
        name: str = "Adam",
    ) -> None:
        super().__init__(use_locking, name)
        self._lr, self._beta1, self._beta2, self._epsilon = learning_rate, beta1, beta2, epsilon

    def _powers(self, graph: Any = None) -> tuple[Any, Any]:
        from runtime.tf1.graph import get_default_graph

        graph = graph or get_default_graph()
        return self._get_non_slot_variable("beta1_power", graph), self._get_non_slot_variable("beta2_power", graph)

    _get_beta_accumulators = _powers

    def _create_slots(self, var_list: Any) -> None:
        first = min(var_list, key=lambda v: v.name)
        self._create_non_slot_variable(self._call_if_callable(self._beta1), "beta1_power", first)
        self._create_non_slot_variable(self._call_if_callable(self._beta2), "beta2_power", first)
        super()._create_slots(var_list)

    def _arguments(self, var: Any) -> dict[str, Any]:
        powers = self._powers(var.graph)
        resource = bool(getattr(var, "_is_resource", False))
        values = [p if resource else cast(convert_to_tensor(p), var.dtype.base_dtype) for p in powers]
        return {
            "m": self.get_slot(var, "m"),
            "v": self.get_slot(var, "v"),
            "beta1_power": values[0],
            "beta2_power": values[1],
            **self._tensors,
        }

    def _apply_sparse(self, grad: Any, var: Any) -> Any:
        return self._apply_rows(grad.values, var, grad.indices, lambda x, i, v: x.scatter_add(_slices(v, i), use_locking=self._use_locking))

    def _resource_apply_sparse(self, grad: Any, var: Any, indices: Any) -> Any:
        def scatter_add(x: Any, i: Any, v: Any) -> Any:
            from runtime.tf1.graph import get_default_graph

            op = apply_op("ResourceScatterAdd", None, resource=x.handle, indices=i, updates=v)
            with get_default_graph().control_dependencies([op]):
                return x.value()

        return self._apply_rows(grad, var, indices, scatter_add)

    def _apply_rows(self, grad: Any, var: Any, indices: Any, scatter_add: Any) -> Any:
        """Adam on rows: every row's moments decay, the named rows also take the gradient."""
        from runtime.tf1 import control_flow_ops, state_ops
        from runtime.tf1.graph import get_default_graph

        dtype = var.dtype.base_dtype
        b1p, b2p = (cast(p, dtype) for p in self._powers(var.graph))
        lr_t, b1, b2, eps = (cast(self._tensors[k], dtype) for k in ("lr", "beta1", "beta2", "epsilon"))
        lr = lr_t * apply_op("Sqrt", None, x=1 - b2p) / (1 - b1p)
        graph = get_default_graph()
        m = self.get_slot(var, "m")
        m_scaled = grad * (1 - b1)
        m_t = state_ops.assign(m, m * b1, use_locking=self._use_locking)
        with graph.control_dependencies([m_t]):
            m_t = scatter_add(m, indices, m_scaled)
        v = self.get_slot(var, "v")
        v_scaled = (grad * grad) * (1 - b2)
        v_t = state_ops.assign(v, v * b2, use_locking=self._use_locking)
        with graph.control_dependencies([v_t]):
            v_t = scatter_add(v, indices, v_scaled)
        v_sqrt = apply_op("Sqrt", None, x=v_t)
        update = state_ops.assign_sub(var, lr * m_t / (v_sqrt + eps), use_locking=self._use_locking)
        return control_flow_ops.group(*[update, m_t, v_t])

    def _finish(self, update_ops: Any, name_scope: str) -> Any:
        from runtime.tf1 import control_flow_ops
        from runtime.tf1.graph import get_default_graph

        graph = get_default_graph()
        b1, b2 = self._powers()
        with graph.control_dependencies(update_ops), graph.colocate_with(b1.op):
            one = b1.assign(b1 * self._tensors["beta1"], use_locking=self._use_locking)
            two = b2.assign(b2 * self._tensors["beta2"], use_locking=self._use_locking)
        return control_flow_ops.group(*update_ops, one, two, name=name_scope)


def _slices(values: Any, indices: Any) -> Any:
    from graphtools.gradients import IndexedSlices

    return IndexedSlices(values, indices)
