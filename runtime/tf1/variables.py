"""tf.Variable: ref variables and resource variables."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphtools import graph as base
from graphtools.dtypes import as_dtype
from runtime.tf1.graph import Graph, GraphKeys, apply_op, constant, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export
from runtime.tf1.tensor_shape import TensorShape, as_dims


@export("VariableSynchronization")
class VariableSynchronization:
    AUTO = 0
    NONE = 1
    ON_WRITE = 2
    ON_READ = 3


@export("VariableAggregation")
class VariableAggregation:
    NONE = 0
    SUM = 1
    MEAN = 2
    ONLY_FIRST_REPLICA = 3
    ONLY_FIRST_TOWER = 3


class SaveSliceInfo:
    """Which part of a partitioned variable a variable is."""

    def __init__(
        self,
        full_name: str | None = None,
        full_shape: Any = None,
        var_offset: Any = None,
        var_shape: Any = None,
        save_slice_info_def: Any = None,
        import_scope: Any = None,
    ) -> None:
        self.full_name = full_name
        self.full_shape = full_shape
        self.var_offset = var_offset
        self.var_shape = var_shape

    @property
    def spec(self) -> str:
        """full_shape and then offset,length of each dimension, as checkpoints name slices."""
        sizes = " ".join(str(d) for d in self.full_shape) + " "
        return sizes + ":".join(f"{o},{s}" for o, s in zip(self.var_offset, self.var_shape, strict=True))


class _VariableType(type):
    """`tf.Variable(...)` makes a resource variable where a scope asks for one; `isinstance(v, tf.Variable)` holds for all kinds."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Variable and (creators := get_default_graph().attributes.get("variable_creators")):
            return _created(creators, args, kwargs)
        return cls._made(*args, **kwargs)

    def _made(cls, *args: Any, **kwargs: Any) -> Any:
        use_resource = kwargs.pop("use_resource", None)
        if cls is Variable:
            if use_resource is None:
                from runtime.tf1 import variable_scope

                use_resource = variable_scope.default_use_resource()
            if use_resource:
                cls = ResourceVariable
        return super(_VariableType, cls).__call__(*args, **kwargs)


def _created(creators: list[Any], args: Any, kwargs: Any) -> Any:
    """A variable as the creators of the scopes make it, each given the next one."""
    names = list(inspect.signature(Variable.__init__).parameters)[1:]
    make: Any = Variable._made
    for creator in creators:
        make = functools.partial(creator, make)
    return make(
        **{n: None for n in names if n not in ("trainable", "validate_shape", "expected_shape")}
        | dict(zip(names, args, strict=False))
        | kwargs
    )


@export("variable_creator_scope")
@contextlib.contextmanager
def variable_creator_scope(variable_creator: Any) -> Iterator[None]:
    """Variables made inside are made by `variable_creator(next_creator, **arguments)`."""
    attributes = get_default_graph().attributes
    outer = attributes.get("variable_creators", [])
    attributes["variable_creators"] = [*outer, variable_creator]
    try:
        yield
    finally:
        attributes["variable_creators"] = outer


