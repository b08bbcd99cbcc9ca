"""tf.contrib.framework: variables, their collections, and their values from checkpoints."""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable
from typing import Any

from runtime.tf1.contrib.arg_scope import add_arg_scope
from runtime.tf1.graph import GraphKeys
from runtime.tf1.modules import module
from runtime.tf1.registry import export
from runtime.tf1.variable_scope import VariableScope

tf: Any = module("")
_log = logging.getLogger("tensorflow")


@export("contrib.framework.local_variable")
def local_variable(initial_value: Any, validate_shape: bool = True, name: str | None = None, use_resource: Any = None) -> Any:
    return tf.Variable(
        initial_value,
        trainable=False,
        collections=[GraphKeys.LOCAL_VARIABLES],
        validate_shape=validate_shape,
        use_resource=use_resource,
        name=name,
    )


@export("contrib.framework.global_variable")
def global_variable(initial_value: Any, validate_shape: bool = True, name: str | None = None, use_resource: Any = None) -> Any:
    return tf.Variable(
        initial_value,
        trainable=False,
        collections=[GraphKeys.GLOBAL_VARIABLES],
        validate_shape=validate_shape,
        use_resource=use_resource,
        name=name,
    )


@export("contrib.framework.variable")
@add_arg_scope
def variable(
    name: str, shape: Any = None, dtype: Any = None, initializer: Any = None, regularizer: Any = None, trainable: bool = True, collections: Any = None,
    caching_device: Any = None, device: Any = None, partitioner: Any = None, custom_getter: Any = None, use_resource: Any = None, synchronization: Any = None,
    aggregation: Any = None,
) -> Any:  # fmt: skip
    """tf.get_variable with a device, without duplicates among the collections."""
    unique = list(dict.fromkeys(collections if collections is not None else [GraphKeys.GLOBAL_VARIABLES]))
    getter: Callable[..., Any] = tf.get_variable
    if custom_getter is not None:
        getter = functools.partial(custom_getter, reuse=tf.get_variable_scope().reuse)
    with tf.device(device or ""):
        return getter(
            name, shape=shape, dtype=dtype, initializer=initializer, regularizer=regularizer, trainable=trainable, collections=unique,
            caching_device=caching_device, partitioner=partitioner, use_resource=use_resource,
        )  # fmt: skip


@export("contrib.framework.model_variable")
@add_arg_scope
def model_variable(
    name: str, shape: Any = None, dtype: Any = "float32", initializer: Any = None, regularizer: Any = None, trainable: bool = True, collections: Any = None,
    caching_device: Any = None, device: Any = None, partitioner: Any = None, custom_getter: Any = None, use_resource: Any = None, synchronization: Any = None,
    aggregation: Any = None,
) -> Any:  # fmt: skip
    """A variable that is in MODEL_VARIABLES too."""
    return variable(
        name, shape=shape, dtype=dtype, initializer=initializer, regularizer=regularizer, trainable=trainable,
        collections=[*(collections or []), GraphKeys.GLOBAL_VARIABLES, GraphKeys.MODEL_VARIABLES], caching_device=caching_device, device=device,
        partitioner=partitioner, custom_getter=custom_getter, use_resource=use_resource, synchronization=synchronization, aggregation=aggregation,
    )  # fmt: skip


@export("contrib.framework.add_model_variable")
def add_model_variable(var: Any) -> None:
    if not any(v is var for v in tf.get_collection(GraphKeys.MODEL_VARIABLES)):
        tf.add_to_collection(GraphKeys.MODEL_VARIABLES, var)


@export("contrib.framework.get_variables")
def get_variables(scope: Any = None, suffix: str | None = None, collection: str = GraphKeys.GLOBAL_VARIABLES) -> list[Any]:
    """The variables of a collection whose name starts with `scope` and ends with `suffix`."""
    if isinstance(scope, VariableScope):
        scope = scope.name
    if suffix is not None:
        scope = (scope or "") + ".*" + (suffix if ":" in suffix else f"{suffix}:")
    return list(tf.get_collection(collection, scope))


@export("contrib.framework.get_model_variables")
def get_model_variables(scope: Any = None, suffix: str | None = None) -> list[Any]:
    return get_variables(scope, suffix, GraphKeys.MODEL_VARIABLES)


@export("contrib.framework.get_local_variables")
def get_local_variables(scope: Any = None, suffix: str | None = None) -> list[Any]:
    return get_variables(scope, suffix, GraphKeys.LOCAL_VARIABLES)


