"""Functions that share their variables between calls, and functions with a gradient of their own."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from graphtools import graph as base
from runtime.tf1.graph import GraphKeys, convert_to_tensor, get_default_graph
from runtime.tf1.registry import export
from runtime.tf1.variable_scope import get_variable_scope, unique_scope, variable_scope


class Template:
    """A function whose variables are made by its first call and reused by the others."""

    def __init__(self, name: str, func: Any, create_scope_now: bool, unique_name: str | None, custom_getter: Any) -> None:
        if name is None:
            raise ValueError("name cannot be None.")
        self._name = name
        self._func = func
        self._unique_name = unique_name
        self._custom_getter = custom_getter
        self._variable_scope: Any = None
        self._called = False
        if create_scope_now:
            with variable_scope(unique_name or unique_scope(name), custom_getter=custom_getter, auxiliary_name_scope=False) as scope:
                self._variable_scope = scope

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._variable_scope is not None:
            with variable_scope(self._variable_scope, reuse=self._called or None):
                return self._call(args, kwargs)
        with variable_scope(self._unique_name, self._name, custom_getter=self._custom_getter) as scope:
            self._variable_scope = scope
            return self._call(args, kwargs)

    def _call(self, args: Any, kwargs: Any) -> Any:
        graph = get_default_graph()
        before = len(graph.get_collection_ref(GraphKeys.TRAINABLE_VARIABLES))
        result = self._func(*args, **kwargs)
        made = graph.get_collection_ref(GraphKeys.TRAINABLE_VARIABLES)[before:]
        if self._called and made:
            raise ValueError(
                f"Trainable variable created when calling a template after the first time, perhaps you used tf.Variable when you meant tf.get_variable: {made}"
            )
        self._called = True
        return result

    @property
    def name(self) -> str:
        return self._name

    @property
    def func(self) -> Any:
        return self._func

    @property
    def variable_scope(self) -> Any:
        return self._variable_scope

    @property
    def variable_scope_name(self) -> str | None:
        if self._variable_scope is None:
            return None
        name: str = self._variable_scope.name
        return name if not name or name.endswith("/") else name + "/"

    def _of(self, key: str) -> list[Any]:
        return get_default_graph().get_collection(key, self.variable_scope_name) if self._called else []

    @property
    def trainable_variables(self) -> list[Any]:
        return self._of(GraphKeys.TRAINABLE_VARIABLES)

    trainable_weights = trainable_variables

    @property
    def global_variables(self) -> list[Any]:
        return self._of(GraphKeys.GLOBAL_VARIABLES)

    @property
    def local_variables(self) -> list[Any]:
        return self._of(GraphKeys.LOCAL_VARIABLES)

    @property
    def variables(self) -> list[Any]:
        return self.global_variables + self.local_variables

    weights = variables

    @property
    def non_trainable_variables(self) -> list[Any]:
        trainable = set(self.trainable_variables)
        return [v for v in self.global_variables if v not in trainable]


@export("make_template")
def make_template(
    name_: str, func_: Any, create_scope_now_: bool = False, unique_name_: str | None = None, custom_getter_: Any = None, **kwargs: Any
) -> Any:
    return Template(name_, functools.partial(func_, **kwargs) if kwargs else func_, create_scope_now_, unique_name_, custom_getter_)


@export("custom_gradient")
def custom_gradient(f: Any) -> Any:
    """Decorates a function that gives its result and the function of its gradient."""

    @functools.wraps(f)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        from runtime.tf1 import nest
        from runtime.tf1.gradients import RegisterGradient

        if kwargs:
            raise ValueError("The custom_gradient decorator currently supports keywords arguments only when eager execution is enabled.")
        graph = get_default_graph()
        label = f"CustomGradient-{graph.attributes.setdefault('custom_gradients', 0)}"
        graph.attributes["custom_gradients"] += 1
        inputs = [convert_to_tensor(x) for x in args]
        first = graph.last_id
        known = set(graph.get_collection(GraphKeys.GLOBAL_VARIABLES))
        result, gradient = f(*inputs)
        made = [v for v in graph.get_collection(GraphKeys.GLOBAL_VARIABLES) if v not in known]
        if any(not v._is_resource for v in made):
            raise TypeError(
                "All variables used by a function wrapped with @custom_gradient must be `ResourceVariable`s. Ensure that no `variable_scope` is created with `use_resource=False`."
            )
        variables = _read_since(graph, first)
        signature = inspect.getfullargspec(gradient)
        takes_variables = "variables" in signature.args or "variables" in signature.kwonlyargs or signature.varkw
        if variables and not takes_variables:
            raise TypeError(
                "If using @custom_gradient with a function that uses variables, then grad_fn must accept a keyword argument 'variables'."
            )
        if takes_variables and not variables and not get_variable_scope().use_resource:
            raise TypeError(
                "If using @custom_gradient with a function that uses variables, the enclosing variable scope must have use_resource=True."
            )
        flat = [convert_to_tensor(t) for t in nest.flatten(result)]
        for t in flat:  # TensorFlow looks for variables behind a copy of each result
            graph.create("Identity", [t], {}, graph.unique_name("Identity"))
        count = len(flat)

        def backward(op: Any, *dys: Any) -> list[Any]:
            if variables:
                of_inputs, of_variables = gradient(*dys[:count], variables=variables)
                if len(of_variables) != len(variables):
                    raise ValueError("Must return gradient for each variable from @custom_gradient grad_fn.")
            else:
                of_inputs, of_variables = gradient(*dys[:count]), []
            return [None] * count + nest.flatten(of_inputs) + list(of_variables)

        name = f"{label}-{id(graph)}"
        RegisterGradient(name)(backward)
        values = [*flat, *inputs, *(v.handle for v in variables)]
        with graph.gradient_override_map({"IdentityN": name}):
            outputs = graph.create("IdentityN", [values], {}, graph.unique_name("IdentityN")).outputs
        return nest.pack_sequence_as(result, list(outputs[:count]))

    return decorated


def _read_since(graph: Any, first: int) -> list[Any]:
    """The resource variables that ops made after op number `first` read."""
    handles = [t for node in graph if node._id > first for t in node.inputs if isinstance(t, base.Tensor) and t.node.op == "VarHandleOp"]
    by_handle = {v.handle: v for v in graph.get_collection(GraphKeys.GLOBAL_VARIABLES) if v._is_resource}
    return [by_handle[h] for h in dict.fromkeys(handles) if h in by_handle]


@export("grad_pass_through")
def grad_pass_through(f: Any) -> Any:
    """The function, with the identity as its gradient."""

    @custom_gradient
    def passed(*args: Any) -> Any:
        def gradient(*dys: Any, **kwargs: Any) -> Any:
            variables = kwargs.get("variables")
            return (dys, [None] * len(variables)) if variables is not None else dys

        return f(*args), gradient

    return passed


@export("recompute_grad")
def recompute_grad(f: Any) -> Any:
    """The function as it is: keeping its intermediate values changes memory, not results."""
    return f
