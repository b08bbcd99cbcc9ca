"""What libraries of the time use of tensorflow.python.framework, eager and client: names that are no part of the public API."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from graphtools import graph as base
from graphtools.gradients import IndexedSlices
from runtime import fetches
from runtime.tf1 import graph, variables
from runtime.tf1.modules import Unsupported
from runtime.tf1.registry import EXPORTS, export, put
from runtime.tf1.sparse_tensor import SparseTensor
from runtime.tf1.tensor_shape import TensorShape

# -- tensors and graphs ------------------------------------------------------------------------------------------------


class _TensorLikeMeta(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, base.Tensor | IndexedSlices | SparseTensor)


@export("python.framework.ops._TensorLike")
class TensorLike(metaclass=_TensorLikeMeta):
    """What tensors, IndexedSlices and SparseTensors are instances of."""


_dense_types: list[type] = [base.Tensor, variables.Variable]


@export("python.framework.ops.is_dense_tensor_like")
def is_dense_tensor_like(t: Any) -> bool:
    return isinstance(t, tuple(_dense_types))


@export("python.framework.ops.register_dense_tensor_like_type")
def register_dense_tensor_like_type(tensor_type: type) -> None:
    for needed in ("name", "dtype"):
        if not isinstance(getattr(tensor_type, needed, None), property):
            raise TypeError(f"Type {tensor_type.__name__} does not define a `{needed}` property")
    _dense_types.append(tensor_type)


@export("python.framework.ops._as_graph_element")
def as_graph_element(obj: Any) -> Any:
    """What an object gives as its tensor or operation, else None."""
    convert = getattr(obj, "_as_graph_element", None)
    return convert() if convert is not None else None


@export("python.framework.ops._get_graph_from_inputs")
def get_graph_from_inputs(op_input_list: Iterable[Any], graph: Any = None) -> Any:
    """The graph that all these inputs belong to; ValueError where they belong to several."""
    own = graph
    for value in op_input_list:
        element = value if isinstance(value, base.Tensor | base.Node) else as_graph_element(value)
        if element is None:
            continue
        if own is None:
            own = element.graph
        elif element.graph is not own:
            if graph is not None:
                raise ValueError(f"{element} is not from the passed-in graph.")
            raise ValueError(f"{element} must be from the same graph as the other inputs.")
    return own if own is not None else EXPORTS["get_default_graph"]()


@export("python.framework.ops.prepend_name_scope")
def prepend_name_scope(name: str, import_scope: str | None) -> str:
    if not import_scope:
        return name
    return re.sub(r"([\^]|loc:@|^)(.*)", rf"\1{import_scope.removesuffix('/')}/\2", name, count=1)


@export("python.framework.ops.strip_name_scope")
def strip_name_scope(name: str, export_scope: str | None) -> str:
    if not export_scope:
        return name
    return re.sub(rf"([\^]|loc:@|^){export_scope.removesuffix('/')}/+(.*)", r"\1\2", name, count=1)


# Collection -> how its members become protos and come back, as libraries registered it.
PROTO_FUNCTIONS: dict[str, tuple[Any, Any, Any]] = {}


@export("python.framework.ops.register_proto_function")
def register_proto_function(collection_name: str, proto_type: Any = None, to_proto: Any = None, from_proto: Any = None) -> None:
    if to_proto and not callable(to_proto):
        raise TypeError("to_proto must be callable.")
    if from_proto and not callable(from_proto):
        raise TypeError("from_proto must be callable.")
    PROTO_FUNCTIONS[collection_name] = (proto_type, to_proto, from_proto)


@export("python.framework.ops.get_to_proto_function")
def get_to_proto_function(collection_name: str) -> Any:
    return PROTO_FUNCTIONS.get(collection_name, (None, None, None))[1]


@export("python.framework.ops.get_from_proto_function")
def get_from_proto_function(collection_name: str) -> Any:
    return PROTO_FUNCTIONS.get(collection_name, (None, None, None))[2]


@export("python.framework.ops.get_collection_proto_type")
def get_collection_proto_type(collection_name: str) -> Any:
    return PROTO_FUNCTIONS.get(collection_name, (None, None, None))[0]


@export("python.framework.tensor_shape.as_shape")
def as_shape(shape: Any) -> TensorShape:
    return shape if isinstance(shape, TensorShape) else TensorShape(shape)


@export("python.framework.constant_op._tensor_shape_tensor_conversion_function")
def tensor_shape_to_tensor(s: Any, dtype: Any = None, name: str | None = None, as_ref: bool = False) -> Any:
    del as_ref
    return graph.convert_to_tensor(as_shape(s).as_list(), dtype or "int32", name or "shape_as_tensor")


@export("python.client.session.register_session_run_conversion_functions")
def register_session_run_conversion_functions(
    tensor_type: type, fetch_function: Any, feed_function: Any = None, feed_function_for_partial_run: Any = None
) -> None:
    """Let Session.run fetch a library's own type: `fetch_function(value)` gives the tensors, and what makes its value of theirs."""
    del feed_function_for_partial_run
    if tensor_type in fetches.CONVERSIONS:
        raise ValueError(f"{tensor_type} has already been registered so ignore it.")
    fetches.CONVERSIONS[tensor_type] = fetch_function
    if feed_function is not None:
        tensor_type._feed_parts = lambda self, value: dict(feed_function(self, value))  # type: ignore[attr-defined]