@export("contrib.framework.get_trainable_variables")
def get_trainable_variables(scope: Any = None, suffix: str | None = None) -> list[Any]:
    return get_variables(scope, suffix, GraphKeys.TRAINABLE_VARIABLES)


@export("contrib.framework.get_variables_to_restore")
def get_variables_to_restore(include: Any = None, exclude: Any = None) -> list[Any]:
    """The global variables of the scopes `include` (all when None) that are not of the scopes `exclude`."""
    for label, given in (("include", include), ("exclude", exclude)):
        if given is not None and not isinstance(given, list | tuple):
            raise TypeError(f"{label} is provided but is not a list or a tuple.")
    included = get_variables() if include is None else [v for scope in include for v in get_variables(scope)]
    excluded = {id(v) for scope in exclude or () for v in get_variables(scope)}
    return [v for v in included if id(v) not in excluded]


@export("contrib.framework.get_variables_by_suffix")
def get_variables_by_suffix(suffix: str, scope: Any = None) -> list[Any]:
    return get_variables(scope=scope, suffix=suffix)


@export("contrib.framework.get_variables_by_name")
def get_variables_by_name(given_name: str, scope: Any = None) -> list[Any]:
    return get_variables(scope=scope, suffix=f"/{given_name}:|^{given_name}:")


@export("contrib.framework.get_unique_variable")
def get_unique_variable(var_op_name: str) -> Any:
    candidates = get_variables(scope=var_op_name)
    if not candidates:
        raise ValueError(f"Couldn't find variable {var_op_name}")
    for candidate in candidates:
        if candidate.op.name == var_op_name:
            return candidate
    raise ValueError(f"Variable {var_op_name} does not uniquely identify a variable")


@export("contrib.framework.filter_variables")
def filter_variables(var_list: Any, include_patterns: Any = None, exclude_patterns: Any = None, reg_search: bool = True) -> list[Any]:
    match = re.search if reg_search else re.match
    kept = [v for v in var_list if include_patterns is None or any(match(p, v.name) for p in include_patterns)]
    return [v for v in kept if not any(match(p, v.name) for p in exclude_patterns or ())]


@export("contrib.framework.get_variable_full_name")
def get_variable_full_name(var: Any) -> str:
    """A variable's name in a checkpoint: the whole's, for a part."""
    info = getattr(var, "_save_slice_info", None)
    return str(info.full_name if info else var.op.name)


def _value_placeholder(var: Any) -> Any:
    return tf.placeholder(dtype=var.dtype.base_dtype, shape=var.get_shape(), name=f"placeholder/{var.op.name}")


@export("contrib.framework.assign_from_values")
def assign_from_values(var_names_to_values: Any) -> tuple[Any, dict[Any, Any]]:
    """An op that sets variables, and the feeds it needs."""
    feeds, assigns = {}, []
    for name, value in var_names_to_values.items():
        found = tf.get_collection(GraphKeys.GLOBAL_VARIABLES, name)
        if not found:
            raise ValueError(f"Variable {name} wasn't found")
        if len(found) > 1:
            found = [v for v in found if v.op.name == name]
            if not found:
                raise ValueError(f"Variable {name} doesn't uniquely identify a variable")
        placeholder = _value_placeholder(found[0])
        assigns.append(found[0].assign(placeholder))
        feeds[placeholder] = value.reshape(found[0].get_shape().as_list())
    return tf.group(*assigns), feeds


@export("contrib.framework.assign_from_values_fn")
def assign_from_values_fn(var_names_to_values: Any) -> Callable[[Any], Any]:
    assign, feeds = assign_from_values(var_names_to_values)
    return lambda session: session.run(assign, feeds)


