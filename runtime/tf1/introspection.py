"""tensorflow.python.util of the time: decorators, signatures, deprecations and strings."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable
from typing import Any

from runtime.tf1 import nest, system
from runtime.tf1.registry import EXPORTS, export, put

# -- decorators --------------------------------------------------------------------------------------------------------


@export("python.util.tf_decorator.make_decorator")
def make_decorator(
    target: Any, decorator_func: Any, decorator_name: str | None = None, decorator_doc: str = "", decorator_argspec: Any = None
) -> Any:
    """Mark a function as the decorated form of another: its name, docs and signature are the other's."""
    functools.update_wrapper(decorator_func, target)
    decorator_func._tf_decorated_argspec = decorator_argspec
    if decorator_doc:
        decorator_func.__doc__ = decorator_doc
    return decorator_func


@export("python.util.tf_decorator.unwrap")
def unwrap(maybe_tf_decorator: Any) -> tuple[list[Any], Any]:
    """(the decorators, outermost first, the function below them)."""
    decorators = []
    while hasattr(maybe_tf_decorator, "__wrapped__"):
        decorators.append(maybe_tf_decorator)
        maybe_tf_decorator = maybe_tf_decorator.__wrapped__
    return decorators, maybe_tf_decorator


put("python.util.tf_contextlib.contextmanager", contextlib.contextmanager)


def _described(obj: Any) -> Any:
    """The signature that a decorator declared, else the function below all decorators."""
    while hasattr(obj, "__wrapped__"):
        if getattr(obj, "_tf_decorated_argspec", None) is not None:
            return obj._tf_decorated_argspec
        obj = obj.__wrapped__
    return obj


@export("python.util.tf_inspect.getfullargspec")
def getfullargspec(obj: Any) -> Any:
    found = _described(obj)
    return found if isinstance(found, tuple) else inspect.getfullargspec(found)


@export("python.util.tf_inspect.getargspec")
def getargspec(obj: Any) -> Any:
    """(args, varargs, keywords, defaults) of a function below its decorators, of a class's __init__, of what a callable object does."""
    from runtime.bygone import ArgSpec

    if isinstance(obj, functools.partial):
        spec = getfullargspec(obj.func)
        names = spec.args[len(obj.args) :]
        defaults = dict(zip(spec.args[len(spec.args) - len(spec.defaults or ()) :], spec.defaults or (), strict=True)) | obj.keywords
        first = next((i for i, n in enumerate(names) if n in defaults), len(names))
        for name in names[first:]:
            if name not in defaults:
                raise ValueError(
                    f"Some arguments {[name]} do not have default value, but they are positioned after those with default values."
                )
        return ArgSpec(names, spec.varargs, spec.varkw, tuple(defaults[n] for n in names[first:]) or None)
    found = _described(obj)
    if isinstance(found, tuple):
        return ArgSpec(*found[:4])
    if isinstance(found, type):
        found = found.__init__  # type: ignore[misc]
    elif not inspect.isroutine(found) and callable(found):
        found = type(found).__call__
    return ArgSpec(*inspect.getfullargspec(found)[:4])


def _below(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of inspect that looks below decorators."""

    def looked_at(obj: Any, *args: Any, **kwargs: Any) -> Any:
        return function(unwrap(obj)[1], *args, **kwargs)

    return looked_at


for _name in (
    "getdoc", "getfile", "getmembers", "getmodule", "getmro", "getsource", "getsourcefile", "getsourcelines", "isbuiltin", "isclass", "isframe",
    "isfunction", "isgenerator", "isgeneratorfunction", "ismethod", "ismodule", "isroutine",
):  # fmt: skip
    put(f"python.util.tf_inspect.{_name}", _below(getattr(inspect, _name)))
put("python.util.tf_inspect.currentframe", inspect.currentframe)
put("python.util.tf_inspect.stack", inspect.stack)


@export("python.util.tf_inspect.getcallargs")
def getcallargs(*func_and_positional: Any, **named: Any) -> dict[str, Any]:
    func, *positional = func_and_positional
    found: dict[str, Any] = inspect.getcallargs(unwrap(func)[1], *positional, **named)
    return found


# -- deprecation -------------------------------------------------------------------------------------------------------


def _unchanged(*_: Any, **__: Any) -> Callable[[Any], Any]:
    return lambda target: target


for _name in ("deprecated", "deprecated_args", "deprecated_arg_values", "deprecated_endpoints"):
    put(f"python.util.deprecation.{_name}", _unchanged)


@export("python.util.deprecation.deprecated_alias")
def deprecated_alias(deprecated_name: str, name: str, func_or_class: Any, warn_once: bool = True) -> Any:
    del deprecated_name, name, warn_once
    return func_or_class


@export("python.util.deprecation.deprecated_argument_lookup")
def deprecated_argument_lookup(new_name: str, new_value: Any, old_name: str, old_value: Any) -> Any:
    """The one of two names of an argument that was given."""
    if old_value is not None:
        if new_value is not None:
            raise ValueError(f"Cannot specify both '{old_name}' and '{new_name}'")
        return old_value
    return new_value


@export("python.util.deprecation.rewrite_argument_docstring")
def rewrite_argument_docstring(old_doc: str, old_argument: str, new_argument: str) -> str:
    return old_doc.replace(f"`{old_argument}`", f"`{new_argument}`").replace(f"{old_argument}:", f"{new_argument}:")


@export("python.util.deprecation.silence")
@contextlib.contextmanager
def silence() -> Any:
    yield


# -- nests, strings, files ---------------------------------------------------------------------------------------------

for _name in (
    n for n in dir(nest) if not n.startswith("_") and callable(getattr(nest, n)) and getattr(nest, n).__module__ == nest.__name__
):
    put(f"python.util.nest.{_name}", getattr(nest, _name))
for _name in (
    "as_bytes",
    "as_text",
    "as_str",
    "as_str_any",
    "path_to_str",
    "integral_types",
    "real_types",
    "complex_types",
    "bytes_or_text_types",
):
    put(f"python.util.compat.{_name}", EXPORTS[f"compat.{_name}"])
for _name, _public in {
    "FileIO": "GFile",
    "copy": "Copy",
    "create_dir": "MkDir",
    "delete_file": "Remove",
    "delete_recursively": "DeleteRecursively",
    "file_exists": "Exists",
    "get_matching_files": "Glob",
    "is_directory": "IsDirectory",
    "list_directory": "ListDirectory",
    "recursive_create_dir": "MakeDirs",
    "rename": "Rename",
    "stat": "Stat",
    "walk": "Walk",
}.items():
    put(f"python.lib.io.file_io.{_name}", EXPORTS[f"gfile.{_public}"])


@export("python.lib.io.file_io.write_string_to_file")
def write_string_to_file(filename: str, file_content: Any) -> None:
    with system.GFile(filename, mode="wb" if isinstance(file_content, bytes) else "w") as f:
        f.write(file_content)


put(
    "python.lib.io.file_io.atomic_write_string_to_file", lambda filename, contents, overwrite=True: write_string_to_file(filename, contents)
)


@export("python.lib.io.file_io.read_file_to_string")
def read_file_to_string(filename: str, binary_mode: bool = False) -> Any:
    with system.GFile(filename, mode="rb" if binary_mode else "r") as f:
        return f.read()
