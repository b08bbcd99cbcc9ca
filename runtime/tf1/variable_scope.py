"""tf.variable_scope and tf.get_variable."""

from __future__ import annotations

import contextlib
import copy
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from graphtools import graph as base
from graphtools.dtypes import as_dtype, float32
from runtime.tf1.graph import Graph, GraphKeys, convert_to_tensor, get_default_graph, graph_of, name_scope
from runtime.tf1.registry import export, put
from runtime.tf1.tensor_shape import TensorShape, as_dims
from runtime.tf1.variables import SaveSliceInfo, Variable, VariableAggregation, VariableSynchronization


class _ReuseMode:
    """AUTO_REUSE: make a variable that does not exist yet, share one that does."""

    def __repr__(self) -> str:
        return "tf.AUTO_REUSE"


AUTO_REUSE = _ReuseMode()
put("AUTO_REUSE", AUTO_REUSE)

_resource_default = [False]


@export("enable_resource_variables")
def enable_resource_variables() -> None:
    _resource_default[0] = True


@export("disable_resource_variables")
def disable_resource_variables() -> None:
    _resource_default[0] = False


@export("resource_variables_enabled")
def resource_variables_enabled() -> bool:
    return _resource_default[0]


def default_use_resource() -> bool:
    """Whether a tf.Variable without `use_resource` is a resource variable here."""
    scoped = get_variable_scope().use_resource
    return _resource_default[0] if scoped is None else bool(scoped)


class _Store:
    """The variables of a graph by name, and how often each variable scope was opened."""

    def __init__(self) -> None:
        self.variables: dict[str, Any] = {}
        self.partitioned: dict[str, Any] = {}
        self.scope_counts: dict[str, int] = {}
        self.current = VariableScope(False)

    def open(self, name: str | None) -> None:
        self.scope_counts[name or ""] = self.scope_counts.get(name or "", 0) + 1

    def close_below(self, name: str | None) -> None:
        prefix = f"{name}/" if name else ""
        for key in self.scope_counts:
            if not name or key.startswith(prefix):
                self.scope_counts[key] = 0


def _store(graph: Graph | None = None) -> _Store:
    graph = graph or get_default_graph()
    store = graph.attributes.get("variable_store")
    if store is None:
        store = graph.attributes["variable_store"] = _Store()
    return store  # type: ignore[no-any-return]


