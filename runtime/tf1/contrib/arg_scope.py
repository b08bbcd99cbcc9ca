"""tf.contrib.framework.arg_scope: default arguments of functions within a scope."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from runtime.tf1.registry import export

_scopes: list[dict[str, dict[str, Any]]] = [{}]  # the scopes that are open: function key -> its default arguments
_decorated: dict[str, tuple[str, ...]] = {}  # function key -> its arguments that have defaults


@export("contrib.framework.current_arg_scope")
def current_arg_scope() -> dict[str, dict[str, Any]]:
    return _scopes[-1]


@export("contrib.framework.arg_scope_func_key", "contrib.slim.arg_scope_func_key")
def arg_scope_func_key(op: Any) -> str:
    return str(getattr(op, "_key_op", str(op)))


@export("contrib.framework.has_arg_scope")
def has_arg_scope(func: Any) -> bool:
    return arg_scope_func_key(func) in _decorated


@export("contrib.framework.arg_scoped_arguments")
def arg_scoped_arguments(func: Any) -> tuple[str, ...]:
    if not has_arg_scope(func):
        raise AssertionError(f"{func!r} is not decorated with @add_arg_scope")
    return _decorated[arg_scope_func_key(func)]


@export("contrib.framework.add_arg_scope")
def add_arg_scope(func: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function take default arguments from the arg_scope it is called in."""
    key = arg_scope_func_key(func)
    parameters = inspect.signature(func).parameters.values()
    _decorated[key] = tuple(p.name for p in parameters if p.default is not inspect.Parameter.empty)

    @functools.wraps(func)
    def scoped(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **{**current_arg_scope().get(key, {}), **kwargs})

    scoped._key_op = key  # type: ignore[attr-defined]
    return scoped


@export("contrib.framework.arg_scope")
@contextlib.contextmanager
def arg_scope(list_ops_or_scope: Any, **kwargs: Any) -> Iterator[dict[str, dict[str, Any]]]:
    """`with arg_scope([conv2d], padding="SAME") as scope:` sets defaults; a scope that was captured can be opened again."""
    if isinstance(list_ops_or_scope, dict):
        if kwargs:
            raise ValueError("When attempting to re-use a scope by suppling adictionary, kwargs must be empty.")
        opened = dict(list_ops_or_scope)
    elif isinstance(list_ops_or_scope, list | tuple):
        opened = dict(current_arg_scope())
        for op in list_ops_or_scope:
            if not has_arg_scope(op):
                raise ValueError("%s is not decorated with @add_arg_scope", (getattr(op, "__module__", None), getattr(op, "__name__", op)))
            key = arg_scope_func_key(op)
            opened[key] = {**opened.get(key, {}), **kwargs}
    else:
        raise TypeError("list_ops_or_scope must either be a list/tuple or reused scope (i.e. dict)")
    _scopes.append(opened)
    try:
        yield opened
    finally:
        _scopes.pop()
