"""The graph a script builds: the default graph, scopes, collections, and turning Python values into tensors."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from graphtools import graph as base
from graphtools import opdefs
from graphtools.dtypes import DType, as_dtype, int32, string
from graphtools.errors import ShapeError
from graphtools.gradients import IndexedSlices
from runtime.device_names import override_device
from runtime.tf1.registry import export
from runtime.tf1.tensor import Operation, Tensor
from runtime.tf1.tensor_shape import Dimension, TensorShape, as_dims

_OP_NAME = re.compile(r"^[A-Za-z0-9.][A-Za-z0-9_.\\\-/]*$")
_SCOPE_NAME = re.compile(r"^[A-Za-z0-9_.\\\-/]*$")

C = TypeVar("C", bound=type)
_PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_OURS = tuple(os.path.join(_PROJECT, package) + os.sep for package in ("graphtools", "migrate", "runtime"))


@export("GraphKeys", "compat.v1.GraphKeys")
class GraphKeys:
    """The names of the collections that libraries share."""

    GLOBAL_VARIABLES = "variables"
    VARIABLES = "variables"
    LOCAL_VARIABLES = "local_variables"
    METRIC_VARIABLES = "metric_variables"
    MODEL_VARIABLES = "model_variables"
    TRAINABLE_VARIABLES = "trainable_variables"
    SUMMARIES = "summaries"
    QUEUE_RUNNERS = "queue_runners"
    TABLE_INITIALIZERS = "table_initializer"
    ASSET_FILEPATHS = "asset_filepaths"
    MOVING_AVERAGE_VARIABLES = "moving_average_variables"
    REGULARIZATION_LOSSES = "regularization_losses"
    CONCATENATED_VARIABLES = "concatenated_variables"
    SAVERS = "savers"
    WEIGHTS = "weights"
    BIASES = "biases"
    ACTIVATIONS = "activations"
    UPDATE_OPS = "update_ops"
    LOSSES = "losses"
    SAVEABLE_OBJECTS = "saveable_objects"
    RESOURCES = "resources"
    LOCAL_RESOURCES = "local_resources"
    TRAINABLE_RESOURCE_VARIABLES = "trainable_resource_variables"
    INIT_OP = "init_op"
    LOCAL_INIT_OP = "local_init_op"
    READY_OP = "ready_op"
    READY_FOR_LOCAL_INIT_OP = "ready_for_local_init_op"
    SUMMARY_OP = "summary_op"
    GLOBAL_STEP = "global_step"
    EVAL_STEP = "eval_step"
    TRAIN_OP = "train_op"
    COND_CONTEXT = "cond_context"
    WHILE_CONTEXT = "while_context"
    _SUMMARY_COLLECTION = "_SUMMARY_V2"
    _VARIABLE_COLLECTIONS = (
        GLOBAL_VARIABLES,
        LOCAL_VARIABLES,
        METRIC_VARIABLES,
        MODEL_VARIABLES,
        TRAINABLE_VARIABLES,
        MOVING_AVERAGE_VARIABLES,
    )


@export("Graph", "compat.v1.Graph")
class Graph(base.Graph):
    """A graph under construction by a script."""

    node_type = Operation
    tensor_type = Tensor

    def __init__(self) -> None:
        super().__init__(producer=134)
        self.seed: int | None = None
        self.last_id = 0  # ops made so far: op seeds count from it
        self._collections: dict[Any, list[Any]] = {}
        self._finalized = False
        self._gradient_overrides: dict[str, str] = {}
        self._attr_scopes: list[Mapping[str, Any]] = []
        self._original: Operation | None = None
        self.attributes: dict[str, Any] = {}  # what layers above keep with a graph: variable stores, Keras state
        self._handle_feeders: dict[str, Any] = {}

    # -- adding ops ----------------------------------------------------------------------------------------------

    def create(self, op_type: str, inputs: Sequence[Any], attr: Mapping[str, Any], name: str) -> base.Node:
        if self._finalized:
            raise RuntimeError("Graph is finalized and cannot be modified.")
        if not _OP_NAME.match(name):
            raise ValueError(f"{name!r} is not a valid node name")
        extra = {k: v for scope in self._attr_scopes for k, v in scope.items()}
        override = self._gradient_overrides.get(op_type)
        if override is not None:
            extra["_gradient_op_type"] = override
        if extra:
            attr = {**extra, **attr}
        try:
            node = super().create(op_type, inputs, attr, name)
        except ShapeError as e:
            raise ValueError(str(e)) from e
        if self._devices:
            self.settle_device(node)
        return node

    def __bool__(self) -> bool:
        return True  # an empty graph is a graph

    def _added(self, node: base.Node) -> None:
        self.last_id += 1
        node._id = self.last_id  # type: ignore[attr-defined]
        node.source = script_line()

    def device_of(self, op_type: str) -> str:
        """Nothing yet: device functions are asked about a whole op."""
        return ""

    def settle_device(self, node: base.Node) -> None:
        """The device of a new op: the innermost scope first; each outer one adds what is not said yet, or, a function, decides anew."""
        for scope in reversed(self._devices):
            found = scope(node) if callable(scope) else scope
            if found is None:
                raise TypeError("Expected binary or unicode string, got None")  # a device function must decide
            text = found if isinstance(found, str) else found.to_string()
            node.device = text if callable(scope) else override_device(text, node.device)

    def _apply_device_functions(self, op: Any) -> None:
        """Tell an op, or what a library passes as one, the device that the scopes around say."""
        for scope in reversed(self._devices):
            found = scope(op) if callable(scope) else scope
            text = found if isinstance(found, str) else found.to_string()
            inner = getattr(op, "device", None) or ""
            text = text if callable(scope) else override_device(text, inner if isinstance(inner, str) else inner.to_string())
            set_device = getattr(op, "_set_device_from_string", None) or op._set_device
            set_device(text)

    # -- scopes --------------------------------------------------------------------------------------------------

    def name_scope(self, name: str | None) -> contextlib.AbstractContextManager[str]:
        if name and not (_SCOPE_NAME if self.scope else _OP_NAME).match(name):
            raise ValueError(f"{name!r} is not a valid scope name")
        return super().name_scope(name)

    @contextlib.contextmanager
    def as_default(self) -> Iterator[Graph]:
        with _graphs.entered(self):
            yield self

    @contextlib.contextmanager
    def device(self, device_name_or_function: Any) -> Iterator[None]:
        outer = self._devices
        self._devices = [] if device_name_or_function is None else [*outer, device_name_or_function]
        try:
            yield
        finally:
            self._devices = outer

    @contextlib.contextmanager
    def control_dependencies(self, control_inputs: Any) -> Iterator[None]:
        """Ops made inside run after these ops and tensors; None clears outer dependencies and control flow."""
        if control_inputs is None:
            with super().control_dependencies(None):
                yield
            return
        nodes = []
        for c in control_inputs:
            nodes.append(self.op_of(c))
        with super().control_dependencies(dict.fromkeys(nodes)):
            yield

    def op_of(self, item: Any) -> Any:
        """The op to wait for: itself, or the one behind a tensor or variable (for an assignment to a resource variable, that op)."""
        if not isinstance(item, base.Node | base.Tensor) and isinstance(getattr(item, "op", None), base.Node):
            return item.op
        element = self.as_graph_element(item)
        return element.node if isinstance(element, base.Tensor) else element

    @contextlib.contextmanager
    def colocate_with(self, op: Any, ignore_existing: bool = False) -> Iterator[None]:
        if op is not None and not isinstance(op, base.Node):
            op = self.as_graph_element(op)
            op = op.node if isinstance(op, base.Tensor) else op
        outer = self._devices
        if op is not None:
            self._devices = [op.device] if op.device else []
        try:
            with super().colocate_with(op):
                yield
        finally:
            self._devices = outer

    @contextlib.contextmanager
    def gradient_override_map(self, op_type_map: Mapping[str, str]) -> Iterator[None]:
        outer = self._gradient_overrides
        self._gradient_overrides = {**outer, **op_type_map}
        try:
            yield
        finally:
            self._gradient_overrides = outer

    @contextlib.contextmanager
    def _attr_scope(self, attr_map: Mapping[str, Any]) -> Iterator[None]:
        self._attr_scopes.append(attr_map)
        try:
            yield
        finally:
            self._attr_scopes.pop()

    @contextlib.contextmanager
    def container(self, container_name: str) -> Iterator[str]:
        yield container_name

    def get_name_scope(self) -> str:
        return self.scope

    def unique_name(self, name: str, mark_as_used: bool = True, *, mark: bool | None = None) -> str:
        return super().unique_name(name, mark=mark_as_used if mark is None else mark)

    # -- looking up ----------------------------------------------------------------------------------------------

    def as_graph_element(self, obj: Any, allow_tensor: bool = True, allow_operation: bool = True) -> Any:
        """The tensor or operation that an object (or a name: "x:0" a tensor, "x" an operation) stands for."""
        convert = getattr(obj, "_as_graph_element", None)
        if convert is not None:
            obj = convert()
        if isinstance(obj, base.Tensor) and allow_tensor:
            if obj.node.graph is not self:
                raise ValueError(f"Tensor {obj} is not an element of this graph.")
            return obj
        if isinstance(obj, base.Node) and allow_operation:
            if obj.graph is not self:
                raise ValueError(f"Operation {obj} is not an element of this graph.")
            return obj
        if isinstance(obj, bytes):
            obj = obj.decode()
        if isinstance(obj, str):
            if ":" in obj and allow_tensor:
                name, _, index = obj.partition(":")
                if name not in self.nodes:
                    raise KeyError(
                        f"The name {obj!r} refers to a Tensor which does not exist. The operation, {name!r}, does not exist in the graph."
                    )
                node = self.nodes[name]
                if not index.isdigit():
                    raise ValueError(
                        f'The name {obj!r} looks a like a Tensor name, but is not a valid one. Tensor names must be of the form "<op_name>:<output_index>".'
                    )
                if int(index) >= len(node.outputs):
                    raise KeyError(
                        f"The name {obj!r} refers to a Tensor which does not exist. The operation, {name!r}, exists but only has {len(node.outputs)} outputs."
                    )
                return node.outputs[int(index)]
            if ":" not in obj and allow_operation:
                if obj not in self.nodes:
                    raise KeyError(f"The name {obj!r} refers to an Operation not in the graph.")
                return self.nodes[obj]
            if not allow_tensor:
                raise ValueError(f"Name {obj!r} appears to refer to a Tensor, not a Operation.")
            if obj in self.nodes:
                raise ValueError(
                    f'The name {obj!r} refers to an Operation, not a Tensor. Tensor names must be of the form "<op_name>:<output_index>".'
                )
            raise ValueError(
                f'The name {obj!r} looks like an (invalid) Operation name, not a Tensor. Tensor names must be of the form "<op_name>:<output_index>".'
            )
        kinds = " or ".join(k for k, allowed in (("Tensor", allow_tensor), ("Operation", allow_operation)) if allowed)
        raise TypeError(f"Can not convert a {type(obj).__name__} into a {kinds}.")

    def get_tensor_by_name(self, name: str) -> Any:
        if not isinstance(name, str):
            raise TypeError(f"Tensor names are strings (or similar), not {type(name).__name__}.")
        return self.as_graph_element(name, allow_operation=False)

    def get_operation_by_name(self, name: str) -> Any:
        if not isinstance(name, str):
            raise TypeError(f"Operation names are strings (or similar), not {type(name).__name__}.")
        return self.as_graph_element(name, allow_tensor=False)

    def get_operations(self) -> list[Any]:
        return list(self.nodes.values())

    # -- collections ---------------------------------------------------------------------------------------------

    def add_to_collection(self, name: Any, value: Any) -> None:
        if self._finalized:
            raise RuntimeError("Graph is finalized and cannot be modified.")
        self._collections.setdefault(name, []).append(value)

    def add_to_collections(self, names: Any, value: Any) -> None:
        names = (names,) if isinstance(names, str) else dict.fromkeys(names or ())
        for name in names:
            self.add_to_collection(name, value)

    def get_collection(self, name: Any, scope: str | None = None) -> list[Any]:
        found = self._collections.get(name, [])
        if scope is None:
            return list(found)
        pattern = re.compile(scope)
        return [item for item in found if hasattr(item, "name") and pattern.match(item.name)]

    def get_collection_ref(self, name: Any) -> list[Any]:
        return self._collections.setdefault(name, [])

    def get_all_collection_keys(self) -> list[Any]:
        return [k for k in self._collections if isinstance(k, str)]

    def clear_collection(self, name: Any) -> None:
        self._collections.pop(name, None)

    @property
    def collections_map(self) -> dict[Any, list[Any]]:
        return self._collections

    # -- the rest of tf.Graph --------------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        return self.last_id

    @property
    def _last_id(self) -> int:
        return self.last_id

    @property
    def finalized(self) -> bool:
        return self._finalized

    def finalize(self) -> None:
        self._finalized = True

    def _unsafe_unfinalize(self) -> None:
        self._finalized = False

    @property
    def building_function(self) -> bool:
        return False

    def is_feedable(self, tensor: Any) -> bool:
        return tensor not in self.attributes.get("unfeedable", ())

    def prevent_feeding(self, tensor: Any) -> None:
        self.attributes.setdefault("unfeedable", set()).add(tensor)

    def is_fetchable(self, tensor_or_op: Any) -> bool:
        return tensor_or_op not in self.attributes.get("unfetchable", ())

    def prevent_fetching(self, op: Any) -> None:
        self.attributes.setdefault("unfetchable", set()).add(op)

    def as_graph_def(self, from_version: int | None = None, add_shapes: bool = False) -> Any:
        from graphtools.formats import graphdef

        return graphdef.to_message(self)

    @property
    def graph_def_versions(self) -> Any:
        return self.as_graph_def().versions

    def _get_control_flow_context(self) -> Any:
        return self.flow

    def _set_control_flow_context(self, context: Any) -> None:
        self.flow = context

    def switch_to_thread_local(self) -> None:
        """Scopes of this stand-in belong to the graph; there is nothing to switch."""

    def __enter__(self) -> Graph:
        raise TypeError("Use `with graph.as_default():`.")

    def __hash__(self) -> int:
        return id(self)


class _DefaultStack(threading.local):
    """The default graphs (or sessions) entered in this thread."""

    def __init__(self) -> None:
        self.stack: list[Any] = []

    @contextlib.contextmanager
    def entered(self, item: Any) -> Iterator[Any]:
        self.stack.append(item)
        try:
            yield item
        finally:
            if item in self.stack:
                self.stack.reverse()
                self.stack.remove(item)
                self.stack.reverse()


_graphs = _DefaultStack()
_root: list[Graph] = []


def forget_defaults() -> None:
    """Begin as a new process does, with an empty default graph."""
    _root.clear()
    _graphs.stack.clear()


@export("get_default_graph", "compat.v1.get_default_graph")
def get_default_graph() -> Graph:
    """The graph that ops are added to: the innermost `as_default`, else the process-wide one."""
    if _graphs.stack:
        graph: Graph = _graphs.stack[-1]
        return graph
    if not _root:
        _root.append(Graph())
    return _root[0]


@export("reset_default_graph", "compat.v1.reset_default_graph")
def reset_default_graph() -> None:
    if _graphs.stack:
        raise AssertionError(
            "Do not use tf.reset_default_graph() to clear nested graphs. If you need a cleared graph, exit the nesting and create a new graph."
        )
    _root.clear()


def script_line() -> tuple[str, int] | None:
    """The innermost place outside this package that is being executed: the script's line that makes an op."""
    frame = sys._getframe(1)
    while frame is not None:
        filename = frame.f_code.co_filename
        if not filename.startswith(_OURS) and not filename.startswith("<frozen") and "contextlib" not in filename:
            return filename, frame.f_lineno
        frame = frame.f_back  # type: ignore[assignment]
    return None