# -- eager execution: there is none ------------------------------------------------------------------------------------


@export("python.eager.context.in_eager_mode")
def in_eager_mode() -> bool:
    return False


put("python.eager.context.in_graph_mode", lambda: True)
put("python.eager.context.num_gpus", lambda: 0)
put("python.tf2.enabled", lambda: False)


@export("python.eager.context.graph_mode")
@contextlib.contextmanager
def graph_mode() -> Iterator[None]:
    yield


@export("python.eager.context.eager_mode")
@contextlib.contextmanager
def eager_mode() -> Iterator[None]:
    """Ops are still added to the graph, and variables hold what a session gives them."""
    yield


# -- names that modules hide -------------------------------------------------------------------------------------------


@export("python.util.all_util.make_all")
def make_all(module_name: str, doc_string_modules: Any = None) -> list[str]:
    """The names marked @@name in the docstrings of modules, where the module has them."""
    members = set(dir(sys.modules[module_name]))
    texts = [m.__doc__ or "" for m in (doc_string_modules or [sys.modules[module_name]])]
    return sorted({n for text in texts for n in re.findall(r"^@@(\w+)$", text, re.MULTILINE)} & members)


@export("python.util.all_util.remove_undocumented")
def remove_undocumented(module_name: str, allowed_exception_list: Any = None, doc_string_modules: Any = None) -> None:
    """Hide what a module's docstring does not name."""
    module = sys.modules[module_name]
    keep = {*make_all(module_name, doc_string_modules), *(allowed_exception_list or ())}
    for name in [n for n in dir(module) if not n.startswith("_") and n not in keep]:
        if isinstance(getattr(module, name), type(sys)) and getattr(module, name).__name__.startswith(module_name + "."):
            continue  # a submodule: later imports find it through its parent
        delattr(module, name)


# -- tfdbg -------------------------------------------------------------------------------------------------------------

for _name in ("debug_data.DebugDumpDir", "debug_data.DebugTensorDatum"):
    put(f"python.debug.lib.{_name}", Unsupported(f"python.debug.lib.{_name}"))
for _name in ("DumpingDebugHook", "GrpcDebugHook", "LocalCLIDebugHook", "TensorBoardDebugHook"):
    put(f"python.debug.wrappers.hooks.{_name}", Unsupported(f"python.debug.wrappers.hooks.{_name}"))