@export("VariableScope", "compat.v1.VariableScope")
class VariableScope:
    """A prefix of variable names and the defaults for variables made under it."""

    def __init__(
        self,
        reuse: Any,
        name: str = "",
        initializer: Any = None,
        regularizer: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        name_scope: str = "",
        dtype: Any = float32,
        use_resource: Any = None,
        constraint: Any = None,
    ) -> None:
        self._name = name
        self._initializer = initializer
        self._regularizer = regularizer
        self._reuse = reuse
        self._caching_device = caching_device
        self._partitioner = partitioner
        self._custom_getter = custom_getter
        self._name_scope = name_scope
        self._dtype = dtype
        self._use_resource = use_resource
        self._constraint = constraint

    name = property(lambda self: self._name)
    original_name_scope = property(lambda self: self._name_scope)
    reuse = property(lambda self: self._reuse)
    initializer = property(lambda self: self._initializer)
    dtype = property(lambda self: self._dtype)
    use_resource = property(lambda self: self._use_resource)
    regularizer = property(lambda self: self._regularizer)
    caching_device = property(lambda self: self._caching_device)
    partitioner = property(lambda self: self._partitioner)
    custom_getter = property(lambda self: self._custom_getter)
    constraint = property(lambda self: self._constraint)

    def reuse_variables(self) -> None:
        self._reuse = True

    def set_initializer(self, initializer: Any) -> None:
        self._initializer = initializer

    def set_dtype(self, dtype: Any) -> None:
        self._dtype = dtype

    def set_use_resource(self, use_resource: bool) -> None:
        self._use_resource = use_resource

    def set_regularizer(self, regularizer: Any) -> None:
        self._regularizer = regularizer

    def set_caching_device(self, caching_device: Any) -> None:
        self._caching_device = caching_device

    def set_partitioner(self, partitioner: Any) -> None:
        self._partitioner = partitioner

    def set_custom_getter(self, custom_getter: Any) -> None:
        self._custom_getter = custom_getter

    def get_collection(self, name: str) -> list[Any]:
        return get_default_graph().get_collection(name, f"{self._name}/" if self._name else "")

    def trainable_variables(self) -> list[Any]:
        return self.get_collection(GraphKeys.TRAINABLE_VARIABLES)

    def global_variables(self) -> list[Any]:
        return self.get_collection(GraphKeys.GLOBAL_VARIABLES)

    def local_variables(self) -> list[Any]:
        return self.get_collection(GraphKeys.LOCAL_VARIABLES)

    def get_variable(
        self,
        var_store: Any,
        name: str,
        shape: Any = None,
        dtype: Any = None,
        initializer: Any = None,
        regularizer: Any = None,
        reuse: Any = None,
        trainable: bool | None = None,
        collections: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        validate_shape: bool = True,
        use_resource: Any = None,
        custom_getter: Any = None,
        constraint: Any = None,
        synchronization: Any = VariableSynchronization.AUTO,
        aggregation: Any = VariableAggregation.NONE,
    ) -> Any:
        """The variable of this name under the scope, made or shared as `reuse` says."""
        if regularizer is None:
            regularizer = self._regularizer
        if caching_device is None:
            caching_device = self._caching_device
        if partitioner is None:
            partitioner = self._partitioner
        if custom_getter is None:
            custom_getter = self._custom_getter
        if reuse is None:
            reuse = self._reuse
        if dtype is not None and initializer is not None and not callable(initializer):
            with get_default_graph().name_scope(None):
                given = convert_to_tensor(initializer).dtype.base_dtype
            if given != as_dtype(dtype):
                raise ValueError(f"Initializer type '{given}' and explicit dtype '{as_dtype(dtype)}' don't match.")
        if initializer is None:
            initializer = self._initializer
        if constraint is None:
            constraint = self._constraint
        if use_resource is None:
            use_resource = self._use_resource if self._use_resource is not None else _resource_default[0]
        if dtype is None:
            dtype = getattr(initializer, "dtype", None) if isinstance(initializer, base.Tensor) else self._dtype
        if trainable is None:
            trainable = synchronization != VariableSynchronization.ON_READ
        full_name = f"{self._name}/{name}" if self._name else name
        with get_default_graph().name_scope(None):
            arguments = dict(
                shape=shape, dtype=as_dtype(dtype), initializer=initializer, regularizer=regularizer, reuse=reuse, trainable=trainable, collections=collections,
                caching_device=caching_device, partitioner=partitioner, validate_shape=validate_shape, use_resource=use_resource, constraint=constraint,
                synchronization=synchronization, aggregation=aggregation,
            )  # fmt: skip
            if custom_getter is not None:
                return custom_getter(getter=_true_getter, name=full_name, **_accepted(custom_getter, arguments))
            return _true_getter(full_name, **arguments)