# -- Python values as tensors --------------------------------------------------------------------------------------

Conversion = Callable[..., Any]
_CONVERSIONS: list[tuple[Any, Conversion]] = []


@export("register_tensor_conversion_function")
def register_tensor_conversion_function(base_type: Any, conversion_func: Conversion, priority: int = 100) -> None:
    """Let convert_to_tensor take objects of a type: `conversion_func(value, dtype, name, as_ref)`."""
    _CONVERSIONS.append((base_type, conversion_func))


@export("convert_to_tensor", "compat.v1.convert_to_tensor")
def convert_to_tensor(
    value: Any, dtype: Any = None, name: str | None = None, preferred_dtype: Any = None, dtype_hint: Any = None, as_ref: bool = False
) -> Tensor:
    """A tensor for a Python value, numpy array, variable, or nested list of these."""
    preferred = preferred_dtype if preferred_dtype is not None else dtype_hint
    wanted = None if dtype is None else as_dtype(dtype).base_dtype
    if isinstance(value, base.Tensor):
        if wanted is not None and not wanted.is_compatible_with(value.dtype):
            raise ValueError(f"Tensor conversion requested dtype {wanted.name} for Tensor with dtype {value.dtype.name}: {str(value)!r}")
        return value  # type: ignore[return-value]
    method = getattr(value, "_as_tensor", None)
    if method is not None:
        return method(wanted, name, as_ref)  # type: ignore[no-any-return]
    for kind, function in _CONVERSIONS:
        if isinstance(value, kind):
            result = function(value, dtype=wanted, name=name, as_ref=as_ref)
            if result is not NotImplemented:
                return result  # type: ignore[no-any-return]
    if isinstance(value, IndexedSlices):
        return _dense(value, wanted, name)
    if isinstance(value, TensorShape):
        if not value.is_fully_defined():
            raise ValueError(f"Cannot convert a partially known TensorShape to a Tensor: {value}")
        dims = value.as_list()
        return constant(
            np.array(dims, np.int32 if wanted is None else wanted.as_numpy_dtype), wanted or int32, name=name or "shape_as_tensor"
        )
    if isinstance(value, Dimension):
        if value.value is None:
            raise ValueError(f"Cannot convert an unknown Dimension to a Tensor: {value}")
        return constant(value.value, wanted or int32, name=name or "Const")
    if isinstance(value, list | tuple) and _holds_tensor(value):
        return _pack(value, wanted, name or "packed")
    if wanted is None and preferred is not None:
        try:
            return constant(value, preferred, name=name or "Const")
        except (TypeError, ValueError):
            pass
    return constant(value, wanted, name=name or "Const")


