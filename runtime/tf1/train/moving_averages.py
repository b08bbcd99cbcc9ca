"""Moving averages: tf.train.ExponentialMovingAverage and the updates it is made of."""

from __future__ import annotations

from typing import Any

from graphtools import dtypes
from runtime.tf1 import control_flow_ops, init_ops, math_ops, state_ops
from runtime.tf1.graph import GraphKeys, add_to_collection, convert_to_tensor, get_default_graph, init_scope, name_scope
from runtime.tf1.registry import export, put
from runtime.tf1.train.optimizer import create_slot, create_zeros_slot
from runtime.tf1.variable_scope import get_variable, get_variable_scope, variable_scope
from runtime.tf1.variables import Variable, global_variables, moving_average_variables, trainable_variables

AVERAGED = (dtypes.bfloat16, dtypes.float16, dtypes.float32, dtypes.float64)


def assign_moving_average(variable: Any, value: Any, decay: Any, zero_debias: bool = True, name: str | None = None) -> Any:
    """variable -= (variable - value) (1 - decay).

    With `zero_debias` the average is kept in a variable of its own and divided by 1 - decay^steps, which is what starting from
    zero takes away (section 3 of Kingma and Ba, Adam, arXiv:1412.6980).
    """
    with name_scope(name, "AssignMovingAvg", [variable, value, decay]) as scope:
        dtype = variable.dtype.base_dtype
        rate = convert_to_tensor(1.0 - decay, name="decay")
        if rate.dtype != dtype:
            rate = math_ops.cast(rate, dtype)
        graph = get_default_graph()
        if not zero_debias:
            with graph.colocate_with(variable.op):
                return state_ops.assign_sub(variable, (variable - value) * rate, name=scope)
        with variable_scope(variable.op.name, values=[variable, value, rate]), graph.colocate_with(variable.op):
            biased = get_variable(
                _unique("biased"), initializer=init_ops.Zeros(), shape=variable.get_shape(), dtype=dtype, trainable=False
            )
            local_step = get_variable(_unique("local_step"), shape=[], dtype=dtype, initializer=init_ops.Zeros(), trainable=False)
        with graph.colocate_with(variable.op):
            update = state_ops.assign_sub(biased, (biased - value) * rate)
            steps = local_step.assign_add(1)
            bias = 1 - (1.0 - rate) ** steps
            return state_ops.assign(variable, update / bias, name=f"{graph.get_name_scope()}/")


def _unique(name: str) -> str:
    """`name`, numbered where the variable scope has such a variable already and does not reuse it."""
    scope = get_variable_scope()
    taken = set() if scope.reuse else {v.op.name for v in scope.global_variables()}
    full, i = f"{scope.name}/{name}", 0
    while f"{full}_{i}" in taken if i else full in taken:
        i += 1
    return f"{name}_{i}" if i else name


def weighted_moving_average(
    value: Any, decay: Any, weight: Any, truediv: bool = True, collections: Any = None, name: str | None = None
) -> Any:
    """The moving average of value * weight over the moving average of weight."""
    collections = [GraphKeys.GLOBAL_VARIABLES] if collections is None else collections
    with variable_scope(name, "WeightedMovingAvg", [value, weight, decay]) as scope:

        def variable(name: str, like: Any) -> Any:
            return get_variable(
                name, shape=like.get_shape(), dtype=like.dtype, initializer=init_ops.Zeros(), trainable=False, collections=collections
            )

        top, bottom = variable("value_x_weight", value), variable("weight", weight)
        numerator = assign_moving_average(top, value * weight, decay, zero_debias=False)
        denominator = assign_moving_average(bottom, weight, decay, zero_debias=False)
        return (math_ops.truediv if truediv else math_ops.div)(numerator, denominator, name=scope.name)


@export("train.ExponentialMovingAverage")
class ExponentialMovingAverage:
    """Shadow variables that follow variables or tensors: shadow -= (1 - decay) (shadow - value).

    With `num_updates`, decay is min(decay, (1 + num_updates) / (10 + num_updates)).
    """

    def __init__(
        self, decay: Any, num_updates: Any = None, zero_debias: bool = False, name: str = "ExponentialMovingAverage"
    ) -> None:
        self._decay, self._num_updates, self._zero_debias, self._name = decay, num_updates, zero_debias, name
        self._averages: dict[Any, Any] = {}

    @property
    def name(self) -> str:
        return self._name

    def apply(self, var_list: Any = None) -> Any:
        """The op that updates the averages of `var_list` (default: the trainable variables), which it makes where they are new.

        Raises:
            TypeError: a variable is not of a floating type.
        """
        var_list = trainable_variables() if var_list is None else var_list
        debiased = set()
        for var in var_list:
            if var.dtype.base_dtype not in AVERAGED:
                raise TypeError(f"The variables must be half, float, or double: {var.name}")
            if var in self._averages:
                continue
            with init_scope():
                if isinstance(var, Variable):
                    self._averages[var] = create_slot(var, var.initialized_value(), self.name)
                    add_to_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, var)
                else:
                    near = var.op.type in ("Variable", "VariableV2", "VarHandleOp")
                    self._averages[var] = create_zeros_slot(var, self.name, colocate_with_primary=near)
                    if self._zero_debias:
                        debiased.add(var)
        with name_scope(self.name) as scope:
            decay = convert_to_tensor(self._decay, name="decay")
            if self._num_updates is not None:
                steps = math_ops.cast(self._num_updates, dtypes.float32, name="num_updates")
                decay = math_ops.minimum(decay, (1.0 + steps) / (10.0 + steps))
            updates = [assign_moving_average(self._averages[var], var, decay, var in debiased) for var in var_list]
            return control_flow_ops.group(*updates, name=scope)

    def average(self, var: Any) -> Any:
        """The variable with the average of `var`; None where none is kept."""
        return self._averages.get(var)

    def average_name(self, var: Any) -> str:
        """The name of the variable with the average of `var`, kept or not."""
        if var in self._averages:
            return str(self._averages[var].op.name)
        return get_default_graph().unique_name(f"{var.op.name}/{self.name}", mark_as_used=False)

    def variables_to_restore(self, moving_avg_variables: Any = None) -> dict[str, Any]:
        """Names in a checkpoint to variables: the average's name for those that have one, else the variable's own."""
        if moving_avg_variables is None:
            moving_avg_variables = [*trainable_variables(), *moving_average_variables()]
        averaged = dict.fromkeys(moving_avg_variables)
        found = {self.average_name(v): v for v in averaged}
        names = {v.name for v in averaged}
        for v in dict.fromkeys(global_variables()):
            if v.name not in names:
                found.setdefault(v.op.name, v)
        return found


put("python.training.moving_averages.assign_moving_average", assign_moving_average)
put("python.training.moving_averages.weighted_moving_average", weighted_moving_average)
put("python.training.moving_averages.ExponentialMovingAverage", ExponentialMovingAverage)
