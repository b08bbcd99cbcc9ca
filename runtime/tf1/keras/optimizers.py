"""tf.keras.optimizers, in the form TensorFlow 1.15 has them: hyperparameters and slots are variables."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphtools import graph as base
from graphtools.gradients import IndexedSlices
from runtime.tf1 import nest
from runtime.tf1.graph import apply_op
from runtime.tf1.keras import backend as K
from runtime.tf1.keras import initializers
from runtime.tf1.keras.backend import tf
from runtime.tf1.keras.engine.layer import make_variable
from runtime.tf1.keras.serialization import deserialize_keras_object, serialize_keras_object, snake
from runtime.tf1.registry import export
from runtime.tf1.variables import Variable


@export("keras.optimizers.Optimizer")
class Optimizer:
    """Updates variables by their gradients."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        unknown = sorted(set(kwargs) - {"clipnorm", "clipvalue", "lr", "decay"})
        if unknown:
            raise TypeError(f"Unexpected keyword argument passed to optimizer: {unknown[0]}")
        object.__setattr__(self, "_hyper", {})
        self._name = name or K.unique_object_name(snake(type(self).__name__), zero_based=True)
        self._slots: dict[int, dict[str, Any]] = {}
        self._slot_names: list[str] = []
        self._weights: list[Any] = []
        self._iterations: Any = None
        self._initial_decay = kwargs.get("decay", 0.0)
        if self._initial_decay < 0.0:
            raise ValueError(f"decay cannot be less than 0: {self._initial_decay}")
        for name in ("clipnorm", "clipvalue"):
            if kwargs.get(name) is not None:
                object.__setattr__(self, name, kwargs[name])
        self._hypers_created = False

    # -- hyperparameters -------------------------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_hyper":
            raise AttributeError(name)
        name = "learning_rate" if name == "lr" else name
        if name in self._hyper:
            return self._get_hyper(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        name = "learning_rate" if name == "lr" else name
        if name in self.__dict__.get("_hyper", {}):
            self._set_hyper(name, value)
        else:
            object.__setattr__(self, name, value)

    def _set_hyper(self, name: str, value: Any) -> None:
        previous = self._hyper.get(name)
        if isinstance(previous, Variable) and not isinstance(value, LearningRateSchedule):
            K.set_value(previous, value)
        else:
            self._hyper[name] = value

    def _get_hyper(self, name: str, dtype: Any = None) -> Any:
        if not self._hypers_created:
            self._create_hypers()
        value = self._hyper[name]
        if isinstance(value, LearningRateSchedule):
            return value
        if callable(value):
            value = value()
        return tf.cast(value, dtype) if dtype else value

    def _create_hypers(self) -> None:
        if self._hypers_created:
            return
        for name, value in sorted(self._hyper.items()):
            if isinstance(value, base.Tensor | Variable) or callable(value):
                continue
            self._hyper[name] = self.add_weight(name, shape=[], initializer=value)
        self._hypers_created = True

    @property
    def iterations(self) -> Any:
        if self._iterations is None:
            self._iterations = self.add_weight("iter", shape=[], dtype="int64")
            self._weights.append(self._iterations)
        return self._iterations

    @iterations.setter
    def iterations(self, value: Any) -> None:
        if self._iterations is not None:
            raise RuntimeError("Cannot set `iterations` to a new Variable after the Optimizer weights have been created")
        self._iterations = value
        self._weights.append(value)

    def add_weight(self, name: str, shape: Any, dtype: Any = None, initializer: Any = "zeros", trainable: Any = None, **unused: Any) -> Any:
        initializer = initializers.get(initializer) if isinstance(initializer, str) or callable(initializer) else initializer
        return K.track_variable(make_variable(name, shape, dtype or "float32", initializer, trainable=False))

    def add_slot(self, var: Any, slot_name: str, initializer: Any = "zeros") -> Any:
        if slot_name not in self._slot_names:
            self._slot_names.append(slot_name)
        slots = self._slots.setdefault(id(var), {})
        if slot_name not in slots:
            made = make_variable(
                f"{var.op.name}/{slot_name}", var.shape, var.dtype.base_dtype, initializers.get(initializer), trainable=False
            )
            slots[slot_name] = K.track_variable(made)
            self._weights.append(made)
        return slots[slot_name]

    def get_slot(self, var: Any, slot_name: str) -> Any:
        return self._slots[id(var)][slot_name]

    def get_slot_names(self) -> list[str]:
        return self._slot_names

    def _decayed_lr(self, dtype: Any) -> Any:
        rate = self._get_hyper("learning_rate", dtype)
        if isinstance(rate, LearningRateSchedule):
            rate = tf.cast(rate(tf.cast(self.iterations, dtype)), dtype)
        if self._initial_decay > 0.0:
            step = tf.cast(self.iterations, dtype)
            rate = rate / (1.0 + self._get_hyper("decay", dtype) * step)
        return rate

    # -- applying --------------------------------------------------------------------------------------------------------

    def get_gradients(self, loss: Any, params: Any) -> list[Any]:
        with tf.name_scope(f"{self._name}/gradients"):
            grads = tf.gradients(loss, nest.flatten(params))
            for grad, param in zip(grads, nest.flatten(params), strict=True):
                if grad is None:
                    raise ValueError(
                        f"Variable {param} has `None` for gradient. Please make sure that all of your ops have a gradient defined (i.e. are differentiable). Common ops without gradient: K.argmax, K.round, K.eval."
                    )
            if hasattr(self, "clipnorm"):
                grads = [tf.clip_by_norm(g, self.clipnorm) for g in grads]
            if hasattr(self, "clipvalue"):
                grads = [tf.clip_by_value(g, -self.clipvalue, self.clipvalue) for g in grads]
        return list(grads)

    def minimize(self, loss: Any, var_list: Any, grad_loss: Any = None, name: str | None = None) -> Any:
        value = loss() if callable(loss) else loss
        variables = nest.flatten(var_list() if callable(var_list) else var_list)
        with tf.name_scope(f"{self._name}/gradients"):
            grads = tf.gradients(value, variables, grad_loss)
        return self.apply_gradients(list(zip(grads, variables, strict=True)), name=name)

    def get_updates(self, loss: Any, params: Any) -> list[Any]:
        return [self.apply_gradients(list(zip(self.get_gradients(loss, params), params, strict=True)))]

    def apply_gradients(self, grads_and_vars: Any, name: str | None = None) -> Any:
        kept = [(g, v) for g, v in grads_and_vars if g is not None]
        if not kept:
            raise ValueError(f"No gradients provided for any variable: {[v.name for _, v in grads_and_vars]}.")
        with tf.name_scope(self._name):
            with init_scope_in_place():
                _ = self.iterations
                self._create_hypers()
                self._create_slots([v for _, v in kept])
            states = {d: self._prepare(d) for d in dict.fromkeys(v.dtype.base_dtype for _, v in kept)}
            updates = []
            with tf.name_scope(name or self._name):
                for grad, var in kept:
                    with tf.name_scope(f"update_{var.op.name}"), tf.colocate_with(var):
                        updates.append(self._apply(grad, var, states[var.dtype.base_dtype]))
                with tf.control_dependencies(updates):
                    return self.iterations.assign_add(1).op

    def _apply(self, grad: Any, var: Any, state: dict[str, Any]) -> Any:
        if isinstance(grad, IndexedSlices):
            if var.constraint is not None:
                raise RuntimeError("Cannot use a constraint function on a sparse variable.")
            values, indices = _summed(grad.values, grad.indices)
            return self._apply_sparse(values, var, indices, state)
        op = self._apply_dense(grad, var, state)
        if var.constraint is not None:
            with tf.control_dependencies([op]):
                return var.assign(var.constraint(var)).op
        return op

    def _create_slots(self, variables: list[Any]) -> None:
        """Slots of each variable."""

    def _prepare(self, dtype: Any) -> dict[str, Any]:
        """Values every update uses."""
        return {"lr_t": tf.identity(self._decayed_lr(dtype))} if "learning_rate" in self._hyper else {}

    def _apply_dense(self, grad: Any, var: Any, state: dict[str, Any]) -> Any:
        # Optimizers written for TensorFlow's own class define these names.
        return self._resource_apply_dense(grad, var)

    def _apply_sparse(self, grad: Any, var: Any, indices: Any, state: dict[str, Any]) -> Any:
        return self._resource_apply_sparse(grad, var, indices)

    def _resource_apply_dense(self, grad: Any, handle: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not say how to apply a dense gradient.")

    def _resource_apply_sparse(self, grad: Any, handle: Any, indices: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not say how to apply a sparse gradient.")

    # -- weights and configuration -----------------------------------------------------------------------------------------

    @property
    def weights(self) -> list[Any]:
        return self._weights

    def variables(self) -> list[Any]:
        return self._weights

    def get_weights(self) -> list[Any]:
        return K.batch_get_value(self.weights)

    def set_weights(self, weights: Any) -> None:
        params = self.weights
        if len(params) != len(weights):
            raise ValueError(
                f"You called `set_weights(weights)` on optimizer {self._name} with a  weight list of length {len(weights)}, but the optimizer was expecting {len(params)} weights. Provided weights: {str(weights)[:50]}..."
            )
        for p, w in zip(params, weights, strict=True):
            if tuple(p.shape.as_list()) != np.shape(w):
                raise ValueError(f"Optimizer weight shape {p.shape} not compatible with provided weight shape {np.shape(w)}")
        K.batch_set_value(list(zip(params, weights, strict=True)))

    def _hyper_value(self, name: str) -> Any:
        value = self._hyper[name]
        if isinstance(value, LearningRateSchedule):
            return serialize_keras_object(value)
        if callable(value) and not isinstance(value, Variable):
            return value()
        if isinstance(value, base.Tensor | Variable):
            return float(K.get_value(value))
        return value

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {"name": self._name}
        for name in ("clipnorm", "clipvalue"):
            if hasattr(self, name):
                config[name] = getattr(self, name)
        for name in self._hyper:
            config[name] = self._hyper_value(name)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        if "lr" in config:
            config["learning_rate"] = config.pop("lr")
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = deserialize_schedule(config["learning_rate"], custom_objects)
        return cls(**config)


def init_scope_in_place() -> Any:
    """Variables are made outside control flow, under the names of where they are made."""

    return tf.control_dependencies(None)


def _summed(values: Any, indices: Any) -> tuple[Any, Any]:
    """Rows of the same index added up."""
    unique, positions = tf.unique(indices)
    return tf.unsorted_segment_sum(values, positions, tf.shape(unique)[0]), unique


def _scatter_add(var: Any, indices: Any, values: Any) -> Any:
    op = apply_op("ResourceScatterAdd", None, resource=var.handle, indices=indices, updates=values)
    with tf.control_dependencies([op]):
        return var.value()


def _hyper_setup(optimizer: Optimizer, kwargs: dict[str, Any], learning_rate: Any, **others: Any) -> None:
    optimizer._set_hyper("learning_rate", kwargs.get("lr", learning_rate))
    optimizer._set_hyper("decay", optimizer._initial_decay)
    for name, value in others.items():
        optimizer._set_hyper(name, value)


@export("keras.optimizers.SGD")
class SGD(Optimizer):
    """w -= lr g; with momentum v = m v - lr g, w += v."""

    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, name: str = "SGD", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        _hyper_setup(self, kwargs, learning_rate, momentum=momentum)
        self._momentum = isinstance(momentum, base.Tensor) or callable(momentum) or momentum > 0
        if isinstance(momentum, int | float) and (momentum < 0 or momentum > 1):
            raise ValueError("`momentum` must be between [0, 1].")
        self.nesterov = nesterov

    def _create_slots(self, variables: list[Any]) -> None:
        if self._momentum:
            for var in variables:
                self.add_slot(var, "momentum")

    def _prepare(self, dtype: Any) -> dict[str, Any]:
        return {**super()._prepare(dtype), "momentum": tf.identity(self._get_hyper("momentum", dtype))}

    def _apply_dense(self, grad: Any, var: Any, state: dict[str, Any]) -> Any:
        if self._momentum:
            return apply_op(
                "ResourceApplyKerasMomentum", None, var=var.handle, accum=self.get_slot(var, "momentum").handle, lr=state["lr_t"], grad=grad, momentum=state["momentum"], use_nesterov=self.nesterov,
            )  # fmt: skip
        return apply_op("ResourceApplyGradientDescent", None, var=var.handle, alpha=state["lr_t"], delta=grad)

    def _apply_sparse(self, grad: Any, var: Any, indices: Any, state: dict[str, Any]) -> Any:
        if self._momentum:
            return apply_op(
                "ResourceSparseApplyKerasMomentum", None, var=var.handle, accum=self.get_slot(var, "momentum").handle, lr=state["lr_t"], grad=grad, indices=indices, momentum=state["momentum"],
                use_nesterov=self.nesterov,
            )  # fmt: skip
        return apply_op("ResourceScatterAdd", None, resource=var.handle, indices=indices, updates=-grad * state["lr_t"])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "nesterov": self.nesterov}


@export("keras.optimizers.RMSprop")
class RMSprop(Optimizer):
    """ms = rho ms + (1 - rho) g^2, w -= lr g / (sqrt(ms) + epsilon); with momentum or centered as TensorFlow's op."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        name: str = "RMSprop",
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        _hyper_setup(self, kwargs, learning_rate, rho=rho, momentum=momentum)
        self._momentum = isinstance(momentum, base.Tensor) or callable(momentum) or momentum > 0
        self.epsilon = epsilon or K.epsilon()
        self.centered = centered

    def _create_slots(self, variables: list[Any]) -> None:
        for var in variables:
            self.add_slot(var, "rms")
        if self._momentum:
            for var in variables:
                self.add_slot(var, "momentum")
        if self.centered:
            for var in variables:
                self.add_slot(var, "mg")

    def _prepare(self, dtype: Any) -> dict[str, Any]:
        state = super()._prepare(dtype)
        rho = tf.identity(self._get_hyper("rho", dtype))
        return {
            **state,
            "neg_lr_t": -state["lr_t"],
            "epsilon": tf.convert_to_tensor(self.epsilon, dtype),
            "rho": rho,
            "momentum": tf.identity(self._get_hyper("momentum", dtype)),
            "rest": 1.0 - rho,
        }

    def _apply_dense(self, grad: Any, var: Any, state: dict[str, Any]) -> Any:
        rms = self.get_slot(var, "rms")
        if self._momentum:
            slots = {"ms": rms.handle, "mom": self.get_slot(var, "momentum").handle}
            shared = {
                "var": var.handle,
                "lr": state["lr_t"],
                "rho": state["rho"],
                "momentum": state["momentum"],
                "epsilon": state["epsilon"],
                "grad": grad,
            }
            if self.centered:
                return apply_op("ResourceApplyCenteredRMSProp", None, mg=self.get_slot(var, "mg").handle, **slots, **shared)
            return apply_op("ResourceApplyRMSProp", None, **slots, **shared)
        rms_t = rms.assign(state["rho"] * rms + state["rest"] * tf.square(grad))._element
        spread = rms_t
        if self.centered:
            mg = self.get_slot(var, "mg")
            mg_t = mg.assign(state["rho"] * mg + state["rest"] * grad)._element
            spread = rms_t - tf.square(mg_t)
        return var.assign(var - state["lr_t"] * grad / (tf.sqrt(spread) + state["epsilon"])).op

    def _apply_sparse(self, grad: Any, var: Any, indices: Any, state: dict[str, Any]) -> Any:
        rms = self.get_slot(var, "rms")
        if self._momentum:
            slots = {"ms": rms.handle, "mom": self.get_slot(var, "momentum").handle}
            shared = {
                "var": var.handle,
                "lr": state["lr_t"],
                "rho": state["rho"],
                "momentum": state["momentum"],
                "epsilon": state["epsilon"],
                "grad": grad,
                "indices": indices,
            }
            if self.centered:
                return apply_op("ResourceSparseApplyCenteredRMSProp", None, mg=self.get_slot(var, "mg").handle, **slots, **shared)
            return apply_op("ResourceSparseApplyRMSProp", None, **slots, **shared)
        scaled = rms.assign(rms * state["rho"])._element
        with tf.control_dependencies([scaled]):
            rms_t = _scatter_add(rms, indices, (grad * grad) * state["rest"])
        spread = tf.gather(rms_t, indices)
        if self.centered:
            mg = self.get_slot(var, "mg")
            mg_scaled = mg.assign(mg * state["rho"])._element
            with tf.control_dependencies([mg_scaled]):
                spread = spread - tf.square(tf.gather(_scatter_add(mg, indices, grad * state["rest"]), indices))
        return apply_op(
            "ResourceScatterAdd",
            None,
            resource=var.handle,
            indices=indices,
            updates=state["neg_lr_t"] * grad / (tf.sqrt(spread) + state["epsilon"]),
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon, "centered": self.centered}


@export("keras.optimizers.Adam")
class Adam(Optimizer):
    """m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2, w -= lr sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(v) + epsilon)."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        name: str = "Adam",
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        _hyper_setup(self, kwargs, learning_rate, beta_1=beta_1, beta_2=beta_2)
        self.epsilon = epsilon or K.epsilon()
        self.amsgrad = amsgrad

    def _create_slots(self, variables: list[Any]) -> None:
        for slot in ("m", "v", *(("vhat",) if self.amsgrad else ())):
            for var in variables:
                self.add_slot(var, slot)

    def _prepare(self, dtype: Any) -> dict[str, Any]:
        state = super()._prepare(dtype)
        step = tf.cast(self.iterations + 1, dtype)
        beta_1, beta_2 = tf.identity(self._get_hyper("beta_1", dtype)), tf.identity(self._get_hyper("beta_2", dtype))
        power_1, power_2 = tf.pow(beta_1, step), tf.pow(beta_2, step)
        rate = state["lr_t"] * (tf.sqrt(1 - power_2) / (1 - power_1))
        return {
            "lr": rate, "lr_t": state["lr_t"], "epsilon": tf.convert_to_tensor(self.epsilon, dtype), "beta_1": beta_1, "power_1": power_1, "rest_1": 1 - beta_1, "beta_2": beta_2,
            "power_2": power_2, "rest_2": 1 - beta_2,
        }  # fmt: skip

    def _apply_dense(self, grad: Any, var: Any, state: dict[str, Any]) -> Any:
        if self.amsgrad:
            m, v, vhat = (self.get_slot(var, slot) for slot in ("m", "v", "vhat"))
            m_t = m.assign(state["beta_1"] * m + state["rest_1"] * grad)._element
            v_t = v.assign(state["beta_2"] * v + state["rest_2"] * tf.square(grad))._element
            largest = vhat.assign(tf.maximum(vhat, v_t))._element
            return var.assign_sub(state["lr"] * m_t / (tf.sqrt(largest) + state["epsilon"])).op
        powers = {"beta1_power": state["power_1"], "beta2_power": state["power_2"]}
        return apply_op(
            "ResourceApplyAdam", None, var=var.handle, m=self.get_slot(var, "m").handle, v=self.get_slot(var, "v").handle, **powers, lr=state["lr_t"], beta1=state["beta_1"], beta2=state["beta_2"], epsilon=state["epsilon"], grad=grad,
        )  # fmt: skip

    def _apply_sparse(self, grad: Any, var: Any, indices: Any, state: dict[str, Any]) -> Any:
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        scaled = m.assign(m * state["beta_1"])._element
        with tf.control_dependencies([scaled]):
            m_t = _scatter_add(m, indices, grad * state["rest_1"])
        scaled_v = v.assign(v * state["beta_2"])._element
        with tf.control_dependencies([scaled_v]):
            v_t = _scatter_add(v, indices, (grad * grad) * state["rest_2"])
        if self.amsgrad:
            vhat = self.get_slot(var, "vhat")
            v_t = vhat.assign(tf.maximum(vhat, v_t))._element
        return var.assign_sub(state["lr"] * m_t / (tf.sqrt(v_t) + state["epsilon"])).op

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon, "amsgrad": self.amsgrad}