def _dense(slices: IndexedSlices, dtype: DType | None, name: str | None) -> Tensor:
    if dtype is not None and not dtype.is_compatible_with(slices.values.dtype):
        raise ValueError(f"Tensor conversion requested dtype {dtype.name} for IndexedSlices with dtype {slices.values.dtype.name}")
    if slices.dense_shape is None:
        raise ValueError(f"Tensor conversion requested for IndexedSlices without dense_shape: {slices}")
    return apply_op("UnsortedSegmentSum", name, data=slices.values, segment_ids=slices.indices, num_segments=slices.dense_shape[0])  # type: ignore[no-any-return]


def _holds_tensor(values: Any) -> bool:
    return any(isinstance(v, base.Tensor) or hasattr(v, "_as_tensor") or (isinstance(v, list | tuple) and _holds_tensor(v)) for v in values)


def _pack(values: Sequence[Any], dtype: DType | None, name: str) -> Tensor:
    """Nested lists that hold tensors, as Pack ops."""
    if dtype is None:
        dtype = _first_dtype(values)
    graph = get_default_graph()
    with graph.name_scope(name) as scope:
        parts = [
            convert_to_tensor(v, dtype, name=str(i)) if not (isinstance(v, list | tuple) and _holds_tensor(v)) else _pack(v, dtype, str(i))
            for i, v in enumerate(values)
        ]
        return graph.create("Pack", [parts], {"axis": 0}, scope).outputs[0]  # type: ignore[return-value]