def _accepted(function: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments that a custom getter takes: older ones know fewer."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return arguments
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        return arguments
    return {k: v for k, v in arguments.items() if k in parameters}


def _true_getter(
    name: str,
    shape: Any = None,
    dtype: Any = float32,
    initializer: Any = None,
    regularizer: Any = None,
    reuse: Any = None,
    trainable: bool | None = None,
    collections: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: Any = None,
    constraint: Any = None,
    synchronization: Any = VariableSynchronization.AUTO,
    aggregation: Any = VariableAggregation.NONE,
    **unused: Any,
) -> Any:
    store = _store()
    if trainable is None:
        trainable = True
    is_scalar = shape is not None and as_dims(shape) == ()
    settings = dict(
        dtype=dtype, regularizer=regularizer, reuse=reuse, trainable=trainable, collections=collections, caching_device=caching_device,
        validate_shape=validate_shape, use_resource=use_resource, constraint=constraint,
    )  # fmt: skip
    if partitioner is not None and not is_scalar:
        return _partitioned(store, name, shape, initializer, partitioner, settings)
    if f"{name}/part_0" in store.variables:
        raise ValueError(
            f"No partitioner was provided, but a partitioned version of the variable was found: {name}/part_0. Perhaps a variable of the same name was already created with partitioning?"
        )
    return _single(store, name, shape, initializer, settings)


def _single(
    store: _Store, name: str, shape: Any, initializer: Any, settings: dict[str, Any], slice_info: SaveSliceInfo | None = None
) -> Any:
    reuse, dtype = settings["reuse"], as_dtype(settings["dtype"]).base_dtype
    if shape is not None and initializer is not None and not callable(initializer):
        raise ValueError("If initializer is a constant, do not specify shape.")
    dims = as_dims(shape) if shape is not None else None
    found = store.variables.get(name)
    if found is not None:
        if reuse is False or reuse is None:
            place = found.op.source
            at = f' Originally defined at:\n\n  File "{place[0]}", line {place[1]}\n' if place else ""
            raise ValueError(
                f"Variable {name} already exists, disallowed. Did you mean to set reuse=True or reuse=tf.AUTO_REUSE in VarScope?{at}"
            )
        if not TensorShape(dims).is_compatible_with(found.shape):
            raise ValueError(f"Trying to share variable {name}, but specified shape {TensorShape(dims)} and found shape {found.shape}.")
        if not dtype.is_compatible_with(found.dtype.base_dtype):
            raise ValueError(f"Trying to share variable {name}, but specified dtype {dtype.name} and found dtype {found.dtype.name}.")
        return found
    if reuse is True:
        raise ValueError(
            f"Variable {name} does not exist, or was not created with tf.get_variable(). Did you mean to set reuse=tf.AUTO_REUSE in VarScope?"
        )
    if initializer is None:
        initializer = _default_initializer(name, dtype)
    if inspect.isclass(initializer):
        initializer = initializer()
    graph = get_default_graph()
    with graph.control_dependencies(None):
        if callable(initializer) and not isinstance(initializer, base.Tensor):
            if dims is None or None in dims:
                if shape is not None or "shape" in _parameters(initializer):
                    raise ValueError(
                        "The initializer passed is not valid. It should be a callable with no arguments and the shape should not be provided or an instance of "
                        "`tf.keras.initializers.*' and `shape` should be fully defined."
                    )
                initial: Any = initializer
            elif "shape" in _parameters(initializer) or not _parameters(initializer):
                keywords = {"dtype": dtype} if _takes(initializer, "dtype") else {}
                if slice_info is not None and _takes(initializer, "partition_info"):
                    keywords["partition_info"] = PartitionInfo(slice_info.full_shape, slice_info.var_offset)
                initial = functools.partial(initializer, list(dims), **keywords)
            else:
                keywords = {"dtype": dtype} if _takes(initializer, "dtype") else {}
                initial = functools.partial(initializer, list(dims), **keywords)
        else:
            initial, dtype = initializer, None  # a value tells its own dtype
        made = Variable(
            initial_value=initial, name=name, trainable=settings["trainable"], collections=settings["collections"], caching_device=settings["caching_device"],
            dtype=dtype, validate_shape=settings["validate_shape"], constraint=settings["constraint"], use_resource=bool(settings["use_resource"]),
        )  # fmt: skip
    store.variables[name] = made
    regularizer = settings["regularizer"]
    if regularizer is not None:
        with graph.colocate_with(made.op), graph.name_scope(None), name_scope(f"{name}/Regularizer/"):
            loss = regularizer(made)
        if loss is not None:
            graph.add_to_collection(GraphKeys.REGULARIZATION_LOSSES, loss)
    return made


def _parameters(function: Any) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def _takes(function: Any, name: str) -> bool:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return name in parameters or any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())


def _default_initializer(name: str, dtype: Any) -> Any:
    from runtime.tf1.modules import lookup

    if dtype.is_floating:
        return lookup("glorot_uniform_initializer")()
    if dtype.is_integer or dtype.is_bool or dtype.name == "string":
        return lookup("zeros_initializer")()
    raise ValueError(f"An initializer for variable {name} of {dtype} is required")


class PartitionInfo:
    """Tells an initializer which part of a partitioned variable it fills."""

    def __init__(self, full_shape: Any, var_offset: Any) -> None:
        self.full_shape = full_shape
        self.var_offset = var_offset