@export("keras.optimizers.Adagrad")
class Adagrad(Optimizer):
    """a += g^2, w -= lr g / (sqrt(a) + epsilon)."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        name: str = "Adagrad",
        **kwargs: Any,
    ) -> None:
        if initial_accumulator_value < 0.0:
            raise ValueError(f"initial_accumulator_value must be non-negative: {initial_accumulator_value}")
        super().__init__(name, **kwargs)
        _hyper_setup(self, kwargs, learning_rate)
        self._initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon or K.epsilon()

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        # An Adagrad made by name starts from an empty accumulator, as in Keras.
        return super().from_config({"initial_accumulator_value": 0.0, **config}, custom_objects)

    def _create_slots(self, variables: list[Any]) -> None:
        from runtime.tf1 import init_ops

        for var in variables:
            self.add_slot(var, "accumulator", init_ops.Constant(self._initial_accumulator_value, dtype=var.dtype.base_dtype))

    def _apply_dense(self, grad: Any, var: Any, state: dict[str, Any]) -> Any:
        accumulator = self.get_slot(var, "accumulator")
        added = accumulator.assign_add(tf.square(grad))._element
        return var.assign_sub(state["lr_t"] * grad / (tf.sqrt(added) + self.epsilon)).op

    def _apply_sparse(self, grad: Any, var: Any, indices: Any, state: dict[str, Any]) -> Any:
        added = _scatter_add(self.get_slot(var, "accumulator"), indices, tf.square(grad))
        step = -state["lr_t"] * grad / (tf.sqrt(tf.gather(added, indices)) + self.epsilon)
        return apply_op("ResourceScatterAdd", None, resource=var.handle, indices=indices, updates=step)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "initial_accumulator_value": self._initial_accumulator_value, "epsilon": self.epsilon}


@export("keras.optimizers.Adadelta")
class Adadelta(Optimizer):
    """Steps the ratio of the root mean squares of updates and gradients."""

    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, name: str = "Adadelta", **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        _hyper_setup(self, kwargs, learning_rate, rho=rho)
        self.epsilon = epsilon or K.epsilon()

    def _create_slots(self, variables: list[Any]) -> None:
        for slot in ("accum_grad", "accum_var"):
            for var in variables:
                self.add_slot(var, slot)

    def _prepare(self, dtype: Any) -> dict[str, Any]:
        return {
            **super()._prepare(dtype),
            "epsilon": tf.convert_to_tensor(self.epsilon, dtype),
            "rho": tf.identity(self._get_hyper("rho", dtype)),
        }

    def _arguments(self, grad: Any, var: Any, state: dict[str, Any]) -> dict[str, Any]:
        return {
            "var": var.handle, "accum": self.get_slot(var, "accum_grad").handle, "accum_update": self.get_slot(var, "accum_var").handle, "lr": state["lr_t"], "rho": state["rho"],
            "epsilon": state["epsilon"], "grad": grad,
        }  # fmt: skip

    def _apply_dense(self, grad: Any, var: Any, state: dict[str, Any]) -> Any:
        return apply_op("ResourceApplyAdadelta", None, **self._arguments(grad, var, state))

    def _apply_sparse(self, grad: Any, var: Any, indices: Any, state: dict[str, Any]) -> Any:
        return apply_op("ResourceSparseApplyAdadelta", None, indices=indices, **self._arguments(grad, var, state))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}


@export("keras.optimizers.Adamax")
class Adamax(Optimizer):
    """m = b1 m + (1 - b1) g, u = max(b2 u, |g|), w -= lr / (1 - b1^t) m / (u + epsilon)."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str = "Adamax",
        **kwargs: Any,
    ) -> None:
        super().__init__(name, **kwargs)
        _hyper_setup(self, kwargs, learning_rate, beta_1=beta_1, beta_2=beta_2)
        self.epsilon = epsilon or K.epsilon()

    def _create_slots(self, variables: list[Any]) -> None:
        for slot in ("m", "v"):
            for var in variables:
                self.add_slot(var, slot)

    def _prepare(self, dtype: Any) -> dict[str, Any]:
        state = super()._prepare(dtype)
        step = tf.cast(self.iterations + 1, dtype)
        beta_1, beta_2 = tf.identity(self._get_hyper("beta_1", dtype)), tf.identity(self._get_hyper("beta_2", dtype))
        power = tf.pow(beta_1, step)
        return {
            **state, "neg_scaled_lr": -state["lr_t"] / (1 - power), "epsilon": tf.convert_to_tensor(self.epsilon, dtype), "beta_1": beta_1, "power": power, "rest": 1 - beta_1, "beta_2": beta_2,
            "zero": tf.zeros([], dtype="int64"),
        }  # fmt: skip

    def _apply_dense(self, grad: Any, var: Any, state: dict[str, Any]) -> Any:
        return apply_op(
            "ResourceApplyAdaMax", None, var=var.handle, m=self.get_slot(var, "m").handle, v=self.get_slot(var, "v").handle, beta1_power=state["power"], lr=state["lr_t"], beta1=state["beta_1"],
            beta2=state["beta_2"], epsilon=state["epsilon"], grad=grad,
        )  # fmt: skip

    def _apply_sparse(self, grad: Any, var: Any, indices: Any, state: dict[str, Any]) -> Any:
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        m_slice = tf.gather(m, indices, axis=state["zero"])
        m_new = m_slice * state["beta_1"] + grad * state["rest"]
        first = apply_op("ResourceScatterUpdate", None, resource=m.handle, indices=indices, updates=m_new)
        v_slice = tf.gather(v, indices, axis=state["zero"])
        v_new = tf.maximum(v_slice * state["beta_2"], tf.abs(grad))
        with tf.control_dependencies([first]):
            second = apply_op("ResourceScatterUpdate", None, resource=v.handle, indices=indices, updates=v_new)
        with tf.control_dependencies([second]):
            return apply_op(
                "ResourceScatterAdd",
                None,
                resource=var.handle,
                indices=indices,
                updates=state["neg_scaled_lr"] * (m_new / (v_new + state["epsilon"])),
            )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}


