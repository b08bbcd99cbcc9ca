"""tensorflow.python.framework.function.Defun: functions that bring their own gradient."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from graphtools.dtypes import as_dtype
from runtime.tf1.graph import convert_to_tensor, get_default_graph, name_scope
from runtime.tf1.registry import export
from runtime.tf1.template import custom_gradient


@export("python.framework.function.Defun")
class Defun:
    """`@Defun(tf.float32, ...)` makes a function of tensors of these dtypes. Its ops are added where it is called."""

    def __init__(
        self,
        *input_types: Any,
        func_name: str | None = None,
        grad_func: Any = None,
        python_grad_func: Callable[..., Any] | None = None,
        out_names: Any = None,
        shape_func: Callable[[Any], Any] | None = None,
        noinline: bool = False,
        **_: Any,
    ) -> None:
        if grad_func is not None and python_grad_func is not None:
            raise ValueError("Gradient defined twice: by grad_func and python_grad_func.")
        self._input_types = [as_dtype(t) for t in input_types]
        self._name = func_name
        self._gradient = grad_func
        self._python_gradient = python_grad_func
        self._shapes = shape_func

    def __call__(self, func: Callable[..., Any]) -> Callable[..., Any]:
        label = self._name or getattr(func, "__name__", "function")

        def call(*args: Any, **kwargs: Any) -> Any:
            name = kwargs.pop("name", None)
            if self._input_types and len(args) != len(self._input_types):
                raise ValueError(f"Expected number of arguments: {len(self._input_types)}, received: {len(args)}")
            types: list[Any] = list(self._input_types) or [None] * len(args)
            with name_scope(name, label):
                tensors = [convert_to_tensor(a, t) for a, t in zip(args, types, strict=True)]
                result = custom_gradient(self._with_gradient(func, label))(*tensors) if self._has_gradient else func(*tensors)
                self._set_shapes(tensors, result)
            return result

        call.name = label  # type: ignore[attr-defined]
        return call

    @property
    def _has_gradient(self) -> bool:
        return self._gradient is not None or self._python_gradient is not None

    def _with_gradient(self, func: Callable[..., Any], label: str) -> Callable[..., Any]:
        def computed(*tensors: Any) -> tuple[Any, Callable[..., Any]]:
            result = func(*tensors)
            outputs = list(result) if isinstance(result, list | tuple) else [result]

            def gradient(*dys: Any) -> Any:
                if self._gradient is not None:
                    found = self._gradient(*tensors, *dys)
                else:
                    call = SimpleNamespace(inputs=tensors, outputs=outputs, type=label, name=label, graph=get_default_graph())
                    found = self._python_gradient(call, *dys)  # type: ignore[misc]
                return found

            return result, gradient

        return computed

    def _set_shapes(self, tensors: list[Any], result: Any) -> None:
        if self._shapes is None:
            return
        outputs = list(result) if isinstance(result, list | tuple) else [result]
        for output, shape in zip(outputs, self._shapes(SimpleNamespace(inputs=tensors, outputs=outputs)), strict=True):
            output.set_shape(shape)
