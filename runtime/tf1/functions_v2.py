"""Names of TensorFlow 2 that 1.15 has too, as they work when a graph is built: tf.function, GradientTape, Module and their like."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

from graphtools import graph as base
from runtime.tf1 import nest
from runtime.tf1.gradients import gradients
from runtime.tf1.graph import Graph, convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export, put
from runtime.tf1.tensor_shape import TensorShape, as_dims
from runtime.tf1.variables import Variable

# -- functions ---------------------------------------------------------------------------------------------------------


class _Function:
    """A Python function whose ops go into the graph that calls it."""

    def __init__(self, python_function: Callable[..., Any], name: str | None = None, input_signature: Any = None) -> None:
        functools.update_wrapper(self, python_function)
        self.python_function = python_function
        self._name = name or getattr(python_function, "__name__", "function")
        self.input_signature = input_signature

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.input_signature is not None:
            args = tuple(
                convert_to_tensor(a, spec.dtype) if hasattr(spec, "dtype") else a
                for a, spec in zip(args, self.input_signature, strict=False)
            )
        return self.python_function(*args, **kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def get_concrete_function(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("Concrete functions are TensorFlow 2's; a graph of the function's ops is built where it is called.")


@export("function")
def function(
    func: Any = None, input_signature: Any = None, autograph: bool = True, experimental_autograph_options: Any = None, **unused: Any
) -> Any:
    """The function itself: in a graph its ops are built where it is called. Python's if and while on tensors are not turned into tf.cond and tf.while_loop."""
    if func is None:
        return lambda f: _Function(f, input_signature=input_signature)
    return _Function(func, input_signature=input_signature)


put("autograph.to_graph", lambda entity, recursive=True, experimental_optional_features=None: entity)


@export("autograph.do_not_convert", "autograph.experimental.do_not_convert")
def do_not_convert(func: Any = None, *args: Any, **kwargs: Any) -> Any:
    return (lambda f: f) if func is None else func


@export("autograph.experimental.set_loop_options")
def set_loop_options(*args: Any, **kwargs: Any) -> None:
    """Options of loops that autograph makes."""


@export("autograph.set_verbosity")
def set_verbosity(level: int, alsologtostdout: bool = False) -> None:
    """How much autograph says."""


@export("autograph.trace")
def trace(*args: Any) -> None:
    print(*args)


@export("vectorized_map")
def vectorized_map(fn: Any, elems: Any) -> Any:
    """`fn` of each element along the first dimension, stacked; the results' dtypes are those of `fn`."""
    from runtime.tf1.functional_ops import map_fn

    flat = nest.flatten(elems)
    with Graph().as_default():
        from runtime.tf1.array_ops import placeholder

        parts = [convert_to_tensor(e) if not isinstance(e, base.Tensor) else e for e in flat]
        held = [placeholder(p.dtype.base_dtype, None if p.dims is None else p.dims[1:]) for p in parts]
        types = nest.map_structure(lambda t: convert_to_tensor(t).dtype.base_dtype, fn(nest.pack_sequence_as(elems, held)))
    return map_fn(fn, elems, dtype=types)


# -- gradients ---------------------------------------------------------------------------------------------------------


@export("GradientTape")
class GradientTape:
    """In a graph every op is known already: the gradient is tf.gradients."""

    def __init__(self, persistent: bool = False, watch_accessed_variables: bool = True) -> None:
        self._persistent, self._used = persistent, False
        self._watched: list[Any] = []

    def __enter__(self) -> GradientTape:
        return self

    def __exit__(self, *exc: Any) -> None:
        pass

    def watch(self, tensor: Any) -> None:
        self._watched.extend(nest.flatten(tensor))

    def reset(self) -> None:
        self._watched.clear()

    @contextlib.contextmanager
    def stop_recording(self) -> Iterator[None]:
        yield

    def watched_variables(self) -> tuple[Any, ...]:
        graph = get_default_graph()
        return tuple(graph.get_collection("trainable_variables"))

    def gradient(self, target: Any, sources: Any, output_gradients: Any = None, unconnected_gradients: Any = "none") -> Any:
        """The gradients of the target (the sum of several) by each source, in the structure of the sources."""
        if self._used and not self._persistent:
            raise RuntimeError("GradientTape.gradient can only be called once on non-persistent tapes.")
        self._used = True
        given = nest.flatten(sources)
        made = gradients(
            nest.flatten(target),
            given,
            grad_ys=None if output_gradients is None else nest.flatten(output_gradients),
            unconnected_gradients=unconnected_gradients,
        )
        recorded = self._recorded(given)
        if unconnected_gradients == "none":
            made = [g if any(s is r for r in recorded) else None for s, g in zip(given, made, strict=True)]
        return nest.pack_sequence_as(sources, made)

    def _recorded(self, sources: list[Any]) -> list[Any]:
        """The sources a tape knows: trainable variables, tensors that were watched, and what was computed from either."""
        known = {id(t) for t in self._watched}
        made_by = {getattr(v, "op", None) for v in (*self.watched_variables(), *self._watched)}

        def follows(tensor: Any) -> bool:
            waiting, seen = [tensor.op], set()
            while waiting:
                op = waiting.pop()
                if op in made_by:
                    return True
                if op not in seen:
                    seen.add(op)
                    waiting.extend(t.op for t in op.inputs)
            return False

        return [s for s in sources if id(s) in known or not isinstance(s, base.Tensor) or follows(s)]

    def jacobian(self, target: Any, sources: Any, **unused: Any) -> Any:
        """The gradient of each element of the target."""
        from runtime.tf1 import array_ops
        from runtime.tf1.control_flow import while_loop
        from runtime.tf1.tensor_array import TensorArray

        flat = array_ops.reshape(target, [-1])
        count = array_ops.shape(flat)[0]
        given = nest.flatten(sources)
        arrays = [TensorArray(s.dtype.base_dtype, size=count) for s in given]

        def step(i: Any, held: Any) -> Any:
            return i + 1, [a.write(i, g) for a, g in zip(held, gradients(flat[i], given), strict=True)]

        _, done = while_loop(lambda i, _: i < count, step, (0, arrays))
        shape = array_ops.shape(target)
        made = [array_ops.reshape(a.stack(), array_ops.concat([shape, array_ops.shape(s)], 0)) for a, s in zip(done, given, strict=True)]
        return nest.pack_sequence_as(sources, made)


