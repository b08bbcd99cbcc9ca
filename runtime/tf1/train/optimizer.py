"""tf.train.Optimizer: gradients, slots and the update ops of a training step."""

from __future__ import annotations

from typing import Any

from graphtools import graph as base
from graphtools.gradients import IndexedSlices
from runtime.tf1 import array_ops, control_flow_ops, state_ops
from runtime.tf1.gradients import gradients
from runtime.tf1.graph import GraphKeys, apply_op, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export
from runtime.tf1.variable_scope import PartitionedVariable, get_variable_scope, variable_scope
from runtime.tf1.variables import Variable, trainable_variables


@export("train.Optimizer")
class Optimizer:
    """The base of optimizers: a subclass says how a gradient changes a variable."""

    GATE_NONE = 0
    GATE_OP = 1
    GATE_GRAPH = 2

    def __init__(self, use_locking: bool, name: str) -> None:
        if not name:
            raise ValueError("Must specify the optimizer name")
        self._use_locking = use_locking
        self._name = name
        self._slots: dict[str, dict[Any, Any]] = {}
        self._non_slot_dict: dict[Any, Any] = {}

    def get_name(self) -> str:
        return self._name

    def minimize(
        self,
        loss: Any,
        global_step: Any = None,
        var_list: Any = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        name: str | None = None,
        grad_loss: Any = None,
    ) -> Any:
        """The op of one training step."""
        grads_and_vars = self.compute_gradients(loss, var_list, gate_gradients, aggregation_method, colocate_gradients_with_ops, grad_loss)
        if not any(g is not None for g, _ in grads_and_vars):
            raise ValueError(
                f"No gradients provided for any variable, check your graph for ops that do not support gradients, between variables {[str(v) for _, v in grads_and_vars]} and loss {loss}."
            )
        return self.apply_gradients(grads_and_vars, global_step=global_step, name=name)

    def compute_gradients(
        self,
        loss: Any,
        var_list: Any = None,
        gate_gradients: int = GATE_OP,
        aggregation_method: Any = None,
        colocate_gradients_with_ops: bool = False,
        grad_loss: Any = None,
    ) -> list[tuple[Any, Any]]:
        """(gradient, variable) of each variable that the loss may depend on."""
        if callable(loss):
            raise RuntimeError("`loss` passed to Optimizer.compute_gradients should be a tensor: functions need eager execution.")
        if gate_gradients not in (0, 1, 2):
            raise ValueError(
                f"gate_gradients must be one of: Optimizer.GATE_NONE, Optimizer.GATE_OP, Optimizer.GATE_GRAPH.  Not {gate_gradients}"
            )
        if var_list is None:
            graph = get_default_graph()
            var_list = trainable_variables() + graph.get_collection(GraphKeys.TRAINABLE_RESOURCE_VARIABLES)
        variables = []
        for v in _flat(var_list):
            variables.extend(v if isinstance(v, PartitionedVariable) else [v])
        if not variables:
            raise ValueError("No variables to optimize.")
        for v in variables:
            if not isinstance(v, Variable) and not getattr(v, "_is_resource", False):
                raise NotImplementedError("Trying to update a Tensor ", v)
        sources = [v.handle if getattr(v, "_is_resource", False) else v._ref() if isinstance(v, Variable) else v for v in variables]
        grads = gradients(
            loss,
            sources,
            grad_ys=grad_loss,
            gate_gradients=gate_gradients == self.GATE_OP,
            aggregation_method=aggregation_method,
            colocate_gradients_with_ops=colocate_gradients_with_ops,
        )
        if gate_gradients == self.GATE_GRAPH:
            grads = control_flow_ops.tuple_(grads)
        return list(zip(grads, variables, strict=True))

    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None, name: str | None = None) -> Any:
        """The op that applies gradients to their variables and then counts the step."""
        pairs = tuple(grads_and_vars)
        if not pairs:
            raise ValueError("No variables provided.")
        converted = []
        for g, v in pairs:
            if g is not None and not isinstance(g, IndexedSlices):
                g = convert_to_tensor(g)
            converted.append((g, v))
        used = [v for g, v in converted if g is not None]
        if not used:
            raise ValueError(f"No gradients provided for any variable: {[str(v) for _, v in converted]}.")
        graph = get_default_graph()
        with graph.control_dependencies(None):
            self._create_slots(used)
        updates = []
        with name_scope(name, self._name) as scope:
            self._prepare()
            for grad, var in converted:
                if grad is None:
                    continue
                label = var.op.name
                with graph.name_scope("update_" + label), graph.colocate_with(var.op):
                    updates.append(self._update(grad, var))
            if global_step is None:
                apply_updates = self._finish(updates, scope)
            else:
                with graph.control_dependencies([self._finish(updates, "update")]), graph.colocate_with(global_step.op):
                    if getattr(global_step, "_is_resource", False):
                        apply_updates = apply_op(
                            "AssignAddVariableOp", scope, resource=global_step.handle, value=convert_to_tensor(1, global_step.dtype)
                        )
                    else:
                        apply_updates = state_ops.assign_add(global_step, 1, name=scope)
            if isinstance(apply_updates, base.Tensor):
                apply_updates = apply_updates.node
            train_ops = graph.get_collection_ref(GraphKeys.TRAIN_OP)
            if apply_updates not in train_ops:
                train_ops.append(apply_updates)
            return apply_updates

    def _update(self, grad: Any, var: Any) -> Any:
        resource = getattr(var, "_is_resource", False)
        if isinstance(grad, IndexedSlices):
            if var.constraint is not None:
                raise RuntimeError("Cannot use a constraint function on a sparse variable.")
            if resource:
                return self._resource_apply_sparse_duplicate_indices(grad.values, var, grad.indices)
            return self._apply_sparse_duplicate_indices(grad, var)
        update = self._resource_apply_dense(grad, var) if resource else self._apply_dense(grad, var)
        if getattr(var, "constraint", None) is not None:
            with get_default_graph().control_dependencies([update]):
                return var.assign(var.constraint(var))
        return update

    # -- slots ---------------------------------------------------------------------------------------------------

    def get_slot(self, var: Any, name: str) -> Any:
        return self._slots.get(name, {}).get(var)

    def get_slot_names(self) -> list[str]:
        return sorted(self._slots)

    def variables(self) -> list[Any]:
        graph = get_default_graph()
        own = [v for (_, g), v in self._non_slot_dict.items() if g is graph]
        own += [v for slots in self._slots.values() for v in slots.values()]
        return sorted(own, key=lambda v: v.name)

    def _slot_dict(self, slot_name: str) -> dict[Any, Any]:
        return self._slots.setdefault(slot_name, {})

    def _get_or_make_slot(self, var: Any, val: Any, slot_name: str, op_name: str) -> Any:
        slots = self._slot_dict(slot_name)
        if var not in slots:
            slots[var] = create_slot(var, val, op_name)
        return slots[var]

    def _get_or_make_slot_with_initializer(self, var: Any, initializer: Any, shape: Any, dtype: Any, slot_name: str, op_name: str) -> Any:
        slots = self._slot_dict(slot_name)
        if var not in slots:
            slots[var] = create_slot_with_initializer(var, initializer, shape, dtype, op_name)
        return slots[var]

    def _zeros_slot(self, var: Any, slot_name: str, op_name: str) -> Any:
        slots = self._slot_dict(slot_name)
        if var not in slots:
            slots[var] = create_zeros_slot(var, op_name)
        return slots[var]

    def _create_non_slot_variable(self, initial_value: Any, name: str, colocate_with: Any) -> Any:
        graph = colocate_with.graph
        key = (name, graph)
        found = self._non_slot_dict.get(key)
        if found is None:
            with graph.colocate_with(colocate_with.op):
                found = self._non_slot_dict[key] = Variable(
                    initial_value, name=name, trainable=False, use_resource=bool(getattr(colocate_with, "_is_resource", False))
                )
        return found

    def _get_non_slot_variable(self, name: str, graph: Any = None) -> Any:
        return self._non_slot_dict.get((name, graph))

    # -- what subclasses say ---------------------------------------------------------------------------------------

    def _create_slots(self, var_list: Any) -> None:
        """Make the state that the update needs."""

    def _prepare(self) -> None:
        """Make the tensors of the hyperparameters."""

    def _apply_dense(self, grad: Any, var: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no dense update.")

    def _resource_apply_dense(self, grad: Any, handle: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no update of resource variables.")

    def _apply_sparse(self, grad: Any, var: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no sparse update.")

    def _resource_apply_sparse(self, grad: Any, handle: Any, indices: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} has no sparse update of resource variables.")

    def _apply_sparse_duplicate_indices(self, grad: Any, var: Any) -> Any:
        values, indices = deduplicate(grad.values, grad.indices)
        return self._apply_sparse(IndexedSlices(values, indices, grad.dense_shape), var)

    def _resource_apply_sparse_duplicate_indices(self, grad: Any, handle: Any, indices: Any) -> Any:
        values, unique = deduplicate(grad, indices)
        return self._resource_apply_sparse(values, handle, unique)

    def _finish(self, update_ops: Any, name_scope: str) -> Any:
        return control_flow_ops.group(*update_ops, name=name_scope)

    def _call_if_callable(self, param: Any) -> Any:
        return param() if callable(param) else param


def deduplicate(values: Any, indices: Any) -> tuple[Any, Any]:
    """The sums of the rows that share an index, and the distinct indices."""
    from runtime.tf1.math_ops import unsorted_segment_sum

    unique, positions = apply_op("Unique", None, x=indices)
    count = array_ops._slice_helper(array_ops.shape(unique), 0)
    return unsorted_segment_sum(values, positions, count), unique


def _flat(items: Any) -> list[Any]:
    if isinstance(items, list | tuple | set):
        return [x for item in items for x in _flat(item)]
    return [items]


def _create_slot_var(primary: Any, val: Any, scope: str, validate_shape: bool, shape: Any, dtype: Any) -> Any:
    from runtime.tf1.variable_scope import get_variable
    from runtime.tf1.variables import SaveSliceInfo

    current = get_variable_scope()
    partitioner = current.partitioner
    current.set_partitioner(None)
    try:
        slot = get_variable(
            scope,
            initializer=val,
            trainable=False,
            use_resource=bool(getattr(primary, "_is_resource", False)),
            shape=shape,
            dtype=dtype,
            validate_shape=validate_shape,
        )
    finally:
        current.set_partitioner(partitioner)
    info = primary._get_save_slice_info() if isinstance(primary, Variable) else None
    if info is not None:
        prefix = "/" + slot.op.name[len(primary.op.name) + 1 :]  # cut as TensorFlow cuts it, also where the slot is in a further scope
        slot._set_save_slice_info(SaveSliceInfo(info.full_name + prefix, info.full_shape, info.var_offset, info.var_shape))
    return slot


def create_slot(primary: Any, val: Any, name: str, colocate_with_primary: bool = True) -> Any:
    """A variable of its own for `primary`, named after it."""
    validate = val.dims is not None and None not in val.dims if isinstance(val, base.Tensor) else True
    with variable_scope(None, f"{primary.op.name}/{name}"):
        return _colocated(primary, colocate_with_primary, lambda: _create_slot_var(primary, val, "", validate, None, None))


def create_slot_with_initializer(
    primary: Any, initializer: Any, shape: Any, dtype: Any, name: str, colocate_with_primary: bool = True
) -> Any:
    with variable_scope(None, f"{primary.op.name}/{name}"):
        return _colocated(
            primary, colocate_with_primary, lambda: _create_slot_var(primary, initializer, "", shape.is_fully_defined(), shape, dtype)
        )


def _colocated(primary: Any, colocate: bool, make: Any) -> Any:
    if not colocate:
        return make()
    with get_default_graph().colocate_with(primary.op):
        return make()


def create_zeros_slot(primary: Any, name: str, dtype: Any = None, colocate_with_primary: bool = True) -> Any:
    from runtime.tf1.init_ops import Zeros

    dtype = dtype or primary.dtype.base_dtype
    shape = primary.get_shape()
    if shape.is_fully_defined():
        return create_slot_with_initializer(primary, Zeros(dtype), shape, dtype, name, colocate_with_primary)
    value = array_ops.zeros(array_ops.shape(primary.initialized_value() if isinstance(primary, Variable) else primary), dtype)
    return create_slot(primary, value, name, colocate_with_primary)