@export("Variable", "compat.v1.Variable")
class Variable(metaclass=_VariableType):
    """A value that a session keeps between runs."""

    SaveSliceInfo = SaveSliceInfo
    _is_resource = False
    __array_priority__ = 100

    def __init__(
        self,
        initial_value: Any = None,
        trainable: bool | None = None,
        collections: Any = None,
        validate_shape: bool = True,
        caching_device: Any = None,
        name: str | None = None,
        variable_def: Any = None,
        dtype: Any = None,
        expected_shape: Any = None,
        import_scope: str | None = None,
        constraint: Any = None,
        synchronization: Any = None,
        aggregation: Any = None,
        shape: Any = None,
        use_resource: Any = None,
    ) -> None:
        self._save_slice_info: SaveSliceInfo | None = None
        self._update_uses: Any = None
        self._constraint = constraint
        self._trainable = True if trainable is None else bool(trainable)
        self.synchronization = synchronization
        self.aggregation = aggregation
        if variable_def is not None:
            self._from_def(variable_def, import_scope)
            return
        if initial_value is None:
            raise ValueError("initial_value must be specified.")
        if collections is None:
            collections = [GraphKeys.GLOBAL_VARIABLES]
        if not isinstance(collections, list | tuple | set):
            raise ValueError(
                f"collections argument to Variable constructor must be a list, tuple, or set. Got {collections} of type {type(collections)}"
            )
        if self._trainable and GraphKeys.TRAINABLE_VARIABLES not in collections:
            collections = [*collections, GraphKeys.TRAINABLE_VARIABLES]
        graph = get_default_graph()
        with _outside_control_flow(graph):
            self._make(
                graph,
                initial_value,
                validate_shape,
                name,
                None if dtype is None else as_dtype(dtype).base_dtype,
                caching_device,
                expected_shape if expected_shape is not None else shape,
            )
        graph.add_to_collections(collections, self)

    def _make(
        self, graph: Graph, initial_value: Any, validate_shape: bool, name: str | None, dtype: Any, caching_device: Any, shape: Any
    ) -> None:
        with graph.control_dependencies(None), name_scope(name, "Variable", [] if callable(initial_value) else [initial_value]) as scope:
            if callable(initial_value):
                true_name = scope.rstrip("/")
                attr = {"_class": [f"loc:@{true_name}"]}
                with graph._attr_scope(attr), graph.name_scope("Initializer"):
                    value = convert_to_tensor(initial_value(), dtype, name="initial_value")
                dims = as_dims(shape) if shape is not None else value.dims if validate_shape else None
                ref = self._node(graph, scope, value.dtype.base_dtype, dims)
            else:
                with graph.name_scope("Initializer") if self._is_resource else contextlib.nullcontext():
                    value = convert_to_tensor(initial_value, dtype, name="initial_value")
                dims = (value.dims if validate_shape else None) if shape is None else as_dims(shape)
                ref = self._node(graph, scope, value.dtype.base_dtype, dims)
            if validate_shape and (value.dims is None or None in value.dims):
                raise ValueError(f"initial_value must have a shape specified: {value}")
            self._initial_value = value
            self._ref_tensor = ref
            self._init = self._assign_initial(graph, ref, value, validate_shape)
            self._read(graph, ref, caching_device)

    def _node(self, graph: Graph, scope: str, dtype: Any, dims: Any) -> Any:
        return graph.create("VariableV2", [], {"dtype": dtype, "shape": dims, "container": "", "shared_name": ""}, scope).outputs[0]

    def _assign_initial(self, graph: Graph, ref: Any, value: Any, validate_shape: bool) -> Any:
        with graph.colocate_with(ref.node):
            return apply_op("Assign", "Assign", ref=ref, value=_uninitialised_free(value), validate_shape=validate_shape).op

    def _read(self, graph: Graph, ref: Any, caching_device: Any) -> None:
        with graph.device(caching_device) if caching_device is not None else graph.colocate_with(ref.node):
            self._snapshot = apply_op("Identity", "read", input=ref)

    def _from_def(self, proto: Any, import_scope: str | None) -> None:
        graph = get_default_graph()
        prefix = f"{import_scope}/" if import_scope else ""
        self._ref_tensor = graph.as_graph_element(prefix + proto.variable_name)
        self._init = graph.as_graph_element(prefix + proto.initializer_name)
        self._snapshot = graph.as_graph_element(prefix + proto.snapshot_name) if proto.snapshot_name else self._ref_tensor
        self._initial_value = graph.as_graph_element(prefix + proto.initial_value_name) if proto.initial_value_name else None
        if proto.HasField("save_slice_info_def"):
            info = proto.save_slice_info_def
            self._save_slice_info = SaveSliceInfo(info.full_name, list(info.full_shape), list(info.var_offset), list(info.var_shape))

    # -- what it is ----------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        name: str = self._ref_tensor.name
        return name

    @property
    def _shared_name(self) -> str:
        return self.name.rpartition(":")[0]

    @property
    def op(self) -> Any:
        return self._ref_tensor.node

    @property
    def graph(self) -> Any:
        return self._ref_tensor.node.graph

    @property
    def device(self) -> str:
        device: str = self._ref_tensor.node.device
        return device

    @property
    def dtype(self) -> Any:
        return self._ref_tensor.dtype

    @property
    def shape(self) -> TensorShape:
        return TensorShape(self._ref_tensor.dims)

    def get_shape(self) -> TensorShape:
        return self.shape

    def set_shape(self, shape: Any) -> None:
        self._ref_tensor.set_shape(shape)
        self.value().set_shape(shape)

    @property
    def trainable(self) -> bool:
        return self._trainable

    @property
    def constraint(self) -> Any:
        return self._constraint

    @property
    def initializer(self) -> Any:
        return self._init

    @property
    def initial_value(self) -> Any:
        return self._initial_value

    def initialized_value(self) -> Any:
        """The value if it is initialised, else the initial value."""
        from runtime.tf1.modules import lookup

        with get_default_graph().control_dependencies(None):
            return lookup("cond")(is_variable_initialized(self), self.read_value, lambda: self.initial_value)

    def _get_save_slice_info(self) -> Any:
        return self._save_slice_info

    def _set_save_slice_info(self, info: Any) -> None:
        self._save_slice_info = info

    def to_proto(self, export_scope: str | None = None) -> Any:
        from graphtools.formats import schema

        if export_scope is not None and not self.name.startswith(export_scope):
            return None

        def strip(name: str) -> str:
            return name[len(export_scope) + 1 :] if export_scope else name

        proto = schema.message("VariableDef")()
        proto.variable_name = strip(self.name)
        proto.initializer_name = strip(self._init.name)
        if isinstance(self._initial_value, base.Tensor):
            proto.initial_value_name = strip(self._initial_value.name)
        proto.trainable = self._trainable
        if self._snapshot is not None:
            proto.snapshot_name = strip(self._snapshot.name)
        proto.is_resource = self._is_resource
        if self._save_slice_info is not None:
            info = self._save_slice_info
            proto.save_slice_info_def.full_name = info.full_name or ""
            proto.save_slice_info_def.full_shape.extend(info.full_shape)
            proto.save_slice_info_def.var_offset.extend(info.var_offset)
            proto.save_slice_info_def.var_shape.extend(info.var_shape)
        return proto

    @staticmethod
    def from_proto(variable_def: Any, import_scope: str | None = None) -> Variable:
        kind = ResourceVariable if variable_def.is_resource else Variable
        made: Variable = kind(variable_def=variable_def, import_scope=import_scope)
        return made

    # -- reading -------------------------------------------------------------------------------------------------

    def value(self) -> Any:
        return self._snapshot

    def read_value(self) -> Any:
        return apply_op("Identity", "read", input=self._ref_tensor)

    def _ref(self) -> Any:
        return self._ref_tensor

    def _as_graph_element(self) -> Any:
        return self._ref_tensor

    def _as_tensor(self, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> Any:
        if dtype is not None and not as_dtype(dtype).is_compatible_with(self.dtype.base_dtype):
            raise ValueError(
                f"Incompatible type conversion requested to type {as_dtype(dtype).name!r} for variable of type {self.dtype.name!r}"
            )
        return self._ref_tensor if as_ref else self._snapshot

    def eval(self, session: Any = None) -> Any:
        return self._ref_tensor.eval(session=session)

    def load(self, value: Any, session: Any = None) -> None:
        from runtime.tf1.client import get_default_session, internal_runs

        session = session or get_default_session()
        if session is None:
            raise ValueError("Either session argument should be provided or default session should be established")
        with internal_runs():
            session.run(self._init, {self._init.inputs[1]: value})

    # -- writing -------------------------------------------------------------------------------------------------

    def assign(self, value: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        return self._update("Assign", value, name, use_locking, read_value, "value")

    def assign_add(self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        return self._update("AssignAdd", delta, name, use_locking, read_value, "value")

    def assign_sub(self, delta: Any, use_locking: bool = False, name: str | None = None, read_value: bool = True) -> Any:
        return self._update("AssignSub", delta, name, use_locking, read_value, "value")

    def _update(self, op_type: str, value: Any, name: str | None, use_locking: bool, read_value: bool, argument: str) -> Any:
        result = apply_op(op_type, name, ref=self._ref_tensor, use_locking=use_locking, **{argument: value})
        return result if read_value else result.op

    def _assign_slice(self, given: dict[str, Any], name: str | None) -> Any:
        """v[...].assign(value)."""
        return apply_op("StridedSliceAssign", name, ref=self._ref_tensor, **given)

    def count_up_to(self, limit: int) -> Any:
        return apply_op("CountUpTo", None, ref=self._ref_tensor, limit=limit)

    def _scatter(self, kind: str, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Any:
        return apply_op(f"Scatter{kind}", name, ref=self._ref_tensor, indices=indices, updates=updates, use_locking=use_locking)

    def scatter_sub(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        return self._scatter("Sub", sparse_delta.indices, sparse_delta.values, use_locking, name)

    def scatter_add(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        return self._scatter("Add", sparse_delta.indices, sparse_delta.values, use_locking, name)

    def scatter_update(self, sparse_delta: Any, use_locking: bool = False, name: str | None = None) -> Any:
        return self._scatter("Update", sparse_delta.indices, sparse_delta.values, use_locking, name)

    def scatter_nd_sub(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        return self._scatter("NdSub", indices, updates, True, name)

    def scatter_nd_add(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        return self._scatter("NdAdd", indices, updates, True, name)

    def scatter_nd_update(self, indices: Any, updates: Any, name: str | None = None) -> Any:
        return self._scatter("NdUpdate", indices, updates, True, name)

    def __iter__(self) -> Any:
        raise TypeError("'Variable' object is not iterable.")

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return f"<tf.Variable {self.name!r} shape={self.shape} dtype={self.dtype.name}>"

    __str__ = __repr__


RefVariable = Variable


class ResourceVariable(Variable):
    """A variable behind a resource handle: every read is an op."""

    _is_resource = True

    def _node(self, graph: Graph, scope: str, dtype: Any, dims: Any) -> Any:
        name = scope.rstrip("/")
        handle = graph.create("VarHandleOp", [], {"dtype": dtype, "shape": dims, "shared_name": name, "container": ""}, scope).outputs[0]
        self._dtype, self._dims = dtype, dims
        return handle

    def _assign_initial(self, graph: Graph, ref: Any, value: Any, validate_shape: bool) -> Any:
        with graph.name_scope("IsInitialized"):
            self._is_initialized_op = apply_op("VarIsInitializedOp", None, resource=ref)
        return apply_op("AssignVariableOp", "Assign", resource=ref, value=_uninitialised_free(value))

    def _read(self, graph: Graph, ref: Any, caching_device: Any) -> None:
        with graph.name_scope("Read"):
            self._snapshot = self._read_op("ReadVariableOp")

    def _read_op(self, name: str | None = None) -> Any:
        tensor = apply_op("ReadVariableOp", name, resource=self._ref_tensor, dtype=self._dtype)
        if tensor.dims is None:
            tensor.dims = self._dims
        return tensor

    def _from_def(self, proto: Any, import_scope: str | None) -> None:
        super()._from_def(proto, import_scope)
        self._dtype = self._ref_tensor.node.attr["dtype"]
        self._dims = self._ref_tensor.node.attr["shape"]

    @property
    def handle(self) -> Any:
        return self._ref_tensor

    @property
    def dtype(self) -> Any:
        return self._dtype

    @property
    def shape(self) -> TensorShape:
        return TensorShape(self._dims)

    @property
    def _graph_element(self) -> Any:
        return self._snapshot

    @property
    def create(self) -> Any:
        return self._init

    def is_initialized(self, name: str | None = None) -> Any:
        return apply_op("VarIsInitializedOp", name, resource=self._ref_tensor)

    def set_shape(self, shape: Any) -> None:
        self._dims = self.shape.merge_with(shape)._dims

    def value(self) -> Any:
        return self._read_op()

    def read_value(self) -> Any:
        with name_scope("Read"):
            value = self._read_op()
        return apply_op("Identity", None, input=value)

    def sparse_read(self, indices: Any, name: str | None = None) -> Any:
        with name_scope("Gather" if name is None else name) as scope:
            value = apply_op("ResourceGather", scope, resource=self._ref_tensor, indices=indices, dtype=self._dtype)
        return apply_op("Identity", None, input=value)

    def _as_graph_element(self) -> Any:
        return self._snapshot

    def _as_tensor(self, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> Any:
        if dtype is not None and not as_dtype(dtype).is_compatible_with(self._dtype):
            raise ValueError(
                f"Incompatible type conversion requested to type {as_dtype(dtype).name!r} for variable of type {self._dtype.name!r}"
            )
        return self._ref_tensor if as_ref else self.value()

    def eval(self, session: Any = None) -> Any:
        return self._snapshot.eval(session=session)

    def _update(self, op_type: str, value: Any, name: str | None, use_locking: bool, read_value: bool, argument: str) -> Any:
        value = convert_to_tensor(value, self._dtype)
        op = apply_op(f"{op_type}VariableOp", name, resource=self._ref_tensor, value=value)
        return Updated(self, op) if read_value else op

    def _assign_slice(self, given: dict[str, Any], name: str | None) -> Any:
        given = {**given, "value": convert_to_tensor(given["value"], self._dtype)}
        return Updated(self, apply_op("ResourceStridedSliceAssign", name, ref=self._ref_tensor, **given))

    def _scatter(self, kind: str, indices: Any, updates: Any, use_locking: bool = False, name: str | None = None) -> Any:
        arguments = {"ref" if kind.startswith("Nd") else "resource": self._ref_tensor}
        op = apply_op(f"ResourceScatter{kind}", name, indices=indices, updates=convert_to_tensor(updates, self._dtype), **arguments)
        return Updated(self, op)


class Updated:
    """What assigning to a resource variable gives: the variable, read after the assignment."""

    def __init__(self, variable: ResourceVariable, op: Any) -> None:
        self._variable = variable
        self._op = op
        self._element = None if op.graph.building_function else self._as_tensor()

    def _as_tensor(self, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> Any:
        with self._op.graph.control_dependencies([self._op]):
            return self._variable._read_op()

    value = read_value = _as_tensor

    def _as_graph_element(self) -> Any:
        return self._element

    @property
    def name(self) -> str:
        return str(self._op.name)

    @property
    def op(self) -> Any:
        return self._op

    def eval(self, session: Any = None, feed_dict: Any = None) -> Any:
        return self._element.eval(feed_dict, session)

    def __getitem__(self, key: Any) -> Any:
        return self._as_tensor()[key]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._variable, name)


def _outside_control_flow(graph: Graph) -> Any:
    """Variables are made outside any loop or cond that is being built."""
    return graph.control_dependencies(None)


def _uninitialised_free(value: Any) -> Any:
    """The initial value with every variable it reads replaced by that variable's initialised value; as it is where it has a loop."""
    if not isinstance(value, base.Tensor) or _has_cycle(value.node):
        return value
    return _initialised(value, {})


def _has_cycle(node: Any) -> bool:
    state: dict[Any, bool] = {}  # node -> whether it is done
    stack = [(node, iter([*(t.node for t in node.inputs), *node.control_inputs]))]
    state[node] = False
    while stack:
        current, needs = stack[-1]
        need = next(needs, None)
        if need is None:
            state[current] = True
            stack.pop()
        elif need not in state:
            state[need] = False
            stack.append((need, iter([*(t.node for t in need.inputs), *need.control_inputs])))
        elif not state[need]:
            return True
    return False


def _initialised(tensor: Any, made: dict[Any, Any]) -> Any:
    node = tensor.node
    if node not in made:
        made[node] = _initialised_node(node, made)
    return made[node].outputs[tensor.index]


def _initialised_node(node: Any, made: dict[Any, Any]) -> Any:
    """The node, or a copy of it that reads initialised values where it reads variables."""
    if node.op in ("IsVariableInitialized", "VarIsInitializedOp", "ReadVariableOp", "If"):
        return node
    graph = node.graph
    if node.op in ("Variable", "VariableV2", "VarHandleOp"):
        for key in (GraphKeys.GLOBAL_VARIABLES, GraphKeys.LOCAL_VARIABLES):
            for variable in graph.get_collection(key):
                if isinstance(variable, Variable) and variable.name in (node.name, f"{node.name}:0"):
                    return variable.initialized_value().op
        return node
    inputs = [_initialised(t, made) for t in node.inputs]
    opdef = node.opdef
    if all(a is b for a, b in zip(inputs, node.inputs, strict=True)) or opdef is None:
        return node
    arranged = [inputs[start:stop] if arg.is_list else inputs[start] for arg, start, stop in opdef.input_slices(node.attr).values()]
    op_type = "Switch" if node.op == "RefSwitch" else node.op
    name = f"{node.name}_{graph.scope}".replace(":", "_")
    return graph.create(op_type, arranged, node.attr, name if name not in graph.nodes else graph.unique_name(name))


@export("is_variable_initialized", "compat.v1.is_variable_initialized")
def is_variable_initialized(variable: Any) -> Any:
    if getattr(variable, "_is_resource", False):
        return variable.is_initialized()
    return apply_op("IsVariableInitialized", None, ref=variable._ref() if isinstance(variable, Variable) else variable)


@export("global_variables")
def global_variables(scope: str | None = None) -> list[Any]:
    return get_default_graph().get_collection(GraphKeys.GLOBAL_VARIABLES, scope)


@export("all_variables")
def all_variables() -> list[Any]:
    return global_variables()


@export("local_variables")
def local_variables(scope: str | None = None) -> list[Any]:
    return get_default_graph().get_collection(GraphKeys.LOCAL_VARIABLES, scope)


@export("model_variables")
def model_variables(scope: str | None = None) -> list[Any]:
    return get_default_graph().get_collection(GraphKeys.MODEL_VARIABLES, scope)


@export("trainable_variables")
def trainable_variables(scope: str | None = None) -> list[Any]:
    return get_default_graph().get_collection(GraphKeys.TRAINABLE_VARIABLES, scope)


@export("moving_average_variables")
def moving_average_variables(scope: str | None = None) -> list[Any]:
    return get_default_graph().get_collection(GraphKeys.MOVING_AVERAGE_VARIABLES, scope)


@export("variables_initializer", "initializers.variables", "initialize_variables")
def variables_initializer(var_list: Any, name: str = "init") -> Any:
    from runtime.tf1.control_flow_ops import group, no_op

    return group(*[v.initializer for v in var_list], name=name) if var_list else no_op(name=name)


@export("global_variables_initializer", "initializers.global_variables", "initialize_all_variables")
def global_variables_initializer() -> Any:
    return variables_initializer(global_variables(), name="init")


@export("local_variables_initializer", "initializers.local_variables", "initialize_local_variables")
def local_variables_initializer() -> Any:
    return variables_initializer(local_variables(), name="init")


@export("report_uninitialized_variables")
def report_uninitialized_variables(var_list: Any = None, name: str = "report_uninitialized_variables") -> Any:
    from runtime.tf1.modules import lookup

    if var_list is None:
        var_list = global_variables() + local_variables()
    with name_scope(name):
        if not var_list:
            return convert_to_tensor(np.array([], object), name=name)
        flags = [is_variable_initialized(v) for v in var_list]
        missing = lookup("logical_not")(lookup("stack")(flags))
        names = constant([v.name.rpartition(":")[0] for v in var_list])
        return lookup("boolean_mask")(names, missing)


@export("assert_variables_initialized")
def assert_variables_initialized(var_list: Any = None) -> Any:
    if var_list is None:
        var_list = global_variables() + local_variables()
    if not var_list:
        return None
    from runtime.tf1.modules import lookup

    return lookup("stack")([apply_op("IsVariableInitialized", None, ref=v._ref()) for v in var_list])


def is_variable(x: Any) -> bool:
    return isinstance(x, Variable)