@export("contrib.framework.assign_from_checkpoint")
def assign_from_checkpoint(model_path: str, var_list: Any, ignore_missing_vars: bool = False) -> tuple[Any, dict[Any, Any]]:
    """An op that sets variables from a checkpoint, and the feeds it needs."""
    grouped: dict[str, list[Any]] = {}
    if isinstance(var_list, list | tuple):
        for var in var_list:
            grouped.setdefault(get_variable_full_name(var), []).append(var)
    else:
        grouped = {name: list(v) if isinstance(v, list | tuple) else [v] for name, v in var_list.items()}
    reader = tf.train.NewCheckpointReader(model_path)
    feeds, assigns = {}, []
    for name, variables in grouped.items():
        if not reader.has_tensor(name):
            message = f"Checkpoint is missing variable [{name}]"
            if not ignore_missing_vars:
                raise ValueError(message)
            _log.warning(message)
            continue
        value = reader.get_tensor(name)
        for var in variables:
            placeholder = _value_placeholder(var)
            assigns.append(var.assign(placeholder))
            info = getattr(var, "_save_slice_info", None)
            if info:
                part = tuple(slice(start, start + size) for start, size in zip(info.var_offset, info.var_shape, strict=True))
                feeds[placeholder] = value[part].reshape(info.var_shape)
            elif tuple(var.get_shape().as_list()) != value.shape:
                raise ValueError(
                    f"Total size of new array must be unchanged for {name} lh_shape: [{value.shape}], rh_shape: [{var.get_shape()}]"
                )
            else:
                feeds[placeholder] = value
    return tf.group(*assigns), feeds


@export("contrib.framework.assign_from_checkpoint_fn")
def assign_from_checkpoint_fn(
    model_path: str, var_list: Any, ignore_missing_vars: bool = False, reshape_variables: bool = False
) -> Callable[[Any], Any] | None:
    """A function of a session that restores variables from a checkpoint."""
    if not var_list:
        raise ValueError("var_list cannot be empty")
    if ignore_missing_vars:
        reader = tf.train.NewCheckpointReader(model_path)
        named = var_list if isinstance(var_list, dict) else {v.op.name: v for v in var_list}
        for name in named:
            if not reader.has_tensor(name):
                _log.warning("Variable %s missing in checkpoint %s", name, model_path)
        var_list = {name: v for name, v in named.items() if reader.has_tensor(name)}
    if not var_list:
        _log.warning("No Variables to restore")
        return None
    saver = tf.train.Saver(var_list, reshape=reshape_variables)

    def restore(session: Any) -> None:
        saver.restore(session, model_path)

    return restore


@export("contrib.framework.assert_or_get_global_step")
def assert_or_get_global_step(graph: Any = None, global_step_tensor: Any = None) -> Any:
    if global_step_tensor is None:
        return tf.train.get_global_step(graph)
    tf.train.assert_global_step(global_step_tensor)
    return global_step_tensor


@export("contrib.framework.get_global_step")
def get_global_step(graph: Any = None) -> Any:
    return tf.train.get_global_step(graph)


@export("contrib.framework.create_global_step")
def create_global_step(graph: Any = None) -> Any:
    return tf.train.create_global_step(graph)


@export("contrib.framework.get_or_create_global_step")
def get_or_create_global_step(graph: Any = None) -> Any:
    return tf.train.get_or_create_global_step(graph)


@export("contrib.framework.assert_global_step")
def assert_global_step(global_step_tensor: Any) -> None:
    tf.train.assert_global_step(global_step_tensor)


@export("contrib.framework.load_checkpoint")
def load_checkpoint(filepattern: str) -> Any:
    return tf.train.load_checkpoint(filepattern)


@export("contrib.framework.load_variable")
def load_variable(checkpoint_dir: str, name: str) -> Any:
    return tf.train.load_variable(checkpoint_dir, name)


@export("contrib.framework.list_variables")
def list_variables(checkpoint_dir: str) -> list[tuple[str, list[int]]]:
    return list(tf.train.list_variables(checkpoint_dir))


@export("contrib.framework.init_from_checkpoint")
def init_from_checkpoint(checkpoint_dir: str, assignment_map: Any) -> None:
    tf.train.init_from_checkpoint(checkpoint_dir, assignment_map)


@export("contrib.framework.VariableDeviceChooser")
class VariableDeviceChooser:
    """A device function that spreads variables over the tasks of a job in turn."""

    def __init__(
        self, num_tasks: int = 0, job_name: str = "ps", device_type: str = "CPU", device_index: int = 0, replica: int | None = None
    ) -> None:
        self._num_tasks, self._job_name, self._device_type, self._device_index, self._replica = (
            num_tasks,
            job_name,
            device_type,
            device_index,
            replica,
        )
        self._next_task_id = 0

    def __call__(self, op: Any) -> str:
        parts = []
        if self._num_tasks > 0:
            parts.append(f"/job:{self._job_name}")
        if self._replica is not None:
            parts.append(f"/replica:{self._replica}")
        if self._num_tasks > 0:
            parts.append(f"/task:{self._next_task_id}")
            self._next_task_id = (self._next_task_id + 1) % self._num_tasks
        return "".join(parts) + f"/device:{self._device_type}:{self._device_index}"