@export("PartitionedVariable")
class PartitionedVariable:
    """A variable made of parts along one axis."""

    def __init__(self, name: str, shape: Any, dtype: Any, variable_list: list[Any], partitions: list[int]) -> None:
        self._name = name
        self._shape = shape
        self._dtype = dtype
        self._variables = variable_list
        self._partitions = partitions

    name = property(lambda self: self._name)
    dtype = property(lambda self: self._dtype)
    shape = property(lambda self: TensorShape(self._shape))

    def get_shape(self) -> TensorShape:
        return TensorShape(self._shape)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def _get_variable_list(self) -> list[Any]:
        return self._variables

    def _get_partitions(self) -> list[int]:
        return self._partitions

    def _partition_axes(self) -> list[int]:
        return [i for i, p in enumerate(self._partitions) if p > 1] or [0]

    def as_tensor(self) -> Any:
        """The parts, concatenated."""
        from runtime.tf1.modules import lookup

        if len(self._variables) == 1:
            with name_scope(None):
                return lookup("identity")(self._variables[0], name=self._name)
        with name_scope(f"{self._name}/ConcatPartitions/"):
            whole = lookup("concat")([v.value() for v in self._variables], self._partition_axes()[0])
        with name_scope(None):
            return lookup("identity")(whole, name=self._name)

    def _as_tensor(self, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> Any:
        return self.as_tensor()


def _partitioned(store: _Store, name: str, shape: Any, initializer: Any, partitioner: Any, settings: dict[str, Any]) -> Any:
    if name in store.partitioned:
        if settings["reuse"] is False or settings["reuse"] is None:
            raise ValueError(
                f"Partitioned variable with name {name} already exists. Did you mean to set reuse=True or reuse=tf.AUTO_REUSE in VarScope?"
            )
        return store.partitioned[name]
    if initializer is not None and not callable(initializer):
        value = convert_to_tensor(initializer)
        dims = value.dims
    else:
        dims = as_dims(shape)
        value = None
    if dims is None or None in dims:
        raise ValueError(f"Shape of a new partitioned variable ({name}) must be fully defined, but instead was {shape}.")
    counts = list(partitioner(shape=TensorShape(dims), dtype=settings["dtype"]))
    if len(counts) != len(dims):
        raise ValueError(f"Partitioner returned a partition list that does not match the Variable's rank: {counts} vs. {dims}")
    axes = [i for i, c in enumerate(counts) if c > 1]
    if len(axes) > 1:
        raise NotImplementedError(f"Partitioning variables along several axes is not supported; the partitioner of {name} gave {counts}.")
    axis = axes[0] if axes else 0
    size, parts = dims[axis], counts[axis]
    made, offset = [], 0
    for i in range(parts):
        length = size // parts + (1 if i < size % parts else 0)  # type: ignore[operator]
        part_dims = [length if d == axis else s for d, s in enumerate(dims)]
        offsets = [offset if d == axis else 0 for d in range(len(dims))]
        info = SaveSliceInfo(name, list(dims), offsets, part_dims)
        if value is not None:
            from runtime.tf1.modules import lookup

            part_initializer: Any = lookup("slice")(value, offsets, part_dims)
            part = _single(store, f"{name}/part_{i}", None, part_initializer, settings, info)
        else:
            part = _single(store, f"{name}/part_{i}", part_dims, initializer, settings, info)
        part._set_save_slice_info(info)
        made.append(part)
        offset += length
    whole = store.partitioned[name] = PartitionedVariable(name, dims, settings["dtype"], made, counts)
    return whole


@export("get_variable_scope")
def get_variable_scope() -> VariableScope:
    """The variable scope that get_variable works under."""
    return _store().current


@export("get_variable")
def get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    regularizer: Any = None,
    trainable: bool | None = None,
    collections: Any = None,
    caching_device: Any = None,
    partitioner: Any = None,
    validate_shape: bool = True,
    use_resource: Any = None,
    custom_getter: Any = None,
    constraint: Any = None,
    synchronization: Any = VariableSynchronization.AUTO,
    aggregation: Any = VariableAggregation.NONE,
) -> Any:
    """The variable `name` of the current variable scope, made or shared."""
    return get_variable_scope().get_variable(
        None, name, shape=shape, dtype=dtype, initializer=initializer, regularizer=regularizer, trainable=trainable, collections=collections,
        caching_device=caching_device, partitioner=partitioner, validate_shape=validate_shape, use_resource=use_resource, custom_getter=custom_getter,
        constraint=constraint, synchronization=synchronization, aggregation=aggregation,
    )  # fmt: skip