def _first_dtype(values: Sequence[Any]) -> DType | None:
    for v in values:
        if isinstance(v, list | tuple):
            found = _first_dtype(v)
            if found is not None:
                return found
        elif isinstance(v, base.Tensor) or hasattr(v, "_as_tensor"):
            return v.dtype.base_dtype  # type: ignore[no-any-return]
    return None


def to_value(value: Any, dtype: DType | None) -> tuple[np.ndarray[Any, Any], DType]:
    """A Python value as the array and dtype that TensorFlow makes of it. Raises TypeError as TensorFlow does when it does not fit `dtype`."""
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        if array.dtype.kind in "SUO":
            return _strings(array), string
        found = as_dtype(array.dtype)
        if dtype is not None and dtype is not found:
            if dtype is string:
                raise TypeError(f"Expected string, got {value!r} of type {type(value).__name__!r} instead.")
            array, found = array.astype(dtype.as_numpy_dtype), dtype
        return array, found
    plain = _plain(value)
    try:
        array = np.asarray(plain) if not _has_text(plain) else np.asarray(plain, dtype=object)
    except ValueError as e:
        if "inhomogeneous" not in str(e):
            raise
        shape, level = [], [plain]
        while all(isinstance(v, list) for v in level) and len({len(v) for v in level}) == 1:
            shape.append(len(level[0]))
            level = [item for v in level for item in v]
        raise ValueError(f"Argument must be a dense tensor: {value} - got shape {shape}, but wanted {_dense_dims(plain)}.") from e
    if array.dtype.kind in "SUO":
        if array.dtype.kind == "O" and array.size and not all(isinstance(v, str | bytes) for v in array.ravel().tolist()):
            if any(isinstance(v, list) for v in array.ravel().tolist()):
                raise ValueError(
                    f"Argument must be a dense tensor: {value} - got shape {list(array.shape)}, but wanted {_dense_dims(plain)}."
                )
            bad = next(v for v in array.ravel().tolist() if not isinstance(v, str | bytes))
            if bad is None:
                raise ValueError("None values not supported.")
            raise TypeError(
                f"Failed to convert object of type {type(value)} to Tensor. Contents: {value!r}. Consider casting elements to a supported type."
            )
        if dtype is not None and dtype is not string:
            raise TypeError(f"Expected {dtype.name}, got {value!r} of type {type(value).__name__!r} instead.")
        return _strings(array), string
    kind = array.dtype.kind
    if dtype is None:
        if kind == "f" and not _has_numpy(value):
            return array.astype(np.float32), as_dtype(np.float32)
        if kind == "i" and not _has_numpy(value):
            if array.size and (array.max() > 2**31 - 1 or array.min() < -(2**31)):
                return array.astype(np.int64), as_dtype(np.int64)
            return array.astype(np.int32), as_dtype(np.int32)
        if array.size == 0:
            return array.astype(np.float32), as_dtype(np.float32)
        return array, as_dtype(array.dtype)
    if dtype is string and not array.size:
        return array.astype(object), string
    if (
        dtype is string
        or (dtype.is_integer and kind in "fcb" and array.size)
        or (dtype.is_bool and kind != "b" and array.size)
        or (dtype.is_floating and kind in "bc" and array.size)
    ):
        first = array.ravel()[0].item()
        raise TypeError(f"Expected {dtype.name}, got {first!r} of type {type(first).__name__!r} instead.")
    return array.astype(dtype.as_numpy_dtype), dtype