@export("keras.optimizers.Nadam")
class Nadam(Optimizer):
    """Adam with Nesterov momentum, its momentum warmed up: u_t = b1 (1 - 0.5 * 0.96^(t * decay))."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str = "Nadam",
        **kwargs: Any,
    ) -> None:
        decay = kwargs.pop("schedule_decay", 0.004)
        super().__init__(name, **kwargs)
        _hyper_setup(self, kwargs, learning_rate, beta_1=beta_1, beta_2=beta_2)
        self._hyper["decay"] = decay
        self.epsilon = epsilon or K.epsilon()
        self._m_cache: Any = None

    def _create_slots(self, variables: list[Any]) -> None:
        if self._m_cache is None:
            self._m_cache = self.add_weight("momentum_cache", shape=[], dtype=variables[0].dtype.base_dtype, initializer="ones")
            self._weights.append(self._m_cache)
        for slot in ("m", "v"):
            for var in variables:
                self.add_slot(var, slot)

    def _prepare(self, dtype: Any) -> dict[str, Any]:
        rate = tf.identity(self._get_hyper("learning_rate", dtype))
        beta_1, beta_2 = tf.identity(self._get_hyper("beta_1", dtype)), tf.identity(self._get_hyper("beta_2", dtype))
        step, following = tf.cast(self.iterations + 1, dtype), tf.cast(self.iterations + 2, dtype)
        base_ = tf.cast(0.96, dtype)
        m_t = beta_1 * (1.0 - 0.5 * tf.pow(base_, self._initial_schedule() * step))
        m_t_1 = beta_1 * (1.0 - 0.5 * tf.pow(base_, self._initial_schedule() * following))
        new = tf.identity(self._m_cache) * m_t
        new = self._m_cache.assign(new)._element
        return {
            "lr_t": rate, "neg_lr_t": -rate, "epsilon": tf.convert_to_tensor(self.epsilon, dtype), "beta_1": beta_1, "beta_2": beta_2, "m_t": m_t, "m_t_1": m_t_1, "rest_1": 1 - beta_1,
            "rest_2": 1 - beta_2, "rest_m": 1.0 - m_t, "rest_new": 1.0 - new, "rest_next": 1.0 - new * m_t_1, "v_power": 1.0 - tf.pow(beta_2, step),
        }  # fmt: skip

    def _initial_schedule(self) -> float:
        value = self._hyper["decay"]
        return tf.cast(value, tf.float32) if isinstance(value, Variable) else value

    def _apply_dense(self, grad: Any, var: Any, state: dict[str, Any]) -> Any:
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        g = grad / state["rest_new"]
        m_t = m.assign(state["beta_1"] * m + state["rest_1"] * grad)._element
        v_t = v.assign(state["beta_2"] * v + state["rest_2"] * tf.square(grad))._element
        bar = state["rest_m"] * g + state["m_t_1"] * (m_t / state["rest_next"])
        return var.assign(var - state["lr_t"] * bar / (tf.sqrt(v_t / state["v_power"]) + state["epsilon"])).op

    def _apply_sparse(self, grad: Any, var: Any, indices: Any, state: dict[str, Any]) -> Any:
        m, v = self.get_slot(var, "m"), self.get_slot(var, "v")
        g = grad / state["rest_new"]
        scaled = m.assign(m * state["beta_1"])._element
        with tf.control_dependencies([scaled]):
            m_slice = tf.gather(_scatter_add(m, indices, grad * state["rest_1"]), indices)
        bar = state["rest_m"] * g + state["m_t_1"] * (m_slice / state["rest_next"])
        scaled_v = v.assign(v * state["beta_2"])._element
        with tf.control_dependencies([scaled_v]):
            v_slice = tf.gather(_scatter_add(v, indices, tf.square(grad) * state["rest_2"]), indices)
        step = state["neg_lr_t"] * bar / (tf.sqrt(v_slice / state["v_power"]) + state["epsilon"])
        return apply_op("ResourceScatterAdd", None, resource=var.handle, indices=indices, updates=step)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}


@export("keras.optimizers.Ftrl")
class Ftrl(Optimizer):
    """Follow the regularised leader."""

    def __init__(
        self, learning_rate: Any = 0.001, learning_rate_power: float = -0.5, initial_accumulator_value: float = 0.1, l1_regularization_strength: float = 0.0, l2_regularization_strength: float = 0.0,
        name: str = "Ftrl", l2_shrinkage_regularization_strength: float = 0.0, **kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(name, **kwargs)
        _hyper_setup(
            self, kwargs, learning_rate, learning_rate_power=learning_rate_power, l1_regularization_strength=l1_regularization_strength, l2_regularization_strength=l2_regularization_strength,
        )  # fmt: skip
        self._initial_accumulator_value = initial_accumulator_value
        self._shrinkage = l2_shrinkage_regularization_strength

    def _create_slots(self, variables: list[Any]) -> None:
        from runtime.tf1 import init_ops

        for var in variables:
            self.add_slot(var, "accumulator", init_ops.Constant(self._initial_accumulator_value, dtype=var.dtype.base_dtype))
            self.add_slot(var, "linear")

    def _apply_dense(self, grad: Any, var: Any, state: dict[str, Any]) -> Any:
        dtype = var.dtype.base_dtype
        shared = {
            "var": var.handle, "accum": self.get_slot(var, "accumulator").handle, "linear": self.get_slot(var, "linear").handle, "grad": grad, "lr": state["lr_t"],
            "l1": tf.identity(self._get_hyper("l1_regularization_strength", dtype)), "l2": tf.identity(self._get_hyper("l2_regularization_strength", dtype)),
            "lr_power": tf.identity(self._get_hyper("learning_rate_power", dtype)),
        }  # fmt: skip
        if self._shrinkage > 0:
            return apply_op("ResourceApplyFtrlV2", None, l2_shrinkage=self._shrinkage, **shared)
        return apply_op("ResourceApplyFtrl", None, **shared)

    def _apply_sparse(self, grad: Any, var: Any, indices: Any, state: dict[str, Any]) -> Any:
        dense = tf.scatter_nd(tf.expand_dims(tf.cast(indices, tf.int32), 1), grad, tf.shape(var))
        return self._apply_dense(dense, var, state)


class TFOptimizer:
    """A tf.train optimizer as Keras uses it."""

    def __init__(self, optimizer: Any, iterations: Any = None) -> None:
        self.optimizer = optimizer
        with tf.name_scope("TFOptimizer"):
            self.iterations = (
                K.track_variable(make_variable("iterations", (), "int64", 0, trainable=False)) if iterations is None else iterations
            )

    def get_updates(self, loss: Any, params: Any) -> list[Any]:
        grads = self.optimizer.compute_gradients(loss, params)
        global_step = tf.train.get_global_step()
        op = self.optimizer.apply_gradients(grads, global_step=global_step)
        for var in self.optimizer.variables():
            K.track_variable(var)
        return [op] if global_step is not None else [op, K.update_add(self.iterations, 1)]

    @property
    def weights(self) -> list[Any]:
        raise NotImplementedError("A tf.train optimizer's variables are saved by tf.train.Saver, not by Keras.")

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError("A tf.train optimizer has no Keras configuration.")


# -- schedules -----------------------------------------------------------------------------------------------------------


@export("keras.optimizers.schedules.LearningRateSchedule")
class LearningRateSchedule:
    """A learning rate that depends on the step."""

    def __call__(self, step: Any) -> Any:
        raise NotImplementedError("Learning rate schedule must override __call__")

    def get_config(self) -> dict[str, Any]:
        return dict(getattr(self, "_config", {}))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return cls(**config)


def _schedule(class_name: str, names: tuple[str, ...], defaults: dict[str, Any], compute: Any) -> Any:
    class Schedule(LearningRateSchedule):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            given = {**defaults, **dict(zip(names, args, strict=False)), **kwargs}
            missing = [n for n in names if n not in given]
            if missing:
                raise TypeError(f"__init__() missing required arguments: {', '.join(missing)}")
            self._config = given

        def __call__(self, step: Any) -> Any:
            return compute(step, {k: v for k, v in self._config.items() if k != "name"})

    Schedule.__name__ = Schedule.__qualname__ = class_name
    return export(f"keras.optimizers.schedules.{class_name}")(Schedule)


def _renamed(function: str, **names: str) -> Any:
    def compute(step: Any, config: dict[str, Any]) -> Any:
        return getattr(tf.train, function)(global_step=step, **{names.get(k, k): v for k, v in config.items()})

    return compute


ExponentialDecay = _schedule(
    "ExponentialDecay",
    ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name"),
    {"staircase": False, "name": None},
    _renamed("exponential_decay", initial_learning_rate="learning_rate"),
)
InverseTimeDecay = _schedule(
    "InverseTimeDecay",
    ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name"),
    {"staircase": False, "name": None},
    _renamed("inverse_time_decay", initial_learning_rate="learning_rate"),
)
PolynomialDecay = _schedule(
    "PolynomialDecay", ("initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle", "name"), {"end_learning_rate": 0.0001, "power": 1.0, "cycle": False, "name": None},
    _renamed("polynomial_decay", initial_learning_rate="learning_rate"),
)  # fmt: skip
PiecewiseConstantDecay = _schedule(
    "PiecewiseConstantDecay",
    ("boundaries", "values", "name"),
    {"name": None},
    lambda step, c: tf.train.piecewise_constant(step, [float(b) for b in c["boundaries"]], c["values"]),
)
SCHEDULES = {c.__name__: c for c in (ExponentialDecay, InverseTimeDecay, PolynomialDecay, PiecewiseConstantDecay)}


@export("keras.optimizers.schedules.serialize")
def serialize_schedule(schedule: Any) -> Any:
    return serialize_keras_object(schedule)


@export("keras.optimizers.schedules.deserialize")
def deserialize_schedule(config: Any, custom_objects: Any = None) -> Any:
    return deserialize_keras_object(config, SCHEDULES, custom_objects, "decay")


OPTIMIZERS: dict[str, Any] = {c.__name__.lower(): c for c in (SGD, RMSprop, Adam, Adagrad, Adadelta, Adamax, Nadam, Ftrl)}


@export("keras.optimizers.serialize")
def serialize(optimizer: Any) -> Any:
    return serialize_keras_object(optimizer)


@export("keras.optimizers.deserialize")
def deserialize(config: Any, custom_objects: Any = None) -> Any:
    if config["class_name"].lower() in OPTIMIZERS:
        config = {**config, "class_name": config["class_name"].lower()}
    return deserialize_keras_object(config, OPTIMIZERS, custom_objects, "optimizer")


@export("keras.optimizers.get")
def get(identifier: Any) -> Any:
    if isinstance(identifier, Optimizer | TFOptimizer):
        return identifier
    if isinstance(identifier, dict):
        return deserialize(identifier)
    if isinstance(identifier, str):
        return deserialize({"class_name": identifier, "config": {}})
    if hasattr(identifier, "compute_gradients"):
        return TFOptimizer(identifier)
    raise ValueError(f"Could not interpret optimizer identifier: {identifier}")