@export("create_partitioned_variables")
def create_partitioned_variables(
    shape: Any, slicing: Any, initializer: Any, dtype: Any = float32, trainable: bool = True, collections: Any = None, name: str | None = None, reuse: Any = None
) -> list[Any]:  # fmt: skip
    """The parts of a variable cut into `slicing[i]` pieces along dimension i."""
    if len(shape) != len(slicing):
        raise ValueError(f"The 'shape' and 'slicing' of a partitioned Variable must have the length: shape: {shape}, slicing: {slicing}")
    if len(shape) < 1:
        raise ValueError(f"A partitioned Variable must have rank at least 1: shape: {shape}")
    with variable_scope(name, "PartitionedVariable", reuse=reuse) as scope:
        settings = dict(
            dtype=as_dtype(dtype).base_dtype, regularizer=None, reuse=scope.reuse, trainable=trainable, collections=collections, caching_device=None,
            validate_shape=True, use_resource=scope.use_resource, constraint=None,
        )  # fmt: skip
        with name_scope(None):
            return list(_partitioned(_store(), scope.name, shape, initializer, lambda **unused: slicing, settings))


@export("get_local_variable")
def get_local_variable(name: str, *args: Any, **kwargs: Any) -> Any:
    collections = list(kwargs.pop("collections", None) or ())
    kwargs.pop("trainable", None)
    if GraphKeys.LOCAL_VARIABLES not in collections:
        collections.append(GraphKeys.LOCAL_VARIABLES)
    return get_variable(name, *args, trainable=False, collections=collections, **kwargs)


@export("variable_scope")
class variable_scope:
    """`with tf.variable_scope("layer", reuse=...) as scope:` opens a variable scope and a name scope of its name."""

    def __init__(
        self,
        name_or_scope: Any,
        default_name: str | None = None,
        values: Any = None,
        initializer: Any = None,
        regularizer: Any = None,
        caching_device: Any = None,
        partitioner: Any = None,
        custom_getter: Any = None,
        reuse: Any = None,
        dtype: Any = None,
        use_resource: Any = None,
        constraint: Any = None,
        auxiliary_name_scope: bool = True,
    ) -> None:
        if default_name is None and name_or_scope is None:
            raise TypeError("If default_name is None then name_or_scope is required")
        self._name_or_scope = name_or_scope
        self._default_name = default_name
        self._values = values
        self._given = dict(
            initializer=initializer, regularizer=regularizer, caching_device=caching_device, partitioner=partitioner, dtype=dtype,
            use_resource=use_resource, constraint=constraint,
        )  # fmt: skip
        self._custom_getter = custom_getter
        self._reuse = False if reuse is False else reuse
        self._auxiliary = auxiliary_name_scope

    def __enter__(self) -> VariableScope:
        self._stack = contextlib.ExitStack()
        graph = graph_of(self._values or ())
        self._stack.enter_context(graph.as_default())
        store = _store(graph)
        outer = store.current
        if self._name_or_scope is not None:
            if not isinstance(self._name_or_scope, VariableScope | str):
                raise TypeError("VariableScope: name_or_scope must be a string or VariableScope.")
            is_text = isinstance(self._name_or_scope, str)
            scope_name = self._name_or_scope if is_text else self._name_or_scope.name.split("/")[-1]
            if (scope_name or graph.scope) and self._auxiliary:
                current = (
                    self._stack.enter_context(graph.name_scope(scope_name))
                    if scope_name
                    else self._stack.enter_context(graph.name_scope(graph.scope + "/"))
                )
            else:
                current = f"{graph.scope}/" if graph.scope else ""
            entered = self._open(store, outer, self._name_or_scope, current if is_text else self._name_or_scope.original_name_scope)
        else:
            current = (
                self._stack.enter_context(graph.name_scope(self._default_name))
                if self._auxiliary
                else (f"{graph.scope}/" if graph.scope else "")
            )
            unique = _unique_scope(store, outer, self._default_name or "")
            if self._reuse is True:
                raise ValueError("reuse=True cannot be used without a name_or_scope")
            entered = self._open(store, outer, unique, current)
        return entered

    def _open(self, store: _Store, outer: VariableScope, name_or_scope: Any, original: str) -> VariableScope:
        if isinstance(name_or_scope, VariableScope):
            scope = copy.copy(name_or_scope)
            scope._name_scope = original
            scope._reuse = name_or_scope.reuse or outer.reuse if self._reuse is None else self._reuse or False
            counts = dict(store.scope_counts)
            store.open(scope.name)
            self._counts: Any = counts
        else:
            scope = copy.copy(outer)
            scope._name = f"{outer.name}/{name_or_scope}" if outer.name else name_or_scope
            scope._name_scope = original
            scope._reuse = (self._reuse or outer.reuse) if outer.reuse is True or self._reuse is None else self._reuse
            self._counts = None
            store.open(scope.name)
        for key, value in self._given.items():
            if value is not None:
                setattr(scope, f"_{key}", value)
        if self._custom_getter is not None:
            scope._custom_getter = _compose(
                self._custom_getter, outer.custom_getter if not isinstance(name_or_scope, VariableScope) else name_or_scope.custom_getter
            )
        self._store, self._outer, self._scope = store, outer, scope
        store.current = scope
        return scope

    def __exit__(self, *exc: Any) -> None:
        self._store.close_below(self._scope.name)
        if self._counts is not None:
            self._store.scope_counts.update(self._counts)
        self._store.current = self._outer
        self._stack.__exit__(*exc)


