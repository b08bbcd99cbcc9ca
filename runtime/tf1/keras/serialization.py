"""Objects by name: configurations, custom objects, and the names Keras makes."""

from __future__ import annotations

import contextlib
import inspect
import marshal
import re
import types
from collections.abc import Callable, Iterator
from typing import Any

from runtime.tf1.registry import export

CUSTOM_OBJECTS: dict[str, Any] = {}


def snake(name: str) -> str:
    """MaxPooling2D -> max_pooling2d."""
    text = re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", name)).lower()
    return f"private{text}" if text.startswith("_") else text


@export("keras.utils.get_custom_objects")
def get_custom_objects() -> dict[str, Any]:
    return CUSTOM_OBJECTS


@export("keras.utils.CustomObjectScope")
class CustomObjectScope:
    """Custom objects known by name inside a `with` block."""

    def __init__(self, *args: dict[str, Any]) -> None:
        self.custom_objects = args
        self._backup: dict[str, Any] = {}

    def __enter__(self) -> CustomObjectScope:
        self._backup = dict(CUSTOM_OBJECTS)
        for objects in self.custom_objects:
            CUSTOM_OBJECTS.update(objects)
        return self

    def __exit__(self, *exc: Any) -> None:
        CUSTOM_OBJECTS.clear()
        CUSTOM_OBJECTS.update(self._backup)


@export("keras.utils.custom_object_scope")
def custom_object_scope(*args: dict[str, Any]) -> contextlib.AbstractContextManager[Any]:
    return CustomObjectScope(*args)


@export("keras.utils.serialize_keras_object")
def serialize_keras_object(instance: Any) -> Any:
    if instance is None:
        return None
    if hasattr(instance, "get_config"):
        return {
            "class_name": type(instance).__name__,
            "config": {
                k: v if not hasattr(v, "get_config") or isinstance(v, str) else serialize_keras_object(v)
                for k, v in instance.get_config().items()
            },
        }
    if hasattr(instance, "__name__"):
        return instance.__name__
    raise ValueError("Cannot serialize", instance)


@export("keras.utils.deserialize_keras_object")
def deserialize_keras_object(
    identifier: Any,
    module_objects: dict[str, Any] | None = None,
    custom_objects: dict[str, Any] | None = None,
    printable_module_name: str = "object",
) -> Any:
    """The object of a name or a {class_name, config} dictionary."""
    if identifier is None:
        return None
    known = {**(module_objects or {}), **CUSTOM_OBJECTS, **(custom_objects or {})}
    if isinstance(identifier, dict):
        if "class_name" not in identifier or "config" not in identifier:
            raise ValueError(f"Improper config format: {identifier}")
        name = identifier["class_name"]
        cls = known.get(name)
        if cls is None:
            raise ValueError(f"Unknown {printable_module_name}: {name}")
        config = identifier["config"]
        if not hasattr(cls, "from_config"):
            with CustomObjectScope(custom_objects or {}):
                return cls(**config)
        if "custom_objects" in inspect.signature(cls.from_config).parameters:
            return cls.from_config(config, custom_objects=dict(custom_objects or {}))
        with CustomObjectScope(custom_objects or {}):
            return cls.from_config(config)
    if isinstance(identifier, str):
        found = known.get(identifier)
        if found is None:
            raise ValueError(f"Unknown {printable_module_name}:{identifier}")
        return found() if isinstance(found, type) else found
    if callable(identifier):
        return identifier
    raise ValueError(f"Could not interpret serialized {printable_module_name}: {identifier}")


def func_dump(function: Any) -> tuple[str, Any, Any]:
    """A lambda's code, defaults and closure, as Keras stores Lambda layers."""
    import codecs

    code = codecs.encode(marshal.dumps(function.__code__), "base64").decode("ascii")
    closure = tuple(c.cell_contents for c in function.__closure__) if function.__closure__ else None
    return code, function.__defaults__, closure


def func_load(code: Any, defaults: Any = None, closure: Any = None, globs: dict[str, Any] | None = None) -> Any:
    """The function of func_dump."""
    import codecs

    if isinstance(code, list | tuple):
        code, defaults, closure = code
        defaults = tuple(defaults) if isinstance(defaults, list) else defaults

    def cell(value: Any) -> Any:
        return value if isinstance(value, types.CellType) else types.CellType(value)

    try:
        loaded = marshal.loads(codecs.decode(code.encode("ascii"), "base64"))
    except (ValueError, EOFError, TypeError) as e:
        raise ValueError(
            "A Lambda layer's function was saved as the bytecode of another Python version. Define the function again and pass it in custom_objects, or rebuild the model in code and load only its weights."
        ) from e
    return types.FunctionType(
        loaded,
        globs if globs is not None else globals(),
        name=loaded.co_name,
        argdefs=defaults,
        closure=tuple(cell(c) for c in closure) if closure else None,
    )


def takes(function: Callable[..., Any], name: str) -> bool:
    """True when a function has a parameter of that name, or any keywords."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return name in parameters


def as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def unpack(values: list[Any]) -> Any:
    """One value itself, else the list."""
    return values[0] if len(values) == 1 else values


@contextlib.contextmanager
def nothing() -> Iterator[None]:
    yield