def _dense_dims(value: Any) -> list[int]:
    """The shape that the first elements of nested lists promise."""
    return [len(value), *(_dense_dims(value[0]) if value else [])] if isinstance(value, list) else []


def _plain(value: Any) -> Any:
    if isinstance(value, Dimension):
        return value.value
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _has_text(value: Any) -> bool:
    if isinstance(value, list):
        return any(_has_text(v) for v in value)
    return isinstance(value, str | bytes)


def _has_numpy(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and _has_numpy(value[0])
    return isinstance(value, np.ndarray | np.generic)


def _strings(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    result = np.empty(array.size, object)
    result[:] = [v.encode() if isinstance(v, str) else bytes(v) for v in array.ravel().tolist()]
    return result.reshape(array.shape)


@export("constant", "compat.v1.constant")
def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = "Const", verify_shape: bool = False) -> Tensor:
    """A constant tensor; with `shape`, the value is reshaped, its last element repeated to fill."""
    array, found = to_value(value, None if dtype is None else as_dtype(dtype).base_dtype)
    if shape is not None:
        dims = as_dims(shape)
        if dims is None or None in dims:
            raise ValueError(f"A constant's shape must be known; it is {shape!r}.")
        size = int(np.prod(dims, dtype=np.int64))  # type: ignore[arg-type]
        if verify_shape and tuple(dims) != array.shape:
            raise TypeError(f"Expected Tensor's shape: {tuple(dims)}, got {array.shape}.")
        if size == 0:
            array = array.ravel()[:0]
        if array.size > size:
            raise ValueError(f"Too many elements provided. Needed at most {size}, but received {array.size}")
        if array.size < size:
            flat = array.ravel()
            array = np.concatenate([flat, np.repeat(flat[-1:], size - array.size)]) if array.size else np.zeros(size, array.dtype)
        array = array.reshape(tuple(dims))  # type: ignore[arg-type]
    graph = get_default_graph()
    name = name or "Const"
    full = name if name.endswith("/") else graph.unique_name(name)
    return graph.create("Const", [], {"dtype": found, "value": array}, full).outputs[0]  # type: ignore[return-value]


def apply_op(op_type: str, name: str | None = None, **arguments: Any) -> Any:
    """Add an op as TensorFlow's generated functions do: inputs and attrs by OpDef name, converted to what the OpDef says.

    Gives the output tensor (a list for a list output), a tuple of these for several, the Operation for none.
    """
    opdef = opdefs.get(op_type)
    if opdef is None:
        raise ValueError(f"No op named {op_type!r}.")
    graph = graph_of(arguments.values())
    with graph.as_default(), graph.name_scope(name or op_type) as scope:
        attr = {k: v for k, v in arguments.items() if k in opdef.attrs or k.startswith("_")}
        attr = {k: as_attr(opdef.attrs[k].type, v, op_type, k) if k in opdef.attrs else v for k, v in attr.items() if v is not None}
        for key, value in attr.items():
            allowed = opdef.attrs[key].allowed if isinstance(value, str) and key in opdef.attrs else None
            if allowed is not None and value not in allowed:
                listed = ", ".join(f'"{a}"' for a in allowed)
                raise ValueError(f"Attr {key!r} of {op_type!r} Op passed string {value!r} not in: {listed}.")
        known: dict[str, Any] = dict(attr)
        inputs = [_input(opdef, arg, arguments[arg.name], known) for arg in opdef.inputs]
        with contextlib.ExitStack() as near:  # an op that changes a variable is where the variable is
            for arg, value in zip(opdef.inputs, inputs, strict=True):
                if arg.is_ref and isinstance(value, base.Tensor):
                    near.enter_context(graph.colocate_with(value.node))
            node = graph.create(op_type, inputs, attr, scope)
    return pack_outputs(node)


def pack_outputs(node: base.Node) -> Any:
    """A node's outputs as a generated function returns them."""
    opdef = node.opdef
    if opdef is None or not opdef.outputs:
        return node if not node.outputs else tuple(node.outputs)
    packed: list[Any] = []
    start = 0
    for arg in opdef.outputs:
        count = len(arg.types(node.attr))
        packed.append(list(node.outputs[start : start + count]) if arg.is_list else node.outputs[start])
        start += count
    return packed[0] if len(packed) == 1 else tuple(packed)


def _input(opdef: opdefs.OpDef, arg: opdefs.Arg, value: Any, known: dict[str, Any]) -> Any:
    if arg.type_list_attr is not None:
        if not isinstance(value, list | tuple):
            raise TypeError(f"Expected list for {arg.name!r} argument to {opdef.name!r} Op, not {value}.")
        types = known.get(arg.type_list_attr) or [None] * len(value)
        return [convert_to_tensor(v, t, name=f"{arg.name}_{i}") for i, (v, t) in enumerate(zip(value, types, strict=True))]
    dtype = arg.type if arg.type_attr is None else known.get(arg.type_attr)
    default = opdef.attrs[arg.type_attr].default if arg.type_attr is not None else None
    preferred = default if isinstance(default, DType) else None
    if arg.number_attr is not None:
        if not isinstance(value, list | tuple):
            raise TypeError(f"Expected list for {arg.name!r} argument to {opdef.name!r} Op, not {value}.")
        if dtype is None:
            dtype = _first_dtype(value)
        tensors = [
            convert_to_tensor(v, dtype, name=f"{arg.name}_{i}", preferred_dtype=preferred, as_ref=arg.is_ref) for i, v in enumerate(value)
        ]
        if tensors and arg.type_attr is not None:
            known[arg.type_attr] = tensors[0].dtype.base_dtype
            _check_same(opdef, arg, tensors, known)
        return tensors
    try:
        tensor = convert_to_tensor(value, dtype if not arg.is_ref else None, name=arg.name, preferred_dtype=preferred, as_ref=arg.is_ref)
    except TypeError as e:
        if dtype is None:
            raise
        raise TypeError(
            f"Expected {dtype.name} passed to parameter '{arg.name}' of op '{opdef.name}', got {value!r} of type {type(value).__name__!r} instead. Error: {e}"
        ) from None
    except ValueError:
        try:
            observed = convert_to_tensor(value).dtype.name
        except ValueError as e:
            raise ValueError(f"Tried to convert '{arg.name}' to a tensor and failed. Error: {e}") from None
        prefix = f"Input '{arg.name}' of '{opdef.name}' Op has type {observed} that does not match"
        if arg.type_attr is None or dtype is None:
            raise TypeError(f"{prefix} expected type of {arg.type.name if arg.type is not None else dtype}.") from None
        first = next((a.name for a in opdef.inputs if a.type_attr == arg.type_attr), arg.name)
        raise TypeError(f"{prefix} type {dtype.name} of argument '{first}'.") from None
    if arg.type_attr is not None:
        known.setdefault(arg.type_attr, tensor.dtype.base_dtype)
        allowed = opdef.attrs[arg.type_attr].allowed
        if allowed is not None and tensor.dtype.base_dtype not in allowed:
            raise TypeError(
                f"Value passed to parameter '{arg.name}' has DataType {tensor.dtype.base_dtype.name} not in list of allowed values: {', '.join(t.name for t in allowed)}"
            )
    elif arg.is_ref and not tensor.dtype.is_ref:
        raise TypeError(f"'{opdef.name}' Op requires that input '{arg.name}' be a mutable tensor (e.g.: a tf.Variable)")
    return tensor


def _check_same(opdef: opdefs.OpDef, arg: opdefs.Arg, tensors: Sequence[Tensor], known: Mapping[str, Any]) -> None:
    if len({t.dtype.base_dtype for t in tensors}) > 1:
        listed = ", ".join(t.dtype.name for t in tensors)
        raise TypeError(f"Tensors in list passed to '{arg.name}' of '{opdef.name}' Op have types [{listed}] that don't all match.")


def as_attr(kind: str, value: Any, op_type: str = "", name: str = "") -> Any:
    """A Python value as an attr of this OpDef type. Raises TypeError when it cannot be one."""
    if kind.startswith("list("):
        if not isinstance(value, list | tuple | np.ndarray):
            raise TypeError(f"Expected list for attr {name!r} of {op_type!r} Op, not {value!r}.")
        return [as_attr(kind[5:-1], v, op_type, name) for v in value]
    if kind == "type":
        try:
            return as_dtype(value).base_dtype
        except TypeError:
            raise TypeError(f"Expected DataType for argument '{name}' not {value!r}.") from None
    if kind == "shape":
        return as_dims(value)
    if kind == "bool":
        if not isinstance(value, bool | np.bool_):
            raise TypeError(f"Expected bool for argument '{name}' not {value!r}.")
        return bool(value)
    if kind == "int":
        return int(value)
    if kind == "float":
        return float(value)
    if kind == "string":
        if isinstance(value, bytes):
            try:
                return value.decode()
            except UnicodeDecodeError:
                return value
        if not isinstance(value, str):
            raise TypeError(f"Expected string for argument '{name}' not {value!r}.")
        return value
    if kind == "tensor":
        return to_value(value, None)[0]
    return value


def graph_of(values: Iterable[Any]) -> Graph:
    """The graph of the tensors among these values (lists looked into), else the default graph. Raises ValueError for tensors of several."""
    default = get_default_graph()
    if default.building_function:
        return default
    first: Any = None
    for v in values:
        for t in v if isinstance(v, list | tuple) else (v,):
            if not isinstance(t, base.Tensor) or not isinstance(t.node.graph, Graph):
                continue
            if first is None:
                first = t
            elif t.node.graph is not first.node.graph:
                raise ValueError(f"{t} must be from the same graph as {first}.")
    return default if first is None else first.node.graph  # type: ignore[no-any-return]


@export("name_scope", "compat.v1.name_scope", "keras.backend.name_scope")
class name_scope:
    """`with tf.name_scope("layer") as scope:`; with a `default_name`, `name=None` takes that."""

    def __init__(self, name: str | None, default_name: str | None = None, values: Any = None) -> None:
        self._name = default_name if name is None else name
        self._values = values or ()
        if self._name is None and values is not None:
            raise ValueError("At least one of name (None) and default_name (None) must be provided.")

    @property
    def name(self) -> str | None:
        return self._name

    def __enter__(self) -> str:
        graph = graph_of(self._values if isinstance(self._values, list | tuple) else ())
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(graph.as_default())
        return self._stack.enter_context(graph.name_scope(self._name))

    def __exit__(self, *exc: Any) -> None:
        self._stack.__exit__(*exc)

    def __call__(self, function: C) -> C:
        import functools

        @functools.wraps(function)
        def scoped(*args: Any, **kwargs: Any) -> Any:
            with name_scope(self._name, values=self._values):
                return function(*args, **kwargs)

        return scoped  # type: ignore[return-value]


# -- collections of the default graph ------------------------------------------------------------------------------


@export("add_to_collection")
def add_to_collection(name: Any, value: Any) -> None:
    get_default_graph().add_to_collection(name, value)


@export("add_to_collections")
def add_to_collections(names: Any, value: Any) -> None:
    get_default_graph().add_to_collections(names, value)


@export("get_collection")
def get_collection(key: Any, scope: str | None = None) -> list[Any]:
    return get_default_graph().get_collection(key, scope)


@export("get_collection_ref")
def get_collection_ref(key: Any) -> list[Any]:
    return get_default_graph().get_collection_ref(key)


@export("op_scope")
@contextlib.contextmanager
def op_scope(values: Any, name: str | None, default_name: str | None = None) -> Iterator[str]:
    with name_scope(name, default_name=default_name, values=values) as scope:
        yield scope


@export("init_scope")
@contextlib.contextmanager
def init_scope() -> Iterator[None]:
    with get_default_graph().control_dependencies(None):
        yield