def _compose(new: Any, old: Any) -> Any:
    """A custom getter around the outer scope's."""
    if old is None:
        return new

    def getter(getter: Any, *args: Any, **kwargs: Any) -> Any:
        return new(functools.partial(old, getter), *args, **kwargs)

    return getter


def _unique_scope(store: _Store, outer: VariableScope, prefix: str) -> str:
    name = f"{outer.name}/{prefix}" if outer.name else prefix
    if not store.scope_counts.get(name):
        return prefix
    i = 1
    while store.scope_counts.get(f"{name}_{i}"):
        i += 1
    return f"{prefix}_{i}"


def unique_scope(prefix: str) -> str:
    """The name that variable_scope(None, default_name=prefix) would take here."""
    store = _store()
    return _unique_scope(store, store.current, prefix)


@export("variable_op_scope")
@contextlib.contextmanager
def variable_op_scope(values: Any, name_or_scope: Any, default_name: Any = None, **kwargs: Any) -> Iterator[VariableScope]:
    with variable_scope(name_or_scope, default_name=default_name, values=values, **kwargs) as scope:
        yield scope


@export("no_regularizer")
def no_regularizer(_: Any) -> None:
    """A regularizer that adds nothing."""


@export("variable_axis_size_partitioner")
def variable_axis_size_partitioner(
    max_shard_bytes: int, axis: int = 0, bytes_per_string_element: int = 16, max_shards: int | None = None
) -> Any:
    """Splits along `axis` so that no part is over `max_shard_bytes`."""

    def partitioner(shape: Any, dtype: Any) -> list[int]:
        dims = shape.as_list()
        element = bytes_per_string_element if as_dtype(dtype).name == "string" else as_dtype(dtype).size
        per_slice = max(1, shape.num_elements() // max(1, dims[axis])) * element
        slices = max(1, max_shard_bytes // per_slice)
        parts = min(dims[axis], -(-dims[axis] // slices))
        if max_shards is not None:
            parts = min(max_shards, parts)
        return [parts if i == axis % len(dims) else 1 for i in range(len(dims))]

    return partitioner


@export("fixed_size_partitioner")
def fixed_size_partitioner(num_shards: int, axis: int = 0) -> Any:
    def partitioner(shape: Any, **unused: Any) -> list[int]:
        return [min(num_shards, shape[axis].value) if i == axis else 1 for i in range(len(shape))]

    return partitioner


@export("min_max_variable_partitioner")
def min_max_variable_partitioner(
    max_partitions: int = 1, axis: int = 0, min_slice_size: int = 256 << 10, bytes_per_string_element: int = 16
) -> Any:
    def partitioner(shape: Any, dtype: Any) -> list[int]:
        element = bytes_per_string_element if as_dtype(dtype).name == "string" else as_dtype(dtype).size
        total = shape.num_elements() * element
        parts = max(1, min(max_partitions, -(-total // min_slice_size), shape[axis].value))
        return [parts if i == axis else 1 for i in range(len(shape))]

    return partitioner
