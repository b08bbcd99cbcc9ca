"""tf.train.ExponentialMovingAverage."""

from __future__ import annotations

from typing import Any

from graphtools.dtypes import float32
from runtime.tf1 import init_ops, math_ops, variable_scope
from runtime.tf1.control_flow_ops import group
from runtime.tf1.graph import GraphKeys, apply_op, convert_to_tensor, get_default_graph, init_scope, name_scope
from runtime.tf1.registry import export
from runtime.tf1.state_ops import assign, assign_sub
from runtime.tf1.train.optimizer import create_slot, create_zeros_slot
from runtime.tf1.variables import Variable, global_variables, moving_average_variables, trainable_variables


@export("python.training.moving_averages.assign_moving_average")
def assign_moving_average(variable: Any, value: Any, decay: Any, zero_debias: bool = True, name: str | None = None) -> Any:
    """variable -= (variable - value) * (1 - decay); with `zero_debias`, as if the average had not started at zero."""
    with name_scope(name, "AssignMovingAvg", [variable, value, decay]) as scope:
        decay = convert_to_tensor(1.0 - decay, name="decay")
        if decay.dtype.base_dtype is not variable.dtype.base_dtype:
            decay = math_ops.cast(decay, variable.dtype.base_dtype)
        if zero_debias:
            return _zero_debias(variable, value, decay)
        with get_default_graph().colocate_with(variable.op):
            return assign_sub(variable, (variable - value) * decay, name=scope)


def _zero_debias(unbiased: Any, value: Any, decay: Any) -> Any:
    with variable_scope.variable_scope(unbiased.name.removesuffix(":0"), values=[unbiased, value, decay]):
        with init_scope():
            biased_initializer, step_initializer = init_ops.Zeros(), init_ops.Zeros()

        def unique(name: str) -> str:
            scope = variable_scope.get_variable_scope()
            if scope.reuse:
                return name
            full, n = f"{scope.name}/{name}", 1
            if full not in get_default_graph().nodes:  # a look that costs nothing, before all variables are listed
                return name
            taken = {v.op.name for v in get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES)}
            if full not in taken:
                return name
            while f"{full}_{n}" in taken:
                n += 1
            return f"{name}_{n}"

        with get_default_graph().colocate_with(unbiased.op):
            biased = variable_scope.get_variable(
                unique("biased"),
                initializer=biased_initializer,
                shape=unbiased.get_shape(),
                dtype=unbiased.dtype.base_dtype,
                trainable=False,
            )
            step = variable_scope.get_variable(
                unique("local_step"), shape=[], dtype=unbiased.dtype.base_dtype, initializer=step_initializer, trainable=False
            )
    with get_default_graph().colocate_with(unbiased.op):
        new = assign_sub(biased, (biased - value) * decay)
        new_step = step.assign_add(1)
        factor = 1 - math_ops.pow_(1.0 - decay, new_step)
        return assign(unbiased, new / factor, name=f"{get_default_graph().get_name_scope()}/")


@export("python.training.moving_averages.weighted_moving_average")
def weighted_moving_average(
    value: Any, decay: Any, weight: Any, truediv: bool = True, collections: Any = None, name: str | None = None
) -> Any:
    """The moving average of value * weight over that of weight."""
    collections = [GraphKeys.GLOBAL_VARIABLES] if collections is None else collections
    with variable_scope.variable_scope(name, "WeightedMovingAvg", [value, weight, decay]) as scope:

        def variable(label: str, like: Any) -> Any:
            return variable_scope.get_variable(
                label, shape=like.get_shape(), dtype=like.dtype, initializer=init_ops.Zeros(), trainable=False, collections=collections
            )

        top, bottom = variable("value_x_weight", value), variable("weight", weight)
        numerator = assign_moving_average(top, value * weight, decay, zero_debias=False)
        denominator = assign_moving_average(bottom, weight, decay, zero_debias=False)
        return (math_ops.truediv if truediv else math_ops.div)(numerator, denominator, name=scope.name)


@export("train.ExponentialMovingAverage")
class ExponentialMovingAverage:
    """Keeps moving averages of variables: shadow = decay * shadow + (1 - decay) * variable."""

    def __init__(self, decay: Any, num_updates: Any = None, zero_debias: bool = False, name: str = "ExponentialMovingAverage") -> None:
        self._decay, self._num_updates, self._zero_debias, self._name = decay, num_updates, zero_debias, name
        self._averages: dict[Any, Any] = {}

    name = property(lambda self: self._name)

    def apply(self, var_list: Any = None) -> Any:
        """The op that updates the averages, which are made the first time."""
        var_list = trainable_variables() if var_list is None else list(var_list)
        debiased = set()
        for var in var_list:
            if not var.dtype.base_dtype.is_floating:
                raise TypeError(f"The variables must be half, float, or double: {var.name}")
            if var in self._averages:
                continue
            with init_scope():
                if isinstance(var, Variable):
                    average = create_slot(var, var.initialized_value(), self._name, colocate_with_primary=True)
                    get_default_graph().add_to_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, var)
                else:
                    average = create_zeros_slot(
                        var, self._name, colocate_with_primary=var.op.type in ("Variable", "VariableV2", "VarHandleOp")
                    )
                    if self._zero_debias:
                        debiased.add(average)
            self._averages[var] = average
        with name_scope(self._name, None, ()) as scope:
            decay = convert_to_tensor(self._decay, name="decay")
            if self._num_updates is not None:
                count = math_ops.cast(self._num_updates, float32, name="num_updates")
                decay = apply_op("Minimum", None, x=decay, y=(1.0 + count) / (10.0 + count))
            updates = [assign_moving_average(self._averages[v], v, decay, self._averages[v] in debiased) for v in var_list]
            return group(*updates, name=scope)

    def average(self, var: Any) -> Any:
        return self._averages.get(var)

    def average_name(self, var: Any) -> str:
        if var in self._averages:
            return str(self._averages[var].op.name)
        return get_default_graph().unique_name(f"{var.op.name}/{self._name}", mark_as_used=False)

    def variables_to_restore(self, moving_avg_variables: Any = None) -> dict[str, Any]:
        """Checkpoint name -> variable, with the averages in place of the variables they are of."""
        if moving_avg_variables is None:
            moving_avg_variables = [*trainable_variables(), *moving_average_variables()]
        moving = dict.fromkeys(moving_avg_variables)
        found = {self.average_name(v): v for v in moving}
        names = {v.name for v in moving}
        for v in dict.fromkeys(global_variables()):
            if v.name not in names and v.op.name not in found:
                found[v.op.name] = v
        return found


export("python.training.slot_creator.create_slot")(create_slot)
export("python.training.slot_creator.create_zeros_slot")(create_zeros_slot)