# -- modules -----------------------------------------------------------------------------------------------------------


def _members(thing: Any, kind: Any, seen: set[int]) -> Iterator[Any]:
    """Objects of a kind among an object's attributes, and theirs, by name."""
    for name in sorted(vars(thing)):
        if name.startswith("_name"):
            continue
        for value in nest.flatten(vars(thing)[name]) if isinstance(vars(thing)[name], list | tuple | dict) else [vars(thing)[name]]:
            if id(value) in seen:
                continue
            if isinstance(value, kind):
                seen.add(id(value))
                yield value
            if isinstance(value, Module):
                seen.add(id(value))
                yield from _members(value, kind, seen)


@export("Module")
class Module:
    """An object with a name scope whose variables and parts are found among its attributes."""

    def __init__(self, name: str | None = None) -> None:
        import re

        self._name = name or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()
        if not self._name.isidentifier():
            raise ValueError(
                f"{self._name!r} is not a valid module name. Module names must be valid Python identifiers (e.g. a valid class name)."
            )
        with name_scope(self._name) as scope:
            self._name_scope = scope

    @property
    def name(self) -> str:
        return self._name

    @property
    def name_scope(self) -> Any:
        return name_scope(self._name_scope)

    @property
    def variables(self) -> tuple[Any, ...]:
        return tuple(_members(self, Variable, set()))

    @property
    def trainable_variables(self) -> tuple[Any, ...]:
        return tuple(v for v in self.variables if v.trainable)

    @property
    def submodules(self) -> tuple[Any, ...]:
        return tuple(_members(self, Module, set()))

    @classmethod
    def with_name_scope(cls, method: Any) -> Any:
        @functools.wraps(method)
        def scoped(self: Any, *args: Any, **kwargs: Any) -> Any:
            with self.name_scope:
                return method(self, *args, **kwargs)

        return scoped


@export("CriticalSection")
class CriticalSection:
    """Functions whose ops run one after the other: each waits for the one before."""

    def __init__(
        self, name: str | None = None, shared_name: str | None = None, critical_section_def: Any = None, import_scope: Any = None
    ) -> None:
        self._name = name or shared_name or "critical_section"
        self._last: list[Any] = []

    @property
    def name(self) -> str:
        return self._name

    def execute(self, fn: Any, exclusive_resource_access: bool = True, name: str | None = None) -> Any:
        from runtime.tf1.array_ops import identity

        with name_scope(name, "critical_section_execute"):
            graph = get_default_graph()
            with graph.control_dependencies(self._last):
                result = fn()
            flat = [r if isinstance(r, base.Node) else identity(r) for r in nest.flatten(result)]
            self._last = [r if isinstance(r, base.Node) else r.node for r in flat]
            return nest.pack_sequence_as(result, flat)


# -- specs of what is no plain tensor ------------------------------------------------------------------------------------


@export("IndexedSlicesSpec")
class IndexedSlicesSpec:
    """The shape and dtypes of IndexedSlices."""

    def __init__(
        self,
        shape: Any = None,
        dtype: Any = "float32",
        indices_dtype: Any = "int64",
        dense_shape_dtype: Any = None,
        indices_shape: Any = None,
    ) -> None:
        from graphtools.dtypes import as_dtype

        self._shape, self._dtype, self._indices_dtype = TensorShape(as_dims(shape)), as_dtype(dtype), as_dtype(indices_dtype)

    def __repr__(self) -> str:
        return f"IndexedSlicesSpec(shape={self._shape}, dtype={self._dtype!r})"


@export("TensorArraySpec")
class TensorArraySpec:
    """The shape and dtype of a TensorArray's elements."""

    def __init__(self, element_shape: Any = None, dtype: Any = "float32", dynamic_size: bool = False, infer_shape: bool = True) -> None:
        from graphtools.dtypes import as_dtype

        self._element_shape, self._dtype = TensorShape(as_dims(element_shape)), as_dtype(dtype)
        self._dynamic_size, self._infer_shape = dynamic_size, infer_shape

    def __repr__(self) -> str:
        return f"TensorArraySpec({self._element_shape}, {self._dtype!r}, {self._dynamic_size}, {self._infer_shape})"
